//! What this process may take of the system, and what it leaves behind.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Takes as many file handles as the system lets it have, and leaves no core dump: keys would be in it.
pub fn confine() {
    let handles = getrlimit(Resource::Nofile);
    let most = handles.maximum.unwrap_or(HANDLES).min(HANDLES);
    let more = Rlimit {
        current: Some(most.max(handles.current.unwrap_or(0))),
        maximum: handles.maximum,
    };
    set(Resource::Nofile, more, "file handles");
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    set(Resource::Core, none, "core dumps");
    if most < HANDLES_MIN {
        tracing::warn!(
            most,
            "the system lets this node have few file handles: give it {HANDLES_MIN} at least, such as by LimitNOFILE"
        );
    }
}

fn set(resource: Resource, limit: Rlimit, what: &str) {
    if let Err(error) = setrlimit(resource, limit) {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(error, what, "a limit of this process can't be set");
    }
}

/// Handles that a node takes where it can: more than all ways in, partners and files need together.
const HANDLES: u64 = 65_536;
/// Below that, callers alone can take all of them.
const HANDLES_MIN: u64 = 1024;
