//! Lies in logs: what a partner may sign and deliver.

use interdocket_proto::v1;
use interdocket_sync::limits;
use interdocket_sync::log::Side;
use interdocket_sync::log::entry::{Body, CaseInfo, Offered};
use interdocket_sync::log::head::Head;
use interdocket_sync::refusal::Refusal;
use interdocket_sync::share::Kind;
use prost::Message as _;

use super::super::sign::Sign;
use super::stage::{About, Stage, headers, point, somebody};
use super::{Comes, Lie, Said};

const MALFORMED: Comes = Comes::Refused(Refusal::Malformed);
const NOT_SHARED: Comes = Comes::Refused(Refusal::NotShared);
const SIGNATURE: Comes = Comes::Refused(Refusal::Signature);
const STATE: Comes = Comes::Refused(Refusal::State);

pub(super) const fn lie(
    name: &'static str,
    row: &'static str,
    about: About,
    comes: Comes,
    says: fn(&Stage<'_>) -> Option<Said>,
) -> Lie {
    Lie {
        name,
        row,
        about,
        says,
        comes,
    }
}

pub(super) const LIES: &[Lie] = &[
    // Who speaks.
    lie(
        "goes on with a share that was never offered",
        "A6",
        About::Copy,
        NOT_SHARED,
        |s| {
            let mut batch = s.begins(&s.terms(|_| {}), vec![offered(s, None)]);
            batch.terms = None;
            s.deliver(batch)
        },
    ),
    lie(
        "writes the log of somebody else's share",
        "A6",
        About::OthersGiven,
        NOT_SHARED,
        |s| {
            let entries = s.from(s.place(), vec![Body::Resumed(somebody())]);
            let head = s.head(point(&entries[0]));
            s.deliver(s.headed(entries, head))
        },
    ),
    lie(
        "shows what somebody else wrote",
        "B12",
        About::OthersGiven,
        NOT_SHARED,
        |s| {
            let owner = s.world.site(s.header.owner).up()?;
            s.deliver(s.written(&owner, 1)?)
        },
    ),
    lie(
        "puts itself into somebody else's share",
        "A6",
        About::OthersCopy,
        NOT_SHARED,
        |s| {
            let entries = s.from(s.place(), vec![Body::Resumed(somebody())]);
            let head = Head {
                owner: s.me.id,
                partner: s.victim.id,
                side: Side::Owner,
                ..s.head(point(&entries[0]))
            };
            s.deliver(s.headed(entries, head))
        },
    ),
    lie(
        "writes the log of its partner",
        "A13",
        About::TheirCopy,
        NOT_SHARED,
        |s| {
            let mut place = s.place();
            place.side = Side::Owner;
            place.after = s.header.owner_log.point;
            place.other = s.header.partner_log.point;
            let entries = s.from(place, vec![Body::Resumed(somebody())]);
            let head = Head {
                side: Side::Owner,
                ..s.head(point(&entries[0]))
            };
            s.deliver(s.headed(entries, head))
        },
    ),
    lie(
        "shows a head that nobody signed",
        "A13",
        About::Copy,
        SIGNATURE,
        |s| {
            let mut batch = s.last()?.1;
            batch.head.as_mut()?.signature = vec![0; 64].into();
            s.deliver(batch)
        },
    ),
    lie(
        "shows a head with somebody else's certificate",
        "B12",
        About::Copy,
        SIGNATURE,
        |s| {
            let mut batch = s.last()?.1;
            let der = vec![s.third().as_bytes().to_vec().into()];
            batch.head.as_mut()?.certificates = Some(v1::CertificateChain { der });
            s.deliver(batch)
        },
    ),
    lie(
        "signs for somebody else by itself",
        "B12",
        About::Copy,
        SIGNATURE,
        |s| {
            let mut batch = s.last()?.1;
            let head = s.last()?.0.head.head;
            let signed = head.sign(&Sign::of(s.third()));
            batch.head = v1::SignedHead::decode(signed.bytes.as_slice()).ok();
            s.deliver(batch)
        },
    ),
    lie(
        "shows terms that nobody signed",
        "A13",
        About::Copy,
        SIGNATURE,
        |s| {
            let mut batch = s.begins(&s.terms(|_| {}), vec![offered(s, None)]);
            batch.terms.as_mut()?.signature = vec![0; 64].into();
            s.deliver(batch)
        },
    ),
    lie(
        "offers what belongs to somebody else",
        "A8",
        About::OthersGiven,
        NOT_SHARED,
        |s| {
            let owner = s.world.site(s.header.owner).up()?;
            let theirs = s.written(&owner, 1)?;
            let entries = s.from(
                interdocket_sync::log::entry::Place {
                    after: Default::default(),
                    other: Default::default(),
                    side: Side::Owner,
                    ..s.place()
                },
                vec![offered(s, None)],
            );
            let head = Head {
                owner: s.me.id,
                side: Side::Owner,
                ..s.head(point(&entries[0]))
            };
            let mut batch = s.headed(entries, head);
            batch.terms = theirs.terms;
            s.deliver(batch)
        },
    ),
    lie(
        "delivers what it offers to somebody else",
        "A8",
        About::Copy,
        NOT_SHARED,
        |s| {
            let terms = s.terms(|terms| terms.partner = s.third());
            s.deliver(s.begins(&terms, vec![offered(s, Some(&terms))]))
        },
    ),
    // Beginnings.
    lie(
        "offers in a format that nobody knows",
        "B9",
        About::Copy,
        Comes::Refused(Refusal::Format),
        |s| {
            let terms = s.terms(|terms| terms.format = 77);
            s.deliver(s.begins(&terms, vec![offered(s, Some(&terms))]))
        },
    ),
    lie(
        "offers under other terms than it shows",
        "A10",
        About::Copy,
        MALFORMED,
        |s| {
            let other = s.terms(|terms| terms.kind = Kind::Reference(s.now()));
            s.deliver(s.begins(&s.terms(|_| {}), vec![offered(s, Some(&other))]))
        },
    ),
    lie(
        "changes the kind of a share",
        "A10",
        About::Reference,
        MALFORMED,
        |s| {
            let mut batch = s.written(s.me, 1)?;
            let terms = s.terms(|terms| {
                terms.share = s.header.share;
                terms.kind = Kind::Copy;
            });
            batch.terms = v1::SignedTerms::decode(terms.bytes.as_slice()).ok();
            s.deliver(batch)
        },
    ),
    lie("begins with evidence", "A6", About::Copy, STATE, |s| {
        let body = Body::EvidenceAdded(vec![s.item()]);
        s.deliver(s.begins(&s.terms(|_| {}), vec![body]))
    }),
    lie(
        "begins in the middle",
        "A12",
        About::Copy,
        Comes::Refused(Refusal::Gap { expected: 1 }),
        |s| {
            let terms = s.terms(|_| {});
            let mut batch = s.begins(
                &terms,
                vec![offered(s, Some(&terms)), Body::Resumed(somebody())],
            );
            batch.entries.remove(0);
            s.deliver(batch)
        },
    ),
    // Numbers and times.
    lie(
        "numbers an entry as the last that there is",
        "A12",
        About::Copy,
        AHEAD,
        |s| changed(s, |header| header.number = u64::MAX),
    ),
    lie(
        "numbers an entry far ahead",
        "A12",
        About::Copy,
        AHEAD,
        |s| changed(s, |header| header.number += 1 << 40),
    ),
    lie("leaves an entry out", "C9", About::Copy, AHEAD, |s| {
        changed(s, |header| header.number += 1)
    }),
    lie(
        "numbers an entry with nothing",
        "A12",
        About::Copy,
        MALFORMED,
        |s| changed(s, |header| header.number = 0),
    ),
    lie(
        "writes before there was time",
        "A12",
        About::Copy,
        MALFORMED,
        |s| changed(s, |header| header.at = -1),
    ),
    lie(
        "writes in the far future",
        "A12",
        About::Copy,
        MALFORMED,
        |s| changed(s, |header| header.at = i64::MAX),
    ),
    lie(
        "speaks of a life that there is not",
        "E7",
        About::Copy,
        MALFORMED,
        |s| {
            let entries = s.next(vec![resumed()]);
            let head = Head {
                incarnation: 0,
                ..s.head(point(&entries[0]))
            };
            s.deliver(s.headed(entries, head))
        },
    ),
    // Batches.
    lie(
        "delivers entries in another order",
        "C3",
        About::Copy,
        MALFORMED,
        |s| {
            let mut entries = s.next(vec![added(s), added(s)]);
            let head = s.head(point(&entries[1]));
            entries.swap(0, 1);
            s.deliver(s.headed(entries, head))
        },
    ),
    lie(
        "delivers an entry twice in one batch",
        "C9",
        About::Copy,
        MALFORMED,
        |s| {
            let entries = s.next(vec![added(s)]);
            s.deliver(s.under(vec![entries[0].clone(), entries[0].clone()]))
        },
    ),
    lie(
        "signs more than it delivers",
        "A12",
        About::Copy,
        MALFORMED,
        |s| {
            let mut entries = s.next(vec![added(s), added(s)]);
            let head = s.head(point(&entries[1]));
            entries.truncate(1);
            s.deliver(s.headed(entries, head))
        },
    ),
    lie("delivers nothing", "C3", About::Copy, MALFORMED, |s| {
        s.deliver(s.under(Vec::new()))
    }),
    lie(
        "delivers more entries than a head may cover",
        "C5",
        About::Copy,
        MALFORMED,
        |s| s.says((0..=limits::BATCH_ENTRIES_MAX).map(|_| added(s)).collect()),
    ),
    lie(
        "delivers what it delivered before",
        "C9",
        About::Copy,
        Comes::Known,
        |s| s.deliver(s.last()?.1),
    ),
    // What it says to have seen.
    lie(
        "has seen what its partner never wrote",
        "A9",
        About::Copy,
        MALFORMED,
        |s| changed(s, |header| header.other_count += 5),
    ),
    lie(
        "has seen another log of its partner",
        "A9",
        About::Copy,
        MALFORMED,
        |s| changed(s, |header| header.other_hash = vec![7; 32].into()),
    ),
    lie(
        "has seen less than it had",
        "A5",
        About::Copy,
        MALFORMED,
        |s| {
            changed(s, |header| {
                header.other_count = 0;
                header.other_hash = vec![0; 32].into();
            })
        },
    ),
    // Two histories.
    lie(
        "writes an entry twice",
        "A9",
        About::Copy,
        Comes::Frozen,
        |s| {
            let mut entry = s.last()?.1.entries.pop()?;
            headers(&mut entry, |header| header.at += 1);
            s.deliver(s.under(vec![entry]))
        },
    ),
    lie(
        "goes on from another past",
        "A9",
        About::Advanced,
        Comes::Frozen,
        |s| changed(s, |header| header.previous = vec![7; 32].into()),
    ),
    // Bodies.
    lie(
        "changes a body after it was committed to",
        "C1",
        About::Copy,
        MALFORMED,
        |s| {
            let mut entries = s.next(vec![added(s)]);
            entries[0].body = s.next(vec![added(s)]).remove(0).body;
            s.deliver(s.under(entries))
        },
    ),
    lie(
        "withholds what changes the state of a share",
        "A10",
        About::Copy,
        MALFORMED,
        |s| {
            let mut entries = s.next(vec![Body::Suspended(somebody())]);
            entries[0].body.clear();
            entries[0].salt.clear();
            s.deliver(s.under(entries))
        },
    ),
    lie(
        "says something that nobody knows",
        "B9",
        About::Reference,
        Comes::Paused,
        |s| changed(s, |header| header.r#type = 99),
    ),
    lie(
        "says what only its partner can say",
        "A13",
        About::Copy,
        MALFORMED,
        |s| s.says(vec![Body::Accepted(None)]),
    ),
    lie("offers a second time", "A5", About::Copy, STATE, |s| {
        s.says(vec![offered(s, None)])
    }),
    lie(
        "lists what is listed already",
        "C9",
        About::Copy,
        MALFORMED,
        |s| s.says(vec![Body::EvidenceAdded(vec![s.listed()?])]),
    ),
    lie("lists an item twice", "C9", About::Copy, MALFORMED, |s| {
        let item = s.item();
        s.says(vec![Body::EvidenceAdded(vec![item.clone(), item])])
    }),
    lie("lists nothing", "C3", About::Copy, MALFORMED, |s| {
        s.says(vec![Body::EvidenceAdded(Vec::new())])
    }),
    lie(
        "lists one file with two sizes",
        "C2",
        About::Copy,
        MALFORMED,
        |s| {
            let (mut item, listed) = (s.item(), s.listed()?);
            item.files[0].blake3 = listed.files[0].blake3;
            item.files[0].size = listed.files[0].size + 1;
            s.says(vec![Body::EvidenceAdded(vec![item])])
        },
    ),
    lie(
        "lists a file larger than any",
        "C2",
        About::Copy,
        MALFORMED,
        |s| {
            let mut item = s.item();
            item.files[0].size = u64::MAX;
            s.says(vec![Body::EvidenceAdded(vec![item])])
        },
    ),
    lie(
        "lists an item without a file",
        "C2",
        About::Copy,
        MALFORMED,
        |s| {
            let mut item = s.item();
            item.files.clear();
            s.says(vec![Body::EvidenceAdded(vec![item])])
        },
    ),
    lie(
        "lists more items than an entry may",
        "C5",
        About::Copy,
        MALFORMED,
        |s| {
            let items = (0..=limits::ENTRY_ITEMS_MAX).map(|_| s.item());
            s.says(vec![Body::EvidenceAdded(items.collect())])
        },
    ),
    lie(
        "gives a title as long as a book",
        "C5",
        About::Copy,
        MALFORMED,
        |s| {
            let mut item = s.item();
            item.title = "t".repeat(limits::TITLE_MAX + 1);
            s.says(vec![Body::EvidenceAdded(vec![item])])
        },
    ),
    lie(
        "fills an entry beyond its bounds",
        "C5",
        About::Copy,
        MALFORMED,
        |s| {
            let name = "n".repeat(limits::ENTRY_BODY_MAX);
            s.says(vec![Body::RecipientsChanged(somebody(), vec![name])])
        },
    ),
    lie(
        "names more recipients than there may be",
        "C5",
        About::Copy,
        MALFORMED,
        |s| {
            let names = (0..=limits::RECIPIENTS_MAX).map(|number| number.to_string());
            s.says(vec![Body::RecipientsChanged(somebody(), names.collect())])
        },
    ),
    lie("leaves an update out", "A12", About::Copy, STATE, |s| {
        s.says(vec![added(s), Body::Listed(somebody(), 9)])
    }),
];

/// An entry far ahead of what is held.
const AHEAD: Comes = Comes::Refused(Refusal::Gap { expected: 0 });

pub(super) fn resumed() -> Body {
    Body::Resumed(somebody())
}

pub(super) fn added(stage: &Stage<'_>) -> Body {
    Body::EvidenceAdded(vec![stage.item()])
}

/// An offer under these terms, or under those of the share.
fn offered(stage: &Stage<'_>, terms: Option<&interdocket_sync::share::terms::SignedTerms>) -> Body {
    let digest = terms.map_or(stage.header.terms, |terms| terms.digest());
    let offered = Offered {
        actor: somebody(),
        case: interdocket_sync::id::CaseId::new(stage.item().evidence.uuid()),
        info: CaseInfo::default(),
        recipients: vec!["kim".into()],
        message: String::new(),
    };
    Body::Offered(digest, offered)
}

/// Evidence that is added by an entry whose header says something else.
fn changed(stage: &Stage<'_>, change: impl FnOnce(&mut v1::EntryHeader)) -> Option<Said> {
    let mut entries = stage.next(vec![added(stage)]);
    headers(&mut entries[0], change);
    stage.deliver(stage.under(entries))
}
