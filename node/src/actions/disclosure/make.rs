//! Making and widening disclosures: what goes along is made first, then all of it is recorded at once, or nothing.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use interdocket_sync::blob::Digest;
use interdocket_sync::evidence::File;
use interdocket_sync::id::{CaseId, EvidenceId};
use interdocket_sync::limits;
use interdocket_sync::log::entry::CaseInfo;
use uuid::Uuid;

use super::evidence::rendition::{self, RenditionState};
use super::evidence::trail;
use super::{Disclosure, DisclosureId, Make, Run, Update, found, people, portal, shown};
use crate::actions::decide::{self, Context, Decided, bounded};
use crate::actions::share::{self, Attachment, Scope, Targets};
use crate::actions::{Action as _, Caller, Error, ErrorKind, exchange, reach};
use crate::attachments::Made;
use crate::event::{
    AddedFile, CaseDisclosed, DisclosureMade, DisclosureWidened, Event, EvidenceDisclosed,
};
use crate::node::{Node, timely};
use crate::store::table;
use crate::store::view::View;

/// What is disclosed, before anything was made to go along with it.
struct Plan {
    case: CaseId,
    attachments: BTreeSet<Attachment>,
    chosen: Vec<EvidenceId>,
}

impl Run for Make {
    async fn run(self, node: &Node, caller: &Caller) -> Result<Disclosure, Error> {
        node.permit(caller, &self).await?;
        let request = self.clone();
        let plan = node.read(move |view| request.plan(view)).await?;
        // Until what names the bytes is recorded.
        let _brings = node.parts().moment.bringing.begin().await;
        let (plan, made) = plan.make(node).await?;
        let (who, about) = (caller.clone(), self.about());
        node.decide(Some(caller.actor.clone()), caller.way, move |context| {
            reach::check(&context.view, &who, Self::NAME, &about)?;
            timely(&context.view)?;
            self.decide(context, plan, made)
        })
        .await
    }
}

impl Run for Update {
    async fn run(self, node: &Node, caller: &Caller) -> Result<Disclosure, Error> {
        node.permit(caller, &self).await?;
        let request = self.clone();
        let plan = node.read(move |view| request.plan(view)).await?;
        let _brings = node.parts().moment.bringing.begin().await;
        let (plan, made) = plan.make(node).await?;
        let (who, about) = (caller.clone(), self.about());
        node.decide(Some(caller.actor.clone()), caller.way, move |context| {
            reach::check(&context.view, &who, Self::NAME, &about)?;
            self.decide(context, plan, made)
        })
        .await
    }
}

impl Make {
    fn plan(&self, view: &View<'_>) -> Result<Plan, Error> {
        portal::set_up(view)?;
        let (case, found) = decide::case(view, &self.case)?;
        decide::whole(view, case.uuid())?;
        guests(view, &self.guests)?;
        let chosen = share::choose(view, case, &self.evidence, &self.folders)?;
        if chosen.is_empty() {
            let message = format!("nothing of case \"{}\" was chosen", found.number);
            return Err(Error::new(ErrorKind::Invalid, message)
                .hint("add evidence first, or choose other folders"));
        }
        let attachments = self.attachments.clone();
        Ok(Plan {
            case,
            attachments: attachments.unwrap_or_else(|| [Attachment::Markers].into()),
            chosen: few(chosen)?,
        })
    }

    fn decide(
        self,
        context: &mut Context<'_>,
        plan: Plan,
        made: Made,
    ) -> Result<Decided<Disclosure>, Error> {
        portal::set_up(&context.view)?;
        let days = self.days.map(i64::from);
        if days.is_some_and(|days| !(1..=DAYS_MAX).contains(&days)) {
            let message = format!("a disclosure is for 1 to {DAYS_MAX} days");
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        let scope = match (self.evidence.is_empty(), self.folders.is_empty()) {
            (true, true) => Scope::Entire,
            (true, false) => Scope::Folders(share::folders(&self.folders)?),
            (false, _) => Scope::Selected,
        };
        let info = info(context, plan.case, &scope, self.targets)?;
        let id = DisclosureId::new(context.id());
        let disclosed = DisclosureMade {
            disclosure: id,
            case: plan.case,
            guests: guests(&context.view, &self.guests)?,
            scope,
            attachments: plan.attachments.clone(),
            until: days.map(|days| context.now + TimeDelta::days(days)),
        };
        let said = CaseDisclosed {
            disclosure: id,
            case: plan.case,
            info,
            message: bounded("message", self.message.trim(), limits::MESSAGE_TEXT_MAX)?,
        };
        let mut events = vec![Event::DisclosureMade(disclosed), Event::CaseDisclosed(said)];
        events.extend(widened(&context.view, id, plan, made)?);
        let now = context.now;
        Ok(Decided::new(events, move |view| shown(view, id, now)))
    }
}

impl Update {
    fn plan(&self, view: &View<'_>) -> Result<Plan, Error> {
        portal::set_up(view)?;
        let held = found(view, self.disclosure)?;
        decide::whole(view, held.case.uuid())?;
        let chosen = match (&held.scope, &self.evidence, &self.folders) {
            (scope, evidence, folders) if evidence.is_empty() && folders.is_empty() => {
                match scope {
                    Scope::Entire => share::choose(view, held.case, &[], &[])?,
                    Scope::Folders(chosen) => share::choose(view, held.case, &[], chosen)?,
                    Scope::Selected => return Err(unnamed()),
                }
            }
            (_, evidence, folders) => share::choose(view, held.case, evidence, folders)?,
        };
        let mut fresh = Vec::new();
        for evidence in chosen {
            if !view.has(&table::DISCLOSED, &(self.disclosure, evidence))? {
                fresh.push(evidence);
            }
        }
        Ok(Plan {
            case: held.case,
            attachments: held.attachments,
            chosen: few(fresh)?,
        })
    }

    fn decide(
        self,
        context: &Context<'_>,
        plan: Plan,
        made: Made,
    ) -> Result<Decided<Disclosure>, Error> {
        portal::set_up(&context.view)?;
        let id = self.disclosure;
        let held = found(&context.view, id)?;
        let now = context.now;
        if held.ended_at.is_some() || held.said.is_none() || held.expired(now) {
            let message = "this disclosure is over";
            return Err(Error::new(ErrorKind::Conflict, message)
                .hint("make another one: interdocket disclosure make CASE --guest NAME"));
        }
        let events = widened(&context.view, id, plan, made)?;
        Ok(Decided::new(events, move |view| shown(view, id, now)))
    }
}

fn unnamed() -> Error {
    let message = "only evidence that was named is in this disclosure, and none is named now";
    Error::new(ErrorKind::Invalid, message).hint("name what is to be added: --evidence ID")
}

/// Refuses more than one step takes.
fn few(chosen: Vec<EvidenceId>) -> Result<Vec<EvidenceId>, Error> {
    if chosen.len() <= ITEMS_MAX {
        return Ok(chosen);
    }
    let message = format!("{} items are more than {ITEMS_MAX} at once", chosen.len());
    Err(Error::new(ErrorKind::Invalid, message)
        .hint("choose some folders first: --folder FOLDER")
        .hint("then add others: interdocket disclosure update DISCLOSURE --folder FOLDER"))
}

/// The guests that are named.
fn guests(view: &View<'_>, named: &[String]) -> Result<Vec<Uuid>, Error> {
    if named.is_empty() {
        return Err(Error::new(ErrorKind::Invalid, "no guest is named")
            .hint("name at least one: --guest NAME"));
    }
    let mut guests = Vec::new();
    for text in share::bounded_recipients(named)? {
        let (id, user) = people::user(view, &text)?;
        if !user.guest() {
            let message = format!("{} is a user of this node, and no guest", user.name);
            return Err(Error::new(ErrorKind::Conflict, message)
                .hint("give them the case: interdocket case access CASE --add NAME")
                .hint("or add a guest: interdocket user add NAME --role guest"));
        }
        people::able(&user)?;
        if !guests.contains(&id) {
            guests.push(id);
        }
    }
    Ok(guests)
}

/// What a copy of the same scope would say of the case.
fn info(
    context: &Context<'_>,
    case: CaseId,
    scope: &Scope,
    targets: Option<Targets>,
) -> Result<CaseInfo, Error> {
    let (_, found) = decide::case(&context.view, &case.to_string())?;
    let targets = targets.unwrap_or(match scope {
        Scope::Entire => Targets::All,
        Scope::Folders(_) | Scope::Selected => Targets::None,
    });
    Ok(CaseInfo {
        number: found.number,
        title: found.title,
        description: found.description,
        targets: match targets {
            Targets::All | Targets::Present => exchange::targets(&context.view, case)?,
            Targets::None => Vec::new(),
        },
        tags: exchange::tags(&context.view, context.node()?.organisation, case)?,
    })
}

impl Plan {
    /// Makes what goes along with its items.
    async fn make(self, node: &Node) -> Result<(Self, Made), Error> {
        let read = node.read(move |view| {
            let own = portal::node(view)?.organisation;
            let mut due = Vec::new();
            for id in &self.chosen {
                let case = Some(self.case);
                due.extend(trail::wanted(view, &self.attachments, own, case, *id)?);
            }
            Ok((self, due))
        });
        let (plan, due) = read.await?;
        Ok((plan, node.make(due, true).await?))
    }
}

/// What is recorded of items that are disclosed. What was deleted meanwhile, or disclosed by somebody else, is not.
fn widened(
    view: &View<'_>,
    disclosure: DisclosureId,
    plan: Plan,
    (items, stored): Made,
) -> Result<Vec<Event>, Error> {
    let mut made: BTreeMap<EvidenceId, Vec<AddedFile>> = items.into_iter().collect();
    let (mut fresh, mut said) = (Vec::new(), Vec::new());
    let mut named: BTreeSet<Digest> = BTreeSet::new();
    for id in plan.chosen {
        let there = view.has(&table::CASE_EVIDENCE, &(plan.case, id))?;
        if !there || view.has(&table::DISCLOSED, &(disclosure, id))? {
            continue;
        }
        let made = made.remove(&id).unwrap_or_default();
        let told = told(view, (disclosure, plan.case), id, &plan.attachments, made)?;
        named.extend(&told.made);
        fresh.push(id);
        said.push(Event::EvidenceDisclosed(told));
    }
    let mut stored = stored;
    stored.retain(|blob| named.contains(&blob.blake3));
    let stored = stored.chunks(RECORD_MAX);
    let widened = fresh.chunks(RECORD_MAX).map(|evidence| {
        Event::DisclosureWidened(DisclosureWidened {
            disclosure,
            case: plan.case,
            evidence: evidence.to_vec(),
        })
    });
    let stored = stored.map(|blobs| Event::BlobsStored(blobs.to_vec()));
    Ok(stored.chain(widened).chain(said).collect())
}

/// An item as a copy would have it now; of video that was received, the rendition that people here read.
fn told(
    view: &View<'_>,
    (disclosure, case): (DisclosureId, CaseId),
    id: EvidenceId,
    attachments: &BTreeSet<Attachment>,
    made: Vec<AddedFile>,
) -> Result<EvidenceDisclosed, Error> {
    let mut item = exchange::item(view, Some(case), id)?;
    let renditions = rendition::shown(view, id)?;
    let (mut files, mut watermarks) = (Vec::new(), BTreeMap::new());
    for (place, file) in (0..).zip(std::mem::take(&mut item.files)) {
        if !trail::goes(attachments, file.kind) {
            continue;
        }
        let drawn = rendition::drawn(view, (id, place))?;
        let beside = |rendition: &&rendition::Rendition| {
            rendition.file == place && rendition.state == RenditionState::Overlay
        };
        if let Some(beside) = renditions.iter().find(beside) {
            let number = u32::try_from(files.len()).unwrap_or(u32::MAX);
            watermarks.insert(number, beside.text.clone());
        }
        files.push(drawn.map_or(file, |drawn| drawn.told()));
    }
    let room = limits::ITEM_FILES_MAX.saturating_sub(files.len());
    let made: Vec<File> = made.into_iter().take(room).map(AddedFile::told).collect();
    let digests = made.iter().map(|file| file.blake3).collect();
    files.extend(made);
    item.files = files;
    Ok(EvidenceDisclosed {
        disclosure,
        case,
        item,
        watermarks,
        made: digests,
    })
}

/// Days of a disclosure: ten years.
const DAYS_MAX: i64 = 3650;
/// Items that are disclosed in one decision, with a record each: some eight megabytes of the journal. Who has a larger
/// case notices, and discloses it by folders.
const ITEMS_MAX: usize = 4096;
/// Items and bytes in one record: one step of the database.
const RECORD_MAX: usize = 512;
