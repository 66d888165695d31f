//! What the package of a link has: its files under safe names, and the manifest that lists them.
//!
//! It is the same, byte for byte, for as long as nothing of it was deleted: so a download that broke off goes on.

use chrono::{DateTime, Utc};
use interdocket_sync::blob::{Digest, Sha256};
use interdocket_sync::evidence::FileKind;
use interdocket_sync::id::EvidenceId;
use interdocket_sync::identity::OrganisationId;
use serde::Serialize;
use uuid::Uuid;

use super::zip::Zip;
use crate::actions::Error;
use crate::actions::decide::broken;
use crate::actions::evidence::rendition;
use crate::actions::link::LinkId;
use crate::event::{Linked, LinkedFile};
use crate::store::entity::{self, BlobState};
use crate::store::table;
use crate::store::view::View;
use crate::text::Names;

/// The package of a link as it is now.
pub(crate) struct Package {
    /// The ZIP that it is.
    pub(crate) zip: Zip,
    /// What lists its files, which is the first of them.
    pub(crate) manifest: Vec<u8>,
    /// Its files, behind the manifest.
    pub(crate) files: Vec<Packed>,
}

/// A file of a package.
pub(crate) struct Packed {
    /// Where the link names it.
    pub(crate) row: (LinkId, EvidenceId, u32),
    /// Its bytes.
    pub(crate) blake3: Digest,
    /// How many they are.
    pub(crate) size: u64,
}

/// Why there is no package to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// All of it was deleted.
    Empty,
    /// A file of it is damaged.
    Damaged,
}

/// What lists the files of a package.
#[derive(Serialize)]
struct Manifest<'a> {
    version: u32,
    organisation: Organisation<'a>,
    case: &'a str,
    link: LinkId,
    made_at: DateTime<Utc>,
    files: Vec<Listed>,
}

#[derive(Serialize)]
struct Organisation<'a> {
    id: OrganisationId,
    name: &'a str,
}

/// A file as it is listed.
#[derive(Serialize)]
struct Listed {
    name: String,
    evidence: EvidenceId,
    kind: FileKind,
    size: u64,
    blake3: Digest,
    sha256: Sha256,
    /// Whether it was drawn here, of video that was received, with a watermark.
    rendition: bool,
}

impl Package {
    /// That of a link.
    ///
    /// # Errors
    /// [`Error`] where the tables fail.
    pub(crate) fn of(
        view: &View<'_>,
        id: LinkId,
        link: &entity::Link,
    ) -> Result<Result<Self, Unfit>, Error> {
        let node = view.get(&table::NODE, &())?;
        let node = node.ok_or_else(|| broken("the node's own record is missing"))?;
        let mut names = Names::default();
        let first = names.claim(MANIFEST);
        let (mut files, mut listed) = (Vec::new(), Vec::new());
        let mut of = (EvidenceId::new(Uuid::nil()), String::new());
        for (row, linked) in view.page(&table::LINKED, &id, None, usize::MAX)? {
            let file = told(view, &linked)?;
            let blob = view.get(&table::BLOB, &file.blake3)?;
            if blob.is_none_or(|blob| blob.state == BlobState::Damaged) {
                return Ok(Err(Unfit::Damaged));
            }
            // What was made of an item is called after its first file.
            if of.0 != linked.evidence {
                of = (linked.evidence, file.name.clone());
            }
            let name = match &linked.what {
                Linked::Own(..) | Linked::Drawn(..) => file.name,
                Linked::Made(_) => format!("{}.{}", of.1, file.name),
            };
            listed.push(Listed {
                name: names.claim(&name),
                evidence: linked.evidence,
                kind: file.kind,
                size: file.size,
                blake3: file.blake3,
                sha256: file.sha256,
                rendition: matches!(linked.what, Linked::Drawn(..)),
            });
            files.push(Packed {
                row,
                blake3: file.blake3,
                size: file.size,
            });
        }
        if files.is_empty() {
            return Ok(Err(Unfit::Empty));
        }
        let names: Vec<_> = listed
            .iter()
            .map(|file| (file.name.clone(), file.size))
            .collect();
        let manifest = Manifest {
            version: 0,
            organisation: Organisation {
                id: node.organisation,
                name: &node.name,
            },
            case: &link.number,
            link: id,
            made_at: link.made_at,
            files: listed,
        };
        let manifest = serde_json::to_vec_pretty(&manifest).expect("a manifest has text for keys");
        let first = (first, manifest.len() as u64);
        Ok(Ok(Self {
            zip: Zip::new(std::iter::once(first).chain(names), link.made_at),
            manifest,
            files,
        }))
    }

    /// Tells packages apart: another one has another tag.
    pub(crate) fn tag(&self) -> String {
        let digest = Digest(*blake3::hash(&self.manifest).as_bytes()).to_string();
        format!("\"{}\"", &digest[..32])
    }
}

/// A file that a link names, as it was when the link was made.
fn told(view: &View<'_>, linked: &LinkedFile) -> Result<entity::File, Error> {
    let own = |place: u32| (linked.evidence, place);
    let (file, digest) = match &linked.what {
        Linked::Own(place, digest) => (view.get(&table::FILE, &own(*place))?, *digest),
        Linked::Drawn(place, digest) => (rendition::drawn(view, own(*place))?, *digest),
        Linked::Made(made) => {
            let file = entity::File {
                name: made.name.clone(),
                size: made.size,
                blake3: made.blake3,
                sha256: made.sha256,
                kind: made.kind,
                format: made.format.clone(),
            };
            (Some(file), made.blake3)
        }
    };
    let file = file.filter(|file| file.blake3 == digest);
    file.ok_or_else(|| broken("a file of a download link is missing"))
}

/// The name of what lists the files.
const MANIFEST: &str = "manifest.json";
