//! Settings of the organisation: what its administrators decide for everybody.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::decide::{Context, Decided, Effect, bounded, broken};
use super::{Caller, Change, Error, ErrorKind, Query, retention};
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
    /// What is shown before anybody signs in; empty for the text that every node has.
    #[serde(default)]
    pub banner: Option<String>,
    /// How many days lie between that something is queued for deletion and that it is deleted; 0 for at once.
    #[serde(default)]
    pub deletion_days: Option<u32>,
    /// Whether there is a portal: where guests sign in and read what was disclosed to them.
    #[serde(default)]
    pub disclosure_portal: Option<bool>,
}

/// What is set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Settings {
    /// Whether a case is changed only by who made it, who is assigned to it, and who reaches every case.
    pub restrict_edit: bool,
    /// What is shown before anybody signs in; empty for the text that every node has.
    pub banner: String,
    /// How many days lie between that something is queued for deletion and that it is deleted; 0 for at once.
    pub deletion_days: u32,
    /// Whether there is a portal: where guests sign in and read what was disclosed to them.
    #[serde(default)]
    pub disclosure_portal: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            restrict_edit: false,
            banner: String::new(),
            deletion_days: 7,
            disclosure_portal: false,
        }
    }
}

impl Change for Set {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Settings>, Error> {
        let held = context.node()?.settings;
        let set = Settings {
            restrict_edit: self.restrict_edit.unwrap_or(held.restrict_edit),
            banner: match self.banner {
                Some(banner) => shown(&banner)?,
                None => held.banner.clone(),
            },
            deletion_days: self.deletion_days.unwrap_or(held.deletion_days),
            disclosure_portal: self.disclosure_portal.unwrap_or(held.disclosure_portal),
        };
        if set.deletion_days > retention::DAYS_MAX {
            let message = format!("at most {} days can be waited", retention::DAYS_MAX);
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        let events = match set == held {
            true => Vec::new(),
            false => vec![Event::SettingsSet(set.clone())],
        };
        Ok(Decided::new(events, move |_| Ok(set)).then(Effect::Recheck))
    }
}

impl Query for Show {
    fn answer(&self, view: &View<'_>, _: &Caller, _: DateTime<Utc>) -> Result<Settings, Error> {
        of(view)
    }
}

/// A text that is shown as it is, on several lines.
fn shown(text: &str) -> Result<String, Error> {
    let text = text.trim();
    if text
        .chars()
        .any(|char| char != '\n' && crate::text::is_hidden(char))
    {
        let message = "the banner has characters that nobody sees";
        return Err(Error::new(ErrorKind::Invalid, message).hint("write it as plain text"));
    }
    bounded("banner", text, BANNER_MAX)
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

/// Room for what authorities ask to be said.
const BANNER_MAX: usize = 2048;
