//! What a write produces: where, in which format, and how it is cut into files.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, IntervalUnit, Schema, SchemaRef};
use datafusion::execution::object_store::ObjectStoreUrl;
use uuid::Uuid;
use waterbuck_engine::sql::sql_type;
use waterbuck_engine::{Error, Result};

use super::layout::Layout;
use super::options::FileOptions;
use crate::files::Format;

/// Bytes after which a writer closes a file and begins the next one.
const TARGET_FILE_BYTES: u64 = 256 << 20;

/// The description of one write. The coordinator makes it, every task carries it.
#[derive(Debug, Clone, PartialEq)]
pub struct WriteTarget {
    /// Names the write in its staging directory and in every file name, so that what one attempt
    /// wrote can be found and removed without knowing how far it came. A second attempt takes a
    /// new id.
    pub write_id: Uuid,
    /// URL of the directory the files belong to.
    pub location: String,
    /// The format of the files.
    pub format: Format,
    /// The format's options, as the user wrote them.
    pub options: BTreeMap<String, String>,
    /// Columns written into directory names (`key=value`) and not into the files, outermost first.
    pub partition_columns: Vec<String>,
    /// All columns, in the order of the input's columns; field metadata (`PARQUET:field_id`) is
    /// carried into Parquet files.
    pub schema: SchemaRef,
    /// Encoded bytes after which a file is closed. A file is closed between batches, so it can
    /// be larger by a batch.
    pub target_file_bytes: u64,
    /// Writes everything into one file of this name in the directory; the file is written even
    /// when there are no rows. `None` names the files `part-…`.
    pub single_file: Option<String>,
    /// Whether the files are set aside until they are published. Without staging they are
    /// written where they stay, which suits tables whose catalog decides what can be seen.
    pub staging: bool,
}

impl WriteTarget {
    /// A staged write of any number of unpartitioned files, under a new write id.
    pub fn new(location: impl Into<String>, format: Format, schema: SchemaRef) -> Self {
        Self {
            write_id: Uuid::now_v7(),
            location: location.into(),
            format,
            options: BTreeMap::new(),
            partition_columns: Vec::new(),
            schema,
            target_file_bytes: TARGET_FILE_BYTES,
            single_file: None,
            staging: true,
        }
    }

    /// Checks what can be known before a row is produced: the location, the options, the
    /// partition columns and their types.
    pub fn validate(&self) -> Result<()> {
        Layout::of(self)?;
        for name in &self.partition_columns {
            let field = self.schema.field_with_name(name).map_err(|_| {
                Error::invalid(format!(
                    "partition column \"{name}\" is not among the columns"
                ))
            })?;
            if !can_name_a_directory(field.data_type()) {
                return Err(Error::invalid(format!(
                    "column \"{name}\" of type {} cannot partition files",
                    sql_type(field.data_type())
                )));
            }
        }
        self.check_columns()?;
        FileOptions::parse(self)?;
        Ok(())
    }

    /// The store that the files go to.
    pub(in crate::files) fn store_url(&self) -> Result<ObjectStoreUrl> {
        Ok(Layout::of_directory(&self.location)?.store_url().clone())
    }

    fn check_columns(&self) -> Result<()> {
        if self.schema.fields().len() <= self.partition_columns.len() {
            return Err(Error::invalid(
                "at least one column must not be a partition column, since files hold only the others",
            ));
        }
        if self.single_file.is_some() && !self.partition_columns.is_empty() {
            return Err(Error::invalid(
                "a single file cannot be partitioned: name a directory, with a \"/\" at its end",
            ));
        }
        for (index, field) in self.schema.fields().iter().enumerate() {
            if self.format == Format::Parquet && has_interval(field.data_type()) {
                return Err(Error::unsupported(format!(
                    "column \"{}\" of type {} cannot be kept in Parquet files",
                    field.name(),
                    sql_type(field.data_type())
                )));
            }
            if self
                .schema
                .index_of(field.name())
                .is_ok_and(|first| first != index)
            {
                return Err(Error::invalid(format!(
                    "column \"{}\" occurs twice: give the columns different names",
                    field.name()
                )));
            }
        }
        Ok(())
    }

    /// All columns in the types that files hold: no views, no dictionaries.
    pub(super) fn plain_schema(&self) -> SchemaRef {
        Arc::new(Schema::new(
            self.schema
                .fields()
                .iter()
                .map(|f| plain_field(f))
                .collect::<Fields>(),
        ))
    }

    /// The columns inside the files: all but the partition columns, in plain types.
    pub fn file_schema(&self) -> SchemaRef {
        let fields = self
            .data_columns()
            .into_iter()
            .map(|i| plain_field(self.schema.field(i)));
        Arc::new(Schema::new(fields.collect::<Fields>()))
    }

    /// Positions of the columns that go into the files.
    pub(super) fn data_columns(&self) -> Vec<usize> {
        (0..self.schema.fields().len())
            .filter(|&index| {
                !self
                    .partition_columns
                    .contains(self.schema.field(index).name())
            })
            .collect()
    }

    /// Positions of the partition columns, outermost directory first.
    pub(super) fn partition_indices(&self) -> Result<Vec<usize>> {
        self.partition_columns
            .iter()
            .map(|name| {
                self.schema.index_of(name).map_err(|_| {
                    Error::invalid(format!(
                        "partition column \"{name}\" is not among the columns"
                    ))
                })
            })
            .collect()
    }
}

/// Types whose values have one text each, short enough for a directory name.
fn can_name_a_directory(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, value) => can_name_a_directory(value),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Boolean => true,
        DataType::Interval(_) | DataType::Duration(_) => false,
        other => other.is_primitive(),
    }
}

/// Parquet's intervals are of milliseconds, SQL's of nanoseconds.
fn has_interval(data_type: &DataType) -> bool {
    match data_type {
        DataType::Interval(unit) => *unit == IntervalUnit::MonthDayNano,
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _) => has_interval(item.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| has_interval(field.data_type())),
        _ => false,
    }
}

fn plain_field(field: &Field) -> Field {
    field.clone().with_data_type(plain_type(field.data_type()))
}

/// Views and dictionaries are how the engine holds values in memory; files get the values.
fn plain_type(data_type: &DataType) -> DataType {
    let plain = |field: &Arc<Field>| Arc::new(plain_field(field));
    match data_type {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::Dictionary(_, value) => plain_type(value),
        DataType::List(item) | DataType::ListView(item) => DataType::List(plain(item)),
        DataType::LargeList(item) | DataType::LargeListView(item) => {
            DataType::LargeList(plain(item))
        }
        DataType::FixedSizeList(item, size) => DataType::FixedSizeList(plain(item), *size),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(plain).collect()),
        DataType::Map(entries, sorted) => DataType::Map(plain(entries), *sorted),
        other => other.clone(),
    }
}
