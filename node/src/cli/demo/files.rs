//! The files of the demo's case, where it was not given any: small, and of all sorts.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

/// Writes the set into a folder.
pub(super) fn make(folder: &Path) -> io::Result<()> {
    for (path, bytes) in FILES {
        let path = folder.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, bytes)?;
    }
    footage(&folder.join("footage/camera-2.bin"))
}

/// Writes bytes that look like chance and are the same every time.
fn footage(path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut file = fs::File::create_new(path)?;
    let mut bytes = blake3::Hasher::new()
        .update(b"interdocket demo footage")
        .finalize_xof();
    let mut chunk = vec![0; 1 << 20];
    for _ in 0..FOOTAGE_MIB {
        bytes.fill(&mut chunk);
        file.write_all(&chunk)?;
    }
    Ok(())
}

const FILES: [(&str, &[u8]); 6] = [
    (
        "report.txt",
        b"Fire at the harbour, quay 7. First unit on site at 02:14.\n",
    ),
    (
        "statements/night-watch.txt",
        b"I saw a light on the barge at about two, then smoke.\n",
    ),
    (
        "statements/Skärgård - skipper.txt",
        b"The barge was empty when I left it. The hatch was locked.\n",
    ),
    ("photos/quay/harbour.png", include_bytes!("harbour.png")),
    (
        "photos/index.csv",
        b"file,taken\nquay/harbour.png,2026-03-14T02:31:00Z\n",
    ),
    ("photos/empty.jpg", b""),
];

/// The size of the one large file: long enough to watch.
const FOOTAGE_MIB: usize = 48;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_is_varied() {
        let folder = tempfile::tempdir().unwrap();
        make(folder.path()).unwrap();
        let size = |path: &str| fs::metadata(folder.path().join(path)).unwrap().len();
        assert_eq!(size("footage/camera-2.bin"), 48 << 20);
        assert_eq!(size("photos/empty.jpg"), 0);
        assert!(size("photos/quay/harbour.png") > 0);
    }
}
