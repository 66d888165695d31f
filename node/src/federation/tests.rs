//! What two nodes on loopback sockets show: calls both ways, cuts, refusals and limits.

mod refusals;
mod silent;
pub(super) mod world;

use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use self::world::{Node, soon};
use super::*;

async fn check(from: &Node, to: &Node) -> Result<(), tonic::Status> {
    let channel = from.transport.channel(to.organisation());
    let call = HealthClient::new(channel)
        .check(HealthCheckRequest::default())
        .await;
    call.map(|_| ())
}

/// Two partners of which only north can be dialled.
async fn pair() -> (Node, Node) {
    let (north, south) = (Node::start("north").await, Node::start("south").await);
    north.trust(&south, false);
    south.trust(&north, true);
    (north, south)
}

#[tokio::test]
async fn both_sides_call_where_only_one_can_dial() {
    let (north, south) = pair().await;
    south.keep(&north);
    soon(check(&south, &north)).await.unwrap();
    soon(check(&north, &south)).await.unwrap();
    assert_eq!(north.callers(), [south.organisation()]);
    assert_eq!(south.callers(), [north.organisation()]);
}

#[tokio::test]
async fn a_call_waits_for_the_partner_to_dial() {
    let (north, south) = pair().await;
    let (called, ()) =
        soon(async { tokio::join!(check(&north, &south), async { south.keep(&north) }) }).await;
    called.unwrap();
}

#[tokio::test]
async fn without_a_connection_a_call_is_unavailable() {
    let (north, south) = pair().await;
    let error = soon(check(&north, &south)).await.unwrap_err();
    assert_eq!(error.code(), Code::Unavailable, "{error}");
}

#[tokio::test]
async fn a_cut_ends_running_streams_and_the_next_call_goes_through() {
    let (north, south) = pair().await;
    south.keep(&north);
    let mut contacts = north.transport.registry().watch();
    let channel = north.transport.channel(south.organisation());
    let mut client = HealthClient::new(channel);
    let stream = soon(client.watch(HealthCheckRequest::default()))
        .await
        .unwrap();
    let mut stream = stream.into_inner();
    soon(stream.message()).await.unwrap();
    assert_eq!(
        soon(contacts.recv()).await,
        Ok(Contact::Connected(south.organisation()))
    );
    north.transport.cut(south.organisation());
    soon(stream.message()).await.unwrap_err();
    assert_eq!(
        soon(contacts.recv()).await,
        Ok(Contact::Disconnected(south.organisation()))
    );
    soon(client.check(HealthCheckRequest::default()))
        .await
        .unwrap();
}

/// fault B6
#[tokio::test]
async fn a_cut_ends_streams_in_both_directions_at_once() {
    let (north, south) = pair().await;
    south.keep(&north);
    let mut streams = Vec::new();
    for (from, to) in [(&north, &south), (&south, &north)] {
        let mut client = HealthClient::new(from.transport.channel(to.organisation()));
        let stream = soon(client.watch(HealthCheckRequest::default()))
            .await
            .unwrap();
        let mut stream = stream.into_inner();
        soon(stream.message()).await.unwrap();
        streams.push(stream);
    }
    north.distrust(&south);
    north.transport.cut(south.organisation());
    for stream in &mut streams {
        let ended = tokio::time::timeout(Duration::from_secs(1), stream.message()).await;
        ended.expect("later than a second").unwrap_err();
    }
}

/// fault B6
#[tokio::test]
async fn a_partner_whose_trust_was_taken_away_does_not_come_back() {
    let (north, south) = pair().await;
    south.keep(&north);
    soon(check(&north, &south)).await.unwrap();
    soon(check(&south, &north)).await.unwrap();
    let mut contacts = north.transport.registry().watch();
    north.distrust(&south);
    north.transport.cut(south.organisation());
    assert_eq!(
        soon(contacts.recv()).await,
        Ok(Contact::Disconnected(south.organisation()))
    );
    for _ in 0..3 {
        soon(check(&south, &north)).await.unwrap_err();
        soon(check(&north, &south)).await.unwrap_err();
    }
    assert!(north.transport.registry().contacts().is_empty());
}

/// fault B6
#[tokio::test]
async fn a_connection_ends_with_the_certificate_it_began_with() {
    let (north, south) = pair().await;
    let end = south.keys.expiries().tls;
    north.clock.set(end - chrono::Duration::seconds(1));
    let mut contacts = north.transport.registry().watch();
    soon(check(&south, &north)).await.unwrap();
    assert_eq!(
        soon(contacts.recv()).await,
        Ok(Contact::Connected(south.organisation()))
    );
    north.clock.set(end);
    assert_eq!(
        soon(contacts.recv()).await,
        Ok(Contact::Disconnected(south.organisation()))
    );
}

#[tokio::test]
async fn a_suspended_partner_is_refused_on_a_connection_that_is_up() {
    let (north, south) = pair().await;
    soon(check(&south, &north)).await.unwrap();
    let channel = south.transport.channel(north.organisation());
    let mut client = HealthClient::new(channel);
    soon(client.check(HealthCheckRequest::default()))
        .await
        .unwrap();
    north.distrust(&south);
    let error = soon(client.check(HealthCheckRequest::default()))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn a_connection_that_was_replaced_is_closed() {
    let (north, south) = pair().await;
    let first = dial::dial(&south.transport, north.organisation(), tls::REVERSE);
    let first = soon(first).await.unwrap();
    let ended = first.kill();
    let routes = south.routes();
    let serving = tokio::spawn({
        let transport = south.transport.clone();
        async move { server::run(&transport, first, routes, CancellationToken::new()).await }
    });
    soon(check(&north, &south)).await.unwrap();
    south.keep(&north);
    soon(serving).await.unwrap();
    assert!(ended.is_cancelled());
    soon(check(&north, &south)).await.unwrap();
}

#[tokio::test]
async fn serving_stops_once_running_calls_have_ended() {
    let (north, south) = pair().await;
    soon(check(&south, &north)).await.unwrap();
    let channel = south.transport.channel(north.organisation());
    let mut client = HealthClient::new(channel);
    soon(client.check(HealthCheckRequest::default()))
        .await
        .unwrap();
    soon(north.stop()).await;
    soon(client.check(HealthCheckRequest::default()))
        .await
        .unwrap_err();
}

#[tokio::test]
async fn contact_is_seen_on_both_sides_before_anybody_calls() {
    let (north, south) = pair().await;
    let mut at_north = north.transport.registry().watch();
    let mut at_south = south.transport.registry().watch();
    south.keep(&north);
    assert_eq!(
        soon(at_north.recv()).await,
        Ok(Contact::Connected(south.organisation()))
    );
    assert_eq!(
        soon(at_south.recv()).await,
        Ok(Contact::Connected(north.organisation()))
    );
    assert!(south.callers().is_empty());
}

#[tokio::test]
async fn both_may_dial_each_other_and_calls_go_through() {
    let (north, south) = pair().await;
    north.trust(&south, true);
    soon(check(&north, &south)).await.unwrap();
    let mut contacts = north.transport.registry().watch();
    south.keep(&north);
    north.keep(&south);
    soon(contacts.recv()).await.unwrap();
    for _ in 0..10 {
        // A call may meet the moment in which one connection replaces the other.
        if soon(check(&north, &south)).await.is_ok() && soon(check(&south, &north)).await.is_ok() {
            break;
        }
    }
    soon(check(&north, &south)).await.unwrap();
    soon(check(&south, &north)).await.unwrap();
}

#[tokio::test]
async fn a_partner_that_never_speaks_is_dropped() {
    let (north, south) = pair().await;
    let link = soon(dial::dial(
        &south.transport,
        north.organisation(),
        tls::FORWARD,
    ));
    let mut link = link.await.unwrap();
    let ended = async {
        let mut bytes = [0; 1024];
        while link.read(&mut bytes).await.is_ok_and(|count| count > 0) {}
    };
    soon(ended).await;
}

#[test]
fn the_pause_between_attempts_grows_to_its_limit() {
    let longest = Duration::from_secs(15);
    for failures in 0..100 {
        let pause = reverse::pause(failures, longest);
        assert!(pause <= longest);
        assert!(failures < 6 || pause >= longest / 2);
    }
}
