//! The keys on disk, their certificates and their renewal, and what counts under a pinned root.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use interdocket_sync::identity::{Claim, Unverified, Verifier as _};
use rustls::pki_types::UnixTime;
use sha2::{Digest as _, Sha256};

use super::*;

mod turns;

fn noon() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

struct Organisation {
    _dir: tempfile::TempDir,
    path: PathBuf,
    keys: Keys,
}

fn organisation(name: &str) -> Organisation {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys");
    let keys = Keys::create(&path, name, noon()).unwrap();
    Organisation {
        _dir: dir,
        path,
        keys,
    }
}

fn pinned(keys: &Keys) -> Pins {
    let pins = Pins::default();
    pins.set(keys.organisation(), keys.root_der()).unwrap();
    pins
}

fn verify(
    pins: &Pins,
    keys: &Keys,
    certificates: &[Vec<u8>],
    signature: &[u8],
    at: DateTime<Utc>,
) -> Result<(), Unverified> {
    let organisation = keys.organisation();
    pins.verify(&Claim {
        organisation,
        certificates,
        message: b"head",
        signature,
        at,
    })
}

#[test]
fn keys_are_read_back_as_they_were_made() {
    let north = organisation("north");
    let again = Keys::open(&north.path, noon()).unwrap();
    assert_eq!(again.organisation(), north.keys.organisation());
    assert_eq!(again.name(), "north");
    assert_eq!(again.master(), north.keys.master());
    assert_eq!(
        again.signer().certificates(),
        north.keys.signer().certificates()
    );
    assert!(matches!(
        Keys::create(&north.path, "north", noon()),
        Err(Error::Exists(_))
    ));
}

#[test]
fn an_organisation_is_the_digest_of_its_roots_public_key() {
    let north = organisation("north");
    let pem = fs::read(north.path.join("root.key")).unwrap();
    let root = KeyPair::from_pem(std::str::from_utf8(&pem).unwrap()).unwrap();
    let digest: [u8; 32] = Sha256::digest(root.subject_public_key_info()).into();
    assert_eq!(north.keys.organisation().as_bytes(), &digest);
    assert_eq!(
        chain::organisation(north.keys.root_der()),
        Some(north.keys.organisation())
    );
}

#[test]
fn a_creation_that_was_cut_off_leaves_nothing_in_the_way() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys");
    file::directory(&path.with_extension("new")).unwrap();
    fs::write(path.with_extension("new").join("root.key"), "half").unwrap();
    Keys::create(&path, "north", noon()).unwrap();
    assert!(!path.with_extension("new").exists());
}

/// fault E17
#[test]
fn keys_that_others_may_read_are_refused_with_the_command_that_mends_it() {
    for (name, mode, fix) in [
        ("", 0o750, "chmod 700"),
        ("operational.pem", 0o640, "chmod 600"),
    ] {
        let north = organisation("north");
        let path = north.path.join(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = Keys::open(&north.path, noon()).err().unwrap().to_string();
        assert!(error.contains(fix), "{error}");
    }
}

#[test]
fn a_certificate_beside_another_key_is_damage() {
    let (north, south) = (organisation("north"), organisation("south"));
    let mut mixed = fs::read_to_string(north.path.join("operational.pem")).unwrap();
    let cut = mixed.find("-----BEGIN CERTIFICATE").unwrap();
    mixed.truncate(cut);
    let other = fs::read_to_string(south.path.join("operational.pem")).unwrap();
    mixed += &other[other.find("-----BEGIN CERTIFICATE").unwrap()..];
    fs::write(north.path.join("operational.pem"), mixed).unwrap();
    assert!(matches!(
        Keys::open(&north.path, noon()),
        Err(Error::Damaged(_))
    ));
}

/// fault E5: a partner would find out first, or nobody before the root is needed.
#[test]
fn no_bit_of_a_key_or_certificate_changes_unnoticed() {
    for name in ["root.key", "root.pem", "operational.pem", "signing.pem"] {
        let north = organisation("north");
        let path = north.path.join(name);
        let text = fs::read(&path).unwrap();
        let lines = String::from_utf8(text.clone()).unwrap();
        let mut place = 0;
        for line in lines.split_inclusive('\n') {
            let middle = place + line.len() / 2;
            place += line.len();
            if line.starts_with('-') {
                continue;
            }
            let mut changed = text.clone();
            changed[middle] ^= 1;
            fs::write(&path, &changed).unwrap();
            let opened = Keys::open(&north.path, noon());
            // A signing key is made again where it does not stand under the operational one.
            let healed = name == "signing.pem" && fs::read(&path).unwrap() != changed;
            assert!(opened.is_err() || healed, "byte {middle} of {name}");
            fs::write(&path, &text).unwrap();
        }
    }
}

/// fault E6
#[test]
fn a_changed_root_is_named_and_nothing_else() {
    let north = organisation("north");
    let path = north.path.join("root.pem");
    let text = fs::read(&path).unwrap();
    let body = text.iter().position(|byte| *byte == b'\n').unwrap()..text.len() - 27;
    for place in body.filter(|place| text[*place] != b'\n') {
        let mut changed = text.clone();
        changed[place] ^= 4;
        fs::write(&path, &changed).unwrap();
        let refused = Keys::open(&north.path, noon())
            .err()
            .map(|error| error.to_string());
        let named = refused.is_some_and(|said| said.contains("root.pem"));
        assert!(named, "byte {place} of {}", text.len());
    }
}

#[test]
fn a_signature_counts_under_the_pinned_root_only() {
    let (north, south) = (organisation("north"), organisation("south"));
    let signer = north.keys.signer();
    let signature = signer.sign(b"head");
    let chain = signer.certificates();
    let check = |pins: &Pins| verify(pins, &north.keys, chain, &signature, noon());
    let pins = pinned(&north.keys);
    assert_eq!(check(&pins), Ok(()));
    assert_eq!(check(&pinned(&south.keys)), Err(Unverified::NoRoot));
    pins.remove(north.keys.organisation());
    assert_eq!(check(&pins), Err(Unverified::NoRoot));
}

#[test]
fn a_signature_counts_for_its_message_its_time_and_its_organisation() {
    let (north, south) = (organisation("north"), organisation("south"));
    let signer = north.keys.signer();
    let (signature, chain) = (signer.sign(b"head"), signer.certificates());
    let pins = pinned(&north.keys);
    pins.set(south.keys.organisation(), south.keys.root_der())
        .unwrap();
    let other = signer.sign(b"tail");
    assert_eq!(
        verify(&pins, &north.keys, chain, &other, noon()),
        Err(Unverified::Signature)
    );
    let late = noon() + Duration::days(181);
    assert_eq!(
        verify(&pins, &north.keys, chain, &signature, late),
        Err(Unverified::Expired)
    );
    let early = noon() - Duration::days(1);
    assert_eq!(
        verify(&pins, &north.keys, chain, &signature, early),
        Err(Unverified::Expired)
    );
    assert_eq!(
        verify(&pins, &south.keys, chain, &signature, noon()),
        Err(Unverified::Chain)
    );
}

/// fault B12
/// fault B10
#[test]
fn what_was_made_under_a_clock_that_was_ahead_is_replaced_when_it_is_right() {
    let (north, ahead) = (organisation("north"), noon() + Duration::days(150));
    let keys = Keys::open(&north.path, ahead).unwrap();
    keys.renew(ahead).unwrap();
    assert!(begin(keys.read().operational()) > noon(), "it was renewed");
    let renewal = keys.renew(noon()).unwrap();
    assert!(renewal.operational && renewal.tls);
    assert!(begin(keys.read().operational()) < noon());
    assert!(begin(&keys.tls().current().cert[0]) < noon());
    assert!(!keys.renew(noon()).unwrap().tls, "once is enough");
}

#[test]
fn a_root_cannot_vouch_for_another_organisation() {
    let (north, south) = (organisation("north"), organisation("south"));
    let subject = Subject {
        organisation: north.keys.organisation(),
        now: noon(),
    };
    let state = south.keys.read();
    let (key, forged) = issue::signing(&state.key, subject, noon() + issue::OPERATIONAL).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(key.serialized_der()).unwrap();
    let chain = vec![forged.der().to_vec(), state.operational().to_vec()];
    let pins = pinned(&north.keys);
    pins.set(south.keys.organisation(), south.keys.root_der())
        .unwrap();
    let signature = pair.sign(b"head");
    let result = verify(&pins, &north.keys, &chain, signature.as_ref(), noon());
    assert_eq!(result, Err(Unverified::Chain));
    let organisation = north.keys.organisation();
    assert_eq!(
        pins.set(organisation, south.keys.root_der()),
        Err(NotItsRoot(organisation))
    );
}

#[test]
fn a_certificate_for_tls_signs_no_log() {
    let north = organisation("north");
    let tls = north.keys.tls().current();
    let chain: Vec<_> = tls.cert.iter().map(|der| der.to_vec()).collect();
    let signer = tls
        .key
        .choose_scheme(&[rustls::SignatureScheme::ED25519])
        .unwrap();
    let signature = signer.sign(b"head").unwrap();
    let result = verify(
        &pinned(&north.keys),
        &north.keys,
        &chain,
        &signature,
        noon(),
    );
    assert_eq!(result, Err(Unverified::Chain));
}

#[test]
fn a_certificate_for_logs_or_the_api_speaks_for_nobody_in_tls() {
    let north = organisation("north");
    let pins = pinned(&north.keys);
    let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(
        noon().timestamp().unsigned_abs(),
    ));
    let signing: Vec<_> = north
        .keys
        .signer()
        .certificates()
        .iter()
        .cloned()
        .map(CertificateDer::from)
        .collect();
    let https = north
        .keys
        .https(&["north.example".into(), "127.0.0.1".into()], noon())
        .unwrap();
    let tls = north.keys.tls().current();
    for usage in [Usage::Client, Usage::Server] {
        assert!(pins.check(&tls.cert[0], &tls.cert[1..], usage, at).is_ok());
        assert!(pins.check(&signing[0], &signing[1..], usage, at).is_err());
        assert!(
            pins.check(&https.cert[0], &https.cert[1..], usage, at)
                .is_err()
        );
    }
}

#[test]
fn the_certificate_for_tls_is_replaced_at_half_its_life() {
    let north = organisation("north");
    let first = north.keys.tls().current();
    let renewal = north.keys.renew(noon()).unwrap();
    assert_eq!(renewal.next, noon() + issue::TLS / 2);
    assert!(!renewal.tls && !renewal.operational);
    let renewal = north.keys.renew(renewal.next).unwrap();
    assert!(renewal.tls && !renewal.operational && !renewal.root_needed);
    assert_ne!(north.keys.tls().current().cert[0], first.cert[0]);
    assert_eq!(
        north.keys.expiries().tls,
        noon() + issue::TLS / 2 + issue::TLS
    );
}

#[test]
fn the_operational_key_is_renewed_before_it_ends_and_old_signatures_stay_good() {
    let north = organisation("north");
    let old = north.keys.signer();
    let signature = old.sign(b"head");
    let due = noon() + issue::OPERATIONAL / 3 * 2;
    let renewal = north.keys.renew(due).unwrap();
    assert!(renewal.operational && renewal.tls && !renewal.root_needed);
    assert_eq!(north.keys.expiries().signing, due + issue::OPERATIONAL);
    let new = north.keys.signer();
    assert_ne!(new.certificates(), old.certificates());
    let pins = pinned(&north.keys);
    let fresh = new.sign(b"head");
    assert_eq!(
        verify(&pins, &north.keys, old.certificates(), &signature, noon()),
        Ok(())
    );
    assert_eq!(
        verify(&pins, &north.keys, new.certificates(), &fresh, due),
        Ok(())
    );
    let reopened = Keys::open(&north.path, due).unwrap();
    assert_eq!(reopened.signer().certificates(), new.certificates());
}

#[test]
fn a_renewal_that_was_cut_off_is_completed_when_the_keys_are_opened() {
    let north = organisation("north");
    let before = fs::read(north.path.join("signing.pem")).unwrap();
    let due = noon() + issue::OPERATIONAL / 3 * 2;
    north.keys.renew(due).unwrap();
    file::write(&north.path.join("signing.pem"), &before).unwrap();
    let reopened = Keys::open(&north.path, due).unwrap();
    let signature = reopened.signer().sign(b"head");
    let chain = reopened.signer();
    let pins = pinned(&reopened);
    assert_eq!(
        verify(&pins, &reopened, chain.certificates(), &signature, due),
        Ok(())
    );
}

#[test]
fn a_root_kept_elsewhere_is_asked_for_and_certifies_what_is_due() {
    let (north, south) = (organisation("north"), organisation("south"));
    let root = fs::read_to_string(north.path.join("root.key")).unwrap();
    fs::remove_file(north.path.join("root.key")).unwrap();
    let keys = Keys::open(&north.path, noon()).unwrap();
    let due = noon() + issue::OPERATIONAL / 3 * 2;
    let renewal = keys.renew(due).unwrap();
    assert!(renewal.root_needed && !renewal.operational);
    let other = fs::read_to_string(south.path.join("root.key")).unwrap();
    assert!(matches!(
        keys.certify(&other, due),
        Err(Error::OtherRoot(_))
    ));
    keys.certify(&root, due).unwrap();
    assert!(!keys.renew(due).unwrap().root_needed);
    assert!(!north.path.join("root.key").exists());
}

#[test]
fn keys_whose_operational_certificate_ended_open_and_can_be_certified() {
    let north = organisation("north");
    let root = fs::read_to_string(north.path.join("root.key")).unwrap();
    let late = noon() + issue::OPERATIONAL * 2;
    let keys = Keys::open(&north.path, late).unwrap();
    assert!(keys.expiries().tls < late);
    keys.certify(&root, late).unwrap();
    assert_eq!(keys.expiries().tls, late + issue::TLS);
}

#[test]
fn the_api_is_certified_for_names_only() {
    let north = organisation("north");
    for wrong in [
        "",
        "north example",
        "https://north.example",
        "north.example:443",
    ] {
        let refused = north.keys.https(&[wrong.to_owned()], noon());
        assert!(matches!(refused, Err(Error::Name(_))), "{wrong:?}");
    }
}

#[test]
fn partners_take_what_stands_under_a_root_that_was_handed_over_to() {
    let north = organisation("north");
    let pins = pinned(&north.keys);
    let mut key = north.path.join("root.key");
    for turn in 0..issue::SUCCESSORS {
        let now = noon() + Duration::days(turn.into());
        let next = north.path.join(format!("next-{turn}.key"));
        let successor = north.keys.successor(&key, &next, now).unwrap();
        north.keys.hand_over(&successor, now).unwrap();
        let signer = north.keys.signer();
        let signature = signer.sign(b"head");
        verify(&pins, &north.keys, signer.certificates(), &signature, now).unwrap();
        let tls = north.keys.tls().current();
        let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(
            now.timestamp().try_into().unwrap(),
        ));
        let shown = pins.check(&tls.cert[0], &tls.cert[1..], Usage::Client, at);
        let shown = shown.unwrap();
        assert_eq!(shown.organisation, north.keys.organisation());
        let newest = CertificateDer::from(successor.der().to_vec());
        assert_eq!(shown.later, Some(newest));
        // The root before can't certify any more, the new one can.
        let old = fs::read_to_string(&key).unwrap();
        assert!(matches!(
            north.keys.certify(&old, now),
            Err(Error::OtherRoot(_))
        ));
        let new = fs::read_to_string(&next).unwrap();
        north.keys.certify(&new, now).unwrap();
        let again = Keys::open(&north.path, now).unwrap();
        assert_eq!(again.organisation(), north.keys.organisation());
        assert_eq!(again.signer().certificates()[2], signer.certificates()[2]);
        key = next;
    }
    let spent = north
        .keys
        .successor(&key, &north.path.join("more.key"), noon());
    assert!(matches!(spent, Err(Error::Spent(_))));
}

#[test]
fn a_root_is_handed_over_by_its_own_key_and_into_a_new_file() {
    let (north, south) = (organisation("north"), organisation("south"));
    let (own, other) = (north.path.join("root.key"), south.path.join("root.key"));
    let to = north.path.join("next.key");
    let refused = north.keys.successor(&other, &to, noon());
    assert!(matches!(refused, Err(Error::OtherRoot(_))));
    assert!(!to.exists());
    let refused = north.keys.successor(&own, &own, noon());
    assert!(matches!(refused, Err(Error::There(_))));
    // Nobody else's root makes a certificate count, whatever it is handed over to.
    let successor = south.keys.successor(&other, &to, noon()).unwrap();
    south.keys.hand_over(&successor, noon()).unwrap();
    let signer = south.keys.signer();
    let forged = verify(
        &pinned(&north.keys),
        &north.keys,
        signer.certificates(),
        &signer.sign(b"head"),
        noon(),
    );
    assert!(forged.is_err());
}

#[test]
fn a_root_that_was_handed_over_renews_nothing_any_more() {
    let north = organisation("north");
    let (old, new) = (north.path.join("root.key"), north.path.join("next.key"));
    let successor = north.keys.successor(&old, &new, noon()).unwrap();
    north.keys.hand_over(&successor, noon()).unwrap();
    let late = noon() + Duration::days(130);
    assert!(north.keys.renew(late).unwrap().root_needed);
    fs::rename(&new, &old).unwrap();
    let renewal = north.keys.renew(late).unwrap();
    assert!(renewal.operational && !renewal.root_needed);
}
