//! Files to make cases of.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;

/// A mebibyte.
pub const MIB: u64 = 1 << 20;

/// Writes a file of whole mebibytes that look like chance and follow from `seed`.
pub fn noise(path: &Path, mebibytes: u64, seed: u64) {
    let mut file = BufWriter::new(File::create(path).expect("the test's folder can be written"));
    let mut chance = Chance::new(seed);
    let mut chunk = vec![0; 1 << 20];
    for _ in 0..mebibytes {
        for word in chunk.chunks_exact_mut(8) {
            word.copy_from_slice(&chance.next().to_le_bytes());
        }
        file.write_all(&chunk).expect("the disk has space");
    }
    file.flush().expect("the disk has space");
}

/// Writes a file, and the folders above it.
pub fn write(path: &Path, bytes: impl AsRef<[u8]>) {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).expect("the test's folder can be written");
    }
    fs::write(path, bytes).expect("the test's folder can be written");
}

/// Numbers that look like chance and follow from a seed (xorshift64*).
#[derive(Debug)]
pub struct Chance(u64);

impl Chance {
    /// Begins with a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Gives the next number.
    pub const fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Gives a number below `bound`.
    pub const fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}
