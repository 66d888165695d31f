//! What an owner writes when the partner can take it: whatever waits, as it is by now.

use std::collections::BTreeMap;

use interdocket_sync::copy::outgoing;
use interdocket_sync::evidence::Item;
use interdocket_sync::id::{CaseId, EvidenceId, ShareId, TargetId};
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::limits;
use interdocket_sync::log::entry::{CaseInfo, ItemChange, Target};
use interdocket_sync::metadata::{Tag, Value};
use interdocket_sync::share::decide::Command;
use interdocket_sync::share::{Facts as _, Kind as Terms};

use super::{actor, entries, written};
use crate::actions::Error;
use crate::actions::decide::{self, Context, Decided, broken};
use crate::actions::evidence::trail;
use crate::actions::metadata;
use crate::actions::partner::Kind;
use crate::actions::share::Scope;
use crate::event::{Event, ShareWidened};
use crate::rules;
use crate::store::project::ShareFacts;
use crate::store::view::View;
use crate::store::{entity, table};
#[cfg(test)]
use crate::tests::simulation::bug::{Bug, planted};

/// Writes the next entries of this node's log of a share, as far as something waits: one batch.
/// Answers whether there were any.
///
/// # Errors
/// [`Error`] where the share is gone or the tables fail.
pub fn disclose(context: &mut Context<'_>, id: ShareId) -> Result<Decided<bool>, Error> {
    let share = decide::share(&context.view, id)?;
    decide::whole(&context.view, id.uuid())?;
    if let Some(case) = share.case {
        decide::whole(&context.view, case.uuid())?;
    }
    let node = context.node()?;
    let header = &share.header;
    let reference = matches!(header.kind, Terms::Reference(_));
    if !header.open_to_owner() || header.suspended || reference {
        return Ok(Decided::new(Vec::new(), |_| Ok(false)));
    }
    // What was chosen while sending was enabled waits until it is enabled again.
    let partner = context.view.get(&table::PARTNER, &header.partner)?;
    let against =
        |partner: entity::Partner| rules::sending(node.role, &partner, Kind::of(header.kind));
    if partner.is_none_or(|partner| against(partner).is_some()) {
        return Ok(Decided::new(Vec::new(), |_| Ok(false)));
    }
    let mut events = Vec::new();
    let waiting = waiting(&context.view, id, &share)?;
    if !waiting.nothing.is_empty() {
        events.push(Event::ShareSettled(ShareWidened {
            share: id,
            evidence: waiting.nothing,
        }));
    }
    let command = if share.case_waiting {
        Command::ChangeCase(actor(context)?, info(&context.view, &share)?)
    } else if !waiting.withdraw.is_empty() {
        Command::Withdraw(waiting.withdraw)
    } else if !waiting.change.is_empty() {
        Command::Change(waiting.change)
    } else if !waiting.add.is_empty() {
        Command::Add(waiting.add)
    } else if waiting.held {
        return Ok(Decided::new(Vec::new(), |_| Ok(false)));
    } else {
        Command::List(actor(context)?)
    };
    let facts = ShareFacts::new(context.view, id);
    let mut entries = entries(context, header, &facts, command)?;
    facts.done()?;
    // Items with many files fill more entries than one head may cover: the rest waits for the next.
    entries.truncate(limits::BATCH_ENTRIES_MAX);
    events.extend(written(context, header, &node, entries));
    let wrote = !events.is_empty();
    Ok(Decided::new(events, move |_| Ok(wrote)))
}

/// Some of what waits, by what it has come to.
#[derive(Default)]
struct Waiting {
    withdraw: Vec<EvidenceId>,
    change: Vec<ItemChange>,
    add: Vec<Item>,
    nothing: Vec<EvidenceId>,
    /// Whether something is to be made for items first.
    held: bool,
}

fn waiting(view: &View<'_>, id: ShareId, share: &entity::Share) -> Result<Waiting, Error> {
    let mut waiting = Waiting::default();
    let facts = ShareFacts::new(*view, id);
    for ((_, evidence), ()) in view.page(&table::WAITING, &id, None, DISCLOSE_MAX)? {
        let listed = facts.item(evidence).filter(|item| item.withdrawn == 0);
        let covered = covered(view, share, evidence)?;
        match (listed, covered) {
            // What goes along with it comes first.
            (None, true) if trail::unprepared(view, share, evidence)? => waiting.held = true,
            (None, true) => waiting.add.push(shared(view, share, evidence)?),
            #[cfg(test)]
            (Some(_), false) if planted(Bug::WithdrawnKept) => waiting.nothing.push(evidence),
            (Some(_), false) => waiting.withdraw.push(evidence),
            (Some(listed), true) => {
                let now = item(view, share.case, evidence)?;
                let change = ItemChange {
                    evidence,
                    title: now.title,
                    folder: now.folder,
                    metadata: now.metadata,
                };
                let told = ItemChange {
                    evidence,
                    metadata: facts.metadata(evidence, &listed),
                    title: listed.title,
                    folder: listed.folder,
                };
                match change == told {
                    true => waiting.nothing.push(evidence),
                    false => waiting.change.push(change),
                }
            }
            (None, false) => waiting.nothing.push(evidence),
        }
    }
    facts.done()?;
    Ok(waiting)
}

/// Whether a share of this node covers an item of evidence now.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn covered(view: &View<'_>, share: &entity::Share, id: EvidenceId) -> Result<bool, Error> {
    let link = share
        .case
        .map(|case| view.get(&table::CASE_EVIDENCE, &(case, id)));
    let Some(link) = link.transpose()?.flatten() else {
        return Ok(false);
    };
    // What a copy brings was chosen once, and stays the partner's wherever it is put.
    if share.header.kind == Terms::Copy {
        return Ok(true);
    }
    #[cfg(test)]
    if planted(Bug::ScopeIgnored) {
        return Ok(true);
    }
    Ok(match &share.scope {
        Scope::Entire => true,
        Scope::Folders(folders) => rules::within(&link.folder, folders),
        Scope::Selected => view.has(&table::SELECTED, &(share.header.share, id))?,
    })
}

/// The partners with whom one of these cases is shared as it goes on: they are to learn of what changes.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn following(view: &View<'_>, cases: &[CaseId]) -> Result<Vec<OrganisationId>, Error> {
    let mut partners = Vec::new();
    for case in cases {
        for ((_, id), ()) in view.page(&table::FOLLOWING, case, None, usize::MAX)? {
            partners.push(decide::share(view, id)?.header.partner);
        }
    }
    Ok(partners)
}

/// The case of a share as it is described now.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn info(view: &View<'_>, share: &entity::Share) -> Result<CaseInfo, Error> {
    let case = share.case.map(|case| view.get(&table::CASE, &case));
    let case = case.transpose()?.flatten();
    let case = case.ok_or_else(|| broken("a share's case is missing"))?;
    let mut tags = Vec::new();
    let mut targets = Vec::new();
    if let Some(case) = share.case {
        tags = self::tags(view, share.header.owner, case)?;
        let id = share.header.share;
        for target in self::targets(view, case)? {
            if share.all_targets || view.has(&table::CHOSEN_TARGET, &(id, target.id))? {
                targets.push(target);
            }
        }
    }
    Ok(CaseInfo {
        number: case.number,
        title: case.title,
        description: case.description,
        targets,
        tags,
    })
}

/// All targets of a case, as they are described to a partner.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn targets(view: &View<'_>, case: CaseId) -> Result<Vec<Target>, Error> {
    let rows = view.page(&table::TARGET, &case, None, limits::TARGETS_MAX)?;
    let target = |((_, id), held): ((CaseId, TargetId), entity::Target)| Target {
        id,
        name: held.name,
        description: held.description,
    };
    Ok(rows.into_iter().map(target).collect())
}

/// The tags of a case, as they are told to a partner.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn tags(view: &View<'_>, owner: OrganisationId, case: CaseId) -> Result<Vec<Tag>, Error> {
    let labels = metadata::labels(view, case.uuid())?;
    Ok(outgoing(owner, &BTreeMap::new(), &labels).tags)
}

/// An item as a share discloses it: in a copy with the files that go along, and no others.
fn shared(view: &View<'_>, share: &entity::Share, id: EvidenceId) -> Result<Item, Error> {
    let mut item = item(view, share.case, id)?;
    if share.header.kind != Terms::Copy {
        return Ok(item);
    }
    item.files
        .retain(|file| trail::goes(&share.attachments, file.kind));
    let room = limits::ITEM_FILES_MAX.saturating_sub(item.files.len());
    let made = view.page(&table::ATTACHED, &(share.header.share, id), None, room)?;
    item.files
        .extend(made.into_iter().map(|(_, file)| file.told()));
    Ok(item)
}

/// An item of evidence as it is described to others with one of its cases: in the folder where it lies there, and with
/// nothing of other cases.
///
/// # Errors
/// [`Error`] where a record about it can't be read, or the tables fail.
pub fn item(view: &View<'_>, case: Option<CaseId>, id: EvidenceId) -> Result<Item, Error> {
    decide::whole(view, id.uuid())?;
    let missing = || broken("an item of evidence is missing");
    let evidence = view.get(&table::EVIDENCE, &id)?.ok_or_else(missing)?;
    let case = case.ok_or_else(missing)?;
    let link = view
        .get(&table::CASE_EVIDENCE, &(case, id))?
        .ok_or_else(missing)?;
    let node = view.get(&table::NODE, &())?;
    let own = node.ok_or_else(|| broken("the node's own record is missing"))?;
    let own = own.organisation;
    let fields = view.get(&table::FIELDS, &id)?.unwrap_or_default();
    let labels = metadata::labels(view, id.uuid())?;
    let rows = view.page(&table::FILE, &id, None, limits::ITEM_FILES_MAX)?;
    Ok(Item {
        evidence: id,
        title: evidence.title,
        folder: link.folder,
        added_at: evidence.uploaded_at,
        added_by: Value {
            organisation: evidence.added_by.organisation.or(Some(own)),
            ..evidence.added_by
        },
        metadata: outgoing(own, &fields, &labels),
        files: rows.into_iter().map(|(_, file)| file.told()).collect(),
    })
}

/// Items disclosed in one step: bounded by what one step of either node's database takes.
const DISCLOSE_MAX: usize = limits::ENTRY_ITEMS_MAX;
