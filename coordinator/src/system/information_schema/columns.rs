//! `columns`.

use arrow::array::RecordBatch;
use waterbuck_catalog::ColumnDef;
use waterbuck_engine::Result;

use super::cells::{always, made, number, text, yes_no};
use super::contents::{Contents, Relation};
use super::type_facts::{TypeFacts, type_facts};
use crate::plan::CATALOG_NAME;
use crate::system::build;
use waterbuck_engine::sql::sql_type;

struct Row<'c> {
    table: &'c Relation,
    /// From 1.
    position: i64,
    column: &'c ColumnDef,
    facts: TypeFacts,
}

/// One row for each column of each table and view.
pub(super) fn columns(known: &Contents) -> Result<RecordBatch> {
    let rows: Vec<Row<'_>> = known.relations.iter().flat_map(rows_of).collect();
    let rows = rows.as_slice();
    build(vec![
        ("table_catalog", always(rows, CATALOG_NAME)),
        ("table_schema", text(rows, |row| Some(&row.table.schema))),
        ("table_name", text(rows, |row| Some(&row.table.name))),
        ("column_name", text(rows, |row| Some(&row.column.name))),
        ("ordinal_position", number(rows, |row| Some(row.position))),
        (
            "column_default",
            text(rows, |row| row.column.default.as_deref()),
        ),
        ("is_nullable", yes_no(rows, |row| row.column.nullable)),
        (
            "data_type",
            made(rows, |row| sql_type(&row.column.data_type)),
        ),
        (
            "character_maximum_length",
            number(rows, |row| row.facts.length),
        ),
        (
            "character_octet_length",
            number(rows, |row| row.facts.length),
        ),
        (
            "numeric_precision",
            number(rows, |row| row.facts.numeric_precision),
        ),
        (
            "numeric_precision_radix",
            number(rows, |row| row.facts.numeric_radix),
        ),
        ("numeric_scale", number(rows, |row| row.facts.numeric_scale)),
        (
            "datetime_precision",
            number(rows, |row| row.facts.datetime_precision),
        ),
        ("interval_type", text(rows, |row| row.facts.interval_type)),
        ("comment", text(rows, |row| row.column.comment.as_deref())),
    ])
}

fn rows_of(table: &Relation) -> impl Iterator<Item = Row<'_>> {
    let positions = 1..;
    positions
        .zip(&table.columns)
        .map(move |(position, column)| Row {
            table,
            position,
            column,
            facts: type_facts(&column.data_type),
        })
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::{DataType, Field, Int64Type, Schema};

    use super::*;

    #[test]
    fn columns_are_counted_from_one_and_have_sql_types() {
        let schema = Schema::new(vec![
            Field::new("id", DataType::Int64, false),
            Field::new("price", DataType::Decimal128(10, 2), true),
        ]);
        let mut table = Relation::system("s", "t", &schema);
        table.columns[1].default = Some("0.5".to_owned());
        table.columns[1].comment = Some("net".to_owned());
        let batch = columns(&Contents::new(vec![], vec![table])).expect("columns");
        let text = |name: &str| -> Vec<Option<String>> {
            let cells = batch.column_by_name(name).expect(name).as_string::<i32>();
            cells.iter().map(|cell| cell.map(str::to_owned)).collect()
        };
        let number = |name: &str| -> Vec<Option<i64>> {
            let cells = batch.column_by_name(name).expect(name);
            cells.as_primitive::<Int64Type>().iter().collect()
        };
        let some = |word: &str| Some(word.to_owned());
        assert_eq!(number("ordinal_position"), [Some(1), Some(2)]);
        assert_eq!(text("data_type"), [some("BIGINT"), some("DECIMAL(10, 2)")]);
        assert_eq!(text("is_nullable"), [some("NO"), some("YES")]);
        assert_eq!(text("column_default"), [None, some("0.5")]);
        assert_eq!(text("comment"), [None, some("net")]);
        assert_eq!(number("numeric_precision"), [Some(64), Some(10)]);
        assert_eq!(number("numeric_precision_radix"), [Some(2), Some(10)]);
        assert_eq!(number("numeric_scale"), [Some(0), Some(2)]);
        assert_eq!(number("character_maximum_length"), [None, None]);
    }
}
