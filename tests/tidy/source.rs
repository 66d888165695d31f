//! Rust files as the rules see them: tokens without comments, strings and test code.
//!
//! Invariant: text in a comment or a string is never taken for code, and every imported path is
//! seen whole, however its `use` groups it.
//! It is a scanner, not a parser: macros are read as they are written, not as they expand.

use std::fs;
use std::path::{Path, PathBuf};

/// One Rust file of the workspace.
pub(crate) struct Source {
    /// Relative to the root, with `/` between folders.
    pub(crate) path: String,
    /// The file as it is.
    pub(crate) text: String,
    /// Whether it holds tests only.
    pub(crate) test: bool,
}

impl Source {
    /// Words and signs of everything but comments and strings.
    pub(crate) fn tokens(&self) -> Vec<String> {
        tokens(&blank(&self.text))
    }

    /// Words and signs of what is not compiled for tests only, then every imported path.
    pub(crate) fn code(&self) -> Vec<String> {
        if self.test {
            return Vec::new();
        }
        let mut code = without_tests(&self.tokens());
        let imports = imports(&code);
        code.extend(imports);
        code
    }
}

/// The workspace's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// Reads a file of the workspace.
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every file below a folder whose name ends in `ending`, in order; build output is left out.
pub(crate) fn files(folder: &str, ending: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(folder) = open.pop() {
        let entries = fs::read_dir(&folder);
        for entry in entries.unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            if entry.file_type().unwrap().is_dir() {
                if name != "target" && !name.starts_with('.') {
                    open.push(entry.path());
                }
            } else if name.ends_with(ending) {
                let path = entry.path();
                let path = path.strip_prefix(root()).unwrap();
                found.push(path.to_str().unwrap().trim_start_matches("./").to_owned());
            }
        }
    }
    found.sort();
    found
}

/// Every Rust file below a folder.
pub(crate) fn sources(folder: &str) -> Vec<Source> {
    let sources = files(folder, ".rs").into_iter().map(|path| {
        let test = path.starts_with("tests/")
            || path
                .split('/')
                .any(|part| part == "tests" || part == "tests.rs");
        Source {
            text: read(&path),
            path,
            test,
        }
    });
    sources.collect()
}

/// Whether `code` holds the words and signs of `pattern` in a row.
pub(crate) fn holds(code: &[String], pattern: &str) -> bool {
    let pattern = tokens(pattern);
    code.windows(pattern.len()).any(|window| window == pattern)
}

/// Where the bracket that opens at `open` closes.
pub(crate) fn closing(tokens: &[String], open: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    tokens.len()
}

fn tokens(code: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if is_word(first) {
            rest.find(|char| !is_word(char)).unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        let (token, after) = rest.split_at(length);
        tokens.push(token.to_owned());
        rest = after.trim_start();
    }
    tokens
}

fn is_word(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

/// Blanks comments, strings and characters, keeping what stands around them apart.
fn blank(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = ' ';
    while let Some(first) = rest.chars().next() {
        let skip = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => comment(rest),
            '"' => quoted(rest, '"'),
            '\'' => character(rest),
            'r' | 'b' | 'c' if !is_word(before) => prefixed(rest),
            _ => 0,
        };
        if skip > 0 {
            code.push(' ');
            rest = &rest[skip..];
            before = ' ';
        } else {
            code.push(first);
            rest = &rest[first.len_utf8()..];
            before = first;
        }
    }
    code
}

/// The length of a block comment, which may hold others.
fn comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        match text.as_bytes().get(at..at + 2) {
            Some(b"/*") => depth += 1,
            Some(b"*/") => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// The length of a quoted text with escapes.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, char) in text.char_indices().skip(1) {
        match char {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if char == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of a character, or 0 where a lifetime begins.
fn character(text: &str) -> usize {
    let mut chars = text.chars().skip(1);
    match (chars.next(), chars.next()) {
        (Some('\\'), _) | (Some(_), Some('\'')) => quoted(text, '\''),
        _ => 0,
    }
}

/// The length of a raw, byte or C string, or 0 where a word begins.
fn prefixed(text: &str) -> usize {
    let after = text.trim_start_matches(['b', 'c']);
    let prefix = text.len() - after.len();
    if prefix > 1 {
        return 0;
    }
    if prefix == 1 && after.starts_with(['"', '\'']) {
        return prefix
            + if after.starts_with('"') {
                quoted(after, '"')
            } else {
                character(after)
            };
    }
    let Some(raw) = after.strip_prefix('r') else {
        return 0;
    };
    let body = raw.trim_start_matches('#');
    if !body.starts_with('"') {
        return 0;
    }
    let end = format!("\"{}", "#".repeat(raw.len() - body.len()));
    let length = body[1..]
        .find(&end)
        .map_or(body.len(), |at| at + 1 + end.len());
    text.len() - body.len() + length
}

/// Drops every item that stands under `#[cfg(test)]`.
fn without_tests(tokens: &[String]) -> Vec<String> {
    let mut code = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let test = ["#", "[", "cfg", "(", "test", ")", "]"];
        if tokens[at..].len() < test.len() || tokens[at..at + test.len()] != test {
            code.push(tokens[at].clone());
            at += 1;
            continue;
        }
        at += test.len();
        while at < tokens.len() && !matches!(tokens[at].as_str(), "{" | ";") {
            at = if matches!(tokens[at].as_str(), "(" | "[") {
                closing(tokens, at)
            } else {
                at
            } + 1;
        }
        if tokens.get(at).is_some_and(|token| token == "{") {
            at = closing(tokens, at);
        }
        at += 1;
    }
    code
}

/// Every path that a `use` with a group imports, each behind a `;`.
fn imports(code: &[String]) -> Vec<String> {
    let mut paths = Vec::new();
    for (at, _) in code.iter().enumerate().filter(|(_, token)| *token == "use") {
        let end = code[at..]
            .iter()
            .position(|token| token == ";")
            .map_or(code.len(), |n| at + n);
        if code[at..end].iter().any(|token| token == "{") {
            spread(&[], &code[at + 1..end], &mut paths);
        }
    }
    paths
}

fn spread(prefix: &[String], tree: &[String], paths: &mut Vec<String>) {
    let Some(open) = tree.iter().position(|token| token == "{") else {
        paths.push(";".to_owned());
        paths.extend(prefix.iter().chain(tree).cloned());
        return;
    };
    let prefix = [prefix, &tree[..open]].concat();
    let close = closing(tree, open);
    let mut start = open + 1;
    let mut at = start;
    while at <= close && at < tree.len() {
        match tree[at].as_str() {
            "{" => at = closing(tree, at),
            "," | "}" => {
                if start < at {
                    spread(&prefix, &tree[start..at], paths);
                }
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
}

#[test]
fn scanner_sees_code_and_nothing_else() {
    let text = r###"
        // HashMap
        /* HashMap /* HashMap */ HashMap */
        const A: &str = "HashMap \" HashMap";
        const B: &str = r#"HashMap " HashMap"#;
        const C: char = '"'; const D: u8 = b'\''; const E: &[u8] = b"HashMap";
        fn f<'a>(r#type: &'a u8, rb: u8) -> BTreeMap<'a> {}
        #[cfg(test)]
        use std::fs;
        use std::{fmt, sync::{Arc, mpsc}};
        #[cfg(test)]
        mod tests { use std::net; fn g() { HashMap } }
        fn after() {}
    "###;
    let source = Source {
        path: String::new(),
        text: text.to_owned(),
        test: false,
    };
    let code = source.code();
    assert!(!holds(&code, "HashMap") && !holds(&code, "std::fs") && !holds(&code, "std::net"));
    for pattern in [
        "BTreeMap<'a>",
        "std::fmt",
        "std::sync::mpsc",
        "fn after()",
        "r#type",
    ] {
        assert!(holds(&code, pattern), "{pattern} in {code:?}");
    }
}
