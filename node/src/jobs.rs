//! What the node does by itself: comparing SHA-256 of what it received, renewing certificates, and
//! keeping figures; and the check of everything stored, when somebody asks.

pub(crate) mod people;
pub(crate) mod watermark;

use std::time::Duration;

use interdocket_sync::blob::Digest;
use tokio_util::sync::CancellationToken;

use crate::actions::decide::{Decided, Effect};
use crate::actions::node::{Check, Checked, ConfirmClock, Confirmed, Unrecorded};
use crate::actions::partner::State;
use crate::actions::{Caller, Error, Run, Way};
use crate::blobs::Placed;
use crate::clock::Jump;
use crate::event::{BlobCompared, ClockSuspected, Event};
use crate::node::Node;
use crate::store::table;
use crate::{federation, metrics, scrub};

/// Compares SHA-256 of received files, one after the other, until told to stop.
pub async fn compare(node: Node, stop: CancellationToken) {
    let mut after = None;
    loop {
        // What can't be compared now stays listed: the others go on behind it.
        let from = after;
        let next = node
            .read(move |view| Ok(view.page(&table::UNCOMPARED, &(), from.as_ref(), COMPARED)?));
        let page = next.await.unwrap_or_default();
        let whole = page.len() < COMPARED;
        after = page.last().filter(|_| !whole).map(|(digest, ())| *digest);
        let digests = page.into_iter().map(|(digest, ())| digest).collect();
        if let Err(error) = compare_page(&node, digests, stop.clone()).await {
            tracing::warn!(%error, "SHA-256 could not be compared");
        }
        if stop.is_cancelled() {
            return;
        }
        let pause = if whole { EVERY } else { Duration::ZERO };
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Compares some, and records them together: one sync for all.
async fn compare_page(
    node: &Node,
    digests: Vec<Digest>,
    stop: CancellationToken,
) -> Result<(), Error> {
    let files = node.clone();
    let compared = node
        .blocking(move || {
            let mut compared = Vec::new();
            for digest in digests {
                if stop.is_cancelled() {
                    break;
                }
                let Some(placed) = place(&files, digest)? else {
                    continue;
                };
                let mut step = |_| scrub::going(&stop);
                match files.parts().blobs.verify_in_steps(&placed, &mut step) {
                    Ok(sha256) => compared.push(BlobCompared {
                        blake3: digest,
                        sha256,
                    }),
                    Err(error) => files.suspect(&placed, &error),
                }
            }
            Ok(compared)
        })
        .await?;
    let events = compared.into_iter().map(Event::BlobCompared).collect();
    node.decide(None, Way::Timer, |_| Ok(Decided::new(events, |_| Ok(()))))
        .await
}

fn place(node: &Node, digest: Digest) -> Result<Option<Placed>, Error> {
    let blob = node
        .parts()
        .store
        .read()
        .view()
        .get(&table::BLOB, &digest)?;
    Ok(blob.map(|blob| Placed {
        digest,
        size: blob.size,
        place: blob.place,
    }))
}

/// Renews certificates in time, until told to stop: not while the clock is suspect, as partners would refuse
/// what it says, and at once when it is confirmed.
pub async fn renew(node: Node, stop: CancellationToken) {
    let (mut due, mut judged) = (Duration::ZERO, None);
    loop {
        // A clock that is confirmed counts it up, however shortly it was suspect.
        let now = Some(node.judged());
        let trusted = node.read(crate::node::timely).await.is_ok();
        let elapsed = node.parts().clock.elapsed();
        if trusted && (judged != now || elapsed >= due) {
            renew_due(&node);
            (due, judged) = (elapsed + RENEW, now);
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(TICK) => {}
        }
    }
}

fn renew_due(node: &Node) {
    let parts = node.parts();
    match parts.keys.renew(parts.clock.now()) {
        Ok(renewal) => {
            if renewal.root_needed {
                tracing::warn!(
                    "the operational certificate ends soon and the root is not here: put root.key back into keys/ for a moment"
                );
            }
            if renewal.operational || renewal.tls {
                tracing::info!(
                    operational = renewal.operational,
                    "certificates were renewed"
                );
                present(node);
            }
        }
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "certificates could not be renewed"
            );
        }
    }
    let end = parts.keys.expiries().tls.timestamp();
    parts.metrics.certificate_end.set(end);
}

/// Has the API present a new certificate, in step with the federation port.
fn present(node: &Node) {
    let parts = node.parts();
    let issued = federation::serve::certificate(&parts.keys, &parts.config, parts.clock.as_ref());
    match issued {
        Ok(certificate) => parts.https.replace(certificate),
        Err(error) => tracing::error!(%error, "the API's certificate could not be renewed"),
    }
}

/// Watches whether the machine's clock jumps, against one that does not, until told to stop. Until a jump is on
/// record, nothing is decided by it.
pub async fn clock(node: Node, stop: CancellationToken) {
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(TICK) => {}
        }
        if let Err(error) = look(&node).await {
            tracing::error!(%error, "a jump of the clock could not be recorded");
        }
    }
}

/// Records a jump of the clock, if there is one, and goes on from there.
async fn look(node: &Node) -> Result<(), Error> {
    let _looking = node.parts().moment.looking.lock().await;
    let clock = &node.parts().clock;
    let Some(Jump { says, expected }) = clock.jump() else {
        return Ok(());
    };
    suspect(node, ClockSuspected { says, expected }).await?;
    clock.set();
    Ok(())
}

impl Run for ConfirmClock {
    async fn run(self, node: &Node, caller: &Caller) -> Result<Confirmed, Error> {
        node.permit(caller, &self).await?;
        // What is confirmed is what the clock says now, also where it was set a moment ago.
        look(node).await?;
        node.change(caller, self).await
    }
}

/// Stops trusting the clock, until an administrator confirms it.
///
/// # Errors
/// [`Error`] where that can't be recorded.
pub async fn suspect(node: &Node, suspected: ClockSuspected) -> Result<(), Error> {
    let ClockSuspected { says, expected } = suspected;
    tracing::error!(
        %says, %expected,
        "this machine's clock jumped: what depends on time waits until an administrator confirms it"
    );
    node.decide(None, Way::Timer, move |_| {
        let events = vec![Event::ClockSuspected(suspected)];
        Ok(Decided::new(events, |_| Ok(())).then(Effect::Recheck))
    })
    .await
}

/// Removes what was begun to be received and is not wanted any more, until told to stop.
pub async fn sweep(node: Node, stop: CancellationToken) {
    loop {
        let of = node.clone();
        if let Err(error) = node.blocking(move || federation::fetch::sweep(&of)).await {
            tracing::warn!(%error, "what is not wanted any more could not be removed");
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(SWEEP) => {}
        }
    }
}

/// Keeps figures and records repeated refusals, until told to stop.
pub async fn watch(node: Node, stop: CancellationToken) {
    loop {
        node.tidy().await;
        if let Ok(space) = node.parts().blobs.space() {
            node.parts().metrics.disk_free.set(space.free.cast_signed());
        }
        if let Err(error) = links(&node).await {
            tracing::warn!(%error, "connections could not be counted");
        }
        let suspect = node.read(crate::node::timely).await.is_err();
        node.parts().metrics.clock_suspect.set(suspect.into());
        let damaged = node.read(|view| Ok(view.page(&table::DAMAGED, &(), None, usize::MAX)?));
        if let Ok(damaged) = damaged.await {
            let count = i64::try_from(damaged.len()).unwrap_or(i64::MAX);
            node.parts().metrics.blobs_damaged.set(count);
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// Counts the connections to every partner that is trusted, so that one without any shows as such.
async fn links(node: &Node) -> Result<(), Error> {
    let listed = node.read(|view| Ok(view.page(&table::PARTNER, &(), None, usize::MAX)?));
    let listed = listed.await?;
    let contacts = node.parts().transport.registry().contacts();
    for (organisation, _) in listed
        .iter()
        .filter(|(_, partner)| partner.state == State::Active)
    {
        let label = metrics::Partner {
            partner: organisation.to_string(),
        };
        let links = contacts.get(organisation).copied().unwrap_or_default() as u64;
        let gauge = node.parts().metrics.links.get_or_create_owned(&label);
        gauge.set(links.cast_signed());
    }
    Ok(())
}

impl Run for Check {
    async fn run(self, node: &Node, caller: &Caller) -> Result<Checked, Error> {
        node.permit(caller, &self).await?;
        let (work, progress) = (node.clone(), caller.progress.clone());
        node.blocking(move || {
            let mut checked = journal(&work)?;
            scrub::all(&work, Digest([0; 32]), &mut |_| Ok(()), &mut |seen| {
                checked.blobs += 1;
                checked.bytes += seen.bytes;
                checked.problems.extend(seen.problem);
                progress.report(checked.blobs, checked.blobs);
                true
            })?;
            unrecorded(&work, &mut checked)?;
            Ok(checked)
        })
        .await
    }
}

/// Counts bytes that no record names: a crash between making them durable and recording them leaves
/// such. They are nobody's, are never served, and are named again when the same bytes come.
fn unrecorded(node: &Node, checked: &mut Checked) -> Result<(), Error> {
    let mut failed = None;
    let listed = node.parts().blobs.list(&mut |placed| {
        let reading = node.parts().store.read();
        let view = reading.view();
        let named = view.get(&table::BLOB, &placed.digest).and_then(|blob| {
            let own = blob.is_some_and(|blob| blob.place == placed.place);
            Ok(own || view.has(&table::SEALED_BLOB, &placed.digest)?)
        });
        match named {
            Ok(true) => {}
            Ok(false) => {
                checked.unrecorded.blobs += 1;
                checked.unrecorded.bytes += placed.size;
            }
            Err(error) => failed = Some(error),
        }
    });
    if let Err(error) = listed {
        checked.problems.push(error.to_string());
    }
    failed.map_or(Ok(()), |error| Err(error.into()))
}

fn journal(node: &Node) -> Result<Checked, Error> {
    let mut checked = Checked {
        records: 0,
        blobs: 0,
        bytes: 0,
        unrecorded: Unrecorded::default(),
        problems: Vec::new(),
    };
    match node.parts().journal.verify(true) {
        Ok(report) => {
            checked.records = report.head.count;
            checked.problems.extend(report.lines());
        }
        Err(error) => checked.problems.push(error.to_string()),
    }
    Ok(checked)
}

/// Blobs that are looked at together.
const COMPARED: usize = 256;
/// How often the node looks for something to do by itself.
const EVERY: Duration = Duration::from_secs(5);
/// How often half-received files of cancelled shares are looked for.
const SWEEP: Duration = Duration::from_secs(600);
/// How often certificates are looked at: far more often than they end.
const RENEW: Duration = Duration::from_secs(3600);
/// Between two looks at the clock.
const TICK: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::tests::bench::{Bench, noon};

    /// fault B10
    #[tokio::test]
    async fn nothing_is_renewed_under_a_suspect_clock_until_it_is_confirmed() {
        let north = Bench::new("north");
        let ends = || north.node.parts().keys.expiries();
        let before = ends();
        let says = noon() + TimeDelta::days(150);
        north.later(TimeDelta::days(150));
        let expected = noon();
        let suspected = ClockSuspected { says, expected };
        suspect(&north.node, suspected).await.unwrap();
        let stop = CancellationToken::new();
        stop.cancel();
        renew(north.node.clone(), stop.clone()).await;
        assert_eq!(ends(), before);
        north.change(ConfirmClock {}).await.unwrap();
        renew(north.node.clone(), stop).await;
        let after = ends();
        assert!(after.operational > before.operational && after.tls > before.tls);
    }

    /// A person who sets the clock and confirms it at once need not know how often the node looks at it.
    ///
    /// fault B10
    #[tokio::test]
    async fn what_is_confirmed_is_what_the_clock_says_now() {
        let north = Bench::new("north");
        north.jump(TimeDelta::days(1));
        look(&north.node).await.unwrap();
        assert!(north.node.read(crate::node::timely).await.is_err());
        north.jump(-TimeDelta::days(1));
        let confirmed = ConfirmClock {}.run(&north.node, &north.node.owner()).await;
        confirmed.unwrap();
        assert_eq!(north.node.parts().clock.jump(), None);
        assert!(north.node.read(crate::node::timely).await.is_ok());
    }
}
