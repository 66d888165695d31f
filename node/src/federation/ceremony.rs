//! Both ends of pairing at this node: its invitations, and those that it accepts.
//!
//! What is decided is recorded before it is answered, so a wrong try counts whatever happens next.

use std::sync::Arc;

use interdocket_proto::v1;
use interdocket_sync::id::InvitationId;
use interdocket_sync::pairing::{
    Address, Candidate, Dead, Invitation, Inviter, LIFETIME, Profile, Refusal, Role, Secret,
};
use sha2::{Digest as _, Sha256};

use super::Limits;
use super::pairing::{self, Ceremony, Unpinned, spell};
use super::tls::Wall;
use crate::actions::decide::{Decided, broken};
use crate::actions::partner::{OrganisationRole, Partner};
use crate::actions::{self, Caller, Error, ErrorKind, Way};
use crate::config::Config;
use crate::event::{Bytes, Event, InvitationMade, PartnerMet};
use crate::node::Node;
use crate::store::{entity, table};

/// Answers those who accept this node's invitations.
pub struct Desk(Node);

impl Desk {
    /// Answers on behalf of a node.
    pub const fn new(node: Node) -> Self {
        Self(node)
    }

    /// Moves an invitation on, and records how far it is.
    async fn step<R: Send + 'static>(
        &self,
        id: &[u8],
        step: impl FnOnce(&Inviter, chrono::DateTime<chrono::Utc>) -> (Inviter, Result<R, Refusal>)
        + Send
        + 'static,
        met: impl FnOnce(&R) -> Option<Event> + Send + 'static,
    ) -> Result<R, Refusal> {
        const UNKNOWN: Refusal = Refusal::Invitation(Dead::Secret);
        let id = InvitationId::from_slice(id).map_err(|_| UNKNOWN)?;
        let decided = self.0.decide(None, Way::Partner, move |context| {
            let Some(inviter) = context.view.get(&table::INVITATION, &id)? else {
                return Ok(Decided::new(Vec::new(), |_| Ok(Err(UNKNOWN))));
            };
            let (next, outcome) = step(&inviter, context.now);
            let mut events = Vec::new();
            if next != inviter {
                events.push(Event::InvitationTried(InvitationMade { id, inviter: next }));
                events.extend(outcome.as_ref().ok().and_then(met));
            }
            Ok(Decided::new(events, |_| Ok(outcome)))
        });
        decided.await.map_err(|_| UNKNOWN)?
    }
}

#[tonic::async_trait]
impl Ceremony for Desk {
    async fn begin(&self, request: v1::BeginRequest) -> Result<v1::BeginResponse, Refusal> {
        let me = profile(&self.0).map_err(|_| Refusal::Malformed)?;
        let nonce = crate::chance::bytes();
        let id = request.invitation.clone();
        let step =
            move |inviter: &Inviter, now| inviter.begin(&request, &me, nonce, &Unpinned, now);
        self.step(&id, step, |_| None).await
    }

    async fn reveal(&self, request: v1::RevealRequest) -> Result<v1::RevealResponse, Refusal> {
        let id = request.invitation.clone();
        let step = move |inviter: &Inviter, now| inviter.reveal(&request, &Unpinned, now);
        let met = |revealed: &interdocket_sync::pairing::Revealed| Some(met(&revealed.candidate));
        Ok(self.step(&id, step, met).await?.response)
    }
}

impl actions::Run for actions::partner::Invite {
    async fn run(self, node: &Node, caller: &Caller) -> Result<Self::Reply, Error> {
        node.permit(caller, &self).await?;
        let parts = node.parts();
        let address = pairing_address(&parts.config)?;
        let organisation = parts.keys.organisation();
        let fingerprint = Sha256::digest(parts.keys.root_der()).into();
        let decide = move |context: &mut actions::decide::Context<'_>| {
            let mut secret = [0; 16];
            (context.chance)(&mut secret);
            let id = context.id();
            let invitation = Invitation {
                id,
                secret: Secret::from_random(secret),
                address,
                organisation,
                fingerprint,
                expires: context.now + LIFETIME,
            };
            let shown = actions::partner::Invitation {
                invitation: invitation.text(),
                expires_at: invitation.expires,
            };
            let inviter = Inviter::new(&invitation);
            let made = InvitationMade {
                id: InvitationId::new(id),
                inviter,
            };
            Ok(Decided::new(vec![Event::InvitationMade(made)], move |_| {
                Ok(shown)
            }))
        };
        node.decide(Some(caller.actor.clone()), caller.way, decide)
            .await
    }
}

impl actions::Run for actions::partner::Accept {
    async fn run(self, node: &Node, caller: &Caller) -> Result<Self::Reply, Error> {
        node.permit(caller, &self).await?;
        let parse = |error: interdocket_sync::pairing::ParseInvitationError| {
            Error::new(ErrorKind::Invalid, error.to_string())
        };
        let invitation: Invitation = self.invitation.trim().parse().map_err(parse)?;
        if invitation.organisation == node.parts().keys.organisation() {
            return Err(
                Error::new(ErrorKind::Invalid, "this invitation was made by this node")
                    .hint("hand it to the other organisation's administrator"),
            );
        }
        let me = profile(node)?;
        let parts = node.parts();
        let limits = Limits {
            private: parts.config.federation.allow_private,
            ..Limits::default()
        };
        let clock = Arc::new(Wall(Arc::clone(&parts.clock)));
        let signer = parts.keys.signer();
        let accepted = pairing::accept(invitation, &me, &signer, clock, &limits).await;
        let candidate = accepted.map_err(|error| failed(&error))?;
        let organisation = candidate.organisation;
        let event = met(&candidate);
        let decide = move |_: &mut actions::decide::Context<'_>| {
            Ok(Decided::new(vec![event], move |view| {
                let partner = view
                    .get(&table::PARTNER, &organisation)?
                    .ok_or_else(|| broken("a partner is missing"))?;
                Partner::of(view, organisation, partner)
            }))
        };
        node.decide(Some(caller.actor.clone()), caller.way, decide)
            .await
    }
}

/// What is recorded of an organisation that was met.
fn met(candidate: &Candidate) -> Event {
    let profile = &candidate.profile;
    Event::PartnerMet(PartnerMet {
        organisation: candidate.organisation,
        name: profile.name.clone(),
        role: match profile.role {
            Role::Investigation => OrganisationRole::Investigation,
            Role::Justice => OrganisationRole::Justice,
        },
        root: Bytes(profile.root.clone()),
        address: profile.address.as_ref().map(ToString::to_string),
        words: spell(candidate.words).map(str::to_owned).to_vec(),
    })
}

/// What this node says about itself.
fn profile(node: &Node) -> Result<Profile, Error> {
    let reading = node.parts().store.read();
    let us: entity::Node = reading
        .view()
        .get(&table::NODE, &())?
        .ok_or_else(|| broken("the node's record is missing"))?;
    Ok(Profile {
        root: node.parts().keys.root_der().to_vec(),
        name: us.name,
        role: match us.role {
            OrganisationRole::Investigation => Role::Investigation,
            OrganisationRole::Justice => Role::Justice,
        },
        address: federation_address(&node.parts().config)?,
    })
}

/// The chain of reasons, as a person who pairs should read it.
fn failed(error: &pairing::Error) -> Error {
    let mut message = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(reason) = source {
        message = format!("{message}: {reason}");
        source = reason.source();
    }
    let error = Error::new(ErrorKind::Unavailable, message);
    error.hint("check that the other node runs and that its pairing port can be reached from here")
}

/// Where partners dial this node; none where they cannot.
fn federation_address(config: &Config) -> Result<Option<Address>, Error> {
    let parse = |text: &String| {
        text.parse().map_err(|_| {
            let message = format!("\"{text}\", which this node advertises, is no address");
            Error::new(ErrorKind::Conflict, message)
                .hint("correct federation.advertise in the configuration: host:port")
        })
    };
    config.federation.advertise.as_ref().map(parse).transpose()
}

/// Where a partner that accepts an invitation goes: the host that is advertised, or the very address
/// on which pairing listens.
fn pairing_address(config: &Config) -> Result<Address, Error> {
    let listen = config.pairing.listen;
    let host = match federation_address(config)? {
        Some(address) => address.host().to_owned(),
        None if !listen.ip().is_unspecified() => listen.ip().to_string(),
        None => {
            let message = "this node advertises no address, so nobody can accept its invitation";
            return Err(Error::new(ErrorKind::Conflict, message).hint(
                "have the partner invite you: interdocket partner accept INVITATION; or set \
                 federation.advertise in the configuration",
            ));
        }
    };
    let host = if host.contains(':') {
        format!("[{host}]")
    } else {
        host
    };
    let text = format!("{host}:{}", listen.port());
    text.parse()
        .map_err(|_| broken("the pairing address can't be written down"))
}
