//! What the tests of this crate share: three organisations, a signer without keys, and two nodes that
//! exchange what they wrote as bytes.
//!
//! A signature here is a digest of its signer and the message: it tells forgeries from the real thing
//! as long as nobody computes it on somebody else's behalf. Nothing here knows what a share means.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use interdocket_proto::v1;
use prost::Message as _;
use sha2::Digest as _;
use uuid::Uuid;

use crate::blob::{Digest, Sha256};
use crate::copy::Field;
use crate::evidence::{File, FileKind, Item};
use crate::id::{ActorId, CaseId, EvidenceId, ShareId, TargetId};
use crate::identity::{Claim, OrganisationId, Signer, Unverified, Verifier};
use crate::log::entry::{Actor, CaseInfo, Entry, Offered, Reshared, StoredItem, Target};
use crate::log::head::Head;
use crate::log::{Point, Side};
use crate::metadata::{Metadata, Tag, Value};
use crate::refusal::Refusal;
use crate::share::apply::{apply, open};
use crate::share::decide::{Command, decide};
use crate::share::revocation::{Revocation, SignedRevocation};
use crate::share::terms::{FORMAT, SignedTerms, Terms};
use crate::share::{Fact, Facts, Header, Key, Kind, Mode, Policy, admit};
use crate::{limits, wire};

/// An organisation that signs by digest, with its id as its certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Organisation {
    pub(crate) id: OrganisationId,
    certificates: Vec<Vec<u8>>,
}

pub(crate) fn north() -> Organisation {
    organisation(1)
}

pub(crate) fn south() -> Organisation {
    organisation(2)
}

/// A third one, which is no party to anything.
pub(crate) fn harbour() -> Organisation {
    organisation(3)
}

fn organisation(number: u8) -> Organisation {
    let id = OrganisationId::from_bytes([number; 32]);
    Organisation {
        id,
        certificates: vec![id.as_bytes().to_vec()],
    }
}

impl Organisation {
    /// With a chain of this many certificates of 2 KiB behind its own.
    pub(crate) fn chained(mut self, certificates: usize) -> Self {
        let more = std::iter::repeat_n(vec![0xce; 2048], certificates);
        self.certificates.extend(more);
        self
    }
}

impl Signer for Organisation {
    fn sign(&self, message: &[u8]) -> [u8; 64] {
        signature(self.id, message)
    }

    fn certificates(&self) -> &[Vec<u8>] {
        &self.certificates
    }
}

/// Has pinned north, south and harbour.
pub(crate) struct Pinned;

impl Verifier for Pinned {
    fn verify(&self, claim: &Claim<'_>) -> Result<(), Unverified> {
        if ![north(), south(), harbour()]
            .map(|o| o.id)
            .contains(&claim.organisation)
        {
            return Err(Unverified::NoRoot);
        }
        if claim.certificates.first().map(Vec::as_slice) != Some(claim.organisation.as_bytes()) {
            return Err(Unverified::Chain);
        }
        if claim.signature != signature(claim.organisation, claim.message) {
            return Err(Unverified::Signature);
        }
        Ok(())
    }
}

fn signature(id: OrganisationId, message: &[u8]) -> [u8; 64] {
    let digest = sha2::Sha512::digest([id.as_bytes(), message].concat());
    digest.into()
}

/// 2026-01-02 03:04:05, this many seconds later, with more digits than the wire carries.
pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
    let start = DateTime::from_timestamp(1_767_323_045, 123_456_789).unwrap();
    start + TimeDelta::seconds(seconds)
}

pub(crate) fn share() -> ShareId {
    ShareId::new(Uuid::from_u128(0x5a))
}

pub(crate) fn evidence(number: u128) -> EvidenceId {
    EvidenceId::new(Uuid::from_u128(number))
}

pub(crate) fn actor() -> Actor {
    Actor {
        id: ActorId::new(Uuid::from_u128(0xac)),
        name: "Ada Stern".to_owned(),
        badge: "4711".to_owned(),
    }
}

pub(crate) fn target(number: u128) -> Target {
    Target {
        id: TargetId::new(Uuid::from_u128(number)),
        name: format!("Target {number}"),
        description: "Has keys".to_owned(),
    }
}

pub(crate) fn offered() -> Offered {
    Offered {
        actor: actor(),
        case: CaseId::new(Uuid::from_u128(0xca)),
        info: CaseInfo {
            number: "2026-7".to_owned(),
            title: "Harbour fire".to_owned(),
            description: "Two warehouses".to_owned(),
            targets: vec![target(1)],
            tags: metadata(1).tags,
        },
        recipients: vec!["Sol Reyes".to_owned()],
        message: "As agreed".to_owned(),
    }
}

/// Somebody who should have a copy as well.
pub(crate) fn reshared(name: &str) -> Reshared {
    Reshared {
        recipients: vec![name.to_owned()],
        message: "Please help".to_owned(),
    }
}

/// Item `number`, with that number of files modulo 3, plus 1; neighbours have a file in common.
pub(crate) fn item(number: u8) -> Item {
    Item {
        evidence: evidence(number.into()),
        title: format!("Item {number}"),
        folder: "Scene/Photos".to_owned(),
        added_at: at(-i64::from(number)),
        added_by: "Ada Stern".into(),
        metadata: metadata(number),
        files: (0..=number % 3)
            .map(|place| file(number / 2, place))
            .collect(),
    }
}

/// A field, and that number of tags modulo 3.
pub(crate) fn metadata(number: u8) -> Metadata {
    let tag = |place| Tag {
        text: format!("tag {place}"),
        from: Field::Tags,
    };
    let model = Value::from(format!("Body {number}").as_str());
    Metadata {
        fields: [(Field::DeviceModel, model)].into(),
        tags: (0..number % 3).map(tag).collect(),
    }
}

/// A file of `100 * number + place` bytes.
pub(crate) fn file(number: u8, place: u8) -> File {
    let mut digest = [number; 32];
    digest[0] = place;
    File {
        name: format!("{number}-{place}.jpg"),
        size: 100 * u64::from(number) + u64::from(place),
        blake3: Digest(digest),
        sha256: Sha256(digest),
        kind: FileKind::Original,
        format: "image/jpeg".to_owned(),
    }
}

/// The statement that item `number` is stored.
pub(crate) fn stored(number: u8) -> StoredItem {
    let item = item(number);
    StoredItem {
        evidence: item.evidence,
        files: item.files.iter().map(|file| file.blake3).collect(),
    }
}

pub(crate) fn terms() -> SignedTerms {
    terms_of(Kind::Copy)
}

/// Everything that a policy can allow, with files at the partner as well.
pub(crate) const SYNCHRONISED: Kind = Kind::Advanced(Policy {
    mode: Mode::Synchronised,
    download: true,
    import: true,
    onward: true,
});

/// The same with files at the owner only.
pub(crate) const LIVE: Kind = Kind::Advanced(Policy {
    mode: Mode::Live,
    download: true,
    import: true,
    onward: true,
});

/// A week from when it was offered.
pub(crate) fn reference() -> Kind {
    Kind::Reference(wire::micros(at(7 * 86_400)))
}

pub(crate) fn terms_of(kind: Kind) -> SignedTerms {
    let terms = Terms {
        share: share(),
        owner: north().id,
        partner: south().id,
        kind,
        format: FORMAT,
        created: at(0),
    };
    terms.sign(&north())
}

/// The owner's statement that the share is over.
pub(crate) fn revocation() -> SignedRevocation {
    let revocation = Revocation {
        share: share(),
        owner: north().id,
        partner: south().id,
        at: at(60),
    };
    revocation.sign(&north())
}

impl Facts for BTreeMap<Key, Fact> {
    fn fact(&self, key: &Key) -> Option<Fact> {
        self.get(key).cloned()
    }
}

/// What one organisation keeps of the share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) organisation: Organisation,
    pub(crate) side: Side,
    pub(crate) terms: SignedTerms,
    pub(crate) header: Header,
    pub(crate) facts: BTreeMap<Key, Fact>,
    pub(crate) entries: BTreeMap<(Side, u64), Entry>,
    pub(crate) now: DateTime<Utc>,
}

impl Node {
    fn new(organisation: Organisation, side: Side, terms: SignedTerms) -> Self {
        Self {
            organisation,
            side,
            header: open(&terms),
            terms,
            facts: BTreeMap::new(),
            entries: BTreeMap::new(),
            now: at(0),
        }
    }

    /// Writes what a command gives to the own log; how many entries that was.
    pub(crate) fn run(&mut self, command: Command) -> Result<usize, Refusal> {
        assert_eq!(command.side(), self.side);
        self.now += TimeDelta::nanoseconds(1_000_001_001);
        let mut salt = 0;
        let mut draw = || {
            salt += 1;
            [salt; 16]
        };
        let entries = decide(&self.header, &self.facts, command, self.now, &mut draw)?;
        for entry in &entries {
            let (header, puts) = apply(&self.header, &self.facts, entry, 1);
            self.keep(entry.clone(), header, puts);
        }
        Ok(entries.len())
    }

    fn keep(&mut self, entry: Entry, header: Header, puts: Vec<(Key, Fact)>) {
        self.entries.insert((entry.side, entry.number), entry);
        self.header = header;
        self.facts.extend(puts);
    }

    /// A head of the own log at this point.
    pub(crate) fn head(&self, point: Point) -> Head {
        Head {
            share: self.header.share,
            owner: self.header.owner,
            partner: self.header.partner,
            side: self.side,
            incarnation: 1,
            point,
            journal: Point::default(),
            at: self.now,
        }
    }

    /// Entries of the own log from one number on, as a message; none where there is none.
    pub(crate) fn batch(&self, from: u64, most: usize) -> Option<Vec<u8>> {
        let own = self
            .entries
            .range((self.side, from)..=(self.side, u64::MAX));
        let entries: Vec<Entry> = own
            .take(most.min(limits::BATCH_ENTRIES_MAX))
            .map(|(_, entry)| entry.clone())
            .collect();
        let last = entries.last()?.point();
        let terms = (self.side == Side::Owner && from == 1).then(|| self.terms.clone());
        let batch = wire::batch::Batch {
            share: self.header.share,
            terms,
            entries,
            head: self.head(last).sign(&self.organisation),
        };
        Some(wire::batch::write(&batch).unwrap().encode_to_vec())
    }

    /// Takes a message as a node would: reads it, judges the signature, lets it in; how many entries
    /// were new.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<usize, Refusal> {
        let message = v1::Batch::decode(bytes).map_err(|_| Refusal::Malformed)?;
        let batch = wire::batch::read(message).map_err(|_| Refusal::Malformed)?;
        if let Some(terms) = &batch.terms {
            terms.verify(&Pinned).map_err(|_| Refusal::Signature)?;
            admit::terms(&self.header, terms)?;
        }
        batch.head.verify(&Pinned).map_err(|_| Refusal::Signature)?;
        let known = |side, number| self.entries.get(&(side, number)).map(|entry| entry.hash);
        let head = &batch.head.head;
        let admitted = admit::batch(&self.header, &self.facts, &batch.entries, head, &known)?;
        self.header = admitted.header;
        self.facts.extend(admitted.puts);
        let new = admitted.applied.len();
        let applied = admitted.applied.into_iter();
        self.entries
            .extend(applied.map(|entry| ((entry.side, entry.number), entry)));
        Ok(new)
    }

    /// Takes a revocation that comes by itself.
    pub(crate) fn revoked(&mut self, revocation: &SignedRevocation) {
        revocation.verify(&Pinned).unwrap();
        if revocation.covers(&self.header) {
            self.header = crate::share::apply::revoked(&self.header);
        }
    }

    /// Both logs folded from the start: the owner's, then the partner's.
    pub(crate) fn fold(&self) -> (Header, BTreeMap<Key, Fact>) {
        let mut folded = (open(&self.terms), BTreeMap::new());
        for entry in self.entries.values() {
            let (header, puts) = apply(&folded.0, &folded.1, entry, 1);
            folded.0 = header;
            folded.1.extend(puts);
        }
        folded
    }
}

/// An owner and a partner with one share between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) owner: Node,
    pub(crate) partner: Node,
}

impl Pair {
    /// North shares with south; nothing is written yet.
    pub(crate) fn new() -> Self {
        Self::of(Kind::Copy)
    }

    /// The same, of this kind.
    pub(crate) fn of(kind: Kind) -> Self {
        let terms = terms_of(kind);
        Self {
            owner: Node::new(north(), Side::Owner, terms.clone()),
            partner: Node::new(south(), Side::Partner, terms),
        }
    }

    /// Offered and accepted, with these items listed as the first update; both know all of it.
    pub(crate) fn listed(items: &[u8]) -> Self {
        Self::listed_as(Kind::Copy, items)
    }

    /// The same, of a kind that lists.
    pub(crate) fn listed_as(kind: Kind, items: &[u8]) -> Self {
        let mut pair = Self::of(kind);
        pair.owner.run(Command::Offer(offered())).unwrap();
        let items = items.iter().map(|number| item(*number)).collect();
        pair.owner.run(Command::Add(items)).unwrap();
        pair.owner.run(Command::List(actor())).unwrap();
        pair.exchange();
        pair.partner.run(Command::Accept(None)).unwrap();
        pair.exchange();
        pair
    }

    /// Writer and reader of a log.
    pub(crate) const fn ends(&mut self, side: Side) -> (&mut Node, &mut Node) {
        match side {
            Side::Owner => (&mut self.owner, &mut self.partner),
            Side::Partner => (&mut self.partner, &mut self.owner),
        }
    }

    /// Brings both sides all that the other wrote, in batches of 3, and checks that they agree.
    pub(crate) fn exchange(&mut self) {
        for side in [Side::Owner, Side::Partner] {
            let (writer, reader) = self.ends(side);
            let next = |reader: &Node| reader.header.log(side).point.count + 1;
            while let Some(batch) = writer.batch(next(reader), 3) {
                reader.take(&batch).unwrap();
            }
        }
        self.agree();
    }

    /// Checks that both sides hold the same, and hold what their logs amount to.
    pub(crate) fn agree(&self) {
        assert_eq!(self.owner.header, self.partner.header);
        assert_eq!(self.owner.facts, self.partner.facts);
        for node in [&self.owner, &self.partner] {
            assert_eq!(node.fold(), (node.header.clone(), node.facts.clone()));
        }
    }
}
