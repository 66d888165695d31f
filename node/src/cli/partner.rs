//! Partners: the pairing ceremony, what is enabled, how they stand.

use std::io::{self, IsTerminal as _};

use clap::{Args, Subcommand};

use super::error::Error;
use super::share;
use super::status::features;
use super::table::{Table, behind, maybe_time, time};
use super::{Context, name, named};
use crate::actions::partner::{self, Inbound, Kind, Partner, State};
use crate::actions::share::Mode;
use crate::text;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make an invitation to pair, for the partner's administrator.
    #[command(after_help = "Example:\n  interdocket partner invite")]
    Invite,
    /// Accept a partner's invitation, and show the words to compare.
    #[command(after_help = "Example:\n  interdocket partner accept - < invitation.txt")]
    Accept {
        /// The line from the partner's administrator; `-` reads it from standard input.
        invitation: String,
    },
    /// Confirm that the partner's administrator sees the same words.
    #[command(after_help = "Example:\n  interdocket partner confirm 'South Police'")]
    Confirm {
        /// The partner's name or id.
        partner: String,
        /// The words were compared: do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// List partners.
    #[command(after_help = "Example:\n  interdocket partner list")]
    List,
    /// Show a partner.
    #[command(after_help = "Example:\n  interdocket partner show 'South Police'")]
    Show(Named),
    /// Say which kinds of shares go each way, in place of what was enabled before.
    #[command(
        after_help = "Example:\n  interdocket partner enable 'South Police' --send copy --receive copy"
    )]
    Enable {
        /// The partner's name or id.
        partner: String,
        /// What may be sent to it.
        #[arg(long, value_name = "KIND", value_parser = named::<Kind>(KINDS))]
        send: Vec<Kind>,
        /// What may come from it, without asking each time.
        #[arg(long, value_name = "KIND", value_parser = named::<Kind>(KINDS))]
        receive: Vec<Kind>,
    },
    /// Set what advanced shares with a partner allow, from the next one on.
    #[command(
        after_help = "Example:\n  interdocket partner policy 'South Police' --mode synchronised --download --import"
    )]
    Policy {
        /// The partner's name or id.
        partner: String,
        /// Where the files of a share are: here, or at the partner as well, sealed under a lease.
        #[arg(long, value_parser = named::<Mode>(["live", "synchronised"]))]
        mode: Mode,
        /// People there may keep what they read.
        #[arg(long)]
        download: bool,
        /// Imports are granted.
        #[arg(long)]
        import: bool,
        /// Recipients may add people of their own organisation.
        #[arg(long)]
        onward: bool,
    },
    /// Say what becomes of what a partner offers: it is taken at once, or waits for an administrator.
    #[command(after_help = "Example:\n  interdocket partner inbound 'South Police' finalise")]
    Inbound {
        /// The partner's name or id.
        partner: String,
        /// Taken directly, or once somebody finalised it.
        #[arg(value_parser = named::<Inbound>(["direct", "finalise"]))]
        inbound: Inbound,
    },
    /// Cut a partner off: its connections end and every call is refused.
    #[command(after_help = "Example:\n  interdocket partner suspend 'South Police'")]
    Suspend(Named),
    /// Resume a suspended partner.
    #[command(after_help = "Example:\n  interdocket partner resume 'South Police'")]
    Resume(Named),
    /// Stop trusting a partner. What it shared stays.
    #[command(after_help = "Example:\n  interdocket partner remove 'South Police'")]
    Remove(Named),
    /// Explain what is wrong with a partner, and what to do.
    #[command(after_help = "Example:\n  interdocket partner doctor 'South Police'")]
    Doctor(Named),
}

/// Which partner.
#[derive(Debug, Args)]
pub(super) struct Named {
    /// The partner's name or id.
    partner: String,
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), Error> {
        let client = &context.client;
        match self {
            Self::Invite => invite(context).await,
            Self::Accept { invitation } => accept(context, invitation).await,
            Self::Confirm { partner, yes } => confirm(context, partner, yes).await,
            Self::List => {
                let partners = client.call(&partner::List {}).await?;
                context
                    .out
                    .reply(&partners, |partners| list(&partners.partners))
            }
            Self::Show(Named { partner }) => {
                show(context, &client.call(&partner::Show { partner }).await?)
            }
            Self::Enable {
                partner,
                send,
                receive,
            } => {
                let request = partner::Enable {
                    partner,
                    send: send.into_iter().collect(),
                    receive: receive.into_iter().collect(),
                };
                show(context, &client.call(&request).await?)
            }
            Self::Policy {
                partner,
                mode,
                download,
                import,
                onward,
            } => {
                let request = partner::SetPolicy {
                    partner,
                    mode,
                    download,
                    import,
                    onward,
                };
                show(context, &client.call(&request).await?)
            }
            Self::Inbound { partner, inbound } => {
                let request = partner::SetInbound { partner, inbound };
                show(context, &client.call(&request).await?)
            }
            Self::Suspend(Named { partner }) => {
                show(context, &client.call(&partner::Suspend { partner }).await?)
            }
            Self::Resume(Named { partner }) => {
                show(context, &client.call(&partner::Resume { partner }).await?)
            }
            Self::Remove(Named { partner }) => {
                show(context, &client.call(&partner::Remove { partner }).await?)
            }
            Self::Doctor(Named { partner }) => doctor(context, partner).await,
        }
    }
}

async fn invite(context: &Context) -> Result<(), Error> {
    let invitation = context.client.call(&partner::Invite {}).await?;
    context
        .out
        .note("Hand this line to the partner's administrator, and to nobody else:");
    context.out.reply(&invitation, |invitation| {
        context.out.note(&format!(
            "Valid until {}, once.",
            time(invitation.expires_at)
        ));
        text::display(&invitation.invitation).into_owned()
    })
}

async fn accept(context: &Context, invitation: String) -> Result<(), Error> {
    let invitation = match invitation.as_str() {
        "-" => line().await?,
        _ => invitation,
    };
    let request = partner::Accept { invitation };
    let partner = context.client.call(&request).await?;
    context.out.reply(&partner, |partner| {
        format!(
            "{}\nAsk the administrator of {} on the phone for the words there. If they are the same:\n  \
             interdocket partner confirm '{}'",
            words(partner),
            text::display(&partner.name),
            text::display(&partner.name),
        )
    })
}

async fn confirm(context: &Context, partner: String, yes: bool) -> Result<(), Error> {
    if !yes {
        let request = partner::Show {
            partner: partner.clone(),
        };
        let shown = context.client.call(&request).await?;
        if !io::stdin().is_terminal() || context.out.is_json() {
            return Err(Error::invalid(
                "compare the words first, then say so with --yes",
            ));
        }
        context.out.note(&words(&shown));
        context
            .out
            .note("Does the partner's administrator see the same words? [y/N]");
        if !matches!(line().await?.as_str(), "y" | "Y" | "yes") {
            return Err(Error::invalid(
                "not confirmed; if the words differ, somebody may be in between: remove the partner \
                 and invite it anew",
            ));
        }
    }
    let confirmed = context.client.call(&partner::Confirm { partner }).await?;
    show(context, &confirmed)
}

async fn doctor(context: &Context, partner: String) -> Result<(), Error> {
    let found = context.client.call(&partner::Doctor { partner }).await?;
    context.out.reply(&found, |found| {
        let mut shown = String::new();
        for finding in &found.findings {
            let mark = if finding.ok { "ok" } else { "WRONG" };
            shown += &format!(
                "{mark:5}  {}: {}\n",
                text::display(&finding.subject),
                text::display(&finding.finding)
            );
            if let Some(advice) = &finding.advice {
                shown += &format!("       do: {}\n", text::display(advice));
            }
        }
        shown
    })?;
    if found.healthy {
        return Ok(());
    }
    Err(Error::Incomplete("not everything is in order".to_owned()))
}

/// Reads a line from standard input.
async fn line() -> Result<String, Error> {
    let read = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        io::stdin().read_line(&mut line).map(|_| line)
    });
    let failed = |error| Error::local("standard input could not be read", error);
    let line = read
        .await
        .map_err(io::Error::other)
        .and_then(|line| line)
        .map_err(failed)?;
    Ok(line.trim().to_owned())
}

fn words(partner: &Partner) -> String {
    let words = partner.words.join("  ");
    format!(
        "The words for {}:  {}",
        text::display(&partner.name),
        text::display(&words)
    )
}

fn list(partners: &[Partner]) -> String {
    let mut table = Table::new([
        "name", "role", "state", "contact", "send", "receive", "waiting",
    ]);
    for partner in partners {
        table.row([
            &partner.name,
            &name(&partner.role),
            &name(&partner.state),
            &contact(partner),
            &kinds(&partner.send),
            &kinds(&partner.receive),
            &behind(partner.behind, partner.behind_since),
        ]);
    }
    table.to_string()
}

fn show(context: &Context, partner: &Partner) -> Result<(), Error> {
    context.out.reply(partner, |partner| {
        let mut table = Table::pairs();
        table.row(["Name", &partner.name]);
        table.row(["Id", &partner.id.to_string()]);
        table.row(["Role", &name(&partner.role)]);
        table.row(["State", &name(&partner.state)]);
        if partner.state == State::Unconfirmed {
            table.row(["Words", &partner.words.join("  ")]);
        }
        let address = partner.address.as_deref();
        table.row(["Address", address.unwrap_or("- (it dials this node)")]);
        table.row(["Contact", &contact(partner)]);
        table.row(["May be sent", &kinds(&partner.send)]);
        table.row(["May come", &kinds(&partner.receive)]);
        let said = partner.features.as_ref();
        let said = said.map_or_else(|| "not known yet".to_owned(), features);
        table.row(["Its features", &said]);
        table.row(["Can be shared", &kinds(&partner.available)]);
        if partner.inbound == Inbound::Finalise {
            table.row(["What comes", "waits until an administrator finalises it"]);
        }
        if let Some(policy) = partner.policy {
            table.row(["Policy", &share::words(policy)]);
        } else if partner.send.contains(&Kind::Advanced) {
            table.row([
                "Policy",
                "none; advanced shares need one: interdocket partner policy NAME",
            ]);
        }
        table.row(["Waiting", &behind(partner.behind, partner.behind_since)]);
        table.to_string()
    })
}

fn contact(partner: &Partner) -> String {
    if partner.connected {
        return "now".to_owned();
    }
    maybe_time(partner.last_contact)
}

fn kinds<'a>(kinds: impl IntoIterator<Item = &'a Kind>) -> String {
    let names: Vec<_> = kinds.into_iter().map(name).collect();
    if names.is_empty() {
        return "nothing".to_owned();
    }
    names.join(", ")
}

/// The kinds of shares, as the API names them.
const KINDS: [&str; 3] = ["reference", "copy", "advanced"];
