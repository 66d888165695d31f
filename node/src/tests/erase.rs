//! What was deleted is gone: from tables, journal, blobs and later backups, whatever happens meanwhile, and nothing
//! else with it.

mod apart;
mod shared;
mod wild;

use std::collections::BTreeSet;
use std::path::Path;

use chrono::TimeDelta;
use interdocket_sync::blob::Digest;
use interdocket_sync::id::{EvidenceId, ShareId};

use crate::actions::evidence::{self, Evidence};
use crate::actions::partner::OrganisationRole::Investigation;
use crate::actions::{case, decide, metadata, retention, settings, share, target};
use crate::disk::Dice;
use crate::erase::pass;
use crate::event::{Entry, Event, EvidenceErased};
use crate::journal::Body;
use crate::keyring::{Held, KeyId};
use crate::store::table;
use crate::tests::backup::{back_up, busy, opened, restore};
use crate::tests::bench::{Bench, pair, settle};
use crate::tests::retention::{delete, due, items, two};

/// All that a node keeps: its tables, what of its journal can be read, and its blobs.
pub(crate) fn kept(at: &Bench) -> Vec<Vec<u8>> {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    for (key, value) in at.tables() {
        kept.extend([key, value]);
    }
    let parts = at.node.parts();
    for record in parts.journal.scan(0, None) {
        if let Body::Open(body) = record.unwrap().body {
            // With the texts in it that are sealed apart, as far as they open.
            kept.push(Entry::read(&body, &parts.keyring).unwrap().encode());
            kept.push(body);
        }
    }
    files(&at.blobs(), &mut kept);
    kept
}

/// The bytes of all files of a folder.
fn files(folder: &Path, found: &mut Vec<Vec<u8>>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files(&path, found),
            false => found.push(std::fs::read(&path).unwrap()),
        }
    }
}

pub(crate) fn tells(kept: &[Vec<u8>], what: &[u8]) -> bool {
    let tells = |bytes: &Vec<u8>| bytes.windows(what.len()).any(|window| window == what);
    kept.iter().any(tells)
}

/// Texts and bytes of the item that is deleted, and of nothing else.
const CANARIES: &[&str] = &[
    "canary-name",
    "canary-bytes",
    "canary-title",
    "canary-folder",
    "canary-field",
    "canary-tag",
    "canary-category",
    "canary-custom",
    "canary-track",
    "canary-note",
];

/// An item of which all is said that can be, with a small file and a large one.
async fn described(at: &Bench, case: &str) -> Evidence {
    let large: Vec<u8> = b"canary-bytes".repeat(30_000);
    let item = at.evidence(case, "canary-name.mp4", &large).await;
    let evidence = item.id;
    let fields = ["description", "multicam"];
    let fields = fields.map(|name| (name.to_owned(), Some("canary-field".to_owned())));
    let edit = evidence::Edit {
        evidence,
        title: Some("canary-title".into()),
        folder: Some("canary-folder".into()),
        case: None,
        fields: fields.into(),
    };
    at.change(edit).await.unwrap();
    for (kind, text) in [
        (metadata::Kind::Tag, "canary-tag"),
        (metadata::Kind::Category, "canary-category"),
        (metadata::Kind::Custom, "canary=canary-custom"),
    ] {
        let tag = evidence::Tag {
            evidence,
            kind,
            add: vec![text.into()],
            remove: Vec::new(),
        };
        at.change(tag).await.unwrap();
    }
    let note = evidence::AddNote {
        evidence,
        text: "canary-note".into(),
    };
    at.change(note).await.unwrap();
    let track = tempfile::tempdir().unwrap();
    let path = track.path().join("canary-track.gpx");
    std::fs::write(&path, b"canary-bytes, few").unwrap();
    let attach = evidence::Attach {
        evidence,
        path,
        kind: evidence::Attachable::GpsTrack,
        name: None,
    };
    let owner = at.node.owner();
    crate::actions::Run::run(attach, &at.node, &owner)
        .await
        .unwrap()
}

/// Has everything that is queued be deleted.
pub(super) async fn sweep(at: &Bench) {
    at.later(TimeDelta::days(8));
    pass(&at.node, true).await.unwrap();
}

/// What says that an item was erased.
pub(super) fn tombstone(at: &Bench, id: EvidenceId) -> EvidenceErased {
    let records = at.node.parts().journal.scan(0, None);
    let erased = records.filter_map(|record| match record.unwrap().body {
        Body::Open(body) => match Entry::decode(&body).unwrap().event {
            Event::EvidenceErased(erased) => Some(erased),
            _ => None,
        },
        _ => None,
    });
    let mut erased = erased.filter(|erased| erased.evidence == id);
    erased.next().unwrap()
}

fn digests(item: &Evidence) -> BTreeSet<Digest> {
    item.files.iter().map(|file| file.blake3).collect()
}

/// DESIGN: erasing is destroying a key; the chain still verifies, and a rebuild brings nothing back.
#[tokio::test]
async fn nothing_of_erased_evidence_is_left_and_nothing_else_is_lost() {
    let north = Bench::new("north");
    north.case("1/26").await;
    let other = north.evidence("1/26", "other.txt", b"something else").await;
    let item = described(&north, "1/26").await;
    let before = kept(&north);
    for canary in CANARIES {
        assert!(tells(&before, canary.as_bytes()), "{canary}");
    }
    drop(before);
    north.change(delete(item.id)).await.unwrap();
    sweep(&north).await;
    let after = kept(&north);
    for canary in CANARIES {
        assert!(!tells(&after, canary.as_bytes()), "{canary}");
    }
    assert_eq!(
        north.node.parts().keyring.held(KeyId(item.id.uuid())),
        Held::Erased
    );
    let here = items(&north, "1/26");
    assert_eq!(
        here.iter().map(|item| item.id).collect::<Vec<_>>(),
        [other.id]
    );
    let get = evidence::Get {
        evidence: other.id,
        file: 0,
        purpose: Default::default(),
        confidential: false,
        original: false,
    };
    let owner = north.node.owner();
    assert!(north.node.open_evidence(&owner, get).await.is_ok());
    let verified = north.node.parts().journal.verify(true).unwrap();
    assert!(verified.erased > 5);
    assert!(verified.lines().next().is_none());
    north.rebuilds().await;
    // What is left says what was destroyed, who wanted it and why.
    let erased = tombstone(&north, item.id);
    let named: BTreeSet<Digest> = erased.files.iter().map(|file| file.blake3).collect();
    assert_eq!(named, digests(&item));
    let north = north.crash(2);
    north.rebuilds().await;
    assert_eq!(items(&north, "1/26").len(), 1);
    // The same file can be added again: as something new.
    let again = north
        .evidence("1/26", "again.mp4", &b"canary-bytes".repeat(30_000))
        .await;
    assert_ne!(again.id, item.id);
    let get = evidence::Get {
        evidence: again.id,
        file: 0,
        purpose: Default::default(),
        confidential: false,
        original: false,
    };
    let owner = north.node.owner();
    let opened = north.node.open_evidence(&owner, get).await.unwrap();
    assert_eq!(opened.size, 360_000);
}

/// The same of a whole case: what is left are its number, and who did what when.
#[tokio::test]
async fn nothing_of_an_erased_case_is_left_but_its_number() {
    let (north, south) = pair().await;
    north.person("Kim", "").await.unwrap();
    north.case("1/26").await;
    let edit = case::Edit {
        case: "1/26".into(),
        number: Some("7/26".into()),
        title: Some("canary-case".into()),
        description: Some("canary-case, at length".into()),
    };
    let id = north.change(edit).await.unwrap().id;
    let assign = case::Assign {
        case: "7/26".into(),
        users: vec!["Kim".into()],
    };
    north.change(assign).await.unwrap();
    let tag = case::Tag {
        case: "7/26".into(),
        add: vec!["canary-case".into()],
        remove: Vec::new(),
    };
    north.change(tag).await.unwrap();
    let target = target::Add {
        case: "7/26".into(),
        name: "canary-case".into(),
        description: String::new(),
    };
    north.change(target).await.unwrap();
    described(&north, "7/26").await;
    // A case of the same number that came meanwhile keeps the number that it got here.
    south.case("7/26").await;
    south.evidence("7/26", "other.txt", b"something else").await;
    let share = south.copy("7/26", "north").await.unwrap().id;
    settle(&south, &north, share).await;
    assert_eq!(north.shown(share).case_number.as_deref(), Some("7/26 (2)"));
    let whole = retention::DeleteCase {
        case: "7/26".into(),
        reason: "expunged".into(),
    };
    north.change(whole).await.unwrap();
    sweep(&north).await;
    assert_eq!(
        north.node.parts().keyring.held(KeyId(id.uuid())),
        Held::Erased
    );
    let after = kept(&north);
    for canary in CANARIES.iter().chain(&["canary-case"]) {
        assert!(!tells(&after, canary.as_bytes()), "{canary}");
    }
    assert!(tells(&after, b"expunged"));
    north.rebuilds().await;
    // Its number is free again.
    north.case("7/26").await;
    let again = south.copy("7/26", "north").await.unwrap().id;
    settle(&south, &north, again).await;
    assert_eq!(north.shown(again).case_number.as_deref(), Some("7/26 (3)"));
    north.rebuilds().await;
    let north = north.crash(0);
    north.rebuilds().await;
    assert!(
        north
            .node
            .read(move |view| decide::whole(view, id.uuid()))
            .await
            .is_ok()
    );
}

/// Between the record and the destruction of keys and bytes, and while they are destroyed.
#[tokio::test]
async fn crash_before_keys_and_bytes_are_destroyed_keeps_none_of_them() {
    for step in 0..3 {
        let north = Bench::new("north");
        north.case("1/26").await;
        let item = described(&north, "1/26").await;
        north.change(delete(item.id)).await.unwrap();
        north.later(TimeDelta::days(8));
        let id = item.id.uuid();
        let erase = north
            .node
            .decide(None, crate::actions::Way::Timer, move |context| {
                retention::erase::erase(context, id, None)
            });
        erase.await.unwrap();
        if step > 0 {
            north.node.parts().keyring.erase(KeyId(id)).unwrap();
        }
        if step > 1 {
            let doomed = north.node.read(retention::erase::Doomed::of).await.unwrap();
            assert_eq!(doomed.blobs.len(), 2);
            north.node.parts().blobs.delete(&doomed.blobs[..1]).unwrap();
        }
        assert!(items(&north, "1/26").is_empty());
        north.rebuilds().await;
        let north = north.crash(step);
        assert!(items(&north, "1/26").is_empty());
        north.rebuilds().await;
        pass(&north.node, false).await.unwrap();
        let after = kept(&north);
        for canary in CANARIES {
            assert!(!tells(&after, canary.as_bytes()), "{canary}");
        }
        let reading = north.node.parts().store.read();
        let rows = reading.view().page(&table::DOOMED_KEY, &(), None, 9);
        assert!(rows.unwrap().is_empty());
        let rows = reading.view().page(&table::DOOMED_BLOB, &(), None, 9);
        assert!(rows.unwrap().is_empty());
        drop(reading);
        north.rebuilds().await;
    }
}

/// Bytes that other evidence has stay; they go with the last one that has them, also where all go in one step.
#[tokio::test]
async fn bytes_go_with_the_last_evidence_that_has_them() {
    let north = Bench::new("north");
    north.case("1/26").await;
    north.case("2/26").await;
    let mut all = Vec::new();
    for case in ["1/26", "1/26", "2/26"] {
        all.push(north.evidence(case, "a.txt", b"canary-bytes").await);
    }
    let blobs = |at: &Bench| {
        let reading = at.node.parts().store.read();
        let rows = reading.view().page(&table::BLOB, &(), None, 9).unwrap();
        rows.into_iter()
            .map(|(_, blob)| blob.uses)
            .collect::<Vec<_>>()
    };
    north.change(delete(all[0].id)).await.unwrap();
    sweep(&north).await;
    assert_eq!(blobs(&north), [2]);
    assert!(tells(&kept(&north), b"canary-bytes"));
    north.change(delete(all[2].id)).await.unwrap();
    let whole = retention::DeleteCase {
        case: "1/26".into(),
        reason: "expunged".into(),
    };
    north.change(whole).await.unwrap();
    // Somebody brings bytes: deleting waits until they are recorded.
    let brings = north.node.parts().moment.bringing.begin().await;
    sweep(&north).await;
    assert_eq!(blobs(&north), [0; 0]);
    assert!(tells(&kept(&north), b"canary-bytes"));
    drop(brings);
    pass(&north.node, false).await.unwrap();
    assert!(!tells(&kept(&north), b"canary-bytes"));
    north.rebuilds().await;
}

/// What is brought while the same bytes are being deleted is whole all the same.
#[tokio::test]
async fn bytes_that_come_again_before_they_are_destroyed_stay() {
    for size in [12, 360_000] {
        let north = Bench::new("north");
        north.case("1/26").await;
        let bytes = vec![7; size];
        let item = north.evidence("1/26", "a.bin", &bytes).await;
        north.change(delete(item.id)).await.unwrap();
        let brings = north.node.parts().moment.bringing.begin().await;
        sweep(&north).await;
        let again = north.evidence("1/26", "b.bin", &bytes).await;
        drop(brings);
        pass(&north.node, false).await.unwrap();
        let reading = north.node.parts().store.read();
        let digest = again.files[0].blake3;
        let blob = reading.view().get(&table::BLOB, &digest).unwrap().unwrap();
        drop(reading);
        let placed = crate::blobs::Placed {
            digest,
            size: blob.size,
            place: blob.place,
        };
        north.node.parts().blobs.verify(&placed).unwrap();
        north.rebuilds().await;
    }
}

/// The next backup has neither key nor bytes of what was deleted; a node made of it neither.
#[tokio::test]
async fn later_backup_has_nothing_of_what_was_deleted() {
    let north = busy().await;
    let item = described(&north, "1/26").await;
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("backup");
    back_up(&north, &folder).await.unwrap();
    north.change(delete(item.id)).await.unwrap();
    sweep(&north).await;
    back_up(&north, &folder).await.unwrap();
    let mut found = Vec::new();
    files(&folder, &mut found);
    assert!(!tells(&found, b"canary-bytes"));
    let data = home.path().join("data");
    restore(&folder, &data).unwrap();
    let (engine, store) = opened(&data);
    let held = store.read().view().has(&table::EVIDENCE, &item.id);
    assert!(!held.unwrap());
    let tables: Vec<Vec<u8>> = crate::tests::bench::dump(&engine)
        .into_iter()
        .flat_map(|(key, value)| [key, value])
        .collect();
    for canary in CANARIES {
        assert!(!tells(&tables, canary.as_bytes()), "{canary}");
    }
}

async fn wants(share: ShareId, node: &Bench) -> usize {
    node.wanted(share).len()
}

/// What a copy has to deliver is deleted once it was, or once the copy is over.
#[tokio::test]
async fn what_an_open_copy_owes_is_deleted_after_it_was_delivered() {
    let (north, south, item) = two(Investigation).await;
    let share = north.copy("1/26", "south").await.unwrap().id;
    north.change(delete(item)).await.unwrap();
    sweep(&north).await;
    assert_eq!(items(&north, "1/26").len(), 1, "it waits to be disclosed");
    let waits = |at: &Bench| {
        due(at, &at.node.owner())
            .iter()
            .map(|due| due.waits_for)
            .collect::<Vec<_>>()
    };
    assert_eq!(waits(&north), [Some(share)]);
    while north.deliver(&south, share).await.is_some() {
        south.deliver(&north, share).await;
    }
    assert_eq!(wants(share, &south).await, 1);
    pass(&north.node, false).await.unwrap();
    assert_eq!(items(&north, "1/26").len(), 1, "it is wanted");
    settle(&north, &south, share).await;
    pass(&north.node, false).await.unwrap();
    assert!(items(&north, "1/26").is_empty());
    assert_eq!(items(&south, "1/26").len(), 1, "the copy stays");
    assert_eq!(north.shown(share).status, share::Status::Complete);
    let second = north.evidence("1/26", "b.txt", b"two").await.id;
    let add = share::Add {
        share,
        evidence: Vec::new(),
    };
    north.change(add).await.unwrap();
    north.change(delete(second)).await.unwrap();
    sweep(&north).await;
    assert_eq!(items(&north, "1/26").len(), 1);
    let whole = || retention::DeleteCase {
        case: "1/26".into(),
        reason: "expunged".into(),
    };
    assert!(north.change(whole()).await.is_err(), "a share goes on");
    assert_eq!(waits(&north), [Some(share)]);
    north.change(share::Cancel { share }).await.unwrap();
    assert_eq!(waits(&north), [None]);
    pass(&north.node, false).await.unwrap();
    assert!(items(&north, "1/26").is_empty());
    north.change(whole()).await.unwrap();
    sweep(&north).await;
    let reading = north.node.parts().store.read();
    assert!(
        reading
            .view()
            .page(&table::CASE, &(), None, 9)
            .unwrap()
            .is_empty()
    );
    drop(reading);
    settle(&north, &south, share).await;
    assert!(north.shown(share).case_number.is_none());
    assert_eq!(items(&south, "1/26").len(), 1);
    north.rebuilds().await;
    south.rebuilds().await;
}

/// Whatever is done, held, deleted and crashed meanwhile: a rebuild gives the same tables, and every blob that is named
/// is whole.
#[tokio::test]
async fn whatever_was_deleted_a_rebuild_gives_the_same_tables() {
    for seed in 0..8 {
        let mut dice = Dice::new(seed);
        let (mut north, mut south) = pair().await;
        let set = settings::Set {
            deletion_days: Some(0),
            disclosure_portal: None,
            ..settings::Set::default()
        };
        north.change(set.clone()).await.unwrap();
        south.change(set).await.unwrap();
        for round in 0..40 {
            let at = if dice.below(2) == 0 { &north } else { &south };
            act(&mut dice, at, &north, &south).await;
            if dice.below(8) == 0 {
                north = north.crash(seed + round);
            }
            if dice.below(8) == 0 {
                south = south.crash(seed + round);
            }
        }
        for node in [&north, &south] {
            node.rebuilds().await;
            whole(node);
            pass(&node.node, true).await.unwrap();
            node.rebuilds().await;
            whole(node);
        }
    }
}

async fn act(dice: &mut Dice, at: &Bench, north: &Bench, south: &Bench) {
    let number = format!("{}/26", dice.below(2));
    let all: Vec<EvidenceId> = {
        let reading = at.node.parts().store.read();
        let rows = reading.view().page(&table::EVIDENCE, &(), None, 99);
        rows.unwrap().into_iter().map(|(id, _)| id).collect()
    };
    let any = all.get(dice.below(all.len().max(1))).copied();
    let reason = String::from("some reason");
    match (dice.below(10), any) {
        (0, _) => {
            let create = case::Create {
                number,
                title: "t".into(),
                description: String::new(),
                targets: Vec::new(),
            };
            drop(at.change(create).await);
        }
        (1, _) => {
            if let Ok(made) = north.copy(&number, "south").await {
                settle(north, south, made.id).await;
            }
        }
        (2, Some(evidence)) => {
            let title = Some(format!("title {}", dice.below(9)));
            let edit = evidence::Edit {
                evidence,
                title,
                folder: None,
                case: None,
                fields: Default::default(),
            };
            drop(at.change(edit).await);
        }
        (3, Some(evidence)) => {
            let hold = retention::HoldEvidence { evidence, reason };
            drop(at.change(hold).await);
        }
        (4, Some(evidence)) => {
            let release = retention::ReleaseEvidence { evidence, reason };
            drop(at.change(release).await);
        }
        (5, Some(evidence)) => drop(at.change(delete(evidence)).await),
        (6, _) => pass(&at.node, true).await.unwrap(),
        (7, _) => {
            for share in north.shares() {
                let add = share::Add {
                    share,
                    evidence: Vec::new(),
                };
                drop(north.change(add).await);
                settle(north, south, share).await;
                if dice.below(2) == 0 {
                    drop(north.change(share::End { share }).await);
                }
            }
            let case = number;
            drop(at.change(retention::DeleteCase { case, reason }).await);
        }
        _ => {
            let bytes = [u8::try_from(dice.below(4)).unwrap(); 40];
            drop(at.try_evidence(&number, "f.txt", &bytes).await);
        }
    }
}

/// Every blob that is named is there and whole.
fn whole(at: &Bench) {
    let reading = at.node.parts().store.read();
    for (digest, blob) in reading.view().page(&table::BLOB, &(), None, 999).unwrap() {
        let placed = crate::blobs::Placed {
            digest,
            size: blob.size,
            place: blob.place,
        };
        at.node.parts().blobs.verify(&placed).unwrap();
        assert!(blob.uses > 0);
    }
}
