//! Files of managed tables: what a snapshot shows, and what conflicts.

use waterbuck_engine::ErrorKind;

use super::fixture::{Fixture, bounds, file, main};
use crate::model::{DataFile, DropKind, FileChange, OnExisting, PartitionValues};

fn names(files: &[DataFile]) -> Vec<&str> {
    files
        .iter()
        .map(|file| file.path.rsplit('/').next().unwrap())
        .collect()
}

fn partition(value: Option<&str>) -> PartitionValues {
    vec![("b".to_owned(), value.map(str::to_owned))]
}

#[tokio::test]
async fn a_snapshot_shows_its_files_for_ever() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    let id = fixture.create(fixture.managed("m", &[])).await.id;
    let one = store
        .commit_files(id, 1, FileChange::Append, vec![file("f", None)])
        .await
        .unwrap();
    let two = store
        .commit_files(id, one, FileChange::Append, vec![file("g", None)])
        .await
        .unwrap();
    let three = store
        .commit_files(id, two, FileChange::Overwrite, vec![file("h", None)])
        .await
        .unwrap();
    let four = store
        .commit_files(id, three, FileChange::Overwrite, vec![])
        .await
        .unwrap();
    store
        .drop_table(&main("m"), None, DropKind::Table, false)
        .await
        .unwrap();
    for (snapshot, expected) in [
        (1, vec![]),
        (one, vec!["f.parquet"]),
        (two, vec!["f.parquet", "g.parquet"]),
        (three, vec!["h.parquet"]),
        (four, vec![]),
    ] {
        assert_eq!(
            names(&store.data_files(id, snapshot).await.unwrap()),
            expected
        );
    }
    assert_eq!(
        store.data_files(id, 0).await.unwrap_err().kind(),
        ErrorKind::Conflict
    );
    assert_eq!(
        store.data_files(id, four + 1).await.unwrap_err().kind(),
        ErrorKind::Conflict
    );
    assert_eq!(
        store.data_files(99, four).await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
}

#[tokio::test]
async fn a_file_comes_back_with_partition_and_statistics() {
    let fixture = Fixture::new().await;
    let id = fixture.create(fixture.managed("m", &["b"])).await.id;
    let mut given = file("b=x/f", Some(Some("x")));
    given.path = format!("file://{}{}", fixture.table_path("m"), given.path);
    given.column_stats = vec![bounds("a", "-5", "17")];
    let snapshot = fixture
        .store
        .commit_files(id, 1, FileChange::Append, vec![given])
        .await
        .unwrap();
    let files = fixture.store.data_files(id, snapshot).await.unwrap();
    assert_eq!(
        files[0].path,
        format!("{}b=x/f.parquet", fixture.table_path("m"))
    );
    assert_eq!(
        (files[0].row_count, files[0].bytes, files[0].footer_bytes),
        (10, 1000, 100)
    );
    assert_eq!(files[0].partition_values, partition(Some("x")));
    let mut of_partition = bounds("b", "x", "x");
    of_partition.bytes = 0;
    assert_eq!(
        files[0].column_stats,
        [bounds("a", "-5", "17"), of_partition]
    );
}

#[tokio::test]
async fn created_with_files_is_one_snapshot() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    let table = fixture.managed("m", &[]);
    let files = vec![file("f", None), file("g", None)];
    let made = store
        .create_table_with_files(table.clone(), OnExisting::Fail, files.clone())
        .await;
    let id = made.unwrap().unwrap().id;
    assert_eq!(store.current_snapshot().await.unwrap(), 1);
    assert_eq!(store.data_files(id, 1).await.unwrap().len(), 2);
    let skipped = store
        .create_table_with_files(table.clone(), OnExisting::Skip, files.clone())
        .await;
    assert_eq!(skipped.unwrap(), None);
    let replaced = store
        .create_table_with_files(table, OnExisting::Replace, files)
        .await;
    let replaced = replaced.unwrap().unwrap().id;
    assert_ne!(replaced, id);
    assert_eq!(store.data_files(replaced, 2).await.unwrap().len(), 2);
    let error = store
        .commit_files(id, 1, FileChange::Append, vec![file("h", None)])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(
        store.data_files(replaced, 1).await.unwrap_err().kind(),
        ErrorKind::Conflict
    );
}

#[tokio::test]
async fn partitions_are_overwritten_one_by_one() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    let id = fixture.create(fixture.managed("m", &["b"])).await.id;
    let files = [("f", Some("x")), ("g", Some("y")), ("h", None)];
    let files = files.map(|(name, value)| file(name, Some(value))).to_vec();
    let base = store
        .commit_files(id, 1, FileChange::Append, files)
        .await
        .unwrap();
    let overwrite = |values: Option<&str>| FileChange::OverwritePartitions(vec![partition(values)]);
    let new = vec![file("i", Some(Some("x")))];
    let snapshot = store
        .commit_files(id, base, overwrite(Some("x")), new.clone())
        .await
        .unwrap();
    let live = store.data_files(id, snapshot).await.unwrap();
    assert_eq!(names(&live), ["g.parquet", "h.parquet", "i.parquet"]);
    let snapshot = store
        .commit_files(id, snapshot, overwrite(None), vec![])
        .await
        .unwrap();
    let live = store.data_files(id, snapshot).await.unwrap();
    assert_eq!(names(&live), ["g.parquet", "i.parquet"]);
    let error = store
        .commit_files(id, snapshot, overwrite(Some("y")), new)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    let wrong = FileChange::OverwritePartitions(vec![vec![("a".to_owned(), None)]]);
    let error = store
        .commit_files(id, snapshot, wrong, vec![])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidQuery);
    let every = FileChange::OverwritePartitions(vec![vec![]]);
    let snapshot = store
        .commit_files(id, snapshot, every, vec![])
        .await
        .unwrap();
    assert_eq!(store.data_files(id, snapshot).await.unwrap(), []);
}

#[tokio::test]
async fn conflicts_are_as_the_table_says() {
    let x = || Some(Some("x"));
    let y = || Some(Some("y"));
    let overwrite = |values: &str| FileChange::OverwritePartitions(vec![partition(Some(values))]);
    for (first, first_file, second, second_file, conflict) in [
        (FileChange::Append, x(), FileChange::Append, x(), false),
        (FileChange::Append, x(), overwrite("x"), x(), true),
        (FileChange::Append, y(), overwrite("x"), x(), false),
        (FileChange::Append, y(), FileChange::Overwrite, x(), true),
        (overwrite("x"), x(), FileChange::Append, x(), true),
        (overwrite("x"), x(), FileChange::Append, y(), false),
        (overwrite("x"), x(), overwrite("y"), y(), false),
        (overwrite("x"), x(), overwrite("x"), x(), true),
        (FileChange::Overwrite, x(), FileChange::Append, x(), true),
        (FileChange::Overwrite, x(), FileChange::Overwrite, x(), true),
    ] {
        let fixture = Fixture::new().await;
        let store = &fixture.store;
        let id = fixture.create(fixture.managed("m", &["b"])).await.id;
        let files = vec![file("f", x()), file("g", y())];
        let base = store
            .commit_files(id, 1, FileChange::Append, files)
            .await
            .unwrap();
        store
            .commit_files(id, base, first.clone(), vec![file("h", first_file)])
            .await
            .unwrap();
        let result = store
            .commit_files(id, base, second.clone(), vec![file("i", second_file)])
            .await;
        match result {
            Ok(_) => assert!(!conflict, "{first:?} {second:?}"),
            Err(error) => {
                assert!(conflict, "{first:?} {second:?}: {error}");
                assert_eq!(error.kind(), ErrorKind::Conflict);
            }
        }
    }
}

#[tokio::test]
async fn a_renamed_table_takes_the_files_of_a_running_insert() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    let id = fixture.create(fixture.managed("m", &[])).await.id;
    store
        .rename_table(&main("m"), None, &main("n"))
        .await
        .unwrap();
    let snapshot = store
        .commit_files(id, 1, FileChange::Append, vec![file("f", None)])
        .await
        .unwrap();
    let files = store.data_files(id, snapshot).await.unwrap();
    assert_eq!(
        files[0].path,
        format!("{}f.parquet", fixture.table_path("m"))
    );
}

#[tokio::test]
async fn a_file_is_in_a_table_once() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    let id = fixture.create(fixture.managed("m", &[])).await.id;
    store
        .commit_files(id, 1, FileChange::Append, vec![file("f", None)])
        .await
        .unwrap();
    let error = store
        .commit_files(id, 2, FileChange::Append, vec![file("f", None)])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(store.current_snapshot().await.unwrap(), 2);
    assert_eq!(
        store
            .commit_files(id, 2, FileChange::Append, vec![])
            .await
            .unwrap(),
        2
    );
    let stray = vec![file("g", Some(None))];
    assert!(
        store
            .commit_files(id, 2, FileChange::Append, stray)
            .await
            .is_err()
    );
    assert!(
        store
            .commit_files(id, 9, FileChange::Append, vec![file("g", None)])
            .await
            .is_err()
    );
}

#[tokio::test]
async fn rows_of_another_engine_are_refused_not_ignored() {
    let fixture = Fixture::new().await;
    let id = fixture.create(fixture.managed("m", &[])).await.id;
    let sql = "INSERT INTO ducklake_delete_file(delete_file_id, table_id, begin_snapshot) VALUES (1, 1, 1)";
    sqlx::raw_sql(sql)
        .execute(&mut fixture.raw().await)
        .await
        .unwrap();
    let error = fixture.store.data_files(id, 1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}
