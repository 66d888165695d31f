//! Pairing by the ceremony (S14, S15): both administrators compare words, whoever guesses burns the
//! invitation, and what was used once is used up.

use interdocket_sync::pairing::{Invitation, Secret};

use super::People;
use crate::actions::partner::{Accept, Confirm, Invite, State};
use crate::actions::{Error, ErrorKind, Run as _};
use crate::node::Node;
use crate::store::{entity, table};

impl People {
    /// Pairs with every other node whose invitations are accepted here.
    pub(super) async fn pair(&self) {
        for other in 0..self.world.sites.len() {
            if self.world.accepter(self.number, other) != Some(self.number) {
                continue;
            }
            while !self.paired(other) {
                let went = self.ceremony(other).await;
                let name = self.world.sites[other].name;
                self.told(&format!("pair with {name}"), went);
                self.confirm().await;
                let pause = self.world.below(3000) + 200;
                self.sleep(pause).await;
            }
        }
    }

    /// Whether both hold each other as partners that may share.
    fn paired(&self, other: usize) -> bool {
        let (me, other) = (self.site(), &self.world.sites[other]);
        let Some(there) = other.up() else {
            return false;
        };
        let ready = |partner: Option<entity::Partner>| {
            partner.is_some_and(|partner| {
                partner.state != State::Unconfirmed && partner.policy.is_some()
            })
        };
        ready(known(&self.node, other.id)) && ready(known(&there, me.id))
    }

    async fn ceremony(&self, number: usize) -> Result<(), Error> {
        let (me, other) = (self.site(), &self.world.sites[number]);
        let pair = (me.number, number);
        let down = || Error::new(ErrorKind::Unavailable, "the other side is down");
        let there = other.up().ok_or_else(down)?;
        let met = [known(&self.node, other.id), known(&there, me.id)];
        if !met.iter().all(Option::is_some) {
            self.invited(&there, pair).await?;
        }
        let (here, there_too) = (known(&self.node, other.id), known(&there, me.id));
        let (Some(here), Some(their)) = (here, there_too) else {
            return Err(down());
        };
        let unconfirmed = |partner: &entity::Partner| partner.state == State::Unconfirmed;
        if unconfirmed(&here) && unconfirmed(&their) && here.words != their.words {
            // They tell each other so, and begin anew.
            return self.invited(&there, pair).await;
        }
        for (node, partner, with) in [(&self.node, &here, other), (&there, &their, me)] {
            if unconfirmed(partner) {
                let partner = with.name.to_owned();
                node.change(&node.owner(), Confirm { partner }).await?;
            }
            self.enable(node, with).await?;
        }
        self.world.oracle.borrow_mut().figures.pairings += 1;
        Ok(())
    }

    /// Accepts an invitation of the other side, once or more often than is allowed.
    async fn invited(&self, there: &Node, pair: (usize, usize)) -> Result<(), Error> {
        let owner = there.owner();
        let text = Invite {}.run(there, &owner).await?.invitation;
        // Once for each pair: who guesses more often waits for ten minutes.
        let tries = self.world.guessed.borrow_mut().insert(pair);
        let wrong = match self.world.below(4) {
            0 if tries => self.world.below(5),
            _ => 0,
        };
        let mut refused = 0;
        for _ in 0..wrong {
            let mut guess: Invitation = text.parse().expect("it was just made");
            guess.secret = Secret::from_random(crate::chance::bytes());
            match self.accept(guess.text()).await {
                Ok(()) => self.world.log.fail("S15: a guess was taken".into()),
                Err(error) => refused += u32::from(error.message.contains("does not take")),
            }
        }
        let accepted = self.accept(text.clone()).await;
        if accepted.is_ok() {
            if refused >= 3 {
                let what = format!("S15: an invitation was taken after {refused} wrong guesses");
                self.world.log.fail(what);
            }
            if tries && self.world.below(3) == 0 && self.accept(text).await.is_ok() {
                self.world
                    .log
                    .fail("S15: an invitation was taken twice".into());
            }
        }
        accepted
    }

    async fn accept(&self, invitation: String) -> Result<(), Error> {
        let accept = Accept { invitation };
        accept.run(&self.node, &self.node.owner()).await.map(drop)
    }
}

/// What a node knows of an organisation.
pub(in crate::tests::network) fn known(
    node: &Node,
    organisation: interdocket_sync::identity::OrganisationId,
) -> Option<entity::Partner> {
    let reading = node.parts().store.read();
    reading.view().get(&table::PARTNER, &organisation).ok()?
}
