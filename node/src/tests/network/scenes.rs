//! Scenes: people do what is written here, and the network is whole.

use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use interdocket_proto::v1;
use interdocket_proto::v1::transfer_client::TransferClient;
use interdocket_sync::id::ShareId;
use interdocket_sync::limits;
use interdocket_sync::share::{Key, State};

use super::people::People;
use super::plan::Plan;
use super::play;
use crate::actions::evidence::Upload;
use crate::actions::{case, share};
use crate::disk::Dice;
use crate::store::table;
use crate::tests::bench::{only, to};

fn quiet() -> Plan {
    Plan {
        nodes: 3,
        hidden: None,
        latency: Duration::from_millis(20),
        skews: vec![0; 3],
        faults: Vec::new(),
        pause: Duration::from_secs(1),
        busy: Duration::from_secs(40),
    }
}

/// fault C8
#[test]
fn a_partner_that_never_reads_delays_nobody() {
    let run = play(8, quiet(), Dice::new(8), Some(never_reads));
    assert_eq!(run.failure, None, "{}", run.log);
    let line = |what: &str| run.log.lines().find(|line| line.contains(what));
    let at = |what: &str| -> f64 {
        let line = line(what).unwrap_or_else(|| panic!("never: {what}\n{}", run.log));
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    let took = at("all of it is at south") - at("shares with south");
    assert!(at("harbour does not read") < at("shares with south"));
    assert!(took < 5.0, "{took}");
}

/// North shares with harbour, which asks for everything as often as it can and reads nothing, and then with
/// south.
fn never_reads(people: People) -> LocalBoxFuture<'static, ()> {
    async move {
        match people.site().name {
            "north" => north(&people).await,
            "harbour" => harbour(&people).await,
            _ => {}
        }
    }
    .boxed_local()
}

const CASE: &str = "1/26";

async fn north(people: &People) {
    people.sleep(5000).await;
    let create = case::Create {
        number: CASE.into(),
        title: "A case".into(),
        description: String::new(),
        targets: Vec::new(),
    };
    people.change(create).await.unwrap();
    for number in 0..12_u8 {
        let request = Upload {
            case: CASE.into(),
            name: format!("{number}.bin"),
            folder: String::new(),
            title: None,
        };
        let (body, arriving) = tokio::sync::mpsc::channel(1);
        body.try_send(Ok(vec![number; 600_000].into())).unwrap();
        drop(body);
        let owner = people.node.owner();
        let added = people.node.upload_evidence(&owner, request, arriving);
        added.await.unwrap();
    }
    copy(people, "harbour").await;
    people.sleep(15_000).await;
    let share = copy(people, "south").await;
    while standing(people, share) != Some(true) {
        people.sleep(10).await;
    }
    let name = people.site().name;
    people
        .world
        .log
        .note(name, format_args!("all of it is at south"));
}

async fn copy(people: &People, partner: &str) -> ShareId {
    let copy = share::Copy {
        case: CASE.into(),
        to: vec![to(partner, &[])],
        evidence: Vec::new(),
        folders: Vec::new(),
        targets: None,
        message: String::new(),
        attachments: None,
    };
    let share = only(people.change(copy).await.unwrap()).id;
    let name = people.site().name;
    people
        .world
        .log
        .note(name, format_args!("shares with {partner}"));
    share
}

/// Whether all that is listed is stated as stored; none before it was accepted.
fn standing(people: &People, share: ShareId) -> Option<bool> {
    let reading = people.node.parts().store.read();
    let header = reading.view().get(&table::SHARE, &share).unwrap()?.header;
    let whole = header.listed == header.stored && header.listed.evidence > 0;
    (header.state != State::Offered).then_some(whole && !header.open)
}

async fn harbour(people: &People) {
    let (share, files) = loop {
        people.sleep(10).await;
        let reading = people.node.parts().store.read();
        let shares = reading.view().page(&table::SHARE, &(), None, 1).unwrap();
        let Some((share, _)) = shares.first() else {
            continue;
        };
        let facts = reading
            .view()
            .page(&table::FACT, share, None, 1000)
            .unwrap();
        let files: Vec<_> = facts
            .iter()
            .filter_map(|((_, key), _)| match key {
                Key::Blob(digest) => Some(*digest),
                _ => None,
            })
            .collect();
        if files.len() == 12 {
            break (*share, files);
        }
    };
    let north = people.world.sites[0].id;
    let channel = people.node.parts().transport.channel(north);
    let mut streams = Vec::new();
    for _ in 0..limits::READS_MAX * 2 {
        let range = |digest: &interdocket_sync::blob::Digest| v1::FileRange {
            digest: Bytes::copy_from_slice(&digest.0),
            from: 0,
            doubted: false,
        };
        let request = v1::ReadRequest {
            share: Bytes::copy_from_slice(share.as_bytes()),
            files: files.iter().map(range).collect(),
        };
        let mut client = TransferClient::new(channel.clone());
        let call = async move { client.read(request).await };
        let asked = tokio::time::timeout(Duration::from_millis(300), call).await;
        streams.push(asked);
    }
    let (log, held) = (
        &people.world.log,
        streams.iter().flatten().flatten().count(),
    );
    log.note(
        "harbour",
        format_args!("harbour does not read {held} streams"),
    );
    people.sleep(3_600_000).await;
    drop(streams);
}
