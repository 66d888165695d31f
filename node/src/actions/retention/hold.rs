//! Legal holds: nothing of what is held is deleted, whoever wants it.

use chrono::{DateTime, Utc};
use interdocket_sync::id::{CaseId, EvidenceId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{item, reason};
use crate::actions::case::{self, Case};
use crate::actions::decide::{self, Context, Decided};
use crate::actions::evidence::{self, Evidence};
use crate::actions::reach::Reader;
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
        let what = Matter::Case(id);
        let events = place(&context.view, what, &self.reason)?;
        Ok(Decided::new(events, move |view| case::shown(view, id)))
    }
}

impl Change for ReleaseCase {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Case>, Error> {
        let (id, _) = decide::case(&context.view, &self.case)?;
        let what = Matter::Case(id);
        let events = lift(&context.view, what, &self.reason)?;
        Ok(Decided::new(events, move |view| case::shown(view, id)))
    }
}

impl Change for HoldEvidence {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Evidence>, Error> {
        let id = self.evidence;
        item(&context.view, id)?;
        let what = Matter::Evidence(id);
        let events = place(&context.view, what, &self.reason)?;
        let reader = Reader::from(&*context);
        Ok(Decided::new(events, move |view| {
            evidence::shown(view, &reader, id)
        }))
    }
}

impl Change for ReleaseEvidence {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Evidence>, Error> {
        let id = self.evidence;
        item(&context.view, id)?;
        let what = Matter::Evidence(id);
        let events = lift(&context.view, what, &self.reason)?;
        let reader = Reader::from(&*context);
        Ok(Decided::new(events, move |view| {
            evidence::shown(view, &reader, id)
        }))
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

/// Whether something is on legal hold: by itself, or with any of its cases.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn held(view: &View<'_>, what: Matter) -> Result<bool, Error> {
    let cases = match what {
        Matter::Case(_) => Vec::new(),
        Matter::Evidence(evidence) => evidence::cases(view, evidence)?,
    };
    Ok(hold(view, what, &cases)?.is_some())
}

/// The legal hold on something: its own, or that of one of these cases.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn hold(view: &View<'_>, what: Matter, cases: &[CaseId]) -> Result<Option<Held>, Error> {
    let cases = cases.iter().map(|case| case.uuid());
    for id in std::iter::once(what.id()).chain(cases) {
        if let Some(held) = view.get(&table::HELD, &id)? {
            return Ok(Some(Held {
                at: held.at,
                by: held.by.map(|by| by.name),
                reason: held.reason,
            }));
        }
    }
    Ok(None)
}
