//! A lease is a key: what a partner has of an advanced share is unreadable when it is cut off, restarted,
//! suspended or revoked.

use interdocket_sync::id::ShareId;

use super::support::{Live, advanced, sealed, status, title, until};
use crate::actions::external;
use crate::actions::node::ConfirmClock;
use crate::actions::share::{self, Mode, RevocationState, Status};
use crate::event::ClockSuspected;
use crate::jobs;
use crate::keyring::KeyId;
use crate::store::table;
use crate::tests::bench::{Bench, caller};

struct Shared {
    north: Bench,
    south: Bench,
    live: Live,
    share: ShareId,
    item: interdocket_sync::id::EvidenceId,
}

/// North shares one item with south, which has it sealed.
async fn shared() -> Shared {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    let live = Live::new();
    live.pair(&north, &south, Mode::Synchronised, true).await;
    north.case("1/26").await;
    let item = north.evidence("1/26", "a.bin", &[1; 300_000]).await.id;
    let share = advanced(&north, &south, "1/26").await.id;
    until("it is sealed", || {
        status(&north, share) == Some(Status::Active)
    })
    .await;
    Shared {
        north,
        south,
        live,
        share,
        item,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_off_for_longer_than_the_lease_it_is_unreadable_until_there_is_contact() {
    let Shared {
        north,
        south,
        live,
        share,
        item,
    } = shared().await;
    live.end().await;
    assert!(title(&south, share, item).is_some());
    south.pass(3600);
    assert_eq!(title(&south, share, item), None);
    let live = Live::new();
    live.follow(&north, &south);
    until("the owner lends again", || {
        title(&south, share, item).is_some()
    })
    .await;
    assert_eq!(sealed(&south, share), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_it_is_unreadable_until_the_owner_lends_again() {
    let Shared {
        north,
        south,
        live,
        share,
        item,
    } = shared().await;
    live.end().await;
    let south = south.crash(1);
    assert_eq!(title(&south, share, item), None);
    assert_eq!(
        south.shown(share).listed.evidence,
        1,
        "how much there is, is known"
    );
    let live = Live::new();
    live.follow(&north, &south);
    until("the owner lends again", || {
        title(&south, share, item).is_some()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_share_is_unreadable_and_sends_nothing_until_it_is_resumed() {
    let Shared {
        north,
        south,
        live,
        share,
        item,
    } = shared().await;
    north.change(share::Suspend { share }).await.unwrap();
    until("the partner knows", || {
        status(&south, share) == Some(Status::Suspended)
    })
    .await;
    assert_eq!(title(&south, share, item), None);
    north.evidence("1/26", "b.bin", b"two").await;
    assert_eq!(
        north.shown(share).listed.evidence,
        1,
        "nothing is disclosed"
    );
    north.change(share::Resume { share }).await.unwrap();
    until("all of it is there", || {
        title(&south, share, item).is_some() && sealed(&south, share) == 2
    })
    .await;
    live.end().await;
    south.rebuilds().await;
}

/// fault A4
#[tokio::test(flavor = "multi_thread")]
async fn revoked_while_cut_off_it_is_proven_received_and_purged_on_contact() {
    let Shared {
        north,
        south,
        live,
        share,
        item,
    } = shared().await;
    live.end().await;
    north.change(share::Revoke { share }).await.unwrap();
    let known = |north: &Bench| north.shown(share).revocation.map(|known| known.state);
    assert_eq!(known(&north), Some(RevocationState::Unknown));
    assert!(title(&south, share, item).is_some(), "it can't know yet");
    let south = south.crash(3);
    assert_eq!(title(&south, share, item), None, "but a restart ends it");
    let live = Live::new();
    live.follow(&north, &south);
    until("it is purged", || {
        known(&north) == Some(RevocationState::Purged)
    })
    .await;
    assert_eq!(sealed(&south, share), 0);
    live.end().await;
    north.rebuilds().await;
    south.rebuilds().await;
}

/// What was never delivered never is: only that the share is over reaches the partner. fault A5
#[tokio::test(flavor = "multi_thread")]
async fn an_offer_that_was_revoked_before_it_was_sent_never_leaves() {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    let live = Live::new();
    live.pair(&north, &south, Mode::Synchronised, true).await;
    live.end().await;
    north.case("1/26").await;
    north.evidence("1/26", "a.bin", b"one").await;
    let share = advanced(&north, &south, "1/26").await.id;
    let offer = north.batch(share, None).unwrap();
    north.change(share::Revoke { share }).await.unwrap();
    let live = Live::new();
    live.follow(&north, &south);
    until("it is proven received", || {
        let known = north.shown(share).revocation.map(|known| known.state);
        known == Some(RevocationState::Received)
    })
    .await;
    assert!(!south.holds(share));
    let late = south.take(north.id(), offer).await.unwrap();
    assert!(late.is_err(), "an offer that comes late is dead");
    assert!(!south.holds(share));
    let reading = north.node.parts().store.read();
    let waits = reading
        .view()
        .page(&table::OUTBOX, &south.id(), None, 10)
        .unwrap();
    assert!(waits.is_empty(), "nothing is tried again and again");
}

/// While a share is suspended its recipients may change; that waits for nothing, and opens nothing.
#[tokio::test(flavor = "multi_thread")]
async fn recipients_of_a_suspended_share_change_and_it_goes_on() {
    let Shared {
        north,
        south,
        live,
        share,
        item,
    } = shared().await;
    north.change(share::Suspend { share }).await.unwrap();
    let recipients = share::Recipients {
        share,
        recipients: vec!["Noor Haddad".into()],
    };
    north.change(recipients).await.unwrap();
    until("both are delivered", || north.shown(share).behind == 0).await;
    assert_eq!(north.shown(share).refusal, None);
    assert_eq!(title(&south, share, item), None, "it is suspended");
    north.change(share::Resume { share }).await.unwrap();
    until("it can be read again", || {
        title(&south, share, item).is_some()
    })
    .await;
    live.end().await;
}

/// An offer that is suspended before its partner has it arrives all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_share_that_was_suspended_at_once_is_offered_and_resumed() {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    let live = Live::new();
    live.pair(&north, &south, Mode::Synchronised, true).await;
    live.end().await;
    north.case("1/26").await;
    north.evidence("1/26", "a.bin", b"one").await;
    let share = advanced(&north, &south, "1/26").await.id;
    north.change(share::Suspend { share }).await.unwrap();
    let live = Live::new();
    live.follow(&north, &south);
    until("it is offered", || {
        status(&south, share) == Some(Status::Suspended) && north.receipted(share) == 2
    })
    .await;
    assert_eq!(sealed(&south, share), 0);
    north.change(share::Resume { share }).await.unwrap();
    until("it goes on", || sealed(&south, share) == 1).await;
    live.end().await;
}

/// The owner destroys the key with the revocation itself, whether the partner can be reached or not.
#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_a_revoked_share_is_destroyed_at_once() {
    let Shared {
        north, live, share, ..
    } = shared().await;
    live.end().await;
    let key = KeyId::lease(share);
    assert!(north.node.parts().keyring.key(key).is_some());
    north.change(share::Revoke { share }).await.unwrap();
    assert!(north.node.parts().keyring.key(key).is_none());
}

/// AE-021: the lease goes on for those who are recipients still.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_a_recipient_any_more_reads_no_further_of_what_is_sealed() {
    const SIZE: usize = 16 << 20;
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    let live = Live::new();
    live.pair(&north, &south, Mode::Synchronised, true).await;
    let sol = south.person("Sol Reyes", "").await.unwrap();
    north.case("1/26").await;
    let item = north.evidence("1/26", "a.bin", &vec![1; SIZE]).await.id;
    let share = advanced(&north, &south, "1/26").await.id;
    until("it is sealed", || {
        status(&north, share) == Some(Status::Active)
    })
    .await;
    let get = external::Get {
        share,
        evidence: item,
        file: 0,
        from: 0,
        to: None,
        download: false,
    };
    let who = caller(&sol);
    let opened = south.node.open_external(&who, get);
    let mut opened = opened.await.unwrap();
    opened.bytes.recv().await.unwrap().unwrap();
    let robin = share::Recipients {
        share,
        recipients: vec!["Robin".into()],
    };
    north.change(robin).await.unwrap();
    until("south knows", || {
        let reading = south.node.parts().store.read();
        let kept = reading.view().get(&table::SHARE, &share).unwrap();
        kept.is_some_and(|share| share.header.recipients > 1)
    })
    .await;
    let mut bytes = 0;
    while let Some(Ok(piece)) = opened.bytes.recv().await {
        bytes += piece.len();
    }
    assert!(bytes < SIZE / 2, "{bytes}");
    live.end().await;
}

/// fault B10
#[tokio::test(flavor = "multi_thread")]
async fn what_waited_for_the_clock_goes_on_as_soon_as_it_is_confirmed() {
    let Shared {
        north, south, live, ..
    } = shared().await;
    for round in 1..=5 {
        let now = north.node.parts().clock.now();
        let suspected = ClockSuspected {
            says: now,
            expected: now,
        };
        jobs::suspect(&north.node, suspected).await.unwrap();
        north.evidence("1/26", "b.bin", &[round; 3]).await;
        north.change(ConfirmClock {}).await.unwrap();
        let shares = south.shares();
        until("what was added follows", || {
            sealed(&south, shares[0]) == 1 + usize::from(round)
        })
        .await;
    }
    live.end().await;
}
