//! Statistics, secrets, users and settings.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use waterbuck_engine::ErrorKind;
use waterbuck_engine::sql::{ActiveRoles, Grantee};

use super::fixture::{Fixture, external, main};
use crate::model::{
    ApiToken, ColumnStatistics, DropKind, OnExisting, Secret, TableStatistics, User,
};
use crate::rights::{Limit, RoleChange};

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
        .drop_table(&main("e"), None, DropKind::Table, false)
        .await
        .unwrap();
    assert_eq!(store.statistics(id).await.unwrap(), None);
    let error = store.put_statistics(id, statistics(&[])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn no_file_holds_a_secret_in_clear() {
    let fixture = Fixture::new().await;
    let secret = Secret {
        name: "lake".to_owned(),
        kind: "s3".to_owned(),
        scope: None,
        options: [("key".to_owned(), "hunter2".to_owned())].into(),
    };
    let created = fixture.store.create_secret(secret, OnExisting::Fail);
    assert!(created.await.unwrap());
    fixture.store.set_setting("k", "hunter2").await.unwrap();
    for entry in std::fs::read_dir(fixture.directory.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("hunter2"), "{}", path.display());
    }
    let other = fixture.other().await;
    assert_eq!(
        other.setting("k").await.unwrap().as_deref(),
        Some("hunter2")
    );
    let secret = other.secret("lake").await.unwrap().unwrap();
    assert_eq!(secret.options["key"], "hunter2");
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
        certificate: None,
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

#[tokio::test]
async fn settings_are_forgotten_by_ranges_of_keys() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    for key in ["a.1", "a.2", "a.3", "b"] {
        store.set_setting(key, "x").await.unwrap();
    }
    store.drop_settings("a.", "a.3").await.unwrap();
    assert_eq!(store.setting("a.1").await.unwrap(), None);
    assert_eq!(store.setting("a.2").await.unwrap(), None);
    assert!(store.setting("a.3").await.unwrap().is_some());
    assert!(store.setting("b").await.unwrap().is_some());
}

#[tokio::test]
async fn tokens_belong_to_a_user_and_go_with_them() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    let token = |user: &str, hash: &str| ApiToken {
        name: "etl".to_owned(),
        user: user.to_owned(),
        hash: hash.to_owned(),
        created_at: 1,
        expires_at: (user == "ann").then_some(2),
    };
    let stranger = store.create_token(token("ann", "h1")).await.unwrap_err();
    assert_eq!(stranger.kind(), ErrorKind::NotFound);
    for name in ["admin", "ann"] {
        let user = User {
            name: name.to_owned(),
            password_hash: "$argon2id$".to_owned(),
            admin: name == "admin",
            certificate: None,
        };
        store.put_user(user).await.unwrap();
    }
    store.create_token(token("ann", "h1")).await.unwrap();
    store.create_token(token("admin", "h2")).await.unwrap();
    let again = store.create_token(token("ann", "h3")).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::AlreadyExists);
    let both = [token("admin", "h2"), token("ann", "h1")];
    assert_eq!(store.tokens().await.unwrap(), both);
    assert_eq!(store.token("h1").await.unwrap(), Some(token("ann", "h1")));
    assert!(!format!("{:?}", token("ann", "h1")).contains("h1"));

    let dropped = store.drop_token("admin", "etl", false).await.unwrap();
    assert_eq!(dropped, Some(token("admin", "h2")));
    assert_eq!(store.drop_token("admin", "etl", true).await.unwrap(), None);
    let missing = store.drop_token("admin", "etl", false).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    assert!(store.drop_user("ann", false).await.unwrap());
    assert_eq!(store.token("h1").await.unwrap(), None);
}

#[tokio::test]
async fn limits_belong_to_users_and_roles_and_go_with_them() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    let (ann, reader) = (
        Grantee::User("ann".to_owned()),
        Grantee::Role("reader".to_owned()),
    );
    for name in ["admin", "ann"] {
        let stranger = store.set_limit(&ann, "a", Some("1")).await.unwrap_err();
        assert_eq!(stranger.kind(), ErrorKind::NotFound);
        let user = User {
            name: name.to_owned(),
            password_hash: "$argon2id$".to_owned(),
            admin: name == "admin",
            certificate: None,
        };
        store.put_user(user).await.unwrap();
    }
    let stranger = store.set_limit(&reader, "a", Some("1")).await.unwrap_err();
    assert_eq!(stranger.kind(), ErrorKind::NotFound);
    store.create_role("reader", false).await.unwrap();
    for (of, name, value) in [
        (&ann, "a", Some("1")),
        (&ann, "a", Some("2")),
        (&ann, "b", Some("3")),
        (&ann, "b", None),
        (&reader, "a", Some("4")),
        (&reader, "b", Some("5")),
    ] {
        store.set_limit(of, name, value).await.unwrap();
    }
    let limit = |of: &Grantee, name: &str, value: &str| Limit {
        of: of.clone(),
        name: name.to_owned(),
        value: value.to_owned(),
    };
    let of_role = [limit(&reader, "a", "4"), limit(&reader, "b", "5")];
    let all = [of_role.as_slice(), &[limit(&ann, "a", "2")]].concat();
    assert_eq!(store.limits().await.unwrap(), all);
    let binding = async || {
        let rights = store.rights("ann", &ActiveRoles::None).await.unwrap();
        rights.limits().to_vec()
    };
    assert_eq!(binding().await, [limit(&ann, "a", "2")]);
    let given = RoleChange {
        roles: vec!["reader".to_owned()],
        members: vec![ann.clone()],
        option: false,
        by: "admin".to_owned(),
    };
    store.grant_roles(&given).await.unwrap();
    let both = [limit(&ann, "a", "2"), limit(&reader, "b", "5")];
    assert_eq!(binding().await, both);
    store.drop_user("ann", false).await.unwrap();
    assert_eq!(store.limits().await.unwrap(), of_role);
    store.drop_role("reader", false).await.unwrap();
    assert!(store.limits().await.unwrap().is_empty());
}
