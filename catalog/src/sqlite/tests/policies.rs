//! Row filters, column masks, and whose rights a view runs with.

use waterbuck_engine::ErrorKind;
use waterbuck_engine::sql::{Grantee, PolicyKind, ViewSecurity};

use super::fixture::{external, main, view};
use super::rights::{peopled, rights, role, user};
use crate::model::{DropKind, TableKind, TableName};
use crate::rights::Policy;

fn policy(table_id: i64, name: &str, column: Option<&str>, grantees: &[Grantee]) -> Policy {
    let kind = column.map_or(PolicyKind::RowFilter, |column| PolicyKind::ColumnMask {
        column: column.to_owned(),
    });
    Policy {
        table_id,
        name: name.to_owned(),
        kind,
        expression: "id > 1".to_owned(),
        grantees: grantees.to_vec(),
    }
}

#[tokio::test]
async fn policies_are_kept_checked_and_dropped() {
    let fixture = peopled().await;
    let store = &fixture.store;
    let id = fixture.create(external("e")).await.id;
    let filter = policy(id, "f", None, &[user("ann"), role("r")]);
    let mask = policy(id, "f", Some("text"), &[role("public")]);
    for policy in [&filter, &mask] {
        store.create_policy(policy).await.unwrap();
    }
    let kept = store.policies(id).await.unwrap();
    assert_eq!(kept, [filter.clone(), mask.clone()]);
    let error = store.create_policy(&filter).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    let rival = policy(id, "g", Some("text"), &[role("public")]);
    let error = store.create_policy(&rival).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidQuery);
    let absent = policy(id, "g", Some("absent"), &[role("public")]);
    let error = store.create_policy(&absent).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let bob = rights(&fixture, "bob").await;
    assert_eq!(bob.mask(id, "text").unwrap().name, "f");
    assert_eq!(bob.row_filters(id).count(), 0);
    assert_eq!(rights(&fixture, "ann").await.row_filters(id).count(), 1);
    store.drop_user("ann", false).await.unwrap();
    let kept = store.policies(id).await.unwrap();
    assert_eq!(kept[0].grantees, [role("r")]);
    assert!(store.drop_policy(id, "f", true, false).await.unwrap());
    assert!(!store.drop_policy(id, "f", true, true).await.unwrap());
    let error = store.drop_policy(id, "f", true, false).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let dropped = store
        .drop_table(&main("e"), None, DropKind::Table, false)
        .await;
    dropped.unwrap();
    assert!(store.policies(id).await.unwrap().is_empty());
    let error = store.create_policy(&filter).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    let view = fixture.create(view("v")).await;
    let on_view = policy(view.id, "f", None, &[role("r")]);
    let error = store.create_policy(&on_view).await.unwrap_err();
    assert!(
        error.message().starts_with("view \"main.v\" takes no"),
        "{error}"
    );
}

#[tokio::test]
async fn views_keep_whose_rights_they_run_with() {
    let fixture = peopled().await;
    let mut invoker = view("v");
    let TableKind::View(kind) = &mut invoker.kind else {
        panic!("a view");
    };
    kind.security = ViewSecurity::Invoker;
    fixture.create(invoker).await;
    fixture.create(view("w")).await;
    let to = TableName::new("main", "x");
    fixture
        .store
        .rename_table(&main("v"), None, &to)
        .await
        .unwrap();
    let other = fixture.other().await;
    for (name, expected) in [("x", ViewSecurity::Invoker), ("w", ViewSecurity::Definer)] {
        let table = other.table(&main(name)).await.unwrap().unwrap();
        let TableKind::View(view) = table.kind else {
            panic!("a view");
        };
        assert_eq!(view.security, expected);
    }
}
