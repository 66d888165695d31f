//! Keeping up with what a partner shares as it goes on: leases are renewed, files are synchronised, what is
//! granted is imported, and what is withdrawn or revoked is erased.
//!
//! One task for each partner. What copies bring is read in `fetch`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use interdocket_proto::v1;
use interdocket_proto::v1::connection_client::ConnectionClient;
use interdocket_sync::blob::Digest;
use interdocket_sync::evidence::{File, Item};
use interdocket_sync::id::{EvidenceId, ShareId};
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::limits;
use interdocket_sync::refusal::Refusal;
use interdocket_sync::share::{Facts as _, Hold, Kind, Mode};
use interdocket_sync::transfer::{Wish, plan};
use interdocket_sync::wire::refusal;
use prost::Message as _;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Request, Status};

use super::drive::jittered;
use super::texts::Texts;
use super::{fetch, lease, sealed};
use crate::actions::decide::broken;
use crate::actions::{self, Actor, Error, ErrorKind, Way};
use crate::blobs::Placed;
use crate::event::subject;
use crate::journal::Reader;
use crate::node::Node;
use crate::rules;
use crate::seal::Seal;
use crate::store::project::ShareFacts;
use crate::store::view::View;
use crate::store::{entity, table};

/// Follows a partner until told to stop.
pub async fn follow(node: Node, partner: OrganisationId, stop: CancellationToken) {
    let mut door = node.door(partner);
    loop {
        door.mark_unchanged();
        let passed = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            passed = pass(&node, partner) => passed,
        };
        let leases = &node.parts().moment.leases;
        let now = node.parts().clock.elapsed();
        let pause = match passed {
            Ok(true) => leases.next(now).map_or(LATER, |next| next.min(LATER)),
            Ok(false) => jittered(LATER),
            Err(error) => {
                tracing::debug!(%partner, %error, "following has to wait");
                jittered(PAUSE)
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            changed = door.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Does what can be done now; false where something could not be had. What needs no contact comes first.
async fn pass(node: &Node, partner: OrganisationId) -> Result<bool, Error> {
    node.parts()
        .moment
        .leases
        .tidy(node.parts().clock.elapsed());
    purge(node, partner).await?;
    erase(node, partner).await?;
    renew(node, partner).await?;
    let mut clean = true;
    let importing =
        node.read(move |view| Ok(view.page(&table::IMPORT, &partner, None, usize::MAX)?));
    for ((_, share), wish) in importing.await? {
        clean &= import(node, partner, share, wish).await?;
    }
    let fetching =
        node.read(move |view| Ok(view.page(&table::FETCH, &partner, None, usize::MAX)?));
    for ((_, share), ()) in fetching.await? {
        if node.read(move |view| synchronised(view, share)).await?
            && let Some(seal) = node.seal(share)
        {
            clean &= sealed::synchronise(node, partner, share, &seal).await?;
        }
    }
    Ok(clean)
}

/// Whether files of a share are to be sealed here.
pub(crate) fn synchronised(view: &View<'_>, share: ShareId) -> Result<bool, Error> {
    let header = actions::decide::share(view, share)?.header;
    let Kind::Advanced(policy) = header.kind else {
        return Ok(false);
    };
    let ready = header.partner_log.countersigned > 0 && header.hold == Hold::Free && header.lives();
    Ok(policy.mode == Mode::Synchronised && ready)
}

/// Whether the node imports by itself what is new in a share, so that it is not to be sealed before.
///
/// # Errors
/// [`Error`] where the share is gone or the tables fail.
pub(crate) fn importing(view: &View<'_>, share: ShareId) -> Result<bool, Error> {
    let node = view
        .get(&table::NODE, &())?
        .ok_or_else(|| broken("the node's record is missing"))?;
    let header = actions::decide::share(view, share)?.header;
    let Kind::Advanced(policy) = header.kind else {
        return Ok(false);
    };
    let waits = header.open || view.has(&table::IMPORT, &(header.owner, share))?;
    Ok(rules::imports(node.role, policy) && waits)
}

fn client(node: &Node, partner: OrganisationId) -> ConnectionClient<Channel> {
    ConnectionClient::new(node.parts().transport.channel(partner))
        .max_decoding_message_size(limits::MESSAGE_MAX)
}

/// Renews leases of which half the time is over, and asks for those that are not held.
async fn renew(node: &Node, partner: OrganisationId) -> Result<(), Error> {
    let leases = &node.parts().moment.leases;
    let followed = node.read(move |view| {
        let rows = view.page(&table::FOLLOWED, &partner, None, usize::MAX)?;
        let mut living = Vec::new();
        for ((_, share), ()) in rows {
            let header = actions::decide::share(view, share)?.header;
            if header.lives() && header.partner_log.countersigned > 0 {
                living.push(share);
            }
        }
        Ok(living)
    });
    let now = node.parts().clock.elapsed();
    let due: BTreeSet<ShareId> = leases.due(now).into_iter().collect();
    let wanted = followed.await?.into_iter();
    let wanted = wanted.filter(|share| due.contains(share) || node.seal(*share).is_none());
    let wanted: Vec<ShareId> = wanted.collect();
    for shares in wanted.chunks(limits::RENEWALS_MAX) {
        let asked = node.parts().clock.elapsed();
        let request = v1::RenewRequest {
            shares: shares
                .iter()
                .map(|share| Bytes::copy_from_slice(share.as_bytes()))
                .collect(),
        };
        let mut client = client(node, partner);
        let reply = bounded(client.renew(Request::new(request))).await;
        let reply = reply.map_err(|status| away(&status))?.into_inner();
        node.heard(partner);
        let mut left: BTreeSet<ShareId> = shares.iter().copied().collect();
        for lease in reply.leases.into_iter().filter_map(lease::read) {
            if left.remove(&lease.share) {
                lease.keep(node, partner, asked).await?;
            }
        }
        for share in reply
            .recovering
            .iter()
            .flat_map(|id| ShareId::from_slice(id))
        {
            left.remove(&share);
        }
        // What its owner does not lend any more is not readable any more.
        for share in left {
            leases.drop(share);
        }
    }
    Ok(())
}

/// Imports what is granted of a share, asking for the grant first; false where something could not be had.
async fn import(
    node: &Node,
    partner: OrganisationId,
    share: ShareId,
    wish: entity::Import,
) -> Result<bool, Error> {
    let through = wish.through;
    let header = node.read(move |view| Ok(actions::decide::share(view, share)?.header));
    let header = header.await?;
    if header.hold != Hold::Free || header.purged > 0 {
        return Ok(true);
    }
    // The owner grants nothing before it has seen the acceptance: its receipt wakes this task.
    if header.partner_log.countersigned == 0 {
        return Ok(false);
    }
    if header.grants.last < through && header.lives() {
        match ask(node, partner, share, &wish).await {
            Ok(()) => {}
            // What nobody asked for nobody asks for again: it waits until its owner grants it.
            Err(Asked::Refused(_)) if wish.by.is_none() => return Ok(false),
            Err(Asked::Refused(refused)) => {
                end(node, share, through, Some(refused)).await?;
                return Ok(true);
            }
            Err(Asked::Away(error)) => return Err(error),
        }
    }
    let Some(seal) = node.seal(share) else {
        return Ok(false);
    };
    let clean = bring(node, partner, share, &seal, &wish.only, header.lives()).await?;
    if clean && header.grants.last >= through {
        // What is this node's own changes only when somebody here wants it.
        if let Some(by) = wish.by.filter(|_| wish.only.is_empty()) {
            describe(node, share, seal, by).await?;
        }
        end(node, share, through, None).await?;
    }
    Ok(clean)
}

/// Takes over how the owner describes the case now.
async fn describe(node: &Node, share: ShareId, seal: Seal, by: Actor) -> Result<(), Error> {
    let of = node.clone();
    let described = node.read(move |view| {
        let header = actions::decide::share(view, share)?.header;
        let mut texts = Texts::new(*view, &of.parts().journal, share, Some(&seal));
        Ok(texts.case(&header)?.map(|info| (info, header.case)))
    });
    let Some((info, described)) = described.await? else {
        return Ok(());
    };
    node.decide(Some(by), Way::Timer, move |context| {
        actions::exchange::describe(context, share, info, described)
    })
    .await
}

/// Records that an import is over, as far as it was asked for.
async fn end(
    node: &Node,
    share: ShareId,
    through: u64,
    refused: Option<Refusal>,
) -> Result<(), Error> {
    node.decide(None, Way::Timer, move |context| {
        actions::exchange::ended(context, share, through, refused)
    })
    .await
}

/// Why an import was not granted.
enum Asked {
    Refused(Refusal),
    Away(Error),
}

async fn ask(
    node: &Node,
    partner: OrganisationId,
    share: ShareId,
    wish: &entity::Import,
) -> Result<(), Asked> {
    let organisation = node.parts().keys.organisation();
    let own = node.read(|view| Ok(view.get(&table::NODE, &())?)).await;
    let own = own.map_err(Asked::Away)?;
    let actor = match &wish.by {
        Some(by) => v1::Actor {
            id: Bytes::copy_from_slice(by.id.as_bytes()),
            name: by.name.clone(),
            badge: by.badge.clone(),
        },
        None => v1::Actor {
            id: Bytes::copy_from_slice(subject(organisation).as_bytes()),
            name: own.map(|own| own.name).unwrap_or_default(),
            badge: String::new(),
        },
    };
    let request = v1::ImportRequest {
        share: Bytes::copy_from_slice(share.as_bytes()),
        actor: Some(actor),
        recipient: wish.recipient.clone(),
    };
    match bounded(client(node, partner).import(Request::new(request))).await {
        Ok(_) => Ok(()),
        Err(status) => match refused(&status) {
            Some(Refusal::NotShared | Refusal::NotEnabled | Refusal::State) => Err(Asked::Refused(
                refused(&status).unwrap_or(Refusal::NotShared),
            )),
            _ => Err(Asked::Away(away(&status))),
        },
    }
}

/// Makes what is granted this node's own, from what is sealed here or, with contact, from the owner.
async fn bring(
    node: &Node,
    partner: OrganisationId,
    share: ShareId,
    seal: &Seal,
    only: &[EvidenceId],
    contact: bool,
) -> Result<bool, Error> {
    // What does not come is not taken from elsewhere, for no item: its owner may only guess what this node holds.
    let mut missing = BTreeSet::new();
    let (mut after, mut clean) = (None, true);
    loop {
        let (of, opens, chosen) = (node.clone(), seal.clone(), only.to_vec());
        let page = node
            .read(move |view| due(&of.parts().journal, view, share, after, &chosen, &opens))
            .await?;
        let here: BTreeSet<Digest> = page.delivered.union(&page.sealed).copied().collect();
        let wishes = page.items.values().map(|item| Wish {
            evidence: item.evidence,
            files: item.files.clone(),
        });
        for request in plan(wishes.collect(), &|digest| here.contains(&digest), BYTES) {
            if !contact && !request.files.is_empty() {
                clean = false;
                continue;
            }
            let mut items: Vec<Item> = request
                .evidence
                .iter()
                .filter_map(|evidence| page.items.get(evidence).cloned())
                .collect();
            let _brings = node.parts().moment.bringing.begin().await;
            let resealed = reseal(node, share, seal, &items, &page).await?;
            let read = fetch::read_files(node, partner, share, request).await?;
            clean &= read.whole;
            missing.extend(read.missing);
            items.retain(|item| came(item, &missing));
            let placed: Vec<Placed> = resealed.into_iter().chain(read.placed).collect();
            let (source, kept) = (page.source.clone(), placed.clone());
            let imported = node.decide(None, Way::Partner, move |context| {
                actions::exchange::import(context, share, &source, items, &kept)
            });
            imported.await?;
            let of = node.clone();
            node.blocking(move || fetch::unused(&of, &placed)).await?;
            if read.cut {
                let broken = "the connection with the partner broke";
                return Err(Error::new(ErrorKind::Unavailable, broken));
            }
        }
        let Some(last) = page.last else {
            return Ok(clean);
        };
        after = Some(last);
    }
}

/// Whether nothing of an item is missing.
pub(crate) fn came(item: &Item, missing: &BTreeSet<Digest>) -> bool {
    !item.files.iter().any(|file| missing.contains(&file.blake3))
}

/// Items that may be imported and were not, with what is here of them.
pub(crate) struct Page {
    /// What is known of the case at its owner.
    pub(crate) source: actions::exchange::Source,
    /// The items.
    pub(crate) items: BTreeMap<EvidenceId, Item>,
    /// Bytes that this node holds as its own, delivered by this owner.
    pub(crate) delivered: BTreeSet<Digest>,
    /// Bytes that are sealed here.
    pub(crate) sealed: BTreeSet<Digest>,
    /// Behind which item the next page begins.
    pub(crate) last: Option<EvidenceId>,
}

/// What of a share may be imported and was not, from behind an item on.
pub(crate) fn due(
    journal: &Reader,
    view: &View<'_>,
    share: ShareId,
    after: Option<EvidenceId>,
    only: &[EvidenceId],
    seal: &Seal,
) -> Result<Page, Error> {
    let header = actions::decide::share(view, share)?.header;
    let (mut due, last) = actions::exchange::importable(view, share, after, PAGE)?;
    due.retain(|evidence| only.is_empty() || only.contains(evidence));
    let shut = || broken("a share can't be opened with its lease");
    let mut texts = Texts::new(*view, journal, share, Some(seal));
    let source = actions::exchange::Source {
        case: texts.offered()?.ok_or_else(shut)?.case,
        info: texts.case(&header)?.ok_or_else(shut)?,
        recipients: texts.recipients(&header)?.unwrap_or_default(),
    };
    let facts = ShareFacts::new(*view, share);
    let mut page = Page {
        source,
        items: BTreeMap::new(),
        delivered: BTreeSet::new(),
        sealed: BTreeSet::new(),
        last,
    };
    for evidence in due {
        let fact = facts.item(evidence);
        let fact = fact.ok_or_else(|| broken("an item of a share is missing"))?;
        let item = texts.item(evidence, &fact)?.ok_or_else(shut)?;
        let digests = item.files.iter().map(|file| file.blake3);
        page.delivered
            .extend(actions::exchange::delivered(view, header.owner, digests)?);
        for file in &item.files {
            if file.size > 0 && sealed::whole(view, share, file)? {
                page.sealed.insert(file.blake3);
            }
        }
        // What was withdrawn meanwhile is not here, and its owner does not give it any more.
        let gone = |file: &File| {
            let here = page.delivered.contains(&file.blake3) || page.sealed.contains(&file.blake3);
            let listed = facts.blob(file.blake3).is_some_and(|blob| blob.uses > 0);
            file.size > 0 && !here && !listed
        };
        if !item.files.iter().any(gone) {
            page.items.insert(evidence, item);
        }
    }
    facts.done()?;
    Ok(page)
}

/// Takes in what is sealed here as this node's own; each file is verified in the pass.
async fn reseal(
    node: &Node,
    share: ShareId,
    seal: &Seal,
    items: &[Item],
    page: &Page,
) -> Result<Vec<Placed>, Error> {
    let files = items.iter().flat_map(|item| &item.files);
    let sealed =
        |file: &&File| page.sealed.contains(&file.blake3) && !page.delivered.contains(&file.blake3);
    let files: BTreeMap<Digest, u64> = files
        .filter(sealed)
        .map(|file| (file.blake3, file.size))
        .collect();
    let (of, seal) = (node.clone(), seal.clone());
    node.blocking(move || {
        let mut staged = Vec::with_capacity(files.len());
        for (digest, size) in files {
            let mut reader = sealed::Reader::new(of.clone(), share, seal.clone(), digest, 0..size);
            match of.parts().blobs.ingest(&mut reader, &mut |_| {}) {
                Ok(taken) if taken.digest() == digest => staged.push(taken),
                Ok(_) => tracing::error!(%share, %digest, "a sealed file is damaged"),
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(%share, %digest, error, "a sealed file can't be read");
                }
            }
        }
        let placed = of.parts().blobs.commit(staged);
        placed.map_err(|error| Error::new(ErrorKind::Unavailable, error.to_string()))
    })
    .await
}

/// Erases what is here of revoked shares, once what was granted before is this node's own.
async fn purge(node: &Node, partner: OrganisationId) -> Result<(), Error> {
    let rows = node.read(move |view| Ok(view.page(&table::PURGE, &partner, None, usize::MAX)?));
    for ((_, share), ()) in rows.await? {
        let row = (partner, share);
        let granted = node.read(move |view| Ok(view.get(&table::IMPORT, &row)?));
        if let Some(wish) = granted.await? {
            let refused = match node.seal(share) {
                Some(seal) => {
                    let brought = bring(node, partner, share, &seal, &wish.only, false).await;
                    if let Err(error) = brought {
                        tracing::warn!(%share, %error, "not all that was granted could be imported");
                    }
                    None
                }
                // Without its lease nothing of it can be opened any more.
                None => Some(Refusal::State),
            };
            end(node, share, wish.through, refused).await?;
        }
        node.parts().moment.leases.drop(share);
        loop {
            let files = node.read(move |view| {
                let rows = view.page(&table::SEALED, &share, None, PAGE)?;
                let files: BTreeSet<Digest> =
                    rows.into_iter().map(|((_, file, _), _)| file).collect();
                Ok(files)
            });
            let files = files.await?;
            if files.is_empty() {
                break;
            }
            sealed::erase(node, share, files.into_iter().collect()).await?;
        }
        let purged = node.decide(None, Way::Timer, move |context| {
            actions::exchange::purge(context, share)
        });
        purged.await?;
    }
    Ok(())
}

/// Erases what was withdrawn.
async fn erase(node: &Node, partner: OrganisationId) -> Result<(), Error> {
    loop {
        let rows = node.read(move |view| Ok(view.page(&table::ERASING, &partner, None, PAGE)?));
        let mut files: BTreeMap<ShareId, Vec<Digest>> = BTreeMap::new();
        for ((_, share, file), ()) in rows.await? {
            files.entry(share).or_default().push(file);
        }
        if files.is_empty() {
            return Ok(());
        }
        for (share, files) in files {
            sealed::erase(node, share, files).await?;
        }
    }
}

fn refused(status: &Status) -> Option<Refusal> {
    if status.details().is_empty() {
        return None;
    }
    refusal::read(v1::Refusal::decode(status.details()).ok()?)
}

fn away(status: &Status) -> Error {
    let message = match refused(status) {
        Some(refused) => format!("the partner refused: {refused}"),
        None => "there is no contact with the partner".to_owned(),
    };
    Error::new(ErrorKind::Unavailable, message)
}

/// A call that does not wait for ever.
async fn bounded<T>(call: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    tokio::time::timeout(CALL, call)
        .await
        .unwrap_or_else(|_| Err(Status::deadline_exceeded("no answer in time")))
}

#[cfg(test)]
mod tests;

/// Items or files that are looked at together.
const PAGE: usize = 256;
/// Bytes that are made durable together.
const BYTES: u64 = 32 << 20;
/// How long a call may take, its wait for a connection included.
const CALL: Duration = Duration::from_secs(60);
/// How long to wait without contact; contact ends the wait at once.
const PAUSE: Duration = Duration::from_secs(10);
/// How long to leave alone what could not be had.
const LATER: Duration = Duration::from_secs(120);
