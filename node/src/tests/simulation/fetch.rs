//! Reading copies, as `federation::fetch` does it: what is verified and durable is recorded and stated.

use std::collections::BTreeSet;
use std::rc::Rc;

use bytes::Bytes;
use interdocket_proto::v1;
use interdocket_sync::blob::Digest;
use interdocket_sync::evidence::File;
use interdocket_sync::id::ShareId;
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::transfer::{Request as Wanted, plan};
use prost::Message as _;

use super::bug::{Bug, planted};
use super::check::resumed as check;
use super::drive::{LATER, PAUSE, jittered};
use super::net::{self, Method, Stop};
use super::site::Process;
use super::vault::digest;
use super::world::World;
use crate::actions::{Error, ErrorKind, Way, exchange};
use crate::blobs::Placed;
use crate::federation::fetch as node;
use crate::store::entity::BlobState;
use crate::store::table;

/// Reads from a partner.
pub(super) async fn fetch(world: &Rc<World>, me: &Rc<Process>, partner: OrganisationId) {
    loop {
        let since = me.knocks(world, partner);
        let pause = match pass(world, me, partner).await {
            Ok(true) => None,
            Ok(false) => Some(jittered(world, LATER)),
            Err(stop) => {
                let name = world.sites[me.site].name;
                world.note(format_args!("{name} can't read: {stop:?}"));
                Some(jittered(world, PAUSE))
            }
        };
        let until = pause.map(|pause| world.now() + pause);
        me.knocked(world, partner, since, until).await;
    }
}

/// Reads everything that is wanted; false where something could not be had.
async fn pass(world: &Rc<World>, me: &Rc<Process>, partner: OrganisationId) -> Result<bool, Stop> {
    let shares = me.read(|view| view.page(&table::FETCH, &partner, None, usize::MAX));
    let mut clean = true;
    for ((_, share), ()) in shares.map_err(Error::from)? {
        if !me.read(|view| node::copies(view, share))? {
            continue;
        }
        match read_share(world, me, partner, share).await {
            Err(Stop::Own(_)) => clean = false,
            other => clean &= other?,
        }
    }
    Ok(clean)
}

async fn read_share(
    world: &Rc<World>,
    me: &Rc<Process>,
    partner: OrganisationId,
    share: ShareId,
) -> Result<bool, Stop> {
    let mut gone = BTreeSet::new();
    let (mut clean, mut after) = (true, None);
    loop {
        let page = me.read(|view| node::wishes(view, share, after))?;
        after = page.last;
        let requests = plan(page.wishes, &|digest| page.held.contains(&digest), BYTES);
        for request in requests {
            let (placed, missing) = files(world, me, partner, share, &request).await?;
            clean &= missing.is_empty();
            gone.extend(missing);
            record(world, me, share, request, placed, &gone).await?;
        }
        if page.whole {
            return Ok(clean);
        }
    }
}

/// Records what is whole now, and states it.
async fn record(
    world: &Rc<World>,
    me: &Rc<Process>,
    share: ShareId,
    request: Wanted,
    placed: Vec<Placed>,
    missing: &BTreeSet<Digest>,
) -> Result<(), Stop> {
    let whole = match missing.is_empty() {
        true => request.evidence,
        false => me.read(|view| node::without(view, share, request.evidence, missing))?,
    };
    if !whole.is_empty() {
        let kept = placed.clone();
        let stored = me.decide(world, None, Way::Partner, move |context| {
            exchange::store(context, share, &whole, &kept)
        });
        stored.await?;
    }
    unused(me, &placed);
    Ok(())
}

/// Deletes what was made durable for nothing.
pub(super) fn unused(me: &Process, placed: &[Placed]) {
    for blob in placed {
        let known = me.read(|view| view.get(&table::BLOB, &blob.digest));
        let Ok(known) = known else {
            return;
        };
        let used = known.is_some_and(|known| known.place == blob.place);
        if !used || planted(Bug::UsedDeleted) {
            me.vault.delete(blob.place);
        }
    }
}

/// Reads files of a share and makes them durable; gives where they are, and what is missing.
pub(super) async fn files(
    world: &Rc<World>,
    me: &Rc<Process>,
    partner: OrganisationId,
    share: ShareId,
    request: &Wanted,
) -> Result<(Vec<Placed>, BTreeSet<Digest>), Stop> {
    let mut placed = Vec::new();
    let mut missing: BTreeSet<Digest> = request.files.iter().map(|file| file.blake3).collect();
    for file in &request.files {
        super::tap::asks(world, me, partner, file.blake3);
    }
    for (file, bytes) in arriving(world, me, partner, share, &request.files, true).await? {
        me.vault.forget(share, file.blake3);
        let good = digest(&bytes) == file.blake3 || planted(Bug::Unverified);
        if !good {
            me.doubts.borrow_mut().insert((share, file.blake3));
            continue;
        }
        let known = me.read(|view| view.get(&table::BLOB, &file.blake3));
        let known = known.map_err(Error::from)?;
        if known.is_some_and(|known| known.state != BlobState::Damaged) {
            missing.remove(&file.blake3);
            continue;
        }
        // It may be recorded only when it is durable.
        let full = || Error::new(ErrorKind::Unavailable, "storage is full");
        let blob = me.vault.commit(bytes).ok_or_else(full)?;
        placed.push(Placed {
            digest: file.blake3,
            ..blob
        });
        missing.remove(&file.blake3);
    }
    Ok((placed, missing))
}

/// Reads files of a share into memory; those that did not come whole are left out. Where reading `resumes`,
/// what comes is durable at once, and is not read again.
pub(super) async fn arriving(
    world: &Rc<World>,
    me: &Rc<Process>,
    partner: OrganisationId,
    share: ShareId,
    files: &[File],
    resumes: bool,
) -> Result<Vec<(File, Vec<u8>)>, Stop> {
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let begun = |file: &File| match resumes && !planted(Bug::NotResumed) {
        true => me.vault.begun(share, file.blake3),
        false => Vec::new(),
    };
    let mut read: Vec<Vec<u8>> = files.iter().map(begun).collect();
    let range = |(file, begun): (&File, &Vec<u8>)| v1::FileRange {
        digest: Bytes::copy_from_slice(&file.blake3.0),
        from: begun.len() as u64,
        doubted: me.doubts.borrow_mut().remove(&(share, file.blake3)),
    };
    let request = v1::ReadRequest {
        share: Bytes::copy_from_slice(share.as_bytes()),
        files: files.iter().zip(&read).map(range).collect(),
    };
    if resumes {
        check::begins(world, me.site, share, files);
    }
    let call = net::begin(world, me, partner, Method::Read, request.encode_to_vec());
    // What came before the connection broke is not lost.
    while let Ok(Some(bytes)) = call.next().await {
        let Ok(reply) = v1::ReadReply::decode(bytes.as_slice()) else {
            break;
        };
        for piece in reply.pieces {
            let place = piece.file as usize;
            let (Some(to), Some(file)) = (read.get_mut(place), files.get(place)) else {
                break;
            };
            to.extend_from_slice(&piece.data);
            if to.len() as u64 > file.size {
                // What verifies a stream takes nothing behind its end.
                to.clear();
                me.vault.forget(share, file.blake3);
                me.doubts.borrow_mut().insert((share, file.blake3));
                break;
            }
            if !resumes || piece.data.is_empty() {
                continue;
            }
            check::arrived(world, me.site, share, file, piece.data.len());
            if !me.vault.keep(share, file.blake3, to) {
                let full = "storage is full";
                return Err(Error::new(ErrorKind::Unavailable, full).into());
            }
        }
    }
    let whole = files.iter().cloned().zip(read);
    let whole = whole.filter(|(file, bytes)| bytes.len() as u64 == file.size);
    let whole: Vec<(File, Vec<u8>)> = whole.collect();
    let mut oracle = world.oracle.borrow_mut();
    for (file, _) in &whole {
        oracle.arriving.remove(&(me.site, share, file.blake3));
        let about = (me.site, partner, file.blake3);
        oracle.brought.entry(about).or_insert_with(|| world.now());
        // What is sealed is not here before it is imported.
        if resumes {
            oracle.kept.entry(about).or_insert_with(|| world.now());
        }
    }
    Ok(whole)
}

const BYTES: u64 = 2048;
