//! Where bytes become meaning: the generated types of `proto` are read and written here, and nowhere
//! else in this crate.
//!
//! Whatever is signed or chained is kept as the bytes that were signed: nothing is encoded again.

pub mod batch;
pub(crate) mod entry;
pub(crate) mod head;
pub(crate) mod receipt;
pub mod refusal;
pub(crate) mod revocation;
pub(crate) mod terms;

#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use interdocket_proto::v1;
use prost::Message as _;

use crate::identity::{OrganisationId, Signer};
use crate::limits;

/// Bytes that cannot be read, contradict themselves or are over a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("bytes that cannot be read as {0}")]
pub struct Malformed(pub &'static str);

/// Anything that was signed: heads, terms, revocations and countersignatures have one shape on the wire.
pub(crate) struct Signed {
    pub(crate) payload: Vec<u8>,
    pub(crate) signature: Vec<u8>,
    pub(crate) certificates: Vec<Vec<u8>>,
}

/// Takes a signed message apart. All of them have the same fields as SignedHead.
pub(crate) fn signed(bytes: &[u8]) -> Option<Signed> {
    if bytes.len() > limits::SIGNED_MAX {
        return None;
    }
    let message = v1::SignedHead::decode(bytes).ok()?;
    let certificates = message.certificates?.der;
    Some(Signed {
        payload: message.head.to_vec(),
        signature: message.signature.to_vec(),
        certificates: certificates.iter().map(|der| der.to_vec()).collect(),
    })
}

/// Signs a payload under its tag, as one message.
pub(crate) fn sign(tag: &[u8], payload: Vec<u8>, signer: &dyn Signer) -> Vec<u8> {
    let signature = signer.sign(&tagged(tag, &payload));
    let der = signer
        .certificates()
        .iter()
        .map(|der| der.clone().into())
        .collect();
    v1::SignedHead {
        head: payload.into(),
        signature: signature.to_vec().into(),
        certificates: Some(v1::CertificateChain { der }),
    }
    .encode_to_vec()
}

/// What is really signed: the tag, then the bytes.
pub(crate) fn tagged(tag: &[u8], payload: &[u8]) -> Vec<u8> {
    [tag, payload].concat()
}

/// A time as it comes back from the wire: whole microseconds.
pub(crate) fn micros(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(at.timestamp_micros()).unwrap_or(at)
}

/// 32 bytes.
pub(crate) fn array(bytes: &[u8], what: &'static str) -> Result<[u8; 32], Malformed> {
    bytes.try_into().map_err(|_| Malformed(what))
}

pub(crate) fn organisation(bytes: &[u8]) -> Result<OrganisationId, Malformed> {
    array(bytes, "an organisation's id").map(OrganisationId::from_bytes)
}

/// Microseconds since 1970 as a time between the years 1970 and 9999.
pub(crate) fn time(micros: i64) -> Result<DateTime<Utc>, Malformed> {
    const END: i64 = 253_402_300_800_000_000;
    if !(0..END).contains(&micros) {
        return Err(Malformed("a time"));
    }
    DateTime::from_timestamp_micros(micros).ok_or(Malformed("a time"))
}
