//! Shares: making them, watching them arrive, changing them, and the ways they stop.

mod sets;
mod show;
mod to;
mod what;

use std::slice;
use std::time::Duration;

use clap::Subcommand;
use interdocket_sync::id::{EvidenceId, ShareId, TargetId};

use super::client::Client;
use super::error::Error;
use super::out::Out;
use super::{Context, Range, name};
use crate::actions::share::{self, Made, RevocationState, Share, Status};
use crate::actions::{self, ErrorKind};

use what::What;

pub(super) use show::{receipts, revocation, totals, words};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Share a copy of a case, or of part of it, with partners.
    #[command(
        after_help = "Example:\n  interdocket share copy 2026-17 --partner 'South Police' --folder photos --wait"
    )]
    Copy(What),
    /// Open a case, or part of it, to people at partners for a number of days: they read it here.
    #[command(
        after_help = "Example:\n  interdocket share reference 2026-17 --partner 'South Police' --days 14 --recipient Kim"
    )]
    Reference {
        /// For how many days.
        #[arg(long, value_name = "N")]
        days: u32,
        #[command(flatten)]
        what: What,
    },
    /// Share a case, or part of it, as it goes on, under the policy that is set for each partner.
    #[command(
        after_help = "Example:\n  interdocket share advanced 2026-17 --partner 'South Police' --recipient Kim --partner Court --recipient Lee --wait"
    )]
    Advanced {
        #[command(flatten)]
        what: What,
        /// A unit or group of this organisation to which the case is given together with that; repeat it for more.
        #[arg(long = "unit", value_name = "NAME")]
        units: Vec<String>,
    },
    /// List shares.
    #[command(after_help = "Example:\n  interdocket share list --partner 'South Police'")]
    List {
        /// Only those of this case, by number or id.
        #[arg(long)]
        case: Option<String>,
        /// Only those with this partner, by name or id.
        #[arg(long)]
        partner: Option<String>,
        #[command(flatten)]
        range: Range,
    },
    /// List share sets: shares that were made together, and how they stand.
    #[command(after_help = "Example:\n  interdocket share sets --limit 20")]
    Sets {
        #[command(flatten)]
        range: Range,
    },
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
    /// Set who may use a share, in place of who could before; nobody where nobody is named.
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
    /// Revoke a reference or an advanced share, for good and at once.
    #[command(
        after_help = "Example:\n  interdocket share revoke 0197a3e4-5b6c-7d8e-9f00-112233445566 --wait"
    )]
    Revoke {
        /// The share's id.
        share: ShareId,
        /// Wait until the partner has received it.
        #[arg(long)]
        wait: bool,
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

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), Error> {
        let client = &context.client;
        let (mut share, wait) = match self {
            Self::List {
                case,
                partner,
                range,
            } => return show::list(context, case, partner, range).await,
            Self::Sets { range } => return sets::list(context, range).await,
            Self::Copy(what) => {
                let made = client.call(&what.copy()).await?;
                return offered(context, made, what.wait).await;
            }
            Self::Reference { days, what } => {
                let made = client.call(&what.reference(days)).await?;
                return offered(context, made, what.wait).await;
            }
            Self::Advanced { what, units } => {
                let made = client.call(&what.advanced(units)).await?;
                return offered(context, made, what.wait).await;
            }
            Self::Withdraw { share, evidence } => {
                let request = share::Withdraw { share, evidence };
                (client.call(&request).await?, false)
            }
            Self::Targets { share, add, remove } => {
                let request = share::ChooseTargets { share, add, remove };
                (client.call(&request).await?, false)
            }
            Self::Recipients { share, recipients } => {
                let request = share::Recipients { share, recipients };
                (client.call(&request).await?, false)
            }
            Self::Revoke { share, wait } => {
                let share = client.call(&share::Revoke { share }).await?;
                let share = if wait {
                    revoked(client, share).await?
                } else {
                    share
                };
                (share, false)
            }
            Self::Suspend { share } => (client.call(&share::Suspend { share }).await?, false),
            Self::Resume { share } => (client.call(&share::Resume { share }).await?, false),
            Self::Release { share } => (client.call(&share::Release { share }).await?, false),
            Self::Show { share, wait } => (client.call(&share::Show { share }).await?, wait),
            Self::Add {
                share,
                evidence,
                wait,
            } => (client.call(&share::Add { share, evidence }).await?, wait),
            Self::End { share } => (client.call(&share::End { share }).await?, false),
            Self::Cancel { share } => (client.call(&share::Cancel { share }).await?, false),
        };
        if wait {
            delivered(client, context.out, slice::from_mut(&mut share)).await?;
        }
        context.out.reply(&share, show::show)
    }
}

/// Shows what was offered, with each partner; first waits, where that is wanted, until all have it.
async fn offered(context: &Context, mut made: Made, wait: bool) -> Result<(), Error> {
    if wait {
        delivered(&context.client, context.out, &mut made.shares).await?;
    }
    context.out.reply(&made, show::made)
}

/// Waits until the partners hold everything, and shows how far they are.
pub(super) async fn delivered(
    client: &Client,
    out: Out,
    shares: &mut [Share],
) -> Result<(), actions::Error> {
    let bar = out.bytes(0, "Delivering");
    loop {
        if let Some(share) = shares.iter().find(|share| !arrives(share.status)) {
            bar.finish_and_clear();
            return Err(stopped(share));
        }
        if shares
            .iter()
            .all(|share| share.status != Status::Processing)
        {
            bar.finish_and_clear();
            // With their receipts, which only this action gives.
            return shown(client, shares).await;
        }
        bar.set_length(shares.iter().map(|share| share.listed.bytes).sum());
        bar.set_position(shares.iter().map(|share| share.stored.bytes).sum());
        tokio::time::sleep(POLL).await;
        shown(client, shares).await?;
    }
}

async fn shown(client: &Client, shares: &mut [Share]) -> Result<(), actions::Error> {
    for share in shares {
        *share = client.call(&share::Show { share: share.id }).await?;
    }
    Ok(())
}

/// Whether a share is with its partner, or on its way.
const fn arrives(status: Status) -> bool {
    matches!(
        status,
        Status::Processing | Status::Complete | Status::Active
    )
}

/// Waits until the partner has countersigned a revocation.
async fn revoked(client: &Client, mut share: Share) -> Result<Share, actions::Error> {
    let known = |share: &Share| {
        let state = share.revocation.as_ref().map(|revocation| revocation.state);
        matches!(
            state,
            Some(RevocationState::Received | RevocationState::Purged)
        )
    };
    while !known(&share) {
        tokio::time::sleep(POLL).await;
        share = client.call(&share::Show { share: share.id }).await?;
    }
    Ok(share)
}

fn stopped(share: &Share) -> actions::Error {
    let message = format!(
        "what is shared with {} will not arrive: it is {}",
        share.partner_name,
        name(&share.status)
    );
    let error = actions::Error::new(ErrorKind::Conflict, message);
    error.hint(format!("see more: interdocket share show {}", share.id))
}

/// Between two looks at a share that is being delivered.
const POLL: Duration = Duration::from_millis(300);
