//! A node that came back from its past takes its own entries back, and writes nothing before.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::order::{self, Step, play};
use super::races;
use crate::log::Side;
use crate::log::entry::Entry;
use crate::refusal::Refusal;
use crate::share::apply::{open, revoked};
use crate::share::decide::Command;
use crate::share::{Fact, Header, Hold, Key, Kind, admit};
use crate::testing::{Node, actor};

fn shares() -> impl Strategy<Value = (Kind, Vec<Step>)> {
    let copies = prop::collection::vec(order::step(order::command()), 0..80);
    let advanced = (races::kind(), races::steps(80));
    prop_oneof![copies.prop_map(|steps| (Kind::Copy, steps)), advanced]
}

/// What lets entries in as they come, the own ones as well.
struct Restored<'a> {
    header: Header,
    facts: BTreeMap<Key, Fact>,
    entries: BTreeMap<(Side, u64), &'a Entry>,
}

impl<'a> Restored<'a> {
    fn new(node: &'a Node) -> Self {
        Self {
            header: open(&node.terms),
            facts: BTreeMap::new(),
            entries: BTreeMap::new(),
        }
    }

    /// Lets in the next entry of a log, if there is one and what its writer had seen is here.
    fn next(&mut self, holder: &'a Node, side: Side) -> bool {
        let number = self.header.log(side).point.count + 1;
        let Some(entry) = holder.entries.get(&(side, number)) else {
            return false;
        };
        if entry.other.count > self.header.log(side.other()).point.count {
            return false;
        }
        let mut head = holder.head(entry.point());
        head.side = side;
        let known = |side, number| self.entries.get(&(side, number)).map(|entry| entry.hash);
        let entries = std::slice::from_ref(entry);
        let admitted = admit::batch(&self.header, &self.facts, entries, &head, &known).unwrap();
        assert_eq!(admitted.header.hold, self.header.hold);
        self.header = admitted.header;
        self.facts.extend(admitted.puts);
        self.entries.insert((side, number), entry);
        true
    }
}

/// Both logs as `holder` has them, let in by a node that was restored after `kept` of them.
fn recovered(holder: &Node, picks: &[bool], kept: usize) -> (Header, BTreeMap<Key, Fact>) {
    let mut restored = Restored::new(holder);
    // It comes before all entries, as what was purged was revoked before, maybe by the statement alone.
    if holder.header.revoked {
        restored.header = revoked(&restored.header);
    }
    let mut picks = picks.iter().copied().cycle();
    for count in 0.. {
        if count == kept {
            restored.header.hold = Hold::Recovering;
        }
        let first = match picks.next() {
            Some(true) => Side::Owner,
            _ => Side::Partner,
        };
        if !restored.next(holder, first) && !restored.next(holder, first.other()) {
            break;
        }
    }
    restored.header.hold = Hold::Free;
    (restored.header, restored.facts)
}

proptest! {
    /// fault C10, fault E7
    #[test]
    fn what_a_restored_node_lost_is_taken_back_from_whoever_holds_it(
        (kind, steps) in shares(),
        picks in prop::collection::vec(any::<bool>(), 64),
        kept in 0..60_usize,
    ) {
        let pair = play(kind, steps, |_| {});
        prop_assert_eq!(recovered(&pair.partner, &picks, kept), pair.owner.fold());
    }
}

#[test]
fn nothing_is_written_before_what_was_lost_is_taken_back() {
    let mut runner = TestRunner::deterministic();
    let commands = [
        Command::Revoke(actor()),
        Command::Cancel(actor()),
        Command::End(actor()),
        Command::List(actor()),
        Command::Accept(None),
    ];
    for _ in 0..50 {
        let (kind, steps) = shares().new_tree(&mut runner).unwrap().current();
        let mut pair = play(kind, steps, |_| {});
        for node in [&mut pair.owner, &mut pair.partner] {
            node.header.hold = Hold::Recovering;
            assert!(!node.header.lives());
            let side = node.side;
            for command in commands.iter().filter(|command| command.side() == side) {
                assert_eq!(node.run(command.clone()), Err(Refusal::Incarnation));
            }
        }
    }
}
