//! The scan of formats that are read row by row or batch by batch: CSV, JSON, Avro and
//! Arrow IPC.
//!
//! DataFusion's own sources match CSV and Arrow columns by position, take one compression for all
//! files and do not say which file an error is in; this one matches by name, looks at each file's
//! suffix and names the file.

use std::fmt;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::parsers::CompressionTypeVariant;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{
    FileOpenFuture, FileOpener, FileScanConfig, FileSource,
};
use datafusion::datasource::projection::{ProjectionOpener, SplitProjection};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::physical_expr::LexOrdering;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::{DisplayFormatType, PhysicalExpr, apply_expression_roots};
use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectStore;
use url::Url;

use super::compression::compression;
use super::containers;
use super::format::Format;
use super::lines::{Wanted, open_csv, open_json};
use super::location::readable;
use super::naming::with_file;
use super::options::FormatOptions;
use super::pinned::PinnedFile;
use super::regroup::spread;

/// How rows are read, without the files.
#[derive(Clone)]
pub(super) struct RowSource {
    pub(super) format: Format,
    pub(super) options: Arc<FormatOptions>,
    table: TableSchema,
    projection: SplitProjection,
    batch_size: Option<usize>,
    metrics: ExecutionPlanMetricsSet,
}

impl RowSource {
    pub(super) fn new(format: Format, options: Arc<FormatOptions>, table: TableSchema) -> Self {
        let projection = SplitProjection::unprojected(&table);
        let metrics = ExecutionPlanMetricsSet::new();
        Self {
            format,
            options,
            table,
            projection,
            batch_size: None,
            metrics,
        }
    }

    /// Replaces the projection, which is in terms of the table's columns.
    pub(super) fn with_projection(mut self, projection: &ProjectionExprs) -> Self {
        self.projection = SplitProjection::new(self.table.file_schema(), projection);
        self
    }

    /// Whether a file may be read in ranges: its lines begin at every line break.
    pub(super) fn can_split(&self, file: &PartitionedFile) -> bool {
        let csv = &self.options.csv;
        let by_lines = match self.format {
            Format::Csv => !csv.newlines_in_values && csv.escape.is_none(),
            Format::Json => true,
            _ => false,
        };
        let plain = CompressionTypeVariant::UNCOMPRESSED;
        by_lines && compression(&file.object_meta, &self.options) == plain
    }
}

impl FileSource for RowSource {
    fn create_file_opener(
        &self,
        store: Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        _partition: usize,
    ) -> Result<Arc<dyn FileOpener>> {
        let table = Arc::clone(self.table.file_schema());
        let columns = Arc::new(table.project(&self.projection.file_indices)?);
        let batch_size = self.batch_size.or(config.batch_size).unwrap_or(8192);
        let opener = RowOpener {
            format: self.format,
            options: Arc::clone(&self.options),
            store,
            url: AsRef::<Url>::as_ref(&config.object_store_url).clone(),
            wanted: Wanted {
                table,
                columns,
                batch_size,
            },
        };
        let opener = Arc::new(opener);
        ProjectionOpener::try_new(self.projection.clone(), opener, self.table.file_schema())
    }

    fn table_schema(&self) -> &TableSchema {
        &self.table
    }

    fn with_batch_size(&self, batch_size: usize) -> Arc<dyn FileSource> {
        Arc::new(Self {
            batch_size: Some(batch_size),
            ..self.clone()
        })
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        Some(&self.projection.source)
    }

    fn try_pushdown_projection(
        &self,
        projection: &ProjectionExprs,
    ) -> Result<Option<Arc<dyn FileSource>>> {
        let merged = self.projection.source.try_merge(projection)?;
        Ok(Some(Arc::new(self.clone().with_projection(&merged))))
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        &self.metrics
    }

    fn file_type(&self) -> &str {
        match self.format {
            Format::Csv => "csv",
            Format::Json => "json",
            Format::Avro => "avro",
            _ => "arrow",
        }
    }

    fn fmt_extra(&self, format: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        match format {
            DisplayFormatType::Default | DisplayFormatType::Verbose
                if self.format == Format::Csv =>
            {
                write!(f, ", has_header={}", self.options.csv.header)
            }
            _ => Ok(()),
        }
    }

    fn repartitioned(
        &self,
        target_partitions: usize,
        repartition_file_min_size: usize,
        output_ordering: Option<LexOrdering>,
        config: &FileScanConfig,
    ) -> Result<Option<FileScanConfig>> {
        let mut files = config.file_groups.iter().flat_map(|group| group.files());
        if !files.all(|file| self.can_split(file)) {
            return Ok(None);
        }
        let ordered = output_ordering.is_some();
        let wanted = (target_partitions, repartition_file_min_size);
        Ok(spread(config, wanted, ordered))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        apply_expression_roots(self.projection.source.iter(), f)
    }
}

struct RowOpener {
    format: Format,
    options: Arc<FormatOptions>,
    store: Arc<dyn ObjectStore>,
    url: Url,
    wanted: Wanted,
}

impl FileOpener for RowOpener {
    fn open(&self, file: PartitionedFile) -> Result<FileOpenFuture> {
        let (format, options) = (self.format, Arc::clone(&self.options));
        let (store, wanted) = (Arc::clone(&self.store), self.wanted.clone());
        let url = self.url.clone();
        Ok(Box::pin(async move {
            let name = readable(&url, &file.object_meta.location);
            let pinned = PinnedFile::new(&store, &url, &file.object_meta);
            let reader = Arc::clone(&pinned);
            let opened = match format {
                Format::Csv => open_csv(reader, &file, &options, &wanted).await,
                Format::Json => open_json(reader, &file, &options, &wanted).await,
                _ => containers::open(reader, &file, format, &wanted).await,
            };
            let batches = opened.map_err(|error| with_file(error, &name, format.name()))?;
            // A file held open for long may have been written to meanwhile.
            let verdict = stream::once(async move { pinned.verify() })
                .filter_map(|verdict| async { verdict.err().map(|error| Err(error.into())) });
            let named = batches
                .chain(verdict)
                .map_err(move |error| with_file(error, &name, format.name()));
            Ok(named.boxed())
        }))
    }
}
