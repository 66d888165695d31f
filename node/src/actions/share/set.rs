//! Share sets: shares that were made together, as their owner lists them.
//!
//! A set is the owner's own bookkeeping: no partner learns of it, or of who else is in it.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use interdocket_sync::id::{CaseId, ShareId};
use interdocket_sync::identity::OrganisationId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Status, lacking, stands};
use crate::actions::decide;
use crate::actions::partner::Kind;
use crate::actions::{Caller, Error, Query, feature, people, reach};
use crate::features::Feature;
use crate::store::view::View;
use crate::store::{entity, table};

/// Names a share set, at its owner only.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct SetId(Uuid);

impl SetId {
    /// Wraps a UUID.
    pub const fn new(id: Uuid) -> Self {
        Self(id)
    }

    /// The UUID itself.
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for SetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for SetId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(Self)
    }
}

/// Lists share sets.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct Sets {
    /// Continue after this page's `next`.
    #[serde(default)]
    pub after: Option<String>,
    /// At most so many, 1 to 1,000; 100 where not said.
    #[serde(default)]
    pub limit: Option<u32>,
}

/// A share set as listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Set {
    /// Its id.
    pub id: SetId,
    /// The case that is shared.
    #[schemars(with = "uuid::Uuid")]
    pub case: CaseId,
    /// The case's number; its id where the record of it can't be read.
    pub case_number: String,
    /// What kind its shares are.
    pub kind: Kind,
    /// Who made it.
    pub made_by: String,
    /// When it was made.
    pub made_at: DateTime<Utc>,
    /// The message to the recipients.
    pub message: String,
    /// Whether targets that are added to the case later are shared by themselves.
    pub all_targets: bool,
    /// The units and groups to which the case was given together with it.
    pub units: Vec<String>,
    /// Its shares, one for each partner, in the order in which the partners were named.
    pub shares: Vec<InSet>,
}

/// A share as listed in its set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InSet {
    /// Its id.
    #[schemars(with = "uuid::Uuid")]
    pub id: ShareId,
    /// The partner.
    #[schemars(with = "String")]
    pub partner: OrganisationId,
    /// The name it has here.
    pub partner_name: String,
    /// The people there who should have it.
    pub recipients: Vec<String>,
    /// How it stands.
    pub status: Status,
}

/// A page of share sets.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct SetPage {
    /// The sets.
    pub sets: Vec<Set>,
    /// Where the next page continues; none after the last.
    pub next: Option<String>,
}

impl Query for Sets {
    fn answer(
        &self,
        view: &View<'_>,
        caller: &Caller,
        now: DateTime<Utc>,
    ) -> Result<SetPage, Error> {
        feature::require(view, Feature::NewUiCaseSharesManagement)?;
        let limit = decide::limit(self.limit)?;
        let mut after = decide::after(self.after.as_deref())?;
        let mut sets: Vec<Set> = Vec::new();
        // Nothing out of reach is in a page, or where it continues: not even an id.
        loop {
            let rows = view.page(&table::SET, &(), after.as_ref(), ROWS)?;
            let whole = rows.len() < ROWS;
            for (id, set) in rows {
                if sets.len() == limit {
                    let next = sets.last().map(|set| set.id.to_string());
                    return Ok(SetPage { sets, next });
                }
                after = Some(id);
                if reach::case(view, &caller.into(), set.case)? {
                    sets.push(listed(view, id, set, now)?);
                }
            }
            if whole {
                return Ok(SetPage { sets, next: None });
            }
        }
    }
}

/// Rows that are looked at together.
const ROWS: usize = 256;

fn listed(view: &View<'_>, id: SetId, set: entity::Set, now: DateTime<Utc>) -> Result<Set, Error> {
    let case = view.get(&table::CASE, &set.case)?;
    let shares = view.page(&table::SET_SHARE, &id, None, usize::MAX)?;
    let shares = shares
        .into_iter()
        .map(|(_, share)| member(view, share, now));
    let units = set.units.iter().map(|unit| people::of(view, *unit));
    Ok(Set {
        id,
        case: set.case,
        case_number: case.map_or_else(|| set.case.to_string(), |case| case.number),
        kind: set.kind,
        made_by: set.made_by,
        made_at: set.made_at,
        message: set.message,
        all_targets: set.all_targets,
        units: units.collect::<Result<_, _>>()?,
        shares: shares.collect::<Result<_, _>>()?,
    })
}

fn member(view: &View<'_>, id: ShareId, now: DateTime<Utc>) -> Result<InSet, Error> {
    let share = decide::share(view, id)?;
    let partner = share.header.partner;
    let known = view.get(&table::PARTNER, &partner)?;
    let lacks = known
        .as_ref()
        .and_then(|known| lacking(&share.header, known));
    Ok(InSet {
        id,
        partner,
        partner_name: known.map_or_else(|| partner.to_string(), |known| known.name),
        status: stands(&share, lacks, now),
        recipients: share.recipients,
    })
}
