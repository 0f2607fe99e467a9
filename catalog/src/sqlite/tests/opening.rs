//! Making, reopening and refusing catalog files.

use waterbuck_engine::ErrorKind;
use waterbuck_engine::sql::{ActiveRoles, Privilege};

use super::fixture::{Fixture, external, file, main, path, view};
use crate::model::{FileChange, TableDef, TableKind};
use crate::open_sqlite;
use crate::rights::Securable;

#[tokio::test]
async fn a_new_catalog_has_the_layout_of_the_specification() {
    let fixture = Fixture::new().await;
    let mut raw = fixture.raw().await;
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'ducklake_%'",
    )
    .fetch_all(&mut raw)
    .await
    .unwrap();
    assert_eq!(tables.len(), 28);
    let metadata: Vec<(String, String)> =
        sqlx::query_as("SELECT key, value FROM ducklake_metadata")
            .fetch_all(&mut raw)
            .await
            .unwrap();
    assert_eq!(metadata[0], ("version".to_owned(), "1.0".to_owned()));
    assert_eq!(
        metadata[2],
        ("data_path".to_owned(), fixture.store.data_path().to_owned())
    );
    assert_eq!(metadata[3], ("encrypted".to_owned(), "false".to_owned()));
    assert_eq!(fixture.store.current_snapshot().await.unwrap(), 0);
    assert_eq!(fixture.store.schemas().await.unwrap()[0].name, "main");
}

#[tokio::test]
async fn every_change_is_one_snapshot_with_growing_ids() {
    let fixture = Fixture::new().await;
    let table = fixture.create(fixture.managed("m", &["b"])).await;
    fixture.create(external("e")).await;
    let files = vec![file("f", Some(Some("x"))), file("g", Some(None))];
    fixture
        .store
        .commit_files(table.id, 2, FileChange::Append, files)
        .await
        .unwrap();
    let mut raw = fixture.raw().await;
    let rows: Vec<(i64, i64, i64, i64, String, Option<String>)> = sqlx::query_as(
        "SELECT snapshot_id, schema_version, next_catalog_id, next_file_id, changes_made,
           commit_extra_info
         FROM ducklake_snapshot JOIN ducklake_snapshot_changes USING (snapshot_id) ORDER BY 1",
    )
    .fetch_all(&mut raw)
    .await
    .unwrap();
    let own = r#"{"waterbuck":["created_external:\"main\".\"e\""]}"#.to_owned();
    assert_eq!(
        rows,
        [
            (0, 0, 1, 0, "created_schema:\"main\"".to_owned(), None),
            (1, 1, 3, 1, "created_table:\"main\".\"m\"".to_owned(), None),
            (2, 2, 4, 1, String::new(), Some(own)),
            (3, 2, 4, 3, "inserted_into_table:1".to_owned(), None),
        ]
    );
}

#[tokio::test]
async fn other_versions_and_other_files_are_refused() {
    let fixture = Fixture::new().await;
    for (sql, said) in [
        (
            "UPDATE ducklake_metadata SET value = '1.1' WHERE key = 'version'",
            "layout \"1.1\"",
        ),
        (
            "UPDATE ducklake_metadata SET value = '1.0' WHERE key = 'version'",
            "",
        ),
        (
            "UPDATE ducklake_metadata SET value = 'DuckDB' WHERE key = 'created_by'",
            "made by \"DuckDB\"",
        ),
        (
            "UPDATE ducklake_metadata SET value = 'Waterbuck' WHERE key = 'created_by'",
            "",
        ),
        (
            "UPDATE wb_setting SET value = '99' WHERE key = 'catalog.layout_version'",
            "layout \"99\"",
        ),
    ] {
        sqlx::raw_sql(sql)
            .execute(&mut fixture.raw().await)
            .await
            .unwrap();
        let opened = open_sqlite(&path(&fixture.directory), fixture.store.data_path()).await;
        match opened {
            Ok(_) => assert_eq!(said, ""),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Unsupported);
                assert!(
                    error.message().contains(said) && !said.is_empty(),
                    "{error}"
                );
            }
        }
    }
}

#[tokio::test]
async fn what_is_no_catalog_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let text = directory.path().join("notes.txt");
    std::fs::write(&text, "x".repeat(5000)).unwrap();
    let error = open_sqlite(&text, "/data").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    assert_eq!(std::fs::read_to_string(&text).unwrap(), "x".repeat(5000));

    let fixture = Fixture::new().await;
    let sql = "ALTER TABLE ducklake_metadata RENAME TO something_else";
    sqlx::raw_sql(sql)
        .execute(&mut fixture.raw().await)
        .await
        .unwrap();
    let error = open_sqlite(&path(&fixture.directory), "/data")
        .await
        .unwrap_err();
    assert!(
        error
            .message()
            .ends_with("is a SQLite file but not a Waterbuck catalog"),
        "{error}"
    );
}

#[tokio::test]
async fn tables_move_with_the_data_directory() {
    let fixture = Fixture::new().await;
    let table = fixture.create(fixture.managed("m", &[])).await;
    fixture
        .store
        .commit_files(table.id, 1, FileChange::Append, vec![file("f", None)])
        .await
        .unwrap();
    let moved = open_sqlite(&path(&fixture.directory), "s3://bucket/lake")
        .await
        .unwrap();
    let TableKind::Managed(managed) = moved.table(&main("m")).await.unwrap().unwrap().kind else {
        panic!("a managed table");
    };
    assert_eq!(managed.path, "s3://bucket/lake/main/m/");
    let files = moved.data_files(table.id, 2).await.unwrap();
    assert_eq!(files[0].path, "s3://bucket/lake/main/m/f.parquet");
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;

    let fixture = Fixture::new().await;
    let mode = std::fs::metadata(path(&fixture.directory))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// The file as the version made it that knew tokens and no roles.
const SECOND_LAYOUT: &str = "
    DROP TABLE wb_role; DROP TABLE wb_role_member; DROP TABLE wb_grant; DROP TABLE wb_owner;
    DROP TABLE wb_policy; DROP TABLE wb_invoker_view;
    DROP TABLE wb_role_limit; DROP TABLE wb_certificate;
    ALTER TABLE wb_user ADD COLUMN admin BIGINT NOT NULL DEFAULT 0;
    INSERT INTO wb_user VALUES ('admin', 'h', 1), ('ann', 'h', 0);
    INSERT INTO wb_token VALUES ('h1', 'ann', 'etl', 1, NULL);
    UPDATE wb_setting SET value = '2' WHERE key = 'catalog.layout_version';";

/// What makes the version before of that one.
const FIRST_LAYOUT: &str = "
    DROP TABLE wb_token; DROP TABLE wb_limit;
    UPDATE wb_setting SET value = '1' WHERE key = 'catalog.layout_version';";

#[tokio::test]
async fn catalogs_of_versions_before_are_upgraded_and_nobody_loses_a_right() {
    for (scripts, tokens) in [
        (vec![SECOND_LAYOUT], 1),
        (vec![SECOND_LAYOUT, FIRST_LAYOUT], 0),
    ] {
        let fixture = Fixture::new().await;
        let table = fixture.create(fixture.managed("m", &[])).await;
        fixture.create(view("v")).await;
        let mut raw = fixture.raw().await;
        for script in scripts {
            sqlx::raw_sql(script).execute(&mut raw).await.unwrap();
        }
        is_upgraded(&fixture, &table, tokens).await;
    }
}

async fn is_upgraded(fixture: &Fixture, table: &TableDef, tokens: usize) {
    for _ in 0..2 {
        let store = fixture.other().await;
        let users = store.users().await.unwrap();
        let users: Vec<_> = users.iter().map(|u| (u.name.as_str(), u.admin)).collect();
        assert_eq!(users, [("admin", true), ("ann", false)]);
        assert_eq!(store.roles().await.unwrap(), ["admin", "public"]);
        assert_eq!(store.tables(None).await.unwrap().len(), 2);
        let ann = store.rights("ann", &ActiveRoles::All).await.unwrap();
        let object = Securable::of(table);
        assert!(ann.may(Privilege::Insert, &object, None) && !ann.is_admin());
        assert_eq!(store.tokens().await.unwrap().len(), tokens);
        assert!(store.limits().await.unwrap().is_empty());
    }
}
