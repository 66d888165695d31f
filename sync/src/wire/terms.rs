//! Terms on the wire.

use interdocket_proto::v1;
use prost::Message as _;

use super::{Malformed, organisation, time};
use crate::id::ShareId;
use crate::identity::Signer;
use crate::share::terms::{TAG, Terms};
use crate::share::{Kind, Mode, Policy};

const WHAT: Malformed = Malformed("terms");

pub(crate) fn encode(terms: &Terms, signer: &dyn Signer) -> Vec<u8> {
    let (kind, expires, policy) = match terms.kind {
        Kind::Reference(until) => (v1::Kind::Reference, until.timestamp_micros(), None),
        Kind::Copy => (v1::Kind::Copy, 0, None),
        Kind::Advanced(policy) => (v1::Kind::Advanced, 0, Some(write_policy(policy))),
    };
    let payload = v1::Terms {
        share: terms.share.as_bytes().to_vec().into(),
        owner: terms.owner.as_bytes().to_vec().into(),
        partner: terms.partner.as_bytes().to_vec().into(),
        kind: kind as i32,
        format: terms.format,
        created: terms.created.timestamp_micros(),
        expires,
        policy,
    };
    super::sign(TAG, payload.encode_to_vec(), signer)
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Terms, Malformed> {
    let signed = super::signed(bytes).ok_or(WHAT)?;
    let terms = v1::Terms::decode(signed.payload.as_slice()).map_err(|_| WHAT)?;
    let kind = match (v1::Kind::try_from(terms.kind), terms.expires, terms.policy) {
        (Ok(v1::Kind::Reference), until, None) if until > terms.created => {
            Kind::Reference(time(until)?)
        }
        (Ok(v1::Kind::Copy), 0, None) => Kind::Copy,
        (Ok(v1::Kind::Advanced), 0, Some(policy)) => Kind::Advanced(read_policy(policy)?),
        _ => return Err(Malformed("a kind of share")),
    };
    let [owner, partner] = [organisation(&terms.owner)?, organisation(&terms.partner)?];
    if owner == partner {
        return Err(Malformed("terms: both parties are one organisation"));
    }
    Ok(Terms {
        share: ShareId::from_slice(&terms.share).map_err(|_| WHAT)?,
        owner,
        partner,
        kind,
        format: terms.format,
        created: time(terms.created)?,
    })
}

fn write_policy(policy: Policy) -> v1::Policy {
    let mode = match policy.mode {
        Mode::Live => v1::Mode::Live,
        Mode::Synchronised => v1::Mode::Synchronised,
    };
    v1::Policy {
        mode: mode as i32,
        download: policy.download,
        import: policy.import,
        onward: policy.onward,
    }
}

fn read_policy(policy: v1::Policy) -> Result<Policy, Malformed> {
    let mode = match v1::Mode::try_from(policy.mode) {
        Ok(v1::Mode::Live) => Mode::Live,
        Ok(v1::Mode::Synchronised) => Mode::Synchronised,
        Ok(v1::Mode::Unspecified) | Err(_) => return Err(Malformed("a policy")),
    };
    Ok(Policy {
        mode,
        download: policy.download,
        import: policy.import,
        onward: policy.onward,
    })
}
