//! Pairing: how two organisations come to trust each other's roots, and nothing more.
//!
//! One side makes an [`Invitation`] and hands it over by any means; the other accepts it over the
//! network. Both prove that they know its secret, both derive the same [`Words`] from everything
//! that was said, and people compare them. The accepter commits to its nonce before it sees the
//! inviter's, so that nobody in between can search for words that match. A secret has 128 bits:
//! nothing that is sent lets it be guessed. How messages travel, and what a partner may do once it
//! is confirmed, are not here.

mod accepter;
mod address;
mod invitation;
mod inviter;
#[cfg(test)]
mod tests;
mod transcript;

use std::fmt;

use chrono::Duration;
use interdocket_proto::v1;
use serde::{Deserialize, Serialize};

pub use self::accepter::{Accepter, Answered};
pub use self::address::{Address, ParseAddressError};
pub use self::invitation::{Invitation, ParseInvitationError, Secret};
pub use self::inviter::{Inviter, Revealed};
use crate::identity::{Claim, OrganisationId, Unverified};

/// The version of the ceremony; part of every proof and of the words.
pub const VERSION: u32 = 0;
/// How long an invitation can be accepted.
pub const LIFETIME: Duration = Duration::hours(24);
/// Wrong tries that burn an invitation.
pub const TRIES: u8 = 3;
/// Bytes of an organisation's name at most; it is one line on a screen.
pub const NAME: usize = 200;
/// Bytes of a root certificate at most; an Ed25519 root takes about 400.
pub const ROOT: usize = 4096;

/// What pairing asks of certificates.
pub trait Certificates {
    /// The organisation whose first root this is, DER; `None` where it is no root.
    fn organisation(&self, root: &[u8]) -> Option<OrganisationId>;

    /// Checks a signature as if `root` were pinned.
    ///
    /// # Errors
    /// [`Unverified`] says why it does not count.
    fn verify(&self, root: &[u8], claim: &Claim<'_>) -> Result<(), Unverified>;
}

/// What an organisation does with evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// It collects evidence: a police agency, a lab.
    Investigation,
    /// It judges or argues on evidence: a prosecutor, a court, a defender.
    Justice,
}

/// What an organisation says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Its root certificate, DER.
    pub root: Vec<u8>,
    /// What it calls itself: one line of at most [`NAME`] bytes.
    pub name: String,
    /// What it does with evidence.
    pub role: Role,
    /// Its federation port, where that can be dialled.
    pub address: Option<Address>,
}

/// An organisation that went through the ceremony and waits for people to compare the words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its id.
    pub organisation: OrganisationId,
    /// What it said about itself; the root is the one to pin.
    pub profile: Profile,
    /// What both screens show.
    pub words: Words,
}

/// Four places in a list of 2048 words: 44 bits of everything that was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "[u16; 4]")]
pub struct Words([u16; 4]);

/// A place that is not in the list of words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there are 2048 words, counted from 0")]
pub struct NoWord;

impl TryFrom<[u16; 4]> for Words {
    type Error = NoWord;

    fn try_from(places: [u16; 4]) -> Result<Self, NoWord> {
        match places.iter().all(|place| *place < 2048) {
            true => Ok(Self(places)),
            false => Err(NoWord),
        }
    }
}

impl Words {
    /// The places, each below 2048.
    pub const fn places(&self) -> [u16; 4] {
        self.0
    }

    fn from_digest(digest: &[u8; 32]) -> Self {
        let [a, b, c, d, e, f, g, h, ..] = *digest;
        let bits = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        let place = |n: u32| u16::try_from(bits >> (53 - 11 * n) & 0x7ff).unwrap_or_default();
        Self([place(0), place(1), place(2), place(3)])
    }
}

/// Why the ceremony ends.
///
/// The other side learns [`Refusal::Invitation`] without its reason: who guesses must not see how
/// close a guess was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// The invitation does not count.
    #[error("the invitation does not count: {0}")]
    Invitation(Dead),
    /// The sides speak different versions of the ceremony.
    #[error("the other node speaks another version of pairing; upgrade the older one")]
    Version,
    /// A message that no node sends.
    #[error("the other side sent something that no node sends")]
    Malformed,
    /// The other side is not who the invitation says.
    #[error("the other side is not the organisation that the invitation names")]
    Other,
    /// Both sides are the same organisation.
    #[error("an organisation cannot be its own partner")]
    Itself,
}

/// Why an invitation does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dead {
    /// None has this id.
    Unknown,
    /// Its time is over.
    Expired,
    /// It was accepted.
    Used,
    /// It was tried wrongly too often.
    Burnt,
    /// This try did not prove the secret.
    Secret,
    /// What was revealed is not what was committed to, or nothing was.
    Nonce,
    /// The accepter does not hold what its root stands behind.
    Signature,
}

impl fmt::Display for Dead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "there is none with this id",
            Self::Expired => "it is older than 24 hours",
            Self::Used => "it was accepted before",
            Self::Burnt => "it was tried wrongly three times",
            Self::Secret => "its secret was not proven",
            Self::Nonce => "what was revealed is not what was committed to",
            Self::Signature => "the accepter does not hold its signing key",
        })
    }
}

impl From<&Profile> for v1::Profile {
    fn from(profile: &Profile) -> Self {
        let role = match profile.role {
            Role::Investigation => v1::Role::Investigation,
            Role::Justice => v1::Role::Justice,
        };
        Self {
            root: profile.root.clone().into(),
            name: profile.name.clone(),
            role: role.into(),
            address: profile
                .address
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
        }
    }
}

impl TryFrom<&v1::Profile> for Profile {
    type Error = Refusal;

    fn try_from(wire: &v1::Profile) -> Result<Self, Refusal> {
        let role = match wire.role() {
            v1::Role::Investigation => Role::Investigation,
            v1::Role::Justice => Role::Justice,
            v1::Role::Unspecified => return Err(Refusal::Malformed),
        };
        let line = !wire.name.trim().is_empty() && !wire.name.contains(char::is_control);
        if !line || wire.name.len() > NAME || wire.root.len() > ROOT {
            return Err(Refusal::Malformed);
        }
        let address = match wire.address.as_str() {
            "" => None,
            text => Some(text.parse().map_err(|_| Refusal::Malformed)?),
        };
        Ok(Self {
            root: wire.root.to_vec(),
            name: wire.name.clone(),
            role,
            address,
        })
    }
}
