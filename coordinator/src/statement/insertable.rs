//! Which columns an `INSERT` may fill.

use datafusion::logical_expr::Expr;
use waterbuck_catalog::{ColumnDef, Rights, Securable, TableDef};
use waterbuck_engine::sql::{Insert, Privilege};
use waterbuck_engine::{Error, Result};

use super::rights::denied;
use crate::names::did_you_mean;
use crate::visible::lacking;

/// Fails unless the user may fill the columns that a statement names; all of them where it names none.
/// Taking rows away, as OVERWRITE does, takes DELETE besides.
///
/// # Errors
/// `PermissionDenied` naming the privilege; `NotFound` for a column that the user does not see.
pub(super) fn check(rights: &Rights, insert: &Insert, table: &TableDef) -> Result<()> {
    let object = Securable::of(table);
    if insert.overwrite && !rights.may(Privilege::Delete, &object, None) {
        return Err(lacking(Privilege::Delete, &object));
    }
    if rights.may(Privilege::Insert, &object, None) {
        return Ok(());
    }
    if !rights.may_in_part(Privilege::Insert, &object) {
        return Err(lacking(Privilege::Insert, &object));
    }
    if insert.columns.is_empty() {
        return Err(denied(format!(
            "you may fill some columns of {object} only: name them behind the table"
        )));
    }
    let partition = insert.partition.iter().map(|part| &part.column);
    for column in insert.columns.iter().chain(partition) {
        if rights.may(Privilege::Insert, &object, Some(column)) {
            continue;
        }
        let seen = |known: &&ColumnDef| rights.sees_column(&object, &known.name);
        let names: Vec<&str> = table
            .columns
            .iter()
            .filter(seen)
            .map(|known| known.name.as_str())
            .collect();
        if names.contains(&column.as_str()) {
            return Err(denied(format!(
                "you have no INSERT on column \"{column}\" of {object}: its owner can grant it"
            )));
        }
        let hint = did_you_mean(column, names);
        return Err(Error::not_found(format!(
            "table \"{}\" has no column \"{column}\"{hint}",
            table.name
        )));
    }
    Ok(())
}

/// Fails when a column that must be given is one that the user does not see: then the rows cannot be
/// added at all, and the column is not named.
///
/// # Errors
/// `PermissionDenied`.
pub(super) fn check_rest(
    rights: &Rights,
    table: &TableDef,
    given: &[&ColumnDef],
    constants: &[(String, Expr)],
) -> Result<()> {
    let object = Securable::of(table);
    let is_given = |name: &str| {
        given.iter().any(|column| column.name == name)
            || constants.iter().any(|(column, _)| column == name)
    };
    let hidden = |column: &&ColumnDef| {
        let needed = !column.nullable && column.default.is_none();
        needed && !is_given(&column.name) && !rights.sees_column(&object, &column.name)
    };
    if table.columns.iter().any(|column| hidden(&column)) {
        return Err(denied(format!(
            "rows for {object} need a value that you may not give: its owner can grant INSERT on all \
             of it"
        )));
    }
    Ok(())
}
