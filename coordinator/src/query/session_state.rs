//! The DataFusion session of one attempt of one query.

use std::ops::RangeInclusive;
use std::sync::Arc;

use datafusion::catalog::CatalogProviderList;
use datafusion::config::{ConfigNonZeroUsize, ConfigOptions};
use datafusion::execution::memory_pool::MemoryLimit;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::prelude::SessionConfig;
use datafusion_distributed::{
    ChannelResolver, DistributedConfig, DistributedExt, SessionStateBuilderExt, Worker,
};
use http::HeaderMap;
use url::Url;
use waterbuck_engine::cluster::Heartbeat;
use waterbuck_engine::optimizer::BuildSideLimits;
use waterbuck_engine::session::{SessionFactory, SmallStages, TaskOptions};
use waterbuck_engine::settings::Settings;
use waterbuck_engine::{Error, Result};

use super::record::QueryRecord;
use crate::cluster::{ExecutorChannels, FixedExecutors, Membership};
use crate::plan::{WriteQueryPlanner, apply_settings};

const SORT_RESERVATION_BYTES: RangeInclusive<usize> = 64 << 10..=1 << 20;
const SPARING_BATCH_ROWS: usize = 1024;
const SERIAL_BATCH_ROWS: usize = 256;
/// What one connection between tasks may hold of what its reader has not taken.
const EXCHANGE_BUFFER_BYTES: RangeInclusive<usize> = 512 << 10..=64 << 20;

/// How an attempt saves memory, after one that ran out of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Thrift {
    /// The quickest operators.
    #[default]
    None,
    /// Joins that can spill, and smaller batches.
    Spilling,
    /// Besides, as few partitions as joins that spill can be planned for.
    Serial,
}

impl Thrift {
    /// The next degree, if there is one.
    pub(crate) fn more(self) -> Option<Self> {
        match self {
            Self::None => Some(Self::Spilling),
            Self::Spilling => Some(Self::Serial),
            Self::Serial => None,
        }
    }

    /// Changes `options` for a query that may hold `memory` bytes on a node.
    fn apply(self, options: &mut ConfigOptions, memory: usize) {
        if self == Self::None {
            return;
        }
        options.optimizer.prefer_hash_join = false;
        // A sort sets this much aside in each partition, and merges so many rows at a time of
        // every run: with the defaults, a few sorts alone would want more than a small limit.
        options.execution.sort_spill_reservation_bytes =
            share(memory / 128, SORT_RESERVATION_BYTES);
        let most = match self {
            Self::Serial => SERIAL_BATCH_ROWS,
            Self::None | Self::Spilling => SPARING_BATCH_ROWS,
        };
        let rows = options.execution.batch_size.get().min(most);
        if let Ok(rows) = ConfigNonZeroUsize::try_new(rows) {
            options.execution.batch_size = rows;
        }
        if self == Self::Serial {
            // With one partition the planner takes a hash join whatever it was told.
            options.execution.target_partitions = 2;
        }
    }
}

fn share(bytes: usize, bounds: RangeInclusive<usize>) -> usize {
    bytes.clamp(*bounds.start(), *bounds.end())
}

/// What an attempt does otherwise than the first one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Attempt {
    /// Executors that failed in an earlier attempt.
    pub(crate) excluded: Vec<Url>,
    /// How sparing with memory it is.
    pub(crate) thrift: Thrift,
    /// Run on the coordinator alone.
    pub(crate) local_only: bool,
}

/// What the session in which a statement is planned is made of.
#[derive(Clone, Copy)]
pub(crate) struct SessionInput<'a> {
    pub(crate) record: &'a QueryRecord,
    pub(crate) settings: &'a Settings,
    pub(crate) tables: &'a Arc<dyn CatalogProviderList>,
    pub(crate) runtime: &'a Arc<RuntimeEnv>,
}

/// An executor inside this process.
pub struct LocalExecutor {
    /// The address it is known by; never connected to.
    pub url: Url,
    /// What runs its tasks.
    pub worker: Worker,
    /// What it says of itself.
    pub report: Box<dyn Fn() -> Heartbeat + Send + Sync>,
}

/// Makes the sessions in which queries are planned and started.
pub(crate) struct StatePlanner {
    base: SessionState,
    local: Option<LocalExecutor>,
}

impl StatePlanner {
    /// A planner whose sessions reach executors through `channels`, saying `peer_headers`.
    pub(crate) fn new(
        sessions: &SessionFactory,
        channels: Arc<dyn ChannelResolver + Send + Sync>,
        peer_headers: HeaderMap,
        local: Option<LocalExecutor>,
    ) -> Result<Self> {
        let builder = SessionStateBuilder::new()
            .with_config(SessionFactory::base_config())
            .with_query_planner(Arc::new(WriteQueryPlanner));
        let own = local
            .as_ref()
            .map(|local| (local.url.clone(), local.worker.clone()));
        let builder = sessions
            .coordinator(builder)
            .with_distributed_channel_resolver(ExecutorChannels::new(channels, own))
            .with_distributed_option_extension(TaskOptions::default())
            .with_distributed_passthrough_headers(peer_headers)
            .map_err(|error| Error::internal("cluster token cannot be sent").with_source(error))?
            .with_distributed_planner();
        Ok(Self {
            base: builder.build(),
            local,
        })
    }

    /// A session without tables or a query: for types, expressions and lists of functions.
    pub(crate) fn base(&self) -> &SessionState {
        &self.base
    }

    /// Whether `executors` is nothing but the executor inside this process.
    pub(crate) fn is_local(&self, executors: &[Url]) -> bool {
        self.local
            .as_ref()
            .is_some_and(|local| executors.iter().all(|url| *url == local.url))
    }

    /// What the executor inside this process says of itself.
    pub(crate) fn local_report(&self) -> Option<Heartbeat> {
        self.local.as_ref().map(|local| (local.report)())
    }

    /// The executors an attempt would use now.
    pub(crate) fn executors(&self, members: &Membership, attempt: &Attempt) -> Vec<Url> {
        if attempt.local_only {
            return vec![];
        }
        let mut urls = members.active();
        urls.retain(|url| !attempt.excluded.contains(url));
        if urls.is_empty() {
            urls.extend(self.local.iter().map(|local| local.url.clone()));
        }
        urls
    }

    /// The session in which a statement is planned; an attempt with it would use `executors`.
    ///
    /// # Errors
    /// When a setting does not fit DataFusion.
    pub(crate) fn state(
        &self,
        input: &SessionInput<'_>,
        executors: Vec<Url>,
    ) -> Result<SessionState> {
        let attempt = Attempt::default();
        let config = self.config(input.settings, input.runtime, (executors, &attempt))?;
        let mut state = SessionStateBuilder::new_from_existing(self.base.clone())
            .with_session_id(input.record.session_id.to_string())
            .with_config(config)
            .with_runtime_env(Arc::clone(input.runtime))
            .with_catalog_list(Arc::clone(input.tables))
            .build();
        // The time that now() gives, in every part of the statement and in every attempt.
        state.mark_start_execution();
        Ok(state)
    }

    /// The session of one attempt, using `executors`, at what was planned in `planned`.
    ///
    /// # Errors
    /// When a setting does not fit DataFusion.
    pub(crate) fn attempt_state(
        &self,
        planned: &SessionState,
        settings: &Settings,
        (executors, attempt): (Vec<Url>, &Attempt),
    ) -> Result<SessionState> {
        // Only the configuration differs: a copy takes a fraction of the time of building.
        let mut state = planned.clone();
        *state.config_mut() = self.config(settings, planned.runtime_env(), (executors, attempt))?;
        Ok(state)
    }

    fn config(
        &self,
        settings: &Settings,
        runtime: &RuntimeEnv,
        (executors, attempt): (Vec<Url>, &Attempt),
    ) -> Result<SessionConfig> {
        let mut config = self.base.config().clone();
        apply_settings(&mut config, settings, &executors)?;
        let memory = match runtime.memory_pool.memory_limit() {
            MemoryLimit::Finite(bytes) => bytes,
            _ => usize::MAX,
        };
        attempt.thrift.apply(config.options_mut(), memory);
        let nodes = executors.len().max(1);
        if let Some(distributed) = config
            .options_mut()
            .extensions
            .get_mut::<DistributedConfig>()
        {
            // A task has a connection to each task below it, and buffers cannot spill.
            let buffer = share(memory / 16 / nodes, EXCHANGE_BUFFER_BYTES);
            let most = &mut distributed.worker_connection_buffer_budget_bytes;
            *most = buffer.min(*most);
        }
        if attempt.thrift == Thrift::None {
            let mut limits = BuildSideLimits::default();
            if memory != usize::MAX {
                // Others run beside it, and a hash table takes more than its rows.
                limits.bytes = memory / 2;
            }
            limits.nodes = nodes;
            config.options_mut().extensions.insert(limits);
        }
        if attempt.local_only {
            // Only this form checks that a scalar subquery gives one row, and it cannot be sent.
            config
                .options_mut()
                .optimizer
                .enable_physical_uncorrelated_scalar_subquery = true;
        }
        let mut small = SmallStages::default();
        small.rows = settings.values().stage_min_rows;
        config.options_mut().extensions.insert(small);
        config.set_distributed_worker_resolver(FixedExecutors(executors));
        Ok(config)
    }
}
