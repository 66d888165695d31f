//! A node's life has a number that only grows (S11): a restored node begins a new one, and no partner holds
//! anything of a later one than the node itself knows of.

use std::collections::BTreeMap;

use super::{Broken, Seen};
use crate::federation::exchange::incarnation;

/// The incarnation of each node, as it was seen last, or as it has to be at least.
pub(in super::super) type Lives = BTreeMap<usize, u64>;

pub(super) fn check(seen: &Seen<'_>, lives: &mut Lives) -> Broken {
    for state in &seen.states {
        let Ok(now) = state.process.read(incarnation) else {
            continue;
        };
        let (name, last) = (state.site.name, lives.entry(state.site.number).or_default());
        if now < *last {
            return Err(format!("{name} lives in incarnation {now} after {last}"));
        }
        *last = now;
    }
    Ok(())
}

/// Once everything has settled.
pub(super) fn settled(seen: &Seen<'_>) -> Broken {
    for state in &seen.states {
        let Ok(own) = state.process.read(incarnation) else {
            continue;
        };
        for other in &seen.states {
            for (id, share) in &other.shares {
                let Some(side) = share.header.side(state.site.id) else {
                    continue;
                };
                let known = share.header.log(side).incarnation;
                if known > own && !seen.oracle.forks(&share.header) {
                    let names = (state.site.name, other.site.name);
                    let (name, there) = names;
                    return Err(format!(
                        "{there} knows of life {known} of {name} in {id}, not {own}"
                    ));
                }
            }
        }
    }
    Ok(())
}
