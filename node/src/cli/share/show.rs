//! Shares as a person reads them.

use super::{Which, share};
use crate::actions::share::{
    Direction, Made, Mode, Page, Policy, Recalled, RevocationState, Scope, SetId, Share, Totals,
};
use crate::cli::error::Error;
use crate::cli::table::{Table, behind, count, size, time};
use crate::cli::{Context, Range, name};
use crate::text;

pub(super) async fn list(context: &Context, which: Which, range: Range) -> Result<(), Error> {
    let mut shown = Page {
        shares: Vec::new(),
        next: range.after,
    };
    loop {
        let request = share::List {
            case: which.case.clone(),
            partner: which.partner.clone(),
            direction: which.direction,
            pending: which.pending,
            after: shown.next.take(),
            limit: Some(range.limit.unwrap_or(1000)),
        };
        let page = context.client.call(&request).await?;
        shown.shares.extend(page.shares);
        shown.next = page.next;
        if shown.next.is_none() || range.limit.is_some() {
            break;
        }
    }
    context.out.reply(&shown, |page| {
        context.out.more(page.next.as_deref());
        let mut table = Table::new([
            "id", "kind", "way", "partner", "case", "status", "stored", "waiting",
        ]);
        for share in &page.shares {
            let (stored, listed) = (share.stored.files, share.listed.files);
            table.row([
                &share.id.to_string(),
                &name(&share.kind),
                way(share.direction),
                &share.partner_name,
                share.case_number.as_deref().unwrap_or("-"),
                &name(&share.status),
                &format!("{stored} of {listed} files"),
                &behind(share.behind, share.behind_since),
            ]);
        }
        table.to_string()
    })
}

/// A share set that was made: its id, then each share.
pub(super) fn made(made: &Made) -> String {
    let mut shown = format!("Set {}\n", made.set);
    for share in &made.shares {
        shown += &format!("\n{}", described(share, None));
    }
    shown
}

pub(super) fn show(share: &Share) -> String {
    described(share, share.set)
}

fn described(share: &Share, set: Option<SetId>) -> String {
    let mut table = Table::pairs();
    table.row(["Id", &share.id.to_string()]);
    if let Some(set) = set {
        table.row(["Set", &set.to_string()]);
    }
    table.row(["Kind", &name(&share.kind)]);
    table.row(["Way", way(share.direction)]);
    table.row(["Partner", &share.partner_name]);
    table.row(["Case", share.case_number.as_deref().unwrap_or("-")]);
    table.row(["Status", &name(&share.status)]);
    table.row(["Offered", &time(share.offered_at)]);
    if let Some(expires_at) = share.expires_at {
        table.row(["Until", &time(expires_at)]);
    }
    if let Some(policy) = share.policy {
        table.row(["Policy", &words(policy)]);
    }
    if let Some(scope) = &share.scope {
        table.row(["Scope", &extent(scope)]);
    }
    if !share.targets.is_empty() || share.all_targets {
        let later = share.all_targets.then_some("those that are added later");
        let names = share.targets.iter().map(String::as_str);
        table.row([
            "Targets",
            &names.chain(later).collect::<Vec<_>>().join(", "),
        ]);
    }
    if let Some(known) = &share.revocation {
        table.row(["Revoked", &time(known.at)]);
        table.row(["At the partner", revocation(known.state)]);
    }
    table.row(["Recipients", &share.recipients.join(", ")]);
    if !share.onward.is_empty() {
        table.row(["Added by them", &share.onward.join(", ")]);
    }
    table.row(["Message", &share.message]);
    of_copy(&mut table, share);
    table.row(["Disclosed", &totals(share.listed)]);
    table.row(["Stored", &totals(share.stored)]);
    if share.imported != Totals::default() {
        table.row(["Imported", &totals(share.imported)]);
    }
    table.row(["Waiting", &behind(share.behind, share.behind_since)]);
    if let Some(refusal) = &share.refusal {
        table.row(["Does not arrive", refusal]);
    }
    if let Some(fork) = &share.fork {
        let fork = format!(
            "two histories of the {} log, from entry {} on; both signed heads: --json",
            text::display(&fork.log),
            fork.entry
        );
        table.row(["Frozen", &fork]);
    }
    let mut shown = table.to_string();
    let receipts = receipts(share);
    if !receipts.is_empty() {
        shown += &format!("Receipts\n{receipts}");
    }
    shown
}

/// Shows the receipts of a share, one a line.
pub(in crate::cli) fn receipts(share: &Share) -> String {
    let mut shown = String::new();
    for receipt in &share.receipts {
        shown += &format!(
            "  {} log, {} up to {}: signed {}, countersigned {}\n",
            text::display(&receipt.log),
            count(receipt.count, "entry", "entries"),
            text::display(&receipt.hash),
            time(receipt.signed_at),
            time(receipt.countersigned_at),
        );
    }
    shown
}

/// How much, in words.
pub(in crate::cli) fn totals(totals: Totals) -> String {
    format!(
        "{}, {}, {}",
        count(totals.evidence, "item", "items"),
        count(totals.files, "file", "files"),
        size(totals.bytes)
    )
}

/// What is said of a copy only.
fn of_copy(table: &mut Table, share: &Share) {
    for reshare in &share.reshares {
        let names = reshare.recipients.join(", ");
        let joined = format!(
            "{names}, by {} at {}; told of what came after update {}",
            reshare.by,
            time(reshare.at),
            reshare.after_update
        );
        table.row(["Reshared with", &joined]);
    }
    if let Some(reason) = share.declined {
        table.row(["Declined", &name(&reason)]);
    }
    if let Some(recall) = &share.recall {
        table.row(["Recalled", &recalled(recall)]);
        table.row(["Answer", &answered(recall)]);
    }
    if share.lacks > 0 {
        let lacks = count(share.lacks, "item", "items");
        table.row(["Not in the copy", &format!("{lacks} of the case")]);
    }
}

fn recalled(recall: &Recalled) -> String {
    let (by, at) = (&recall.by, time(recall.at));
    format!("by {by} at {at}: {}", recall.reason)
}

fn answered(recall: &Recalled) -> String {
    let Some(answer) = &recall.answer else {
        return "none yet".to_owned();
    };
    let word = match answer.granted {
        true => "granted, as an intent",
        false => "not granted",
    };
    let (by, at) = (&answer.by, time(answer.at));
    format!("{word}, by {by} at {at}: {}", answer.reason)
}

const fn way(direction: Direction) -> &'static str {
    match direction {
        Direction::Sent => "to",
        Direction::Received => "from",
    }
}

/// What a policy allows, in words.
pub(in crate::cli) fn words(policy: Policy) -> String {
    let mode = match policy.mode {
        Mode::Live => "live",
        Mode::Synchronised => "synchronised",
    };
    let download = match policy.download {
        true => "downloads",
        false => "no downloads",
    };
    let import = match policy.import {
        true => "imports",
        false => "no imports",
    };
    let onward = match policy.onward {
        true => ", sharing onward inside the organisation",
        false => "",
    };
    format!("{mode}, {download}, {import}{onward}")
}

fn extent(scope: &Scope) -> String {
    match scope {
        Scope::Entire => "the entire case".to_owned(),
        Scope::Folders(folders) => format!("folders: {}", folders.join(", ")),
        Scope::Selected => "selected evidence".to_owned(),
    }
}

/// What is known of a revocation at the partner, in words.
pub(in crate::cli) const fn revocation(state: RevocationState) -> &'static str {
    match state {
        RevocationState::Unknown => "unknown: it has said nothing yet",
        RevocationState::Received => "received: it has countersigned the revocation",
        RevocationState::Purged => "purged: it has signed that it erased what it had",
    }
}
