//! Driving a partner: saying hello, disclosing what waits, and delivering this node's logs, whenever
//! there is contact.
//!
//! One task for each partner. It ends when the partner is not trusted any more. What is delivered is
//! decided in `actions::exchange`; reading what a partner shares is in `fetch`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use interdocket_proto::v1;
use interdocket_proto::v1::deliver_reply::Outcome;
use interdocket_proto::v1::delivery_client::DeliveryClient;
use interdocket_sync::id::ShareId;
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::limits;
use interdocket_sync::log::Side;
use interdocket_sync::receipt::{Countersignature, Receipt};
use interdocket_sync::refusal::{Consequence, Refusal};
use interdocket_sync::share::terms::FORMAT;
use interdocket_sync::share::{Hold, Kind};
use interdocket_sync::wire::batch::{self, Batch};
use interdocket_sync::wire::refusal;
use prost::Message as _;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Request, Status};

use super::{features, history, lease, recover};
use crate::actions::decide::broken;
use crate::actions::{self, Error, ErrorKind, Way};
use crate::metrics;
use crate::node::{Knocks, Node, timely};
use crate::store::{entity, table};

/// Why a pass over what waits for a partner ended early.
#[derive(Debug)]
pub(super) enum Stop {
    /// There is no contact, or the partner is busy: try again soon.
    Link(Status),
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

impl From<Status> for Stop {
    fn from(status: Status) -> Self {
        let read = v1::Refusal::decode(status.details())
            .ok()
            .and_then(refusal::read);
        match read.filter(|_| !status.details().is_empty()) {
            Some(refused) => Self::Refused(refused),
            None => Self::Link(status),
        }
    }
}

/// Drives a partner until told to stop.
pub async fn drive(node: Node, partner: OrganisationId, stop: CancellationToken) {
    let mut door = node.door(partner);
    let mut drive = Drive {
        node,
        partner,
        held: BTreeMap::new(),
        told: BTreeSet::new(),
        recover: None,
        greeted: false,
        knocks: *door.borrow(),
    };
    loop {
        drive.knocked(*door.borrow_and_update());
        // A pass that waits for contact must not keep the node from stopping.
        let passed = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            passed = drive.pass() => passed,
        };
        let pause = match passed {
            Ok(()) => drive.retry(),
            Err(stopped) => {
                drive.greeted = false;
                drive.tell(&stopped);
                Some(PAUSE)
            }
        };
        let mut due = pause.map(|pause| Instant::now() + jittered(pause));
        loop {
            let timer = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                changed = door.changed() => if changed.is_err() { return },
                () = timer => break,
            }
            if drive.knocked(*door.borrow_and_update()) {
                break;
            }
            // A greeting alone starts no pass: two nodes in trouble must not wake each other.
            let eased = drive.retry().map(|pause| Instant::now() + pause);
            due = due.into_iter().chain(eased).min();
        }
    }
}

/// How delivering a share goes on.
enum Next {
    /// Behind this entry.
    After(u64),
    /// From this entry, which the partner misses.
    Gap(u64),
    /// Not now.
    Held,
    /// Something changed: it is read again.
    Again,
}

/// What goes along with a batch.
#[derive(Debug)]
enum Lent {
    /// A lease, where the share has one.
    Now(Option<v1::Lease>),
    /// Nothing: the share was revoked since the batch was read, so it stays unsent.
    Never,
}

struct Drive {
    node: Node,
    partner: OrganisationId,
    /// Shares that the partner refused, and when to try again.
    held: BTreeMap<ShareId, Instant>,
    /// Revocations that the partner was told of and has not countersigned.
    told: BTreeSet<ShareId>,
    /// When to ask again for shares that the partner could not give back.
    recover: Option<Instant>,
    greeted: bool,
    knocks: Knocks,
}

impl Drive {
    fn client(&self) -> DeliveryClient<Channel> {
        let channel = self.node.parts().transport.channel(self.partner);
        DeliveryClient::new(channel)
            .max_decoding_message_size(limits::MESSAGE_MAX)
            .max_encoding_message_size(limits::MESSAGE_MAX)
    }

    /// Takes in why the door was knocked at; true where there may be something to do at once.
    fn knocked(&mut self, knocks: Knocks) -> bool {
        let before = std::mem::replace(&mut self.knocks, knocks);
        if knocks.news != before.news {
            self.greeted = false;
        }
        if (knocks.news, knocks.greetings) != (before.news, before.greetings) {
            let soon = Instant::now() + SOON;
            for until in self.held.values_mut().chain(&mut self.recover) {
                *until = soon.min(*until);
            }
        }
        (knocks.wakes, knocks.news) != (before.wakes, before.news)
    }

    async fn pass(&mut self) -> Result<(), Stop> {
        let partner = self.partner;
        let waiting = self
            .node
            .read(move |view| Ok(view.page(&table::OUTBOX, &partner, None, usize::MAX)?));
        let waiting: Vec<ShareId> = waiting
            .await?
            .into_iter()
            .map(|((_, share), ())| share)
            .collect();
        self.behind().await?;
        self.held.retain(|share, _| waiting.contains(share));
        self.told.retain(|share| waiting.contains(share));
        for share in self.revoked().await? {
            self.held.remove(&share);
        }
        let now = Instant::now();
        let due = |share: &ShareId| self.held.get(share).is_none_or(|until| *until <= now);
        let due: Vec<ShareId> = waiting.into_iter().filter(due).collect();
        // A greeting wakes the other side: two nodes that only hold back must not wake each other.
        if due.is_empty() && self.greeted && !self.recovers().await? {
            return Ok(());
        }
        if !self.greeted {
            self.greet().await?;
        }
        self.recover().await?;
        for share in due {
            self.held.remove(&share);
            match self.share(share).await {
                // What is wrong with one share does not keep the others waiting.
                Err(Stop::Own(error)) => self.rest(share, &error),
                Err(Stop::Refused(Refusal::Busy)) => self.hold(share, Refusal::Busy),
                other => other?,
            }
        }
        self.behind().await?;
        Ok(())
    }

    /// When to look again at what was refused.
    fn retry(&self) -> Option<Duration> {
        let next = self.held.values().chain(&self.recover).min()?;
        Some(next.saturating_duration_since(Instant::now()).max(PAUSE))
    }

    /// Says hello: before anything else, and whenever there is contact again.
    async fn greet(&mut self) -> Result<(), Stop> {
        let parts = self.node.parts();
        let own = self.node.read(|view| Ok(view.get(&table::NODE, &())?));
        let own = own
            .await?
            .ok_or_else(|| broken("the node's own record is missing"))?;
        let hello = v1::ConnectRequest {
            formats: vec![FORMAT],
            incarnation: own.incarnation,
            at: parts.clock.now().timestamp_micros(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            features: features::told(&own.features),
        };
        let mut client = self.client();
        let reply = bounded(client.connect(Request::new(hello)))
            .await?
            .into_inner();
        self.node.heard(self.partner);
        let (version, incarnation) = (&reply.version, reply.incarnation);
        self.node.met(self.partner, version, incarnation, reply.at);
        features::hear(&self.node, self.partner, &reply.features).await?;
        if let Some(shown) = reply.witness {
            recover::witnessed(&self.node, self.partner, shown).await?;
        }
        for shown in reply.revocations.into_iter().take(recover::REVOCATIONS) {
            recover::forgotten(&self.node, self.partner, shown).await?;
        }
        self.greeted = true;
        Ok(())
    }

    /// Whether something is to be taken back from the partner, now.
    async fn recovers(&self) -> Result<bool, Stop> {
        let partner = self.partner;
        let due = self.recover.is_none_or(|until| until <= Instant::now());
        let waits = self.node.read(move |view| {
            let known = view.get(&table::PARTNER, &partner)?;
            let shares = view.page(&table::RECOVER, &partner, None, 1)?;
            Ok(known.is_some_and(|known| known.recover) || !shares.is_empty())
        });
        Ok(due && waits.await?)
    }

    /// Takes back what the partner holds of shares that this node may have lost part of.
    async fn recover(&mut self) -> Result<(), Stop> {
        if !self.recovers().await? {
            return Ok(());
        }
        self.node.read(timely).await?;
        let clean = recover::recover(&self.node, self.partner, &self.client()).await?;
        self.recover = (!clean).then(|| Instant::now() + LATER);
        Ok(())
    }

    /// Shares that were held back before they were revoked: a revocation waits for nothing that was refused before it.
    async fn revoked(&self) -> Result<Vec<ShareId>, Stop> {
        let held = self.held.keys().filter(|share| !self.told.contains(share));
        let held: Vec<ShareId> = held.copied().collect();
        let organisation = self.node.parts().keys.organisation();
        let revoked = self.node.read(move |view| {
            let mut revoked = Vec::new();
            for id in held {
                let share = actions::decide::share(view, id)?;
                let waits = |revocation: entity::Revocation| revocation.countersigned.is_none();
                if share.header.owner == organisation && share.revocation.is_some_and(waits) {
                    revoked.push(id);
                }
            }
            Ok(revoked)
        });
        Ok(revoked.await?)
    }

    /// Discloses and delivers until the partner has everything, or refuses.
    async fn share(&mut self, id: ShareId) -> Result<(), Stop> {
        let organisation = self.node.parts().keys.organisation();
        if !self.revoke(id).await? {
            return Ok(());
        }
        let mut from: Option<u64> = None;
        let mut gaps = 0;
        loop {
            let judged = self.node.judged();
            let waits = self.node.read(move |view| {
                let hold = actions::decide::share(view, id)?.header.hold;
                // What is signed says when: that a share is over is all that does not wait for the clock.
                Ok(hold == Hold::Recovering || timely(view).is_err())
            });
            if waits.await? {
                return Ok(());
            }
            let read = self.node.clone();
            let (side, batch) = self
                .node
                .read(move |view| {
                    let share = actions::decide::share(view, id)?;
                    let side = share.header.side(organisation).unwrap_or(Side::Owner);
                    let next = from.unwrap_or_else(|| share.header.log(side).countersigned + 1);
                    if side == Side::Owner && !share.header.tells(next) {
                        return Ok((side, None));
                    }
                    Ok((
                        side,
                        history::batch(view, &read.parts().journal, id, side, next)?,
                    ))
                })
                .await?;
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

    /// Writes the next entries; false where nothing waits.
    async fn disclose(&self, id: ShareId) -> Result<bool, Stop> {
        self.node.prepare(id).await?;
        let disclosed = self.node.decide(None, Way::Timer, move |context| {
            actions::exchange::disclose(context, id)
        });
        Ok(disclosed.await?)
    }

    /// Delivers one batch, which was read when so much was judged; answers how to go on.
    async fn deliver(&mut self, id: ShareId, batch: Batch, judged: u64) -> Result<Next, Stop> {
        let Lent::Now(lease) = self.lease(&batch).await? else {
            return Ok(Next::Again);
        };
        let (head, last) = (&batch.head.head, batch.head.head.point.count);
        let behind = head.side == Side::Owner && batch.entries.iter().all(|entry| entry.number > 1);
        let message = batch::write(&batch).map_err(|_| broken("a batch can't be written"))?;
        let request = v1::DeliverRequest {
            batch: Some(message),
            lease,
        };
        // It may have been revoked since: then nothing more leaves.
        if self.node.judged() != judged {
            return Ok(Next::Again);
        }
        let mut client = self.client();
        let reply = bounded(client.deliver(Request::new(request)))
            .await?
            .into_inner();
        self.node.heard(self.partner);
        match reply.outcome {
            Some(Outcome::Receipt(message)) => match self.countersigned(batch, &message).await? {
                true => Ok(Next::After(last)),
                false => Ok(Next::Held),
            },
            Some(Outcome::Refusal(message)) => {
                let refused = refusal::read(message).unwrap_or(Refusal::Malformed);
                if lost(refused) && self.close(id).await? {
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

    /// Gives a share up that is proven to be over, where the partner does not take the rest; false where it goes
    /// on.
    async fn close(&self, id: ShareId) -> Result<bool, Stop> {
        let closed = self.node.decide(None, Way::Partner, move |context| {
            actions::exchange::close(context, id)
        });
        Ok(closed.await?)
    }

    /// What seals an owner's entries of an advanced share at the partner.
    async fn lease(&self, batch: &Batch) -> Result<Lent, Stop> {
        if batch.head.head.side != Side::Owner {
            return Ok(Lent::Now(None));
        }
        let first = batch.head.head.point.count + 1 - batch.entries.len() as u64;
        let (share, node) = (batch.share, self.node.clone());
        let lent = self.node.read(move |view| {
            let header = actions::decide::share(view, share)?.header;
            // While it is suspended recipients may change: that is sealed as well, and not readable.
            if !header.tells(first) {
                return Ok(Lent::Never);
            }
            if !matches!(header.kind, Kind::Advanced(_)) || header.revoked {
                return Ok(Lent::Now(None));
            }
            let lent = lease::lend(lease::Lender::of(&node), view, share)?;
            let lost = "the key of this share was lost: revoke it and share anew";
            lent.map(|lease| Lent::Now(Some(lease)))
                .ok_or_else(|| Error::new(ErrorKind::Unavailable, lost))
        });
        Ok(lent.await?)
    }

    /// Delivers a revocation that the partner has not countersigned; it waits for nothing, and stands by
    /// itself. False where the partner did not take it.
    async fn revoke(&mut self, id: ShareId) -> Result<bool, Stop> {
        let organisation = self.node.parts().keys.organisation();
        let read = self.node.clone();
        let waiting = self.node.read(move |view| {
            let share = actions::decide::share(view, id)?;
            let revocation = share.revocation.filter(|revocation| {
                share.header.owner == organisation && revocation.countersigned.is_none()
            });
            let read = |revocation: entity::Revocation| {
                history::revocation(view, &read.parts().journal, revocation.record)
            };
            revocation.map(read).transpose()
        });
        let Some(revocation) = waiting.await? else {
            return Ok(true);
        };
        self.node.unlend(id);
        let message = v1::SignedRevocation::decode(revocation.bytes.as_slice())
            .map_err(|_| broken("a revocation can't be read back"))?;
        let request = v1::RevokeRequest {
            revocation: Some(message),
        };
        self.told.insert(id);
        let mut client = self.client();
        let reply = bounded(client.revoke(Request::new(request))).await?;
        self.node.heard(self.partner);
        let receipt = reply.into_inner().receipt.unwrap_or_default();
        let Ok(receipt) = Countersignature::read(&receipt.encode_to_vec()) else {
            self.hold(id, Refusal::Malformed);
            return Ok(false);
        };
        let node = self.node.clone();
        let judged = self.node.blocking(move || {
            let verified = revocation.verify_receipt(&receipt, &node.parts().pins);
            Ok(verified.map(|()| receipt))
        });
        let Ok(receipt) = judged.await? else {
            self.hold(id, Refusal::Signature);
            return Ok(false);
        };
        let decided = self.node.decide(None, Way::Partner, move |context| {
            actions::exchange::revocation_countersigned(context, id, &receipt)
        });
        decided.await?;
        self.node.taken_by(self.partner, id);
        // What it could not give back of a share that went on, it may give now.
        self.recover = self.recover.map(|_| Instant::now());
        Ok(true)
    }

    /// Judges and records a receipt; false where it does not hold.
    async fn countersigned(
        &mut self,
        batch: Batch,
        message: &v1::Countersignature,
    ) -> Result<bool, Stop> {
        let Ok(countersignature) = Countersignature::read(&message.encode_to_vec()) else {
            self.hold(batch.share, Refusal::Malformed);
            return Ok(false);
        };
        let share = batch.share;
        let receipt = Receipt {
            head: batch.head,
            countersignature,
        };
        let node = self.node.clone();
        let judged = self.node.blocking(move || {
            Ok(receipt
                .verify_countersignature(&node.parts().pins)
                .map(|()| receipt))
        });
        match judged.await? {
            Ok(receipt) => {
                let decided = self.node.decide(None, Way::Partner, move |context| {
                    actions::exchange::countersigned(context, &receipt)
                });
                decided.await?;
                self.node.taken_by(self.partner, share);
                Ok(true)
            }
            Err(error) => {
                tracing::warn!(partner = %self.partner, %error, "a receipt does not hold");
                self.hold(share, Refusal::Signature);
                Ok(false)
            }
        }
    }

    /// Leaves a share alone for a while: a failed item waits minutes, never days.
    fn hold(&mut self, id: ShareId, refused: Refusal) {
        let label = metrics::Refusal {
            kind: refused.name(),
        };
        self.node
            .parts()
            .metrics
            .refusals
            .get_or_create(&label)
            .inc();
        tracing::warn!(partner = %self.partner, share = %id, refusal = refused.name(), "the partner refused a share");
        let pause = match refused.consequence() {
            Consequence::Continue | Consequence::Retry => SOON,
            Consequence::Wait => LATER,
        };
        self.held.insert(id, Instant::now() + pause);
        self.node.refused_by(self.partner, id, refused);
    }

    /// Leaves a share alone that this node can't deliver.
    fn rest(&mut self, id: ShareId, error: &Error) {
        tracing::warn!(partner = %self.partner, share = %id, %error, "a share can't be delivered");
        self.held.insert(id, Instant::now() + LATER);
    }

    fn tell(&self, stopped: &Stop) {
        let partner = self.partner;
        match stopped {
            Stop::Link(status) => tracing::debug!(%partner, code = ?status.code(), "no contact"),
            Stop::Refused(refused) => {
                tracing::info!(%partner, refusal = refused.name(), "the partner refused a call");
            }
            Stop::Own(error) => tracing::warn!(%partner, %error, "delivery has to wait"),
        }
    }

    async fn behind(&self) -> Result<(), Stop> {
        let partner = self.partner;
        let behind = self
            .node
            .read(move |view| actions::partner::behind(view, partner));
        let label = metrics::Partner {
            partner: partner.to_string(),
        };
        let count = behind.await?.0;
        self.node
            .parts()
            .metrics
            .behind
            .get_or_create(&label)
            .set(count.cast_signed());
        Ok(())
    }
}

/// Whether a refusal says that the partner holds nothing, or another history, of what it was sent.
pub(crate) const fn lost(refused: Refusal) -> bool {
    matches!(
        refused,
        Refusal::NotShared | Refusal::State | Refusal::Frozen | Refusal::Fork
    )
}

/// A call that does not wait for ever.
pub(super) async fn bounded<T>(call: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    tokio::time::timeout(CALL, call)
        .await
        .unwrap_or_else(|_| Err(Status::deadline_exceeded("no answer in time")))
}

/// Half to one and a half times as long, so that nodes that lost each other don't knock in step.
pub(super) fn jittered(pause: Duration) -> Duration {
    let [byte] = crate::chance::bytes::<1>();
    pause / 2 + pause * u32::from(byte) / 255
}

#[cfg(test)]
mod tests;

/// How long a call may take, its wait for a connection included.
const CALL: Duration = Duration::from_secs(60);
/// How long to wait without contact; contact ends the wait at once.
const PAUSE: Duration = Duration::from_secs(10);
/// How often in one pass a partner may ask for older entries: an honest one asks once.
const GAPS: u32 = 2;
/// How long a share rests that the partner can't take now.
const SOON: Duration = Duration::from_secs(10);
/// How long a share rests that somebody has to look at.
const LATER: Duration = Duration::from_secs(120);
