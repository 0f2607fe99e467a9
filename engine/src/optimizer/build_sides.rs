//! Refuses a plan whose hash joins are not expected to fit into memory.
//!
//! DataFusion's hash join keeps its build side in memory and cannot spill. Where the statistics say
//! that it will not fit, planning ends with the error that memory ran out, as running the plan would
//! have: whoever planned then plans again with joins that spill.

use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::common::config::{ConfigExtension, ConfigOptions};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result, extensions_options};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode};
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};

/// Texts and nested values have no width of their own.
const TEXT_WIDTH: usize = 32;

extensions_options! {
    /// What the rule measures plans by.
    pub struct BuildSideLimits {
        /// Most bytes of one build side on one node; 0 means that nothing is measured.
        pub bytes: usize, default = 0
        /// Nodes over which a build side is spread when it is split by key.
        pub nodes: usize, default = 1
    }
}

impl ConfigExtension for BuildSideLimits {
    const PREFIX: &'static str = "build_sides";
}

/// Fails with `ResourcesExhausted` when a build side is estimated to be larger than
/// [`BuildSideLimits`] allow. Without statistics nothing is expected.
#[derive(Debug, Default)]
pub struct BuildSides;

impl PhysicalOptimizerRule for BuildSides {
    fn name(&self) -> &str {
        "BuildSides"
    }

    fn schema_check(&self) -> bool {
        true
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let limits = config.extensions.get::<BuildSideLimits>();
        if let Some(limits) = limits.filter(|limits| limits.bytes > 0) {
            plan.apply(|node| check(node, limits))?;
        }
        Ok(plan)
    }
}

fn check(node: &Arc<dyn ExecutionPlan>, limits: &BuildSideLimits) -> Result<TreeNodeRecursion> {
    let Some(join) = node.downcast_ref::<HashJoinExec>() else {
        return Ok(TreeNodeRecursion::Continue);
    };
    let whole = size_of(join.left())?;
    let bytes = match join.partition_mode() {
        PartitionMode::Partitioned => whole / limits.nodes.max(1),
        PartitionMode::CollectLeft | PartitionMode::Auto => whole,
    };
    if bytes > limits.bytes {
        return Err(DataFusionError::ResourcesExhausted(format!(
            "the build side of a hash join is expected to take {bytes} bytes"
        )));
    }
    Ok(TreeNodeRecursion::Continue)
}

fn size_of(plan: &Arc<dyn ExecutionPlan>) -> Result<usize> {
    let known = StatisticsContext::new().compute(plan.as_ref(), &StatisticsArgs::new())?;
    let rows = known.num_rows.get_value().copied().unwrap_or(0);
    let by_rows = rows.saturating_mul(row_width(&plan.schema()));
    Ok(known
        .total_byte_size
        .get_value()
        .copied()
        .unwrap_or(by_rows))
}

fn row_width(schema: &Schema) -> usize {
    let widths = schema.fields().iter();
    widths
        .map(|field| field.data_type().primitive_width().unwrap_or(TEXT_WIDTH))
        .sum()
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::SessionContext;

    use super::super::testing::session_after;
    use super::*;

    async fn planned(session: &SessionContext, bytes: usize) -> Result<Arc<dyn ExecutionPlan>> {
        let sql = "SELECT count(*) FROM t a JOIN t b ON a.k = b.k";
        let state = session.state();
        let plan = session.sql(sql).await?.create_physical_plan().await?;
        let mut options = ConfigOptions::clone(state.config_options());
        options
            .extensions
            .insert(BuildSideLimits { bytes, nodes: 1 });
        BuildSides.optimize(plan, &options)
    }

    #[tokio::test]
    async fn a_build_side_beyond_the_limit_is_refused() {
        let set_up = "CREATE TABLE t AS SELECT value AS k FROM generate_series(1, 10000)";
        let session = session_after(set_up).await;
        let error = planned(&session, 10_000)
            .await
            .expect_err("80 kB do not fit");
        assert!(
            matches!(error, DataFusionError::ResourcesExhausted(_)),
            "{error}"
        );
        planned(&session, 1_000_000).await.expect("it fits");
        planned(&session, 0).await.expect("nothing is measured");
    }
}
