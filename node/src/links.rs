//! Downloads by link: who gets a package, and what is under way.
//!
//! Invariant: whoever has no link that works learns that, and nothing else: neither whether there was such a link nor why
//! it does not work. A download is on record before a byte of it leaves, and how it ended. Not here: what a package is
//! (`actions/link`), and HTTP (`web/links`).

mod package;
mod send;
pub(crate) mod zip;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use interdocket_sync::blob::Digest;
use interdocket_sync::pairing::Address;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::package::{Package, Unfit};
pub use self::send::Arriving;
use self::send::Sending;
use crate::access::Permission;
use crate::actions::link::{self, Closed, Create, Documents, LinkId, Made};
use crate::actions::{Action as _, Caller, Error, ErrorKind, Run, Way, reach, token};
use crate::config::Config;
use crate::event::{DownloadEnd, Refused};
use crate::node::{Node, timely};
use crate::signin::networks::Networks;
use crate::store::{entity, table};

/// The downloads that are under way, and what is kept of those that want one.
#[derive(Default)]
pub struct Links {
    networks: Networks,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    /// Downloads that are under way.
    open: BTreeMap<Uuid, LinkId>,
    /// Downloads whose end could not be recorded yet.
    late: Vec<Ended>,
    /// How often links were asked for that work: since when, how many times.
    asked: BTreeMap<LinkId, (Duration, u32)>,
    /// What CRC-32 files have that were sent.
    sums: BTreeMap<Digest, u32>,
}

/// A download that is over.
#[derive(Debug, Clone, Copy)]
struct Ended {
    download: Uuid,
    bytes: Option<u64>,
    reason: DownloadEnd,
}

/// What somebody asks for who has a link.
#[derive(Debug, Clone)]
pub struct Ask {
    /// What stands at the end of the link.
    pub token: String,
    /// From which address, where it comes over a network.
    pub from: Option<IpAddr>,
    /// Of the package.
    pub what: What,
}

/// What of a package somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// What it is, and nothing of it.
    Head,
    /// All of it.
    Whole,
    /// A part, where it is still the package with this tag, if one is named; else all of it.
    Part(Part, Option<String>),
}

/// A part of a package, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// From one byte on, to another or to the end.
    From(u64, Option<u64>),
    /// So many at the end.
    Last(u64),
}

/// A package, or a part of it.
pub struct Given {
    /// What it is to be called.
    pub name: String,
    /// Tells it apart from what it is after something of it was deleted.
    pub tag: String,
    /// How many bytes all of it has.
    pub length: u64,
    /// Which of them are given.
    pub span: Range<u64>,
    /// The bytes, in order; an error ends them. None where nothing was asked for but what it is.
    pub bytes: Option<Arriving>,
}

/// Why nothing is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No such link works.
    Nothing,
    /// Too many tries from that address were wrong.
    Tries,
    /// Too much of this is under way.
    Busy,
    /// It can't be given now.
    Unavailable,
    /// The package, of so many bytes, has no such part.
    Part(u64),
}

impl Part {
    /// Which bytes of so many it is; none where they have none of it.
    fn within(self, length: u64) -> Option<Range<u64>> {
        let span = match self {
            Self::From(from, to) => from..to.map_or(length, |to| to.saturating_add(1)).min(length),
            Self::Last(count) => length.saturating_sub(count)..length,
        };
        (span.start < span.end).then_some(span)
    }
}

impl Run for Create {
    async fn run(self, node: &Node, caller: &Caller) -> Result<Made, Error> {
        node.permit(caller, &self).await?;
        let base = base(&node.parts().config)?;
        // Until what was made of the evidence is recorded.
        let _brings = node.parts().moment.bringing.begin().await;
        let documents = node.documents_of(caller, &self).await?;
        let (who, about) = (caller.clone(), self.about());
        node.decide(Some(caller.actor.clone()), caller.way, move |context| {
            reach::check(&context.view, &who, Self::NAME, &about)?;
            timely(&context.view)?;
            self.decide(context, documents, &base)
        })
        .await
    }
}

/// What stands before the token of a link: the name by which people reach this node, never one that a request says.
fn base(config: &Config) -> Result<String, Error> {
    let listen = config.api.listen;
    let known =
        (!listen.ip().is_unspecified()).then(|| Address::from((listen.ip(), listen.port())));
    let address = config.api.advertise.clone().or(known).ok_or_else(|| {
        let message = "this node does not know by which name people reach it";
        Error::new(ErrorKind::Unavailable, message)
            .hint("set api.advertise in interdocket.toml, and restart the node")
    })?;
    let address = address.to_string();
    let address = address.strip_suffix(":443").unwrap_or(&address);
    Ok(format!("https://{address}{PLACE}"))
}

impl Node {
    async fn documents_of(&self, caller: &Caller, create: &Create) -> Result<Documents, Error> {
        if create.attachments.is_empty() {
            return Ok(Documents::default());
        }
        let confidential = caller.permissions.contains(&Permission::AuditConfidential);
        let asked = create.clone();
        let wanted = self.read(move |view| asked.wanted(view)).await?;
        let mut documents = Documents {
            items: wanted.iter().map(|(id, _)| (*id, Vec::new())).collect(),
            stored: Vec::new(),
        };
        let due = wanted.into_iter().filter_map(|(_, wanted)| wanted);
        let (items, stored) = self.make(due.collect(), confidential).await?;
        documents.items.extend(items);
        documents.stored = stored;
        Ok(documents)
    }

    /// Opens the package of a link, once that is recorded. To be run to its end, whoever goes away meanwhile.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn open_link(&self, ask: Ask) -> Result<Given, Refusal> {
        let (parts, from) = (self.parts(), ask.from);
        let links = &parts.moment.links;
        if !links.networks.admits(from, parts.clock.elapsed()) {
            let reason = "too many wrong tries from one address";
            self.refused(refusal(None, reason)).await;
            return Err(Refusal::Tries);
        }
        let (id, link) = self.working(&ask.token, from).await?;
        if !links.asked(id, parts.clock.elapsed()) {
            return Err(Refusal::Busy);
        }
        let of = link.clone();
        let package = self.read(move |view| Package::of(view, id, &of));
        let package = match package.await.map_err(|_| Refusal::Unavailable)? {
            Ok(package) => package,
            Err(Unfit::Empty) => return Err(self.shut(id, &link, Closed::Empty, from)),
            Err(Unfit::Damaged) => {
                self.noted(id, &link, "a file of the link is damaged");
                return Err(Refusal::Unavailable);
            }
        };
        let length = package.zip.length();
        let (span, opens) = match ask.what {
            What::Head => (0..length, false),
            What::Whole => (0..length, true),
            What::Part(_, Some(tag)) if tag != package.tag() => (0..length, true),
            What::Part(part, _) => match part.within(length) {
                Some(span) => (span, true),
                None => return Err(Refusal::Part(length)),
            },
        };
        let mut given = Given {
            name: format!("{}.zip", link.number),
            tag: package.tag(),
            length,
            span: span.clone(),
            bytes: None,
        };
        if opens {
            let sending = (id, &link, package, span);
            given.bytes = Some(self.begin(sending, from).await?);
        }
        Ok(given)
    }

    /// The link of a token, if it works now.
    async fn working(
        &self,
        secret: &str,
        from: Option<IpAddr>,
    ) -> Result<(LinkId, entity::Link), Refusal> {
        let parts = self.parts();
        let (hash, now) = (token::hash(secret), parts.clock.now());
        let found = self.read(move |view| {
            // What ends by time can't be told by a clock that nobody trusts.
            timely(view)?;
            let Some((id, link)) = link::known(view, &hash)? else {
                return Ok(None);
            };
            let closed = link::closed(view, &link, now)?;
            Ok(Some((id, link, closed)))
        });
        match found.await.map_err(|_| Refusal::Unavailable)? {
            Some((id, link, None)) => Ok((id, link)),
            Some((id, link, Some(closed))) => Err(self.shut(id, &link, closed, from)),
            None => {
                let networks = &parts.moment.links.networks;
                networks.wrong(from, parts.clock.elapsed());
                Err(Refusal::Nothing)
            }
        }
    }

    async fn begin(
        &self,
        (id, link, package, span): (LinkId, &entity::Link, Package, Range<u64>),
        from: Option<IpAddr>,
    ) -> Result<Arriving, Refusal> {
        let links = &self.parts().moment.links;
        let mut chance = [0; 16];
        crate::chance::fill(&mut chance);
        let download = uuid::Builder::from_random_bytes(chance).into_uuid();
        // Known before it is recorded: what is recorded and not known is what a stopped node left.
        if !links.begin(download, id) {
            return Err(Refusal::Busy);
        }
        let start = span.start;
        let begun = self.decide(None, Way::Link, move |context| {
            link::begin(context, id, download, from, start)
        });
        match begun.await {
            Ok(None) => {}
            Ok(Some(closed)) => {
                links.end(download);
                return Err(self.shut(id, link, closed, from));
            }
            Err(error) => {
                links.end(download);
                tracing::warn!(%error, "a download by link could not be recorded");
                return Err(Refusal::Unavailable);
            }
        }
        Ok(Sending::start(self, download, id, package, span))
    }

    /// What somebody learns whose link does not work; why is for the record.
    fn shut(
        &self,
        id: LinkId,
        link: &entity::Link,
        closed: Closed,
        from: Option<IpAddr>,
    ) -> Refusal {
        let parts = self.parts();
        let networks = &parts.moment.links.networks;
        networks.wrong(from, parts.clock.elapsed());
        self.noted(id, link, closed.reason());
        Refusal::Nothing
    }

    /// Records a refusal behind the answer: how long that takes tells nothing.
    fn noted(&self, id: LinkId, link: &entity::Link, reason: &str) {
        let (node, refused) = (self.clone(), refusal(Some((id, link)), reason));
        self.parts()
            .moment
            .signins
            .behind
            .spawn(async move { node.refused(refused).await });
    }

    /// Records that a download is over, or notes that it is still to be recorded.
    async fn close_download(&self, ended: Ended) {
        let Ended {
            download,
            bytes,
            reason,
        } = ended;
        let decided = self.decide(None, Way::Link, move |context| {
            link::end(context, download, bytes, reason)
        });
        let links = &self.parts().moment.links;
        if let Err(error) = decided.await {
            tracing::warn!(%error, "the end of a download could not be recorded yet");
            links.lock().late.push(ended);
        }
        links.end(download);
    }
}

fn refusal(link: Option<(LinkId, &entity::Link)>, reason: &str) -> Refused {
    Refused {
        partner: None,
        action: "link.get".to_owned(),
        share: None,
        link: link.map(|(id, link)| (id, link.case)),
        reason: reason.to_owned(),
        count: 1,
    }
}

impl Links {
    /// Takes a download in that is about to be recorded; false where there are as many as there may be.
    fn begin(&self, download: Uuid, link: LinkId) -> bool {
        let mut held = self.lock();
        let of_link = held.open.values().filter(|other| **other == link).count();
        if of_link >= OF_LINK_MAX || held.open.len() >= DOWNLOADS_MAX {
            return false;
        }
        held.open.insert(download, link);
        true
    }

    /// Counts that a link that works was asked for; false where that is too often. Each time costs work, and a record.
    fn asked(&self, link: LinkId, now: Duration) -> bool {
        let mut held = self.lock();
        held.asked
            .retain(|_, (since, _)| now.saturating_sub(*since) < HOUR);
        let (_, times) = held.asked.entry(link).or_insert((now, 0));
        *times = times.saturating_add(1);
        *times <= ASKED_MAX
    }

    fn end(&self, download: Uuid) {
        self.lock().open.remove(&download);
    }

    fn has(&self, download: Uuid) -> bool {
        let held = self.lock();
        let late = |ended: &Ended| ended.download == download;
        held.open.contains_key(&download) || held.late.iter().any(late)
    }

    /// The CRC-32 of a file that was sent before.
    fn sum(&self, digest: &Digest) -> Option<u32> {
        self.lock().sums.get(digest).copied()
    }

    /// Keeps the CRC-32 of a file, so that it need not be read to be skipped.
    fn summed(&self, digest: Digest, sum: u32) {
        let mut held = self.lock();
        if held.sums.len() >= SUMS_MAX {
            held.sums.clear();
        }
        held.sums.insert(digest, sum);
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Records the ends of downloads that a stopped node left, and of those that could not be recorded at once, until told to
/// stop.
pub async fn watch(node: Node, stop: CancellationToken) {
    left(&node).await;
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        let late = std::mem::take(&mut node.parts().moment.links.lock().late);
        for ended in late {
            node.close_download(ended).await;
        }
    }
}

/// Records the ends of downloads that a stopped node left.
pub(crate) async fn left(node: &Node) {
    let open = node.read(|view| Ok(view.page(&table::DOWNLOAD, &(), None, usize::MAX)?));
    match open.await {
        Ok(open) => {
            for (download, _) in open {
                if !node.parts().moment.links.has(download) {
                    let (bytes, reason) = (None, DownloadEnd::Interrupted);
                    node.close_download(Ended {
                        download,
                        bytes,
                        reason,
                    })
                    .await;
                }
            }
        }
        Err(error) => tracing::warn!(%error, "downloads that were left can't be read"),
    }
}

/// Where links lead.
pub const PLACE: &str = "/links/";
/// Downloads at once: each takes a thread.
const DOWNLOADS_MAX: usize = 64;
/// Downloads of one link at once: one holder does not take the places of all others.
const OF_LINK_MAX: usize = 8;
/// How often a link is looked at in an hour: some people with programs that download in parts.
const ASKED_MAX: u32 = 600;
const HOUR: Duration = Duration::from_secs(3600);
/// Files whose CRC-32 is kept: some megabytes in memory.
const SUMS_MAX: usize = 50_000;
/// How often it is tried again to record what could not be.
const EVERY: Duration = Duration::from_secs(5);
