//! Partners: pairing with them, what is enabled with each, and how it stands.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::log::Side;
use interdocket_sync::share::{self, status};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::decide::{self, Context, Decided, Effect, broken};
use super::share::{Mode, Policy};
use super::{Caller, Change, Error, ErrorKind, Query};
use crate::event::{Bytes, Event, InboundSet, PartnerEnabled, PartnerHandedOver, PolicySet};
use crate::features::Features;
use crate::rules;
use crate::store::view::View;
use crate::store::{entity, table};

/// Makes an invitation to pair: valid for 24 hours, burnt by use or three wrong tries.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct Invite {}

/// Accepts a partner's invitation: talks to its pairing listener, and shows the words to compare.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Accept {
    /// The line that the partner's administrator handed over.
    pub invitation: String,
}

/// Confirms that the partner's administrator sees the same words.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Confirm {
    /// The partner's name or id.
    pub partner: String,
}

/// Lists partners.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct List {}

/// Shows a partner.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Show {
    /// Its name or id.
    pub partner: String,
}

/// Enables kinds of shares, each way; these replace what was enabled before.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Enable {
    /// The partner's name or id.
    pub partner: String,
    /// What may be sent to it.
    #[serde(default)]
    pub send: BTreeSet<Kind>,
    /// What may come from it: the administrator's standing acceptance.
    #[serde(default)]
    pub receive: BTreeSet<Kind>,
}

/// Sets what advanced shares with a partner allow; those that were made before keep what they have.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct SetPolicy {
    /// The partner's name or id.
    pub partner: String,
    /// Where the files of a share are.
    pub mode: Mode,
    /// Whether people there may keep what they read.
    #[serde(default)]
    pub download: bool,
    /// Whether imports are granted; a justice organisation always may import.
    #[serde(default)]
    pub import: bool,
    /// Whether recipients may add people of their own organisation.
    #[serde(default)]
    pub onward: bool,
}

/// Sets what becomes of what a partner offers, of the kinds that may come from it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct SetInbound {
    /// The partner's name or id.
    pub partner: String,
    /// From now on; what waits already goes on waiting.
    pub inbound: Inbound,
}

/// Suspends a partner: cuts its connections and refuses every further call.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Suspend {
    /// The partner's name or id.
    pub partner: String,
}

/// Resumes a suspended partner.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Resume {
    /// The partner's name or id.
    pub partner: String,
}

/// Removes a partner: it is not trusted any more. What it shared stays.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Remove {
    /// The partner's name or id.
    pub partner: String,
}

/// Explains what is wrong with a partner, and what to do.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Doctor {
    /// The partner's name or id.
    pub partner: String,
}

/// A kind of share.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Read at its owner for a number of days; nothing of it is kept.
    Reference,
    /// A copy that becomes the partner's own.
    Copy,
    /// Follows the case while it is shared, as the policy has it.
    Advanced,
}

impl Kind {
    /// The kind of a share.
    pub const fn of(kind: share::Kind) -> Self {
        match kind {
            share::Kind::Reference(_) => Self::Reference,
            share::Kind::Copy => Self::Copy,
            share::Kind::Advanced(_) => Self::Advanced,
        }
    }
}

/// What becomes of what a partner offers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Inbound {
    /// It is taken at once: the administrator's standing acceptance.
    #[default]
    Direct,
    /// It waits, seen by nobody else, until an administrator finalises or declines it.
    Finalise,
}

/// What an organisation does.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum OrganisationRole {
    /// Investigates: police, a lab, an inspectorate.
    Investigation,
    /// Prosecutes, defends or judges.
    Justice,
}

/// An invitation, shown once.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Invitation {
    /// The line to hand to the partner's administrator.
    pub invitation: String,
    /// When it stops being valid.
    pub expires_at: DateTime<Utc>,
}

/// A partner as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Partner {
    /// Its id: the hash of its first root.
    #[schemars(with = "String")]
    pub id: OrganisationId,
    /// The name it has here.
    pub name: String,
    /// What the organisation does.
    pub role: OrganisationRole,
    /// How far trust goes.
    pub state: State,
    /// The words that both administrators compare, while confirmation waits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<String>,
    /// Where it can be dialled; none where only it dials.
    pub address: Option<String>,
    /// What may be sent to it.
    pub send: BTreeSet<Kind>,
    /// What may come from it.
    pub receive: BTreeSet<Kind>,
    /// What advanced shares with it allow; none can be made without.
    pub policy: Option<Policy>,
    /// The features that it last said it has; nothing where it has not said so yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<Features>,
    /// The kinds of shares that can be made with it now: nothing on either side stands against them.
    pub available: BTreeSet<Kind>,
    /// What becomes of what it offers.
    pub inbound: Inbound,
    /// Whether there is contact now.
    pub connected: bool,
    /// When it was last heard from.
    pub last_contact: Option<DateTime<Utc>>,
    /// How many changes wait for it.
    pub behind: u64,
    /// Since when the oldest of them waits.
    pub behind_since: Option<DateTime<Utc>>,
}

/// How far trust in a partner goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The words wait to be compared here.
    Unconfirmed,
    /// Trusted here; whether there, contact shows.
    Active,
    /// Every call is refused.
    Suspended,
}

/// All partners.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Partners {
    /// By name.
    pub partners: Vec<Partner>,
}

/// What an examination of a partner found.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Findings {
    /// Whether everything that was looked at is in order.
    pub healthy: bool,
    /// In the order in which they were looked at.
    pub findings: Vec<Finding>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// What was looked at.
    pub subject: String,
    /// Whether it is in order.
    pub ok: bool,
    /// What was found.
    pub finding: String,
    /// What to do; none where it is in order.
    pub advice: Option<String>,
}

impl Change for Confirm {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Partner>, Error> {
        let (id, partner) = decide::partner(&context.view, &self.partner)?;
        if partner.state != State::Unconfirmed {
            return Ok(Decided::new(Vec::new(), move |view| shown(view, id)));
        }
        Ok(
            Decided::new(vec![Event::PartnerConfirmed(id)], move |view| {
                shown(view, id)
            })
            .then(pin(id, partner))
            .then(Effect::Nudge(id)),
        )
    }
}

impl Change for Enable {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Partner>, Error> {
        let (id, partner) = decide::partner(&context.view, &self.partner)?;
        if partner.state == State::Unconfirmed {
            return Err(unconfirmed(&partner.name));
        }
        let enabled = PartnerEnabled {
            organisation: id,
            send: self.send,
            receive: self.receive,
        };
        Ok(
            Decided::new(vec![Event::PartnerEnabled(enabled)], move |view| {
                shown(view, id)
            })
            .then(Effect::Recheck)
            .then(Effect::Greet(id)),
        )
    }
}

impl Change for SetPolicy {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Partner>, Error> {
        let (id, partner) = decide::partner(&context.view, &self.partner)?;
        let policy = Policy {
            mode: self.mode,
            download: self.download,
            import: self.import,
            onward: self.onward,
        }
        .terms();
        if !rules::assignable(&partner, policy) {
            let message = format!("\"{}\" is a justice organisation", partner.name);
            return Err(Error::new(ErrorKind::Conflict, message)
                .hint("it must not depend on what can be revoked: allow imports"));
        }
        let set = PolicySet {
            organisation: id,
            policy,
        };
        Ok(Decided::new(vec![Event::PolicySet(set)], move |view| {
            shown(view, id)
        }))
    }
}

impl Change for SetInbound {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Partner>, Error> {
        let (id, partner) = decide::partner(&context.view, &self.partner)?;
        let set = InboundSet {
            organisation: id,
            inbound: self.inbound,
        };
        let news = partner.inbound != self.inbound;
        let events = Vec::from_iter(news.then_some(Event::InboundSet(set)));
        Ok(Decided::new(events, move |view| shown(view, id)))
    }
}

impl Change for Suspend {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Partner>, Error> {
        let (id, partner) = decide::partner(&context.view, &self.partner)?;
        let events = match partner.state {
            State::Unconfirmed => return Err(unconfirmed(&partner.name)),
            State::Active => vec![Event::PartnerSuspended(id)],
            State::Suspended => Vec::new(),
        };
        Ok(Decided::new(events, move |view| shown(view, id))
            .then(Effect::Recheck)
            .then(Effect::Cut(id)))
    }
}

impl Change for Resume {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Partner>, Error> {
        let (id, partner) = decide::partner(&context.view, &self.partner)?;
        let events = match partner.state {
            State::Unconfirmed => return Err(unconfirmed(&partner.name)),
            State::Active => Vec::new(),
            State::Suspended => vec![Event::PartnerResumed(id)],
        };
        Ok(Decided::new(events, move |view| shown(view, id))
            .then(pin(id, partner))
            .then(Effect::Nudge(id)))
    }
}

/// Notes that a partner handed over to another root: from then on nobody connects as that partner by an older
/// one, and who does already is cut off.
///
/// # Errors
/// Where the tables can't be read.
pub fn handed_over(
    context: &Context<'_>,
    id: OrganisationId,
    root: Vec<u8>,
) -> Result<Decided<()>, Error> {
    let partner = context.view.get(&table::PARTNER, &id)?;
    let root = Bytes(root);
    let news = |partner: &entity::Partner| partner.later.as_ref() != Some(&root);
    let Some(mut partner) = partner.filter(rules::trusts).filter(news) else {
        return Ok(Decided::new(Vec::new(), |_| Ok(())));
    };
    partner.later = Some(root.clone());
    let handed = PartnerHandedOver {
        organisation: id,
        root,
    };
    let events = vec![Event::PartnerHandedOver(handed)];
    Ok(Decided::new(events, |_| Ok(()))
        .then(Effect::Cut(id))
        .then(pin(id, partner))
        .then(Effect::Nudge(id)))
}

fn pin(id: OrganisationId, partner: entity::Partner) -> Effect {
    Effect::Pin(id, partner.root.0, partner.later.map(|root| root.0))
}

impl Change for Remove {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Partner>, Error> {
        let (id, partner) = decide::partner(&context.view, &self.partner)?;
        let last = Partner::of(&context.view, id, partner)?;
        Ok(
            Decided::new(vec![Event::PartnerRemoved(id)], move |_| Ok(last))
                .then(Effect::Recheck)
                .then(Effect::Cut(id)),
        )
    }
}

impl Query for Show {
    fn answer(&self, view: &View<'_>, _: &Caller, _: DateTime<Utc>) -> Result<Partner, Error> {
        let (id, partner) = decide::partner(view, &self.partner)?;
        Partner::of(view, id, partner)
    }
}

impl Query for List {
    fn answer(&self, view: &View<'_>, _: &Caller, _: DateTime<Utc>) -> Result<Partners, Error> {
        let mut partners = Vec::new();
        for (_, id) in view.page(&table::PARTNER_NAME, &(), None, usize::MAX)? {
            partners.push(shown(view, id)?);
        }
        Ok(Partners { partners })
    }
}

impl Partner {
    /// A partner as far as the tables know it: contact is added by who knows of connections.
    ///
    /// # Errors
    /// [`Error`] where the tables fail.
    pub fn of(
        view: &View<'_>,
        id: OrganisationId,
        partner: entity::Partner,
    ) -> Result<Self, Error> {
        let (behind, behind_since) = behind(view, id)?;
        let available = available(view, &partner)?;
        Ok(Self {
            id,
            name: partner.name,
            role: partner.role,
            state: partner.state,
            words: partner.words,
            address: partner.address,
            send: partner.send,
            receive: partner.receive,
            policy: partner
                .policy
                .and_then(|policy| Policy::of(share::Kind::Advanced(policy))),
            features: partner.features,
            available,
            inbound: partner.inbound,
            connected: false,
            last_contact: None,
            behind,
            behind_since,
        })
    }
}

/// The kinds of shares that can be made with a partner now.
fn available(view: &View<'_>, partner: &entity::Partner) -> Result<BTreeSet<Kind>, Error> {
    let node = view.get(&table::NODE, &())?;
    let node = node.ok_or_else(|| broken("the node's own record is missing"))?;
    let ready = |kind: &Kind| {
        let terms = *kind != Kind::Advanced || partner.policy.is_some();
        terms && rules::offering(&node, partner, *kind).is_none()
    };
    let kinds = [Kind::Reference, Kind::Copy, Kind::Advanced];
    Ok(kinds.into_iter().filter(ready).collect())
}

/// How many changes wait for a partner, and since when the oldest of them does.
pub fn behind(
    view: &View<'_>,
    partner: OrganisationId,
) -> Result<(u64, Option<DateTime<Utc>>), Error> {
    let mut count = 0;
    let mut since: Option<DateTime<Utc>> = None;
    for ((_, id), ()) in view.page(&table::OUTBOX, &partner, None, usize::MAX)? {
        let share = view
            .get(&table::SHARE, &id)?
            .ok_or_else(|| broken("a share is missing"))?;
        let own = if share.header.partner == partner {
            Side::Owner
        } else {
            Side::Partner
        };
        count += status::behind(&share.header, own, share.waits());
        since = match (since, share.behind_since) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }
    Ok((count, since))
}

fn shown(view: &View<'_>, id: OrganisationId) -> Result<Partner, Error> {
    let partner = view
        .get(&table::PARTNER, &id)?
        .ok_or_else(|| broken("a partner is missing"))?;
    Partner::of(view, id, partner)
}

fn unconfirmed(name: &str) -> Error {
    Error::new(
        ErrorKind::Conflict,
        format!("\"{name}\" is not confirmed yet"),
    )
    .hint(format!(
        "compare the words with its administrator, then: interdocket partner confirm \"{name}\""
    ))
}
