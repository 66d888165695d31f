//! The keys under which bodies, texts and blobs are sealed: one per case, item of evidence, share or user.
//!
//! Invariant: a key is on disk only wrapped under the node's master key, one fixed slot each in
//! one file; an erased slot stays as a tombstone, so an id whose content was erased never gets a
//! key again. A slot lies inside one sector and is therefore written whole or not at all.
//!
//! Erasing overwrites the slot in place. A medium that writes elsewhere instead (flash, snapshots,
//! copy-on-write file systems) may keep the wrapped key until it reuses the space.
//!
//! Not here: the master key's own place, and keys that are only lent (leases).

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use interdocket_sync::id::{EvidenceId, ShareId};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::disk::{self, Disk};
#[cfg(test)]
use crate::tests::simulation::bug::{Bug, planted};

/// The file of the keyring.
pub const FILE: &str = "keyring";
const MAGIC: [u8; 8] = *b"IDKEYRNG";
const FORMAT: u16 = 0;
/// The header fills one sector: it is never written again.
const HEADER: usize = 512;
/// A slot in bytes; divides a sector.
const SLOT: usize = 128;
const EMPTY: u8 = 0;
const LIVE: u8 = 1;
const ERASED: u8 = 2;
const AES: u8 = 1;

/// Whose key it is: the id of a case, an item of evidence, a share or a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub Uuid);

impl KeyId {
    /// The node's own key, for bodies that belong to no case, share or user.
    pub const NODE: Self = Self(Uuid::nil());

    /// The key of an item of evidence.
    pub const fn item(evidence: EvidenceId) -> Self {
        Self(evidence.uuid())
    }

    /// The key that this node lends for a share of its own; not the one that seals its records of it.
    pub fn lease(share: ShareId) -> Self {
        Self::of(b"interdocket lease v0\n", share)
    }

    /// The key of what a share says of its case to people: it goes with the case, and the share's own key stays.
    pub fn texts(share: ShareId) -> Self {
        Self::of(b"interdocket share texts v0\n", share)
    }

    fn of(what: &[u8], share: ShareId) -> Self {
        let mut hash = Sha256::new();
        hash.update(what);
        hash.update(share.as_bytes());
        let digest: [u8; 32] = hash.finalize().into();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        Self(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a keyring does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file's header is not what this node wrote.
    #[error(
        "the keyring is damaged in its header; nothing was changed: restore the file \"{FILE}\" \
         from a backup of this node and start again"
    )]
    Damaged,
    /// A newer release wrote the file.
    #[error(
        "the keyring has format {0}, which this release does not know; nothing was changed: start \
         the newer release again"
    )]
    Newer(u16),
    /// The master key does not belong to this keyring.
    #[error(
        "keys/master.key does not open this keyring; nothing was changed: put back the master key \
         that belongs to it"
    )]
    Master,
    /// The file system failed.
    #[error("the keyring cannot be read or created")]
    Io(#[from] io::Error),
}

/// Why a key was not made, erased or made durable.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The key of this id was erased; it never gets another.
    #[error("the key {0} was erased")]
    Erased(KeyId),
    /// The slot of this id cannot be read; a second key would hide that.
    #[error("the key {0} is damaged: restore the file \"{FILE}\" from a backup of this node")]
    Damaged(KeyId),
    /// The disk is full; nothing was changed.
    #[error("the disk is full")]
    Full(#[source] io::Error),
    /// The file system failed; nothing more is written until the node was restarted.
    #[error("the keyring cannot be written")]
    Io(#[source] io::Error),
    /// An earlier write or sync failed.
    #[error("the keyring stopped after a failed write: restart the node")]
    Stopped,
}

/// A key in memory, wiped when dropped.
pub type Key = Zeroizing<[u8; 32]>;

/// What the keyring knows of an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// The key.
    Key(Key),
    /// There was a key and it was destroyed, or the id was barred from ever having one.
    Erased,
    /// The slot is there and cannot be read.
    Damaged,
    /// There is nothing under this id.
    Absent,
}

/// The keys of one node, in memory and in one file.
pub struct Keyring {
    disk: Arc<dyn Disk>,
    master: LessSafeKey,
    slots: Mutex<Slots>,
}

struct Slots {
    held: BTreeMap<KeyId, (u64, Held)>,
    end: u64,
    unsynced: bool,
    stopped: bool,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").finish_non_exhaustive()
    }
}

impl Keyring {
    /// Opens the keyring of a directory, creating it where there is none.
    ///
    /// `random` fills what it is given with random bytes; it is called only to create the file.
    ///
    /// # Errors
    /// See [`OpenError`]; none of them changes what the file says.
    pub fn open(
        disk: Arc<dyn Disk>,
        master: &[u8; 32],
        random: impl FnOnce(&mut [u8]),
    ) -> Result<Self, OpenError> {
        let master = cipher(master);
        if !disk.list()?.iter().any(|name| name == FILE) {
            let mut nonce = [0; 12];
            random(&mut nonce);
            disk::place(&*disk, FILE, &header(&master, nonce)).map_err(io::Error::from)?;
        }
        let bytes = disk::read(&*disk, FILE)?;
        check(&master, &bytes)?;
        let mut held = BTreeMap::new();
        for (place, slot) in (HEADER as u64..)
            .step_by(SLOT)
            .zip(bytes[HEADER..].chunks(SLOT))
        {
            let Some((id, state)) = parse(&master, slot) else {
                continue;
            };
            held.insert(id, (place, state));
        }
        // After a failed sync and a restart, what is read may be in the page cache only.
        disk.write_at(FILE, HEADER as u64, &bytes[HEADER..])?;
        disk.sync(FILE)?;
        disk.sync_dir()?;
        // A slot that was not written whole is written over: nobody was answered for it.
        let end = (bytes.len() - HEADER) / SLOT * SLOT + HEADER;
        let slots = Slots {
            held,
            end: end as u64,
            unsynced: false,
            stopped: false,
        };
        Ok(Self {
            disk,
            master,
            slots: Mutex::new(slots),
        })
    }

    /// Makes sure that an id has a key; a new one is durable after [`Keyring::sync`].
    ///
    /// `random` fills what it is given with random bytes and is called once for a new key.
    ///
    /// # Errors
    /// [`Error::Erased`] and [`Error::Damaged`] where the id may not get a key, [`Error::Full`],
    /// [`Error::Io`], [`Error::Stopped`].
    pub fn ensure(&self, id: KeyId, random: impl FnOnce(&mut [u8])) -> Result<(), Error> {
        let mut slots = self.lock();
        match slots.held.get(&id) {
            Some((_, Held::Key(_))) => return Ok(()),
            Some((_, Held::Erased)) => return Err(Error::Erased(id)),
            Some((_, Held::Damaged)) => return Err(Error::Damaged(id)),
            Some((_, Held::Absent)) | None => {}
        }
        let mut drawn = Zeroizing::new([0; 44]);
        random(&mut *drawn);
        let mut key = Key::default();
        key.copy_from_slice(&drawn[..32]);
        let mut nonce = [0; 12];
        nonce.copy_from_slice(&drawn[32..]);
        let slot = wrap(&self.master, id, &key, nonce);
        slots.put(&*self.disk, id, &slot, Held::Key(key))
    }

    /// Gives the key of an id, where it has one.
    #[must_use]
    pub fn key(&self, id: KeyId) -> Option<Key> {
        match self.held(id) {
            Held::Key(key) => Some(key),
            Held::Erased | Held::Damaged | Held::Absent => None,
        }
    }

    /// Tells what is known of an id.
    #[must_use]
    pub fn held(&self, id: KeyId) -> Held {
        self.lock()
            .held
            .get(&id)
            .map_or(Held::Absent, |(_, held)| held.clone())
    }

    /// Destroys the key of an id and bars the id from ever having one; durable on return.
    ///
    /// Erasing again changes nothing.
    ///
    /// # Errors
    /// [`Error::Full`], [`Error::Io`], [`Error::Stopped`]. After the last two the key may still be
    /// on disk: the caller erases again after a restart.
    pub fn erase(&self, id: KeyId) -> Result<(), Error> {
        let mut slots = self.lock();
        if !matches!(slots.held.get(&id), Some((_, Held::Erased))) {
            slots.put(&*self.disk, id, &tombstone(id), Held::Erased)?;
        }
        slots.sync(&*self.disk)
    }

    /// Makes every key made so far durable.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::Stopped`].
    pub fn sync(&self) -> Result<(), Error> {
        self.lock().sync(&*self.disk)
    }

    /// Gives the file as it is: keys wrapped under the master key, and what was erased as such.
    ///
    /// # Errors
    /// Whatever the file system reports.
    pub fn copy(&self) -> io::Result<Vec<u8>> {
        let _slots = self.lock();
        disk::read(&*self.disk, FILE)
    }

    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slots {
    fn put(&mut self, disk: &dyn Disk, id: KeyId, slot: &[u8], held: Held) -> Result<(), Error> {
        if self.stopped {
            return Err(Error::Stopped);
        }
        let place = self.held.get(&id).map_or(self.end, |(place, _)| *place);
        if let Err(error) = disk.write_at(FILE, place, slot) {
            if disk::full(&error) {
                return Err(Error::Full(error));
            }
            self.stopped = true;
            return Err(Error::Io(error));
        }
        self.end = self.end.max(place + SLOT as u64);
        self.unsynced = true;
        self.held.insert(id, (place, held));
        Ok(())
    }

    fn sync(&mut self, disk: &dyn Disk) -> Result<(), Error> {
        if self.stopped {
            return Err(Error::Stopped);
        }
        #[cfg(test)]
        if planted(Bug::KeysUnsynced) {
            self.unsynced = false;
        }
        if !self.unsynced {
            return Ok(());
        }
        if let Err(error) = disk.sync(FILE) {
            self.stopped = true;
            return Err(Error::Io(error));
        }
        self.unsynced = false;
        Ok(())
    }
}

/// Makes a cipher of the bytes of a key.
pub(crate) fn cipher(key: &[u8; 32]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("a key of AES-256 has 32 bytes"))
}

fn checksum(bytes: &[u8]) -> [u8; 16] {
    let mut sum = [0; 16];
    sum.copy_from_slice(&blake3::hash(bytes).as_bytes()[..16]);
    sum
}

/// Magic 8, format 2, nonce 12, tag 16 over nothing, zeros, checksum 16 at the end.
fn header(master: &LessSafeKey, nonce: [u8; 12]) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..10].copy_from_slice(&FORMAT.to_be_bytes());
    bytes[10..22].copy_from_slice(&nonce);
    let nonce = Nonce::assume_unique_for_key(nonce);
    let tag = master
        .seal_in_place_separate_tag(nonce, Aad::from(MAGIC), &mut [])
        .expect("nothing is short enough to be sealed");
    bytes[22..38].copy_from_slice(tag.as_ref());
    let sum = checksum(&bytes[..HEADER - 16]);
    bytes[HEADER - 16..].copy_from_slice(&sum);
    bytes
}

fn check(master: &LessSafeKey, bytes: &[u8]) -> Result<(), OpenError> {
    if bytes.len() < HEADER || bytes[..8] != MAGIC {
        return Err(OpenError::Damaged);
    }
    let format = u16::from_be_bytes([bytes[8], bytes[9]]);
    if format > FORMAT {
        return Err(OpenError::Newer(format));
    }
    if checksum(&bytes[..HEADER - 16]) != bytes[HEADER - 16..HEADER] {
        return Err(OpenError::Damaged);
    }
    let mut nonce = [0; 12];
    nonce.copy_from_slice(&bytes[10..22]);
    let mut tag = bytes[22..38].to_vec();
    master
        .open_in_place(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(MAGIC),
            &mut tag,
        )
        .map_err(|_| OpenError::Master)?;
    Ok(())
}

/// State 1, cipher 1, id 16, nonce 12, wrapped key 48, zeros, checksum 16 at the end.
fn wrap(master: &LessSafeKey, id: KeyId, key: &Key, nonce: [u8; 12]) -> [u8; SLOT] {
    let mut slot = [0; SLOT];
    slot[0] = LIVE;
    slot[1] = AES;
    slot[2..18].copy_from_slice(id.0.as_bytes());
    slot[18..30].copy_from_slice(&nonce);
    slot[30..62].copy_from_slice(&key[..]);
    let nonce = Nonce::assume_unique_for_key(nonce);
    let tag = master
        .seal_in_place_separate_tag(nonce, Aad::from(*id.0.as_bytes()), &mut slot[30..62])
        .expect("32 bytes are short enough to be sealed");
    slot[62..78].copy_from_slice(tag.as_ref());
    finish(slot)
}

fn tombstone(id: KeyId) -> [u8; SLOT] {
    let mut slot = [0; SLOT];
    slot[0] = ERASED;
    slot[2..18].copy_from_slice(id.0.as_bytes());
    finish(slot)
}

fn finish(mut slot: [u8; SLOT]) -> [u8; SLOT] {
    let sum = checksum(&slot[..SLOT - 16]);
    slot[SLOT - 16..].copy_from_slice(&sum);
    slot
}

/// Reads a slot; `None` where none was ever written whole.
fn parse(master: &LessSafeKey, slot: &[u8]) -> Option<(KeyId, Held)> {
    if slot.len() < SLOT || slot.iter().all(|byte| *byte == EMPTY) {
        return None;
    }
    let mut id = [0; 16];
    id.copy_from_slice(&slot[2..18]);
    let id = KeyId(Uuid::from_bytes(id));
    if checksum(&slot[..SLOT - 16]) != slot[SLOT - 16..] {
        return Some((id, Held::Damaged));
    }
    match slot[0] {
        LIVE if slot[1] == AES => Some((id, unwrap(master, id, slot))),
        ERASED => Some((id, Held::Erased)),
        _ => Some((id, Held::Damaged)),
    }
}

fn unwrap(master: &LessSafeKey, id: KeyId, slot: &[u8]) -> Held {
    let mut nonce = [0; 12];
    nonce.copy_from_slice(&slot[18..30]);
    let nonce = Nonce::assume_unique_for_key(nonce);
    let mut wrapped = Zeroizing::new([0; 48]);
    wrapped.copy_from_slice(&slot[30..78]);
    match master.open_in_place(nonce, Aad::from(*id.0.as_bytes()), &mut *wrapped) {
        Ok(plain) => {
            let mut key = Key::default();
            key.copy_from_slice(plain);
            Held::Key(key)
        }
        Err(_) => Held::Damaged,
    }
}

#[cfg(test)]
mod tests;
