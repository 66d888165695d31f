//! Download links: a package of files of a case for whoever holds the link, for some days.
//!
//! A package is what was chosen when its link was made, by reference: what becomes of the case does not change it, but
//! what is deleted leaves it. Not here: how a package is written and sent (`links`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use interdocket_sync::blob::{Digest, Sha256};
use interdocket_sync::id::{CaseId, EvidenceId};
use interdocket_sync::limits;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::decide::{self, Context, Decided, Effect, broken};
use super::evidence::{rendition, trail};
use super::share::{self, Attachment};
use super::{About, Action as _, Caller, Change, Error, ErrorKind, Query, feature, reach, token};
use crate::event::{
    AddedFile, DownloadBegun, DownloadEnd, DownloadEnded, Event, LinkFilled, LinkMade, LinkRevoked,
    Linked, LinkedFile, StoredBlob,
};
use crate::features::Feature;
use crate::store::view::View;
use crate::store::{entity, table};

/// Names a download link. It opens nothing.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct LinkId(Uuid);

impl LinkId {
    /// Wraps a UUID.
    pub const fn new(id: Uuid) -> Self {
        Self(id)
    }

    /// The UUID itself.
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for LinkId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(Self)
    }
}

/// Makes a link from which whoever holds it downloads a case, or part of it, as a ZIP. It is shown this once.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Create {
    /// The case's id or number.
    pub case: String,
    /// For how many days it works, 1 to 365.
    pub days: u32,
    /// How often it may be used, at least once; as often as one likes where left out. Whatever begins counts, also what
    /// goes on with a download that broke off.
    #[serde(default)]
    pub downloads: Option<u32>,
    /// Only these items of evidence; the entire case where empty.
    #[serde(default)]
    #[schemars(with = "Vec<uuid::Uuid>")]
    pub evidence: Vec<EvidenceId>,
    /// Only what lies in these folders or below; the entire case where empty.
    #[serde(default)]
    pub folders: Vec<String>,
    /// What goes along with the evidence; nothing, where left out. An audit trail has confidential activity only where
    /// whoever makes the link may see that.
    #[serde(default)]
    pub attachments: BTreeSet<Attachment>,
}

/// Lists download links, without what opens them.
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

/// Revokes a download link: it opens nothing any more, and what is being downloaded is cut off.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Revoke {
    /// The link's id.
    pub link: LinkId,
}

/// A download link as it was made, shown once.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Made {
    /// From where the package is downloaded. Whoever has this can.
    pub url: String,
    /// The link as it is listed.
    pub link: Link,
}

/// A download link as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Link {
    /// By which it is revoked.
    pub id: LinkId,
    /// The case.
    #[schemars(with = "uuid::Uuid")]
    pub case: CaseId,
    /// The case's number when the link was made.
    pub case_number: String,
    /// Who made it; empty where nobody did by name.
    pub made_by: String,
    /// When it was made.
    pub made_at: DateTime<Utc>,
    /// When it stops working.
    pub expires_at: DateTime<Utc>,
    /// How it stands.
    pub state: State,
    /// How many downloads were begun.
    pub downloads: u32,
    /// How often it may be used; as often as one likes where none.
    pub most: Option<u32>,
    /// How many files its package had when it was made.
    pub files: u64,
    /// How many bytes they had.
    pub bytes: u64,
    /// What goes along with the evidence.
    pub attachments: BTreeSet<Attachment>,
}

/// How it stands with a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It can be used.
    Ready,
    /// Its days are over.
    Expired,
    /// It was used as often as it may be.
    UsedUp,
    /// It was revoked.
    Revoked,
}

/// A page of download links.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Page {
    /// In the order in which they were made.
    pub links: Vec<Link>,
    /// Where the next page continues; none after the last.
    pub next: Option<String>,
}

/// What was made of what is said of items, durable and not recorded yet.
#[derive(Debug, Default)]
pub struct Documents {
    /// By the item, also where nothing was made of it.
    pub items: BTreeMap<EvidenceId, Vec<AddedFile>>,
    /// The bytes that are new here.
    pub stored: Vec<StoredBlob>,
}

impl Create {
    /// The items for which something is to be made first: those that were chosen.
    ///
    /// # Errors
    /// [`Error`] where they can't be, or the tables fail.
    pub fn wanted(
        &self,
        view: &View<'_>,
    ) -> Result<Vec<(EvidenceId, Option<trail::Wanted>)>, Error> {
        let (case, _) = decide::case(view, &self.case)?;
        let owner = node(view)?.organisation;
        let chosen = self.chosen(view, case)?;
        let wanted = chosen.into_iter().map(|id| {
            let wanted = trail::wanted(view, &self.attachments, owner, Some(case), id)?;
            Ok((id, wanted))
        });
        wanted.collect()
    }

    fn chosen(&self, view: &View<'_>, case: CaseId) -> Result<Vec<EvidenceId>, Error> {
        let folders = share::folders(&self.folders)?;
        let chosen = share::choose(view, case, &self.evidence, &folders)?;
        if chosen.is_empty() {
            let message = "nothing of the case was chosen";
            return Err(Error::new(ErrorKind::Invalid, message)
                .hint("add evidence first, or choose other folders"));
        }
        Ok(chosen)
    }

    /// Decides; `base` is what stands before the token.
    ///
    /// # Errors
    /// [`Error`] where it cannot be; nothing is recorded then.
    pub fn decide(
        self,
        context: &mut Context<'_>,
        documents: Documents,
        base: &str,
    ) -> Result<Decided<Made>, Error> {
        if !(1..=DAYS_MAX).contains(&self.days) {
            let message = format!("a link works for 1 to {DAYS_MAX} days, not {}", self.days);
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        if self.downloads == Some(0) {
            let message = "a link that may never be used is none";
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        if !node(&context.view)?.features.contains(&Feature::CaseShare) {
            return Err(feature::lacking(Feature::CaseShare));
        }
        let (case, found) = decide::case(&context.view, &self.case)?;
        decide::whole(&context.view, case.uuid())?;
        let chosen = self.chosen(&context.view, case)?;
        let Documents { items, stored } = documents;
        if !self.attachments.is_empty() && !items.keys().eq(&chosen) {
            let message = "the case changed while its package was made";
            return Err(Error::new(ErrorKind::Conflict, message).hint("make the link again"));
        }
        let mut package = Package::default();
        for id in chosen {
            package.own(&context.view, id, &self.attachments)?;
            for made in items.get(&id).into_iter().flatten() {
                package.push(id, made.size, Linked::Made(made.clone()))?;
            }
        }
        let mut secret = [0; 32];
        (context.chance)(&mut secret);
        let token = Digest(secret).to_string();
        let link = LinkId::new(context.id());
        let made = LinkMade {
            link,
            case,
            number: found.number,
            hash: token::hash(&token),
            expires_at: context.now + TimeDelta::days(self.days.into()),
            downloads: self.downloads,
            attachments: self.attachments,
            files: package.files.len() as u64,
            bytes: package.bytes,
        };
        let stored = stored.chunks(STEP);
        let mut events: Vec<Event> = stored
            .map(|stored| Event::BlobsStored(stored.to_vec()))
            .collect();
        events.push(Event::LinkMade(made));
        events.extend(package.files.chunks(STEP).map(|files| {
            Event::LinkFilled(LinkFilled {
                link,
                case,
                files: files.to_vec(),
            })
        }));
        let (url, now) = (format!("{base}{token}"), context.now);
        Ok(Decided::new(events, move |view| {
            let link = Link::of(link, self::link(view, link)?, now);
            Ok(Made { url, link })
        }))
    }
}

/// What a package is to have.
#[derive(Default)]
struct Package {
    files: Vec<(u32, LinkedFile)>,
    bytes: u64,
}

impl Package {
    /// Adds the files of an item that go along: of video that was received what its watermark was drawn into, as
    /// whoever holds a link may not read originals.
    fn own(
        &mut self,
        view: &View<'_>,
        id: EvidenceId,
        attachments: &BTreeSet<Attachment>,
    ) -> Result<(), Error> {
        decide::whole(view, id.uuid())?;
        for ((_, place), file) in view.page(&table::FILE, &id, None, limits::ITEM_FILES_MAX)? {
            if !trail::goes(attachments, file.kind) {
                continue;
            }
            match rendition::drawn(view, (id, place))? {
                Some(drawn) => self.push(id, drawn.size, Linked::Drawn(place, drawn.blake3))?,
                None => self.push(id, file.size, Linked::Own(place, file.blake3))?,
            }
        }
        Ok(())
    }

    fn push(&mut self, evidence: EvidenceId, size: u64, what: Linked) -> Result<(), Error> {
        if self.files.len() == FILES_MAX {
            let message = format!("these are more than {FILES_MAX} files");
            return Err(Error::new(ErrorKind::Invalid, message)
                .hint("make a link for each of some folders: --folder FOLDER"));
        }
        let number = u32::try_from(self.files.len()).unwrap_or(u32::MAX);
        self.files.push((number, LinkedFile { evidence, what }));
        self.bytes = self.bytes.saturating_add(size);
        Ok(())
    }
}

impl Change for Revoke {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Link>, Error> {
        let id = self.link;
        let held = link(&context.view, id)?;
        let now = context.now;
        let revoked = LinkRevoked {
            link: id,
            case: held.case,
        };
        let events = match held.revoked_at {
            Some(_) => Vec::new(),
            None => vec![Event::LinkRevoked(revoked)],
        };
        let decided = Decided::new(events, move |view| Ok(Link::of(id, link(view, id)?, now)));
        Ok(decided.then(Effect::Recheck))
    }
}

impl Query for List {
    fn answer(&self, view: &View<'_>, caller: &Caller, now: DateTime<Utc>) -> Result<Page, Error> {
        let limit = decide::limit(self.limit)?;
        let mut after: Option<LinkId> = decide::after(self.after.as_deref())?;
        let case = self.case.as_deref().map(|name| decide::case(view, name));
        let case = case.transpose()?.map(|(id, _)| id);
        let mut links = Vec::new();
        // Nothing out of reach is in a page, or where it continues: not even an id.
        loop {
            let ids = ids(view, case, after)?;
            let whole = ids.len() < ROWS;
            for id in ids {
                if links.len() == limit {
                    let next = links.last().map(|link: &Link| link.id.to_string());
                    return Ok(Page { links, next });
                }
                after = Some(id);
                if reach::check(view, caller, Self::NAME, &About::Link(id)).is_ok() {
                    links.push(Link::of(id, link(view, id)?, now));
                }
            }
            if whole {
                return Ok(Page { links, next: None });
            }
        }
    }
}

/// The next links of a case, or of all.
fn ids(view: &View<'_>, case: Option<CaseId>, after: Option<LinkId>) -> Result<Vec<LinkId>, Error> {
    let Some(case) = case else {
        let rows = view.page(&table::LINK, &(), after.as_ref(), ROWS)?;
        return Ok(rows.into_iter().map(|(id, _)| id).collect());
    };
    let after = after.map(|id| (case, id));
    let rows = view.page(&table::CASE_LINK, &case, after.as_ref(), ROWS)?;
    Ok(rows.into_iter().map(|((_, id), ())| id).collect())
}

impl Link {
    fn of(id: LinkId, held: entity::Link, now: DateTime<Utc>) -> Self {
        Self {
            id,
            case: held.case,
            state: match over(&held, now) {
                None if used_up(&held) => State::UsedUp,
                None => State::Ready,
                Some(Closed::Revoked) => State::Revoked,
                Some(_) => State::Expired,
            },
            case_number: held.number,
            made_by: held.made_by.map_or_else(String::new, |actor| actor.name),
            made_at: held.made_at,
            expires_at: held.expires_at,
            downloads: held.downloads,
            most: held.most,
            files: held.files,
            bytes: held.bytes,
            attachments: held.attachments,
        }
    }
}

/// The link with this id.
///
/// # Errors
/// `NotFound`.
pub fn link(view: &View<'_>, id: LinkId) -> Result<entity::Link, Error> {
    view.get(&table::LINK, &id)?.ok_or_else(|| no_link(id))
}

/// That there is no link with this id, or none for this caller.
pub fn no_link(id: LinkId) -> Error {
    Error::new(
        ErrorKind::NotFound,
        format!("there is no download link {id}"),
    )
    .hint("list them: interdocket link list")
}

/// Why a link that is known opens nothing: for the record, not for whoever holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// It was revoked.
    Revoked,
    /// Its days are over.
    Expired,
    /// It was used as often as it may be.
    UsedUp,
    /// All of its package was deleted.
    Empty,
    /// The case can't be told any more, as a record of it can't be read.
    Lost,
}

impl Closed {
    /// In words.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Revoked => "the link was revoked",
            Self::Expired => "the days of the link are over",
            Self::UsedUp => "the link was used as often as it may be",
            Self::Empty => "all that the link had was deleted",
            Self::Lost => "a record of the case can't be read",
        }
    }
}

fn over(link: &entity::Link, now: DateTime<Utc>) -> Option<Closed> {
    if link.revoked_at.is_some() {
        return Some(Closed::Revoked);
    }
    (link.expires_at <= now).then_some(Closed::Expired)
}

fn used_up(link: &entity::Link) -> bool {
    link.most.is_some_and(|most| link.downloads >= most)
}

/// The link of a token.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn known(view: &View<'_>, hash: &Sha256) -> Result<Option<(LinkId, entity::Link)>, Error> {
    let Some(id) = view.get(&table::LINK_HASH, hash)? else {
        return Ok(None);
    };
    Ok(Some((id, link(view, id)?)))
}

/// Whether a link may be used now: begun, or gone on with.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn judge(
    view: &View<'_>,
    link: &entity::Link,
    now: DateTime<Utc>,
) -> Result<Option<Closed>, Error> {
    if view.has(&table::LOST, &link.case.uuid())? {
        return Ok(Some(Closed::Lost));
    }
    Ok(over(link, now))
}

/// Whether a link may be begun to be used now.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn closed(
    view: &View<'_>,
    link: &entity::Link,
    now: DateTime<Utc>,
) -> Result<Option<Closed>, Error> {
    let against = judge(view, link, now)?;
    Ok(against.or_else(|| used_up(link).then_some(Closed::UsedUp)))
}

/// Records that a download begins; answers why not.
///
/// # Errors
/// [`Error`] where the clock is not to be trusted, or the tables fail.
pub fn begin(
    context: &Context<'_>,
    id: LinkId,
    download: Uuid,
    from: Option<IpAddr>,
    start: u64,
) -> Result<Decided<Option<Closed>>, Error> {
    crate::node::timely(&context.view)?;
    let Some(held) = context.view.get(&table::LINK, &id)? else {
        return Ok(Decided::new(Vec::new(), |_| Ok(Some(Closed::Empty))));
    };
    let against = closed(&context.view, &held, context.now)?;
    let begun = DownloadBegun {
        download,
        link: id,
        case: held.case,
        from,
        start,
    };
    let events = match against {
        Some(_) => Vec::new(),
        None => vec![Event::DownloadBegun(begun)],
    };
    Ok(Decided::new(events, move |_| Ok(against)))
}

/// Records that a download is over, unless that is recorded.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn end(
    context: &Context<'_>,
    download: Uuid,
    bytes: Option<u64>,
    reason: DownloadEnd,
) -> Result<Decided<()>, Error> {
    let open = context.view.get(&table::DOWNLOAD, &download)?;
    let ended = open.map(|open| {
        Event::DownloadEnded(DownloadEnded {
            download,
            link: open.link,
            case: open.case,
            bytes,
            reason,
        })
    });
    Ok(Decided::new(ended.into_iter().collect(), |_| Ok(())))
}

fn node(view: &View<'_>) -> Result<entity::Node, Error> {
    let node = view.get(&table::NODE, &())?;
    node.ok_or_else(|| broken("the node's own record is missing"))
}

/// Days of a link: whoever needs it for longer is a partner.
const DAYS_MAX: u32 = 365;
/// Files of one package: their names are in memory for as long as it is sent.
const FILES_MAX: usize = 20_000;
/// Files in one record: one step of the database.
const STEP: usize = 512;
/// Rows that are looked at together.
const ROWS: usize = 256;
