//! `schemata`, `tables` and `views`.

use arrow::array::RecordBatch;
use waterbuck_engine::Result;

use super::cells::{always, text, unknown, yes_no};
use super::contents::{Contents, Relation, RelationKind};
use crate::plan::CATALOG_NAME;
use crate::system::build;

/// One row for each schema.
pub(super) fn schemata(known: &Contents) -> Result<RecordBatch> {
    let rows = known.schemas.as_slice();
    build(vec![
        ("catalog_name", always(rows, CATALOG_NAME)),
        ("schema_name", text(rows, |schema| Some(&schema.name))),
        ("schema_owner", unknown(rows)),
        ("default_character_set_catalog", unknown(rows)),
        ("default_character_set_schema", unknown(rows)),
        ("default_character_set_name", unknown(rows)),
        ("sql_path", unknown(rows)),
        ("comment", text(rows, |schema| schema.comment.as_deref())),
    ])
}

/// One row for each table and view.
pub(super) fn tables(known: &Contents) -> Result<RecordBatch> {
    let rows = known.relations.as_slice();
    build(vec![
        ("table_catalog", always(rows, CATALOG_NAME)),
        ("table_schema", text(rows, |table| Some(&table.schema))),
        ("table_name", text(rows, |table| Some(&table.name))),
        ("table_type", text(rows, |table| Some(table.table_type()))),
        ("self_referencing_column_name", unknown(rows)),
        ("reference_generation", unknown(rows)),
        ("user_defined_type_catalog", unknown(rows)),
        ("user_defined_type_schema", unknown(rows)),
        ("user_defined_type_name", unknown(rows)),
        ("is_insertable_into", yes_no(rows, Relation::is_insertable)),
        ("is_typed", always(rows, "NO")),
        ("commit_action", unknown(rows)),
        ("comment", text(rows, |table| table.comment.as_deref())),
    ])
}

/// One row for each view.
pub(super) fn views(known: &Contents) -> Result<RecordBatch> {
    let rows: Vec<(&Relation, Option<&str>)> = known
        .relations
        .iter()
        .filter_map(|relation| match &relation.kind {
            RelationKind::View { definition } => Some((relation, definition.as_deref())),
            _ => None,
        })
        .collect();
    let rows = rows.as_slice();
    build(vec![
        ("table_catalog", always(rows, CATALOG_NAME)),
        ("table_schema", text(rows, |(view, _)| Some(&view.schema))),
        ("table_name", text(rows, |(view, _)| Some(&view.name))),
        ("view_definition", text(rows, |(_, definition)| *definition)),
        ("check_option", always(rows, "NONE")),
        ("is_updatable", always(rows, "NO")),
        ("is_insertable_into", always(rows, "NO")),
    ])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use arrow::array::AsArray;
    use arrow::datatypes::{DataType, Field, Schema};
    use waterbuck_catalog::{
        ColumnDef, ExternalTable, SchemaDef, TableDef, TableKind, TableName, ViewDef,
    };
    use waterbuck_engine::sql::ViewSecurity;

    use super::super::contents::Allowed;
    use super::*;
    use crate::system::INFORMATION_SCHEMA;

    fn table(name: &str, kind: TableKind) -> Relation {
        let allowed = Allowed {
            everything: true,
            insert: true,
        };
        relation(name, kind, allowed)
    }

    fn relation(name: &str, kind: TableKind, allowed: Allowed) -> Relation {
        let table = TableDef {
            id: 7,
            uuid: uuid::Uuid::nil(),
            name: TableName::new("s", name),
            kind,
            columns: vec![ColumnDef::new("a", DataType::Int32, true)],
            comment: Some("said".to_owned()),
            begin_snapshot: 1,
            owner: None,
        };
        Relation::new(table, allowed)
    }

    fn view() -> TableKind {
        TableKind::View(ViewDef {
            sql: "SELECT 1 AS a".to_owned(),
            column_aliases: vec![],
            security: ViewSecurity::Definer,
        })
    }

    fn external(name: &str, location: &str) -> Relation {
        let external = ExternalTable {
            format: "parquet".to_owned(),
            location: location.to_owned(),
            partition_columns: vec![],
            options: BTreeMap::new(),
            secret: None,
            explicit_columns: false,
        };
        table(name, TableKind::External(external))
    }

    fn known() -> Contents {
        let schema = SchemaDef {
            name: "s".to_owned(),
            comment: Some("mine".to_owned()),
            owner: None,
        };
        let own = Schema::new(vec![Field::new("x", DataType::Utf8, true)]);
        let relations = vec![
            table("v", view()),
            external("gone", "file:///nowhere/at/all/"),
            external("one_file", "file:///nowhere/at/all.parquet"),
            Relation::system(INFORMATION_SCHEMA, "tables", &own),
        ];
        Contents::new(vec![schema], relations)
    }

    fn cells(batch: &RecordBatch, column: &str) -> Vec<Option<String>> {
        let column = batch.column_by_name(column).expect("the column");
        let cells = column.as_string::<i32>().iter();
        cells.map(|cell| cell.map(str::to_owned)).collect()
    }

    fn words(batch: &RecordBatch, column: &str) -> Vec<String> {
        cells(batch, column).into_iter().flatten().collect()
    }

    #[test]
    fn tables_are_told_from_views_without_looking_at_their_files() {
        let tables = tables(&known()).expect("tables");
        assert_eq!(
            words(&tables, "table_name"),
            ["tables", "gone", "one_file", "v"]
        );
        assert_eq!(
            words(&tables, "table_type"),
            ["BASE TABLE", "BASE TABLE", "BASE TABLE", "VIEW"]
        );
        assert_eq!(
            words(&tables, "is_insertable_into"),
            ["NO", "YES", "NO", "NO"]
        );
        assert_eq!(words(&tables, "comment"), ["said"; 3]);
    }

    #[test]
    fn only_views_are_views() {
        let views = views(&known()).expect("views");
        assert_eq!(words(&views, "table_name"), ["v"]);
        assert_eq!(words(&views, "view_definition"), ["SELECT 1 AS a"]);
    }

    #[test]
    fn what_a_view_is_made_of_is_told_to_its_owner_alone() {
        let allowed = Allowed {
            everything: false,
            insert: false,
        };
        let known = Contents::new(vec![], vec![relation("v", view(), allowed)]);
        let views = views(&known).expect("views");
        assert_eq!(cells(&views, "table_name"), [Some("v".to_owned())]);
        assert_eq!(cells(&views, "view_definition"), [None]);
    }

    #[test]
    fn every_schema_is_listed() {
        let schemata = schemata(&known()).expect("schemata");
        assert_eq!(
            words(&schemata, "schema_name"),
            ["information_schema", "s", "system"]
        );
        assert_eq!(
            cells(&schemata, "comment"),
            [None, Some("mine".to_owned()), None]
        );
    }
}
