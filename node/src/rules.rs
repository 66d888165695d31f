//! House rules: what this organisation wants of its partners. Pure; without a rule nothing is sent and
//! nothing is taken.
//!
//! Who of this organisation may do something is in `access`; what both organisations must agree on is
//! in `sync`.

use interdocket_sync::share::Policy;

use crate::actions::partner::{Inbound, Kind, OrganisationRole, State};
use crate::actions::people::called;
use crate::features::{self, Feature};
use crate::store::entity::{Node, Partner};
#[cfg(test)]
use crate::tests::simulation::bug::{Bug, planted};

/// What stands against sending something to a partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Against {
    /// The words were not compared yet.
    Unconfirmed,
    /// The partner is suspended.
    Suspended,
    /// A reference never goes to or comes from a justice organisation: it must not depend on what can be
    /// revoked.
    Justice,
    /// The administrator has not enabled this kind in this direction.
    NotEnabled,
    /// This organisation has not enabled a feature that a new share needs.
    Lacks(Feature),
    /// The partner has not enabled it, as it said last.
    PartnerLacks(Feature),
}

/// What stands against making a new share of this kind with a partner: what goes on does not need its features any
/// more. A partner that has not said yet which it has may be offered one; it judges by itself.
pub fn offering(node: &Node, partner: &Partner, kind: Kind) -> Option<Against> {
    let own = || features::lacking(&node.features, kind).map(Against::Lacks);
    let said = || features::lacking(partner.features.as_ref()?, kind).map(Against::PartnerLacks);
    sending(node.role, partner, kind).or_else(own).or_else(said)
}

/// What stands against offering a share of this kind to a partner; nothing where it may be. `role` is
/// this organisation's own.
pub fn sending(role: OrganisationRole, partner: &Partner, kind: Kind) -> Option<Against> {
    match partner.state {
        State::Unconfirmed => Some(Against::Unconfirmed),
        State::Suspended => Some(Against::Suspended),
        State::Active if !possible(role, partner, kind) => Some(Against::Justice),
        State::Active => (!partner.send.contains(&kind)).then_some(Against::NotEnabled),
    }
}

/// Whether a share of this kind that a partner offers is accepted: the administrator's standing
/// acceptance, and what it needs here.
pub fn receives(node: &Node, partner: &Partner, kind: Kind) -> bool {
    trusts(partner)
        && possible(node.role, partner, kind)
        && partner.receive.contains(&kind)
        && features::lacking(&node.features, kind).is_none()
}

/// Whether what a partner offers waits for an administrator.
pub fn finalises(partner: &Partner) -> bool {
    partner.inbound == Inbound::Finalise
}

/// Whether a kind of share is there at all between two organisations.
fn possible(role: OrganisationRole, partner: &Partner, kind: Kind) -> bool {
    kind != Kind::Reference || ![role, partner.role].contains(&OrganisationRole::Justice)
}

/// Whether a policy may be set for a partner: a justice organisation always gets what it can keep.
pub fn assignable(partner: &Partner, policy: Policy) -> bool {
    policy.import || partner.role != OrganisationRole::Justice
}

/// Whether this node imports by itself what is shared with it.
pub fn imports(role: OrganisationRole, policy: Policy) -> bool {
    role == OrganisationRole::Justice && policy.import
}

/// Whether this node's clock can be trusted: else nothing that depends on time is served or made final.
pub fn timely(node: &Node) -> bool {
    #[cfg(test)]
    if planted(Bug::ClockTrusted) {
        return true;
    }
    node.suspect.is_none()
}

/// Whether an action depends on time: something is signed with it, or ends by it.
pub fn timed(action: &str) -> bool {
    TIMED.contains(&action)
}

const TIMED: &[&str] = &[
    "case.delete",
    "disclosure.make",
    "evidence.delete",
    "link.create",
    "partner.accept",
    "partner.confirm",
    "partner.invite",
    "portal.get",
    "portal.list",
    "portal.show",
    "share.advanced",
    "share.copy",
    "share.reference",
    "token.add",
];

/// Whether a folder is one of these, or below one of them.
pub fn within(folder: &str, folders: &[String]) -> bool {
    folders.iter().any(|shared| {
        let rest = folder.strip_prefix(shared.trim_matches('/'));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// Whether a share of this node's with these recipients may be used by whoever is called so, as the partner
/// knows people: whom it names, or whom they added. Nobody where it names nobody.
pub fn reads(recipients: &[String], onward: &[String], recipient: &str) -> bool {
    let is = |named: &String| called(named) == called(recipient);
    #[cfg(test)]
    if planted(Bug::AnybodyReads) {
        return true;
    }
    !called(recipient).is_empty()
        && !recipients.is_empty()
        && recipients.iter().chain(onward).any(is)
}

/// Whether a partner is told who of this organisation is called so: where its shares are taken.
pub fn tells(partner: &Partner) -> bool {
    trusts(partner) && !partner.receive.is_empty()
}

/// Whether a partner's calls are answered at all.
pub fn trusts(partner: &Partner) -> bool {
    partner.state == State::Active
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use interdocket_sync::identity::OrganisationId;
    use interdocket_sync::share::Mode;

    use super::*;
    use crate::event::Bytes;

    const POLICE: OrganisationRole = OrganisationRole::Investigation;
    const COURT: OrganisationRole = OrganisationRole::Justice;

    const LOCKED: Policy = Policy {
        mode: Mode::Live,
        download: false,
        import: false,
        onward: false,
    };
    const IMPORTED: Policy = Policy {
        import: true,
        ..LOCKED
    };

    /// A node with every feature.
    fn node(role: OrganisationRole) -> Node {
        Node {
            organisation: OrganisationId::from_bytes([1; 32]),
            name: "north".into(),
            role,
            incarnation: 1,
            suspect: None,
            settings: Default::default(),
            retention: None,
            features: Feature::ALL.iter().copied().collect(),
        }
    }

    fn partner(state: State) -> Partner {
        Partner {
            name: "south".into(),
            role: OrganisationRole::Investigation,
            state,
            root: Bytes(Vec::new()),
            later: None,
            address: None,
            words: Vec::new(),
            send: Default::default(),
            receive: Default::default(),
            policy: None,
            features: None,
            inbound: Inbound::Direct,
            recover: false,
            witness: None,
            countersigned: None,
            revoked: None,
        }
    }

    #[test]
    fn a_new_partner_is_sent_nothing_and_nothing_is_taken_from_it() {
        let fresh = partner(State::Active);
        assert_eq!(
            sending(POLICE, &fresh, Kind::Copy),
            Some(Against::NotEnabled)
        );
        assert!(!receives(&node(POLICE), &fresh, Kind::Copy));
    }

    #[test]
    fn directions_are_enabled_apart() {
        let mut south = partner(State::Active);
        south.send.insert(Kind::Copy);
        assert_eq!(sending(POLICE, &south, Kind::Copy), None);
        assert!(!receives(&node(POLICE), &south, Kind::Copy));
        south.send.clear();
        south.receive.insert(Kind::Copy);
        assert_eq!(
            sending(POLICE, &south, Kind::Copy),
            Some(Against::NotEnabled)
        );
        assert!(receives(&node(POLICE), &south, Kind::Copy));
    }

    #[test]
    fn what_is_enabled_does_not_count_without_trust() {
        for (state, against) in [
            (State::Suspended, Against::Suspended),
            (State::Unconfirmed, Against::Unconfirmed),
        ] {
            let mut south = partner(state);
            south.send.insert(Kind::Copy);
            south.receive.insert(Kind::Copy);
            assert_eq!(sending(POLICE, &south, Kind::Copy), Some(against));
            assert!(!receives(&node(POLICE), &south, Kind::Copy) && !trusts(&south));
        }
    }

    /// fault A10
    #[test]
    fn no_reference_goes_to_or_comes_from_a_justice_organisation() {
        for (own, other) in [(POLICE, COURT), (COURT, POLICE), (COURT, COURT)] {
            let mut south = partner(State::Active);
            south.role = other;
            south.send = [Kind::Reference, Kind::Copy].into();
            south.receive = south.send.clone();
            let against = sending(own, &south, Kind::Reference);
            assert_eq!(against, Some(Against::Justice));
            assert!(!receives(&node(own), &south, Kind::Reference));
            assert_eq!(sending(own, &south, Kind::Copy), None);
            assert!(receives(&node(own), &south, Kind::Copy));
        }
        let mut south = partner(State::Active);
        south.send.insert(Kind::Reference);
        south.receive.insert(Kind::Reference);
        assert_eq!(sending(POLICE, &south, Kind::Reference), None);
        assert!(receives(&node(POLICE), &south, Kind::Reference));
    }

    /// AE-010: own before the partner's; what a partner has not said yet is its own to judge.
    #[test]
    fn a_new_share_needs_its_features_on_both_sides_and_what_goes_on_needs_none() {
        let mut south = partner(State::Active);
        south.send.insert(Kind::Copy);
        south.receive.insert(Kind::Copy);
        let (with, mut without) = (node(POLICE), node(POLICE));
        without.features.clear();
        let none = Some(Default::default());
        let own = Some(Against::Lacks(Feature::CaseShare));
        let other = Some(Against::PartnerLacks(Feature::CaseShare));
        for (node, said, against) in [
            (&with, Some(with.features.clone()), None),
            (&with, None, None),
            (&with, none.clone(), other),
            (&without, Some(with.features.clone()), own),
            (&without, none, own),
        ] {
            south.features = said;
            assert_eq!(offering(node, &south, Kind::Copy), against);
            assert_eq!(sending(node.role, &south, Kind::Copy), None);
        }
        assert!(receives(&with, &south, Kind::Copy) && !receives(&without, &south, Kind::Copy));
    }

    #[test]
    fn a_justice_organisation_always_gets_what_it_can_keep() {
        let mut south = partner(State::Active);
        assert!(assignable(&south, LOCKED) && assignable(&south, IMPORTED));
        south.role = COURT;
        assert!(!assignable(&south, LOCKED) && assignable(&south, IMPORTED));
    }

    #[test]
    fn only_a_justice_organisation_imports_by_itself_and_only_what_it_may() {
        let imported = [(COURT, IMPORTED), (COURT, LOCKED), (POLICE, IMPORTED)]
            .map(|(role, policy)| imports(role, policy));
        assert_eq!(imported, [true, false, false]);
    }

    /// fault B10
    #[test]
    fn a_suspect_clock_holds_what_is_signed_with_a_time_and_no_revocation() {
        let mut node = node(POLICE);
        assert!(timely(&node));
        node.suspect = Some(DateTime::UNIX_EPOCH);
        assert!(!timely(&node));
        assert!(timed("share.copy") && timed("partner.invite"));
        assert!(!timed("share.revoke") && !timed("node.confirm-clock"));
    }

    #[test]
    fn a_folder_takes_in_what_lies_below_it_and_nothing_beside_it() {
        let shared = ["Scene/Photos".to_owned(), "/Lab/".to_owned()];
        for folder in ["Scene/Photos", "Scene/Photos/Night", "Lab", "Lab/DNA"] {
            assert!(within(folder, &shared), "{folder}");
        }
        for folder in ["", "Scene", "Scene/Photos 2", "Labour", "Old/Lab"] {
            assert!(!within(folder, &shared), "{folder}");
        }
        assert!(!within("Lab", &[]));
    }

    #[test]
    fn a_share_is_read_by_whom_it_names_and_whom_they_added() {
        let names = |names: &[&str]| {
            names
                .iter()
                .map(|name| name.to_string())
                .collect::<Vec<_>>()
        };
        let (named, added, nobody) = (names(&["Sol Reyes"]), names(&["Bea"]), names(&[]));
        for recipient in ["Sol Reyes", " sol reyes ", "BEA"] {
            assert!(reads(&named, &added, recipient), "{recipient}");
        }
        assert!(!reads(&named, &added, "Cem") && !reads(&named, &nobody, "Bea"));
        // An empty set of recipients means nobody, whoever was added; and nobody is called nothing.
        assert!(!reads(&nobody, &added, "Bea"));
        assert!(!reads(&names(&["", "Sol"]), &names(&[" "]), " "));
    }

    #[test]
    fn who_is_known_here_is_told_to_those_only_whose_shares_are_taken() {
        let mut south = partner(State::Active);
        assert!(!tells(&south));
        south.receive.insert(Kind::Copy);
        assert!(tells(&south));
        south.state = State::Suspended;
        assert!(!tells(&south));
    }
}
