//! What is about to be deleted: shown before anything is.

use chrono::{DateTime, Utc};
use interdocket_sync::id::{CaseId, EvidenceId, ShareId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::delete::shared;
use super::hold::held;
use super::{erase, item, kept};
use crate::actions::decide;
use crate::actions::reach::{self, Reader};
use crate::actions::{Caller, Error, ErrorKind, Query};
use crate::event::{Matter, Why};
use crate::store::view::View;
use crate::store::{entity, table};

/// Lists what is about to be deleted, in the order in which it is: what somebody queued, and what retention policies
/// have deleted within the days that lie between queueing and deleting.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct Due {
    /// Continue after this page's `next`.
    #[serde(default)]
    pub after: Option<String>,
    /// Look at so many at most, 1 to 1,000; 100 where not said. What the caller does not reach is left out.
    #[serde(default)]
    pub limit: Option<u32>,
}

/// A page of what is about to be deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Page {
    /// What is.
    pub due: Vec<Subject>,
    /// Where the next page continues; none after the last.
    pub next: Option<String>,
}

/// A case or evidence that is about to be deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Subject {
    /// The case, or one that the evidence is in and the caller reaches.
    #[schemars(with = "Uuid")]
    pub case: CaseId,
    /// The number of the case.
    pub case_number: String,
    /// The evidence; none where it is the whole case.
    #[schemars(with = "Option<Uuid>")]
    pub evidence: Option<EvidenceId>,
    /// What it is.
    pub title: String,
    /// When it is deleted.
    pub on: DateTime<Utc>,
    /// Who wants it; nobody where retention policies say so.
    pub by: Option<String>,
    /// Why.
    pub reason: String,
    /// Whether a legal hold keeps it all the same.
    pub held: bool,
    /// Where its time has come: the share that has to be delivered, ended or revoked before.
    #[schemars(with = "Option<Uuid>")]
    pub waits_for: Option<ShareId>,
}

impl Query for Due {
    fn answer(&self, view: &View<'_>, caller: &Caller, now: DateTime<Utc>) -> Result<Page, Error> {
        let limit = decide::limit(self.limit)?;
        let after = self.after.as_deref().map(place).transpose()?;
        let rows = view.page(&table::QUEUE, &(), after.as_ref(), limit)?;
        let next = (rows.len() == limit).then(|| rows.last());
        let next = next.flatten();
        let mut page = Page {
            due: Vec::new(),
            next: next.map(|((on, id), ())| format!("{on}.{id}")),
        };
        for ((_, id), ()) in rows {
            let Some(queued) = view.get(&table::QUEUED, &id)? else {
                continue;
            };
            let reader = Reader::from(caller);
            let case = match queued.what {
                Matter::Case(case) => Some(case),
                Matter::Evidence(evidence) => {
                    reach::among(view, &reader, evidence)?.first().copied()
                }
            };
            if let Some(case) = case
                && reach::case(view, &reader, case)?
            {
                page.due.extend(subject(view, case, queued, now)?);
            }
        }
        Ok(page)
    }
}

/// Reads where a page continues.
fn place(text: &str) -> Result<(u64, Uuid), Error> {
    let parts = text.split_once('.');
    let read = parts.and_then(|(on, id)| Some((on.parse().ok()?, id.parse().ok()?)));
    read.ok_or_else(|| {
        let message = format!("\"{text}\" is not where a page continues");
        Error::new(ErrorKind::Invalid, message)
    })
}

/// As it is shown; none where its retention was changed since, so that it stays.
fn subject(
    view: &View<'_>,
    id: CaseId,
    queued: entity::Queued,
    now: DateTime<Utc>,
) -> Result<Option<Subject>, Error> {
    let what = queued.what;
    let (_, case) = decide::case(view, &id.to_string())?;
    let (evidence, title, kept) = match what {
        Matter::Evidence(id) => {
            let evidence = item(view, id)?;
            let kept = kept(view, id, evidence.dated_at)?;
            (Some(id), evidence.title, kept)
        }
        Matter::Case(_) => (None, case.title, None),
    };
    let (on, by, reason) = match queued.why {
        Why::Asked { by, reason } => (queued.on, by.map(|by| by.name), reason),
        Why::Retention => match kept {
            Some(kept) => (queued.on.max(kept), None, "retention policy".to_owned()),
            None => return Ok(None),
        },
    };
    Ok(Some(Subject {
        case: id,
        case_number: case.number,
        evidence,
        title,
        on,
        by,
        reason,
        held: held(view, what)?,
        waits_for: match what {
            _ if on > now => None,
            Matter::Evidence(id) => erase::owed(view, &erase::ever(view, id)?, id)?,
            Matter::Case(id) => shared(view, id)?,
        },
    }))
}
