//! Features, told over real connections: at every greeting, and at once where they change.

use interdocket_sync::identity::OrganisationId;

use super::support::{Live, introduce, until};
use crate::actions::partner::{self, Partner};
use crate::actions::share::{self, Mode};
use crate::actions::{Run as _, feature};
use crate::event::{Event, subject};
use crate::features::{self, Feature, Features};
use crate::store::table;
use crate::tests::bench::{Bench, settle};

/// The features of a partner, as a node knows them.
fn known(at: &Bench, partner: OrganisationId) -> Option<Features> {
    let reading = at.node.parts().store.read();
    let partner = reading.view().get(&table::PARTNER, &partner).unwrap();
    partner.unwrap().features
}

/// How often a node has a partner's features on record.
fn told(at: &Bench, partner: OrganisationId) -> usize {
    let about = at.about(subject(partner)).into_iter();
    let told = about.filter(|event| matches!(event, Event::PartnerFeatures(_)));
    told.count()
}

fn of(features: &[Feature]) -> Option<Features> {
    Some(features.iter().copied().collect())
}

async fn switch(at: &Bench, on: bool) {
    let features = features::all();
    match on {
        true => at.change(feature::Enable { features }).await,
        false => at.change(feature::Disable { features }).await,
    }
    .unwrap();
}

async fn shown(at: &Bench, share: interdocket_sync::id::ShareId) -> share::Share {
    let show = share::Show { share };
    show.run(&at.node, &at.node.owner()).await.unwrap()
}

const TOLD: &[Feature] = &[
    Feature::CaseShare,
    Feature::CaseSharingByReference,
    Feature::AdvancedSharing,
];

/// AE-015: refused by the partner, shown with the reason, and taken once it has the feature.
#[tokio::test(flavor = "multi_thread")]
async fn offer_that_a_partner_lacks_the_feature_for_is_refused_and_shown_so_until_it_has_it() {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    let live = Live::new();
    introduce(&south, &north, Mode::Live, false).await;
    // South tells nobody by itself yet.
    live.keep(&north, &south);
    until("north knows", || known(&north, south.id()) == of(TOLD)).await;
    switch(&south, false).await;
    north.case("1/26").await;
    north.evidence("1/26", "a.txt", b"one").await;
    let share = north.copy("1/26", "south").await.unwrap().id;
    let refusal = "the partner has not enabled this kind of share";
    let seen = || north.node.last_seen(south.id()).refused;
    until("south refuses", || !seen().is_empty()).await;
    assert_eq!(shown(&north, share).await.refusal.as_deref(), Some(refusal));
    assert!(!south.holds(share));

    live.keep(&south, &north);
    until("north learns why", || known(&north, south.id()) == of(&[])).await;
    let stands = shown(&north, share).await;
    assert_eq!(stands.status, share::Status::Refused);
    let why = "it has not enabled the feature case_share";
    assert_eq!(stands.refusal.as_deref(), Some(why));
    assert_eq!(north.sets()[0].shares[0].status, share::Status::Refused);
    let again = north.copy("1/26", "south").await.unwrap_err();
    assert!(again.message.starts_with("\"south\" has not enabled"));

    switch(&south, true).await;
    until("north learns that it may", || {
        known(&north, south.id()) == of(TOLD)
    })
    .await;
    assert_ne!(north.shown(share).status, share::Status::Refused);
    live.end().await;
    settle(&north, &south, share).await;
    assert_eq!(north.shown(share).status, share::Status::Complete);
}

/// AE-010: whoever greets, both know; another greeting is no news.
#[tokio::test(flavor = "multi_thread")]
async fn both_sides_know_each_other_s_features_at_once_and_record_them_once() {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    let live = Live::new();
    live.pair(&north, &south, Mode::Live, false).await;
    for (node, other) in [(&north, &south), (&south, &north)] {
        until("it knows", || known(node, other.id()) == of(TOLD)).await;
    }
    let features = [Feature::AdvancedSharing].into();
    let disable = feature::Disable { features };
    south.change(disable).await.unwrap();
    until("north learns of it", || {
        known(&north, south.id()) == of(&TOLD[..2])
    })
    .await;
    let show = partner::Show {
        partner: "south".into(),
    };
    let Partner { available, .. } = show.run(&north.node, &north.node.owner()).await.unwrap();
    assert!(!available.contains(&partner::Kind::Advanced));
    north.enable("south", true, true).await;
    south.enable("north", true, true).await;
    north.case("1/26").await;
    north.evidence("1/26", "a.txt", b"one").await;
    let share = north.copy("1/26", "south").await.unwrap().id;
    until("a copy arrives", || {
        north.shown(share).status == share::Status::Complete
    })
    .await;
    live.end().await;
    assert_eq!(told(&north, south.id()), 2);
    assert_eq!(told(&south, north.id()), 1);
    north.rebuilds().await;
}
