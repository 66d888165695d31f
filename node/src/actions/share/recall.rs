//! Asking a partner to destroy a copy, and answering that. The copy is the partner's own: a recall is a wish.

use chrono::{DateTime, Utc};
use interdocket_sync::id::ShareId;
use interdocket_sync::limits;
use interdocket_sync::log::entry::RecallAnswer;
use interdocket_sync::share as sync;
use interdocket_sync::share::decide::Command;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Share;
use super::life::{last, own};
use crate::actions::decide::{self, Context, Decided, bounded, filled};
use crate::actions::{Change, Error, ErrorKind, exchange};
use crate::store::entity;

/// Asks the partner to destroy a copy, whatever became of the share. Whether it does is the partner's to say.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Recall {
    /// The share's id.
    #[schemars(with = "uuid::Uuid")]
    pub share: ShareId,
    /// Why.
    pub reason: String,
}

/// Answers the owner of a copy who asks this organisation to destroy it. What is granted is stated as an intent:
/// nothing is destroyed by the answer itself.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Answer {
    /// The share's id.
    #[schemars(with = "uuid::Uuid")]
    pub share: ShareId,
    /// Whether this organisation will destroy what it has.
    pub granted: bool,
    /// Why, or why not; needed where it is not granted.
    #[serde(default)]
    pub reason: String,
}

/// A recall as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Recalled {
    /// Who asked, as the owner says.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Why.
    pub reason: String,
    /// What the partner answered; nothing until it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answered>,
}

/// The answer to a recall.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Answered {
    /// Who answered, as the partner says.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Whether the partner will destroy what it has: its intent, not a statement that it did.
    pub granted: bool,
    /// Why, or why not.
    pub reason: String,
}

impl Recalled {
    /// A recall as it is kept.
    pub fn of(kept: entity::Recalled) -> Self {
        let answered = |said: entity::Answered| Answered {
            by: said.by,
            at: said.at,
            granted: said.granted,
            reason: said.reason,
        };
        Self {
            by: kept.by,
            at: kept.at,
            reason: kept.reason,
            answer: kept.answer.map(answered),
        }
    }
}

impl Change for Recall {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Share>, Error> {
        let share = own(context, self.share)?;
        let header = &share.header;
        if header.kind != sync::Kind::Copy {
            let message = "only a copy is asked for: this share can be taken back";
            return Err(Error::new(ErrorKind::Conflict, message)
                .hint("to take it back, revoke it: interdocket share revoke SHARE"));
        }
        if header.recall.waits() {
            let message = "the partner was asked already, and has not answered";
            return Err(Error::new(ErrorKind::Conflict, message)
                .hint("see its answer when it is there: interdocket share show SHARE"));
        }
        if header.recall.granted {
            let message = "the partner has granted this already";
            return Err(Error::new(ErrorKind::Conflict, message)
                .hint("see its answer: interdocket share show SHARE"));
        }
        if !header.recallable() {
            let message = "the partner has nothing of this copy that it could destroy";
            return Err(Error::new(ErrorKind::Conflict, message)
                .hint("to stop it, cancel it: interdocket share cancel SHARE"));
        }
        let reason = filled(
            "reason",
            bounded("reason", self.reason.trim(), limits::MESSAGE_TEXT_MAX)?,
        )?;
        let actor = exchange::actor(context)?;
        last(context, self.share, &share, Command::Recall(actor, reason))
    }
}

impl Change for Answer {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Share>, Error> {
        let share = decide::share(&context.view, self.share)?;
        decide::whole(&context.view, self.share.uuid())?;
        let header = &share.header;
        if header.partner != context.node()?.organisation || header.kind != sync::Kind::Copy {
            return Err(Error::new(
                ErrorKind::Conflict,
                "only who received a copy answers its owner",
            ));
        }
        if !header.recall.waits() {
            let message = "its owner has not asked for this copy, or was answered already";
            return Err(Error::new(ErrorKind::Conflict, message)
                .hint("look at it: interdocket share show SHARE"));
        }
        let reason = bounded("reason", self.reason.trim(), limits::MESSAGE_TEXT_MAX)?;
        let reason = match self.granted {
            true => reason,
            false => filled("reason", reason)?,
        };
        let answer = RecallAnswer {
            granted: self.granted,
            reason,
        };
        let actor = exchange::actor(context)?;
        let command = Command::AnswerRecall(actor, answer);
        last(context, self.share, &share, command)
    }
}
