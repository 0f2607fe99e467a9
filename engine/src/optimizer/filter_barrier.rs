//! Filters stay above aggregates that have a row even over no rows, and above seals.
//!
//! `PushDownFilter` moves a condition below an aggregate when all its columns are grouping columns. A
//! condition without columns, such as `false`, always passes; below an aggregate without
//! `GROUP BY`, or one with an empty grouping set, it no longer removes the row that these give over
//! nothing: `t LEFT JOIN (SELECT count(*) …) ON false` then joins every row, a silent wrong answer.
//! A pair of these rules stands around `PushDownFilter`: the first puts a limit without bounds above
//! such aggregates, which no filter passes, and the second takes it away.
//!
//! A seal keeps conditions on its columns above it by itself; one without columns, such as `1 / 0 = 1`,
//! would be moved below it, and computed there for rows that the user may not see. This holds in
//! subqueries, too: those of a join's condition are still subqueries when filters are first pushed.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::{Expr, Limit, LogicalPlan};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

use crate::seal::is_seal;

/// Raises or removes the barriers above aggregates that have a row over no rows, and above seals.
#[derive(Debug)]
pub enum FilterBarrier {
    /// Before filters are pushed.
    Raise,
    /// After filters were pushed.
    Remove,
}

impl OptimizerRule for FilterBarrier {
    fn name(&self) -> &str {
        match self {
            Self::Raise => "raise_filter_barrier",
            Self::Remove => "remove_filter_barrier",
        }
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        match self {
            Self::Raise => {
                // The body of a subquery that is still one is pushed into as well. Its own aggregate has
                // to stay where it is, because its shape is checked; above a seal nobody looks.
                let raised = plan.transform_up(|node| raise(node, has_row_over_nothing))?;
                raised.transform_data(|plan| {
                    plan.transform_up_with_subqueries(|node| raise(node, is_seal))
                })
            }
            Self::Remove => plan.transform_up_with_subqueries(remove),
        }
    }
}

fn raise(node: LogicalPlan, above: fn(&LogicalPlan) -> bool) -> Result<Transformed<LogicalPlan>> {
    if !above(&node) {
        return Ok(Transformed::no(node));
    }
    let barrier = Limit {
        skip: None,
        fetch: None,
        input: Arc::new(node),
    };
    Ok(Transformed::yes(LogicalPlan::Limit(barrier)))
}

fn remove(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    match node {
        LogicalPlan::Limit(Limit {
            skip: None,
            fetch: None,
            input,
        }) => Ok(Transformed::yes(Arc::unwrap_or_clone(input))),
        node => Ok(Transformed::no(node)),
    }
}

fn has_row_over_nothing(plan: &LogicalPlan) -> bool {
    let LogicalPlan::Aggregate(aggregate) = plan else {
        return false;
    };
    aggregate.group_expr.is_empty()
        || aggregate
            .group_expr
            .iter()
            .any(|group| matches!(group, Expr::GroupingSet(_)))
}

#[cfg(test)]
mod tests {
    use crate::optimizer::testing::{rows, session_after};

    #[tokio::test]
    async fn a_condition_without_columns_removes_the_row_of_an_aggregate() {
        let session = session_after("CREATE TABLE t(k INT) AS VALUES (1), (2)").await;
        for (sql, answer) in [
            (
                "SELECT k, n FROM t LEFT JOIN (SELECT count(*) AS n FROM t) x ON n IS NULL",
                vec!["1 NULL", "2 NULL"],
            ),
            (
                "SELECT k, m FROM (SELECT max(k) AS m FROM t) x RIGHT JOIN t ON true IS FALSE",
                vec!["1 NULL", "2 NULL"],
            ),
            (
                "SELECT n FROM (SELECT count(*) AS n FROM t) x WHERE (SELECT max(k) FROM t) > 5",
                vec![],
            ),
            (
                "SELECT n FROM (SELECT count(*) AS n FROM t GROUP BY ROLLUP(k)) x WHERE n IS NULL",
                vec![],
            ),
        ] {
            assert_eq!(rows(&session, sql).await, answer, "{sql}");
        }
    }
}
