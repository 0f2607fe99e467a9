//! Whether the build sides of a plan's hash joins are likely to fit into memory.
//!
//! DataFusion's hash join keeps its build side in memory and cannot spill. Where the statistics say
//! that it will not fit, the query is planned with joins that can from the start.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode};
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};

/// The bytes on one node of the largest build side, where its size is known or estimated.
///
/// A build side that is partitioned is spread over `nodes`; one that is collected is whole on each.
///
/// # Errors
/// When an operator cannot tell its statistics.
pub(crate) fn largest_build_side(plan: &Arc<dyn ExecutionPlan>, nodes: usize) -> Result<usize> {
    let mut largest = 0;
    plan.apply(|node| {
        if let Some(join) = node.downcast_ref::<HashJoinExec>() {
            let known =
                StatisticsContext::new().compute(join.left().as_ref(), &StatisticsArgs::new())?;
            let bytes = match known.total_byte_size {
                Precision::Exact(bytes) | Precision::Inexact(bytes) => bytes,
                Precision::Absent => 0,
            };
            let share = match join.partition_mode() {
                PartitionMode::Partitioned => bytes / nodes.max(1),
                PartitionMode::CollectLeft | PartitionMode::Auto => bytes,
            };
            largest = largest.max(share);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(largest)
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::{SessionConfig, SessionContext};

    use super::*;

    #[tokio::test]
    async fn the_size_of_a_build_side_is_estimated() {
        let config = SessionConfig::new().with_target_partitions(2);
        let context = SessionContext::new_with_config(config);
        let create =
            "CREATE TABLE t AS SELECT value AS k, value AS v FROM generate_series(1, 10000)";
        let created = context.sql(create).await.expect("it is planned");
        created.collect().await.expect("it runs");
        let sql = "SELECT count(*) FROM t a JOIN t b ON a.k = b.k";
        let frame = context.sql(sql).await.expect("it is planned");
        let plan = frame.create_physical_plan().await.expect("it is planned");
        let bytes = largest_build_side(&plan, 1).expect("it can be told");
        assert!((80_000..400_000).contains(&bytes), "{bytes}");
        let none = context.sql("SELECT 1").await.expect("it is planned");
        let none = none.create_physical_plan().await.expect("it is planned");
        assert_eq!(largest_build_side(&none, 1).expect("it can be told"), 0);
    }
}
