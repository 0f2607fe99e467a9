//! Blocks of a decent size for formats that write one block per batch.

use arrow::array::RecordBatch;
use arrow::compute::BatchCoalescer;
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;

use super::encoder::{Encoder, Footer};

/// Rows of a block.
const BLOCK_ROWS: usize = 8192;

/// Gathers rows before they are encoded: a batch cut into many partitions leaves each of their
/// files a few rows at a time.
pub(super) struct Coalesced<E> {
    encoder: E,
    gathered: BatchCoalescer,
}

impl<E: Encoder> Coalesced<E> {
    pub(super) fn new(encoder: E, schema: &SchemaRef) -> Self {
        let gathered = BatchCoalescer::new(SchemaRef::clone(schema), BLOCK_ROWS);
        Self { encoder, gathered }
    }

    fn encode_blocks(&mut self, out: &mut Vec<u8>) -> Result<()> {
        while let Some(block) = self.gathered.next_completed_batch() {
            self.encoder.encode(&block, out)?;
        }
        Ok(())
    }
}

impl<E: Encoder> Encoder for Coalesced<E> {
    fn encode(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
        self.gathered.push_batch(batch.clone())?;
        self.encode_blocks(out)
    }

    fn flush(&mut self, out: &mut Vec<u8>) -> Result<()> {
        self.gathered.finish_buffered_batch()?;
        self.encode_blocks(out)
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Result<Footer> {
        self.flush(out)?;
        self.encoder.finish(out)
    }

    fn memory_bytes(&self) -> usize {
        self.gathered.size() + self.encoder.memory_bytes()
    }

    fn pending_bytes(&self) -> usize {
        self.encoder.pending_bytes()
    }
}
