//! A node of the demo: a process of its own, with its own data directory and ports.
//!
//! Invariant: it never outlives the demo, however that ends: it stops when the pipe on its standard
//! input closes.

use std::fs::{self, File};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use interdocket_sync::identity::OrganisationId;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::actions::partner::OrganisationRole;
use crate::actions::{self, ErrorKind, node};
use crate::cli::client::Client;
use crate::cli::error::Error;
use crate::cli::local;
use crate::run;

/// Who plays.
#[derive(Debug, Clone, Copy)]
pub(super) struct Role {
    /// The name of its folder.
    pub(super) folder: &'static str,
    /// The organisation's name.
    pub(super) name: &'static str,
    /// What the organisation does.
    pub(super) role: OrganisationRole,
    /// Whether others can dial it.
    pub(super) is_dialable: bool,
}

/// A node that runs.
#[derive(Debug)]
pub(super) struct Node {
    /// The organisation's name.
    pub(super) name: &'static str,
    /// Its data directory.
    pub(super) data: PathBuf,
    /// Calls it.
    pub(super) client: Client,
    /// The organisation's id.
    pub(super) organisation: OrganisationId,
    process: Child,
}

impl Role {
    /// What the node of this organisation is to be.
    pub(super) fn init(self, home: &Path) -> Result<run::Init, Error> {
        let [federation, pairing, api] =
            ports().map_err(|error| Error::local("no free ports were found", error))?;
        Ok(run::Init {
            data: home.join(self.folder),
            name: self.name.to_owned(),
            role: self.role,
            federation,
            pairing,
            api,
            metrics: None,
            advertise: self.is_dialable.then(|| federation.to_string()),
            allow_private: true,
        })
    }
}

impl Node {
    /// Makes a node, starts it, and waits until it answers.
    pub(super) async fn start(role: Role, init: run::Init) -> Result<Self, Error> {
        let data = init.data.clone();
        let made = local::apart(move || run::init(&init)).await?;
        let process = spawn(role.name, &data)?;
        let mut node = Self {
            name: role.name,
            client: Client::new(data.clone()),
            data,
            organisation: made.organisation,
            process,
        };
        node.answers().await?;
        Ok(node)
    }

    async fn answers(&mut self) -> Result<(), Error> {
        let deadline = Instant::now() + START_TIME_MAX;
        loop {
            let Err(error) = self.client.call(&node::Status {}).await else {
                return Ok(());
            };
            let failed = |error| Error::local("a node could not be watched", error);
            let ended = self.process.try_wait().map_err(failed)?;
            if ended.is_some() || Instant::now() > deadline {
                let message = format!("the node of {} does not run: {error}", self.name);
                let error = actions::Error::new(ErrorKind::Unavailable, message);
                return Err(self
                    .log()
                    .into_iter()
                    .fold(error, actions::Error::hint)
                    .into());
            }
            sleep(POLL).await;
        }
    }

    /// The last lines that the node has logged.
    fn log(&self) -> Vec<String> {
        let log = fs::read_to_string(self.data.with_extension("log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().map(|line| format!("its log: {line}")).collect();
        lines[lines.len().saturating_sub(LINES)..].to_vec()
    }

    /// Pulls the plug.
    pub(super) async fn kill(&mut self) -> Result<(), Error> {
        let killed = self.process.kill().await;
        killed.map_err(|error| Error::local("a node could not be killed", error))
    }

    /// Starts it again.
    pub(super) async fn start_again(&mut self) -> Result<(), Error> {
        self.process = spawn(self.name, &self.data)?;
        self.answers().await
    }

    /// Tells the node to stop, and waits for it; one that does not is killed.
    pub(super) async fn stop(mut self) {
        drop(self.process.stdin.take());
        if timeout(STOP_TIME_MAX, self.process.wait()).await.is_err() {
            // Dropping it would kill as well, but not wait.
            if let Err(error) = self.process.kill().await {
                tracing::warn!(%error, "a node of the demo could not be killed");
            }
        }
    }
}

/// Starts the program for a node that was made.
fn spawn(name: &str, data: &Path) -> Result<Child, Error> {
    let failed = |error| Error::local(format!("the node of {name} did not start"), error);
    let log = File::options()
        .create(true)
        .append(true)
        .open(data.with_extension("log"));
    Command::new(std::env::current_exe().map_err(failed)?)
        .args(["run", "--until-stdin-closes", "--data"])
        .arg(data)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(log.map_err(failed)?)
        // Ctrl-C is for the demo, which then stops its nodes in order.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)
}

/// Finds ports on loopback that nobody has. They are all held until all are found.
fn ports<const N: usize>() -> io::Result<[SocketAddr; N]> {
    let mut addresses = [SocketAddr::from(([127, 0, 0, 1], 0)); N];
    let mut held = Vec::new();
    for address in &mut addresses {
        let listener = TcpListener::bind(*address)?;
        *address = listener.local_addr()?;
        held.push(listener);
    }
    Ok(addresses)
}

/// How long a node may take until it answers.
const START_TIME_MAX: Duration = Duration::from_secs(60);

/// How long a node may take to stop in order.
const STOP_TIME_MAX: Duration = Duration::from_secs(20);

/// Between two looks at a node that starts.
const POLL: Duration = Duration::from_millis(50);

/// Lines of a log that are shown where a node failed.
const LINES: usize = 20;
