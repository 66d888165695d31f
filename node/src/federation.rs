//! How this node talks with its partners: mutual TLS, connections in both directions, and pairing.
//!
//! Who somebody is comes from their certificate, never from who dialled. Which partners are trusted
//! comes in as [`crate::keys::Pins`] and a [`Directory`]; what is said over a connection comes in
//! as `tonic` routes. Neither is decided here.

pub(crate) mod allowance;
mod arrival;
pub mod ceremony;
pub mod connection;
pub mod dial;
pub mod drive;
pub mod exchange;
pub(crate) mod features;
pub mod fetch;
pub mod follow;
mod frames;
pub mod history;
pub(crate) mod lease;
pub mod link;
pub mod net;
mod outlet;
pub mod pairing;
pub mod people;
mod places;
pub mod reading;
pub(crate) mod recover;
mod reverse;
pub mod sealed;
pub mod serve;
mod server;
pub mod sessions;
mod source;
#[cfg(test)]
mod tests;
pub mod texts;
pub mod tls;

use std::sync::Arc;
use std::time::Duration;

use interdocket_sync::identity::OrganisationId;
use interdocket_sync::pairing::Address;
use rustls::ServerConfig;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::Channel;

pub use self::link::{Contact, Peer, Registry};
use self::net::Listener;
pub use self::tls::Tls;

/// What the caller knows about partners, asked anew for every connection and every call.
pub trait Directory: Send + Sync + 'static {
    /// How a partner is reached; `None` where it is not trusted now.
    fn partner(&self, organisation: OrganisationId) -> Option<Partner>;
}

/// A partner that is trusted now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partner {
    /// Where it can be dialled, if it can.
    pub address: Option<Address>,
}

/// What strangers and partners may cost.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Handshakes under way at once; more are dropped. Partners that were let in before have some more.
    pub handshakes: usize,
    /// How long a handshake, and dialling, may take.
    pub handshake: Duration,
    /// How long a call waits for a connection.
    pub connect: Duration,
    /// How long a silent connection waits before it asks, and then for the answer; who does not read for both
    /// together is cut off.
    pub keepalive: Duration,
    /// How long calls may go on once the node is told to stop.
    pub drain: Duration,
    /// How long a call may take to arrive: as long as a partner waits for its answer.
    pub arrival: Duration,
    /// The longest pause between two attempts to dial a partner.
    pub pause: Duration,
    /// Whether partners may be at private and loopback addresses.
    pub private: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshakes: 64,
            handshake: Duration::from_secs(5),
            connect: Duration::from_secs(10),
            keepalive: Duration::from_secs(10),
            drain: Duration::from_secs(10),
            arrival: Duration::from_secs(60),
            pause: Duration::from_secs(5),
            private: false,
        }
    }
}

/// The connections of this node with all of its partners; clones share them.
#[derive(Clone)]
pub struct Transport(Arc<Inner>);

struct Inner {
    tls: Tls,
    server: Arc<ServerConfig>,
    directory: Arc<dyn Directory>,
    limits: Limits,
    registry: Registry,
    slots: reverse::Slots,
    places: places::Places,
    arrivals: arrival::Arrivals,
    later: broadcast::Sender<Later>,
}

/// A partner's root that was handed over to, seen behind a connection of its for the first time.
#[derive(Debug, Clone)]
pub struct Later {
    /// The partner.
    pub partner: OrganisationId,
    /// The root's certificate, DER.
    pub root: Vec<u8>,
}

impl Transport {
    /// Prepares connections; none is made yet.
    ///
    /// # Errors
    /// What the TLS library refuses.
    pub fn new(
        tls: Tls,
        directory: Arc<dyn Directory>,
        limits: Limits,
    ) -> Result<Self, rustls::Error> {
        let server = Arc::new(tls.server()?);
        let registry = Registry::default();
        let slots = reverse::Slots::default();
        let places = places::Places::new(limits.handshakes);
        let arrivals = arrival::Arrivals::new(limits.arrival);
        Ok(Self(Arc::new(Inner {
            tls,
            server,
            directory,
            limits,
            registry,
            slots,
            places,
            arrivals,
            later: broadcast::channel(64).0,
        })))
    }

    /// The connections that are up.
    pub fn registry(&self) -> &Registry {
        &self.0.registry
    }

    /// Roots that partners handed over to, from now on. One that is missed comes again with the next
    /// connection.
    pub fn watch_roots(&self) -> broadcast::Receiver<Later> {
        self.0.later.subscribe()
    }

    /// Ends all connections with a partner at once, in both roles. Take its trust away first.
    pub fn cut(&self, partner: OrganisationId) {
        self.0.registry.cut(partner);
    }

    /// Calls a partner: over a connection that the partner dialled, else over one dialled here. The
    /// channel is one for each partner and lives on when a connection ends; calls are not retried.
    pub fn channel(&self, partner: OrganisationId) -> Channel {
        self.0
            .slots
            .of(partner)
            .channel(|| dial::channel(self, partner))
    }

    /// Serves the federation port until told to stop; returns once running calls have ended.
    pub async fn serve(&self, listener: Listener, routes: Routes, stop: CancellationToken) {
        server::serve(self, listener, routes, stop).await;
    }

    /// Keeps up a connection to a partner on which the partner calls us, wherever the partner can
    /// be dialled, until told to stop. One task a partner.
    pub async fn keep(&self, partner: OrganisationId, routes: Routes, stop: CancellationToken) {
        reverse::keep(self, partner, routes, stop).await;
    }

    /// Dials a partner once, for saying what stands in the way.
    ///
    /// # Errors
    /// The reasons, for a person.
    pub async fn probe(&self, partner: OrganisationId) -> Result<(), String> {
        dial::probe(self, partner).await.map_err(|error| {
            let mut text = error.to_string();
            let mut source = std::error::Error::source(&error);
            while let Some(reason) = source {
                text = format!("{text}: {reason}");
                source = reason.source();
            }
            text
        })
    }

    /// Says that a partner may be reachable: a pause between attempts to dial it ends now.
    pub fn nudge(&self, partner: OrganisationId) {
        self.0.slots.of(partner).nudge();
    }

    fn trusted(&self, organisation: OrganisationId) -> bool {
        self.0.directory.partner(organisation).is_some() && self.0.tls.pins.contains(organisation)
    }
}
