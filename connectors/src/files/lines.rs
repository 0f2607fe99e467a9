//! Text files as batches: bytes from the store, decompressed, cut at line ends, decoded by name.

use std::io::Read;
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use datafusion::arrow::csv;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::json;
use datafusion::common::DataFusionError;
use datafusion::common::parsers::CompressionTypeVariant;
use datafusion::datasource::file_format::file_compression_type::FileCompressionType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion_datasource::boundary_stream::AlignedBoundaryStream;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::{GetResultPayload, ObjectStore, ObjectStoreExt};

use super::compression::compression;
use super::csv_layout::{Layout, csv_error, parse_header};
use super::decoding::{BatchStream, ByteStream, TextDecoder, decode};
use super::options::{CsvReadOptions, FormatOptions};
use super::partition::{is_below_key, undeclared};
use super::pinned::PinnedFile;
use super::sample::{BYTE_ORDER_MARK, null_regex};

/// Local files are read in pieces of this size.
const CHUNK_BYTES: usize = 256 << 10;

/// A header longer than this is no header.
const MAX_HEADER_BYTES: usize = 16 << 20;

type Result<T> = std::result::Result<T, DataFusionError>;

/// What is read: the columns wanted, in order, of those the table has.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// Every file column of the table.
    pub(super) table: SchemaRef,
    /// Those to be read.
    pub(super) columns: SchemaRef,
    pub(super) batch_size: usize,
}

/// Opens a CSV file, or the lines of it that begin in the file's range.
///
/// # Errors
/// What the store or the reader says, without the file's name.
pub(super) async fn open_csv(
    store: Arc<PinnedFile>,
    file: &PartitionedFile,
    options: &FormatOptions,
    wanted: &Wanted,
) -> Result<BatchStream> {
    let csv = &options.csv;
    let terminator = csv.terminator.unwrap_or(b'\n');
    let mut bytes = byte_stream(&store, file, options, terminator).await?;
    let starts_inside = file.range.as_ref().is_some_and(|range| range.start > 0);
    let layout = if !csv.header {
        Layout::by_position(wanted)
    } else {
        let header = match starts_inside {
            true => header_of(&store, file, csv).await?,
            false => {
                let (header, rest) = peel_header(bytes, csv).await?;
                bytes = rest;
                header
            }
        };
        match header {
            Some(names) => {
                let layout = Layout::by_name(&names, wanted)?;
                refuse_undeclared(&layout, &store, file, wanted)?;
                layout
            }
            None => return Ok(stream::empty().boxed()),
        }
    };
    if file.range.is_some() {
        bytes = with_even_quotes(bytes, csv.quote);
    }
    let decoder = csv_decoder(
        csv,
        &layout,
        wanted.batch_size,
        csv.header && !starts_inside,
    )?;
    let batches = decode(bytes, TextDecoder::Csv(Box::new(decoder)), starts_inside);
    let columns = Arc::clone(&wanted.columns);
    Ok(batches
        .map(move |batch| layout.arrange(&batch?, &columns))
        .boxed())
}

/// Opens a file of JSON lines, or those of them that begin in the file's range.
///
/// # Errors
/// What the store or the reader says, without the file's name.
pub(super) async fn open_json(
    store: Arc<PinnedFile>,
    file: &PartitionedFile,
    options: &FormatOptions,
    wanted: &Wanted,
) -> Result<BatchStream> {
    let bytes = byte_stream(&store, file, options, b'\n').await?;
    let decoder = json::ReaderBuilder::new(Arc::clone(&wanted.columns))
        .with_batch_size(wanted.batch_size)
        .with_coerce_primitive(true)
        .build_decoder()?;
    let starts_inside = file.range.as_ref().is_some_and(|range| range.start > 0);
    Ok(decode(
        bytes,
        TextDecoder::Json(Box::new(decoder)),
        starts_inside,
    ))
}

/// A column that would read as NULL must not be one that is in the directory's name.
fn refuse_undeclared(
    layout: &Layout,
    store: &PinnedFile,
    file: &PartitionedFile,
    wanted: &Wanted,
) -> Result<()> {
    let path = file.object_meta.location.as_ref();
    match layout
        .missing(&wanted.columns)
        .find(|name| is_below_key(path, name))
    {
        Some(name) => Err(undeclared(&store.name(), name).into()),
        None => Ok(()),
    }
}

async fn byte_stream(
    store: &Arc<PinnedFile>,
    file: &PartitionedFile,
    options: &FormatOptions,
    terminator: u8,
) -> Result<ByteStream> {
    let meta = &file.object_meta;
    let compression = compression(meta, options);
    if let Some(range) = &file.range {
        if compression != CompressionTypeVariant::UNCOMPRESSED {
            let message = "a compressed file was split into ranges";
            return Err(DataFusionError::Internal(message.into()));
        }
        let whole = |offset: i64| u64::try_from(offset).unwrap_or_default();
        let aligned = AlignedBoundaryStream::new(
            Arc::clone(store) as Arc<dyn ObjectStore>,
            meta.location.clone(),
            whole(range.start),
            whole(range.end),
            meta.size,
            terminator,
        )
        .await?;
        let aligned = aligned.map_err(DataFusionError::from).boxed();
        let at_start = range.start == 0;
        return Ok(if at_start {
            without_byte_order_mark(aligned)
        } else {
            aligned
        });
    }
    let result = store.get(&meta.location).await?;
    let raw = match result.payload {
        GetResultPayload::File(file, _) => chunks(file),
        GetResultPayload::Stream(stream) => stream.map_err(DataFusionError::from).boxed(),
    };
    Ok(without_byte_order_mark(
        FileCompressionType::from(compression).convert_stream(raw)?,
    ))
}

fn without_byte_order_mark(bytes: ByteStream) -> ByteStream {
    let unmarked = |(index, chunk): (usize, Result<Bytes>)| match chunk {
        Ok(mut chunk) if index == 0 && chunk.starts_with(BYTE_ORDER_MARK) => {
            chunk.advance(BYTE_ORDER_MARK.len());
            Ok(chunk)
        }
        chunk => chunk,
    };
    bytes.enumerate().map(unmarked).boxed()
}

fn chunks(file: std::fs::File) -> ByteStream {
    stream::try_unfold(file, |mut file| async move {
        let mut chunk = vec![0; CHUNK_BYTES];
        let read = file.read(&mut chunk)?;
        chunk.truncate(read);
        Ok((read > 0).then(|| (Bytes::from(chunk), file)))
    })
    .boxed()
}

/// The names in the header of a file that is read from somewhere inside.
async fn header_of(
    store: &Arc<PinnedFile>,
    file: &PartitionedFile,
    options: &CsvReadOptions,
) -> Result<Option<Vec<String>>> {
    let meta = &file.object_meta;
    let mut length = (64 << 10).min(meta.size);
    loop {
        let start = store.get_range(&meta.location, 0..length).await?;
        if let Some(names) = parse_header(&start, options, length == meta.size)? {
            return Ok(Some(names));
        }
        if length == meta.size {
            return Ok(None);
        }
        length = (length * 4).min(meta.size);
    }
}

/// Takes from a stream what it needs to know the header, and gives the whole stream back.
async fn peel_header(
    mut bytes: ByteStream,
    options: &CsvReadOptions,
) -> Result<(Option<Vec<String>>, ByteStream)> {
    let mut start = BytesMut::new();
    loop {
        let chunk = bytes.next().await.transpose()?;
        let ended = chunk.is_none();
        start.extend_from_slice(&chunk.unwrap_or_default());
        let names = parse_header(&start, options, ended)?;
        if names.is_some() || ended {
            let rest = stream::iter([Ok(start.freeze())]).chain(bytes).boxed();
            return Ok((names, rest));
        }
        if start.len() > MAX_HEADER_BYTES {
            return Err(csv_error(format!(
                "the header has no end within {MAX_HEADER_BYTES} bytes"
            )));
        }
    }
}

fn csv_decoder(
    options: &CsvReadOptions,
    layout: &Layout,
    batch_size: usize,
    skip_header: bool,
) -> Result<csv::reader::Decoder> {
    let mut builder = csv::ReaderBuilder::new(Arc::clone(&layout.line))
        .with_header(skip_header)
        .with_delimiter(options.delimiter)
        .with_quote(options.quote)
        .with_truncated_rows(options.truncated_rows)
        .with_batch_size(batch_size)
        .with_projection(layout.parsed.clone());
    if let Some(escape) = options.escape {
        builder = builder.with_escape(escape);
    }
    if let Some(comment) = options.comment {
        builder = builder.with_comment(comment);
    }
    if let Some(terminator) = options.terminator {
        builder = builder.with_terminator(terminator);
    }
    if let Some(null) = &options.null {
        builder = builder.with_null_regex(null_regex(null)?);
    }
    Ok(builder.build_decoder())
}

/// A range was cut at line ends, but a line end inside quotes is none. Every right cut leaves an
/// even number of quotes on both sides, so an odd one means that a value was torn apart.
fn with_even_quotes(bytes: ByteStream, quote: u8) -> ByteStream {
    let state = (bytes, 0_usize);
    stream::try_unfold(state, move |(mut bytes, quotes)| async move {
        match bytes.next().await.transpose()? {
            Some(chunk) => {
                let quotes = quotes + chunk.iter().filter(|byte| **byte == quote).count();
                Ok(Some((chunk, (bytes, quotes))))
            }
            None if quotes % 2 == 0 => Ok(None),
            None => Err(csv_error(
                "a quoted value seems to hold a line break; set the option \
                 \"newlines_in_values\" to true"
                    .into(),
            )),
        }
    })
    .boxed()
}
