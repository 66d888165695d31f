//! Legal holds: nothing of what is held is deleted, whoever wants it.

use chrono::{DateTime, Utc};
use interdocket_sync::id::EvidenceId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{item, reason};
use crate::actions::case::{self, Case};
use crate::actions::decide::{self, Context, Decided};
use crate::actions::evidence::{self, Evidence};
use crate::actions::{Change, Error, ErrorKind};
use crate::event::{Event, Matter, Reasoned};
use crate::store::table;
use crate::store::view::View;

/// Puts a case on legal hold: nothing of it is deleted.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct HoldCase {
    /// Its id or number.
    pub case: String,
    /// Why.
    pub reason: String,
}

/// Releases a case from legal hold. Evidence that is held by itself stays so.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ReleaseCase {
    /// Its id or number.
    pub case: String,
    /// Why.
    pub reason: String,
}

/// Puts evidence on legal hold: it is not deleted.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct HoldEvidence {
    /// Its id.
    #[schemars(with = "Uuid")]
    pub evidence: EvidenceId,
    /// Why.
    pub reason: String,
}

/// Releases evidence from a legal hold of its own.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ReleaseEvidence {
    /// Its id.
    #[schemars(with = "Uuid")]
    pub evidence: EvidenceId,
    /// Why.
    pub reason: String,
}

/// A legal hold as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Held {
    /// When it was placed.
    pub at: DateTime<Utc>,
    /// By whom.
    pub by: Option<String>,
    /// Why.
    pub reason: String,
}

impl Change for HoldCase {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Case>, Error> {
        let (id, _) = decide::case(&context.view, &self.case)?;
        let what = Matter {
            case: id,
            evidence: None,
        };
        let events = place(&context.view, what, &self.reason)?;
        Ok(Decided::new(events, move |view| case::shown(view, id)))
    }
}

impl Change for ReleaseCase {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Case>, Error> {
        let (id, _) = decide::case(&context.view, &self.case)?;
        let what = Matter {
            case: id,
            evidence: None,
        };
        let events = lift(&context.view, what, &self.reason)?;
        Ok(Decided::new(events, move |view| case::shown(view, id)))
    }
}

impl Change for HoldEvidence {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Evidence>, Error> {
        let id = self.evidence;
        let what = Matter {
            case: item(&context.view, id)?.0.case,
            evidence: Some(id),
        };
        let events = place(&context.view, what, &self.reason)?;
        Ok(Decided::new(events, move |view| evidence::shown(view, id)))
    }
}

impl Change for ReleaseEvidence {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Evidence>, Error> {
        let id = self.evidence;
        let what = Matter {
            case: item(&context.view, id)?.0.case,
            evidence: Some(id),
        };
        let events = lift(&context.view, what, &self.reason)?;
        Ok(Decided::new(events, move |view| evidence::shown(view, id)))
    }
}

/// What is held already stays held as it is: by whom and why is not written over.
fn place(view: &View<'_>, what: Matter, why: &str) -> Result<Vec<Event>, Error> {
    let reason = reason(why)?;
    Ok(match view.has(&table::HELD, &what.id())? {
        true => Vec::new(),
        false => vec![Event::HoldPlaced(Reasoned { what, reason })],
    })
}

fn lift(view: &View<'_>, what: Matter, why: &str) -> Result<Vec<Event>, Error> {
    let reason = reason(why)?;
    if !view.has(&table::HELD, &what.id())? {
        let message = "there is no legal hold on this";
        return Err(Error::new(ErrorKind::Conflict, message).hint(
            "a hold on the case is released with: interdocket case release CASE --reason WHY",
        ));
    }
    Ok(vec![Event::HoldLifted(Reasoned { what, reason })])
}

/// The legal hold on something: its own, or that of its case.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn held(view: &View<'_>, what: Matter) -> Result<Option<Held>, Error> {
    let own = view.get(&table::HELD, &what.id())?;
    let held = match own {
        Some(own) => Some(own),
        None => view.get(&table::HELD, &what.case.uuid())?,
    };
    Ok(held.map(|held| Held {
        at: held.at,
        by: held.by.map(|by| by.name),
        reason: held.reason,
    }))
}
