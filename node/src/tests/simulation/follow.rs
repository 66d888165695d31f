//! Keeping up with advanced shares, as `federation::follow` and `sealed` do it: leases, sealed files,
//! imports, and erasing.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use bytes::Bytes;
use interdocket_proto::v1;
use interdocket_sync::blob::Digest;
use interdocket_sync::evidence::Item;
use interdocket_sync::id::{EvidenceId, ShareId};
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::refusal::Refusal;
use interdocket_sync::share::Hold;
use interdocket_sync::transfer::{Request as Wanted, Wish, plan};

use super::bug::{Bug, planted};
use super::drive::{LATER, PAUSE, jittered};
use super::fetch;
use super::net::{Method, Stop, call};
use super::serve::keep;
use super::site::Process;
use super::vault::digest;
use super::world::{Micros, World};
use crate::actions::{self, Error, ErrorKind, Way, exchange};
use crate::blobs::Placed;
use crate::clock::Clock as _;
use crate::event::{SealedPart, subject};
use crate::federation::texts::Texts;
use crate::federation::{follow as node, lease, sealed};
use crate::seal::Seal;
use crate::store::{entity, table};

/// Follows a partner.
pub(super) async fn follow(world: &Rc<World>, me: &Rc<Process>, partner: OrganisationId) {
    loop {
        let since = me.knocks(world, partner);
        let passed = pass(world, me, partner).await;
        let pause = match passed {
            Ok(true) => {
                let next = me.leases.next(me.clock.elapsed());
                let next = next.map(|next| Micros::try_from(next.as_micros()).unwrap_or(LATER));
                next.map_or(LATER, |next| next.min(LATER))
            }
            Ok(false) => jittered(world, LATER),
            Err(stop) => {
                let name = world.sites[me.site].name;
                world.note(format_args!("{name} can't follow: {stop:?}"));
                jittered(world, PAUSE)
            }
        };
        let until = Some(world.now() + pause);
        me.knocked(world, partner, since, until).await;
    }
}

async fn pass(world: &Rc<World>, me: &Rc<Process>, partner: OrganisationId) -> Result<bool, Stop> {
    me.leases.tidy(me.clock.elapsed());
    purge(world, me, partner).await?;
    withdrawn(world, me, partner).await?;
    renew(world, me, partner).await?;
    let mut clean = true;
    let importing = me.read(|view| view.page(&table::IMPORT, &partner, None, usize::MAX));
    for ((_, share), wish) in importing.map_err(Error::from)? {
        clean &= import(world, me, partner, share, wish).await?;
    }
    let fetching = me.read(|view| view.page(&table::FETCH, &partner, None, usize::MAX));
    for ((_, share), ()) in fetching.map_err(Error::from)? {
        if me.read(|view| node::synchronised(view, share))?
            && let Some(seal) = me.seal(share)
        {
            clean &= synchronise(world, me, partner, share, &seal).await?;
        }
    }
    Ok(clean)
}

/// Renews leases of which half the time is over, and asks for those that are not held.
async fn renew(world: &Rc<World>, me: &Rc<Process>, partner: OrganisationId) -> Result<(), Stop> {
    let living = me.read(|view| {
        let rows = view.page(&table::FOLLOWED, &partner, None, usize::MAX)?;
        let mut living = Vec::new();
        for ((_, share), ()) in rows {
            let header = actions::decide::share(view, share)?.header;
            if header.lives() && header.partner_log.countersigned > 0 {
                living.push(share);
            }
        }
        Ok::<_, Error>(living)
    });
    let asked = me.clock.elapsed();
    let due: BTreeSet<ShareId> = me.leases.due(asked).into_iter().collect();
    let wanted = living?.into_iter();
    let wanted = wanted.filter(|share| due.contains(share) || me.seal(*share).is_none());
    let mut left: BTreeSet<ShareId> = wanted.collect();
    if left.is_empty() {
        return Ok(());
    }
    let bytes = |share: &ShareId| Bytes::copy_from_slice(share.as_bytes());
    let request = v1::RenewRequest {
        shares: left.iter().map(bytes).collect(),
    };
    let reply: v1::RenewReply = call(world, me, partner, Method::Renew, &request).await?;
    for lease in reply.leases.into_iter().filter_map(lease::read) {
        if left.remove(&lease.share) {
            keep(me, lease, partner, asked)?;
        }
    }
    for share in reply
        .recovering
        .iter()
        .flat_map(|id| ShareId::from_slice(id))
    {
        left.remove(&share);
    }
    for share in left {
        me.leases.drop(share);
    }
    Ok(())
}

/// Reads what is wanted of a synchronised share, and keeps it sealed.
async fn synchronise(
    world: &Rc<World>,
    me: &Rc<Process>,
    partner: OrganisationId,
    share: ShareId,
    seal: &Seal,
) -> Result<bool, Stop> {
    let (mut after, mut clean) = (None, true);
    loop {
        let (wishes, held, last) = me.read(|view| sealed::wishes(view, share, after))?;
        for request in plan(wishes, &|digest| held.contains(&digest), BYTES) {
            clean &= read(world, me, partner, share, seal, request).await?;
        }
        let Some(last) = last else {
            return Ok(clean);
        };
        after = Some(last);
    }
}

async fn read(
    world: &Rc<World>,
    me: &Rc<Process>,
    partner: OrganisationId,
    share: ShareId,
    seal: &Seal,
    request: Wanted,
) -> Result<bool, Stop> {
    let wanted = request.files.len();
    let arrived = fetch::arriving(world, me, partner, share, &request.files, false).await?;
    let mut parts = Vec::new();
    for (file, bytes) in arrived {
        if digest(&bytes) != file.blake3 {
            me.doubts.borrow_mut().insert((share, file.blake3));
            continue;
        }
        let about = sealed::about(file.blake3, 0);
        let closed = seal.close(&about, &bytes, crate::chance::bytes());
        let full = || Error::new(ErrorKind::Unavailable, "storage is full");
        let placed = me.vault.commit(closed).ok_or_else(full)?;
        parts.push(SealedPart {
            file: file.blake3,
            part: 0,
            blake3: placed.digest,
            size: placed.size,
            place: placed.place,
        });
    }
    let clean = parts.len() == wanted;
    let evidence = request.evidence;
    let decided = me.decide(world, None, Way::Partner, move |context| {
        exchange::seal(context, share, &evidence, parts)
    });
    decided.await?;
    Ok(clean)
}

/// Imports what is granted of a share, asking for the grant first.
async fn import(
    world: &Rc<World>,
    me: &Rc<Process>,
    partner: OrganisationId,
    share: ShareId,
    wish: entity::Import,
) -> Result<bool, Stop> {
    let through = wish.through;
    let header = me.read(|view| actions::decide::share(view, share))?.header;
    if header.hold != Hold::Free || header.purged > 0 {
        return Ok(true);
    }
    if header.partner_log.countersigned == 0 {
        return Ok(false);
    }
    if header.grants.last < through && header.lives() {
        let actor = match &wish.by {
            Some(by) => v1::Actor {
                id: Bytes::copy_from_slice(by.id.as_bytes()),
                name: by.name.clone(),
                badge: by.badge.clone(),
            },
            None => v1::Actor {
                id: Bytes::copy_from_slice(subject(me.id).as_bytes()),
                name: world.sites[me.site].name.into(),
                badge: String::new(),
            },
        };
        let request = v1::ImportRequest {
            share: Bytes::copy_from_slice(share.as_bytes()),
            actor: Some(actor),
            recipient: wish.recipient.clone(),
        };
        let asked: Result<v1::ImportReply, Stop> =
            call(world, me, partner, Method::Import, &request).await;
        match asked {
            Ok(_) => {}
            Err(Stop::Refused(_)) if wish.by.is_none() => return Ok(false),
            Err(Stop::Refused(
                refused @ (Refusal::NotShared | Refusal::NotEnabled | Refusal::State),
            )) => {
                let name = world.sites[me.site].name;
                world.note(format_args!(
                    "{name} may not import {share}: {}",
                    refused.name()
                ));
                end(world, me, share, through, Some(refused)).await?;
                return Ok(true);
            }
            Err(stop) => return Err(stop),
        }
    }
    let Some(seal) = me.seal(share) else {
        return Ok(false);
    };
    let lives = header.lives();
    let clean = bring(world, me, share, &seal, &wish.only, lives).await?;
    if clean && header.grants.last >= through {
        if let Some(by) = wish.by.filter(|_| wish.only.is_empty()) {
            describe(world, me, share, &seal, by).await?;
        }
        end(world, me, share, through, None).await?;
    }
    Ok(clean)
}

async fn describe(
    world: &Rc<World>,
    me: &Rc<Process>,
    share: ShareId,
    seal: &Seal,
    by: actions::Actor,
) -> Result<(), Stop> {
    let described = me.read(|view| {
        let header = actions::decide::share(view, share)?.header;
        let mut texts = Texts::new(*view, &me.journal, share, Some(seal));
        Ok::<_, Error>(texts.case(&header)?.map(|info| (info, header.case)))
    });
    let Some((info, described)) = described? else {
        return Ok(());
    };
    let decided = me.decide(world, Some(by), Way::Timer, move |context| {
        exchange::describe(context, share, info, described)
    });
    Ok(decided.await?)
}

async fn end(
    world: &Rc<World>,
    me: &Rc<Process>,
    share: ShareId,
    through: u64,
    refused: Option<Refusal>,
) -> Result<(), Stop> {
    let ended = me.decide(world, None, Way::Timer, move |context| {
        exchange::ended(context, share, through, refused)
    });
    Ok(ended.await?)
}

/// Makes what is granted this node's own.
async fn bring(
    world: &Rc<World>,
    me: &Rc<Process>,
    share: ShareId,
    seal: &Seal,
    only: &[EvidenceId],
    contact: bool,
) -> Result<bool, Stop> {
    let mut gone = BTreeSet::new();
    let (mut after, mut clean) = (None, true);
    let partner = me
        .read(|view| actions::decide::share(view, share))?
        .header
        .owner;
    loop {
        let page = me.read(|view| node::due(&me.journal, view, share, after, only, seal))?;
        let here: BTreeSet<Digest> = page.delivered.union(&page.sealed).copied().collect();
        let wish = |item: &Item| Wish {
            evidence: item.evidence,
            files: item.files.clone(),
        };
        let wishes = page.items.values().map(wish).collect();
        for request in plan(wishes, &|digest| here.contains(&digest), BYTES) {
            if !contact && !request.files.is_empty() {
                clean = false;
                continue;
            }
            let items = request.evidence.iter();
            let mut items: Vec<Item> = items
                .filter_map(|evidence| page.items.get(evidence).cloned())
                .collect();
            let mut placed = reseal(me, share, seal, &items, &page)?;
            let (read, missing) = fetch::files(world, me, partner, share, &request).await?;
            clean &= missing.is_empty();
            gone.extend(missing);
            items.retain(|item| node::came(item, &gone));
            placed.extend(read);
            let (source, kept) = (page.source.clone(), placed.clone());
            let imported = me.decide(world, None, Way::Partner, move |context| {
                exchange::import(context, share, &source, items, &kept)
            });
            imported.await?;
            fetch::unused(me, &placed);
        }
        let Some(last) = page.last else {
            return Ok(clean);
        };
        after = Some(last);
    }
}

/// Takes in what is sealed here as this node's own.
fn reseal(
    me: &Process,
    share: ShareId,
    seal: &Seal,
    items: &[Item],
    page: &node::Page,
) -> Result<Vec<Placed>, Stop> {
    let mut placed: BTreeMap<Digest, Placed> = BTreeMap::new();
    for file in items.iter().flat_map(|item| &item.files) {
        let digest = file.blake3;
        let here = page.sealed.contains(&digest) && !page.delivered.contains(&digest);
        if !here || placed.contains_key(&digest) {
            continue;
        }
        let row = me.read(|view| view.get(&table::SEALED, &(share, digest, 0)));
        let Some(row) = row.map_err(Error::from)? else {
            continue;
        };
        let closed = me.vault.read(row.blake3, row.place);
        let plain = closed.and_then(|closed| seal.open(&sealed::about(digest, 0), &closed));
        if let Some(plain) = plain {
            let full = || Error::new(ErrorKind::Unavailable, "storage is full");
            placed.insert(digest, me.vault.commit(plain).ok_or_else(full)?);
        }
    }
    Ok(placed.into_values().collect())
}

/// Erases what is here of revoked shares, once what was granted before is this node's own.
async fn purge(world: &Rc<World>, me: &Rc<Process>, partner: OrganisationId) -> Result<(), Stop> {
    let rows = me.read(|view| view.page(&table::PURGE, &partner, None, usize::MAX));
    for ((_, share), ()) in rows.map_err(Error::from)? {
        let granted = me.read(|view| view.get(&table::IMPORT, &(partner, share)));
        let granted = granted.map_err(Error::from)?;
        if let Some(wish) = granted {
            let refused = match me.seal(share) {
                Some(seal) => {
                    // What can't be brought is lost with the lease.
                    let _ = bring(world, me, share, &seal, &wish.only, false).await;
                    None
                }
                None => Some(Refusal::State),
            };
            end(world, me, share, wish.through, refused).await?;
        }
        me.leases.drop(share);
        loop {
            let rows = me.read(|view| view.page(&table::SEALED, &share, None, PAGE));
            let rows = rows.map_err(Error::from)?;
            let files: BTreeSet<Digest> = rows.into_iter().map(|((_, file, _), _)| file).collect();
            if files.is_empty() || planted(Bug::PurgedNotErased) {
                break;
            }
            erase(world, me, share, files.into_iter().collect()).await?;
        }
        let purged = me.decide(world, None, Way::Timer, move |context| {
            exchange::purge(context, share)
        });
        purged.await?;
    }
    Ok(())
}

/// Erases what was withdrawn.
async fn withdrawn(
    world: &Rc<World>,
    me: &Rc<Process>,
    partner: OrganisationId,
) -> Result<(), Stop> {
    loop {
        let rows = me.read(|view| view.page(&table::ERASING, &partner, None, PAGE));
        let mut files: BTreeMap<ShareId, Vec<Digest>> = BTreeMap::new();
        for ((_, share, file), ()) in rows.map_err(Error::from)? {
            files.entry(share).or_default().push(file);
        }
        if files.is_empty() || planted(Bug::WithdrawnNotErased) {
            return Ok(());
        }
        for (share, files) in files {
            erase(world, me, share, files).await?;
        }
    }
}

async fn erase(
    world: &Rc<World>,
    me: &Rc<Process>,
    share: ShareId,
    files: Vec<Digest>,
) -> Result<(), Stop> {
    for file in &files {
        let rows = me.read(|view| view.page(&table::SEALED, &(share, *file), None, usize::MAX));
        for (_, part) in rows.map_err(Error::from)? {
            me.vault.delete(part.place);
        }
    }
    let erased = me.decide(world, None, Way::Timer, move |_| {
        Ok(exchange::erased(share, files))
    });
    Ok(erased.await?)
}

const PAGE: usize = 256;
const BYTES: u64 = 2048;
