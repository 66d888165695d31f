//! What is done without a running node: making it, running it, rebuilding its database.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::error::Error;
use super::table::count;
use super::{Context, named};
use crate::actions::partner::OrganisationRole;
use crate::actions::{self, ErrorKind};
use crate::run;

/// Makes a new node.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  interdocket init --name 'North Police' --advertise node.north.example:7400
  interdocket run")]
pub(super) struct Init {
    /// The organisation's name, as partners see it first.
    #[arg(long)]
    name: String,
    /// What the organisation does.
    #[arg(
        long,
        default_value = "investigation",
        value_parser = named::<OrganisationRole>(["investigation", "justice"])
    )]
    role: OrganisationRole,
    /// Where partners' connections are accepted.
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:7400")]
    federation: SocketAddr,
    /// Where pairing happens.
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:7401")]
    pairing: SocketAddr,
    /// Where the API is served over HTTPS.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7402")]
    api: SocketAddr,
    /// Where metrics are served; nowhere where left out.
    #[arg(long, value_name = "ADDRESS")]
    metrics: Option<SocketAddr>,
    /// What partners dial; leave it out where they cannot reach this node: then it dials them.
    #[arg(long, value_name = "HOST:PORT")]
    advertise: Option<String>,
    /// Allow partners with private and loopback addresses.
    #[arg(long)]
    allow_private: bool,
}

impl Init {
    pub(super) async fn run(self, context: &Context) -> Result<(), Error> {
        let init = run::Init {
            data: context.data.clone(),
            name: self.name,
            role: self.role,
            federation: self.federation,
            pairing: self.pairing,
            api: self.api,
            metrics: self.metrics,
            advertise: self.advertise,
            allow_private: self.allow_private,
        };
        let made = apart(move || run::init(&init)).await?;
        let data = context.data.display();
        context.out.reply(&made, |made| {
            format!(
                "Made a node for organisation {}.\nIts settings: {}\nStart it: interdocket run --data {data}",
                made.organisation,
                made.configuration.display(),
            )
        })
    }
}

/// Runs the node.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  interdocket run --data /var/lib/interdocket")]
pub(super) struct Run {
    /// Stop when standard input ends, so that the node never outlives whoever started it.
    #[arg(long, hide = true)]
    until_stdin_closes: bool,
}

impl Run {
    pub(super) async fn run(self, context: &Context) -> Result<(), Error> {
        let stop = CancellationToken::new();
        let node = run::run(&context.data, stop.clone());
        let told = told_to_stop(self.until_stdin_closes);
        let mut node = std::pin::pin!(node);
        tokio::select! {
            ended = node.as_mut() => return Ok(ended?),
            told = told => told?,
        }
        stop.cancel();
        Ok(node.await?)
    }
}

/// Waits for a signal that ends programs, or for the end of standard input.
async fn told_to_stop(until_stdin_closes: bool) -> Result<(), Error> {
    let failed = |error| Error::local("signals cannot be received", error);
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = stdin_closed(), if until_stdin_closes => {}
    }
    Ok(())
}

async fn stdin_closed() {
    let (closed, wait) = tokio::sync::oneshot::channel();
    // A plain thread: the runtime would wait for one of its own when it stops.
    std::thread::spawn(move || {
        // An error ends it as the end does.
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = closed.send(());
    });
    // The sender answers or is gone; both mean that standard input is.
    let _ = wait.await;
}

/// Rebuilds the database.
pub(super) async fn rebuild(context: &Context) -> Result<(), Error> {
    let (bar, progress) = context.out.steps("Rebuilding");
    let data = context.data.clone();
    let rebuilt = apart(move || run::rebuild(&data, &progress)).await?;
    bar.finish_and_clear();
    context.out.reply(&rebuilt, |rebuilt| {
        format!(
            "The database was built again from {}.",
            count(rebuilt.records, "record", "records")
        )
    })
}

/// What is done with the organisation's root.
#[derive(Debug, Subcommand)]
pub(super) enum Root {
    /// Hand over to a new root key, while the node does not run. Partners need not do anything.
    #[command(after_help = "\
The new key is written to a file of its own and certified by the old one. The old one is not needed any more:
destroy every copy of it, as whoever has it can still certify keys that partners take.

Example:
  interdocket root hand-over --from /media/old/root.key --to /media/new/root.key")]
    HandOver {
        /// The file with the key of the root as it is.
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
        /// The file, which does not exist, for the key of the new one.
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
}

impl Root {
    pub(super) async fn run(self, context: &Context) -> Result<(), Error> {
        let Self::HandOver { from, to } = self;
        let data = context.data.clone();
        let handed = apart(move || run::hand_over(&data, &from, &to)).await?;
        context.out.reply(&handed, |handed| {
            format!(
                "The root's key is {} now, until {}. Keep it as the old one was kept, and destroy every copy \
                 of that.",
                handed.key.display(),
                super::table::time(handed.expires_at)
            )
        })
    }
}

/// Runs what blocks where it holds nobody up.
pub(super) async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, actions::Error> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    let failed = |_| actions::Error::new(ErrorKind::Unavailable, "the program failed at this");
    Ok(done.map_err(failed)??)
}
