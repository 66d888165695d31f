//! Reading again what is damaged here, from a partner that owes it.

use interdocket_sync::identity::OrganisationId;
use interdocket_sync::transfer::Request as Wanted;

use super::{read_files, unused};
use crate::actions::{self, Error, Way};
use crate::node::Node;

/// Reads what is damaged here and a partner owes; false where something could not be had.
pub(super) async fn repair(node: &Node, partner: OrganisationId) -> Result<bool, Error> {
    let owed = node.read(move |view| actions::exchange::owed(view, partner));
    let mut clean = true;
    for (share, files) in owed.await? {
        let request = Wanted {
            evidence: Vec::new(),
            files,
        };
        let read = read_files(node, partner, share, request).await?;
        clean &= read.whole;
        let placed = read.placed;
        if placed.is_empty() {
            continue;
        }
        let kept = placed.clone();
        let repaired = node.decide(None, Way::Partner, move |context| {
            actions::exchange::repaired(context, &kept)
        });
        repaired.await?;
        tracing::info!(%partner, %share, files = placed.len(), "damaged files were read again");
        let of = node.clone();
        node.blocking(move || unused(&of, &placed)).await?;
    }
    Ok(clean)
}
