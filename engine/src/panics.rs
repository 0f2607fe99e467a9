//! Panics that are expected: of libraries that are handed what a stranger has sent, by callers that
//! catch them and answer with an error. They are no fault of this program, and not in its log.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::panic::{set_hook, take_hook};
use std::pin::pin;

thread_local! {
    static EXPECTED: Cell<bool> = const { Cell::new(false) };
}

/// Prints the panics that are not expected, and only those, from now on.
pub fn silence_expected_panics() {
    let print = take_hook();
    set_hook(Box::new(move |panic| {
        if !EXPECTED.get() {
            print(panic);
        }
    }));
}

/// Runs `future`, whose panics are expected; whoever awaits it catches them.
pub async fn expecting_panics<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|context| {
        let _expecting = Expecting(EXPECTED.replace(true));
        future.as_mut().poll(context)
    })
    .await
}

/// Restores what was expected before, also when a panic passes.
struct Expecting(bool);

impl Drop for Expecting {
    fn drop(&mut self) {
        EXPECTED.set(self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::AssertUnwindSafe;

    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_expected_while_its_future_runs_and_no_longer() {
        let broken = expecting_panics(async {
            tokio::task::yield_now().await;
            assert!(!EXPECTED.get(), "it is expected");
        });
        let mut broken = pin!(AssertUnwindSafe(broken).catch_unwind());
        assert!(futures::poll!(broken.as_mut()).is_pending());
        assert!(!EXPECTED.get());
        assert!(broken.await.is_err());
        assert!(!EXPECTED.get());
    }
}
