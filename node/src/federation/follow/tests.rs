//! What is still to be brought of an advanced share, as its tables say.

use interdocket_sync::id::{ActorId, EvidenceId, ShareId};
use interdocket_sync::log::entry::Actor;
use interdocket_sync::share::Facts as _;
use zeroize::Zeroizing;

use super::{due, synchronised};
use crate::actions::partner::{self, Kind, OrganisationRole};
use crate::actions::share::{self, Mode};
use crate::actions::{Way, exchange};
use crate::event::subject;
use crate::federation::texts::Texts;
use crate::seal::Seal;
use crate::store::project::ShareFacts;
use crate::tests::bench::{Bench, only, to};

/// North shares one item, that was chosen, with harbour, a court: it is listed and an import is granted.
async fn granted() -> (Bench, Bench, ShareId, EvidenceId) {
    let north = Bench::new("north");
    let harbour = Bench::of("harbour", OrganisationRole::Justice);
    for (one, other) in [(&north, &harbour), (&harbour, &north)] {
        one.trust(other, None).await;
        let enable = partner::Enable {
            partner: other.name.into(),
            send: [Kind::Advanced].into(),
            receive: [Kind::Advanced].into(),
        };
        one.change(enable).await.unwrap();
    }
    let policy = partner::SetPolicy {
        partner: "harbour".into(),
        mode: Mode::Synchronised,
        download: true,
        import: true,
        onward: false,
    };
    north.change(policy).await.unwrap();
    north.case("1/26").await;
    let item = north.evidence("1/26", "a.bin", b"one").await.id;
    let shared = share::Advanced {
        case: "1/26".into(),
        to: vec![to("harbour", &["Kim"])],
        evidence: vec![item],
        folders: Vec::new(),
        units: Vec::new(),
        targets: None,
        message: String::new(),
    };
    let share = only(north.change(shared).await.unwrap()).id;
    exchanged(&north, &harbour, share).await;
    let court = harbour.id();
    let asked = Actor {
        id: ActorId::new(subject(court)),
        name: "harbour".into(),
        badge: String::new(),
    };
    let grant = north.node.decide(None, Way::Partner, move |context| {
        exchange::grant(context, court, share, asked, "")
    });
    grant.await.unwrap().unwrap();
    exchanged(&north, &harbour, share).await;
    (north, harbour, share, item)
}

async fn exchanged(north: &Bench, harbour: &Bench, share: ShareId) {
    while north.deliver(harbour, share).await.is_some() {}
    while harbour.deliver(north, share).await.is_some() {}
}

fn seal(share: ShareId) -> Seal {
    Seal::new(share.uuid(), Zeroizing::new([7; 32]))
}

/// How many items are still to be imported.
fn left(node: &Bench, share: ShareId) -> usize {
    let parts = node.node.parts();
    let reading = parts.store.read();
    let page = due(
        &parts.journal,
        &reading.view(),
        share,
        None,
        &[],
        &seal(share),
    );
    page.unwrap().items.len()
}

#[tokio::test]
async fn what_was_withdrawn_before_it_was_imported_is_not_waited_for() {
    let (north, harbour, share, item) = granted().await;
    assert_eq!(left(&harbour, share), 1);
    let evidence = vec![item];
    north
        .change(share::Withdraw { share, evidence })
        .await
        .unwrap();
    exchanged(&north, &harbour, share).await;
    assert_eq!(left(&harbour, share), 0);
}

#[tokio::test]
async fn what_was_imported_and_came_back_is_stated_as_stored_once_more() {
    let (north, harbour, share, item) = granted().await;
    let placed = vec![harbour.read(&north, share, harbour.files(share, item)[0])];
    let parts = harbour.node.parts();
    let (source, described) = {
        let reading = parts.store.read();
        let seal = seal(share);
        let header = crate::actions::decide::share(&reading.view(), share)
            .unwrap()
            .header;
        let mut texts = Texts::new(reading.view(), &parts.journal, share, Some(&seal));
        let source = exchange::Source {
            case: texts.offered().unwrap().unwrap().case,
            info: texts.case(&header).unwrap().unwrap(),
            recipients: Vec::new(),
        };
        let fact = ShareFacts::new(reading.view(), share).item(item).unwrap();
        (source, texts.item(item, &fact).unwrap().unwrap())
    };
    let imported = harbour.node.decide(None, Way::Partner, move |context| {
        exchange::import(context, share, &source, vec![described], &placed)
    });
    imported.await.unwrap();
    let ended = harbour.node.decide(None, Way::Timer, move |context| {
        exchange::ended(context, share, u64::MAX, None)
    });
    ended.await.unwrap();
    let evidence = vec![item];
    let change = share::Withdraw {
        share,
        evidence: evidence.clone(),
    };
    north.change(change).await.unwrap();
    exchanged(&north, &harbour, share).await;
    north.change(share::Add { share, evidence }).await.unwrap();
    exchanged(&north, &harbour, share).await;
    let ended = harbour.node.decide(None, Way::Timer, move |context| {
        exchange::ended(context, share, u64::MAX, None)
    });
    ended.await.unwrap();
    assert_eq!(left(&harbour, share), 0, "it is its own already");
    assert_eq!(harbour.wanted(share), [item]);
    let reading = parts.store.read();
    assert!(synchronised(&reading.view(), share).unwrap());
}
