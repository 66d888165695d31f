//! Who can revoke, and what proves that it was received: each signature counts for one statement.

use crate::identity::{OrganisationId, Unverified};
use crate::log::head::{Head, SignedHead};
use crate::log::{Point, Side};
use crate::receipt::{Countersignature, Receipt};
use crate::share::revocation::{self, SignedRevocation};
use crate::share::terms::SignedTerms;
use crate::testing::{
    LIVE, Organisation, Pinned, at, harbour, north, revocation, share, south, terms_of,
};
use crate::wire;

fn head() -> SignedHead {
    let head = Head {
        share: share(),
        owner: north().id,
        partner: south().id,
        side: Side::Owner,
        incarnation: 1,
        point: Point {
            count: 2,
            hash: [6; 32],
        },
        journal: Point::default(),
        at: at(60),
    };
    head.sign(&north())
}

fn received(by: &Organisation) -> Countersignature {
    Countersignature::revocation(&revocation(), at(61), by)
}

/// fault A13
#[test]
fn a_revocation_counts_only_when_the_owner_signed_it() {
    assert_eq!(revocation().verify(&Pinned), Ok(()));
    for liar in [south(), harbour()] {
        let forged = revocation().revocation.sign(&liar);
        assert_eq!(forged.verify(&Pinned), Err(Unverified::Chain));
    }
    let mut stranger = revocation().revocation;
    stranger.owner = OrganisationId::from_bytes([9; 32]);
    let stranger = stranger.sign(&north());
    assert_eq!(stranger.verify(&Pinned), Err(Unverified::NoRoot));
}

/// fault A13
#[test]
fn a_revocation_with_one_bit_flipped_revokes_nothing() {
    let honest = revocation();
    for place in 0..honest.bytes.len() {
        for bit in 0..8 {
            let mut bytes = honest.bytes.clone();
            bytes[place] ^= 1 << bit;
            let bent = SignedRevocation::read(&bytes);
            let counts = bent.is_ok_and(|bent| bent.verify(&Pinned).is_ok());
            assert!(!counts, "{place} {bit}");
        }
    }
}

/// fault A13: what else an owner signs can be read as a revocation, and is none.
#[test]
fn a_signed_head_or_signed_terms_are_no_revocation() {
    for bytes in [head().bytes, terms_of(LIVE).bytes] {
        let posing = SignedRevocation::read(&bytes).unwrap();
        assert_eq!(posing.revocation.share, share());
        assert_eq!(posing.verify(&Pinned), Err(Unverified::Signature));
    }
}

#[test]
fn a_revocation_is_no_head_and_no_terms() {
    let bytes = revocation().bytes;
    assert!(SignedHead::read(&bytes).is_err());
    assert!(SignedTerms::read(&bytes).is_err());
    // Nor where only its signature is put under what they say.
    let mut posing = head();
    posing.bytes.clone_from(&bytes);
    assert_eq!(posing.verify(&Pinned), Err(Unverified::Signature));
    let mut posing = terms_of(LIVE);
    posing.bytes.clone_from(&bytes);
    assert_eq!(posing.verify(&Pinned), Err(Unverified::Signature));
    // The very bytes of a head, signed as a revocation.
    let payload = wire::signed(&head().bytes).unwrap().payload;
    let mut posing = head();
    posing.bytes = wire::sign(revocation::TAG, payload, &north());
    assert_eq!(posing.verify(&Pinned), Err(Unverified::Signature));
}

#[test]
fn a_revocation_was_received_only_when_the_partner_countersigned_it() {
    let proof = |by: &Organisation| revocation().verify_receipt(&received(by), &Pinned);
    assert_eq!(proof(&south()), Ok(()));
    assert_eq!(proof(&north()), Err(Unverified::Chain));
    assert_eq!(proof(&harbour()), Err(Unverified::Chain));
}

#[test]
fn a_receipt_of_another_revocation_proves_nothing() {
    let mut other = revocation().revocation;
    other.at += chrono::TimeDelta::seconds(1);
    let other = other.sign(&north());
    let receipt = received(&south());
    let proof = other.verify_receipt(&receipt, &Pinned);
    assert_eq!(proof, Err(Unverified::Signature));
    // What it says that it is about is not what was signed.
    let mut posing = receipt;
    posing.head = other.digest();
    posing.bytes = revocation().bytes;
    let proof = other.verify_receipt(&posing, &Pinned);
    assert!(proof.is_err());
}

/// The bytes of a head read as a revocation too: whoever countersigns the one says nothing of the other.
#[test]
fn a_countersigned_head_is_no_countersigned_revocation_of_the_same_bytes() {
    let payload = wire::signed(&head().bytes).unwrap().payload;
    let bytes = wire::sign(revocation::TAG, payload, &north());
    let posing = SignedRevocation::read(&bytes).unwrap();
    assert_eq!(posing.verify(&Pinned), Ok(()));
    let countersigned = Countersignature::new(&head(), at(61), &south());
    let proof = posing.verify_receipt(&countersigned, &Pinned);
    assert_eq!(proof, Err(Unverified::Signature));
    let receipt = Receipt {
        head: head(),
        countersignature: Countersignature::revocation(&posing, at(61), &south()),
    };
    assert_eq!(receipt.verify(&Pinned), Err(Unverified::Signature));
}

#[test]
fn a_revocation_is_written_as_it_will_be_read() {
    assert_eq!(
        SignedRevocation::read(&revocation().bytes),
        Ok(revocation())
    );
    let receipt = received(&south());
    assert_eq!(Countersignature::read(&receipt.bytes), Ok(receipt));
}
