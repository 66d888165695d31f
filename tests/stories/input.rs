//! Input that is wrong, hostile or strange.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use interdocket_tests::files::{MIB, noise, write};
use interdocket_tests::node::text;
use interdocket_tests::skip::skip;
use interdocket_tests::world::{case, copy, delivered, share, whole};
use interdocket_tests::{Reach, World};
use serde_json::{Value, json};

/// fault A6
#[test]
fn what_does_not_exist_is_said_to_be_unknown() {
    let world = World::new();
    let north = world.node("north", Reach::Dialable);
    let id = "0197a3e4-5b6c-7d8e-9f00-112233445566";
    north.call(&["case", "create", "2026-17", "--title", "Fire"]);
    for arguments in [
        &["case", "show", "2026-99"][..],
        &["case", "show", id],
        &["case", "close", "2026-99"],
        &["evidence", "list", "2026-99"],
        &["evidence", "add", "2026-99", "/etc/hostname"],
        &["evidence", "show", id],
        &["evidence", "get", id],
        &["partner", "show", "South Police"],
        &["partner", "suspend", "South Police"],
        &["share", "show", id],
        &["share", "add", id],
        &["share", "end", id],
        &["share", "cancel", id],
        &["share", "copy", "2026-17", "--partner", "South Police"],
        &["share", "copy", "2026-99", "--partner", "South Police"],
        &["token", "add", "Kim"],
    ] {
        let refused = north.refused(arguments);
        assert_eq!(
            (refused.code, refused.kind.as_str()),
            (5, "not_found"),
            "{arguments:?}: {refused:?}"
        );
        assert!(!refused.hints.is_empty(), "{arguments:?}: {refused:?}");
    }
    let again = north.refused(&["case", "create", "2026-17", "--title", "Fire"]);
    assert_eq!(again.code, 6, "{again:?}");
    assert_eq!(north.refused(&["partner", "accept", "nonsense"]).code, 3);
}

/// fault D1, fault D5
#[test]
fn hostile_names_are_kept_shown_escaped_and_exported_safely() {
    let world = World::new();
    let (north, south) = world.pair();
    let source = world.path("source");
    write(&source, "harmless");
    north.call(&["case", "create", "2026-17", "--title", "Fire"]);
    let names = [
        "../../../etc/passwd",
        "/etc/passwd",
        "..",
        "C:\\windows\\CON",
        "CON.txt",
        "-rf",
        "line\nbreak",
        "\u{1b}[2Jcleared",
        "evil\u{202e}gpj.exe",
        "zero\u{200b}width",
        "trailing. ",
        "Skärgård.txt",
    ];
    let mut items = Vec::new();
    for name in names {
        let body = json!({ "path": source, "name": name });
        let (status, item) = north.post("/v0/cases/2026-17/evidence", &body);
        assert_eq!(status, 200, "{name:?}: {item}");
        assert_eq!(item["files"][0]["name"], name, "names are data");
        items.push(text(&item["id"]));
    }
    let id = copy(&north, "2026-17", &south);
    delivered(&north, &south, &id);
    let there = text(&share(&south, &id)["case"]);
    for (node, number) in [(&north, "2026-17"), (&south, there.as_str())] {
        let shown = node.shown(&["evidence", "list", number]);
        for hidden in ['\u{1b}', '\u{202e}', '\u{200b}'] {
            assert!(!shown.contains(hidden), "{hidden:?} in {shown:?}");
        }
        for item in node.call(&["evidence", "list", number])["evidence"]
            .as_array()
            .unwrap()
        {
            let folder = world.path(&format!("out-{}-{}", node.name, text(&item["id"])));
            fs::create_dir(&folder).unwrap();
            let output = folder.display().to_string();
            let got = node.call(&["evidence", "get", &text(&item["id"]), "--output", &output]);
            let path = std::path::PathBuf::from(text(&got["path"]));
            assert_eq!(path.parent(), Some(folder.as_path()), "{item}");
            assert_eq!(fs::read_to_string(path).unwrap(), "harmless");
            assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        }
    }
    for folder in ["..", "a/../b", "/a", "a/"] {
        let (status, error) = north.post(
            "/v0/cases/2026-17/evidence",
            &json!({ "path": source, "folder": folder }),
        );
        assert_eq!(status, 400, "{folder}: {error}");
    }
    let refused = north.refused(&["case", "create", "a\u{7}b", "--title", "x"]);
    assert_eq!(refused.code, 3, "{refused:?}");
}

/// fault D5
#[test]
fn hostile_names_from_a_disk_are_kept_and_shown_escaped() {
    let world = World::new();
    let north = world.node("north", Reach::Dialable);
    let folder = world.path("seized");
    for name in [
        "tab\there",
        "\u{202e}gpj.exe",
        "-rf",
        "...",
        "esc\u{1b}[31m",
    ] {
        write(&folder.join(name), name);
    }
    let ran = north.shown(&["case", "create", "2026-17", "--title", "Fire"]);
    assert!(!ran.contains("error"), "{ran}");
    let shown = north.shown(&["evidence", "add", "2026-17", &folder.display().to_string()]);
    assert!(!shown.contains(['\u{1b}', '\u{202e}']), "{shown:?}");
    let listed = north.call(&["evidence", "list", "2026-17"]);
    assert_eq!(listed["evidence"].as_array().unwrap().len(), 5);
    assert!(!north.log().contains(['\u{1b}', '\u{202e}']));
}

fn nothing(node: &interdocket_tests::Node) {
    let listed = node.call(&["evidence", "list", "2026-17"]);
    assert_eq!(
        listed["evidence"],
        Value::Array(Vec::new()),
        "nothing is half there"
    );
}

/// fault E4
#[test]
fn what_is_no_readable_file_is_refused_by_name() {
    let world = World::new();
    let north = world.node("north", Reach::Dialable);
    north.call(&["case", "create", "2026-17", "--title", "Fire"]);
    let folder = world.path("folder");
    fs::create_dir(&folder).unwrap();
    let fifo = world.path("fifo");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    for path in [
        world.path("gone"),
        folder,
        fifo.clone(),
        "/dev/zero".into(),
        "relative".into(),
    ] {
        let (status, error) = north.post("/v0/cases/2026-17/evidence", &json!({ "path": path }));
        assert_eq!(status, 400, "{}: {error}", path.display());
        assert!(
            text(&error["message"]).contains(path.to_str().unwrap()),
            "{error}"
        );
    }
    let gone = world.path("gone").display().to_string();
    let refused = north.refused(&["evidence", "add", "2026-17", &gone]);
    assert_eq!(refused.code, 1);
    assert_eq!(
        refused.reply["failed"][0]["path"],
        gone.as_str(),
        "{refused:?}"
    );
    let added = north.call(&["evidence", "add", "2026-17", &fifo.display().to_string()]);
    assert_eq!(
        added["skipped"][0]["path"],
        fifo.to_str().unwrap(),
        "{added}"
    );
    nothing(&north);
    whole(&north);
}

#[test]
fn file_that_changes_while_it_is_read_is_refused() {
    let world = World::new();
    let north = world.node("north", Reach::Dialable);
    north.call(&["case", "create", "2026-17", "--title", "Fire"]);
    let path = world.path("growing.log");
    noise(&path, 48, 5);
    let done = AtomicBool::new(false);
    let refused = thread::scope(|scope| {
        scope.spawn(|| {
            let mut file = OpenOptions::new().append(true).open(&path).unwrap();
            while !done.load(Ordering::Relaxed) {
                file.write_all(b"one line more\n").unwrap();
                thread::yield_now();
            }
        });
        let refused = north.try_call(&["evidence", "add", "2026-17", &path.display().to_string()]);
        done.store(true, Ordering::Relaxed);
        refused
    });
    let refused = refused.unwrap_err();
    let reason = text(&refused.reply["failed"][0]["reason"]);
    assert!(reason.contains("changed while it was read"), "{reason}");
    nothing(&north);
    north.call(&["evidence", "add", "2026-17", &path.display().to_string()]);
}

/// fault C2
#[test]
fn empty_file_arrives_as_an_empty_file() {
    let world = World::new();
    let (north, south) = world.pair();
    let path = world.path("empty.jpg");
    write(&path, "");
    case(&north, "2026-17", &[&path]);
    let id = copy(&north, "2026-17", &south);
    let whole = delivered(&north, &south, &id);
    assert_eq!(
        (&whole["stored"]["files"], &whole["stored"]["bytes"]),
        (&json!(1), &json!(0))
    );
    let there = south.call(&["evidence", "list", &text(&share(&south, &id)["case"])]);
    let item = text(&there["evidence"][0]["id"]);
    let out = world.path("out.jpg");
    south.call(&[
        "evidence",
        "get",
        &item,
        "--output",
        &out.display().to_string(),
    ]);
    assert_eq!(fs::metadata(out).unwrap().len(), 0);
}

#[test]
fn file_over_four_gib_arrives_whole() {
    if std::env::var_os("INTERDOCKET_LARGE").is_none() {
        return skip("it takes a while: set INTERDOCKET_LARGE=1, as tests/run does");
    }
    let world = World::new();
    let (north, south) = world.pair();
    let path = world.path("image.dd");
    let size = 4 * 1024 * MIB + 100 * MIB + 1;
    File::create(&path).unwrap().set_len(size).unwrap();
    case(&north, "2026-17", &[&path]);
    let id = copy(&north, "2026-17", &south);
    assert_eq!(delivered(&north, &south, &id)["stored"]["bytes"], size);
}
