//! Adding files to evidence that is there.

use interdocket_sync::blob::{Digest, Sha256};
use interdocket_sync::evidence::FileKind;
use interdocket_sync::id::EvidenceId;
use interdocket_sync::limits;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Evidence, cases, format, intake, missing, shown, stored};
use crate::actions::decide::{Context, Decided};
use crate::actions::reach::Reader;
use crate::actions::{Error, ErrorKind};
use crate::blobs::Place;
use crate::event::{AddedFile, Event, FileAttached};
use crate::store::table;
use crate::store::view::View;

/// Adds one file that lies on the node's machine to evidence that is there. Only over the local socket;
/// elsewhere a file is sent as the body of the request. What was shared before stays without it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Attach {
    /// The evidence's id.
    #[schemars(with = "uuid::Uuid")]
    pub evidence: EvidenceId,
    /// What the file is to it.
    pub kind: Attachable,
    /// The file.
    pub path: std::path::PathBuf,
    /// The name it gets; the file's own where left out.
    #[serde(default)]
    pub name: Option<String>,
}

/// What people add to evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Attachable {
    /// Where the device was while it recorded.
    GpsTrack,
    /// What is said in it.
    Transcript,
}

/// A file that is taken in for evidence that is there: its bytes are durable, or held already.
pub struct Attached {
    /// The evidence.
    pub evidence: EvidenceId,
    /// What it is to it.
    pub kind: Attachable,
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub size: u64,
    /// Their name.
    pub blake3: Digest,
    /// From the same pass.
    pub sha256: Sha256,
    /// Where they lie; none where this node held them already.
    pub place: Option<Place>,
}

impl Attached {
    /// Records it.
    ///
    /// # Errors
    /// [`Error`] where the evidence is gone, its case closed, or it has as many files as it can have.
    pub fn decide(self, context: &mut Context<'_>) -> Result<Decided<Evidence>, Error> {
        let id = self.evidence;
        let view = &context.view;
        let evidence = view
            .get(&table::EVIDENCE, &id)?
            .ok_or_else(|| missing(id))?;
        open(view, id)?;
        if evidence.files as usize >= ATTACHED_MAX {
            let message = format!("this evidence has {} files already", evidence.files);
            return Err(Error::new(ErrorKind::Invalid, message)
                .hint("add the file as evidence of its own: interdocket evidence add CASE FILE"));
        }
        let attached = FileAttached {
            evidence: id,
            file: AddedFile {
                format: format(&self.name),
                name: self.name,
                size: self.size,
                blake3: self.blake3,
                sha256: self.sha256,
                kind: match self.kind {
                    Attachable::GpsTrack => FileKind::GpsTrack,
                    Attachable::Transcript => FileKind::Transcript,
                },
            },
        };
        let stored = stored(view, self.size, self.blake3, self.sha256, self.place)?;
        let events = stored.into_iter().chain([Event::FileAttached(attached)]);
        let reader = Reader::from(&*context);
        Ok(Decided::new(events.collect(), move |view| {
            shown(view, &reader, id)
        }))
    }
}

/// Refuses files for evidence all of whose cases are closed or queued for deletion.
fn open(view: &View<'_>, id: EvidenceId) -> Result<(), Error> {
    let mut refused = missing(id);
    for case in cases(view, id)? {
        match intake(view, &case.to_string()) {
            Ok(_) => return Ok(()),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

/// Files of one item that people add: as many are left for what a share brings along.
const ATTACHED_MAX: usize = limits::ITEM_FILES_MAX - 8;
