//! Download links: who makes one, what whoever holds it gets, and when that is over.

mod over;

use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::net::IpAddr;

use serde_json::Value;

use crate::access::{self, Permission};
use crate::actions::evidence::{Attachable, Evidence};
use crate::actions::link::{self, Create, LinkId, Made};
use crate::actions::partner::OrganisationRole::{self, Investigation, Justice};
use crate::actions::share::Attachment;
use crate::actions::{Caller, Error, ErrorKind, Run as _, case, evidence, feature};
use crate::event::{DownloadEnd, Event};
use crate::features::Feature;
use crate::links::{Arriving, Ask, Given, Part, Refusal, What};
use crate::tests::bench::{Bench, caller};
use crate::tests::metadata::attach;

pub(crate) const CASE: &str = "1/26";

pub(crate) fn create(days: u32) -> Create {
    Create {
        case: CASE.into(),
        days,
        downloads: None,
        evidence: Vec::new(),
        folders: Vec::new(),
        attachments: BTreeSet::new(),
    }
}

pub(crate) async fn make(at: &Bench, create: Create) -> Result<Made, Error> {
    create.run(&at.node, &at.node.owner()).await
}

/// A node with a case, an item of it, and a link to it.
async fn linked(bytes: &[u8]) -> (Bench, Evidence, Made) {
    let north = Bench::new("north");
    north.case(CASE).await;
    let item = north.evidence(CASE, "a.mp4", bytes).await;
    let made = make(&north, create(3)).await.unwrap();
    (north, item, made)
}

pub(crate) fn token(made: &Made) -> String {
    made.url.rsplit('/').next().unwrap().to_owned()
}

pub(crate) const FROM: &str = "192.0.2.7";

pub(crate) async fn ask(at: &Bench, token: &str, what: What) -> Result<Given, Refusal> {
    let ask = Ask {
        token: token.to_owned(),
        from: Some(FROM.parse().unwrap()),
        what,
    };
    at.node.open_link(ask).await
}

pub(crate) async fn next(bytes: &mut Arriving) -> Option<std::io::Result<bytes::Bytes>> {
    poll_fn(|context| bytes.poll_next(context)).await
}

/// All bytes that come, and whether they end well.
pub(crate) async fn bytes(given: Given) -> (Vec<u8>, bool) {
    let (mut bytes, mut all) = (given.bytes.unwrap(), Vec::new());
    while let Some(piece) = next(&mut bytes).await {
        match piece {
            Ok(piece) => all.extend(piece),
            Err(_) => return (all, false),
        }
    }
    (all, true)
}

pub(crate) async fn whole(at: &Bench, made: &Made) -> Vec<u8> {
    let given = ask(at, &token(made), What::Whole).await.unwrap();
    let length = given.length;
    let (bytes, well) = bytes(given).await;
    assert!(well && bytes.len() as u64 == length);
    bytes
}

/// Reads a ZIP by its central directory, as programs do.
pub(crate) fn unpack(zip: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let number = |at: usize, length: usize| {
        let bytes = zip[at..at + length].iter().rev();
        bytes.fold(0, |number, byte| number << 8 | usize::from(*byte))
    };
    let end = zip.len() - 22;
    assert_eq!(zip[end..end + 4], *b"PK\x05\x06");
    let (count, mut at) = (number(end + 10, 2), number(end + 16, 4));
    let mut files = BTreeMap::new();
    for _ in 0..count {
        assert_eq!(zip[at..at + 4], *b"PK\x01\x02");
        let (size, name, extra) = (number(at + 24, 4), number(at + 28, 2), number(at + 30, 2));
        let header = number(at + 42, 4);
        assert_eq!(zip[header..header + 4], *b"PK\x03\x04");
        let begin = header + 30 + number(header + 26, 2) + number(header + 28, 2);
        let bytes = zip[begin..begin + size].to_vec();
        assert_eq!(crc32fast::hash(&bytes) as usize, number(at + 16, 4));
        let name = String::from_utf8(zip[at + 46..at + 46 + name].to_vec()).unwrap();
        at += 46 + name.len() + extra;
        assert!(files.insert(name, bytes).is_none(), "a name comes twice");
    }
    files
}

fn manifest(files: &BTreeMap<String, Vec<u8>>) -> Value {
    serde_json::from_slice(&files["manifest.json"]).unwrap()
}

/// The ends of downloads that are on record, with their bytes.
pub(crate) fn ends(at: &Bench, id: LinkId) -> Vec<(DownloadEnd, Option<u64>)> {
    let ends = at.about(id.uuid()).into_iter();
    let end = |event| match event {
        Event::DownloadEnded(ended) => Some((ended.reason, ended.bytes)),
        _ => None,
    };
    ends.filter_map(end).collect()
}

fn without(user: &Caller, permission: Permission) -> Caller {
    let mut less = user.clone();
    less.permissions.remove(&permission);
    less
}

/// AE-008, AE-009, AJ-07, AJ-10
#[tokio::test]
async fn link_needs_the_permissions_to_share_links_of_cases_and_of_evidence() {
    for role in [Investigation, Justice] {
        let north = Bench::of("north", role);
        let kim = caller(&north.person("Kim", "").await.unwrap());
        let made = case::Create {
            number: CASE.into(),
            title: String::new(),
            description: String::new(),
            targets: Vec::new(),
        };
        made.run(&north.node, &kim).await.unwrap();
        north.evidence(CASE, "a.txt", b"a").await;
        for permission in [
            Permission::CaseShareLinks,
            Permission::EvidenceShareLinks,
            Permission::CaseShare,
            Permission::EvidenceShare,
        ] {
            let less = without(&kim, permission);
            let refused = create(3).run(&north.node, &less).await.unwrap_err();
            assert_eq!(refused.kind, ErrorKind::Forbidden);
            let named = refused.message.contains(permission.name());
            assert!(named, "{}", refused.message);
            assert!(links(&north, &kim).await.is_empty());
            // Nothing else is lost with those that are for links only.
            let links_only = permission.name().ends_with("links");
            let copies = access::check(&less.permissions, "share.copy", role);
            assert_eq!(copies.is_ok(), links_only);
        }
        create(3).run(&north.node, &kim).await.unwrap();
        assert_eq!(links(&north, &kim).await.len(), 1);
    }
}

async fn links(at: &Bench, who: &Caller) -> Vec<link::Link> {
    let page = link::List::default().run(&at.node, who).await.unwrap();
    page.links
}

/// Whoever does not reach a case knows of no link to it, and revokes none.
#[tokio::test]
async fn links_of_a_case_are_out_of_reach_with_it() {
    let (north, _, made) = linked(b"moving pictures").await;
    let kim = caller(&north.person("Kim", "").await.unwrap());
    assert!(links(&north, &kim).await.is_empty());
    let link = made.link.id;
    let refused = link::Revoke { link }.run(&north.node, &kim).await;
    let unknown = LinkId::new(uuid::Uuid::from_u128(7));
    let other = link::Revoke { link: unknown }.run(&north.node, &kim).await;
    let other = other.unwrap_err().message.replace(&unknown.to_string(), "");
    let refused = refused.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::NotFound);
    assert_eq!(refused.message.replace(&link.to_string(), ""), other);
    let refused = create(3).run(&north.node, &kim).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::NotFound);
    whole(&north, &made).await;
}

/// AE-012: without the feature no link is made, and those that there are go on.
#[tokio::test]
async fn organisation_that_does_not_share_cases_makes_no_link() {
    let (north, _, made) = linked(b"moving pictures").await;
    let features = [Feature::CaseShare].into();
    north.change(feature::Disable { features }).await.unwrap();
    let refused = make(&north, create(3)).await.unwrap_err();
    assert!(refused.message.contains("case_share"), "{refused}");
    whole(&north, &made).await;
}

/// AE-059, AJ-41, AS-042
#[tokio::test]
async fn link_is_made_for_a_number_of_days_and_says_so() {
    let (north, _, made) = linked(b"moving pictures").await;
    let link = &made.link;
    // The clock of a bench goes on by a second each time it is asked.
    let seconds = (link.expires_at - link.made_at).num_seconds();
    assert!(
        (3 * 86_400 - 5..=3 * 86_400).contains(&seconds),
        "{seconds}"
    );
    assert_eq!(link.state, link::State::Ready);
    for days in [0, 366] {
        let refused = make(&north, create(days)).await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Invalid);
    }
    let asked = serde_json::json!({ "case": CASE });
    let refused = serde_json::from_value::<Create>(asked).unwrap_err();
    assert!(refused.to_string().contains("`days`"));
    let never = Create {
        downloads: Some(0),
        ..create(1)
    };
    assert_eq!(
        make(&north, never).await.unwrap_err().kind,
        ErrorKind::Invalid
    );
}

/// AE-051, AE-052, AE-053, AE-055, AE-057, AJ-33, AJ-34, AJ-35, AJ-37, AJ-39, AS-044
#[tokio::test]
async fn whoever_holds_a_link_downloads_every_file_with_its_checksums() {
    for role in [Investigation, Justice] {
        downloads(role).await;
    }
}

async fn downloads(role: OrganisationRole) {
    let north = Bench::of("north", role);
    north.case(CASE).await;
    let long = b"moving pictures ".repeat(40_000);
    let items = [
        north.evidence(CASE, "a.mp4", &long).await,
        north.evidence(CASE, "empty.txt", b"").await,
        north.evidence(CASE, "Straße.pdf", b"words").await,
    ];
    let made = make(&north, create(3)).await.unwrap();
    assert_eq!(made.link.files, 3);
    let given = ask(&north, &token(&made), What::Whole).await.unwrap();
    // Before a byte of it was read it is on record.
    let begun = north
        .about(items[0].cases[0].case.uuid())
        .into_iter()
        .rev()
        .find_map(|event| match event {
            Event::DownloadBegun(begun) => Some(begun),
            _ => None,
        });
    let begun = begun.unwrap();
    assert_eq!(begun.link, made.link.id);
    assert_eq!(begun.from, Some(FROM.parse::<IpAddr>().unwrap()));
    assert_eq!(given.name, "1/26.zip");
    let (zip, well) = bytes(given).await;
    assert!(well);
    let expected = (DownloadEnd::Complete, Some(zip.len() as u64));
    assert_eq!(ends(&north, made.link.id), [expected]);

    let files = unpack(&zip);
    let names: Vec<_> = files.keys().map(String::as_str).collect();
    assert_eq!(names, ["Straße.pdf", "a.mp4", "empty.txt", "manifest.json"]);
    assert_eq!(files["a.mp4"], long);
    let manifest = manifest(&files);
    assert_eq!(manifest["case"], CASE);
    for (item, listed) in items.iter().zip(manifest["files"].as_array().unwrap()) {
        assert_eq!(listed["evidence"], item.id.to_string());
        let file = &item.files[0];
        let held = &files[listed["name"].as_str().unwrap()];
        assert_eq!(listed["size"], held.len());
        assert_eq!(listed["blake3"], blake3::hash(held).to_hex().as_str());
        assert_eq!(listed["blake3"], file.blake3.to_string());
        assert_eq!(listed["sha256"], file.sha256.to_string());
    }
    north.rebuilds().await;
}

/// Servers take what they said that there is, and do not ask whether there is more.
#[tokio::test]
async fn download_of_which_every_byte_was_taken_is_complete() {
    let (north, _, made) = linked(b"moving pictures").await;
    let given = ask(&north, &token(&made), What::Whole).await.unwrap();
    let (length, mut bytes) = (given.length, given.bytes.unwrap());
    let mut came = 0;
    while came < length {
        came += next(&mut bytes).await.unwrap().unwrap().len() as u64;
    }
    drop(bytes);
    while ends(&north, made.link.id).is_empty() {
        tokio::task::yield_now().await;
    }
    let expected = (DownloadEnd::Complete, Some(length));
    assert_eq!(ends(&north, made.link.id), [expected]);
}

/// AE-054, AJ-36: neither new evidence, nor what is added to or said of that which is in it.
#[tokio::test]
async fn package_does_not_follow_the_case() {
    let (north, item, _) = linked(b"moving pictures").await;
    let made = Create {
        attachments: Attachment::ALL.into(),
        ..create(3)
    };
    note(&north, &item, "seen before").await;
    let made = make(&north, made).await.unwrap();
    let before = whole(&north, &made).await;
    north.evidence(CASE, "late.txt", b"late").await;
    attach(&north, item.id, Attachable::Transcript, b"late words").await;
    note(&north, &item, "seen after").await;
    let edit = case::Edit {
        case: CASE.into(),
        number: Some("2/26".into()),
        title: None,
        description: None,
    };
    north.change(edit).await.unwrap();
    assert!(whole(&north, &made).await == before);
    let text = String::from_utf8_lossy(&before).into_owned();
    assert!(text.contains("seen before") && !text.contains("seen after"));
    north.rebuilds().await;
}

async fn note(at: &Bench, item: &Evidence, text: &str) {
    let add = evidence::AddNote {
        evidence: item.id,
        text: text.into(),
    };
    at.change(add).await.unwrap();
}

/// AE-052, AS-034, AS-035, AS-037 but for the table of contents
#[tokio::test]
async fn each_attachment_goes_along_where_it_was_chosen_and_nowhere_else() {
    let (north, item, _) = linked(b"moving pictures").await;
    note(&north, &item, "by the quay").await;
    attach(&north, item.id, Attachable::Transcript, b"words").await;
    for chosen in 0..8_u32 {
        let all = [
            (Attachment::AuditTrail, "a.mp4.audit-trail.json"),
            (Attachment::Notes, "a.mp4.notes.json"),
            (Attachment::Transcripts, "track.gpx"),
        ];
        let all = all.iter().enumerate();
        let chosen: Vec<_> = all.filter(|(bit, _)| chosen >> bit & 1 == 1).collect();
        let link = Create {
            attachments: chosen.iter().map(|(_, (what, _))| *what).collect(),
            ..create(3)
        };
        let made = make(&north, link).await.unwrap();
        let files = unpack(&whole(&north, &made).await);
        let expected = chosen.iter().map(|(_, (_, name))| *name);
        let expected: BTreeSet<&str> = expected.chain(["a.mp4", "manifest.json"]).collect();
        let names: BTreeSet<&str> = files.keys().map(String::as_str).collect();
        assert_eq!(names, expected);
    }
    north.rebuilds().await;
}

/// Whoever may not see confidential activity gives nobody that, by link neither.
#[tokio::test]
async fn audit_trail_has_what_its_maker_may_see() {
    let (north, item, _) = linked(b"moving pictures").await;
    let show = evidence::Show {
        evidence: item.id,
        confidential: true,
    };
    show.run(&north.node, &north.node.owner()).await.unwrap();
    let mut less = north.node.owner();
    less.permissions.remove(&Permission::AuditConfidential);
    for (who, there) in [(less, false), (north.node.owner(), true)] {
        let link = Create {
            attachments: [Attachment::AuditTrail].into(),
            ..create(3)
        };
        let made = link.run(&north.node, &who).await.unwrap();
        let files = unpack(&whole(&north, &made).await);
        let trail = String::from_utf8_lossy(&files["a.mp4.audit-trail.json"]).into_owned();
        assert_eq!(trail.contains("\"evidence viewed\""), there, "{trail}");
    }
}

/// Only what was chosen: items, or what lies in folders.
#[tokio::test]
async fn package_has_what_was_chosen_and_nothing_beside_it() {
    let (north, item, _) = linked(b"moving pictures").await;
    let other = north.evidence(CASE, "b.txt", b"b").await;
    let edit = evidence::Edit {
        evidence: other.id,
        title: None,
        folder: Some("Lab/DNA".into()),
        case: None,
        fields: BTreeMap::new(),
    };
    north.change(edit).await.unwrap();
    let one = Create {
        evidence: vec![item.id],
        ..create(3)
    };
    let folder = Create {
        folders: vec!["Lab".into()],
        ..create(3)
    };
    for (chosen, name) in [(one, "a.mp4"), (folder, "b.txt")] {
        let made = make(&north, chosen).await.unwrap();
        let files = unpack(&whole(&north, &made).await);
        let names: Vec<_> = files.keys().map(String::as_str).collect();
        assert_eq!(names, [name, "manifest.json"]);
    }
    let nothing = Create {
        folders: vec!["Elsewhere".into()],
        ..create(3)
    };
    assert_eq!(
        make(&north, nothing).await.unwrap_err().kind,
        ErrorKind::Invalid
    );
    north.case("9/26").await;
    let foreign = Create {
        case: "9/26".into(),
        evidence: vec![item.id],
        ..create(3)
    };
    assert_eq!(
        make(&north, foreign).await.unwrap_err().kind,
        ErrorKind::NotFound
    );
}

/// fault D1
#[tokio::test]
async fn names_in_a_package_stay_in_their_folder_and_apart() {
    let north = Bench::new("north");
    north.case(CASE).await;
    for name in [
        "con.txt",
        "A.txt",
        "a.TXT",
        "manifest.json",
        "photo\u{202e}gpj.exe",
        "a\\b",
        "e\u{301}",
        "é",
    ] {
        north.evidence(CASE, name, name.as_bytes()).await;
    }
    let made = make(&north, create(3)).await.unwrap();
    let files = unpack(&whole(&north, &made).await);
    let names: Vec<_> = files.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "A.txt",
            "_con.txt",
            "a (2).TXT",
            "a_b",
            "e\u{301}",
            "manifest (2).json",
            "manifest.json",
            "photo_gpj.exe",
            "é (2)"
        ]
    );
}

/// AE-057: what broke off goes on where it ended, as long as it is the same.
#[tokio::test]
async fn parts_of_a_package_are_parts_of_the_whole() {
    let (north, _, _) = linked(&b"moving pictures ".repeat(40_000)).await;
    north.evidence(CASE, "b.txt", b"b").await;
    let made = make(&north, create(3)).await.unwrap();
    let first = north.crash(1);
    let length = ask(&first, &token(&made), What::Head).await.unwrap().length;
    let middle = length / 2;
    // The first of them skips files that it has to read.
    for _ in 0..2 {
        let mut all = Vec::new();
        let parts = [
            (Part::From(middle, Some(length - 40)), middle..length - 39),
            (Part::Last(39), length - 39..length),
            (Part::From(0, Some(middle - 1)), 0..middle),
            (Part::From(length - 3, Some(u64::MAX)), length - 3..length),
        ];
        for (part, span) in parts {
            let given = ask(&first, &token(&made), What::Part(part, None))
                .await
                .unwrap();
            assert_eq!(given.span, span);
            let (bytes, well) = bytes(given).await;
            assert!(well && bytes.len() as u64 == span.end - span.start);
            all.push((span, bytes));
        }
        let whole = whole(&first, &made).await;
        for (span, bytes) in all {
            let span = span.start as usize..span.end as usize;
            assert!(whole[span] == bytes);
        }
    }
    let part = |tag: &str| What::Part(Part::From(7, None), Some(tag.to_owned()));
    let tag = ask(&first, &token(&made), What::Head).await.unwrap().tag;
    let same = ask(&first, &token(&made), part(&tag)).await.unwrap();
    assert_eq!(same.span.start, 7);
    let another = ask(&first, &token(&made), part("\"another\""))
        .await
        .unwrap();
    assert_eq!(another.span, 0..length);
    for part in [Part::From(length, None), Part::Last(0)] {
        let refused = ask(&first, &token(&made), What::Part(part, None)).await;
        assert_eq!(refused.err().unwrap(), Refusal::Part(length));
    }
}

/// fault D12: a link begins with what is configured.
#[tokio::test]
async fn link_begins_with_the_name_that_the_node_was_given() {
    let (_, _, made) = linked(b"moving pictures").await;
    assert!(
        made.url.starts_with("https://127.0.0.1:0/links/"),
        "{}",
        made.url
    );
    let secret = token(&made);
    assert_eq!(secret.len(), 64, "256 bits");
}

/// fault D10: what is kept of a link does not open it, and tells nobody what does.
#[tokio::test]
async fn token_of_a_link_is_nowhere_on_the_node() {
    let (north, _, made) = linked(b"moving pictures").await;
    whole(&north, &made).await;
    let secret = token(&made);
    let told = crate::tests::erase::kept(&north);
    assert!(!crate::tests::erase::tells(&told, secret.as_bytes()));
    let listed = links(&north, &north.node.owner()).await;
    assert!(!serde_json::to_string(&listed).unwrap().contains(&secret));
}
