//! What the updates of a copy brought, as a person reads it.

use interdocket_sync::id::ShareId;

use crate::actions::share::{self, Update, UpdatePage};
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
        table(&page.updates)
    })
}

fn table(updates: &[Update]) -> String {
    let mut table = Table::new(["update", "evidence", "title", "state", "by", "at"]);
    for update in updates {
        let id = update
            .evidence
            .map_or_else(String::new, |id| id.to_string());
        // Nobody gives an empty title: where there is none, it was erased with what it was of.
        let title = match update.title.as_str() {
            "" => "(deleted)",
            title => title,
        };
        table.row([
            &update.number.to_string(),
            &id,
            title,
            &name(&update.state),
            &update.by,
            &time(update.at),
        ]);
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::actions::share::UpdateState;

    #[test]
    fn what_was_deleted_is_listed_as_that() {
        let update = |title: &str| Update {
            number: 1,
            at: DateTime::UNIX_EPOCH,
            by: "North Police".to_owned(),
            evidence: None,
            title: title.to_owned(),
            state: UpdateState::Stored,
        };
        let shown = table(&[update("quay.jpg"), update("")]);
        let titles: Vec<_> = shown
            .lines()
            .map(|line| line.contains("(deleted)"))
            .collect();
        assert_eq!(titles, [false, false, true], "{shown}");
    }
}
