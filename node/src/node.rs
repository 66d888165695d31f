//! The node as a whole: the one door to its actions, and what they stand on.
//!
//! Starting and stopping it is in `run`; what it decides is in `actions`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use interdocket_sync::blob::Digest;
use interdocket_sync::id::ShareId;
use interdocket_sync::identity::{OrganisationId, Signer};
use interdocket_sync::log::Point;
use interdocket_sync::refusal::Refusal;
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinError;

use crate::access::{self, Permission, Permissions};
use crate::actions::decide::{Context, Decided, Effect, broken};
use crate::actions::partner::OrganisationRole;
use crate::actions::people::OWNER;
use crate::actions::reach;
use crate::actions::{
    About, Action, Actor, Caller, Change, Error, ErrorKind, Progress, Query, Way,
};
use crate::blobs::Blobs;
use crate::bringing::Bringing;
use crate::clock::Clock;
use crate::config::Config;
use crate::event::{Entry, Event, Refused};
use crate::federation::Transport;
use crate::federation::allowance::Allowances;
use crate::journal::{Head, Reader};
use crate::keyring::{KeyId, Keyring};
use crate::keys::{Keys, Leaf, Pins};
use crate::leases::Leases;
use crate::links::Links;
use crate::looks::Looks;
use crate::metrics::Metrics;
use crate::refusals::Refusals;
use crate::rules;
use crate::seal::Seal;
use crate::sessions::Sessions;
use crate::signin::{SignIns, Stage};
use crate::store::table;
use crate::store::view::{Store, View};
use crate::threads;
use crate::writer::{Queue, Stopped, Turn};

/// A running node; clones are the same one.
#[derive(Clone)]
pub struct Node(Arc<Parts>);

/// What a node stands on.
pub struct Parts {
    /// The tables.
    pub store: Store,
    /// Where changes are handed in.
    pub queue: Queue,
    /// The journal, for reading.
    pub journal: Reader,
    /// The keys of bodies, and those that this node lends.
    pub keyring: Arc<Keyring>,
    /// The evidence bytes.
    pub blobs: Blobs,
    /// This organisation's keys.
    pub keys: Arc<Keys>,
    /// What the API presents.
    pub https: Arc<Leaf>,
    /// The partners' roots that count.
    pub pins: Pins,
    /// Connections with partners.
    pub transport: Transport,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Figures.
    pub metrics: Metrics,
    /// What the administrator set.
    pub config: Config,
    /// The data directory.
    pub data: PathBuf,
    /// What only lives as long as the process.
    pub moment: Moment,
}

/// What only lives as long as the process.
#[derive(Default)]
pub struct Moment {
    refusals: Refusals,
    seen: Mutex<BTreeMap<OrganisationId, Seen>>,
    /// The keys that partners lend to this node.
    pub leases: Leases,
    /// Who is signed in, and who tried to.
    pub signins: SignIns,
    /// The read sessions that people at partners have open here.
    pub sessions: Sessions,
    /// How often guests looked.
    pub(crate) looks: Looks,
    /// The downloads that are under way.
    pub links: Links,
    /// How much more of what partners send is kept in this hour.
    pub(crate) allowances: Allowances,
    doubts: Mutex<BTreeSet<(ShareId, Digest)>>,
    /// One for each that waits, so that they are woken in the order in which they came.
    doors: Mutex<BTreeMap<OrganisationId, Vec<watch::Sender<Knocks>>>>,
    partners: Notify,
    judged: AtomicU64,
    /// Held while it is looked whether the clock jumped: one look at a time finds a jump once.
    pub looking: tokio::sync::Mutex<()>,
    /// Who brings bytes, so that none are deleted before what names them is recorded.
    pub bringing: Bringing,
}

/// How often those who drive a partner were woken, by why.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Knocks {
    /// There may be something to do with it.
    pub wakes: u64,
    /// It should learn that something changed here: it is to be greeted anew.
    pub news: u64,
    /// It greeted this node.
    pub greetings: u64,
}

/// What was last seen of a partner.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// When it was last heard from.
    pub heard: Option<DateTime<Utc>>,
    /// The release that its node runs.
    pub version: Option<String>,
    /// Its incarnation, as it says.
    pub incarnation: Option<u64>,
    /// How far its clock is ahead of this node's.
    pub skew: Option<TimeDelta>,
    /// The shares of which it refused what it was sent last, and why.
    pub refused: BTreeMap<ShareId, Refusal>,
}

impl Node {
    /// A node of these parts.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// What it stands on.
    pub fn parts(&self) -> &Parts {
        &self.0
    }

    /// Runs an action that changes something.
    ///
    /// # Errors
    /// [`Error`] of permissions, of the decision, or of storage.
    pub async fn change<A: Change>(&self, caller: &Caller, action: A) -> Result<A::Reply, Error> {
        self.permit(caller, &action).await?;
        let (who, about) = (caller.clone(), action.about());
        self.decide(Some(caller.actor.clone()), caller.way, move |context| {
            reach::check(&context.view, &who, A::NAME, &about)?;
            context.held = who.permissions;
            decided(action, context)
        })
        .await
    }

    /// Runs an action that only reads.
    ///
    /// # Errors
    /// [`Error`] of permissions, or where there is no such thing.
    pub async fn query<A: Query>(&self, caller: &Caller, action: A) -> Result<A::Reply, Error> {
        self.permit(caller, &action).await?;
        let (who, now) = (caller.clone(), self.0.clock.now());
        self.read(move |view| action.answer(view, &who, now)).await
    }

    /// Refuses, and records, what the caller's role does not allow and what is out of the caller's reach.
    ///
    /// # Errors
    /// `Forbidden` and `NotFound`.
    pub async fn permit<A: Action>(&self, caller: &Caller, action: &A) -> Result<(), Error> {
        self.permit_to(caller, A::NAME, action.about()).await
    }

    /// The same for an action by its name.
    ///
    /// # Errors
    /// `Forbidden` and `NotFound`.
    pub async fn permit_to(
        &self,
        caller: &Caller,
        action: &str,
        about: About,
    ) -> Result<(), Error> {
        let refused = |share, reason| Refused {
            partner: None,
            action: action.to_owned(),
            share,
            link: None,
            reason,
            count: 1,
        };
        let name = &caller.actor.name;
        let role = self.role()?;
        if let Err(denied) = access::check(&caller.permissions, action, role) {
            self.refused(refused(None, format!("forbidden to {name}: {denied}")))
                .await;
            let stage = |session| self.parts().moment.signins.stage(session);
            if let Some(Stage::Enrolling(_)) = caller.session.and_then(stage) {
                let message = format!("enrol first: {action} comes after that");
                return Err(Error::new(ErrorKind::Forbidden, message)
                    .hint("choose a password: POST /v0/enrolment")
                    .hint("then show that the authenticator works: POST /v0/enrolment/confirm"));
            }
            let message = format!("your role does not allow {action}: {denied}");
            return Err(
                Error::new(ErrorKind::Forbidden, message).hint("ask an administrator of this node")
            );
        }
        if rules::timed(action) {
            self.read(timely).await?;
        }
        if about == About::Nothing || access::reaches_all(&caller.permissions) {
            return Ok(());
        }
        let share = match about {
            About::Share(share) => Some(share),
            _ => None,
        };
        let who = caller.clone();
        let asked = action.to_owned();
        let reached = self.read(move |view| Ok(reach::check(view, &who, &asked, &about)));
        let reached = reached.await?;
        if let Err(error) = &reached {
            // Without what was asked for: callers choose that, and each other text would be a record of its own.
            let reason = match error.kind {
                ErrorKind::Forbidden => format!("only some people change that, and not {name}"),
                _ => format!("nothing that {name} reaches"),
            };
            self.refused(refused(share, reason)).await;
        }
        reached
    }

    /// What this organisation does.
    fn role(&self) -> Result<OrganisationRole, Error> {
        let node = self.0.store.read().view().get(&table::NODE, &())?;
        let node = node.ok_or_else(|| broken("the node's own record is missing"))?;
        Ok(node.role)
    }

    /// Records a refusal, unless the same one was just recorded.
    pub async fn refused(&self, refused: Refused) {
        if let Some(first) = self.0.moment.refusals.take(refused, self.0.clock.now()) {
            self.note(first).await;
        }
    }

    /// Records the refusals that were repeated.
    pub async fn tidy(&self) {
        for refused in self.0.moment.refusals.due(self.0.clock.now()) {
            self.note(refused).await;
        }
    }

    async fn note(&self, refused: Refused) {
        let noted = self
            .decide(None, Way::Timer, move |_| {
                Ok(Decided::new(vec![Event::Refused(refused)], |_| Ok(())))
            })
            .await;
        if let Err(error) = noted {
            tracing::warn!(%error, "a refusal could not be recorded");
        }
    }

    /// Reads the tables on a thread that may block.
    ///
    /// # Errors
    /// Those of `read`.
    pub async fn read<R: Send + 'static>(
        &self,
        read: impl FnOnce(&View<'_>) -> Result<R, Error> + Send + 'static,
    ) -> Result<R, Error> {
        let store = self.0.store.clone();
        done(threads::run(move || read(&store.read().view())).await)
    }

    /// Runs something that blocks on a thread that may.
    ///
    /// # Errors
    /// Those of `work`.
    pub async fn blocking<R: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<R, Error> + Send + 'static,
    ) -> Result<R, Error> {
        done(threads::spawn(work).await)
    }

    /// Takes a decision in its turn; answers when it is durable and its effects have begun.
    ///
    /// # Errors
    /// Those of the decision; `Unavailable` where it could not be made durable.
    pub async fn decide<R: Send + 'static>(
        &self,
        actor: Option<Actor>,
        way: Way,
        decide: impl FnOnce(&mut Context<'_>) -> Result<Decided<R>, Error> + Send + 'static,
    ) -> Result<R, Error> {
        let (tell, told) = oneshot::channel();
        let node = self.clone();
        let job = Box::new(move |turn: &mut Turn<'_>| {
            let signer = node.0.keys.signer();
            turn.not_before(signer.begins());
            let decided = self::turn(turn, &signer, actor, way, decide);
            let done: crate::writer::Done = Box::new(move |outcome| {
                let answer = match (decided, outcome) {
                    (Err(error), _) => Err(error),
                    (Ok(_), Err(stopped)) => Err(stopped.into()),
                    (Ok((reply, effects)), Ok(())) => {
                        node.follow(effects);
                        reply
                    }
                };
                // A caller that went away does not undo what was decided.
                let _ = tell.send(answer);
            });
            done
        });
        self.0.queue.put(job).await?;
        told.await.unwrap_or_else(|_| Err(Stopped::Failed.into()))
    }

    /// Seals the journal's open segment; gives the head up to which everything is sealed then.
    ///
    /// # Errors
    /// `Unavailable` where it could not be written.
    pub async fn seal_journal(&self) -> Result<Head, Error> {
        let (tell, told) = oneshot::channel();
        let job = Box::new(move |turn: &mut Turn<'_>| {
            turn.seal();
            let head = turn.journal();
            let done: crate::writer::Done = Box::new(move |outcome| {
                // Whoever asked may have gone.
                let _ = tell.send(outcome.map(|()| head));
            });
            done
        });
        self.0.queue.put(job).await?;
        Ok(told.await.unwrap_or(Err(Stopped::Failed))?)
    }

    fn follow(&self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Nudge(partner) => self.nudge(partner),
                Effect::Greet(partner) => {
                    self.knock(partner, |knocks| knocks.news += 1);
                    self.0.transport.nudge(partner);
                }
                Effect::Pin(partner, root, later) => {
                    let pins = &self.0.pins;
                    let set = pins.set(partner, &root);
                    let followed = later.map_or(Ok(()), |later| pins.follow(partner, &later));
                    if let Err(error) = set.and(followed) {
                        tracing::error!(%partner, error = &error as &dyn std::error::Error, "a root can't be pinned");
                    }
                    self.0.moment.partners.notify_one();
                }
                Effect::Cut(partner) => {
                    self.0.pins.remove(partner);
                    self.0.transport.cut(partner);
                    self.0.metrics.forget(&partner.to_string());
                    self.0.moment.partners.notify_one();
                }
                Effect::Unlend(share) => self.unlend(share),
                Effect::Recheck => {
                    self.0.moment.judged.fetch_add(1, Ordering::AcqRel);
                }
            }
        }
    }

    /// Destroys the key that this node lends for a share of its own: nobody renews it any more.
    pub fn unlend(&self, share: ShareId) {
        if let Err(error) = self.0.keyring.erase(KeyId::lease(share)) {
            tracing::error!(%share, %error, "a lease's key can't be destroyed");
        }
    }

    /// What seals a received share now; none where its lease ran out.
    pub fn seal(&self, share: ShareId) -> Option<Seal> {
        self.0.moment.leases.seal(share, self.0.clock.elapsed())
    }

    /// Says that there may be something to do with a partner.
    pub fn nudge(&self, partner: OrganisationId) {
        self.wake(partner);
        self.0.transport.nudge(partner);
    }

    /// Wakes those who drive a partner, without dialling it.
    pub fn wake(&self, partner: OrganisationId) {
        self.knock(partner, |knocks| knocks.wakes += 1);
    }

    /// Notes that a partner greeted this node: what it refused may be welcome now.
    pub fn greeted(&self, partner: OrganisationId) {
        self.knock(partner, |knocks| knocks.greetings += 1);
    }

    /// Wakes those who drive any partner.
    pub fn wake_all(&self) {
        let mut doors = self
            .0
            .moment
            .doors
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for door in doors.values_mut().flatten() {
            door.send_modify(|knocks| knocks.wakes += 1);
        }
    }

    fn knock(&self, partner: OrganisationId, knock: impl Fn(&mut Knocks)) {
        let mut doors = self
            .0
            .moment
            .doors
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let of_partner = doors.entry(partner).or_default();
        of_partner.retain(|door| !door.is_closed());
        for door in of_partner {
            door.send_modify(&knock);
        }
    }

    /// What wakes those who drive a partner.
    pub fn door(&self, partner: OrganisationId) -> watch::Receiver<Knocks> {
        let mut doors = self
            .0
            .moment
            .doors
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (door, knocks) = watch::channel(Knocks::default());
        doors.entry(partner).or_default().push(door);
        knocks
    }

    /// Waits until partners were added or taken away.
    pub async fn partners_changed(&self) {
        self.0.moment.partners.notified().await;
    }

    /// Counts up whenever trust, rights or the state of a share changed: what is being sent is judged
    /// again then.
    pub fn judged(&self) -> u64 {
        self.0.moment.judged.load(Ordering::Acquire)
    }

    /// Notes that a partner was heard from.
    pub fn heard(&self, partner: OrganisationId) {
        let now = self.0.clock.now();
        self.seen(partner, |seen| seen.heard = Some(now));
    }

    /// Notes what a partner's node said when it was greeted: its release, its incarnation, and its clock in
    /// microseconds since 1970.
    pub fn met(&self, partner: OrganisationId, version: &str, incarnation: u64, clock: i64) {
        let skew = clock.saturating_sub(self.0.clock.now().timestamp_micros());
        let version = version.chars().take(64).collect();
        self.seen(partner, |seen| {
            seen.version = Some(version);
            seen.incarnation = Some(incarnation);
            seen.skew = Some(TimeDelta::microseconds(skew));
        });
    }

    /// Notes that a partner refused what a share has for it.
    pub fn refused_by(&self, partner: OrganisationId, share: ShareId, refusal: Refusal) {
        self.seen(partner, |seen| {
            if seen.refused.len() < REFUSED_MAX || seen.refused.contains_key(&share) {
                seen.refused.insert(share, refusal);
            }
        });
    }

    /// Notes that a partner took what a share has for it.
    pub fn taken_by(&self, partner: OrganisationId, share: ShareId) {
        self.seen(partner, |seen| {
            seen.refused.remove(&share);
        });
    }

    /// What was last seen of a partner, since the node was started.
    pub fn last_seen(&self, partner: OrganisationId) -> Seen {
        let seen = self
            .0
            .moment
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        seen.get(&partner).cloned().unwrap_or_default()
    }

    /// Notes that what a partner sent for a file did not match its digest.
    pub fn doubt(&self, share: ShareId, digest: Digest) {
        let mut doubts = self
            .0
            .moment
            .doubts
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        doubts.insert((share, digest));
    }

    /// Whether a file is doubted; it is asked for as such once.
    pub fn take_doubt(&self, share: ShareId, digest: Digest) -> bool {
        let mut doubts = self
            .0
            .moment
            .doubts
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        doubts.remove(&(share, digest))
    }

    fn seen(&self, partner: OrganisationId, note: impl FnOnce(&mut Seen)) {
        let mut seen = self
            .0
            .moment
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        note(seen.entry(partner).or_default());
    }

    /// The administrator who owns the local socket: the operating-system user that runs the node.
    pub fn owner(&self) -> Caller {
        let organisation = self.0.keys.organisation();
        Caller {
            actor: Actor {
                id: crate::event::subject(organisation),
                name: OWNER.into(),
                badge: String::new(),
            },
            permissions: Permission::ALL.iter().copied().collect(),
            way: Way::Socket,
            session: None,
            progress: Progress::default(),
        }
    }
}

/// What an action decides, by the clock as it is trusted in its turn.
///
/// # Errors
/// Those of the decision; `Unavailable`.
pub(crate) fn decided<A: Change>(
    action: A,
    context: &mut Context<'_>,
) -> Result<Decided<A::Reply>, Error> {
    if rules::timed(A::NAME) {
        timely(&context.view)?;
    }
    action.decide(context)
}

/// Takes a decision in its turn; gives its answer and what follows once it is durable.
///
/// # Errors
/// Those of the decision.
pub(crate) fn turn<R>(
    turn: &mut Turn<'_>,
    signer: &dyn Signer,
    actor: Option<Actor>,
    way: Way,
    decide: impl FnOnce(&mut Context<'_>) -> Result<Decided<R>, Error>,
) -> Result<(Result<R, Error>, Vec<Effect>), Error> {
    let journal = turn.journal();
    let mut context = Context {
        view: turn.view(),
        now: turn.now(),
        chance: &mut crate::chance::fill,
        signer,
        journal: Point {
            count: journal.count,
            hash: journal.hash,
        },
        actor: actor.clone(),
        held: Permissions::new(),
        way,
    };
    let decided = decide(&mut context)?;
    for event in decided.events {
        turn.record(&Entry {
            actor: actor.clone(),
            way,
            event,
        });
    }
    // What follows from an event follows even where no answer can be made of it.
    let reply = (decided.reply)(&turn.view());
    Ok((reply, decided.effects))
}

/// Refuses while the clock of the machine is not to be trusted.
///
/// # Errors
/// `Unavailable`.
pub fn timely(view: &View<'_>) -> Result<(), Error> {
    let node = view.get(&table::NODE, &())?;
    if node.as_ref().is_none_or(rules::timely) {
        return Ok(());
    }
    let message = "this machine's clock jumped: what depends on time waits";
    Err(Error::new(ErrorKind::Unavailable, message).hint(
        "set the clock right, then have an administrator confirm it: interdocket confirm-clock",
    ))
}

/// What work on a thread of its own gave.
fn done<R>(ended: Result<Result<R, Error>, JoinError>) -> Result<R, Error> {
    match ended {
        Ok(done) => done,
        Err(broken) if broken.is_panic() => std::panic::resume_unwind(broken.into_panic()),
        Err(_) => Err(Error::new(ErrorKind::Unavailable, "the node is stopping")),
    }
}

impl From<Stopped> for Error {
    fn from(stopped: Stopped) -> Self {
        Self::new(ErrorKind::Unavailable, stopped.to_string())
    }
}

/// Refusals of shares that are kept in mind for one partner.
const REFUSED_MAX: usize = 1000;
