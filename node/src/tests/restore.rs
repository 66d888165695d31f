//! Making a node of a backup: cut anywhere, begun twice, from a folder that lies, under a clock that does.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;

use super::backup::{back_up, busy, manifest, opened, restore};
use super::bench::noon;
use crate::actions::{Error, ErrorKind, Progress};
use crate::backup::manifest::Manifest;
use crate::clock::{self, Clock};
use crate::store::table;
use crate::{backup, restore, run};

/// A clock that stands still.
struct Still(DateTime<Utc>);

impl Clock for Still {
    fn now(&self) -> DateTime<Utc> {
        self.0
    }

    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).unwrap()),
        }
    }
}

async fn refused_to_run(data: &Path) -> Error {
    let error = run::run(data, CancellationToken::new()).await.unwrap_err();
    let rebuilt = run::rebuild(data, &Progress::default()).unwrap_err();
    assert_eq!(rebuilt, error);
    error
}

/// fault E1
#[tokio::test]
async fn restore_that_was_cut_anywhere_does_not_run_and_is_begun_again() {
    let north = busy().await;
    let home = tempfile::tempdir().unwrap();
    let (folder, data) = (home.path().join("backup"), home.path().join("data"));
    back_up(&north, &folder).await.unwrap();
    // What a kill at each step leaves behind.
    let cuts = Arc::<Mutex<Vec<PathBuf>>>::default();
    let (kept, from) = (Arc::clone(&cuts), data.clone());
    let progress = Progress::new(move |_, _| {
        if from.exists() {
            let mut cuts = kept.lock().unwrap();
            let cut = from.with_file_name(format!("cut-{}", cuts.len()));
            copy(&from, &cut);
            cuts.push(cut);
        }
    });
    restore::restore(&folder, &data, &clock::System, &progress).unwrap();
    let last = home.path().join("last");
    copy(&data, &last);
    fs::rename(last.join("interdocket.toml"), last.join("restoring")).unwrap();
    let mut cuts = cuts.lock().unwrap().clone();
    assert!(cuts.len() > 9, "{}", cuts.len());
    cuts.push(last);
    for cut in &cuts {
        let error = refused_to_run(cut).await;
        assert_eq!(error.kind, ErrorKind::Conflict, "{error}");
        assert!(error.hints[0].contains("interdocket restore"));
        restore(&folder, cut).unwrap();
        assert!(!cut.join("restoring").exists());
    }
    opened(cuts.last().unwrap());
}

#[tokio::test]
async fn restore_into_a_directory_that_is_being_restored_leaves_it_alone() {
    let north = busy().await;
    let home = tempfile::tempdir().unwrap();
    let (folder, data) = (home.path().join("backup"), home.path().join("data"));
    back_up(&north, &folder).await.unwrap();
    let (from, to) = (folder.clone(), data.clone());
    let progress = Progress::new(move |_, _| {
        if to.exists() {
            let error = restore(&from, &to).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Conflict, "{error}");
            assert!(error.message.contains("restored already"), "{error}");
        }
    });
    restore::restore(&folder, &data, &clock::System, &progress).unwrap();
    opened(&data);
}

#[tokio::test]
async fn directory_with_anything_in_it_is_left_as_it_is() {
    let north = busy().await;
    let home = tempfile::tempdir().unwrap();
    let (folder, data) = (home.path().join("backup"), home.path().join("data"));
    back_up(&north, &folder).await.unwrap();
    fs::create_dir(&data).unwrap();
    fs::write(data.join("letter.txt"), b"dear").unwrap();
    let error = restore(&folder, &data).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict, "{error}");
    // A whole node is not what an earlier restore left, whatever else lies there.
    fs::write(data.join("interdocket.toml"), b"").unwrap();
    fs::write(data.join("restoring"), b"").unwrap();
    let error = restore(&folder, &data).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict, "{error}");
    assert_eq!(fs::read(data.join("letter.txt")).unwrap(), b"dear");
}

#[tokio::test]
async fn node_is_not_made_inside_the_backup() {
    let north = busy().await;
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("backup");
    back_up(&north, &folder).await.unwrap();
    let data = folder.join("data");
    let error = restore(&folder, &data).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict, "{error}");
    assert!(!data.exists());
}

#[tokio::test]
async fn restored_files_are_for_the_node_alone() {
    let north = busy().await;
    let home = tempfile::tempdir().unwrap();
    let (folder, data) = (home.path().join("backup"), home.path().join("data"));
    back_up(&north, &folder).await.unwrap();
    restore(&folder, &data).unwrap();
    let mut folders = vec![data, folder];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode() & 0o077;
            assert_eq!(mode, 0, "{:?}", entry.path());
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            }
        }
    }
}

/// fault B10
#[tokio::test]
async fn clock_behind_what_the_backup_has_seen_is_not_trusted_until_confirmed() {
    let north = busy().await;
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("backup");
    back_up(&north, &folder).await.unwrap();
    let years = TimeDelta::days(400);
    let cases = [
        ("behind", noon() - TimeDelta::days(1), true),
        ("long-behind", noon() - years, true),
        ("after", noon() + TimeDelta::hours(1), false),
        ("long-after", noon() + years, false),
    ];
    for (name, now, suspect) in cases {
        let data = home.path().join(name);
        let progress = Progress::default();
        let restored = restore::restore(&folder, &data, &Still(now), &progress).unwrap();
        assert_eq!(restored.clock_suspect.is_some(), suspect, "{name}");
        let (_, store) = opened(&data);
        let node = store.read().view().get(&table::NODE, &()).unwrap();
        let node = node.unwrap();
        assert_eq!(node.suspect, restored.clock_suspect, "{name}");
        assert_eq!(node.incarnation, 2);
    }
}

/// fault E19
#[tokio::test]
async fn folder_that_was_tampered_with_is_refused_without_reading_on_and_on() {
    let north = busy().await;
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("backup");
    back_up(&north, &folder).await.unwrap();
    let refused = |folder: &Path| {
        let data = home.path().join("data");
        let error = restore(folder, &data).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
        assert!(!data.exists());
    };
    let whole = manifest(&folder);
    let file = *whole.files.values().next().unwrap();
    let place = backup::place(&folder, file.blake3);
    fs::remove_file(&place).unwrap();
    symlink("/dev/zero", &place).unwrap();
    refused(&folder);

    let path = folder.join("manifest");
    let mut huge = whole.clone();
    for file in huge.files.values_mut() {
        file.size = u64::MAX;
    }
    fs::write(&path, huge.encode()).unwrap();
    refused(&folder);
    fs::remove_file(&path).unwrap();
    symlink("/dev/zero", &path).unwrap();
    refused(&folder);
    fs::remove_file(&path).unwrap();
    let long = fs::File::create(&path).unwrap();
    long.set_len(1 << 40).unwrap();
    refused(&folder);
}

#[tokio::test]
async fn backup_that_was_replaced_while_it_was_read_is_not_called_damaged() {
    let north = busy().await;
    let home = tempfile::tempdir().unwrap();
    let (folder, newer) = (home.path().join("backup"), home.path().join("newer"));
    back_up(&north, &folder).await.unwrap();
    let older: Manifest = manifest(&folder);
    north.case("3/26").await;
    copy(&folder, &newer);
    back_up(&north, &newer).await.unwrap();
    let (to, keyring) = (folder.clone(), older.files["keyring/keyring"]);
    let progress = Progress::new(move |_, _| {
        fs::copy(newer.join("manifest"), to.join("manifest")).unwrap();
        // It may be gone already.
        let _ = fs::remove_file(backup::place(&to, keyring.blake3));
    });
    let error = restore::verify(&folder, &progress).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict, "{error}");
    assert!(error.message.contains("meanwhile"), "{error}");
}
