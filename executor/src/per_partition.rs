//! Connections to executors on which the partitions of a task do not wait for one another.
//!
//! The base sends all partitions that a reader wants of a task over one call, and stops reading the
//! call when too many rows wait in memory. That holds up readers in two cases which are seen to here:
//!
//! - A merge needs the next row of one partition, which stands behind rows of another. So every
//!   partition that is handed out as it is has a call of its own, which is held up alone. Partitions
//!   dealt out by key share a call: their readers do not wait for one another.
//! - A reader drops its partition before the end, as a join does when its other side is empty. What
//!   waits there would count as waiting for ever. So what is left of a dropped partition is read and
//!   thrown away while the others are read.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arrow::array::RecordBatch;
use async_trait::async_trait;
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion_distributed::{
    CoordinatorToWorkerMsg, ExecuteTaskRequest, GetWorkerInfoRequest, GetWorkerInfoResponse,
    ProducerHead, SetPlanRequest, WorkerChannel, WorkerToCoordinatorMsg,
};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use http::HeaderMap;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use waterbuck_engine::session::TaskLabel;

type Rows = BoxStream<'static, Result<RecordBatch>>;

/// A connection to an executor, which labels the tasks sent over it.
pub(crate) struct PerPartition(pub(crate) Box<dyn WorkerChannel>);

#[async_trait]
impl WorkerChannel for PerPartition {
    async fn coordinator_channel(
        &mut self,
        mut headers: HeaderMap,
        request: SetPlanRequest,
        messages: BoxStream<'static, CoordinatorToWorkerMsg>,
        metrics: ExecutionPlanMetricsSet,
        context: &Arc<TaskContext>,
    ) -> Result<BoxStream<'static, Result<WorkerToCoordinatorMsg>>> {
        TaskLabel::of(&request.task_key).write(&mut headers)?;
        self.0
            .coordinator_channel(headers, request, messages, metrics, context)
            .await
    }

    async fn execute_task(
        &mut self,
        headers: HeaderMap,
        request: ExecuteTaskRequest,
        metrics: ExecutionPlanMetricsSet,
        context: &Arc<TaskContext>,
    ) -> Result<Vec<Rows>> {
        if !matches!(request.producer_head, ProducerHead::None) {
            let partitions = self
                .0
                .execute_task(headers, request, metrics, context)
                .await?;
            return Ok(emptied_when_dropped(partitions));
        }
        let mut partitions = vec![];
        for partition in request.target_partition_start..request.target_partition_end {
            let one = ExecuteTaskRequest {
                task_key: request.task_key,
                target_partition_start: partition,
                target_partition_end: partition + 1,
                producer_head: ProducerHead::None,
            };
            let rows = self
                .0
                .execute_task(headers.clone(), one, metrics.clone(), context)
                .await?;
            partitions.extend(rows);
        }
        Ok(partitions)
    }

    async fn get_worker_info(
        &mut self,
        request: GetWorkerInfoRequest,
    ) -> Result<GetWorkerInfoResponse> {
        self.0.get_worker_info(request).await
    }
}

/// Partitions of one call, which are read to their end when they are dropped before.
fn emptied_when_dropped(partitions: Vec<Rows>) -> Vec<Rows> {
    if partitions.len() < 2 {
        return partitions;
    }
    let dropped = Arc::new(Dropped::default());
    partitions
        .into_iter()
        .map(|rows| {
            let dropped = Arc::clone(&dropped);
            let rows = Some(rows);
            Partition { rows, dropped }.boxed()
        })
        .collect()
}

/// The partitions of a call that nobody reads any more: emptied until the last other one is dropped.
#[derive(Default)]
struct Dropped(Mutex<JoinSet<()>>);

struct Partition {
    /// None when they ended.
    rows: Option<Rows>,
    dropped: Arc<Dropped>,
}

impl Stream for Partition {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(rows) = &mut self.rows else {
            return Poll::Ready(None);
        };
        let next = rows.poll_next_unpin(context);
        if matches!(next, Poll::Ready(None)) {
            self.rows = None;
        }
        next
    }
}

impl Drop for Partition {
    fn drop(&mut self) {
        let (Some(mut rows), Ok(runtime)) = (self.rows.take(), Handle::try_current()) else {
            return;
        };
        // An error is the other readers' to report: they share the call.
        let emptied = async move { while rows.next().await.is_some() {} };
        self.dropped.0.lock().spawn_on(emptied, &runtime);
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use arrow::datatypes::Schema;
    use datafusion::common::internal_err;
    use datafusion_distributed::TaskKey;
    use futures::stream;
    use tokio::sync::mpsc;
    use tokio_stream::wrappers::ReceiverStream;
    use uuid::Uuid;

    use super::*;

    /// Notes which partitions each call asks for.
    struct Calls(Arc<Mutex<Vec<Range<usize>>>>);

    #[async_trait]
    impl WorkerChannel for Calls {
        async fn coordinator_channel(
            &mut self,
            _: HeaderMap,
            _: SetPlanRequest,
            _: BoxStream<'static, CoordinatorToWorkerMsg>,
            _: ExecutionPlanMetricsSet,
            _: &Arc<TaskContext>,
        ) -> Result<BoxStream<'static, Result<WorkerToCoordinatorMsg>>> {
            internal_err!("not called")
        }

        async fn execute_task(
            &mut self,
            _: HeaderMap,
            request: ExecuteTaskRequest,
            _: ExecutionPlanMetricsSet,
            _: &Arc<TaskContext>,
        ) -> Result<Vec<BoxStream<'static, Result<RecordBatch>>>> {
            let range = request.target_partition_start..request.target_partition_end;
            self.0.lock().push(range.clone());
            Ok(range.map(|_| stream::empty().boxed()).collect())
        }

        async fn get_worker_info(
            &mut self,
            _: GetWorkerInfoRequest,
        ) -> Result<GetWorkerInfoResponse> {
            internal_err!("not called")
        }
    }

    async fn calls(head: ProducerHead) -> Vec<(usize, usize)> {
        let made = Arc::new(Mutex::new(vec![]));
        let mut channel = PerPartition(Box::new(Calls(Arc::clone(&made))));
        let request = ExecuteTaskRequest {
            task_key: TaskKey {
                query_id: Uuid::nil(),
                stage_id: 1,
                task_number: 0,
            },
            target_partition_start: 2,
            target_partition_end: 5,
            producer_head: head,
        };
        let (metrics, context) = (ExecutionPlanMetricsSet::new(), Arc::default());
        let rows = channel
            .execute_task(HeaderMap::new(), request, metrics, &context)
            .await
            .unwrap();
        assert_eq!(rows.len(), 3);
        made.lock()
            .iter()
            .map(|range| (range.start, range.end))
            .collect()
    }

    #[tokio::test]
    async fn partitions_that_are_handed_out_as_they_are_have_calls_of_their_own() {
        assert_eq!(calls(ProducerHead::None).await, [(2, 3), (3, 4), (4, 5)]);
        let head = ProducerHead::BroadcastExec {
            output_partitions: 3,
        };
        assert_eq!(calls(head).await, [(2, 5)]);
    }

    #[tokio::test]
    async fn a_dropped_partition_is_emptied_while_another_is_read() {
        let (sender, rows) = mpsc::channel(1);
        let (_other_sender, other) = mpsc::channel(1);
        let mut partitions = emptied_when_dropped(vec![
            ReceiverStream::new(rows).boxed(),
            ReceiverStream::new(other).boxed(),
        ]);
        drop(partitions.remove(0));
        for _ in 0..10 {
            let rows = RecordBatch::new_empty(Arc::new(Schema::empty()));
            sender.send(Ok(rows)).await.expect("somebody takes it");
        }
        drop(partitions);
        sender.closed().await;
    }
}
