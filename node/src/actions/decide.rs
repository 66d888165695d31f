//! What all decisions share: what they see, what they give, and how names are resolved.

use chrono::{DateTime, Utc};
use interdocket_sync::id::{CaseId, ShareId};
use interdocket_sync::identity::{OrganisationId, Signer};
use interdocket_sync::log::Point;

use super::{Actor, Error, ErrorKind, Way};
use crate::access::Permissions;
use crate::event::Event;
use crate::store::view::{self, View};
use crate::store::{entity, table};

/// What a decision may look at.
pub struct Context<'a> {
    /// The tables as they will be after everything decided before.
    pub view: View<'a>,
    /// The time of this decision.
    pub now: DateTime<Utc>,
    /// Fills a buffer with randomness.
    pub chance: &'a mut dyn FnMut(&mut [u8]),
    /// Signs for this organisation.
    pub signer: &'a dyn Signer,
    /// The journal's chain as it is durable.
    pub journal: Point,
    /// Who asks.
    pub actor: Option<Actor>,
    /// What they may do: nothing where nobody asks.
    pub held: Permissions,
    /// By which way.
    pub way: Way,
}

impl Context<'_> {
    /// A new id that sorts by time.
    pub fn id(&mut self) -> uuid::Uuid {
        let millis = u64::try_from(self.now.timestamp_millis()).unwrap_or_default();
        let mut bytes = [0; 10];
        (self.chance)(&mut bytes);
        uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid()
    }

    /// Refuses to give permissions that who asks does not hold.
    ///
    /// # Errors
    /// `Forbidden`.
    pub fn grants(&self, given: &Permissions) -> Result<(), Error> {
        let Some(permission) = given.difference(&self.held).next() else {
            return Ok(());
        };
        let message = format!("nobody gives what they do not hold: {}", permission.name());
        Err(Error::new(ErrorKind::Forbidden, message).hint("ask an administrator of this node"))
    }

    /// The node itself.
    pub fn node(&self) -> Result<entity::Node, Error> {
        self.view
            .get(&table::NODE, &())?
            .ok_or_else(|| broken("the node's own record is missing"))
    }
}

/// What was decided: events to be recorded, what follows when they are durable, and the answer, made
/// from the tables as they are then.
pub struct Decided<R> {
    /// What happened.
    pub events: Vec<Event>,
    /// What follows.
    pub effects: Vec<Effect>,
    /// The answer.
    pub reply: Answer<R>,
}

/// Makes an answer from the tables as they are after the events.
pub type Answer<R> = Box<dyn FnOnce(&View<'_>) -> Result<R, Error> + Send>;

/// What follows a decision, once it is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Something is to be done with a partner: delivered, read, or dialled.
    Nudge(OrganisationId),
    /// A partner is to learn that something it was refused may go now.
    Greet(OrganisationId),
    /// A partner's root counts from now on.
    Pin(OrganisationId, Vec<u8>, Option<Vec<u8>>),
    /// A partner's root does not count any more, and its connections end.
    Cut(OrganisationId),
    /// The key that this node lends for a share of its own is to be destroyed.
    Unlend(ShareId),
    /// What is being sent has to be judged again before the next chunk.
    Recheck,
}

impl<R> Decided<R> {
    /// Events and an answer.
    pub fn new(
        events: Vec<Event>,
        reply: impl FnOnce(&View<'_>) -> Result<R, Error> + Send + 'static,
    ) -> Self {
        Self {
            events,
            effects: Vec::new(),
            reply: Box::new(reply),
        }
    }

    /// Adds what follows.
    #[must_use]
    pub fn then(mut self, effect: Effect) -> Self {
        self.effects.push(effect);
        self
    }

    /// Has every partner greeted anew.
    ///
    /// # Errors
    /// [`Error`] where the tables fail.
    pub fn greeting(mut self, view: &View<'_>) -> Result<Self, Error> {
        let partners = view.page(&table::PARTNER, &(), None, usize::MAX)?;
        let greet = |(partner, _)| Effect::Greet(partner);
        self.effects.extend(partners.into_iter().map(greet));
        Ok(self)
    }
}

impl From<view::Error> for Error {
    fn from(error: view::Error) -> Self {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "the database failed"
        );
        Self::new(ErrorKind::Unavailable, "the node's database failed")
            .hint("look at the node's log, then restart the node")
    }
}

/// A state that cannot be.
pub fn broken(what: &str) -> Error {
    tracing::error!(what, "the node's state contradicts itself");
    Error::new(ErrorKind::Unavailable, what)
        .hint("run `interdocket rebuild` while the node is stopped")
}

/// The case with this id or number.
pub fn case(view: &View<'_>, name: &str) -> Result<(CaseId, entity::Case), Error> {
    // First by id: a partner chooses the numbers of its cases, and may know ids here.
    let by_number = view.get(&table::CASE_NUMBER, &name.to_owned())?;
    for id in name.parse().ok().into_iter().chain(by_number) {
        if let Some(case) = view.get(&table::CASE, &id)? {
            return Ok((id, case));
        }
    }
    Err(no_case(name))
}

/// That there is no case with this id or number, or none for this caller.
pub fn no_case(name: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no case \"{name}\""))
        .hint("list them: interdocket case list")
}

/// The partner with this name or id.
pub fn partner(view: &View<'_>, name: &str) -> Result<(OrganisationId, entity::Partner), Error> {
    // First by id: a partner chooses its own name.
    let by_name = view.get(&table::PARTNER_NAME, &name.to_owned())?;
    for id in name.parse().ok().into_iter().chain(by_name) {
        if let Some(partner) = view.get(&table::PARTNER, &id)? {
            return Ok((id, partner));
        }
    }
    let message = format!("there is no partner \"{name}\"");
    Err(Error::new(ErrorKind::NotFound, message).hint("list them: interdocket partner list"))
}

/// The share with this id.
pub fn share(view: &View<'_>, id: ShareId) -> Result<entity::Share, Error> {
    view.get(&table::SHARE, &id)?.ok_or_else(|| no_share(id))
}

/// That there is no share with this id, or none for this caller.
pub fn no_share(id: ShareId) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no share {id}"))
        .hint("list them: interdocket share list")
}

/// Refuses what can't be told any more because a record about it can't be read: it is closed until the
/// journal is restored.
///
/// # Errors
/// `Unavailable`.
pub fn whole(view: &View<'_>, id: uuid::Uuid) -> Result<(), Error> {
    let Some(record) = view.get(&table::LOST, &id)? else {
        return Ok(());
    };
    let message = format!("record {record} of the journal, about {id}, can't be read");
    Err(Error::new(ErrorKind::Unavailable, message)
        .hint("restore the journal from a backup; until then nothing of it is given out"))
}

/// A text for one line, without control characters at its ends, not longer than `max` bytes.
pub fn line(what: &str, text: &str, max: usize) -> Result<String, Error> {
    let text = text.trim();
    if text.chars().any(char::is_control) {
        let message = format!("the {what} has control characters");
        return Err(Error::new(ErrorKind::Invalid, message).hint("write it on one line"));
    }
    bounded(what, text, max)
}

/// A text of at most `max` bytes.
pub fn bounded(what: &str, text: &str, max: usize) -> Result<String, Error> {
    if text.len() > max {
        let message = format!("the {what} has {} bytes, more than {max}", text.len());
        return Err(Error::new(ErrorKind::Invalid, message).hint("shorten it"));
    }
    Ok(text.to_owned())
}

/// A text that says something.
pub fn filled(what: &str, text: String) -> Result<String, Error> {
    if text.is_empty() {
        return Err(Error::new(
            ErrorKind::Invalid,
            format!("the {what} is empty"),
        ));
    }
    Ok(text)
}

/// "1 file", "2 files".
pub fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// How many rows a page has.
pub fn limit(asked: Option<u32>) -> Result<usize, Error> {
    match asked.unwrap_or(100) {
        limit @ 1..=1000 => Ok(limit as usize),
        other => Err(Error::new(
            ErrorKind::Invalid,
            format!("a page of {other} is not possible: ask for 1 to 1,000"),
        )),
    }
}

/// Reads where a page continues.
pub fn after<T: std::str::FromStr>(asked: Option<&str>) -> Result<Option<T>, Error> {
    asked
        .map(|text| {
            text.parse().map_err(|_| {
                Error::new(
                    ErrorKind::Invalid,
                    format!("\"{text}\" is not where a page continues"),
                )
            })
        })
        .transpose()
}
