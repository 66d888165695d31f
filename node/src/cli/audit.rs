//! The journal as an audit.

use clap::Subcommand;
use serde_json::Value;

use super::Context;
use super::error::Error;
use super::table::{count, time};
use crate::actions::audit::{self, BodyState, Record};
use crate::text;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show records, oldest first, one a line; with --json one page of the API a line.
    #[command(after_help = "Example:\n  interdocket audit show --about 2026-17 --limit 50")]
    Show {
        /// Only those about this case, evidence, share, partner or user, by id.
        #[arg(long, value_name = "ID")]
        about: Option<String>,
        /// Continue after this record.
        #[arg(long, value_name = "NUMBER")]
        after: Option<u64>,
        /// At most so many, from 1 to 1,000; everything where left out.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: Option<u32>,
    },
    /// Verify the whole journal: every chain, every seal, every body.
    #[command(after_help = "Example:\n  interdocket audit verify")]
    Verify,
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), Error> {
        match self {
            Self::Verify => verify(context).await,
            Self::Show {
                about,
                after,
                limit,
            } => {
                let request = audit::Show {
                    about,
                    after,
                    limit: Some(limit.unwrap_or(1000)),
                };
                show(context, request, limit.is_some()).await
            }
        }
    }
}

async fn show(context: &Context, mut request: audit::Show, once: bool) -> Result<(), Error> {
    loop {
        let page = context.client.call(&request).await?;
        if !page.records.is_empty() || context.out.is_json() {
            context.out.reply(&page, |page| {
                let lines: Vec<_> = page.records.iter().map(line).collect();
                lines.join("\n")
            })?;
        }
        match page.next {
            Some(next) if once => {
                context.out.more(Some(&next.to_string()));
                return Ok(());
            }
            Some(next) => request.after = Some(next),
            None => return Ok(()),
        }
    }
}

fn line(record: &Record) -> String {
    let actor = record.actor.as_ref().map_or("-", |actor| &actor.name);
    let way = record
        .way
        .as_ref()
        .map_or_else(|| "-".to_owned(), super::name);
    let details = match (&record.details, record.body) {
        (_, BodyState::Erased) => "(erased)".to_owned(),
        (_, BodyState::Damaged) => "(DAMAGED)".to_owned(),
        (_, BodyState::Confidential) => "(confidential)".to_owned(),
        (Some(details), BodyState::Whole) => short(details.clone()).to_string(),
        (None, BodyState::Whole) => String::new(),
    };
    let line = format!(
        "{:>8}  {}  {way:6}  {actor}  {}  {details}",
        record.number,
        time(record.at),
        record.event,
    );
    text::display(line.trim_end()).into_owned()
}

/// Without what nobody reads: signed bytes are there with `--json`.
fn short(mut details: Value) -> Value {
    match &mut details {
        Value::String(text) if text.len() > LONG => {
            let begin: String = text.chars().take(LONG / 4).collect();
            *text = format!("{begin}[… {} bytes]", text.len());
        }
        Value::Array(values) => values.iter_mut().for_each(|it| *it = short(it.take())),
        Value::Object(fields) => fields.values_mut().for_each(|it| *it = short(it.take())),
        _ => {}
    }
    details
}

/// Bytes of a text in a record beyond which a person is shown where it begins.
const LONG: usize = 256;

async fn verify(context: &Context) -> Result<(), Error> {
    let (bar, progress) = context.out.steps("Verifying");
    let verified = context.client.watch(&audit::Verify {}, &progress).await?;
    bar.finish_and_clear();
    context.out.reply(&verified, |verified| {
        let mut shown = format!(
            "Verified {}, of which {} erased. Head: {}\n",
            count(verified.records, "record", "records"),
            verified.erased,
            text::display(&verified.head),
        );
        for damage in &verified.damaged {
            shown += &format!("damaged: {}\n", text::display(damage));
        }
        shown
    })?;
    if verified.damaged.is_empty() {
        return Ok(());
    }
    Err(Error::Incomplete("the journal is damaged".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_of_a_record_are_cut_and_short_ones_are_not() {
        let long = "A".repeat(LONG + 1);
        let details = serde_json::json!({"made": {"head": long, "entries": [long], "name": "Kim"}});
        let cut = format!("{}[… 257 bytes]", "A".repeat(LONG / 4));
        let expected = serde_json::json!({"made": {"head": cut, "entries": [cut], "name": "Kim"}});
        assert_eq!(short(details), expected);
    }
}
