//! The side that made the invitation: what it keeps, and how it answers.
//!
//! An [`Inviter`] is a value: each message gives the next one, which has to be stored before the
//! answer is sent. It holds no secret that could be handed on, only what checks one.

use chrono::{DateTime, Utc};
use interdocket_proto::v1;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::transcript::{self, Digest, Start, Step};
use super::{Candidate, Certificates, Dead, Invitation, Profile, Refusal, TRIES, VERSION};
use crate::identity::{Claim, OrganisationId};

/// An invitation as its maker keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inviter {
    id: Uuid,
    key: Digest,
    organisation: OrganisationId,
    fingerprint: Digest,
    expires: DateTime<Utc>,
    wrong: u8,
    phase: Phase,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Phase {
    Open,
    Begun(Box<Begun>),
    Used(Box<Begun>),
}

/// An acceptance under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Begun {
    organisation: OrganisationId,
    profile: Profile,
    commitment: Digest,
    answer: Digest,
}

/// The end of the ceremony at the inviter.
#[derive(Debug, Clone, PartialEq)]
pub struct Revealed {
    /// What to answer.
    pub response: v1::RevealResponse,
    /// Who is to be stored, awaiting confirmation; the same again where the message came twice.
    pub candidate: Candidate,
}

impl Inviter {
    /// Starts to wait for whoever gets this invitation.
    pub fn new(invitation: &Invitation) -> Self {
        Self {
            id: invitation.id,
            key: invitation.key(),
            organisation: invitation.organisation,
            fingerprint: invitation.fingerprint,
            expires: invitation.expires,
            wrong: 0,
            phase: Phase::Open,
        }
    }

    /// The invitation's id.
    pub const fn id(&self) -> Uuid {
        self.id
    }

    /// When the invitation ceases to count.
    pub const fn expires(&self) -> DateTime<Utc> {
        self.expires
    }

    /// Why the invitation does not count any more, if it does not.
    pub fn dead(&self, now: DateTime<Utc>) -> Option<Dead> {
        match self.phase {
            Phase::Used(_) => Some(Dead::Used),
            _ if self.wrong >= TRIES => Some(Dead::Burnt),
            _ if now >= self.expires => Some(Dead::Expired),
            _ => None,
        }
    }

    /// Answers who begins to accept. `nonce` is 32 fresh random bytes.
    ///
    /// Beginning anew counts as a wrong try of what was begun before.
    pub fn begin(
        &self,
        request: &v1::BeginRequest,
        me: &Profile,
        nonce: Digest,
        certificates: &dyn Certificates,
        now: DateTime<Utc>,
    ) -> (Self, Result<v1::BeginResponse, Refusal>) {
        match self.judge(request, certificates, now) {
            Ok((mut begun, said)) => {
                begun.answer = transcript::answer(&said, me, &nonce);
                let proof = transcript::prove(&self.key, Step::Answer, &begun.answer);
                let mut next = self.clone();
                next.wrong += u8::from(matches!(self.phase, Phase::Begun(_)));
                next.phase = Phase::Begun(Box::new(begun));
                let response = v1::BeginResponse {
                    inviter: Some(me.into()),
                    nonce: nonce.to_vec().into(),
                    proof: proof.to_vec().into(),
                };
                (next, Ok(response))
            }
            Err(refusal) => (self.tried(refusal), Err(refusal)),
        }
    }

    /// Ends the ceremony with who reveals its nonce; the invitation is used up.
    pub fn reveal(
        &self,
        request: &v1::RevealRequest,
        certificates: &dyn Certificates,
        now: DateTime<Utc>,
    ) -> (Self, Result<Revealed, Refusal>) {
        match self.end(request, certificates, now) {
            Ok((begun, revealed)) => {
                let mut next = self.clone();
                next.phase = Phase::Used(begun);
                (next, Ok(revealed))
            }
            Err(refusal) => (self.tried(refusal), Err(refusal)),
        }
    }

    fn judge(
        &self,
        request: &v1::BeginRequest,
        certificates: &dyn Certificates,
        now: DateTime<Utc>,
    ) -> Result<(Begun, Digest), Refusal> {
        if let Some(dead) = self.dead(now) {
            return Err(Refusal::Invitation(dead));
        }
        if request.version != VERSION {
            return Err(Refusal::Version);
        }
        let profile = Profile::try_from(request.accepter.as_ref().ok_or(Refusal::Malformed)?)?;
        let organisation = certificates
            .organisation(&profile.root)
            .ok_or(Refusal::Malformed)?;
        let commitment = (&request.commitment[..])
            .try_into()
            .map_err(|_| Refusal::Malformed)?;
        let start = Start {
            version: request.version,
            invitation: self.id,
            inviter: self.organisation,
            fingerprint: &self.fingerprint,
            accepter: organisation,
        };
        let said = transcript::begin(start, &profile, &commitment);
        if !transcript::proven(&self.key, Step::Begin, &said, &request.proof) {
            return Err(Refusal::Invitation(Dead::Secret));
        }
        if organisation == self.organisation {
            return Err(Refusal::Itself);
        }
        Ok((
            Begun {
                organisation,
                profile,
                commitment,
                answer: [0; 32],
            },
            said,
        ))
    }

    fn end(
        &self,
        request: &v1::RevealRequest,
        certificates: &dyn Certificates,
        now: DateTime<Utc>,
    ) -> Result<(Box<Begun>, Revealed), Refusal> {
        let begun = match (&self.phase, self.dead(now)) {
            // Whoever lost the answer asks again; a repeated message gives the same and no more.
            (Phase::Used(begun), _) | (Phase::Begun(begun), None) => begun.clone(),
            (_, dead) => return Err(Refusal::Invitation(dead.unwrap_or(Dead::Nonce))),
        };
        let nonce = (&request.nonce[..])
            .try_into()
            .map_err(|_| Refusal::Malformed)?;
        let whole = transcript::whole(&begun.answer, &nonce);
        if !transcript::proven(&self.key, Step::Reveal, &whole, &request.proof) {
            return Err(Refusal::Invitation(Dead::Secret));
        }
        if transcript::commitment(self.id, &nonce) != begun.commitment {
            return Err(Refusal::Invitation(Dead::Nonce));
        }
        let chain = request.certificates.as_ref().ok_or(Refusal::Malformed)?;
        let chain: Vec<Vec<u8>> = chain.der.iter().map(|der| der.to_vec()).collect();
        let claim = Claim {
            organisation: begun.organisation,
            certificates: &chain,
            message: &transcript::signed(&whole),
            signature: &request.signature,
            at: now,
        };
        certificates
            .verify(&begun.profile.root, &claim)
            .map_err(|_| Refusal::Invitation(Dead::Signature))?;
        let proof = transcript::prove(&self.key, Step::Done, &whole);
        let candidate = Candidate {
            organisation: begun.organisation,
            profile: begun.profile.clone(),
            words: transcript::words(&whole),
        };
        let response = v1::RevealResponse {
            proof: proof.to_vec().into(),
        };
        Ok((
            begun,
            Revealed {
                response,
                candidate,
            },
        ))
    }

    /// Counts a refusal that may have been a guess.
    fn tried(&self, refusal: Refusal) -> Self {
        let guess = matches!(
            refusal,
            Refusal::Invitation(Dead::Secret | Dead::Nonce | Dead::Signature)
        );
        Self {
            wrong: self.wrong.saturating_add(u8::from(guess)),
            ..self.clone()
        }
    }
}
