//! Claims about bytes: what is written is read back, nothing that arrives stops the node, and the
//! largest that may be written fits.

mod bounds;
mod golden;
mod redacted;

use std::collections::BTreeMap;

use interdocket_proto::v1;
use proptest::prelude::*;
use prost::Message as _;
use uuid::Uuid;

use super::batch::{self, Batch};
use crate::blob;
use crate::blob::{Digest, Sha256};
use crate::copy::{Field, Form, Rule};
use crate::evidence::{File, FileKind, Item};
use crate::id::{ActorId, CaseId, EvidenceId, ShareId, TargetId};
use crate::identity::OrganisationId;
use crate::limits;
use crate::log::entry::{
    Actor, Body, CaseInfo, DeclineReason, Entry, ItemChange, Offered, Place, Purged, RecallAnswer,
    Reshared, StoredItem, Target,
};
use crate::log::head::{Head, SignedHead};
use crate::log::{Point, Side};
use crate::metadata::{Metadata, Tag, Value as Said};
use crate::receipt::{Countersignature, Receipt};
use crate::share::decide::Command;
use crate::share::revocation::{Revocation, SignedRevocation};
use crate::share::terms::{SignedTerms, Terms};
use crate::share::{Kind, Mode, Policy, Totals};
use crate::testing::{Pair, actor, at, evidence, item, north, offered, share, south, terms};

fn uuid() -> impl Strategy<Value = Uuid> {
    any::<u128>().prop_map(Uuid::from_u128)
}

fn text(most: usize) -> impl Strategy<Value = String> {
    // A character has at most four bytes.
    prop::collection::vec(any::<char>(), 0..=most / 4).prop_map(String::from_iter)
}

fn actors() -> impl Strategy<Value = Actor> {
    let texts = (text(limits::ACTOR_NAME_MAX), text(limits::BADGE_MAX));
    (uuid(), texts).prop_map(|(id, (name, badge))| Actor {
        id: ActorId::new(id),
        name,
        badge,
    })
}

fn files() -> impl Strategy<Value = File> {
    (text(64), 0..=blob::MAX_SIZE, any::<[u8; 32]>()).prop_map(|(name, size, digest)| File {
        name: format!("f{name}"),
        size,
        blake3: Digest(digest),
        sha256: Sha256(digest),
        kind: KINDS[usize::from(digest[0]) % KINDS.len()],
        format: "video/mp4".into(),
    })
}

const KINDS: [FileKind; 6] = [
    FileKind::Original,
    FileKind::GpsTrack,
    FileKind::Transcript,
    FileKind::AuditTrail,
    FileKind::Notes,
    FileKind::Markers,
];

fn values() -> impl Strategy<Value = Said> {
    (text(64), prop::option::of(any::<[u8; 32]>())).prop_map(|(text, id)| Said {
        text: format!("v{}", text.replace(char::is_control, "")),
        organisation: id.map(OrganisationId::from_bytes),
    })
}

/// As it can be: what a field may not have is not written.
fn metadata() -> impl Strategy<Value = Metadata> {
    let texts = prop::collection::btree_set(text(64), 0..4);
    (values(), values(), texts).prop_map(|(model, serial, texts)| {
        let model = Said::from(model.text.as_str());
        let organisation = serial
            .organisation
            .or(Some(OrganisationId::from_bytes([1; 32])));
        let serial = Said {
            organisation,
            ..serial
        };
        let tag = |text: String| Tag {
            text: format!("t{text}"),
            from: Field::Categories,
        };
        Metadata {
            fields: [(Field::DeviceModel, model), (Field::DeviceSerial, serial)].into(),
            tags: texts.into_iter().map(tag).collect(),
        }
    })
}

fn items() -> impl Strategy<Value = Item> {
    let texts = (text(64), text(64));
    let files = prop::collection::vec(files(), 1..4);
    let about = (values(), metadata());
    (uuid(), texts, 0..4_000_000_000_i64, about, files).prop_map(
        |(id, texts, seconds, (added_by, metadata), files)| Item {
            evidence: EvidenceId::new(id),
            title: texts.0,
            folder: texts.1,
            added_at: at(seconds),
            added_by,
            metadata,
            files,
        },
    )
}

fn infos() -> impl Strategy<Value = CaseInfo> {
    let texts = (text(64), text(64), text(64));
    let targets = prop::collection::btree_map(uuid(), (text(64), text(64)), 0..4);
    (texts, targets, metadata()).prop_map(|((number, title, description), targets, said)| {
        CaseInfo {
            tags: said.tags,
            number,
            title,
            description,
            targets: targets
                .into_iter()
                .map(|(id, (name, description))| Target {
                    id: TargetId::new(id),
                    name,
                    description,
                })
                .collect(),
        }
    })
}

fn names() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(text(limits::RECIPIENT_MAX), 0..4)
}

fn changes() -> impl Strategy<Value = ItemChange> {
    (uuid(), text(64), text(64), metadata()).prop_map(|(id, title, folder, metadata)| ItemChange {
        evidence: EvidenceId::new(id),
        title,
        folder,
        metadata,
    })
}

fn totals() -> impl Strategy<Value = Totals> {
    any::<[u64; 3]>().prop_map(|[evidence, files, bytes]| Totals {
        evidence,
        files,
        bytes,
    })
}

fn offers() -> impl Strategy<Value = Offered> {
    let texts = (infos(), text(64));
    (actors(), uuid(), texts, names()).prop_map(|(actor, case, texts, recipients)| Offered {
        actor,
        case: CaseId::new(case),
        info: texts.0,
        recipients,
        message: texts.1,
    })
}

fn some_names() -> impl Strategy<Value = Vec<String>> {
    names().prop_filter("a reshare names somebody", |names| !names.is_empty())
}

fn reasons() -> impl Strategy<Value = DeclineReason> {
    use DeclineReason::{Misdirected, NotAllowed, Unclear, Unneeded};
    prop::sample::select(vec![Misdirected, Unneeded, NotAllowed, Unclear])
}

fn bodies() -> impl Strategy<Value = (Side, Body)> {
    let digests = prop::collection::vec(any::<[u8; 32]>().prop_map(Digest), 0..5);
    let stored = (uuid(), digests).prop_map(|(id, files)| StoredItem {
        evidence: EvidenceId::new(id),
        files,
    });
    let stored = prop::collection::vec(stored, 0..4).boxed();
    let withdrawn = prop::collection::vec(uuid().prop_map(EvidenceId::new), 0..4);
    let owner = prop_oneof![
        (any::<[u8; 32]>(), offers()).prop_map(|(terms, offer)| Body::Offered(terms, offer)),
        prop::collection::vec(items(), 0..4).prop_map(Body::EvidenceAdded),
        (actors(), any::<u32>()).prop_map(|(actor, update)| Body::Listed(actor, update)),
        actors().prop_map(Body::Ended),
        actors().prop_map(Body::Cancelled),
        prop::collection::vec(changes(), 0..4).prop_map(Body::EvidenceChanged),
        withdrawn.prop_map(Body::EvidenceWithdrawn),
        (actors(), infos()).prop_map(|(actor, info)| Body::CaseChanged(actor, info)),
        (actors(), names()).prop_map(|(actor, names)| Body::RecipientsChanged(actor, names)),
        actors().prop_map(Body::ImportGranted),
        actors().prop_map(Body::Suspended),
        actors().prop_map(Body::Resumed),
        actors().prop_map(Body::Revoked),
        (actors(), some_names(), text(64)).prop_map(|(actor, recipients, message)| {
            Body::Reshared(
                actor,
                Reshared {
                    recipients,
                    message,
                },
            )
        }),
        (actors(), text(64)).prop_map(|(actor, reason)| Body::RecallAsked(actor, reason)),
    ];
    let partner = prop_oneof![
        prop::option::of(actors()).prop_map(Body::Accepted),
        stored.clone().prop_map(Body::Stored),
        stored.prop_map(Body::Imported),
        (totals(), totals()).prop_map(|(erased, kept)| Body::Purged(Purged { erased, kept })),
        (actors(), any::<bool>(), text(64)).prop_map(|(actor, granted, reason)| {
            Body::RecallAnswered(actor, RecallAnswer { granted, reason })
        }),
        (actors(), reasons()).prop_map(|(actor, reason)| Body::Declined(actor, reason)),
    ];
    prop_oneof![
        owner.prop_map(|body| (Side::Owner, body)),
        partner.prop_map(|body| (Side::Partner, body)),
    ]
}

fn points() -> impl Strategy<Value = Point> {
    let hash = any::<[u8; 32]>().prop_filter("zeroes are for the first", |hash| *hash != [0; 32]);
    (1..u64::MAX, hash).prop_map(|(count, hash)| Point { count, hash })
}

fn heads() -> impl Strategy<Value = Head> {
    let parties = any::<[[u8; 32]; 2]>();
    let side = prop_oneof![Just(Side::Owner), Just(Side::Partner)];
    let numbers = (any::<u64>(), 0..4_000_000_000_i64);
    (uuid(), parties, side, numbers, points(), points()).prop_map(
        |(share, parties, side, (incarnation, seconds), point, journal)| Head {
            share: ShareId::new(share),
            owner: OrganisationId::from_bytes(parties[0]),
            partner: OrganisationId::from_bytes(parties[1]),
            side,
            incarnation,
            point,
            journal,
            at: at(seconds),
        },
    )
}

/// Every kind of a share that was made at this second.
fn kinds(seconds: i64) -> impl Strategy<Value = Kind> {
    let mode = prop_oneof![Just(Mode::Live), Just(Mode::Synchronised)];
    prop_oneof![
        (1..4_000_000_000_i64).prop_map(move |later| Kind::Reference(at(seconds + later))),
        Just(Kind::Copy),
        (mode, any::<[bool; 3]>()).prop_map(|(mode, [download, import, onward])| {
            Kind::Advanced(Policy {
                mode,
                download,
                import,
                onward,
            })
        }),
    ]
}

proptest! {
    #[test]
    fn every_entry_survives_the_wire(
        (side, body) in bodies(),
        places in (uuid(), points(), points(), 0..4_000_000_000_i64),
        salt in any::<[u8; 16]>(),
    ) {
        let place = Place {
            share: ShareId::new(places.0),
            side,
            after: places.1,
            other: places.2,
            at: at(places.3),
        };
        let entry = Entry::new(&place, body, salt);
        prop_assert_eq!(Entry::read(&entry.bytes), Ok(entry));
    }

    #[test]
    fn every_statement_survives_the_wire(
        head in heads(),
        (seconds, kind) in (0..4_000_000_000_i64)
            .prop_flat_map(|seconds| (Just(seconds), kinds(seconds))),
    ) {
        let Head { share, owner, partner, .. } = head;
        let terms = Terms { share, owner, partner, kind, format: 7, created: at(seconds) };
        let terms = terms.sign(&north());
        prop_assume!(owner != partner);
        prop_assert_eq!(SignedTerms::read(&terms.bytes), Ok(terms));
        let head = head.sign(&north());
        prop_assert_eq!(SignedHead::read(&head.bytes), Ok(head.clone()));
        let countersignature = Countersignature::new(&head, at(seconds), &south());
        let receipt = Receipt { head, countersignature };
        prop_assert_eq!(Receipt::read(&receipt.bytes()), Ok(receipt));
        let revocation = Revocation { share, owner, partner, at: at(seconds) }.sign(&north());
        prop_assert_eq!(SignedRevocation::read(&revocation.bytes), Ok(revocation.clone()));
        let countersigned = Countersignature::revocation(&revocation, at(seconds), &south());
        prop_assert_eq!(Countersignature::read(&countersigned.bytes), Ok(countersigned));
    }

    #[test]
    fn arbitrary_bytes_stop_no_decoder(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        read_all(&bytes);
    }

    /// Arbitrary bytes rarely get past the first field: these do.
    #[test]
    fn damaged_messages_stop_no_decoder(
        (side, body) in bodies(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let after = Point { count: 1, hash: [1; 32] };
        let place = Place { share: share(), side, after, other: after, at: at(0) };
        let entry = Entry::new(&place, body, [1; 16]);
        let message = v1::Entry::decode(entry.bytes.as_slice()).unwrap();
        let mut bytes = message.body.to_vec();
        for (index, byte) in damage {
            if !bytes.is_empty() {
                let at = index.index(bytes.len());
                bytes[at] = byte;
            }
        }
        // Committed to as it is, so that the body itself is read.
        let mut header = v1::EntryHeader::decode(message.header.clone()).unwrap();
        let mut damaged = v1::Entry { body: bytes.into(), ..message };
        header.commitment = super::entry::commit(&damaged).unwrap().to_vec().into();
        damaged.header = header.encode_to_vec().into();
        read_all(&damaged.encode_to_vec());
    }
}

fn read_all(bytes: &[u8]) {
    let _ = Entry::read(bytes);
    let _ = Entry::kept(bytes);
    let _ = SignedRevocation::read(bytes);
    let _ = SignedHead::read(bytes);
    let _ = SignedTerms::read(bytes);
    let _ = Countersignature::read(bytes);
    let _ = Receipt::read(bytes);
    let _ = v1::Batch::decode(bytes).map(batch::read);
    let _ = v1::Refusal::decode(bytes).map(super::refusal::read);
}

/// Items as large as items can be.
fn largest(number: u16) -> Item {
    let file = |place: usize| File {
        name: format!("{place:0>width$}", width = limits::NAME_MAX),
        size: blob::MAX_SIZE,
        blake3: Digest([200 + u8::try_from(place % 50).unwrap(); 32]),
        sha256: Sha256([255; 32]),
        kind: FileKind::AuditTrail,
        format: "x".repeat(limits::FORMAT_MAX),
    };
    let organisation = Some(OrganisationId::from_bytes([255; 32]));
    let value = |text: &str| Said {
        text: text.to_owned(),
        organisation,
    };
    // Those of one line: together as many bytes as fields have.
    let lines = Field::ALL.iter().filter(|field| field.disclosed());
    let lines = lines.filter(|field| matches!(field.form(), Form::Line(_)));
    let mut fields: BTreeMap<Field, Said> = lines
        .map(|field| match field.rule() {
            Rule::Reference => (*field, value(&"x".repeat(field.most()))),
            _ => (*field, Said::from("x".repeat(field.most()).as_str())),
        })
        .collect();
    let left =
        limits::FIELDS_BYTES_MAX - fields.values().map(|value| value.text.len()).sum::<usize>();
    let text = "x".repeat(left.min(limits::DESCRIPTION_MAX));
    fields.insert(Field::Description, Said::from(text.as_str()));
    let length = limits::EVIDENCE_TAGS_BYTES_MAX / limits::EVIDENCE_TAGS_MAX;
    let tag = |place: usize| Tag {
        text: format!("{place:0>length$}"),
        from: Field::Categories,
    };
    Item {
        evidence: evidence(number.into()),
        title: "x".repeat(limits::TITLE_MAX),
        folder: "x".repeat(limits::FOLDER_MAX),
        added_at: at(200_000_000_000),
        added_by: value(&"x".repeat(limits::ADDED_BY_MAX)),
        metadata: Metadata {
            fields,
            tags: (0..limits::EVIDENCE_TAGS_MAX).map(tag).collect(),
        },
        files: (0..limits::ITEM_FILES_MAX).map(file).collect(),
    }
}

/// Items as small as items can be.
fn smallest(number: u16) -> Item {
    let mut small = item(0);
    small.evidence = evidence(number.into());
    small.title.clear();
    small.folder.clear();
    small.added_by = Said::default();
    small.metadata = Metadata::default();
    small
}

fn fits(bytes: &[u8]) {
    let entry = v1::Entry::decode(bytes).unwrap();
    assert!(entry.header.len() <= limits::ENTRY_HEADER_MAX / 2);
    let texts = entry.texts.iter().map(|text| text.text.len());
    assert!(entry.body.len() + texts.sum::<usize>() <= limits::ENTRY_BODY_MAX);
    assert!(Entry::read(bytes).is_ok());
}

#[test]
fn the_largest_entries_that_are_written_fit_their_bounds() {
    let mut longest = offered();
    longest.actor.name = "x".repeat(limits::ACTOR_NAME_MAX);
    longest.info.number = "x".repeat(limits::NUMBER_MAX);
    longest.info.title = "x".repeat(limits::TITLE_MAX);
    longest.info.description = "x".repeat(limits::DESCRIPTION_MAX);
    longest.recipients = vec!["x".repeat(limits::RECIPIENT_MAX); limits::RECIPIENTS_MAX];
    longest.message = "x".repeat(limits::MESSAGE_TEXT_MAX);
    let mut pair = Pair::new();
    pair.owner.run(Command::Offer(longest)).unwrap();
    pair.exchange();
    pair.partner.run(Command::Accept(None)).unwrap();
    let large: Vec<Item> = (0..40).map(largest).collect();
    let small: Vec<Item> = (100..1000).map(smallest).collect();
    let all = || large.iter().chain(&small).chain(&large);
    let stored = |item: &Item| StoredItem {
        evidence: item.evidence,
        files: item.files.iter().map(|file| file.blake3).collect(),
    };
    pair.owner.run(Command::Add(large.clone())).unwrap();
    pair.owner.run(Command::Add(small.clone())).unwrap();
    pair.exchange();
    let stated = all().map(stored).collect();
    pair.partner.run(Command::Store(stated)).unwrap();
    pair.exchange();
    assert_eq!(pair.owner.header.stored.evidence, 940);
    for node in [&pair.owner, &pair.partner] {
        node.entries.values().for_each(|entry| fits(&entry.bytes));
    }
}

#[test]
fn a_batch_of_the_largest_entries_fits_a_message() {
    let [north, south] = [north(), south()].map(|organisation| organisation.chained(3));
    let mut place = Place {
        share: share(),
        side: Side::Owner,
        after: Point::default(),
        other: Point {
            count: u64::MAX,
            hash: [1; 32],
        },
        at: at(200_000_000_000),
    };
    let entries = (0..limits::BATCH_ENTRIES_MAX).map(|_| {
        let entry = Entry::new(&place, Body::EvidenceAdded(Vec::new()), [1; 16]);
        place.after = entry.point();
        entry
    });
    let entries: Vec<Entry> = entries.collect();
    let head = Head {
        share: share(),
        owner: north.id,
        partner: south.id,
        side: Side::Owner,
        incarnation: u64::MAX,
        point: place.after,
        journal: Point {
            count: u64::MAX,
            hash: [1; 32],
        },
        at: place.at,
    };
    let whole = Batch {
        share: share(),
        terms: Some(terms().terms.sign(&north)),
        entries,
        head: head.sign(&north),
    };
    let mut message = batch::write(&whole).unwrap();
    assert_eq!(batch::read(message.clone()), Ok(whole));
    for entry in &mut message.entries {
        entry.body = vec![0; limits::ENTRY_BODY_MAX].into();
    }
    assert!(message.encoded_len() < limits::MESSAGE_MAX);
}

#[test]
fn an_actor_that_is_named_too_long_is_not_written() {
    let mut pair = Pair::listed(&[1]);
    let mut long = actor();
    long.name = "x".repeat(limits::ACTOR_NAME_MAX + 1);
    let refused = Err(crate::refusal::Refusal::Limit);
    assert_eq!(pair.owner.run(Command::Cancel(long.clone())), refused);
    assert_eq!(pair.owner.run(Command::End(long)), refused);
}
