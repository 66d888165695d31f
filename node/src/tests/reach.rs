//! Which cases people of one organisation reach.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::actions::partner::{self, Kind};
use crate::actions::{
    self, Action, ErrorKind, Run as _, case, evidence, external, group, share, user,
};
use crate::event::Event;
use crate::store::table;
use crate::tests::bench::{Bench, caller, only, settle, to};

async fn make(at: &Bench, who: &user::User, number: &str) -> case::Case {
    let create = case::Create {
        number: number.into(),
        title: "A case".into(),
        description: String::new(),
        targets: Vec::new(),
    };
    create.run(&at.node, &caller(who)).await.unwrap()
}

async fn show(at: &Bench, who: &user::User, case: &str) -> Result<case::Case, actions::Error> {
    let show = case::Show { case: case.into() };
    show.run(&at.node, &caller(who)).await
}

async fn list(at: &Bench, who: &user::User) -> Vec<String> {
    let page = case::List::default().run(&at.node, &caller(who)).await;
    let cases = page.unwrap().cases.into_iter();
    cases.map(|case| case.number).collect()
}

async fn access(at: &Bench, by: &user::User, add: &[&str], remove: &[&str]) -> Vec<String> {
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let access = case::Access {
        case: "1/26".into(),
        add: names(add),
        remove: names(remove),
    };
    let case = access.run(&at.node, &caller(by)).await;
    case.unwrap().access
}

async fn group(at: &Bench, name: &str, kind: group::Kind, member: &str) {
    let add = group::Add {
        name: name.into(),
        kind,
    };
    at.change(add).await.unwrap();
    let edit = group::Edit {
        group: name.into(),
        add: vec![member.into()],
        remove: Vec::new(),
    };
    at.change(edit).await.unwrap();
}

fn look(evidence: interdocket_sync::id::EvidenceId) -> evidence::Show {
    evidence::Show {
        evidence,
        confidential: false,
    }
}

fn get(evidence: interdocket_sync::id::EvidenceId) -> evidence::Get {
    evidence::Get {
        evidence,
        file: 0,
        original: false,
        purpose: evidence::Purpose::Download,
        confidential: false,
    }
}

/// AS-011, OE-01: nothing of it leaves the node or becomes another file.
#[tokio::test]
async fn people_who_are_given_access_work_on_the_case_and_nobody_else_does() {
    let north = Bench::new("north");
    let alice = north.person("Alice", "").await.unwrap();
    let amy = north.person("Amy", "4711").await.unwrap();
    make(&north, &alice, "1/26").await;
    north.evidence("1/26", "a.bin", b"one").await;
    let files = || {
        let reading = north.node.parts().store.read();
        let rows = reading.view().page(&table::BLOB, &(), None, 10);
        (
            rows.unwrap().len(),
            std::fs::read_dir(north.blobs()).unwrap().count(),
        )
    };
    let before = files();
    let refused = show(&north, &amy, "1/26").await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::NotFound);
    assert_eq!(list(&north, &amy).await, [""; 0]);
    assert_eq!(
        access(&north, &alice, &["4711"], &[]).await,
        ["Alice", "Amy"]
    );
    assert_eq!(show(&north, &amy, "1/26").await.unwrap().evidence, 1);
    assert_eq!(list(&north, &amy).await, ["1/26"]);
    let edit = case::Edit {
        case: "1/26".into(),
        number: None,
        title: Some("By Amy".into()),
        description: None,
    };
    edit.run(&north.node, &caller(&amy)).await.unwrap();
    let shares = share::List::default().run(&north.node, &caller(&amy)).await;
    assert_eq!(shares.unwrap().shares, []);
    let page = evidence::List {
        case: "1/26".into(),
        uncategorised: false,
        after: None,
        limit: None,
    };
    assert_eq!(
        page.run(&north.node, &caller(&amy))
            .await
            .unwrap()
            .evidence
            .len(),
        1
    );
    assert_eq!(access(&north, &alice, &[], &["Amy"]).await, ["Alice"]);
    assert!(show(&north, &amy, "1/26").await.is_err());
    assert_eq!(files(), before, "nothing was made of it");
    north.rebuilds().await;
}

/// OE-03, OE-45, OE-46
#[tokio::test]
async fn units_that_are_chosen_have_the_case_and_others_have_not() {
    let north = Bench::new("north");
    let alice = north.person("Alice", "").await.unwrap();
    let mut people = Vec::new();
    for (unit, name) in [("U1", "Amy"), ("U2", "Ben"), ("U3", "Cara")] {
        people.push(north.person(name, "").await.unwrap());
        group(&north, unit, group::Kind::Unit, name).await;
    }
    make(&north, &alice, "1/26").await;
    for who in &people {
        assert!(show(&north, who, "1/26").await.is_err(), "{}", who.name);
    }
    access(&north, &alice, &["U1", "U2"], &[]).await;
    for (who, has) in people.iter().zip([true, true, false]) {
        assert_eq!(show(&north, who, "1/26").await.is_ok(), has, "{}", who.name);
        assert_eq!(list(&north, who).await.len(), usize::from(has));
    }
    let out = group::Edit {
        group: "U1".into(),
        add: Vec::new(),
        remove: vec!["Amy".into()],
    };
    north.change(out).await.unwrap();
    assert!(show(&north, &people[0], "1/26").await.is_err());
}

/// Every action that is about a case, an item or a share answers as if there were none, and that is on record.
#[tokio::test]
async fn what_is_out_of_reach_looks_like_what_does_not_exist() {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    north.trust(&south, None).await;
    south.trust(&north, None).await;
    for (node, partner) in [(&north, "south"), (&south, "north")] {
        let enable = partner::Enable {
            partner: partner.into(),
            send: BTreeSet::from([Kind::Copy]),
            receive: BTreeSet::from([Kind::Copy]),
        };
        node.change(enable).await.unwrap();
    }
    north.case("1/26").await;
    let item = north.evidence("1/26", "a.bin", b"one").await.id;
    let shared = north.copy("1/26", "south").await.unwrap().id;
    let amy = north.person("Amy", "").await.unwrap();
    let who = caller(&amy);
    let other = interdocket_sync::id::EvidenceId::new(Uuid::from_u128(9));
    let nowhere = interdocket_sync::id::ShareId::new(Uuid::from_u128(9));
    let case = |case: &str| evidence::List {
        case: case.into(),
        uncategorised: false,
        after: None,
        limit: None,
    };
    let hidden = case("1/26").run(&north.node, &who).await.unwrap_err();
    let missing = case("2/26").run(&north.node, &who).await.unwrap_err();
    assert_eq!(hidden.message.replace("1/26", "2/26"), missing.message);
    assert_eq!((hidden.kind, hidden.hints), (missing.kind, missing.hints));
    let hidden = look(item).run(&north.node, &who).await.unwrap_err();
    let missing = look(other).run(&north.node, &who).await.unwrap_err();
    let same = hidden
        .message
        .replace(&item.to_string(), &other.to_string());
    assert_eq!(same, missing.message);
    let end = |share| share::End { share };
    let hidden = end(shared).run(&north.node, &who).await.unwrap_err();
    let missing = end(nowhere).run(&north.node, &who).await.unwrap_err();
    let same = hidden
        .message
        .replace(&shared.to_string(), &nowhere.to_string());
    assert_eq!(same, missing.message);
    let external = |share| external::Show {
        share,
        after: None,
        limit: None,
    };
    let hidden = external(shared).run(&north.node, &who).await.unwrap_err();
    let missing = external(nowhere).run(&north.node, &who).await.unwrap_err();
    let same = hidden
        .message
        .replace(&shared.to_string(), &nowhere.to_string());
    assert_eq!((same, hidden.kind), (missing.message, missing.kind));
    let get = get(item);
    let refused = north.node.open_evidence(&who, get).await;
    assert_eq!(refused.map(drop).unwrap_err().kind, ErrorKind::NotFound);
    let about = north.about(shared.uuid());
    let noted = |event: &Event| matches!(event, Event::Refused(refused) if refused.action == share::End::NAME);
    assert!(about.iter().any(noted));
    let shares = share::List::default().run(&north.node, &who).await.unwrap();
    assert_eq!(shares.shares, []);
    let sets = share::Sets::default().run(&north.node, &who).await.unwrap();
    assert_eq!(sets.sets, []);
    assert_eq!(north.sets().len(), 1, "there is one for who reaches it");
}

/// AE-046, AE-071: and nobody of the owner's.
#[tokio::test]
async fn a_copy_is_reached_by_its_recipients() {
    let (north, south, _) = crate::tests::reading::three().await;
    let bob = south.person("Bob", "").await.unwrap();
    let gus = south.person("Gus", "").await.unwrap();
    let ben = south.person("Ben", "").await.unwrap();
    group(&south, "G", group::Kind::Group, "Gus").await;
    north.case("1/26").await;
    north.evidence("1/26", "a.bin", b"one").await;
    let copy = share::Copy {
        case: "1/26".into(),
        to: vec![to("south", &["bob", "G", "Nobody"])],
        evidence: Vec::new(),
        folders: Vec::new(),
        targets: None,
        message: String::new(),
        attachments: None,
    };
    let share = only(north.change(copy).await.unwrap()).id;
    settle(&north, &south, share).await;
    let received = show(&south, &bob, "1/26").await.unwrap();
    assert_eq!(received.access, ["Bob", "G"]);
    assert!(show(&south, &gus, "1/26").await.is_ok());
    assert!(show(&south, &ben, "1/26").await.is_err());
    south.rebuilds().await;
}

/// A partner that knows an id here calls its own so: who means the id must not get what is the partner's.
#[tokio::test]
async fn an_id_means_what_has_it_whatever_else_is_called_so() {
    let (north, south) = crate::tests::bench::pair().await;
    let own = south.case("7/26").await.id.to_string();
    north.case(&own).await;
    north.evidence(&own, "a.bin", b"one").await;
    let share = north.copy(&own, "south").await.unwrap().id;
    settle(&north, &south, share).await;
    let found = case::Show { case: own };
    let found = found.run(&south.node, &south.node.owner()).await.unwrap();
    assert_eq!(found.number, "7/26");
    let harbour = Bench::new("harbour");
    let name = south.id().to_string();
    let met = crate::event::PartnerMet {
        organisation: harbour.id(),
        name: name.clone(),
        role: partner::OrganisationRole::Investigation,
        root: crate::event::Bytes(harbour.node.parts().keys.root_der().to_vec()),
        address: None,
        words: Vec::new(),
    };
    north.events(vec![Event::PartnerMet(met)]).await.unwrap();
    let found = partner::Show { partner: name };
    let found = found.run(&north.node, &north.node.owner()).await.unwrap();
    assert_eq!(found.id, south.id());
}

/// Neither that there are others, nor how many, nor their ids: of what somebody reaches, every page is full.
#[tokio::test]
async fn lists_tell_nothing_of_what_is_out_of_reach() {
    let (north, south) = crate::tests::bench::pair().await;
    let amy = north.person("Amy", "").await.unwrap();
    let who = caller(&amy);
    let mut reached = Vec::new();
    for number in ["1/26", "2/26", "3/26", "4/26", "5/26"] {
        north.case(number).await;
        north.evidence(number, "a.bin", b"one").await;
        let share = north.copy(number, "south").await.unwrap().id;
        if ["2/26", "4/26"].contains(&number) {
            let access = case::Access {
                case: number.into(),
                add: vec!["Amy".into()],
                remove: Vec::new(),
            };
            north.change(access).await.unwrap();
            reached.push(share);
        }
    }
    let of = |case: &str| share::List {
        case: Some(case.into()),
        ..share::List::default()
    };
    let hidden = of("1/26").run(&north.node, &who).await.unwrap_err();
    let missing = of("9/26").run(&north.node, &who).await.unwrap_err();
    assert_eq!(hidden.message.replace("1/26", "9/26"), missing.message);
    for partner in [None, Some("south".to_owned())] {
        let (mut after, mut found) = (None, Vec::new());
        loop {
            let list = share::List {
                partner: partner.clone(),
                after,
                limit: Some(1),
                ..share::List::default()
            };
            let page = list.run(&north.node, &who).await.unwrap();
            found.extend(page.shares.iter().map(|share| share.id));
            assert!(page.next.is_none() || page.next == found.last().map(ToString::to_string));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found, reached);
    }
    let (mut after, mut found) = (None, Vec::new());
    loop {
        let list = share::Sets {
            after,
            limit: Some(1),
        };
        let page = list.run(&north.node, &who).await.unwrap();
        found.extend(page.sets.iter().map(|set| set.id));
        assert!(page.next.is_none() || page.next == found.last().map(ToString::to_string));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(found.len(), 2);
    assert_eq!(south.shares(), []);
}

/// fault B1
#[tokio::test]
async fn a_user_whose_record_is_lost_closes_no_case() {
    let north = Bench::new("north");
    let amy = north.person("Amy", "").await.unwrap();
    group(&north, "U1", group::Kind::Unit, "Amy").await;
    north.case("1/26").await;
    let access = case::Access {
        case: "1/26".into(),
        add: vec!["Amy".into()],
        remove: Vec::new(),
    };
    north.change(access).await.unwrap();
    let north = north.erased(amy.id);
    let cases = case::List::default();
    let cases = cases.run(&north.node, &north.node.owner()).await.unwrap();
    assert_eq!(cases.cases.len(), 1);
    let unit = group::Show {
        group: "U1".into(),
        after: None,
        limit: None,
    };
    unit.run(&north.node, &north.node.owner()).await.unwrap();
}

#[tokio::test]
async fn whoever_is_added_can_be_addressed_by_name() {
    let north = Bench::new("north");
    let long = "x".repeat(interdocket_sync::limits::RECIPIENT_MAX + 1);
    let refused = north.person(&long, "").await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Invalid);
    assert!(north.person(&long[1..], "").await.is_ok());
}

/// fault B1
#[tokio::test]
async fn a_case_whose_record_is_lost_hides_no_share_of_another() {
    let (north, _) = crate::tests::bench::pair().await;
    let lost = north.case("1/26").await.id;
    for number in ["1/26", "2/26"] {
        if number == "2/26" {
            north.case(number).await;
        }
        north.evidence(number, "a.bin", b"one").await;
        north.copy(number, "south").await.unwrap();
    }
    let north = north.erased(lost.uuid());
    let owner = north.node.owner();
    let shares = share::List::default().run(&north.node, &owner).await;
    assert_eq!(shares.unwrap().shares.len(), 2);
    let sets = share::Sets::default().run(&north.node, &owner).await;
    assert_eq!(sets.unwrap().sets.len(), 2);
}

/// Bytes take their time: who has no access any more when they are there adds nothing.
#[tokio::test]
async fn who_loses_access_while_a_file_arrives_adds_nothing() {
    let north = Bench::new("north");
    let amy = north.person("Amy", "").await.unwrap();
    make(&north, &amy, "1/26").await;
    let (send, body) = tokio::sync::mpsc::channel(1);
    let upload = evidence::Upload {
        case: "1/26".into(),
        name: "a.bin".into(),
        folder: String::new(),
        title: None,
    };
    let (node, who) = (north.node.clone(), caller(&amy));
    let upload = tokio::spawn(async move { node.upload_evidence(&who, upload, body).await });
    let piece = || Ok(bytes::Bytes::from_static(b"one"));
    send.send(piece()).await.unwrap();
    // There is room again only when the node reads.
    send.send(piece()).await.unwrap();
    access(&north, &amy, &[], &["Amy"]).await;
    drop(send);
    let refused = upload.await.unwrap().unwrap_err();
    assert_eq!(refused.kind, ErrorKind::NotFound);
}

/// fault C5
#[tokio::test]
async fn who_guesses_cases_gets_one_record_with_a_count() {
    let north = Bench::new("north");
    let amy = north.person("Amy", "").await.unwrap();
    let records = || north.node.parts().journal.head().count;
    let before = records();
    for number in 0..50 {
        assert!(show(&north, &amy, &format!("{number}/26")).await.is_err());
    }
    assert_eq!(records(), before + 1);
}
