//! Refusals on the wire.

use interdocket_proto::v1;
use interdocket_proto::v1::RefusalCode as Code;

use crate::refusal::Refusal;

/// Writes a refusal.
pub fn write(refusal: Refusal) -> v1::Refusal {
    let (code, expected) = match refusal {
        Refusal::Busy => (Code::Busy, 0),
        Refusal::Damaged => (Code::Damaged, 0),
        Refusal::Fork => (Code::Fork, 0),
        Refusal::Format => (Code::Format, 0),
        Refusal::Frozen => (Code::Frozen, 0),
        Refusal::Gap { expected } => (Code::Gap, expected),
        Refusal::Incarnation => (Code::Incarnation, 0),
        Refusal::Limit => (Code::Limit, 0),
        Refusal::Malformed => (Code::Malformed, 0),
        Refusal::Newer => (Code::Newer, 0),
        Refusal::NotEnabled => (Code::NotEnabled, 0),
        Refusal::NotShared => (Code::NotShared, 0),
        Refusal::Signature => (Code::Signature, 0),
        Refusal::State => (Code::State, 0),
        Refusal::Suspended => (Code::Suspended, 0),
    };
    v1::Refusal {
        code: code as i32,
        expected,
    }
}

/// Reads a refusal; none where the code is not known here, or says something impossible.
pub fn read(refusal: v1::Refusal) -> Option<Refusal> {
    let read = match Code::try_from(refusal.code).ok()? {
        Code::Unspecified => return None,
        Code::Busy => Refusal::Busy,
        Code::Damaged => Refusal::Damaged,
        Code::Fork => Refusal::Fork,
        Code::Format => Refusal::Format,
        Code::Frozen => Refusal::Frozen,
        Code::Gap if refusal.expected == 0 => return None,
        Code::Gap => Refusal::Gap {
            expected: refusal.expected,
        },
        Code::Incarnation => Refusal::Incarnation,
        Code::Limit => Refusal::Limit,
        Code::Malformed => Refusal::Malformed,
        Code::Newer => Refusal::Newer,
        Code::NotEnabled => Refusal::NotEnabled,
        Code::NotShared => Refusal::NotShared,
        Code::Signature => Refusal::Signature,
        Code::State => Refusal::State,
        Code::Suspended => Refusal::Suspended,
    };
    Some(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_survives_the_wire() {
        for refusal in Refusal::ALL {
            assert_eq!(read(write(refusal)), Some(refusal));
        }
    }

    #[test]
    fn every_code_on_the_wire_is_a_refusal() {
        let codes = (i32::MIN..0).rev().take(64).chain(0..64);
        let read = codes.filter_map(|code| read(v1::Refusal { code, expected: 1 }));
        assert_eq!(read.count(), Refusal::ALL.len());
    }

    /// fault A12
    #[test]
    fn a_gap_before_the_first_entry_is_no_refusal() {
        let code = Code::Gap as i32;
        assert_eq!(read(v1::Refusal { code, expected: 0 }), None);
    }
}
