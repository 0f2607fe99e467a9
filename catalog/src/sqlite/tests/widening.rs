//! The table's own statistics: as wide as everything that was ever in it, or unknown.

use arrow::datatypes::DataType;

use super::fixture::{Fixture, bounds, file};
use crate::model::{ColumnDef, FileChange, FileColumnStats, NewDataFile};

type Row = (Option<bool>, Option<bool>, Option<String>, Option<String>);

/// Appends a file with these statistics and reads the table's row of the column.
async fn after(fixture: &Fixture, id: i64, stats: FileColumnStats, column_id: i64) -> Row {
    let base = fixture.store.current_snapshot().await.unwrap();
    let mut new = file(&format!("f{base}"), None);
    new.column_stats = vec![stats];
    append(fixture, id, new).await;
    range(fixture, column_id).await
}

async fn append(fixture: &Fixture, id: i64, file: NewDataFile) {
    let base = fixture.store.current_snapshot().await.unwrap();
    fixture
        .store
        .commit_files(id, base, FileChange::Append, vec![file])
        .await
        .unwrap();
}

async fn range(fixture: &Fixture, column_id: i64) -> Row {
    sqlx::query_as(
        "SELECT contains_null, contains_nan, min_value, max_value
         FROM ducklake_table_column_stats WHERE column_id = ?",
    )
    .bind(column_id)
    .fetch_one(&mut fixture.raw().await)
    .await
    .unwrap()
}

fn row(contains_null: Option<bool>, min: Option<&str>, max: Option<&str>) -> Row {
    (
        contains_null,
        None,
        min.map(str::to_owned),
        max.map(str::to_owned),
    )
}

fn nulls(column: &str) -> FileColumnStats {
    let stats = bounds(column, "", "");
    FileColumnStats {
        value_count: 0,
        null_count: 10,
        min: None,
        max: None,
        ..stats
    }
}

#[tokio::test]
async fn bounds_grow_in_the_order_of_the_type_and_never_shrink() {
    let fixture = Fixture::new().await;
    let id = fixture.create(fixture.managed("m", &[])).await.id;
    let seen = after(&fixture, id, bounds("a", "9", "10"), 1).await;
    assert_eq!(seen, row(Some(false), Some("9"), Some("10")));
    let seen = after(&fixture, id, bounds("a", "-100", "9"), 1).await;
    assert_eq!(seen, row(Some(false), Some("-100"), Some("10")));
    let seen = after(&fixture, id, nulls("a"), 1).await;
    assert_eq!(seen, row(Some(true), Some("-100"), Some("10")));
    let base = fixture.store.current_snapshot().await.unwrap();
    let mut only = file("only", None);
    only.column_stats = vec![bounds("a", "5", "5")];
    fixture
        .store
        .commit_files(id, base, FileChange::Overwrite, vec![only])
        .await
        .unwrap();
    assert_eq!(
        range(&fixture, 1).await,
        row(Some(true), Some("-100"), Some("10"))
    );
    let totals: (i64, i64, i64) = sqlx::query_as(
        "SELECT record_count, next_row_id, file_size_bytes FROM ducklake_table_stats",
    )
    .fetch_one(&mut fixture.raw().await)
    .await
    .unwrap();
    assert_eq!(totals, (10, 40, 1000));
}

#[tokio::test]
async fn one_unknown_bound_makes_the_tables_unknown_for_good() {
    let fixture = Fixture::new().await;
    let id = fixture.create(fixture.managed("m", &[])).await.id;
    after(&fixture, id, bounds("a", "1", "2"), 1).await;
    let unknown = FileColumnStats {
        max: Some("two".to_owned()),
        ..bounds("a", "0", "")
    };
    assert_eq!(
        after(&fixture, id, unknown, 1).await,
        row(Some(false), Some("0"), None)
    );
    let seen = after(&fixture, id, bounds("a", "1", "2"), 1).await;
    assert_eq!(seen, row(Some(false), Some("0"), None));
    append(&fixture, id, file("nothing known", None)).await;
    assert_eq!(range(&fixture, 1).await, row(None, None, None));
    let seen = after(&fixture, id, bounds("a", "1", "2"), 1).await;
    assert_eq!(seen, row(None, None, None));
}

#[tokio::test]
async fn a_file_without_rows_says_nothing() {
    let fixture = Fixture::new().await;
    let id = fixture.create(fixture.managed("m", &[])).await.id;
    append(
        &fixture,
        id,
        NewDataFile {
            row_count: 0,
            ..file("empty", None)
        },
    )
    .await;
    let seen = after(&fixture, id, bounds("a", "1", "2"), 1).await;
    assert_eq!(seen, row(Some(false), Some("1"), Some("2")));
}

#[tokio::test]
async fn partition_values_count_as_bounds() {
    let fixture = Fixture::new().await;
    let id = fixture.create(fixture.managed("m", &["b"])).await.id;
    append(&fixture, id, file("f", Some(Some("x")))).await;
    append(&fixture, id, file("g", Some(Some("k")))).await;
    assert_eq!(
        range(&fixture, 2).await,
        row(Some(false), Some("k"), Some("x"))
    );
    append(&fixture, id, file("h", Some(None))).await;
    assert_eq!(
        range(&fixture, 2).await,
        row(Some(true), Some("k"), Some("x"))
    );
}

#[tokio::test]
async fn nan_and_parts_of_nested_columns_have_their_own_rows() {
    let fixture = Fixture::new().await;
    let mut table = fixture.managed("m", &[]);
    table
        .columns
        .push(ColumnDef::new("f", DataType::Float64, true));
    table.columns.push(ColumnDef::new(
        "l",
        DataType::new_list(DataType::Int64, true),
        true,
    ));
    let id = fixture.create(table).await.id;
    let known = FileColumnStats {
        contains_nan: Some(false),
        ..bounds("f", "0.5", "1e3")
    };
    let seen = after(&fixture, id, known.clone(), 3).await;
    assert_eq!(
        seen,
        (
            Some(false),
            Some(false),
            Some("0.5".into()),
            Some("1000".into())
        )
    );
    let seen = after(
        &fixture,
        id,
        FileColumnStats {
            contains_nan: Some(true),
            ..known
        },
        3,
    )
    .await;
    assert_eq!(seen.1, Some(true));

    let fixture = Fixture::new().await;
    let mut table = fixture.managed("m", &[]);
    table.columns.push(ColumnDef::new(
        "l",
        DataType::new_list(DataType::Int64, true),
        true,
    ));
    let id = fixture.create(table).await.id;
    let many = FileColumnStats {
        value_count: 500,
        null_count: 30,
        ..bounds("l.list.item", "3", "7")
    };
    let seen = after(&fixture, id, many, 4).await;
    assert_eq!(seen, row(Some(true), Some("3"), Some("7")));
    let files = fixture.store.data_files(id, 2).await.unwrap();
    let stats = &files[0].column_stats[0];
    assert_eq!(
        (stats.column.as_str(), stats.value_count),
        ("l.element", 500)
    );
}
