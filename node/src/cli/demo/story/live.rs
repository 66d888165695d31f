//! The acts about shares that live: a reference, advanced shares, and how they end.

use std::fs;

use interdocket_sync::id::{EvidenceId, ShareId};
use tokio::time::{Instant, sleep};

use super::{CONTACT_TIME_MAX, HARBOUR, NORTH, NUMBER, POLL, SOUTH, add, hold, hold_or};
use crate::actions::external::{self, Shown};
use crate::actions::share::{self, Mode, RevocationState, Share, Status};
use crate::actions::{evidence as actions_evidence, partner};
use crate::cli::demo::Stage;
use crate::cli::demo::child::Node;
use crate::cli::error::Error;
use crate::cli::evidence;
use crate::cli::table::count;
use crate::text;

/// What the advanced shares are called by.
pub(super) struct Shares {
    south: ShareId,
    harbour: ShareId,
}

/// People at South read the case at North, for as long as North lets them.
pub(super) async fn reference(stage: &mut Stage) -> Result<(), Error> {
    stage
        .step("North opens the case to a person at South, for seven days: it is read at North.")?;
    let (north, south) = (&stage.nodes[NORTH], &stage.nodes[SOUTH]);
    let request = |partner: &Node| share::Reference {
        case: NUMBER.to_owned(),
        to: to(partner),
        days: 7,
        evidence: Vec::new(),
        folders: Vec::new(),
        targets: None,
        message: String::new(),
    };
    let shared = only(north.client.call(&request(south)).await?)?;
    let days = ["--days", "7", "--recipient", PERSON, "--wait"];
    let offer = ["share", "reference", NUMBER, "--partner", south.name];
    stage.command(north, &[&offer[..], &days[..]].concat())?;
    with_status(north, shared.id, Status::Active).await?;
    let seen = shown(south, shared.id, "the case", |seen| !seen.items.is_empty()).await?;
    let id = shared.id.to_string();
    stage.command(south, &["external", "show", &id])?;
    let case = seen.external.case.as_ref().map(|case| case.title.clone());
    stage.tell(&format!(
        "South sees \"{}\" with {}, as North has it now. Nothing of it is on South's disk.",
        text::display(&case.unwrap_or_default()),
        count(seen.items.len() as u64, "item", "items"),
    ))?;
    let refused = north.client.call(&request(&stage.nodes[HARBOUR])).await;
    let harbour = [
        "share",
        "reference",
        NUMBER,
        "--partner",
        stage.nodes[HARBOUR].name,
    ];
    stage.command(north, &[&harbour[..], &days[..4]].concat())?;
    let Err(error) = refused else {
        return hold(false, "no reference goes to a justice organisation");
    };
    stage.tell(&format!("Refused: {error}"))?;
    north
        .client
        .call(&share::Revoke { share: shared.id })
        .await?;
    stage.command(north, &["share", "revoke", &id, "--wait"])?;
    known(north, shared.id, RevocationState::Received).await?;
    let read = external::Show {
        share: shared.id,
        after: None,
        limit: None,
    };
    let refused = south.client.call(&read).await;
    let gone = refused.map_or(true, |seen| seen.items.is_empty());
    hold(gone, "a revoked reference shows nothing any more")?;
    stage.tell("Revoked, and South has countersigned that it knows: it reads nothing any more.")
}

/// Shares the case as it goes on: a folder of it with South, all of it with Harbour.
pub(super) async fn advanced(stage: &mut Stage) -> Result<Shares, Error> {
    stage.step("North shares the case as it goes on, under a policy for each partner.")?;
    let north = &stage.nodes[NORTH];
    let mut ids = Vec::new();
    for (other, import, folders) in [
        (SOUTH, false, vec![FOLDER.to_owned()]),
        (HARBOUR, true, vec![]),
    ] {
        let peer = &stage.nodes[other];
        let policy = partner::SetPolicy {
            partner: peer.organisation.to_string(),
            mode: Mode::Synchronised,
            download: true,
            import,
            onward: false,
        };
        north.client.call(&policy).await?;
        let mut set = vec![
            "partner",
            "policy",
            peer.name,
            "--mode",
            "synchronised",
            "--download",
        ];
        set.extend(import.then_some("--import"));
        stage.command(north, &set)?;
        let request = share::Advanced {
            case: NUMBER.to_owned(),
            to: to(peer),
            evidence: Vec::new(),
            folders: folders.clone(),
            targets: None,
            units: Vec::new(),
            message: String::new(),
        };
        let shared = only(north.client.call(&request).await?)?;
        let mut offer = vec!["share", "advanced", NUMBER, "--partner", peer.name];
        offer.extend(
            folders
                .iter()
                .flat_map(|folder| ["--folder", folder.as_str()]),
        );
        offer.extend(["--recipient", PERSON, "--wait"]);
        stage.command(north, &offer)?;
        with_status(north, shared.id, Status::Active).await?;
        ids.push(shared.id);
    }
    let [south, harbour] = [ids[0], ids[1]];
    let held = imported(&stage.nodes[HARBOUR], harbour, 1).await?;
    stage.tell(&format!(
        "South has the folder \"{FOLDER}\", sealed under a key that North lends it.\nHarbour, a justice \
         organisation, has imported {} by itself, granted by North: they are its own now.",
        count(held, "item", "items"),
    ))?;
    Ok(Shares { south, harbour })
}

/// A partner, and who there may use what is shared.
fn to(partner: &Node) -> Vec<share::To> {
    vec![share::To {
        partner: partner.organisation.to_string(),
        recipients: vec![PERSON.to_owned()],
    }]
}

/// The share of a set that has one.
fn only(made: share::Made) -> Result<Share, Error> {
    let share = made.shares.into_iter().next();
    share.ok_or_else(|| Error::Incomplete("a set was made without a share".to_owned()))
}

/// New evidence arrives by itself where it should, and not where it should not.
pub(super) async fn follow(stage: &mut Stage, shares: &Shares) -> Result<(), Error> {
    stage.step("New evidence comes in. Nobody shares it: it goes where it belongs.")?;
    let harbour = imported(&stage.nodes[HARBOUR], shares.harbour, 1).await?;
    let south = listed(&stage.nodes[NORTH], shares.south).await?;
    let notes = stage.home.join("notes");
    let note = notes.join("tip.txt");
    let lab = stage.home.join("again").join(FOLDER);
    let result = lab.join("result-2.txt");
    fs::create_dir_all(&lab)
        .and_then(|()| fs::create_dir_all(&notes))
        .and_then(|()| fs::write(&note, "A caller saw a second boat.\n"))
        .and_then(|()| fs::write(&result, "The same accelerant in sample 4.\n"))
        .map_err(|error| Error::local("the new evidence could not be written", error))?;
    add(stage, &[notes, lab]).await?;
    let at_harbour = imported(&stage.nodes[HARBOUR], shares.harbour, harbour + 2).await?;
    with_status(&stage.nodes[NORTH], shares.south, Status::Active).await?;
    let at_south = listed(&stage.nodes[NORTH], shares.south).await?;
    hold(
        at_south == south + 1,
        "only what is in the folder goes to South",
    )?;
    hold(at_harbour == harbour + 2, "all of it goes to Harbour")?;
    stage.tell(&format!(
        "Harbour has {} by now. South has {}: what is not in \"{FOLDER}\" was not so much as named to it.",
        count(at_harbour, "item", "items"),
        count(at_south, "item", "items"),
    ))
}

/// Revokes both, while South is cut off.
pub(super) async fn revoke(stage: &mut Stage, shares: Shares) -> Result<(), Error> {
    stage.step("South is cut off: the plug is pulled. Then North revokes both shares.")?;
    stage.nodes[SOUTH].kill().await?;
    let north = &stage.nodes[NORTH];
    for share in [shares.south, shares.harbour] {
        north.client.call(&share::Revoke { share }).await?;
        stage.command(north, &["share", "revoke", &share.to_string()])?;
    }
    known(north, shares.harbour, RevocationState::Purged).await?;
    let unknown = state(north, shares.south).await? == Some(RevocationState::Unknown);
    hold(unknown, "silence is shown as such")?;
    stage.tell(
        "Harbour has purged what was not its own, and signed that. Of South nothing is known.",
    )?;
    stage.nodes[SOUTH].start_again().await?;
    let (north, south) = (&stage.nodes[NORTH], &stage.nodes[SOUTH]);
    stage.command(south, &["run"])?;
    let purged = known(north, shares.south, RevocationState::Purged).await?;
    stage.command(north, &["share", "show", &shares.south.to_string()])?;
    let read = external::Show {
        share: shares.south,
        after: None,
        limit: None,
    };
    stage.command(south, &["external", "show", &shares.south.to_string()])?;
    let seen = south.client.call(&read).await;
    let gone = seen.map_or(true, |seen| seen.items.is_empty());
    hold(gone, "what was revoked can't be read")?;
    let kept = imported(&stage.nodes[HARBOUR], shares.harbour, 1).await?;
    stage.tell(&format!(
        "South is back: it has countersigned the revocation and erased {} of sealed evidence.\nHarbour \
         keeps the {} that it imported: an import outlives the share.",
        count(purged.stored.files, "file", "files"),
        count(kept, "item", "items"),
    ))
}

/// Waits until a share stands as it should.
async fn with_status(node: &Node, share: ShareId, status: Status) -> Result<Share, Error> {
    share_with(node, share, |share| share.status == status).await
}

async fn known(node: &Node, share: ShareId, known: RevocationState) -> Result<Share, Error> {
    let is_so = |share: &Share| {
        let state = share.revocation.as_ref().map(|revocation| revocation.state);
        state == Some(known) || state == Some(RevocationState::Purged)
    };
    share_with(node, share, is_so).await
}

async fn state(node: &Node, share: ShareId) -> Result<Option<RevocationState>, Error> {
    let shown = node.client.call(&share::Show { share }).await?;
    Ok(shown.revocation.map(|revocation| revocation.state))
}

async fn listed(node: &Node, share: ShareId) -> Result<u64, Error> {
    let shown = node.client.call(&share::Show { share }).await?;
    Ok(shown.listed.evidence)
}

async fn share_with(
    node: &Node,
    share: ShareId,
    is_so: impl Fn(&Share) -> bool,
) -> Result<Share, Error> {
    let deadline = Instant::now() + CONTACT_TIME_MAX;
    loop {
        let shown = node.client.call(&share::Show { share }).await?;
        if is_so(&shown) {
            return Ok(shown);
        }
        let message = format!("{} waited in vain for a share", node.name);
        hold_or(Instant::now() < deadline, message)?;
        sleep(POLL).await;
    }
}

/// Waits until an external case is seen as it should be.
async fn shown(
    node: &Node,
    share: ShareId,
    what: &str,
    is_so: impl Fn(&Shown) -> bool,
) -> Result<Shown, Error> {
    let deadline = Instant::now() + CONTACT_TIME_MAX;
    loop {
        let request = external::Show {
            share,
            after: None,
            limit: None,
        };
        if let Ok(seen) = node.client.call(&request).await
            && is_so(&seen)
        {
            return Ok(seen);
        }
        let message = format!("{} waited in vain for {what}", node.name);
        hold_or(Instant::now() < deadline, message)?;
        sleep(POLL).await;
    }
}

/// Waits until a node has made so many items of a share its own; how many it has.
async fn imported(node: &Node, share: ShareId, least: u64) -> Result<u64, Error> {
    let is_so = |share: &Share| share.imported.evidence >= least;
    let shown = share_with(node, share, is_so).await?;
    let case = shown.case;
    let items = match case {
        Some(case) => evidence::all(&node.client, case).await?,
        None => Vec::new(),
    };
    let ids: Vec<EvidenceId> = items
        .iter()
        .map(|item: &actions_evidence::Evidence| item.id)
        .collect();
    hold(
        ids.len() as u64 == shown.imported.evidence,
        "what is imported is evidence",
    )?;
    Ok(shown.imported.evidence)
}

/// Who is at the local socket of a node.
const PERSON: &str = "administrator";

/// The folder that South is to have.
const FOLDER: &str = "lab";
