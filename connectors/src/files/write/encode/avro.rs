//! Avro object container files.

use std::io::{self, Write};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::arrow_avro::compression::CompressionCodec;
use datafusion::arrow_avro::errors::AvroError;
use datafusion::arrow_avro::writer::format::AvroOcfFormat;
use datafusion::arrow_avro::writer::{AvroWriter, WriterBuilder};
use datafusion::common::{DataFusionError, Result};
use parking_lot::Mutex;

use super::encoder::{Encoder, Footer};

/// One Avro block per batch.
pub(super) struct AvroEncoder {
    writer: AvroWriter<SharedBytes>,
    written: SharedBytes,
}

/// The writer owns its sink, so what it wrote is fetched through a second handle.
#[derive(Clone, Default)]
struct SharedBytes(Arc<Mutex<Vec<u8>>>);

impl Write for SharedBytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AvroEncoder {
    pub(super) fn try_new(schema: &SchemaRef, codec: Option<CompressionCodec>) -> Result<Self> {
        let written = SharedBytes::default();
        // An Avro schema kept from a file that was read need not fit the columns written.
        let schema = Schema::new(schema.fields().clone());
        let writer = WriterBuilder::new(schema)
            .with_compression(codec)
            .build::<_, AvroOcfFormat>(written.clone())
            .map_err(avro_error)?;
        Ok(Self { writer, written })
    }
}

impl Encoder for AvroEncoder {
    fn encode(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
        self.writer.write(batch).map_err(avro_error)?;
        out.append(&mut self.written.0.lock());
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Result<Footer> {
        self.writer.finish().map_err(avro_error)?;
        out.append(&mut self.written.0.lock());
        Ok(Footer::default())
    }
}

fn avro_error(error: AvroError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
