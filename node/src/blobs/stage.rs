//! Where one big blob is filled in and hashed, in front of the thread that writes it.
//!
//! An error of the writer shows at the next call; a full disk takes the staged files with it, any
//! other error leaves what a mark vouches for.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, atomic};
use std::thread::{self, JoinHandle};

use interdocket_sync::blob::Digest;

use super::direct::PAGE;
use super::header::{Header, Kind};
use super::mark::Mark;
use super::piece::{Piece, Pool};
use super::tree::Builder;
use super::writer::{Job, Writer};
use super::{Error, Inner};

/// How many jobs wait for the writer.
const JOBS: usize = 2;

/// The two files of a staged blob.
#[derive(Debug, Clone)]
pub(super) struct Paths {
    /// Its bytes.
    pub data: PathBuf,
    /// Its mark and the pairs of its tree.
    pub tree: PathBuf,
}

impl Paths {
    /// Removes both.
    pub(super) fn remove(&self) {
        // What is left over is removed by the next start.
        let _ = fs::remove_file(&self.data);
        let _ = fs::remove_file(&self.tree);
    }
}

/// The front of a big blob that is being written.
pub(super) struct Stage {
    /// The tree over what was shipped; kept by the caller.
    pub builder: Builder,
    paths: Paths,
    jobs: Option<SyncSender<Job>>,
    worker: Option<JoinHandle<Result<(), Error>>>,
    pool: Pool,
    piece: Option<Piece>,
    /// Where the piece belongs in the blob.
    at: u64,
    sequence: u64,
}

impl Stage {
    /// Starts writing; after a mark, behind what it says is there.
    pub(super) fn start(
        inner: Arc<Inner>,
        paths: Paths,
        from: Option<Mark>,
    ) -> Result<Self, Error> {
        let resumed = from.and_then(|mark| Some((mark.builder()?, mark)));
        let (builder, at, sequence) = match resumed {
            Some((builder, mark)) => (builder, mark.done, mark.sequence + 1),
            None => {
                // A mark of something else must not outlive what it speaks of.
                let _ = fs::remove_file(&paths.tree);
                (Builder::default(), 0, 0)
            }
        };
        let writer = Writer::open(inner, paths.clone(), builder.groups())?;
        let (jobs, queue) = mpsc::sync_channel(JOBS);
        let worker = thread::Builder::new().name("blob-writer".to_owned());
        let worker = worker.spawn(move || writer.run(&queue));
        let worker = Some(worker.map_err(Error::io("start a thread to write", &paths.data))?);
        let (pool, piece, jobs) = (Pool::new(), None, Some(jobs));
        Ok(Self {
            builder,
            paths,
            jobs,
            worker,
            pool,
            piece,
            at,
            sequence,
        })
    }

    /// Where the next bytes go; never empty.
    pub(super) fn room(&mut self) -> &mut [u8] {
        self.piece.get_or_insert_with(|| self.pool.take()).room()
    }

    /// Says how much of the room was filled, and whether the piece is full.
    pub(super) fn filled(&mut self, bytes: usize) -> bool {
        self.piece.as_mut().is_some_and(|piece| piece.filled(bytes))
    }

    /// Copies bytes in.
    pub(super) fn put(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            let room = self.room();
            let count = room.len().min(bytes.len());
            room[..count].copy_from_slice(&bytes[..count]);
            bytes = &bytes[count..];
            if self.filled(count) {
                self.ship()?;
            }
        }
        Ok(())
    }

    /// Hands what was filled to the writer; returns it and its place, to be hashed meanwhile.
    pub(super) fn ship(&mut self) -> Result<Option<(u64, Arc<Piece>)>, Error> {
        let Some(mut piece) = self.piece.take() else {
            return Ok(None);
        };
        piece.pad();
        let (at, piece) = (self.at, Arc::new(piece));
        self.at += piece.bytes().len() as u64;
        self.send(Job::Data(PAGE as u64 + at, piece.clone()))?;
        Ok(Some((at, piece)))
    }

    /// Lets the pairs so far leave memory.
    pub(super) fn spill(&mut self) -> Result<(), Error> {
        let pairs = self.builder.take();
        self.send(Job::Pairs(pairs, None))
    }

    /// Makes everything so far durable and says so in a mark. Whole groups only.
    pub(super) fn mark(&mut self, digest: Digest, size: u64) -> Result<(), Error> {
        self.ship()?;
        let (done, sequence) = (self.at, self.sequence);
        self.sequence += 1;
        let stack = self.builder.stack().to_vec();
        let mark = Mark {
            sequence,
            digest,
            size,
            done,
            stack,
        };
        let pairs = self.builder.take();
        self.send(Job::Pairs(pairs, Some(mark)))
    }

    /// Adds the tree and the header; on return the file is whole and durable.
    pub(super) fn seal(&mut self) -> Result<(Digest, u64), Error> {
        self.ship()?;
        let (digest, size) = (self.builder.finish(), self.at);
        let pairs = self.builder.take();
        self.send(Job::Seal(
            pairs,
            Header {
                kind: Kind::Own,
                size,
                digest,
            },
        ))?;
        self.jobs = None;
        self.join()?;
        Ok((digest, size))
    }

    fn send(&mut self, job: Job) -> Result<(), Error> {
        if self
            .jobs
            .as_ref()
            .is_some_and(|jobs| jobs.send(job).is_ok())
        {
            return Ok(());
        }
        self.jobs = None;
        self.join()?;
        // The writer gave its reason before.
        Err(Error::io("go on writing", &self.paths.data)(
            io::ErrorKind::BrokenPipe.into(),
        ))
    }

    fn join(&mut self) -> Result<(), Error> {
        let Some(worker) = self.worker.take() else {
            return Ok(());
        };
        let done = worker
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        if matches!(done, Err(Error::Full)) {
            self.paths.remove();
        }
        done
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.jobs = None;
        // Nobody may write to the files once the stage is free for the next one.
        if let Some(worker) = self.worker.take()
            && let Ok(Err(Error::Full)) = worker.join()
        {
            self.paths.remove();
        }
    }
}

/// Names the files of an intake that cannot be resumed.
pub(super) fn fresh(inner: &Inner) -> Paths {
    let number = inner.next.fetch_add(1, atomic::Ordering::Relaxed);
    paths(inner, &format!("{FRESH}{number}"))
}

/// Names the files of a stage.
pub(super) fn paths(inner: &Inner, name: &str) -> Paths {
    let folder = inner.dir.join("stage");
    Paths {
        data: folder.join(name),
        tree: folder.join(format!("{name}{TREE}")),
    }
}

/// How the names of intakes begin; ids in hexadecimal never do.
pub(super) const FRESH: &str = "in-";
/// How the names of the files with marks and pairs end.
pub(super) const TREE: &str = ".tree";
