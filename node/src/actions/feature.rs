//! Features of the organisation: which are on, and which a partner was last known to have.

use chrono::{DateTime, Utc};
use interdocket_sync::identity::OrganisationId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::decide::{Context, Decided, broken};
use super::{Caller, Change, Error, ErrorKind, Query};
use crate::event::{Event, PartnerFeatures};
use crate::features::{Feature, Features};
use crate::rules;
use crate::store::table;
use crate::store::view::View;

/// Lists every feature.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct List {}

/// Enables features; the others stay as they are.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Enable {
    /// Which ones.
    pub features: Features,
}

/// Disables features: no new share that needs them is made or taken. Those that there are go on.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Disable {
    /// Which ones.
    pub features: Features,
}

/// Every feature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Listed {
    /// All that there are.
    pub features: Vec<Shown>,
}

/// A feature as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Shown {
    /// Its name.
    pub name: Feature,
    /// What people call it.
    pub title: String,
    /// What it lets the organisation do.
    pub meaning: String,
    /// Whether it is on.
    pub enabled: bool,
}

impl Change for Enable {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Listed>, Error> {
        let held = context.node()?.features;
        let on = held.union(&self.features).copied().collect();
        set(context, &held, on)
    }
}

impl Change for Disable {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Listed>, Error> {
        let held = context.node()?.features;
        let on = held.difference(&self.features).copied().collect();
        set(context, &held, on)
    }
}

/// Has these be on; every partner is told at once.
fn set(context: &Context<'_>, held: &Features, on: Features) -> Result<Decided<Listed>, Error> {
    let listed = Listed::of(&on);
    let reply = |_: &View<'_>| Ok(listed);
    if on == *held {
        return Ok(Decided::new(Vec::new(), reply));
    }
    Decided::new(vec![Event::FeaturesSet(on)], reply).greeting(&context.view)
}

impl Query for List {
    fn answer(&self, view: &View<'_>, _: &Caller, _: DateTime<Utc>) -> Result<Listed, Error> {
        Ok(Listed::of(&of(view)?))
    }
}

impl Listed {
    fn of(on: &Features) -> Self {
        let shown = |feature: &Feature| Shown {
            name: *feature,
            title: feature.title().to_owned(),
            meaning: feature.meaning().to_owned(),
            enabled: on.contains(feature),
        };
        Self {
            features: Feature::ALL.iter().map(shown).collect(),
        }
    }
}

/// Those that are on here.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn of(view: &View<'_>) -> Result<Features, Error> {
    let node = view.get(&table::NODE, &())?;
    let node = node.ok_or_else(|| broken("the node's own record is missing"))?;
    Ok(node.features)
}

/// Refuses what needs a feature that is off here.
///
/// # Errors
/// `Conflict`.
pub fn require(view: &View<'_>, feature: Feature) -> Result<(), Error> {
    match of(view)?.contains(&feature) {
        true => Ok(()),
        false => Err(lacking(feature)),
    }
}

/// That a feature is off here.
pub fn lacking(feature: Feature) -> Error {
    let name = feature.name();
    let message = format!("this organisation has not enabled the feature {name}");
    Error::new(ErrorKind::Conflict, message).hint(format!(
        "ask your administrator to enable it: interdocket feature enable {name}"
    ))
}

/// That a feature is off at a partner.
pub fn lacking_at(partner: &str, feature: Feature) -> Error {
    let name = feature.name();
    let message = format!("\"{partner}\" has not enabled the feature {name}");
    Error::new(ErrorKind::Conflict, message).hint(format!(
        "ask its administrator to enable it there: interdocket feature enable {name}"
    ))
}

/// Whether a partner says that it has other features than it was known to have.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn news(view: &View<'_>, partner: OrganisationId, said: &Features) -> Result<bool, Error> {
    let known = view.get(&table::PARTNER, &partner)?;
    let known = known.filter(rules::trusts);
    Ok(known.is_some_and(|known| known.features.as_ref() != Some(said)))
}

/// Notes the features that a partner says it has, where it was known to have others.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn heard(
    context: &Context<'_>,
    partner: OrganisationId,
    said: Features,
) -> Result<Decided<()>, Error> {
    if !news(&context.view, partner, &said)? {
        return Ok(Decided::new(Vec::new(), |_| Ok(())));
    }
    let heard = PartnerFeatures {
        organisation: partner,
        features: said,
    };
    Ok(Decided::new(
        vec![Event::PartnerFeatures(heard)],
        |_| Ok(()),
    ))
}
