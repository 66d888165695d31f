//! The smoke run: every target over its corpus and mutations of it, with the seeds that the corpus was
//! made from. More of it was found by libFuzzer.

use chrono::DateTime;
use interdocket_sync::blob::{Digest, Sha256};
use interdocket_sync::id::{CaseId, ShareId};
use interdocket_sync::identity::OrganisationId;
use prost::Message as _;
use serde::Serialize;
use uuid::Uuid;

use super::{TARGETS, smoke};
use crate::actions::Way;
use crate::actions::partner::Kind;
use crate::backup::manifest::{File, Manifest};
use crate::event::{
    Bytes, Entry, Event, GroupChanged, NodeRewound, PartnerEnabled, RecipientsAsked,
};
use crate::journal::Head;
use crate::store::entity;
use crate::{blobs, journal, keys};

type Seeds = Vec<(&'static str, Vec<u8>)>;

fn smoke(name: &str, seeds: Seeds, mutations: usize) {
    let found = TARGETS.into_iter().find(|target| target.0 == name);
    smoke::run(found.unwrap(), seeds, mutations);
}

fn cbor(table: &[u8], value: &impl Serialize) -> Vec<u8> {
    let mut bytes = table.to_vec();
    ciborium::into_writer(value, &mut bytes).unwrap();
    bytes
}

fn texts<const N: usize>(texts: [(&'static str, &str); N]) -> Seeds {
    texts.map(|(name, text)| (name, text.into())).to_vec()
}

#[test]
fn requests_that_are_read_are_said_again() {
    let ask = |action: u8, path: &str, query: &str, body: &str| {
        let part = |text: &str| [&[text.len() as u8][..], text.as_bytes()].concat();
        [vec![action], part(path), part(query), body.into()].concat()
    };
    let seeds = vec![
        ("status", ask(0, "", "", "")),
        ("page", ask(30, "2026-7", "after=7&limit=3&all=true", "")),
        (
            "body",
            ask(
                31,
                "2026-7",
                "",
                r#"{"number":"2026-7","title":"Fire","limit":1}"#,
            ),
        ),
        (
            "share",
            ask(
                60,
                "",
                "",
                r#"{"case":"2026-7","partner":"south","recipients":["Sol"]}"#,
            ),
        ),
        (
            "unknown",
            ask(5, "x", "y=%00", r#"{"a":{"b":[1,2.5,null]}}"#),
        ),
    ];
    smoke("api", seeds, 400);
}

#[test]
fn packs_and_marks_are_what_was_written() {
    smoke("blob", blobs::fuzz::seeds(), 500);
}

/// fault B12
#[test]
fn certificates_count_for_their_organisation_only() {
    smoke("certificate", keys::fuzz::seeds(), 500);
}

#[test]
fn configurations_that_are_read_are_written_as_what_reads_the_same() {
    let example = include_str!("../../../deploy/interdocket.toml");
    let plain: Vec<&str> = example
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    let seeds = texts([
        ("example", &plain.join("\n")),
        ("section", "[federation]\nlisten = 7\n"),
    ]);
    smoke("config", seeds, 500);
}

/// fault E7
#[test]
fn journals_open_as_what_they_were_or_stay_as_they_are() {
    smoke("journal", journal::fuzz::seeds(), 800);
}

#[test]
fn keys_stay_what_they_are_and_erased_ones_erased() {
    let seeds = vec![
        ("file", vec![0, 1, 0, 0, 9]),
        ("used", vec![1, 0, 1, 5, 3, 0, 2, 1, 6, 3, 0, 1, 7, 3, 0]),
        (
            "failing",
            vec![1, 0, 1, 5, 3, 0, 4, 1, 0, 2, 6, 3, 0, 6, 1, 5, 0, 0, 3, 3],
        ),
        ("slots", [vec![0], vec![0; 128], vec![2, 1, 3, 7]].concat()),
    ];
    smoke("keyring", seeds, 800);
}

#[test]
fn manifests_list_places_inside_a_data_directory() {
    let file = File {
        size: 3,
        blake3: Digest([7; 32]),
    };
    let manifest = Manifest {
        organisation: OrganisationId::from_bytes([5; 32]),
        made_at: DateTime::from_timestamp(1_767_225_600, 0).unwrap(),
        head: Head {
            count: 9,
            hash: [1; 32],
        },
        files: [
            ("interdocket.toml".into(), file),
            ("blobs/own/ab/x".into(), file),
        ]
        .into(),
    };
    smoke("manifest", vec![("two", manifest.encode())], 1500);
}

/// fault D1, D5
#[test]
fn names_stay_in_their_folder_and_hide_nothing() {
    let seeds = texts([
        (
            "paths",
            "../../etc/passwd\nC:\\Windows\\x.dll\n..\n-rf\nreport.pdf. ",
        ),
        ("devices", "CON\ncom1.txt\nnul .tar.gz\nLPT\u{b9}\naux."),
        (
            "hidden",
            "photo\u{202e}gpj.exe\n\u{1b}[2J\na\u{200b}b\n\u{feff}x",
        ),
        ("same", "a.txt\nA.TXT\na (2).txt\na.txt\n\u{130}\ni\u{307}"),
        (
            "long",
            &["x".repeat(300), "\u{fc}".repeat(200), ".y".repeat(150)].join("\n"),
        ),
    ]);
    smoke("name", seeds, 1500);
}

#[test]
fn passwords_and_codes_are_taken_as_they_are_typed_or_not_at_all() {
    let seeds = texts([
        ("fit", "nine quiet herons at dusk"),
        ("common", "P@ssw0rd!2026"),
        (
            "personal",
            "kim-berg-2026\nKim Berg\nkim.berg@north.example\n4711",
        ),
        ("composed", "Gru\u{308}ne Wiese \u{fb03} \u{2126}"),
        ("code", "123456"),
        ("grown", "\u{fdfa}\u{fdfa}\u{fdfa}\u{fdfa}"),
    ]);
    smoke("sign-in", seeds, 500);
}

#[test]
fn records_that_are_read_are_written_as_what_reads_the_same() {
    let entry = |event| Entry {
        actor: None,
        way: Way::Timer,
        event,
    };
    let id = |number: u128| Uuid::from_u128(number);
    let organisation = OrganisationId::from_bytes([5; 32]);
    let seeds = vec![
        ("closed", entry(Event::CaseClosed(CaseId::new(id(7))))),
        (
            "rewound",
            entry(Event::NodeRewound(NodeRewound {
                partner: organisation,
                above: 7,
                shown: Bytes(vec![0, 250, 251]),
            })),
        ),
        (
            "group",
            entry(Event::GroupChanged(GroupChanged {
                group: id(1),
                added: vec![id(2), id(3)],
                removed: Vec::new(),
            })),
        ),
        (
            "enabled",
            entry(Event::PartnerEnabled(PartnerEnabled {
                organisation,
                send: [Kind::Copy, Kind::Reference].into(),
                receive: [Kind::Advanced].into(),
            })),
        ),
        (
            "asked",
            entry(Event::RecipientsAsked(RecipientsAsked {
                partner: organisation,
                known: vec!["Bea".into()],
                unknown: 3,
            })),
        ),
    ];
    let seeds = seeds
        .into_iter()
        .map(|(name, entry)| (name, entry.encode()));
    let mut seeds: Seeds = seeds.collect();
    // A length that is only stated: bytes of 4 GiB.
    seeds.push((
        "long",
        [&seeds[1].1[..40], &[0x5b, 0, 0, 0, 1, 0, 0, 0, 0]].concat(),
    ));
    smoke("record", seeds, 2000);
}

#[test]
fn rows_that_are_read_are_written_as_what_reads_the_same() {
    let token = entity::Token {
        user: Uuid::from_u128(7),
        made_at: DateTime::UNIX_EPOCH,
        expires_at: DateTime::from_timestamp(1_767_225_600, 0).unwrap(),
    };
    let seeds = vec![
        ("token", cbor(&[2], &token)),
        (
            "onward",
            cbor(&[11], &vec!["Bea".to_owned(), "Cem".to_owned()]),
        ),
        ("number", cbor(&[19], &7_u64)),
        (
            "long",
            [&[11][..], &[0x9b, 0, 0, 0, 1, 0, 0, 0, 0]].concat(),
        ),
        (
            "text",
            [&[11][..], &[0x81, 0x7b, 0, 0, 0, 1, 0, 0, 0, 0]].concat(),
        ),
        (
            "bytes",
            [
                &[4][..],
                &[
                    0xa1, 0x64, b'r', b'o', b'o', b't', 0x5b, 0, 0, 0, 1, 0, 0, 0, 0,
                ],
            ]
            .concat(),
        ),
    ];
    smoke("row", seeds, 2000);
}

#[test]
fn keys_of_rows_are_found_again() {
    let share = ShareId::new(Uuid::from_u128(7));
    let fact = [&[4][..], share.as_bytes(), &[2], &[3; 16], &[0, 0, 0, 1]].concat();
    let seeds = vec![
        ("fact", fact),
        (
            "batch",
            [&[9][..], share.as_bytes(), &[1], &[0; 8]].concat(),
        ),
        ("text", vec![1, 0xc3, 0xbc]),
        ("digest", [&[12][..], &Sha256([1; 32]).0].concat()),
    ];
    smoke("row-key", seeds, 3000);
}

#[test]
fn nothing_opens_but_what_was_sealed() {
    let lease = interdocket_proto::v1::Lease {
        share: vec![7; 16].into(),
        key: vec![9; 32].into(),
        seconds: 900,
    };
    let start = [9, 3, b'a', b'b', b'c', 4, 1, 2, 3, 4, 20, 1];
    let seeds = vec![
        ("lease", [&start[..], &lease.encode_to_vec()].concat()),
        ("sealed", [&start[..], &[0; 40]].concat()),
    ];
    smoke("sealed", seeds, 1500);
}

#[test]
fn both_engines_say_the_same() {
    let seeds = vec![
        ("put", vec![0, 2, 0, 4, 9, 1, 7, 0x20, 7, 0, 5, 0, 1, 9, 3]),
        (
            "delete",
            vec![0, 1, 0, 4, 9, 0, 1, 0, 4, 0x90, 7, 6, 0, 1, 2],
        ),
        (
            "large",
            vec![0, 1, 0, 0xf8, 0x48, 0, 1, 0, 0xf9, 9, 0, 1, 0, 3, 0x49, 7],
        ),
    ];
    smoke("store", seeds, 25);
}

/// fault A12, C1, C2, C3
#[test]
fn bent_streams_give_nothing_but_the_files_bytes() {
    let seeds = vec![
        ("whole", vec![5, 0, 0, 0, 255, 255]),
        ("ranges", vec![7, 2, 0, 9, 100, 8, 0, 0, 40]),
        ("flipped", vec![4, 0, 0, 3, 1, 0, 0, 9, 0, 200, 200]),
        ("repeated", vec![5, 0, 0, 3, 20, 99, 3, 3, 9, 9, 1, 0, 90]),
        ("claimed", vec![3, 0, 7, 255, 0, 9]),
    ];
    smoke("stream", seeds, 300);
}

#[test]
fn notes_and_markers_of_partners_are_bounded_and_nobodys_here() {
    let seeds = texts([
        (
            "notes",
            r#"{"notes":[{"at":"2026-01-02T03:04:05Z","by":{"text":"Ada (4711)","organisation":null},"text":"seen"}]}"#,
        ),
        (
            "markers",
            r#"{"markers":[{"position":12000,"title":"Plate","kind":"signal","is":"file_marker"}]}"#,
        ),
        ("neither", r#"{"notes":{},"markers":[[]]}"#),
    ]);
    smoke("document", seeds, 500);
}
