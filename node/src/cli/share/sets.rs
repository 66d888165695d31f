//! Share sets as a person reads them.

use crate::actions::share::{Set, SetPage, Sets};
use crate::cli::error::Error;
use crate::cli::table::{Table, time};
use crate::cli::{Context, Range, name};

pub(super) async fn list(context: &Context, range: Range) -> Result<(), Error> {
    let mut shown = SetPage {
        sets: Vec::new(),
        next: range.after,
    };
    loop {
        let request = Sets {
            after: shown.next.take(),
            limit: Some(range.limit.unwrap_or(1000)),
        };
        let page = context.client.call(&request).await?;
        shown.sets.extend(page.sets);
        shown.next = page.next;
        if shown.next.is_none() || range.limit.is_some() {
            break;
        }
    }
    context.out.reply(&shown, |page| {
        context.out.more(page.next.as_deref());
        table(&page.sets).to_string()
    })
}

/// A line for each share; what the set says stands on its first one.
fn table(sets: &[Set]) -> Table {
    let mut table = Table::new([
        "set",
        "kind",
        "case",
        "made",
        "by",
        "share",
        "partner",
        "recipients",
        "status",
        "units",
        "new targets",
    ]);
    for set in sets {
        let mut about = [
            set.id.to_string(),
            name(&set.kind),
            set.case_number.clone(),
            time(set.made_at),
            set.made_by.clone(),
            set.units.join(", "),
            if set.all_targets {
                "by themselves"
            } else {
                "-"
            }
            .to_owned(),
        ];
        for share in &set.shares {
            let [id, kind, case, made, by, units, targets] = &about;
            table.row([
                id,
                kind,
                case,
                made,
                by,
                &share.id.to_string(),
                &share.partner_name,
                &share.recipients.join(", "),
                &name(&share.status),
                units,
                targets,
            ]);
            about = Default::default();
        }
    }
    table
}
