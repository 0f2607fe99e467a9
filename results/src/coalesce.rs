//! Batches of the size that travels best.
//!
//! Small batches are joined, large ones are cut, by the bytes they will have on the wire.

use std::collections::VecDeque;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use datafusion::common::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;
use tokio::time::timeout;

use crate::wire::{compact, expanded_bytes, wire_batch, wire_bytes};

/// A batch of this many rows is sent as it is.
const ROWS_ENOUGH: usize = 4096;
/// A batch of this many bytes is sent as it is.
const BYTES_ENOUGH: usize = 256 << 10;
/// Joined batches reach no more than this many rows, but for the last one taken in.
const ROWS_JOINED: usize = 8192;
/// Larger batches are cut, though never within a row.
const BYTES_MAX: usize = 2 << 20;
/// Larger columns do not fit the 32-bit offsets of plain strings.
const COLUMN_BYTES_MAX: usize = 1 << 30;
/// Rows that are there are held back at most this long for others to join them.
const LINGER: Duration = Duration::from_millis(5);

/// Pulls rows and gives them out in batches fit for the wire.
pub(crate) struct Coalescer {
    rows: SendableRecordBatchStream,
    schema: SchemaRef,
    ready: VecDeque<RecordBatch>,
    held: Vec<RecordBatch>,
    held_rows: usize,
    held_bytes: usize,
    ended: bool,
}

impl Coalescer {
    /// `schema` is that of the rows as sent.
    pub(crate) fn new(rows: SendableRecordBatchStream, schema: SchemaRef) -> Self {
        Self {
            rows,
            schema,
            ready: VecDeque::new(),
            held: Vec::new(),
            held_rows: 0,
            held_bytes: 0,
            ended: false,
        }
    }

    /// The next batch, never empty; `None` after the last one and after an error. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Option<Result<RecordBatch, DataFusionError>> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                return Some(Ok(batch));
            }
            if self.ended {
                return None;
            }
            if let Err(error) = self.pull().await {
                self.ended = true;
                self.ready.clear();
                return Some(Err(error));
            }
        }
    }

    async fn pull(&mut self) -> Result<(), DataFusionError> {
        let pulled = if self.held.is_empty() {
            self.rows.next().await
        } else {
            match timeout(LINGER, self.rows.next()).await {
                Ok(pulled) => pulled,
                Err(_elapsed) => return self.release(),
            }
        };
        match pulled {
            None => {
                self.ended = true;
                self.release()
            }
            Some(batch) => self.take(&batch?),
        }
    }

    fn take(&mut self, batch: &RecordBatch) -> Result<(), DataFusionError> {
        let rows = batch.num_rows();
        if rows > 1 && expanded_bytes(batch) > COLUMN_BYTES_MAX {
            let half = rows / 2;
            self.take(&batch.slice(0, half))?;
            return self.take(&batch.slice(half, rows - half));
        }
        if rows == 0 {
            return Ok(());
        }
        let batch = compact(wire_batch(batch, &self.schema)?);
        let bytes = wire_bytes(&batch);
        if rows >= ROWS_ENOUGH || bytes >= BYTES_ENOUGH {
            self.release()?;
            self.cut(batch, bytes);
            return Ok(());
        }
        self.held.push(batch);
        self.held_rows += rows;
        self.held_bytes += bytes;
        if self.held_rows >= ROWS_JOINED || self.held_bytes >= BYTES_MAX / 2 {
            self.release()?;
        }
        Ok(())
    }

    /// Joins what is held and makes it ready.
    fn release(&mut self) -> Result<(), DataFusionError> {
        let joined = match self.held.len() {
            0 => return Ok(()),
            1 => self.held.remove(0),
            _ => concat_batches(&self.schema, &self.held)?,
        };
        self.held.clear();
        let bytes = self.held_bytes;
        (self.held_rows, self.held_bytes) = (0, 0);
        self.cut(joined, bytes);
        Ok(())
    }

    /// Makes a batch ready in pieces of at most [`BYTES_MAX`]. Rows differ in size, so each half
    /// is measured anew.
    fn cut(&mut self, batch: RecordBatch, bytes: usize) {
        let rows = batch.num_rows();
        if bytes <= BYTES_MAX || rows < 2 {
            self.ready.push_back(batch);
            return;
        }
        let half = rows / 2;
        for piece in [batch.slice(0, half), batch.slice(half, rows - half)] {
            let piece = compact(piece);
            let bytes = wire_bytes(&piece);
            self.cut(piece, bytes);
        }
    }
}
