//! Planted bugs: ways to break the code that the simulation has to find, one at a time, switched on for one
//! thread.

use std::cell::Cell;

thread_local! {
    static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
}

/// A way to break the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bug {
    /// Pieces go on being sent though something changed.
    NotJudgedAgain,
    /// Entries that were not sent before a revocation are sent after it.
    SentAfterRevocation,
    /// A revocation is recorded and never told.
    RevocationNotSent,
    /// A lease outlives the share that it was for.
    LeaseKept,
    /// A purge is stated and nothing was erased.
    PurgedNotErased,
    /// What was withdrawn stays sealed here.
    WithdrawnNotErased,
    /// A pass that fails is never tried again.
    NoRetry,
    /// A selection counts as the entire case.
    ScopeIgnored,
    /// Entries of an advanced share are recorded as they came.
    NotRedacted,
    /// A batch is countersigned and not recorded.
    CountersignedUnrecorded,
    /// What is served is not held to the state of the share.
    ServedWhateverState,
    /// The outbox forgets a share as soon as it was looked at.
    OutboxForgotten,
    /// Callers are answered as if what was decided were durable, whether it is or not.
    AnsweredWhatever,
    /// A receipt is recorded as covering more than it does.
    ReceiptAhead,
    /// Nobody is woken by what was decided.
    NotWoken,
    /// The key that was lent for a revoked share stays.
    KeyKept,
    /// Entries that were read before a revocation are sent after it.
    EntriesNotJudged,
    /// A second history is refused and not recorded.
    ForkForgotten,
    /// A node that comes back from its past goes on under its old incarnation.
    SameLife,
    /// The shares of a node that comes back from its past go on at once.
    NotHeldBack,
    /// A revocation that is known is recorded once more.
    RevokedTwice,
    /// A partner that lost a revocation is not given it back.
    RevocationNotGiven,
    /// What was restored and no partner ever had stays held back.
    OfferHeldBack,
    /// What a partner could not give back at once is not asked for again.
    ListedOnce,
    /// What this node holds from elsewhere is not read from a partner once more; found by twin runs.
    HeldElsewhere,
}

impl Bug {
    /// All of them, each with a seed that finds it.
    pub(crate) const ALL: [(Self, u64); 24] = [
        (Self::NotJudgedAgain, 0),
        (Self::SentAfterRevocation, 0),
        (Self::RevocationNotSent, 0),
        (Self::LeaseKept, 6),
        (Self::PurgedNotErased, 0),
        (Self::WithdrawnNotErased, 0),
        (Self::NoRetry, 29),
        (Self::ScopeIgnored, 0),
        (Self::NotRedacted, 0),
        (Self::CountersignedUnrecorded, 0),
        (Self::ServedWhateverState, 0),
        (Self::OutboxForgotten, 0),
        (Self::AnsweredWhatever, 0),
        (Self::ReceiptAhead, 0),
        (Self::NotWoken, 0),
        (Self::KeyKept, 0),
        (Self::EntriesNotJudged, 0),
        (Self::ForkForgotten, 81),
        (Self::SameLife, 60),
        (Self::NotHeldBack, 64),
        (Self::RevokedTwice, 1),
        (Self::RevocationNotGiven, 63),
        (Self::OfferHeldBack, 62),
        (Self::ListedOnce, 66),
    ];
}

/// Plants a bug, or takes it out.
pub(crate) fn plant(bug: Option<Bug>) {
    PLANTED.set(bug);
}

/// Whether this bug is planted.
pub(crate) fn planted(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}
