//! Reads Parquet files for a scan: every byte through the pin check, footers through a cache.
//!
//! The cache is DataFusion's, shared by planning and execution of a process, but under keys that
//! hold the store as well: equal paths in two buckets must not share a footer.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use datafusion::common::DataFusionError;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::CachedParquetMetaData;
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use datafusion::datasource::physical_plan::{ParquetFileMetrics, ParquetFileReaderFactory};
use datafusion::execution::cache::cache_manager::{CachedFileMetadataEntry, FileMetadataCache};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use url::Url;

use super::float_bounds::without_upper_float_bounds;
use super::pinned::PinnedFile;

/// A store, its name and the footers known of it.
#[derive(Clone)]
pub(super) struct FooterSource {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) url: Url,
    pub(super) cache: Option<Arc<FileMetadataCache>>,
    /// Bytes to read from a file's end at once.
    pub(super) size_hint: Option<usize>,
}

impl std::fmt::Debug for FooterSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FooterSource")
            .field("url", &self.url.as_str())
            .finish_non_exhaustive()
    }
}

impl FooterSource {
    /// The footer of a file, with its page index when the policy asks for one.
    pub(super) async fn fetch(
        &self,
        meta: &ObjectMeta,
        policy: PageIndexPolicy,
    ) -> Result<Arc<ParquetMetaData>, DataFusionError> {
        let key = self.cache.as_ref().and_then(|_| self.key(&meta.location));
        let known = match (&self.cache, &key) {
            (Some(cache), Some(key)) => cache.get(key).and_then(|entry| valid(&entry, meta)),
            _ => None,
        };
        let footer = match known {
            Some(footer) if policy == PageIndexPolicy::Skip || has_page_index(&footer) => {
                return Ok(footer);
            }
            Some(footer) => self.with_page_index(meta, footer).await?,
            None => {
                DFParquetMetadata::new(self.store.as_ref(), meta)
                    .with_metadata_size_hint(self.size_hint)
                    .with_page_index_policy(Some(policy))
                    .fetch_metadata()
                    .await?
            }
        };
        let footer = without_upper_float_bounds(footer)?;
        if let (Some(cache), Some(key)) = (&self.cache, key) {
            let cached = Arc::new(CachedParquetMetaData::new(Arc::clone(&footer)));
            cache.put(&key, CachedFileMetadataEntry::new(meta.clone(), cached));
        }
        Ok(footer)
    }

    async fn with_page_index(
        &self,
        meta: &ObjectMeta,
        footer: Arc<ParquetMetaData>,
    ) -> Result<Arc<ParquetMetaData>, DataFusionError> {
        let footer = Arc::unwrap_or_clone(footer);
        let mut reader = ParquetMetaDataReader::new_with_metadata(footer)
            .with_page_index_policy(PageIndexPolicy::Optional);
        let fetch = datafusion::datasource::physical_plan::parquet::ObjectStoreFetch::new(
            self.store.as_ref(),
            meta,
        );
        reader.load_page_index(fetch).await?;
        Ok(Arc::new(reader.finish()?))
    }

    fn key(&self, path: &Path) -> Option<Path> {
        let authority = match &self.url[url::Position::BeforeUsername..url::Position::AfterPort] {
            "" => "-",
            authority => authority,
        };
        Path::parse(format!("{}/{authority}/{path}", self.url.scheme())).ok()
    }
}

fn has_page_index(footer: &ParquetMetaData) -> bool {
    footer.column_index().is_some() && footer.offset_index().is_some()
}

fn valid(entry: &CachedFileMetadataEntry, meta: &ObjectMeta) -> Option<Arc<ParquetMetaData>> {
    let same_etag = match (&entry.meta.e_tag, &meta.e_tag) {
        (Some(known), Some(now)) => known == now,
        _ => true,
    };
    if !same_etag || !entry.is_valid_for(meta) {
        return None;
    }
    let cached = entry
        .file_metadata
        .as_any()
        .downcast_ref::<CachedParquetMetaData>()?;
    Some(Arc::clone(cached.parquet_metadata()))
}

/// Makes the readers of one partition of a scan.
///
/// All of them count into one set of metrics: a set per file would outgrow the data of many small
/// files.
pub(super) struct PinnedReaderFactory {
    source: FooterSource,
    metrics: OnceLock<ParquetFileMetrics>,
}

impl PinnedReaderFactory {
    pub(super) fn new(source: FooterSource) -> Self {
        Self {
            source,
            metrics: OnceLock::new(),
        }
    }
}

impl std::fmt::Debug for PinnedReaderFactory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PinnedReaderFactory")
            .field("source", &self.source)
            .finish()
    }
}

impl ParquetFileReaderFactory for PinnedReaderFactory {
    fn create_reader(
        &self,
        partition_index: usize,
        file: PartitionedFile,
        metadata_size_hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> datafusion::common::Result<Box<dyn AsyncFileReader + Send>> {
        let shared = self.metrics.get_or_init(|| {
            ParquetFileMetrics::new(partition_index, "all files of the partition", metrics)
        });
        let mut source = self.source.clone();
        source.store = PinnedFile::new(&source.store, &source.url, &file.object_meta);
        source.size_hint = metadata_size_hint.or(source.size_hint);
        Ok(Box::new(PinnedReader {
            source,
            meta: file.object_meta,
            metrics: shared.clone(),
            read: 0,
        }))
    }
}

/// Reads one file.
pub(super) struct PinnedReader {
    source: FooterSource,
    meta: ObjectMeta,
    metrics: ParquetFileMetrics,
    /// Bytes read so far.
    read: usize,
}

impl PinnedReader {
    /// A reader outside any scan, whose metrics nobody sees.
    pub(super) fn unmeasured(source: FooterSource, meta: ObjectMeta) -> Self {
        let metrics = ExecutionPlanMetricsSet::new();
        let metrics = ParquetFileMetrics::new(0, meta.location.as_ref(), &metrics);
        Self {
            source,
            meta,
            metrics,
            read: 0,
        }
    }
}

impl PinnedReader {
    fn count(&mut self, bytes: u64) {
        self.metrics.bytes_scanned.add(bytes as usize);
        self.read += bytes as usize;
    }
}

impl AsyncFileReader for PinnedReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        self.count(range.end - range.start);
        async move {
            let read = self
                .source
                .store
                .get_range(&self.meta.location, range)
                .await;
            read.map_err(|error| ParquetError::External(Box::new(error)))
        }
        .boxed()
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, ParquetResult<Vec<Bytes>>> {
        let bytes: u64 = ranges.iter().map(|range| range.end - range.start).sum();
        self.count(bytes);
        async move {
            let read = self
                .source
                .store
                .get_ranges(&self.meta.location, &ranges)
                .await;
            read.map_err(|error| ParquetError::External(Box::new(error)))
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        let policy = options.map_or(
            PageIndexPolicy::Skip,
            ArrowReaderOptions::column_index_policy,
        );
        async move {
            let footer = self.source.fetch(&self.meta, policy).await;
            footer.map_err(|error| ParquetError::External(Box::new(error)))
        }
        .boxed()
    }
}

impl Drop for PinnedReader {
    fn drop(&mut self) {
        let ratio = &self.metrics.scan_efficiency_ratio;
        ratio.add_part(self.read);
        ratio.add_total(self.meta.size as usize);
    }
}
