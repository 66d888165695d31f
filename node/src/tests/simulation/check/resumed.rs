//! What was interrupted goes on where it was (L3): bytes that came and were durable are not sent again, but
//! for one piece at each interruption.

use interdocket_sync::evidence::File;
use interdocket_sync::id::ShareId;

use super::super::plan::Odd;
use super::super::serve::PIECE;
use super::super::world::World;

/// A call begins to read files.
pub(in super::super) fn begins(world: &World, site: usize, share: ShareId, files: &[File]) {
    let mut oracle = world.oracle.borrow_mut();
    for file in files {
        let (_, calls) = oracle
            .arriving
            .entry((site, share, file.blake3))
            .or_default();
        *calls += 1;
    }
}

/// A piece of a file came.
pub(in super::super) fn arrived(
    world: &World,
    site: usize,
    share: ShareId,
    file: &File,
    bytes: usize,
) {
    let mut oracle = world.oracle.borrow_mut();
    // Who lies sends what it likes; who came back from its past lost what had come.
    let lies = oracle.odd.values().any(|odd| *odd == Odd::Lies);
    if lies || oracle.odd(world.sites[site].id) {
        return;
    }
    let (came, calls) = oracle
        .arriving
        .entry((site, share, file.blake3))
        .or_default();
    *came += bytes as u64;
    let most = file.size + calls.saturating_sub(1) * PIECE as u64;
    if *came > most {
        let (name, came) = (world.sites[site].name, *came);
        world.fail(format!(
            "resumed: {name} got {came} bytes of {} with {}, more than {most}",
            file.blake3, file.size
        ));
    }
}
