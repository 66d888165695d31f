//! Messages of partners: what is read is kept as the bytes that were signed, and means what an honest writer
//! would write for it.

use interdocket_proto::v1;
use prost::Message as _;

use super::harness::Input;
use crate::limits;
use crate::log::Point;
use crate::log::entry::{Body, Entry, Place};
use crate::log::head::SignedHead;
use crate::receipt::{Countersignature, Receipt};
use crate::share::revocation::SignedRevocation;
use crate::share::terms::SignedTerms;
use crate::testing::{Pinned, north};
use crate::wire::{batch as batches, refusal, session};

/// One entry.
pub(super) fn entry(bytes: &[u8]) {
    let Ok(entry) = Entry::read(bytes) else {
        return;
    };
    assert_eq!(entry.bytes, bytes);
    assert_eq!(Entry::kept(bytes).as_ref(), Ok(&entry));
    rewritten(&entry);
    redacted(&entry);
}

/// What was read is what is read of it when its writer had written it here.
fn rewritten(entry: &Entry) {
    let message = v1::Entry::decode(entry.bytes.as_slice()).unwrap_or_default();
    let told = message.texts.iter().all(|text| !text.salt.is_empty());
    if entry.body == Body::Unread || !told {
        return;
    }
    let place = Place {
        share: entry.share,
        side: entry.side,
        after: Point {
            count: entry.number - 1,
            hash: entry.previous,
        },
        other: entry.other,
        at: entry.at,
    };
    let again = Entry::new(&place, entry.body.clone(), [7; 16]);
    assert_eq!(again.body, entry.body);
    assert_eq!(again.kind, entry.kind);
    assert_eq!(Entry::read(&again.bytes), Ok(again));
}

/// Without its text it is the same entry of the chain.
fn redacted(entry: &Entry) {
    let kept = Entry::kept(&entry.redacted()).expect("what was read can be kept");
    assert_eq!(kept.body, entry.body.redacted());
    let whole = Entry {
        body: entry.body.clone(),
        bytes: entry.bytes.clone(),
        ..kept
    };
    assert_eq!(whole, *entry);
    let (bytes, texts) = entry.part(&|_| true);
    let texts: Vec<_> = texts
        .into_iter()
        .map(|text| (text.place, text.bytes))
        .collect();
    let joined = Entry::join(&bytes, &texts).expect("what was taken out has its place");
    let joined = Entry::read(&joined).expect("what was whole is whole again");
    assert_eq!(joined.body, entry.body);
    assert_eq!(joined.hash, entry.hash);
}

/// A batch of entries under a head.
pub(super) fn batch(bytes: &[u8]) {
    let Ok(message) = v1::Batch::decode(bytes) else {
        return;
    };
    let Ok(batch) = batches::read(message) else {
        return;
    };
    assert!(batch.entries.len() <= limits::BATCH_ENTRIES_MAX);
    let written = batches::write(&batch).expect("what was read can be sent on");
    assert_eq!(batches::read(written).as_ref(), Ok(&batch));
    for entry in &batch.entries {
        assert_eq!(entry.share, batch.share);
    }
}

/// Whatever is signed, read as each of the statements there are.
pub(super) fn signed(bytes: &[u8]) {
    let mut counts = 0;
    if let Ok(head) = SignedHead::read(bytes) {
        assert_eq!(head.bytes, bytes);
        let again = head.head.clone().sign(&north());
        assert_eq!(SignedHead::read(&again.bytes), Ok(again.clone()));
        assert_eq!(again.head, head.head);
        counts += u8::from(head.verify(&Pinned).is_ok());
    }
    if let Ok(terms) = SignedTerms::read(bytes) {
        assert_eq!(terms.bytes, bytes);
        let again = terms.terms.clone().sign(&north());
        assert_eq!(SignedTerms::read(&again.bytes), Ok(again.clone()));
        assert_eq!(again.terms, terms.terms);
        counts += u8::from(terms.verify(&Pinned).is_ok());
    }
    if let Ok(revocation) = SignedRevocation::read(bytes) {
        assert_eq!(revocation.bytes, bytes);
        let again = revocation.revocation.clone().sign(&north());
        assert_eq!(SignedRevocation::read(&again.bytes), Ok(again.clone()));
        assert_eq!(again.revocation, revocation.revocation);
        counts += u8::from(revocation.verify(&Pinned).is_ok());
    }
    if let Ok(countersignature) = Countersignature::read(bytes) {
        assert_eq!(countersignature.bytes, bytes);
    }
    if let Ok(receipt) = Receipt::read(bytes) {
        assert_eq!(Receipt::read(&receipt.bytes()), Ok(receipt.clone()));
        let countersigned = receipt.verify(&Pinned).is_ok();
        assert!(!countersigned || receipt.head.verify(&Pinned).is_ok());
    }
    // One signature, one meaning.
    assert!(counts <= 1);
}

/// What is not signed: read sessions and refusals.
pub(super) fn message(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let kind = input.below(3);
    let bytes = input.rest();
    match kind {
        0 => {
            let open = v1::OpenRequest::decode(bytes).map(session::read_open);
            if let Ok(Ok(open)) = open {
                assert_eq!(session::read_open(session::open(&open)), Ok(open));
            }
        }
        1 => {
            let page = v1::ListReply::decode(bytes).map(|reply| session::read_page(reply, None));
            if let Ok(Ok(page)) = page {
                assert!(!page.more || !page.items.is_empty());
                let order = page.items.windows(2);
                assert!(
                    order
                        .into_iter()
                        .all(|two| two[0].evidence < two[1].evidence)
                );
                assert_eq!(session::read_page(session::page(&page), None), Ok(page));
            }
        }
        _ => {
            let refused = v1::Refusal::decode(bytes).map(refusal::read);
            if let Ok(Some(refused)) = refused {
                assert_eq!(refusal::read(refusal::write(refused)), Some(refused));
            }
        }
    }
}
