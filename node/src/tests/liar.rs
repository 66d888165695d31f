//! A partner that lies, or a node that is damaged: nobody else is hurt.

use interdocket_sync::blob::Sha256;
use interdocket_sync::evidence::{File, Item};
use interdocket_sync::id::{CaseId, EvidenceId};
use interdocket_sync::limits;
use interdocket_sync::log::Side;
use interdocket_sync::log::entry::Body as Said;
use interdocket_sync::refusal::Refusal;
use interdocket_sync::share::decide::Command;
use uuid::Uuid;

use crate::actions::evidence::{self, FileState};
use crate::actions::exchange;
use crate::actions::partner::{self, Kind};
use crate::actions::share::Status;
use crate::actions::{ErrorKind, Way, decide::Decided, share};
use crate::event::{AddedFile, BlobCompared, Bytes, CaseMade, Event, EvidenceAdded, ShareFrozen};
use crate::federation::history::fork;
use crate::journal::Body;
use crate::store::project::ShareFacts;
use crate::store::table;
use crate::tests::bench::{Bench, only, pair, settle, to};

/// South has accepted a share of north with so many small files, and read nothing yet.
async fn listed(files: u32) -> (Bench, Bench, interdocket_sync::id::ShareId) {
    let (north, south) = pair().await;
    north.case("1/26").await;
    for number in 0..files {
        north
            .evidence("1/26", &format!("{number}.txt"), &number.to_be_bytes())
            .await;
    }
    let share = north.copy("1/26", "south").await.unwrap().id;
    while north.deliver(&south, share).await.is_some() {}
    while south.deliver(&north, share).await.is_some() {}
    (north, south, share)
}

/// What was read in one request is recorded in several steps.
#[tokio::test]
async fn more_files_than_one_record_states_are_all_stored() {
    let (north, south, share) = listed(300).await;
    let wanted = south.wanted(share);
    let files = wanted.iter().flat_map(|id| south.files(share, *id));
    let placed: Vec<_> = files
        .map(|digest| south.read(&north, share, digest))
        .collect();
    for evidence in wanted.chunks(256) {
        south
            .store(share, evidence.to_vec(), placed.clone())
            .await
            .unwrap();
    }
    settle(&north, &south, share).await;
    assert_eq!(north.shown(share).status, Status::Complete);
    south.rebuilds().await;
}

/// fault C1
#[tokio::test]
async fn an_item_whose_bytes_did_not_come_is_not_stated_and_the_node_goes_on() {
    let (north, south, share) = listed(2).await;
    let wanted = south.wanted(share);
    let first = south.files(share, wanted[0])[0];
    let placed = south.read(&north, share, first);
    south
        .store(share, wanted.clone(), vec![placed])
        .await
        .unwrap();
    assert_eq!(south.wanted(share), &wanted[1..]);
    settle(&north, &south, share).await;
    assert_eq!(north.shown(share).status, Status::Complete);
}

/// fault C9
#[tokio::test]
async fn a_batch_that_comes_twice_at_once_is_no_fork() {
    let (north, south) = pair().await;
    north.case("1/26").await;
    north.evidence("1/26", "a.txt", b"one").await;
    let share = north.copy("1/26", "south").await.unwrap().id;
    let batch = north.batch(share, None).unwrap();
    let (go, wait) = std::sync::mpsc::sync_channel::<()>(1);
    // The writer is busy until both wait, so that it takes both in one group.
    let busy = south.node.decide(None, Way::Timer, move |_| {
        wait.recv().unwrap();
        Ok(Decided::new(Vec::new(), |_| Ok(())))
    });
    let (busy, first, second, ()) = tokio::join!(
        busy,
        south.take(north.id(), batch.clone()),
        south.take(north.id(), batch.clone()),
        async move { go.send(()).unwrap() },
    );
    busy.unwrap();
    first.unwrap().unwrap();
    assert_eq!(second.unwrap_err().kind, ErrorKind::Unavailable);
    south.take(north.id(), batch).await.unwrap().unwrap();
    settle(&north, &south, share).await;
    assert_eq!(south.shown(share).status, Status::Complete);
}

#[tokio::test]
async fn what_the_database_would_not_keep_is_never_durable_and_hurts_nobody_else() {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    let before = north.tables();
    let made = |number: &str, length: usize| {
        Event::CaseMade(CaseMade {
            id: CaseId::new(Uuid::from_u128(length as u128)),
            number: number.into(),
            title: String::new(),
            description: "x".repeat(length),
        })
    };
    let (small, large) = tokio::join!(
        north.events(vec![made("1/26", 10)]),
        north.events(vec![made("2/26", 10), made("3/26", 5000)]),
    );
    small.unwrap();
    assert_eq!(large.unwrap_err().kind, ErrorKind::Unavailable);
    let dangling = Event::PartnerConfirmed(south.id());
    assert!(north.events(vec![dangling]).await.is_err());
    north.case("2/26").await;
    assert!(north.tables().len() > before.len());
    let north = north.crash(1);
    north.rebuilds().await;
    north.case("3/26").await;
}

/// fault E4
#[tokio::test]
async fn a_node_whose_keys_fail_stops_and_does_not_speak_of_a_full_disk() {
    let north = Bench::new("north");
    north.fail_keys();
    let create = || crate::actions::case::Create {
        number: "1/26".into(),
        title: String::new(),
        description: String::new(),
        targets: Vec::new(),
    };
    for _ in 0..2 {
        let failed = north.change(create()).await.unwrap_err();
        assert!(failed.message.contains("storage failed"), "{failed}");
    }
    let north = north.crash(1);
    north.change(create()).await.unwrap();
}

/// fault A9
#[tokio::test]
async fn two_histories_freeze_the_share_and_nothing_of_it_is_tried_again() {
    let (north, south) = pair().await;
    north.case("1/26").await;
    north.evidence("1/26", "a.txt", b"one").await;
    let share = north.copy("1/26", "south").await.unwrap().id;
    let twin = north.twin();
    while north.deliver(&south, share).await.is_some() {}
    let held = south.batch(share, None);
    twin.deliver(&south, share).await.unwrap().unwrap();
    assert_eq!(twin.deliver(&south, share).await, Some(Err(Refusal::Fork)));
    assert_eq!(south.shown(share).status, Status::Frozen);
    assert!(held.is_some(), "what was held stays");
    let reading = south.node.parts().store.read();
    let view = reading.view();
    assert!(!view.has(&table::FETCH, &(north.id(), share)).unwrap());
    assert!(!view.has(&table::OUTBOX, &(north.id(), share)).unwrap());
    drop(reading);
    south.rebuilds().await;
    let refused = south
        .take(north.id(), north.batch(share, Some(1)).unwrap())
        .await;
    assert_eq!(refused.unwrap().unwrap_err(), Refusal::Frozen);
}

#[tokio::test]
async fn a_node_starts_without_what_was_erased_and_keeps_the_rest() {
    let north = Bench::new("north");
    let lost = north.case("1/26").await;
    north.evidence("1/26", "a.txt", b"one").await;
    north.case("2/26").await;
    let kept = north.evidence("2/26", "b.txt", b"two").await;
    let north = north.erased(lost.id.uuid());
    let show = evidence::Show {
        evidence: kept.id,
        confidential: false,
    };
    assert_eq!(
        north.node.query(&north.node.owner(), show).await.unwrap(),
        kept
    );
    north.evidence("2/26", "c.txt", b"three").await;
    north.rebuilds().await;
}

/// fault E18
#[tokio::test]
async fn erasing_one_case_loses_no_bytes_that_another_has_too() {
    let north = Bench::new("north");
    let lost = north.case("1/26").await;
    north.evidence("1/26", "a.txt", b"the same").await;
    north.case("2/26").await;
    let kept = north.evidence("2/26", "b.txt", b"the same").await;
    let north = north.erased(lost.id.uuid());
    let show = evidence::Show {
        evidence: kept.id,
        confidential: false,
    };
    assert_eq!(
        north.node.query(&north.node.owner(), show).await.unwrap(),
        kept
    );
}

#[tokio::test]
async fn a_share_of_which_a_record_is_lost_is_closed_and_the_others_are_not() {
    let (north, south, share) = listed(1).await;
    let other = north.copy("1/26", "south").await.unwrap().id;
    let south = south.erased(share.uuid());
    let batch = north.batch(share, Some(1)).unwrap();
    let closed = south.take(north.id(), batch).await.unwrap_err();
    assert_eq!(closed.kind, ErrorKind::Unavailable);
    settle(&north, &south, other).await;
    assert_eq!(south.shown(other).status, Status::Complete);
}

/// A source that signs another SHA-256 than its bytes have.
#[tokio::test]
async fn a_false_sha256_is_seen() {
    let north = Bench::new("north");
    let case = north.case("1/26").await.id;
    let placed = north.evidence("1/26", "a.txt", b"one").await;
    let file = &placed.files[0];
    let id = EvidenceId::new(Uuid::from_u128(7));
    let added = EvidenceAdded {
        id,
        case,
        title: "b".into(),
        folder: String::new(),
        file: AddedFile {
            name: "b".into(),
            size: file.size,
            blake3: file.blake3,
            sha256: Sha256([9; 32]),
            kind: Default::default(),
            format: String::new(),
        },
    };
    let compared = BlobCompared {
        blake3: file.blake3,
        sha256: file.sha256,
    };
    let events = vec![Event::EvidenceAdded(added), Event::BlobCompared(compared)];
    north.events(events).await.unwrap();
    let show = evidence::Show {
        evidence: id,
        confidential: false,
    };
    let shown = north.node.query(&north.node.owner(), show).await.unwrap();
    assert_eq!(shown.files[0].state, FileState::Differs);
    assert_eq!(placed.files[0].state, FileState::Verified);
}

/// fault A6, fault A13
#[tokio::test]
async fn what_another_organisation_wrote_is_not_taken() {
    let (north, south) = pair().await;
    let harbour = Bench::new("harbour");
    south.trust(&harbour, None).await;
    north.case("1/26").await;
    north.evidence("1/26", "a.txt", b"one").await;
    let share = north.copy("1/26", "south").await.unwrap().id;
    let batch = north.batch(share, None).unwrap();
    let unknown = south.take(harbour.id(), batch.clone()).await.unwrap();
    settle(&north, &south, share).await;
    let known = south.take(harbour.id(), batch.clone()).await.unwrap();
    assert_eq!(unknown.unwrap_err(), Refusal::NotShared);
    assert_eq!(known.unwrap_err(), Refusal::NotShared);
    let mut forged = batch;
    forged.head.bytes[4] ^= 1;
    let refused = south.take(north.id(), forged).await.unwrap();
    assert_eq!(refused.unwrap_err(), Refusal::Signature);
}

/// fault A14
#[tokio::test]
async fn what_was_chosen_waits_while_sending_is_not_enabled() {
    let (north, south) = pair().await;
    north.case("1/26").await;
    north.evidence("1/26", "a.txt", b"one").await;
    let share = north.copy("1/26", "south").await.unwrap().id;
    north.enable("south", false, true).await;
    settle(&north, &south, share).await;
    assert_eq!(south.shown(share).listed.evidence, 0);
    north.enable("south", true, true).await;
    settle(&north, &south, share).await;
    assert_eq!(south.shown(share).status, Status::Complete);
}

/// What was disclosed has to arrive, and an ended copy can't be resumed.
#[tokio::test]
async fn a_suspended_copy_is_not_ended() {
    let (north, _, share) = listed(1).await;
    north.change(share::Suspend { share }).await.unwrap();
    let refused = north.change(share::End { share }).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Conflict);
    north.change(share::Resume { share }).await.unwrap();
    north.change(share::End { share }).await.unwrap();
}

#[tokio::test]
async fn a_case_number_that_is_taken_gets_the_next_free_one() {
    let (north, south) = pair().await;
    north.case("1/26").await;
    north.evidence("1/26", "a.txt", b"one").await;
    for _ in 0..5 {
        let share = north.copy("1/26", "south").await.unwrap().id;
        settle(&north, &south, share).await;
    }
    let reading = south.node.parts().store.read();
    let rows = reading
        .view()
        .page(&table::CASE_NUMBER, &(), None, 99)
        .unwrap();
    let numbers: Vec<String> = rows.into_iter().map(|(number, _)| number).collect();
    assert_eq!(
        numbers,
        ["1/26", "1/26 (2)", "1/26 (3)", "1/26 (4)", "1/26 (5)"]
    );
}

/// Every text as long as the bounds allow fits the database, at both ends.
#[tokio::test]
async fn the_longest_texts_fit() {
    let (north, south) = pair().await;
    let create = crate::actions::case::Create {
        number: "n".repeat(128),
        title: "t".repeat(512),
        description: "d".repeat(2048),
        targets: Vec::new(),
    };
    let number = north.change(create).await.unwrap().number;
    north.evidence(&number, &"e".repeat(255), b"one").await;
    let copy = share::Copy {
        case: number,
        to: vec![to("south", &[&*"r".repeat(96); 16])],
        evidence: Vec::new(),
        folders: Vec::new(),
        targets: None,
        message: "m".repeat(1024),
        attachments: None,
    };
    let share = only(north.change(copy).await.unwrap()).id;
    settle(&north, &south, share).await;
    assert_eq!(south.shown(share).status, Status::Complete);
}

/// An owner whose entries can't be read pauses its share once, however often it tells.
#[tokio::test]
async fn a_partner_that_is_newer_is_recorded_once() {
    let (north, south) = pair().await;
    north.case("1/26").await;
    north.evidence("1/26", "a.txt", b"one").await;
    let share = north.copy("1/26", "south").await.unwrap().id;
    north.deliver(&south, share).await.unwrap().unwrap();
    north.disclose(share).await.unwrap();
    let mut batch = north.batch(share, None).unwrap();
    batch.entries[0].body = Said::Unread;
    let before = south.node.parts().journal.head().count;
    for _ in 0..3 {
        let refused = south.take(north.id(), batch.clone()).await.unwrap();
        assert_eq!(refused.unwrap_err(), Refusal::Newer);
    }
    assert_eq!(south.node.parts().journal.head().count, before + 1);
    assert_eq!(south.shown(share).status, Status::Paused);
    settle(&north, &south, share).await;
    assert_eq!(south.shown(share).status, Status::Complete);
}

/// Items with many long file names need more entries than one head may cover.
#[tokio::test]
async fn items_of_any_legal_size_are_disclosed_in_batches_that_are_taken() {
    let (north, south) = pair().await;
    north.case("1/26").await;
    let file = north
        .evidence("1/26", "a.bin", b"one")
        .await
        .files
        .remove(0);
    let share = north.copy("1/26", "south").await.unwrap().id;
    let received = |number: u128| Item {
        evidence: EvidenceId::new(Uuid::from_u128(number)),
        title: "t".repeat(512),
        folder: "f".repeat(1024),
        added_at: crate::tests::bench::noon(),
        added_by: "b".repeat(128).as_str().into(),
        metadata: Default::default(),
        files: vec![
            File {
                name: "n".repeat(255),
                size: file.size,
                blake3: file.blake3,
                sha256: file.sha256,
                kind: Default::default(),
                format: String::new(),
            };
            64
        ],
    };
    settle(&north, &south, share).await;
    for from in [1, 25] {
        let items = (from..from + 24).map(received).collect();
        let listed = north.node.decide(None, Way::Timer, move |context| {
            let header = crate::actions::decide::share(&context.view, share)?.header;
            let node = context.node()?;
            let facts = ShareFacts::new(context.view, share);
            let entries = exchange::entries(context, &header, &facts, Command::Add(items))?;
            let events = exchange::written(context, &header, &node, entries);
            Ok(Decided::new(events.into_iter().collect(), |_| Ok(())))
        });
        listed.await.unwrap();
        settle(&north, &south, share).await;
    }
    let harbour = Bench::new("harbour");
    south.trust(&harbour, None).await;
    harbour.trust(&south, None).await;
    let case = south.shown(share).case.unwrap().to_string();
    let onward = south.copy(&case, "harbour").await.unwrap().id;
    settle(&south, &harbour, onward).await;
    assert_eq!(harbour.shown(onward).stored.evidence, 49);
    assert_eq!(south.shown(onward).status, Status::Complete);
}

/// As many items under one head as there can be: each of their texts is sealed apart, or all under a lease.
///
/// fault A12
#[tokio::test]
async fn as_many_of_the_smallest_items_as_a_batch_has_are_recorded_at_both_ends() {
    let copy = async {
        let (north, south, share) = listed(1).await;
        settle(&north, &south, share).await;
        (north, south, share)
    };
    for (north, south, share) in [copy.await, live().await] {
        let smallest = |number: u128| Item {
            evidence: EvidenceId::new(Uuid::from_u128(number)),
            title: String::new(),
            folder: String::new(),
            added_at: crate::tests::bench::noon(),
            added_by: Default::default(),
            metadata: Default::default(),
            files: vec![File {
                name: "n".into(),
                size: 1,
                blake3: interdocket_sync::blob::Digest([7; 32]),
                sha256: Sha256([7; 32]),
                kind: Default::default(),
                format: String::new(),
            }],
        };
        let most = limits::BATCH_ENTRIES_MAX * limits::ENTRY_ITEMS_MAX;
        let items = (1..=most as u128).map(smallest).collect();
        let add = north.node.decide(None, Way::Timer, move |context| {
            let header = crate::actions::decide::share(&context.view, share)?.header;
            let node = context.node()?;
            let facts = ShareFacts::new(context.view, share);
            let entries = exchange::entries(context, &header, &facts, Command::Add(items))?;
            assert_eq!(entries.len(), limits::BATCH_ENTRIES_MAX);
            let events = exchange::written(context, &header, &node, entries);
            Ok(Decided::new(events.into_iter().collect(), |_| Ok(())))
        });
        add.await.unwrap();
        north.deliver(&south, share).await.unwrap().unwrap();
        let held = |at: &Bench| {
            let reading = at.node.parts().store.read();
            let share = crate::actions::decide::share(&reading.view(), share);
            share.unwrap().header.listed.evidence
        };
        assert_eq!(held(&south), held(&north));
        assert!(held(&south) >= most as u64);
    }
}

/// What proves a fork is on disk without the texts that a lease covers.
///
/// fault A9
#[tokio::test]
async fn the_other_history_of_an_advanced_share_is_kept_without_its_texts() {
    let (north, south, share) = live().await;
    let twin = north.twin();
    for (node, title) in [(&north, "first.txt"), (&twin, "canary.txt")] {
        node.evidence("1/26", title, title.as_bytes()).await;
        let taken = loop {
            match node.deliver(&south, share).await {
                Some(Ok(())) => {}
                taken => break taken,
            }
        };
        let forked = title == "canary.txt";
        assert_eq!(taken, forked.then_some(Err(Refusal::Fork)));
    }
    assert_eq!(south.shown(share).status, Status::Frozen);
    let reading = south.node.parts().store.read();
    let fork = fork(&reading.view(), &south.node.parts().journal, share);
    assert!(fork.unwrap().is_some(), "both heads are kept");
    drop(reading);
    let records = south.node.parts().journal.scan(0, None);
    for record in records.map(Result::unwrap) {
        let Body::Open(body) = record.body else {
            continue;
        };
        let told = body.windows(6).any(|window| window == b"canary");
        assert!(!told, "record {}", record.position.seq);
    }
}

/// Whatever a partner does to the logs, it is told that its share is over.
///
/// fault A5, fault A9
#[tokio::test]
async fn a_revocation_that_waits_is_not_forgotten_when_its_share_freezes() {
    let (north, south, share) = live().await;
    north.change(share::Revoke { share }).await.unwrap();
    let head = north.batch(share, Some(1)).unwrap().head;
    let frozen = ShareFrozen {
        share,
        side: Side::Partner,
        held: 1,
        entries: Vec::new(),
        head: Bytes(head.bytes),
    };
    north
        .events(vec![Event::ShareFrozen(frozen)])
        .await
        .unwrap();
    let reading = north.node.parts().store.read();
    let waits = reading.view().has(&table::OUTBOX, &(south.id(), share));
    assert!(waits.unwrap());
}

/// South has accepted an advanced share of north.
async fn live() -> (Bench, Bench, interdocket_sync::id::ShareId) {
    let (north, south) = pair().await;
    for (node, other) in [(&north, "south"), (&south, "north")] {
        let enable = partner::Enable {
            partner: other.into(),
            send: [Kind::Advanced].into(),
            receive: [Kind::Advanced].into(),
        };
        node.change(enable).await.unwrap();
    }
    let policy = partner::SetPolicy {
        partner: "south".into(),
        mode: share::Mode::Live,
        download: true,
        import: true,
        onward: false,
    };
    north.change(policy).await.unwrap();
    north.case("1/26").await;
    let advanced = share::Advanced {
        case: "1/26".into(),
        to: vec![to("south", &["Sol Reyes"])],
        evidence: Vec::new(),
        folders: Vec::new(),
        targets: None,
        units: Vec::new(),
        message: String::new(),
    };
    let share = only(north.change(advanced).await.unwrap()).id;
    settle(&north, &south, share).await;
    (north, south, share)
}
