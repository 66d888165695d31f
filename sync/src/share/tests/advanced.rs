//! What references and advanced shares go through, step by step.

use crate::log::entry::{Body, CaseInfo, ItemChange};
use crate::metadata::Metadata;
use crate::refusal::Refusal;
use crate::share::decide::Command;
use crate::share::{Fact, Facts, Kind, Mode, Policy, Totals};
use crate::testing::{
    LIVE, Pair, SYNCHRONISED, actor, evidence, item, metadata, offered, reference, stored, terms_of,
};

fn totals(numbers: &[u8]) -> Totals {
    let mut totals = Totals::default();
    for number in numbers {
        let item = item(*number);
        totals.evidence += 1;
        totals.files += u64::try_from(item.files.len()).unwrap();
        totals.bytes += item.bytes();
    }
    totals
}

/// The body of the last entry that an owner wrote.
fn said(pair: &Pair) -> Body {
    let side = crate::log::Side::Owner;
    let last = pair.owner.header.owner_log.point.count;
    pair.owner.entries[&(side, last)].body.clone()
}

fn granted(kind: Kind, items: &[u8]) -> Pair {
    let mut pair = Pair::listed_as(kind, items);
    pair.owner.run(Command::Grant(actor())).unwrap();
    pair.exchange();
    pair
}

#[test]
fn what_is_imported_counts_as_stored_where_files_are_kept() {
    let mut pair = granted(SYNCHRONISED, &[1, 2]);
    let import = Command::Import(vec![stored(1)]);
    assert_eq!(pair.partner.run(import.clone()), Ok(1));
    pair.exchange();
    assert_eq!(pair.owner.header.stored, totals(&[1]));
    assert_eq!(pair.owner.header.imported, totals(&[1]));
    // Both are said already.
    assert_eq!(pair.partner.run(import), Ok(0));
    let both = Command::Store(vec![stored(1), stored(2)]);
    assert_eq!(pair.partner.run(both.clone()), Ok(1));
    pair.exchange();
    assert!(pair.owner.header.whole());
    assert_eq!(pair.owner.header.stored, totals(&[1, 2]));
    assert_eq!(pair.partner.run(both), Ok(0));
}

#[test]
fn what_is_stored_can_still_be_imported_and_counts_once() {
    let mut pair = granted(SYNCHRONISED, &[1, 2]);
    pair.partner.run(Command::Store(vec![stored(1)])).unwrap();
    let first = pair.partner.facts.item(evidence(1)).unwrap().stored;
    pair.partner.run(Command::Import(vec![stored(1)])).unwrap();
    pair.exchange();
    assert_eq!(pair.owner.header.stored, totals(&[1]));
    assert_eq!(pair.owner.facts.item(evidence(1)).unwrap().stored, first);
}

#[test]
fn an_import_from_a_live_share_stores_nothing_in_it() {
    let mut pair = granted(LIVE, &[1, 2]);
    pair.partner.run(Command::Import(vec![stored(2)])).unwrap();
    pair.exchange();
    assert_eq!(pair.owner.header.stored, Totals::default());
    assert_eq!(pair.owner.header.imported, totals(&[2]));
    let store = Command::Store(vec![stored(1)]);
    assert_eq!(pair.partner.run(store), Err(Refusal::State));
}

/// AO-43: what was granted becomes the partner's own, also when it is withdrawn or revoked on the way.
#[test]
fn what_was_granted_is_imported_whatever_happens_to_the_share_meanwhile() {
    for kind in [LIVE, SYNCHRONISED] {
        let mut pair = granted(kind, &[1, 2, 3]);
        let withdraw = Command::Withdraw(vec![evidence(1)]);
        pair.owner.run(withdraw).unwrap();
        pair.owner.run(Command::Revoke(actor())).unwrap();
        pair.exchange();
        let import = Command::Import(vec![stored(1), stored(2)]);
        assert_eq!(pair.partner.run(import), Ok(1));
        let erased = totals(&[3]);
        pair.partner.run(Command::Purge(erased)).unwrap();
        pair.exchange();
        assert_eq!(pair.owner.header.imported, totals(&[1, 2]));
        // The purge closed the log.
        let late = Command::Import(vec![stored(3)]);
        assert_eq!(pair.partner.run(late), Err(Refusal::State));
    }
}

#[test]
fn what_was_withdrawn_before_the_grant_or_listed_after_it_is_not_imported() {
    let mut pair = Pair::listed_as(SYNCHRONISED, &[1, 2]);
    pair.owner
        .run(Command::Withdraw(vec![evidence(1)]))
        .unwrap();
    pair.owner.run(Command::Grant(actor())).unwrap();
    pair.owner.run(Command::Add(vec![item(3)])).unwrap();
    pair.exchange();
    for number in [1, 3] {
        let import = Command::Import(vec![stored(number)]);
        assert_eq!(pair.partner.run(import), Err(Refusal::State));
    }
    // Listed again, it is not under the old grant, but under the next.
    pair.owner.run(Command::Add(vec![item(1)])).unwrap();
    pair.exchange();
    let import = || Command::Import(vec![stored(1), stored(3)]);
    assert_eq!(pair.partner.run(import()), Err(Refusal::State));
    pair.owner.run(Command::Grant(actor())).unwrap();
    pair.exchange();
    assert_eq!(pair.partner.run(import()), Ok(1));
    pair.exchange();
    assert_eq!(pair.owner.header.imported, totals(&[1, 3]));
}

#[test]
fn a_withdrawn_item_leaves_no_text_and_no_use_of_its_files() {
    let mut pair = Pair::listed_as(SYNCHRONISED, &[4, 5]);
    let all = vec![stored(4), stored(5)];
    pair.partner.run(Command::Store(all)).unwrap();
    pair.exchange();
    // Both items have a file in common.
    let shared = stored(4).files[0];
    assert_eq!(pair.owner.facts.blob(shared).unwrap().uses, 2);
    pair.owner
        .run(Command::Withdraw(vec![evidence(5)]))
        .unwrap();
    pair.exchange();
    let gone = pair.partner.facts.item(evidence(5)).unwrap();
    assert_eq!(gone.title.clone() + &gone.folder + &gone.added_by.text, "");
    let said = pair.partner.facts.metadata(evidence(5), &gone);
    assert_eq!(said, Metadata::default());
    let left = |fact: &Fact| matches!(fact, Fact::Tag(tag) if !tag.text.is_empty());
    assert_eq!(
        pair.partner
            .facts
            .values()
            .filter(|fact| left(fact))
            .count(),
        metadata(4).tags.len()
    );
    let file = |place| pair.partner.facts.file(evidence(5), place);
    assert!((0..gone.files).all(|place| file(place).unwrap().name.is_empty()));
    assert_eq!(pair.owner.facts.blob(shared).unwrap().uses, 1);
    let own = stored(5).files[2];
    let blob = pair.owner.facts.blob(own).unwrap();
    assert!(blob.uses == 0 && !pair.owner.header.serves(blob));
    assert_eq!(pair.owner.header.listed, totals(&[4]));
    assert_eq!(pair.owner.header.stored, totals(&[4]));
    // Listed again it must be stored again.
    pair.owner.run(Command::Add(vec![item(5)])).unwrap();
    pair.owner.run(Command::List(actor())).unwrap();
    pair.exchange();
    assert!(!pair.owner.header.whole());
    pair.partner.run(Command::Store(vec![stored(5)])).unwrap();
    pair.exchange();
    assert!(pair.owner.header.whole());
}

/// Of a live share only what was granted leaves the owner.
#[test]
fn bytes_are_served_for_an_import_from_when_the_first_item_with_them_was_granted() {
    let mut pair = Pair::listed_as(LIVE, &[4]);
    // Both items have a file in common, and item 5 has one of its own.
    let [common, own] = [stored(4).files[0], stored(5).files[2]];
    let serves = |pair: &Pair, digest| {
        let blob = pair.owner.facts.blob(digest);
        pair.owner.header.serves(blob.unwrap())
    };
    assert!(!serves(&pair, common));
    pair.owner.run(Command::Grant(actor())).unwrap();
    pair.owner.run(Command::Add(vec![item(5)])).unwrap();
    assert!(serves(&pair, common) && !serves(&pair, own));
    pair.owner.run(Command::Grant(actor())).unwrap();
    assert!(serves(&pair, common) && serves(&pair, own));
    pair.owner.run(Command::Suspend(actor())).unwrap();
    assert!(!serves(&pair, common));
}

#[test]
fn changes_describe_the_item_the_case_and_the_recipients_anew() {
    let mut pair = Pair::listed_as(LIVE, &[1]);
    let change = ItemChange {
        evidence: evidence(1),
        title: "Renamed".to_owned(),
        folder: "Elsewhere".to_owned(),
        metadata: metadata(2),
    };
    let info = CaseInfo {
        number: "2026-8".to_owned(),
        ..CaseInfo::default()
    };
    let numbers = pair.owner.header.owner_log.point.count;
    pair.owner.run(Command::Change(vec![change])).unwrap();
    pair.owner.run(Command::ChangeCase(actor(), info)).unwrap();
    let update = pair.owner.header.update;
    pair.owner.run(Command::List(actor())).unwrap();
    let names = vec!["Rae".to_owned()];
    let narrow = Command::ChangeRecipients(actor(), names.clone());
    pair.owner.run(narrow).unwrap();
    pair.exchange();
    let header = &pair.partner.header;
    assert_eq!(header.update, update + 1);
    assert_eq!([header.case, header.recipients], [numbers + 2, numbers + 4]);
    assert_eq!(said(&pair), Body::RecipientsChanged(actor(), names));
    let renamed = pair.partner.facts.item(evidence(1)).unwrap();
    assert_eq!(renamed.title, "Renamed");
    assert_eq!([renamed.listed, renamed.described], [2, numbers + 1]);
}

/// AE-032: a reference is revoked at any time; until then it lists nothing.
#[test]
fn a_reference_says_who_may_use_it_and_when_it_is_over_and_nothing_else() {
    let mut pair = Pair::of(reference());
    pair.owner.run(Command::Offer(offered())).unwrap();
    let refused = [
        Command::Add(vec![item(1)]),
        Command::Change(Vec::new()),
        Command::Withdraw(vec![evidence(1)]),
        Command::ChangeCase(actor(), CaseInfo::default()),
        Command::Grant(actor()),
        Command::List(actor()),
        Command::End(actor()),
        Command::Cancel(actor()),
    ];
    for accepted in [false, true] {
        for command in &refused {
            let refused = pair.owner.run(command.clone());
            assert_eq!(refused, Err(Refusal::State), "{accepted} {command:?}");
        }
        pair.exchange();
        pair.partner.run(Command::Accept(None)).unwrap();
        pair.exchange();
    }
    let names = Command::ChangeRecipients(actor(), Vec::new());
    for command in [
        names,
        Command::Suspend(actor()),
        Command::Resume(actor()),
        Command::Revoke(actor()),
    ] {
        assert_eq!(pair.owner.run(command), Ok(1));
    }
    pair.exchange();
    assert_eq!(pair.partner.run(Command::Purge(Totals::default())), Ok(1));
    pair.exchange();
}

#[test]
fn a_policy_without_import_grants_none() {
    for mode in [Mode::Live, Mode::Synchronised] {
        let kind = Kind::Advanced(Policy {
            mode,
            download: true,
            import: false,
            onward: false,
        });
        let mut pair = Pair::listed_as(kind, &[1]);
        let grant = Command::Grant(actor());
        assert_eq!(pair.owner.run(grant), Err(Refusal::State));
        let import = Command::Import(vec![stored(1)]);
        assert_eq!(pair.partner.run(import), Err(Refusal::State));
    }
}

#[test]
fn a_copy_is_neither_revoked_nor_granted_nor_narrowed() {
    let mut pair = Pair::listed(&[1]);
    for command in [
        Command::Revoke(actor()),
        Command::Grant(actor()),
        Command::Withdraw(vec![evidence(1)]),
        Command::ChangeCase(actor(), CaseInfo::default()),
    ] {
        assert_eq!(pair.owner.run(command), Err(Refusal::State));
    }
    assert!(!pair.owner.header.revoked);
    assert!(!crate::testing::revocation().covers(&pair.owner.header));
}

#[test]
fn what_is_suspended_takes_statements_and_withdrawals_but_lists_nothing() {
    let mut pair = granted(SYNCHRONISED, &[1, 2]);
    let before = pair.partner.clone();
    assert_eq!(pair.owner.run(Command::Suspend(actor())), Ok(1));
    assert_eq!(pair.owner.run(Command::Suspend(actor())), Ok(0));
    for command in [
        Command::Add(vec![item(3)]),
        Command::List(actor()),
        Command::Grant(actor()),
        Command::ChangeCase(actor(), CaseInfo::default()),
    ] {
        assert_eq!(pair.owner.run(command), Err(Refusal::State));
    }
    let withdraw = Command::Withdraw(vec![evidence(1)]);
    assert_eq!(pair.owner.run(withdraw), Ok(1));
    pair.partner = before;
    let store = Command::Store(vec![stored(1), stored(2)]);
    pair.partner.run(store).unwrap();
    pair.exchange();
    assert_eq!(pair.owner.header.stored, totals(&[2]));
    assert_eq!(pair.owner.run(Command::Resume(actor())), Ok(1));
    assert_eq!(pair.owner.run(Command::Resume(actor())), Ok(0));
    pair.owner.run(Command::Add(vec![item(3)])).unwrap();
    pair.exchange();
}

#[test]
fn an_item_comes_back_only_as_it_was() {
    let mut pair = Pair::listed_as(LIVE, &[1]);
    pair.owner
        .run(Command::Withdraw(vec![evidence(1)]))
        .unwrap();
    let mut other = item(1);
    other.files.truncate(1);
    let again = pair.owner.run(Command::Add(vec![other]));
    assert_eq!(again, Err(Refusal::Malformed));
    assert_eq!(pair.owner.run(Command::Add(vec![item(1)])), Ok(1));
    pair.exchange();
}

#[test]
fn terms_of_every_kind_open_a_share_that_nothing_is_known_of() {
    for kind in [reference(), Kind::Copy, LIVE, SYNCHRONISED] {
        let header = crate::share::apply::open(&terms_of(kind));
        assert_eq!(header.kind, kind);
        assert!(!header.lives() && header.open_to_owner());
        let until = match kind {
            Kind::Reference(until) => Some(until),
            _ => None,
        };
        assert_eq!(kind.until(), until);
    }
}

/// What comes back is listed by the entry that brings it back: bytes are served from then on.
#[test]
fn bytes_that_come_back_are_listed_by_the_entry_that_brings_them() {
    let mut pair = Pair::listed_as(LIVE, &[1]);
    let digest = item(1).files[0].blake3;
    let before = pair.owner.facts.blob(digest).unwrap();
    let withdraw = Command::Withdraw(vec![evidence(1)]);
    pair.owner.run(withdraw).unwrap();
    assert_eq!(pair.owner.facts.blob(digest).unwrap().uses, 0);
    pair.owner.run(Command::Add(vec![item(1)])).unwrap();
    let after = pair.owner.facts.blob(digest).unwrap();
    assert_eq!((before.uses, after.uses), (1, 1));
    assert!(after.listed > before.listed);
}

#[test]
fn nothing_is_imported_before_a_grant() {
    let mut pair = Pair::listed_as(LIVE, &[1]);
    let import = Command::Import(vec![stored(1)]);
    assert_eq!(pair.partner.run(import), Err(Refusal::State));
}
