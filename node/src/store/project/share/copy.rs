//! What is said of a copy beyond its evidence: to whom it is addressed, what its updates were, whether it is asked
//! for; and what waits for an administrator of this node before any of it is taken.

use interdocket_sync::id::EvidenceId;
use interdocket_sync::log::Side;
use interdocket_sync::log::entry::{
    Actor, Body, Entry as LogEntry, Offered, RecallAnswer, Reshared,
};
use interdocket_sync::share::{Kind, Policy};

use super::Step;
use crate::actions::people::called;
use crate::event::ShareFinalised;
use crate::rules;
use crate::store::project::Error;
use crate::store::{entity, table};

impl Step<'_> {
    /// What an entry of a copy's logs changes beyond header and facts.
    pub(super) fn said_of_copy(
        &mut self,
        share: &mut entity::Share,
        entry: &LogEntry,
    ) -> Result<(), Error> {
        match &entry.body {
            Body::EvidenceAdded(items) => {
                self.updated(share, items.iter().map(|item| item.evidence));
            }
            Body::Listed(actor, _) => self.listed(share, entry, actor),
            Body::Reshared(actor, said) => self.reshared(share, entry, actor, said)?,
            Body::RecallAsked(actor, reason) => self.recall_asked(share, entry, actor, reason),
            Body::RecallAnswered(actor, answer) => {
                self.recall_answered(share, entry, actor, answer)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// More people have a copy. Whom it named before gets nothing anew: who lost access here since does not get it
    /// back by that. Where an administrator gave access, only one gives more.
    fn reshared(
        &mut self,
        share: &mut entity::Share,
        entry: &LogEntry,
        actor: &Actor,
        said: &Reshared,
    ) -> Result<(), Error> {
        let mut joined: Vec<String> = Vec::new();
        for name in &said.recipients {
            let mut before = share.recipients.iter().chain(&joined);
            if !before.any(|known| called(known) == called(name)) {
                joined.push(name.clone());
            }
        }
        share.recipients.extend(joined.iter().cloned());
        let reshare = entity::Reshare {
            by: actor.name.clone(),
            at: entry.at,
            recipients: joined.clone(),
            message: said.message.clone(),
            after_update: share.header.update,
        };
        let id = share.header.share;
        self.put(&table::RESHARE, &(id, entry.number), &reshare);
        let node = self.get(&table::NODE, &())?;
        let Some(case) = share.case else {
            return Ok(());
        };
        let gone = self.view().has(&table::GONE, &case.uuid())?;
        if gone || share.finalised || share.header.partner != node.organisation {
            return Ok(());
        }
        self.access_of_joined(case, &joined).map(drop)
    }

    /// These items belong to the update that is being made.
    fn updated(&mut self, share: &entity::Share, items: impl Iterator<Item = EvidenceId>) {
        let header = &share.header;
        for item in items {
            let row = (header.share, header.update.saturating_add(1), item);
            self.put(&table::UPDATED, &row, &());
        }
    }

    /// An update is whole.
    fn listed(&mut self, share: &entity::Share, entry: &LogEntry, actor: &Actor) {
        let update = entity::Update {
            by: actor.name.clone(),
            at: entry.at,
        };
        let row = (share.header.share, share.header.update);
        self.put(&table::UPDATE, &row, &update);
    }

    fn recall_asked(
        &mut self,
        share: &entity::Share,
        entry: &LogEntry,
        actor: &Actor,
        reason: &str,
    ) {
        let recalled = entity::Recalled {
            by: actor.name.clone(),
            at: entry.at,
            reason: reason.to_owned(),
            answer: None,
        };
        self.put(&table::RECALLED, &share.header.share, &recalled);
    }

    fn recall_answered(
        &mut self,
        share: &entity::Share,
        entry: &LogEntry,
        actor: &Actor,
        answer: &RecallAnswer,
    ) -> Result<(), Error> {
        let id = share.header.share;
        // What was asked may stand in a part of the log that is not back yet.
        let Some(mut recalled) = self.view().get(&table::RECALLED, &id)? else {
            return Ok(());
        };
        recalled.answer = Some(entity::Answered {
            by: actor.name.clone(),
            at: entry.at,
            granted: answer.granted,
            reason: answer.reason.clone(),
        });
        self.put(&table::RECALLED, &id, &recalled);
        Ok(())
    }

    /// An offer waits for an administrator: nothing of it is anybody's here.
    pub(super) fn pending(&mut self, share: &entity::Share, offered: &Offered) {
        let pending = entity::Pending {
            number: offered.info.number.clone(),
            title: offered.info.title.clone(),
        };
        self.put(&table::PENDING, &share.header.share, &pending);
    }

    /// An offer waits no more.
    pub(super) fn looked_at(&mut self, share: &mut entity::Share) {
        if share.pending {
            share.pending = false;
            self.changes.delete(&table::PENDING, &share.header.share);
        }
    }

    pub(in super::super) fn share_finalised(
        &mut self,
        finalised: &ShareFinalised,
    ) -> Result<(), Error> {
        let id = finalised.share;
        let mut share = self.get(&table::SHARE, &id)?;
        let owner = share.header.owner;
        self.looked_at(&mut share);
        share.finalised = true;
        share.case = finalised.case;
        if let Some(case) = share.case {
            self.put(&table::CASE_SHARE, &(case, id), &());
            self.access_named(case, &finalised.access, finalised.made)?;
        }
        if let Kind::Advanced(policy) = share.header.kind {
            self.put(&table::FOLLOWED, &(owner, id), &());
            self.imports(&share, policy)?;
        }
        self.incoming(Side::Owner, &share);
        self.keep(&share);
        Ok(())
    }

    /// What was listed while an advanced share waited is imported as what comes now.
    fn imports(&mut self, share: &entity::Share, policy: Policy) -> Result<(), Error> {
        let header = &share.header;
        let role = self.get(&table::NODE, &())?.role;
        if header.update > 0 && rules::imports(role, policy) {
            let import = entity::Import {
                through: header.owner_log.point.count,
                by: None,
                recipient: String::new(),
                only: Vec::new(),
            };
            self.put(&table::IMPORT, &(header.owner, header.share), &import);
        }
        Ok(())
    }
}
