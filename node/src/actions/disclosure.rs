//! Disclosures: what of a case was chosen for guests, as it was at that moment.
//!
//! Invariant: nothing of one leaves this node but to its guests as they read it (`portal`); so nothing is signed to
//! anybody, no partner has to do with it, and ending one takes all of it back.

mod make;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use interdocket_sync::id::{CaseId, EvidenceId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::decide::{self, Context, Decided, Effect};
use super::share::{Attachment, Scope, Targets};
use super::{About, Action as _, Caller, Change, Error, ErrorKind, Query, Run, people, reach};
use super::{evidence, portal};
use crate::event::{self, Event};
use crate::node::Node;
use crate::store::view::View;
use crate::store::{entity, table};

/// Names what was disclosed to guests.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct DisclosureId(Uuid);

impl DisclosureId {
    /// Wraps a UUID.
    pub const fn new(id: Uuid) -> Self {
        Self(id)
    }

    /// The UUID itself.
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for DisclosureId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for DisclosureId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(Self)
    }
}

/// Discloses a case, or part of it, to guests: what a copy of it would have now, and nothing that comes later.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Make {
    /// The case's id or number.
    pub case: String,
    /// To whom: 1 to 16 guests of this node, by name or e-mail address.
    pub guests: Vec<String>,
    /// For how many days, 1 to 3,650; until it is ended, where left out.
    #[serde(default)]
    pub days: Option<u32>,
    /// Only these items of evidence; the entire case where empty.
    #[serde(default)]
    #[schemars(with = "Vec<uuid::Uuid>")]
    pub evidence: Vec<EvidenceId>,
    /// Only what lies in these folders or below; the entire case where empty.
    #[serde(default)]
    pub folders: Vec<String>,
    /// Which targets of the case; where left out all of them with the entire case, else none.
    #[serde(default)]
    pub targets: Option<Targets>,
    /// A message to them.
    #[serde(default)]
    pub message: String,
    /// What goes along with the evidence; markers, where left out.
    #[serde(default)]
    pub attachments: Option<BTreeSet<Attachment>>,
}

/// Adds evidence to a disclosure, as it is now. What is in it already stays as it is there.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Update {
    /// The disclosure's id.
    pub disclosure: DisclosureId,
    /// Only these items of evidence; what is new in what was chosen first, where empty.
    #[serde(default)]
    #[schemars(with = "Vec<uuid::Uuid>")]
    pub evidence: Vec<EvidenceId>,
    /// Only what lies in these folders or below; what is new in what was chosen first, where empty.
    #[serde(default)]
    pub folders: Vec<String>,
}

/// Ends a disclosure: from now on none of its guests reads it, also not what they are about to read. What they
/// downloaded is theirs.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct End {
    /// The disclosure's id.
    pub disclosure: DisclosureId,
}

/// Lists disclosures.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct List {
    /// Only those of this case, by id or number.
    #[serde(default)]
    pub case: Option<String>,
    /// Continue after this page's `next`.
    #[serde(default)]
    pub after: Option<String>,
    /// At most so many, 1 to 1,000; 100 where not said.
    #[serde(default)]
    pub limit: Option<u32>,
}

/// Shows a disclosure with its evidence, as guests see it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Show {
    /// The disclosure's id.
    pub disclosure: DisclosureId,
    /// Continue after this page's `next`.
    #[serde(default)]
    pub after: Option<String>,
    /// At most so many items of evidence, 1 to 1,000; 100 where not said.
    #[serde(default)]
    pub limit: Option<u32>,
}

/// A disclosure as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Disclosure {
    /// Its id.
    pub id: DisclosureId,
    /// The case.
    #[schemars(with = "uuid::Uuid")]
    pub case: CaseId,
    /// Its number; none once the case was deleted.
    pub case_number: Option<String>,
    /// How it stands.
    pub status: Status,
    /// The guests, by name.
    pub guests: Vec<String>,
    /// Who made it.
    pub made_by: Option<String>,
    /// When.
    pub made_at: DateTime<Utc>,
    /// Until when it can be read, where that is for a number of days.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// What was chosen of the case.
    pub scope: Scope,
    /// What goes along with its evidence.
    pub attachments: BTreeSet<Attachment>,
    /// How many items were disclosed.
    pub evidence: u64,
    /// How many of them were deleted here since: guests do not see them any more.
    pub deleted: u64,
}

/// How a disclosure stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Its guests read it, as long as there is a portal and they are not disabled.
    Active,
    /// Its case was deleted.
    Deleted,
    /// It was ended.
    Ended,
    /// Its time is up.
    Expired,
}

/// A page of disclosures.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Page {
    /// The disclosures.
    pub disclosures: Vec<Disclosure>,
    /// Where the next page continues; none after the last.
    pub next: Option<String>,
}

/// A disclosure with some of its evidence.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Shown {
    /// The disclosure.
    #[serde(flatten)]
    pub disclosure: Disclosure,
    /// Evidence, in the order of its ids, as guests see it.
    pub items: Vec<portal::Item>,
    /// Where the next page continues; none after the last.
    pub next: Option<String>,
}

impl Change for End {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Disclosure>, Error> {
        let id = self.disclosure;
        let held = found(&context.view, id)?;
        let ended = event::Disclosed {
            disclosure: id,
            case: held.case,
        };
        let events = match held.ended_at {
            Some(_) => Vec::new(),
            None => vec![Event::DisclosureEnded(ended)],
        };
        let now = context.now;
        Ok(Decided::new(events, move |view| shown(view, id, now)).then(Effect::Recheck))
    }
}

impl Query for List {
    fn answer(&self, view: &View<'_>, caller: &Caller, now: DateTime<Utc>) -> Result<Page, Error> {
        let limit = decide::limit(self.limit)?;
        let mut after: Option<DisclosureId> = decide::after(self.after.as_deref())?;
        let case = self.case.as_deref().map(|name| decide::case(view, name));
        let case = case.transpose()?.map(|(id, _)| id);
        let mut disclosures: Vec<Disclosure> = Vec::new();
        // Nothing out of reach is in a page, or where it continues: not even an id.
        loop {
            let ids = ids(view, case, after)?;
            let whole = ids.len() < ROWS;
            for id in ids {
                if disclosures.len() == limit {
                    let next = disclosures.last().map(|last| last.id.to_string());
                    return Ok(Page { disclosures, next });
                }
                after = Some(id);
                if reach::check(view, caller, Show::NAME, &About::Disclosure(id)).is_ok() {
                    disclosures.push(shown(view, id, now)?);
                }
            }
            if whole {
                let next = None;
                return Ok(Page { disclosures, next });
            }
        }
    }
}

fn ids(
    view: &View<'_>,
    case: Option<CaseId>,
    after: Option<DisclosureId>,
) -> Result<Vec<DisclosureId>, Error> {
    let Some(case) = case else {
        let rows = view.page(&table::DISCLOSURE, &(), after.as_ref(), ROWS)?;
        return Ok(rows.into_iter().map(|(id, _)| id).collect());
    };
    let after = after.map(|id| (case, id));
    let rows = view.page(&table::CASE_DISCLOSURE, &case, after.as_ref(), ROWS)?;
    Ok(rows.into_iter().map(|((_, id), ())| id).collect())
}

impl Run for Show {
    async fn run(self, node: &Node, caller: &Caller) -> Result<Shown, Error> {
        node.permit(caller, &self).await?;
        let limit = decide::limit(self.limit)?;
        let after: Option<EvidenceId> = decide::after(self.after.as_deref())?;
        let (of, now) = (node.clone(), node.parts().clock.now());
        node.read(move |view| {
            let id = self.disclosure;
            let disclosure = shown(view, id, now)?;
            let (items, next) = portal::items(&of, view, id, after, limit)?;
            Ok(Shown {
                disclosure,
                items,
                next,
            })
        })
        .await
    }
}

fn found(view: &View<'_>, id: DisclosureId) -> Result<entity::Disclosure, Error> {
    view.get(&table::DISCLOSURE, &id)?
        .ok_or_else(|| missing(id))
}

/// That there is no disclosure with this id, or none for this caller.
pub fn missing(id: DisclosureId) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no disclosure {id}"))
        .hint("list them: interdocket disclosure list")
}

fn shown(view: &View<'_>, id: DisclosureId, now: DateTime<Utc>) -> Result<Disclosure, Error> {
    let held = found(view, id)?;
    let case = view.get(&table::CASE, &held.case)?;
    let guests = held.guests.iter().map(|guest| people::of(view, *guest));
    let guests = guests.collect::<Result<Vec<String>, Error>>()?;
    let status = match &held {
        held if held.ended_at.is_some() => Status::Ended,
        held if held.said.is_none() => Status::Deleted,
        held if held.expired(now) => Status::Expired,
        _ => Status::Active,
    };
    Ok(Disclosure {
        id,
        case: held.case,
        case_number: case.map(|case| case.number),
        status,
        guests,
        made_by: held.by.map(|by| by.name),
        made_at: held.made_at,
        expires_at: held.until,
        ended_at: held.ended_at,
        scope: held.scope,
        attachments: held.attachments,
        evidence: held.evidence,
        deleted: held.deleted,
    })
}

/// Disclosures that are looked at together.
const ROWS: usize = 256;
