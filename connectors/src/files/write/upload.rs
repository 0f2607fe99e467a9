//! One file on its way to the store, in parts of bounded number and size.
//!
//! Small files go out in one request. Larger ones become a multipart upload, which the store shows
//! only when it is complete and which `abort` takes back part by part.

use std::sync::Arc;

use bytes::Bytes;
use datafusion::common::runtime::JoinSet;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload, PutPayloadMut};

/// Size of a part. Stores accept no less than 5 MiB and no more than 10,000 parts.
const PART_BYTES: usize = 8 << 20;
/// Parts on their way at once.
const PARTS_IN_FLIGHT_MAX: usize = 4;

/// A file being uploaded. Dropping it leaves the parts to the store: call [`Upload::abort`].
pub(super) struct Upload {
    store: Arc<dyn ObjectStore>,
    path: Path,
    buffer: PutPayloadMut,
    parts: Option<Parts>,
    bytes: u64,
}

struct Parts {
    upload: Box<dyn MultipartUpload>,
    in_flight: JoinSet<object_store::Result<()>>,
}

impl Upload {
    pub(super) fn new(store: Arc<dyn ObjectStore>, path: Path) -> Self {
        Self {
            store,
            path,
            buffer: PutPayloadMut::new(),
            parts: None,
            bytes: 0,
        }
    }

    /// Bytes handed over so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes held in memory at most.
    pub(super) fn memory_bytes(&self) -> usize {
        let in_flight = self.parts.as_ref().map_or(0, |parts| parts.in_flight.len());
        self.buffer.content_length() + in_flight * PART_BYTES
    }

    /// Takes the file's next bytes; waits while too many parts are on their way.
    pub(super) async fn put(&mut self, mut bytes: Bytes) -> object_store::Result<()> {
        self.bytes += bytes.len() as u64;
        while !bytes.is_empty() {
            let room = PART_BYTES - self.buffer.content_length();
            self.buffer.push(bytes.split_to(room.min(bytes.len())));
            if self.buffer.content_length() == PART_BYTES {
                self.send_part().await?;
            }
        }
        Ok(())
    }

    /// Sends what is left and makes the file appear.
    pub(super) async fn finish(&mut self) -> object_store::Result<()> {
        if self.parts.is_none() {
            let payload: PutPayload = std::mem::take(&mut self.buffer).into();
            self.store.put(&self.path, payload).await?;
            return Ok(());
        }
        if !self.buffer.is_empty() {
            self.send_part().await?;
        }
        if let Some(parts) = &mut self.parts {
            parts.wait(0).await?;
            parts.upload.complete().await?;
        }
        Ok(())
    }

    /// Takes back the parts sent so far. A file that is complete, or that went out in one
    /// request, is the caller's to delete.
    pub(super) async fn abort(&mut self) {
        if let Some(mut parts) = self.parts.take() {
            parts.in_flight.shutdown().await;
            if let Err(error) = parts.upload.abort().await {
                tracing::debug!(path = %self.path, %error, "multipart upload not aborted");
            }
        }
    }

    async fn send_part(&mut self) -> object_store::Result<()> {
        let payload: PutPayload = std::mem::take(&mut self.buffer).into();
        let parts = match &mut self.parts {
            Some(parts) => parts,
            None => {
                let upload = self.store.put_multipart(&self.path).await?;
                self.parts.insert(Parts {
                    upload,
                    in_flight: JoinSet::new(),
                })
            }
        };
        parts.wait(PARTS_IN_FLIGHT_MAX - 1).await?;
        parts.in_flight.spawn(parts.upload.put_part(payload));
        Ok(())
    }
}

impl Parts {
    /// Waits until at most `remaining` parts are on their way.
    async fn wait(&mut self, remaining: usize) -> object_store::Result<()> {
        while self.in_flight.len() > remaining {
            if let Some(sent) = self.in_flight.join_next().await {
                sent??;
            }
        }
        Ok(())
    }
}
