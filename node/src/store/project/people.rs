//! What users and groups become in the tables.

use interdocket_sync::id::CaseId;
use uuid::Uuid;

use super::{Error, Step};
use crate::actions::Actor;
use crate::actions::people::called;
use crate::event::{
    AccessChanged, GroupChanged, GroupMade, RoleSet, TokenMade, TokenRevoked, UserAdded, UserEdited,
};
use crate::store::entity::{self, Known};
use crate::store::table;

impl Step<'_> {
    pub(super) fn user_added(&mut self, user: &UserAdded) -> Result<(), Error> {
        let added = entity::User {
            name: user.name.clone(),
            role: user.role.clone(),
            email: user.email.clone(),
            badge: user.badge.clone(),
            added_at: self.meta.at,
        };
        self.put(&table::USER, &user.id, &added);
        self.holders(&added.role, |holders| holders + 1)?;
        self.know([&added.name, &added.email, &added.badge], user.id);
        Ok(())
    }

    pub(super) fn user_edited(&mut self, edited: &UserEdited) -> Result<(), Error> {
        let mut user = self.get(&table::USER, &edited.id)?;
        for text in [&user.email, &user.badge] {
            self.changes.delete(&table::KNOWN, &called(text));
        }
        self.holders(&user.role, |holders| holders.saturating_sub(1))?;
        self.holders(&edited.role, |holders| holders + 1)?;
        user.role.clone_from(&edited.role);
        user.email.clone_from(&edited.email);
        user.badge.clone_from(&edited.badge);
        self.put(&table::USER, &edited.id, &user);
        self.know([&user.name, &user.email, &user.badge], edited.id);
        Ok(())
    }

    pub(super) fn role_set(&mut self, set: &RoleSet) -> Result<(), Error> {
        let name = called(&set.name);
        let held = self.view().get(&table::ROLE, &name)?;
        let role = entity::Role {
            id: set.id,
            name: set.name.clone(),
            permissions: set.permissions.clone(),
            holders: held.map_or(0, |held| held.holders),
        };
        self.put(&table::ROLE, &name, &role);
        Ok(())
    }

    #[expect(clippy::unnecessary_wraps, reason = "as for every event")]
    pub(super) fn role_removed(&mut self, removed: &RoleSet) -> Result<(), Error> {
        self.changes.delete(&table::ROLE, &called(&removed.name));
        Ok(())
    }

    /// Counts who has a role of this organisation's own.
    fn holders(&mut self, role: &str, count: impl FnOnce(u64) -> u64) -> Result<(), Error> {
        let name = called(role);
        if let Some(mut role) = self.view().get(&table::ROLE, &name)? {
            role.holders = count(role.holders);
            self.put(&table::ROLE, &name, &role);
        }
        Ok(())
    }

    /// A user is found by each of these that is not empty.
    fn know(&mut self, texts: [&String; 3], id: Uuid) {
        for text in texts.into_iter().filter(|text| !text.is_empty()) {
            self.put(&table::KNOWN, &called(text), &Known::User(id));
        }
    }

    pub(super) fn group_made(&mut self, made: &GroupMade) -> Result<(), Error> {
        let group = entity::Group {
            name: made.name.clone(),
            kind: made.kind,
            members: 0,
            made_at: self.meta.at,
        };
        self.put(&table::GROUP, &made.id, &group);
        self.put(&table::KNOWN, &called(&made.name), &Known::Group(made.id));
        Ok(())
    }

    pub(super) fn group_changed(&mut self, changed: &GroupChanged) -> Result<(), Error> {
        let id = changed.group;
        let mut group = self.get(&table::GROUP, &id)?;
        for user in &changed.removed {
            let was = self.view().has(&table::MEMBER, &(id, *user))?;
            group.members = group.members.saturating_sub(u64::from(was));
            self.changes.delete(&table::MEMBER, &(id, *user));
            self.changes.delete(&table::IN_GROUP, &(*user, id));
        }
        for user in &changed.added {
            let was = self.view().has(&table::MEMBER, &(id, *user))?;
            group.members = group.members.saturating_add(u64::from(!was));
            self.put(&table::MEMBER, &(id, *user), &());
            self.put(&table::IN_GROUP, &(*user, id), &());
        }
        self.put(&table::GROUP, &id, &group);
        Ok(())
    }

    pub(super) fn access_changed(&mut self, changed: &AccessChanged) {
        for who in &changed.removed {
            self.changes.delete(&table::ACCESS, &(changed.case, *who));
            self.changes.delete(&table::REACHED, &(*who, changed.case));
        }
        for who in &changed.added {
            self.give_access(changed.case, *who);
        }
    }

    fn give_access(&mut self, case: CaseId, who: Uuid) {
        self.put(&table::ACCESS, &(case, who), &());
        self.put(&table::REACHED, &(who, case), &());
    }

    /// Whoever makes a case has access to it; who owns the local socket is no user, and reaches everything.
    pub(super) fn access_of_maker(
        &mut self,
        case: CaseId,
        actor: Option<&Actor>,
    ) -> Result<(), Error> {
        if let Some(actor) = actor
            && self.view().has(&table::USER, &actor.id)?
        {
            self.give_access(case, actor.id);
        }
        Ok(())
    }

    /// The recipients of what was received have access to it, as far as they are known here. It is assigned to the
    /// first of them who is a user.
    pub(super) fn access_of_recipients(
        &mut self,
        case: CaseId,
        recipients: &[String],
    ) -> Result<(), Error> {
        let mut first = None;
        for recipient in recipients {
            match self.view().get(&table::KNOWN, &called(recipient))? {
                Some(Known::User(who)) => {
                    self.give_access(case, who);
                    first = first.or(Some(who));
                }
                Some(Known::Group(who)) => self.give_access(case, who),
                None => {}
            }
        }
        self.case(case, |case| case.assignees.extend(first))
    }

    pub(super) fn token_made(&mut self, token: &TokenMade) -> Result<(), Error> {
        let made = entity::Token {
            user: token.user,
            made_at: self.meta.at,
            expires_at: token.expires_at,
        };
        self.put(&table::TOKEN, &token.hash, &made);
        self.put(&table::TOKEN_HASH, &token.id, &token.hash);
        self.put(&table::USER_TOKEN, &(token.user, token.id), &());
        Ok(())
    }

    #[expect(clippy::unnecessary_wraps, reason = "as for every event")]
    pub(super) fn token_revoked(&mut self, revoked: &TokenRevoked) -> Result<(), Error> {
        self.changes.delete(&table::TOKEN, &revoked.hash);
        self.changes.delete(&table::TOKEN_HASH, &revoked.id);
        self.changes
            .delete(&table::USER_TOKEN, &(revoked.user, revoked.id));
        Ok(())
    }
}
