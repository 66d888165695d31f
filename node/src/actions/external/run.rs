//! External cases as people use them: texts come from the journal, as far as its seals open, or from the
//! owner, live; bytes come from the owner.

use std::io;

use bytes::Bytes;
use interdocket_sync::evidence::Item as Described;
use interdocket_sync::id::{ActorId, EvidenceId, ShareId};
use interdocket_sync::log::entry::{Actor, CaseInfo};
use interdocket_sync::share::{Fact, Facts as _, Key, Kind as Terms};
use interdocket_sync::wire::session::Open;
use tokio::sync::mpsc;

use super::{
    Case, External, GET, Get, Import, Item, List, Onward, Page, Said, Show, Shown, Updates, import,
    listed, onward, open, received, recipient, unaddressed, usable,
};
use crate::actions::{About, Action, Caller, Error, ErrorKind, Run, decide, people, share};
use crate::event::Refused;
use crate::federation::reading::{Session, Wanted};
use crate::federation::sealed;
use crate::federation::texts::Texts;
use crate::intake::Opened;
use crate::node::Node;
use crate::store::project::ShareFacts;
use crate::store::view::View;
use crate::store::{entity, table};

impl Run for List {
    async fn run(self, node: &Node, caller: &Caller) -> Result<Page, Error> {
        node.permit(caller, &self).await?;
        let (of, caller, now) = (node.clone(), caller.clone(), node.parts().clock.now());
        node.read(move |view| {
            let limit = decide::limit(self.limit)?;
            let mut after: Option<ShareId> = decide::after(self.after.as_deref())?;
            let mut external = Vec::new();
            loop {
                let rows = view.page(&table::SHARE, &(), after.as_ref(), ROWS)?;
                let whole = rows.len() < ROWS;
                for (id, share) in rows {
                    if external.len() == limit {
                        let next = after.map(|after| after.to_string());
                        return Ok(Page { external, next });
                    }
                    after = Some(id);
                    // Copies, this node's own, and what can't be told any more.
                    if received(view, id).is_err() {
                        continue;
                    }
                    let said = said(&of, view, &share)?;
                    external.extend(listed(view, &share, said, &caller, now)?);
                }
                if whole {
                    let next = None;
                    return Ok(Page { external, next });
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
        let (of, who, now) = (node.clone(), caller.clone(), node.parts().clock.now());
        let found = node.read(move |view| {
            let share = received(view, self.share)?;
            let said = said(&of, view, &share)?;
            let recipient = recipient(view, &said, &who)?;
            let refused = unaddressed(&said);
            let Some(external) = listed(view, &share, said, &who, now)? else {
                return Ok(Err(refused));
            };
            let recipient = recipient.filter(|_| usable(&share, now).is_ok());
            let mut shown = Shown {
                external,
                items: Vec::new(),
                next: None,
                updates: updates(&of, view, &share)?,
            };
            let advanced = matches!(share.header.kind, Terms::Advanced(_));
            if recipient.is_some() && advanced {
                (shown.items, shown.next) = kept(&of, view, &share, after, limit)?;
            }
            Ok(Ok((shown, recipient.filter(|_| !advanced))))
        });
        let (mut shown, live) = match found.await? {
            Ok(found) => found,
            Err(refused) => {
                return Err(deny(node, caller, Self::NAME, self.share, refused).await);
            }
        };
        if let Some(recipient) = live {
            let session = session(node, caller, &shown.external, recipient, false).await?;
            let read = at_owner(&session, after, limit).await;
            session.close().await;
            let (case, items, next) = read?;
            shown.external.case = Some(Case::of(case));
            shown.items = items;
            shown.next = next;
        }
        Ok(shown)
    }
}

impl Run for Import {
    async fn run(self, node: &Node, caller: &Caller) -> Result<External, Error> {
        node.permit(caller, &self).await?;
        let (of, who) = (node.clone(), caller.clone());
        let id = self.share;
        let found = node.read(move |view| {
            let share = received(view, id)?;
            let said = said(&of, view, &share)?;
            Ok((recipient(view, &said, &who)?, said))
        });
        let (named, said) = found.await?;
        if named.is_none() {
            return Err(deny(node, caller, Self::NAME, id, unaddressed(&said)).await);
        }
        let who = caller.clone();
        node.decide(Some(caller.actor.clone()), caller.way, move |context| {
            import(context, id, self.evidence, &said, &who)
        })
        .await?;
        after(node, caller, id).await
    }
}

impl Run for Onward {
    async fn run(self, node: &Node, caller: &Caller) -> Result<External, Error> {
        node.permit(caller, &self).await?;
        let (of, who) = (node.clone(), caller.clone());
        let id = self.share;
        let found = node.read(move |view| {
            let share = received(view, id)?;
            let said = said(&of, view, &share)?;
            // Who was added adds nobody.
            let named = match &said.recipients {
                Some(named) => people::addressed(view, named, &who.actor)?,
                None => None,
            };
            let refused = match (named.is_some(), share.header.shares_onward()) {
                (false, _) => Some(unaddressed(&said)),
                (true, false) => Some(not_onward()),
                (true, true) => None,
            };
            Ok((refused, share.header.recipients))
        });
        let (refused, known) = found.await?;
        if let Some(refused) = refused {
            return Err(deny(node, caller, Self::NAME, id, refused).await);
        }
        node.decide(Some(caller.actor.clone()), caller.way, move |context| {
            onward(context, id, known, &self.recipients)
        })
        .await?;
        after(node, caller, id).await
    }
}

/// An external case as a caller sees it after what they did.
async fn after(node: &Node, caller: &Caller, id: ShareId) -> Result<External, Error> {
    let (of, who, now) = (node.clone(), caller.clone(), node.parts().clock.now());
    let shown = node.read(move |view| {
        let share = decide::share(view, id)?;
        let said = said(&of, view, &share)?;
        listed(view, &share, said, &who, now)
    });
    shown.await?.ok_or_else(hidden)
}

impl Node {
    /// Opens a file of an external case for reading, once that is recorded.
    ///
    /// # Errors
    /// [`Error`] of permissions, where there is no such file, or its owner does not give it.
    pub async fn open_external(&self, caller: &Caller, request: Get) -> Result<Opened, Error> {
        self.permit_to(caller, GET, About::Nothing).await?;
        let still = Still {
            node: self.clone(),
            caller: caller.clone(),
            share: request.share,
            judged: self.judged(),
        };
        let (of, who, now) = (self.clone(), caller.clone(), self.parts().clock.now());
        let (id, evidence) = (request.share, request.evidence);
        let found = self.read(move |view| {
            let share = received(view, id)?;
            usable(&share, now)?;
            let said = said(&of, view, &share)?;
            let Some(recipient) = recipient(view, &said, &who)? else {
                return Ok(Err(unaddressed(&said)));
            };
            let external = listed(view, &share, said, &who, now)?.ok_or_else(hidden)?;
            let item = kept_item(&of, view, &share, evidence)?;
            Ok(Ok((external, recipient, item)))
        });
        match found.await? {
            Ok((external, recipient, item)) => {
                let reader = (&external, recipient);
                self.external_bytes(still, reader, item, request).await
            }
            Err(refused) => Err(deny(self, caller, GET, id, refused).await),
        }
    }

    /// The bytes of a file that this caller may read: from here where they are sealed here, else live from the
    /// owner of the share. The one place that says where they come from.
    async fn external_bytes(
        &self,
        mut still: Still,
        (external, recipient): (&External, String),
        item: Option<Described>,
        request: Get,
    ) -> Result<Opened, Error> {
        if let Some(opened) = self
            .sealed_bytes(&still, external, item.as_ref(), &request)
            .await?
        {
            return Ok(opened);
        }
        let session = session(self, &still.caller, external, recipient, request.download).await?;
        let item = match item {
            Some(item) => item,
            None => item_at_owner(&session, request.evidence).await?,
        };
        let place = usize::try_from(request.file).unwrap_or(usize::MAX);
        let file = item.files.get(place);
        let file = file.ok_or_else(|| missing(request.evidence))?;
        let to = request.to.unwrap_or(file.size);
        let wanted = Wanted {
            evidence: request.evidence,
            place: request.file,
            digest: file.blake3,
            size: file.size,
            range: request.from..to,
        };
        let arriving = session.view(&wanted).await?;
        let (out, bytes) = mpsc::channel::<io::Result<Bytes>>(AHEAD);
        tokio::spawn(session.pass_on(arriving, out, move || still.holds()));
        Ok(Opened {
            name: file.name.clone(),
            size: to - request.from,
            bytes,
        })
    }
}

impl Node {
    /// The bytes of a file that is sealed here, once the opening is recorded.
    async fn sealed_bytes(
        &self,
        still: &Still,
        external: &External,
        item: Option<&Described>,
        request: &Get,
    ) -> Result<Option<Opened>, Error> {
        let place = usize::try_from(request.file).unwrap_or(usize::MAX);
        let Some(file) = item.and_then(|item| item.files.get(place)) else {
            return Ok(None);
        };
        if request.download && !external.policy.is_some_and(|policy| policy.download) {
            return Ok(None);
        }
        let to = request.to.unwrap_or(file.size);
        if request.from > to || to > file.size {
            return Ok(None);
        }
        let range = request.from..to;
        let size = range.end - range.start;
        let mut asked = still.clone();
        let may = move || asked.holds();
        let Some(bytes) = sealed::stream(self, external.share, file, range, may).await? else {
            return Ok(None);
        };
        let (share, download) = (external.share, request.download);
        let actor = Some(still.caller.actor.clone());
        let recorded = self.decide(actor, still.caller.way, move |_| Ok(open(share, download)));
        recorded.await?;
        Ok(Some(Opened {
            name: file.name.clone(),
            size,
            bytes,
        }))
    }
}

/// Whether somebody who reads may go on: asked again once anything changed.
#[derive(Clone)]
struct Still {
    node: Node,
    caller: Caller,
    share: ShareId,
    judged: u64,
}

impl Still {
    fn holds(&mut self) -> bool {
        let judged = self.node.judged();
        if judged == self.judged {
            return true;
        }
        self.judged = judged;
        let now = self.node.parts().clock.now();
        let reading = self.node.parts().store.read();
        let view = reading.view();
        let may = || {
            let share = received(&view, self.share)?;
            usable(&share, now)?;
            let said = said(&self.node, &view, &share)?;
            recipient(&view, &said, &self.caller)
        };
        may().is_ok_and(|recipient: Option<String>| recipient.is_some())
    }
}

/// Opens a session of the caller's at the owner, once it is recorded here.
async fn session(
    node: &Node,
    caller: &Caller,
    external: &External,
    recipient: String,
    download: bool,
) -> Result<Session, Error> {
    let share = external.share;
    let actor = Some(caller.actor.clone());
    let recorded = node.decide(actor, caller.way, move |_| Ok(open(share, download)));
    recorded.await?;
    let open = Open {
        share,
        actor: Actor {
            id: ActorId::new(caller.actor.id),
            name: caller.actor.name.clone(),
            badge: caller.actor.badge.clone(),
        },
        recipient,
        download,
    };
    Session::open(node, external.owner, &open).await
}

/// Records that something was refused, and gives it to whom it is refused.
async fn deny(node: &Node, caller: &Caller, action: &str, share: ShareId, error: Error) -> Error {
    let refused = Refused {
        partner: None,
        action: action.to_owned(),
        share: Some(share),
        link: None,
        reason: format!("{error}: {}", caller.actor.name),
        count: 1,
    };
    node.refused(refused).await;
    error
}

/// What a share says, as far as it can be read.
fn said(node: &Node, view: &View<'_>, share: &entity::Share) -> Result<Said, Error> {
    let header = &share.header;
    let seal = node.seal(header.share);
    if matches!(header.kind, Terms::Advanced(_)) && seal.is_none() {
        return Ok(Said::default());
    }
    let mut texts = Texts::new(*view, &node.parts().journal, header.share, seal.as_ref());
    let message = texts.offered()?.map(|offered| offered.message.clone());
    Ok(Said {
        case: texts.case(header)?,
        recipients: texts.recipients(header)?,
        onward: share::onward(view, share)?,
        message: message.unwrap_or_default(),
    })
}

/// The items that an advanced share lists, with their texts, and where the next page continues.
fn kept(
    node: &Node,
    view: &View<'_>,
    share: &entity::Share,
    after: Option<EvidenceId>,
    limit: usize,
) -> Result<(Vec<Item>, Option<String>), Error> {
    let id = share.header.share;
    let seal = node.seal(id);
    let mut texts = Texts::new(*view, &node.parts().journal, id, seal.as_ref());
    let mut items: Vec<Item> = Vec::new();
    let mut after = after.map(|evidence| (id, Key::Item(evidence)));
    loop {
        let rows = view.page(&table::FACT, &id, after.as_ref(), ROWS)?;
        let whole = rows.len() < ROWS;
        for (key, fact) in rows {
            // Items stand before files and bytes.
            let ((_, Key::Item(evidence)), Fact::Item(fact)) = (key, fact) else {
                return Ok((items, None));
            };
            after = Some(key);
            if fact.withdrawn != 0 {
                continue;
            }
            if items.len() == limit {
                let last = items.last().map(|item| item.evidence.to_string());
                return Ok((items, last));
            }
            let item = texts.item(evidence, &fact)?;
            items.extend(item.map(|item| Item::of(item, fact.imported != 0)));
        }
        if whole {
            return Ok((items, None));
        }
    }
}

/// An item that an advanced share lists; none where it is to be asked of the owner.
fn kept_item(
    node: &Node,
    view: &View<'_>,
    share: &entity::Share,
    evidence: EvidenceId,
) -> Result<Option<Described>, Error> {
    let id = share.header.share;
    if !matches!(share.header.kind, Terms::Advanced(_)) {
        return Ok(None);
    }
    let facts = ShareFacts::new(*view, id);
    let fact = facts.item(evidence).filter(|item| item.withdrawn == 0);
    facts.done()?;
    let fact = fact.ok_or_else(|| missing(evidence))?;
    let seal = node.seal(id);
    let mut texts = Texts::new(*view, &node.parts().journal, id, seal.as_ref());
    texts.item(evidence, &fact)
}

/// What waits to be imported; nothing where imports are not allowed.
fn updates(node: &Node, view: &View<'_>, share: &entity::Share) -> Result<Option<Updates>, Error> {
    let header = &share.header;
    let Terms::Advanced(policy) = header.kind else {
        return Ok(None);
    };
    if !policy.import || header.revoked {
        return Ok(None);
    }
    let id = header.share;
    let (mut evidence, mut after) = (0, None);
    'items: loop {
        let rows = view.page(&table::FACT, &id, after.as_ref(), ROWS)?;
        let whole = rows.len() < ROWS;
        for (key, fact) in rows {
            let ((_, Key::Item(_)), Fact::Item(fact)) = (key, fact) else {
                break 'items;
            };
            evidence += u64::from(fact.withdrawn == 0 && fact.imported == 0);
            after = Some(key);
        }
        if whole {
            break;
        }
    }
    let seal = node.seal(id);
    let mut texts = Texts::new(*view, &node.parts().journal, id, seal.as_ref());
    let (now, then) = (texts.case(header)?, texts.case_at(share.imported_case)?);
    let case = share.case.is_some() && now.is_some() && now != then;
    Ok(Some(Updates { evidence, case }))
}

/// A case with items, and where the next page of them continues.
type Read = (CaseInfo, Vec<Item>, Option<String>);

/// The case and its items as they are at the owner.
async fn at_owner(
    session: &Session,
    mut after: Option<EvidenceId>,
    limit: usize,
) -> Result<Read, Error> {
    let mut items = Vec::new();
    loop {
        let page = session.list(after, limit - items.len()).await?;
        after = page.items.last().map(|item| item.evidence).or(after);
        items.extend(page.items.into_iter().map(|item| Item::of(item, false)));
        if !page.more || items.len() >= limit {
            let next = page.more.then(|| after.map(|after| after.to_string()));
            return Ok((page.case, items, next.flatten()));
        }
    }
}

/// One item as it is at the owner.
async fn item_at_owner(session: &Session, evidence: EvidenceId) -> Result<Described, Error> {
    let before = evidence.uuid().as_u128().checked_sub(1);
    let before = before.map(|before| EvidenceId::new(uuid::Uuid::from_u128(before)));
    let page = session.list(before, 1).await?;
    let item = page.items.into_iter().next();
    item.filter(|item| item.evidence == evidence)
        .ok_or_else(|| missing(evidence))
}

fn missing(evidence: EvidenceId) -> Error {
    let message = format!("there is no such file of evidence {evidence} in this share");
    Error::new(ErrorKind::NotFound, message).hint("list what is: interdocket external show SHARE")
}

fn not_onward() -> Error {
    let message = "the owner's policy for this share does not let recipients add people";
    Error::new(ErrorKind::Forbidden, message).hint("ask its owner to add them")
}

fn hidden() -> Error {
    Error::new(ErrorKind::NotFound, "there is no such share")
        .hint("list those that are addressed to you: interdocket external list")
}

/// Rows that are looked at together.
const ROWS: usize = 256;
/// Pieces made ahead of whoever reads.
const AHEAD: usize = 8;
