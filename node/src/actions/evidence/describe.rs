//! Saying what evidence is.

use std::collections::BTreeMap;

use interdocket_sync::copy::Field;
use interdocket_sync::id::{CaseId, EvidenceId};
use interdocket_sync::limits;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Evidence, Taken, missing, shown};
use crate::access::Permission;
use crate::actions::decide::{self, Context, Decided, Effect, filled, line};
use crate::actions::{Change, Error, ErrorKind, exchange, metadata};
use crate::event::{Event, EvidenceEdited, TagsChanged};
use crate::store::table;

/// Describes evidence anew; what is left out stays. Shares that go on follow.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Edit {
    /// Its id.
    #[schemars(with = "uuid::Uuid")]
    pub evidence: EvidenceId,
    /// The new title.
    #[serde(default)]
    pub title: Option<String>,
    /// The new folder inside the case; empty for the top.
    #[serde(default)]
    pub folder: Option<String>,
    /// Fields by name, with their new values; none for those that are to have no value any more.
    #[serde(default)]
    pub fields: BTreeMap<String, Option<String>>,
}

/// Changes what evidence is labelled with.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Tag {
    /// Its id.
    #[schemars(with = "uuid::Uuid")]
    pub evidence: EvidenceId,
    /// As what.
    #[serde(default)]
    pub kind: metadata::Kind,
    /// What it has from now on.
    #[serde(default)]
    pub add: Vec<String>,
    /// What it has not any more.
    #[serde(default)]
    pub remove: Vec<String>,
}

impl Change for Edit {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Evidence>, Error> {
        let id = self.evidence;
        let view = &context.view;
        let evidence = view
            .get(&table::EVIDENCE, &id)?
            .ok_or_else(|| missing(id))?;
        decide::whole(view, evidence.case.uuid())?;
        let folder = self.folder.unwrap_or_else(|| evidence.folder.clone());
        let title = self.title.unwrap_or_else(|| evidence.title.clone());
        Taken::check("file", &folder, Some(&title))?;
        let title = filled("title", line("title", &title, limits::TITLE_MAX)?)?;
        let held = view.get(&table::FIELDS, &id)?.unwrap_or_default();
        let fields = metadata::set(view, &held, &self.fields)?;
        if fields.contains_key(&Field::EvidenceGroup)
            && !context.held.contains(&Permission::EvidenceShare)
        {
            let message = "the group of evidence reaches it: to set that is to share it";
            return Err(Error::new(ErrorKind::Forbidden, message)
                .hint("ask an administrator of this node for the permission evidence.share"));
        }
        let same = (&title, &folder) == (&evidence.title, &evidence.folder);
        if same && fields.is_empty() {
            return Ok(Decided::new(Vec::new(), move |view| shown(view, id)));
        }
        let edited = EvidenceEdited {
            id,
            case: evidence.case,
            title,
            folder,
            fields,
        };
        followed(context, id, evidence.case, Event::EvidenceEdited(edited))
    }
}

impl Change for Tag {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Evidence>, Error> {
        let id = self.evidence;
        let view = &context.view;
        let evidence = view
            .get(&table::EVIDENCE, &id)?
            .ok_or_else(|| missing(id))?;
        decide::whole(view, evidence.case.uuid())?;
        let held = metadata::labels(view, id.uuid())?;
        let (added, removed) = metadata::change(
            &held,
            self.kind,
            &self.add,
            &self.remove,
            metadata::EVIDENCE,
        )?;
        if added.is_empty() && removed.is_empty() {
            return Ok(Decided::new(Vec::new(), move |view| shown(view, id)));
        }
        let changed = TagsChanged {
            evidence: Some(id),
            case: evidence.case,
            kind: self.kind.field(),
            added,
            removed,
        };
        followed(context, id, evidence.case, Event::TagsChanged(changed))
    }
}

/// Something is said of evidence: shares that go on follow, and what is being sent is judged again.
fn followed(
    context: &Context<'_>,
    id: EvidenceId,
    case: CaseId,
    event: Event,
) -> Result<Decided<Evidence>, Error> {
    let decided = Decided::new(vec![event], move |view| shown(view, id));
    let mut decided = decided.then(Effect::Recheck);
    for partner in exchange::following(&context.view, case)? {
        decided = decided.then(Effect::Nudge(partner));
    }
    Ok(decided)
}
