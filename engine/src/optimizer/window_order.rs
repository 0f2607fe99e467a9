//! Window operators whose input order is spelled out.
//!
//! Planning leaves out of a sort what it knows to be constant or equal to another column. A window
//! operator finds its partitions in the input order and needs that knowledge again when it starts;
//! but knowledge about columns does not cross an exchange to another process, and the query fails
//! there ("… partition_by().len() == ordered_partition_by_indices.len()"). This rule looks at each
//! window operator as the other process will see it, and where columns are missing from the order
//! puts them back into the sort below.

use std::sync::Arc;

use datafusion::arrow::compute::SortOptions;
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::physical_expr::window::WindowExpr;
use datafusion::physical_expr::{LexOrdering, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::joins::{
    CrossJoinExec, HashJoinExec, NestedLoopJoinExec, PartitionMode,
};
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, InputOrderMode};

type Plan = Arc<dyn ExecutionPlan>;

/// Makes the sorts below window operators name every column the operators look for.
#[derive(Debug, Default)]
pub struct ExplicitWindowOrder;

impl PhysicalOptimizerRule for ExplicitWindowOrder {
    fn optimize(&self, plan: Plan, _config: &ConfigOptions) -> Result<Plan> {
        let rewritten = plan.transform_up(|node| match PartitionOrder::of(&node) {
            Some(wanted) => spell_out(node, &wanted),
            None => Ok(Transformed::no(node)),
        })?;
        Ok(rewritten.data)
    }

    fn name(&self) -> &str {
        "ExplicitWindowOrder"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The order in which a window operator expects its input.
struct PartitionOrder {
    /// The `PARTITION BY` expressions, those the operator finds by order first.
    partition_by: Vec<Arc<dyn PhysicalExpr>>,
    /// How many of them it finds by order.
    ordered: usize,
    order_by: Vec<PhysicalSortExpr>,
}

impl PartitionOrder {
    /// `None` for operators other than windows and for windows that do not rely on order.
    fn of(node: &Plan) -> Option<Self> {
        if let Some(window) = node.downcast_ref::<WindowAggExec>() {
            return Self::new(window.window_expr(), None);
        }
        let window = node.downcast_ref::<BoundedWindowAggExec>()?;
        match &window.input_order_mode {
            InputOrderMode::Sorted => Self::new(window.window_expr(), None),
            InputOrderMode::PartiallySorted(first) => Self::new(window.window_expr(), Some(first)),
            InputOrderMode::Linear => None,
        }
    }

    fn new(windows: &[Arc<dyn WindowExpr>], first: Option<&[usize]>) -> Option<Self> {
        let window = windows.first()?;
        let keys = window.partition_by();
        if keys.is_empty() {
            return None;
        }
        let (ordered, indices) = match first {
            None => (keys.len(), (0..keys.len()).collect()),
            Some(first) => {
                let rest = (0..keys.len()).filter(|index| !first.contains(index));
                (
                    first.len(),
                    first.iter().copied().chain(rest).collect::<Vec<_>>(),
                )
            }
        };
        let partition_by = indices
            .iter()
            .map(|index| Arc::clone(&keys[*index]))
            .collect();
        Some(Self {
            partition_by,
            ordered,
            order_by: window.order_by().to_vec(),
        })
    }

    /// Whether the operator finds its partitions in `input`'s order, in another process.
    fn is_found_in(&self, input: &Plan) -> Result<bool> {
        let keys = &self.partition_by[..self.ordered];
        let properties = as_decoded(input)?;
        let (found, _) = properties
            .equivalence_properties()
            .find_longest_permutation(keys)?;
        Ok(found.len() == keys.len())
    }

    /// The whole order, followed by what the present order adds to it.
    fn complete(&self, present: Option<&LexOrdering>) -> Option<LexOrdering> {
        let present: Vec<_> = present.into_iter().flatten().cloned().collect();
        let options = |key: &Arc<dyn PhysicalExpr>| {
            let sorted = present.iter().find(|sorted| sorted.expr.eq(key));
            sorted.map_or(SortOptions::new(false, false), |sorted| sorted.options)
        };
        let keys = self
            .partition_by
            .iter()
            .map(|key| PhysicalSortExpr::new(Arc::clone(key), options(key)))
            .collect::<Vec<_>>();
        LexOrdering::new(
            keys.into_iter()
                .chain(self.order_by.clone())
                .chain(present.clone()),
        )
    }
}

fn spell_out(node: Plan, wanted: &PartitionOrder) -> Result<Transformed<Plan>> {
    let input = Arc::clone(node.children()[0]);
    if wanted.is_found_in(&input)? {
        return Ok(Transformed::no(node));
    }
    let (unsorted, fetch) = match input.downcast_ref::<SortExec>() {
        Some(sort) => (Arc::clone(sort.input()), sort.fetch()),
        None => (Arc::clone(&input), None),
    };
    let present = input.output_ordering();
    let Some(complete) = wanted.complete(present) else {
        return Ok(Transformed::no(node));
    };
    // Operators above may rely on the present order: the new one has to include it.
    if let Some(present) = present {
        let mut properties = unsorted.equivalence_properties().clone();
        properties.reorder(complete.clone())?;
        if !properties.ordering_satisfy(present.clone())? {
            return Ok(Transformed::no(node));
        }
    }
    let partitioned = unsorted.output_partitioning().partition_count() > 1
        && input.output_partitioning().partition_count() > 1;
    let sort = SortExec::new(complete, unsorted)
        .with_fetch(fetch)
        .with_preserve_partitioning(partitioned);
    Ok(Transformed::yes(replace_children_if_necessary(
        node,
        vec![Arc::new(sort)],
    )?))
}

/// `plan` with everything that may run in another process replaced by a leaf of the same columns
/// about which nothing is known.
fn as_decoded(plan: &Plan) -> Result<Plan> {
    if plan.is::<RepartitionExec>() || plan.is::<CoalescePartitionsExec>() || plan.is::<UnionExec>()
    {
        return Ok(unknown(plan));
    }
    let children = plan.children();
    if children.is_empty() {
        return Ok(Arc::clone(plan));
    }
    let remote_inputs = if plan.is::<SortPreservingMergeExec>() {
        children.len()
    } else {
        usize::from(broadcasts_left_input(plan))
    };
    let decoded = children
        .into_iter()
        .enumerate()
        .map(|(index, child)| match index < remote_inputs {
            true => Ok(unknown(child)),
            false => as_decoded(child),
        })
        .collect::<Result<Vec<_>>>()?;
    replace_children_if_necessary(Arc::clone(plan), decoded)
}

fn broadcasts_left_input(plan: &Plan) -> bool {
    match plan.downcast_ref::<HashJoinExec>() {
        Some(join) => *join.partition_mode() == PartitionMode::CollectLeft,
        None => plan.is::<NestedLoopJoinExec>() || plan.is::<CrossJoinExec>(),
    }
}

fn unknown(plan: &Plan) -> Plan {
    let partitions = plan.output_partitioning().partition_count();
    Arc::new(EmptyExec::new(plan.schema()).with_partitions(partitions))
}

#[cfg(test)]
mod tests {
    use crate::optimizer::testing::{Cluster, register_files, rows, session};

    /// The shape of TPC-DS 47 and 57: a constant among the partition columns, a self-join.
    const RANKED: &str = "
        WITH v AS (
            SELECT a, b, c, d, sum(x) AS s, avg(sum(x)) OVER (PARTITION BY a, b, c) AS mean,
                   rank() OVER (PARTITION BY a, b, c ORDER BY d) AS place
            FROM t WHERE c = 1 GROUP BY a, b, c, d)
        SELECT v.a, v.b, v.c, v.d, v.s, v.mean, v2.s FROM v
        JOIN v AS v2 ON v.a = v2.a AND v.b = v2.b AND v.c = v2.c AND v.place = v2.place + 1";

    #[tokio::test]
    async fn windows_find_their_partitions_in_another_process() {
        let directory = tempfile::tempdir().unwrap();
        let cluster = Cluster::start(3).await;
        let (alone, distributed) = (session(), cluster.session());
        let columns = "value % 3 AS a, value % 2 AS b, value % 4 AS c, value % 5 AS d, value AS x";
        let files = [1, 41, 81].map(|first| {
            format!(
                "SELECT {columns} FROM generate_series({first}, {})",
                first + 39
            )
        });
        let files = files.each_ref().map(String::as_str);
        for session in [&alone, &distributed] {
            register_files(session, directory.path(), "t", &files).await;
        }
        let expected = rows(&alone, RANKED).await;
        assert!(expected.len() > 5);
        assert_eq!(rows(&distributed, RANKED).await, expected);
    }
}
