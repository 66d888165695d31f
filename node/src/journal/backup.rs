//! Sealed segments as a backup takes them, and the mark that a restored journal begins with.

use std::io::{self, Write};

use super::mark::Mark;
use super::reader::Reader;
use super::segment::{self, Footer};
use super::{Damage, Error, Head};
use crate::disk::{self, Disk};

/// A segment that never changes again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The name of its file.
    pub name: String,
    /// The file's bytes.
    pub len: u64,
}

impl Reader {
    /// The sealed segments, in order.
    #[must_use]
    pub fn sealed(&self) -> Vec<Segment> {
        let extents = self.shared().extents();
        let sealed = extents.segments.iter().filter(|(_, extent)| extent.sealed);
        let segment = |(first, extent): (&u64, &super::Extent)| Segment {
            name: segment::name(*first),
            len: extent.end + segment::FOOTER as u64,
        };
        sealed.map(segment).collect()
    }

    /// How many records lie in sealed segments.
    #[must_use]
    pub fn sealed_records(&self) -> u64 {
        let extents = self.shared().extents();
        let open = extents.segments.iter().find(|(_, extent)| !extent.sealed);
        open.map_or(extents.head.count, |(first, _)| first - 1)
    }

    /// Copies a sealed segment.
    ///
    /// # Errors
    /// Whatever the file systems report.
    pub fn copy(&self, segment: &Segment, to: &mut dyn Write) -> io::Result<()> {
        let mut at = 0;
        let mut buffer = vec![0; 1 << 20];
        while at < segment.len {
            let count = (segment.len - at).min(buffer.len() as u64) as usize;
            self.shared()
                .disk
                .read_at(&segment.name, at, &mut buffer[..count])?;
            to.write_all(&buffer[..count])?;
            at += count as u64;
        }
        Ok(())
    }
}

/// Writes the mark of a journal that has sealed segments only, as a backup has; what they say is judged
/// when the journal is opened.
///
/// # Errors
/// [`Error::Damaged`] where the last one does not end as a sealed segment does, [`Error::Io`].
pub fn restore(disk: &dyn Disk) -> Result<Head, Error> {
    let names = disk.list().map_err(Error::Io)?;
    let last = names
        .into_iter()
        .rfind(|name| segment::first(name).is_some());
    let head = match last {
        None => Head::START,
        Some(name) => {
            let bytes = disk::read(disk, &name).map_err(Error::Io)?;
            let place = bytes.len().saturating_sub(segment::FOOTER);
            let footer = Footer::parse(&bytes[place..], place as u64);
            let unsealed = || {
                Error::Damaged(Damage {
                    file: name,
                    place: place as u64,
                    what: "is not sealed to its end",
                })
            };
            footer.ok_or_else(unsealed)?.head
        }
    };
    let mut mark = Mark::create(disk).map_err(Error::Io)?;
    mark.write(disk, &head).map_err(Error::Io)?;
    Ok(head)
}
