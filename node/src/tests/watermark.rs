//! The watermark of video that was received: drawn by a program into a rendition, or told beside the video; the
//! original stays as it is.

use interdocket_sync::id::EvidenceId;
use tokio_util::sync::CancellationToken;

use crate::actions::evidence::{Edit, Evidence, Get, List, Purpose, Rendition, RenditionState};
use crate::actions::{Caller, Error, ErrorKind, Query as _, case};
use crate::jobs::watermark::look;
use crate::store::table;
use crate::tests::bench::{Bench, caller, noon, pair, settle};
use crate::tests::erase::sweep;
use crate::tests::links;
use crate::tests::retention::delete;

/// Stands in for ffmpeg.
const FFMPEG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/tests/watermark/ffmpeg");
const NONE: &str = "/nowhere/ffmpeg";

const RECORDED: &str = "2026-01-02T03:04:05.678901+05:30";
const MODEL: &str = "Body 3 %{localtime}:'x'";
const SERIAL: &str = "X81-4711";

/// Two organisations, of which one received this from the other, a file with all that a watermark says.
async fn copied(name: &str, bytes: &[u8]) -> (Bench, Bench) {
    let (north, south) = pair().await;
    north.case("1/26").await;
    let item = north.evidence("1/26", name, bytes).await;
    let field = |(name, text): (&str, &str)| (name.to_owned(), Some(text.to_owned()));
    let fields = [
        ("recorded_on", RECORDED),
        ("device_model", MODEL),
        ("device_serial", SERIAL),
    ];
    let edit = Edit {
        evidence: item.id,
        title: None,
        folder: None,
        case: None,
        fields: fields.map(field).into(),
    };
    north.change(edit).await.unwrap();
    let share = north.copy("1/26", "south").await.unwrap().id;
    settle(&north, &south, share).await;
    (north, south)
}

/// The one item of the case.
fn item(at: &Bench) -> Evidence {
    let reading = at.node.parts().store.read();
    let list = List {
        case: "1/26".into(),
        after: None,
        limit: None,
        uncategorised: false,
    };
    let page = list.answer(&reading.view(), &at.node.owner(), noon());
    let mut items = page.unwrap().evidence;
    assert_eq!(items.len(), 1);
    items.remove(0)
}

/// The one rendition of that item.
fn rendition(at: &Bench) -> Rendition {
    let mut renditions = item(at).renditions;
    assert_eq!(renditions.len(), 1);
    renditions.remove(0)
}

async fn draw(at: &Bench, ffmpeg: &str) {
    let stop = CancellationToken::new();
    look(&at.node, ffmpeg, &stop).await.unwrap();
    let folder = at.node.parts().data.join("rendering");
    assert!(!folder.exists(), "nothing of it lies about");
}

async fn read(
    at: &Bench,
    who: &Caller,
    evidence: EvidenceId,
    original: bool,
) -> Result<Vec<u8>, Error> {
    let get = Get {
        evidence,
        file: 0,
        original,
        purpose: Purpose::Playback,
        confidential: false,
    };
    let mut opened = at.node.open_evidence(who, get).await?;
    let mut bytes = Vec::new();
    while let Some(piece) = opened.bytes.recv().await {
        bytes.extend_from_slice(&piece.unwrap());
    }
    Ok(bytes)
}

/// AE-099 to AE-102, Q5
#[tokio::test]
async fn copied_video_is_played_with_its_watermark_and_the_original_stays_as_it_is() {
    let bytes = b"moving pictures".as_slice();
    let (north, south) = copied("a.mp4", bytes).await;
    draw(&south, FFMPEG).await;
    let (own, copy) = (item(&north), item(&south));
    let rendition = rendition(&south);
    assert_eq!(rendition.state, RenditionState::Rendered);
    let text = format!("From north\nRecorded {RECORDED}\nModel {MODEL}\nSerial {SERIAL}");
    assert_eq!(rendition.text, text);

    let somebody = south.person("Sam", "").await.unwrap();
    let access = case::Access {
        case: "1/26".into(),
        add: vec!["Sam".into()],
        remove: Vec::new(),
    };
    south.change(access).await.unwrap();
    let sam = caller(&somebody);
    let played = read(&south, &sam, copy.id, false).await.unwrap();
    let made = rendition.made.unwrap();
    assert_eq!(made.blake3.0, *blake3::hash(&played).as_bytes());
    assert_eq!(made.name, "a.watermark.mkv");
    let drawn = [bytes, text.as_bytes()].concat();
    let told = String::from_utf8(played.strip_prefix(&*drawn).unwrap().to_vec()).unwrap();
    assert!(told.contains("-nostdin") && told.contains("-protocol_whitelist file,pipe"));
    // A partner's text is in a file only: nothing of it is a filter.
    assert!(!told.contains("4711") && !told.contains("localtime"));

    let digests = |item: &Evidence| (item.files[0].blake3, item.files[0].sha256);
    assert_eq!(digests(&copy), digests(&own));
    assert_ne!(made.blake3, own.files[0].blake3);
    let refused = read(&south, &sam, copy.id, true).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Forbidden);
    let owner = south.node.owner();
    assert_eq!(read(&south, &owner, copy.id, true).await.unwrap(), bytes);
    south.rebuilds().await;

    // What goes on to others is the original; there it gets a watermark that says from whom it came.
    let harbour = Bench::new("harbour");
    south.trust(&harbour, None).await;
    harbour.trust(&south, None).await;
    let share = south.copy("1/26", "harbour").await.unwrap().id;
    settle(&south, &harbour, share).await;
    assert_eq!(digests(&item(&harbour)), digests(&own));
    draw(&harbour, NONE).await;
    assert!(self::rendition(&harbour).text.starts_with("From south\n"));
}

/// AE-099 to AE-102: where nothing draws, the text is there for whoever plays it, and what to do is said.
#[tokio::test]
async fn without_ffmpeg_the_watermark_stands_beside_the_video_until_there_is_one() {
    let bytes = b"moving pictures".as_slice();
    let (_north, south) = copied("a.mp4", bytes).await;
    let waits = rendition(&south);
    draw(&south, NONE).await;
    let overlay = rendition(&south);
    assert_eq!(overlay.state, RenditionState::Overlay);
    assert!(overlay.notice.contains("install ffmpeg"), "{overlay:?}");
    assert_eq!((&overlay.text, overlay.made), (&waits.text, None));
    for part in [RECORDED, MODEL, SERIAL] {
        assert!(overlay.text.contains(part), "{part}");
    }
    let (owner, id) = (south.node.owner(), item(&south).id);
    assert_eq!(read(&south, &owner, id, false).await.unwrap(), bytes);
    // It is told once.
    let told = south.about(id.uuid()).len();
    draw(&south, NONE).await;
    assert_eq!(south.about(id.uuid()).len(), told);
    south.rebuilds().await;

    draw(&south, FFMPEG).await;
    assert_eq!(rendition(&south).state, RenditionState::Rendered);
    assert_ne!(read(&south, &owner, id, false).await.unwrap(), bytes);
    south.rebuilds().await;
}

/// AE-099: what no program can draw into is told, and not tried again and again.
#[tokio::test]
async fn video_that_ffmpeg_cannot_read_has_its_watermark_beside_it() {
    let (_north, south) = copied("a.mp4", b"broken pictures").await;
    draw(&south, FFMPEG).await;
    let failed = rendition(&south);
    assert_eq!(failed.state, RenditionState::Overlay);
    assert!(failed.notice.contains("could not draw"), "{failed:?}");
    let told = south.about(item(&south).id.uuid()).len();
    draw(&south, FFMPEG).await;
    assert_eq!(south.about(item(&south).id.uuid()).len(), told);
    south.rebuilds().await;
}

/// AE-099
#[tokio::test]
async fn only_video_that_was_received_has_a_watermark() {
    let (north, south) = copied("a.mp4", b"moving pictures").await;
    draw(&north, FFMPEG).await;
    assert_eq!(item(&north).renditions, []);
    assert_eq!(item(&south).renditions.len(), 1);
    let (_north, south) = copied("a.txt", b"letters").await;
    draw(&south, FFMPEG).await;
    assert_eq!(item(&south).renditions, []);
}

/// Whoever holds a link may not read originals: it has what was drawn.
#[tokio::test]
async fn link_gives_received_video_with_its_watermark() {
    let original = b"moving pictures".as_slice();
    let (_north, south) = copied("a.mp4", original).await;
    draw(&south, FFMPEG).await;
    let create = links::create(3);
    let made = links::make(&south, create).await.unwrap();
    let files = links::unpack(&links::whole(&south, &made).await);
    let names: Vec<_> = files.keys().map(String::as_str).collect();
    assert_eq!(names, ["a.watermark.mkv", "manifest.json"]);
    assert_ne!(files["a.watermark.mkv"], original);
    let manifest = String::from_utf8_lossy(&files["manifest.json"]);
    assert!(manifest.contains("\"rendition\": true"));
    south.rebuilds().await;
}

#[tokio::test]
async fn what_was_drawn_is_erased_with_its_evidence() {
    for ffmpeg in [FFMPEG, NONE] {
        let (_north, south) = copied("a.mp4", b"moving pictures").await;
        draw(&south, ffmpeg).await;
        let (id, made) = (item(&south).id, rendition(&south).made);
        south.change(delete(id)).await.unwrap();
        sweep(&south).await;
        let tables = south.tables();
        let named = |what: &[u8]| {
            let holds = |bytes: &Vec<u8>| bytes.windows(what.len()).any(|window| window == what);
            tables.iter().any(|(_, value)| holds(value))
        };
        assert!(!named(SERIAL.as_bytes()));
        let held = |digest| {
            let reading = south.node.parts().store.read();
            reading.view().has(&table::BLOB, &digest).unwrap()
        };
        assert!(!made.is_some_and(|made| held(made.blake3)));
        south.rebuilds().await;
    }
}
