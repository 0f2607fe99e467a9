//! How the lines of a delimited file become the columns of its table.

use std::io::Cursor;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
use datafusion::common::DataFusionError;

use super::lines::Wanted;
use super::options::CsvReadOptions;
use super::sample::{BYTE_ORDER_MARK, csv_sampler};

type Result<T> = std::result::Result<T, DataFusionError>;

/// The names in a header, if the bytes hold all of it.
pub(super) fn parse_header(
    start: &[u8],
    options: &CsvReadOptions,
    whole: bool,
) -> Result<Option<Vec<String>>> {
    let ends = |byte: &u8| match options.terminator {
        Some(terminator) => *byte == terminator,
        None => matches!(byte, b'\n' | b'\r'),
    };
    let mut from = 0;
    while let Some(length) = start[from..].iter().position(ends) {
        from += length + 1;
        let line = &start[..from];
        let quotes = line.iter().filter(|byte| **byte == options.quote).count();
        if quotes % 2 == 0
            && let Some(names) = header_names(line, options)?
        {
            return Ok(Some(names));
        }
    }
    if whole {
        header_names(start, options)
    } else {
        Ok(None)
    }
}

fn header_names(line: &[u8], options: &CsvReadOptions) -> Result<Option<Vec<String>>> {
    let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
    let (schema, _) = csv_sampler(options)?.infer_schema(Cursor::new(line), Some(0))?;
    let names: Vec<String> = schema
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    Ok((!names.is_empty()).then_some(names))
}

/// An error in the text of a file.
pub(super) fn csv_error(message: String) -> DataFusionError {
    ArrowError::CsvError(message).into()
}

/// How the fields of a file's lines become the wanted columns.
pub(super) struct Layout {
    /// The fields of a line.
    pub(super) line: SchemaRef,
    /// The fields that are parsed, in the order of the wanted columns.
    pub(super) parsed: Vec<usize>,
    /// For every wanted column its place in `parsed`; none reads as NULL.
    places: Vec<Option<usize>>,
}

impl Layout {
    /// Fields are the table's columns in their order.
    pub(super) fn by_position(wanted: &Wanted) -> Self {
        let parsed: Vec<usize> = wanted
            .columns
            .fields()
            .iter()
            .filter_map(|field| wanted.table.index_of(field.name()).ok())
            .collect();
        let places = (0..parsed.len()).map(Some).collect();
        Self {
            line: nullable(&wanted.table),
            parsed,
            places,
        }
    }

    /// Fields are what the header calls them, exactly or else in any case.
    ///
    /// # Errors
    /// When the header shares no name with the table: it is likely no header at all.
    pub(super) fn by_name(names: &[String], wanted: &Wanted) -> Result<Self> {
        let position = |column: &str| {
            names.iter().position(|name| name == column).or_else(|| {
                names
                    .iter()
                    .position(|name| name.trim().eq_ignore_ascii_case(column))
            })
        };
        let mut line: Vec<Field> = names
            .iter()
            .map(|name| Field::new(name, DataType::Utf8, true))
            .collect();
        let mut shared = 0;
        for field in wanted.table.fields() {
            if let Some(at) = position(field.name()) {
                line[at] = Field::new(&names[at], field.data_type().clone(), true);
                shared += 1;
            }
        }
        if shared == 0 && !wanted.table.fields().is_empty() {
            return Err(csv_error(format!(
                "its first line \"{}\" names no column of the table; if it is no header, set the \
                 option \"header\" to false",
                names.join(", ")
            )));
        }
        let (mut parsed, mut places) = (Vec::new(), Vec::new());
        for field in wanted.columns.fields() {
            let at = position(field.name());
            places.push(at.map(|_| parsed.len()));
            parsed.extend(at);
        }
        Ok(Self {
            line: Arc::new(Schema::new(line)),
            parsed,
            places,
        })
    }

    /// The wanted columns that a file does not have.
    pub(super) fn missing<'a>(&self, columns: &'a Schema) -> impl Iterator<Item = &'a str> {
        let places = self.places.clone();
        let fields = columns.fields().iter().zip(places);
        fields
            .filter(|(_, place)| place.is_none())
            .map(|(field, _)| field.name().as_str())
    }

    /// Puts parsed fields where the wanted columns are and NULL where a file has no such field.
    pub(super) fn arrange(&self, batch: &RecordBatch, columns: &SchemaRef) -> Result<RecordBatch> {
        let rows = batch.num_rows();
        let arrays: Vec<ArrayRef> = columns
            .fields()
            .iter()
            .zip(&self.places)
            .map(|(field, place)| match place {
                Some(place) => Arc::clone(batch.column(*place)),
                None => new_null_array(field.data_type(), rows),
            })
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(
            Arc::clone(columns),
            arrays,
            &options,
        )?)
    }
}

fn nullable(schema: &Schema) -> SchemaRef {
    let fields = schema
        .fields()
        .iter()
        .map(|field| Field::clone(field).with_nullable(true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}
