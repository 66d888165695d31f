//! ZIPs of all sizes, held against the sections of the format that they are written by.

use proptest::prelude::*;

use super::*;
use crate::tests::bench::noon;

/// Writes a ZIP of these files whole.
pub(crate) fn written(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let sizes = files
        .iter()
        .map(|(name, bytes)| (name.clone(), bytes.len() as u64));
    let zip = Zip::new(sizes, noon());
    let (mut out, mut sums) = (Vec::new(), Vec::new());
    for (number, (_, bytes)) in files.iter().enumerate() {
        assert_eq!(out.len() as u64, zip.entries[number].offset);
        out.extend(zip.header(number));
        out.extend(bytes);
        let sum = crc32fast::hash(bytes);
        out.extend(zip.descriptor(number, sum));
        sums.push(sum);
    }
    out.extend(zip.end(&sums));
    assert_eq!(out.len() as u64, zip.length());
    out
}

/// One that is as long as that, without the bytes of its files.
fn large(files: &[(&str, u64)]) -> (Zip, Vec<u8>) {
    let files = files.iter().map(|(name, size)| ((*name).to_owned(), *size));
    let zip = Zip::new(files, noon());
    let end = zip.end(&vec![7; zip.entries.len()]);
    assert_eq!(zip.directory + end.len() as u64, zip.length());
    (zip, end)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

#[test]
fn small_zip_is_written_as_the_format_has_it() {
    let bytes = written(&[("a.txt".to_owned(), b"hello".to_vec())]);
    assert_eq!(bytes[..4], *b"PK\x03\x04");
    assert_eq!(bytes[30..40], *b"a.txthello");
    assert_eq!(bytes[40..44], *b"PK\x07\x08");
    assert_eq!(u32_at(&bytes, 44), 0x3610_a686, "the CRC-32 of hello");
    let directory = bytes.len() - 22 - 51;
    assert_eq!(bytes[directory..directory + 4], *b"PK\x01\x02");
    assert_eq!(u32_at(&bytes, bytes.len() - 6), directory as u32);
    let (time, date) = (
        u32::from(bytes[10]) | u32::from(bytes[11]) << 8,
        u32::from(bytes[12]) | u32::from(bytes[13]) << 8,
    );
    let at = noon();
    assert_eq!((time >> 11, time >> 5 & 63), (at.hour(), at.minute()));
    assert_eq!(
        (1980 + (date >> 9), date >> 5 & 15, date & 31),
        (at.year() as u32, at.month(), at.day())
    );
}

#[test]
fn file_of_more_than_four_gibibytes_has_its_size_in_eight_bytes() {
    let (zip, end) = large(&[("long", 5 << 30), ("behind", 3)]);
    let header = zip.header(0);
    assert_eq!(u32_at(&header, 18), u32::MAX);
    assert_eq!(header.len(), 30 + 4 + 20);
    let descriptor = zip.descriptor(0, 9);
    assert_eq!(
        (u64_at(&descriptor, 8), u64_at(&descriptor, 16)),
        (5 << 30, 5 << 30)
    );
    let extra = 46 + 4;
    assert_eq!(u64_at(&end, extra + 4), 5 << 30);
    // The file behind it is small, and lies far away.
    let second = extra + 20;
    assert_eq!(u32_at(&end, second + 20), 3);
    assert_eq!(u32_at(&end, second + 42), u32::MAX);
    assert_eq!(u64_at(&end, second + 46 + 6 + 4), zip.entries[1].offset);
    assert_eq!(zip.descriptor(1, 9).len(), 16);
    // And so is the end.
    let tail = end.len() - 98;
    assert_eq!(end[tail..tail + 4], *b"PK\x06\x06");
    assert_eq!(u64_at(&end, tail + 48), zip.directory);
}

#[test]
fn file_one_byte_below_the_bound_is_small_and_one_at_it_is_not() {
    let bound = u64::from(u32::MAX);
    let (zip, _) = large(&[("a", bound - 1)]);
    assert_eq!(zip.header(0).len(), 31);
    let (zip, _) = large(&[("a", bound)]);
    assert_eq!(zip.header(0).len(), 51);
}

#[test]
fn more_than_65534_files_are_counted_in_eight_bytes() {
    let files = |count: u32| (0..count).map(|number| (number.to_string(), 0));
    for (count, tail) in [(65_534, 22), (65_535, 98), (70_000, 98)] {
        let zip = Zip::new(files(count), noon());
        assert_eq!(zip.tail_length(), tail);
        let end = zip.end(&vec![0; count as usize]);
        assert_eq!(zip.directory + end.len() as u64, zip.length());
        if tail == 98 {
            assert_eq!(u64_at(&end, end.len() - 98 + 24), u64::from(count));
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_as_long_as_was_said(
        files in proptest::collection::vec(("[a-zäß]{1,40}", proptest::collection::vec(any::<u8>(), 0..300)), 0..12)
    ) {
        written(&files);
    }
}
