//! Parquet files: zstd, page index, statistics per column chunk.

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float16Type, Float32Type, Float64Type, SchemaRef};
use datafusion::common::Result;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use super::encoder::{Encoder, Footer};
use super::statistics::column_stats;

/// Bytes after the footer: its length and the magic word.
const TAIL_BYTES: usize = 8;

/// Holds a row group in memory until it is full.
pub(super) struct ParquetEncoder {
    schema: SchemaRef,
    writer: ArrowWriter<Vec<u8>>,
    /// Per column, whether a NaN was written; Parquet's minimum and maximum pass over them.
    nan: Vec<bool>,
}

impl ParquetEncoder {
    pub(super) fn try_new(schema: &SchemaRef, properties: WriterProperties) -> Result<Self> {
        let writer = ArrowWriter::try_new(Vec::new(), SchemaRef::clone(schema), Some(properties))?;
        let nan = vec![false; schema.fields().len()];
        Ok(Self {
            schema: SchemaRef::clone(schema),
            writer,
            nan,
        })
    }

    fn note_nan(&mut self, batch: &RecordBatch) {
        for (column, nan) in batch.columns().iter().zip(&mut self.nan) {
            *nan = *nan
                || match column.data_type() {
                    DataType::Float16 => column
                        .as_primitive::<Float16Type>()
                        .values()
                        .iter()
                        .any(|v| v.is_nan()),
                    DataType::Float32 => column
                        .as_primitive::<Float32Type>()
                        .values()
                        .iter()
                        .any(|v| v.is_nan()),
                    DataType::Float64 => column
                        .as_primitive::<Float64Type>()
                        .values()
                        .iter()
                        .any(|v| v.is_nan()),
                    _ => false,
                };
        }
    }
}

impl Encoder for ParquetEncoder {
    fn encode(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
        self.note_nan(batch);
        self.writer.write(batch)?;
        out.append(self.writer.inner_mut());
        Ok(())
    }

    fn flush(&mut self, out: &mut Vec<u8>) -> Result<()> {
        self.writer.flush()?;
        out.append(self.writer.inner_mut());
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Result<Footer> {
        let metadata = self.writer.finish()?;
        out.append(self.writer.inner_mut());
        let columns = column_stats(&self.schema, &metadata, &self.nan)?;
        Ok(Footer {
            footer_bytes: footer_bytes(out),
            columns,
        })
    }

    fn memory_bytes(&self) -> usize {
        self.writer.memory_size()
    }

    fn pending_bytes(&self) -> usize {
        self.writer.in_progress_size()
    }
}

/// The length of the footer's metadata, which the file states before its last four bytes.
fn footer_bytes(end_of_file: &[u8]) -> u64 {
    end_of_file
        .len()
        .checked_sub(TAIL_BYTES)
        .and_then(|start| end_of_file.get(start..start + 4))
        .and_then(|length| length.try_into().ok())
        .map_or(0, |length| u64::from(u32::from_le_bytes(length)))
}
