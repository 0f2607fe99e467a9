//! Long statements are planned beside everything else.
//!
//! Parsing and planning give their thread back only where they wait. For a text of megabytes that is
//! after seconds, in which heartbeats and other sessions would wait too.

use tokio::runtime::{Handle, RuntimeFlavor};

/// Texts that take some milliseconds to plan.
const LONG_TEXT_BYTES: usize = 64 << 10;

/// Runs `work` on the statement `text`, outside the runtime's threads if the text is long.
pub(crate) async fn apart<T>(text: &str, work: impl Future<Output = T>) -> T {
    match Handle::try_current() {
        Ok(runtime)
            if text.len() > LONG_TEXT_BYTES
                && runtime.runtime_flavor() == RuntimeFlavor::MultiThread =>
        {
            tokio::task::block_in_place(|| runtime.block_on(work))
        }
        _ => work.await,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::oneshot;
    use tokio::task::JoinSet;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn others_run_while_a_long_statement_keeps_its_thread() {
        let (tell, told) = oneshot::channel();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let text = " ".repeat(LONG_TEXT_BYTES + 1);
            apart(&text, async move {
                let wait = std::thread::spawn(move || told.blocking_recv());
                wait.join().expect("it does not panic").expect("it is told");
            })
            .await;
        });
        tasks.spawn(async move {
            tokio::task::yield_now().await;
            tell.send(()).expect("it waits");
        });
        let all = tokio::time::timeout(Duration::from_secs(20), tasks.join_all());
        all.await.expect("the second one runs");
    }
}
