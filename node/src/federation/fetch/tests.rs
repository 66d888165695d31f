//! Reading from an owner that lies.

use std::sync::{Arc, Mutex};

use interdocket_proto::v1::transfer_server::{Transfer, TransferServer};
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use super::*;
use crate::federation::exchange::Exchange;
use crate::tests::bench::Bench;

/// How an owner answers.
#[derive(Debug, Clone, Copy)]
enum Mode {
    Honest,
    Refuses,
    Nothing,
    Wrong,
    Short,
    Endless,
    Backwards,
    Unasked,
    Breaks,
}

#[derive(Clone)]
struct Liar {
    honest: Exchange,
    mode: Arc<Mutex<Mode>>,
}

fn piece(file: u32, data: Vec<u8>) -> v1::ReadReply {
    let piece = v1::Piece {
        file,
        data: data.into(),
        refusal: None,
    };
    v1::ReadReply {
        pieces: vec![piece],
    }
}

#[tonic::async_trait]
impl Transfer for Liar {
    type ReadStream = ReceiverStream<Result<v1::ReadReply, Status>>;

    async fn read(
        &self,
        request: Request<v1::ReadRequest>,
    ) -> Result<Response<Self::ReadStream>, Status> {
        let mode = *self.mode.lock().unwrap();
        if matches!(mode, Mode::Honest) {
            return self.honest.read(request).await;
        }
        let files = request.get_ref().files.len() as u32;
        let (out, stream) = mpsc::channel(1);
        tokio::spawn(async move {
            let mut file = 0;
            loop {
                let reply = match mode {
                    Mode::Refuses => v1::ReadReply {
                        pieces: vec![v1::Piece {
                            file,
                            data: Bytes::new(),
                            refusal: Some(refusal::write(Refusal::Damaged)),
                        }],
                    },
                    Mode::Short => piece(file, vec![0; 3]),
                    Mode::Wrong => piece(file, vec![1; 400 * 1024]),
                    Mode::Endless => piece(0, vec![2; 200 * 1024]),
                    Mode::Backwards => piece(files - 1 - file % files, vec![3; 8]),
                    Mode::Unasked => piece(u32::MAX, vec![4; 8]),
                    Mode::Breaks => {
                        let _ = out.send(Err(Status::unavailable(""))).await;
                        return;
                    }
                    Mode::Nothing | Mode::Honest => return,
                };
                if out.send(Ok(reply)).await.is_err() {
                    return;
                }
                file += 1;
                let endless = matches!(mode, Mode::Endless | Mode::Backwards);
                if file == files && !endless {
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

/// South wants what north shared, and north may lie.
async fn wanting() -> (Bench, Bench, ShareId, Arc<Mutex<Mode>>) {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    let mode = Arc::new(Mutex::new(Mode::Honest));
    let liar = Liar {
        honest: Exchange::new(north.node.clone()),
        mode: Arc::clone(&mode),
    };
    let address = north.serve(Routes::new(TransferServer::new(liar))).await;
    north.trust(&south, None).await;
    south.trust(&north, Some(address)).await;
    north.case("1/26").await;
    for number in 0..3_u8 {
        let name = format!("{number}.bin");
        north.evidence("1/26", &name, &vec![number; 300_000]).await;
    }
    north.evidence("1/26", "empty", b"").await;
    let share = north.copy("1/26", "south").await.unwrap().id;
    while north.deliver(&south, share).await.is_some() {}
    while south.deliver(&north, share).await.is_some() {}
    (north, south, share, mode)
}

/// fault C1, fault C2, fault C3, fault C4
#[tokio::test]
async fn whatever_an_owner_sends_only_what_it_signed_becomes_visible() {
    let (north, south, share, mode) = wanting().await;
    let modes = [
        Mode::Refuses,
        Mode::Nothing,
        Mode::Wrong,
        Mode::Short,
        Mode::Endless,
        Mode::Backwards,
        Mode::Unasked,
        Mode::Breaks,
    ];
    for lie in modes {
        *mode.lock().unwrap() = lie;
        let clean = pass(&south.node, north.id()).await;
        assert!(!matches!(clean, Ok(true)), "{lie:?}");
        // The empty file is whole without any byte.
        assert_eq!(south.wanted(share).len(), 3, "{lie:?}");
    }
    *mode.lock().unwrap() = Mode::Honest;
    assert!(pass(&south.node, north.id()).await.unwrap());
    assert!(south.wanted(share).is_empty());
    assert_eq!(south.tables(), south.rebuilt());
}

/// The owner refuses everything until it has seen the acceptance.
#[tokio::test]
async fn nothing_is_read_before_the_owner_has_seen_the_acceptance() {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    north.trust(&south, None).await;
    south.trust(&north, None).await;
    north.case("1/26").await;
    north.evidence("1/26", "a.bin", b"one").await;
    let share = north.copy("1/26", "south").await.unwrap().id;
    while north.deliver(&south, share).await.is_some() {}
    // There is no way to north: a call would fail.
    assert!(pass(&south.node, north.id()).await.unwrap());
    assert_eq!(south.wanted(share).len(), 1);
}

#[tokio::test]
async fn what_was_begun_for_a_cancelled_share_is_swept() {
    let (north, south, share, mode) = wanting().await;
    let stages = || {
        std::fs::read_dir(south.blobs().join("stage"))
            .unwrap()
            .count()
    };
    *mode.lock().unwrap() = Mode::Short;
    assert!(!pass(&south.node, north.id()).await.unwrap());
    assert!(stages() > 0);
    sweep(&south.node).unwrap();
    assert!(stages() > 0, "what is wanted is kept");
    let cancel = actions::share::Cancel { share };
    north.change(cancel).await.unwrap();
    while north.deliver(&south, share).await.is_some() {}
    sweep(&south.node).unwrap();
    assert_eq!(stages(), 0);
}
