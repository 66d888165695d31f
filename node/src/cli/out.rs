//! What a command shows: replies on standard output, everything else on standard error.

use std::error::Error as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use serde_json::json;

use super::error::Error;
use crate::actions::Progress;
use crate::text;

/// How to show things.
#[derive(Debug, Clone, Copy)]
pub(super) struct Out {
    json: bool,
}

impl Out {
    pub(super) const fn new(json: bool) -> Self {
        Self { json }
    }

    pub(super) const fn is_json(self) -> bool {
        self.json
    }

    /// Shows a reply: as JSON on one line, or as `human` puts it.
    pub(super) fn reply<T: Serialize>(
        self,
        reply: &T,
        human: impl FnOnce(&T) -> String,
    ) -> Result<(), Error> {
        if self.json {
            self.raw(&serde_json::to_string(reply).expect("a reply has text for keys"))
        } else {
            self.raw(human(reply).trim_end())
        }
    }

    /// Shows text on standard output.
    pub(super) fn raw(self, text: &str) -> Result<(), Error> {
        let mut stdout = io::stdout().lock();
        match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Error::Closed),
            written => {
                written.map_err(|error| Error::local("standard output could not be written", error))
            }
        }
    }

    /// Tells a person something beside the reply.
    pub(super) fn note(self, text: &str) {
        if !self.json {
            stderr(text);
        }
    }

    /// Tells a person how to see the rest of a list, if there is one.
    pub(super) fn more(self, next: Option<&str>) {
        if let Some(next) = next {
            self.note(&format!(
                "There is more: add --after {}",
                text::display(next)
            ));
        }
    }

    /// A bar for something long that counts bytes; not there unless a person looks.
    pub(super) fn bytes(self, total: u64, what: &'static str) -> ProgressBar {
        self.bar(
            total,
            what,
            "{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
        )
    }

    /// A bar for something long that the node tells the steps of; not there unless a person looks.
    pub(super) fn steps(self, what: &'static str) -> (ProgressBar, Progress) {
        Self::told(self.bar(0, what, "{msg} {bar:30} {human_pos}/{human_len} {eta}"))
    }

    /// As `steps`, where the steps are bytes.
    pub(super) fn volume(self, what: &'static str) -> (ProgressBar, Progress) {
        Self::told(self.bytes(0, what))
    }

    fn told(bar: ProgressBar) -> (ProgressBar, Progress) {
        let told = bar.clone();
        let progress = Progress::new(move |done, total| {
            told.set_length(total);
            told.set_position(done);
        });
        (bar, progress)
    }

    fn bar(self, total: u64, what: &'static str, template: &str) -> ProgressBar {
        if self.json || !io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template(template).expect("the template is well formed");
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
        bar.set_style(style);
        bar.set_message(what);
        bar.enable_steady_tick(Duration::from_millis(200));
        bar
    }

    /// Shows an error on standard error, and gives its exit code.
    pub(super) fn fail(self, error: &Error) -> ExitCode {
        match error {
            Error::Closed => {}
            error if self.json => stderr(&as_json(error).to_string()),
            error => stderr(as_text(error).trim_end()),
        }
        ExitCode::from(error.code())
    }
}

fn stderr(text: &str) {
    // Where nobody listens there is nobody to tell that, either.
    let _ = writeln!(io::stderr(), "{text}");
}

fn as_json(error: &Error) -> serde_json::Value {
    match error {
        Error::Action(error) => json!({ "error": error }),
        other => json!({ "error": { "kind": "local", "message": with_sources(other) } }),
    }
}

fn as_text(error: &Error) -> String {
    let mut shown = format!("error: {}\n", text::display(&with_sources(error)));
    if let Error::Action(error) = error {
        for hint in &error.hints {
            shown += &format!("hint: {}\n", text::display(hint));
        }
    }
    shown
}

fn with_sources(error: &Error) -> String {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        message += &format!(": {cause}");
        source = cause.source();
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::{self, ErrorKind};

    #[test]
    fn errors_show_their_cause_and_what_to_do() {
        let missing = io::Error::new(io::ErrorKind::NotFound, "no such file");
        let local = Error::local("x cannot be read", missing);
        assert_eq!(as_text(&local), "error: x cannot be read: no such file\n");
        let refused = actions::Error::new(ErrorKind::Conflict, "it is closed").hint("open it");
        assert_eq!(
            as_text(&refused.into()),
            "error: it is closed\nhint: open it\n"
        );
    }

    /// fault D5
    #[test]
    fn errors_cannot_drive_the_terminal() {
        let error = Error::invalid("no case \u{1b}[2J\u{202e}x");
        assert_eq!(as_text(&error), "error: no case \\u{1b}[2J\\u{202e}x\n");
    }
}
