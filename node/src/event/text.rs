//! Texts of what is shared, sealed apart inside their record: each under the key of what it is about. So one can be
//! erased, and the record still says and proves everything else.

use interdocket_sync::id::{EvidenceId, ShareId};
use interdocket_sync::log::entry::{Entry as LogEntry, Subject};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Bytes, Entry, Event, ShareMade};
use crate::actions::share::Scope;
use crate::chance;
use crate::keyring::{self, KeyId, Keyring};
use crate::seal::Seal;
use crate::store::table;
use crate::store::view::{self, View};

/// A text that is sealed apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedText {
    /// Which of the record's entries it is of, from 0.
    pub entry: u32,
    /// Which of the entry's texts it is, from 0.
    pub place: u32,
    /// The id of the key that seals it.
    pub key: Uuid,
    /// The sealed text.
    pub sealed: Bytes,
}

/// Why texts could not be sealed apart.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A key can't be made.
    #[error(transparent)]
    Key(#[from] keyring::Error),
    /// The tables fail.
    #[error(transparent)]
    View(#[from] view::Error),
}

/// What is recorded of an event.
pub struct Parted {
    /// The event, its texts sealed apart.
    pub entry: Entry,
    /// Whether some were left out, as what they are about was erased.
    pub erased: bool,
}

impl Entry {
    /// Seals the texts apart that are about a case or an item; none where there are none.
    ///
    /// # Errors
    /// [`Error`] where a key can't be made, or the tables fail.
    pub fn parted(&self, keyring: &Keyring, view: &View<'_>) -> Result<Option<Parted>, Error> {
        let mut sealer = Sealer {
            keyring,
            view,
            texts: Vec::new(),
            found: false,
            erased: false,
        };
        let event = match &self.event {
            Event::ShareMade(made) => Event::ShareMade(sealer.made(made)?),
            Event::LogWritten(log) => {
                let entries = sealer.entries(&log.entries, &|id| Ok(KeyId::item(id)))?;
                Event::LogWritten(super::LogWritten {
                    entries,
                    texts: std::mem::take(&mut sealer.texts),
                    ..log.clone()
                })
            }
            Event::LogRecovered(log) => {
                // What was lost here for good has no record whose end would take its texts along.
                let item = |id: EvidenceId| {
                    let known =
                        view.has(&table::EVIDENCE, &id)? || view.has(&table::GONE, &id.uuid())?;
                    Ok(match known {
                        true => KeyId::item(id),
                        false => KeyId::texts(log.share),
                    })
                };
                let entries = sealer.entries(&log.entries, &item)?;
                Event::LogRecovered(super::LogRecovered {
                    entries,
                    texts: std::mem::take(&mut sealer.texts),
                    ..log.clone()
                })
            }
            Event::LogReceived(log) => {
                let item = |id| Ok(KeyId::item(EvidenceId::received(log.share, id)));
                let entries = sealer.entries(&log.entries, &item)?;
                Event::LogReceived(super::LogReceived {
                    entries,
                    texts: std::mem::take(&mut sealer.texts),
                    ..log.clone()
                })
            }
            _ => return Ok(None),
        };
        if !sealer.found {
            return Ok(None);
        }
        let entry = Self {
            actor: self.actor.clone(),
            way: self.way,
            event,
        };
        Ok(Some(Parted {
            entry,
            erased: sealer.erased,
        }))
    }

    /// Puts the texts back that open.
    #[must_use]
    pub fn joined(mut self, keyring: &Keyring) -> Self {
        match &mut self.event {
            Event::ShareMade(made) => join_made(made, keyring),
            Event::LogWritten(log) => join(&mut log.entries, &mut log.texts, keyring),
            Event::LogReceived(log) => join(&mut log.entries, &mut log.texts, keyring),
            Event::LogRecovered(log) => join(&mut log.entries, &mut log.texts, keyring),
            _ => {}
        }
        self
    }
}

struct Sealer<'a> {
    keyring: &'a Keyring,
    view: &'a View<'a>,
    texts: Vec<SealedText>,
    found: bool,
    erased: bool,
}

impl Sealer<'_> {
    fn entries(
        &mut self,
        entries: &[Bytes],
        item: &dyn Fn(EvidenceId) -> Result<KeyId, Error>,
    ) -> Result<Vec<Bytes>, Error> {
        let mut left = Vec::with_capacity(entries.len());
        for (place, bytes) in (0..).zip(entries) {
            let Ok(entry) = LogEntry::kept(&bytes.0) else {
                left.push(bytes.clone());
                continue;
            };
            let (rest, texts) = entry.part(&|subject| subject != Subject::People);
            for text in texts {
                let key = match text.subject {
                    Subject::Item(id) => item(id)?,
                    Subject::Case | Subject::People => KeyId::texts(entry.share),
                };
                let text_place = u32::try_from(text.place).unwrap_or(u32::MAX);
                let about = about(&entry.hash, text_place);
                self.seal(place, text_place, key, &about, &text.bytes)?;
            }
            left.push(Bytes(rest));
        }
        Ok(left)
    }

    fn made(&mut self, made: &ShareMade) -> Result<ShareMade, Error> {
        let mut left = made.clone();
        let named = matches!(made.scope, Scope::Folders(_));
        if !named && made.message.is_empty() {
            return Ok(left);
        }
        left.message.clear();
        if named {
            left.scope = Scope::Folders(Vec::new());
        }
        let mut text = Vec::new();
        ciborium::into_writer(&(&made.scope, &made.message), &mut text)
            .expect("a Vec takes every byte");
        let about = about(made.share.as_bytes(), 0);
        self.seal(0, 0, KeyId::texts(made.share), &about, &text)?;
        left.texts = std::mem::take(&mut self.texts);
        Ok(left)
    }

    fn seal(
        &mut self,
        entry: u32,
        place: u32,
        id: KeyId,
        about: &[u8],
        text: &[u8],
    ) -> Result<(), Error> {
        self.found = true;
        // What is recorded to be erased is, whether its key is destroyed by now or not.
        if self.view.has(&table::DOOMED_KEY, &id.0)? {
            self.erased = true;
            return Ok(());
        }
        match self.keyring.ensure(id, chance::fill) {
            Ok(()) => {}
            Err(keyring::Error::Erased(_)) => {
                self.erased = true;
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        }
        // What is there a moment ago may be erased meanwhile.
        let Some(key) = self.keyring.key(id) else {
            self.erased = true;
            return Ok(());
        };
        let sealed = Seal::new(id.0, key).close(about, text, chance::bytes());
        self.texts.push(SealedText {
            entry,
            place,
            key: id.0,
            sealed: Bytes(sealed),
        });
        Ok(())
    }
}

/// What a sealed text is bound to beside its key.
fn about(whose: &[u8], place: u32) -> Vec<u8> {
    [whose, &place.to_be_bytes()].concat()
}

fn opened(text: &SealedText, whose: &[u8], keyring: &Keyring) -> Option<Vec<u8>> {
    let key = keyring.key(KeyId(text.key))?;
    Seal::new(text.key, key).open(&about(whose, text.place), &text.sealed.0)
}

fn join(entries: &mut [Bytes], texts: &mut Vec<SealedText>, keyring: &Keyring) {
    for (place, bytes) in (0..).zip(entries) {
        let mut of = texts.iter().filter(|text| text.entry == place).peekable();
        if of.peek().is_none() {
            continue;
        }
        let Ok(entry) = LogEntry::kept(&bytes.0) else {
            continue;
        };
        let opened = of.filter_map(|text| {
            let opened = opened(text, &entry.hash, keyring)?;
            Some((usize::try_from(text.place).ok()?, opened))
        });
        let opened: Vec<(usize, Vec<u8>)> = opened.collect();
        if let Ok(joined) = LogEntry::join(&bytes.0, &opened) {
            bytes.0 = joined;
        }
    }
    texts.clear();
}

fn join_made(made: &mut ShareMade, keyring: &Keyring) {
    let share: ShareId = made.share;
    for text in std::mem::take(&mut made.texts) {
        let opened = opened(&text, share.as_bytes(), keyring);
        let read = opened.and_then(|text| ciborium::from_reader(text.as_slice()).ok());
        if let Some((scope, message)) = read {
            (made.scope, made.message) = (scope, message);
        }
    }
}
