//! Partitions of a task that are read independently of one another.
//!
//! The base sends all partitions that a reader wants of a task over one call, and stops reading the
//! call when too many rows wait in memory. A merge that needs the next row of one partition then
//! waits for ever, because that row stands behind those of another. Here every partition that is
//! handed out as it is has a call of its own, which is held up alone. Partitions dealt out by key are
//! taken by readers that do not wait for one another.

use std::sync::Arc;

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
use http::HeaderMap;

/// A connection over which each partition is read by a call of its own.
pub(crate) struct PerPartition(pub(crate) Box<dyn WorkerChannel>);

#[async_trait]
impl WorkerChannel for PerPartition {
    async fn coordinator_channel(
        &mut self,
        headers: HeaderMap,
        request: SetPlanRequest,
        messages: BoxStream<'static, CoordinatorToWorkerMsg>,
        metrics: ExecutionPlanMetricsSet,
        context: &Arc<TaskContext>,
    ) -> Result<BoxStream<'static, Result<WorkerToCoordinatorMsg>>> {
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
    ) -> Result<Vec<BoxStream<'static, Result<RecordBatch>>>> {
        if !matches!(request.producer_head, ProducerHead::None) {
            return self
                .0
                .execute_task(headers, request, metrics, context)
                .await;
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

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use datafusion::common::internal_err;
    use datafusion_distributed::TaskKey;
    use futures::StreamExt;
    use futures::stream;
    use parking_lot::Mutex;
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
}
