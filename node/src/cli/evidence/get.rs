//! Reading a file of evidence.
//!
//! Invariant: a file appears under its name only whole and verified, and replaces nothing unless
//! told to; whatever name it has in the case, it stays in the folder that was chosen.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::Buf as _;
use clap::Args;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use indicatif::ProgressBar;
use interdocket_sync::blob::Digest;
use interdocket_sync::id::EvidenceId;
use serde::Serialize;

use crate::actions::evidence::{self, File};
use crate::actions::{self, ErrorKind};
use crate::cli::Context;
use crate::cli::error::Error;
use crate::cli::table::size;
use crate::text;

/// Reads a file of evidence.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  interdocket evidence get 0197a3e4-5b6c-7d8e-9f00-112233445566 --output statement.pdf")]
pub(in crate::cli) struct Get {
    /// The evidence's id.
    evidence: EvidenceId,
    /// Which of its files, from 0.
    #[arg(long, value_name = "N", default_value_t = 0)]
    file: u32,
    /// Where to: a file, a folder, or `-` for standard output; here, under its own name where left
    /// out.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace a file that is there.
    #[arg(long)]
    force: bool,
}

/// A file that was read.
#[derive(Debug, Serialize)]
struct Written {
    path: PathBuf,
    size: u64,
    blake3: Digest,
}

impl Get {
    pub(super) async fn run(self, context: &Context) -> Result<(), Error> {
        let request = evidence::Show {
            evidence: self.evidence,
        };
        let item = context.client.call(&request).await?;
        let Some(file) = item.files.get(self.file as usize) else {
            let message = format!("there is no file {}; files count from 0", self.file);
            return Err(actions::Error::new(ErrorKind::NotFound, message).into());
        };
        let opened = async || context.client.open(self.evidence, self.file).await;
        let bar = context.out.bytes(file.size, "Reading");
        if self.output.as_deref() == Some(Path::new("-")) {
            let mut stdout = io::stdout().lock();
            copy(opened().await?, &mut stdout, file, &bar).await?;
            bar.finish_and_clear();
            return Ok(());
        }
        let path = destination(self.output.as_deref(), &file.name);
        if !self.force && fs::symlink_metadata(&path).is_ok() {
            return Err(taken(&path));
        }
        // Beside its place, so that it gets there in one step.
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let mut part = tempfile::NamedTempFile::new_in(folder.unwrap_or_else(|| Path::new(".")))
            .map_err(|error| failed(&path, error))?;
        copy(opened().await?, part.as_file_mut(), file, &bar).await?;
        bar.finish_and_clear();
        let synced = part.as_file().sync_all();
        synced.map_err(|error| failed(&path, error))?;
        let named = if self.force {
            part.persist(&path)
        } else {
            part.persist_noclobber(&path)
        };
        match named {
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(taken(&path));
            }
            named => named.map_err(|error| failed(&path, error.error))?,
        };
        let written = Written {
            path,
            size: file.size,
            blake3: file.blake3,
        };
        context.out.reply(&written, |written| {
            let path = written.path.display().to_string();
            format!(
                "Wrote {} ({}), verified.",
                text::display(&path),
                size(written.size)
            )
        })
    }
}

/// Where a file goes: into the folder that was chosen under a name that is safe there, or to the
/// very place that was chosen.
fn destination(output: Option<&Path>, name: &str) -> PathBuf {
    match output {
        None => PathBuf::from(text::file_name(name)),
        Some(folder) if folder.is_dir() => folder.join(text::file_name(name)),
        Some(path) => path.to_owned(),
    }
}

/// Writes what arrives, and holds it against the digest that the file is known by.
async fn copy(
    mut body: Incoming,
    to: &mut impl Write,
    file: &File,
    bar: &ProgressBar,
) -> Result<(), Error> {
    let mut hash = blake3::Hasher::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            let hint = "ask again; see what the node's log says";
            let message = format!("the file broke off: {error}");
            actions::Error::new(ErrorKind::Unavailable, message).hint(hint)
        })?;
        if let Ok(data) = frame.into_data() {
            hash.update(data.chunk());
            to.write_all(data.chunk())
                .map_err(|error| match error.kind() {
                    io::ErrorKind::BrokenPipe => Error::Closed,
                    _ => Error::local("the file could not be written", error),
                })?;
            bar.inc(data.len() as u64);
        }
    }
    to.flush()
        .map_err(|error| Error::local("the file could not be written", error))?;
    if Digest(*hash.finalize().as_bytes()) == file.blake3 {
        return Ok(());
    }
    let error = actions::Error::new(ErrorKind::Unavailable, "what arrived is not the file");
    Err(error
        .hint("check what the node stores: interdocket check")
        .into())
}

fn taken(path: &Path) -> Error {
    let message = format!("{} is there already", path.display());
    let error = actions::Error::new(ErrorKind::Conflict, message);
    error
        .hint("choose another --output, or replace it with --force")
        .into()
}

fn failed(path: &Path, error: io::Error) -> Error {
    Error::local(format!("{} could not be written", path.display()), error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::{Answer, context, serve};

    /// fault D1
    #[test]
    fn names_of_evidence_cannot_leave_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "../../etc/passwd",
            "/etc/passwd",
            "..",
            "",
            "a/../../b",
            "-rf",
        ] {
            let path = destination(Some(folder.path()), name);
            assert_eq!(path.parent(), Some(folder.path()), "{name}");
            assert_eq!(destination(None, name).components().count(), 1, "{name}");
        }
        let chosen = folder.path().join("report.pdf");
        assert_eq!(destination(Some(&chosen), "../x"), chosen);
    }

    #[tokio::test]
    async fn file_is_written_whole_and_replaces_nothing_untold() {
        let data = tempfile::tempdir().unwrap();
        serve(data.path(), |request| answer(request, b"hello"));
        let output = data.path().join("out.txt");
        let get = |force| Get {
            evidence: EvidenceId::new(uuid::Uuid::nil()),
            file: 0,
            output: Some(output.clone()),
            force,
        };
        let context = context(data.path());
        get(false).run(&context).await.unwrap();
        assert_eq!(fs::read(&output).unwrap(), b"hello");

        fs::write(&output, "mine").unwrap();
        let refused = get(false).run(&context).await.unwrap_err();
        assert_eq!(refused.code(), 6);
        assert_eq!(fs::read(&output).unwrap(), b"mine");
        get(true).run(&context).await.unwrap();
        assert_eq!(fs::read(&output).unwrap(), b"hello");
    }

    #[tokio::test]
    async fn bytes_that_are_not_the_file_leave_nothing_behind() {
        let data = tempfile::tempdir().unwrap();
        let folder = tempfile::tempdir().unwrap();
        serve(data.path(), |request| answer(request, b"hullo"));
        let get = Get {
            evidence: EvidenceId::new(uuid::Uuid::nil()),
            file: 0,
            output: Some(folder.path().to_owned()),
            force: false,
        };
        let error = get.run(&context(data.path())).await.unwrap_err();
        assert_eq!(error.code(), 7);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    /// Answers for an item whose file is `hello` with these bytes.
    fn answer(request: &str, bytes: &[u8]) -> Answer {
        if request.contains("/files/0 ") {
            return ("200 OK", bytes.to_vec());
        }
        let nil = uuid::Uuid::nil();
        let item = serde_json::json!({
            "id": nil,
            "case": nil,
            "title": "",
            "folder": "",
            "added_at": "2026-03-14T02:31:00Z",
            "added_by": "kim",
            "files": [{
                "name": "../a.txt",
                "size": 5,
                "blake3": blake3::hash(b"hello").to_hex().as_str(),
                "sha256": "00".repeat(32),
                "state": "verified",
            }],
            "origin": null,
        });
        ("200 OK", item.to_string().into_bytes())
    }
}
