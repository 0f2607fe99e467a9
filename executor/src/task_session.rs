//! The session a task runs in: the query's slice of this node, and its options.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::common::DataFusionError;
use datafusion::execution::SessionState;
use datafusion_distributed::{
    ChannelResolver, DistributedExt, WorkerQueryContext, WorkerSessionBuilder,
};
use waterbuck_engine::cluster::TASK_LABEL_HEADER;
use waterbuck_engine::session::{SessionFactory, TaskLabel, TaskOptions};

use crate::node::ExecutorNode;

/// Builds the session of every task of one executor.
pub(crate) struct TaskSessions(pub(crate) Arc<ExecutorNode>);

#[async_trait]
impl WorkerSessionBuilder for TaskSessions {
    async fn build_session_state(
        &self,
        context: WorkerQueryContext,
    ) -> Result<SessionState, DataFusionError> {
        let node = &self.0;
        let label = context
            .headers
            .get(TASK_LABEL_HEADER)
            .and_then(|value| TaskLabel::decode(value.to_str().ok()?));
        let mut builder = context
            .builder
            .with_distributed_option_extension_from_headers::<TaskOptions>(&context.headers)?;
        let config = builder
            .config()
            .get_or_insert_with(SessionFactory::base_config);
        let options = TaskOptions::of(config.options());
        options.apply_overrides(config)?;
        let runtime = node.runtime.for_query(
            &options.query_id,
            (options.memory_limit, options.spill_limit),
            || node.stores.for_query(&options),
        )?;
        let work = label.and_then(|label| node.runtime.enter_task(&options.query_id, &label));
        if let Some(work) = work {
            config.set_extension(work);
        }
        let channels = Arc::clone(&node.channels) as Arc<dyn ChannelResolver + Send + Sync>;
        let builder = builder
            .with_runtime_env(runtime)
            .with_distributed_channel_resolver(channels)
            .with_distributed_passthrough_headers(node.peer_headers())?;
        node.sessions.executor(builder)
    }
}
