//! Later stages of small queries are one task.
//!
//! Dealing a few thousand rows out by key to all executors costs more calls than it saves work: every
//! task of the next stage asks every task of the one before. Where all scans below an exchange have
//! few rows together, the stage above it is one task.

use std::sync::Arc;

use datafusion::common::config::ConfigExtension;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, extensions_options};
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use datafusion::physical_plan::{ExecutionPlan, Partitioning};
use datafusion_distributed::{DesiredTaskCountEvent, DesiredTaskCountEventResponse};

extensions_options! {
    /// Which stages are small.
    pub struct SmallStages {
        /// Rows, all scans together, below which the stage above an exchange is one task.
        pub rows: usize, default = 0
    }
}

impl ConfigExtension for SmallStages {
    const PREFIX: &'static str = "small_stages";
}

/// Asks for one task above an exchange of few rows.
pub(super) fn one_task_for_few_rows(
    event: DesiredTaskCountEvent<'_>,
) -> Option<Result<DesiredTaskCountEventResponse>> {
    let options = event.session_config.options();
    let few = options.extensions.get::<SmallStages>()?.rows;
    let is_above_exchange = event.plan.children().into_iter().any(is_exchange);
    if few == 0 || !is_above_exchange {
        return None;
    }
    let rows = rows_read(event.plan)?;
    (rows < few).then(|| Ok(DesiredTaskCountEventResponse::maximum(1)))
}

fn is_exchange(plan: &Arc<dyn ExecutionPlan>) -> bool {
    plan.downcast_ref::<RepartitionExec>()
        .is_some_and(|exchange| matches!(exchange.partitioning(), Partitioning::Hash(..)))
}

/// The rows of all scans below `plan`, before any filter; `None` where one does not know them.
fn rows_read(plan: &Arc<dyn ExecutionPlan>) -> Option<usize> {
    let mut rows = Some(0_usize);
    let statistics = StatisticsContext::new();
    let visited = plan.apply(|node| {
        if node.children().is_empty() {
            let known = statistics.compute(node.as_ref(), &StatisticsArgs::new())?;
            let known = known.num_rows.get_value().copied();
            rows = rows
                .zip(known)
                .map(|(rows, more)| rows.saturating_add(more));
        }
        Ok(match rows {
            Some(_) => TreeNodeRecursion::Continue,
            None => TreeNodeRecursion::Stop,
        })
    });
    visited.ok().and(rows)
}
