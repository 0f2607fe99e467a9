//! The scan of Parquet files: DataFusion's source, with pins and file names around it.

use std::fmt;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{
    FileGroup, FileOpener, FileScanConfig, FileScanConfigBuilder, FileSource, ParquetSource,
};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::cache::cache_manager::FileMetadataCache;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::{EquivalenceProperties, LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::filter_pushdown::FilterPushdownPropagation;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::{DisplayFormatType, PhysicalExpr, SortOrderPushdownResult};
use datafusion_datasource::morsel::Morselizer;
use object_store::ObjectStore;
use url::Url;

use super::batched_metrics::{BatchedMetrics, FILES_MIN};
use super::named_morsels::NamedMorselizer;
use super::parquet_reader::{FooterSource, PinnedReaderFactory};
use super::regroup::spread;

/// A Parquet source that reads only what was pinned and names files in errors.
///
/// It has no serialised form of its own, so that a plan with it reaches `FileScanCodec`.
#[derive(Clone)]
pub(super) struct ParquetTableSource {
    /// Always a [`ParquetSource`].
    inner: Arc<dyn FileSource>,
    /// Where footers are kept; without one every scan reads them.
    footers: Option<Arc<FileMetadataCache>>,
    batch_rows: Option<usize>,
    /// Whether row groups or files are read in an order that a sort above asked for.
    follows_sort: bool,
}

impl ParquetTableSource {
    pub(super) fn new(parquet: ParquetSource, footers: Option<Arc<FileMetadataCache>>) -> Self {
        Self {
            inner: Arc::new(parquet),
            footers,
            batch_rows: None,
            follows_sort: false,
        }
    }

    /// The source that does the reading.
    pub(super) fn inner(&self) -> &Arc<dyn FileSource> {
        &self.inner
    }

    fn with_inner(&self, inner: Arc<dyn FileSource>) -> Arc<dyn FileSource> {
        Arc::new(Self {
            inner,
            ..self.clone()
        })
    }

    fn parquet(&self) -> Result<&ParquetSource> {
        self.inner.downcast_ref::<ParquetSource>().ok_or_else(|| {
            DataFusionError::Internal("a Parquet scan lost its Parquet source".into())
        })
    }

    /// What makes a source that reads the same with metrics of its own; `None` where that cannot be
    /// made from outside.
    fn copies(
        &self,
        readers: &Arc<PinnedReaderFactory>,
    ) -> Result<Option<impl Fn() -> Result<ParquetSource> + Send + Sync + use<>>> {
        let (Some(batch_rows), false) = (self.batch_rows, self.follows_sort) else {
            return Ok(None);
        };
        let parquet = self.parquet()?;
        let schema = parquet.table_schema().clone();
        let options = parquet.table_parquet_options().clone();
        let predicate = parquet.filter();
        let projection = parquet.projection().cloned();
        let readers = Arc::clone(readers);
        Ok(Some(move || {
            let mut copy = ParquetSource::new(schema.clone())
                .with_table_parquet_options(options.clone())
                .with_parquet_file_reader_factory(Arc::clone(&readers) as _);
            if let Some(predicate) = &predicate {
                copy = copy.with_predicate(Arc::clone(predicate));
            }
            let mut source = copy.with_batch_size(batch_rows);
            if let Some(projection) = &projection {
                source = source.try_pushdown_projection(projection)?.ok_or_else(|| {
                    DataFusionError::Internal("a Parquet scan takes no projection".into())
                })?;
            }
            let copy = source.downcast_ref::<ParquetSource>();
            copy.cloned().ok_or_else(|| {
                DataFusionError::Internal("a Parquet scan lost its Parquet source".into())
            })
        }))
    }
}

impl FileSource for ParquetTableSource {
    fn create_file_opener(
        &self,
        store: Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        partition: usize,
    ) -> Result<Arc<dyn FileOpener>> {
        self.inner.create_file_opener(store, config, partition)
    }

    fn create_morselizer(
        &self,
        store: Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        partition: usize,
    ) -> Result<Box<dyn Morselizer>> {
        let url = AsRef::<Url>::as_ref(&config.object_store_url).clone();
        let source = FooterSource {
            store: Arc::clone(&store),
            url: url.clone(),
            cache: self.footers.as_ref().map(Arc::clone),
            size_hint: None,
        };
        let readers = Arc::new(PinnedReaderFactory::new(source));
        let files = config.file_groups.get(partition).map_or(0, FileGroup::len);
        let copies = match files {
            FILES_MIN.. => self.copies(&readers)?,
            _ => None,
        };
        let inner = match copies {
            Some(copy) => batched(copy, (&store, config, partition), self.metrics()),
            None => self
                .parquet()?
                .clone()
                .with_parquet_file_reader_factory(readers)
                .create_morselizer(Arc::clone(&store), config, partition)?,
        };
        Ok(Box::new(NamedMorselizer::new(inner, store, url)))
    }

    fn table_schema(&self) -> &TableSchema {
        self.inner.table_schema()
    }

    fn with_batch_size(&self, batch_size: usize) -> Arc<dyn FileSource> {
        Arc::new(Self {
            inner: self.inner.with_batch_size(batch_size),
            batch_rows: Some(batch_size),
            ..self.clone()
        })
    }

    fn filter(&self) -> Option<Arc<dyn PhysicalExpr>> {
        self.inner.filter()
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        self.inner.projection()
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        self.inner.metrics()
    }

    fn file_type(&self) -> &str {
        self.inner.file_type()
    }

    fn fmt_extra(&self, format: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        self.inner.fmt_extra(format, f)
    }

    fn repartitioned(
        &self,
        target_partitions: usize,
        repartition_file_min_size: usize,
        output_ordering: Option<LexOrdering>,
        config: &FileScanConfig,
    ) -> Result<Option<FileScanConfig>> {
        let ordered = output_ordering.is_some();
        let wanted = (target_partitions, repartition_file_min_size);
        Ok(spread(config, wanted, ordered))
    }

    fn try_pushdown_filters(
        &self,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn FileSource>>> {
        let pushed = self.inner.try_pushdown_filters(filters, config)?;
        Ok(FilterPushdownPropagation {
            filters: pushed.filters,
            updated_node: pushed.updated_node.map(|inner| self.with_inner(inner)),
        })
    }

    fn try_pushdown_sort(
        &self,
        order: &[PhysicalSortExpr],
        eq_properties: &EquivalenceProperties,
    ) -> Result<SortOrderPushdownResult<Arc<dyn FileSource>>> {
        Ok(self
            .inner
            .try_pushdown_sort(order, eq_properties)?
            .map(|inner| {
                Arc::new(Self {
                    inner,
                    follows_sort: true,
                    ..self.clone()
                }) as Arc<dyn FileSource>
            }))
    }

    fn reorder_files(&self, files: Vec<PartitionedFile>) -> Vec<PartitionedFile> {
        self.inner.reorder_files(files)
    }

    fn try_pushdown_projection(
        &self,
        projection: &ProjectionExprs,
    ) -> Result<Option<Arc<dyn FileSource>>> {
        let pushed = self.inner.try_pushdown_projection(projection)?;
        Ok(pushed.map(|inner| self.with_inner(inner)))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.inner.apply_expressions(f)
    }
}

/// Reads the files of a partition in batches, each by a source of `copy`.
fn batched(
    copy: impl Fn() -> Result<ParquetSource> + Send + Sync + 'static,
    (store, config, partition): (&Arc<dyn ObjectStore>, &FileScanConfig, usize),
    metrics: &ExecutionPlanMetricsSet,
) -> Box<dyn Morselizer> {
    let store = Arc::clone(store);
    let url = config.object_store_url.clone();
    let (limit, in_order) = (config.limit, config.preserve_order);
    let adapter = config.expr_adapter_factory.clone();
    let make = move || {
        let source = copy()?;
        // All that a morselizer takes of a scan; the list of files is not copied.
        let config = FileScanConfigBuilder::new(url.clone(), Arc::new(source.clone()))
            .with_limit(limit)
            .with_preserve_order(in_order)
            .with_expr_adapter(adapter.clone())
            .build();
        let morselizer = source.create_morselizer(Arc::clone(&store), &config, partition)?;
        Ok((morselizer, source.metrics().clone()))
    };
    Box::new(BatchedMetrics::new(Box::new(make), metrics.clone()))
}
