//! Lies about references and advanced shares: what no grant, no policy, no withdrawal and no revocation
//! bears out.

use super::{Forged, Outcome, Refused, Took, batch, bring, lie};
use crate::blob::{Digest, Sha256};
use crate::id::ShareId;
use crate::log::Side;
use crate::log::entry::{Body, CaseInfo, ItemChange, Purged};
use crate::metadata::Metadata;
use crate::refusal::Refusal;
use crate::share::decide::Command;
use crate::share::revocation::Revocation;
use crate::share::{Facts, Kind, Mode, Policy, Totals};
use crate::testing::{
    LIVE, Node, Pair, SYNCHRONISED, actor, evidence, harbour, item, north, offered, reference,
    revocation, south, stored,
};

const MALFORMED: Outcome = Refused(Refusal::Malformed);
const STATE: Outcome = Refused(Refusal::State);
const UNLISTED: Outcome = Refused(Refusal::NotShared);

fn partner(pair: &Pair, body: Body) -> Outcome {
    lie(pair, Side::Partner, body, |_| {})
}

fn owner(pair: &Pair, body: Body) -> Outcome {
    lie(pair, Side::Owner, body, |_| {})
}

fn imported(number: u8) -> Body {
    Body::Imported(vec![stored(number)])
}

fn stores(number: u8) -> Body {
    Body::Stored(vec![stored(number)])
}

fn purged(kept: Totals) -> Body {
    let erased = Totals::default();
    Body::Purged(Purged { erased, kept })
}

fn run(node: &mut Node, commands: impl IntoIterator<Item = Command>) {
    for command in commands {
        assert!(node.run(command).unwrap() > 0);
    }
}

fn withdraw(number: u8) -> Command {
    Command::Withdraw(vec![evidence(number.into())])
}

/// Items 1 and 2 are listed, and all that the owner says next is known to both.
fn after(kind: Kind, commands: impl IntoIterator<Item = Command>) -> Pair {
    let mut pair = Pair::listed_as(kind, &[1, 2]);
    run(&mut pair.owner, commands);
    pair.exchange();
    pair
}

/// The same, but the partner does not know what the owner says next.
fn unseen(kind: Kind, commands: impl IntoIterator<Item = Command>) -> Pair {
    let mut pair = Pair::listed_as(kind, &[1, 2]);
    run(&mut pair.owner, commands);
    pair
}

fn referred() -> Pair {
    let mut pair = Pair::of(reference());
    pair.owner.run(Command::Offer(offered())).unwrap();
    pair.exchange();
    pair.partner.run(Command::Accept(None)).unwrap();
    pair.exchange();
    pair
}

const fn without_import(mode: Mode) -> Kind {
    Kind::Advanced(Policy {
        mode,
        download: true,
        import: false,
        onward: false,
    })
}

/// fault A6
#[test]
fn importing_without_a_grant_or_before_it_was_seen_is_refused() {
    for kind in [LIVE, SYNCHRONISED] {
        let grant = || [Command::Grant(actor())];
        assert_eq!(partner(&after(kind, []), imported(1)), STATE);
        assert_eq!(partner(&unseen(kind, grant()), imported(1)), STATE);
        assert_eq!(partner(&after(kind, grant()), imported(1)), Took(1));
    }
    assert_eq!(partner(&Pair::listed(&[1]), imported(1)), STATE);
    assert_eq!(partner(&referred(), imported(1)), STATE);
}

#[test]
fn importing_what_no_grant_covers_is_refused() {
    let withdrawn = [withdraw(1), Command::Grant(actor())];
    let pair = after(SYNCHRONISED, withdrawn.clone());
    assert_eq!(partner(&pair, imported(1)), MALFORMED);
    assert_eq!(partner(&pair, imported(2)), Took(1));
    let later = [Command::Grant(actor()), Command::Add(vec![item(3)])];
    let pair = after(SYNCHRONISED, later);
    assert_eq!(partner(&pair, imported(3)), MALFORMED);
    assert_eq!(partner(&pair, imported(4)), UNLISTED);
    // That it is listed again does not bring it under the grant that came before.
    let again = withdrawn.into_iter().chain([Command::Add(vec![item(1)])]);
    assert_eq!(partner(&after(SYNCHRONISED, again), imported(1)), MALFORMED);
    // Nor that it is withdrawn once more.
    let again = [
        withdraw(1),
        Command::Grant(actor()),
        Command::Add(vec![item(1)]),
        withdraw(1),
    ];
    assert_eq!(partner(&after(SYNCHRONISED, again), imported(1)), MALFORMED);
}

#[test]
fn importing_what_could_not_have_been_seen_is_refused() {
    let mut pair = after(LIVE, [Command::Grant(actor())]);
    let more = [Command::Add(vec![item(3)]), Command::Grant(actor())];
    run(&mut pair.owner, more);
    assert_eq!(partner(&pair, imported(3)), MALFORMED);
}

#[test]
fn importing_twice_nothing_or_other_files_is_refused() {
    let mut pair = after(SYNCHRONISED, [Command::Grant(actor())]);
    let twice = Body::Imported(vec![stored(1), stored(1)]);
    assert_eq!(partner(&pair, twice), MALFORMED);
    assert_eq!(partner(&pair, Body::Imported(Vec::new())), MALFORMED);
    let mut other = stored(1);
    other.files[0] = Digest([9; 32]);
    assert_eq!(partner(&pair, Body::Imported(vec![other])), MALFORMED);
    pair.partner.run(Command::Import(vec![stored(1)])).unwrap();
    pair.exchange();
    assert_eq!(partner(&pair, imported(1)), MALFORMED);
    // An import says that it is stored as well.
    assert_eq!(partner(&pair, stores(1)), MALFORMED);
}

/// An import stays one, whatever is withdrawn and listed again.
#[test]
fn importing_again_what_was_listed_again_is_refused() {
    let mut pair = after(SYNCHRONISED, [Command::Grant(actor())]);
    pair.partner.run(Command::Import(vec![stored(1)])).unwrap();
    pair.exchange();
    let again = [
        withdraw(1),
        Command::Add(vec![item(1)]),
        Command::Grant(actor()),
    ];
    run(&mut pair.owner, again);
    pair.exchange();
    assert_eq!(partner(&pair, imported(1)), MALFORMED);
    assert_eq!(partner(&pair, stores(1)), Took(1));
}

#[test]
fn storing_what_is_not_kept_at_the_partner_is_refused() {
    assert_eq!(partner(&after(LIVE, []), stores(1)), STATE);
    assert_eq!(partner(&referred(), stores(1)), STATE);
    assert_eq!(partner(&after(SYNCHRONISED, []), stores(1)), Took(1));
}

#[test]
fn storing_what_was_seen_to_be_withdrawn_is_refused() {
    let withdrawn = || [withdraw(1)];
    let pair = after(SYNCHRONISED, withdrawn());
    assert_eq!(partner(&pair, stores(1)), MALFORMED);
    // Who had not seen it could not know.
    let pair = unseen(SYNCHRONISED, withdrawn());
    assert_eq!(partner(&pair, stores(1)), Took(1));
}

/// fault A5: the revocation was known.
#[test]
fn storing_or_accepting_after_the_revocation_was_known_is_refused() {
    let pair = after(SYNCHRONISED, [Command::Revoke(actor())]);
    assert_eq!(partner(&pair, stores(1)), STATE);
    let mut pair = Pair::of(SYNCHRONISED);
    pair.owner.run(Command::Offer(offered())).unwrap();
    pair.owner.run(Command::Revoke(actor())).unwrap();
    pair.exchange();
    assert_eq!(partner(&pair, Body::Accepted(None)), STATE);
}

#[test]
fn purging_what_was_not_revoked_is_refused() {
    for pair in [
        after(LIVE, []),
        after(SYNCHRONISED, [Command::Suspend(actor())]),
        referred(),
        Pair::listed(&[1]),
    ] {
        assert_eq!(partner(&pair, purged(Totals::default())), STATE);
    }
}

#[test]
fn purging_with_more_or_less_kept_than_was_imported_is_refused() {
    let mut pair = after(SYNCHRONISED, [Command::Grant(actor())]);
    run(&mut pair.partner, [Command::Import(vec![stored(2)])]);
    run(&mut pair.owner, [Command::Revoke(actor())]);
    pair.exchange();
    let kept = pair.owner.header.imported;
    assert_eq!(kept.evidence, 1);
    let bends: [fn(&mut Totals); 4] = [
        |kept| kept.evidence += 1,
        |kept| kept.files -= 1,
        |kept| kept.bytes = u64::MAX,
        |kept| *kept = Totals::default(),
    ];
    for bend in bends {
        let mut kept = kept;
        bend(&mut kept);
        assert_eq!(partner(&pair, purged(kept)), MALFORMED);
    }
    assert_eq!(partner(&pair, purged(kept)), Took(1));
}

#[test]
fn a_partner_says_nothing_after_it_purged() {
    let revoked = [Command::Grant(actor()), Command::Revoke(actor())];
    let mut pair = after(SYNCHRONISED, revoked);
    run(&mut pair.partner, [Command::Purge(Totals::default())]);
    pair.exchange();
    for body in [
        imported(1),
        stores(1),
        purged(Totals::default()),
        Body::Accepted(None),
    ] {
        assert_eq!(partner(&pair, body), STATE);
    }
}

/// A statement that pretends to be from before the revocation comes too late after the purge.
#[test]
fn storing_after_the_purge_is_refused_whatever_it_says_was_seen() {
    let mut pair = unseen(SYNCHRONISED, [Command::Revoke(actor())]);
    pair.partner.revoked(&revocation());
    run(&mut pair.partner, [Command::Purge(Totals::default())]);
    let purge = pair.partner.batch(2, 1).unwrap();
    pair.owner.take(&purge).unwrap();
    assert_eq!(partner(&pair, stores(1)), STATE);
}

#[test]
fn disclosing_anything_in_a_reference_is_refused() {
    let pair = referred();
    let change = ItemChange {
        evidence: evidence(1),
        title: String::new(),
        folder: String::new(),
        metadata: Metadata::default(),
    };
    for body in [
        Body::EvidenceAdded(vec![item(1)]),
        Body::EvidenceChanged(vec![change]),
        Body::EvidenceWithdrawn(vec![evidence(1)]),
        Body::CaseChanged(actor(), CaseInfo::default()),
        Body::ImportGranted(actor()),
        Body::Listed(actor(), 1),
        Body::Ended(actor()),
        Body::Cancelled(actor()),
    ] {
        assert_eq!(owner(&pair, body), STATE);
    }
    assert_eq!(owner(&pair, Body::Revoked(actor())), Took(1));
}

#[test]
fn changing_or_withdrawing_what_is_not_listed_or_twice_is_refused() {
    let change = |number: u8| ItemChange {
        evidence: evidence(number.into()),
        title: "Renamed".to_owned(),
        folder: String::new(),
        metadata: Metadata::default(),
    };
    let changes = |numbers: &[u8]| {
        let changes = numbers.iter().map(|number| change(*number));
        Body::EvidenceChanged(changes.collect())
    };
    let withdraws = |numbers: &[u8]| {
        let ids = numbers.iter().map(|number| evidence((*number).into()));
        Body::EvidenceWithdrawn(ids.collect())
    };
    let pair = after(LIVE, [withdraw(2)]);
    for (numbers, outcome) in [
        (&[1][..], Took(1)),
        (&[1, 2], UNLISTED),
        (&[1, 3], UNLISTED),
        (&[1, 1], MALFORMED),
        (&[], MALFORMED),
    ] {
        for body in [changes(numbers), withdraws(numbers)] {
            assert_eq!(owner(&pair, body), outcome);
        }
    }
}

#[test]
fn listing_again_what_was_withdrawn_with_other_files_is_refused() {
    let pair = after(SYNCHRONISED, [withdraw(2)]);
    let bends: [fn(&mut crate::evidence::Item); 5] = [
        |item| item.files.truncate(1),
        |item| item.files.reverse(),
        |item| item.files.push(crate::testing::file(9, 0)),
        |item| item.files[0].blake3 = Digest([9; 32]),
        |item| item.files[0].sha256 = Sha256([9; 32]),
    ];
    for bend in bends {
        let mut other = item(2);
        bend(&mut other);
        let again = Body::EvidenceAdded(vec![other]);
        assert_eq!(owner(&pair, again), MALFORMED);
    }
    let mut renamed = item(2);
    renamed.title = "Renamed".to_owned();
    assert_eq!(owner(&pair, Body::EvidenceAdded(vec![renamed])), Took(1));
}

#[test]
fn granting_against_the_policy_or_before_acceptance_is_refused() {
    let grant = || Body::ImportGranted(actor());
    for kind in [
        without_import(Mode::Live),
        without_import(Mode::Synchronised),
    ] {
        assert_eq!(owner(&after(kind, []), grant()), STATE);
    }
    assert_eq!(owner(&Pair::listed(&[1]), grant()), STATE);
    let mut pair = Pair::of(LIVE);
    pair.owner.run(Command::Offer(offered())).unwrap();
    pair.exchange();
    assert_eq!(owner(&pair, grant()), STATE);
    pair.partner.run(Command::Accept(None)).unwrap();
    // The owner has not seen that it was accepted.
    assert_eq!(owner(&pair, grant()), STATE);
}

/// A log grows by what it has to say.
#[test]
fn granting_what_was_granted_is_refused() {
    let grant = || Body::ImportGranted(actor());
    let mut pair = after(SYNCHRONISED, [Command::Grant(actor())]);
    assert_eq!(owner(&pair, grant()), STATE);
    run(&mut pair.owner, [Command::Add(vec![item(3)])]);
    pair.exchange();
    assert_eq!(owner(&pair, grant()), Took(1));
}

/// A copy is the partner's own, the others are not.
#[test]
fn revoking_a_copy_and_ending_or_cancelling_another_kind_is_refused() {
    let [ended, cancelled, revoked] = [Body::Ended, Body::Cancelled, Body::Revoked];
    let copy = Pair::listed(&[1]);
    assert_eq!(owner(&copy, revoked(actor())), STATE);
    for pair in [after(LIVE, []), after(SYNCHRONISED, []), referred()] {
        assert_eq!(owner(&pair, ended(actor())), STATE);
        assert_eq!(owner(&pair, cancelled(actor())), STATE);
        assert_eq!(owner(&pair, revoked(actor())), Took(1));
    }
}

#[test]
fn changes_of_an_advanced_share_are_refused_in_a_copy() {
    let pair = Pair::listed(&[1]);
    let change = ItemChange {
        evidence: evidence(1),
        title: String::new(),
        folder: String::new(),
        metadata: Metadata::default(),
    };
    for body in [
        Body::EvidenceChanged(vec![change]),
        Body::EvidenceWithdrawn(vec![evidence(1)]),
        Body::CaseChanged(actor(), CaseInfo::default()),
    ] {
        assert_eq!(owner(&pair, body), STATE);
    }
}

#[test]
fn resuming_what_is_not_suspended_or_suspending_twice_is_refused() {
    let [suspend, resume] = [Body::Suspended, Body::Resumed].map(|body| body(actor()));
    let pair = after(LIVE, []);
    assert_eq!(owner(&pair, resume.clone()), STATE);
    let pair = after(LIVE, [Command::Suspend(actor())]);
    assert_eq!(owner(&pair, suspend), STATE);
    assert_eq!(owner(&pair, resume), Took(1));
}

#[test]
fn an_owner_discloses_nothing_while_it_is_suspended() {
    let update = [Command::Add(vec![item(3)]), Command::Suspend(actor())];
    let pair = after(SYNCHRONISED, update);
    let change = ItemChange {
        evidence: evidence(1),
        title: String::new(),
        folder: String::new(),
        metadata: Metadata::default(),
    };
    for body in [
        Body::EvidenceAdded(vec![item(4)]),
        Body::EvidenceChanged(vec![change]),
        Body::CaseChanged(actor(), CaseInfo::default()),
        Body::Listed(actor(), 2),
        Body::ImportGranted(actor()),
    ] {
        assert_eq!(owner(&pair, body), STATE);
    }
    // Less may always be shared.
    for body in [
        Body::EvidenceWithdrawn(vec![evidence(1)]),
        Body::RecipientsChanged(actor(), Vec::new()),
        Body::Revoked(actor()),
    ] {
        assert_eq!(owner(&pair, body), Took(1));
    }
}

/// AO-42: nothing undoes a revocation.
#[test]
fn an_owner_says_nothing_after_the_revocation() {
    for suspended in [false, true] {
        let suspend = suspended.then(|| Command::Suspend(actor()));
        let commands = suspend.into_iter().chain([Command::Revoke(actor())]);
        let pair = after(SYNCHRONISED, commands);
        let change = ItemChange {
            evidence: evidence(1),
            title: String::new(),
            folder: String::new(),
            metadata: Metadata::default(),
        };
        for body in [
            Body::EvidenceAdded(vec![item(3)]),
            Body::EvidenceChanged(vec![change]),
            Body::EvidenceWithdrawn(vec![evidence(1)]),
            Body::CaseChanged(actor(), CaseInfo::default()),
            Body::RecipientsChanged(actor(), Vec::new()),
            Body::ImportGranted(actor()),
            Body::Listed(actor(), 2),
            Body::Suspended(actor()),
            Body::Resumed(actor()),
            Body::Revoked(actor()),
            Body::Ended(actor()),
            Body::Cancelled(actor()),
            Body::Offered(pair.owner.header.terms, offered()),
        ] {
            assert_eq!(owner(&pair, body), STATE);
        }
    }
}

/// fault A5: entries from before the revocation, again and in any number, revive nothing.
#[test]
fn old_entries_do_not_undo_a_revocation() {
    let mut pair = after(SYNCHRONISED, [Command::Grant(actor())]);
    let old = pair.owner.batch(1, 16).unwrap();
    let mut told = pair.clone();
    run(&mut pair.owner, [Command::Revoke(actor())]);
    pair.exchange();
    let before = pair.partner.clone();
    assert_eq!(pair.partner.take(&old), Ok(0));
    assert_eq!(pair.partner, before);
    // Nor where only the statement has come.
    told.partner.revoked(&revocation());
    let mut behind = told.partner.clone();
    assert_eq!(behind.take(&old), Ok(0));
    assert!(behind.header.revoked);
    run(&mut told.owner, [Command::Add(vec![item(3)])]);
    let more = told.owner.batch(1, 16).unwrap();
    assert_eq!(behind.take(&more), Ok(1));
    assert!(behind.header.revoked && !behind.header.lives());
}

/// fault A13
#[test]
fn a_revocation_of_another_share_or_party_or_of_a_copy_covers_nothing() {
    let pair = after(LIVE, []);
    let header = &pair.partner.header;
    assert!(revocation().covers(header));
    assert!(revocation().covers(&referred().partner.header));
    assert!(!revocation().covers(&Pair::listed(&[1]).partner.header));
    let bends: [fn(&mut Revocation); 4] = [
        |said| said.share = ShareId::new(evidence(9).uuid()),
        |said| said.owner = harbour().id,
        |said| said.partner = harbour().id,
        |said| std::mem::swap(&mut said.owner, &mut said.partner),
    ];
    for bend in bends {
        let mut said = revocation().revocation;
        bend(&mut said);
        assert!(!said.sign(&north()).covers(header));
        assert_eq!(header, &pair.owner.header);
    }
    // The partner's own statement about it is well signed, and covers nothing.
    let mut said = revocation().revocation;
    std::mem::swap(&mut said.owner, &mut said.partner);
    let said = said.sign(&south());
    assert_eq!(said.verify(&crate::testing::Pinned), Ok(()));
    assert!(!said.covers(header));
}

/// What is judged entry by entry is judged by what came before it in the same batch.
#[test]
fn one_batch_does_not_hide_what_is_said_twice() {
    let pair = after(SYNCHRONISED, [Command::Grant(actor())]);
    let first = Forged::new(&pair.partner, imported(1));
    let again = first.then();
    let head = pair.partner.head(again.point());
    let message = batch(&[first, again], head, &pair.partner.organisation);
    assert_eq!(bring(&pair.owner, &message), MALFORMED);
    assert_eq!(
        pair.owner.facts.item(evidence(1)).map(|item| item.imported),
        Some(0)
    );
}
