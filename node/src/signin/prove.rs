//! Who calls: whoever holds a token or the secret of a session, and how somebody gets such a session.
//!
//! Invariant: who is not let in learns that, and nothing else: neither whether there is such a user nor what was wrong.
//! What differs between users who are known and who are not happens behind the answer.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use interdocket_sync::blob::Digest;
use uuid::Uuid;

use super::{Place, password, totp};
use crate::access::Permissions;
use crate::actions::decide::{Decided, Effect, whole};
use crate::actions::signin::{SignIn, SignedIn};
use crate::actions::{
    Actor, Caller, Error, ErrorKind, Progress, Way, people, role, settings, token,
};
use crate::chance;
use crate::event::{self, Event, Proof, Refused, SignedOut, UserLocked};
use crate::federation::history;
use crate::journal::Reader;
use crate::node::{Node, timely};
use crate::store::entity::{Credential, Known, User};
use crate::store::table;
use crate::store::view::View;
use crate::threads;

/// A user whom a name means, and what is kept of how they sign in.
#[derive(Clone)]
pub(crate) struct Found {
    pub(crate) actor: Actor,
    credential: Option<Credential>,
    kept: Option<Kept>,
}

/// What shows who somebody is, as it is read back from the journal.
#[derive(Clone)]
struct Kept {
    verifier: String,
    key: Vec<u8>,
    recovery: Vec<Vec<u8>>,
}

impl Node {
    /// Who holds this token, or signed in and was given this secret.
    ///
    /// # Errors
    /// `Forbidden`, the same whatever is wrong with it.
    pub fn authenticate(&self, secret: &str) -> Result<Caller, Error> {
        let refused = || {
            Error::new(ErrorKind::Forbidden, "a valid token is needed")
                .hint("have one made: interdocket token add NAME")
        };
        let parts = self.parts();
        let hash = token::hash(secret);
        let session = parts.moment.signins.session(&hash, parts.clock.elapsed());
        let reading = parts.store.read();
        let view = reading.view();
        let (id, way) = match &session {
            Some(session) => {
                let credential = view.get(&table::CREDENTIAL, &session.user)?;
                if credential.map(|credential| credential.password) != session.password {
                    return Err(refused());
                }
                (session.user, Way::Session)
            }
            None => {
                // A clock that went back would make tokens valid that are not any more.
                timely(&view)?;
                let token = view.get(&table::TOKEN, &hash)?.ok_or_else(refused)?;
                if token.expires_at <= parts.clock.now() {
                    return Err(refused());
                }
                (token.user, Way::Token)
            }
        };
        let user = active(&view, id)?.ok_or_else(refused)?;
        parts.moment.signins.called(id, parts.clock.now());
        let enrolling = session.as_ref().is_some_and(|session| session.enrolling);
        let permissions = match enrolling {
            true => Permissions::new(),
            false => role::held(&view, &user.role)?,
        };
        Ok(Caller {
            actor: actor(id, user),
            permissions,
            way,
            session: session.map(|session| session.id),
            progress: Progress::default(),
        })
    }

    /// Signs somebody in: by password and a code of their authenticator or a recovery code, or for enrolling by the code
    /// that an administrator had made.
    ///
    /// # Errors
    /// `Forbidden`, the same whatever is wrong; `Unavailable` where there are too many tries.
    pub async fn sign_in(&self, request: SignIn, from: Option<IpAddr>) -> Result<SignedIn, Error> {
        let parts = self.parts();
        let ins = &parts.moment.signins;
        password::bounded(&request.password)?;
        password::bounded(&request.user)?;
        password::bounded(&request.code)?;
        if !ins.networks.admits(from, parts.clock.elapsed()) {
            self.refused(refusal("too many wrong tries from one address".to_owned()))
                .await;
            let message = "too many wrong tries came from your address";
            return Err(Error::new(ErrorKind::Unavailable, message)
                .hint("try again in a quarter of an hour"));
        }
        // Codes are judged by the time.
        self.read(timely).await?;
        let place = ins.place().await?;
        let found = self.find(request.user).await?;
        let looked = found
            .clone()
            .filter(|found| ins.begin(found.actor.id, parts.clock.elapsed()));
        let proof = self
            .shown(looked, (request.password, request.code), place)
            .await?;
        let Some((found, proof)) = found.as_ref().zip(proof) else {
            return Err(self.unproven(found, from));
        };
        match self.enter(found, proof, from).await {
            Err(error) if error.kind == ErrorKind::Forbidden => {
                Err(self.unproven(Some(found.clone()), from))
            }
            entered => entered,
        }
    }

    /// Whom a name means.
    async fn find(&self, name: String) -> Result<Option<Found>, Error> {
        let journal = self.parts().journal.clone();
        self.read(move |view| match people::known(view, &name)? {
            Some(Known::User(id)) => found(view, &journal, id),
            Some(Known::Group(_)) | None => Ok(None),
        })
        .await
    }

    /// A user by their id, with what is kept of how they sign in.
    pub(crate) async fn found(&self, id: Uuid) -> Result<Option<Found>, Error> {
        let journal = self.parts().journal.clone();
        self.read(move |view| found(view, &journal, id)).await
    }

    /// What a password and a code show of somebody, nothing where they show nothing. It takes as long for nobody.
    async fn shown(
        &self,
        found: Option<Found>,
        (given, code): (String, String),
        place: Place,
    ) -> Result<Option<Proof>, Error> {
        let (node, now) = (self.clone(), self.parts().clock.now());
        let work = move || {
            let proof = match code.is_empty() {
                true => enrolls(&node, found.as_ref(), &given),
                false => signs(found.as_ref(), &given, &code, now),
            };
            drop(place);
            proof
        };
        threads::run(work).await.map_err(stopping)
    }

    /// Whether a password is that of somebody.
    pub(crate) async fn has_password(&self, found: Found, given: String) -> Result<bool, Error> {
        let place = self.parts().moment.signins.place().await?;
        let work = move || {
            let right = matches(Some(&found), &given);
            drop(place);
            right
        };
        threads::run(work).await.map_err(stopping)
    }

    /// What is kept of a new password.
    pub(crate) async fn verifier(&self, password: password::Plain) -> Result<String, Error> {
        let place = self.parts().moment.signins.place().await?;
        let work = move || {
            let verifier = password::verifier(&password, &chance::bytes());
            drop(place);
            verifier
        };
        threads::run(work).await.map_err(stopping)
    }

    /// Opens a session for somebody who showed who they are, once that is on record.
    async fn enter(
        &self,
        found: &Found,
        proof: Proof,
        from: Option<IpAddr>,
    ) -> Result<SignedIn, Error> {
        let parts = self.parts();
        let secret = format!("{PREFIX}{}", Digest(chance::bytes()));
        let hash = token::hash(&secret);
        let (user, read) = (found.actor.id, found.credential);
        let record = event::SignedIn {
            user,
            session: super::id(&hash),
            by: proof,
            from,
        };
        let decided = self.decide(Some(found.actor.clone()), Way::Session, move |context| {
            let credential = context.view.get(&table::CREDENTIAL, &user)?;
            // By now they may be locked, have another password, or have used that code.
            if !admitted(&context.view, user)? || !counts(proof, read, credential) {
                return Err(refused());
            }
            Ok(Decided::new(vec![Event::SignedIn(record)], |_| Ok(())))
        });
        decided.await?;
        let ins = &parts.moment.signins;
        ins.forgive(user);
        let enrolling = proof == Proof::Enrolment;
        let password = read.map(|read| read.password);
        let life = match enrolling {
            true => super::ENROLLING_LIFE,
            false => super::LIFE,
        };
        let replaced = ins.open(hash, user, password, enrolling, parts.clock.elapsed());
        self.ended(replaced.into_iter().collect()).await;
        Ok(SignedIn {
            secret,
            enrolling,
            idle_seconds: super::IDLE.as_secs(),
            ends_at: parts.clock.now() + TimeDelta::from_std(life).unwrap_or_default(),
        })
    }

    /// Counts a wrong try, and gives the error that says nothing of it. What follows is recorded behind the answer: how
    /// long that takes would tell who is known here.
    pub(crate) fn unproven(&self, found: Option<Found>, from: Option<IpAddr>) -> Error {
        let parts = self.parts();
        let ins = &parts.moment.signins;
        ins.networks.wrong(from, parts.clock.elapsed());
        let actor = found.map(|found| found.actor);
        let failed = |actor: &Actor| ins.failed(actor.id, parts.clock.elapsed());
        let spent = actor.as_ref().is_some_and(failed);
        let node = self.clone();
        ins.behind.spawn(async move {
            let reason = match &actor {
                Some(actor) => format!("not proven to be {}", actor.name),
                // Without what was typed: it may be a password.
                None => "nobody is called so".to_owned(),
            };
            node.refused(refusal(reason)).await;
            if let Some(actor) = actor.filter(|_| spent) {
                node.lock_out(actor.id, from).await;
            }
        });
        refused()
    }

    /// Locks a user until an administrator unlocks them.
    async fn lock_out(&self, user: Uuid, from: Option<IpAddr>) {
        let locked = self.decide(None, Way::Session, move |context| {
            let events = match admitted(&context.view, user)? {
                true => vec![Event::UserLocked(UserLocked { user, from })],
                false => Vec::new(),
            };
            Ok(Decided::new(events, |_| Ok(())))
        });
        if let Err(error) = locked.await {
            tracing::warn!(%error, "a user could not be locked for good");
        }
    }

    /// Records sessions that ended by themselves.
    pub(crate) async fn ended(&self, ended: Vec<super::Ended>) {
        if ended.is_empty() {
            return;
        }
        let events = ended.into_iter().map(|ended| {
            Event::SignedOut(SignedOut {
                user: ended.user,
                session: ended.id,
                reason: ended.reason,
            })
        });
        let events = events.collect();
        let recorded = self.decide(None, Way::Timer, |_| {
            Ok(Decided::new(events, |_| Ok(())).then(Effect::Recheck))
        });
        if let Err(error) = recorded.await {
            tracing::warn!(%error, "the end of a session could not be recorded");
        }
    }
}

/// The user of an id, who is not disabled; guests only where there is a portal. A record about them that can't be read
/// may say that they are, or that a token of theirs was revoked.
///
/// # Errors
/// [`Error`] where the tables fail.
pub(crate) fn active(view: &View<'_>, id: Uuid) -> Result<Option<User>, Error> {
    let user = view.get(&table::USER, &id)?;
    let active = user.filter(|user| user.disabled_at.is_none() && whole(view, id).is_ok());
    match active {
        Some(guest) if guest.guest() && !settings::of(view)?.disclosure_portal => Ok(None),
        active => Ok(active),
    }
}

/// Whether somebody may sign in.
fn admitted(view: &View<'_>, id: Uuid) -> Result<bool, Error> {
    Ok(active(view, id)?.is_some_and(|user| user.locked_at.is_none()))
}

fn found(view: &View<'_>, journal: &Reader, id: Uuid) -> Result<Option<Found>, Error> {
    let Some(user) = view.get(&table::USER, &id)? else {
        return Ok(None);
    };
    let credential = view.get(&table::CREDENTIAL, &id)?;
    let readable = credential.filter(|_| admitted(view, id).unwrap_or_default());
    let kept = readable.map(|credential| kept(view, journal, credential));
    Ok(Some(Found {
        actor: actor(id, user),
        credential,
        kept: kept.transpose()?.flatten(),
    }))
}

fn kept(view: &View<'_>, journal: &Reader, of: Credential) -> Result<Option<Kept>, Error> {
    let read = |record| history::event(view, journal, record);
    let Event::UserEnrolled(enrolled) = read(of.authenticator)? else {
        return Ok(None);
    };
    let verifier = match of.password == of.authenticator {
        true => enrolled.verifier,
        false => match read(of.password)? {
            Event::PasswordSet(set) => set.verifier,
            _ => return Ok(None),
        },
    };
    let verifier = String::from_utf8(verifier.0).ok();
    Ok(verifier.map(|verifier| Kept {
        verifier,
        key: enrolled.key.0,
        recovery: enrolled.recovery.into_iter().map(|hash| hash.0).collect(),
    }))
}

fn matches(found: Option<&Found>, given: &str) -> bool {
    let kept = found.and_then(|found| found.kept.as_ref());
    let verifier = kept.map_or(password::NOBODY, |kept| kept.verifier.as_str());
    password::verify(verifier, &password::plain(given)) && kept.is_some()
}

fn enrolls(node: &Node, found: Option<&Found>, given: &str) -> Option<Proof> {
    matches(None, given);
    let parts = node.parts();
    let (ins, now) = (&parts.moment.signins, parts.clock.elapsed());
    let right = found.is_some_and(|found| ins.redeem(found.actor.id, given, now));
    right.then_some(Proof::Enrolment)
}

fn signs(found: Option<&Found>, given: &str, code: &str, now: DateTime<Utc>) -> Option<Proof> {
    let right = matches(found, given);
    let (found, kept) = found.and_then(|found| Some((found, found.kept.as_ref()?)))?;
    if !right {
        return None;
    }
    if let Some(step) = totp::matched(&kept.key, code.trim(), now) {
        return Some(Proof::Code(step));
    }
    let hash = totp::hash(found.actor.id, code);
    let place = kept.recovery.iter().position(|kept| *kept == hash.0)?;
    u8::try_from(place).ok().map(Proof::Recovery)
}

/// Whether what was shown counts still: `read` is what it was compared with, `held` what there is now.
fn counts(proof: Proof, read: Option<Credential>, held: Option<Credential>) -> bool {
    match (proof, read, held) {
        (Proof::Enrolment, read, held) => {
            read.map(|read| read.password) == held.map(|held| held.password)
        }
        (_, Some(read), Some(held)) if read.password != held.password => false,
        (Proof::Code(step), _, Some(held)) => step > held.step,
        (Proof::Recovery(place), _, Some(held)) => held.used & (1 << place) == 0,
        (_, _, None) => false,
    }
}

fn actor(id: Uuid, user: User) -> Actor {
    Actor {
        id,
        name: user.name,
        badge: user.badge,
    }
}

fn refused() -> Error {
    let message = "nobody is signed in by that";
    Error::new(ErrorKind::Forbidden, message)
        .hint("check name, password and code; each code counts once, the next one comes within 30 seconds")
        .hint("after too many wrong tries an administrator has to help: interdocket user unlock USER")
}

fn refusal(reason: String) -> Refused {
    Refused {
        partner: None,
        action: "sign-in".to_owned(),
        share: None,
        link: None,
        reason,
        count: 1,
    }
}

fn stopping(_: tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::Unavailable, "the node is stopping")
}

/// What every secret of a session begins with, so that one that leaked is recognised.
const PREFIX: &str = "interdocket_session_";
