//! Files in `key=value` directories.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, IntervalUnit, Schema};
use arrow::util::pretty::pretty_format_batches;

use super::super::partition::partition_directory;
use super::super::publish_append;
use super::setup::{Table, input, many, rows, run};
use crate::files::Format;
use crate::files::partition::{NULL_PARTITION, directories};

#[test]
fn directory_names_are_encoded_as_hive_does() {
    let odd = "a/b=c:d%e#f\"g\u{1}h?*[x]{y}^\\z'";
    let values = vec![
        ("k y".to_owned(), Some(odd.to_owned())),
        ("n".to_owned(), None),
    ];
    let directory = partition_directory(&values);
    assert_eq!(
        directory,
        "k y=a%2Fb%3Dc%3Ad%25e%23f%22g%01h%3F%2A%5Bx%5D%7By%7D%5E%5Cz%27/n=__HIVE_DEFAULT_PARTITION__"
    );
    let read = directories(&format!("{directory}/file"));
    assert_eq!(
        read.into_iter()
            .map(|d| (d.key, d.value))
            .collect::<Vec<_>>(),
        values
    );
}

#[tokio::test]
async fn rows_find_back_from_their_directories() {
    let table = Table::new();
    let target = table.partitioned(&["k"]);
    let keys = [
        None,
        Some(""),
        Some("a b"),
        Some("x/y=z%41"),
        Some("ü #1"),
        Some("NULL"),
    ];
    let values: Vec<_> = (0..60)
        .map(|v| (v, keys[v as usize % keys.len()]))
        .collect();
    let plan = input(&[vec![rows(&values[..30])], vec![rows(&values[30..])]]);
    let files = run(plan, &target).await.unwrap();
    assert_eq!(files.len(), 12);
    publish_append(&table.store, &target, &files).await.unwrap();
    let directories: Vec<_> = table
        .files()
        .iter()
        .map(|f| f.split('/').next().unwrap().to_owned())
        .collect();
    assert!(directories.contains(&format!("k={NULL_PARTITION}")));
    assert!(directories.contains(&"k=x%2Fy%3Dz%2541".to_owned()));
    let mut read = BTreeMap::new();
    for file in &files {
        *read.entry(file.partition_values[0].1.clone()).or_insert(0) += file.rows;
    }
    let expected = keys
        .iter()
        .map(|k| (k.map(ToOwned::to_owned), 10))
        .collect();
    assert_eq!(read, expected);
    assert_eq!(table.rows().await, 60);
}

#[tokio::test]
async fn another_reader_sees_the_partition_column() {
    let table = Table::new();
    let target = table.partitioned(&["k"]);
    let plan = input(&[vec![rows(&[
        (1, Some("a")),
        (2, Some("b")),
        (3, Some("a")),
    ])]]);
    let files = run(plan, &target).await.unwrap();
    publish_append(&table.store, &target, &files).await.unwrap();
    let batches = table
        .query("SELECT k, sum(v) AS s FROM t GROUP BY k ORDER BY k")
        .await;
    let expected = "+---+---+\n| k | s |\n+---+---+\n| a | 4 |\n| b | 2 |\n+---+---+";
    assert_eq!(
        pretty_format_batches(&batches).unwrap().to_string(),
        expected
    );
}

#[tokio::test]
async fn more_partitions_than_open_files_make_few_files_each() {
    let table = Table::new();
    let mut target = table.partitioned(&["v"]);
    target.target_file_bytes = 1 << 20;
    // Every batch touches every partition.
    let plan = input(&[vec![
        many(100, "a"),
        many(500, "a"),
        many(500, "b"),
        many(500, "c"),
    ]]);
    let files = run(plan, &target).await.unwrap();
    assert_eq!(files.iter().map(|f| f.rows).sum::<u64>(), 1600);
    // A hundred files from before the input had to be sorted, one per partition after.
    assert_eq!(files.len(), 600);
    publish_append(&table.store, &target, &files).await.unwrap();
    assert_eq!(table.files().len(), 600);
}

#[tokio::test]
async fn the_text_that_stands_for_null_is_refused_as_a_value() {
    let table = Table::new();
    let target = table.partitioned(&["k"]);
    let plan = input(&[vec![many(1, "a"), many(1, NULL_PARTITION)]]);
    let error = run(plan, &target).await.unwrap_err().to_string();
    assert!(
        error.contains("column \"k\"") && error.contains("stands for NULL"),
        "{error}"
    );
    assert!(table.is_clean());
}

#[test]
fn a_target_is_checked_before_anything_is_written() {
    let table = Table::new();
    let refusal = |target: super::super::WriteTarget| target.validate().unwrap_err().to_string();
    assert!(refusal(table.partitioned(&["z"])).contains("\"z\" is not among the columns"));
    assert!(refusal(table.partitioned(&["v", "k"])).contains("at least one column"));
    let mut single = table.partitioned(&["k"]);
    single.single_file = Some("x.csv".to_owned());
    assert!(refusal(single).contains("cannot be partitioned"));
    let mut interval = table.target(Format::Parquet);
    let span = Field::new("span", DataType::Interval(IntervalUnit::MonthDayNano), true);
    let spans = Field::new("spans", DataType::List(Arc::new(span)), true);
    interval.schema = Arc::new(Schema::new(vec![spans]));
    assert!(refusal(interval).contains("column \"spans\""));
    let mut options = table.target(Format::Parquet);
    options
        .options
        .insert("compresion".to_owned(), "zstd".to_owned());
    assert!(refusal(options).contains("did you mean \"compression\"?"));
}
