//! A write as something that queries can be planned into.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Result, not_impl_err};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::dml::InsertOp;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, TableType};
use datafusion::physical_plan::ExecutionPlan;

use super::exec::WriteFilesExec;
use super::target::WriteTarget;

/// The name of the sink in `EXPLAIN`.
const SINK: &str = "files";

/// The plan that writes the rows of `input`, whose columns are those of the target's schema by
/// position, and yields the report that [`written_files`](super::written_files) reads.
pub fn write_plan(input: LogicalPlan, target: Arc<WriteTarget>) -> Result<LogicalPlan> {
    target.validate()?;
    let sink = provider_as_source(Arc::new(WriteSink { target }));
    LogicalPlanBuilder::insert_into(input, SINK, sink, InsertOp::Append)?.build()
}

/// Takes rows and gives none back.
#[derive(Debug)]
struct WriteSink {
    target: Arc<WriteTarget>,
}

#[async_trait]
impl TableProvider for WriteSink {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.target.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        _projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        not_impl_err!("files that are being written cannot be read")
    }

    async fn insert_into(
        &self,
        _state: &dyn Session,
        input: Arc<dyn ExecutionPlan>,
        _insert_op: InsertOp,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(WriteFilesExec::try_new(
            input,
            Arc::clone(&self.target),
        )?))
    }
}
