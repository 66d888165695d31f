//! A partner that lies: entries, heads and batches that are signed and well-made but for one thing.
//!
//! Every lie ends in a refusal or a hold, and changes nothing else: [`lie`] checks that.

mod advanced;
mod bytes;
mod chain;
mod copy;
mod kinds;
mod state;
mod statement;

use interdocket_proto::v1;
use prost::Message as _;

use crate::log::entry::{Body, Entry, Place, hash};
use crate::log::head::Head;
use crate::log::{Point, Side};
use crate::refusal::Refusal;
use crate::share::Hold;
use crate::testing::{Node, Organisation, Pair};
use crate::wire::entry::commit;

/// What became of a lie.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// It was let in: so many new entries.
    Took(usize),
    Refused(Refusal),
    Held(Hold),
}

use Outcome::{Held, Refused, Took};

/// The next entry of a log as its writer would honestly write it, before it is bent.
struct Forged {
    header: v1::EntryHeader,
    salt: Vec<u8>,
    body: Vec<u8>,
    texts: Vec<v1::Text>,
}

impl Forged {
    fn new(writer: &Node, body: Body) -> Self {
        let header = &writer.header;
        let place = Place {
            share: header.share,
            side: writer.side,
            after: header.log(writer.side).point,
            other: header.log(writer.side.other()).point,
            at: writer.now,
        };
        let entry = Entry::new(&place, body, [7; 16]);
        let message = v1::Entry::decode(entry.bytes.as_slice()).unwrap();
        Self {
            header: v1::EntryHeader::decode(message.header).unwrap(),
            salt: message.salt.to_vec(),
            body: message.body.to_vec(),
            texts: message.texts,
        }
    }

    /// The one after it.
    fn then(&self) -> Self {
        let mut header = self.header.clone();
        header.number += 1;
        header.previous = self.point().hash.to_vec().into();
        Self {
            header,
            salt: self.salt.clone(),
            body: self.body.clone(),
            texts: self.texts.clone(),
        }
    }

    /// Says something else, and commits to it.
    fn say(&mut self, body: Vec<u8>) {
        self.body = body;
        self.commit();
    }

    /// Tells something else, and commits to it.
    fn tell(&mut self, place: usize, text: v1::Text) {
        self.texts[place] = text;
        self.commit();
    }

    fn commit(&mut self) {
        let commitment = commit(&self.message()).unwrap();
        self.header.commitment = commitment.to_vec().into();
    }

    fn point(&self) -> Point {
        Point {
            count: self.header.number,
            hash: hash(&self.header.encode_to_vec()),
        }
    }

    fn message(&self) -> v1::Entry {
        v1::Entry {
            header: self.header.encode_to_vec().into(),
            salt: self.salt.clone().into(),
            body: self.body.clone().into(),
            texts: self.texts.clone(),
        }
    }
}

/// Entries under a head that this organisation signs, as a message.
fn batch(entries: &[Forged], head: Head, signer: &Organisation) -> v1::Batch {
    let share = head.share.as_bytes().to_vec().into();
    let head = head.sign(signer);
    v1::Batch {
        share,
        terms: None,
        entries: entries.iter().map(Forged::message).collect(),
        head: Some(v1::SignedHead::decode(head.bytes.as_slice()).unwrap()),
    }
}

/// Brings a message to its reader; whatever becomes of it, a lie changes nothing but the hold.
fn bring(reader: &Node, batch: &v1::Batch) -> Outcome {
    let mut after = reader.clone();
    let taken = after.take(&batch.encode_to_vec());
    let hold = after.header.hold;
    let outcome = match taken {
        Err(refusal) => Refused(refusal),
        Ok(0) if hold != reader.header.hold => Held(hold),
        Ok(new) => return Took(new),
    };
    after.header.hold = reader.header.hold;
    assert_eq!(after, *reader);
    outcome
}

const fn ends(pair: &Pair, side: Side) -> (&Node, &Node) {
    match side {
        Side::Owner => (&pair.owner, &pair.partner),
        Side::Partner => (&pair.partner, &pair.owner),
    }
}

/// Writes `body` as the next entry of one side, bends it, signs a head over it and brings it.
fn lie(pair: &Pair, side: Side, body: Body, bend: impl FnOnce(&mut Forged)) -> Outcome {
    let (writer, reader) = ends(pair, side);
    let mut forged = Forged::new(writer, body);
    bend(&mut forged);
    let head = writer.head(forged.point());
    bring(reader, &batch(&[forged], head, &writer.organisation))
}

/// Writes `body` honestly, and bends the head over it.
fn lie_in_head(pair: &Pair, side: Side, body: Body, bend: impl FnOnce(&mut Head)) -> Outcome {
    let (writer, reader) = ends(pair, side);
    let forged = Forged::new(writer, body);
    let mut head = writer.head(forged.point());
    bend(&mut head);
    bring(reader, &batch(&[forged], head, &writer.organisation))
}

#[test]
fn what_is_not_bent_is_let_in() {
    let pair = Pair::listed(&[1, 2]);
    let body = Body::Stored(vec![crate::testing::stored(1)]);
    assert_eq!(lie(&pair, Side::Partner, body.clone(), |_| {}), Took(1));
    assert_eq!(lie_in_head(&pair, Side::Partner, body, |_| {}), Took(1));
}
