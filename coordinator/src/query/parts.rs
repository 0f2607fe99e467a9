//! Results in parts: each task of a query's last stage is read by itself.
//!
//! ```text
//!   one endpoint                     parts
//!   DistributedExec                  DistributedExec ── ends when all parts were read
//!     CoalescePartitionsExec           PartsExec ────── hands out the tasks below it
//!       NetworkCoalesceExec              NetworkCoalesceExec
//! ```
//! Parts come without an order, so only plans that put tasks together as they come are read so;
//! others, such as those with a sort on top, are read whole. Once parts are handed out nothing is
//! held back any more and the query cannot be run again unnoticed: a lost executor, or a reader who
//! goes away, ends all parts with an error.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::execution_plan::{
    Boundedness, EmissionType, replace_children_if_necessary,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning,
    PlanProperties,
};
use datafusion_distributed::{DistributedExec, NetworkBoundaryExt, NetworkCoalesceExec, Stage};
use futures::{StreamExt, stream};
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use url::Url;
use waterbuck_results::merge::merged;

use super::parts_read::{ReadHere, read_here};
use crate::result_parts::{ResultPart, TaskResult};

/// Where the parts of a result are given out.
pub(super) enum Place {
    /// Here, and so it is known here how far their readers are.
    Here(Arc<ReadHere>),
    /// On the executors, which clients reach at these locations.
    There(BTreeMap<Url, String>),
}

/// What is handed out, and until when.
pub(super) struct Handing {
    place: Place,
    parts: Mutex<Option<oneshot::Sender<Vec<ResultPart>>>>,
    /// Cancelled when all parts were read.
    pub(super) read: CancellationToken,
}

impl Handing {
    /// Hands out at `place` what comes from the receiver.
    pub(super) fn new(place: Place) -> (Arc<Self>, oneshot::Receiver<Vec<ResultPart>>) {
        let (parts, handed) = oneshot::channel();
        let handing = Arc::new(Self {
            place,
            parts: Mutex::new(Some(parts)),
            read: CancellationToken::new(),
        });
        (handing, handed)
    }
}

impl fmt::Debug for Handing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handing").finish_non_exhaustive()
    }
}

/// `plan`, handing its tasks out instead of reading them; `None` where it does more with them than
/// to take their rows as they come.
///
/// # Errors
/// When the plan cannot be rebuilt.
pub(super) fn hand_out(
    plan: &Arc<dyn ExecutionPlan>,
    handing: &Arc<Handing>,
) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let below = |node: &Arc<dyn ExecutionPlan>| match node.children().as_slice() {
        [below] => Some(Arc::clone(below)),
        _ => None,
    };
    let Some(head) = below(plan).filter(|_| plan.is::<DistributedExec>()) else {
        return Ok(None);
    };
    let merges = head.is::<CoalescePartitionsExec>() && head.fetch().is_none();
    let exchange = match merges {
        true => below(&head),
        false => Some(head),
    };
    let Some(exchange) = exchange.filter(|node| node.is::<NetworkCoalesceExec>()) else {
        return Ok(None);
    };
    let parts: Arc<dyn ExecutionPlan> = Arc::new(PartsExec::new(exchange, Arc::clone(handing)));
    replace_children_if_necessary(Arc::clone(plan), vec![parts]).map(Some)
}

/// Hands out the tasks of its input and gives no row itself.
#[derive(Debug)]
struct PartsExec {
    input: Arc<dyn ExecutionPlan>,
    handing: Arc<Handing>,
    properties: Arc<PlanProperties>,
}

impl PartsExec {
    fn new(input: Arc<dyn ExecutionPlan>, handing: Arc<Handing>) -> Self {
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(input.schema()),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        Self {
            input,
            handing,
            properties,
        }
    }

    /// The tasks below, now that it is known which executor has which.
    fn parts(&self, context: &Arc<TaskContext>) -> Result<Vec<ResultPart>> {
        let stage = self.input.as_network_boundary();
        let Some(Stage::Remote(stage)) = stage.map(|boundary| boundary.input_stage()) else {
            return internal_err!("parts are handed out of a stage that was not sent");
        };
        let tasks = stage.workers.len();
        let partitions = self.input.output_partitioning().partition_count() / tasks.max(1);
        let tasks = stage.workers.iter().enumerate();
        tasks
            .map(|(task, url)| match &self.handing.place {
                Place::Here(read) => {
                    let own = task * partitions..(task + 1) * partitions;
                    let rows = own
                        .map(|partition| self.input.execute(partition, Arc::clone(context)))
                        .collect::<Result<Vec<_>>>()?;
                    let rows = merged(self.input.schema(), rows);
                    Ok(ResultPart::Here(read_here(rows, read)))
                }
                Place::There(locations) => match locations.get(url) {
                    Some(location) => Ok(ResultPart::There(TaskResult {
                        location: location.clone(),
                        attempt: stage.query_id,
                        stage: stage.num as u64,
                        task: task as u64,
                        partitions: partitions as u64,
                    })),
                    None => internal_err!("executor {url} has no location for clients"),
                },
            })
            .collect()
    }
}

impl DisplayAs for PartsExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PartsExec")
    }
}

impl ExecutionPlan for PartsExec {
    fn name(&self) -> &str {
        "PartsExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
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
            return internal_err!("PartsExec has one input");
        };
        Ok(Arc::new(Self::new(input, Arc::clone(&self.handing))))
    }

    fn execute(
        &self,
        _partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let parts = self.parts(&context)?;
        let Some(hand) = self.handing.parts.lock().take() else {
            return internal_err!("parts are handed out once");
        };
        // Who asked for them may have gone: then the query is stopped anyway.
        drop(hand.send(parts));
        let read = self.handing.read.clone();
        let end = stream::once(read.cancelled_owned())
            .filter_map(|()| std::future::ready(None::<Result<_, DataFusionError>>));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), end)))
    }
}
