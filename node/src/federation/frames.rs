//! The frames that a peer sends on a connection, counted while they arrive.
//!
//! Invariant: a peer that sends frames without end, pings or settings say, uses its allowance up, however few
//! bytes they are; who sends files or makes calls never does. What a frame means is not looked at.

use std::time::Duration;

use tokio::time::Instant;

/// What is known of the frames of one connection.
#[derive(Debug)]
pub(super) struct Frames {
    /// The beginning of the next frame, as far as it came.
    head: [u8; HEAD],
    held: usize,
    /// What is still to come of the frame before.
    rest: usize,
    begun: bool,
    allowance: u32,
    since: Instant,
}

/// More frames came than anybody needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the other side sends too many frames")]
pub(super) struct Flood;

impl Frames {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            head: [0; HEAD],
            held: 0,
            rest: 0,
            begun: false,
            allowance: MOST,
            since: now,
        }
    }

    /// Whether the other side has said how it speaks: a connection on which nobody speaks HTTP/2 has not
    /// begun.
    pub(super) const fn begun(&self) -> bool {
        self.begun
    }

    /// Counts what came.
    ///
    /// # Errors
    /// [`Flood`] where the allowance is used up.
    pub(super) fn pass(&mut self, mut bytes: &[u8], now: Instant) -> Result<(), Flood> {
        while !bytes.is_empty() {
            let over = self.rest.min(bytes.len());
            self.rest -= over;
            bytes = &bytes[over..];
            let more = (HEAD - self.held).min(bytes.len());
            self.head[self.held..self.held + more].copy_from_slice(&bytes[..more]);
            self.held += more;
            bytes = &bytes[more..];
            if self.held == HEAD {
                self.held = 0;
                self.frame(now)?;
            }
        }
        Ok(())
    }

    fn frame(&mut self, now: Instant) -> Result<(), Flood> {
        let [high, middle, low, kind, ..] = self.head;
        if !self.begun && self.head == PREFACE[..HEAD] {
            self.rest = PREFACE.len() - HEAD;
            return Ok(());
        }
        self.begun = true;
        self.rest = u32::from_be_bytes([0, high, middle, low]) as usize;
        if kind == DATA && self.rest >= SOME {
            return Ok(());
        }
        self.refill(now);
        self.allowance = self.allowance.checked_sub(1).ok_or(Flood)?;
        Ok(())
    }

    fn refill(&mut self, now: Instant) {
        let times = now.saturating_duration_since(self.since).as_millis() / STEP.as_millis();
        let Ok(times @ 1..) = u32::try_from(times) else {
            return;
        };
        self.since += STEP * times;
        let more = (PER_SECOND / STEPS).saturating_mul(times);
        self.allowance = self.allowance.saturating_add(more).min(MOST);
    }
}

/// Bytes of a frame's head.
const HEAD: usize = 9;
/// What a dialler says first.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The kind of a frame that carries data, and from how many bytes on it is worth its cost.
const DATA: u8 = 0;
const SOME: usize = 256;
/// Frames at once. A call takes two, a mebibyte that is read two.
const MOST: u32 = 40_000;
/// Frames in the long run: far more than calls follow each other.
const PER_SECOND: u32 = 4_000;
const STEPS: u32 = 10;
const STEP: Duration = Duration::from_millis(1000 / STEPS as u64);

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, payload: usize) -> Vec<u8> {
        let length = u32::try_from(payload).unwrap().to_be_bytes();
        let mut frame = length[1..].to_vec();
        frame.extend([kind, 0, 0, 0, 0, 1]);
        frame.resize(HEAD + payload, 0xff);
        frame
    }

    /// fault C6
    #[test]
    fn frames_without_end_use_the_allowance_up_and_time_gives_it_back() {
        let now = Instant::now();
        let mut frames = Frames::new(now);
        let ping = frame(6, 8);
        for _ in 0..MOST {
            frames.pass(&ping, now).unwrap();
        }
        let later = now + Duration::from_secs(1);
        for _ in 0..PER_SECOND {
            frames.pass(&ping, later).unwrap();
        }
        assert_eq!(frames.pass(&ping, later), Err(Flood));
    }

    #[test]
    fn data_costs_nothing_unless_there_is_hardly_any_in_a_frame() {
        let now = Instant::now();
        for (payload, free) in [
            (16 * 1024, true),
            (SOME, true),
            (SOME - 1, false),
            (0, false),
        ] {
            let mut frames = Frames::new(now);
            let data = frame(DATA, payload);
            let passed = (0..=MOST).all(|_| frames.pass(&data, now).is_ok());
            assert_eq!(passed, free, "{payload}");
        }
    }

    #[test]
    fn frames_are_the_same_however_they_are_cut() {
        let now = Instant::now();
        let mut all = PREFACE.to_vec();
        for kind in 0..20 {
            all.extend(frame(kind, usize::from(kind) * 37));
        }
        let left = |cut: usize| {
            let mut frames = Frames::new(now);
            assert!(!frames.begun());
            for part in all.chunks(cut) {
                frames.pass(part, now).unwrap();
            }
            assert!(frames.begun());
            assert_eq!((frames.rest, frames.held), (0, 0));
            frames.allowance
        };
        let whole = left(all.len());
        assert!((1..40).all(|cut| left(cut) == whole));
    }

    #[test]
    fn a_preface_alone_begins_nothing() {
        let mut frames = Frames::new(Instant::now());
        frames.pass(PREFACE, Instant::now()).unwrap();
        assert!(!frames.begun());
        frames.pass(&frame(4, 0), Instant::now()).unwrap();
        assert!(frames.begun());
    }
}
