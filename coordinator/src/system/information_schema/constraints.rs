//! `table_constraints`, `check_constraints`, `key_column_usage` and `referential_constraints`.
//!
//! The one constraint that tables have is NOT NULL, which the standard calls a check. There are no
//! keys, so that the tables of keys have columns and no rows.

use arrow::array::{ArrayRef, RecordBatch};
use waterbuck_catalog::ColumnDef;
use waterbuck_engine::Result;

use super::cells::{always, made, number, text, unknown, yes_no};
use super::contents::{Contents, Relation, RelationKind};
use crate::plan::CATALOG_NAME;
use crate::statement::quoted;
use crate::system::build;

struct NotNull<'c> {
    table: &'c Relation,
    column: &'c ColumnDef,
    /// Unique in the catalog, and kept when the table is renamed.
    name: String,
    /// Whether every file of the table was written under it.
    enforced: bool,
}

/// One row for each constraint.
pub(super) fn table_constraints(known: &Contents) -> Result<RecordBatch> {
    let rows = not_null(known);
    let rows = rows.as_slice();
    let mut columns = names(rows);
    columns.extend([
        ("table_catalog", always(rows, CATALOG_NAME)),
        ("table_schema", text(rows, |row| Some(&row.table.schema))),
        ("table_name", text(rows, |row| Some(&row.table.name))),
        ("constraint_type", always(rows, "CHECK")),
        ("is_deferrable", always(rows, "NO")),
        ("initially_deferred", always(rows, "NO")),
        ("enforced", yes_no(rows, |row| row.enforced)),
    ]);
    build(columns)
}

/// One row for each constraint that is a condition.
pub(super) fn check_constraints(known: &Contents) -> Result<RecordBatch> {
    let rows = not_null(known);
    let rows = rows.as_slice();
    let clause = made(rows, |row| {
        format!("{} IS NOT NULL", quoted(&row.column.name))
    });
    let mut columns = names(rows);
    columns.push(("check_clause", clause));
    build(columns)
}

/// What both name a constraint by.
fn names(rows: &[NotNull<'_>]) -> Vec<(&'static str, ArrayRef)> {
    vec![
        ("constraint_catalog", always(rows, CATALOG_NAME)),
        (
            "constraint_schema",
            text(rows, |row| Some(&row.table.schema)),
        ),
        ("constraint_name", text(rows, |row| Some(&row.name))),
    ]
}

/// One row for each column of a key: there are none.
pub(super) fn key_column_usage(_known: &Contents) -> Result<RecordBatch> {
    let rows: &[()] = &[];
    build(vec![
        ("constraint_catalog", unknown(rows)),
        ("constraint_schema", unknown(rows)),
        ("constraint_name", unknown(rows)),
        ("table_catalog", unknown(rows)),
        ("table_schema", unknown(rows)),
        ("table_name", unknown(rows)),
        ("column_name", unknown(rows)),
        ("ordinal_position", number(rows, |()| None)),
        ("position_in_unique_constraint", number(rows, |()| None)),
    ])
}

/// One row for each foreign key: there are none.
pub(super) fn referential_constraints(_known: &Contents) -> Result<RecordBatch> {
    let rows: &[()] = &[];
    build(vec![
        ("constraint_catalog", unknown(rows)),
        ("constraint_schema", unknown(rows)),
        ("constraint_name", unknown(rows)),
        ("unique_constraint_catalog", unknown(rows)),
        ("unique_constraint_schema", unknown(rows)),
        ("unique_constraint_name", unknown(rows)),
        ("match_option", unknown(rows)),
        ("update_rule", unknown(rows)),
        ("delete_rule", unknown(rows)),
    ])
}

fn not_null(known: &Contents) -> Vec<NotNull<'_>> {
    known.relations.iter().flat_map(not_null_of).collect()
}

/// Files that somebody else writes are not checked, so that NOT NULL is only a claim about them.
fn not_null_of(table: &Relation) -> Vec<NotNull<'_>> {
    let (id, enforced) = match table.kind {
        RelationKind::Managed { id, .. } => (id, true),
        RelationKind::File { id, .. } => (id, false),
        RelationKind::View { .. } | RelationKind::System => return vec![],
    };
    (1..)
        .zip(&table.columns)
        .filter(|(_, column)| !column.nullable)
        .map(|(position, column): (usize, _)| NotNull {
            table,
            column,
            name: format!("{id}_{position}_not_null"),
            enforced,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;

    fn table(name: &str, kind: RelationKind) -> Relation {
        let schema = Schema::new(vec![
            Field::new("a", DataType::Int32, true),
            Field::new("B", DataType::Int32, false),
        ]);
        Relation {
            kind,
            ..Relation::system("s", name, &schema)
        }
    }

    fn known() -> Contents {
        let view = RelationKind::View { definition: None };
        let file = RelationKind::File {
            id: 9,
            insertable: true,
        };
        let managed = RelationKind::Managed {
            id: 4,
            insertable: true,
        };
        let relations = vec![
            table("files", file),
            table("own", managed),
            table("system", RelationKind::System),
            table("view", view),
        ];
        Contents::new(vec![], relations)
    }

    fn words(batch: &RecordBatch, column: &str) -> Vec<String> {
        let column = batch.column_by_name(column).expect("the column");
        let cells = column.as_string::<i32>().iter();
        cells.flatten().map(str::to_owned).collect()
    }

    #[test]
    fn not_null_is_the_check_of_a_table() {
        let batch = table_constraints(&known()).expect("constraints");
        assert_eq!(words(&batch, "table_name"), ["files", "own"]);
        assert_eq!(words(&batch, "enforced"), ["NO", "YES"]);
        let names = ["9_2_not_null", "4_2_not_null"];
        assert_eq!(words(&batch, "constraint_name"), names);
        let batch = check_constraints(&known()).expect("checks");
        assert_eq!(words(&batch, "constraint_name"), names);
        assert_eq!(words(&batch, "check_clause"), ["\"B\" IS NOT NULL"; 2]);
    }

    #[test]
    fn tables_of_keys_are_empty() {
        let usage = key_column_usage(&known()).expect("usage");
        assert_eq!((usage.num_rows(), usage.num_columns()), (0, 9));
        let references = referential_constraints(&known()).expect("references");
        assert_eq!((references.num_rows(), references.num_columns()), (0, 9));
    }
}
