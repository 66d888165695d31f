//! Which targets of a case a share has.

use interdocket_sync::id::{ShareId, TargetId};
use interdocket_sync::limits;
use interdocket_sync::share as sync;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::life::open;
use super::{Share, shown};
use crate::actions::decide::{Context, Decided, Effect, broken};
use crate::actions::{Change, Error, ErrorKind, target};
use crate::event::{Event, ShareTargets};

/// Chooses targets for a share, or takes them out of it, where it does not have all of them.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ChooseTargets {
    /// The share's id.
    #[schemars(with = "uuid::Uuid")]
    pub share: ShareId,
    /// Targets of the case that it has from now on.
    #[serde(default)]
    #[schemars(with = "Vec<uuid::Uuid>")]
    pub add: Vec<TargetId>,
    /// Targets that it has not any more.
    #[serde(default)]
    #[schemars(with = "Vec<uuid::Uuid>")]
    pub remove: Vec<TargetId>,
}

impl Change for ChooseTargets {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Share>, Error> {
        let (share, _) = open(context, self.share)?;
        if share.header.kind == sync::Kind::Copy {
            let message = "this is a copy: what was sent is the partner's own";
            return Err(Error::new(ErrorKind::Conflict, message)
                .hint("share the case as it goes on: interdocket share advanced CASE"));
        }
        if share.all_targets {
            let message =
                "all targets of the case are in this share, also those that are added later";
            return Err(Error::new(ErrorKind::Conflict, message)
                .hint("to choose some, revoke it and share the case anew with --targets present"));
        }
        let Some(case) = share.case else {
            return Err(broken("a share's case is missing"));
        };
        let most = self.add.len().max(self.remove.len());
        if most > limits::TARGETS_MAX {
            let message = format!("{most} targets are more than {}", limits::TARGETS_MAX);
            return Err(Error::new(ErrorKind::Invalid, message).hint("do it in several steps"));
        }
        for id in &self.add {
            target::find(&context.view, case, *id)?;
        }
        let changed = ShareTargets {
            share: self.share,
            added: self.add,
            removed: self.remove,
        };
        let (id, now) = (self.share, context.now);
        let events = vec![Event::ShareTargets(changed)];
        Ok(Decided::new(events, move |view| shown(view, id, now))
            .then(Effect::Recheck)
            .then(Effect::Nudge(share.header.partner)))
    }
}
