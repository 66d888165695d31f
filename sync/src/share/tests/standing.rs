//! How a share of any kind is shown, and what is known of its revocation.

use chrono::{DateTime, Utc};

use crate::log::Side;
use crate::share::apply::{open, revoked};
use crate::share::decide::Command;
use crate::share::status::{Revocation, Status, revocation, status};
use crate::share::{BlobFact, Header, Hold, Kind, State, Totals};
use crate::testing::{
    LIVE, Pair, SYNCHRONISED, actor, at, harbour, north, reference, south, stored, terms_of,
};

const KINDS: usize = 4;

fn kinds() -> [Kind; KINDS] {
    [reference(), Kind::Copy, LIVE, SYNCHRONISED]
}

/// Before and after the time of a reference is up.
fn times() -> [DateTime<Utc>; 2] {
    [at(60), at(8 * 86_400)]
}

/// How a share looks to people while nothing is on its way and nothing is wrong.
const PLAIN: [(State, [Status; KINDS]); 5] = {
    use Status::{Active, Cancelled, Complete, Ended, Processing, Revoked};
    [
        (State::Offered, [Processing; KINDS]),
        (State::Accepted, [Active, Complete, Active, Active]),
        (State::Ended, [Ended; KINDS]),
        (State::Cancelled { at: 4 }, [Cancelled; KINDS]),
        (State::Revoked { at: 4 }, [Revoked; KINDS]),
    ]
};

/// One update was listed, and stored where its kind keeps it.
fn whole(kind: Kind, state: State) -> Header {
    let totals = Totals {
        evidence: 2,
        files: 5,
        bytes: 300,
    };
    let mut header = open(&terms_of(kind));
    header.state = state;
    header.revoked = matches!(state, State::Revoked { .. });
    if matches!(kind, Kind::Reference(_)) {
        return header;
    }
    header.update = 1;
    header.listed = totals;
    if kind.kept() {
        header.stored = totals;
    }
    header
}

/// Whether a copy is complete, and the others active.
fn settled(header: &Header, waiting: u64) -> bool {
    matches!(
        status(header, waiting, at(60)),
        Status::Complete | Status::Active
    )
}

/// What weighs more hides what weighs less: revoked, frozen, paused, recovering, over, expired, suspended.
#[test]
fn every_combination_has_the_status_of_what_weighs_most() {
    for (state, plain) in PLAIN {
        for (kind, plain) in kinds().into_iter().zip(plain) {
            let holds = [Hold::Free, Hold::Frozen, Hold::Paused, Hold::Recovering];
            for hold in holds {
                for bits in 0..8_u8 {
                    let [by_itself, suspended, late] = [1, 2, 4].map(|bit| bits & bit != 0);
                    let mut header = whole(kind, state);
                    header.hold = hold;
                    header.suspended = suspended;
                    header.revoked |= by_itself;
                    let over = matches!(plain, Status::Cancelled | Status::Ended);
                    let expired = late && matches!(kind, Kind::Reference(_));
                    let expected = [
                        (header.revoked, Status::Revoked),
                        (hold == Hold::Frozen, Status::Frozen),
                        (hold == Hold::Paused, Status::Paused),
                        (hold == Hold::Recovering, Status::Recovering),
                        (over, plain),
                        (expired, Status::Expired),
                        (suspended, Status::Suspended),
                        (true, plain),
                    ];
                    let expected = expected.into_iter().find(|(holds, _)| *holds).unwrap().1;
                    let now = times()[usize::from(late)];
                    assert_eq!(status(&header, 0, now), expected, "{header:?}");
                }
            }
        }
    }
}

#[test]
fn what_is_on_its_way_is_processing_as_its_kind_has_it() {
    for kind in kinds() {
        let lists = !matches!(kind, Kind::Reference(_));
        let header = whole(kind, State::Accepted);
        assert!(settled(&header, 0));
        assert!(!settled(&header, 1));
        let bent = |bend: fn(&mut Header)| {
            let mut header = header.clone();
            bend(&mut header);
            header
        };
        // Nothing was listed yet: there is nothing to use. A reference never lists.
        let none = bent(|header| header.update = 0);
        assert_eq!(settled(&none, 0), !lists);
        assert!(!settled(&bent(|header| header.open = true), 0));
        // Only a kind that keeps files at the partner waits for them.
        let fewer = bent(|header| header.stored.files = 1);
        assert_eq!(settled(&fewer, 0), !kind.kept());
        let mut ended = fewer;
        ended.state = State::Ended;
        let shown = match kind.kept() {
            true => Status::Processing,
            false => Status::Ended,
        };
        assert_eq!(status(&ended, 0, at(60)), shown);
    }
}

#[test]
fn only_a_reference_expires_and_at_its_moment() {
    let Kind::Reference(until) = reference() else {
        panic!("a reference");
    };
    let micro = chrono::TimeDelta::microseconds(1);
    let header = open(&terms_of(reference()));
    assert!(!header.expired(until - micro));
    assert!(header.expired(until));
    for kind in [Kind::Copy, LIVE, SYNCHRONISED] {
        assert!(!open(&terms_of(kind)).expired(DateTime::<Utc>::MAX_UTC));
    }
}

#[test]
fn a_revocation_is_unknown_received_or_purged() {
    let known = |revoked, state, countersigned_to, purged, itself| {
        let mut header = whole(SYNCHRONISED, state);
        header.revoked = revoked;
        header.owner_log.countersigned = countersigned_to;
        header.purged = purged;
        revocation(&header, itself)
    };
    let [unknown, received, purged] = [
        Revocation::Unknown,
        Revocation::Received,
        Revocation::Purged,
    ]
    .map(Some);
    let in_log = State::Revoked { at: 4 };
    for (expected, got) in [
        // No revocation: nothing is known of one, whatever was countersigned.
        (None, known(false, State::Accepted, 9, 0, false)),
        (None, known(false, State::Accepted, 9, 0, true)),
        // By itself: entries that were countersigned say nothing about it.
        (unknown, known(true, State::Accepted, 9, 0, false)),
        (received, known(true, State::Accepted, 0, 0, true)),
        (unknown, known(true, in_log, 3, 0, false)),
        (received, known(true, in_log, 4, 0, false)),
        (received, known(true, in_log, 9, 0, false)),
        (received, known(true, in_log, 0, 0, true)),
        (purged, known(true, in_log, 0, 7, false)),
        (purged, known(true, in_log, 4, 7, true)),
        (purged, known(true, State::Accepted, 0, 7, false)),
    ] {
        assert_eq!(got, expected);
    }
}

/// AE-032, AO-42: from the moment that it is revoked the owner serves nothing, whatever the partner knows.
#[test]
fn a_revoked_share_does_not_live_at_the_owner_before_the_partner_knows() {
    for kind in [LIVE, SYNCHRONISED] {
        let mut pair = Pair::listed_as(kind, &[1]);
        let blob = crate::share::Facts::blob(&pair.owner.facts, stored(1).files[0]).unwrap();
        assert_eq!(pair.owner.header.serves(blob), kind.kept());
        pair.owner.run(Command::Grant(actor())).unwrap();
        assert!(pair.owner.header.lives() && pair.owner.header.serves(blob));
        pair.owner.run(Command::Revoke(actor())).unwrap();
        assert!(!pair.owner.header.lives() && !pair.owner.header.serves(blob));
        assert_eq!(status(&pair.owner.header, 3, at(60)), Status::Revoked);
        let unknown = revocation(&pair.owner.header, false);
        assert_eq!(unknown, Some(Revocation::Unknown));
        assert!(pair.partner.header.lives());
        pair.exchange();
        assert!(!pair.partner.header.lives());
        pair.partner.run(Command::Purge(Totals::default())).unwrap();
        pair.exchange();
        let purged = revocation(&pair.owner.header, false);
        assert_eq!(purged, Some(Revocation::Purged));
    }
    let mut pair = Pair::of(reference());
    pair.owner
        .run(Command::Offer(crate::testing::offered()))
        .unwrap();
    pair.exchange();
    pair.partner.run(Command::Accept(None)).unwrap();
    pair.exchange();
    assert!(pair.owner.header.lives());
    pair.owner.run(Command::Revoke(actor())).unwrap();
    assert!(!pair.owner.header.lives());
}

#[test]
fn a_revocation_that_came_by_itself_ends_what_lives() {
    let header = whole(LIVE, State::Accepted);
    assert!(header.lives());
    let header = revoked(&header);
    assert!(!header.lives() && !header.open_to_owner());
    assert_eq!(status(&header, 0, at(60)), Status::Revoked);
    assert_eq!(revoked(&header), header);
}

#[test]
fn a_suspended_share_neither_lives_nor_serves_until_it_is_resumed() {
    let mut pair = Pair::listed_as(SYNCHRONISED, &[1]);
    let blob = BlobFact {
        size: 1,
        uses: 1,
        listed: 2,
    };
    for (command, lives) in [
        (Command::Suspend(actor()), false),
        (Command::Resume(actor()), true),
    ] {
        pair.owner.run(command).unwrap();
        pair.exchange();
        for header in [&pair.owner.header, &pair.partner.header] {
            assert_eq!((header.lives(), header.serves(blob)), (lives, lives));
        }
    }
}

#[test]
fn each_party_writes_its_own_log_and_nobody_else_any() {
    let header = open(&terms_of(Kind::Copy));
    let sides = [north(), south(), harbour()].map(|party| header.side(party.id));
    assert_eq!(sides, [Some(Side::Owner), Some(Side::Partner), None]);
}
