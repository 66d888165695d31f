//! Small blobs, appended to big files: thousands of them cost one sync.
//!
//! A record is a header and the bytes; where a record is, says who stored it. Nothing is ever cut
//! off: a pack that does not end with a whole record, as after a crash, is left as it is and the
//! next one is begun. Records there that nobody was told of are found by listing.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use interdocket_sync::blob::Digest;
use rustix::fs::FallocateFlags;

use super::header::{self, Fault, Header, Kind};
use super::{Error, Place, Placed, SMALL, sync};

/// Large enough that a sync covers many blobs, small enough to be deleted as a whole some day.
const FULL: u64 = 256 << 20;

/// The packs of a node, of which at most one is open.
#[derive(Debug)]
pub(super) struct Packs {
    folder: PathBuf,
    open: Option<Pack>,
    next: u32,
    /// The size from which on a pack gets no more records, in bytes.
    pub full: u64,
}

#[derive(Debug)]
struct Pack {
    number: u32,
    file: File,
    end: u64,
}

impl Packs {
    /// Reads the headers of the last pack; says also how many packs there are and how many bytes
    /// behind the last whole record are ignored.
    pub(super) fn open(folder: PathBuf) -> Result<(Self, u64, u64), Error> {
        let numbers = numbers(&folder)?;
        let count = numbers.len() as u64;
        let Some(&number) = numbers.last() else {
            return Ok((
                Self {
                    folder,
                    open: None,
                    next: 0,
                    full: FULL,
                },
                0,
                0,
            ));
        };
        let path = path(&folder, number);
        let file = OpenOptions::new().read(true).append(true).open(&path);
        let file = file.map_err(Error::io("open", &path))?;
        let len = file.metadata().map_err(Error::io("read", &path))?.len();
        let end = walk(&file, len, &mut |_, _| ControlFlow::Continue(()));
        let end = end.map_err(Error::io("read", &path))?;
        let open = (end == len && end < FULL).then_some(Pack { number, file, end });
        Ok((
            Self {
                folder,
                open,
                next: number + 1,
                full: FULL,
            },
            count,
            len - end,
        ))
    }

    /// Appends blobs; on return they are durable where it says.
    pub(super) fn append(&mut self, blobs: &[(Digest, &[u8])]) -> Result<Vec<Place>, Error> {
        let mut places = Vec::with_capacity(blobs.len());
        while places.len() < blobs.len() {
            let mut pack = match self.open.take() {
                Some(pack) => pack,
                None => self.create()?,
            };
            let path = path(&self.folder, pack.number);
            let before = pack.end;
            let added = pack.add(&blobs[places.len()..], self.full, &mut places);
            if let Err(e) = added {
                // Gives the space back; a pack that cannot do even that is not used again.
                if pack.file.set_len(before).is_ok() {
                    pack.end = before;
                    self.open = Some(pack);
                }
                return Err(Error::io("append to", &path)(e));
            }
            // After a failed sync nobody knows what is on disk: the pack is not used again.
            pack.file.sync_data().map_err(Error::io("sync", &path))?;
            self.open = (pack.end < self.full).then_some(pack);
        }
        Ok(places)
    }

    /// Reads a blob; its digest is not checked here.
    pub(super) fn read(
        folder: &Path,
        placed: &Placed,
        number: u32,
        at: u32,
    ) -> Result<Vec<u8>, Error> {
        let path = path(folder, number);
        let file = File::open(&path).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => Error::Missing(placed.digest),
            _ => Error::io("open", &path)(e),
        })?;
        check(&file, placed, u64::from(at))?;
        let mut data = vec![0; placed.size as usize];
        let start = u64::from(at) + header::LEN as u64;
        file.read_exact_at(&mut data, start)
            .map_err(|_| Error::Damaged(placed.digest))?;
        Ok(data)
    }

    /// Lists the records of all packs.
    pub(super) fn list(folder: &Path, found: &mut dyn FnMut(Placed)) -> Result<(), Error> {
        for number in numbers(folder)? {
            let path = path(folder, number);
            let file = File::open(&path).map_err(Error::io("open", &path))?;
            let len = file.metadata().map_err(Error::io("read", &path))?.len();
            let walked = walk(&file, len, &mut |at, header| {
                if header.kind == Kind::Packed {
                    let place = Place::Pack {
                        number,
                        offset: at as u32,
                    };
                    found(Placed {
                        digest: header.digest,
                        size: header.size,
                        place,
                    });
                }
                ControlFlow::Continue(())
            });
            walked.map_err(Error::io("read", &path))?;
        }
        Ok(())
    }

    /// Deletes blobs of one pack: their bytes are gone and their space is free on return. A pack in
    /// which nothing is left is removed.
    pub(super) fn delete(&self, number: u32, blobs: &[(u32, Placed)]) -> Result<(), Error> {
        let path = path(&self.folder, number);
        let file = match OpenOptions::new().read(true).write(true).open(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened.map_err(Error::io("open", &path))?,
        };
        for (at, placed) in blobs {
            match check(&file, placed, u64::from(*at)) {
                Ok(()) => {}
                Err(Error::Missing(_)) => continue,
                Err(error) => match found(&file, placed, u64::from(*at)) {
                    Found::Unreadable => {}
                    Found::Cut => continue,
                    Found::Other => return Err(error),
                },
            }
            let erased = erase(&file, u64::from(*at), placed.size);
            erased.map_err(Error::io("erase in", &path))?;
        }
        file.sync_data().map_err(Error::io("sync", &path))?;
        if self.open.as_ref().is_some_and(|open| open.number == number) {
            return Ok(());
        }
        let len = file.metadata().map_err(Error::io("read", &path))?.len();
        let end = walk(&file, len, &mut |_, header| match header.kind {
            Kind::Gone => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        });
        if end.map_err(Error::io("read", &path))? < len {
            return Ok(());
        }
        fs::remove_file(&path).map_err(Error::io("remove", &path))?;
        sync(&self.folder)
    }

    fn create(&mut self) -> Result<Pack, Error> {
        let number = self.next;
        let path = path(&self.folder, number);
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create_new(true)
            .open(&path);
        let file = file.map_err(Error::io("create", &path))?;
        self.next += 1;
        sync(&self.folder)?;
        Ok(Pack {
            number,
            file,
            end: 0,
        })
    }
}

impl Pack {
    fn add(
        &mut self,
        blobs: &[(Digest, &[u8])],
        full: u64,
        places: &mut Vec<Place>,
    ) -> io::Result<()> {
        let mut out = BufWriter::with_capacity(1 << 20, &self.file);
        for (digest, data) in blobs {
            if self.end >= full {
                break;
            }
            let size = data.len() as u64;
            let header = Header {
                kind: Kind::Packed,
                size,
                digest: *digest,
            };
            out.write_all(&header.encode())?;
            out.write_all(data)?;
            places.push(Place::Pack {
                number: self.number,
                offset: self.end as u32,
            });
            self.end += header::LEN as u64 + size;
        }
        out.flush()
    }
}

/// Whether the blob is where it is said to be.
fn check(file: &File, placed: &Placed, at: u64) -> Result<(), Error> {
    let mut bytes = [0; header::LEN];
    file.read_exact_at(&mut bytes, at)
        .map_err(|_| Error::Damaged(placed.digest))?;
    let header = Header::decode(&bytes).map_err(|fault| placed.fault(fault))?;
    if header.kind == Kind::Gone {
        return Err(Error::Missing(placed.digest));
    }
    placed.check(&header, Kind::Packed)
}

/// What lies where a damaged blob is said to be.
enum Found {
    /// Its bytes, under a header that says nothing.
    Unreadable,
    /// The pack ends before it does.
    Cut,
    /// Something else: the place is wrong, or the disk gives nothing.
    Other,
}

fn found(file: &File, placed: &Placed, at: u64) -> Found {
    let end = at + header::LEN as u64 + placed.size;
    match file.metadata() {
        Ok(metadata) if metadata.len() < end => return Found::Cut,
        Ok(_) => {}
        Err(_) => return Found::Other,
    }
    let mut bytes = [0; header::LEN];
    match file.read_exact_at(&mut bytes, at) {
        Ok(()) if matches!(Header::decode(&bytes), Err(Fault::Invalid)) => Found::Unreadable,
        _ => Found::Other,
    }
}

fn erase(file: &File, at: u64, size: u64) -> io::Result<()> {
    let header = Header {
        kind: Kind::Gone,
        size,
        digest: Digest([0; 32]),
    };
    let start = at + header::LEN as u64;
    let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    if size > 0 && rustix::fs::fallocate(file, hole, start, size).is_err() {
        file.write_all_at(&vec![0; size as usize], start)?;
    }
    file.write_all_at(&header.encode(), at)
}

/// Visits headers from the start; says where the first byte is that no whole record covers.
pub(super) fn walk(
    file: &File,
    len: u64,
    visit: &mut dyn FnMut(u64, &Header) -> ControlFlow<()>,
) -> io::Result<u64> {
    let mut at = 0;
    while at + header::LEN as u64 <= len {
        let mut bytes = [0; header::LEN];
        file.read_exact_at(&mut bytes, at)?;
        let header = match Header::decode(&bytes) {
            Ok(header) if header.kind != Kind::Own && header.size <= SMALL => header,
            Ok(_) | Err(Fault::Invalid | Fault::Newer) => return Ok(at),
        };
        let end = at + header::LEN as u64 + header.size;
        if end > len || visit(at, &header).is_break() {
            return Ok(at);
        }
        at = end;
    }
    Ok(at)
}

fn numbers(folder: &Path) -> Result<Vec<u32>, Error> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::io("list", folder))? {
        let name = entry.map_err(Error::io("list", folder))?.file_name();
        numbers.extend(name.to_str().and_then(|name| name.parse::<u32>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn path(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("{number:08}"))
}
