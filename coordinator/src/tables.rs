//! The catalog's tables as tables of files: opening, describing, and forgetting them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::TableProvider;
use object_store::ObjectStore;
use serde_json::{Value, json};
use url::Url;
use waterbuck_catalog::{
    ColumnDef, DataFile, ExternalTable, FileColumnStats, ManagedTable, NewDataFile, Secret,
    TableDef, TableKind,
};
use waterbuck_connectors::files::write::{WriteTarget, WrittenFile};
use waterbuck_connectors::files::{
    ColumnSummary, FileEntry, FileListing, FileTable, FileTableSpec, Format, Location,
    Secret as StoreSecret, Stores, TableSummary, find_files,
};
use waterbuck_engine::sql::CopyTo;
use waterbuck_engine::{Error, ErrorKind, Result};

use crate::coordinator::Core;
use crate::plan::arrow_schema;
use crate::statement::{StatementContext, plain_type};

/// What `SHOW FILES` says of a file.
pub(crate) struct FileFacts {
    /// Where it is.
    pub(crate) path: String,
    /// Its size.
    pub(crate) bytes: u64,
    /// When it was last changed, where the storage says.
    pub(crate) last_modified: Option<String>,
    /// The values of the partition columns.
    pub(crate) partition: Vec<(String, Option<String>)>,
}

/// The catalog's secrets as object stores take them.
pub(crate) async fn secrets(core: &Core) -> Result<Vec<StoreSecret>> {
    Ok(core
        .catalog
        .secrets()
        .await?
        .into_iter()
        .map(store_secret)
        .collect())
}

fn store_secret(secret: Secret) -> StoreSecret {
    StoreSecret {
        kind: secret.kind,
        scope: secret.scope,
        options: secret.options,
    }
}

/// Checks a secret before it is kept.
///
/// # Errors
/// When its kind or one of its options is unknown.
pub(crate) fn check_secret(secret: &Secret) -> Result<()> {
    const KINDS: [&str; 5] = ["s3", "gcs", "azure", "http", "hdfs"];
    if KINDS.contains(&secret.kind.as_str()) {
        return check_secret_options(secret);
    }
    let hint = crate::names::did_you_mean(&secret.kind, KINDS);
    Err(Error::invalid(format!(
        "secret type \"{}\" is not known{hint}",
        secret.kind
    )))
}

/// Opening some store with the secret tells which options it does not know; nothing is sent.
fn check_secret_options(secret: &Secret) -> Result<()> {
    let url = match secret.kind.as_str() {
        "s3" => "s3://bucket",
        "gcs" => "gs://bucket",
        "azure" => "az://container",
        "http" => "http://localhost",
        _ => return Ok(()),
    };
    let url = Url::parse(url).map_err(|error| Error::internal("no URL").with_source(error))?;
    let everywhere = StoreSecret {
        scope: None,
        ..store_secret(secret.clone())
    };
    match Stores::new().store(&url, &[everywhere]) {
        Err(error) if error.message().contains("has no option") => Err(error),
        _ => Ok(()),
    }
}

/// The store behind a location, with the secret that fits.
pub(crate) async fn store(core: &Core, location: &str) -> Result<Arc<dyn ObjectStore>> {
    store_of(core, &parse_location(location)?).await
}

/// The store behind a location that may be used, with the secret that fits.
pub(crate) async fn store_of(core: &Core, location: &Location) -> Result<Arc<dyn ObjectStore>> {
    core.places.check_use(location)?;
    // No secret serves the local disk.
    let secrets = if location.is_local() {
        vec![]
    } else {
        secrets(core).await?
    };
    core.stores.store(location.store_url(), &secrets)
}

/// A path or URL as a URL.
pub(crate) fn location_url(text: &str) -> Result<String> {
    Ok(parse_location(text)?.to_string())
}

pub(crate) fn parse_location(text: &str) -> Result<Location> {
    let cwd = std::env::current_dir()
        .map_err(|error| Error::internal("no working directory").with_source(error))?;
    Location::parse(text, &cwd)
}

/// Opens a table for one statement, its files pinned; also says what was pinned.
pub(crate) async fn open(
    context: &StatementContext,
    table: &TableDef,
) -> Result<(Arc<dyn TableProvider>, Value)> {
    let core = context.core();
    let (spec, listing) = list(context, table).await?;
    let statistics = core
        .catalog
        .statistics(table.id)
        .await?
        .map(|known| TableSummary {
            row_count: known.row_count,
            columns: known
                .columns
                .into_iter()
                .map(|(name, column)| {
                    let summary = ColumnSummary {
                        distinct_count: column.distinct_count,
                        null_fraction: column.null_fraction,
                        min: column.min,
                        max: column.max,
                        average_width: column.average_width,
                    };
                    (name, summary)
                })
                .collect(),
        });
    let pinned = json!({"files": listing.files.len(), "bytes": listing.bytes});
    let provider = FileTable::new(spec, listing, Arc::clone(&core.files))?
        .with_summary(statistics.map(Arc::new));
    Ok((Arc::new(provider), pinned))
}

/// Opens a path that is no table: `SELECT * FROM 'data/**/*.parquet'`.
pub(crate) async fn open_path(
    context: &StatementContext,
    path: &str,
) -> Result<(Arc<dyn TableProvider>, Value)> {
    let core = context.core();
    let location = parse_location(path)?;
    let told = Format::of_path(path);
    let format = told.unwrap_or(Format::Parquet);
    let store = store_of(core, &location).await?;
    let options = std::collections::BTreeMap::new();
    let _whole = core.gate.listing(&location).await;
    check_found(core, &store, &location).await?;
    let inferred = core
        .files
        .infer(&store, format, &location, &options, None)
        .await
        .map_err(|error| match told {
            Some(_) => error,
            None => assumed(error, path, format),
        })?;
    let spec = FileTableSpec {
        name: path.to_owned(),
        format,
        location,
        columns: inferred.columns,
        partition_columns: inferred.partition_columns,
        options,
    };
    let listing = core.files.list(&store, &spec, Duration::ZERO).await?;
    check_files(core, &spec.location, &listing)?;
    let pinned = json!({"files": listing.files.len(), "bytes": listing.bytes});
    let provider = FileTable::new(spec, listing, Arc::clone(&core.files))?;
    Ok((Arc::new(provider), pinned))
}

/// An error about the files at `path`, with why they were read as `format`, where that matters.
fn assumed(error: Error, path: &str, format: Format) -> Error {
    let text = error.to_string();
    if error.kind() != ErrorKind::Data && !text.contains(format.name()) {
        return error;
    }
    Error::new(
        error.kind(),
        format!(
            "{text}; the format was taken to be {format}, since \"{path}\" does not end with the \
             extension of another: write it as in '*.csv', or CREATE EXTERNAL TABLE … STORED AS \
             its format"
        ),
    )
}

/// The files of a table, for `SHOW FILES`.
pub(crate) async fn files(context: &StatementContext, table: &TableDef) -> Result<Vec<FileFacts>> {
    let (spec, listing) = list(context, table).await?;
    let store_url = spec.location.store_url().clone();
    let fact = |file: &FileEntry| {
        let values = spec
            .partition_columns
            .iter()
            .zip(file.partition_values.iter());
        let value = |(name, value): (&String, &datafusion::scalar::ScalarValue)| {
            (name.clone(), (!value.is_null()).then(|| value.to_string()))
        };
        FileFacts {
            path: waterbuck_connectors::files::readable(&store_url, &file.meta.location),
            bytes: file.meta.size,
            last_modified: Some(file.meta.last_modified.to_rfc3339()),
            partition: values.map(value).collect(),
        }
    };
    Ok(listing.files.iter().map(fact).collect())
}

/// Refuses files that are links to somewhere else before anything of them is read: the names of
/// columns and the words of an error may be what stands in a file.
pub(crate) async fn check_found(
    core: &Core,
    store: &Arc<dyn ObjectStore>,
    location: &Location,
) -> Result<()> {
    if !core.places.confines(location) {
        return Ok(());
    }
    let found = find_files(store, location).await?;
    let files = found.iter().map(|file| &file.meta.location);
    core.places.check_files(location, files)
}

fn check_files(core: &Core, location: &Location, listing: &FileListing) -> Result<()> {
    let files = listing.files.iter().map(|file| &file.meta.location);
    core.places.check_files(location, files)
}

async fn list(
    context: &StatementContext,
    table: &TableDef,
) -> Result<(FileTableSpec, Arc<FileListing>)> {
    let core = context.core();
    let name = table.name.to_string();
    match &table.kind {
        TableKind::External(external) => {
            let spec = external_spec(&name, external, &table.columns)?;
            let store = store_of(core, &spec.location).await?;
            let max_age = context.settings.values().max_metadata_age;
            let _whole = core.gate.listing(&spec.location).await;
            let listing = core.files.list(&store, &spec, max_age).await?;
            check_files(core, &spec.location, &listing)?;
            Ok((spec, listing))
        }
        TableKind::Managed(managed) => {
            let spec = managed_spec(&name, managed, &table.columns)?;
            let listing = list_managed(context, table, (managed, &spec)).await?;
            Ok((spec, listing))
        }
        TableKind::View(_) => Err(Error::invalid(format!(
            "\"{name}\" is a view: it has no files"
        ))),
    }
}

/// A managed table's files are those its catalog names; their identity comes from the storage.
async fn list_managed(
    context: &StatementContext,
    table: &TableDef,
    (managed, spec): (&ManagedTable, &FileTableSpec),
) -> Result<Arc<FileListing>> {
    let core = context.core();
    let snapshot = core.catalog.current_snapshot().await?;
    let wanted = core.catalog.data_files(table.id, snapshot).await?;
    if wanted.is_empty() {
        return Ok(Arc::new(listing_of(vec![])));
    }
    let store = store_of(core, &spec.location).await?;
    for max_age in [Duration::from_secs(3600), Duration::ZERO] {
        let there = core.files.list(&store, spec, max_age).await?;
        if let Some(files) = pick(&wanted, &there, (managed, spec)) {
            return Ok(Arc::new(listing_of(files)));
        }
    }
    Err(Error::data(format!(
        "files of table \"{}\" are missing under \"{}\"",
        table.name, spec.location
    )))
}

fn listing_of(files: Vec<FileEntry>) -> FileListing {
    let bytes = files.iter().map(|file| file.meta.size).sum();
    FileListing {
        files: Arc::new(files),
        listed_at: Instant::now(),
        bytes,
    }
}

fn pick(
    wanted: &[DataFile],
    there: &FileListing,
    (managed, spec): (&ManagedTable, &FileTableSpec),
) -> Option<Vec<FileEntry>> {
    let prefix = spec.location.prefix();
    let by_path: HashMap<String, &FileEntry> = there
        .files
        .iter()
        .map(|file| {
            let full = file.meta.location.as_ref();
            let relative = full.strip_prefix(prefix.as_ref()).unwrap_or(full);
            (relative.trim_start_matches('/').to_owned(), file)
        })
        .collect();
    let entry = |file: &DataFile| {
        let relative = file.path.strip_prefix(&managed.path).unwrap_or(&file.path);
        by_path
            .get(relative.trim_start_matches('/'))
            .map(|entry| (*entry).clone())
    };
    wanted.iter().map(entry).collect()
}

fn external_spec(
    name: &str,
    external: &ExternalTable,
    columns: &[ColumnDef],
) -> Result<FileTableSpec> {
    Ok(FileTableSpec {
        name: name.to_owned(),
        format: external.format.parse()?,
        location: parse_location(&external.location)?,
        columns: arrow_schema(columns),
        partition_columns: external.partition_columns.clone(),
        options: external.options.clone(),
    })
}

fn managed_spec(
    name: &str,
    managed: &ManagedTable,
    columns: &[ColumnDef],
) -> Result<FileTableSpec> {
    Ok(FileTableSpec {
        name: name.to_owned(),
        format: Format::Parquet,
        location: parse_location(&managed.path)?,
        columns: arrow_schema(columns),
        partition_columns: managed.partition_columns.clone(),
        options: std::collections::BTreeMap::new(),
    })
}

/// Completes the declaration of an external table: absolute location, inferred columns, partition
/// columns with their types.
pub(crate) async fn describe_external(
    context: &StatementContext,
    name: &str,
    mut external: ExternalTable,
    declared: Vec<ColumnDef>,
    partitions: Vec<(String, Option<ColumnDef>)>,
) -> Result<(ExternalTable, Vec<ColumnDef>)> {
    let core = context.core();
    let format: Format = external.format.parse()?;
    let location = parse_location(&external.location)?;
    external.location = location.to_string();
    if location.is_local() {
        context.admin_only("make tables over this machine's files")?;
    }
    let admin = context.session.is_admin();
    core.places.check(&location, admin)?;
    let store = store_of(core, &location).await?;
    let mut columns = declared;
    let _whole = core.gate.listing(&location).await;
    check_found(core, &store, &location).await?;
    if columns.is_empty() {
        let asked: Vec<(String, Option<DataType>)> = partitions
            .iter()
            .map(|(name, known)| {
                (
                    name.clone(),
                    known.as_ref().map(|known| known.data_type.clone()),
                )
            })
            .collect();
        let asked = (!asked.is_empty()).then_some(asked.as_slice());
        let inferred = core
            .files
            .infer(&store, format, &location, &external.options, asked)
            .await?;
        columns = inferred
            .columns
            .fields()
            .iter()
            .map(|field| {
                let plain = plain_type(field.data_type());
                ColumnDef::new(field.name().as_str(), plain, field.is_nullable())
            })
            .collect();
        external.partition_columns = inferred.partition_columns;
    } else {
        for (name, known) in partitions {
            if !columns.iter().any(|column| column.name == name) {
                let utf8 = || ColumnDef::new(name.as_str(), DataType::Utf8, true);
                columns.push(known.unwrap_or_else(utf8));
            }
            external.partition_columns.push(name);
        }
    }
    let spec = external_spec(name, &external, &columns)?;
    core.files.list(&store, &spec, Duration::ZERO).await?;
    Ok((external, columns))
}

/// The partition columns of a table.
pub(crate) fn partition_columns(table: &TableDef) -> Vec<String> {
    match &table.kind {
        TableKind::External(external) => external.partition_columns.clone(),
        TableKind::Managed(managed) => managed.partition_columns.clone(),
        TableKind::View(_) => vec![],
    }
}

/// Whether rows can be inserted into an external table: its location is a directory, by its name.
pub(crate) fn takes_rows(external: &ExternalTable) -> bool {
    parse_location(&external.location).is_ok_and(|location| is_directory(external, &location))
}

fn is_directory(external: &ExternalTable, location: &Location) -> bool {
    let names_a_file =
        !external.location.ends_with('/') && Format::of_path(&external.location).is_some();
    !names_a_file && location.is_directory_like()
}

/// Where rows inserted into an external table go.
pub(crate) fn external_target(
    context: &StatementContext,
    external: &ExternalTable,
    columns: &[ColumnDef],
) -> Result<WriteTarget> {
    let location = parse_location(&external.location)?;
    if location.is_local() {
        context.admin_only("write to this machine's files")?;
    }
    if !is_directory(external, &location) {
        return Err(Error::invalid(format!(
            "rows cannot be added: the location \"{location}\" is a file or a pattern, not a directory"
        )));
    }
    let fields = columns
        .iter()
        .map(|column| Field::new(&column.name, column.data_type.clone(), column.nullable));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let mut target = WriteTarget::new(location.to_string(), external.format.parse()?, schema);
    target
        .partition_columns
        .clone_from(&external.partition_columns);
    target.options.clone_from(&external.options);
    Ok(target)
}

/// Where a `COPY` goes: a directory, and the name of the file when it is one file.
pub(crate) fn copy_location(copy: &CopyTo, format: Format) -> Result<(String, Option<String>)> {
    let location = parse_location(&copy.target)?;
    let text = location.to_string();
    let names_a_file = copy.partitioned_by.is_empty()
        && !copy.target.ends_with('/')
        && Format::of_path(&copy.target) == Some(format);
    if !names_a_file {
        if !location.is_directory_like() {
            return Err(Error::invalid(format!(
                "\"{location}\" is a pattern: rows are copied to a file or a directory"
            )));
        }
        let slash = if text.ends_with('/') { "" } else { "/" };
        return Ok((format!("{text}{slash}"), None));
    }
    let (directory, _) = text.rsplit_once('/').unwrap_or(("", &text));
    let prefix = location.prefix();
    let name = prefix.filename().unwrap_or_default().to_owned();
    Ok((format!("{directory}/"), Some(name)))
}

/// Written files as the catalog takes them.
pub(crate) fn new_data_files(files: Vec<WrittenFile>) -> Vec<NewDataFile> {
    files
        .into_iter()
        .map(|file| NewDataFile {
            path: file.path,
            row_count: file.rows,
            bytes: file.bytes,
            footer_bytes: file.footer_bytes,
            partition_values: file.partition_values,
            column_stats: file
                .column_stats
                .into_iter()
                .filter_map(|column| {
                    Some(FileColumnStats {
                        column: column.column,
                        value_count: column.value_count,
                        null_count: column.null_count?,
                        min: column.min,
                        max: column.max,
                        contains_nan: column.contains_nan,
                        bytes: column.bytes,
                    })
                })
                .collect(),
        })
        .collect()
}

/// Removes the files of a dropped managed table; an external table's belong to somebody else.
pub(crate) async fn remove_data(context: &StatementContext, table: &TableDef) {
    let TableKind::Managed(managed) = &table.kind else {
        return;
    };
    let removed = async {
        let store = store(context.core(), &managed.path).await?;
        let location = parse_location(&managed.path)?;
        waterbuck_connectors::files::remove_directory(&store, &location).await
    };
    if let Err(error) = removed.await {
        tracing::warn!(table = %table.name, %error, "files of a dropped table were left behind");
    }
}
