//! Small disks that fill up.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A small disk of its own, in memory; it goes with the test.
#[derive(Debug)]
pub struct Disk(PathBuf);

impl Disk {
    /// Mounts it; none where that is not allowed here.
    pub fn mount(path: &Path, mebibytes: u32) -> Option<Self> {
        fs::create_dir(path).expect("the test's folder can be written");
        let options = format!("size={mebibytes}m,mode=700");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(path)
            .output();
        let mounted = mount.ok()?.status.success();
        mounted.then(|| Self(path.to_owned()))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Makes it larger.
    pub fn grow(&self, mebibytes: u32) {
        let options = format!("remount,size={mebibytes}m");
        let grown = Command::new("mount")
            .args(["-o", &options])
            .arg(&self.0)
            .status();
        assert!(grown.expect("mount is installed").success());
    }

    /// Fills it with a file, but for so many bytes.
    pub fn fill(&self, filler: &Path, left: u64) {
        let mut file = File::create(filler).expect("a name takes no space");
        for piece in [1 << 16, 1 << 12, 1 << 8, 1] {
            while file.write_all(&vec![7; piece]).is_ok() {}
        }
        let filled = file.metadata().expect("it is open").len();
        file.set_len(filled.saturating_sub(left))
            .expect("shrinking takes no space");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: whoever failed here may still run on it.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
