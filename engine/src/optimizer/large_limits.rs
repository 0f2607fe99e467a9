//! Sorts with a large limit sort everything.
//!
//! DataFusion keeps the first rows of a sort with a limit in a heap, which is quick for few rows. For
//! very many it takes many times as long as sorting them all, does not give its thread back
//! meanwhile, and cannot spill.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::limit::{GlobalLimitExec, LocalLimitExec};
use datafusion::physical_plan::sorts::sort::SortExec;

/// The most rows that are kept in a heap.
const HEAP_ROWS_MAX: usize = 100_000;

/// Puts a limit of more than [`HEAP_ROWS_MAX`] rows above its sort. It comes after the rules that
/// push limits into sorts.
#[derive(Debug, Default)]
pub(super) struct LargeLimits;

impl PhysicalOptimizerRule for LargeLimits {
    fn name(&self) -> &str {
        "LargeLimits"
    }

    fn schema_check(&self) -> bool {
        true
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| Ok(limit_above_sort(node))).data()
    }
}

fn limit_above_sort(node: Arc<dyn ExecutionPlan>) -> Transformed<Arc<dyn ExecutionPlan>> {
    let Some(sort) = node.downcast_ref::<SortExec>() else {
        return Transformed::no(node);
    };
    let Some(rows) = sort.fetch().filter(|rows| *rows > HEAP_ROWS_MAX) else {
        return Transformed::no(node);
    };
    let all = Arc::new(sort.with_fetch(None));
    Transformed::yes(if sort.preserve_partitioning() {
        Arc::new(LocalLimitExec::new(all, rows))
    } else {
        Arc::new(GlobalLimitExec::new(all, 0, Some(rows)))
    })
}

#[cfg(test)]
mod tests {
    use datafusion::physical_plan::displayable;
    use datafusion::prelude::{SessionConfig, SessionContext};

    use super::*;

    async fn optimized(limit: usize) -> String {
        let config = SessionConfig::new().with_target_partitions(2);
        let context = SessionContext::new_with_config(config);
        let sql = format!(
            "SELECT value FROM generate_series(1, 10) ORDER BY value DESC LIMIT {limit} OFFSET 5"
        );
        let frame = context.sql(&sql).await.expect("the query is right");
        let plan = frame.create_physical_plan().await.expect("it is planned");
        let plan = LargeLimits
            .optimize(plan, &ConfigOptions::new())
            .expect("it is rebuilt");
        displayable(plan.as_ref()).indent(false).to_string()
    }

    #[tokio::test]
    async fn only_few_rows_are_kept_in_a_heap() {
        let few = optimized(10).await;
        assert!(few.contains("TopK(fetch=15)"), "{few}");
        let many = optimized(HEAP_ROWS_MAX).await;
        assert!(!many.contains("TopK"), "{many}");
        assert!(many.contains("fetch=100005"), "{many}");
        assert!(many.contains("SortExec"), "{many}");
    }
}
