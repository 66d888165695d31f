//! One call on files fails, for every call of what a node is used for.
//!
//! Invariant: what was answered is there afterwards, also if the power is lost: a sync that failed lost
//! what it covered. Whatever was not done says why, and nothing hangs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use interdocket_tests::files::Chance;
use interdocket_tests::wait::{until, within};
use interdocket_tests::{Node, program};
use serde_json::{Value, json};

use crate::image::{Base, Disk, Names, Notes};
use crate::load::{Fact, Work};
use crate::place::{clear, copy, home, nodes, progress, seed, trials};
use crate::shim::{Errno, Kind, Shim};
use crate::verdict::{Verdict, arrived};

/// What a node is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Init,
    Start,
    Work,
    Receive,
    Backup,
    Restore,
    Stop,
}

/// One call that fails; 0 for none.
#[derive(Debug, Clone, Copy)]
struct Fault {
    flow: Flow,
    call: u64,
    error: Errno,
    kind: Kind,
}

/// Where trials take place, and what they begin with.
struct Place {
    /// Two nodes that do not run, and one that runs.
    north: Node,
    south: Node,
    facts: Vec<Fact>,
    backup: PathBuf,
    home: PathBuf,
}

impl Flow {
    const ALL: [Self; 7] = [
        Self::Init,
        Self::Start,
        Self::Work,
        Self::Receive,
        Self::Backup,
        Self::Restore,
        Self::Stop,
    ];
}

impl Place {
    fn new(home: &Path) -> Self {
        let (mut north, mut south) = nodes(home);
        // What is shared waits for it.
        south.stop();
        let work = work(&north, &south, "2026", 14);
        let facts = work.done();
        let backup = home.join("backup");
        north.call(&["backup", &backup.display().to_string()]);
        north.stop();
        let home = home.to_owned();
        Self {
            north,
            south,
            facts,
            backup,
            home,
        }
    }

    /// Lets one call fail; gives how many there were, or what is not as it must be.
    fn trial(&self, fault: Fault) -> Result<u64, String> {
        let disk = self.home.join("disk");
        clear(&disk);
        fs::create_dir(&disk).unwrap();
        let tried = match fault.flow {
            Flow::Init => self.init(&disk, fault),
            Flow::Restore => self.restore(&disk, fault),
            Flow::Receive => self.receive(&disk, fault),
            Flow::Start | Flow::Work | Flow::Backup | Flow::Stop => self.run(&disk, fault),
        };
        tried.map_err(|bad| format!("{fault:?}: {bad}"))
    }

    fn shim(&self, below: &Path, fault: Fault) -> Shim {
        Shim::below(below).counting(&self.home.join("control"), fault.kind)
    }

    fn init(&self, disk: &Path, fault: Fault) -> Result<u64, String> {
        let shim = self.shim(disk, fault);
        shim.fail(fault.call, fault.error);
        let data = disk.join("harbour");
        let made = command(&shim.words(), &self.init_words(&data))?;
        let calls = shim.calls();
        if !made.status.success() {
            said(&made)?;
            // What is left is no node, and says so, or all of one that may not be durable. Making it anew needs
            // no more than its folder.
            let ran = command(&[], &run(&data))?;
            if !ran.status.success() {
                said(&ran)?;
            }
            clear(&data);
            let again = command(&[], &self.init_words(&data))?;
            if !again.status.success() {
                return Err(format!("init fails on an empty folder: {again:?}"));
            }
        }
        let mut node = self.north.moved(&data);
        node.try_start()
            .map_err(|said| format!("it was made, and does not start: {said}"))?;
        node.kill();
        Ok(calls)
    }

    /// The command that makes a node at the addresses of another.
    fn init_words(&self, data: &Path) -> Vec<String> {
        let mut words = vec!["init".to_owned(), "--allow-private".to_owned()];
        words.extend(["--name".to_owned(), "harbour".to_owned()]);
        words.extend(at(data));
        words.extend(self.north.addresses());
        words
    }

    fn restore(&self, disk: &Path, fault: Fault) -> Result<u64, String> {
        let shim = self.shim(disk, fault);
        shim.fail(fault.call, fault.error);
        let data = disk.join("north");
        let backup = self.backup.display().to_string();
        let arguments = [vec!["restore".to_owned(), backup], at(&data)].concat();
        let made = command(&shim.words(), &arguments)?;
        let calls = shim.calls();
        if !made.status.success() {
            said(&made)?;
            let again = command(&[], &arguments)?;
            if !again.status.success() {
                return Err(format!("what was cut is not begun again: {again:?}"));
            }
        }
        let mut node = self.north.moved(&data);
        self.judge(&mut node, &self.facts)?;
        Ok(calls)
    }

    /// One node is started, used and stopped, and then loses power.
    fn run(&self, disk: &Path, fault: Fault) -> Result<u64, String> {
        let data = disk.join("north");
        copy(&self.north.data, &data);
        let (base, notes) = (Base::of(&data), self.home.join("notes"));
        let shim = self.shim(&data, fault).noting(&notes);
        let mut node = self.north.moved(&data);
        shim.wrap(&mut node);
        let mut facts = self.facts.clone();
        let mut before = 0;
        if fault.flow == Flow::Start {
            shim.fail(fault.call, fault.error);
            match node.try_start() {
                Ok(()) => drop(node.kill()),
                Err(said) if said.is_empty() => return Err("it says nothing".to_owned()),
                Err(_) => {}
            }
        } else {
            node.try_start()?;
            before = shim.calls();
            arm(&shim, before, fault);
            match fault.flow {
                Flow::Work => {
                    let book = work(&node, &self.south, "2027", 12).run(&false.into(), &|| 0);
                    facts.extend(book.noted.into_iter().map(|noted| noted.fact));
                }
                Flow::Backup => self.back_up(&node, disk)?,
                _ => {}
            }
            match fault.flow {
                Flow::Stop => drop(node.close()),
                _ => drop(node.kill()),
            }
        }
        let calls = shim.calls() - before;
        self.after(&node, &base, &notes, &facts, fault)?;
        Ok(calls)
    }

    fn back_up(&self, node: &Node, disk: &Path) -> Result<(), String> {
        let folder = disk.join("backup").display().to_string();
        let asked = node.ask("POST", "/v0/node/backup", Some(&json!({"folder": folder})));
        let Ok((200, made)) = asked else {
            return Ok(());
        };
        let verified = command(&[], &["verify-backup", folder.as_str(), "--json"])?;
        let read: Value = serde_json::from_slice(&verified.stdout).unwrap_or_default();
        match read["records"] == made["records"] {
            true => Ok(()),
            false => Err(format!(
                "a backup was answered for, and is not whole: {made} {verified:?}"
            )),
        }
    }

    /// Asks the node again, as it lies there, and as it may lie there after the power was lost.
    fn after(
        &self,
        node: &Node,
        base: &Base,
        notes: &Path,
        facts: &[Fact],
        fault: Fault,
    ) -> Result<(), String> {
        let notes = Notes::read(notes);
        let end = notes.calls.last().map_or(0, |note| note.end);
        let image = self.home.join("image");
        clear(&image);
        let mut chance = Chance::new(seed() + fault.call);
        Disk::at(base, &notes, end, Names::Journalled).cut(&mut chance, &image);
        self.judge(&mut node.moved(&node.data), facts)?;
        let judged = self.judge(&mut node.moved(&image), facts);
        judged.map_err(|bad| format!("without power: {bad}"))
    }

    fn judge(&self, node: &mut Node, facts: &[Fact]) -> Result<(), String> {
        node.try_start()?;
        let verdict = Verdict::of(node, facts, &mut Chance::new(1));
        let verdict = verdict.map_err(|error| format!("{error}: {}", node.log()))?;
        node.kill();
        match verdict.clean() {
            true => Ok(()),
            false => Err(format!("{verdict:?}")),
        }
    }

    /// A partner's calls fail while a copy and an import arrive there; it goes on after a restart at most.
    fn receive(&self, disk: &Path, fault: Fault) -> Result<u64, String> {
        let (here, there) = (disk.join("north"), disk.join("south"));
        copy(&self.north.data, &here);
        copy(&self.south.data, &there);
        let (mut north, mut south) = (self.north.moved(&here), self.south.moved(&there));
        let shim = self.shim(&there, fault);
        shim.wrap(&mut south);
        north.start();
        south.start();
        let before = shim.calls();
        arm(&shim, before, fault);
        let calm = Duration::from_secs(8);
        let calmly = within(calm, || arrived(&north, &south, &self.facts));
        let calls = shim.calls() - before;
        if calmly.is_err() {
            south.kill();
            shim.fail(0, fault.error);
            south.start();
            until("it goes on after a restart", || {
                arrived(&north, &south, &self.facts).ok()
            });
        }
        north.kill();
        south.kill();
        self.judge(&mut self.south.moved(&there), &[])?;
        Ok(calls)
    }
}

fn work<'a>(node: &'a Node, partner: &'a Node, name: &'a str, steps: u64) -> Work<'a> {
    Work {
        data: &node.data,
        name,
        partner: Some(&partner.id),
        people: 1,
        steps,
        seed: 11,
    }
}

fn at(data: &Path) -> Vec<String> {
    vec!["--data".to_owned(), data.display().to_string()]
}

fn run(data: &Path) -> Vec<String> {
    [
        vec!["run".to_owned(), "--until-stdin-closes".to_owned()],
        at(data),
    ]
    .concat()
}

/// Lets a call fail that comes after so many.
fn arm(shim: &Shim, before: u64, fault: Fault) {
    if fault.call > 0 {
        shim.fail(before + fault.call, fault.error);
    }
}

/// Runs a command that must end.
fn command(words: &[String], arguments: &[impl AsRef<std::ffi::OsStr>]) -> Result<Output, String> {
    let mut command = match words.split_first() {
        Some((first, rest)) => {
            let mut command = Command::new(first);
            command.args(rest).arg(program::path());
            command
        }
        None => Command::new(program::path()),
    };
    let mut child = command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let ended = within(Duration::from_secs(60), || {
        child.try_wait().unwrap().ok_or(())
    });
    if ended.is_err() {
        child.kill().unwrap();
        return Err("it hangs".to_owned());
    }
    Ok(child.wait_with_output().unwrap())
}

/// Whoever fails says why.
fn said(output: &Output) -> Result<(), String> {
    match output.status.success() || output.stderr.is_empty() {
        true => Err(format!("no reason is given: {output:?}")),
        false => Ok(()),
    }
}

/// fault E4: invariants S6, S7, S20
#[test]
fn any_call_that_fails_is_said_and_loses_nothing() {
    let (count, seed) = (trials("INTERDOCKET_CALLS", 40), seed());
    println!("seed {seed}");
    let home = home();
    let place = Place::new(home.path());
    let mut all = Vec::new();
    for flow in Flow::ALL {
        for kind in [Kind::Change, Kind::Read] {
            let none = Fault {
                flow,
                call: 0,
                error: Errno::Io,
                kind,
            };
            let calls = place.trial(none).unwrap();
            println!("{flow:?}: {calls} calls of the kind {kind:?}");
            let errors: &[Errno] = match kind {
                Kind::Change => &[Errno::Io, Errno::Full],
                Kind::Read => &[Errno::Io],
            };
            for error in errors {
                all.extend((1..=calls).map(|call| Fault {
                    call,
                    error: *error,
                    ..none
                }));
            }
        }
    }
    let mut chance = Chance::new(seed);
    let (total, mut made, mut failed) = (all.len(), 0, 0);
    let mut bad = Vec::new();
    while made < count && !all.is_empty() {
        let fault = all.swap_remove(usize::try_from(chance.below(all.len() as u64)).unwrap());
        match place.trial(fault) {
            Ok(calls) => failed += u64::from(calls >= fault.call),
            Err(lost) => {
                println!("{lost}");
                bad.push(lost);
            }
        }
        made += 1;
        progress("call", made, bad.len());
    }
    let failed = failed + bad.len() as u64;
    println!(
        "call: {made} trials of {total}, in {failed} a call failed, {} bad",
        bad.len()
    );
    assert!(bad.is_empty(), "{}", bad.join("\n"));
    assert!(failed * 4 > made * 3, "too few calls failed");
}
