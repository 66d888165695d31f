//! Who may: which role may have which action done. Pure; without a rule, nobody may.

use crate::actions::user::Role;

/// Whether a role may have an action done.
pub fn allowed(role: Role, action: &str) -> bool {
    match role {
        Role::Administrator => true,
        Role::Investigator => INVESTIGATOR.contains(&action) || READER.contains(&action),
        Role::Auditor => READER.contains(&action) || AUDITOR.contains(&action),
    }
}

/// Whether a role reaches every case, also those to which nobody gave it access.
pub const fn reaches_all(role: Role) -> bool {
    match role {
        Role::Administrator | Role::Auditor => true,
        Role::Investigator => false,
    }
}

/// Reading cases and shares.
const READER: &[&str] = &[
    "case.list",
    "case.show",
    "evidence.list",
    "evidence.show",
    "external.list",
    "external.show",
    "node.status",
    "partner.list",
    "partner.show",
    "share.list",
    "share.sets",
    "share.show",
    "target.list",
];

/// Working on cases.
const INVESTIGATOR: &[&str] = &[
    "case.access",
    "case.close",
    "case.create",
    "case.edit",
    "evidence.add",
    "evidence.edit",
    "evidence.get",
    "external.get",
    "external.import",
    "external.onward",
    "share.add",
    "share.advanced",
    "share.cancel",
    "share.copy",
    "share.end",
    "share.recipients",
    "share.reference",
    "share.resume",
    "share.revoke",
    "share.suspend",
    "share.targets",
    "share.withdraw",
    "target.add",
    "target.edit",
    "target.remove",
];

/// Looking at what others did.
const AUDITOR: &[&str] = &[
    "audit.show",
    "audit.verify",
    "group.list",
    "group.show",
    "partner.doctor",
    "user.list",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::{self, Action, Run, Visitor};

    struct Names(Vec<&'static str>);

    impl Visitor for Names {
        fn action<A: Run>(&mut self) {
            self.0.push(A::NAME);
        }
    }

    fn names() -> Vec<&'static str> {
        let mut names = Names(Vec::new());
        actions::visit(&mut names);
        names.0.push(actions::evidence::GET);
        names.0.push(actions::external::GET);
        names.0
    }

    #[test]
    fn rules_name_only_actions_that_exist() {
        let names = names();
        for rule in READER.iter().chain(INVESTIGATOR).chain(AUDITOR) {
            assert!(names.contains(rule), "{rule}");
        }
    }

    #[test]
    fn only_administrators_touch_partners_users_and_the_node() {
        let administrative = |name: &&str| {
            name.starts_with("user.")
                || name.starts_with("group.")
                || ["node.check", "node.backup"].contains(name)
                || name.starts_with("partner.")
        };
        for name in names().iter().filter(|name| administrative(name)) {
            let reading = ["partner.list", "partner.show"].contains(name);
            assert_eq!(allowed(Role::Investigator, name), reading, "{name}");
        }
    }

    #[test]
    fn auditors_change_nothing() {
        for name in [
            actions::case::Create::NAME,
            actions::share::Copy::NAME,
            "evidence.get",
            "external.get",
            "external.import",
        ] {
            assert!(!allowed(Role::Auditor, name), "{name}");
        }
    }

    #[test]
    fn what_no_rule_names_is_denied() {
        assert!(!allowed(Role::Investigator, "case.burn"));
        assert!(!allowed(Role::Auditor, "case.burn"));
    }

    #[test]
    fn auditors_see_every_case_and_all_that_others_did() {
        assert!(allowed(Role::Auditor, "case.show") && allowed(Role::Auditor, "audit.show"));
        assert!(!allowed(Role::Investigator, "audit.show"));
        assert!(reaches_all(Role::Auditor) && reaches_all(Role::Administrator));
        assert!(!reaches_all(Role::Investigator));
    }
}
