//! Where trials take place, and how many there are.

use std::fs;
use std::path::Path;

use interdocket_tests::world::{enable, pair};
use interdocket_tests::{Node, Reach, World};
use tempfile::TempDir;

use crate::image::entries;

/// How many trials there are: as the environment says, else so many.
pub(crate) fn trials(name: &str, else_: u64) -> u64 {
    std::env::var(name).map_or(else_, |number| number.parse().expect("it is a number"))
}

/// Where the seeds begin; `INTERDOCKET_SEED` gives another place.
pub(crate) fn seed() -> u64 {
    trials("INTERDOCKET_SEED", 20_261_121)
}

/// Says how far a long run is.
pub(crate) fn progress(what: &str, made: u64, bad: usize) {
    if made.is_multiple_of(100) {
        println!("{what}: {made} so far, {bad} bad");
    }
}

/// A folder in memory, where there is such a place; it goes with the test.
pub(crate) fn home() -> TempDir {
    let memory = Path::new("/dev/shm");
    let mut builder = tempfile::Builder::new();
    let builder = builder.prefix("interdocket-faults-");
    let made = match memory.is_dir() {
        true => builder.tempdir_in(memory),
        false => builder.tempdir(),
    };
    made.expect("a temporary folder can be made")
}

/// Two nodes that run, are paired and may share everything; there is a Kim at both.
pub(crate) fn nodes(home: &Path) -> (Node, Node) {
    let mut north = World::make_at(&home.join("north"), "north", Reach::Dialable);
    let mut south = World::make_at(&home.join("south"), "south", Reach::Hidden);
    north.start();
    south.start();
    pair(&north, &south);
    enable(&north, &south);
    let policy = ["--mode", "synchronised", "--download", "--import"];
    for (node, partner) in [(&north, &south), (&south, &north)] {
        node.call(&["user", "add", "Kim", "--role", "investigator"]);
        node.call(&[&["partner", "policy", &partner.id][..], &policy].concat());
    }
    (north, south)
}

/// Copies a folder, sockets aside.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the test's folder can be written");
    fs::set_permissions(to, fs::metadata(from).expect("it is there").permissions())
        .expect("the folder is ours");
    for (name, path) in entries(from) {
        match path.is_dir() {
            true => copy(&path, &to.join(name)),
            false => {
                fs::copy(&path, to.join(name)).expect("the disk has space");
            }
        }
    }
}

/// Removes a folder and the log beside it, where they are.
pub(crate) fn clear(folder: &Path) {
    let _ = fs::remove_dir_all(folder);
    let _ = fs::remove_file(folder.with_extension("log"));
}
