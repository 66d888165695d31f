//! Connections that die without a word, as behind a laptop's lid or a router that forgot them.

use interdocket_sync::pairing::Address;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::*;
use crate::federation::Limits;

/// Something between two nodes that forwards bytes, until it forgets the connections that it has; it tells
/// nobody.
struct Router {
    address: Address,
    forgotten: watch::Sender<u64>,
}

impl Router {
    async fn to(node: &Node) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string().parse().unwrap();
        let there = node.address.to_string();
        let (forgotten, forgets) = watch::channel(0);
        tokio::spawn(async move {
            while let Ok((here, _)) = listener.accept().await {
                let there = TcpStream::connect(&there).await.unwrap();
                tokio::spawn(forward(here, there, forgets.clone()));
            }
        });
        Self { address, forgotten }
    }

    fn forget(&self) {
        self.forgotten.send_modify(|times| *times += 1);
    }
}

async fn forward(mut here: TcpStream, mut there: TcpStream, mut forgets: watch::Receiver<u64>) {
    forgets.mark_unchanged();
    let copying = tokio::io::copy_bidirectional(&mut here, &mut there);
    tokio::select! {
        _ = copying => {}
        changed = forgets.changed() => if changed.is_ok() {
            // Both ends stay open, and nothing goes through any more.
            std::future::pending::<()>().await;
        }
    }
}

/// fault E13: both sides notice, end what was under way, and find each other again.
#[tokio::test]
async fn a_connection_that_died_without_a_word_ends_at_both_sides() {
    let limits = Limits {
        private: true,
        connect: Duration::from_millis(500),
        keepalive: Duration::from_millis(200),
        pause: Duration::from_millis(200),
        ..Limits::default()
    };
    let north = Node::limited("north", limits).await;
    let south = Node::limited("south", limits).await;
    let router = Router::to(&north).await;
    north.trust(&south, false);
    south.expect(&north, Some(router.address.clone()));
    south.keep(&north);
    let mut streams = Vec::new();
    for (from, to) in [(&north, &south), (&south, &north)] {
        let mut client = HealthClient::new(from.transport.channel(to.organisation()));
        let stream = soon(client.watch(HealthCheckRequest::default())).await;
        let mut stream = stream.unwrap().into_inner();
        soon(stream.message()).await.unwrap();
        streams.push(stream);
    }
    router.forget();
    for stream in &mut streams {
        soon(stream.message()).await.unwrap_err();
    }
    soon(async { while check(&north, &south).await.is_err() {} }).await;
    soon(check(&south, &north)).await.unwrap();
}
