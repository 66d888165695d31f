//! Deleting evidence, and keeping it.

use clap::Subcommand;
use interdocket_sync::id::EvidenceId;

use crate::actions::evidence::Evidence;
use crate::actions::{Error, retention};
use crate::cli::client::Client;
use crate::cli::retention::Why;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Command {
    /// Queue evidence for deletion.
    #[command(
        after_help = "Example:\n  interdocket evidence delete 0197a3e4-5b6c-7d8e-9f00-112233445566 --reason 'Taken twice'"
    )]
    Delete {
        /// Its id.
        evidence: EvidenceId,
        #[command(flatten)]
        why: Why,
    },
    /// Take evidence back from deletion.
    #[command(
        after_help = "Example:\n  interdocket evidence keep 0197a3e4-5b6c-7d8e-9f00-112233445566 --reason 'Not taken twice'"
    )]
    Keep {
        /// Its id.
        evidence: EvidenceId,
        #[command(flatten)]
        why: Why,
    },
    /// Put evidence on legal hold: it is not deleted, whoever wants that.
    #[command(
        after_help = "Example:\n  interdocket evidence hold 0197a3e4-5b6c-7d8e-9f00-112233445566 --reason 'Appeal 4 R 7/26'"
    )]
    Hold {
        /// Its id.
        evidence: EvidenceId,
        #[command(flatten)]
        why: Why,
    },
    /// Release evidence from a legal hold of its own.
    #[command(
        after_help = "Example:\n  interdocket evidence release 0197a3e4-5b6c-7d8e-9f00-112233445566 --reason 'Appeal over'"
    )]
    Release {
        /// Its id.
        evidence: EvidenceId,
        #[command(flatten)]
        why: Why,
    },
}

impl Command {
    pub(super) async fn run(self, client: &Client) -> Result<Evidence, Error> {
        match self {
            Self::Delete { evidence, why } => {
                let Why { reason } = why;
                client
                    .call(&retention::DeleteEvidence { evidence, reason })
                    .await
            }
            Self::Keep { evidence, why } => {
                let Why { reason } = why;
                client
                    .call(&retention::KeepEvidence { evidence, reason })
                    .await
            }
            Self::Hold { evidence, why } => {
                let Why { reason } = why;
                client
                    .call(&retention::HoldEvidence { evidence, reason })
                    .await
            }
            Self::Release { evidence, why } => {
                let Why { reason } = why;
                client
                    .call(&retention::ReleaseEvidence { evidence, reason })
                    .await
            }
        }
    }
}
