//! Writing a file that the node gives out.
//!
//! Invariant: a file appears under its name only whole and verified, and replaces nothing unless
//! told to; whatever name it has in the case, it stays in the folder that was chosen.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::Buf as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use indicatif::ProgressBar;
use interdocket_sync::blob::Digest;
use serde::Serialize;

use super::Context;
use super::error::Error;
use super::table::size;
use crate::actions::{self, ErrorKind};
use crate::text;

/// A file, or a part of one.
pub(super) struct Part<'a> {
    /// The file's name.
    pub(super) name: &'a str,
    /// Bytes of the part.
    pub(super) size: u64,
    /// What the bytes must have, where it is the whole file; the node has verified a part.
    pub(super) blake3: Option<Digest>,
}

/// A file that was written.
#[derive(Debug, Serialize)]
struct Written {
    path: PathBuf,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    blake3: Option<Digest>,
}

/// Reads a file at a place of the API, and writes it where it was asked for.
pub(super) async fn save(
    context: &Context,
    part: &Part<'_>,
    target: &str,
    output: Option<PathBuf>,
    force: bool,
) -> Result<(), Error> {
    let bar = context.out.bytes(part.size, "Reading");
    if output.as_deref() == Some(Path::new("-")) {
        let mut stdout = io::stdout().lock();
        copy(context.client.open(target).await?, &mut stdout, part, &bar).await?;
        bar.finish_and_clear();
        return Ok(());
    }
    let path = destination(output.as_deref(), part.name);
    if !force && fs::symlink_metadata(&path).is_ok() {
        return Err(taken(&path));
    }
    // Beside its place, so that it gets there in one step.
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or_else(|| Path::new(".")))
        .map_err(|error| failed(&path, error))?;
    let body = context.client.open(target).await?;
    copy(body, file.as_file_mut(), part, &bar).await?;
    bar.finish_and_clear();
    let synced = file.as_file().sync_all();
    synced.map_err(|error| failed(&path, error))?;
    let named = if force {
        file.persist(&path)
    } else {
        file.persist_noclobber(&path)
    };
    match named {
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(taken(&path));
        }
        named => named.map_err(|error| failed(&path, error.error))?,
    };
    let written = Written {
        path,
        size: part.size,
        blake3: part.blake3,
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

/// Where a file goes: into the folder that was chosen under a name that is safe there, or to the
/// very place that was chosen.
pub(super) fn destination(output: Option<&Path>, name: &str) -> PathBuf {
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
    part: &Part<'_>,
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
    let digest = Digest(*hash.finalize().as_bytes());
    if part.blake3.is_none_or(|known| known == digest) && bar.position() == part.size {
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
