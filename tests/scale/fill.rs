//! Makes a node of a size, and what it shares with.

use std::collections::BTreeSet;
use std::path::Path;

use interdocket_node::access::INVESTIGATOR;
use interdocket_node::actions::decide::Decided;
use interdocket_node::actions::partner::{self, Kind, OrganisationRole};
use interdocket_node::actions::{Way, user};
use interdocket_node::blobs::Place;
use interdocket_node::event::{
    AccessChanged, AddedFile, Bytes, CaseMade, Event, EvidenceAdded, PartnerMet, StoredBlob,
};
use interdocket_node::node::Node;
use interdocket_node::run::{self, Init};
use interdocket_node::{features, keys::Keys};
use interdocket_sync::blob::{Digest, Sha256};
use interdocket_sync::evidence::FileKind;
use interdocket_sync::id::{CaseId, EvidenceId};
use uuid::Uuid;

use crate::{Failed, LARGE, PARTNER, REACHED, SOMEBODY, on};

/// Items of every case but the large one.
const ITEMS: usize = 9;
/// Cases, with their items, or items of the large case that are recorded at once.
const CASES_AT_ONCE: usize = 100;
const ITEMS_AT_ONCE: usize = 1000;
/// Different files that evidence has.
const FILES: u8 = 16;
/// The size that each is said to have.
const SIZE: u64 = 1 << 20;

/// Makes a node with so many cases.
pub(crate) fn fill(data: &Path, size: usize) -> Result<(), Failed> {
    let init = init(data, "north")?;
    run::init(&init)?;
    let other = tempfile::tempdir()?;
    let other = other.path().join("node");
    run::init(&self::init(&other, PARTNER)?)?;
    let partner = Keys::open(&other.join("keys"), chrono::Utc::now())?;
    on(data, async |node| {
        meet(&node, &partner).await?;
        files(&node).await?;
        let add = user::Add {
            name: SOMEBODY.into(),
            role: INVESTIGATOR.into(),
            email: String::new(),
            badge: String::new(),
        };
        let somebody = node.change(&node.owner(), add).await?.id;
        large(&node, size).await?;
        let small: Vec<usize> = (1..size).collect();
        for numbers in small.chunks(CASES_AT_ONCE) {
            cases(&node, numbers.to_vec(), somebody).await?;
        }
        Ok(())
    })
}

fn init(data: &Path, name: &str) -> Result<Init, Failed> {
    let any = "127.0.0.1:0".parse()?;
    Ok(Init {
        data: data.to_owned(),
        name: name.to_owned(),
        role: OrganisationRole::Investigation,
        federation: any,
        pairing: any,
        api: any,
        metrics: None,
        advertise: None,
        allow_private: true,
    })
}

/// Records events that are made in the writer's turn, where ids are.
async fn record(
    node: &Node,
    events: impl FnOnce(&mut dyn FnMut() -> Uuid) -> Vec<Event> + Send + 'static,
) -> Result<(), Failed> {
    let decided = node.decide(None, Way::Timer, |context| {
        let events = events(&mut || context.id());
        Ok(Decided::new(events, |_| Ok(())))
    });
    Ok(decided.await?)
}

/// Trusts the partner, as if paired.
async fn meet(node: &Node, partner: &Keys) -> Result<(), Failed> {
    let met = PartnerMet {
        organisation: partner.organisation(),
        name: PARTNER.into(),
        role: OrganisationRole::Investigation,
        root: Bytes(partner.root_der().to_vec()),
        address: None,
        words: Vec::new(),
    };
    let events = vec![Event::FeaturesSet(features::all()), Event::PartnerMet(met)];
    record(node, |_| events).await?;
    let confirm = partner::Confirm {
        partner: PARTNER.into(),
    };
    node.change(&node.owner(), confirm).await?;
    let enable = partner::Enable {
        partner: PARTNER.into(),
        send: BTreeSet::from([Kind::Copy]),
        receive: BTreeSet::new(),
    };
    node.change(&node.owner(), enable).await?;
    Ok(())
}

async fn files(node: &Node) -> Result<(), Failed> {
    let stored = |file| StoredBlob {
        blake3: Digest([file; 32]),
        size: SIZE,
        place: Place::Own,
        sha256: Sha256([file; 32]),
        compared: true,
    };
    let stored = (0..FILES).map(stored).collect();
    record(node, |_| vec![Event::BlobsStored(stored)]).await
}

async fn large(node: &Node, size: usize) -> Result<(), Failed> {
    let (tell, told) = std::sync::mpsc::sync_channel(1);
    record(node, move |id| {
        let case = CaseId::new(id());
        // Who waits for it does so until this is durable.
        let _ = tell.send(case);
        vec![made(case, LARGE.into())]
    })
    .await?;
    let case = told.recv()?;
    let places: Vec<usize> = (0..size).collect();
    for places in places.chunks(ITEMS_AT_ONCE) {
        let places = places.to_vec();
        record(node, move |id| {
            let item = |place: usize| added(EvidenceId::new(id()), case, place);
            places.into_iter().map(item).collect()
        })
        .await?;
    }
    Ok(())
}

async fn cases(node: &Node, numbers: Vec<usize>, somebody: Uuid) -> Result<(), Failed> {
    record(node, move |id| {
        let mut events = Vec::new();
        for number in numbers {
            let case = CaseId::new(id());
            events.push(made(case, format!("CASE-{number}")));
            let items = (0..ITEMS).map(|place| added(EvidenceId::new(id()), case, place));
            events.extend(items);
            if number <= REACHED {
                events.push(Event::AccessChanged(AccessChanged {
                    case,
                    added: vec![somebody],
                    removed: Vec::new(),
                }));
            }
        }
        events
    })
    .await
}

fn made(id: CaseId, number: String) -> Event {
    Event::CaseMade(CaseMade {
        id,
        number,
        title: "Burglary in Mill Lane".into(),
        description: "Entered by the back door during the night.".into(),
    })
}

fn added(id: EvidenceId, case: CaseId, place: usize) -> Event {
    let file = u8::try_from(place % usize::from(FILES)).unwrap_or_default();
    Event::EvidenceAdded(EvidenceAdded {
        id,
        case,
        title: format!("Recording {place}"),
        folder: format!("cameras/{file}"),
        file: AddedFile {
            name: format!("recording-{place}.mp4"),
            size: SIZE,
            blake3: Digest([file; 32]),
            sha256: Sha256([file; 32]),
            kind: FileKind::Original,
            format: "video/mp4".into(),
        },
    })
}
