//! Other nodes hold these bytes: format v0 changes only together with these tests.

use crate::log::entry::{
    Body, CaseInfo, DeclineReason, Entry, ItemChange, Place, Purged, RecallAnswer,
};
use crate::log::{Point, Side};
use crate::receipt::Countersignature;
use crate::share::{Kind, Mode, Policy, Totals};
use crate::testing::{
    LIVE, SYNCHRONISED, actor, at, evidence, item, metadata, offered, reference, reshared,
    revocation, share, south, stored, target, terms_of,
};

fn digest(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex()[..16].to_owned()
}

fn owner() -> Vec<(&'static str, Body)> {
    let change = ItemChange {
        evidence: evidence(1),
        title: "Renamed".to_owned(),
        folder: "Elsewhere".to_owned(),
        metadata: metadata(2),
    };
    let info = CaseInfo {
        number: "2026-8".to_owned(),
        title: "Two fires".to_owned(),
        description: "One harbour".to_owned(),
        targets: vec![target(1)],
        tags: metadata(2).tags,
    };
    let names = vec!["Sol Reyes".to_owned(), "Rae Lind".to_owned()];
    vec![
        ("offered", Body::Offered([1; 32], offered())),
        ("added", Body::EvidenceAdded(vec![item(1), item(2)])),
        ("listed", Body::Listed(actor(), 3)),
        ("ended", Body::Ended(actor())),
        ("cancelled", Body::Cancelled(actor())),
        ("changed", Body::EvidenceChanged(vec![change])),
        (
            "withdrawn",
            Body::EvidenceWithdrawn(vec![evidence(1), evidence(2)]),
        ),
        ("case", Body::CaseChanged(actor(), info)),
        ("recipients", Body::RecipientsChanged(actor(), names)),
        ("granted", Body::ImportGranted(actor())),
        ("suspended", Body::Suspended(actor())),
        ("resumed", Body::Resumed(actor())),
        ("revoked", Body::Revoked(actor())),
        ("reshared", Body::Reshared(actor(), reshared("Bea"))),
        (
            "recall",
            Body::RecallAsked(actor(), "Sealed by the court".to_owned()),
        ),
    ]
}

fn partner() -> Vec<(&'static str, Body)> {
    let totals = |evidence, files, bytes| Totals {
        evidence,
        files,
        bytes,
    };
    let purged = Purged {
        erased: totals(1, 2, 300),
        kept: totals(4, 5, 600),
    };
    let answer = RecallAnswer {
        granted: true,
        reason: "As asked".to_owned(),
    };
    vec![
        ("accepted", Body::Accepted(Some(actor()))),
        ("stored", Body::Stored(vec![stored(1), stored(2)])),
        ("imported", Body::Imported(vec![stored(1), stored(2)])),
        ("purged", Body::Purged(purged)),
        (
            "onward",
            Body::SharedOnward(actor(), vec!["Bea".to_owned()]),
        ),
        ("answered", Body::RecallAnswered(actor(), answer)),
        (
            "declined",
            Body::Declined(actor(), DeclineReason::NotAllowed),
        ),
    ]
}

fn entry(side: Side, body: Body) -> Entry {
    let place = Place {
        share: share(),
        side,
        after: Point {
            count: 1,
            hash: [4; 32],
        },
        other: Point {
            count: 3,
            hash: [5; 32],
        },
        at: at(0),
    };
    Entry::new(&place, body, [1; 16])
}

#[test]
fn the_bytes_of_every_entry_stay() {
    let owner = owner().into_iter().map(|it| (Side::Owner, it));
    let partner = partner().into_iter().map(|it| (Side::Partner, it));
    let got: Vec<String> = owner
        .chain(partner)
        .map(|(side, (name, body))| {
            let entry = entry(side, body);
            let [whole, redacted] = [digest(&entry.bytes), digest(&entry.redacted())];
            format!("{name} {whole} {redacted}")
        })
        .collect();
    assert_eq!(got, ENTRIES);
}

#[test]
fn the_bytes_of_terms_and_revocations_stay() {
    let neither = Kind::Advanced(Policy {
        mode: Mode::Live,
        download: false,
        import: false,
        onward: false,
    });
    let countersigned = Countersignature::revocation(&revocation(), at(61), &south());
    let got = [
        ("reference", digest(&terms_of(reference()).bytes)),
        ("copy", digest(&terms_of(Kind::Copy).bytes)),
        ("live", digest(&terms_of(LIVE).bytes)),
        ("synchronised", digest(&terms_of(SYNCHRONISED).bytes)),
        ("neither", digest(&terms_of(neither).bytes)),
        ("revocation", digest(&revocation().bytes)),
        ("named", digest(&revocation().digest())),
        ("countersigned", digest(&countersigned.bytes)),
    ];
    let got = got.map(|(name, digest)| format!("{name} {digest}"));
    assert_eq!(got, STATEMENTS);
}

/// What it says, the bytes as they are sent, and as they are kept redacted.
const ENTRIES: [&str; 22] = [
    "offered 9067023c9f163abd bec6820c35034d56",
    "added 8b70cedb82451f6a 8da00d27c5e486ae",
    "listed 018628fe1527d0e3 018628fe1527d0e3",
    "ended fcbdd64e556d1ee3 fcbdd64e556d1ee3",
    "cancelled e72488416f9ef8af e72488416f9ef8af",
    "changed 0bed8ae83159bf91 2de9efb5666e99b2",
    "withdrawn e0122d7f7d718d88 e0122d7f7d718d88",
    "case bfe3bce5c428f68d 69e58556b98789bf",
    "recipients 94fc86153d0dfa55 7334cc5015c6a82b",
    "granted 7e419fed9df4ca1b 7e419fed9df4ca1b",
    "suspended 57d45a6404372c5d 57d45a6404372c5d",
    "resumed c7d127fae1e491a8 c7d127fae1e491a8",
    "revoked 9ce157dca9188d61 9ce157dca9188d61",
    "reshared 62013ebf702da268 c954c3f7e20bebad",
    "recall 398ad4ce6414f603 5dbefe1f8d4741ce",
    "accepted 1ae36dcd53d6dc6f 1ae36dcd53d6dc6f",
    "stored 66a4f4ac6e7872a1 66a4f4ac6e7872a1",
    "imported 00f424a13f5a2286 00f424a13f5a2286",
    "purged 4059034a2aa6b2aa 4059034a2aa6b2aa",
    "onward 470a8c69072b1ec8 470a8c69072b1ec8",
    "answered 93f98e1e74ab7909 93f98e1e74ab7909",
    "declined 906e733917ed2e0e 906e733917ed2e0e",
];

const STATEMENTS: [&str; 8] = [
    "reference 93711a52a5c72918",
    "copy 788d12271f729a5b",
    "live d29ddaa6b15c1d62",
    "synchronised d45c1ff3b65c1d96",
    "neither 9b938c326eb90c74",
    "revocation 587f7217d2e7a4fd",
    "named 0ace726d47be828b",
    "countersigned c94539e50b63e785",
];
