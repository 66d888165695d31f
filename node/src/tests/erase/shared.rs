//! What was deleted is gone from the logs of shares as well, and they go on proving what was shared.

use chrono::TimeDelta;
use interdocket_sync::id::{CaseId, ShareId};
use interdocket_sync::log::entry::{Body, Entry as LogEntry};

use super::{CANARIES, described, kept, sweep, tells};
use crate::actions::evidence::{self, Evidence};
use crate::actions::{case, retention, share, target};
use crate::erase::pass;
use crate::federation::history;
use crate::keyring::{Held, KeyId};
use crate::store::table;
use crate::tests::bench::{Bench, only, pair, settle, to};
use crate::tests::retention::{delete, items};

/// All texts of a case and of what is shared of it.
pub(super) const CASE: &[&str] = &["canary-case", "canary-message", "canary-folder"];

/// A case of which all is said that can be, shared as a copy with what lies in a folder and what goes there later.
async fn shared(north: &Bench, south: &Bench) -> (Evidence, Evidence, ShareId) {
    north.case("1/26").await;
    let edit = case::Edit {
        case: "1/26".into(),
        number: None,
        title: Some("canary-case".into()),
        description: Some("canary-case, at length".into()),
    };
    north.change(edit).await.unwrap();
    let target = target::Add {
        case: "1/26".into(),
        name: "canary-case".into(),
        description: "canary-case".into(),
    };
    north.change(target).await.unwrap();
    let tag = case::Tag {
        case: "1/26".into(),
        add: vec!["canary-case".into()],
        remove: Vec::new(),
    };
    north.change(tag).await.unwrap();
    let other = north.evidence("1/26", "other.txt", b"something else").await;
    let edit = evidence::Edit {
        evidence: other.id,
        title: None,
        folder: Some("canary-folder".into()),
        case: None,
        fields: Default::default(),
    };
    north.change(edit).await.unwrap();
    let item = described(north, "1/26").await;
    let share = folder(north).await;
    settle(north, south, share).await;
    assert_eq!(items(south, "1/26").len(), 2);
    (other, item, share)
}

async fn folder(north: &Bench) -> ShareId {
    let copy = share::Copy {
        case: "1/26".into(),
        to: vec![to("south", &["Kim"])],
        evidence: Vec::new(),
        folders: vec!["canary-folder".into()],
        targets: None,
        message: "canary-message".into(),
        attachments: None,
    };
    north.change(copy).await.map(only).unwrap().id
}

pub(super) fn told(at: &Bench, canaries: &[&'static str]) -> Vec<&'static str> {
    let kept = kept(at);
    let told = canaries.iter().copied();
    told.filter(|canary| tells(&kept, canary.as_bytes()))
        .collect()
}

/// The entries of the owner's log as a partner that lost them would get them back.
fn given(at: &Bench, share: ShareId) -> Vec<LogEntry> {
    let reading = at.node.parts().store.read();
    let (view, journal) = (reading.view(), &at.node.parts().journal);
    let mut entries: Vec<LogEntry> = Vec::new();
    let most = [u64::MAX, 0];
    loop {
        let from = [entries.len() as u64, 0];
        let returned = history::returned(&view, journal, share, from, most, None);
        match returned.unwrap() {
            Some(returned) => entries.extend(returned.unwrap().batch.entries),
            None => return entries,
        }
    }
}

pub(super) fn only_item(all: &[&'static str]) -> Vec<&'static str> {
    let of_case = |canary: &&&str| !CASE.contains(*canary);
    all.iter().filter(of_case).copied().collect()
}

/// DESIGN: erasing is destroying a key; the chain still verifies, and a rebuild brings nothing back. What an owner
/// disclosed stays the partner's until that one deletes it as well.
#[tokio::test]
async fn nothing_of_erased_evidence_is_left_in_the_logs_of_its_shares() {
    let (north, south) = pair().await;
    let (other, item, share) = shared(&north, &south).await;
    let canaries = only_item(CANARIES);
    let before = given(&north, share);
    north.change(delete(item.id)).await.unwrap();
    sweep(&north).await;
    assert!(told(&north, &canaries).is_empty());
    north.rebuilds().await;
    // All that a copy tells but what is noted here, and what is for this organisation only.
    assert!(told(&south, &canaries).contains(&"canary-title"));
    let here = items(&south, "1/26");
    let here = here
        .iter()
        .find(|item| item.title == "canary-title")
        .unwrap();
    south.change(delete(here.id)).await.unwrap();
    sweep(&south).await;
    assert!(told(&south, &canaries).is_empty());
    south.rebuilds().await;
    for at in [&north, &south] {
        let after = given(at, share);
        assert_eq!(after.len(), before.len());
        let mut items = Vec::new();
        for (after, before) in after.iter().zip(&before) {
            assert_eq!(after.hash, before.hash);
            if let (Body::EvidenceAdded(after), Body::EvidenceAdded(before)) =
                (&after.body, &before.body)
            {
                items.extend(after.clone().into_iter().zip(before.clone()));
            }
        }
        assert_eq!(items.len(), 2);
        for (after, before) in items {
            match before.evidence == item.id {
                true => assert_eq!(after, before.redacted(), "it proves what was given"),
                false => assert_eq!(after, before, "nothing else is lost"),
            }
        }
    }
    assert_eq!(items(&north, "1/26")[0].id, other.id);
    // What is shared later follows as ever.
    let later = north.evidence("1/26", "later.txt", b"later").await;
    let add = share::Add {
        share,
        evidence: vec![later.id],
    };
    north.change(add).await.unwrap();
    settle(&north, &south, share).await;
    assert_eq!(items(&south, "1/26").len(), 2);
    let (north, south) = (north.crash(1), south.crash(2));
    north.rebuilds().await;
    south.rebuilds().await;
}

pub(super) async fn erase(at: &Bench, case: &str) {
    let delete = retention::DeleteCase {
        case: case.into(),
        reason: "expunged".into(),
    };
    at.change(delete).await.unwrap();
    sweep(at).await;
}

/// The same of a case: its texts, what was said along with it, and the folders that were chosen.
#[tokio::test]
async fn nothing_of_an_erased_case_is_left_in_the_logs_of_its_shares() {
    let (north, south) = pair().await;
    let (.., share) = shared(&north, &south).await;
    let reshare = share::Reshare {
        share,
        recipients: vec!["Lee".into()],
        message: "canary-message, again".into(),
        evidence: Vec::new(),
    };
    north.change(reshare).await.unwrap();
    settle(&north, &south, share).await;
    let all: Vec<&str> = CANARIES.iter().chain(CASE).copied().collect();
    for canary in CASE {
        assert!(told(&north, CASE).contains(canary), "{canary}");
        assert!(told(&south, CASE).contains(canary), "{canary}");
    }
    north.change(share::End { share }).await.unwrap();
    settle(&north, &south, share).await;
    let before = given(&south, share);
    for at in [&north, &south] {
        erase(at, "1/26").await;
        assert!(told(at, &all).is_empty(), "{:?}", told(at, &all));
        at.rebuilds().await;
        let key = KeyId::texts(share);
        assert_eq!(at.node.parts().keyring.held(key), Held::Erased);
        let hashes =
            |entries: &[LogEntry]| -> Vec<_> { entries.iter().map(|entry| entry.hash).collect() };
        assert_eq!(hashes(&given(at, share)), hashes(&before));
        // For whom it was is part of what was done.
        let shown = at.shown(share);
        assert_eq!(shown.recipients, ["Kim", "Lee"]);
        assert!(shown.message.is_empty());
    }
    let (north, south) = (north.crash(1), south.crash(2));
    north.rebuilds().await;
    south.rebuilds().await;
}

/// What was listed and never came is forgotten with the case, and so is what is listed after that.
#[tokio::test]
async fn what_a_copy_only_ever_listed_goes_with_its_case() {
    let (north, south) = pair().await;
    north.case("1/26").await;
    north.evidence("1/26", "other.txt", b"something else").await;
    let share = north.copy("1/26", "south").await.unwrap().id;
    settle(&north, &south, share).await;
    let item = described(&north, "1/26").await;
    let add = || share::Add {
        share,
        evidence: Vec::new(),
    };
    north.change(add()).await.unwrap();
    while north.deliver(&south, share).await.is_some() {
        south.deliver(&north, share).await;
    }
    assert_eq!(south.wanted(share), [item.id]);
    let canaries = only_item(CANARIES);
    assert!(told(&south, &canaries).contains(&"canary-title"));
    let whole = retention::DeleteCase {
        case: "1/26".into(),
        reason: "expunged".into(),
    };
    south.change(whole).await.unwrap();
    sweep(&south).await;
    assert!(told(&south, &canaries).is_empty());
    assert!(south.wanted(share).is_empty());
    south.rebuilds().await;
    let edit = evidence::Edit {
        evidence: described(&north, "1/26").await.id,
        title: Some("canary-title, late".into()),
        folder: None,
        case: None,
        fields: Default::default(),
    };
    north.change(edit).await.unwrap();
    north.change(add()).await.unwrap();
    while north.deliver(&south, share).await.is_some() {
        south.deliver(&north, share).await;
    }
    let listed = |entry: &LogEntry| match &entry.body {
        Body::EvidenceAdded(items) => items.len(),
        _ => 0,
    };
    let listed: usize = given(&south, share).iter().map(listed).sum();
    assert_eq!(listed, 3);
    assert!(told(&south, &canaries).is_empty());
    south.rebuilds().await;
    let south = south.crash(3);
    south.rebuilds().await;
}

/// More was listed while it was looked through: the case waits, and goes the next time.
#[tokio::test]
async fn case_whose_copy_listed_more_meanwhile_is_erased_the_next_time() {
    let (north, south) = pair().await;
    north.case("1/26").await;
    north.evidence("1/26", "other.txt", b"something else").await;
    let share = north.copy("1/26", "south").await.unwrap().id;
    settle(&north, &south, share).await;
    south
        .change(delete(items(&south, "1/26")[0].id))
        .await
        .unwrap();
    sweep(&south).await;
    let whole = retention::DeleteCase {
        case: "1/26".into(),
        reason: "expunged".into(),
    };
    south.change(whole).await.unwrap();
    south.later(TimeDelta::days(8));
    let id = south.shown(share).case.unwrap();
    let looked = south
        .node
        .read(move |view| retention::erase::listing(view, id.uuid()))
        .await
        .unwrap();
    described(&north, "1/26").await;
    let add = share::Add {
        share,
        evidence: Vec::new(),
    };
    north.change(add).await.unwrap();
    while north.deliver(&south, share).await.is_some() {
        south.deliver(&north, share).await;
    }
    let erased = south
        .node
        .decide(None, crate::actions::Way::Timer, move |context| {
            retention::erase::erase_case(context, id.uuid(), &looked)
        });
    erased.await.unwrap();
    let there = |case: CaseId| {
        let reading = south.node.parts().store.read();
        reading.view().has(&table::CASE, &case).unwrap()
    };
    assert!(there(id));
    pass(&south.node, false).await.unwrap();
    assert!(!there(id));
    assert!(told(&south, &only_item(CANARIES)).is_empty());
    south.rebuilds().await;
}

/// A number that a received case got while another one had its own stays, whatever is erased since.
#[tokio::test]
async fn numbers_of_received_cases_do_not_hang_on_what_was_erased() {
    let (north, south) = pair().await;
    north.case("1/26").await;
    north.evidence("1/26", "other.txt", b"something else").await;
    let first = north.copy("1/26", "south").await.unwrap().id;
    settle(&north, &south, first).await;
    let second = north.copy("1/26", "south").await.unwrap().id;
    settle(&north, &south, second).await;
    assert_eq!(south.shown(second).case_number.as_deref(), Some("1/26 (2)"));
    erase(&south, "1/26").await;
    south.rebuilds().await;
    let south = south.crash(1);
    south.rebuilds().await;
    assert_eq!(south.shown(second).case_number.as_deref(), Some("1/26 (2)"));
    assert_eq!(given(&south, first).len(), given(&north, first).len());
}
