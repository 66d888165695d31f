//! Batches on the wire: new entries of one log under one head.

use interdocket_proto::v1;
use prost::Message as _;

use super::Malformed;
use crate::id::ShareId;
use crate::limits;
use crate::log::entry::Entry;
use crate::log::head::SignedHead;
use crate::share::terms::SignedTerms;

/// New entries of one log under one head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The share.
    pub share: ShareId,
    /// With the first entry of an owner's log.
    pub terms: Option<SignedTerms>,
    /// In order, without gaps.
    pub entries: Vec<Entry>,
    /// Covers exactly the entries.
    pub head: SignedHead,
}

/// Reads a batch.
///
/// # Errors
/// [`Malformed`] where it cannot be read, is over a bound, or its parts are not of one share.
pub fn read(batch: v1::Batch) -> Result<Batch, Malformed> {
    const WHAT: Malformed = Malformed("a batch");
    if batch.entries.len() > limits::BATCH_ENTRIES_MAX {
        return Err(WHAT);
    }
    let terms = batch
        .terms
        .map(|terms| SignedTerms::read(&terms.encode_to_vec()))
        .transpose()?;
    let entries = batch
        .entries
        .iter()
        .map(|entry| Entry::read(&entry.encode_to_vec()))
        .collect::<Result<Vec<_>, _>>()?;
    let share = ShareId::from_slice(&batch.share).map_err(|_| WHAT)?;
    let head = SignedHead::read(&batch.head.ok_or(WHAT)?.encode_to_vec())?;
    // Else a share could be looked up by one id and stored under another.
    let named = terms.iter().map(|terms| terms.terms.share);
    let named = named.chain(entries.iter().map(|entry| entry.share));
    if head.head.share != share || !named.into_iter().all(|id| id == share) {
        return Err(Malformed("a batch: its parts are of different shares"));
    }
    Ok(Batch {
        share,
        terms,
        entries,
        head,
    })
}

/// Writes a batch.
///
/// # Errors
/// [`Malformed`] where what is kept cannot be read back.
pub fn write(batch: &Batch) -> Result<v1::Batch, Malformed> {
    const WHAT: Malformed = Malformed("a batch");
    let terms = batch
        .terms
        .as_ref()
        .map(|terms| v1::SignedTerms::decode(terms.bytes.as_slice()).map_err(|_| WHAT))
        .transpose()?;
    let entries = batch
        .entries
        .iter()
        .map(|entry| v1::Entry::decode(entry.bytes.as_slice()).map_err(|_| WHAT))
        .collect::<Result<_, _>>()?;
    Ok(v1::Batch {
        share: batch.share.as_bytes().to_vec().into(),
        terms,
        entries,
        head: Some(v1::SignedHead::decode(batch.head.bytes.as_slice()).map_err(|_| WHAT)?),
    })
}
