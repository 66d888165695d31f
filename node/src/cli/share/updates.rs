//! What the updates of a copy brought, as a person reads it.

use interdocket_sync::id::ShareId;

use crate::actions::share::{self, UpdatePage};
use crate::cli::error::Error;
use crate::cli::table::{Table, time};
use crate::cli::{Context, Range, name};

pub(super) async fn list(context: &Context, share: ShareId, range: Range) -> Result<(), Error> {
    let mut shown = UpdatePage {
        joined_after: 0,
        updates: Vec::new(),
        next: range.after,
    };
    loop {
        let request = share::Updates {
            share,
            after: shown.next.take(),
            limit: Some(range.limit.unwrap_or(1000)),
        };
        let page = context.client.call(&request).await?;
        shown.joined_after = page.joined_after;
        shown.updates.extend(page.updates);
        shown.next = page.next;
        if shown.next.is_none() || range.limit.is_some() {
            break;
        }
    }
    context.out.reply(&shown, |page| {
        context.out.more(page.next.as_deref());
        let mut table = Table::new(["update", "evidence", "title", "state", "by", "at"]);
        for update in &page.updates {
            let id = update
                .evidence
                .map_or_else(String::new, |id| id.to_string());
            table.row([
                &update.number.to_string(),
                &id,
                &update.title,
                &name(&update.state),
                &update.by,
                &time(update.at),
            ]);
        }
        table.to_string()
    })
}
