//! Where the node's own log lines go: text or JSON, one event a line, to standard error.
//!
//! Invariant: a line that reaches the writer holds nothing that a terminal obeys or a reader cannot
//! see, whatever the fields hold, since names come from strangers; and no value inside a
//! [`Secret`] is ever printed.
//! These lines help to run the node. What was decided is a record in the journal, not here.

use std::fmt::{self, Write as _};
use std::io;

use serde::{Deserialize, Serialize};
use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{self, LevelFilter};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};
use zeroize::Zeroize;

use crate::text;

/// Starts logging to standard error for the whole process.
///
/// `filter` is a level such as `info`, or directives such as `info,interdocket_node::federation=debug`.
///
/// # Errors
/// [`Error::Level`] and [`Error::Filter`] where `filter` cannot be read, [`Error::Started`] where
/// logging has started before.
pub fn start(format: Format, filter: &str) -> Result<(), Error> {
    match format {
        Format::Text => text(filter, io::stderr)?.try_init()?,
        Format::Json => json(filter, io::stderr)?.try_init()?,
    }
    Ok(())
}

/// How an event is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One object a line, for programs.
    Json,
    /// One line for a person.
    #[default]
    Text,
}

/// Why logging could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A word that stands alone is no level.
    #[error("{0:?} is no log level; write one of off, error, warn, info, debug, trace")]
    Level(String),
    /// The directives cannot be read.
    #[error("the log level {filter:?} cannot be read; write a level, or info,MODULE=debug")]
    Filter {
        /// What the configuration says.
        filter: String,
        /// What is wrong with it.
        #[source]
        source: filter::ParseError,
    },
    /// Somebody else in this process logs already.
    #[error("logging has been started before in this process")]
    Started(#[from] TryInitError),
}

/// A value that no log line, message or debug output shows, and that is wiped when dropped.
#[derive(Clone)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Wraps a value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// Hands the value to the one place that needs it.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl<T: Zeroize> fmt::Display for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

fn text<W>(filter: &str, writer: W) -> Result<impl Subscriber + Send + Sync, Error>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    Ok(tracing_subscriber::fmt()
        .with_env_filter(parse(filter)?)
        .with_ansi(false)
        .with_writer(Escape {
            inner: writer,
            spell: spell_text,
        })
        .finish())
}

fn json<W>(filter: &str, writer: W) -> Result<impl Subscriber + Send + Sync, Error>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    Ok(tracing_subscriber::fmt()
        .with_env_filter(parse(filter)?)
        .with_ansi(false)
        .json()
        .with_writer(Escape {
            inner: writer,
            spell: spell_json,
        })
        .finish())
}

/// Reads directives. A lone word that is no level would be taken for a module, and all else muted.
fn parse(filter: &str) -> Result<EnvFilter, Error> {
    for word in filter.split(',').map(str::trim) {
        // An empty word would be read as `error`.
        let level = !word.is_empty() && word.parse::<LevelFilter>().is_ok();
        if !level && !word.contains(['=', '[']) {
            return Err(Error::Level(word.to_owned()));
        }
    }
    EnvFilter::builder()
        .parse(format!("{QUIET},{filter}"))
        .map_err(|source| Error::Filter {
            filter: filter.to_owned(),
            source,
        })
}

/// Libraries that would write a line for whatever a stranger or a partner sends wrongly, as often as it is sent.
/// A filter that names one of them counts all the same.
const QUIET: &str = "h2=error,hyper=error,tonic=error";

/// Escapes whole lines: at this one place no field, message or span name can be forgotten.
struct Escape<W> {
    inner: W,
    spell: Spell,
}

/// Appends the spelling of a character that must not be written as it is.
type Spell = fn(&mut String, char);

impl<'a, W: MakeWriter<'a>> MakeWriter<'a> for Escape<W> {
    type Writer = Line<W::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        Line {
            inner: self.inner.make_writer(),
            spell: self.spell,
        }
    }
}

/// Takes one event, which the formatter hands over in a single write.
struct Line<W> {
    inner: W,
    spell: Spell,
}

impl<W: io::Write> io::Write for Line<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let line = String::from_utf8_lossy(event);
        let line = line.strip_suffix('\n').unwrap_or(&line);
        let mut safe = String::with_capacity(line.len() + 1);
        for char in line.chars() {
            if text::is_hidden(char) {
                (self.spell)(&mut safe, char);
            } else {
                safe.push(char);
            }
        }
        safe.push('\n');
        self.inner.write_all(safe.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn spell_text(line: &mut String, char: char) {
    write!(line, "\\u{{{:x}}}", u32::from(char)).expect("a string takes every write");
}

fn spell_json(line: &mut String, char: char) {
    for unit in char.encode_utf16(&mut [0; 2]) {
        write!(line, "\\u{unit:04x}").expect("a string takes every write");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, PoisonError};

    use proptest::prelude::*;

    use super::*;

    /// fault D5
    #[test]
    fn names_of_strangers_cannot_forge_a_line() {
        let name = "x\u{1b}[2J\u{202e}gpj\u{9b}\n2026-01-01 ERROR forged";
        let lines = logged(
            Format::Text,
            || tracing::info!(case = %name, "opened {name}"),
        );
        assert_eq!(lines.lines().count(), 1, "{lines}");
        assert!(
            !lines.trim_end_matches('\n').contains(text::is_hidden),
            "{lines:?}"
        );
        assert!(lines.contains("\\u{202e}gpj"), "{lines}");
    }

    #[test]
    fn secrets_are_never_printed() {
        let secret = Secret::new("hunter2".to_owned());
        for format in [Format::Text, Format::Json] {
            let lines = logged(
                format,
                || tracing::info!(%secret, ?secret, "opened with {secret}"),
            );
            assert!(
                lines.contains("[secret]") && !lines.contains("hunter2"),
                "{lines}"
            );
        }
        assert_eq!(format!("{secret:#?}"), "[secret]");
        assert_eq!(secret.expose(), "hunter2");
    }

    #[test]
    fn level_decides_what_is_written() {
        let lines = logged(Format::Text, || {
            tracing::debug!("quiet");
            tracing::warn!("loud");
        });
        assert!(
            lines.contains("loud") && !lines.contains("quiet"),
            "{lines}"
        );
    }

    /// fault C6: no partner fills the disk with lines about what it sends.
    #[test]
    fn libraries_write_no_line_for_what_others_send() {
        let lines = logged(Format::Text, || {
            tracing::warn!(target: "h2::proto::ping_pong", "an answer to no ping");
            tracing::error!(target: "h2::proto", "broken");
        });
        assert!(
            lines.contains("broken") && !lines.contains("no ping"),
            "{lines}"
        );
        assert!(parse("h2=debug").unwrap().to_string().contains("h2=debug"));
        assert!(!parse("h2=debug").unwrap().to_string().contains("h2=error"));
    }

    #[test]
    fn unreadable_level_is_named() {
        for filter in ["inof", "", "info,lodu", "interdocket_node=loud"] {
            let error = parse(filter).err().unwrap().to_string();
            assert!(
                error.contains(filter.rsplit(',').next().unwrap()),
                "{error}"
            );
        }
        for filter in ["off", "INFO", "info,interdocket_node::log=debug"] {
            assert!(parse(filter).is_ok(), "{filter}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// fault D5
        #[test]
        fn json_lines_give_back_every_name(name in any::<String>(), hidden in "[\u{0}-\u{1f}\u{7f}-\u{9f}\u{200b}-\u{202e}\u{e0001}-\u{e007f}]{1,8}") {
            let name = format!("{name}{hidden}");
            let lines = logged(Format::Json, || tracing::info!(case = name.as_str(), "opened"));
            prop_assert!(!lines.trim_end_matches('\n').contains(text::is_hidden));
            let event: serde_json::Value = serde_json::from_str(&lines).unwrap();
            prop_assert_eq!(event["fields"]["case"].as_str(), Some(name.as_str()));
        }
    }

    /// What is written at level `info` while `act` runs.
    fn logged(format: Format, act: impl FnOnce()) -> String {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        match format {
            Format::Text => {
                let subscriber = text("info", move || writer.clone()).unwrap();
                tracing::subscriber::with_default(subscriber, act);
            }
            Format::Json => {
                let subscriber = json("info", move || writer.clone()).unwrap();
                tracing::subscriber::with_default(subscriber, act);
            }
        }
        let bytes = buffer
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        String::from_utf8(bytes).unwrap()
    }

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}
