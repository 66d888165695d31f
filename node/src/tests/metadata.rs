//! What is said of evidence: how it is written, and what of it a partner gets.

use std::collections::BTreeMap;

use interdocket_sync::copy::{Field, Form, Rule};
use interdocket_sync::id::EvidenceId;
use interdocket_sync::identity::OrganisationId;

use crate::actions::evidence::{self, Attachable, Attached, Evidence};
use crate::actions::metadata::{self, HowCopied, Kind, Value};
use crate::actions::partner::OrganisationRole;
use crate::actions::{Caller, Error, ErrorKind, Query as _, Run as _, Way, case, group, share};
use crate::tests::bench::{Bench, caller, only, settle, to};

/// Two organisations, of which one has a case with an item.
async fn two(role: OrganisationRole) -> (Bench, Bench, EvidenceId) {
    let (north, south) = (Bench::new("north"), Bench::of("south", role));
    north.trust(&south, None).await;
    south.trust(&north, None).await;
    north.case("1/26").await;
    let item = north.evidence("1/26", "a.mp4", b"moving pictures").await;
    (north, south, item.id)
}

fn edit(evidence: EvidenceId, fields: &[(&str, Option<&str>)]) -> evidence::Edit {
    let owned =
        |(name, text): &(&str, Option<&str>)| ((*name).to_owned(), text.map(ToOwned::to_owned));
    evidence::Edit {
        evidence,
        title: None,
        folder: None,
        case: None,
        fields: fields.iter().map(owned).collect(),
    }
}

fn label(evidence: EvidenceId, kind: Kind, add: &[&str]) -> evidence::Tag {
    evidence::Tag {
        evidence,
        kind,
        add: add.iter().map(|text| (*text).to_owned()).collect(),
        remove: Vec::new(),
    }
}

fn shown(at: &Bench, id: EvidenceId) -> Evidence {
    let reading = at.node.parts().store.read();
    let show = evidence::Show {
        evidence: id,
        confidential: false,
    };
    let now = at.node.parts().clock.now();
    show.answer(&reading.view(), &at.node.owner(), now).unwrap()
}

/// The one item that a partner received.
fn received(at: &Bench) -> Evidence {
    let reading = at.node.parts().store.read();
    let list = evidence::List {
        case: "1/26".into(),
        uncategorised: false,
        after: None,
        limit: None,
    };
    let now = at.node.parts().clock.now();
    let page = list.answer(&reading.view(), &at.node.owner(), now).unwrap();
    only_one(page.evidence)
}

fn only_one<T>(mut all: Vec<T>) -> T {
    assert_eq!(all.len(), 1);
    all.remove(0)
}

async fn group(at: &Bench, name: &str, members: &[&str]) {
    let add = group::Add {
        name: name.into(),
        kind: group::Kind::Group,
    };
    at.change(add).await.unwrap();
    let edit = group::Edit {
        group: name.into(),
        add: members.iter().map(|name| (*name).to_owned()).collect(),
        remove: Vec::new(),
    };
    at.change(edit).await.unwrap();
}

/// A value that the field can have, and that is nowhere else.
fn sample(field: Field) -> String {
    match field.form() {
        Form::Text(_) => format!("Zeile 1 von {field}\nŻółć"),
        Form::Line(_) => format!("A {field} Ω"),
        Form::Time => "2026-01-02T03:04:05.678901+05:30".to_owned(),
        Form::Flag => "yes".to_owned(),
        Form::Position => "52.5163,13.3777".to_owned(),
        Form::Milliseconds => "1500".to_owned(),
        Form::Group => "Patrol East".to_owned(),
        Form::Apart => unreachable!("{field} is no field"),
    }
}

fn text(text: &str) -> Value {
    Value {
        text: text.to_owned(),
        organisation: None,
    }
}

/// All bytes that a node keeps of a share and in its tables.
fn kept(at: &Bench, share: interdocket_sync::id::ShareId) -> Vec<Vec<u8>> {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    for (key, value) in at.tables() {
        kept.extend([key, value]);
    }
    for event in at.about(share.uuid()) {
        let mut bytes = Vec::new();
        ciborium::into_writer(&event, &mut bytes).unwrap();
        kept.push(bytes);
    }
    kept
}

fn tells(kept: &[Vec<u8>], what: &str) -> bool {
    let what = what.as_bytes();
    let tells = |bytes: &Vec<u8>| bytes.windows(what.len()).any(|window| window == what);
    kept.iter().any(tells)
}

/// Every field and label there is, each with a value of its own.
async fn described(north: &Bench, item: EvidenceId) {
    group(north, "Patrol East", &[]).await;
    let written = Field::ALL.iter().filter(|field| field.written());
    let fields = written.map(|field| (field.name().to_owned(), Some(sample(*field))));
    let all = evidence::Edit {
        evidence: item,
        title: None,
        folder: Some("scene/photos".into()),
        case: None,
        fields: fields.collect(),
    };
    north.change(all).await.unwrap();
    for (kind, texts) in [
        (Kind::Tag, ["urgent", "Homicide"]),
        (Kind::Category, ["Homicide", "Assault"]),
        (Kind::AutoCategory, ["Traffic (auto)", "Night"]),
        (Kind::Custom, ["Offence=Burglary", "Beat = 7"]),
    ] {
        north.change(label(item, kind, &texts)).await.unwrap();
    }
}

/// Each field is at the target what its rule makes of its value at the source.
fn ruled(copy: &Evidence, kept: &[Vec<u8>], source: OrganisationId) {
    let organisation = Some(source);
    for field in Field::ALL.iter().filter(|field| field.written()) {
        let (name, sample) = (field.name(), sample(*field));
        let here = copy.metadata.fields.get(name);
        let way = copy.provenance.get(name).copied();
        match field.rule() {
            Rule::Same => assert_eq!(here, Some(&text(&sample)), "{name}"),
            Rule::Reference => {
                let named = Value {
                    text: sample,
                    organisation,
                };
                assert_eq!(here, Some(&named), "{name}");
            }
            Rule::Tag(key) => {
                let text = format!("{}={sample}", key.unwrap());
                let tag = metadata::Labelled {
                    text,
                    from: Some(name.to_owned()),
                };
                assert!(
                    here.is_none() && copy.metadata.tags.contains(&tag),
                    "{name}"
                );
            }
            Rule::Not => {
                assert!(here.is_none() && way.is_none(), "{name}");
                assert!(!tells(kept, &sample), "{name} reached the target");
            }
            Rule::Update => panic!("{name} is no field"),
        }
        assert_eq!(way.is_some(), field.rule().way().is_some(), "{name}");
    }
}

/// What labelled the item at its source is a tag of the copy, which is uncategorised.
fn tagged(copy: &Evidence) {
    let none: [String; 0] = [];
    assert_eq!(copy.metadata.categories, none);
    assert_eq!(copy.metadata.auto_categories, none);
    assert_eq!(copy.metadata.custom, none);
    let tags = copy.metadata.tags.iter();
    let tags: BTreeMap<&str, Option<&str>> = tags
        .map(|tag| (tag.text.as_str(), tag.from.as_deref()))
        .collect();
    // What is both a category and a tag is there once.
    assert_eq!(tags.len(), copy.metadata.tags.len());
    for (text, from) in [
        ("urgent", None),
        ("Homicide", Some("categories")),
        ("Assault", Some("categories")),
        ("Traffic (auto)", Some("auto_categories")),
        ("Night", Some("auto_categories")),
        ("Offence=Burglary", Some("custom_metadata")),
        ("Beat = 7", Some("custom_metadata")),
    ] {
        assert_eq!(tags.get(text), Some(&from), "{text}");
    }
}

/// One walk along the table of copying: a value of each field at the source, and what its rule makes of it at
/// the target.
///
/// AE-061, AE-069, AE-070, AE-073, AE-074, AE-078 to AE-081, AE-085 to AE-088, AE-091, AE-093 to AE-095, AE-097,
/// AE-103 to AE-115, AJ-43
#[tokio::test]
async fn a_copy_has_of_each_field_what_the_table_says() {
    for role in [OrganisationRole::Investigation, OrganisationRole::Justice] {
        let (north, south, item) = two(role).await;
        described(&north, item).await;
        let own = shown(&north, item);
        let share = north.copy("1/26", "south").await.unwrap().id;
        north.pass(3600);
        south.pass(3600);
        settle(&north, &south, share).await;
        let organisation = north.id();
        // What follows is asked of the target only.
        let kept = kept(&south, share);
        drop(north);
        let copy = received(&south);
        ruled(&copy, &kept, organisation);
        tagged(&copy);
        assert_eq!(
            (&copy.title, &copy.folder, copy.uploaded_at),
            (&own.title, &own.folder, own.added_at)
        );
        assert!(copy.added_at > copy.uploaded_at, "its own time is beside");
        let file = |item: &Evidence| {
            let file = &item.files[0];
            (
                file.name.clone(),
                file.format.clone(),
                file.size,
                file.blake3,
                file.sha256,
            )
        };
        assert_eq!(file(&copy), file(&own));
        assert_eq!(file(&copy).1, "video/mp4");
        for (name, way) in [
            ("document_checksum", HowCopied::Copied),
            ("retention_date", HowCopied::Reprocessed),
            ("watermark", HowCopied::Reprocessed),
        ] {
            assert_eq!(copy.provenance.get(name), Some(&way), "{name}");
        }
    }
}

/// AE-069
#[tokio::test]
async fn the_table_of_copying_can_be_read_by_programs() {
    let north = Bench::new("north");
    let pieces = metadata::List {}
        .run(&north.node, &north.node.owner())
        .await
        .unwrap()
        .metadata;
    assert_eq!(pieces.len(), Field::ALL.len());
    let rule = |name: &str| {
        let piece = pieces.iter().find(|piece| piece.name == name).unwrap();
        (piece.rule.as_str(), piece.way)
    };
    assert_eq!(rule("recorded_on"), ("same", Some(HowCopied::Copied)));
    assert_eq!(
        rule("access_list"),
        ("update value", Some(HowCopied::Reprocessed))
    );
    assert_eq!(
        rule("categories"),
        ("target field: tags", Some(HowCopied::Copied))
    );
    assert_eq!(rule("queued_for_deletion_on"), ("not copied", None));
}

/// AE-075
#[tokio::test]
async fn who_added_a_received_item_is_somebody_of_its_source_and_nobody_here() {
    let (north, south, _) = two(OrganisationRole::Investigation).await;
    let ada = north.person("Ada", "4711").await.unwrap();
    north
        .change(case::Access {
            case: "1/26".into(),
            add: vec!["Ada".into()],
            remove: Vec::new(),
        })
        .await
        .unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), b"by Ada").unwrap();
    let add = evidence::Add {
        case: "1/26".into(),
        path: file.path().to_owned(),
        name: Some("ada.txt".into()),
        folder: String::new(),
        title: None,
    };
    let ada = Caller {
        way: Way::Socket,
        ..caller(&ada)
    };
    let own = add.run(&north.node, &ada).await.unwrap();
    assert_eq!(own.added_by, text("Ada (4711)"));
    let copy = share::Copy {
        case: "1/26".into(),
        to: vec![to("south", &[])],
        evidence: vec![own.id],
        folders: Vec::new(),
        targets: None,
        message: String::new(),
        attachments: None,
    };
    let share = only(north.change(copy).await.unwrap()).id;
    settle(&north, &south, share).await;
    let named = Value {
        text: "Ada (4711)".into(),
        organisation: Some(north.id()),
    };
    assert_eq!(received(&south).added_by, named);
    // No account was made of it, and nothing can be given to it.
    let give = case::Access {
        case: "1/26".into(),
        add: vec!["Ada".into()],
        remove: Vec::new(),
    };
    let error = south.change(give).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
}

/// AE-045: what is said of the case comes along with it.
#[tokio::test]
async fn a_copied_case_is_described_and_tagged_as_at_its_source() {
    let (north, south, _) = two(OrganisationRole::Investigation).await;
    let edit = case::Edit {
        case: "1/26".into(),
        number: None,
        title: Some("Fire at the harbour".into()),
        description: Some("Two\nwarehouses".into()),
    };
    north.change(edit).await.unwrap();
    let tag = |add: &[&str], remove: &[&str]| case::Tag {
        case: "1/26".into(),
        add: add.iter().map(|text| (*text).to_owned()).collect(),
        remove: remove.iter().map(|text| (*text).to_owned()).collect(),
    };
    north
        .change(tag(&["arson", "night", "mistake"], &[]))
        .await
        .unwrap();
    let own = north.change(tag(&[], &["mistake"])).await.unwrap();
    let share = north.copy("1/26", "south").await.unwrap().id;
    settle(&north, &south, share).await;
    let reading = south.node.parts().store.read();
    let show = case::Show {
        case: "1/26".into(),
    };
    let now = south.node.parts().clock.now();
    let copy = show
        .answer(&reading.view(), &south.node.owner(), now)
        .unwrap();
    assert_eq!(
        (copy.number, copy.title, copy.description, copy.tags),
        (own.number, own.title, own.description, own.tags.clone())
    );
    let texts: Vec<&str> = own.tags.iter().map(|tag| tag.text.as_str()).collect();
    assert_eq!(texts, ["arson", "night"]);
}

/// AE-081 to AE-083, AE-094
#[tokio::test]
async fn a_received_group_gives_way_to_an_own_one_and_never_comes_back() {
    let (north, south, item) = two(OrganisationRole::Investigation).await;
    group(&north, "Patrol East", &[]).await;
    let fields = [
        ("evidence_group", Some("patrol east")),
        ("device_serial", Some("X81")),
    ];
    north.change(edit(item, &fields)).await.unwrap();
    let share = north.copy("1/26", "south").await.unwrap().id;
    settle(&north, &south, share).await;
    let copy = received(&south);
    let original = Value {
        text: "Patrol East".into(),
        organisation: Some(north.id()),
    };
    assert_eq!(copy.metadata.fields["evidence_group"], original);
    let bob = south.person("Bob", "").await.unwrap();
    group(&south, "Intake", &["Bob"]).await;
    let show = || evidence::Show {
        evidence: copy.id,
        confidential: false,
    };
    assert!(show().run(&south.node, &caller(&bob)).await.is_err());
    let refused = async |fields: &[(&str, Option<&str>)]| {
        let error = south.change(edit(copy.id, fields)).await.unwrap_err();
        error.kind
    };
    // What names a device there stays, and a group can't just be taken away.
    assert_eq!(
        refused(&[("device_serial", Some("X82"))]).await,
        ErrorKind::Conflict
    );
    assert_eq!(
        refused(&[("evidence_group", None)]).await,
        ErrorKind::Conflict
    );
    assert_eq!(
        refused(&[("evidence_group", Some("Patrol East"))]).await,
        ErrorKind::NotFound
    );
    let set = edit(copy.id, &[("evidence_group", Some("Intake"))]);
    south.change(set).await.unwrap();
    // Whoever is in the group reaches it now.
    let seen = show().run(&south.node, &caller(&bob)).await.unwrap();
    assert_eq!(seen.metadata.fields["evidence_group"], text("Intake"));
    assert_eq!(
        refused(&[("evidence_group", Some("Patrol East"))]).await,
        ErrorKind::NotFound
    );
    // Not even by the same name: that is a group of this organisation then.
    group(&south, "Patrol East", &[]).await;
    let set = edit(copy.id, &[("evidence_group", Some("Patrol East"))]);
    let own = south.change(set).await.unwrap();
    assert_eq!(own.metadata.fields["evidence_group"], text("Patrol East"));
}

/// A group of the same name at the partner is another one.
#[tokio::test]
async fn the_name_of_a_partners_group_opens_nothing_here() {
    let (north, south, item) = two(OrganisationRole::Investigation).await;
    let bob = south.person("Bob", "").await.unwrap();
    group(&south, "Patrol East", &["Bob"]).await;
    group(&north, "Patrol East", &[]).await;
    north
        .change(edit(item, &[("evidence_group", Some("Patrol East"))]))
        .await
        .unwrap();
    let share = north.copy("1/26", "south").await.unwrap().id;
    settle(&north, &south, share).await;
    let show = evidence::Show {
        evidence: received(&south).id,
        confidential: false,
    };
    let error = show.run(&south.node, &caller(&bob)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
}

/// Adds a file to evidence that is there.
pub(crate) async fn attach(
    at: &Bench,
    evidence: EvidenceId,
    kind: Attachable,
    bytes: &'static [u8],
) {
    let taken = at
        .node
        .parts()
        .blobs
        .ingest(&mut &*bytes, &mut |_| {})
        .unwrap();
    let attached = Attached {
        evidence,
        kind,
        name: "track.gpx".into(),
        size: taken.size(),
        blake3: taken.digest(),
        sha256: taken.sha256().unwrap(),
        place: at
            .node
            .parts()
            .blobs
            .commit(vec![taken])
            .unwrap()
            .first()
            .map(|placed| placed.place),
    };
    let owner = at.node.owner().actor;
    at.node
        .decide(Some(owner), Way::Socket, move |context| {
            attached.decide(context)
        })
        .await
        .unwrap();
}

/// AE-096
#[tokio::test]
async fn a_gps_track_goes_along_with_its_item_as_it_is() {
    let (north, south, item) = two(OrganisationRole::Investigation).await;
    attach(&north, item, Attachable::GpsTrack, b"<gpx/>").await;
    let own = shown(&north, item);
    let share = north.copy("1/26", "south").await.unwrap().id;
    settle(&north, &south, share).await;
    let track = |item: &Evidence| {
        let track = |file: &&evidence::File| file.kind == evidence::FileKind::GpsTrack;
        item.files.iter().find(track).unwrap().blake3
    };
    let copy = received(&south);
    assert_eq!((copy.files.len(), track(&copy)), (2, track(&own)));
    assert!(copy.provenance.contains_key("gps_track"));
}

/// AE-098
#[tokio::test]
async fn recordings_of_one_event_are_seen_together_as_far_as_they_were_shared() {
    let (north, south, first) = two(OrganisationRole::Investigation).await;
    let second = north.evidence("1/26", "b.mp4", b"from the left").await.id;
    let third = north.evidence("1/26", "c.mp4", b"from the right").await.id;
    let other = north.evidence("1/26", "d.mp4", b"another day").await.id;
    for (item, event, offset) in [
        (first, "3 March", "1500"),
        (second, "3 March", "0"),
        (third, "3 March", "700"),
        (other, "4 March", "0"),
    ] {
        let fields = [("multicam", Some(event)), ("multicam_offset", Some(offset))];
        north.change(edit(item, &fields)).await.unwrap();
    }
    let seen = async |at: &Bench, evidence| {
        let seen = evidence::Multicam { evidence };
        let seen = seen.run(&at.node, &at.node.owner()).await.unwrap().cameras;
        let seen = seen.into_iter().map(|camera| (camera.title, camera.offset));
        seen.collect::<Vec<_>>()
    };
    let all = [
        ("b.mp4".to_owned(), 0),
        ("c.mp4".to_owned(), 700),
        ("a.mp4".to_owned(), 1500),
    ];
    assert_eq!(seen(&north, first).await, all);
    let copy = share::Copy {
        case: "1/26".into(),
        to: vec![to("south", &[])],
        evidence: vec![first, second],
        folders: Vec::new(),
        targets: None,
        message: String::new(),
        attachments: None,
    };
    let share = only(north.change(copy).await.unwrap()).id;
    settle(&north, &south, share).await;
    let received = south.became(share, first).unwrap();
    assert_eq!(
        seen(&south, received).await,
        [all[0].clone(), all[2].clone()]
    );
    north
        .change(share::Add {
            share,
            evidence: vec![third],
        })
        .await
        .unwrap();
    settle(&north, &south, share).await;
    assert_eq!(seen(&south, received).await, all);
    // What is taken out of the event is not seen with it.
    north
        .change(edit(third, &[("multicam", None)]))
        .await
        .unwrap();
    assert_eq!(seen(&north, first).await, [all[0].clone(), all[2].clone()]);
}

#[tokio::test]
async fn what_a_field_can_not_be_is_refused_with_how_it_is_written() {
    let (north, _, item) = two(OrganisationRole::Investigation).await;
    let refused = async |name: &str, text: &str| -> Error {
        let edit = edit(item, &[(name, Some(text))]);
        north.change(edit).await.unwrap_err()
    };
    for (name, text, kind) in [
        ("colour", "red", ErrorKind::NotFound),
        ("categories", "Homicide", ErrorKind::Invalid),
        ("recorded_on", "yesterday", ErrorKind::Invalid),
        ("location", "91,0", ErrorKind::Invalid),
        ("device_model", "", ErrorKind::Invalid),
        ("evidence_group", "nobody", ErrorKind::NotFound),
    ] {
        let error = refused(name, text).await;
        assert_eq!((error.kind, error.hints.len()), (kind, 1), "{name}");
    }
    let long = "x".repeat(2048);
    let mut fields = vec![("description", Some(long.as_str()))];
    let others: Vec<(String, String)> = Field::ALL
        .iter()
        .filter(|field| matches!(field.form(), Form::Line(_)))
        .map(|field| (field.name().to_owned(), "x".repeat(field.most())))
        .collect();
    fields.extend(
        others
            .iter()
            .map(|(name, text)| (name.as_str(), Some(text.as_str()))),
    );
    let error = north.change(edit(item, &fields)).await.unwrap_err();
    assert!(error.message.contains("together"), "{}", error.message);
}

/// However much is said of it, it can be shared.
#[tokio::test]
async fn evidence_with_as_much_said_of_it_as_can_be_is_copied() {
    let (north, south, item) = two(OrganisationRole::Investigation).await;
    let long = "x".repeat(2048);
    let lines = [
        "fleet2_vehicle_id",
        "fleet3_vehicle_id",
        "fleet3_mount_position",
    ];
    let numbers = ["1", "2", "3"].map(|number| number.repeat(64));
    let mut fields: Vec<(&str, Option<&str>)> = vec![("description", Some(&long))];
    let pairs = lines.into_iter().zip(&numbers);
    fields.extend(pairs.map(|(name, number)| (name, Some(number.as_str()))));
    north.change(edit(item, &fields)).await.unwrap();
    let (most, bytes) = metadata::EVIDENCE;
    let texts: Vec<String> = (0..most)
        .map(|n| format!("{n:0>w$}", w = bytes / most))
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    north
        .change(label(item, Kind::Custom, &texts[..1]))
        .await
        .unwrap_err();
    north
        .change(label(item, Kind::Category, &texts))
        .await
        .unwrap();
    let error = north
        .change(label(item, Kind::Tag, &["more"]))
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
    let share = north.copy("1/26", "south").await.unwrap().id;
    settle(&north, &south, share).await;
    assert_eq!(received(&south).metadata.tags.len(), most + 3);
}
