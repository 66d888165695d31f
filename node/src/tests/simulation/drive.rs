//! Delivering, as `federation::drive` does it: one task for each partner says hello, takes back what was
//! lost, discloses what waits and delivers this node's logs.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use interdocket_proto::v1;
use interdocket_proto::v1::deliver_reply::Outcome;
use interdocket_sync::id::ShareId;
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::log::Side;
use interdocket_sync::receipt::{Countersignature, Receipt};
use interdocket_sync::refusal::{Consequence, Refusal};
use interdocket_sync::share::terms::FORMAT;
use interdocket_sync::share::{Hold, Kind};
use interdocket_sync::wire::batch::{self, Batch};
use interdocket_sync::wire::refusal;
use prost::Message as _;

use super::bug::{Bug, planted};
use super::net::{Method, Stop, call};
use super::serve::{hear, lender};
use super::site::Process;
use super::world::{Micros, SECOND, World};
use crate::actions::decide::broken;
use crate::actions::{self, Error, ErrorKind, Way, exchange, feature};
use crate::clock::Clock as _;
use crate::federation::recover::REVOCATIONS;
use crate::federation::{drive as node, features, history, lease};
use crate::node::Knocks;
use crate::store::view::View;
use crate::store::{entity, table};

/// Starts the tasks of a partner, where they do not run.
pub(super) fn begin(world: &Rc<World>, me: &Rc<Process>, partner: OrganisationId) {
    if me.driven.borrow().contains_key(&partner) {
        return;
    }
    let of = |world: &Rc<World>| (Rc::clone(world), Rc::clone(me));
    let ((w1, p1), (w2, p2), (w3, p3)) = (of(world), of(world), of(world));
    let tasks = vec![
        world.spawn(me.site, async move { drive(&w1, &p1, partner).await }),
        world.spawn(me.site, async move {
            super::fetch::fetch(&w2, &p2, partner).await;
        }),
        world.spawn(me.site, async move {
            super::follow::follow(&w3, &p3, partner).await;
        }),
    ];
    me.driven.borrow_mut().insert(partner, tasks);
}

/// How delivering a share goes on.
enum Next {
    After(u64),
    Gap(u64),
    Held,
    Again,
}

struct Drive<'a> {
    world: &'a Rc<World>,
    me: &'a Rc<Process>,
    partner: OrganisationId,
    held: BTreeMap<ShareId, Micros>,
    /// Revocations that the partner was told of and has not countersigned.
    told: BTreeSet<ShareId>,
    recover: Option<Micros>,
    greeted: bool,
    knocks: Knocks,
}

async fn drive(world: &Rc<World>, me: &Rc<Process>, partner: OrganisationId) {
    let mut drive = Drive {
        world,
        me,
        partner,
        held: BTreeMap::new(),
        told: BTreeSet::new(),
        recover: None,
        greeted: false,
        knocks: me.knocks(world, partner),
    };
    loop {
        drive.take(me.knocks(world, partner));
        while planted(Bug::OneAtATime) && me.driving.replace(true) {
            world.sleep(SECOND / 10).await;
        }
        let passed = drive.pass().await;
        me.driving.set(false);
        let pause = match passed {
            Ok(()) => drive.retry(),
            Err(stop) => {
                drive.greeted = false;
                drive.tell(&stop);
                (!planted(Bug::NoRetry)).then(|| jittered(world, PAUSE))
            }
        };
        let mut due = pause.map(|pause| world.now() + pause);
        loop {
            let since = drive.knocks;
            me.knocked(world, partner, since, due).await;
            if due.is_some_and(|due| due <= world.now()) {
                break;
            }
            if drive.take(me.knocks(world, partner)) {
                break;
            }
            let eased = drive.retry().map(|pause| world.now() + pause);
            due = due.into_iter().chain(eased).min();
        }
    }
}

impl Drive<'_> {
    /// Takes in why the door was knocked at; true where there may be something to do at once.
    fn take(&mut self, knocks: Knocks) -> bool {
        let before = std::mem::replace(&mut self.knocks, knocks);
        if knocks.news != before.news {
            self.greeted = false;
        }
        if (knocks.news, knocks.greetings) != (before.news, before.greetings) {
            let soon = self.world.now() + SOON;
            for until in self.held.values_mut().chain(&mut self.recover) {
                *until = soon.min(*until);
            }
        }
        (knocks.wakes, knocks.news) != (before.wakes, before.news)
    }

    fn retry(&self) -> Option<Micros> {
        let next = self.held.values().chain(&self.recover).min()?;
        Some(next.saturating_sub(self.world.now()).max(PAUSE))
    }

    fn read<R>(&self, read: impl FnOnce(&View<'_>) -> Result<R, Error>) -> Result<R, Stop> {
        Ok(self.me.read(read)?)
    }

    async fn pass(&mut self) -> Result<(), Stop> {
        let partner = self.partner;
        let waiting =
            self.read(|view| Ok(view.page(&table::OUTBOX, &partner, None, usize::MAX)?))?;
        let waiting: Vec<ShareId> = waiting.into_iter().map(|((_, share), ())| share).collect();
        self.held.retain(|share, _| waiting.contains(share));
        self.told.retain(|share| waiting.contains(share));
        for share in self.revoked()? {
            self.held.remove(&share);
        }
        let now = self.world.now();
        let due = |share: &ShareId| self.held.get(share).is_none_or(|until| *until <= now);
        let due: Vec<ShareId> = waiting.into_iter().filter(due).collect();
        if due.is_empty() && self.greeted && !self.recovers()? {
            return Ok(());
        }
        if !self.greeted {
            self.greet().await?;
        }
        if self.recovers()? {
            self.me.timely()?;
            let clean = super::recover::recover(self.world, self.me, partner).await?;
            self.recover = (!clean).then(|| self.world.now() + LATER);
        }
        for share in due {
            self.held.remove(&share);
            match self.share(share).await {
                Err(Stop::Own(error)) => {
                    self.tell(&Stop::Own(error));
                    self.held.insert(share, self.world.now() + LATER);
                }
                Err(Stop::Refused(Refusal::Busy)) => self.hold(share, Refusal::Busy),
                other => other?,
            }
        }
        Ok(())
    }

    async fn greet(&mut self) -> Result<(), Stop> {
        let incarnation = self.read(crate::federation::exchange::incarnation)?;
        let on = self.read(feature::of)?;
        let hello = v1::ConnectRequest {
            formats: vec![FORMAT],
            incarnation,
            at: self.me.clock.now().timestamp_micros(),
            version: String::new(),
            features: features::told(&on),
        };
        let reply: v1::ConnectReply =
            call(self.world, self.me, self.partner, Method::Connect, &hello).await?;
        hear(self.world, self.me, self.partner, &reply.features).await?;
        if let Some(shown) = reply.witness {
            super::recover::witnessed(self.world, self.me, self.partner, shown).await?;
        }
        for shown in reply.revocations.into_iter().take(REVOCATIONS) {
            super::recover::forgotten(self.world, self.me, self.partner, shown).await?;
        }
        self.greeted = true;
        Ok(())
    }

    fn recovers(&self) -> Result<bool, Stop> {
        let partner = self.partner;
        let due = self.recover.is_none_or(|until| until <= self.world.now());
        let waits = self.read(|view| {
            let known = view.get(&table::PARTNER, &partner)?;
            let shares = view.page(&table::RECOVER, &partner, None, 1)?;
            Ok(known.is_some_and(|known| known.recover) || !shares.is_empty())
        });
        Ok(due && waits?)
    }

    /// Discloses and delivers until the partner has everything, or refuses.
    async fn share(&mut self, id: ShareId) -> Result<(), Stop> {
        if !self.revoke(id).await? {
            return Ok(());
        }
        let header = self.read(|view| Ok(actions::decide::share(view, id)?.header))?;
        if header.hold == Hold::Recovering {
            return Ok(());
        }
        let mut from: Option<u64> = None;
        let mut gaps = 0;
        loop {
            let judged = self.me.judged();
            self.me.timely()?;
            let (side, batch) = self.read(|view| self.batch(view, id, from))?;
            self.world.rest(2000).await;
            match batch {
                Some(batch) => match self.deliver(id, batch, judged).await? {
                    Next::Again => {}
                    Next::After(last) => from = from.map(|_| last + 1),
                    Next::Gap(expected) => {
                        gaps += 1;
                        from = Some(expected);
                    }
                    Next::Held => return Ok(()),
                },
                None if side == Side::Owner && self.disclose(id).await? => from = None,
                None => return Ok(()),
            }
            if gaps > GAPS {
                self.hold(id, Refusal::Malformed);
                return Ok(());
            }
        }
    }

    fn batch(
        &self,
        view: &View<'_>,
        id: ShareId,
        from: Option<u64>,
    ) -> Result<(Side, Option<Batch>), Error> {
        let header = actions::decide::share(view, id)?.header;
        let side = header.side(self.me.id).unwrap_or(Side::Owner);
        let next = from.unwrap_or_else(|| header.log(side).countersigned + 1);
        let told = side == Side::Partner || header.tells(next);
        if !told && !planted(Bug::SentAfterRevocation) {
            return Ok((side, None));
        }
        let batch = history::batch(view, &self.me.journal, id, side, next)?;
        Ok((side, batch))
    }

    /// Shares that were held back before they were revoked: a revocation waits for nothing that was refused before it.
    fn revoked(&self) -> Result<Vec<ShareId>, Stop> {
        let held = self.held.keys().filter(|share| !self.told.contains(share));
        self.read(|view| {
            let mut revoked = Vec::new();
            for id in held {
                let share = actions::decide::share(view, *id)?;
                let waits = |revocation: entity::Revocation| revocation.countersigned.is_none();
                if share.header.owner == self.me.id && share.revocation.is_some_and(waits) {
                    revoked.push(*id);
                }
            }
            Ok(revoked)
        })
    }

    async fn disclose(&self, id: ShareId) -> Result<bool, Stop> {
        let disclosed = self
            .me
            .decide(self.world, None, Way::Timer, move |context| {
                exchange::disclose(context, id)
            });
        Ok(disclosed.await?)
    }

    async fn deliver(&mut self, id: ShareId, batch: Batch, judged: u64) -> Result<Next, Stop> {
        let (head, last) = (&batch.head.head, batch.head.head.point.count);
        let behind = head.side == Side::Owner && batch.entries.iter().all(|entry| entry.number > 1);
        let message = batch::write(&batch).map_err(|_| broken("a batch can't be written"))?;
        let request = v1::DeliverRequest {
            batch: Some(message),
            lease: self.lease(&batch)?,
        };
        self.world.rest(2000).await;
        if self.me.judged() != judged && !planted(Bug::EntriesNotJudged) {
            return Ok(Next::Again);
        }
        super::tap::delivered(
            self.world,
            self.me,
            self.partner,
            &batch,
            request.lease.is_some(),
        );
        let reply: v1::DeliverReply =
            call(self.world, self.me, self.partner, Method::Deliver, &request).await?;
        match reply.outcome {
            Some(Outcome::Receipt(message)) => match self.countersigned(batch, &message).await? {
                true => Ok(Next::After(last)),
                false => Ok(Next::Held),
            },
            Some(Outcome::Refusal(message)) => {
                let refused = refusal::read(message).unwrap_or(Refusal::Malformed);
                if node::lost(refused) && self.close(id).await? {
                    return Ok(Next::Held);
                }
                match refused {
                    Refusal::Gap { expected } if expected < last => Ok(Next::Gap(expected)),
                    // It may have lost the offer, as a machine that was set back: it is told once more.
                    Refusal::NotShared if behind => Ok(Next::Gap(1)),
                    refused => {
                        self.hold(id, refused);
                        Ok(Next::Held)
                    }
                }
            }
            None => {
                self.hold(id, Refusal::Malformed);
                Ok(Next::Held)
            }
        }
    }

    async fn close(&self, id: ShareId) -> Result<bool, Stop> {
        let closed = self
            .me
            .decide(self.world, None, Way::Partner, move |context| {
                exchange::close(context, id)
            });
        Ok(closed.await?)
    }

    fn lease(&self, batch: &Batch) -> Result<Option<v1::Lease>, Stop> {
        if batch.head.head.side != Side::Owner {
            return Ok(None);
        }
        let share = batch.share;
        self.read(|view| {
            let header = actions::decide::share(view, share)?.header;
            if !matches!(header.kind, Kind::Advanced(_)) || header.revoked {
                return Ok(None);
            }
            let lent = lease::lend(lender(self.me), view, share)?;
            let lost = || Error::new(ErrorKind::Unavailable, "the key of this share was lost");
            lent.map(Some).ok_or_else(lost)
        })
    }

    /// Delivers a revocation that the partner has not countersigned. False where it did not take it.
    async fn revoke(&mut self, id: ShareId) -> Result<bool, Stop> {
        let me = self.me;
        let waiting = self.read(|view| {
            let share = actions::decide::share(view, id)?;
            let revocation = share.revocation.filter(|revocation| {
                share.header.owner == me.id && revocation.countersigned.is_none()
            });
            let read = |revocation: entity::Revocation| {
                history::revocation(view, &me.journal, revocation.record)
            };
            revocation.map(read).transpose()
        })?;
        let Some(revocation) = waiting.filter(|_| !planted(Bug::RevocationNotSent)) else {
            return Ok(true);
        };
        me.unlend(id);
        let message = v1::SignedRevocation::decode(revocation.bytes.as_slice());
        let request = v1::RevokeRequest {
            revocation: Some(message.map_err(|_| broken("a revocation can't be read back"))?),
        };
        self.told.insert(id);
        let reply: v1::RevokeReply =
            call(self.world, me, self.partner, Method::Revoke, &request).await?;
        let receipt = reply.receipt.unwrap_or_default();
        let Ok(receipt) = Countersignature::read(&receipt.encode_to_vec()) else {
            self.hold(id, Refusal::Malformed);
            return Ok(false);
        };
        if revocation.verify_receipt(&receipt, &me.pinned()).is_err() {
            self.hold(id, Refusal::Signature);
            return Ok(false);
        }
        let decided = me.decide(self.world, None, Way::Partner, move |context| {
            exchange::revocation_countersigned(context, id, &receipt)
        });
        decided.await?;
        // What it could not give back of a share that went on, it may give now.
        self.recover = self.recover.map(|_| self.world.now());
        Ok(true)
    }

    /// Judges and records a receipt; false where it does not hold.
    async fn countersigned(
        &mut self,
        batch: Batch,
        message: &v1::Countersignature,
    ) -> Result<bool, Stop> {
        let share = batch.share;
        let Ok(countersignature) = Countersignature::read(&message.encode_to_vec()) else {
            self.hold(share, Refusal::Malformed);
            return Ok(false);
        };
        let receipt = Receipt {
            head: batch.head,
            countersignature,
        };
        if receipt.verify_countersignature(&self.me.pinned()).is_err() {
            self.hold(share, Refusal::Signature);
            return Ok(false);
        }
        let decided = self
            .me
            .decide(self.world, None, Way::Partner, move |context| {
                exchange::countersigned(context, &receipt)
            });
        decided.await?;
        Ok(true)
    }

    /// Leaves a share alone for a while.
    fn hold(&mut self, id: ShareId, refused: Refusal) {
        let name = self.world.sites[self.me.site].name;
        self.world
            .note(format_args!("{name} was refused {id}: {}", refused.name()));
        super::tap::refused(self.world, self.me, self.partner, refused);
        let pause = match refused.consequence() {
            Consequence::Continue | Consequence::Retry => SOON,
            Consequence::Wait => LATER,
        };
        self.held.insert(id, self.world.now() + pause);
    }

    fn tell(&self, stop: &Stop) {
        let name = self.world.sites[self.me.site].name;
        match stop {
            Stop::Link => {}
            Stop::Refused(refused) => self
                .world
                .note(format_args!("{name} was refused: {}", refused.name())),
            Stop::Own(error) => self.world.note(format_args!("{name} can't: {error}")),
        }
    }
}

/// Half to one and a half times as long.
pub(super) fn jittered(world: &World, pause: Micros) -> Micros {
    pause / 2 + world.below(pause)
}

pub(super) const PAUSE: Micros = 10 * SECOND;
pub(super) const LATER: Micros = 120 * SECOND;
const SOON: Micros = 10 * SECOND;
const GAPS: u32 = 2;
