//! Offers, and whom they are for: the partner's node is asked, where it can be, before anything is decided.

use super::{Advanced, Copy, Recipients, Reference, Share};
use crate::actions::{Caller, Error, ErrorKind, Run, decide};
use crate::federation::people;
use crate::node::Node;
use crate::rules;
use crate::store::entity;
use interdocket_sync::identity::OrganisationId;

macro_rules! addressed {
    ($($type:ty),*) => {$(
        impl Run for $type {
            async fn run(mut self, node: &Node, caller: &Caller) -> Result<Share, Error> {
                node.permit(caller, &self).await?;
                let name = self.partner.clone();
                let partner = node.read(move |view| decide::partner(view, &name)).await?;
                self.recipients = known(node, partner, self.recipients).await?;
                node.change(caller, self).await
            }
        }
    )*};
}

addressed!(Copy, Reference, Advanced);

impl Run for Recipients {
    async fn run(mut self, node: &Node, caller: &Caller) -> Result<Share, Error> {
        node.permit(caller, &self).await?;
        let id = self.share;
        let partner = node.read(move |view| {
            let header = decide::share(view, id)?.header;
            decide::partner(view, &header.partner.to_string())
        });
        // What was received has no recipients to be set here: that is refused without asking anybody.
        if let Ok(partner) = partner.await {
            self.recipients = known(node, partner, self.recipients).await?;
        }
        node.change(caller, self).await
    }
}

/// These people as the partner's node calls them; as they were typed where it can't be asked now: it finds them, or
/// nobody, when they read.
async fn known(
    node: &Node,
    (id, partner): (OrganisationId, entity::Partner),
    typed: Vec<String>,
) -> Result<Vec<String>, Error> {
    let typed = super::bounded_recipients(&typed)?;
    if typed.is_empty() || !rules::trusts(&partner) || partner.send.is_empty() {
        return Ok(typed);
    }
    let Some(found) = people::resolve(node, id, typed.clone()).await else {
        return Ok(typed);
    };
    let mut names: Vec<String> = Vec::with_capacity(typed.len());
    for (typed, found) in typed.iter().zip(found) {
        let name = found.ok_or_else(|| {
            let message = format!("\"{}\" knows nobody called \"{typed}\"", partner.name);
            Error::new(ErrorKind::NotFound, message).hint(
                "give a name, e-mail address, number on a badge or group as it is known there",
            )
        })?;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}
