//! What is done with one share, and shows how it is then.

use clap::Subcommand;
use interdocket_sync::id::{EvidenceId, ShareId, TargetId};

use crate::actions;
use crate::actions::share::{self, Reason, Share};
use crate::cli::client::Client;
use crate::cli::named;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum One {
    /// Show a share with its receipts.
    #[command(
        after_help = "Example:\n  interdocket share show 0197a3e4-5b6c-7d8e-9f00-112233445566 --wait"
    )]
    Show {
        /// Its id.
        share: ShareId,
        /// Wait until the partner holds everything.
        #[arg(long)]
        wait: bool,
    },
    /// Add evidence to a share: to a copy what was added since, to others what is named.
    #[command(
        after_help = "Example:\n  interdocket share add 0197a3e4-5b6c-7d8e-9f00-112233445566"
    )]
    Add {
        /// The share's id.
        share: ShareId,
        /// Only this item; repeat it for more. Everything new where left out.
        #[arg(long, value_name = "ID")]
        evidence: Vec<EvidenceId>,
        /// Wait until the partner holds everything.
        #[arg(long)]
        wait: bool,
    },
    /// Take selected evidence out of a reference or an advanced share.
    #[command(
        after_help = "Example:\n  interdocket share withdraw 0197a3e4-5b6c-7d8e-9f00-112233445566 --evidence 0197a3e4-5b6c-7d8e-9f00-112233445577"
    )]
    Withdraw {
        /// The share's id.
        share: ShareId,
        /// This item; repeat it for more.
        #[arg(long, value_name = "ID", required = true)]
        evidence: Vec<EvidenceId>,
    },
    /// Set who may use a reference or an advanced share, in place of who could before; nobody where nobody is named.
    #[command(
        after_help = "Example:\n  interdocket share recipients 0197a3e4-5b6c-7d8e-9f00-112233445566 --recipient Kim"
    )]
    Recipients {
        /// The share's id.
        share: ShareId,
        /// Somebody there, as the partner knows them; repeat it for more.
        #[arg(long = "recipient", value_name = "NAME")]
        recipients: Vec<String>,
    },
    /// Choose targets for a share, or take them out of it, where it does not have all of them by itself.
    #[command(
        after_help = "Example:\n  interdocket share targets 0197a3e4-5b6c-7d8e-9f00-112233445566 --add 0197a3e4-5b6c-7d8e-9f00-112233445577"
    )]
    Targets {
        /// The share's id.
        share: ShareId,
        /// A target of the case that it has from now on; repeat it for more.
        #[arg(long, value_name = "ID")]
        add: Vec<TargetId>,
        /// A target that it has not any more; repeat it for more.
        #[arg(long, value_name = "ID")]
        remove: Vec<TargetId>,
    },
    /// Suspend a share: nothing can be read or is sent until it is resumed.
    #[command(
        after_help = "Example:\n  interdocket share suspend 0197a3e4-5b6c-7d8e-9f00-112233445566"
    )]
    Suspend {
        /// The share's id.
        share: ShareId,
    },
    /// Resume a suspended share.
    #[command(
        after_help = "Example:\n  interdocket share resume 0197a3e4-5b6c-7d8e-9f00-112233445566"
    )]
    Resume {
        /// The share's id.
        share: ShareId,
    },
    /// Have a share go on after a restore, though its partner can't give back what it holds. Where it holds
    /// more than this node, the share freezes.
    #[command(
        after_help = "Example:\n  interdocket share release 0197a3e4-5b6c-7d8e-9f00-112233445566"
    )]
    Release {
        /// The share's id.
        share: ShareId,
    },
    /// Reshare a copy: with more people at the partner, and maybe with new evidence.
    #[command(
        after_help = "Example:\n  interdocket share reshare 0197a3e4-5b6c-7d8e-9f00-112233445566 --recipient Lee"
    )]
    Reshare {
        /// The share's id.
        share: ShareId,
        /// Somebody there who should have it as well, as the partner knows them; repeat it for more.
        #[arg(long = "recipient", value_name = "NAME", required = true)]
        recipients: Vec<String>,
        /// This item goes along; repeat it for more. None where left out.
        #[arg(long, value_name = "ID")]
        evidence: Vec<EvidenceId>,
        /// A message to them.
        #[arg(long, default_value = "")]
        message: String,
        /// Wait until the partner holds everything.
        #[arg(long)]
        wait: bool,
    },
    /// Ask the partner to destroy a copy. It is the partner's own, and may say no.
    #[command(
        after_help = "Example:\n  interdocket share recall 0197a3e4-5b6c-7d8e-9f00-112233445566 --reason 'Sealed by the court'"
    )]
    Recall {
        /// The share's id.
        share: ShareId,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Answer the owner of a copy who asks for it to be destroyed. Nothing is destroyed by that.
    #[command(
        after_help = "Example:\n  interdocket share answer 0197a3e4-5b6c-7d8e-9f00-112233445566 --reason 'Needed in court'"
    )]
    Answer {
        /// The share's id.
        share: ShareId,
        /// It will be destroyed; else it will not.
        #[arg(long)]
        grant: bool,
        /// Why, or why not.
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
    },
    /// Take what a partner offers, where that waits for an administrator.
    #[command(
        after_help = "Example:\n  interdocket share finalise 0197a3e4-5b6c-7d8e-9f00-112233445566 --access Kim"
    )]
    Finalise {
        /// The share's id.
        share: ShareId,
        /// The case here that gets the evidence of a copy, by number or id; a new one where left out.
        #[arg(long)]
        case: Option<String>,
        /// A user or group who works on the case of a copy from now on; repeat it for more.
        #[arg(long, value_name = "NAME")]
        access: Vec<String>,
    },
    /// Decline what a partner offers, where that waits for an administrator.
    #[command(
        after_help = "Example:\n  interdocket share decline 0197a3e4-5b6c-7d8e-9f00-112233445566 --reason misdirected"
    )]
    Decline {
        /// The share's id.
        share: ShareId,
        /// Why: the partner is told.
        #[arg(long, value_parser = named::<Reason>(["misdirected", "unneeded", "not_allowed", "unclear"]))]
        reason: Reason,
    },
    /// Try again to deliver a share that failed.
    #[command(
        after_help = "Example:\n  interdocket share retry 0197a3e4-5b6c-7d8e-9f00-112233445566 --wait"
    )]
    Retry {
        /// The share's id.
        share: ShareId,
        /// Wait until the partner holds everything.
        #[arg(long)]
        wait: bool,
    },
    /// End a copy: no updates any more. What the partner has stays the partner's.
    #[command(
        after_help = "Example:\n  interdocket share end 0197a3e4-5b6c-7d8e-9f00-112233445566"
    )]
    End {
        /// The share's id.
        share: ShareId,
    },
    /// Cancel a copy that is under way: nothing more is sent.
    #[command(
        after_help = "Example:\n  interdocket share cancel 0197a3e4-5b6c-7d8e-9f00-112233445566"
    )]
    Cancel {
        /// The share's id.
        share: ShareId,
    },
}

impl One {
    /// Whether to wait until the partner holds everything.
    pub(super) const fn waits(&self) -> bool {
        match self {
            Self::Show { wait, .. }
            | Self::Add { wait, .. }
            | Self::Reshare { wait, .. }
            | Self::Retry { wait, .. } => *wait,
            _ => false,
        }
    }

    /// What is done with one share, and how it is then.
    pub(super) async fn run(self, client: &Client) -> Result<Share, actions::Error> {
        match self {
            Self::Show { share, .. } => client.call(&share::Show { share }).await,
            Self::Add {
                share, evidence, ..
            } => client.call(&share::Add { share, evidence }).await,
            Self::Reshare {
                share,
                recipients,
                evidence,
                message,
                ..
            } => {
                let request = share::Reshare {
                    share,
                    recipients,
                    evidence,
                    message,
                };
                client.call(&request).await
            }
            Self::Withdraw { share, evidence } => {
                client.call(&share::Withdraw { share, evidence }).await
            }
            Self::Targets { share, add, remove } => {
                let request = share::ChooseTargets { share, add, remove };
                client.call(&request).await
            }
            Self::Recipients { share, recipients } => {
                let request = share::Recipients { share, recipients };
                client.call(&request).await
            }
            Self::Recall { share, reason } => client.call(&share::Recall { share, reason }).await,
            Self::Answer {
                share,
                grant: granted,
                reason,
            } => {
                let request = share::Answer {
                    share,
                    granted,
                    reason,
                };
                client.call(&request).await
            }
            Self::Finalise {
                share,
                case,
                access,
            } => {
                let request = share::Finalise {
                    share,
                    case,
                    access,
                };
                client.call(&request).await
            }
            Self::Decline { share, reason } => client.call(&share::Decline { share, reason }).await,
            Self::Suspend { share } => client.call(&share::Suspend { share }).await,
            Self::Resume { share } => client.call(&share::Resume { share }).await,
            Self::Release { share } => client.call(&share::Release { share }).await,
            Self::Retry { share, .. } => client.call(&share::Retry { share }).await,
            Self::End { share } => client.call(&share::End { share }).await,
            Self::Cancel { share } => client.call(&share::Cancel { share }).await,
        }
    }
}
