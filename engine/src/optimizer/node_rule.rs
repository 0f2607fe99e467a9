//! A logical rule that is a function.

use std::fmt;

use datafusion::common::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

type Rewrite = fn(LogicalPlan, &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>>;

/// A rule made of its name and what it does to a node, or to a whole plan.
#[derive(Clone, Copy)]
pub(super) struct NodeRule {
    name: &'static str,
    /// `None` gives it the whole plan.
    order: Option<ApplyOrder>,
    rewrite: Rewrite,
}

impl NodeRule {
    /// A rule for every node, the leaves first.
    pub(super) const fn bottom_up(name: &'static str, rewrite: Rewrite) -> Self {
        Self {
            name,
            order: Some(ApplyOrder::BottomUp),
            rewrite,
        }
    }

    /// A rule for every node, the root first.
    pub(super) const fn top_down(name: &'static str, rewrite: Rewrite) -> Self {
        Self {
            name,
            order: Some(ApplyOrder::TopDown),
            rewrite,
        }
    }

    /// A rule that walks the plan itself.
    pub(super) const fn whole_plan(name: &'static str, rewrite: Rewrite) -> Self {
        Self {
            name,
            order: None,
            rewrite,
        }
    }
}

impl fmt::Debug for NodeRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NodeRule").field(&self.name).finish()
    }
}

impl OptimizerRule for NodeRule {
    fn name(&self) -> &str {
        self.name
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.order
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        (self.rewrite)(plan, config)
    }
}
