//! Whether partners' nodes know whom something is addressed to, and what they are told of people here.
//!
//! Invariant: only who is asked for by all of a name, address or number is told, to partners whose shares are
//! taken here, so many times an hour; each time is on record.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use interdocket_proto::v1;
use interdocket_proto::v1::people_client::PeopleClient;
use interdocket_proto::v1::people_server;
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::limits;
use interdocket_sync::refusal::Refusal;
use tonic::{Request, Response, Status};

use super::exchange::{Exchange, unavailable};
use crate::actions::decide::Decided;
use crate::actions::{Error, Way, people};
use crate::event::{Event, RecipientsAsked};
use crate::node::Node;
use crate::rules;
use crate::store::table;

/// Tells partners whom this node knows.
#[derive(Clone)]
pub struct People {
    node: Node,
    exchange: Exchange,
    asked: Arc<Mutex<BTreeMap<OrganisationId, Asked>>>,
}

/// What a partner asked in the last hour.
#[derive(Debug, Clone, Copy, Default)]
struct Asked {
    /// When the hour began, on the clock that does not jump.
    since: Duration,
    calls: u32,
    unknown: u32,
}

impl Asked {
    /// Counts a call that asks for so many; whether it may still be answered. All of them count as unknown until it
    /// is told who is known: calls that come at once would all be answered else.
    fn call(&mut self, now: Duration, names: u32) -> bool {
        if now.saturating_sub(self.since) >= HOUR {
            *self = Self {
                since: now,
                ..Self::default()
            };
        }
        self.calls = self.calls.saturating_add(1);
        let answered = self.calls <= CALLS_MAX && self.unknown < UNKNOWN_MAX;
        if answered {
            self.unknown = self.unknown.saturating_add(names);
        }
        answered
    }

    /// So many of whom a call asked for were no guesses.
    const fn known(&mut self, names: u32) {
        self.unknown = self.unknown.saturating_sub(names);
    }
}

impl People {
    /// Serves on behalf of a node.
    pub fn new(node: Node, exchange: Exchange) -> Self {
        let asked = Arc::default();
        Self {
            node,
            exchange,
            asked,
        }
    }

    fn count<R>(&self, caller: OrganisationId, count: impl FnOnce(&mut Asked) -> R) -> R {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        count(asked.entry(caller).or_default())
    }

    /// The name of each, empty where nobody is called so, once it is on record that it was asked for.
    async fn resolve(
        &self,
        caller: OrganisationId,
        recipients: Vec<String>,
    ) -> Result<Result<Vec<String>, Refusal>, Error> {
        let all = number(recipients.len());
        let taken = self.node.read(move |view| {
            let partner = view.get(&table::PARTNER, &caller)?;
            if !partner.is_some_and(|partner| rules::tells(&partner)) {
                return Ok(None);
            }
            let name = |text: &String| Ok(people::name(view, text)?.unwrap_or_default());
            let names: Result<Vec<String>, Error> = recipients.iter().map(name).collect();
            names.map(Some)
        });
        let Some(names) = taken.await? else {
            self.count(caller, |asked| asked.known(all));
            return Ok(Err(Refusal::NotEnabled));
        };
        let known: Vec<String> = names.iter().filter(|it| !it.is_empty()).cloned().collect();
        let unknown = number(names.len() - known.len());
        self.count(caller, |asked| asked.known(all - unknown));
        let asked = RecipientsAsked {
            partner: caller,
            known,
            unknown,
        };
        let recorded = self.node.decide(None, Way::Partner, move |_| {
            Ok(Decided::new(
                vec![Event::RecipientsAsked(asked)],
                |_| Ok(()),
            ))
        });
        recorded.await?;
        Ok(Ok(names))
    }
}

#[tonic::async_trait]
impl people_server::People for People {
    async fn resolve(
        &self,
        request: Request<v1::ResolveRequest>,
    ) -> Result<Response<v1::ResolveReply>, Status> {
        let caller = self.exchange.caller(&request).await?;
        let recipients = request.into_inner().recipients;
        let now = self.node.parts().clock.elapsed();
        let long = |text: &String| text.len() > limits::RECIPIENT_MAX;
        let many = recipients.len() > limits::RECIPIENTS_MAX || recipients.iter().any(long);
        let names = number(recipients.len());
        let told = if many || !self.count(caller, |asked| asked.call(now, names)) {
            Err(Refusal::Limit)
        } else {
            Self::resolve(self, caller, recipients)
                .await
                .map_err(unavailable)?
        };
        match told {
            Ok(names) => Ok(Response::new(v1::ResolveReply { names })),
            Err(refused) => Err(self.exchange.refuse(caller, "resolve", None, refused).await),
        }
    }
}

/// How a partner's node calls these people and groups: for each its name, none where it knows nobody who is called
/// so. Nothing where it can't be asked now, or does not tell.
pub async fn resolve(
    node: &Node,
    partner: OrganisationId,
    recipients: Vec<String>,
) -> Option<Vec<Option<String>>> {
    let transport = &node.parts().transport;
    let contacts = transport.registry().contacts();
    if contacts.get(&partner).is_none_or(|links| *links == 0) {
        return None;
    }
    let asked = recipients.len();
    let mut client = PeopleClient::new(transport.channel(partner));
    let call = client.resolve(v1::ResolveRequest { recipients });
    let reply = tokio::time::timeout(SILENT, call).await;
    let names = reply.ok()?.ok()?.into_inner().names;
    let bounded = |name: &String| name.len() <= limits::RECIPIENT_MAX;
    if names.len() != asked || !names.iter().all(bounded) {
        return None;
    }
    let known = |name: String| Some(name).filter(|name| !name.is_empty());
    Some(names.into_iter().map(known).collect())
}

fn number(names: usize) -> u32 {
    u32::try_from(names).unwrap_or(u32::MAX)
}

const HOUR: Duration = Duration::from_secs(3600);
/// Calls of one partner in an hour: each leaves a record.
const CALLS_MAX: u32 = 256;
/// How often in an hour a partner may ask for somebody who is not here: nobody types so many wrong, and trying
/// all numbers of badges takes years.
const UNKNOWN_MAX: u32 = 64;
/// How long a person who shares waits for it.
const SILENT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    /// fault C5
    #[test]
    fn a_partner_that_guesses_is_answered_no_more_until_the_hour_is_over() {
        let mut asked = Asked::default();
        assert!(asked.call(HOUR, UNKNOWN_MAX));
        assert!(!asked.call(HOUR * 2 - Duration::from_secs(1), 1));
        assert!(asked.call(HOUR * 2, 1));
        assert_eq!(asked.unknown, 1);
    }

    /// fault C5
    #[test]
    fn a_partner_that_guesses_in_many_calls_at_once_guesses_no_more_often() {
        let mut asked = Asked::default();
        let answered = (0..CALLS_MAX).filter(|_| asked.call(HOUR, 16)).count();
        assert_eq!(answered, 4);
    }

    #[test]
    fn asking_for_who_is_known_is_no_guess() {
        let mut asked = Asked::default();
        for _ in 0..UNKNOWN_MAX {
            assert!(asked.call(HOUR, 16));
            asked.known(16);
        }
    }

    #[test]
    fn a_partner_that_asks_without_end_is_answered_so_many_times_an_hour() {
        let mut asked = Asked::default();
        let answered = (0..2 * CALLS_MAX).filter(|_| asked.call(HOUR, 0)).count();
        assert_eq!(answered, CALLS_MAX as usize);
    }
}
