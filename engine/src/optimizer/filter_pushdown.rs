//! Physical filter push-down that follows columns by position.
//!
//! DataFusion's `FilterPushdown` lets each operator translate its parent's filters for its
//! children, and the operators look columns up *by name*. Above a join whose sides share a name, a
//! filter such as `b@1 IS DISTINCT FROM b@0` so becomes `b@0 IS DISTINCT FROM b@0`: a silent wrong
//! answer. This rule keeps the operators' own decision of *what* may be pushed, and makes the
//! translation itself, through [`ColumnRoutes`].
//!
//! ```text
//!   parent filters ──► operator says: may go to child k?  ── no ──► stays with the operator
//!                            │ yes
//!                            ▼
//!                      routes translate by index  ── no route ──► stays with the operator
//!                            │
//!                            ▼
//!                         child k  (recursion)  ──► operator takes what the child left over
//! ```
//!
//! Two more doors are closed: a filter never passes an operator with a row limit (it would change
//! which rows are counted), and never becomes a second evaluation of a volatile expression.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::{Result, internal_err};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::projection::ProjectionExpr;
use datafusion::physical_expr_common::physical_expr::is_volatile;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::filter::{FilterExec, FilterExecBuilder};
use datafusion::physical_plan::filter_pushdown::{
    ChildFilterPushdownResult, ChildPushdownResult, FilterPushdownPhase, FilterPushdownPropagation,
    PushedDown, PushedDownPredicate,
};
use datafusion::physical_plan::projection::ProjectionExec;

use super::column_routes::{ColumnRoutes, has_duplicate_names};

type Plan = Arc<dyn ExecutionPlan>;
type Filters = Vec<Arc<dyn PhysicalExpr>>;

/// Takes the place of DataFusion's `FilterPushdown`, in both of its phases.
#[derive(Debug)]
pub struct PositionalFilterPushdown {
    phase: FilterPushdownPhase,
}

impl PositionalFilterPushdown {
    /// The phase that moves the filters of the query itself.
    pub fn before_distribution() -> Self {
        Self {
            phase: FilterPushdownPhase::Pre,
        }
    }

    /// The phase that links joins, top-k sorts and aggregates to scans by dynamic filters.
    pub fn of_dynamic_filters() -> Self {
        Self {
            phase: FilterPushdownPhase::Post,
        }
    }
}

impl PhysicalOptimizerRule for PositionalFilterPushdown {
    fn optimize(&self, plan: Plan, config: &ConfigOptions) -> Result<Plan> {
        let walk = Walk {
            phase: self.phase,
            config,
        };
        Ok(walk.push(&plan, vec![])?.updated_node.unwrap_or(plan))
    }

    fn name(&self) -> &str {
        match self.phase {
            FilterPushdownPhase::Pre => "PositionalFilterPushdown",
            FilterPushdownPhase::Post => "PositionalFilterPushdown(Post)",
        }
    }

    fn schema_check(&self) -> bool {
        true
    }
}

struct Walk<'a> {
    phase: FilterPushdownPhase,
    config: &'a ConfigOptions,
}

/// What one child made of the filters it was offered.
struct ChildOutcome {
    node: Plan,
    /// One entry per parent filter, in the parent's order.
    parent: Vec<PushedDown>,
    /// One entry per filter the operator itself offered, in its order.
    own: Vec<PushedDownPredicate>,
}

impl Walk<'_> {
    /// Offers `filters`, which speak of `node`'s output columns, to `node` and what is below it.
    fn push(&self, node: &Plan, filters: Filters) -> Result<FilterPushdownPropagation<Plan>> {
        if !filters.is_empty() && node.fetch().is_some() {
            return self.push_below_limit(node, filters.len());
        }
        if let Some(split) = self.split_ambiguous_filter(node, &filters)? {
            let mut result = self.push(&split, filters)?;
            result.updated_node.get_or_insert(split);
            return Ok(result);
        }
        let description =
            node.gather_filters_for_pushdown(self.phase, filters.clone(), self.config)?;
        let (offered, own) = (description.parent_filters(), description.self_filters());
        let children = node.children();
        if offered.len() != children.len() || own.len() != children.len() {
            return internal_err!("{} does not answer for each of its children", node.name());
        }
        let mut outcomes = Vec::with_capacity(children.len());
        for (index, (offered, own)) in offered.into_iter().zip(own).enumerate() {
            let routed = route_filters(node, index, &filters, offered)?;
            outcomes.push(self.push_into_child(children[index], routed, own)?);
        }
        self.conclude(node, filters, outcomes)
    }

    /// No filter from above passes a row limit; filters below it are still pushed on.
    fn push_below_limit(
        &self,
        node: &Plan,
        refused: usize,
    ) -> Result<FilterPushdownPropagation<Plan>> {
        let mut result = self.push(node, vec![])?;
        result.filters = vec![PushedDown::No; refused];
        Ok(result)
    }

    /// A `FilterExec` with an embedded projection takes over parent filters by name. Where names
    /// are ambiguous it is taken apart into a projection over a plain filter, which is exact.
    fn split_ambiguous_filter(
        &self,
        node: &Plan,
        filters: &[Arc<dyn PhysicalExpr>],
    ) -> Result<Option<Plan>> {
        let Some(filter) = node.downcast_ref::<FilterExec>() else {
            return Ok(None);
        };
        let Some(kept) = filter.projection().clone() else {
            return Ok(None);
        };
        // Only the first phase makes it take filters over.
        let takes_over = self.phase == FilterPushdownPhase::Pre && !filters.is_empty();
        if !takes_over || !has_duplicate_names(filter.input()) {
            return Ok(None);
        }
        let plain: Plan = Arc::new(
            FilterExecBuilder::from(filter)
                .apply_projection(None)?
                .build()?,
        );
        let schema = plain.schema();
        let columns = kept.iter().map(|index| {
            let name = schema.field(*index).name();
            ProjectionExpr {
                expr: Arc::new(Column::new(name, *index)),
                alias: name.clone(),
            }
        });
        Ok(Some(Arc::new(ProjectionExec::try_new(
            columns,
            Arc::clone(&plain),
        )?)))
    }

    fn push_into_child(
        &self,
        child: &Plan,
        routed: Vec<Option<Arc<dyn PhysicalExpr>>>,
        own: Filters,
    ) -> Result<ChildOutcome> {
        let movable: Vec<bool> = own.iter().map(|filter| !is_volatile(filter)).collect();
        let own_offered = own
            .iter()
            .zip(&movable)
            .filter(|(_, m)| **m)
            .map(|(f, _)| Arc::clone(f));
        let all: Filters = own_offered
            .chain(routed.iter().flatten().cloned())
            .collect();
        let expected = all.len();

        let result = self.push(child, all)?;
        if result.filters.len() != expected {
            return internal_err!("{} does not answer for each filter", child.name());
        }
        let mut answers = result.filters.into_iter();
        let mut next = |offered: bool| match offered {
            true => answers.next().unwrap_or(PushedDown::No),
            false => PushedDown::No,
        };
        let own = own
            .into_iter()
            .zip(movable)
            .map(|(f, m)| next(m).wrap_expression(f))
            .collect();
        let parent = routed.iter().map(|filter| next(filter.is_some())).collect();
        let node = result.updated_node.unwrap_or_else(|| Arc::clone(child));
        Ok(ChildOutcome { node, parent, own })
    }

    /// Puts the new children in place and lets the operator take over what they left.
    fn conclude(
        &self,
        node: &Plan,
        filters: Filters,
        outcomes: Vec<ChildOutcome>,
    ) -> Result<FilterPushdownPropagation<Plan>> {
        let parent_filters = filters
            .into_iter()
            .enumerate()
            .map(|(i, filter)| ChildFilterPushdownResult {
                filter,
                child_results: outcomes.iter().map(|outcome| outcome.parent[i]).collect(),
            })
            .collect();
        let (children, self_filters) = outcomes.into_iter().map(|o| (o.node, o.own)).unzip();
        let updated = replace_children_if_necessary(Arc::clone(node), children)?;
        let result = ChildPushdownResult {
            parent_filters,
            self_filters,
        };
        let mut result = updated.handle_child_pushdown_result(self.phase, result, self.config)?;
        if result.updated_node.is_none() && !Arc::ptr_eq(&updated, node) {
            result.updated_node = Some(updated);
        }
        Ok(result)
    }
}

/// The filters that may go into child number `child_index`, over that child's columns: `None`
/// where the operator refuses (`offered`) or the columns cannot be followed.
fn route_filters(
    node: &Plan,
    child_index: usize,
    filters: &[Arc<dyn PhysicalExpr>],
    offered: Vec<PushedDownPredicate>,
) -> Result<Vec<Option<Arc<dyn PhysicalExpr>>>> {
    if offered.len() != filters.len() {
        return internal_err!("{} does not answer for each filter", node.name());
    }
    let routes = ColumnRoutes::new(node, child_index);
    let unambiguous = node
        .children()
        .iter()
        .all(|child| !has_duplicate_names(child))
        && !has_duplicate_names(node);
    let mut routed = Vec::with_capacity(filters.len());
    for (filter, offered) in filters.iter().zip(offered) {
        routed.push(match (&routes, offered.discriminant) {
            (_, PushedDown::No) => None,
            _ if is_volatile(filter) => None,
            (Some(routes), PushedDown::Yes) => routes.rewrite(filter)?,
            // An operator of another crate: its own translation by name is right if no name is
            // used twice.
            (None, PushedDown::Yes) if unambiguous => Some(offered.predicate),
            (None, PushedDown::Yes) => None,
        });
    }
    Ok(routed)
}

#[cfg(test)]
mod tests {
    use crate::optimizer::testing::{
        plan_text, register_files, rows, session, session_after, stock_session,
    };

    const SAME_NAMES: &str = "
        CREATE TABLE l(id INT, b BOOLEAN) AS VALUES (11, true)
        CREATE TABLE r(id INT, b BOOLEAN) AS VALUES (1, true), (2, false)";

    #[tokio::test]
    async fn a_filter_above_an_outer_join_tells_same_named_columns_apart() {
        let session = session_after(SAME_NAMES).await;
        for (condition, kept) in [
            ("r.id <> 9 AND (r.b IS DISTINCT FROM l.b)", "2"),
            ("r.id <> 9 AND (r.b IS NOT DISTINCT FROM l.b)", "0"),
            ("coalesce(l.b, false) = coalesce(r.b, false)", "1"),
        ] {
            let sql =
                format!("SELECT count(*) FROM l RIGHT JOIN r ON l.id = r.id WHERE {condition}");
            assert_eq!(rows(&session, &sql).await, [kept], "{condition}");
        }
    }

    #[tokio::test]
    async fn a_condition_on_a_semi_joins_key_reaches_the_partners_key_not_its_namesake() {
        let session = session_after(
            "CREATE TABLE t(a INT, b INT) AS VALUES (1, 10), (2, 20)
             CREATE TABLE s(a INT, x INT) AS VALUES (7, 1), (8, 2)",
        )
        .await;
        let sql = "SELECT b FROM t LEFT SEMI JOIN s ON t.a = s.x AND s.a > 6 WHERE t.a + 0 = 1";
        assert_eq!(rows(&session, sql).await, ["10"]);
    }

    #[tokio::test]
    async fn a_filter_stays_above_a_row_limit() {
        let directory = tempfile::tempdir().unwrap();
        let session = session();
        let sorted = "SELECT value AS x, 100 - value AS y FROM generate_series(1, 50) ORDER BY x";
        register_files(&session, directory.path(), "t", &[sorted]).await;
        let limited = "SELECT * FROM (SELECT x, y FROM t ORDER BY x LIMIT 5) ";
        assert!(
            rows(&session, &format!("{limited} WHERE x > 5"))
                .await
                .is_empty()
        );
        let smallest = format!("{limited} ORDER BY y LIMIT 2");
        assert_eq!(rows(&session, &smallest).await, ["4 96", "5 95"]);
    }

    #[tokio::test]
    async fn plans_without_same_names_are_datafusions_own() {
        let directory = tempfile::tempdir().unwrap();
        let (ours, stock) = (session(), stock_session());
        for session in [&ours, &stock] {
            let facts = "SELECT value AS f_key, value % 10 AS f_dim FROM generate_series(1, 100)";
            register_files(session, directory.path(), "facts", &[facts, facts]).await;
            let dims = "SELECT value AS d_key, value % 3 AS d_kind FROM generate_series(1, 10)";
            register_files(session, directory.path(), "dims", &[dims]).await;
        }
        for sql in [
            "SELECT f_key FROM facts JOIN dims ON f_dim = d_key WHERE d_kind = 1",
            "SELECT f_key, d_kind FROM facts LEFT JOIN dims ON f_dim = d_key WHERE f_key > 7",
            "SELECT f_dim, count(*) FROM facts WHERE f_key > 3 GROUP BY f_dim HAVING f_dim > 2",
            "SELECT f_key FROM facts ORDER BY f_key DESC LIMIT 3",
            "SELECT f_key FROM facts WHERE f_dim IN (SELECT d_key FROM dims WHERE d_kind = 2)",
        ] {
            let plan = plan_text(&ours, sql).await;
            assert_eq!(plan, plan_text(&stock, sql).await, "{sql}");
        }
        let joined = "SELECT f_key FROM facts JOIN dims ON f_dim = d_key WHERE d_kind = 1";
        assert!(plan_text(&ours, joined).await.contains("DynamicFilter"));
    }
}
