//! The node itself: how it stands, and whether all that it stores is whole.

use super::error::Error;
use super::table::{Table, count, size, time};
use super::{Context, name};
use crate::actions::node::{self, Storage};
use crate::features::Features;
use crate::text;

/// Shows how the node stands.
pub(super) async fn status(context: &Context) -> Result<(), Error> {
    let node = context.client.call(&node::Status {}).await?;
    context.out.reply(&node, |node| {
        let mut table = Table::pairs();
        table.row(["Name", &node.name]);
        table.row(["Role", &name(&node.role)]);
        table.row(["Organisation", &node.organisation.to_string()]);
        table.row(["Features", &features(&node.features)]);
        table.row(["Version", &node.version]);
        if let Some(expected) = node.clock_suspect {
            let text = format!("not trusted: it should have said {}", time(expected));
            table.row(["Clock", &text]);
        }
        table.row(["Storage", &storage(&node.storage)]);
        table.row(["Journal", &count(node.records, "record", "records")]);
        table.row(["Head", &node.head]);
        table.row(["Federation", &node.federation]);
        table.row(["Pairing", &node.pairing]);
        table.row(["API", &node.api]);
        table.row(["Operational key until", &time(node.operational_expires_at)]);
        table.row(["TLS certificate until", &time(node.tls_expires_at)]);
        table.to_string()
    })
}

/// Features by their names.
pub(super) fn features(on: &Features) -> String {
    let names: Vec<&str> = on.iter().map(|feature| feature.name()).collect();
    match names.is_empty() {
        true => "none".to_owned(),
        false => names.join(", "),
    }
}

/// How full the disk is, and what that keeps from coming in.
fn storage(storage: &Storage) -> String {
    let (free, reserve) = (storage.free_bytes, storage.reserve_bytes);
    if free <= reserve {
        let (free, reserve) = (size(free), size(reserve));
        return format!("full, intake is paused: {free} are free, and {reserve} are kept free");
    }
    let shown = format!(
        "{} are free, of which {} are kept free",
        size(free),
        size(reserve)
    );
    match storage.refused_bytes {
        0 => shown,
        refused => format!("full for what waits, {} at once: {shown}", size(refused)),
    }
}

/// Confirms that the clock is right.
pub(super) async fn confirm_clock(context: &Context) -> Result<(), Error> {
    let confirmed = context.client.call(&node::ConfirmClock {}).await?;
    context.out.reply(&confirmed, |confirmed| {
        format!("Confirmed: it is {}.", time(confirmed.at))
    })
}

/// Checks all that is stored.
pub(super) async fn check(context: &Context) -> Result<(), Error> {
    let (bar, progress) = context.out.steps("Checking");
    let checked = context.client.watch(&node::Check {}, &progress).await?;
    bar.finish_and_clear();
    context.out.reply(&checked, |checked| {
        let mut shown = format!(
            "Read {} and {} with {}.\n",
            count(checked.records, "record", "records"),
            count(checked.blobs, "blob", "blobs"),
            size(checked.bytes),
        );
        for problem in &checked.problems {
            shown += &format!("problem: {}\n", text::display(problem));
        }
        if checked.unrecorded.blobs > 0 {
            shown += &format!(
                "{} with {} belong to no record: left by a crash, harmless, never served.\n",
                count(checked.unrecorded.blobs, "blob", "blobs"),
                size(checked.unrecorded.bytes),
            );
        }
        if checked.problems.is_empty() {
            shown += "Everything is whole.\n";
        }
        shown
    })?;
    if checked.problems.is_empty() {
        return Ok(());
    }
    Err(Error::Incomplete("not everything is whole".to_owned()))
}
