//! An item that comes by an import and by a copy: what becomes this node's own is one record, whatever brings it.

use super::support::{Live, advanced, evidence_of, until};
use crate::actions::evidence::Include;
use crate::actions::partner::OrganisationRole;
use crate::actions::share::{Mode, Status};
use crate::tests::bench::Bench;
use crate::tests::erase::sweep;
use crate::tests::retention::delete;

/// AJ-32, Q10
#[tokio::test(flavor = "multi_thread")]
async fn item_of_an_import_and_of_a_copy_is_one_record_and_is_erased_as_one() {
    for import_first in [true, false] {
        let north = Bench::new("north");
        let court = Bench::of("court", OrganisationRole::Justice);
        let live = Live::new();
        live.pair(&north, &court, Mode::Synchronised, true).await;
        for number in ["1/26", "2/26"] {
            north.case(number).await;
        }
        let item = north.evidence("1/26", "a.bin", b"one").await.id;
        let include = Include {
            case: "2/26".into(),
            evidence: vec![item],
            folder: "calls".into(),
        };
        north.change(include).await.unwrap();
        let mut shares = Vec::new();
        for import in [import_first, !import_first] {
            let share = match import {
                true => advanced(&north, &court, "1/26").await.id,
                false => north.copy("2/26", "court").await.unwrap().id,
            };
            until("it is the court's own", || {
                court.became(share, item).is_some()
            })
            .await;
            shares.push(share);
        }
        let here = court.became(shares[0], item).unwrap();
        assert_eq!(court.became(shares[1], item), Some(here));
        for (number, folder) in [("1/26", ""), ("2/26", "calls")] {
            let items = evidence_of(&court, number);
            assert_eq!((items.len(), items[0].id), (1, here));
            assert_eq!(
                (items[0].folder.as_str(), items[0].cases.len()),
                (folder, 2)
            );
        }
        until("that is known", || {
            let whole = |share| north.shown(share).status;
            shares
                .iter()
                .all(|share| matches!(whole(*share), Status::Complete | Status::Active))
        })
        .await;
        live.end().await;
        court.rebuilds().await;
        court.change(delete(here)).await.unwrap();
        sweep(&court).await;
        for number in ["1/26", "2/26"] {
            assert!(evidence_of(&court, number).is_empty());
        }
        court.rebuilds().await;
        court.crash(1).rebuilds().await;
        north.rebuilds().await;
    }
}
