//! A runbook as commands: its fenced blocks, in order.
//!
//! A block marked `sh` is run; words after that say where and how: a machine's name, `fails` where it is
//! to fail, `until` for again and again until it does and shows what it should. A block marked `text` after it is what it
//! shows: `…` stands for anything, a line `…` for any number of lines. Every other block, and `sh` with
//! `skip`, is for reading. A comment `<!-- sh … -->` is run as well: what happens to the machine and is
//! not the reader's to do. So is `<!-- follow PAGE -->`, where the reader is sent to another page.

use std::fmt::Write as _;

/// Commands of a runbook that are run together.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// The line of the page where it begins, from 1.
    pub(crate) line: usize,
    /// The words after `sh`.
    pub(crate) words: Vec<String>,
    /// What is run.
    pub(crate) commands: String,
    /// What is shown, where the page says so.
    pub(crate) shown: Option<String>,
}

/// Reads a page.
pub(crate) fn blocks(page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut lines = page.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if let Some(comment) = line.strip_prefix("<!-- ") {
            let comment = comment.strip_suffix(" -->").expect("one line");
            blocks.extend(unseen(number + 1, comment));
            continue;
        }
        let Some(mark) = line.strip_prefix("```") else {
            continue;
        };
        let mut text = String::new();
        for (_, line) in lines.by_ref().take_while(|(_, line)| *line != "```") {
            writeln!(text, "{line}").unwrap();
        }
        let mut words = mark.split(' ').map(str::to_owned);
        match words.next().as_deref() {
            Some("sh") => blocks.push(Block {
                line: number + 1,
                words: words.collect(),
                commands: text,
                shown: None,
            }),
            Some("text") => {
                let block = blocks.last_mut().expect("what is shown follows commands");
                assert_eq!(block.shown, None, "line {}: shown twice", number + 1);
                block.shown = Some(text);
            }
            _ => {}
        }
    }
    blocks.retain(|block| !block.words.contains(&"skip".to_owned()));
    blocks
}

/// What a comment has run.
fn unseen(line: usize, comment: &str) -> Option<Block> {
    let (kind, rest) = comment.split_once(' ')?;
    let (words, commands) = match kind {
        "sh" => rest.split_once(": ")?,
        "follow" => ("follow", rest),
        _ => return None,
    };
    Some(Block {
        line,
        words: words.split(' ').map(str::to_owned).collect(),
        commands: commands.to_owned(),
        shown: None,
    })
}

/// Whether what was shown has the shape that the page gives.
pub(crate) fn fits(shape: &str, shown: &str) -> bool {
    let shape: Vec<_> = shape.lines().map(str::trim_end).collect();
    let shown: Vec<_> = shown.lines().map(str::trim_end).collect();
    fit(&shape, &shown, &|shape, shown| {
        let parts: Vec<_> = shape.split('…').collect();
        let (first, last) = (parts[0], parts[parts.len() - 1]);
        if parts.len() == 1 {
            return *shape == *shown;
        }
        let Some(mut rest) = shown
            .strip_prefix(first)
            .and_then(|rest| rest.strip_suffix(last))
        else {
            return false;
        };
        for part in &parts[1..parts.len() - 1] {
            let Some((_, after)) = rest.split_once(part) else {
                return false;
            };
            rest = after;
        }
        true
    })
}

fn fit(shape: &[&str], shown: &[&str], same: &dyn Fn(&&str, &&str) -> bool) -> bool {
    match (shape, shown) {
        ([], []) => true,
        (["…", rest @ ..], _) => {
            (0..=shown.len()).any(|skipped| fit(rest, &shown[skipped..], same))
        }
        ([line, shape @ ..], [seen, shown @ ..]) => same(line, seen) && fit(shape, shown, same),
        _ => false,
    }
}

#[test]
fn page_is_read_block_by_block() {
    let page = "\
a
```sh south until
one
two
```
it says
```text
1
```
```toml
x
```
```sh skip
no
```
<!-- sh north: date -->
<!-- follow b.md -->
<!-- a note -->
";
    let unseen = |line, word: &str, commands: &str| Block {
        line,
        words: vec![word.to_owned()],
        commands: commands.to_owned(),
        shown: None,
    };
    assert_eq!(
        blocks(page),
        [
            Block {
                line: 2,
                words: vec!["south".to_owned(), "until".to_owned()],
                commands: "one\ntwo\n".to_owned(),
                shown: Some("1\n".to_owned()),
            },
            unseen(16, "north", "date"),
            unseen(17, "follow", "b.md"),
        ]
    );
}

#[test]
fn shape_leaves_open_what_it_says_and_nothing_else() {
    assert!(fits("a\n", "a  \n"));
    assert!(!fits("a\n", "ab\n"));
    assert!(!fits("a\n", "a\nb\n"));
    assert!(fits("until …, once\n", "until 2026, once\n"));
    assert!(!fits("until …, once\n", "until 2026, twice\n"));
    assert!(fits("a\n…\nd\n", "a\nb\nc\nd\n"));
    assert!(fits("a\n…\n", "a\n"));
    assert!(!fits("a\n…\nd\n", "a\nb\nc\n"));
}
