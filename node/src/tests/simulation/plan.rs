//! What a seed stands for: how many nodes there are, and which faults meet them. Each seed leaves some
//! faults out, so that the others have room. Of a hundred seeds, forty have something odd as well.

use crate::disk::Dice;

/// The options of one run.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// Nodes, 3 to 6.
    pub(super) nodes: usize,
    /// Messages in a thousand that are lost.
    pub(super) loss: u64,
    /// Calls in a thousand that arrive twice, the second time late.
    pub(super) twice: u64,
    /// The longest that a message takes, in microseconds.
    pub(super) latency: u64,
    /// Seconds with commands and faults.
    pub(super) busy: u64,
    /// Kinds of faults that happen.
    pub(super) faults: Vec<Fault>,
    /// Seconds between two faults, at most.
    pub(super) pause: u64,
    /// By how many seconds the clocks of any two nodes differ, at most.
    pub(super) skew: u64,
    /// What is odd about one of the nodes.
    pub(super) odd: Odd,
}

/// What is odd about one of the nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Odd {
    /// Nothing.
    None,
    /// It is restored from a backup, which says so in its journal.
    Restored,
    /// Its machine is set back to an earlier state, and nobody tells it.
    SetBack,
    /// It runs twice for a while.
    Doubled,
    /// It lies, beside what it does as others do.
    Lies,
}

impl Odd {
    pub(super) const fn of(seed: u64) -> Self {
        match seed % 100 {
            60..70 => Self::Restored,
            70..80 => Self::SetBack,
            80..90 => Self::Doubled,
            90..100 => Self::Lies,
            _ => Self::None,
        }
    }
}

/// What can befall nodes and links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The process is killed.
    Kill,
    /// Power is lost.
    Power,
    /// Power is lost in the middle of a write.
    Torn,
    /// A call of the disk fails, once.
    Disk,
    /// The database fails.
    Engine,
    /// The disk is full for a while.
    Full,
    /// Two nodes can't reach each other for a while.
    Cut,
    /// Messages get through in one direction only.
    OneWay,
    /// Nobody reaches one node for a while.
    Alone,
    /// A link comes and goes.
    Flapping,
    /// A link is slow.
    Slow,
    /// A call that was made before arrives once more.
    Again,
    /// A clock is off by some minutes.
    Skew,
    /// A clock jumps by a day.
    Jump,
    /// A clock is set to another age: 1970, 2038 or 2106.
    Age,
    /// A machine sleeps for a while.
    Sleep,
    /// What a disk was to make durable is lost, and it says so.
    Sync,
    /// A bit of a stored file flips.
    Rot,
}

const FAULTS: [Fault; 18] = [
    Fault::Kill,
    Fault::Power,
    Fault::Torn,
    Fault::Disk,
    Fault::Engine,
    Fault::Full,
    Fault::Cut,
    Fault::OneWay,
    Fault::Alone,
    Fault::Flapping,
    Fault::Slow,
    Fault::Again,
    Fault::Skew,
    Fault::Jump,
    Fault::Age,
    Fault::Sleep,
    Fault::Sync,
    Fault::Rot,
];

impl Plan {
    pub(super) fn new(dice: &mut Dice, odd: Odd) -> Self {
        let mut up_to = |end: usize| dice.below(end) as u64;
        let calm = up_to(8) == 0;
        let faults = FAULTS.into_iter().filter(|_| up_to(2) == 0 && !calm);
        let faults = faults.collect();
        let some = |most: u64, chosen: u64| if chosen == 0 { 0 } else { most };
        Self {
            nodes: 3 + usize::try_from(up_to(4)).expect("it is a small number"),
            loss: some(up_to(60), up_to(2)),
            twice: some(up_to(200), up_to(2)),
            latency: [2_000, 20_000, 200_000][usize::try_from(up_to(3)).expect("it is small")],
            busy: 60 + up_to(240),
            faults,
            pause: 2 + up_to(20),
            skew: [0, 5, 290][usize::try_from(up_to(3)).expect("it is small")],
            odd,
        }
    }
}
