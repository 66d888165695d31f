//! Fuzz target of certificates: whatever is shown, it counts for the organisation whose pinned root stands behind
//! it, or for nobody.

use std::time::Duration;

use interdocket_sync::identity::{Claim, Unverified, Verifier as _};
use rustls::pki_types::{CertificateDer, UnixTime};

use super::{Pins, Usage, chain};
use crate::fuzz::Input;

/// How to use them and at which time; then certificates, each behind its length: a root, a leaf, and what is
/// above that.
pub(crate) fn certificate(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let usage = [Usage::Signing, Usage::Client, Usage::Server][input.below(3)];
    let days = 20_000 + u64::from(input.byte());
    let at = UnixTime::since_unix_epoch(Duration::from_secs(days * 86_400));
    let mut certificates: Vec<Vec<u8>> = Vec::new();
    let mut rest = input.rest();
    while let Some(([high, low], behind)) = rest.split_first_chunk() {
        let len = usize::from(u16::from_be_bytes([*high, *low])).min(behind.len());
        let (certificate, behind) = behind.split_at(len);
        certificates.push(certificate.to_vec());
        rest = behind;
    }
    for der in &certificates {
        described(der);
    }
    let [root, shown @ ..] = certificates.as_slice() else {
        return;
    };
    let Some(organisation) = chain::organisation(root) else {
        return;
    };
    let pins = Pins::default();
    if pins.set(organisation, root).is_err() {
        return;
    }
    let der: Vec<CertificateDer<'_>> = shown.iter().map(|der| der.as_slice().into()).collect();
    if let [leaf, above @ ..] = der.as_slice()
        && let Ok(found) = pins.check(leaf, above, usage, at)
    {
        assert_eq!(found.organisation, organisation);
        assert_eq!(chain::subject(leaf), Some(organisation));
        pins.remove(organisation);
        assert_eq!(pins.check(leaf, above, usage, at), Err(Unverified::NoRoot));
    }
    // Nobody signed this.
    let claim = Claim {
        organisation,
        certificates: shown,
        message: b"interdocket",
        signature: &[7; 64],
        at: chrono::DateTime::from_timestamp(days as i64 * 86_400, 0).unwrap_or_default(),
    };
    assert!(pins.verify(&claim).is_err());
}

/// What is read of one certificate agrees with itself.
fn described(der: &[u8]) {
    let subject = chain::subject(&CertificateDer::from(der));
    let _ = (chain::validity(der), chain::name(der));
    let Some(organisation) = chain::organisation(der) else {
        return;
    };
    assert_eq!(subject, Some(organisation));
    let pins = Pins::default();
    let other = interdocket_sync::identity::OrganisationId::from_bytes([0; 32]);
    assert!(pins.set(other, der).is_err() && !pins.contains(other));
    assert_eq!(
        pins.set(organisation, der).is_ok(),
        pins.contains(organisation)
    );
}

/// The chains of a node that was made for this: of its log's signatures, and of its connections.
#[cfg(test)]
pub(crate) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let folder = tempfile::tempdir().unwrap();
    let now = chrono::DateTime::from_timestamp(20_100 * 86_400, 0).unwrap();
    let keys = super::Keys::create(&folder.path().join("keys"), "north", now).unwrap();
    let many = |usage: u8, shown: Vec<Vec<u8>>| {
        let all = std::iter::once(keys.root_der().to_vec()).chain(shown);
        let each = all.flat_map(|der| [&(der.len() as u16).to_be_bytes()[..], &der].concat());
        [usage, 101].into_iter().chain(each).collect()
    };
    let tls = keys.tls().current();
    let tls: Vec<Vec<u8>> = tls.cert.iter().map(|der| der.to_vec()).collect();
    let signing = super::Keys::signer(&keys);
    let signing = interdocket_sync::identity::Signer::certificates(&signing).to_vec();
    vec![
        ("signing", many(0, signing.clone())),
        ("client", many(1, tls.clone())),
        ("server", many(2, tls)),
        ("wrong-use", many(1, signing)),
        ("root", many(0, Vec::new())),
    ]
}
