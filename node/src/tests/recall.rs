//! Asking for a copy back: a wish that the partner answers.

use interdocket_sync::id::ShareId;

use crate::actions::share::{self, Share, Status};
use crate::actions::{Caller, Error, ErrorKind, Run as _};
use crate::tests::bench::{Bench, caller, only, pair, settle, to};

/// A copy that has arrived for Kim.
async fn copied() -> (Bench, Bench, ShareId, Caller) {
    let (north, south) = pair().await;
    let kim = caller(&south.person("Kim", "7").await.unwrap());
    north.case("1/26").await;
    north.evidence("1/26", "a.txt", b"one").await;
    let copy = share::Copy {
        case: "1/26".into(),
        to: vec![to("south", &["Kim"])],
        evidence: Vec::new(),
        folders: Vec::new(),
        targets: None,
        message: String::new(),
        attachments: None,
    };
    let share = only(north.change(copy).await.unwrap()).id;
    settle(&north, &south, share).await;
    (north, south, share, kim)
}

async fn ask(at: &Bench, share: ShareId, reason: &str) -> Result<Share, Error> {
    let reason = reason.into();
    at.change(share::Recall { share, reason }).await
}

fn answer(share: ShareId, granted: bool, reason: &str) -> share::Answer {
    share::Answer {
        share,
        granted,
        reason: reason.into(),
    }
}

/// AE-049, AJ-27: what arrived is not taken back, but asked for; the partner's people see that, and say no or yes.
#[tokio::test]
async fn recall_is_answered_by_who_works_on_the_copy_and_both_logs_say_so() {
    let (north, south, share, kim) = copied().await;
    ask(&north, share, "Sealed by the court").await.unwrap();
    settle(&north, &south, share).await;
    let show = share::Show { share };
    let seen = show.run(&south.node, &kim).await.unwrap().recall.unwrap();
    assert_eq!(
        (seen.by.as_str(), seen.reason.as_str()),
        ("administrator", "Sealed by the court")
    );
    assert_eq!(seen.answer, None);
    let no = answer(share, false, "Needed in court");
    no.run(&south.node, &kim).await.unwrap();
    settle(&north, &south, share).await;
    for node in [&north, &south] {
        let shown = node.shown(share);
        assert_eq!((shown.status, shown.behind), (Status::Complete, 0));
        let said = shown.recall.unwrap().answer.unwrap();
        assert_eq!((said.by.as_str(), said.granted), ("Kim", false));
        assert_eq!(said.reason, "Needed in court");
    }
    // Asked again, they say yes: that is an intent, and nothing is gone by it.
    ask(&north, share, "By order 7/26").await.unwrap();
    settle(&north, &south, share).await;
    assert_eq!(south.shown(share).recall.unwrap().answer, None);
    let yes = answer(share, true, "");
    yes.run(&south.node, &kim).await.unwrap();
    settle(&north, &south, share).await;
    assert!(north.shown(share).recall.unwrap().answer.unwrap().granted);
    assert_eq!(
        (
            south.listed(share).len(),
            north.shown(share).stored.evidence
        ),
        (1, 1)
    );
    for node in [&north, &south] {
        node.rebuilds().await;
    }
    let north = north.crash(2);
    assert!(north.shown(share).recall.unwrap().answer.unwrap().granted);
}

#[tokio::test]
async fn ended_copy_is_asked_for_all_the_same() {
    let (north, south, share, _) = copied().await;
    north.change(share::End { share }).await.unwrap();
    ask(&north, share, "Sealed by the court").await.unwrap();
    settle(&north, &south, share).await;
    south
        .change(answer(share, true, "Done by Friday"))
        .await
        .unwrap();
    settle(&north, &south, share).await;
    let shown = north.shown(share);
    assert_eq!((shown.status, shown.behind), (Status::Ended, 0));
    assert!(shown.recall.unwrap().answer.unwrap().granted);
}

#[tokio::test]
async fn recall_that_does_not_hold_says_what_to_do() {
    let (north, south, share, _) = copied().await;
    let refused = |outcome: Result<Share, Error>, kind: ErrorKind| {
        let error = outcome.unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        error
    };
    refused(ask(&north, share, " ").await, ErrorKind::Invalid);
    refused(ask(&south, share, "Ours").await, ErrorKind::Conflict);
    let early = south.change(answer(share, true, "")).await;
    refused(early, ErrorKind::Conflict);
    let own = north.change(answer(share, true, "")).await;
    refused(own, ErrorKind::Conflict);
    ask(&north, share, "Sealed").await.unwrap();
    refused(ask(&north, share, "Sealed").await, ErrorKind::Conflict);
    settle(&north, &south, share).await;
    // A no has its reason.
    let bare = south.change(answer(share, false, "")).await;
    refused(bare, ErrorKind::Invalid);
    // Who does not reach the copy learns nothing of it.
    let lee = caller(&south.person("Lee", "").await.unwrap());
    let hidden = answer(share, true, "").run(&south.node, &lee).await;
    refused(hidden, ErrorKind::NotFound);
    // What was never taken can only be cancelled.
    let fresh = north.copy("1/26", "south").await.unwrap().id;
    let error = refused(ask(&north, fresh, "Sealed").await, ErrorKind::Conflict);
    assert!(error.hints[0].contains("cancel"), "{error:?}");
}
