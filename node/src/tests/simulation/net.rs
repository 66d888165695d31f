//! The simulated network: calls between nodes as bytes, with links that are cut, slow, lossy, or bring a
//! call twice and late.
//!
//! Who calls is known, as a certificate makes it known: nobody speaks for somebody else.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use interdocket_proto::v1;
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::refusal::Refusal;
use interdocket_sync::wire::refusal;
use prost::Message as _;

use super::delay::Bad;
use super::site::Process;
use super::world::{Due, Micros, SECOND, World};
use crate::actions::Error;

/// One message between two nodes.
#[derive(Clone)]
pub(super) struct Message {
    pub(super) from: usize,
    pub(super) to: usize,
    /// Names the call that it belongs to.
    pub(super) call: u64,
    pub(super) part: Part,
    pub(super) bytes: Vec<u8>,
}

/// What of a call a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// What is asked.
    Ask(Method),
    /// The so manieth message of the answer.
    Answer(u64),
    /// There is no more, behind so many messages.
    End(u64),
    /// The call as a whole is refused.
    Refused,
    /// There is nobody there.
    Gone,
}

/// What can be asked of a partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Method {
    Connect,
    Deliver,
    Revoke,
    ListShares,
    Recover,
    Read,
    Renew,
    Import,
    Open,
    List,
    View,
    Close,
}

/// Why a call has no answer.
#[derive(Debug)]
pub(super) enum Stop {
    /// There is no contact: try again soon.
    Link,
    /// The partner refused the call as a whole.
    Refused(Refusal),
    /// This node can't.
    Own(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Own(error)
    }
}

#[derive(Default)]
pub(super) struct Net {
    /// Directions in which nothing arrives.
    pub(super) cut: RefCell<BTreeSet<(usize, usize)>>,
    /// Directions that are slower, by a factor.
    pub(super) slow: RefCell<BTreeMap<(usize, usize), u64>>,
    /// Who is of no use as a partner, and how.
    pub(super) bad: Cell<Option<(usize, Bad)>>,
    mail: RefCell<BTreeMap<u64, Mail>>,
    /// Calls that were made, some of the latest.
    made: RefCell<VecDeque<Message>>,
}

/// What came back of a call.
struct Mail {
    task: u64,
    from: usize,
    to: usize,
    answers: BTreeMap<u64, Vec<u8>>,
    next: u64,
    end: Option<u64>,
    failed: Option<Stop>,
}

/// A call under way, at the caller.
pub(super) struct Call<'a> {
    world: &'a World,
    number: u64,
    patience: Micros,
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.world.net.mail.borrow_mut().remove(&self.number);
    }
}

/// Begins a call.
pub(super) fn begin<'a>(
    world: &'a World,
    me: &Process,
    partner: OrganisationId,
    method: Method,
    bytes: Vec<u8>,
) -> Call<'a> {
    let number = world.number();
    let to = world.route(partner);
    let mail = Mail {
        task: world.running(),
        from: me.site,
        to,
        answers: BTreeMap::new(),
        next: 0,
        end: None,
        failed: None,
    };
    world.net.mail.borrow_mut().insert(number, mail);
    let message = Message {
        from: me.site,
        to,
        call: number,
        part: Part::Ask(method),
        bytes,
    };
    let mut made = world.net.made.borrow_mut();
    if made.len() == MADE {
        made.pop_front();
    }
    made.push_back(message.clone());
    drop(made);
    send(world, message);
    Call {
        world,
        number,
        patience: 20 * SECOND,
    }
}

impl Call<'_> {
    /// The next message of the answer; none where there is no more.
    pub(super) async fn next(&self) -> Result<Option<Vec<u8>>, Stop> {
        let until = self.world.now() + self.patience;
        self.world
            .after(self.patience, Due::Poll(self.world.running()));
        let ready = || {
            let mail = self.world.net.mail.borrow();
            let Some(mail) = mail.get(&self.number) else {
                return true;
            };
            mail.answers.contains_key(&mail.next)
                || mail.end.is_some_and(|end| end <= mail.next)
                || mail.failed.is_some()
                || until <= self.world.now()
        };
        self.world.until(ready).await;
        let mut mail = self.world.net.mail.borrow_mut();
        let mail = mail.get_mut(&self.number).ok_or(Stop::Link)?;
        let next = mail.next;
        if let Some(answer) = mail.answers.remove(&next) {
            mail.next += 1;
            return Ok(Some(answer));
        }
        match mail.failed.take() {
            Some(stop) => Err(stop),
            None if mail.end.is_some_and(|end| end <= next) => Ok(None),
            None => Err(Stop::Link),
        }
    }
}

/// A call with one answer.
pub(super) async fn call<A: prost::Message + Default>(
    world: &World,
    me: &Process,
    partner: OrganisationId,
    method: Method,
    message: &impl prost::Message,
) -> Result<A, Stop> {
    let call = begin(world, me, partner, method, message.encode_to_vec());
    let answer = call.next().await?.ok_or(Stop::Link)?;
    A::decode(answer.as_slice()).map_err(|_| Stop::Link)
}

/// Puts a message on its way.
pub(super) fn send(world: &World, message: Message) {
    world.trace.borrow_mut().figures.messages += 1;
    let hash = blake3::hash(&message.bytes);
    let hash = u16::from_be_bytes([hash.as_bytes()[0], hash.as_bytes()[1]]);
    world.note(format_args!(
        "{} to {}: call {} {:?}, {} bytes ({hash:04x})",
        world.sites[message.from].name,
        world.sites[message.to].name,
        message.call,
        message.part,
        message.bytes.len(),
    ));
    super::tap::seen(world, &message);
    let link = (message.from, message.to);
    if world.net.cut.borrow().contains(&link) {
        return;
    }
    let calm = world.calm.get();
    if !calm && world.chance(world.plan.loss) {
        return;
    }
    let factor = world.net.slow.borrow().get(&link).copied().unwrap_or(1);
    let wait = |most: Micros| world.between(500, most) * factor;
    if matches!(message.part, Part::Ask(_)) && !calm && world.chance(world.plan.twice) {
        let late = wait(5 * SECOND);
        world.after(late, Due::Arrive(message.clone()));
    }
    let wait = wait(world.plan.latency);
    world.after(wait, Due::Arrive(message));
}

/// A message arrives, if its link was not cut meanwhile.
pub(super) fn arrive(world: &Rc<World>, message: Message) {
    if world.net.cut.borrow().contains(&(message.from, message.to)) {
        return;
    }
    if let Part::Ask(method) = message.part {
        let bad = world.net.bad.get().filter(|(site, _)| *site == message.to);
        match bad.map(|(_, bad)| bad) {
            Some(Bad::Dead) => return,
            Some(Bad::Refuses) => {
                let bytes = refusal::write(Refusal::Limit).encode_to_vec();
                return answer(world, &message, Part::Refused, bytes);
            }
            Some(Bad::Slow) if world.chance(900) => {
                return world.after(5 * SECOND, Due::Arrive(message));
            }
            Some(Bad::Slow | Bad::Calls) | None => {}
        }
        let caller = world.sites[message.from].id;
        let up = world.sites[message.to].up();
        let Some(process) = up.filter(|up| up.pins.borrow().contains(&caller)) else {
            answer(world, &message, Part::Gone, Vec::new());
            return;
        };
        let of = Rc::clone(world);
        world.spawn(message.to, async move {
            super::serve::serve(&of, &process, method, message).await;
        });
        return;
    }
    let mut mails = world.net.mail.borrow_mut();
    let Some(mail) = mails.get_mut(&message.call) else {
        return;
    };
    match message.part {
        Part::Ask(_) => {}
        Part::Answer(place) => {
            mail.answers.insert(place, message.bytes);
        }
        Part::End(behind) => mail.end = Some(behind),
        Part::Gone => mail.failed = Some(Stop::Link),
        Part::Refused => {
            let read = v1::Refusal::decode(message.bytes.as_slice()).ok();
            let refused = read.and_then(refusal::read).unwrap_or(Refusal::Malformed);
            mail.failed = Some(Stop::Refused(refused));
        }
    }
    world.after(0, Due::Poll(mail.task));
}

/// Sends part of an answer to a message.
pub(super) fn answer(world: &World, asked: &Message, part: Part, bytes: Vec<u8>) {
    let message = Message {
        from: asked.to,
        to: asked.from,
        call: asked.call,
        part,
        bytes,
    };
    send(world, message);
}

/// A connection of two nodes comes up soon, where it can.
pub(super) fn contact(world: &World, site: usize, partner: OrganisationId) {
    let other = world.site(partner).number;
    let wait = world.between(1000, 15 * SECOND);
    world.after_do(wait, move |world| {
        let cut = world.net.cut.borrow();
        if cut.contains(&(site, other)) || cut.contains(&(other, site)) {
            return;
        }
        drop(cut);
        let ends = [(site, other), (other, site)];
        let up = ends.map(|(site, _)| world.sites[site].up());
        let [Some(here), Some(there)] = up else {
            return;
        };
        here.wake(world, there.id);
        there.wake(world, here.id);
    });
}

/// A node ends its connections with a partner: what is under way has no answer.
pub(super) fn cut(world: &World, site: usize, partner: OrganisationId) {
    let other = world.site(partner).number;
    let mut mails = world.net.mail.borrow_mut();
    for mail in mails.values_mut() {
        if (mail.from, mail.to) == (site, other) || (mail.from, mail.to) == (other, site) {
            mail.failed.get_or_insert(Stop::Link);
            world.after(0, Due::Poll(mail.task));
        }
    }
}

/// Nothing that a site sent before comes again.
pub(super) fn forget(world: &World, site: usize) {
    let mut made = world.net.made.borrow_mut();
    made.retain(|message| message.from != site && message.to != site);
}

/// A call that was made before arrives once more.
pub(super) fn again(world: &World) {
    let made = world.net.made.borrow();
    let place = usize::try_from(world.below(made.len() as u64)).unwrap_or_default();
    if let Some(message) = made.get(place) {
        world.after(0, Due::Arrive(message.clone()));
    }
}

/// How many calls are remembered.
const MADE: usize = 300;
