//! One file being written: rows are encoded, compressed and uploaded as they come.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, Result};
use object_store::ObjectStore;
use object_store::path::Path;

use super::encode::{Compressor, Encoder, encoder};
use super::failure::storage_failure;
use super::layout::Layout;
use super::local;
use super::options::FileOptions;
use super::partition::PartitionValues;
use super::upload::Upload;
use super::written::WrittenFile;

/// What all files of a write have in common.
pub(super) struct FileKind {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) layout: Layout,
    pub(super) options: FileOptions,
    pub(super) schema: SchemaRef,
}

/// A file that is not complete: finish it or abort it.
pub(super) struct OpenFile {
    kind: Arc<FileKind>,
    path: Path,
    partition_values: PartitionValues,
    encoder: Box<dyn Encoder>,
    compressor: Compressor,
    upload: Upload,
    rows: u64,
}

impl OpenFile {
    pub(super) fn create(
        kind: &Arc<FileKind>,
        path: Path,
        partition_values: PartitionValues,
    ) -> Result<Self> {
        let encoder = encoder(&kind.options.encoding, &kind.schema)
            .map_err(|e| encoding_failure(&kind.layout, &path, e))?;
        Ok(Self {
            kind: Arc::clone(kind),
            encoder,
            compressor: Compressor::new(kind.options.compression),
            upload: Upload::new(Arc::clone(&kind.store), path.clone()),
            path,
            partition_values,
            rows: 0,
        })
    }

    pub(super) async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let mut out = Vec::new();
        self.encoder
            .encode(batch, &mut out)
            .map_err(|e| encoding_failure(&self.kind.layout, &self.path, e))?;
        self.rows += batch.num_rows() as u64;
        self.send(out).await
    }

    /// Gives up memory at the price of a smaller row group.
    pub(super) async fn flush(&mut self) -> Result<()> {
        let mut out = Vec::new();
        self.encoder
            .flush(&mut out)
            .map_err(|e| encoding_failure(&self.kind.layout, &self.path, e))?;
        self.send(out).await
    }

    /// Completes the file. After an error the file must still be aborted.
    pub(super) async fn finish(&mut self) -> Result<WrittenFile> {
        let mut out = Vec::new();
        let footer = self
            .encoder
            .finish(&mut out)
            .map_err(|e| encoding_failure(&self.kind.layout, &self.path, e))?;
        self.send(out).await?;
        let end = self.compressor.finish().await?;
        self.upload
            .put(end.into())
            .await
            .map_err(|e| self.failure(e))?;
        self.upload.finish().await.map_err(|e| self.failure(e))?;
        if let Some(local) = self.kind.layout.local_path(&self.path) {
            local::sync_file(&local)
                .await
                .map_err(|e| self.failure(e))?;
        }
        Ok(WrittenFile {
            path: self.kind.layout.relative(&self.path)?,
            rows: self.rows,
            bytes: self.upload.bytes(),
            footer_bytes: footer.footer_bytes,
            partition_values: self.partition_values.clone(),
            column_stats: footer.columns,
        })
    }

    /// Takes back what was sent. A file that had become complete is left to be deleted.
    pub(super) async fn abort(mut self) {
        self.upload.abort().await;
    }

    /// Bytes the file would have if it ended here.
    pub(super) fn bytes(&self) -> u64 {
        self.upload.bytes() + self.encoder.pending_bytes() as u64
    }

    /// Bytes of memory held.
    pub(super) fn memory_bytes(&self) -> usize {
        self.encoder.memory_bytes() + self.upload.memory_bytes()
    }

    async fn send(&mut self, plain: Vec<u8>) -> Result<()> {
        if plain.is_empty() {
            return Ok(());
        }
        let bytes = self.compressor.compress(plain).await?;
        self.upload
            .put(bytes.into())
            .await
            .map_err(|e| self.failure(e))
    }

    fn failure(
        &self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> DataFusionError {
        storage_failure("write", &self.kind.layout.display(&self.path), source).into()
    }
}

/// Names the file that rows could not be encoded for; the published place says more to a user
/// than the staging directory.
fn encoding_failure(layout: &Layout, path: &Path, source: DataFusionError) -> DataFusionError {
    let place = layout.published(path).unwrap_or_else(|_| path.clone());
    source.context(format!("cannot write \"{}\"", layout.display(&place)))
}
