//! Damage to any file of a data directory: one bit, one page, or all behind a place.
//!
//! Invariant: the node heals it, or refuses to start and names the file and what to do, or says what is
//! damaged and never shows it. Nothing that was answered goes missing in silence, and no revocation.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use interdocket_tests::Node;
use interdocket_tests::files::Chance;
use tempfile::TempDir;

use crate::image::entries;
use crate::load::{Fact, Work};
use crate::place::{clear, copy, home, nodes, progress, seed, trials};
use crate::verdict::{Verdict, settle};

/// A node that nothing runs on, with something in every file that a node has.
struct Site {
    node: Node,
    facts: Vec<Fact>,
    files: Vec<PathBuf>,
}

/// What is done to a file.
#[derive(Debug, Clone, Copy)]
enum Harm {
    Bit,
    Page,
    Cut,
}

/// How a damage came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// Nothing is to be seen of it: it was mended, or no one needs what is there.
    Healed,
    /// The node does not start, and says why.
    Refused,
    /// The node starts, and says what is damaged.
    Marked,
}

/// The owner of what was shared, and the partner: as they lie on disk after a kill.
fn sites(home: &TempDir) -> [Site; 2] {
    let (mut north, mut south) = nodes(home.path());
    let work = Work {
        data: &north.data,
        name: "2026",
        partner: Some(&south.id),
        people: 2,
        steps: 40,
        seed: 5,
    };
    let mut facts = work.done();
    let backup = home.path().join("backup").display().to_string();
    // Seals the segment that grows, so that there are two.
    north.call(&["backup", &backup]);
    facts.extend(
        Work {
            name: "2027",
            people: 1,
            seed: 6,
            ..work
        }
        .done(),
    );
    let there = Work {
        data: &south.data,
        name: "2028",
        partner: None,
        people: 1,
        ..work
    }
    .done();
    settle(&north, &south, &facts);
    north.kill();
    south.stop();
    [(north, facts), (south, there)].map(|(node, facts)| {
        let mut files = Vec::new();
        below(&node.data, Path::new(""), &mut files);
        Site { node, facts, files }
    })
}

fn below(folder: &Path, inner: &Path, found: &mut Vec<PathBuf>) {
    for (name, path) in entries(folder) {
        let inner = inner.join(name);
        match path.is_dir() {
            true => below(&path, &inner, found),
            false if fs::metadata(&path).unwrap().len() > 0 => found.push(inner),
            false => {}
        }
    }
}

impl Harm {
    const ALL: [Self; 3] = [Self::Bit, Self::Page, Self::Cut];

    fn apply(self, path: &Path, chance: &mut Chance) -> String {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .unwrap();
        let len = file.metadata().unwrap().len();
        let at = chance.below(len);
        match self {
            Self::Bit => {
                let mut byte = [0];
                file.read_exact_at(&mut byte, at).unwrap();
                let bit = chance.below(8);
                file.write_all_at(&[byte[0] ^ (1 << bit)], at).unwrap();
                format!("bit {bit} of byte {at} of {len}")
            }
            Self::Page => {
                let at = at / 4096 * 4096;
                let bytes = usize::try_from(4096.min(len - at)).unwrap();
                file.write_all_at(&vec![0; bytes], at).unwrap();
                format!("page at {at} of {len}")
            }
            Self::Cut => {
                file.set_len(at).unwrap();
                format!("cut at {at} of {len}")
            }
        }
    }
}

/// Damages one file of a copy of a site, starts the node on it and judges what it does.
fn trial(
    site: &Site,
    target: &Path,
    path: &Path,
    harm: Harm,
    seed: u64,
) -> Result<Outcome, String> {
    let mut chance = Chance::new(seed);
    clear(target);
    copy(&site.node.data, target);
    let place = harm.apply(&target.join(path), &mut chance);
    let what = format!(
        "seed {seed}: {} {}, {place}",
        site.node.name,
        path.display()
    );
    let mut node = site.node.moved(target);
    judge(&mut node, site, path, &mut chance).map_err(|bad| format!("{what}: {bad}"))
}

fn judge(
    node: &mut Node,
    site: &Site,
    path: &Path,
    chance: &mut Chance,
) -> Result<Outcome, String> {
    if let Err(said) = node.try_start() {
        let name = path.file_name().unwrap().to_string_lossy();
        let advice = ADVICE.iter().any(|word| said.contains(word));
        return match said.contains(&*name) && advice {
            true => Ok(Outcome::Refused),
            false => Err(format!("what is wrong, or what to do, is not said: {said}")),
        };
    }
    let verdict = Verdict::of(node, &site.facts, chance);
    let mut verdict = verdict.map_err(|error| format!("{error}: {}", node.log()))?;
    for fact in &site.facts {
        if let Fact::Evidence(file) = fact {
            verdict
                .read(node, file)
                .map_err(|error| error.to_string())?;
        }
    }
    node.kill();
    if !verdict.wrong.is_empty() {
        return Err(format!("what may never be: {verdict:?}"));
    }
    match (verdict.missing.is_empty(), verdict.problems.is_empty()) {
        (true, true) => Ok(Outcome::Healed),
        (_, false) => Ok(Outcome::Marked),
        (false, true) => Err(format!(
            "missing in silence: {:?}: {}",
            verdict.missing,
            node.log()
        )),
    }
}

/// fault E5, fault E6, fault E11: invariants S5, S6, S21
#[test]
fn damage_to_any_file_is_healed_or_said() {
    let (count, seed) = (trials("INTERDOCKET_DAMAGES", 100), seed());
    println!("seed {seed}");
    let home = home();
    let sites = sites(&home);
    let all: Vec<_> = sites
        .iter()
        .flat_map(|site| {
            site.files
                .iter()
                .flat_map(move |path| Harm::ALL.map(|harm| (site, path, harm)))
        })
        .collect();
    println!("{} files", all.len() / Harm::ALL.len());
    let mut chance = Chance::new(seed);
    let mut outcomes: BTreeMap<(String, Outcome), u64> = BTreeMap::new();
    let mut bad = Vec::new();
    for number in 0..count {
        let place = chance.below(all.len() as u64);
        // Every file in every way first, as far as that goes.
        let place = if count >= all.len() as u64 && number < all.len() as u64 {
            number
        } else {
            place
        };
        let (site, path, harm) = all[usize::try_from(place).unwrap()];
        match trial(
            site,
            &home.path().join("damaged"),
            path,
            harm,
            seed + number,
        ) {
            Ok(outcome) => *outcomes.entry((part(path), outcome)).or_default() += 1,
            Err(silent) => bad.push(silent),
        }
        progress("damage", number + 1, bad.len());
    }
    println!("damage: {count} damages, {} bad", bad.len());
    for ((part, outcome), count) in &outcomes {
        println!("  {part}: {count} {outcome:?}");
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

/// The part of the data directory that a file belongs to.
fn part(path: &Path) -> String {
    path.iter().next().unwrap().to_string_lossy().into_owned()
}

/// Words of which one is in a text that says what to do.
const ADVICE: [&str; 6] = [
    "restore",
    "put back",
    "bring back",
    "change ",
    "correct",
    "start again",
];
