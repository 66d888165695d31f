//! Opening a journal: what is there, what was torn, and what is damage.
//!
//! Invariant: nothing is changed before everything has been judged. Fewer records than the mark
//! says is damage. Bytes behind the last whole append may be cut only if they are what one append
//! leaves when the power fails: no frame of a later append and no footer among them. What is kept
//! beyond the mark is written again before it counts, since it may never have left the page cache.
//!
//! Not here: sealed segments between header and footer; reading and `verify` judge those.

use std::collections::BTreeMap;
use std::io;

use super::chain::Chain;
use super::frame::{self, Frame};
use super::mark::{self, Mark, Missing};
use super::reader::Extent;
use super::segment::{self, Footer, Start};
use super::{Damage, Head, OpenError, Tail};
use crate::disk::{self, Disk};

/// A journal that may be used.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) segments: BTreeMap<u64, Extent>,
    pub(super) chain: Chain,
    pub(super) tail: Option<Tail>,
    pub(super) mark: Mark,
}

/// The last segment, read to the end of its last whole append.
struct Last {
    first: u64,
    bytes: Vec<u8>,
    chain: Chain,
    /// The end of the last whole append.
    end: usize,
    /// The end of the last append that the mark covers.
    marked: usize,
    sealed: bool,
}

impl Last {
    fn kept(&self) -> usize {
        if self.sealed {
            self.end + segment::FOOTER
        } else {
            self.end
        }
    }
}

pub(super) fn recover(disk: &dyn Disk) -> Result<Found, OpenError> {
    let names = disk.list()?;
    let firsts: Vec<u64> = names
        .iter()
        .filter_map(|name| segment::first(name))
        .collect();
    let mut mark = read_mark(disk, &names, firsts.is_empty())?;
    let mut segments = BTreeMap::new();
    let mut before = Head::START;
    let Some((last, sealed)) = firsts.split_last() else {
        if mark.head != Head::START {
            return Err(damaged(segment::name(1), 0, "the file is missing"));
        }
        return Ok(Found {
            segments,
            chain: Chain::at(before),
            tail: None,
            mark,
        });
    };
    for first in sealed {
        begins(disk, *first, &before)?;
        let footer = footer(disk, *first)?;
        segments.insert(
            *first,
            Extent {
                end: footer.place,
                sealed: true,
            },
        );
        before = footer.head;
    }
    begins(disk, *last, &before)?;
    let last = scan(
        disk::read(disk, &segment::name(*last))?,
        *last,
        before,
        &mark,
    )?;
    settle(disk, &last)?;
    mark.write(disk, &last.chain.head)?;
    let (first, end) = (last.first, last.end as u64);
    segments.insert(
        first,
        Extent {
            end,
            sealed: last.sealed,
        },
    );
    let (tail, chain) = if last.sealed {
        (None, Chain::at(last.chain.head))
    } else {
        (Some(Tail { first, end }), last.chain)
    };
    Ok(Found {
        segments,
        chain,
        tail,
        mark,
    })
}

fn read_mark(disk: &dyn Disk, names: &[String], empty: bool) -> Result<Mark, OpenError> {
    let exists = names.iter().any(|name| name == mark::FILE);
    if !exists && empty {
        return Ok(Mark::create(disk)?);
    }
    if !exists {
        return Err(damaged(mark::FILE.to_owned(), 0, "the file is missing"));
    }
    Mark::read(disk).map_err(|missing| match missing {
        Missing::Damaged => damaged(mark::FILE.to_owned(), 0, "neither slot is whole"),
        Missing::Newer(format) => OpenError::Newer {
            file: mark::FILE.to_owned(),
            format,
        },
        Missing::Io(error) => OpenError::Io(error),
    })
}

/// Checks that a segment's header continues the chain.
fn begins(disk: &dyn Disk, first: u64, before: &Head) -> Result<(), OpenError> {
    let file = segment::name(first);
    let mut bytes = [0; segment::HEADER];
    match disk.read_at(&file, 0, &mut bytes) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            return Err(damaged(file, 0, "its header is cut off"));
        }
        read => read?,
    }
    match segment::start(&bytes) {
        Start::Newer(format) => Err(OpenError::Newer { file, format }),
        Start::Head(head) if head == *before && first == head.count + 1 => Ok(()),
        Start::Head(head) if head.count == before.count => Err(damaged(
            file,
            24,
            "it does not continue the segment before it",
        )),
        Start::Head(_) => Err(damaged(
            segment::name(before.count + 1),
            0,
            "the file is missing",
        )),
        Start::Damaged => Err(damaged(file, 0, "its header is not what was written")),
    }
}

/// Reads the footer of a sealed segment.
fn footer(disk: &dyn Disk, first: u64) -> Result<Footer, OpenError> {
    let file = segment::name(first);
    let place = disk.len(&file)?.saturating_sub(segment::FOOTER as u64);
    let mut bytes = [0; segment::FOOTER];
    match disk.read_at(&file, place, &mut bytes) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
        read => read?,
    }
    let footer = Footer::parse(&bytes, place).filter(|footer| footer.first == first);
    footer.ok_or_else(|| damaged(file, place, "its footer is not what was written"))
}

/// Reads the last segment up to where an append is not whole, and judges what follows.
fn scan(bytes: Vec<u8>, first: u64, before: Head, mark: &Mark) -> Result<Last, OpenError> {
    let file = segment::name(first);
    let start = segment::HEADER;
    let chain = Chain::at(before);
    let mut last = Last {
        first,
        bytes,
        chain,
        end: start,
        marked: start,
        sealed: false,
    };
    agrees(&last.chain.head, mark).map_err(|what| damaged(file.clone(), 0, what))?;
    let mut chain = last.chain.clone();
    let mut place = start;
    while let Some((frame, rest)) = next(&last, &chain, place, mark) {
        for header in frame.raw() {
            chain.advance(header);
            agrees(&chain.head, mark).map_err(|what| damaged(file.clone(), place as u64, what))?;
        }
        let more = frame.preamble.more;
        place = rest;
        if more {
            continue;
        }
        (last.end, last.chain) = (place, chain.clone());
        if chain.head.count <= mark.head.count {
            last.marked = place;
        }
    }
    if last.chain.head.count < mark.head.count {
        return Err(damaged(
            file,
            place as u64,
            "records that were acknowledged are missing",
        ));
    }
    last.sealed = seals(&last);
    if !last.sealed && followed(&last) {
        return Err(damaged(
            file,
            last.end as u64,
            "this is not whole, but later appends follow",
        ));
    }
    Ok(last)
}

/// Checks the chain where it reaches the mark.
fn agrees(head: &Head, mark: &Mark) -> Result<(), &'static str> {
    if head.count == mark.head.count && head.hash != mark.head.hash {
        return Err("the chain up to here is not the one that was acknowledged");
    }
    Ok(())
}

/// Gives the frame at `place` and where it ends, if it continues the chain and is whole.
fn next<'a>(
    last: &'a Last,
    chain: &Chain,
    place: usize,
    mark: &Mark,
) -> Option<(Frame<'a>, usize)> {
    let bytes = &last.bytes[place..];
    let frame = Frame::parse(bytes)?;
    let preamble = frame.preamble;
    let continues = preamble.first == chain.head.count + 1
        && preamble.group == last.chain.head.count + 1
        && preamble.len() <= bytes.len();
    // A body that was acknowledged and is damaged is marked when it is read.
    let acknowledged = chain.head.count + preamble.count() as u64 <= mark.head.count;
    let stands = continues && (acknowledged || frame.whole(bytes));
    stands.then_some((frame, place + preamble.len()))
}

/// Tells whether a footer for exactly these records ends the file.
fn seals(last: &Last) -> bool {
    let rest = &last.bytes[last.end..];
    let footer = Footer::parse(rest, last.end as u64);
    rest.len() == segment::FOOTER
        && footer.is_some_and(|footer| {
            footer.first == last.first
                && footer.head == last.chain.head
                && footer.root == last.chain.root()
        })
}

/// Looks for what one torn append cannot have left behind: a later append's frame, or a footer.
fn followed(last: &Last) -> bool {
    let torn = last.chain.head.count + 1;
    let starts = last.end..last.bytes.len();
    starts.into_iter().any(|place| {
        let bytes = &last.bytes[place..];
        let later = bytes.starts_with(&frame::MAGIC)
            && Frame::parse(bytes).is_some_and(|frame| frame.preamble.group != torn);
        later || Footer::parse(bytes, place as u64).is_some()
    })
}

/// Cuts the torn tail and makes what is kept durable.
fn settle(disk: &dyn Disk, last: &Last) -> Result<(), OpenError> {
    let name = segment::name(last.first);
    let kept = last.kept();
    if kept < last.bytes.len() {
        let cut = last.bytes.len() - kept;
        tracing::warn!(
            file = name,
            place = kept,
            cut,
            "an append that was never acknowledged is cut"
        );
        disk.set_len(&name, kept as u64)?;
    }
    disk.write_at(&name, last.marked as u64, &last.bytes[last.marked..kept])?;
    disk.sync(&name)?;
    disk.sync_dir()?;
    Ok(())
}

fn damaged(file: String, place: u64, what: &'static str) -> OpenError {
    OpenError::Damaged(Damage { file, place, what })
}
