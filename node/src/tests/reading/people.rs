//! Whom a share is addressed to: people by all that they are called, groups, and whom recipients add.

use super::*;
use crate::actions::external::Onward;
use crate::actions::group;
use crate::actions::user;
use crate::tests::bench::caller;

async fn group(at: &Bench, name: &str, members: &[&str]) {
    let add = group::Add {
        name: name.into(),
        kind: group::Kind::Group,
    };
    at.change(add).await.unwrap();
    edit(at, name, members, &[]).await;
}

async fn edit(at: &Bench, group: &str, add: &[&str], remove: &[&str]) {
    let edit = group::Edit {
        group: group.into(),
        add: names(add),
        remove: names(remove),
    };
    at.change(edit).await.unwrap();
}

/// What somebody sees of a share.
async fn sees(at: &Bench, who: &user::User, share: ShareId) -> Result<Shown, Error> {
    let show = Show {
        share,
        after: None,
        limit: None,
    };
    show.run(&at.node, &caller(who)).await
}

/// All bytes of a file, as somebody reads them.
async fn reads(at: &Bench, who: &user::User, get: Get) -> Result<Vec<u8>, Error> {
    let mut opened = at.node.open_external(&caller(who), get).await?;
    let mut bytes = Vec::new();
    while let Some(piece) = opened.bytes.recv().await {
        bytes.extend_from_slice(&piece.unwrap());
    }
    Ok(bytes)
}

/// A case with one file, shared live with these, whose recipients may add people or may not.
async fn live(
    north: &Bench,
    south: &Bench,
    recipients: &[&str],
    onward: bool,
) -> (ShareId, EvidenceId) {
    let set = partner::SetPolicy {
        partner: "south".into(),
        mode: Mode::Live,
        download: true,
        import: true,
        onward,
    };
    north.change(set).await.unwrap();
    north.case("1/26").await;
    let added = north.evidence("1/26", "a.bin", b"one").await.id;
    let request = share::Advanced {
        case: "1/26".into(),
        to: vec![to("south", recipients)],
        evidence: Vec::new(),
        folders: Vec::new(),
        targets: None,
        units: Vec::new(),
        message: String::new(),
    };
    let share = only(north.change(request).await.unwrap()).id;
    follow(north, south, share).await;
    lend(south, share);
    (share, added)
}

async fn add(
    at: &Bench,
    who: &user::User,
    share: ShareId,
    people: &[&str],
) -> Result<Vec<String>, Error> {
    let onward = Onward {
        share,
        recipients: names(people),
    };
    let shown = onward.run(&at.node, &caller(who)).await?;
    Ok(shown.onward)
}

/// AS-021: also who comes in later, and not who goes out.
#[tokio::test]
async fn a_group_is_whoever_is_in_it_when_they_read() {
    let (north, south, _) = three().await;
    let kim = south.person("Kim Berg", "").await.unwrap();
    let lee = south.person("Lee Ito", "").await.unwrap();
    group(&south, "Homicide", &["Kim Berg"]).await;
    let (share, evidence) = live(&north, &south, &[" homicide"], false).await;
    let file = || get(share, evidence);
    assert_eq!(reads(&south, &kim, file()).await.unwrap(), b"one");
    let refused = reads(&south, &lee, file()).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Forbidden);
    edit(&south, "Homicide", &["Lee Ito"], &["Kim Berg"]).await;
    assert_eq!(reads(&south, &lee, file()).await.unwrap(), b"one");
    let refused = reads(&south, &kim, file()).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Forbidden);
    assert!(list(&south, &caller(&kim)).await.is_empty());
    assert_eq!(list(&south, &caller(&lee)).await, [share]);
    let opened = north.about(share.uuid()).into_iter();
    let opened = opened.filter_map(|event| match event {
        Event::SessionOpened(opened) => Some((opened.actor.name, opened.recipient)),
        _ => None,
    });
    let said = |name: &str| (name.to_owned(), "homicide".to_owned());
    let expected = [said("Kim Berg"), said("Lee Ito")];
    assert!(opened.eq(expected), "who read is on record at the owner");
}

/// AS-022, AS-023
#[tokio::test]
async fn people_are_addressed_by_their_address_or_the_number_on_their_badge() {
    let (north, south, _) = three().await;
    let kim = south.person("Kim Berg", "4711").await.unwrap();
    let change = user::Edit {
        user: "4711".into(),
        name: None,
        role: None,
        email: Some("kim@south.example".into()),
        badge: None,
    };
    assert_eq!(south.change(change).await.unwrap().badge, "4711");
    let lee = south.person("Lee Ito", "4712").await.unwrap();
    let (share, evidence) = live(&north, &south, &["Kim@South.example"], false).await;
    let file = || get(share, evidence);
    assert_eq!(reads(&south, &kim, file()).await.unwrap(), b"one");
    assert!(reads(&south, &lee, file()).await.is_err());
    let set = share::Recipients {
        share,
        recipients: names(&["4712"]),
    };
    north.change(set).await.unwrap();
    follow(&north, &south, share).await;
    assert!(reads(&south, &kim, file()).await.is_err());
    assert_eq!(reads(&south, &lee, file()).await.unwrap(), b"one");
    let opened = north.about(share.uuid()).into_iter();
    let badges = opened.filter_map(|event| match event {
        Event::SessionOpened(opened) => Some(opened.actor.badge),
        _ => None,
    });
    assert!(badges.eq(["4711", "4712"]));
}

/// What a number meant before counts no more: it may be another person's now.
#[tokio::test]
async fn a_badge_that_was_handed_on_lets_in_its_new_holder_only() {
    let (north, south, _) = three().await;
    let kim = south.person("Kim Berg", "4711").await.unwrap();
    let (share, evidence) = live(&north, &south, &["4711"], false).await;
    assert!(reads(&south, &kim, get(share, evidence)).await.is_ok());
    let none = user::Edit {
        user: "Kim Berg".into(),
        name: None,
        role: None,
        email: None,
        badge: Some(String::new()),
    };
    south.change(none).await.unwrap();
    assert!(reads(&south, &kim, get(share, evidence)).await.is_err());
    let lee = south.person("Lee Ito", "4711").await.unwrap();
    assert!(reads(&south, &lee, get(share, evidence)).await.is_ok());
    assert!(reads(&south, &kim, get(share, evidence)).await.is_err());
    south.rebuilds().await;
}

#[tokio::test]
async fn nobody_is_called_as_somebody_else_is() {
    let south = Bench::new("south");
    south.person("Kim Berg", "4711").await.unwrap();
    group(&south, "Homicide", &[]).await;
    for (name, badge) in [
        ("kim berg", ""),
        ("4711", ""),
        ("HOMICIDE", ""),
        ("Lee", "4711"),
        ("Lee", "Homicide"),
        ("Lee", "Kim Berg"),
        ("Administrator", ""),
    ] {
        let refused = south.person(name, badge).await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Conflict, "{name} {badge}");
    }
    let again = group::Add {
        name: "4711".into(),
        kind: group::Kind::Unit,
    };
    assert!(south.change(again).await.is_err());
    south.person("Lee", "Lee").await.unwrap();
}

/// AS-061, AS-089, AS-099, AS-100
#[tokio::test]
async fn a_recipient_adds_people_and_groups_of_their_own_organisation() {
    let (north, south, _) = three().await;
    let kim = south.person("Kim Berg", "").await.unwrap();
    let bea = south.person("Bea Holm", "4712").await.unwrap();
    let lee = south.person("Lee Ito", "").await.unwrap();
    group(&south, "Homicide", &["Lee Ito"]).await;
    let (share, evidence) = live(&north, &south, &["Kim Berg"], true).await;
    let file = || get(share, evidence);
    let refused = add(&south, &bea, share, &["4712"]).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Forbidden, "she is no recipient");
    let unknown = add(&south, &kim, share, &["Nobody"]).await.unwrap_err();
    assert_eq!(unknown.kind, ErrorKind::NotFound);
    let added = add(&south, &kim, share, &["4712", "homicide"]).await;
    assert_eq!(added.unwrap(), ["Bea Holm", "Homicide"]);
    follow(&north, &south, share).await;
    for who in [&kim, &bea, &lee] {
        let bytes = reads(&south, who, file()).await;
        assert_eq!(bytes.unwrap(), b"one", "{}", who.name);
        assert_eq!(sees(&south, who, share).await.unwrap().items.len(), 1);
    }
    assert_eq!(north.shown(share).onward, ["Bea Holm", "Homicide"]);
    let further = add(&south, &bea, share, &["Lee Ito"]).await.unwrap_err();
    assert_eq!(
        further.kind,
        ErrorKind::Forbidden,
        "who was added adds nobody"
    );
    add(&south, &kim, share, &["Bea Holm"]).await.unwrap();
    follow(&north, &south, share).await;
    assert!(reads(&south, &lee, file()).await.is_err());
    for node in [&north, &south] {
        node.rebuilds().await;
    }
}

/// AS-089
#[tokio::test]
async fn a_policy_without_it_lets_no_recipient_add_people() {
    let (north, south, _) = three().await;
    let kim = south.person("Kim Berg", "").await.unwrap();
    south.person("Bea Holm", "").await.unwrap();
    let (share, _) = live(&north, &south, &["Kim Berg"], false).await;
    let refused = add(&south, &kim, share, &["Bea Holm"]).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Forbidden);
    let about = south.about(share.uuid());
    let on_record = |event: &Event| matches!(event, Event::Refused(refused) if refused.action == "external.onward");
    assert!(about.iter().any(on_record));
    assert!(south.shown(share).onward.is_empty());
}

#[tokio::test]
async fn who_was_added_goes_with_the_recipients_whom_the_owner_changes() {
    let (north, south, _) = three().await;
    let kim = south.person("Kim Berg", "").await.unwrap();
    let bea = south.person("Bea Holm", "").await.unwrap();
    let (share, evidence) = live(&north, &south, &["Kim Berg"], true).await;
    add(&south, &kim, share, &["Bea Holm"]).await.unwrap();
    follow(&north, &south, share).await;
    assert!(reads(&south, &bea, get(share, evidence)).await.is_ok());
    let set = share::Recipients {
        share,
        recipients: names(&["Robin"]),
    };
    north.change(set).await.unwrap();
    // The owner refuses before the partner knows.
    assert!(reads(&south, &bea, get(share, evidence)).await.is_err());
    assert!(north.shown(share).onward.is_empty());
    follow(&north, &south, share).await;
    let refused = sees(&south, &bea, share).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Forbidden);
    let refused = add(&south, &kim, share, &["Bea Holm"]).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Forbidden);
}

/// Also while they read.
#[tokio::test]
async fn who_goes_out_of_a_group_reads_no_further() {
    let (north, south, _) = three().await;
    let kim = south.person("Kim Berg", "").await.unwrap();
    group(&south, "Homicide", &["Kim Berg"]).await;
    policy(&north, Mode::Live, true, true).await;
    north.case("1/26").await;
    let evidence = north.evidence("1/26", "a.bin", &vec![3; SIZE]).await.id;
    let request = reference("1/26", &[], &["Homicide"]);
    let share = only(north.change(request).await.unwrap()).id;
    follow(&north, &south, share).await;
    let who = caller(&kim);
    let opened = south.node.open_external(&who, get(share, evidence));
    let mut opened = opened.await.unwrap();
    opened.bytes.recv().await.unwrap().unwrap();
    edit(&south, "Homicide", &[], &["Kim Berg"]).await;
    let mut bytes = 0;
    while let Some(Ok(piece)) = opened.bytes.recv().await {
        bytes += piece.len();
    }
    assert!(bytes < SIZE / 2, "{bytes}");
}
