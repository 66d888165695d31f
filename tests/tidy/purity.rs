//! sync is pure: two nodes that are given the same reach the same answer.
//!
//! sync/clippy.toml refuses the same by type; here names are refused, which no feature or alias of a
//! dependency changes, and the list of dependencies is held to what has a reason.

use crate::source::{holds, read, sources};

#[test]
fn sync_depends_only_on_what_is_listed_with_a_reason() {
    let manifest = read("sync/Cargo.toml");
    let found: Vec<&str> = table(&manifest, "dependencies").map(name).collect();
    let listed: Vec<&str> = DEPENDENCIES.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        found, listed,
        "sync/Cargo.toml and this list differ; a dependency needs a reason"
    );
    for header in manifest.lines().filter(|line| line.starts_with('[')) {
        let known = [
            "[package]",
            "[dependencies]",
            "[dev-dependencies]",
            "[lints]",
        ];
        assert!(
            known.contains(&header),
            "sync/Cargo.toml must not have {header}"
        );
    }
}

#[test]
fn no_dependency_of_sync_brings_a_clock_or_randomness() {
    let manifest = read("sync/Cargo.toml");
    for line in table(&manifest, "dependencies") {
        let bare = format!("{}.workspace = true", name(line));
        assert_eq!(
            line, bare,
            "sync takes what the workspace has, without further features"
        );
    }
    let workspace = read("Cargo.toml");
    for (dependency, impure) in [("chrono", &["clock", "now"][..]), ("uuid", &["v4", "v7"])] {
        let mut lines = table(&workspace, "workspace.dependencies");
        let line = lines.find(|line| name(line) == dependency).unwrap();
        for feature in impure {
            assert!(
                !line.contains(&format!("\"{feature}\"")),
                "{dependency} has {feature}"
            );
        }
    }
}

#[test]
fn lint_settings_of_sync_repeat_those_of_the_root() {
    let sync = read("sync/clippy.toml");
    let settings = |line: &&str| line.contains(" = ") && !line.starts_with([' ', '#', 'd']);
    for line in read("clippy.toml").lines().filter(settings) {
        assert!(
            sync.lines().any(|found| found == line),
            "sync/clippy.toml lacks {line}"
        );
    }
    for name in ["HashMap", "Utc::now", "std::println"] {
        assert!(
            sync.contains(name),
            "sync/clippy.toml does not refuse {name}"
        );
    }
}

#[test]
fn sync_has_no_clock_no_chance_no_machine_and_no_order_by_hash() {
    let mut faults = Vec::new();
    for source in sources("sync/src") {
        let code = source.code();
        for (pattern, reason) in IMPURE.iter().filter(|(pattern, _)| holds(&code, pattern)) {
            faults.push(format!("{}: {pattern}: {reason}", source.path));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_limit_says_what_it_bounds_and_why() {
    let text = read("sync/src/limits.rs");
    let mut document = String::new();
    for line in text.lines().map(str::trim) {
        if let Some(words) = line.strip_prefix("///") {
            document.push_str(words);
        } else if line.contains("const ") && !line.starts_with("const _:") {
            assert!(
                document.len() >= REASON_BYTES_MIN,
                "limits.rs: no unit and reason: {line}"
            );
            document.clear();
        } else if !line.starts_with("#[") {
            document.clear();
        }
    }
}

/// The lines of one table of a manifest, without comments.
fn table<'a>(manifest: &'a str, name: &str) -> impl Iterator<Item = &'a str> + use<'a> {
    let header = format!("[{name}]");
    manifest
        .lines()
        .skip_while(move |line| *line != header)
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn name(line: &str) -> &str {
    line.split(['.', ' ', '=']).next().unwrap()
}

/// What sync may depend on, in the order of its manifest, each with the reason.
const DEPENDENCIES: [(&str, &str); 8] = [
    (
        "interdocket-proto",
        "the messages that nodes exchange, without stubs",
    ),
    ("chrono", "times that come in as arguments, without a clock"),
    ("hmac", "proofs of an invitation's secret"),
    ("prost", "the bytes of messages"),
    ("serde", "records and replies that keep what sync decides"),
    ("sha2", "chains, heads, terms and receipts"),
    ("thiserror", "errors"),
    ("uuid", "ids that come in as arguments, without randomness"),
];

/// What makes an answer depend on more than the arguments.
const IMPURE: [(&str, &str); 23] = [
    ("std::time", "a clock; time comes in as an argument"),
    ("Instant", "a clock; time comes in as an argument"),
    ("SystemTime", "a clock; time comes in as an argument"),
    ("Utc::now", "a clock; time comes in as an argument"),
    ("Local::now", "a clock; time comes in as an argument"),
    (
        "Uuid::now_v7",
        "a clock and randomness; ids come in as arguments",
    ),
    ("Uuid::new_v4", "randomness; ids come in as arguments"),
    ("rand", "randomness; it comes in as bytes"),
    ("getrandom", "randomness; it comes in as bytes"),
    ("std::fs", "files are the node's"),
    ("std::io", "files and sockets are the node's"),
    ("std::net", "sockets are the node's"),
    ("std::process", "processes are the node's"),
    ("std::env", "the environment differs between nodes"),
    (
        "std::thread",
        "the order of threads differs from run to run",
    ),
    ("async", "what waits is the node"),
    ("HashMap", "its order differs from run to run: BTreeMap"),
    ("HashSet", "its order differs from run to run: BTreeSet"),
    ("RandomState", "its order differs from run to run"),
    ("static mut", "state that no argument shows"),
    ("println!", "what happens goes out as values"),
    ("eprintln!", "what happens goes out as values"),
    ("tracing", "what happens goes out as values"),
];

/// Shorter than this a doc names no unit and no reason.
const REASON_BYTES_MIN: usize = 40;
