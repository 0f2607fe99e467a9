//! The session a task runs in: the query's slice of this node, and its options.
//!
//! ```text
//! task 1 ─┐  configuration of its own
//! task 2 ─┼────► session of the query (functions, memory, stores), built for the first of them
//! task 3 ─┘
//! ```
//! Building a session takes longer than a small task; copying one, little.

use std::sync::{Arc, Weak};

use async_trait::async_trait;
use dashmap::{DashMap, Entry};
use datafusion::common::DataFusionError;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::prelude::SessionConfig;
use datafusion_distributed::{
    ChannelResolver, DistributedExt, WorkerQueryContext, WorkerSessionBuilder,
};
use waterbuck_engine::session::{SessionFactory, TaskLabel, TaskOptions};

use crate::node::ExecutorNode;

/// Builds the session of every task of one executor.
pub(crate) struct TaskSessions {
    node: Arc<ExecutorNode>,
    /// The sessions of the queries that have tasks here; entries of others go with the next task.
    queries: DashMap<QueryKey, Weak<QuerySession>>,
}

/// Attempts of one query may differ in their options, and functions depend on them.
#[derive(PartialEq, Eq, Hash)]
struct QueryKey {
    query_id: String,
    overrides: String,
}

/// What the tasks of a query have in common. Their configurations keep it alive.
struct QuerySession(SessionState);

impl TaskSessions {
    /// Sessions in the memory and with the stores of `node`.
    pub(crate) fn new(node: Arc<ExecutorNode>) -> Self {
        Self {
            node,
            queries: DashMap::new(),
        }
    }

    /// The session of the query that `options` tell of, built by `builder` if there is none.
    fn of_query(
        &self,
        options: &TaskOptions,
        builder: impl FnOnce() -> SessionStateBuilder,
    ) -> Result<Arc<QuerySession>, DataFusionError> {
        self.queries.retain(|_, session| session.strong_count() > 0);
        let slot = self.queries.entry(QueryKey {
            query_id: options.query_id.clone(),
            overrides: options.overrides.clone(),
        });
        if let Entry::Occupied(slot) = &slot
            && let Some(session) = slot.get().upgrade()
        {
            return Ok(session);
        }
        let runtime = self.node.runtime.for_query(
            &options.query_id,
            (options.memory_limit, options.spill_limit),
            || self.node.stores.for_query(options),
        )?;
        let state = builder().with_runtime_env(runtime).build();
        let session = Arc::new(QuerySession(state));
        drop(slot.insert(Arc::downgrade(&session)));
        Ok(session)
    }
}

#[async_trait]
impl WorkerSessionBuilder for TaskSessions {
    async fn build_session_state(
        &self,
        context: WorkerQueryContext,
    ) -> Result<SessionState, DataFusionError> {
        let node = &self.node;
        let label = TaskLabel::read(&context.headers);
        let mut builder = context
            .builder
            .with_distributed_option_extension_from_headers::<TaskOptions>(&context.headers)?;
        let config = builder
            .config()
            .get_or_insert_with(SessionFactory::base_config);
        let options = TaskOptions::of(config.options());
        options.apply_overrides(config)?;
        let channels = Arc::clone(&node.channels) as Arc<dyn ChannelResolver + Send + Sync>;
        let builder = builder
            .with_distributed_channel_resolver(channels)
            .with_distributed_passthrough_headers(node.peer_headers())?;
        let mut builder = node.sessions.executor(builder);
        let config = builder.config().take().unwrap_or_default();
        let session = self.of_query(&options, || {
            // What belongs to one task alone stands beside the options and is not shared.
            let shared = SessionConfig::from(config.options().as_ref().clone());
            builder.with_config(shared)
        })?;
        let work = label.and_then(|label| node.runtime.enter_task(&options.query_id, &label));
        node.runtime.earlier_attempts_left(&options.query_id).await;
        let mut config = config.with_extension(Arc::clone(&session));
        if let Some(work) = work {
            config.set_extension(work);
        }
        let mut state = session.0.clone();
        *state.config_mut() = config;
        Ok(state)
    }
}

#[cfg(test)]
mod tests {
    use datafusion::execution::object_store::{DefaultObjectStoreRegistry, ObjectStoreRegistry};
    use http::{HeaderMap, HeaderName, HeaderValue};
    use waterbuck_engine::cluster_access::ClusterAccess;
    use waterbuck_engine::session::{NodeRuntime, RuntimeConfig};

    use super::*;
    use crate::channels::ExchangeChannels;
    use crate::node::NodeStores;

    struct NoStores;

    impl NodeStores for NoStores {
        fn for_query(&self, _: &TaskOptions) -> Arc<dyn ObjectStoreRegistry> {
            Arc::new(DefaultObjectStoreRegistry::new())
        }
    }

    fn sessions() -> TaskSessions {
        let runtime = NodeRuntime::new(&RuntimeConfig {
            memory_limit_bytes: 1 << 20,
            spill_dir: None,
            spill_limit_bytes: 1 << 20,
        });
        TaskSessions::new(ExecutorNode::new(
            runtime.unwrap(),
            SessionFactory::new(vec![]),
            Arc::new(NoStores),
            Arc::new(ExchangeChannels::default()),
            ClusterAccess::open(),
        ))
    }

    /// The session of a task of `query`, whose batches have `rows` rows.
    async fn session(sessions: &TaskSessions, query: &str, rows: usize) -> SessionState {
        let config = SessionConfig::new().with_batch_size(rows);
        let options = TaskOptions::default().with_overrides_of(&config);
        let mut headers = HeaderMap::new();
        for (name, value) in [("query_id", query), ("overrides", &options.overrides)] {
            let name = format!("x-datafusion-distributed-config-waterbuck.{name}");
            let name: HeaderName = name.parse().unwrap();
            headers.insert(name, HeaderValue::from_str(value).unwrap());
        }
        let task = SessionConfig::new().with_extension(Arc::new(rows));
        let builder = SessionStateBuilder::new()
            .with_default_features()
            .with_config(task);
        let context = WorkerQueryContext { builder, headers };
        sessions.build_session_state(context).await.unwrap()
    }

    fn shared(state: &SessionState) -> Arc<QuerySession> {
        state.config().get_extension().unwrap()
    }

    #[tokio::test]
    async fn tasks_of_a_query_share_a_session_and_keep_their_own_configuration() {
        let sessions = sessions();
        let first = session(&sessions, "q", 100).await;
        let second = session(&sessions, "q", 100).await;
        assert!(Arc::ptr_eq(&shared(&first), &shared(&second)));
        assert!(Arc::ptr_eq(first.runtime_env(), second.runtime_env()));
        assert!(second.scalar_functions().contains_key("to_timestamp"));
        assert_eq!(second.config().batch_size(), 100);
        assert_eq!(
            second.config().get_extension::<usize>().as_deref(),
            Some(&100)
        );
        let of_a_task = shared(&first).0.config().get_extension::<usize>();
        assert_eq!(of_a_task, None, "it would live as long as the query");
    }

    #[tokio::test]
    async fn other_queries_and_other_options_have_sessions_of_their_own() {
        let sessions = sessions();
        let first = session(&sessions, "q", 100).await;
        let another = session(&sessions, "r", 100).await;
        assert!(!Arc::ptr_eq(first.runtime_env(), another.runtime_env()));
        let sparing = session(&sessions, "q", 10).await;
        assert!(!Arc::ptr_eq(&shared(&first), &shared(&sparing)));
        assert!(Arc::ptr_eq(first.runtime_env(), sparing.runtime_env()));
        assert_eq!(sparing.config().batch_size(), 10);
    }

    #[tokio::test]
    async fn a_query_without_tasks_keeps_nothing() {
        let sessions = sessions();
        let context = session(&sessions, "q", 100).await.task_ctx();
        assert_eq!(sessions.node.runtime.running_queries(), 1);
        drop(context);
        assert_eq!(sessions.node.runtime.running_queries(), 0);
        let _other = session(&sessions, "r", 100).await;
        assert_eq!(sessions.queries.len(), 1);
    }
}
