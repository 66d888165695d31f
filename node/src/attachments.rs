//! What goes along with evidence beside its own files: made of the journal and of what people said, and read back
//! where it came along.
//!
//! Durable first, then recorded; an item is not disclosed before.

use std::collections::BTreeMap;

use interdocket_sync::blob::{Digest, Sha256};
use interdocket_sync::evidence::FileKind;
use interdocket_sync::id::{CaseId, EvidenceId, ShareId};
use interdocket_sync::identity::OrganisationId;

use crate::access::Permission;
use crate::actions::decide::broken;
use crate::actions::evidence::note::{self, Marked, Noted};
use crate::actions::evidence::trail::{
    self, AuditTrail, Confidential, JournalHead, TrailEvent, Wanted,
};
use crate::actions::evidence::{Evidence, Markers, Notes, Show, Trail};
use crate::actions::{Action as _, Caller, Error, ErrorKind, Run, Way, reach};
use crate::blobs::Placed;
use crate::event::{AddedFile, Entry, Event, StoredBlob};
use crate::journal::{Body, Position};
use crate::node::Node;
use crate::store::table;
use crate::store::view::View;

impl Run for Show {
    async fn run(self, node: &Node, caller: &Caller) -> Result<Evidence, Error> {
        node.permit(caller, &self).await?;
        confidential(caller, self.confidential)?;
        let (who, about) = (caller.clone(), self.about());
        node.decide(Some(caller.actor.clone()), caller.way, move |context| {
            reach::check(&context.view, &who, Self::NAME, &about)?;
            context.held = who.permissions;
            trail::view(context, self.evidence, self.confidential)
        })
        .await
    }
}

/// Only who may see confidential activity acts confidentially.
///
/// # Errors
/// `Forbidden`.
pub fn confidential(caller: &Caller, asked: bool) -> Result<(), Error> {
    if !asked || caller.permissions.contains(&Permission::AuditConfidential) {
        return Ok(());
    }
    let message = "your role does not allow to act confidentially";
    Err(Error::new(ErrorKind::Forbidden, message)
        .hint("ask an administrator of this node for the permission audit.confidential"))
}

impl Run for Trail {
    async fn run(self, node: &Node, caller: &Caller) -> Result<AuditTrail, Error> {
        node.permit(caller, &self).await?;
        let whom = Reader {
            outside: None,
            confidential: caller.permissions.contains(&Permission::AuditConfidential),
        };
        let of = node.clone();
        node.read(move |view| trail_of(&of, view, self.evidence, whom))
            .await
    }
}

impl Run for Notes {
    async fn run(self, node: &Node, caller: &Caller) -> Result<Noted, Error> {
        node.permit(caller, &self).await?;
        let (own, came) = node
            .read(move |view| {
                let came = trail::came_along(view, self.evidence, FileKind::Notes)?;
                Ok((note::notes(view, self.evidence)?, came))
            })
            .await?;
        let mut notes = Vec::new();
        for (bytes, source) in node.documents(came).await? {
            notes.extend(trail::notes_of(&bytes, source));
        }
        notes.extend(own);
        notes.sort_by_key(|note| note.at);
        Ok(Noted { notes })
    }
}

impl Run for Markers {
    async fn run(self, node: &Node, caller: &Caller) -> Result<Marked, Error> {
        node.permit(caller, &self).await?;
        let (own, came) = node
            .read(move |view| {
                let came = trail::came_along(view, self.evidence, FileKind::Markers)?;
                Ok((note::markers(view, self.evidence)?, came))
            })
            .await?;
        let mut markers = own;
        for (bytes, _) in node.documents(came).await? {
            markers.extend(trail::markers_of(&bytes));
        }
        markers.sort();
        Ok(Marked { markers })
    }
}

impl Node {
    /// Reads documents as a whole.
    async fn documents(
        &self,
        placed: Vec<(Placed, OrganisationId)>,
    ) -> Result<Vec<(Vec<u8>, OrganisationId)>, Error> {
        let node = self.clone();
        self.blocking(move || {
            let mut documents = Vec::new();
            for (placed, source) in placed {
                let unread = |error| broken(&format!("a document can't be read: {error}"));
                let reader = node.parts().blobs.read(&placed, 0..placed.size);
                let mut reader = reader.map_err(|error| unread(error.to_string()))?;
                let mut bytes = Vec::new();
                std::io::Read::read_to_end(&mut reader, &mut bytes)
                    .map_err(|error| unread(error.to_string()))?;
                documents.push((bytes, source));
            }
            Ok(documents)
        })
        .await
    }

    /// Makes what goes along with items that wait in a share, as far as that is not done.
    ///
    /// # Errors
    /// [`Error`] where the share is gone, or this node can't.
    pub async fn prepare(&self, share: ShareId) -> Result<(), Error> {
        loop {
            let due = self.read(move |view| trail::due(view, share)).await?;
            if due.is_empty() {
                return Ok(());
            }
            let _brings = self.parts().moment.bringing.begin().await;
            let (items, stored) = self.make(due, true).await?;
            self.decide(None, Way::Timer, move |context| {
                trail::made(context, share, items, stored)
            })
            .await?;
        }
    }

    /// Makes what goes along with items durable; with what is recorded of bytes that are new here.
    ///
    /// # Errors
    /// [`Error`] where the disk can't.
    pub(crate) async fn make(&self, due: Vec<Wanted>, confidential: bool) -> Result<Made, Error> {
        let mut items = Vec::new();
        let mut stored: BTreeMap<Digest, StoredBlob> = BTreeMap::new();
        for wanted in due {
            let evidence = wanted.evidence;
            let node = self.clone();
            let documents = self
                .read(move |view| documents(&node, view, wanted, confidential))
                .await?;
            let mut files = Vec::new();
            for (kind, bytes) in documents {
                let (file, fresh) = self.attachment(kind, bytes).await?;
                files.push(file);
                if let Some(fresh) = fresh {
                    stored.entry(fresh.blake3).or_insert(fresh);
                }
            }
            items.push((evidence, files));
        }
        Ok((items, stored.into_values().collect()))
    }
}

/// What was made of items, and those of its bytes that are new here.
pub(crate) type Made = (Vec<(EvidenceId, Vec<AddedFile>)>, Vec<StoredBlob>);

/// What is made of an item.
fn documents(
    node: &Node,
    view: &View<'_>,
    wanted: Wanted,
    confidential: bool,
) -> Result<Vec<(FileKind, Vec<u8>)>, Error> {
    let mut documents = Vec::new();
    if wanted.trail {
        let reader = Reader {
            outside: Some(wanted.case),
            confidential,
        };
        let trail = trail_of(node, view, wanted.evidence, reader)?;
        documents.push((FileKind::AuditTrail, json(&trail)));
    }
    if !wanted.notes.is_empty() {
        let noted = Noted {
            notes: wanted.notes,
        };
        documents.push((FileKind::Notes, json(&noted)));
    }
    if !wanted.markers.is_empty() {
        let marked = Marked {
            markers: wanted.markers,
        };
        documents.push((FileKind::Markers, json(&marked)));
    }
    Ok(documents)
}

fn json(document: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec_pretty(document).expect("a document has text for keys")
}

/// For whom an audit trail is.
#[derive(Debug, Clone, Copy)]
struct Reader {
    /// A partner, a guest, or whoever holds a link, to whom evidence of this case is given: nothing that concerns other
    /// cases is for them.
    outside: Option<Option<CaseId>>,
    /// Whether confidential activity is for them.
    confidential: bool,
}

/// What is recorded of an item, from its first record to the last.
fn trail_of(
    node: &Node,
    view: &View<'_>,
    id: EvidenceId,
    whom: Reader,
) -> Result<AuditTrail, Error> {
    let journal = node.parts().journal.head();
    let head = JournalHead {
        records: journal.count,
        hash: Sha256(journal.hash),
    };
    let mut found = trail::head(view, id, head)?;
    if !whom.confidential {
        found.confidential_activity = Confidential::NotIncluded;
    }
    let mut after = 0;
    loop {
        let rows = view.page(&table::ABOUT, &id.uuid(), Some(&(id.uuid(), after)), ROWS)?;
        for ((_, seq), ()) in &rows {
            after = *seq;
            let number = found.events.len() as u64 + 1;
            let event = event_of(node, view, *seq, number, whom)?;
            found.events.extend(event);
        }
        if rows.len() < ROWS {
            return Ok(found);
        }
    }
}

fn event_of(
    node: &Node,
    view: &View<'_>,
    seq: u64,
    number: u64,
    whom: Reader,
) -> Result<Option<TrailEvent>, Error> {
    let offset = view.get(&table::POSITION, &seq)?.unwrap_or(0);
    let read = node.parts().journal.read(Position { seq, offset });
    let record = read.map_err(|error| broken(&error.to_string()))?;
    let entry = match &record.body {
        Body::Open(bytes) => Entry::decode(bytes).ok(),
        Body::Erased | Body::Damaged => None,
    };
    let (said, hidden) = entry
        .as_ref()
        .map(|entry| trail::activity(&entry.event))
        .unwrap_or_default();
    let inward = whom.outside.is_some_and(|case| {
        let event = entry.as_ref().map(|entry| &entry.event);
        event.is_none_or(|event| trail::inward(event, case))
    });
    if (hidden && !whom.confidential) || inward {
        return Ok(None);
    }
    let activity = said.unwrap_or_else(|| Event::name(record.kind));
    let actor = entry.as_ref().and_then(|entry| entry.actor.as_ref());
    Ok(Some(trail::event(number, record.at, actor, activity)))
}

/// Records of one item that are looked up at once.
const ROWS: usize = 1000;
