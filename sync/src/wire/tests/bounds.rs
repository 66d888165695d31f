//! Claims about bounds of references, advanced shares and revocations: nothing larger is read, nothing
//! larger is written, and terms say exactly what their kind has.

use interdocket_proto::v1;
use prost::Message as _;

use super::{fits, largest, smallest};
use crate::copy::Field;
use crate::evidence::Item;
use crate::limits;
use crate::log::entry::{
    Actor, Body, CaseInfo, Entry, ItemChange, Place, Purged, RecallAnswer, Reshared, StoredItem,
    Target,
};
use crate::log::{Point, Side};
use crate::metadata::{Metadata, Tag};
use crate::share::decide::Command;
use crate::share::revocation::{self, SignedRevocation};
use crate::share::terms::{self, SignedTerms};
use crate::share::{Kind, Totals};
use crate::testing::{
    LIVE, Pair, SYNCHRONISED, actor, at, evidence, north, reference, share, stored, target,
    terms_of,
};
use crate::wire;

fn place(side: Side) -> Place {
    let after = Point {
        count: 1,
        hash: [1; 32],
    };
    Place {
        share: share(),
        side,
        after,
        other: after,
        at: at(0),
    }
}

/// Whether such an entry is read.
fn reads(side: Side, body: Body) -> bool {
    let entry = Entry::new(&place(side), body, [1; 16]);
    Entry::read(&entry.bytes).is_ok()
}

fn long(most: usize) -> String {
    "x".repeat(most + 1)
}

/// fault A12
#[test]
fn texts_over_a_bound_are_not_read() {
    let change = |title: String, folder: String| {
        let evidence = evidence(1);
        Body::EvidenceChanged(vec![ItemChange {
            evidence,
            title,
            folder,
            metadata: Metadata::default(),
        }])
    };
    let case = |bend: fn(&mut CaseInfo)| {
        let mut info = CaseInfo::default();
        bend(&mut info);
        Body::CaseChanged(actor(), info)
    };
    let named = |name: String| Actor { name, ..actor() };
    let recipients = |names| Body::RecipientsChanged(actor(), names);
    let reshared = |bend: fn(&mut Reshared)| {
        let mut said = crate::testing::reshared("Bea");
        bend(&mut said);
        Body::Reshared(actor(), said)
    };
    for body in [
        change(long(limits::TITLE_MAX), String::new()),
        change(String::new(), long(limits::FOLDER_MAX)),
        case(|info| info.number = long(limits::NUMBER_MAX)),
        case(|info| info.title = long(limits::TITLE_MAX)),
        case(|info| info.description = long(limits::DESCRIPTION_MAX)),
        case(|info| info.targets = (0..=limits::TARGETS_MAX as u128).map(target).collect()),
        case(|info| info.targets = vec![target(1), target(1)]),
        case(|info| {
            let name = long(limits::TARGET_NAME_MAX);
            info.targets = vec![Target { name, ..target(1) }];
        }),
        case(|info| {
            let description = long(limits::TARGET_DESCRIPTION_MAX);
            info.targets = vec![Target {
                description,
                ..target(1)
            }];
        }),
        recipients(vec![String::new(); limits::RECIPIENTS_MAX + 1]),
        recipients(vec![long(limits::RECIPIENT_MAX)]),
        Body::RecipientsChanged(named(long(limits::ACTOR_NAME_MAX)), Vec::new()),
        Body::CaseChanged(named(long(limits::ACTOR_NAME_MAX)), CaseInfo::default()),
        Body::ImportGranted(named(long(limits::ACTOR_NAME_MAX))),
        Body::Suspended(named(long(limits::ACTOR_NAME_MAX))),
        Body::Resumed(named(long(limits::ACTOR_NAME_MAX))),
        Body::Revoked(named(long(limits::ACTOR_NAME_MAX))),
        Body::RecallAsked(actor(), long(limits::MESSAGE_TEXT_MAX)),
        Body::RecallAsked(named(long(limits::ACTOR_NAME_MAX)), String::new()),
        reshared(|said| said.message = long(limits::MESSAGE_TEXT_MAX)),
        reshared(|said| said.recipients = vec![long(limits::RECIPIENT_MAX)]),
        reshared(|said| said.recipients = vec![String::new(); limits::RECIPIENTS_MAX + 1]),
        reshared(|said| said.recipients.clear()),
    ] {
        assert!(!reads(Side::Owner, body));
    }
    assert!(reads(Side::Owner, change(String::new(), String::new())));
    assert!(reads(Side::Owner, recipients(Vec::new())));
    assert!(reads(Side::Owner, reshared(|_| {})));
    let answer = |reason| {
        let granted = false;
        Body::RecallAnswered(actor(), RecallAnswer { granted, reason })
    };
    assert!(reads(Side::Partner, answer(String::new())));
    assert!(!reads(
        Side::Partner,
        answer(long(limits::MESSAGE_TEXT_MAX))
    ));
}

/// fault A12
#[test]
fn more_than_an_entry_holds_is_not_read() {
    let most = limits::ENTRY_ITEMS_MAX;
    let changes = |count: usize| {
        let change = ItemChange {
            evidence: evidence(1),
            title: String::new(),
            folder: String::new(),
            metadata: Metadata::default(),
        };
        Body::EvidenceChanged(vec![change; count])
    };
    let withdrawn = |count: usize| Body::EvidenceWithdrawn(vec![evidence(1); count]);
    let imported = |count: usize| Body::Imported(vec![stored(0); count]);
    assert!(reads(Side::Owner, changes(most)) && !reads(Side::Owner, changes(most + 1)));
    assert!(reads(Side::Owner, withdrawn(most)) && !reads(Side::Owner, withdrawn(most + 1)));
    assert!(reads(Side::Partner, imported(most)) && !reads(Side::Partner, imported(most + 1)));
    let mut wide = stored(0);
    wide.files = vec![wide.files[0]; limits::ITEM_FILES_MAX + 1];
    assert!(!reads(Side::Partner, Body::Imported(vec![wide])));
}

/// What stands in the other log is not read: nobody grants or revokes on somebody else's behalf.
#[test]
fn every_type_is_read_in_its_own_log_only() {
    let owner = [
        Body::EvidenceChanged(Vec::new()),
        Body::EvidenceWithdrawn(Vec::new()),
        Body::CaseChanged(actor(), CaseInfo::default()),
        Body::RecipientsChanged(actor(), Vec::new()),
        Body::ImportGranted(actor()),
        Body::Suspended(actor()),
        Body::Resumed(actor()),
        Body::Revoked(actor()),
    ];
    let partner = [Body::Imported(Vec::new()), Body::Purged(Purged::default())];
    for body in owner {
        assert!(reads(Side::Owner, body.clone()) && !reads(Side::Partner, body));
    }
    for body in partner {
        assert!(reads(Side::Partner, body.clone()) && !reads(Side::Owner, body));
    }
}

/// Bytes of a body that are committed to, but lack something or have ids of another length.
#[test]
fn bodies_that_lack_something_are_not_read() {
    let with = |side: Side, kind: v1::EntryType, body: Vec<u8>, texts: &[v1::Text]| {
        let entry = Entry::new(&place(side), Body::Unread, [1; 16]);
        let message = v1::Entry::decode(entry.bytes.as_slice()).unwrap();
        let mut header = v1::EntryHeader::decode(message.header.clone()).unwrap();
        header.r#type = kind as i32;
        let mut bent = v1::Entry {
            body: body.into(),
            texts: texts.to_vec(),
            ..message
        };
        header.commitment = wire::entry::commit(&bent).unwrap().to_vec().into();
        bent.header = header.encode_to_vec().into();
        Entry::read(&bent.encode_to_vec()).is_ok()
    };
    use v1::EntryType as Type;
    let reads = |side: Side, kind: Type, body: Vec<u8>| with(side, kind, body, &[]);
    // It says who did it, and lacks nothing but its texts.
    let who = v1::Suspended {
        actor: Some(wire::entry::write_actor(&actor())),
    };
    let who = who.encode_to_vec();
    assert!(reads(Side::Owner, Type::Suspended, who.clone()));
    let text = v1::Text {
        salt: vec![1; 16].into(),
        ..v1::Text::default()
    };
    for (kind, most) in [
        (Type::RecipientsChanged, 1),
        (Type::RecallAsked, 1),
        (Type::Suspended, 0),
    ] {
        for texts in 0..3 {
            let read = with(Side::Owner, kind, who.clone(), &vec![text.clone(); texts]);
            assert_eq!(read, texts == most, "{kind:?} {texts}");
        }
    }
    for kind in [
        Type::CaseChanged,
        Type::RecipientsChanged,
        Type::ImportGranted,
        Type::Suspended,
        Type::Resumed,
        Type::Revoked,
    ] {
        // Nobody is said to have done it.
        assert!(!reads(Side::Owner, kind, Vec::new()), "{kind:?}");
        assert!(!reads(Side::Owner, kind, vec![0xff; 4]), "{kind:?}");
    }
    let short = v1::EvidenceWithdrawn {
        evidence: vec![vec![1; 15].into()],
    };
    assert!(!reads(
        Side::Owner,
        Type::EvidenceWithdrawn,
        short.encode_to_vec()
    ));
    let totals = Some(v1::Totals::default());
    for (erased, kept) in [(totals, None), (None, totals), (None, None)] {
        let purged = v1::Purged { erased, kept };
        assert!(!reads(Side::Partner, Type::Purged, purged.encode_to_vec()));
    }
}

/// Terms of this kind, bent before they are signed.
fn bent(kind: Kind, bend: fn(&mut v1::Terms)) -> Result<SignedTerms, wire::Malformed> {
    let honest = terms_of(kind).bytes;
    let payload = wire::signed(&honest).unwrap().payload;
    let mut said = v1::Terms::decode(payload.as_slice()).unwrap();
    bend(&mut said);
    let bytes = wire::sign(terms::TAG, said.encode_to_vec(), &north());
    SignedTerms::read(&bytes)
}

#[test]
fn terms_say_exactly_what_their_kind_has() {
    let policy = |terms: &mut v1::Terms| {
        terms.policy = Some(v1::Policy {
            mode: 1,
            download: false,
            import: false,
            onward: false,
        });
    };
    for kind in [reference(), Kind::Copy, LIVE, SYNCHRONISED] {
        assert_eq!(bent(kind, |_| {}), Ok(terms_of(kind)));
        assert!(bent(kind, |terms| terms.kind = 0).is_err());
        assert!(bent(kind, |terms| terms.kind = 9).is_err());
        assert!(bent(kind, |terms| terms.partner = terms.owner.clone()).is_err());
    }
    assert!(bent(Kind::Copy, policy).is_err());
    assert!(bent(reference(), policy).is_err());
    assert!(bent(Kind::Copy, |terms| terms.expires = 1).is_err());
    for kind in [LIVE, SYNCHRONISED] {
        assert!(bent(kind, |terms| terms.expires = 1).is_err());
        assert!(bent(kind, |terms| terms.policy = None).is_err());
        let mode = |mode| -> fn(&mut v1::Terms) {
            match mode {
                0 => |terms| terms.policy.as_mut().unwrap().mode = 0,
                _ => |terms| terms.policy.as_mut().unwrap().mode = 3,
            }
        };
        assert!(bent(kind, mode(0)).is_err());
        assert!(bent(kind, mode(3)).is_err());
    }
    // It would be over before it began, or never.
    let times: [fn(&mut v1::Terms); 5] = [
        |terms| terms.expires = 0,
        |terms| terms.expires = -1,
        |terms| terms.expires = terms.created,
        |terms| terms.expires = terms.created - 1,
        |terms| terms.expires = i64::MAX,
    ];
    for bend in times {
        assert!(bent(reference(), bend).is_err());
    }
    assert!(bent(reference(), |terms| terms.expires = terms.created + 1).is_ok());
}

#[test]
fn a_revocation_without_an_id_or_at_no_time_is_not_read() {
    let honest = crate::testing::revocation().bytes;
    let payload = wire::signed(&honest).unwrap().payload;
    let read = |bend: fn(&mut v1::Revocation)| {
        let mut said = v1::Revocation::decode(payload.as_slice()).unwrap();
        bend(&mut said);
        let bytes = wire::sign(revocation::TAG, said.encode_to_vec(), &north());
        SignedRevocation::read(&bytes)
    };
    assert_eq!(read(|_| {}), Ok(crate::testing::revocation()));
    let bends: [fn(&mut v1::Revocation); 5] = [
        |said| said.share = vec![1; 15].into(),
        |said| said.owner = vec![1; 31].into(),
        |said| said.partner.clear(),
        |said| said.at = -1,
        |said| said.at = i64::MAX,
    ];
    for bend in bends {
        assert!(read(bend).is_err());
    }
    let mut large = honest;
    large.resize(limits::SIGNED_MAX + 1, 0);
    assert!(SignedRevocation::read(&large).is_err());
}

#[test]
fn the_largest_changes_withdrawals_and_imports_fit_their_bounds() {
    let mut pair = Pair::listed_as(SYNCHRONISED, &[]);
    let large: Vec<Item> = (0..40).map(largest).collect();
    let small: Vec<Item> = (100..1000).map(smallest).collect();
    let all = || large.iter().chain(&small);
    let change = |item: &Item| ItemChange {
        evidence: item.evidence,
        title: "x".repeat(limits::TITLE_MAX),
        folder: "x".repeat(limits::FOLDER_MAX),
        metadata: item.metadata.clone(),
    };
    let length = limits::CASE_TAGS_BYTES_MAX / limits::CASE_TAGS_MAX;
    let tag = |place: usize| Tag {
        text: format!("{place:0>length$}"),
        from: Field::Tags,
    };
    let stored = |item: &Item| StoredItem {
        evidence: item.evidence,
        files: item.files.iter().map(|file| file.blake3).collect(),
    };
    let named = || Actor {
        name: "x".repeat(limits::ACTOR_NAME_MAX),
        ..actor()
    };
    let info = CaseInfo {
        number: "x".repeat(limits::NUMBER_MAX),
        title: "x".repeat(limits::TITLE_MAX),
        description: "x".repeat(limits::DESCRIPTION_MAX),
        targets: (0..limits::TARGETS_MAX as u128).map(widest).collect(),
        tags: (0..limits::CASE_TAGS_MAX).map(tag).collect(),
    };
    let names = vec!["x".repeat(limits::RECIPIENT_MAX); limits::RECIPIENTS_MAX];
    for command in [
        Command::Add(all().cloned().collect()),
        Command::Change(all().map(change).collect()),
        Command::ChangeCase(named(), info),
        Command::ChangeRecipients(named(), names),
        Command::List(named()),
        Command::Grant(named()),
    ] {
        assert!(pair.owner.run(command).unwrap() > 0);
    }
    pair.exchange();
    let imported = all().map(stored).collect();
    pair.partner.run(Command::Import(imported)).unwrap();
    pair.exchange();
    assert_eq!(pair.owner.header.stored.evidence, 940);
    let ids = all().map(|item| item.evidence).collect();
    pair.owner.run(Command::Withdraw(ids)).unwrap();
    pair.owner.run(Command::Revoke(named())).unwrap();
    pair.exchange();
    assert_eq!(pair.owner.header.listed, Totals::default());
    assert_eq!(pair.owner.header.stored, Totals::default());
    for node in [&pair.owner, &pair.partner] {
        node.entries.values().for_each(|entry| fits(&entry.bytes));
    }
}

fn widest(number: u128) -> Target {
    Target {
        name: "x".repeat(limits::TARGET_NAME_MAX),
        description: "x".repeat(limits::TARGET_DESCRIPTION_MAX),
        ..target(number)
    }
}
