//! Counts the tasks that run on this executor.
//!
//! Each task has one call open from its coordinator, from its dispatch until its query has ended or
//! its coordinator has gone; so the open calls are the tasks.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::Notify;
use tonic::body::Body;
use tonic::server::NamedService;
use tower::Service;
use waterbuck_engine::session::TaskLabel;

use crate::served::{OpenTask, ServedResults};

/// The call a coordinator keeps open for each task.
const TASK_CALL: &str = "/CoordinatorChannel";

/// The number of tasks on this executor.
#[derive(Debug, Default)]
pub struct RunningTasks {
    count: AtomicUsize,
    left: Notify,
    /// What clients read of them.
    served: Arc<ServedResults>,
}

/// One open call: dropping it says that the task is over.
#[derive(Debug)]
struct TaskGuard {
    tasks: Arc<RunningTasks>,
    _open: Option<OpenTask>,
}

impl RunningTasks {
    /// How many tasks there are.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// What clients read of the tasks.
    pub(crate) fn served(&self) -> &Arc<ServedResults> {
        &self.served
    }

    fn enter(self: &Arc<Self>, label: Option<TaskLabel>) -> TaskGuard {
        self.count.fetch_add(1, Ordering::SeqCst);
        TaskGuard {
            tasks: Arc::clone(self),
            _open: label.map(|label| self.served.open(label)),
        }
    }

    /// Waits until there is no task. Cancel-safe.
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
        self.tasks.count.fetch_sub(1, Ordering::SeqCst);
        self.tasks.left.notify_waiters();
    }
}

/// A gRPC service that counts its open task calls.
#[derive(Debug, Clone)]
pub(crate) struct CountTasks<S> {
    pub(crate) inner: S,
    pub(crate) tasks: Arc<RunningTasks>,
}

impl<S: NamedService> NamedService for CountTasks<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for CountTasks<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<Body>, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let guard = request
            .uri()
            .path()
            .ends_with(TASK_CALL)
            .then(|| self.tasks.enter(TaskLabel::read(request.headers())));
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            Ok(match guard {
                Some(guard) => answer.map(|body| {
                    Body::new(Guarded {
                        body,
                        _guard: guard,
                    })
                }),
                None => answer,
            })
        })
    }
}

/// A response body that holds its call's guard.
struct Guarded {
    body: Body,
    _guard: TaskGuard,
}

impl HttpBody for Guarded {
    type Data = bytes::Bytes;
    type Error = tonic::Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_done_returns_when_the_last_task_is_dropped() {
        let tasks = Arc::new(RunningTasks::default());
        let (first, second) = (tasks.enter(None), tasks.enter(None));
        assert_eq!(tasks.count(), 2);
        drop(first);
        let waiting = Arc::clone(&tasks);
        let done = async move { waiting.all_done().await };
        let ((), ()) = tokio::join!(done, async move { drop(second) });
        assert_eq!(tasks.count(), 0);
    }
}
