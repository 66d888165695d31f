//! What a writer is refused at home, so that its reader never has to: an entry that is refused there
//! stops the share for good.

use proptest::prelude::*;

use crate::blob;
use crate::evidence::{File, Item};
use crate::limits;
use crate::log::entry::{Actor, Offered};
use crate::refusal::Refusal;
use crate::share::decide::Command;
use crate::testing::{Pair, actor, at, file, item, offered, stored};

/// Lengths around a bound, far more often than chance would have them.
fn text(most: usize) -> impl Strategy<Value = String> {
    let length = prop_oneof![8 => 0..4_usize, 1 => Just(most), 1 => Just(most + 1)];
    length.prop_map(|length| "x".repeat(length))
}

fn files() -> impl Strategy<Value = File> {
    let size = prop_oneof![
        20 => Just(None),
        1 => Just(Some(blob::MAX_SIZE)),
        1 => Just(Some(blob::MAX_SIZE + 1)),
        1 => Just(Some(u64::MAX)),
    ];
    (0..40_u8, text(limits::NAME_MAX), size).prop_map(|(number, name, size)| {
        let mut file = file(number, 0);
        file.name.push_str(&name[..name.len().saturating_sub(8)]);
        file.size = size.unwrap_or(file.size);
        file
    })
}

fn items() -> impl Strategy<Value = Item> {
    let texts = (
        text(limits::TITLE_MAX),
        text(limits::FOLDER_MAX),
        text(limits::ACTOR_NAME_MAX),
    );
    let seconds = prop_oneof![20 => -1000..1000_i64, 1 => Just(-1_767_400_000), 1 => Just(1 << 38)];
    let files = prop::collection::vec(files(), 0..5);
    (0..200_u8, texts, seconds, files).prop_map(|(number, texts, seconds, files)| Item {
        title: texts.0,
        folder: texts.1,
        added_by: texts.2.as_str().into(),
        added_at: at(seconds),
        files,
        ..item(number)
    })
}

proptest! {
    #[test]
    fn what_is_decided_is_let_in(adds in prop::collection::vec(
        prop::collection::vec(items(), 0..4), 1..12)
    ) {
        let mut pair = Pair::listed(&[1]);
        for items in adds {
            let before = pair.owner.clone();
            if pair.owner.run(Command::Add(items)).is_err() {
                pair.owner = before;
            }
            pair.exchange();
        }
    }
}

#[test]
fn items_that_contradict_themselves_or_others_are_not_written() {
    let mut pair = Pair::listed(&[1, 2]);
    let mut add = |items| pair.owner.run(Command::Add(items));
    let malformed = Err(Refusal::Malformed);
    assert_eq!(add(vec![item(5), item(5)]), malformed);
    let [mut three, four, mut five] = [item(3), item(4), item(5)];
    three.files[0].size += 1;
    five.files[0].size += 1;
    assert_eq!(add(vec![three]), malformed);
    assert_eq!(add(vec![four, five]), malformed);
    let mut none = item(6);
    none.files.clear();
    assert_eq!(add(vec![none]), malformed);
    assert_eq!(add(vec![item(3), item(4), item(5)]), Ok(1));
}

#[test]
fn an_offer_over_a_bound_is_not_written() {
    let bends: [fn(&mut Offered); 7] = [
        |offer| offer.actor.name = "x".repeat(limits::ACTOR_NAME_MAX + 1),
        |offer| offer.info.number = "x".repeat(limits::NUMBER_MAX + 1),
        |offer| offer.info.title = "x".repeat(limits::TITLE_MAX + 1),
        |offer| offer.info.description = "x".repeat(limits::DESCRIPTION_MAX + 1),
        |offer| offer.message = "x".repeat(limits::MESSAGE_TEXT_MAX + 1),
        |offer| offer.recipients = vec![String::new(); limits::RECIPIENTS_MAX + 1],
        |offer| offer.recipients[0] = "x".repeat(limits::RECIPIENT_MAX + 1),
    ];
    for bend in bends {
        let mut offer = offered();
        bend(&mut offer);
        let outcome = Pair::new().owner.run(Command::Offer(offer));
        assert_eq!(outcome, Err(Refusal::Limit));
    }
}

/// fault A12
#[test]
fn nothing_is_written_at_a_time_that_the_wire_cannot_carry() {
    for seconds in [-1_767_400_000, 1 << 38] {
        let mut pair = Pair::listed(&[1]);
        pair.owner.now = at(seconds);
        pair.partner.now = at(seconds);
        let malformed = Err(Refusal::Malformed);
        assert_eq!(pair.owner.run(Command::Cancel(actor())), malformed);
        let store = Command::Store(vec![stored(1)]);
        assert_eq!(pair.partner.run(store), malformed);
    }
}

/// fault A12
#[test]
fn updates_are_counted_to_the_end_and_no_further() {
    let mut pair = Pair::listed(&[1]);
    pair.owner.header.update = u32::MAX;
    pair.owner.run(Command::Add(vec![item(2)])).unwrap();
    let list = Command::List(actor());
    assert_eq!(pair.owner.run(list), Err(Refusal::Limit));
}

/// fault A12
#[test]
fn no_sum_of_sizes_wraps() {
    let mut pair = Pair::listed(&[1]);
    pair.owner.header.listed.bytes = u64::MAX - 1;
    pair.owner.run(Command::Add(vec![item(2)])).unwrap();
    assert_eq!(pair.owner.header.listed.bytes, u64::MAX);
    let mut vast = item(3);
    vast.files[0].size = u64::MAX;
    vast.files.push(file(7, 7));
    assert_eq!(vast.bytes(), u64::MAX);
}

#[test]
fn an_actor_is_as_long_as_a_name_and_a_badge_may_be() {
    let actor = |name: usize, badge: usize| Actor {
        name: "x".repeat(name),
        badge: "7".repeat(badge),
        ..actor()
    };
    let (name, badge) = (limits::ACTOR_NAME_MAX, limits::BADGE_MAX);
    assert_eq!(actor(name, badge).check(), Ok(()));
    assert_eq!(actor(name + 1, badge).check(), Err(Refusal::Limit));
    assert_eq!(actor(name, badge + 1).check(), Err(Refusal::Limit));
}
