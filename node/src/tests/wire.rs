//! A partner that lies over real connections: mutual TLS on loopback, and calls that no honest node
//! makes.

use interdocket_proto::v1;
use interdocket_proto::v1::deliver_reply::Outcome;
use interdocket_proto::v1::delivery_client::DeliveryClient;
use interdocket_proto::v1::transfer_client::TransferClient;
use interdocket_sync::blob::Digest;
use interdocket_sync::id::ShareId;
use interdocket_sync::identity::Signer;
use interdocket_sync::limits;
use interdocket_sync::refusal::Refusal;
use interdocket_sync::wire::{batch, refusal};
use prost::Message as _;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tower::Service;
use uuid::Uuid;

use crate::actions::share;
use crate::event::{Event, subject};
use crate::federation::serve::routes;
use crate::tests::bench::{Bench, settle};

/// North serves; south and harbour can dial it.
async fn three() -> (Bench, Bench, Bench) {
    let nodes = (
        Bench::new("north"),
        Bench::new("south"),
        Bench::new("harbour"),
    );
    let (north, south, harbour) = &nodes;
    let address = north.serve(routes(&north.node)).await;
    for partner in [south, harbour] {
        north.trust(partner, None).await;
        partner.trust(north, Some(address.clone())).await;
    }
    nodes
}

async fn shared(north: &Bench, with: &Bench, number: &str, bytes: &[u8]) -> (ShareId, Digest) {
    north.case(number).await;
    let added = north.evidence(number, "a.bin", bytes).await;
    let name = if with.id() == north.id() {
        "north"
    } else {
        with.name
    };
    let share = north.copy(number, name).await.unwrap().id;
    while north.deliver(with, share).await.is_some() {}
    while with.deliver(north, share).await.is_some() {}
    (share, added.files[0].blake3)
}

fn request(share: ShareId, files: &[(&[u8], u64)]) -> v1::ReadRequest {
    let range = |(digest, from): &(&[u8], u64)| v1::FileRange {
        digest: digest.to_vec().into(),
        from: *from,
        doubted: false,
    };
    v1::ReadRequest {
        share: share.as_bytes().to_vec().into(),
        files: files.iter().map(range).collect(),
    }
}

/// All that a caller sees of a read: the messages, or the status with its details.
async fn read(by: &Bench, at: &Bench, request: v1::ReadRequest) -> Result<Vec<u8>, Status> {
    let channel = by.node.parts().transport.channel(at.id());
    let mut client = TransferClient::new(channel).max_decoding_message_size(2 << 20);
    let mut replies = client.read(request).await?.into_inner();
    let mut seen = Vec::new();
    while let Some(reply) = replies.message().await? {
        seen.extend(reply.encode_length_delimited_to_vec());
    }
    Ok(seen)
}

fn status(status: &Status) -> (Code, String, Vec<u8>) {
    let (message, details) = (status.message().to_owned(), status.details().to_vec());
    (status.code(), message, details)
}

fn refused(seen: &[u8]) -> Vec<Option<Refusal>> {
    let reply = v1::ReadReply::decode_length_delimited(seen).unwrap();
    let pieces = reply.pieces.into_iter();
    pieces
        .map(|piece| piece.refusal.and_then(refusal::read))
        .collect()
}

/// fault A1, fault A2, fault A6
#[tokio::test]
async fn what_is_not_shared_looks_like_what_does_not_exist() {
    let (north, south, harbour) = three().await;
    let (share, digest) = shared(&north, &south, "1/26", b"one").await;
    let (other, hers) = shared(&north, &harbour, "2/26", b"two").await;
    north.case("3/26").await;
    let private = north.evidence("3/26", "c.bin", b"three").await.files[0].blake3;
    let (cancelled, gone) = shared(&north, &south, "4/26", b"four").await;
    north
        .change(share::Cancel { share: cancelled })
        .await
        .unwrap();

    let unknown = read(&south, &north, request(share, &[(&[0xee; 32], 0)]))
        .await
        .unwrap();
    assert_eq!(refused(&unknown), [Some(Refusal::NotShared)]);
    for digest in [hers, private, gone] {
        for from in [0, 1, u64::MAX] {
            let seen = read(&south, &north, request(share, &[(&digest.0, from)])).await;
            assert_eq!(seen.unwrap(), unknown);
        }
    }
    let nowhere = ShareId::new(Uuid::from_u128(1));
    let unknown = read(&south, &north, request(nowhere, &[(&digest.0, 0)]))
        .await
        .unwrap_err();
    for share in [other, cancelled] {
        for digest in [digest, hers, gone] {
            let seen = read(&south, &north, request(share, &[(&digest.0, 0)])).await;
            assert_eq!(status(&seen.unwrap_err()), status(&unknown));
        }
    }
    let served = read(&south, &north, request(share, &[(&digest.0, 0)]))
        .await
        .unwrap();
    assert_eq!(refused(&served), [None]);
}

#[tokio::test]
async fn a_partner_sees_health_and_which_services_there_are() {
    let (north, south, _) = three().await;
    let channel = south.node.parts().transport.channel(north.id());
    let check = HealthCheckRequest {
        service: "interdocket.v1.Delivery".into(),
    };
    let health = HealthClient::new(channel.clone()).check(check).await;
    let serving = ServingStatus::Serving as i32;
    assert_eq!(health.unwrap().into_inner().status, serving);
    let list = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut answers = ServerReflectionClient::new(channel)
        .server_reflection_info(tokio_stream::once(list))
        .await
        .unwrap()
        .into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response;
    let Some(MessageResponse::ListServicesResponse(listed)) = answer else {
        panic!("no list of services");
    };
    let names: Vec<_> = listed.service.into_iter().map(|one| one.name).collect();
    for name in ["interdocket.v1.Delivery", "interdocket.v1.Transfer"] {
        assert!(names.iter().any(|found| found == name), "{names:?}");
    }
}

/// fault E5
#[tokio::test]
async fn an_owner_that_is_doubted_reads_its_own_copy_before_it_sends_any() {
    let (north, south, _) = three().await;
    let (share, digest) = shared(&north, &south, "1/26", &vec![5; 400_000]).await;
    let name = digest.to_string();
    let blob = north.blobs().join("own").join(&name[..2]).join(&name);
    let mut bytes = std::fs::read(&blob).unwrap();
    bytes[200_000] ^= 1;
    std::fs::write(&blob, bytes).unwrap();
    let mut request = request(share, &[(&digest.0, 0)]);
    let sent = read(&south, &north, request.clone()).await.unwrap();
    assert!(sent.len() > 400_000, "what is not doubted is sent at once");
    request.files[0].doubted = true;
    let seen = read(&south, &north, request).await.unwrap();
    assert_eq!(refused(&seen), [Some(Refusal::Damaged)]);
}

/// fault C2, fault C3
#[tokio::test]
async fn ranges_out_of_bounds_and_too_many_files_are_refused() {
    let (north, south, _) = three().await;
    let (share, digest) = shared(&north, &south, "1/26", &[5; 100_000]).await;
    let asked: [(&[u8], u64); 5] = [
        (&digest.0, 1),
        (&digest.0, 16 * 1024 + 1),
        (&digest.0, 112 * 1024),
        (&digest.0, u64::MAX),
        (&digest.0[..31], 0),
    ];
    let seen = read(&south, &north, request(share, &asked)).await.unwrap();
    assert_eq!(refused(&seen), [Some(Refusal::Malformed); 5]);
    let many = vec![(&digest.0[..], 0); limits::READ_FILES_MAX + 1];
    let refused = read(&south, &north, request(share, &many))
        .await
        .unwrap_err();
    let details = v1::Refusal::decode(refused.details()).unwrap();
    assert_eq!(refusal::read(details), Some(Refusal::Limit));
    let mut short = request(share, &[(&digest.0, 0)]);
    short.share = short.share.slice(..15);
    assert!(read(&south, &north, short).await.is_err());
}

/// fault C4, fault C8
#[tokio::test]
async fn who_does_not_read_what_it_asked_for_delays_nobody_else() {
    let (north, south, harbour) = three().await;
    let large = vec![3; 8 << 20];
    let (share, digest) = shared(&north, &south, "1/26", &large).await;
    let (other, hers) = shared(&north, &harbour, "2/26", b"two").await;
    let mut client = TransferClient::new(south.node.parts().transport.channel(north.id()));
    let mut unread = Vec::new();
    for _ in 0..limits::READS_MAX {
        unread.push(
            client
                .read(request(share, &[(&digest.0, 0)]))
                .await
                .unwrap(),
        );
    }
    let more = tokio::spawn(async move { client.read(request(share, &[(&digest.0, 0)])).await });
    let seen = read(&harbour, &north, request(other, &[(&hers.0, 0)]))
        .await
        .unwrap();
    assert_eq!(refused(&seen), [None]);
    assert!(!more.is_finished(), "one more than the limit waits");
    drop(unread);
    more.await.unwrap().unwrap();
}

async fn deliver(by: &Bench, at: &Bench, batch: v1::Batch) -> Result<Option<Refusal>, Status> {
    let channel = by.node.parts().transport.channel(at.id());
    let mut client = DeliveryClient::new(channel).max_encoding_message_size(16 << 20);
    let request = v1::DeliverRequest {
        batch: Some(batch),
        lease: None,
    };
    let reply = client.deliver(request).await?.into_inner();
    Ok(match reply.outcome.unwrap() {
        Outcome::Receipt(_) => None,
        Outcome::Refusal(message) => refusal::read(message),
    })
}

/// The key for the federation port, used for signing.
struct Leaf {
    key: std::sync::Arc<rustls::sign::CertifiedKey>,
    chain: Vec<Vec<u8>>,
}

impl Signer for Leaf {
    fn sign(&self, message: &[u8]) -> [u8; 64] {
        let schemes = [rustls::SignatureScheme::ED25519];
        let signer = self.key.key.choose_scheme(&schemes).unwrap();
        signer.sign(message).unwrap().try_into().unwrap()
    }

    fn certificates(&self) -> &[Vec<u8>] {
        &self.chain
    }
}

/// fault A6, fault A13, fault C9, fault B12
#[tokio::test]
async fn logs_that_somebody_else_wrote_or_nobody_signed_are_refused() {
    let (north, south, harbour) = three().await;
    south.case("1/26").await;
    south.evidence("1/26", "a.bin", b"one").await;
    let share = south.copy("1/26", "north").await.unwrap().id;
    let honest = south.batch(share, None).unwrap();
    let wire = batch::write(&honest).unwrap();

    let stolen = deliver(&harbour, &north, wire.clone()).await.unwrap();
    assert_eq!(stolen, Some(Refusal::NotShared));

    let key = south.node.parts().keys.tls().current();
    let mut chain: Vec<Vec<u8>> = key.cert.iter().map(|der| der.to_vec()).collect();
    chain.push(south.node.parts().keys.root_der().to_vec());
    let mut leaf = honest.clone();
    leaf.head = honest.head.head.clone().sign(&Leaf { key, chain });
    let refused = deliver(&south, &north, batch::write(&leaf).unwrap())
        .await
        .unwrap();
    assert_eq!(refused, Some(Refusal::Signature));

    let mut other = honest.clone();
    other.head = honest
        .head
        .head
        .clone()
        .sign(&harbour.node.parts().keys.signer());
    let refused = deliver(&south, &north, batch::write(&other).unwrap())
        .await
        .unwrap();
    assert_eq!(refused, Some(Refusal::Signature));

    let mut long = wire.clone();
    long.entries = vec![wire.entries[0].clone(); limits::BATCH_ENTRIES_MAX + 1];
    let refused = deliver(&south, &north, long).await.unwrap();
    assert_eq!(refused, Some(Refusal::Malformed));

    let mut huge = wire.clone();
    huge.entries[0].body = vec![0; 8 << 20].into();
    assert_eq!(
        deliver(&south, &north, huge).await.unwrap_err().code(),
        Code::OutOfRange
    );
    assert!(!north.holds(share));

    for _ in 0..3 {
        assert_eq!(deliver(&south, &north, wire.clone()).await.unwrap(), None);
    }
    assert!(north.holds(share));
    settle(&south, &north, share).await;
    north.rebuilds().await;
}

/// fault A11
/// fault C7: what is small and says that it is compressed is not unpacked, whatever it would become.
#[tokio::test]
async fn a_compressed_message_is_refused_unread() {
    let (north, south, _) = three().await;
    let mut channel = south.node.parts().transport.channel(north.id());
    // A gRPC frame: compressed, 20 bytes, and the beginning of what gzip calls a member.
    let frame = [&[1, 0, 0, 0, 20, 0x1f, 0x8b, 8, 0][..], &[0; 16]].concat();
    for encoding in ["gzip", "deflate", "zstd", "identity"] {
        let request = http::Request::post("https://north/interdocket.v1.Delivery/Connect")
            .header("content-type", "application/grpc")
            .header("grpc-encoding", encoding)
            .body(tonic::body::Body::new(http_body_util::Full::new(
                bytes::Bytes::from(frame.clone()),
            )))
            .unwrap();
        std::future::poll_fn(|context| Service::poll_ready(&mut channel, context))
            .await
            .unwrap();
        let reply = channel.call(request).await.unwrap();
        let status = Status::from_header_map(reply.headers()).unwrap();
        let refused = [Code::Unimplemented, Code::Internal];
        assert!(refused.contains(&status.code()), "{encoding}: {status}");
    }
    let (share, _) = shared(&north, &south, "1/26", b"one").await;
    assert!(south.holds(share), "what is not compressed is read");
}

#[tokio::test]
async fn a_suspended_partner_is_told_nothing() {
    let (north, south, _) = three().await;
    let (share, digest) = shared(&north, &south, "1/26", b"one").await;
    let suspend = crate::actions::partner::Suspend {
        partner: "south".into(),
    };
    north.change(suspend).await.unwrap();
    let refused = read(&south, &north, request(share, &[(&digest.0, 0)])).await;
    assert!(refused.unwrap_err().details().is_empty());
}

/// Reads the first message of a large file, has north decide something, and counts what still comes.
async fn after<A: crate::actions::Change>(
    north: &Bench,
    south: &Bench,
    action: impl FnOnce(ShareId) -> A,
) -> (usize, Status) {
    let (share, digest) = shared(north, south, "1/26", &vec![3; SIZE]).await;
    let mut client = TransferClient::new(south.node.parts().transport.channel(north.id()));
    let asked = client.read(request(share, &[(&digest.0, 0)])).await;
    let mut replies = asked.unwrap().into_inner();
    replies.message().await.unwrap().unwrap();
    north.change(action(share)).await.unwrap();
    let mut bytes = 0;
    loop {
        match replies.message().await {
            Ok(Some(reply)) => {
                bytes += reply
                    .pieces
                    .iter()
                    .map(|piece| piece.data.len())
                    .sum::<usize>();
            }
            Ok(None) => panic!("the file was completed"),
            Err(status) => return (bytes, status),
        }
    }
}

/// More than all windows and buffers between two nodes hold.
const SIZE: usize = 64 << 20;

/// fault A3
#[tokio::test]
async fn a_cancellation_stops_a_stream_that_is_under_way() {
    let (north, south, _) = three().await;
    let (bytes, ended) = after(&north, &south, |share| share::Cancel { share }).await;
    let details = v1::Refusal::decode(ended.details()).unwrap();
    assert_eq!(refusal::read(details), Some(Refusal::NotShared));
    assert!(bytes < SIZE / 2, "{bytes}");
    assert!(has_refused(&north, &south), "it is on record");
}

/// Whether it is on record that a read was refused to a partner.
fn has_refused(node: &Bench, partner: &Bench) -> bool {
    let about = node.about(subject(partner.id()));
    let read = |event: &Event| matches!(event, Event::Refused(refused) if refused.action == "read");
    about.iter().any(read)
}

/// fault A1
#[tokio::test]
async fn a_guessed_digest_is_on_record() {
    let (north, south, _) = three().await;
    let (share, _) = shared(&north, &south, "1/26", b"one").await;
    assert!(!has_refused(&north, &south));
    let guessed = read(&south, &north, request(share, &[(&[0xee; 32], 0)])).await;
    assert_eq!(refused(&guessed.unwrap()), [Some(Refusal::NotShared)]);
    assert!(has_refused(&north, &south));
}

/// fault B8: whoever has a partner's key is cut off by hand; what came under it is found under the partner's name.
#[tokio::test]
async fn what_a_partner_s_key_did_is_on_record_under_its_name() {
    let (north, south, harbour) = three().await;
    let (share, digest) = shared(&north, &south, "1/26", b"one").await;
    shared(&north, &harbour, "2/26", b"two").await;
    let unknown = ShareId::new(Uuid::from_u128(1));
    let guessed = read(&south, &north, request(unknown, &[(&digest.0, 0)])).await;
    guessed.unwrap_err();
    let suspend = crate::actions::partner::Suspend {
        partner: "south".into(),
    };
    north.change(suspend).await.unwrap();
    let cut = read(&south, &north, request(share, &[(&digest.0, 0)])).await;
    cut.unwrap_err();
    let about = north.about(subject(south.id()));
    let count = |is: fn(&Event) -> bool| about.iter().filter(|event| is(event)).count();
    assert_eq!(count(|event| matches!(event, Event::ShareMade(_))), 1);
    assert_eq!(
        count(|event| matches!(event, Event::PartnerSuspended(_))),
        1
    );
    assert!(count(|event| matches!(event, Event::LogReceived(_))) > 0);
    assert!(count(|event| matches!(event, Event::HeadCountersigned(_))) > 0);
    assert!(count(|event| matches!(event, Event::Refused(_))) > 0);
}

/// fault A3, fault B6
#[tokio::test]
async fn a_suspension_cuts_a_stream_that_is_under_way() {
    let (north, south, _) = three().await;
    let suspend = |_| crate::actions::partner::Suspend {
        partner: "south".into(),
    };
    let (bytes, ended) = after(&north, &south, suspend).await;
    assert!(ended.details().is_empty() || bytes < SIZE / 2);
}
