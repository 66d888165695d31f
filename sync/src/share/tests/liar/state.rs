//! Lies about what is shared: entries that the state and the facts of the share do not bear out.

use interdocket_proto::v1;
use prost::Message as _;

use super::{Forged, Held, Outcome, Refused, Took, batch, bring, lie};
use crate::blob::Digest;
use crate::log::Side;
use crate::log::entry::{Body, StoredItem};
use crate::refusal::Refusal;
use crate::share::apply::open;
use crate::share::decide::Command;
use crate::share::terms::Terms;
use crate::share::{Hold, State};
use crate::testing::{Pair, actor, evidence, item, offered, stored, terms};

/// What the owner gets told after items 1 and 2 were listed and accepted.
fn partner(body: Body) -> Outcome {
    lie(&Pair::listed(&[1, 2]), Side::Partner, body, |_| {})
}

/// What the partner gets told after items 1 and 2 were listed and accepted.
fn owner(body: Body) -> Outcome {
    lie(&Pair::listed(&[1, 2]), Side::Owner, body, |_| {})
}

/// Makes an entry of a type that nobody knows.
fn unknown(forged: &mut Forged, critical: bool) {
    forged.header.r#type = 63;
    forged.header.critical = critical;
    forged.say(vec![1, 2, 3]);
}

/// fault A6
#[test]
fn stating_what_is_not_listed_is_refused() {
    let refused = Refused(Refusal::NotShared);
    assert_eq!(partner(Body::Stored(vec![stored(1), stored(3)])), refused);
}

#[test]
fn stating_other_digests_or_another_number_of_files_is_refused() {
    let bends: [fn(&mut Vec<Digest>); 4] = [
        |files| files[0] = Digest([9; 32]),
        |files| files.reverse(),
        |files| files.truncate(1),
        |files| files.push(files[0]),
    ];
    for bend in bends {
        let mut item = stored(2);
        bend(&mut item.files);
        let outcome = partner(Body::Stored(vec![stored(1), item]));
        assert_eq!(outcome, Refused(Refusal::Malformed));
    }
    let none = StoredItem {
        evidence: evidence(1),
        files: Vec::new(),
    };
    assert_eq!(
        partner(Body::Stored(vec![none])),
        Refused(Refusal::Malformed)
    );
}

#[test]
fn stating_nothing_or_anything_twice_is_refused() {
    let malformed = Refused(Refusal::Malformed);
    assert_eq!(partner(Body::Stored(Vec::new())), malformed);
    assert_eq!(partner(Body::Stored(vec![stored(1), stored(1)])), malformed);
    let mut pair = Pair::listed(&[1, 2]);
    pair.partner.run(Command::Store(vec![stored(1)])).unwrap();
    pair.exchange();
    let again = Body::Stored(vec![stored(2), stored(1)]);
    assert_eq!(lie(&pair, Side::Partner, again, |_| {}), malformed);
}

#[test]
fn stating_what_could_not_have_been_seen_is_refused() {
    let mut pair = Pair::listed(&[1]);
    let before = pair.partner.clone();
    pair.owner.run(Command::Add(vec![item(2)])).unwrap();
    pair.partner = before;
    let outcome = lie(&pair, Side::Partner, Body::Stored(vec![stored(2)]), |_| {});
    assert_eq!(outcome, Refused(Refusal::Malformed));
}

#[test]
fn accepting_twice_or_offering_twice_is_refused() {
    assert_eq!(
        partner(Body::Accepted(Some(actor()))),
        Refused(Refusal::State)
    );
    assert_eq!(
        owner(Body::Offered([0; 32], offered())),
        Refused(Refusal::State)
    );
}

/// fault A10
#[test]
fn an_offer_under_other_terms_than_came_with_it_is_refused() {
    let pair = Pair::new();
    let other = Body::Offered([9; 32], offered());
    assert_eq!(
        lie(&pair, Side::Owner, other, |_| {}),
        Refused(Refusal::Malformed)
    );
}

#[test]
fn accepting_what_was_not_seen_is_refused() {
    let mut pair = Pair::new();
    pair.owner.run(Command::Offer(offered())).unwrap();
    let outcome = lie(&pair, Side::Partner, Body::Accepted(None), |_| {});
    assert_eq!(outcome, Refused(Refusal::State));
}

#[test]
fn storing_before_accepting_is_refused() {
    let mut pair = Pair::new();
    pair.owner.run(Command::Offer(offered())).unwrap();
    pair.owner.run(Command::Add(vec![item(1)])).unwrap();
    pair.exchange();
    let outcome = lie(&pair, Side::Partner, Body::Stored(vec![stored(1)]), |_| {});
    assert_eq!(outcome, Refused(Refusal::State));
}

/// A complete share that nothing was ever disclosed in would be the result.
#[test]
fn listing_nothing_or_out_of_order_is_refused() {
    assert_eq!(owner(Body::Listed(actor(), 2)), Refused(Refusal::State));
    let mut pair = Pair::listed(&[1]);
    pair.owner.run(Command::Add(vec![item(2)])).unwrap();
    pair.exchange();
    for update in [0, 1, 3, u32::MAX] {
        let outcome = lie(&pair, Side::Owner, Body::Listed(actor(), update), |_| {});
        assert_eq!(outcome, Refused(Refusal::State));
    }
    let outcome = lie(&pair, Side::Owner, Body::Listed(actor(), 2), |_| {});
    assert_eq!(outcome, Took(1));
}

#[test]
fn ending_before_acceptance_or_with_an_open_update_is_refused() {
    let mut pair = Pair::new();
    pair.owner.run(Command::Offer(offered())).unwrap();
    pair.exchange();
    let end = |pair: &Pair| lie(pair, Side::Owner, Body::Ended(actor()), |_| {});
    assert_eq!(end(&pair), Refused(Refusal::State));
    pair.partner.run(Command::Accept(None)).unwrap();
    // The owner has not seen that it was accepted.
    assert_eq!(end(&pair), Refused(Refusal::State));
    pair.exchange();
    pair.owner.run(Command::Add(vec![item(1)])).unwrap();
    pair.exchange();
    assert_eq!(end(&pair), Refused(Refusal::State));
}

/// Nothing resumes it any more: it would be on its way for ever.
#[test]
fn ending_while_suspended_is_refused() {
    let mut pair = Pair::listed(&[1]);
    pair.owner.run(Command::Suspend(actor())).unwrap();
    pair.exchange();
    let ended = lie(&pair, Side::Owner, Body::Ended(actor()), |_| {});
    assert_eq!(ended, Refused(Refusal::State));
    pair.owner.run(Command::Resume(actor())).unwrap();
    pair.exchange();
    let ended = lie(&pair, Side::Owner, Body::Ended(actor()), |_| {});
    assert_eq!(ended, Took(1));
}

#[test]
fn an_owner_says_nothing_after_the_end_or_the_cancelling() {
    for stop in [Command::End(actor()), Command::Cancel(actor())] {
        let mut pair = Pair::listed(&[1]);
        pair.owner.run(stop).unwrap();
        pair.exchange();
        for body in [
            Body::EvidenceAdded(vec![item(2)]),
            Body::Listed(actor(), 2),
            Body::Ended(actor()),
            Body::Cancelled(actor()),
        ] {
            let outcome = lie(&pair, Side::Owner, body, |_| {});
            assert_eq!(outcome, Refused(Refusal::State));
        }
    }
}

/// fault A5
#[test]
fn storing_after_the_cancelling_was_known_is_refused() {
    let mut pair = Pair::listed(&[1]);
    pair.owner.run(Command::Cancel(actor())).unwrap();
    pair.exchange();
    let outcome = lie(&pair, Side::Partner, Body::Stored(vec![stored(1)]), |_| {});
    assert_eq!(outcome, Refused(Refusal::State));
    assert_eq!(pair.owner.header.state, State::Cancelled { at: 4 });
}

/// fault A5
#[test]
fn who_showed_that_the_cancelling_was_known_cannot_forget_it() {
    let mut pair = Pair::listed(&[1]);
    let seen = pair.owner.header.owner_log.point;
    pair.owner.run(Command::Cancel(actor())).unwrap();
    pair.exchange();
    let mut knows = Forged::new(&pair.partner, Body::Stored(vec![stored(1)]));
    unknown(&mut knows, false);
    let mut forgets = Forged::new(&pair.partner, Body::Stored(vec![stored(1)]));
    forgets.header.number = 3;
    forgets.header.previous = knows.point().hash.to_vec().into();
    forgets.header.other_count = seen.count;
    forgets.header.other_hash = seen.hash.to_vec().into();
    let head = pair.partner.head(forgets.point());
    let message = batch(&[knows, forgets], head, &pair.partner.organisation);
    assert_eq!(bring(&pair.owner, &message), Refused(Refusal::Malformed));
}

#[test]
fn one_digest_with_two_sizes_is_refused() {
    // Item 3 has a file that item 2 has as well.
    let mut three = item(3);
    three.files[0].size += 1;
    let malformed = Refused(Refusal::Malformed);
    assert_eq!(owner(Body::EvidenceAdded(vec![three])), malformed);
    let [four, mut five] = [item(4), item(5)];
    five.files[0].size += 1;
    assert_eq!(owner(Body::EvidenceAdded(vec![four, five])), malformed);
}

#[test]
fn listing_an_item_twice_is_refused_whatever_it_says_now() {
    let malformed = Refused(Refusal::Malformed);
    let mut other = item(1);
    other.title = "Another".to_owned();
    assert_eq!(owner(Body::EvidenceAdded(vec![item(3), other])), malformed);
    assert_eq!(owner(Body::EvidenceAdded(vec![item(1)])), malformed);
    let mut other = item(3);
    other.files.truncate(0);
    other.files.push(item(4).files[0].clone());
    assert_eq!(owner(Body::EvidenceAdded(vec![item(3), other])), malformed);
    assert_eq!(owner(Body::EvidenceAdded(Vec::new())), malformed);
}

/// Later entries of a batch are judged by what the earlier ones brought.
#[test]
fn an_item_listed_twice_in_one_batch_is_refused() {
    let pair = Pair::listed(&[1]);
    let first = Forged::new(&pair.owner, Body::EvidenceAdded(vec![item(2)]));
    let again = first.then();
    let head = pair.owner.head(again.point());
    let message = batch(&[first, again], head, &pair.owner.organisation);
    assert_eq!(bring(&pair.partner, &message), Refused(Refusal::Malformed));
}

#[test]
fn an_unknown_critical_entry_pauses_and_another_is_skipped() {
    let pair = Pair::listed(&[1]);
    for side in [Side::Owner, Side::Partner] {
        let say = |critical| {
            lie(&pair, side, Body::Unread, |forged| {
                unknown(forged, critical)
            })
        };
        assert_eq!(say(true), Held(Hold::Paused));
        assert_eq!(say(false), Took(1));
    }
}

#[test]
fn what_was_paused_goes_on_when_the_entry_is_read() {
    let mut pair = Pair::listed(&[1]);
    let old = pair.partner.batch(1, 1).unwrap();
    pair.partner.run(Command::Store(vec![stored(1)])).unwrap();
    pair.owner.header.hold = Hold::Paused;
    pair.owner.take(&old).unwrap();
    assert_eq!(pair.owner.header.hold, Hold::Paused);
    pair.exchange();
    assert_eq!(pair.owner.header.hold, Hold::Free);
}

/// fault A6
#[test]
fn a_first_entry_that_cannot_be_read_opens_nothing() {
    let pair = Pair::new();
    let say = |critical| {
        lie(&pair, Side::Owner, Body::Unread, |forged| {
            unknown(forged, critical);
        })
    };
    assert_eq!(say(true), Refused(Refusal::Newer));
    assert_eq!(say(false), Refused(Refusal::State));
    let added = Body::EvidenceAdded(vec![item(1)]);
    assert_eq!(
        lie(&pair, Side::Owner, added, |_| {}),
        Refused(Refusal::State)
    );
    assert_eq!(pair.partner.header, open(&terms()));
}

#[test]
fn a_withheld_disclosure_pauses_and_a_withheld_change_of_state_is_refused() {
    let pair = Pair::listed(&[1]);
    let withhold = |side, body| {
        lie(&pair, side, body, |forged| {
            forged.salt.clear();
            forged.body.clear();
            forged.texts.clear();
        })
    };
    let added = Body::EvidenceAdded(vec![item(2)]);
    assert_eq!(withhold(Side::Owner, added), Held(Hold::Paused));
    let malformed = Refused(Refusal::Malformed);
    for body in [
        Body::Cancelled(actor()),
        Body::Ended(actor()),
        Body::Listed(actor(), 2),
    ] {
        assert_eq!(withhold(Side::Owner, body), malformed);
    }
    assert_eq!(
        withhold(Side::Partner, Body::Stored(vec![stored(1)])),
        malformed
    );
}

/// fault A10
#[test]
fn terms_of_an_unknown_kind_of_ones_own_or_by_somebody_else_are_refused() {
    let mut pair = Pair::new();
    pair.owner.run(Command::Offer(offered())).unwrap();
    let honest = v1::Batch::decode(pair.owner.batch(1, 1).unwrap().as_slice()).unwrap();
    assert_eq!(bring(&pair.partner, &honest), Took(1));
    let bent = |bend: fn(&mut v1::Terms)| {
        let mut message = honest.clone();
        let signed = message.terms.as_mut().unwrap();
        let mut terms = v1::Terms::decode(signed.terms.clone()).unwrap();
        bend(&mut terms);
        signed.terms = terms.encode_to_vec().into();
        bring(&pair.partner, &message)
    };
    let malformed = Refused(Refusal::Malformed);
    assert_eq!(bent(|terms| terms.kind = 1), malformed);
    assert_eq!(bent(|terms| terms.kind = i32::MAX), malformed);
    assert_eq!(bent(|terms| terms.partner = terms.owner.clone()), malformed);
    assert_eq!(bent(|terms| terms.share = vec![1; 16].into()), malformed);
    assert_eq!(bent(|terms| terms.format = 1), Refused(Refusal::Signature));
}

#[test]
fn terms_of_another_format_or_other_terms_for_one_share_are_refused() {
    let mut pair = Pair::new();
    pair.owner.run(Command::Offer(offered())).unwrap();
    let honest = v1::Batch::decode(pair.owner.batch(1, 1).unwrap().as_slice()).unwrap();
    let under = |bend: fn(&mut Terms)| {
        let mut other = terms().terms;
        bend(&mut other);
        let other = other.sign(&pair.owner.organisation);
        let mut message = honest.clone();
        message.terms = Some(v1::SignedTerms::decode(other.bytes.as_slice()).unwrap());
        bring(&pair.partner, &message)
    };
    assert_eq!(under(|_| {}), Took(1));
    assert_eq!(under(|terms| terms.format = 1), Refused(Refusal::Format));
    let later = |terms: &mut Terms| terms.created += chrono::TimeDelta::seconds(1);
    assert_eq!(under(later), Refused(Refusal::Malformed));
}
