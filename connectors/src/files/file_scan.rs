//! Chooses the files of one scan and works out its statistics.

use std::sync::Arc;

use datafusion::arrow::compute::SortOptions;
use datafusion::arrow::datatypes::{Field, Schema};
use datafusion::catalog::Session;
use datafusion::common::stats::Precision;
use datafusion::common::{Result, Statistics};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::logical_expr::Expr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use object_store::ObjectMeta;
use parquet::file::metadata::PageIndexPolicy;

use super::file_facts::FileFacts;
use super::footers::FactsRequest;
use super::format::Format;
use super::listing::{FileEntry, FileListing};
use super::location::readable;
use super::metadata::{FileMetadata, FileTableSpec};
use super::options::FormatOptions;
use super::pruning::{by_partition, by_statistics};
use super::statistics::{
    TableSummary, complete, count_partitions, merge, of_file, scale, with_partition_values,
};

/// Up to this many files every footer is read while planning; beyond, a sample.
const MAX_FOOTERS: usize = 2000;

/// How many footers make a sample.
const SAMPLE_FOOTERS: usize = 1000;

/// What a scan needs to know to choose its files.
pub(super) struct FileScan<'a> {
    pub(super) spec: &'a FileTableSpec,
    pub(super) options: &'a FormatOptions,
    pub(super) metadata: &'a FileMetadata,
    pub(super) summary: Option<&'a TableSummary>,
    pub(super) table: &'a TableSchema,
    pub(super) state: &'a dyn Session,
}

/// The chosen files, with statistics of each where they are known.
pub(super) struct ScanFiles {
    pub(super) files: Vec<PartitionedFile>,
    pub(super) statistics: Statistics,
    /// The order that every file is sorted in.
    pub(super) ordering: Option<LexOrdering>,
}

impl FileScan<'_> {
    /// Leaves out what partition values, statistics and the limit allow.
    ///
    /// # Errors
    /// `Data` naming a file whose footer cannot be read or does not fit the table.
    pub(super) async fn choose(
        &self,
        listing: &FileListing,
        partition_filters: &[Expr],
        content_filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<ScanFiles> {
        let props = self.state.execution_props();
        let partitions: Vec<Field> = self
            .table
            .table_partition_cols()
            .iter()
            .map(|f| Field::clone(f))
            .collect();
        let kept = by_partition(&listing.files, &partitions, partition_filters, props)?;
        let files: Vec<&FileEntry> = kept.iter().map(|i| &listing.files[*i]).collect();
        let footers =
            self.spec.format == Format::Parquet && self.state.config().collect_statistics();
        let mut chosen = match (footers, files.len()) {
            (true, 0..=MAX_FOOTERS) => self.with_all_footers(files, content_filters, limit).await?,
            (true, _) => self.with_sampled_footers(files).await?,
            (false, _) => ScanFiles {
                statistics: Statistics::new_unknown(self.table.table_schema()),
                files: files.into_iter().map(partitioned).collect(),
                ordering: None,
            },
        };
        if let Some(summary) = self.summary {
            let bytes: u64 = chosen.files.iter().map(|file| file.object_meta.size).sum();
            let share = if listing.bytes == 0 {
                1.0
            } else {
                bytes as f64 / listing.bytes as f64
            };
            complete(
                &mut chosen.statistics,
                self.table.table_schema(),
                summary,
                share,
            );
        }
        Ok(chosen)
    }

    async fn facts(
        &self,
        files: &[&FileEntry],
        policy: PageIndexPolicy,
    ) -> Result<Vec<Arc<FileFacts>>> {
        let location = &self.spec.location;
        let store = self
            .state
            .runtime_env()
            .object_store_registry
            .get_store(location.store_url())?;
        // The facts of a sample are kept; its footers are too few of all to be worth their memory.
        let caches = &self.state.runtime_env().cache_manager;
        let is_sample = policy == PageIndexPolicy::Skip;
        let cache = (!is_sample).then(|| caches.get_file_metadata_cache());
        let options = self.options.clone();
        let request = FactsRequest::new(&store, location, options, cache, policy);
        let metas: Vec<ObjectMeta> = files.iter().map(|file| file.meta.clone()).collect();
        Ok(self.metadata.facts(&request, &metas).await?)
    }

    /// The statistics of a file over all columns of the table.
    fn statistics_of(&self, facts: &FileFacts, file: &FileEntry) -> Result<Statistics> {
        let name = readable(self.spec.location.store_url(), &file.meta.location);
        let inside = of_file(facts, self.table.file_schema(), &name)?;
        Ok(with_partition_values(inside, &file.partition_values))
    }

    async fn with_all_footers(
        &self,
        files: Vec<&FileEntry>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<ScanFiles> {
        let schema = self.table.table_schema();
        // A query sooner or later wants the page index too; one more read per file, once.
        let facts = self.facts(&files, PageIndexPolicy::Optional).await?;
        let statistics = files
            .iter()
            .zip(&facts)
            .map(|(file, facts)| Ok(Arc::new(self.statistics_of(facts, file)?)))
            .collect::<Result<Vec<_>>>()?;
        let keep = by_statistics(&statistics, schema, filters, self.state.execution_props());
        let kept: Vec<usize> = (0..files.len()).filter(|index| keep[*index]).collect();
        // Rows are only enough where no filter takes any of them away.
        let enough = match limit.filter(|_| filters.is_empty()) {
            Some(limit) => files_for_rows(kept.iter().map(|i| &statistics[*i].num_rows), limit),
            None => kept.len(),
        };
        let chosen = &kept[..enough];
        let mut total = merge(
            chosen.iter().map(|i| statistics[*i].as_ref()),
            schema.fields().len(),
        );
        let entries: Vec<&FileEntry> = chosen.iter().map(|i| files[*i]).collect();
        count_partitions(
            &mut total,
            &entries,
            self.table.file_schema().fields().len(),
        );
        if enough < kept.len() {
            total = total.to_inexact();
        }
        let orders: Vec<&SortedBy> = chosen.iter().map(|i| &facts[*i].sorted_by[..]).collect();
        let ordering = common_order(&orders).and_then(|order| order_of(order, schema));
        let files = chosen.iter().map(|index| {
            let mut file = partitioned(files[*index]);
            file.statistics = Some(Arc::clone(&statistics[*index]));
            file.ordering = order_of(&facts[*index].sorted_by, schema);
            file
        });
        Ok(ScanFiles {
            files: files.collect(),
            statistics: total,
            ordering,
        })
    }

    async fn with_sampled_footers(&self, files: Vec<&FileEntry>) -> Result<ScanFiles> {
        let step = files.len().div_ceil(SAMPLE_FOOTERS).max(1);
        let sample: Vec<&FileEntry> = files.iter().copied().step_by(step).collect();
        let facts = self.facts(&sample, PageIndexPolicy::Skip).await?;
        let known = sample
            .iter()
            .zip(&facts)
            .map(|(file, facts)| self.statistics_of(facts, file))
            .collect::<Result<Vec<_>>>()?;
        let columns = self.table.table_schema().fields().len();
        let bytes = |files: &[&FileEntry]| files.iter().map(|file| file.meta.size).sum::<u64>();
        let mut statistics = scale(merge(known.iter(), columns), bytes(&sample), bytes(&files));
        count_partitions(
            &mut statistics,
            &files,
            self.table.file_schema().fields().len(),
        );
        let files = files.into_iter().map(partitioned).collect();
        Ok(ScanFiles {
            files,
            statistics,
            ordering: None,
        })
    }
}

/// How many files, from the first on, hold more than `limit` rows for certain.
fn files_for_rows<'a>(rows: impl Iterator<Item = &'a Precision<usize>>, limit: usize) -> usize {
    let (mut files, mut sum) = (0, Precision::Exact(0));
    for rows in rows {
        if matches!(sum, Precision::Exact(sum) if sum > limit) {
            break;
        }
        sum = sum.add(rows);
        files += 1;
    }
    files
}

fn partitioned(file: &FileEntry) -> PartitionedFile {
    PartitionedFile::new_from_meta(file.meta.clone())
        .with_partition_values(file.partition_values.to_vec())
}

type SortedBy = [(String, SortOptions)];

fn order_of(sorted_by: &SortedBy, schema: &Schema) -> Option<LexOrdering> {
    let exprs = sorted_by.iter().map_while(|(name, options)| {
        let index = schema.index_of(name).ok()?;
        Some(PhysicalSortExpr::new(
            Arc::new(Column::new(name, index)),
            *options,
        ))
    });
    LexOrdering::new(exprs)
}

/// The longest order that begins the order of every file.
fn common_order<'a>(files: &[&'a SortedBy]) -> Option<&'a SortedBy> {
    let (first, rest) = files.split_first()?;
    let shared = rest.iter().fold(first.len(), |shared, file| {
        first
            .iter()
            .zip(*file)
            .take_while(|(a, b)| a == b)
            .count()
            .min(shared)
    });
    (shared > 0).then(|| &first[..shared])
}
