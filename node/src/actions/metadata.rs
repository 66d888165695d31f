//! Metadata: what can be said of evidence and cases, and what a copy has of it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use interdocket_sync::blob::Digest;
use interdocket_sync::copy::{Field, Form, Rule, Way};
use interdocket_sync::identity::OrganisationId;
use interdocket_sync::metadata::{self, Tag};
use interdocket_sync::{limits, metadata as said};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::decide::{broken, line};
use super::{Caller, Error, ErrorKind, Query, people};
use crate::store::entity;
use crate::store::table;
use crate::store::view::View;

/// Lists every piece of metadata, with how it is written and what a copy has of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct List {}

/// Every piece of metadata.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pieces {
    /// In the order of the table.
    pub metadata: Vec<Piece>,
}

/// A piece of metadata.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Piece {
    /// What it is called.
    pub name: String,
    /// How people write it; none where it is no field.
    pub written: Option<String>,
    /// What a copy has of it.
    pub rule: String,
    /// How that gets there; none where it does not.
    pub way: Option<HowCopied>,
    /// What is to be known beside; empty where there is nothing.
    pub note: String,
}

/// How a piece of metadata got to a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HowCopied {
    /// Its source's value was taken over.
    Copied,
    /// This node made the value.
    Reprocessed,
}

/// A value, or the name of somebody or something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Value {
    /// As it is written.
    pub text: String,
    /// The organisation where what it names exists; none where that is here, or nowhere in particular.
    #[schemars(with = "Option<String>")]
    pub organisation: Option<OrganisationId>,
}

/// What is said of evidence beyond its title and folder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Metadata {
    /// Its fields, by name.
    pub fields: BTreeMap<String, Value>,
    /// What it is filed under; nothing where it is uncategorised.
    pub categories: Vec<String>,
    /// What a program filed it under.
    pub auto_categories: Vec<String>,
    /// Its tags.
    pub tags: Vec<Labelled>,
    /// Custom metadata, as `name=value`.
    pub custom: Vec<String>,
}

/// A tag as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Labelled {
    /// What it says.
    pub text: String,
    /// The piece of metadata that it was where it comes from; none where that is a tag as well.
    pub from: Option<String>,
}

/// What something is labelled with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A tag.
    #[default]
    Tag,
    /// A category, under which evidence is filed.
    Category,
    /// A category that a program found.
    AutoCategory,
    /// Custom metadata, as `name=value`.
    Custom,
}

impl Query for List {
    fn answer(&self, _: &View<'_>, _: &Caller, _: DateTime<Utc>) -> Result<Pieces, Error> {
        let piece = |field: &Field| Piece {
            name: field.name().to_owned(),
            written: field.written().then(|| form(field.form())),
            rule: field.rule().name().to_owned(),
            way: field.rule().way().map(HowCopied::of),
            note: note(*field),
        };
        Ok(Pieces {
            metadata: Field::ALL.iter().map(piece).collect(),
        })
    }
}

impl HowCopied {
    /// As it is shown.
    pub const fn of(way: Way) -> Self {
        match way {
            Way::Copied => Self::Copied,
            Way::Reprocessed => Self::Reprocessed,
        }
    }
}

impl Kind {
    /// The piece of metadata that it is.
    pub const fn field(self) -> Field {
        match self {
            Self::Tag => Field::Tags,
            Self::Category => Field::Categories,
            Self::AutoCategory => Field::AutoCategories,
            Self::Custom => Field::CustomMetadata,
        }
    }
}

impl Value {
    /// As it is shown.
    pub fn of(value: said::Value) -> Self {
        Self {
            text: value.text,
            organisation: value.organisation,
        }
    }
}

impl Metadata {
    /// What is said of evidence.
    ///
    /// # Errors
    /// [`Error`] where the tables fail.
    pub fn of(view: &View<'_>, evidence: interdocket_sync::id::EvidenceId) -> Result<Self, Error> {
        let fields = view.get(&table::FIELDS, &evidence)?.unwrap_or_default();
        Ok(Self::shown(fields, labels(view, evidence.uuid())?))
    }

    /// What is said of evidence, as its owner discloses it.
    pub fn told(told: said::Metadata) -> Self {
        let label = |tag: Tag| (Field::Tags, tag);
        Self::shown(told.fields, told.tags.into_iter().map(label).collect())
    }

    fn shown(fields: BTreeMap<Field, said::Value>, labels: Vec<(Field, Tag)>) -> Self {
        let field =
            |(field, value): (Field, said::Value)| (field.name().to_owned(), Value::of(value));
        let mut shown = Self {
            fields: fields.into_iter().map(field).collect(),
            ..Self::default()
        };
        for (kind, tag) in labels {
            match kind {
                Field::Categories => shown.categories.push(tag.text),
                Field::AutoCategories => shown.auto_categories.push(tag.text),
                Field::CustomMetadata => shown.custom.push(tag.text),
                _ => shown.tags.push(Labelled::of(tag)),
            }
        }
        shown
    }
}

impl Labelled {
    /// As it is shown.
    pub fn of(tag: Tag) -> Self {
        let from = (tag.from != Field::Tags).then(|| tag.from.name().to_owned());
        Self {
            text: tag.text,
            from,
        }
    }
}

/// What evidence or a case is labelled with: as what, and with which text.
///
/// # Errors
/// [`Error`] where the tables fail.
pub fn labels(view: &View<'_>, about: Uuid) -> Result<Vec<(Field, Tag)>, Error> {
    let rows = view.page(&table::LABEL, &about, None, limits::EVIDENCE_TAGS_MAX)?;
    let label = |((_, kind, text), label): ((Uuid, u32, String), entity::Label)| {
        let kind = Field::numbered(kind).ok_or_else(|| broken("a label is of no kind"))?;
        let from = label.from;
        Ok((kind, Tag { text, from }))
    };
    rows.into_iter().map(label).collect()
}

/// What of these labels something gets and loses, where it may have so many, of so many bytes together.
///
/// # Errors
/// `Invalid` for a text that can't be one, or where there would be too many.
pub fn change(
    held: &[(Field, Tag)],
    kind: Kind,
    add: &[String],
    remove: &[String],
    (most, bytes): (usize, usize),
) -> Result<(Vec<String>, Vec<String>), Error> {
    let field = kind.field();
    let held_as = |text: &String| {
        let same = |(kind, tag): &(Field, Tag)| *kind == field && tag.text == *text;
        held.iter().any(same)
    };
    let add = add.iter().map(|text| label(kind, text));
    let mut add = add.collect::<Result<Vec<String>, Error>>()?;
    add.sort();
    add.dedup();
    add.retain(|text| !held_as(text));
    let mut remove: Vec<String> = remove.iter().map(|text| text.trim().to_owned()).collect();
    remove.sort();
    remove.dedup();
    if let Some(text) = remove.iter().find(|text| !held_as(text)) {
        let message = format!("there is no {} \"{text}\" to take away", field.name());
        return Err(Error::new(ErrorKind::NotFound, message).hint("look what there is"));
    }
    let length = |texts: &[String]| texts.iter().map(String::len).sum::<usize>();
    let before: usize = held.iter().map(|(_, tag)| tag.text.len()).sum();
    let count = (held.len() + add.len()).saturating_sub(remove.len());
    let total = (before + length(&add)).saturating_sub(length(&remove));
    if count > most || total > bytes {
        let message = format!(
            "tags, categories and custom metadata would be {count} of {total} bytes, more than {most} or {bytes} bytes"
        );
        return Err(Error::new(ErrorKind::Invalid, message).hint("take some away first"));
    }
    Ok((add, remove))
}

fn label(kind: Kind, text: &str) -> Result<String, Error> {
    let text = line("tag", text, limits::TAG_MAX)?;
    let wrong = |message: String| Err(Error::new(ErrorKind::Invalid, message));
    if text.is_empty() {
        return wrong("a tag is empty".to_owned());
    }
    let named = text
        .split_once('=')
        .is_some_and(|(name, value)| !name.trim().is_empty() && !value.trim().is_empty());
    if kind == Kind::Custom && !named {
        return wrong(format!(
            "custom metadata is written name=value, but there is \"{text}\""
        ));
    }
    Ok(text)
}

/// What changes where fields are set, or have no value any more.
///
/// # Errors
/// `NotFound` for a field that there is not; `Invalid` for one that is kept elsewhere, and for a value that it can't
/// have; `Conflict` where the value names something of another organisation, which stays as it is.
pub fn set(
    view: &View<'_>,
    held: &BTreeMap<Field, said::Value>,
    fields: &BTreeMap<String, Option<String>>,
) -> Result<BTreeMap<Field, Option<String>>, Error> {
    let mut changed = BTreeMap::new();
    let mut after = held.clone();
    for (name, text) in fields {
        let field = Field::named(name).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("there is no field \"{name}\""))
                .hint("see which there are: interdocket metadata list")
        })?;
        if !field.written() {
            let message = format!("{field} is not set as a field");
            return Err(Error::new(ErrorKind::Invalid, message).hint(
                "those with something under WRITTEN AS are: interdocket metadata list; tags, categories and custom \
                 metadata: interdocket evidence tag",
            ));
        }
        let before = held.get(&field);
        let named = before.is_some_and(|value| value.organisation.is_some());
        if named && (field != Field::EvidenceGroup || text.is_none()) {
            let message = format!("the field {field} names something of another organisation");
            return Err(Error::new(ErrorKind::Conflict, message).hint("it stays as it is"));
        }
        let text = text.as_deref().map(|text| value(view, field, text));
        let text = text.transpose()?;
        if before.map(|value| &value.text) == text.as_ref() && !named {
            continue;
        }
        match &text {
            Some(text) => drop(after.insert(field, said::Value::from(text.as_str()))),
            None => drop(after.remove(&field)),
        }
        changed.insert(field, text);
    }
    if metadata::bounded(&after).is_err() {
        let message = format!(
            "all fields together have more than {} bytes",
            limits::FIELDS_BYTES_MAX
        );
        return Err(Error::new(ErrorKind::Invalid, message).hint("shorten the description"));
    }
    Ok(changed)
}

fn value(view: &View<'_>, field: Field, text: &str) -> Result<String, Error> {
    let text = text.trim();
    if field.form() == Form::Group {
        return Ok(people::group(view, text)?.1.name);
    }
    if field.fits(text) {
        return Ok(text.to_owned());
    }
    let message = format!("\"{text}\" is no value of the field {field}");
    Err(Error::new(ErrorKind::Invalid, message).hint(format!("write it as {}", form(field.form()))))
}

fn form(form: Form) -> String {
    match form {
        Form::Text(most) => format!("text of at most {most} bytes"),
        Form::Line(most) => format!("one line of at most {most} bytes"),
        Form::Time => "a time with its offset, as 2026-01-02T03:04:05.67+01:00".to_owned(),
        Form::Flag => "yes, or nothing".to_owned(),
        Form::Position => "degrees north and east, as 52.5163,13.3777".to_owned(),
        Form::Milliseconds => "a whole number of milliseconds, 0 or more".to_owned(),
        Form::Group => "the name of a group of this organisation".to_owned(),
        Form::Apart => String::new(),
    }
}

fn note(field: Field) -> String {
    match field.rule() {
        Rule::Tag(Some(key)) => format!("as {key}=value"),
        _ => field.note().to_owned(),
    }
}

/// By which recordings of one event are found.
pub fn multicam(event: &str) -> Digest {
    Digest(*blake3::hash(event.as_bytes()).as_bytes())
}

/// What a case may be labelled with.
pub const CASE: (usize, usize) = (limits::CASE_TAGS_MAX, limits::CASE_TAGS_BYTES_MAX);

/// What evidence may be labelled with: with what becomes a tag beside it, it fits an entry.
pub const EVIDENCE: (usize, usize) = (
    limits::EVIDENCE_TAGS_MAX - 4,
    limits::EVIDENCE_TAGS_BYTES_MAX - 4 * 96,
);

#[cfg(test)]
mod tests;
