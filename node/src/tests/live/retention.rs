//! Retention and deletion where shares live: who holds it decides, and what follows learns of it.

use chrono::TimeDelta;

use super::support::{Live, advanced, evidence_of, sealed, status, until};
use crate::actions::partner::OrganisationRole;
use crate::actions::share::{Mode, Status};
use crate::actions::{retention, settings};
use crate::erase::pass;
use crate::tests::bench::Bench;
use crate::tests::retention::{case_of, delete, policy, retain};

/// AO-44: an import is under the retention of who made it; what was deleted of it does not come again by itself.
#[tokio::test(flavor = "multi_thread")]
async fn who_imported_a_case_says_how_long_it_is_kept() {
    let north = Bench::new("north");
    let court = Bench::of("court", OrganisationRole::Justice);
    let live = Live::new();
    live.pair(&north, &court, Mode::Synchronised, true).await;
    north.case("1/26").await;
    north.evidence("1/26", "a.bin", b"one").await;
    let share = advanced(&north, &court, "1/26").await.id;
    until("it is imported", || evidence_of(&court, "1/26").len() == 1).await;
    policy(&court, "2 years", 730).await;
    policy(&north, "1 year", 365).await;
    let changed = court.change(retain("1/26", "2 years")).await.unwrap();
    assert_eq!(changed.retention.as_deref(), Some("2 years"));
    north.change(retain("1/26", "1 year")).await.unwrap();
    assert_eq!(case_of(&court, "1/26"), changed);
    let item = evidence_of(&court, "1/26")[0].clone();
    let days = item.retention_until.unwrap() - item.uploaded_at;
    assert_eq!(days, TimeDelta::days(730));
    court.change(delete(item.id)).await.unwrap();
    court.later(TimeDelta::days(8));
    pass(&court.node, true).await.unwrap();
    assert!(evidence_of(&court, "1/26").is_empty());
    north.evidence("1/26", "b.bin", b"two").await;
    until("what is new is imported", || {
        evidence_of(&court, "1/26").len() == 1
    })
    .await;
    assert_eq!(evidence_of(&court, "1/26")[0].title, "b.bin");
    // The whole import goes, and nothing of it comes back, though the share goes on.
    let whole = retention::DeleteCase {
        case: "1/26".into(),
        reason: "tried".into(),
    };
    court.change(whole).await.unwrap();
    court.later(TimeDelta::days(8));
    pass(&court.node, true).await.unwrap();
    north.evidence("1/26", "c.bin", b"three").await;
    until("it was delivered", || {
        north.shown(share).listed.evidence == 3 && status(&north, share) == Some(Status::Active)
    })
    .await;
    live.end().await;
    assert!(court.shown(share).case_number.is_none());
    court.rebuilds().await;
    north.rebuilds().await;
}

/// What its owner deletes is withdrawn from who follows.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_at_its_owner_is_withdrawn_from_advanced_shares() {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    let live = Live::new();
    live.pair(&north, &south, Mode::Synchronised, true).await;
    north.case("1/26").await;
    let item = north.evidence("1/26", "a.bin", b"one").await.id;
    north.evidence("1/26", "b.bin", b"two").await;
    let share = advanced(&north, &south, "1/26").await.id;
    until("both are sealed", || {
        south.holds(share)
            && south.shown(share).listed.evidence == 2
            && status(&north, share) == Some(Status::Active)
    })
    .await;
    let set = settings::Set {
        deletion_days: Some(0),
        disclosure_portal: None,
        ..settings::Set::default()
    };
    north.change(set).await.unwrap();
    north.change(delete(item)).await.unwrap();
    pass(&north.node, true).await.unwrap();
    until("it is withdrawn", || {
        south.shown(share).listed.evidence == 1 && sealed(&south, share) == 1
    })
    .await;
    live.end().await;
    north.rebuilds().await;
    south.rebuilds().await;
}
