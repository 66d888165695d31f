//! Walking the whole journal and comparing everything that can be compared.
//!
//! Invariant: reads only, beside the writer, up to what was durable when it began. Nothing
//! damaged is left out of the report, and no damage keeps the other segments from being looked at.
//!
//! Not here: repair.

use chrono::{DateTime, Utc};

use super::chain::Chain;
use super::reader::{Extent, Extents, Reader, bodies_of, damaged, parse};
use super::segment::{self, Footer, Start};
use super::{Body, Damage, Error, Head, Position, Segment, body};

/// How many damaged records a report names.
const NAMED: usize = 100;

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The chain that was walked to its end.
    pub head: Head,
    /// When the last record was made; none unless bodies were opened.
    pub last: Option<DateTime<Utc>>,
    /// How many segments there are.
    pub segments: usize,
    /// How many bodies are erased; 0 unless bodies were opened.
    pub erased: u64,
    /// How many bodies are damaged; 0 unless bodies were opened.
    pub damaged: u64,
    /// The first hundred of the damaged ones.
    pub places: Vec<Position>,
    /// What is not what was written of headers, chain, tree and footers: the first in each segment.
    pub broken: Vec<Damage>,
}

impl Reader {
    /// Walks every record header, chain, tree and footer; `deep` opens every body as well. What is
    /// behind the first damage in a segment is not looked at; the next segment is.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn verify(&self, deep: bool) -> Result<Report, Error> {
        let extents = self.shared().extents().clone();
        let mut report = Report::new(Head::START, extents.segments.len());
        for (first, extent) in &extents.segments {
            match self.walk(*first, *extent, deep, &mut report) {
                Ok(head) => report.head = head,
                Err(Error::Damaged(damage)) => {
                    report.broken.push(damage);
                    report.head = self.behind(*first, &extents)?;
                }
                Err(error) => return Err(error),
            }
        }
        if report.head != extents.head {
            let last = extents.segments.keys().next_back().copied().unwrap_or(1);
            report.broken.push(Damage {
                file: segment::name(last),
                place: 0,
                what: "the chain has another end",
            });
            report.head = extents.head;
        }
        Ok(report)
    }

    /// Gives the chain's head where the segment ends that starts with `first`, as the next one states it.
    fn behind(&self, first: u64, extents: &Extents) -> Result<Head, Error> {
        let Some(next) = extents.segments.range(first + 1..).next() else {
            return Ok(extents.head);
        };
        let name = segment::name(*next.0);
        let mut bytes = [0; segment::HEADER];
        match self.shared().fill(&name, 0, &mut bytes) {
            Ok(()) | Err(Error::Damaged(_)) => {}
            Err(error) => return Err(error),
        }
        Ok(match segment::start(&bytes) {
            Start::Head(head) => head,
            Start::Newer(_) | Start::Damaged => extents.head,
        })
    }

    /// Walks a sealed segment by itself, and opens every body in it.
    ///
    /// # Errors
    /// [`Error::Damaged`] at the first header that is not what was written, [`Error::Io`].
    pub fn verify_segment(&self, segment: &Segment) -> Result<Report, Error> {
        let first = segment.first;
        let extents = self.shared().extents().clone();
        let absent = || damaged(&segment.name, 0, "it is not there");
        let extent = *extents.segments.get(&first).ok_or_else(absent)?;
        let mut bytes = [0; segment::HEADER];
        self.shared().fill(&segment.name, 0, &mut bytes)?;
        let Start::Head(head) = segment::start(&bytes) else {
            return Err(damaged(&segment.name, 0, "it has no beginning"));
        };
        let mut report = Report::new(head, 1);
        report.head = self.walk(first, extent, true, &mut report)?;
        Ok(report)
    }

    fn walk(
        &self,
        first: u64,
        extent: Extent,
        deep: bool,
        report: &mut Report,
    ) -> Result<Head, Error> {
        let (shared, name) = (self.shared(), segment::name(first));
        let mut bytes = [0; segment::HEADER];
        shared.fill(&name, 0, &mut bytes)?;
        if segment::start(&bytes) != Start::Head(report.head) {
            return Err(damaged(
                &name,
                0,
                "it does not continue the segment before it",
            ));
        }
        let mut chain = Chain::at(report.head);
        let mut place = segment::HEADER as u64;
        while place < extent.end {
            let head = shared.head(&name, place, extent.end)?;
            let frame = parse(&head, &name, place)?;
            if frame.preamble.first != chain.head.count + 1 {
                return Err(damaged(&name, place, "another frame was expected here"));
            }
            frame.raw().for_each(|header| chain.advance(header));
            if deep {
                let mut bodies = vec![0; frame.preamble.bodies as usize];
                shared.fill(&name, place + head.len() as u64, &mut bodies)?;
                for (header, sealed) in bodies_of(&frame, &bodies) {
                    report.last = Some(header.time());
                    let opened = body::open(&header, &shared.keyring, sealed);
                    report.count(
                        Position {
                            seq: header.seq,
                            offset: place,
                        },
                        &opened,
                    );
                }
            }
            place += frame.preamble.len() as u64;
        }
        if extent.sealed {
            let mut bytes = [0; segment::FOOTER];
            shared.fill(&name, place, &mut bytes)?;
            let footer = Footer {
                first,
                place,
                head: chain.head,
                root: chain.root(),
            };
            if Footer::parse(&bytes, place) != Some(footer) {
                return Err(damaged(
                    &name,
                    place,
                    "its footer does not state what it holds",
                ));
            }
        }
        Ok(chain.head)
    }
}

impl Report {
    fn new(head: Head, segments: usize) -> Self {
        Self {
            head,
            last: None,
            segments,
            erased: 0,
            damaged: 0,
            places: Vec::new(),
            broken: Vec::new(),
        }
    }

    /// What is damaged, one line each: what stands in [`Report::broken`], and the records that it names.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        let places = self.places.iter().map(|place| {
            let seq = place.seq;
            format!("the body of record {seq} does not match its commitment")
        });
        self.broken.iter().map(Damage::to_string).chain(places)
    }

    fn count(&mut self, position: Position, opened: &Body) {
        match opened {
            Body::Open(_) => {}
            Body::Erased => self.erased += 1,
            Body::Damaged => {
                self.damaged += 1;
                if self.places.len() < NAMED {
                    self.places.push(position);
                }
            }
        }
    }
}
