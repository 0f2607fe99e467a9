//! Grants of privileges in `wb_grant`.

use std::collections::HashMap;

use sqlx::Sqlite;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use waterbuck_engine::Error;
use waterbuck_engine::sql::{Grantee, Privilege};

use super::grantees::{check, from_row};
use super::owners::{check_live, objects};
use crate::missing::missing_column;
use crate::rights::{GrantChange, GrantTarget, Granted, Securable};
use crate::sqlite::database::Database;
use crate::sqlite::fault::Outcome;
use crate::sqlite::lookup::{check_same, live_schema, missing_schema};

/// Where there is no id.
const NO_ID: i64 = -1;

/// An object as its row names it.
#[derive(Clone, Copy)]
struct Place<'a> {
    kind: &'static str,
    id: i64,
    name: &'a str,
}

/// What makes a row one of its own: who has which privilege on what.
struct Key<'a> {
    grantee: &'a Grantee,
    target: &'a GrantTarget,
    place: Place<'a>,
}

impl Key<'_> {
    /// `sql`, whose first seven parameters are the key.
    fn query(&self, sql: &'static str) -> Query<'static, Sqlite, SqliteArguments> {
        sqlx::query(sql)
            .bind(self.grantee.noun())
            .bind(self.grantee.name())
            .bind(self.target.privilege.as_str())
            .bind(self.place.kind)
            .bind(self.place.id)
            .bind(self.place.name)
            .bind(self.target.column.as_deref().unwrap_or_default())
    }
}

/// A row as it is stored.
pub(super) type Row = (
    String,
    String,
    String,
    String,
    i64,
    String,
    String,
    bool,
    String,
);

/// All grants.
pub(super) async fn all(connection: &mut SqliteConnection) -> Outcome<Vec<Granted>> {
    let objects = objects(connection).await?;
    let rows = sqlx::query_as::<_, Row>("SELECT * FROM wb_grant")
        .fetch_all(connection)
        .await?;
    let mut grants = rows
        .into_iter()
        .filter_map(|row| granted(row, |_, id| objects.get(&id).cloned()).transpose())
        .collect::<Result<Vec<_>, _>>()?;
    grants.sort_by(|a, b| {
        (&a.target.object, &a.grantee, &a.target).cmp(&(&b.target.object, &b.grantee, &b.target))
    });
    Ok(grants)
}

/// The grant in a row; `object` gives the schema or relation of an id, or nothing when it is gone.
pub(super) fn granted(
    row: Row,
    object: impl FnOnce(&str, i64) -> Option<Securable>,
) -> Result<Option<Granted>, Error> {
    let (grantee_kind, grantee, privilege, kind, id, name, column, grantable, granted_by) = row;
    let Some(privilege) = Privilege::parse(&privilege) else {
        return Err(Error::data(format!(
            "the catalog holds a grant of the unknown privilege \"{privilege}\""
        )));
    };
    let object = match kind.as_str() {
        "catalog" => Some(Securable::Catalog),
        "function" => Some(Securable::Function(name)),
        "setting" => Some(Securable::Setting(name)),
        kind => object(kind, id),
    };
    Ok(object.map(|object| Granted {
        grantee: from_row(&grantee_kind, grantee),
        target: GrantTarget {
            privilege,
            object,
            column: Some(column).filter(|column| !column.is_empty()),
        },
        grantable,
        granted_by,
    }))
}

/// Gives privileges.
pub(super) async fn grant(database: &Database, change: &GrantChange) -> Outcome<()> {
    const SQL: &str = "INSERT INTO wb_grant VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (grantee_kind, grantee, privilege, object_kind, object_id, object_name,
          column_name)
        DO UPDATE SET grantable = max(grantable, excluded.grantable),
          granted_by = excluded.granted_by";
    let mut write = database.write().await?;
    for key in keys(&mut write, change).await? {
        let row = key.query(SQL).bind(change.option).bind(&change.by);
        row.execute(&mut *write).await?;
    }
    Ok(write.commit().await?)
}

/// Takes privileges away, or the right to give them on.
pub(super) async fn revoke(database: &Database, change: &GrantChange) -> Outcome<()> {
    let sql = if change.option {
        "UPDATE wb_grant SET grantable = 0
         WHERE grantee_kind = ?1 AND grantee = ?2 AND privilege = ?3 AND object_kind = ?4
           AND object_id = ?5 AND object_name = ?6 AND (?7 = '' OR column_name = ?7)"
    } else {
        "DELETE FROM wb_grant
         WHERE grantee_kind = ?1 AND grantee = ?2 AND privilege = ?3 AND object_kind = ?4
           AND object_id = ?5 AND object_name = ?6 AND (?7 = '' OR column_name = ?7)"
    };
    let mut write = database.write().await?;
    for key in keys(&mut write, change).await? {
        key.query(sql).execute(&mut *write).await?;
    }
    Ok(write.commit().await?)
}

/// The rows that a change is about; fails unless all it names is there.
async fn keys<'a>(
    connection: &mut SqliteConnection,
    change: &'a GrantChange,
) -> Outcome<Vec<Key<'a>>> {
    for grantee in &change.grantees {
        check(connection, grantee).await?;
    }
    let mut columns = HashMap::new();
    let mut keys = Vec::new();
    for target in &change.targets {
        let place = place(connection, &target.object, change.schema_id).await?;
        check_column(connection, target, &mut columns).await?;
        keys.extend(change.grantees.iter().map(|grantee| Key {
            grantee,
            target,
            place,
        }));
    }
    Ok(keys)
}

async fn place<'a>(
    connection: &mut SqliteConnection,
    object: &'a Securable,
    schema_id: Option<i64>,
) -> Outcome<Place<'a>> {
    let (kind, id, name) = match object {
        Securable::Catalog => ("catalog", NO_ID, ""),
        Securable::Function(name) => ("function", NO_ID, name.as_str()),
        Securable::Setting(name) => ("setting", NO_ID, name.as_str()),
        Securable::Schema(name) => match live_schema(connection, "", name).await? {
            Some((id, _)) => {
                check_same(name, id, schema_id)?;
                ("schema", id, "")
            }
            None => return Err(missing_schema(connection, name).await?.into()),
        },
        Securable::Relation { id, .. } => {
            check_live(connection, object, *id).await?;
            ("relation", *id, "")
        }
    };
    Ok(Place { kind, id, name })
}

/// Fails unless the column is there; `known` keeps the columns of the relations asked about.
async fn check_column(
    connection: &mut SqliteConnection,
    target: &GrantTarget,
    known: &mut HashMap<i64, Vec<String>>,
) -> Outcome<()> {
    let (Some(column), Securable::Relation { id, name, .. }) = (&target.column, &target.object)
    else {
        return Ok(());
    };
    let columns = match known.get(id) {
        Some(columns) => columns.clone(),
        None => {
            let columns = column_names(connection, *id).await?;
            known.insert(*id, columns.clone());
            columns
        }
    };
    if columns.contains(column) {
        return Ok(());
    }
    Err(missing_column(column, name, columns).into())
}

/// The columns of a relation.
pub(super) async fn column_names(
    connection: &mut SqliteConnection,
    id: i64,
) -> Outcome<Vec<String>> {
    let names = sqlx::query_scalar(
        "SELECT column_name FROM ducklake_column
         WHERE table_id = ?1 AND end_snapshot IS NULL AND parent_column IS NULL
         UNION ALL
         SELECT column_name FROM wb_external_column WHERE table_id = ?1 AND end_snapshot IS NULL
         UNION ALL
         SELECT column_name FROM wb_view_column WHERE table_id = ?1 AND end_snapshot IS NULL",
    );
    Ok(names.bind(id).fetch_all(connection).await?)
}
