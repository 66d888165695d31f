//! Damage on a partner's disk: found, never served, and read again from who owes it.

use std::path::Path;

use interdocket_sync::share::Facts as _;

use super::support::{Live, advanced, evidence_of, sealed, status, until};
use crate::actions::Run as _;
use crate::actions::evidence::FileState;
use crate::actions::node::{Check, Checked};
use crate::actions::partner::OrganisationRole;
use crate::actions::share::{self, Mode, Status};
use crate::event::Event;
use crate::federation::history;
use crate::store::project::ShareFacts;
use crate::store::table;
use crate::tests::bench::Bench;

/// Flips a bit in the middle of every file with bytes, and says how many there are.
fn damage(folder: &Path) -> usize {
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files += damage(&path);
            continue;
        }
        let mut bytes = std::fs::read(&path).unwrap();
        if bytes.is_empty() {
            continue;
        }
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        files += 1;
    }
    files
}

async fn check(node: &Bench) -> Checked {
    Check {}.run(&node.node, &node.node.owner()).await.unwrap()
}

/// How many such events are on record.
fn recorded(node: &Bench, what: fn(&Event) -> bool) -> usize {
    let reading = node.node.parts().store.read();
    let rows = reading.view().page(&table::POSITION, &(), None, 100_000);
    let journal = &node.node.parts().journal;
    let event = |(seq, _)| history::event(&reading.view(), journal, seq).unwrap();
    rows.unwrap().into_iter().map(event).filter(what).count()
}

fn whole(node: &Bench, case: &str) -> bool {
    let items = evidence_of(node, case).into_iter();
    let mut files = items.flat_map(|item| item.files);
    files.all(|file| file.state != FileState::Damaged)
}

/// fault E5
#[tokio::test(flavor = "multi_thread")]
async fn damaged_files_are_read_again_from_the_partner_that_owes_them() {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    let live = Live::new();
    live.pair(&north, &south, Mode::Live, false).await;
    north.case("1/26").await;
    for (name, size) in [("a.bin", 400_000), ("b.txt", 3_000)] {
        north.evidence("1/26", name, &vec![7; size]).await;
    }
    let share = north.copy("1/26", "south").await.unwrap().id;
    until("it is there", || {
        status(&north, share) == Some(Status::Complete)
    })
    .await;
    let said = south.shown(share);
    assert_eq!(damage(&south.blobs()), 2);

    assert_eq!(check(&south).await.problems.len(), 2);
    until("both are marked", || {
        recorded(&south, |event| matches!(event, Event::BlobDamaged(_))) == 2
    })
    .await;
    until("both are whole again", || whole(&south, "1/26")).await;
    assert!(check(&south).await.problems.is_empty());
    assert_eq!(evidence_of(&south, "1/26").len(), 2);
    live.end().await;
    let now = south.shown(share);
    assert_eq!(
        (now.stored, now.status),
        (said.stored, said.status),
        "nothing is said of it"
    );
    south.rebuilds().await;
}

/// fault E5
#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_owes_stays_damaged_until_it_is_taken_in_again() {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    let live = Live::new();
    live.pair(&north, &south, Mode::Live, false).await;
    north.case("1/26").await;
    north.evidence("1/26", "a.txt", b"a statement").await;
    let share = north.copy("1/26", "south").await.unwrap().id;
    until("it is there", || {
        status(&north, share) == Some(Status::Complete)
    })
    .await;
    // The partner holds the same bytes as its own: it owes the owner nothing.
    assert_eq!(damage(&north.blobs()), 1);
    assert_eq!(check(&north).await.problems.len(), 1);
    until("it is marked", || !whole(&north, "1/26")).await;
    // Ended, the owner of a copy owes nothing either.
    north.change(share::End { share }).await.unwrap();
    until("it is known to be over", || {
        status(&south, share) == Some(Status::Ended)
    })
    .await;
    damage(&south.blobs());
    assert_eq!(check(&south).await.problems.len(), 1);
    until("it is marked", || !whole(&south, "1/26")).await;
    live.end().await;
    assert!(!whole(&north, "1/26") && !whole(&south, "1/26"));
    north.evidence("1/26", "again.txt", b"a statement").await;
    assert!(whole(&north, "1/26"));
    assert!(check(&north).await.problems.is_empty());
}

/// fault E5
#[tokio::test(flavor = "multi_thread")]
async fn damaged_parts_of_a_sealed_file_are_erased_and_read_again() {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    let live = Live::new();
    live.pair(&north, &south, Mode::Synchronised, true).await;
    north.case("1/26").await;
    for (name, byte) in [("a.bin", 1), ("b.bin", 2)] {
        north.evidence("1/26", name, &vec![byte; 400_000]).await;
    }
    let share = advanced(&north, &south, "1/26").await.id;
    until("all is sealed", || {
        status(&north, share) == Some(Status::Active) && sealed(&south, share) == 2
    })
    .await;
    let stored = south.shown(share).stored;
    assert_eq!(damage(&south.blobs()), 2);
    assert_eq!(check(&south).await.problems.len(), 2);
    until("they are sealed anew", || {
        let erased = recorded(&south, |event| matches!(event, Event::SealedErased(_)));
        erased == 2 && south.wanted(share).is_empty() && sealed(&south, share) == 2
    })
    .await;
    assert!(check(&south).await.problems.is_empty());
    live.end().await;
    assert_eq!(south.shown(share).stored, stored);
    let reading = south.node.parts().store.read();
    let facts = ShareFacts::new(reading.view(), share);
    let items = evidence_of(&north, "1/26").into_iter();
    let said = items.map(|item| facts.item(item.id).unwrap().stored);
    assert!(said.into_iter().all(|entry| entry != 0), "it stays stated");
    drop(reading);
    south.rebuilds().await;
}

/// fault E5
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_its_owner_cannot_deliver_keeps_no_other_from_being_synchronised() {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    north.case("1/26").await;
    north.evidence("1/26", "a.bin", &[1; 400_000]).await;
    assert_eq!(damage(&north.blobs()), 1);
    assert_eq!(check(&north).await.problems.len(), 1);
    for (name, byte) in [("b.bin", 2), ("c.bin", 3)] {
        north.evidence("1/26", name, &vec![byte; 400_000]).await;
    }
    let live = Live::new();
    live.pair(&north, &south, Mode::Synchronised, false).await;
    let share = advanced(&north, &south, "1/26").await.id;
    until("all but it is sealed, and that is known", || {
        sealed(&south, share) == 2 && north.shown(share).stored.evidence == 2
    })
    .await;
    live.end().await;
    assert_eq!(south.wanted(share).len(), 1);
    south.rebuilds().await;
}

/// An owner that lists what it does not have would learn by the answer that this node has it.
///
/// fault A2
#[tokio::test(flavor = "multi_thread")]
async fn what_an_owner_does_not_deliver_is_not_imported_from_elsewhere() {
    let north = Bench::new("north");
    let court = Bench::of("court", OrganisationRole::Justice);
    for (node, case) in [(&north, "1/26"), (&court, "7/26")] {
        node.case(case).await;
        // Twice: what was asked for with the first is not asked for with the second.
        for name in ["a.bin", "b.bin"] {
            node.evidence(case, name, &[5; 300_000]).await;
        }
    }
    assert_eq!(damage(&north.blobs()), 1);
    assert_eq!(check(&north).await.problems.len(), 1);
    let live = Live::new();
    live.pair(&north, &court, Mode::Live, true).await;
    let share = advanced(&north, &court, "1/26").await.id;
    until("its owner could not deliver it", || {
        recorded(&north, |event| matches!(event, Event::Refused(_))) == 1
    })
    .await;
    live.end().await;
    assert_eq!(court.shown(share).imported.evidence, 0);
}

/// fault E5
#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_was_damaged_is_read_again_while_its_share_goes_on() {
    let north = Bench::new("north");
    let court = Bench::of("court", OrganisationRole::Justice);
    let live = Live::new();
    live.pair(&north, &court, Mode::Live, true).await;
    north.case("1/26").await;
    north.evidence("1/26", "a.bin", &[5; 300_000]).await;
    let share = advanced(&north, &court, "1/26").await.id;
    until("it is imported", || {
        north.holds(share) && north.shown(share).imported.evidence == 1
    })
    .await;
    assert_eq!(damage(&court.blobs()), 1);
    assert_eq!(check(&court).await.problems.len(), 1);
    until("it is whole again", || {
        let found = recorded(&court, |event| matches!(event, Event::BlobDamaged(_)));
        found == 1 && whole(&court, "1/26")
    })
    .await;
    assert!(check(&court).await.problems.is_empty());
    live.end().await;
    court.rebuilds().await;
}
