//! Creating, dropping, renaming, commenting.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, TimeUnit};
use waterbuck_engine::ErrorKind;

use super::fixture::{Fixture, external, main, view};
use crate::model::{ColumnDef, DropKind, OnExisting, TableKind, TableName};

#[tokio::test]
async fn definitions_come_back_as_they_were_given() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    for new in [external("e"), view("v"), fixture.managed("m", &["b"])] {
        let created = fixture.create(new.clone()).await;
        let read = store.table(&new.name).await.unwrap().unwrap();
        assert_eq!(read, created);
        assert_eq!(
            (read.name, read.kind, read.columns, read.comment),
            (new.name, new.kind, new.columns, new.comment)
        );
    }
    let names: Vec<_> = store
        .tables(None)
        .await
        .unwrap()
        .into_iter()
        .map(|table| table.name.name)
        .collect();
    assert_eq!(names, ["e", "m", "v"]);
    let reopened = fixture.other().await;
    assert_eq!(
        reopened.tables(None).await.unwrap(),
        store.tables(Some("main")).await.unwrap()
    );
}

#[tokio::test]
async fn managed_columns_keep_exact_types_defaults_and_comments() {
    let fixture = Fixture::new().await;
    let mut table = fixture.managed("m", &[]);
    let inner = Field::new(
        "x",
        DataType::Timestamp(TimeUnit::Second, Some("Asia/Tokyo".into())),
        false,
    );
    let list = DataType::LargeList(Arc::new(Field::new("element", DataType::Utf8View, false)));
    for (name, data_type) in [
        ("s", DataType::Struct(vec![inner].into())),
        ("l", list),
        (
            "d",
            DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8)),
        ),
        ("n", DataType::Decimal128(20, 4)),
    ] {
        table.columns.push(ColumnDef::new(name, data_type, true));
    }
    table.columns[0].default = Some("1 + 1".to_owned());
    table.columns[2].comment = Some("a struct".to_owned());
    let created = fixture.create(table.clone()).await;
    assert_eq!(created.columns, table.columns);
    assert_eq!(fixture.store.tables(None).await.unwrap(), [created]);
}

#[tokio::test]
async fn a_name_is_taken_by_any_kind() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    fixture.create(external("x")).await;
    for new in [external("x"), view("x"), fixture.managed("x", &[])] {
        let error = store
            .create_table(new.clone(), OnExisting::Fail)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert_eq!(
            error.message(),
            "table \"x\" already exists in schema \"main\""
        );
        assert_eq!(
            store.create_table(new, OnExisting::Skip).await.unwrap(),
            None
        );
    }
    let error = store
        .create_table(view("x"), OnExisting::Replace)
        .await
        .unwrap_err();
    assert_eq!(
        error.message(),
        "\"main.x\" is a table, not a view: drop it first"
    );
    let replaced = store
        .create_table(fixture.managed("x", &[]), OnExisting::Replace)
        .await
        .unwrap();
    assert!(matches!(replaced.unwrap().kind, TableKind::Managed(_)));
    assert_eq!(store.tables(None).await.unwrap().len(), 1);
}

#[tokio::test]
async fn refused_statements_leave_no_snapshot() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    let before = store.current_snapshot().await.unwrap();
    let mut twice = external("x");
    twice.columns[1].name = "id".to_owned();
    let mut all_partitions = fixture.managed("x", &["a", "b"]);
    let mut unknown = fixture.managed("x", &["c"]);
    let mut elsewhere = external("x");
    elsewhere.name.schema = "mian".to_owned();
    all_partitions.comment = Some("no column is left".to_owned());
    unknown.comment = Some("no such column".to_owned());
    for table in [twice, all_partitions, unknown] {
        assert!(store.create_table(table, OnExisting::Fail).await.is_err());
    }
    let error = store
        .create_table(elsewhere, OnExisting::Fail)
        .await
        .unwrap_err();
    assert_eq!(
        error.message(),
        "schema \"mian\" does not exist; did you mean \"main\"?"
    );
    assert_eq!(store.current_snapshot().await.unwrap(), before);
    assert_eq!(store.tables(None).await.unwrap(), []);
}

#[tokio::test]
async fn dropping_says_what_is_there() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    fixture.create(view("orders")).await;
    let error = store
        .drop_table(&main("ordrs"), None, DropKind::View, false)
        .await
        .unwrap_err();
    assert_eq!(
        error.message(),
        "view \"ordrs\" does not exist in schema \"main\"; did you mean \"orders\"?"
    );
    let error = store
        .drop_table(
            &TableName::new("man", "orders"),
            None,
            DropKind::View,
            false,
        )
        .await
        .unwrap_err();
    assert_eq!(
        error.message(),
        "schema \"man\" does not exist; did you mean \"main\"?"
    );
    assert_eq!(
        store
            .drop_table(&main("ordrs"), None, DropKind::View, true)
            .await
            .unwrap(),
        None
    );
    let error = store
        .drop_table(&main("orders"), None, DropKind::Table, true)
        .await
        .unwrap_err();
    assert_eq!(error.message(), "\"main.orders\" is a view: use DROP VIEW");
    let dropped = store
        .drop_table(&main("orders"), None, DropKind::View, false)
        .await
        .unwrap();
    assert_eq!(dropped.unwrap().name, main("orders"));
    assert_eq!(store.table(&main("orders")).await.unwrap(), None);
    fixture.create(external("orders")).await;
}

#[tokio::test]
async fn renaming_keeps_everything_but_the_name() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    store.create_schema("other", false, None).await.unwrap();
    for (new, moved) in [
        (external("e"), "e2"),
        (view("v"), "v2"),
        (fixture.managed("m", &["b"]), "m2"),
    ] {
        let before = fixture.create(new).await;
        let to = TableName::new("other", moved);
        store.rename_table(&before.name, None, &to).await.unwrap();
        assert_eq!(store.table(&before.name).await.unwrap(), None);
        let after = store.table(&to).await.unwrap().unwrap();
        assert!(after.begin_snapshot > before.begin_snapshot);
        assert_eq!((after.id, after.uuid), (before.id, before.uuid));
        assert_eq!(
            (after.kind, after.columns, after.comment),
            (before.kind, before.columns, before.comment)
        );
    }
    let (from, to) = (TableName::new("other", "e2"), TableName::new("other", "v2"));
    let error = store.rename_table(&from, None, &to).await.unwrap_err();
    assert_eq!(
        error.message(),
        "view \"v2\" already exists in schema \"other\""
    );
}

#[tokio::test]
async fn comments_are_set_and_removed() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    for new in [external("e"), view("v"), fixture.managed("m", &[])] {
        let table = fixture.create(new).await;
        let column = &table.columns[0].name;
        store
            .set_comment(&table.name, None, None, Some("whole"))
            .await
            .unwrap();
        store
            .set_comment(&table.name, None, Some(column), Some("part"))
            .await
            .unwrap();
        let read = store.table(&table.name).await.unwrap().unwrap();
        assert_eq!(read.comment.as_deref(), Some("whole"));
        assert_eq!(read.columns[0].comment.as_deref(), Some("part"));
        assert_eq!(read.columns.len(), table.columns.len());
        store
            .set_comment(&table.name, None, None, None)
            .await
            .unwrap();
        store
            .set_comment(&table.name, None, Some(column), None)
            .await
            .unwrap();
        let read = store.table(&table.name).await.unwrap().unwrap();
        assert_eq!((read.comment, &read.columns[0].comment), (None, &None));
    }
    let error = store
        .set_comment(&main("m"), None, Some("c"), None)
        .await
        .unwrap_err();
    assert!(
        error
            .message()
            .starts_with("column \"c\" does not exist in \"main.m\""),
        "{error}"
    );
    store
        .set_schema_comment("main", Some("the first"))
        .await
        .unwrap();
    assert_eq!(
        store.schemas().await.unwrap()[0].comment.as_deref(),
        Some("the first")
    );
}

#[tokio::test]
async fn schemas_are_dropped_empty_or_by_cascade() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    assert!(store.create_schema("s", false, None).await.unwrap());
    assert!(!store.create_schema("s", true, None).await.unwrap());
    let error = store.create_schema("s", false, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    for mut table in [external("e"), view("d"), fixture.managed("m", &[])] {
        table.name.schema = "s".to_owned();
        fixture.create(table).await;
    }
    let error = store
        .drop_schema("s", None, false, false)
        .await
        .unwrap_err();
    assert_eq!(
        error.message(),
        "schema \"s\" is not empty: it has view \"d\" and others; drop it first or use CASCADE"
    );
    assert!(store.drop_schema("s", None, false, true).await.unwrap());
    assert!(!store.drop_schema("s", None, true, false).await.unwrap());
    assert_eq!(
        store
            .drop_schema("s", None, false, false)
            .await
            .unwrap_err()
            .kind(),
        ErrorKind::NotFound
    );
    assert_eq!(store.tables(None).await.unwrap(), []);
    assert!(store.tables(Some("s")).await.is_err());
    assert!(store.drop_schema("main", None, false, true).await.is_err());
    assert!(store.create_schema("s", false, None).await.unwrap());
}

#[tokio::test]
async fn inferred_columns_replace_the_old_ones_once() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    let table = fixture.create(external("e")).await;
    let columns = vec![ColumnDef::new("id", DataType::Int64, true)];
    store
        .set_external_columns(table.id, columns.clone())
        .await
        .unwrap();
    assert_eq!(
        store.table(&main("e")).await.unwrap().unwrap().columns,
        columns
    );
    let snapshot = store.current_snapshot().await.unwrap();
    store
        .set_external_columns(table.id, columns.clone())
        .await
        .unwrap();
    assert_eq!(store.current_snapshot().await.unwrap(), snapshot);
    store
        .drop_table(&main("e"), None, DropKind::Table, false)
        .await
        .unwrap();
    let error = store
        .set_external_columns(table.id, columns)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn the_memory_of_names_is_never_stale() {
    let fixture = Fixture::new().await;
    let (one, two) = (&fixture.store, fixture.other().await);
    for round in 0..20 {
        let name = main("e");
        assert_eq!(two.table(&name).await.unwrap(), None, "{round}");
        let made = one
            .create_table(external("e"), OnExisting::Fail)
            .await
            .unwrap();
        assert_eq!(two.table(&name).await.unwrap(), made, "{round}");
        assert_eq!(one.table(&name).await.unwrap(), made, "{round}");
        two.set_comment(&name, None, None, Some(&round.to_string()))
            .await
            .unwrap();
        let comment = one.table(&name).await.unwrap().unwrap().comment;
        assert_eq!(comment, Some(round.to_string()));
        one.drop_table(&name, None, DropKind::Table, false)
            .await
            .unwrap();
    }
}
