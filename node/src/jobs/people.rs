//! What the node does about people by itself: sessions end, who calls is put on record, and who does not is disabled.

use std::time::Duration;

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::actions::decide::{Decided, Effect};
use crate::actions::{Error, Way, user};
use crate::event::{Event, UserDisabled};
use crate::node::Node;
use crate::signin::prove;
use crate::store::table;

/// Looks after people, until told to stop.
pub(crate) async fn people(node: Node, stop: CancellationToken) {
    let (mut due, clock) = (Duration::ZERO, node.parts().clock.clone());
    loop {
        if let Err(error) = sessions(&node).await {
            tracing::warn!(%error, "sessions could not be looked at");
        }
        if clock.elapsed() >= due {
            due = clock.elapsed() + EVERY;
            if let Err(error) = look(&node).await {
                tracing::warn!(%error, "who is idle could not be looked at");
            }
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(TICK) => {}
        }
    }
}

/// Ends sessions that are over, and records that.
pub(crate) async fn sessions(node: &Node) -> Result<(), Error> {
    let of = node.clone();
    let ended = node.read(move |view| {
        let holds = |user: Uuid, password: Option<u64>| {
            let held = view.get(&table::CREDENTIAL, &user).ok().flatten();
            let active = prove::active(view, user).ok().flatten();
            active.is_some() && held.map(|held| held.password) == password
        };
        let parts = of.parts();
        Ok(parts.moment.signins.sweep(parts.clock.elapsed(), holds))
    });
    let ended = ended.await?;
    node.ended(ended).await;
    Ok(())
}

/// Records who called lately, and disables who has not for long.
///
/// # Errors
/// [`Error`] where that can't be recorded; nobody is disabled by a clock that is not to be trusted.
pub(crate) async fn look(node: &Node) -> Result<(), Error> {
    node.read(crate::node::timely).await?;
    let called: Vec<Uuid> = node.parts().moment.signins.seen().into_keys().collect();
    for some in called.chunks(TOGETHER) {
        seen(node, some.to_vec()).await?;
    }
    let mut after: Option<Uuid> = None;
    loop {
        let from = after;
        let page = node.read(move |view| Ok(view.page(&table::USER, &(), from.as_ref(), PAGE)?));
        let page = page.await?;
        let now = node.parts().clock.now();
        for (id, user) in &page {
            if user.disabled_at.is_none() && now - user.seen_at >= IDLE {
                disable(node, *id).await?;
            }
        }
        after = page.last().map(|(id, _)| *id);
        if page.len() < PAGE {
            return Ok(());
        }
    }
}

/// Records that these called, as far as nothing of this day says so.
async fn seen(node: &Node, called: Vec<Uuid>) -> Result<(), Error> {
    node.decide(None, Way::Timer, move |context| {
        let mut events = Vec::new();
        for id in called {
            let user = context.view.get(&table::USER, &id)?;
            if user.is_some_and(|user| context.now - user.seen_at >= DAY) {
                events.push(Event::UserSeen(id));
            }
        }
        Ok(Decided::new(events, |_| Ok(())))
    })
    .await
}

/// Disables somebody who is idle; never the last administrator, as nobody could enable people from afar.
async fn disable(node: &Node, user: Uuid) -> Result<(), Error> {
    node.decide(None, Way::Timer, move |context| {
        crate::node::timely(&context.view)?;
        let found = context.view.get(&table::USER, &user)?;
        let idle = found.is_some_and(|found| {
            found.disabled_at.is_none() && context.now - found.seen_at >= IDLE
        });
        let events = match idle && !user::last(&context.view, user)? {
            true => vec![Event::UserDisabled(UserDisabled { user, idle })],
            false => Vec::new(),
        };
        Ok(Decided::new(events, |_| Ok(())).then(Effect::Recheck))
    })
    .await
}

/// CJIS AC-2(3).
const IDLE: TimeDelta = TimeDelta::days(90);
const DAY: TimeDelta = TimeDelta::days(1);
/// How often it is looked who is idle.
const EVERY: Duration = Duration::from_secs(3600);
/// How often it is looked which sessions are over.
const TICK: Duration = Duration::from_secs(5);
/// Users who are looked at together.
const PAGE: usize = 256;
/// Records that are written together.
const TOGETHER: usize = 64;
