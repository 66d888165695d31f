//! What the program is built from: how much, from where, and under which licences.
//!
//! cargo-deny says the same from deny.toml, and advisories besides, where it is installed; these
//! tests need nothing but cargo.

use std::process::Command;

use crate::source::{read, root};

#[test]
fn lock_file_stays_below_its_ceiling() {
    let packages = read("Cargo.lock").matches("[[package]]").count();
    assert!(
        packages <= PACKAGES_MAX,
        "{packages} packages, at most {PACKAGES_MAX}"
    );
}

/// fault E20
#[test]
fn every_dependency_comes_from_crates_io_with_its_checksum() {
    let lock = read("Cargo.lock");
    let packages = lock.split("[[package]]").skip(1);
    for package in packages.filter(|package| package.contains("\nsource = ")) {
        let from = package.contains(
            "\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\nchecksum = \"",
        );
        assert!(from, "{package}");
    }
}

/// fault E20
#[test]
fn every_script_builds_with_the_versions_of_the_lock_file() {
    let (mut builds, mut free) = (0, Vec::new());
    for script in ["tests/run", "tests/bench", "deploy/image/build"] {
        let script_text = read(script).replace(['"', ','], "");
        for line in script_text.lines().map(str::trim) {
            let called = ["build ", "clippy ", "doc ", "nextest run", "run ", "test "];
            let called = called
                .iter()
                .any(|verb| line.contains(&format!("cargo {verb}")));
            builds += usize::from(called);
            if called && !line.contains("--locked") {
                free.push(format!("{script}: {line}"));
            }
        }
    }
    assert!(builds > 4, "the scripts call cargo, and not like that");
    assert!(free.is_empty(), "{free:#?}");
}

/// fault E20
#[test]
fn banned_crates_are_not_built_in() {
    let lock = read("Cargo.lock");
    for name in ["openssl", "openssl-sys", "native-tls"] {
        let line = format!("name = \"{name}\"");
        assert!(
            !lock.lines().any(|found| found == line),
            "{name} is banned by deny.toml"
        );
    }
}

#[test]
fn every_licence_is_allowed_by_deny_toml() {
    let deny = read("deny.toml");
    let (_, list) = deny.split_once("\nallow = [").unwrap();
    let (list, _) = list.split_once(']').unwrap();
    let allowed: Vec<&str> = list.split('"').skip(1).step_by(2).collect();
    let cargo = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version=1",
            "--locked",
            "--manifest-path",
        ])
        .arg(root().join("Cargo.toml"))
        .output()
        .unwrap();
    assert!(
        cargo.status.success(),
        "{}",
        String::from_utf8_lossy(&cargo.stderr)
    );
    let metadata: serde_json::Value = serde_json::from_slice(&cargo.stdout).unwrap();
    for package in metadata["packages"].as_array().unwrap() {
        let licence = package["license"].as_str().unwrap_or_default();
        assert!(
            is_allowed(licence, &allowed),
            "{}: {licence:?}",
            package["name"]
        );
    }
}

/// Whether an SPDX expression can be met with the allowed licences. A slash is an older OR.
fn is_allowed(expression: &str, allowed: &[&str]) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    any(&mut rest, allowed) && rest.is_empty()
}

fn any(rest: &mut &[&str], allowed: &[&str]) -> bool {
    let mut met = all(rest, allowed);
    while let ["OR", after @ ..] = *rest {
        *rest = after;
        met |= all(rest, allowed);
    }
    met
}

fn all(rest: &mut &[&str], allowed: &[&str]) -> bool {
    let mut met = one(rest, allowed);
    while let ["AND", after @ ..] = *rest {
        *rest = after;
        met &= one(rest, allowed);
    }
    met
}

fn one(rest: &mut &[&str], allowed: &[&str]) -> bool {
    match *rest {
        ["(", after @ ..] => {
            *rest = after;
            let met = any(rest, allowed);
            *rest = rest.strip_prefix(&[")"]).unwrap_or_default();
            met
        }
        [licence, "WITH", exception, after @ ..] => {
            *rest = after;
            allowed.contains(&format!("{licence} WITH {exception}").as_str())
        }
        [licence, after @ ..] => {
            *rest = after;
            allowed.contains(licence)
        }
        [] => false,
    }
}

#[test]
fn licences_are_read_as_spdx_says() {
    let allowed = ["MIT", "ISC", "Apache-2.0"];
    for expression in [
        "MIT",
        "MIT/GPL-2.0",
        "ISC AND (GPL-2.0 OR MIT)",
        "GPL-2.0 OR MIT AND ISC",
    ] {
        assert!(is_allowed(expression, &allowed), "{expression}");
    }
    for expression in [
        "",
        "GPL-2.0",
        "MIT AND GPL-2.0",
        "Apache-2.0 WITH x",
        "(MIT OR ISC) AND X",
    ] {
        assert!(!is_allowed(expression, &allowed), "{expression}");
    }
}

/// Every package is somebody's code that a node trusts; a new one should push an old one out.
const PACKAGES_MAX: usize = 330;
