//! One change of the catalog: one transaction, one snapshot.

use std::sync::Arc;

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use serde_json::json;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Sqlite, Transaction};
use waterbuck_engine::Error;

use super::database::Database;
use super::fault::Outcome;

/// Fixed width, so that texts sort as times.
const TIME_FORMAT: &str = "%Y-%m-%d %H:%M:%S%.6f+00";

const AUTHOR: &str = "waterbuck";

/// A change in the making. Dropped before [`Commit::finish`], it leaves nothing.
pub(super) struct Commit {
    transaction: Transaction<'static, Sqlite>,
    data_path: Arc<str>,
    head: Head,
    changes: Vec<String>,
    own_changes: Vec<String>,
    schema_changed: bool,
    altered_tables: Vec<i64>,
}

/// The newest snapshot, and the ids that come after it.
#[derive(Debug, Clone)]
struct Head {
    snapshot_id: i64,
    snapshot_time: String,
    schema_version: i64,
    next_catalog_id: i64,
    next_file_id: i64,
}

impl Commit {
    /// Takes the catalog's write lock and reads the newest snapshot.
    pub(super) async fn begin(database: &Database) -> Outcome<Self> {
        let mut transaction = database.write().await?;
        let head = sqlx::query_as::<_, (i64, String, i64, i64, i64)>(
            "SELECT snapshot_id, snapshot_time, schema_version, next_catalog_id, next_file_id
             FROM ducklake_snapshot ORDER BY snapshot_id DESC LIMIT 1",
        )
        .fetch_optional(&mut *transaction)
        .await?
        .ok_or_else(|| Error::data("the catalog has no snapshot"))?;
        let (snapshot_id, snapshot_time, schema_version, next_catalog_id, next_file_id) = head;
        let head = Head {
            snapshot_id,
            snapshot_time,
            schema_version,
            next_catalog_id,
            next_file_id,
        };
        Ok(Self {
            transaction,
            data_path: database.data_path(),
            head,
            changes: Vec::new(),
            own_changes: Vec::new(),
            schema_changed: false,
            altered_tables: Vec::new(),
        })
    }

    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.transaction
    }

    /// Where data lies, as in [`Database::data_path`].
    pub(super) fn data_path(&self) -> Arc<str> {
        Arc::clone(&self.data_path)
    }

    /// The snapshot before this change.
    pub(super) fn head(&self) -> i64 {
        self.head.snapshot_id
    }

    /// The snapshot that this change makes.
    pub(super) fn snapshot(&self) -> i64 {
        self.head.snapshot_id + 1
    }

    /// A new id of a schema, table, view or partitioning.
    pub(super) fn next_catalog_id(&mut self) -> i64 {
        self.head.next_catalog_id += 1;
        self.head.next_catalog_id - 1
    }

    /// A new id of a file or a name mapping.
    pub(super) fn next_file_id(&mut self) -> i64 {
        self.head.next_file_id += 1;
        self.head.next_file_id - 1
    }

    /// Notes a change of data, in the specification's words.
    pub(super) fn changed_data(&mut self, change: String) {
        self.changes.push(change);
    }

    /// Notes a change of a definition, in the specification's words.
    pub(super) fn changed_definition(&mut self, change: String) {
        self.changes.push(change);
        self.schema_changed = true;
    }

    /// Notes that a managed table's own schema begins or changes with this snapshot.
    pub(super) fn altered_table(&mut self, table_id: i64) {
        self.altered_tables.push(table_id);
    }

    /// Notes a change for which the specification has no words. Other readers refuse words they do
    /// not know, so it stands in the extra information.
    pub(super) fn changed_own(&mut self, change: String) {
        self.own_changes.push(change);
        self.schema_changed = true;
    }

    /// Adds the snapshot and commits; returns its id.
    pub(super) async fn finish(mut self) -> Outcome<i64> {
        let snapshot = self.snapshot();
        let schema_version = self.head.schema_version + i64::from(self.schema_changed);
        sqlx::query("INSERT INTO ducklake_snapshot VALUES (?, ?, ?, ?, ?)")
            .bind(snapshot)
            .bind(time_after(&self.head.snapshot_time, Utc::now()))
            .bind(schema_version)
            .bind(self.head.next_catalog_id)
            .bind(self.head.next_file_id)
            .execute(&mut *self.transaction)
            .await?;
        let own = match self.own_changes.as_slice() {
            [] => None,
            changes => Some(json!({ "waterbuck": changes }).to_string()),
        };
        sqlx::query("INSERT INTO ducklake_snapshot_changes VALUES (?, ?, ?, NULL, ?)")
            .bind(snapshot)
            .bind(self.changes.join(","))
            .bind(AUTHOR)
            .bind(own)
            .execute(&mut *self.transaction)
            .await?;
        for table_id in self.altered_tables {
            sqlx::query("INSERT INTO ducklake_schema_versions VALUES (?, ?, ?)")
                .bind(snapshot)
                .bind(schema_version)
                .bind(table_id)
                .execute(&mut *self.transaction)
                .await?;
        }
        self.transaction.commit().await?;
        Ok(snapshot)
    }
}

/// A time as the specification writes it.
pub(super) fn time_text(time: DateTime<Utc>) -> String {
    time.format(TIME_FORMAT).to_string()
}

/// `now`, or just after the previous snapshot when the clock has gone back: times must order
/// snapshots as their ids do.
fn time_after(previous: &str, now: DateTime<Utc>) -> String {
    let text = time_text(now);
    if text.as_str() > previous {
        return text;
    }
    match parse_time(previous) {
        Some(previous) => time_text(previous.to_utc() + TimeDelta::microseconds(1)),
        None => text,
    }
}

/// The time behind what [`time_text`] wrote.
pub(super) fn parse_time(text: &str) -> Option<DateTime<FixedOffset>> {
    DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%#z").ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_never_go_back() {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let text = time_text(now);
        assert_eq!(text, "2023-11-14 22:13:20.000000+00");
        assert_eq!(time_after("2020-01-01 00:00:00.000000+00", now), text);
        assert_eq!(time_after(&text, now), "2023-11-14 22:13:20.000001+00");
    }
}
