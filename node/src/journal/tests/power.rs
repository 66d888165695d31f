//! Claims about power loss, failing calls and full disks.

use proptest::prelude::*;

use super::*;

/// fault E2, S7, S21
#[test]
fn power_lost_at_any_call_loses_nothing_acknowledged_and_keeps_appends_whole() {
    let calls = {
        let disk = Arc::new(Memory::default());
        grow_and_seal(&mut open(&disk), 40).unwrap();
        disk.calls()
    };
    let mut kept_beyond = 0;
    for call in 1..=calls {
        for seed in 0..12 {
            let disk = Arc::new(Memory::default());
            disk.stop(call);
            let acknowledged = interrupted(&disk, 40);
            disk.power_cut(seed * 1000 + call);
            // The second start is interrupted as well: recovery has to bear it.
            disk.stop(seed % 12 + 1);
            let _ = interrupted(&disk, acknowledged);
            disk.power_cut(seed);
            let mut journal = open(&disk);
            let count = intact(&journal);
            assert!(count >= acknowledged, "call {call}, seed {seed}");
            assert!(
                bounds(40).contains(&count),
                "call {call}, seed {seed}: half an append"
            );
            kept_beyond += u32::from(count > acknowledged);
            grow(&mut journal, 45).unwrap();
            disk.power_cut(seed);
            assert_eq!(intact(&open(&disk)), 45);
        }
    }
    assert!(kept_beyond > 0, "no cut came between sync and mark");
}

/// Runs the workload until a call fails and says how many records were acknowledged.
fn interrupted(disk: &Arc<Memory>, count: u64) -> u64 {
    let Ok(keyring) = keyring(disk) else { return 0 };
    let Ok(mut journal) = Journal::sized(disk.clone(), keyring, SMALL) else {
        return 0;
    };
    let _ = grow_and_seal(&mut journal, count);
    journal.head().count
}

/// The workload, sealing a segment now and then as backups do.
fn grow_and_seal(journal: &mut Journal, count: u64) -> Result<(), Error> {
    while journal.head().count < count {
        let after = journal.head().count;
        grow(journal, (after + after % 5 + 1).min(count))?;
        if after % 7 == 3 {
            journal.seal()?;
        }
    }
    Ok(())
}

/// fault E2: an append of several frames, any of which may be torn while others are not
#[test]
fn an_append_of_many_frames_is_there_whole_or_not_at_all() {
    let again = |disk: &Arc<Memory>| Journal::open(disk.clone(), keyring(disk).unwrap()).unwrap();
    let first = Arc::new(Memory::default());
    again(&first).append(time(0), &drafts(0, 3)).unwrap();
    let large = vec![
        Draft {
            kind: 1,
            key: NORTH,
            body: vec![5; 600_000]
        };
        4
    ];
    let mut counts = BTreeSet::new();
    for call in 1..=7 {
        for seed in 0..12 {
            let disk = Arc::new(first.copy());
            let mut journal = again(&disk);
            disk.stop(call);
            journal.append(time(0), &large).unwrap_err();
            disk.power_cut(seed);
            let journal = again(&disk);
            assert_eq!(journal.reader().verify(true).unwrap().damaged, 0);
            counts.insert(journal.head().count);
        }
    }
    assert_eq!(counts, BTreeSet::from([3, 7]));
}

/// fault E4
#[test]
fn a_failed_call_stops_the_journal_and_a_restart_finds_what_was_acknowledged() {
    let ready = |disk: &Arc<Memory>| {
        let mut journal = open(disk);
        grow(&mut journal, 1).unwrap();
        journal
    };
    for nth in 1..60 {
        for seed in 0..6 {
            let disk = Arc::new(Memory::default());
            let mut journal = ready(&disk);
            disk.fail(nth);
            let failed = grow(&mut journal, 30);
            let acknowledged = journal.head().count;
            if failed.is_err() {
                assert!(matches!(failed, Err(Error::Io(_))), "{failed:?}");
                let again = journal.append(time(0), &[draft(1)]);
                assert!(matches!(again, Err(Error::Stopped)));
                let last = journal.reader().scan(0, None).last().unwrap().unwrap();
                assert_eq!(
                    last.position.seq, acknowledged,
                    "what was acknowledged is served"
                );
            }
            // A restart sees the page cache, which may hold what never reached the disk.
            let mut journal = open(&disk);
            let count = intact(&journal);
            assert!(count >= acknowledged);
            grow(&mut journal, 40).unwrap();
            disk.power_cut(seed);
            assert_eq!(intact(&open(&disk)), 40, "call {nth}, seed {seed}");
        }
    }
}

/// fault E4: a file that cannot be read is an error and stops nothing else
#[test]
fn a_failed_read_is_an_error_and_the_next_one_succeeds() {
    let disk = full(5);
    let mut journal = open(&disk);
    let reader = journal.reader();
    let position = all(&journal)[2].position;
    disk.fail(1);
    assert!(matches!(reader.read(position), Err(Error::Io(_))));
    assert_eq!(reader.read(position).unwrap().body, Body::Open(body(3)));
    grow(&mut journal, 6).unwrap();
}

/// fault E3
#[test]
fn a_full_disk_refuses_whole_appends_and_goes_on_when_there_is_space() {
    let used = |disk: &Memory| -> u64 {
        disk.list()
            .unwrap()
            .iter()
            .map(|name| disk.len(name).unwrap())
            .sum()
    };
    let mut refusals = 0;
    for room in (0..4000).step_by(13) {
        let disk = full(12);
        let mut journal = open(&disk);
        disk.limit(Some(used(&disk) + room));
        while journal.head().count < 30 {
            let (before, after) = (disk::read(&*disk, mark::FILE).unwrap(), journal.head());
            let Err(refused) = journal.append(time(0), &drafts(after.count, 4)) else {
                continue;
            };
            assert!(matches!(refused, Error::Full(_)), "{refused}");
            assert_eq!(journal.head(), after);
            assert_eq!(all(&journal).len() as u64, after.count);
            assert_eq!(disk::read(&*disk, mark::FILE).unwrap(), before);
            refusals += 1;
            break;
        }
        let count = journal.head().count;
        let cut = Arc::new(disk.copy());
        cut.limit(None);
        cut.power_cut(room);
        assert_eq!(intact(&open(&cut)), count, "nothing of it comes back");
        disk.limit(None);
        grow(&mut journal, 40).unwrap();
        assert_eq!(intact(&journal), 40);
        disk.power_cut(room);
        assert_eq!(intact(&open(&disk)), 40);
    }
    assert!(refusals > 100);
}

/// fault E4: a full disk is borne, but not a failure while giving back what was taken
#[test]
fn a_sync_that_fails_while_a_full_disk_is_cleaned_up_stops_the_journal() {
    let disk = full(12);
    let mut journal = open(&disk);
    disk.limit(Some(0));
    disk.fail(3);
    let refused = journal.append(time(0), &drafts(12, 1)).unwrap_err();
    assert!(matches!(refused, Error::Io(_)), "{refused}");
    assert!(matches!(
        journal.append(time(0), &drafts(12, 1)),
        Err(Error::Stopped)
    ));
}

#[test]
fn a_name_that_was_not_synced_is_synced_at_the_next_start() {
    for seed in 0..20 {
        let keys = keyring(&Arc::new(Memory::default())).unwrap();
        let disk = Arc::new(Memory::default());
        let again = || Journal::sized(disk.clone(), keys.clone(), SMALL).unwrap();
        let mut journal = again();
        // Remove, create, write, sync, rename, and this: the directory's sync.
        disk.fail(6);
        journal.append(time(0), &drafts(0, 1)).unwrap_err();
        assert!(disk.list().unwrap().contains(&segment::name(1)));
        again().append(time(0), &drafts(0, 1)).unwrap();
        disk.power_cut(seed);
        assert_eq!(intact(&again()), 1);
    }
}

#[test]
fn what_a_start_found_beyond_the_mark_is_missed_like_what_was_acknowledged() {
    let disk = full(3);
    let before = disk.len(&segment::name(1)).unwrap();
    let mut journal = open(&disk);
    // Write, sync, and this: the write of the mark.
    disk.fail(3);
    journal.append(time(0), &drafts(3, 1)).unwrap_err();
    assert_eq!(open(&disk).head().count, 4);
    disk.damage(&segment::name(1), |bytes| {
        bytes.truncate(usize::try_from(before).unwrap())
    });
    let refused = Journal::sized(disk.clone(), keyring(&disk).unwrap(), SMALL).unwrap_err();
    assert!(matches!(refused, OpenError::Damaged(_)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// fault E2
    #[test]
    fn any_groups_cut_anywhere_keep_every_acknowledged_body(
        groups in prop::collection::vec(prop::collection::vec(0_usize..900, 1..6), 1..12),
        call in 1_u64..90,
        seed: u64,
    ) {
        let disk = Arc::new(Memory::default());
        disk.stop(call);
        let mut acknowledged: Vec<Vec<u8>> = Vec::new();
        let mut tried = 0;
        if let Ok(keyring) = keyring(&disk)
            && let Ok(mut journal) = Journal::sized(disk.clone(), keyring, SMALL)
        {
            for group in &groups {
                let bodies: Vec<Vec<u8>> =
                    group.iter().map(|size| vec![u8::try_from(size % 251).unwrap(); *size]).collect();
                let draft = |body: &Vec<u8>| Draft { kind: 1, key: NORTH, body: body.clone() };
                let drafts: Vec<Draft> = bodies.iter().map(draft).collect();
                tried = bodies.len();
                if journal.append(time(0), &drafts).is_err() {
                    break;
                }
                acknowledged.extend(bodies);
                tried = 0;
            }
        }
        disk.power_cut(seed);
        let journal = open(&disk);
        let found = all(&journal);
        prop_assert!([acknowledged.len(), acknowledged.len() + tried].contains(&found.len()));
        for (body, record) in acknowledged.iter().zip(&found) {
            prop_assert_eq!(&record.body, &Body::Open(body.clone()));
        }
        prop_assert_eq!(journal.reader().verify(true).unwrap().head, journal.head());
    }
}
