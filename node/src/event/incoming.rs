//! What is said of what partners offer, before it is taken.

use interdocket_sync::id::{CaseId, ShareId};
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::log::entry as log_entry;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::CaseMade;
use crate::actions::partner::Inbound;

/// What becomes of what a partner offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboundSet {
    /// The partner.
    pub organisation: OrganisationId,
    /// From now on; what waits already goes on waiting.
    pub inbound: Inbound,
}

/// An administrator took what a partner offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareFinalised {
    /// The share.
    pub share: ShareId,
    /// The case of this node that gets the evidence of a copy; none where it is a new one.
    pub case: Option<CaseId>,
    /// The case that a copy becomes, with the values of that moment; none where it is put into another.
    pub made: Option<CaseMade>,
    /// The case at its owner.
    pub origin: CaseId,
    /// Its targets, by their ids at the owner.
    pub targets: Vec<log_entry::Target>,
    /// Users and groups who have access to it from now on.
    pub access: Vec<Uuid>,
}
