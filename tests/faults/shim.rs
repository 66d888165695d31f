//! The layer between the program and its files: see `shim.c`.
//!
//! Invariant: a program that was started without it does not know of it. What was noted means
//! something in `image`, not here.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use interdocket_tests::Node;

/// The layer for one run of the program.
#[derive(Debug, Clone)]
pub(crate) struct Shim {
    /// What lies below this folder is looked at.
    pub(crate) below: PathBuf,
    /// Where calls are noted.
    pub(crate) log: Option<PathBuf>,
    /// Where calls are counted, and one is chosen that fails.
    pub(crate) control: Option<PathBuf>,
    /// What is wrong on purpose.
    pub(crate) bug: Option<Bug>,
}

/// A bug that is planted below the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bug {
    /// Syncs of files do nothing.
    File,
    /// Syncs of directories do nothing.
    Directory,
    /// Syncs are answered before they are made.
    Late,
}

/// Which calls are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Those that change or sync something.
    Change = 1,
    /// Those that open or read a file.
    Read = 2,
}

/// With which error a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Errno {
    /// The medium failed.
    Io = 5,
    /// There is no space.
    Full = 28,
}

impl Shim {
    /// Looks at what lies below a folder, and no more.
    pub(crate) fn below(folder: &Path) -> Self {
        let below = fs::canonicalize(folder).expect("the folder exists");
        Self {
            below,
            log: None,
            control: None,
            bug: None,
        }
    }

    /// Notes calls in a new file.
    pub(crate) fn noting(mut self, log: &Path) -> Self {
        File::create(log).expect("the test's folder can be written");
        self.log = Some(log.to_owned());
        self
    }

    /// Counts calls of a kind in a new file.
    pub(crate) fn counting(mut self, control: &Path, kind: Kind) -> Self {
        let words = [0, 0, 0, kind as u64];
        fs::write(control, words.map(u64::to_le_bytes).concat()).expect("it can be written");
        self.control = Some(control.to_owned());
        self
    }

    pub(crate) fn planting(mut self, bug: Bug) -> Self {
        self.bug = Some(bug);
        self
    }

    /// The words before a command that is to run with it.
    pub(crate) fn words(&self) -> Vec<String> {
        let shown = |path: &Path| path.display().to_string();
        let mut words = vec![
            "env".to_owned(),
            format!("LD_PRELOAD={}", shown(library())),
            format!("INTERDOCKET_SHIM_BELOW={}", shown(&self.below)),
        ];
        let log = self.log.as_deref();
        words.extend(log.map(|log| format!("INTERDOCKET_SHIM_LOG={}", shown(log))));
        let control = self.control.as_deref();
        words.extend(control.map(|file| format!("INTERDOCKET_SHIM_CONTROL={}", shown(file))));
        let bug = self.bug.map(|bug| match bug {
            Bug::File => "file",
            Bug::Directory => "directory",
            Bug::Late => "late",
        });
        words.extend(bug.map(|bug| format!("INTERDOCKET_SHIM_BUG={bug}")));
        words
    }

    /// Has every later start of a node go through it.
    pub(crate) fn wrap(&self, node: &mut Node) {
        let words = self.words();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        node.wrap(&words);
    }

    /// How many bytes of notes there are: what was answered before is noted in them.
    pub(crate) fn noted(&self) -> u64 {
        let log = self.log.as_deref().and_then(|log| fs::metadata(log).ok());
        log.map_or(0, |log| log.len())
    }

    /// How many calls were counted.
    pub(crate) fn calls(&self) -> u64 {
        self.word(0)
    }

    /// Lets one call fail, by its number from 1.
    pub(crate) fn fail(&self, call: u64, error: Errno) {
        self.set(2, error as u64);
        self.set(1, call);
    }

    fn word(&self, place: u64) -> u64 {
        let mut bytes = [0; 8];
        let read = self.file().read_exact_at(&mut bytes, place * 8);
        read.expect("the words are there");
        u64::from_le_bytes(bytes)
    }

    fn set(&self, place: u64, word: u64) {
        let written = self.file().write_all_at(&word.to_le_bytes(), place * 8);
        written.expect("the words are there");
    }

    fn file(&self) -> File {
        let control = self.control.as_deref().expect("it counts");
        let opened = File::options().read(true).write(true).open(control);
        opened.expect("the words are there")
    }
}

/// The layer, compiled once for each process of tests.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let test = std::env::current_exe().expect("a test knows its own file");
        let library = test.with_file_name("shim.so");
        let fresh = test.with_file_name(format!("shim-{}.so", std::process::id()));
        let built = Command::new("cc")
            .args([
                "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o",
            ])
            .arg(&fresh)
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/faults/shim.c"))
            .args(["-ldl", "-lpthread"])
            .status();
        assert!(built.expect("there is a C compiler").success());
        fs::rename(&fresh, &library).expect("the folder can be written");
        library
    })
}
