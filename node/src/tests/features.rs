//! Features of organisations: what is made new needs them on both sides, each refusal names the side, and what
//! goes on needs none.

use crate::access::{self, Permission};
use crate::actions::partner::{self, Kind, OrganisationRole, Partner};
use crate::actions::share::{self, Made, Mode, Status};
use crate::actions::{Error, ErrorKind, Run as _, Way, audit, feature, node};
use crate::features::{self, Feature, Features};
use crate::federation::features::{hear, told};
use crate::tests::bench::{Bench, settle, to};

use Feature::{
    AdvancedSharing, CaseShare, CaseSharingByReference, ConfigurableCaseRetention,
    NewUiCaseSharesManagement,
};
use OrganisationRole::{Investigation, Justice};

const KINDS: [Kind; 3] = [Kind::Reference, Kind::Copy, Kind::Advanced];

/// Has only these features be on.
async fn only_on(at: &Bench, on: &[Feature]) {
    let on: Features = on.iter().copied().collect();
    let off = features::all().difference(&on).copied().collect();
    at.change(feature::Enable { features: on }).await.unwrap();
    at.change(feature::Disable { features: off }).await.unwrap();
}

/// All features but this one.
fn but(feature: Feature) -> Vec<Feature> {
    let all = features::all().into_iter();
    all.filter(|other| *other != feature).collect()
}

/// Has a node learn what features another has, as a greeting does.
async fn hears(at: &Bench, other: &Bench) {
    let on = other.node.read(feature::of).await.unwrap();
    hear(&at.node, other.id(), &told(&on)).await.unwrap();
}

/// Enables every kind of share with a partner, both ways.
async fn enable(at: &Bench, partner: &str) {
    let enable = partner::Enable {
        partner: partner.into(),
        send: KINDS.into(),
        receive: KINDS.into(),
    };
    at.change(enable).await.unwrap();
    let policy = partner::SetPolicy {
        partner: partner.into(),
        mode: Mode::Live,
        download: false,
        import: true,
        onward: false,
    };
    at.change(policy).await.unwrap();
}

/// Two nodes that trust each other with everything, and north's case.
async fn two(north: Bench, south: Bench) -> (Bench, Bench) {
    for (node, other) in [(&north, &south), (&south, &north)] {
        node.trust(other, None).await;
        enable(node, other.name).await;
    }
    north.case("1/26").await;
    north.evidence("1/26", "a.txt", b"one").await;
    (north, south)
}

async fn offer(at: &Bench, kind: Kind, case: &str, partner: &str) -> Result<Made, Error> {
    let (case, to) = (case.to_owned(), vec![to(partner, &["Sol"])]);
    let (evidence, folders, message) = (Vec::new(), Vec::new(), String::new());
    match kind {
        Kind::Copy => {
            let copy = share::Copy {
                case,
                to,
                evidence,
                folders,
                targets: None,
                message,
                attachments: None,
            };
            at.change(copy).await
        }
        Kind::Reference => {
            let reference = share::Reference {
                case,
                to,
                days: 1,
                evidence,
                folders,
                targets: None,
                message,
            };
            at.change(reference).await
        }
        Kind::Advanced => {
            let advanced = share::Advanced {
                case,
                to,
                evidence,
                folders,
                units: Vec::new(),
                targets: None,
                message,
            };
            at.change(advanced).await
        }
    }
}

/// Refused for this feature, naming the side that lacks it and who can help.
fn lacks(made: Result<Made, Error>, side: &str, feature: Feature) {
    let error = made.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict, "{error}");
    let (feature, whose) = match side {
        "this organisation" => (feature.name(), "your administrator"),
        _ => (feature.name(), "its administrator"),
    };
    let message = format!("{side} has not enabled the feature {feature}");
    assert_eq!(error.message, message);
    let hint = &error.hints[0];
    assert!(hint.contains(whose) && hint.contains(feature), "{hint}");
}

async fn shown(at: &Bench, partner: &str) -> Partner {
    let show = partner::Show {
        partner: partner.into(),
    };
    show.run(&at.node, &at.node.owner()).await.unwrap()
}

/// AE-010, AE-012, AE-013, AE-016, AJ-04, AO-01: every kind, what it needs on or off at either side, and either kind
/// of organisation.
#[tokio::test]
async fn new_share_needs_its_features_on_both_sides_and_a_refusal_names_the_side() {
    let needs = [
        (Kind::Copy, CaseShare),
        (Kind::Reference, CaseShare),
        (Kind::Reference, CaseSharingByReference),
        (Kind::Advanced, CaseShare),
        (Kind::Advanced, AdvancedSharing),
    ];
    for role in [Investigation, Justice] {
        let (north, south) = two(Bench::of("north", role), Bench::of("south", role)).await;
        let possible = |(kind, _): &(Kind, Feature)| role != Justice || *kind != Kind::Reference;
        for (kind, feature) in needs.into_iter().filter(possible) {
            for (own, other) in [(true, true), (false, true), (true, false), (false, false)] {
                for (node, on) in [(&north, own), (&south, other)] {
                    let on = match on {
                        true => Feature::ALL.to_vec(),
                        false => but(feature),
                    };
                    only_on(node, &on).await;
                }
                hears(&north, &south).await;
                let before = north.shares();
                let made = offer(&north, kind, "1/26", "south").await;
                let available = shown(&north, "south").await.available;
                assert_eq!(available.contains(&kind), own && other, "{kind:?}");
                match (own, other) {
                    (true, true) => drop(made.unwrap()),
                    (false, _) => lacks(made, "this organisation", feature),
                    (true, false) => lacks(made, "\"south\"", feature),
                }
                assert_eq!(north.shares().len() > before.len(), own && other);
            }
        }
        north.rebuilds().await;
    }
}

/// AJ-04: what came as a copy is shared on only where both sides have the feature again.
#[tokio::test]
async fn who_received_a_copy_needs_the_features_to_share_it_on() {
    let (north, south) = two(Bench::of("north", Justice), Bench::of("south", Justice)).await;
    let harbour = Bench::of("harbour", Justice);
    south.trust(&harbour, None).await;
    let share = offer(&north, Kind::Copy, "1/26", "south").await.unwrap();
    let share = share.shares[0].id;
    settle(&north, &south, share).await;
    let number = south.shown(share).case_number.unwrap();
    only_on(&south, &[]).await;
    let made = offer(&south, Kind::Copy, &number, "harbour").await;
    lacks(made, "this organisation", CaseShare);
    only_on(&south, &[CaseShare]).await;
    only_on(&harbour, &[]).await;
    hears(&south, &harbour).await;
    let made = offer(&south, Kind::Copy, &number, "harbour").await;
    lacks(made, "\"harbour\"", CaseShare);
    only_on(&harbour, &[CaseShare]).await;
    hears(&south, &harbour).await;
    assert!(
        offer(&south, Kind::Copy, &number, "harbour").await.is_ok(),
        "both have it"
    );
}

/// AE-011, AE-066, AS-001, AS-010
#[tokio::test]
async fn on_a_fresh_node_all_is_off_until_the_administrator_enables_it_on_record() {
    let fresh = Bench::fresh("north", Investigation);
    let (north, _south) = two(fresh, Bench::new("south")).await;
    let owner = north.node.owner();
    let listed = feature::List {}.run(&north.node, &owner).await.unwrap();
    let names: Vec<Feature> = listed.features.iter().map(|feature| feature.name).collect();
    assert_eq!(names, Feature::ALL);
    assert!(listed.features.iter().all(|feature| !feature.enabled));
    assert!(shown(&north, "south").await.available.is_empty());
    for kind in KINDS {
        lacks(
            offer(&north, kind, "1/26", "south").await,
            "this organisation",
            CaseShare,
        );
    }
    let enable = feature::Enable {
        features: features::all(),
    };
    let listed = north.change(enable.clone()).await.unwrap();
    assert!(listed.features.iter().all(|feature| feature.enabled));
    assert_eq!(shown(&north, "south").await.available, KINDS.into());
    for kind in KINDS {
        assert!(
            offer(&north, kind, "1/26", "south").await.is_ok(),
            "{kind:?}"
        );
    }
    let status = node::Status {}.run(&north.node, &owner).await.unwrap();
    assert_eq!(status.features, features::all());

    // Once more is no news.
    north.change(enable).await.unwrap();
    let records = audit::Show {
        about: None,
        after: None,
        limit: None,
    };
    let page = records.run(&north.node, &owner).await.unwrap();
    let set: Vec<_> = page
        .records
        .iter()
        .filter(|record| record.event == "features set")
        .collect();
    assert_eq!(set.len(), 1);
    assert_eq!(set[0].actor, Some(owner.actor));
    assert_eq!(set[0].way, Some(Way::Socket));
    let all: Vec<&str> = Feature::ALL.iter().map(|feature| feature.name()).collect();
    let details = set[0].details.as_ref().unwrap();
    assert_eq!(details["features_set"], serde_json::json!(all));
    north.rebuilds().await;
}

/// AE-011: who works on cases sees what is on, and changes nothing of it.
#[test]
fn features_are_switched_by_who_sets_what_counts_for_everybody() {
    let investigator = access::built_in(access::INVESTIGATOR).unwrap();
    let held = investigator.permissions();
    assert!(access::check(&held, "feature.list", Investigation).is_ok());
    for action in ["feature.enable", "feature.disable"] {
        let denied = access::check(&held, action, Investigation);
        let lacks = access::Denied::Lacks(Permission::SettingsManage);
        assert_eq!(denied, Err(lacks), "{action}");
    }
}

/// AE-066: a switch of its own, whatever else is on.
#[tokio::test]
async fn every_feature_is_switched_by_itself() {
    let north = Bench::fresh("north", Investigation);
    let on = || north.node.read(feature::of);
    for feature in Feature::ALL.iter().copied() {
        only_on(&north, &[feature]).await;
        assert_eq!(on().await.unwrap(), [feature].into());
        only_on(&north, &but(feature)).await;
        assert!(!on().await.unwrap().contains(&feature));
    }
    only_on(&north, &[ConfigurableCaseRetention]).await;
    assert!(
        feature::require(
            &north.node.parts().store.read().view(),
            ConfigurableCaseRetention
        )
        .is_ok()
    );
    north.rebuilds().await;
}

/// AE-012: on either side.
#[tokio::test]
async fn what_was_shared_before_a_feature_went_off_is_listed_and_goes_on() {
    let (north, south) = two(Bench::new("north"), Bench::new("south")).await;
    let made = offer(&north, Kind::Copy, "1/26", "south").await.unwrap();
    let share = made.shares[0].id;
    settle(&north, &south, share).await;
    for (node, other) in [(&north, &south), (&south, &north)] {
        only_on(node, &[]).await;
        hears(other, node).await;
    }
    for kind in KINDS {
        lacks(
            offer(&north, kind, "1/26", "south").await,
            "this organisation",
            CaseShare,
        );
    }
    let list = share::List::default();
    let listed = list.run(&north.node, &north.node.owner()).await.unwrap();
    assert_eq!(listed.shares.len(), 1);
    north.evidence("1/26", "b.txt", b"two").await;
    let add = share::Add {
        share,
        evidence: Vec::new(),
    };
    north.change(add).await.unwrap();
    settle(&north, &south, share).await;
    assert_eq!(south.listed(share).len(), 2);
    assert_eq!(north.shown(share).status, Status::Complete);
}

/// AE-014
#[tokio::test]
async fn share_sets_are_there_with_all_their_shares_once_their_feature_is_on() {
    let (north, _south) = two(Bench::new("north"), Bench::new("south")).await;
    let made = offer(&north, Kind::Copy, "1/26", "south").await.unwrap();
    only_on(&north, &but(NewUiCaseSharesManagement)).await;
    let error = north.sets_after(None, None).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict);
    assert!(error.hints[0].contains("interdocket feature enable new_ui_case_shares_management"));
    let list = share::List::default();
    let listed = list.run(&north.node, &north.node.owner()).await.unwrap();
    assert_eq!(listed.shares.len(), 1, "the old list shows them");
    only_on(&north, Feature::ALL).await;
    assert_eq!(north.sets()[0].id, made.set);
    assert_eq!(north.sets()[0].shares.len(), 1);
}

/// A partner that was not in contact yet may have every feature: it gets the offer, and judges by itself.
#[tokio::test]
async fn partner_that_has_not_said_its_features_is_offered_a_share_and_judges_it() {
    let (north, south) = two(Bench::new("north"), Bench::fresh("south", Investigation)).await;
    assert_eq!(shown(&north, "south").await.features, None);
    let made = offer(&north, Kind::Copy, "1/26", "south").await.unwrap();
    let share = made.shares[0].id;
    let refused = interdocket_sync::refusal::Refusal::NotEnabled;
    assert_eq!(north.deliver(&south, share).await, Some(Err(refused)));
    assert!(!south.holds(share));
    only_on(&south, &[CaseShare]).await;
    settle(&north, &south, share).await;
    assert_eq!(north.shown(share).status, Status::Complete);
}

/// A partner that says now this and now that, without end, or that is not trusted, fills no journal.
#[tokio::test]
async fn features_of_a_partner_are_recorded_where_they_change_and_only_so_often() {
    let (north, south) = two(Bench::new("north"), Bench::new("south")).await;
    let records = || north.node.parts().journal.head().count;
    hears(&north, &south).await;
    let before = records();
    hears(&north, &south).await;
    only_on(&south, &but(NewUiCaseSharesManagement)).await;
    hears(&north, &south).await;
    assert_eq!(
        records(),
        before,
        "nothing that partners learn of has changed"
    );
    hear(&north.node, south.id(), &[1]).await.unwrap();
    assert_eq!(records(), before + 1);
    assert_eq!(
        shown(&north, "south").await.features,
        Some([CaseShare].into())
    );
    let parts = north.node.parts();
    let now = parts.clock.elapsed();
    parts.moment.allowances.charge(south.id(), now, usize::MAX);
    hear(&north.node, south.id(), &[]).await.unwrap();
    assert_eq!(records(), before + 1);
    north.rebuilds().await;

    let suspend = partner::Suspend {
        partner: "north".into(),
    };
    south.change(suspend).await.unwrap();
    let known = shown(&south, "north").await.features;
    hears(&south, &north).await;
    assert_eq!(shown(&south, "north").await.features, known);
}

/// What the doctor says of features: on both sides, not known yet, and what either lacks.
#[tokio::test]
async fn doctor_says_which_side_lacks_what() {
    let (north, south) = two(Bench::new("north"), Bench::new("south")).await;
    let look = async || {
        let doctor = partner::Doctor {
            partner: "south".into(),
        };
        let found = doctor.run(&north.node, &north.node.owner()).await.unwrap();
        let mut found = found.findings.into_iter();
        found.find(|finding| finding.subject == "features").unwrap()
    };
    let unknown = look().await;
    assert!(unknown.ok && unknown.finding.contains("has not said"));
    hears(&north, &south).await;
    assert_eq!(look().await.finding, "on at both sides");
    only_on(&south, &[CaseShare]).await;
    hears(&north, &south).await;
    only_on(&north, &but(AdvancedSharing)).await;
    let found = look().await;
    let said = "this organisation has not enabled advanced_sharing; \
                it has not enabled case_sharing_by_reference, advanced_sharing";
    assert_eq!((found.ok, found.finding.as_str()), (false, said));
    assert!(found.advice.unwrap().contains("interdocket feature enable"));
}

/// OE-42
#[tokio::test]
async fn partners_that_are_not_configured_for_sharing_are_not_offered() {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    north.trust(&south, None).await;
    south.trust(&north, None).await;
    north.case("1/26").await;
    north.evidence("1/26", "a.txt", b"one").await;
    let configure = |kinds: &[Kind]| partner::Enable {
        partner: "south".into(),
        send: kinds.iter().copied().collect(),
        receive: Default::default(),
    };
    for kinds in [&[][..], &[Kind::Copy], &[]] {
        north.change(configure(kinds)).await.unwrap();
        let offered = shown(&north, "south").await.available;
        assert_eq!(offered, kinds.iter().copied().collect());
        for kind in [Kind::Copy, Kind::Reference] {
            let made = offer(&north, kind, "1/26", "south").await;
            assert_eq!(made.is_ok(), kinds.contains(&kind), "{kind:?}");
        }
    }
}
