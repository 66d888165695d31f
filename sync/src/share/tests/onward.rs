//! Recipients who add people of their own organisation.

use crate::log::entry::Body;
use crate::refusal::Refusal;
use crate::share::decide::Command;
use crate::share::{Kind, Mode, Policy};
use crate::testing::{LIVE, Pair, SYNCHRONISED, actor, item, reference};

const WITHOUT: Kind = Kind::Advanced(Policy {
    mode: Mode::Live,
    download: true,
    import: true,
    onward: false,
});

fn onward(names: &[&str]) -> Command {
    Command::ShareOnward(actor(), names.iter().map(|&name| name.into()).collect())
}

fn recipients(names: &[&str]) -> Command {
    Command::ChangeRecipients(actor(), names.iter().map(|&name| name.into()).collect())
}

/// AS-089: a policy that does not have it, and every other kind of share, refuse it.
#[test]
fn people_are_added_only_where_the_policy_lets_recipients_add_them() {
    for (kind, answer) in [
        (LIVE, Ok(1)),
        (SYNCHRONISED, Ok(1)),
        (WITHOUT, Err(Refusal::State)),
        (reference(), Err(Refusal::State)),
        (Kind::Copy, Err(Refusal::State)),
    ] {
        let mut pair = Pair::of(kind);
        pair.owner
            .run(Command::Offer(crate::testing::offered()))
            .unwrap();
        pair.exchange();
        assert_eq!(pair.partner.run(onward(&["Bea"])), Err(Refusal::State));
        pair.partner.run(Command::Accept(None)).unwrap();
        assert_eq!(pair.partner.run(onward(&["Bea"])), answer);
    }
}

/// fault A6
#[test]
fn an_owner_lets_in_nobody_whom_its_policy_does_not_let_a_partner_add() {
    let mut pair = Pair::listed_as(LIVE, &[1]);
    pair.partner.run(onward(&["Bea"])).unwrap();
    let from = pair.owner.header.partner_log.point.count;
    let batch = pair.partner.batch(from, 16).unwrap();
    let mut strict = Pair::listed_as(LIVE, &[1]).owner;
    strict.header.kind = WITHOUT;
    assert_eq!(strict.take(&batch), Err(Refusal::State));
    assert!(!strict.header.counts_onward());
    assert_eq!(pair.owner.take(&batch), Ok(1));
    assert!(pair.owner.header.counts_onward());
}

/// Whatever comes first: nobody stays who was added by one who may be no recipient any more.
#[test]
fn who_was_added_counts_until_the_owner_changes_the_recipients() {
    for partner_first in [true, false] {
        let mut pair = Pair::listed_as(SYNCHRONISED, &[1]);
        pair.partner.run(onward(&["Bea"])).unwrap();
        if partner_first {
            pair.exchange();
            assert!(pair.owner.header.counts_onward());
        }
        pair.owner.run(recipients(&["Kim"])).unwrap();
        pair.exchange();
        pair.agree();
        assert!(!pair.owner.header.counts_onward());
        assert!(!pair.partner.header.counts_onward());
        pair.partner.run(onward(&["Bea"])).unwrap();
        pair.exchange();
        assert!(pair.owner.header.counts_onward() && pair.partner.header.counts_onward());
    }
}

#[test]
fn what_is_suspended_or_revoked_is_not_shared_onward() {
    let mut pair = Pair::listed_as(LIVE, &[1]);
    pair.owner.run(Command::Suspend(actor())).unwrap();
    pair.exchange();
    assert_eq!(pair.partner.run(onward(&["Bea"])), Err(Refusal::State));
    pair.owner.run(Command::Resume(actor())).unwrap();
    pair.owner.run(Command::Revoke(actor())).unwrap();
    pair.exchange();
    assert_eq!(pair.partner.run(onward(&["Bea"])), Err(Refusal::State));
}

/// What was written before the partner knew is let in: its log does not stand still.
#[test]
fn what_was_said_before_a_suspension_was_known_is_let_in() {
    let mut pair = Pair::listed_as(LIVE, &[1]);
    pair.owner.run(Command::Suspend(actor())).unwrap();
    pair.partner.run(onward(&["Bea"])).unwrap();
    pair.exchange();
    pair.agree();
    assert!(pair.owner.header.counts_onward());
}

#[test]
fn as_many_are_added_as_a_share_has_recipients() {
    let mut pair = Pair::listed_as(LIVE, &[1]);
    let names: Vec<String> = (0..crate::limits::RECIPIENTS_MAX + 1)
        .map(|number| number.to_string())
        .collect();
    let most = names[1..].to_vec();
    let over = Command::ShareOnward(actor(), names);
    assert_eq!(pair.partner.run(over), Err(Refusal::Limit));
    let full = Command::ShareOnward(actor(), most.clone());
    assert_eq!(pair.partner.run(full), Ok(1));
    let last = pair.partner.header.onward.entry;
    let said = &pair.partner.entries[&(crate::log::Side::Partner, last)].body;
    assert_eq!(*said, Body::SharedOnward(actor(), most));
    assert_eq!(pair.owner.run(Command::Add(vec![item(2)])), Ok(1));
}
