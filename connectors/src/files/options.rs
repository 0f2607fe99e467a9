//! The options of a file table: `OPTIONS (header 'false', delimiter ';')`.

use std::collections::BTreeMap;

use datafusion::common::config::ParquetOptions;
use datafusion::common::parsers::CompressionTypeVariant;
use waterbuck_engine::{Error, Result};

use super::compression::parse_compression;
use super::format::Format;

/// How many records of a text file tell its column types.
const DEFAULT_INFERENCE_RECORDS: usize = 1000;

/// A table's options, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct FormatOptions {
    /// The compression of every file; by default a text file's own extension tells it.
    pub compression: Option<CompressionTypeVariant>,
    /// Read only files with this extension (no dot) instead of the format's usual ones.
    pub extension: Option<String>,
    /// How many records of each text file are looked at to find the column types.
    pub inference_records: usize,
    pub csv: CsvReadOptions,
    /// Read Parquet's unannotated binary columns as text.
    pub binary_as_string: bool,
    /// The unit that old 96-bit Parquet timestamps are read in: `ns`, `us`, `ms` or `s`.
    pub coerce_int96: Option<String>,
    /// Bytes to read from a Parquet file's end at once.
    pub metadata_size_hint: Option<usize>,
    /// The options as they were given.
    pub(super) given: BTreeMap<String, String>,
}

/// How delimited text is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvReadOptions {
    /// The first line names the columns.
    pub header: bool,
    pub delimiter: u8,
    pub quote: u8,
    pub escape: Option<u8>,
    pub comment: Option<u8>,
    /// The byte that ends a line; by default `\n`, `\r` or `\r\n`.
    pub terminator: Option<u8>,
    /// The text that stands for NULL, beside the empty one.
    pub null: Option<String>,
    /// Quoted values may hold line breaks: files are not split.
    pub newlines_in_values: bool,
    /// Lines may have fewer fields than columns; the rest is NULL.
    pub truncated_rows: bool,
}

impl Default for CsvReadOptions {
    fn default() -> Self {
        Self {
            header: true,
            delimiter: b',',
            quote: b'"',
            escape: None,
            comment: None,
            terminator: None,
            null: None,
            newlines_in_values: false,
            truncated_rows: false,
        }
    }
}

impl Default for FormatOptions {
    fn default() -> Self {
        Self {
            compression: None,
            extension: None,
            inference_records: DEFAULT_INFERENCE_RECORDS,
            csv: CsvReadOptions::default(),
            binary_as_string: false,
            coerce_int96: None,
            metadata_size_hint: None,
            given: BTreeMap::new(),
        }
    }
}

/// Options that belong into a secret, whatever the format.
const CREDENTIALS: [&str; 24] = [
    "access_key",
    "access_key_id",
    "account_key",
    "application_credentials",
    "bearer_token",
    "client_id",
    "client_secret",
    "connection_string",
    "credentials",
    "key",
    "key_id",
    "password",
    "passwd",
    "pwd",
    "sas",
    "sas_key",
    "sas_token",
    "secret",
    "secret_access_key",
    "secret_key",
    "service_account",
    "service_account_key",
    "session_token",
    "token",
];

const COMMON: [&str; 1] = ["file_extension"];
const TEXT: [&str; 2] = ["compression", "schema_infer_max_rec"];
const CSV: [&str; 9] = [
    "header",
    "delimiter",
    "quote",
    "escape",
    "comment",
    "terminator",
    "null",
    "newlines_in_values",
    "truncated_rows",
];
const PARQUET: [&str; 7] = [
    "compression",
    "compression_level",
    "row_group_rows",
    "target_file_bytes",
    "binary_as_string",
    "coerce_int96",
    "metadata_size_hint",
];
const ARROW: [&str; 1] = ["compression"];
const AVRO: [&str; 1] = ["compression"];

/// The names an option goes by elsewhere.
fn canonical(name: &str) -> &str {
    match name {
        "has_header" => "header",
        "delim" | "sep" | "separator" | "field_delimiter" => "delimiter",
        "nullstr" | "null_string" | "null_value" | "nullvalue" => "null",
        "multiline" => "newlines_in_values",
        "max_row_group_size" | "row_group_size" => "row_group_rows",
        "schema_infer_max_records" => "schema_infer_max_rec",
        "extension" => "file_extension",
        name => name,
    }
}

fn names_of(format: Format) -> Vec<&'static str> {
    let own: Vec<&[&str]> = match format {
        Format::Parquet => vec![&PARQUET],
        Format::Csv => vec![&TEXT, &CSV],
        Format::Json => vec![&TEXT],
        Format::Avro => vec![&AVRO],
        Format::Arrow => vec![&ARROW],
    };
    own.concat().into_iter().chain(COMMON).collect()
}

impl FormatOptions {
    /// Checks and reads a table's options.
    ///
    /// # Errors
    /// `InvalidQuery` for credentials, an unknown option (with the nearest name) or a bad value.
    pub fn parse(format: Format, options: &BTreeMap<String, String>) -> Result<Self> {
        let mut parsed = Self {
            given: options.clone(),
            ..Self::default()
        };
        for (given, value) in options {
            let lower = given.trim().to_ascii_lowercase();
            let name = canonical(lower.strip_prefix("format.").unwrap_or(&lower));
            refuse_credentials(given, name)?;
            if !names_of(format).contains(&name) {
                return Err(unknown(format, given, name));
            }
            parsed.set(format, name, value)?;
        }
        Ok(parsed)
    }

    fn set(&mut self, format: Format, name: &str, value: &str) -> Result<()> {
        let csv = &mut self.csv;
        match name {
            "compression" if format.is_text() => {
                self.compression = Some(
                    parse_compression(value)
                        .ok_or_else(|| bad_value(name, value, "gzip, zstd, bzip2, xz or none"))?,
                )
            }
            "file_extension" => self.extension = Some(value.trim_start_matches('.').to_string()),
            "schema_infer_max_rec" => self.inference_records = number(name, value)?,
            "header" => csv.header = flag(name, value)?,
            "delimiter" => csv.delimiter = byte(name, value)?,
            "quote" => csv.quote = byte(name, value)?,
            "escape" => csv.escape = Some(byte(name, value)?),
            "comment" => csv.comment = Some(byte(name, value)?),
            "terminator" => csv.terminator = Some(byte(name, value)?),
            "null" => csv.null = Some(value.to_string()),
            "newlines_in_values" => csv.newlines_in_values = flag(name, value)?,
            "truncated_rows" => csv.truncated_rows = flag(name, value)?,
            "binary_as_string" => self.binary_as_string = flag(name, value)?,
            "coerce_int96" => {
                let unit = value.trim().to_ascii_lowercase();
                if !["ns", "us", "ms", "s"].contains(&unit.as_str()) {
                    return Err(bad_value(name, value, "ns, us, ms or s"));
                }
                self.coerce_int96 = Some(unit);
            }
            "metadata_size_hint" => self.metadata_size_hint = Some(number(name, value)?),
            // The rest concerns writers, who check it where they use it.
            _ => {}
        }
        Ok(())
    }

    /// Carries the Parquet options over to DataFusion's.
    pub(super) fn apply_to_parquet(&self, parquet: &mut ParquetOptions) {
        if self.binary_as_string {
            parquet.binary_as_string = true;
        }
        if let Some(unit) = &self.coerce_int96 {
            parquet.coerce_int96 = Some(unit.clone());
        }
        if let Some(bytes) = self.metadata_size_hint {
            parquet.metadata_size_hint = Some(bytes);
        }
    }
}

fn refuse_credentials(given: &str, name: &str) -> Result<()> {
    let bare = [
        "aws_",
        "azure_storage_",
        "azure_",
        "google_",
        "gcs_",
        "s3_",
        "aws.",
        "s3.",
        "gcp.",
    ]
    .iter()
    .find_map(|prefix| name.strip_prefix(prefix))
    .unwrap_or(name);
    if CREDENTIALS.contains(&bare) {
        return Err(Error::invalid(format!(
            "the option \"{given}\" looks like a credential, and options are printed back; use \
             CREATE SECRET"
        )));
    }
    Ok(())
}

fn unknown(format: Format, given: &str, name: &str) -> Error {
    let names = names_of(format);
    let hint = match nearest(name, names.iter().copied()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!("known are {}", names.join(", ")),
    };
    Error::invalid(format!(
        "{format} tables have no option \"{given}\"; {hint}"
    ))
}

/// The known name a misspelt one most likely means.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len().min(name.len()) / 3)
        .min()
        .map(|(_, candidate)| candidate)
}

fn bad_value(name: &str, value: &str, expected: &str) -> Error {
    Error::invalid(format!(
        "the option \"{name}\" is {expected}, not \"{value}\""
    ))
}

fn flag(name: &str, value: &str) -> Result<bool> {
    match value.trim().to_ascii_lowercase().as_str() {
        "true" | "on" | "yes" | "1" => Ok(true),
        "false" | "off" | "no" | "0" => Ok(false),
        _ => Err(bad_value(name, value, "true or false")),
    }
}

fn number(name: &str, value: &str) -> Result<usize> {
    value
        .trim()
        .parse()
        .map_err(|_| bad_value(name, value, "a whole number"))
}

fn byte(name: &str, value: &str) -> Result<u8> {
    match value {
        "\\t" => Ok(b'\t'),
        "\\n" => Ok(b'\n'),
        "\\r" => Ok(b'\r'),
        "\\0" => Ok(0),
        value if value.len() == 1 => Ok(value.as_bytes()[0]),
        _ => Err(bad_value(name, value, "a single one-byte character")),
    }
}

/// The compression a text file's name tells.
pub(super) fn compression_of_path(path: &str) -> CompressionTypeVariant {
    let extension = path
        .rsplit_once('.')
        .map(|(_, extension)| extension.to_ascii_lowercase());
    match extension.as_deref() {
        Some("gz" | "gzip") => CompressionTypeVariant::GZIP,
        Some("zst" | "zstd") => CompressionTypeVariant::ZSTD,
        Some("bz2") => CompressionTypeVariant::BZIP2,
        Some("xz") => CompressionTypeVariant::XZ,
        _ => CompressionTypeVariant::UNCOMPRESSED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(format: Format, options: &[(&str, &str)]) -> Result<FormatOptions> {
        let options = options
            .iter()
            .map(|(k, v)| (k.to_string(), v.to_string()))
            .collect();
        FormatOptions::parse(format, &options)
    }

    fn refusal(format: Format, name: &str, value: &str) -> String {
        parse(format, &[(name, value)])
            .expect_err("refused")
            .to_string()
    }

    #[test]
    fn csv_options_are_read() {
        let options = parse(
            Format::Csv,
            &[
                ("format.has_header", "FALSE"),
                ("sep", "\\t"),
                ("nullstr", "NA"),
                ("quote", "'"),
                ("compression", "gz"),
            ],
        )
        .expect("options");
        assert!(!options.csv.header);
        assert_eq!(options.csv.delimiter, b'\t');
        assert_eq!(options.csv.null.as_deref(), Some("NA"));
        assert_eq!(options.compression, Some(CompressionTypeVariant::GZIP));
    }

    #[test]
    fn unknown_options_name_the_nearest() {
        let error = refusal(Format::Csv, "delimeter", ";");
        assert_eq!(
            error,
            "CSV tables have no option \"delimeter\"; did you mean \"delimiter\"?"
        );
        assert!(refusal(Format::Parquet, "quote", "'").contains("PARQUET tables have no option"));
    }

    #[test]
    fn credentials_are_sent_to_secrets() {
        for name in [
            "access_key_id",
            "AWS_SECRET_ACCESS_KEY",
            "password",
            "token",
            "sas",
            "azure_storage_account_key",
            "aws.secret_access_key",
        ] {
            assert!(
                refusal(Format::Parquet, name, "x").contains("use CREATE SECRET"),
                "{name}"
            );
        }
    }

    #[test]
    fn bad_values_say_what_is_expected() {
        assert!(refusal(Format::Csv, "header", "maybe").contains("true or false"));
        assert!(refusal(Format::Csv, "delimiter", "::").contains("one-byte"));
        assert!(refusal(Format::Json, "compression", "rar").contains("gzip, zstd"));
    }
}
