//! Read sessions: whether somebody at a partner may read what a share covers, live, now.

use chrono::{DateTime, Utc};
use interdocket_sync::id::{EvidenceId, ShareId};
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::log::entry::Actor;
use interdocket_sync::refusal::Refusal;
use interdocket_sync::share::Kind as Terms;
use uuid::Uuid;

use super::Error;
use super::decide::{Context, Decided, broken};
use super::partner::Kind;
use super::share::{self, Scope};
use crate::event::{Event, SessionClosed, SessionEnd, SessionOpened};
use crate::rules;
use crate::store::view::View;
use crate::store::{entity, table};
#[cfg(test)]
use crate::tests::simulation::bug::{Bug, planted};

/// Who reads what, as the partner says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reader {
    /// The partner that asserts who it is.
    pub partner: OrganisationId,
    /// The share.
    pub share: ShareId,
    /// The recipient, as the share names it, that they are or belong to.
    pub recipient: String,
    /// Whether files may be kept.
    pub download: bool,
}

/// Until when the share of a session that was opened can be used, or why it was not opened.
pub type Opened = Result<Option<DateTime<Utc>>, Refusal>;

/// Opens a session under an id that nobody can guess, and records it; answers until when the share can be
/// used.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn open(
    context: &mut Context<'_>,
    session: Uuid,
    reader: &Reader,
    actor: Actor,
) -> Result<Decided<Opened>, Error> {
    let share = match judge(&context.view, reader, context.now)? {
        Ok(share) => share,
        Err(refused) => return Ok(Decided::new(Vec::new(), move |_| Ok(Err(refused)))),
    };
    let opened = SessionOpened {
        session,
        share: reader.share,
        partner: reader.partner,
        actor,
        recipient: reader.recipient.clone(),
        download: reader.download,
    };
    let until = share.header.kind.until();
    #[cfg(test)]
    if planted(Bug::SessionUnrecorded) {
        return Ok(Decided::new(Vec::new(), move |_| Ok(Ok(until))));
    }
    Ok(Decided::new(
        vec![Event::SessionOpened(opened)],
        move |_| Ok(Ok(until)),
    ))
}

/// Records that a session ended, with what was read in it.
pub fn close(
    session: Uuid,
    share: ShareId,
    (bytes, ranges): (u64, u64),
    reason: SessionEnd,
) -> Decided<()> {
    let closed = SessionClosed {
        session,
        share,
        bytes,
        ranges,
        reason,
    };
    Decided::new(vec![Event::SessionClosed(closed)], |_| Ok(()))
}

/// Some of the evidence that a share may cover, in the order of its ids, behind `after`; what of it the
/// share does cover is asked for each.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn candidates(
    view: &View<'_>,
    share: &entity::Share,
    after: Option<EvidenceId>,
    most: usize,
) -> Result<Vec<EvidenceId>, Error> {
    let Some(case) = share.case else {
        return Ok(Vec::new());
    };
    let id = share.header.share;
    Ok(match share.scope {
        Scope::Selected => {
            let after = after.map(|evidence| (id, evidence));
            let rows = view.page(&table::SELECTED, &id, after.as_ref(), most)?;
            rows.into_iter()
                .map(|((_, evidence), ())| evidence)
                .collect()
        }
        Scope::Entire | Scope::Folders(_) => {
            let after = after.map(|evidence| (case, evidence));
            let rows = view.page(&table::CASE_EVIDENCE, &case, after.as_ref(), most)?;
            rows.into_iter()
                .map(|((_, evidence), _)| evidence)
                .collect()
        }
    })
}

/// The share, where this reader may read it now. Shares that do not exist, are others', are over, or are
/// not addressed to this reader look the same.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn judge(
    view: &View<'_>,
    reader: &Reader,
    now: DateTime<Utc>,
) -> Result<Result<entity::Share, Refusal>, Error> {
    let Some(share) = view.get(&table::SHARE, &reader.share)? else {
        return Ok(Err(Refusal::NotShared));
    };
    let header = &share.header;
    let node = view
        .get(&table::NODE, &())?
        .ok_or_else(|| broken("the node's own record is missing"))?;
    let partner = view.get(&table::PARTNER, &reader.partner)?;
    let kind = Kind::of(header.kind);
    let sends = |partner: entity::Partner| rules::sending(node.role, &partner, kind).is_none();
    let lost = match share.case {
        Some(case) => view.has(&table::LOST, &case.uuid())?,
        None => true,
    };
    let live = (header.owner, header.partner) == (node.organisation, reader.partner)
        && kind != Kind::Copy
        && header.lives()
        && !header.expired(now)
        && rules::timely(&node)
        && partner.is_some_and(sends)
        && !lost
        && !view.has(&table::LOST, &reader.share.uuid())?;
    let onward = share::onward(view, &share)?;
    if !live || !rules::reads(&share.recipients, &onward, &reader.recipient) {
        return Ok(Err(Refusal::NotShared));
    }
    let keeps = match header.kind {
        Terms::Advanced(policy) => policy.download,
        Terms::Reference(_) | Terms::Copy => true,
    };
    if reader.download && !keeps {
        return Ok(Err(Refusal::NotEnabled));
    }
    Ok(Ok(share))
}
