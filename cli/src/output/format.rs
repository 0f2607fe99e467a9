//! The forms in which a result can be written.

use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use clap::ValueEnum;

use super::csv::CsvWriter;
use super::json::JsonWriter;
use super::markdown::MarkdownWriter;
use super::table::TableWriter;
use super::vertical::VerticalWriter;

/// How results are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns aligned for reading
    #[default]
    Table,
    /// Comma-separated values (RFC 4180) with a header
    Csv,
    /// Tab-separated values with a header, NULL as \N
    Tsv,
    /// One array of objects
    Json,
    /// One object a line
    Ndjson,
    /// A table for Markdown
    Markdown,
    /// One line for every value
    Vertical,
}

impl Format {
    /// A writer of one result.
    pub(crate) fn writer(self) -> Box<dyn ResultWriter> {
        match self {
            Self::Table => Box::new(TableWriter::default()),
            Self::Csv => Box::new(CsvWriter::comma()),
            Self::Tsv => Box::new(CsvWriter::tab()),
            Self::Json => Box::new(JsonWriter::array()),
            Self::Ndjson => Box::new(JsonWriter::lines()),
            Self::Markdown => Box::new(MarkdownWriter),
            Self::Vertical => Box::new(VerticalWriter::default()),
        }
    }

    /// Whether people read it, so that a closing line with the number of rows helps.
    pub(crate) fn is_for_people(self) -> bool {
        matches!(self, Self::Table | Self::Vertical)
    }

    /// The format of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::from_str(name, true).ok()
    }

    /// The name by which it is asked for.
    pub(crate) fn name(self) -> String {
        self.to_possible_value()
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    }

    /// The names of all formats.
    pub(crate) fn names() -> Vec<String> {
        Self::value_variants()
            .iter()
            .map(|format| format.name())
            .collect()
    }
}

/// Writes one result, batch by batch: [`begin`](Self::begin) once, [`write`](Self::write) for
/// every batch of the same schema, [`finish`](Self::finish) once.
pub(crate) trait ResultWriter: Send {
    fn begin(&mut self, out: &mut dyn Write, schema: &SchemaRef) -> io::Result<()>;
    fn write(&mut self, out: &mut dyn Write, batch: &RecordBatch) -> io::Result<()>;
    fn finish(&mut self, out: &mut dyn Write) -> io::Result<()>;
}
