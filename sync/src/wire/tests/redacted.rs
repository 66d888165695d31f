//! Claims about redacted entries: they say the same about the share, and tell nobody how it reads.

use interdocket_proto::v1;
use proptest::prelude::*;
use prost::Message as _;

use super::{bodies, points, uuid};
use crate::copy::Field;
use crate::id::ShareId;
use crate::log::Side;
use crate::log::entry::{
    Actor, Body, CaseInfo, Entry, ItemChange, Offered, Place, Reshared, Subject, Target,
};
use crate::metadata::{Metadata, Tag};
use crate::testing::{actor, at, evidence, item, offered, share, stored, target};

const SEED: [u8; 16] = [0xa5; 16];
const CANARY: &[u8] = b"canary";

fn entry(side: Side, body: Body) -> Entry {
    let first = matches!(body, Body::Offered(..) | Body::Accepted(_));
    let after = crate::log::Point {
        count: u64::from(!first),
        hash: [u8::from(!first); 32],
    };
    let place = Place {
        share: share(),
        side,
        after,
        other: after,
        at: at(0),
    };
    Entry::new(&place, body, SEED)
}

fn canary() -> String {
    String::from_utf8(CANARY.to_vec()).unwrap()
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn metadata() -> Metadata {
    let tag = Tag {
        text: canary(),
        from: Field::Tags,
    };
    Metadata {
        fields: [(Field::DeviceModel, canary().as_str().into())].into(),
        tags: vec![tag],
    }
}

/// All bodies that describe something, with a canary wherever there is room for a text.
fn telling() -> Vec<Body> {
    let info = || CaseInfo {
        number: canary(),
        title: canary(),
        description: canary(),
        targets: vec![Target {
            name: canary(),
            description: canary(),
            ..target(1)
        }],
        tags: metadata().tags,
    };
    let actor = || Actor {
        name: canary(),
        badge: canary(),
        ..actor()
    };
    let offer = Offered {
        actor: actor(),
        info: info(),
        recipients: vec![canary(); 2],
        message: canary(),
        ..offered()
    };
    let mut item = item(2);
    item.title = canary();
    item.folder = canary();
    item.added_by = canary().as_str().into();
    item.metadata = metadata();
    for file in &mut item.files {
        file.name = canary();
        file.format = canary();
    }
    let change = ItemChange {
        evidence: evidence(2),
        title: canary(),
        folder: canary(),
        metadata: metadata(),
    };
    vec![
        Body::Offered([1; 32], offer),
        Body::EvidenceAdded(vec![item]),
        Body::EvidenceChanged(vec![change]),
        Body::CaseChanged(actor(), info()),
        Body::RecipientsChanged(actor(), vec![canary(); 2]),
        Body::Reshared(
            actor(),
            Reshared {
                recipients: vec![canary()],
                message: canary(),
            },
        ),
        Body::RecallAsked(actor(), canary()),
    ]
}

#[test]
fn a_redacted_entry_holds_no_text_and_no_salt_of_one() {
    for body in telling() {
        let entry = entry(Side::Owner, body);
        let (redacted, texts) = entry.part(&|_| true);
        assert!(holds(&entry.bytes, CANARY) && !texts.is_empty());
        assert!(!holds(&redacted, CANARY), "{:?}", entry.body);
        // With its salt, anybody could try whether a text is the one that was committed to; and with the seed of
        // all salts.
        assert!(!holds(&entry.bytes, &SEED));
        for text in texts {
            let text = v1::Text::decode(text.bytes.as_slice()).unwrap();
            assert!(holds(&entry.bytes, &text.salt) && !holds(&redacted, &text.salt));
        }
        assert!(!Entry::kept(&redacted).unwrap().body.eq(&entry.body));
    }
}

/// No text's salt is another one's, nor the body's, which stays.
#[test]
fn every_text_of_an_entry_has_a_salt_of_its_own() {
    let items = (1..5).map(item).collect();
    let entry = entry(Side::Owner, Body::EvidenceAdded(items));
    let message = v1::Entry::decode(entry.bytes.as_slice()).unwrap();
    let mut salts: Vec<_> = message.texts.iter().map(|text| text.salt.clone()).collect();
    salts.push(message.salt);
    salts.sort();
    salts.dedup();
    assert_eq!(salts.len(), 5);
}

/// Where one item of many is erased, the entry still tells of the others, and proves which files it listed.
#[test]
fn an_entry_tells_of_every_item_whose_text_is_left() {
    let body = Body::EvidenceAdded(vec![item(1), item(2), item(3)]);
    let entry = entry(Side::Owner, body);
    let second = Subject::Item(evidence(2));
    let (left, texts) = entry.part(&|subject| subject == second);
    assert_eq!(texts.len(), 1);
    assert_eq!((texts[0].place, texts[0].subject), (1, second));
    let read = Entry::read(&left).unwrap();
    let Body::EvidenceAdded(mut expected) = entry.body.clone() else {
        panic!("still a disclosure");
    };
    expected[1] = expected[1].redacted();
    assert_eq!(read.body, Body::EvidenceAdded(expected));
    assert_eq!(read.hash, entry.hash);
    let whole = Entry::join(&left, &[(1, texts[0].bytes.clone())]).unwrap();
    assert_eq!(whole, entry.bytes);
    assert!(Entry::join(&left, &[(3, texts[0].bytes.clone())]).is_err());
    // In another's place it is not what was committed to.
    let other = Entry::join(&left, &[(0, texts[0].bytes.clone())]).unwrap();
    assert!(Entry::kept(&other).is_err());
}

/// What a newer release says is kept unread, and its texts can be erased all the same.
#[test]
fn texts_of_an_unknown_type_are_apart_as_well() {
    let told = entry(Side::Owner, Body::EvidenceAdded(vec![item(1), item(2)]));
    let mut message = v1::Entry::decode(told.bytes.as_slice()).unwrap();
    let mut header = v1::EntryHeader::decode(message.header.clone()).unwrap();
    (header.r#type, header.critical) = (999, false);
    message.header = header.encode_to_vec().into();
    let unread = Entry::read(&message.encode_to_vec()).unwrap();
    assert_eq!(unread.body, Body::Unread);
    let (left, texts) = unread.part(&|subject| subject == Subject::Case);
    assert_eq!(texts.len(), 2);
    for text in &texts {
        let text = v1::Text::decode(text.bytes.as_slice()).unwrap();
        assert!(holds(&unread.bytes, &text.text) && !holds(&left, &text.text));
    }
    assert_eq!(Entry::read(&left).unwrap().hash, unread.hash);
    let texts: Vec<_> = texts
        .into_iter()
        .map(|text| (text.place, text.bytes))
        .collect();
    assert_eq!(Entry::join(&left, &texts).unwrap(), unread.bytes);
}

/// When something was taken in is not told either.
#[test]
fn a_redacted_item_keeps_what_its_files_are_and_no_time() {
    let Body::EvidenceAdded(items) = Body::EvidenceAdded(vec![item(2)]).redacted() else {
        panic!("still a disclosure");
    };
    assert_eq!(items[0].added_at, chrono::DateTime::UNIX_EPOCH);
    let digests = |item: &crate::evidence::Item| {
        let files = item.files.iter();
        let digests = files.map(|file| (file.blake3, file.sha256, file.size));
        digests.collect::<Vec<_>>()
    };
    assert_eq!(digests(&items[0]), digests(&item(2)));
}

/// They can be told to a partner that has no lease, and by nobody else.
#[test]
fn entries_that_describe_nothing_stay_as_they_are() {
    for body in [
        Body::Listed(actor(), 1),
        Body::Ended(actor()),
        Body::Cancelled(actor()),
        Body::EvidenceWithdrawn(vec![evidence(1)]),
        Body::ImportGranted(actor()),
        Body::Suspended(actor()),
        Body::Resumed(actor()),
        Body::Revoked(actor()),
        Body::Accepted(Some(actor())),
        Body::Stored(vec![stored(1)]),
        Body::Imported(vec![stored(1)]),
    ] {
        assert_eq!(body.redacted(), body);
    }
}

/// A partner must not pass off for whole what it only committed to: who acts, and for whom it is, is told.
#[test]
fn only_what_was_kept_here_is_read_without_its_people() {
    for body in telling() {
        let items = matches!(body, Body::EvidenceAdded(_) | Body::EvidenceChanged(_));
        let entry = entry(Side::Owner, body);
        let redacted = entry.redacted();
        assert_eq!(Entry::read(&redacted).is_ok(), items, "{:?}", entry.body);
        let kept = Entry::kept(&redacted).unwrap();
        assert_eq!(kept.hash, entry.hash);
        assert_eq!(kept.body, entry.body.redacted());
    }
}

#[test]
fn what_was_kept_whole_is_still_held_to_its_commitment() {
    let entry = entry(Side::Owner, Body::Revoked(actor()));
    assert_eq!(Entry::kept(&entry.bytes), Ok(entry.clone()));
    let last = entry.bytes.len() - 1;
    let mut bent = entry.bytes;
    bent[last] ^= 1;
    assert!(Entry::kept(&bent).is_err());
}

proptest! {
    #[test]
    fn a_redacted_entry_is_the_same_entry_but_for_its_body(
        (side, body) in bodies(),
        places in (uuid(), points(), points(), 0..4_000_000_000_i64),
    ) {
        let place = Place {
            share: ShareId::new(places.0),
            side,
            after: places.1,
            other: places.2,
            at: at(places.3),
        };
        let whole = Entry::new(&place, body, SEED);
        let bytes = whole.redacted();
        let redacted = Entry::kept(&bytes).unwrap();
        let expected = Entry { body: whole.body.redacted(), bytes: bytes.clone(), ..whole };
        prop_assert_eq!(&redacted, &expected);
        prop_assert_eq!(redacted.redacted(), bytes);
    }
}
