//! Heads on the wire.

use interdocket_proto::v1;
use prost::Message as _;

use super::{Malformed, array, organisation, time};
use crate::id::ShareId;
use crate::identity::Signer;
use crate::log::head::{Head, TAG};
use crate::log::{Point, Side};

pub(crate) fn encode(head: &Head, signer: &dyn Signer) -> Vec<u8> {
    let payload = v1::Head {
        share: head.share.as_bytes().to_vec().into(),
        owner: head.owner.as_bytes().to_vec().into(),
        partner: head.partner.as_bytes().to_vec().into(),
        side: side_number(head.side),
        incarnation: head.incarnation,
        count: head.point.count,
        hash: head.point.hash.to_vec().into(),
        journal_count: head.journal.count,
        journal_hash: head.journal.hash.to_vec().into(),
        at: head.at.timestamp_micros(),
    };
    super::sign(TAG, payload.encode_to_vec(), signer)
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Head, Malformed> {
    const WHAT: Malformed = Malformed("a head");
    let signed = super::signed(bytes).ok_or(WHAT)?;
    let head = v1::Head::decode(signed.payload.as_slice()).map_err(|_| WHAT)?;
    Ok(Head {
        share: ShareId::from_slice(&head.share).map_err(|_| WHAT)?,
        owner: organisation(&head.owner)?,
        partner: organisation(&head.partner)?,
        side: side(head.side)?,
        incarnation: head.incarnation,
        point: Point {
            count: head.count,
            hash: array(&head.hash, "a hash")?,
        },
        journal: Point {
            count: head.journal_count,
            hash: array(&head.journal_hash, "a hash")?,
        },
        at: time(head.at)?,
    })
}

pub(crate) const fn side_number(side: Side) -> i32 {
    match side {
        Side::Owner => v1::Side::Owner as i32,
        Side::Partner => v1::Side::Partner as i32,
    }
}

pub(crate) fn side(number: i32) -> Result<Side, Malformed> {
    match v1::Side::try_from(number) {
        Ok(v1::Side::Owner) => Ok(Side::Owner),
        Ok(v1::Side::Partner) => Ok(Side::Partner),
        Ok(v1::Side::Unspecified) | Err(_) => Err(Malformed("a side")),
    }
}
