//! What a partner takes of a node stays within constants (S19): read sessions, calls that are answered,
//! decisions that wait, and files that are arriving.

use std::collections::BTreeMap;

use interdocket_sync::limits;

use super::{Broken, Seen};

pub(super) fn check(seen: &Seen<'_>) -> Broken {
    for state in &seen.states {
        let (process, name) = (&state.process, state.site.name);
        let mut sessions = BTreeMap::new();
        for (_, session) in process.sessions.all() {
            *sessions.entry(session.reader.partner).or_insert(0) += 1;
        }
        let most = sessions.values().copied().max().unwrap_or(0);
        let bounds = [
            ("sessions of one partner", most, limits::SESSIONS_MAX),
            ("calls of one partner", process.serving.most(), CALLS),
            ("decisions that wait", process.queued(), CALLS),
            (
                "files that arrive",
                process.vault.arriving().len(),
                limits::READ_FILES_MAX,
            ),
        ];
        for (what, count, most) in bounds {
            if count > most {
                return Err(format!("{name} has {count} {what}, more than {most}"));
            }
        }
    }
    Ok(())
}

/// More than tasks, people and repeated calls have at once.
const CALLS: usize = 96;
