//! Shares that do not arrive: which they are, why, and trying again.

use interdocket_sync::id::ShareId;
use interdocket_sync::log::Side;
use interdocket_sync::refusal::Consequence;
use interdocket_sync::share::{Fact, Key};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::life::own;
use super::{Direction, Share, Status, shown};
use crate::actions::decide::{Context, Decided, Effect};
use crate::actions::{Caller, Change, Error, ErrorKind, Run};
use crate::node::{Node, Seen};
use crate::store::view::View;
use crate::store::{entity, table};

/// Tries again to deliver a share, and does not wait until its next turn.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Retry {
    /// The share's id.
    #[schemars(with = "uuid::Uuid")]
    pub share: ShareId,
}

impl Run for Retry {
    async fn run(self, node: &Node, caller: &Caller) -> Result<Share, Error> {
        let id = self.share;
        let share = node.change(caller, self).await?;
        node.taken_by(share.partner, id);
        Ok(share)
    }
}

impl Change for Retry {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Share>, Error> {
        let share = own(context, self.share)?;
        let (id, now) = (self.share, context.now);
        let stands = shown(&context.view, id, now)?;
        if stands.behind == 0 && !under_way(stands.status) {
            let message = "nothing of this share waits to be delivered";
            return Err(Error::new(ErrorKind::Conflict, message)
                .hint("look at it: interdocket share show SHARE"));
        }
        Ok(Decided::new(Vec::new(), move |view| shown(view, id, now))
            .then(Effect::Greet(share.header.partner)))
    }
}

const fn under_way(status: Status) -> bool {
    matches!(
        status,
        Status::Processing | Status::Failed | Status::PartlyFailed
    )
}

impl Share {
    /// Adds what only the process knows: that the partner refused what it was sent last, and why.
    pub fn refused(&mut self, seen: &Seen) {
        let Some(refusal) = seen.refused.get(&self.id) else {
            return;
        };
        self.refusal.get_or_insert_with(|| refusal.to_string());
        let waits = refusal.consequence() == Consequence::Wait;
        if waits && self.direction == Direction::Sent && self.status == Status::Processing {
            self.status = failed(self.stored.evidence);
        }
    }
}

/// How a share stands, and why what is under way does not arrive, where that lies here.
pub(super) fn arrives(
    view: &View<'_>,
    share: &entity::Share,
    own: Side,
    status: Status,
) -> Result<(Status, Option<String>), Error> {
    if own != Side::Owner || status != Status::Processing {
        return Ok((status, None));
    }
    Ok(match damaged(view, share)? {
        Some(why) => (failed(share.header.stored.evidence), Some(why)),
        None => (status, None),
    })
}

/// How a share stands that does not arrive, by how many items of it did.
const fn failed(stored: u64) -> Status {
    match stored {
        0 => Status::Failed,
        _ => Status::PartlyFailed,
    }
}

/// What keeps a share of this node from arriving, where nothing is left to be delivered but what is damaged here.
fn damaged(view: &View<'_>, share: &entity::Share) -> Result<Option<String>, Error> {
    let header = &share.header;
    let missing = header
        .listed
        .evidence
        .saturating_sub(header.stored.evidence);
    if !header.kind.kept() || header.open || share.waits() > 0 || missing == 0 {
        return Ok(None);
    }
    let mut files = 0;
    for (digest, ()) in view.page(&table::DAMAGED, &(), None, DAMAGED_MAX)? {
        let fact = view.get(&table::FACT, &(header.share, Key::Blob(digest)))?;
        if let Some(Fact::Blob(blob)) = fact {
            files += blob.uses;
        }
    }
    if files < missing {
        return Ok(None);
    }
    Ok(Some(format!(
        "files of it are damaged here ({files}): add them again, or restore them from a backup"
    )))
}

/// Damaged blobs that are looked at: with more, the node has another problem.
const DAMAGED_MAX: usize = 1000;
