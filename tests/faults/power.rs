//! The power is cut: what was not synced is lost, in part or whole, while people work, while what they share
//! arrives at a partner, and while the node recovers from the cut before.
//!
//! Invariant: what was answered for before the cut is there afterwards, whatever the disk made of the
//! rest. That these tests would find a bug is shown by planting three. One seed gives one cut of one
//! recording, and recordings differ; so an image on which something is lost is kept, as it was before the
//! node was started on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use interdocket_tests::Node;
use interdocket_tests::files::Chance;
use tempfile::TempDir;

use crate::image::{Base, Disk, Names, Notes};
use crate::load::{Fact, Noted, Work};
use crate::place::{clear, home, nodes, progress, seed, trials};
use crate::shim::{Bug, Shim};
use crate::verdict::{Verdict, proven};

/// A run of a node under load, as its calls were noted.
struct Recording {
    home: TempDir,
    node: Node,
    base: Base,
    notes: Notes,
    noted: Vec<Noted>,
    /// Where the node was there.
    made: u64,
}

/// How images came out.
#[derive(Debug, Default)]
struct Figures {
    cuts: u64,
    chained: u64,
    bad: Vec<String>,
    slowest: Duration,
    /// Where images are kept on which something is lost.
    keep: PathBuf,
}

/// Whose power is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// A node's that people work on, and that shares what they make.
    Owner,
    /// A node's that is only made meanwhile.
    New,
    /// A node's with which another shares.
    Partner,
}

/// Two nodes that nobody works on yet; of one all calls are noted.
struct Begun {
    whose: Whose,
    home: TempDir,
    node: Node,
    other: Node,
    base: Base,
    made: u64,
    shim: Shim,
}

impl Begun {
    fn work(self, number: u64) -> Recording {
        let Self {
            whose,
            home,
            mut node,
            mut other,
            base,
            made,
            shim,
        } = self;
        let (desk, partner) = match whose {
            Whose::Owner => (&node, Some(other.id.as_str())),
            Whose::New => (&node, None),
            Whose::Partner => (&other, Some(node.id.as_str())),
        };
        let mut chance = Chance::new(number);
        let stop = AtomicBool::new(false);
        let work = Work {
            data: &desk.data,
            name: "2026",
            partner,
            people: 3,
            steps: 30,
            seed: number,
        };
        let mut received = Vec::new();
        let book = std::thread::scope(|scope| {
            let working = scope.spawn(|| work.run(&stop, &|| shim.noted()));
            let until = Instant::now() + Duration::from_millis(1500 + chance.below(1500));
            while Instant::now() < until && !working.is_finished() {
                std::thread::sleep(Duration::from_millis(20));
                if whose == Whose::Partner {
                    let facts = proven(desk).unwrap();
                    let at = shim.noted();
                    received.extend(facts.into_iter().map(|fact| Noted { at, fact }));
                }
            }
            stop.store(true, Ordering::Relaxed);
            working.join().unwrap()
        });
        assert!(book.refused.is_empty(), "{:?}", book.refused);
        let noted = match whose {
            Whose::Partner => received,
            Whose::Owner | Whose::New => book.noted,
        };
        other.kill();
        node.stop();
        let notes = Notes::read(&home.path().join("notes"));
        let end = notes.calls.last().map_or(0, |note| note.end);
        if shim.bug.is_none() {
            let disk = home.path().join("disk");
            let strange = Disk::at(&base, &notes, end, Names::Journalled).differs(&disk);
            assert!(
                strange.is_empty(),
                "calls that the layer does not see: {strange:?}"
            );
        }
        node.wrap(&[]);
        Recording {
            home,
            node,
            base,
            notes,
            noted,
            made,
        }
    }
}

impl Recording {
    /// Has people work on nodes for a while.
    fn make(number: u64, whose: Whose, bug: Option<Bug>) -> Self {
        let home = home();
        let disk = home.path().join("disk");
        let (north, south) = nodes(home.path());
        let (mut node, other) = match whose {
            Whose::Owner | Whose::New => (north, south),
            Whose::Partner => (south, north),
        };
        node.stop();
        fs::create_dir(&disk).unwrap();
        let data = disk.join(NODE);
        if whose != Whose::New {
            fs::rename(&node.data, &data).unwrap();
        }
        let base = Base::of(&disk);
        let mut shim = Shim::below(&disk).noting(&home.path().join("notes"));
        if let Some(bug) = bug {
            shim = shim.planting(bug);
        }
        let mut node = node.moved(&data);
        if whose == Whose::New {
            node.make(&shim.words());
        }
        let made = shim.noted();
        shim.wrap(&mut node);
        node.start();
        let begun = Begun {
            whose,
            home,
            node,
            other,
            base,
            made,
            shim,
        };
        begun.work(number)
    }

    /// Cuts the power somewhere, starts the node on what is left, and again in the middle of that.
    fn cut(&self, number: u64, figures: &mut Figures) {
        let mut chance = Chance::new(number);
        let end = self.end(&mut chance);
        let facts: Vec<Fact> = self.before(end);
        let deep = 1 + [0, 0, 0, 1, 2][usize::try_from(chance.below(5)).unwrap()];
        let mut run = None;
        for generation in 0..deep {
            let place = format!("interdocket-cut-{number}-{generation}");
            let (image, seed) = (self.home.path().join(&place), number * 10 + generation);
            let (base, notes, end) = match &run {
                None => (&self.base, &self.notes, end),
                Some((base, notes, end)) => (base, notes, *end),
            };
            build(base, notes, end, seed, &image);
            figures.cuts += 1;
            figures.chained += u64::from(generation > 0);
            let left = Base::of(&image);
            let mut node = self.node.moved(&image.join(NODE));
            let log = self.home.path().join("notes-of-image");
            Shim::below(&image).noting(&log).wrap(&mut node);
            // What is not made yet says so; where there is a configuration, there is a whole node.
            let begun = generation == 0 && end < self.made && !node.data.join(SETTINGS).exists();
            if let Err(bad) = judge(&mut node, &facts, &mut chance, figures) {
                if !(begun && bad.starts_with("error: ")) {
                    let kept = figures.keep.join(place);
                    clear(&kept);
                    let names = build(base, notes, end, seed, &kept);
                    let told = format!("kept in {}, {names:?}: {bad}", kept.display());
                    figures.bad.push(told);
                }
                return clear(&image);
            }
            let notes = Notes::read(&log);
            clear(&image);
            let end = chance.below(notes.calls.len() as u64);
            let end = notes.calls[usize::try_from(end).unwrap()].end;
            run = Some((left, notes, end));
        }
    }

    /// A place in the notes: any, or where something had just been answered.
    fn end(&self, chance: &mut Chance) -> u64 {
        let pick =
            |chance: &mut Chance, len: usize| usize::try_from(chance.below(len as u64)).unwrap();
        if chance.below(2) == 0 && !self.noted.is_empty() {
            return self.noted[pick(chance, self.noted.len())].at;
        }
        self.notes.calls[pick(chance, self.notes.calls.len())].end
    }

    fn before(&self, end: u64) -> Vec<Fact> {
        let before = self.noted.iter().filter(|noted| noted.at <= end);
        before.map(|noted| noted.fact.clone()).collect()
    }
}

/// Writes what is left of a folder; one seed gives one image of one recording.
fn build(base: &Base, notes: &Notes, end: u64, seed: u64, image: &Path) -> Names {
    let mut chance = Chance::new(seed);
    let names = match chance.below(3) {
        0 => Names::Separate,
        _ => Names::Journalled,
    };
    Disk::at(base, notes, end, names).cut(&mut chance, image);
    names
}

/// Starts a node on an image and asks it; it is killed afterwards.
fn judge(
    node: &mut Node,
    facts: &[Fact],
    chance: &mut Chance,
    figures: &mut Figures,
) -> Result<(), String> {
    let begun = Instant::now();
    node.try_start()?;
    figures.slowest = figures.slowest.max(begun.elapsed());
    let verdict =
        Verdict::of(node, facts, chance).map_err(|error| format!("{error}: {}", node.log()));
    node.kill();
    match verdict? {
        verdict if verdict.clean() => Ok(()),
        verdict => Err(format!("{verdict:?}")),
    }
}

/// Makes cuts in several recordings.
fn cuts(count: u64, each: u64, seed: u64, bug: Option<Bug>, keep: PathBuf) -> Figures {
    let mut figures = Figures {
        keep,
        ..Figures::default()
    };
    let mut recording = None;
    let mut made = 0;
    while figures.cuts < count {
        if made % each == 0 {
            let whose = [Whose::Owner, Whose::New, Whose::Partner];
            let whose = whose[usize::try_from(made / each % 3).unwrap()];
            recording = Some(Recording::make(seed + made, whose, bug));
        }
        recording.as_ref().unwrap().cut(seed + made, &mut figures);
        made += 1;
        progress("power", made, figures.bad.len());
        if bug.is_some() && figures.bad.len() >= ENOUGH {
            break;
        }
    }
    figures
}

/// fault E2, fault E9: invariants S5, S6, S7, L10
#[test]
fn what_was_answered_survives_the_loss_of_power() {
    let seed = seed();
    println!("seed {seed}");
    let figures = cuts(
        trials("INTERDOCKET_CUTS", 45),
        15,
        seed,
        None,
        std::env::temp_dir(),
    );
    println!(
        "power: {} cuts, {} of them while recovering, {} bad, slowest start {:?}",
        figures.cuts,
        figures.chained,
        figures.bad.len(),
        figures.slowest
    );
    assert!(figures.bad.is_empty(), "{}", figures.bad.join("\n"));
}

/// fault E2: the tests above find what they are there for
#[test]
fn planted_bugs_below_the_program_are_found() {
    let home = home();
    for bug in [Bug::File, Bug::Directory, Bug::Late] {
        let figures = cuts(60, 60, seed() + 1, Some(bug), home.path().to_owned());
        println!(
            "{bug:?}: {} bad of {} cuts",
            figures.bad.len(),
            figures.cuts
        );
        assert!(!figures.bad.is_empty(), "{bug:?} is not found");
    }
}

/// Where the node lies whose power is cut.
const NODE: &str = "node";
/// What there is where a node is whole.
const SETTINGS: &str = "interdocket.toml";
/// So many finds are enough.
const ENOUGH: usize = 2;
