//! Signing in: what a node keeps of it while it runs.
//!
//! Invariant: nothing here outlives the process, and all of it is bounded. A secret is kept as its hash. A try counts
//! as wrong before what was given is looked at: tries that come at once would all be looked at else.
//! Not here: who may do what, and what is on record (`actions/signin`).

pub mod networks;
pub mod password;
pub mod prove;
pub mod totp;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use interdocket_sync::blob::Sha256;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use self::networks::{Networks, WINDOW};
use crate::actions::{Error, ErrorKind};
use crate::event::SignedOutFor;

/// What is kept of signing in.
pub struct SignIns {
    held: Mutex<Held>,
    /// Wrong tries, from where.
    pub(crate) networks: Networks,
    places: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    /// What is recorded behind answers.
    pub(crate) behind: TaskTracker,
}

#[derive(Default)]
struct Held {
    /// Tries of users, on the clock that does not jump, whatever came of them.
    tries: BTreeMap<Uuid, Vec<Duration>>,
    /// Those that were wrong.
    fails: BTreeMap<Uuid, Vec<Duration>>,
    codes: BTreeMap<Uuid, Code>,
    sessions: BTreeMap<Uuid, Session>,
    seen: BTreeMap<Uuid, DateTime<Utc>>,
}

/// A code with which somebody enrols.
struct Code {
    hash: Sha256,
    ends: Duration,
}

/// Somebody who is signed in.
struct Session {
    hash: Sha256,
    user: Uuid,
    began: Duration,
    used: Duration,
    /// The record of the password that it was begun with; none where the user had none yet.
    password: Option<u64>,
    stage: Stage,
}

/// What a session is for.
#[derive(Clone)]
pub enum Stage {
    /// Whatever the role allows.
    Full,
    /// Setting a password and an authenticator, and nothing else; what was chosen so far.
    Enrolling(Option<Pending>),
}

/// What somebody who enrols has chosen.
#[derive(Clone)]
pub struct Pending {
    /// What is kept of the password.
    pub verifier: String,
    /// What their authenticator makes codes of.
    pub key: totp::Key,
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pending")
    }
}

/// A session that is open.
pub struct Open {
    /// Names it on record.
    pub id: Uuid,
    /// Whose it is.
    pub user: Uuid,
    /// The record of the password that it was begun with.
    pub password: Option<u64>,
    /// Whether it is for enrolling only.
    pub enrolling: bool,
}

/// A session that ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Ended {
    /// Which.
    pub id: Uuid,
    /// Whose it was.
    pub user: Uuid,
    /// Why.
    pub reason: SignedOutFor,
}

/// A place for computing what is kept of a password.
pub struct Place {
    _place: OwnedSemaphorePermit,
}

impl Default for SignIns {
    fn default() -> Self {
        Self {
            held: Mutex::default(),
            networks: Networks::default(),
            places: Arc::new(Semaphore::new(PLACES)),
            waiting: Arc::new(Semaphore::new(WAITING)),
            behind: TaskTracker::new(),
        }
    }
}

impl SignIns {
    /// Waits for a place for computing what is kept of a password: each takes memory and a processor.
    ///
    /// # Errors
    /// `Unavailable` where too many wait already.
    pub async fn place(&self) -> Result<Place, Error> {
        let busy = || {
            let message = "too many people sign in at this moment";
            Error::new(ErrorKind::Unavailable, message).hint("try again in a few seconds")
        };
        let _waiting = self.waiting.try_acquire().map_err(|_| busy())?;
        let place = Arc::clone(&self.places).acquire_owned().await;
        place
            .map(|place| Place { _place: place })
            .map_err(|_| busy())
    }

    /// Takes every place: whoever comes now waits.
    #[cfg(test)]
    pub(crate) fn crowd(&self) -> Vec<Place> {
        let place = || Arc::clone(&self.places).try_acquire_owned().ok();
        std::iter::from_fn(place)
            .map(|place| Place { _place: place })
            .collect()
    }

    /// How many wait for a place.
    #[cfg(test)]
    pub(crate) fn queued(&self) -> usize {
        WAITING - self.waiting.available_permits()
    }

    /// Counts a try of a user, as if it were wrong; false where there were too many, and it is not to be looked at.
    pub fn begin(&self, user: Uuid, now: Duration) -> bool {
        let mut held = self.lock();
        let tries = held.tries.entry(user).or_default();
        tries.retain(|at| now.saturating_sub(*at) < WINDOW);
        let admitted = tries.len() < TRIES_MAX;
        if admitted {
            tries.push(now);
        }
        admitted
    }

    /// Counts a try of a user that was wrong; true where there were so many that they are to be locked. A right one that
    /// is being looked at meanwhile is none of them.
    pub fn failed(&self, user: Uuid, now: Duration) -> bool {
        let mut held = self.lock();
        let fails = held.fails.entry(user).or_default();
        fails.retain(|at| now.saturating_sub(*at) < WINDOW);
        if fails.len() < TRIES_MAX {
            fails.push(now);
        }
        fails.len() == TRIES_MAX
    }

    /// Forgets the wrong tries of a user.
    pub fn forgive(&self, user: Uuid) {
        let mut held = self.lock();
        held.tries.remove(&user);
        held.fails.remove(&user);
    }

    /// Takes a code with which a user enrols, in place of one before.
    pub fn issue(&self, user: Uuid, code: &str, now: Duration) {
        let hash = totp::hash(user, code);
        let ends = now + CODE_LIFE;
        let mut held = self.lock();
        held.codes.retain(|_, code| now < code.ends);
        held.codes.insert(user, Code { hash, ends });
    }

    /// Whether this is the code with which a user enrols. It is used up by that.
    pub fn redeem(&self, user: Uuid, code: &str, now: Duration) -> bool {
        let mut held = self.lock();
        let right = held
            .codes
            .get(&user)
            .is_some_and(|held| now < held.ends && held.hash == totp::hash(user, code));
        if right {
            held.codes.remove(&user);
        }
        right
    }

    /// Opens a session under the hash of its secret; gives what ended for it.
    pub fn open(
        &self,
        hash: Sha256,
        user: Uuid,
        password: Option<u64>,
        enrolling: bool,
        now: Duration,
    ) -> Option<Ended> {
        let stage = match enrolling {
            true => Stage::Enrolling(None),
            false => Stage::Full,
        };
        let session = Session {
            hash,
            user,
            began: now,
            used: now,
            password,
            stage,
        };
        let mut held = self.lock();
        let own = held
            .sessions
            .iter()
            .filter(|(_, session)| session.user == user);
        let many = own.clone().count() >= SESSIONS_MAX;
        let oldest = own
            .min_by_key(|(_, session)| session.used)
            .map(|(id, _)| *id);
        let replaced = oldest.filter(|_| many);
        if let Some(id) = replaced {
            held.sessions.remove(&id);
        }
        held.sessions.insert(id(&hash), session);
        replaced.map(|id| Ended {
            id,
            user,
            reason: SignedOutFor::Replaced,
        })
    }

    /// The open session of a secret with this hash; being asked for keeps it open.
    pub fn session(&self, hash: &Sha256, now: Duration) -> Option<Open> {
        let id = id(hash);
        let mut held = self.lock();
        let session = held.sessions.get_mut(&id)?;
        if session.hash != *hash || session.over(now).is_some() {
            return None;
        }
        session.used = now;
        Some(Open {
            id,
            user: session.user,
            password: session.password,
            enrolling: matches!(session.stage, Stage::Enrolling(_)),
        })
    }

    /// What a session is for; none where it is not open.
    pub fn stage(&self, id: Uuid) -> Option<Stage> {
        let held = self.lock();
        held.sessions.get(&id).map(|session| session.stage.clone())
    }

    /// Keeps what somebody who enrols has chosen.
    pub fn choose(&self, id: Uuid, pending: Pending) {
        if let Some(session) = self.lock().sessions.get_mut(&id)
            && let Stage::Enrolling(chosen) = &mut session.stage
        {
            *chosen = Some(pending);
        }
    }

    /// Goes on with a session whose user has a new password, on this record: all others of theirs are over.
    pub fn renewed(&self, id: Uuid, password: u64) {
        if let Some(session) = self.lock().sessions.get_mut(&id) {
            session.password = Some(password);
            session.stage = Stage::Full;
        }
    }

    /// Ends a session; whether it was open.
    pub fn end(&self, id: Uuid) -> bool {
        self.lock().sessions.remove(&id).is_some()
    }

    /// Ends sessions that are over by time, or whose user may not go on as `holds` says; gives some of them.
    pub fn sweep(&self, now: Duration, holds: impl Fn(Uuid, Option<u64>) -> bool) -> Vec<Ended> {
        let mut held = self.lock();
        let over = |session: &Session| match session.over(now) {
            None if !holds(session.user, session.password) => Some(SignedOutFor::Stopped),
            over => over,
        };
        let found = held.sessions.iter().filter_map(|(id, session)| {
            Some(Ended {
                id: *id,
                user: session.user,
                reason: over(session)?,
            })
        });
        let ended: Vec<Ended> = found.take(SWEPT).collect();
        for ended in &ended {
            held.sessions.remove(&ended.id);
        }
        ended
    }

    /// Notes that a user called.
    pub fn called(&self, user: Uuid, now: DateTime<Utc>) {
        self.lock().seen.insert(user, now);
    }

    /// When users called last, since this was asked before.
    pub fn seen(&self) -> BTreeMap<Uuid, DateTime<Utc>> {
        std::mem::take(&mut self.lock().seen)
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    fn over(&self, now: Duration) -> Option<SignedOutFor> {
        let life = match self.stage {
            Stage::Full => LIFE,
            Stage::Enrolling(_) => ENROLLING_LIFE,
        };
        if now.saturating_sub(self.began) >= life {
            return Some(SignedOutFor::Age);
        }
        (now.saturating_sub(self.used) >= IDLE).then_some(SignedOutFor::Idle)
    }
}

/// What names a session on record: half of a hash, from which nobody has the secret.
fn id(hash: &Sha256) -> Uuid {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.0[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// CJIS AC-7: wrong tries within `WINDOW`.
const TRIES_MAX: usize = 5;
/// CJIS AC-11: a session ends without a call.
pub const IDLE: Duration = Duration::from_secs(30 * 60);
/// CJIS IA-5-j-10: people prove again who they are.
pub const LIFE: Duration = Duration::from_secs(12 * 3600);
/// Time to set up an authenticator.
const ENROLLING_LIFE: Duration = Duration::from_secs(15 * 60);
/// CJIS IA-5-n-22.
pub const CODE_LIFE: Duration = Duration::from_secs(5 * 60);
/// Sessions of one user: a person has some devices.
const SESSIONS_MAX: usize = 8;
/// Sessions that end together: one group of records.
const SWEPT: usize = 256;
/// Passwords that are computed at once: each takes 19 MiB.
const PLACES: usize = 4;
/// Those that wait and those that are computed; the last one waits some two seconds.
const WAITING: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn open(ins: &SignIns, secret: u8, now: Duration) -> (Sha256, Option<Ended>) {
        let hash = Sha256([secret; 32]);
        (hash, ins.open(hash, Uuid::nil(), Some(7), false, now))
    }

    /// CJIS AC-7
    #[test]
    fn the_sixth_try_within_a_quarter_of_an_hour_is_not_looked_at() {
        let (ins, user) = (SignIns::default(), Uuid::from_u128(1));
        for at in 0..5 {
            assert!(ins.begin(user, MINUTE * at));
        }
        assert!(!ins.begin(user, MINUTE * 14));
        assert!(
            ins.begin(user, MINUTE * 15),
            "the first one is too long ago"
        );
        assert!(!ins.begin(user, MINUTE * 15));
        assert!(
            ins.begin(Uuid::from_u128(2), MINUTE * 15),
            "others are not concerned"
        );
        ins.forgive(user);
        assert!(ins.begin(user, MINUTE * 15));
    }

    /// Somebody who mistyped four times and is right now is not locked by what is recorded late.
    ///
    /// CJIS AC-7
    #[test]
    fn five_wrong_tries_lock_and_a_right_one_is_none_of_them() {
        let (ins, user) = (SignIns::default(), Uuid::from_u128(1));
        for at in 0..4 {
            assert!(ins.begin(user, MINUTE * at));
            assert!(!ins.failed(user, MINUTE * at));
        }
        assert!(ins.begin(user, MINUTE * 4), "the right one is looked at");
        ins.forgive(user);
        for at in 5..9 {
            assert!(!ins.failed(user, MINUTE * at));
        }
        assert!(ins.failed(user, MINUTE * 9));
        assert!(ins.failed(user, MINUTE * 10), "for as long as it counts");
        assert!(!ins.failed(user, MINUTE * 30));
    }

    /// CJIS AC-11, IA-5-j-10
    #[test]
    fn a_session_ends_after_half_an_hour_without_a_call_and_after_twelve_hours_with_calls() {
        let ins = SignIns::default();
        let (idle, _) = open(&ins, 1, Duration::ZERO);
        assert!(ins.session(&idle, MINUTE * 29).is_some());
        assert!(ins.session(&idle, MINUTE * 58).is_some());
        assert!(ins.session(&idle, MINUTE * 88).is_none());
        let (busy, _) = open(&ins, 2, Duration::ZERO);
        for minute in (0..720).step_by(20) {
            assert!(ins.session(&busy, MINUTE * minute).is_some());
        }
        assert!(ins.session(&busy, MINUTE * 720).is_none());
        let mut reasons: Vec<SignedOutFor> = ins
            .sweep(MINUTE * 720, |_, _| true)
            .into_iter()
            .map(|ended| ended.reason)
            .collect();
        reasons.sort_unstable();
        assert_eq!(reasons, [SignedOutFor::Age, SignedOutFor::Age]);
    }

    #[test]
    fn one_more_session_than_a_user_may_have_ends_the_one_that_was_not_used_longest() {
        let ins = SignIns::default();
        let hashes: Vec<Sha256> = (1..=8)
            .map(|secret| open(&ins, secret, MINUTE * secret.into()).0)
            .collect();
        assert!(ins.session(&hashes[0], MINUTE * 9).is_some());
        let (_, ended) = open(&ins, 9, MINUTE * 10);
        assert_eq!(ended.unwrap().id, id(&hashes[1]));
        assert!(ins.session(&hashes[0], MINUTE * 10).is_some());
        assert!(ins.session(&hashes[1], MINUTE * 10).is_none());
    }

    #[test]
    fn a_code_enrols_once_within_five_minutes() {
        let (ins, user) = (SignIns::default(), Uuid::from_u128(1));
        ins.issue(user, "ABCD-EFGH-2345", MINUTE);
        assert!(!ins.redeem(user, "ABCD-EFGH-2346", MINUTE));
        assert!(!ins.redeem(Uuid::from_u128(2), "ABCD-EFGH-2345", MINUTE));
        assert!(ins.redeem(user, "abcd efgh 2345", MINUTE * 5));
        assert!(!ins.redeem(user, "ABCD-EFGH-2345", MINUTE * 5));
        ins.issue(user, "ABCD-EFGH-2345", MINUTE);
        assert!(!ins.redeem(user, "ABCD-EFGH-2345", MINUTE * 6));
    }

    /// A flood of people who sign in takes no more memory than so many at once.
    #[tokio::test]
    async fn who_finds_too_many_waiting_is_told_to_come_back() {
        let ins = SignIns::default();
        let mut places = Vec::new();
        for _ in 0..PLACES {
            places.push(
                ins.place()
                    .await
                    .unwrap_or_else(|_| panic!("there is room")),
            );
        }
        let mut waiting = Vec::new();
        for _ in 0..WAITING {
            let mut next = Box::pin(ins.place());
            let ready = futures_util::future::poll_immediate(next.as_mut()).await;
            assert!(ready.is_none());
            waiting.push(next);
        }
        let refused = ins.place().await.err().unwrap();
        assert_eq!(refused.kind, ErrorKind::Unavailable);
        places.pop();
        assert!(waiting.remove(0).await.is_ok());
    }
}
