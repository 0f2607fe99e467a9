//! Row filters and column masks in `wb_policy`: a row for each whom one binds.

use sqlx::sqlite::SqliteConnection;
use waterbuck_engine::sql::PolicyKind;
use waterbuck_engine::{Error, ErrorKind};

use super::grantees::{check, from_row};
use super::grants::column_names;
use super::owners::objects;
use crate::missing::{missing_column, missing_named};
use crate::model::TableName;
use crate::rights::{Policy, Securable, rival_mask};
use crate::sqlite::database::Database;
use crate::sqlite::fault::Outcome;

/// As the table names the kinds.
const FILTER: &str = "filter";
const MASK: &str = "mask";

/// A row of the table.
pub(super) type Row = (i64, String, String, String, String, String, String);

/// The policies of one table.
pub(super) async fn of_table(
    connection: &mut SqliteConnection,
    table_id: i64,
) -> Outcome<Vec<Policy>> {
    let rows = sqlx::query_as::<_, Row>(
        "SELECT table_id, kind, name, column_name, expression, grantee_kind, grantee
         FROM wb_policy WHERE table_id = ?
         ORDER BY table_id, kind, name, grantee_kind DESC, grantee",
    );
    let rows = rows.bind(table_id).fetch_all(connection).await?;
    Ok(policies(rows))
}

/// The policies in rows that are ordered by table, kind and name.
pub(super) fn policies(rows: Vec<Row>) -> Vec<Policy> {
    let mut policies: Vec<Policy> = Vec::new();
    for (table_id, kind, name, column, expression, grantee_kind, grantee) in rows {
        let grantee = from_row(&grantee_kind, grantee);
        let kind = match kind.as_str() {
            FILTER => PolicyKind::RowFilter,
            _ => PolicyKind::ColumnMask { column },
        };
        match policies.last_mut() {
            Some(last) if last.table_id == table_id && last.kind == kind && last.name == name => {
                last.grantees.push(grantee);
            }
            _ => policies.push(Policy {
                table_id,
                name,
                kind,
                expression,
                grantees: vec![grantee],
            }),
        }
    }
    policies
}

/// Adds a policy.
pub(super) async fn create(database: &Database, policy: &Policy) -> Outcome<()> {
    let mut write = database.write().await?;
    let noun = policy.kind.noun();
    let name = table_name(&mut write, policy.table_id).await?;
    for grantee in &policy.grantees {
        check(&mut write, grantee).await?;
    }
    let existing = of_table(&mut write, policy.table_id).await?;
    let taken = |other: &Policy| other.name == policy.name && other.kind.noun() == noun;
    if existing.iter().any(taken) {
        return Err(Error::already_exists(format!(
            "{noun} \"{}\" already exists on table \"{name}\"",
            policy.name
        ))
        .into());
    }
    let (kind, column) = match &policy.kind {
        PolicyKind::RowFilter => (FILTER, ""),
        PolicyKind::ColumnMask { column } => {
            let columns = column_names(&mut write, policy.table_id).await?;
            if !columns.contains(column) {
                return Err(missing_column(column, &name, columns).into());
            }
            (MASK, column.as_str())
        }
    };
    if let Some(rival) = rival_mask(&existing, policy) {
        return Err(Error::invalid(format!(
            "column mask \"{}\" of column \"{column}\" of \"{name}\" may bind the same user as closely \
             as \"{}\": a column has one mask for everybody, one for roles and one for each user",
            policy.name, rival.name
        ))
        .into());
    }
    for grantee in &policy.grantees {
        sqlx::query("INSERT INTO wb_policy VALUES (?, ?, ?, ?, ?, ?, ?)")
            .bind(policy.table_id)
            .bind(kind)
            .bind(&policy.name)
            .bind(column)
            .bind(&policy.expression)
            .bind(grantee.noun())
            .bind(grantee.name())
            .execute(&mut *write)
            .await?;
    }
    Ok(write.commit().await?)
}

/// Removes a policy; false when it is absent and may be.
pub(super) async fn remove(
    database: &Database,
    table_id: i64,
    name: &str,
    mask: bool,
    if_exists: bool,
) -> Outcome<bool> {
    let kind = if mask { MASK } else { FILTER };
    let mut write = database.write().await?;
    let removed = sqlx::query("DELETE FROM wb_policy WHERE table_id = ? AND kind = ? AND name = ?")
        .bind(table_id)
        .bind(kind)
        .bind(name)
        .execute(&mut *write)
        .await?
        .rows_affected();
    if removed == 0 && !if_exists {
        let noun = if mask { "column mask" } else { "row filter" };
        let names = sqlx::query_scalar(
            "SELECT DISTINCT name FROM wb_policy WHERE table_id = ? AND kind = ?",
        );
        let names: Vec<String> = names
            .bind(table_id)
            .bind(kind)
            .fetch_all(&mut *write)
            .await?;
        return Err(missing_named(noun, name, names).into());
    }
    write.commit().await?;
    Ok(removed > 0)
}

/// The name of a live table.
async fn table_name(connection: &mut SqliteConnection, id: i64) -> Outcome<TableName> {
    match objects(connection).await?.remove(&id) {
        Some(Securable::Relation {
            name, view: false, ..
        }) => Ok(name),
        Some(other) => Err(Error::invalid(format!(
            "{other} takes no row filters and column masks: put them on the tables it reads"
        ))
        .into()),
        None => Err(Error::new(
            ErrorKind::Conflict,
            "the table was dropped by another session; try again",
        )
        .into()),
    }
}
