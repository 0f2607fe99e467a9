//! Statistics, secrets, users and settings.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use waterbuck_engine::ErrorKind;

use super::fixture::{Fixture, external, main};
use crate::model::{ColumnStatistics, DropKind, OnExisting, Secret, TableStatistics, User};

fn column(distinct: u64) -> ColumnStatistics {
    ColumnStatistics {
        distinct_count: Some(distinct),
        null_fraction: 0.25,
        min: Some("1".to_owned()),
        max: None,
        average_width: 8.5,
        sketch: Some(vec![0, 255]),
    }
}

fn statistics(columns: &[(&str, u64)]) -> TableStatistics {
    TableStatistics {
        row_count: 7,
        computed_at: DateTime::<Utc>::from_timestamp_micros(1_700_000_000_000_001).unwrap(),
        columns: columns
            .iter()
            .map(|(name, count)| ((*name).to_owned(), column(*count)))
            .collect(),
    }
}

#[tokio::test]
async fn statistics_live_as_long_as_the_table() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    let id = fixture.create(external("e")).await.id;
    assert_eq!(store.statistics(id).await.unwrap(), None);
    store
        .put_statistics(id, statistics(&[("id", 3), ("text", 4)]))
        .await
        .unwrap();
    assert_eq!(
        store.statistics(id).await.unwrap(),
        Some(statistics(&[("id", 3), ("text", 4)]))
    );
    store
        .put_statistics(id, statistics(&[("id", 5)]))
        .await
        .unwrap();
    assert_eq!(
        store.statistics(id).await.unwrap(),
        Some(statistics(&[("id", 5), ("text", 4)]))
    );
    store.drop_statistics(id).await.unwrap();
    assert_eq!(store.statistics(id).await.unwrap(), None);
    store
        .put_statistics(id, statistics(&[("id", 5)]))
        .await
        .unwrap();
    store
        .drop_table(&main("e"), DropKind::Table, false)
        .await
        .unwrap();
    assert_eq!(store.statistics(id).await.unwrap(), None);
    let error = store.put_statistics(id, statistics(&[])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn secrets_are_kept_and_not_shown() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    let options: BTreeMap<_, _> = [("key".to_owned(), "hunter2".to_owned())].into();
    let secret = Secret {
        name: "lake".to_owned(),
        kind: "s3".to_owned(),
        scope: Some("s3://bucket/".to_owned()),
        options,
    };
    assert!(!format!("{secret:?}").contains("hunter2"));
    assert!(
        store
            .create_secret(secret.clone(), OnExisting::Fail)
            .await
            .unwrap()
    );
    assert!(
        !store
            .create_secret(secret.clone(), OnExisting::Skip)
            .await
            .unwrap()
    );
    let error = store
        .create_secret(secret.clone(), OnExisting::Fail)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    let changed = Secret {
        scope: None,
        ..secret
    };
    assert!(
        store
            .create_secret(changed.clone(), OnExisting::Replace)
            .await
            .unwrap()
    );
    assert_eq!(store.secret("lake").await.unwrap(), Some(changed.clone()));
    assert_eq!(store.secrets().await.unwrap(), [changed]);
    let error = store.drop_secret("lak", false).await.unwrap_err();
    assert_eq!(
        error.message(),
        "secret \"lak\" does not exist; did you mean \"lake\"?"
    );
    assert!(store.drop_secret("lake", false).await.unwrap());
    assert!(!store.drop_secret("lake", true).await.unwrap());
}

#[tokio::test]
async fn the_last_admin_stays() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    let user = |name: &str, admin| User {
        name: name.to_owned(),
        password_hash: "$argon2id$".to_owned(),
        admin,
    };
    assert!(!format!("{:?}", user("admin", true)).contains("argon"));
    store.put_user(user("admin", true)).await.unwrap();
    store.create_user(user("ann", false)).await.unwrap();
    let error = store.create_user(user("ann", true)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert!(store.put_user(user("admin", false)).await.is_err());
    assert!(store.drop_user("admin", false).await.is_err());
    store.put_user(user("ann", true)).await.unwrap();
    assert!(store.drop_user("admin", false).await.unwrap());
    assert!(!store.drop_user("admin", true).await.unwrap());
    assert_eq!(store.user("ann").await.unwrap(), Some(user("ann", true)));
    assert_eq!(store.users().await.unwrap(), [user("ann", true)]);
    assert_eq!(
        store.drop_user("an", false).await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
}

#[tokio::test]
async fn settings_are_values_by_key() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    assert_eq!(store.setting("k").await.unwrap(), None);
    assert_eq!(store.setting_or_insert("k", "1").await.unwrap(), "1");
    assert_eq!(store.setting_or_insert("k", "2").await.unwrap(), "1");
    store.set_setting("k", "3").await.unwrap();
    assert_eq!(
        fixture.other().await.setting("k").await.unwrap().as_deref(),
        Some("3")
    );
}
