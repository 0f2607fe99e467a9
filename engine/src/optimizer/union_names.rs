//! Branches of a `UNION` under the names of the union.
//!
//! When all branches but one turn out empty, DataFusion puts the last one in the union's place and
//! finds its columns *by name*: for `SELECT a, b … UNION ALL SELECT DISTINCT b, a …` the columns
//! come out exchanged, and with other names planning fails. This rule runs first and gives every
//! branch the union's names by position, so that names and positions mean the same.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, Projection, Union};
use datafusion::optimizer::OptimizerConfig;

use super::node_rule::NodeRule;

/// Renames the columns of union branches to those of the union.
pub(super) const UNION_BRANCH_NAMES: NodeRule =
    NodeRule::top_down("union_branch_names", rewrite_node);

fn rewrite_node(
    plan: LogicalPlan,
    _config: &dyn OptimizerConfig,
) -> Result<Transformed<LogicalPlan>> {
    let LogicalPlan::Union(union) = plan else {
        return Ok(Transformed::no(plan));
    };
    if union
        .inputs
        .iter()
        .all(|branch| has_names_of(&union, branch))
    {
        return Ok(Transformed::no(LogicalPlan::Union(union)));
    }
    let inputs = union
        .inputs
        .iter()
        .map(|branch| match has_names_of(&union, branch) {
            true => Ok(Arc::clone(branch)),
            false => renamed(&union, branch),
        })
        .collect::<Result<_>>()?;
    Ok(Transformed::yes(LogicalPlan::Union(Union {
        inputs,
        schema: union.schema,
    })))
}

fn has_names_of(union: &Union, branch: &LogicalPlan) -> bool {
    union.schema.field_names().len() == branch.schema().fields().len()
        && union
            .schema
            .fields()
            .iter()
            .zip(branch.schema().fields())
            .all(|(a, b)| a.name() == b.name())
}

fn renamed(union: &Union, branch: &Arc<LogicalPlan>) -> Result<Arc<LogicalPlan>> {
    let columns = branch
        .schema()
        .iter()
        .zip(union.schema.iter())
        .map(|((qualifier, field), (union_qualifier, union_field))| {
            let column = Expr::Column(Column::from((qualifier, field)));
            column.alias_qualified(union_qualifier.cloned(), union_field.name())
        })
        .collect();
    let projection = Projection::try_new(columns, Arc::clone(branch))?;
    Ok(Arc::new(LogicalPlan::Projection(projection)))
}

#[cfg(test)]
mod tests {
    use crate::optimizer::testing::{rows, session_after};

    #[tokio::test]
    async fn an_empty_branch_leaves_the_others_columns_in_their_places() {
        let session = session_after("CREATE TABLE t(a INT, b INT) AS VALUES (1, 10)").await;
        for sql in [
            "SELECT * FROM (SELECT a, b FROM t WHERE false UNION ALL SELECT DISTINCT b, a FROM t) x",
            "SELECT a, b FROM (SELECT a, b FROM t WHERE false UNION ALL \
             SELECT DISTINCT b AS p, a AS q FROM t) x",
        ] {
            assert_eq!(rows(&session, sql).await, ["10 1"], "{sql}");
        }
    }

    #[tokio::test]
    async fn a_filter_above_a_union_goes_by_position() {
        let session =
            session_after("CREATE TABLE t(a INT, b INT) AS VALUES (1, 10), (2, 20)").await;
        let sql = "SELECT * FROM (SELECT a, b FROM t UNION ALL SELECT b, a FROM t) u WHERE a > 5";
        assert_eq!(rows(&session, sql).await, ["10 1", "20 2"]);
    }
}
