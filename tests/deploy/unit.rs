//! The systemd unit, as systemd itself reads and rates it.

use std::fs;
use std::process::Command;

use interdocket_tests::program;
use interdocket_tests::skip::{installed, skip};

use crate::read;

/// Runs systemd-analyze on the unit, with the program as it lies here.
fn analyze(arguments: &[&str]) -> Option<(bool, String)> {
    if !installed("systemd-analyze") {
        skip("systemd-analyze is not installed");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let unit = folder.path().join("interdocket.service");
    let program = program::path().to_str().unwrap();
    let text = read("interdocket.service");
    assert!(text.contains(INSTALLED));
    fs::write(&unit, text.replace(INSTALLED, program)).unwrap();
    let ran = Command::new("systemd-analyze")
        .args(arguments)
        .arg(&unit)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout) + String::from_utf8_lossy(&ran.stderr);
    Some((ran.status.success(), said.into_owned()))
}

#[test]
fn systemd_understands_every_line_of_the_unit() {
    let Some((understood, said)) = analyze(&["verify"]) else {
        return;
    };
    assert!(understood && said.trim().is_empty(), "{said}");
}

#[test]
fn systemd_rates_the_exposure_of_the_unit_at_two_of_ten_at_most() {
    let rate = ["security", "--offline=true", "--no-pager", "--threshold=20"];
    let Some((passed, said)) = analyze(&rate) else {
        return;
    };
    assert!(passed && said.contains("Overall exposure level"), "{said}");
}

const INSTALLED: &str = "/usr/local/bin/interdocket";
