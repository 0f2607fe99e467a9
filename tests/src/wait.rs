//! Waiting for a condition, never for time.

use std::{
    future::Future,
    time::{Duration, Instant},
};

/// How often a condition is looked at.
const INTERVAL: Duration = Duration::from_millis(20);

/// Waits until `condition` gives a value and returns it.
///
/// # Panics
/// When `deadline` has passed first; the text says what was waited for.
pub async fn until<T, F, Fut>(what: &str, deadline: Duration, mut condition: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let start = Instant::now();
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(
            start.elapsed() < deadline,
            "{what}: not so after {deadline:?}"
        );
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Runs `future` to its end.
///
/// # Panics
/// When `deadline` has passed first.
pub async fn within<T>(what: &str, deadline: Duration, future: impl Future<Output = T>) -> T {
    let outcome = tokio::time::timeout(deadline, future).await;
    outcome.unwrap_or_else(|_| not_in_time(what, deadline))
}

#[expect(clippy::panic, reason = "a test that waits too long has failed")]
fn not_in_time(what: &str, deadline: Duration) -> ! {
    panic!("{what}: not finished after {deadline:?}")
}
