//! The demo: three organisations on this machine, and the whole path from pairing to receipts.
//!
//! Invariant: it does what people would do, through the same API, against nodes that are processes
//! of their own; it fails where anything does not hold, and leaves nothing behind either way.

mod child;
mod files;
mod story;

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::Context;
use super::error::Error;
use super::out::Out;
use child::Node;

/// Shows it all with three nodes on this machine.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  interdocket demo ~/Pictures --once")]
pub(super) struct Demo {
    /// The files of the case, folders kept; a small set of its own where left out.
    folder: Option<PathBuf>,
    /// End when the story is told, instead of staying up to look around.
    #[arg(long)]
    once: bool,
    /// Keep the data directories here, in a folder that is empty or does not exist yet.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// Where the demo plays: its nodes and what it tells.
#[derive(Debug)]
struct Stage {
    home: PathBuf,
    context: Context,
    nodes: Vec<Node>,
    program: String,
    step: u32,
}

impl Demo {
    pub(super) async fn run(self, context: &Context) -> Result<(), Error> {
        let (home, _temporary) = self.home()?;
        let mut stage = Stage {
            home,
            context: context.clone(),
            nodes: Vec::new(),
            program: std::env::args()
                .next()
                .unwrap_or_else(|| "interdocket".to_owned()),
            step: 0,
        };
        let mut told = std::pin::pin!(interrupted());
        let ended = tokio::select! {
            ended = story::tell(&mut stage, self.folder.as_deref(), self.once) => ended,
            told = told.as_mut() => told.and(Err(Error::Interrupted)),
        };
        let ended = match ended {
            Ok(()) if !self.once => told.await,
            ended => ended,
        };
        context.out.note("Stopping the three nodes.");
        // All at once: each finishes what it is at.
        let stops = stage.nodes.into_iter().map(Node::stop);
        futures_util::future::join_all(stops).await;
        ended
    }

    /// The folder for everything, and what removes it in the end unless it is to be kept.
    fn home(&self) -> Result<(PathBuf, Option<tempfile::TempDir>), Error> {
        let Some(keep) = &self.keep else {
            let home = tempfile::Builder::new()
                .prefix("interdocket-demo-")
                .tempdir()
                .map_err(|error| Error::local("no temporary folder could be made", error))?;
            return Ok((home.path().to_owned(), Some(home)));
        };
        let failed = |error| Error::local(format!("{} cannot be used", keep.display()), error);
        std::fs::create_dir_all(keep).map_err(failed)?;
        if std::fs::read_dir(keep).map_err(failed)?.next().is_some() {
            let message = format!("{} is not empty; choose another folder", keep.display());
            return Err(Error::invalid(message));
        }
        Ok((std::path::absolute(keep).map_err(failed)?, None))
    }
}

impl Stage {
    /// Tells the next step.
    fn step(&mut self, what: &str) -> Result<(), Error> {
        self.step += 1;
        let out = self.context.out;
        if out.is_json() {
            return out.raw(&json!({ "step": self.step, "what": what }).to_string());
        }
        out.raw(&format!("\n{}. {what}", self.step))
    }

    /// Tells what came of a step.
    fn tell(&self, what: &str) -> Result<(), Error> {
        let out = self.context.out;
        if out.is_json() {
            return out.raw(&json!({ "step": self.step, "result": what }).to_string());
        }
        let lines: Vec<_> = what.lines().map(|line| format!("   {line}")).collect();
        out.raw(&lines.join("\n"))
    }

    /// Shows the command by which a person does the same at a node.
    fn command(&self, node: &Node, arguments: &[&str]) -> Result<(), Error> {
        let out = self.context.out;
        let command = command(&self.program, &node.data, arguments);
        if out.is_json() {
            return out.raw(&json!({ "step": self.step, "command": command }).to_string());
        }
        out.raw(&format!("   $ {command}"))
    }

    /// How to show things that are not steps.
    const fn out(&self) -> Out {
        self.context.out
    }
}

/// A command line that a shell takes as it is.
fn command(program: &str, data: &Path, arguments: &[&str]) -> String {
    let data = data.display().to_string();
    let words = [program].into_iter().chain(arguments.iter().copied());
    let words = words.chain(["--data", &data]).map(quote);
    words.collect::<Vec<_>>().join(" ")
}

fn quote(word: &str) -> String {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "-_./:=@%+,".contains(char);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

async fn interrupted() -> Result<(), Error> {
    let failed = |error| Error::local("signals cannot be received", error);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(failed)?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = hangup.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_can_be_typed_as_they_are_shown() {
        assert_eq!(
            command(
                "interdocket",
                Path::new("/tmp/x"),
                &["partner", "show", "South's Police"]
            ),
            "interdocket partner show 'South'\\''s Police' --data /tmp/x"
        );
    }
}
