//! Revocations on the wire.

use interdocket_proto::v1;
use prost::Message as _;

use super::{Malformed, organisation, time};
use crate::id::ShareId;
use crate::identity::Signer;
use crate::share::revocation::{Revocation, TAG};

const WHAT: Malformed = Malformed("a revocation");

pub(crate) fn encode(revocation: &Revocation, signer: &dyn Signer) -> Vec<u8> {
    let payload = v1::Revocation {
        share: revocation.share.as_bytes().to_vec().into(),
        owner: revocation.owner.as_bytes().to_vec().into(),
        partner: revocation.partner.as_bytes().to_vec().into(),
        at: revocation.at.timestamp_micros(),
    };
    super::sign(TAG, payload.encode_to_vec(), signer)
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Revocation, Malformed> {
    let signed = super::signed(bytes).ok_or(WHAT)?;
    let said = v1::Revocation::decode(signed.payload.as_slice()).map_err(|_| WHAT)?;
    Ok(Revocation {
        share: ShareId::from_slice(&said.share).map_err(|_| WHAT)?,
        owner: organisation(&said.owner)?,
        partner: organisation(&said.partner)?,
        at: time(said.at)?,
    })
}
