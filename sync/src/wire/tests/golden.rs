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
    "offered 8f206f2bd098b551 15d6d27c877108c5",
    "added ce6579a13baccd52 2a0e958b355e1f51",
    "listed c96280f309946b35 9ce224a898d7098a",
    "ended 981f54150a3290c1 5c5d3a11e0b9cfdd",
    "cancelled 95d2164eaf68b1ad 2bc1013136e72c74",
    "changed be625075957c5380 688d17b4642dc0e2",
    "withdrawn 7e2e056178413abd a5b952cd70ed39c4",
    "case c9b3b71df3147e43 d47ed8dc777e4130",
    "recipients 4d467bd35366614f fc247c3e4c8d65f7",
    "granted eea28d76cb643a87 5e44854762d424fc",
    "suspended ab9e3779edcd93e3 d92e21ebb2c9eb3e",
    "resumed e9beaad8e209ba01 3ab8d047d2bd279f",
    "revoked 29f1a15cbc3f378f 68ef3df6acc8480a",
    "reshared e50128ca4539e4ea 316b83ed8f5ad40b",
    "recall c57025efd8be33a8 3daba0f5cc7e77b5",
    "accepted 4fcccb44b173c2a1 37518f2d24fd3899",
    "stored f0f0ad62b8641d21 8d434fad908f21d6",
    "imported 5e87d852a76bbe1e a165cec67504f8a9",
    "purged a204044273e7c169 0082b1009ba6ee20",
    "onward a0b362ecac3e9269 eff15b53d54a4bf0",
    "answered 96940e02d7af1e63 1e5660cd886c3273",
    "declined c953ef432dccb02c b20b68d4dfad5678",
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
