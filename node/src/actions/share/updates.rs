//! What the updates of a copy brought, to whom: who joined later is told of what came since.

use chrono::{DateTime, Utc};
use interdocket_sync::id::{EvidenceId, ShareId};
use interdocket_sync::share as sync;
use interdocket_sync::share::Facts as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reshare;
use crate::actions::decide::{self, broken};
use crate::actions::{Actor, Caller, Error, ErrorKind, Query, people};
use crate::store::project::ShareFacts;
use crate::store::view::View;
use crate::store::{entity, table};

/// Lists what the updates of a copy brought: to a recipient, those since they joined.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Updates {
    /// The share's id.
    #[schemars(with = "uuid::Uuid")]
    pub share: ShareId,
    /// Continue after this page's `next`.
    #[serde(default)]
    pub after: Option<String>,
    /// At most so many items, 1 to 1,000; 100 where not said.
    #[serde(default)]
    pub limit: Option<u32>,
}

/// An item that an update brought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Update {
    /// The update's number: 1 is what was shared first.
    pub number: u32,
    /// When its owner made it whole.
    pub at: DateTime<Utc>,
    /// Who did, as the owner says.
    pub by: String,
    /// The item's id on this node; at the partner none before its files arrived.
    #[schemars(with = "Option<uuid::Uuid>")]
    pub evidence: Option<EvidenceId>,
    /// What it is, as it was sent.
    pub title: String,
    /// How it stands.
    pub state: UpdateState,
}

/// How it stands with an item that an update brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UpdateState {
    /// Its files are still to arrive.
    Arriving,
    /// The partner holds it.
    Stored,
    /// The partner held it, and has removed it. No update brings it back.
    Removed,
}

/// A page of items that updates brought.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct UpdatePage {
    /// The last update before whoever asks joined; 0 for those who had the copy from the start.
    pub joined_after: u32,
    /// The items, update by update.
    pub updates: Vec<Update>,
    /// Where the next page continues; none after the last.
    pub next: Option<String>,
}

impl Query for Updates {
    fn answer(
        &self,
        view: &View<'_>,
        caller: &Caller,
        _: DateTime<Utc>,
    ) -> Result<UpdatePage, Error> {
        let limit = decide::limit(self.limit)?;
        let share = decide::share(view, self.share)?;
        let header = &share.header;
        if header.kind != sync::Kind::Copy {
            let message = "only a copy has updates of its own: this share goes on by itself";
            return Err(Error::new(ErrorKind::Conflict, message)
                .hint("what waits to be imported: interdocket external show SHARE"));
        }
        let node = view.get(&table::NODE, &())?;
        let node = node.ok_or_else(|| broken("the node's own record is missing"))?;
        let received = header.partner == node.organisation;
        let joined_after = match received {
            true => joined_after(view, &share, &caller.actor)?,
            false => 0,
        };
        let after = match &self.after {
            Some(after) => cursor(after)?,
            None => (
                joined_after.saturating_add(1),
                EvidenceId::new(uuid::Uuid::nil()),
            ),
        };
        let after = after.max((
            joined_after.saturating_add(1),
            EvidenceId::new(uuid::Uuid::nil()),
        ));
        let key = (self.share, after.0, after.1);
        let rows = view.page(&table::UPDATED, &self.share, Some(&key), limit + 1)?;
        // What is not listed as whole yet is no update.
        let whole = |number: &u32| *number <= header.update;
        let mut rows: Vec<(u32, EvidenceId)> = rows
            .into_iter()
            .map(|((_, number, evidence), ())| (number, evidence))
            .filter(|(number, _)| whole(number))
            .collect();
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more);
        let next = next.map(|(number, evidence)| format!("{number}-{evidence}"));
        let updates = rows
            .into_iter()
            .map(|row| update(view, self.share, received, row));
        Ok(UpdatePage {
            joined_after,
            updates: updates.collect::<Result<_, _>>()?,
            next,
        })
    }
}

fn cursor(after: &str) -> Result<(u32, EvidenceId), Error> {
    let (number, evidence) = after.split_once('-').unwrap_or_default();
    match (number.parse(), evidence.parse()) {
        (Ok(number), Ok(evidence)) => Ok((number, EvidenceId::new(evidence))),
        _ => Err(Error::new(
            ErrorKind::Invalid,
            "`after` is not where a page ended",
        )),
    }
}

fn update(
    view: &View<'_>,
    id: ShareId,
    received: bool,
    (number, origin): (u32, EvidenceId),
) -> Result<Update, Error> {
    let held = view.get(&table::UPDATE, &(id, number))?;
    let held = held.ok_or_else(|| broken("an update of a copy is missing"))?;
    let facts = ShareFacts::new(*view, id);
    let item = facts.item(origin);
    facts.done()?;
    let item = item.ok_or_else(|| broken("an item of a share is missing"))?;
    let evidence = match received {
        true => view.get(&table::BECAME, &(id, origin))?,
        false => Some(origin),
    };
    let removed = match evidence {
        Some(evidence) => received && !view.has(&table::EVIDENCE, &evidence)?,
        None => received,
    };
    Ok(Update {
        number,
        at: held.at,
        by: held.by,
        evidence,
        title: item.title,
        state: match (item.stored, removed) {
            (0, _) => UpdateState::Arriving,
            (_, true) => UpdateState::Removed,
            (_, false) => UpdateState::Stored,
        },
    })
}

/// The last update before somebody joined: none for a recipient of the offer, and for those to whom this
/// organisation gave the case itself.
fn joined_after(view: &View<'_>, share: &entity::Share, actor: &Actor) -> Result<u32, Error> {
    let later = reshare::all(view, share.header.share)?;
    let first = |name: &&String| !later.iter().any(|later| later.recipients.contains(*name));
    let first: Vec<String> = share.recipients.iter().filter(first).cloned().collect();
    if people::addressed(view, &first, actor)?.is_some() {
        return Ok(0);
    }
    for reshare in later {
        if people::addressed(view, &reshare.recipients, actor)?.is_some() {
            return Ok(reshare.after_update);
        }
    }
    Ok(0)
}
