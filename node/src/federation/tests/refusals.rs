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
use crate::federation::net::Stream;
use crate::keys::Leaf;

/// How HTTP/2 begins: the preface and empty settings.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";

/// Shakes hands with a node and waits for its first byte: only then has it judged the dialler.
async fn knock(at: &Node, config: ClientConfig) -> std::io::Result<TlsStream<Stream>> {
    let mut stream = soon(dial::open(&at.address, config, true))
        .await
        .map_err(std::io::Error::other)?;
    stream.write_all(PREFACE).await?;
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

/// fault B6, fault B12
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

/// fault B6, fault B12
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

/// fault B9
#[tokio::test]
async fn tls_1_2_is_answered_with_an_alert() {
    let north = Node::start("north").await;
    let mut hello = vec![0x03, 0x03];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0xc0, 0x2b, 1, 0]);
    // It signs with P-256, and speaks 1.2 only.
    hello.extend([0, 15, 0, 13, 0, 4, 0, 2, 4, 3, 0, 43, 0, 3, 2, 3, 3]);
    let length = u8::try_from(hello.len()).unwrap();
    let mut record = vec![0x16, 0x03, 0x01, 0, length + 4, 0x01, 0, 0, length];
    record.extend(hello);
    let address = (north.address.host(), north.address.port());
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(&record).await.unwrap();
    let mut answer = [0; 7];
    soon(socket.read_exact(&mut answer)).await.unwrap();
    // A fatal alert: protocol_version.
    assert_eq!((answer[0], &answer[5..]), (0x15, &[2, 70][..]));
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

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// Reads until the other side says that it goes away, and why, or is gone.
async fn goodbye(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> Option<u8> {
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut body = vec![0; usize::try_from(length).unwrap()];
        stream.read_exact(&mut body).await.ok()?;
        if head[3] == 7 {
            return body.get(7).copied();
        }
    }
}

/// Sends frames until the node has had enough.
async fn flood(north: &Node, south: &Node, frames: impl Fn(u32) -> Vec<u8>) {
    let config = presenting(south, north, south.keys.tls().current());
    let stream = soon(dial::open(&north.address, config, true))
        .await
        .unwrap();
    let (mut read, mut write) = tokio::io::split(stream);
    let sending = async {
        write.write_all(PREFACE).await?;
        for n in 0..20_000 {
            write.write_all(&frames(n)).await?;
        }
        std::io::Result::Ok(())
    };
    let (sent, reason) = soon(async { tokio::join!(sending, goodbye(&mut read)) }).await;
    assert!(sent.is_err() || reason == Some(11), "{reason:?}");
}

/// fault C6
#[tokio::test]
async fn a_flood_of_frames_ends_its_connection_and_nothing_else() {
    let (north, south) = partners().await;
    let headers = [0x83, 0x86, 0x84];
    let opened_and_reset = |n: u32| {
        let stream = 2 * n + 1;
        [
            frame(1, 5, stream, &headers),
            frame(3, 0, stream, &[0, 0, 0, 8]),
        ]
        .concat()
    };
    flood(&north, &south, opened_and_reset).await;
    // A literal header of 126 bytes, again and again, in one list that never ends.
    let header = [&[0x00, 1, b'x', 126][..], &[b'y'; 126]].concat();
    let endless = |n: u32| match n {
        0 => frame(1, 1, 1, &headers),
        _ => frame(9, 0, 1, &header.repeat(100)),
    };
    flood(&north, &south, endless).await;
    soon(check(&south, &north)).await.unwrap();
}

/// fault B6
#[tokio::test]
async fn a_suspended_partner_whose_root_is_still_pinned_is_dropped_after_the_handshake() {
    let (north, south) = partners().await;
    north.suspend(&south);
    let config = presenting(&south, &north, south.keys.tls().current());
    knock(&north, config).await.unwrap_err();
    let dialled = soon(dial::dial(
        &north.transport,
        south.organisation(),
        tls::FORWARD,
    ))
    .await;
    assert!(matches!(dialled, Err(dial::Error::Untrusted)));
}
