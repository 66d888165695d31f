//! Work that blocks, on threads that may: files, and what a stream of bytes goes through.
//!
//! Such work waits for what does not block through [`wait`] only. In a simulation it is one thing at a time
//! with everything else, so that one seed stays one run.

#[cfg(test)]
mod simulated;

use tokio::runtime::Handle;
use tokio::task::{JoinError, JoinHandle};

/// Runs work that does not wait for anything.
///
/// # Errors
/// [`JoinError`] where it panicked or the node is stopping.
pub async fn run<R: Send + 'static>(
    work: impl FnOnce() -> R + Send + 'static,
) -> Result<R, JoinError> {
    #[cfg(test)]
    if turmoil::in_simulation() {
        return Ok(simulated::run(work).await);
    }
    tokio::task::spawn_blocking(work).await
}

/// Starts work that may [`wait`].
pub fn spawn<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> JoinHandle<R> {
    #[cfg(test)]
    if turmoil::in_simulation() {
        return tokio::spawn(simulated::Work::new(work));
    }
    tokio::task::spawn_blocking(work)
}

/// Waits, on the thread of such work.
pub fn wait<F: Future>(future: F) -> F::Output {
    #[cfg(test)]
    if simulated::within() {
        return simulated::wait(future);
    }
    Handle::current().block_on(future)
}
