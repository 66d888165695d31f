//! Advanced shares in any order of arrival: what imports, storing, withdrawing, suspending and revoking
//! make of each other is the same at both sides.

use std::collections::{BTreeMap, BTreeSet};

use chrono::DateTime;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::order::{Step, play, shuffled, step, twice};
use crate::evidence::Item;
use crate::id::EvidenceId;
use crate::log::Side;
use crate::log::entry::{Body, CaseInfo, Entry, ItemChange, StoredItem};
use crate::share::decide::Command;
use crate::share::{BlobFact, Fact, Header, ItemFact, Key, Kind, State, Totals};
use crate::testing::{LIVE, Node, Pair, SYNCHRONISED, actor, evidence, item, metadata, stored};

type Folded = (Header, BTreeMap<Key, Fact>);

fn command() -> impl Strategy<Value = Command> {
    let numbers = || prop::collection::btree_set(0..4_u8, 1..3);
    let change = |number: u8| ItemChange {
        evidence: evidence(number.into()),
        title: "Renamed".to_owned(),
        folder: "Elsewhere".to_owned(),
        metadata: metadata(number + 1),
    };
    let id = |number: u8| evidence(number.into());
    prop_oneof![
        24 => numbers().prop_map(|all| Command::Add(all.into_iter().map(item).collect())),
        4 => numbers().prop_map(move |all| Command::Change(all.into_iter().map(change).collect())),
        8 => numbers().prop_map(move |all| Command::Withdraw(all.into_iter().map(id).collect())),
        2 => Just(Command::ChangeCase(actor(), CaseInfo::default())),
        2 => Just(Command::ChangeRecipients(actor(), Vec::new())),
        10 => Just(Command::Grant(actor())),
        2 => Just(Command::Suspend(actor())),
        6 => Just(Command::Resume(actor())),
        6 => Just(Command::List(actor())),
        2 => Just(Command::Revoke(actor())),
        14 => Just(Command::Accept(None)),
        24 => numbers().prop_map(|all| Command::Store(all.into_iter().map(stored).collect())),
        16 => numbers().prop_map(|all| Command::Import(all.into_iter().map(stored).collect())),
        4 => Just(Command::Purge(Totals::default())),
        2 => Just(Command::ShareOnward(actor(), vec!["Bea".into()])),
    ]
}

pub(super) fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![3 => Just(SYNCHRONISED), 1 => Just(LIVE)]
}

pub(super) fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(command()), 0..most)
}

/// The entries of one log as a node holds them.
fn log(node: &Node, side: Side) -> impl Iterator<Item = &Entry> {
    let log = node.entries.range((side, 0)..=(side, u64::MAX));
    log.map(|(_, entry)| entry)
}

fn lists(entry: &Entry, evidence: EvidenceId) -> bool {
    let is = |item: &Item| item.evidence == evidence;
    matches!(&entry.body, Body::EvidenceAdded(items) if items.iter().any(is))
}

fn withdraws(entry: &Entry, evidence: EvidenceId) -> bool {
    matches!(&entry.body, Body::EvidenceWithdrawn(ids) if ids.contains(&evidence))
}

/// The items about which the partner states something in this entry.
fn states(entry: &Entry) -> &[StoredItem] {
    match &entry.body {
        Body::Stored(items) | Body::Imported(items) => items,
        _ => &[],
    }
}

/// Whether one of the first `seen` entries of the owner's log grants an item that is listed there.
fn was_granted(node: &Node, evidence: EvidenceId, seen: u64) -> bool {
    let mut listed = false;
    log(node, Side::Owner)
        .take_while(|entry| entry.number <= seen)
        .any(|entry| {
            listed = (listed || lists(entry, evidence)) && !withdraws(entry, evidence);
            listed && matches!(entry.body, Body::ImportGranted(_))
        })
}

/// What holds at a node, whatever it has come to know so far.
fn holds(node: &Node) {
    let header = &node.header;
    let items: Vec<(EvidenceId, &ItemFact)> = node
        .facts
        .iter()
        .filter_map(|(key, fact)| match (key, fact) {
            (Key::Item(id), Fact::Item(item)) => Some((*id, item)),
            _ => None,
        })
        .collect();
    let sum = |counts: fn(&ItemFact) -> bool| {
        let mut totals = Totals::default();
        let counted = items.iter().filter(|(_, item)| counts(item));
        counted.for_each(|(_, item)| totals.add(item));
        totals
    };
    let listed = |item: &ItemFact| item.withdrawn == 0;
    assert_eq!(header.listed, sum(listed));
    // So never more than is listed.
    let held = |item: &ItemFact| item.withdrawn == 0 && item.stored != 0;
    assert_eq!(header.stored, sum(held));
    assert_eq!(header.imported, sum(|item| item.imported != 0));
    if header.kind == LIVE {
        assert_eq!(header.stored, Totals::default());
    }
    for (id, fact) in &items {
        let entry = node.entries.get(&(Side::Partner, fact.imported));
        assert!(entry.is_none_or(|entry| was_granted(node, *id, entry.other.count)));
    }
    for (key, fact) in &node.facts {
        let (Key::Blob(digest), Fact::Blob(BlobFact { uses, .. })) = (key, fact) else {
            continue;
        };
        let here = items.iter().filter(|(_, item)| item.withdrawn == 0);
        let files = here.flat_map(|(id, _)| item(u8::try_from(id.uuid().as_u128()).unwrap()).files);
        let count = files.filter(|file| file.blake3 == *digest).count();
        assert_eq!(*uses, u64::try_from(count).unwrap());
    }
    partner_stops(node);
}

/// Once it knew of the revocation, a partner says nothing but what it had been granted and that it is
/// purged; and after that nothing at all.
fn partner_stops(node: &Node) {
    let mut purged = false;
    for entry in log(node, Side::Partner) {
        assert!(!purged);
        let told = match node.header.state {
            State::Revoked { at } => entry.other.count >= at,
            _ => false,
        };
        match &entry.body {
            Body::Purged(said) => {
                purged = true;
                assert!(node.header.revoked);
                assert_eq!(said.kept, node.header.imported);
                assert_eq!(node.header.purged, entry.number);
            }
            Body::Imported(_) => {}
            _ => assert!(!told),
        }
    }
}

fn check(pair: &Pair) {
    holds(&pair.owner);
    holds(&pair.partner);
    for node in [&pair.owner, &pair.partner] {
        let (mut header, facts) = node.fold();
        // What came by a statement alone is in no log yet.
        header.revoked |= node.header.revoked;
        assert_eq!((header, facts), (node.header.clone(), node.facts.clone()));
    }
}

proptest! {
    /// fault C9
    #[test]
    fn races_with_import_withdrawal_and_revocation_have_one_outcome_on_both_sides(
        kind in kind(),
        steps in steps(120),
    ) {
        let mut pair = play(kind, steps, check);
        let header = pair.owner.header.clone();
        if !header.revoked {
            return Ok(());
        }
        let over = matches!(header.state, State::Revoked { .. });
        prop_assert!(over);
        let all = || (0..4).map(stored).collect::<Vec<_>>();
        prop_assert!(pair.partner.run(Command::Store(all())).is_err());
        prop_assert!(pair.partner.run(Command::Accept(None)).is_err());
        for command in [
            Command::Add(vec![item(5)]),
            Command::List(actor()),
            Command::Grant(actor()),
            Command::Resume(actor()),
            Command::Withdraw(vec![evidence(1)]),
        ] {
            prop_assert!(pair.owner.run(command).is_err());
        }
        prop_assert_eq!(pair.owner.run(Command::Revoke(actor())), Ok(0));
        if header.partner_log.point.count > 0 {
            pair.partner.run(Command::Purge(Totals::default())).unwrap();
            pair.exchange();
            check(&pair);
            prop_assert!(pair.partner.run(Command::Import(all())).is_err());
        }
    }

    #[test]
    fn applying_twice_is_applying_once_in_an_advanced_share(kind in kind(), steps in steps(80)) {
        let pair = play(kind, steps, |_| {});
        prop_assert_eq!(pair.owner.fold(), twice(&pair.owner));
    }

    #[test]
    fn every_order_that_respects_what_was_seen_folds_an_advanced_share_to_the_same(
        kind in kind(),
        steps in steps(80),
        picks in prop::collection::vec(any::<bool>(), 256),
    ) {
        let pair = play(kind, steps, |_| {});
        prop_assert_eq!(pair.owner.fold(), shuffled(&pair.owner, picks));
    }
}

/// What both logs say without a text: where entries are kept redacted.
fn textless((header, mut facts): Folded) -> Folded {
    facts.retain(|_, fact| !matches!(fact, Fact::Fields(_) | Fact::Tag(_)));
    for fact in facts.values_mut() {
        match fact {
            Fact::Item(item) => {
                item.title.clear();
                item.folder.clear();
                item.added_by = Default::default();
                item.tags = 0;
                item.added_at = DateTime::UNIX_EPOCH;
            }
            Fact::File(file) => {
                file.name.clear();
                file.format.clear();
            }
            Fact::Blob(_) | Fact::Fields(_) | Fact::Tag(_) => {}
        }
    }
    (header, facts)
}

proptest! {
    /// A partner that sealed the texts apart knows as much of the share as its owner.
    #[test]
    fn redacted_entries_fold_to_the_same_but_for_texts(kind in kind(), steps in steps(80)) {
        let whole = play(kind, steps, |_| {}).partner;
        let mut redacted = whole.clone();
        for entry in redacted.entries.values_mut() {
            *entry = Entry::kept(&entry.redacted()).unwrap();
        }
        let folded = redacted.fold();
        prop_assert_eq!(&textless(folded.clone()), &folded);
        prop_assert_eq!(textless(whole.fold()), folded);
    }
}

/// Neither writer had seen the other's entry.
const fn cross(owner: &Entry, partner: &Entry) -> bool {
    owner.other.count < partner.number && partner.other.count < owner.number
}

/// Which races a pair went through.
fn races(pair: &Pair) -> [(&'static str, bool); 11] {
    let node = &pair.owner;
    let crossing = |owner: fn(&Entry) -> bool, partner: fn(&Entry) -> bool| {
        log(node, Side::Partner)
            .filter(|said| partner(said))
            .any(|said| log(node, Side::Owner).any(|entry| owner(entry) && cross(entry, said)))
    };
    // An item about which something is stated is withdrawn meanwhile, and maybe listed again.
    let item = |said: fn(&Entry) -> bool, again: bool| {
        log(node, Side::Partner)
            .filter(|entry| said(entry))
            .any(|said| {
                let meanwhile = || log(node, Side::Owner).filter(|entry| cross(entry, said));
                let gone: BTreeSet<EvidenceId> = states(said)
                    .iter()
                    .map(|item| item.evidence)
                    .filter(|id| meanwhile().any(|entry| withdraws(entry, *id)))
                    .filter(|id| !again || meanwhile().any(|entry| lists(entry, *id)))
                    .collect();
                !gone.is_empty()
            })
    };
    let stored = |entry: &Entry| matches!(entry.body, Body::Stored(_));
    let imported = |entry: &Entry| matches!(entry.body, Body::Imported(_));
    let purged = |entry: &Entry| matches!(entry.body, Body::Purged(_));
    let accepted = |entry: &Entry| matches!(entry.body, Body::Accepted(_));
    let revoked = |entry: &Entry| matches!(entry.body, Body::Revoked(_));
    let suspended = |entry: &Entry| matches!(entry.body, Body::Suspended(_));
    let at = match node.header.state {
        State::Revoked { at } => at,
        _ => u64::MAX,
    };
    let told = |said: fn(&Entry) -> bool| {
        log(node, Side::Partner).any(|entry| said(entry) && entry.other.count >= at)
    };
    let one = |fact: &Fact| matches!(fact, Fact::Item(item) if item.imported != 0 && item.stored == item.imported);
    [
        (
            "revoked, import granted and not yet stated",
            crossing(revoked, imported),
        ),
        ("revoked, stored on its way", crossing(revoked, stored)),
        ("revoked, accepted on its way", crossing(revoked, accepted)),
        ("purged by the statement alone", crossing(revoked, purged)),
        ("purged by the log", told(purged)),
        ("imported after the revocation was known", told(imported)),
        ("withdrawn, stored on its way", item(stored, false)),
        ("listed again, stored on its way", item(stored, true)),
        ("withdrawn, import on its way", item(imported, false)),
        (
            "suspended, statements on their way",
            crossing(suspended, stored),
        ),
        ("stored by an import", node.facts.values().any(one)),
    ]
}

/// Else the claims above would be about nothing.
#[test]
fn the_orders_reach_every_race_of_an_advanced_share() {
    let mut runner = TestRunner::deterministic();
    let mut reached = [("", 0); 11];
    for _ in 0..400 {
        let steps = steps(160).new_tree(&mut runner).unwrap().current();
        let pair = play(SYNCHRONISED, steps, |_| {});
        for (count, (name, seen)) in reached.iter_mut().zip(races(&pair)) {
            *count = (name, count.1 + i32::from(seen));
        }
    }
    assert!(reached.iter().all(|(_, count)| *count >= 3), "{reached:?}");
}
