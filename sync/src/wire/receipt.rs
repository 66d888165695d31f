//! Countersignatures and receipts on the wire.

use chrono::{DateTime, Utc};
use interdocket_proto::v1;
use prost::Message as _;

use super::{Malformed, array, time};
use crate::identity::Signer;
use crate::receipt::TAG;

const WHAT: Malformed = Malformed("a receipt");

pub(crate) fn encode(head: [u8; 32], at: DateTime<Utc>, signer: &dyn Signer) -> Vec<u8> {
    let payload = v1::Countersigned {
        head: head.to_vec().into(),
        at: at.timestamp_micros(),
    };
    super::sign(TAG, payload.encode_to_vec(), signer)
}

pub(crate) fn decode(bytes: &[u8]) -> Result<([u8; 32], DateTime<Utc>), Malformed> {
    let signed = super::signed(bytes).ok_or(WHAT)?;
    let statement = v1::Countersigned::decode(signed.payload.as_slice()).map_err(|_| WHAT)?;
    Ok((array(&statement.head, "a hash")?, time(statement.at)?))
}

/// Two length-delimited fields: exactly a `Receipt`, without reading either.
pub(crate) fn join(head: &[u8], countersignature: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(head.len() + countersignature.len() + 12);
    for (field, message) in [(1_u32, head), (2, countersignature)] {
        prost::encoding::encode_key(
            field,
            prost::encoding::WireType::LengthDelimited,
            &mut bytes,
        );
        prost::encoding::encode_varint(message.len() as u64, &mut bytes);
        bytes.extend_from_slice(message);
    }
    bytes
}

pub(crate) fn split(bytes: &[u8]) -> Result<(Vec<u8>, Vec<u8>), Malformed> {
    let receipt = v1::Receipt::decode(bytes).map_err(|_| WHAT)?;
    let head = receipt.head.ok_or(WHAT)?.encode_to_vec();
    let countersignature = receipt.countersignature.ok_or(WHAT)?.encode_to_vec();
    Ok((head, countersignature))
}
