//! The side that got the invitation: what it sends, and what it demands of the answers.
//!
//! The steps are types: each can be taken once and in one order only. Nothing of it is stored; an
//! acceptance that was cut off starts anew.

use chrono::{DateTime, Utc};
use interdocket_proto::v1;
use sha2::{Digest as _, Sha256};

use super::transcript::{self, Digest, Start, Step};
use super::{Candidate, Certificates, Dead, Invitation, Profile, Refusal, VERSION};
use crate::identity::Signer;

/// An acceptance that waits for the inviter's answer.
#[derive(Debug)]
pub struct Accepter {
    invitation: Invitation,
    nonce: Digest,
    said: Digest,
}

/// An acceptance that has revealed its nonce and waits for the end.
#[derive(Debug)]
pub struct Answered {
    key: Digest,
    whole: Digest,
    candidate: Candidate,
}

impl Accepter {
    /// Begins to accept an invitation. `nonce` is 32 fresh random bytes.
    ///
    /// # Errors
    /// [`Refusal`] where the invitation is too old or this organisation's own.
    pub fn begin(
        invitation: Invitation,
        me: &Profile,
        nonce: Digest,
        certificates: &dyn Certificates,
        now: DateTime<Utc>,
    ) -> Result<(Self, v1::BeginRequest), Refusal> {
        if now >= invitation.expires {
            return Err(Refusal::Invitation(Dead::Expired));
        }
        let accepter = certificates
            .organisation(&me.root)
            .ok_or(Refusal::Malformed)?;
        if accepter == invitation.organisation {
            return Err(Refusal::Itself);
        }
        let start = Start {
            version: VERSION,
            invitation: invitation.id,
            inviter: invitation.organisation,
            fingerprint: &invitation.fingerprint,
            accepter,
        };
        let commitment = transcript::commitment(invitation.id, &nonce);
        let said = transcript::begin(start, me, &commitment);
        let proof = transcript::prove(&invitation.key(), Step::Begin, &said);
        let request = v1::BeginRequest {
            version: VERSION,
            invitation: invitation.id.as_bytes().to_vec().into(),
            accepter: Some(me.into()),
            commitment: commitment.to_vec().into(),
            proof: proof.to_vec().into(),
        };
        Ok((
            Self {
                invitation,
                nonce,
                said,
            },
            request,
        ))
    }

    /// Reveals the nonce to an inviter that is who the invitation names.
    ///
    /// # Errors
    /// [`Refusal`] where it is not.
    pub fn answered(
        self,
        response: &v1::BeginResponse,
        signer: &dyn Signer,
        certificates: &dyn Certificates,
    ) -> Result<(Answered, v1::RevealRequest), Refusal> {
        let invitation = self.invitation;
        let profile = Profile::try_from(response.inviter.as_ref().ok_or(Refusal::Malformed)?)?;
        let nonce = (&response.nonce[..])
            .try_into()
            .map_err(|_| Refusal::Malformed)?;
        let organisation = certificates.organisation(&profile.root);
        let fingerprint: Digest = Sha256::digest(&profile.root).into();
        let named = organisation == Some(invitation.organisation);
        if !named || fingerprint != invitation.fingerprint {
            return Err(Refusal::Other);
        }
        let key = invitation.key();
        let answer = transcript::answer(&self.said, &profile, &nonce);
        if !transcript::proven(&key, Step::Answer, &answer, &response.proof) {
            return Err(Refusal::Invitation(Dead::Secret));
        }
        let whole = transcript::whole(&answer, &self.nonce);
        let signature = signer.sign(&transcript::signed(&whole));
        let der = signer
            .certificates()
            .iter()
            .map(|der| der.clone().into())
            .collect();
        let request = v1::RevealRequest {
            invitation: invitation.id.as_bytes().to_vec().into(),
            nonce: self.nonce.to_vec().into(),
            proof: transcript::prove(&key, Step::Reveal, &whole)
                .to_vec()
                .into(),
            signature: signature.to_vec().into(),
            certificates: Some(v1::CertificateChain { der }),
        };
        let words = transcript::words(&whole);
        let candidate = Candidate {
            organisation: invitation.organisation,
            profile,
            words,
        };
        Ok((
            Answered {
                key,
                whole,
                candidate,
            },
            request,
        ))
    }
}

impl Answered {
    /// Ends the ceremony; gives who is to be stored, awaiting confirmation.
    ///
    /// # Errors
    /// [`Refusal`] where the inviter has not taken part in the same ceremony.
    pub fn finish(self, response: &v1::RevealResponse) -> Result<Candidate, Refusal> {
        if !transcript::proven(&self.key, Step::Done, &self.whole, &response.proof) {
            return Err(Refusal::Invitation(Dead::Secret));
        }
        Ok(self.candidate)
    }
}
