//! Many rows in one statement: a statement costs a trip to SQLite's thread, a row next to nothing.

use sqlx::query_builder::Separated;
use sqlx::sqlite::SqliteConnection;
use sqlx::{QueryBuilder, Sqlite};

use super::fault::Outcome;

/// Rows of at most sixteen columns stay below SQLite's 32,766 parameters.
const ROWS_MAX: usize = 1000;

/// The values of one row, pushed in the order of the table's columns.
pub(super) type RowValues<'a> = Separated<'a, Sqlite, &'static str>;

/// Inserts `rows` into `table`; `push` gives a value for every column.
pub(super) async fn insert_rows<T: Sync>(
    connection: &mut SqliteConnection,
    table: &'static str,
    rows: &[T],
    push: impl Fn(RowValues<'_>, &T) + Send,
) -> Outcome<()> {
    for chunk in rows.chunks(ROWS_MAX) {
        let mut sql = QueryBuilder::<Sqlite>::new("INSERT INTO ");
        sql.push(table).push(" ");
        sql.push_values(chunk, &push);
        sql.build()
            .persistent(false)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Ends the live rows of the files `ids` in `table`.
pub(super) async fn end_files(
    connection: &mut SqliteConnection,
    table: &'static str,
    snapshot: i64,
    ids: &[i64],
) -> Outcome<()> {
    for chunk in ids.chunks(ROWS_MAX) {
        let mut sql = QueryBuilder::<Sqlite>::new("UPDATE ");
        sql.push(table)
            .push(" SET end_snapshot = ")
            .push_bind(snapshot);
        sql.push(" WHERE end_snapshot IS NULL AND data_file_id IN (");
        let mut list = sql.separated(", ");
        for id in chunk {
            list.push_bind(*id);
        }
        list.push_unseparated(")");
        sql.build()
            .persistent(false)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}
