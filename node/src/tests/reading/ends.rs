//! Who may not at all, what sessions cost, and how they end.

use super::*;
use crate::federation::sessions;
use crate::sessions::IDLE;
use crate::store::table;

/// AE-018
#[tokio::test]
async fn a_reference_for_a_justice_organisation_is_refused_at_both_ends() {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    let justice = OrganisationRole::Justice;
    north.trust_as(justice, &south, None).await;
    south.trust(&north, None).await;
    enable(&north, "south").await;
    enable(&south, "north").await;
    north.case("1/26").await;
    let refused = north.change(reference("1/26", &[], &["Kim"])).await;
    let refused = refused.unwrap_err();
    assert!(refused.message.contains("justice"), "{refused}");
    assert!(refused.hints[0].contains("share copy"), "{refused:?}");

    // An owner that does not know refuses nothing: the partner does.
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    north.trust(&south, None).await;
    south.trust_as(justice, &north, None).await;
    enable(&north, "south").await;
    enable(&south, "north").await;
    north.case("1/26").await;
    let share = north.change(reference("1/26", &[], &["Kim"])).await;
    let share = only(share.unwrap());
    let taken = north.deliver(&south, share.id).await;
    assert_eq!(taken, Some(Err(Refusal::NotEnabled)));
    assert!(!south.holds(share.id));
}

#[tokio::test]
async fn sessions_of_one_partner_are_limited_and_of_idle_readers_closed() {
    let (north, south, _) = three().await;
    let (share, _) = shared(&north, &south, b"one").await;
    let mut greedy = client(&south, &north);
    for _ in 0..limits::SESSIONS_MAX {
        greedy.open(opening(share, "Kim")).await.unwrap();
    }
    let refused = greedy.open(opening(share, "Kim")).await.unwrap_err();
    assert_eq!(reason(&refused), Some(Refusal::Limit));
    sessions::tidy(&north.node, true).await;
    assert_eq!(
        north.node.parts().moment.sessions.all().len(),
        limits::SESSIONS_MAX
    );
    north.later(TimeDelta::from_std(IDLE).unwrap());
    sessions::tidy(&north.node, false).await;
    let closed = ended(&north, share).await;
    assert_eq!(closed.len(), limits::SESSIONS_MAX);
    assert!(closed.iter().all(|end| end.reason == SessionEnd::Idle));
    greedy.open(opening(share, "Kim")).await.unwrap();
}

#[tokio::test]
async fn a_session_whose_reader_does_nothing_ends_with_what_allowed_it() {
    let (north, south, _) = three().await;
    let (share, _) = shared(&north, &south, b"one").await;
    let mut reader = client(&south, &north);
    let opened = reader.open(opening(share, "Kim")).await.unwrap();
    let session = opened.into_inner().session;
    north.change(share::Revoke { share }).await.unwrap();
    let refused = reader.list(listing(&session)).await.unwrap_err();
    assert_eq!(reason(&refused), Some(Refusal::NotShared));
    assert_eq!(ended(&north, share).await[0].reason, SessionEnd::Stopped);
}

#[tokio::test]
async fn a_node_that_was_stopped_closes_the_sessions_that_it_left_open() {
    let (north, south, _) = three().await;
    let (share, _) = shared(&north, &south, b"one").await;
    client(&south, &north)
        .open(opening(share, "Kim"))
        .await
        .unwrap();
    let north = north.crash(2);
    sessions::left(&north.node).await;
    let closed = ended(&north, share).await;
    assert_eq!(closed[0].reason, SessionEnd::Interrupted);
    let reading = north.node.parts().store.read();
    assert!(
        reading
            .view()
            .page(&table::SESSION, &(), None, 9)
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_node_that_is_told_to_stop_closes_every_session() {
    let (north, south, _) = three().await;
    let (share, _) = shared(&north, &south, b"one").await;
    let mut reader = client(&south, &north);
    reader.open(opening(share, "Kim")).await.unwrap();
    let stop = tokio_util::sync::CancellationToken::new();
    stop.cancel();
    sessions::watch(north.node.clone(), stop).await;
    let closed = ended(&north, share).await;
    assert_eq!(closed[0].reason, SessionEnd::Interrupted);
    north.rebuilds().await;
}

#[tokio::test]
async fn a_reader_that_goes_away_leaves_no_session() {
    let (north, south, _) = three().await;
    let (share, evidence) = shared(&north, &south, &vec![3; SIZE]).await;
    let caller = user("Kim", INVESTIGATOR);
    let opened = south
        .node
        .open_external(&caller, get(share, evidence))
        .await;
    drop(opened.unwrap());
    let closed = ended(&north, share).await;
    assert!(closed[0].bytes < SIZE as u64);
}

/// AE-032
#[tokio::test]
async fn suspending_a_partner_ends_what_its_people_have_open() {
    let (north, south, _) = three().await;
    let (share, _) = shared(&north, &south, b"one").await;
    let mut reader = client(&south, &north);
    reader.open(opening(share, "Kim")).await.unwrap();
    let suspend = partner::Suspend {
        partner: "south".into(),
    };
    north.change(suspend).await.unwrap();
    sessions::tidy(&north.node, true).await;
    assert_eq!(ended(&north, share).await[0].reason, SessionEnd::Stopped);
    let refused = show(&south, "Kim", share).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Unavailable, "{refused}");
}

/// fault E5
#[tokio::test]
async fn bytes_that_are_not_the_file_are_handed_to_nobody() {
    let (north, south, _) = three().await;
    let (share, evidence) = shared(&north, &south, &vec![5; 400_000]).await;
    let shown = show(&south, "Kim", share).await.unwrap();
    let name = shown.items[0].files[0].blake3.to_string();
    let blob = north.blobs().join("own").join(&name[..2]).join(&name);
    let mut bytes = std::fs::read(&blob).unwrap();
    bytes[200_000] ^= 1;
    std::fs::write(&blob, bytes).unwrap();
    let got = read(&south, "Kim", get(share, evidence)).await.unwrap();
    assert!(got.unwrap_err().contains("not the file"));
    // What is whole of it is given all the same.
    let part = Get {
        from: 0,
        to: Some(1000),
        ..get(share, evidence)
    };
    let part = read(&south, "Kim", part).await.unwrap();
    assert!(part == Ok(vec![5; 1000]));
}

#[tokio::test]
async fn empty_files_and_parts_that_no_file_has() {
    let (north, south, _) = three().await;
    let (share, empty) = shared(&north, &south, b"").await;
    let all = read(&south, "Kim", get(share, empty)).await.unwrap();
    assert_eq!(all.as_deref(), Ok(&b""[..]));
    let short = north.evidence("1/26", "b.bin", b"two").await.id;
    for (from, to) in [
        (3, None),
        (2, Some(2)),
        (0, Some(4)),
        (u64::MAX, None),
        (2, Some(1)),
    ] {
        let part = Get {
            from,
            to,
            ..get(share, short)
        };
        let refused = read(&south, "Kim", part).await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Invalid, "{from} {to:?}");
    }
    let none = EvidenceId::new(Uuid::from_u128(1));
    let refused = read(&south, "Kim", get(share, none)).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::NotFound, "{refused}");
}
