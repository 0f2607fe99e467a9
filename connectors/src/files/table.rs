//! A file table as the planner sees it.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{Field, FieldRef, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{Statistics, project_schema};
use datafusion::datasource::TableType;
use datafusion::datasource::file_format::parquet::transform_schema_to_view;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{
    FileGroup, FileScanConfigBuilder, FileSource, ParquetSource,
};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::{TableSchema, TableSchemaBuilder};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_expr::LexOrdering;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use waterbuck_engine::Result;

use super::file_scan::{FileScan, ScanFiles};
use super::format::Format;
use super::listing::FileListing;
use super::metadata::{FileMetadata, FileTableSpec};
use super::options::FormatOptions;
use super::parquet_source::ParquetTableSource;
use super::partition::engine_type;
use super::pruning::decides_by_partition;
use super::row_source::RowSource;
use super::statistics::TableSummary;

/// A table over exactly the files of one listing; made for one statement.
///
/// File columns come first, partition columns last, whatever order they were declared in.
#[derive(Debug)]
pub struct FileTable {
    spec: FileTableSpec,
    options: Arc<FormatOptions>,
    listing: Arc<FileListing>,
    metadata: Arc<FileMetadata>,
    summary: Option<Arc<TableSummary>>,
    /// Columns inside the files, then partition columns, in the engine's types.
    table: TableSchema,
}

impl FileTable {
    /// A table over the files of a listing.
    ///
    /// # Errors
    /// `InvalidQuery` for bad options or partition columns.
    pub fn new(
        spec: FileTableSpec,
        listing: Arc<FileListing>,
        metadata: Arc<FileMetadata>,
    ) -> Result<Self> {
        let options = Arc::new(FormatOptions::parse(spec.format, &spec.options)?);
        let partitions: Vec<FieldRef> = spec
            .partitions()?
            .into_iter()
            .map(|p| Arc::new(Field::new(p.name, engine_type(&p.data_type), true)))
            .collect();
        let inside = spec
            .columns
            .fields()
            .iter()
            .filter(|field| !spec.partition_columns.contains(field.name()))
            .map(Arc::clone);
        let inside = Schema::new(inside.collect::<Vec<_>>());
        // Parquet decodes text fastest into views; the others give what is declared.
        let inside = match spec.format {
            Format::Parquet => transform_schema_to_view(&inside),
            _ => inside,
        };
        let table = TableSchemaBuilder::from(&Arc::new(inside))
            .with_table_partition_cols(partitions)
            .build();
        Ok(Self {
            spec,
            options,
            listing,
            metadata,
            summary: None,
            table,
        })
    }

    /// Adds what `ANALYZE TABLE` found out.
    #[must_use]
    pub fn with_summary(mut self, summary: Option<Arc<TableSummary>>) -> Self {
        self.summary = summary;
        self
    }

    /// The table's description.
    pub fn spec(&self) -> &FileTableSpec {
        &self.spec
    }

    /// The files the table reads.
    pub fn listing(&self) -> &Arc<FileListing> {
        &self.listing
    }

    fn file_source(&self, state: &dyn Session) -> Arc<dyn FileSource> {
        if self.spec.format != Format::Parquet {
            let options = Arc::clone(&self.options);
            return Arc::new(RowSource::new(
                self.spec.format,
                options,
                self.table.clone(),
            ));
        }
        let mut parquet = state.default_table_options().parquet;
        parquet.global = state.config_options().execution.parquet.clone();
        self.options.apply_to_parquet(&mut parquet.global);
        let hint = parquet.global.metadata_size_hint;
        let mut source = ParquetSource::new(self.table.clone()).with_table_parquet_options(parquet);
        if let Some(hint) = hint {
            source = source.with_metadata_size_hint(hint);
        }
        let footers = state.runtime_env().cache_manager.get_file_metadata_cache();
        Arc::new(ParquetTableSource::new(source, Some(footers)))
    }
}

#[async_trait]
impl TableProvider for FileTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.table.table_schema())
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> datafusion::common::Result<Vec<TableProviderFilterPushDown>> {
        let partitions = &self.spec.partition_columns;
        Ok(filters
            .iter()
            .map(|filter| match decides_by_partition(filter, partitions) {
                true => TableProviderFilterPushDown::Exact,
                false => TableProviderFilterPushDown::Inexact,
            })
            .collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> datafusion::common::Result<Arc<dyn ExecutionPlan>> {
        let (by_partition, by_content): (Vec<Expr>, Vec<Expr>) = filters
            .iter()
            .cloned()
            .partition(|filter| decides_by_partition(filter, &self.spec.partition_columns));
        let scan = FileScan {
            spec: &self.spec,
            options: &self.options,
            metadata: &self.metadata,
            summary: self.summary.as_deref(),
            table: &self.table,
            state,
        };
        let files = scan
            .choose(&self.listing, &by_partition, &by_content, limit)
            .await?;
        if files.files.is_empty() {
            let schema = project_schema(&self.schema(), projection)?;
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let ScanFiles {
            files,
            statistics,
            ordering,
        } = files;
        let groups = groups(files, state.config().target_partitions(), &self.schema());
        let url = ObjectStoreUrl::parse(self.spec.location.store_url().as_str())?;
        let config = FileScanConfigBuilder::new(url, self.file_source(state))
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .with_output_ordering(
                ordering
                    .map(|order: LexOrdering| vec![order])
                    .unwrap_or_default(),
            )
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

/// Deals the files out in the order of their paths, as DataFusion's listing table does; files are
/// split by size later, by the optimiser.
fn groups(files: Vec<PartitionedFile>, count: usize, schema: &Schema) -> Vec<FileGroup> {
    FileGroup::new(files)
        .split_files(count.max(1))
        .into_iter()
        .map(|group| match group_statistics(&group, schema) {
            Some(statistics) => group.with_statistics(Arc::new(statistics)),
            None => group,
        })
        .collect()
}

fn group_statistics(group: &FileGroup, schema: &Schema) -> Option<Statistics> {
    let files: Option<Vec<&Statistics>> = group
        .files()
        .iter()
        .map(|file| file.statistics.as_deref())
        .collect();
    let merged = super::statistics::merge(files?.into_iter(), schema.fields().len());
    (merged.num_rows != Precision::Absent).then_some(merged)
}
