//! What waits for an administrator, between nodes that keep up with each other.

use interdocket_sync::id::ShareId;

use super::support::{Live, advanced, evidence_of, sealed, status, title, until};
use crate::actions::partner::{self, Inbound, OrganisationRole};
use crate::actions::share::{self, Mode, Status};
use crate::actions::{Run as _, external};
use crate::tests::bench::Bench;

/// Two nodes of which south, of this role, looks first at what north offers; and a case of one item.
async fn waiting(live: &Live, role: OrganisationRole) -> (Bench, Bench) {
    let (north, south) = (Bench::new("north"), Bench::of("south", role));
    live.pair(&north, &south, Mode::Synchronised, true).await;
    let inbound = partner::SetInbound {
        partner: "north".into(),
        inbound: Inbound::Finalise,
    };
    south.change(inbound).await.unwrap();
    north.case("1/26").await;
    north.evidence("1/26", "canary.bin", &[1; 300_000]).await;
    (north, south)
}

async fn pending(north: &Bench, south: &Bench, share: ShareId) {
    until("both see that it waits", || {
        [north, south].map(|node| status(node, share)) == [Some(Status::Pending); 2]
    })
    .await;
}

async fn finalise(south: &Bench, share: ShareId) {
    let finalise = share::Finalise {
        share,
        case: None,
        access: Vec::new(),
    };
    let owner = south.node.owner();
    finalise.run(&south.node, &owner).await.unwrap();
}

/// OE-50: no file is read before, and everything after, by itself.
#[tokio::test(flavor = "multi_thread")]
async fn copy_is_read_as_soon_as_it_is_finalised() {
    let live = Live::new();
    let (north, south) = waiting(&live, OrganisationRole::Investigation).await;
    let share = north.copy("1/26", "south").await.unwrap().id;
    pending(&north, &south, share).await;
    until("what is listed is told", || {
        south.shown(share).listed.evidence == 1
    })
    .await;
    assert_eq!(south.shown(share).stored.evidence, 0);
    finalise(&south, share).await;
    until("it arrives", || {
        status(&north, share) == Some(Status::Complete)
    })
    .await;
    assert_eq!(evidence_of(&south, "1/26").len(), 1);
    live.end().await;
    south.rebuilds().await;
    north.rebuilds().await;
}

/// OE-50: a synchronised share is sealed and followed once it is finalised, and not before.
#[tokio::test(flavor = "multi_thread")]
async fn advanced_share_is_followed_as_soon_as_it_is_finalised() {
    let live = Live::new();
    let (north, south) = waiting(&live, OrganisationRole::Investigation).await;
    let share = advanced(&north, &south, "1/26").await.id;
    pending(&north, &south, share).await;
    let listed = external::List::default();
    let seen = listed.run(&south.node, &south.node.owner()).await.unwrap();
    assert!(seen.external.is_empty());
    assert_eq!(sealed(&south, share), 0);
    finalise(&south, share).await;
    until("it is sealed", || {
        sealed(&south, share) == 1 && status(&north, share) == Some(Status::Active)
    })
    .await;
    let item = north.evidence("1/26", "later.bin", b"later").await.id;
    until("what is added follows", || {
        title(&south, share, item).as_deref() == Some("later.bin") && sealed(&south, share) == 2
    })
    .await;
    live.end().await;
    south.rebuilds().await;
}

/// OE-50: where a justice organisation imports by itself, it does so of what was finalised.
#[tokio::test(flavor = "multi_thread")]
async fn justice_organisation_imports_what_it_has_finalised() {
    let live = Live::new();
    let (north, south) = waiting(&live, OrganisationRole::Justice).await;
    let share = advanced(&north, &south, "1/26").await.id;
    pending(&north, &south, share).await;
    until("all of it is told", || {
        let shown = south.shown(share);
        (shown.updates, shown.listed.evidence) == (1, 1)
    })
    .await;
    assert_eq!(evidence_of(&south, "1/26").len(), 0);
    finalise(&south, share).await;
    until("it is imported", || evidence_of(&south, "1/26").len() == 1).await;
    live.end().await;
    south.rebuilds().await;
}

/// What was declined is not asked for, and ends at both.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_declined_is_left_alone() {
    let live = Live::new();
    let (north, south) = waiting(&live, OrganisationRole::Investigation).await;
    let share = advanced(&north, &south, "1/26").await.id;
    pending(&north, &south, share).await;
    let decline = share::Decline {
        share,
        reason: share::Reason::Unclear,
    };
    south.change(decline).await.unwrap();
    until("its owner knows", || {
        status(&north, share) == Some(Status::Declined)
    })
    .await;
    north.evidence("1/26", "later.bin", b"later").await;
    let next = advanced(&north, &south, "1/26").await.id;
    pending(&north, &south, next).await;
    assert_eq!(north.shown(share).behind, 0);
    live.end().await;
    north.rebuilds().await;
    south.rebuilds().await;
}
