//! What a running node serves to partners and keeps up with them: the pieces of this folder, put
//! together.

use std::sync::Arc;
use std::time::Duration;

use interdocket_proto::v1::connection_server::ConnectionServer;
use interdocket_proto::v1::delivery_server::DeliveryServer;
use interdocket_proto::v1::people_server::PeopleServer;
use interdocket_proto::v1::transfer_server::TransferServer;
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::limits;
use interdocket_sync::pairing::Address;
use rustls::ServerConfig;
use rustls::sign::CertifiedKey;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::Routes;

use super::ceremony::Desk;
use super::connection::Connection;
use super::exchange::Exchange;
use super::net::Listener;
use super::people::People;
use super::tls::{self, Wall};
use super::{Directory, Limits, Partner, Tls, Transport, drive, fetch, follow, pairing};
use crate::actions::partner::State;
use crate::actions::{Error, ErrorKind};
use crate::clock::Clock;
use crate::config::Config;
use crate::keys::{Keys, Leaf, Pins};
use crate::node::Node;
use crate::store::table;
use crate::store::view::Store;

/// Partners as the tables know them.
struct Partners(Store);

impl Directory for Partners {
    fn partner(&self, organisation: OrganisationId) -> Option<Partner> {
        let partner = self
            .0
            .read()
            .view()
            .get(&table::PARTNER, &organisation)
            .ok()??;
        let address = partner.address.and_then(|address| address.parse().ok());
        (partner.state == State::Active).then_some(Partner { address })
    }
}

/// Connections with partners; none is made yet.
///
/// # Errors
/// [`Error`] where the TLS library refuses.
pub fn transport(
    keys: &Keys,
    pins: &Pins,
    clock: &Arc<dyn Clock>,
    store: &Store,
    config: &Config,
) -> Result<Transport, Error> {
    let clock = Arc::new(Wall(Arc::clone(clock)));
    let tls = Tls {
        leaf: keys.tls(),
        pins: pins.clone(),
        clock,
    };
    let limits = Limits {
        private: config.federation.allow_private,
        ..Limits::default()
    };
    Transport::new(tls, Arc::new(Partners(store.clone())), limits).map_err(|error| prepare(&error))
}

/// How the API is served: TLS 1.3 only, under a certificate of this organisation.
///
/// # Errors
/// [`Error`] where the TLS library refuses.
pub fn https(leaf: Arc<Leaf>) -> Result<Arc<ServerConfig>, Error> {
    tls::https(leaf)
        .map(Arc::new)
        .map_err(|error| prepare(&error))
}

/// A certificate for the API under the names by which it is called.
///
/// # Errors
/// [`Error`] where it can't be issued.
pub fn certificate(
    keys: &Keys,
    config: &Config,
    clock: &dyn Clock,
) -> Result<Arc<CertifiedKey>, Error> {
    let mut names = vec!["localhost".to_owned(), config.api.listen.ip().to_string()];
    let advertised = config.federation.advertise.as_ref();
    let address = advertised.and_then(|text| text.parse::<Address>().ok());
    let public = config.api.advertise.clone();
    let addresses = address.into_iter().chain(public);
    names.extend(addresses.map(|address| address.host().to_owned()));
    keys.https(&names, clock.now())
        .map_err(|error| prepare(&error))
}

fn prepare(error: &dyn std::error::Error) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        format!("TLS can't be prepared: {error}"),
    )
}

/// Everything that partners can call.
pub fn routes(node: &Node) -> Routes {
    let exchange = Exchange::new(node.clone());
    let delivery = DeliveryServer::new(exchange.clone())
        .max_decoding_message_size(limits::MESSAGE_MAX)
        .max_encoding_message_size(limits::MESSAGE_MAX);
    let connection = ConnectionServer::new(Connection::new(node.clone(), exchange.clone()))
        .max_decoding_message_size(limits::MESSAGE_MAX)
        .max_encoding_message_size(limits::MESSAGE_MAX);
    let people = PeopleServer::new(People::new(node.clone(), exchange.clone()))
        .max_decoding_message_size(limits::MESSAGE_MAX);
    let transfer = TransferServer::new(exchange).max_decoding_message_size(limits::MESSAGE_MAX);
    let (reporter, health) = tonic_health::server::health_reporter();
    tokio::spawn(async move {
        reporter.set_serving::<DeliveryServer<Exchange>>().await;
        reporter.set_serving::<TransferServer<Exchange>>().await;
        reporter.set_serving::<ConnectionServer<Connection>>().await;
        reporter.set_serving::<PeopleServer<People>>().await;
    });
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(interdocket_proto::DESCRIPTORS)
        .build_v1()
        .expect("the descriptors are those of this build");
    Routes::new(delivery)
        .add_service(transfer)
        .add_service(connection)
        .add_service(people)
        .add_service(health)
        .add_service(reflection)
}

/// Serves the pairing port until told to stop.
pub async fn pairing(node: Node, listener: Listener, stop: CancellationToken) {
    let parts = node.parts();
    let clock = Arc::new(Wall(Arc::clone(&parts.clock)));
    let desk = Arc::new(Desk::new(node.clone()));
    let served = pairing::serve(listener, &parts.keys, clock, desk, stop).await;
    if let Err(error) = served {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "pairing is not served"
        );
    }
}

/// Starts what keeps up with one partner.
pub fn partner(
    node: &Node,
    partner: OrganisationId,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) {
    let (transport, routes, token) = (node.parts().transport.clone(), routes(node), stop.clone());
    tasks.spawn(async move { transport.keep(partner, routes, token).await });
    let (of, token) = (node.clone(), stop.clone());
    let driving = move || drive::drive(of.clone(), partner, token.clone());
    tasks.spawn(again("delivery", partner, stop.clone(), driving));
    let (of, token) = (node.clone(), stop.clone());
    let fetching = move || fetch::fetch(of.clone(), partner, token.clone());
    tasks.spawn(again("reading", partner, stop.clone(), fetching));
    let (of, token) = (node.clone(), stop.clone());
    let following = move || follow::follow(of.clone(), partner, token.clone());
    tasks.spawn(again("following", partner, stop.clone(), following));
}

/// Keeps a task up: one that panics is said to have, and starts again after a pause.
async fn again<F>(
    what: &'static str,
    partner: OrganisationId,
    stop: CancellationToken,
    start: impl Fn() -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    while let Err(ended) = tokio::spawn(start()).await {
        if ended.is_cancelled() {
            return;
        }
        tracing::error!(%partner, what, "a task broke: it starts again in a while");
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(AGAIN) => {}
        }
    }
}

/// How long a task that panicked rests.
const AGAIN: Duration = Duration::from_secs(60);
