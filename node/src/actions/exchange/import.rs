//! Imports: asking for them, granting them, and making a partner's evidence this node's own.

use std::collections::{BTreeMap, BTreeSet};

use interdocket_sync::blob::Digest;
use interdocket_sync::evidence::Item;
use interdocket_sync::id::{CaseId, EvidenceId, ShareId};
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::log::entry::{Actor, CaseInfo, StoredItem};
use interdocket_sync::refusal::Refusal;
use interdocket_sync::share::decide::{Command, decide as next};
use interdocket_sync::share::{Fact, Facts as _, Header, ItemFact, Key, Kind};

use super::store::{became, held, stored_blob};
use super::{number, salt, written};
use crate::actions::decide::{self, Context, Decided, Effect};
use crate::actions::{Error, ErrorKind, case, share};
use crate::blobs::Placed;
use crate::event::{
    CaseEdited, CaseImported, CaseMade, CaseUpdated, Event, EvidenceImported, ImportAsked,
    ImportEnded, StoredBlob,
};
use crate::rules;
use crate::store::project::ShareFacts;
use crate::store::view::View;
use crate::store::{entity, table};
#[cfg(test)]
use crate::tests::simulation::bug::{Bug, planted};

/// Records that somebody wants a received share imported, as far as it is listed now: all of it, or these
/// items only.
///
/// # Errors
/// [`Error`] where it can't be: it was not received, its policy has no imports, it is over, or it has not all of
/// these items.
pub fn ask(
    context: &mut Context<'_>,
    id: ShareId,
    recipient: String,
    evidence: Vec<EvidenceId>,
) -> Result<Decided<()>, Error> {
    let share = decide::share(&context.view, id)?;
    let header = &share.header;
    let received = header.partner == context.node()?.organisation;
    let Kind::Advanced(policy) = header.kind else {
        return Err(Error::new(
            ErrorKind::Conflict,
            "only an advanced share can be imported",
        ));
    };
    if !received {
        return Err(Error::new(
            ErrorKind::Conflict,
            "this share is this node's own",
        ));
    }
    if !policy.import {
        let message = "the owner's policy for this share allows no imports";
        return Err(Error::new(ErrorKind::Forbidden, message).hint("ask its owner for a copy"));
    }
    if !header.lives() {
        let message = "this share was revoked, suspended or is not accepted";
        return Err(Error::new(ErrorKind::Conflict, message)
            .hint("look at it: interdocket external show SHARE"));
    }
    if evidence.len() > NAMED_MAX {
        let message = format!(
            "{} items of evidence are named, more than {NAMED_MAX}",
            evidence.len()
        );
        return Err(Error::new(ErrorKind::Invalid, message)
            .hint("import all of it, or these in several steps"));
    }
    if deleted(&context.view, &share)? {
        let message = "this case was imported and deleted here";
        return Err(Error::new(ErrorKind::Conflict, message)
            .hint("it is still read at its owner: interdocket external show SHARE"));
    }
    let facts = ShareFacts::new(context.view, id);
    for evidence in &evidence {
        let listed = facts.item(*evidence);
        if listed.is_none_or(|item| item.withdrawn != 0) {
            let message = format!("evidence {evidence} is not in this share");
            return Err(Error::new(ErrorKind::NotFound, message)
                .hint("see what is: interdocket external show SHARE"));
        }
    }
    facts.done()?;
    let asked = ImportAsked {
        share: id,
        recipient,
        evidence,
    };
    Ok(Decided::new(vec![Event::ImportAsked(asked)], |_| Ok(())).then(Effect::Nudge(header.owner)))
}

/// Grants a partner's import of what is listed now, where the policy has it; asked by this recipient, or
/// by the partner's node by itself.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn grant(
    context: &mut Context<'_>,
    caller: OrganisationId,
    id: ShareId,
    asked: Actor,
    recipient: &str,
) -> Result<Decided<Result<(), Refusal>>, Error> {
    let refuse = |refusal: Refusal| Ok(Decided::new(Vec::new(), move |_| Ok(Err(refusal))));
    let share = context.view.get(&table::SHARE, &id)?;
    let Some(share) = share.filter(|share| share.header.partner == caller) else {
        return refuse(Refusal::NotShared);
    };
    let node = context.node()?;
    let partner = context.view.get(&table::PARTNER, &caller)?;
    if share.header.owner != node.organisation || !share.header.lives() {
        return refuse(Refusal::NotShared);
    }
    let Some(partner) = partner else {
        return refuse(Refusal::NotShared);
    };
    let Kind::Advanced(policy) = share.header.kind else {
        return refuse(Refusal::NotEnabled);
    };
    let onward = share::onward(&context.view, &share)?;
    let itself =
        asked.id.uuid() == crate::event::subject(caller) && rules::imports(partner.role, policy);
    if !policy.import || !(itself || rules::reads(&share.recipients, &onward, recipient)) {
        return refuse(Refusal::NotEnabled);
    }
    let facts = ShareFacts::new(context.view, id);
    let granted = next(
        &share.header,
        &facts,
        Command::Grant(asked),
        context.now,
        &mut salt(context.chance),
    );
    facts.done()?;
    let entries = match granted {
        Ok(entries) => entries,
        Err(refusal) => return refuse(refusal),
    };
    let events = written(context, &share.header, &node, entries);
    Ok(Decided::new(events.into_iter().collect(), |_| Ok(Ok(()))).then(Effect::Nudge(caller)))
}

/// Records that an import has brought what was granted up to an entry, or was refused. What this node imports by
/// itself may be next.
///
/// # Errors
/// [`Error`] where the share is gone.
pub fn ended(
    context: &Context<'_>,
    share: ShareId,
    through: u64,
    refused: Option<Refusal>,
) -> Result<Decided<()>, Error> {
    let owner = decide::share(&context.view, share)?.header.owner;
    let ended = ImportEnded {
        share,
        through,
        refused: refused.map(|refusal| refusal.name().to_owned()),
    };
    Ok(Decided::new(vec![Event::ImportEnded(ended)], |_| Ok(())).then(Effect::Nudge(owner)))
}

/// Of these digests, those that this node holds as its own and that this owner has delivered before.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn delivered(
    view: &View<'_>,
    owner: OrganisationId,
    digests: impl IntoIterator<Item = Digest>,
) -> Result<BTreeSet<Digest>, Error> {
    let mut here = BTreeSet::new();
    for digest in digests {
        if view.has(&table::DELIVERED, &(owner, digest))? && held(view, &digest)? {
            here.insert(digest);
        }
    }
    Ok(here)
}

/// What an import is made of, as its owner has it.
#[derive(Debug, Clone)]
pub struct Source {
    /// The case.
    pub case: CaseId,
    /// How it is described.
    pub info: CaseInfo,
    /// For whom it is.
    pub recipients: Vec<String>,
}

/// Makes items of an advanced share this node's own, with case and items as their owner describes them
/// now, and states so in this node's log. The case is made with the first of them. Items that may not be
/// imported, or were, are left out, and so are those whose bytes are neither `placed` nor held.
///
/// # Errors
/// [`Error`] where the share is gone or the tables fail.
pub fn import(
    context: &mut Context<'_>,
    id: ShareId,
    source: &Source,
    items: Vec<Item>,
    placed: &[Placed],
) -> Result<Decided<()>, Error> {
    let share = decide::share(&context.view, id)?;
    decide::whole(&context.view, id.uuid())?;
    let node = context.node()?;
    let header = &share.header;
    if deleted(&context.view, &share)? {
        return Ok(Decided::new(Vec::new(), |_| Ok(())));
    }
    let facts = ShareFacts::new(context.view, id);
    let due = due(&context.view, header, &facts, items, placed)?;
    let stated = next(
        header,
        &facts,
        Command::Import(due.stored),
        context.now,
        &mut salt(context.chance),
    );
    facts.done()?;
    let entries = match stated {
        Ok(entries) if !due.own.is_empty() => entries,
        // Frozen or purged meanwhile: what arrived is not made visible.
        _ => return Ok(Decided::new(Vec::new(), |_| Ok(()))),
    };
    let mut events = Vec::new();
    if !due.fresh.is_empty() {
        events.push(Event::BlobsStored(due.fresh));
    }
    let case = match share.case {
        Some(case) => case,
        None => {
            let case = CaseId::received(id, source.case);
            let number = number(&context.view, case, &source.info.number)?;
            events.push(case::numbered(case, None, &number));
            events.push(Event::CaseImported(CaseImported {
                share: id,
                recipients: source.recipients.clone(),
                origin: source.case,
                case: CaseMade {
                    id: case,
                    number,
                    title: source.info.title.clone(),
                    description: source.info.description.clone(),
                },
                targets: source.info.targets.clone(),
                tags: source.info.tags.clone(),
            }));
            case
        }
    };
    for item in due.own {
        events.push(Event::EvidenceImported(EvidenceImported {
            share: id,
            case,
            became: became(&context.view, header, item.evidence, &item.files)?,
            item,
        }));
    }
    events.extend(written(context, header, &node, entries));
    Ok(Decided::new(events, |_| Ok(())).then(Effect::Nudge(header.owner)))
}

/// Takes over how the owner describes a case that was imported, as somebody here asked for. It keeps the
/// number that it has here.
///
/// # Errors
/// [`Error`] where the share is gone or the tables fail.
pub fn describe(
    context: &mut Context<'_>,
    id: ShareId,
    info: CaseInfo,
    described: u64,
) -> Result<Decided<()>, Error> {
    let share = decide::share(&context.view, id)?;
    let imported = share.case.filter(|_| share.imported_case != 0);
    let case = imported.map(|case| context.view.get(&table::CASE, &case));
    let case = case.transpose()?.flatten();
    let (Some(own), Some(case)) = (imported, case) else {
        return Ok(Decided::new(Vec::new(), |_| Ok(())));
    };
    if share.imported_case >= described {
        return Ok(Decided::new(Vec::new(), |_| Ok(())));
    }
    let updated = CaseUpdated {
        share: id,
        case: CaseEdited {
            id: own,
            number: case.number,
            title: info.title,
            description: info.description,
        },
        targets: info.targets,
        tags: info.tags,
        described,
    };
    Ok(Decided::new(vec![Event::CaseUpdated(updated)], |_| Ok(())))
}

/// Items that become this node's own, and what is recorded of them.
struct Due {
    own: Vec<Item>,
    stored: Vec<StoredItem>,
    fresh: Vec<StoredBlob>,
}

fn due(
    view: &View<'_>,
    header: &Header,
    facts: &ShareFacts<'_>,
    items: Vec<Item>,
    placed: &[Placed],
) -> Result<Due, Error> {
    let places: BTreeMap<Digest, &Placed> = placed.iter().map(|blob| (blob.digest, blob)).collect();
    let mut fresh: BTreeMap<Digest, StoredBlob> = BTreeMap::new();
    let mut stored: Vec<StoredItem> = Vec::new();
    let mut own = Vec::new();
    for item in items {
        let listed = facts.item(item.evidence);
        let may = |listed: &ItemFact| header.importable(listed);
        #[cfg(test)]
        let may = |listed: &ItemFact| may(listed) || planted(Bug::UngrantedImported);
        if !listed.as_ref().is_some_and(may) || own_already(view, header.share, item.evidence)? {
            continue;
        }
        let mut whole = true;
        for file in &item.files {
            whole &= places.contains_key(&file.blake3) || held(view, &file.blake3)?;
        }
        if !whole {
            continue;
        }
        fresh.extend(item.files.iter().filter_map(|file| {
            let placed = places.get(&file.blake3)?;
            Some((file.blake3, stored_blob(placed, file)))
        }));
        stored.push(StoredItem {
            evidence: item.evidence,
            files: item.files.iter().map(|file| file.blake3).collect(),
        });
        own.push(item);
    }
    Ok(Due {
        own,
        stored,
        fresh: fresh.into_values().collect(),
    })
}

/// Whether what was imported by a share was deleted here as a whole: it is not brought back.
fn deleted(view: &View<'_>, share: &entity::Share) -> Result<bool, Error> {
    let case = share.case.map(|case| view.has(&table::GONE, &case.uuid()));
    Ok(case.transpose()?.unwrap_or(false))
}

/// Whether an item of a share is this node's own, or was and was deleted here. That it once stated so does not
/// count: it may have been lost since.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn own_already(view: &View<'_>, share: ShareId, evidence: EvidenceId) -> Result<bool, Error> {
    Ok(view.has(&table::BECAME, &(share, evidence))?)
}

/// The items of a share from one on, in the order of their ids, that may be imported and were not.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn importable(
    view: &View<'_>,
    id: ShareId,
    after: Option<EvidenceId>,
    most: usize,
) -> Result<(Vec<EvidenceId>, Option<EvidenceId>), Error> {
    let share = decide::share(view, id)?;
    if deleted(view, &share)? {
        return Ok((Vec::new(), None));
    }
    let after = after.map(|evidence| (id, Key::Item(evidence)));
    let mut due = Vec::new();
    let mut last = None;
    let rows = view.page(&table::FACT, &id, after.as_ref(), most)?;
    let may = |item: &ItemFact| share.header.importable(item);
    #[cfg(test)]
    let may = |item: &ItemFact| may(item) || planted(Bug::UngrantedImported);
    for ((_, key), fact) in rows {
        // Items stand before files and bytes.
        let (Key::Item(evidence), Fact::Item(item)) = (key, fact) else {
            return Ok((due, None));
        };
        last = Some(evidence);
        if may(&item) && !own_already(view, id, evidence)? {
            due.push(evidence);
        }
    }
    Ok((due, last))
}

/// Items that are named in one import, so that it stays under one value of the database.
pub const NAMED_MAX: usize = 128;
