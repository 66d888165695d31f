//! Reaching a partner: by the connection it dialled, or by dialling it.
//!
//! A name is resolved once, the addresses are judged, and the connection goes to one that was: no
//! second look-up can lead elsewhere. Retrying is not here.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::pairing::Address;
use rustls::ClientConfig;
use tokio::io::AsyncReadExt as _;
use tokio_rustls::{TlsConnector, TlsStream};
use tonic::transport::{Channel, Endpoint};

use super::link::{Link, Peer, Term};
use super::net::{self, Stream};
use super::source::Source;
use super::{Later, Limits, Tls, Transport, server, tls};
use crate::keys::{Usage, chain};

/// Why there is no connection with a partner.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The organisation is no partner, or suspended.
    #[error("the organisation is not trusted")]
    Untrusted,
    /// The partner can't be dialled and has not dialled.
    #[error("the partner has no address and is not connected")]
    Unreachable,
    /// The name has no address.
    #[error("cannot resolve {0}")]
    Resolve(Address, #[source] io::Error),
    /// Every address of the name is one that partners may not have here.
    #[error("{0} is not a public address; allow private addresses in the configuration to use it")]
    Refused(Address),
    /// Nobody answers there.
    #[error("cannot connect to {0}")]
    Connect(Address, #[source] io::Error),
    /// Who answers is not the partner, or does not accept us.
    #[error("no trust was established with {0}")]
    Handshake(Address, #[source] io::Error),
    /// The TLS library refuses the configuration.
    #[error("cannot prepare TLS")]
    Tls(#[from] rustls::Error),
    /// Who answers speaks something else.
    #[error("the other side does not speak the protocol of nodes")]
    Protocol,
    /// The partner has too many connections.
    #[error("the partner has too many connections")]
    Crowded,
    /// It took too long.
    #[error("no connection within {} s", .0.as_secs())]
    Timeout(Duration),
}

/// A channel to a partner that connects anew whenever it has to.
pub(super) fn channel(transport: &Transport, partner: OrganisationId) -> Channel {
    let limits = transport.0.limits;
    // The transport owns the channel: one that held on to it would keep both for ever.
    let transport = Arc::downgrade(&transport.0);
    let connector = tower::service_fn(move |_: Uri| {
        let transport = transport.upgrade().map(Transport);
        async move {
            let transport = transport
                .ok_or(Error::Untrusted)
                .map_err(io::Error::other)?;
            let reached = tokio::time::timeout(limits.connect, reach(&transport, partner)).await;
            let link = reached.unwrap_or(Err(Error::Timeout(limits.connect)));
            link.map(TokioIo::new).map_err(io::Error::other)
        }
    });
    endpoint(&limits).connect_with_connector_lazy(connector)
}

/// How calls are made, on connections of either direction.
pub(super) fn endpoint(limits: &Limits) -> Endpoint {
    Endpoint::from_static("http://partner.invalid")
        .http2_keep_alive_interval(limits.keepalive)
        .keep_alive_timeout(limits.keepalive)
        .keep_alive_while_idle(true)
        .http2_max_header_list_size(server::HEADERS)
        .http2_max_local_error_reset_streams(256)
        .initial_stream_window_size(server::STREAM_WINDOW)
        .initial_connection_window_size(server::CONNECTION_WINDOW)
        .max_frame_size(FRAME)
}

/// Dials a partner under one of the two protocols.
///
/// # Errors
/// [`Error`] says what stands between.
pub(super) async fn dial(
    transport: &Transport,
    partner: OrganisationId,
    protocol: &[u8],
) -> Result<Link, Error> {
    let address = transport
        .0
        .directory
        .partner(partner)
        .ok_or(Error::Untrusted)?
        .address;
    let address = address.ok_or(Error::Unreachable)?;
    let limits = &transport.0.limits;
    let config = transport.0.tls.client(partner, protocol)?;
    let opened = tokio::time::timeout(limits.handshake, open(&address, config, limits.private));
    let stream = opened
        .await
        .map_err(|_| Error::Timeout(limits.handshake))??;
    let link = admit(transport, stream)?;
    match link.protocol() {
        Some(agreed) if agreed == protocol => Ok(link),
        _ => Err(Error::Protocol),
    }
}

/// Dials a partner once and waits for its first byte: only then has it judged our certificate.
///
/// # Errors
/// [`Error`] says what stands between.
pub(super) async fn probe(transport: &Transport, partner: OrganisationId) -> Result<(), Error> {
    let mut link = dial(transport, partner, tls::FORWARD).await?;
    let limits = &transport.0.limits;
    let first = tokio::time::timeout(limits.handshake, link.read_u8()).await;
    let known = transport
        .0
        .directory
        .partner(partner)
        .and_then(|partner| partner.address);
    match (first, known) {
        (Ok(Ok(_)), _) => Ok(()),
        (Ok(Err(source)), Some(address)) => Err(Error::Handshake(address, source)),
        (Ok(Err(_)), None) => Err(Error::Unreachable),
        (Err(_), _) => Err(Error::Timeout(limits.handshake)),
    }
}

/// Connects to one of the address's hosts that may be connected to, and shakes hands.
pub(super) async fn open(
    address: &Address,
    config: ClientConfig,
    private: bool,
) -> Result<TlsStream<Stream>, Error> {
    let resolved = net::lookup_host((address.host(), address.port())).await;
    let hosts: Vec<_> = resolved
        .map_err(|source| Error::Resolve(address.clone(), source))?
        .collect();
    let mut failure = Error::Refused(address.clone());
    for host in hosts
        .into_iter()
        .filter(|host: &SocketAddr| allowed(host.ip(), private))
    {
        match Stream::connect(host).await {
            Ok(socket) => return secure(address, config, socket).await,
            Err(source) => failure = Error::Connect(address.clone(), source),
        }
    }
    Err(failure)
}

async fn secure(
    address: &Address,
    config: ClientConfig,
    socket: Stream,
) -> Result<TlsStream<Stream>, Error> {
    // Small calls must not wait for acknowledgements of earlier ones.
    socket
        .set_nodelay(true)
        .map_err(|source| Error::Connect(address.clone(), source))?;
    let connected = TlsConnector::from(Arc::new(config))
        .connect(tls::nameless(), socket)
        .await;
    connected
        .map(TlsStream::from)
        .map_err(|source| Error::Handshake(address.clone(), source))
}

/// Takes an authenticated connection into the registry.
///
/// Trust is asked for again once it is listed: whoever lost it while the handshake ran was not cut.
pub(super) fn admit(transport: &Transport, stream: TlsStream<Stream>) -> Result<Link, Error> {
    let peer = peer(&stream).ok_or(Error::Untrusted)?;
    let later = later(transport, &stream, peer);
    let source = stream.get_ref().0.peer_addr();
    let source = source.map(|address| Source::of(address.ip()));
    let term = Term {
        clock: Arc::clone(&transport.0.tls.clock),
        unread: transport.0.limits.keepalive * 2,
    };
    let link = transport
        .0
        .registry
        .admit(stream, peer, term)
        .ok_or(Error::Crowded)?;
    if !transport.trusted(peer.organisation) {
        return Err(Error::Untrusted);
    }
    if let Ok(source) = source {
        transport.0.places.met(source);
    }
    if let Some(later) = later {
        // Nobody listening is no failure.
        let _ = transport.0.later.send(later);
    }
    Ok(link)
}

/// Whoever the certificate of an authenticated connection names.
fn peer(stream: &TlsStream<Stream>) -> Option<Peer> {
    let certificates = stream.get_ref().1.peer_certificates()?;
    let organisation = chain::subject(certificates.first()?)?;
    let ends = certificates
        .iter()
        .map(|der| chain::validity(der).map(|(_, end)| end));
    let expires = ends.collect::<Option<Vec<_>>>()?.into_iter().min()?;
    Some(Peer {
        organisation,
        expires,
    })
}

/// The root that a partner handed over to since, where a connection shows one that is not known yet.
fn later(transport: &Transport, stream: &TlsStream<Stream>, peer: Peer) -> Option<Later> {
    let [leaf, above @ ..] = stream.get_ref().1.peer_certificates()? else {
        return None;
    };
    let Tls { pins, clock, .. } = &transport.0.tls;
    // Both roles' certificates are one.
    let behind = pins.check(leaf, above, Usage::Client, clock.current_time()?);
    let root = behind.ok()?.later?.to_vec();
    let partner = peer.organisation;
    Some(Later { partner, root })
}

/// Takes the connection that the partner dialled, or dials it, whichever comes first.
async fn reach(transport: &Transport, partner: OrganisationId) -> Result<Link, Error> {
    let known = transport
        .0
        .directory
        .partner(partner)
        .ok_or(Error::Untrusted)?;
    let slot = transport.0.slots.of(partner);
    tokio::select! {
        biased;
        link = slot.take() => Ok(link),
        dialled = dial(transport, partner, tls::FORWARD), if known.address.is_some() => {
            transport.nudge(partner);
            dialled.inspect(|link| slot.dialled(link))
        }
    }
}

/// Whether a partner may be at this address. Private and loopback ones where `private` says so;
/// link-local, multicast and unspecified ones never: nobody's node is there, but routers and the
/// metadata of clouds are.
fn allowed(address: IpAddr, private: bool) -> bool {
    let (never, inside) = match address.to_canonical() {
        IpAddr::V4(address) => (
            address.is_link_local()
                || address.is_multicast()
                || address.is_broadcast()
                || address.octets()[0] == 0,
            address.is_loopback() || address.is_private() || is_shared(address.octets()),
        ),
        IpAddr::V6(address) => (
            address.is_unicast_link_local() || address.is_multicast() || address.is_unspecified(),
            address.is_loopback() || address.is_unique_local() || embeds(address.segments()),
        ),
    };
    !never && (private || !inside)
}

/// 100.64.0.0/10, behind a carrier's translation.
fn is_shared([first, second, ..]: [u8; 4]) -> bool {
    first == 100 && second & 0xc0 == 64
}

/// Forms of IPv6 that translators turn into any IPv4 address: 64:ff9b::/32 and 2002::/16.
fn embeds([first, second, ..]: [u16; 8]) -> bool {
    (first, second) == (0x64, 0xff9b) || first == 0x2002
}

/// The largest frame that we take; larger than the default where files arrive.
const FRAME: u32 = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// fault B11
    #[test]
    fn addresses_inside_are_refused_however_they_are_written() {
        let inside = [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "::1",
            "fd00::1",
            "::ffff:10.0.0.1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
        ];
        for address in inside.map(|text| text.parse().unwrap()) {
            assert!(!allowed(address, false), "{address}");
            assert!(allowed(address, true), "{address}");
        }
        let never = [
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "fe80::1",
            "ff02::1",
            "::ffff:169.254.169.254",
        ];
        for address in never.map(|text| text.parse().unwrap()) {
            assert!(!allowed(address, true), "{address}");
        }
        for address in ["192.0.2.1", "2001:db8::1"].map(|text| text.parse().unwrap()) {
            assert!(allowed(address, false), "{address}");
        }
    }
}
