//! What a process takes of the machine, as `/proc` has it.

use std::fs;
use std::path::PathBuf;

/// What a process takes at a moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gauge {
    /// The most memory since [`forget`], in KiB.
    pub(crate) peak: u64,
    /// Memory, in KiB.
    pub(crate) memory: u64,
    /// File handles, sockets among them.
    pub(crate) handles: usize,
    /// Threads.
    pub(crate) threads: u64,
}

/// Reads what a process takes.
pub(crate) fn gauge(process: u32) -> Gauge {
    let status = fs::read_to_string(of(process, "status")).unwrap();
    let number = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let word = line.and_then(|rest| rest.split_whitespace().next());
        word.and_then(|word| word.parse().ok()).unwrap()
    };
    Gauge {
        peak: number("VmHWM:"),
        memory: number("VmRSS:"),
        handles: fs::read_dir(of(process, "fd")).unwrap().count(),
        threads: number("Threads:"),
    }
}

/// Has the peak begin anew.
pub(crate) fn forget(process: u32) {
    fs::write(of(process, "clear_refs"), "5").unwrap();
}

fn of(process: u32, file: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{process}/{file}"))
}
