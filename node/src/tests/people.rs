//! What people of one organisation may do.

use std::collections::BTreeSet;

use crate::access::Permission::{self, *};
use crate::access::{INVESTIGATOR, Permissions};
use crate::actions::partner::{self, Kind, OrganisationRole};
use crate::actions::{
    Caller, Error, ErrorKind, Run, audit, case, group, people, role, share, token, user,
};
use crate::tests::bench::{Bench, only, to};

/// All that sharing a copy and a reference needs.
const SHARING: [Permission; 5] = [
    CaseShare,
    CaseShareExternally,
    CaseShareCopy,
    EvidenceShare,
    EvidenceShareExternally,
];

async fn add(at: &Bench, name: &str, holds: &[Permission]) -> Result<role::Role, Error> {
    let add = role::Add {
        name: name.into(),
        permissions: holds.iter().copied().collect(),
    };
    at.change(add).await
}

async fn edit(at: &Bench, role: &str, add: &[Permission], remove: &[Permission]) {
    let set = |all: &[Permission]| -> Permissions { all.iter().copied().collect() };
    let edit = role::Edit {
        role: role.into(),
        add: set(add),
        remove: set(remove),
    };
    at.change(edit).await.unwrap();
}

/// Somebody of a role, by the token that they were given.
async fn person(at: &Bench, name: &str, role: &str) -> String {
    let add = user::Add {
        name: name.into(),
        role: role.into(),
        email: String::new(),
        badge: String::new(),
    };
    at.change(add).await.unwrap();
    let token = token::Add {
        user: name.into(),
        days: None,
    };
    at.change(token).await.unwrap().token
}

fn caller(at: &Bench, token: &str) -> Caller {
    at.node.authenticate(token).unwrap()
}

async fn ask<A: Run>(at: &Bench, token: &str, action: A) -> Result<A::Reply, Error> {
    action.run(&at.node, &caller(at, token)).await
}

async fn make(at: &Bench, token: &str) {
    let create = case::Create {
        number: "1/26".into(),
        title: String::new(),
        description: String::new(),
        targets: Vec::new(),
    };
    ask(at, token, create).await.unwrap();
    at.evidence("1/26", "a.bin", b"one").await;
}

fn copy() -> share::Copy {
    share::Copy {
        case: "1/26".into(),
        to: vec![to("south", &["Sol"])],
        evidence: Vec::new(),
        folders: Vec::new(),
        targets: None,
        message: String::new(),
        attachments: None,
    }
}

fn reference() -> share::Reference {
    share::Reference {
        case: "1/26".into(),
        to: vec![to("south", &["Sol"])],
        days: 7,
        evidence: Vec::new(),
        folders: Vec::new(),
        targets: None,
        message: String::new(),
    }
}

fn advanced() -> share::Advanced {
    share::Advanced {
        case: "1/26".into(),
        to: vec![to("south", &["Sol"])],
        evidence: Vec::new(),
        folders: Vec::new(),
        units: Vec::new(),
        targets: None,
        message: String::new(),
    }
}

/// Two nodes that trust each other with every kind of share, and somebody of the role "Clerk" with a case.
async fn clerk(role: OrganisationRole, holds: &[Permission]) -> (Bench, Bench, String) {
    let (north, south) = (Bench::of("north", role), Bench::new("south"));
    north.trust(&south, None).await;
    let kinds: BTreeSet<Kind> = [Kind::Copy, Kind::Reference, Kind::Advanced].into();
    let enable = partner::Enable {
        partner: "south".into(),
        send: kinds.clone(),
        receive: kinds,
    };
    north.change(enable).await.unwrap();
    let policy = partner::SetPolicy {
        partner: "south".into(),
        mode: share::Mode::Live,
        download: true,
        import: true,
        onward: false,
    };
    north.change(policy).await.unwrap();
    let own: Vec<Permission> = [CaseView, CaseCreate]
        .iter()
        .chain(holds)
        .copied()
        .collect();
    add(&north, "Clerk", &own).await.unwrap();
    let token = person(&north, "Alice", "Clerk").await;
    make(&north, &token).await;
    (north, south, token)
}

/// AE-003, AJ-03
#[tokio::test]
async fn who_may_not_share_shares_nothing_in_any_way_and_each_try_is_on_record() {
    for role in [OrganisationRole::Investigation, OrganisationRole::Justice] {
        let (north, _south, token) = clerk(role, &[]).await;
        let refused = [
            ask(&north, &token, copy()).await.unwrap_err(),
            ask(&north, &token, reference()).await.unwrap_err(),
            ask(&north, &token, advanced()).await.unwrap_err(),
        ];
        let tried = ["share.copy", "share.reference", "share.advanced"];
        for (error, action) in refused.iter().zip(tried) {
            assert_eq!(error.kind, ErrorKind::Forbidden);
            assert!(error.message.contains(action) && error.message.contains("case.share"));
        }
        assert_eq!(north.sets(), [], "nothing was made");
        north.node.tidy().await;
        let owner = north.node.owner();
        let page = audit::Show::default().run(&north.node, &owner);
        let records = page.await.unwrap().records;
        let refusals = records.iter().filter(|record| record.event == "refused");
        let named: Vec<String> = refusals
            .map(|record| record.details.clone().unwrap().to_string())
            .collect();
        for action in tried {
            let one = named.iter().filter(|details| details.contains(action));
            assert_eq!(one.count(), 1, "{action}: {named:?}");
        }
    }
}

/// AE-004 to AE-007, AJ-05, AJ-06, AJ-08: without one of them, references and copies are refused; with it again, they
/// are made.
#[tokio::test]
async fn each_permission_to_share_is_needed_and_named() {
    let (north, _south, token) = clerk(OrganisationRole::Investigation, &SHARING).await;
    for permission in [
        CaseShare,
        CaseShareExternally,
        EvidenceShare,
        EvidenceShareExternally,
    ] {
        edit(&north, "clerk", &[], &[permission]).await;
        for refused in [
            ask(&north, &token, copy()).await.unwrap_err(),
            ask(&north, &token, reference()).await.unwrap_err(),
        ] {
            assert_eq!(refused.kind, ErrorKind::Forbidden);
            assert!(refused.message.ends_with(permission.name()), "{refused}");
        }
        edit(&north, "CLERK", &[permission], &[]).await;
        only(ask(&north, &token, copy()).await.unwrap());
        only(ask(&north, &token, reference()).await.unwrap());
    }
}

/// AE-006, AE-007, AJ-06: what is needed for partners is not needed inside.
#[tokio::test]
async fn who_may_share_inside_only_gives_a_case_to_colleagues_only() {
    let (north, _south, token) =
        clerk(OrganisationRole::Investigation, &[CaseShare, EvidenceShare]).await;
    person(&north, "Amy", INVESTIGATOR).await;
    let access = case::Access {
        case: "1/26".into(),
        add: vec!["Amy".into()],
        remove: Vec::new(),
    };
    let case = ask(&north, &token, access).await.unwrap();
    assert_eq!(case.access, ["Alice", "Amy"]);
    let refused = ask(&north, &token, copy()).await.unwrap_err();
    assert!(
        refused.message.ends_with(CaseShareExternally.name()),
        "{refused}"
    );
}

/// AJ-09
#[tokio::test]
async fn a_copy_from_a_justice_organisation_needs_a_permission_of_its_own() {
    let (north, _south, token) = clerk(OrganisationRole::Justice, &SHARING).await;
    edit(&north, "Clerk", &[], &[CaseShareCopy]).await;
    let refused = ask(&north, &token, copy()).await.unwrap_err();
    assert!(refused.message.ends_with(CaseShareCopy.name()), "{refused}");
    ask(&north, &token, advanced()).await.unwrap();
    edit(&north, "Clerk", &[CaseShareCopy], &[]).await;
    ask(&north, &token, copy()).await.unwrap();
}

#[tokio::test]
async fn nobody_gives_what_they_do_not_hold() {
    let north = Bench::new("north");
    add(&north, "Personnel", &[PeopleView, PeopleManage, CaseView])
        .await
        .unwrap();
    let token = person(&north, "Pia", "Personnel").await;
    person(&north, "Alex", "administrator").await;
    let forbidden =
        |asked: Result<(), Error>| assert_eq!(asked.unwrap_err().kind, ErrorKind::Forbidden);
    let new = |role: &str| user::Add {
        name: "Kim".into(),
        role: role.into(),
        email: String::new(),
        badge: String::new(),
    };
    let to_role = |user: &str, role: &str| user::Edit {
        user: user.into(),
        name: None,
        role: Some(role.into()),
        email: None,
        badge: None,
    };
    forbidden(ask(&north, &token, new(INVESTIGATOR)).await.map(drop));
    forbidden(
        ask(&north, &token, to_role("Pia", "administrator"))
            .await
            .map(drop),
    );
    forbidden(
        ask(&north, &token, to_role("Alex", "Personnel"))
            .await
            .map(drop),
    );
    let of_alex = token::Add {
        user: "Alex".into(),
        days: None,
    };
    forbidden(ask(&north, &token, of_alex).await.map(drop));
    let wider = role::Edit {
        role: "Personnel".into(),
        add: [AuditView].into(),
        remove: Permissions::new(),
    };
    forbidden(ask(&north, &token, wider).await.map(drop));
    let other = role::Add {
        name: "Other".into(),
        permissions: [NodeManage].into(),
    };
    forbidden(ask(&north, &token, other).await.map(drop));
    ask(&north, &token, new("personnel")).await.unwrap();
}

#[tokio::test]
async fn what_a_role_holds_counts_at_once_for_everybody_who_has_it() {
    let north = Bench::new("north");
    add(&north, "Reader", &[CaseView]).await.unwrap();
    let (one, other) = (
        person(&north, "Amy", "Reader").await,
        person(&north, "Ben", "reader").await,
    );
    let list = |token: String| {
        let north = &north;
        async move { ask(north, &token, user::List::default()).await }
    };
    assert!(list(one.clone()).await.is_err() && list(other.clone()).await.is_err());
    edit(&north, "Reader", &[PeopleView], &[]).await;
    for token in [&one, &other] {
        let users = list(token.clone()).await.unwrap().users;
        assert!(
            users.iter().all(|user| user.role == "Reader"),
            "as it is written"
        );
    }
    edit(&north, "Reader", &[], &[PeopleView]).await;
    assert!(list(one).await.is_err() && list(other).await.is_err());
    north.rebuilds().await;
}

#[tokio::test]
async fn a_role_is_removed_once_nobody_has_it() {
    let north = Bench::new("north");
    add(&north, "Reader", &[CaseView]).await.unwrap();
    person(&north, "Amy", "Reader").await;
    let remove = || role::Remove {
        role: "READER".into(),
    };
    let refused = north.change(remove()).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Conflict);
    assert_eq!(refused.message, "1 user has the role \"Reader\"");
    let edit = user::Edit {
        user: "Amy".into(),
        name: None,
        role: Some("auditor".into()),
        email: None,
        badge: None,
    };
    north.change(edit).await.unwrap();
    north.change(remove()).await.unwrap();
    let list = role::List {}.run(&north.node, &north.node.owner()).await;
    let names: Vec<String> = list
        .unwrap()
        .roles
        .into_iter()
        .map(|role| role.name)
        .collect();
    assert_eq!(names, ["administrator", "investigator", "auditor"]);
    let gone = north.change(remove()).await.unwrap_err();
    assert_eq!(gone.kind, ErrorKind::NotFound);
    north.rebuilds().await;
}

#[tokio::test]
async fn roles_that_every_node_has_stay_as_they_are() {
    let north = Bench::new("north");
    let edit = role::Edit {
        role: "Auditor".into(),
        add: [CaseEdit].into(),
        remove: Permissions::new(),
    };
    assert_eq!(
        north.change(edit).await.unwrap_err().kind,
        ErrorKind::Conflict
    );
    let remove = role::Remove {
        role: "administrator".into(),
    };
    assert_eq!(
        north.change(remove).await.unwrap_err().kind,
        ErrorKind::Conflict
    );
    add(&north, "Clerk", &[CaseView]).await.unwrap();
    for taken in ["auditor", "AUDITOR", " clerk "] {
        let refused = add(&north, taken, &[CaseView]).await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Conflict, "{taken}");
    }
}

/// A record of a role that can't be read leaves its people without rights, not with others.
#[tokio::test]
async fn a_role_that_is_unknown_holds_nothing() {
    let north = Bench::new("north");
    let reading = north.node.parts().store.read();
    let held = role::held(&reading.view(), "nobody").unwrap();
    assert_eq!(held, Permissions::new());
}

#[tokio::test]
async fn a_token_that_was_revoked_proves_nothing_and_others_of_the_user_do() {
    let north = Bench::new("north");
    let one = person(&north, "Amy", INVESTIGATOR).await;
    let add = |days| token::Add {
        user: "amy".into(),
        days,
    };
    let other = north.change(add(Some(1))).await.unwrap();
    let list = async || {
        let list = token::List {
            user: "Amy".into(),
            after: None,
            limit: None,
        };
        let page = list.run(&north.node, &north.node.owner()).await;
        let tokens = page.unwrap().tokens.into_iter();
        tokens.map(|token| token.id).collect::<Vec<_>>()
    };
    let ids = list().await;
    assert_eq!(
        (ids.len(), ids[1]),
        (2, other.id),
        "in the order in which they were made"
    );
    let revoke = || token::Revoke { token: ids[0] };
    assert_eq!(north.change(revoke()).await.unwrap().user, "Amy");
    assert_eq!(
        north.node.authenticate(&one).unwrap_err().kind,
        ErrorKind::Forbidden
    );
    assert_eq!(
        north.node.authenticate(&other.token).unwrap().actor.name,
        "Amy"
    );
    assert_eq!(list().await, [other.id]);
    let again = north.change(revoke()).await.unwrap_err();
    assert_eq!(again.kind, ErrorKind::NotFound);
    north.pass(2 * 24 * 3600);
    assert!(list().await.is_empty(), "what ran out is not listed");
    north.rebuilds().await;
}

async fn disable(at: &Bench, name: &str) -> Result<user::User, Error> {
    let user = name.to_owned();
    at.change(user::Disable { user }).await
}

/// AC-2: at once, by whatever they were let in; what they did stays theirs.
#[tokio::test]
async fn a_disabled_user_does_nothing_from_the_next_call_on_until_enabled() {
    let north = Bench::new("north");
    let amy = person(&north, "Amy", INVESTIGATOR).await;
    make(&north, &amy).await;
    assert!(disable(&north, "Amy").await.unwrap().disabled_at.is_some());
    let refused = north.node.authenticate(&amy).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Forbidden);
    let token = token::Add {
        user: "Amy".into(),
        days: None,
    };
    assert_eq!(
        north.change(token).await.unwrap_err().kind,
        ErrorKind::Conflict
    );
    let show = case::Show {
        case: "1/26".into(),
    };
    let shown = show.run(&north.node, &north.node.owner()).await.unwrap();
    assert_eq!(shown.created_by.as_deref(), Some("Amy"));
    assert_eq!(shown.access, ["Amy"]);
    let taken = north.person("amy", "").await.unwrap_err();
    assert_eq!(taken.kind, ErrorKind::Conflict, "nobody else is called so");
    let north = north.crash(2);
    assert!(north.node.authenticate(&amy).is_err());
    let enable = user::Enable { user: "Amy".into() };
    assert_eq!(north.change(enable).await.unwrap().disabled_at, None);
    assert_eq!(north.node.authenticate(&amy).unwrap().actor.name, "Amy");
    north.rebuilds().await;
}

#[tokio::test]
async fn who_is_disabled_is_given_nothing_and_found_by_nobody() {
    let north = Bench::new("north");
    let amy = person(&north, "Amy", INVESTIGATOR).await;
    make(&north, &amy).await;
    north.person("Ben", "4711").await.unwrap();
    disable(&north, "Ben").await.unwrap();
    let conflict =
        |asked: Result<(), Error>| assert_eq!(asked.unwrap_err().kind, ErrorKind::Conflict);
    let (case, ben) = ("1/26".to_owned(), vec!["4711".to_owned()]);
    let assign = case::Assign {
        case: case.clone(),
        users: ben.clone(),
    };
    conflict(ask(&north, &amy, assign).await.map(drop));
    let access = |add: &[String], remove: &[String]| case::Access {
        case: case.clone(),
        add: add.to_vec(),
        remove: remove.to_vec(),
    };
    conflict(ask(&north, &amy, access(&ben, &[])).await.map(drop));
    ask(&north, &amy, access(&[], &ben)).await.unwrap();
    let add = group::Add {
        name: "Homicide".into(),
        kind: group::Kind::Group,
    };
    north.change(add).await.unwrap();
    let join = group::Edit {
        group: "homicide".into(),
        add: ben,
        remove: Vec::new(),
    };
    conflict(north.change(join).await.map(drop));
    let reading = north.node.parts().store.read();
    assert_eq!(people::name(&reading.view(), "4711").unwrap(), None);
    drop(reading);
    let found = case::Assignable {
        case,
        find: None,
        after: None,
        limit: None,
    };
    let found = ask(&north, &amy, found).await.unwrap().people;
    let names: Vec<&str> = found.iter().map(|found| found.name.as_str()).collect();
    assert_eq!(names, ["Amy"]);
}

#[tokio::test]
async fn the_last_administrator_is_disabled_by_who_runs_the_node_only() {
    let north = Bench::new("north");
    let one = person(&north, "Ada", "administrator").await;
    let other = person(&north, "Bo", "administrator").await;
    let user = |name: &str| user::Disable { user: name.into() };
    ask(&north, &one, user("Bo")).await.unwrap();
    assert!(north.node.authenticate(&other).is_err());
    let refused = ask(&north, &one, user("Ada")).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Conflict);
    disable(&north, "Ada").await.unwrap();
    assert!(north.node.authenticate(&one).is_err());
    // Somebody who may manage people and holds less than an administrator disables none.
    add(&north, "Personnel", &[PeopleView, PeopleManage])
        .await
        .unwrap();
    let pia = person(&north, "Pia", "Personnel").await;
    let enable = user::Enable { user: "Bo".into() };
    let refused = ask(&north, &pia, enable).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Forbidden);
    north.rebuilds().await;
}

/// OE-33, OE-34
#[tokio::test]
async fn people_are_found_by_any_part_of_their_name_or_address() {
    let north = Bench::new("north");
    for (name, email) in [
        ("Bob Brown", "bob@b.example"),
        ("Rowan", ""),
        ("Cem Aydin", "c@d.example"),
    ] {
        let add = user::Add {
            name: name.into(),
            role: INVESTIGATOR.into(),
            email: email.into(),
            badge: String::new(),
        };
        north.change(add).await.unwrap();
    }
    north.case("1/26").await;
    let ids = async |find: &str, after: Option<String>, limit| {
        let find = Some(find.to_owned());
        let list = user::List { find, after, limit };
        let page = list.run(&north.node, &north.node.owner()).await.unwrap();
        let names: Vec<String> = page.users.into_iter().map(|user| user.name).collect();
        (names, page.next)
    };
    let found = async |find: &str| ids(find, None, None).await.0;
    assert_eq!(found("row").await, ["Bob Brown", "Rowan"]);
    assert_eq!(found("B.EXAM").await, ["Bob Brown"]);
    assert_eq!(found("example").await, ["Bob Brown", "Cem Aydin"]);
    assert!(found("nobody").await.is_empty());
    let (first, next) = ids("", None, Some(2)).await;
    assert_eq!(first, ["Bob Brown", "Cem Aydin"]);
    let (rest, next) = ids("", next, Some(2)).await;
    assert_eq!((rest, next), (vec!["Rowan".to_owned()], None));
    let assignable = case::Assignable {
        case: "1/26".into(),
        find: Some("b.exam".into()),
        after: None,
        limit: None,
    };
    let owner = north.node.owner();
    let people = assignable.run(&north.node, &owner).await.unwrap().people;
    assert_eq!(people[0].name, "Bob Brown");
}

/// What was shared with somebody by a name goes on to be theirs, whoever comes later.
#[tokio::test]
async fn a_former_name_stays_with_who_had_it() {
    let north = Bench::new("north");
    let kim = person(&north, "Kim Berg", INVESTIGATOR).await;
    let rename = |from: &str, to: &str| user::Edit {
        user: from.into(),
        name: Some(to.into()),
        role: None,
        email: None,
        badge: None,
    };
    let renamed = north.change(rename("Kim Berg", "Kim Larsen")).await;
    assert_eq!(renamed.unwrap().name, "Kim Larsen");
    assert_eq!(caller(&north, &kim).actor.name, "Kim Larsen");
    let taken = north.person("kim berg", "").await.unwrap_err();
    assert_eq!(taken.kind, ErrorKind::Conflict);
    let reading = north.node.parts().store.read();
    let actor = caller(&north, &kim).actor;
    let recipients = ["Kim Berg".to_owned()];
    let addressed = people::addressed(&reading.view(), &recipients, &actor).unwrap();
    assert_eq!(addressed.as_deref(), Some("Kim Berg"));
    drop(reading);
    let owner = north.node.owner();
    let list = user::List::default().run(&north.node, &owner);
    let users = list.await.unwrap().users;
    assert_eq!(users.len(), 1, "{users:?}");
    north
        .change(rename("Kim Larsen", "Kim Berg"))
        .await
        .unwrap();
    north.rebuilds().await;
}
