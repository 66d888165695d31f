//! When a link is over, also for whoever is downloading: revoked, expired, used up, deleted, damaged.

use std::os::unix::fs::FileExt as _;

use chrono::TimeDelta;

use super::{CASE, ask, bytes, create, ends, linked, links, make, next, token, whole};
use crate::actions::link::{self, Create, Made, State};
use crate::actions::share::Attachment;
use crate::actions::{Run as _, decide, evidence, node as nodes, retention, settings};
use crate::erase::pass;
use crate::event::{ClockSuspected, DownloadEnd, Event, NodeRestored};
use crate::jobs;
use crate::links::{Part, Refusal, What, left};
use crate::store::table;
use crate::tests::bench::{Bench, noon};
use crate::tests::erase::{kept, tells};
use crate::tests::retention::delete;

/// Four pieces and some more.
fn long() -> Vec<u8> {
    (0..1_200_000_u32).map(|at| (at % 251) as u8).collect()
}

async fn revoke(at: &Bench, made: &Made) {
    let link = made.link.id;
    at.change(link::Revoke { link }).await.unwrap();
}

async fn state(at: &Bench) -> State {
    links(at, &at.node.owner()).await[0].state
}

/// Reads a piece, has something happen, and reads on: what came in all, and why it ended.
async fn cut(at: &Bench, made: &Made, happen: impl AsyncFnOnce()) -> (u64, DownloadEnd) {
    let given = ask(at, &token(made), What::Whole).await.unwrap();
    let length = given.length;
    let mut body = given.bytes.unwrap();
    let mut came = 0;
    // The header and the manifest come first, piece by piece.
    while came < 300_000 {
        came += next(&mut body).await.unwrap().unwrap().len() as u64;
    }
    happen().await;
    let mut broken = false;
    while let Some(piece) = next(&mut body).await {
        match piece {
            Ok(piece) => came += piece.len() as u64,
            Err(_) => broken = true,
        }
    }
    assert!(broken && came < length, "{came} of {length}");
    let ends = ends(at, made.link.id);
    let (reason, bytes) = *ends.last().unwrap();
    assert_eq!(bytes, Some(came), "what left is on record");
    (came, reason)
}

/// AE-058, AJ-40: at any time, also for who is downloading.
#[tokio::test]
async fn revoked_link_gives_nothing_and_cuts_what_is_under_way() {
    let (north, item, made) = linked(&long()).await;
    whole(&north, &made).await;
    let (came, reason) = cut(&north, &made, async || revoke(&north, &made).await).await;
    assert_eq!(reason, DownloadEnd::Stopped);
    assert!(came < 900_000, "no more than was handed over: {came}");
    let refused = ask(&north, &token(&made), What::Whole).await;
    assert_eq!(refused.err().unwrap(), Refusal::Nothing);
    assert_eq!(state(&north).await, State::Revoked);
    told(&north, &made, "the link was revoked").await;
    let of_case = north.about(item.cases[0].case.uuid());
    let revoked = |event: &Event| matches!(event, Event::LinkRevoked(_));
    assert!(of_case.iter().any(revoked));
    // Once is enough.
    revoke(&north, &made).await;
    let again = north.about(made.link.id.uuid());
    assert_eq!(again.iter().filter(|event| revoked(event)).count(), 1);
    north.rebuilds().await;
}

/// Waits until a refusal is on record: that is behind the answer.
async fn told(at: &Bench, made: &Made, reason: &str) {
    let behind = &at.node.parts().moment.signins.behind;
    behind.close();
    behind.wait().await;
    behind.reopen();
    let records = at.about(made.link.id.uuid());
    let says = |event: &Event| matches!(event, Event::Refused(refused) if refused.reason == reason);
    assert!(records.iter().any(says), "{reason}");
}

/// AE-060, AJ-42, AO-38, fault D11
#[tokio::test]
async fn link_works_for_its_days_and_not_a_moment_longer() {
    let (north, _, made) = linked(&long()).await;
    let left = made.link.expires_at - north.node.parts().clock.now();
    north.later(left - TimeDelta::minutes(10));
    whole(&north, &made).await;
    let later = async || north.later(TimeDelta::minutes(10));
    let (_, reason) = cut(&north, &made, later).await;
    assert_eq!(reason, DownloadEnd::Stopped);
    for what in [What::Whole, What::Head, What::Part(Part::Last(1), None)] {
        let refused = ask(&north, &token(&made), what).await;
        assert_eq!(refused.err().unwrap(), Refusal::Nothing);
    }
    assert_eq!(state(&north).await, State::Expired);
    told(&north, &made, "the days of the link are over").await;
}

/// fault D11: a clock that went back opens nothing again, and none that jumped.
#[tokio::test]
async fn nothing_is_downloaded_by_a_clock_that_nobody_trusts() {
    let (north, _, made) = linked(&long()).await;
    let suspected = ClockSuspected {
        says: noon(),
        expected: noon(),
    };
    let jump = async || jobs::suspect(&north.node, suspected).await.unwrap();
    assert_eq!(cut(&north, &made, jump).await.1, DownloadEnd::Stopped);
    for secret in [token(&made), "0".repeat(64)] {
        let refused = ask(&north, &secret, What::Whole).await;
        assert_eq!(refused.err().unwrap(), Refusal::Unavailable);
    }
    north.change(nodes::ConfirmClock {}).await.unwrap();
    whole(&north, &made).await;
}

/// fault D11: neither at once, nor by parts, nor by asking what it is.
#[tokio::test]
async fn link_is_used_as_often_as_it_may_be_and_no_more() {
    let (north, _, _) = linked(b"moving pictures").await;
    let thrice = Create {
        downloads: Some(3),
        ..create(3)
    };
    let made = make(&north, thrice).await.unwrap();
    for _ in 0..5 {
        let head = ask(&north, &token(&made), What::Head).await.unwrap();
        assert!(head.bytes.is_none());
    }
    let secret = token(&made);
    let asked = (0..8).map(|_| ask(&north, &secret, What::Part(Part::From(1, None), None)));
    let asked = futures_util::future::join_all(asked).await;
    assert_eq!(asked.iter().filter(|given| given.is_ok()).count(), 3);
    for given in asked {
        match given {
            Ok(given) => assert!(bytes(given).await.1),
            Err(refusal) => assert_eq!(refusal, Refusal::Nothing),
        }
    }
    let listed = links(&north, &north.node.owner()).await;
    assert_eq!((listed[1].state, listed[1].downloads), (State::UsedUp, 3));
    told(&north, &made, "the link was used as often as it may be").await;
    north.rebuilds().await;
}

/// fault D10: all that does not work looks the same, and whoever guesses waits.
#[tokio::test]
async fn whoever_tries_many_links_that_do_not_work_waits() {
    let (north, _, made) = linked(b"moving pictures").await;
    let right = token(&made);
    for guess in 0..50 {
        let wrong = match guess % 3 {
            0 => right[..63].to_owned(),
            1 => String::new(),
            _ => "x".repeat(9000),
        };
        let refused = ask(&north, &wrong, What::Whole).await;
        assert_eq!(refused.err().unwrap(), Refusal::Nothing);
    }
    let refused = ask(&north, &right, What::Whole).await;
    assert_eq!(refused.err().unwrap(), Refusal::Tries);
    // Signing in from there is another matter.
    let ins = &north.node.parts().moment.signins;
    let elapsed = north.node.parts().clock.elapsed();
    assert!(
        ins.networks
            .admits(Some(super::FROM.parse().unwrap()), elapsed)
    );
    north.pass(15 * 60);
    whole(&north, &made).await;
}

/// One holder does not take the places of all others.
#[tokio::test]
async fn only_some_downloads_of_a_link_are_under_way_at_once() {
    let (north, _, made) = linked(&long()).await;
    let mut open = Vec::new();
    for _ in 0..8 {
        open.push(ask(&north, &token(&made), What::Whole).await.unwrap());
    }
    let refused = ask(&north, &token(&made), What::Whole).await;
    assert_eq!(refused.err().unwrap(), Refusal::Busy);
    let other = make(&north, create(1)).await.unwrap();
    whole(&north, &other).await;
    drop(open);
    while ends(&north, made.link.id).len() < 8 {
        tokio::task::yield_now().await;
    }
    let gone = |(reason, _): &(DownloadEnd, _)| *reason == DownloadEnd::Gone;
    assert!(ends(&north, made.link.id).iter().all(gone));
    whole(&north, &made).await;
}

/// Whoever holds a link does not make the journal grow without bound.
#[tokio::test]
async fn link_is_looked_at_so_often_in_an_hour() {
    let (north, _, made) = linked(b"moving pictures").await;
    for _ in 0..600 {
        ask(&north, &token(&made), What::Head).await.unwrap();
    }
    let refused = ask(&north, &token(&made), What::Whole).await;
    assert_eq!(refused.err().unwrap(), Refusal::Busy);
    let other = make(&north, create(1)).await.unwrap();
    whole(&north, &other).await;
    north.pass(3600);
    whole(&north, &made).await;
}

/// What is deleted leaves packages with all that was made of it.
#[tokio::test]
async fn deleted_evidence_leaves_the_package() {
    let (north, item, _) = linked(&long()).await;
    north.evidence(CASE, "b.txt", b"stays").await;
    let made = Create {
        attachments: [Attachment::AuditTrail].into(),
        ..create(300)
    };
    let made = make(&north, made).await.unwrap();
    let before = super::unpack(&whole(&north, &made).await);
    assert_eq!(before.len(), 5);
    let tag = ask(&north, &token(&made), What::Head).await.unwrap().tag;
    north.change(delete(item.id)).await.unwrap();
    north.later(TimeDelta::days(8));
    let gone = async || pass(&north.node, true).await.unwrap();
    assert_eq!(cut(&north, &made, gone).await.1, DownloadEnd::Stopped);
    pass(&north.node, true).await.unwrap();
    let after = super::unpack(&whole(&north, &made).await);
    let names: Vec<_> = after.keys().map(String::as_str).collect();
    assert_eq!(names, ["b.txt", "b.txt.audit-trail.json", "manifest.json"]);
    assert_ne!(
        ask(&north, &token(&made), What::Head).await.unwrap().tag,
        tag
    );
    let trail = &before["a.mp4.audit-trail.json"];
    assert!(!tells(&kept(&north), trail), "what was made of it is gone");
    north.rebuilds().await;
}

/// A case that is gone takes its links with it.
#[tokio::test]
async fn link_of_a_deleted_case_opens_nothing() {
    let (north, _, made) = linked(b"moving pictures").await;
    let case = retention::DeleteCase {
        case: CASE.into(),
        reason: "over".into(),
    };
    north.change(case).await.unwrap();
    north.later(TimeDelta::days(1));
    whole(&north, &made).await;
    let days = settings::Set {
        deletion_days: Some(0),
        ..Default::default()
    };
    north.change(days).await.unwrap();
    north.later(TimeDelta::days(7));
    for _ in 0..2 {
        pass(&north.node, true).await.unwrap();
    }
    let gone = north
        .node
        .read(|view| Ok(decide::case(view, CASE).is_err()));
    assert!(gone.await.unwrap());
    let refused = ask(&north, &token(&made), What::Whole).await;
    assert_eq!(refused.err().unwrap(), Refusal::Nothing);
    assert!(links(&north, &north.node.owner()).await.is_empty());
    let known = north.about(made.link.id.uuid());
    assert!(
        known
            .iter()
            .any(|event| matches!(event, Event::LinkMade(_)))
    );
    north.rebuilds().await;
}

/// What a link of a deleted case had of evidence that another case keeps goes with that evidence.
#[tokio::test]
async fn package_of_a_deleted_case_lets_go_of_evidence_that_another_case_kept() {
    let (north, item, _) = linked(&long()).await;
    let made = Create {
        attachments: [Attachment::AuditTrail].into(),
        ..create(300)
    };
    let made = make(&north, made).await.unwrap();
    let before = super::unpack(&whole(&north, &made).await);
    north.case("2/26").await;
    let include = evidence::Include {
        case: "2/26".into(),
        evidence: vec![item.id],
        folder: String::new(),
    };
    north.change(include).await.unwrap();
    let case = retention::DeleteCase {
        case: CASE.into(),
        reason: "over".into(),
    };
    north.change(case).await.unwrap();
    let sweep = async || {
        north.later(TimeDelta::days(8));
        for _ in 0..2 {
            pass(&north.node, true).await.unwrap();
        }
    };
    sweep().await;
    let refused = ask(&north, &token(&made), What::Whole).await;
    assert_eq!(refused.err().unwrap(), Refusal::Nothing);
    north.rebuilds().await;
    north.change(delete(item.id)).await.unwrap();
    sweep().await;
    let trail = &before["a.mp4.audit-trail.json"];
    assert!(!tells(&kept(&north), trail), "what was made of it is gone");
    let reading = north.node.parts().store.read();
    let rows = reading.view().page(&table::LINKED, &(), None, 9).unwrap();
    assert!(rows.is_empty());
    drop(reading);
    north.rebuilds().await;
}

/// Damages the bytes of the only large file that lies here.
fn damage(at: &Bench) {
    let own = at.blobs();
    let mut folders = vec![own];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let length = path.metadata().unwrap().len();
            if length > 1_000_000 {
                let file = std::fs::File::options().write(true).open(&path).unwrap();
                file.write_all_at(b"damaged", length - 100_000).unwrap();
            }
        }
    }
}

/// Wrong bytes are never served: what is damaged ends the download, and is told from then on.
#[tokio::test]
async fn damaged_file_ends_the_download() {
    let (north, _, made) = linked(&long()).await;
    damage(&north);
    let given = ask(&north, &token(&made), What::Whole).await.unwrap();
    let (came, well) = bytes(given).await;
    assert!(!well);
    let (reason, count) = ends(&north, made.link.id)[0];
    assert_eq!(
        (reason, count),
        (DownloadEnd::Damaged, Some(came.len() as u64))
    );
    let right = long();
    let begin = came
        .windows(251)
        .position(|window| window == &right[..251])
        .unwrap();
    assert!(
        right.starts_with(&came[begin..]),
        "what came is what was added"
    );
    let refused = loop {
        // That it is damaged is recorded behind the answer.
        match ask(&north, &token(&made), What::Whole).await {
            Ok(given) => drop(bytes(given).await),
            Err(refusal) => break refusal,
        }
    };
    assert_eq!(refused, Refusal::Unavailable);
    told(&north, &made, "a file of the link is damaged").await;
}

/// A node that was stopped or lost power says at its next start what it knows: that the download is over.
#[tokio::test]
async fn download_of_a_stopped_node_ends_on_record() {
    let (north, _, made) = linked(&long()).await;
    let given = ask(&north, &token(&made), What::Whole).await.unwrap();
    // With its database gone: what the old one still does is not seen here.
    let north = north.crash(2);
    drop(given);
    left(&north.node).await;
    left(&north.node).await;
    assert_eq!(
        ends(&north, made.link.id),
        [(DownloadEnd::Interrupted, None)]
    );
    whole(&north, &made).await;
}

/// A revocation is never undone: a backup does not know of those that came after it, and nobody else does.
#[tokio::test]
async fn restored_node_opens_no_link_of_its_past() {
    let (north, _, made) = linked(b"moving pictures").await;
    let past = north.twin();
    revoke(&north, &made).await;
    let restored = NodeRestored {
        made_at: noon(),
        above: 0,
    };
    past.events(vec![Event::NodeRestored(restored)])
        .await
        .unwrap();
    let refused = ask(&past, &token(&made), What::Whole).await;
    assert_eq!(refused.err().unwrap(), Refusal::Nothing);
    assert_eq!(state(&past).await, State::Revoked);
    let fresh = make(&past, create(1)).await.unwrap();
    whole(&past, &fresh).await;
    past.rebuilds().await;
}

#[tokio::test]
async fn revoked_link_stays_revoked_after_a_loss_of_power() {
    let (north, _, made) = linked(b"moving pictures").await;
    revoke(&north, &made).await;
    for seed in [1, 2] {
        let again = north.twin().crash(seed);
        let refused = ask(&again, &token(&made), What::Whole).await;
        assert_eq!(refused.err().unwrap(), Refusal::Nothing);
    }
    let listed = link::List::default();
    let page = listed.run(&north.node, &north.node.owner()).await.unwrap();
    assert_eq!(page.links[0].state, State::Revoked);
}
