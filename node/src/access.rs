//! Who may: permissions, the roles that hold them, and which of them each action needs. Pure; without a rule,
//! nobody may.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::actions::partner::OrganisationRole;

/// What a role holds.
pub type Permissions = BTreeSet<Permission>;

/// Every permission: its name in the API, and what it lets people do.
macro_rules! permissions {
    ($($name:ident, $text:literal, $meaning:literal;)*) => {
        /// One thing that people may be allowed to do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        pub enum Permission {
            $(#[doc = $meaning] #[serde(rename = $text)] $name,)*
        }

        impl Permission {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its name in the API.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// What it lets people do.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$name => $meaning,)*
                }
            }
        }
    };
}

permissions! {
    CaseView, "case.view", "See cases";
    CaseEvery, "case.every", "See every case, also those to which nobody gave access";
    CaseCreate, "case.create", "Make cases, and import those of partners";
    CaseEdit, "case.edit", "Change cases and their targets";
    CaseRetention, "case.edit_case_retention", "Edit Case Retention: set how long the evidence of a case is kept, put things on legal hold and release them";
    CaseShare, "case.share", "Share cases, whichever way";
    CaseShareExternally, "case.share_externally_to_authenticated_users", "Share cases externally to authenticated users";
    CaseShareLinks, "case.share_external_download_links", "Share external download links of cases";
    CaseShareCopy, "case.share_by_copy_with_partner_agencies", "Share cases by copy with partner agencies, from a justice organisation";
    EvidenceView, "evidence.view", "See what is said of evidence";
    EvidenceDownload, "evidence.download", "Read files";
    EvidenceOriginal, "evidence.original", "Read the original of video that was received, without its watermark";
    EvidenceAdd, "evidence.add", "Add evidence";
    EvidenceEdit, "evidence.edit", "Describe evidence anew";
    EvidenceDelete, "evidence.delete", "Delete evidence, and cases with all of theirs";
    EvidenceShare, "evidence.share", "Share evidence, whichever way";
    EvidenceShareExternally, "evidence.share_externally_to_authenticated_users", "Share evidence externally to authenticated users";
    EvidenceShareLinks, "evidence.share_external_download_links", "Share external download links of evidence";
    AuditView, "audit.view", "See what others did";
    AuditConfidential, "audit.confidential", "See confidential activity, and act confidentially";
    PeopleView, "people.view", "See users, groups and roles";
    PeopleManage, "people.manage", "Manage users, groups, roles and tokens";
    PartnerManage, "partner.manage", "Pair with partners, enable kinds of shares with them, and see all that they share";
    ShareFinalise, "share.finalise", "See what partners offer before it is taken, and finalise or decline it";
    PolicyManage, "policy.manage", "Set what advanced shares allow";
    SettingsManage, "settings.manage", "Set what counts for everybody of the organisation, and what it takes part in";
    PortalRead, "portal.read", "Read what was disclosed to oneself as a guest";
    NodeView, "node.view", "See how the node and its partners stand";
    NodeManage, "node.manage", "Check the node, back it up, confirm its clock";
}

use Permission::*;

/// A role that every node has, and that can't be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuiltIn {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub holds: &'static [Permission],
}

/// The roles that every node has.
pub const BUILT_IN: &[BuiltIn] = &[
    BuiltIn {
        name: ADMINISTRATOR,
        holds: Permission::ALL,
    },
    BuiltIn {
        name: INVESTIGATOR,
        holds: &[
            CaseView,
            CaseCreate,
            CaseEdit,
            CaseShare,
            CaseShareExternally,
            CaseShareLinks,
            CaseShareCopy,
            EvidenceView,
            EvidenceDownload,
            EvidenceAdd,
            EvidenceEdit,
            EvidenceShare,
            EvidenceShareExternally,
            EvidenceShareLinks,
            NodeView,
        ],
    },
    BuiltIn {
        name: AUDITOR,
        holds: &[
            CaseView,
            CaseEvery,
            EvidenceView,
            AuditView,
            PeopleView,
            NodeView,
        ],
    },
    BuiltIn {
        name: GUEST,
        holds: &[PortalRead],
    },
];

/// The role of whoever runs the node: everything.
pub const ADMINISTRATOR: &str = "administrator";
/// The role of people who work on cases.
pub const INVESTIGATOR: &str = "investigator";
/// The role of people who look at what others did.
pub const AUDITOR: &str = "auditor";
/// The role of people outside of the organisation, who read what was disclosed to them and do nothing else. Nobody
/// else ever has it, and who has it never has another.
pub const GUEST: &str = "guest";

/// The built-in role of this name.
pub fn built_in(name: &str) -> Option<&'static BuiltIn> {
    BUILT_IN.iter().find(|role| role.name == name)
}

impl BuiltIn {
    /// What it holds.
    pub fn permissions(&self) -> Permissions {
        self.holds.iter().copied().collect()
    }
}

/// Why somebody may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The role has not this permission.
    #[error("it lacks the permission {}", .0.name())]
    Lacks(Permission),
    /// No rule says who may.
    #[error("nobody may")]
    NoRule,
}

/// Whether who holds these permissions may have an action done at an organisation of this role.
///
/// # Errors
/// [`Denied`], with the first permission that is missing.
pub fn check(held: &Permissions, action: &str, role: OrganisationRole) -> Result<(), Denied> {
    let needed = needs(action, role).ok_or(Denied::NoRule)?;
    let lacking = needed.into_iter().find(|needed| !held.contains(needed));
    lacking.map_or(Ok(()), |permission| Err(Denied::Lacks(permission)))
}

/// What an action needs, all of it; none where no rule says who may.
pub fn needs(action: &str, role: OrganisationRole) -> Option<Vec<Permission>> {
    let (_, needs) = NEEDS.iter().find(|(name, _)| *name == action)?;
    let mut needed = needs.to_vec();
    if role == OrganisationRole::Justice && COPIES.contains(&action) {
        needed.push(CaseShareCopy);
    }
    Some(needed)
}

/// Whether who holds these permissions reaches every case, also those to which nobody gave them access.
pub fn reaches_all(held: &Permissions) -> bool {
    held.contains(&CaseEvery)
}

/// Whether an action changes a case.
pub fn edits(action: &str) -> bool {
    EDITS.contains(&action)
}

/// Whether who holds these permissions sees all that partners share, also with others.
pub fn sees_all_external(held: &Permissions) -> bool {
    held.contains(&PartnerManage)
}

/// Whether who holds these permissions sees what partners offer, before it is taken.
pub fn sees_offers(held: &Permissions) -> bool {
    held.contains(&ShareFinalise)
}

/// What people do with their own password, authenticator and session, whatever their role holds.
const OWN: &[Permission] = &[];

/// To give a case or evidence to people of one's own organisation.
const INTERNAL: &[Permission] = &[CaseShare, EvidenceShare];

/// To share a case with people of a partner: on the case, and on its evidence.
const EXTERNAL: &[Permission] = &[
    CaseShare,
    CaseShareExternally,
    EvidenceShare,
    EvidenceShareExternally,
];

/// To put a case behind a download link: on the case, and on its evidence.
const LINKS: &[Permission] = &[CaseShare, CaseShareLinks, EvidenceShare, EvidenceShareLinks];

/// What makes or widens a copy, or a disclosure, which is one that stays here: a justice organisation has a permission of its own for it.
const COPIES: &[&str] = &[
    "disclosure.make",
    "disclosure.update",
    "share.add",
    "share.copy",
    "share.reshare",
];

/// What changes a case: where the organisation restricts that, only some people may.
const EDITS: &[&str] = &[
    "case.access",
    "case.assign",
    "case.close",
    "case.delete",
    "case.edit",
    "case.exclude",
    "case.hold",
    "case.include",
    "case.keep",
    "case.release",
    "case.reopen",
    "case.retain",
    "case.tag",
    "evidence.add",
    "evidence.add-note",
    "evidence.attach",
    "evidence.delete",
    "evidence.edit",
    "evidence.remove-marker",
    "evidence.set-marker",
    "evidence.hold",
    "evidence.keep",
    "evidence.release",
    "evidence.tag",
    "target.add",
    "target.edit",
    "target.remove",
];

/// What each action needs.
const NEEDS: &[(&str, &[Permission])] = &[
    ("audit.show", &[AuditView]),
    ("audit.verify", &[AuditView]),
    ("case.access", INTERNAL),
    ("case.assign", INTERNAL),
    ("case.assignable", INTERNAL),
    ("case.close", &[CaseEdit]),
    ("case.create", &[CaseCreate]),
    ("case.delete", &[EvidenceDelete]),
    ("case.edit", &[CaseEdit]),
    ("case.exclude", &[EvidenceEdit]),
    ("case.hold", &[CaseRetention]),
    // Whoever reaches the case reaches the evidence from then on.
    ("case.include", &[EvidenceAdd, EvidenceShare]),
    ("case.keep", &[EvidenceDelete]),
    ("case.list", &[CaseView]),
    ("case.release", &[CaseRetention]),
    ("case.reopen", &[CaseEdit]),
    ("case.retain", &[CaseRetention]),
    ("case.show", &[CaseView]),
    ("case.tag", &[CaseEdit]),
    ("disclosure.end", &[CaseShare]),
    ("disclosure.list", &[CaseView]),
    ("disclosure.make", EXTERNAL),
    ("disclosure.show", &[CaseView]),
    ("disclosure.update", EXTERNAL),
    ("enrolment.begin", OWN),
    ("enrolment.confirm", OWN),
    ("evidence.add", &[EvidenceAdd]),
    ("evidence.add-note", &[EvidenceEdit]),
    ("evidence.attach", &[EvidenceAdd]),
    ("evidence.delete", &[EvidenceDelete]),
    ("evidence.edit", &[EvidenceEdit]),
    ("evidence.get", &[EvidenceDownload]),
    ("evidence.hold", &[CaseRetention]),
    ("evidence.keep", &[EvidenceDelete]),
    ("evidence.list", &[EvidenceView]),
    ("evidence.markers", &[EvidenceView]),
    ("evidence.multicam", &[EvidenceView]),
    ("evidence.notes", &[EvidenceView]),
    ("evidence.release", &[CaseRetention]),
    ("evidence.remove-marker", &[EvidenceEdit]),
    ("evidence.set-marker", &[EvidenceEdit]),
    ("evidence.show", &[EvidenceView]),
    ("evidence.tag", &[EvidenceEdit]),
    ("evidence.trail", &[AuditView]),
    ("external.get", &[EvidenceDownload]),
    ("external.import", &[CaseCreate]),
    ("external.list", &[CaseView]),
    ("external.onward", INTERNAL),
    ("external.show", &[CaseView]),
    ("feature.disable", &[SettingsManage]),
    ("feature.enable", &[SettingsManage]),
    ("feature.list", &[NodeView]),
    ("group.add", &[PeopleManage]),
    ("group.edit", &[PeopleManage]),
    ("group.list", &[PeopleView]),
    ("group.show", &[PeopleView]),
    ("link.create", LINKS),
    ("link.list", &[CaseView]),
    ("link.revoke", &[CaseShare]),
    ("metadata.list", &[NodeView]),
    ("node.backup", &[NodeManage]),
    ("node.check", &[NodeManage]),
    ("node.confirm-clock", &[NodeManage]),
    ("node.status", &[NodeView]),
    ("partner.accept", &[PartnerManage]),
    ("partner.confirm", &[PartnerManage]),
    ("partner.doctor", &[AuditView]),
    ("partner.enable", &[PartnerManage]),
    ("partner.inbound", &[PartnerManage]),
    ("partner.invite", &[PartnerManage]),
    ("partner.list", &[NodeView]),
    ("partner.policy", &[PolicyManage]),
    ("partner.remove", &[PartnerManage]),
    ("partner.resume", &[PartnerManage]),
    ("partner.show", &[NodeView]),
    ("partner.suspend", &[PartnerManage]),
    ("password.set", OWN),
    ("portal.get", &[PortalRead]),
    ("portal.list", &[PortalRead]),
    ("portal.show", &[PortalRead]),
    ("retention.add", &[SettingsManage]),
    ("retention.default", &[SettingsManage]),
    ("retention.due", &[EvidenceView]),
    ("retention.edit", &[SettingsManage]),
    ("retention.list", &[CaseView]),
    ("retention.remove", &[SettingsManage]),
    ("role.add", &[PeopleManage]),
    ("role.edit", &[PeopleManage]),
    ("role.list", &[PeopleView]),
    ("role.remove", &[PeopleManage]),
    ("session.end", OWN),
    ("settings.set", &[SettingsManage]),
    ("settings.show", &[NodeView]),
    ("share.add", EXTERNAL),
    ("share.advanced", EXTERNAL),
    ("share.answer", &[CaseEdit]),
    ("share.cancel", &[CaseShare]),
    ("share.copy", EXTERNAL),
    ("share.decline", &[ShareFinalise]),
    ("share.end", &[CaseShare]),
    ("share.finalise", &[ShareFinalise]),
    ("share.list", &[CaseView]),
    ("share.recall", &[CaseShare]),
    ("share.recipients", EXTERNAL),
    ("share.reference", EXTERNAL),
    ("share.release", &[NodeManage]),
    ("share.reshare", EXTERNAL),
    ("share.resume", EXTERNAL),
    ("share.retry", &[CaseShare]),
    ("share.revoke", &[CaseShare]),
    ("share.sets", &[CaseView]),
    ("share.show", &[CaseView]),
    ("share.suspend", &[CaseShare]),
    ("share.targets", EXTERNAL),
    ("share.updates", &[CaseView]),
    ("share.withdraw", &[CaseShare]),
    ("target.add", &[CaseEdit]),
    ("target.edit", &[CaseEdit]),
    ("target.list", &[CaseView]),
    ("target.remove", &[CaseEdit]),
    ("token.add", &[PeopleManage]),
    ("token.list", &[PeopleView]),
    ("token.revoke", &[PeopleManage]),
    ("user.add", &[PeopleManage]),
    ("user.disable", &[PeopleManage]),
    ("user.edit", &[PeopleManage]),
    ("user.enable", &[PeopleManage]),
    ("user.enrol", &[PeopleManage]),
    ("user.list", &[PeopleView]),
    ("user.unlock", &[PeopleManage]),
];

#[cfg(test)]
mod tests;
