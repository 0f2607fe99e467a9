//! Finds the columns of files without a footer, from their first bytes.

use std::io::{BufReader, Cursor};
use std::sync::Arc;

use arrow_ipc::convert::fb_to_schema;
use bytes::{Bytes, BytesMut};
use datafusion::arrow::csv::reader::Format as CsvSampler;
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::json::reader::infer_json_schema;
use datafusion::arrow_avro::reader::ReaderBuilder as AvroReaderBuilder;
use datafusion::common::DataFusionError;
use datafusion::common::parsers::CompressionTypeVariant;
use datafusion::datasource::file_format::file_compression_type::FileCompressionType;
use futures::{StreamExt, TryStreamExt};
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt};
use regex::Regex;

use super::format::Format;
use super::options::{CsvReadOptions, FormatOptions, compression_of_path};

/// Text is sampled up to this many bytes, however long its lines are.
const MAX_TEXT_SAMPLE: usize = 16 << 20;

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
        Format::Json => json(&text(store, meta, options).await?, options),
        Format::Avro => match avro(start(store, meta).await?) {
            Ok(schema) => Ok(schema),
            Err(_) => avro(store.get(&meta.location).await?.bytes().await?),
        },
        Format::Arrow => arrow(store, meta).await,
        Format::Parquet => {
            Err(DataFusionError::Internal("Parquet columns are read from footers".into()))
        }
    }
}

/// The compression of a text file: as the table says, else as the name says.
pub(super) fn compression(meta: &ObjectMeta, options: &FormatOptions) -> CompressionTypeVariant {
    options.compression.unwrap_or_else(|| compression_of_path(meta.location.as_ref()))
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
            return Ok(Sample { bytes: bytes.freeze(), whole: false, terminator });
        }
    }
    Ok(Sample { bytes: bytes.freeze(), whole: true, terminator })
}

struct Sample {
    bytes: Bytes,
    whole: bool,
    terminator: u8,
}

impl Sample {
    /// The sample without a last line that may be cut off.
    fn lines(&self) -> &[u8] {
        if self.whole {
            return &self.bytes;
        }
        let end = self.bytes.iter().rposition(|byte| *byte == self.terminator);
        &self.bytes[..end.map_or(self.bytes.len(), |end| end + 1)]
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
    if let Some(twice) = schema.fields().iter().find(|field| !seen.insert(field.name())) {
        return Err(DataFusionError::from(ArrowError::CsvError(format!(
            "the header names the column \"{}\" twice",
            twice.name()
        ))));
    }
    Ok(schema)
}

fn json(sample: &Sample, options: &FormatOptions) -> Result<Schema> {
    let reader = BufReader::new(Cursor::new(sample.lines()));
    let (schema, _) = infer_json_schema(reader, Some(options.inference_records))?;
    Ok(schema)
}

async fn start(store: &Arc<dyn ObjectStore>, meta: &ObjectMeta) -> Result<Bytes> {
    let range = Some(GetRange::Bounded(0..HEADER_BYTES.min(meta.size)));
    let options = GetOptions::new().with_range(range);
    Ok(store.get_opts(&meta.location, options).await?.bytes().await?)
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

/// Both kinds of IPC begin with the schema, the file behind its magic number.
async fn arrow(store: &Arc<dyn ObjectStore>, meta: &ObjectMeta) -> Result<Schema> {
    let bytes = start(store, meta).await?;
    let mut at = if is_arrow_file(&bytes) { 8 } else { 0 };
    let word = |at: usize| bytes.get(at..at + 4).and_then(|b| <[u8; 4]>::try_from(b).ok());
    if word(at) == Some([0xff; 4]) {
        at += 4;
    }
    let damaged = || DataFusionError::from(ArrowError::IpcError("no schema at its start".into()));
    let length = word(at).map(u32::from_le_bytes).ok_or_else(damaged)? as usize;
    let end = (at + 4).checked_add(length).ok_or_else(damaged)?;
    let bytes = match end <= bytes.len() {
        true => bytes,
        false if end as u64 <= meta.size => {
            store.get_range(&meta.location, 0..end as u64).await?
        }
        false => return Err(damaged()),
    };
    let message = arrow_ipc::root_as_message(&bytes[at + 4..end]).map_err(|_| damaged())?;
    let schema = fb_to_schema(message.header_as_schema().ok_or_else(damaged)?);
    let fields: Vec<Field> = schema
        .fields()
        .iter()
        .map(|field| Field::clone(field).with_metadata(Default::default()))
        .collect();
    Ok(Schema::new(fields))
}

/// A column of which the sample holds no value may turn out to hold anything.
pub(super) fn without_null_types(schema: Schema) -> Schema {
    let fields = schema.fields().iter().map(|field| match field.data_type() {
        DataType::Null => Arc::new(Field::new(field.name(), DataType::Utf8, true)),
        _ => Arc::clone(field),
    });
    Schema::new(fields.collect::<Vec<_>>())
}
