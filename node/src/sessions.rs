//! The read sessions that people at partners have open here: in memory, as long as the process lives.
//!
//! Whoever takes a session out records its end; so it ends once, with all bytes that were sent in it. What
//! can't be recorded at once is kept until it can.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use interdocket_sync::id::ShareId;
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::limits;
use uuid::Uuid;

use crate::actions::decide::Decided;
use crate::actions::session::{self, Reader};
use crate::event::SessionEnd;
#[cfg(test)]
use crate::tests::simulation::bug::{Bug, planted};

/// The open sessions.
#[derive(Default)]
pub struct Sessions {
    open: Mutex<BTreeMap<Uuid, Session>>,
    ended: Mutex<Vec<Ended>>,
}

/// A session that is over.
#[derive(Debug, Clone, Copy)]
pub struct Ended {
    /// The session.
    pub session: Uuid,
    /// What was read.
    pub share: ShareId,
    /// How many bytes, in how many ranges.
    pub read: (u64, u64),
    /// Why it ended.
    pub reason: SessionEnd,
}

/// An open session.
#[derive(Debug, Clone)]
pub struct Session {
    /// Who reads what.
    pub reader: Reader,
    /// When the share's time is up, where it has one.
    pub until: Option<DateTime<Utc>>,
    /// Bytes that were handed to the transport: those of files, with what verifies them.
    pub bytes: u64,
    /// How many ranges were asked for.
    pub ranges: u64,
    /// When something was asked for last, by [`Clock::elapsed`](crate::clock::Clock::elapsed).
    used: Duration,
    /// Ranges that are being sent.
    sending: u32,
    /// Whether it is recorded as opened.
    open: bool,
}

impl Sessions {
    /// Takes a session in that is about to be recorded as opened; false where its partner has as many as it may.
    pub fn begin(&self, id: Uuid, reader: Reader, now: Duration) -> bool {
        let mut sessions = self.lock();
        let theirs = |session: &&Session| session.reader.partner == reader.partner;
        let full = sessions.values().filter(theirs).count() >= limits::SESSIONS_MAX;
        #[cfg(test)]
        let full = full && !planted(Bug::SessionsUnbounded);
        if full {
            return false;
        }
        let session = Session {
            reader,
            until: None,
            bytes: 0,
            ranges: 0,
            used: now,
            sending: 0,
            open: false,
        };
        sessions.insert(id, session);
        true
    }

    /// Notes that a session is recorded as opened, and until when its share can be used.
    pub fn opened(&self, id: Uuid, until: Option<DateTime<Utc>>) {
        self.change(id, |session| {
            session.until = until;
            session.open = true;
        });
    }

    /// A session of this partner's, which is used now.
    pub fn using(&self, id: Uuid, partner: OrganisationId, now: Duration) -> Option<Session> {
        let mut sessions = self.lock();
        let session = sessions.get_mut(&id)?;
        if session.reader.partner != partner {
            return None;
        }
        session.used = now;
        Some(session.clone())
    }

    /// Notes that a range is being sent; false where the session is over.
    pub fn send(&self, id: Uuid) -> bool {
        self.change(id, |session| {
            session.ranges += 1;
            session.sending += 1;
        })
    }

    /// Notes bytes that are about to be handed to the transport; none where the session is over.
    pub fn count(&self, id: Uuid, bytes: u64, now: Duration) -> Option<Session> {
        let mut sessions = self.lock();
        let session = sessions.get_mut(&id)?;
        session.bytes += bytes;
        session.used = now;
        Some(session.clone())
    }

    /// Notes that bytes were not handed to the transport after all.
    pub fn uncount(&self, id: Uuid, bytes: u64) {
        self.change(id, |session| {
            session.bytes = session.bytes.saturating_sub(bytes);
        });
    }

    /// Notes that a range is not being sent any more.
    pub fn sent(&self, id: Uuid, now: Duration) {
        self.change(id, |session| {
            session.sending = session.sending.saturating_sub(1);
            session.used = now;
        });
    }

    /// Takes a session out; none where it is over.
    pub fn end(&self, id: Uuid) -> Option<Session> {
        self.lock().remove(&id)
    }

    /// Notes that the end of a session could not be recorded yet.
    pub fn unrecorded(&self, ended: Ended) {
        self.ended().push(ended);
    }

    /// Takes out what is still to be recorded.
    pub fn late(&self) -> Vec<Ended> {
        std::mem::take(&mut *self.ended())
    }

    /// Whether a session is open, or about to be.
    pub fn has(&self, id: Uuid) -> bool {
        self.lock().contains_key(&id)
    }

    /// Every session that is recorded as opened.
    pub fn all(&self) -> Vec<(Uuid, Session)> {
        let sessions = self.lock();
        let open = sessions.iter().filter(|(_, session)| session.open);
        open.map(|(id, session)| (*id, session.clone())).collect()
    }

    fn change(&self, id: Uuid, change: impl FnOnce(&mut Session)) -> bool {
        self.lock().get_mut(&id).map(change).is_some()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Uuid, Session>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ended(&self) -> MutexGuard<'_, Vec<Ended>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ended {
    /// One that a stopped node left.
    pub const fn left(session: Uuid, share: ShareId) -> Self {
        Self {
            session,
            share,
            read: (0, 0),
            reason: SessionEnd::Interrupted,
        }
    }

    /// What is recorded of it.
    pub fn close(self) -> Decided<()> {
        session::close(self.session, self.share, self.read, self.reason)
    }
}

impl Session {
    /// Whether nothing was asked for in a while.
    pub fn idle(&self, now: Duration) -> bool {
        self.sending == 0 && now.saturating_sub(self.used) >= IDLE
    }

    /// Whether the time of its share is up.
    pub fn expired(&self, now: DateTime<Utc>) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

/// How long a session stays open without being used: a reader that lives opens another.
pub const IDLE: Duration = Duration::from_secs(120);

#[cfg(test)]
mod tests {
    use super::*;
    use interdocket_sync::id::ShareId;

    const fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn reader(partner: u8) -> Reader {
        Reader {
            partner: OrganisationId::from_bytes([partner; 32]),
            share: ShareId::new(Uuid::from_u128(1)),
            recipient: "Kim".into(),
            download: false,
        }
    }

    #[test]
    fn a_session_belongs_to_the_partner_that_opened_it() {
        let sessions = Sessions::default();
        let id = Uuid::from_u128(7);
        assert!(sessions.begin(id, reader(1), seconds(0)));
        let partner = |number: u8| OrganisationId::from_bytes([number; 32]);
        assert!(sessions.using(id, partner(1), seconds(1)).is_some());
        assert!(sessions.using(id, partner(2), seconds(1)).is_none());
    }

    #[test]
    fn a_partner_has_a_limited_number_of_sessions_and_delays_nobody() {
        let sessions = Sessions::default();
        for number in 0..limits::SESSIONS_MAX as u128 {
            assert!(sessions.begin(Uuid::from_u128(number), reader(1), seconds(0)));
        }
        let more = Uuid::from_u128(1000);
        assert!(!sessions.begin(more, reader(1), seconds(0)));
        assert!(sessions.begin(more, reader(2), seconds(0)));
        assert!(sessions.end(Uuid::from_u128(0)).is_some());
        assert!(sessions.begin(Uuid::from_u128(1001), reader(1), seconds(0)));
    }

    #[test]
    fn a_session_is_idle_only_where_nothing_is_being_sent() {
        let sessions = Sessions::default();
        let id = Uuid::from_u128(7);
        sessions.begin(id, reader(1), seconds(0));
        assert!(sessions.all().is_empty(), "it is not on record yet");
        sessions.opened(id, None);
        let idle = |at: u64| sessions.all()[0].1.idle(seconds(at));
        assert!(!idle(119) && idle(120));
        assert!(sessions.send(id));
        assert!(!idle(500));
        assert!(sessions.count(id, 10, seconds(300)).is_some());
        sessions.sent(id, seconds(400));
        assert!(!idle(519) && idle(520));
    }

    #[test]
    fn a_session_ends_once_and_counts_nothing_after() {
        let sessions = Sessions::default();
        let id = Uuid::from_u128(7);
        sessions.begin(id, reader(1), seconds(0));
        assert!(sessions.count(id, 10, seconds(1)).is_some());
        assert_eq!(sessions.end(id).map(|session| session.bytes), Some(10));
        assert!(sessions.count(id, 10, seconds(1)).is_none() && !sessions.send(id));
        assert!(sessions.end(id).is_none());
    }
}
