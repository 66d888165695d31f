//! House rules: what this organisation wants of its partners. Pure; without a rule nothing is sent and
//! nothing is taken.
//!
//! Who of this organisation may do something is in `access`; what both organisations must agree on is
//! in `sync`.

use crate::actions::partner::{Kind, State};
use crate::store::entity::Partner;

/// What stands against sending something to a partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Against {
    /// The words were not compared yet.
    Unconfirmed,
    /// The partner is suspended.
    Suspended,
    /// The administrator has not enabled this kind in this direction.
    NotEnabled,
}

/// What stands against offering a share of this kind to a partner; nothing where it may be.
pub fn sending(partner: &Partner, kind: Kind) -> Option<Against> {
    match partner.state {
        State::Unconfirmed => Some(Against::Unconfirmed),
        State::Suspended => Some(Against::Suspended),
        State::Active => (!partner.send.contains(&kind)).then_some(Against::NotEnabled),
    }
}

/// Whether a share of this kind that a partner offers is accepted: the administrator's standing
/// acceptance.
pub fn receives(partner: &Partner, kind: Kind) -> bool {
    trusts(partner) && partner.receive.contains(&kind)
}

/// Whether a partner's calls are answered at all.
pub fn trusts(partner: &Partner) -> bool {
    partner.state == State::Active
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::partner::OrganisationRole;
    use crate::event::Bytes;

    fn partner(state: State) -> Partner {
        Partner {
            name: "south".into(),
            role: OrganisationRole::Investigation,
            state,
            root: Bytes(Vec::new()),
            address: None,
            words: Vec::new(),
            send: Default::default(),
            receive: Default::default(),
        }
    }

    #[test]
    fn a_new_partner_is_sent_nothing_and_nothing_is_taken_from_it() {
        let fresh = partner(State::Active);
        assert_eq!(sending(&fresh, Kind::Copy), Some(Against::NotEnabled));
        assert!(!receives(&fresh, Kind::Copy));
    }

    #[test]
    fn directions_are_enabled_apart() {
        let mut south = partner(State::Active);
        south.send.insert(Kind::Copy);
        assert_eq!(sending(&south, Kind::Copy), None);
        assert!(!receives(&south, Kind::Copy));
        south.send.clear();
        south.receive.insert(Kind::Copy);
        assert_eq!(sending(&south, Kind::Copy), Some(Against::NotEnabled));
        assert!(receives(&south, Kind::Copy));
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
            assert_eq!(sending(&south, Kind::Copy), Some(against));
            assert!(!receives(&south, Kind::Copy) && !trusts(&south));
        }
    }
}
