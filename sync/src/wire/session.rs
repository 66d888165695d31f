//! Read sessions on the wire.

use interdocket_proto::v1;

use super::{Malformed, entry};
use crate::evidence::Item;
use crate::id::{EvidenceId, ShareId};
use crate::log::entry::{Actor, CaseInfo};

/// What opens a read session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// The share.
    pub share: ShareId,
    /// The recipient, as the partner says.
    pub recipient: Actor,
    /// Whether files may be kept.
    pub download: bool,
}

/// A page of what is read: the case, and some of its items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The case as it is now.
    pub case: CaseInfo,
    /// Items in the order of their ids.
    pub items: Vec<Item>,
    /// Whether there are more.
    pub more: bool,
}

/// Writes the request that opens a session.
pub fn open(open: &Open) -> v1::OpenRequest {
    let purpose = match open.download {
        true => v1::Purpose::Download,
        false => v1::Purpose::View,
    };
    v1::OpenRequest {
        share: open.share.as_bytes().to_vec().into(),
        actor: Some(entry::write_actor(&open.recipient)),
        purpose: purpose.into(),
    }
}

/// Reads the request that opens a session.
///
/// # Errors
/// [`Malformed`] where something is missing, unknown or over a bound.
pub fn read_open(request: v1::OpenRequest) -> Result<Open, Malformed> {
    let download = match v1::Purpose::try_from(request.purpose) {
        Ok(v1::Purpose::View) => false,
        Ok(v1::Purpose::Download) => true,
        Ok(v1::Purpose::Unspecified) | Err(_) => return Err(WHAT),
    };
    let recipient = entry::read_actor(request.actor)?;
    Ok(Open {
        share: ShareId::from_slice(&request.share).map_err(|_| WHAT)?,
        recipient,
        download,
    })
}

/// Writes a page.
pub fn page(page: &Page) -> v1::ListReply {
    v1::ListReply {
        case_number: page.case.number.clone(),
        case_title: page.case.title.clone(),
        case_description: page.case.description.clone(),
        items: page.items.iter().map(entry::write_item).collect(),
        more: page.more,
    }
}

/// Reads a page that continues after an item.
///
/// # Errors
/// [`Malformed`] where it is over a bound, or its items do not come in order: a reader that follows it
/// comes to an end.
pub fn read_page(reply: v1::ListReply, after: Option<EvidenceId>) -> Result<Page, Malformed> {
    let case = CaseInfo {
        number: reply.case_number,
        title: reply.case_title,
        description: reply.case_description,
    };
    case.check().map_err(|_| WHAT)?;
    let mut items = Vec::with_capacity(reply.items.len());
    let mut last = after;
    for item in reply.items {
        let item = entry::read_item(item)?;
        item.check().map_err(|_| WHAT)?;
        if last.is_some_and(|last| item.evidence <= last) {
            return Err(WHAT);
        }
        last = Some(item.evidence);
        items.push(item);
    }
    if reply.more && items.is_empty() {
        return Err(WHAT);
    }
    Ok(Page {
        case,
        items,
        more: reply.more,
    })
}

/// Bytes of an item in a page.
pub fn size(item: &Item) -> usize {
    entry::size(item)
}

const WHAT: Malformed = Malformed("a read session");
