//! Users.

use clap::Subcommand;

use super::error::Error;
use super::table::{Table, time};
use super::{Context, Range};
use crate::actions::{Action, signin, user};
use crate::text;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add a user.
    #[command(
        after_help = "Example:\n  interdocket user add 'Kim Berg' --role investigator\n  interdocket user add 'Dee Lund' --role guest"
    )]
    Add {
        /// The name, unique on this node.
        name: String,
        /// The role: administrator, investigator, auditor, or one of your own. A guest is nobody of this
        /// organisation, and reads in its portal.
        #[arg(long)]
        role: String,
        /// The e-mail address.
        #[arg(long, default_value_t, hide_default_value = true)]
        email: String,
        /// The number on the badge.
        #[arg(long, default_value_t, hide_default_value = true)]
        badge: String,
    },
    /// Change what is said of a user.
    #[command(after_help = "Example:\n  interdocket user edit 'Kim Berg' --badge 4711")]
    Edit {
        /// The user: name, e-mail address or number on the badge.
        user: String,
        /// The name; the former one stays theirs as well.
        #[arg(long)]
        name: Option<String>,
        /// The role: what the user may do.
        #[arg(long)]
        role: Option<String>,
        /// The e-mail address; empty for none.
        #[arg(long)]
        email: Option<String>,
        /// The number on the badge; empty for none.
        #[arg(long)]
        badge: Option<String>,
    },
    /// List users by name.
    #[command(
        after_help = "Example:\n  interdocket user list\n  interdocket user list --find berg"
    )]
    List {
        /// Only those with this in their name or e-mail address.
        #[arg(long, value_name = "TEXT")]
        find: Option<String>,
        #[command(flatten)]
        range: Range,
    },
    /// Disable a user: from now on they do nothing, and are given nothing. What they did stays on record.
    #[command(after_help = "Example:\n  interdocket user disable 'Kim Berg'")]
    Disable {
        /// The user: name, e-mail address or number on the badge.
        user: String,
    },
    /// Make a code with which a user enrols: signs in once, and sets a password and an authenticator.
    #[command(after_help = "Example:\n  interdocket user enrol 'Kim Berg'")]
    Enrol {
        /// The user: name, e-mail address or number on the badge.
        user: String,
    },
    /// Unlock a user after too many wrong tries.
    #[command(after_help = "Example:\n  interdocket user unlock 'Kim Berg'")]
    Unlock {
        /// The user: name, e-mail address or number on the badge.
        user: String,
    },
    /// Enable a user again.
    #[command(after_help = "Example:\n  interdocket user enable 'Kim Berg'")]
    Enable {
        /// The user: name, e-mail address or number on the badge.
        user: String,
    },
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), Error> {
        match self {
            Self::Add {
                name,
                role,
                email,
                badge,
            } => {
                let request = user::Add {
                    name,
                    role,
                    email,
                    badge,
                };
                let user = context.client.call(&request).await?;
                context.out.reply(&user, |user| {
                    format!(
                        "Added {}, {}.",
                        text::display(&user.name),
                        text::display(&user.role)
                    )
                })
            }
            Self::Edit {
                user,
                name,
                role,
                email,
                badge,
            } => {
                let request = user::Edit {
                    user,
                    name,
                    role,
                    email,
                    badge,
                };
                let user = context.client.call(&request).await?;
                context.out.reply(&user, |user| {
                    format!("Changed {}.", text::display(&user.name))
                })
            }
            Self::List { find, range } => list(context, find, range).await,
            Self::Disable { user } => done(context, user::Disable { user }, "Disabled").await,
            Self::Enable { user } => done(context, user::Enable { user }, "Enabled").await,
            Self::Unlock { user } => done(context, signin::Unlock { user }, "Unlocked").await,
            Self::Enrol { user } => enrol(context, user).await,
        }
    }
}

async fn done<A>(context: &Context, action: A, what: &str) -> Result<(), Error>
where
    A: Action<Reply = user::User>,
{
    let user = context.client.call(&action).await?;
    context.out.reply(&user, |user| {
        format!("{what} {}.", text::display(&user.name))
    })
}

async fn enrol(context: &Context, user: String) -> Result<(), Error> {
    let made = context.client.call(&signin::Enrol { user }).await?;
    context.out.note(
        "This code is shown only now, and counts once. It is what they sign in with in place of a password.",
    );
    context.out.reply(&made, |made| {
        let until = time(made.expires_at);
        context.out.note(&format!("Valid until {until}."));
        text::display(&made.code).into_owned()
    })
}

async fn list(context: &Context, find: Option<String>, range: Range) -> Result<(), Error> {
    let mut shown = user::Users {
        users: Vec::new(),
        next: range.after,
    };
    loop {
        let request = user::List {
            find: find.clone(),
            after: shown.next.take(),
            limit: Some(range.limit.unwrap_or(1000)),
        };
        let page = context.client.call(&request).await?;
        shown.users.extend(page.users);
        shown.next = page.next;
        if shown.next.is_none() || range.limit.is_some() {
            break;
        }
    }
    context.out.reply(&shown, |page| {
        context.out.more(page.next.as_deref());
        table(page)
    })
}

fn state(user: &user::User) -> &'static str {
    match (user.disabled_at, user.locked_at) {
        (Some(_), _) => "disabled",
        (None, Some(_)) => "locked",
        (None, None) if user.enrolled => "enrolled",
        (None, None) => "",
    }
}

fn table(users: &user::Users) -> String {
    let mut table = Table::new(["name", "role", "e-mail", "badge", "added", "state", "id"]);
    for user in &users.users {
        table.row([
            &user.name,
            &user.role,
            &user.email,
            &user.badge,
            &time(user.added_at),
            state(user),
            &user.id.to_string(),
        ]);
    }
    table.to_string()
}
