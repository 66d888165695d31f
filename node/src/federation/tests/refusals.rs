//! Who is refused on the federation port, and what strangers cost.

use rcgen::{ExtendedKeyUsagePurpose, SanType};
use rustls::ClientConfig;
use rustls::HandshakeKind;
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

use super::world::noon;
use super::*;
use crate::keys::Leaf;

/// Shakes hands with a node and waits for its first byte: only then has it judged the dialler.
async fn knock(at: &Node, config: ClientConfig) -> std::io::Result<TlsStream<TcpStream>> {
    let mut stream = soon(dial::open(&at.address, config, true))
        .await
        .map_err(std::io::Error::other)?;
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await?;
    stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await?;
    soon(stream.read_u8()).await?;
    Ok(stream)
}

/// How `node` would dial `partner` if it presented this certificate.
fn presenting(node: &Node, partner: &Node, leaf: Arc<CertifiedKey>) -> ClientConfig {
    let (pins, clock) = (node.pins.clone(), node.clock.clone());
    let tls = Tls {
        leaf: Arc::new(Leaf::new(leaf)),
        pins,
        clock,
    };
    tls.client(partner.organisation(), tls::FORWARD).unwrap()
}

async fn partners() -> (Node, Node) {
    let (north, south) = (Node::start("north").await, Node::start("south").await);
    north.trust(&south, true);
    south.trust(&north, true);
    (north, south)
}

/// Certificates of south that count for nothing.
fn forged(south: &Node, north: &Node) -> Vec<(&'static str, Arc<CertifiedKey>)> {
    let uri = |node: &Node| SanType::URI(node.organisation().uri().try_into().unwrap());
    let keys = &south.keys;
    vec![
        (
            "another's name",
            keys.forge(noon(), |p| p.subject_alt_names = vec![uri(north)]),
        ),
        (
            "two names",
            keys.forge(noon(), |p| p.subject_alt_names.push(uri(north))),
        ),
        (
            "its name twice",
            keys.forge(noon(), |p| p.subject_alt_names.push(uri(south))),
        ),
        (
            "no name",
            keys.forge(noon(), |p| p.subject_alt_names.clear()),
        ),
        (
            "expired",
            keys.forge(noon() - chrono::Duration::days(8), |_| ()),
        ),
        (
            "of the future",
            keys.forge(noon() + chrono::Duration::days(8), |_| ()),
        ),
        (
            "no usage",
            keys.forge(noon(), |p| p.extended_key_usages.clear()),
        ),
        (
            "for the API",
            keys.https(&["south.example".into()], noon()).unwrap(),
        ),
        (
            "for logs",
            keys.forge(noon(), |p| {
                let signing = ExtendedKeyUsagePurpose::Other(vec![1, 3, 6, 1, 5, 5, 7, 3, 36]);
                p.extended_key_usages = vec![signing];
            }),
        ),
    ]
}

/// faults B6, B12
#[tokio::test]
async fn a_dialler_whose_certificate_does_not_count_is_refused() {
    let (north, south) = partners().await;
    for (what, leaf) in forged(&south, &north) {
        let knocked = knock(&north, presenting(&south, &north, leaf)).await;
        assert!(knocked.is_err(), "{what}");
    }
    let proper = presenting(&south, &north, south.keys.tls().current());
    knock(&north, proper).await.unwrap();
}

/// faults B6, B12
#[tokio::test]
async fn a_node_whose_certificate_does_not_count_is_not_talked_to() {
    let (north, south) = partners().await;
    let proper = south.keys.tls().current();
    for (what, leaf) in forged(&south, &north) {
        south.keys.tls().replace(leaf);
        let dialled = soon(dial::dial(
            &north.transport,
            south.organisation(),
            tls::FORWARD,
        ))
        .await;
        assert!(matches!(dialled, Err(dial::Error::Handshake(..))), "{what}");
    }
    south.keys.tls().replace(proper);
    soon(dial::dial(
        &north.transport,
        south.organisation(),
        tls::FORWARD,
    ))
    .await
    .unwrap();
}

/// fault B12
#[tokio::test]
async fn another_partner_in_the_place_of_the_one_dialled_is_refused() {
    let (north, south) = partners().await;
    let harbour = Node::start("harbour").await;
    harbour.trust(&south, false);
    south.trust(&harbour, true);
    south.expect(&north, Some(harbour.address.clone()));
    let dialled = soon(dial::dial(
        &south.transport,
        north.organisation(),
        tls::FORWARD,
    ))
    .await;
    let Err(dial::Error::Handshake(_, source)) = dialled else {
        panic!("not refused")
    };
    assert!(
        source.to_string().contains("NotValidForName") || source.to_string().contains("name"),
        "{source}"
    );
}

#[tokio::test]
async fn strangers_are_refused_in_both_roles() {
    let (north, south) = (Node::start("north").await, Node::start("south").await);
    south.trust(&north, true);
    let config = presenting(&south, &north, south.keys.tls().current());
    knock(&north, config).await.unwrap_err();
    north.expect(&south, Some(south.address.clone()));
    south.distrust(&north);
    let dialled = dial::dial(&north.transport, south.organisation(), tls::FORWARD);
    let link = soon(dialled).await;
    let mut byte = [0];
    let heard = async {
        link?
            .read_exact(&mut byte)
            .await
            .map_err(|error| dial::Error::Handshake(south.address.clone(), error))
    };
    assert!(soon(heard).await.is_err());
}

#[tokio::test]
async fn who_presents_no_certificate_is_refused() {
    let (north, south) = partners().await;
    let mut config = presenting(&south, &north, south.keys.tls().current());
    config.client_auth_cert_resolver = Arc::new(Nothing);
    knock(&north, config).await.unwrap_err();
}

#[derive(Debug)]
struct Nothing;

impl rustls::client::ResolvesClientCert for Nothing {
    fn resolve(&self, _: &[&[u8]], _: &[rustls::SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

/// fault B9
#[tokio::test]
async fn a_protocol_that_is_unknown_or_not_named_is_dropped() {
    let (north, south) = partners().await;
    for protocols in [
        vec![],
        vec![b"http/1.1".to_vec()],
        vec![b"interdocket-reverse/0".to_vec()],
    ] {
        let mut config = presenting(&south, &north, south.keys.tls().current());
        config.alpn_protocols = protocols;
        knock(&north, config).await.unwrap_err();
    }
}

/// fault B5
#[tokio::test]
async fn every_handshake_is_a_full_one_even_where_the_dialler_wants_to_resume() {
    let (north, south) = partners().await;
    let mut config = presenting(&south, &north, south.keys.tls().current());
    config.resumption = rustls::client::Resumption::in_memory_sessions(8);
    for _ in 0..3 {
        let stream = knock(&north, config.clone()).await.unwrap();
        assert_eq!(
            stream.get_ref().1.handshake_kind(),
            Some(HandshakeKind::Full)
        );
    }
    north.distrust(&south);
    knock(&north, config).await.unwrap_err();
}

#[tokio::test]
async fn a_renewed_certificate_is_presented_from_the_next_handshake_on() {
    let (north, south) = partners().await;
    let presented = async || {
        let config = presenting(&south, &north, south.keys.tls().current());
        let stream = knock(&north, config).await.unwrap();
        stream.get_ref().1.peer_certificates().unwrap()[0].clone()
    };
    let before = presented().await;
    let due = north.keys.renew(noon()).unwrap().next;
    assert!(north.keys.renew(due).unwrap().tls);
    north.clock.set(due);
    south.clock.set(due);
    assert!(south.keys.renew(due).unwrap().tls);
    assert_ne!(presented().await, before);
}

/// fault B11
#[tokio::test]
async fn a_private_address_is_not_dialled_unless_the_configuration_allows_it() {
    let north = Node::limited("north", Limits::default()).await;
    let south = Node::start("south").await;
    north.trust(&south, true);
    let dialled = soon(dial::dial(
        &north.transport,
        south.organisation(),
        tls::FORWARD,
    ))
    .await;
    assert!(matches!(dialled, Err(dial::Error::Refused(_))));
}

/// fault B13
#[tokio::test]
async fn silent_strangers_hold_a_bounded_number_of_places_for_a_bounded_time() {
    let limits = Limits {
        handshakes: 2,
        handshake: Duration::from_millis(300),
        private: true,
        ..Limits::default()
    };
    let (north, south) = (
        Node::limited("north", limits).await,
        Node::start("south").await,
    );
    north.trust(&south, false);
    south.trust(&north, true);
    let socket = async || {
        TcpStream::connect((north.address.host(), north.address.port()))
            .await
            .unwrap()
    };
    let (mut first, mut second, mut third) = (socket().await, socket().await, socket().await);
    let shed = soon(third.read(&mut [0])).await;
    assert!(matches!(shed, Ok(0) | Err(_)), "the third was not dropped");
    for silent in [&mut first, &mut second] {
        assert!(matches!(soon(silent.read(&mut [0])).await, Ok(0) | Err(_)));
    }
    let config = presenting(&south, &north, south.keys.tls().current());
    knock(&north, config).await.unwrap();
}

#[tokio::test]
async fn a_partner_has_a_bounded_number_of_connections() {
    let (north, south) = partners().await;
    let mut held = Vec::new();
    for _ in 0..8 {
        let config = presenting(&south, &north, south.keys.tls().current());
        held.push(knock(&north, config).await.unwrap());
    }
    let config = presenting(&south, &north, south.keys.tls().current());
    knock(&north, config).await.unwrap_err();
}

/// fault C6
#[tokio::test]
async fn the_port_announces_its_limits() {
    let (north, south) = partners().await;
    let config = presenting(&south, &north, south.keys.tls().current());
    let mut stream = soon(dial::open(&north.address, config, true))
        .await
        .unwrap();
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .unwrap();
    stream
        .write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0])
        .await
        .unwrap();
    let mut head = [0; 9];
    soon(stream.read_exact(&mut head)).await.unwrap();
    assert_eq!(head[3], 4, "not a SETTINGS frame");
    let mut body = vec![0; usize::from(head[2])];
    soon(stream.read_exact(&mut body)).await.unwrap();
    let settings: Vec<(u16, u32)> = body
        .chunks_exact(6)
        .map(|pair| {
            let value = u32::from_be_bytes(pair[2..].try_into().unwrap());
            (u16::from_be_bytes([pair[0], pair[1]]), value)
        })
        .collect();
    for expected in [(3, 64), (4, 2 << 20), (6, 16 << 10)] {
        assert!(
            settings.contains(&expected),
            "{expected:?} is not in {settings:?}"
        );
    }
}
