//! Connections that one side dials for the other to call on.
//!
//! Whoever can dial keeps one up to each partner it can reach and serves on it; whoever was dialled
//! uses the newest for its channel. A newer one replaces the one before, which is closed: a partner
//! dials again only when it has lost the last, and one connection for a channel is enough.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use http::{Method, Request};
use interdocket_sync::identity::OrganisationId;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::service::Routes;
use tonic::transport::Channel;
use tower::ServiceExt as _;

use super::link::Link;
use super::{Transport, dial, server, tls};
use crate::chance;

/// What waits to be used, by partner.
#[derive(Default)]
pub(super) struct Slots(Mutex<BTreeMap<OrganisationId, Arc<Slot>>>);

impl Slots {
    /// The place of one partner.
    pub(super) fn of(&self, partner: OrganisationId) -> Arc<Slot> {
        let mut slots = self
            .0
            .lock()
            .expect("nobody panics while holding the slots");
        Arc::clone(slots.entry(partner).or_default())
    }
}

/// What there is for one partner: its channel, the newest connection that it dialled, and who
/// waits.
#[derive(Default)]
pub(super) struct Slot {
    state: Mutex<State>,
    arrived: Notify,
    nudged: Notify,
    channel: OnceLock<Channel>,
}

#[derive(Default)]
struct State {
    waiting: Option<Link>,
    newest: Option<CancellationToken>,
}

impl Slot {
    /// The partner's channel, made when it is first asked for.
    pub(super) fn channel(&self, make: impl FnOnce() -> Channel) -> Channel {
        self.channel.get_or_init(make).clone()
    }

    /// Notes the connection that the channel uses because none was waiting.
    pub(super) fn dialled(&self, link: &Link) {
        let mut state = self
            .state
            .lock()
            .expect("nobody panics while holding a slot");
        state.newest = Some(link.kill());
    }

    /// Puts a connection in the place of the one before.
    fn offer(&self, link: Link) {
        let kill = link.kill();
        let mut state = self
            .state
            .lock()
            .expect("nobody panics while holding a slot");
        let before = state.newest.replace(kill);
        state.waiting = Some(link);
        drop(state);
        if let Some(before) = before {
            before.cancel();
        }
        self.arrived.notify_one();
        self.nudge();
    }

    /// Waits for a connection that nobody uses yet.
    pub(super) async fn take(&self) -> Link {
        loop {
            let waiting = self
                .state
                .lock()
                .expect("nobody panics while holding a slot")
                .waiting
                .take();
            match waiting {
                Some(link) if !link.kill().is_cancelled() => return link,
                _ => self.arrived.notified().await,
            }
        }
    }

    /// Ends the pause before the next attempt to dial.
    pub(super) fn nudge(&self) {
        self.nudged.notify_waiters();
    }
}

/// Takes a connection that a partner dialled and calls on it at once: only then do both sides see
/// that it works, and each ask the other from time to time.
pub(super) async fn receive(transport: &Transport, link: Link) {
    let (partner, heard, kill) = (link.peer().organisation, link.heard(), link.kill());
    transport.0.slots.of(partner).offer(link);
    // The first call may still go to the connection that was replaced.
    for _ in 0..3 {
        if heard.load(Ordering::Relaxed) || kill.is_cancelled() {
            return;
        }
        let mut nothing = Request::new(Body::empty());
        *nothing.method_mut() = Method::POST;
        let answer = transport.channel(partner).oneshot(nothing);
        let _ = tokio::time::timeout(transport.0.limits.connect, answer).await;
    }
}

/// Dials a partner again and again, and serves it on each connection.
pub(super) async fn keep(
    transport: &Transport,
    partner: OrganisationId,
    routes: Routes,
    stop: CancellationToken,
) {
    let routes = routes.prepare();
    let slot = transport.0.slots.of(partner);
    let mut failures = 0;
    while !stop.is_cancelled() {
        let nudged = slot.nudged.notified();
        let heard = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            dialled = dial::dial(transport, partner, tls::REVERSE) => match dialled {
                Ok(link) => serve(transport, link, &routes, &stop).await,
                Err(error) => {
                    tracing::debug!(%partner, %error, "cannot reach a partner");
                    false
                }
            },
        };
        failures = if heard { 0 } else { failures + 1 };
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            // After a connection that worked a nudge is old: it must not make a loop without pause.
            () = nudged, if !heard => {}
            () = tokio::time::sleep(pause(failures, transport.0.limits.pause)) => {}
        }
    }
}

/// Serves a partner on a link that was dialled; says whether the partner ever said anything.
async fn serve(
    transport: &Transport,
    link: Link,
    routes: &Routes,
    stop: &CancellationToken,
) -> bool {
    let heard = link.heard();
    server::run(transport, link, routes.clone(), stop.clone()).await;
    heard.load(Ordering::Relaxed)
}

/// How long to wait after so many failures: doubling, with jitter, so that partners of a node that
/// comes back do not all call at once.
pub(super) fn pause(failures: u32, longest: Duration) -> Duration {
    let whole = (FIRST * 2_u32.saturating_pow(failures.min(16))).min(longest);
    let random = u16::from_be_bytes(chance::bytes());
    whole / 2 + whole / 2 * u32::from(random) / u32::from(u16::MAX)
}

/// The pause after a connection that worked.
const FIRST: Duration = Duration::from_millis(250);
