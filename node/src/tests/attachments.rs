//! What goes along with the evidence of a copy beside its own files.

use std::collections::BTreeSet;

use interdocket_sync::evidence::FileKind;
use interdocket_sync::id::{EvidenceId, ShareId};

use crate::access::{AUDITOR, INVESTIGATOR};
use crate::actions::evidence::note::{Marker, MarkerIs, MarkerKind, Note};
use crate::actions::evidence::trail::{AuditTrail, Confidential};
use crate::actions::evidence::{
    AddNote, Attachable, Get, Markers, Notes, Purpose, RemoveMarker, SetMarker, Show, Trail,
};
use crate::actions::share::{self, Attachment};
use crate::actions::{Caller, ErrorKind, Run as _, audit};
use crate::store::table;
use crate::tests::bench::{Bench, caller, holds, only, settle, to};
use crate::tests::metadata::attach;

/// Two organisations, of which one has a case with an item.
async fn two() -> (Bench, Bench, EvidenceId) {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    north.trust(&south, None).await;
    south.trust(&north, None).await;
    north.case("1/26").await;
    let item = north.evidence("1/26", "a.mp4", b"moving pictures").await;
    (north, south, item.id)
}

async fn copy(north: &Bench, south: &Bench, attachments: Option<&[Attachment]>) -> ShareId {
    let copy = share::Copy {
        case: "1/26".into(),
        to: vec![to("south", &[])],
        evidence: Vec::new(),
        folders: Vec::new(),
        targets: None,
        message: String::new(),
        attachments: attachments.map(|all| all.iter().copied().collect::<BTreeSet<_>>()),
    };
    let share = only(north.change(copy).await.unwrap()).id;
    settle(north, south, share).await;
    assert_eq!(north.shown(share).status, share::Status::Complete);
    share
}

/// Files of an item by what they are to it, as the tables have them.
fn kinds(at: &Bench, id: EvidenceId) -> Vec<FileKind> {
    let reading = at.node.parts().store.read();
    let rows = reading.view().page(&table::FILE, &id, None, 64).unwrap();
    rows.into_iter().map(|(_, file)| file.kind).collect()
}

async fn note(at: &Bench, evidence: EvidenceId, text: &str) {
    let add = AddNote {
        evidence,
        text: text.into(),
    };
    at.change(add).await.unwrap();
}

async fn notes(at: &Bench, evidence: EvidenceId) -> Vec<Note> {
    let list = Notes { evidence };
    list.run(&at.node, &at.node.owner()).await.unwrap().notes
}

async fn mark(at: &Bench, evidence: EvidenceId, position: u64, title: &str, kind: MarkerKind) {
    let set = SetMarker {
        evidence,
        position,
        title: title.into(),
        kind,
    };
    at.change(set).await.unwrap();
}

async fn markers(at: &Bench, evidence: EvidenceId) -> Vec<Marker> {
    let list = Markers { evidence };
    list.run(&at.node, &at.node.owner()).await.unwrap().markers
}

fn tells(at: &Bench, share: ShareId, what: &str) -> bool {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    for (key, value) in at.tables() {
        kept.extend([key, value]);
    }
    for event in at.about(share.uuid()) {
        let mut bytes = Vec::new();
        ciborium::into_writer(&event, &mut bytes).unwrap();
        kept.push(bytes);
    }
    let what = what.as_bytes();
    let tells = |bytes: &Vec<u8>| bytes.windows(what.len()).any(|window| window == what);
    kept.iter().any(tells)
}

/// AE-089, AE-090, AE-143
#[tokio::test]
async fn notes_go_along_where_they_were_chosen_and_not_otherwise() {
    for chosen in [true, false] {
        let (north, south, item) = two().await;
        note(&north, item, "The plate can be read").await;
        note(&north, item, "Zweite Notiz,\nüber zwei Zeilen").await;
        let with: &[Attachment] = match chosen {
            true => &[Attachment::Notes],
            false => &[],
        };
        let share = copy(&north, &south, Some(with)).await;
        let received = south.became(share, item).unwrap();
        if !chosen {
            assert_eq!(notes(&south, received).await, []);
            assert_eq!(kinds(&south, received), [FileKind::Original]);
            assert!(!tells(&south, share, "The plate can be read"));
            continue;
        }
        assert_eq!(
            kinds(&south, received),
            [FileKind::Original, FileKind::Notes]
        );
        let own = notes(&north, item).await;
        note(&south, received, "Seen by us").await;
        let all = notes(&south, received).await;
        let texts: Vec<&str> = all.iter().map(|note| note.text.as_str()).collect();
        assert_eq!(texts[..2], [&own[0].text, &own[1].text]);
        assert_eq!((texts[2], all[0].at), ("Seen by us", own[0].at));
        // Whoever wrote them is of their source, and nobody here.
        assert_eq!(all[0].by.organisation, Some(north.id()));
        assert_eq!(
            (&all[0].by.text, all[2].by.organisation),
            (&own[0].by.text, None)
        );
    }
}

/// AE-143, AS-103
#[tokio::test]
async fn transcripts_go_along_where_they_were_chosen_and_not_otherwise() {
    for chosen in [true, false] {
        let (north, south, item) = two().await;
        attach(
            &north,
            item,
            Attachable::Transcript,
            b"WEBVTT\n\nI was there.",
        )
        .await;
        attach(&north, item, Attachable::GpsTrack, b"<gpx/>").await;
        assert_eq!(
            kinds(&north, item),
            [FileKind::Original, FileKind::Transcript, FileKind::GpsTrack]
        );
        let with: &[Attachment] = match chosen {
            true => &[Attachment::Transcripts],
            false => &[],
        };
        let share = copy(&north, &south, Some(with)).await;
        let received = south.became(share, item).unwrap();
        let all = kinds(&south, received);
        let expected: &[FileKind] = match chosen {
            true => &[FileKind::Original, FileKind::Transcript, FileKind::GpsTrack],
            false => &[FileKind::Original, FileKind::GpsTrack],
        };
        assert_eq!(all, expected);
    }
}

/// Each kind is chosen by itself, and what an update brings has them as well.
///
/// AE-040, AE-143
#[tokio::test]
async fn what_an_update_brings_has_the_attachments_that_were_chosen() {
    let (north, south, item) = two().await;
    note(&north, item, "first").await;
    let chosen = [Attachment::AuditTrail, Attachment::Notes];
    let share = copy(&north, &south, Some(&chosen)).await;
    let late = north.evidence("1/26", "b.mp4", b"later").await.id;
    note(&north, late, "second").await;
    mark(&north, late, 1, "not chosen", MarkerKind::Manual).await;
    let add = share::Add {
        share,
        evidence: vec![late],
    };
    north.change(add).await.unwrap();
    settle(&north, &south, share).await;
    let received = south.became(share, late).unwrap();
    let kinds = kinds(&south, received);
    assert_eq!(
        kinds,
        [FileKind::Original, FileKind::AuditTrail, FileKind::Notes]
    );
    assert_eq!(notes(&south, received).await.len(), 1);
    assert_eq!(came(&south, received).await.evidence, late);
}

/// AE-152 to AE-156
#[tokio::test]
async fn markers_go_along_as_bookmarks_but_those_of_signals_do_not() {
    let (north, south, item) = two().await;
    let set = [
        (12_000, "Number plate", MarkerKind::Manual),
        (13_000, "Second question", MarkerKind::Interview),
        (0, "Arrival", MarkerKind::Chapter),
        (60_000, "Arrest", MarkerKind::Chapter),
        (14_500, "\"I was there\"", MarkerKind::Transcription),
        (1_000, "Siren on", MarkerKind::Signal),
    ];
    for (position, title, kind) in set {
        mark(&north, item, position, title, kind).await;
    }
    assert_eq!(markers(&north, item).await.len(), 6);
    // They go along where nothing else was chosen.
    let share = copy(&north, &south, None).await;
    let received = south.became(share, item).unwrap();
    let mut expected: Vec<Marker> = set[..5]
        .iter()
        .map(|(position, title, kind)| Marker {
            position: *position,
            title: (*title).to_owned(),
            kind: *kind,
            is: MarkerIs::FileBookmark,
        })
        .collect();
    expected.sort();
    assert_eq!(markers(&south, received).await, expected);
    assert!(!tells(&south, share, "Siren on"));
    // The copy has markers of its own beside.
    mark(&south, received, 5, "Ours", MarkerKind::Manual).await;
    let remove = |title: &str| RemoveMarker {
        evidence: received,
        position: 5,
        title: title.into(),
    };
    let error = south.change(remove("Theirs")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert_eq!(markers(&south, received).await.len(), 6);
    south.change(remove("Ours")).await.unwrap();
    assert_eq!(markers(&south, received).await, expected);
    assert_eq!(markers(&north, item).await.len(), 6);
}

async fn look(at: &Bench, who: &Caller, evidence: EvidenceId, confidential: bool) {
    let show = Show {
        evidence,
        confidential,
    };
    show.run(&at.node, who).await.unwrap();
}

async fn open(at: &Bench, evidence: EvidenceId, purpose: Purpose) {
    let get = Get {
        evidence,
        file: 0,
        original: false,
        purpose,
        confidential: false,
    };
    let owner = at.node.owner();
    at.node.open_evidence(&owner, get).await.unwrap();
}

/// The audit trail that came along with an item.
async fn came(at: &Bench, id: EvidenceId) -> AuditTrail {
    let place = kinds(at, id)
        .iter()
        .position(|kind| *kind == FileKind::AuditTrail);
    let get = Get {
        evidence: id,
        file: u32::try_from(place.unwrap()).unwrap(),
        original: false,
        purpose: Purpose::Download,
        confidential: false,
    };
    let owner = at.node.owner();
    let mut opened = at.node.open_evidence(&owner, get).await.unwrap();
    let mut bytes = Vec::new();
    while let Some(piece) = opened.bytes.recv().await {
        bytes.extend_from_slice(&piece.unwrap());
    }
    serde_json::from_slice(&bytes).unwrap()
}

/// Looks at an item three times, once confidentially, downloads it twice and plays it four times.
async fn used(north: &Bench, item: EvidenceId) {
    let serial = crate::actions::evidence::Edit {
        evidence: item,
        title: None,
        folder: None,
        case: None,
        fields: [("device_serial".to_owned(), Some("X81".to_owned()))].into(),
    };
    north.change(serial).await.unwrap();
    let owner = north.node.owner();
    for confidential in [false, true, false] {
        north.pass(60);
        look(north, &owner, item, confidential).await;
    }
    for purpose in [
        Purpose::Download,
        Purpose::Playback,
        Purpose::Playback,
        Purpose::Download,
        Purpose::Playback,
        Purpose::Playback,
    ] {
        north.pass(60);
        open(north, item, purpose).await;
    }
}

/// AE-143 to AE-151
#[tokio::test]
async fn the_audit_trail_that_goes_along_has_everything_and_the_copy_begins_its_own() {
    let (north, south, item) = two().await;
    used(&north, item).await;
    let owner = north.node.owner();
    let last = north.node.parts().clock.now();
    let share = copy(&north, &south, Some(&[Attachment::AuditTrail])).await;
    let received = south.became(share, item).unwrap();
    let trail = came(&south, received).await;
    assert_eq!(trail.evidence, item);
    assert_eq!(trail.serial_number.as_deref(), Some("X81"));
    let counts = (
        trail.page_views,
        trail.file_downloads,
        trail.video_playbacks,
    );
    assert_eq!(counts, (3, 2, 4));
    let seen = trail.last_viewed_or_downloaded_on.unwrap();
    assert!((last - seen).num_seconds() < 5, "{seen}");
    assert_eq!(trail.confidential_activity, Confidential::Included);
    let numbers: Vec<u64> = trail.events.iter().map(|event| event.number).collect();
    assert_eq!(numbers, (1..=11).collect::<Vec<u64>>());
    let times = trail.events.iter().map(|event| (&event.date, &event.time));
    assert!(times.is_sorted());
    let did: Vec<&str> = trail
        .events
        .iter()
        .map(|event| event.activity.as_str())
        .collect();
    let views = ["evidence added", "evidence edited", "evidence viewed"];
    assert_eq!(did[..3], views);
    assert_eq!(
        did[5..8],
        ["file downloaded", "video played", "video played"]
    );
    assert!(
        trail
            .events
            .iter()
            .all(|event| event.user == owner.actor.name)
    );
    // Columns are called as people know them.
    let row = serde_json::to_value(&trail.events[0]).unwrap();
    let columns: BTreeSet<&str> = row
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        columns,
        BTreeSet::from(["#", "date", "time", "user", "activity"])
    );
    let own = Trail { evidence: received };
    let own = own.run(&south.node, &south.node.owner()).await.unwrap();
    assert_eq!((own.page_views, own.file_downloads), (0, 1));
    assert!(
        own.events
            .iter()
            .all(|event| event.activity != "video played")
    );
}

/// What only some may see is neither shown nor counted as an event to others, and nobody else hides what they do.
#[tokio::test]
async fn confidential_activity_is_for_who_may_see_it() {
    let (north, _, item) = two().await;
    let owner = north.node.owner();
    look(&north, &owner, item, true).await;
    look(&north, &owner, item, false).await;
    let kim = north.person("Kim", "").await.unwrap();
    let auditor = Caller {
        permissions: holds(AUDITOR),
        ..caller(&kim)
    };
    let trail = Trail { evidence: item };
    let seen = trail.clone().run(&north.node, &auditor).await.unwrap();
    assert_eq!(seen.confidential_activity, Confidential::NotIncluded);
    let all = trail.run(&north.node, &owner).await.unwrap();
    assert_eq!(seen.events.len() + 1, all.events.len());
    let about = audit::Show {
        about: Some(item.to_string()),
        ..audit::Show::default()
    };
    let page = about.run(&north.node, &auditor).await.unwrap();
    let hidden = |record: &&audit::Record| record.body == audit::BodyState::Confidential;
    let hidden: Vec<_> = page.records.iter().filter(hidden).collect();
    assert_eq!(hidden.len(), 1);
    assert!(hidden[0].details.is_none() && hidden[0].actor.is_none());
    let investigator = Caller {
        permissions: holds(INVESTIGATOR),
        ..caller(&kim)
    };
    let show = Show {
        evidence: item,
        confidential: true,
    };
    let error = show.run(&north.node, &investigator).await.unwrap_err();
    assert!(matches!(
        error.kind,
        ErrorKind::Forbidden | ErrorKind::NotFound
    ));
}
