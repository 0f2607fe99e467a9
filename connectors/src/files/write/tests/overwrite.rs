//! Replacing what is there.

use super::super::{OverwriteScope, WriteTarget, WrittenFile, publish_append, publish_overwrite};
use super::setup::{Table, input, rows, run};

async fn write(table: &Table, values: &[(i64, Option<&str>)]) -> (WriteTarget, Vec<WrittenFile>) {
    let target = table.partitioned(&["k"]);
    let files = run(input(&[vec![rows(values)]]), &target).await.unwrap();
    (target, files)
}

async fn filled() -> Table {
    let table = Table::new();
    let values = [(1, Some("a")), (2, Some("b")), (3, None), (4, Some("c"))];
    let (target, files) = write(&table, &values).await;
    publish_append(&table.store, &target, &files).await.unwrap();
    std::fs::write(table.directory.join("_SUCCESS"), "kept").unwrap();
    std::fs::write(table.directory.join("notes.txt"), "kept").unwrap();
    table
}

fn directories(table: &Table) -> Vec<String> {
    table
        .files()
        .iter()
        .map(|f| f.split('/').next().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn overwriting_all_leaves_only_the_new_rows() {
    let table = filled().await;
    let (target, files) = write(&table, &[(7, Some("b")), (8, Some("d"))]).await;
    publish_overwrite(&table.store, &target, &files, OverwriteScope::All)
        .await
        .unwrap();
    assert_eq!(directories(&table), ["_SUCCESS", "k=b", "k=d", "notes.txt"]);
    assert!(!table.directory.join("k=a").exists());
}

#[tokio::test]
async fn overwriting_partitions_leaves_the_others() {
    let table = filled().await;
    let (target, files) = write(&table, &[(7, Some("b")), (8, None)]).await;
    let scope = OverwriteScope::Partitions(vec![vec![("k".to_owned(), Some("c".to_owned()))]]);
    publish_overwrite(&table.store, &target, &files, scope)
        .await
        .unwrap();
    let expected = [
        "_SUCCESS",
        "k=__HIVE_DEFAULT_PARTITION__",
        "k=a",
        "k=b",
        "notes.txt",
    ];
    assert_eq!(directories(&table), expected);
    let new = table
        .files()
        .iter()
        .filter(|f| f.contains(&target.write_id.simple().to_string()))
        .count();
    assert_eq!(new, 2);
}

#[tokio::test]
async fn overwriting_with_nothing_empties_the_table() {
    let table = filled().await;
    let (target, files) = write(&table, &[]).await;
    publish_overwrite(&table.store, &target, &files, OverwriteScope::All)
        .await
        .unwrap();
    assert_eq!(directories(&table), ["_SUCCESS", "notes.txt"]);
}

#[tokio::test]
async fn a_table_that_is_not_there_yet_can_be_overwritten() {
    let table = Table::new();
    let (target, files) = write(&table, &[(7, Some("b"))]).await;
    publish_overwrite(&table.store, &target, &files, OverwriteScope::All)
        .await
        .unwrap();
    assert_eq!(directories(&table), ["k=b"]);
}

#[tokio::test]
async fn a_named_partition_must_be_one_of_the_table() {
    let table = filled().await;
    let (target, files) = write(&table, &[(7, Some("b"))]).await;
    let before = directories(&table).len();
    let scope = OverwriteScope::Partitions(vec![vec![("x".to_owned(), None)]]);
    let error = publish_overwrite(&table.store, &target, &files, scope)
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("does not begin with the table's partition columns")
    );
    // The new file went with its staging directory.
    assert_eq!(directories(&table).len(), before - 1);
}
