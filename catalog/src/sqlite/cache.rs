//! Definitions by name, remembered for as long as nobody has changed one.
//!
//! SQLite tells one connection through `PRAGMA data_version` whether any *other* connection, of
//! this process or another, has committed since it was last asked. The watching connection writes
//! nothing, so it hears of every commit. A commit of data alone leaves the schema version as it
//! was, and with it the entries.
//!
//! An entry is never older than the state that [`NameCache::observe`] saw: it is loaded after the
//! observation and stored only if no other observation came between.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use sqlx::sqlite::SqliteConnection;

use super::database::Database;
use super::fault::Outcome;
use crate::model::{TableDef, TableName};

/// Names that do not exist are remembered too, and there is no end of those.
const ENTRIES_MAX: usize = 20_000;

/// The cache of one store.
#[derive(Debug)]
pub(super) struct NameCache {
    watch: tokio::sync::Mutex<Watch>,
    entries: Mutex<Entries>,
}

#[derive(Debug)]
struct Watch {
    connection: SqliteConnection,
    data_version: Option<i64>,
    schema_version: Option<i64>,
    /// How often somebody was seen to have committed.
    commits: u64,
}

#[derive(Debug, Default)]
struct Entries {
    generation: u64,
    by_name: HashMap<TableName, Option<Arc<TableDef>>>,
}

/// The state of the catalog's names that an observation saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Generation(u64);

impl NameCache {
    pub(super) async fn new(database: &Database) -> Outcome<Self> {
        let connection = database.connect().await?;
        let watch = Watch {
            connection,
            data_version: None,
            schema_version: None,
            commits: 0,
        };
        Ok(Self {
            watch: tokio::sync::Mutex::new(watch),
            entries: Mutex::default(),
        })
    }

    /// Asks whether names have changed and forgets them if so.
    pub(super) async fn observe(&self) -> Outcome<Generation> {
        // Held across the queries: two observations must not overtake each other.
        let mut watch = self.watch.lock().await;
        let data_version: i64 = sqlx::query_scalar("PRAGMA data_version")
            .fetch_one(&mut watch.connection)
            .await?;
        if watch.data_version != Some(data_version) {
            let schema_version: i64 = sqlx::query_scalar(
                "SELECT schema_version FROM ducklake_snapshot ORDER BY snapshot_id DESC LIMIT 1",
            )
            .fetch_one(&mut watch.connection)
            .await?;
            if watch.schema_version != Some(schema_version) {
                let mut entries = self.entries.lock();
                entries.generation += 1;
                entries.by_name.clear();
            }
            watch.schema_version = Some(schema_version);
            watch.data_version = Some(data_version);
            watch.commits += 1;
        }
        Ok(Generation(self.entries.lock().generation))
    }

    /// Asks whether anybody has committed anything, and counts what it hears of.
    pub(super) async fn commits(&self) -> Outcome<u64> {
        self.observe().await?;
        Ok(self.watch.lock().await.commits)
    }

    /// What is remembered of a name: nothing, that it does not exist, or its definition.
    pub(super) fn get(&self, name: &TableName, seen: Generation) -> Option<Option<Arc<TableDef>>> {
        let entries = self.entries.lock();
        if entries.generation != seen.0 {
            return None;
        }
        entries.by_name.get(name).cloned()
    }

    /// Remembers what was loaded after the observation `seen`.
    pub(super) fn put(
        &self,
        name: &TableName,
        definition: Option<Arc<TableDef>>,
        seen: Generation,
    ) {
        let mut entries = self.entries.lock();
        if entries.generation != seen.0 {
            return;
        }
        if entries.by_name.len() >= ENTRIES_MAX {
            entries.by_name.clear();
        }
        entries.by_name.insert(name.clone(), definition);
    }
}
