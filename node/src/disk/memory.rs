//! The disk that tests own: what a process sees, what would survive power loss, and faults.
//!
//! Invariant: deterministic by the seeds handed in. What was synced survives a power cut; of the
//! rest any part may (nothing, all, a prefix torn at a sector, whole pages or sectors missing,
//! writes out of order), and names that were not synced may be there or not. A failed sync loses
//! what it should have written for good, as Linux does: a later sync does not bring it back.
//!
//! Not here: damage to what was synced in normal operation; [`Memory::damage`] does that.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Disk;

/// The unit that a power cut never tears, in bytes.
const SECTOR: usize = 512;
/// The unit in which the operating system writes back, in bytes.
const PAGE: usize = 4096;

/// A directory in memory with a live and a durable image.
#[derive(Debug, Default)]
pub struct Memory {
    state: Mutex<State>,
}

#[derive(Debug, Default, Clone)]
struct State {
    names: BTreeMap<String, u64>,
    kept: BTreeMap<String, u64>,
    turns: Vec<Turn>,
    files: BTreeMap<u64, File>,
    made: u64,
    calls: u64,
    fault: Option<Fault>,
    capacity: Option<u64>,
    /// Whether something that was to be written was not.
    failed: bool,
}

#[derive(Debug, Default, Clone)]
struct File {
    live: Vec<u8>,
    kept: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Len(usize),
}

#[derive(Debug, Clone)]
enum Turn {
    Create(String, u64),
    Rename(String, String),
    Remove(String),
}

#[derive(Debug, Clone, Copy)]
enum Fault {
    Once(u64),
    From(u64),
    Sync,
}

/// What becomes of one call.
#[derive(PartialEq)]
enum Course {
    Done,
    Failed,
    CutMeanwhile,
}

impl Memory {
    /// Counts the calls made so far.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.lock().calls
    }

    /// Lets the `nth` call from now (from 1) fail with an I/O error, and no other.
    ///
    /// A write that fails leaves half of its bytes; a sync that fails loses what it covered.
    pub fn fail(&self, nth: u64) {
        let mut state = self.lock();
        state.fault = Some(Fault::Once(state.calls + nth));
    }

    /// Cuts the power during the `nth` call from now (from 1): it and all later calls fail.
    ///
    /// [`Memory::power_cut`] then decides what is left.
    pub fn stop(&self, nth: u64) {
        let mut state = self.lock();
        state.fault = Some(Fault::From(state.calls + nth));
    }

    /// Limits the bytes in all files together; `None` takes the limit away.
    pub fn limit(&self, capacity: Option<u64>) {
        self.lock().capacity = capacity;
    }

    /// Whether a write or a sync has failed, but for lack of room.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.lock().failed
    }

    /// Whether all that was written would survive a power cut now.
    #[must_use]
    pub fn settled(&self) -> bool {
        let state = self.lock();
        state.turns.is_empty() && state.files.values().all(|file| file.pending.is_empty())
    }

    /// Lets the next sync of a file fail, and no other.
    pub fn fail_sync(&self) {
        self.lock().fault = Some(Fault::Sync);
    }

    /// Brings the disk to a state in which it may be after power was lost and has returned.
    pub fn power_cut(&self, seed: u64) {
        let mut dice = Dice::new(seed);
        let mut state = self.lock();
        let turns = std::mem::take(&mut state.turns);
        let ordered = dice.coin();
        let until = dice.below(turns.len() + 1);
        for (place, turn) in turns.iter().enumerate() {
            if if ordered { place < until } else { dice.coin() } {
                turn.apply(&mut state.kept);
            }
        }
        state.names = state.kept.clone();
        let alive: Vec<u64> = state.names.values().copied().collect();
        state.files.retain(|id, _| alive.contains(id));
        for file in state.files.values_mut() {
            file.cut(&mut dice);
        }
        state.fault = None;
    }

    /// Changes the bytes of a file behind everyone's back, in both images.
    ///
    /// # Panics
    /// Where there is no such file.
    pub fn damage(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.lock();
        let id = state.names[name];
        let file = state.files.get_mut(&id).expect("every name has its file");
        change(&mut file.live);
        file.kept = file.live.clone();
        file.pending.clear();
    }

    /// Copies the disk with both images, without faults that are still to come.
    #[must_use]
    pub fn copy(&self) -> Self {
        let state = State {
            fault: None,
            failed: false,
            ..self.lock().clone()
        };
        Self {
            state: Mutex::new(state),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Begins a call that changes something.
    fn change(&mut self) -> io::Result<Course> {
        let course = self.begin();
        self.failed |= !matches!(course, Ok(Course::Done));
        course
    }

    fn begin(&mut self) -> io::Result<Course> {
        self.calls += 1;
        match self.fault {
            Some(Fault::Once(call)) if call == self.calls => Ok(Course::Failed),
            Some(Fault::From(call)) if call == self.calls => Ok(Course::CutMeanwhile),
            Some(Fault::From(call)) if call < self.calls => Err(broken()),
            _ => Ok(Course::Done),
        }
    }

    fn file(&mut self, name: &str) -> io::Result<&mut File> {
        let id = self.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(self.files.get_mut(id).expect("every name has its file"))
    }

    fn room(&self) -> usize {
        let Some(capacity) = self.capacity else {
            return usize::MAX;
        };
        let used: usize = self
            .names
            .values()
            .map(|id| self.files[id].live.len())
            .sum();
        usize::try_from(capacity)
            .unwrap_or(usize::MAX)
            .saturating_sub(used)
    }

    fn turn(&mut self, turn: Turn, course: &Course) -> io::Result<()> {
        if *course != Course::Failed {
            turn.apply(&mut self.names);
            self.turns.push(turn);
        }
        course.end()
    }
}

impl Course {
    fn end(&self) -> io::Result<()> {
        match self {
            Self::Done => Ok(()),
            Self::Failed | Self::CutMeanwhile => Err(broken()),
        }
    }
}

fn broken() -> io::Error {
    io::Error::other("injected disk failure")
}

impl File {
    fn change(&mut self, change: Change) {
        change.apply(&mut self.live);
        self.pending.push(change);
    }

    fn cut(&mut self, dice: &mut Dice) {
        let changes = std::mem::take(&mut self.pending);
        let whole = self.live.len();
        match dice.below(6) {
            0 => {}
            1 => changes
                .iter()
                .for_each(|change| change.apply(&mut self.kept)),
            2 => {
                let until = dice.below(changes.len() + 1);
                changes[..until]
                    .iter()
                    .for_each(|change| change.apply(&mut self.kept));
                if let Some(Change::Write(offset, bytes)) = changes.get(until) {
                    let end = (offset + dice.below(bytes.len() + 1)) / SECTOR * SECTOR;
                    let torn = bytes[..end.saturating_sub(*offset)].to_vec();
                    Change::Write(*offset, torn).apply(&mut self.kept);
                }
            }
            mode @ (3 | 4) => {
                let unit = if mode == 3 { PAGE } else { SECTOR };
                for piece in changes.iter().flat_map(|change| change.pieces(unit)) {
                    if dice.below(4) > 0 {
                        piece.apply(&mut self.kept);
                    }
                }
                if dice.coin() && self.kept.len() < whole {
                    self.kept.resize(whole, 0);
                }
            }
            _ => changes
                .iter()
                .filter(|_| dice.coin())
                .for_each(|c| c.apply(&mut self.kept)),
        }
        self.live = self.kept.clone();
    }
}

impl Change {
    fn apply(&self, image: &mut Vec<u8>) {
        match self {
            Self::Len(len) => image.resize(*len, 0),
            Self::Write(_, bytes) if bytes.is_empty() => {}
            Self::Write(offset, bytes) => {
                let end = offset + bytes.len();
                if image.len() < end {
                    image.resize(end, 0);
                }
                image[*offset..end].copy_from_slice(bytes);
            }
        }
    }

    fn pieces(&self, unit: usize) -> Vec<Self> {
        let Self::Write(offset, bytes) = self else {
            return vec![self.clone()];
        };
        let mut pieces = Vec::new();
        let mut start = 0;
        while start < bytes.len() {
            let end = bytes
                .len()
                .min(((offset + start) / unit + 1) * unit - offset);
            pieces.push(Self::Write(offset + start, bytes[start..end].to_vec()));
            start = end;
        }
        pieces
    }
}

impl Turn {
    fn apply(&self, names: &mut BTreeMap<String, u64>) {
        match self {
            Self::Create(name, id) => {
                names.insert(name.clone(), *id);
            }
            Self::Rename(from, to) => {
                if let Some(id) = names.remove(from) {
                    names.insert(to.clone(), id);
                }
            }
            Self::Remove(name) => {
                names.remove(name);
            }
        }
    }
}

impl Disk for Memory {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut state = self.lock();
        state.begin()?.end()?;
        Ok(state.names.keys().cloned().collect())
    }

    fn create(&self, name: &str) -> io::Result<()> {
        let mut state = self.lock();
        let course = state.change()?;
        if state.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.made += 1;
        let id = state.made;
        state.files.insert(id, File::default());
        state.turn(Turn::Create(name.to_owned(), id), &course)
    }

    fn len(&self, name: &str) -> io::Result<u64> {
        let mut state = self.lock();
        state.begin()?.end()?;
        Ok(state.file(name)?.live.len() as u64)
    }

    fn read_at(&self, name: &str, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let mut state = self.lock();
        state.begin()?.end()?;
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let end = start.saturating_add(buffer.len());
        let bytes = state.file(name)?.live.get(start..end);
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.lock();
        let course = state.change()?;
        let room = state.room();
        let file = state.file(name)?;
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let ends = file.live.len().saturating_add(room).saturating_sub(start);
        let fits = match course {
            Course::Failed => bytes.len() / 2,
            Course::Done | Course::CutMeanwhile => bytes.len().min(ends),
        };
        file.change(Change::Write(start, bytes[..fits].to_vec()));
        course.end()?;
        if fits < bytes.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn set_len(&self, name: &str, len: u64) -> io::Result<()> {
        let mut state = self.lock();
        let course = state.change()?;
        let len = usize::try_from(len).map_err(io::Error::other)?;
        let file = state.file(name)?;
        if course != Course::Failed {
            file.change(Change::Len(len));
        }
        course.end()
    }

    fn sync(&self, name: &str) -> io::Result<()> {
        let mut state = self.lock();
        let mut course = state.change()?;
        if matches!(state.fault, Some(Fault::Sync)) {
            (state.fault, state.failed, course) = (None, true, Course::Failed);
        }
        let file = state.file(name)?;
        match course {
            Course::Done => {
                for change in std::mem::take(&mut file.pending) {
                    change.apply(&mut file.kept);
                }
            }
            Course::Failed => file.pending.clear(),
            Course::CutMeanwhile => {}
        }
        course.end()
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut state = self.lock();
        state.change()?.end()?;
        for turn in std::mem::take(&mut state.turns) {
            turn.apply(&mut state.kept);
        }
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.lock();
        let course = state.change()?;
        state.file(from)?;
        state.turn(Turn::Rename(from.to_owned(), to.to_owned()), &course)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.lock();
        let course = state.change()?;
        state.file(name)?;
        state.turn(Turn::Remove(name.to_owned()), &course)
    }
}

/// Numbers that look random and follow from a seed (splitmix64); for faults, never for secrets.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Gives a number from 0 to `end` - 1; `end` is at least 1.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.roll() % end as u64).expect("is below a usize")
    }

    fn coin(&mut self) -> bool {
        self.below(2) == 1
    }
}

#[cfg(test)]
mod tests;
