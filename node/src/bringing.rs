//! Bytes between being made durable and being recorded: nothing of them is deleted meanwhile for being nobody's.
//!
//! Whoever brings bytes never waits for others who do, and may begin again before it has ended; deleting waits for
//! its turn, which comes when nobody brings any.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Who brings bytes, and whether some are being deleted.
#[derive(Debug, Clone, Default)]
pub struct Bringing(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    done: Notify,
}

#[derive(Debug, Default)]
struct State {
    bringing: usize,
    deleting: bool,
}

/// Held from before it is looked whether bytes are here until what names them is recorded.
#[derive(Debug)]
pub struct Brings(Arc<Inner>);

/// Held while bytes are deleted that nothing names.
#[derive(Debug)]
pub struct Deletes(Arc<Inner>);

impl Bringing {
    /// Begins to bring bytes, as soon as none are being deleted.
    pub async fn begin(&self) -> Brings {
        loop {
            let mut done = std::pin::pin!(self.0.done.notified());
            done.as_mut().enable();
            {
                let mut state = self.0.lock();
                if !state.deleting {
                    state.bringing += 1;
                    return Brings(Arc::clone(&self.0));
                }
            }
            done.await;
        }
    }

    /// Begins to delete bytes; none while somebody brings any.
    pub fn delete(&self) -> Option<Deletes> {
        let mut state = self.0.lock();
        if state.bringing > 0 || state.deleting {
            return None;
        }
        state.deleting = true;
        Some(Deletes(Arc::clone(&self.0)))
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Brings {
    fn drop(&mut self) {
        self.0.lock().bringing -= 1;
    }
}

impl Drop for Deletes {
    fn drop(&mut self) {
        self.0.lock().deleting = false;
        self.0.done.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_is_deleted_while_somebody_brings_and_nobody_waits_for_others_who_do() {
        let bringing = Bringing::default();
        let one = bringing.begin().await;
        let other = bringing.begin().await;
        assert!(bringing.delete().is_none());
        drop(one);
        assert!(bringing.delete().is_none());
        drop(other);
        let deletes = bringing.delete().unwrap();
        assert!(bringing.delete().is_none());
        let waits = tokio::spawn({
            let bringing = bringing.clone();
            async move { bringing.begin().await }
        });
        tokio::task::yield_now().await;
        assert!(!waits.is_finished());
        drop(deletes);
        let brings = waits.await.unwrap();
        assert!(bringing.delete().is_none());
        drop(brings);
        assert!(bringing.delete().is_some());
    }
}
