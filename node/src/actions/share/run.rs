//! Offers, and whom they are for: partners' nodes are asked, where they can be, before anything is decided.

use futures_util::future::join_all;
use interdocket_sync::id::ShareId;
use interdocket_sync::identity::OrganisationId;

use super::offer::{because, partners};
use super::{Advanced, Copy, Made, Recipients, Reference, Reshare, Share, To};
use crate::actions::{Caller, Error, ErrorKind, Run, decide};
use crate::federation::people;
use crate::node::Node;
use crate::rules;
use crate::store::entity;

macro_rules! addressed {
    ($($type:ty),*) => {$(
        impl Run for $type {
            async fn run(mut self, node: &Node, caller: &Caller) -> Result<Made, Error> {
                node.permit(caller, &self).await?;
                self.to = all_known(node, self.to).await?;
                node.change(caller, self).await
            }
        }
    )*};
}

addressed!(Copy, Reference, Advanced);

impl Run for Recipients {
    async fn run(mut self, node: &Node, caller: &Caller) -> Result<Share, Error> {
        node.permit(caller, &self).await?;
        self.recipients = of_share(node, self.share, self.recipients).await?;
        node.change(caller, self).await
    }
}

impl Run for Reshare {
    async fn run(mut self, node: &Node, caller: &Caller) -> Result<Share, Error> {
        node.permit(caller, &self).await?;
        self.recipients = of_share(node, self.share, self.recipients).await?;
        node.change(caller, self).await
    }
}

/// These people as the partner of a share calls them. What was received has no recipients to be set here, and what is
/// over has none any more: that is refused without asking anybody.
async fn of_share(node: &Node, id: ShareId, typed: Vec<String>) -> Result<Vec<String>, Error> {
    let partner = node.read(move |view| {
        let header = decide::share(view, id)?.header;
        let partner = decide::partner(view, &header.partner.to_string())?;
        Ok(header.open_to_owner().then_some(partner))
    });
    match partner.await {
        Ok(Some(partner)) => known(node, partner, typed).await,
        _ => Ok(typed),
    }
}

/// The same, with the people as the partners' nodes call them. All are asked at once, so that who shares waits for
/// the slowest only; each is asked about its own people.
async fn all_known(node: &Node, to: Vec<To>) -> Result<Vec<To>, Error> {
    let named = to.clone();
    let partners = node.read(move |view| partners(view, &named)).await?;
    let asked = partners.into_iter().zip(&to);
    let asked = asked.map(|(partner, to)| known(node, partner, to.recipients.clone()));
    let mut all = Vec::with_capacity(to.len());
    for (at, found) in to.iter().zip(join_all(asked).await) {
        all.push(To {
            partner: at.partner.clone(),
            recipients: found.map_err(|error| because(&to, &at.partner, error))?,
        });
    }
    Ok(all)
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
