//! Stories that this machine cannot tell.

use std::fs::OpenOptions;
use std::io::Write as _;

/// Says that the running test is skipped, and why; `tests/run` counts what it finds in the file that
/// `INTERDOCKET_SKIPPED` names.
pub fn skip(reason: &str) {
    let thread = std::thread::current();
    let line = format!("{}: {reason}", thread.name().unwrap_or("a story"));
    println!("SKIPPED: {line}");
    let Some(path) = std::env::var_os("INTERDOCKET_SKIPPED") else {
        return;
    };
    let file = OpenOptions::new().create(true).append(true).open(path);
    let written = file.and_then(|mut file| writeln!(file, "{line}"));
    written.expect("what is skipped can be noted");
}

/// Whether a program is installed.
pub fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
