//! Adding files and folders: what is found below the paths, and its way into the case.
//!
//! Invariant: one file that cannot be added stops no other, and each is named with the reason.
//! Symbolic links are never followed: what lies behind them was not chosen.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use serde::Serialize;
use tokio::sync::Semaphore;

use crate::actions::share::{self, Direction};
use crate::actions::{self, case, evidence};
use crate::cli::Context;
use crate::cli::client::Client;
use crate::cli::error::Error;
use crate::cli::table::{count, size};
use crate::text;

/// Adds files and folders to a case.
#[derive(Debug, Args)]
#[command(after_help = "\
Each file becomes one item of evidence. Folders are kept: photos/car/1.jpg of `photos` lies in the
folder photos/car of the case. Symbolic links are skipped.

Example:
  interdocket evidence add 2026-17 photos statement.pdf")]
pub(in crate::cli) struct Add {
    /// The case's number or id.
    case: String,
    /// Files and folders on the node's machine.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

/// What became of each file.
#[derive(Debug, Default, Serialize)]
pub(in crate::cli) struct Outcome {
    /// What the case has now.
    pub(in crate::cli) added: Vec<evidence::Evidence>,
    /// What was left out on purpose.
    pub(in crate::cli) skipped: Vec<Left>,
    /// What could not be added.
    pub(in crate::cli) failed: Vec<Left>,
}

/// A path that was not added.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Left {
    path: PathBuf,
    reason: String,
}

/// A file that was found, and where it goes.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    path: PathBuf,
    folder: String,
    size: u64,
}

impl Add {
    pub(super) async fn run(self, context: &Context) -> Result<(), Error> {
        let outcome = add(context, &context.client, &self.case, &self.paths).await?;
        context
            .out
            .reply(&outcome, |outcome| show(outcome, &self.case))?;
        if !outcome.added.is_empty() {
            offer(context, &self.case).await;
        }
        if outcome.failed.is_empty() {
            return Ok(());
        }
        let failed = outcome.failed.len() as u64;
        let message = format!("{} could not be added", count(failed, "file", "files"));
        Err(Error::Incomplete(message))
    }
}

/// Says which partners have a copy of the case that could be updated now. Who may not see that is told nothing.
async fn offer(context: &Context, case: &str) {
    let request = share::List {
        case: Some(case.to_owned()),
        direction: Some(Direction::Sent),
        limit: Some(1000),
        ..share::List::default()
    };
    let page = context.client.call(&request).await;
    let shares = page.map_or_else(|_| Vec::new(), |page| page.shares);
    for share in shares.iter().filter(|share| share.lacks > 0) {
        context.out.note(&format!(
            "The copy at {} lacks {} of this case. To update it: interdocket share add {}",
            text::display(&share.partner_name),
            count(share.lacks, "item", "items"),
            share.id
        ));
    }
}

/// Adds everything below `paths` to a case.
pub(in crate::cli) async fn add(
    context: &Context,
    client: &Client,
    case: &str,
    paths: &[PathBuf],
) -> Result<Outcome, Error> {
    // What is wrong with the case is said once, not once for each file.
    let request = case::Show {
        case: case.to_owned(),
    };
    client.call(&request).await?;
    let mut outcome = Outcome::default();
    let mut found = Vec::new();
    for path in paths {
        let path = std::path::absolute(path)
            .map_err(|error| Error::local("the working directory cannot be found", error))?;
        find(&path, "", &mut found, &mut outcome);
    }
    let bar = context
        .out
        .bytes(found.iter().map(|file| file.size).sum(), "Adding");
    let slots = Arc::new(Semaphore::new(SLOTS as usize));
    let mut calls = FuturesUnordered::new();
    let mut waiting = found.into_iter();
    loop {
        while calls.len() < SLOTS as usize
            && let Some(file) = waiting.next()
        {
            let slots = Arc::clone(&slots);
            calls.push(async move {
                let weight = if file.size > SMALL_BYTES_MAX {
                    SLOTS / 2
                } else {
                    1
                };
                let slot = slots.acquire_many(weight).await;
                let added = take(client, case, &file).await;
                drop(slot);
                (file, added)
            });
        }
        let Some((file, added)) = calls.next().await else {
            break;
        };
        bar.inc(file.size);
        match added {
            Ok(item) => outcome.added.push(item),
            Err(error) => outcome.failed.push(Left {
                path: file.path,
                reason: error.message,
            }),
        }
    }
    bar.finish_and_clear();
    Ok(outcome)
}

async fn take(
    client: &Client,
    case: &str,
    file: &Found,
) -> Result<evidence::Evidence, actions::Error> {
    let request = evidence::Add {
        case: case.to_owned(),
        path: file.path.clone(),
        name: None,
        folder: file.folder.clone(),
        title: None,
    };
    client.call(&request).await
}

/// Finds the files at and below a path, in the order of their names.
fn find(path: &Path, folder: &str, found: &mut Vec<Found>, outcome: &mut Outcome) {
    let left = |reason: String| Left {
        path: path.to_owned(),
        reason,
    };
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) => return outcome.failed.push(left(error.to_string())),
    };
    let kind = metadata.file_type();
    if kind.is_symlink() {
        return outcome.skipped.push(left("a symbolic link".to_owned()));
    }
    if kind.is_file() {
        return match fs::File::open(path) {
            Ok(_) => found.push(Found {
                path: path.to_owned(),
                folder: folder.to_owned(),
                size: metadata.len(),
            }),
            Err(error) => outcome.failed.push(left(error.to_string())),
        };
    }
    if !kind.is_dir() {
        let reason = "neither a file nor a folder".to_owned();
        return outcome.skipped.push(left(reason));
    }
    let entries = fs::read_dir(path).and_then(|entries| entries.collect::<Result<Vec<_>, _>>());
    let mut entries = match entries {
        Ok(entries) => entries,
        Err(error) => return outcome.failed.push(left(error.to_string())),
    };
    entries.sort_by_key(fs::DirEntry::file_name);
    let Some(below) = below(folder, path) else {
        let reason = "the folder's name is not UTF-8: rename it".to_owned();
        return outcome.failed.push(left(reason));
    };
    for entry in entries {
        find(&entry.path(), &below, found, outcome);
    }
}

/// The folder of the case for what lies in the folder `path`.
fn below(folder: &str, path: &Path) -> Option<String> {
    let name = path.file_name().map_or(Some(""), |name| name.to_str())?;
    let parts = [folder, name];
    let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    Some(parts.join("/"))
}

/// Shows what became of the files.
pub(in crate::cli) fn show(outcome: &Outcome, case: &str) -> String {
    let mut shown = String::new();
    for (left, what) in [(&outcome.skipped, "skipped"), (&outcome.failed, "failed")] {
        for Left { path, reason } in left {
            let path = path.display().to_string();
            shown += &format!(
                "{what}: {}: {}\n",
                text::display(&path),
                text::display(reason)
            );
        }
    }
    if (1..=ROWS_MAX).contains(&outcome.added.len()) {
        shown += &super::table(&outcome.added);
    }
    let files = outcome.added.iter().flat_map(|item| &item.files);
    shown += &format!(
        "Added {} ({}) to case {}.\n",
        count(outcome.added.len() as u64, "file", "files"),
        size(files.map(|file| file.size).sum()),
        text::display(case),
    );
    shown
}

/// Calls at once: enough that small files do not wait for each other's syncs.
const SLOTS: u32 = 16;

/// A larger file takes half of the slots, so that disks are not read in too many places at once.
const SMALL_BYTES_MAX: u64 = 1 << 20;

/// More items than that are counted, not shown.
const ROWS_MAX: usize = 20;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::cli::fake::{self, context, serve};

    #[test]
    fn folders_are_kept_and_links_are_skipped() {
        let root = tempfile::tempdir().unwrap();
        let photos = root.path().join("photos");
        fs::create_dir_all(photos.join("car")).unwrap();
        fs::write(photos.join("b.jpg"), "bb").unwrap();
        fs::write(photos.join("car/a.jpg"), "a").unwrap();
        symlink("/etc/passwd", photos.join("link")).unwrap();
        symlink("/etc", photos.join("tree")).unwrap();

        let (mut found, mut outcome) = (Vec::new(), Outcome::default());
        find(&photos, "", &mut found, &mut outcome);
        find(&photos.join("b.jpg"), "", &mut found, &mut outcome);
        find(&root.path().join("gone"), "", &mut found, &mut outcome);

        let places: Vec<_> = found
            .iter()
            .map(|file| (file.folder.as_str(), file.size))
            .collect();
        assert_eq!(places, [("photos", 2), ("photos/car", 1), ("", 2)]);
        let skipped = outcome
            .skipped
            .iter()
            .map(|left| left.path.file_name().unwrap());
        assert_eq!(skipped.collect::<Vec<_>>(), ["link", "tree"]);
        assert_eq!(outcome.failed.len(), 1);
        assert!(outcome.failed[0].path.ends_with("gone"));
    }

    /// fault D5
    #[test]
    fn what_was_left_out_is_named_safely() {
        let outcome = Outcome {
            skipped: vec![Left {
                path: "/x/\u{1b}[2Jy".into(),
                reason: "a symbolic link".to_owned(),
            }],
            ..Outcome::default()
        };
        assert_eq!(
            show(&outcome, "1"),
            "skipped: /x/\\u{1b}[2Jy: a symbolic link\nAdded 0 files (0 B) to case 1.\n"
        );
    }

    #[tokio::test]
    async fn one_file_that_fails_stops_no_other() {
        let data = tempfile::tempdir().unwrap();
        let folder = tempfile::tempdir().unwrap();
        for name in ["a", "bad", "c"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        serve(data.path(), |request| {
            if request.starts_with("GET /v0/cases/1 ") {
                return ("200 OK", fake::case());
            }
            if request.contains("/bad\"") {
                let error = r#"{"kind":"not_found","message":"it cannot be read"}"#;
                return ("404 Not Found", error.into());
            }
            ("200 OK", fake::item(Vec::new()))
        });
        let context = context(data.path());
        let paths = [folder.path().to_owned(), folder.path().join("gone")];
        let outcome = add(&context, &context.client, "1", &paths).await.unwrap();
        assert_eq!(outcome.added.len(), 2);
        let failed = outcome
            .failed
            .iter()
            .map(|left| left.path.file_name().unwrap());
        assert_eq!(failed.collect::<Vec<_>>(), ["gone", "bad"]);
        assert_eq!(outcome.failed[1].reason, "it cannot be read");

        let add = Add {
            case: "1".to_owned(),
            paths: paths.to_vec(),
        };
        assert_eq!(add.run(&context).await.unwrap_err().code(), 1);
    }

    #[tokio::test]
    async fn case_that_is_not_there_is_said_once() {
        let data = tempfile::tempdir().unwrap();
        let error = r#"{"kind":"not_found","message":"no case"}"#;
        serve(data.path(), move |_| ("404 Not Found", error.into()));
        let context = context(data.path());
        let refused = add(&context, &context.client, "1", &["/x".into()]).await;
        assert_eq!(refused.unwrap_err().code(), 5);
    }
}
