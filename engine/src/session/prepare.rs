//! What is done to a plan before it runs, here or in a task.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::physical_plan::ExecutionPlan;
use datafusion_distributed::{
    NetworkBoundaryExt, WorkerPlanRewriteEvent, WorkerPlanRewriteEventResponse,
};

use super::compact::compact_sort_input;
use super::pausing::pause_join;
use super::task_root::report_task;
use super::task_work::TaskWork;

/// `plan` with joins that pause and sorts that keep no more than their rows. What is below an
/// exchange stays as it is: that runs elsewhere. `options` are those it was planned with.
///
/// # Errors
/// When the plan cannot be rebuilt.
pub fn prepare_plan(
    plan: Arc<dyn ExecutionPlan>,
    options: &ConfigOptions,
) -> Result<Arc<dyn ExecutionPlan>> {
    // Hash joins cannot spill: they are not preferred where others are to.
    let is_to_spill = !options.optimizer.prefer_hash_join;
    let down = |node: Arc<dyn ExecutionPlan>| {
        let below = if node.is_network_boundary() {
            TreeNodeRecursion::Jump
        } else {
            TreeNodeRecursion::Continue
        };
        Ok(Transformed::new(node, false, below))
    };
    let compact = |node| compact_sort_input(node, is_to_spill);
    let up = |node: Arc<dyn ExecutionPlan>| pause_join(node)?.transform_data(compact);
    Ok(plan.transform_down_up(down, up)?.data)
}

/// The handler that prepares every task an executor receives.
///
/// # Errors
/// When the plan cannot be rebuilt.
pub(super) fn prepare_task(
    event: WorkerPlanRewriteEvent<'_>,
) -> Result<WorkerPlanRewriteEventResponse> {
    let plan = prepare_plan(event.plan, event.session_config.options())?;
    let work = event.session_config.get_extension::<TaskWork>();
    let plan = report_task(plan, work)?;
    Ok(WorkerPlanRewriteEventResponse::new(plan))
}
