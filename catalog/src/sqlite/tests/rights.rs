//! Roles, grants and owners: what they promise, and how they end.

use waterbuck_engine::ErrorKind;
use waterbuck_engine::sql::{ActiveRoles, Grantee, Privilege};

use super::fixture::{Fixture, external, main, view};
use crate::model::{DropKind, NewTable, OnExisting, TableDef, User};
use crate::rights::{GrantChange, GrantTarget, Rights, RoleChange, Securable};

pub(super) fn user(name: &str) -> Grantee {
    Grantee::User(name.to_owned())
}

pub(super) fn role(name: &str) -> Grantee {
    Grantee::Role(name.to_owned())
}

/// A catalog with the users `admin`, `ann`, `bob` and the roles `q`, `r`.
pub(super) async fn peopled() -> Fixture {
    let fixture = Fixture::new().await;
    for name in ["admin", "ann", "bob"] {
        let user = User {
            name: name.to_owned(),
            password_hash: "$argon2id$".to_owned(),
            admin: name == "admin",
            certificate: None,
        };
        fixture.store.create_user(user).await.unwrap();
    }
    for name in ["q", "r"] {
        assert!(fixture.store.create_role(name, false).await.unwrap());
    }
    fixture
}

pub(super) fn give(privilege: Privilege, object: Securable, to: Grantee) -> GrantChange {
    GrantChange {
        schema_id: None,
        targets: vec![GrantTarget {
            privilege,
            object,
            column: None,
        }],
        grantees: vec![to],
        option: false,
        by: "admin".to_owned(),
    }
}

fn roles(roles: &[&str], member: Grantee) -> RoleChange {
    RoleChange {
        roles: roles.iter().map(|&role| role.to_owned()).collect(),
        members: vec![member],
        option: false,
        by: "admin".to_owned(),
    }
}

fn owned(table: NewTable, owner: Grantee) -> NewTable {
    NewTable {
        owner: Some(owner),
        ..table
    }
}

pub(super) async fn rights(fixture: &Fixture, name: &str) -> Rights {
    let store = fixture.other().await;
    store.rights(name, &ActiveRoles::All).await.unwrap()
}

async fn may_select(fixture: &Fixture, name: &str, table: &TableDef) -> bool {
    let object = Securable::of(table);
    let rights = rights(fixture, name).await;
    rights.may(Privilege::Select, &object, None)
}

#[tokio::test]
async fn grants_follow_a_table_through_a_rename_and_end_with_it() {
    let fixture = peopled().await;
    let store = &fixture.store;
    let table = fixture.create(external("e")).await;
    let change = give(Privilege::Select, Securable::of(&table), user("ann"));
    store.grant(&change).await.unwrap();
    assert!(may_select(&fixture, "ann", &table).await);
    assert!(!may_select(&fixture, "bob", &table).await);
    store
        .rename_table(&main("e"), None, &main("f"))
        .await
        .unwrap();
    assert!(may_select(&fixture, "ann", &table).await);
    let grants = store.grants().await.unwrap();
    let is_on_f = |object: &Securable| object.to_string() == "table \"main.f\"";
    assert!(grants.iter().any(|granted| is_on_f(&granted.target.object)));
    let dropped = store
        .drop_table(&main("f"), None, DropKind::Table, false)
        .await;
    dropped.unwrap();
    assert!(!may_select(&fixture, "ann", &table).await);
    let error = store.grant(&change).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
}

#[tokio::test]
async fn a_replaced_table_is_another_table() {
    let fixture = peopled().await;
    let store = &fixture.store;
    let table = fixture.create(owned(external("e"), user("ann"))).await;
    let change = give(Privilege::Select, Securable::of(&table), user("bob"));
    store.grant(&change).await.unwrap();
    let new = owned(external("e"), role("q"));
    let new = store.create_table(new, OnExisting::Replace).await;
    let new = new.unwrap().unwrap();
    assert_eq!(new.owner, Some(role("q")));
    assert!(!may_select(&fixture, "bob", &new).await);
    assert!(!rights(&fixture, "ann").await.owns(&Securable::of(&new)));
}

#[tokio::test]
async fn a_dropped_schema_takes_its_grants_along() {
    let fixture = peopled().await;
    let store = &fixture.store;
    store.create_schema("s", false, None).await.unwrap();
    let object = || Securable::Schema("s".to_owned());
    let change = give(Privilege::Create, object(), user("ann"));
    store.grant(&change).await.unwrap();
    let may = |rights: Rights| rights.may(Privilege::Create, &object(), None);
    assert!(may(rights(&fixture, "ann").await));
    store.drop_schema("s", None, false, false).await.unwrap();
    store.create_schema("s", false, None).await.unwrap();
    assert!(!may(rights(&fixture, "ann").await));
}

#[tokio::test]
async fn makers_own_what_they_make_and_can_give_it_away() {
    let fixture = peopled().await;
    let store = &fixture.store;
    let owner = user("ann");
    store.create_schema("s", false, Some(&owner)).await.unwrap();
    let schemas = store.schemas().await.unwrap();
    assert_eq!(schemas[1].owner, Some(owner.clone()));
    let table = fixture
        .create(owned(fixture.managed("m", &[]), owner))
        .await;
    let object = Securable::of(&table);
    assert_eq!(table.owner, Some(user("ann")));
    assert!(rights(&fixture, "ann").await.owns(&object));
    let other = fixture.other().await;
    assert_eq!(other.table(&main("m")).await.unwrap().unwrap(), table);
    store.set_owner(&object, None, &role("r")).await.unwrap();
    let now = other.table(&main("m")).await.unwrap().unwrap();
    assert_eq!(now.owner, Some(role("r")));
    assert!(!rights(&fixture, "ann").await.owns(&object));
    store
        .grant_roles(&roles(&["r"], user("bob")))
        .await
        .unwrap();
    assert!(rights(&fixture, "bob").await.owns(&object));
    let error = store
        .set_owner(&object, None, &user("an"))
        .await
        .unwrap_err();
    assert_eq!(
        error.message(),
        "user \"an\" does not exist; did you mean \"ann\"?"
    );
    let stranger = fixture.create(owned(external("e"), user("embedded"))).await;
    assert_eq!(stranger.owner, None);
}

#[tokio::test]
async fn owners_are_not_dropped() {
    let fixture = peopled().await;
    let store = &fixture.store;
    fixture.create(owned(external("e"), user("ann"))).await;
    fixture.create(owned(view("v"), user("ann"))).await;
    let error = store.drop_user("ann", false).await.unwrap_err();
    let said = "user \"ann\" owns table \"main.e\" and 1 more";
    assert!(error.message().starts_with(said), "{error}");
    store
        .create_schema("s", false, Some(&role("q")))
        .await
        .unwrap();
    let error = store.drop_role("q", false).await.unwrap_err();
    let said = "role \"q\" owns schema \"s\":";
    assert!(error.message().starts_with(said), "{error}");
    for (name, kind) in [("e", DropKind::Table), ("v", DropKind::View)] {
        store
            .drop_table(&main(name), None, kind, false)
            .await
            .unwrap();
    }
    assert!(store.drop_user("ann", false).await.unwrap());
}

#[tokio::test]
async fn what_was_given_goes_with_whom_it_was_given_to() {
    let fixture = peopled().await;
    let store = &fixture.store;
    let table = fixture.create(external("e")).await;
    for grantee in [user("ann"), role("r")] {
        let change = give(Privilege::Select, Securable::of(&table), grantee);
        store.grant(&change).await.unwrap();
    }
    store
        .grant_roles(&roles(&["r"], user("ann")))
        .await
        .unwrap();
    store
        .grant_roles(&roles(&["r"], user("bob")))
        .await
        .unwrap();
    assert!(may_select(&fixture, "bob", &table).await);
    store.drop_user("ann", false).await.unwrap();
    assert!(!may_select(&fixture, "ann", &table).await);
    store.drop_role("r", false).await.unwrap();
    assert!(!may_select(&fixture, "bob", &table).await);
    assert!(store.create_role("r", false).await.unwrap());
    assert!(!may_select(&fixture, "bob", &table).await);
    let grants = store.grants().await.unwrap();
    assert!(grants.iter().all(|given| given.grantee == role("public")));
}

#[tokio::test]
async fn roles_go_in_no_circle() {
    let fixture = peopled().await;
    let store = &fixture.store;
    store.create_role("p", false).await.unwrap();
    store.grant_roles(&roles(&["p"], role("q"))).await.unwrap();
    store.grant_roles(&roles(&["q"], role("r"))).await.unwrap();
    for (given, to) in [("r", "p"), ("r", "q"), ("p", "p")] {
        let error = store.grant_roles(&roles(&[given], role(to))).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::InvalidQuery);
    }
    assert_eq!(store.memberships().await.unwrap().len(), 3);
    let error = store.grant_roles(&roles(&["public"], user("ann"))).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::InvalidQuery);
    let error = store.grant_roles(&roles(&["p", "s"], user("ann"))).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(store.memberships().await.unwrap().len(), 3);
}

#[tokio::test]
async fn built_in_roles_and_words_are_no_names() {
    let fixture = peopled().await;
    let store = &fixture.store;
    for name in ["admin", "public", "q"] {
        let error = store.create_role(name, false).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert!(!store.create_role(name, true).await.unwrap());
    }
    for name in ["", "all", "none"] {
        assert!(store.create_role(name, false).await.is_err(), "{name}");
    }
    for name in ["admin", "public"] {
        assert!(store.drop_role(name, true).await.is_err(), "{name}");
    }
    assert!(!store.drop_role("absent", true).await.unwrap());
    let error = store.drop_role("absent", false).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn somebody_stays_an_administrator_and_not_everybody_becomes_one() {
    let fixture = peopled().await;
    let store = &fixture.store;
    let admin = |name: &'static str| async move {
        let user = store.user(name).await.unwrap().unwrap();
        user.admin
    };
    assert!(
        store
            .revoke_roles(&roles(&["admin"], user("admin")))
            .await
            .is_err()
    );
    store
        .grant_roles(&roles(&["admin"], role("q")))
        .await
        .unwrap();
    store
        .grant_roles(&roles(&["q"], user("ann")))
        .await
        .unwrap();
    assert!(admin("ann").await && rights(&fixture, "ann").await.is_admin());
    store
        .revoke_roles(&roles(&["admin"], user("admin")))
        .await
        .unwrap();
    assert!(!admin("admin").await);
    for change in [roles(&["admin"], role("q")), roles(&["q"], user("ann"))] {
        assert!(store.revoke_roles(&change).await.is_err());
    }
    assert!(store.drop_role("q", false).await.is_err());
    let mut ann = store.user("ann").await.unwrap().unwrap();
    ann.admin = false;
    let error = store.put_user(ann).await.unwrap_err();
    assert!(error.message().contains("through another role"), "{error}");
    for change in [
        roles(&["admin"], role("public")),
        roles(&["q"], role("public")),
    ] {
        let error = store.grant_roles(&change).await.unwrap_err();
        assert!(error.message().contains("everybody"), "{error}");
    }
}

#[tokio::test]
async fn the_option_is_taken_away_alone() {
    let fixture = peopled().await;
    let store = &fixture.store;
    let table = fixture.create(external("e")).await;
    let object = Securable::of(&table);
    let mut change = give(Privilege::Select, object.clone(), user("ann"));
    change.option = true;
    store.grant(&change).await.unwrap();
    store
        .grant(&give(Privilege::Select, object.clone(), user("ann")))
        .await
        .unwrap();
    let ann = rights(&fixture, "ann").await;
    assert!(ann.may_grant(Privilege::Select, &object, None));
    store.revoke(&change).await.unwrap();
    let ann = rights(&fixture, "ann").await;
    assert!(!ann.may_grant(Privilege::Select, &object, None));
    assert!(ann.may(Privilege::Select, &object, None));
    let mut change = roles(&["r"], user("ann"));
    change.option = true;
    store.grant_roles(&change).await.unwrap();
    assert!(rights(&fixture, "ann").await.may_give_role("r"));
    store.revoke_roles(&change).await.unwrap();
    let ann = rights(&fixture, "ann").await;
    assert!(!ann.may_give_role("r") && ann.held_roles().contains("r"));
}

#[tokio::test]
async fn columns_must_be_there() {
    let fixture = peopled().await;
    let store = &fixture.store;
    for table in [fixture.managed("m", &[]), external("e"), view("v")] {
        let column = table.columns[0].name.clone();
        let object = Securable::of(&fixture.create(table).await);
        let mut change = give(Privilege::Select, object.clone(), user("ann"));
        change.targets[0].column = Some(column.clone());
        store.grant(&change).await.unwrap();
        let ann = rights(&fixture, "ann").await;
        assert!(ann.may(Privilege::Select, &object, Some(&column)));
        assert!(!ann.may(Privilege::Select, &object, None));
        change.targets[0].column = Some("absent".to_owned());
        let error = store.grant(&change).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        let whole = give(Privilege::Select, object.clone(), user("ann"));
        store.revoke(&whole).await.unwrap();
        let ann = rights(&fixture, "ann").await;
        assert!(!ann.may_in_part(Privilege::Select, &object));
    }
}

#[tokio::test]
async fn what_another_process_grants_and_revokes_counts_at_once() {
    let fixture = peopled().await;
    let table = fixture.create(external("e")).await;
    let object = Securable::of(&table);
    let other = fixture.other().await;
    let change = give(Privilege::Select, object.clone(), user("ann"));
    let owner = user("ann");
    for given in [false, true, false] {
        if given {
            fixture.store.grant(&change).await.unwrap();
        } else {
            fixture.store.revoke(&change).await.unwrap();
        }
        for store in [&fixture.store, &other] {
            let rights = store.rights("ann", &ActiveRoles::All).await.unwrap();
            assert_eq!(rights.may(Privilege::Select, &object, None), given);
            let rights = store.owner_rights(Some(&owner)).await.unwrap();
            assert_eq!(rights.may(Privilege::Select, &object, None), given);
        }
    }
    let admins = other.owner_rights(None).await.unwrap();
    assert!(admins.is_admin() && admins.user().is_empty());
    let readers = other.owner_rights(Some(&role("r"))).await.unwrap();
    assert!(!readers.is_admin() && !readers.sees(&object));
}
