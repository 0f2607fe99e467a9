//! Opening a catalog file: making it when absent, refusing what is not ours to write.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;
use tracing::{info, warn};
use uuid::Uuid;
use waterbuck_engine::{Error, ErrorKind, Result};

use super::commit::time_text;
use super::database::Database;
use super::ddl::{
    FIRST_GRANTS, INDEXES, LAKE_TABLES, LAKE_VERSION, LOGIN_TABLES, MEMBER_TABLES, RIGHTS_TABLES,
    WB_TABLES, WB_VERSION,
};
use super::fault::{Fault, Outcome};
use super::secrets;
use super::store::SqliteCatalog;
use super::upgrade::upgrade;
use crate::location::directory;
use crate::store::CatalogStore;
use crate::{DEFAULT_SCHEMA, location};

const CREATED_BY: &str = "Waterbuck";

pub(super) const WB_VERSION_KEY: &str = "catalog.layout_version";

/// Several processes that start together meet at the file's very first write, where SQLite does not
/// always wait.
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(100);

/// Opens the catalog in the file `path` and makes it when it is absent.
///
/// `data_path` is the directory or URL below which managed tables keep their data. Where it differs
/// from the last time, the data directory counts as moved and tables below it move with it.
///
/// The file is in the DuckLake 1.0 layout, which other engines may attach read-only. A file of
/// another version, or one that Waterbuck has not made, is refused.
///
/// A killed process, or a power cut, leaves whole transactions only; nothing has to be repaired.
pub async fn open_sqlite(path: &Path, data_path: &str) -> Result<Arc<dyn CatalogStore>> {
    let data_path = directory(data_path)?;
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(|e| {
            Error::unavailable(format!(
                "the directory \"{}\" cannot be made",
                parent.display()
            ))
            .with_source(e)
        })?;
    }
    keep_private(path)?;
    let mut attempt = 1;
    loop {
        match open(path, &data_path).await {
            Err(fault) if fault.is_busy() && attempt < ATTEMPTS => {
                attempt += 1;
                tokio::time::sleep(PAUSE).await;
            }
            Err(fault) => return Err(fault.into_error(path)),
            Ok(catalog) => return Ok(Arc::new(catalog)),
        }
    }
}

/// The catalog holds secrets and password hashes: a new file is its owner's alone.
fn keep_private(path: &Path) -> Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let opened = options.open(path);
    opened.map_err(|e| {
        Error::unavailable(format!(
            "the catalog \"{}\" cannot be opened",
            path.display()
        ))
        .with_source(e)
    })?;
    Ok(())
}

async fn open(path: &Path, data_path: &str) -> Outcome<SqliteCatalog> {
    let database = Database::open(path, data_path).await?;
    let mut transaction = database.write().await?;
    match state(&mut transaction).await? {
        State::Empty => {
            create(&mut transaction, data_path).await?;
            info!(path = %path.display(), data_path, "catalog created");
        }
        State::Catalog => check(&mut transaction, path, data_path).await?,
        State::Foreign => {
            let path = path.display();
            let message = format!("\"{path}\" is a SQLite file but not a Waterbuck catalog");
            return Err(Error::data(message).into());
        }
    }
    secrets::settle(&mut transaction, database.cipher()).await?;
    transaction.commit().await?;
    SqliteCatalog::new(database).await
}

enum State {
    Empty,
    Catalog,
    Foreign,
}

async fn state(connection: &mut SqliteConnection) -> Outcome<State> {
    let row = sqlx::query(
        "SELECT count(*), coalesce(sum(name = 'ducklake_metadata'), 0) FROM sqlite_master
         WHERE type = 'table'",
    )
    .fetch_one(connection)
    .await?;
    Ok(
        match (row.try_get::<i64, _>(0)?, row.try_get::<i64, _>(1)?) {
            (0, _) => State::Empty,
            (_, 0) => State::Foreign,
            _ => State::Catalog,
        },
    )
}

/// The tables, and snapshot 0 with the schema `main`, as DuckDB makes them.
async fn create(connection: &mut SqliteConnection, data_path: &str) -> Outcome<()> {
    for script in [
        LAKE_TABLES,
        WB_TABLES,
        LOGIN_TABLES,
        RIGHTS_TABLES,
        MEMBER_TABLES,
        FIRST_GRANTS,
        INDEXES,
    ] {
        sqlx::raw_sql(script).execute(&mut *connection).await?;
    }
    let created_by = format!("{CREATED_BY} {}", env!("CARGO_PKG_VERSION"));
    for (key, value) in [
        ("version", LAKE_VERSION),
        ("created_by", created_by.as_str()),
        ("data_path", data_path),
        ("encrypted", "false"),
    ] {
        sqlx::query("INSERT INTO ducklake_metadata VALUES (?, ?, NULL, NULL)")
            .bind(key)
            .bind(value)
            .execute(&mut *connection)
            .await?;
    }
    sqlx::query("INSERT INTO ducklake_snapshot VALUES (0, ?, 0, 1, 0)")
        .bind(time_text(Utc::now()))
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "INSERT INTO ducklake_snapshot_changes
         VALUES (0, 'created_schema:\"main\"', 'waterbuck', NULL, NULL)",
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query("INSERT INTO ducklake_schema VALUES (0, ?, 0, NULL, ?, ?, 1)")
        .bind(Uuid::now_v7().to_string())
        .bind(DEFAULT_SCHEMA)
        .bind(location::schema_directory(DEFAULT_SCHEMA, 0))
        .execute(&mut *connection)
        .await?;
    sqlx::query("INSERT INTO wb_setting VALUES (?, ?)")
        .bind(WB_VERSION_KEY)
        .bind(WB_VERSION)
        .execute(connection)
        .await?;
    Ok(())
}

/// Refuses catalogs that this version would misread, and follows a moved data directory.
async fn check(connection: &mut SqliteConnection, path: &Path, data_path: &str) -> Outcome<()> {
    let shown = path.display();
    let refuse = |message: String| Fault::from(Error::new(ErrorKind::Unsupported, message));
    let version = metadata(connection, "version").await?;
    if version.as_deref() != Some(LAKE_VERSION) {
        let version = version.unwrap_or_default();
        return Err(refuse(format!(
            "the catalog \"{shown}\" is in the DuckLake layout \"{version}\", and this version \
             reads and writes {LAKE_VERSION} only"
        )));
    }
    let made_by = metadata(connection, "created_by")
        .await?
        .unwrap_or_default();
    if !made_by.starts_with(CREATED_BY) {
        return Err(refuse(format!(
            "the catalog \"{shown}\" was made by \"{made_by}\"; Waterbuck opens only its own"
        )));
    }
    if metadata(connection, "encrypted").await?.as_deref() == Some("true") {
        return Err(refuse(format!(
            "the catalog \"{shown}\" is for encrypted files"
        )));
    }
    let layout: Option<String> = sqlx::query_scalar("SELECT value FROM wb_setting WHERE key = ?")
        .bind(WB_VERSION_KEY)
        .fetch_optional(&mut *connection)
        .await?;
    let layout = layout.unwrap_or_default();
    if layout != WB_VERSION {
        if !upgrade(connection, &layout).await? {
            return Err(refuse(format!(
                "the catalog \"{shown}\" is in Waterbuck's layout \"{layout}\", and this version \
                 reads and writes {WB_VERSION} only"
            )));
        }
        warn!(
            path = %shown,
            "catalog upgraded: its users keep all privileges through the role \"public\"; REVOKE what \
             they should not have"
        );
    }
    let previous = metadata(connection, "data_path").await?.unwrap_or_default();
    if previous != data_path {
        warn!(
            from = previous,
            to = data_path,
            "the data directory has moved"
        );
        sqlx::query("UPDATE ducklake_metadata SET value = ? WHERE key = 'data_path'")
            .bind(data_path)
            .execute(connection)
            .await?;
    }
    Ok(())
}

async fn metadata(connection: &mut SqliteConnection, key: &str) -> Outcome<Option<String>> {
    let value = sqlx::query_scalar(
        "SELECT value FROM ducklake_metadata WHERE key = ? AND scope IS NULL LIMIT 1",
    );
    Ok(value.bind(key).fetch_optional(connection).await?)
}
