//! What roles hold and actions need, as people can read it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::*;
use crate::actions::{self, Run, Visitor};

struct Names(BTreeMap<&'static str, &'static str>);

impl Visitor for Names {
    fn action<A: Run>(&mut self) {
        self.0.insert(A::NAME, A::SUMMARY);
    }
}

/// Every action with what it does.
fn names() -> BTreeMap<&'static str, &'static str> {
    let mut names = Names(BTreeMap::new());
    actions::visit(&mut names);
    let bytes = [
        (actions::evidence::GET, "Read a file of evidence"),
        (actions::external::GET, "Read a file of an external case"),
        (
            actions::portal::GET,
            "Read a file that was disclosed to oneself as a guest",
        ),
    ];
    names.0.extend(bytes);
    names.0
}

const POLICE: OrganisationRole = OrganisationRole::Investigation;
const COURT: OrganisationRole = OrganisationRole::Justice;

fn everything() -> Permissions {
    Permission::ALL.iter().copied().collect()
}

fn without(permission: Permission) -> Permissions {
    let mut held = everything();
    held.remove(&permission);
    held
}

#[test]
fn every_action_has_one_rule_and_every_rule_an_action() {
    let rules: Vec<&str> = NEEDS.iter().map(|(name, _)| *name).collect();
    let actions: Vec<&str> = names().into_keys().collect();
    assert_eq!(rules, actions);
    assert!(COPIES.iter().all(|name| rules.contains(name)));
    let own = [
        "enrolment.begin",
        "enrolment.confirm",
        "password.set",
        "session.end",
    ];
    let free = NEEDS.iter().filter(|(_, needs)| needs.is_empty());
    assert!(free.map(|(name, _)| *name).eq(own));
}

#[test]
fn what_no_rule_names_is_denied_to_everybody() {
    for role in [POLICE, COURT] {
        let denied = check(&everything(), "case.burn", role);
        assert_eq!(denied, Err(Denied::NoRule));
    }
}

#[test]
fn whoever_lacks_one_permission_of_those_that_are_needed_may_not_and_is_told_which() {
    for (action, _) in NEEDS {
        for role in [POLICE, COURT] {
            assert_eq!(check(&everything(), action, role), Ok(()), "{action}");
            for permission in needs(action, role).unwrap() {
                let denied = check(&without(permission), action, role);
                assert_eq!(denied, Err(Denied::Lacks(permission)), "{action}");
            }
        }
    }
}

/// AE-004 to AE-007, AJ-05, AJ-06, AJ-08: the permissions of these names, each needed to share with people of a
/// partner, on the case and on its evidence.
#[test]
fn sharing_with_partners_needs_four_permissions_by_name() {
    let needed = [
        "case.share",
        "case.share_externally_to_authenticated_users",
        "evidence.share",
        "evidence.share_externally_to_authenticated_users",
    ];
    let names = |action, role| -> Vec<&str> {
        let needed = needs(action, role).unwrap();
        needed.into_iter().map(Permission::name).collect()
    };
    for action in [
        "share.reference",
        "share.copy",
        "share.advanced",
        "disclosure.make",
        "disclosure.update",
    ] {
        assert_eq!(names(action, POLICE), needed, "{action}");
        assert!(names(action, COURT).starts_with(&needed), "{action}");
    }
    // Inside one's own organisation, what is needed is fewer.
    let inside = ["case.share", "evidence.share"];
    assert_eq!(names("case.access", POLICE), inside);
}

/// AJ-09: at a justice organisation a copy needs a permission of its own.
#[test]
fn only_a_justice_organisation_asks_for_the_permission_to_share_by_copy() {
    let held = without(CaseShareCopy);
    let disclosures = ["disclosure.make", "disclosure.update"];
    for action in ["share.copy", "share.add", "share.reshare"]
        .into_iter()
        .chain(disclosures)
    {
        assert_eq!(check(&held, action, POLICE), Ok(()));
        let denied = check(&held, action, COURT);
        assert_eq!(denied, Err(Denied::Lacks(CaseShareCopy)));
    }
    assert_eq!(check(&held, "share.advanced", COURT), Ok(()));
    let name = CaseShareCopy.name();
    assert_eq!(name, "case.share_by_copy_with_partner_agencies");
}

#[test]
fn auditors_change_nothing_and_see_every_case() {
    let held = built_in(AUDITOR).unwrap().permissions();
    let may = |action: &&str| check(&held, action, POLICE).is_ok();
    let allowed: Vec<&str> = names().into_keys().filter(may).collect();
    let reads = |name: &&str| {
        let (_, what) = name.split_once('.').unwrap();
        if needs(name, POLICE) == Some(Vec::new()) {
            return true;
        }
        [
            "list", "markers", "notes", "trail", "multicam", "show", "sets", "updates", "status",
            "verify", "doctor", "due",
        ]
        .contains(&what)
    };
    assert!(allowed.iter().all(reads), "{allowed:?}");
    assert!(reaches_all(&held) && !sees_all_external(&held));
}

#[test]
fn investigators_reach_what_they_were_given_access_to_and_nothing_of_the_node() {
    let held = built_in(INVESTIGATOR).unwrap().permissions();
    assert!(!reaches_all(&held) && !sees_all_external(&held));
    for action in ["audit.show", "user.add", "node.backup", "partner.enable"] {
        assert!(check(&held, action, POLICE).is_err(), "{action}");
    }
}

/// AJ-17: of all that a node does.
#[test]
fn guests_sign_in_and_read_what_was_disclosed_to_them_and_do_nothing_else() {
    let held = built_in(GUEST).unwrap().permissions();
    for role in [POLICE, COURT] {
        let may = |action: &&str| check(&held, action, role).is_ok();
        let allowed = names().into_keys().filter(may);
        let expected = [
            "enrolment.begin",
            "enrolment.confirm",
            "password.set",
            "portal.get",
            "portal.list",
            "portal.show",
            "session.end",
        ];
        assert!(allowed.eq(expected));
    }
    assert!(!reaches_all(&held) && !sees_all_external(&held) && !sees_offers(&held));
    // And nobody else of those that every node has reads there, but for who holds everything.
    for role in [INVESTIGATOR, AUDITOR] {
        let held = built_in(role).unwrap().permissions();
        assert!(check(&held, "portal.list", POLICE).is_err(), "{role}");
    }
}

#[test]
fn administrators_hold_everything() {
    let held = built_in(ADMINISTRATOR).unwrap().permissions();
    assert_eq!(held, everything());
    assert!(reaches_all(&held) && sees_all_external(&held));
    assert_eq!(built_in("clerk"), None);
}

#[test]
fn permissions_are_read_by_the_names_that_they_are_shown_by() {
    for permission in Permission::ALL {
        let written = serde_json::to_value(permission).unwrap();
        assert_eq!(written, permission.name());
        let (area, what) = permission.name().split_once('.').unwrap();
        assert!(!area.is_empty() && !what.is_empty() && !permission.meaning().is_empty());
    }
}

/// The page says what the program does: `INTERDOCKET_WRITE=1` writes it anew.
#[test]
fn the_page_of_permissions_is_what_roles_hold_and_actions_need() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/permissions.md");
    let page = page();
    if std::env::var_os("INTERDOCKET_WRITE").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap();
    let first = kept.lines().zip(page.lines()).find(|(a, b)| a != b);
    assert!(kept == page, "{first:?}");
}

const HEAD: &str = "\
# Permissions

What people may do is what their role holds, for the cases to which they or their groups have access. Four roles are
there on every node and stay as they are; `interdocket role add` makes others. Nobody can give what they do not hold.
Guests are people outside of the organisation, who [read in its portal](sign-in.md#guests), and become nothing else.
";

fn page() -> String {
    let mark = |yes: bool| if yes { "yes" } else { "" };
    let holds = |permissions: &[Permission]| -> String {
        let mark = |role: &BuiltIn| {
            let held = permissions.iter().all(|one| role.holds.contains(one));
            format!(" {} |", mark(held))
        };
        BUILT_IN.iter().map(mark).collect()
    };
    let roles: String = BUILT_IN
        .iter()
        .map(|role| format!(" {} |", role.name))
        .collect();
    let lines: String = BUILT_IN.iter().map(|_| "---|").collect();
    let mut page = String::from(HEAD);
    writeln!(page, "\n## What roles hold\n").unwrap();
    writeln!(
        page,
        "| permission | lets people |{roles}\n|---|---|{lines}"
    )
    .unwrap();
    for permission in Permission::ALL {
        let (name, meaning) = (permission.name(), permission.meaning());
        let held = holds(&[*permission]);
        writeln!(page, "| `{name}` | {meaning} |{held}").unwrap();
    }
    writeln!(page, "\n## What actions need\n").unwrap();
    writeln!(
        page,
        "| action | what it does | needs |{roles}\n|---|---|---|{lines}"
    )
    .unwrap();
    for (action, summary) in names() {
        let needed = needs(action, POLICE).unwrap();
        let names: Vec<String> = needed
            .iter()
            .map(|one| format!("`{}`", one.name()))
            .collect();
        let names = match names.is_empty() {
            true => "to have signed in".to_owned(),
            false => names.join(", "),
        };
        let held = holds(&needed);
        let also = needs(action, COURT).unwrap();
        let also: Vec<&Permission> = also.iter().filter(|one| !needed.contains(one)).collect();
        let also: String = also
            .iter()
            .map(|one| format!("; at a justice organisation also `{}`", one.name()))
            .collect();
        writeln!(page, "| `{action}` | {summary} | {names}{also} |{held}").unwrap();
    }
    page
}
