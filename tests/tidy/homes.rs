//! Each outside thing has one home in the node, and generated types stop where bytes become meaning.
//!
//! What a crate may depend on at all is said by its manifest, not here.

use std::process::Command;

use crate::source::{holds, root, sources};

#[test]
fn each_outside_thing_has_one_home() {
    let mut faults = Vec::new();
    for source in sources("node/src") {
        let code = source.code();
        for home in HOMES
            .iter()
            .filter(|home| !is_below(&source.path, home.folders))
        {
            for outside in home.crates.iter().filter(|name| names(&code, name)) {
                faults.push(format!(
                    "{}: {outside} lives in {:?}",
                    source.path, home.folders
                ));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn generated_types_do_not_reach_what_decides() {
    for source in sources("node/src") {
        if is_below(&source.path, &["actions", "access", "rules"]) {
            let reached = names(&source.code(), "interdocket_proto");
            assert!(
                !reached,
                "{}: generated types end before the actions",
                source.path
            );
        }
    }
}

struct Home {
    crates: &'static [&'static str],
    /// Modules of the node, as paths without ending.
    folders: &'static [&'static str],
}

const HOMES: [Home; 4] = [
    Home {
        crates: &["sled"],
        folders: &["store/sled"],
    },
    Home {
        crates: &[
            "rcgen",
            "rustls",
            "tokio_rustls",
            "tonic",
            "tonic_health",
            "tonic_prost",
            "tonic_reflection",
            "webpki",
            "x509_parser",
        ],
        folders: &["federation", "keys", "web/tls"],
    },
    Home {
        crates: &["axum"],
        folders: &["web"],
    },
    Home {
        crates: &["clap"],
        folders: &["cli", "main"],
    },
];

fn is_below(path: &str, modules: &[&str]) -> bool {
    let path = path.trim_start_matches("node/src/");
    modules.iter().any(|module| {
        let rest = path.strip_prefix(module);
        rest.is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
    })
}

/// Whether the code names the crate, and not a module of its own with the same name.
fn names(code: &[String], outside: &str) -> bool {
    let own = holds(code, &format!("mod {outside}"))
        || code.windows(3).any(|window| {
            window[0] == "::" && window[1] == outside && [";", ","].contains(&window[2].as_str())
        });
    let path = code.windows(3).any(|window| {
        ![".", "::"].contains(&window[0].as_str()) && window[1] == outside && window[2] == "::"
    });
    let absolute = [format!("use {outside} ;"), format!("use {outside} as")];
    (path && !own) || absolute.iter().any(|pattern| holds(code, pattern))
}

#[test]
fn module_with_the_name_of_a_crate_is_not_the_crate() {
    let code = |text: &str| {
        let text = text.to_owned();
        crate::source::Source {
            path: String::new(),
            text,
            test: false,
        }
        .code()
    };
    assert!(names(&code("use sled::Db;"), "sled"));
    assert!(names(&code("fn f(db: &sled::Db) {}"), "sled"));
    assert!(names(&code("use {std::fmt, sled::Db};"), "sled"));
    assert!(!names(&code("mod sled; fn f() { sled::open() }"), "sled"));
    assert!(!names(
        &code("use crate::store::sled; fn f() { sled::open() }"),
        "sled"
    ));
    assert!(!names(&code("fn f() { store::sled::open() }"), "sled"));
}

/// What is made from the sources is no source: whoever inherits them reads all that is there.
#[test]
fn nothing_that_a_build_makes_is_in_the_repository() {
    let listed = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(listed.status.success(), "{listed:?}");
    let listed = String::from_utf8(listed.stdout).unwrap();
    let files: Vec<&str> = listed.split_terminator('\0').collect();
    assert!(files.contains(&"Cargo.toml"), "the list is that of git");
    let made = |path: &&&str| path.split('/').any(|part| part == "target");
    assert_eq!(files.iter().find(made), None);
}
