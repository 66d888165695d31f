//! Passwords: which are taken, and what is kept of one.
//!
//! Invariant: a password is never cut off; what is kept of it can be compared with and not be read back.
//! Sources: NIST SP 800-63B, 5.1.1.2, and CJIS Security Policy 5.9.5, IA-5(1)(a); OWASP for the parameters.

use argon2::password_hash::{PasswordHash, SaltString};
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

use crate::actions::{Error, ErrorKind};

/// Why a password is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It has too few characters.
    #[error("the password has fewer than {CHARS_MIN} characters")]
    Short,
    /// It has too many bytes.
    #[error("the password has more than {BYTES_MAX} bytes")]
    Long,
    /// It has characters that can't be typed everywhere.
    #[error("the password has control characters")]
    Control,
    /// Many people have it.
    #[error(
        "the password is one of those that are tried first: a common word, a row of keys, or a repetition"
    )]
    Common,
    /// Whoever knows the user can guess it.
    #[error(
        "the password is little more than a name, an address or a number that others know of you"
    )]
    Personal,
}

impl From<Unfit> for Error {
    fn from(unfit: Unfit) -> Self {
        Self::new(ErrorKind::Invalid, unfit.to_string())
            .hint("choose several words that have nothing to do with each other, with spaces")
    }
}

/// A password as it is hashed; wiped when dropped.
pub type Plain = Zeroizing<String>;

/// Makes a password what is hashed of it: what looks the same is the same, whichever keyboard it was typed on.
pub fn plain(text: &str) -> Plain {
    Zeroizing::new(text.nfkc().collect())
}

/// Whether a password is short enough to be looked at.
///
/// # Errors
/// [`Unfit::Long`].
pub const fn bounded(text: &str) -> Result<(), Unfit> {
    match text.len() > BYTES_MAX {
        true => Err(Unfit::Long),
        false => Ok(()),
    }
}

/// Takes a new password of somebody of whom others know this.
///
/// # Errors
/// [`Unfit`].
pub fn taken(text: &str, known: &[String]) -> Result<Plain, Unfit> {
    bounded(text)?;
    let plain = plain(text);
    if plain.chars().any(char::is_control) {
        return Err(Unfit::Control);
    }
    if plain.chars().count() < CHARS_MIN {
        return Err(Unfit::Short);
    }
    let lower = Zeroizing::new(plain.to_lowercase());
    if readings(&lower).iter().any(|reading| common(reading)) {
        return Err(Unfit::Common);
    }
    if personal(&lower, known) {
        return Err(Unfit::Personal);
    }
    Ok(plain)
}

/// What is kept of a password. Takes some 20 MiB and some tens of milliseconds.
pub fn verifier(password: &str, salt: &[u8; 16]) -> String {
    let salt = SaltString::encode_b64(salt).expect("16 bytes are a salt");
    let hash = argon2().hash_password(password.as_bytes(), &salt);
    hash.expect("a password of bounded length is hashed")
        .to_string()
}

/// Whether a password is the one of which this was kept. Takes as long whether it is or not.
pub fn verify(kept: &str, password: &str) -> bool {
    let kept = PasswordHash::new(kept);
    kept.is_ok_and(|kept| argon2().verify_password(password.as_bytes(), &kept).is_ok())
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).expect("the parameters are in range");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// What a password may be a variation of: as it is, without what stands around it, and with signs read as the letters
/// that they look like.
fn readings(lower: &str) -> Vec<Zeroizing<String>> {
    let letter = |char: char| char.is_alphabetic();
    let sign = |char: char| char.is_alphabetic() || matches!(char, '@' | '$');
    let ends = [
        lower,
        lower.trim_matches(|char| !letter(char)),
        lower.trim_matches(|char| !sign(char)),
    ];
    let looks = |one: char| {
        move |char: char| match char {
            '0' => 'o',
            '1' | '!' => one,
            '3' => 'e',
            '4' | '@' => 'a',
            '5' | '$' => 's',
            '7' => 't',
            char => char,
        }
    };
    let kept = |text: &str, read: &dyn Fn(char) -> char| {
        let read = text.chars().map(read);
        Zeroizing::new(
            read.filter(|char| char.is_alphanumeric())
                .collect::<String>(),
        )
    };
    let mut readings = Vec::with_capacity(ends.len() * 3);
    for text in ends {
        readings.push(kept(text, &|char| char));
        readings.push(kept(text, &looks('i')));
        readings.push(kept(text, &looks('l')));
    }
    readings
}

fn common(reading: &str) -> bool {
    let length = reading.chars().count();
    if length == 0 {
        return false;
    }
    let listed = |word: &str| {
        let lines = COMMON.lines().filter(|line| !line.starts_with('#'));
        lines.flat_map(str::split_whitespace).any(|it| it == word)
    };
    listed(reading) || row(reading, length) || repetition(reading, length, listed)
}

/// Keys beside each other, or letters and digits in their order, either way round.
fn row(reading: &str, length: usize) -> bool {
    let reversed: String = reading.chars().rev().collect();
    let within = |row: &&str| row.contains(reading) || row.contains(&reversed);
    length >= ROW_MIN && ROWS.iter().any(within)
}

/// Few characters again and again, or a common word.
fn repetition(reading: &str, length: usize, listed: impl Fn(&str) -> bool) -> bool {
    let chars: Vec<char> = reading.chars().collect();
    let period = |period: &usize| (*period..length).all(|at| chars[at] == chars[at - period]);
    let Some(period) = (1..=length / 2).find(period) else {
        return false;
    };
    period <= REPEATED_MAX || listed(&chars[..period].iter().collect::<String>())
}

/// Whether little is left of a password without what others know.
fn personal(lower: &str, known: &[String]) -> bool {
    let letters = |text: &str| -> String {
        let lower = text.to_lowercase();
        lower
            .chars()
            .filter(|char| char.is_alphanumeric())
            .collect()
    };
    let mut left = Zeroizing::new(letters(lower));
    let all = left.len();
    let mut words: Vec<String> = known
        .iter()
        .flat_map(|text| {
            let parts = text.split(|char: char| !char.is_alphanumeric());
            std::iter::once(text.as_str()).chain(parts)
        })
        .map(letters)
        .filter(|word| word.chars().count() >= WORD_MIN)
        .collect();
    // The longest first: a part of a name would leave the rest of it.
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    for word in words {
        *left = left.replace(&word, "");
    }
    let own = left.chars().filter(|char| char.is_alphabetic()).count();
    left.len() < all && own < OWN_MIN
}

/// What is compared with where there is nobody: it takes as long, and nothing matches it.
pub const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// CJIS IA-5(1)(a)-3.
pub const CHARS_MIN: usize = 8;
/// Longer than any passphrase; what is hashed is bounded.
pub const BYTES_MAX: usize = 1024;
/// OWASP's least memory of Argon2id for two passes: 19 MiB.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
/// Shorter words stand in other words.
const WORD_MIN: usize = 3;
/// Letters that a password has to have beside what others know.
const OWN_MIN: usize = 4;
/// Shorter rows stand in words: `tre`, `op`.
const ROW_MIN: usize = 5;
/// A repetition of so few characters is as good as none.
const REPEATED_MAX: usize = 4;
/// Rows of keys as they lie on keyboards, and what follows each other.
const ROWS: &[&str] = &[
    "01234567890123456789",
    "abcdefghijklmnopqrstuvwxyz",
    "1234567890qwertyuiopasdfghjklzxcvbnm",
    "1234567890qwertzuiopasdfghjklyxcvbnm",
    "1234567890azertyuiopqsdfghjklmwxcvbn",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "1q2w3e4r5t6y7u8i9o0p",
    "q1w2e3r4t5y6u7i8o9p0",
    "qazwsxedcrfvtgbyhnujmikolp",
    "1a2b3c4d5e6f7g8h9i0j",
    "a1b2c3d4e5f6g7h8i9j0",
];
/// Words of which the passwords are made that people are found to have again and again.
const COMMON: &str = include_str!("common.txt");

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Vec<String> {
        ["Kim Berg", "kim.berg@north.example", "4711", "North Police"]
            .map(str::to_owned)
            .to_vec()
    }

    #[test]
    fn what_is_tried_first_is_refused_and_says_why() {
        for password in [
            "password",
            "Password1",
            "P@ssw0rd!2026",
            "pa55word",
            "12345678",
            "87654321",
            "qwertyuiop",
            "QWERTZUI1",
            "1q2w3e4r",
            "1qaz2wsx",
            "aaaaaaaa",
            "abcabcabca",
            "passwordpassword",
            "Sunshine99",
            "welcome123",
            "we1come123",
            "!dragon!!",
            "letmein2026",
            "$ecret123",
        ] {
            assert_eq!(taken(password, &[]), Err(Unfit::Common), "{password}");
        }
    }

    #[test]
    fn what_others_know_of_somebody_is_refused() {
        for password in [
            "KimBerg1",
            "kim-berg-2026",
            "berg4711!",
            "Kim.Berg@North.example",
            "northpolice",
            "Police-North-1",
        ] {
            assert_eq!(
                taken(password, &known()),
                Err(Unfit::Personal),
                "{password}"
            );
        }
        assert!(taken("rowing at dawn with Kim", &known()).is_ok());
    }

    /// CJIS IA-5(1)(a)-3, 6: all that can be typed, with spaces, of any length that people have.
    #[test]
    fn long_passphrases_and_every_script_are_taken_whole() {
        let long = "correct horse battery staple ".repeat(30);
        for password in [
            "v9!kQ2#x",
            "  eight  and more ",
            "пароль-для-всех-нас",
            "水曜日の朝に釣りへ",
            &long,
        ] {
            let taken = taken(password, &known());
            assert!(taken.is_ok(), "{password}: {taken:?}");
        }
        assert_eq!(taken("v9!kQ2#", &[]), Err(Unfit::Short));
        assert_eq!(taken("v9!kQ2#\u{7}", &[]), Err(Unfit::Control));
        assert_eq!(taken(&"v9!kQ2#x".repeat(129), &[]), Err(Unfit::Long));
        let (one, other) = (long.clone() + "a", long + "b");
        let kept = verifier(&plain(&one), &[7; 16]);
        assert!(verify(&kept, &plain(&one)) && !verify(&kept, &plain(&other)));
    }

    #[test]
    fn what_looks_the_same_is_the_same_password() {
        let kept = verifier(&plain("Gr\u{fc}ne Wiese am See"), &[7; 16]);
        assert!(
            kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{kept}"
        );
        assert!(verify(&kept, &plain("Gru\u{308}ne Wiese am See")));
        assert!(!verify(&kept, &plain("Grune Wiese am See")));
        assert!(!verify(NOBODY, &plain("Gr\u{fc}ne Wiese am See")));
        assert!(
            PasswordHash::new(NOBODY).is_ok(),
            "it is computed like any other"
        );
    }
}
