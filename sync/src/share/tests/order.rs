//! Whatever happens in whatever order at both sides, and however often a message arrives, both end up
//! with the same. Here is what plays it, and what a copy makes of it; [`races`](super::races) plays
//! advanced shares.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use crate::log::Side;
use crate::log::entry::{Body, DeclineReason, Entry, RecallAnswer};
use crate::refusal::Refusal;
use crate::share::apply::{apply, open};
use crate::share::decide::Command;
use crate::share::{Fact, Header, Hold, Key, Kind, State};
use crate::testing::{Node, Pair, actor, item, offered, reshared, revocation, stored};

#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "a few hundred of them, in tests")]
pub(super) enum Step {
    Run(Command),
    /// Puts a batch of this log on the way, from so many entries before its end.
    Send(Side, u64, usize),
    /// Brings any batch that was ever sent; it stays on the way.
    Deliver(usize),
    /// Tells the partner of a revocation by its statement alone.
    Tell,
}

pub(super) fn command() -> impl Strategy<Value = Command> {
    let numbers = || prop::collection::btree_set(0..6_u8, 1..4);
    prop_oneof![
        20 => numbers().prop_map(|all| Command::Add(all.into_iter().map(item).collect())),
        8 => Just(Command::List(actor())),
        30 => numbers().prop_map(|all| Command::Store(all.into_iter().map(stored).collect())),
        8 => Just(Command::Accept(None)),
        1 => Just(Command::End(actor())),
        1 => Just(Command::Cancel(actor())),
        1 => Just(Command::Reshare(actor(), reshared("Bea"))),
        4 => Just(Command::Recall(actor(), "Sealed by the court".to_owned())),
        6 => any::<bool>().prop_map(|granted| {
            let reason = String::new();
            Command::AnswerRecall(actor(), RecallAnswer { granted, reason })
        }),
        1 => Just(Command::Decline(actor(), DeclineReason::Unneeded)),
    ]
}

pub(super) fn step(command: impl Strategy<Value = Command>) -> impl Strategy<Value = Step> {
    let side = prop_oneof![Just(Side::Owner), Just(Side::Partner)];
    prop_oneof![
        10 => command.prop_map(Step::Run),
        10 => (side, 1..20_u64, 1..=16_usize).prop_map(|(side, back, most)| Step::Send(side, back, most)),
        10 => any::<usize>().prop_map(Step::Deliver),
        1 => Just(Step::Tell),
    ]
}

fn run(node: &mut Node, command: Command) {
    let before = node.clone();
    if node.run(command).is_err() {
        node.now = before.now;
        assert_eq!(*node, before);
    }
}

/// Messages that arrive early are refused by what is missing; honest ones never by anything else.
fn deliver(pair: &mut Pair, (side, bytes): &(Side, Vec<u8>)) {
    let (_, reader) = pair.ends(*side);
    let before = reader.clone();
    match reader.take(bytes) {
        Ok(0) | Err(Refusal::Gap { .. }) => assert_eq!(*reader, before),
        outcome => assert!(outcome.is_ok(), "{outcome:?}"),
    }
    assert_eq!(reader.header.hold, Hold::Free);
}

/// The statement is valid from when its owner revoked, however often it comes.
fn tell(pair: &mut Pair) {
    if pair.owner.header.revoked {
        pair.partner.revoked(&revocation());
    }
}

/// Plays the steps, brings both sides all that is missing, and then all that was ever sent once more.
/// `check` sees every state that is reached.
pub(super) fn play(kind: Kind, steps: Vec<Step>, check: fn(&Pair)) -> Pair {
    let mut pair = Pair::of(kind);
    run(&mut pair.owner, Command::Offer(offered()));
    let mut sent = Vec::new();
    for step in steps {
        match step {
            Step::Run(command) => run(pair.ends(command.side()).0, command),
            Step::Send(side, back, most) => {
                let (writer, _) = pair.ends(side);
                let end = writer.header.log(side).point.count + 1;
                let from = end.saturating_sub(back).max(1);
                sent.extend(writer.batch(from, most).map(|batch| (side, batch)));
            }
            Step::Deliver(any) if !sent.is_empty() => deliver(&mut pair, &sent[any % sent.len()]),
            Step::Deliver(_) => {}
            Step::Tell => tell(&mut pair),
        }
        check(&pair);
    }
    pair.exchange();
    check(&pair);
    let after = pair.clone();
    for message in &sent {
        deliver(&mut pair, message);
        tell(&mut pair);
    }
    assert_eq!(pair, after);
    pair
}

/// Every entry applied twice, and all of them once more.
pub(super) fn twice(node: &Node) -> (Header, BTreeMap<Key, Fact>) {
    let mut twice = (open(&node.terms), BTreeMap::new());
    let entries = || node.entries.values();
    let each = entries().flat_map(|entry| [entry, entry]);
    for entry in each.chain(entries()) {
        let (header, puts) = apply(&twice.0, &twice.1, entry, 1);
        twice.0 = header;
        twice.1.extend(puts);
    }
    twice
}

/// Both logs folded in an order in which every entry comes after what its writer had seen.
pub(super) fn shuffled(node: &Node, picks: Vec<bool>) -> (Header, BTreeMap<Key, Fact>) {
    let log = |side| {
        let log = node.entries.range((side, 0)..=(side, u64::MAX));
        log.map(|(_, entry)| entry).peekable()
    };
    let [mut owner, mut partner] = [log(Side::Owner), log(Side::Partner)];
    let mut folded = (open(&node.terms), BTreeMap::new());
    let mut picks = picks.into_iter().cycle();
    while owner.peek().is_some() || partner.peek().is_some() {
        let [us, them] = [&folded.0.owner_log, &folded.0.partner_log].map(|log| log.point.count);
        let owner_next = owner.peek().is_some_and(|entry| entry.other.count <= them);
        let partner_next = partner.peek().is_some_and(|entry| entry.other.count <= us);
        let owner_now = owner_next && (!partner_next || picks.next() == Some(true));
        let next = if owner_now { &mut owner } else { &mut partner };
        let (header, puts) = apply(&folded.0, &folded.1, next.next().unwrap(), 1);
        folded.0 = header;
        folded.1.extend(puts);
    }
    folded
}

fn copy(steps: Vec<Step>) -> Pair {
    play(Kind::Copy, steps, |_| {})
}

proptest! {
    /// fault C9
    #[test]
    fn any_order_of_commands_and_deliveries_ends_in_one_state(
        steps in prop::collection::vec(step(command()), 0..120)
    ) {
        let mut pair = copy(steps);
        let header = pair.owner.header.clone();
        prop_assert!(header.stored.evidence <= header.listed.evidence);
        if let State::Cancelled { at } = header.state {
            let mut entries = pair.owner.entries.range((Side::Partner, 0)..);
            let answers = |entry: &Entry| matches!(entry.body, Body::RecallAnswered(..));
            prop_assert!(entries.all(|(_, entry)| entry.other.count < at || answers(entry)));
            let all = (0..6).map(stored).collect();
            prop_assert!(pair.partner.run(Command::Store(all)).is_err());
        }
    }

    #[test]
    fn applying_twice_is_applying_once(steps in prop::collection::vec(step(command()), 0..80)) {
        let pair = copy(steps);
        prop_assert_eq!(pair.owner.fold(), twice(&pair.owner));
    }

    /// An entry builds on nothing but what its writer had seen: so the order of arrival has no say.
    #[test]
    fn every_order_that_respects_what_was_seen_folds_to_the_same(
        steps in prop::collection::vec(step(command()), 0..80),
        picks in prop::collection::vec(any::<bool>(), 256),
    ) {
        let pair = copy(steps);
        prop_assert_eq!(pair.owner.fold(), shuffled(&pair.owner, picks));
    }
}

/// Else the claims above would be about nothing.
#[test]
fn the_orders_reach_every_state_and_every_race() {
    let mut runner = TestRunner::deterministic();
    let mut reached = [0; 8];
    for _ in 0..300 {
        let steps = prop::collection::vec(step(command()), 0..120);
        let pair = copy(steps.new_tree(&mut runner).unwrap().current());
        let header = &pair.owner.header;
        let cancelled = matches!(header.state, State::Cancelled { .. });
        // The owner stopped before it knew what the partner had stated.
        let last = &pair.owner.entries[&(Side::Owner, header.owner_log.point.count)];
        let race = last.other.count < header.partner_log.point.count && header.stored.evidence > 0;
        let seen = [
            header.state == State::Ended,
            cancelled,
            header.update > 1 && header.whole(),
            cancelled && race,
            header.state == State::Ended && race,
            header.declined.is_some() && header.listed.evidence > 0,
            header.recall.answered > 0,
            header.addressed > 1,
        ];
        for (count, seen) in reached.iter_mut().zip(seen) {
            *count += i32::from(seen);
        }
    }
    assert!(reached.iter().all(|count| *count >= 3), "{reached:?}");
}
