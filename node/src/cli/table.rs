//! Tables, sizes and times as people read them.
//!
//! Invariant: a cell is one line and moves no cursor, whoever wrote it.

use std::fmt;

use chrono::{DateTime, Utc};

pub(super) use crate::actions::decide::count;
use crate::text;

/// Rows of aligned cells.
#[derive(Debug)]
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Begins a table with the names of its columns.
    pub(super) fn new<const N: usize>(names: [&str; N]) -> Self {
        Self {
            rows: vec![names.iter().map(|name| name.to_uppercase()).collect()],
        }
    }

    /// Begins a table of names and values, without a head.
    pub(super) const fn pairs() -> Self {
        Self { rows: Vec::new() }
    }

    /// Adds a row.
    pub(super) fn row<const N: usize>(&mut self, cells: [&str; N]) {
        let cells = cells.iter().map(|cell| text::display(cell).into_owned());
        self.rows.push(cells.collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut widths = Vec::new();
        for row in &self.rows {
            widths.resize(widths.len().max(row.len()), 0);
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line += &format!("{cell:width$}  ");
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// A number of bytes in a unit that suits it.
pub(super) fn size(bytes: u64) -> String {
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    // Tenths in whole numbers, since a u64 of bytes is more than an f64 holds.
    let mut tenths = u128::from(bytes) * 10;
    let mut unit = 0;
    while tenths >= 10_240 && unit < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit - 1])
}

/// A time in UTC, to the second.
pub(super) fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// A time that may not be there.
pub(super) fn maybe_time(at: Option<DateTime<Utc>>) -> String {
    at.map_or_else(|| "-".to_owned(), time)
}

/// "behind by 3 since ..", or nothing that waits.
pub(super) fn behind(number: u64, since: Option<DateTime<Utc>>) -> String {
    match (number, since) {
        (0, _) => "-".to_owned(),
        (number, Some(since)) => format!("behind by {number} since {}", time(since)),
        (number, None) => format!("behind by {number}"),
    }
}

const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        for (bytes, shown) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (48 << 20, "48.0 MiB"),
            (5 << 30, "5.0 GiB"),
            (u64::MAX, "15.9 EiB"),
        ] {
            assert_eq!(size(bytes), shown);
        }
    }

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(["name", "size"]);
        table.row(["Straße", "1 B"]);
        table.row(["x", "48.0 MiB"]);
        assert_eq!(
            table.to_string(),
            "NAME    SIZE\nStraße  1 B\nx       48.0 MiB\n"
        );
    }

    /// fault D5
    #[test]
    fn names_of_strangers_stay_in_their_cell() {
        let mut table = Table::pairs();
        table.row(["a\nb\u{1b}[2J", "x"]);
        assert_eq!(table.to_string(), "a\\u{a}b\\u{1b}[2J  x\n");
    }
}
