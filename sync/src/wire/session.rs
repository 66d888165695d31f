//! Read sessions on the wire.

use interdocket_proto::v1;

use super::{Malformed, entry};
use crate::evidence::Item;
use crate::id::{EvidenceId, ShareId};
use crate::limits;
use crate::log::entry::{Actor, CaseInfo};

/// What opens a read session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// The share.
    pub share: ShareId,
    /// Who reads, as the partner says.
    pub actor: Actor,
    /// The recipient, as the share names it, that they are or belong to.
    pub recipient: String,
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
        actor: Some(entry::write_actor(&open.actor)),
        purpose: purpose.into(),
        recipient: open.recipient.clone(),
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
    if request.recipient.len() > limits::RECIPIENT_MAX {
        return Err(WHAT);
    }
    Ok(Open {
        share: ShareId::from_slice(&request.share).map_err(|_| WHAT)?,
        actor: entry::read_actor(request.actor)?,
        recipient: request.recipient,
        download,
    })
}

/// Writes a page.
pub fn page(page: &Page) -> v1::ListReply {
    v1::ListReply {
        info: Some(entry::write_info(&page.case)),
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
    let case = entry::read_info(reply.info)?;
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

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use uuid::Uuid;

    use super::*;
    use crate::blob::{Digest, Sha256};
    use crate::evidence::{File, FileKind};
    use crate::id::ActorId;
    use crate::metadata::Metadata;

    fn item(number: u128) -> Item {
        let file = File {
            name: "a.bin".into(),
            size: 3,
            blake3: Digest([1; 32]),
            sha256: Sha256([2; 32]),
            kind: FileKind::Original,
            format: String::new(),
        };
        Item {
            evidence: EvidenceId::new(Uuid::from_u128(number)),
            title: "a".into(),
            folder: String::new(),
            added_at: DateTime::UNIX_EPOCH,
            added_by: "Kim".into(),
            metadata: Metadata::default(),
            files: vec![file],
        }
    }

    fn of(numbers: &[u128], more: bool) -> v1::ListReply {
        page(&Page {
            case: CaseInfo::default(),
            items: numbers.iter().map(|number| item(*number)).collect(),
            more,
        })
    }

    #[test]
    fn what_opens_a_session_reads_back_as_it_was_written() {
        let said = Open {
            share: ShareId::new(Uuid::from_u128(1)),
            actor: Actor {
                id: ActorId::new(Uuid::from_u128(2)),
                name: "Kim".into(),
                badge: "4711".into(),
            },
            recipient: "Homicide".into(),
            download: true,
        };
        assert_eq!(read_open(open(&said)), Ok(said.clone()));
        let actor = |name: usize, badge: usize| Actor {
            name: "x".repeat(name),
            badge: "x".repeat(badge),
            ..said.actor.clone()
        };
        let (name, badge) = (limits::ACTOR_NAME_MAX, limits::BADGE_MAX);
        for actor in [actor(name + 1, badge), actor(name, badge + 1)] {
            let over = Open {
                actor,
                ..said.clone()
            };
            assert!(read_open(open(&over)).is_err());
        }
        let over = Open {
            recipient: "x".repeat(limits::RECIPIENT_MAX + 1),
            ..said.clone()
        };
        assert!(read_open(open(&over)).is_err());
        for purpose in [0, 3, -1] {
            let strange = v1::OpenRequest {
                purpose,
                ..open(&said)
            };
            assert!(read_open(strange).is_err(), "{purpose}");
        }
    }

    #[test]
    fn pages_that_lead_nowhere_or_in_circles_are_refused() {
        let after = |number| Some(EvidenceId::new(Uuid::from_u128(number)));
        let read = read_page(of(&[2, 3], true), after(1)).unwrap();
        assert_eq!((read.items, read.more), (vec![item(2), item(3)], true));
        assert!(read_page(of(&[], false), after(3)).is_ok());
        for (numbers, more, last) in [
            (&[3, 2][..], false, None),
            (&[2, 2], false, None),
            (&[2], true, after(2)),
            (&[], true, after(2)),
        ] {
            assert!(read_page(of(numbers, more), last).is_err(), "{numbers:?}");
        }
    }

    #[test]
    fn texts_of_a_page_are_held_to_their_bounds() {
        let mut long = of(&[1], false);
        long.items[0].text.as_mut().unwrap().title = "x".repeat(limits::TITLE_MAX + 1);
        assert!(read_page(long, None).is_err());
        let mut long = of(&[1], false);
        let description = "x".repeat(limits::DESCRIPTION_MAX + 1);
        long.info = Some(v1::CaseInfo {
            description,
            ..v1::CaseInfo::default()
        });
        assert!(read_page(long, None).is_err());
        let mut none = of(&[1], false);
        none.items[0].files.clear();
        assert!(read_page(none, None).is_err());
    }
}
