//! The file formats of file tables.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use datafusion::common::config::{CsvOptions, JsonOptions, TableParquetOptions};
use datafusion::common::parsers::CompressionTypeVariant;
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::arrow::ArrowFormat;
use datafusion::datasource::file_format::avro::AvroFormat;
use datafusion::datasource::file_format::csv::CsvFormat;
use datafusion::datasource::file_format::json::JsonFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use waterbuck_engine::{Error, Result};

use super::options::{FormatOptions, nearest};

/// How the files of a table are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    Parquet,
    /// Delimited text.
    Csv,
    /// One JSON object per line.
    Json,
    /// Avro object container files.
    Avro,
    /// Arrow IPC, file or stream.
    Arrow,
}

impl Format {
    /// Every format, in the order users are told of them.
    pub const ALL: [Self; 5] = [
        Self::Parquet,
        Self::Csv,
        Self::Json,
        Self::Avro,
        Self::Arrow,
    ];

    /// The name in SQL: `PARQUET`, `CSV`, …
    pub fn name(self) -> &'static str {
        match self {
            Self::Parquet => "PARQUET",
            Self::Csv => "CSV",
            Self::Json => "JSON",
            Self::Avro => "AVRO",
            Self::Arrow => "ARROW",
        }
    }

    /// The extension new files get, without a dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Avro => "avro",
            Self::Arrow => "arrow",
        }
    }

    /// The extensions by which files of the format are recognised in a directory.
    pub(super) fn known_extensions(self) -> &'static [&'static str] {
        match self {
            Self::Parquet => &["parquet", "parq", "pq"],
            Self::Csv => &["csv", "tsv", "txt", "psv", "tbl", "dat"],
            Self::Json => &["json", "jsonl", "ndjson"],
            Self::Avro => &["avro"],
            Self::Arrow => &["arrow", "arrows", "feather", "ipc"],
        }
    }

    /// Whether whole files may be compressed (`.csv.gz`).
    pub(super) fn is_text(self) -> bool {
        matches!(self, Self::Csv | Self::Json)
    }

    /// The format that a file's name tells, looking through a compression suffix.
    pub fn of_path(path: &str) -> Option<Self> {
        let lower = path.to_ascii_lowercase();
        let plain = [".gz", ".zst", ".bz2", ".xz"]
            .iter()
            .find_map(|suffix| lower.strip_suffix(suffix))
            .unwrap_or(&lower);
        let extension = plain.rsplit_once('.')?.1;
        Self::ALL.into_iter().find(|format| {
            let known = format.known_extensions();
            known.contains(&extension) && (format.is_text() || plain.len() == lower.len())
        })
    }

    /// DataFusion's counterpart, for its writers.
    ///
    /// # Errors
    /// `InvalidQuery` as [`FormatOptions::parse`].
    pub fn file_format(
        self,
        options: &std::collections::BTreeMap<String, String>,
    ) -> Result<Arc<dyn FileFormat>> {
        let options = FormatOptions::parse(self, options)?;
        let compression = options
            .compression
            .unwrap_or(CompressionTypeVariant::UNCOMPRESSED);
        Ok(match self {
            Self::Parquet => {
                let mut parquet = TableParquetOptions::new();
                options.apply_to_parquet(&mut parquet.global);
                Arc::new(ParquetFormat::new().with_options(parquet))
            }
            Self::Csv => {
                let csv = CsvOptions {
                    has_header: Some(options.csv.header),
                    delimiter: options.csv.delimiter,
                    quote: options.csv.quote,
                    escape: options.csv.escape,
                    null_value: options.csv.null.clone(),
                    compression,
                    ..CsvOptions::default()
                };
                Arc::new(CsvFormat::default().with_options(csv))
            }
            Self::Json => Arc::new(JsonFormat::default().with_options(JsonOptions {
                compression,
                ..Default::default()
            })),
            Self::Avro => Arc::new(AvroFormat),
            Self::Arrow => Arc::new(ArrowFormat),
        })
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let upper = text.trim().to_ascii_uppercase();
        let found = match upper.as_str() {
            "NDJSON" | "JSONL" => Some(Self::Json),
            "IPC" | "FEATHER" => Some(Self::Arrow),
            name => Self::ALL.into_iter().find(|format| format.name() == name),
        };
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::name);
            let hint = nearest(&upper, names.iter().copied()).map_or_else(
                || format!("known are {}", names.join(", ")),
                |name| format!("did you mean {name}?"),
            );
            Error::invalid(format!("the file format \"{text}\" is unknown; {hint}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_any_case() {
        assert_eq!(
            "parquet".parse::<Format>().expect("format"),
            Format::Parquet
        );
        assert_eq!("NdJson".parse::<Format>().expect("format"), Format::Json);
        let error = "parket".parse::<Format>().expect_err("unknown").to_string();
        assert_eq!(
            error,
            "the file format \"parket\" is unknown; did you mean PARQUET?"
        );
        let error = "xyzzy!".parse::<Format>().expect_err("unknown").to_string();
        assert!(error.contains("known are PARQUET, CSV"));
    }

    #[test]
    fn a_path_tells_its_format() {
        assert_eq!(Format::of_path("a/b.csv.gz"), Some(Format::Csv));
        assert_eq!(Format::of_path("a/*.PARQUET"), Some(Format::Parquet));
        assert_eq!(Format::of_path("a.parquet.gz"), None);
        assert_eq!(Format::of_path("a/b"), None);
    }
}
