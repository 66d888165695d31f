//! What is shared, and with whom.

use clap::Args;
use interdocket_sync::id::EvidenceId;

use super::to::To;
use crate::actions::share::{self, Attachment, Targets};
use crate::cli::named;

/// What is shared, and with whom.
#[derive(Debug, Args)]
pub(in crate::cli) struct What {
    /// The case's number or id.
    case: String,
    #[command(flatten)]
    to: To,
    /// Only this item of evidence; repeat it for more. The entire case where nothing is chosen.
    #[arg(long, value_name = "ID")]
    evidence: Vec<EvidenceId>,
    /// Only what lies in this folder or below; repeat it for more.
    #[arg(long = "folder", value_name = "FOLDER")]
    folders: Vec<String>,
    /// Which targets of the case: all, also those that are added later, those that it has now, or none. Where left
    /// out, all of them with the entire case, else none.
    #[arg(long, value_parser = named::<Targets>(["all", "present", "none"]))]
    targets: Option<Targets>,
    /// What goes along with the evidence of a copy; repeat it for more. Where left out, markers only.
    #[arg(long = "attach", value_name = "WHAT", value_parser = named::<Attachment>(["audit_trail", "notes", "markers", "transcripts"]))]
    attachments: Vec<Attachment>,
    /// A message to the recipients.
    #[arg(long, default_value = "")]
    message: String,
    /// Wait until every partner has it.
    #[arg(long)]
    pub(super) wait: bool,
}

impl What {
    /// A copy of it.
    pub(super) fn copy(&self) -> share::Copy {
        share::Copy {
            case: self.case.clone(),
            to: self.to.0.clone(),
            evidence: self.evidence.clone(),
            folders: self.folders.clone(),
            targets: self.targets,
            message: self.message.clone(),
            attachments: (!self.attachments.is_empty())
                .then(|| self.attachments.iter().copied().collect()),
        }
    }

    /// A reference to it, for so many days.
    pub(super) fn reference(&self, days: u32) -> share::Reference {
        share::Reference {
            case: self.case.clone(),
            to: self.to.0.clone(),
            days,
            evidence: self.evidence.clone(),
            folders: self.folders.clone(),
            targets: self.targets,
            message: self.message.clone(),
        }
    }

    /// It as it goes on.
    pub(super) fn advanced(&self, units: Vec<String>) -> share::Advanced {
        share::Advanced {
            case: self.case.clone(),
            to: self.to.0.clone(),
            evidence: self.evidence.clone(),
            folders: self.folders.clone(),
            targets: self.targets,
            units,
            message: self.message.clone(),
        }
    }
}
