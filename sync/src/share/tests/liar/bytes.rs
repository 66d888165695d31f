//! Lies in bytes: bodies that are not what was committed to, over a bound, or not what they seem.

use interdocket_proto::v1;
use proptest::prelude::*;
use prost::Message as _;

use super::{Forged, Outcome, Refused, Took, batch, bring, lie};
use crate::blob;
use crate::copy::Field;
use crate::evidence::Item;
use crate::identity::OrganisationId;
use crate::limits;
use crate::log::Side;
use crate::log::entry::Body;
use crate::metadata::{Metadata, Tag, Value};
use crate::refusal::Refusal;
use crate::share::decide::Command;
use crate::testing::{Pair, actor, evidence, harbour, item, offered, stored};

const MALFORMED: Outcome = Refused(Refusal::Malformed);

/// A lie about an entry of the owner that discloses items 2 and 3.
fn added(bend: impl FnOnce(&mut Forged)) -> Outcome {
    let body = Body::EvidenceAdded(vec![item(2), item(3)]);
    lie(&Pair::listed(&[1]), Side::Owner, body, bend)
}

/// A disclosure of one item that was bent.
fn bent(bend: impl FnOnce(&mut Item)) -> Outcome {
    let mut item = item(2);
    bend(&mut item);
    lie(
        &Pair::listed(&[1]),
        Side::Owner,
        Body::EvidenceAdded(vec![item]),
        |_| {},
    )
}

#[test]
fn a_body_that_was_not_committed_to_is_refused() {
    assert_eq!(added(|forged| forged.body[20] ^= 1), MALFORMED);
    assert_eq!(added(|forged| forged.body.clear()), MALFORMED);
    assert_eq!(added(|forged| forged.salt[0] ^= 1), MALFORMED);
    assert_eq!(added(|forged| forged.salt.clear()), MALFORMED);
    assert_eq!(added(|forged| forged.header.commitment.clear()), MALFORMED);
}

#[test]
fn a_text_that_was_not_committed_to_is_refused() {
    let bends: [fn(&mut Forged); 7] = [
        |forged| forged.texts[0].text = forged.texts[1].text.clone(),
        |forged| forged.texts[0].salt = vec![1; 16].into(),
        |forged| forged.texts[0].commitment = vec![1; 32].into(),
        |forged| forged.texts[0] = committed(vec![1; 32]),
        |forged| forged.texts.swap(0, 1),
        |forged| forged.texts.truncate(1),
        |forged| forged.texts.clear(),
    ];
    for bend in bends {
        assert_eq!(added(bend), MALFORMED);
    }
}

/// A text that is only committed to.
fn committed(commitment: Vec<u8>) -> v1::Text {
    v1::Text {
        commitment: commitment.into(),
        ..v1::Text::default()
    }
}

/// An item may be erased at its owner before its partner was told of it.
#[test]
fn an_item_whose_text_was_erased_is_listed_by_what_its_files_are() {
    let erased = |forged: &mut Forged| forged.tell(0, committed(vec![1; 32]));
    assert_eq!(added(erased), Took(1));
    let short = |forged: &mut Forged| forged.texts[0] = committed(vec![1; 31]);
    assert_eq!(added(short), MALFORMED);
    // The bounds of what is left count all the same.
    let none = |forged: &mut Forged| {
        erased(forged);
        let mut body = v1::EvidenceAdded::decode(forged.body.as_slice()).unwrap();
        body.items[0].files.clear();
        forged.say(body.encode_to_vec());
    };
    assert_eq!(added(none), MALFORMED);
}

/// Whom it is for is told, or nobody is.
#[test]
fn an_entry_whose_people_are_only_committed_to_is_refused() {
    let pair = Pair::listed_as(crate::testing::SYNCHRONISED, &[]);
    let recipients = Body::RecipientsChanged(actor(), vec!["Bea".to_owned()]);
    let erased = |forged: &mut Forged| forged.tell(0, committed(vec![1; 32]));
    assert_eq!(lie(&pair, Side::Owner, recipients.clone(), |_| {}), Took(1));
    assert_eq!(lie(&pair, Side::Owner, recipients, erased), MALFORMED);
    // How its case reads may be erased by then.
    let case = Body::CaseChanged(actor(), offered().info);
    assert_eq!(lie(&pair, Side::Owner, case, erased), Took(1));
}

/// fault A9: one hash would have two readings.
#[test]
fn bytes_do_not_move_between_salt_and_body() {
    // Both items are fields of their own: without the first, the second still reads.
    let outcome = added(|forged| {
        let first = v1::EvidenceAdded::decode(forged.body.as_slice())
            .unwrap()
            .items
            .remove(0);
        let length = v1::EvidenceAdded { items: vec![first] }.encoded_len();
        let moved: Vec<u8> = forged.body.drain(..length).collect();
        forged.salt.extend(moved);
    });
    assert_eq!(outcome, MALFORMED);
}

/// fault A12
#[test]
fn items_over_a_bound_are_refused() {
    let long = |length: usize| "x".repeat(length + 1);
    assert_eq!(bent(|item| item.title = long(limits::TITLE_MAX)), MALFORMED);
    assert_eq!(
        bent(|item| item.folder = long(limits::FOLDER_MAX)),
        MALFORMED
    );
    assert_eq!(
        bent(|item| item.added_by.text = long(limits::ADDED_BY_MAX)),
        MALFORMED
    );
    assert_eq!(
        bent(|item| item.files[0].name = long(limits::NAME_MAX)),
        MALFORMED
    );
    assert_eq!(bent(|item| item.files[0].name.clear()), MALFORMED);
    assert_eq!(
        bent(|item| item.files[0].size = blob::MAX_SIZE + 1),
        MALFORMED
    );
    assert_eq!(bent(|item| item.files[0].size = u64::MAX), MALFORMED);
    assert_eq!(bent(|item| item.files.clear()), MALFORMED);
    let many =
        |item: &mut Item| item.files = vec![item.files[0].clone(); limits::ITEM_FILES_MAX + 1];
    assert_eq!(bent(many), MALFORMED);
}

/// AE-076, AE-107, AE-109, AE-111, AE-114, AE-115: what is not copied is not taken either.
///
/// fault A12
#[test]
fn metadata_that_can_not_be_is_refused() {
    fn said(field: Field, text: &str, organisation: Option<OrganisationId>) -> Outcome {
        let value = Value {
            text: text.to_owned(),
            organisation,
        };
        bent(|item| drop(item.metadata.fields.insert(field, value)))
    }
    fn tagged(texts: &[&str], from: Field) -> Outcome {
        let tag = |text: &&str| Tag {
            text: (*text).to_owned(),
            from,
        };
        bent(|item| item.metadata.tags = texts.iter().map(tag).collect())
    }
    let harbour = Some(harbour().id);
    assert_eq!(said(Field::DeviceModel, "Body 4", None), Took(1));
    assert_eq!(said(Field::DeviceModel, "Body 4", harbour), MALFORMED);
    assert_eq!(said(Field::DeviceModel, "Body\n4", None), MALFORMED);
    assert_eq!(said(Field::DeviceModel, &"x".repeat(97), None), MALFORMED);
    assert_eq!(said(Field::DeviceSerial, "X81", harbour), Took(1));
    assert_eq!(said(Field::DeviceSerial, "X81", None), MALFORMED);
    let copied = |field: &&Field| !field.disclosed();
    for field in Field::ALL.iter().filter(copied) {
        assert_eq!(said(*field, "x", None), MALFORMED, "{field}");
        assert_eq!(said(*field, "x", harbour), MALFORMED, "{field}");
    }
    let long = "x".repeat(limits::TAG_MAX + 1);
    assert_eq!(tagged(&["a", "b"], Field::Categories), Took(1));
    assert_eq!(tagged(&["vehicleId=7"], Field::Fleet3VehicleId), Took(1));
    assert_eq!(tagged(&["a"], Field::Fleet3Vehicle), MALFORMED);
    assert_eq!(tagged(&["b", "a"], Field::Tags), MALFORMED);
    assert_eq!(tagged(&["a", "a"], Field::Tags), MALFORMED);
    assert_eq!(tagged(&[""], Field::Tags), MALFORMED);
    assert_eq!(tagged(&[&long], Field::Tags), MALFORMED);
}

#[test]
fn items_at_their_bounds_are_let_in() {
    let long = |length: usize| "x".repeat(length);
    assert_eq!(bent(|item| item.title = long(limits::TITLE_MAX)), Took(1));
    assert_eq!(bent(|item| item.title.clear()), Took(1));
    assert_eq!(bent(|item| item.files[0].size = blob::MAX_SIZE), Took(1));
    let many = |item: &mut Item| item.files = vec![item.files[0].clone(); limits::ITEM_FILES_MAX];
    assert_eq!(bent(many), Took(1));
}

#[test]
fn more_items_than_an_entry_may_have_are_refused() {
    let mut small = item(1);
    small.files.truncate(1);
    small.folder.clear();
    small.added_by = Value::default();
    small.metadata = Metadata::default();
    small.title.clear();
    let items = (0..=limits::ENTRY_ITEMS_MAX as u128).map(|number| {
        let mut item = small.clone();
        item.evidence = evidence(1000 + number);
        item
    });
    let items: Vec<Item> = items.collect();
    let pair = Pair::listed(&[2]);
    let most = Body::EvidenceAdded(items[1..].to_vec());
    assert_eq!(lie(&pair, Side::Owner, most, |_| {}), Took(1));
    assert_eq!(
        lie(&pair, Side::Owner, Body::EvidenceAdded(items), |_| {}),
        MALFORMED
    );
    let stated = vec![stored(2); limits::ENTRY_ITEMS_MAX + 1];
    assert_eq!(
        lie(&pair, Side::Partner, Body::Stored(stated), |_| {}),
        MALFORMED
    );
}

/// fault A12
#[test]
fn bodies_and_headers_over_a_bound_are_refused_even_unread() {
    let unknown = |length: usize| {
        lie(&Pair::listed(&[1]), Side::Owner, Body::Unread, |forged| {
            forged.header.r#type = 63;
            forged.header.critical = false;
            forged.say(vec![1; length]);
        })
    };
    assert_eq!(unknown(limits::ENTRY_BODY_MAX), Took(1));
    assert_eq!(unknown(limits::ENTRY_BODY_MAX + 1), MALFORMED);
    assert_eq!(padded(limits::ENTRY_HEADER_MAX / 2), Took(1));
    assert_eq!(padded(limits::ENTRY_HEADER_MAX), MALFORMED);
}

/// A header with a field from the future that takes so many bytes.
fn padded(length: usize) -> Outcome {
    let pair = Pair::listed(&[1]);
    let forged = Forged::new(&pair.partner, Body::Stored(vec![stored(1)]));
    let mut entry = forged.message();
    let mut header = entry.header.to_vec();
    // Field 100, length-delimited.
    header.extend([0xa2, 0x06]);
    prost::encoding::encode_varint(length as u64, &mut header);
    header.extend(vec![0; length]);
    let mut point = forged.point();
    point.hash = crate::log::entry::hash(&header);
    entry.header = header.into();
    let mut message = batch(&[], pair.partner.head(point), &pair.partner.organisation);
    message.entries = vec![entry];
    bring(&pair.owner, &message)
}

#[test]
fn more_entries_or_certificates_than_a_batch_may_have_are_refused() {
    let pair = Pair::listed(&[1]);
    let mut entries = vec![Forged::new(&pair.partner, Body::Stored(vec![stored(1)]))];
    for _ in 0..limits::BATCH_ENTRIES_MAX {
        entries.push(entries[entries.len() - 1].then());
    }
    let head = pair.partner.head(entries[entries.len() - 1].point());
    let message = batch(&entries, head, &pair.partner.organisation);
    assert_eq!(bring(&pair.owner, &message), MALFORMED);
    for (certificates, outcome) in [(7, Took(1)), (8, MALFORMED)] {
        let head = pair.partner.head(entries[0].point());
        let signer = pair.partner.organisation.clone().chained(certificates);
        let message = batch(&entries[..1], head, &signer);
        assert_eq!(bring(&pair.owner, &message), outcome);
    }
}

/// fault A12
#[test]
fn times_before_1970_or_after_9999_are_refused() {
    for micros in [-1, i64::MIN, i64::MAX, 253_402_300_800_000_000] {
        assert_eq!(added(|forged| forged.header.at = micros), MALFORMED);
        let outcome = added(|forged| {
            let mut text = forged.texts[1].clone();
            let mut said = v1::ItemText::decode(text.text).unwrap();
            said.added_at = micros;
            text.text = said.encode_to_vec().into();
            forged.tell(1, text);
        });
        assert_eq!(outcome, MALFORMED);
        let pair = Pair::listed(&[1]);
        let forged = Forged::new(&pair.partner, Body::Stored(vec![stored(1)]));
        let mut message = batch(
            &[],
            pair.partner.head(forged.point()),
            &pair.partner.organisation,
        );
        let signed = message.head.as_mut().unwrap();
        let mut head = v1::Head::decode(signed.head.clone()).unwrap();
        head.at = micros;
        signed.head = head.encode_to_vec().into();
        message.entries = vec![forged.message()];
        assert_eq!(bring(&pair.owner, &message), MALFORMED);
    }
}

#[test]
fn text_that_is_not_utf8_and_ids_of_other_lengths_are_refused() {
    let outcome = added(|forged| {
        let mut text = forged.texts[0].clone();
        let mut bytes = text.text.to_vec();
        let title = bytes.windows(4).position(|bytes| bytes == b"Item").unwrap();
        bytes[title] = 0xff;
        text.text = bytes.into();
        forged.tell(0, text);
    });
    assert_eq!(outcome, MALFORMED);
    for length in [0, 15, 17, 100] {
        let outcome = added(|forged| {
            let mut body = v1::EvidenceAdded::decode(forged.body.as_slice()).unwrap();
            body.items[0].evidence = vec![1; length].into();
            forged.say(body.encode_to_vec());
        });
        assert_eq!(outcome, MALFORMED);
    }
    let short = |forged: &mut Forged| forged.header.other_hash.truncate(31);
    assert_eq!(added(short), MALFORMED);
}

#[test]
fn an_actor_is_named_where_one_must_be() {
    let pair = Pair::listed(&[1]);
    let outcome = lie(&pair, Side::Owner, Body::Cancelled(actor()), |forged| {
        forged.say(Vec::new());
    });
    assert_eq!(outcome, MALFORMED);
    let mut nameless = actor();
    nameless.name = "x".repeat(limits::ACTOR_NAME_MAX + 1);
    let outcome = lie(&pair, Side::Owner, Body::Cancelled(nameless), |_| {});
    assert_eq!(outcome, MALFORMED);
}

#[test]
fn text_is_data_whatever_it_holds() {
    let mut pair = Pair::listed(&[1]);
    let mut strange = item(2);
    strange.title = "\0\r\n\u{1b}[2J\u{202e}".to_owned();
    strange.folder = "../../etc/".to_owned();
    strange.files[0].name = "../\0/C:\\aux".to_owned();
    pair.owner.run(Command::Add(vec![strange])).unwrap();
    pair.exchange();
}

#[test]
fn truncated_batches_are_refused_at_every_length() {
    let mut pair = Pair::new();
    pair.owner.run(Command::Offer(offered())).unwrap();
    pair.owner.run(Command::Add(vec![item(1)])).unwrap();
    let whole = pair.owner.batch(1, 16).unwrap();
    for length in 0..whole.len() {
        let mut partner = pair.partner.clone();
        assert_eq!(partner.take(&whole[..length]), Err(Refusal::Malformed));
    }
}

#[test]
fn no_flipped_bit_brings_anything_but_what_was_signed() {
    let mut pair = Pair::new();
    pair.owner.run(Command::Offer(offered())).unwrap();
    pair.owner.run(Command::Add(vec![item(1)])).unwrap();
    let mut bytes = pair.owner.batch(1, 16).unwrap();
    let mut honest = pair.partner.clone();
    honest.take(&bytes).unwrap();
    for bit in 0..bytes.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        let mut partner = pair.partner.clone();
        let expected = match partner.take(&bytes) {
            Ok(_) => &honest,
            Err(_) => &pair.partner,
        };
        assert_eq!(partner, *expected);
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
}

proptest! {
    #[test]
    fn arbitrary_numbers_and_bodies_never_panic(
        kind in prop_oneof![0..8_i32, 30..36_i32, any::<i32>()],
        numbers in prop::array::uniform3(prop_oneof![0..6_u64, any::<u64>()]),
        at in any::<i64>(),
        critical in any::<bool>(),
        body in prop::collection::vec(any::<u8>(), 0..64),
        owner in any::<bool>(),
    ) {
        let pair = Pair::listed(&[1, 2]);
        let side = if owner { Side::Owner } else { Side::Partner };
        let outcome = lie(&pair, side, Body::Stored(vec![stored(1)]), |forged| {
            forged.header.r#type = kind;
            forged.header.number = numbers[0];
            forged.header.other_count = numbers[1];
            forged.header.at = if numbers[2] % 2 == 0 { forged.header.at } else { at };
            forged.header.critical = critical;
            forged.say(body);
        });
        prop_assert!(!matches!(outcome, Took(n) if n > 1));
    }
}
