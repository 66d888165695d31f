//! The program under test, as cargo builds it.
//!
//! Invariant: what runs is what the sources beside this test say now.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Where the program lies; it is built first, which takes no time where that is done already.
pub fn path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(build)
}

fn build() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own file");
    // target/debug/deps/stories-0123456789abcdef
    let folder = test.ancestors().nth(2).expect("cargo nests its output");
    let target = folder.parent().expect("cargo nests its output");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build
        .args([
            "build",
            "--quiet",
            "--locked",
            "--package",
            "interdocket-node",
        ])
        .args(["--bin", "interdocket", "--target-dir"])
        .arg(target)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    if folder.ends_with("release") {
        build.arg("--release");
    }
    let built = build.status().expect("cargo runs");
    assert!(built.success(), "the program could not be built: {built}");
    folder.join("interdocket")
}
