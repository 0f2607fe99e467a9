//! Aggregates whose grouping columns share a name.
//!
//! When a join above wants the groups in another order, `EnsureRequirements` reorders the two
//! halves of an aggregate and restores the columns by name: grouped by `l.b` and `r.b`, both
//! become the same column, a silent wrong answer. It only does so for a final aggregate directly
//! above its partial one. This rule puts a projection between them where names are ambiguous; it
//! changes nothing, and `ProjectionPushdown` removes it afterwards.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::projection::ProjectionExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::projection::ProjectionExec;

use super::column_routes::has_duplicate_names;

/// Keeps the grouping columns of ambiguous aggregates in their order.
#[derive(Debug, Default)]
pub struct AmbiguousGroupNames;

impl PhysicalOptimizerRule for AmbiguousGroupNames {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let rewritten = plan.transform_up(|node| {
            let Some(aggregate) = node.downcast_ref::<AggregateExec>() else {
                return Ok(Transformed::no(node));
            };
            let partial = aggregate.input();
            if !partial.is::<AggregateExec>() || !has_duplicate_names(&node) {
                return Ok(Transformed::no(node));
            }
            let schema = partial.schema();
            let columns = schema
                .fields()
                .iter()
                .enumerate()
                .map(|(index, field)| ProjectionExpr {
                    expr: Arc::new(Column::new(field.name(), index)),
                    alias: field.name().clone(),
                });
            let same = Arc::new(ProjectionExec::try_new(columns, Arc::clone(partial))?);
            Ok(Transformed::yes(replace_children_if_necessary(
                node,
                vec![same],
            )?))
        })?;
        Ok(rewritten.data)
    }

    fn name(&self) -> &str {
        "AmbiguousGroupNames"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use crate::optimizer::testing::{rows, session_after};

    #[tokio::test]
    async fn same_named_grouping_columns_keep_their_values_below_a_join() {
        let session = session_after(
            "CREATE TABLE t(a INT, b INT) AS VALUES (1, 10), (2, 20)
             CREATE TABLE s(a INT, b INT) AS VALUES (1, 100), (2, 200)
             CREATE TABLE y(a INT, b INT) AS VALUES (10, 100), (20, 200), (10, 200)
             SET datafusion.optimizer.hash_join_single_partition_threshold = 0
             SET datafusion.optimizer.hash_join_single_partition_threshold_rows = 0",
        )
        .await;
        let grouped = "SELECT t.b AS p, s.b AS q, count(*) AS n FROM t JOIN s ON t.a = s.a \
                       GROUP BY t.b, s.b";
        let sql = format!("SELECT p, q, n FROM ({grouped}) x JOIN y ON x.q = y.b AND x.p = y.a");
        assert_eq!(rows(&session, &sql).await, ["10 100 1", "20 200 1"]);
    }
}
