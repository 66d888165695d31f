//! Whatever two nodes do with what they share and delete, however it went on.

use interdocket_sync::id::{CaseId, EvidenceId, ShareId};

use super::apart::{advanced, enabled, include, recovered, said};
use super::{kept, tells};
use crate::actions::partner::{self, Inbound, Kind};
use crate::actions::{Run as _, case, evidence, retention, settings, share};
use crate::disk::Dice;
use crate::erase::pass;
use crate::store::table;
use crate::tests::bench::{Bench, to};
use crate::tests::retention::delete;

/// What a node holds, one of each.
struct Held {
    item: Option<EvidenceId>,
    case: Option<CaseId>,
    share: Option<ShareId>,
}

impl Held {
    fn of(at: &Bench, dice: &mut Dice) -> Self {
        let reading = at.node.parts().store.read();
        let view = reading.view();
        let items = view.page(&table::EVIDENCE, &(), None, 99).unwrap();
        let cases = view.page(&table::CASE, &(), None, 99).unwrap();
        let shares = view.page(&table::SHARE, &(), None, 99).unwrap();
        Self {
            item: any(dice, &items),
            case: any(dice, &cases),
            share: any(dice, &shares),
        }
    }
}

fn any<K: Copy, V>(dice: &mut Dice, rows: &[(K, V)]) -> Option<K> {
    match rows.len() {
        0 => None,
        count => Some(rows[dice.below(count)].0),
    }
}

/// DESIGN: the database follows from the journal. A text of what its owner deleted is nowhere in what that one keeps.
#[tokio::test]
async fn whatever_was_shared_and_deleted_a_rebuild_gives_the_same_tables() {
    for seed in SEEDS {
        let mut dice = Dice::new(seed);
        let (mut north, mut south) = enabled().await;
        let set = settings::Set {
            deletion_days: Some(0),
            ..settings::Set::default()
        };
        for at in [&north, &south] {
            at.change(set.clone()).await.unwrap();
        }
        south.person("Lee", "").await.unwrap();
        let mut past = None;
        for round in 0..60 {
            match dice.below(2) {
                0 => step(&mut dice, &north, &north, &south, round).await,
                _ => step(&mut dice, &south, &north, &south, round).await,
            }
            if dice.below(12) == 0 {
                north = north.crash(round);
            }
            if dice.below(12) == 0 {
                south = south.crash(round);
            }
            match (dice.below(25), past.take()) {
                (0, None) => past = Some(north.twin()),
                (1, Some(back)) => {
                    north = back;
                    recovered(&north, &south).await;
                }
                (_, held) => past = held,
            }
        }
        for at in [&north, &south] {
            at.rebuilds().await;
            pass(&at.node, true).await.unwrap();
            at.rebuilds().await;
        }
        let reading = north.node.parts().store.read();
        let gone = reading.view().page(&table::GONE, &(), None, 999).unwrap();
        let kept = kept(&north);
        for (id, _) in gone {
            assert!(!tells(&kept, canary(id).as_bytes()), "seed {seed}: {id}");
        }
    }
}

fn canary(id: impl std::fmt::Display) -> String {
    format!("canary-{id}")
}

async fn step(dice: &mut Dice, at: &Bench, north: &Bench, south: &Bench, round: u64) {
    let held = Held::of(at, dice);
    match dice.below(5) {
        0 => keeps(dice, at, &held, round).await,
        1 => deletes(dice, at, &held).await,
        2 if at.name == "north" => shares(dice, at, &held).await,
        3 => ends(dice, at, &held).await,
        _ => {
            if let Some(share) = held.share {
                brings(dice, north, south, share).await;
            }
        }
    }
}

// What is not allowed at that moment is refused, which is as good.

async fn keeps(dice: &mut Dice, at: &Bench, held: &Held, round: u64) {
    let made = case::Create {
        number: format!("{}/26", dice.below(3)),
        title: String::new(),
        description: String::new(),
        targets: Vec::new(),
    };
    let Some(case) = held.case.filter(|_| dice.below(4) > 0) else {
        let _ = at.change(made).await;
        return;
    };
    let number = case.to_string();
    match (dice.below(5), held.item) {
        (0, Some(item)) => drop(at.change(include(&number, item)).await),
        (1, Some(item)) => {
            let exclude = evidence::Exclude {
                case: number,
                evidence: vec![item],
            };
            drop(at.change(exclude).await);
        }
        (2, _) => {
            let edit = case::Edit {
                case: number,
                number: None,
                title: Some(canary(case)),
                description: None,
            };
            drop(at.change(edit).await);
        }
        _ => {
            let bytes = round.to_be_bytes();
            let Ok(made) = at.try_evidence(&number, "a.txt", &bytes).await else {
                return;
            };
            let edit = evidence::Edit {
                evidence: made.id,
                title: Some(canary(made.id)),
                folder: Some("canary-folder".into()),
                case: None,
                fields: Default::default(),
            };
            at.change(edit).await.unwrap();
        }
    }
}

async fn deletes(dice: &mut Dice, at: &Bench, held: &Held) {
    let number = held.case.map(|case| case.to_string());
    let reason = "expunged".to_owned();
    match (dice.below(6), number, held.item) {
        (0, _, Some(item)) => drop(at.change(delete(item)).await),
        (1 | 2, Some(case), _) => drop(at.change(retention::DeleteCase { case, reason }).await),
        (3, Some(case), _) => drop(at.change(retention::KeepCase { case, reason }).await),
        _ => pass(&at.node, true).await.unwrap(),
    }
}

async fn shares(dice: &mut Dice, at: &Bench, held: &Held) {
    let Some(case) = held.case else { return };
    if dice.below(3) == 0 {
        drop(at.change(advanced(&case.to_string(), &canary(case))).await);
        return;
    }
    let folder = (dice.below(2) == 0).then(|| "canary-folder".to_owned());
    let copy = share::Copy {
        case: case.to_string(),
        to: vec![to("south", &["Kim"])],
        evidence: Vec::new(),
        folders: folder.into_iter().collect(),
        targets: None,
        message: canary(case),
        attachments: None,
    };
    drop(at.change(copy).await);
}

/// What changes a share, and what becomes of it where it waits.
async fn ends(dice: &mut Dice, at: &Bench, held: &Held) {
    let Some(share) = held.share else { return };
    match dice.below(7) {
        0 => drop(at.change(share::End { share }).await),
        1 => drop(at.change(share::Cancel { share }).await),
        2 => drop(at.change(share::Revoke { share }).await),
        3 => {
            let evidence = Vec::new();
            drop(at.change(share::Add { share, evidence }).await);
        }
        4 => {
            let reshare = share::Reshare {
                share,
                recipients: vec!["Lee".into()],
                message: "again".into(),
                evidence: Vec::new(),
            };
            drop(at.change(reshare).await);
        }
        5 if at.name == "south" => {
            let set = partner::SetInbound {
                partner: "north".into(),
                inbound: match dice.below(3) {
                    0 => Inbound::Finalise,
                    _ => Inbound::Direct,
                },
            };
            at.change(set).await.unwrap();
        }
        _ => {
            let case = held.case.filter(|_| dice.below(2) == 0);
            let finalise = share::Finalise {
                share,
                case: case.map(|case| case.to_string()),
                access: Vec::new(),
            };
            drop(finalise.run(&at.node, &at.node.owner()).await);
        }
    }
}

/// Some of what both say, or all of it with the files that are there.
async fn brings(dice: &mut Dice, owner: &Bench, partner: &Bench, share: ShareId) {
    // Of what was revoked, an owner that came back from its past may know nothing.
    if !owner.holds(share) {
        return;
    }
    if dice.below(2) == 0 {
        owner.deliver(partner, share).await;
        if partner.holds(share) {
            partner.deliver(owner, share).await;
        }
        return;
    }
    said(owner, partner, share).await;
    if !partner.holds(share) || partner.shown(share).kind != Kind::Copy {
        return;
    }
    for item in partner.wanted(share) {
        let files = partner.files(share, item);
        let here = {
            let reading = owner.node.parts().store.read();
            let view = reading.view();
            let there = |digest| view.has(&table::BLOB, digest).unwrap();
            files.iter().all(there)
        };
        if here {
            let files = files.into_iter();
            let placed = files.map(|digest| partner.read(owner, share, digest));
            let placed = placed.collect();
            partner.store(share, vec![item], placed).await.unwrap();
        }
    }
    said(owner, partner, share).await;
}

const SEEDS: std::ops::Range<u64> = 0..8;
