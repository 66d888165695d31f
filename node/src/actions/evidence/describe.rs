//! Saying what evidence is.

use std::collections::BTreeMap;

use interdocket_sync::copy::Field;
use interdocket_sync::id::EvidenceId;
use interdocket_sync::limits;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::include::outside;
use super::{Evidence, Taken, cases, missing, shown, whole};
use crate::access::Permission;
use crate::actions::decide::{self, Context, Decided, Effect, filled, line};
use crate::actions::reach::{self, Reader};
use crate::actions::{About, Change, Error, ErrorKind, exchange, metadata};
use crate::event::{Event, EvidenceEdited, EvidenceIncluded, Matter, TagsChanged};
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
    /// The new folder inside a case; empty for the top.
    #[serde(default)]
    pub folder: Option<String>,
    /// The id or number of that case; may be left out where the caller reaches only one that it is in.
    #[serde(default)]
    pub case: Option<String>,
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
        let evidence = whole(view, id)?;
        let moved = match &self.folder {
            Some(folder) => moved(context, id, self.case.as_deref(), folder)?,
            None => None,
        };
        let title = self.title.unwrap_or_else(|| evidence.title.clone());
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
        let mut events: Vec<Event> = moved.into_iter().collect();
        if title != evidence.title || !fields.is_empty() {
            events.push(Event::EvidenceEdited(EvidenceEdited { id, title, fields }));
        }
        followed(context, id, events)
    }
}

impl Change for Tag {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Evidence>, Error> {
        let id = self.evidence;
        let view = &context.view;
        whole(view, id)?;
        let held = metadata::labels(view, id.uuid())?;
        let (added, removed) = metadata::change(
            &held,
            self.kind,
            &self.add,
            &self.remove,
            metadata::EVIDENCE,
        )?;
        if added.is_empty() && removed.is_empty() {
            return followed(context, id, Vec::new());
        }
        let changed = TagsChanged {
            what: Matter::Evidence(id),
            kind: self.kind.field(),
            added,
            removed,
        };
        followed(context, id, vec![Event::TagsChanged(changed)])
    }
}

/// Something is said of evidence: shares that go on follow, and what is being sent is judged again.
fn followed(
    context: &Context<'_>,
    id: EvidenceId,
    events: Vec<Event>,
) -> Result<Decided<Evidence>, Error> {
    let (said, reader) = (!events.is_empty(), Reader::from(context));
    let mut decided = Decided::new(events, move |view| shown(view, &reader, id));
    if said {
        decided = decided.then(Effect::Recheck);
        for partner in exchange::following(&context.view, &cases(&context.view, id)?)? {
            decided = decided.then(Effect::Nudge(partner));
        }
    }
    Ok(decided)
}

/// That evidence lies in another folder of a case: of the one that is named, or the only one that who asks reaches.
fn moved(
    context: &Context<'_>,
    id: EvidenceId,
    named: Option<&str>,
    folder: &str,
) -> Result<Option<Event>, Error> {
    let view = &context.view;
    Taken::check("file", folder, None)?;
    let reached = reach::among(view, &context.into(), id)?;
    let case = match named {
        Some(name) => {
            let (case, _) = decide::case(view, name)?;
            reach::check(view, context, "case.include", &About::Case(name.to_owned()))?;
            case
        }
        None => *reached.first().ok_or_else(|| missing(id))?,
    };
    if named.is_none() && reached.len() > 1 {
        let message = "this evidence is in several cases, and has a folder in each";
        return Err(Error::new(ErrorKind::Invalid, message)
            .hint("say which case is meant: interdocket evidence edit EVIDENCE --case CASE"));
    }
    let link = view.get(&table::CASE_EVIDENCE, &(case, id))?;
    let link = link.ok_or_else(|| outside(id))?;
    let included = EvidenceIncluded {
        evidence: id,
        case,
        folder: folder.to_owned(),
    };
    Ok((link.folder != folder).then_some(Event::EvidenceIncluded(included)))
}
