//! The coordinator's connections to executors.

use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion_distributed::{
    ChannelResolver, CoordinatorToWorkerMsg, ExecuteTaskRequest, GetWorkerInfoRequest,
    GetWorkerInfoResponse, SetPlanRequest, Worker, WorkerChannel, WorkerToCoordinatorMsg,
};
use futures::StreamExt;
use futures::stream::BoxStream;
use http::HeaderMap;
use url::Url;
use waterbuck_engine::session::TaskLabel;

/// Connections to executors; to the one inside this process there is none, it is called.
pub(crate) struct ExecutorChannels {
    remote: Arc<dyn ChannelResolver + Send + Sync>,
    local: Option<(Url, Worker)>,
}

impl ExecutorChannels {
    /// Connections through `remote`, but for the executor `local` of this process.
    pub(crate) fn new(
        remote: Arc<dyn ChannelResolver + Send + Sync>,
        local: Option<(Url, Worker)>,
    ) -> Self {
        Self { remote, local }
    }
}

#[async_trait]
impl ChannelResolver for ExecutorChannels {
    async fn get_worker_client_for_url(&self, url: &Url) -> Result<Box<dyn WorkerChannel>> {
        match &self.local {
            Some((local, worker)) if local == url => Ok(Box::new(InProcess(worker.clone()))),
            _ => self.remote.get_worker_client_for_url(url).await,
        }
    }
}

/// The executor inside this process: plans and batches are handed over as they are.
struct InProcess(Worker);

#[async_trait]
impl WorkerChannel for InProcess {
    async fn coordinator_channel(
        &mut self,
        mut headers: HeaderMap,
        request: SetPlanRequest,
        messages: BoxStream<'static, CoordinatorToWorkerMsg>,
        _metrics: ExecutionPlanMetricsSet,
        _context: &Arc<TaskContext>,
    ) -> Result<BoxStream<'static, Result<WorkerToCoordinatorMsg>>> {
        TaskLabel::of(&request.task_key).write(&mut headers)?;
        let messages = messages.map(Ok).boxed();
        self.0.coordinator_channel(headers, request, messages).await
    }

    async fn execute_task(
        &mut self,
        _headers: HeaderMap,
        request: ExecuteTaskRequest,
        _metrics: ExecutionPlanMetricsSet,
        _context: &Arc<TaskContext>,
    ) -> Result<Vec<BoxStream<'static, Result<RecordBatch>>>> {
        let (partitions, _context) = self.0.execute_task(request).await?;
        Ok(partitions.into_iter().map(StreamExt::boxed).collect())
    }

    async fn get_worker_info(
        &mut self,
        _request: GetWorkerInfoRequest,
    ) -> Result<GetWorkerInfoResponse> {
        let version = self.0.version().to_owned();
        Ok(GetWorkerInfoResponse { version })
    }
}
