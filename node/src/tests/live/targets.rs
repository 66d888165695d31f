//! Whom a case is about: what of that a partner has, and what not.

use interdocket_sync::id::TargetId;

use super::support::introduce;
use super::*;
use crate::actions::share::Targets;
use crate::actions::{group, target};
use crate::tests::bench::{only, to};

async fn add(at: &Bench, name: &str) -> TargetId {
    let add = target::Add {
        case: "1/26".into(),
        name: name.into(),
        description: format!("{name} has a boat"),
    };
    let targets = at.change(add).await.unwrap().targets;
    targets.iter().find(|held| held.name == name).unwrap().id
}

/// Shares the case with these of its targets.
async fn share_with(at: &Bench, with: &Bench, targets: Option<Targets>) -> ShareId {
    let advanced = share::Advanced {
        case: "1/26".into(),
        to: vec![to(with.name, &["Sol Reyes"])],
        evidence: Vec::new(),
        folders: Vec::new(),
        targets,
        units: Vec::new(),
        message: String::new(),
    };
    only(at.change(advanced).await.unwrap()).id
}

/// Names of the targets that Sol sees of a share.
async fn names(at: &Bench, share: ShareId) -> Vec<String> {
    let targets = seen(at, share).await.external.case.unwrap().targets;
    targets.into_iter().map(|target| target.name).collect()
}

/// Waits until everything that north has to say of a share is said.
async fn said(north: &Bench, share: ShareId) {
    until("it is said", || {
        let shown = north.shown(share);
        shown.status == Status::Active && shown.behind == 0
    })
    .await;
}

/// Targets of the case at a node of its own.
fn own(at: &Bench) -> Vec<(String, bool)> {
    let reading = at.node.parts().store.read();
    let list = target::List {
        case: "1/26".into(),
    };
    let now = at.node.parts().clock.now();
    let held = actions::Query::answer(&list, &reading.view(), &at.node.owner(), now);
    let held = held.map(|held| held.targets).unwrap_or_default();
    let held = held.into_iter();
    held.map(|target| (target.name, target.share.is_some()))
        .collect()
}

/// OE-43: without being asked, also into what was imported, once somebody takes it over.
#[tokio::test(flavor = "multi_thread")]
async fn targets_that_are_added_later_are_shared_by_themselves() {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    let live = Live::new();
    live.pair(&north, &south, Mode::Synchronised, true).await;
    north.case("1/26").await;
    north.evidence("1/26", "a.bin", b"one").await;
    let first = add(&north, "Rae Lind").await;
    let share = share_with(&north, &south, None).await;
    said(&north, share).await;
    assert_eq!(names(&south, share).await, ["Rae Lind"]);
    add(&north, "Ola Vik").await;
    said(&north, share).await;
    assert_eq!(names(&south, share).await, ["Rae Lind", "Ola Vik"]);
    for (_, value) in south.tables() {
        let holds = value.windows(7).any(|window| window == b"Ola Vik");
        assert!(!holds, "a name in the tables, outside the seal");
    }
    import(&south, share, Vec::new()).await.unwrap();
    let has = |names: &[&str]| {
        let mut held: Vec<String> = own(&south).into_iter().map(|(name, _)| name).collect();
        held.sort();
        held == names
    };
    until("both are imported", || has(&["Ola Vik", "Rae Lind"])).await;
    assert!(own(&south).iter().all(|(_, received)| *received));
    add(&south, "Of south's own").await;
    let edit = target::Edit {
        case: "1/26".into(),
        target: first,
        name: Some("Rae Lund".into()),
        description: None,
    };
    north.change(edit).await.unwrap();
    said(&north, share).await;
    import(&south, share, Vec::new()).await.unwrap();
    let after = ["Of south's own", "Ola Vik", "Rae Lund"];
    until("what changed is taken over", || has(&after)).await;
    live.end().await;
    for node in [&north, &south] {
        node.rebuilds().await;
    }
}

/// OE-44: nothing about one that was not chosen is written, sent, or to be noticed.
#[tokio::test(flavor = "multi_thread")]
async fn targets_that_were_not_chosen_are_not_shared() {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    let live = Live::new();
    live.pair(&north, &south, Mode::Live, true).await;
    north.case("1/26").await;
    north.evidence("1/26", "a.bin", b"one").await;
    let first = add(&north, "Rae Lind").await;
    let share = share_with(&north, &south, Some(Targets::Present)).await;
    said(&north, share).await;
    let written = || north.about(share.uuid()).len();
    let before = written();
    let third = add(&north, "Ola Vik").await;
    said(&north, share).await;
    assert_eq!(written(), before, "nothing is said in this share");
    assert_eq!(names(&south, share).await, ["Rae Lind"]);
    let unchosen = target::Remove {
        case: "1/26".into(),
        target: third,
    };
    north.change(unchosen).await.unwrap();
    said(&north, share).await;
    assert_eq!(written(), before);
    let fourth = add(&north, "Tor Moe").await;
    let choose = share::ChooseTargets {
        share,
        add: vec![fourth],
        remove: vec![first],
    };
    let chosen = north.change(choose).await.unwrap();
    assert_eq!(chosen.targets, ["Tor Moe"]);
    said(&north, share).await;
    assert_eq!(names(&south, share).await, ["Tor Moe"]);
    live.end().await;
    north.rebuilds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_a_case_has_no_targets_until_some_are_chosen() {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    let live = Live::new();
    live.pair(&north, &south, Mode::Live, true).await;
    north.case("1/26").await;
    let item = north.evidence("1/26", "a.bin", b"one").await.id;
    let target = add(&north, "Rae Lind").await;
    let reference = share::Reference {
        case: "1/26".into(),
        to: vec![to("south", &["Sol Reyes"])],
        days: 1,
        evidence: vec![item],
        folders: Vec::new(),
        targets: None,
        message: String::new(),
    };
    let share = only(north.change(reference).await.unwrap()).id;
    until("it is accepted", || {
        status(&south, share) == Some(Status::Active)
            && status(&north, share) == Some(Status::Active)
    })
    .await;
    assert_eq!(names(&south, share).await, [""; 0]);
    let choose = share::ChooseTargets {
        share,
        add: vec![target],
        remove: Vec::new(),
    };
    north.change(choose).await.unwrap();
    assert_eq!(names(&south, share).await, ["Rae Lind"]);
    live.end().await;
}

/// A copy has those of when it was made: what its partner does with them is its own business.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_brings_its_targets_along() {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    let live = Live::new();
    live.pair(&north, &south, Mode::Live, true).await;
    north.case("1/26").await;
    north.evidence("1/26", "a.bin", b"one").await;
    add(&north, "Rae Lind").await;
    let share = north.copy("1/26", "south").await.unwrap().id;
    until("it is complete", || {
        status(&north, share) == Some(Status::Complete)
    })
    .await;
    assert_eq!(own(&south), [("Rae Lind".to_owned(), true)]);
    add(&north, "Ola Vik").await;
    assert_eq!(north.shown(share).targets, ["Rae Lind"]);
    live.end().await;
}

/// OE-46, OE-47: agencies, units and the option stand in the list of what is shared.
#[tokio::test]
async fn a_set_is_listed_with_its_units_and_whether_new_targets_go_along() {
    let north = Bench::new("north");
    let others = ["south", "court"].map(Bench::new);
    for other in &others {
        introduce(&north, other, Mode::Live, true).await;
    }
    let amy = north.person("Amy", "").await.unwrap();
    for unit in ["U1", "U2", "U3"] {
        let add = group::Add {
            name: unit.into(),
            kind: group::Kind::Unit,
        };
        north.change(add).await.unwrap();
    }
    north.case("1/26").await;
    let advanced = |units: &[&str], targets| share::Advanced {
        case: "1/26".into(),
        to: vec![to("south", &["Sol Reyes"]), to("court", &["Lee Park"])],
        evidence: Vec::new(),
        folders: Vec::new(),
        targets,
        units: units.iter().map(|&unit| unit.into()).collect(),
        message: String::new(),
    };
    let both = advanced(&["U1", "u2"], None);
    north.change(both).await.unwrap();
    let none = advanced(&[], Some(Targets::Present));
    north.change(none).await.unwrap();
    let unknown = north.change(advanced(&["U9"], None)).await.unwrap_err();
    assert_eq!(unknown.kind, actions::ErrorKind::NotFound);
    let sets: Vec<_> = north
        .sets()
        .into_iter()
        .map(|set| {
            let partners = set.shares.into_iter().map(|share| share.partner_name);
            (partners.collect::<Vec<_>>(), set.units, set.all_targets)
        })
        .collect();
    let agencies = vec!["south".to_owned(), "court".to_owned()];
    let units = vec!["U1".to_owned(), "U2".to_owned()];
    let expected = [
        (agencies.clone(), units.clone(), true),
        (agencies, Vec::new(), false),
    ];
    assert_eq!(sets, expected);
    let reading = north.node.parts().store.read();
    let (id, case) = actions::decide::case(&reading.view(), "1/26").unwrap();
    let shown = case::Case::of(&reading.view(), id, case).unwrap();
    assert_eq!(shown.access, units, "and {} has not", amy.name);
}
