//! What is said of what partners offer, before it is taken.

use interdocket_sync::id::{CaseId, ShareId};
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::log::entry as log_entry;
use interdocket_sync::metadata::Tag;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::CaseMade;
use crate::actions::case::Origin;
use crate::actions::partner::Inbound;

/// What becomes of what a partner offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboundSet {
    /// The partner.
    pub organisation: OrganisationId,
    /// From now on; what waits already goes on waiting.
    pub inbound: Inbound,
}

/// A copy brought a case, or more of one.
// Apart from the copy's log, which outlives the case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseReceived {
    /// The case here.
    pub case: CaseId,
    /// From whom it was received.
    pub origin: Origin,
    /// What it is here, with the values of that moment; none where it was here before.
    pub made: Option<CaseMade>,
    /// Its targets, by their ids at the owner.
    pub targets: Vec<log_entry::Target>,
    /// The tags of a new one.
    pub tags: Vec<Tag>,
    /// For whom a new one is, as its owner called them.
    pub recipients: Vec<String>,
}

/// An administrator took what a partner offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareFinalised {
    /// The share.
    pub share: ShareId,
    /// The case of this node that gets the evidence of a copy.
    pub case: Option<CaseId>,
    /// Whether that is a new one.
    pub made: bool,
    /// Users and groups who have access to it from now on.
    pub access: Vec<Uuid>,
}
