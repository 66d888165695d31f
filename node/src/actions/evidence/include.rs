//! Putting evidence of one case into another, and taking it out of one. It stays one item: what is said of it, and its
//! files, are the same in all its cases; its folder is that of each.

use std::collections::BTreeSet;

use interdocket_sync::id::{CaseId, EvidenceId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CASES_MAX, Taken, cases, intake, whole};
use crate::actions::case::{self, Case};
use crate::actions::decide::{self, Context, Decided, Effect};
use crate::actions::{About, Action, Change, Error, ErrorKind, exchange, reach, retention};
use crate::event::{Event, EvidenceExcluded, EvidenceIncluded, Matter};
use crate::store::table;

/// Puts evidence of other cases into a case as well, or into another folder of it. Whoever reaches the case reaches it
/// then, and shares of the case that go on follow.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Include {
    /// The case's id or number.
    pub case: String,
    /// The evidence, by id: at most 128 items.
    #[schemars(with = "Vec<uuid::Uuid>")]
    pub evidence: Vec<EvidenceId>,
    /// The folder inside the case, parts separated by `/`; empty for the top.
    #[serde(default)]
    pub folder: String,
}

/// Takes evidence out of a case that is in another one as well: it stays there. Shares of the case that go on follow.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Exclude {
    /// The case's id or number.
    pub case: String,
    /// The evidence, by id: at most 128 items.
    #[schemars(with = "Vec<uuid::Uuid>")]
    pub evidence: Vec<EvidenceId>,
}

impl Change for Include {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Case>, Error> {
        let view = &context.view;
        let case = intake(view, &self.case)?;
        Taken::check("file", &self.folder, None)?;
        let mut events = Vec::new();
        for id in named(&self.evidence)? {
            reach::check(view, &*context, Self::NAME, &About::Evidence(id))?;
            whole(view, id)?;
            let link = view.get(&table::CASE_EVIDENCE, &(case, id))?;
            if link.is_none() && cases(view, id)?.len() >= CASES_MAX {
                let message = format!("evidence {id} is in {CASES_MAX} cases already");
                return Err(Error::new(ErrorKind::Conflict, message)
                    .hint("take it out of one: interdocket case exclude CASE EVIDENCE"));
            }
            if link.is_none_or(|link| link.folder != self.folder) {
                events.push(Event::EvidenceIncluded(EvidenceIncluded {
                    evidence: id,
                    case,
                    folder: self.folder.clone(),
                }));
            }
        }
        followed(context, case, events)
    }
}

impl Change for Exclude {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Case>, Error> {
        let view = &context.view;
        let (case, held) = decide::case(view, &self.case)?;
        decide::whole(view, case.uuid())?;
        if retention::held(view, Matter::Case(case))? {
            let message = format!("case \"{}\" is on legal hold", held.number);
            return Err(Error::new(ErrorKind::Conflict, message)
                .hint("all that is in it stays until the hold is released"));
        }
        let mut events = Vec::new();
        for id in named(&self.evidence)? {
            if !view.has(&table::CASE_EVIDENCE, &(case, id))? {
                return Err(outside(id));
            }
            // Nobody loses it to a case that they don't know of.
            let reached = reach::among(view, &(&*context).into(), id)?;
            if !reached.iter().any(|other| *other != case) {
                let message = format!("evidence {id} is in no other case that you reach");
                return Err(Error::new(ErrorKind::Conflict, message).hint(
                    "to have it deleted: interdocket evidence delete EVIDENCE --reason WHY",
                ));
            }
            events.push(Event::EvidenceExcluded(EvidenceExcluded {
                evidence: id,
                case,
                deleted: false,
            }));
        }
        followed(context, case, events)
    }
}

/// Each item once.
fn named(evidence: &[EvidenceId]) -> Result<BTreeSet<EvidenceId>, Error> {
    let named: BTreeSet<EvidenceId> = evidence.iter().copied().collect();
    if named.is_empty() || named.len() > NAMED_MAX {
        let message = format!("{} items of evidence are named", named.len());
        return Err(
            Error::new(ErrorKind::Invalid, message).hint(format!("name 1 to {NAMED_MAX} of them"))
        );
    }
    Ok(named)
}

/// That evidence is not in a case.
pub(super) fn outside(id: EvidenceId) -> Error {
    let message = format!("evidence {id} is not in this case");
    Error::new(ErrorKind::NotFound, message).hint("list what is: interdocket evidence list CASE")
}

/// Shares of the case that go on follow, and what is being sent is judged again.
fn followed(
    context: &Context<'_>,
    case: CaseId,
    events: Vec<Event>,
) -> Result<Decided<Case>, Error> {
    let decided = Decided::new(events, move |view| case::shown(view, case));
    let mut decided = decided.then(Effect::Recheck);
    for partner in exchange::following(&context.view, &[case])? {
        decided = decided.then(Effect::Nudge(partner));
    }
    Ok(decided)
}

/// Items that are named at once: what one step of the database takes.
const NAMED_MAX: usize = 128;
