//! What becomes of each piece of metadata when a case is shared: the table that both sides go by.
//!
//! An owner discloses what [`outgoing`] gives, and nothing else leaves; what its partner sets itself is
//! set from the partner's own rules. Where values are kept is not here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::identity::OrganisationId;
use crate::limits;
use crate::metadata::{Metadata, Tag, Value};

/// What a copy has of a piece of metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// The value as it is at the source.
    Same,
    /// The value as it is at the source, as something that exists there and not here.
    Reference,
    /// A tag; with this key before the value, where there is one.
    Tag(Option<&'static str>),
    /// A value of the target's own.
    Update,
    /// Nothing.
    Not,
}

impl Rule {
    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Reference => "same, as a reference",
            Self::Tag(_) => "target field: tags",
            Self::Update => "update value",
            Self::Not => "not copied",
        }
    }

    /// How it gets to the target; none where it does not.
    pub const fn way(self) -> Option<Way> {
        match self {
            Self::Same | Self::Reference | Self::Tag(_) => Some(Way::Copied),
            Self::Update => Some(Way::Reprocessed),
            Self::Not => None,
        }
    }
}

/// How a piece of metadata got to a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// Its source's value was taken over.
    Copied,
    /// The target made the value.
    Reprocessed,
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Lines of text, of at most so many bytes.
    Text(usize),
    /// One line of text, of at most so many bytes.
    Line(usize),
    /// A moment with the offset of its place from UTC, as RFC 3339 has it.
    Time,
    /// `yes`, or nothing.
    Flag,
    /// Degrees of latitude and longitude, as `52.5163,13.3777`.
    Position,
    /// A whole number of milliseconds.
    Milliseconds,
    /// The name of a group of the organisation.
    Group,
    /// No field: kept in a place of its own.
    Apart,
}

macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident, $number:literal, $text:literal, $form:expr, $rule:expr, $note:literal;)*) => {
        /// A piece of metadata.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Field {
            $($(#[$doc])* $name,)*
        }

        impl Field {
            /// All of them, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its number on the wire; never used again for another.
            pub const fn number(self) -> u32 {
                match self {
                    $(Self::$name => $number,)*
                }
            }

            /// What it is called.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// How its value is written.
            pub const fn form(self) -> Form {
                match self {
                    $(Self::$name => $form,)*
                }
            }

            /// What a copy has of it.
            pub const fn rule(self) -> Rule {
                match self {
                    $(Self::$name => $rule,)*
                }
            }

            /// What is to be known beside the rule; empty where there is nothing.
            pub const fn note(self) -> &'static str {
                match self {
                    $(Self::$name => $note,)*
                }
            }
        }
    };
}

fields! {
    /// Users and groups with access.
    AccessList, 1, "access_list", Form::Apart, Rule::Update, "the recipients";
    /// Who it is assigned to.
    Assignee, 2, "assignee", Form::Apart, Rule::Update, "the first recipient who is a user";
    /// When it was recorded.
    RecordedOn, 3, "recorded_on", Form::Time, Rule::Same, "";
    /// When its first node took it in.
    UploadedOn, 4, "uploaded_on", Form::Apart, Rule::Same, "";
    /// Who added it there.
    UploadedBy, 5, "uploaded_by", Form::Apart, Rule::Reference, "";
    /// When it is to be deleted.
    QueuedForDeletionOn, 6, "queued_for_deletion_on", Form::Apart, Rule::Not, "";
    /// Until when it is kept.
    RetentionDate, 7, "retention_date", Form::Apart, Rule::Update, "by the target's own rules";
    /// What kind of file each of its files is.
    FileFormat, 8, "file_format", Form::Apart, Rule::Same, "";
    /// The bytes of each file.
    FileSize, 9, "file_size", Form::Apart, Rule::Same, "";
    /// BLAKE3 and SHA-256 of each file.
    DocumentChecksum, 10, "document_checksum", Form::Apart, Rule::Same, "";
    /// The group of the organisation that it belongs to.
    EvidenceGroup, 11, "evidence_group", Form::Group, Rule::Reference, "once set to a group of the target, never the original one again";
    /// The cases that it is in.
    Cases, 12, "cases", Form::Apart, Rule::Update, "shared cases only";
    /// What it was filed under.
    Categories, 13, "categories", Form::Apart, Rule::Tag(None), "none at the target";
    /// What a program filed it under.
    AutoCategories, 14, "auto_categories", Form::Apart, Rule::Tag(None), "none at the target";
    /// Its tags.
    Tags, 15, "tags", Form::Apart, Rule::Same, "";
    /// What it is, on one line.
    Title, 16, "title", Form::Apart, Rule::Same, "";
    /// The folder inside the case.
    Folder, 17, "folder", Form::Apart, Rule::Same, "";
    /// What is to be said of it.
    Description, 18, "description", Form::Text(limits::DESCRIPTION_MAX), Rule::Same, "";
    /// What people noted.
    Notes, 19, "notes", Form::Apart, Rule::Same, "with the attachment notes only";
    /// Fields that an organisation brings itself.
    CustomMetadata, 20, "custom_metadata", Form::Apart, Rule::Tag(None), "as name=value";
    /// That people are warned before they see it.
    SensitiveContent, 21, "sensitive_content", Form::Flag, Rule::Same, "";
    /// The model of the device that recorded it.
    DeviceModel, 22, "device_model", Form::Line(96), Rule::Same, "";
    /// Its serial number.
    DeviceSerial, 23, "device_serial", Form::Line(96), Rule::Reference, "";
    /// Where it was recorded.
    Location, 24, "location", Form::Position, Rule::Same, "";
    /// The same in words.
    Address, 25, "address", Form::Line(192), Rule::Same, "";
    /// Where the device was while it recorded.
    GpsTrack, 26, "gps_track", Form::Apart, Rule::Same, "a file of its own";
    /// Recordings of one event have this in common.
    Multicam, 27, "multicam", Form::Line(64), Rule::Same, "with the shared evidence only";
    /// How long after the first of these it begins.
    MulticamOffset, 28, "multicam_offset", Form::Milliseconds, Rule::Same, "";
    /// What is drawn over video.
    Watermark, 29, "watermark", Form::Apart, Rule::Update, "of when it was recorded, model and serial number; the original stays as it is";
    /// The vehicle's number, of a third-generation vehicle camera.
    Fleet3VehicleId, 30, "fleet3_vehicle_id", Form::Line(64), Rule::Tag(Some("vehicleId")), "";
    /// Its serial number.
    Fleet3Serial, 31, "fleet3_serial", Form::Line(64), Rule::Reference, "";
    /// Its model.
    Fleet3Model, 32, "fleet3_model", Form::Line(64), Rule::Same, "";
    /// The vehicle.
    Fleet3Vehicle, 33, "fleet3_vehicle", Form::Line(64), Rule::Not, "";
    /// Where in the vehicle it is.
    Fleet3MountPosition, 34, "fleet3_mount_position", Form::Line(64), Rule::Tag(Some("cameraMountPosition")), "";
    /// How a second-generation vehicle camera is turned.
    Fleet2MountOrientation, 35, "fleet2_mount_orientation", Form::Line(64), Rule::Not, "";
    /// The vehicle's number.
    Fleet2VehicleId, 36, "fleet2_vehicle_id", Form::Line(64), Rule::Tag(Some("vehicleId")), "";
    /// The number of its mount.
    Fleet2MountId, 37, "fleet2_mount_id", Form::Line(64), Rule::Not, "";
    /// Its serial number.
    Fleet2Serial, 38, "fleet2_serial", Form::Line(64), Rule::Reference, "";
    /// Its model.
    Fleet2Model, 39, "fleet2_model", Form::Line(64), Rule::Same, "";
    /// The vehicle.
    Fleet2Vehicle, 40, "fleet2_vehicle", Form::Line(64), Rule::Not, "";
    /// Its mount.
    Fleet2Mount, 41, "fleet2_mount", Form::Line(64), Rule::Not, "";
    /// What was done with it at the source.
    AuditTrail, 42, "audit_trail", Form::Apart, Rule::Same, "with the attachment audit_trail only; the target's own begins anew";
    /// Markers that people set.
    ManualMarkers, 43, "manual_markers", Form::Apart, Rule::Same, "as file bookmarks, with the attachment markers";
    /// Chapters.
    ChapterMarkers, 44, "chapter_markers", Form::Apart, Rule::Same, "as file bookmarks, with the attachment markers";
    /// Markers that a transcription found.
    TranscriptionMarkers, 45, "transcription_markers", Form::Apart, Rule::Same, "as file bookmarks, with the attachment markers";
    /// That a device was switched on or off.
    SignalMarkers, 46, "signal_markers", Form::Apart, Rule::Not, "a file marker";
    /// What is said in it.
    Transcript, 47, "transcript", Form::Apart, Rule::Same, "with the attachment transcripts only";
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Field {
    /// The field with this number.
    pub fn numbered(number: u32) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|field| field.number() == number)
    }

    /// The field that is called so.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|field| field.name() == name)
    }

    /// Whether people write its value themselves.
    pub fn written(self) -> bool {
        self.form() != Form::Apart
    }

    /// Whether its value goes along as a field.
    pub fn disclosed(self) -> bool {
        self.written() && matches!(self.rule(), Rule::Same | Rule::Reference)
    }

    /// Whether it is a set of texts, of which each item of evidence has its own.
    pub const fn labels(self) -> bool {
        matches!(
            self,
            Self::Categories | Self::AutoCategories | Self::Tags | Self::CustomMetadata
        )
    }
}

/// What of an item's metadata its owner discloses: its fields, and what it is labelled with.
///
/// A label of a partner's keeps what it was at its source.
pub fn outgoing(
    owner: OrganisationId,
    fields: &BTreeMap<Field, Value>,
    labels: &[(Field, Tag)],
) -> Metadata {
    let mut disclosed = BTreeMap::new();
    let mut tags = BTreeSet::new();
    let tag = |text: String, from: Field| Tag { text, from };
    for (field, value) in fields {
        match field.rule() {
            Rule::Same => drop(disclosed.insert(*field, value.clone())),
            Rule::Reference => {
                let value = Value {
                    text: value.text.clone(),
                    organisation: Some(value.organisation.unwrap_or(owner)),
                };
                disclosed.insert(*field, value);
            }
            Rule::Tag(key) => {
                let key = key.unwrap_or_else(|| field.name());
                tags.insert(tag(format!("{key}={}", value.text), *field));
            }
            Rule::Update | Rule::Not => {}
        }
    }
    for (kind, label) in labels {
        let from = match kind {
            Field::Tags => label.from,
            kind => *kind,
        };
        tags.insert(tag(label.text.clone(), from));
    }
    // What is both a tag and a category is there once.
    let mut tags: Vec<Tag> = tags.into_iter().collect();
    tags.dedup_by(|one, other| one.text == other.text);
    Metadata {
        fields: disclosed,
        tags,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_each_of_one_field() {
        let numbers: BTreeSet<u32> = Field::ALL.iter().map(|field| field.number()).collect();
        let names: BTreeSet<&str> = Field::ALL.iter().map(|field| field.name()).collect();
        assert_eq!(
            (numbers.len(), names.len()),
            (Field::ALL.len(), Field::ALL.len())
        );
    }
}
