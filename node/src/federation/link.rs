//! One connection with a partner, and the list of all that are up.
//!
//! A link ends when it is cut, when the certificate it began with ends, when the peer goes, floods it with
//! frames or does not read from it; its end is seen by whoever reads from it. A link counts as contact from the
//! first frame on, because a dialler's handshake looks finished before the other side has judged its
//! certificate. Whether a partner is trusted is not decided here.

use std::collections::BTreeMap;
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;

use chrono::{DateTime, Utc};
use interdocket_sync::identity::OrganisationId;
use rustls::time_provider::TimeProvider;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::broadcast;
use tokio::time::{Instant, Sleep};
use tokio_rustls::TlsStream;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::frames::Frames;
use super::net::Stream;

/// Who is at the other end of a call, by certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// The organisation that the certificate names.
    pub organisation: OrganisationId,
    /// When the certificate ends, and the connection with it.
    pub expires: DateTime<Utc>,
}

/// A change of contact with a partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contact {
    /// The first connection is up.
    Connected(OrganisationId),
    /// The last connection has ended.
    Disconnected(OrganisationId),
}

/// All connections that are up, by partner; clones are the same list.
#[derive(Clone)]
pub struct Registry(Arc<Shared>);

struct Shared {
    links: Mutex<Links>,
    contacts: broadcast::Sender<Contact>,
}

#[derive(Default)]
struct Links {
    next: u64,
    by_partner: BTreeMap<OrganisationId, BTreeMap<u64, Entry>>,
}

struct Entry {
    kill: CancellationToken,
    heard: bool,
}

impl Default for Registry {
    fn default() -> Self {
        let (contacts, _) = broadcast::channel(1024);
        Self(Arc::new(Shared {
            links: Mutex::default(),
            contacts,
        }))
    }
}

impl Registry {
    /// Ends all connections with a partner at once. Take its trust away first: whoever comes after
    /// is judged anew.
    pub fn cut(&self, organisation: OrganisationId) {
        let links = self.lock();
        for entry in links
            .by_partner
            .get(&organisation)
            .into_iter()
            .flat_map(BTreeMap::values)
        {
            entry.kill.cancel();
        }
    }

    /// How many connections are in contact, by partner.
    pub fn contacts(&self) -> BTreeMap<OrganisationId, usize> {
        let links = self.lock();
        let heard = |links: &BTreeMap<_, Entry>| links.values().filter(|link| link.heard).count();
        let counts = links
            .by_partner
            .iter()
            .map(|(partner, links)| (*partner, heard(links)));
        counts.filter(|(_, count)| *count > 0).collect()
    }

    /// Changes of contact from now on. Who falls behind by 1024 starts over from
    /// [`Registry::contacts`].
    pub fn watch(&self) -> broadcast::Receiver<Contact> {
        self.0.contacts.subscribe()
    }

    /// Takes a connection in, unless the partner has too many.
    pub(super) fn admit(&self, stream: TlsStream<Stream>, peer: Peer, term: Term) -> Option<Link> {
        let mut links = self.lock();
        links.next += 1;
        let id = links.next;
        let kill = CancellationToken::new();
        let of_partner = links.by_partner.entry(peer.organisation).or_default();
        if of_partner.len() >= MAX_LINKS {
            return None;
        }
        of_partner.insert(
            id,
            Entry {
                kill: kill.clone(),
                heard: false,
            },
        );
        drop(links);
        Some(Link {
            stream,
            peer,
            killed: Box::pin(kill.clone().cancelled_owned()),
            look: Box::pin(tokio::time::sleep(Duration::ZERO)),
            term,
            unread: None,
            frames: Frames::new(Instant::now()),
            aborted: false,
            listing: Listing {
                registry: self.clone(),
                partner: peer.organisation,
                id,
                kill,
            },
            heard: Arc::default(),
        })
    }

    /// Notes the first frame of a link.
    fn hear(&self, partner: OrganisationId, id: u64) {
        let mut links = self.lock();
        let Some(of_partner) = links.by_partner.get_mut(&partner) else {
            return;
        };
        let first = !of_partner.values().any(|link| link.heard);
        if let Some(entry) = of_partner.get_mut(&id) {
            entry.heard = true;
        }
        if first {
            // Nobody listening is no failure.
            let _ = self.0.contacts.send(Contact::Connected(partner));
        }
    }

    fn leave(&self, partner: OrganisationId, id: u64) {
        let mut links = self.lock();
        let Some(of_partner) = links.by_partner.get_mut(&partner) else {
            return;
        };
        let heard = of_partner.remove(&id).is_some_and(|entry| entry.heard);
        let last = !of_partner.values().any(|link| link.heard);
        if of_partner.is_empty() {
            links.by_partner.remove(&partner);
        }
        if heard && last {
            let _ = self.0.contacts.send(Contact::Disconnected(partner));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Links> {
        self.0
            .links
            .lock()
            .expect("nobody panics while holding the links")
    }
}

/// A link's place in the registry; leaves it when dropped.
struct Listing {
    registry: Registry,
    partner: OrganisationId,
    id: u64,
    kill: CancellationToken,
}

impl Drop for Listing {
    fn drop(&mut self) {
        self.kill.cancel();
        self.registry.leave(self.partner, self.id);
    }
}

/// What ends a link by itself.
pub(super) struct Term {
    /// By which its certificate ends.
    pub(super) clock: Arc<dyn TimeProvider>,
    /// How long the other side may not read.
    pub(super) unread: Duration,
}

/// An authenticated connection that can be cut.
pub(super) struct Link {
    stream: TlsStream<Stream>,
    peer: Peer,
    killed: Pin<Box<WaitForCancellationFutureOwned>>,
    /// When to look at the clock again, which may have jumped.
    look: Pin<Box<Sleep>>,
    term: Term,
    /// Since nothing of what was written is taken.
    unread: Option<Pin<Box<Sleep>>>,
    frames: Frames,
    aborted: bool,
    listing: Listing,
    heard: Arc<AtomicBool>,
}

impl Link {
    /// Who is at the other end.
    pub(super) fn peer(&self) -> Peer {
        self.peer
    }

    /// What cuts this link; also tells when it has ended.
    pub(super) fn kill(&self) -> CancellationToken {
        self.listing.kill.clone()
    }

    /// Whether the other side has said anything yet.
    pub(super) fn heard(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.heard)
    }

    /// The protocol that both sides agreed on.
    pub(super) fn protocol(&self) -> Option<&[u8]> {
        self.stream.get_ref().1.alpn_protocol()
    }

    fn alive(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let alive = self.ended(cx);
        self.aborted |= alive.is_err();
        alive
    }

    fn ended(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.killed.as_mut().poll(cx).is_ready() {
            return Err(aborted("the connection was cut"));
        }
        while self.look.as_mut().poll(cx).is_ready() {
            let left = self.left().filter(|left| !left.is_zero());
            let left =
                left.ok_or_else(|| aborted("the certificate of the connection has expired"))?;
            let next = Instant::now() + left.min(LOOK);
            self.look.as_mut().reset(next);
        }
        Ok(())
    }

    /// How much longer the certificate counts.
    fn left(&self) -> Option<Duration> {
        let now = self.term.clock.current_time()?;
        let now = DateTime::from_timestamp(i64::try_from(now.as_secs()).ok()?, 0)?;
        (self.peer.expires - now).to_std().ok()
    }

    /// Counts what was read; the first frame makes the link one in contact.
    fn read(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.frames
            .pass(bytes, Instant::now())
            .map_err(io::Error::other)?;
        if self.frames.begun() && !self.heard.swap(true, Ordering::Relaxed) {
            self.listing
                .registry
                .hear(self.listing.partner, self.listing.id);
        }
        Ok(())
    }

    /// Ends a link that takes nothing of what is written for too long.
    fn taken<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.unread = None;
            return written;
        }
        let patience = self.term.unread;
        let new = || Box::pin(tokio::time::sleep(patience));
        match self.unread.get_or_insert_with(new).as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(aborted("the other side does not read"))),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if self.aborted || self.unread.is_some() {
            // What the system still has for the other side goes as well, instead of being held until it reads.
            // Where that fails, the connection has ended already.
            let _ = self.stream.get_ref().0.set_zero_linger();
        }
    }
}

impl AsyncRead for Link {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.alive(cx)?;
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.read(&buf.filled()[before..])?;
        polled
    }
}

impl AsyncWrite for Link {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.alive(cx)?;
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.taken(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.taken(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

fn aborted(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, why)
}

/// Between two looks at the clock.
const LOOK: Duration = Duration::from_secs(30);
/// Connections of one partner at once: two are needed, the rest are those about to end.
const MAX_LINKS: usize = 8;
