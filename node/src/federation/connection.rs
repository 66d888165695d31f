//! What a partner does with a share that lives here.

use interdocket_proto::v1;
use interdocket_proto::v1::connection_server;
use interdocket_sync::id::{ActorId, ShareId};
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::limits;
use interdocket_sync::log::entry::Actor;
use interdocket_sync::refusal::Refusal;
use interdocket_sync::wire::session as wire;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::exchange::{Exchange, unavailable};
use super::lease;
use super::sessions::{self, Outcome};
use crate::actions::{self, Way};
use crate::node::Node;

/// Serves what lives here to partners.
#[derive(Clone)]
pub struct Connection {
    node: Node,
    exchange: Exchange,
}

impl Connection {
    /// Serves on behalf of a node, with the limits of its other calls.
    pub const fn new(node: Node, exchange: Exchange) -> Self {
        Self { node, exchange }
    }

    /// What the partner is told; a refusal is recorded.
    async fn told<T>(
        &self,
        caller: OrganisationId,
        action: &str,
        outcome: Outcome<T>,
    ) -> Result<T, Status> {
        match outcome.map_err(unavailable)? {
            Ok(done) => Ok(done),
            Err((share, refused)) => {
                Err(self.exchange.refuse(caller, action, share, refused).await)
            }
        }
    }
}

#[tonic::async_trait]
impl connection_server::Connection for Connection {
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
        let renewed = self.node.read(move |view| {
            lease::renewed(lease::Lender::of(&node), view, caller, &message.shares)
        });
        Ok(Response::new(renewed.await.map_err(unavailable)?))
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
            actions::exchange::grant(context, caller, share, asked, &message.recipient)
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

    async fn open(
        &self,
        request: Request<v1::OpenRequest>,
    ) -> Result<Response<v1::OpenReply>, Status> {
        let caller = self.exchange.caller_in_time(&request).await?;
        let outcome = match wire::read_open(request.into_inner()) {
            Ok(open) => sessions::open(&self.node, caller, open).await,
            Err(_) => Ok(Err((None, Refusal::Malformed))),
        };
        let id = self.told(caller, "open", outcome).await?;
        let session = id.as_bytes().to_vec().into();
        Ok(Response::new(v1::OpenReply { session }))
    }

    async fn list(
        &self,
        request: Request<v1::ListRequest>,
    ) -> Result<Response<v1::ListReply>, Status> {
        let caller = self.exchange.caller_in_time(&request).await?;
        let outcome = sessions::list(&self.node, caller, request.into_inner()).await;
        let page = self.told(caller, "list", outcome).await?;
        Ok(Response::new(wire::page(&page)))
    }

    async fn view(
        &self,
        request: Request<v1::ViewRequest>,
    ) -> Result<Response<Self::ViewStream>, Status> {
        let caller = self.exchange.caller_in_time(&request).await?;
        let permit = self.exchange.permit(caller);
        let outcome = sessions::view(&self.node, caller, request.into_inner(), permit).await;
        let stream = self.told(caller, "view", outcome).await??;
        Ok(Response::new(stream))
    }

    async fn close(
        &self,
        request: Request<v1::CloseRequest>,
    ) -> Result<Response<v1::CloseReply>, Status> {
        let caller = self.exchange.caller(&request).await?;
        sessions::close(&self.node, caller, request.get_ref()).await;
        Ok(Response::new(v1::CloseReply {}))
    }
}

/// Somebody at the partner, as it says; none where that is nobody.
fn actor(actor: v1::Actor) -> Option<Actor> {
    let actor = Actor {
        id: ActorId::from_slice(&actor.id).ok()?,
        name: actor.name,
        badge: actor.badge,
    };
    actor.check().ok()?;
    Some(actor)
}
