//! The coordinator's connections to executors: every task is sent with its label, by which the
//! executor can say how far the stages of a query are.

use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion_distributed::{
    ChannelResolver, CoordinatorToWorkerMsg, ExecuteTaskRequest, GetWorkerInfoRequest,
    GetWorkerInfoResponse, SetPlanRequest, Worker, WorkerChannel, WorkerToCoordinatorMsg,
};
use futures::StreamExt;
use futures::stream::BoxStream;
use http::{HeaderMap, HeaderValue};
use url::Url;
use waterbuck_engine::cluster::TASK_LABEL_HEADER;
use waterbuck_engine::session::TaskLabel;

/// Connections that label the tasks sent over them; to the executor inside this process there is
/// none, it is called.
pub(crate) struct LabellingChannels {
    remote: Arc<dyn ChannelResolver + Send + Sync>,
    local: Option<(Url, Worker)>,
}

impl LabellingChannels {
    /// Connections through `remote`, but for the executor `local` of this process.
    pub(crate) fn new(
        remote: Arc<dyn ChannelResolver + Send + Sync>,
        local: Option<(Url, Worker)>,
    ) -> Self {
        Self { remote, local }
    }
}

#[async_trait]
impl ChannelResolver for LabellingChannels {
    async fn get_worker_client_for_url(&self, url: &Url) -> Result<Box<dyn WorkerChannel>> {
        let channel = match &self.local {
            Some((local, worker)) if local == url => Box::new(InProcess(worker.clone())),
            _ => self.remote.get_worker_client_for_url(url).await?,
        };
        Ok(Box::new(Labelling(channel)))
    }
}

struct Labelling(Box<dyn WorkerChannel>);

#[async_trait]
impl WorkerChannel for Labelling {
    async fn coordinator_channel(
        &mut self,
        mut headers: HeaderMap,
        request: SetPlanRequest,
        messages: BoxStream<'static, CoordinatorToWorkerMsg>,
        metrics: ExecutionPlanMetricsSet,
        context: &Arc<TaskContext>,
    ) -> Result<BoxStream<'static, Result<WorkerToCoordinatorMsg>>> {
        let label = TaskLabel {
            attempt: request.task_key.query_id.to_string(),
            stage: request.task_key.stage_id as u64,
        };
        let label = HeaderValue::from_str(&label.encode())
            .map_err(|error| DataFusionError::External(Box::new(error)))?;
        headers.insert(TASK_LABEL_HEADER, label);
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
        self.0
            .execute_task(headers, request, metrics, context)
            .await
    }

    async fn get_worker_info(
        &mut self,
        request: GetWorkerInfoRequest,
    ) -> Result<GetWorkerInfoResponse> {
        self.0.get_worker_info(request).await
    }
}

/// The executor inside this process: plans and batches are handed over as they are.
struct InProcess(Worker);

#[async_trait]
impl WorkerChannel for InProcess {
    async fn coordinator_channel(
        &mut self,
        headers: HeaderMap,
        request: SetPlanRequest,
        messages: BoxStream<'static, CoordinatorToWorkerMsg>,
        _metrics: ExecutionPlanMetricsSet,
        _context: &Arc<TaskContext>,
    ) -> Result<BoxStream<'static, Result<WorkerToCoordinatorMsg>>> {
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
