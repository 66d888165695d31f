//! Lies about logs: numbers, hashes, heads, signatures, what was seen of the other log.

use super::{Forged, Held, Outcome, Refused, Took, batch, bring, lie, lie_in_head};
use crate::log::entry::Body;
use crate::log::{Point, Side};
use crate::refusal::Refusal;
use crate::share::decide::Command;
use crate::share::{Hold, admit};
use crate::testing::{Pair, actor, at, evidence, harbour, item, north, stored};
use crate::wire;

fn one() -> Body {
    Body::Stored(vec![stored(1)])
}

/// A lie about the partner's second entry.
fn second(bend: impl FnOnce(&mut Forged)) -> Outcome {
    lie(&Pair::listed(&[1, 2]), Side::Partner, one(), bend)
}

/// fault A13
#[test]
fn a_head_that_somebody_else_signed_is_refused() {
    let pair = Pair::listed(&[1]);
    for signer in [harbour(), north()] {
        let forged = [Forged::new(&pair.partner, one())];
        let head = pair.partner.head(forged[0].point());
        let outcome = bring(&pair.owner, &batch(&forged, head, &signer));
        assert_eq!(outcome, Refused(Refusal::Signature));
    }
}

/// fault A13
#[test]
fn a_signature_over_another_head_is_refused() {
    let pair = Pair::listed(&[1]);
    let forged = [Forged::new(&pair.partner, one())];
    let head = pair.partner.head(forged[0].point());
    let mut other = head.clone();
    other.journal.count = 9;
    let mut message = batch(&forged, head, &pair.partner.organisation);
    let other = batch(&forged, other, &pair.partner.organisation);
    message.head.as_mut().unwrap().signature = other.head.unwrap().signature;
    assert_eq!(bring(&pair.owner, &message), Refused(Refusal::Signature));
}

/// fault A6
#[test]
fn a_head_or_entry_of_another_share_or_party_is_refused() {
    let pair = Pair::listed(&[1]);
    let other = crate::id::ShareId::new(evidence(9).uuid());
    let malformed = Refused(Refusal::Malformed);
    let strange = lie_in_head(&pair, Side::Partner, one(), |head| head.share = other);
    assert_eq!(strange, malformed);
    let strange = lie_in_head(&pair, Side::Partner, one(), |head| {
        head.owner = harbour().id;
    });
    assert_eq!(strange, Refused(Refusal::NotShared));
    let strange = second(|forged| forged.header.share = other.as_bytes().to_vec().into());
    assert_eq!(strange, malformed);
    let forged = [Forged::new(&pair.partner, one())];
    let head = pair.partner.head(forged[0].point());
    let mut message = batch(&forged, head, &pair.partner.organisation);
    message.share = other.as_bytes().to_vec().into();
    assert_eq!(bring(&pair.owner, &message), malformed);
}

/// fault A6: all of it of another share, and well signed.
#[test]
fn a_whole_batch_of_another_share_is_refused() {
    let mut pair = Pair::listed(&[1]);
    pair.partner.header.share = crate::id::ShareId::new(evidence(9).uuid());
    let outcome = lie(&pair, Side::Partner, one(), |_| {});
    assert_eq!(outcome, Refused(Refusal::NotShared));
}

/// fault A6: what is looked up and what is said are one share.
#[test]
fn parts_of_different_shares_are_no_batch() {
    let pair = Pair::listed(&[1]);
    let other = crate::id::ShareId::new(evidence(9).uuid());
    let forged = [Forged::new(&pair.partner, one())];
    let head = pair.partner.head(forged[0].point());
    let whole = batch(&forged, head.clone(), &pair.partner.organisation);
    assert!(wire::batch::read(whole.clone()).is_ok());
    let mut strange = head;
    strange.share = other;
    let mut bent = whole.clone();
    bent.head = batch(&[], strange, &pair.partner.organisation).head;
    assert!(wire::batch::read(bent).is_err());
    let mut bent = whole;
    bent.share = other.as_bytes().to_vec().into();
    assert!(wire::batch::read(bent).is_err());
    let mut entry = pair.partner.entries[&(Side::Partner, 1)].clone();
    entry.share = other;
    let header = &pair.owner.header;
    let judged = admit::admit(header, &pair.owner.facts, &entry, &|_, _| None);
    assert_eq!(judged, Err(Refusal::Malformed));
}

/// fault A13: nobody continues a log under the head of the other one.
#[test]
fn an_entry_of_our_own_log_under_the_partners_head_is_refused() {
    let pair = Pair::listed(&[1]);
    let outcome = lie(&pair, Side::Partner, one(), |forged| {
        *forged = Forged::new(&pair.owner, one());
        forged.header.r#type = 63;
        forged.header.critical = false;
    });
    assert_eq!(outcome, Refused(Refusal::Malformed));
}

/// fault A12
#[test]
fn a_gap_is_answered_with_what_is_expected() {
    for number in [3, 1 << 40, u64::MAX] {
        let outcome = second(|forged| forged.header.number = number);
        assert_eq!(outcome, Refused(Refusal::Gap { expected: 2 }));
    }
}

/// fault A12
#[test]
fn number_zero_and_a_first_entry_with_one_before_it_are_refused() {
    let malformed = Refused(Refusal::Malformed);
    assert_eq!(second(|forged| forged.header.number = 0), malformed);
    assert_eq!(second(|forged| forged.header.number = 1), malformed);
    let zeroes = |forged: &mut Forged| forged.header.previous = vec![0; 32].into();
    assert_eq!(second(zeroes), malformed);
}

/// fault A5, fault C9
#[test]
fn old_entries_change_nothing_when_they_come_again() {
    let mut pair = Pair::listed(&[1, 2]);
    let old = pair.owner.batch(1, 2).unwrap();
    pair.owner.run(Command::Cancel(actor())).unwrap();
    pair.exchange();
    let before = pair.partner.clone();
    assert_eq!(pair.partner.take(&old), Ok(0));
    assert_eq!(pair.partner, before);
}

/// fault A9
#[test]
fn another_entry_with_the_same_number_freezes() {
    let mut pair = Pair::listed(&[1, 2]);
    let twin = pair.clone();
    pair.partner.run(Command::Store(vec![stored(1)])).unwrap();
    pair.exchange();
    let forged = [Forged::new(&twin.partner, Body::Stored(vec![stored(2)]))];
    let head = twin.partner.head(forged[0].point());
    let message = batch(&forged, head, &twin.partner.organisation);
    assert_eq!(bring(&pair.owner, &message), Held(Hold::Frozen));
}

/// fault A9
#[test]
fn an_entry_that_follows_another_history_freezes() {
    let outcome = second(|forged| forged.header.previous = vec![9; 32].into());
    assert_eq!(outcome, Held(Hold::Frozen));
}

/// fault A9
#[test]
fn a_batch_that_forks_in_its_middle_changes_nothing_but_the_hold() {
    let mut pair = Pair::listed(&[1, 2, 3]);
    let mut twin = pair.clone();
    pair.partner.run(Command::Store(vec![stored(1)])).unwrap();
    pair.exchange();
    twin.partner.run(Command::Store(vec![stored(2)])).unwrap();
    twin.partner.run(Command::Store(vec![stored(3)])).unwrap();
    let before = pair.owner.clone();
    let fork = twin.partner.batch(1, 16).unwrap();
    assert_eq!(pair.owner.take(&fork), Ok(0));
    assert_eq!(pair.owner.header.hold, Hold::Frozen);
    pair.owner.header.hold = Hold::Free;
    assert_eq!(pair.owner, before);
}

#[test]
fn what_is_frozen_takes_nothing() {
    let mut pair = Pair::listed(&[1]);
    pair.owner.header.hold = Hold::Frozen;
    let outcome = lie(&pair, Side::Partner, one(), |_| {});
    assert_eq!(outcome, Refused(Refusal::Frozen));
    // Who is no party to it does not even learn that.
    let strange = lie_in_head(&pair, Side::Partner, one(), |head| {
        head.owner = harbour().id
    });
    assert_eq!(strange, Refused(Refusal::NotShared));
}

#[test]
fn entries_that_do_not_follow_each_other_are_refused() {
    let pair = Pair::listed(&[1, 2]);
    let first = Forged::new(&pair.partner, one());
    let breaks: [fn(&mut Forged); 3] = [
        |next| next.header.previous = vec![3; 32].into(),
        |next| next.header.number += 1,
        |next| next.header.number = u64::MAX,
    ];
    for bend in breaks {
        let mut next = first.then();
        bend(&mut next);
        let head = pair.partner.head(next.point());
        let entries = [first.then(), next];
        let message = batch(&entries, head, &pair.partner.organisation);
        assert_eq!(bring(&pair.owner, &message), Refused(Refusal::Malformed));
    }
}

#[test]
fn a_head_over_other_entries_or_over_none_is_refused() {
    let pair = Pair::listed(&[1, 2]);
    let bends: [fn(&mut Point); 3] = [
        |point| point.count += 1,
        |point| point.count = u64::MAX,
        |point| point.hash = [8; 32],
    ];
    for bend in bends {
        let outcome = lie_in_head(&pair, Side::Partner, one(), |head| bend(&mut head.point));
        assert_eq!(outcome, Refused(Refusal::Malformed));
    }
    let empty = batch(
        &[],
        pair.partner.head(Point::default()),
        &pair.partner.organisation,
    );
    assert_eq!(bring(&pair.owner, &empty), Refused(Refusal::Malformed));
}

/// fault A13
#[test]
fn an_entry_in_the_other_log_is_refused() {
    let malformed = Refused(Refusal::Malformed);
    let wrong = |forged: &mut Forged| forged.header.side = 1;
    assert_eq!(second(wrong), malformed);
    for none in [0, 3, -1] {
        assert_eq!(second(|forged| forged.header.side = none), malformed);
    }
    let pair = Pair::listed(&[1]);
    let theirs = [
        Body::Cancelled(actor()),
        Body::Ended(actor()),
        Body::EvidenceAdded(vec![item(2)]),
    ];
    for body in theirs {
        assert_eq!(lie(&pair, Side::Partner, body, |_| {}), malformed);
    }
    assert_eq!(lie(&pair, Side::Owner, one(), |_| {}), malformed);
    assert_eq!(
        lie(&pair, Side::Owner, Body::Accepted(None), |_| {}),
        malformed
    );
}

#[test]
fn having_seen_more_of_our_log_than_there_is_is_refused() {
    for count in [5, 1 << 40, u64::MAX] {
        let outcome = second(|forged| forged.header.other_count = count);
        assert_eq!(outcome, Refused(Refusal::Malformed));
    }
}

#[test]
fn another_hash_for_our_log_is_refused() {
    // Of its end, of a place before, of nothing.
    for count in [3, 2, 0] {
        let outcome = second(|forged| {
            forged.header.other_count = count;
            forged.header.other_hash = vec![6; 32].into();
        });
        assert_eq!(outcome, Refused(Refusal::Malformed));
    }
}

#[test]
fn having_seen_less_of_our_log_than_before_is_refused() {
    let pair = Pair::listed(&[1]);
    let earlier = pair.owner.entries[&(Side::Owner, 2)].point();
    let outcome = lie(&pair, Side::Partner, one(), |forged| {
        forged.header.other_count = earlier.count;
        forged.header.other_hash = earlier.hash.to_vec().into();
    });
    assert_eq!(outcome, Refused(Refusal::Malformed));
}

#[test]
fn an_earlier_incarnation_or_none_is_refused_and_a_later_one_goes_on() {
    let mut pair = Pair::listed(&[1]);
    pair.owner.header.partner_log.incarnation = 2;
    for (incarnation, outcome) in [
        (0, Refused(Refusal::Malformed)),
        (1, Refused(Refusal::Incarnation)),
        (2, Took(1)),
        (3, Took(1)),
    ] {
        let told = lie_in_head(&pair, Side::Partner, one(), |head| {
            head.incarnation = incarnation;
        });
        assert_eq!(told, outcome, "{incarnation}");
    }
}

#[test]
fn nothing_is_decided_by_a_partners_clock_or_journal() {
    let mut pair = Pair::listed(&[1]);
    pair.partner.now = at(-1_000_000_000);
    let outcome = lie_in_head(&pair, Side::Partner, one(), |head| {
        head.journal.count = u64::MAX;
    });
    assert_eq!(outcome, Took(1));
}
