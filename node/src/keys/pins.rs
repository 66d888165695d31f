//! The roots of partners that count right now, and the one question asked of them.
//!
//! The first root of a partner stands behind all that it ever signed. Who connects has to stand under the newest
//! root that was seen of it: whoever has an older one can't be that partner any more.
//!
//! A pin set or removed counts from the next question on; connections that are already up are cut
//! through the federation's registry. Why a partner is pinned or not is not here.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use chrono::{DateTime, Utc};
use interdocket_sync::identity::{Claim, OrganisationId, Unverified, Verifier};
use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::EndEntityCert;

use super::chain::{self, Usage};

/// The pinned roots by organisation; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Pins(Arc<RwLock<BTreeMap<OrganisationId, Pinned>>>);

#[derive(Debug, Clone)]
struct Pinned {
    first: TrustAnchor<'static>,
    /// The newest root that was handed over to, as far as is known here.
    later: Option<TrustAnchor<'static>>,
}

/// Who stands behind a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behind {
    /// The organisation.
    pub organisation: OrganisationId,
    /// The root that it handed over to since, DER, where that is not known yet.
    pub later: Option<CertificateDer<'static>>,
}

/// A certificate that is not the first root of the organisation it is pinned for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the certificate is not the root of organisation {0}")]
pub struct NotItsRoot(pub OrganisationId);

impl Pins {
    /// Pins the root of an organisation, DER.
    ///
    /// # Errors
    /// [`NotItsRoot`] where its public key does not make up the organisation's id.
    pub fn set(&self, organisation: OrganisationId, root: &[u8]) -> Result<(), NotItsRoot> {
        if chain::organisation(root) != Some(organisation) {
            return Err(NotItsRoot(organisation));
        }
        let first = chain::anchor(root).ok_or(NotItsRoot(organisation))?;
        let later = None;
        self.write().insert(organisation, Pinned { first, later });
        Ok(())
    }

    /// Has who connects as an organisation stand under a root that it handed over to, DER, which was seen behind
    /// its chain.
    ///
    /// # Errors
    /// [`NotItsRoot`] where the organisation has no pinned root, or this is none of its.
    pub fn follow(&self, organisation: OrganisationId, later: &[u8]) -> Result<(), NotItsRoot> {
        let none = NotItsRoot(organisation);
        if chain::subject(&CertificateDer::from(later)) != Some(organisation) {
            return Err(none);
        }
        let anchor = chain::anchor(later).ok_or(none)?;
        let mut pins = self.write();
        pins.get_mut(&organisation).ok_or(none)?.later = Some(anchor);
        Ok(())
    }

    /// Forgets the root of an organisation.
    pub fn remove(&self, organisation: OrganisationId) {
        self.write().remove(&organisation);
    }

    /// Whether a root of the organisation is pinned.
    pub fn contains(&self, organisation: OrganisationId) -> bool {
        self.read().contains_key(&organisation)
    }

    /// Names the organisation that stands behind a chain: leaf first, then what is above it.
    ///
    /// # Errors
    /// [`Unverified`] where no pinned root does, for this usage at this time.
    pub fn check(
        &self,
        leaf: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        usage: Usage,
        at: UnixTime,
    ) -> Result<Behind, Unverified> {
        let organisation = chain::subject(leaf).ok_or(Unverified::Chain)?;
        let certificate = EndEntityCert::try_from(leaf).map_err(|_| Unverified::Chain)?;
        let pinned = self.read().get(&organisation).cloned();
        let Pinned { first, later } = pinned.ok_or(Unverified::NoRoot)?;
        let anchor = match usage {
            // What was signed before a hand-over counts for ever.
            Usage::Signing => first,
            Usage::Client | Usage::Server => later.unwrap_or(first),
        };
        let later = chain::check(&certificate, above, &anchor, usage, at)?;
        Ok(Behind {
            organisation,
            later,
        })
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<OrganisationId, Pinned>> {
        self.0.read().expect("nobody panics while holding the pins")
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, BTreeMap<OrganisationId, Pinned>> {
        self.0
            .write()
            .expect("nobody panics while holding the pins")
    }
}

impl Verifier for Pins {
    fn verify(&self, claim: &Claim<'_>) -> Result<(), Unverified> {
        let chain: Vec<_> = claim
            .certificates
            .iter()
            .map(|der| CertificateDer::from(&der[..]))
            .collect();
        if !self.contains(claim.organisation) {
            return Err(Unverified::NoRoot);
        }
        let [leaf, above @ ..] = &chain[..] else {
            return Err(Unverified::Chain);
        };
        let behind = self.check(leaf, above, Usage::Signing, moment(claim.at)?)?;
        if behind.organisation != claim.organisation {
            return Err(Unverified::Chain);
        }
        EndEntityCert::try_from(leaf)
            .and_then(|leaf| {
                leaf.verify_signature(webpki::aws_lc_rs::ED25519, claim.message, claim.signature)
            })
            .map_err(|_| Unverified::Signature)
    }
}

fn moment(at: DateTime<Utc>) -> Result<UnixTime, Unverified> {
    let seconds = u64::try_from(at.timestamp()).map_err(|_| Unverified::Expired)?;
    Ok(UnixTime::since_unix_epoch(std::time::Duration::from_secs(
        seconds,
    )))
}
