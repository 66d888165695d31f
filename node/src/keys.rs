//! The identity of this node: its organisation's root and what stands under it, in `keys/`.
//!
//! `root.key` and `root.pem` are the organisation; `root.key` may be kept elsewhere, the node runs
//! without it. `operational.pem` and `signing.pem` each hold a key and its certificate in one file,
//! so that a renewal is whole or not there. `master.key` seals the keys of bodies. The certificate
//! for the federation port lives in memory only and is renewed at half its life, without a restart.
//! `handed.pem` has the roots that were handed over to, the newest first, each certified by the one before:
//! they go along with all that is signed or presented, so that partners, who pinned the first one, take it.
//! No partner's key is here.

pub mod chain;
mod file;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod issue;
mod leaf;
mod pins;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use aws_lc_rs::signature::Ed25519KeyPair;
use chrono::{DateTime, Duration, Utc};
use interdocket_sync::identity::{OrganisationId, Signer, Unverified};
use rcgen::{KeyPair, PublicKeyData as _};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::CertifiedKey;
use zeroize::Zeroizing;

pub use self::chain::Usage;
pub use self::file::Error as FileError;
use self::issue::Subject;
pub use self::leaf::Leaf;
pub use self::pins::{Behind, NotItsRoot, Pins};

/// The bytes of a file of keys, wiped when dropped.
pub type Secret = Zeroizing<Vec<u8>>;

/// Why the node's keys cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read or written, or others may use it.
    #[error(transparent)]
    File(#[from] file::Error),
    /// There are keys already.
    #[error("{0} exists: a node's keys are made once; move it away to start a new organisation")]
    Exists(PathBuf),
    /// A file does not hold what its name says.
    #[error("{0} does not hold what it should; restore keys/ from a backup")]
    Damaged(PathBuf),
    /// The key handed in is not that of this organisation's root.
    #[error("this key is not that of the root of organisation {0}; use its root.key")]
    OtherRoot(OrganisationId),
    /// A file is there that must not be written over.
    #[error("{0} exists: name a file that does not")]
    There(PathBuf),
    /// There were as many roots as a chain can have.
    #[error("this organisation has handed over its root {0} times, which is as often as it can")]
    Spent(usize),
    /// The API cannot be served under this name.
    #[error("{0:?} is neither a DNS name nor an IP address; correct the names of the API")]
    Name(String),
    /// A certificate could not be made.
    #[error("cannot issue a certificate")]
    Issue(#[from] rcgen::Error),
    /// The TLS library refused the node's own certificate.
    #[error("cannot use the certificate that was issued")]
    Tls(#[from] rustls::Error),
}

/// The keys and certificates of this node.
pub struct Keys {
    dir: PathBuf,
    organisation: OrganisationId,
    name: String,
    root: CertificateDer<'static>,
    master: Zeroizing<[u8; 32]>,
    state: RwLock<State>,
    tls: Arc<Leaf>,
}

struct State {
    key: KeyPair,
    /// The operational certificate, and the roots that were handed over to, newest first.
    above: Vec<CertificateDer<'static>>,
    signing: Signing,
}

/// A root that is to follow.
pub struct Successor {
    key: KeyPair,
    certificate: rcgen::Certificate,
}

impl Successor {
    /// Its certificate by the root before, DER.
    pub fn der(&self) -> &[u8] {
        self.certificate.der()
    }
}

/// What a renewal did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renewal {
    /// Whether there are a new operational key and signing key.
    pub operational: bool,
    /// Whether there is a new certificate for the federation port.
    pub tls: bool,
    /// Whether a new operational key is due and the root is not here to certify it.
    pub root_needed: bool,
    /// When to call again.
    pub next: DateTime<Utc>,
}

/// When each certificate of the node ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expiries {
    /// The organisation's root.
    pub root: DateTime<Utc>,
    /// The operational certificate.
    pub operational: DateTime<Utc>,
    /// The certificate of the key that signs logs.
    pub signing: DateTime<Utc>,
    /// The certificate for the federation port.
    pub tls: DateTime<Utc>,
}

/// Signs logs for the organisation, with the key of one moment; clones are the same key.
#[derive(Clone)]
pub struct Signing(Arc<(Ed25519KeyPair, Vec<Vec<u8>>, DateTime<Utc>)>);

impl Signing {
    /// Since when what it signs counts: the latest beginning of its certificates.
    pub fn begins(&self) -> DateTime<Utc> {
        self.0.2
    }
}

impl Signer for Signing {
    fn sign(&self, message: &[u8]) -> [u8; 64] {
        let signature = self.0.0.sign(message);
        signature
            .as_ref()
            .try_into()
            .expect("an Ed25519 signature is 64 bytes")
    }

    fn certificates(&self) -> &[Vec<u8>] {
        &self.0.1
    }
}

impl Keys {
    /// Makes the identity of a new organisation; `dir` appears whole or not at all.
    ///
    /// # Errors
    /// [`Error::Exists`] where there is one already; else what the system or a library refused.
    pub fn create(dir: &Path, name: &str, now: DateTime<Utc>) -> Result<Self, Error> {
        if dir.exists() {
            return Err(Error::Exists(dir.into()));
        }
        let fresh = dir.with_extension("new");
        if fresh.exists() {
            std::fs::remove_dir_all(&fresh).map_err(|source| file::Error::Io {
                verb: "remove",
                path: fresh.clone(),
                source,
            })?;
        }
        file::directory(&fresh)?;
        let key = issue::ed25519()?;
        let organisation = issue::identify(&key);
        let subject = Subject { organisation, now };
        let root = issue::root(&key, name, subject)?;
        let mut master = Zeroizing::new([0; 32]);
        aws_lc_rs::rand::fill(&mut *master).map_err(|_| rcgen::Error::RingUnspecified)?;
        file::write(&fresh.join(ROOT_KEY), key.serialize_pem().as_bytes())?;
        file::write(&fresh.join(ROOT), root.pem().as_bytes())?;
        file::write(&fresh.join(MASTER), &*master)?;
        save(
            &fresh.join(OPERATIONAL),
            &issue::operational(&key, name, subject)?,
        )?;
        file::publish(&fresh, dir)?;
        Self::open(dir, now)
    }

    /// Reads the identity of this node and issues the certificate for its federation port.
    ///
    /// # Errors
    /// [`Error::File`] where a file is missing or others may use it, [`Error::Damaged`] where one
    /// does not hold what it should.
    pub fn open(dir: &Path, now: DateTime<Utc>) -> Result<Self, Error> {
        file::private(dir)?;
        file::closed(&dir.join(ROOT_KEY))?;
        let root_path = dir.join(ROOT);
        let damaged = || Error::Damaged(root_path.clone());
        let root = CertificateDer::from_pem_slice(&file::read(&root_path)?);
        let root = root.map_err(|_| damaged())?;
        if !chain::itself(&root) {
            return Err(damaged());
        }
        let organisation = chain::organisation(&root).ok_or_else(damaged)?;
        let name = chain::name(&root).ok_or_else(damaged)?;
        let master_path = dir.join(MASTER);
        let bytes = file::read(&master_path)?;
        let master = bytes[..]
            .try_into()
            .map_err(|_| Error::Damaged(master_path))?;
        let subject = Subject { organisation, now };
        let state = State::read(dir, subject)?;
        state.recognise(dir, &root)?;
        let tls = state.tls(subject)?;
        Ok(Self {
            dir: dir.into(),
            organisation,
            name,
            root,
            master: Zeroizing::new(master),
            state: RwLock::new(state),
            tls: Arc::new(Leaf::new(Arc::new(tls))),
        })
    }

    /// The organisation that this node speaks for.
    pub fn organisation(&self) -> OrganisationId {
        self.organisation
    }

    /// The name that the organisation gave itself in its root.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The organisation's root certificate, DER.
    pub fn root_der(&self) -> &[u8] {
        &self.root
    }

    /// The key under which the keys of bodies are sealed.
    pub fn master(&self) -> &[u8; 32] {
        &self.master
    }

    /// What signs logs at this moment; ask again after a renewal.
    pub fn signer(&self) -> Signing {
        self.read().signing.clone()
    }

    /// What the federation port presents, always the newest.
    pub fn tls(&self) -> Arc<Leaf> {
        Arc::clone(&self.tls)
    }

    /// Issues a certificate for the API under DNS names and addresses; at most 90 days.
    ///
    /// # Errors
    /// [`Error::Name`] where a name is none.
    pub fn https(&self, names: &[String], now: DateTime<Utc>) -> Result<Arc<CertifiedKey>, Error> {
        if let Some(name) = names
            .iter()
            .find(|name| ServerName::try_from(name.as_str()).is_err())
        {
            return Err(Error::Name(name.clone()));
        }
        let state = self.read();
        let leaf = issue::https(&state.key, names, now, end(state.operational()))?;
        Ok(Arc::new(leaf::certified(&leaf, &state.above)?))
    }

    /// Renews what is due: the federation port's certificate at half its life, the operational key
    /// when under a third of its life is left and the root is here. What is not valid yet is due as well: it was
    /// made under a clock that was ahead, and partners refuse it until their own gets there.
    ///
    /// # Errors
    /// As [`Keys::open`]; what was there before stays in use.
    pub fn renew(&self, now: DateTime<Utc>) -> Result<Renewal, Error> {
        let due = self.expiries().operational - issue::OPERATIONAL / 3;
        let root_path = self.dir.join(ROOT_KEY);
        let late = now >= due || begin(self.read().operational()) > now;
        let mut here = false;
        if late && root_path.exists() {
            let pem = file::read(&root_path)?;
            let text = std::str::from_utf8(&pem).map_err(|_| Error::Damaged(root_path))?;
            // One that was handed over does not count any more.
            here = self.root(text).is_ok();
            if here {
                self.certify(text, now)?;
            }
        }
        let renewed = late && here;
        let half = self.expiries().tls - issue::TLS / 2;
        let early = begin(&self.tls.current().cert[0]) > now;
        let tls = renewed || early || now >= half;
        if tls && !renewed {
            self.present(now)?;
        }
        let ends = self.expiries();
        let again = (ends.tls - issue::TLS / 2).min(ends.operational - issue::OPERATIONAL / 3);
        let next = again.max(now + RETRY);
        Ok(Renewal {
            operational: renewed,
            tls,
            root_needed: late && !here,
            next,
        })
    }

    /// Makes a new operational key under a root that is kept elsewhere; the root is not stored.
    ///
    /// # Errors
    /// [`Error::OtherRoot`] where it is not this organisation's.
    pub fn certify(&self, root_key_pem: &str, now: DateTime<Utc>) -> Result<(), Error> {
        let root = self.root(root_key_pem)?;
        let subject = Subject {
            organisation: self.organisation,
            now,
        };
        let operational = issue::operational(&root, &self.name, subject)?;
        save(&self.dir.join(OPERATIONAL), &operational)?;
        *self.write() = State::read(&self.dir, subject)?;
        self.present(now)
    }

    /// The newest root's key, where this is it.
    fn root(&self, pem: &str) -> Result<KeyPair, Error> {
        let other = || Error::OtherRoot(self.organisation);
        let key = KeyPair::from_pem(pem).map_err(|_| other())?;
        let state = self.read();
        let newest = state.above.get(1).unwrap_or(&self.root);
        match chain::holds(newest, key.subject_public_key_info()) {
            true => Ok(key),
            false => Err(other()),
        }
    }

    /// Makes the root that is to follow and certifies it by this one; its key is written to a new file, and
    /// nothing else changes.
    ///
    /// # Errors
    /// [`Error::OtherRoot`] where `from` is not the newest root's key, [`Error::There`] where `to` exists,
    /// [`Error::Spent`].
    pub fn successor(
        &self,
        from: &Path,
        to: &Path,
        now: DateTime<Utc>,
    ) -> Result<Successor, Error> {
        let pem = file::read(from)?;
        let text = std::str::from_utf8(&pem).map_err(|_| Error::OtherRoot(self.organisation))?;
        let old = self.root(text)?;
        let before = self.read().above.len() - 1;
        if before >= usize::from(issue::SUCCESSORS) {
            return Err(Error::Spent(before));
        }
        if to.exists() {
            return Err(Error::There(to.into()));
        }
        let subject = Subject {
            organisation: self.organisation,
            now,
        };
        let key = issue::ed25519()?;
        let certificate = issue::successor(&old, &key, &self.name, subject)?;
        file::write(to, key.serialize_pem().as_bytes())?;
        Ok(Successor { key, certificate })
    }

    /// Stands under another root from now on, and makes a new operational key under it.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn hand_over(&self, successor: &Successor, now: DateTime<Utc>) -> Result<(), Error> {
        let path = self.dir.join(HANDED);
        let mut text = successor.certificate.pem();
        if path.exists() {
            text += &String::from_utf8_lossy(&file::read(&path)?);
        }
        file::write(&path, text.as_bytes())?;
        let subject = Subject {
            organisation: self.organisation,
            now,
        };
        let operational = issue::operational(&successor.key, &self.name, subject)?;
        save(&self.dir.join(OPERATIONAL), &operational)?;
        *self.write() = State::read(&self.dir, subject)?;
        self.present(now)
    }

    /// Gives the files of the identity by their names: `root.key` and `handed.pem` only where they are here.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn copy(&self) -> Result<Vec<(&'static str, Secret)>, Error> {
        // A renewal replaces two of them.
        let _state = self.read();
        [ROOT_KEY, ROOT, HANDED, OPERATIONAL, SIGNING, MASTER]
            .into_iter()
            .map(|name| (name, self.dir.join(name)))
            .filter(|(name, path)| ![ROOT_KEY, HANDED].contains(name) || path.exists())
            .map(|(name, path)| Ok((name, file::read(&path)?)))
            .collect()
    }

    /// When each certificate ends.
    pub fn expiries(&self) -> Expiries {
        let state = self.read();
        Expiries {
            root: end(state.above.get(1).unwrap_or(&self.root)),
            operational: end(state.operational()),
            signing: end(&state.signing.certificates()[0]),
            tls: end(&self.tls.current().cert[0]),
        }
    }

    /// A certificate for the federation port that differs from a proper one.
    #[cfg(test)]
    pub(crate) fn forge(
        &self,
        now: DateTime<Utc>,
        change: impl FnOnce(&mut rcgen::CertificateParams),
    ) -> Arc<CertifiedKey> {
        let state = self.read();
        let subject = Subject {
            organisation: self.organisation,
            now,
        };
        let forged = issue::forge(&state.key, subject, change);
        Arc::new(leaf::certified(&forged, &state.above).unwrap())
    }

    fn present(&self, now: DateTime<Utc>) -> Result<(), Error> {
        let subject = Subject {
            organisation: self.organisation,
            now,
        };
        let tls = self.read().tls(subject)?;
        self.tls.replace(Arc::new(tls));
        Ok(())
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, State> {
        self.state
            .read()
            .expect("nobody panics while holding the keys")
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, State> {
        self.state
            .write()
            .expect("nobody panics while holding the keys")
    }
}

impl State {
    /// Reads the operational key, and the signing key under it; makes that one where it is missing
    /// or stands under an older operational key.
    fn read(dir: &Path, subject: Subject) -> Result<Self, Error> {
        let (key, operational) = load(&dir.join(OPERATIONAL))?;
        let path = dir.join(SIGNING);
        let current = path.exists().then(|| load(&path)).transpose()?;
        let (signing_key, certificate) = match current {
            Some(found) if chain::issued(&found.1, &operational) => found,
            _ => {
                save(&path, &issue::signing(&key, subject, end(&operational))?)?;
                load(&path)?
            }
        };
        let pair = Ed25519KeyPair::from_pkcs8(signing_key.serialized_der())
            .map_err(|_| Error::Damaged(path))?;
        let root = file::read(&dir.join(ROOT))?;
        let root =
            CertificateDer::from_pem_slice(&root).map_err(|_| Error::Damaged(dir.join(ROOT)))?;
        let mut above = vec![operational];
        above.extend(handed(&dir.join(HANDED))?);
        // With clocks that went back nothing can be said of it.
        let stands = chain::leads(&certificate, &above, &root);
        if !matches!(stands, Some(Ok(()) | Err(Unverified::Expired))) {
            return Err(Error::Damaged(dir.join(OPERATIONAL)));
        }
        let begins = above.iter().map(|above| begin(above)).max();
        let begins = begins.unwrap_or(subject.now).max(begin(&certificate));
        let chain = [&certificate].into_iter().chain(&above).chain([&root]);
        let chain = chain.map(|certificate| certificate.to_vec()).collect();
        Ok(Self {
            key,
            above,
            signing: Signing(Arc::new((pair, chain, begins))),
        })
    }

    /// Refuses a root's key that is here and is of none of this organisation's roots: found out when it is
    /// needed, it would be too late.
    fn recognise(&self, dir: &Path, root: &CertificateDer<'static>) -> Result<(), Error> {
        let path = dir.join(ROOT_KEY);
        if !path.exists() {
            return Ok(());
        }
        let pem = file::read(&path)?;
        let key = std::str::from_utf8(&pem).ok();
        let key = key.and_then(|text| KeyPair::from_pem(text).ok());
        let known = key.is_some_and(|key| {
            let key = key.subject_public_key_info();
            let mut roots = self.above[1..].iter().chain([root]);
            roots.any(|root| chain::holds(root, key.clone()))
        });
        known.then_some(()).ok_or(Error::Damaged(path))
    }

    fn operational(&self) -> &CertificateDer<'static> {
        &self.above[0]
    }

    fn tls(&self, subject: Subject) -> Result<CertifiedKey, Error> {
        let leaf = issue::tls(&self.key, subject, end(self.operational()))?;
        Ok(leaf::certified(&leaf, &self.above)?)
    }
}

/// The roots that were handed over to, the newest first.
fn handed(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let bytes = file::read(path)?;
    let roots: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    roots.map_err(|_| Error::Damaged(path.into()))
}

fn load(path: &Path) -> Result<(KeyPair, CertificateDer<'static>), Error> {
    let damaged = || Error::Damaged(path.into());
    let bytes = file::read(path)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| damaged())?;
    let key = KeyPair::from_pem(text).map_err(|_| damaged())?;
    let certificate = CertificateDer::from_pem_slice(&bytes).map_err(|_| damaged())?;
    if !chain::holds(&certificate, key.subject_public_key_info()) {
        return Err(damaged());
    }
    Ok((key, certificate))
}

fn save(path: &Path, (key, certificate): &issue::Credential) -> Result<(), Error> {
    let text = Zeroizing::new(key.serialize_pem() + &certificate.pem());
    Ok(file::write(path, text.as_bytes())?)
}

fn begin(certificate: &[u8]) -> DateTime<Utc> {
    let (begin, _) = chain::validity(certificate).expect("the certificate was read before");
    begin
}

fn end(certificate: &[u8]) -> DateTime<Utc> {
    let (_, end) = chain::validity(certificate).expect("the certificate was read before");
    end
}

/// How long to wait at least between two renewals.
const RETRY: Duration = Duration::hours(1);

const ROOT_KEY: &str = "root.key";
const ROOT: &str = "root.pem";
const HANDED: &str = "handed.pem";
const OPERATIONAL: &str = "operational.pem";
const SIGNING: &str = "signing.pem";
const MASTER: &str = "master.key";
