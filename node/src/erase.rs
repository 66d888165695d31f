//! Deleting: what was queued and whose time has come, and what retention policies say is due.
//!
//! Invariant: recorded first, then destroyed. After a crash in between, keys and bytes that are still there are found
//! in the tables and destroyed then.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::actions::retention::erase::{self, Doomed};
use crate::actions::{Error, ErrorKind, Way};
use crate::keyring::KeyId;
use crate::node::{Node, timely};

/// Deletes what is to be deleted, until told to stop.
pub async fn run(node: Node, stop: CancellationToken) {
    let mut look = Duration::ZERO;
    loop {
        let elapsed = node.parts().clock.elapsed();
        let looks = elapsed >= look;
        if looks {
            look = elapsed + LOOK;
        }
        if let Err(error) = pass(&node, looks).await {
            tracing::warn!(%error, "what is to be deleted could not be");
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// Deletes what is to be deleted now; not by a clock that is not to be trusted. With a look, queues what is due.
///
/// # Errors
/// [`Error`] where something could not be recorded or destroyed.
pub(crate) async fn pass(node: &Node, looks: bool) -> Result<(), Error> {
    // Before anything else is erased: bytes that came again lie elsewhere by then.
    if !destroy(node).await? || node.read(timely).await.is_err() {
        return Ok(());
    }
    if looks {
        queue(node).await?;
    }
    let mut after = None;
    loop {
        let now = node.parts().clock.now();
        let rows = node.read(move |view| erase::queued(view, now, after));
        let rows = rows.await?;
        let Some(last) = rows.last() else { break };
        after = Some(*last);
        for (_, id) in rows {
            let mut behind = None;
            loop {
                behind = node
                    .decide(None, Way::Timer, move |context| {
                        erase::erase(context, id, behind)
                    })
                    .await?;
                if behind.is_none() {
                    break;
                }
            }
            case(node, id).await?;
        }
    }
    destroy(node).await.map(drop)
}

/// Deletes a case of which nothing else is left, with what its shares only ever listed.
async fn case(node: &Node, id: Uuid) -> Result<(), Error> {
    let listing = node.read(move |view| erase::listing(view, id)).await?;
    for (share, _) in listing.clone() {
        let mut behind = None;
        loop {
            behind = node
                .decide(None, Way::Timer, move |context| {
                    erase::erase_listed(context, id, share, behind)
                })
                .await?;
            if behind.is_none() {
                break;
            }
        }
    }
    node.decide(None, Way::Timer, move |context| {
        erase::erase_case(context, id, &listing)
    })
    .await
}

/// Queues what retention policies have deleted soon.
async fn queue(node: &Node) -> Result<(), Error> {
    let mut after = None;
    loop {
        let now = node.parts().clock.now();
        let looked = node.read(move |view| erase::due(view, now, after)).await?;
        let (due, next) = looked;
        for some in due.chunks(QUEUED) {
            let some = some.to_vec();
            node.decide(None, Way::Timer, move |context| {
                erase::queue(context, &some)
            })
            .await?;
        }
        if next.is_none() {
            return Ok(());
        }
        after = next;
    }
}

/// Destroys keys and bytes of what was erased; false where somebody brings bytes, so that it has to wait.
async fn destroy(node: &Node) -> Result<bool, Error> {
    loop {
        let Some(_deletes) = node.parts().moment.bringing.delete() else {
            return node.read(|view| Ok(Doomed::of(view)?.is_empty())).await;
        };
        let doomed = node.read(Doomed::of).await?;
        if doomed.is_empty() {
            return Ok(true);
        }
        let of = node.clone();
        let doomed = node
            .blocking(move || {
                let unavailable = |error: &dyn std::error::Error| {
                    Error::new(ErrorKind::Unavailable, error.to_string())
                };
                for key in &doomed.keys {
                    let erased = of.parts().keyring.erase(KeyId(*key));
                    erased.map_err(|error| unavailable(&error))?;
                }
                let deleted = of.parts().blobs.delete(&doomed.blobs);
                deleted.map_err(|error| unavailable(&error))?;
                Ok(doomed)
            })
            .await?;
        node.decide(None, Way::Timer, move |_| Ok(doomed.done()))
            .await?;
    }
}

/// How often it is looked whether the time of something has come.
const EVERY: Duration = Duration::from_secs(5);
/// How often it is looked what retention policies say.
const LOOK: Duration = Duration::from_secs(600);
/// Items that are queued in one step.
const QUEUED: usize = 64;
