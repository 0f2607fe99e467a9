//! The keys that aggregates are believed to have.
//!
//! Every plan node knows which of its columns determine others. For an aggregate over a join
//! DataFusion takes a key of one side that is among the grouping columns for a key of all groups:
//! `GROUP BY d.k, t.b`, with `d.k` unique in `d` alone, is believed to have one row per `d.k`; and
//! `unnest`, which repeats rows, is believed to keep keys. Rules that trust this drop joins,
//! `DISTINCT` and grouping columns that are needed: silent wrong answers. This rule runs before
//! each of them and states the keys anew. It also writes `DISTINCT` as an aggregate itself, because
//! DataFusion's rule for it believes such keys as it makes them.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{
    DFSchema, DFSchemaRef, Dependency, FunctionalDependence, FunctionalDependencies, Result,
};
use datafusion::logical_expr::{Aggregate, Distinct, Expr, LogicalPlan};
use datafusion::optimizer::OptimizerConfig;

use super::node_rule::NodeRule;

/// Replaces believed keys by those that hold, and `DISTINCT` by an aggregate.
pub(super) const AGGREGATE_KEYS: NodeRule = NodeRule::whole_plan("aggregate_keys", rewrite_node);

fn rewrite_node(
    plan: LogicalPlan,
    _config: &dyn OptimizerConfig,
) -> Result<Transformed<LogicalPlan>> {
    restate(plan)
}

/// From the leaves up: a node above a corrected one derives its own keys again.
fn restate(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let plan = plan.map_subqueries(restate)?;
    let changed_subqueries = plan.transformed;
    let plan = plan.data.map_children(restate)?;
    let derived = match plan.transformed {
        true => Transformed::yes(plan.data.recompute_schema()?),
        false => plan,
    };
    let changed = changed_subqueries || derived.transformed;
    let stated = match derived.data {
        LogicalPlan::Distinct(Distinct::All(input)) if !input.schema().fields().is_empty() => {
            Transformed::yes(without_duplicates(input)?)
        }
        plan => state_keys(plan)?,
    };
    Ok(Transformed::new_transformed(
        stated.data,
        changed || stated.transformed,
    ))
}

/// The node with the keys that follow from its input's.
pub(super) fn state_keys(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    match plan {
        LogicalPlan::Aggregate(mut aggregate) => {
            let keys = keys_of_groups(&aggregate);
            let changed = set_keys(&mut aggregate.schema, keys)?;
            Ok(Transformed::new_transformed(
                LogicalPlan::Aggregate(aggregate),
                changed,
            ))
        }
        LogicalPlan::Unnest(mut unnest) => {
            let changed = set_keys(&mut unnest.schema, FunctionalDependencies::empty())?;
            Ok(Transformed::new_transformed(
                LogicalPlan::Unnest(unnest),
                changed,
            ))
        }
        plan => Ok(Transformed::no(plan)),
    }
}

/// `DISTINCT` as an aggregate, or as nothing where the rows are known to be different.
fn without_duplicates(input: Arc<LogicalPlan>) -> Result<LogicalPlan> {
    let mut keys = input.schema().functional_dependencies().iter();
    if keys
        .any(|key| key.mode == Dependency::Single && (!key.nullable || no_key_is_declared(&input)))
    {
        return Ok(Arc::unwrap_or_clone(input));
    }
    let columns = input
        .schema()
        .columns()
        .into_iter()
        .map(Expr::Column)
        .collect();
    let mut aggregate = Aggregate::try_new(input, columns, vec![])?;
    let keys = keys_of_groups(&aggregate);
    set_keys(&mut aggregate.schema, keys)?;
    Ok(LogicalPlan::Aggregate(aggregate))
}

/// Grouping makes NULL a value like others; a declared unique key may repeat it.
fn no_key_is_declared(plan: &LogicalPlan) -> bool {
    let declares = |node: &LogicalPlan| match node {
        LogicalPlan::TableScan(scan) => scan.source.constraints().is_some_and(|c| !c.is_empty()),
        _ => false,
    };
    !plan.exists(|node| Ok(declares(node))).unwrap_or(true)
}

fn set_keys(schema: &mut DFSchemaRef, keys: FunctionalDependencies) -> Result<bool> {
    if schema.functional_dependencies() == &keys {
        return Ok(false);
    }
    *schema = Arc::new(DFSchema::clone(schema).with_functional_dependencies(keys)?);
    Ok(true)
}

/// All grouping columns together, and each key of the input that determines all of them.
fn keys_of_groups(aggregate: &Aggregate) -> FunctionalDependencies {
    let groups = &aggregate.group_expr;
    if groups.is_empty()
        || groups
            .iter()
            .any(|group| matches!(group, Expr::GroupingSet(_)))
    {
        return FunctionalDependencies::empty();
    }
    let fields = aggregate.schema.fields();
    let all: Vec<usize> = (0..fields.len()).collect();
    let key = |sources: Vec<usize>, nullable| {
        FunctionalDependence::new(sources, all.clone(), nullable).with_mode(Dependency::Single)
    };
    let nullable = fields
        .iter()
        .take(groups.len())
        .any(|field| field.is_nullable());
    let mut keys = vec![key((0..groups.len()).collect(), nullable)];

    let input = aggregate.input.schema();
    let columns: Vec<Option<usize>> = groups
        .iter()
        .map(|group| input.maybe_index_of_column(group.try_as_col()?))
        .collect();
    for known in input.functional_dependencies().iter() {
        let position = |source: &usize| columns.iter().position(|column| *column == Some(*source));
        let Some(sources) = known
            .source_indices
            .iter()
            .map(position)
            .collect::<Option<Vec<_>>>()
        else {
            continue;
        };
        let determined = |column: &Option<usize>| {
            column.is_some_and(|c| {
                known.source_indices.contains(&c) || known.target_indices.contains(&c)
            })
        };
        if sources.len() < groups.len() && columns.iter().all(determined) {
            keys.push(key(sources, known.nullable));
        }
    }
    FunctionalDependencies::new(keys)
}

#[cfg(test)]
mod tests {
    use crate::optimizer::testing::{rows, session_after};

    /// `d.k` is unique in `d`, and not among the groups.
    const GROUPS: &str = "(SELECT d.k, t.b, count(*) AS n FROM t \
                          JOIN (SELECT k FROM t GROUP BY k) AS d ON t.k = d.k GROUP BY d.k, t.b)";

    const TABLE: &str = "CREATE TABLE t(k INT, b INT) AS VALUES (1, 1), (1, 2), (2, 1)";

    #[tokio::test]
    async fn a_key_of_one_side_of_a_join_is_no_key_of_the_groups() {
        let session = session_after(TABLE).await;
        for (sql, answer) in [
            (
                format!("SELECT DISTINCT k FROM {GROUPS} AS g"),
                vec!["1", "2"],
            ),
            (
                format!("SELECT t.b FROM t JOIN {GROUPS} AS g ON t.k = g.k"),
                vec!["1", "1", "1", "2", "2"],
            ),
            (
                format!("SELECT count(t.b) FROM t LEFT JOIN {GROUPS} AS g ON t.k = g.k"),
                vec!["5"],
            ),
            (
                format!("SELECT k, count(*) FROM {GROUPS} AS g GROUP BY k"),
                vec!["1 2", "2 1"],
            ),
            (
                format!("SELECT k, b, sum(n) FROM {GROUPS} AS g GROUP BY k, b"),
                vec!["1 1 1", "1 2 1", "2 1 1"],
            ),
            (
                format!("SELECT k, sum(n) FROM {GROUPS} AS g GROUP BY k HAVING max(b) > 1"),
                vec!["1 2"],
            ),
        ] {
            assert_eq!(rows(&session, &sql).await, answer, "{sql}");
        }
    }

    #[tokio::test]
    async fn unnesting_keeps_no_key() {
        let session = session_after(TABLE).await;
        let unnested =
            "(SELECT k, unnest(v) AS u FROM (SELECT k, array_agg(b) AS v FROM t GROUP BY k))";
        for (sql, answer) in [
            (
                format!("SELECT DISTINCT k FROM {unnested} AS x"),
                ["1", "2"],
            ),
            (
                format!("SELECT k, count(*) FROM {unnested} AS x GROUP BY k"),
                ["1 2", "2 1"],
            ),
        ] {
            assert_eq!(rows(&session, &sql).await, answer, "{sql}");
        }
    }
}
