//! The portal as guests use it: texts come from the journal, bytes from the blobs.

use chrono::{DateTime, Utc};
use interdocket_sync::id::EvidenceId;
use uuid::Uuid;

use super::{
    Found, GET, Get, Item, List, Page, ROWS, Show, Shown, absent, given, items, no_file, open,
    said, shown, stands, view,
};
use crate::actions::disclosure::DisclosureId;
use crate::actions::{About, Action, Caller, Error, ErrorKind, Run, decide};
use crate::blobs::Placed;
use crate::event::Refused;
use crate::intake::Opened;
use crate::node::Node;
use crate::store::table;
use crate::store::view::View;

impl Run for List {
    async fn run(self, node: &Node, caller: &Caller) -> Result<Page, Error> {
        node.permit(caller, &self).await?;
        let limit = decide::limit(self.limit)?;
        let mut after: Option<DisclosureId> = decide::after(self.after.as_deref())?;
        let (of, guest, now) = (node.clone(), caller.actor.id, node.parts().clock.now());
        node.read(move |view| {
            let mut disclosures = Vec::new();
            loop {
                let from = after.map(|id| (guest, id));
                let rows = view.page(&table::GUEST_DISCLOSURE, &guest, from.as_ref(), ROWS)?;
                let whole = rows.len() < ROWS;
                for ((_, id), ()) in rows {
                    if disclosures.len() == limit {
                        let next = after.map(|after| after.to_string());
                        return Ok(Page { disclosures, next });
                    }
                    after = Some(id);
                    if let Some(held) = given(view, id, guest, now)? {
                        disclosures.push(shown(&of, view, id, &held)?);
                    }
                }
                if whole {
                    let next = None;
                    return Ok(Page { disclosures, next });
                }
            }
        })
        .await
    }
}

impl Run for Show {
    async fn run(self, node: &Node, caller: &Caller) -> Result<Shown, Error> {
        node.permit(caller, &self).await?;
        let limit = decide::limit(self.limit)?;
        let after: Option<EvidenceId> = decide::after(self.after.as_deref())?;
        let (id, guest) = (self.disclosure, caller.actor.id);
        seldom(node, guest)?;
        let recorded = node.decide(Some(caller.actor.clone()), caller.way, move |context| {
            view(context, id, guest)
        });
        if let Err(error) = recorded.await {
            return Err(denied(node, caller, Self::NAME, error).await);
        }
        let (of, now) = (node.clone(), node.parts().clock.now());
        node.read(move |view| {
            let held = given(view, id, guest, now)?.ok_or_else(|| absent(id))?;
            let disclosure = shown(&of, view, id, &held)?;
            let (items, next) = items(&of, view, id, after, limit)?;
            Ok(Shown {
                disclosure,
                items,
                next,
            })
        })
        .await
    }
}

impl Node {
    /// Opens a file that was disclosed to a guest, once that is recorded.
    ///
    /// # Errors
    /// [`Error`] of permissions, or where there is no such file.
    pub async fn open_disclosed(&self, caller: &Caller, request: Get) -> Result<Opened, Error> {
        self.permit_to(caller, GET, About::Nothing).await?;
        seldom(self, caller.actor.id)?;
        // Before it is decided: what changes from here on is noticed.
        let judged = self.judged();
        let (found, placed) = match self.opened(caller, &request).await {
            Ok(opened) => opened,
            Err(error) => return Err(denied(self, caller, GET, error).await),
        };
        let mut still = Still {
            node: self.clone(),
            guest: caller.actor.id,
            row: (request.disclosure, request.evidence),
            record: found.record,
            until: found.until,
            judged,
        };
        Ok(self.give(found.file.name, placed, move || still.holds()))
    }

    /// A file and where its bytes lie, once it is recorded that it is opened.
    async fn opened(&self, caller: &Caller, request: &Get) -> Result<(Found, Placed), Error> {
        let (of, guest, now) = (self.clone(), caller.actor.id, self.parts().clock.now());
        let asked = request.clone();
        let found = self.read(move |view| find(&of, view, &asked, guest, now));
        let (found, asked) = (found.await?, request.clone());
        let opened = found.clone();
        let recorded = self.decide(Some(caller.actor.clone()), caller.way, move |context| {
            open(context, &asked, guest, &opened)
        });
        let placed = recorded.await?;
        Ok((found, placed))
    }
}

/// A file that a guest may read now.
fn find(
    node: &Node,
    view: &View<'_>,
    request: &Get,
    guest: Uuid,
    now: DateTime<Utc>,
) -> Result<Found, Error> {
    let id = request.disclosure;
    let held = given(view, id, guest, now)?.ok_or_else(|| absent(id))?;
    let disclosed = view.get(&table::DISCLOSED, &(id, request.evidence))?;
    let record = disclosed.and_then(|disclosed| disclosed.record);
    let record = record.ok_or_else(|| no_file(request))?;
    let item = Item::of(said(node, view, record)?);
    let place = usize::try_from(request.file).unwrap_or(usize::MAX);
    let file = item.files.into_iter().nth(place);
    Ok(Found {
        record,
        file: file.ok_or_else(|| no_file(request))?,
        until: held.until,
    })
}

/// Whether a guest who reads may go on: asked for the time before every piece, for all else once anything changed.
struct Still {
    node: Node,
    guest: Uuid,
    row: (DisclosureId, EvidenceId),
    record: u64,
    until: Option<DateTime<Utc>>,
    judged: u64,
}

impl Still {
    fn holds(&mut self) -> bool {
        let now = self.node.parts().clock.now();
        if self.until.is_some_and(|until| until <= now) {
            return false;
        }
        let judged = self.node.judged();
        if judged == self.judged {
            return true;
        }
        self.judged = judged;
        let reading = self.node.parts().store.read();
        let view = reading.view();
        let given = given(&view, self.row.0, self.guest, now);
        let stands = stands(&view, self.row, self.record);
        matches!((given, stands), (Ok(Some(_)), Ok(true)))
    }
}

/// Refuses a guest who looks too often.
fn seldom(node: &Node, guest: Uuid) -> Result<(), Error> {
    let parts = node.parts();
    if parts.moment.looks.admits(guest, parts.clock.elapsed()) {
        return Ok(());
    }
    let message = "you looked at too many things within an hour";
    Err(Error::new(ErrorKind::Unavailable, message).hint("try again in an hour"))
}

/// Records that something was not there for a guest, and gives what they are told.
async fn denied(node: &Node, caller: &Caller, action: &str, error: Error) -> Error {
    if error.kind == ErrorKind::NotFound {
        let refused = Refused {
            partner: None,
            action: action.to_owned(),
            share: None,
            link: None,
            reason: format!("nothing that is disclosed to {}", caller.actor.name),
            count: 1,
        };
        node.refused(refused).await;
    }
    error
}
