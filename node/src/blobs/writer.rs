//! The thread that owns the two files of a staged blob.
//!
//! It does what the front sends, in that order, and ends at its first error.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::sync::{Arc, mpsc};

use super::direct::{self, Aligned, PAGE};
use super::header::{self, Header};
use super::mark::{self, Mark};
use super::piece::Piece;
use super::stage::Paths;
use super::tree::{self, Builder};
use super::{Error, Inner, sync};

/// How much of the tree is copied at once, in bytes.
const STEP: u64 = 1 << 20;

/// What the front asks for.
pub(super) enum Job {
    /// Write these pages at that byte of the file.
    Data(u64, Arc<Piece>),
    /// Write these pairs behind those before; with a mark, sync everything and then write the mark.
    Pairs(Vec<u8>, Option<Mark>),
    /// Complete the file with its tree, of which these pairs are the last, and its header.
    Seal(Vec<u8>, Header),
}

/// The two files of a staged blob.
#[derive(Debug)]
pub(super) struct Writer {
    inner: Arc<Inner>,
    paths: Paths,
    data: File,
    direct: bool,
    tree: Option<File>,
    spilled: u64,
}

impl Writer {
    /// Opens the files: anew where no group is there yet.
    pub(super) fn open(inner: Arc<Inner>, paths: Paths, groups: u64) -> Result<Self, Error> {
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(true)
            .create(true)
            .truncate(groups == 0);
        let opened = direct::open(&options, &paths.data);
        let (data, direct) = opened.map_err(Error::io("open", &paths.data))?;
        let spilled = Builder::written(groups);
        Ok(Self {
            inner,
            paths,
            data,
            direct,
            tree: None,
            spilled,
        })
    }

    /// Works until the front is done or something fails.
    pub(super) fn run(mut self, jobs: &mpsc::Receiver<Job>) -> Result<(), Error> {
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
            Err(e) if self.direct && e.kind() == io::ErrorKind::InvalidInput => {
                self.direct = false;
                direct::relax(&self.data).and_then(|()| self.data.write_all_at(bytes, at))
            }
            done => done,
        };
        failed.map_err(Error::io("write", &self.paths.data))
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
        let mut left = tree::size(header.size);
        let mut source = spilled.chain(pairs);
        let mut at = PAGE as u64 + header.size.next_multiple_of(PAGE as u64);
        while left > 0 {
            let count = left.min(STEP) as usize;
            let mut part = Aligned::new(count);
            let read = source.read_exact(&mut part.bytes_mut()[..count]);
            read.map_err(Error::io("read", &self.paths.tree))?;
            self.write(part.bytes(), at)?;
            (left, at) = (left - count as u64, at + count as u64);
        }
        let mut page = Aligned::new(PAGE);
        page.bytes_mut()[..header::LEN].copy_from_slice(&header.encode());
        self.write(page.bytes(), 0)?;
        self.data
            .sync_data()
            .map_err(Error::io("sync", &self.paths.data))
    }
}
