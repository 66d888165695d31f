//! What the demo tells, act by act.

mod live;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::slice;
use std::time::Duration;

use interdocket_sync::id::CaseId;
use tokio::time::{Instant, sleep};

use super::child::{Node, Role};
use super::{Stage, files};
use crate::actions::case::Case;
use crate::actions::partner::{self, Kind, OrganisationRole, Partner, State};
use crate::actions::share::{self, Share};
use crate::actions::{self, audit, case, feature};
use crate::cli::error::Error;
use crate::cli::evidence;
use crate::cli::name;
use crate::cli::share::{delivered, receipts};
use crate::cli::table::{count, size};
use crate::features;
use crate::{run, text};

/// Tells the whole story; an error where anything does not hold.
pub(super) async fn tell(
    stage: &mut Stage,
    folder: Option<&Path>,
    once: bool,
) -> Result<(), Error> {
    start(stage).await?;
    pair(stage, SOUTH).await?;
    pair(stage, HARBOUR).await?;
    let case = fill(stage, folder).await?;
    let shares = copy(stage, &case).await?;
    update(stage, &case, shares).await?;
    live::reference(stage).await?;
    let shares = live::advanced(stage).await?;
    live::follow(stage, &shares).await?;
    live::revoke(stage, shares).await?;
    verify(stage).await?;
    if once {
        return stage.step("Everything held.");
    }
    outlook(stage, &case)
}

async fn start(stage: &mut Stage) -> Result<(), Error> {
    stage.step("Three organisations each start a node of their own, as a process of its own.")?;
    for role in CAST {
        let init = role.init(&stage.home)?;
        let advertise = match &init.advertise {
            Some(address) => format!("partners dial it at {address}"),
            None => "nobody can dial it: it dials, and the connection serves both ways".to_owned(),
        };
        let arguments = arguments(&init);
        let node = Node::start(role, init).await?;
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        stage.command(&node, &arguments)?;
        stage.command(&node, &["run"])?;
        stage.tell(&format!(
            "{} runs; {advertise}.\nIts id: {}",
            role.name, node.organisation
        ))?;
        stage.nodes.push(node);
    }
    stage.tell("Their administrators switch on what they take part in: all is off at first.")?;
    for node in &stage.nodes {
        let features = features::all();
        let mut enable = vec!["feature", "enable"];
        enable.extend(features.iter().map(|feature| feature.name()));
        stage.command(node, &enable)?;
        node.client.call(&feature::Enable { features }).await?;
    }
    Ok(())
}

/// The arguments by which a person makes such a node.
fn arguments(init: &run::Init) -> Vec<String> {
    let mut arguments = vec!["init".to_owned(), "--allow-private".to_owned()];
    let mut say = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
    say("--name", init.name.clone());
    say("--role", name(&init.role));
    say("--federation", init.federation.to_string());
    say("--pairing", init.pairing.to_string());
    say("--api", init.api.to_string());
    if let Some(advertise) = &init.advertise {
        say("--advertise", advertise.clone());
    }
    arguments
}

/// Pairs North with another organisation, by the ceremony that people go through.
async fn pair(stage: &mut Stage, other: usize) -> Result<(), Error> {
    let name = stage.nodes[other].name;
    stage.step(&format!("{} and {name} pair.", stage.nodes[NORTH].name))?;
    let (north, other) = (&stage.nodes[NORTH], &stage.nodes[other]);

    let invitation = north.client.call(&partner::Invite {}).await?.invitation;
    stage.command(north, &["partner", "invite"])?;
    let request = partner::Accept {
        invitation: invitation.clone(),
    };
    let there = other.client.call(&request).await?;
    stage.command(other, &["partner", "accept", &invitation])?;

    let id = other.organisation.to_string();
    let is_met = |partner: &Partner| !partner.words.is_empty();
    let here = partner_with(north, &id, "the words", is_met).await?;
    stage.tell(&format!(
        "The administrators read the words to each other on the phone:\n  {}: {}\n  {}: {}",
        north.name,
        text::display(&here.words.join(" ")),
        other.name,
        text::display(&there.words.join(" ")),
    ))?;
    hold(here.words == there.words, "both see the same words")?;
    hold(
        here.state == State::Unconfirmed,
        "nothing is trusted before it is confirmed",
    )?;

    for (node, peer) in [(north, other), (other, north)] {
        let id = peer.organisation.to_string();
        let request = partner::Confirm {
            partner: id.clone(),
        };
        node.client.call(&request).await?;
        stage.command(node, &["partner", "confirm", peer.name, "--yes"])?;
        // A reference never goes to a justice organisation, nor comes from one.
        let kinds = match other.name == CAST[HARBOUR].name {
            true => [Kind::Copy, Kind::Advanced].as_slice(),
            false => [Kind::Reference, Kind::Copy, Kind::Advanced].as_slice(),
        };
        let request = partner::Enable {
            partner: id,
            send: kinds.iter().copied().collect(),
            receive: kinds.iter().copied().collect(),
        };
        node.client.call(&request).await?;
        let mut enable = vec![
            "partner".to_owned(),
            "enable".to_owned(),
            peer.name.to_owned(),
        ];
        for kind in kinds {
            for way in ["--send", "--receive"] {
                enable.extend([way.to_owned(), crate::cli::name(kind)]);
            }
        }
        let enable: Vec<_> = enable.iter().map(String::as_str).collect();
        stage.command(node, &enable)?;
    }
    for (node, peer) in [(north, other), (other, north)] {
        let id = peer.organisation.to_string();
        partner_with(node, &id, "contact", |partner| partner.connected).await?;
    }
    stage.tell("Both confirmed, what may be shared is enabled each way, and there is contact.")
}

/// Waits until a partner is as it should be.
async fn partner_with(
    node: &Node,
    id: &str,
    what: &str,
    is_so: impl Fn(&Partner) -> bool,
) -> Result<Partner, Error> {
    let deadline = Instant::now() + CONTACT_TIME_MAX;
    loop {
        let partners = node.client.call(&partner::List {}).await?.partners;
        let found = partners
            .into_iter()
            .find(|partner| partner.id.to_string() == id);
        if let Some(partner) = found.filter(&is_so) {
            return Ok(partner);
        }
        let message = format!("{} waited in vain for {what} of its partner", node.name);
        hold_or(Instant::now() < deadline, message)?;
        sleep(POLL).await;
    }
}

/// Makes the case.
async fn fill(stage: &mut Stage, folder: Option<&Path>) -> Result<Case, Error> {
    stage.step(&format!(
        "{} makes a case of files.",
        stage.nodes[NORTH].name
    ))?;
    let folder = match folder {
        Some(folder) => folder.to_owned(),
        None => {
            let folder = stage.home.join("files");
            let made = files::make(&folder);
            made.map_err(|error| Error::local("the demo's files could not be made", error))?;
            folder
        }
    };
    let north = &stage.nodes[NORTH];
    let request = case::Create {
        number: NUMBER.to_owned(),
        title: "Fire at the harbour".to_owned(),
        description: "Quay 7, in the night of 14 March.".to_owned(),
        targets: Vec::new(),
    };
    north.client.call(&request).await?;
    let title = ["case", "create", NUMBER, "--title", "Fire at the harbour"];
    stage.command(north, &title)?;
    add(stage, &inside(&folder)?).await?;
    let request = case::Show {
        case: NUMBER.to_owned(),
    };
    let case = north.client.call(&request).await?;
    hold(case.evidence > 0, "the case has evidence")?;
    Ok(case)
}

/// What lies in the folder, so that the case's folders begin below it.
fn inside(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |error| Error::local(format!("{} cannot be read", folder.display()), error);
    if folder.is_file() {
        return Ok(vec![folder.to_owned()]);
    }
    let entries = fs::read_dir(folder).map_err(failed)?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = paths.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    paths.sort();
    Ok(paths)
}

async fn add(stage: &Stage, paths: &[PathBuf]) -> Result<(), Error> {
    let north = &stage.nodes[NORTH];
    let mut arguments = vec!["evidence".to_owned(), "add".to_owned(), NUMBER.to_owned()];
    arguments.extend(paths.iter().map(|path| path.display().to_string()));
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    stage.command(north, &arguments)?;
    let outcome = evidence::add::add(&stage.context, &north.client, NUMBER, paths).await?;
    let added = outcome.added.len() as u64;
    stage.tell(&evidence::add::show(&outcome, NUMBER))?;
    hold(
        added > 0 && outcome.failed.is_empty(),
        "every file could be added",
    )
}

/// Shares a copy with both partners at once.
async fn copy(stage: &mut Stage, case: &Case) -> Result<Vec<(usize, Share)>, Error> {
    stage.step("A copy of the whole case is shared with both partners, as one set.")?;
    let north = &stage.nodes[NORTH];
    let partners = [SOUTH, HARBOUR];
    let to = partners.map(|other| share::To {
        partner: stage.nodes[other].organisation.to_string(),
        recipients: Vec::new(),
    });
    let request = share::Copy {
        case: NUMBER.to_owned(),
        to: to.into(),
        evidence: Vec::new(),
        folders: Vec::new(),
        targets: None,
        message: MESSAGE.to_owned(),
        attachments: None,
    };
    let made = north.client.call(&request).await?;
    let mut copy = vec!["share", "copy", NUMBER];
    copy.extend(
        partners
            .map(|other| ["--partner", stage.nodes[other].name])
            .as_flattened(),
    );
    copy.extend(["--message", MESSAGE, "--wait"]);
    stage.command(north, &copy)?;
    let mut shares: Vec<_> = partners.into_iter().zip(made.shares).collect();
    for (other, share) in &mut shares {
        arrive(stage, case.id, *other, share).await?;
    }
    stage.command(north, &["share", "sets"])?;
    let sets = north.client.call(&share::Sets::default()).await?.sets;
    let listed = sets.iter().find(|set| set.id == made.set);
    hold(
        listed.is_some_and(|set| set.shares.len() == shares.len()),
        "the set is listed with its shares",
    )?;
    Ok(shares)
}

/// Adds evidence to the case, and updates the copies with it.
async fn update(
    stage: &mut Stage,
    case: &Case,
    mut shares: Vec<(usize, Share)>,
) -> Result<(), Error> {
    stage.step("New evidence comes in, and the copies are updated with it.")?;
    let lab = stage.home.join("lab");
    let result = lab.join("result.txt");
    fs::create_dir_all(&lab)
        .and_then(|()| fs::write(&result, "Traces of accelerant in sample 3.\n"))
        .map_err(|error| Error::local("the new evidence could not be written", error))?;
    add(stage, &[lab]).await?;
    let north = &stage.nodes[NORTH];
    let before: BTreeMap<usize, u64> = shares
        .iter()
        .map(|(other, share)| (*other, share.listed.files))
        .collect();
    for (_, share) in &mut shares {
        let request = share::Add {
            share: share.id,
            evidence: Vec::new(),
        };
        *share = north.client.call(&request).await?;
        stage.command(north, &["share", "add", &share.id.to_string(), "--wait"])?;
    }
    for (other, share) in &mut shares {
        let files = before.get(other).copied().unwrap_or_default();
        arrive(stage, case.id, *other, share).await?;
        hold(share.listed.files == files + 1, "only what is new is added")?;
    }
    Ok(())
}

/// Waits until a copy is complete, shows its receipts, and compares what lies at both ends.
async fn arrive(stage: &Stage, case: CaseId, other: usize, share: &mut Share) -> Result<(), Error> {
    let (north, peer) = (&stage.nodes[NORTH], &stage.nodes[other]);
    delivered(&north.client, stage.out(), slice::from_mut(share)).await?;
    let there = peer.client.call(&share::Show { share: share.id }).await?;
    let sent = files_of(north, case).await?;
    let Some(copied) = there.case else {
        return hold(false, "the copy is a case of the partner's own");
    };
    let held = files_of(peer, copied).await?;
    hold(
        sent == held,
        "both hold the same files with the same digests",
    )?;
    hold(!share.receipts.is_empty(), "there are receipts")?;
    stage.tell(&format!(
        "{} holds {} ({}), verified, as case {}. Receipts at {}:\n{}",
        peer.name,
        count(share.stored.files, "file", "files"),
        size(share.stored.bytes),
        text::display(there.case_number.as_deref().unwrap_or_default()),
        north.name,
        receipts(share).trim_end(),
    ))
}

/// Every file of a case by its place and what it is, in one order.
async fn files_of(node: &Node, case: CaseId) -> Result<Vec<String>, actions::Error> {
    let items = evidence::all(&node.client, case).await?;
    let mut files: Vec<_> = items
        .iter()
        .flat_map(|item| item.files.iter().map(move |file| (&item.folder, file)))
        .map(|(folder, file)| {
            let (name, size, sha256) = (&file.name, file.size, file.sha256);
            format!("{folder}/{name} {size} {} {sha256}", file.blake3)
        })
        .collect();
    files.sort();
    Ok(files)
}

async fn verify(stage: &mut Stage) -> Result<(), Error> {
    stage.step("Each organisation verifies its own journal: every decision is a record there.")?;
    for node in &stage.nodes {
        let verified = node.client.call(&audit::Verify {}).await?;
        stage.command(node, &["audit", "verify"])?;
        stage.tell(&format!(
            "{}: {} verified, head {}",
            node.name,
            count(verified.records, "record", "records"),
            text::display(&verified.head),
        ))?;
        hold(verified.damaged.is_empty(), "the journal is whole")?;
    }
    Ok(())
}

fn outlook(stage: &mut Stage, case: &Case) -> Result<(), Error> {
    stage.step("Everything held. Look around with these commands; Ctrl-C ends the demo.")?;
    let case = case.id.to_string();
    stage.command(&stage.nodes[NORTH], &["share", "list"])?;
    stage.command(&stage.nodes[NORTH], &["evidence", "list", &case])?;
    stage.command(&stage.nodes[NORTH], &["audit", "show"])?;
    stage.command(&stage.nodes[SOUTH], &["case", "list"])?;
    stage.command(
        &stage.nodes[SOUTH],
        &["partner", "doctor", stage.nodes[NORTH].name],
    )?;
    stage.command(&stage.nodes[HARBOUR], &["status"])
}

fn hold(holds: bool, claim: &str) -> Result<(), Error> {
    hold_or(holds, format!("this did not hold: {claim}"))
}

fn hold_or(holds: bool, message: String) -> Result<(), Error> {
    if holds {
        return Ok(());
    }
    Err(Error::Incomplete(message))
}

const CAST: [Role; 3] = [
    Role {
        folder: "north",
        name: "North Police",
        role: OrganisationRole::Investigation,
        is_dialable: true,
    },
    Role {
        folder: "south",
        name: "South Police",
        role: OrganisationRole::Investigation,
        is_dialable: false,
    },
    Role {
        folder: "harbour",
        name: "Harbour Prosecutor",
        role: OrganisationRole::Justice,
        is_dialable: true,
    },
];

const NORTH: usize = 0;
const SOUTH: usize = 1;
const HARBOUR: usize = 2;

const NUMBER: &str = "2026-17";

const MESSAGE: &str = "As agreed on the phone";

/// How long words and contact may take: a node that is waited for dials within 15 seconds.
const CONTACT_TIME_MAX: Duration = Duration::from_secs(45);

/// Between two looks at a partner.
const POLL: Duration = Duration::from_millis(200);
