//! Texts: the configuration, a backup's manifest, names of files; and what is sealed under leases.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use chrono::DateTime;
use interdocket_proto::v1;
use interdocket_sync::identity::OrganisationId;
use prost::Message as _;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::Input;
use crate::actions::evidence::{note, trail};
use crate::backup::manifest::Manifest;
use crate::config::Config;
use crate::federation::lease;
use crate::seal::{PART, Seal, parts};
use crate::signin::{password, totp};
use crate::{text, web};

/// The file that a person edits.
pub(super) fn config(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    match Config::parse(text, PathBuf::from("interdocket.toml")) {
        Ok(config) => {
            let again = Config::parse(&config.render(), PathBuf::new());
            assert_eq!(again.ok(), Some(config));
        }
        Err(error) => assert!(error.to_string().contains("line ")),
    }
}

/// What a backup says of itself.
pub(super) fn manifest(bytes: &[u8]) {
    let Ok(manifest) = Manifest::decode(bytes) else {
        return;
    };
    assert_eq!(Manifest::decode(&manifest.encode()).as_ref(), Ok(&manifest));
    for path in manifest.files.keys() {
        let plain = |part| matches!(part, Component::Normal(_));
        assert!(Path::new(path).components().all(plain), "{path:?}");
    }
}

/// What a partner's node says that people noted and marked there.
pub(super) fn document(bytes: &[u8]) {
    let source = OrganisationId::from_bytes([7; 32]);
    let notes = trail::notes_of(bytes, source);
    assert!(notes.len() <= note::NOTES_MAX);
    for note in &notes {
        // Nobody there is taken for somebody here.
        assert!(note.by.organisation.is_some() && note.text.len() <= note::NOTE_MAX);
    }
    let again = serde_json::to_vec(&note::Noted {
        notes: notes.clone(),
    });
    assert_eq!(
        trail::notes_of(&again.expect("text for keys"), source),
        notes
    );
    let markers = trail::markers_of(bytes);
    assert!(markers.len() <= note::MARKERS_MAX);
    for marker in &markers {
        assert_eq!(marker.is, note::MarkerIs::FileBookmark);
    }
    let again = serde_json::to_vec(&note::Marked {
        markers: markers.clone(),
    });
    assert_eq!(trail::markers_of(&again.expect("text for keys")), markers);
}

/// fault D1, D5: names of cases, files and organisations, one a line.
pub(super) fn name(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let shown = text::display(&text);
    assert!(!shown.contains(text::is_hidden));
    assert_eq!(text::display(&shown), shown);
    let mut names = text::Names::default();
    let mut given = BTreeSet::new();
    for line in text.split('\n').take(64) {
        let name = names.claim(line);
        assert!(given.insert(name.to_lowercase()), "{name:?} is given twice");
        in_folder(&name);
        in_folder(&text::file_name(line));
        assert_eq!(
            text::file_name(&text::file_name(line)),
            text::file_name(line)
        );
        web::fuzz::named(line);
    }
}

/// A file directly in a folder, on Linux, Windows and macOS.
fn in_folder(name: &str) {
    let mut parts = Path::new(name).components();
    assert!(matches!(parts.next(), Some(Component::Normal(part)) if part == name));
    assert_eq!(parts.next(), None);
    assert!(name.len() <= text::NAME_BYTES_MAX && !name.starts_with('-'));
    assert!(!name.contains(['/', '\\', ':', '*', '?', '"', '<', '>', '|']));
    assert!(!name.contains(text::is_hidden));
    assert!(!name.ends_with(['.', ' ']), "{name:?}");
    let device = name.split('.').next().unwrap_or_default().trim_end();
    assert!(
        !["con", "nul", "aux", "prn", "com1", "lpt9"].contains(&device.to_lowercase().as_str())
    );
}

/// A password and a code as a stranger types them, with what others know of somebody, one a line.
pub(super) fn sign_in(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (typed, known) = text.split_once('\n').unwrap_or((&text, ""));
    let known: Vec<String> = known.split('\n').take(8).map(str::to_owned).collect();
    if let Ok(plain) = password::taken(typed, &known) {
        assert!(plain.chars().count() >= password::CHARS_MIN);
        assert_eq!(
            *password::plain(&plain),
            *plain,
            "what is hashed stays as it is"
        );
        // What was taken is what people sign in with.
        assert_eq!(*password::plain(typed), *plain);
    }
    let now = DateTime::from_timestamp(1_767_225_600, 0).expect("it is a time");
    let own = totp::code(&[7; 20], 1_767_225_600 / 30);
    let counts = totp::matched(&[7; 20], typed, now).is_some();
    assert!(!counts || typed.len() == own.len());
    let user = Uuid::from_u128(7);
    let grouped = totp::grouped(bytes);
    let typed = grouped.to_lowercase().replace('-', " ");
    assert_eq!(totp::hash(user, &typed), totp::hash(user, &grouped));
}

/// What an owner lends, and what is sealed under it: whatever is not what was sealed stays closed.
pub(super) fn sealed(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let size = input.number() % (interdocket_sync::blob::MAX_SIZE + 1);
    let covered = u64::from(parts(size)) * PART;
    assert!(covered >= size && covered - size < PART);
    let seal = Seal::new(Uuid::from_u128(7), Zeroizing::new([7; 32]));
    let (about, plain) = (input.some(16), input.some(64));
    let mut closed = seal.close(about, plain, [9; 12]);
    assert_eq!(seal.open(about, &closed).as_deref(), Some(plain));
    let at = input.below(closed.len());
    let flip = input.byte();
    closed[at] ^= flip;
    assert_eq!(seal.open(about, &closed).is_some(), flip == 0);
    let rest = input.rest();
    // Nobody has the key.
    assert_eq!(seal.open(b"", rest), None);
    if let Some(lease) = v1::Lease::decode(rest).ok().and_then(lease::read) {
        let opened = lease
            .seal()
            .open(about, &lease.seal().close(about, plain, [9; 12]));
        assert_eq!(opened.as_deref(), Some(plain));
    }
}
