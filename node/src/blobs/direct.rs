//! Input and output around the page cache, where the file system allows it.
//!
//! Evidence is written once and mostly read once: through the page cache each page costs more than
//! hashing it. What the cache holds already is taken from there, and where direct access is refused
//! everything goes through it.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSliceMut};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{Advice, OFlags};
use rustix::io::ReadWriteFlags;

/// What direct access is aligned to, in bytes: the largest sector in use.
pub(super) const PAGE: usize = 4096;

/// How much is read at once, in bytes.
const WINDOW: u64 = 1 << 20;

/// Memory that direct access accepts.
#[derive(Default)]
pub(super) struct Aligned {
    memory: Vec<u8>,
    start: usize,
}

impl Aligned {
    /// Takes zeroed memory for so many bytes, rounded up to whole pages.
    pub(super) fn new(bytes: usize) -> Self {
        let memory = vec![0; bytes.next_multiple_of(PAGE) + PAGE];
        let start = memory.as_ptr().align_offset(PAGE);
        Self { memory, start }
    }

    /// How many bytes it has.
    pub(super) fn len(&self) -> usize {
        self.memory.len().saturating_sub(PAGE)
    }

    /// Its bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.len()]
    }

    /// Its bytes.
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        let end = self.start + self.len();
        &mut self.memory[self.start..end]
    }
}

/// Opens a file for direct access, and says whether that was allowed.
pub(super) fn open(options: &OpenOptions, path: &Path) -> io::Result<(File, bool)> {
    let mut direct = options.clone();
    direct.custom_flags(OFlags::DIRECT.bits().cast_signed());
    match direct.open(path) {
        Err(e) if e.kind() == io::ErrorKind::InvalidInput => Ok((options.open(path)?, false)),
        opened => Ok((opened?, true)),
    }
}

/// Goes through the page cache from now on.
pub(super) fn relax(file: &File) -> io::Result<()> {
    let flags = rustix::fs::fcntl_getfl(file)?;
    Ok(rustix::fs::fcntl_setfl(file, flags - OFlags::DIRECT)?)
}

/// Where bytes that are read may come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Via {
    /// The page cache, where it has them.
    Cache,
    /// The disk, where the file system tells them apart.
    Disk,
}

/// A file of whole pages that is read mostly from front to back.
pub(super) struct Source {
    file: File,
    direct: Option<File>,
    via: Via,
    window: Aligned,
    at: u64,
    held: usize,
}

impl Source {
    /// Opens a file.
    pub(super) fn open(path: &Path, via: Via) -> io::Result<Self> {
        let file = File::open(path)?;
        let (direct, allowed) = open(OpenOptions::new().read(true), path)?;
        let direct = allowed.then_some(direct);
        // Only a hint: looking into the cache must not make the kernel read ahead.
        let advice = if allowed {
            Advice::Random
        } else {
            Advice::Sequential
        };
        let _ = rustix::fs::fadvise(&file, 0, None, advice);
        Ok(Self {
            file,
            direct,
            via,
            window: Aligned::default(),
            at: 0,
            held: 0,
        })
    }

    /// The file itself, through the page cache.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Fills `out` from byte `at` of the file; what follows up to `until` will be asked for next.
    pub(super) fn read(&mut self, at: u64, out: &mut [u8], until: u64) -> io::Result<()> {
        if self.copy(at, out) {
            return Ok(());
        }
        let Some(direct) = self
            .direct
            .as_ref()
            .filter(|_| at.is_multiple_of(PAGE as u64))
        else {
            return self.file.read_exact_at(out, at);
        };
        if self.via == Via::Cache {
            let cached = &mut [IoSliceMut::new(out)];
            let read = rustix::io::preadv2(&self.file, cached, at, ReadWriteFlags::NOWAIT);
            if read == Ok(out.len()) {
                return Ok(());
            }
        }
        let wanted = until.saturating_sub(at).max(out.len() as u64).min(WINDOW) as usize;
        let wanted = wanted.next_multiple_of(PAGE);
        if self.window.len() < wanted {
            self.window = Aligned::new(wanted);
        }
        self.held = 0;
        match direct.read_exact_at(&mut self.window.bytes_mut()[..wanted], at) {
            Err(e) if e.kind() == io::ErrorKind::InvalidInput => {
                self.direct = None;
                return self.file.read_exact_at(out, at);
            }
            read => read?,
        }
        (self.at, self.held) = (at, wanted);
        if self.copy(at, out) {
            Ok(())
        } else {
            self.file.read_exact_at(out, at)
        }
    }

    fn copy(&self, at: u64, out: &mut [u8]) -> bool {
        let Some(from) = at
            .checked_sub(self.at)
            .and_then(|from| usize::try_from(from).ok())
        else {
            return false;
        };
        match self.window.bytes()[..self.held].get(from..from.saturating_add(out.len())) {
            Some(part) if !part.is_empty() => out.copy_from_slice(part),
            _ => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn every_part_reads_as_that_part_from_cache_and_disk(
            parts in prop::collection::vec((0..3_002_368_u64, 0..300_000_u64, 0..2_u64), 1..12),
            disk in any::<bool>(),
        ) {
            let data: Vec<u8> = (0..3_002_368_u32).map(|n| (n / 7 % 251) as u8).collect();
            let file = tempfile::NamedTempFile::new().unwrap();
            file.as_file().write_all_at(&data, 0).unwrap();
            let via = if disk { Via::Disk } else { Via::Cache };
            let mut source = Source::open(file.path(), via).unwrap();
            for (at, len, aligned) in parts {
                let at = if aligned == 0 { at } else { at - at % PAGE as u64 };
                let end = (at + len).min(3_002_368);
                let mut out = vec![0; (end - at) as usize];
                source.read(at, &mut out, end).unwrap();
                prop_assert!(out == data[at as usize..end as usize]);
            }
        }
    }
}
