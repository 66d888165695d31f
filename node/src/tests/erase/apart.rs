//! What was deleted is gone from the logs of shares whatever else happened to them: several shares and cases, a past
//! that came back, what is taken back, and what its owner deleted before it was delivered.

use chrono::TimeDelta;
use interdocket_sync::blob::{Digest, Sha256};
use interdocket_sync::evidence::{File, Item};
use interdocket_sync::id::{ActorId, EvidenceId, ShareId};
use interdocket_sync::log::Side;
use interdocket_sync::log::entry::{Actor, CaseInfo};
use interdocket_sync::share::Facts as _;
use interdocket_sync::share::decide::{Command, decide as next};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::shared::{CASE, erase, only_item, told};
use super::{CANARIES, described, sweep};
use crate::actions::decide::Decided;
use crate::actions::evidence::{self, Include};
use crate::actions::exchange::{self, Given};
use crate::actions::partner::{self, Inbound, Kind};
use crate::actions::retention::erase as erasing;
use crate::actions::share::{self, Mode, Share};
use crate::actions::{Run as _, Way, audit, case, decide, external, retention, target};
use crate::erase::pass;
use crate::event::{Event, NodeRestored, PartnerRecovered};
use crate::federation::history;
use crate::seal::Seal;
use crate::store::entity;
use crate::store::project::ShareFacts;
use crate::tests::bench::{Bench, caller, noon, only, pair, settle, to};
use crate::tests::retention::{delete, items};

pub(super) fn include(case: &str, evidence: EvidenceId) -> Include {
    Include {
        case: case.into(),
        evidence: vec![evidence],
        folder: "canary-folder".into(),
    }
}

/// All of an item and of its case.
fn all() -> Vec<&'static str> {
    CANARIES.iter().chain(CASE).copied().collect()
}

/// Without the bytes: a bench that reads a small file stores it again, whatever it holds.
fn texts() -> Vec<&'static str> {
    let text = |canary: &&str| *canary != "canary-bytes";
    all().into_iter().filter(text).collect()
}

#[track_caller]
fn silent(at: &Bench, canaries: &[&'static str]) {
    assert_eq!(told(at, canaries), [""; 0], "{}", at.name);
}

async fn cases(at: &Bench, numbers: &[&str]) {
    for number in numbers {
        at.case(number).await;
    }
}

async fn entitled(at: &Bench, number: &str) {
    let edit = case::Edit {
        case: number.into(),
        number: None,
        title: Some("canary-case".into()),
        description: Some("canary-case, at length".into()),
    };
    at.change(edit).await.unwrap();
    let target = target::Add {
        case: number.into(),
        name: "canary-case".into(),
        description: "canary-case".into(),
    };
    at.change(target).await.unwrap();
}

async fn copied(north: &Bench, south: &Bench, case: &str) -> ShareId {
    let share = north.copy(case, "south").await.unwrap().id;
    settle(north, south, share).await;
    share
}

fn add(share: ShareId) -> share::Add {
    share::Add {
        share,
        evidence: Vec::new(),
    }
}

fn held(at: &Bench, share: ShareId) -> entity::Share {
    let reading = at.node.parts().store.read();
    decide::share(&reading.view(), share).unwrap()
}

/// Brings both sides all that the other says, and no files.
pub(super) async fn said(north: &Bench, south: &Bench, share: ShareId) {
    loop {
        let mut moved = north.deliver(south, share).await == Some(Ok(()));
        if south.holds(share) {
            moved |= south.deliver(north, share).await == Some(Ok(()));
        }
        if !moved {
            return;
        }
    }
}

/// Begins the life of a node that came back from its past.
async fn restored(past: &Bench) {
    let back = NodeRestored {
        made_at: noon(),
        above: 0,
    };
    past.events(vec![Event::NodeRestored(back)]).await.unwrap();
}

/// Gives a node that came back from its past what its partner holds of a share.
async fn give_back(from: &Bench, past: &Bench, share: ShareId) {
    let seal = move || Seal::new(share.uuid(), Zeroizing::new([7; 32]));
    let mut behind = [0, 0];
    if past.holds(share) {
        let header = held(past, share).header;
        behind = [header.owner_log, header.partner_log].map(|log| log.point.count);
    }
    loop {
        let returned = {
            let reading = from.node.parts().store.read();
            let (view, journal) = (reading.view(), &from.node.parts().journal);
            let most = [u64::MAX; 2];
            history::returned(&view, journal, share, behind, most, Some(&seal()))
        };
        let Some(returned) = returned.unwrap() else {
            break;
        };
        let returned = returned.unwrap();
        let head = &returned.batch.head.head;
        behind[usize::from(head.side == Side::Partner)] = head.point.count;
        let given = match head.writer() == past.id() {
            true => Given::Own(returned.batch, returned.countersignature.unwrap()),
            false => Given::Theirs(returned.batch),
        };
        let (node, partner) = (past.node.clone(), from.id());
        let taken = past.node.decide(None, Way::Partner, move |context| {
            let hashes = history::Hashes::new(context.view, &node.parts().journal, share);
            let known = |side: Side, number: u64| hashes.hash(side, number);
            exchange::recover(context, partner, given, &known, Some(&seal()))
        });
        taken.await.unwrap().unwrap();
    }
    let recovered = Event::ShareRecovered(share);
    past.events(vec![recovered]).await.unwrap();
}

/// Has a node come back from its past and take back what its partner holds, but for what was revoked.
pub(super) async fn recovered(past: &Bench, from: &Bench) {
    restored(past).await;
    for share in from.shares() {
        if !held(from, share).header.revoked {
            give_back(from, past, share).await;
        }
    }
    let whole = PartnerRecovered {
        partner: from.id(),
        missing: Vec::new(),
    };
    let whole = Event::PartnerRecovered(whole);
    past.events(vec![whole]).await.unwrap();
}

/// All that shows a share goes on showing it.
async fn shows(at: &Bench, share: ShareId) {
    let owner = at.node.owner();
    let page = share::List::default().run(&at.node, &owner).await.unwrap();
    assert!(page.shares.contains(&at.shown(share)));
    if at.shown(share).kind == Kind::Copy {
        let updates = share::Updates {
            share,
            after: None,
            limit: None,
        };
        updates.run(&at.node, &owner).await.unwrap();
    }
    let show = audit::Show {
        about: Some(share.to_string()),
        after: None,
        limit: None,
    };
    show.run(&at.node, &owner).await.unwrap();
    let list = external::List {
        after: None,
        limit: None,
    };
    list.run(&at.node, &owner).await.unwrap();
}

async fn rebuilds(at: Bench) -> Bench {
    at.rebuilds().await;
    let at = at.crash(5);
    at.rebuilds().await;
    at
}

async fn delete_case(at: &Bench, number: &str) {
    let whole = retention::DeleteCase {
        case: number.into(),
        reason: "expunged".into(),
    };
    at.change(whole).await.unwrap();
}

/// Two nodes that share copies and advanced shares.
pub(super) async fn enabled() -> (Bench, Bench) {
    let (north, south) = pair().await;
    for (at, other) in [(&north, "south"), (&south, "north")] {
        let kinds = [Kind::Advanced, Kind::Copy];
        let enable = partner::Enable {
            partner: other.into(),
            send: kinds.into(),
            receive: kinds.into(),
        };
        at.change(enable).await.unwrap();
    }
    let policy = partner::SetPolicy {
        partner: "south".into(),
        mode: Mode::Synchronised,
        download: true,
        import: true,
        onward: false,
    };
    north.change(policy).await.unwrap();
    (north, south)
}

pub(super) fn advanced(case: &str, message: &str) -> share::Advanced {
    share::Advanced {
        case: case.into(),
        to: vec![to("south", &["Bob"])],
        evidence: Vec::new(),
        folders: vec!["canary-folder".into()],
        targets: None,
        units: Vec::new(),
        message: message.into(),
    }
}

/// What is taken out of a deleted case and stays in another one is told until it is deleted itself.
#[tokio::test]
async fn item_of_two_received_cases_outlives_the_case_that_brought_it() {
    let (north, south) = pair().await;
    cases(&north, &["1/26", "2/26"]).await;
    let item = described(&north, "1/26").await.id;
    north.change(include("2/26", item)).await.unwrap();
    let first = copied(&north, &south, "1/26").await;
    let second = copied(&north, &south, "2/26").await;
    erase(&south, "1/26").await;
    let south = rebuilds(south).await;
    let here = items(&south, "2/26");
    assert_eq!(here[0].title, "canary-title");
    for share in [first, second] {
        shows(&south, share).await;
    }
    south.change(delete(here[0].id)).await.unwrap();
    sweep(&south).await;
    silent(&south, &only_item(&texts()));
    let south = rebuilds(south).await;
    erase(&south, "2/26").await;
    silent(&south, &texts());
    rebuilds(south).await;
}

#[tokio::test]
async fn texts_of_two_shares_go_with_the_case_into_which_both_were_put() {
    let (north, south) = pair().await;
    let set = partner::SetInbound {
        partner: "north".into(),
        inbound: Inbound::Finalise,
    };
    south.change(set).await.unwrap();
    cases(&south, &["9/26"]).await;
    let mut shares = Vec::new();
    for number in ["1/26", "2/26"] {
        cases(&north, &[number]).await;
        entitled(&north, number).await;
        described(&north, number).await;
        let share = north.copy(number, "south").await.unwrap().id;
        said(&north, &south, share).await;
        let finalise = share::Finalise {
            share,
            case: Some("9/26".into()),
            access: Vec::new(),
        };
        let owner = south.node.owner();
        finalise.run(&south.node, &owner).await.unwrap();
        settle(&north, &south, share).await;
        shares.push(share);
    }
    assert_eq!(items(&south, "9/26").len(), 2);
    let south = rebuilds(south).await;
    assert!(told(&south, CASE).contains(&"canary-case"));
    erase(&south, "9/26").await;
    silent(&south, &texts());
    let south = rebuilds(south).await;
    for share in shares {
        shows(&south, share).await;
    }
}

/// The share of one case says its message to several partners.
#[tokio::test]
async fn what_a_share_set_says_goes_with_its_case() {
    let (north, south) = pair().await;
    let east = Bench::new("east");
    north.trust(&east, None).await;
    east.trust(&north, None).await;
    cases(&north, &["1/26"]).await;
    described(&north, "1/26").await;
    let copy = share::Copy {
        case: "1/26".into(),
        to: vec![to("south", &["Kim"]), to("east", &["Kim"])],
        evidence: Vec::new(),
        folders: vec!["canary-folder".into()],
        targets: None,
        message: "canary-message".into(),
        attachments: None,
    };
    let made = north.change(copy).await.unwrap().shares;
    for (share, partner) in made.iter().map(|share| share.id).zip([&south, &east]) {
        settle(&north, partner, share).await;
        north.change(share::End { share }).await.unwrap();
        settle(&north, partner, share).await;
    }
    erase(&north, "1/26").await;
    silent(&north, &all());
    assert_eq!(north.sets().len(), 1);
    for share in made {
        shows(&north, share.id).await;
    }
    rebuilds(north).await;
}

/// What a node disclosed and lost with its past has no record whose end would take what was said of it along.
#[tokio::test]
async fn evidence_that_a_restored_owner_lost_goes_with_its_case() {
    let (north, south) = pair().await;
    cases(&north, &["1/26"]).await;
    north.evidence("1/26", "other.txt", b"something else").await;
    let past = north.twin();
    described(&north, "1/26").await;
    let share = copied(&north, &south, "1/26").await;
    recovered(&past, &south).await;
    assert!(told(&past, &all()).contains(&"canary-title"));
    past.rebuilds().await;
    past.change(share::End { share }).await.unwrap();
    said(&past, &south, share).await;
    erase(&past, "1/26").await;
    silent(&past, &all());
    let past = rebuilds(past).await;
    shows(&past, share).await;
}

#[tokio::test]
async fn item_that_a_restored_owner_has_in_another_case_goes_from_all_shares() {
    let (north, south) = pair().await;
    cases(&north, &["1/26", "2/26"]).await;
    let item = described(&north, "2/26").await.id;
    let past = north.twin();
    north.change(include("1/26", item)).await.unwrap();
    let share = copied(&north, &south, "1/26").await;
    recovered(&past, &south).await;
    past.change(share::End { share }).await.unwrap();
    said(&past, &south, share).await;
    past.change(delete(item)).await.unwrap();
    sweep(&past).await;
    silent(&past, &only_item(CANARIES));
    rebuilds(past).await;
}

/// A crash, or a call of a partner, between recording and destroying.
#[tokio::test]
async fn what_comes_back_before_its_key_is_destroyed_is_not_told_again() {
    let (north, south) = pair().await;
    cases(&north, &["1/26"]).await;
    north.evidence("1/26", "other.txt", b"something else").await;
    let item = described(&north, "1/26").await.id;
    let past = north.twin();
    copied(&north, &south, "1/26").await;
    past.change(delete(item)).await.unwrap();
    past.later(TimeDelta::days(8));
    let recorded = past.node.decide(None, Way::Timer, move |context| {
        erasing::erase(context, item.uuid(), None)
    });
    recorded.await.unwrap();
    recovered(&past, &south).await;
    pass(&past.node, false).await.unwrap();
    silent(&past, &only_item(CANARIES));
    rebuilds(past).await;
}

/// Else it would be a record whose key is destroyed: nobody could say anything of it any more.
#[tokio::test]
async fn what_was_forgotten_does_not_come_to_a_case_that_is_kept_after_all() {
    let (north, south) = pair().await;
    cases(&north, &["1/26"]).await;
    north.evidence("1/26", "other.txt", b"something else").await;
    let share = copied(&north, &south, "1/26").await;
    described(&north, "1/26").await;
    north.change(add(share)).await.unwrap();
    said(&north, &south, share).await;
    let first = items(&south, "1/26")[0].id;
    south.change(delete(first)).await.unwrap();
    sweep(&south).await;
    delete_case(&south, "1/26").await;
    south.later(TimeDelta::days(8));
    let id = south.shown(share).case.unwrap().uuid();
    let listed = south.node.decide(None, Way::Timer, move |context| {
        erasing::erase_listed(context, id, share, None)
    });
    listed.await.unwrap();
    let keep = retention::KeepCase {
        case: "1/26".into(),
        reason: "needed".into(),
    };
    south.change(keep).await.unwrap();
    pass(&south.node, false).await.unwrap();
    assert!(south.wanted(share).is_empty());
    silent(&south, &only_item(CANARIES));
    let later = north.evidence("1/26", "later.txt", b"later").await;
    north.change(add(share)).await.unwrap();
    settle(&north, &south, share).await;
    let here = items(&south, "1/26");
    assert_eq!(here.len(), 1);
    assert_eq!(here[0].title, later.title);
    let edit = evidence::Edit {
        evidence: here[0].id,
        title: Some("what it is".into()),
        folder: None,
        case: None,
        fields: Default::default(),
    };
    south.change(edit).await.unwrap();
    rebuilds(south).await;
}

/// Its owner does not tell how it is called any more.
#[tokio::test]
async fn case_that_comes_without_its_texts_is_known_by_its_id() {
    let (north, south) = pair().await;
    cases(&north, &["1/26", "2/26"]).await;
    for number in ["1/26", "2/26"] {
        north.evidence(number, "other.txt", b"something else").await;
    }
    let past = south.twin();
    let stored = copied(&north, &south, "1/26").await;
    north.change(share::End { share: stored }).await.unwrap();
    settle(&north, &south, stored).await;
    let unsent = north.copy("2/26", "south").await.unwrap().id;
    north.change(share::Cancel { share: unsent }).await.unwrap();
    for number in ["1/26", "2/26"] {
        erase(&north, number).await;
    }
    recovered(&past, &north).await;
    said(&north, &past, unsent).await;
    for share in [stored, unsent] {
        let shown = past.shown(share);
        assert_eq!(shown.case_number, shown.case.map(|case| case.to_string()));
        shows(&past, share).await;
    }
    rebuilds(past).await;
    rebuilds(north).await;
}

#[tokio::test]
async fn item_that_comes_without_its_texts_is_known_by_its_digest() {
    let (north, south) = pair().await;
    cases(&north, &["1/26"]).await;
    north.evidence("1/26", "other.txt", b"the same").await;
    let share = copied(&north, &south, "1/26").await;
    let item = north.evidence("1/26", "canary-name", b"the same").await;
    north.change(add(share)).await.unwrap();
    north.disclose(share).await.unwrap();
    north.change(share::End { share }).await.unwrap();
    north.change(delete(item.id)).await.unwrap();
    sweep(&north).await;
    settle(&north, &south, share).await;
    let here = items(&south, "1/26");
    let here = here.iter().find(|item| item.title != "other.txt").unwrap();
    let digest = here.files[0].blake3.to_string();
    assert_eq!((&here.title, &here.files[0].name), (&digest, &digest));
    // No policy has had it deleted since 1970.
    assert_eq!(here.uploaded_at, here.added_at);
    silent(&south, &["canary-name"]);
    shows(&south, share).await;
    rebuilds(south).await;
}

/// Whatever was chosen by folder and not sent.
#[tokio::test]
async fn folders_of_an_advanced_share_go_with_its_case() {
    for (disclosed, sent) in [(false, false), (false, true), (true, false), (true, true)] {
        let (north, south) = enabled().await;
        cases(&north, &["1/26", "2/26"]).await;
        let made = north.change(advanced("2/26", "canary-message")).await;
        let share = only(made.unwrap()).id;
        if sent {
            said(&north, &south, share).await;
        }
        let first = north.evidence("1/26", "a.txt", b"one").await.id;
        north.change(include("2/26", first)).await.unwrap();
        if disclosed {
            while north.disclose(share).await.unwrap() {}
        }
        let second = north.evidence("1/26", "b.txt", b"two").await.id;
        north.change(include("2/26", second)).await.unwrap();
        north.later(TimeDelta::hours(1));
        north.change(share::Revoke { share }).await.unwrap();
        let third = north.evidence("2/26", "c.txt", b"three").await.id;
        north.change(include("2/26", third)).await.unwrap();
        north.rebuilds().await;
        erase(&north, "2/26").await;
        silent(&north, &["canary-message"]);
        shows(&north, share).await;
        rebuilds(north).await;
    }
}

/// An owner that says when it took something in as nobody does.
#[tokio::test]
async fn what_a_liar_listed_of_1970_goes_with_its_case() {
    let (north, south) = pair().await;
    cases(&north, &["1/26"]).await;
    north.evidence("1/26", "other.txt", b"something else").await;
    let share = copied(&north, &south, "1/26").await;
    let written = north.node.decide(None, Way::Timer, move |context| {
        let node = context.node()?;
        let header = decide::share(&context.view, share)?.header;
        let facts = ShareFacts::new(context.view, share);
        let file = File {
            name: "canary-name".into(),
            size: 1,
            blake3: Digest([7; 32]),
            sha256: Sha256([7; 32]),
            kind: Default::default(),
            format: String::new(),
        };
        let id = EvidenceId::new(Uuid::from_u128(7));
        let item = Item {
            title: "canary-title".into(),
            ..Item::outline(id, vec![file])
        };
        let listed = Command::Add(vec![item]);
        let entries = next(&header, &facts, listed, context.now, &mut || [3; 16]);
        let events = exchange::written(context, &header, &node, entries.unwrap());
        Ok(Decided::new(events.into_iter().collect(), |_| Ok(())))
    });
    written.await.unwrap();
    said(&north, &south, share).await;
    let said = ["canary-title", "canary-name"];
    assert_eq!(told(&south, &said), said);
    erase(&south, "1/26").await;
    silent(&south, &said);
    rebuilds(south).await;
}

/// There is nothing any more to which they could have access, and what they have is shown as ever.
#[tokio::test]
async fn who_joins_a_copy_whose_case_was_deleted_has_access_to_nothing() {
    let (north, south) = pair().await;
    let lee = caller(&south.person("Lee", "").await.unwrap());
    cases(&north, &["1/26"]).await;
    north.evidence("1/26", "other.txt", b"something else").await;
    let share = copied(&north, &south, "1/26").await;
    erase(&south, "1/26").await;
    let reshare = share::Reshare {
        share,
        recipients: vec!["Lee".into()],
        message: "canary-message, again".into(),
        evidence: Vec::new(),
    };
    north.change(reshare).await.unwrap();
    settle(&north, &south, share).await;
    shows(&south, share).await;
    let list = case::List {
        after: None,
        limit: None,
    };
    let cases = list.run(&south.node, &lee).await.unwrap();
    assert!(cases.cases.is_empty());
    silent(&south, CASE);
    rebuilds(south).await;
}

/// Has south import an item of an advanced share for Bob.
async fn import(north: &Bench, south: &Bench, share: &Share, item: EvidenceId) {
    let id = share.id;
    let asked = south.node.decide(None, Way::Timer, move |context| {
        exchange::ask(context, id, "Bob".into(), Vec::new())
    });
    asked.await.unwrap();
    let bob = Actor {
        id: ActorId::new(Uuid::from_u128(5)),
        name: "Bob".into(),
        badge: String::new(),
    };
    let partner = south.id();
    let granted = north.node.decide(None, Way::Timer, move |context| {
        exchange::grant(context, partner, id, bob, "Bob")
    });
    granted.await.unwrap().unwrap();
    said(north, south, id).await;
    let listed = {
        let reading = north.node.parts().store.read();
        let facts = ShareFacts::new(reading.view(), id);
        let fact = facts.item(item).unwrap();
        let file = |place| facts.file(item, place).unwrap();
        Item {
            evidence: item,
            files: (0..fact.files).map(file).collect(),
            metadata: facts.metadata(item, &fact),
            title: fact.title,
            folder: fact.folder,
            added_at: fact.added_at,
            added_by: fact.added_by,
        }
    };
    let files = listed.files.iter();
    let placed: Vec<_> = files
        .map(|file| south.read(north, id, file.blake3))
        .collect();
    let source = exchange::Source {
        case: share.case.unwrap(),
        info: CaseInfo {
            number: "1/26".into(),
            title: "canary-case".into(),
            ..CaseInfo::default()
        },
        recipients: vec!["Bob".into()],
    };
    let imported = south.node.decide(None, Way::Timer, move |context| {
        exchange::import(context, id, &source, vec![listed], &placed)
    });
    imported.await.unwrap();
    said(north, south, id).await;
}

#[tokio::test]
async fn import_is_forgotten_though_its_share_goes_on() {
    let (north, south) = enabled().await;
    cases(&north, &["1/26"]).await;
    entitled(&north, "1/26").await;
    let item = described(&north, "1/26").await.id;
    let made = north.change(advanced("1/26", "canary-message")).await;
    let made = only(made.unwrap());
    let share = made.id;
    said(&north, &south, share).await;
    import(&north, &south, &made, item).await;
    assert_eq!(items(&south, "1/26").len(), 1);
    let south = rebuilds(south).await;
    erase(&south, "1/26").await;
    silent(&south, &all());
    let edit = case::Edit {
        case: "1/26".into(),
        number: None,
        title: Some("canary-case, later".into()),
        description: None,
    };
    north.change(edit).await.unwrap();
    described(&north, "1/26").await;
    said(&north, &south, share).await;
    silent(&south, &all());
    shows(&south, share).await;
    let south = rebuilds(south).await;
    north.change(share::Revoke { share }).await.unwrap();
    said(&north, &south, share).await;
    erase(&north, "1/26").await;
    silent(&north, &all());
    shows(&north, share).await;
    rebuilds(north).await;
}
