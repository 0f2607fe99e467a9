//! Answers to the metadata commands: catalogs, schemas, tables, keys.
//!
//! Drivers compare the columns of these answers bit for bit, so each schema stands here (or in the
//! builders of `arrow-flight`) once, and serves FlightInfo, GetSchema and the rows alike.

use std::sync::Arc;

use arrow::array::{RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use arrow_flight::sql::metadata::{GetCatalogsBuilder, GetDbSchemasBuilder, GetTablesBuilder};
use arrow_flight::sql::{CommandGetDbSchemas, CommandGetTables};
use waterbuck_engine::{Error, Result};

use super::backend::{COLUMN_COMMENT, FlightSession, TableInfo};
use super::pattern::matches;
use super::type_info::{decimal_scale, precision, type_name};
use super::wire::wire_schema;

/// The kinds of tables there are.
const TABLE_TYPES: [&str; 3] = ["SYSTEM TABLE", "TABLE", "VIEW"];

/// The columns of GetCatalogs.
pub(super) fn catalogs_schema() -> SchemaRef {
    GetCatalogsBuilder::new().schema()
}

/// The rows of GetCatalogs.
pub(super) async fn catalogs(session: &dyn FlightSession) -> Result<RecordBatch> {
    let mut builder = GetCatalogsBuilder::new();
    for catalog in session.list_catalogs().await? {
        builder.append(catalog);
    }
    builder.build().map_err(unbuilt)
}

/// The columns of GetDbSchemas.
pub(super) fn schemas_schema() -> SchemaRef {
    GetDbSchemasBuilder::new(None::<String>, None::<String>).schema()
}

/// The rows of GetDbSchemas.
pub(super) async fn schemas(
    session: &dyn FlightSession,
    command: &CommandGetDbSchemas,
) -> Result<RecordBatch> {
    let mut builder = GetDbSchemasBuilder::new(None::<String>, None::<String>);
    for found in session.list_schemas().await? {
        if is_same(command.catalog.as_deref(), &found.catalog)
            && is_like(command.db_schema_filter_pattern.as_deref(), &found.schema)
        {
            builder.append(found.catalog, found.schema);
        }
    }
    builder.build().map_err(unbuilt)
}

/// The columns of GetTables: four, or five with the tables' schemas.
pub(super) fn tables_schema(include_schema: bool) -> SchemaRef {
    tables_builder(include_schema).schema()
}

/// The rows of GetTables.
pub(super) async fn tables(
    session: &dyn FlightSession,
    command: &CommandGetTables,
) -> Result<RecordBatch> {
    let mut builder = tables_builder(command.include_schema);
    for table in session.list_tables(command.include_schema).await? {
        let wanted = is_same(command.catalog.as_deref(), &table.catalog)
            && is_like(command.db_schema_filter_pattern.as_deref(), &table.schema)
            && is_like(command.table_name_filter_pattern.as_deref(), &table.name)
            && (command.table_types.is_empty() || command.table_types.contains(&table.table_type));
        if wanted {
            let schema = table_schema(&table);
            builder
                .append(
                    table.catalog,
                    table.schema,
                    table.name,
                    table.table_type,
                    &schema,
                )
                .map_err(unbuilt)?;
        }
    }
    builder.build().map_err(unbuilt)
}

/// The columns of GetTableTypes.
pub(super) fn table_types_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![text("table_type", false)]))
}

/// The rows of GetTableTypes.
pub(super) fn table_types() -> Result<RecordBatch> {
    let column = Arc::new(StringArray::from_iter_values(TABLE_TYPES));
    RecordBatch::try_new(table_types_schema(), vec![column])
        .map_err(|e| Error::internal("the table types cannot be listed").with_source(e))
}

/// The columns of GetPrimaryKeys.
pub(super) fn primary_keys_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        text("catalog_name", true),
        text("db_schema_name", true),
        text("table_name", false),
        text("column_name", false),
        text("key_name", true),
        Field::new("key_sequence", DataType::Int32, false),
    ]))
}

/// The columns of GetExportedKeys, GetImportedKeys and GetCrossReference.
pub(super) fn foreign_keys_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        text("pk_catalog_name", true),
        text("pk_db_schema_name", true),
        text("pk_table_name", false),
        text("pk_column_name", false),
        text("fk_catalog_name", true),
        text("fk_db_schema_name", true),
        text("fk_table_name", false),
        text("fk_column_name", false),
        Field::new("key_sequence", DataType::Int32, false),
        text("fk_key_name", true),
        text("pk_key_name", true),
        Field::new("update_rule", DataType::UInt8, false),
        Field::new("delete_rule", DataType::UInt8, false),
    ]))
}

fn text(name: &str, nullable: bool) -> Field {
    Field::new(name, DataType::Utf8, nullable)
}

/// The filters are applied here, not in the builder, whose columns are all it is used for.
fn tables_builder(include_schema: bool) -> GetTablesBuilder {
    let none = None::<String>;
    GetTablesBuilder::new(
        none.clone(),
        none.clone(),
        none,
        Vec::<String>::new(),
        include_schema,
    )
}

/// A catalog is named exactly; the empty name stands for things without a catalog.
fn is_same(wanted: Option<&str>, name: &str) -> bool {
    wanted.is_none_or(|wanted| wanted == name)
}

fn is_like(pattern: Option<&str>, name: &str) -> bool {
    pattern.is_none_or(|pattern| matches(pattern, name))
}

/// The columns of a table as results show them, with what drivers want to know of each.
fn table_schema(table: &TableInfo) -> Schema {
    let Some(schema) = &table.table_schema else {
        return Schema::empty();
    };
    let wire = wire_schema(Arc::clone(schema));
    let fields: Fields = wire
        .fields()
        .iter()
        .map(|field| described(field, table))
        .collect();
    let mut metadata = wire.metadata().clone();
    if let Some(comment) = &table.comment {
        metadata.insert(key("REMARKS"), comment.clone());
    }
    Schema::new_with_metadata(fields, metadata)
}

fn described(field: &FieldRef, table: &TableInfo) -> FieldRef {
    let mut metadata = field.metadata().clone();
    let data_type = field.data_type();
    metadata.insert(key("CATALOG_NAME"), table.catalog.clone());
    metadata.insert(key("SCHEMA_NAME"), table.schema.clone());
    metadata.insert(key("TABLE_NAME"), table.name.clone());
    metadata.insert(key("TYPE_NAME"), type_name(data_type).to_owned());
    if let Some(precision) = precision(data_type) {
        metadata.insert(key("PRECISION"), precision.to_string());
    }
    if let Some(scale) = decimal_scale(data_type) {
        metadata.insert(key("SCALE"), scale.to_string());
    }
    let is_text = matches!(data_type, DataType::Utf8 | DataType::LargeUtf8);
    metadata.insert(key("IS_CASE_SENSITIVE"), flag(is_text));
    metadata.insert(key("IS_SEARCHABLE"), flag(true));
    metadata.insert(key("IS_AUTO_INCREMENT"), flag(false));
    metadata.insert(key("IS_READ_ONLY"), flag(table.table_type != "TABLE"));
    if let Some(comment) = metadata.remove(COLUMN_COMMENT) {
        metadata.insert(key("REMARKS"), comment);
    }
    Arc::new(field.as_ref().clone().with_metadata(metadata))
}

fn key(name: &str) -> String {
    format!("ARROW:FLIGHT:SQL:{name}")
}

fn flag(value: bool) -> String {
    if value { "1" } else { "0" }.to_owned()
}

fn unbuilt(error: arrow_flight::error::FlightError) -> Error {
    Error::internal("the metadata cannot be listed").with_source(error)
}
