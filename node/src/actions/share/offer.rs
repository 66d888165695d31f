//! Sharing a case with a partner: by reference, as a copy, or as an advanced share.

use chrono::TimeDelta;
use interdocket_sync::id::{CaseId, EvidenceId, ShareId};
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::limits;
use interdocket_sync::log::entry as log_entry;
use interdocket_sync::share::decide::Command;
use interdocket_sync::share::terms::{FORMAT, Terms};
use interdocket_sync::share::{self as sync, apply};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Scope, Share, shown};
use crate::actions::decide::{self, Context, Decided, Effect, bounded, broken, line};
use crate::actions::partner::Kind;
use crate::actions::{Change, Error, ErrorKind, exchange};
use crate::event::{Bytes, Event, ShareMade, ShareWidened};
use crate::rules::{self, Against};
use crate::store::project::ShareFacts;
use crate::store::{entity, table};

/// Shares a copy of a case, or of part of it, with a partner.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Copy {
    /// The case's id or number.
    pub case: String,
    /// The partner's name or id.
    pub partner: String,
    /// Only these items of evidence; the entire case where empty.
    #[serde(default)]
    #[schemars(with = "Vec<uuid::Uuid>")]
    pub evidence: Vec<EvidenceId>,
    /// Only what lies in these folders or below; the entire case where empty.
    #[serde(default)]
    pub folders: Vec<String>,
    /// The people there who should have it, as the partner knows them.
    #[serde(default)]
    pub recipients: Vec<String>,
    /// A message to them.
    #[serde(default)]
    pub message: String,
}

/// Opens a case, or part of it, to people at a partner for a number of days: they read it here.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Reference {
    /// The case's id or number.
    pub case: String,
    /// The partner's name or id.
    pub partner: String,
    /// For how many days, 1 to 3,650.
    pub days: u32,
    /// Only these items of evidence; the entire case where empty.
    #[serde(default)]
    #[schemars(with = "Vec<uuid::Uuid>")]
    pub evidence: Vec<EvidenceId>,
    /// Only what lies in these folders or below; the entire case where empty.
    #[serde(default)]
    pub folders: Vec<String>,
    /// The people there who may use it, as the partner knows them: at least one.
    pub recipients: Vec<String>,
    /// A message to them.
    #[serde(default)]
    pub message: String,
}

/// Shares a case, or part of it, as it goes on: what changes is sent by itself, under the policy that the
/// administrator has set for the partner.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Advanced {
    /// The case's id or number.
    pub case: String,
    /// The partner's name or id.
    pub partner: String,
    /// Only these items of evidence, and nothing by itself; the entire case where empty.
    #[serde(default)]
    #[schemars(with = "Vec<uuid::Uuid>")]
    pub evidence: Vec<EvidenceId>,
    /// Only what lies in these folders or below, now and later; the entire case where empty.
    #[serde(default)]
    pub folders: Vec<String>,
    /// The people there who may use it, as the partner knows them: at least one.
    pub recipients: Vec<String>,
    /// A message to them.
    #[serde(default)]
    pub message: String,
}

/// What all three ways have in common.
struct Offer {
    case: String,
    partner: String,
    evidence: Vec<EvidenceId>,
    folders: Vec<String>,
    recipients: Vec<String>,
    message: String,
}

impl Change for Copy {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Share>, Error> {
        let offer = Offer {
            case: self.case,
            partner: self.partner,
            evidence: self.evidence,
            folders: self.folders,
            recipients: self.recipients,
            message: self.message,
        };
        offer.decide(context, Kind::Copy, |_, _| Ok(sync::Kind::Copy))
    }
}

impl Change for Reference {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Share>, Error> {
        if !(1..=DAYS_MAX).contains(&self.days) {
            let message = format!("a reference is for 1 to {DAYS_MAX} days, not {}", self.days);
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        let days = TimeDelta::days(self.days.into());
        let offer = Offer {
            case: self.case,
            partner: self.partner,
            evidence: self.evidence,
            folders: self.folders,
            recipients: named(self.recipients)?,
            message: self.message,
        };
        offer.decide(context, Kind::Reference, |context, _| {
            Ok(sync::Kind::Reference(context.now + days))
        })
    }
}

impl Change for Advanced {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Share>, Error> {
        let offer = Offer {
            case: self.case,
            partner: self.partner,
            evidence: self.evidence,
            folders: self.folders,
            recipients: named(self.recipients)?,
            message: self.message,
        };
        offer.decide(context, Kind::Advanced, |_, partner| {
            let policy = partner.policy.ok_or_else(|| {
                let message = format!(
                    "no policy is set for advanced shares with \"{}\"",
                    partner.name
                );
                Error::new(ErrorKind::Forbidden, message).hint(format!(
                    "ask an administrator to set it: interdocket partner policy \"{}\"",
                    partner.name
                ))
            })?;
            Ok(sync::Kind::Advanced(policy))
        })
    }
}

impl Offer {
    fn decide(
        self,
        context: &mut Context<'_>,
        kind: Kind,
        terms: impl FnOnce(&Context<'_>, &entity::Partner) -> Result<sync::Kind, Error>,
    ) -> Result<Decided<Share>, Error> {
        let (case_id, case) = decide::case(&context.view, &self.case)?;
        let (partner_id, partner) = decide::partner(&context.view, &self.partner)?;
        let node = context.node()?;
        sendable(&node, &partner, kind)?;
        decide::whole(&context.view, case_id.uuid())?;
        let chosen = choose(context, case_id, &self.evidence, &self.folders)?;
        // What lives may begin empty: what is added later is shared by itself.
        if chosen.is_empty() && (kind == Kind::Copy || !self.evidence.is_empty()) {
            let message = format!("nothing of case \"{}\" was chosen", case.number);
            return Err(Error::new(ErrorKind::Invalid, message)
                .hint("add evidence first, or choose other folders"));
        }
        let share = ShareId::new(context.id());
        let terms = Terms {
            share,
            owner: node.organisation,
            partner: partner_id,
            kind: terms(context, &partner)?,
            format: FORMAT,
            created: context.now,
        }
        .sign(context.signer);
        let header = apply::open(&terms);
        let recipients = bounded_recipients(&self.recipients)?;
        let message = bounded("message", self.message.trim(), limits::MESSAGE_TEXT_MAX)?;
        let offered = log_entry::Offered {
            actor: exchange::actor(context)?,
            case: case_id,
            info: log_entry::CaseInfo {
                number: case.number,
                title: case.title,
                description: case.description,
            },
            recipients: recipients.clone(),
            message: message.clone(),
        };
        let scope = match (self.evidence.is_empty(), self.folders.is_empty()) {
            (true, true) => Scope::Entire,
            (true, false) => Scope::Folders(folders(&self.folders)?),
            (false, _) => Scope::Selected,
        };
        let selected = scope == Scope::Selected;
        let made = ShareMade {
            share,
            case: case_id,
            terms: Bytes(terms.bytes),
            scope,
            recipients,
            message,
        };
        let mut events = vec![Event::ShareMade(made)];
        let facts = ShareFacts::new(context.view, share);
        let entries = exchange::entries(context, &header, &facts, Command::Offer(offered))?;
        events.extend(exchange::written(context, &header, &node, entries));
        // What a reference covers is found when it is read; only a selection has to be kept.
        if kind != Kind::Reference || selected {
            events.extend(widened(share, chosen));
        }
        let now = context.now;
        Ok(Decided::new(events, move |view| shown(view, share, now))
            .then(Effect::Nudge(partner_id)))
    }
}

/// Refuses what stands against sending this kind to a partner, with what to do about it.
pub(super) fn sendable(
    node: &entity::Node,
    partner: &entity::Partner,
    kind: Kind,
) -> Result<(), Error> {
    let name = &partner.name;
    let Some(against) = rules::sending(node.role, partner, kind) else {
        return Ok(());
    };
    let word = match kind {
        Kind::Reference => "references",
        Kind::Copy => "copies",
        Kind::Advanced => "advanced shares",
    };
    let option = match kind {
        Kind::Reference => "reference",
        Kind::Copy => "copy",
        Kind::Advanced => "advanced",
    };
    let (kind, what, hint) = match against {
        Against::Unconfirmed => (
            ErrorKind::Conflict,
            format!("\"{name}\" is not confirmed yet"),
            format!("compare the words, then: interdocket partner confirm \"{name}\""),
        ),
        Against::Suspended => (
            ErrorKind::Conflict,
            format!("\"{name}\" is suspended"),
            format!("to go on: interdocket partner resume \"{name}\""),
        ),
        Against::Justice => (
            ErrorKind::Conflict,
            format!("a reference to or from a justice organisation is not possible: \"{name}\""),
            format!("send a copy: interdocket share copy CASE --partner \"{name}\""),
        ),
        Against::NotEnabled => (
            ErrorKind::Forbidden,
            format!("sending {word} to \"{name}\" is not enabled"),
            format!("an administrator can: interdocket partner enable \"{name}\" --send {option}"),
        ),
    };
    Err(Error::new(kind, what).hint(hint))
}

/// The evidence that was asked for, where all of it belongs to the case: nobody's empty list means
/// the entire case, a list that names something else is refused.
pub(super) fn choose(
    context: &Context<'_>,
    case: CaseId,
    named: &[EvidenceId],
    folders: &[String],
) -> Result<Vec<EvidenceId>, Error> {
    for id in named {
        if !context.view.has(&table::CASE_EVIDENCE, &(case, *id))? {
            let message = format!("evidence {id} is not in this case");
            return Err(Error::new(ErrorKind::NotFound, message)
                .hint("list what is: interdocket evidence list CASE"));
        }
    }
    let mut chosen: Vec<EvidenceId> = named.to_vec();
    if named.is_empty() || !folders.is_empty() {
        let rows = context
            .view
            .page(&table::CASE_EVIDENCE, &case, None, usize::MAX)?;
        for ((_, id), ()) in rows {
            if folders.is_empty() || inside(context, id, folders)? {
                chosen.push(id);
            }
        }
    }
    chosen.sort_unstable();
    chosen.dedup();
    Ok(chosen)
}

fn inside(context: &Context<'_>, id: EvidenceId, folders: &[String]) -> Result<bool, Error> {
    let evidence = context
        .view
        .get(&table::EVIDENCE, &id)?
        .ok_or_else(|| broken("an item of evidence is missing"))?;
    Ok(rules::within(&evidence.folder, folders))
}

fn folders(named: &[String]) -> Result<Vec<String>, Error> {
    if named.len() > FOLDERS_MAX {
        let message = format!("{} folders are more than {FOLDERS_MAX}", named.len());
        return Err(Error::new(ErrorKind::Invalid, message).hint("name the folder above them"));
    }
    let folder = |name: &String| line("folder", name.trim_matches('/'), FOLDER_MAX);
    named.iter().map(folder).collect()
}

/// Nobody means nobody: a share that lives is for people.
fn named(recipients: Vec<String>) -> Result<Vec<String>, Error> {
    if recipients.is_empty() {
        let message = "nobody is named who may use this share";
        return Err(Error::new(ErrorKind::Invalid, message)
            .hint("name people as the partner knows them: --recipient NAME"));
    }
    Ok(recipients)
}

/// Recipients as they were typed, within the bounds.
pub fn bounded_recipients(named: &[String]) -> Result<Vec<String>, Error> {
    if named.len() > limits::RECIPIENTS_MAX {
        let message = format!(
            "{} recipients are more than {}",
            named.len(),
            limits::RECIPIENTS_MAX
        );
        return Err(Error::new(ErrorKind::Invalid, message).hint("name a group"));
    }
    named
        .iter()
        .map(|name| decide::filled("recipient", line("recipient", name, limits::RECIPIENT_MAX)?))
        .collect()
}

/// What was chosen, in records of a bounded size.
pub(super) fn widened(share: ShareId, chosen: Vec<EvidenceId>) -> Vec<Event> {
    let record = |evidence: &[EvidenceId]| {
        Event::ShareWidened(ShareWidened {
            share,
            evidence: evidence.to_vec(),
        })
    };
    chosen.chunks(WIDENED_MAX).map(record).collect()
}

/// The partner with whom a share is.
pub(super) fn with(
    context: &Context<'_>,
    partner: OrganisationId,
) -> Result<entity::Partner, Error> {
    Ok(decide::partner(&context.view, &partner.to_string())?.1)
}

/// Items in one record of what was chosen: one step of the database.
pub(super) const WIDENED_MAX: usize = 512;
/// Days of a reference: ten years.
const DAYS_MAX: u32 = 3650;
/// Folders of one share, so that with their names they stay under one value of the database.
const FOLDERS_MAX: usize = 8;
/// Bytes of a folder that is shared.
const FOLDER_MAX: usize = 256;
