//! What people at a partner have of an advanced share: what its scope covers and its policy leaves.

use super::*;
use crate::actions::external::Import;
use crate::store::table;

/// AS-012, AS-013, AS-024, AS-055, AS-056, AS-057, AS-058, AO-05, AO-48, AO-49
#[tokio::test]
async fn a_live_advanced_share_is_read_at_its_owner_as_its_policy_has_it() {
    let (north, south, _) = three().await;
    policy(&north, Mode::Live, false, false).await;
    let (share, evidence) = followed(&north, &south, b"one").await;
    let shown = show(&south, "Kim", share).await.unwrap();
    assert_eq!(shown.external.case.unwrap().number, "1/26");
    assert_eq!(shown.external.message, "for you");
    assert_eq!(shown.items[0].title, "a.bin");
    assert_eq!(shown.updates, None);
    let refused = read(&south, "Kim", get(share, evidence)).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Forbidden, "{refused}");
    let look = Get {
        download: false,
        ..get(share, evidence)
    };
    let seen = read(&south, "Kim", look.clone()).await.unwrap();
    assert_eq!(seen.as_deref(), Ok(&b"one"[..]));
    let import = Import {
        share,
        evidence: Vec::new(),
    };
    let kim = user("Kim", INVESTIGATOR);
    let refused = import.run(&south.node, &kim).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Forbidden, "{refused}");
    assert_eq!(kept(&south), 0);
    // Without its lease nobody can tell who may.
    south.node.parts().moment.leases.drop(share);
    let refused = read(&south, "Kim", look).await.unwrap_err();
    assert!(refused.message.contains("locked"), "{refused}");
    assert!(list(&south, &kim).await.is_empty());
    let administrator = user("Alex", ADMINISTRATOR);
    assert_eq!(list(&south, &administrator).await, [share]);
}

/// AS-020, AS-071, AS-073, AS-074
#[tokio::test]
async fn what_waits_to_be_imported_is_counted_and_shown() {
    let (north, south, _) = three().await;
    policy(&north, Mode::Synchronised, true, true).await;
    let (share, first) = followed(&north, &south, b"one").await;
    let shown = show(&south, "Kim", share).await.unwrap();
    assert_eq!(shown.updates.map(|updates| updates.evidence), Some(1));
    north.evidence("1/26", "b.bin", b"two").await;
    let edit = evidence::Edit {
        evidence: first,
        title: Some("Statement".into()),
        folder: Some("statements".into()),
        case: None,
        fields: Default::default(),
    };
    north.change(edit).await.unwrap();
    follow(&north, &south, share).await;
    let shown = show(&south, "Kim", share).await.unwrap();
    assert_eq!(shown.updates.map(|updates| updates.evidence), Some(2));
    let item = shown.items.iter().find(|item| item.evidence == first);
    let item = item.unwrap();
    assert_eq!(
        (item.title.as_str(), item.folder.as_str()),
        ("Statement", "statements")
    );
    assert!(!item.imported);
    let kim = user("Kim", INVESTIGATOR);
    Import {
        share,
        evidence: Vec::new(),
    }
    .run(&south.node, &kim)
    .await
    .unwrap();
    let reading = south.node.parts().store.read();
    assert!(
        reading
            .view()
            .has(&table::IMPORT, &(north.id(), share))
            .unwrap()
    );
}

/// Describes evidence anew as lying in another folder.
async fn put(north: &Bench, evidence: EvidenceId, folder: &str) {
    let edit = evidence::Edit {
        evidence,
        title: None,
        folder: Some(folder.into()),
        case: None,
        fields: Default::default(),
    };
    north.change(edit).await.unwrap();
}

/// What Kim sees of a share.
async fn seen(south: &Bench, share: ShareId) -> Vec<EvidenceId> {
    let shown = show(south, "Kim", share).await.unwrap();
    shown.items.iter().map(|item| item.evidence).collect()
}

/// A part of a share that Kim looks at; none where she may not.
async fn looks(south: &Bench, share: ShareId, evidence: EvidenceId) -> Option<Vec<u8>> {
    let look = Get {
        download: false,
        ..get(share, evidence)
    };
    read(south, "Kim", look).await.ok()?.ok()
}

/// AS-016, AO-25, AO-35, AO-46, AO-54
#[tokio::test]
async fn what_is_put_into_a_shared_folder_is_read_and_what_is_taken_out_is_not() {
    let (north, south, _) = three().await;
    policy(&north, Mode::Live, true, false).await;
    north.case("1/26").await;
    let first = north.evidence("1/26", "a.bin", b"one").await.id;
    let second = north.evidence("1/26", "b.bin", b"two").await.id;
    put(&north, first, "scene").await;
    let share = advanced(&north, &[], &["scene"]).await;
    follow(&north, &south, share).await;
    lend(&south, share);
    assert_eq!(seen(&south, share).await, [first]);
    assert_eq!(looks(&south, share, second).await, None);
    put(&north, second, "scene/photos").await;
    follow(&north, &south, share).await;
    assert_eq!(seen(&south, share).await, [first, second]);
    assert_eq!(looks(&south, share, second).await.unwrap(), b"two");
    put(&north, first, "notes").await;
    // The owner refuses at once, before the partner knows.
    assert_eq!(looks(&south, share, first).await, None);
    follow(&north, &south, share).await;
    assert_eq!(seen(&south, share).await, [second]);
}

/// AS-017, AO-36, AO-37
#[tokio::test]
async fn selected_evidence_is_followed_by_nothing_but_what_is_added_by_hand() {
    let (north, south, _) = three().await;
    policy(&north, Mode::Live, true, false).await;
    north.case("1/26").await;
    let first = north.evidence("1/26", "a.bin", b"one").await.id;
    let share = advanced(&north, &[first], &[]).await;
    let second = north.evidence("1/26", "b.bin", b"two").await.id;
    follow(&north, &south, share).await;
    lend(&south, share);
    assert_eq!(seen(&south, share).await, [first]);
    let add = share::Add {
        share,
        evidence: vec![second],
    };
    north.change(add).await.unwrap();
    follow(&north, &south, share).await;
    assert_eq!(seen(&south, share).await, [first, second]);
    assert_eq!(looks(&south, share, second).await.unwrap(), b"two");
}

/// AS-015, AO-04, AO-09, AO-26, AO-28, AO-34, AO-41, AO-42, AO-51
#[tokio::test]
async fn an_entire_case_is_read_until_it_is_revoked_under_the_policy_of_its_beginning() {
    let (north, south, _) = three().await;
    policy(&north, Mode::Live, true, false).await;
    let (share, first) = followed(&north, &south, b"one").await;
    // Later policies are for later shares.
    policy(&north, Mode::Live, false, false).await;
    let second = north.evidence("1/26", "b.bin", b"two").await.id;
    follow(&north, &south, share).await;
    assert_eq!(seen(&south, share).await, [first, second]);
    north.later(TimeDelta::days(5));
    for (evidence, bytes) in [(first, b"one"), (second, b"two")] {
        let kept = read(&south, "Kim", get(share, evidence)).await.unwrap();
        assert_eq!(kept.as_deref(), Ok(&bytes[..]));
    }
    assert_eq!(kept(&south), 0, "the case stays where it is");
    north.change(share::Revoke { share }).await.unwrap();
    assert_eq!(looks(&south, share, first).await, None);
    assert!(read(&south, "Kim", get(share, second)).await.is_err());
}
