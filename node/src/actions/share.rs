//! Shares as they are listed and shown.

mod incoming;
mod life;
mod offer;
mod recall;
mod reshare;
mod retry;
mod run;
mod set;
mod targets;
mod updates;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use chrono::{DateTime, Utc};
use interdocket_sync::id::{CaseId, ShareId};
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::log::Side;
use interdocket_sync::log::head::SignedHead;
use interdocket_sync::receipt::{self, Countersignature};
use interdocket_sync::share::revocation::SignedRevocation;
use interdocket_sync::share::{self as sync, status};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::decide::{self, broken};
use super::partner::Kind;
use super::{About, Action as _, Caller, Error, Query, exchange, reach};
use crate::features::{self, Feature};
use crate::store::view::View;
use crate::store::{entity, table};

pub use self::incoming::{Decline, Finalise, Reason};
pub use self::life::{Add, Cancel, End, Recipients, Release, Resume, Revoke, Suspend, Withdraw};
pub use self::offer::{Advanced, Copy, Made, Reference, Targets, To, bounded_recipients};
#[cfg(test)]
pub(crate) use self::offer::{FOLDERS_BYTES_MAX, FOLDERS_MAX};
pub(in crate::actions) use self::offer::{choose, folders};
pub use self::recall::{Answer, Answered, Recall, Recalled};
pub use self::reshare::{Reshare, Shown as Reshared, all as reshares};
pub use self::retry::Retry;
pub use self::set::{InSet, Set, SetId, SetPage, Sets};
pub use self::targets::ChooseTargets;
pub use self::updates::{Update, UpdatePage, UpdateState, Updates};

/// Lists shares.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct List {
    /// Only those of this case, by id or number.
    #[serde(default)]
    pub case: Option<String>,
    /// Only those with this partner, by name or id.
    #[serde(default)]
    pub partner: Option<String>,
    /// Only those that this node shares, or only those that it received.
    #[serde(default)]
    pub direction: Option<Direction>,
    /// Only those that wait for an administrator of this node.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pending: bool,
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

/// What goes along with the evidence of a copy, each by itself.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Attachment {
    /// What was done with it here, confidential activity included.
    AuditTrail,
    /// What people noted.
    Notes,
    /// Places in it that are marked.
    Markers,
    /// What is said in it.
    Transcripts,
}

impl Attachment {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::AuditTrail,
        Self::Notes,
        Self::Markers,
        Self::Transcripts,
    ];
}

/// A share as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Share {
    /// Its id, the same at both nodes.
    #[schemars(with = "uuid::Uuid")]
    pub id: ShareId,
    /// The share set it was made in; nothing where it was received, or came back from its partner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<SetId>,
    /// What kind it is.
    pub kind: Kind,
    /// Whether this node owns what is shared.
    pub direction: Direction,
    /// The other organisation.
    #[schemars(with = "String")]
    pub partner: OrganisationId,
    /// The name it has here.
    pub partner_name: String,
    /// The case here: the shared one, or the one that it became; none where nothing of it is this node's.
    #[schemars(with = "Option<uuid::Uuid>")]
    pub case: Option<CaseId>,
    /// The case's number here; of what waits for an administrator, at its owner.
    pub case_number: Option<String>,
    /// How it stands.
    pub status: Status,
    /// When it was offered.
    pub offered_at: DateTime<Utc>,
    /// Until when it can be used, where it is for a number of days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    /// What it allows, where it is an advanced share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// What of the case is shared; not known where it was received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// The targets of the case that it has, by name; not known where it was received.
    pub targets: Vec<String>,
    /// Whether it has those that are added to the case later.
    pub all_targets: bool,
    /// When it was revoked, and what is known of that; nothing where it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation: Option<Revocation>,
    /// The people who should have it.
    pub recipients: Vec<String>,
    /// The people at the partner whom they added.
    pub onward: Vec<String>,
    /// The message to them.
    pub message: String,
    /// Why the partner declined it; nothing where it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declined: Option<Reason>,
    /// That its owner asks for a copy back, and what was answered; nothing where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recall: Option<Recalled>,
    /// How many updates a copy has had; 1 is what was shared first.
    pub updates: u32,
    /// Who joined a copy later: only in `share.show`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reshares: Vec<Reshared>,
    /// How many items the case has now that a copy of this node's has not, and could get.
    pub lacks: u64,
    /// What was disclosed so far.
    pub listed: Totals,
    /// What the partner holds, by its own signed statement.
    pub stored: Totals,
    /// What the partner made its own by an import, by its own signed statement.
    #[serde(default)]
    pub imported: Totals,
    /// How many changes wait to reach the other side.
    pub behind: u64,
    /// Since when the oldest of them waits.
    pub behind_since: Option<DateTime<Utc>>,
    /// Why it does not arrive: a feature that the partner lacks, what it said to what it was sent last, or what is
    /// wrong here; nothing where it arrives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// What froze it: only in `share.show`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fork: Option<Fork>,
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

/// What is known of a revocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Revocation {
    /// When the owner revoked the share.
    pub at: DateTime<Utc>,
    /// What is known of it at the partner.
    pub state: RevocationState,
    /// The signed revocation: base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation: Option<String>,
    /// The partner's countersignature: base64; none until there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub countersignature: Option<String>,
}

/// What is known of a revocation at the partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RevocationState {
    /// The partner has said nothing.
    Unknown,
    /// The partner countersigned it: proven.
    Received,
    /// The partner signed that it erased what it had: attested.
    Purged,
}

/// What of a case is shared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// All of it, with what is added later.
    Entire,
    /// What lies in these folders or below, with what is put there later.
    Folders(Vec<String>),
    /// Items that were chosen, and nothing by itself.
    Selected,
}

/// What an advanced share lets the partner do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Policy {
    /// Where its files are.
    pub mode: Mode,
    /// Whether people there may keep what they read.
    pub download: bool,
    /// Whether imports are granted.
    pub import: bool,
    /// Whether recipients may add people of their own organisation.
    pub onward: bool,
}

/// Where the files of an advanced share are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// At the owner; they are read there.
    Live,
    /// At the partner as well, sealed under a lease.
    Synchronised,
}

/// How a share stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It was offered, and an administrator of the partner has not finalised it.
    Pending,
    /// Something is still to be delivered.
    Processing,
    /// Nothing of it arrives, until somebody does something about it: `refusal` says why.
    Failed,
    /// Some of it arrived, and the rest does not until somebody does something about it: `refusal` says why.
    PartlyFailed,
    /// The partner has stated that it holds everything.
    Complete,
    /// A reference or advanced share that can be used, with nothing on its way.
    Active,
    /// Nothing can be read or is sent until its owner resumes it.
    Suspended,
    /// Offered, and the partner lacks a feature for taking it: goes on once it is enabled there.
    Refused,
    /// Cancelled by the owner while under way.
    Cancelled,
    /// The partner declined it.
    Declined,
    /// No updates any more.
    Ended,
    /// Its time is up.
    Expired,
    /// Revoked by the owner.
    Revoked,
    /// Two histories for one place were shown: nothing moves until people have looked at it.
    Frozen,
    /// The partner is newer: waits for an upgrade of this node.
    Paused,
    /// This node was restored: waits until the partner has given back what it holds.
    Recovering,
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

/// Two histories of one log, both signed by its writer: proof that one of them is not to be trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fork {
    /// Whose log: `owner` or `partner`.
    pub log: String,
    /// The first entry that is not the same in both.
    pub entry: u64,
    /// The signed head of the history that is held here, with its certificates: base64.
    pub held: String,
    /// The signed head of the other one: base64. Its entries are in the record of the journal.
    pub shown: String,
}

/// A page of shares.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Page {
    /// The shares.
    pub shares: Vec<Share>,
    /// Where the next page continues; none after the last.
    pub next: Option<String>,
}

impl Query for List {
    fn answer(&self, view: &View<'_>, caller: &Caller, now: DateTime<Utc>) -> Result<Page, Error> {
        let limit = decide::limit(self.limit)?;
        let mut after: Option<ShareId> = decide::after(self.after.as_deref())?;
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
        let mut shares = Vec::new();
        // Nothing out of reach is in a page, or where it continues: not even an id.
        loop {
            let ids = match self.pending {
                true => pending(view, after)?,
                false => ids(view, case, partner, after)?,
            };
            let whole = ids.len() < ROWS;
            for id in ids {
                if shares.len() == limit {
                    let next = shares.last().map(|share: &Share| share.id.to_string());
                    return Ok(Page { shares, next });
                }
                after = Some(id);
                if reach::check(view, caller, Show::NAME, &About::Share(id)).is_err() {
                    continue;
                }
                let share = shown(view, id, now)?;
                if partner.is_none_or(|partner| partner == share.partner)
                    && self.direction.is_none_or(|way| way == share.direction)
                    && (case.is_none() || case == share.case)
                {
                    shares.push(share);
                }
            }
            if whole {
                return Ok(Page { shares, next: None });
            }
        }
    }
}

/// The next shares of a case, with a partner, or all.
fn ids(
    view: &View<'_>,
    case: Option<CaseId>,
    partner: Option<OrganisationId>,
    after: Option<ShareId>,
) -> Result<Vec<ShareId>, Error> {
    Ok(match (case, partner) {
        (Some(case), _) => {
            let after = after.map(|id| (case, id));
            let rows = view.page(&table::CASE_SHARE, &case, after.as_ref(), ROWS)?;
            rows.into_iter().map(|((_, id), ())| id).collect()
        }
        (None, Some(partner)) => {
            let after = after.map(|id| (partner, id));
            let rows = view.page(&table::PARTNER_SHARE, &partner, after.as_ref(), ROWS)?;
            rows.into_iter().map(|((_, id), ())| id).collect()
        }
        (None, None) => {
            let rows = view.page(&table::SHARE, &(), after.as_ref(), ROWS)?;
            rows.into_iter().map(|(id, _)| id).collect()
        }
    })
}

/// The next shares that wait for an administrator of this node.
fn pending(view: &View<'_>, after: Option<ShareId>) -> Result<Vec<ShareId>, Error> {
    let rows = view.page(&table::PENDING, &(), after.as_ref(), ROWS)?;
    Ok(rows.into_iter().map(|(id, _)| id).collect())
}

/// Rows that are looked at together.
const ROWS: usize = 256;

impl Fork {
    /// As it is shown.
    pub fn of(log: Side, entry: u64, held: &SignedHead, shown: &SignedHead) -> Self {
        Self {
            log: name(log).into(),
            entry,
            held: BASE64.encode(&held.bytes),
            shown: BASE64.encode(&shown.bytes),
        }
    }
}

const fn name(log: Side) -> &'static str {
    match log {
        Side::Owner => "owner",
        Side::Partner => "partner",
    }
}

impl Revocation {
    /// Adds the signed statements themselves.
    pub fn prove(&mut self, said: &SignedRevocation, countersignature: Option<&Countersignature>) {
        self.revocation = Some(BASE64.encode(&said.bytes));
        self.countersignature = countersignature.map(|said| BASE64.encode(&said.bytes));
    }
}

impl Receipt {
    /// A receipt as it is shown.
    pub fn of(receipt: &receipt::Receipt) -> Self {
        let head = &receipt.head.head;
        Self {
            log: name(head.side).into(),
            count: head.point.count,
            hash: interdocket_sync::blob::Sha256(head.point.hash).to_string(),
            signed_at: head.at,
            countersigned_at: receipt.countersignature.at,
            receipt: BASE64.encode(receipt.bytes()),
        }
    }
}

/// Whom the partner added to the recipients of a share; nobody where they were changed since.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn onward(view: &View<'_>, share: &entity::Share) -> Result<Vec<String>, Error> {
    if !share.header.counts_onward() {
        return Ok(Vec::new());
    }
    Ok(view
        .get(&table::ONWARD, &share.header.share)?
        .unwrap_or_default())
}

/// A share as it is shown, without its receipts.
///
/// # Errors
/// [`Error`] where there is none.
pub fn shown(view: &View<'_>, id: ShareId, now: DateTime<Utc>) -> Result<Share, Error> {
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
    // None as well where its record can't be read: that closes no list of shares.
    let case = share.case.map(|case| view.get(&table::CASE, &case));
    let case = case.transpose()?.flatten();
    let countersigned = share
        .revocation
        .is_some_and(|revocation| revocation.countersigned.is_some());
    let known = status::revocation(header, countersigned);
    let revocation = share
        .revocation
        .zip(known)
        .map(|(revocation, known)| Revocation {
            at: revocation.at,
            state: RevocationState::of(known),
            revocation: None,
            countersignature: None,
        });
    let targets = match own {
        Side::Owner if case.is_some() => exchange::info(view, &share)?.targets,
        _ => Vec::new(),
    };
    let lacks = partner
        .as_ref()
        .filter(|_| own == Side::Owner)
        .and_then(|partner| lacking(header, partner));
    let (status, wrong) = retry::arrives(view, &share, own, stands(&share, lacks, now))?;
    Ok(Share {
        id,
        set: share.set,
        kind: Kind::of(header.kind),
        direction,
        partner: other,
        partner_name: partner.map_or_else(|| other.to_string(), |partner| partner.name),
        case: share.case,
        lacks: left_out(&share, own, case.as_ref()),
        case_number: number(view, &share, case)?,
        status,
        offered_at: share.offered_at,
        expires_at: header.kind.until(),
        policy: Policy::of(header.kind),
        scope: (own == Side::Owner).then(|| share.scope.clone()),
        targets: targets.into_iter().map(|target| target.name).collect(),
        all_targets: share.all_targets,
        revocation,
        declined: header.declined.map(Reason::of),
        recall: view.get(&table::RECALLED, &id)?.map(Recalled::of),
        updates: header.update,
        reshares: Vec::new(),
        listed: Totals::of(header.listed),
        stored: Totals::of(header.stored),
        imported: Totals::of(header.imported),
        behind: status::behind(header, own, share.waits()),
        behind_since: share.behind_since,
        onward: onward(view, &share)?,
        recipients: share.recipients,
        message: view.get(&table::MESSAGE, &id)?.unwrap_or_default(),
        refusal: lacks.map(lacked).or(wrong),
        fork: None,
        receipts: Vec::new(),
    })
}

fn lacked(lacks: Feature) -> String {
    format!("it has not enabled the feature {}", lacks.name())
}

/// The feature that a partner lacks for taking a share that was offered to it, as it said last.
fn lacking(header: &sync::Header, partner: &entity::Partner) -> Option<Feature> {
    let on = partner.features.as_ref()?;
    let offered = header.state == sync::State::Offered;
    offered.then(|| features::lacking(on, Kind::of(header.kind)))?
}

/// How a share stands; `lacks` keeps its partner from taking it. One that this node lost and took back may be accepted
/// and wait for an administrator all the same.
fn stands(share: &entity::Share, lacks: Option<Feature>, now: DateTime<Utc>) -> Status {
    let stands = status::status(&share.header, share.waits(), now);
    match (stands, lacks) {
        (status::Status::Processing, Some(_)) => Status::Refused,
        (status::Status::Processing | status::Status::Complete, _) if share.pending => {
            Status::Pending
        }
        (stands, _) => Status::of(stands),
    }
}

/// The number of a share's case.
fn number(
    view: &View<'_>,
    share: &entity::Share,
    case: Option<entity::Case>,
) -> Result<Option<String>, Error> {
    if !share.pending {
        return Ok(case.map(|case| case.number));
    }
    let pending = view.get(&table::PENDING, &share.header.share)?;
    let number = pending.map(|pending| pending.number);
    Ok(number.filter(|number| !number.is_empty()))
}

/// How many items of its case a copy could still get.
fn left_out(share: &entity::Share, own: Side, case: Option<&entity::Case>) -> u64 {
    let updated =
        own == Side::Owner && share.header.kind == sync::Kind::Copy && share.header.open_to_owner();
    let chosen = share.header.listed.evidence.saturating_add(share.waits());
    case.filter(|_| updated)
        .map_or(0, |case| case.evidence.saturating_sub(chosen))
}

impl Status {
    const fn of(status: status::Status) -> Self {
        match status {
            status::Status::Pending => Self::Pending,
            status::Status::Declined => Self::Declined,
            status::Status::Processing => Self::Processing,
            status::Status::Complete => Self::Complete,
            status::Status::Active => Self::Active,
            status::Status::Suspended => Self::Suspended,
            status::Status::Cancelled => Self::Cancelled,
            status::Status::Ended => Self::Ended,
            status::Status::Expired => Self::Expired,
            status::Status::Revoked => Self::Revoked,
            status::Status::Frozen => Self::Frozen,
            status::Status::Paused => Self::Paused,
            status::Status::Recovering => Self::Recovering,
        }
    }
}

impl RevocationState {
    const fn of(known: status::Revocation) -> Self {
        match known {
            status::Revocation::Unknown => Self::Unknown,
            status::Revocation::Received => Self::Received,
            status::Revocation::Purged => Self::Purged,
        }
    }
}

impl Policy {
    /// That of a share; none where it has none.
    pub const fn of(kind: sync::Kind) -> Option<Self> {
        let sync::Kind::Advanced(policy) = kind else {
            return None;
        };
        let mode = match policy.mode {
            sync::Mode::Live => Mode::Live,
            sync::Mode::Synchronised => Mode::Synchronised,
        };
        Some(Self {
            mode,
            download: policy.download,
            import: policy.import,
            onward: policy.onward,
        })
    }

    /// The same, as terms have it.
    pub const fn terms(self) -> sync::Policy {
        let mode = match self.mode {
            Mode::Live => sync::Mode::Live,
            Mode::Synchronised => sync::Mode::Synchronised,
        };
        sync::Policy {
            mode,
            download: self.download,
            import: self.import,
            onward: self.onward,
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
