//! What the node records when it deletes by itself: what retention policies say is due, what is gone, and that
//! nothing of it is left.
//!
//! Invariant: what is on legal hold is not deleted, nor what an open copy still owes to its partner.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use interdocket_sync::blob::Digest;
use interdocket_sync::id::{CaseId, EvidenceId, ShareId};
use interdocket_sync::share::{Fact, Facts as _, Key, Kind};
use uuid::Uuid;

use super::delete::shared;
use super::hold::held;
use super::{days, item, kept, node};
use crate::actions::case::Origin;
use crate::actions::decide::{self, Context, Decided, Effect};
use crate::actions::{Error, evidence, exchange};
use crate::blobs::Placed;
use crate::event::{
    CaseErased, DeletionQueued, ErasedFile, ErasureDone, Event, EvidenceErased, EvidenceExcluded,
    ItemsErased, Linked, Matter, Reasoned, Watermark, Why,
};
use crate::node::timely;
use crate::store::project::{ShareFacts, micros};
use crate::store::view::View;
use crate::store::{entity, table};

/// Where looking for what is due goes on: a row of evidence by its date.
pub type Place = (CaseId, u64, EvidenceId);

/// Evidence that the policy of a case has deleted within the days that lie between queueing and deleting, and that is
/// not queued; another of its cases may keep it; with where to go on, if there is more to look at.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn due(
    view: &View<'_>,
    now: DateTime<Utc>,
    after: Option<Place>,
) -> Result<(Vec<EvidenceId>, Option<Place>), Error> {
    let ahead = TimeDelta::days(node(view)?.settings.deletion_days.into());
    let mut due = Vec::new();
    let mut looked = 0;
    // The case in which the last look ended is gone on with; then come those behind it.
    let mut at = after;
    loop {
        let case = match at {
            Some((case, ..)) => case,
            None => match view.page(&table::CASE, &(), None, 1)?.first() {
                Some((case, _)) => *case,
                None => return Ok((due, None)),
            },
        };
        let held = view.get(&table::CASE, &case)?;
        let days = held.map(|case| days(view, &case)).transpose()?.flatten();
        let latest = days.map(|days| micros(now + ahead - TimeDelta::days(days.into())));
        let mut behind = at.filter(|(_, date, _)| *date > 0);
        while let Some(latest) = latest {
            let rows = view.page(&table::OLDEST, &case, behind.as_ref(), PAGE)?;
            looked += rows.len();
            let whole = rows.len() < PAGE;
            for ((_, date, id), ()) in &rows {
                if *date <= latest && !view.has(&table::QUEUED, &id.uuid())? {
                    due.push(*id);
                }
            }
            behind = rows.last().map(|(row, ())| *row);
            let over = behind.is_none_or(|(_, date, _)| date > latest);
            if whole || over {
                break;
            }
            if looked >= LOOKED {
                return Ok((due, behind));
            }
        }
        looked += 1;
        let Some((next, _)) = view.page(&table::CASE, &(), Some(&case), 1)?.pop() else {
            return Ok((due, None));
        };
        let next = (next, 0, EvidenceId::new(Uuid::nil()));
        if looked >= LOOKED {
            return Ok((due, Some(next)));
        }
        at = Some(next);
    }
}

/// Queues evidence that the policies of all its cases have deleted: at its date, or later where that was not seen coming.
///
/// # Errors
/// [`Error`] where the clock is not to be trusted, or the tables fail.
pub fn queue(context: &Context<'_>, due: &[EvidenceId]) -> Result<Decided<()>, Error> {
    timely(&context.view)?;
    let view = &context.view;
    let notice = context.now + TimeDelta::days(context.node()?.settings.deletion_days.into());
    let mut events = Vec::new();
    for id in due {
        if !view.has(&table::EVIDENCE, id)? || view.has(&table::QUEUED, &id.uuid())? {
            continue;
        }
        let kept = kept(view, *id, item(view, *id)?.dated_at)?;
        let what = Matter::Evidence(*id);
        if let Some(kept) = kept.filter(|kept| *kept <= notice)
            && !held(view, what)?
        {
            events.push(Event::DeletionQueued(DeletionQueued {
                what,
                on: kept.max(notice),
                why: Why::Retention,
            }));
        }
    }
    Ok(Decided::new(events, |_| Ok(())))
}

/// What is queued and whose time has come, behind a row of the queue.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn queued(
    view: &View<'_>,
    now: DateTime<Utc>,
    after: Option<(u64, Uuid)>,
) -> Result<Vec<(u64, Uuid)>, Error> {
    let rows = view.page(&table::QUEUE, &(), after.as_ref(), PAGE)?;
    let rows = rows.into_iter().map(|(row, ())| row);
    Ok(rows.take_while(|(on, _)| *on <= micros(now)).collect())
}

/// Records that something queued is gone, some of it at a time; answers behind which evidence of its case the next
/// step begins, if there is one.
///
/// # Errors
/// [`Error`] where the clock is not to be trusted, or the tables fail.
pub fn erase(
    context: &Context<'_>,
    id: Uuid,
    after: Option<EvidenceId>,
) -> Result<Decided<Option<EvidenceId>>, Error> {
    timely(&context.view)?;
    let view = &context.view;
    let queued = view.get(&table::QUEUED, &id)?;
    let Some(queued) = queued.filter(|queued| queued.on <= context.now) else {
        return Ok(Decided::new(Vec::new(), |_| Ok(None)));
    };
    let ids: Vec<EvidenceId> = match queued.what {
        Matter::Evidence(evidence) => vec![evidence],
        Matter::Case(case) => {
            let after = after.map(|evidence| (case, evidence));
            let rows = view.page(&table::CASE_EVIDENCE, &case, after.as_ref(), STEP)?;
            rows.into_iter().map(|((_, id), _)| id).collect()
        }
    };
    let cases = match queued.what {
        Matter::Evidence(evidence) => evidence::cases(view, evidence)?,
        Matter::Case(case) => vec![case],
    };
    let next = ids.last().copied().filter(|_| ids.len() == STEP);
    let (mut events, mut dropped) = (Vec::new(), BTreeMap::new());
    for evidence in ids {
        events.extend(match queued.what {
            Matter::Case(case) if elsewhere(view, case, evidence)? => left(view, case, evidence)?,
            _ => erased(context, evidence, &queued, &mut dropped)?,
        });
    }
    let changed = !events.is_empty();
    let mut decided = Decided::new(events, move |_| Ok(next));
    if changed {
        decided = decided.then(Effect::Recheck);
        for partner in exchange::following(view, &cases)? {
            decided = decided.then(Effect::Nudge(partner));
        }
    }
    Ok(decided)
}

/// Whether evidence of a case is in another one as well.
fn elsewhere(view: &View<'_>, case: CaseId, id: EvidenceId) -> Result<bool, Error> {
    let cases = evidence::cases(view, id)?;
    Ok(cases.iter().any(|other| *other != case))
}

/// Evidence that is in another case as well is taken out of one that is deleted.
fn left(view: &View<'_>, case: CaseId, id: EvidenceId) -> Result<Option<Event>, Error> {
    if held(view, Matter::Case(case))? || owed(view, &[case], id)?.is_some() {
        return Ok(None);
    }
    Ok(Some(Event::EvidenceExcluded(EvidenceExcluded {
        evidence: id,
        case,
        deleted: true,
    })))
}

fn erased(
    context: &Context<'_>,
    id: EvidenceId,
    queued: &entity::Queued,
    dropped: &mut BTreeMap<Digest, u64>,
) -> Result<Option<Event>, Error> {
    let view = &context.view;
    let evidence = item(view, id)?;
    let what = Matter::Evidence(id);
    if queued.why == Why::Retention {
        let kept = kept(view, id, evidence.dated_at)?;
        if kept.is_none_or(|kept| kept > context.now) {
            let reason = "its retention was changed".to_owned();
            return Ok(Some(Event::DeletionUndone(Reasoned { what, reason })));
        }
    }
    let cases = ever(view, id)?;
    if held(view, what)? || owed(view, &cases, id)?.is_some() {
        return Ok(None);
    }
    let own = view.page(&table::FILE, &id, None, usize::MAX)?;
    let mut all: Vec<Digest> = own.into_iter().map(|(_, file)| file.blake3).collect();
    // With what was made to go along with it.
    for share in shares(view, &cases)? {
        let made = view.page(&table::ATTACHED, &(share, id), None, usize::MAX)?;
        all.extend(made.into_iter().map(|(_, file)| file.blake3));
    }
    for ((_, disclosure), ()) in view.page(&table::EVIDENCE_DISCLOSURE, &id, None, usize::MAX)? {
        let disclosed = view.get(&table::DISCLOSED, &(disclosure, id))?;
        all.extend(disclosed.into_iter().flat_map(|disclosed| disclosed.made));
    }
    for case in &cases {
        for ((_, link), ()) in view.page(&table::CASE_LINK, case, None, usize::MAX)? {
            for (_, file) in view.page(&table::LINKED, &(link, id), None, usize::MAX)? {
                if let Linked::Made(made) = file.what {
                    all.push(made.blake3);
                }
            }
        }
    }
    // And with what was drawn of it.
    for (_, rendition) in view.page(&table::RENDITION, &id, None, usize::MAX)? {
        if let Watermark::Drawn(file) = rendition.watermark {
            all.push(file.blake3);
        }
    }
    let mut files = Vec::new();
    for blake3 in all {
        let uses = view.get(&table::BLOB, &blake3)?.map_or(0, |blob| blob.uses);
        let dropped = dropped.entry(blake3).or_default();
        *dropped += 1;
        files.push(ErasedFile {
            blake3,
            last: *dropped == uses,
        });
    }
    Ok(Some(Event::EvidenceErased(EvidenceErased {
        evidence: id,
        brought: brought(view, &cases, id, evidence.origin.as_ref())?,
        cases,
        origin: evidence.origin,
        files,
        why: queued.why.clone(),
    })))
}

/// The cases that evidence is in, and those that it was taken out of.
pub(super) fn ever(view: &View<'_>, id: EvidenceId) -> Result<Vec<CaseId>, Error> {
    let mut cases = evidence::cases(view, id)?;
    let left = view.page(&table::LEFT_CASE, &id, None, usize::MAX)?;
    cases.extend(left.into_iter().map(|((_, case), ())| case));
    Ok(cases)
}

/// The shares that these cases have or had.
fn shares(view: &View<'_>, cases: &[CaseId]) -> Result<Vec<ShareId>, Error> {
    let mut shares = Vec::new();
    for case in cases {
        let rows = view.page(&table::CASE_SHARE, case, None, usize::MAX)?;
        shares.extend(rows.into_iter().map(|((_, share), ())| share));
    }
    Ok(shares)
}

/// The shares that brought evidence: each made it evidence of its case.
fn brought(
    view: &View<'_>,
    cases: &[CaseId],
    id: EvidenceId,
    origin: Option<&Origin>,
) -> Result<Vec<ShareId>, Error> {
    let Some(origin) = origin else {
        return Ok(Vec::new());
    };
    let mut brought = Vec::new();
    for share in shares(view, cases)? {
        let row = (share, EvidenceId::new(origin.id));
        if view.get(&table::BECAME, &row)? == Some(id) {
            brought.push(share);
        }
    }
    Ok(brought)
}

/// The open copy of one of these cases that has evidence to deliver: what was disclosed is owed until it is stored
/// there, or the share is ended or cancelled.
pub(super) fn owed(
    view: &View<'_>,
    cases: &[CaseId],
    id: EvidenceId,
) -> Result<Option<ShareId>, Error> {
    let own = node(view)?.organisation;
    for share in shares(view, cases)? {
        let header = decide::share(view, share)?.header;
        if header.kind != Kind::Copy || header.owner != own || !header.open_to_owner() {
            continue;
        }
        let facts = ShareFacts::new(*view, share);
        let item = facts.item(id);
        facts.done()?;
        let listed = item.is_some_and(|item| item.withdrawn == 0 && item.stored == 0);
        if listed || view.has(&table::WAITING, &(share, id))? {
            return Ok(Some(share));
        }
    }
    Ok(None)
}

/// The shares of a case that is to be erased, but for those that are followed, with how much of each is held: what
/// they list is looked through before.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn listing(view: &View<'_>, id: Uuid) -> Result<Vec<(ShareId, u64)>, Error> {
    let own = node(view)?.organisation;
    let mut listing = Vec::new();
    for share in shares(view, &[CaseId::new(id)])? {
        let header = decide::share(view, share)?.header;
        if header.kind == Kind::Copy || header.owner == own {
            listing.push((share, header.owner_log.point.count));
        }
    }
    Ok(listing)
}

/// Records that what a share lists and is no evidence here is forgotten, some of it at a time, where its case is to be
/// erased and nothing else is left of it: what never came of a copy, and what this node disclosed in a past that it
/// lost. Answers behind which item the next step begins, if there is one.
///
/// # Errors
/// [`Error`] where the clock is not to be trusted, or the tables fail.
pub fn erase_listed(
    context: &Context<'_>,
    id: Uuid,
    share: ShareId,
    after: Option<EvidenceId>,
) -> Result<Decided<Option<EvidenceId>>, Error> {
    timely(&context.view)?;
    let view = &context.view;
    if erasable(context, id)?.is_none() {
        return Ok(Decided::new(Vec::new(), |_| Ok(None)));
    }
    let owns = decide::share(view, share)?.header.owner == node(view)?.organisation;
    let after = after.map(|item| (share, Key::Item(item)));
    let rows = view.page(&table::FACT, &share, after.as_ref(), STEP)?;
    let whole = rows.len() < STEP;
    let (mut items, mut next) = (Vec::new(), None);
    for ((_, key), fact) in rows {
        // Items stand before files and bytes.
        let (Key::Item(item), Fact::Item(said)) = (key, fact) else {
            next = None;
            break;
        };
        next = Some(item).filter(|_| !whole);
        let known = match owns {
            true => said.added_at == DateTime::UNIX_EPOCH || view.has(&table::EVIDENCE, &item)?,
            false => view.has(&table::BECAME, &(share, item))?,
        };
        if !known {
            items.push(item);
        }
    }
    let events = match items.is_empty() {
        true => Vec::new(),
        false => vec![Event::ItemsErased(ItemsErased { share, items })],
    };
    Ok(Decided::new(events, move |_| Ok(next)))
}

/// A case that is queued, whose time has come, and of which nothing is left that no share of this node's own has.
fn erasable(context: &Context<'_>, id: Uuid) -> Result<Option<(entity::Queued, CaseId)>, Error> {
    let view = &context.view;
    let queued = view.get(&table::QUEUED, &id)?;
    let Some(queued) = queued.filter(|queued| queued.on <= context.now) else {
        return Ok(None);
    };
    let Matter::Case(case) = queued.what else {
        return Ok(None);
    };
    let left = view.page(&table::CASE_EVIDENCE, &case, None, 1)?;
    if !left.is_empty() || held(view, queued.what)? || shared(view, case)?.is_some() {
        return Ok(None);
    }
    Ok(Some((queued, case)))
}

/// Records that a queued case is gone, once nothing of it is left and no share of this node's own has it. `listing` is
/// what was looked through: where more was listed since, it waits.
///
/// # Errors
/// [`Error`] where the clock is not to be trusted, or the tables fail.
pub fn erase_case(
    context: &Context<'_>,
    id: Uuid,
    listing: &[(ShareId, u64)],
) -> Result<Decided<()>, Error> {
    timely(&context.view)?;
    let view = &context.view;
    let nothing = Ok(Decided::new(Vec::new(), |_| Ok(())));
    let Some((queued, case)) = erasable(context, id)? else {
        return nothing;
    };
    if self::listing(view, id)? != listing {
        return nothing;
    }
    let (_, found) = decide::case(view, &case.to_string())?;
    let erased = CaseErased {
        case,
        number: found.number,
        import: imported(view, found.origin)?,
        why: queued.why,
    };
    let decided = Decided::new(vec![Event::CaseErased(erased)], |_| Ok(()));
    Ok(decided.then(Effect::Recheck))
}

/// The advanced share by which a case was imported.
fn imported(view: &View<'_>, origin: Option<Origin>) -> Result<Option<ShareId>, Error> {
    let Some(origin) = origin else {
        return Ok(None);
    };
    let kind = decide::share(view, origin.share)?.header.kind;
    Ok(matches!(kind, Kind::Advanced(_)).then_some(origin.share))
}

/// What of what was erased is still to be destroyed.
#[derive(Debug, Default)]
pub struct Doomed {
    /// Keys, by whose they are.
    pub keys: Vec<Uuid>,
    /// Bytes that nothing names.
    pub blobs: Vec<Placed>,
    /// Those of them that came again meanwhile, to the same place: they stay.
    pub again: Vec<Digest>,
}

impl Doomed {
    /// Some of it.
    ///
    /// # Errors
    /// [`Error`] where the tables fail.
    pub fn of(view: &View<'_>) -> Result<Self, Error> {
        let keys = view.page(&table::DOOMED_KEY, &(), None, STEP)?;
        let mut doomed = Self {
            keys: keys.into_iter().map(|(key, ())| key).collect(),
            ..Self::default()
        };
        for (digest, unused) in view.page(&table::DOOMED_BLOB, &(), None, STEP)? {
            let held = view.get(&table::BLOB, &digest)?;
            if held.is_some_and(|held| held.place == unused.place) {
                doomed.again.push(digest);
                continue;
            }
            doomed.blobs.push(Placed {
                digest,
                size: unused.size,
                place: unused.place,
            });
        }
        Ok(doomed)
    }

    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.blobs.is_empty() && self.again.is_empty()
    }

    /// Records that it is destroyed.
    pub fn done(self) -> Decided<()> {
        let blobs = self.blobs.iter().map(|blob| blob.digest);
        let done = ErasureDone {
            blobs: blobs.chain(self.again).collect(),
            keys: self.keys,
        };
        Decided::new(vec![Event::ErasureDone(done)], |_| Ok(()))
    }
}

/// Rows that are read together.
const PAGE: usize = 256;
/// Rows that are looked at before others have their turn.
const LOOKED: usize = 4096;
/// Items that are erased in one step: bounded by what one step of the database takes.
const STEP: usize = 64;
