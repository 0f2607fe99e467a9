//! Joins on `IS NOT DISTINCT FROM`, kept apart from joins on `=`.
//!
//! A join has one setting for all its keys: whether NULL equals NULL. DataFusion's
//! `EliminateCrossJoin` pools the keys of neighbouring inner joins and of the filter above them,
//! `ExtractEquijoinPredicate` adds the equalities of the condition, and both give all keys the
//! setting of one join: an `=` then matches NULLs, a silent wrong answer. This rule runs before
//! either and moves null-safe keys into the join condition, where they keep their meaning;
//! `ExtractEquijoinPredicate`, run again at the end, makes them keys once more.

use datafusion::common::tree_node::Transformed;
use datafusion::common::{NullEquality, Result};
use datafusion::logical_expr::expr::BinaryExpr;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, Join, JoinType, LogicalPlan, Operator};
use datafusion::optimizer::OptimizerConfig;

use super::node_rule::NodeRule;

/// Moves the keys of null-safe joins into their conditions.
pub(super) const OPEN_NULL_SAFE_JOINS: NodeRule =
    NodeRule::top_down("open_null_safe_joins", rewrite_node);

fn rewrite_node(
    plan: LogicalPlan,
    _config: &dyn OptimizerConfig,
) -> Result<Transformed<LogicalPlan>> {
    match plan {
        LogicalPlan::Join(join) if may_be_mixed(&join) => {
            Ok(Transformed::yes(LogicalPlan::Join(open(join))))
        }
        plan => Ok(Transformed::no(plan)),
    }
}

/// Whether a rule to come could add keys of the other kind.
fn may_be_mixed(join: &Join) -> bool {
    join.null_equality == NullEquality::NullEqualsNull
        && !join.on.is_empty()
        && (join.join_type == JoinType::Inner || join.filter.is_some())
}

fn open(join: Join) -> Join {
    let same = |(left, right)| {
        let operator = Operator::IsNotDistinctFrom;
        Expr::BinaryExpr(BinaryExpr::new(Box::new(left), operator, Box::new(right)))
    };
    let conditions = join.on.into_iter().map(same).chain(join.filter);
    Join {
        on: vec![],
        filter: conjunction(conditions),
        null_equality: NullEquality::NullEqualsNothing,
        ..join
    }
}

#[cfg(test)]
mod tests {
    use crate::optimizer::testing::{plan_text, rows, session_after};

    const TABLES: &str = "
        CREATE TABLE a(k INT, s VARCHAR) AS VALUES (1, NULL), (NULL, 'x'), (NULL, NULL)
        CREATE TABLE b(k INT, s VARCHAR) AS VALUES (1, NULL), (NULL, 'x'), (NULL, NULL)";

    #[tokio::test]
    async fn an_equality_beside_a_null_safe_key_matches_no_nulls() {
        let session = session_after(TABLES).await;
        for sql in [
            "SELECT a.k, b.s FROM a JOIN b ON a.s IS NOT DISTINCT FROM b.s WHERE a.k = b.k",
            "SELECT a.k, b.s FROM a RIGHT JOIN b ON a.s IS NOT DISTINCT FROM b.s WHERE a.k = b.k",
            "SELECT a.k, c.s FROM a JOIN b ON a.k = b.k JOIN b AS c ON b.s IS NOT DISTINCT FROM c.s \
             WHERE c.k = 1",
        ] {
            assert_eq!(rows(&session, sql).await, ["1 NULL"], "{sql}");
        }
    }

    #[tokio::test]
    async fn a_null_safe_key_alone_still_makes_a_hash_join() {
        let session = session_after(TABLES).await;
        let sql = "SELECT a.k FROM a JOIN b ON a.s IS NOT DISTINCT FROM b.s";
        assert!(plan_text(&session, sql).await.contains("HashJoinExec"));
        assert_eq!(
            rows(&session, &format!("SELECT count(*) FROM ({sql})")).await,
            ["5"]
        );
    }
}
