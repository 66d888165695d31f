//! Metadata: what is said of evidence beyond its title and folder, as it is disclosed.
//!
//! Which fields there are, and what a copy has of each, is the table in [`copy`](crate::copy).

use std::collections::BTreeMap;

use chrono::DateTime;
use serde::{Deserialize, Serialize};

use crate::copy::{Field, Form, Rule};
use crate::identity::OrganisationId;
use crate::limits;
use crate::refusal::Refusal;

/// What an owner says of an item of evidence.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// The values of its fields.
    pub fields: BTreeMap<Field, Value>,
    /// Its tags, each text once, in their order.
    pub tags: Vec<Tag>,
}

/// The value of a field, or the name of somebody or something.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Value {
    /// As it is written.
    pub text: String,
    /// The organisation where what it names exists; none where that is not elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organisation: Option<OrganisationId>,
}

/// A tag.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Tag {
    /// What it says; `name=value` where it has a name.
    pub text: String,
    /// What it was where it comes from.
    pub from: Field,
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            organisation: None,
        }
    }
}

impl Metadata {
    /// Holds it to the bounds and forms.
    ///
    /// # Errors
    /// [`Refusal::Limit`] over a bound; [`Refusal::Malformed`] for a field that is not disclosed, a value that
    /// its field can't have, or a tag that is there twice.
    pub fn check(&self) -> Result<(), Refusal> {
        for (field, value) in &self.fields {
            let names = value.organisation.is_some();
            if !field.disclosed() || names != (field.rule() == Rule::Reference) {
                return Err(Refusal::Malformed);
            }
            if value.text.len() > field.most() {
                return Err(Refusal::Limit);
            }
            if !field.fits(&value.text) {
                return Err(Refusal::Malformed);
            }
        }
        bounded(&self.fields)?;
        tags(
            &self.tags,
            limits::EVIDENCE_TAGS_MAX,
            limits::EVIDENCE_TAGS_BYTES_MAX,
        )
    }
}

/// Holds fields to what one value of a database takes, together.
///
/// # Errors
/// [`Refusal::Limit`] over it.
pub fn bounded(fields: &BTreeMap<Field, Value>) -> Result<(), Refusal> {
    let bytes: usize = fields.values().map(|value| value.text.len()).sum();
    match bytes > limits::FIELDS_BYTES_MAX {
        true => Err(Refusal::Limit),
        false => Ok(()),
    }
}

/// Holds tags to so many, of so many bytes together.
///
/// # Errors
/// [`Refusal::Limit`] over a bound; [`Refusal::Malformed`] for one that is empty, or not behind the one before.
pub fn tags(tags: &[Tag], most: usize, bytes: usize) -> Result<(), Refusal> {
    let length: usize = tags.iter().map(|tag| tag.text.len()).sum();
    let long = |tag: &Tag| tag.text.len() > limits::TAG_MAX;
    if tags.len() > most || length > bytes || tags.iter().any(long) {
        return Err(Refusal::Limit);
    }
    let ordered = tags.is_sorted_by(|one, other| one.text < other.text);
    let empty = tags.iter().any(|tag| tag.text.is_empty());
    let own = |tag: &Tag| tag.from.labels() || matches!(tag.from.rule(), Rule::Tag(_));
    if empty || !ordered || !tags.iter().all(own) {
        return Err(Refusal::Malformed);
    }
    Ok(())
}

impl Field {
    /// The most bytes that its value has.
    pub const fn most(self) -> usize {
        match self.form() {
            Form::Text(most) | Form::Line(most) => most,
            Form::Group => limits::ACTOR_NAME_MAX,
            Form::Time | Form::Position | Form::Milliseconds => 48,
            Form::Flag => FLAG.len(),
            Form::Apart => 0,
        }
    }

    /// Whether this is a value that it can have; one that is none is left out, not empty.
    pub fn fits(self, text: &str) -> bool {
        if text.is_empty() || text.len() > self.most() {
            return false;
        }
        match self.form() {
            Form::Text(_) => true,
            Form::Line(_) | Form::Group => !text.chars().any(char::is_control),
            Form::Time => DateTime::parse_from_rfc3339(text).is_ok(),
            Form::Flag => text == FLAG,
            Form::Position => position(text).is_some(),
            Form::Milliseconds => text.parse::<u32>().is_ok_and(|n| n.to_string() == text),
            Form::Apart => false,
        }
    }
}

/// Degrees of latitude and longitude.
pub fn position(text: &str) -> Option<(f64, f64)> {
    let (north, east) = text.split_once(',')?;
    let degrees = |text: &str, most: f64| {
        let digits = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
        let degrees: f64 = text
            .bytes()
            .all(digits)
            .then(|| text.parse().ok())
            .flatten()?;
        (degrees.abs() <= most).then_some(degrees)
    };
    Some((degrees(north, 90.0)?, degrees(east, 180.0)?))
}

/// The one value of a flag.
pub const FLAG: &str = "yes";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_takes_only_values_of_its_form() {
        let rows = [
            (Field::RecordedOn, "2026-01-02T03:04:05.67+02:00", true),
            (Field::RecordedOn, "yesterday", false),
            (Field::Location, "52.5163,13.3777", true),
            (Field::Location, "-33.9,151", true),
            (Field::Location, "91,0", false),
            (Field::Location, "nan,0", false),
            (Field::Location, "1", false),
            (Field::SensitiveContent, "yes", true),
            (Field::SensitiveContent, "no", false),
            (Field::MulticamOffset, "1500", true),
            (Field::MulticamOffset, "-1", false),
            (Field::MulticamOffset, "+1", false),
            (Field::DeviceModel, "Body 4", true),
            (Field::DeviceModel, "Body\n4", false),
            (Field::DeviceModel, "", false),
            (Field::Description, "One\nTwo", true),
            (Field::Cases, "2026-7", false),
        ];
        for (field, text, fits) in rows {
            assert_eq!(field.fits(text), fits, "{field} {text:?}");
        }
    }
}
