//! Sharing a case with partners: by reference, as a copy, or as an advanced share.
//!
//! One request makes one share set: a share for each partner, or none at all. From then on each goes its
//! own way, and no partner is told that there are others.

use std::collections::BTreeSet;

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
use uuid::Uuid;

use super::{Attachment, Scope, SetId, Share, shown};
use crate::actions::decide::{self, Context, Decided, Effect, bounded, line};
use crate::actions::partner::Kind;
use crate::actions::{Change, Error, ErrorKind, case, exchange, feature, people};
use crate::event::{Bytes, Event, ShareMade, ShareWidened};
use crate::rules::{self, Against};
use crate::store::project::ShareFacts;
use crate::store::view::View;
use crate::store::{entity, table};

/// A partner with whom a case is shared, and the people there.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct To {
    /// The partner's name or id.
    pub partner: String,
    /// The people there who should have it, as the partner knows them; at least one, but for a copy.
    #[serde(default)]
    pub recipients: Vec<String>,
}

/// Shares a copy of a case, or of part of it, with partners.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Copy {
    /// The case's id or number.
    pub case: String,
    /// With whom: 1 to 16 partners, none twice. All of them, or nobody.
    pub to: Vec<To>,
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

/// Opens a case, or part of it, to people at partners for a number of days: they read it here.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Reference {
    /// The case's id or number.
    pub case: String,
    /// With whom: 1 to 16 partners, none twice. All of them, or nobody.
    pub to: Vec<To>,
    /// For how many days, 1 to 3,650.
    pub days: u32,
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
}

/// Shares a case, or part of it, as it goes on: what changes is sent by itself, under the policy that the
/// administrator has set for each partner.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Advanced {
    /// The case's id or number.
    pub case: String,
    /// With whom: 1 to 16 partners, none twice. All of them, or nobody.
    pub to: Vec<To>,
    /// Only these items of evidence, and nothing by itself; the entire case where empty.
    #[serde(default)]
    #[schemars(with = "Vec<uuid::Uuid>")]
    pub evidence: Vec<EvidenceId>,
    /// Only what lies in these folders or below, now and later; the entire case where empty.
    #[serde(default)]
    pub folders: Vec<String>,
    /// Units of this organisation, or groups, that work on the case from now on: it is given to them here, without a
    /// share.
    #[serde(default)]
    pub units: Vec<String>,
    /// Which targets of the case; where left out all of them with the entire case, else none.
    #[serde(default)]
    pub targets: Option<Targets>,
    /// A message to them.
    #[serde(default)]
    pub message: String,
}

/// Which targets of a case are shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Targets {
    /// All of them, also those that are added later.
    All,
    /// Those that the case has now; others when they are chosen: `share.targets`.
    Present,
    /// None, until some are chosen.
    None,
}

/// A share set that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Made {
    /// The set's id.
    pub set: SetId,
    /// Its shares, one for each partner, in the order in which the partners were named.
    pub shares: Vec<Share>,
}

/// What all three ways have in common.
struct Offer {
    case: String,
    to: Vec<To>,
    evidence: Vec<EvidenceId>,
    folders: Vec<String>,
    targets: Option<Targets>,
    units: Vec<String>,
    message: String,
    attachments: BTreeSet<Attachment>,
}

/// The kind, as the terms with a partner have it.
type Terming<'a> = dyn Fn(&entity::Partner) -> Result<sync::Kind, Error> + 'a;

/// What the shares of a set have in common.
struct Whole<'a> {
    set: SetId,
    node: entity::Node,
    kind: Kind,
    terms: &'a Terming<'a>,
    case: CaseId,
    info: log_entry::CaseInfo,
    scope: Scope,
    all_targets: bool,
    units: Vec<Uuid>,
    chosen: Vec<EvidenceId>,
    message: String,
    attachments: BTreeSet<Attachment>,
}

impl Change for Copy {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Made>, Error> {
        let offer = Offer {
            case: self.case,
            to: self.to,
            evidence: self.evidence,
            folders: self.folders,
            targets: self.targets,
            units: Vec::new(),
            message: self.message,
            attachments: self
                .attachments
                .unwrap_or_else(|| [Attachment::Markers].into()),
        };
        offer.decide(context, Kind::Copy, &|_| Ok(sync::Kind::Copy))
    }
}

impl Change for Reference {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Made>, Error> {
        if !(1..=DAYS_MAX).contains(&self.days) {
            let message = format!("a reference is for 1 to {DAYS_MAX} days, not {}", self.days);
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        let until = context.now + TimeDelta::days(self.days.into());
        let offer = Offer {
            case: self.case,
            to: self.to,
            evidence: self.evidence,
            folders: self.folders,
            targets: self.targets,
            units: Vec::new(),
            message: self.message,
            attachments: BTreeSet::new(),
        };
        offer.decide(context, Kind::Reference, &|_| {
            Ok(sync::Kind::Reference(until))
        })
    }
}

impl Change for Advanced {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Made>, Error> {
        let offer = Offer {
            case: self.case,
            to: self.to,
            evidence: self.evidence,
            folders: self.folders,
            targets: self.targets,
            units: self.units,
            message: self.message,
            attachments: BTreeSet::new(),
        };
        offer.decide(context, Kind::Advanced, &|partner| {
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
        terms: &Terming<'_>,
    ) -> Result<Decided<Made>, Error> {
        let (case, found) = decide::case(&context.view, &self.case)?;
        let partners = partners(&context.view, &self.to)?;
        decide::whole(&context.view, case.uuid())?;
        let chosen = choose(&context.view, case, &self.evidence, &self.folders)?;
        // What lives may begin empty: what is added later is shared by itself.
        if chosen.is_empty() && (kind == Kind::Copy || !self.evidence.is_empty()) {
            let message = format!("nothing of case \"{}\" was chosen", found.number);
            return Err(Error::new(ErrorKind::Invalid, message)
                .hint("add evidence first, or choose other folders"));
        }
        let scope = match (self.evidence.is_empty(), self.folders.is_empty()) {
            (true, true) => Scope::Entire,
            (true, false) => Scope::Folders(folders(&self.folders)?),
            (false, _) => Scope::Selected,
        };
        let targets = self.targets.unwrap_or(match scope {
            Scope::Entire => Targets::All,
            Scope::Folders(_) | Scope::Selected => Targets::None,
        });
        let shared = match targets {
            Targets::All | Targets::Present => exchange::targets(&context.view, case)?,
            Targets::None => Vec::new(),
        };
        let units = people::active(&context.view, &self.units)?;
        let set = SetId::new(context.id());
        let whole = Whole {
            set,
            node: context.node()?,
            kind,
            terms,
            case,
            info: log_entry::CaseInfo {
                number: found.number,
                title: found.title,
                description: found.description,
                targets: shared,
                tags: exchange::tags(&context.view, context.node()?.organisation, case)?,
            },
            scope,
            // A copy has what there is when it is made.
            all_targets: targets == Targets::All && kind != Kind::Copy,
            units,
            chosen,
            message: bounded("message", self.message.trim(), limits::MESSAGE_TEXT_MAX)?,
            attachments: self.attachments,
        };
        let access = case::access(&context.view, case, &whole.units, &[])?;
        let (mut shares, mut events) = (Vec::new(), access);
        for (to, partner) in self.to.iter().zip(&partners) {
            let share = ShareId::new(context.id());
            let offered = whole.offer(context, share, to, partner);
            events.extend(offered.map_err(|error| because(&self.to, &partner.1.name, error))?);
            shares.push(share);
        }
        let now = context.now;
        let decided = Decided::new(events, move |view| {
            let shares = shares.into_iter().map(|share| shown(view, share, now));
            let shares = shares.collect::<Result<_, _>>()?;
            Ok(Made { set, shares })
        });
        let nudge = |decided: Decided<Made>, (id, _): &_| decided.then(Effect::Nudge(*id));
        Ok(partners.iter().fold(decided, nudge))
    }
}

impl Whole<'_> {
    /// What is recorded of one share of the set.
    fn offer(
        &self,
        context: &mut Context<'_>,
        share: ShareId,
        to: &To,
        (id, partner): &(OrganisationId, entity::Partner),
    ) -> Result<Vec<Event>, Error> {
        offerable(&self.node, partner, self.kind)?;
        let recipients = named(self.kind, &to.recipients)?;
        let terms = Terms {
            share,
            owner: self.node.organisation,
            partner: *id,
            kind: (self.terms)(partner)?,
            format: FORMAT,
            created: context.now,
        }
        .sign(context.signer);
        let header = apply::open(&terms);
        let offered = log_entry::Offered {
            actor: exchange::actor(context)?,
            case: self.case,
            info: self.info.clone(),
            recipients: recipients.clone(),
            message: self.message.clone(),
        };
        let targets = self.info.targets.iter().map(|target| target.id);
        let made = ShareMade {
            set: self.set,
            share,
            case: self.case,
            terms: Bytes(terms.bytes),
            scope: self.scope.clone(),
            all_targets: self.all_targets,
            targets: targets.filter(|_| !self.all_targets).collect(),
            units: self.units.clone(),
            recipients,
            message: self.message.clone(),
            attachments: self.attachments.clone(),
            texts: Vec::new(),
        };
        let mut events = vec![Event::ShareMade(made)];
        let facts = ShareFacts::new(context.view, share);
        let entries = exchange::entries(context, &header, &facts, Command::Offer(offered))?;
        events.extend(exchange::written(context, &header, &self.node, entries));
        // What a reference covers is found when it is read; only a selection has to be kept.
        if self.kind != Kind::Reference || self.scope == Scope::Selected {
            events.extend(widened(share, &self.chosen));
        }
        Ok(events)
    }
}

/// The partners that are named, in that order: at least one, and none twice, whether by name or by id.
///
/// # Errors
/// [`Error`] where that does not hold, or there is no such partner.
pub(super) fn partners(
    view: &View<'_>,
    to: &[To],
) -> Result<Vec<(OrganisationId, entity::Partner)>, Error> {
    if to.is_empty() {
        return Err(Error::new(ErrorKind::Invalid, "no partner is named")
            .hint("name at least one: --partner NAME"));
    }
    if to.len() > PARTNERS_MAX {
        let message = format!("{} partners are more than {PARTNERS_MAX}", to.len());
        return Err(Error::new(ErrorKind::Invalid, message)
            .hint("share with some of them first, then with the others"));
    }
    let mut found: Vec<(OrganisationId, entity::Partner)> = Vec::with_capacity(to.len());
    for named in to {
        let partner = decide::partner(view, &named.partner)
            .map_err(|error| because(to, &named.partner, error))?;
        if found.iter().any(|(id, _)| *id == partner.0) {
            let message = format!("partner \"{}\" is named twice", partner.1.name);
            return Err(Error::new(ErrorKind::Invalid, message)
                .hint("name each partner once, with all recipients there"));
        }
        found.push(partner);
    }
    Ok(found)
}

/// Says which of several partners stands in the way of all of them.
pub(super) fn because(to: &[To], partner: &str, mut error: Error) -> Error {
    if to.len() > 1 {
        let message = &error.message;
        error.message = format!("nothing was shared, because of \"{partner}\": {message}");
    }
    error
}

/// Refuses what stands against a new share of this kind with a partner, with what to do about it.
fn offerable(node: &entity::Node, partner: &entity::Partner, kind: Kind) -> Result<(), Error> {
    refuse(rules::offering(node, partner, kind), partner, kind)
}

/// Refuses what stands against sending more of this kind to a partner, with what to do about it.
pub(super) fn sendable(
    node: &entity::Node,
    partner: &entity::Partner,
    kind: Kind,
) -> Result<(), Error> {
    refuse(rules::sending(node.role, partner, kind), partner, kind)
}

fn refuse(against: Option<Against>, partner: &entity::Partner, kind: Kind) -> Result<(), Error> {
    let name = &partner.name;
    let Some(against) = against else {
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
        Against::Lacks(feature) => return Err(feature::lacking(feature)),
        Against::PartnerLacks(feature) => return Err(feature::lacking_at(name, feature)),
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
///
/// # Errors
/// [`Error`] where something else is named, or the tables fail.
pub(in crate::actions) fn choose(
    view: &View<'_>,
    case: CaseId,
    named: &[EvidenceId],
    folders: &[String],
) -> Result<Vec<EvidenceId>, Error> {
    for id in named {
        if !view.has(&table::CASE_EVIDENCE, &(case, *id))? {
            let message = format!("evidence {id} is not in this case");
            return Err(Error::new(ErrorKind::NotFound, message)
                .hint("list what is: interdocket evidence list CASE"));
        }
    }
    let mut chosen: Vec<EvidenceId> = named.to_vec();
    if named.is_empty() || !folders.is_empty() {
        let rows = view.page(&table::CASE_EVIDENCE, &case, None, usize::MAX)?;
        for ((_, id), link) in rows {
            if folders.is_empty() || rules::within(&link.folder, folders) {
                chosen.push(id);
            }
        }
    }
    chosen.sort_unstable();
    chosen.dedup();
    Ok(chosen)
}

/// The folders that were named, within the bounds.
///
/// # Errors
/// `Invalid`.
pub(in crate::actions) fn folders(named: &[String]) -> Result<Vec<String>, Error> {
    if named.len() > FOLDERS_MAX {
        let message = format!("{} folders are more than {FOLDERS_MAX}", named.len());
        return Err(Error::new(ErrorKind::Invalid, message).hint("name the folder above them"));
    }
    let folder = |name: &String| line("folder", name.trim_matches('/'), FOLDER_MAX);
    let folders = named.iter().map(folder).collect::<Result<Vec<_>, _>>()?;
    let bytes: usize = folders.iter().map(String::len).sum();
    if bytes > FOLDERS_BYTES_MAX {
        let message =
            format!("the folders have {bytes} bytes in all, more than {FOLDERS_BYTES_MAX}");
        return Err(Error::new(ErrorKind::Invalid, message).hint("name the folder above them"));
    }
    Ok(folders)
}

/// Recipients of a share of this kind. Nobody means nobody: a share that lives is for people.
fn named(kind: Kind, recipients: &[String]) -> Result<Vec<String>, Error> {
    if recipients.is_empty() && kind != Kind::Copy {
        let message = "nobody is named who may use this share";
        return Err(Error::new(ErrorKind::Invalid, message)
            .hint("name people as the partner knows them: --recipient NAME"));
    }
    bounded_recipients(recipients)
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
pub(super) fn widened(share: ShareId, chosen: &[EvidenceId]) -> Vec<Event> {
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
/// Partners of one set: each costs two signatures and a record for every 512 items, all in one turn of the
/// writer. Who shares with more notices, and makes another set.
const PARTNERS_MAX: usize = 16;
/// Days of a reference: ten years.
const DAYS_MAX: u32 = 3650;
/// Folders of one share.
pub(crate) const FOLDERS_MAX: usize = 8;
/// Bytes of the folders of one share, so that it fits one value of the database for as long as it lives.
pub(crate) const FOLDERS_BYTES_MAX: usize = 1024;
/// Bytes of a folder that is shared.
const FOLDER_MAX: usize = 256;
