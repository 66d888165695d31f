//! Tokens of users.

use clap::Subcommand;
use uuid::Uuid;

use super::Context;
use super::error::Error;
use super::table::{Table, time};
use crate::actions::token;
use crate::text;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a token, by which a user or program calls the API over HTTPS. It is shown this once.
    #[command(after_help = "Example:\n  interdocket token add 'Kim Berg' --days 30")]
    Add {
        /// The user: name, e-mail address or number on the badge.
        user: String,
        /// After how many days it stops being valid.
        #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=365))]
        days: u32,
    },
    /// List the tokens of a user that are valid.
    #[command(after_help = "Example:\n  interdocket token list 'Kim Berg'")]
    List {
        /// The user: name, e-mail address or number on the badge.
        user: String,
    },
    /// Revoke a token: from now on it proves nothing.
    #[command(
        after_help = "Example:\n  interdocket token revoke 019c9f0e-7d4f-7a52-a19c-cb71b1f92f4b"
    )]
    Revoke {
        /// The token's id, as `token list` shows it.
        token: Uuid,
    },
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), Error> {
        match self {
            Self::Add { user, days } => {
                let days = Some(days);
                let issued = context.client.call(&token::Add { user, days }).await?;
                context.out.note(
                    "This token is shown only now. Send it as `Authorization: Bearer TOKEN`.",
                );
                context.out.reply(&issued, |issued| {
                    context.out.note(&format!(
                        "Valid until {}; its id is {}.",
                        time(issued.expires_at),
                        issued.id
                    ));
                    text::display(&issued.token).into_owned()
                })
            }
            Self::List { user } => list(context, user).await,
            Self::Revoke { token } => {
                let revoked = context.client.call(&token::Revoke { token }).await?;
                context.out.reply(&revoked, |token| {
                    format!("Revoked a token of {}.", text::display(&token.user))
                })
            }
        }
    }
}

async fn list(context: &Context, user: String) -> Result<(), Error> {
    let mut shown = token::Page {
        tokens: Vec::new(),
        next: None,
    };
    loop {
        let request = token::List {
            user: user.clone(),
            after: shown.next.take(),
            limit: Some(1000),
        };
        let page = context.client.call(&request).await?;
        shown.tokens.extend(page.tokens);
        shown.next = page.next;
        if shown.next.is_none() {
            break;
        }
    }
    context.out.reply(&shown, |page| {
        let mut table = Table::new(["id", "user", "made", "valid until"]);
        for token in &page.tokens {
            let (made, until) = (time(token.made_at), time(token.expires_at));
            table.row([&token.id.to_string(), &token.user, &made, &until]);
        }
        table.to_string()
    })
}
