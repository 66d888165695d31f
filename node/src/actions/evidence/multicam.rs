//! Recordings of one event, seen together.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use interdocket_sync::copy::Field;
use interdocket_sync::id::EvidenceId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::actions::decide::broken;
use crate::actions::{Caller, Error, Query, metadata, reach};
use crate::store::table;
use crate::store::view::View;

/// Recordings of one event as they are seen together: those that have the field multicam in common.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Multicam {
    /// The id of one of them.
    #[schemars(with = "uuid::Uuid")]
    pub evidence: EvidenceId,
}

/// Recordings of one event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cameras {
    /// The earliest first.
    pub cameras: Vec<Camera>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Camera {
    /// The evidence's id.
    #[schemars(with = "uuid::Uuid")]
    pub evidence: EvidenceId,
    /// What it is.
    pub title: String,
    /// Milliseconds after the first one began.
    pub offset: u32,
}

impl Query for Multicam {
    fn answer(&self, view: &View<'_>, who: &Caller, _: DateTime<Utc>) -> Result<Cameras, Error> {
        let id = self.evidence;
        let fields = view.get(&table::FIELDS, &id)?.unwrap_or_default();
        let mut cameras = Vec::new();
        if let Some(event) = fields.get(&Field::Multicam) {
            let mut ids = BTreeSet::from([id]);
            for case in reach::among(view, &who.into(), id)? {
                let key = (case, metadata::multicam(&event.text));
                let rows = view.page(&table::MULTICAM, &key, None, CAMERAS_MAX)?;
                ids.extend(rows.into_iter().map(|((_, _, id), ())| id));
            }
            for id in ids.into_iter().take(CAMERAS_MAX) {
                cameras.push(camera(view, id)?);
            }
        }
        cameras.sort_by_key(|camera| (camera.offset, camera.evidence));
        Ok(Cameras { cameras })
    }
}

fn camera(view: &View<'_>, evidence: EvidenceId) -> Result<Camera, Error> {
    let held = view.get(&table::EVIDENCE, &evidence)?;
    let held = held.ok_or_else(|| broken("an item of evidence is missing"))?;
    let fields = view.get(&table::FIELDS, &evidence)?.unwrap_or_default();
    let offset = fields
        .get(&Field::MulticamOffset)
        .and_then(|value| value.text.parse().ok());
    Ok(Camera {
        evidence,
        title: held.title,
        offset: offset.unwrap_or_default(),
    })
}

/// Recordings that are seen together: more are on no screen.
const CAMERAS_MAX: usize = 64;
