//! A copy from its offer to its end, step by step, at both sides.

use crate::log::Side;
use crate::refusal::Refusal;
use crate::share::decide::Command;
use crate::share::status::{Status, behind, status};
use crate::share::{Facts as _, Hold, State, Totals};
use crate::testing::{LIVE, Pair, actor, at, evidence, item, offered, stored};

fn show(pair: &Pair, waiting: u64) -> (Status, Totals, Totals) {
    let header = &pair.owner.header;
    (status(header, waiting, at(0)), header.listed, header.stored)
}

const fn totals(evidence: u64, files: u64, bytes: u64) -> Totals {
    Totals {
        evidence,
        files,
        bytes,
    }
}

/// fault C9
#[test]
fn a_copy_goes_from_offer_to_complete_is_updated_and_ends() {
    let mut pair = Pair::new();
    let none = Totals::default();
    pair.owner.run(Command::Offer(offered())).unwrap();
    pair.exchange();
    assert_eq!(show(&pair, 2), (Status::Processing, none, none));
    assert!(!pair.owner.header.lives());

    pair.partner.run(Command::Accept(Some(actor()))).unwrap();
    pair.exchange();
    assert_eq!(pair.owner.header.state, State::Accepted);
    assert!(pair.owner.header.lives());
    // Nothing was listed: what is empty is not complete.
    assert_eq!(show(&pair, 0), (Status::Processing, none, none));

    // Item 1 has two files of 0 and 1 bytes, item 2 has three of 100, 101 and 102.
    let two = totals(2, 5, 304);
    pair.owner
        .run(Command::Add(vec![item(1), item(2)]))
        .unwrap();
    pair.exchange();
    assert_eq!(show(&pair, 0), (Status::Processing, two, none));
    pair.partner
        .run(Command::Store(vec![stored(1), stored(2)]))
        .unwrap();
    pair.exchange();
    assert_eq!(show(&pair, 0), (Status::Processing, two, two));
    pair.owner.run(Command::List(actor())).unwrap();
    pair.exchange();
    assert_eq!(pair.partner.header.update, 1);
    assert_eq!(show(&pair, 1), (Status::Processing, two, two));
    assert_eq!(show(&pair, 0), (Status::Complete, two, two));

    // Item 3 has one file, which item 2 has as well.
    pair.owner
        .run(Command::Add(vec![item(1), item(3)]))
        .unwrap();
    pair.owner.run(Command::List(actor())).unwrap();
    pair.exchange();
    assert_eq!(show(&pair, 0), (Status::Processing, totals(3, 6, 404), two));
    let three = pair.owner.facts.item(evidence(3)).unwrap();
    assert_eq!((three.listed, three.stored), (4, 0));
    pair.partner
        .run(Command::Store(vec![stored(1), stored(3)]))
        .unwrap();
    pair.exchange();
    assert_eq!(pair.owner.facts.item(evidence(3)).unwrap().stored, 3);
    assert_eq!(show(&pair, 0).0, Status::Complete);

    pair.owner.run(Command::End(actor())).unwrap();
    pair.exchange();
    assert_eq!(show(&pair, 0).0, Status::Ended);
    assert_eq!(
        pair.owner.run(Command::Add(vec![item(4)])),
        Err(Refusal::State)
    );
    assert_eq!(
        pair.owner.run(Command::Cancel(actor())),
        Err(Refusal::State)
    );
}

#[test]
fn what_would_change_nothing_is_not_written() {
    let mut pair = Pair::listed(&[1, 2]);
    let again = vec![item(1), item(2)];
    assert_eq!(pair.owner.run(Command::Add(again)), Ok(0));
    assert_eq!(pair.owner.run(Command::List(actor())), Ok(0));
    assert_eq!(pair.partner.run(Command::Accept(None)), Ok(0));
    let twice = vec![stored(1), stored(1)];
    assert_eq!(pair.partner.run(Command::Store(twice.clone())), Ok(1));
    assert_eq!(pair.partner.run(Command::Store(twice)), Ok(0));
    pair.exchange();
    assert_eq!(pair.owner.header.stored.evidence, 1);
}

#[test]
fn nothing_is_written_before_the_offer_and_no_second_offer() {
    let mut pair = Pair::new();
    for command in [
        Command::Add(vec![item(1)]),
        Command::List(actor()),
        Command::End(actor()),
        Command::Cancel(actor()),
    ] {
        assert_eq!(pair.owner.run(command), Err(Refusal::State));
    }
    assert_eq!(pair.partner.run(Command::Accept(None)), Err(Refusal::State));
    pair.owner.run(Command::Offer(offered())).unwrap();
    let again = Command::Offer(offered());
    assert_eq!(pair.owner.run(again), Err(Refusal::State));
}

#[test]
fn what_is_stored_before_acceptance_or_without_being_listed_is_refused() {
    let mut pair = Pair::new();
    pair.owner.run(Command::Offer(offered())).unwrap();
    pair.owner.run(Command::Add(vec![item(1)])).unwrap();
    pair.exchange();
    let one = || Command::Store(vec![stored(1)]);
    assert_eq!(pair.partner.run(one()), Err(Refusal::State));
    pair.partner.run(Command::Accept(None)).unwrap();
    let strange = Command::Store(vec![stored(1), stored(9)]);
    assert_eq!(pair.partner.run(strange), Err(Refusal::NotShared));
    assert_eq!(pair.partner.run(one()), Ok(1));
}

#[test]
fn ending_closes_the_update_that_is_open() {
    let mut pair = Pair::listed(&[1]);
    pair.owner.run(Command::Add(vec![item(2)])).unwrap();
    assert_eq!(pair.owner.run(Command::End(actor())), Ok(2));
    pair.exchange();
    assert_eq!(
        (pair.partner.header.update, pair.partner.header.open),
        (2, false)
    );
    assert_eq!(show(&pair, 0).0, Status::Processing);
    assert!(pair.owner.header.lives());
    pair.partner
        .run(Command::Store(vec![stored(1), stored(2)]))
        .unwrap();
    pair.exchange();
    assert_eq!(show(&pair, 0).0, Status::Ended);
}

#[test]
fn a_suspended_copy_is_not_ended_before_it_is_resumed() {
    let mut pair = Pair::listed(&[1]);
    pair.owner.run(Command::Add(vec![item(2)])).unwrap();
    pair.owner.run(Command::Suspend(actor())).unwrap();
    assert_eq!(pair.owner.run(Command::End(actor())), Err(Refusal::State));
    pair.owner.run(Command::Resume(actor())).unwrap();
    pair.owner.run(Command::End(actor())).unwrap();
    pair.exchange();
}

#[test]
fn ending_what_never_listed_anything_is_ended() {
    let mut pair = Pair::listed(&[]);
    pair.owner.run(Command::End(actor())).unwrap();
    pair.exchange();
    assert_eq!(show(&pair, 0).0, Status::Ended);
}

#[test]
fn an_update_is_complete_when_it_is_listed_and_stored_whichever_comes_first() {
    let mut pair = Pair::listed(&[1]);
    pair.partner.run(Command::Store(vec![stored(1)])).unwrap();
    pair.owner.run(Command::Add(vec![item(2)])).unwrap();
    pair.exchange();
    pair.partner.run(Command::Store(vec![stored(2)])).unwrap();
    pair.exchange();
    assert_eq!(show(&pair, 0).0, Status::Processing);
    pair.owner.run(Command::List(actor())).unwrap();
    pair.exchange();
    assert_eq!(show(&pair, 0).0, Status::Complete);
}

#[test]
fn what_was_stored_before_the_cancelling_was_known_stays_and_nothing_after() {
    let mut pair = Pair::listed(&[1, 2]);
    pair.owner.run(Command::Cancel(actor())).unwrap();
    assert!(!pair.owner.header.lives());
    pair.partner.run(Command::Store(vec![stored(1)])).unwrap();
    pair.exchange();
    assert_eq!(
        show(&pair, 0),
        (Status::Cancelled, totals(2, 5, 304), totals(1, 2, 1))
    );
    let late = Command::Store(vec![stored(2)]);
    assert_eq!(pair.partner.run(late), Err(Refusal::State));
}

#[test]
fn accepting_what_was_cancelled_meanwhile_does_not_revive_it() {
    let mut pair = Pair::new();
    pair.owner.run(Command::Offer(offered())).unwrap();
    pair.exchange();
    pair.owner.run(Command::Cancel(actor())).unwrap();
    pair.partner.run(Command::Accept(None)).unwrap();
    pair.exchange();
    assert_eq!(pair.owner.header.state, State::Cancelled { at: 2 });
    let accept = Command::Accept(None);
    assert_eq!(pair.partner.run(accept), Err(Refusal::State));
}

#[test]
fn ending_racing_with_stored_keeps_both() {
    let mut pair = Pair::listed(&[1, 2]);
    pair.owner.run(Command::End(actor())).unwrap();
    pair.partner.run(Command::Store(vec![stored(1)])).unwrap();
    pair.exchange();
    pair.partner.run(Command::Store(vec![stored(2)])).unwrap();
    pair.exchange();
    assert_eq!(show(&pair, 0).0, Status::Ended);
}

#[test]
fn a_share_that_is_held_can_still_be_stopped() {
    for hold in [Hold::Frozen, Hold::Paused] {
        let mut pair = Pair::listed(&[1]);
        pair.owner.header.hold = hold;
        let (refusal, shown) = if hold == Hold::Frozen {
            (Refusal::Frozen, Status::Frozen)
        } else {
            (Refusal::Newer, Status::Paused)
        };
        assert_eq!(show(&pair, 0).0, shown);
        let add = Command::Add(vec![item(2)]);
        assert_eq!(pair.owner.run(add), Err(refusal));
        assert_eq!(pair.owner.clone().run(Command::End(actor())), Ok(1));
        assert_eq!(pair.owner.run(Command::Cancel(actor())), Ok(1));
        assert!(!pair.owner.header.lives());
    }
}

#[test]
fn behind_counts_what_is_not_countersigned_and_never_wraps() {
    let mut header = Pair::listed(&[1]).owner.header;
    assert_eq!(behind(&header, Side::Owner, 2), 5);
    assert_eq!(behind(&header, Side::Owner, u64::MAX), u64::MAX);
    header.owner_log.countersigned = u64::MAX;
    assert_eq!(behind(&header, Side::Owner, 2), 2);
}

/// fault A3
#[test]
fn of_what_was_not_sent_before_a_revocation_only_that_it_is_over_is_told() {
    let mut pair = Pair::listed(&[1]);
    pair.owner.header.kind = LIVE;
    pair.owner.run(Command::Revoke(actor())).unwrap();
    let header = &mut pair.owner.header;
    let last = header.owner_log.point.count;
    assert!(!header.tells(last - 1) && header.tells(last));
    assert_eq!(behind(header, Side::Owner, 0), 0);
    header.owner_log.countersigned = last - 1;
    assert_eq!(behind(header, Side::Owner, 0), 1);
    // A revocation by itself, beside a log that does not say it.
    let mut header = Pair::listed(&[1]).owner.header;
    assert!(header.tells(1));
    header.revoked = true;
    assert!(!header.tells(1));
    assert_eq!(behind(&header, Side::Owner, 0), 0);
}

/// fault E7
#[test]
fn a_closed_share_is_over_says_nothing_and_lets_nothing_in() {
    let mut pair = Pair::listed_as(LIVE, &[1]);
    pair.exchange();
    pair.owner.run(Command::Revoke(actor())).unwrap();
    let last = pair.owner.header.owner_log.point.count;
    let over = pair.owner.batch(last, 1).unwrap();
    pair.partner.header.hold = Hold::Closed;
    assert_eq!(pair.partner.take(&over), Err(Refusal::NotShared));
    assert_eq!(
        pair.partner.run(Command::Purge(Totals::default())),
        Err(Refusal::State)
    );
    assert_eq!(status(&pair.partner.header, 0, at(0)), Status::Revoked);
}
