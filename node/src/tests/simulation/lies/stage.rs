//! What a liar has to lie with: its own shares with a victim, what it guessed of the victim's shares with others,
//! and its own signature.

use std::rc::Rc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use interdocket_proto::v1;
use interdocket_sync::blob::{Digest, Sha256};
use interdocket_sync::evidence::{File, Item};
use interdocket_sync::id::{ActorId, EvidenceId, ShareId};
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::log::entry::{Actor, Body, Entry, Place, StoredItem};
use interdocket_sync::log::head::Head;
use interdocket_sync::log::{Point, Side};
use interdocket_sync::share::terms::{FORMAT, SignedTerms, Terms};
use interdocket_sync::share::{Fact, Header, Key, Kind};
use interdocket_sync::wire::batch::{self, Batch};
use prost::Message as _;
use sha2::Digest as _;

use super::super::net::Method;
use super::super::serve::{kim, lender};
use super::super::sign::Sign;
use super::super::site::Process;
use super::super::world::World;
use super::Said;
use crate::clock::Clock as _;
use crate::federation::{history, lease};
use crate::store::table;
use crate::store::view::View;

/// The share that a lie is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    /// Any share with the victim.
    Any,
    /// A copy, advanced share or reference of the liar's for the victim.
    Copy,
    Advanced,
    Reference,
    /// The same of the victim's for the liar.
    TheirCopy,
    TheirAdvanced,
    TheirReference,
    /// One that the victim has with somebody else: whose it is, and of which kind.
    OthersCopy,
    OthersAdvanced,
    OthersReference,
    OthersGiven,
}

impl About {
    fn fits(self, header: &Header, me: OrganisationId, victim: OrganisationId) -> bool {
        let with = |owner, partner| (header.owner, header.partner) == (owner, partner);
        let others = header.owner != me && header.partner != me;
        let (copy, reference) = (
            header.kind == Kind::Copy,
            matches!(header.kind, Kind::Reference(_)),
        );
        match self {
            Self::Any => with(me, victim) || with(victim, me),
            Self::Copy => copy && with(me, victim),
            Self::Advanced => !copy && !reference && with(me, victim),
            Self::Reference => reference && with(me, victim),
            Self::TheirCopy => copy && with(victim, me),
            Self::TheirAdvanced => !copy && !reference && with(victim, me),
            Self::TheirReference => reference && with(victim, me),
            Self::OthersCopy => copy && others && header.owner == victim,
            Self::OthersAdvanced => !copy && !reference && others && header.owner == victim,
            Self::OthersReference => reference && others && header.owner == victim,
            Self::OthersGiven => others && header.partner == victim,
        }
    }

    const fn others(self) -> bool {
        use About::{OthersAdvanced, OthersCopy, OthersGiven, OthersReference};
        matches!(
            self,
            OthersCopy | OthersAdvanced | OthersReference | OthersGiven
        )
    }
}

/// A liar, its victim, and the share that it lies about.
pub(super) struct Stage<'a> {
    pub(super) world: &'a World,
    pub(super) me: &'a Process,
    pub(super) victim: Rc<Process>,
    /// As whoever knows it holds it.
    pub(super) header: Header,
}

impl<'a> Stage<'a> {
    pub(super) fn of(
        world: &'a World,
        me: &'a Process,
        victim: usize,
        about: About,
    ) -> Option<Self> {
        let victim = world.sites[victim].up()?;
        if victim.id == me.id {
            return None;
        }
        let rows = |view: &View<'_>| view.page(&table::SHARE, &(), None, usize::MAX);
        let rows = match about.others() {
            true => victim.read(rows),
            false => me.read(rows),
        };
        let shares = rows.ok()?.into_iter().map(|(_, share)| share.header);
        let fits = |header: &Header| about.fits(header, me.id, victim.id);
        let mut fitting: Vec<Header> = shares.filter(fits).collect();
        let place = usize::try_from(world.below(fitting.len().max(1) as u64)).ok()?;
        if place >= fitting.len() {
            return None;
        }
        let header = fitting.swap_remove(place);
        Some(Self {
            world,
            me,
            victim,
            header,
        })
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.me.clock.now()
    }

    pub(super) fn sign(&self) -> Sign {
        Sign::of(self.me.id)
    }

    /// The log that the liar writes in this share.
    pub(super) fn side(&self) -> Side {
        self.header.side(self.me.id).unwrap_or(Side::Owner)
    }

    pub(super) fn share(&self) -> Bytes {
        Bytes::copy_from_slice(self.header.share.as_bytes())
    }

    /// Some share that does not exist.
    pub(super) fn nowhere(&self) -> ShareId {
        ShareId::new(uuid::Builder::from_random_bytes(crate::chance::bytes()).into_uuid())
    }

    /// Somebody who is neither the liar nor the victim.
    pub(super) fn third(&self) -> OrganisationId {
        let mut others = self.world.nodes().iter().map(|site| site.id);
        let third = others.find(|id| *id != self.me.id && *id != self.victim.id);
        third.expect("there are at least three")
    }

    /// Where the liar's next entry stands.
    pub(super) fn place(&self) -> Place {
        let side = self.side();
        Place {
            share: self.header.share,
            side,
            after: self.header.log(side).point,
            other: self.header.log(side.other()).point,
            at: self.now(),
        }
    }

    /// The next entries of the liar's log, if it had written them.
    pub(super) fn next(&self, bodies: Vec<Body>) -> Vec<v1::Entry> {
        self.from(self.place(), bodies)
    }

    pub(super) fn from(&self, mut place: Place, bodies: Vec<Body>) -> Vec<v1::Entry> {
        let mut entries = Vec::new();
        for body in bodies {
            let entry = Entry::new(&place, body, crate::chance::bytes());
            place.after = entry.point();
            entries.extend(v1::Entry::decode(entry.bytes.as_slice()));
        }
        entries
    }

    /// A head of the liar's over its log of this share.
    pub(super) fn head(&self, point: Point) -> Head {
        Head {
            share: self.header.share,
            owner: self.header.owner,
            partner: self.header.partner,
            side: self.side(),
            incarnation: 1,
            point,
            journal: journal(self.me),
            at: self.now(),
        }
    }

    /// Entries under a head that covers them.
    pub(super) fn under(&self, entries: Vec<v1::Entry>) -> v1::Batch {
        let point = entries.last().map_or_else(Point::default, point);
        self.headed(entries, self.head(point))
    }

    pub(super) fn headed(&self, entries: Vec<v1::Entry>, head: Head) -> v1::Batch {
        let share = Bytes::copy_from_slice(head.share.as_bytes());
        let signed = head.sign(&self.sign());
        v1::Batch {
            share,
            terms: None,
            entries,
            head: v1::SignedHead::decode(signed.bytes.as_slice()).ok(),
        }
    }

    /// Says these things next in the liar's log.
    pub(super) fn says(&self, bodies: Vec<Body>) -> Option<Said> {
        self.deliver(self.under(self.next(bodies)))
    }

    /// Delivers a batch, with the lease of an advanced share.
    pub(super) fn deliver(&self, batch: v1::Batch) -> Option<Said> {
        let id = self.header.share;
        let lent = self.me.read(|view| match lease::advanced(view, id) {
            Ok(true) => lease::lend(lender(self.me), view, id),
            _ => Ok(None),
        });
        Self::with(batch, lent.ok().flatten())
    }

    pub(super) fn with(batch: v1::Batch, lease: Option<v1::Lease>) -> Option<Said> {
        let batch = Some(batch);
        Said::new(Method::Deliver, &v1::DeliverRequest { batch, lease })
    }

    /// What was delivered of a log before, as whoever wrote it wrote it.
    pub(super) fn written(&self, of: &Process, number: u64) -> Option<v1::Batch> {
        let side = self.header.side(of.id)?;
        let batch =
            of.read(|view| history::batch(view, &of.journal, self.header.share, side, number));
        batch::write(&batch.ok()??).ok()
    }

    /// The last batch that the liar wrote itself.
    pub(super) fn last(&self) -> Option<(Batch, v1::Batch)> {
        let count = self.header.log(self.side()).point.count;
        let message = self.written(self.me, count)?;
        Some((batch::read(message.clone()).ok()?, message))
    }

    /// Terms of a share that the liar makes up.
    pub(super) fn terms(&self, change: impl FnOnce(&mut Terms)) -> SignedTerms {
        let mut terms = Terms {
            share: self.nowhere(),
            owner: self.me.id,
            partner: self.victim.id,
            kind: Kind::Copy,
            format: FORMAT,
            created: self.now(),
        };
        change(&mut terms);
        terms.sign(&self.sign())
    }

    /// A batch that begins a share of these terms with these entries.
    pub(super) fn begins(&self, terms: &SignedTerms, bodies: Vec<Body>) -> v1::Batch {
        let of = &terms.terms;
        let place = Place {
            share: of.share,
            side: Side::Owner,
            after: Point::default(),
            other: Point::default(),
            at: self.now(),
        };
        let entries = self.from(place, bodies);
        let head = Head {
            share: of.share,
            owner: self.me.id,
            partner: of.partner,
            side: Side::Owner,
            ..self.head(entries.last().map_or_else(Point::default, point))
        };
        v1::Batch {
            terms: v1::SignedTerms::decode(terms.bytes.as_slice()).ok(),
            ..self.headed(entries, head)
        }
    }

    /// An item that nobody has heard of.
    pub(super) fn item(&self) -> Item {
        let bytes = crate::chance::bytes();
        Item {
            evidence: EvidenceId::new(
                uuid::Builder::from_random_bytes(crate::chance::bytes()).into_uuid(),
            ),
            title: "a lie".into(),
            folder: String::new(),
            added_at: self.now(),
            added_by: "kim".into(),
            metadata: Default::default(),
            files: vec![File {
                name: "lie.txt".into(),
                size: 3,
                blake3: Digest(bytes),
                sha256: Sha256(bytes),
                kind: Default::default(),
                format: String::new(),
            }],
        }
    }

    /// An item that is listed in the share already.
    pub(super) fn listed(&self) -> Option<Item> {
        let id = self.header.share;
        let facts = |view: &View<'_>| view.page(&table::FACT, &id, None, usize::MAX);
        let rows = match self.header.side(self.me.id) {
            Some(_) => self.me.read(facts),
            None => self.victim.read(facts),
        };
        let rows = rows.ok()?;
        let item = rows.iter().find_map(|((_, key), fact)| match (key, fact) {
            (Key::Item(evidence), Fact::Item(item)) if item.withdrawn == 0 => Some(*evidence),
            _ => None,
        })?;
        let files = rows
            .iter()
            .filter_map(|((_, key), fact)| match (key, fact) {
                (Key::File(evidence, _), Fact::File(file)) if *evidence == item => {
                    Some(file.clone())
                }
                _ => None,
            });
        Some(Item {
            evidence: item,
            files: files.collect(),
            ..self.item()
        })
    }

    /// What the liar states to have stored of the listed item.
    pub(super) fn stored(&self) -> Option<StoredItem> {
        let item = self.listed()?;
        Some(StoredItem {
            evidence: item.evidence,
            files: item.files.iter().map(|file| file.blake3).collect(),
        })
    }

    /// Asks for a file by its digest.
    pub(super) fn read(&self, share: ShareId, digest: &[u8]) -> Option<Said> {
        let range = v1::FileRange {
            digest: Bytes::copy_from_slice(digest),
            from: 0,
            doubted: false,
        };
        let request = v1::ReadRequest {
            share: Bytes::copy_from_slice(share.as_bytes()),
            files: vec![range],
        };
        Said::new(Method::Read, &request)
    }

    /// The digest of something that the victim holds and this share does not list.
    pub(super) fn secret(&self) -> Option<Digest> {
        let id = self.header.share;
        let blobs = self
            .victim
            .read(|view| view.page(&table::BLOB, &(), None, usize::MAX));
        let listed = |digest: &Digest| {
            let fact = |view: &View<'_>| view.has(&table::FACT, &(id, Key::Blob(*digest)));
            self.victim.read(fact).unwrap_or(true)
        };
        let mut secret = blobs.ok()?.into_iter().map(|(digest, _)| digest);
        secret.find(|digest| !listed(digest))
    }
}

/// Who the liar says that it is.
pub(super) fn somebody() -> Actor {
    Actor {
        id: ActorId::new(kim().id),
        name: kim().name,
        badge: String::new(),
    }
}

fn journal(me: &Process) -> Point {
    let head = me.head();
    Point {
        count: head.count,
        hash: head.hash,
    }
}

/// The place of an entry as it stands on the wire, whatever it says.
pub(super) fn point(entry: &v1::Entry) -> Point {
    let header = v1::EntryHeader::decode(entry.header.clone()).unwrap_or_default();
    let mut hash = sha2::Sha256::new();
    hash.update(b"interdocket entry v0\n");
    hash.update(&entry.header);
    Point {
        count: header.number,
        hash: hash.finalize().into(),
    }
}

/// An entry with another header, whatever that says.
pub(super) fn headers(entry: &mut v1::Entry, change: impl FnOnce(&mut v1::EntryHeader)) {
    let mut header = v1::EntryHeader::decode(entry.header.clone()).unwrap_or_default();
    change(&mut header);
    entry.header = header.encode_to_vec().into();
}
