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
    /// A partner that lost a revocation is neither shown it nor given it back.
    RevocationNotGiven,
    /// A partner that lost a revocation is not shown it at once.
    RevocationNotShown,
    /// What was restored and no partner ever had stays held back.
    OfferHeldBack,
    /// What this node holds from elsewhere is not read from a partner once more.
    HeldElsewhere,
    /// The journal answers before what it wrote is durable.
    JournalUnsynced,
    /// The journal's mark is written before what it stands for.
    MarkFirst,
    /// A sync that failed is tried again, as if that brought back what was lost.
    SyncedAgain,
    /// Keys of bodies are not made durable before the bodies.
    KeysUnsynced,
    /// A full disk stops the node.
    FullForGood,
    /// A second use of a blob is not counted.
    UseUncounted,
    /// What an owner delivered is read again.
    DeliveredForgotten,
    /// What was interrupted begins anew.
    NotResumed,
    /// What arrived is not held against its digest.
    Unverified,
    /// Bytes are deleted though a record names them.
    UsedDeleted,
    /// What a reader doubts is not read again by its owner.
    DoubtIgnored,
    /// What is known to be damaged is served.
    DamagedServed,
    /// What arrived and is not wanted any more stays.
    NothingSwept,
    /// What was not granted is imported.
    UngrantedImported,
    /// What is withdrawn is not told.
    WithdrawnKept,
    /// Evidence that leaves the scope is not looked at.
    LeavingForgotten,
    /// What was disclosed goes on waiting.
    WaitingForever,
    /// A share stays in the outbox when everything is there.
    BehindForever,
    /// Anybody at a partner counts as a recipient.
    AnybodyReads,
    /// A read session is not recorded.
    SessionUnrecorded,
    /// Sessions that a stopped node left stay open.
    SessionLeft,
    /// A partner opens as many sessions as it likes.
    SessionsUnbounded,
    /// A refusal is not recorded.
    RefusalUnrecorded,
    /// A clock that is suspected counts as right.
    ClockTrusted,
    /// A clock that is behind the journal is not noticed at a start.
    BehindUnnoticed,
    /// A lease does not end by itself.
    LeaseEndless,
    /// A lease is lent whatever became of its share.
    LentWhateverState,
    /// Entries that are held are not known when they come again.
    HeldForgotten,
    /// A suspended share is served.
    SuspendedServed,
    /// A partner is served what is not enabled.
    DisabledServed,
    /// A received revocation of an unknown share is forgotten.
    RevocationForgotten,
    /// Partners are driven one after the other. (Found in `delay`.)
    OneAtATime,
}

impl Bug {
    /// All of them, each with a seed that finds it.
    pub(crate) const ALL: &[(Self, u64)] = &[
        (Self::NotJudgedAgain, 11),
        (Self::SentAfterRevocation, 2),
        (Self::RevocationNotSent, 0),
        (Self::LeaseKept, 29),
        (Self::PurgedNotErased, 8),
        (Self::WithdrawnNotErased, 8),
        (Self::NoRetry, 11),
        (Self::ScopeIgnored, 1),
        (Self::NotRedacted, 1),
        (Self::CountersignedUnrecorded, 1),
        (Self::ServedWhateverState, 0),
        (Self::OutboxForgotten, 1),
        (Self::AnsweredWhatever, 0),
        (Self::ReceiptAhead, 1),
        (Self::NotWoken, 0),
        (Self::KeyKept, 1),
        (Self::ForkForgotten, 83),
        (Self::SameLife, 60),
        (Self::NotHeldBack, 164),
        (Self::RevokedTwice, 1),
        (Self::RevocationNotGiven, 66),
        (Self::RevocationNotShown, 73),
        (Self::OfferHeldBack, 65),
        (Self::EntriesNotJudged, 2),
        (Self::JournalUnsynced, 0),
        (Self::MarkFirst, 0),
        (Self::SyncedAgain, 0),
        (Self::KeysUnsynced, 0),
        (Self::FullForGood, 3),
        (Self::UseUncounted, 1),
        (Self::HeldElsewhere, 6),
        (Self::DeliveredForgotten, 22),
        (Self::NotResumed, 11),
        (Self::Unverified, 1),
        (Self::UsedDeleted, 1),
        (Self::DoubtIgnored, 1),
        (Self::DamagedServed, 1),
        (Self::NothingSwept, 78),
        (Self::UngrantedImported, 72),
        (Self::WithdrawnKept, 8),
        (Self::LeavingForgotten, 19),
        (Self::WaitingForever, 1),
        (Self::BehindForever, 2),
        (Self::AnybodyReads, 9),
        (Self::SessionUnrecorded, 6),
        (Self::SessionLeft, 9),
        (Self::SessionsUnbounded, 58),
        (Self::RefusalUnrecorded, 1),
        (Self::ClockTrusted, 1),
        (Self::BehindUnnoticed, 5),
        (Self::LeaseEndless, 9),
        (Self::LentWhateverState, 16),
        (Self::HeldForgotten, 1),
        (Self::SuspendedServed, 1),
        (Self::DisabledServed, 73),
        (Self::RevocationForgotten, 54),
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
