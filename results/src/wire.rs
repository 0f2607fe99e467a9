//! Arrow types as every client can read them.
//!
//! DataFusion works on view strings, dictionaries and other layouts that JDBC and older clients do
//! not know. What leaves the door is cast to the plain layout of the same SQL type; nothing else
//! changes: names (also double ones), nullability, order and field metadata stay.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, UnionArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, FieldRef, Fields, Schema, SchemaRef, TimeUnit, UnionFields};
use arrow::error::ArrowError;
use arrow_flight::{IpcMessage, SchemaAsIpc};
use arrow_ipc::writer::IpcWriteOptions;
use bytes::Bytes;

/// The schema as it is sent; the same `Arc` where nothing has to change.
pub fn wire_schema(schema: SchemaRef) -> SchemaRef {
    if schema.fields().iter().all(|f| is_plain(f.data_type())) {
        return schema;
    }
    let fields: Fields = schema.fields().iter().map(wire_field).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// The schema as it is sent to clients that read views: those stay, unless they are within other
/// types.
pub fn view_schema(schema: SchemaRef) -> SchemaRef {
    let plain = wire_schema(Arc::clone(&schema));
    let fields = schema.fields().iter().zip(plain.fields());
    let fields: Fields = fields
        .map(|(own, plain)| match own.data_type() {
            DataType::Utf8View | DataType::BinaryView => Arc::clone(own),
            _ => Arc::clone(plain),
        })
        .collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// The same rows, of which no column holds more than it shows: a slice of views holds all the text
/// of the whole, and would be sent with it.
pub fn compact(batch: RecordBatch) -> RecordBatch {
    let is_view =
        |data_type: &DataType| matches!(data_type, DataType::Utf8View | DataType::BinaryView);
    let schema = batch.schema();
    if !schema.fields().iter().any(|f| is_view(f.data_type())) {
        return batch;
    }
    let columns = batch
        .columns()
        .iter()
        .map(|column| match column.data_type() {
            DataType::Utf8View => Arc::new(column.as_string_view().gc()) as ArrayRef,
            DataType::BinaryView => Arc::new(column.as_binary_view().gc()) as ArrayRef,
            _ => Arc::clone(column),
        });
    RecordBatch::try_new(schema, columns.collect()).unwrap_or(batch)
}

/// The batch in the layout of `schema`, which [`wire_schema`] made of the batch's own. Columns
/// that fit already are shared, not copied.
pub fn wire_batch(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    if batch.num_columns() != schema.fields().len() {
        return Err(ArrowError::SchemaError(format!(
            "a result batch has {} columns where its schema has {}",
            batch.num_columns(),
            schema.fields().len()
        )));
    }
    let columns = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(column, field)| wire_array(column, field.data_type()))
        .collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
}

/// The schema offered for parameters. JDBC writes milliseconds into any timestamp or time vector and
/// days into any date vector, whatever their unit, and knows no value for an undetermined type.
pub fn parameter_schema(schema: &Schema) -> Schema {
    let fields: Fields = schema
        .fields()
        .iter()
        .map(|field| {
            let data_type = match wire_type(field.data_type()) {
                DataType::Null => DataType::Utf8,
                DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Millisecond, zone),
                DataType::Time32(_) | DataType::Time64(_) => {
                    DataType::Time32(TimeUnit::Millisecond)
                }
                DataType::Date64 => DataType::Date32,
                other => other,
            };
            Arc::new(
                field
                    .as_ref()
                    .clone()
                    .with_data_type(data_type)
                    .with_nullable(true),
            )
        })
        .collect();
    Schema::new(fields)
}

/// The schema as an encapsulated IPC message, the form every Flight SQL field wants.
pub fn encode_schema(schema: &Schema) -> Result<Bytes, ArrowError> {
    let options = IpcWriteOptions::default();
    let IpcMessage(bytes) = SchemaAsIpc::new(schema, &options).try_into()?;
    Ok(bytes)
}

/// The schema in an encapsulated IPC message.
///
/// # Errors
/// When the message holds none.
pub fn decode_schema(message: Bytes) -> Result<Schema, ArrowError> {
    IpcMessage(message).try_into()
}

/// Bytes that the variable-length columns take once they are cast, which for views and
/// dictionaries may be far more than they take in memory. An upper bound for the columns at the
/// top; nested ones are not counted.
pub fn expanded_bytes(batch: &RecordBatch) -> usize {
    batch
        .columns()
        .iter()
        .map(|column| expanded_array_bytes(column.as_ref()))
        .max()
        .unwrap_or(0)
}

/// The bytes of a batch in an IPC message: of a slice, only what it shows.
pub fn wire_bytes(batch: &RecordBatch) -> usize {
    let bytes = |column: &dyn Array| {
        column
            .to_data()
            .get_slice_memory_size()
            .unwrap_or_else(|_| column.get_array_memory_size())
    };
    batch
        .columns()
        .iter()
        .map(|column| bytes(column.as_ref()))
        .sum()
}

fn expanded_array_bytes(array: &dyn Array) -> usize {
    match array.data_type() {
        // The low half of a view is its length.
        DataType::Utf8View => array
            .as_string_view()
            .views()
            .iter()
            .map(|view| length_of(*view))
            .sum(),
        DataType::BinaryView => array
            .as_binary_view()
            .views()
            .iter()
            .map(|view| length_of(*view))
            .sum(),
        DataType::Dictionary(_, _) => {
            let values = array.as_any_dictionary().values();
            let total = match values.data_type() {
                DataType::Utf8View | DataType::BinaryView => expanded_array_bytes(values.as_ref()),
                _ => values.get_array_memory_size(),
            };
            // A dictionary of many values has short ones: its mean stands for all.
            array.len().saturating_mul(total / values.len().max(1))
        }
        _ => 0,
    }
}

fn length_of(view: u128) -> usize {
    usize::try_from(view & u128::from(u32::MAX)).unwrap_or(usize::MAX)
}

fn is_plain(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8View
        | DataType::BinaryView
        | DataType::ListView(_)
        | DataType::LargeListView(_)
        | DataType::LargeList(_)
        | DataType::RunEndEncoded(_, _)
        | DataType::Dictionary(_, _)
        | DataType::Decimal32(_, _)
        | DataType::Decimal64(_, _) => false,
        DataType::List(field) | DataType::FixedSizeList(field, _) | DataType::Map(field, _) => {
            is_plain(field.data_type())
        }
        DataType::Struct(fields) => fields.iter().all(|f| is_plain(f.data_type())),
        DataType::Union(fields, _) => fields.iter().all(|(_, f)| is_plain(f.data_type())),
        _ => true,
    }
}

fn wire_field(field: &FieldRef) -> FieldRef {
    if is_plain(field.data_type()) {
        return Arc::clone(field);
    }
    Arc::new(
        field
            .as_ref()
            .clone()
            .with_data_type(wire_type(field.data_type())),
    )
}

fn wire_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        // The encoder of Flight messages declares large lists as lists and sends them as they are.
        DataType::List(field)
        | DataType::ListView(field)
        | DataType::LargeList(field)
        | DataType::LargeListView(field) => DataType::List(wire_field(field)),
        DataType::FixedSizeList(field, size) => DataType::FixedSizeList(wire_field(field), *size),
        DataType::Map(field, sorted) => DataType::Map(wire_field(field), *sorted),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(wire_field).collect()),
        DataType::Union(fields, mode) => {
            let fields: UnionFields = fields.iter().map(|(id, f)| (id, wire_field(f))).collect();
            DataType::Union(fields, *mode)
        }
        DataType::RunEndEncoded(_, values) => wire_type(values.data_type()),
        DataType::Dictionary(_, values) => wire_type(values),
        // Java knows only the two wide decimals.
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            DataType::Decimal128(*precision, *scale)
        }
        other => other.clone(),
    }
}

fn wire_array(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    if array.data_type() == to {
        return Ok(Arc::clone(array));
    }
    if let (DataType::Union(from_fields, _), DataType::Union(fields, _)) = (array.data_type(), to)
        && let Some(union) = array.as_any().downcast_ref::<UnionArray>()
        && from_fields.len() == fields.len()
    {
        let children = fields
            .iter()
            .map(|(id, field)| wire_array(union.child(id), field.data_type()))
            .collect::<Result<Vec<_>, _>>()?;
        let union = UnionArray::try_new(
            fields.clone(),
            union.type_ids().clone(),
            union.offsets().cloned(),
            children,
        )?;
        return Ok(Arc::new(union));
    }
    // An inexact value must fail rather than turn into NULL.
    cast_with_options(
        array,
        to,
        &CastOptions {
            safe: false,
            ..CastOptions::default()
        },
    )
}
