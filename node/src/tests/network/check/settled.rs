//! What has to hold once everything has settled: nothing waits, both ends of each share agree, and all that
//! was owed is there (L1, L2, L4, L6).

use std::ops::ControlFlow;

use interdocket_sync::evidence::File;
use interdocket_sync::share::{Fact, Header, Kind, Mode, State as Life};

use super::super::World;
use super::super::site::Site;
use super::known;
use crate::actions::partner::State;
use crate::blobs::Placed;
use crate::federation::sealed;
use crate::node::{Node, timely};
use crate::store::entity::Share;
use crate::store::table;
use crate::store::view::View;
use crate::tests::bench::dump;

/// What still waits somewhere; nothing once everything has settled.
pub(in crate::tests::network) fn waits(world: &World) -> Vec<String> {
    let mut waits = Vec::new();
    for site in &world.sites {
        let Some(node) = site.up() else {
            waits.push(format!("{} is down", site.name));
            continue;
        };
        let reading = node.parts().store.read();
        let view = reading.view();
        macro_rules! empty {
            ($($table:ident),*) => {$(
                for (key, _) in view.page(&table::$table, &(), None, 3).unwrap() {
                    let refused = node.last_seen(key.0).refused;
                    let share = view.get(&table::SHARE, &key.1).unwrap();
                    let header = share.map(|share| share.header);
                    let what = stringify!($table);
                    waits.push(format!("{}: {what} {}: {refused:?} {header:?}", site.name, key.1));
                }
            )*};
        }
        empty!(OUTBOX, FETCH, IMPORT, PURGE, ERASING, RECOVER);
        if timely(&view).is_err() {
            waits.push(format!("{} suspects its clock", site.name));
        }
        for other in world.sites.iter().filter(|other| other.id != site.id) {
            let partner = known(&node, other.id);
            if partner.is_none_or(|partner| partner.state != State::Active) {
                waits.push(format!("{} is not a partner of {}", other.name, site.name));
            }
        }
    }
    waits
}

/// Checks it.
pub(in crate::tests::network) fn settled(world: &World) {
    for site in &world.sites {
        if dump(&site.engine()) != dump(&site.rebuilt()) {
            let what = format!("the tables of {} are not what its journal makes", site.name);
            world.log.fail(what);
        }
        let node = site.up().expect("nothing waits");
        for (id, share) in shares(&node) {
            if share.header.owner != site.id {
                continue;
            }
            let partner = world
                .sites
                .iter()
                .find(|other| other.id == share.header.partner);
            let partner = partner.expect("every partner is a site");
            if let ControlFlow::Break(what) = agrees(&share, partner) {
                let what = format!("{} and {}, {id}: {what}", site.name, partner.name);
                world.log.fail(what);
            }
        }
    }
    for (id, deal) in &world.oracle.borrow().deals {
        let owner = world.sites[deal.owner].up().expect("nothing waits");
        let reading = owner.parts().store.read();
        if !reading.view().has(&table::SHARE, id).unwrap() {
            world
                .log
                .fail(format!("S7: {id} was made and is not there"));
        }
    }
}

fn shares(node: &Node) -> Vec<(interdocket_sync::id::ShareId, Share)> {
    let reading = node.parts().store.read();
    let rows = reading.view().page(&table::SHARE, &(), None, usize::MAX);
    rows.unwrap()
}

/// Both ends of a share, and what the partner has of it.
fn agrees(share: &Share, partner: &Site) -> ControlFlow<String> {
    let id = share.header.share;
    let node = partner.up().expect("nothing waits");
    let reading = node.parts().store.read();
    let view = reading.view();
    let over =
        share.header.revoked || !matches!(share.header.state, Life::Offered | Life::Accepted);
    let Some(held) = view.get(&table::SHARE, &id).unwrap() else {
        return match over {
            true => ControlFlow::Continue(()),
            false => broken("it was never offered"),
        };
    };
    let held = held.header;
    let ours = &share.header;
    if ours.revoked != held.revoked {
        return broken("only one side knows that it is revoked");
    }
    if ours.revoked {
        return revoked(share, &held, &node);
    }
    if logs(ours) != logs(&held) {
        return broken(&format!("the logs differ: {ours:?} {held:?}"));
    }
    if over || ours.suspended {
        return ControlFlow::Continue(());
    }
    if ours.state != Life::Accepted {
        return broken("it was not accepted");
    }
    owed(&node, &view, &held)
}

fn broken(what: &str) -> ControlFlow<String> {
    ControlFlow::Break(what.to_owned())
}

/// What both logs say, with what each side proved to the other.
fn logs(header: &Header) -> impl PartialEq + use<> {
    let [owner, partner] = [&header.owner_log, &header.partner_log].map(|log| log.point);
    (
        (owner, partner, header.state, header.suspended),
        (header.listed, header.stored, header.imported),
    )
}

fn revoked(share: &Share, held: &Header, node: &Node) -> ControlFlow<String> {
    let receipt = share
        .revocation
        .and_then(|revocation| revocation.countersigned);
    if receipt.is_none() {
        return broken("its owner has no receipt for the revocation");
    }
    if held.partner_log.point.count > 0 && held.purged == 0 {
        return broken("it was not purged");
    }
    if node.seal(held.share).is_some() {
        return broken("it is revoked, and its lease is held");
    }
    ControlFlow::Continue(())
}

/// Everything that is listed is there, and is what its digest says (L1, S6).
fn owed(node: &Node, view: &View<'_>, held: &Header) -> ControlFlow<String> {
    let rows = view
        .page(&table::FACT, &held.share, None, usize::MAX)
        .unwrap();
    let blobs = rows
        .into_iter()
        .filter_map(|((_, key), fact)| match (key, fact) {
            (interdocket_sync::share::Key::Blob(digest), Fact::Blob(blob)) if blob.uses > 0 => {
                Some((digest, blob.size))
            }
            _ => None,
        });
    for (digest, size) in blobs {
        let file = File {
            name: String::new(),
            size,
            blake3: digest,
            sha256: interdocket_sync::blob::Sha256(digest.0),
            kind: Default::default(),
            format: String::new(),
        };
        let own = view.get(&table::BLOB, &digest).unwrap();
        let there = match held.kind {
            Kind::Reference(_) => true,
            Kind::Copy => own.is_some(),
            Kind::Advanced(policy) => {
                policy.mode == Mode::Live
                    || own.is_some()
                    || sealed::whole(view, held.share, &file).unwrap()
            }
        };
        if !there {
            return broken(&format!("{digest} of {size} bytes is not there"));
        }
        if let Some(own) = own {
            let placed = Placed {
                digest,
                size: own.size,
                place: own.place,
            };
            if node.parts().blobs.verify(&placed).is_err() {
                return broken(&format!("{digest} is damaged"));
            }
        }
    }
    if held.kind == Kind::Copy && held.listed != held.stored {
        return broken("not all that is listed is stated as stored");
    }
    ControlFlow::Continue(())
}
