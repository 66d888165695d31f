//! Shares: sending copies to partners, adding to them, ending and cancelling them.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use chrono::{DateTime, Utc};
use interdocket_sync::id::{CaseId, EvidenceId, ShareId};
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::limits;
use interdocket_sync::log::Side;
use interdocket_sync::log::entry as log_entry;
use interdocket_sync::receipt;
use interdocket_sync::share::decide::Command;
use interdocket_sync::share::terms::{FORMAT, Terms};
use interdocket_sync::share::{self as sync, Facts, Header, apply, status};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::decide::{self, Context, Decided, Effect, bounded, broken, line};
use super::exchange;
use super::partner::Kind;
use super::{Change, Error, ErrorKind, Query};
use crate::event::{Bytes, Event, ShareMade, ShareWidened};
use crate::rules::{self, Against};
use crate::store::project::ShareFacts;
use crate::store::view::View;
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

/// Lists shares.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct List {
    /// Only those of this case, by id or number.
    #[serde(default)]
    pub case: Option<String>,
    /// Only those with this partner, by name or id.
    #[serde(default)]
    pub partner: Option<String>,
    /// Continue after this page's `next`.
    #[serde(default)]
    pub after: Option<String>,
    /// At most so many, 1 to 1,000; 100 where not said.
    #[serde(default)]
    pub limit: Option<u32>,
}

/// Shows a share, with its receipts.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Show {
    /// Its id.
    #[schemars(with = "uuid::Uuid")]
    pub share: ShareId,
}

/// Updates a copy with evidence that was added since: only additions, never changes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Add {
    /// The share's id.
    #[schemars(with = "uuid::Uuid")]
    pub share: ShareId,
    /// Only these items; everything that the case has and the share has not where empty.
    #[serde(default)]
    #[schemars(with = "Vec<uuid::Uuid>")]
    pub evidence: Vec<EvidenceId>,
}

/// Ends a copy: no updates any more. What the partner has stays the partner's.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct End {
    /// The share's id.
    #[schemars(with = "uuid::Uuid")]
    pub share: ShareId,
}

/// Cancels a copy that is under way: nothing more is sent. What the partner already held whole when
/// the cancellation reached it stays the partner's.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Cancel {
    /// The share's id.
    #[schemars(with = "uuid::Uuid")]
    pub share: ShareId,
}

/// A share as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Share {
    /// Its id, the same at both nodes.
    #[schemars(with = "uuid::Uuid")]
    pub id: ShareId,
    /// What kind it is.
    pub kind: Kind,
    /// Whether this node owns what is shared.
    pub direction: Direction,
    /// The other organisation.
    #[schemars(with = "String")]
    pub partner: OrganisationId,
    /// The name it has here.
    pub partner_name: String,
    /// The case here: the shared one, or the one that it became.
    #[schemars(with = "uuid::Uuid")]
    pub case: CaseId,
    /// The case's number here.
    pub case_number: String,
    /// How it stands.
    pub status: Status,
    /// When it was offered.
    pub offered_at: DateTime<Utc>,
    /// The people who should have it.
    pub recipients: Vec<String>,
    /// The message to them.
    pub message: String,
    /// What was disclosed so far.
    pub listed: Totals,
    /// What the partner holds, by its own signed statement.
    pub stored: Totals,
    /// How many changes wait to reach the other side.
    pub behind: u64,
    /// Since when the oldest of them waits.
    pub behind_since: Option<DateTime<Utc>>,
    /// Why the partner did not take what it was sent last; nothing where it did. Only in `share.show`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// The newest receipts: only in `share.show`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub receipts: Vec<Receipt>,
}

/// Whether this node owns what is shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// This node shares.
    Sent,
    /// The partner shares.
    Received,
}

/// How a share stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Something is still to be delivered.
    Processing,
    /// The partner has stated that it holds everything.
    Complete,
    /// Cancelled by the owner while under way.
    Cancelled,
    /// No updates any more.
    Ended,
    /// Two histories for one place were shown: nothing moves until people have looked at it.
    Frozen,
    /// The partner is newer: waits for an upgrade of this node.
    Paused,
}

/// How much.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Totals {
    /// Items of evidence.
    pub evidence: u64,
    /// Files.
    pub files: u64,
    /// Bytes.
    pub bytes: u64,
}

/// A countersigned head: proof that the reader of a log holds it, durable, up to there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Receipt {
    /// Whose log: `owner` or `partner`.
    pub log: String,
    /// Up to which entry.
    pub count: u64,
    /// SHA-256 of the chain there, in hexadecimal digits.
    pub hash: String,
    /// When the writer signed it.
    pub signed_at: DateTime<Utc>,
    /// When the reader countersigned it.
    pub countersigned_at: DateTime<Utc>,
    /// The receipt itself with its certificates, for checking elsewhere: base64.
    pub receipt: String,
}

/// A page of shares.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Page {
    /// The shares.
    pub shares: Vec<Share>,
    /// Where the next page continues; none after the last.
    pub next: Option<String>,
}

impl Change for Copy {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Share>, Error> {
        let (case_id, case) = decide::case(&context.view, &self.case)?;
        let (partner_id, partner) = decide::partner(&context.view, &self.partner)?;
        sendable(&partner)?;
        decide::whole(&context.view, case_id.uuid())?;
        let chosen = choose(context, case_id, &self.evidence, &self.folders)?;
        if chosen.is_empty() {
            let message = format!("nothing of case \"{}\" was chosen", case.number);
            return Err(Error::new(ErrorKind::Invalid, message)
                .hint("add evidence first, or choose other folders"));
        }
        let node = context.node()?;
        let share = ShareId::new(context.id());
        let terms = Terms {
            share,
            owner: node.organisation,
            partner: partner_id,
            kind: sync::Kind::Copy,
            format: FORMAT,
            created: context.now,
        }
        .sign(context.signer);
        let header = apply::open(&terms);
        let recipients = recipients(&self.recipients)?;
        let message = bounded("message", self.message.trim(), limits::MESSAGE_TEXT_MAX)?;
        let offered = log_entry::Offered {
            actor: exchange::actor(context)?,
            case: case_id,
            number: case.number,
            title: case.title,
            description: case.description,
            recipients: recipients.clone(),
            message: message.clone(),
        };
        let made = ShareMade {
            share,
            case: case_id,
            terms: Bytes(terms.bytes),
            recipients,
            message,
        };
        let mut events = vec![Event::ShareMade(made)];
        let facts = ShareFacts::new(context.view, share);
        let entries = exchange::entries(context, &header, &facts, Command::Offer(offered))?;
        events.extend(exchange::written(context, &header, &node, entries));
        events.extend(widened(share, chosen));
        Ok(Decided::new(events, move |view| shown(view, share)).then(Effect::Nudge(partner_id)))
    }
}

impl Change for Add {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Share>, Error> {
        let share = own(context, self.share)?;
        let partner = share.header.partner;
        if !matches!(
            share.header.state,
            sync::State::Offered | sync::State::Accepted
        ) {
            return Err(over(&share.header));
        }
        let (_, known) = decide::partner(&context.view, &partner.to_string())?;
        sendable(&known)?;
        let chosen = choose(context, share.case, &self.evidence, &[])?;
        let facts = ShareFacts::new(context.view, self.share);
        let mut fresh = Vec::new();
        for evidence in chosen {
            let waits = context.view.has(&table::WAITING, &(self.share, evidence))?;
            if !waits && facts.item(evidence).is_none() {
                fresh.push(evidence);
            }
        }
        facts.done()?;
        let id = self.share;
        Ok(
            Decided::new(widened(id, fresh), move |view| shown(view, id))
                .then(Effect::Nudge(partner)),
        )
    }
}

impl Change for End {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Share>, Error> {
        let share = own(context, self.share)?;
        if share.header.state == sync::State::Offered {
            let message = "the partner has not accepted this copy yet";
            return Err(Error::new(ErrorKind::Conflict, message)
                .hint("to stop it, cancel it: interdocket share cancel SHARE"));
        }
        if share.waiting > 0 {
            let message = format!("{} changes of this copy still wait", share.waiting);
            return Err(Error::new(ErrorKind::Conflict, message).hint(
                "wait until the partner has them, or cancel: interdocket share cancel SHARE",
            ));
        }
        last(
            context,
            self.share,
            &share,
            Command::End(exchange::actor(context)?),
        )
    }
}

impl Change for Cancel {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Share>, Error> {
        let share = own(context, self.share)?;
        if status::status(&share.header, share.waiting) == status::Status::Complete {
            let message = "this copy is complete: it is the partner's own now";
            return Err(Error::new(ErrorKind::Conflict, message)
                .hint("to stop updates, end it: interdocket share end SHARE"));
        }
        last(
            context,
            self.share,
            &share,
            Command::Cancel(exchange::actor(context)?),
        )
    }
}

/// Writes the entry after which the owner's log says nothing more.
fn last(
    context: &mut Context<'_>,
    id: ShareId,
    share: &entity::Share,
    command: Command,
) -> Result<Decided<Share>, Error> {
    let node = context.node()?;
    let facts = ShareFacts::new(context.view, id);
    let entries = exchange::entries(context, &share.header, &facts, command)?;
    let events = exchange::written(context, &share.header, &node, entries);
    Ok(
        Decided::new(events.into_iter().collect(), move |view| shown(view, id))
            .then(Effect::Recheck)
            .then(Effect::Nudge(share.header.partner)),
    )
}

impl Query for List {
    fn answer(&self, view: &View<'_>) -> Result<Page, Error> {
        let limit = decide::limit(self.limit)?;
        let after: Option<ShareId> = decide::after(self.after.as_deref())?;
        let case = self
            .case
            .as_deref()
            .map(|name| decide::case(view, name))
            .transpose()?;
        let partner = self
            .partner
            .as_deref()
            .map(|name| decide::partner(view, name))
            .transpose()?;
        let (case, partner) = (case.map(|(id, _)| id), partner.map(|(id, _)| id));
        let ids: Vec<ShareId> = match (case, partner) {
            (Some(case), _) => {
                let after = after.map(|id| (case, id));
                let rows = view.page(&table::CASE_SHARE, &case, after.as_ref(), limit)?;
                rows.into_iter().map(|((_, id), ())| id).collect()
            }
            (None, Some(partner)) => {
                let after = after.map(|id| (partner, id));
                let rows = view.page(&table::PARTNER_SHARE, &partner, after.as_ref(), limit)?;
                rows.into_iter().map(|((_, id), ())| id).collect()
            }
            (None, None) => {
                let rows = view.page(&table::SHARE, &(), after.as_ref(), limit)?;
                rows.into_iter().map(|(id, _)| id).collect()
            }
        };
        let next = (ids.len() == limit)
            .then(|| ids.last().map(ToString::to_string))
            .flatten();
        let mut shares = Vec::with_capacity(ids.len());
        for id in ids {
            let share = shown(view, id)?;
            if partner.is_none_or(|partner| partner == share.partner) {
                shares.push(share);
            }
        }
        Ok(Page { shares, next })
    }
}

impl Receipt {
    /// A receipt as it is shown.
    pub fn of(receipt: &receipt::Receipt) -> Self {
        let head = &receipt.head.head;
        Self {
            log: match head.side {
                Side::Owner => "owner".into(),
                Side::Partner => "partner".into(),
            },
            count: head.point.count,
            hash: interdocket_sync::blob::Sha256(head.point.hash).to_string(),
            signed_at: head.at,
            countersigned_at: receipt.countersignature.at,
            receipt: BASE64.encode(receipt.bytes()),
        }
    }
}

/// A share as it is shown, without its receipts.
///
/// # Errors
/// [`Error`] where there is none.
pub fn shown(view: &View<'_>, id: ShareId) -> Result<Share, Error> {
    let share = decide::share(view, id)?;
    let header = &share.header;
    let node = view
        .get(&table::NODE, &())?
        .ok_or_else(|| broken("the node's record is missing"))?;
    let (direction, own, other) = match header.owner == node.organisation {
        true => (Direction::Sent, Side::Owner, header.partner),
        false => (Direction::Received, Side::Partner, header.owner),
    };
    let partner = view.get(&table::PARTNER, &other)?;
    let case = view
        .get(&table::CASE, &share.case)?
        .ok_or_else(|| broken("a case is missing"))?;
    Ok(Share {
        id,
        kind: Kind::Copy,
        direction,
        partner: other,
        partner_name: partner.map_or_else(|| other.to_string(), |partner| partner.name),
        case: share.case,
        case_number: case.number,
        status: Status::of(status::status(header, share.waiting)),
        offered_at: share.offered_at,
        listed: Totals::of(header.listed),
        stored: Totals::of(header.stored),
        behind: status::behind(header, own, share.waiting),
        behind_since: share.behind_since,
        recipients: share.recipients,
        message: share.message,
        refusal: None,
        receipts: Vec::new(),
    })
}

impl Status {
    const fn of(status: status::Status) -> Self {
        match status {
            status::Status::Processing => Self::Processing,
            status::Status::Complete => Self::Complete,
            status::Status::Cancelled => Self::Cancelled,
            status::Status::Ended => Self::Ended,
            status::Status::Frozen => Self::Frozen,
            status::Status::Paused => Self::Paused,
        }
    }
}

impl Totals {
    const fn of(totals: sync::Totals) -> Self {
        Self {
            evidence: totals.evidence,
            files: totals.files,
            bytes: totals.bytes,
        }
    }
}

fn sendable(partner: &entity::Partner) -> Result<(), Error> {
    let name = &partner.name;
    let Some(against) = rules::sending(partner, Kind::Copy) else {
        return Ok(());
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
        Against::NotEnabled => (
            ErrorKind::Forbidden,
            format!("sending copies to \"{name}\" is not enabled"),
            format!("an administrator can: interdocket partner enable \"{name}\" --send copy"),
        ),
    };
    Err(Error::new(kind, what).hint(hint))
}

/// The share, where this node owns it.
fn own(context: &Context<'_>, id: ShareId) -> Result<entity::Share, Error> {
    let share = decide::share(&context.view, id)?;
    decide::whole(&context.view, id.uuid())?;
    if share.header.owner == context.node()?.organisation {
        return Ok(share);
    }
    Err(Error::new(
        ErrorKind::Conflict,
        "this share was received: only its owner changes it",
    ))
}

fn over(header: &Header) -> Error {
    let message = match header.state {
        sync::State::Cancelled { .. } => "this copy was cancelled",
        _ => "this copy was ended",
    };
    Error::new(ErrorKind::Conflict, message).hint("share again: interdocket share copy")
}

/// The evidence that was asked for, where all of it belongs to the case: nobody's empty list means
/// the entire case, a list that names something else is refused.
fn choose(
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
    Ok(folders.iter().any(|folder| {
        let rest = evidence.folder.strip_prefix(folder.trim_matches('/'));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }))
}

fn recipients(named: &[String]) -> Result<Vec<String>, Error> {
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
        .map(|name| line("recipient", name, limits::RECIPIENT_MAX))
        .collect()
}

/// What was chosen, in records of a bounded size.
fn widened(share: ShareId, chosen: Vec<EvidenceId>) -> Vec<Event> {
    let record = |evidence: &[EvidenceId]| {
        Event::ShareWidened(ShareWidened {
            share,
            evidence: evidence.to_vec(),
        })
    };
    chosen.chunks(WIDENED_MAX).map(record).collect()
}

/// Items in one record of what was chosen: one step of the database.
const WIDENED_MAX: usize = 512;
