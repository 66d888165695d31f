//! The bytes of a ZIP that is written while it is sent: where everything in it lies follows from names and sizes alone.
//!
//! Files are stored as they are, and what sums them up stands behind each, so that none has to be read before it is sent.
//! So a download says how long it is, and goes on at any byte. Source: PKWARE, APPNOTE.TXT 6.3.10; sections below.

use chrono::{DateTime, Datelike as _, Timelike as _, Utc};

/// A ZIP that is to be written.
pub(crate) struct Zip {
    entries: Vec<Entry>,
    /// Where the central directory begins.
    directory: u64,
    /// The time and date of every entry, as 4.4.6 has them.
    stamp: [u8; 4],
}

struct Entry {
    name: String,
    size: u64,
    /// Where its header begins.
    offset: u64,
}

impl Zip {
    /// One of these files, by name and size in bytes, in this order. Names are safe, all different, and at most 65,535 bytes
    /// long.
    pub(crate) fn new(files: impl IntoIterator<Item = (String, u64)>, at: DateTime<Utc>) -> Self {
        let mut offset = 0;
        let mut entries = Vec::new();
        for (name, size) in files {
            let entry = Entry { name, size, offset };
            offset += entry.header_length() + size + entry.descriptor_length();
            entries.push(entry);
        }
        Self {
            entries,
            directory: offset,
            stamp: stamp(at),
        }
    }

    /// How many bytes it has.
    pub(crate) fn length(&self) -> u64 {
        self.directory + self.directory_length() + self.tail_length()
    }

    /// What stands before the bytes of a file (4.3.7).
    pub(crate) fn header(&self, number: usize) -> Vec<u8> {
        let entry = &self.entries[number];
        let mut out = Vec::new();
        out.extend(0x0403_4b50_u32.to_le_bytes());
        out.extend(entry.needs().to_le_bytes());
        self.common(&mut out);
        let (size, extra) = match entry.large() {
            true => (u32::MAX, 20_u16),
            false => (0, 0),
        };
        // What sums it up stands behind it (4.4.4, bit 3).
        out.extend(0_u32.to_le_bytes());
        out.extend(size.to_le_bytes());
        out.extend(size.to_le_bytes());
        out.extend(short(entry.name.len()).to_le_bytes());
        out.extend(extra.to_le_bytes());
        out.extend(entry.name.as_bytes());
        if entry.large() {
            out.extend(extended(&[0, 0]));
        }
        out
    }

    /// What stands behind the bytes of a file (4.3.9), by their CRC-32.
    pub(crate) fn descriptor(&self, number: usize, sum: u32) -> Vec<u8> {
        let entry = &self.entries[number];
        let mut out = Vec::new();
        out.extend(0x0807_4b50_u32.to_le_bytes());
        out.extend(sum.to_le_bytes());
        for _ in ["compressed", "uncompressed"] {
            match u32::try_from(entry.size) {
                Ok(size) if !entry.large() => out.extend(size.to_le_bytes()),
                _ => out.extend(entry.size.to_le_bytes()),
            }
        }
        out
    }

    /// What stands behind all files, by the CRC-32 of each: the central directory, and where it is.
    pub(crate) fn end(&self, sums: &[u32]) -> Vec<u8> {
        let mut out = Vec::new();
        for (entry, sum) in self.entries.iter().zip(sums) {
            self.listed(entry, *sum, &mut out);
        }
        self.tail(&mut out);
        out
    }

    /// An entry of the central directory (4.3.12).
    fn listed(&self, entry: &Entry, sum: u32, out: &mut Vec<u8>) {
        let extra = entry.extra();
        out.extend(0x0201_4b50_u32.to_le_bytes());
        out.extend((UNIX << 8 | LARGE).to_le_bytes());
        let needs = if extra.is_empty() { SMALL } else { LARGE };
        out.extend(needs.to_le_bytes());
        self.common(out);
        out.extend(sum.to_le_bytes());
        let size = if entry.large() {
            u32::MAX
        } else {
            word(entry.size)
        };
        out.extend(size.to_le_bytes());
        out.extend(size.to_le_bytes());
        out.extend(short(entry.name.len()).to_le_bytes());
        out.extend(short(extra.len()).to_le_bytes());
        // No comment, on the first disk, nothing known inside.
        out.extend([0; 6]);
        out.extend(MODE.to_le_bytes());
        out.extend(word(entry.offset).to_le_bytes());
        out.extend(entry.name.as_bytes());
        out.extend(extra);
    }

    /// The end of the central directory (4.3.14 to 4.3.16).
    fn tail(&self, out: &mut Vec<u8>) {
        let (count, length) = (self.entries.len() as u64, self.directory_length());
        if self.large() {
            out.extend(0x0606_4b50_u32.to_le_bytes());
            out.extend(44_u64.to_le_bytes());
            out.extend((UNIX << 8 | LARGE).to_le_bytes());
            out.extend(LARGE.to_le_bytes());
            out.extend([0; 8]);
            for number in [count, count, length, self.directory] {
                out.extend(number.to_le_bytes());
            }
            out.extend(0x0706_4b50_u32.to_le_bytes());
            out.extend(0_u32.to_le_bytes());
            out.extend((self.directory + length).to_le_bytes());
            out.extend(1_u32.to_le_bytes());
        }
        out.extend(0x0605_4b50_u32.to_le_bytes());
        out.extend([0; 4]);
        let count = u16::try_from(count).unwrap_or(u16::MAX);
        out.extend(count.to_le_bytes());
        out.extend(count.to_le_bytes());
        out.extend(word(length).to_le_bytes());
        out.extend(word(self.directory).to_le_bytes());
        out.extend([0; 2]);
    }

    /// Flags, method and time, as headers and the directory have them.
    fn common(&self, out: &mut Vec<u8>) {
        // Names in UTF-8, sums behind the bytes; stored.
        out.extend(0x0808_u16.to_le_bytes());
        out.extend(0_u16.to_le_bytes());
        out.extend(self.stamp);
    }

    fn directory_length(&self) -> u64 {
        let length = |entry: &Entry| 46 + entry.name.len() as u64 + entry.extra().len() as u64;
        self.entries.iter().map(length).sum()
    }

    fn tail_length(&self) -> u64 {
        if self.large() { 22 + 76 } else { 22 }
    }

    /// Whether the end needs numbers that are longer than it has room for.
    fn large(&self) -> bool {
        let limit = u64::from(u32::MAX);
        self.entries.len() >= usize::from(u16::MAX)
            || self.directory >= limit
            || self.directory_length() >= limit
    }
}

impl Entry {
    fn large(&self) -> bool {
        self.size >= u64::from(u32::MAX)
    }

    fn needs(&self) -> u16 {
        if self.large() { LARGE } else { SMALL }
    }

    fn header_length(&self) -> u64 {
        let extra = if self.large() { 20 } else { 0 };
        30 + self.name.len() as u64 + extra
    }

    fn descriptor_length(&self) -> u64 {
        if self.large() { 24 } else { 16 }
    }

    /// What of its place in the directory has no room elsewhere (4.5.3).
    fn extra(&self) -> Vec<u8> {
        let mut long = Vec::new();
        if self.large() {
            long.extend([self.size, self.size]);
        }
        if self.offset >= u64::from(u32::MAX) {
            long.push(self.offset);
        }
        if long.is_empty() {
            return Vec::new();
        }
        extended(&long)
    }
}

fn extended(numbers: &[u64]) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(1_u16.to_le_bytes());
    out.extend(short(numbers.len() * 8).to_le_bytes());
    for number in numbers {
        out.extend(number.to_le_bytes());
    }
    out
}

/// A number where there is room for it, else the sign that it stands elsewhere.
fn word(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn short(number: usize) -> u16 {
    u16::try_from(number).expect("names are cut to the length of those of files")
}

/// A time in steps of two seconds, between the years 1980 and 2107.
fn stamp(at: DateTime<Utc>) -> [u8; 4] {
    let year = u32::try_from(at.year())
        .unwrap_or_default()
        .clamp(1980, 2107)
        - 1980;
    let date = year << 9 | at.month() << 5 | at.day();
    let time = at.hour() << 11 | at.minute() << 5 | (at.second() / 2);
    (date << 16 | time).to_le_bytes()
}

/// The version that reads what is here, and that which reads what is large (4.4.3).
const SMALL: u16 = 20;
const LARGE: u16 = 45;
/// Whose attributes files have (4.4.2), and these: a file that its owner writes and everybody reads.
const UNIX: u16 = 3;
const MODE: u32 = 0o100_644 << 16;

#[cfg(test)]
mod tests;
