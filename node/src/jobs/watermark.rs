//! Draws the watermark of video that was received, by a program of its own, one file after the other.
//!
//! What is read there was made by others: the program reads one file and no address, knows containers only that name
//! no other file, is given no text on its command line, and ends in time. What comes of it changes nothing but the
//! rendition.

use std::env;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use interdocket_sync::id::EvidenceId;
use tokio::io::{AsyncReadExt as _, copy, sink};
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use crate::actions::decide::broken;
use crate::actions::evidence::rendition;
use crate::actions::{Error, ErrorKind, Way};
use crate::blobs::Placed;
use crate::event::{StoredBlob, Watermark};
use crate::node::Node;
use crate::scrub;
use crate::store::table::{self, Table};

/// Draws watermarks, until told to stop.
pub(crate) async fn watermark(node: Node, stop: CancellationToken) {
    loop {
        let ffmpeg = &node.parts().config.watermark.ffmpeg;
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            drawn = look(&node, ffmpeg, &stop) => if let Err(error) = drawn {
                tracing::warn!(%error, "watermarks could not be looked at");
            }
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// Draws what waits; what has waited for a program too, where there is one now.
///
/// # Errors
/// [`Error`] where the tables fail.
pub(crate) async fn look(node: &Node, ffmpeg: &str, stop: &CancellationToken) -> Result<(), Error> {
    let program = found(ffmpeg);
    each(node, &table::RENDERING, program.as_deref(), stop).await?;
    if program.is_some() {
        each(node, &table::OVERLAID, program.as_deref(), stop).await?;
    }
    Ok(())
}

/// Where the program is, by its path or in `PATH`.
fn found(ffmpeg: &str) -> Option<PathBuf> {
    let there = |path: &PathBuf| path.is_absolute() && path.is_file();
    if ffmpeg.contains('/') {
        return Some(PathBuf::from(ffmpeg)).filter(there);
    }
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders)
        .map(|folder| folder.join(ffmpeg))
        .find(there)
}

async fn each(
    node: &Node,
    table: &'static Table<(EvidenceId, u32), String>,
    program: Option<&Path>,
    stop: &CancellationToken,
) -> Result<(), Error> {
    let mut after = None;
    loop {
        // What can't be drawn now stays listed: the others go on behind it.
        let from = after;
        let page = node
            .read(move |view| Ok(view.page(table, &(), from.as_ref(), PAGE)?))
            .await?;
        after = page.last().map(|(key, _)| *key);
        let whole = page.len() < PAGE;
        for (key, text) in page {
            if let Err(error) = one(node, key, text, program, stop).await {
                tracing::warn!(%error, evidence = %key.0, file = key.1, "a watermark could not be drawn");
            }
        }
        if whole {
            return Ok(());
        }
    }
}

async fn one(
    node: &Node,
    key: (EvidenceId, u32),
    text: String,
    program: Option<&Path>,
    stop: &CancellationToken,
) -> Result<(), Error> {
    let source = node.read(move |view| rendition::source(view, key)).await?;
    let Some((name, placed)) = source else {
        return Ok(());
    };
    let (watermark, stored) = match program {
        Some(program) => {
            let folder = Folder::fresh(&node.parts().data)?;
            drawn(node, program, &folder.0, (name, placed), &text, stop).await?
        }
        None => (Watermark::Unavailable, None),
    };
    node.decide(None, Way::Timer, move |context| {
        rendition::made(context, key, text, watermark, stored)
    })
    .await
}

/// Draws one watermark in an empty folder, and takes in what comes of it.
async fn drawn(
    node: &Node,
    program: &Path,
    folder: &Path,
    (name, placed): (String, Placed),
    text: &str,
    stop: &CancellationToken,
) -> Result<(Watermark, Option<StoredBlob>), Error> {
    let size = placed.size;
    room(node, size.saturating_add(most(size)))?;
    fs::write(folder.join(TEXT), wrapped(text)).map_err(failed)?;
    let (of, to, going) = (node.clone(), folder.join(INPUT), stop.clone());
    node.blocking(move || written(&of, &placed, &to, &going))
        .await?;
    let ran = tokio::time::timeout(longest(size), ran(program, folder, most(size)));
    if let Err(reason) = ran
        .await
        .unwrap_or_else(|_| Err("it took too long".to_owned()))
    {
        tracing::warn!(file = %placed.digest, reason, "ffmpeg could not draw a watermark");
        return Ok((Watermark::Failed, None));
    }
    let output = folder.join(OUTPUT);
    let made = fs::symlink_metadata(&output);
    // What is cut off at its bound is not whole.
    if !made.is_ok_and(|made| made.is_file() && (1..most(size)).contains(&made.len())) {
        tracing::warn!(file = %placed.digest, "ffmpeg made nothing that is whole");
        return Ok((Watermark::Failed, None));
    }
    let (file, stored) = node.rendition(output, renamed(&name)).await?;
    Ok((Watermark::Drawn(file), stored))
}

/// Refuses what the disk has no room for.
fn room(node: &Node, bytes: u64) -> Result<(), Error> {
    let space = node.parts().blobs.space();
    let space = space.map_err(|error| broken(&error.to_string()))?;
    if bytes <= space.room() {
        return Ok(());
    }
    let message = format!("the disk has no room for a rendition of up to {bytes} bytes");
    Err(Error::new(ErrorKind::Unavailable, message).hint("make room on the disk of this node"))
}

/// Writes verified bytes where the program reads them.
fn written(node: &Node, placed: &Placed, to: &Path, stop: &CancellationToken) -> Result<(), Error> {
    let reader = node.parts().blobs.read(placed, 0..placed.size);
    let mut reader = reader.map_err(|error| {
        node.suspect(placed, &error);
        broken(&error.to_string())
    })?;
    let mut file = File::create_new(to).map_err(failed)?;
    let mut piece = vec![0; PIECE];
    loop {
        scrub::going(stop).map_err(failed)?;
        let read = reader.read(&mut piece).map_err(failed)?;
        if read == 0 {
            return Ok(());
        }
        file.write_all(&piece[..read]).map_err(failed)?;
    }
}

/// Runs the program to its end; dropping this ends it as well.
async fn ran(program: &Path, folder: &Path, most: u64) -> Result<(), String> {
    let mut command = Command::new("nice");
    command.args(["-n", "19"]).arg(program).args(ARGUMENTS);
    command.args(["-fs", &most.to_string(), OUTPUT]);
    command.current_dir(folder).kill_on_drop(true);
    command.env_clear().env("HOME", folder);
    if let Some(path) = env::var_os("PATH") {
        command.env("PATH", path);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let started = command.stderr(Stdio::piped()).spawn();
    let mut child = started.map_err(|error| error.to_string())?;
    let mut said = Vec::new();
    if let Some(mut errors) = child.stderr.take() {
        let read = (&mut errors).take(SAID).read_to_end(&mut said).await;
        read.map_err(|error| error.to_string())?;
        let rest = copy(&mut errors, &mut sink()).await;
        rest.map_err(|error| error.to_string())?;
    }
    let status = child.wait().await.map_err(|error| error.to_string())?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("{status}: {}", String::from_utf8_lossy(&said))),
    }
}

/// Text in lines that fit into a picture.
fn wrapped(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let letters: Vec<char> = line.chars().collect();
        lines.extend(letters.chunks(COLUMNS).map(|part| part.iter().collect()));
    }
    lines.join("\n")
}

/// The name of a rendition; no longer than names are.
fn renamed(name: &str) -> String {
    let stem = Path::new(name).file_stem().unwrap_or_default();
    let stem: String = stem.to_string_lossy().chars().take(STEM).collect();
    format!("{stem}.watermark.mkv")
}

/// The most bytes of a rendition.
const fn most(size: u64) -> u64 {
    size.saturating_mul(2).saturating_add(16 << 20)
}

/// How long it may take.
const fn longest(size: u64) -> Duration {
    Duration::from_secs(120 + size / (64 << 10))
}

fn failed(error: io::Error) -> Error {
    let message = format!("a rendition could not be made: {error}");
    Error::new(ErrorKind::Unavailable, message)
}

/// The folder in which a watermark is drawn; gone when that is over.
struct Folder(PathBuf);

impl Folder {
    /// An empty one; what a node that died left in it is removed.
    fn fresh(data: &Path) -> Result<Self, Error> {
        let folder = data.join(FOLDER);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        fs::create_dir(&folder).map_err(failed)?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, "what a watermark was drawn of could not be removed");
        }
    }
}

/// What the program is told: names of its folder only, and the text in a file.
const ARGUMENTS: [&str; 22] = [
    "-nostdin",
    "-hide_banner",
    "-loglevel",
    "error",
    "-protocol_whitelist",
    "file,pipe",
    // Playlists and their like name other files, whose pictures would be in the rendition.
    "-format_whitelist",
    "mov,matroska,webm,avi,mpegts,mpeg,mpegvideo,asf,flv,ogg,mxf,m4v,h264,hevc",
    "-max_pixels",
    "67108864",
    "-i",
    "file:input",
    "-map",
    "0:V:0",
    "-map",
    "0:a?",
    "-map_metadata",
    "-1",
    "-filter:v",
    "drawtext=textfile=text:expansion=none:fontcolor=white:fontsize=min(w\\,h)/24:line_spacing=4:box=1:boxcolor=black@0.6:boxborderw=6:x=10:y=h-th-10",
    "-c:a",
    "copy",
];
/// In the data directory.
const FOLDER: &str = "rendering";
const INPUT: &str = "input";
const TEXT: &str = "text";
const OUTPUT: &str = "output.mkv";
/// Rows that are looked at in one step.
const PAGE: usize = 16;
/// Bytes that are written at once.
const PIECE: usize = 256 * 1024;
/// Bytes that the program says which are kept.
const SAID: u64 = 1024;
/// Letters on a line, of a font that has 24 lines on the shorter side.
const COLUMNS: usize = 44;
/// Letters of the name of the original.
const STEM: usize = 48;
const EVERY: Duration = Duration::from_secs(5);
