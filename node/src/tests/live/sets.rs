//! Share sets between nodes that come and go.

use interdocket_sync::id::ShareId;

use super::support::{Live, introduce, sealed, status, until};
use crate::actions::share::{self, Mode, Status};
use crate::tests::bench::{Bench, to};

/// OE-41, OE-47
#[tokio::test(flavor = "multi_thread")]
async fn a_partner_that_is_away_holds_up_no_other_of_its_set() {
    let [north, south, court] = ["north", "south", "court"].map(Bench::new);
    let live = Live::new();
    live.pair(&north, &south, Mode::Synchronised, true).await;
    introduce(&north, &court, Mode::Synchronised, true).await;
    // North would deliver; nobody is there.
    live.keep(&north, &court);
    north.case("1/26").await;
    north.evidence("1/26", "a.bin", &[1; 300_000]).await;
    let offer = share::Advanced {
        case: "1/26".into(),
        to: vec![to("court", &["Lee Park"]), to("south", &["Sol Reyes"])],
        evidence: Vec::new(),
        folders: Vec::new(),
        targets: None,
        units: Vec::new(),
        message: String::new(),
    };
    let made = north.change(offer).await.unwrap();
    let [at_court, at_south] = [0, 1].map(|number: usize| made.shares[number].id);
    let both = |court, south| {
        let expected = [("court", at_court, court), ("south", at_south, south)];
        assert_eq!(
            standing(&north),
            expected.map(|(n, id, s)| (n.into(), id, s))
        );
    };
    has(&north, &south, at_south, 1).await;
    assert!(!court.holds(at_court));
    both(Status::Processing, Status::Active);

    live.keep(&court, &north);
    has(&north, &court, at_court, 1).await;
    both(Status::Active, Status::Active);

    let revoke = share::Revoke { share: at_south };
    north.change(revoke).await.unwrap();
    north.evidence("1/26", "b.bin", b"two").await;
    has(&north, &court, at_court, 2).await;
    both(Status::Active, Status::Revoked);
    live.end().await;
}

/// Waits until a partner holds so many items of a share, and its owner knows.
async fn has(owner: &Bench, partner: &Bench, share: ShareId, items: usize) {
    let what = format!("{} has {items} of the case", partner.name);
    until(&what, || {
        sealed(partner, share) == items && status(owner, share) == Some(Status::Active)
    })
    .await;
}

/// The shares of the one set of a node.
fn standing(owner: &Bench) -> Vec<(String, ShareId, Status)> {
    let [set] = <[share::Set; 1]>::try_from(owner.sets()).unwrap();
    let shares = set.shares.into_iter();
    let standing = shares.map(|share| (share.partner_name, share.id, share.status));
    standing.collect()
}
