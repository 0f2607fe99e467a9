//! Reads the footers of many files at once.

use std::sync::Arc;

use datafusion::common::DataFusionError;
use datafusion::execution::cache::cache_manager::FileMetadataCache;
use object_store::{ObjectMeta, ObjectStore};
use parquet::file::metadata::PageIndexPolicy;
use tokio::task::JoinSet;
use url::Url;
use waterbuck_engine::{Error, Result};

use super::file_facts::FileFacts;
use super::format::Format;
use super::location::{Location, readable};
use super::naming::{plain_cause, with_file};
use super::options::FormatOptions;
use super::parquet_reader::FooterSource;

/// Tasks that read and decode footers side by side.
const FOOTER_TASKS: usize = 8;

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
        Self {
            source,
            options,
            policy,
        }
    }
}

/// Reads the facts of the `missing` ones of `files`, side by side.
///
/// # Errors
/// `Data` naming the file whose footer cannot be read.
pub(super) async fn load_facts(
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
                let facts =
                    FileFacts::load(&request.source, &meta, &request.options, request.policy)
                        .await
                        .map_err(|error| {
                            named(error, &request.source.url, &meta, Format::Parquet)
                        })?;
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
pub(super) fn shares<T>(items: Vec<T>) -> Vec<Vec<T>> {
    let tasks = FOOTER_TASKS.min(items.len()).max(1);
    let mut shares: Vec<Vec<T>> = (0..tasks).map(|_| Vec::new()).collect();
    for (i, item) in items.into_iter().enumerate() {
        shares[i % tasks].push(item);
    }
    shares.retain(|share| !share.is_empty());
    shares
}

/// The error of a task that did not come back.
pub(super) fn lost(error: tokio::task::JoinError) -> Error {
    Error::internal("a task that reads footers failed").with_source(error)
}

/// Puts the file's name on an error met while learning about it.
pub(super) fn named(
    error: DataFusionError,
    store: &Url,
    meta: &ObjectMeta,
    format: Format,
) -> Error {
    let file = readable(store, &meta.location);
    let unread = |text: &str| {
        Error::data(format!("file \"{file}\" cannot be read")).with_source(plain_cause(text))
    };
    match with_file(error, &file, format.name()) {
        DataFusionError::External(own) => match own.downcast::<Error>() {
            Ok(own) => *own,
            Err(other) => unread(&other.to_string()),
        },
        other => unread(&other.strip_backtrace()),
    }
}
