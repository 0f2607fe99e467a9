//! Constants on the side of an outer join that may come out NULL.
//!
//! In `t LEFT JOIN (SELECT k, true AS found FROM u) u ON …` the column `found` is constant below the
//! join and not above it, where rows without a partner have NULL. DataFusion's joins pass the
//! knowledge on all the same: sorts leave the column out, and aggregates and windows take rows for
//! sorted that are not. `ORDER BY`, `GROUP BY` and `PARTITION BY` over such a column then answer
//! wrongly, without a word. This rule covers the input of the join, so that the join learns nothing
//! that does not hold for its output.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{JoinType, Result};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::joins::{
    HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec, SymmetricHashJoinExec,
};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

use super::forget_constants::ForgetConstantsExec;

/// Covers inputs of outer joins that are known to have constant columns.
#[derive(Debug, Default)]
pub struct NullableConstants;

impl PhysicalOptimizerRule for NullableConstants {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let covered = plan.transform_up(|node| {
            let Some(nullable) = nullable_inputs(&node) else {
                return Ok(Transformed::no(node));
            };
            let mut changed = false;
            let children = node
                .children()
                .into_iter()
                .zip(nullable)
                .map(|(child, nullable)| {
                    if !nullable || !knows_too_much(child) {
                        return Arc::clone(child);
                    }
                    changed = true;
                    Arc::new(ForgetConstantsExec::new(Arc::clone(child)))
                })
                .collect();
            match changed {
                true => replace_children_if_necessary(node, children).map(Transformed::yes),
                false => Ok(Transformed::no(node)),
            }
        })?;
        Ok(covered.data)
    }

    fn name(&self) -> &str {
        "NullableConstants"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Whether each input's columns may come out NULL for want of a partner; `None` for other
/// operators than joins.
fn nullable_inputs(node: &Arc<dyn ExecutionPlan>) -> Option<[bool; 2]> {
    let join_type = if let Some(join) = node.downcast_ref::<HashJoinExec>() {
        *join.join_type()
    } else if let Some(join) = node.downcast_ref::<NestedLoopJoinExec>() {
        *join.join_type()
    } else if let Some(join) = node.downcast_ref::<SortMergeJoinExec>() {
        join.join_type()
    } else {
        *node.downcast_ref::<SymmetricHashJoinExec>()?.join_type()
    };
    match join_type {
        JoinType::Left => Some([false, true]),
        JoinType::Right => Some([true, false]),
        JoinType::Full => Some([true, true]),
        _ => None,
    }
}

/// Whether something is known that NULLs in all columns would make untrue. Two columns known to be
/// equal stay so.
fn knows_too_much(input: &Arc<dyn ExecutionPlan>) -> bool {
    let known = input.equivalence_properties();
    !known.constants().is_empty()
        || known
            .eq_group()
            .iter()
            .any(|class| class.iter().any(|e| !e.is::<Column>()))
}

#[cfg(test)]
mod tests {
    use crate::optimizer::testing::{Cluster, register_files, rows, session_after};

    const TABLES: &str = "
        CREATE TABLE m(k INT) AS VALUES (1), (2), (3)
        CREATE TABLE r(k INT, s VARCHAR) AS VALUES (3, 'c'), (9, 'b'), (3, 'a'), (8, 'a'), (9, 'b')
        SET datafusion.execution.target_partitions = 1
        SET datafusion.execution.batch_size = 2";

    const FOUND: &str = "r LEFT JOIN (SELECT k, true AS found FROM m) x ON r.k = x.k";

    #[tokio::test]
    async fn a_constant_of_the_optional_side_is_grouped_with_its_nulls() {
        let session = session_after(TABLES).await;
        for (sql, answer) in [
            (
                format!("SELECT found, count(*) FROM {FOUND} GROUP BY found"),
                vec!["NULL 3", "true 2"],
            ),
            (
                format!("SELECT s, found, count(*) FROM {FOUND} GROUP BY s, found"),
                vec!["a NULL 1", "a true 1", "b NULL 2", "c true 1"],
            ),
            (
                format!("SELECT s, count(*) OVER (PARTITION BY found) FROM {FOUND}"),
                vec!["a 2", "a 3", "b 3", "b 3", "c 2"],
            ),
            (
                "SELECT id, count(*) FROM r FULL JOIN (SELECT max(k) AS id FROM m) x \
                 ON r.k = x.id GROUP BY id"
                    .to_owned(),
                vec!["3 2", "NULL 3"],
            ),
        ] {
            assert_eq!(rows(&session, &sql).await, answer, "{sql}");
        }
    }

    #[tokio::test]
    async fn a_constant_of_the_optional_side_is_sorted_with_its_nulls() {
        let session = session_after(TABLES).await;
        let sql = format!(
            "SELECT row_number() OVER () AS n, found, s FROM \
             (SELECT found, s FROM {FOUND} ORDER BY found, s LIMIT 4)"
        );
        let sorted = ["1 true a", "2 true c", "3 NULL a", "4 NULL b"];
        assert_eq!(rows(&session, &sql).await, sorted);
    }

    #[tokio::test]
    async fn the_same_holds_in_another_process() {
        let directory = tempfile::tempdir().unwrap();
        let cluster = Cluster::start(3).await;
        let session = cluster.session();
        let files =
            [0, 10, 20].map(|n| format!("SELECT value AS k FROM generate_series({n}, {n} + 9)"));
        let files = files.each_ref().map(String::as_str);
        register_files(&session, directory.path(), "r", &files).await;
        register_files(&session, directory.path(), "m", &files[..1]).await;
        let found = "(SELECT k, true AS found FROM m) x ON r.k = x.k";
        let sql = format!("SELECT found, k % 2, count(*) FROM r LEFT JOIN {found} GROUP BY 1, 2");
        let sql = sql.replace("k % 2", "r.k % 2");
        assert_eq!(
            rows(&session, &sql).await,
            ["NULL 0 10", "NULL 1 10", "true 0 5", "true 1 5"]
        );
    }
}
