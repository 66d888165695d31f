//! Serving what partners' calls ask for: taking their logs, and giving the bytes that their shares cover.
//!
//! Who calls comes from the certificate. Trust and rights are judged at every call, and again before
//! every message once something changed.

use std::sync::Arc;

use bytes::BytesMut;
use interdocket_proto::v1;
use interdocket_proto::v1::delivery_server::Delivery;
use interdocket_proto::v1::transfer_server::Transfer;
use interdocket_sync::blob::Digest;
use interdocket_sync::id::ShareId;
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::limits;
use interdocket_sync::log::Side;
use interdocket_sync::refusal::Refusal;
use interdocket_sync::share::Facts;
use interdocket_sync::share::revocation::SignedRevocation;
use interdocket_sync::share::terms::FORMAT;
use interdocket_sync::wire::{batch, refusal};
use prost::Message as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Response, Status};

use super::Peer;
use super::outlet::{End, Outlet};
use super::{features, history, lease, recover};
use crate::actions::decide::broken;
use crate::actions::partner::Kind;
use crate::actions::{self, Error, ErrorKind, Way, feature};
use crate::blobs::{self, Encoder, Placed, Ranges};
use crate::event::Refused;
use crate::metrics::{self, Outcome};
use crate::node::{Node, timely};
use crate::rules;
use crate::store::entity::{self, BlobState};
use crate::store::project::ShareFacts;
use crate::store::table;
use crate::store::view::View;
#[cfg(test)]
use crate::tests::simulation::bug::{Bug, planted};
use crate::threads;

/// Serves partners' calls.
#[derive(Clone)]
pub struct Exchange {
    node: Node,
    reads: Arc<std::sync::Mutex<std::collections::BTreeMap<OrganisationId, Arc<Semaphore>>>>,
}

impl Exchange {
    /// Serves on behalf of a node.
    pub fn new(node: Node) -> Self {
        Self {
            node,
            reads: Arc::default(),
        }
    }

    /// Leaves nothing of what a partner may have kept here.
    #[cfg(test)]
    pub(super) fn spend(&self, partner: OrganisationId) {
        let now = self.node.parts().clock.elapsed();
        self.node
            .parts()
            .moment
            .allowances
            .charge(partner, now, usize::MAX);
    }

    /// The calling partner, if it is trusted now.
    pub(super) async fn caller<T>(&self, request: &Request<T>) -> Result<OrganisationId, Status> {
        let peer = request.extensions().get::<Peer>().copied();
        let caller = peer
            .ok_or_else(|| Status::new(Code::Unauthenticated, ""))?
            .organisation;
        let trusted = self
            .node
            .read(move |view| trusted(view, caller))
            .await
            .map_err(unavailable)?;
        if trusted {
            self.node.heard(caller);
            return Ok(caller);
        }
        Err(self.refuse(caller, "call", None, Refusal::Suspended).await)
    }

    /// The calling partner, if it is trusted now and so is this node's clock: for what is signed, served or
    /// ends by time.
    pub(super) async fn caller_in_time<T>(
        &self,
        request: &Request<T>,
    ) -> Result<OrganisationId, Status> {
        let caller = self.caller(request).await?;
        self.node.read(timely).await.map_err(unavailable)?;
        Ok(caller)
    }

    /// Counts and records a refusal, and makes it what the partner is told.
    pub(super) async fn refuse(
        &self,
        partner: OrganisationId,
        action: &str,
        share: Option<ShareId>,
        refused: Refusal,
    ) -> Status {
        self.note(partner, action, share, refused).await;
        status(refused)
    }

    pub(super) async fn note(
        &self,
        partner: OrganisationId,
        action: &str,
        share: Option<ShareId>,
        refusal: Refusal,
    ) {
        let kind = metrics::Refusal {
            kind: refusal.name(),
        };
        self.node
            .parts()
            .metrics
            .refusals
            .get_or_create(&kind)
            .inc();
        let refused = Refused {
            partner: Some(partner),
            action: action.to_owned(),
            share,
            link: None,
            reason: refusal.name().to_owned(),
            count: 1,
        };
        self.node.refused(refused).await;
    }

    async fn take(
        &self,
        caller: OrganisationId,
        message: v1::DeliverRequest,
    ) -> Result<actions::exchange::Taken, Status> {
        let bytes = message.encoded_len();
        let Some(Ok(batch)) = message.batch.map(batch::read) else {
            return Ok(Err(Refusal::Malformed));
        };
        let asked = self.node.parts().clock.elapsed();
        if !self.node.parts().moment.allowances.open(caller, asked) {
            return Ok(Err(Refusal::Busy));
        }
        let lease = message.lease.and_then(lease::read);
        let lease = lease.filter(|lease| lease.share == batch.share);
        let node = self.node.clone();
        let taken = self.node.blocking(move || {
            let verified = actions::exchange::verify(&batch, caller, &node.parts().pins);
            Ok(verified.map(|()| batch))
        });
        let batch = match taken.await.map_err(unavailable)? {
            Ok(batch) => batch,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let share = batch.share;
        let node = self.node.clone();
        let seal = lease.as_ref().map(lease::Lease::seal);
        let decided = self.node.decide(None, Way::Partner, move |context| {
            let journal = &node.parts().journal;
            let hashes = history::Hashes::new(context.view, journal, share);
            let known = |side: Side, number: u64| hashes.hash(side, number);
            actions::exchange::take(context, caller, batch, &known, seal.as_ref())
        });
        let taken = decided.await.map_err(unavailable)?;
        if taken.is_ok() {
            self.node
                .parts()
                .moment
                .allowances
                .charge(caller, asked, bytes);
        }
        match (&taken, lease) {
            (Ok(_), Some(lease)) => lease.keep(&self.node, caller, asked).await,
            _ => lease::review(&self.node, share).await,
        }
        .map_err(unavailable)?;
        Ok(taken)
    }
}

#[tonic::async_trait]
impl Delivery for Exchange {
    async fn connect(
        &self,
        request: Request<v1::ConnectRequest>,
    ) -> Result<Response<v1::ConnectReply>, Status> {
        let caller = self.caller(&request).await?;
        let hello = request.get_ref();
        self.node
            .met(caller, &hello.version, hello.incarnation, hello.at);
        if !hello.formats.contains(&FORMAT) {
            return Err(self.refuse(caller, "connect", None, Refusal::Format).await);
        }
        features::hear(&self.node, caller, &hello.features)
            .await
            .map_err(unavailable)?;
        self.node.greeted(caller);
        let node = self.node.clone();
        let read = self.node.read(move |view| {
            let journal = &node.parts().journal;
            let witnesses = recover::witnesses(view, journal, caller)?;
            Ok((incarnation(view)?, feature::of(view)?, witnesses))
        });
        let (us, on, witnesses) = read.await.map_err(unavailable)?;
        Ok(Response::new(v1::ConnectReply {
            formats: vec![FORMAT],
            incarnation: us,
            at: self.node.parts().clock.now().timestamp_micros(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            features: features::told(&on),
            ..witnesses
        }))
    }

    async fn deliver(
        &self,
        request: Request<v1::DeliverRequest>,
    ) -> Result<Response<v1::DeliverReply>, Status> {
        let caller = self.caller_in_time(&request).await?;
        let message = request.into_inner();
        let share = message
            .batch
            .as_ref()
            .and_then(|batch| ShareId::from_slice(&batch.share).ok());
        use v1::deliver_reply::Outcome;
        let outcome = match self.take(caller, message).await? {
            Ok(countersignature) => {
                let message = v1::Countersignature::decode(countersignature.bytes.as_slice());
                Outcome::Receipt(message.map_err(|_| Status::new(Code::Internal, ""))?)
            }
            Err(refused) => {
                self.note(caller, "deliver", share, refused).await;
                Outcome::Refusal(refusal::write(refused))
            }
        };
        Ok(Response::new(v1::DeliverReply {
            outcome: Some(outcome),
        }))
    }

    async fn revoke(
        &self,
        request: Request<v1::RevokeRequest>,
    ) -> Result<Response<v1::RevokeReply>, Status> {
        let caller = self.caller(&request).await?;
        let us = self.node.parts().keys.organisation();
        let message = request.into_inner();
        let bytes = message.encoded_len();
        let message = message.revocation;
        let read = message.map(|message| SignedRevocation::read(&message.encode_to_vec()));
        let Some(Ok(revocation)) = read else {
            return Err(self
                .refuse(caller, "revoke", None, Refusal::Malformed)
                .await);
        };
        let said = &revocation.revocation;
        let share = said.share;
        if (said.owner, said.partner) != (caller, us) {
            let refused = Refusal::NotShared;
            return Err(self.refuse(caller, "revoke", Some(share), refused).await);
        }
        // What is known here is revoked whatever else its owner sent; of what is not, there may be any number.
        let known = self
            .node
            .read(move |view| Ok(view.has(&table::SHARE, &share)?));
        if !known.await.map_err(unavailable)? {
            let now = self.node.parts().clock.elapsed();
            if !self.node.parts().moment.allowances.open(caller, now) {
                let refused = Refusal::Busy;
                return Err(self.refuse(caller, "revoke", Some(share), refused).await);
            }
            self.node
                .parts()
                .moment
                .allowances
                .charge(caller, now, bytes);
        }
        let node = self.node.clone();
        let judged = self
            .node
            .blocking(move || Ok(revocation.verify(&node.parts().pins).map(|()| revocation)));
        let Ok(revocation) = judged.await.map_err(unavailable)? else {
            let refused = Refusal::Signature;
            return Err(self.refuse(caller, "revoke", Some(share), refused).await);
        };
        let taken = self.node.decide(None, Way::Partner, move |context| {
            actions::exchange::receive(context, &revocation)
        });
        let countersignature = taken.await.map_err(unavailable)?;
        lease::review(&self.node, share)
            .await
            .map_err(unavailable)?;
        let message = v1::Countersignature::decode(countersignature.bytes.as_slice());
        let receipt = message.map_err(|_| Status::new(Code::Internal, ""))?;
        Ok(Response::new(v1::RevokeReply {
            receipt: Some(receipt),
        }))
    }

    async fn list_shares(
        &self,
        request: Request<v1::ListSharesRequest>,
    ) -> Result<Response<v1::ListSharesReply>, Status> {
        let caller = self.caller(&request).await?;
        let after = request.into_inner().after;
        let after = match after.is_empty() {
            true => None,
            false => match ShareId::from_slice(&after) {
                Ok(share) => Some(share),
                Err(_) => {
                    let refused = Refusal::Malformed;
                    return Err(self.refuse(caller, "list shares", None, refused).await);
                }
            },
        };
        let listed = self
            .node
            .read(move |view| recover::list(view, caller, after));
        Ok(Response::new(listed.await.map_err(unavailable)?))
    }

    async fn recover(
        &self,
        request: Request<v1::RecoverRequest>,
    ) -> Result<Response<v1::RecoverReply>, Status> {
        let caller = self.caller_in_time(&request).await?;
        let message = request.into_inner();
        let share = ShareId::from_slice(&message.share).ok();
        let node = self.node.clone();
        let given = self
            .node
            .read(move |view| recover::give(&recover::Own::of(&node), view, caller, message));
        match given.await.map_err(unavailable)? {
            Ok(reply) => Ok(Response::new(reply)),
            Err(refused) => Err(self.refuse(caller, "recover", share, refused).await),
        }
    }
}

#[tonic::async_trait]
impl Transfer for Exchange {
    type ReadStream = ReceiverStream<Result<v1::ReadReply, Status>>;

    async fn read(
        &self,
        request: Request<v1::ReadRequest>,
    ) -> Result<Response<Self::ReadStream>, Status> {
        let caller = self.caller_in_time(&request).await?;
        let message = request.into_inner();
        let Ok(share) = ShareId::from_slice(&message.share) else {
            return Err(self.refuse(caller, "read", None, Refusal::Malformed).await);
        };
        if message.files.len() > limits::READ_FILES_MAX {
            return Err(self
                .refuse(caller, "read", Some(share), Refusal::Limit)
                .await);
        }
        let judged = self.node.judged();
        let served = self
            .node
            .read(move |view| serves(view, caller, share))
            .await;
        if !served.map_err(unavailable)? {
            return Err(self
                .refuse(caller, "read", Some(share), Refusal::NotShared)
                .await);
        }
        let permit = self.permit(caller).await?;
        let (out, stream) = mpsc::channel(MESSAGES);
        let outlet = Outlet {
            node: self.node.clone(),
            caller,
            share,
            judged,
            out,
        };
        let reading = Reading {
            exchange: self.clone(),
            outlet,
            permit,
        };
        threads::spawn(move || reading.run(&message.files));
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

impl Exchange {
    /// Waits until the partner has fewer reads open than the limit.
    pub(super) async fn permit(
        &self,
        caller: OrganisationId,
    ) -> Result<OwnedSemaphorePermit, Status> {
        let semaphore = {
            let mut reads = self
                .reads
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            let new = || Arc::new(Semaphore::new(limits::READS_MAX));
            Arc::clone(reads.entry(caller).or_insert_with(new))
        };
        semaphore
            .acquire_owned()
            .await
            .map_err(|_| status(Refusal::Busy))
    }
}

/// One call that reads: the files it asked for, one after the other.
struct Reading {
    exchange: Exchange,
    outlet: Outlet<v1::ReadReply>,
    permit: OwnedSemaphorePermit,
}

impl Reading {
    fn run(mut self, files: &[v1::FileRange]) {
        let mut pieces = Pieces::default();
        for (place, range) in (0..).zip(files) {
            let sent = match self.open(range) {
                Ok(encoder) => self.stream(place, encoder, &mut pieces),
                Err(refused) => {
                    self.count(Outcome::Refused);
                    self.note(refused);
                    pieces.refuse(place, refused);
                    Ok(())
                }
            };
            if let Err(ended) = sent {
                self.count(Outcome::Failed);
                return self.stop(ended);
            }
        }
        if let Err(ended) = self.send(pieces.take()) {
            self.stop(ended);
        }
        drop(self.permit);
    }

    /// The verified stream of a file that the share covers. Unknown digests, and those of other shares,
    /// look the same.
    fn open(&self, range: &v1::FileRange) -> Result<Encoder, Refusal> {
        let digest = <[u8; 32]>::try_from(range.digest.as_ref()).map_err(|_| Refusal::Malformed)?;
        let placed = {
            let reading = self.outlet.node.parts().store.read();
            placed(&reading.view(), self.outlet.share, Digest(digest))?
        };
        if range.from > placed.size || !range.from.is_multiple_of(interdocket_sync::blob::GROUP) {
            return Err(Refusal::Malformed);
        }
        if range.doubted {
            let verified = self.outlet.node.parts().blobs.verify(&placed);
            verified.map_err(|error| self.damaged(&placed, &error))?;
        }
        let ranges = match range.from {
            0 => Ranges::all(placed.size),
            from => Ranges::after(placed.size, from),
        };
        self.outlet
            .node
            .parts()
            .blobs
            .encode(&placed, ranges)
            .map_err(|error| self.damaged(&placed, &error))
    }

    fn damaged(&self, placed: &Placed, error: &blobs::Error) -> Refusal {
        tracing::error!(digest = %placed.digest, error = error as &dyn std::error::Error, "a blob can't be read");
        self.outlet.node.suspect(placed, error);
        Refusal::Damaged
    }

    fn stream(&mut self, file: u32, mut encoder: Encoder, pieces: &mut Pieces) -> Result<(), End> {
        loop {
            let room = limits::PIECES_MAX - pieces.bytes;
            let filled = pieces.fill(file, &mut encoder, room);
            match filled {
                Ok(more) => {
                    if pieces.bytes >= limits::PIECES_MAX {
                        self.send(pieces.take())?;
                    }
                    if !more {
                        self.count(Outcome::Done);
                        return Ok(());
                    }
                }
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "a blob can't be read"
                    );
                    self.count(Outcome::Failed);
                    pieces.refuse(file, Refusal::Damaged);
                    return Ok(());
                }
            }
        }
    }

    fn stop(&self, ended: End) {
        if ended == End::Refused {
            self.note(Refusal::NotShared);
            self.outlet.refuse(Refusal::NotShared);
        }
    }

    /// Records a refusal before the partner is told.
    fn note(&self, refused: Refusal) {
        let (caller, share) = (self.outlet.caller, Some(self.outlet.share));
        let noted = self.exchange.note(caller, "read", share, refused);
        threads::wait(noted);
    }

    fn count(&self, outcome: Outcome) {
        let transfer = metrics::Transfer {
            direction: metrics::Direction::Out,
            outcome,
        };
        let transfers = &self.outlet.node.parts().metrics.transfers;
        transfers.get_or_create(&transfer).inc();
    }

    /// Hands a message to the transport, unless what was allowed is not allowed any more.
    fn send(&mut self, message: v1::ReadReply) -> Result<(), End> {
        if message.pieces.is_empty() {
            return Ok(());
        }
        let bytes = message.pieces.iter().map(|piece| piece.data.len()).sum();
        let (caller, share) = (self.outlet.caller, self.outlet.share);
        let allowed = |view: &View<'_>| serves(view, caller, share);
        self.outlet.send(message, bytes, allowed)
    }
}

#[derive(Default)]
struct Pieces {
    message: v1::ReadReply,
    buffer: BytesMut,
    bytes: usize,
}

impl Pieces {
    /// Adds what is next of a file; the pieces of one message share one piece of memory, however
    /// many small files are in it. Says whether more is to come.
    fn fill(
        &mut self,
        file: u32,
        encoder: &mut Encoder,
        room: usize,
    ) -> Result<bool, blobs::Error> {
        if self.bytes == 0 {
            self.buffer.reserve(limits::PIECES_MAX);
        }
        let filled = encoder.fill(&mut self.buffer, room);
        let data = self.buffer.split().freeze();
        self.bytes += data.len();
        self.message.pieces.push(v1::Piece {
            file,
            data,
            refusal: None,
        });
        filled
    }

    fn refuse(&mut self, file: u32, refused: Refusal) {
        let refusal = Some(refusal::write(refused));
        self.message.pieces.push(v1::Piece {
            file,
            data: Default::default(),
            refusal,
        });
    }

    fn take(&mut self) -> v1::ReadReply {
        self.bytes = 0;
        std::mem::take(&mut self.message)
    }
}

/// Where the bytes lie that a share lists under this digest.
///
/// # Errors
/// [`Refusal::NotShared`], [`Refusal::Damaged`]; [`Refusal::Busy`] where the tables fail.
pub(crate) fn placed(view: &View<'_>, share: ShareId, digest: Digest) -> Result<Placed, Refusal> {
    let facts = ShareFacts::new(*view, share);
    let listed = facts.blob(digest);
    facts.done().map_err(|_| Refusal::Busy)?;
    let share = view.get(&table::SHARE, &share);
    let share = share.map_err(|_| Refusal::Busy)?;
    let serves = |share: &entity::Share| listed.is_some_and(|blob| share.header.serves(blob));
    if !share.as_ref().is_some_and(serves) {
        return Err(Refusal::NotShared);
    }
    match view.get(&table::BLOB, &digest) {
        #[cfg(test)]
        Ok(Some(blob)) if planted(Bug::DamagedServed) => Ok(Placed {
            digest,
            size: blob.size,
            place: blob.place,
        }),
        Ok(Some(blob)) if blob.state == BlobState::Damaged => Err(Refusal::Damaged),
        Ok(Some(blob)) => Ok(Placed {
            digest,
            size: blob.size,
            place: blob.place,
        }),
        Ok(None) => Err(Refusal::Damaged),
        Err(_) => Err(Refusal::Busy),
    }
}

pub(crate) fn trusted(view: &View<'_>, caller: OrganisationId) -> Result<bool, Error> {
    let partner = view.get(&table::PARTNER, &caller)?;
    Ok(partner.as_ref().is_some_and(rules::trusts))
}

/// Whether this partner may read what this share lists, now.
pub(crate) fn serves(
    view: &View<'_>,
    caller: OrganisationId,
    share: ShareId,
) -> Result<bool, Error> {
    let Some(found) = view.get(&table::SHARE, &share)? else {
        return Ok(false);
    };
    let node = view
        .get(&table::NODE, &())?
        .ok_or_else(|| broken("the node's record is missing"))?;
    let kind = Kind::of(found.header.kind);
    let partner = view.get(&table::PARTNER, &caller)?;
    let against = partner.is_none_or(|partner| rules::sending(node.role, &partner, kind).is_some());
    #[cfg(test)]
    let against = against && !planted(Bug::DisabledServed);
    if against {
        return Ok(false);
    }
    let mut lost = view.has(&table::LOST, &share.uuid())?;
    if let Some(case) = found.case {
        lost |= view.has(&table::LOST, &case.uuid())?;
    }
    let header = &found.header;
    #[cfg(test)]
    if planted(Bug::SuspendedServed) && header.suspended {
        return Ok(true);
    }
    let parties = (header.owner, header.partner) == (node.organisation, caller);
    #[cfg(test)]
    if planted(Bug::ServedWhateverState) {
        return Ok(parties);
    }
    Ok(!lost && parties && header.lives() && rules::timely(&node))
}

pub(crate) fn incarnation(view: &View<'_>) -> Result<u64, Error> {
    let node = view
        .get(&table::NODE, &())?
        .ok_or_else(|| broken("the node's record is missing"))?;
    Ok(node.incarnation)
}

/// A refusal of a whole call.
pub(super) fn status(refused: Refusal) -> Status {
    let details = refusal::write(refused).encode_to_vec();
    Status::with_details(Code::FailedPrecondition, "", details.into())
}

/// What this node can't do now is told without its reason.
pub(super) fn unavailable(error: Error) -> Status {
    if error.kind != ErrorKind::Unavailable {
        tracing::error!(%error, "a partner's call failed");
    }
    status(Refusal::Busy)
}

/// Messages made ahead of the transport: with the transport's own windows, what may leave after a
/// change of heart.
pub(super) const MESSAGES: usize = 4;
