//! Pins: a query reads the files it was planned on, or fails naming the one that is different.
//!
//! Every file of a scan carries its size, modification time and etag from the listing. A
//! [`PinnedFile`] stands between the reader and the store and compares them with what the store
//! says along with the data: on object stores with the answer's own headers, on the local disk
//! with one `fstat` of the open file after the bytes were read. Neither costs a round trip.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use datafusion::common::runtime::SpawnedTask;
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::ExecutionPlan;
use datafusion_distributed::DistributedLeafExec;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, OBJECT_STORE_COALESCE_DEFAULT,
    ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    coalesce_ranges,
};
use url::Url;

use super::local_walk::on_disk;
use super::location::readable;
use super::naming::changed;

/// The identity of a file when it was listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// Bytes.
    pub size: u64,
    /// Modification time as the store tells it.
    pub last_modified: DateTime<Utc>,
    /// Only stores that have one.
    pub e_tag: Option<String>,
}

/// The files a plan reads: by store URL and path.
pub type Pins = BTreeMap<(String, Path), Pin>;

/// Every file that the scans of a plan read: the file part of the query's snapshot.
pub fn collect_pins(plan: &Arc<dyn ExecutionPlan>) -> Pins {
    let mut pins = Pins::new();
    add_pins(plan, &mut pins);
    pins
}

fn add_pins(plan: &Arc<dyn ExecutionPlan>, pins: &mut Pins) {
    // A leaf that was split over tasks hides the scan it was made from.
    if let Some(leaf) = plan.downcast_ref::<DistributedLeafExec>() {
        add_pins(leaf.original(), pins);
    }
    let scan = plan
        .downcast_ref::<DataSourceExec>()
        .and_then(|scan| scan.data_source().downcast_ref::<FileScanConfig>());
    if let Some(config) = scan {
        let store = config.object_store_url.as_str();
        for file in config.file_groups.iter().flat_map(|group| group.files()) {
            let meta = &file.object_meta;
            let pin = Pin {
                size: meta.size,
                last_modified: meta.last_modified,
                e_tag: meta.e_tag.clone(),
            };
            pins.insert((store.to_string(), meta.location.clone()), pin);
        }
    }
    for child in plan.children() {
        add_pins(child, pins);
    }
}

/// A store through which one file is read, and only as it was listed.
#[derive(Debug)]
pub(super) struct PinnedFile {
    store: Arc<dyn ObjectStore>,
    url: Url,
    pin: ObjectMeta,
}

impl PinnedFile {
    pub(super) fn new(store: &Arc<dyn ObjectStore>, url: &Url, pin: &ObjectMeta) -> Arc<Self> {
        Arc::new(Self {
            store: Arc::clone(store),
            url: url.clone(),
            pin: pin.clone(),
        })
    }

    /// Compares the file on the local disk once more, for readers that held it open for long.
    ///
    /// # Errors
    /// The error of a changed file.
    pub(super) fn verify(&self) -> object_store::Result<()> {
        if self.is_local() {
            let meta = std::fs::metadata(on_disk(&self.pin.location));
            let same = meta.is_ok_and(|meta| self.is_same_on_disk(&meta));
            return if same { Ok(()) } else { Err(self.changed()) };
        }
        Ok(())
    }

    fn is_local(&self) -> bool {
        self.url.scheme() == "file"
    }

    fn is_same_on_disk(&self, meta: &std::fs::Metadata) -> bool {
        let modified = meta.modified().ok().map(DateTime::<Utc>::from);
        meta.len() == self.pin.size && modified == Some(self.pin.last_modified)
    }

    fn check(&self, meta: &ObjectMeta) -> object_store::Result<()> {
        if is_same(&self.pin, meta) {
            Ok(())
        } else {
            Err(self.changed())
        }
    }

    /// The file's name for messages.
    pub(super) fn name(&self) -> String {
        readable(&self.url, &self.pin.location)
    }

    fn changed(&self) -> object_store::Error {
        object_store::Error::Generic {
            store: "pinned",
            source: Box::new(changed(&self.name())),
        }
    }

    fn gone(&self, error: object_store::Error) -> object_store::Error {
        match error {
            object_store::Error::NotFound { .. } => self.changed(),
            other => other,
        }
    }

    /// Reads ranges of a local file and looks at the open file afterwards: a file written to in
    /// the meantime shows it, one replaced by renaming is read as it was.
    async fn read_local(&self, ranges: &[Range<u64>]) -> object_store::Result<Vec<Bytes>> {
        let path = on_disk(&self.pin.location);
        let wanted = ranges.to_vec();
        let work = move || {
            let mut file = File::open(&path)?;
            let parts = wanted.into_iter().map(|range| read_range(&mut file, range));
            let parts = parts.collect::<std::io::Result<Vec<_>>>();
            Ok::<_, std::io::Error>((parts, file.metadata()?))
        };
        let done = SpawnedTask::spawn_blocking(work).join().await;
        let done = done.map_err(|error| object_store::Error::JoinError { source: error })?;
        let generic = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => self.changed(),
            _ => object_store::Error::Generic {
                store: "local",
                source: Box::new(error),
            },
        };
        let (parts, meta) = done.map_err(generic)?;
        if !self.is_same_on_disk(&meta) {
            return Err(self.changed());
        }
        parts.map_err(generic)
    }
}

fn read_range(file: &mut File, range: Range<u64>) -> std::io::Result<Bytes> {
    file.seek(SeekFrom::Start(range.start))?;
    let length = range.end - range.start;
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    file.take(length).read_to_end(&mut bytes)?;
    match bytes.len() as u64 == length {
        true => Ok(bytes.into()),
        false => Err(std::io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Etags decide where both sides have one. Times are compared to the second where a side knows no
/// more: listings of object stores carry milliseconds, headers do not.
pub(super) fn is_same(pin: &ObjectMeta, now: &ObjectMeta) -> bool {
    if pin.size != now.size {
        return false;
    }
    if let (Some(known), Some(now)) = (&pin.e_tag, &now.e_tag) {
        return bare_etag(known) == bare_etag(now);
    }
    let (known, now) = (pin.last_modified, now.last_modified);
    known == now
        || (known.timestamp() == now.timestamp()
            && (known.timestamp_subsec_nanos() == 0 || now.timestamp_subsec_nanos() == 0))
}

fn bare_etag(e_tag: &str) -> &str {
    e_tag.trim_start_matches("W/").trim_matches('"')
}

impl std::fmt::Display for PinnedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PinnedFile({})", self.name())
    }
}

#[async_trait]
impl ObjectStore for PinnedFile {
    async fn get_opts(
        &self,
        location: &Path,
        options: GetOptions,
    ) -> object_store::Result<GetResult> {
        let result = self
            .store
            .get_opts(location, options)
            .await
            .map_err(|error| self.gone(error))?;
        if *location == self.pin.location {
            match &result.payload {
                object_store::GetResultPayload::File(file, _) => {
                    let same = file
                        .metadata()
                        .is_ok_and(|meta| self.is_same_on_disk(&meta));
                    if !same {
                        return Err(self.changed());
                    }
                }
                object_store::GetResultPayload::Stream(_) => self.check(&result.meta)?,
            }
        }
        Ok(result)
    }

    async fn get_ranges(
        &self,
        location: &Path,
        ranges: &[Range<u64>],
    ) -> object_store::Result<Vec<Bytes>> {
        if self.is_local() && *location == self.pin.location {
            return self.read_local(ranges).await;
        }
        coalesce_ranges(
            ranges,
            |range| async move {
                let options = GetOptions::new().with_range(Some(range));
                self.get_opts(location, options).await?.bytes().await
            },
            OBJECT_STORE_COALESCE_DEFAULT,
        )
        .await
    }

    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> object_store::Result<PutResult> {
        self.store.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.store.put_multipart_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        self.store.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.store.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        self.store.list_with_delimiter(prefix).await
    }

    async fn copy_opts(
        &self,
        from: &Path,
        to: &Path,
        options: CopyOptions,
    ) -> object_store::Result<()> {
        self.store.copy_opts(from, to, options).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;

    async fn pinned(store: Arc<dyn ObjectStore>, url: &str, path: &Path) -> Arc<PinnedFile> {
        let pin = store.head(path).await.expect("head");
        PinnedFile::new(&store, &Url::parse(url).expect("url"), &pin)
    }

    #[tokio::test]
    async fn a_local_file_that_is_written_to_is_noticed() {
        let dir = tempfile::tempdir().expect("dir");
        let file = dir.path().join("a.csv");
        std::fs::write(&file, "hello").expect("write");
        let path = Path::from_filesystem_path(&file).expect("path");
        let store = Arc::new(object_store::local::LocalFileSystem::new());
        let pinned = pinned(store, "file:///", &path).await;
        let ranges = [0..2, 3..5];
        let read = pinned.get_ranges(&path, &ranges).await.expect("read");
        assert_eq!(read, [Bytes::from("he"), Bytes::from("lo")]);
        pinned.get(&path).await.expect("unchanged");

        std::fs::write(&file, "HELLO!").expect("write");
        let error = pinned
            .get_ranges(&path, &ranges)
            .await
            .expect_err("changed")
            .to_string();
        let expected = format!("file \"{}\" was changed or removed", file.display());
        assert!(error.contains(&expected), "{error}");
        pinned.get(&path).await.expect_err("changed");
        pinned.verify().expect_err("changed");

        std::fs::remove_file(&file).expect("remove");
        let error = pinned
            .get_ranges(&path, &ranges)
            .await
            .expect_err("gone")
            .to_string();
        assert!(error.contains(&expected), "{error}");
    }

    #[tokio::test]
    async fn a_replaced_object_is_noticed() {
        let store = Arc::new(InMemory::new());
        let path = Path::from("a/b");
        store.put(&path, "one".into()).await.expect("put");
        let pinned = pinned(Arc::clone(&store) as _, "s3://bucket/", &path).await;
        assert_eq!(pinned.get_range(&path, 0..3).await.expect("read"), "one");
        store.put(&path, "two".into()).await.expect("put");
        let error = pinned
            .get_range(&path, 0..3)
            .await
            .expect_err("changed")
            .to_string();
        assert!(
            error.contains("file \"s3://bucket/a/b\" was changed"),
            "{error}"
        );
    }

    #[test]
    fn times_are_compared_as_precisely_as_both_sides_know() {
        let meta = |nanos: i64, e_tag: Option<&str>| ObjectMeta {
            location: Path::from("x"),
            last_modified: DateTime::from_timestamp_nanos(nanos),
            size: 1,
            e_tag: e_tag.map(Into::into),
            version: None,
        };
        assert!(is_same(
            &meta(1_500_000_000, None),
            &meta(1_000_000_000, None)
        ));
        assert!(!is_same(
            &meta(1_500_000_000, None),
            &meta(1_600_000_000, None)
        ));
        assert!(is_same(&meta(1, Some("\"a\"")), &meta(2, Some("a"))));
        assert!(!is_same(&meta(1, Some("a")), &meta(1, Some("b"))));
    }
}
