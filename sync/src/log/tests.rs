//! Claims about chains, heads and receipts: what each signature covers, and who must have made it.

use super::entry::{Body, Entry, Place, commitment, hash};
use super::head::{Head, SignedHead};
use super::{Point, Side};
use crate::identity::{OrganisationId, Unverified};
use crate::receipt::{Countersignature, Receipt};
use crate::share::terms::{SignedTerms, Terms};
use crate::testing::{Organisation, Pinned, actor, at, harbour, north, share, south, terms};

fn place(number: u64, side: Side) -> Place {
    Place {
        share: share(),
        side,
        after: Point {
            count: number - 1,
            hash: if number == 1 { [0; 32] } else { [4; 32] },
        },
        other: Point {
            count: 3,
            hash: [5; 32],
        },
        at: at(0),
    }
}

fn head(side: Side) -> Head {
    Head {
        share: share(),
        owner: north().id,
        partner: south().id,
        side,
        incarnation: 1,
        point: Point {
            count: 2,
            hash: [6; 32],
        },
        journal: Point {
            count: 40,
            hash: [7; 32],
        },
        at: at(60),
    }
}

fn receipt(writer: &Organisation, reader: &Organisation) -> Receipt {
    let head = head(Side::Owner).sign(writer);
    let countersignature = Countersignature::new(&head, at(61), reader);
    Receipt {
        head,
        countersignature,
    }
}

#[test]
fn an_entry_is_written_as_it_will_be_read() {
    for body in [Body::Accepted(None), Body::Accepted(Some(actor()))] {
        let entry = Entry::new(&place(1, Side::Partner), body, [1; 16]);
        assert_eq!(Entry::read(&entry.bytes), Ok(entry));
    }
}

#[test]
fn a_hash_depends_on_all_that_an_entry_says() {
    let entry = |place: &Place, salt| Entry::new(place, Body::Ended(actor()), [salt; 16]).hash;
    let first = place(2, Side::Owner);
    let base = entry(&first, 1);
    assert_eq!(base, entry(&first, 1));
    assert_ne!(base, entry(&first, 2));
    assert_ne!(base, entry(&place(3, Side::Owner), 1));
    assert_ne!(base, entry(&place(2, Side::Partner), 1));
    let mut later = first;
    later.at = at(1);
    assert_ne!(base, entry(&later, 1));
    let mut seen = first;
    seen.other.hash = [6; 32];
    assert_ne!(base, entry(&seen, 1));
}

#[test]
fn what_is_hashed_for_one_end_serves_no_other() {
    let bytes = [0; 16];
    assert_ne!(hash(&bytes), commitment(&bytes, &[0; 32], &[]));
}

#[test]
fn a_head_counts_only_when_its_writer_signed_it() {
    for (side, writer, other) in [
        (Side::Owner, north(), south()),
        (Side::Partner, south(), north()),
    ] {
        assert_eq!(head(side).sign(&writer).verify(&Pinned), Ok(()));
        for liar in [other, harbour()] {
            let forged = head(side).sign(&liar);
            assert_eq!(forged.verify(&Pinned), Err(Unverified::Chain));
        }
    }
    let mut stranger = head(Side::Owner);
    stranger.owner = OrganisationId::from_bytes([9; 32]);
    assert_eq!(
        stranger.sign(&north()).verify(&Pinned),
        Err(Unverified::NoRoot)
    );
}

#[test]
fn a_signature_under_one_tag_counts_under_no_other() {
    let signed = terms();
    assert_eq!(signed.verify(&Pinned), Ok(()));
    let mut as_receipt = receipt(&north(), &south());
    as_receipt.countersignature.bytes = head(Side::Partner).sign(&south()).bytes;
    assert_eq!(as_receipt.verify(&Pinned), Err(Unverified::Signature));
}

#[test]
fn terms_count_only_when_their_owner_signed_them() {
    let forged = |signer: &Organisation| {
        let terms: Terms = terms().terms;
        terms.sign(signer).verify(&Pinned)
    };
    assert_eq!(forged(&north()), Ok(()));
    assert_eq!(forged(&south()), Err(Unverified::Chain));
}

#[test]
fn a_receipt_counts_only_with_both_signatures_over_one_head() {
    assert_eq!(receipt(&north(), &south()).verify(&Pinned), Ok(()));
    for (writer, reader) in [(north(), north()), (north(), harbour()), (south(), south())] {
        let forged = receipt(&writer, &reader);
        assert_eq!(forged.verify(&Pinned), Err(Unverified::Chain));
    }
    let mut mixed = receipt(&north(), &south());
    let mut other = head(Side::Owner);
    other.point.count = 3;
    mixed.head = other.sign(&north());
    assert_eq!(mixed.verify(&Pinned), Err(Unverified::Signature));
    assert_eq!(
        mixed.verify_countersignature(&Pinned),
        Err(Unverified::Signature)
    );
}

#[test]
fn either_side_reads_the_log_that_the_other_writes() {
    assert_eq!(receipt(&north(), &south()).reader(), south().id);
    let head = head(Side::Partner).sign(&south());
    let countersignature = Countersignature::new(&head, at(61), &north());
    let receipt = Receipt {
        head,
        countersignature,
    };
    assert_eq!(receipt.reader(), north().id);
    assert_eq!(receipt.verify(&Pinned), Ok(()));
}

#[test]
fn statements_are_written_as_they_will_be_read() {
    let receipt = receipt(&north(), &south());
    assert_eq!(Receipt::read(&receipt.bytes()), Ok(receipt.clone()));
    assert_eq!(SignedHead::read(&receipt.head.bytes), Ok(receipt.head));
    let statement = receipt.countersignature;
    assert_eq!(Countersignature::read(&statement.bytes), Ok(statement));
    assert_eq!(SignedTerms::read(&terms().bytes), Ok(terms()));
}

/// Other nodes hold these bytes: format v0 changes only together with this test.
#[test]
fn the_bytes_of_format_v0_stay() {
    let entry = Entry::new(&place(2, Side::Owner), Body::Cancelled(actor()), [1; 16]);
    let receipt = receipt(&north(), &south());
    let digest = |bytes: &[u8]| blake3::hash(bytes).to_hex().to_string();
    let hash = crate::blob::Sha256(entry.hash).to_string();
    assert_eq!(
        hash,
        "4ecf47a249d7373a4e396c749d75d44477b0497fecc12bc64cfa82aa12037d84"
    );
    assert_eq!(
        digest(&entry.bytes),
        "e72488416f9ef8aff3b1d03ca36408db53e9f7b2d302b7f5885e308d0bc40dab"
    );
    assert_eq!(
        digest(&receipt.head.bytes),
        "b6a0d57f4607ac59759fd8c1c30951baab7f97d159712bc7d0bb342ff1c36c9f"
    );
    assert_eq!(
        digest(&receipt.countersignature.bytes),
        "16a8bd1a94cdb3295a268dcd5b9bc399ba628c75eb27679c59db515575d6b0ff"
    );
    assert_eq!(
        digest(&terms().bytes),
        "788d12271f729a5b538e37c1f8bd59b30b1c0e7c73af026685c35dc37ead54f2"
    );
}
