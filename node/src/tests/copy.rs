//! The story of a copy, told over any crash.

use chrono::TimeDelta;
use interdocket_sync::id::ShareId;
use interdocket_sync::refusal::Refusal;

use crate::actions::share::{self, Share, Status};
use crate::actions::{ErrorKind, Run as _, partner};
use crate::disk::Dice;
use crate::event::Event;
use crate::store::table;
use crate::tests::bench::{Bench, pair, settle};

#[tokio::test]
async fn a_copy_arrives_whole_and_both_ends_say_so() {
    let (north, south) = pair().await;
    north.case("1/26").await;
    north.evidence("1/26", "a.txt", b"one").await;
    north.evidence("1/26", "b.txt", &[7; 300_000]).await;
    let share = north.copy("1/26", "south").await.unwrap().id;
    settle(&north, &south, share).await;
    for node in [&north, &south] {
        let shown = node.shown(share);
        assert_eq!((shown.status, shown.behind), (Status::Complete, 0));
        assert_eq!(shown.stored.evidence, 2);
        node.rebuilds().await;
    }
}

/// Any order of steps with power cuts between them: both ends get there all the same.
///
/// fault C9, fault E2
#[tokio::test]
async fn no_crash_between_any_two_steps_loses_what_was_acknowledged() {
    for seed in 0..40 {
        let mut dice = Dice::new(seed);
        let (mut north, mut south) = pair().await;
        north.case("1/26").await;
        for number in 0..3_u8 {
            north
                .evidence("1/26", &format!("{number}.txt"), &[number; 100])
                .await;
        }
        let share = north.copy("1/26", "south").await.unwrap().id;
        let mut proven = (0, 0);
        for step in 0..20 {
            let offered = south.holds(share);
            match dice.below(5) {
                0 => drop(north.deliver(&south, share).await),
                1 if offered => drop(south.deliver(&north, share).await),
                2 if offered && south.accepted(share) => drop(south.fetch(&north, share).await),
                3 => north = north.crash(seed + step),
                4 => south = south.crash(seed + step),
                _ => {}
            }
            let now = (
                north.receipted(share),
                if south.holds(share) {
                    south.receipted(share)
                } else {
                    0
                },
            );
            assert!(
                now.0 >= proven.0 && now.1 >= proven.1,
                "seed {seed}, step {step}"
            );
            proven = now;
            north.rebuilds().await;
        }
        settle(&north, &south, share).await;
        let (sent, received) = (north.shown(share), south.shown(share));
        assert_eq!(sent.status, Status::Complete, "seed {seed}");
        assert_eq!(
            (sent.listed, sent.stored),
            (received.listed, received.stored)
        );
        south.rebuilds().await;
    }
}

/// What is cancelled while it is under way is not made visible, and nothing is tried again.
#[tokio::test]
async fn a_cancelled_copy_takes_nothing_in() {
    let (north, south) = pair().await;
    north.case("1/26").await;
    north.evidence("1/26", "a.txt", b"one").await;
    let share = north.copy("1/26", "south").await.unwrap().id;
    while north.deliver(&south, share).await.is_some() {}
    while south.deliver(&north, share).await.is_some() {}
    let evidence = south.wanted(share)[0];
    let placed = south.read(&north, share, south.files(share, evidence)[0]);
    north.change(share::Cancel { share }).await.unwrap();
    while north.deliver(&south, share).await.is_some() {}
    south
        .store(share, vec![evidence], vec![placed])
        .await
        .unwrap();
    assert_eq!(south.shown(share).status, Status::Cancelled);
    assert_eq!(south.shown(share).stored.evidence, 0);
    let reading = south.node.parts().store.read();
    assert!(
        !reading
            .view()
            .has(&table::FETCH, &(north.id(), share))
            .unwrap()
    );
}

/// A partner that was removed and is paired again goes on where it was.
#[tokio::test]
async fn a_partner_that_is_paired_again_gets_what_waits() {
    let (north, south) = pair().await;
    north.case("1/26").await;
    north.evidence("1/26", "a.txt", b"one").await;
    let share = north.copy("1/26", "south").await.unwrap().id;
    let remove = |partner: &str| partner::Remove {
        partner: partner.into(),
    };
    north.change(remove("south")).await.unwrap();
    south.change(remove("north")).await.unwrap();
    let batch = north.batch(share, None).unwrap();
    let refused = south.take(north.id(), batch).await.unwrap();
    assert_eq!(refused.unwrap_err(), Refusal::Signature);
    north.trust(&south, None).await;
    south.trust(&north, None).await;
    settle(&north, &south, share).await;
    assert_eq!(south.shown(share).status, Status::Complete);
}

/// fault B10
#[tokio::test]
async fn what_is_signed_under_a_clock_behind_the_own_certificates_counts_all_the_same() {
    let (north, south) = pair().await;
    north.case("1/26").await;
    north.evidence("1/26", "a.txt", b"one").await;
    north.later(-TimeDelta::days(1));
    let share = north.copy("1/26", "south").await.unwrap().id;
    settle(&north, &south, share).await;
    assert_eq!(south.shown(share).status, Status::Complete);
}

/// Bytes that were durable and not recorded are read again; nothing is visible before.
#[tokio::test]
async fn a_crash_between_bytes_and_their_record_loses_nothing() {
    let (north, south) = pair().await;
    north.case("1/26").await;
    north.evidence("1/26", "small", b"one").await;
    north.evidence("1/26", "large", &[4; 400_000]).await;
    let share = north.copy("1/26", "south").await.unwrap().id;
    while north.deliver(&south, share).await.is_some() {}
    while south.deliver(&north, share).await.is_some() {}
    for evidence in south.wanted(share) {
        south.read(&north, share, south.files(share, evidence)[0]);
    }
    let south = south.crash(3);
    assert_eq!(south.shown(share).stored.evidence, 0);
    settle(&north, &south, share).await;
    assert_eq!(north.shown(share).status, Status::Complete);
}

/// How a share is shown and listed, with what only the process knows.
async fn stands(at: &Bench, share: ShareId) -> Share {
    let owner = at.node.owner();
    let shown = share::Show { share }.run(&at.node, &owner).await.unwrap();
    let list = share::List::default().run(&at.node, &owner).await.unwrap();
    assert_eq!(list.shares[0].status, shown.status);
    shown
}

/// AS-046: what is not taken has failed, with the reason, until it is tried again.
#[tokio::test]
async fn copy_that_its_partner_refuses_has_failed_until_it_is_tried_again() {
    let (north, south) = pair().await;
    north.case("1/26").await;
    north.evidence("1/26", "a.txt", b"one").await;
    south.enable("north", false, false).await;
    let share = north.copy("1/26", "south").await.unwrap().id;
    assert_eq!(stands(&north, share).await.status, Status::Processing);
    let refused = north.deliver(&south, share).await.unwrap().unwrap_err();
    north.node.refused_by(south.id(), share, refused);
    let failed = stands(&north, share).await;
    assert_eq!(failed.status, Status::Failed);
    assert_eq!(failed.refusal, Some(Refusal::NotEnabled.to_string()));
    // What the partner can't take just now comes by itself.
    north.node.refused_by(south.id(), share, Refusal::Busy);
    assert_eq!(stands(&north, share).await.status, Status::Processing);
    north.node.refused_by(south.id(), share, refused);
    south.enable("north", true, true).await;
    let retry = share::Retry { share };
    let owner = north.node.owner();
    let again = retry.clone().run(&north.node, &owner).await.unwrap();
    assert_eq!(again.status, Status::Processing);
    assert_eq!(stands(&north, share).await.refusal, None);
    settle(&north, &south, share).await;
    assert_eq!(stands(&north, share).await.status, Status::Complete);
    // An update that is refused leaves what arrived before.
    north.evidence("1/26", "b.txt", b"two").await;
    let evidence = Vec::new();
    north.change(share::Add { share, evidence }).await.unwrap();
    north.node.refused_by(south.id(), share, refused);
    assert_eq!(stands(&north, share).await.status, Status::PartlyFailed);
    retry.clone().run(&north.node, &owner).await.unwrap();
    settle(&north, &south, share).await;
    let nothing = retry.run(&north.node, &owner).await.unwrap_err();
    assert_eq!(nothing.kind, ErrorKind::Conflict);
}

/// AS-046: what can't be read at its owner any more fails alone, once all the rest is there.
#[tokio::test]
async fn copy_of_which_a_file_is_damaged_has_partly_failed() {
    let (north, south) = pair().await;
    north.case("1/26").await;
    for name in ["a.txt", "b.txt"] {
        north.evidence("1/26", name, name.as_bytes()).await;
    }
    let share = north.copy("1/26", "south").await.unwrap().id;
    while north.deliver(&south, share).await.is_some() {}
    while south.deliver(&north, share).await.is_some() {}
    let lost = south.wanted(share)[1];
    let digest = south.files(share, lost)[0];
    north
        .events(vec![Event::BlobDamaged(digest)])
        .await
        .unwrap();
    assert_eq!(stands(&north, share).await.status, Status::Processing);
    assert!(south.fetch(&north, share).await);
    while south.deliver(&north, share).await.is_some() {}
    let partly = stands(&north, share).await;
    assert_eq!(partly.status, Status::PartlyFailed);
    assert!(partly.refusal.unwrap().contains("damaged here (1)"));
    // It is added again: the same bytes are whole, and the copy goes on.
    north.evidence("1/26", "again.txt", b"b.txt").await;
    assert_eq!(stands(&north, share).await.status, Status::Processing);
    settle(&north, &south, share).await;
    assert_eq!(stands(&north, share).await.status, Status::Complete);
}
