//! The program `interdocket`: the library, started.

use std::process::ExitCode;

/// Memory that many threads take and give back in pieces of all sizes: what this one is made for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    interdocket_node::cli::main()
}
