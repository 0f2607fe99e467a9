//! How a plan is distributed: its stages and tasks.

use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::physical_plan::ExecutionPlan;
use datafusion_distributed::NetworkBoundaryExt;

/// The stages of a plan that run on executors; zero when all of it runs on the coordinator.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct PlanShape {
    /// Stages below the one that merges the result.
    pub(crate) stages: u32,
    /// Tasks of those stages.
    pub(crate) tasks: u32,
}

/// Counts the stages and tasks of a plan.
pub(crate) fn plan_shape(plan: &Arc<dyn ExecutionPlan>) -> PlanShape {
    let mut shape = PlanShape::default();
    let counted = plan.apply(|node| {
        if let Some(boundary) = node.as_network_boundary() {
            shape.stages += 1;
            shape.tasks += u32::try_from(boundary.input_stage().task_count()).unwrap_or(u32::MAX);
        }
        Ok(TreeNodeRecursion::Continue)
    });
    debug_assert!(counted.is_ok(), "the visitor never fails");
    shape
}
