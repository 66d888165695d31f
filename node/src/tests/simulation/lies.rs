//! A partner that lies: one table of what it says, and what has to come of it. It has its organisation's keys,
//! knows every id, digest and byte that it could have guessed or captured, and signs whatever it likes for itself.
//!
//! Invariant: what honest nodes promise each other holds whatever it says. It never signs for anybody else.

mod alone;
mod answers;
mod asks;
mod kinds;
mod logs;
mod stage;

use std::cell::Cell;
use std::rc::Rc;

use interdocket_proto::v1;
use interdocket_proto::v1::deliver_reply::Outcome;
use interdocket_sync::refusal::Refusal;
use interdocket_sync::share::Kind;
use interdocket_sync::wire::refusal;
use prost::Message as _;

pub(super) use self::answers::{answered, piece};
use self::stage::{About, Stage};
use super::net::{self, Method, Stop};
use super::plan::Odd;
use super::site::Process;
use super::world::{SECOND, World};

/// A lie that is told by a call.
struct Lie {
    /// What the partner does, in words.
    name: &'static str,
    /// Its row in the catalogue of faults.
    row: &'static str,
    /// The share that it is about.
    about: About,
    /// What is sent; none where it can't be told now.
    says: fn(&Stage<'_>) -> Option<Said>,
    /// What has to come of it, where the share lives and nothing else is under way.
    comes: Comes,
}

/// A call.
struct Said {
    method: Method,
    bytes: Vec<u8>,
}

impl Said {
    fn new(method: Method, message: &impl prost::Message) -> Option<Self> {
        let bytes = message.encode_to_vec();
        Some(Self { method, bytes })
    }
}

/// What has to come of a lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comes {
    /// It is refused, and that is all.
    Refused(Refusal),
    /// It is refused as another history, and the share freezes.
    Frozen,
    /// It is refused as what a newer node says, and the share pauses.
    Paused,
    /// It is answered as what does not exist is.
    Nothing,
    /// It is answered as it was before.
    Known,
}

/// Every lie that is told by a call.
fn lies() -> impl Iterator<Item = &'static Lie> {
    logs::LIES.iter().chain(kinds::LIES).chain(asks::LIES)
}

/// What a call was answered.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Refused(Refusal),
    /// Any other answer, as it came.
    Told(Vec<u8>),
    /// None: there is no contact.
    Silence,
}

/// Tells a lie to a partner.
async fn tell(world: &Rc<World>, me: &Rc<Process>, victim: usize, said: Said) -> Answer {
    let method = said.method;
    let partner = world.sites[victim].id;
    let call = net::begin(world, me, partner, method, said.bytes);
    match call.next().await {
        Ok(Some(bytes)) => within(method, bytes),
        Ok(None) => Answer::Told(Vec::new()),
        Err(Stop::Refused(refused)) => Answer::Refused(refused),
        Err(Stop::Link | Stop::Own(_)) => Answer::Silence,
    }
}

/// An answer, or the refusal in it.
fn within(method: Method, bytes: Vec<u8>) -> Answer {
    let refused = match method {
        Method::Deliver => {
            let reply = v1::DeliverReply::decode(bytes.as_slice());
            match reply.ok().and_then(|reply| reply.outcome) {
                Some(Outcome::Refusal(refused)) => refusal::read(refused),
                _ => None,
            }
        }
        Method::Read => {
            let reply = v1::ReadReply::decode(bytes.as_slice()).unwrap_or_default();
            let mut refused = reply.pieces.into_iter().filter_map(|piece| piece.refusal);
            refused.next().and_then(refusal::read)
        }
        _ => None,
    };
    refused.map_or(Answer::Told(bytes), Answer::Refused)
}

/// Who lies in a run, and how it answers.
#[derive(Default)]
pub(super) struct Lying {
    site: Cell<Option<usize>>,
    /// The one way in which it answers; at random, and now and then, where none is given.
    only: Cell<Option<usize>>,
}

/// Has the last node lie from now on, beside what it does as others do.
pub(super) fn begin(world: &Rc<World>) {
    let site = world.plan.nodes - 1;
    world.lying.site.set(Some(site));
    let id = world.sites[site].id;
    let mut oracle = world.oracle.borrow_mut();
    oracle.odd.insert(id, Odd::Lies);
    oracle.liar = Some(site);
    drop(oracle);
    next(world, site);
}

fn next(world: &Rc<World>, site: usize) {
    let wait = world.between(SECOND / 10, 3 * SECOND);
    world.after_do(wait, move |world| {
        if world.calm.get() {
            return;
        }
        if let Some(me) = world.sites[site].up() {
            let to = Rc::clone(world);
            world.spawn(site, async move { one(&to, &me).await });
        }
        next(world, site);
    });
}

/// Tells any lie to anybody. At such a moment it may even be true, or be refused for another reason.
async fn one(world: &Rc<World>, me: &Rc<Process>) {
    let all: Vec<&Lie> = lies().collect();
    let some = |of: usize| usize::try_from(world.below(of as u64)).expect("it is small");
    let (lie, victim) = (all[some(all.len())], some(world.plan.nodes));
    let said = match Stage::of(world, me, victim, lie.about) {
        Some(stage) => {
            // Where the policy lets it, it adds whom it says.
            if matches!(stage.header.kind, Kind::Advanced(policy) if policy.onward) {
                world.standing.borrow_mut().add(stage.header.share, "eve");
            }
            (lie.says)(&stage)
        }
        None => None,
    };
    let Some(said) = said else {
        return;
    };
    let names = [me.site, victim].map(|site| world.sites[site].name);
    world.note(format_args!(
        "{} lies to {}: {}",
        names[0], names[1], lie.name
    ));
    let answer = tell(world, me, victim, said).await;
    world.trace.borrow_mut().figures.lies += 1;
    // What nobody but its author could sign is refused at any moment.
    let never = matches!(
        lie.comes,
        Comes::Refused(Refusal::Malformed | Refusal::Signature | Refusal::NotShared)
    );
    if let (true, Answer::Told(_)) = (never && lie.always(), &answer) {
        let (name, row) = (lie.name, lie.row);
        world.fail(format!("lies: {} believes {name} ({row})", names[1]));
    }
}

impl Lie {
    /// Whether it is a lie at any moment, whatever the state of a share.
    fn always(&self) -> bool {
        self.about != About::Copy && self.about != About::TheirCopy
            || self.comes == Comes::Refused(Refusal::Signature)
    }
}
