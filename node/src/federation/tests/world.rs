//! Nodes for tests: an organisation's keys, a clock that is set, and a port on loopback.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::pairing::Address;
use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::HealthService;

use crate::federation::net::Listener;
use crate::federation::{Directory, Limits, Partner, Peer, Tls, Transport};
use crate::keys::{Keys, Pins};

/// Waits for what has to come, far longer than it takes.
pub(crate) async fn soon<F: IntoFuture>(event: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), event)
        .await
        .expect("nothing came")
}

pub(crate) fn noon() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

#[derive(Debug)]
pub(crate) struct Clock(AtomicU64);

impl Clock {
    pub(crate) fn set(&self, now: DateTime<Utc>) {
        self.0
            .store(now.timestamp().unsigned_abs(), Ordering::SeqCst);
    }
}

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(
            self.0.load(Ordering::SeqCst),
        )))
    }
}

#[derive(Default)]
struct Book(Mutex<BTreeMap<OrganisationId, Partner>>);

impl Directory for Book {
    fn partner(&self, organisation: OrganisationId) -> Option<Partner> {
        self.0.lock().unwrap().get(&organisation).cloned()
    }
}

pub(crate) struct Node {
    pub(crate) keys: Arc<Keys>,
    pub(crate) pins: Pins,
    pub(crate) clock: Arc<Clock>,
    pub(crate) transport: Transport,
    pub(crate) address: Address,
    book: Arc<Book>,
    callers: Arc<Mutex<Vec<OrganisationId>>>,
    stop: CancellationToken,
    serving: Mutex<Option<tokio::task::JoinHandle<()>>>,
    _dir: tempfile::TempDir,
}

impl Node {
    pub(crate) async fn start(name: &str) -> Self {
        let limits = Limits {
            private: true,
            connect: Duration::from_millis(500),
            ..Limits::default()
        };
        Self::limited(name, limits).await
    }

    pub(crate) async fn limited(name: &str, limits: Limits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let keys = Arc::new(Keys::create(&dir.path().join("keys"), name, noon()).unwrap());
        let (pins, book) = (Pins::default(), Arc::<Book>::default());
        let clock = Arc::new(Clock(AtomicU64::default()));
        clock.set(noon());
        let tls = Tls {
            leaf: keys.tls(),
            pins: pins.clone(),
            clock: clock.clone(),
        };
        let transport = Transport::new(tls, book.clone(), limits).unwrap();
        let listener = Listener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string().parse().unwrap();
        let node = Self {
            keys,
            pins,
            clock,
            transport,
            address,
            book,
            callers: Arc::default(),
            stop: CancellationToken::new(),
            serving: Mutex::default(),
            _dir: dir,
        };
        let (transport, routes, stop) = (node.transport.clone(), node.routes(), node.stop.clone());
        let serving = tokio::spawn(async move { transport.serve(listener, routes, stop).await });
        *node.serving.lock().unwrap() = Some(serving);
        node
    }

    pub(crate) fn organisation(&self) -> OrganisationId {
        self.keys.organisation()
    }

    /// Answers and watches health, and notes who called.
    pub(crate) fn routes(&self) -> Routes {
        let callers = Arc::clone(&self.callers);
        let (reporter, _) = tonic_health::server::health_reporter();
        let service = HealthService::from_health_reporter(reporter);
        Routes::new(HealthServer::with_interceptor(
            service,
            move |request: tonic::Request<()>| {
                let peer = request
                    .extensions()
                    .get::<Peer>()
                    .expect("every call has a peer");
                callers.lock().unwrap().push(peer.organisation);
                Ok(request)
            },
        ))
    }

    pub(crate) fn callers(&self) -> Vec<OrganisationId> {
        self.callers.lock().unwrap().clone()
    }

    /// Pins a partner, with its address where it can be dialled.
    pub(crate) fn trust(&self, partner: &Self, dialled: bool) {
        self.expect(partner, dialled.then(|| partner.address.clone()));
    }

    pub(crate) fn expect(&self, partner: &Self, address: Option<Address>) {
        self.pins
            .set(partner.organisation(), partner.keys.root_der())
            .unwrap();
        self.book
            .0
            .lock()
            .unwrap()
            .insert(partner.organisation(), Partner { address });
    }

    /// Stops trusting a partner whose root stays pinned, for its signatures.
    pub(crate) fn suspend(&self, partner: &Self) {
        self.book.0.lock().unwrap().remove(&partner.organisation());
    }

    pub(crate) fn distrust(&self, partner: &Self) {
        self.suspend(partner);
        self.pins.remove(partner.organisation());
    }

    pub(crate) fn keep(&self, partner: &Self) {
        let (transport, routes, stop) = (self.transport.clone(), self.routes(), self.stop.clone());
        let partner = partner.organisation();
        tokio::spawn(async move { transport.keep(partner, routes, stop).await });
    }

    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        let serving = self.serving.lock().unwrap().take().unwrap();
        serving.await.unwrap();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
