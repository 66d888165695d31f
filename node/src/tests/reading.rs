//! Reading at the owner of a share, over real connections: who may, what is read, and what ends it.

mod advanced;
mod ends;
mod people;
mod said;

use std::collections::BTreeSet;

use chrono::TimeDelta;
use interdocket_proto::v1;
use interdocket_proto::v1::connection_client::ConnectionClient;
use interdocket_sync::id::{ActorId, EvidenceId, ShareId};
use interdocket_sync::limits;
use interdocket_sync::log::entry::Actor as Named;
use interdocket_sync::refusal::Refusal;
use interdocket_sync::wire::refusal;
use interdocket_sync::wire::session as wire;
use prost::Message as _;
use tonic::Status;
use tonic::transport::Channel;
use uuid::Uuid;

use crate::access::{ADMINISTRATOR, AUDITOR, INVESTIGATOR};
use crate::actions::external::{Get, List, Show, Shown};
use crate::actions::partner::{self, Kind, OrganisationRole};
use crate::actions::share::{self, Mode, Status as Stands};
use crate::actions::{Actor, Caller, Error, ErrorKind, Progress, Run as _, Way, case, evidence};
use crate::event::{ClockSuspected, Event, SessionClosed, SessionEnd};
use crate::federation::serve::routes;
use crate::jobs;
use crate::tests::bench::{Bench, holds, only, settle, to};

/// North serves; south and harbour can dial it. Everything is enabled.
pub(super) async fn three() -> (Bench, Bench, Bench) {
    let nodes = (
        Bench::new("north"),
        Bench::new("south"),
        Bench::new("harbour"),
    );
    let (north, south, harbour) = &nodes;
    let address = north.serve(routes(&north.node)).await;
    for partner in [south, harbour] {
        north.trust(partner, None).await;
        partner.trust(north, Some(address.clone())).await;
        enable(north, partner.name).await;
        enable(partner, "north").await;
    }
    nodes
}

async fn enable(node: &Bench, partner: &str) {
    let all = BTreeSet::from([Kind::Reference, Kind::Copy, Kind::Advanced]);
    let enable = partner::Enable {
        partner: partner.into(),
        send: all.clone(),
        receive: all,
    };
    node.change(enable).await.unwrap();
}

async fn policy(node: &Bench, mode: Mode, download: bool, import: bool) {
    let set = partner::SetPolicy {
        partner: "south".into(),
        mode,
        download,
        import,
        onward: false,
    };
    node.change(set).await.unwrap();
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn reference(case: &str, evidence: &[EvidenceId], recipients: &[&str]) -> share::Reference {
    share::Reference {
        case: case.into(),
        to: vec![to("south", recipients)],
        days: 1,
        evidence: evidence.to_vec(),
        folders: Vec::new(),
        targets: None,
        message: String::new(),
    }
}

/// A case with one file of so many bytes, read by Kim and Robin at south.
async fn shared(north: &Bench, south: &Bench, bytes: &[u8]) -> (ShareId, EvidenceId) {
    north.case("1/26").await;
    let added = north.evidence("1/26", "a.bin", bytes).await.id;
    let request = reference("1/26", &[], &["Kim", "Robin"]);
    let share = only(north.change(request).await.unwrap()).id;
    settle(north, south, share).await;
    (share, added)
}

/// The same as an advanced share, under the policy that was set; its lease is held.
async fn followed(north: &Bench, south: &Bench, bytes: &[u8]) -> (ShareId, EvidenceId) {
    north.case("1/26").await;
    let added = north.evidence("1/26", "a.bin", bytes).await.id;
    let share = advanced(north, &[], &[]).await;
    follow(north, south, share).await;
    lend(south, share);
    (share, added)
}

/// Shares a case, or what is chosen of it, as it goes on.
async fn advanced(north: &Bench, evidence: &[EvidenceId], folders: &[&str]) -> ShareId {
    let request = share::Advanced {
        case: "1/26".into(),
        to: vec![to("south", &["Kim"])],
        evidence: evidence.to_vec(),
        folders: names(folders),
        targets: None,
        units: Vec::new(),
        message: "for you".into(),
    };
    only(north.change(request).await.unwrap()).id
}

/// Delivers what there is to say of a share, both ways; no bytes.
async fn follow(north: &Bench, south: &Bench, share: ShareId) {
    while north.deliver(south, share).await == Some(Ok(())) {}
    while south.deliver(north, share).await == Some(Ok(())) {}
}

fn lend(south: &Bench, share: ShareId) {
    let parts = south.node.parts();
    let key = zeroize::Zeroizing::new([7; 32]);
    let hour = std::time::Duration::from_secs(3600);
    let now = parts.clock.elapsed();
    parts.moment.leases.lend(share, key, now, hour);
}

/// A user of south's.
fn user(name: &str, role: &str) -> Caller {
    Caller {
        actor: Actor {
            id: Uuid::from_u128(name.len() as u128),
            name: name.into(),
            badge: String::new(),
        },
        permissions: holds(role),
        way: Way::Token,
        session: None,
        progress: Progress::default(),
    }
}

async fn show(at: &Bench, name: &str, share: ShareId) -> Result<Shown, Error> {
    let show = Show {
        share,
        after: None,
        limit: None,
    };
    show.run(&at.node, &user(name, INVESTIGATOR)).await
}

async fn list(at: &Bench, caller: &Caller) -> Vec<ShareId> {
    let page = List::default().run(&at.node, caller).await.unwrap();
    page.external.iter().map(|listed| listed.share).collect()
}

fn get(share: ShareId, evidence: EvidenceId) -> Get {
    Get {
        share,
        evidence,
        file: 0,
        from: 0,
        to: None,
        download: true,
    }
}

/// All bytes of a file, or why they ended early.
async fn read(at: &Bench, name: &str, get: Get) -> Result<Result<Vec<u8>, String>, Error> {
    let caller = user(name, INVESTIGATOR);
    let mut opened = at.node.open_external(&caller, get).await?;
    let mut bytes = Vec::new();
    while let Some(piece) = opened.bytes.recv().await {
        match piece {
            Ok(piece) => bytes.extend_from_slice(&piece),
            Err(error) => return Ok(Err(error.to_string())),
        }
    }
    assert_eq!(bytes.len() as u64, opened.size);
    Ok(Ok(bytes))
}

/// What is on record of sessions that ended, once none is open any more.
async fn ended(north: &Bench, share: ShareId) -> Vec<SessionClosed> {
    loop {
        let about = north.about(share.uuid());
        let opened = about.iter();
        let opened = opened.filter(|event| matches!(event, Event::SessionOpened(_)));
        let opened = opened.count();
        let closed: Vec<_> = about
            .into_iter()
            .filter_map(|event| match event {
                Event::SessionClosed(closed) => Some(closed),
                _ => None,
            })
            .collect();
        if closed.len() == opened {
            return closed;
        }
        tokio::task::yield_now().await;
    }
}

/// How many blobs a node keeps.
fn kept(at: &Bench) -> usize {
    let mut count = 0;
    let blobs = &at.node.parts().blobs;
    blobs.list(&mut |_| count += 1).unwrap();
    count
}

fn noise(length: usize) -> Vec<u8> {
    (0..length).map(|place| (place / 7 % 251) as u8).collect()
}

/// AE-020, AE-022, AE-024, AE-025, AE-026, AE-027, AE-029
#[tokio::test]
async fn every_named_recipient_lists_looks_at_parts_and_downloads_what_stays_at_its_owner() {
    let (north, south, _) = three().await;
    let bytes = noise(1_000_000);
    let (share, evidence) = shared(&north, &south, &bytes).await;
    for name in ["Kim", "robin"] {
        assert_eq!(list(&south, &user(name, INVESTIGATOR)).await, [share]);
        let shown = show(&south, name, share).await.unwrap();
        assert_eq!(shown.external.case.unwrap().number, "1/26");
        assert_eq!(shown.items.len(), 1);
        assert_eq!(shown.items[0].files[0].size, 1_000_000);
        let all = read(&south, name, get(share, evidence)).await.unwrap();
        assert!(all == Ok(bytes.clone()));
        for (from, to) in [
            (0, 1),
            (16_384, 16_385),
            (70_000, 400_001),
            (999_999, 1_000_000),
        ] {
            let part = Get {
                from,
                to: Some(to),
                download: false,
                ..get(share, evidence)
            };
            let part = read(&south, name, part).await.unwrap();
            assert!(part == Ok(bytes[from as usize..to as usize].to_vec()));
        }
    }
    let closed = ended(&north, share).await;
    assert_eq!(closed.len(), 12, "each look is one session");
    assert!(closed.iter().all(|end| end.reason == SessionEnd::Closed));
    let sent: u64 = closed.iter().map(|end| end.bytes).sum();
    assert!(sent > 2_600_000 && sent < 3_600_000, "{sent}");
    assert!(south.shown(share).case.is_none(), "there is no case of it");
    assert_eq!(kept(&south), 0, "nothing of it is kept");
    assert_eq!(north.shown(share).status, Stands::Active);
}

/// AE-021
#[tokio::test]
async fn who_is_not_named_is_refused_at_home_and_the_owner_is_not_asked() {
    let (north, south, _) = three().await;
    let (share, evidence) = shared(&north, &south, b"one").await;
    assert!(list(&south, &user("Alex", INVESTIGATOR)).await.is_empty());
    let refused = show(&south, "Alex", share).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Forbidden, "{refused}");
    let refused = read(&south, "Alex", get(share, evidence))
        .await
        .unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Forbidden, "{refused}");
    // An administrator sees that there is such a share, and reads nothing either.
    let administrator = user("Alex", ADMINISTRATOR);
    assert_eq!(list(&south, &administrator).await, [share]);
    let show = Show {
        share,
        after: None,
        limit: None,
    };
    let stub = show.run(&south.node, &administrator).await.unwrap();
    assert!(!stub.external.addressed && stub.items.is_empty());
    let about = north.about(share.uuid());
    let asked = |event: &Event| matches!(event, Event::SessionOpened(_) | Event::Refused(_));
    assert!(!about.iter().any(asked), "the owner was not asked");
}

fn opening(share: ShareId, name: &str) -> v1::OpenRequest {
    wire::open(&wire::Open {
        share,
        actor: Named {
            id: ActorId::new(Uuid::from_u128(5)),
            name: name.into(),
            badge: String::new(),
        },
        recipient: name.into(),
        download: false,
    })
}

fn client(by: &Bench, at: &Bench) -> ConnectionClient<Channel> {
    ConnectionClient::new(by.node.parts().transport.channel(at.id()))
}

fn reason(status: &Status) -> Option<Refusal> {
    refusal::read(v1::Refusal::decode(status.details()).ok()?)
}

fn listing(session: &bytes::Bytes) -> v1::ListRequest {
    v1::ListRequest {
        session: session.clone(),
        after: bytes::Bytes::new(),
        most: 0,
    }
}

/// AE-021, AE-023, AE-031
#[tokio::test]
async fn a_partner_that_lies_about_who_reads_or_guesses_gets_what_a_stranger_gets() {
    let (north, south, harbour) = three().await;
    let (share, evidence) = shared(&north, &south, b"one").await;
    let mut liar = client(&south, &north);
    for name in ["Mallory", "", " ", "Kim, Robin"] {
        let refused = liar.open(opening(share, name)).await.unwrap_err();
        assert_eq!(reason(&refused), Some(Refusal::NotShared), "{name}");
    }
    let nowhere = ShareId::new(Uuid::from_u128(1));
    let refused = liar.open(opening(nowhere, "Kim")).await.unwrap_err();
    assert_eq!(reason(&refused), Some(Refusal::NotShared));
    let mut other = client(&harbour, &north);
    let refused = other.open(opening(share, "Kim")).await.unwrap_err();
    assert_eq!(reason(&refused), Some(Refusal::NotShared));

    let opened = liar.open(opening(share, "Kim")).await.unwrap();
    let session = opened.into_inner().session;
    assert_eq!(session.len(), 16);
    liar.list(listing(&session)).await.unwrap();
    // Another partner's session is none, and can't be closed.
    let refused = other.list(listing(&session)).await.unwrap_err();
    assert_eq!(reason(&refused), Some(Refusal::NotShared));
    let close = v1::CloseRequest {
        session: session.clone(),
    };
    other.close(close).await.unwrap();
    let view = |file| v1::ViewRequest {
        session: session.clone(),
        evidence: evidence.as_bytes().to_vec().into(),
        file,
        from: 0,
        to: 0,
    };
    assert!(other.view(view(0)).await.is_err());
    assert!(liar.view(view(0)).await.is_ok());
    let refused = liar.view(view(1)).await.unwrap_err();
    assert_eq!(reason(&refused), Some(Refusal::NotShared));
    let recorded = north.about(share.uuid()).into_iter();
    let refused = recorded.filter(|event| matches!(event, Event::Refused(_)));
    assert!(refused.count() > 0, "it is on record");
}

/// AE-028
#[tokio::test]
async fn what_was_not_selected_is_neither_listed_nor_read() {
    let (north, south, _) = three().await;
    north.case("1/26").await;
    let chosen = north.evidence("1/26", "a.bin", b"one").await.id;
    let other = north.evidence("1/26", "b.bin", b"two").await.id;
    let request = reference("1/26", &[chosen], &["Kim"]);
    let share = only(north.change(request).await.unwrap()).id;
    settle(&north, &south, share).await;
    let shown = show(&south, "Kim", share).await.unwrap();
    let listed: Vec<_> = shown.items.iter().map(|item| item.evidence).collect();
    assert_eq!(listed, [chosen]);
    assert!(
        read(&south, "Kim", get(share, chosen))
            .await
            .unwrap()
            .is_ok()
    );
    assert!(read(&south, "Kim", get(share, other)).await.is_err());
    // A liar that knows its id is not given it either.
    let mut liar = client(&south, &north);
    let opened = liar.open(opening(share, "Kim")).await.unwrap();
    let view = v1::ViewRequest {
        session: opened.into_inner().session,
        evidence: other.as_bytes().to_vec().into(),
        file: 0,
        from: 0,
        to: 0,
    };
    let refused = liar.view(view).await.unwrap_err();
    assert_eq!(reason(&refused), Some(Refusal::NotShared));
    let withdraw = share::Withdraw {
        share,
        evidence: vec![chosen],
    };
    north.change(withdraw).await.unwrap();
    assert!(show(&south, "Kim", share).await.unwrap().items.is_empty());
    assert!(read(&south, "Kim", get(share, chosen)).await.is_err());
}

/// AE-033, AE-034, AO-32
#[tokio::test]
async fn what_changes_at_the_owner_is_seen_at_once() {
    let (north, south, _) = three().await;
    let (share, first) = shared(&north, &south, b"one").await;
    let second = north.evidence("1/26", "b.bin", b"two").await.id;
    let edit = case::Edit {
        case: "1/26".into(),
        number: None,
        title: Some("Another title".into()),
        description: None,
    };
    north.change(edit).await.unwrap();
    let edit = evidence::Edit {
        evidence: first,
        title: Some("Statement".into()),
        folder: None,
        case: None,
        fields: Default::default(),
    };
    north.change(edit).await.unwrap();
    let shown = show(&south, "Kim", share).await.unwrap();
    assert_eq!(shown.external.case.unwrap().title, "Another title");
    assert_eq!(shown.items[0].title, "Statement");
    assert_eq!(shown.items[1].evidence, second);
    let bytes = read(&south, "Kim", get(share, second)).await.unwrap();
    assert_eq!(bytes.as_deref(), Ok(&b"two"[..]));
}

#[tokio::test]
async fn a_large_case_is_read_in_pages_that_cover_each_item_once() {
    let (north, south, _) = three().await;
    let (share, first) = shared(&north, &south, b"one").await;
    let mut all = vec![first];
    for number in 0..2 * limits::LIST_ITEMS_MAX {
        all.push(north.evidence("1/26", "x", &number.to_be_bytes()).await.id);
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = Show {
            share,
            after: after.take(),
            limit: Some(300),
        };
        let page = page.run(&south.node, &user("Kim", AUDITOR)).await;
        let page = page.unwrap();
        assert!(page.items.len() <= 300);
        seen.extend(page.items.iter().map(|item| item.evidence));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, all);
}

/// More than all windows and buffers between two nodes hold.
const SIZE: usize = 64 << 20;

/// Reads a little of a large file, has north decide something, and gives what came in all.
async fn stopped<A: crate::actions::Change>(
    action: impl FnOnce(ShareId) -> A,
) -> (Bench, Bench, ShareId, EvidenceId, u64) {
    let (north, south, _) = three().await;
    let (share, evidence) = shared(&north, &south, &vec![3; SIZE]).await;
    let caller = user("Kim", INVESTIGATOR);
    let opened = south
        .node
        .open_external(&caller, get(share, evidence))
        .await;
    let mut opened = opened.unwrap();
    opened.bytes.recv().await.unwrap().unwrap();
    north.change(action(share)).await.unwrap();
    let mut bytes = 0;
    loop {
        match opened.bytes.recv().await {
            Some(Ok(piece)) => bytes += piece.len() as u64,
            Some(Err(_)) => break,
            None => panic!("the file was completed"),
        }
    }
    assert!(bytes < SIZE as u64 / 2, "{bytes}");
    (north, south, share, evidence, bytes)
}

/// AO-23
#[tokio::test]
async fn nothing_of_one_reference_is_carried_over_to_the_next() {
    let (north, south, _) = three().await;
    let (share, evidence) = shared(&north, &south, b"one").await;
    assert!(read(&south, "Kim", get(share, evidence)).await.is_ok());
    let nobody = north.change(reference("1/26", &[], &[])).await;
    assert_eq!(nobody.unwrap_err().kind, ErrorKind::Invalid);
    let robin = reference("1/26", &[], &["Robin"]);
    let next = only(north.change(robin).await.unwrap()).id;
    while north.deliver(&south, next).await == Some(Ok(())) {}
    let refused = read(&south, "Kim", get(next, evidence)).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Forbidden, "{refused}");
}

/// AE-032, AE-035
#[tokio::test]
async fn a_revocation_stops_what_is_being_read_and_the_session_ends_with_its_bytes_on_record() {
    let (north, south, share, evidence, bytes) = stopped(|share| share::Revoke { share }).await;
    let closed = ended(&north, share).await;
    let [end] = closed.as_slice() else {
        panic!("{closed:?}");
    };
    assert_eq!((end.reason, end.ranges), (SessionEnd::Stopped, 1));
    assert!(end.bytes >= bytes && end.bytes < SIZE as u64, "{end:?}");
    // The partner does not know of it yet: the owner refuses all the same.
    let refused = read(&south, "Kim", get(share, evidence)).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Conflict, "{refused}");
    let mut liar = client(&south, &north);
    let refused = liar.open(opening(share, "Kim")).await.unwrap_err();
    assert_eq!(reason(&refused), Some(Refusal::NotShared));
}

/// AE-021, AE-030, AE-032
#[tokio::test]
async fn who_is_not_a_recipient_any_more_reads_no_further() {
    let recipients = |share| share::Recipients {
        share,
        recipients: names(&["Robin"]),
    };
    let (north, south, share, evidence, _) = stopped(recipients).await;
    let closed = ended(&north, share).await;
    assert_eq!(closed[0].reason, SessionEnd::Stopped);
    let refused = read(&south, "Kim", get(share, evidence)).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Conflict, "{refused}");
    while north.deliver(&south, share).await == Some(Ok(())) {}
    let refused = read(&south, "Kim", get(share, evidence)).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Forbidden, "{refused}");
    assert!(show(&south, "Robin", share).await.is_ok());
}

#[tokio::test]
async fn a_suspended_share_is_not_read_until_it_is_resumed() {
    let (north, south, share, evidence, _) = stopped(|share| share::Suspend { share }).await;
    assert!(read(&south, "Kim", get(share, evidence)).await.is_err());
    north.change(share::Resume { share }).await.unwrap();
    assert!(show(&south, "Kim", share).await.is_ok());
}

/// fault B10
#[tokio::test]
async fn who_is_reading_reads_no_further_once_the_clock_is_suspected() {
    let (north, south, _) = three().await;
    let (share, evidence) = shared(&north, &south, &vec![3; SIZE]).await;
    let caller = user("Kim", INVESTIGATOR);
    let opened = south
        .node
        .open_external(&caller, get(share, evidence))
        .await;
    let mut opened = opened.unwrap();
    opened.bytes.recv().await.unwrap().unwrap();
    let expected = crate::tests::bench::noon();
    let suspected = ClockSuspected {
        says: expected - TimeDelta::days(1),
        expected,
    };
    jobs::suspect(&north.node, suspected).await.unwrap();
    loop {
        match opened.bytes.recv().await {
            Some(Ok(_)) => {}
            Some(Err(_)) => break,
            None => panic!("the file was completed"),
        }
    }
    assert_eq!(ended(&north, share).await[0].reason, SessionEnd::Stopped);
}

/// AE-036, AE-037
#[tokio::test]
async fn a_reference_stops_when_its_days_have_passed_also_for_who_is_reading() {
    let (north, south, _) = three().await;
    let (share, evidence) = shared(&north, &south, &vec![3; SIZE]).await;
    let until = north.shown(share).expires_at.unwrap();
    assert!(until - crate::tests::bench::noon() < TimeDelta::hours(25));
    let caller = user("Kim", INVESTIGATOR);
    let opened = south
        .node
        .open_external(&caller, get(share, evidence))
        .await;
    let mut opened = opened.unwrap();
    opened.bytes.recv().await.unwrap().unwrap();
    // Nothing was decided: it is the time alone.
    north.later(TimeDelta::hours(24));
    loop {
        match opened.bytes.recv().await {
            Some(Ok(_)) => {}
            Some(Err(_)) => break,
            None => panic!("the file was completed"),
        }
    }
    assert_eq!(ended(&north, share).await[0].reason, SessionEnd::Stopped);
    let refused = read(&south, "Kim", get(share, evidence)).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Conflict, "{refused}");
    south.later(TimeDelta::hours(24));
    let refused = read(&south, "Kim", get(share, evidence)).await.unwrap_err();
    assert!(refused.message.contains("time"), "{refused}");
    let listed = show(&south, "Kim", share).await.unwrap();
    assert_eq!(listed.external.status, Stands::Expired);
}
