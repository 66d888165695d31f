//! Terms on the wire.

use interdocket_proto::v1;
use prost::Message as _;

use super::{Malformed, organisation, time};
use crate::id::ShareId;
use crate::identity::Signer;
use crate::share::Kind;
use crate::share::terms::{TAG, Terms};

const WHAT: Malformed = Malformed("terms");

pub(crate) fn encode(terms: &Terms, signer: &dyn Signer) -> Vec<u8> {
    let kind = match terms.kind {
        Kind::Copy => v1::Kind::Copy,
    };
    let payload = v1::Terms {
        share: terms.share.as_bytes().to_vec().into(),
        owner: terms.owner.as_bytes().to_vec().into(),
        partner: terms.partner.as_bytes().to_vec().into(),
        kind: kind as i32,
        format: terms.format,
        created: terms.created.timestamp_micros(),
    };
    super::sign(TAG, payload.encode_to_vec(), signer)
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Terms, Malformed> {
    let signed = super::signed(bytes).ok_or(WHAT)?;
    let terms = v1::Terms::decode(signed.payload.as_slice()).map_err(|_| WHAT)?;
    let kind = match v1::Kind::try_from(terms.kind) {
        Ok(v1::Kind::Copy) => Kind::Copy,
        Ok(v1::Kind::Unspecified) | Err(_) => return Err(Malformed("a kind of share")),
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
