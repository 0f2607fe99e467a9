//! Arrow IPC files.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::ipc::writer::{FileWriter, IpcWriteOptions};
use datafusion::common::Result;

use super::encoder::{Encoder, Footer};

/// One IPC message per batch.
pub(super) struct IpcEncoder {
    writer: FileWriter<Vec<u8>>,
}

impl IpcEncoder {
    pub(super) fn try_new(schema: &SchemaRef, options: IpcWriteOptions) -> Result<Self> {
        Ok(Self {
            writer: FileWriter::try_new_with_options(Vec::new(), schema, options)?,
        })
    }
}

impl Encoder for IpcEncoder {
    fn encode(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
        self.writer.write(batch)?;
        out.append(self.writer.get_mut());
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Result<Footer> {
        self.writer.finish()?;
        out.append(self.writer.get_mut());
        Ok(Footer::default())
    }
}
