//! Signing in: what people and their administrators do so that it can be told who calls.
//!
//! Signing in itself is no action, as nobody calls yet: it is in `signin/prove`. Secrets of requests are in no record
//! but as what is kept of them, and have no `Debug`.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::decide::{Context, Decided, Effect, broken};
use super::{Caller, Change, Error, ErrorKind, Run, people, role, settings, user};
use crate::chance;
use crate::event::{Event, PasswordSet, Secret, SignedOut, SignedOutFor, UserEnrolled};
use crate::node::Node;
use crate::signin::{Pending, Stage, password, prove, totp};
use crate::store::table;
use crate::store::view::View;

/// Signs somebody in. With a code: whoever enrolled. Without: whoever is to enrol, the password being the code that an
/// administrator had made; all that they can do then is that.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// The user: name, e-mail address or number on the badge.
    pub user: String,
    /// The password, or the code for enrolling.
    pub password: String,
    /// The code that the authenticator shows, or a recovery code; left out for enrolling.
    #[serde(default)]
    pub code: String,
}

/// Somebody is signed in.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct SignedIn {
    /// What the caller sends as `Authorization: Bearer ...`.
    pub secret: String,
    /// Whether all that it is good for is to enrol.
    pub enrolling: bool,
    /// After so many seconds without a call it is over.
    pub idle_seconds: u64,
    /// It is over then, whatever was called.
    pub ends_at: DateTime<Utc>,
}

/// What is shown before anybody signs in.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Banner {
    /// The text.
    pub text: String,
}

/// Makes a code with which a user enrols: sets a password and an authenticator, in place of those before.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Enrol {
    /// The user: name, e-mail address, number on the badge, or id.
    pub user: String,
}

/// A code with which a user enrols, shown once.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Enrolment {
    /// The user's id.
    pub user: Uuid,
    /// What they sign in with in place of a password, once.
    pub code: String,
    /// When it stops being valid.
    pub expires_at: DateTime<Utc>,
}

/// Unlocks a user, who was locked after too many wrong tries.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Unlock {
    /// The user: name, e-mail address, number on the badge, or id.
    pub user: String,
}

/// Begins to enrol, with a new password: gives what an authenticator is set up with. Nothing counts before it is
/// confirmed.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Begin {
    /// At least 8 characters, of any kind; best are several words.
    pub password: String,
}

/// What an authenticator is set up with, shown once.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Authenticator {
    /// To be shown as a picture that an authenticator reads.
    pub uri: String,
    /// To be typed into one that can't read it: base32.
    pub key: String,
}

/// Ends enrolling: shows that the authenticator works. Whoever did so is signed in.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Confirm {
    /// The code that the authenticator shows.
    pub code: String,
}

/// Codes that count once each in place of the authenticator's, shown once.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Recovery {
    /// To be kept where nobody else finds them.
    pub codes: Vec<String>,
}

/// Sets another password. Whoever is signed in as the same user elsewhere has to sign in again.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct SetPassword {
    /// The password until now.
    pub old: String,
    /// At least 8 characters, of any kind; best are several words.
    pub new: String,
}

/// Signs out: what the caller was given when signing in proves nothing any more.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct SignOut {}

/// It is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Done {}

impl Change for Enrol {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<Enrolment>, Error> {
        let (user, found) = people::user(&context.view, &self.user)?;
        people::able(&found)?;
        if found.locked_at.is_some() {
            let message = format!("{} is locked after too many wrong tries", found.name);
            return Err(Error::new(ErrorKind::Conflict, message)
                .hint("unlock them first: interdocket user unlock USER"));
        }
        // Whoever holds the code becomes that user.
        context.grants(&role::held(&context.view, &found.role)?)?;
        let mut bytes = [0; CODE_BYTES];
        (context.chance)(&mut bytes);
        let life = chrono::TimeDelta::from_std(crate::signin::CODE_LIFE);
        let enrolment = Enrolment {
            user,
            code: totp::grouped(&bytes),
            expires_at: context.now + life.unwrap_or_default(),
        };
        let events = vec![Event::EnrolmentMade(user)];
        Ok(Decided::new(events, |_| Ok(enrolment)))
    }
}

impl Run for Enrol {
    async fn run(self, node: &Node, caller: &Caller) -> Result<Enrolment, Error> {
        let enrolment = node.change(caller, self).await?;
        let now = node.parts().clock.elapsed();
        let ins = &node.parts().moment.signins;
        ins.issue(enrolment.user, &enrolment.code, now);
        Ok(enrolment)
    }
}

impl Change for Unlock {
    fn decide(self, context: &mut Context<'_>) -> Result<Decided<user::User>, Error> {
        let (id, found) = people::user(&context.view, &self.user)?;
        context.grants(&role::held(&context.view, &found.role)?)?;
        let events = match found.locked_at {
            Some(_) => vec![Event::UserUnlocked(id)],
            None => Vec::new(),
        };
        Ok(Decided::new(events, move |view| user::shown(view, id)))
    }
}

impl Run for Unlock {
    async fn run(self, node: &Node, caller: &Caller) -> Result<user::User, Error> {
        let unlocked = node.change(caller, self).await?;
        node.parts().moment.signins.forgive(unlocked.id);
        Ok(unlocked)
    }
}

impl Run for Begin {
    async fn run(self, node: &Node, caller: &Caller) -> Result<Authenticator, Error> {
        node.permit(caller, &self).await?;
        let (session, _) = enrolling(node, caller)?;
        let user = caller.actor.id;
        let (known, organisation) = node.read(move |view| known(view, user)).await?;
        let password = password::taken(&self.password, &known)?;
        let pending = Pending {
            verifier: node.verifier(password).await?,
            key: chance::bytes(),
        };
        let shown = Authenticator {
            uri: totp::uri(&pending.key, &organisation, &caller.actor.name),
            key: totp::typed(&pending.key),
        };
        node.parts().moment.signins.choose(session, pending);
        Ok(shown)
    }
}

impl Run for Confirm {
    async fn run(self, node: &Node, caller: &Caller) -> Result<Recovery, Error> {
        node.permit(caller, &self).await?;
        let (session, pending) = enrolling(node, caller)?;
        let Some(pending) = pending else {
            let message = "no password was chosen yet";
            return Err(Error::new(ErrorKind::Conflict, message).hint("begin with enrolment.begin"));
        };
        node.read(crate::node::timely).await?;
        let now = node.parts().clock.now();
        let Some(step) = totp::matched(&pending.key, self.code.trim(), now) else {
            let message = "that is not the code of this authenticator at this moment";
            return Err(Error::new(ErrorKind::Invalid, message)
                .hint("take the code that it shows now; its clock has to be right"));
        };
        let user = caller.actor.id;
        let codes: Vec<String> = (0..RECOVERY_CODES)
            .map(|_| totp::grouped(&chance::bytes::<RECOVERY_BYTES>()))
            .collect();
        let hashes = codes.iter().map(|code| totp::hash(user, code));
        let enrolled = UserEnrolled {
            user,
            verifier: Secret(pending.verifier.into_bytes()),
            key: Secret(pending.key.to_vec()),
            recovery: hashes.map(|hash| Secret(hash.0.to_vec())).collect(),
            step,
        };
        renew(node, caller, session, Event::UserEnrolled(enrolled)).await?;
        Ok(Recovery { codes })
    }
}

impl Run for SetPassword {
    async fn run(self, node: &Node, caller: &Caller) -> Result<Done, Error> {
        node.permit(caller, &self).await?;
        let session = caller.session.ok_or_else(unsigned)?;
        let ins = &node.parts().moment.signins;
        if !matches!(ins.stage(session), Some(Stage::Full)) {
            return Err(unsigned());
        }
        let user = caller.actor.id;
        password::bounded(&self.old)?;
        let (known, _) = node.read(move |view| known(view, user)).await?;
        let password = password::taken(&self.new, &known)?;
        let found = node.found(user).await?;
        let found = found.ok_or_else(|| broken("a user is missing"))?;
        // Whoever finds a screen unlocked could guess here as well.
        let right = ins.begin(user, node.parts().clock.elapsed())
            && node.has_password(found.clone(), self.old).await?;
        if !right {
            node.unproven(Some(found), None);
            let message = "that is not your password until now";
            return Err(Error::new(ErrorKind::Forbidden, message).hint(
                "if you forgot it, have an administrator make a code: interdocket user enrol USER",
            ));
        }
        ins.forgive(user);
        let verifier = Secret(node.verifier(password).await?.into_bytes());
        let set = PasswordSet { user, verifier };
        renew(node, caller, session, Event::PasswordSet(set)).await?;
        Ok(Done {})
    }
}

impl Run for SignOut {
    async fn run(self, node: &Node, caller: &Caller) -> Result<Done, Error> {
        node.permit(caller, &self).await?;
        let session = caller.session.ok_or_else(unsigned)?;
        if !node.parts().moment.signins.end(session) {
            return Err(unsigned());
        }
        let out = SignedOut {
            user: caller.actor.id,
            session,
            reason: SignedOutFor::Asked,
        };
        node.decide(Some(caller.actor.clone()), caller.way, |_| {
            let decided = Decided::new(vec![Event::SignedOut(out)], |_| Ok(Done {}));
            Ok(decided.then(Effect::Recheck))
        })
        .await
    }
}

/// Records what a user has chosen anew; their session goes on with it, and no other one of theirs.
async fn renew(node: &Node, caller: &Caller, session: Uuid, event: Event) -> Result<(), Error> {
    let user = caller.actor.id;
    let decided = node.decide(Some(caller.actor.clone()), caller.way, move |context| {
        prove::active(&context.view, user)?.ok_or_else(unsigned)?;
        Ok(Decided::new(vec![event], move |view| {
            let credential = view.get(&table::CREDENTIAL, &user)?;
            credential.ok_or_else(|| broken("what a user signs in with is missing"))
        })
        .then(Effect::Recheck))
    });
    let credential = decided.await?;
    let ins = &node.parts().moment.signins;
    ins.renewed(session, credential.password);
    Ok(())
}

/// The session of somebody who enrols, and what they have chosen so far.
fn enrolling(node: &Node, caller: &Caller) -> Result<(Uuid, Option<Pending>), Error> {
    let session = caller.session.ok_or_else(unsigned)?;
    match node.parts().moment.signins.stage(session) {
        Some(Stage::Enrolling(pending)) => Ok((session, pending)),
        Some(Stage::Full) => {
            let message = "you enrolled already";
            Err(Error::new(ErrorKind::Conflict, message).hint(
                "for another authenticator have an administrator make a code: interdocket user enrol USER",
            ))
        }
        None => Err(unsigned()),
    }
}

fn unsigned() -> Error {
    let message = "only somebody who signed in does that";
    Error::new(ErrorKind::Conflict, message).hint("sign in: POST /v0/sign-in")
}

/// What others know of a user, and what their organisation is called.
fn known(view: &View<'_>, id: Uuid) -> Result<(Vec<String>, String), Error> {
    let user = view.get(&table::USER, &id)?;
    let user = user.ok_or_else(|| broken("a user is missing"))?;
    let node = view.get(&table::NODE, &())?;
    let node = node.ok_or_else(|| broken("the node's own record is missing"))?;
    let known = vec![user.name, user.email, user.badge, node.name.clone()];
    Ok((known, node.name))
}

/// What is shown before anybody signs in.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn banner(view: &View<'_>) -> Result<Banner, Error> {
    let text = settings::of(view)?.banner;
    let text = match text.is_empty() {
        true => BANNER.to_owned(),
        false => text,
    };
    Ok(Banner { text })
}

/// CJIS AC-8-a: restricted; monitored, recorded and audited; penalties; consent.
const BANNER: &str = "You are about to use a restricted information system. What you do here is monitored, \
    recorded and subject to audit. Unauthorised use is prohibited and may be punished. Going on means \
    that you consent to being monitored and recorded.";
/// CJIS IA-5-n-21 asks for 6 letters or digits; these are 12.
const CODE_BYTES: usize = 7;
const RECOVERY_CODES: usize = 10;
/// CJIS IA-5(1)(b)-2 asks for 20 bits; of 112 and more a plain hash is kept. These are 24 letters or digits.
const RECOVERY_BYTES: usize = 15;
