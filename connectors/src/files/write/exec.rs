//! The operator that writes its input to files and yields a row per file.
//!
//! ```text
//! CoalescePartitionsExec          gathers the report on the coordinator
//!   WriteFilesExec                one writer per partition, in every task of the stage
//!     input                       the rows, in the columns of the target's schema
//! ```

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{Distribution, EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::execution_plan::{CardinalityEffect, EmissionType};
use datafusion::physical_plan::metrics::{
    BaselineMetrics, Count, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet,
};
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties,
    InputDistributionRequirements, Partitioning, PlanProperties, ReplaceChildrenOptions,
};
use futures::{TryStreamExt, stream};

use super::layout::Layout;
use super::open_file::FileKind;
use super::options::FileOptions;
use super::partitioned_writer::PartitionedWriter;
use super::target::WriteTarget;
use super::write_task::WriteTask;
use super::written::{WrittenFile, report, report_schema};

/// Writes every input partition to files of its own.
#[derive(Debug)]
pub struct WriteFilesExec {
    input: Arc<dyn ExecutionPlan>,
    target: Arc<WriteTarget>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl WriteFilesExec {
    /// Writes `input`, whose columns are those of the target's schema by position. A target of a
    /// single file gathers the input first, in its order when it has one.
    pub fn try_new(input: Arc<dyn ExecutionPlan>, target: Arc<WriteTarget>) -> Result<Self> {
        target.validate()?;
        if input.schema().fields().len() != target.schema.fields().len() {
            return internal_err!(
                "a write of {} columns got an input of {}",
                target.schema.fields().len(),
                input.schema().fields().len()
            );
        }
        let input = if target.single_file.is_some() {
            gathered(input)
        } else {
            input
        };
        let properties = PlanProperties::new(
            EquivalenceProperties::new(report_schema()),
            Partitioning::UnknownPartitioning(input.output_partitioning().partition_count()),
            EmissionType::Final,
            input.boundedness(),
        );
        Ok(Self {
            input,
            target,
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        })
    }

    /// The columns of the report, which [`written_files`](super::written_files) reads.
    pub fn output_schema() -> SchemaRef {
        report_schema()
    }

    /// The rows to write.
    pub fn input(&self) -> &Arc<dyn ExecutionPlan> {
        &self.input
    }

    /// What is written.
    pub fn target(&self) -> &Arc<WriteTarget> {
        &self.target
    }

    fn writer(&self, partition: usize, context: &TaskContext) -> Result<PartitionedWriter> {
        let layout = Layout::of(&self.target)?;
        let kind = FileKind {
            store: context.runtime_env().object_store(layout.store_url())?,
            layout,
            options: FileOptions::parse(&self.target)?,
            schema: self.target.file_schema(),
        };
        let memory = MemoryConsumer::new(format!("WriteFilesExec[{partition}]"))
            .with_can_spill(true)
            .register(context.memory_pool());
        PartitionedWriter::try_new(Arc::clone(&self.target), Arc::new(kind), memory)
    }
}

fn gathered(input: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
    if input.output_partitioning().partition_count() == 1 {
        return input;
    }
    match input.output_ordering().cloned() {
        Some(ordering) => Arc::new(SortPreservingMergeExec::new(ordering, input)),
        None => Arc::new(CoalescePartitionsExec::new(input)),
    }
}

impl DisplayAs for WriteFilesExec {
    fn fmt_as(&self, t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = &self.target;
        match t {
            DisplayFormatType::Default | DisplayFormatType::Verbose => {
                write!(
                    f,
                    "WriteFilesExec: location={}, format={}",
                    target.location, target.format
                )?;
                if let Some(name) = &target.single_file {
                    write!(f, ", file={name}")?;
                }
                if !target.partition_columns.is_empty() {
                    write!(
                        f,
                        ", partition_by=[{}]",
                        target.partition_columns.join(", ")
                    )?;
                }
                Ok(())
            }
            DisplayFormatType::TreeRender => write!(f, "location: {}", target.location),
        }
    }
}

impl ExecutionPlan for WriteFilesExec {
    fn name(&self) -> &'static str {
        "WriteFilesExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![match self.target.single_file {
            Some(_) => Distribution::SinglePartition,
            None => Distribution::UnspecifiedDistribution,
        }])
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        // Spreading sorted rows over several files would lose the order that was asked for.
        vec![self.target.single_file.is_none() && self.input.output_ordering().is_none()]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        // The files keep the order of the input, so a sort below must not be optimised away.
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if children.len() != 1 {
            return internal_err!("WriteFilesExec has one input, not {}", children.len());
        }
        Ok(Arc::new(Self::try_new(
            children.swap_remove(0),
            Arc::clone(&self.target),
        )?))
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(
            children,
            ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute),
        )
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let input = self.input.execute(partition, Arc::clone(&context))?;
        let writer = self.writer(partition, &context)?;
        let columns = self.target.partition_indices()?;
        let metrics = WriteMetrics::new(&self.metrics, partition);
        let write = async move {
            let files = WriteTask::start(input, writer, columns, context)
                .outcome()
                .await?;
            metrics.record(&files);
            let batch = if files.is_empty() {
                None
            } else {
                Some(report(&files)?)
            };
            Ok::<_, DataFusionError>(stream::iter(batch.map(Ok)))
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            report_schema(),
            stream::once(write).try_flatten(),
        )))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::LowerEqual
    }
}

/// What `EXPLAIN ANALYZE` shows of a write.
struct WriteMetrics {
    baseline: BaselineMetrics,
    rows_written: Count,
    bytes_written: Count,
}

impl WriteMetrics {
    fn new(set: &ExecutionPlanMetricsSet, partition: usize) -> Self {
        Self {
            baseline: BaselineMetrics::new(set, partition),
            rows_written: MetricBuilder::new(set).counter("rows_written", partition),
            bytes_written: MetricBuilder::new(set).counter("bytes_written", partition),
        }
    }

    fn record(&self, files: &[WrittenFile]) {
        self.baseline.record_output(files.len());
        self.rows_written
            .add(files.iter().map(|f| f.rows as usize).sum());
        self.bytes_written
            .add(files.iter().map(|f| f.bytes as usize).sum());
        self.baseline.done();
    }
}
