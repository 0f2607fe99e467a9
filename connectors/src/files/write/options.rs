//! The writing side of a format's options.
//!
//! A table's options serve reading and writing, and [`FormatOptions`] knows their names; what
//! concerns writing alone is checked here.

use arrow::csv::WriterBuilder as CsvBuilder;
use arrow::ipc::CompressionType as IpcCompression;
use arrow::ipc::writer::IpcWriteOptions;
use datafusion::arrow_avro::compression::CompressionCodec as AvroCodec;
use datafusion::common::parsers::CompressionTypeVariant;
use parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};
use parquet::file::properties::WriterProperties;
use waterbuck_engine::{Error, Result};

use super::target::WriteTarget;
use crate::files::Format;
use crate::files::options::{FormatOptions, compression_of_path};

/// Most rows of a Parquet row group.
const ROW_GROUP_ROWS_MAX: usize = 1 << 20;
/// Most encoded bytes of a Parquet row group, which bounds what a writer holds in memory.
const ROW_GROUP_BYTES_MAX: usize = 128 << 20;

/// How the files of a write are encoded, named and cut.
#[derive(Debug, Clone)]
pub(super) struct FileOptions {
    pub(super) encoding: Encoding,
    /// Compression around the encoded bytes; binary formats compress inside.
    pub(super) compression: CompressionTypeVariant,
    /// What file names end with, after a dot.
    pub(super) extension: String,
    /// Encoded bytes after which a file is closed.
    pub(super) target_file_bytes: u64,
}

/// A format with what its encoder needs to know.
#[derive(Debug, Clone)]
pub(super) enum Encoding {
    Parquet(Box<WriterProperties>),
    Csv(CsvBuilder),
    Json,
    Avro(Option<AvroCodec>),
    Arrow(IpcWriteOptions),
}

impl FileOptions {
    /// Reads the options of `target`; names and values without meaning for its format are errors.
    pub(super) fn parse(target: &WriteTarget) -> Result<Self> {
        let checked = FormatOptions::parse(target.format, &target.options)?;
        let given = Given(target);
        let encoding = match target.format {
            Format::Parquet => Encoding::Parquet(Box::new(given.parquet_properties()?)),
            Format::Csv => Encoding::Csv(csv_builder(&checked)?),
            Format::Json => Encoding::Json,
            Format::Avro => Encoding::Avro(given.avro_codec()?),
            Format::Arrow => Encoding::Arrow(given.ipc_options()?),
        };
        let (compression, extension) = naming(target, &checked);
        let target_file_bytes = given.number(&["target_file_bytes"])?;
        Ok(Self {
            encoding,
            compression,
            extension,
            target_file_bytes: target_file_bytes.unwrap_or(target.target_file_bytes),
        })
    }
}

/// The compression around text and the extension of the names. Readers tell the compression by
/// the option or else by the name, so the two agree here.
fn naming(target: &WriteTarget, options: &FormatOptions) -> (CompressionTypeVariant, String) {
    let plain = target.format.extension();
    if !target.format.is_text() {
        let extension = options.extension.as_deref().unwrap_or(plain);
        return (CompressionTypeVariant::UNCOMPRESSED, extension.to_owned());
    }
    let name = target
        .single_file
        .as_deref()
        .or(options.extension.as_deref());
    let by_name = name.map_or(CompressionTypeVariant::UNCOMPRESSED, |n| {
        compression_of_path(&format!(".{n}"))
    });
    let compression = options.compression.unwrap_or(by_name);
    let extension = match &options.extension {
        Some(extension) => extension.clone(),
        None => format!("{plain}{}", suffix(compression)),
    };
    (compression, extension)
}

fn suffix(compression: CompressionTypeVariant) -> &'static str {
    match compression {
        CompressionTypeVariant::GZIP => ".gz",
        CompressionTypeVariant::BZIP2 => ".bz2",
        CompressionTypeVariant::XZ => ".xz",
        CompressionTypeVariant::ZSTD => ".zst",
        CompressionTypeVariant::UNCOMPRESSED => "",
    }
}

fn csv_builder(options: &FormatOptions) -> Result<CsvBuilder> {
    let csv = &options.csv;
    if csv.terminator.is_some_and(|byte| byte != b'\n') {
        return Err(Error::unsupported(
            "csv files are written with line feeds: drop the option \"terminator\"",
        ));
    }
    let mut builder = CsvBuilder::new()
        .with_header(csv.header)
        .with_delimiter(csv.delimiter)
        .with_quote(csv.quote);
    if let Some(escape) = csv.escape {
        builder = builder.with_escape(escape).with_double_quote(false);
    }
    if let Some(null) = &csv.null {
        builder = builder.with_null(null.clone());
    }
    Ok(builder)
}

/// The options as they were given, for the names that only writing knows.
struct Given<'a>(&'a WriteTarget);

impl Given<'_> {
    /// The value of an option under any of its names.
    fn get(&self, names: &[&str]) -> Option<(&str, &str)> {
        let found = self.0.options.iter().find(|(name, _)| {
            let lower = name.trim().to_ascii_lowercase();
            names.contains(&lower.strip_prefix("format.").unwrap_or(&lower))
        });
        found.map(|(name, value)| (name.as_str(), value.trim()))
    }

    fn number(&self, names: &[&str]) -> Result<Option<u64>> {
        self.get(names)
            .map(|(name, value)| match value.parse() {
                Ok(number) if number > 0 => Ok(number),
                _ => Err(bad_value(name, value, "a whole number above 0")),
            })
            .transpose()
    }

    fn parquet_properties(&self) -> Result<WriterProperties> {
        let rows = self.number(&["row_group_rows", "max_row_group_size", "row_group_size"])?;
        let rows = rows.map_or(ROW_GROUP_ROWS_MAX, |rows| rows as usize);
        Ok(WriterProperties::builder()
            .set_compression(self.parquet_compression()?)
            .set_max_row_group_row_count(Some(rows))
            .set_max_row_group_bytes(Some(ROW_GROUP_BYTES_MAX))
            .set_created_by(format!("waterbuck {}", env!("CARGO_PKG_VERSION")))
            .build())
    }

    /// `zstd`, `ZSTD(3)`, or `zstd` with the option `compression_level`.
    fn parquet_compression(&self) -> Result<Compression> {
        let (name, value) = self
            .get(&["compression"])
            .unwrap_or(("compression", "zstd"));
        let lower = value.to_ascii_lowercase();
        let (codec, level) = match lower.strip_suffix(')').and_then(|c| c.split_once('(')) {
            Some((codec, level)) => (codec, Some((name, level))),
            None => (lower.as_str(), self.get(&["compression_level"])),
        };
        let level = |default: i32| match level {
            None => Ok(default),
            Some((name, text)) => text
                .trim()
                .parse()
                .map_err(|_| bad_value(name, text, "a level such as 3")),
        };
        let compression = match codec.trim() {
            "" | "none" | "uncompressed" => Ok(Compression::UNCOMPRESSED),
            "snappy" => Ok(Compression::SNAPPY),
            "lz4" | "lz4_raw" => Ok(Compression::LZ4_RAW),
            "zstd" => ZstdLevel::try_new(level(1)?).map(Compression::ZSTD),
            "gzip" => GzipLevel::try_new(level(6)?.unsigned_abs()).map(Compression::GZIP),
            "brotli" => BrotliLevel::try_new(level(1)?.unsigned_abs()).map(Compression::BROTLI),
            _ => {
                let expected =
                    "none, snappy, gzip, lz4, brotli or zstd, with a level as in zstd(3)";
                return Err(bad_value(name, value, expected));
            }
        };
        compression.map_err(|e| {
            Error::invalid(format!("the option \"{name}\" asks for an unknown level"))
                .with_source(e)
        })
    }

    fn avro_codec(&self) -> Result<Option<AvroCodec>> {
        let Some((name, value)) = self.get(&["compression"]) else {
            return Ok(Some(AvroCodec::ZStandard));
        };
        Ok(match value.to_ascii_lowercase().as_str() {
            "" | "none" | "uncompressed" => None,
            "deflate" => Some(AvroCodec::Deflate),
            "snappy" => Some(AvroCodec::Snappy),
            "zstd" => Some(AvroCodec::ZStandard),
            "bzip2" => Some(AvroCodec::Bzip2),
            "xz" => Some(AvroCodec::Xz),
            _ => {
                let expected = "none, deflate, snappy, bzip2, xz or zstd";
                return Err(bad_value(name, value, expected));
            }
        })
    }

    fn ipc_options(&self) -> Result<IpcWriteOptions> {
        let (name, value) = self.get(&["compression"]).unwrap_or(("compression", "lz4"));
        let compression = match value.to_ascii_lowercase().as_str() {
            "lz4" => Some(IpcCompression::LZ4_FRAME),
            "zstd" => Some(IpcCompression::ZSTD),
            "" | "none" | "uncompressed" => None,
            _ => return Err(bad_value(name, value, "none, lz4 or zstd")),
        };
        IpcWriteOptions::default()
            .try_with_compression(compression)
            .map_err(|e| {
                Error::internal("arrow files cannot be compressed as asked").with_source(e)
            })
    }
}

fn bad_value(name: &str, value: &str, expected: &str) -> Error {
    Error::invalid(format!(
        "the option \"{name}\" is {expected}, not \"{value}\""
    ))
}
