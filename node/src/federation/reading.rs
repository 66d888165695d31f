//! Reading at the owner of a share, live: a session of one recipient, whose bytes are verified while they
//! arrive and are on no disk here.
//!
//! Invariant: a session is closed at its owner when its reader is done with it, however that ends.

use std::io;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use interdocket_proto::v1;
use interdocket_proto::v1::connection_client::ConnectionClient;
use interdocket_sync::blob::Digest;
use interdocket_sync::id::EvidenceId;
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::limits;
use interdocket_sync::refusal::Refusal;
use interdocket_sync::wire::refusal;
use interdocket_sync::wire::session::{self as wire, Open, Page};
use prost::Message as _;
use tokio::sync::mpsc;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

use crate::actions::{Error, ErrorKind};
use crate::blobs::{self, Decoder, Ranges};
use crate::metrics::{Direction, Way};
use crate::node::Node;

/// A session at the owner of a share.
pub struct Session {
    node: Node,
    owner: OrganisationId,
    id: Bytes,
    open: bool,
}

/// Part of a file that is wanted.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The evidence, by its id at the owner.
    pub evidence: EvidenceId,
    /// Which of its files.
    pub place: u32,
    /// What its bytes must have.
    pub digest: Digest,
    /// Bytes of the whole file.
    pub size: u64,
    /// Which of them; not empty, unless the file is.
    pub range: Range<u64>,
}

/// A part of a file that arrives.
pub struct Arriving<Replies = Streaming<v1::ViewReply>> {
    replies: Replies,
    decoder: Decoder,
    range: Range<u64>,
    /// Bytes that are still to come.
    left: u64,
}

impl Session {
    /// Opens a session.
    ///
    /// # Errors
    /// [`Error`] where the owner refuses it, or there is no contact.
    pub async fn open(node: &Node, owner: OrganisationId, open: &Open) -> Result<Self, Error> {
        let opened = answer(client(node, owner).open(wire::open(open))).await;
        let opened = opened.map_err(|status| refused(&status))?.into_inner();
        node.heard(owner);
        Ok(Self {
            node: node.clone(),
            owner,
            id: opened.session,
            open: true,
        })
    }

    /// The case and at most so many of its items, behind `after`.
    ///
    /// # Errors
    /// [`Error`] where the owner refuses it, or there is no contact.
    pub async fn list(&self, after: Option<EvidenceId>, most: usize) -> Result<Page, Error> {
        let request = v1::ListRequest {
            session: self.id.clone(),
            after: after.map_or_else(Bytes::new, |id| Bytes::copy_from_slice(id.as_bytes())),
            most: u32::try_from(most).unwrap_or(u32::MAX),
        };
        let listed = answer(client(&self.node, self.owner).list(request)).await;
        let listed = listed.map_err(|status| refused(&status))?.into_inner();
        wire::read_page(listed, after).map_err(|_| strange())
    }

    /// Begins to read part of a file.
    ///
    /// # Errors
    /// [`Error`] where the owner refuses it, or there is no contact.
    pub async fn view(&self, wanted: &Wanted) -> Result<Arriving, Error> {
        let (size, range) = (wanted.size, wanted.range.clone());
        let whole = range == (0..size);
        let ranges = match whole {
            true => Ok(Ranges::all(size)),
            false => Ranges::new(size, std::iter::once(range.clone())),
        };
        let decoder = ranges.and_then(|ranges| Decoder::new(wanted.digest, ranges));
        let decoder = decoder.map_err(|_| {
            let message = format!("there is no such part of a file of {size} bytes");
            Error::new(ErrorKind::Invalid, message)
        })?;
        let request = v1::ViewRequest {
            session: self.id.clone(),
            evidence: Bytes::copy_from_slice(wanted.evidence.as_bytes()),
            file: wanted.place,
            from: range.start,
            to: if whole { 0 } else { range.end },
        };
        let replies = answer(client(&self.node, self.owner).view(request)).await;
        Ok(Arriving {
            replies: replies.map_err(|status| refused(&status))?.into_inner(),
            decoder,
            left: range.end - range.start,
            range,
        })
    }

    /// Hands on a part of a file as it arrives, for as long as its reader `may` have it, then closes the session; the
    /// last thing said is an error where the part did not arrive whole.
    pub async fn pass_on(
        self,
        arriving: Arriving,
        out: mpsc::Sender<io::Result<Bytes>>,
        may: impl FnMut() -> bool + Send,
    ) {
        if let Err(error) = self.hand_on(arriving, &out, may).await {
            // Whoever reads may have gone away.
            let _ = out.send(Err(io::Error::other(error))).await;
        }
        // Who waits for the end of the bytes does not wait for the owner to hear of it.
        drop(out);
        self.close().await;
    }

    async fn hand_on(
        &self,
        mut arriving: Arriving,
        out: &mpsc::Sender<io::Result<Bytes>>,
        mut may: impl FnMut() -> bool + Send,
    ) -> Result<(), Error> {
        while let Some(reply) = arriving.next(out).await? {
            if !may() {
                let message = "this share can't be read any more";
                return Err(Error::new(ErrorKind::Forbidden, message)
                    .hint("see whether it is: interdocket external show SHARE"));
            }
            let way = Way {
                direction: Direction::In,
            };
            let bytes = &self.node.parts().metrics.blob_bytes;
            bytes.get_or_create(&way).inc_by(reply.data.len() as u64);
            self.node.heard(self.owner);
            for piece in arriving.verified(&reply.data)? {
                if out.send(Ok(piece)).await.is_err() {
                    return Ok(());
                }
            }
        }
        if arriving.left > 0 && out.is_closed() {
            return Ok(());
        }
        arriving.decoder.finish().map_err(|error| wrong(&error))
    }

    /// Closes the session.
    pub async fn close(mut self) {
        self.open = false;
        close(&self.node, self.owner, self.id.clone()).await;
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if !self.open {
            return;
        }
        let (node, owner, id) = (self.node.clone(), self.owner, self.id.clone());
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { close(&node, owner, id).await });
        }
    }
}

impl<Replies: Stream<Item = Result<v1::ViewReply, Status>> + Unpin> Arriving<Replies> {
    /// The next message; none after the last, or where bytes are left that nobody wants.
    ///
    /// A reader with all its bytes goes away at once. The owner's last word is awaited all the same: it
    /// would arrive for a stream that was reset, and HTTP/2 ends a connection after many of those, with
    /// everything else on it.
    async fn next(
        &mut self,
        out: &mpsc::Sender<io::Result<Bytes>>,
    ) -> Result<Option<v1::ViewReply>, Error> {
        let left = self.left;
        let unwanted = async {
            match left {
                0 => std::future::pending().await,
                _ => out.closed().await,
            }
        };
        let reply = tokio::select! {
            biased;
            reply = tokio::time::timeout(SILENT, self.replies.next()) => reply,
            () = unwanted => return Ok(None),
        };
        reply
            .map_err(|_| refused(&Status::deadline_exceeded("")))?
            .transpose()
            .map_err(|status| refused(&status))
    }

    /// The bytes that this piece of the stream proves, without what nobody asked for.
    fn verified(&mut self, data: &[u8]) -> Result<Vec<Bytes>, Error> {
        let (mut pieces, range) = (Vec::new(), self.range.clone());
        let pushed = self.decoder.push(data, &mut |leaf| {
            let end = leaf.offset + leaf.data.len() as u64;
            let (from, to) = (range.start.max(leaf.offset), range.end.min(end));
            if from < to {
                // Both are within the leaf, which is at most one group.
                let (from, to) = ((from - leaf.offset) as usize, (to - leaf.offset) as usize);
                pieces.push(Bytes::copy_from_slice(&leaf.data[from..to]));
            }
            Ok(())
        });
        pushed.map_err(|error| wrong(&error))?;
        self.left -= pieces.iter().map(|piece| piece.len() as u64).sum::<u64>();
        Ok(pieces)
    }
}

/// The owner ends a session by itself where it does not hear this.
async fn close(node: &Node, owner: OrganisationId, session: Bytes) {
    let closed = client(node, owner)
        .close(v1::CloseRequest { session })
        .await;
    if let Err(status) = closed {
        tracing::debug!(%owner, code = ?status.code(), "a read session could not be closed");
    }
}

fn client(node: &Node, owner: OrganisationId) -> ConnectionClient<Channel> {
    ConnectionClient::new(node.parts().transport.channel(owner))
        .max_decoding_message_size(limits::MESSAGE_MAX)
}

/// A call that does not wait for ever.
async fn answer<T>(call: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    let answer = tokio::time::timeout(SILENT, call).await;
    answer.unwrap_or_else(|_| Err(Status::deadline_exceeded("no answer in time")))
}

/// What the owner said, for the person who reads.
fn refused(status: &Status) -> Error {
    let message = v1::Refusal::decode(status.details()).ok();
    let refusal = message.and_then(refusal::read);
    let Some(refusal) = refusal.filter(|_| !status.details().is_empty()) else {
        let cause = std::error::Error::source(status);
        tracing::debug!(code = ?status.code(), ?cause, "a read ended early");
        let message = "there is no contact with the owner of this share";
        return Error::new(ErrorKind::Unavailable, message)
            .hint("see what stands in the way: interdocket partner doctor PARTNER");
    };
    let (kind, message, hint) = match refusal {
        Refusal::NotShared => (
            ErrorKind::Conflict,
            "its owner does not share this with you now",
            "see how it stands: interdocket external show SHARE; then ask its owner",
        ),
        Refusal::NotEnabled => (
            ErrorKind::Forbidden,
            "the owner's policy for this share allows no downloads",
            "look at the file: interdocket external get SHARE EVIDENCE --view",
        ),
        Refusal::Limit => (
            ErrorKind::Unavailable,
            "too many people of this organisation read at this owner now",
            "try again when others are done",
        ),
        Refusal::Damaged => (
            ErrorKind::Unavailable,
            "this file is damaged at its owner",
            "tell its owner",
        ),
        _ => (
            ErrorKind::Unavailable,
            "its owner's node cannot give this now",
            "try again in a while",
        ),
    };
    Error::new(kind, message).hint(hint)
}

fn wrong(error: &blobs::Error) -> Error {
    tracing::error!(
        error = error as &dyn std::error::Error,
        "what an owner sent is not the file"
    );
    Error::new(ErrorKind::Unavailable, "what arrived is not the file")
        .hint("try again; then tell its owner")
}

fn strange() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "what its owner's node says can't be read",
    )
    .hint("use releases that understand each other on both nodes")
}

/// How long an owner may say nothing, its connection included.
const SILENT: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;

    type Pieces = (
        mpsc::Sender<io::Result<Bytes>>,
        mpsc::Receiver<io::Result<Bytes>>,
    );

    /// A part of which so many bytes are still to come.
    fn arriving<Replies>(replies: Replies, left: u64) -> Arriving<Replies> {
        Arriving {
            replies,
            decoder: Decoder::new(Digest([0; 32]), Ranges::all(10)).unwrap(),
            range: 0..10,
            left,
        }
    }

    /// Gives a message, but not at once.
    fn late() -> impl Stream<Item = Result<v1::ViewReply, Status>> + Unpin {
        Box::pin(stream::once(async {
            tokio::task::yield_now().await;
            Ok(v1::ViewReply::default())
        }))
    }

    #[tokio::test]
    async fn a_reader_that_has_everything_and_leaves_resets_no_stream() {
        let (out, pieces): Pieces = mpsc::channel(1);
        drop(pieces);
        let mut arriving = arriving(late(), 0);
        assert!(arriving.next(&out).await.unwrap().is_some());
        assert!(arriving.next(&out).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_reader_that_leaves_early_is_sent_no_more() {
        let (out, pieces): Pieces = mpsc::channel(1);
        drop(pieces);
        let mut arriving = arriving(stream::pending(), 1);
        assert!(arriving.next(&out).await.unwrap().is_none());
    }
}
