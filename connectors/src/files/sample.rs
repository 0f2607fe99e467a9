//! Finds the columns of files without a footer, from their first bytes.

use std::io::{BufReader, Cursor};
use std::sync::Arc;

use arrow_ipc::convert::fb_to_schema;
use arrow_ipc::reader::read_footer_length;
use bytes::{Bytes, BytesMut};
use datafusion::arrow::csv::reader::Format as CsvSampler;
use datafusion::arrow::datatypes::{Field, Schema};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow_avro::reader::ReaderBuilder as AvroReaderBuilder;
use datafusion::common::DataFusionError;
use datafusion::datasource::file_format::file_compression_type::FileCompressionType;
use futures::{StreamExt, TryStreamExt};
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt};
use regex::Regex;

use super::compression::compression;
use super::format::Format;
use super::json_sample::json_columns;
use super::options::{CsvReadOptions, FormatOptions};

/// Text is sampled up to this many bytes, however long its lines are.
const MAX_TEXT_SAMPLE: usize = 16 << 20;

/// Some programs begin a text file with this; it is no part of the text.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Binary headers are looked for in this many bytes before the whole file is read.
const HEADER_BYTES: u64 = 256 << 10;

type Result<T> = std::result::Result<T, DataFusionError>;

/// The columns of one file.
///
/// # Errors
/// What the store or the format's reader says, without the file's name.
pub(super) async fn columns(
    store: &Arc<dyn ObjectStore>,
    meta: &ObjectMeta,
    format: Format,
    options: &FormatOptions,
) -> Result<Schema> {
    match format {
        Format::Csv => csv(&text(store, meta, options).await?, options),
        Format::Json => {
            let sample = text(store, meta, options).await?;
            json_columns(sample.lines(), options.inference_records)
        }
        Format::Avro => match avro(start(store, meta).await?) {
            Ok(schema) => Ok(schema),
            Err(_) => avro(store.get(&meta.location).await?.bytes().await?),
        },
        Format::Arrow => arrow(store, meta).await,
        Format::Parquet => Err(DataFusionError::Internal(
            "Parquet columns are read from footers".into(),
        )),
    }
}

/// The pattern of texts that stand for NULL.
pub(super) fn null_regex(null: &str) -> Result<Regex> {
    Regex::new(&format!("^(?:{})?$", regex::escape(null)))
        .map_err(|error| DataFusionError::External(Box::new(error)))
}

/// The first lines of a file, decompressed; the last one may be cut off unless the file ends there.
async fn text(
    store: &Arc<dyn ObjectStore>,
    meta: &ObjectMeta,
    options: &FormatOptions,
) -> Result<Sample> {
    let raw = store.get(&meta.location).await?.into_stream();
    let raw = raw.map_err(DataFusionError::from).boxed();
    let compression = FileCompressionType::from(compression(meta, options));
    let mut stream = compression.convert_stream(raw)?;
    let terminator = options.csv.terminator.unwrap_or(b'\n');
    let (mut bytes, mut lines) = (BytesMut::new(), 0);
    while let Some(chunk) = stream.next().await.transpose()? {
        lines += chunk.iter().filter(|byte| **byte == terminator).count();
        bytes.extend_from_slice(&chunk);
        if lines > options.inference_records + 1 || bytes.len() > MAX_TEXT_SAMPLE {
            return Ok(Sample {
                bytes: bytes.freeze(),
                whole: false,
                terminator,
            });
        }
    }
    Ok(Sample {
        bytes: bytes.freeze(),
        whole: true,
        terminator,
    })
}

struct Sample {
    bytes: Bytes,
    whole: bool,
    terminator: u8,
}

impl Sample {
    /// The sample without a byte order mark and without a last line that may be cut off.
    fn lines(&self) -> &[u8] {
        let bytes = self
            .bytes
            .strip_prefix(BYTE_ORDER_MARK)
            .unwrap_or(&self.bytes);
        if self.whole {
            return bytes;
        }
        let end = bytes.iter().rposition(|byte| *byte == self.terminator);
        &bytes[..end.map_or(bytes.len(), |end| end + 1)]
    }
}

/// A reader of delimited text, set up as the table says.
pub(super) fn csv_sampler(options: &CsvReadOptions) -> Result<CsvSampler> {
    let mut sampler = CsvSampler::default()
        .with_header(options.header)
        .with_delimiter(options.delimiter)
        .with_quote(options.quote)
        .with_truncated_rows(options.truncated_rows);
    if let Some(escape) = options.escape {
        sampler = sampler.with_escape(escape);
    }
    if let Some(comment) = options.comment {
        sampler = sampler.with_comment(comment);
    }
    if let Some(terminator) = options.terminator {
        sampler = sampler.with_terminator(terminator);
    }
    if let Some(null) = &options.null {
        sampler = sampler.with_null_regex(null_regex(null)?);
    }
    Ok(sampler)
}

fn csv(sample: &Sample, options: &FormatOptions) -> Result<Schema> {
    let sampler = csv_sampler(&options.csv)?;
    let records = Some(options.inference_records);
    let (schema, _) = sampler.infer_schema(Cursor::new(sample.lines()), records)?;
    let mut seen = std::collections::HashSet::new();
    if let Some(twice) = schema
        .fields()
        .iter()
        .find(|field| !seen.insert(field.name()))
    {
        return Err(DataFusionError::from(ArrowError::CsvError(format!(
            "the header names the column \"{}\" twice",
            twice.name()
        ))));
    }
    Ok(schema)
}

async fn start(store: &Arc<dyn ObjectStore>, meta: &ObjectMeta) -> Result<Bytes> {
    let range = Some(GetRange::Bounded(0..HEADER_BYTES.min(meta.size)));
    let options = GetOptions::new().with_range(range);
    Ok(store
        .get_opts(&meta.location, options)
        .await?
        .bytes()
        .await?)
}

fn avro(bytes: Bytes) -> Result<Schema> {
    let reader = AvroReaderBuilder::new().build(BufReader::new(Cursor::new(bytes)))?;
    let fields: Vec<Field> = reader
        .schema()
        .fields()
        .iter()
        .map(|field| Field::clone(field).with_metadata(Default::default()))
        .collect();
    Ok(Schema::new(fields))
}

/// Whether a file begins as an IPC file; a stream has no magic number.
pub(super) fn is_arrow_file(start: &[u8]) -> bool {
    start.starts_with(b"ARROW1")
}

/// A file tells its schema at its end, a stream at its start.
async fn arrow(store: &Arc<dyn ObjectStore>, meta: &ObjectMeta) -> Result<Schema> {
    let bytes = start(store, meta).await?;
    let schema = match is_arrow_file(&bytes) {
        true => arrow_file_schema(store, meta).await?,
        false => arrow_stream_schema(store, meta, bytes).await?,
    };
    let fields: Vec<Field> = schema
        .fields()
        .iter()
        .map(|field| Field::clone(field).with_metadata(Default::default()))
        .collect();
    Ok(Schema::new(fields))
}

fn no_schema() -> DataFusionError {
    ArrowError::IpcError("it holds no schema where one belongs".into()).into()
}

async fn arrow_file_schema(store: &Arc<dyn ObjectStore>, meta: &ObjectMeta) -> Result<Schema> {
    let tail = meta.size.checked_sub(10).ok_or_else(no_schema)?;
    let trailer = store.get_range(&meta.location, tail..meta.size).await?;
    let trailer = <[u8; 10]>::try_from(trailer.as_ref()).map_err(|_| no_schema())?;
    let length = read_footer_length(trailer)? as u64;
    let from = tail.checked_sub(length).ok_or_else(no_schema)?;
    let footer = store.get_range(&meta.location, from..tail).await?;
    let footer = arrow_ipc::root_as_footer(&footer).map_err(|_| no_schema())?;
    Ok(fb_to_schema(footer.schema().ok_or_else(no_schema)?))
}

async fn arrow_stream_schema(
    store: &Arc<dyn ObjectStore>,
    meta: &ObjectMeta,
    bytes: Bytes,
) -> Result<Schema> {
    let word = |at: usize| {
        bytes
            .get(at..at + 4)
            .and_then(|b| <[u8; 4]>::try_from(b).ok())
    };
    let at = if word(0) == Some([0xff; 4]) { 8 } else { 4 };
    let length = word(at - 4).map(u32::from_le_bytes).ok_or_else(no_schema)? as usize;
    let end = at.checked_add(length).ok_or_else(no_schema)?;
    let bytes = match end <= bytes.len() {
        true => bytes,
        false if end as u64 <= meta.size => store.get_range(&meta.location, 0..end as u64).await?,
        false => return Err(no_schema()),
    };
    let message = arrow_ipc::root_as_message(&bytes[at..end]).map_err(|_| no_schema())?;
    Ok(fb_to_schema(
        message.header_as_schema().ok_or_else(no_schema)?,
    ))
}
