//! A federation in which nobody works but whom a test tells to, and nothing fails.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;

use interdocket_sync::blob::Sha256;
use interdocket_sync::id::{EvidenceId, ShareId};

use super::plan::{Odd, Plan};
use super::serve::kim;
use super::site::{Process, Site};
use super::start::{self, change};
use super::vault::digest;
use super::world::{SECOND, World};
use crate::actions::evidence::Taken;
use crate::actions::partner::{Kind, OrganisationRole, SetPolicy};
use crate::actions::share::{self, Mode};
use crate::actions::{Error, Way, case};
use crate::chance::seeded;
use crate::disk::Dice;
use crate::tests::bench::{only, to};

/// Three nodes that trust each other; where it is even, whatever could take longer or shorter takes the same
/// time.
pub(super) fn federation(seed: u64, even: bool) -> Rc<World> {
    seeded::set(Some(seed));
    let mut dice = Dice::new(seed);
    let plan = Plan {
        nodes: 3,
        loss: 0,
        twice: 0,
        latency: 2000,
        faults: Vec::new(),
        ..Plan::new(&mut dice, Odd::None)
    };
    let sites = (0..3).map(|number| Site::new(number, OrganisationRole::Investigation));
    let world = World::new(plan, dice, sites.collect());
    world.even.set(even);
    world.calm.set(true);
    start::federation(&world);
    for site in 0..3 {
        let of = Rc::clone(&world);
        at(&world, site, async move |me| policies(&of, &me).await);
    }
    world
}

/// Ends it.
pub(super) fn end(world: &World) {
    world.end();
    seeded::set(None);
}

/// Runs something at a node, to its end.
pub(super) fn at<R: 'static, F: Future<Output = R> + 'static>(
    world: &Rc<World>,
    site: usize,
    what: impl FnOnce(Rc<Process>) -> F,
) -> R {
    let done: Rc<RefCell<Option<R>>> = Rc::default();
    let (slot, task) = (Rc::clone(&done), what(world.sites[site].up().unwrap()));
    world.spawn(site, async move {
        let reply = task.await;
        slot.replace(Some(reply));
    });
    world.run(world.now() + 60 * SECOND);
    done.take().expect("it comes to its end")
}

async fn policies(world: &Rc<World>, me: &Rc<Process>) {
    for other in world.nodes().iter().filter(|other| other.id != me.id) {
        let policy = SetPolicy {
            partner: other.name.into(),
            mode: Mode::Synchronised,
            download: true,
            import: true,
            onward: false,
        };
        change(world, me, policy).await.unwrap();
    }
}

/// Makes a case.
pub(super) async fn case(world: &Rc<World>, me: &Rc<Process>, number: &str) {
    let create = case::Create {
        number: number.into(),
        title: String::new(),
        description: String::new(),
        targets: Vec::new(),
    };
    change(world, me, create).await.unwrap();
}

/// Adds evidence with these bytes.
pub(super) async fn add(
    world: &Rc<World>,
    me: &Rc<Process>,
    (case, folder): (&str, &str),
    title: &str,
    bytes: Vec<u8>,
) -> EvidenceId {
    let (size, blake3) = (bytes.len() as u64, digest(&bytes));
    let known = me.read(|view| view.has(&crate::store::table::BLOB, &blake3));
    let place = match known.unwrap() {
        true => None,
        false => me.vault.commit(bytes).map(|placed| placed.place),
    };
    let taken = Taken {
        case: case.into(),
        name: format!("{title}.txt"),
        folder: folder.into(),
        title: Some(title.into()),
        size,
        blake3,
        sha256: Sha256(blake3.0),
        place,
    };
    let added = me.decide(world, Some(kim()), Way::Socket, |context| {
        taken.decide(context)
    });
    added.await.unwrap().id
}

/// Shares a folder of a case, or all of it.
pub(super) async fn offer(
    world: &Rc<World>,
    me: &Rc<Process>,
    kind: Kind,
    (case, folder): (&str, &str),
    other: &str,
) -> Result<ShareId, Error> {
    let (case, to, message) = (case.to_owned(), vec![to(other, &["kim"])], String::new());
    let folders = match folder {
        "" => Vec::new(),
        folder => vec![folder.to_owned()],
    };
    let (evidence, targets) = (Vec::new(), None);
    let made = match kind {
        Kind::Copy => {
            let copy = share::Copy {
                case,
                to,
                evidence,
                folders,
                targets,
                message,
                attachments: None,
            };
            change(world, me, copy).await
        }
        Kind::Advanced => {
            let advanced = share::Advanced {
                case,
                to,
                evidence,
                folders,
                targets,
                units: Vec::new(),
                message,
            };
            change(world, me, advanced).await
        }
        Kind::Reference => {
            let reference = share::Reference {
                case,
                to,
                days: 90,
                evidence,
                folders,
                targets,
                message,
            };
            change(world, me, reference).await
        }
    };
    Ok(only(made?).id)
}
