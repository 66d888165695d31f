//! How often each source was refused at the pairing port, so that guessing is slow.
//!
//! Memory is bounded: where too many sources were refused at once, the ones refused longest ago are forgotten.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

use crate::federation::source::Source;

/// Refusals by source.
#[derive(Default)]
pub(super) struct Knocks(Mutex<BTreeMap<Source, (u32, Instant)>>);

impl Knocks {
    /// Whether a source was refused so often that it has to wait.
    pub(super) fn tired(&self, source: Source, now: Instant) -> bool {
        let knocks = self.lock();
        knocks
            .get(&source)
            .is_some_and(|(count, last)| *count >= MANY && now.duration_since(*last) < PAUSE)
    }

    /// Notes a refusal.
    pub(super) fn refused(&self, source: Source, now: Instant) {
        let mut knocks = self.lock();
        if knocks.len() >= SOURCES && !knocks.contains_key(&source) {
            let oldest = knocks.iter().min_by_key(|(_, (_, last))| *last);
            if let Some(oldest) = oldest.map(|(source, _)| *source) {
                knocks.remove(&oldest);
            }
        }
        let (count, last) = knocks.entry(source).or_insert((0, now));
        *count = if now.duration_since(*last) < PAUSE {
            *count + 1
        } else {
            1
        };
        *last = now;
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Source, (u32, Instant)>> {
        self.0
            .lock()
            .expect("nobody panics while holding the knocks")
    }
}

/// Refusals in a row that make a source wait.
const MANY: u32 = 10;
/// How long it waits since its last refusal.
const PAUSE: Duration = Duration::from_secs(600);
/// Sources that are remembered.
const SOURCES: usize = 1024;

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn source(text: &str) -> Source {
        Source::of(text.parse().unwrap())
    }

    /// fault B2
    #[test]
    fn a_source_that_was_refused_often_waits_and_others_do_not() {
        let (knocks, now) = (Knocks::default(), Instant::now());
        for _ in 0..MANY {
            assert!(!knocks.tired(source("192.0.2.1"), now));
            knocks.refused(source("192.0.2.1"), now);
        }
        assert!(knocks.tired(source("192.0.2.1"), now));
        assert!(knocks.tired(source("::ffff:192.0.2.1"), now));
        assert!(!knocks.tired(source("192.0.2.2"), now));
        let later = now + PAUSE;
        assert!(!knocks.tired(source("192.0.2.1"), later));
        knocks.refused(source("192.0.2.1"), later);
        assert!(!knocks.tired(source("192.0.2.1"), later));
    }

    /// fault B2
    #[test]
    fn a_network_is_one_source_and_memory_is_bounded() {
        assert_eq!(source("2001:db8::1"), source("2001:db8::ffff:2"));
        assert_ne!(source("2001:db8::1"), source("2001:db8:0:1::1"));
        let (knocks, now) = (Knocks::default(), Instant::now());
        for n in 0..2000_u32 {
            let at = now + Duration::from_millis(n.into());
            knocks.refused(Source::of(IpAddr::V4(n.into())), at);
        }
        assert_eq!(knocks.lock().len(), SOURCES);
        assert!(
            knocks
                .lock()
                .contains_key(&Source::of(IpAddr::V4(1999.into())))
        );
    }
}
