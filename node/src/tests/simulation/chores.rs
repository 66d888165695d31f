//! What a node does by itself beside its partners, as `jobs` and `sessions` do it: it ends sessions, compares
//! SHA-256, removes what is not wanted any more, and records refusals that were repeated.

use std::collections::BTreeSet;
use std::rc::Rc;

use interdocket_sync::blob::{Digest, Sha256};
use interdocket_sync::id::ShareId;
use interdocket_sync::share::Facts as _;

use super::bug::{Bug, planted};
use super::serve::damaged;
use super::session;
use super::site::Process;
use super::vault::digest;
use super::world::{SECOND, World};
use crate::actions::Error;
use crate::clock::Clock as _;
use crate::event::{BlobCompared, Event};
use crate::federation::fetch::awaited;
use crate::store::project::ShareFacts;
use crate::store::table;

/// Does all of it, again and again.
pub(super) async fn chores(world: &Rc<World>, me: &Rc<Process>) {
    session::left(world, me).await;
    let mut judged = me.judged();
    for turn in 0_u64.. {
        world.sleep(4 * SECOND).await;
        let now = me.judged();
        session::tidy(world, me, now != judged).await;
        judged = now;
        if turn % 5 == 0 {
            compare(world, me).await;
            for refused in me.refusals.due(me.clock.now()) {
                me.record(world, Event::Refused(refused)).await;
            }
        }
        if turn % 15 == 0 && !planted(Bug::NothingSwept) {
            // What can't be told now is told the next time.
            let _ = sweep(world, me);
        }
    }
}

/// Compares SHA-256 of what came; here it is the same digest.
async fn compare(world: &Rc<World>, me: &Rc<Process>) {
    let rows = me.read(|view| view.page(&table::UNCOMPARED, &(), None, 64));
    for (name, ()) in rows.unwrap_or_default() {
        let blob = me.read(|view| view.get(&table::BLOB, &name));
        let Some(blob) = blob.ok().flatten() else {
            continue;
        };
        let same = me.vault.read(name, blob.place);
        if same.is_none_or(|bytes| digest(&bytes) != name) {
            damaged(world, me, name);
            continue;
        }
        let compared = BlobCompared {
            blake3: name,
            sha256: Sha256(name.0),
        };
        me.record(world, Event::BlobCompared(compared)).await;
    }
}

/// Removes what arrived of files that no share wants any more.
fn sweep(world: &World, me: &Process) -> Result<(), Error> {
    let mut wanted: BTreeSet<(ShareId, Digest)> = BTreeSet::new();
    let arriving: BTreeSet<ShareId> = me.vault.arriving().into_iter().map(|of| of.0).collect();
    me.read(|view| {
        for share in arriving {
            if !awaited(view, share)? {
                continue;
            }
            let facts = ShareFacts::new(*view, share);
            for ((_, evidence), ()) in view.page(&table::WANTED, &share, None, usize::MAX)? {
                let files = facts.item(evidence).map_or(0, |item| item.files);
                let files = (0..files).filter_map(|place| facts.file(evidence, place));
                wanted.extend(files.map(|file| (share, file.blake3)));
            }
            facts.done()?;
        }
        Ok::<_, Error>(())
    })?;
    let mut oracle = world.oracle.borrow_mut();
    for (share, digest) in me.vault.sweep(&wanted) {
        oracle.arriving.remove(&(me.site, share, digest));
    }
    Ok(())
}
