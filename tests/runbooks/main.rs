//! Every runbook in `deploy/runbooks/`, worked through command by command on fresh machines.
//!
//! Invariant: what a page tells an administrator to type is what runs here, and what it says is shown
//! is shown.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "a test that fails may panic")
)]

mod machine;
mod page;

use machine::Site;

/// Two organisations that have installed a node each.
fn installed() -> Option<Site> {
    let mut site = Site::new()?;
    for (machine, organisation) in [("north", "North Police"), ("south", "South Police")] {
        site.machine(machine);
        site.install(machine, organisation);
    }
    Some(site)
}

/// Two that are paired as well, and have shared a copy of a case.
fn sharing() -> Option<Site> {
    let site = installed()?;
    site.follow("pair.md");
    let shared = site.run(
        "north",
        "interdocket case create 2026-17 --title 'Fire at the harbour'
        echo 'Seen at 02:14.' > statement.txt
        interdocket evidence add 2026-17 statement.txt
        interdocket share copy 2026-17 --partner 'South Police' --wait",
    );
    assert!(shared.status.success(), "{shared:?}");
    Some(site)
}

#[test]
fn node_is_installed_as_the_runbook_says() {
    let Some(mut site) = Site::new() else {
        return;
    };
    site.machine("north");
    site.follow("install.md");
}

#[test]
fn nodes_pair_as_the_runbook_says() {
    let Some(site) = installed() else {
        return;
    };
    site.follow("pair.md");
}

#[test]
fn root_is_kept_elsewhere_and_renews_as_the_runbook_says() {
    let Some(site) = sharing() else {
        return;
    };
    site.follow("root.md");
}

#[test]
fn lost_partner_is_dealt_with_as_the_runbook_says() {
    let Some(site) = sharing() else {
        return;
    };
    site.follow("lost-partner.md");
}

#[test]
fn node_is_upgraded_as_the_runbook_says() {
    let Some(site) = sharing() else {
        return;
    };
    site.follow("upgrade.md");
}

#[test]
fn node_is_backed_up_as_the_runbook_says() {
    let Some(site) = sharing() else {
        return;
    };
    site.follow("back-up.md");
}

#[test]
fn node_is_restored_as_the_runbook_says() {
    let Some(site) = sharing() else {
        return;
    };
    site.follow("restore.md");
}

#[test]
fn every_runbook_is_worked_through_here() {
    let pages = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/runbooks"));
    for page in pages.unwrap() {
        let name = page.unwrap().file_name().into_string().unwrap();
        let followed = format!("site.follow(\"{name}\")");
        assert!(include_str!("main.rs").contains(&followed), "{name}");
    }
}
