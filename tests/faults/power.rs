//! The power is cut: what was not synced is lost, in part or whole, while people work and while the
//! node recovers from the cut before.
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
use crate::verdict::Verdict;

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

/// A node that runs, and nobody works on yet.
struct Begun {
    home: TempDir,
    node: Node,
    partner: Option<Node>,
    base: Base,
    made: u64,
    shim: Shim,
}

impl Begun {
    fn work(self, number: u64) -> Recording {
        let Self {
            home,
            mut node,
            partner,
            base,
            made,
            shim,
        } = self;
        let mut chance = Chance::new(number);
        let stop = AtomicBool::new(false);
        let work = Work {
            data: &node.data,
            name: "2026",
            partner: partner.as_ref().map(|partner| partner.id.as_str()),
            people: 3,
            steps: 30,
            seed: number,
        };
        let book = std::thread::scope(|scope| {
            let working = scope.spawn(|| work.run(&stop, &|| shim.noted()));
            let until = Instant::now() + Duration::from_millis(1500 + chance.below(1500));
            while Instant::now() < until && !working.is_finished() {
                std::thread::sleep(Duration::from_millis(20));
            }
            stop.store(true, Ordering::Relaxed);
            working.join().unwrap()
        });
        assert!(book.refused.is_empty(), "{:?}", book.refused);
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
            noted: book.noted,
            made,
        }
    }
}

impl Recording {
    /// Has people work on a node for a while: one that has a partner, or one that is only made meanwhile.
    fn make(number: u64, fresh: bool, bug: Option<Bug>) -> Self {
        let home = home();
        let disk = home.path().join("disk");
        let (mut north, south) = nodes(home.path());
        north.stop();
        fs::create_dir(&disk).unwrap();
        if !fresh {
            fs::rename(&north.data, disk.join("north")).unwrap();
        }
        let base = Base::of(&disk);
        let mut shim = Shim::below(&disk).noting(&home.path().join("notes"));
        if let Some(bug) = bug {
            shim = shim.planting(bug);
        }
        let mut north = north.moved(&disk.join("north"));
        if fresh {
            north.make(&shim.words());
        }
        let made = shim.noted();
        shim.wrap(&mut north);
        north.start();
        let begun = Begun {
            home,
            node: north,
            partner: (!fresh).then_some(south),
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
            let mut node = self.node.moved(&image.join("north"));
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
            let fresh = made / each % 2 == 1;
            recording = Some(Recording::make(seed + made, fresh, bug));
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
        trials("INTERDOCKET_CUTS", 40),
        20,
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

/// What there is where a node is whole.
const SETTINGS: &str = "interdocket.toml";
/// So many finds are enough.
const ENOUGH: usize = 2;
