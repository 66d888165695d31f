//! Writes one big blob to the stage, on a thread of its own.
//!
//! The front fills aligned pieces of 4 MiB and hashes them; the writer behind it owns the files. At
//! most three pieces exist for each blob, whatever its size. Pieces go around the page cache where
//! the file system allows it. An error of the writer shows at the next call of the front.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, atomic};
use std::thread::{self, JoinHandle};

use interdocket_sync::blob::Digest;
use rustix::fs::OFlags;

use super::header::{Header, Kind};
use super::mark::{self, Mark};
use super::tree::Builder;
use super::{Error, Inner, sync};

/// How many bytes go to the disk at once.
pub(super) const PIECE: usize = 4 << 20;
/// What direct writes are aligned to, in bytes: the largest sector in use.
pub(super) const PAGE: usize = 4096;
const PIECES: usize = 3;

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
#[derive(Debug)]
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
        let (data, direct) = open(&paths.data, resumed.is_none())?;
        let (builder, at, sequence) = match resumed {
            Some((builder, mark)) => (builder, mark.done, mark.sequence + 1),
            None => {
                // A mark of something else must not outlive what it speaks of.
                let _ = fs::remove_file(&paths.tree);
                (Builder::default(), 0, 0)
            }
        };
        let spilled = Builder::written(builder.groups());
        let writer = Writer {
            inner,
            paths: paths.clone(),
            data,
            direct,
            tree: None,
            spilled,
        };
        let (jobs, queue) = mpsc::sync_channel(PIECES);
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
        self.piece.as_mut().is_some_and(|piece| {
            piece.len += bytes;
            piece.room().is_empty()
        })
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
        self.at += piece.len as u64;
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

/// An aligned buffer that goes back to its pool when its last user drops it.
#[derive(Debug)]
pub(super) struct Piece {
    buffer: Vec<u8>,
    start: usize,
    len: usize,
    home: mpsc::Sender<Vec<u8>>,
}

impl Piece {
    fn new(buffer: Vec<u8>, home: mpsc::Sender<Vec<u8>>) -> Self {
        let start = buffer.as_ptr().align_offset(PAGE);
        Self {
            buffer,
            start,
            len: 0,
            home,
        }
    }

    /// What was filled.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.start + self.len]
    }

    fn room(&mut self) -> &mut [u8] {
        let end = self.start + self.buffer.len() - PAGE;
        &mut self.buffer[self.start + self.len..end]
    }

    fn pad(&mut self) {
        let (from, to) = (
            self.start + self.len,
            self.start + self.len.next_multiple_of(PAGE),
        );
        self.buffer[from..to].fill(0);
    }

    fn pages(&self) -> &[u8] {
        &self.buffer[self.start..self.start + self.len.next_multiple_of(PAGE)]
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        // Without a pool left the memory is simply freed.
        let _ = self.home.send(std::mem::take(&mut self.buffer));
    }
}

#[derive(Debug)]
struct Pool {
    home: mpsc::Sender<Vec<u8>>,
    back: mpsc::Receiver<Vec<u8>>,
    made: usize,
}

impl Pool {
    fn new() -> Self {
        let (home, back) = mpsc::channel();
        Self {
            home,
            back,
            made: 0,
        }
    }

    fn take(&mut self) -> Piece {
        let buffer = match self.back.try_recv() {
            Ok(buffer) => buffer,
            Err(_) if self.made < PIECES => {
                self.made += 1;
                vec![0; PIECE + PAGE]
            }
            Err(_) => self.back.recv().expect("the pool itself holds a sender"),
        };
        Piece::new(buffer, self.home.clone())
    }
}

#[derive(Debug)]
enum Job {
    Data(u64, Arc<Piece>),
    Pairs(Vec<u8>, Option<Mark>),
    Seal(Vec<u8>, Header),
}

#[derive(Debug)]
struct Writer {
    inner: Arc<Inner>,
    paths: Paths,
    data: File,
    direct: bool,
    tree: Option<File>,
    spilled: u64,
}

impl Writer {
    fn run(mut self, jobs: &mpsc::Receiver<Job>) -> Result<(), Error> {
        while let Ok(job) = jobs.recv() {
            match job {
                Job::Data(at, piece) => self.write(piece.pages(), at)?,
                Job::Pairs(pairs, mark) => self.pairs(&pairs, mark)?,
                Job::Seal(pairs, header) => self.seal(&pairs, &header)?,
            }
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8], at: u64) -> Result<(), Error> {
        let failed = match self.data.write_all_at(bytes, at) {
            Err(e) if self.direct && e.kind() == io::ErrorKind::InvalidInput => self
                .buffer()
                .and_then(|()| self.data.write_all_at(bytes, at)),
            done => done,
        };
        failed.map_err(Error::io("write", &self.paths.data))
    }

    /// Goes through the page cache from now on.
    fn buffer(&mut self) -> io::Result<()> {
        self.direct = false;
        let flags = rustix::fs::fcntl_getfl(&self.data)?;
        Ok(rustix::fs::fcntl_setfl(&self.data, flags - OFlags::DIRECT)?)
    }

    fn pairs(&mut self, pairs: &[u8], mark: Option<Mark>) -> Result<(), Error> {
        self.inner.room(0)?;
        let path = self.paths.tree.clone();
        let spilled = self.spilled;
        self.spilled += pairs.len() as u64;
        let tree = self.tree()?;
        tree.write_all_at(pairs, mark::PAIRS + spilled)
            .map_err(Error::io("write", &path))?;
        let Some(mark) = mark else {
            return Ok(());
        };
        tree.sync_data().map_err(Error::io("sync", &path))?;
        self.data
            .sync_data()
            .map_err(Error::io("sync", &self.paths.data))?;
        mark.store(self.tree()?).map_err(Error::io("write", &path))
    }

    fn tree(&mut self) -> Result<&File, Error> {
        if self.tree.is_none() {
            let path = &self.paths.tree;
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            self.tree = Some(options.open(path).map_err(Error::io("open", path))?);
            sync(&self.inner.dir.join("stage"))?;
        }
        Ok(self.tree.as_ref().expect("it was opened above"))
    }

    fn seal(&mut self, pairs: &[u8], header: &Header) -> Result<(), Error> {
        let spilled: Box<dyn Read> = if self.spilled > 0 {
            let (path, spilled) = (self.paths.tree.clone(), self.spilled);
            let mut tree = self.tree()?;
            tree.seek(SeekFrom::Start(mark::PAIRS))
                .map_err(Error::io("read", &path))?;
            let tree = tree.try_clone().map_err(Error::io("read", &path))?;
            Box::new(tree.take(spilled))
        } else {
            Box::new(io::empty())
        };
        let total = super::tree::size(header.size);
        let mut source = spilled.chain(pairs).take(total);
        let mut at = PAGE as u64 + header.size.next_multiple_of(PAGE as u64);
        let mut left = total;
        while left > 0 {
            let count = left.min(PIECE as u64) as usize;
            let mut piece = Piece::new(
                vec![0; count.next_multiple_of(PAGE) + PAGE],
                mpsc::channel().0,
            );
            let part = &mut piece.room()[..count];
            source
                .read_exact(part)
                .map_err(Error::io("read", &self.paths.tree))?;
            piece.len = count;
            self.write(piece.pages(), at)?;
            (left, at) = (left - count as u64, at + count as u64);
        }
        let mut page = Piece::new(vec![0; 2 * PAGE], mpsc::channel().0);
        let encoded = header.encode();
        page.room()[..encoded.len()].copy_from_slice(&encoded);
        page.len = PAGE;
        self.write(page.pages(), 0)?;
        self.data
            .sync_data()
            .map_err(Error::io("sync", &self.paths.data))
    }
}

/// Opens a staged file for direct writes, or for buffered ones where direct ones are refused.
fn open(path: &Path, fresh: bool) -> Result<(File, bool), Error> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(fresh);
    let direct = OFlags::DIRECT.bits().cast_signed();
    match options.clone().custom_flags(direct).open(path) {
        Err(e) if e.kind() == io::ErrorKind::InvalidInput => {
            let file = options.open(path).map_err(Error::io("open", path))?;
            Ok((file, false))
        }
        opened => Ok((opened.map_err(Error::io("open", path))?, true)),
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
