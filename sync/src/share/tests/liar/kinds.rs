//! Lies about references and advanced shares by what their kind has: which entries of an owner are taken at
//! all, and what an import says by itself.

use super::{Forged, Outcome, Refused, Took, lie};
use crate::log::Side;
use crate::log::entry::{Body, CaseInfo, ItemChange};
use crate::refusal::Refusal;
use crate::share::decide::Command;
use crate::share::{Kind, Mode, Policy};
use crate::testing::{
    LIVE, Pair, SYNCHRONISED, actor, evidence, item, offered, reference, reshared, stored,
};

const STATE: Outcome = Refused(Refusal::State);
const MALFORMED: Outcome = Refused(Refusal::Malformed);

fn partner(pair: &Pair, body: Body) -> Outcome {
    lie(pair, Side::Partner, body, |_| {})
}

fn owner(pair: &Pair, body: Body) -> Outcome {
    lie(pair, Side::Owner, body, |_| {})
}

fn import(number: u8) -> Body {
    Body::Imported(vec![stored(number)])
}

/// Items 1 and 2 listed and accepted, then these commands of the owner; both know all of it.
fn after(kind: Kind, commands: impl IntoIterator<Item = Command>) -> Pair {
    let mut pair = Pair::listed_as(kind, &[1, 2]);
    then(&mut pair, commands);
    pair
}

fn then(pair: &mut Pair, commands: impl IntoIterator<Item = Command>) {
    for command in commands {
        let (writer, _) = pair.ends(command.side());
        assert_eq!(writer.run(command), Ok(1));
    }
    pair.exchange();
}

/// A reference that was accepted.
fn referenced() -> Pair {
    let mut pair = Pair::of(reference());
    then(&mut pair, [Command::Offer(offered())]);
    then(&mut pair, [Command::Accept(None)]);
    pair
}

fn grant() -> Command {
    Command::Grant(actor())
}

fn withdraw(number: u128) -> Command {
    Command::Withdraw(vec![evidence(number)])
}

fn changed(number: u128) -> Body {
    Body::EvidenceChanged(vec![ItemChange {
        evidence: evidence(number),
        title: String::new(),
        folder: String::new(),
        metadata: Default::default(),
    }])
}

fn without_import() -> Kind {
    Kind::Advanced(Policy {
        mode: Mode::Synchronised,
        download: true,
        import: false,
        onward: false,
    })
}

#[test]
fn importing_what_came_and_went_after_the_grant_is_refused() {
    let add = || Command::Add(vec![item(3)]);
    let pair = after(LIVE, [grant(), add(), withdraw(3)]);
    assert_eq!(partner(&pair, import(3)), MALFORMED);
    let pair = after(LIVE, [grant(), add(), grant(), withdraw(3)]);
    assert_eq!(partner(&pair, import(3)), Took(1));
}

#[test]
fn importing_what_came_back_needs_a_grant_that_was_seen_to_cover_it() {
    let mut pair = after(LIVE, [withdraw(1), grant()]);
    let before = pair.partner.clone();
    then(&mut pair, [Command::Add(vec![item(1)])]);
    assert_eq!(partner(&pair, import(1)), MALFORMED);
    then(&mut pair, [grant()]);
    assert_eq!(partner(&pair, import(1)), Took(1));
    pair.partner = before;
    assert_eq!(partner(&pair, import(1)), MALFORMED);
}

#[test]
fn storing_what_an_import_says_already_is_refused() {
    let mut pair = after(SYNCHRONISED, [grant()]);
    then(&mut pair, [Command::Import(vec![stored(1)])]);
    let store = |number| Body::Stored(vec![stored(number)]);
    assert_eq!(partner(&pair, store(1)), MALFORMED);
    assert_eq!(partner(&pair, store(2)), Took(1));
}

/// All that an owner can say after its offer.
fn everything() -> Vec<Body> {
    vec![
        Body::EvidenceAdded(vec![item(3)]),
        changed(1),
        Body::EvidenceWithdrawn(vec![evidence(1)]),
        Body::CaseChanged(actor(), CaseInfo::default()),
        Body::ImportGranted(actor()),
        Body::Listed(actor(), 2),
        Body::Ended(actor()),
        Body::Cancelled(actor()),
        Body::Revoked(actor()),
        Body::RecipientsChanged(actor(), Vec::new()),
        Body::Suspended(actor()),
        Body::Resumed(actor()),
        Body::Reshared(actor(), reshared("Bea")),
        Body::RecallAsked(actor(), String::new()),
    ]
}

/// The numbers of the types, as they stand on the wire, of which the reader takes an entry now.
fn taken(pair: &Pair) -> Vec<i32> {
    let of = |body: Body| {
        let kind = Forged::new(&pair.owner, body.clone()).header.r#type;
        match owner(pair, body) {
            Took(1) => Some(kind),
            outcome => {
                assert_eq!(outcome, STATE);
                None
            }
        }
    };
    everything().into_iter().filter_map(of).collect()
}

/// A reference shows nothing of a case; a copy is nobody's to take back or to change, or to take from anybody.
#[test]
fn an_owner_says_only_what_the_kind_of_its_share_has() {
    assert_eq!(taken(&referenced()), [13, 9, 11]);
    assert_eq!(taken(&after(Kind::Copy, [])), [2, 4, 5, 11, 14, 15]);
    assert_eq!(taken(&after(LIVE, [])), [2, 6, 7, 8, 10, 13, 9, 11]);
    assert_eq!(taken(&after(without_import(), [])), [2, 6, 7, 8, 13, 9, 11]);
}

/// What is withdrawn is withdrawn at once, whatever is suspended.
#[test]
fn an_owner_that_suspended_says_nothing_new_before_it_resumes() {
    let suspended = after(LIVE, [Command::Suspend(actor())]);
    assert_eq!(taken(&suspended), [7, 13, 9, 12]);
    let resumed = [Command::Suspend(actor()), Command::Resume(actor())];
    assert_eq!(taken(&after(LIVE, resumed)), taken(&after(LIVE, [])));
}
