//! Lies about references and advanced shares: what a partner says that it was not granted, and what an
//! owner says that the kind, the policy or an earlier entry rules out.

use super::{Forged, Outcome, Refused, Took, batch, bring, lie};
use crate::log::Side;
use crate::log::entry::{Body, CaseInfo, ItemChange, Purged};
use crate::refusal::Refusal;
use crate::share::decide::Command;
use crate::share::{Kind, Mode, Policy, Totals};
use crate::testing::{
    LIVE, Pair, SYNCHRONISED, actor, evidence, file, item, offered, reference, revocation, stored,
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
    }])
}

fn without_import() -> Kind {
    Kind::Advanced(Policy {
        mode: Mode::Synchronised,
        download: true,
        import: false,
    })
}

#[test]
fn importing_without_a_grant_is_refused() {
    for kind in [SYNCHRONISED, LIVE, without_import(), Kind::Copy] {
        assert_eq!(partner(&after(kind, []), import(1)), STATE);
    }
    assert_eq!(partner(&referenced(), import(1)), STATE);
    for kind in [SYNCHRONISED, LIVE] {
        assert_eq!(partner(&after(kind, [grant()]), import(1)), Took(1));
    }
}

#[test]
fn importing_under_a_grant_that_was_not_seen_is_refused() {
    let mut pair = Pair::listed_as(SYNCHRONISED, &[1]);
    pair.owner.run(grant()).unwrap();
    assert_eq!(partner(&pair, import(1)), STATE);
    pair.exchange();
    assert_eq!(partner(&pair, import(1)), Took(1));
}

#[test]
fn importing_what_was_listed_after_the_grant_is_refused() {
    let mut pair = after(LIVE, [grant(), Command::Add(vec![item(3)])]);
    assert_eq!(partner(&pair, import(3)), MALFORMED);
    then(&mut pair, [grant()]);
    assert_eq!(partner(&pair, import(3)), Took(1));
}

#[test]
fn importing_what_was_withdrawn_before_the_grant_is_refused_and_after_it_not() {
    let pair = after(LIVE, [withdraw(1), grant()]);
    assert_eq!(partner(&pair, import(1)), MALFORMED);
    assert_eq!(partner(&pair, import(2)), Took(1));
    let pair = after(LIVE, [grant(), withdraw(1)]);
    assert_eq!(partner(&pair, import(1)), Took(1));
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
fn importing_other_files_nothing_or_anything_twice_is_refused() {
    let mut pair = after(SYNCHRONISED, [grant()]);
    let mut other = stored(2);
    other.files.reverse();
    assert_eq!(partner(&pair, Body::Imported(vec![other])), MALFORMED);
    assert_eq!(partner(&pair, import(3)), Refused(Refusal::NotShared));
    assert_eq!(partner(&pair, Body::Imported(Vec::new())), MALFORMED);
    let twice = Body::Imported(vec![stored(1), stored(1)]);
    assert_eq!(partner(&pair, twice), MALFORMED);
    then(&mut pair, [Command::Import(vec![stored(1)])]);
    assert_eq!(partner(&pair, import(1)), MALFORMED);
    assert_eq!(partner(&pair, import(2)), Took(1));
}

#[test]
fn storing_what_an_import_says_already_is_refused() {
    let mut pair = after(SYNCHRONISED, [grant()]);
    then(&mut pair, [Command::Import(vec![stored(1)])]);
    let store = |number| Body::Stored(vec![stored(number)]);
    assert_eq!(partner(&pair, store(1)), MALFORMED);
    assert_eq!(partner(&pair, store(2)), Took(1));
}

#[test]
fn storing_where_the_partner_keeps_no_files_is_refused() {
    let store = || Body::Stored(vec![stored(1)]);
    assert_eq!(partner(&after(LIVE, []), store()), STATE);
    assert_eq!(partner(&referenced(), store()), STATE);
    assert_eq!(partner(&after(SYNCHRONISED, []), store()), Took(1));
}

#[test]
fn storing_after_the_withdrawal_was_known_is_refused_and_before_it_not() {
    let mut pair = Pair::listed_as(SYNCHRONISED, &[1, 2]);
    pair.owner.run(withdraw(1)).unwrap();
    let store = || Body::Stored(vec![stored(1)]);
    assert_eq!(partner(&pair, store()), Took(1));
    pair.exchange();
    assert_eq!(partner(&pair, store()), MALFORMED);
}

/// fault A5
#[test]
fn a_partner_that_knows_of_the_revocation_says_only_what_was_granted_and_purged() {
    let mut pair = after(SYNCHRONISED, [grant()]);
    then(&mut pair, [Command::Revoke(actor())]);
    assert_eq!(partner(&pair, Body::Stored(vec![stored(1)])), STATE);
    assert_eq!(partner(&pair, Body::Accepted(None)), STATE);
    assert_eq!(partner(&pair, import(1)), Took(1));
    assert_eq!(partner(&pair, Body::Purged(Purged::default())), Took(1));
}

#[test]
fn purging_what_was_not_revoked_or_never_accepted_is_refused() {
    let purge = || Body::Purged(Purged::default());
    for pair in [
        after(SYNCHRONISED, [grant()]),
        after(LIVE, []),
        referenced(),
    ] {
        assert_eq!(partner(&pair, purge()), STATE);
    }
    let mut pair = Pair::of(reference());
    then(&mut pair, [Command::Offer(offered())]);
    then(&mut pair, [Command::Revoke(actor())]);
    assert_eq!(partner(&pair, purge()), STATE);
}

#[test]
fn keeping_more_or_less_than_what_was_imported_is_refused() {
    let mut pair = after(SYNCHRONISED, [grant()]);
    then(&mut pair, [Command::Import(vec![stored(1)])]);
    then(&mut pair, [Command::Revoke(actor())]);
    let kept = pair.partner.header.imported;
    let purge = |kept| {
        let erased = Totals::default();
        partner(&pair, Body::Purged(Purged { erased, kept }))
    };
    assert_eq!(purge(kept), Took(1));
    assert_eq!(purge(Totals::default()), MALFORMED);
    let bends: [fn(&mut Totals); 3] = [
        |kept| kept.evidence += 1,
        |kept| kept.files += 1,
        |kept| kept.bytes -= 1,
    ];
    for bend in bends {
        let mut other = kept;
        bend(&mut other);
        assert_eq!(purge(other), MALFORMED);
    }
}

/// A partner that was told by the statement alone can show that it had seen nothing of it in the log.
#[test]
fn nothing_is_said_after_the_purge_whatever_was_seen() {
    let mut pair = after(SYNCHRONISED, [grant()]);
    pair.owner.run(Command::Revoke(actor())).unwrap();
    pair.partner.revoked(&revocation());
    pair.partner.run(Command::Purge(Totals::default())).unwrap();
    let bytes = pair.partner.batch(2, 1).unwrap();
    assert_eq!(pair.owner.take(&bytes), Ok(1));
    for body in [
        Body::Stored(vec![stored(1)]),
        import(1),
        Body::Purged(Purged::default()),
        Body::Accepted(None),
    ] {
        assert_eq!(partner(&pair, body), STATE);
    }
}

/// Later entries of a batch are judged by what the earlier ones brought.
#[test]
fn purging_twice_in_one_batch_is_refused() {
    let pair = after(LIVE, [Command::Revoke(actor())]);
    let first = Forged::new(&pair.partner, Body::Purged(Purged::default()));
    let again = first.then();
    let head = pair.partner.head(again.point());
    let message = batch(&[first, again], head, &pair.partner.organisation);
    assert_eq!(bring(&pair.owner, &message), STATE);
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

/// A reference shows nothing of a case; a copy is nobody's to take back or to change.
#[test]
fn an_owner_says_only_what_the_kind_of_its_share_has() {
    assert_eq!(taken(&referenced()), [13, 9, 11]);
    assert_eq!(taken(&after(Kind::Copy, [])), [2, 4, 5, 9, 11]);
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

/// fault A4
#[test]
fn an_owner_says_nothing_after_the_revocation() {
    for kind in [LIVE, SYNCHRONISED] {
        assert!(taken(&after(kind, [Command::Revoke(actor())])).is_empty());
        let both = [Command::Suspend(actor()), Command::Revoke(actor())];
        assert!(taken(&after(kind, both)).is_empty());
    }
    let mut pair = referenced();
    then(&mut pair, [Command::Revoke(actor())]);
    assert!(taken(&pair).is_empty());
}

#[test]
fn granting_before_the_acceptance_was_seen_is_refused() {
    let mut pair = Pair::of(LIVE);
    then(&mut pair, [Command::Offer(offered())]);
    let granted = |pair: &Pair| owner(pair, Body::ImportGranted(actor()));
    assert_eq!(granted(&pair), STATE);
    pair.partner.run(Command::Accept(None)).unwrap();
    assert_eq!(granted(&pair), STATE);
    pair.exchange();
    assert_eq!(granted(&pair), Took(1));
}

#[test]
fn changing_or_withdrawing_what_is_not_listed_is_refused() {
    let gone = after(LIVE, [withdraw(1)]);
    for (pair, number) in [(&after(LIVE, []), 3), (&gone, 1)] {
        let withdrawn = Body::EvidenceWithdrawn(vec![evidence(2), evidence(number)]);
        let refused = Refused(Refusal::NotShared);
        assert_eq!(owner(pair, withdrawn), refused);
        assert_eq!(owner(pair, changed(number)), refused);
    }
    for ids in [vec![], vec![evidence(2), evidence(2)]] {
        let change = |id| ItemChange {
            evidence: id,
            title: String::new(),
            folder: String::new(),
        };
        let changes = ids.iter().copied().map(change).collect();
        assert_eq!(owner(&gone, Body::EvidenceChanged(changes)), MALFORMED);
        assert_eq!(owner(&gone, Body::EvidenceWithdrawn(ids)), MALFORMED);
    }
}

/// What the partner stated or imported would be about something else.
#[test]
fn what_was_withdrawn_comes_back_with_the_files_that_it_had() {
    let pair = after(LIVE, [withdraw(2)]);
    let bends: [fn(&mut crate::evidence::Item); 4] = [
        |item| item.files.truncate(1),
        |item| item.files.reverse(),
        |item| item.files.push(file(8, 0)),
        |item| item.files[0] = file(8, 0),
    ];
    for bend in bends {
        let mut other = item(2);
        bend(&mut other);
        let add = Command::Add(vec![other.clone()]);
        let written = pair.owner.clone().run(add);
        assert_eq!(written, Err(Refusal::Malformed));
        assert_eq!(owner(&pair, Body::EvidenceAdded(vec![other])), MALFORMED);
    }
    let mut renamed = item(2);
    renamed.title = "Renamed".to_owned();
    assert_eq!(owner(&pair, Body::EvidenceAdded(vec![renamed])), Took(1));
}
