//! The command line: arguments in, tables or JSON out.
//!
//! Invariant: what a command does to a running node goes through its API, so that the command line
//! can do nothing that a program cannot. Only what has no running node, `init`, `run`, `rebuild`,
//! `verify-backup` and `restore`, calls the library. With `--json` standard output holds replies as the API gives them and nothing
//! else; what strangers wrote is never printed raw.

mod audit;
mod backup;
mod case;
mod client;
mod demo;
mod disclosure;
mod error;
mod evidence;
mod external;
#[cfg(test)]
mod fake;
mod feature;
mod group;
mod link;
mod local;
mod metadata;
mod names;
mod out;
mod partner;
mod retention;
mod role;
mod save;
mod settings;
mod share;
mod status;
mod table;
mod target;
#[cfg(test)]
mod tests;
mod token;
mod user;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::actions::group::Kind;
use client::Client;
use error::Error;
use out::Out;

/// Runs the program with the arguments of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let out = Out::new(cli.global.json);
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(source) => {
            return out.fail(&Error::local(
                "the program could not start its threads",
                source,
            ));
        }
    };
    let ended = runtime.block_on(cli.run(out));
    // A thread that waits for a line on standard input would never end.
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => out.fail(&error),
    }
}

/// A node that an organisation runs to hold its cases and to share them with organisations it trusts.
#[derive(Debug, Parser)]
#[command(name = "interdocket", version, after_help = AFTER_HELP)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Global {
    /// The node's data directory.
    #[arg(
        long,
        global = true,
        env = "INTERDOCKET_DATA",
        value_name = "DIR",
        default_value_os_t = default_data(std::env::var_os("XDG_DATA_HOME"), std::env::var_os("HOME"))
    )]
    data: PathBuf,
    /// Print replies as the API gives them: JSON, one object a line.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a new node: directories, keys and configuration.
    Init(local::Init),
    /// Run the node until it is told to stop.
    Run(local::Run),
    /// Show how the node stands.
    #[command(after_help = "Example:\n  interdocket status")]
    Status,
    /// Users of this node.
    #[command(subcommand)]
    User(user::Command),
    /// Tokens, by which users and programs call the API over HTTPS.
    #[command(subcommand)]
    Token(token::Command),
    /// Settings of the organisation: what counts for everybody.
    #[command(subcommand)]
    Settings(settings::Command),
    /// Retention: how long evidence is kept, and what is about to be deleted.
    #[command(subcommand)]
    Retention(retention::Command),
    /// Features: what the organisation takes part in. All are off until they are enabled.
    #[command(subcommand)]
    Feature(feature::Command),
    /// Roles: what people who have them may do.
    #[command(subcommand)]
    Role(role::Command),
    /// Groups of users, who are addressed and given access together.
    #[command(subcommand)]
    Group(group::Command),
    /// Units: people and devices in the field, who are addressed and given access together.
    #[command(subcommand)]
    Unit(group::Command),
    /// Partners: pairing, what is enabled, how they stand.
    #[command(subcommand)]
    Partner(partner::Command),
    /// Cases.
    #[command(subcommand)]
    Case(case::Command),
    /// Targets: whom cases are about.
    #[command(subcommand)]
    Target(target::Command),
    /// Evidence: files of cases.
    #[command(subcommand)]
    Evidence(evidence::Command),
    /// Metadata: what can be said of evidence, and what a copy has of it.
    #[command(subcommand)]
    Metadata(metadata::Command),
    /// Shares with partners.
    #[command(subcommand)]
    Share(share::Command),
    /// Disclosures: what of cases guests read in the portal of this node.
    #[command(subcommand)]
    Disclosure(disclosure::Command),
    /// Download links: a case as a ZIP for whoever holds the link.
    #[command(subcommand)]
    Link(link::Command),
    /// External cases: what partners share with people here.
    #[command(subcommand)]
    External(external::Command),
    /// The journal as an audit.
    #[command(subcommand)]
    Audit(audit::Command),
    /// Check all that is stored: journal, database and every file.
    #[command(after_help = "Example:\n  interdocket check")]
    Check,
    /// Confirm that this machine's clock is right, after it jumped.
    #[command(after_help = "Example:\n  interdocket confirm-clock")]
    ConfirmClock,
    /// The organisation's root.
    #[command(subcommand)]
    Root(local::Root),
    /// Build the database again from the journal, while the node does not run. Old ones are removed, and with them
    /// what they may still hold of what was deleted.
    #[command(after_help = "Example:\n  interdocket rebuild --data /var/lib/interdocket")]
    Rebuild,
    /// Back the running node up into a folder on its machine: everything, keys included.
    Backup(backup::Backup),
    /// Compare every file of a backup with what was written.
    VerifyBackup(backup::Verify),
    /// Make a node of a backup, in a data directory that is empty or does not exist.
    Restore(backup::Restore),
    /// Show it all with three nodes on this machine.
    Demo(demo::Demo),
}

/// What every command has at hand.
#[derive(Debug, Clone)]
struct Context {
    data: PathBuf,
    client: Client,
    out: Out,
}

impl Cli {
    async fn run(self, out: Out) -> Result<(), Error> {
        let context = Context {
            client: Client::new(self.global.data.clone()),
            data: self.global.data,
            out,
        };
        // These two have more to do when they are told to stop than to end.
        let ends_itself = matches!(self.command, Command::Run(_) | Command::Demo(_));
        tokio::select! {
            ended = self.command.run(&context) => ended,
            _ = tokio::signal::ctrl_c(), if !ends_itself => Err(Error::Interrupted),
        }
    }
}

impl Command {
    async fn run(self, context: &Context) -> Result<(), Error> {
        match self {
            Self::Init(init) => init.run(context).await,
            Self::Run(run) => run.run(context).await,
            Self::Status => status::status(context).await,
            Self::User(command) => command.run(context).await,
            Self::Settings(command) => command.run(context).await,
            Self::Retention(command) => command.run(context).await,
            Self::Feature(command) => command.run(context).await,
            Self::Token(command) => command.run(context).await,
            Self::Role(command) => command.run(context).await,
            Self::Group(command) => command.run(context, Kind::Group).await,
            Self::Unit(command) => command.run(context, Kind::Unit).await,
            Self::Target(command) => command.run(context).await,
            Self::Partner(command) => command.run(context).await,
            Self::Case(command) => command.run(context).await,
            Self::Evidence(command) => command.run(context).await,
            Self::Metadata(command) => command.run(context).await,
            Self::Share(command) => command.run(context).await,
            Self::Disclosure(command) => command.run(context).await,
            Self::Link(command) => command.run(context).await,
            Self::External(command) => command.run(context).await,
            Self::Audit(command) => command.run(context).await,
            Self::Check => status::check(context).await,
            Self::ConfirmClock => status::confirm_clock(context).await,
            Self::Root(root) => root.run(context).await,
            Self::Rebuild => local::rebuild(context).await,
            Self::Backup(backup) => backup.run(context).await,
            Self::VerifyBackup(verify) => verify.run(context).await,
            Self::Restore(restore) => restore.run(context).await,
            Self::Demo(demo) => demo.run(context).await,
        }
    }
}

/// Which part of a long list to show.
#[derive(Debug, Args)]
struct Range {
    /// At most so many, from 1 to 1,000; everything where left out.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: Option<u32>,
    /// Continue after what an earlier list said.
    #[arg(long, value_name = "NEXT")]
    after: Option<String>,
}

/// Where nodes keep their data: the system's place where there is one, else the user's.
fn default_data(data_home: Option<OsString>, home: Option<OsString>) -> PathBuf {
    let system = PathBuf::from("/var/lib/interdocket");
    if system.is_dir() {
        return system;
    }
    match (data_home.filter(|path| !path.is_empty()), home) {
        (Some(data_home), _) => PathBuf::from(data_home).join("interdocket"),
        (None, Some(home)) => PathBuf::from(home).join(".local/share/interdocket"),
        (None, None) => system,
    }
}

/// Reads one of the names that the API has for a closed set of values.
fn named<T>(names: impl IntoIterator<Item = &'static str>) -> impl TypedValueParser<Value = T>
where
    T: DeserializeOwned + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names)
        .try_map(|name| serde_json::from_value::<T>(Value::String(name)))
}

/// The name that the API has for one of a closed set of values.
fn name<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(name)) => name.replace('_', " "),
        _ => "?".to_owned(),
    }
}

const AFTER_HELP: &str = "\
Exit codes:
  0    done
  1    something failed on this side, or not everything could be done
  2    the command line was not understood
  3    the request does not make sense as it is
  4    not allowed
  5    there is no such thing
  6    it does not fit the present state
  7    the node cannot now, or does not run
  130  interrupted

Example:
  interdocket demo";
