//! What the network is like between any two hosts, and since when: what checks go by.

use std::collections::BTreeMap;
use std::time::Duration;

/// The state of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Clean,
    Cut,
    /// What this host sends is lost.
    OneWay(usize),
    Held,
}

/// All links that were ever touched, and the hosts that are down or came back.
#[derive(Default)]
pub(super) struct Links {
    states: BTreeMap<(usize, usize), (State, Duration)>,
    hosts: BTreeMap<usize, (bool, Duration)>,
    /// When somebody at a host took bytes last that a partner had sent, maybe long before.
    taken: BTreeMap<usize, Duration>,
}

const fn pair(one: usize, other: usize) -> (usize, usize) {
    if one < other {
        (one, other)
    } else {
        (other, one)
    }
}

impl Links {
    pub(super) fn set(&mut self, one: usize, other: usize, state: State, now: Duration) {
        self.states.insert(pair(one, other), (state, now));
    }

    pub(super) fn host(&mut self, number: usize, up: bool, now: Duration) {
        self.hosts.insert(number, (up, now));
    }

    pub(super) fn take(&mut self, number: usize, now: Duration) {
        self.taken.insert(number, now);
    }

    /// When bytes were taken last at either host.
    pub(super) fn taken(&self, one: usize, other: usize) -> Duration {
        let taken = |host| self.taken.get(host).copied().unwrap_or_default();
        taken(&one).max(taken(&other))
    }

    pub(super) fn up(&self, number: usize) -> bool {
        self.hosts.get(&number).is_none_or(|(up, _)| *up)
    }

    pub(super) fn state(&self, one: usize, other: usize) -> State {
        let state = self.states.get(&pair(one, other));
        state.map_or(State::Clean, |(state, _)| *state)
    }

    /// Since when both run and everything goes through; none where that is not so.
    pub(super) fn clean_since(&self, one: usize, other: usize) -> Option<Duration> {
        self.since(one, other, |state| state == State::Clean)
    }

    /// Since when both run and something does not go through.
    pub(super) fn cut_since(&self, one: usize, other: usize) -> Option<Duration> {
        let cut = |state| matches!(state, State::Cut | State::OneWay(_));
        self.since(one, other, cut)
    }

    fn since(&self, one: usize, other: usize, wanted: impl Fn(State) -> bool) -> Option<Duration> {
        let begun = (State::Clean, Duration::ZERO);
        let (state, mut since) = *self.states.get(&pair(one, other)).unwrap_or(&begun);
        for host in [one, other] {
            let (up, changed) = *self.hosts.get(&host).unwrap_or(&(true, Duration::ZERO));
            if !up {
                return None;
            }
            since = since.max(changed);
        }
        wanted(state).then_some(since)
    }
}
