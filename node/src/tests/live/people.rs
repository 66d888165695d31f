//! Whether a partner's node knows those to whom something is addressed.

use super::*;
use crate::actions::user;
use crate::actions::{Error, ErrorKind, partner};
use crate::store::table;

/// Shares a case, as a person does it.
async fn share(north: &Bench, south: &Bench, recipients: &[&str]) -> Result<share::Share, Error> {
    let advanced = share::Advanced {
        case: "1/26".into(),
        to: vec![to(south.name, recipients)],
        evidence: Vec::new(),
        folders: Vec::new(),
        targets: None,
        units: Vec::new(),
        message: String::new(),
    };
    let made = advanced.run(&north.node, &north.node.owner()).await;
    made.map(only)
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
        name: None,
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

/// What is over has no recipients: a partner is not told of anybody whom somebody wanted to have it.
#[tokio::test(flavor = "multi_thread")]
async fn a_partner_is_not_asked_about_recipients_of_what_is_over() {
    let (north, south) = (Bench::new("north"), Bench::new("south"));
    let live = Live::new();
    live.pair(&north, &south, Mode::Live, true).await;
    north.case("1/26").await;
    south.person("Kim Berg", "4711").await.unwrap();
    contact(&north, &south).await;
    let share = share(&north, &south, &["4711"]).await.unwrap().id;
    north.change(share::Revoke { share }).await.unwrap();
    let set = share::Recipients {
        share,
        recipients: vec!["Lee".into()],
    };
    let refused = set.run(&north.node, &north.node.owner()).await;
    assert_eq!(refused.unwrap_err().kind, ErrorKind::Conflict);
    assert_eq!(told(&south, &north), [(vec!["Kim Berg".to_owned()], 0)]);
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

/// OE-41: what a partner is asked is about its own people, and nobody has it where one of them is unknown.
#[tokio::test(flavor = "multi_thread")]
async fn each_partner_of_a_set_is_asked_about_its_own_people() {
    let [north, south, court] = ["north", "south", "court"].map(Bench::new);
    let live = Live::new();
    for partner in [&south, &court] {
        live.pair(&north, partner, Mode::Live, true).await;
        contact(&north, partner).await;
    }
    south.person("Kim Berg", "4711").await.unwrap();
    court.person("Lee Park", "17").await.unwrap();
    north.case("1/26").await;
    let offer = |at_court: &str| share::Advanced {
        case: "1/26".into(),
        to: vec![to("south", &["4711"]), to("court", &[at_court])],
        evidence: Vec::new(),
        folders: Vec::new(),
        targets: None,
        units: Vec::new(),
        message: String::new(),
    };
    let owner = north.node.owner();
    let refused = offer("4711").run(&north.node, &owner).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::NotFound);
    let expected =
        "nothing was shared, because of \"court\": \"court\" knows nobody called \"4711\"";
    assert_eq!(refused.message, expected);
    assert!(north.sets().is_empty());
    let made = offer("17").run(&north.node, &owner).await.unwrap();
    let recipients = made.shares.into_iter().map(|share| share.recipients);
    assert_eq!(recipients.collect::<Vec<_>>(), [["Kim Berg"], ["Lee Park"]]);
    let kim = || (vec!["Kim Berg".to_owned()], 0);
    assert_eq!(told(&south, &north), [kim(), kim()]);
    let lee = (vec!["Lee Park".to_owned()], 0);
    assert_eq!(told(&court, &north), [(Vec::new(), 1), lee]);
    live.end().await;
}
