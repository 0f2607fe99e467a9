//! Where each output column of a physical operator comes from, by position.
//!
//! Physical columns carry a name and an index, but only the index says which column is meant: the
//! output of a join has a `b` from either side. Everything that moves an expression from above an
//! operator to below it goes through these routes and never looks a name up in a schema.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{JoinSide, JoinType, Result};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr_common::physical_expr::is_volatile;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::buffer::BufferExec;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::joins::utils::build_join_schema;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::union::UnionExec;

use super::forget_constants::ForgetConstantsExec;

/// For one child of an operator: the expression over the child's columns that equals each output
/// column of the operator, or `None` where the column does not come from this child alone.
pub(super) struct ColumnRoutes(Vec<Option<Arc<dyn PhysicalExpr>>>);

impl ColumnRoutes {
    /// The routes from `node` into its child number `child_index`, or `None` when the operator is
    /// not one whose columns this module knows.
    pub(super) fn new(node: &Arc<dyn ExecutionPlan>, child_index: usize) -> Option<Self> {
        let child = Arc::clone(node.children().get(child_index)?);
        if let Some(filter) = node.downcast_ref::<FilterExec>() {
            return Some(match filter.projection() {
                Some(kept) => Self(kept.iter().map(|i| column(&child, *i)).collect()),
                None => Self::identity(&child),
            });
        }
        if let Some(projection) = node.downcast_ref::<ProjectionExec>() {
            let expressions = projection.expr().iter();
            return Some(Self(
                expressions.map(|e| Some(Arc::clone(&e.expr))).collect(),
            ));
        }
        if let Some(join) = node.downcast_ref::<HashJoinExec>() {
            return Some(Self::of_hash_join(join, child_index));
        }
        if let Some(aggregate) = node.downcast_ref::<AggregateExec>() {
            let mut routes = vec![None; node.schema().fields().len()];
            for (route, (group, _)) in routes.iter_mut().zip(aggregate.group_expr().expr()) {
                *route = Some(Arc::clone(group));
            }
            return Some(Self(routes));
        }
        passes_columns_through(node).then(|| Self::identity(&child))
    }

    /// `expression` over the operator's output, rewritten over the child's columns; `None` when
    /// one of its columns does not come from this child, or when the rewritten form would be
    /// evaluated apart from a volatile expression that produced the column.
    pub(super) fn rewrite(
        &self,
        expression: &Arc<dyn PhysicalExpr>,
    ) -> Result<Option<Arc<dyn PhysicalExpr>>> {
        let mut routed = true;
        let rewritten = Arc::clone(expression)
            .transform_down(|e| {
                let Some(column) = e.downcast_ref::<Column>() else {
                    return Ok(Transformed::no(e));
                };
                match self.0.get(column.index()) {
                    // The replacement speaks of the child's columns: it is not visited again.
                    Some(Some(route)) => Ok(Transformed::new(
                        Arc::clone(route),
                        true,
                        TreeNodeRecursion::Jump,
                    )),
                    _ => {
                        routed = false;
                        Ok(Transformed::new(e, false, TreeNodeRecursion::Stop))
                    }
                }
            })?
            .data;
        Ok((routed && !contains_volatile(&rewritten)?).then_some(rewritten))
    }

    fn identity(child: &Arc<dyn ExecutionPlan>) -> Self {
        Self(
            (0..child.schema().fields().len())
                .map(|i| column(child, i))
                .collect(),
        )
    }

    fn of_hash_join(join: &HashJoinExec, child_index: usize) -> Self {
        let (side, child) = match child_index {
            0 => (JoinSide::Left, join.left()),
            _ => (JoinSide::Right, join.right()),
        };
        let (_, sources) = build_join_schema(
            &join.left().schema(),
            &join.right().schema(),
            join.join_type(),
        );
        let route = |output: usize| {
            let source = sources.get(output)?;
            if source.side == side {
                return column(child, source.index);
            }
            semi_join_key(join, side, source.side, source.index)
        };
        match join.projection.as_ref() {
            Some(kept) => Self(kept.iter().map(|i| route(*i)).collect()),
            None => Self((0..sources.len()).map(route).collect()),
        }
    }
}

/// Whether `expression` may give another value each time it is evaluated on the same row.
pub(super) fn contains_volatile(expression: &Arc<dyn PhysicalExpr>) -> Result<bool> {
    expression.exists(|e| Ok(is_volatile(e)))
}

/// Whether two columns of `node`'s output have the same name.
pub(super) fn has_duplicate_names(node: &Arc<dyn ExecutionPlan>) -> bool {
    let schema = node.schema();
    let mut names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
    names.sort_unstable();
    names.windows(2).any(|pair| pair[0] == pair[1])
}

/// Every row a semi join keeps has a partner with an equal key, so that a condition on the key of
/// the kept side holds for the partner's key too.
fn semi_join_key(
    join: &HashJoinExec,
    wanted: JoinSide,
    kept: JoinSide,
    kept_index: usize,
) -> Option<Arc<dyn PhysicalExpr>> {
    let semi = match join.join_type() {
        JoinType::LeftSemi => kept == JoinSide::Left && wanted == JoinSide::Right,
        JoinType::RightSemi => kept == JoinSide::Right && wanted == JoinSide::Left,
        _ => false,
    };
    if !semi {
        return None;
    }
    join.on().iter().find_map(|(left, right)| {
        let (own, other) = if kept == JoinSide::Left {
            (left, right)
        } else {
            (right, left)
        };
        let own = own.downcast_ref::<Column>()?;
        (own.index() == kept_index && other.is::<Column>()).then(|| Arc::clone(other))
    })
}

fn passes_columns_through(node: &Arc<dyn ExecutionPlan>) -> bool {
    node.is::<RepartitionExec>()
        || node.is::<CoalescePartitionsExec>()
        || node.is::<SortExec>()
        || node.is::<CooperativeExec>()
        || node.is::<BufferExec>()
        || node.is::<UnionExec>()
        || node.is::<ForgetConstantsExec>()
}

fn column(child: &Arc<dyn ExecutionPlan>, index: usize) -> Option<Arc<dyn PhysicalExpr>> {
    let schema = child.schema();
    let field = schema.fields().get(index)?;
    Some(Arc::new(Column::new(field.name(), index)))
}
