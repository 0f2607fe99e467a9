//! Files that carry their own schema, Arrow IPC and Avro, as batches with columns matched by name.

use std::io::{BufRead, BufReader, Cursor, Read, Seek};
use std::sync::Arc;

use arrow_ipc::reader::{FileReader, StreamReader};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow_avro::reader::ReaderBuilder as AvroReaderBuilder;
use datafusion::common::DataFusionError;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::physical_expr_adapter::BatchAdapterFactory;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::{GetResultPayload, ObjectStoreExt};
use waterbuck_engine::sql::sql_type;

use super::format::Format;
use super::lines::Wanted;
use super::naming::damaged;
use super::pinned::PinnedFile;
use super::sample::is_arrow_file;
use super::schema::can_read_as;

type Result<T> = std::result::Result<T, DataFusionError>;
type Batches = Box<dyn Iterator<Item = std::result::Result<RecordBatch, ArrowError>> + Send>;

/// Opens a whole file; a remote one is fetched into memory first.
///
/// # Errors
/// What the store or the reader says, without the file's name.
pub(super) async fn open(
    store: Arc<PinnedFile>,
    file: &PartitionedFile,
    format: Format,
    wanted: &Wanted,
) -> Result<BoxStream<'static, Result<RecordBatch>>> {
    let columns = &wanted.columns;
    let result = store.get(&file.object_meta.location).await?;
    let (schema, batches) = match result.payload {
        GetResultPayload::File(file, _) => read(BufReader::new(file), format, wanted)?,
        GetResultPayload::Stream(_) => read(Cursor::new(result.bytes().await?), format, wanted)?,
    };
    let adapter = BatchAdapterFactory::new(Arc::clone(columns)).make_adapter(&schema)?;
    let name = store.name();
    let unfit = move |error| -> DataFusionError { damaged(&name, format.name(), "", error).into() };
    let adapted =
        stream::iter(batches).map(move |batch| adapter.adapt_batch(&batch?).map_err(&unfit));
    Ok(adapted.boxed())
}

/// Reads only the wanted columns; gives their schema as the file has it.
fn read<R: BufRead + Seek + Send + 'static>(
    reader: R,
    format: Format,
    wanted: &Wanted,
) -> Result<(SchemaRef, Batches)> {
    match format {
        Format::Avro => read_avro(reader, wanted),
        _ => read_arrow(reader, &wanted.columns),
    }
}

fn read_avro<R: BufRead + Seek + Send + 'static>(
    mut reader: R,
    wanted: &Wanted,
) -> Result<(SchemaRef, Batches)> {
    let schema = AvroReaderBuilder::new().build(&mut reader)?.schema();
    reader.rewind()?;
    let indices = projection(&schema, &wanted.columns)?;
    let batches = AvroReaderBuilder::new()
        .with_batch_size(wanted.batch_size)
        .with_projection(indices)
        .build(reader)?;
    Ok((batches.schema(), Box::new(batches)))
}

fn read_arrow<R: Read + Seek + Send + 'static>(
    mut reader: R,
    columns: &SchemaRef,
) -> Result<(SchemaRef, Batches)> {
    let mut magic = [0; 6];
    let is_file = reader.read_exact(&mut magic).is_ok() && is_arrow_file(&magic);
    reader.rewind()?;
    let schema = match is_file {
        true => FileReader::try_new(&mut reader, None)?.schema(),
        false => StreamReader::try_new(&mut reader, None)?.schema(),
    };
    reader.rewind()?;
    let wanted = projection(&schema, columns)?;
    let projected = Arc::new(schema.project(&wanted)?);
    let batches: Batches = match is_file {
        true => Box::new(FileReader::try_new(reader, Some(wanted))?),
        false => Box::new(StreamReader::try_new(reader, Some(wanted))?),
    };
    Ok((projected, batches))
}

fn projection(schema: &Schema, columns: &Schema) -> Result<Vec<usize>> {
    let mut wanted = Vec::new();
    for field in columns.fields() {
        let Some((index, found)) = schema.column_with_name(field.name()) else {
            continue;
        };
        if !can_read_as(found.data_type(), field.data_type()) {
            return Err(DataFusionError::from(ArrowError::SchemaError(format!(
                "it has the column \"{}\" as {}, which cannot be read as {}",
                field.name(),
                sql_type(found.data_type()),
                sql_type(field.data_type())
            ))));
        }
        wanted.push(index);
    }
    Ok(wanted)
}
