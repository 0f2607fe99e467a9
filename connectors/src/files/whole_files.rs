//! Web servers that serve whole files only.
//!
//! Parquet is read in ranges, which plain web servers may not serve. A file of such a server is
//! fetched whole, kept for the ranges that follow, and looked at again for each of them: a file that
//! was replaced is fetched again.

use std::fmt::{self, Debug, Display, Formatter};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use tokio::sync::Mutex;

use super::byte_cache::ByteCache;

/// A file larger than this is not held in memory.
const FILE_BYTES_MAX: u64 = 512 << 20;
const KEPT_BYTES: usize = 256 << 20;

/// A store whose server may refuse ranges.
pub(super) struct WholeFiles<S> {
    inner: S,
    /// Whether the server has refused a range.
    refuses: AtomicBool,
    kept: ByteCache<Path, (ObjectMeta, Bytes)>,
    /// Ranges of one file are asked for at the same time; the first fetches it for all.
    fetching: Mutex<()>,
}

impl<S: ObjectStore> WholeFiles<S> {
    pub(super) fn new(inner: S) -> Self {
        Self {
            inner,
            refuses: AtomicBool::new(false),
            kept: ByteCache::new(KEPT_BYTES),
            fetching: Mutex::new(()),
        }
    }

    /// The file as it is now.
    async fn whole(&self, path: &Path, options: &GetOptions) -> Result<(ObjectMeta, Bytes)> {
        let _one_at_a_time = self.fetching.lock().await;
        let look = GetOptions {
            head: true,
            range: None,
            ..options.clone()
        };
        let now = self.inner.get_opts(path, look).await?.meta;
        if let Some((meta, bytes)) = self.kept.get(path)
            && is_same(&meta, &now)
        {
            return Ok((meta, bytes));
        }
        if now.size > FILE_BYTES_MAX {
            return Err(Error::Generic {
                store: "HTTP",
                source: format!(
                    "the server of \"{path}\" serves whole files only, and {} bytes are too many to \
                     hold: copy the file to where ranges can be read",
                    now.size
                )
                .into(),
            });
        }
        let all = GetOptions {
            range: None,
            ..options.clone()
        };
        let answer = self.inner.get_opts(path, all).await?;
        let meta = answer.meta.clone();
        let bytes = answer.bytes().await?;
        let file = (meta, bytes);
        let size = file.1.len();
        self.kept.put(path.clone(), file.clone(), size);
        Ok(file)
    }
}

fn is_same(kept: &ObjectMeta, now: &ObjectMeta) -> bool {
    kept.size == now.size && kept.last_modified == now.last_modified && kept.e_tag == now.e_tag
}

fn part_of(meta: ObjectMeta, bytes: &Bytes, options: &GetOptions) -> Result<GetResult> {
    let range = match &options.range {
        Some(range) => range
            .as_range(bytes.len() as u64)
            .map_err(|error| Error::Generic {
                store: "HTTP",
                source: Box::new(error),
            })?,
        None => 0..bytes.len() as u64,
    };
    let at = |position: u64| usize::try_from(position).unwrap_or(usize::MAX);
    let part = bytes.slice(at(range.start)..at(range.end));
    Ok(GetResult {
        payload: GetResultPayload::Stream(stream::once(async move { Ok(part) }).boxed()),
        meta,
        range,
        attributes: object_store::Attributes::default(),
    })
}

#[async_trait]
impl<S: ObjectStore> ObjectStore for WholeFiles<S> {
    async fn put_opts(
        &self,
        path: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.inner.put_opts(path, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        if options.head || options.range.is_none() {
            return self.inner.get_opts(path, options).await;
        }
        if !self.refuses.load(Ordering::Relaxed) {
            match self.inner.get_opts(path, options.clone()).await {
                Err(Error::NotSupported { .. }) => self.refuses.store(true, Ordering::Relaxed),
                answer => return answer,
            }
        }
        let (meta, bytes) = self.whole(path, &options).await?;
        part_of(meta, &bytes, &options)
    }

    async fn get_ranges(&self, path: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        if !self.refuses.load(Ordering::Relaxed) {
            match self.inner.get_ranges(path, ranges).await {
                Err(Error::NotSupported { .. }) => self.refuses.store(true, Ordering::Relaxed),
                answer => return answer,
            }
        }
        let (meta, bytes) = self.whole(path, &GetOptions::default()).await?;
        let mut parts = Vec::with_capacity(ranges.len());
        for range in ranges {
            let options = GetOptions {
                range: Some(range.clone().into()),
                ..GetOptions::default()
            };
            parts.push(part_of(meta.clone(), &bytes, &options)?.bytes().await?);
        }
        Ok(parts)
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

impl<S: Display> Display for WholeFiles<S> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.inner, f)
    }
}

impl<S: Debug> Debug for WholeFiles<S> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WholeFiles").field(&self.inner).finish()
    }
}
