//! The tables follow from the journal: after any actions they are what a rebuild makes of it.

use interdocket_sync::id::{EvidenceId, ShareId};

use crate::actions::{Error, ErrorKind, case, evidence, partner, share, token};
use crate::disk::Dice;
use crate::event::Event;
use crate::store::engine::Engine as _;
use crate::store::table;
use crate::store::view::Changes;
use crate::tests::bench::{Bench, only, pair, settle, to};

/// One action of any kind; whether it is allowed does not matter here.
async fn act(dice: &mut Dice, north: &Bench, south: &Bench, round: u64) {
    let number = format!("{}/26", dice.below(3));
    match dice.below(11) {
        0 => {
            let create = case::Create {
                number,
                title: "t".into(),
                description: String::new(),
                targets: Vec::new(),
            };
            drop(north.change(create).await);
        }
        1 => {
            let edit = case::Edit {
                case: number,
                number: Some(format!("{}/26", dice.below(3))),
                title: Some("u".into()),
                description: None,
            };
            drop(north.change(edit).await);
        }
        2 => drop(north.change(case::Close { case: number }).await),
        3 | 4 => {
            let bytes = [u8::try_from(dice.below(4)).unwrap(); 40];
            drop(north.try_evidence(&number, "f.txt", &bytes).await);
        }
        5 => {
            if let Ok(made) = north.copy(&number, "south").await {
                settle(north, south, made.id).await;
            }
        }
        6 => drop(north.copy(&number, "south").await),
        7 => {
            let user = format!("user {round}");
            drop(north.person(&user, "").await);
            let days = None;
            drop(north.change(token::Add { user, days }).await);
        }
        8 => {
            let partner = "south".to_owned();
            let suspend = partner::Suspend {
                partner: partner.clone(),
            };
            drop(north.change(suspend).await);
            drop(north.change(partner::Resume { partner }).await);
        }
        9 => {
            let shares = north.shares();
            if let Some(share) = shares.get(dice.below(shares.len().max(1))) {
                let share = *share;
                drop(north.change(share::Cancel { share }).await);
                drop(north.change(share::End { share }).await);
            }
        }
        _ => {
            let shares = north.shares();
            if let Some(share) = shares.get(dice.below(shares.len().max(1))) {
                let add = share::Add {
                    share: *share,
                    evidence: Vec::new(),
                };
                drop(north.change(add).await);
                settle(north, south, *share).await;
            }
        }
    }
}

#[tokio::test]
async fn whatever_was_done_a_rebuild_gives_the_same_tables() {
    for seed in 0..12 {
        let mut dice = Dice::new(seed);
        let (mut north, south) = pair().await;
        for round in 0..40 {
            act(&mut dice, &north, &south, round).await;
            if dice.below(10) == 0 {
                north = north.crash(seed + round);
            }
        }
        north.rebuilds().await;
        south.rebuilds().await;
    }
}

/// fault C11
#[tokio::test]
async fn the_same_number_and_file_from_two_partners_stay_two_cases_and_one_blob() {
    let (north, south) = pair().await;
    let harbour = Bench::new("harbour");
    south.trust(&harbour, None).await;
    harbour.trust(&south, None).await;
    for owner in [&north, &harbour] {
        owner.case("1/26").await;
        owner.evidence("1/26", "a.txt", b"one").await;
        let share = owner.copy("1/26", "south").await.unwrap().id;
        settle(owner, &south, share).await;
    }
    let reading = south.node.parts().store.read();
    let cases = reading.view().page(&table::CASE, &(), None, 9).unwrap();
    let mut numbers: Vec<&str> = cases.iter().map(|(_, case)| &*case.number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, ["1/26", "1/26 (2)"]);
    let blobs = reading.view().page(&table::BLOB, &(), None, 9).unwrap();
    assert_eq!(blobs.len(), 1);
    assert_eq!(blobs[0].1.uses, 2);
}

/// Damage that is found before SHA-256 was compared is not looked at again and again.
#[tokio::test]
async fn a_damaged_blob_waits_for_no_comparison_and_is_never_read() {
    let (north, south) = pair().await;
    north.case("1/26").await;
    north.evidence("1/26", "a.txt", b"one").await;
    let share = north.copy("1/26", "south").await.unwrap().id;
    settle(&north, &south, share).await;
    let digest = south.files(share, north.listed(share)[0])[0];
    let waits = |node: &Bench| {
        let reading = node.node.parts().store.read();
        reading.view().has(&table::UNCOMPARED, &digest).unwrap()
    };
    assert!(waits(&south));
    south
        .events(vec![Event::BlobDamaged(digest)])
        .await
        .unwrap();
    assert!(!waits(&south));
    // The same bytes from another share heal it.
    let again = north.copy("1/26", "south").await.unwrap().id;
    settle(&north, &south, again).await;
    assert!(waits(&south));
    south.rebuilds().await;
}

/// Of an item about which a record can't be read nothing is given out, and everything of others is.
#[tokio::test]
async fn item_with_a_record_that_cannot_be_read_is_closed_and_no_other() {
    let (north, south) = pair().await;
    north.enable("south", true, false).await;
    south.enable("north", false, true).await;
    north.case("1/26").await;
    let lost = north.evidence("1/26", "a.txt", b"one").await.id;
    let other = north.evidence("1/26", "b.txt", b"two").await.id;
    let shares = [
        share_of(&north, lost).await.unwrap(),
        share_of(&north, other).await.unwrap(),
    ];
    let mut changes = Changes::default();
    changes.put(&table::LOST, &lost.uuid(), &1);
    let parts = north.node.parts();
    let applied = north.engine.applied().unwrap();
    parts.store.apply(applied, &changes.take()).unwrap();
    let owner = north.node.owner();
    let get = |evidence| evidence::Get {
        evidence,
        file: 0,
        purpose: Default::default(),
        confidential: false,
        original: false,
    };
    let refused = north.node.open_evidence(&owner, get(lost)).await;
    assert_eq!(refused.err().unwrap().kind, ErrorKind::Unavailable);
    assert!(north.node.open_evidence(&owner, get(other)).await.is_ok());
    let refused = north.disclose(shares[0]).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Unavailable);
    settle(&north, &south, shares[1]).await;
    assert_eq!(south.listed(shares[1]).len(), 1);
}

async fn share_of(at: &Bench, item: EvidenceId) -> Result<ShareId, Error> {
    let copy = share::Copy {
        case: "1/26".into(),
        to: vec![to("south", &[])],
        evidence: vec![item],
        folders: Vec::new(),
        targets: None,
        message: String::new(),
        attachments: None,
    };
    Ok(only(at.change(copy).await?).id)
}
