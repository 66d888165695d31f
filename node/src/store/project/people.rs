//! What users and groups become in the tables.

use chrono::{DateTime, Utc};
use interdocket_sync::id::CaseId;
use uuid::Uuid;

use super::{Error, Step};
use crate::access::ADMINISTRATOR;
use crate::actions::Actor;
use crate::actions::people::called;
use crate::event::{
    AccessChanged, GroupChanged, GroupMade, PasswordSet, Proof, RoleSet, SignedIn, TokenMade,
    TokenRevoked, UserAdded, UserEdited, UserEnrolled,
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
            seen_at: self.meta.at,
            disabled_at: None,
            locked_at: None,
        };
        self.user_put(user.id, &added);
        self.holders(&added.role, |holders| holders + 1)?;
        self.know([&added.name, &added.email, &added.badge], user.id);
        Ok(())
    }

    pub(super) fn user(
        &mut self,
        id: Uuid,
        change: impl FnOnce(&mut entity::User, DateTime<Utc>),
    ) -> Result<(), Error> {
        let mut user = self.get(&table::USER, &id)?;
        change(&mut user, self.meta.at);
        self.user_put(id, &user);
        Ok(())
    }

    fn user_put(&mut self, id: Uuid, user: &entity::User) {
        self.put(&table::USER, &id, user);
        self.put(&table::USER_NAME, &called(&user.name), &id);
        match user.role == ADMINISTRATOR && user.disabled_at.is_none() {
            true => self.put(&table::ADMINISTRATOR, &id, &()),
            false => self.changes.delete(&table::ADMINISTRATOR, &id),
        }
    }

    pub(super) fn user_edited(&mut self, edited: &UserEdited) -> Result<(), Error> {
        let mut user = self.get(&table::USER, &edited.id)?;
        for text in [&user.email, &user.badge] {
            self.changes.delete(&table::KNOWN, &called(text));
        }
        // A former name stays theirs: what was addressed to it is meant for them, and for nobody who comes later.
        self.changes.delete(&table::USER_NAME, &called(&user.name));
        self.holders(&user.role, |holders| holders.saturating_sub(1))?;
        self.holders(&edited.role, |holders| holders + 1)?;
        user.name.clone_from(&edited.name);
        user.role.clone_from(&edited.role);
        user.email.clone_from(&edited.email);
        user.badge.clone_from(&edited.badge);
        self.user_put(edited.id, &user);
        self.know([&user.name, &user.email, &user.badge], edited.id);
        Ok(())
    }

    #[expect(clippy::unnecessary_wraps, reason = "as for every event")]
    pub(super) fn user_enrolled(&mut self, enrolled: &UserEnrolled) -> Result<(), Error> {
        let credential = entity::Credential {
            password: self.meta.seq,
            authenticator: self.meta.seq,
            step: enrolled.step,
            used: 0,
        };
        self.put(&table::CREDENTIAL, &enrolled.user, &credential);
        Ok(())
    }

    pub(super) fn password_set(&mut self, set: &PasswordSet) -> Result<(), Error> {
        let mut credential = self.get(&table::CREDENTIAL, &set.user)?;
        credential.password = self.meta.seq;
        self.put(&table::CREDENTIAL, &set.user, &credential);
        Ok(())
    }

    pub(super) fn signed_in(&mut self, session: &SignedIn) -> Result<(), Error> {
        self.user(session.user, |user, at| user.seen_at = at)?;
        if session.by == Proof::Enrolment {
            return Ok(());
        }
        let mut credential = self.get(&table::CREDENTIAL, &session.user)?;
        match session.by {
            Proof::Code(step) => credential.step = step,
            Proof::Recovery(place) => {
                credential.used |= 1_u16.checked_shl(place.into()).unwrap_or_default();
            }
            Proof::Enrolment => {}
        }
        self.put(&table::CREDENTIAL, &session.user, &credential);
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

    /// The recipients of what was received have access to it, as far as they are known here and not disabled. It is assigned to the
    /// first of them who is a user.
    pub(super) fn access_of_recipients(
        &mut self,
        case: CaseId,
        recipients: &[String],
    ) -> Result<(), Error> {
        let first = self.access_of_joined(case, recipients)?;
        self.case(case, |case| case.assignees.extend(first))
    }

    /// Whom a copy was addressed to later has access to it, as far as they are known here. Gives the first of them who
    /// is a user.
    pub(super) fn access_of_joined(
        &mut self,
        case: CaseId,
        recipients: &[String],
    ) -> Result<Option<Uuid>, Error> {
        let mut first = None;
        for recipient in recipients {
            match self.view().get(&table::KNOWN, &called(recipient))? {
                Some(Known::User(who)) => {
                    let user = self.view().get(&table::USER, &who)?;
                    if user.is_none_or(|user| user.disabled_at.is_some() || user.guest()) {
                        continue;
                    }
                    self.give_access(case, who);
                    first = first.or(Some(who));
                }
                Some(Known::Group(who)) => self.give_access(case, who),
                None => {}
            }
        }
        Ok(first)
    }

    /// Whom an administrator named has access to what was received. A case that is new is assigned to the first of
    /// them who is a user.
    pub(super) fn access_named(
        &mut self,
        case: CaseId,
        named: &[Uuid],
        new: bool,
    ) -> Result<(), Error> {
        let mut first = None;
        for who in named {
            self.give_access(case, *who);
            if first.is_none() && self.view().has(&table::USER, who)? {
                first = Some(*who);
            }
        }
        self.case(case, |case| case.assignees.extend(first.filter(|_| new)))
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
