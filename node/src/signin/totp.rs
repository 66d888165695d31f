//! Codes of an authenticator, and codes that are typed once in its place.
//!
//! Sources: RFC 6238 (time steps) on RFC 4226 (codes), with SHA-1 and 6 digits, as every authenticator has it.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use chrono::{DateTime, Utc};
use data_encoding::BASE32_NOPAD;
use interdocket_sync::blob::Sha256;
use sha2::Digest as _;
use uuid::Uuid;

use crate::text::encode;

/// What an authenticator makes its codes of: 160 bits, as RFC 4226 advises.
pub type Key = [u8; 20];

/// How long a code counts.
const STEP_SECONDS: u64 = 30;
/// A code has so many digits.
const DIGITS: usize = 6;

/// Which time step a code is of, if it is one of a key now: that of now, or the one before or after, as clocks differ.
pub fn matched(key: &[u8], code: &str, now: DateTime<Utc>) -> Option<u64> {
    let seconds = u64::try_from(now.timestamp()).ok()?;
    let step = seconds / STEP_SECONDS;
    let mut steps = step.saturating_sub(1)..=step + 1;
    steps.rfind(|step| same(&self::code(key, *step), code))
}

/// The code of a time step.
pub fn code(key: &[u8], step: u64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let tag = tag.as_ref();
    let at = usize::from(tag[tag.len() - 1] & 0xf);
    let word = [tag[at] & 0x7f, tag[at + 1], tag[at + 2], tag[at + 3]];
    let number = u32::from_be_bytes(word) % 10_u32.pow(6);
    format!("{number:0DIGITS$}")
}

/// What an authenticator reads a key from, as a picture.
///
/// Source: github.com/google/google-authenticator/wiki/Key-Uri-Format.
pub fn uri(key: &Key, organisation: &str, user: &str) -> String {
    let (organisation, user) = (encode(organisation), encode(user));
    let key = typed(key);
    format!(
        "otpauth://totp/{organisation}:{user}?secret={key}&issuer={organisation}&algorithm=SHA1&digits=6&period=30"
    )
}

/// A key as people type it into an authenticator that can't read a picture.
pub fn typed(key: &Key) -> String {
    BASE32_NOPAD.encode(key)
}

/// A code to be typed once, of random bytes: letters and digits that are not easily taken for one another.
pub fn grouped(bytes: &[u8]) -> String {
    let letters = BASE32_NOPAD.encode(bytes);
    let groups = letters.as_bytes().chunks(4).map(String::from_utf8_lossy);
    groups.collect::<Vec<_>>().join("-")
}

/// What is kept of such a code, whatever its case and however it was grouped.
pub fn hash(user: Uuid, code: &str) -> Sha256 {
    let letters = code.chars().filter(char::is_ascii_alphanumeric);
    let letters: String = letters.map(|letter| letter.to_ascii_uppercase()).collect();
    let mut hash = sha2::Sha256::new();
    hash.update(b"interdocket code v0\n");
    hash.update(user.as_bytes());
    hash.update(letters);
    Sha256(hash.finalize().into())
}

fn same(one: &str, other: &str) -> bool {
    verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, in six digits.
    #[test]
    fn codes_are_those_of_the_standard() {
        let key = b"12345678901234567890";
        for (seconds, expected) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(code(key, seconds / STEP_SECONDS), expected);
            let now = DateTime::from_timestamp(seconds.cast_signed(), 0).unwrap();
            assert_eq!(matched(key, expected, now), Some(seconds / STEP_SECONDS));
        }
    }

    #[test]
    fn what_an_authenticator_reads_has_the_key_and_whose_it_is() {
        let uri = uri(b"12345678901234567890", "North Police", "Kim: Berg");
        let expected = "otpauth://totp/North%20Police:Kim%3A%20Berg?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
            &issuer=North%20Police&algorithm=SHA1&digits=6&period=30";
        assert_eq!(uri, expected);
    }

    #[test]
    fn a_code_counts_one_step_before_and_after_its_own_and_no_longer() {
        let key = [7; 20];
        let at = |step: i64| DateTime::from_timestamp(step * 30, 0).unwrap();
        let code = code(&key, 1000);
        let counts = |step| matched(&key, &code, at(step)).is_some();
        assert!([999, 1000, 1001].into_iter().all(counts));
        assert!(![998, 1002].into_iter().any(counts));
        for wrong in ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦"] {
            assert_eq!(matched(&key, wrong, at(1000)), None, "{wrong}");
        }
    }

    #[test]
    fn a_code_is_the_same_however_it_is_typed_and_another_user_s_is_not() {
        let code = grouped(&[250; 15]);
        assert_eq!(code.len(), 24 + 5, "{code}");
        let user = Uuid::from_u128(7);
        let typed = code.to_lowercase().replace('-', " ");
        assert_eq!(hash(user, &typed), hash(user, &code));
        assert_ne!(hash(Uuid::from_u128(8), &code), hash(user, &code));
    }
}
