//! Whether anything of a run panicked: a task that does is started again, and nobody else would know.

use std::cell::RefCell;
use std::sync::Once;

thread_local! {
    static PANICKED: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Watches this thread from now on.
pub(super) fn begin() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            note(panic.to_string());
            before(panic);
        }));
    });
    PANICKED.set(None);
}

/// Notes a panic that this thread has to do with.
pub(crate) fn note(what: String) {
    PANICKED.with_borrow_mut(|panicked| {
        panicked.get_or_insert(what);
    });
}

/// What panicked first.
pub(super) fn end() -> Option<String> {
    PANICKED.take()
}
