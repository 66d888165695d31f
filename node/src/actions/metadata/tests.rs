//! Claims about the page of metadata.

use std::fmt::Write as _;

use super::*;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metadata.md");

/// The page that people read is the table that nodes go by.
#[test]
fn the_page_of_metadata_is_the_table_of_copying() {
    let page = page();
    if std::env::var_os("INTERDOCKET_WRITE").is_some() {
        std::fs::write(PAGE, &page).unwrap();
    }
    assert_eq!(std::fs::read_to_string(PAGE).unwrap(), page);
}

fn page() -> String {
    let mut page = String::from(HEAD);
    for field in Field::ALL {
        let written = match field.written() {
            true => form(field.form()),
            false => String::new(),
        };
        let way = match field.rule().way() {
            Some(Way::Copied) => "copied",
            Some(Way::Reprocessed) => "reprocessed",
            None => "",
        };
        let (name, rule, note) = (field.name(), field.rule().name(), note(*field));
        let number = field.number();
        writeln!(
            page,
            "| {number} | {name} | {written} | {rule} | {way} | {note} |"
        )
        .unwrap();
    }
    page
}

const HEAD: &str = "\
# Metadata, and what a copy has of it

What can be said of evidence, and what of it a partner gets. It is one table in `sync/src/copy.rs`; a test
holds this page to it, and `interdocket metadata list` shows it on a node. What is *written* is set by
`interdocket evidence edit ID --set NAME=VALUE`; the rest is kept in a place of its own. References and advanced
shares tell the same. What came *as a reference* names something that exists at its source: it is shown, and
can't be changed or given anything.

| number | name | written as | in a copy | how | note |
|---|---|---|---|---|---|
";
