//! Carries the operator that writes files to the executors.
//!
//! ```text
//! "WBWR" ─ length of the settings (u32) ─ settings (JSON) ─ schema (an Arrow IPC stream)
//! ```

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use datafusion::common::{DataFusionError, Result, not_impl_err};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use datafusion_proto::physical_plan::{PhysicalExtensionCodec, PhysicalProtoConverterExtension};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use waterbuck_engine::Error;

use super::exec::WriteFilesExec;
use super::target::WriteTarget;

const MAGIC: &[u8; 4] = b"WBWR";
const LENGTH_BYTES: usize = 4;

/// Encodes and decodes [`WriteFilesExec`], and declines every other operator.
#[derive(Debug, Clone, Copy, Default)]
pub struct WriteFilesCodec;

/// The target without its schema, in types that JSON holds.
#[derive(Serialize, Deserialize)]
struct Settings {
    write_id: String,
    location: String,
    format: String,
    options: BTreeMap<String, String>,
    partition_columns: Vec<String>,
    target_file_bytes: u64,
    single_file: Option<String>,
    staging: bool,
}

impl PhysicalExtensionCodec for WriteFilesCodec {
    fn try_decode(
        &self,
        buf: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        _ctx: &TaskContext,
        _proto_converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(body) = buf.strip_prefix(MAGIC) else {
            return not_impl_err!("the message is not a WriteFilesExec");
        };
        let [input] = inputs else {
            return Err(malformed("it has one input").into());
        };
        let target = decode_target(body)?;
        Ok(Arc::new(WriteFilesExec::try_new(
            Arc::clone(input),
            Arc::new(target),
        )?))
    }

    fn try_encode(
        &self,
        node: Arc<dyn ExecutionPlan>,
        buf: &mut Vec<u8>,
        _proto_converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<()> {
        let Some(write) = node.downcast_ref::<WriteFilesExec>() else {
            return not_impl_err!("{} is not a WriteFilesExec", node.name());
        };
        buf.extend_from_slice(MAGIC);
        encode_target(write.target(), buf)
    }
}

fn encode_target(target: &WriteTarget, buf: &mut Vec<u8>) -> Result<()> {
    let settings = Settings {
        write_id: target.write_id.to_string(),
        location: target.location.clone(),
        format: target.format.to_string(),
        options: target.options.clone(),
        partition_columns: target.partition_columns.clone(),
        target_file_bytes: target.target_file_bytes,
        single_file: target.single_file.clone(),
        staging: target.staging,
    };
    let json = serde_json::to_vec(&settings).map_err(external)?;
    let length = u32::try_from(json.len()).map_err(external)?;
    buf.extend_from_slice(&length.to_le_bytes());
    buf.extend_from_slice(&json);
    StreamWriter::try_new(buf, &target.schema)?.finish()?;
    Ok(())
}

fn decode_target(body: &[u8]) -> Result<WriteTarget> {
    let (length, rest) = body
        .split_first_chunk::<LENGTH_BYTES>()
        .ok_or_else(|| malformed("it is cut off"))?;
    let (json, schema) = rest
        .split_at_checked(u32::from_le_bytes(*length) as usize)
        .ok_or_else(|| malformed("it is cut off"))?;
    let settings: Settings = serde_json::from_slice(json).map_err(external)?;
    Ok(WriteTarget {
        write_id: Uuid::parse_str(&settings.write_id).map_err(external)?,
        location: settings.location,
        format: settings.format.parse()?,
        options: settings.options,
        partition_columns: settings.partition_columns,
        schema: decode_schema(schema)?,
        target_file_bytes: settings.target_file_bytes,
        single_file: settings.single_file,
        staging: settings.staging,
    })
}

fn decode_schema(bytes: &[u8]) -> Result<SchemaRef> {
    Ok(StreamReader::try_new(Cursor::new(bytes), None)?.schema())
}

fn malformed(expectation: &str) -> Error {
    Error::internal(format!(
        "a WriteFilesExec message is malformed: {expectation}"
    ))
}

fn external(error: impl std::error::Error + Send + Sync + 'static) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
