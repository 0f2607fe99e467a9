//! CSV, and JSON with one object per line.

use arrow::array::RecordBatch;
use arrow::csv::WriterBuilder as CsvBuilder;
use arrow::datatypes::SchemaRef;
use arrow::json::LineDelimitedWriter;
use datafusion::common::Result;

use super::encoder::{Encoder, Footer};

/// Writes the header, when there is one, before the first rows or into the empty file.
pub(super) struct CsvEncoder {
    schema: SchemaRef,
    builder: CsvBuilder,
    begun: bool,
}

impl CsvEncoder {
    pub(super) fn new(schema: &SchemaRef, builder: CsvBuilder) -> Self {
        Self {
            schema: SchemaRef::clone(schema),
            builder,
            begun: false,
        }
    }
}

impl Encoder for CsvEncoder {
    fn encode(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
        let header = self.builder.header() && !self.begun;
        self.begun = true;
        Ok(self
            .builder
            .clone()
            .with_header(header)
            .build(out)
            .write(batch)?)
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Result<Footer> {
        if !self.begun {
            self.encode(&RecordBatch::new_empty(SchemaRef::clone(&self.schema)), out)?;
        }
        Ok(Footer::default())
    }
}

/// NULLs are left out of the objects, as readers take an absent key for NULL.
pub(super) struct JsonEncoder;

impl Encoder for JsonEncoder {
    fn encode(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
        let mut writer = LineDelimitedWriter::new(out);
        writer.write(batch)?;
        Ok(writer.finish()?)
    }

    fn finish(&mut self, _out: &mut Vec<u8>) -> Result<Footer> {
        Ok(Footer::default())
    }
}
