//! Assembles the sessions of coordinators and executors from the same parts.

use std::sync::Arc;

use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::SessionConfig;
use datafusion_distributed::DistributedExt;

use super::small_stages::one_task_for_few_rows;
use super::{prepare, version};
use crate::decimal_sum::sum_function;
use crate::distinct_sketch::distinct_sketch_function;
use crate::optimizer;

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
        let mut builder = builder.with_distributed_user_codec(optimizer::ForgetConstantsCodec);
        let functions = builder.scalar_functions().get_or_insert_default();
        functions.extend(optimizer::checked_functions());
        functions.push(version::function());
        builder
            .aggregate_functions()
            .get_or_insert_default()
            .extend([distinct_sketch_function(), sum_function()]);
        self.extensions
            .iter()
            .fold(builder, |builder, extension| extension.configure(builder))
    }
}
