//! The identity of this node: its organisation's root and what stands under it, in `keys/`.
//!
//! `root.key` and `root.pem` are the organisation; `root.key` may be kept elsewhere, the node runs
//! without it. `operational.pem` and `signing.pem` each hold a key and its certificate in one file,
//! so that a renewal is whole or not there. `master.key` seals the keys of bodies. The certificate
//! for the federation port lives in memory only and is renewed at half its life, without a restart.
//! Handing over from one root to the next is not here, nor is any partner's key.

pub mod chain;
mod file;
mod issue;
mod leaf;
mod pins;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use aws_lc_rs::signature::Ed25519KeyPair;
use chrono::{DateTime, Duration, Utc};
use interdocket_sync::identity::{OrganisationId, Signer};
use rcgen::{KeyPair, PublicKeyData as _};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::CertifiedKey;
use zeroize::Zeroizing;

pub use self::chain::Usage;
pub use self::file::Error as FileError;
use self::issue::Subject;
pub use self::leaf::Leaf;
pub use self::pins::{NotItsRoot, Pins};

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
    operational: CertificateDer<'static>,
    signing: Signing,
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
pub struct Signing(Arc<(Ed25519KeyPair, Vec<Vec<u8>>)>);

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
        let organisation = chain::organisation(&root).ok_or_else(damaged)?;
        let name = chain::name(&root).ok_or_else(damaged)?;
        let master_path = dir.join(MASTER);
        let bytes = file::read(&master_path)?;
        let master = bytes[..]
            .try_into()
            .map_err(|_| Error::Damaged(master_path))?;
        let subject = Subject { organisation, now };
        let state = State::read(dir, subject)?;
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
        let leaf = issue::https(&state.key, names, now, end(&state.operational))?;
        Ok(Arc::new(leaf::certified(&leaf, &state.operational)?))
    }

    /// Renews what is due: the federation port's certificate at half its life, the operational key
    /// when under a third of its life is left and the root is here.
    ///
    /// # Errors
    /// As [`Keys::open`]; what was there before stays in use.
    pub fn renew(&self, now: DateTime<Utc>) -> Result<Renewal, Error> {
        let due = self.expiries().operational - issue::OPERATIONAL / 3;
        let root_path = self.dir.join(ROOT_KEY);
        let (late, here) = (now >= due, root_path.exists());
        if late && here {
            let pem = file::read(&root_path)?;
            let text = std::str::from_utf8(&pem).map_err(|_| Error::Damaged(root_path))?;
            self.certify(text, now)?;
        }
        let renewed = late && here;
        let half = self.expiries().tls - issue::TLS / 2;
        let tls = renewed || now >= half;
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
        let other = || Error::OtherRoot(self.organisation);
        let root = KeyPair::from_pem(root_key_pem).map_err(|_| other())?;
        if issue::identify(&root) != self.organisation {
            return Err(other());
        }
        let subject = Subject {
            organisation: self.organisation,
            now,
        };
        let operational = issue::operational(&root, &self.name, subject)?;
        save(&self.dir.join(OPERATIONAL), &operational)?;
        *self.write() = State::read(&self.dir, subject)?;
        self.present(now)
    }

    /// Gives the files of the identity by their names: `root.key` only where it is here.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn copy(&self) -> Result<Vec<(&'static str, Secret)>, Error> {
        // A renewal replaces two of them.
        let _state = self.read();
        [ROOT_KEY, ROOT, OPERATIONAL, SIGNING, MASTER]
            .into_iter()
            .map(|name| (name, self.dir.join(name)))
            .filter(|(name, path)| *name != ROOT_KEY || path.exists())
            .map(|(name, path)| Ok((name, file::read(&path)?)))
            .collect()
    }

    /// When each certificate ends.
    pub fn expiries(&self) -> Expiries {
        let state = self.read();
        Expiries {
            root: end(&self.root),
            operational: end(&state.operational),
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
        Arc::new(leaf::certified(&forged, &state.operational).unwrap())
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
        let chain = vec![certificate.to_vec(), operational.to_vec(), root.to_vec()];
        Ok(Self {
            key,
            operational,
            signing: Signing(Arc::new((pair, chain))),
        })
    }

    fn tls(&self, subject: Subject) -> Result<CertifiedKey, Error> {
        let leaf = issue::tls(&self.key, subject, end(&self.operational))?;
        Ok(leaf::certified(&leaf, &self.operational)?)
    }
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

fn end(certificate: &[u8]) -> DateTime<Utc> {
    let (_, end) = chain::validity(certificate).expect("the certificate was read before");
    end
}

/// How long to wait at least between two renewals.
const RETRY: Duration = Duration::hours(1);

const ROOT_KEY: &str = "root.key";
const ROOT: &str = "root.pem";
const OPERATIONAL: &str = "operational.pem";
const SIGNING: &str = "signing.pem";
const MASTER: &str = "master.key";
