//! Writing files as a node of a plan, so that it is optimised, cut into stages and sent to the
//! executors like any other operator.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::{DFSchema, DFSchemaRef, Result, internal_err};
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{
    Expr, Extension, LogicalPlan, UserDefinedLogicalNode, UserDefinedLogicalNodeCore,
};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner};
use parking_lot::Mutex;
use uuid::Uuid;
use waterbuck_connectors::files::write::{WriteFilesExec, WriteTarget};
use waterbuck_engine::seal::SealPlanner;

/// The ids of a statement's attempts to write, the last one last.
pub(crate) type WriteIds = Arc<Mutex<Vec<Uuid>>>;

/// Writes its input's rows to files and gives one row for each file.
#[derive(Debug, Clone)]
struct WriteNode {
    input: LogicalPlan,
    target: Arc<WriteTarget>,
    ids: WriteIds,
    schema: DFSchemaRef,
}

/// A plan that writes the rows of `input` to `target`; every attempt writes under an id of its own
/// and records it in `ids`.
pub(crate) fn write_plan(
    input: LogicalPlan,
    target: WriteTarget,
    ids: WriteIds,
) -> Result<LogicalPlan> {
    let schema = DFSchema::try_from(WriteFilesExec::output_schema().as_ref().clone())?;
    let node = WriteNode {
        input,
        target: Arc::new(target),
        ids,
        schema: Arc::new(schema),
    };
    Ok(LogicalPlan::Extension(Extension {
        node: Arc::new(node),
    }))
}

impl PartialEq for WriteNode {
    fn eq(&self, other: &Self) -> bool {
        self.target.write_id == other.target.write_id && self.input == other.input
    }
}

impl Eq for WriteNode {}

impl PartialOrd for WriteNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match self.target.write_id.cmp(&other.target.write_id) {
            Ordering::Equal => self.input.partial_cmp(&other.input),
            unequal => Some(unequal),
        }
    }
}

impl Hash for WriteNode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.target.write_id.hash(state);
        self.input.hash(state);
    }
}

impl UserDefinedLogicalNodeCore for WriteNode {
    fn name(&self) -> &str {
        "WriteFiles"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        vec![]
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "WriteFiles: {} to {}",
            self.target.format, self.target.location
        )
    }

    fn with_exprs_and_inputs(&self, _exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let Ok([input]) = <[LogicalPlan; 1]>::try_from(inputs) else {
            return internal_err!("WriteFiles has one input");
        };
        Ok(Self {
            input,
            ..self.clone()
        })
    }
}

/// DataFusion's planner, which also knows the write node and seals.
#[derive(Debug)]
pub(crate) struct WriteQueryPlanner;

#[async_trait]
impl QueryPlanner for WriteQueryPlanner {
    async fn create_physical_plan(
        &self,
        logical_plan: &LogicalPlan,
        session: &dyn Session,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        DefaultPhysicalPlanner::with_extension_planners(vec![
            Arc::new(WritePlanner),
            Arc::new(SealPlanner),
        ])
        .create_physical_plan(logical_plan, session)
        .await
    }
}

struct WritePlanner;

#[async_trait]
impl ExtensionPlanner for WritePlanner {
    async fn plan_extension(
        &self,
        _planner: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _logical_inputs: &[&LogicalPlan],
        physical_inputs: &[Arc<dyn ExecutionPlan>],
        _session: &dyn Session,
        _context: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(node) = node.as_any().downcast_ref::<WriteNode>() else {
            return Ok(None);
        };
        let [input] = physical_inputs else {
            return internal_err!("WriteFiles has one input");
        };
        let mut target = node.target.as_ref().clone();
        target.write_id = Uuid::now_v7();
        node.ids.lock().push(target.write_id);
        let exec = WriteFilesExec::try_new(Arc::clone(input), Arc::new(target))?;
        Ok(Some(Arc::new(exec)))
    }
}
