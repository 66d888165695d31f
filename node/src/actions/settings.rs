//! Settings of the organisation: what its administrators decide for everybody.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::decide::{Context, Decided, broken};
use super::{Caller, Change, Error, Query};
use crate::event::Event;
use crate::store::table;
use crate::store::view::View;

/// Shows what is set.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct Show {}

/// Sets what is named; the rest stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct Set {
    /// Whether a case is changed only by who made it, who is assigned to it, and who reaches every case.
    #[serde(default)]
    pub restrict_edit: Option<bool>,
}

/// What is set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Settings {
    /// Whether a case is changed only by who made it, who is assigned to it, and who reaches every case.
    pub restrict_edit: bool,
}

impl Change for Set {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Settings>, Error> {
        let held = context.node()?.settings;
        let set = Settings {
            restrict_edit: self.restrict_edit.unwrap_or(held.restrict_edit),
        };
        let events = match set == held {
            true => Vec::new(),
            false => vec![Event::SettingsSet(set)],
        };
        Ok(Decided::new(events, move |_| Ok(set)))
    }
}

impl Query for Show {
    fn answer(&self, view: &View<'_>, _: &Caller, _: DateTime<Utc>) -> Result<Settings, Error> {
        of(view)
    }
}

/// What is set.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn of(view: &View<'_>) -> Result<Settings, Error> {
    let node = view.get(&table::NODE, &())?;
    let node = node.ok_or_else(|| broken("the node's own record is missing"))?;
    Ok(node.settings)
}
