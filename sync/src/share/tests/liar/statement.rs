//! Lies in statements that stand by themselves: revocations and what countersigns them.

use interdocket_proto::v1;
use prost::Message as _;

use crate::id::ShareId;
use crate::identity::Unverified;
use crate::log::head::{self, SignedHead};
use crate::receipt::{self, Countersignature, Receipt};
use crate::refusal::Refusal;
use crate::share::Kind;
use crate::share::apply::open;
use crate::share::decide::Command;
use crate::share::revocation::{Revocation, SignedRevocation, TAG};
use crate::share::terms::{self, SignedTerms};
use crate::testing::{
    LIVE, Organisation, Pair, Pinned, SYNCHRONISED, at, evidence, harbour, north, offered,
    reference, revocation, south, stored, terms_of,
};
use crate::wire;

/// The revocation with something else in it, by the one that it names as owner.
fn bent(signer: &Organisation, bend: impl FnOnce(&mut Revocation)) -> SignedRevocation {
    let mut said = revocation().revocation;
    bend(&mut said);
    said.sign(signer)
}

fn read(bytes: &[u8]) -> SignedRevocation {
    SignedRevocation::read(bytes).unwrap()
}

/// fault A13
#[test]
fn a_revocation_of_another_share_or_by_and_to_others_covers_nothing() {
    let header = open(&terms_of(LIVE));
    assert!(revocation().covers(&header));
    let others = [
        bent(&north(), |said| {
            said.share = ShareId::new(evidence(9).uuid())
        }),
        bent(&north(), |said| said.partner = harbour().id),
        bent(&harbour(), |said| said.owner = harbour().id),
        bent(&south(), |said| {
            (said.owner, said.partner) = (said.partner, said.owner);
        }),
    ];
    for other in others {
        assert_eq!(other.verify(&Pinned), Ok(()));
        assert!(!other.covers(&header));
    }
}

/// A copy is the partner's own.
#[test]
fn a_revocation_covers_every_kind_but_a_copy() {
    for kind in [LIVE, SYNCHRONISED, reference()] {
        assert!(revocation().covers(&open(&terms_of(kind))));
    }
    assert!(!revocation().covers(&open(&terms_of(Kind::Copy))));
    let mut pair = Pair::listed(&[1]);
    pair.partner.revoked(&revocation());
    pair.agree();
}

/// Its log may say so later, or never.
#[test]
fn who_was_told_by_the_statement_alone_accepts_and_stores_no_more() {
    let mut pair = Pair::of(SYNCHRONISED);
    pair.owner.run(Command::Offer(offered())).unwrap();
    pair.exchange();
    pair.partner.revoked(&revocation());
    let refused = Err(Refusal::State);
    assert_eq!(pair.partner.run(Command::Accept(None)), refused);
    let mut pair = Pair::listed_as(SYNCHRONISED, &[1]);
    pair.partner.revoked(&revocation());
    let store = Command::Store(vec![stored(1)]);
    assert_eq!(pair.partner.run(store), refused);
}

/// fault A13
#[test]
fn a_revocation_that_its_owner_did_not_sign_is_refused() {
    assert_eq!(revocation().verify(&Pinned), Ok(()));
    for signer in [south(), harbour()] {
        let forged = read(&bent(&signer, |_| {}).bytes);
        assert!(forged.covers(&open(&terms_of(LIVE))));
        assert_eq!(forged.verify(&Pinned), Err(Unverified::Chain));
    }
    let mut message = v1::SignedRevocation::decode(revocation().bytes.as_slice()).unwrap();
    let other = bent(&north(), |said| said.at = at(61));
    message.revocation = wire::signed(&other.bytes).unwrap().payload.into();
    let forged = read(&message.encode_to_vec());
    assert_eq!(forged.verify(&Pinned), Err(Unverified::Signature));
}

/// fault A13: what was signed as one thing is no other.
#[test]
fn a_signature_counts_for_the_kind_of_statement_that_it_was_made_for() {
    let tags = [head::TAG, terms::TAG, TAG, receipt::TAG];
    let pair = Pair::listed_as(LIVE, &[1]);
    let head = pair.owner.head(pair.owner.header.owner_log.point);
    let payload = |bytes: &[u8]| wire::signed(bytes).unwrap().payload;
    let head = payload(&head.sign(&north()).bytes);
    let said = payload(&pair.owner.terms.bytes);
    let revoked = payload(&revocation().bytes);
    let received = Countersignature::revocation(&revocation(), at(61), &south());
    let received = payload(&received.bytes);
    for tag in tags {
        let sign = |payload: &[u8]| wire::sign(tag, payload.to_vec(), &north());
        let judge = |own: &[u8], outcome: Result<(), Unverified>| {
            let expected = if own == tag {
                Ok(())
            } else {
                Err(Unverified::Signature)
            };
            assert_eq!(outcome, expected);
        };
        let signed = SignedHead::read(&sign(&head)).unwrap();
        judge(head::TAG, signed.verify(&Pinned));
        let signed = SignedTerms::read(&sign(&said)).unwrap();
        judge(terms::TAG, signed.verify(&Pinned));
        judge(TAG, read(&sign(&revoked)).verify(&Pinned));
        let bytes = wire::sign(tag, received.clone(), &south());
        let signed = Countersignature::read(&bytes).unwrap();
        judge(receipt::TAG, revocation().verify_receipt(&signed, &Pinned));
    }
}

#[test]
fn a_revocation_is_received_when_its_partner_countersigned_that_very_one() {
    let judge = |said: &SignedRevocation, signer: &Organisation| {
        let receipt = Countersignature::revocation(said, at(61), signer);
        let receipt = Countersignature::read(&receipt.bytes).unwrap();
        revocation().verify_receipt(&receipt, &Pinned)
    };
    assert_eq!(judge(&revocation(), &south()), Ok(()));
    for signer in [north(), harbour()] {
        assert_eq!(judge(&revocation(), &signer), Err(Unverified::Chain));
    }
    let other = bent(&north(), |said| said.at = at(61));
    assert_eq!(judge(&other, &south()), Err(Unverified::Signature));
}

/// The bytes of a head can read as a revocation: who countersigned the one did not receive the other.
#[test]
fn a_countersigned_head_is_no_receipt_for_a_revocation() {
    let pair = Pair::listed_as(LIVE, &[1]);
    let head = pair.owner.head(pair.owner.header.owner_log.point);
    let head = head.sign(&north());
    let payload = wire::signed(&head.bytes).unwrap().payload;
    let twin = read(&wire::sign(TAG, payload, &north()));
    assert_eq!(twin.verify(&Pinned), Ok(()));
    assert!(twin.covers(&pair.partner.header));
    let countersignature = Countersignature::new(&head, at(61), &south());
    let refused = Err(Unverified::Signature);
    assert_eq!(twin.verify_receipt(&countersignature, &Pinned), refused);
    let received = Countersignature::revocation(&twin, at(61), &south());
    let receipt = Receipt {
        head,
        countersignature: received,
    };
    assert_eq!(receipt.verify(&Pinned), refused);
}
