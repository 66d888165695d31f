//! How entries read, apart from what they say: a body commits to each of its texts, so that one can be erased and
//! the entry still proves the rest.

use std::vec;

use interdocket_proto::v1;
use prost::Message as _;
use sha2::{Digest as _, Sha256};

use super::item::{write_change_text, write_info, write_item_text};
use super::{Malformed, WHAT, array};
use crate::log::entry::{Actor, Body, CaseInfo, Subject};

/// Bytes that a text takes in an entry beside its own, whether it is there or only committed to.
pub(super) const OVERHEAD: usize = 40;

/// The texts of a body, in their order.
pub(super) fn of(body: &Body) -> Vec<Vec<u8>> {
    match body {
        Body::Offered(_, offered) => vec![
            case(Some(&offered.info), &offered.message),
            people(&offered.actor, &offered.recipients, ""),
        ],
        Body::EvidenceAdded(items) => {
            let texts = items.iter().map(write_item_text);
            texts.map(|text| text.encode_to_vec()).collect()
        }
        Body::EvidenceChanged(changes) => {
            let texts = changes.iter().map(write_change_text);
            texts.map(|text| text.encode_to_vec()).collect()
        }
        Body::CaseChanged(actor, info) => vec![case(Some(info), ""), people(actor, &[], "")],
        Body::RecipientsChanged(actor, recipients) => vec![people(actor, recipients, "")],
        Body::Reshared(actor, said) => vec![
            case(None, &said.message),
            people(actor, &said.recipients, ""),
        ],
        Body::RecallAsked(actor, reason) => vec![people(actor, &[], reason)],
        _ => Vec::new(),
    }
}

/// What the texts of a body are about, in their order.
pub(super) fn subjects(body: &Body) -> Vec<Subject> {
    match body {
        Body::Offered(..) | Body::CaseChanged(..) | Body::Reshared(..) => {
            vec![Subject::Case, Subject::People]
        }
        Body::RecipientsChanged(..) | Body::RecallAsked(..) => vec![Subject::People],
        Body::EvidenceAdded(items) => {
            let ids = items.iter().map(|item| item.evidence);
            ids.map(Subject::Item).collect()
        }
        Body::EvidenceChanged(changes) => {
            let ids = changes.iter().map(|change| change.evidence);
            ids.map(Subject::Item).collect()
        }
        _ => Vec::new(),
    }
}

fn case(info: Option<&CaseInfo>, message: &str) -> Vec<u8> {
    v1::CaseText {
        info: info.map(write_info),
        message: message.to_owned(),
    }
    .encode_to_vec()
}

fn people(actor: &Actor, recipients: &[String], reason: &str) -> Vec<u8> {
    v1::PeopleText {
        name: actor.name.clone(),
        badge: actor.badge.clone(),
        recipients: recipients.to_vec(),
        reason: reason.to_owned(),
    }
    .encode_to_vec()
}

/// A text as it is sent, with a salt that nothing else is known by: whoever has the others can't try what it was.
pub(super) fn write(text: Vec<u8>, seed: &[u8; 16], place: usize) -> v1::Text {
    v1::Text {
        salt: salt(seed, place as u64 + 1).to_vec().into(),
        text: text.into(),
        commitment: Default::default(),
    }
}

/// Random bytes of their own for each part of an entry; none of them tells another one.
pub(super) fn salt(seed: &[u8; 16], part: u64) -> [u8; 16] {
    let mut hash = Sha256::new();
    hash.update(b"interdocket salt v0\n");
    hash.update(seed);
    hash.update(part.to_be_bytes());
    let digest: [u8; 32] = hash.finalize().into();
    let mut salt = [0; 16];
    salt.copy_from_slice(&digest[..16]);
    salt
}

/// What a body says of one of its texts.
pub(super) fn commitment(text: &v1::Text) -> Result<[u8; 32], Malformed> {
    if !here(text) {
        return array(&text.commitment, "a commitment");
    }
    // Of one length always: else bytes could move between salt and text under one commitment.
    if text.salt.len() != 16 || !text.commitment.is_empty() {
        return Err(WHAT);
    }
    let mut hash = Sha256::new();
    hash.update(b"interdocket text v0\n");
    hash.update(&text.salt);
    hash.update(&text.text);
    Ok(hash.finalize().into())
}

/// Whether a text is there, and not only committed to.
pub(super) fn here(text: &v1::Text) -> bool {
    !text.salt.is_empty() || !text.text.is_empty()
}

/// A text without what it says.
pub(super) fn erased(text: &v1::Text) -> Result<v1::Text, Malformed> {
    Ok(v1::Text {
        commitment: commitment(text)?.to_vec().into(),
        ..v1::Text::default()
    })
}

/// The texts of an entry that is read, each taken once.
pub(super) struct Texts(vec::IntoIter<v1::Text>);

impl Texts {
    pub(super) fn new(texts: Vec<v1::Text>) -> Self {
        Self(texts.into_iter())
    }

    /// The next one; none where it is only committed to.
    pub(super) fn next<M: prost::Message + Default>(&mut self) -> Result<Option<M>, Malformed> {
        let text = self.0.next().ok_or(WHAT)?;
        if !here(&text) {
            return Ok(None);
        }
        M::decode(text.text).map(Some).map_err(|_| WHAT)
    }

    /// All were taken.
    pub(super) fn end(mut self) -> Result<(), Malformed> {
        match self.0.next() {
            None => Ok(()),
            Some(_) => Err(WHAT),
        }
    }
}
