//! Shares: making them, watching them arrive, changing them, and the ways they stop.

mod one;
mod sets;
mod show;
mod to;
mod updates;
mod what;

use std::slice;
use std::time::Duration;

use clap::{Args, Subcommand};
use interdocket_sync::id::ShareId;

use super::client::Client;
use super::error::Error;
use super::out::Out;
use super::{Context, Range, name, named};
use crate::actions::share::{self, Direction, Made, RevocationState, Share, Status};
use crate::actions::{self, ErrorKind};

use one::One;
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
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        range: Range,
    },
    /// List share sets: shares that were made together, and how they stand.
    #[command(after_help = "Example:\n  interdocket share sets --limit 20")]
    Sets {
        #[command(flatten)]
        range: Range,
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
    /// List what the updates of a copy brought; to who joined later, since then.
    #[command(
        after_help = "Example:\n  interdocket share updates 0197a3e4-5b6c-7d8e-9f00-112233445566"
    )]
    Updates {
        /// The share's id.
        share: ShareId,
        #[command(flatten)]
        range: Range,
    },
    #[command(flatten)]
    One(One),
}

/// Which shares are listed.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// Only those of this case, by number or id.
    #[arg(long)]
    case: Option<String>,
    /// Only those with this partner, by name or id.
    #[arg(long)]
    partner: Option<String>,
    /// Only those that this node shares, or only those that it received.
    #[arg(long, value_parser = named::<Direction>(["sent", "received"]))]
    direction: Option<Direction>,
    /// Only those that wait for an administrator of this node.
    #[arg(long)]
    pending: bool,
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), Error> {
        let client = &context.client;
        let (made, wait) = match self {
            Self::List { which, range } => return show::list(context, which, range).await,
            Self::Updates { share, range } => return updates::list(context, share, range).await,
            Self::Sets { range } => return sets::list(context, range).await,
            Self::Copy(what) => (client.call(&what.copy()).await?, what.wait),
            Self::Reference { days, what } => {
                (client.call(&what.reference(days)).await?, what.wait)
            }
            Self::Advanced { what, units } => {
                (client.call(&what.advanced(units)).await?, what.wait)
            }
            Self::Revoke { share, wait } => {
                let mut share = client.call(&share::Revoke { share }).await?;
                if wait {
                    share = revoked(client, share).await?;
                }
                return context.out.reply(&share, show::show);
            }
            Self::One(one) => {
                let wait = one.waits();
                let mut share = one.run(client).await?;
                if wait {
                    delivered(client, context.out, slice::from_mut(&mut share)).await?;
                }
                return context.out.reply(&share, show::show);
            }
        };
        offered(context, made, wait).await
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
            .all(|share| !matches!(share.status, Status::Processing | Status::Pending))
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
        Status::Pending | Status::Processing | Status::Complete | Status::Active
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
