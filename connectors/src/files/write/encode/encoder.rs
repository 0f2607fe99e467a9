//! What every format's encoder does.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;

use super::avro::AvroEncoder;
use super::coalesced::Coalesced;
use super::ipc::IpcEncoder;
use super::parquet::ParquetEncoder;
use super::text::{CsvEncoder, JsonEncoder};
use crate::files::write::options::Encoding;
use crate::files::write::written::ColumnStats;

/// Turns batches into a file's bytes. Encoded bytes are appended to `out` as they become final.
pub(in super::super) trait Encoder: Send {
    /// Encodes a batch of the file's schema.
    fn encode(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<()>;

    /// Gives up what is held back for better encoding, to free memory.
    fn flush(&mut self, _out: &mut Vec<u8>) -> Result<()> {
        Ok(())
    }

    /// Ends the file.
    fn finish(&mut self, out: &mut Vec<u8>) -> Result<Footer>;

    /// Bytes of memory held.
    fn memory_bytes(&self) -> usize {
        0
    }

    /// Encoded bytes held back, as far as they can be foretold.
    fn pending_bytes(&self) -> usize {
        0
    }
}

/// What a finished file says about itself.
#[derive(Debug, Default)]
pub(in super::super) struct Footer {
    /// Length of the footer in bytes; 0 for formats without one.
    pub(in super::super) footer_bytes: u64,
    /// Statistics of the columns; empty for formats that keep none.
    pub(in super::super) columns: Vec<ColumnStats>,
}

/// The encoder of a format for files of `schema`.
pub(in super::super) fn encoder(
    encoding: &Encoding,
    schema: &SchemaRef,
) -> Result<Box<dyn Encoder>> {
    Ok(match encoding {
        Encoding::Parquet(properties) => Box::new(ParquetEncoder::try_new(
            schema,
            properties.as_ref().clone(),
        )?),
        Encoding::Csv(builder) => Box::new(CsvEncoder::new(schema, builder.clone())),
        Encoding::Json => Box::new(JsonEncoder),
        Encoding::Avro(codec) => Box::new(Coalesced::new(
            AvroEncoder::try_new(schema, *codec)?,
            schema,
        )),
        Encoding::Arrow(options) => Box::new(Coalesced::new(
            IpcEncoder::try_new(schema, options.clone())?,
            schema,
        )),
    })
}
