//! Assembles the sessions of coordinators and executors from the same parts.

use std::sync::Arc;

use datafusion::config::ConfigNonZeroUsize;
use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::SessionConfig;
use datafusion_distributed::DistributedExt;

use super::small_stages::one_task_for_few_rows;
use super::{current_user, prepare, version};
use crate::decimal_sum::sum_function;
use crate::distinct_sketch::distinct_sketch_function;
use crate::functions::{aggregate_functions, scalar_functions};
use crate::optimizer;
use crate::seal::SealCodec;

/// Something that adds plan codecs, planner handlers or functions to every session: a connector.
///
/// Coordinators and executors must be given the same extensions, or a plan made on one could not be
/// read on the other.
pub trait Extension: Send + Sync {
    /// Adds what the extension brings to a session under construction.
    fn configure(&self, builder: SessionStateBuilder) -> SessionStateBuilder;
}

/// Builds every DataFusion session of a process.
#[derive(Clone)]
pub struct SessionFactory {
    extensions: Arc<[Arc<dyn Extension>]>,
}

impl SessionFactory {
    /// A factory whose sessions carry `extensions`.
    pub fn new(extensions: Vec<Arc<dyn Extension>>) -> Self {
        Self {
            extensions: extensions.into(),
        }
    }

    /// The configuration every session starts from.
    pub fn base_config() -> SessionConfig {
        let mut config = SessionConfig::new()
            .with_default_catalog_and_schema("waterbuck", "main")
            .with_create_default_catalog_and_schema(false)
            .with_information_schema(false);
        let options = config.options_mut();
        // Every batch that an exchange inside a task spills gets a file of its own. Several writers
        // would share larger ones, whose reader waits for the end of the first file while what it
        // wants is in the second, and the writers wait for the reader.
        if let Ok(bytes) = ConfigNonZeroUsize::try_new(1) {
            options.execution.max_spill_file_size_bytes = bytes;
        }
        // Row counts from footers decide the join order.
        options.execution.collect_statistics = true;
        optimizer::configure(options);
        options.sql_parser.enable_ident_normalization = true;
        config
    }

    /// A session of a coordinator, without a distributed planner: that is added by the coordinator,
    /// which knows the executors.
    pub fn coordinator(&self, builder: SessionStateBuilder) -> SessionStateBuilder {
        let builder = self.extend(builder.with_default_features());
        builder
            .with_distributed_desired_task_count_handler(one_task_for_few_rows)
            .with_analyzer_rules(optimizer::analyzer_rules())
            .with_optimizer_rules(optimizer::logical_rules())
            .with_physical_optimizer_rules(optimizer::physical_rules())
    }

    /// A session of an executor: it decodes plans and runs them, and never plans. So it goes without
    /// what only planning needs.
    pub fn executor(&self, builder: SessionStateBuilder) -> SessionStateBuilder {
        let mut builder = self
            .extend(builder)
            .with_distributed_worker_plan_rewrite_handler(prepare::prepare_task)
            .with_analyzer_rules(vec![])
            .with_optimizer_rules(vec![])
            .with_physical_optimizer_rules(vec![]);
        let config = builder.config().get_or_insert_with(Self::base_config);
        config
            .options_mut()
            .catalog
            .create_default_catalog_and_schema = false;
        *builder.expr_planners() = None;
        *builder.file_formats() = None;
        builder
    }

    fn extend(&self, builder: SessionStateBuilder) -> SessionStateBuilder {
        let mut builder = builder
            .with_distributed_user_codec(optimizer::ForgetConstantsCodec)
            .with_distributed_user_codec(SealCodec);
        let functions = builder.scalar_functions().get_or_insert_default();
        functions.extend(optimizer::checked_functions());
        functions.push(version::function());
        functions.push(current_user(None));
        functions.extend(scalar_functions());
        let aggregates = builder.aggregate_functions().get_or_insert_default();
        aggregates.extend([distinct_sketch_function(), sum_function()]);
        aggregates.extend(aggregate_functions());
        self.extensions
            .iter()
            .fold(builder, |builder, extension| extension.configure(builder))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use arrow::array::{ArrayRef, RecordBatch, UInt64Array};
    use datafusion::datasource::memory::MemorySourceConfig;
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;
    use datafusion::physical_expr::expressions::col;
    use datafusion::physical_plan::repartition::RepartitionExec;
    use datafusion::physical_plan::{Partitioning, execute_stream_partitioned};
    use datafusion::prelude::SessionContext;
    use futures::StreamExt;
    use tokio::task::JoinSet;

    use super::*;

    const BATCHES: usize = 200;
    const ROWS: usize = 64;

    fn input() -> Vec<RecordBatch> {
        let batch = |number| {
            let values = UInt64Array::from_iter_values((0..).skip(number * ROWS).take(ROWS));
            RecordBatch::try_from_iter([("x", Arc::new(values) as ArrayRef)]).expect("a column")
        };
        (0..BATCHES).map(batch).collect()
    }

    /// Reads an exchange from 4 partitions to 2, of which every batch is spilled.
    async fn exchange_without_memory() -> usize {
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_limit(1, 1.0)
            .build_arc()
            .expect("a runtime");
        let config = SessionFactory::base_config().with_batch_size(16);
        let context = SessionContext::new_with_config_rt(config, runtime);
        let schema = input()[0].schema();
        let inputs = [input(), input(), input(), input()];
        let source =
            MemorySourceConfig::try_new_exec(&inputs, Arc::clone(&schema), None).expect("a source");
        let key = col("x", &schema).expect("the column");
        let exchange = RepartitionExec::try_new(source, Partitioning::Hash(vec![key], 2))
            .expect("an exchange");
        let outputs =
            execute_stream_partitioned(Arc::new(exchange), context.task_ctx()).expect("it starts");
        let mut readers = JoinSet::new();
        for mut rows in outputs {
            readers.spawn(async move {
                let mut count = 0;
                while let Some(batch) = rows.next().await {
                    count += batch.expect("it can spill").num_rows();
                }
                count
            });
        }
        readers.join_all().await.into_iter().sum()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn an_exchange_that_spills_does_not_wait_for_itself() {
        for _ in 0..10 {
            let rows = tokio::time::timeout(Duration::from_secs(30), exchange_without_memory());
            assert_eq!(rows.await.expect("it goes on"), 4 * BATCHES * ROWS);
        }
    }
}
