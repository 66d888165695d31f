//! Backups and what is made of them: whole or not at all, and nobody else's.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{FileExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use interdocket_sync::blob::Digest;

use super::bench::{Bench, dump, pair, settle};
use crate::actions::node::{BackedUp, Backup};
use crate::actions::{Error, ErrorKind, Progress, Run as _, Way};
use crate::backup::manifest::Manifest;
use crate::blobs::{Blobs, Placed, Reserve};
use crate::disk::Disk as _;
use crate::event::{BackupBegun, Event};
use crate::keys::Keys;
use crate::store::engine::Pair;
use crate::store::entity::BlobState;
use crate::store::memory::Memory;
use crate::store::table;
use crate::store::view::Store;
use crate::writer::catch_up;
use crate::{backup, chance, clock, config, disk, journal, keyring, restore};

/// A node with evidence of its own, large and small, and some that it received.
pub(super) async fn busy() -> Bench {
    let (north, south) = pair().await;
    north.case("1/26").await;
    north.evidence("1/26", "small.txt", b"one").await;
    north.evidence("1/26", "large.bin", &[7; 600_000]).await;
    south.case("2/26").await;
    south.evidence("2/26", "theirs.txt", b"two").await;
    let share = south.copy("2/26", "north").await.unwrap().id;
    settle(&south, &north, share).await;
    let settings = north.node.parts().config.render();
    fs::write(north.node.parts().data.join(config::FILE), settings).unwrap();
    north
}

pub(super) async fn back_up(bench: &Bench, folder: &Path) -> Result<BackedUp, Error> {
    let folder = folder.to_owned();
    let request = Backup {
        folder,
        verify: false,
    };
    request.run(&bench.node, &bench.node.owner()).await
}

pub(super) fn restore(folder: &Path, data: &Path) -> Result<restore::Restored, Error> {
    restore::restore(folder, data, &clock::System, &Progress::default())
}

/// What a data directory's tables hold when they are built from its journal, with its blobs verified.
pub(super) fn opened(data: &Path) -> (Arc<Memory>, Store) {
    let real = |folder: &str| Arc::new(disk::Real::open(&data.join(folder)).unwrap());
    let now = super::bench::noon();
    let keys = Keys::open(&data.join("keys"), now).unwrap();
    let ring = keyring::Keyring::open(real("keyring"), keys.master(), chance::fill).unwrap();
    let journal = journal::Journal::open(real("journal"), Arc::new(ring)).unwrap();
    let engine = Arc::<Memory>::default();
    let store = Store::new(engine.clone());
    catch_up(&journal, &store, &mut |_, _| {}).unwrap();
    let none = Reserve {
        bytes: 0,
        percent: 0,
    };
    let (blobs, _) = Blobs::open(&data.join("blobs"), none).unwrap();
    let held = store.read().view().page(&table::BLOB, &(), None, 99);
    for (digest, blob) in held.unwrap() {
        let (size, place) = (blob.size, blob.place);
        let placed = Placed {
            digest,
            size,
            place,
        };
        blobs.verify(&placed).unwrap();
    }
    (engine, store)
}

pub(super) fn manifest(folder: &Path) -> Manifest {
    Manifest::decode(&fs::read(folder.join("manifest")).unwrap()).unwrap()
}

/// The files in which a backup keeps what its manifest names.
fn objects(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for above in fs::read_dir(folder.join("files")).unwrap() {
        let above = above.unwrap().path();
        let names = fs::read_dir(&above).unwrap();
        found.extend(names.map(|name| name.unwrap().path()));
    }
    found
}

#[tokio::test]
async fn restored_node_holds_what_was_acknowledged_before_under_a_new_incarnation() {
    let north = busy().await;
    let home = tempfile::tempdir().unwrap();
    let (folder, data) = (home.path().join("backup"), home.path().join("data"));
    let made = back_up(&north, &folder).await.unwrap();
    assert_eq!(made.problems, Vec::<String>::new());
    let before = north.tables();
    // What comes later is not in it.
    north.case("3/26").await;

    let restored = restore(&folder, &data).unwrap();
    assert_eq!(restored.backup.organisation, north.id());
    assert_eq!(restored.backup.records, made.records);
    assert_eq!(restored.damaged, Vec::<String>::new());
    let (engine, store) = opened(&data);
    let node = store.read().view().get(&table::NODE, &()).unwrap().unwrap();
    assert_eq!(node.incarnation, 2);
    let after = dump(&engine);
    let changed = before.iter().filter(|pair| !after.contains(pair)).count();
    assert_eq!(changed, 3, "the node, its partner and their share");
    let kept = |(key, _): &Pair| after.iter().any(|(other, _)| other == key);
    assert!(before.iter().all(kept));
    assert_eq!(
        after.len(),
        before.len() + 2,
        "a record, and a share to be recovered"
    );
    let again = restore(&folder, &data).unwrap_err();
    assert_eq!(again.kind, ErrorKind::Conflict, "a node is there: {again}");
}

/// fault E19
#[tokio::test]
async fn whatever_is_missing_cut_or_changed_in_a_backup_is_named_and_nothing_is_restored() {
    let north = busy().await;
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("backup");
    back_up(&north, &folder).await.unwrap();
    for (path, file) in manifest(&folder).files {
        let place = backup::place(&folder, file.blake3);
        let bytes = fs::read(&place).unwrap();
        fs::remove_file(&place).unwrap();
        let mut changed = bytes.clone();
        changed[bytes.len() / 2] ^= 1;
        let damages = [
            None,
            Some(changed),
            Some(bytes[..bytes.len() - 1].to_vec()),
            Some([&bytes[..], b"x"].concat()),
        ];
        for damage in damages {
            if let Some(damage) = &damage {
                fs::write(&place, damage).unwrap();
            }
            let data = home.path().join("data");
            let error = restore(&folder, &data).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Unavailable);
            assert!(error.message.contains(&path), "{error}");
            assert!(error.message.contains(place.to_str().unwrap()), "{error}");
            assert!(!data.exists(), "{path}");
            let verified = restore::verify(&folder, &Progress::default());
            assert_eq!(verified.unwrap_err(), error);
        }
        fs::write(&place, &bytes).unwrap();
    }
    restore(&folder, &home.path().join("data")).unwrap();
    let text = fs::read(folder.join("manifest")).unwrap();
    fs::write(folder.join("manifest"), &text[..text.len() / 2]).unwrap();
    let error = restore(&folder, &home.path().join("again")).unwrap_err();
    assert!(error.message.contains("manifest"), "{error}");
    assert!(!home.path().join("again").exists());
}

#[tokio::test]
async fn backup_cut_anywhere_is_the_one_before_and_the_next_one_goes_on() {
    let north = busy().await;
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("backup");
    back_up(&north, &folder).await.unwrap();
    let first = manifest(&folder);
    // What a second one leaves behind that was cut before its manifest.
    fs::create_dir_all(folder.join("files/00")).unwrap();
    let unnamed = folder.join(format!("files/00/{}", "0".repeat(64)));
    fs::write(&unnamed, b"of no manifest").unwrap();
    fs::write(folder.join("files/new"), b"half a fi").unwrap();
    fs::write(folder.join("manifest.new"), b"{").unwrap();
    let data = home.path().join("data");
    assert_eq!(
        restore(&folder, &data).unwrap().backup.records,
        first.head.count
    );
    opened(&data);

    let made = back_up(&north, &folder).await.unwrap();
    assert_eq!(made.records, first.head.count + 1);
    assert!(!unnamed.exists(), "what no manifest names is removed");
    restore(&folder, &home.path().join("again")).unwrap();
}

#[tokio::test]
async fn later_backup_copies_only_what_is_new_and_keeps_no_key_that_was_erased() {
    let north = busy().await;
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("backup");
    let first = back_up(&north, &folder).await.unwrap();
    let (before, large) = (manifest(&folder), objects(&folder));
    assert!(first.bytes > 600_000);
    let case = north.case("3/26").await;
    let key = keyring::KeyId(case.id.uuid());
    let second = back_up(&north, &folder).await.unwrap();
    assert!(second.copied < 10_000, "{second:?}");
    assert!(second.files > first.files);
    assert!(objects(&folder).intersection(&large).count() > 5);

    let keyring = |manifest: &Manifest| manifest.files["keyring/keyring"].blake3;
    let with_key: Digest = keyring(&manifest(&folder));
    assert_ne!(keyring(&before), with_key);
    north.node.parts().keyring.erase(key).unwrap();
    back_up(&north, &folder).await.unwrap();
    assert!(!backup::place(&folder, with_key).exists());
    restore(&folder, &home.path().join("data")).unwrap();
}

#[tokio::test]
async fn what_cannot_be_read_is_said_and_kept_from_the_backup_before() {
    let north = busy().await;
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("backup");
    back_up(&north, &folder).await.unwrap();
    fs::remove_dir_all(north.blobs().join("own")).unwrap();
    let made = back_up(&north, &folder).await.unwrap();
    assert_eq!(made.problems.len(), 1, "{:?}", made.problems);
    assert!(
        made.problems[0].contains("blobs/own/"),
        "{:?}",
        made.problems
    );
    let data = home.path().join("data");
    restore(&folder, &data).unwrap();
    // Everything verifies: what the node lost came from the backup before.
    opened(&data);
}

#[tokio::test]
async fn folder_with_anything_else_is_refused_and_left_alone() {
    let north = busy().await;
    let home = tempfile::tempdir().unwrap();
    let refused = |result: Result<BackedUp, Error>, words: &str| {
        let error = result.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Conflict, "{error}");
        assert!(error.message.contains(words), "{error}");
    };
    let full = home.path().join("full");
    fs::create_dir(&full).unwrap();
    fs::write(full.join("letter.txt"), b"x").unwrap();
    refused(back_up(&north, &full).await, "something else than a backup");
    let within = north.node.parts().data.join("backup");
    refused(back_up(&north, &within).await, "own directory");
    assert!(!within.exists());
    let around = north.node.parts().data.parent().unwrap().to_owned();
    refused(back_up(&north, &around).await, "own directory lies in");

    let folder = home.path().join("backup");
    let twin = north.twin();
    back_up(&north, &folder).await.unwrap();
    let kept = fs::read(folder.join("manifest")).unwrap();
    let other = Bench::new("harbour");
    refused(back_up(&other, &folder).await, "a backup of organisation");
    // A clone that went on by itself has another past.
    twin.case("9/26").await;
    refused(back_up(&twin, &folder).await, "not of this node's past");
    assert_eq!(fs::read(folder.join("manifest")).unwrap(), kept);
    let lock = disk::Real::open(&folder).unwrap();
    refused(back_up(&north, &folder).await, "is being written");
    drop(lock);
    back_up(&north, &folder).await.unwrap();
}

#[tokio::test]
async fn only_who_is_on_the_machine_may_back_up() {
    let north = busy().await;
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("backup");
    let mut caller = north.node.owner();
    caller.way = Way::Token;
    let request = Backup {
        folder: folder.clone(),
        verify: false,
    };
    let error = request.run(&north.node, &caller).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Forbidden);
    assert!(!folder.exists());
    let relative = back_up(&north, Path::new("backup")).await.unwrap_err();
    assert_eq!(relative.kind, ErrorKind::Invalid);
}

/// Changes a byte in the middle of a file, in place.
fn damage(path: &Path) {
    let file = fs::File::options().read(true).write(true).open(path);
    let file = file.unwrap();
    let middle = file.metadata().unwrap().len() / 2;
    let mut byte = [0];
    file.read_exact_at(&mut byte, middle).unwrap();
    file.write_all_at(&[byte[0] ^ 1], middle).unwrap();
}

/// Lets what is damaged be marked. That is a task of its own: by then it had its turn, and the writer what
/// it asked for.
async fn marked(north: &Bench) {
    for _ in 0..4 {
        tokio::task::yield_now().await;
        let folder = "/nowhere".to_owned();
        let begun = Event::BackupBegun(BackupBegun { folder });
        north.events(vec![begun]).await.unwrap();
    }
}

/// The files under a folder of the node's blobs.
fn stored(north: &Bench, under: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![north.blobs().join(under)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.push(path),
            }
        }
    }
    found
}

/// fault E19
#[tokio::test]
async fn damage_to_a_file_of_the_node_does_not_reach_its_backup() {
    let north = busy().await;
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("backup");
    back_up(&north, &folder).await.unwrap();
    stored(&north, "").iter().for_each(|path| damage(path));
    restore::verify(&folder, &Progress::default()).unwrap();
    let data = home.path().join("data");
    restore(&folder, &data).unwrap();
    opened(&data);
}

/// fault E19
#[tokio::test]
async fn damaged_evidence_is_said_and_never_takes_the_place_of_what_is_whole() {
    let north = busy().await;
    let home = tempfile::tempdir().unwrap();
    let (first, second) = (home.path().join("first"), home.path().join("second"));
    back_up(&north, &first).await.unwrap();
    let (own, pack) = (stored(&north, "own"), stored(&north, "packs"));
    let whole = fs::read(&own[0]).unwrap();
    damage(&own[0]);
    damage(&pack[0]);

    let made = back_up(&north, &first).await.unwrap();
    assert_eq!(made.problems.len(), 1, "{:?}", made.problems);
    assert!(
        made.problems[0].contains("blobs/packs/"),
        "{:?}",
        made.problems
    );
    let data = home.path().join("data");
    restore(&first, &data).unwrap();
    opened(&data);
    let made = back_up(&north, &second).await.unwrap();
    assert_eq!(made.problems.len(), 2, "{:?}", made.problems);
    fs::write(&own[0], whole).unwrap();
    marked(&north).await;
    // What is whole again is in the next one.
    let made = back_up(&north, &second).await.unwrap();
    assert_eq!(made.problems.len(), 1, "{:?}", made.problems);
    let paths = manifest(&second).files.into_keys();
    assert_eq!(paths.filter(|path| path.contains("/own/")).count(), 1);
}

#[tokio::test]
async fn evidence_that_is_healed_during_a_backup_is_not_marked_damaged() {
    let north = busy().await;
    let home = tempfile::tempdir().unwrap();
    let own = stored(&north, "own").remove(0);
    let digest: Digest = own.file_name().unwrap().to_str().unwrap().parse().unwrap();
    let whole = fs::read(&own).unwrap();
    let state = || {
        let blob = north
            .node
            .parts()
            .store
            .read()
            .view()
            .get(&table::BLOB, &digest);
        blob.unwrap().unwrap().state
    };
    damage(&own);
    let mut caller = north.node.owner();
    caller.progress = Progress::new(move |done, total| {
        if done == total {
            fs::write(&own, &whole).unwrap();
        }
    });
    for heals in [true, false] {
        let request = Backup {
            folder: home.path().join(format!("backup-{heals}")),
            verify: false,
        };
        let made = request.run(&north.node, &caller).await.unwrap();
        assert_eq!(made.problems.len(), 1, "{:?}", made.problems);
        marked(&north).await;
        assert_eq!(state() == BlobState::Damaged, !heals);
        damage(&stored(&north, "own")[0]);
        caller.progress = Progress::default();
    }
}

/// fault E19
#[tokio::test]
async fn damaged_journal_is_said_before_it_is_in_a_backup() {
    let north = busy().await;
    let home = tempfile::tempdir().unwrap();
    let (first, second) = (home.path().join("first"), home.path().join("second"));
    back_up(&north, &first).await.unwrap();
    let segment = &north.node.parts().journal.sealed(1)[0];
    let flip = |at: u64| {
        let mut byte = [0];
        north.journal.read_at(&segment.name, at, &mut byte).unwrap();
        let flipped = [byte[0] ^ 1];
        north.journal.write_at(&segment.name, at, &flipped).unwrap();
    };
    // The last body, before the footer; then the first record's header.
    let body = segment.size - 200;
    flip(body);
    let made = back_up(&north, &second).await.unwrap();
    assert_eq!(made.problems.len(), 1, "{:?}", made.problems);
    assert!(made.problems[0].contains("the body of record"));
    flip(body);
    flip(180);
    let error = back_up(&north, &home.path().join("third")).await;
    assert!(error.unwrap_err().message.contains(&segment.name));
    // What an earlier backup has of it is whole.
    let made = back_up(&north, &first).await.unwrap();
    assert_eq!(made.problems, Vec::<String>::new());
    opened_again(&first, home.path());
}

/// fault E19
#[tokio::test]
async fn backup_that_compares_writes_anew_what_is_damaged_in_its_folder() {
    let north = busy().await;
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("backup");
    back_up(&north, &folder).await.unwrap();
    objects(&folder).iter().for_each(|path| damage(path));
    let request = Backup {
        folder: folder.clone(),
        verify: true,
    };
    let made = request.run(&north.node, &north.node.owner()).await.unwrap();
    assert!(made.copied > 600_000, "{made:?}");
    restore::verify(&folder, &Progress::default()).unwrap();
    opened_again(&folder, home.path());
}

/// fault E19
#[tokio::test]
async fn damaged_keys_in_the_folder_are_written_anew_by_every_backup() {
    let north = busy().await;
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("backup");
    back_up(&north, &folder).await.unwrap();
    let files = manifest(&folder).files;
    let held = files
        .iter()
        .filter(|(path, _)| !path.starts_with("blobs/") && !path.starts_with("journal/"));
    held.for_each(|(_, file)| damage(&backup::place(&folder, file.blake3)));
    back_up(&north, &folder).await.unwrap();
    opened_again(&folder, home.path());
}

fn opened_again(folder: &Path, home: &Path) {
    let data = home.join("again");
    restore(folder, &data).unwrap();
    opened(&data);
}

#[tokio::test]
async fn links_in_a_folder_lead_no_backup_out_of_it() {
    let north = busy().await;
    let home = tempfile::tempdir().unwrap();
    let letter = home.path().join("letter.txt");
    fs::write(&letter, b"dear").unwrap();
    let folder = home.path().join("backup");
    fs::create_dir_all(folder.join("files")).unwrap();
    symlink(&letter, folder.join("files/new")).unwrap();
    back_up(&north, &folder).await.unwrap();
    assert_eq!(fs::read(&letter).unwrap(), b"dear");

    let away = home.path().join("away");
    fs::create_dir_all(&away).unwrap();
    for name in ["files", "manifest", "manifest.new"] {
        let linked = home.path().join(format!("linked-{name}"));
        fs::create_dir_all(&linked).unwrap();
        symlink(&away, linked.join(name)).unwrap();
        let error = back_up(&north, &linked).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Conflict, "{error}");
    }
    let linked = home.path().join("linked");
    fs::create_dir_all(linked.join("files")).unwrap();
    for first in 0..=255_u8 {
        symlink(&away, linked.join(format!("files/{first:02x}"))).unwrap();
    }
    back_up(&north, &linked).await.unwrap_err();
    assert_eq!(fs::read_dir(&away).unwrap().count(), 0);
}

#[tokio::test]
async fn files_that_no_backup_wrote_are_not_removed() {
    let north = busy().await;
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("backup");
    let letters = folder.join("files/letters");
    fs::create_dir_all(&letters).unwrap();
    fs::write(letters.join("first.txt"), b"dear").unwrap();
    back_up(&north, &folder).await.unwrap();
    assert_eq!(fs::read(letters.join("first.txt")).unwrap(), b"dear");
}
