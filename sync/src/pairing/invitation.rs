//! The invitation: one line of text that a person copies.
//!
//! Base32 in lower case, so that it survives being read out, wrapped or typed; a checksum tells a
//! typo from an invitation that does not count. Whoever holds the text can accept it once.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{Address, transcript};
use crate::identity::OrganisationId;

/// What the accepter needs to find the inviter, to know it, and to be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Names the invitation at the inviter.
    pub id: Uuid,
    /// Shows that the accepter is who the invitation was handed to.
    pub secret: Secret,
    /// The inviter's pairing port.
    pub address: Address,
    /// The inviter.
    pub organisation: OrganisationId,
    /// SHA-256 of the inviter's root certificate, DER.
    pub fingerprint: [u8; 32],
    /// When it ceases to count, in whole seconds.
    pub expires: DateTime<Utc>,
}

/// 128 random bits, never shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; 16]);

/// A text that is not an invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseInvitationError {
    /// It starts differently.
    #[error("not an invitation: it starts with {PREFIX}")]
    Prefix,
    /// A letter that no invitation has.
    #[error("not an invitation: {0:?} is no letter of one; copy it again")]
    Letter(char),
    /// Some letter is wrong, or some are missing.
    #[error("the invitation has a typo or is not complete; copy it again")]
    Checksum,
    /// It was made by a newer node.
    #[error("the invitation is of a newer version ({0}); upgrade this node to accept it")]
    Version(u8),
    /// The letters are right and what they say is not.
    #[error("the invitation does not name a node; ask for a new one")]
    Content,
}

impl Secret {
    /// Wraps 16 bytes from a random source fit for keys.
    pub const fn from_random(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Invitation {
    /// The line to copy.
    pub fn text(&self) -> String {
        let mut bytes = vec![FORMAT];
        bytes.extend(self.id.as_bytes());
        bytes.extend(self.secret.0);
        bytes.extend(self.organisation.as_bytes());
        bytes.extend(self.fingerprint);
        bytes.extend(self.expires.timestamp().to_be_bytes());
        bytes.extend(self.address.to_string().bytes());
        bytes.extend(checksum(&bytes));
        let mut text = String::from(PREFIX);
        encode(&bytes, &mut text);
        text
    }

    pub(super) fn key(&self) -> transcript::Digest {
        transcript::key(self.id, &self.secret.0)
    }
}

impl FromStr for Invitation {
    type Err = ParseInvitationError;

    /// Reads the line; blanks and line breaks that copying added do not matter.
    fn from_str(text: &str) -> Result<Self, ParseInvitationError> {
        let letters: String = text
            .chars()
            .filter(|letter| !letter.is_whitespace())
            .collect();
        let letters = letters.to_ascii_lowercase();
        let bytes = decode(
            letters
                .strip_prefix(PREFIX)
                .ok_or(ParseInvitationError::Prefix)?,
        )?;
        let (rest, sum) = bytes
            .split_last_chunk()
            .ok_or(ParseInvitationError::Checksum)?;
        if *sum != checksum(rest) {
            return Err(ParseInvitationError::Checksum);
        }
        match rest.split_first() {
            Some((&FORMAT, content)) => read(content).ok_or(ParseInvitationError::Content),
            Some((&newer, _)) => Err(ParseInvitationError::Version(newer)),
            None => Err(ParseInvitationError::Content),
        }
    }
}

fn read(bytes: &[u8]) -> Option<Invitation> {
    let (id, rest) = bytes.split_first_chunk::<16>()?;
    let (secret, rest) = rest.split_first_chunk::<16>()?;
    let (organisation, rest) = rest.split_first_chunk::<32>()?;
    let (fingerprint, rest) = rest.split_first_chunk::<32>()?;
    let (expires, address) = rest.split_first_chunk::<8>()?;
    Some(Invitation {
        id: Uuid::from_bytes(*id),
        secret: Secret(*secret),
        address: std::str::from_utf8(address).ok()?.parse().ok()?,
        organisation: OrganisationId::from_bytes(*organisation),
        fingerprint: *fingerprint,
        expires: DateTime::from_timestamp(i64::from_be_bytes(*expires), 0)?,
    })
}

fn checksum(bytes: &[u8]) -> [u8; 4] {
    let [a, b, c, d, ..] = <[u8; 32]>::from(Sha256::digest(bytes));
    [a, b, c, d]
}

/// Base32 of RFC 4648 in lower case, without padding.
fn encode(bytes: &[u8], text: &mut String) {
    for group in bytes.chunks(5) {
        let mut five = [0; 8];
        five[3..3 + group.len()].copy_from_slice(group);
        let bits = u64::from_be_bytes(five);
        for place in 0..(group.len() * 8).div_ceil(5) {
            let letter = bits >> (35 - 5 * place) & 31;
            text.push(char::from(
                LETTERS[usize::try_from(letter).unwrap_or_default()],
            ));
        }
    }
}

fn decode(text: &str) -> Result<Vec<u8>, ParseInvitationError> {
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for letter in text.chars() {
        let value = LETTERS
            .iter()
            .position(|known| char::from(*known) == letter);
        let value = value.ok_or(ParseInvitationError::Letter(letter))?;
        bits = bits << 5 | u32::try_from(value).unwrap_or_default();
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    if count >= 5 || bits & ((1 << count) - 1) != 0 {
        return Err(ParseInvitationError::Checksum);
    }
    Ok(bytes)
}

const PREFIX: &str = "interdocket-invitation-";
const FORMAT: u8 = 0;
const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
