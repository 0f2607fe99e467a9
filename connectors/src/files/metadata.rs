//! What is known of tables' files: listings, columns and footers, cached and never stale for long.
//!
//! A listing is used again until it is `max_age` old; columns and footers are used again as long
//! as the listing shows the same size, modification time and etag. Readers of one location wait
//! for one another, so that a hundred queries list it once.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use datafusion::arrow::datatypes::{DataType, SchemaRef};
use object_store::{ObjectMeta, ObjectStore};
use parking_lot::Mutex;
use waterbuck_engine::{Error, Result};

use super::byte_cache::ByteCache;
use super::file_facts::FileFacts;
use super::footers::{FactsRequest, load_facts};
use super::format::Format;
use super::inference::{InferredSchema, infer};
use super::listing::{FileFilter, FileListing, list, with_partitions};
use super::location::Location;
use super::options::FormatOptions;
use super::partition::PartitionColumn;

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

    /// Forgets every listing that the files below a location may be part of, for the statement that
    /// has just written there.
    pub fn forget(&self, location: &Location) {
        let written = location.to_string();
        self.listings.retain(|(listed, _, _)| {
            let fixed = listed.split(['*', '?', '[', '{']).next().unwrap_or(listed);
            !fixed.starts_with(&written) && !written.starts_with(fixed)
        });
    }

    /// Forgets every listing, when one turned out to be of the past.
    pub fn forget_all(&self) {
        self.listings.retain(|_| false);
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
        let filter = FileFilter {
            format: spec.format,
            extension: options.extension,
        };
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
        if listing_now
            .get(&key)
            .is_some_and(|lock| Arc::strong_count(lock) == 1)
        {
            listing_now.remove(&key);
        }
        listed
    }

    fn fresh(
        &self,
        key: &ListingKey,
        asked: Instant,
        max_age: Duration,
    ) -> Option<Arc<FileListing>> {
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
        let listing = Arc::new(FileListing {
            files,
            listed_at,
            bytes,
        });
        self.listings
            .put(key.clone(), Arc::clone(&listing), listing.memory_bytes());
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
        infer(store, format, location, options, partition_columns).await
    }

    /// The facts of Parquet files, in their order, read side by side where they are not known.
    pub(super) async fn facts(
        &self,
        request: &FactsRequest,
        files: &[ObjectMeta],
    ) -> Result<Vec<Arc<FileFacts>>> {
        let store = request.source.url.to_string();
        let dialect = format!(
            "{:?}{}",
            request.options.coerce_int96, request.options.binary_as_string
        );
        let key = |meta: &ObjectMeta| ((store.clone(), meta.location.clone()), dialect.clone());
        let mut found: Vec<Option<Arc<FileFacts>>> = files
            .iter()
            .map(|meta| {
                let known = self.facts.get(&key(meta))?;
                same_file(&known.meta, meta).then(|| Arc::clone(&known.facts))
            })
            .collect();
        let missing: Vec<usize> = found
            .iter()
            .enumerate()
            .filter(|(_, f)| f.is_none())
            .map(|(i, _)| i)
            .collect();
        for (index, facts) in load_facts(request, files, missing).await? {
            let meta = files[index].clone();
            let bytes = facts.memory_bytes() + meta.location.as_ref().len();
            let cached = CachedFacts {
                meta,
                facts: Arc::clone(&facts),
            };
            self.facts.put(key(&files[index]), Arc::new(cached), bytes);
            found[index] = Some(facts);
        }
        Ok(found.into_iter().flatten().collect())
    }
}

fn same_file(known: &ObjectMeta, now: &ObjectMeta) -> bool {
    known.size == now.size
        && known.last_modified == now.last_modified
        && (known.e_tag == now.e_tag || known.e_tag.is_none() || now.e_tag.is_none())
}
