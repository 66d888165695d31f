//! What a partner is told depends on nothing that it has no share of (S3): two runs that differ in nothing else
//! give it the same messages, byte by byte and at the same time.

use super::super::twin::Heard;
use super::Broken;

pub(in super::super) fn check(one: &[Heard], other: &[Heard]) -> Broken {
    for (place, (one, other)) in one.iter().zip(other).enumerate() {
        if one != other {
            return Err(format!("message {place} differs: {one:?} and {other:?}"));
        }
    }
    match one.len().cmp(&other.len()) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Less => Err(format!("more is told: {:?}", other[one.len()])),
        std::cmp::Ordering::Greater => Err(format!("less is told: {:?}", one[other.len()])),
    }
}
