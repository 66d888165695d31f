//! Whether a partner's node knows those to whom something is addressed.

use super::*;
use crate::actions::user;
use crate::actions::{Error, ErrorKind, partner};
use crate::store::table;

/// Shares a case, as a person does it.
async fn share(north: &Bench, south: &Bench, recipients: &[&str]) -> Result<share::Share, Error> {
    let advanced = share::Advanced {
        case: "1/26".into(),
        partner: south.name.into(),
        evidence: Vec::new(),
        folders: Vec::new(),
        recipients: recipients.iter().map(|&name| name.into()).collect(),
        message: String::new(),
    };
    advanced.run(&north.node, &north.node.owner()).await
}

/// What a partner was told of people here, and of how many that nobody is called so.
fn told(node: &Bench, partner: &Bench) -> Vec<(Vec<String>, u32)> {
    let about = node.about(crate::event::subject(partner.id()));
    let asked = about.into_iter().filter_map(|event| match event {
        Event::RecipientsAsked(asked) => Some((asked.known, asked.unknown)),
        _ => None,
    });
    asked.collect()
}

async fn contact(north: &Bench, south: &Bench) {
    let of = |node: &Bench| node.node.parts().transport.registry().contacts();
    until("there is contact", || {
        of(north).get(&south.id()).is_some_and(|links| *links > 0)
    })
    .await;
}

/// AS-020, AS-021, AS-022, AS-023
#[tokio::test(flavor = "multi_thread")]
async fn whom_the_partner_knows_is_named_as_it_names_them_and_nobody_else_is() {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    let live = Live::new();
    live.pair(&north, &south, Mode::Live, true).await;
    north.case("1/26").await;
    south.person("Kim Berg", "4711").await.unwrap();
    let email = user::Edit {
        user: "Kim Berg".into(),
        role: None,
        email: Some("kim@south.example".into()),
        badge: None,
    };
    south.change(email).await.unwrap();
    contact(&north, &south).await;
    let called = ["4711", "kim@SOUTH.example", "kim berg "];
    let made = share(&north, &south, &called).await.unwrap();
    assert_eq!(made.recipients, ["Kim Berg"]);
    let refused = share(&north, &south, &["Kim Berg", "4712"]).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::NotFound);
    assert!(refused.message.contains("\"4712\""), "{refused}");
    let set = share::Recipients {
        share: made.id,
        recipients: vec!["Ber".into()],
    };
    let refused = set.run(&north.node, &north.node.owner()).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::NotFound, "not by a part of a name");
    let kim = || "Kim Berg".to_owned();
    let expected = [
        (vec![kim(), kim(), kim()], 0),
        (vec![kim()], 1),
        (Vec::new(), 1),
    ];
    assert_eq!(told(&south, &north), expected);
    live.end().await;
}

/// Who takes nothing from a partner tells it nothing of people either.
#[tokio::test(flavor = "multi_thread")]
async fn a_partner_whose_shares_are_not_taken_is_told_of_nobody() {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    let live = Live::new();
    live.pair(&north, &south, Mode::Live, true).await;
    south.person("Kim Berg", "4711").await.unwrap();
    north.case("1/26").await;
    let nothing = partner::Enable {
        partner: "north".into(),
        send: [partner::Kind::Copy].into(),
        receive: Default::default(),
    };
    south.change(nothing).await.unwrap();
    contact(&north, &south).await;
    let made = share(&north, &south, &["4711"]).await.unwrap();
    assert_eq!(made.recipients, ["4711"]);
    assert_eq!(told(&south, &north), []);
    live.end().await;
}

#[tokio::test]
async fn without_contact_people_are_addressed_as_they_were_typed() {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    north.trust(&south, None).await;
    let enable = partner::Enable {
        partner: "south".into(),
        send: [partner::Kind::Advanced].into(),
        receive: Default::default(),
    };
    north.change(enable).await.unwrap();
    let policy = partner::SetPolicy {
        partner: "south".into(),
        mode: Mode::Live,
        download: false,
        import: false,
        onward: false,
    };
    north.change(policy).await.unwrap();
    north.case("1/26").await;
    let made = share(&north, &south, &[" 4711"]).await.unwrap();
    assert_eq!(made.recipients, ["4711"]);
    let reading = north.node.parts().store.read();
    let kept = reading.view().get(&table::SHARE, &made.id).unwrap();
    assert_eq!(kept.unwrap().recipients, ["4711"]);
}
