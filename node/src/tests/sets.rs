//! Share sets: made as a whole or not at all, listed with their shares, and no partner's business.

use std::collections::BTreeSet;

use interdocket_sync::log::Point;

use crate::access::Permissions;
use crate::actions::decide::Context;
use crate::actions::partner::{self, Kind};
use crate::actions::share::{self, Mode, SetId, Status, To};
use crate::actions::{Change as _, Error, ErrorKind, Way};
use crate::event::Event;
use crate::tests::bench::{Bench, noon, settle, to};

/// North, with a case, and three partners to whom everything may be sent.
async fn north() -> (Bench, [Bench; 3]) {
    let north = Bench::new("north");
    let others = ["south", "harbour", "court"].map(Bench::new);
    for other in &others {
        north.trust(other, None).await;
        other.trust(&north, None).await;
        let enable = partner::Enable {
            partner: other.name.into(),
            send: [Kind::Reference, Kind::Copy, Kind::Advanced].into(),
            receive: Default::default(),
        };
        north.change(enable).await.unwrap();
        let policy = partner::SetPolicy {
            partner: other.name.into(),
            mode: Mode::Live,
            download: false,
            import: true,
            onward: false,
        };
        north.change(policy).await.unwrap();
    }
    north.case("1/26").await;
    north.evidence("1/26", "a.txt", b"one").await;
    (north, others)
}

fn copy(to: Vec<To>) -> share::Copy {
    share::Copy {
        case: "1/26".into(),
        to,
        evidence: Vec::new(),
        folders: Vec::new(),
        targets: None,
        message: "as agreed".into(),
        attachments: None,
    }
}

fn reference(to: Vec<To>) -> share::Reference {
    share::Reference {
        case: "1/26".into(),
        to,
        days: 1,
        evidence: Vec::new(),
        folders: Vec::new(),
        targets: None,
        message: String::new(),
    }
}

fn advanced(to: Vec<To>) -> share::Advanced {
    share::Advanced {
        case: "1/26".into(),
        to,
        evidence: Vec::new(),
        folders: Vec::new(),
        targets: None,
        units: Vec::new(),
        message: String::new(),
    }
}

fn statuses(node: &Bench) -> Vec<Vec<(String, Status)>> {
    let statuses = |set: share::Set| {
        let shares = set.shares.into_iter();
        shares
            .map(|share| (share.partner_name, share.status))
            .collect()
    };
    node.sets().into_iter().map(statuses).collect()
}

fn stand(shares: &[(&str, Status)]) -> Vec<(String, Status)> {
    let shares = shares.iter().map(|&(name, status)| (name.into(), status));
    shares.collect()
}

/// OE-41, AS-021: one partner that may not have it, and nobody has it; the error says which.
#[tokio::test]
async fn set_is_made_for_all_of_its_partners_or_for_none() {
    let (north, [south, ..]) = north().await;
    let suspend = partner::Suspend {
        partner: "court".into(),
    };
    north.change(suspend).await.unwrap();
    north.enable("harbour", true, false).await;
    let before = north.tables();
    let refused = |made: Result<share::Made, Error>, kind: ErrorKind, says: &[&str]| {
        let error = made.unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        for says in says {
            assert!(error.message.contains(says), "{says}: {error}");
        }
        assert!(!error.hints.is_empty(), "{error}");
        assert!(north.tables() == before, "nothing was made: {error}");
    };
    let (kim, lee) = (to("south", &["Kim"]), to("harbour", &["Lee"]));
    let because = |partner: &str| format!("nothing was shared, because of \"{partner}\"");

    let made = north
        .change(copy(vec![kim.clone(), to("court", &[])]))
        .await;
    refused(made, ErrorKind::Conflict, &[&because("court"), "suspended"]);
    let made = north.change(advanced(vec![kim.clone(), lee])).await;
    refused(
        made,
        ErrorKind::Forbidden,
        &[&because("harbour"), "not enabled"],
    );
    let made = north.change(copy(vec![kim.clone(), to("lab", &[])])).await;
    refused(made, ErrorKind::NotFound, &[&because("lab"), "no partner"]);
    let long = to("harbour", &[&*"x".repeat(97)]);
    let made = north.change(copy(vec![kim.clone(), long])).await;
    refused(
        made,
        ErrorKind::Invalid,
        &[&because("harbour"), "recipient"],
    );

    let made = north.change(copy(Vec::new())).await;
    refused(made, ErrorKind::Invalid, &["no partner is named"]);
    let by_id = to(&south.id().to_string(), &["Sol"]);
    for again in [kim.clone(), by_id] {
        let made = north.change(copy(vec![kim.clone(), again])).await;
        refused(made, ErrorKind::Invalid, &["\"south\" is named twice"]);
    }
    let made = north.change(copy(vec![kim; 17])).await;
    refused(made, ErrorKind::Invalid, &["17 partners are more than 16"]);
}

/// An empty list of recipients is nobody, at each partner; a copy is the partner's own.
#[tokio::test]
async fn what_lives_names_somebody_at_every_partner() {
    let (north, _) = north().await;
    let nobody = || vec![to("south", &["Kim"]), to("court", &[])];
    let before = north.tables();
    for made in [
        north.change(reference(nobody())).await,
        north.change(advanced(nobody())).await,
    ] {
        let error = made.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid);
        assert!(
            error.message.contains("because of \"court\": nobody"),
            "{error}"
        );
    }
    assert!(north.tables() == before, "nothing was made");
    let made = north.change(copy(nobody())).await.unwrap();
    let recipients = made.shares.iter().map(|share| share.recipients.as_slice());
    assert_eq!(
        recipients.collect::<Vec<_>>(),
        [&["Kim".to_owned()][..], &[]]
    );
}

/// OE-41, OE-47
#[tokio::test]
async fn set_is_listed_with_its_shares_and_each_goes_its_own_way() {
    let (north, [south, harbour, _]) = north().await;
    let made = north.change(copy(vec![to("south", &["Kim", "Sol"]), to("harbour", &[])]));
    let made = made.await.unwrap();
    let [at_south, at_harbour] = [&made.shares[0], &made.shares[1]].map(|share| share.id);
    assert!(made.shares.iter().all(|share| share.set == Some(made.set)));
    let alone = north.change(reference(vec![to("court", &["Lee"])]));
    let alone = alone.await.unwrap();

    let sets = north.sets();
    let ids: Vec<SetId> = sets.iter().map(|set| set.id).collect();
    assert_eq!(ids, [made.set, alone.set], "also one share is a set");
    let set = &sets[0];
    let case = (set.case, set.case_number.as_str());
    assert_eq!(case, (made.shares[0].case.unwrap(), "1/26"));
    assert_eq!(
        (set.kind, set.made_by.as_str()),
        (Kind::Copy, "administrator")
    );
    assert_eq!(set.message, "as agreed");
    assert_eq!(set.made_at, made.shares[0].offered_at);
    assert_eq!(set.shares[0].recipients, ["Kim", "Sol"]);
    assert_eq!(set.shares[0].id, at_south);

    // Harbour does not take copies any more; south does.
    harbour.enable("north", false, false).await;
    assert!(north.deliver(&harbour, at_harbour).await.unwrap().is_err());
    settle(&north, &south, at_south).await;
    let both = |south, harbour| stand(&[("south", south), ("harbour", harbour)]);
    assert_eq!(
        statuses(&north)[0],
        both(Status::Complete, Status::Processing)
    );
    let cancel = share::Cancel { share: at_harbour };
    north.change(cancel).await.unwrap();
    assert_eq!(
        statuses(&north)[0],
        both(Status::Complete, Status::Cancelled)
    );
    north.rebuilds().await;
    let about = north.about(made.set.uuid());
    assert_eq!(about.len(), 2, "the audit finds its shares by the set");
    let north = north.crash(2);
    assert_eq!(
        statuses(&north)[0],
        both(Status::Complete, Status::Cancelled)
    );

    // It is the owner's own: the partner knows neither the set nor who else is in it.
    assert_eq!(south.shown(at_south).set, None);
    assert!(south.sets().is_empty());
    let id = harbour.id();
    for secret in [
        made.set.uuid().as_bytes().as_slice(),
        id.as_bytes(),
        b"harbour",
    ] {
        let holds = |bytes: &[u8]| windows(bytes, secret.len()).contains(secret);
        let rows = south.tables();
        assert!(!rows.iter().any(|(key, value)| holds(key) || holds(value)));
    }
}

#[tokio::test]
async fn sets_are_listed_page_by_page() {
    let (north, _) = north().await;
    let mut made = Vec::new();
    for _ in 0..3 {
        let offer = copy(vec![to("south", &[]), to("court", &[])]);
        made.push(north.change(offer).await.unwrap().set);
    }
    let mut after = None;
    for expected in [&made[..2], &made[2..]] {
        let page = north.sets_after(after.take(), Some(2)).unwrap();
        let ids: Vec<SetId> = page.sets.iter().map(|set| set.id).collect();
        assert_eq!(ids, expected);
        assert!(page.sets.iter().all(|set| set.shares.len() == 2));
        after = page.next;
    }
    assert_eq!(after, None);
    let wrong = north.sets_after(Some("nonsense".into()), None);
    assert_eq!(wrong.unwrap_err().kind, ErrorKind::Invalid);
}

/// The bytes that go to the partner of each share of an offer: terms, entries, head.
fn sent(north: &Bench, to: &[&To], seed: &[u8]) -> (SetId, Vec<Vec<u8>>) {
    let reading = north.node.parts().store.read();
    let mut stream = blake3::Hasher::new().update(seed).finalize_xof();
    let mut context = Context {
        view: reading.view(),
        now: noon(),
        chance: &mut |bytes| stream.fill(bytes),
        signer: &north.node.parts().keys.signer(),
        journal: Point::default(),
        actor: Some(north.node.owner().actor),
        held: Permissions::new(),
        way: Way::Socket,
    };
    let to = to.iter().map(|&to| to.clone()).collect();
    let decided = advanced(to).decide(&mut context).unwrap();
    let (mut set, mut sent) = (None, Vec::new());
    for event in decided.events {
        match event {
            Event::ShareMade(made) => {
                set = Some(made.set);
                sent.push(made.terms.0);
            }
            Event::LogWritten(written) => {
                let log = sent.last_mut().unwrap();
                let signed = written.entries.iter().chain([&written.head]);
                signed.for_each(|bytes| log.extend(&bytes.0));
            }
            _ => {}
        }
    }
    (set.unwrap(), sent)
}

fn windows(bytes: &[u8], length: usize) -> BTreeSet<&[u8]> {
    bytes.windows(length).collect()
}

/// Nothing outside a share's scope is on the wire: not that there are others either.
#[tokio::test]
async fn what_a_partner_is_sent_is_the_same_whoever_else_is_in_the_set() {
    let (north, _) = north().await;
    let south = to("south", &["Kim Okafor"]);
    let harbour = to("harbour", &["Sol Reyes"]);
    let court = to("court", &["Lee Park", "Robin Vale"]);
    let (set, both) = sent(&north, &[&south, &harbour], b"one");
    for others in [&[&south][..], &[&south, &court, &harbour]] {
        assert!(sent(&north, others, b"one").1[0] == both[0], "the first");
    }
    assert!(
        sent(&north, &[&court, &harbour], b"one").1[1] == both[1],
        "the second"
    );

    // Two of one set have no more in common than two that were offered apart: what the owner discloses.
    // At the edges of that bytes may be the same by chance.
    let (_, there) = sent(&north, &[&south], b"two");
    let (_, elsewhere) = sent(&north, &[&harbour], b"three");
    let (there, elsewhere) = (windows(&there[0], 8), windows(&elsewhere[0], 8));
    let disclosed: BTreeSet<&[u8]> = there.intersection(&elsewhere).copied().collect();
    assert!(
        disclosed.contains(&b"administ"[..]),
        "who shares is disclosed"
    );
    let (one, other) = (windows(&both[0], 16), windows(&both[1], 16));
    for same in one.intersection(&other) {
        assert!(disclosed.contains(&same[4..12]), "{same:?}");
    }
    for bytes in &both {
        assert!(!windows(bytes, 16).contains(set.uuid().as_bytes().as_slice()));
    }
}

/// Whatever fits when it is made can be stopped: what is recorded then is more.
#[tokio::test]
async fn the_largest_share_can_be_revoked() {
    use interdocket_sync::limits;
    let (north, _) = north().await;
    let people: Vec<String> = (10..10 + limits::RECIPIENTS_MAX)
        .map(|number| format!("{number}{}", "x".repeat(limits::RECIPIENT_MAX - 2)))
        .collect();
    let mut last = None;
    for length in (1..=256).rev() {
        let offer = share::Advanced {
            to: vec![To {
                partner: "south".into(),
                recipients: people.clone(),
            }],
            folders: vec!["f".repeat(length); 8],
            message: "x".repeat(limits::MESSAGE_TEXT_MAX),
            ..advanced(Vec::new())
        };
        if let Ok(made) = north.change(offer).await {
            last = Some((length, made));
            break;
        }
    }
    let (length, made) = last.unwrap();
    let share = made.shares[0].id;
    let revoked = north.change(share::Revoke { share }).await;
    assert!(revoked.is_ok(), "{length}: {:?}", revoked.err());
}
