//! Work that blocks, in a simulation: a thread of its own that runs only while the task that stands for it
//! is polled, so that at any moment one thread runs, and which is decided by the seed.
//!
//! Invariant: nothing here depends on how fast a thread is.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::chance::{self, seeded};

/// Runs work where it stands, after a time that a disk may take.
pub(super) async fn run<R>(work: impl FnOnce() -> R) -> R {
    match chance::bytes::<1>() {
        [0..208] => {}
        [208..248] => tokio::task::yield_now().await,
        [late] => tokio::time::sleep(Duration::from_millis(u64::from(late % 8) * 3)).await,
    }
    work()
}

/// Whether this thread is that of such work.
pub(super) fn within() -> bool {
    BATON.with_borrow(Option::is_some)
}

/// Gives the turn back until there is something to go on with.
pub(super) fn wait<F: Future>(future: F) -> F::Output {
    let baton = BATON.with_borrow(Clone::clone);
    let baton = baton.expect("only work that was spawned waits");
    let mut future = pin!(future);
    loop {
        let waker = baton.lock().waker.clone();
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(done) => return done,
            Poll::Pending => {
                baton.give(Turn::Task);
                baton.begin();
            }
        }
    }
}

thread_local! {
    static BATON: RefCell<Option<Arc<Baton>>> = const { RefCell::new(None) };
}

/// Whose turn it is.
struct Baton {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    turn: Turn,
    waker: Waker,
}

#[derive(Clone, Copy, PartialEq)]
enum Turn {
    Task,
    Thread,
    /// The thread is to end where it stands: its process has crashed.
    Gone,
    /// The thread has ended.
    Over,
}

/// What makes a thread end where it stands.
struct Gone;

impl Baton {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give(&self, turn: Turn) {
        self.lock().turn = turn;
        self.changed.notify_all();
    }

    /// Gives the thread its turn until it rests or is over; says whether it is over.
    fn lend(&self, turn: Turn) -> bool {
        self.give(turn);
        self.until(|turn| matches!(turn, Turn::Task | Turn::Over)) == Turn::Over
    }

    /// Waits, on the thread, for its turn.
    fn begin(&self) {
        if self.until(|turn| turn != Turn::Task) == Turn::Gone {
            resume_unwind(Box::new(Gone));
        }
    }

    fn until(&self, holds: impl Fn(Turn) -> bool) -> Turn {
        let waiting = self
            .changed
            .wait_while(self.lock(), |state| !holds(state.turn));
        waiting.unwrap_or_else(PoisonError::into_inner).turn
    }
}

type Ended<R> = Result<R, Box<dyn Any + Send>>;

/// The task that stands for work on a thread.
pub(super) struct Work<R> {
    baton: Arc<Baton>,
    thread: Option<JoinHandle<Ended<R>>>,
}

impl<R: Send + 'static> Work<R> {
    pub(super) fn new(work: impl FnOnce() -> R + Send + 'static) -> Self {
        let baton = Arc::new(Baton {
            state: Mutex::new(State {
                turn: Turn::Task,
                waker: Waker::noop().clone(),
            }),
            changed: Condvar::new(),
        });
        let (own, runtime) = (Arc::clone(&baton), Handle::current());
        let seed = u64::from_le_bytes(chance::bytes());
        let thread = std::thread::Builder::new().name("simulated".into());
        let thread = thread.spawn(move || {
            let _runtime = runtime.enter();
            BATON.set(Some(Arc::clone(&own)));
            seeded::set(Some(seed));
            let ended = catch_unwind(AssertUnwindSafe(|| {
                own.begin();
                work()
            }));
            own.give(Turn::Over);
            ended
        });
        Self {
            baton,
            thread: Some(thread.expect("the system gives a thread")),
        }
    }
}

impl<R> Work<R> {
    fn end(&mut self) -> Option<Ended<R>> {
        let ended = self.thread.take()?.join();
        Some(ended.unwrap_or_else(Err))
    }
}

impl<R> Future for Work<R> {
    type Output = R;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<R> {
        self.baton.lock().waker = cx.waker().clone();
        if !self.baton.lend(Turn::Thread) {
            return Poll::Pending;
        }
        match self.end().expect("what is over is not polled again") {
            Ok(done) => Poll::Ready(done),
            Err(panicked) => {
                crate::tests::network::panics::note("work on a thread of its own".into());
                resume_unwind(panicked)
            }
        }
    }
}

impl<R> Drop for Work<R> {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.baton.lend(Turn::Gone);
            drop(self.end());
        }
    }
}
