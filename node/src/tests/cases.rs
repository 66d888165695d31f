//! Who makes cases, is assigned to them, and changes them.

use interdocket_sync::limits;

use crate::actions::{
    About, Action as _, Caller, Error, ErrorKind, Run, audit, case, evidence, reach, settings,
    share, target, user,
};
use crate::tests::bench::{Bench, caller, only, pair, settle, to};

async fn make(at: &Bench, who: &user::User) -> case::Case {
    let create = case::Create {
        number: "1/26".into(),
        title: String::new(),
        description: String::new(),
        targets: Vec::new(),
    };
    create.run(&at.node, &caller(who)).await.unwrap()
}

fn assign(users: &[&str]) -> case::Assign {
    case::Assign {
        case: "1/26".into(),
        users: users.iter().map(|&user| user.to_owned()).collect(),
    }
}

async fn ask<A: Run>(at: &Bench, who: &user::User, action: A) -> Result<A::Reply, Error> {
    action.run(&at.node, &caller(who)).await
}

fn edit() -> case::Edit {
    case::Edit {
        case: "1/26".into(),
        number: None,
        title: Some("Anew".into()),
        description: None,
    }
}

async fn restrict(at: &Bench, restrict: bool) {
    let set = settings::Set {
        restrict_edit: Some(restrict),
        banner: None,
        deletion_days: None,
        disclosure_portal: None,
    };
    assert_eq!(at.change(set).await.unwrap().restrict_edit, restrict);
}

/// OE-01, OE-35, OE-37
#[tokio::test]
async fn several_people_are_assigned_at_once_for_good_and_on_record() {
    let north = Bench::new("north");
    let alice = north.person("Alice", "").await.unwrap();
    let amy = north.person("Amy", "4711").await.unwrap();
    north.person("Ben", "").await.unwrap();
    make(&north, &alice).await;
    assert!(ask(&north, &amy, edit()).await.is_err());
    let case = ask(&north, &alice, assign(&["ben", "4711", "Ben"]))
        .await
        .unwrap();
    assert_eq!(
        case.assignees,
        ["Ben", "Amy"],
        "the first one first, each once"
    );
    assert_eq!(case.access, ["Alice", "Amy", "Ben"]);
    ask(&north, &amy, edit()).await.unwrap();
    let show = audit::Show {
        about: Some("1/26".into()),
        ..audit::Show::default()
    };
    let records = show
        .run(&north.node, &north.node.owner())
        .await
        .unwrap()
        .records;
    let assigned: Vec<_> = records
        .iter()
        .filter(|record| record.event == "case assigned")
        .collect();
    assert_eq!(assigned.len(), 1);
    assert_eq!(assigned[0].actor.as_ref().unwrap().name, "Alice");
    let case = ask(&north, &alice, assign(&["Amy"])).await.unwrap();
    assert_eq!(
        (case.assignees, case.access),
        (vec!["Amy".into()], vec!["Alice".into(), "Amy".into()])
    );
    north.rebuilds().await;
}

#[tokio::test]
async fn who_has_no_access_any_more_is_not_assigned_any_more() {
    let north = Bench::new("north");
    let alice = north.person("Alice", "").await.unwrap();
    for name in ["Amy", "Ben"] {
        north.person(name, "").await.unwrap();
    }
    make(&north, &alice).await;
    ask(&north, &alice, assign(&["Amy", "Ben"])).await.unwrap();
    let access = case::Access {
        case: "1/26".into(),
        add: Vec::new(),
        remove: vec!["Amy".into()],
    };
    let case = ask(&north, &alice, access).await.unwrap();
    assert_eq!(case.assignees, ["Ben"]);
    assert_eq!(case.access, ["Alice", "Ben"]);
    north.rebuilds().await;
}

/// OE-39
#[tokio::test]
async fn an_assignment_that_is_not_taken_changes_nothing() {
    let north = Bench::new("north");
    let alice = north.person("Alice", "").await.unwrap();
    north.person("Amy", "").await.unwrap();
    let before = make(&north, &alice).await;
    let refused = ask(&north, &alice, assign(&["Amy", "Nobody"]))
        .await
        .unwrap_err();
    assert_eq!(refused.kind, ErrorKind::NotFound);
    let show = case::Show {
        case: "1/26".into(),
    };
    assert_eq!(ask(&north, &alice, show).await.unwrap(), before);
}

/// OE-59
#[tokio::test]
async fn a_case_says_who_made_it_whoever_it_is_assigned_to_and_opens_again() {
    let north = Bench::new("north");
    let alice = north.person("Alice", "").await.unwrap();
    north.person("Amy", "").await.unwrap();
    assert_eq!(make(&north, &alice).await.created_by.unwrap(), "Alice");
    ask(&north, &alice, assign(&["Alice", "Amy"]))
        .await
        .unwrap();
    let case = ask(&north, &alice, assign(&["Amy"])).await.unwrap();
    assert_eq!(case.created_by.unwrap(), "Alice");
    assert_eq!(case.access, ["Alice", "Amy"], "who made it keeps access");
    let close = || case::Close {
        case: "1/26".into(),
    };
    let reopen = || case::Reopen {
        case: "1/26".into(),
    };
    for _ in 0..2 {
        assert_eq!(
            ask(&north, &alice, close()).await.unwrap().state,
            case::State::Closed
        );
        assert!(north.try_evidence("1/26", "a.bin", b"one").await.is_err());
        assert_eq!(
            ask(&north, &alice, reopen()).await.unwrap().state,
            case::State::Open
        );
        ask(&north, &alice, reopen()).await.unwrap();
    }
    north.evidence("1/26", "a.bin", b"one").await;
    north.rebuilds().await;
}

/// OE-04 to OE-07
#[tokio::test]
async fn where_editing_is_restricted_only_who_made_a_case_assignees_and_administrators_change_it() {
    let north = Bench::new("north");
    let alice = north.person("Alice", "").await.unwrap();
    let amy = north.person("Amy", "").await.unwrap();
    let ben = north.person("Ben", "").await.unwrap();
    make(&north, &alice).await;
    let item = north.evidence("1/26", "a.bin", b"one").await.id;
    let access = case::Access {
        case: "1/26".into(),
        add: vec!["Ben".into()],
        remove: Vec::new(),
    };
    ask(&north, &alice, access.clone()).await.unwrap();
    ask(&north, &ben, edit()).await.unwrap();
    restrict(&north, true).await;
    let describe = || evidence::Edit {
        evidence: item,
        title: Some("Anew".into()),
        folder: None,
        case: None,
        fields: Default::default(),
    };
    let add = || target::Add {
        case: "1/26".into(),
        name: "T".into(),
        description: String::new(),
    };
    let refused = [
        ask(&north, &ben, edit()).await.map(drop),
        ask(&north, &ben, describe()).await.map(drop),
        ask(&north, &ben, add()).await.map(drop),
        ask(&north, &ben, access).await.map(drop),
        ask(&north, &ben, assign(&["Ben"])).await.map(drop),
    ];
    for refused in refused {
        assert_eq!(refused.unwrap_err().kind, ErrorKind::Forbidden);
    }
    let show = case::Show {
        case: "1/26".into(),
    };
    ask(&north, &ben, show).await.unwrap();
    ask(&north, &alice, edit()).await.unwrap();
    ask(&north, &alice, assign(&["Amy"])).await.unwrap();
    ask(&north, &amy, edit()).await.unwrap();
    ask(&north, &amy, describe()).await.unwrap();
    north.change(edit()).await.unwrap();
    ask(&north, &alice, assign(&[])).await.unwrap();
    assert!(ask(&north, &amy, edit()).await.is_err());
    restrict(&north, false).await;
    ask(&north, &ben, edit()).await.unwrap();
    let allowed = ask(&north, &ben, settings::Set::default()).await;
    assert_eq!(allowed.unwrap_err().kind, ErrorKind::Forbidden);
    north.rebuilds().await;
}

/// OE-36: whatever is set, and for each action on a case.
#[tokio::test]
async fn who_is_assigned_may_what_who_made_a_case_may() {
    let north = Bench::new("north");
    let alice = north.person("Alice", "").await.unwrap();
    let amy = north.person("Amy", "").await.unwrap();
    make(&north, &alice).await;
    ask(&north, &alice, assign(&["Amy"])).await.unwrap();
    for restricted in [false, true] {
        restrict(&north, restricted).await;
        let (one, other): (Caller, Caller) = (caller(&alice), caller(&amy));
        assert_eq!(one.permissions, other.permissions, "of the same role");
        let reading = north.node.parts().store.read();
        for action in [
            case::Edit::NAME,
            case::Assign::NAME,
            share::Copy::NAME,
            "evidence.add",
        ] {
            let about = About::Case("1/26".into());
            for who in [&one, &other] {
                assert_eq!(reach::check(&reading.view(), who, action, &about), Ok(()));
            }
        }
    }
}

/// AE-072: or to nobody, where no user is among the recipients.
#[tokio::test]
async fn what_is_received_is_assigned_to_the_first_recipient_who_is_a_user() {
    let (north, south) = pair().await;
    for name in ["Bob", "Bea"] {
        south.person(name, "").await.unwrap();
    }
    let group = crate::actions::group::Add {
        name: "Homicide".into(),
        kind: Default::default(),
    };
    south.change(group).await.unwrap();
    let cases = [
        ("1/26", vec!["Bob", "Bea"], vec!["Bob"]),
        ("2/26", vec!["Bea", "Bob"], vec!["Bea"]),
        ("3/26", vec!["Homicide", "Bob"], vec!["Bob"]),
        ("4/26", vec!["Homicide"], vec![]),
    ];
    for (number, recipients, assigned) in cases {
        north.case(number).await;
        north.evidence(number, "a.bin", number.as_bytes()).await;
        let copy = share::Copy {
            case: number.into(),
            to: vec![to("south", &recipients)],
            evidence: Vec::new(),
            folders: Vec::new(),
            targets: None,
            message: String::new(),
            attachments: None,
        };
        let made = only(north.change(copy).await.unwrap());
        settle(&north, &south, made.id).await;
        let show = case::Show {
            case: number.into(),
        };
        let case = show.run(&south.node, &south.node.owner()).await.unwrap();
        assert_eq!(case.assignees, assigned, "{recipients:?}");
        assert_eq!(case.created_by, None);
    }
}

/// OE-60
#[tokio::test]
async fn case_has_targets_from_its_making_on_and_takes_more_later() {
    let north = Bench::new("north");
    let create = |number: &str, targets: &[&str]| case::Create {
        number: number.into(),
        title: String::new(),
        description: String::new(),
        targets: targets.iter().map(|&name| name.to_owned()).collect(),
    };
    north
        .change(create("1/26", &["Rae Lind", " Kai Berg "]))
        .await
        .unwrap();
    let add = target::Add {
        case: "1/26".into(),
        name: "Ida Holm".into(),
        description: String::new(),
    };
    let targets = north.change(add).await.unwrap().targets;
    let names: Vec<_> = targets.iter().map(|target| target.name.as_str()).collect();
    assert_eq!(names, ["Rae Lind", "Kai Berg", "Ida Holm"]);
    // With a target that is none, no case is made.
    assert!(
        north
            .change(create("2/26", &["Rae Lind", " "]))
            .await
            .is_err()
    );
    let many = vec!["Rae Lind"; limits::TARGETS_MAX + 1];
    assert!(north.change(create("2/26", &many)).await.is_err());
    north.change(create("2/26", &[])).await.unwrap();
}
