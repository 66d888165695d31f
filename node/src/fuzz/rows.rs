//! What stands in the journal's bodies and in the tables: what is read is written as what reads the same.

use std::collections::BTreeMap;
use std::fmt::Debug;

use interdocket_sync::blob::{Digest, Sha256};
use interdocket_sync::copy::Field;
use interdocket_sync::id::{CaseId, EvidenceId, InvitationId, ShareId, TargetId};
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::log::Side;
use interdocket_sync::metadata::Value;
use interdocket_sync::pairing::Inviter;
use interdocket_sync::share;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::actions::share::SetId;
use crate::event::{Entry, Event};
use crate::store::entity;
use crate::store::table::Key;

/// The body of a record.
pub(super) fn record(bytes: &[u8]) {
    let Ok(entry) = Entry::decode(bytes) else {
        return;
    };
    let again = Entry::decode(&entry.encode());
    assert_eq!(again.as_ref().ok(), Some(&entry));
    // The audit shows it to people, and a record is found by what it is about.
    serde_json::to_value(&entry).expect("an event has text for keys");
    assert_ne!(Event::name(entry.event.number()), "of a newer release");
    assert_eq!(entry.draft().kind, entry.event.number());
    let _ = entry.event.subjects();
}

/// The value of a row; the first byte says of which table.
pub(super) fn row(bytes: &[u8]) {
    let Some((table, bytes)) = bytes.split_first() else {
        return;
    };
    let tables: [fn(&[u8]); 23] = [
        value::<entity::Node>,
        value::<entity::User>,
        value::<entity::Token>,
        value::<Inviter>,
        value::<entity::Partner>,
        value::<entity::Case>,
        value::<entity::Evidence>,
        value::<entity::File>,
        value::<entity::Blob>,
        value::<entity::Share>,
        value::<entity::Group>,
        value::<Vec<String>>,
        value::<entity::Set>,
        value::<share::Fact>,
        value::<entity::Known>,
        value::<entity::Target>,
        value::<entity::Sealed>,
        value::<entity::Import>,
        value::<entity::Session>,
        value::<u64>,
        value::<entity::Label>,
        value::<BTreeMap<Field, Value>>,
        value::<entity::Credential>,
    ];
    tables[usize::from(*table) % tables.len()](bytes);
}

fn value<V: Serialize + DeserializeOwned + PartialEq + Debug>(bytes: &[u8]) {
    let Ok(value) = ciborium::from_reader::<V, _>(bytes) else {
        return;
    };
    let mut written = Vec::new();
    ciborium::into_writer(&value, &mut written).expect("a Vec takes every byte");
    let again: Option<V> = ciborium::from_reader(written.as_slice()).ok();
    assert_eq!(again, Some(value));
}

/// The key of a row; the first byte says of which table.
pub(super) fn key(bytes: &[u8]) {
    let Some((table, bytes)) = bytes.split_first() else {
        return;
    };
    let keys: [fn(&[u8]); 14] = [
        kept::<()>,
        kept::<String>,
        kept::<u64>,
        kept::<(EvidenceId, u32)>,
        kept::<(ShareId, share::Key)>,
        kept::<(CaseId, TargetId)>,
        kept::<(Uuid, Uuid)>,
        kept::<(SetId, u64)>,
        kept::<(OrganisationId, ShareId)>,
        kept::<(ShareId, Side, u64)>,
        kept::<(OrganisationId, ShareId, Digest)>,
        kept::<(ShareId, Digest, u32)>,
        kept::<Sha256>,
        kept::<InvitationId>,
    ];
    keys[usize::from(*table) % keys.len()](bytes);
}

/// What is read of a key is what stands there, to the byte: else a row would not be found again.
fn kept<K: Key>(bytes: &[u8]) {
    let mut rest = bytes;
    let Some(key) = K::read(&mut rest) else {
        return;
    };
    let mut written = Vec::new();
    key.write(&mut written);
    assert_eq!(written, bytes[..bytes.len() - rest.len()]);
}
