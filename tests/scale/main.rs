//! What a node's work costs beside how much it holds: the same work on nodes of several sizes.
//!
//! A node of size N has N cases and 10 N items of evidence: one case has N items, every other one 9. It is filled
//! through its own writer, journal and database; files are recorded, without bytes. Each size is filled and
//! measured by processes of their own, so that start-up and memory are those of a node that begins.

mod fill;
mod measure;

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use interdocket_node::access;
use interdocket_node::actions::{Actor, Caller, Progress, Way, user};
use interdocket_node::node::Node;

/// As the program has it: memory is measured here.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What anything here fails with.
type Failed = Box<dyn Error + Send + Sync>;

/// The number of the case that has N items.
const LARGE: &str = "LARGE";
/// The number of a case that has 9 items, as the node's first ones do.
const SMALL: &str = "CASE-1";
/// The organisation that cases are shared with.
const PARTNER: &str = "south";
/// Somebody who has access to [`REACHED`] cases.
const SOMEBODY: &str = "Alvarez";
/// Cases that somebody has access to.
const REACHED: usize = 10;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match *words {
        ["fill", dir, size] => number(size).and_then(|size| fill::fill(Path::new(dir), size)),
        ["measure", dir] => measure::measure(Path::new(dir)),
        ["sizes", dir, ref sizes @ ..] if !sizes.is_empty() => compare(Path::new(dir), sizes),
        _ => Err("usage: scale sizes DIRECTORY SIZE...".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("scale: {error}");
            ExitCode::FAILURE
        }
    }
}

fn number(size: &str) -> Result<usize, Failed> {
    let size = size.parse()?;
    match size {
        100.. => Ok(size),
        _ => Err("a node has at least 100 cases here".into()),
    }
}

/// Fills and measures a node of each size, and prints what each work costs at each.
fn compare(dir: &Path, sizes: &[&str]) -> Result<(), Failed> {
    let mut rows: Vec<(String, BTreeMap<usize, f64>)> = Vec::new();
    for (place, size) in sizes.iter().enumerate() {
        let size = number(size)?;
        let data = dir.join(size.to_string());
        let began = Instant::now();
        child(&["fill".into(), data.clone(), size.to_string().into()])?;
        eprintln!("scale: {size} cases: filled in {:.0?}", began.elapsed());
        // Else what is measured waits for the disk to take what was filled.
        if !Command::new("sync").status()?.success() {
            return Err("the disk can't be synced".into());
        }
        for line in child(&["measure".into(), data.clone()])?.lines() {
            let (name, value) = line.split_once('\t').ok_or("a line without a value")?;
            let row = match rows.iter().position(|(known, _)| known == name) {
                Some(row) => row,
                None => {
                    rows.push((name.to_owned(), BTreeMap::new()));
                    rows.len() - 1
                }
            };
            rows[row].1.insert(place, value.parse()?);
        }
        std::fs::remove_dir_all(&data)?;
    }
    let cells = |cell: &dyn Fn(usize) -> String| -> String {
        (0..sizes.len())
            .map(|place| format!(" {} |", cell(place)))
            .collect()
    };
    println!("| N: cases |{}", cells(&|place| sizes[place].to_owned()));
    println!("|---|{}", cells(&|_| "---".into()).replace(' ', ""));
    for (name, values) in &rows {
        let first = values.get(&0).copied().unwrap_or(f64::NAN);
        let cell = |place: usize| {
            let value = values.get(&place).copied().unwrap_or(f64::NAN);
            match place {
                0 => format!("{value:.3}"),
                _ => format!("{value:.3} ({:.1}×)", value / first),
            }
        };
        println!("| {name} |{}", cells(&cell));
    }
    Ok(())
}

fn child(words: &[PathBuf]) -> Result<String, Failed> {
    let mut command = Command::new(std::env::current_exe()?);
    let done = command.args(words).stderr(Stdio::inherit()).output()?;
    match done.status.success() {
        true => Ok(String::from_utf8(done.stdout)?),
        false => Err(format!("{words:?}: {}", done.status).into()),
    }
}

/// A user as somebody who calls by token.
fn caller(user: &user::User) -> Result<Caller, Failed> {
    let role = access::built_in(&user.role).ok_or("no such role")?;
    Ok(Caller {
        actor: Actor {
            id: user.id,
            name: user.name.clone(),
            badge: user.badge.clone(),
        },
        permissions: role.permissions(),
        way: Way::Token,
        session: None,
        progress: Progress::default(),
    })
}

/// Runs work on a node that is opened for it, and closes the node.
fn on<R>(data: &Path, work: impl AsyncFnOnce(Node) -> Result<R, Failed>) -> Result<R, Failed> {
    let runtime = tokio::runtime::Runtime::new()?;
    let entered = runtime.enter();
    let (node, writer) = interdocket_node::run::unserved(data)?;
    let done = runtime.block_on(work(node));
    drop(entered);
    drop(runtime);
    writer.join().map_err(|_| "the writer broke")?;
    done
}
