//! The ceremony of pairing: an honest inviter, an honest accepter, and somebody in between who bends, repeats,
//! guesses and sends whatever they like, but does not know the secret.

use chrono::{DateTime, TimeDelta, Utc};
use interdocket_proto::v1;
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::harness::Input;
use crate::identity::{Claim, OrganisationId, Signer, Unverified};
use crate::pairing::{
    Accepter, Answered, Candidate, Certificates, Dead, Invitation, Inviter, LIFETIME, Profile,
    Refusal, Role, Secret, TRIES,
};

/// Whatever somebody in between does, north pairs with south or with nobody.
pub(super) fn pairing(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut ceremony = Ceremony::new();
    for _ in 0..256 {
        if input.is_empty() {
            break;
        }
        ceremony.step(&mut input);
    }
}

struct Ceremony {
    inviter: Inviter,
    now: DateTime<Utc>,
    begins: Vec<(u8, v1::BeginRequest)>,
    answers: Vec<(u8, v1::BeginResponse)>,
    reveals: Vec<(Answer, v1::RevealRequest)>,
    /// Whom the inviter took for its partner.
    taken: Option<Candidate>,
    /// Wrong guesses that were answered before it was used.
    guesses: u8,
}

/// South after it was answered: with which nonce it began, and what it was answered.
#[derive(Clone)]
struct Answer(u8, v1::BeginResponse);

impl Ceremony {
    fn new() -> Self {
        Self {
            inviter: Inviter::new(&invitation(7)),
            now: noon(),
            begins: Vec::new(),
            answers: Vec::new(),
            reveals: Vec::new(),
            taken: None,
            guesses: 0,
        }
    }

    fn step(&mut self, input: &mut Input<'_>) {
        match input.below(8) {
            0 => {
                let nonce = input.byte();
                if let Some((_, request)) = self.accepter(7, nonce) {
                    self.begins.push((nonce, request));
                }
            }
            1 => {
                let Some((nonce, mut request)) = pick(&self.begins, input) else {
                    return;
                };
                bend_begin(&mut request, input);
                self.begin(nonce, &request);
            }
            2 => {
                let Some((nonce, mut response)) = pick(&self.answers, input) else {
                    return;
                };
                bend_answer(&mut response, input);
                if let Some((_, request)) = self.answered(nonce, &response) {
                    self.reveals.push((Answer(nonce, response), request));
                }
            }
            3 => {
                let Some((answer, mut request)) = pick(&self.reveals, input) else {
                    return;
                };
                bend_reveal(&mut request, input);
                self.reveal(Some(answer), &request);
            }
            // Somebody with another secret.
            4 => {
                let nonce = input.byte();
                if let Some((_, request)) = self.accepter(8, nonce) {
                    self.begin(nonce, &request);
                }
            }
            5 => self.now += TimeDelta::minutes(i64::from(input.byte()) * 10),
            6 => {
                if let Ok(request) = v1::BeginRequest::decode(input.some(255)) {
                    self.begin(0, &request);
                }
            }
            _ => {
                if let Ok(request) = v1::RevealRequest::decode(input.some(255)) {
                    self.reveal(None, &request);
                }
            }
        }
    }

    fn accepter(&self, secret: u8, nonce: u8) -> Option<(Accepter, v1::BeginRequest)> {
        let south = profile("south");
        Accepter::begin(invitation(secret), &south, [nonce; 32], &Plain, self.now).ok()
    }

    fn begin(&mut self, nonce: u8, request: &v1::BeginRequest) {
        let before = self.inviter.clone();
        let answer = before.begin(request, &profile("north"), [2; 32], &Plain, self.now);
        let (inviter, response) = answer;
        self.tried(&before, response.as_ref().err());
        self.inviter = inviter;
        if let Ok(response) = response {
            assert_eq!(before.dead(self.now), None);
            self.answers.push((nonce, response));
        }
    }

    fn answered(
        &self,
        nonce: u8,
        response: &v1::BeginResponse,
    ) -> Option<(Answered, v1::RevealRequest)> {
        // South began in time, however long the answer took.
        let begun = Accepter::begin(
            invitation(7),
            &profile("south"),
            [nonce; 32],
            &Plain,
            noon(),
        );
        let (accepter, _) = begun.ok()?;
        accepter.answered(response, &Key::of("south"), &Plain).ok()
    }

    fn reveal(&mut self, answer: Option<Answer>, request: &v1::RevealRequest) {
        let before = self.inviter.clone();
        let dead = before.dead(self.now);
        let (inviter, revealed) = before.reveal(request, &Plain, self.now);
        self.tried(&before, revealed.as_ref().err());
        self.inviter = inviter;
        let Ok(revealed) = revealed else {
            return;
        };
        // A repeated message gives what it gave; nothing else comes after an end.
        assert!(dead.is_none() || self.taken.as_ref() == Some(&revealed.candidate));
        assert_eq!(self.inviter.dead(self.now), Some(Dead::Used));
        assert_eq!(revealed.candidate.profile, profile("south"));
        let taken = self.taken.get_or_insert_with(|| revealed.candidate.clone());
        assert_eq!(*taken, revealed.candidate);
        let finished = answer.and_then(|Answer(nonce, response)| {
            let (answered, _) = self.answered(nonce, &response)?;
            answered.finish(&revealed.response).ok()
        });
        if let Some(north) = finished {
            assert_eq!(north.profile, profile("north"));
            assert_eq!(north.words, revealed.candidate.words);
        }
    }

    /// Guesses are counted, and there are three.
    fn tried(&mut self, before: &Inviter, refusal: Option<&Refusal>) {
        let guess = Refusal::Invitation(Dead::Secret);
        if before.dead(self.now).is_none() && refusal == Some(&guess) {
            self.guesses += 1;
        }
        assert!(self.guesses <= TRIES);
    }
}

fn pick<T: Clone>(from: &[T], input: &mut Input<'_>) -> Option<T> {
    let at = input.below(from.len());
    from.get(at).cloned()
}

/// Changes one bit of one field, or none.
fn bend(input: &mut Input<'_>, field: &mut prost::bytes::Bytes) {
    let at = input.below(field.len());
    let mut bytes = field.to_vec();
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 << input.below(8);
    }
    *field = bytes.into();
}

fn bend_begin(request: &mut v1::BeginRequest, input: &mut Input<'_>) {
    match input.below(8) {
        1 => bend(input, &mut request.proof),
        2 => bend(input, &mut request.commitment),
        3 => request.version = input.byte().into(),
        4 => request.accepter = Some((&profile("harbour")).into()),
        5 => {
            if let Some(accepter) = &mut request.accepter {
                bend(input, &mut accepter.root);
            }
        }
        6 => {
            if let Some(accepter) = &mut request.accepter {
                accepter.name = String::from_utf8_lossy(input.some(32)).into();
            }
        }
        _ => {}
    }
}

fn bend_answer(response: &mut v1::BeginResponse, input: &mut Input<'_>) {
    match input.below(6) {
        1 => bend(input, &mut response.proof),
        2 => bend(input, &mut response.nonce),
        3 => response.inviter = Some((&profile("harbour")).into()),
        4 => response.inviter = None,
        _ => {}
    }
}

fn bend_reveal(request: &mut v1::RevealRequest, input: &mut Input<'_>) {
    match input.below(6) {
        1 => bend(input, &mut request.proof),
        2 => bend(input, &mut request.nonce),
        3 => bend(input, &mut request.signature),
        4 => request.certificates = None,
        _ => {}
    }
}

fn noon() -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_225_600, 0).unwrap_or_default()
}

/// Certificates that are their own digests: a root is any text that begins with "root".
struct Plain;

impl Certificates for Plain {
    fn organisation(&self, root: &[u8]) -> Option<OrganisationId> {
        let id = OrganisationId::from_bytes(Sha256::digest(root).into());
        root.starts_with(b"root").then_some(id)
    }

    fn verify(&self, root: &[u8], claim: &Claim<'_>) -> Result<(), Unverified> {
        let signed = claim.signature == sign(root, claim.message);
        match claim.certificates == [root] && signed {
            true => Ok(()),
            false => Err(Unverified::Signature),
        }
    }
}

struct Key([Vec<u8>; 1]);

impl Key {
    fn of(name: &str) -> Self {
        Self([profile(name).root])
    }
}

impl Signer for Key {
    fn sign(&self, message: &[u8]) -> [u8; 64] {
        sign(&self.0[0], message)
    }

    fn certificates(&self) -> &[Vec<u8>] {
        &self.0
    }
}

fn sign(root: &[u8], message: &[u8]) -> [u8; 64] {
    sha2::Sha512::digest([root, message].concat()).into()
}

fn profile(name: &str) -> Profile {
    Profile {
        root: format!("root of {name}").into_bytes(),
        name: name.into(),
        role: Role::Investigation,
        address: format!("{name}.example:7701").parse().ok(),
    }
}

/// An invitation of north, with this secret.
pub(super) fn invitation(secret: u8) -> Invitation {
    let root = profile("north").root;
    Invitation {
        id: Uuid::from_bytes([7; 16]),
        secret: Secret::from_random([secret; 16]),
        address: (core::net::IpAddr::from([192, 0, 2, 1]), 7702).into(),
        organisation: OrganisationId::from_bytes(Sha256::digest(&root).into()),
        fingerprint: Sha256::digest(&root).into(),
        expires: noon() + LIFETIME,
    }
}
