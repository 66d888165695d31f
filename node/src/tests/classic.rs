//! Copies as they were always shared: whose they are, what they have, and what their sender can still do.

use interdocket_sync::blob::Digest;
use interdocket_sync::id::EvidenceId;

use crate::actions::partner::OrganisationRole;
use crate::actions::share::{self, Status};
use crate::actions::{ErrorKind, Query as _, Run as _, case, evidence};
use crate::tests::bench::{Bench, caller, only, settle, to};

const ROLES: [OrganisationRole; 2] = [OrganisationRole::Investigation, OrganisationRole::Justice];

/// An organisation of this role with two partners, and a case with three items.
async fn three(role: OrganisationRole) -> (Bench, Bench, Bench) {
    let north = Bench::of("north", role);
    let (south, harbour) = (Bench::new("south"), Bench::new("harbour"));
    for partner in [&south, &harbour] {
        north.trust(partner, None).await;
        partner.trust(&north, None).await;
    }
    north.case("1/26").await;
    for (name, bytes) in [
        ("one.txt", &b"the first"[..]),
        ("two.txt", b"the second"),
        ("three.txt", b"the third"),
    ] {
        north.evidence("1/26", name, bytes).await;
    }
    (north, south, harbour)
}

fn items(at: &Bench) -> Vec<evidence::Evidence> {
    let reading = at.node.parts().store.read();
    let list = evidence::List {
        case: "1/26".into(),
        uncategorised: false,
        after: None,
        limit: None,
    };
    let now = at.node.parts().clock.now();
    let page = list.answer(&reading.view(), &at.node.owner(), now);
    page.unwrap().evidence
}

fn shown(at: &Bench) -> case::Case {
    let reading = at.node.parts().store.read();
    let show = case::Show {
        case: "1/26".into(),
    };
    let now = at.node.parts().clock.now();
    show.answer(&reading.view(), &at.node.owner(), now).unwrap()
}

fn digests(items: &[evidence::Evidence]) -> Vec<Digest> {
    let mut digests: Vec<Digest> = items.iter().map(|item| item.files[0].blake3).collect();
    digests.sort();
    digests
}

fn item_of<'a>(
    own: &'a [evidence::Evidence],
    received: &evidence::Evidence,
) -> &'a evidence::Evidence {
    let origin = received.origin.as_ref().unwrap().id;
    own.iter().find(|own| own.id.uuid() == origin).unwrap()
}

/// The bytes of an item's file, as its node serves them.
async fn bytes(at: &Bench, item: &evidence::Evidence) -> Vec<u8> {
    let get = evidence::Get {
        evidence: item.id,
        file: 0,
        original: false,
        purpose: Default::default(),
        confidential: false,
    };
    let owner = at.node.owner();
    let mut opened = at.node.open_evidence(&owner, get).await.unwrap();
    let mut bytes = Vec::new();
    while let Some(piece) = opened.bytes.recv().await {
        bytes.extend_from_slice(&piece.unwrap());
    }
    bytes
}

async fn copy(from: &Bench, with: &Bench, evidence: Vec<EvidenceId>) -> share::Share {
    let copy = share::Copy {
        case: "1/26".into(),
        to: vec![to(with.name, &[])],
        evidence,
        folders: Vec::new(),
        targets: None,
        message: String::new(),
        attachments: None,
    };
    let made = only(from.change(copy).await.unwrap());
    settle(from, with, made.id).await;
    from.shown(made.id)
}

/// AE-001, AE-038, AE-042, AJ-01, AJ-12
#[tokio::test]
async fn each_partner_gets_the_entire_case_with_every_file_as_a_case_of_its_own() {
    for role in ROLES {
        let (north, south, harbour) = three(role).await;
        for partner in [&south, &harbour] {
            let made = copy(&north, partner, Vec::new()).await;
            assert_eq!(made.status, Status::Complete);
            let (received, own) = (items(partner), items(&north));
            assert_eq!(digests(&received), digests(&own));
            for item in &received {
                let origin = item.origin.as_ref().unwrap();
                assert_eq!((origin.organisation, origin.share), (north.id(), made.id));
                assert_eq!(
                    bytes(partner, item).await,
                    bytes(&north, item_of(&own, item)).await
                );
            }
            let origin = shown(partner).origin.unwrap();
            assert_eq!(
                (origin.organisation, origin.id),
                (north.id(), shown(&north).id.uuid())
            );
        }
        let ids = [shown(&north).id, shown(&south).id, shown(&harbour).id];
        assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
    }
}

/// AE-039, AJ-13
#[tokio::test]
async fn what_was_not_selected_leaves_no_trace_at_the_partner() {
    for role in ROLES {
        let (north, south, _) = three(role).await;
        let own = items(&north);
        let (chosen, others) = own.split_first().unwrap();
        copy(&north, &south, vec![chosen.id]).await;
        let received = items(&south);
        assert_eq!(digests(&received), [chosen.files[0].blake3]);
        let everything = south.tables();
        let tells = |what: &[u8]| {
            let in_one = |bytes: &[u8]| bytes.windows(what.len()).any(|window| window == what);
            everything
                .iter()
                .any(|(key, value)| in_one(key) || in_one(value))
        };
        assert!(tells(&chosen.files[0].blake3.0) && tells(chosen.title.as_bytes()));
        for other in others {
            let file = &other.files[0];
            for trace in [
                other.id.as_bytes(),
                other.title.as_bytes(),
                &file.blake3.0,
                &file.sha256.0,
            ] {
                assert!(!tells(trace), "{}", other.title);
            }
        }
    }
}

/// AE-043, AE-044, AE-046, AJ-16, AJ-18 to AJ-20, AJ-22
#[tokio::test]
async fn a_copy_is_its_partners_to_give_and_change_and_the_original_stays_as_it_was() {
    for role in ROLES {
        let (north, south, _) = three(role).await;
        let before = (shown(&north), items(&north));
        copy(&north, &south, Vec::new()).await;
        // Nothing is asked of its sender from here on.
        let (bob, carl) = (
            south.person("Bob", "").await.unwrap(),
            south.person("Carl", "").await.unwrap(),
        );
        let access = case::Access {
            case: "1/26".into(),
            add: vec!["Bob".into(), "Carl".into()],
            remove: Vec::new(),
        };
        south.change(access).await.unwrap();
        let edit = case::Edit {
            case: "1/26".into(),
            number: Some("S-1".into()),
            title: Some("As we call it".into()),
            description: None,
        };
        edit.run(&south.node, &caller(&bob)).await.unwrap();
        let back = case::Edit {
            case: "S-1".into(),
            number: Some("1/26".into()),
            title: None,
            description: None,
        };
        back.run(&south.node, &caller(&bob)).await.unwrap();
        let describe = evidence::Edit {
            evidence: items(&south)[0].id,
            title: Some("Exhibit 1".into()),
            folder: Some("trial".into()),
            case: None,
            fields: Default::default(),
        };
        describe.run(&south.node, &caller(&bob)).await.unwrap();
        south.evidence("1/26", "own.txt", b"our own").await;
        let show = case::Show {
            case: "1/26".into(),
        };
        let seen = show.run(&south.node, &caller(&carl)).await.unwrap();
        assert_eq!((seen.title.as_str(), seen.evidence), ("As we call it", 4));
        assert_eq!((shown(&north), items(&north)), before);
        assert_eq!(
            shown(&south).access,
            ["Bob", "Carl"],
            "nobody of its sender's"
        );
    }
}

/// AE-041, AE-048, AJ-15
#[tokio::test]
async fn nothing_new_goes_to_a_copy_until_its_sender_chooses() {
    for role in ROLES {
        let (north, south, _) = three(role).await;
        let share = copy(&north, &south, Vec::new()).await.id;
        let new = north.evidence("1/26", "late.txt", b"late").await.id;
        north.pass(24 * 3600);
        settle(&north, &south, share).await;
        assert_eq!(items(&south).len(), 3);
        let add = share::Add {
            share,
            evidence: vec![new],
        };
        north.change(add).await.unwrap();
        settle(&north, &south, share).await;
        assert_eq!(digests(&items(&south)), digests(&items(&north)));
    }
}

/// AE-049, AJ-27
#[tokio::test]
async fn a_copy_that_arrived_is_not_taken_back() {
    for role in ROLES {
        let (north, south, _) = three(role).await;
        let share = copy(&north, &south, Vec::new()).await.id;
        let before = items(&south);
        let refused = [
            north.change(share::Revoke { share }).await.unwrap_err(),
            north.change(share::Cancel { share }).await.unwrap_err(),
        ];
        assert!(
            refused
                .iter()
                .all(|error| error.kind == ErrorKind::Conflict),
            "{refused:?}"
        );
        settle(&north, &south, share).await;
        assert_eq!(
            (items(&south), north.shown(share).status),
            (before, Status::Complete)
        );
    }
}
