//! Where bytes of files leave to a partner: each message is judged again right before, once something
//! changed.

use std::time::Duration;

use interdocket_sync::id::ShareId;
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::refusal::Refusal;
use tokio::sync::mpsc;
use tonic::Status;

use super::exchange::status;
use crate::actions::Error;
use crate::metrics;
use crate::node::Node;
use crate::store::view::View;
use crate::threads;

/// The way out of one call. Its calls block.
pub(super) struct Outlet<M> {
    pub(super) node: Node,
    pub(super) caller: OrganisationId,
    pub(super) share: ShareId,
    /// [`Node::judged`] before the call was judged.
    pub(super) judged: u64,
    pub(super) out: mpsc::Sender<Result<M, Status>>,
}

/// Why nothing more leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The reader went away, or does not read.
    Gone,
    /// The reader may not read any more, and is to be told so once that is on record.
    Refused,
}

impl<M> Outlet<M> {
    /// Hands a message with this many bytes to the transport, unless what was allowed is not allowed
    /// any more.
    pub(super) fn send(
        &mut self,
        message: M,
        bytes: usize,
        allowed: impl FnOnce(&View<'_>) -> Result<bool, Error>,
    ) -> Result<(), End> {
        let judged = self.node.judged();
        if judged != self.judged {
            let reading = self.node.parts().store.read();
            let allowed = matches!(allowed(&reading.view()), Ok(true));
            drop(reading);
            if !allowed {
                return Err(End::Refused);
            }
            self.judged = judged;
        }
        let way = metrics::Way {
            direction: metrics::Direction::Out,
        };
        let sent = self.node.parts().metrics.blob_bytes.get_or_create(&way);
        sent.inc_by(bytes as u64);
        self.hand(Ok(message))
    }

    /// Ends the call with a refusal.
    pub(super) fn refuse(&self, refused: Refusal) {
        let _ = self.hand(Err(status(refused)));
    }

    /// Waits for room at the transport, but not for a reader that does not read: its place is for others.
    fn hand(&self, message: Result<M, Status>) -> Result<(), End> {
        let handed = tokio::time::timeout(UNREAD, self.out.send(message));
        match threads::wait(handed) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Gone),
            Err(_) => {
                tracing::warn!(partner = %self.caller, share = %self.share, "a partner does not read what it asked for");
                Err(End::Gone)
            }
        }
    }
}

/// How long a reader may not read.
const UNREAD: Duration = Duration::from_secs(60);
