//! The smoke run: every target over its corpus and mutations of it, with the seeds that the corpus was
//! made from. More of it was found by libFuzzer.

use prost::Message as _;

use super::TARGETS;
use super::harness::smoke;
use crate::log::Side;
use crate::log::entry::{DeclineReason, RecallAnswer};
use crate::metadata::Metadata;
use crate::receipt::{Countersignature, Receipt};
use crate::share::decide::Command;
use crate::share::{Kind, Totals};
use crate::testing::{self, LIVE, Pair, SYNCHRONISED, actor, item, north, offered, south};
use crate::wire;

type Seeds = Vec<(&'static str, Vec<u8>)>;

fn smoke(name: &str, seeds: Seeds, mutations: usize) {
    let found = TARGETS.into_iter().find(|target| target.0 == name);
    smoke::run(found.unwrap(), seeds, mutations);
}

/// Everything that both sides of an advanced share may say.
fn told() -> Pair {
    let mut pair = Pair::listed_as(SYNCHRONISED, &[1, 2, 4]);
    let stored = [1, 2].map(testing::stored).to_vec();
    pair.partner.run(Command::Store(stored)).unwrap();
    pair.owner.run(Command::Grant(actor())).unwrap();
    pair.exchange();
    let change = crate::log::entry::ItemChange {
        evidence: testing::evidence(1),
        title: "Renamed".into(),
        folder: "Elsewhere".into(),
        metadata: Metadata::default(),
    };
    let info = offered().info;
    for command in [
        Command::Change(vec![change]),
        Command::Withdraw(vec![testing::evidence(2)]),
        Command::ChangeCase(actor(), info),
        Command::ChangeRecipients(actor(), vec!["Bea".into()]),
        Command::Suspend(actor()),
        Command::Resume(actor()),
        Command::List(actor()),
    ] {
        pair.owner.run(command).unwrap();
    }
    let onward = Command::ShareOnward(actor(), vec!["Cem".into()]);
    pair.partner.run(onward).unwrap();
    let imported = Command::Import(vec![testing::stored(1)]);
    pair.partner.run(imported).unwrap();
    pair.exchange();
    pair.owner.run(Command::Revoke(actor())).unwrap();
    pair.exchange();
    let purge = Command::Purge(Totals::default());
    pair.partner.run(purge).unwrap();
    pair.exchange();
    pair
}

/// What is said of copies only: addressed to more people, asked for back, and declined.
fn told_of_copies() -> Vec<Vec<u8>> {
    let mut pair = Pair::listed(&[1]);
    let more = Command::Reshare(actor(), testing::reshared("Bea"));
    pair.owner.run(more).unwrap();
    let recall = Command::Recall(actor(), "Sealed by the court".into());
    pair.owner.run(recall).unwrap();
    pair.exchange();
    let answer = RecallAnswer {
        granted: false,
        reason: "Needed in court".into(),
    };
    let answer = Command::AnswerRecall(actor(), answer);
    pair.partner.run(answer).unwrap();
    let mut declined = Pair::new();
    declined.owner.run(Command::Offer(offered())).unwrap();
    declined.exchange();
    let decline = Command::Decline(actor(), DeclineReason::Unneeded);
    declined.partner.run(decline).unwrap();
    let of =
        |node: &testing::Node, side: Side, number: u64| node.entries[&(side, number)].bytes.clone();
    vec![
        of(&pair.owner, Side::Owner, 4),
        of(&pair.owner, Side::Owner, 5),
        of(&pair.partner, Side::Partner, 2),
        of(&declined.partner, Side::Partner, 1),
    ]
}

const ENTRIES: [&str; 17] = [
    "offered",
    "added",
    "listed",
    "granted",
    "changed",
    "withdrawn",
    "case",
    "recipients",
    "suspended",
    "resumed",
    "listed-again",
    "revoked",
    "accepted",
    "stored",
    "onward",
    "imported",
    "purged",
];

#[test]
fn entries_that_are_read_are_kept_as_they_came() {
    let pair = told();
    let entries = pair.owner.entries.values();
    let mut seeds: Seeds = Vec::new();
    for (name, entry) in ENTRIES.into_iter().zip(entries) {
        seeds.push((name, entry.bytes.clone()));
    }
    assert_eq!(seeds.len(), pair.owner.entries.len());
    let copy = told_of_copies();
    let said = ["reshared", "recall", "answered", "declined"];
    seeds.extend(said.into_iter().zip(copy));
    seeds.push(("redacted", pair.owner.entries[&(Side::Owner, 1)].redacted()));
    smoke("entry", seeds, 4000);
}

#[test]
fn batches_that_are_read_are_written_as_they_came() {
    let pair = told();
    let seeds = vec![
        ("offer", pair.owner.batch(1, 2).unwrap()),
        ("changes", pair.owner.batch(3, 6).unwrap()),
        ("partner", pair.partner.batch(1, 9).unwrap()),
    ];
    smoke("batch", seeds, 1500);
}

#[test]
fn signed_statements_mean_one_thing() {
    let pair = told();
    let head = pair.owner.head(pair.owner.header.owner_log.point);
    let head = head.sign(&north().chained(2));
    let terms = |kind: Kind| testing::terms_of(kind).bytes;
    let countersignature = Countersignature::new(&head, testing::at(9), &south());
    let revoked = Countersignature::revocation(&testing::revocation(), testing::at(9), &south());
    let receipt = Receipt {
        head: head.clone(),
        countersignature: countersignature.clone(),
    };
    let seeds = vec![
        ("head", head.bytes),
        ("copy", terms(Kind::Copy)),
        ("reference", terms(testing::reference())),
        ("live", terms(LIVE)),
        ("revocation", testing::revocation().bytes),
        ("countersignature", countersignature.bytes),
        ("revocation-received", revoked.bytes),
        ("receipt", receipt.bytes()),
    ];
    smoke("signed", seeds, 4000);
}

#[test]
fn messages_that_are_read_mean_what_is_written() {
    let open = wire::session::open(&wire::session::Open {
        share: testing::share(),
        actor: actor(),
        recipient: "Sol Reyes".into(),
        download: true,
    });
    let page = wire::session::page(&wire::session::Page {
        case: offered().info,
        items: vec![item(1), item(2)],
        more: true,
    });
    let gap = wire::refusal::write(crate::refusal::Refusal::Gap { expected: 7 });
    let seeds = vec![
        ("open", [&[0][..], &open.encode_to_vec()].concat()),
        ("page", [&[1][..], &page.encode_to_vec()].concat()),
        ("refusal", [&[2][..], &gap.encode_to_vec()].concat()),
    ];
    smoke("message", seeds, 3000);
}

/// fault B11
#[test]
fn texts_that_are_read_have_one_meaning() {
    let seeds = [
        ("name", "node.north.example:7701"),
        ("ipv4", "192.0.2.1:443"),
        ("ipv6", "[2001:db8::1]:7701"),
        ("mapped", "[::ffff:127.0.0.1]:80"),
        ("octal", "0177.0.0.1:80"),
        ("hexadecimal", "0x7f.1:80"),
        ("uuid", "01890a5d-ac96-774b-bcce-b302099a8057"),
        ("uri", "urn:interdocket:organisation:"),
    ];
    let mut seeds: Seeds = seeds.map(|(name, text)| (name, text.into())).to_vec();
    seeds.push(("invitation", super::pairing::invitation(7).text().into()));
    seeds.push(("digest", north().id.to_string().into()));
    seeds.push(("organisation", north().id.uri().into()));
    smoke("text", seeds, 6000);
}

#[test]
fn requests_ask_for_everything_once() {
    let seeds = vec![
        ("few", vec![9, 3, 2, 1, 2, 3, 4, 5, 1, 1, 0, 2, 200, 7]),
        ("same", [[0, 5, 5, 5, 5, 5]; 8].concat()),
        ("many", (0..=255).collect()),
    ];
    smoke("plan", seeds, 2000);
}

/// fault B1, B2, B4
#[test]
fn only_who_knows_the_secret_is_paired() {
    let seeds = vec![
        (
            "honest",
            vec![0, 1, 1, 0, 0, 2, 0, 0, 3, 0, 0, 4, 0, 3, 0, 0],
        ),
        ("guesses", [[1, 0, 9, 4]; 6].concat()),
        ("late", vec![0, 1, 5, 255, 1, 0, 0, 2, 0, 0, 3, 0, 0]),
        ("raw", vec![6, 4, 8, 0, 18, 0, 7, 4, 8, 0, 18, 0]),
    ];
    smoke("pairing", seeds, 1500);
}

/// fault A6, A9, A12, C9
#[test]
fn liars_say_nothing_that_nobody_could_have_written() {
    smoke("share", super::share::seeds(), 400);
}
