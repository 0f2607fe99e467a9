//! What a write reports: one row per finished file, from the executors to the coordinator.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt64Type};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use waterbuck_engine::{Error, Result};

use super::partition::PartitionValues;

/// A file that is complete on the store.
#[derive(Debug, Clone, PartialEq)]
pub struct WrittenFile {
    /// Where it lies, relative to the target's directory: under the staging directory until it is
    /// published, at its final place for a write without staging.
    pub path: String,
    /// Rows in the file.
    pub rows: u64,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// Length of the footer's metadata in bytes; 0 for formats without a footer.
    pub footer_bytes: u64,
    /// The values of the partition columns as text, outermost first.
    pub partition_values: PartitionValues,
    /// Statistics of the columns in the file; empty for formats other than Parquet.
    pub column_stats: Vec<ColumnStats>,
}

/// What a file knows about one of its columns.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ColumnStats {
    /// The column's name.
    pub column: String,
    /// The column's `PARQUET:field_id`, when the target's schema gives one.
    pub field_id: Option<i64>,
    /// Values with NULLs counted in.
    pub value_count: u64,
    /// NULLs; `None` when unknown, as for nested columns.
    pub null_count: Option<u64>,
    /// A lower bound of the values as text, which long strings need not reach.
    pub min: Option<String>,
    /// An upper bound of the values as text, which long strings need not reach.
    pub max: Option<String>,
    /// Whether a NaN is among the values, which the bounds pass over; `None` for other types than
    /// floating point.
    pub contains_nan: Option<bool>,
    /// Compressed size of the column in bytes.
    pub bytes: u64,
}

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new("path", DataType::Utf8, false),
        Field::new("rows", DataType::UInt64, false),
        Field::new("bytes", DataType::UInt64, false),
        Field::new("footer_bytes", DataType::UInt64, false),
        Field::new("partition", DataType::Utf8, false),
        Field::new("stats", DataType::Utf8, false),
    ]))
});

/// The columns of the report: `path, rows, bytes, footer_bytes, partition, stats`, the last two
/// in JSON.
pub(super) fn report_schema() -> SchemaRef {
    Arc::clone(&SCHEMA)
}

/// The report on `files`.
pub(super) fn report(files: &[WrittenFile]) -> Result<RecordBatch> {
    let partitions = files.iter().map(|f| to_json(&f.partition_values));
    let stats = files.iter().map(|f| to_json(&f.column_stats));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(files.iter().map(|f| &f.path))),
        Arc::new(UInt64Array::from_iter_values(files.iter().map(|f| f.rows))),
        Arc::new(UInt64Array::from_iter_values(files.iter().map(|f| f.bytes))),
        Arc::new(UInt64Array::from_iter_values(
            files.iter().map(|f| f.footer_bytes),
        )),
        Arc::new(StringArray::from(partitions.collect::<Result<Vec<_>>>()?)),
        Arc::new(StringArray::from(stats.collect::<Result<Vec<_>>>()?)),
    ];
    RecordBatch::try_new(report_schema(), columns)
        .map_err(|e| Error::internal("the report on the written files is malformed").with_source(e))
}

/// The files reported in `batches`, which the plan of a write has produced.
pub fn written_files(batches: &[RecordBatch]) -> Result<Vec<WrittenFile>> {
    let mut files = Vec::new();
    for batch in batches {
        if batch.schema().fields() != SCHEMA.fields() {
            return Err(Error::internal(format!(
                "a batch of columns {} is no report on written files",
                batch.schema()
            )));
        }
        let text = |column: usize| batch.column(column).as_string::<i32>();
        let number = |column: usize| batch.column(column).as_primitive::<UInt64Type>();
        for row in 0..batch.num_rows() {
            files.push(WrittenFile {
                path: text(0).value(row).to_owned(),
                rows: number(1).value(row),
                bytes: number(2).value(row),
                footer_bytes: number(3).value(row),
                partition_values: from_json(text(4).value(row))?,
                column_stats: from_json(text(5).value(row))?,
            });
        }
    }
    Ok(files)
}

fn to_json<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|e| Error::internal("a written file's facts do not fit JSON").with_source(e))
}

fn from_json<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text)
        .map_err(|e| Error::internal("a written file's facts are malformed").with_source(e))
}
