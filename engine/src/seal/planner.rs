//! From the logical seal to the physical one.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{LogicalPlan, UserDefinedLogicalNode};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{ExtensionPlanner, PhysicalPlanner};

use super::exec::SealExec;
use super::node::SealNode;

/// Plans seals, and leaves every other node to others.
#[derive(Debug, Clone, Copy, Default)]
pub struct SealPlanner;

#[async_trait]
impl ExtensionPlanner for SealPlanner {
    async fn plan_extension(
        &self,
        _planner: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _logical_inputs: &[&LogicalPlan],
        physical_inputs: &[Arc<dyn ExecutionPlan>],
        _session: &dyn Session,
        _context: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(seal) = node.as_any().downcast_ref::<SealNode>() else {
            return Ok(None);
        };
        let [input] = physical_inputs else {
            return internal_err!("a seal has one input");
        };
        let exec = SealExec::new(seal.name_shown(), Arc::clone(input));
        Ok(Some(Arc::new(exec)))
    }
}
