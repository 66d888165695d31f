//! What is shown of a share, as one function of what both logs say, and of time.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Header, Hold, Kind, State};
use crate::log::Side;

/// How a share stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The partner's node holds the offer, and nobody there has finalised it.
    Pending,
    /// Something is still to be delivered.
    Processing,
    /// The partner has stated that it holds everything.
    Complete,
    /// A reference or advanced share that can be used, with nothing on its way.
    Active,
    /// Nothing can be read or is sent until its owner resumes it.
    Suspended,
    /// Cancelled by the owner while under way.
    Cancelled,
    /// The partner does not want it.
    Declined,
    /// No updates any more, and everything was delivered.
    Ended,
    /// Its time is up.
    Expired,
    /// Revoked by the owner.
    Revoked,
    /// Two histories for one place were shown.
    Frozen,
    /// Waits for an upgrade.
    Paused,
    /// Waits until the partner has given back what this node, which was restored, may have lost.
    Recovering,
}

/// How a share stands; `waiting` is how many changes its owner still has to disclose.
pub fn status(header: &Header, waiting: u64, now: DateTime<Utc>) -> Status {
    match (header.hold, header.state) {
        _ if header.revoked || header.hold == Hold::Closed => Status::Revoked,
        (Hold::Frozen, _) => Status::Frozen,
        (Hold::Paused, _) => Status::Paused,
        (Hold::Recovering, _) => Status::Recovering,
        (Hold::Free, State::Cancelled { .. }) => Status::Cancelled,
        (Hold::Free, State::Offered) if header.declined.is_some() => Status::Declined,
        (Hold::Free, State::Ended) if header.whole() => Status::Ended,
        _ if header.expired(now) => Status::Expired,
        _ if header.suspended => Status::Suspended,
        (Hold::Free, State::Accepted) if waiting == 0 && header.whole() => match header.kind {
            Kind::Copy | Kind::Advanced(_) if header.update == 0 => Status::Processing,
            Kind::Copy => Status::Complete,
            Kind::Reference(_) | Kind::Advanced(_) => Status::Active,
        },
        (Hold::Free, State::Offered) if header.owner_log.countersigned > 0 => Status::Pending,
        _ => Status::Processing,
    }
}

/// What is known of a revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Revocation {
    /// The partner has said nothing.
    Unknown,
    /// The partner countersigned it: proven.
    Received,
    /// The partner signed that it erased what it had: attested.
    Purged,
}

/// What is known of a share's revocation; nothing where there is none. `countersigned` says whether the
/// partner countersigned the revocation itself.
pub fn revocation(header: &Header, countersigned: bool) -> Option<Revocation> {
    if !header.revoked {
        return None;
    }
    let in_log =
        matches!(header.state, State::Revoked { at } if header.owner_log.countersigned >= at);
    Some(match (header.purged, countersigned || in_log) {
        (0, false) => Revocation::Unknown,
        (0, true) => Revocation::Received,
        _ => Revocation::Purged,
    })
}

/// How many changes wait to reach the other side: entries that are not countersigned, and changes that
/// are not disclosed yet; not what stays untold after a revocation.
pub fn behind(header: &Header, own: Side, waiting: u64) -> u64 {
    let log = header.log(own);
    if own == Side::Owner && !header.tells(log.countersigned.saturating_add(1)) {
        return 0;
    }
    let unsigned = log.point.count.saturating_sub(log.countersigned);
    waiting.saturating_add(unsigned)
}
