//! How a plan is distributed: its stages and tasks.

use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::physical_plan::ExecutionPlan;
use datafusion_distributed::NetworkBoundaryExt;

/// One stage of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StageShape {
    /// Its number.
    pub stage: u64,
    /// How many tasks it has.
    pub tasks: u64,
}

/// The stages of a plan below the one that merges the result, in the order of their numbers; none
/// when all of it runs on the coordinator.
pub(crate) fn plan_shape(plan: &Arc<dyn ExecutionPlan>) -> Vec<StageShape> {
    let mut stages = vec![];
    let counted = plan.apply(|node| {
        if let Some(boundary) = node.as_network_boundary() {
            let input = boundary.input_stage();
            stages.push(StageShape {
                stage: input.num() as u64,
                tasks: input.task_count() as u64,
            });
        }
        Ok(TreeNodeRecursion::Continue)
    });
    debug_assert!(counted.is_ok(), "the visitor never fails");
    stages.sort_by_key(|shape| shape.stage);
    stages
}
