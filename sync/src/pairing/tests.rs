//! The ceremony between both ends, and everything that must not get through it.

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::*;
use crate::identity::Signer;

/// Certificates that are their own digests: a root is any text that begins with "root".
struct Plain;

impl Certificates for Plain {
    fn organisation(&self, root: &[u8]) -> Option<OrganisationId> {
        let id = OrganisationId::from_bytes(Sha256::digest(root).into());
        root.starts_with(b"root").then_some(id)
    }

    fn verify(&self, root: &[u8], claim: &Claim<'_>) -> Result<(), Unverified> {
        let good = claim.certificates == [root] && claim.signature == sign(root, claim.message);
        if good {
            Ok(())
        } else {
            Err(Unverified::Signature)
        }
    }
}

struct Key([Vec<u8>; 1]);

impl Signer for Key {
    fn sign(&self, message: &[u8]) -> [u8; 64] {
        sign(&self.0[0], message)
    }

    fn certificates(&self) -> &[Vec<u8>] {
        &self.0
    }
}

fn sign(root: &[u8], message: &[u8]) -> [u8; 64] {
    let digest: [u8; 32] = Sha256::new()
        .chain_update(root)
        .chain_update(message)
        .finalize()
        .into();
    [digest, digest].concat().try_into().unwrap()
}

fn noon() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn profile(name: &str) -> Profile {
    Profile {
        root: format!("root of {name}").into_bytes(),
        name: name.into(),
        role: Role::Investigation,
        address: Some(format!("{name}.example:7701").parse().unwrap()),
    }
}

fn key(name: &str) -> Key {
    Key([profile(name).root])
}

/// An invitation of north, with this secret.
fn invitation(secret: u8) -> Invitation {
    let root = profile("north").root;
    Invitation {
        id: Uuid::from_bytes([7; 16]),
        secret: Secret::from_random([secret; 16]),
        address: "north.example:7702".parse().unwrap(),
        organisation: Plain.organisation(&root).unwrap(),
        fingerprint: Sha256::digest(&root).into(),
        expires: noon() + LIFETIME,
    }
}

fn begin(invitation: Invitation, name: &str) -> (Accepter, v1::BeginRequest) {
    Accepter::begin(invitation, &profile(name), [1; 32], &Plain, noon()).unwrap()
}

fn answer(
    inviter: &Inviter,
    request: &v1::BeginRequest,
    now: DateTime<Utc>,
) -> (Inviter, Result<v1::BeginResponse, Refusal>) {
    inviter.begin(request, &profile("north"), [2; 32], &Plain, now)
}

/// North and south up to the point where south reveals.
fn halfway() -> (Inviter, Answered, v1::RevealRequest) {
    let (accepter, request) = begin(invitation(9), "south");
    let (inviter, response) = answer(&Inviter::new(&invitation(9)), &request, noon());
    let (answered, reveal) = accepter
        .answered(&response.unwrap(), &key("south"), &Plain)
        .unwrap();
    (inviter, answered, reveal)
}

#[test]
fn both_sides_end_with_each_others_roots_and_the_same_words() {
    let (inviter, answered, reveal) = halfway();
    let (inviter, revealed) = inviter.reveal(&reveal, &Plain, noon());
    let revealed = revealed.unwrap();
    let north = answered.finish(&revealed.response).unwrap();
    let south = revealed.candidate;
    assert_eq!(north.profile, profile("north"));
    assert_eq!(south.profile, profile("south"));
    assert_eq!(north.words, south.words);
    assert!(north.words.places().iter().all(|place| *place < 2048));
    assert_eq!(inviter.dead(noon()), Some(Dead::Used));
}

#[test]
fn words_take_all_of_44_bits() {
    let mut digest = [0; 32];
    assert_eq!(Words::from_digest(&digest).places(), [0; 4]);
    digest[..6].copy_from_slice(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xf0]);
    assert_eq!(Words::from_digest(&digest).places(), [2047; 4]);
    digest[..6].copy_from_slice(&[0, 0x20, 0, 0, 0, 0x10]);
    assert_eq!(Words::from_digest(&digest).places(), [1, 0, 0, 1]);
    assert_eq!(Words::try_from([0, 0, 0, 2048]), Err(NoWord));
}

/// fault B4
#[test]
fn whoever_stands_between_with_roots_of_its_own_leaves_different_words() {
    let harbour = profile("harbour");
    let mut stolen = invitation(9);
    stolen.organisation = Plain.organisation(&harbour.root).unwrap();
    stolen.fingerprint = Sha256::digest(&harbour.root).into();
    let (south, to_harbour) = begin(stolen.clone(), "south");
    let (between, response) =
        Inviter::new(&stolen).begin(&to_harbour, &harbour, [2; 32], &Plain, noon());
    let (south, reveal) = south
        .answered(&response.unwrap(), &key("south"), &Plain)
        .unwrap();
    let seen = between.reveal(&reveal, &Plain, noon()).1.unwrap();
    let at_south = south.finish(&seen.response).unwrap();

    let (between, to_north) = begin(invitation(9), "harbour");
    let (north, response) = answer(&Inviter::new(&invitation(9)), &to_north, noon());
    let (_, reveal) = between
        .answered(&response.unwrap(), &key("harbour"), &Plain)
        .unwrap();
    let at_north = north.reveal(&reveal, &Plain, noon()).1.unwrap().candidate;
    assert_ne!(at_south.words, at_north.words);
}

/// fault B4
#[test]
fn without_the_secret_no_root_can_be_replaced_on_the_way() {
    let (accepter, mut request) = begin(invitation(9), "south");
    let honest = request.clone();
    request.accepter = Some((&profile("harbour")).into());
    let inviter = Inviter::new(&invitation(9));
    let refused = answer(&inviter, &request, noon()).1;
    assert_eq!(refused, Err(Refusal::Invitation(Dead::Secret)));
    let mut response = answer(&inviter, &honest, noon()).1.unwrap();
    response.inviter = Some((&profile("harbour")).into());
    let refused = accepter.answered(&response, &key("south"), &Plain);
    assert_eq!(refused.err(), Some(Refusal::Other));
}

#[test]
fn an_accepter_without_the_key_under_its_root_is_refused() {
    let (accepter, request) = begin(invitation(9), "harbour");
    let (inviter, response) = answer(&Inviter::new(&invitation(9)), &request, noon());
    let (_, reveal) = accepter
        .answered(&response.unwrap(), &key("south"), &Plain)
        .unwrap();
    let refused = inviter.reveal(&reveal, &Plain, noon()).1;
    assert_eq!(refused.err(), Some(Refusal::Invitation(Dead::Signature)));
}

/// fault B2
#[test]
fn three_wrong_secrets_burn_an_invitation() {
    let mut inviter = Inviter::new(&invitation(9));
    let (_, guess) = begin(invitation(8), "south");
    let (_, right) = begin(invitation(9), "south");
    for _ in 0..TRIES {
        assert_eq!(inviter.dead(noon()), None);
        let (next, refused) = answer(&inviter, &guess, noon());
        assert_eq!(refused, Err(Refusal::Invitation(Dead::Secret)));
        inviter = next;
    }
    let refused = answer(&inviter, &right, noon()).1;
    assert_eq!(refused, Err(Refusal::Invitation(Dead::Burnt)));
}

/// fault B2
#[test]
fn beginning_again_is_possible_but_not_without_end() {
    let mut inviter = Inviter::new(&invitation(9));
    let (_, request) = begin(invitation(9), "south");
    for _ in 0..=TRIES {
        let (next, response) = answer(&inviter, &request, noon());
        response.unwrap();
        inviter = next;
    }
    assert_eq!(inviter.dead(noon()), Some(Dead::Burnt));
}

/// fault B1
#[test]
fn an_invitation_is_accepted_once() {
    let (inviter, _, reveal) = halfway();
    let (inviter, _) = inviter.reveal(&reveal, &Plain, noon());
    let (_, request) = begin(invitation(9), "harbour");
    let refused = answer(&inviter, &request, noon()).1;
    assert_eq!(refused, Err(Refusal::Invitation(Dead::Used)));
}

/// fault B1
#[test]
fn a_repeated_message_is_answered_as_before_and_gives_nobody_else_in() {
    let (inviter, _, reveal) = halfway();
    let (inviter, first) = inviter.reveal(&reveal, &Plain, noon());
    let (after, again) = inviter.reveal(&reveal, &Plain, noon());
    assert_eq!(first, again);
    assert_eq!(after, inviter);
    let mut other = reveal;
    other.nonce = vec![3; 32].into();
    assert!(inviter.reveal(&other, &Plain, noon()).1.is_err());
}

/// fault B1
#[test]
fn an_invitation_ends_with_its_time_on_both_sides_and_halfway() {
    let late = noon() + LIFETIME;
    let (_, request) = begin(invitation(9), "south");
    let refused = answer(&Inviter::new(&invitation(9)), &request, late).1;
    assert_eq!(refused, Err(Refusal::Invitation(Dead::Expired)));
    let begun = Accepter::begin(invitation(9), &profile("south"), [1; 32], &Plain, late);
    assert_eq!(begun.err(), Some(Refusal::Invitation(Dead::Expired)));
    let (inviter, _, reveal) = halfway();
    let refused = inviter.reveal(&reveal, &Plain, late).1;
    assert_eq!(refused.err(), Some(Refusal::Invitation(Dead::Expired)));
}

#[test]
fn a_nonce_that_was_not_committed_to_is_refused() {
    let (accepter, mut request) = begin(invitation(9), "south");
    let inviter = Inviter::new(&invitation(9));
    let other = Accepter::begin(invitation(9), &profile("south"), [5; 32], &Plain, noon());
    request.commitment = other.unwrap().1.commitment;
    assert!(answer(&inviter, &request, noon()).1.is_err());
    let (inviter, _, mut reveal) = halfway();
    reveal.nonce = vec![5; 32].into();
    assert!(inviter.reveal(&reveal, &Plain, noon()).1.is_err());
    drop(accepter);
}

#[test]
fn revealing_before_beginning_is_refused() {
    let (_, _, reveal) = halfway();
    let refused = Inviter::new(&invitation(9))
        .reveal(&reveal, &Plain, noon())
        .1;
    assert_eq!(refused.err(), Some(Refusal::Invitation(Dead::Nonce)));
}

#[test]
fn an_organisation_does_not_pair_with_itself() {
    let own = Accepter::begin(invitation(9), &profile("north"), [1; 32], &Plain, noon());
    assert_eq!(own.err(), Some(Refusal::Itself));
}

/// fault B9
#[test]
fn the_version_is_named_and_bound() {
    let (_, mut request) = begin(invitation(9), "south");
    request.version += 1;
    let refused = answer(&Inviter::new(&invitation(9)), &request, noon()).1;
    assert_eq!(refused, Err(Refusal::Version));
    let (fingerprint, south) = ([4; 32], profile("south"));
    let said = [0, 1].map(|version| {
        let start = transcript::Start {
            version,
            invitation: Uuid::nil(),
            inviter: OrganisationId::from_bytes([1; 32]),
            fingerprint: &fingerprint,
            accepter: OrganisationId::from_bytes([2; 32]),
        };
        transcript::whole(&transcript::begin(start, &south, &[3; 32]), &[0; 32])
    });
    assert_ne!(transcript::words(&said[0]), transcript::words(&said[1]));
}

/// fault B3
#[test]
fn what_is_kept_and_sent_depends_on_all_128_bits_of_the_secret() {
    let kept = |bit: usize| {
        let mut secret = [0_u8; 16];
        secret[bit / 8] ^= 1 << (bit % 8);
        let mut invitation = invitation(0);
        invitation.secret = Secret::from_random(secret);
        let request = begin(invitation.clone(), "south").1;
        (invitation.key(), request.proof)
    };
    let all: std::collections::BTreeSet<_> = (0..128).map(kept).collect();
    assert_eq!(all.len(), 128);
}

#[test]
fn a_profile_that_could_mislead_a_reader_is_refused() {
    let good = v1::Profile::from(&profile("south"));
    for name in [
        "",
        "  ",
        "two\nlines",
        "esc\u{1b}[2J",
        &"x".repeat(NAME + 1),
    ] {
        let bad = v1::Profile {
            name: name.into(),
            ..good.clone()
        };
        assert_eq!(Profile::try_from(&bad), Err(Refusal::Malformed), "{name:?}");
    }
    let bad = v1::Profile {
        role: 7,
        ..good.clone()
    };
    assert_eq!(Profile::try_from(&bad), Err(Refusal::Malformed));
    let bad = v1::Profile {
        address: "here".into(),
        ..good
    };
    assert_eq!(Profile::try_from(&bad), Err(Refusal::Malformed));
}

#[test]
fn an_invitation_survives_being_wrapped_and_shouted() {
    let text = invitation(9).text();
    let wrapped = format!(" {}\r\n  {}\n", &text[..60], &text[60..].to_uppercase());
    assert_eq!(wrapped.parse(), Ok(invitation(9)));
    assert_eq!(
        "hello".parse::<Invitation>(),
        Err(ParseInvitationError::Prefix)
    );
    let odd = text.replace(&text[40..41], "!");
    assert_eq!(
        odd.parse::<Invitation>(),
        Err(ParseInvitationError::Letter('!'))
    );
    let short = &text[..text.len() - 1];
    assert_eq!(
        short.parse::<Invitation>(),
        Err(ParseInvitationError::Checksum)
    );
}

#[test]
fn nothing_prints_a_secret() {
    let printed = format!("{:?}", invitation(0xab));
    assert!(
        !printed.contains("171") && !printed.contains("ab, ab"),
        "{printed}"
    );
}

proptest! {
    #[test]
    fn a_typo_is_never_another_invitation(place in 23_usize..200, letter in "[a-z2-7]") {
        let text = invitation(9).text();
        let mut typo = text.clone();
        typo.replace_range(place..=place, &letter);
        prop_assume!(typo != text);
        prop_assert!(typo.parse::<Invitation>().is_err());
    }

    #[test]
    fn any_text_is_an_invitation_or_an_error(text in ".*") {
        let _ = text.parse::<Invitation>();
        let _ = format!("interdocket-invitation-{text}").parse::<Invitation>();
    }

    /// fault B4
    #[test]
    fn a_changed_bit_on_the_way_ends_the_ceremony(step in 0..4, place: usize, bit in 0..8_u8) {
        let change = |bytes: &mut prost::bytes::Bytes| {
            let mut changed = bytes.to_vec();
            let place = place % changed.len();
            changed[place] ^= 1 << bit;
            *bytes = changed.into();
        };
        let (accepter, mut request) = begin(invitation(9), "south");
        match step {
            0 => change(&mut request.proof),
            1 => change(&mut request.commitment),
            2 => change(&mut request.accepter.as_mut().unwrap().root),
            _ => {}
        }
        let (inviter, response) = answer(&Inviter::new(&invitation(9)), &request, noon());
        if step < 3 {
            prop_assert!(response.is_err());
        } else {
            let mut response = response.unwrap();
            change(&mut response.nonce);
            prop_assert!(accepter.answered(&response, &key("south"), &Plain).is_err());
            prop_assert_eq!(inviter.dead(noon()), None);
        }
    }
}
