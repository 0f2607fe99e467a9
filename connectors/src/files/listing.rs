//! The files of a location, listed.

use std::sync::Arc;
use std::time::Instant;

use datafusion::common::ScalarValue;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use waterbuck_engine::{Error, Result};

use super::format::Format;
use super::local_walk::{Found, is_hidden, look, walk};
use super::location::{Location, readable};
use super::naming::store_error;
use super::partition::{PartitionColumn, values};
use super::target::Target;

/// A level with more directories than this is listed flat, a thousand files per request.
const MAX_FAN_OUT: usize = 256;

/// Requests in flight while directories are listed.
const CONCURRENT_LISTINGS: usize = 32;

/// One file of a table.
#[derive(Debug, Clone)]
pub struct FileEntry {
    /// Path, size, modification time and, where the store has one, etag.
    pub meta: ObjectMeta,
    /// The values of the partition columns, shared by the files of a directory.
    pub partition_values: Arc<[ScalarValue]>,
}

/// The files of a table as seen at one moment, ordered by path.
#[derive(Debug, Clone)]
pub struct FileListing {
    /// The files.
    pub files: Arc<Vec<FileEntry>>,
    /// When the listing began.
    pub listed_at: Instant,
    /// The sum of the files' sizes.
    pub bytes: u64,
}

impl FileListing {
    /// Roughly what the listing takes in memory.
    pub(super) fn memory_bytes(&self) -> usize {
        let paths: usize = self
            .files
            .iter()
            .map(|file| {
                file.meta.location.as_ref().len() + file.meta.e_tag.as_ref().map_or(0, String::len)
            })
            .sum();
        self.files.len() * size_of::<FileEntry>() + paths
    }
}

/// Which of the files found in a directory belong to the table.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct FileFilter {
    pub(super) format: Format,
    /// An extension that replaces the format's usual ones, without a dot.
    pub(super) extension: Option<String>,
}

impl FileFilter {
    /// A file without any extension is taken, as Hive writes them.
    fn accepts(&self, name: &str) -> bool {
        let lower = name.to_ascii_lowercase();
        if let Some(extension) = &self.extension {
            return lower.ends_with(&format!(".{}", extension.to_ascii_lowercase()));
        }
        !name.contains('.') || Format::of_path(&lower) == Some(self.format)
    }
}

/// A listed file and where its path below the location begins.
#[derive(Debug, Clone)]
pub(super) struct RawFile {
    pub(super) meta: ObjectMeta,
    pub(super) relative_from: usize,
}

impl RawFile {
    /// The path below the location.
    pub(super) fn relative(&self) -> &str {
        &self.meta.location.as_ref()[self.relative_from..]
    }
}

/// Every non-empty file of a location that the filter accepts, ordered by path.
///
/// # Errors
/// `NotFound` naming a location that does not exist, `Data` when a directory holds only files of
/// another kind, else what the store says.
pub(super) async fn list(
    store: &Arc<dyn ObjectStore>,
    location: &Location,
    filter: &FileFilter,
) -> Result<Vec<RawFile>> {
    list_targets(store, location, Some(filter)).await
}

/// Every non-empty file of a location, whatever its kind, ordered by path.
///
/// # Errors
/// `NotFound` naming a location that does not exist, else what the store says.
pub(super) async fn list_all(
    store: &Arc<dyn ObjectStore>,
    location: &Location,
) -> Result<Vec<RawFile>> {
    list_targets(store, location, None).await
}

async fn list_targets(
    store: &Arc<dyn ObjectStore>,
    location: &Location,
    filter: Option<&FileFilter>,
) -> Result<Vec<RawFile>> {
    // Collected first: a future that holds the mapping closure is not `Send` for every lifetime.
    let listings: Vec<_> = location
        .targets()
        .iter()
        .map(|target| list_target(store, location, target, filter))
        .collect();
    let mut found: Vec<RawFile> = stream::iter(listings)
        .buffered(CONCURRENT_LISTINGS)
        .try_concat()
        .await?;
    found.sort_unstable_by(|a, b| a.meta.location.cmp(&b.meta.location));
    found.dedup_by(|a, b| a.meta.location == b.meta.location);
    Ok(found)
}

async fn list_target(
    store: &Arc<dyn ObjectStore>,
    location: &Location,
    target: &Target,
    filter: Option<&FileFilter>,
) -> Result<Vec<RawFile>> {
    let base = &target.base;
    let found = match location.is_local() {
        true => list_local(target).await?,
        false => list_remote(store, location, target).await?,
    };
    let Listed::Below(metas) = found else {
        let Listed::Exactly(meta) = found else {
            return Err(Error::not_found(format!(
                "location \"{}\" does not exist",
                readable(location.store_url(), base)
            )));
        };
        let from = base.as_ref().rfind('/').map_or(0, |slash| slash + 1);
        let file = RawFile {
            meta,
            relative_from: from,
        };
        return Ok(if file.meta.size > 0 {
            vec![file]
        } else {
            vec![]
        });
    };
    let from = if base.as_ref().is_empty() {
        0
    } else {
        base.as_ref().len() + 1
    };
    let mut other = None;
    let mut files = Vec::with_capacity(metas.len());
    for meta in metas {
        let path = meta.location.as_ref();
        let Some(relative) = path.get(from..) else {
            continue;
        };
        if meta.size == 0 || relative.split('/').any(is_hidden) || !target.matches(&meta.location) {
            continue;
        }
        let name = relative.rsplit('/').next().unwrap_or(relative);
        // A pattern says itself which files it means.
        let refusing = filter.filter(|filter| {
            let meant = target.pattern.is_some() && filter.extension.is_none();
            !meant && !filter.accepts(name)
        });
        match refusing {
            None => files.push(RawFile {
                meta,
                relative_from: from,
            }),
            Some(filter) => {
                other.get_or_insert_with(|| {
                    let file = readable(location.store_url(), &meta.location);
                    (filter.format, file)
                });
            }
        }
    }
    match other {
        Some((format, other)) if files.is_empty() => Err(Error::data(format!(
            "location \"{}\" holds no {format} files but others, such as \"{other}\"; name them with \
             a pattern or with the option \"file_extension\"",
            readable(location.store_url(), base),
        ))),
        _ => Ok(files),
    }
}

enum Listed {
    /// The target is this file.
    Exactly(ObjectMeta),
    /// The target is a directory or pattern; everything below its base.
    Below(Vec<ObjectMeta>),
    Nothing,
}

async fn list_local(target: &Target) -> Result<Listed> {
    Ok(match look(&target.base).await? {
        Found::File(meta) if !target.directory => Listed::Exactly(meta),
        Found::Directory => Listed::Below(walk(&target.base).await?),
        _ => Listed::Nothing,
    })
}

async fn list_remote(
    store: &Arc<dyn ObjectStore>,
    location: &Location,
    target: &Target,
) -> Result<Listed> {
    let base = &target.base;
    let failed = |error| {
        store_error(
            &format!("location \"{}\"", readable(location.store_url(), base)),
            error,
        )
    };
    let looks_like_file = base.filename().is_some_and(|name| name.contains('.'));
    if !location.is_listable() {
        return store.head(base).await.map(Listed::Exactly).map_err(failed);
    }
    if !target.directory && looks_like_file {
        match store.head(base).await {
            Ok(meta) if meta.size > 0 => return Ok(Listed::Exactly(meta)),
            Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    let files = match list_below(store, base).await {
        Ok(files) => files,
        Err(object_store::Error::NotFound { .. }) => Vec::new(),
        Err(error) => return Err(failed(error)),
    };
    if files.is_empty() && !target.directory && !looks_like_file {
        match store.head(base).await {
            Ok(meta) if meta.size > 0 => return Ok(Listed::Exactly(meta)),
            Ok(_) => {}
            Err(object_store::Error::NotFound { .. }) => return Ok(Listed::Nothing),
            Err(error) => return Err(failed(error)),
        }
    }
    if files.is_empty() && looks_like_file && !target.directory {
        return Ok(Listed::Nothing);
    }
    Ok(Listed::Below(files))
}

/// Lists directories side by side where there are a few, and flat where there are many.
async fn list_below(
    store: &Arc<dyn ObjectStore>,
    base: &Path,
) -> object_store::Result<Vec<ObjectMeta>> {
    let mut files = Vec::new();
    let mut at = base.clone();
    loop {
        let level = store.list_with_delimiter(Some(&at)).await?;
        let directories: Vec<Path> = level
            .common_prefixes
            .into_iter()
            .filter(|path| !path.filename().is_some_and(is_hidden))
            .collect();
        if directories.len() > MAX_FAN_OUT {
            let flat: Vec<_> = store.list(Some(&at)).try_collect().await?;
            files.extend(flat);
            return Ok(files);
        }
        files.extend(level.objects);
        match <[Path; 1]>::try_from(directories) {
            Ok([only]) => at = only,
            Err(directories) => {
                let below: Vec<Vec<ObjectMeta>> = stream::iter(directories)
                    .map(|directory| store.list(Some(&directory)).try_collect())
                    .buffer_unordered(CONCURRENT_LISTINGS)
                    .try_collect()
                    .await?;
                files.extend(below.into_iter().flatten());
                return Ok(files);
            }
        }
    }
}

/// Reads the partition values of listed files; files of one directory share them.
///
/// # Errors
/// `Data` naming the file or directory at fault.
pub(super) fn with_partitions(
    files: Vec<RawFile>,
    location: &Location,
    columns: &[PartitionColumn],
) -> Result<Vec<FileEntry>> {
    let mut shared: Arc<[ScalarValue]> = Arc::from([]);
    let mut directory: Option<String> = None;
    files
        .into_iter()
        .map(|file| {
            let here = file
                .relative()
                .rsplit_once('/')
                .map_or("", |(directory, _)| directory);
            if !columns.is_empty() && directory.as_deref() != Some(here) {
                let name = readable(location.store_url(), &file.meta.location);
                shared = values(file.relative(), &name, columns)?.into();
                directory = Some(here.to_string());
            }
            Ok(FileEntry {
                meta: file.meta,
                partition_values: Arc::clone(&shared),
            })
        })
        .collect()
}
