//! Backups: of the running node through its API, and what is made of them without one.

use std::path::PathBuf;

use clap::Args;

use super::Context;
use super::error::Error;
use super::local::apart;
use super::table::{count, size, time};
use crate::actions::node;
use crate::{clock, restore, text};

/// Backs the running node up.
#[derive(Debug, Args)]
#[command(after_help = "\
The folder is made where it does not exist. What an earlier backup there has already is not copied again,
and if this one is cut, the earlier one is still whole. It holds the node's keys: whoever can read it can
be this organisation.

What is there already is not read, unless you say --verify: then what is damaged is written anew.

Example:
  interdocket backup /mnt/backup/interdocket
  interdocket backup --verify /mnt/backup/interdocket")]
pub(super) struct Backup {
    /// The folder, on the node's machine.
    folder: PathBuf,
    /// Read what an earlier backup wrote there as well, and write anew what is damaged.
    #[arg(long)]
    verify: bool,
}

/// Verifies a backup.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  interdocket verify-backup /mnt/backup/interdocket")]
pub(super) struct Verify {
    /// The folder of the backup.
    backup: PathBuf,
}

/// Restores a node.
#[derive(Debug, Args)]
#[command(after_help = "\
Every file is compared before anything is written; what was cut is begun again by the same command. The node
begins a new incarnation: its shares stand still until each partner has given back what it holds of them. Never
start the node that the backup was made of again: two of one organisation freeze their shares.

Example:
  interdocket restore /mnt/backup/interdocket --data /var/lib/interdocket")]
pub(super) struct Restore {
    /// The folder of the backup.
    backup: PathBuf,
}

impl Backup {
    pub(super) async fn run(self, context: &Context) -> Result<(), Error> {
        let folder = std::path::absolute(&self.folder).map_err(|error| {
            Error::local(format!("{} is no folder", self.folder.display()), error)
        })?;
        let (bar, progress) = context.out.volume("Backing up");
        let request = node::Backup {
            folder,
            verify: self.verify,
        };
        let made = context.client.watch(&request, &progress).await?;
        bar.finish_and_clear();
        context.out.reply(&made, |made| {
            let mut shown = format!(
                "Backed up {} and {} with {}, of which {} were copied.\n",
                count(made.records, "record", "records"),
                count(made.files, "file", "files"),
                size(made.bytes),
                size(made.copied),
            );
            for problem in &made.problems {
                shown += &format!("problem: {}\n", text::display(problem));
            }
            shown + "It holds the node's keys: keep it as safe as the node.\n"
        })?;
        if made.problems.is_empty() {
            return Ok(());
        }
        Err(Error::Incomplete(
            "not all of the node is whole; see what is wrong: interdocket check".to_owned(),
        ))
    }
}

impl Verify {
    pub(super) async fn run(self, context: &Context) -> Result<(), Error> {
        let (bar, progress) = context.out.volume("Reading");
        let verified = apart(move || restore::verify(&self.backup, &progress)).await?;
        bar.finish_and_clear();
        context.out.reply(&verified, |verified| {
            format!(
                "The backup of {} is whole: {} and {} with {}.",
                time(verified.made_at),
                count(verified.records, "record", "records"),
                count(verified.files, "file", "files"),
                size(verified.bytes),
            )
        })
    }
}

impl Restore {
    pub(super) async fn run(self, context: &Context) -> Result<(), Error> {
        let (bar, progress) = context.out.volume("Restoring");
        let data = context.data.clone();
        let restored =
            apart(move || restore::restore(&self.backup, &data, &clock::System, &progress)).await?;
        bar.finish_and_clear();
        context.out.reply(&restored, |restored| {
            let mut shown = format!(
                "Restored organisation {} as of {}: {} and {} with {}.\n",
                restored.backup.organisation,
                time(restored.backup.made_at),
                count(restored.backup.records, "record", "records"),
                count(restored.backup.files, "file", "files"),
                size(restored.backup.bytes),
            );
            for damaged in &restored.damaged {
                shown += &format!("problem: {}\n", text::display(damaged));
            }
            if let Some(last) = restored.clock_suspect {
                shown += &format!(
                    "problem: this machine's clock is behind the backup's last record of {}, so nothing that \
                     depends on time will be served: set the clock right, start the node, then: interdocket \
                     confirm-clock\n",
                    time(last),
                );
            }
            shown
                + &format!(
                    "Never start the old node again: two of one organisation freeze their shares.\n\
                     Start this one: interdocket run --data {}\n\
                     Nothing goes through the shares of before until their partners have been heard.\n\
                     The portal is off, and download links are revoked.\n\
                     Users, roles and tokens are those of the backup, and what was deleted since is there again: look \
                     them through.\n",
                    context.data.display()
                )
        })
    }
}
