//! What a seed stands for: how many nodes, who can be dialled, how slow the network is, whose clock is off,
//! and which faults there are.

use std::time::Duration;

use crate::disk::Dice;

/// A fault that happens again and again in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing goes through between two nodes.
    Clean,
    /// Nothing goes through in one direction.
    OneWay,
    /// A cut that comes and goes.
    Flapping,
    /// Everything is delayed for a while, and then comes at once.
    Hold,
    /// A node is killed and comes back.
    Kill,
    /// A machine loses its power and comes back.
    Power,
    /// A clock is set, by less than counts as a jump or by more.
    Clock,
}

impl Fault {
    const ALL: [Self; 7] = [
        Self::Clean,
        Self::OneWay,
        Self::Flapping,
        Self::Hold,
        Self::Kill,
        Self::Power,
        Self::Clock,
    ];
}

/// The options of a run.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) nodes: usize,
    /// The node that nobody can dial, if there is one.
    pub(super) hidden: Option<usize>,
    /// The longest that a message takes.
    pub(super) latency: Duration,
    /// How far each clock is off, in seconds.
    pub(super) skews: Vec<i64>,
    /// What happens; each run leaves some out.
    pub(super) faults: Vec<Fault>,
    /// The longest pause between two faults.
    pub(super) pause: Duration,
    /// How long people work.
    pub(super) busy: Duration,
}

impl Plan {
    pub(super) fn new(dice: &mut Dice) -> Self {
        let nodes = match dice.below(10) {
            0 => 4,
            1 => 5 + dice.below(2),
            _ => 3,
        };
        let hidden = (dice.below(2) == 0).then(|| dice.below(nodes));
        let latency = Duration::from_millis([10, 50, 100, 300][dice.below(4)]);
        let skew = |_| dice.below(481) as i64 - 240;
        let skews = (0..nodes).map(skew).collect();
        let mut faults = Fault::ALL.to_vec();
        faults.retain(|_| dice.below(2) == 0);
        let pause = Duration::from_secs([4, 10, 30][dice.below(3)]);
        let busy = Duration::from_secs([40, 60, 90][dice.below(3)]);
        Self {
            nodes,
            hidden,
            latency,
            skews,
            faults,
            pause,
            busy,
        }
    }
}
