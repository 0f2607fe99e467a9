//! What is known of tables' files: listings, columns and footers, cached and never stale for long.
//!
//! A listing is used again until it is `max_age` old; columns and footers are used again as long
//! as the listing shows the same size, modification time and etag. Readers of one location wait
//! for one another, so that a hundred queries list it once.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::execution::cache::cache_manager::FileMetadataCache;
use object_store::{ObjectMeta, ObjectStore};
use parking_lot::Mutex;
use parquet::file::metadata::PageIndexPolicy;
use tokio::task::JoinSet;
use waterbuck_engine::{Error, Result};

use super::byte_cache::ByteCache;
use super::file_facts::{FileFacts, file_schema};
use super::format::Format;
use super::listing::{FileFilter, FileListing, RawFile, list, with_partitions};
use super::location::{Location, readable};
use super::naming::with_file;
use super::options::FormatOptions;
use super::parquet_reader::FooterSource;
use super::partition::{PartitionColumn, discover};
use super::sample;
use super::schema::{MergedColumns, Widening};

/// Tasks that read and decode footers side by side.
const FOOTER_TASKS: usize = 8;

/// Everything a scan needs to know of a file table.
#[derive(Debug, Clone)]
pub struct FileTableSpec {
    /// For messages and plans.
    pub name: String,
    /// How the files are encoded.
    pub format: Format,
    /// Where the files lie.
    pub location: Location,
    /// File and partition columns, as declared or inferred.
    pub columns: SchemaRef,
    /// Those of `columns` whose values are in directory names.
    pub partition_columns: Vec<String>,
    /// As given in `OPTIONS (…)`.
    pub options: BTreeMap<String, String>,
}

impl FileTableSpec {
    /// The partition columns with their types, in their declared order.
    ///
    /// # Errors
    /// `InvalidQuery` for a partition column that is no column of the table.
    pub(super) fn partitions(&self) -> Result<Vec<PartitionColumn>> {
        self.partition_columns
            .iter()
            .map(|name| match self.columns.field_with_name(name) {
                Ok(field) => Ok(PartitionColumn {
                    name: name.clone(),
                    data_type: field.data_type().clone(),
                }),
                Err(_) => Err(Error::invalid(format!(
                    "the partition column \"{name}\" is no column of table \"{}\"",
                    self.name
                ))),
            })
            .collect()
    }
}

/// The columns found in the files of a location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InferredSchema {
    /// File columns, then partition columns.
    pub columns: SchemaRef,
    /// The names of the partition columns.
    pub partition_columns: Vec<String>,
}

type ListingKey = (String, FileFilter, Vec<PartitionColumn>);
type FactsKey = (String, object_store::path::Path);

struct CachedFacts {
    meta: ObjectMeta,
    facts: Arc<FileFacts>,
}

/// The shared cache of listings and footers, bounded in bytes.
pub struct FileMetadata {
    listings: ByteCache<ListingKey, Arc<FileListing>>,
    facts: ByteCache<(FactsKey, String), Arc<CachedFacts>>,
    /// One lock per location that is being listed.
    listing_now: Mutex<HashMap<ListingKey, Arc<tokio::sync::Mutex<()>>>>,
}

impl std::fmt::Debug for FileMetadata {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileMetadata").finish_non_exhaustive()
    }
}

impl FileMetadata {
    /// A cache that keeps about `bytes_max` bytes.
    pub fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(Self {
            listings: ByteCache::new(bytes_max / 2),
            facts: ByteCache::new(bytes_max / 2),
            listing_now: Mutex::default(),
        })
    }

    /// Forgets everything about a location, for the statement that has just written to it.
    pub fn forget(&self, location: &Location) {
        let location = location.to_string();
        self.listings.retain(|(listed, _, _)| !listed.starts_with(&location));
    }

    /// The files of a table, as of at most `max_age` ago.
    ///
    /// # Errors
    /// `NotFound` naming a location that does not exist, `Data` naming a directory whose value is
    /// none of its partition column, or what the storage says.
    pub async fn list(
        &self,
        store: &Arc<dyn ObjectStore>,
        spec: &FileTableSpec,
        max_age: Duration,
    ) -> Result<Arc<FileListing>> {
        let options = FormatOptions::parse(spec.format, &spec.options)?;
        let filter = FileFilter { format: spec.format, extension: options.extension };
        let key = (spec.location.to_string(), filter, spec.partitions()?);
        let asked = Instant::now();
        if let Some(known) = self.fresh(&key, asked, max_age) {
            return Ok(known);
        }
        let lock = Arc::clone(self.listing_now.lock().entry(key.clone()).or_default());
        let listed = {
            let _turn = lock.lock().await;
            // Whoever went first may have listed after this query asked.
            match self.fresh(&key, asked, max_age) {
                Some(known) => Ok(known),
                None => self.list_now(store, spec, &key).await,
            }
        };
        drop(lock);
        let mut listing_now = self.listing_now.lock();
        if listing_now.get(&key).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            listing_now.remove(&key);
        }
        listed
    }

    fn fresh(&self, key: &ListingKey, asked: Instant, max_age: Duration) -> Option<Arc<FileListing>> {
        let known = self.listings.get(key)?;
        let age = asked.saturating_duration_since(known.listed_at);
        (known.listed_at >= asked || age < max_age).then_some(known)
    }

    async fn list_now(
        &self,
        store: &Arc<dyn ObjectStore>,
        spec: &FileTableSpec,
        key: &ListingKey,
    ) -> Result<Arc<FileListing>> {
        let listed_at = Instant::now();
        let raw = list(store, &spec.location, &key.1).await?;
        let bytes = raw.iter().map(|file| file.meta.size).sum();
        let files = Arc::new(with_partitions(raw, &spec.location, &key.2)?);
        let listing = Arc::new(FileListing { files, listed_at, bytes });
        self.listings.put(key.clone(), Arc::clone(&listing), listing.memory_bytes());
        Ok(listing)
    }

    /// Finds the columns of a location from all of its files.
    ///
    /// `partition_columns` names the partition columns, with types where they are declared;
    /// without it they are discovered from the directory names.
    ///
    /// # Errors
    /// `NotFound` when there is no file to learn from, `Data` naming the file that cannot be read
    /// or the column on which files disagree.
    pub async fn infer(
        &self,
        store: &Arc<dyn ObjectStore>,
        format: Format,
        location: &Location,
        options: &BTreeMap<String, String>,
        partition_columns: Option<&[(String, Option<DataType>)]>,
    ) -> Result<InferredSchema> {
        let options = FormatOptions::parse(format, options)?;
        let filter = FileFilter { format, extension: options.extension.clone() };
        let files = list(store, location, &filter).await?;
        if files.is_empty() {
            return Err(Error::not_found(format!(
                "location \"{location}\" holds no {format} files to learn the columns from; declare \
                 the columns"
            )));
        }
        let partitions = partitions_of(&files, location, partition_columns)?;
        let mut columns = infer_file_columns(store, format, location, options, files).await?;
        // What the directory says wins over a column of the same name inside the file.
        columns.retain(|field| !partitions.iter().any(|p| p.name == *field.name()));
        columns.extend(partitions.iter().map(|p| Field::new(&p.name, p.data_type.clone(), true)));
        Ok(InferredSchema {
            columns: Arc::new(Schema::new(columns)),
            partition_columns: partitions.into_iter().map(|p| p.name).collect(),
        })
    }

    /// The facts of Parquet files, in their order, read side by side where they are not known.
    pub(super) async fn facts(
        &self,
        request: &FactsRequest,
        files: &[ObjectMeta],
    ) -> Result<Vec<Arc<FileFacts>>> {
        let store = request.source.url.to_string();
        let dialect = format!("{:?}{}", request.options.coerce_int96, request.options.binary_as_string);
        let key = |meta: &ObjectMeta| ((store.clone(), meta.location.clone()), dialect.clone());
        let mut found: Vec<Option<Arc<FileFacts>>> = files
            .iter()
            .map(|meta| {
                let known = self.facts.get(&key(meta))?;
                same_file(&known.meta, meta).then(|| Arc::clone(&known.facts))
            })
            .collect();
        let missing: Vec<usize> =
            found.iter().enumerate().filter(|(_, f)| f.is_none()).map(|(i, _)| i).collect();
        for (index, facts) in load_facts(request, files, missing).await? {
            let meta = files[index].clone();
            let bytes = facts.memory_bytes() + meta.location.as_ref().len();
            let cached = CachedFacts { meta, facts: Arc::clone(&facts) };
            self.facts.put(key(&files[index]), Arc::new(cached), bytes);
            found[index] = Some(facts);
        }
        Ok(found.into_iter().flatten().collect())
    }
}

/// What reading footers takes.
#[derive(Clone)]
pub(super) struct FactsRequest {
    pub(super) source: FooterSource,
    pub(super) options: FormatOptions,
    pub(super) policy: PageIndexPolicy,
}

impl FactsRequest {
    pub(super) fn new(
        store: &Arc<dyn ObjectStore>,
        location: &Location,
        options: FormatOptions,
        cache: Option<Arc<FileMetadataCache>>,
        policy: PageIndexPolicy,
    ) -> Self {
        let source = FooterSource {
            store: Arc::clone(store),
            url: location.store_url().clone(),
            cache,
            size_hint: options.metadata_size_hint,
        };
        Self { source, options, policy }
    }
}

fn same_file(known: &ObjectMeta, now: &ObjectMeta) -> bool {
    known.size == now.size
        && known.last_modified == now.last_modified
        && (known.e_tag == now.e_tag || known.e_tag.is_none() || now.e_tag.is_none())
}

async fn load_facts(
    request: &FactsRequest,
    files: &[ObjectMeta],
    missing: Vec<usize>,
) -> Result<Vec<(usize, Arc<FileFacts>)>> {
    let mut tasks = JoinSet::new();
    for share in shares(missing) {
        let request = request.clone();
        let share: Vec<_> = share.into_iter().map(|i| (i, files[i].clone())).collect();
        tasks.spawn(async move {
            let mut loaded = Vec::with_capacity(share.len());
            for (index, meta) in share {
                let facts = FileFacts::load(&request.source, &meta, &request.options, request.policy)
                    .await
                    .map_err(|error| named(error, &request.source.url, &meta, Format::Parquet))?;
                loaded.push((index, Arc::new(facts)));
            }
            Ok::<_, Error>(loaded)
        });
    }
    let mut all = Vec::new();
    while let Some(done) = tasks.join_next().await {
        all.extend(done.map_err(lost)??);
    }
    Ok(all)
}

/// Spreads work over tasks: few for few files, so that small tables cost no task switches.
fn shares<T>(items: Vec<T>) -> Vec<Vec<T>> {
    let tasks = FOOTER_TASKS.min(items.len()).max(1);
    let mut shares: Vec<Vec<T>> = (0..tasks).map(|_| Vec::new()).collect();
    for (i, item) in items.into_iter().enumerate() {
        shares[i % tasks].push(item);
    }
    shares.retain(|share| !share.is_empty());
    shares
}

fn lost(error: tokio::task::JoinError) -> Error {
    Error::internal("a task that reads footers failed").with_source(error)
}

fn named(
    error: datafusion::common::DataFusionError,
    store: &url::Url,
    meta: &ObjectMeta,
    format: Format,
) -> Error {
    let file = readable(store, &meta.location);
    match with_file(error, &file, format.name()) {
        datafusion::common::DataFusionError::External(own) => match own.downcast::<Error>() {
            Ok(own) => *own,
            Err(other) => Error::data(format!("file \"{file}\" cannot be read")).with_source(other),
        },
        other => Error::data(format!("file \"{file}\" cannot be read")).with_source(other),
    }
}

fn partitions_of(
    files: &[RawFile],
    location: &Location,
    declared: Option<&[(String, Option<DataType>)]>,
) -> Result<Vec<PartitionColumn>> {
    let named = files
        .iter()
        .map(|file| (file.relative(), readable(location.store_url(), &file.meta.location)));
    let Some(declared) = declared else { return discover(named) };
    let discovered = match declared.iter().all(|(_, data_type)| data_type.is_some()) {
        true => Vec::new(),
        false => discover(named)?,
    };
    declared
        .iter()
        .map(|(name, data_type)| {
            let found = discovered.iter().find(|c| c.name.eq_ignore_ascii_case(name));
            let data_type = data_type.clone().or_else(|| found.map(|c| c.data_type.clone()));
            match data_type {
                Some(data_type) => Ok(PartitionColumn { name: name.clone(), data_type }),
                None => Err(Error::data(format!(
                    "the files of location \"{location}\" do not lie in directories \"{name}=…\""
                ))),
            }
        })
        .collect()
}

async fn infer_file_columns(
    store: &Arc<dyn ObjectStore>,
    format: Format,
    location: &Location,
    options: FormatOptions,
    files: Vec<RawFile>,
) -> Result<Vec<Field>> {
    let widening = if format.is_text() { Widening::Guessed } else { Widening::Stored };
    let policy = PageIndexPolicy::Skip;
    let request = FactsRequest::new(store, location, options, None, policy);
    let mut tasks = JoinSet::new();
    for share in shares(files.into_iter().enumerate().collect()) {
        let request = request.clone();
        tasks.spawn(async move { distinct_columns(&request, format, share).await });
    }
    let mut distinct = Vec::new();
    while let Some(done) = tasks.join_next().await {
        distinct.extend(done.map_err(lost)??);
    }
    // The order of the columns is the order of the files, whichever task was first.
    distinct.sort_by_key(|(index, _, _, _)| *index);
    let mut merged = MergedColumns::new(widening);
    for (_, schema, file, times) in &distinct {
        merged.add_times(schema, file, *times)?;
    }
    Ok(merged.finish())
}

type Distinct = (usize, Schema, String, usize);

/// The different schemas of some files: where each was first seen and how often.
async fn distinct_columns(
    request: &FactsRequest,
    format: Format,
    files: Vec<(usize, RawFile)>,
) -> Result<Vec<Distinct>> {
    let mut distinct: Vec<Distinct> = Vec::new();
    for (index, file) in files {
        let meta = &file.meta;
        let schema = match format {
            Format::Parquet => match request.source.fetch(meta, request.policy).await {
                Ok(footer) => file_schema(&footer, &request.options).map(Arc::unwrap_or_clone),
                Err(error) => Err(error),
            },
            _ => sample::columns(&request.source.store, meta, format, &request.options).await,
        };
        let schema =
            schema.map_err(|error| named(error, &request.source.url, meta, format))?;
        match distinct.iter_mut().find(|(_, known, _, _)| *known == schema) {
            Some((_, _, _, times)) => *times += 1,
            None => {
                let name = readable(&request.source.url, &meta.location);
                distinct.push((index, schema, name, 1));
            }
        }
    }
    Ok(distinct)
}
