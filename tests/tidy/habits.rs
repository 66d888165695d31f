//! Habits that keep the tree readable.
//!
//! What a line of code should look like is rustfmt's and clippy's to say.

use std::path::Path;

use crate::source::{closing, files, read, root, sources};

#[test]
fn every_rust_file_says_what_lives_in_it() {
    for source in sources(".") {
        assert!(
            source.text.starts_with("//! "),
            "{} must start with //!",
            source.path
        );
    }
}

#[test]
fn a_module_is_named_by_its_file() {
    for path in files(".", ".rs") {
        assert!(
            !path.ends_with("/mod.rs"),
            "{path}: name it after its folder, beside it"
        );
    }
}

#[test]
fn no_rust_file_outgrows_its_reader() {
    for source in sources(".") {
        let lines = source.text.lines().count();
        assert!(
            lines <= LINES_MAX,
            "{}: {lines} lines, at most {LINES_MAX}",
            source.path
        );
    }
}

#[test]
fn nothing_is_left_for_later_in_a_comment() {
    let markers = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("X", "XX"),
    ];
    for ending in [
        ".rs", ".toml", ".proto", ".md", ".yml", ".yaml", ".html", ".css", ".js",
    ] {
        for path in files(".", ending) {
            let text = read(&path);
            for word in text.split(|char: char| !char.is_alphanumeric()) {
                assert!(
                    !markers.contains(&word),
                    "{path}: {word}: file an issue instead"
                );
            }
        }
    }
}

#[test]
fn every_silenced_lint_has_a_reason() {
    for source in sources(".") {
        let tokens = source.tokens();
        for at in 1..tokens.len().saturating_sub(1) {
            let silences = ["allow", "expect"].contains(&tokens[at].as_str())
                && ["[", ","].contains(&tokens[at - 1].as_str())
                && tokens[at + 1] == "(";
            if silences {
                let inside = &tokens[at..closing(&tokens, at + 1)];
                let reason = inside.windows(2).any(|window| window == ["reason", "="]);
                assert!(reason, "{}: {} has no reason", source.path, inside.concat());
            }
        }
    }
}

#[test]
fn every_test_that_the_hazards_name_exists() {
    let page = read("docs/hazards.md");
    let code: String = files(".", ".rs").iter().map(|path| read(path)).collect();
    let named = page.split('`').skip(1).step_by(2);
    let tests: Vec<&str> = named.filter(|word| word.matches('_').count() > 2).collect();
    assert!(tests.len() > 40, "the page names tests, and not like that");
    let missing: Vec<&&str> = tests
        .iter()
        .filter(|name| !code.contains(&format!("fn {name}(")))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_link_between_pages_leads_somewhere() {
    let mut faults = Vec::new();
    for page in files(".", ".md") {
        let text = read(&page);
        let folder = root().join(&page);
        let folder = folder.parent().unwrap();
        for target in links(&text).filter(|target| !is_outside(target)) {
            let path = target.split('#').next().unwrap();
            if !path.is_empty() && !folder.join(path).exists() {
                faults.push(format!("{page}: {target}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn licence_lies_beside_the_code() {
    let licence = read("LICENSE");
    assert!(licence.contains("Apache License") && licence.contains("Version 2.0, January 2004"));
    assert!(read("Cargo.toml").contains("license = \"Apache-2.0\""));
}

#[test]
fn every_crate_takes_the_workspace_lints() {
    for path in files(".", "Cargo.toml") {
        let text = read(&path);
        let shared = text.contains("[workspace.lints.rust]")
            || text.contains("[lints]\nworkspace = true")
            || Path::new(&path).starts_with("proto");
        assert!(
            shared,
            "{path}: add [lints] workspace = true; only generated code does without"
        );
    }
}

/// The targets of a page's links, outside of code.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    let prose = text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    });
    prose.flat_map(|line| {
        let plain = line.split('`').step_by(2);
        plain
            .flat_map(|part| part.split("](").skip(1))
            .filter_map(|part| {
                let target = part.split(')').next()?;
                target.split_whitespace().next()
            })
    })
}

fn is_outside(target: &str) -> bool {
    ["http:", "https:", "mailto:"]
        .iter()
        .any(|scheme| target.starts_with(scheme))
}

#[test]
fn links_in_code_are_no_links() {
    let text = "[a](x.md) and `[b](y.md)` [`c`](z.md#part \"title\")\n```\n[d](w.md)\n```\n[e](#f)";
    assert_eq!(links(text).collect::<Vec<_>>(), ["x.md", "z.md#part", "#f"]);
}

/// Tests included. A longer file has more than one subject.
const LINES_MAX: usize = 700;
