//! Counts the tasks that live on this executor.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// The number of tasks alive on this executor.
#[derive(Debug, Default)]
pub struct RunningTasks {
    count: AtomicUsize,
    left: Notify,
}

/// Held by a task's session: dropping it says that the task is gone.
#[derive(Debug)]
pub(crate) struct TaskGuard(Arc<RunningTasks>);

impl RunningTasks {
    /// How many tasks are alive.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    pub(crate) fn enter(self: &Arc<Self>) -> TaskGuard {
        self.count.fetch_add(1, Ordering::SeqCst);
        TaskGuard(Arc::clone(self))
    }

    /// Waits until no task is alive. Cancel-safe.
    pub async fn all_done(&self) {
        loop {
            let left = self.left.notified();
            if self.count() == 0 {
                return;
            }
            left.await;
        }
    }
}

impl Drop for TaskGuard {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::SeqCst);
        self.0.left.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_done_returns_when_the_last_task_is_dropped() {
        let tasks = Arc::new(RunningTasks::default());
        let (first, second) = (tasks.enter(), tasks.enter());
        assert_eq!(tasks.count(), 2);
        drop(first);
        let waiting = Arc::clone(&tasks);
        let done = async move { waiting.all_done().await };
        let ((), ()) = tokio::join!(done, async move { drop(second) });
        assert_eq!(tasks.count(), 0);
    }
}
