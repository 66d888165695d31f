//! Whose things are: an import is the receiver's own, the case stays its owner's, and what a share allows is
//! the administrator's word.

use super::support::{Live, advanced, evidence_of, status, until};
use crate::actions::partner::{self, OrganisationRole};
use crate::actions::share::{self, Mode, Status};
use crate::actions::{ErrorKind, audit, evidence};
use crate::tests::bench::{Bench, only, settle, to};

/// AO-12, AO-13, AO-15, AO-19, AO-20, AO-47, AO-52, AO-53
#[tokio::test(flavor = "multi_thread")]
async fn what_becomes_of_an_import_is_the_receivers_and_changes_nothing_at_the_owner() {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    let court = Bench::of("court", OrganisationRole::Justice);
    let live = Live::new();
    live.pair(&north, &court, Mode::Synchronised, true).await;
    court.trust(&south, None).await;
    south.trust(&court, None).await;
    north.case("1/26").await;
    for name in ["a.bin", "b.bin"] {
        north.evidence("1/26", name, name.as_bytes()).await;
    }
    let shared = advanced(&north, &court, "1/26").await.id;
    until("it is imported", || evidence_of(&court, "1/26").len() == 2).await;
    until("and that is known", || {
        north.shown(shared).imported.evidence == 2
    })
    .await;
    let before = evidence_of(&north, "1/26");
    let log = |node: &Bench| {
        let reading = node.node.parts().store.read();
        let header = crate::actions::decide::share(&reading.view(), shared)
            .unwrap()
            .header;
        (header.owner_log.point, header.partner_log.point)
    };
    let said = log(&north);
    let own = evidence_of(&court, "1/26");
    let edit = evidence::Edit {
        evidence: own[0].id,
        title: Some("Exhibit 1".into()),
        folder: Some("trial".into()),
        case: None,
        fields: Default::default(),
    };
    court.change(edit).await.unwrap();
    court.evidence("1/26", "brief.txt", b"work product").await;
    let disclosed = share::Copy {
        case: "1/26".into(),
        to: vec![to("south", &[])],
        evidence: vec![own[0].id],
        folders: Vec::new(),
        targets: None,
        message: String::new(),
        attachments: None,
    };
    let copy = only(court.change(disclosed).await.unwrap()).id;
    settle(&court, &south, copy).await;
    let given: Vec<_> = evidence_of(&south, "1/26")
        .into_iter()
        .map(|item| item.title)
        .collect();
    assert_eq!(given, ["Exhibit 1"], "only what the court discloses");
    live.end().await;
    assert_eq!(evidence_of(&north, "1/26"), before);
    assert_eq!(log(&north), said, "the share's logs say nothing of it");
    assert_eq!(evidence_of(&court, "1/26").len(), 3);
    for node in [&north, &court] {
        let owner = node.node.owner();
        let verified = crate::actions::Run::run(audit::Verify {}, &node.node, &owner);
        assert!(verified.await.unwrap().damaged.is_empty());
    }
}

/// AO-06, AO-07, AO-21, AO-24, AO-26, AS-003, AS-004
#[tokio::test(flavor = "multi_thread")]
async fn an_advanced_share_is_bound_to_the_policy_that_the_administrator_set() {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    north.trust(&south, None).await;
    south.trust(&north, None).await;
    let enable = partner::Enable {
        partner: "south".into(),
        send: [partner::Kind::Advanced].into(),
        receive: Default::default(),
    };
    north.change(enable).await.unwrap();
    north.case("1/26").await;
    let request = || share::Advanced {
        case: "1/26".into(),
        to: vec![to("south", &["Sol Reyes"])],
        evidence: Vec::new(),
        folders: Vec::new(),
        targets: None,
        units: Vec::new(),
        message: String::new(),
    };
    let refused = north.change(request()).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Forbidden);
    assert!(
        refused.hints.concat().contains("partner policy"),
        "{refused:?}"
    );
    let policy = |import| partner::SetPolicy {
        partner: "south".into(),
        mode: Mode::Live,
        download: false,
        import,
        onward: false,
    };
    north.change(policy(false)).await.unwrap();
    let shared = only(north.change(request()).await.unwrap());
    let bound = shared.policy.unwrap();
    assert!(bound.mode == Mode::Live && !bound.download && !bound.import);
    north.change(policy(true)).await.unwrap();
    let policy = north.shown(shared.id).policy.unwrap();
    assert!(!policy.import, "what was shared before does not get wider");
    assert_eq!(status(&north, shared.id), Some(Status::Processing));
}
