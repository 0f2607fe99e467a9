//! Operators that stand for others.
//!
//! What runs of a plan may differ from what is shown of it: metrics of a task are matched with the
//! coordinator's plan node by node, so whoever walks the plan must see the operator that was planned.

use std::fmt;
use std::sync::Arc;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, Statistics, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::statistics::{ChildStats, StatisticsArgs};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};

/// What runs in the place of an operator.
pub(super) trait Substitute: fmt::Debug + Send + Sync + Sized + 'static {
    /// The substitute for `plan`, in the place of this one for another plan of its kind.
    ///
    /// # Errors
    /// When it cannot be built.
    fn renewed(&self, plan: &Arc<dyn ExecutionPlan>) -> Result<Self>;

    /// The rows of a partition.
    ///
    /// # Errors
    /// Those of `plan`.
    fn execute(
        &self,
        plan: &Arc<dyn ExecutionPlan>,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream>;

    /// What was measured.
    fn metrics(&self, plan: &Arc<dyn ExecutionPlan>) -> Option<MetricsSet>;
}

/// `plan`, with `substitute` running in its place.
pub(super) fn stand_in<S: Substitute>(
    plan: Arc<dyn ExecutionPlan>,
    substitute: S,
) -> Arc<dyn ExecutionPlan> {
    Arc::new(StandIn { plan, substitute })
}

#[derive(Debug)]
struct StandIn<S> {
    plan: Arc<dyn ExecutionPlan>,
    substitute: S,
}

impl<S: Substitute> DisplayAs for StandIn<S> {
    fn fmt_as(&self, kind: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.plan.fmt_as(kind, f)
    }
}

impl<S: Substitute> ExecutionPlan for StandIn<S> {
    fn name(&self) -> &str {
        self.plan.name()
    }

    fn downcast_delegate(&self) -> Option<&dyn ExecutionPlan> {
        Some(self.plan.as_ref())
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.plan.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.plan.children()
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.plan.apply_expressions(f)
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        self.plan.maintains_input_order()
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let plan = replace_children_if_necessary(Arc::clone(&self.plan), children)?;
        let substitute = self.substitute.renewed(&plan)?;
        Ok(stand_in(plan, substitute))
    }

    /// A recursive query starts its plan again and again, each time with a build side to collect.
    fn reset_state(self: Arc<Self>) -> Result<Arc<dyn ExecutionPlan>> {
        let plan = Arc::clone(&self.plan).reset_state()?;
        let substitute = self.substitute.renewed(&plan)?;
        Ok(stand_in(plan, substitute))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        self.substitute.execute(&self.plan, partition, context)
    }

    fn metrics(&self) -> Option<MetricsSet> {
        self.substitute.metrics(&self.plan)
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        self.plan.child_stats_requests(partition)
    }

    fn statistics_from_inputs(
        &self,
        inputs: &[Arc<Statistics>],
        args: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        self.plan.statistics_from_inputs(inputs, args)
    }
}

/// Changes the rows of an input on their way.
pub(super) type Passage = fn(SendableRecordBatchStream) -> SendableRecordBatchStream;

/// `plan` over inputs whose rows go through `passage`.
///
/// # Errors
/// When the plan cannot be rebuilt.
pub(super) fn with_inputs_through(
    plan: &Arc<dyn ExecutionPlan>,
    passage: Passage,
) -> Result<Arc<dyn ExecutionPlan>> {
    let inputs = plan.children().into_iter().map(|input| {
        let input = Arc::clone(input);
        Arc::new(PassingInput { input, passage }) as _
    });
    let inputs = inputs.collect();
    replace_children_if_necessary(Arc::clone(plan), inputs)
}

#[derive(Debug)]
struct PassingInput {
    input: Arc<dyn ExecutionPlan>,
    passage: Passage,
}

impl DisplayAs for PassingInput {
    fn fmt_as(&self, kind: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.input.fmt_as(kind, f)
    }
}

impl ExecutionPlan for PassingInput {
    fn name(&self) -> &str {
        self.input.name()
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Ok([input]) = <[_; 1]>::try_from(children) else {
            return internal_err!("an input of an operator has one input");
        };
        let passage = self.passage;
        Ok(Arc::new(Self { input, passage }))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let rows = self.input.execute(partition, context)?;
        Ok((self.passage)(rows))
    }
}
