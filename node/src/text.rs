//! Text that strangers wrote, made safe to show and to use as the name of a file.
//!
//! Invariant: what [`display`] gives moves no cursor, changes no direction and hides nothing, and
//! what [`Names::claim`] gives, joined to a folder, is a file directly in that folder.
//! Names in cases stay what their author wrote: nothing here is ever stored. Logs escape for
//! themselves, in [`crate::log`]; where a blob lies on disk follows from its digest alone.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use unicode_normalization::UnicodeNormalization as _;

/// Shows a text with everything that a reader could not see, or that a terminal would obey, spelled
/// out as `\u{..}`. It is for eyes: a text that holds such a spelling itself looks the same.
pub fn display(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for char in text.chars() {
        if is_hidden(char) {
            write!(shown, "\\u{{{:x}}}", u32::from(char)).expect("a string takes every write");
        } else {
            shown.push(char);
        }
    }
    Cow::Owned(shown)
}

/// Encodes a text so that it is one segment of a path, or one name or value of a query.
///
/// Source: RFC 3986, 2.3: all but unreserved characters.
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => write!(encoded, "%{byte:02X}").expect("a string takes every write"),
        }
    }
    encoded
}

/// Whether a character is a control, changes the direction of what follows, or has no width.
///
/// Sources: Unicode 16 general categories Cc, Zl and Zp, property `Bidi_Control`, and what of
/// `Default_Ignorable_Code_Point` no script needs in a name. Variation selectors are let through:
/// Japanese names and emoji are written with them.
pub fn is_hidden(char: char) -> bool {
    char.is_control()
        || matches!(char,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e007f}')
}

/// Gives a name under which a file can be exported on Linux, Windows and macOS.
///
/// It is never empty, at most [`NAME_BYTES_MAX`] bytes, one component of a path, not reserved, and
/// does not look like an option of a command. The extension stays where there is one.
pub fn file_name(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|char| if is_unfit(char) { '_' } else { char })
        .collect();
    let mut fit = trimmed(&plain).to_owned();
    if fit.is_empty() {
        fit.push_str("unnamed");
    }
    if fit.starts_with('-') || is_reserved(&fit) {
        fit.insert(0, '_');
    }
    cut(&fit, "")
}

/// The names given out in one folder.
#[derive(Debug, Default)]
pub struct Names {
    // The number to try next, by name as `folded` has it.
    taken: BTreeMap<String, u32>,
}

impl Names {
    /// Gives a name as [`file_name`] does that nothing else in this folder has, by adding ` (2)` and
    /// so on before the extension.
    pub fn claim(&mut self, name: &str) -> String {
        let first = file_name(name);
        let key = folded(&first);
        let Some(next) = self.taken.get(&key).copied() else {
            self.taken.insert(key, 2);
            return first;
        };
        let mut number = next;
        loop {
            let candidate = cut(&first, &format!(" ({number})"));
            number += 1;
            let folded = folded(&candidate);
            if !self.taken.contains_key(&folded) {
                self.taken.insert(folded, 2);
                self.taken.insert(key, number);
                return candidate;
            }
        }
    }
}

/// A name without what many systems do not tell apart: cases, and how signs with accents are composed.
fn folded(name: &str) -> String {
    name.nfc().collect::<String>().to_lowercase()
}

/// The longest name that the usual file systems take, in bytes.
pub const NAME_BYTES_MAX: usize = 255;

/// Puts `suffix` before the extension and shortens what stands before it until all of it fits.
fn cut(name: &str, suffix: &str) -> String {
    let (stem, extension) = split(name);
    let room = NAME_BYTES_MAX - suffix.len() - extension.len();
    let stem = stem.get(..stem.floor_char_boundary(room)).unwrap_or(stem);
    if suffix.is_empty() && extension.is_empty() {
        return trimmed(stem).to_owned();
    }
    format!("{stem}{suffix}{extension}")
}

/// Splits a name into what stands before the last dot and the extension with its dot, if that is
/// short enough to be one.
fn split(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(dot) if dot > 0 && name.len() - dot <= EXTENSION_BYTES_MAX => name.split_at(dot),
        _ => (name, ""),
    }
}

fn is_unfit(char: char) -> bool {
    is_hidden(char) || matches!(char, '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|')
}

/// Without what Windows drops silently from the end of a name.
fn trimmed(name: &str) -> &str {
    name.trim_end_matches(|char: char| char == '.' || char.is_whitespace())
}

/// Whether Windows takes the name for a device, whatever its extension.
fn is_reserved(name: &str) -> bool {
    let stem = name
        .split('.')
        .next()
        .unwrap_or(name)
        .trim_end()
        .to_uppercase();
    let numbered = stem
        .strip_prefix("COM")
        .or_else(|| stem.strip_prefix("LPT"));
    let port = numbered.is_some_and(|rest| {
        let mut rest = rest.chars();
        matches!(
            (rest.next(), rest.next()),
            (Some('0'..='9' | '¹' | '²' | '³'), None)
        )
    });
    port || DEVICES.contains(&stem.as_str())
}

/// Source: Microsoft, "Naming Files, Paths, and Namespaces".
const DEVICES: [&str; 6] = ["AUX", "CON", "CONIN$", "CONOUT$", "NUL", "PRN"];

/// What is longer, dot included, is no extension but part of a name with a dot in it.
const EXTENSION_BYTES_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use std::path::{Component, Path};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_encoded_cannot_leave_its_segment() {
        assert_eq!(
            encode("2026/17 ü?&=#.."),
            "2026%2F17%20%C3%BC%3F%26%3D%23.."
        );
    }

    /// fault D5
    #[test]
    fn hidden_characters_are_spelled_out() {
        assert_eq!(display("photo\u{202e}gpj.exe"), "photo\\u{202e}gpj.exe");
        assert_eq!(display("\u{1b}[2Jgone"), "\\u{1b}[2Jgone");
        assert_eq!(
            display("a\u{200b}b\u{feff}\r\n\u{9b}"),
            "a\\u{200b}b\\u{feff}\\u{d}\\u{a}\\u{9b}"
        );
    }

    #[test]
    fn plain_names_are_shown_as_they_are() {
        for name in [
            "Straße 5.pdf",
            "証拠\u{e0100}.jpg",
            "שלום",
            "notes (final).txt",
        ] {
            assert!(matches!(display(name), Cow::Borrowed(shown) if shown == name));
        }
    }

    /// fault D1
    #[test]
    fn path_tricks_become_plain_names() {
        for (name, safe) in [
            ("../../etc/passwd", ".._.._etc_passwd"),
            ("/etc/passwd", "_etc_passwd"),
            ("C:\\Windows\\x.dll", "C__Windows_x.dll"),
            ("..", "unnamed"),
            (". . ", "unnamed"),
            ("", "unnamed"),
            ("a\0b", "a_b"),
            ("-rf", "_-rf"),
            ("report.pdf. ", "report.pdf"),
            ("con", "_con"),
            ("Nul .txt", "_Nul .txt"),
            ("lpt1.tar.gz", "_lpt1.tar.gz"),
            ("COM¹", "_COM¹"),
            ("com10.txt", "com10.txt"),
            ("console.log", "console.log"),
            (".bashrc", ".bashrc"),
            ("photo\u{202e}gpj.exe", "photo_gpj.exe"),
        ] {
            assert_eq!(file_name(name), safe, "{name:?}");
        }
    }

    /// fault D1
    #[test]
    fn names_that_some_systems_take_for_one_are_kept_apart() {
        let mut names = Names::default();
        for (name, claimed) in [
            ("e\u{301}.txt", "e\u{301}.txt"),
            ("\u{e9}.txt", "\u{e9} (2).txt"),
            ("\u{c9}.TXT", "\u{c9} (3).TXT"),
        ] {
            assert_eq!(names.claim(name), claimed);
        }
    }

    #[test]
    fn long_names_keep_their_extension() {
        let name = file_name(&format!("{}.jpeg", "ä".repeat(2000)));
        assert!(name.len() <= NAME_BYTES_MAX && name.len() > NAME_BYTES_MAX - 2);
        assert!(name.ends_with("ä.jpeg"));
        assert_eq!(
            file_name(&format!("{} {}", "a".repeat(254), "b".repeat(9))),
            "a".repeat(254)
        );
    }

    #[test]
    fn equal_names_are_told_apart_whatever_their_case() {
        let mut names = Names::default();
        let given =
            ["a.txt", "A.TXT", "a (2).txt", "a.txt", "b", "b"].map(|name| names.claim(name));
        assert_eq!(
            given,
            [
                "a.txt",
                "A (2).TXT",
                "a (2) (2).txt",
                "a (3).txt",
                "b",
                "b (2)"
            ]
            .map(String::from)
        );
    }

    proptest! {
        /// fault D1
        #[test]
        fn exported_names_never_leave_the_folder(names in prop::collection::vec(nasty(), 1..20)) {
            let root = Path::new("/export");
            let mut folder = Names::default();
            let mut seen = std::collections::BTreeSet::new();
            for name in &names {
                let safe = folder.claim(name);
                let joined = root.join(&safe);
                prop_assert_eq!(joined.parent(), Some(root));
                prop_assert_eq!(joined.components().next_back(), Some(Component::Normal(safe.as_ref())));
                prop_assert!(!safe.is_empty() && safe.len() <= NAME_BYTES_MAX);
                prop_assert!(!safe.contains(is_unfit) && !safe.starts_with('-'));
                prop_assert!(!safe.ends_with(['.', ' ']) && !is_reserved(&safe));
                prop_assert!(seen.insert(safe.to_lowercase()), "given twice: {}", safe);
            }
        }

        /// fault D5
        #[test]
        fn nothing_hidden_is_ever_shown(text in any::<String>(), nasty in nasty()) {
            prop_assert!(!display(&text).contains(is_hidden));
            prop_assert!(!display(&nasty).contains(is_hidden));
        }

        #[test]
        fn a_safe_name_is_left_alone(name in nasty()) {
            let safe = file_name(&name);
            prop_assert_eq!(file_name(&safe), safe.clone());
        }
    }

    /// Names made of what breaks names.
    fn nasty() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("..".to_owned()),
            Just("/".to_owned()),
            Just("\\".to_owned()),
            Just("\0".to_owned()),
            Just(" ".to_owned()),
            Just(".".to_owned()),
            Just("-".to_owned()),
            Just("C:".to_owned()),
            Just("con".to_owned()),
            Just("\u{202e}".to_owned()),
            Just("\u{1b}[2J".to_owned()),
            Just("a".to_owned()),
            Just("é".repeat(130)),
            Just("x".repeat(254)),
            Just(" (2)".to_owned()),
            any::<String>(),
        ];
        prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
    }
}
