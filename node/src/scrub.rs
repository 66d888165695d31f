//! Reading everything that is stored, so that damage is found before the bytes are needed: slowly, over and
//! over, by the node itself, and at once when somebody asks for a check.
//!
//! What is found damaged is marked, and not served any more. Reading it again is for `federation`.

use std::io;
use std::time::Duration;

use interdocket_sync::blob::Digest;
use tokio_util::sync::CancellationToken;

use crate::actions::Error;
use crate::blobs::{self, Placed};
use crate::chance;
use crate::federation::sealed;
use crate::node::Node;
use crate::store::entity::{Blob, BlobState};
use crate::store::table;

/// Reads everything that is stored at a slow pace, from a random place on, until told to stop.
pub async fn scrub(node: Node, stop: CancellationToken) {
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(BETWEEN) => {}
        }
        let (of, stopped) = (node.clone(), stop.clone());
        let read = node.blocking(move || {
            let from = Digest(chance::bytes());
            let mut pace = |bytes| {
                std::thread::sleep(time(bytes));
                going(&stopped)
            };
            let mut damaged = 0;
            let whole = all(&of, from, &mut pace, &mut |seen| {
                damaged += u64::from(seen.problem.is_some());
                !stopped.is_cancelled()
            })?;
            Ok((whole, damaged))
        });
        match read.await {
            Ok((true, damaged)) => tracing::info!(damaged, "all that is stored was read"),
            Ok((false, _)) => return,
            Err(error) => tracing::warn!(%error, "what is stored could not be read"),
        }
    }
}

/// How long reading so many bytes may take at the pace at which it goes on by itself.
fn time(bytes: u64) -> Duration {
    Duration::from_micros(bytes.saturating_mul(1_000_000) / PACE)
}

/// An error once the node is to stop.
pub(crate) fn going(stop: &CancellationToken) -> io::Result<()> {
    match stop.is_cancelled() {
        true => Err(io::ErrorKind::Interrupted.into()),
        false => Ok(()),
    }
}

/// What reading one blob told.
#[derive(Debug)]
pub struct Seen {
    /// Its size.
    pub bytes: u64,
    /// What is wrong with it.
    pub problem: Option<String>,
}

/// Reads all blobs, from a digest on and round to it, and all that is sealed under leases, which takes no
/// lease. `step` is told the bytes of each step; false where `seen` said to stop.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn all(
    node: &Node,
    from: Digest,
    step: &mut dyn FnMut(u64) -> io::Result<()>,
    seen: &mut dyn FnMut(Seen) -> bool,
) -> Result<bool, Error> {
    Ok(own(node, Some(from), None, step, seen)?
        && own(node, None, Some(from), step, seen)?
        && shared(node, step, seen)?)
}

/// Reads blobs behind one digest, up to another.
fn own(
    node: &Node,
    mut after: Option<Digest>,
    until: Option<Digest>,
    step: &mut dyn FnMut(u64) -> io::Result<()>,
    seen: &mut dyn FnMut(Seen) -> bool,
) -> Result<bool, Error> {
    loop {
        let page = {
            let reading = node.parts().store.read();
            let view = reading.view();
            view.page(&table::BLOB, &(), after.as_ref(), PAGE)?
        };
        let Some((last, _)) = page.last() else {
            return Ok(true);
        };
        after = Some(*last);
        for (digest, blob) in page {
            if until.is_some_and(|until| until < digest) {
                return Ok(true);
            }
            let problem = judged(node, digest, &blob, step);
            let bytes = blob.size;
            if !seen(Seen { bytes, problem }) {
                return Ok(false);
            }
        }
    }
}

fn judged(
    node: &Node,
    digest: Digest,
    blob: &Blob,
    step: &mut dyn FnMut(u64) -> io::Result<()>,
) -> Option<String> {
    let placed = Placed {
        digest,
        size: blob.size,
        place: blob.place,
    };
    match node.parts().blobs.verify_in_steps(&placed, step) {
        Ok(sha256) if blob.state == BlobState::Compared && sha256 != blob.sha256 => Some(format!(
            "blob {digest}: SHA-256 differs from what was recorded"
        )),
        Ok(_) => None,
        Err(error) => {
            node.suspect(&placed, &error);
            Some(error.to_string())
        }
    }
}

/// Reads what is sealed under leases.
fn shared(
    node: &Node,
    step: &mut dyn FnMut(u64) -> io::Result<()>,
    seen: &mut dyn FnMut(Seen) -> bool,
) -> Result<bool, Error> {
    let mut after = None;
    loop {
        let page = {
            let reading = node.parts().store.read();
            let view = reading.view();
            view.page(&table::SEALED, &(), after.as_ref(), PAGE)?
        };
        let Some((last, _)) = page.last() else {
            return Ok(true);
        };
        after = Some(*last);
        for ((share, file, _), part) in page {
            let placed = Placed {
                digest: part.blake3,
                size: part.size,
                place: part.place,
            };
            let read = node.parts().blobs.verify_in_steps(&placed, step);
            if let Err(blobs::Error::Damaged(_) | blobs::Error::Missing(_)) = &read {
                sealed::suspect(node, share, file);
            }
            let problem = read.err().map(|error| error.to_string());
            let bytes = part.size;
            if !seen(Seen { bytes, problem }) {
                return Ok(false);
            }
        }
    }
}

/// Blobs that are looked at together.
const PAGE: usize = 256;
/// Bytes in a second: a terabyte in a day and a half, and a disk that hardly notices.
const PACE: u64 = 8 << 20;
/// Between two rounds, and before the first.
const BETWEEN: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terabyte_takes_a_day_and_a_half() {
        let day = Duration::from_secs(24 * 3600);
        assert!(time(1 << 40) > day && time(1 << 40) < 2 * day);
        assert_eq!(time(0), Duration::ZERO);
    }
}
