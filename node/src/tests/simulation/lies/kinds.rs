//! Lies in logs about what a kind of share does not have, and about what became of it at the partner.

use interdocket_sync::limits;
use interdocket_sync::log::entry::{
    Body, CaseInfo, DeclineReason, ItemChange, Purged, RecallAnswer, Reshared,
};
use interdocket_sync::refusal::Refusal;

use super::logs::{added, lie, resumed};
use super::stage::{About, Stage, somebody};
use super::{Comes, Lie};

const MALFORMED: Comes = Comes::Refused(Refusal::Malformed);
const NOT_SHARED: Comes = Comes::Refused(Refusal::NotShared);
const STATE: Comes = Comes::Refused(Refusal::State);

pub(super) const LIES: &[Lie] = &[
    // What a kind of share does not have.
    lie("changes what was copied", "A10", About::Copy, STATE, |s| {
        let change = ItemChange {
            evidence: s.listed()?.evidence,
            title: "another".into(),
            folder: String::new(),
            metadata: Default::default(),
        };
        s.says(vec![Body::EvidenceChanged(vec![change])])
    }),
    lie(
        "withdraws what was copied",
        "A10",
        About::Copy,
        STATE,
        |s| s.says(vec![Body::EvidenceWithdrawn(vec![s.listed()?.evidence])]),
    ),
    lie(
        "describes a copied case anew",
        "A10",
        About::Copy,
        STATE,
        |s| s.says(vec![Body::CaseChanged(somebody(), CaseInfo::default())]),
    ),
    lie(
        "grants an import of a copy",
        "A10",
        About::Copy,
        STATE,
        |s| s.says(vec![Body::ImportGranted(somebody())]),
    ),
    lie("takes a copy back", "A10", About::Copy, STATE, |s| {
        s.says(vec![Body::Revoked(somebody())])
    }),
    lie(
        "resumes what was not suspended",
        "A5",
        About::Copy,
        STATE,
        |s| s.says(vec![resumed()]),
    ),
    lie(
        "discloses texts without their lease",
        "A10",
        About::Advanced,
        MALFORMED,
        |s| Stage::with(s.under(s.next(vec![added(s)])), None),
    ),
    lie(
        "withdraws what it never listed",
        "A6",
        About::Advanced,
        NOT_SHARED,
        |s| s.says(vec![Body::EvidenceWithdrawn(vec![s.item().evidence])]),
    ),
    lie(
        "ends what goes on until it is revoked",
        "A10",
        About::Advanced,
        STATE,
        |s| s.says(vec![Body::Ended(somebody())]),
    ),
    lie(
        "cancels what goes on until it is revoked",
        "A10",
        About::Advanced,
        STATE,
        |s| s.says(vec![Body::Cancelled(somebody())]),
    ),
    lie(
        "discloses evidence in a reference",
        "A10",
        About::Reference,
        STATE,
        |s| s.says(vec![added(s)]),
    ),
    lie(
        "makes a reference an update",
        "A10",
        About::Reference,
        STATE,
        |s| s.says(vec![Body::Listed(somebody(), 1)]),
    ),
    lie("takes people off a copy", "A10", About::Copy, STATE, |s| {
        s.says(vec![Body::RecipientsChanged(somebody(), Vec::new())])
    }),
    lie(
        "reshares a copy with nobody",
        "C5",
        About::Copy,
        MALFORMED,
        |s| s.says(vec![reshared(0)]),
    ),
    lie(
        "reshares a copy with more than it may name",
        "C5",
        About::Copy,
        Comes::Refused(Refusal::Limit),
        |s| s.says(vec![reshared(limits::RECIPIENTS_MAX), reshared(1)]),
    ),
    lie("reshares what lives", "A10", About::Advanced, STATE, |s| {
        s.says(vec![reshared(1)])
    }),
    lie(
        "asks for a copy again and again",
        "A5",
        About::Copy,
        STATE,
        |s| {
            let ask = || Body::RecallAsked(somebody(), "please".into());
            s.says(vec![ask(), ask()])
        },
    ),
    lie(
        "asks for what it can revoke",
        "A10",
        About::Reference,
        STATE,
        |s| s.says(vec![Body::RecallAsked(somebody(), String::new())]),
    ),
    // What a partner states.
    lie(
        "stored what was not listed",
        "A6",
        About::TheirCopy,
        NOT_SHARED,
        |s| {
            let mut stored = s.stored()?;
            stored.evidence = s.item().evidence;
            s.says(vec![Body::Stored(vec![stored])])
        },
    ),
    lie(
        "stored other bytes than were listed",
        "C1",
        About::TheirCopy,
        MALFORMED,
        |s| {
            let mut stored = s.stored()?;
            stored.files[0].0[0] ^= 1;
            s.says(vec![Body::Stored(vec![stored])])
        },
    ),
    lie(
        "stored everything once more",
        "C9",
        About::TheirCopy,
        MALFORMED,
        |s| s.says(vec![Body::Stored(vec![s.stored()?])]),
    ),
    lie(
        "accepts a second time",
        "A5",
        About::TheirCopy,
        STATE,
        |s| s.says(vec![Body::Accepted(None)]),
    ),
    lie(
        "declines what it accepted",
        "A5",
        About::TheirCopy,
        STATE,
        |s| s.says(vec![Body::Declined(somebody(), DeclineReason::Unneeded)]),
    ),
    lie(
        "answers a recall that nobody asked",
        "A5",
        About::TheirCopy,
        STATE,
        |s| {
            let answer = RecallAnswer {
                granted: true,
                reason: String::new(),
            };
            s.says(vec![Body::RecallAnswered(somebody(), answer)])
        },
    ),
    lie(
        "purged what was not revoked",
        "A5",
        About::TheirAdvanced,
        STATE,
        |s| s.says(vec![Body::Purged(Purged::default())]),
    ),
    lie("imported a copy", "A10", About::TheirCopy, STATE, |s| {
        s.says(vec![Body::Imported(vec![s.stored()?])])
    }),
    lie(
        "imported without a grant",
        "A10",
        About::TheirAdvanced,
        STATE,
        |s| s.says(vec![Body::Imported(vec![s.stored()?])]),
    ),
    lie(
        "shares onward what it may not",
        "A8",
        About::TheirAdvanced,
        STATE,
        |s| s.says(vec![Body::SharedOnward(somebody(), vec!["eve".into()])]),
    ),
    lie(
        "says what only the owner can say",
        "A13",
        About::TheirCopy,
        MALFORMED,
        |s| s.says(vec![added(s)]),
    ),
];

/// So many people who should have a copy as well.
fn reshared(count: usize) -> Body {
    let said = Reshared {
        recipients: vec!["eve".to_owned(); count],
        message: String::new(),
    };
    Body::Reshared(somebody(), said)
}
