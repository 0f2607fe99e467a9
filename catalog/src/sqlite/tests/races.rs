//! Sessions that meet at the same name or the same table: one wins, nobody sees half of it.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use waterbuck_engine::sql::{ActiveRoles, Grantee, Privilege};
use waterbuck_engine::{ErrorKind, Result};

use super::fixture::{Fixture, external, file, main, view};
use super::rights::give;
use crate::model::{DropKind, FileChange, NewTable, OnExisting};
use crate::open_sqlite;
use crate::rights::{GrantChange, Securable};
use crate::store::CatalogStore;

/// Eight tasks on each of two stores, as two processes have them.
async fn stores(fixture: &Fixture) -> Vec<Arc<dyn CatalogStore>> {
    let other = fixture.other().await;
    (0..16)
        .map(|i| Arc::clone(if i % 2 == 0 { &fixture.store } else { &other }))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_sixteen_creates_the_table() {
    let fixture = Fixture::new().await;
    let stores = stores(&fixture).await;
    let new = |i: usize| -> NewTable {
        match i % 3 {
            0 => external("x"),
            1 => view("x"),
            _ => fixture.managed("x", &[]),
        }
    };
    let attempts = stores.iter().enumerate().map(|(i, store)| {
        let (store, table) = (Arc::clone(store), new(i));
        async move { store.create_table(table, OnExisting::Fail).await }
    });
    let results: Vec<Result<_>> = join_all(attempts).await;
    let made: Vec<_> = results
        .iter()
        .filter_map(|r| r.as_ref().ok().cloned().flatten())
        .collect();
    assert_eq!(made.len(), 1);
    for error in results.iter().filter_map(|r| r.as_ref().err()) {
        assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    }
    for store in &stores {
        assert_eq!(
            store.table(&main("x")).await.unwrap().as_ref(),
            made.first()
        );
        assert_eq!(store.current_snapshot().await.unwrap(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_appends_all_arrive() {
    let fixture = Fixture::new().await;
    let table = fixture.create(fixture.managed("m", &[])).await;
    let stores = stores(&fixture).await;
    let appends = stores.iter().enumerate().map(|(i, store)| {
        let files = vec![file(&format!("f{i}"), None)];
        async move {
            store
                .commit_files(table.id, 1, FileChange::Append, files)
                .await
        }
    });
    for snapshot in join_all(appends).await {
        snapshot.unwrap();
    }
    let files = fixture.store.data_files(table.id, 17).await.unwrap();
    assert_eq!(files.len(), 16);
    let mut raw = fixture.raw().await;
    let (rows, next): (i64, i64) =
        sqlx::query_as("SELECT record_count, next_row_id FROM ducklake_table_stats")
            .fetch_one(&mut raw)
            .await
            .unwrap();
    assert_eq!((rows, next), (160, 160));
    let starts: Vec<i64> =
        sqlx::query_scalar("SELECT row_id_start FROM ducklake_data_file ORDER BY 1")
            .fetch_all(&mut raw)
            .await
            .unwrap();
    assert_eq!(starts, (0..16).map(|i| i * 10).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_sixteen_overwrites() {
    let fixture = Fixture::new().await;
    let table = fixture.create(fixture.managed("m", &[])).await;
    let stores = stores(&fixture).await;
    let overwrites = stores.iter().enumerate().map(|(i, store)| {
        let files = vec![file(&format!("f{i}"), None)];
        async move {
            store
                .commit_files(table.id, 1, FileChange::Overwrite, files)
                .await
        }
    });
    let results = join_all(overwrites).await;
    assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 1);
    for error in results.into_iter().filter_map(Result::err) {
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert!(error.message().ends_with("try again"), "{error}");
    }
    assert_eq!(
        fixture.store.data_files(table.id, 2).await.unwrap().len(),
        1
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_may_open_a_new_file_together() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("catalog.db");
    let stores = join_all((0..16).map(|_| open_sqlite(&path, "/data"))).await;
    let ids = stores.into_iter().enumerate().map(|(i, store)| async move {
        store
            .unwrap()
            .setting_or_insert("cluster_id", &i.to_string())
            .await
            .unwrap()
    });
    let ids = join_all(ids).await;
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_that_are_dropped_happen_whole_or_not_at_all() {
    let fixture = Fixture::new().await;
    let other = fixture.other().await;
    let mut made = 0;
    for i in 0..150 {
        let mut table = fixture.managed(&format!("t{i}"), &["b"]);
        table.comment = Some("whole".to_owned());
        let files = vec![file("f", Some(Some("x")))];
        let create = fixture
            .store
            .create_table_with_files(table, OnExisting::Fail, files);
        // From before the transaction begins until after it has committed.
        let patience = Duration::from_micros(i * 60);
        made += usize::from(tokio::time::timeout(patience, create).await.is_ok());
    }
    let tables = other.tables(None).await.unwrap();
    assert!(tables.len() >= made);
    let snapshot = other.current_snapshot().await.unwrap();
    assert_eq!(snapshot, tables.len() as i64);
    for table in &tables {
        assert_eq!(
            (table.columns.len(), table.comment.as_deref()),
            (2, Some("whole"))
        );
        assert_eq!(other.data_files(table.id, snapshot).await.unwrap().len(), 1);
    }
    other
        .create_table(external("after"), OnExisting::Fail)
        .await
        .unwrap()
        .unwrap();
    fixture.create(view("last")).await;
}

#[tokio::test]
async fn a_change_is_made_to_what_was_checked_and_to_nothing_that_took_its_name() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    let (name, other) = (main("x"), main("y"));
    let checked = Some(fixture.create(external("x")).await.id);
    // Another session puts something of its own there.
    store
        .create_table(external("x"), OnExisting::Replace)
        .await
        .unwrap();
    let there = store.table(&name).await.unwrap();
    let before = store.current_snapshot().await.unwrap();
    let errors = [
        store
            .drop_table(&name, checked, DropKind::Table, true)
            .await
            .unwrap_err(),
        store
            .rename_table(&name, checked, &other)
            .await
            .unwrap_err(),
        store
            .set_comment(&name, checked, None, Some("mine"))
            .await
            .unwrap_err(),
        store
            .create_table(external("x"), OnExisting::ReplaceOnly(checked))
            .await
            .unwrap_err(),
        store
            .create_table(external("x"), OnExisting::ReplaceOnly(None))
            .await
            .unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
        assert!(error.message().contains("main.x"), "{error}");
    }
    assert_eq!(store.current_snapshot().await.unwrap(), before);
    assert_eq!(store.table(&name).await.unwrap(), there);
    let id = there.map(|table| table.id);
    let replaced = store.create_table(external("x"), OnExisting::ReplaceOnly(id));
    let id = replaced.await.unwrap().map(|table| table.id);
    store.rename_table(&name, id, &other).await.unwrap();
    let dropped = store.drop_table(&other, id, DropKind::Table, false);
    assert_eq!(dropped.await.unwrap().map(|table| table.id), id);
}

#[tokio::test]
async fn a_schema_that_took_the_name_of_another_is_not_changed_for_it() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    let schema_id = async || {
        let rights = store.rights("ann", &ActiveRoles::All).await.unwrap();
        rights.schema_id("s")
    };
    store.create_schema("s", false, None).await.unwrap();
    let checked = schema_id().await;
    assert!(checked.is_some());
    store.drop_schema("s", checked, false, false).await.unwrap();
    assert_eq!(schema_id().await, None);
    store.create_schema("s", false, None).await.unwrap();
    let other = Securable::Schema("s".to_owned());
    let everybody = Grantee::Role("public".to_owned());
    let change = GrantChange {
        schema_id: checked,
        ..give(Privilege::Select, other.clone(), everybody.clone())
    };
    let owned = store.set_owner(&other, checked, &everybody).await;
    for outcome in [
        owned,
        store.grant(&change).await,
        store.revoke(&change).await,
    ] {
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Conflict);
    }
    let error = store
        .drop_schema("s", checked, true, true)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    let now = schema_id().await;
    assert!(store.drop_schema("s", now, false, false).await.unwrap());
}
