//! What an owner can still say of a copy: it is addressed to more people, and asked for back; and what a partner
//! makes of an offer that it does not want.

use super::{Outcome, Refused, Took, lie};
use crate::limits;
use crate::log::Side;
use crate::log::entry::{Body, DeclineReason, RecallAnswer, Reshared};
use crate::refusal::Refusal;
use crate::share::decide::Command;
use crate::share::status::{Status, status};
use crate::share::{Kind, Recall};
use crate::testing::{
    LIVE, Pair, SYNCHRONISED, actor, at, item, offered, reference, reshared, stored,
};

const STATE: Outcome = Refused(Refusal::State);

fn recall() -> Command {
    Command::Recall(actor(), "Sealed by the court".to_owned())
}

fn said(granted: bool) -> RecallAnswer {
    RecallAnswer {
        granted,
        reason: "As the law has it".to_owned(),
    }
}

fn answer(granted: bool) -> Command {
    Command::AnswerRecall(actor(), said(granted))
}

fn people(count: usize) -> Reshared {
    Reshared {
        recipients: vec!["Bea".to_owned(); count],
        message: String::new(),
    }
}

/// Offered in this kind and known to the partner, who has said nothing.
fn offer(kind: Kind) -> Pair {
    let mut pair = Pair::of(kind);
    pair.owner.run(Command::Offer(offered())).unwrap();
    pair.exchange();
    pair
}

/// AJ-30: what lives is given other recipients, a copy only more.
#[test]
fn a_copy_is_addressed_to_more_people_and_to_nobody_less() {
    let mut copy = Pair::listed(&[1]);
    assert_eq!(copy.owner.header.addressed, 1);
    let others = Command::ChangeRecipients(actor(), vec!["Bea".to_owned()]);
    assert_eq!(copy.owner.run(others), Err(Refusal::State));
    let taken_away = Body::RecipientsChanged(actor(), Vec::new());
    assert_eq!(lie(&copy, Side::Owner, taken_away, |_| {}), STATE);
    let more = Command::Reshare(actor(), reshared("Bea"));
    assert_eq!(copy.owner.run(more.clone()), Ok(1));
    copy.exchange();
    assert_eq!(copy.partner.header.addressed, 2);
    for kind in [reference(), LIVE, SYNCHRONISED] {
        let mut pair = offer(kind);
        assert_eq!(pair.owner.run(more.clone()), Err(Refusal::State));
        let body = Body::Reshared(actor(), reshared("Bea"));
        assert_eq!(lie(&pair, Side::Owner, body, |_| {}), STATE);
    }
}

#[test]
fn a_copy_is_never_addressed_to_more_than_a_share_may_name() {
    let most = limits::RECIPIENTS_MAX;
    let mut pair = Pair::listed(&[1]);
    let over = Command::Reshare(actor(), people(most));
    assert_eq!(pair.owner.run(over), Err(Refusal::Limit));
    let body = Body::Reshared(actor(), people(most));
    let outcome = lie(&pair, Side::Owner, body, |_| {});
    assert_eq!(outcome, Refused(Refusal::Limit));
    let full = Command::Reshare(actor(), people(most - 1));
    assert_eq!(pair.owner.run(full), Ok(1));
    pair.exchange();
    let one = || people(1);
    assert_eq!(
        pair.owner.run(Command::Reshare(actor(), one())),
        Err(Refusal::Limit)
    );
    let outcome = lie(&pair, Side::Owner, Body::Reshared(actor(), one()), |_| {});
    assert_eq!(outcome, Refused(Refusal::Limit));
    let nobody = Command::Reshare(actor(), people(0));
    assert_eq!(pair.owner.run(nobody), Err(Refusal::Malformed));
}

/// What goes on no more, or not now, is not reshared.
#[test]
fn only_a_copy_that_goes_on_is_reshared() {
    for command in [
        Command::Suspend(actor()),
        Command::End(actor()),
        Command::Cancel(actor()),
    ] {
        let mut pair = Pair::listed(&[1]);
        pair.owner.run(command).unwrap();
        pair.exchange();
        let more = Command::Reshare(actor(), reshared("Bea"));
        assert_eq!(pair.owner.run(more), Err(Refusal::State));
        let body = Body::Reshared(actor(), reshared("Bea"));
        assert_eq!(lie(&pair, Side::Owner, body, |_| {}), STATE);
    }
}

/// Whatever became of it: what its partner has it may be asked for.
#[test]
fn a_copy_is_asked_for_whatever_became_of_it() {
    for stop in [Command::End, Command::Cancel, Command::Suspend] {
        let mut pair = Pair::listed(&[1]);
        pair.partner.run(Command::Store(vec![stored(1)])).unwrap();
        pair.exchange();
        pair.owner.run(stop(actor())).unwrap();
        assert_eq!(pair.owner.run(recall()), Ok(1));
        pair.exchange();
        assert!(pair.partner.header.recall.waits());
        assert_eq!(pair.partner.run(answer(true)), Ok(1));
        pair.exchange();
        let Recall { granted, .. } = pair.owner.header.recall;
        assert!(granted && !pair.owner.header.recall.waits());
        assert_eq!(pair.owner.header.stored.evidence, 1, "it is only an intent");
    }
}

#[test]
fn a_recall_is_asked_once_until_it_is_answered_and_again_after_a_no() {
    let mut pair = Pair::listed(&[1]);
    assert_eq!(pair.partner.run(answer(true)), Err(Refusal::State));
    let unasked = Body::RecallAnswered(actor(), said(true));
    assert_eq!(lie(&pair, Side::Partner, unasked, |_| {}), STATE);
    pair.owner.run(recall()).unwrap();
    assert_eq!(pair.owner.run(recall()), Err(Refusal::State));
    pair.exchange();
    let again = || Body::RecallAsked(actor(), String::new());
    assert_eq!(lie(&pair, Side::Owner, again(), |_| {}), STATE);
    pair.partner.run(answer(false)).unwrap();
    // Its writer does not know the answer yet.
    let behind = pair.owner.clone();
    pair.exchange();
    assert_eq!(pair.partner.run(answer(true)), Err(Refusal::State));
    let twice = Body::RecallAnswered(actor(), said(true));
    assert_eq!(lie(&pair, Side::Partner, twice, |_| {}), STATE);
    let unread = Pair {
        owner: behind,
        partner: pair.partner.clone(),
    };
    assert_eq!(lie(&unread, Side::Owner, again(), |_| {}), STATE);
    assert_eq!(lie(&pair, Side::Owner, again(), |_| {}), Took(1));
    pair.owner.run(recall()).unwrap();
    pair.exchange();
    pair.partner.run(answer(true)).unwrap();
    pair.exchange();
    assert_eq!(pair.owner.run(recall()), Err(Refusal::State));
    assert_eq!(lie(&pair, Side::Owner, again(), |_| {}), STATE);
}

/// There is nothing yet that could be given back; and the others are revoked.
#[test]
fn only_a_copy_that_was_accepted_is_asked_for() {
    for kind in [Kind::Copy, reference(), LIVE] {
        let mut pair = offer(kind);
        assert_eq!(pair.owner.run(recall()), Err(Refusal::State));
        let body = Body::RecallAsked(actor(), String::new());
        assert_eq!(lie(&pair, Side::Owner, body.clone(), |_| {}), STATE);
        if kind != Kind::Copy {
            pair.partner.run(Command::Accept(None)).unwrap();
            pair.exchange();
            assert_eq!(pair.owner.run(recall()), Err(Refusal::State));
            assert_eq!(lie(&pair, Side::Owner, body, |_| {}), STATE);
        }
    }
}

/// OE-50: its owner says nothing more once it knows, and what it said before is let in.
#[test]
fn what_is_declined_is_over_for_both() {
    for kind in [Kind::Copy, reference(), LIVE, SYNCHRONISED] {
        let mut pair = offer(kind);
        let decline = || Command::Decline(actor(), DeclineReason::Misdirected);
        assert_eq!(pair.partner.run(decline()), Ok(1));
        assert_eq!(pair.partner.run(decline()), Err(Refusal::State));
        let accept = || Command::Accept(None);
        assert_eq!(pair.partner.run(accept()), Err(Refusal::State));
        let store = Command::Store(vec![stored(1)]);
        assert_eq!(pair.partner.run(store), Err(Refusal::State));
        let crossed = pair.owner.run(Command::Suspend(actor()));
        assert_eq!(crossed, Ok(1));
        pair.exchange();
        assert_eq!(status(&pair.owner.header, 0, at(60)), Status::Declined);
        assert!(!pair.owner.header.open_to_owner() && !pair.partner.header.lives());
        for command in [
            Command::Add(vec![item(1)]),
            Command::Resume(actor()),
            Command::Cancel(actor()),
            Command::Revoke(actor()),
            recall(),
        ] {
            assert_eq!(pair.owner.run(command), Err(Refusal::State));
        }
        for body in [
            Body::EvidenceAdded(vec![item(1)]),
            Body::Resumed(actor()),
            Body::Cancelled(actor()),
            Body::Revoked(actor()),
            Body::Reshared(actor(), reshared("Bea")),
            Body::RecallAsked(actor(), String::new()),
        ] {
            assert_eq!(lie(&pair, Side::Owner, body, |_| {}), STATE);
        }
        let body = Body::Accepted(None);
        assert_eq!(lie(&pair, Side::Partner, body, |_| {}), STATE);
    }
}

#[test]
fn what_was_accepted_is_not_declined_any_more() {
    let mut pair = Pair::listed(&[1]);
    let decline = Command::Decline(actor(), DeclineReason::Unneeded);
    assert_eq!(pair.partner.run(decline), Err(Refusal::State));
    let body = Body::Declined(actor(), DeclineReason::Unneeded);
    assert_eq!(lie(&pair, Side::Partner, body, |_| {}), STATE);
}

/// The owner stopped it before it knew: both say so.
#[test]
fn an_offer_that_was_stopped_meanwhile_stays_stopped() {
    let mut pair = offer(Kind::Copy);
    let decline = Command::Decline(actor(), DeclineReason::Unclear);
    pair.partner.run(decline).unwrap();
    pair.owner.run(Command::Cancel(actor())).unwrap();
    pair.exchange();
    for node in [&pair.owner, &pair.partner] {
        assert_eq!(status(&node.header, 0, at(60)), Status::Cancelled);
    }
}

/// Between the receipt of the offer and the answer somebody at the partner is to look at it.
#[test]
fn an_offer_that_arrived_and_was_not_answered_is_pending() {
    let mut pair = offer(Kind::Copy);
    let mut header = pair.owner.header.clone();
    assert_eq!(status(&header, 0, at(60)), Status::Processing);
    header.owner_log.countersigned = 1;
    assert_eq!(status(&header, 0, at(60)), Status::Pending);
    header.suspended = true;
    assert_eq!(status(&header, 0, at(60)), Status::Suspended);
    pair.partner.run(Command::Accept(None)).unwrap();
    pair.exchange();
    let mut header = pair.owner.header;
    header.owner_log.countersigned = 1;
    assert_eq!(status(&header, 0, at(60)), Status::Processing);
}
