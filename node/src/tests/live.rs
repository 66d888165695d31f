//! Shares that live, between whole nodes over real connections: what is shared follows the case, is sealed
//! at the partner, and ends when it is told to.

mod damaged;
mod features;
mod included;
mod incoming;
mod lease;
mod own;
mod people;
mod recover;
mod retention;
mod sets;
mod support;
mod targets;

use interdocket_sync::id::{EvidenceId, ShareId};

use crate::access::INVESTIGATOR;
use crate::actions::partner::OrganisationRole;
use crate::actions::share::{self, Mode, RevocationState, Status};
use crate::actions::{self, Run as _, case, evidence, external};
use crate::event::Event;
use crate::federation::texts::Texts;
use crate::store::table;
use crate::tests::bench::{Bench, holds, only, to};

use self::support::{Live, advanced, evidence_of, meet, sealed, status, title, until};

/// AO-02, AO-03, AO-10, AO-11, AO-16, AO-34, AS-015, AS-025, AS-073
#[tokio::test(flavor = "multi_thread")]
async fn what_is_added_to_the_case_arrives_sealed_by_itself() {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    let live = Live::new();
    live.pair(&north, &south, Mode::Synchronised, true).await;
    north.case("1/26").await;
    let first = north
        .evidence("1/26", "canary-one.bin", &[1; 300_000])
        .await;
    let share = advanced(&north, &south, "1/26").await.id;
    until("the first item is sealed", || {
        status(&north, share) == Some(Status::Active)
    })
    .await;
    assert_eq!(sealed(&south, share), 1);
    let second = north.evidence("1/26", "canary-two.bin", b"two").await;
    until("the second item follows", || {
        sealed(&south, share) == 2 && status(&north, share) == Some(Status::Active)
    })
    .await;
    assert_eq!(
        title(&south, share, first.id).as_deref(),
        Some("canary-one.bin")
    );
    assert_eq!(
        title(&south, share, second.id).as_deref(),
        Some("canary-two.bin")
    );
    live.end().await;
    let reading = south.node.parts().store.read();
    let wanted = reading.view().has(&table::FETCH, &(north.id(), share));
    assert!(!wanted.unwrap(), "all of it is here");
    drop(reading);
    south.rebuilds().await;
    for (key, value) in south.tables() {
        let holds = |bytes: &[u8]| bytes.windows(6).any(|window| window == b"canary");
        assert!(!holds(&key) && !holds(&value), "a text in the tables");
    }
}

/// AS-016, AO-25, AO-35
#[tokio::test(flavor = "multi_thread")]
async fn changes_follow_and_what_leaves_the_folder_is_withdrawn() {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    let live = Live::new();
    live.pair(&north, &south, Mode::Synchronised, true).await;
    north.case("1/26").await;
    let item = north.evidence("1/26", "a.bin", b"one").await.id;
    let other = north.evidence("1/26", "b.bin", b"two").await.id;
    let folder = |evidence, folder: &str| evidence::Edit {
        evidence,
        title: None,
        folder: Some(folder.into()),
        case: None,
        fields: Default::default(),
    };
    north.change(folder(item, "scene/photos")).await.unwrap();
    let shared = share::Advanced {
        case: "1/26".into(),
        to: vec![to("south", &["Sol Reyes"])],
        evidence: Vec::new(),
        folders: vec!["scene".into()],
        targets: None,
        units: Vec::new(),
        message: String::new(),
    };
    let share = only(north.change(shared).await.unwrap()).id;
    until("the folder is sealed", || {
        status(&north, share) == Some(Status::Active)
    })
    .await;
    assert_eq!(
        north.shown(share).listed.evidence,
        1,
        "only what is in the folder"
    );
    let edit = evidence::Edit {
        evidence: item,
        title: Some("A better title".into()),
        folder: None,
        case: None,
        fields: Default::default(),
    };
    north.change(edit).await.unwrap();
    until("the title follows", || {
        title(&south, share, item).as_deref() == Some("A better title")
    })
    .await;
    north.change(folder(other, "scene")).await.unwrap();
    until("what is put into the folder follows", || {
        sealed(&south, share) == 2 && south.shown(share).listed.evidence == 2
    })
    .await;
    north.change(folder(item, "elsewhere")).await.unwrap();
    until("what leaves it is withdrawn and erased", || {
        sealed(&south, share) == 1 && south.shown(share).listed.evidence == 1
    })
    .await;
    live.end().await;
    south.rebuilds().await;
    north.rebuilds().await;
}

/// AS-074, AS-075, AS-079, AS-080, OE-02
#[tokio::test(flavor = "multi_thread")]
async fn the_case_is_described_anew_at_the_partner() {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    let live = Live::new();
    live.pair(&north, &south, Mode::Live, true).await;
    north.case("1/26").await;
    let share = advanced(&north, &south, "1/26").await.id;
    until("it is there", || south.holds(share)).await;
    let edit = case::Edit {
        case: "1/26".into(),
        number: Some("1/27".into()),
        title: Some("Harbour fire".into()),
        description: None,
    };
    north.change(edit).await.unwrap();
    until("the case follows", || {
        let reading = south.node.parts().store.read();
        let header = actions::decide::share(&reading.view(), share)
            .unwrap()
            .header;
        let seal = south.node.seal(share);
        let journal = &south.node.parts().journal;
        let mut texts = Texts::new(reading.view(), journal, share, seal.as_ref());
        let info = texts.case(&header).unwrap();
        info.is_some_and(|info| info.title == "Harbour fire" && info.number == "1/27")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_without_evidence_is_shared_and_followed() {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    let live = Live::new();
    live.pair(&north, &south, Mode::Synchronised, true).await;
    north.case("1/26").await;
    let share = advanced(&north, &south, "1/26").await.id;
    for node in [&north, &south] {
        until("it is known that there is nothing yet", || {
            status(node, share) == Some(Status::Active)
        })
        .await;
    }
    north.evidence("1/26", "a.bin", b"one").await;
    until("what is added follows", || sealed(&south, share) == 1).await;
    live.end().await;
}

/// AS-045
#[tokio::test(flavor = "multi_thread")]
async fn a_share_is_made_at_once_and_delivered_later_also_after_a_restart() {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    let live = Live::new();
    live.pair(&north, &south, Mode::Synchronised, true).await;
    live.end().await;
    north.case("1/26").await;
    north.evidence("1/26", "a.bin", b"one").await;
    let made = advanced(&north, &south, "1/26").await;
    assert_eq!(made.status, Status::Processing);
    assert!(!south.holds(made.id));
    let north = north.crash(1);
    let live = Live::new();
    meet(&north, &south, &live).await;
    until("it is delivered", || {
        status(&north, made.id) == Some(Status::Active) && sealed(&south, made.id) == 1
    })
    .await;
    live.end().await;
}

/// Somebody at the partner whom the share is for.
fn sol() -> actions::Actor {
    actions::Actor {
        id: uuid::Uuid::from_u128(7),
        name: "Sol Reyes".into(),
        badge: String::new(),
    }
}

/// Asks for an import.
async fn import(
    at: &Bench,
    share: ShareId,
    evidence: Vec<EvidenceId>,
) -> Result<(), actions::Error> {
    let asked = at
        .node
        .decide(Some(sol()), actions::Way::Token, move |context| {
            actions::exchange::ask(context, share, sol().name, evidence)
        });
    asked.await
}

/// What Sol sees of a share.
async fn seen(at: &Bench, share: ShareId) -> external::Shown {
    let show = external::Show {
        share,
        after: None,
        limit: None,
    };
    let caller = actions::Caller {
        actor: sol(),
        permissions: holds(INVESTIGATOR),
        way: actions::Way::Token,
        session: None,
        progress: actions::Progress::default(),
    };
    show.run(&at.node, &caller).await.unwrap()
}

/// How many items wait to be imported, and whether the case is described anew.
async fn reviewed(at: &Bench, share: ShareId) -> (u64, bool) {
    let updates = seen(at, share).await.updates.unwrap();
    (updates.evidence, updates.case)
}

/// AS-072, AS-075, AS-083, AS-087, AS-097
#[tokio::test(flavor = "multi_thread")]
async fn what_changed_since_an_import_is_taken_over_as_somebody_chooses() {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    let live = Live::new();
    live.pair(&north, &south, Mode::Live, true).await;
    north.case("1/26").await;
    north.evidence("1/26", "a.bin", b"one").await;
    let share = advanced(&north, &south, "1/26").await.id;
    until("it is listed", || {
        status(&south, share) == Some(Status::Active)
    })
    .await;
    import(&south, share, Vec::new()).await.unwrap();
    let own = |count| evidence_of(&south, "1/26").len() == count;
    until("it is imported", || own(1)).await;
    let title = || {
        let reading = south.node.parts().store.read();
        let (_, case) = actions::decide::case(&reading.view(), "1/26").unwrap();
        case.title
    };
    let edit = case::Edit {
        case: "1/26".into(),
        number: None,
        title: Some("Arson at the quay".into()),
        description: None,
    };
    north.change(edit).await.unwrap();
    let second = north.evidence("1/26", "b.bin", b"two").await.id;
    north.evidence("1/26", "c.bin", b"three").await;
    until("the changes are known", || {
        south.shown(share).listed.evidence == 3 && status(&north, share) == Some(Status::Active)
    })
    .await;
    assert_eq!(title(), "A case", "nothing changes by itself");
    assert_eq!(reviewed(&south, share).await, (2, true));
    let unknown = EvidenceId::new(share.uuid());
    let missing = import(&south, share, vec![unknown]).await.unwrap_err();
    assert_eq!(missing.kind, actions::ErrorKind::NotFound);
    import(&south, share, vec![second]).await.unwrap();
    until("the chosen item is imported", || own(2)).await;
    assert_eq!(reviewed(&south, share).await, (1, true));
    assert_eq!(title(), "A case", "the case was not chosen");
    import(&south, share, Vec::new()).await.unwrap();
    until("the rest is taken over", || {
        title() == "Arson at the quay" && own(3)
    })
    .await;
    assert_eq!(reviewed(&south, share).await, (0, false));
    live.end().await;
    let case = south.shown(share).case.unwrap();
    let by = south.about(case.uuid()).into_iter();
    let updates = by.filter(|event| matches!(event, Event::CaseUpdated(_)));
    assert_eq!(updates.count(), 1);
}

/// AO-42, AS-002
#[tokio::test(flavor = "multi_thread")]
async fn revocation_erases_what_was_sealed_and_says_so() {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    let live = Live::new();
    live.pair(&north, &south, Mode::Synchronised, true).await;
    north.case("1/26").await;
    let item = north.evidence("1/26", "a.bin", &[1; 300_000]).await.id;
    let share = advanced(&north, &south, "1/26").await.id;
    until("it is sealed", || {
        status(&north, share) == Some(Status::Active)
    })
    .await;
    assert!(title(&south, share, item).is_some());
    north.change(share::Revoke { share }).await.unwrap();
    assert_eq!(status(&north, share), Some(Status::Revoked));
    until("it is purged", || {
        let known = north
            .shown(share)
            .revocation
            .map(|revocation| revocation.state);
        known == Some(RevocationState::Purged)
    })
    .await;
    assert_eq!(sealed(&south, share), 0);
    assert!(south.node.seal(share).is_none());
    assert_eq!(title(&south, share, item), None);
    assert_eq!(status(&south, share), Some(Status::Revoked));
    live.end().await;
    south.rebuilds().await;
    north.rebuilds().await;
}

/// AO-08, AO-14, AO-17, AO-18, AO-29, AO-43
#[tokio::test(flavor = "multi_thread")]
async fn a_justice_node_imports_by_itself_and_keeps_it_after_revocation() {
    let (north, court) = (
        Bench::new("north"),
        Bench::of("court", OrganisationRole::Justice),
    );
    let live = Live::new();
    live.pair(&north, &court, Mode::Synchronised, true).await;
    north.case("1/26").await;
    north.evidence("1/26", "a.bin", &[1; 300_000]).await;
    let share = advanced(&north, &court, "1/26").await.id;
    until("it is imported", || evidence_of(&court, "1/26").len() == 1).await;
    north.evidence("1/26", "b.bin", b"two").await;
    until("what is added is imported as well", || {
        evidence_of(&court, "1/26").len() == 2
    })
    .await;
    until("and that is known", || {
        north.shown(share).imported.evidence == 2
    })
    .await;
    north.change(share::Revoke { share }).await.unwrap();
    until("it is purged", || {
        let known = north
            .shown(share)
            .revocation
            .map(|revocation| revocation.state);
        known == Some(RevocationState::Purged)
    })
    .await;
    let kept = evidence_of(&court, "1/26");
    assert_eq!(kept.len(), 2);
    let request = evidence::Get {
        evidence: kept[0].id,
        file: 0,
        original: false,
        purpose: Default::default(),
        confidential: false,
    };
    let owner = court.node.owner();
    court.node.open_evidence(&owner, request).await.unwrap();
    live.end().await;
    court.rebuilds().await;
}

/// AS-059, AS-069, AO-50
#[tokio::test(flavor = "multi_thread")]
async fn an_import_by_hand_is_granted_by_the_owner_and_outlives_revocation() {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    let live = Live::new();
    live.pair(&north, &south, Mode::Live, true).await;
    north.case("1/26").await;
    north.evidence("1/26", "a.bin", &[1; 300_000]).await;
    let share = advanced(&north, &south, "1/26").await.id;
    until("it is listed", || {
        status(&south, share) == Some(Status::Active)
    })
    .await;
    assert!(evidence_of(&south, "1/26").is_empty(), "nothing by itself");
    import(&south, share, Vec::new()).await.unwrap();
    until("it is imported", || evidence_of(&south, "1/26").len() == 1).await;
    until("and that is known", || {
        north.shown(share).imported.evidence == 1
    })
    .await;
    north.change(share::Revoke { share }).await.unwrap();
    until("it is purged", || {
        let known = north
            .shown(share)
            .revocation
            .map(|revocation| revocation.state);
        known == Some(RevocationState::Purged)
    })
    .await;
    assert_eq!(evidence_of(&south, "1/26").len(), 1);
    live.end().await;
    south.rebuilds().await;
    north.rebuilds().await;
}
