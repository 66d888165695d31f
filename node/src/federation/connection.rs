//! Serving what partners do with shares that live here: leases, imports and read sessions.

use interdocket_proto::v1;
use interdocket_proto::v1::connection_server::Connection as Service;
use interdocket_sync::id::{ActorId, ShareId};
use interdocket_sync::limits;
use interdocket_sync::log::entry::Actor;
use interdocket_sync::refusal::Refusal;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::exchange::{Exchange, serves, status, unavailable};
use super::lease;
use crate::actions::{self, Way};
use crate::node::Node;

/// Serves shares that live.
#[derive(Clone)]
pub(super) struct Connection {
    node: Node,
    exchange: Exchange,
}

impl Connection {
    /// Serves on behalf of a node.
    pub(super) const fn new(node: Node, exchange: Exchange) -> Self {
        Self { node, exchange }
    }
}

#[tonic::async_trait]
impl Service for Connection {
    type ViewStream = ReceiverStream<Result<v1::ViewReply, Status>>;

    async fn renew(
        &self,
        request: Request<v1::RenewRequest>,
    ) -> Result<Response<v1::RenewReply>, Status> {
        let caller = self.exchange.caller_in_time(&request).await?;
        let message = request.into_inner();
        if message.shares.len() > limits::RENEWALS_MAX {
            let refused = Refusal::Limit;
            return Err(self.exchange.refuse(caller, "renew", None, refused).await);
        }
        let node = self.node.clone();
        let lent = self.node.read(move |view| {
            let mut leases = Vec::new();
            for share in &message.shares {
                let Ok(share) = ShareId::from_slice(share) else {
                    continue;
                };
                // What has no lease now is left out: unknown, revoked and suspended look the same.
                if serves(view, caller, share)? && lease::advanced(view, share)? {
                    leases.push(lease::lend(&node, share)?);
                }
            }
            Ok(leases)
        });
        let leases = lent.await.map_err(unavailable)?;
        Ok(Response::new(v1::RenewReply { leases }))
    }

    async fn import(
        &self,
        request: Request<v1::ImportRequest>,
    ) -> Result<Response<v1::ImportReply>, Status> {
        let caller = self.exchange.caller_in_time(&request).await?;
        let message = request.into_inner();
        let share = ShareId::from_slice(&message.share).ok();
        let asked = message.actor.and_then(actor);
        let (Some(share), Some(asked)) = (share, asked) else {
            let refused = Refusal::Malformed;
            return Err(self.exchange.refuse(caller, "import", share, refused).await);
        };
        let granted = self.node.decide(None, Way::Partner, move |context| {
            actions::exchange::grant(context, caller, share, asked)
        });
        match granted.await.map_err(unavailable)? {
            Ok(()) => Ok(Response::new(v1::ImportReply {})),
            Err(refused) => {
                let action = "import";
                Err(self
                    .exchange
                    .refuse(caller, action, Some(share), refused)
                    .await)
            }
        }
    }

    async fn open(&self, _: Request<v1::OpenRequest>) -> Result<Response<v1::OpenReply>, Status> {
        Err(status(Refusal::Busy))
    }

    async fn list(&self, _: Request<v1::ListRequest>) -> Result<Response<v1::ListReply>, Status> {
        Err(status(Refusal::Busy))
    }

    async fn view(
        &self,
        _: Request<v1::ViewRequest>,
    ) -> Result<Response<Self::ViewStream>, Status> {
        Err(status(Refusal::Busy))
    }

    async fn close(
        &self,
        _: Request<v1::CloseRequest>,
    ) -> Result<Response<v1::CloseReply>, Status> {
        Err(status(Refusal::Busy))
    }
}

/// Somebody at the partner, as it says; none where that is nobody.
fn actor(actor: v1::Actor) -> Option<Actor> {
    let actor = Actor {
        id: ActorId::from_slice(&actor.id).ok()?,
        name: actor.name,
    };
    actor.check().ok()?;
    Some(actor)
}
