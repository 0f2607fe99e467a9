//! Replacing what is there.

use std::fs;

use object_store::path::Path;
use waterbuck_engine::{ErrorKind, Result};

use super::super::{
    OverwriteScope, TableBase, WriteTarget, WrittenFile, publish_append, publish_overwrite,
};
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
    fs::write(table.directory.join("_SUCCESS"), "kept").unwrap();
    fs::write(table.directory.join("notes.txt"), "kept").unwrap();
    table
}

/// Overwrites a table that nobody else has touched.
async fn overwrite(
    table: &Table,
    (target, files): &(WriteTarget, Vec<WrittenFile>),
    scope: OverwriteScope,
) -> Result<Vec<Path>> {
    let base = TableBase::list(&table.store, target).await?;
    publish_overwrite(&table.store, target, files, (&scope, &base)).await
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
    let new = write(&table, &[(7, Some("b")), (8, Some("d"))]).await;
    overwrite(&table, &new, OverwriteScope::All).await.unwrap();
    assert_eq!(directories(&table), ["_SUCCESS", "k=b", "k=d", "notes.txt"]);
    assert!(!table.directory.join("k=a").exists());
}

#[tokio::test]
async fn overwriting_partitions_leaves_the_others() {
    let table = filled().await;
    let new = write(&table, &[(7, Some("b")), (8, None)]).await;
    let scope = OverwriteScope::Partitions(vec![vec![("k".to_owned(), Some("c".to_owned()))]]);
    overwrite(&table, &new, scope).await.unwrap();
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
        .filter(|f| f.contains(&new.0.write_id.simple().to_string()))
        .count();
    assert_eq!(new, 2);
}

#[tokio::test]
async fn overwriting_with_nothing_empties_the_table() {
    let table = filled().await;
    let new = write(&table, &[]).await;
    overwrite(&table, &new, OverwriteScope::All).await.unwrap();
    assert_eq!(directories(&table), ["_SUCCESS", "notes.txt"]);
}

#[tokio::test]
async fn a_table_that_is_not_there_yet_can_be_overwritten() {
    let table = Table::new();
    let new = write(&table, &[(7, Some("b"))]).await;
    overwrite(&table, &new, OverwriteScope::All).await.unwrap();
    assert_eq!(directories(&table), ["k=b"]);
}

#[tokio::test]
async fn a_named_partition_must_be_one_of_the_table() {
    let table = filled().await;
    let new = write(&table, &[(7, Some("b"))]).await;
    let before = directories(&table).len();
    let scope = OverwriteScope::Partitions(vec![vec![("x".to_owned(), None)]]);
    let error = overwrite(&table, &new, scope).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("does not begin with the table's partition columns")
    );
    // The new file went with its staging directory.
    assert_eq!(directories(&table).len(), before - 1);
}

/// What an overwrite of partition `b` says when `change` happens to the table after it was planned;
/// what it leaves behind must be what it found.
async fn overwrite_while(change: impl FnOnce(&Table), scope: OverwriteScope) -> Result<Vec<Path>> {
    let table = filled().await;
    let (target, files) = write(&table, &[(7, Some("b"))]).await;
    let base = TableBase::list(&table.store, &target).await.unwrap();
    change(&table);
    let mut found = table.files();
    found.retain(|file| !file.starts_with("_waterbuck_staging"));
    let outcome = publish_overwrite(&table.store, &target, &files, (&scope, &base)).await;
    if outcome.is_err() {
        assert_eq!(table.files(), found, "something was changed");
    }
    outcome
}

fn file_of(table: &Table, partition: &str) -> std::path::PathBuf {
    let of_partition = |file: &String| file.starts_with(partition);
    let file = table.files().into_iter().find(of_partition).unwrap();
    table.directory.join(file)
}

fn add_to(partition: &'static str) -> impl FnOnce(&Table) {
    move |table| {
        let directory = file_of(table, partition).parent().unwrap().to_owned();
        fs::write(directory.join("foreign.parquet"), "theirs").unwrap();
    }
}

fn expect_conflict(outcome: Result<Vec<Path>>, words: &[&str]) {
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    for word in words {
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[tokio::test]
async fn files_of_others_are_never_replaced_unread() {
    let outcome = overwrite_while(add_to("k=a"), OverwriteScope::All).await;
    expect_conflict(
        outcome,
        &["k=a/foreign.parquet\" was added", "run the statement again"],
    );
    let replace = |table: &Table| fs::write(file_of(table, "k=b"), "other rows").unwrap();
    let outcome = overwrite_while(replace, OverwriteScope::All).await;
    expect_conflict(outcome, &["/k=b/part-", "was changed"]);
    let remove = |table: &Table| fs::remove_file(file_of(table, "k=c")).unwrap();
    let outcome = overwrite_while(remove, OverwriteScope::All).await;
    expect_conflict(outcome, &["/k=c/part-", "was removed"]);
}

#[tokio::test]
async fn only_changes_to_the_partitions_that_are_replaced_are_conflicts() {
    let written = || OverwriteScope::Partitions(Vec::new());
    let outcome = overwrite_while(add_to("k=b"), written()).await;
    expect_conflict(outcome, &["k=b/foreign.parquet\" was added"]);
    overwrite_while(add_to("k=a"), written()).await.unwrap();
}
