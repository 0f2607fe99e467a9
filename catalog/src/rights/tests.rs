//! What grants, ownership, roles and policies add up to.

use waterbuck_engine::sql::{ActiveRoles, Grantee, PolicyKind, Privilege};

use super::{
    Facts, GrantTarget, Granted, Limit, Membership, Policy, Rights, Securable, members_of,
    rival_mask, roles_of,
};
use crate::model::TableName;

fn user(name: &str) -> Grantee {
    Grantee::User(name.to_owned())
}

fn role(name: &str) -> Grantee {
    Grantee::Role(name.to_owned())
}

fn schema(name: &str) -> Securable {
    Securable::Schema(name.to_owned())
}

fn table(id: i64) -> Securable {
    Securable::Relation {
        id,
        name: TableName::new("s", format!("t{id}")),
        view: false,
    }
}

fn has(role: &str, member: Grantee) -> Membership {
    Membership {
        role: role.to_owned(),
        member,
        admin_option: false,
        granted_by: "admin".to_owned(),
    }
}

fn granted(grantee: Grantee, privilege: Privilege, object: Securable) -> Granted {
    Granted {
        grantee,
        target: GrantTarget {
            privilege,
            object,
            column: None,
        },
        grantable: false,
        granted_by: "admin".to_owned(),
    }
}

/// Everybody may use every schema, as in a new catalog.
fn usage() -> Granted {
    granted(role("public"), Privilege::Usage, Securable::Catalog)
}

fn rights(facts: &Facts, active: ActiveRoles) -> Rights {
    Rights::new("ann", &active, facts.clone())
}

fn ann(facts: &Facts) -> Rights {
    rights(facts, ActiveRoles::All)
}

#[test]
fn a_grant_holds_for_everything_below() {
    for (on, t1, t2) in [
        (table(1), true, false),
        (schema("s"), true, true),
        (schema("other"), false, false),
        (Securable::Catalog, true, true),
    ] {
        let grants = vec![usage(), granted(user("ann"), Privilege::Select, on.clone())];
        let ann = ann(&Facts {
            grants,
            ..Facts::default()
        });
        assert_eq!(ann.may(Privilege::Select, &table(1), None), t1, "{on}");
        assert_eq!(ann.may(Privilege::Select, &table(2), None), t2, "{on}");
        assert!(!ann.may(Privilege::Insert, &table(1), None), "{on}");
    }
}

#[test]
fn columns_are_granted_one_by_one() {
    let mut on_a = granted(user("ann"), Privilege::Select, table(1));
    on_a.target.column = Some("a".to_owned());
    on_a.grantable = true;
    let grants = vec![usage(), on_a];
    let ann = ann(&Facts {
        grants,
        ..Facts::default()
    });
    assert!(ann.may(Privilege::Select, &table(1), Some("a")));
    assert!(!ann.may(Privilege::Select, &table(1), Some("b")));
    assert!(!ann.may(Privilege::Select, &table(1), None));
    assert!(ann.may_in_part(Privilege::Select, &table(1)) && ann.sees(&table(1)));
    assert!(!ann.may_in_part(Privilege::Select, &table(2)) && !ann.sees(&table(2)));
    assert!(ann.may_grant(Privilege::Select, &table(1), Some("a")));
    assert!(!ann.may_grant(Privilege::Select, &table(1), None));
}

#[test]
fn a_table_takes_usage_of_its_schema() {
    let select = granted(user("ann"), Privilege::Select, table(1));
    let mut facts = Facts {
        grants: vec![select],
        ..Facts::default()
    };
    assert!(!ann(&facts).may(Privilege::Select, &table(1), None));
    assert!(!ann(&facts).sees(&table(1)) && !ann(&facts).sees(&schema("s")));
    let on_schema = granted(role("public"), Privilege::Usage, schema("s"));
    facts.grants.push(on_schema);
    assert!(ann(&facts).may(Privilege::Select, &table(1), None));
    assert!(ann(&facts).sees(&schema("s")) && !ann(&facts).sees(&schema("other")));
}

#[test]
fn owners_may_do_everything_with_what_is_theirs() {
    let facts = Facts {
        memberships: vec![has("ops", user("ann"))],
        owners: vec![(table(1), user("ann")), (schema("s"), role("ops"))],
        ..Facts::default()
    };
    for privilege in Privilege::ALL {
        assert!(ann(&facts).may(privilege, &table(1), None));
        assert!(ann(&facts).may_grant(privilege, &table(2), None));
    }
    let alone = rights(&facts, ActiveRoles::None);
    assert!(alone.owns(&table(1)) && !alone.owns(&table(2)));
    assert!(!alone.owns(&Securable::Catalog));
    assert!(ann(&facts).may_make_owner(&role("ops")) && !alone.may_make_owner(&role("ops")));
    assert!(!ann(&facts).may_make_owner(&user("admin")));
    assert!(!ann(&facts).may_make_owner(&role("public")));
}

#[test]
fn roles_pass_on_what_they_have_while_active() {
    let facts = Facts {
        memberships: vec![
            has("reader", role("ops")),
            has("ops", user("ann")),
            has("other", user("ann")),
        ],
        grants: vec![
            usage(),
            granted(role("reader"), Privilege::Select, table(1)),
        ],
        ..Facts::default()
    };
    for (active, may) in [
        (ActiveRoles::All, true),
        (ActiveRoles::None, false),
        (ActiveRoles::One("ops".to_owned()), true),
        (ActiveRoles::One("reader".to_owned()), true),
        (ActiveRoles::One("other".to_owned()), false),
        (ActiveRoles::One("admin".to_owned()), false),
    ] {
        let rights = rights(&facts, active.clone());
        let may_select = rights.may(Privilege::Select, &table(1), None);
        assert_eq!(may_select, may, "{active:?}");
        assert!(rights.active_roles().contains("public"));
        assert!(rights.held_roles().contains("reader"));
    }
}

#[test]
fn administrators_may_do_everything_while_they_are() {
    let facts = Facts {
        memberships: vec![has("admin", role("ops")), has("ops", user("ann"))],
        ..Facts::default()
    };
    let admin = ann(&facts);
    assert!(admin.is_admin() && admin.may(Privilege::Drop, &Securable::Catalog, None));
    assert!(admin.may_give_role("any") && admin.may_make_owner(&user("bob")));
    let not_now = rights(&facts, ActiveRoles::None);
    assert!(!not_now.is_admin() && !not_now.sees(&table(1)) && !not_now.may_give_role("any"));
    assert!(not_now.as_admin().may(Privilege::Select, &table(1), None));
}

#[test]
fn roles_are_given_on_by_those_who_have_the_option() {
    let mut option = has("reader", role("ops"));
    option.admin_option = true;
    let facts = Facts {
        memberships: vec![option, has("ops", user("ann"))],
        ..Facts::default()
    };
    assert!(ann(&facts).may_give_role("reader") && !ann(&facts).may_give_role("ops"));
    assert!(!rights(&facts, ActiveRoles::None).may_give_role("reader"));
}

#[test]
fn what_everybody_has_reaches_everybody() {
    let memberships = [has("reader", role("public")), has("ops", user("bob"))];
    let roles: Vec<String> = roles_of(&memberships, &user("ann")).into_iter().collect();
    assert_eq!(roles, ["public", "reader"]);
    let members = members_of(&memberships, "reader");
    assert_eq!(members.into_iter().collect::<Vec<_>>(), [role("public")]);
}

fn policy(name: &str, column: Option<&str>, grantees: &[Grantee]) -> Policy {
    let kind = match column {
        Some(column) => PolicyKind::ColumnMask {
            column: column.to_owned(),
        },
        None => PolicyKind::RowFilter,
    };
    Policy {
        table_id: 1,
        name: name.to_owned(),
        kind,
        expression: "true".to_owned(),
        grantees: grantees.to_vec(),
    }
}

#[test]
fn filters_bind_with_every_role_even_when_it_is_not_active() {
    let facts = Facts {
        memberships: vec![has("temp", user("ann")), has("admin", user("ann"))],
        policies: vec![
            policy("all", None, &[role("public")]),
            policy("temps", None, &[role("temp"), user("bob")]),
            policy("bobs", None, &[user("bob")]),
        ],
        ..Facts::default()
    };
    for active in [ActiveRoles::All, ActiveRoles::None] {
        let rights = rights(&facts, active);
        let names: Vec<&str> = rights.row_filters(1).map(|p| p.name.as_str()).collect();
        assert_eq!(names, ["all", "temps"]);
        assert_eq!(rights.row_filters(2).count(), 0);
    }
}

#[test]
fn the_mask_that_names_the_user_most_closely_wins() {
    let all = policy("all", Some("a"), &[role("public")]);
    let temps = policy("temps", Some("a"), &[role("temp")]);
    let anns = policy("anns", Some("a"), &[user("ann")]);
    let mut facts = Facts {
        memberships: vec![has("temp", user("ann"))],
        policies: vec![anns, all, temps],
        ..Facts::default()
    };
    let name = |facts: &Facts| ann(facts).mask(1, "a").map(|mask| mask.name.clone());
    assert_eq!(name(&facts).as_deref(), Some("anns"));
    facts.policies.remove(0);
    assert_eq!(name(&facts).as_deref(), Some("temps"));
    facts.policies.remove(1);
    assert_eq!(name(&facts).as_deref(), Some("all"));
    assert_eq!(ann(&facts).mask(1, "b"), None);
    assert_eq!(ann(&facts).mask(2, "a"), None);
}

#[test]
fn masks_that_would_tie_are_rivals() {
    let everybody = [role("public")];
    for (there, new, tie) in [
        (
            policy("m", Some("a"), &everybody),
            policy("n", Some("a"), &everybody),
            true,
        ),
        (
            policy("m", Some("a"), &everybody),
            policy("n", Some("b"), &everybody),
            false,
        ),
        (
            policy("m", Some("a"), &everybody),
            policy("n", Some("a"), &[role("r")]),
            false,
        ),
        (
            policy("m", Some("a"), &[role("q")]),
            policy("n", Some("a"), &[role("r")]),
            true,
        ),
        (
            policy("m", Some("a"), &[user("u")]),
            policy("n", Some("a"), &[user("v")]),
            false,
        ),
        (
            policy("m", Some("a"), &[user("u")]),
            policy("n", Some("a"), &[user("u")]),
            true,
        ),
        (
            policy("m", None, &everybody),
            policy("n", None, &everybody),
            false,
        ),
    ] {
        assert_eq!(rival_mask(&[there], &new).is_some(), tie, "{new:?}");
    }
}

#[test]
fn a_role_that_owns_a_view_reads_with_its_own_grants_and_filters() {
    let filter = |name: &str, grantee| Policy {
        table_id: 1,
        name: name.to_owned(),
        kind: PolicyKind::RowFilter,
        expression: "true".to_owned(),
        grantees: vec![grantee],
    };
    let facts = Facts {
        memberships: vec![has("reader", role("ops")), has("ops", user("ann"))],
        grants: vec![
            usage(),
            granted(role("reader"), Privilege::Select, table(1)),
            granted(user("ann"), Privilege::Select, table(2)),
        ],
        policies: vec![filter("r", role("reader")), filter("a", user("ann"))],
        ..Facts::default()
    };
    let ops = Rights::of_role("ops", facts);
    assert!(ops.may(Privilege::Select, &table(1), None));
    assert!(!ops.may(Privilege::Select, &table(2), None) && !ops.is_admin());
    let bound: Vec<&str> = ops.row_filters(1).map(|f| f.name.as_str()).collect();
    assert_eq!(bound, ["r"]);
    assert!(ops.is_bound(1) && !ops.is_bound(2));
    assert!(ops.is_bound_as(&ops) && !ops.is_bound_as(&Rights::of_role("r", Facts::default())));
    assert!(!ops.reads_whole(&table(1)));
    assert!(Rights::of_role("admin", Facts::default()).is_admin());
}

#[test]
fn a_column_is_seen_by_whoever_may_do_something_to_it() {
    let on = |privilege, column: &str| {
        let mut given = granted(user("ann"), privilege, table(1));
        given.target.column = Some(column.to_owned());
        given
    };
    let grants = vec![
        usage(),
        on(Privilege::Select, "a"),
        on(Privilege::Insert, "b"),
        granted(user("ann"), Privilege::Drop, table(1)),
    ];
    let ann = ann(&Facts {
        grants,
        ..Facts::default()
    });
    let seen = ["a", "b", "c"].map(|column| ann.sees_column(&table(1), column));
    assert_eq!(seen, [true, true, false]);
}

#[test]
fn limits_that_name_a_user_most_closely_bind_whatever_roles_are_active() {
    let limit = |of: Grantee, name: &str, value: &str| Limit {
        of,
        name: name.to_owned(),
        value: value.to_owned(),
    };
    let facts = Facts {
        memberships: vec![has("one", user("ann")), has("two", user("ann"))],
        limits: vec![
            limit(role("public"), "rows", "1"),
            limit(role("two"), "rows", "3"),
            limit(role("one"), "rows", "2"),
            limit(role("one"), "bytes", "4"),
            limit(user("ann"), "bytes", "5"),
            limit(role("public"), "rate", "6"),
            limit(role("other"), "rate", "7"),
            limit(user("bob"), "rate", "8"),
        ],
        ..Facts::default()
    };
    let bound = [
        limit(user("ann"), "bytes", "5"),
        limit(role("public"), "rate", "6"),
        limit(role("one"), "rows", "2"),
        limit(role("two"), "rows", "3"),
    ];
    for active in [ActiveRoles::All, ActiveRoles::None] {
        assert_eq!(rights(&facts, active).limits(), bound);
    }
}
