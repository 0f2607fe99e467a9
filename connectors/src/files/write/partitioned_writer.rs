//! The files one task writes for one partition of its plan.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::memory_pool::MemoryReservation;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use uuid::Uuid;

use super::layout::{child, file_name_prefix};
use super::open_file::{FileKind, OpenFile};
use super::partition::{
    PartitionKey, PartitionRows, PartitionSplitter, PartitionValues, partition_directory,
};
use super::plain_rows::plain_rows;
use super::target::WriteTarget;
use super::written::WrittenFile;

/// Files open at once. Each holds a row group in memory.
pub(super) const OPEN_FILES_MAX: usize = 200;

/// Spreads batches over the files of their partitions and begins new files when one is full.
pub(super) struct PartitionedWriter {
    target: Arc<WriteTarget>,
    kind: Arc<FileKind>,
    plain_schema: SchemaRef,
    data_columns: Vec<usize>,
    splitter: Option<PartitionSplitter>,
    /// Makes this writer's file names unlike those of any other task or attempt.
    tag: String,
    begun: Vec<Path>,
    open: HashMap<PartitionKey, OpenFile>,
    finished: Vec<WrittenFile>,
    memory: MemoryReservation,
}

impl PartitionedWriter {
    pub(super) fn try_new(
        target: Arc<WriteTarget>,
        kind: Arc<FileKind>,
        memory: MemoryReservation,
    ) -> Result<Self> {
        let plain_schema = target.plain_schema();
        let partition_columns = target.partition_indices()?;
        let splitter = match partition_columns.is_empty() {
            true => None,
            false => Some(PartitionSplitter::try_new(
                &target.schema,
                partition_columns,
            )?),
        };
        // The last 12 digits of a version 7 id are random.
        let id = Uuid::now_v7().simple().to_string();
        Ok(Self {
            plain_schema,
            data_columns: target.data_columns(),
            tag: id[20..].to_owned(),
            target,
            kind,
            splitter,
            begun: Vec::new(),
            open: HashMap::new(),
            finished: Vec::new(),
            memory,
        })
    }

    /// Writes the batch, unless that would take more open files than there may be: then nothing
    /// is written and the answer is false.
    pub(super) async fn write(&mut self, batch: &RecordBatch) -> Result<bool> {
        let batch = &plain_rows(batch, &self.plain_schema)?;
        let Some(splitter) = &self.splitter else {
            self.write_part(PartitionKey::default(), Vec::new(), batch)
                .await?;
            self.account().await?;
            return Ok(true);
        };
        let parts = splitter.split(batch)?;
        let added = parts
            .iter()
            .filter(|part| !self.open.contains_key(&part.key))
            .count();
        if self.open.len() + added > OPEN_FILES_MAX {
            return Ok(false);
        }
        for part in parts {
            self.write_rows_of(part, batch).await?;
        }
        self.account().await?;
        Ok(true)
    }

    /// Writes a batch that is sorted by partition, so that one file at a time is open.
    pub(super) async fn write_sorted(&mut self, batch: &RecordBatch) -> Result<()> {
        let Some(splitter) = &self.splitter else {
            return self.write(batch).await.map(|_| ());
        };
        let batch = &plain_rows(batch, &self.plain_schema)?;
        for part in splitter.split(batch)? {
            if !self.open.contains_key(&part.key) {
                self.close_all().await?;
            }
            self.write_rows_of(part, batch).await?;
        }
        self.account().await
    }

    /// Completes every open file.
    pub(super) async fn close_all(&mut self) -> Result<()> {
        let keys: Vec<PartitionKey> = self.open.keys().cloned().collect();
        for key in keys {
            self.close(&key).await?;
        }
        Ok(())
    }

    /// Completes the write and returns its files.
    pub(super) async fn finish(&mut self) -> Result<Vec<WrittenFile>> {
        if self.target.single_file.is_some() && self.begun.is_empty() {
            self.open_file(PartitionKey::default(), Vec::new())?;
        }
        self.close_all().await?;
        Ok(std::mem::take(&mut self.finished))
    }

    /// Removes every file this writer has begun. What cannot be removed is left to `abort`.
    pub(super) async fn discard(&mut self) {
        for (_, file) in self.open.drain() {
            file.abort().await;
        }
        for path in std::mem::take(&mut self.begun) {
            match self.kind.store.delete(&path).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => tracing::warn!(%path, %error, "unfinished file not removed"),
            }
            self.kind
                .layout
                .remove_empty_directories(self.kind.store.as_ref(), &path)
                .await;
        }
        self.memory.free();
    }

    async fn write_rows_of(&mut self, part: PartitionRows, batch: &RecordBatch) -> Result<()> {
        let values = match &self.splitter {
            Some(splitter) if !self.open.contains_key(&part.key) => {
                splitter.values(batch, &part)?
            }
            _ => Vec::new(),
        };
        let rows = part.take(batch)?;
        self.write_part(part.key, values, &rows).await
    }

    /// Appends rows to the partition's file; `values` are needed when there is none open.
    async fn write_part(
        &mut self,
        key: PartitionKey,
        values: PartitionValues,
        rows: &RecordBatch,
    ) -> Result<()> {
        let rows = self.file_batch(rows)?;
        if !self.open.contains_key(&key) {
            self.open_file(key.clone(), values)?;
        }
        let Some(file) = self.open.get_mut(&key) else {
            return datafusion::common::internal_err!("a file just opened is not open");
        };
        file.write(&rows).await?;
        if file.bytes() >= self.kind.options.target_file_bytes && self.target.single_file.is_none()
        {
            self.close(&key).await?;
        }
        Ok(())
    }

    fn open_file(&mut self, key: PartitionKey, values: PartitionValues) -> Result<()> {
        let directory = partition_directory(&values);
        let separator = if directory.is_empty() { "" } else { "/" };
        let name = format!("{directory}{separator}{}", self.file_name());
        let path = child(self.kind.layout.root(), &name)?;
        self.begun.push(path.clone());
        self.open
            .insert(key, OpenFile::create(&self.kind, path, values)?);
        Ok(())
    }

    /// `part-<write id>-<tag>-<number>.<extension>`
    fn file_name(&self) -> String {
        format!(
            "{}{}-{}.{}",
            file_name_prefix(self.target.write_id),
            self.tag,
            self.begun.len(),
            self.kind.options.extension
        )
    }

    async fn close(&mut self, key: &PartitionKey) -> Result<()> {
        // A file that fails to finish stays among the open ones, so that `discard` finds it.
        if let Some(file) = self.open.get_mut(key) {
            self.finished.push(file.finish().await?);
            self.open.remove(key);
        }
        Ok(())
    }

    /// The columns that go into files.
    fn file_batch(&self, rows: &RecordBatch) -> Result<RecordBatch> {
        let columns = self
            .data_columns
            .iter()
            .map(|&index| Arc::clone(rows.column(index)));
        Ok(RecordBatch::try_new(
            Arc::clone(&self.kind.schema),
            columns.collect(),
        )?)
    }

    /// Brings the reservation in line with what the files hold; short of memory, the files give
    /// up their row groups, the biggest first.
    async fn account(&mut self) -> Result<()> {
        loop {
            let held: usize = self.open.values().map(OpenFile::memory_bytes).sum();
            let Err(refusal) = self.memory.try_resize(held) else {
                return Ok(());
            };
            let biggest = self
                .open
                .values_mut()
                .max_by_key(|file| file.memory_bytes());
            let Some(file) = biggest else {
                return Err(refusal);
            };
            let before = file.memory_bytes();
            file.flush().await?;
            if file.memory_bytes() >= before {
                return Err(refusal);
            }
        }
    }
}
