//! What may be on a disk after the power was cut, from what was noted of a run.
//!
//! Invariant: what was synced is in every image. Of the rest any part may be: nothing, all, the
//! first writes with the last one torn at a sector, single pages, single writes; and of the names
//! that were not synced, those of a first part of the changes to each directory. A sync that failed
//! loses what it should have written for good. One seed gives one image.
//!
//! Not here: what must hold on an image. What was synced is never damaged: `damage` does that.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use interdocket_tests::files::Chance;

/// The unit that a power cut never tears, in bytes.
const SECTOR: u64 = 512;
/// The unit in which the operating system writes back, in bytes.
const PAGE: u64 = 4096;

/// What a sync of a file does to names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    /// It commits every earlier change of names, as ext4 and XFS do.
    Journalled,
    /// None: only the sync of a directory commits the changes in it.
    Separate,
}

/// What a folder held when a run began.
#[derive(Debug, Clone)]
pub(crate) struct Base {
    things: Vec<Thing>,
    numbers: BTreeMap<u64, usize>,
}

#[derive(Debug, Clone)]
enum Thing {
    Folder { live: Names_, kept: Names_ },
    File(File),
}

type Names_ = BTreeMap<String, usize>;

#[derive(Debug, Clone, Default)]
struct File {
    kept: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Write(u64, Range<usize>),
    Length(u64),
}

/// A change of names; the folders are things.
#[derive(Debug, Clone)]
enum Turn {
    Add(usize, String, usize),
    Move((usize, String), (usize, String)),
    Remove(usize, String),
}

/// One call, as it was noted.
#[derive(Debug)]
pub(crate) struct Note {
    /// Where its note ends.
    pub(crate) end: u64,
    op: u32,
    inode: u64,
    at: u64,
    from: String,
    to: String,
    data: Range<usize>,
}

/// All that was noted of a run.
#[derive(Debug)]
pub(crate) struct Notes {
    bytes: Vec<u8>,
    /// In order.
    pub(crate) calls: Vec<Note>,
}

impl Notes {
    /// Reads what was noted; a note that a kill cut short is none.
    pub(crate) fn read(log: &Path) -> Self {
        let bytes = fs::read(log).expect("calls were noted");
        let mut calls = Vec::new();
        let mut at = 0;
        while let Some(note) = note(&bytes, at) {
            at = usize::try_from(note.end).expect("it was read");
            calls.push(note);
        }
        Self { bytes, calls }
    }
}

fn note(bytes: &[u8], start: usize) -> Option<Note> {
    let head = bytes.get(start..start + HEAD)?;
    let small = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().expect("four bytes"));
    let large = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().expect("eight bytes"));
    let from = start + HEAD;
    let to = from + small(4) as usize;
    let data = to + small(8) as usize;
    let written = if small(0) == WRITE { large(32) } else { 0 };
    let end = data + usize::try_from(written).expect("it is in memory");
    bytes.get(start..end)?;
    let text = |range: Range<usize>| String::from_utf8_lossy(&bytes[range]).into_owned();
    Some(Note {
        end: end as u64,
        op: small(0),
        inode: large(16),
        at: large(24),
        from: text(from..to),
        to: text(to..data),
        data: data..end,
    })
}

impl Base {
    /// Takes what a folder holds as durable.
    pub(crate) fn of(folder: &Path) -> Self {
        let mut base = Self {
            things: Vec::new(),
            numbers: BTreeMap::new(),
        };
        base.take(folder);
        base
    }

    fn take(&mut self, path: &Path) -> usize {
        let inode = fs::metadata(path).expect("it is there").ino();
        let place = self.things.len();
        self.numbers.insert(inode, place);
        if path.is_file() {
            let kept = fs::read(path).expect("it is there");
            let pending = Vec::new();
            self.things.push(Thing::File(File { kept, pending }));
            return place;
        }
        self.things.push(folder());
        let mut names = BTreeMap::new();
        for (name, path) in entries(path) {
            names.insert(name, self.take(&path));
        }
        let (live, kept) = (names.clone(), names);
        self.things[place] = Thing::Folder { live, kept };
        place
    }
}

fn folder() -> Thing {
    let (live, kept) = (BTreeMap::new(), BTreeMap::new());
    Thing::Folder { live, kept }
}

/// What lies in a folder, sockets and logs of nodes aside.
pub(crate) fn entries(path: &Path) -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path).expect("it is a folder") {
        let entry = entry.expect("it can be listed");
        let kind = entry.file_type().expect("it can be listed");
        let name = entry.file_name().to_string_lossy().into_owned();
        if (kind.is_file() || kind.is_dir()) && !name.ends_with(".log") {
            found.push((name, entry.path()));
        }
    }
    found.sort();
    found
}

/// A disk in the middle of a run.
#[derive(Debug)]
pub(crate) struct Disk<'a> {
    notes: &'a Notes,
    names: Names,
    things: Vec<Thing>,
    numbers: BTreeMap<u64, usize>,
    turns: Vec<Turn>,
}

impl<'a> Disk<'a> {
    /// Plays what was noted up to a place in the notes.
    pub(crate) fn at(base: &Base, notes: &'a Notes, end: u64, names: Names) -> Self {
        let mut disk = Self {
            notes,
            names,
            things: base.things.clone(),
            numbers: base.numbers.clone(),
            turns: Vec::new(),
        };
        for note in notes.calls.iter().take_while(|note| note.end <= end) {
            disk.play(note);
        }
        disk
    }

    fn play(&mut self, note: &Note) {
        match note.op {
            CREATE => self.made(note, Thing::File(File::default())),
            MKDIR => self.made(note, folder()),
            WRITE => self.change(note, Change::Write(note.at, note.data.clone())),
            LENGTH => self.change(note, Change::Length(note.at)),
            RENAME => {
                let (from, to) = (self.place(&note.from), self.place(&note.to));
                self.turn(Turn::Move(from, to));
            }
            LINK => {
                let (folder, name) = self.place(&note.from);
                let thing = self.live(folder)[&name];
                let (folder, name) = self.place(&note.to);
                self.turn(Turn::Add(folder, name, thing));
            }
            REMOVE => {
                let (folder, name) = self.place(&note.from);
                self.turn(Turn::Remove(folder, name));
            }
            SYNC => self.sync(note),
            SYNC_DIR => self.commit(Some(self.thing(note))),
            RANGE => {}
            UNSYNCED => {
                if let Thing::File(file) = self.touched(note) {
                    file.pending.clear();
                }
            }
            other => panic!("a note of kind {other}"),
        }
    }

    fn made(&mut self, note: &Note, thing: Thing) {
        let place = self.things.len();
        self.things.push(thing);
        self.numbers.insert(note.inode, place);
        let (folder, name) = self.place(&note.from);
        self.turn(Turn::Add(folder, name, place));
    }

    fn change(&mut self, note: &Note, change: Change) {
        let Thing::File(file) = self.touched(note) else {
            panic!("only a file is written");
        };
        file.pending.push(change);
    }

    fn sync(&mut self, note: &Note) {
        let notes = self.notes;
        if let Thing::File(file) = self.touched(note) {
            file.keep(notes);
        }
        if self.names == Names::Journalled {
            self.commit(None);
        }
    }

    /// Commits the changes of names: of a folder, with all that they build on, or all.
    fn commit(&mut self, folder: Option<usize>) {
        let whole = folder.filter(|_| self.names == Names::Separate);
        let turns = std::mem::take(&mut self.turns);
        let Some(folder) = whole else {
            turns.iter().for_each(|turn| self.keep(turn));
            return;
        };
        let mut folders = vec![folder];
        let mut committed = vec![false; turns.len()];
        for (turn, committed) in turns.iter().zip(&mut committed).rev() {
            *committed = turn.folders().iter().any(|folder| folders.contains(folder));
            if *committed {
                folders.extend(turn.folders());
            }
        }
        for (turn, committed) in turns.into_iter().zip(committed) {
            if committed {
                self.keep(&turn);
            } else {
                self.turns.push(turn);
            }
        }
    }

    /// Cuts the power, and writes what is left of the folder.
    pub(crate) fn cut(mut self, chance: &mut Chance, target: &Path) {
        let turns = std::mem::take(&mut self.turns);
        let until = usize::try_from(chance.below(turns.len() as u64 + 1)).expect("it is small");
        let mut stopped: Vec<usize> = Vec::new();
        for (place, turn) in turns.iter().enumerate() {
            let waits = turn.folders().iter().any(|folder| stopped.contains(folder));
            let kept = match self.names {
                Names::Journalled => place < until,
                Names::Separate => !waits && chance.below(3) > 0,
            };
            if kept {
                self.keep(turn);
            } else {
                stopped.extend(turn.folders());
            }
        }
        let notes = self.notes;
        for thing in &mut self.things {
            if let Thing::File(file) = thing {
                file.cut(notes, chance);
            }
        }
        self.write(0, target, |folder| match folder {
            Thing::Folder { kept, .. } => kept,
            Thing::File(_) => unreachable!("files have no names in them"),
        });
    }

    /// Says where a folder is not what was noted: then calls came by another way.
    pub(crate) fn differs(mut self, folder: &Path) -> Vec<String> {
        let notes = self.notes;
        for thing in &mut self.things {
            if let Thing::File(file) = thing {
                file.keep(notes);
            }
        }
        let mut found = Vec::new();
        self.compare(0, folder, &mut found);
        found
    }

    fn compare(&self, thing: usize, path: &Path, found: &mut Vec<String>) {
        match &self.things[thing] {
            Thing::File(file) => {
                if fs::read(path).ok().as_ref() != Some(&file.kept) {
                    found.push(format!("{} holds something else", path.display()));
                }
            }
            Thing::Folder { live, .. } => {
                let there: Vec<String> = entries(path).into_iter().map(|(name, _)| name).collect();
                if !live.keys().eq(&there) {
                    found.push(format!("{} has {there:?}, not {live:?}", path.display()));
                    return;
                }
                for (name, thing) in live {
                    self.compare(*thing, &path.join(name), found);
                }
            }
        }
    }

    fn write(&self, thing: usize, path: &Path, names: fn(&Thing) -> &Names_) {
        match &self.things[thing] {
            Thing::File(file) => {
                let mut options = fs::OpenOptions::new();
                let made = options.write(true).create_new(true).mode(0o600).open(path);
                let mut made = made.expect("the test's folder can be written");
                std::io::Write::write_all(&mut made, &file.kept).expect("the disk has space");
            }
            folder @ Thing::Folder { .. } => {
                let made = fs::DirBuilder::new().mode(0o700).create(path);
                made.expect("the test's folder can be written");
                for (name, thing) in names(folder) {
                    self.write(*thing, &path.join(name), names);
                }
            }
        }
    }

    /// The folder and the name of a path as it is now.
    fn place(&self, path: &str) -> (usize, String) {
        let mut folder = 0;
        let mut parts = path.split('/').peekable();
        loop {
            let part = parts.next().expect("a path has parts");
            if parts.peek().is_none() {
                return (folder, part.to_owned());
            }
            folder = self.live(folder)[part];
        }
    }

    fn live(&self, folder: usize) -> &Names_ {
        match &self.things[folder] {
            Thing::Folder { live, .. } => live,
            Thing::File(_) => panic!("a file is no folder"),
        }
    }

    fn thing(&self, note: &Note) -> usize {
        let known = self.numbers.get(&note.inode);
        *known.unwrap_or_else(|| panic!("nobody noted how this came about: {note:?}"))
    }

    fn touched(&mut self, note: &Note) -> &mut Thing {
        let place = self.thing(note);
        &mut self.things[place]
    }

    fn turn(&mut self, turn: Turn) {
        self.apply(&turn, |thing| match thing {
            Thing::Folder { live, .. } => live,
            Thing::File(_) => panic!("a file is no folder"),
        });
        self.turns.push(turn);
    }

    fn keep(&mut self, turn: &Turn) {
        self.apply(turn, |thing| match thing {
            Thing::Folder { kept, .. } => kept,
            Thing::File(_) => panic!("a file is no folder"),
        });
    }

    fn apply(&mut self, turn: &Turn, names: fn(&mut Thing) -> &mut Names_) {
        match turn {
            Turn::Add(folder, name, thing) => {
                names(&mut self.things[*folder]).insert(name.clone(), *thing);
            }
            Turn::Move((from, old), (to, new)) => {
                if let Some(thing) = names(&mut self.things[*from]).remove(old) {
                    names(&mut self.things[*to]).insert(new.clone(), thing);
                }
            }
            Turn::Remove(folder, name) => {
                names(&mut self.things[*folder]).remove(name);
            }
        }
    }
}

impl Turn {
    fn folders(&self) -> Vec<usize> {
        match self {
            Self::Add(folder, ..) | Self::Remove(folder, _) => vec![*folder],
            Self::Move((from, _), (to, _)) => vec![*from, *to],
        }
    }
}

impl File {
    fn keep(&mut self, notes: &Notes) {
        for change in std::mem::take(&mut self.pending) {
            self.apply(notes, &change);
        }
    }

    fn apply(&mut self, notes: &Notes, change: &Change) {
        match change {
            Change::Length(len) => self.kept.resize(size(*len), 0),
            Change::Write(at, data) => {
                let end = size(*at) + data.len();
                if self.kept.len() < end {
                    self.kept.resize(end, 0);
                }
                self.kept[size(*at)..end].copy_from_slice(&notes.bytes[data.clone()]);
            }
        }
    }

    fn cut(&mut self, notes: &Notes, chance: &mut Chance) {
        let changes = std::mem::take(&mut self.pending);
        match chance.below(6) {
            0 => {}
            1 => changes.iter().for_each(|change| self.apply(notes, change)),
            2 => self.torn(notes, chance, &changes),
            mode @ (3 | 4) => {
                let unit = if mode == 3 { PAGE } else { SECTOR };
                let whole = changes.iter().map(Change::end).max().unwrap_or_default();
                for piece in changes.iter().flat_map(|change| change.pieces(unit)) {
                    if chance.below(4) > 0 {
                        self.apply(notes, &piece);
                    }
                }
                // The length may be there before the bytes.
                if chance.below(2) == 0 && self.kept.len() < size(whole) {
                    self.kept.resize(size(whole), 0);
                }
            }
            _ => {
                for change in &changes {
                    if chance.below(2) == 0 {
                        self.apply(notes, change);
                    }
                }
            }
        }
    }

    fn torn(&mut self, notes: &Notes, chance: &mut Chance, changes: &[Change]) {
        let until = size(chance.below(changes.len() as u64 + 1));
        changes[..until]
            .iter()
            .for_each(|change| self.apply(notes, change));
        if let Some(Change::Write(at, data)) = changes.get(until) {
            let end = (at + chance.below(data.len() as u64 + 1)) / SECTOR * SECTOR;
            let data = data.start..data.start + size(end.saturating_sub(*at));
            self.apply(notes, &Change::Write(*at, data));
        }
    }
}

impl Change {
    fn end(&self) -> u64 {
        match self {
            Self::Length(len) => *len,
            Self::Write(at, data) => at + data.len() as u64,
        }
    }

    fn pieces(&self, unit: u64) -> Vec<Self> {
        let Self::Write(at, data) = self else {
            return vec![self.clone()];
        };
        let mut pieces = Vec::new();
        let mut start = 0;
        while start < data.len() {
            let place = at + start as u64;
            let end = data.len().min(size((place / unit + 1) * unit - at));
            pieces.push(Self::Write(place, data.start + start..data.start + end));
            start = end;
        }
        pieces
    }
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).expect("it is in memory")
}

/// The kinds of notes, as in `shim.c`.
const CREATE: u32 = 1;
const WRITE: u32 = 2;
const LENGTH: u32 = 3;
const RENAME: u32 = 4;
const LINK: u32 = 5;
const REMOVE: u32 = 6;
const MKDIR: u32 = 7;
const SYNC: u32 = 8;
const SYNC_DIR: u32 = 9;
const RANGE: u32 = 10;
const UNSYNCED: u32 = 11;
/// The part of a note that every one has, in bytes.
const HEAD: usize = 40;
