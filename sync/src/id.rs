//! Ids of the things that nodes talk about: UUIDs that the caller hands in (version 7), or derives
//! from other ids. Making them needs a clock and chance, so that is not here.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID.
            pub const fn new(id: Uuid) -> Self {
                Self(id)
            }

            /// Reads 16 bytes, as ids stand on the wire.
            ///
            /// # Errors
            /// [`NotAnId`] where there are not 16.
            pub fn from_slice(bytes: &[u8]) -> Result<Self, NotAnId> {
                Uuid::from_slice(bytes).map(Self).map_err(|_| NotAnId)
            }

            /// The 16 bytes.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// The UUID itself.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                text.parse().map(Self).map_err(|_| NotAnId)
            }
        }
    )*};
}

id! {
    /// Names a case on the node that owns it.
    CaseId;
    /// Names one item of evidence on the node that owns it.
    EvidenceId;
    /// Names a target on the node that owns its case.
    TargetId;
    /// Names a share, at both nodes.
    ShareId;
    /// Names a person or program for whom an organisation speaks.
    ActorId;
    /// Names an invitation to pair.
    InvitationId;
}

impl CaseId {
    /// The case that a partner makes of a shared one: the same at every replay, and no other share's.
    pub fn received(share: ShareId, origin: Self) -> Self {
        Self(derive(b"interdocket received case v0", share, &origin.0))
    }
}

impl EvidenceId {
    /// The evidence that a partner makes of a shared one: the same at every replay, and no other
    /// share's, so that two origins that use one id never meet.
    pub fn received(share: ShareId, origin: Self) -> Self {
        Self(derive(
            b"interdocket received evidence v0",
            share,
            &origin.0,
        ))
    }
}

impl TargetId {
    /// The target that a partner makes of a shared one: the same at every replay, and no other share's.
    pub fn received(share: ShareId, origin: Self) -> Self {
        Self(derive(b"interdocket received target v0", share, &origin.0))
    }
}

fn derive(tag: &[u8], share: ShareId, origin: &Uuid) -> Uuid {
    let mut hash = Sha256::new();
    hash.update(tag);
    hash.update(share.as_bytes());
    hash.update(origin.as_bytes());
    let digest: [u8; 32] = hash.finalize().into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// Bytes or a text that is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id: a UUID is expected")]
pub struct NotAnId;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn received_ids_depend_on_share_and_origin() {
        let [one, two] = [1, 2].map(|n| ShareId::new(Uuid::from_u128(n)));
        let origin = EvidenceId::new(Uuid::from_u128(7));
        assert_eq!(
            EvidenceId::received(one, origin),
            EvidenceId::received(one, origin)
        );
        assert_ne!(
            EvidenceId::received(one, origin),
            EvidenceId::received(two, origin)
        );
    }
}
