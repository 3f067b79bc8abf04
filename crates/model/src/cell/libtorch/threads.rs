//! One thread per model thread: libtorch's own pool would make results depend on the machine and would fight the pipeline's threads.

use std::cell::Cell;

thread_local! {
    static SINGLE: Cell<bool> = const { Cell::new(false) };
}

/// Keeps libtorch on the calling thread. Cheap after the first call on a thread.
pub(super) fn single() {
    SINGLE.with(|done| {
        if !done.replace(true) {
            tch::set_num_threads(1);
        }
    });
}
