//! Lies in what is asked: files, leases, imports, sessions, what was lost, and revocations.

use bytes::Bytes;
use interdocket_proto::v1;
use interdocket_sync::id::ShareId;
use interdocket_sync::log::entry::Actor;
use interdocket_sync::refusal::Refusal;
use interdocket_sync::share::revocation::Revocation;
use interdocket_sync::wire::session as wire;
use prost::Message as _;

use super::super::net::Method;
use super::logs::lie;
use super::stage::{About, Stage, somebody};
use super::{Comes, Lie, Said};

const MALFORMED: Comes = Comes::Refused(Refusal::Malformed);
const NOT_SHARED: Comes = Comes::Refused(Refusal::NotShared);
const NOT_ENABLED: Comes = Comes::Refused(Refusal::NotEnabled);

pub(super) const LIES: &[Lie] = &[
    // Files.
    lie(
        "asks for a file of another share",
        "A2",
        About::TheirCopy,
        NOT_SHARED,
        |s| s.read(s.header.share, &s.secret()?.0),
    ),
    lie(
        "asks for a file that there is not",
        "A1",
        About::TheirCopy,
        NOT_SHARED,
        |s| s.read(s.header.share, &[0xEE; 32]),
    ),
    lie(
        "asks for half a digest",
        "C3",
        About::TheirCopy,
        MALFORMED,
        |s| s.read(s.header.share, &[1; 16]),
    ),
    lie(
        "reads a reference as if it were a copy",
        "A10",
        About::TheirReference,
        NOT_SHARED,
        |s| s.read(s.header.share, &s.secret()?.0),
    ),
    lie(
        "reads what somebody else is given",
        "A1",
        About::OthersCopy,
        NOT_SHARED,
        |s| s.read(s.header.share, &s.listed()?.files[0].blake3.0),
    ),
    lie(
        "reads what it gave itself",
        "A1",
        About::Copy,
        NOT_SHARED,
        |s| s.read(s.header.share, &s.listed()?.files[0].blake3.0),
    ),
    lie(
        "reads a share that there is not",
        "A6",
        About::Any,
        NOT_SHARED,
        |s| s.read(s.nowhere(), &[1; 32]),
    ),
    // Leases and imports.
    lie(
        "asks for somebody else's lease",
        "A13",
        About::OthersAdvanced,
        Comes::Nothing,
        renew,
    ),
    lie(
        "asks for the lease of its own share",
        "A13",
        About::Advanced,
        Comes::Nothing,
        renew,
    ),
    lie(
        "asks for the lease of a copy",
        "A10",
        About::TheirCopy,
        Comes::Nothing,
        renew,
    ),
    lie(
        "imports what somebody else is given",
        "A13",
        About::OthersAdvanced,
        NOT_SHARED,
        |s| import(s, s.header.share, Some(somebody()), "kim"),
    ),
    lie(
        "imports a copy of its own",
        "A10",
        About::TheirCopy,
        NOT_ENABLED,
        |s| import(s, s.header.share, Some(somebody()), "kim"),
    ),
    lie(
        "imports for nobody whom the share names",
        "A10",
        About::TheirAdvanced,
        NOT_ENABLED,
        |s| import(s, s.header.share, Some(somebody()), "eve"),
    ),
    lie(
        "imports for nobody at all",
        "A10",
        About::TheirAdvanced,
        NOT_ENABLED,
        |s| import(s, s.header.share, Some(somebody()), ""),
    ),
    lie(
        "does not say who imports",
        "C3",
        About::TheirAdvanced,
        MALFORMED,
        |s| import(s, s.header.share, None, "kim"),
    ),
    // What was lost.
    lie(
        "lost what somebody else is given",
        "A13",
        About::OthersCopy,
        NOT_SHARED,
        |s| recover(s.share()),
    ),
    lie(
        "lost what there never was",
        "A6",
        About::Any,
        NOT_SHARED,
        |s| recover(Bytes::copy_from_slice(s.nowhere().as_bytes())),
    ),
    lie("lost half a share", "C3", About::Any, MALFORMED, |_| {
        recover(vec![1; 8].into())
    }),
    lie(
        "lists shares behind half a share",
        "C3",
        About::Any,
        MALFORMED,
        |_| {
            let after = vec![1; 8].into();
            Said::new(Method::ListShares, &v1::ListSharesRequest { after })
        },
    ),
    // Sessions.
    lie(
        "opens what somebody else is given",
        "A13",
        About::OthersReference,
        NOT_SHARED,
        |s| open(s.header.share, "kim"),
    ),
    lie("opens a copy", "A10", About::TheirCopy, NOT_SHARED, |s| {
        open(s.header.share, "kim")
    }),
    lie(
        "opens its own share",
        "A13",
        About::Reference,
        NOT_SHARED,
        |s| open(s.header.share, "kim"),
    ),
    lie(
        "opens for nobody whom the share names",
        "A13",
        About::TheirReference,
        NOT_SHARED,
        |s| open(s.header.share, "eve"),
    ),
    lie(
        "opens for nobody at all",
        "A13",
        About::TheirReference,
        NOT_SHARED,
        |s| open(s.header.share, ""),
    ),
    lie(
        "opens for a purpose that there is not",
        "C3",
        About::TheirReference,
        MALFORMED,
        |s| {
            let open = wire::Open {
                share: s.header.share,
                actor: somebody(),
                recipient: "kim".into(),
                download: false,
            };
            let mut request = wire::open(&open);
            request.purpose = 99;
            Said::new(Method::Open, &request)
        },
    ),
    lie(
        "lists in a session that it guesses",
        "A6",
        About::TheirReference,
        NOT_SHARED,
        |s| {
            let session = Bytes::copy_from_slice(s.nowhere().as_bytes());
            let request = v1::ListRequest {
                session,
                after: Bytes::new(),
                most: 0,
            };
            Said::new(Method::List, &request)
        },
    ),
    lie(
        "reads in a session that it guesses",
        "A6",
        About::TheirReference,
        NOT_SHARED,
        |s| {
            let session = Bytes::copy_from_slice(s.nowhere().as_bytes());
            let request = v1::ViewRequest {
                session,
                evidence: vec![1; 16].into(),
                ..Default::default()
            };
            Said::new(Method::View, &request)
        },
    ),
    lie(
        "closes a session that it guesses",
        "A13",
        About::TheirReference,
        Comes::Nothing,
        |s| {
            let session = Bytes::copy_from_slice(s.nowhere().as_bytes());
            Said::new(Method::Close, &v1::CloseRequest { session })
        },
    ),
    // Revocations.
    lie(
        "revokes what somebody else shares",
        "A13",
        About::OthersGiven,
        NOT_SHARED,
        |s| revoke(s, |said| said.owner = s.header.owner),
    ),
    lie(
        "revokes in its partner's name",
        "A13",
        About::TheirAdvanced,
        NOT_SHARED,
        |s| {
            revoke(s, |said| {
                (said.owner, said.partner) = (s.victim.id, s.me.id)
            })
        },
    ),
    lie(
        "revokes towards somebody else",
        "A13",
        About::Advanced,
        NOT_SHARED,
        |s| revoke(s, |said| said.partner = s.third()),
    ),
    lie(
        "revokes without a signature",
        "A13",
        About::Advanced,
        Comes::Refused(Refusal::Signature),
        |s| {
            let mut message = revocation(s, |_| {})?;
            message.signature = vec![0; 64].into();
            let revocation = Some(message);
            Said::new(Method::Revoke, &v1::RevokeRequest { revocation })
        },
    ),
    lie("revokes nothing", "C3", About::Any, MALFORMED, |_| {
        Said::new(Method::Revoke, &v1::RevokeRequest { revocation: None })
    }),
];

fn renew(stage: &Stage<'_>) -> Option<Said> {
    let shares = vec![stage.share()];
    Said::new(Method::Renew, &v1::RenewRequest { shares })
}

fn import(_: &Stage<'_>, share: ShareId, actor: Option<Actor>, recipient: &str) -> Option<Said> {
    let actor = actor.map(|actor| v1::Actor {
        id: Bytes::copy_from_slice(actor.id.as_bytes()),
        name: actor.name,
        badge: actor.badge,
    });
    let request = v1::ImportRequest {
        share: Bytes::copy_from_slice(share.as_bytes()),
        actor,
        recipient: recipient.into(),
    };
    Said::new(Method::Import, &request)
}

fn recover(share: Bytes) -> Option<Said> {
    let request = v1::RecoverRequest {
        share,
        ..Default::default()
    };
    Said::new(Method::Recover, &request)
}

fn open(share: ShareId, recipient: &str) -> Option<Said> {
    let open = wire::Open {
        share,
        actor: somebody(),
        recipient: recipient.into(),
        download: false,
    };
    Said::new(Method::Open, &wire::open(&open))
}

fn revocation(
    stage: &Stage<'_>,
    change: impl FnOnce(&mut Revocation),
) -> Option<v1::SignedRevocation> {
    let mut said = Revocation {
        share: stage.header.share,
        owner: stage.me.id,
        partner: stage.victim.id,
        at: stage.now(),
    };
    change(&mut said);
    v1::SignedRevocation::decode(said.sign(&stage.sign()).bytes.as_slice()).ok()
}

fn revoke(stage: &Stage<'_>, change: impl FnOnce(&mut Revocation)) -> Option<Said> {
    let revocation = Some(revocation(stage, change)?);
    Said::new(Method::Revoke, &v1::RevokeRequest { revocation })
}
