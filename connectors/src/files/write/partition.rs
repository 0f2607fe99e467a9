//! Directory names of partitions, and the cutting of batches by partition.
//!
//! Names follow Hive: `key=value`, outermost column first, NULL as `__HIVE_DEFAULT_PARTITION__`,
//! characters that paths or Hive give a meaning to as `%XX`. The empty string is written as an
//! empty value (`key=`), not as NULL as Hive has it, so that it reads back as what it was.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array};
use arrow::compute::{cast, take_record_batch};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::row::{RowConverter, SortField};
use datafusion::common::Result as DataFusionResult;
use waterbuck_engine::{Error, Result};

use crate::files::partition::NULL_PARTITION;

/// The partition columns of a file with their values as text, outermost first; `None` is NULL.
pub type PartitionValues = Vec<(String, Option<String>)>;

/// Identifies a partition within one write; equal values have equal keys.
pub(super) type PartitionKey = Box<[u8]>;

/// The rows of one partition in a batch.
pub(super) struct PartitionRows {
    pub(super) key: PartitionKey,
    rows: Vec<u32>,
}

/// The directory of a partition, relative to the table; empty for no partition columns.
pub(super) fn partition_directory(values: &PartitionValues) -> String {
    let mut path = String::new();
    for (name, value) in values {
        if !path.is_empty() {
            path.push('/');
        }
        encode(name, &mut path);
        path.push('=');
        encode(value.as_deref().unwrap_or(NULL_PARTITION), &mut path);
    }
    path
}

fn encode(text: &str, out: &mut String) {
    for c in text.chars() {
        let special = c.is_ascii_control()
            || matches!(
                c,
                '"' | '#'
                    | '%'
                    | '\''
                    | '*'
                    | '/'
                    | ':'
                    | '='
                    | '?'
                    | '\\'
                    | '{'
                    | '}'
                    | '['
                    | ']'
                    | '^'
            );
        if special {
            // Every special character is ASCII, so one byte stands for it.
            let _ = write!(out, "%{:02X}", c as u32);
        } else {
            out.push(c);
        }
    }
}

/// Cuts batches into the rows of each partition.
pub(super) struct PartitionSplitter {
    columns: Vec<usize>,
    names: Vec<String>,
    converter: RowConverter,
}

impl PartitionSplitter {
    /// A splitter over the columns of `schema` at `columns`.
    pub(super) fn try_new(schema: &SchemaRef, columns: Vec<usize>) -> DataFusionResult<Self> {
        let fields = columns
            .iter()
            .map(|&c| SortField::new(schema.field(c).data_type().clone()));
        let converter = RowConverter::new(fields.collect())?;
        let names = columns
            .iter()
            .map(|&c| schema.field(c).name().clone())
            .collect();
        Ok(Self {
            columns,
            names,
            converter,
        })
    }

    /// The partitions in `batch`, in the order in which they first occur.
    pub(super) fn split(&self, batch: &RecordBatch) -> DataFusionResult<Vec<PartitionRows>> {
        let columns: Vec<ArrayRef> = self
            .columns
            .iter()
            .map(|&c| Arc::clone(batch.column(c)))
            .collect();
        let rows = self.converter.convert_columns(&columns)?;
        let mut parts: Vec<PartitionRows> = Vec::new();
        let mut by_key: HashMap<PartitionKey, usize> = HashMap::new();
        let mut current = 0;
        for (index, row) in (0u32..).zip(rows.iter()) {
            let key = row.as_ref();
            // Neighbours are often of one partition, which saves the look-up.
            if parts.get(current).is_none_or(|part| *part.key != *key) {
                current = match by_key.get(key) {
                    Some(&known) => known,
                    None => {
                        by_key.insert(key.into(), parts.len());
                        parts.push(PartitionRows {
                            key: key.into(),
                            rows: Vec::new(),
                        });
                        parts.len() - 1
                    }
                };
            }
            parts[current].rows.push(index);
        }
        Ok(parts)
    }

    /// The values of the partition that `part` is of.
    pub(super) fn values(
        &self,
        batch: &RecordBatch,
        part: &PartitionRows,
    ) -> DataFusionResult<PartitionValues> {
        let first = part.rows.first().map_or(0, |&row| row as usize);
        let mut values = Vec::with_capacity(self.columns.len());
        for (&column, name) in self.columns.iter().zip(&self.names) {
            let value = value_text(batch.column(column), first)?;
            check_value(name, value.as_deref())?;
            values.push((name.clone(), value));
        }
        Ok(values)
    }
}

impl PartitionRows {
    /// The part's rows out of the batch it was cut from.
    pub(super) fn take(&self, batch: &RecordBatch) -> DataFusionResult<RecordBatch> {
        if self.rows.len() == batch.num_rows() {
            return Ok(batch.clone());
        }
        let first = self.rows.first().copied().unwrap_or(0);
        let last = self.rows.last().copied().unwrap_or(0);
        if (last - first) as usize + 1 == self.rows.len() {
            return Ok(batch.slice(first as usize, self.rows.len()));
        }
        Ok(take_record_batch(
            batch,
            &UInt32Array::from(self.rows.clone()),
        )?)
    }
}

fn value_text(array: &ArrayRef, row: usize) -> DataFusionResult<Option<String>> {
    let text = cast(&array.slice(row, 1), &DataType::Utf8)?;
    Ok(text
        .is_valid(0)
        .then(|| text.as_string::<i32>().value(0).to_owned()))
}

/// Refuses the one text that would read back as something else.
fn check_value(column: &str, value: Option<&str>) -> Result<()> {
    if value == Some(NULL_PARTITION) {
        return Err(Error::data(format!(
            "column \"{column}\" holds \"{NULL_PARTITION}\", which stands for NULL in directory names"
        )));
    }
    Ok(())
}
