//! The types of outer columns inside subqueries.
//!
//! A subquery notes the type of an outer column when it is parsed. Type coercion may then widen
//! that column (the branches of a `UNION` agree on one type), and the subquery goes on comparing
//! with the narrow one: the query ends in an error about types at run time. This rule runs after
//! type coercion, tells subqueries the final types and coerces their expressions anew.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, ExprSchema, Result};
use datafusion::logical_expr::expr::{Exists, InSubquery, SetComparison};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, LogicalPlan, Subquery};
use datafusion::optimizer::AnalyzerRule;
use datafusion::optimizer::analyzer::type_coercion::TypeCoercion;

/// Gives the columns of outer queries their final types inside subqueries.
#[derive(Debug, Default)]
pub struct OuterColumnTypes;

impl AnalyzerRule for OuterColumnTypes {
    fn name(&self) -> &str {
        "outer_column_types"
    }

    fn analyze(&self, plan: LogicalPlan, config: &ConfigOptions) -> Result<LogicalPlan> {
        let refreshed = plan.transform_down_with_subqueries(|node| refresh_node(node, config))?;
        match refreshed.transformed {
            true => TypeCoercion::new().analyze(refreshed.data, config),
            false => Ok(refreshed.data),
        }
    }
}

fn refresh_node(node: LogicalPlan, config: &ConfigOptions) -> Result<Transformed<LogicalPlan>> {
    let schema = merge_schema(&node.inputs());
    node.map_expressions(|expr| {
        expr.transform_up(|e| match e {
            Expr::ScalarSubquery(subquery) => {
                Ok(refresh(subquery, &schema, config)?.update_data(Expr::ScalarSubquery))
            }
            Expr::Exists(Exists { subquery, negated }) => Ok(refresh(subquery, &schema, config)?
                .update_data(|subquery| Expr::Exists(Exists { subquery, negated }))),
            Expr::InSubquery(InSubquery {
                expr,
                subquery,
                negated,
            }) => Ok(refresh(subquery, &schema, config)?.update_data(|subquery| {
                Expr::InSubquery(InSubquery {
                    expr,
                    subquery,
                    negated,
                })
            })),
            Expr::SetComparison(SetComparison {
                expr,
                subquery,
                op,
                quantifier,
            }) => Ok(refresh(subquery, &schema, config)?.update_data(|subquery| {
                Expr::SetComparison(SetComparison {
                    expr,
                    subquery,
                    op,
                    quantifier,
                })
            })),
            other => Ok(Transformed::no(other)),
        })
    })
}

fn refresh(
    subquery: Subquery,
    outer: &DFSchema,
    config: &ConfigOptions,
) -> Result<Transformed<Subquery>> {
    if subquery.outer_ref_columns.is_empty() {
        return Ok(Transformed::no(subquery));
    }
    let plan = subquery.subquery.as_ref().clone();
    let refreshed = plan.transform_down(|node| {
        node.map_expressions(|expr| expr.transform_up(|e| Ok(refresh_column(e, outer))))
    })?;
    if !refreshed.transformed {
        return Ok(Transformed::no(subquery));
    }
    let plan = TypeCoercion::new().analyze(refreshed.data.recompute_schema()?, config)?;
    let outer_ref_columns = plan.all_out_ref_exprs();
    Ok(Transformed::yes(Subquery {
        subquery: Arc::new(plan),
        outer_ref_columns,
        ..subquery
    }))
}

fn refresh_column(expr: Expr, outer: &DFSchema) -> Transformed<Expr> {
    match expr {
        Expr::OuterReferenceColumn(known, column) => match outer.field_from_column(&column) {
            Ok(field) if field.data_type() != known.data_type() => {
                Transformed::yes(Expr::OuterReferenceColumn(Arc::clone(field), column))
            }
            _ => Transformed::no(Expr::OuterReferenceColumn(known, column)),
        },
        other => Transformed::no(other),
    }
}

#[cfg(test)]
mod tests {
    use crate::optimizer::testing::{rows, session_after};

    #[tokio::test]
    async fn a_subquery_compares_with_the_widened_type_of_an_outer_column() {
        let session = session_after(
            "CREATE TABLE t(k INT) AS VALUES (1), (2)
             CREATE TABLE i(k INT, b BOOLEAN) AS VALUES (1, true), (5, false)",
        )
        .await;
        let outer = "(SELECT k FROM t UNION ALL SELECT count(*) FROM t) AS o";
        for (condition, kept) in [
            (
                "EXISTS (SELECT 1 FROM i WHERE i.k <> o.k AND i.b)",
                vec!["2", "2"],
            ),
            ("k = (SELECT max(i.k) FROM i WHERE i.k = o.k)", vec!["1"]),
        ] {
            let sql = format!("SELECT k FROM {outer} WHERE {condition}");
            assert_eq!(rows(&session, &sql).await, kept, "{condition}");
        }
    }
}
