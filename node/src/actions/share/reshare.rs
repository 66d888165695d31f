//! Resharing a copy: more people at the partner, and new evidence, in one decision. Nothing is sent again, and nobody
//! is taken away.
//!
//! A reshare is an entry of the share's own log, so that it stands behind the share it goes on with: the partner's
//! case stays one, and whoever joins is told of the updates that come after.

use chrono::{DateTime, Utc};
use interdocket_sync::id::{EvidenceId, ShareId};
use interdocket_sync::limits;
use interdocket_sync::log::entry::Reshared;
use interdocket_sync::share as sync;
use interdocket_sync::share::decide::Command;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::life::{fresh, open};
use super::offer::{bounded_recipients, choose, sendable, widened, with};
use super::{Share, shown};
use crate::actions::decide::{Context, Decided, Effect, bounded};
use crate::actions::partner::Kind;
use crate::actions::people::called;
use crate::actions::{Change, Error, ErrorKind, exchange};
use crate::store::project::ShareFacts;
use crate::store::view::View;
use crate::store::{entity, table};

/// Reshares a copy: with more people at the partner, and maybe with evidence that it has not yet.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Reshare {
    /// The share's id.
    #[schemars(with = "uuid::Uuid")]
    pub share: ShareId,
    /// Who should have it as well, as the partner knows them; at least one.
    pub recipients: Vec<String>,
    /// These items go along; none where empty.
    #[serde(default)]
    #[schemars(with = "Vec<uuid::Uuid>")]
    pub evidence: Vec<EvidenceId>,
    /// A message to them.
    #[serde(default)]
    pub message: String,
}

/// A reshare as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Shown {
    /// Its entry in the owner's log of the share.
    pub entry: u64,
    /// Who did it, as the owner says.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Who joined by it.
    pub recipients: Vec<String>,
    /// The message to them.
    pub message: String,
    /// The last update before they joined: they are told of later ones.
    pub after_update: u32,
}

impl Change for Reshare {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Share>, Error> {
        let (share, case) = open(context, self.share)?;
        let header = &share.header;
        if header.kind != sync::Kind::Copy {
            let message = "only a copy is reshared: this share has the people that it names";
            return Err(Error::new(ErrorKind::Conflict, message)
                .hint("name all of them: interdocket share recipients SHARE --recipient NAME"));
        }
        let node = context.node()?;
        sendable(&node, &with(context, header.partner)?, Kind::Copy)?;
        let said = Reshared {
            recipients: joining(&share, &self.recipients)?,
            message: bounded("message", self.message.trim(), limits::MESSAGE_TEXT_MAX)?,
        };
        let mut chosen = Vec::new();
        if !self.evidence.is_empty() {
            let named = choose(&context.view, case, &self.evidence, &[])?;
            chosen = fresh(context, &share, named)?;
        }
        let command = Command::Reshare(exchange::actor(context)?, said);
        let facts = ShareFacts::new(context.view, self.share);
        let entries = exchange::entries(context, header, &facts, command)?;
        facts.done()?;
        let mut events = Vec::from_iter(exchange::written(context, header, &node, entries));
        events.extend(widened(self.share, &chosen));
        let (id, now) = (self.share, context.now);
        Ok(Decided::new(events, move |view| shown(view, id, now))
            .then(Effect::Recheck)
            .then(Effect::Nudge(header.partner)))
    }
}

/// Those of these people to whom the copy is not addressed yet.
fn joining(share: &entity::Share, named: &[String]) -> Result<Vec<String>, Error> {
    let mut joining: Vec<String> = Vec::new();
    for name in bounded_recipients(named)? {
        let mut before = share.recipients.iter().chain(&joining);
        if !before.any(|known| called(known) == called(&name)) {
            joining.push(name);
        }
    }
    if joining.is_empty() {
        let message = match named.is_empty() {
            true => "nobody is named who should have this copy as well",
            false => "this copy is addressed to them already",
        };
        return Err(Error::new(ErrorKind::Conflict, message)
            .hint("to add evidence only: interdocket share add SHARE"));
    }
    let all = share.header.addressed as usize + joining.len();
    if all > limits::RECIPIENTS_MAX {
        let message = format!(
            "{all} recipients are more than {}: nobody is ever taken off a copy",
            limits::RECIPIENTS_MAX
        );
        return Err(Error::new(ErrorKind::Invalid, message).hint("name a group"));
    }
    Ok(joining)
}

/// The reshares of a copy: never more than it may have recipients.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn all(view: &View<'_>, share: ShareId) -> Result<Vec<Shown>, Error> {
    let rows = view.page(&table::RESHARE, &share, None, limits::RECIPIENTS_MAX)?;
    let shown = |((_, entry), held): ((ShareId, u64), entity::Reshare)| Shown {
        entry,
        by: held.by,
        at: held.at,
        recipients: held.recipients,
        message: held.message,
        after_update: held.after_update,
    };
    Ok(rows.into_iter().map(shown).collect())
}
