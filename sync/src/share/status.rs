//! What is shown of a share, as one function of what both logs say.

use serde::{Deserialize, Serialize};

use super::{Header, Hold, State};
use crate::log::Side;

/// How a share stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Something is still to be delivered.
    Processing,
    /// The partner has stated that it holds everything.
    Complete,
    /// Cancelled by the owner while under way.
    Cancelled,
    /// No updates any more, and everything was delivered.
    Ended,
    /// Two histories for one place were shown.
    Frozen,
    /// Waits for an upgrade.
    Paused,
}

/// How a share stands; `waiting` is how many items its owner still has to disclose.
pub fn status(header: &Header, waiting: u64) -> Status {
    match (header.hold, header.state) {
        (Hold::Frozen, _) => Status::Frozen,
        (Hold::Paused, _) => Status::Paused,
        (Hold::Free, State::Cancelled { .. }) => Status::Cancelled,
        (Hold::Free, State::Ended) if header.whole() => Status::Ended,
        (Hold::Free, State::Accepted) if waiting == 0 && header.update > 0 && header.whole() => {
            Status::Complete
        }
        (Hold::Free, State::Offered | State::Accepted | State::Ended) => Status::Processing,
    }
}

/// How many changes wait to reach the other side: entries that are not countersigned, and items that
/// are not disclosed yet.
pub fn behind(header: &Header, own: Side, waiting: u64) -> u64 {
    let log = header.log(own);
    let unsigned = log.point.count.saturating_sub(log.countersigned);
    waiting.saturating_add(unsigned)
}
