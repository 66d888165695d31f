//! Whole nodes without sockets: real actions, writer, journal and keys on disks in memory, under a
//! clock that only moves when it is asked.
//!
//! Blobs lie in a temporary directory, as their store has no other disk.

mod ticks;

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::BytesMut;
use chrono::TimeDelta;
use interdocket_sync::blob::Digest;
use interdocket_sync::id::{EvidenceId, ShareId};
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::log::Side;
use interdocket_sync::receipt::Receipt;
use interdocket_sync::refusal::Refusal;
use interdocket_sync::share::Facts as _;
use interdocket_sync::wire::batch::{self, Batch};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use crate::access::{self, INVESTIGATOR, Permissions};
use crate::actions::case::{self, Case};
use crate::actions::decide::Decided;
use crate::actions::evidence::{self, Evidence};
use crate::actions::partner::{self, Kind, OrganisationRole};
use crate::actions::share::{self, Share};
use crate::actions::{self, Actor, Caller, Change, Error, Progress, Way, exchange, user};
use crate::blobs::{Blobs, Placed, Ranges, Reserve, StageId};
use crate::chance;
use crate::clock::{Clock, Jump};
use crate::config::Config;
use crate::disk::Memory as Disk;
use crate::event::{Bytes, Entry, Event, NodeMade, PartnerMet};
use crate::features;
use crate::federation::net::Listener;
use crate::federation::{self, history};
use crate::journal::Journal;
use crate::keyring::{KeyId, Keyring};
use crate::keys::{Keys, Leaf, Pins};
use crate::metrics::Metrics;
use crate::node::{Moment, Node, Parts};
use crate::run::Init;
use crate::seal::Seal;
use crate::store::engine::{Engine as _, Pair, Tree};
use crate::store::memory::Memory;
use crate::store::project::ShareFacts;
use crate::store::table;
use crate::store::view::Store;
use crate::writer::{Writer, catch_up};

use self::ticks::Ticks;
pub(crate) use self::ticks::noon;

/// A partner and the recipients there, as an offer names them.
pub(crate) fn to(partner: &str, recipients: &[&str]) -> share::To {
    share::To {
        partner: partner.into(),
        recipients: recipients.iter().map(|&name| name.into()).collect(),
    }
}

/// What people of a built-in role may do.
pub(crate) fn holds(role: &str) -> Permissions {
    access::built_in(role).unwrap().permissions()
}

/// Somebody who calls by token.
pub(crate) fn caller(user: &user::User) -> Caller {
    Caller {
        actor: Actor {
            id: user.id,
            name: user.name.clone(),
            badge: user.badge.clone(),
        },
        permissions: holds(&user.role),
        way: Way::Token,
        session: None,
        progress: Progress::default(),
    }
}

/// The share of a set that has one.
pub(crate) fn only(made: share::Made) -> Share {
    let [share] = <[Share; 1]>::try_from(made.shares).unwrap();
    share
}

/// A node and the disks that outlive it.
pub(crate) struct Bench {
    pub(crate) node: Node,
    dir: Arc<tempfile::TempDir>,
    pub(crate) name: &'static str,
    pub(crate) journal: Arc<Disk>,
    keyring: Arc<Disk>,
    pub(crate) engine: Arc<Memory>,
    clock: Arc<Ticks>,
}

impl Bench {
    pub(crate) fn new(name: &'static str) -> Self {
        Self::of(name, OrganisationRole::Investigation)
    }

    pub(crate) fn of(name: &'static str, role: OrganisationRole) -> Self {
        Self::begun(name, role, vec![Event::FeaturesSet(features::all())])
    }

    /// A node as `init` makes it: every feature is off.
    pub(crate) fn fresh(name: &'static str, role: OrganisationRole) -> Self {
        Self::begun(name, role, Vec::new())
    }

    fn begun(name: &'static str, role: OrganisationRole, then: Vec<Event>) -> Self {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let keys = Keys::create(&dir.path().join("keys"), name, noon()).unwrap();
        let (journal, keyring) = (Arc::<Disk>::default(), Arc::<Disk>::default());
        let made = Event::NodeMade(NodeMade {
            organisation: keys.organisation(),
            name: name.into(),
            role,
        });
        let record = |event| Entry {
            actor: None,
            way: Way::Socket,
            event,
        };
        let events = std::iter::once(made).chain(then);
        let drafts: Vec<_> = events.map(|event| record(event).draft()).collect();
        let ring = Arc::new(Keyring::open(keyring.clone(), keys.master(), chance::fill).unwrap());
        let mut opened = Journal::open(journal.clone(), ring).unwrap();
        opened.append(noon(), &drafts).unwrap();
        Self::open(
            dir,
            name,
            (journal, keyring),
            Arc::default(),
            Arc::new(Ticks::default()),
        )
    }

    fn open(
        dir: Arc<tempfile::TempDir>,
        name: &'static str,
        (journal_disk, keyring_disk): (Arc<Disk>, Arc<Disk>),
        engine: Arc<Memory>,
        clock: Arc<Ticks>,
    ) -> Self {
        let keys = Arc::new(Keys::open(&dir.path().join("keys"), clock.now()).unwrap());
        let ring = Keyring::open(keyring_disk.clone(), keys.master(), chance::fill).unwrap();
        let keyring = Arc::new(ring);
        let journal = Journal::open(journal_disk.clone(), keyring.clone()).unwrap();
        let reader = journal.reader();
        let store = Store::new(engine.clone());
        let metrics = Metrics::new();
        let ticking: Arc<dyn Clock> = clock.clone();
        let writer = Writer {
            journal,
            keyring: Arc::clone(&keyring),
            store: store.clone(),
            clock: ticking.clone(),
            metrics: metrics.clone(),
        };
        let (queue, _) = writer.start().unwrap();
        let reserve = Reserve {
            bytes: 0,
            percent: 0,
        };
        let (blobs, _) = Blobs::open(&dir.path().join("blobs"), reserve).unwrap();
        let pins = Pins::default();
        let partners = store.read().view().page(&table::PARTNER, &(), None, 9);
        for (organisation, partner) in partners.unwrap() {
            pins.set(organisation, &partner.root.0).unwrap();
        }
        let any = "127.0.0.1:0".parse().unwrap();
        let config = Config::new(&Init {
            data: dir.path().to_owned(),
            name: name.into(),
            role: OrganisationRole::Investigation,
            federation: any,
            pairing: any,
            api: any,
            metrics: None,
            advertise: None,
            allow_private: true,
        });
        let transport =
            federation::serve::transport(&keys, &pins, &ticking, &store, &config).unwrap();
        let https = federation::serve::certificate(&keys, &config, clock.as_ref()).unwrap();
        let node = Node::new(Parts {
            store,
            queue,
            journal: reader,
            keyring,
            blobs,
            keys,
            https: Arc::new(Leaf::new(https)),
            pins,
            transport,
            clock: ticking,
            metrics,
            config,
            data: dir.path().to_owned(),
            moment: Moment::default(),
        });
        Self {
            node,
            dir,
            name,
            journal: journal_disk,
            keyring: keyring_disk,
            engine,
            clock,
        }
    }

    /// The node as it comes back after power was lost at this very moment; by an even seed its
    /// database is gone, by an odd one it is behind.
    pub(crate) fn crash(self, seed: u64) -> Self {
        let (journal, keyring) = (self.journal.copy(), self.keyring.copy());
        journal.power_cut(seed);
        keyring.power_cut(seed);
        let disks = (Arc::new(journal), Arc::new(keyring));
        let engine = match seed % 2 {
            0 => Arc::default(),
            _ => self.engine,
        };
        engine.power_cut(seed);
        Self::open(self.dir, self.name, disks, engine, self.clock)
    }

    /// A second node with the same keys and the same past, as of a restored backup.
    pub(crate) fn twin(&self) -> Self {
        let disks = (Arc::new(self.journal.copy()), Arc::new(self.keyring.copy()));
        let dir = tempfile::tempdir().unwrap();
        copied(self.dir.path(), dir.path());
        let clock = self.clock.clone();
        Self::open(Arc::new(dir), self.name, disks, Arc::default(), clock)
    }

    /// The node as it comes back after a key was destroyed; its database is gone.
    pub(crate) fn erased(self, key: uuid::Uuid) -> Self {
        let disk = Arc::new(self.keyring.copy());
        let master = self.node.parts().keys.master();
        let ring = Keyring::open(disk.clone(), master, chance::fill).unwrap();
        ring.erase(KeyId(key)).unwrap();
        ring.sync().unwrap();
        let disks = (Arc::new(self.journal.copy()), disk);
        Self::open(self.dir, self.name, disks, Arc::default(), self.clock)
    }

    /// Has the next call of the disk that holds the keys fail.
    pub(crate) fn fail_keys(&self) {
        self.keyring.fail(1);
    }

    /// Lets this many seconds pass.
    pub(crate) fn pass(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds, Ordering::SeqCst);
    }

    pub(crate) fn id(&self) -> OrganisationId {
        self.node.parts().keys.organisation()
    }

    /// Where the blobs lie.
    pub(crate) fn blobs(&self) -> std::path::PathBuf {
        self.dir.path().join("blobs")
    }

    pub(crate) async fn events(&self, events: Vec<Event>) -> Result<(), Error> {
        let decided = self
            .node
            .decide(None, Way::Timer, |_| Ok(Decided::new(events, |_| Ok(()))));
        decided.await
    }

    pub(crate) async fn change<A: Change>(&self, action: A) -> Result<A::Reply, Error> {
        self.node.change(&self.node.owner(), action).await
    }

    /// Serves calls on loopback until the test ends; answers where.
    pub(crate) async fn serve(&self, routes: Routes) -> String {
        let listener = Listener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let transport = self.node.parts().transport.clone();
        tokio::spawn(async move {
            let stop = CancellationToken::new();
            transport.serve(listener, routes, stop).await;
        });
        address
    }

    /// Trusts another node, as if paired; sending and receiving copies is enabled.
    pub(crate) async fn trust(&self, other: &Self, address: Option<String>) {
        let role = other
            .node
            .read(|view| Ok(view.get(&table::NODE, &())?.unwrap().role));
        self.trust_as(role.await.unwrap(), other, address).await;
    }

    /// Trusts another node as an organisation of this role.
    pub(crate) async fn trust_as(
        &self,
        role: OrganisationRole,
        other: &Self,
        address: Option<String>,
    ) {
        let met = PartnerMet {
            organisation: other.id(),
            name: other.name.into(),
            role,
            root: Bytes(other.node.parts().keys.root_der().to_vec()),
            address,
            words: Vec::new(),
        };
        self.events(vec![Event::PartnerMet(met)]).await.unwrap();
        let partner = other.name.to_owned();
        let confirm = partner::Confirm {
            partner: partner.clone(),
        };
        self.change(confirm).await.unwrap();
        self.enable(&partner, true, true).await;
    }

    pub(crate) async fn enable(&self, partner: &str, send: bool, receive: bool) {
        let kinds = |on: bool| BTreeSet::from_iter(on.then_some(Kind::Copy));
        let enable = partner::Enable {
            partner: partner.into(),
            send: kinds(send),
            receive: kinds(receive),
        };
        self.change(enable).await.unwrap();
    }

    /// Adds somebody who works on cases.
    pub(crate) async fn person(&self, name: &str, badge: &str) -> Result<user::User, Error> {
        let add = user::Add {
            name: name.into(),
            role: INVESTIGATOR.into(),
            email: String::new(),
            badge: badge.into(),
        };
        self.change(add).await
    }

    pub(crate) async fn case(&self, number: &str) -> Case {
        let create = case::Create {
            number: number.into(),
            title: "A case".into(),
            description: String::new(),
            targets: Vec::new(),
        };
        self.change(create).await.unwrap()
    }

    pub(crate) async fn evidence(&self, case: &str, name: &str, bytes: &[u8]) -> Evidence {
        self.try_evidence(case, name, bytes).await.unwrap()
    }

    pub(crate) async fn try_evidence(
        &self,
        case: &str,
        name: &str,
        bytes: &[u8],
    ) -> Result<Evidence, Error> {
        let (body, arriving) = tokio::sync::mpsc::channel(1);
        let request = evidence::Upload {
            case: case.into(),
            name: name.into(),
            folder: String::new(),
            title: None,
        };
        let bytes = bytes::Bytes::copy_from_slice(bytes);
        body.send(Ok(bytes)).await.unwrap();
        drop(body);
        let owner = self.node.owner();
        self.node.upload_evidence(&owner, request, arriving).await
    }

    pub(crate) async fn copy(&self, case: &str, partner: &str) -> Result<Share, Error> {
        let copy = share::Copy {
            case: case.into(),
            to: vec![to(partner, &[])],
            evidence: Vec::new(),
            folders: Vec::new(),
            targets: None,
            message: String::new(),
            attachments: None,
        };
        self.change(copy).await.map(only)
    }

    pub(crate) fn shown(&self, share: ShareId) -> Share {
        share::shown(&self.node.parts().store.read().view(), share, noon()).unwrap()
    }

    /// The share sets of this node.
    pub(crate) fn sets(&self) -> Vec<share::Set> {
        self.sets_after(None, None).unwrap().sets
    }

    /// A page of them.
    pub(crate) fn sets_after(
        &self,
        after: Option<String>,
        limit: Option<u32>,
    ) -> Result<share::SetPage, Error> {
        let reading = self.node.parts().store.read();
        let request = share::Sets { after, limit };
        actions::Query::answer(&request, &reading.view(), &self.node.owner(), noon())
    }

    /// What this node would deliver next of its log of a share.
    pub(crate) fn batch(&self, share: ShareId, from: Option<u64>) -> Option<Batch> {
        let reading = self.node.parts().store.read();
        let header = actions::decide::share(&reading.view(), share)
            .unwrap()
            .header;
        let side = header.side(self.id()).unwrap();
        let next = from.unwrap_or_else(|| header.log(side).countersigned + 1);
        history::batch(
            &reading.view(),
            &self.node.parts().journal,
            share,
            side,
            next,
        )
        .unwrap()
    }

    /// Takes a batch as if `from` had called.
    pub(crate) async fn take(
        &self,
        from: OrganisationId,
        batch: Batch,
    ) -> Result<exchange::Taken, Error> {
        if let Err(refusal) = exchange::verify(&batch, from, &self.node.parts().pins) {
            return Ok(Err(refusal));
        }
        let node = self.node.clone();
        let seal = Seal::new(batch.share.uuid(), zeroize::Zeroizing::new([7; 32]));
        let decided = self.node.decide(None, Way::Partner, move |context| {
            let hashes = history::Hashes::new(context.view, &node.parts().journal, batch.share);
            let known = |side: Side, number: u64| hashes.hash(side, number);
            exchange::take(context, from, batch, &known, Some(&seal))
        });
        decided.await
    }

    pub(crate) async fn disclose(&self, share: ShareId) -> Result<bool, Error> {
        self.node.prepare(share).await?;
        let disclosed = self.node.decide(None, Way::Timer, move |context| {
            exchange::disclose(context, share)
        });
        disclosed.await
    }

    /// Delivers one batch to a partner, and takes its receipt; none where nothing waits.
    pub(crate) async fn deliver(&self, to: &Self, share: ShareId) -> Option<Result<(), Refusal>> {
        let batch = match self.batch(share, None) {
            Some(batch) => batch,
            None => {
                self.disclose(share).await.ok()?;
                self.batch(share, None)?
            }
        };
        let Ok(arrived) = batch::read(batch::write(&batch).unwrap()) else {
            return Some(Err(Refusal::Malformed));
        };
        let countersignature = match to.take(self.id(), arrived).await.unwrap() {
            Ok(countersignature) => countersignature,
            Err(refusal) => return Some(Err(refusal)),
        };
        let receipt = Receipt {
            head: batch.head,
            countersignature,
        };
        receipt
            .verify_countersignature(&self.node.parts().pins)
            .unwrap();
        let decided = self.node.decide(None, Way::Partner, move |context| {
            exchange::countersigned(context, &receipt)
        });
        decided.await.unwrap();
        Some(Ok(()))
    }

    /// Whether this node knows of a share.
    pub(crate) fn holds(&self, share: ShareId) -> bool {
        let reading = self.node.parts().store.read();
        reading.view().has(&table::SHARE, &share).unwrap()
    }

    /// Whether the owner has proven that it saw this node's acceptance.
    pub(crate) fn accepted(&self, share: ShareId) -> bool {
        self.receipted(share) > 0
    }

    /// Up to which entry of its own log this node holds a receipt.
    pub(crate) fn receipted(&self, share: ShareId) -> u64 {
        let reading = self.node.parts().store.read();
        let header = actions::decide::share(&reading.view(), share)
            .unwrap()
            .header;
        header.log(header.side(self.id()).unwrap()).countersigned
    }

    /// The shares that this node knows of.
    pub(crate) fn shares(&self) -> Vec<ShareId> {
        let reading = self.node.parts().store.read();
        let rows = reading.view().page(&table::SHARE, &(), None, 1000);
        rows.unwrap().into_iter().map(|(id, _)| id).collect()
    }

    /// The evidence of the case of a share.
    pub(crate) fn listed(&self, share: ShareId) -> Vec<EvidenceId> {
        let case = self.shown(share).case.unwrap();
        let reading = self.node.parts().store.read();
        let rows = reading
            .view()
            .page(&table::CASE_EVIDENCE, &case, None, 1000);
        rows.unwrap().into_iter().map(|((_, id), _)| id).collect()
    }

    /// What an item of a share became here.
    pub(crate) fn became(&self, share: ShareId, item: EvidenceId) -> Option<EvidenceId> {
        let reading = self.node.parts().store.read();
        reading.view().get(&table::BECAME, &(share, item)).unwrap()
    }

    /// Evidence that this node wants of a share.
    pub(crate) fn wanted(&self, share: ShareId) -> Vec<EvidenceId> {
        let reading = self.node.parts().store.read();
        let rows = reading.view().page(&table::WANTED, &share, None, 100_000);
        let ids = rows.unwrap().into_iter().map(|((_, id), ())| id);
        ids.collect()
    }

    /// The digests of the files of an item of a share.
    pub(crate) fn files(&self, share: ShareId, evidence: EvidenceId) -> Vec<Digest> {
        let reading = self.node.parts().store.read();
        let facts = ShareFacts::new(reading.view(), share);
        let files = facts.item(evidence).unwrap().files;
        let digest = |place| facts.file(evidence, place).unwrap().blake3;
        (0..files).map(digest).collect()
    }

    /// Copies the bytes of a blob from another node: durable, not recorded.
    pub(crate) fn read(&self, from: &Self, share: ShareId, digest: Digest) -> Placed {
        let blob = {
            let reading = from.node.parts().store.read();
            reading.view().get(&table::BLOB, &digest).unwrap().unwrap()
        };
        let placed = Placed {
            digest,
            size: blob.size,
            place: blob.place,
        };
        let blobs = &from.node.parts().blobs;
        let mut encoder = blobs.encode(&placed, Ranges::all(blob.size)).unwrap();
        let stage = [share.as_bytes().as_slice(), &digest.0].concat();
        let stage = StageId::new(&stage).unwrap();
        let own = &self.node.parts().blobs;
        let mut receiver = own.receive(stage, digest, blob.size).unwrap();
        loop {
            let mut piece = BytesMut::new();
            let more = encoder.fill(&mut piece, 64 * 1024).unwrap();
            receiver.write(&piece).unwrap();
            if !more {
                break;
            }
        }
        own.commit(vec![receiver.finish().unwrap()]).unwrap()[0]
    }

    pub(crate) async fn store(
        &self,
        share: ShareId,
        evidence: Vec<EvidenceId>,
        placed: Vec<Placed>,
    ) -> Result<(), Error> {
        let stored = self.node.decide(None, Way::Partner, move |context| {
            exchange::store(context, share, &evidence, &placed)
        });
        stored.await
    }

    /// Reads one wanted item from its owner; false where nothing is wanted.
    pub(crate) async fn fetch(&self, from: &Self, share: ShareId) -> bool {
        let Some(evidence) = self.wanted(share).first().copied() else {
            return false;
        };
        let files = self.files(share, evidence).into_iter();
        let placed = files.map(|digest| self.read(from, share, digest)).collect();
        self.store(share, vec![evidence], placed).await.unwrap();
        true
    }

    /// Moves this node's clock.
    pub(crate) fn later(&self, by: TimeDelta) {
        self.clock.0.fetch_add(by.num_seconds(), Ordering::SeqCst);
    }

    /// The machine's clock jumps, and nobody has looked at it yet.
    pub(crate) fn jump(&self, by: TimeDelta) {
        let expected = self.clock.now();
        let says = expected + by;
        *self.clock.1.lock().unwrap() = Some(Jump { says, expected });
    }

    /// Everything that this node has on record about something.
    pub(crate) fn about(&self, subject: uuid::Uuid) -> Vec<Event> {
        let reading = self.node.parts().store.read();
        let rows = reading.view().page(&table::ABOUT, &subject, None, 10_000);
        let journal = &self.node.parts().journal;
        let event = |((_, seq), ())| history::event(&reading.view(), journal, seq).unwrap();
        rows.unwrap().into_iter().map(event).collect()
    }

    /// Everything that the tables hold.
    pub(crate) fn tables(&self) -> Vec<Pair> {
        dump(&self.engine)
    }

    /// Nothing is in the tables that the journal does not say, and the other way round.
    pub(crate) async fn rebuilds(&self) {
        // What was still waiting when its caller went away is written by then.
        self.events(Vec::new()).await.unwrap();
        let same = self.tables() == self.rebuilt();
        assert!(same, "the tables of {} and its journal differ", self.name);
    }

    /// Everything that the tables would hold if they were built again from the journal.
    pub(crate) fn rebuilt(&self) -> Vec<Pair> {
        let disk = Arc::new(self.keyring.copy());
        let master = self.node.parts().keys.master();
        let keyring = Arc::new(Keyring::open(disk, master, chance::fill).unwrap());
        let journal = Journal::open(Arc::new(self.journal.copy()), keyring).unwrap();
        let engine = Arc::<Memory>::default();
        catch_up(&journal, &Store::new(engine.clone()), &mut |_, _| {}).unwrap();
        dump(&engine)
    }
}

/// Copies what is in a folder into another one.
pub(crate) fn copied(from: &std::path::Path, to: &std::path::Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let place = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&place).unwrap();
            let mode = entry.metadata().unwrap().permissions();
            std::fs::set_permissions(&place, mode).unwrap();
            copied(&entry.path(), &place);
        } else {
            std::fs::copy(entry.path(), &place).unwrap();
        }
    }
}

/// Everything that an engine holds.
pub(crate) fn dump(engine: &Memory) -> Vec<Pair> {
    let all = |tree: &Tree| {
        let (from, to) = (Bound::Unbounded, Bound::Unbounded);
        engine.scan(*tree, from, to, usize::MAX).unwrap()
    };
    [Tree::Entity, Tree::Index, Tree::Feed]
        .iter()
        .flat_map(all)
        .collect()
}

/// Two nodes that trust each other.
pub(crate) async fn pair() -> (Bench, Bench) {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    north.trust(&south, None).await;
    south.trust(&north, None).await;
    (north, south)
}

/// Delivers and reads in both directions until nothing is left to do.
pub(crate) async fn settle(owner: &Bench, partner: &Bench, share: ShareId) {
    loop {
        let mut moved = owner.deliver(partner, share).await == Some(Ok(()));
        if partner.holds(share) {
            moved |= partner.deliver(owner, share).await == Some(Ok(()));
            moved |= partner.fetch(owner, share).await;
        }
        if !moved {
            return;
        }
    }
}
