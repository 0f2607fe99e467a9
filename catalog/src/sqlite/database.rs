//! The connections to a catalog file.
//!
//! Readers run side by side; within this process writers queue for one connection, so that only
//! other processes are met at SQLite's lock.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{Connection, Sqlite, Transaction};

use super::cipher::Cipher;
use super::fault::Outcome;

/// How long a statement waits for another process's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a statement waits for its turn among this process's statements.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(30);

const READERS_MAX: u32 = 8;

/// A catalog file with its connections.
#[derive(Debug, Clone)]
pub(super) struct Database {
    path: PathBuf,
    data_path: Arc<str>,
    options: SqliteConnectOptions,
    readers: SqlitePool,
    writer: SqlitePool,
    cipher: Arc<Cipher>,
}

impl Database {
    /// Opens the file and creates it when absent. `synchronous=FULL` makes a commit durable when it
    /// returns; after a kill or a power cut SQLite's log has whole transactions only.
    pub(super) async fn open(path: &Path, data_path: &str) -> Outcome<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(false)
            .busy_timeout(BUSY_TIMEOUT);
        let pool = || {
            SqlitePoolOptions::new()
                .acquire_timeout(QUEUE_TIMEOUT)
                .idle_timeout(None)
                .max_lifetime(None)
        };
        let writer = pool()
            .max_connections(1)
            .connect_with(options.clone())
            .await?;
        let readers = pool()
            .max_connections(READERS_MAX)
            .connect_with(options.clone())
            .await?;
        Ok(Self {
            path: path.to_owned(),
            data_path: data_path.into(),
            options,
            readers,
            writer,
            cipher: Arc::new(Cipher::beside(path)?),
        })
    }

    /// What seals the secrets in the file.
    pub(super) fn cipher(&self) -> &Cipher {
        &self.cipher
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The directory or URL of all data, with its slash.
    pub(super) fn data_path(&self) -> Arc<str> {
        Arc::clone(&self.data_path)
    }

    /// A transaction for reading: all its statements see one state.
    pub(super) async fn read(&self) -> Outcome<Transaction<'static, Sqlite>> {
        Ok(self.readers.begin().await?)
    }

    /// A transaction for writing. It holds the lock from the start, so that nothing it has read can
    /// change before it commits; dropping it rolls back.
    pub(super) async fn write(&self) -> Outcome<Transaction<'static, Sqlite>> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// A connection of one's own, outside the pools.
    pub(super) async fn connect(&self) -> Outcome<SqliteConnection> {
        Ok(SqliteConnection::connect_with(&self.options).await?)
    }
}
