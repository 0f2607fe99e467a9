//! Tables as `information_schema` needs them: columns and kind, without listing a single file.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use waterbuck_catalog::{ColumnDef, TableDef, TableKind};

/// A table that can be described and not read.
#[derive(Debug)]
pub(crate) struct DescribedTable {
    schema: SchemaRef,
    table_type: TableType,
    definition: Option<String>,
}

impl DescribedTable {
    /// What the catalog says of `table`.
    pub(crate) fn new(table: &TableDef) -> Self {
        let (table_type, definition) = match &table.kind {
            TableKind::View(view) => (TableType::View, Some(view.sql.clone())),
            TableKind::External(_) | TableKind::Managed(_) => (TableType::Base, None),
        };
        Self {
            schema: arrow_schema(&table.columns),
            table_type,
            definition,
        }
    }
}

/// Columns as an Arrow schema.
pub(crate) fn arrow_schema(columns: &[ColumnDef]) -> SchemaRef {
    let fields = columns
        .iter()
        .map(|column| Field::new(&column.name, column.data_type.clone(), column.nullable));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

#[async_trait]
impl TableProvider for DescribedTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        self.table_type
    }

    fn get_table_definition(&self) -> Option<&str> {
        self.definition.as_deref()
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        _projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        internal_err!("a described table cannot be read")
    }
}
