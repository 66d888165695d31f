//! A node that came back from its past: its partners give back what it wrote and took in, and nothing moves
//! before.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use interdocket_sync::id::ShareId;
use interdocket_sync::log::head::SignedHead;
use interdocket_sync::log::{Point, Side};
use interdocket_sync::share::{Hold, Log};

use super::support::{Live, advanced, evidence_of, meet, sealed, status, title, until};
use crate::actions::partner::OrganisationRole;
use crate::actions::share::{self, Mode, RevocationState, Status};
use crate::actions::{self, Run as _, settings};
use crate::erase::pass;
use crate::event::{Event, NodeRestored};
use crate::keyring::KeyId;
use crate::store::entity;
use crate::store::table;
use crate::tests::bench::{Bench, noon};
use crate::tests::retention::delete;

/// A node as it was when `past` was taken, started again after a restore; it dials `other`.
async fn restored(past: Bench, other: &Bench, live: &Live) -> Bench {
    let back = NodeRestored {
        made_at: noon(),
        above: 0,
    };
    past.events(vec![Event::NodeRestored(back)]).await.unwrap();
    meet(&past, other, live).await;
    past
}

fn held(node: &Bench, share: ShareId) -> entity::Share {
    let reading = node.node.parts().store.read();
    actions::decide::share(&reading.view(), share).unwrap()
}

fn log(node: &Bench, share: ShareId, side: Side) -> Log {
    *held(node, share).header.log(side)
}

/// How far both logs of a share go.
fn points(node: &Bench, share: ShareId) -> [Point; 2] {
    [Side::Owner, Side::Partner].map(|side| log(node, share, side).point)
}

fn recovering(node: &Bench, share: ShareId) -> bool {
    !node.holds(share) || held(node, share).header.hold == Hold::Recovering
}

fn incarnation(node: &Bench) -> u64 {
    let reading = node.node.parts().store.read();
    let own = reading.view().get(&table::NODE, &()).unwrap();
    own.unwrap().incarnation
}

/// What was not countersigned when the other went away is delivered as ever.
async fn until_same(one: &Bench, other: &Bench, share: ShareId) {
    until("both hold the same", || {
        points(one, share) == points(other, share)
    })
    .await;
}

async fn until_complete(owner: &Bench, share: ShareId) {
    until("everything is delivered", || {
        let done = [Some(Status::Active), Some(Status::Complete)];
        done.contains(&status(owner, share)) && owner.shown(share).behind == 0
    })
    .await;
}

/// fault E7
#[tokio::test(flavor = "multi_thread")]
async fn a_restored_owner_takes_back_what_it_disclosed_and_goes_on() {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    let live = Live::new();
    live.pair(&north, &south, Mode::Synchronised, true).await;
    north.case("1/26").await;
    north.evidence("1/26", "a.bin", b"one").await;
    let share = advanced(&north, &south, "1/26").await.id;
    until_complete(&north, share).await;
    let past = north.twin();
    let lost = north.evidence("1/26", "b.bin", b"two").await.id;
    until("the second item is sealed", || sealed(&south, share) == 2).await;
    until_complete(&north, share).await;
    live.end().await;
    // A backup is older than any lease.
    south.pass(3600);

    let live = Live::new();
    let back = restored(past, &south, &live).await;
    until("it is recovered", || !recovering(&back, share)).await;
    until_same(&back, &south, share).await;
    assert_eq!(back.shown(share).stored.evidence, 2);
    back.evidence("1/26", "c.bin", b"three").await;
    until("what is new follows", || sealed(&south, share) == 3).await;
    until_complete(&back, share).await;
    assert!(
        title(&south, share, lost).is_some(),
        "the old lease opens it"
    );
    live.end().await;
    assert_eq!(log(&south, share, Side::Owner).incarnation, 2);
    assert_eq!(back.receipted(share), points(&back, share)[0].count);
    back.rebuilds().await;
    south.rebuilds().await;
}

/// fault E7, fault A5
#[tokio::test(flavor = "multi_thread")]
async fn a_restored_owner_learns_of_its_revocation_before_anything_is_sent() {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    let live = Live::new();
    live.pair(&north, &south, Mode::Synchronised, true).await;
    north.case("1/26").await;
    north.evidence("1/26", "a.bin", b"one").await;
    let share = advanced(&north, &south, "1/26").await.id;
    until_complete(&north, share).await;
    let past = north.twin();
    north.change(share::Revoke { share }).await.unwrap();
    let purged = |node: &Bench| {
        let revocation = node.shown(share).revocation;
        revocation.is_some_and(|revocation| revocation.state == RevocationState::Purged)
    };
    until("it is purged", || purged(&north)).await;
    live.end().await;

    let live = Live::new();
    let before = NodeRestored {
        made_at: noon(),
        above: 0,
    };
    past.events(vec![Event::NodeRestored(before)])
        .await
        .unwrap();
    assert_eq!(past.shown(share).status, Status::Recovering);
    past.evidence("1/26", "b.bin", b"two").await;
    meet(&past, &south, &live).await;
    until("the revocation is known", || purged(&past)).await;
    until_same(&past, &south, share).await;
    live.end().await;
    assert_eq!(past.shown(share).status, Status::Revoked);
    assert!(past.node.parts().keyring.key(KeyId::lease(share)).is_none());
    assert_eq!(held(&south, share).header.listed.evidence, 1);
    past.rebuilds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_that_its_restored_owner_does_not_know_comes_back_and_covers_nothing_by_itself() {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    let live = Live::new();
    live.pair(&north, &south, Mode::Live, true).await;
    let past = north.twin();
    north.case("1/26").await;
    north.evidence("1/26", "a.bin", b"one").await;
    let copy = north.copy("1/26", "south").await.unwrap().id;
    until_complete(&north, copy).await;
    live.end().await;

    let live = Live::new();
    let back = restored(past, &south, &live).await;
    until("it is recovered", || !recovering(&back, copy)).await;
    until_same(&back, &south, copy).await;
    assert_eq!(back.shown(copy).status, Status::Complete);
    assert_eq!(back.shown(copy).case_number.as_deref(), Some("1/26"));
    assert_eq!(back.shown(copy).set, None, "no partner knew of its set");
    back.evidence("1/26", "b.bin", b"two").await;
    live.end().await;
    assert_eq!(back.shown(copy).behind, 0);
    back.rebuilds().await;
}

/// fault E7
#[tokio::test(flavor = "multi_thread")]
async fn a_restored_partner_gets_its_copy_again_and_states_nothing_twice() {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    let live = Live::new();
    live.pair(&north, &south, Mode::Live, true).await;
    north.case("1/26").await;
    let unknown = south.twin();
    north.evidence("1/26", "a.bin", b"one").await;
    let share = north.copy("1/26", "south").await.unwrap().id;
    until_complete(&north, share).await;
    let known = south.twin();
    north.evidence("1/26", "b.bin", b"two").await;
    let add = share::Add {
        share,
        evidence: Vec::new(),
    };
    north.change(add).await.unwrap();
    until("the update is complete", || {
        north.shown(share).stored.evidence == 2
    })
    .await;
    until_complete(&north, share).await;
    live.end().await;
    let before = points(&north, share);
    for past in [known, unknown] {
        let live = Live::new();
        let back = restored(past, &north, &live).await;
        until("it holds everything again", || {
            back.holds(share) && evidence_of(&back, "1/26").len() == 2
        })
        .await;
        until("it is recovered", || !recovering(&back, share)).await;
        until_same(&back, &north, share).await;
        live.end().await;
        assert_eq!(points(&north, share), before);
        assert!(back.wanted(share).is_empty());
        assert_eq!(back.shown(share).status, Status::Complete);
        back.rebuilds().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_partner_seals_again_what_it_lost() {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    let live = Live::new();
    live.pair(&north, &south, Mode::Synchronised, true).await;
    let past = south.twin();
    north.case("1/26").await;
    let item = north.evidence("1/26", "a.bin", &[7; 300_000]).await.id;
    let share = advanced(&north, &south, "1/26").await.id;
    until_complete(&north, share).await;
    live.end().await;
    let before = points(&north, share);

    let live = Live::new();
    let back = restored(past, &north, &live).await;
    until("it is sealed again", || {
        !recovering(&back, share) && sealed(&back, share) == 1 && back.wanted(share).is_empty()
    })
    .await;
    until("it can be read", || title(&back, share, item).is_some()).await;
    until_same(&back, &north, share).await;
    live.end().await;
    assert_eq!(points(&north, share), before);
    back.rebuilds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_justice_node_imports_again_what_it_lost() {
    let north = Bench::new("north");
    let court = Bench::of("court", OrganisationRole::Justice);
    let live = Live::new();
    live.pair(&north, &court, Mode::Synchronised, true).await;
    let past = court.twin();
    north.case("1/26").await;
    north.evidence("1/26", "a.bin", b"one").await;
    let share = advanced(&north, &court, "1/26").await.id;
    until("it is imported", || {
        north.shown(share).imported.evidence == 1
    })
    .await;
    until_complete(&north, share).await;
    live.end().await;
    let before = points(&north, share);

    let live = Live::new();
    let back = restored(past, &north, &live).await;
    until("it is imported again", || {
        evidence_of(&back, "1/26").len() == 1
    })
    .await;
    live.end().await;
    assert_eq!(points(&back, share), before);
    back.rebuilds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_partner_erases_again_what_it_had_purged() {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    let live = Live::new();
    live.pair(&north, &south, Mode::Synchronised, true).await;
    north.case("1/26").await;
    north.evidence("1/26", "a.bin", b"one").await;
    let share = advanced(&north, &south, "1/26").await.id;
    until_complete(&north, share).await;
    let past = south.twin();
    assert_eq!(sealed(&past, share), 1);
    north.change(share::Revoke { share }).await.unwrap();
    until("it is purged", || sealed(&south, share) == 0).await;
    live.end().await;

    let live = Live::new();
    let back = restored(past, &north, &live).await;
    until("it is erased again", || sealed(&back, share) == 0).await;
    until("it knows why", || {
        back.shown(share).status == Status::Revoked
    })
    .await;
    live.end().await;
    back.rebuilds().await;
}

/// A machine that was set back is told so by the first partner that holds more than it does.
///
/// fault E8
#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_machine_was_set_back_is_told_so_by_what_it_signed() {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    let live = Live::new();
    live.pair(&north, &south, Mode::Live, true).await;
    north.case("1/26").await;
    north.evidence("1/26", "a.bin", b"one").await;
    let share = advanced(&north, &south, "1/26").await.id;
    until_complete(&north, share).await;
    let past = north.twin();
    north.evidence("1/26", "b.bin", b"two").await;
    until("the second item is listed", || {
        held(&south, share).header.listed.evidence == 2
    })
    .await;
    until_complete(&north, share).await;
    live.end().await;

    let live = Live::new();
    meet(&past, &south, &live).await;
    until("a new incarnation begins", || incarnation(&past) == 2).await;
    until("it is recovered", || !recovering(&past, share)).await;
    until_same(&past, &south, share).await;
    live.end().await;
    // Who has not lost anything stays who it is.
    assert_eq!(incarnation(&south), 1);

    // The one that was replaced is behind the other now, and takes that back in turn.
    let live = Live::new();
    past.evidence("1/26", "c.bin", b"three").await;
    live.follow(&past, &south);
    until_complete(&past, share).await;
    live.end().await;
    let live = Live::new();
    meet(&north, &south, &live).await;
    until("the other one begins anew", || incarnation(&north) == 3).await;
    until("it is recovered", || !recovering(&north, share)).await;
    until_same(&north, &south, share).await;
    live.end().await;
}

/// fault E8, fault A9
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_wrote_on_before_it_was_told_freezes_the_share_with_both_histories() {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    let live = Live::new();
    live.pair(&north, &south, Mode::Live, true).await;
    north.case("1/26").await;
    north.evidence("1/26", "a.bin", b"one").await;
    let share = advanced(&north, &south, "1/26").await.id;
    until_complete(&north, share).await;
    let past = north.twin();
    let recipients = |name: &str| share::Recipients {
        share,
        recipients: vec![name.into()],
    };
    north.change(recipients("Noor Haddad")).await.unwrap();
    until_complete(&north, share).await;
    live.end().await;

    past.change(recipients("Ben Ott")).await.unwrap();
    let live = Live::new();
    meet(&past, &south, &live).await;
    until("it is frozen", || {
        past.shown(share).status == Status::Frozen
    })
    .await;
    live.end().await;
    let proof = past.about(share.uuid()).into_iter();
    let proof = proof.filter(|event| matches!(event, Event::ShareFrozen(_)));
    assert_eq!(proof.count(), 1);
    assert_eq!(
        points(&past, share)[0].count,
        points(&south, share)[0].count
    );
    assert_ne!(points(&past, share), points(&south, share));
    let show = share::Show { share };
    let shown = show.run(&past.node, &past.node.owner()).await.unwrap();
    let fork = shown.fork.unwrap();
    assert_eq!(
        (fork.log.as_str(), fork.entry),
        ("owner", points(&past, share)[0].count)
    );
    let [held, other] = [fork.held, fork.shown].map(|head| {
        let bytes = BASE64_STANDARD.decode(head).unwrap();
        SignedHead::read(&bytes).unwrap()
    });
    for head in [&held, &other] {
        head.verify(&south.node.parts().pins).unwrap();
    }
    assert_eq!(held.head.point.count, other.head.point.count);
    assert_ne!(held.head.point.hash, other.head.point.hash);
    past.rebuilds().await;
}

/// A share goes on without its partner's word only when an administrator says so.
#[tokio::test]
async fn nothing_moves_in_a_restored_share_until_it_is_recovered_or_released() {
    let (north, south) = crate::tests::bench::pair().await;
    north.case("1/26").await;
    north.evidence("1/26", "a.bin", b"one").await;
    let share = north.copy("1/26", "south").await.unwrap().id;
    crate::tests::bench::settle(&north, &south, share).await;
    let back = NodeRestored {
        made_at: noon(),
        above: 0,
    };
    north.events(vec![Event::NodeRestored(back)]).await.unwrap();
    let before = points(&north, share);
    let refused = north.change(share::End { share }).await.unwrap_err();
    assert_eq!(refused.kind, actions::ErrorKind::Conflict);
    assert!(refused.message.contains("given back"), "{refused}");
    assert_eq!(points(&north, share), before);
    let released = north.change(share::Release { share }).await.unwrap();
    assert_eq!(released.status, Status::Complete);
    north.change(share::End { share }).await.unwrap();
    crate::tests::bench::settle(&north, &south, share).await;
    assert_eq!(south.shown(share).status, Status::Ended);
    assert_eq!(log(&south, share, Side::Owner).incarnation, 2);
    let again = north.change(share::Release { share }).await.unwrap_err();
    assert_eq!(again.kind, actions::ErrorKind::Conflict);
    north.rebuilds().await;
}

/// fault E7: what its partner erased meanwhile comes back without its texts, which are here; and the share goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_restored_owner_takes_back_what_its_partner_erased_in_part() {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    let live = Live::new();
    live.pair(&north, &south, Mode::Live, true).await;
    north.case("1/26").await;
    north.evidence("1/26", "a.bin", b"one").await;
    north.evidence("1/26", "b.bin", b"two").await;
    let past = north.twin();
    let share = north.copy("1/26", "south").await.unwrap().id;
    until_complete(&north, share).await;
    let points_before = points(&north, share);
    live.end().await;
    let at_once = settings::Set {
        deletion_days: Some(0),
        ..settings::Set::default()
    };
    south.change(at_once).await.unwrap();
    let erased = evidence_of(&south, "1/26")[0].id;
    south.change(delete(erased)).await.unwrap();
    pass(&south.node, false).await.unwrap();
    assert_eq!(evidence_of(&south, "1/26").len(), 1);

    let live = Live::new();
    let back = restored(past, &south, &live).await;
    until("it is recovered", || !recovering(&back, share)).await;
    until_same(&back, &south, share).await;
    assert_eq!(points(&back, share), points_before);
    assert_eq!(back.shown(share).stored.evidence, 2);
    let titles = |node: &Bench| {
        let items = evidence_of(node, "1/26").into_iter();
        items.map(|item| item.title).collect::<Vec<_>>()
    };
    assert_eq!(titles(&back), ["a.bin", "b.bin"]);
    let new = back.evidence("1/26", "c.bin", b"three").await.id;
    let add = share::Add {
        share,
        evidence: vec![new],
    };
    back.change(add).await.unwrap();
    until("what is new follows", || titles(&south).len() == 2).await;
    until_complete(&back, share).await;
    live.end().await;
    back.rebuilds().await;
    south.rebuilds().await;
}
