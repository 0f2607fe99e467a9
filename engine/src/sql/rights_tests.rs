//! Roles, grants, owners and policies in every spelling, and what is refused.

use datafusion::common::{SchemaReference, TableReference};

use super::*;
use crate::ErrorKind;

fn one(sql: &str) -> Statement {
    match parse_one(sql, &ParseLimits::default()) {
        Ok(parsed) => parsed.statement,
        Err(error) => panic!("{sql}: {error}"),
    }
}

fn rights(sql: &str) -> RightsStatement {
    match one(sql) {
        Statement::Rights(statement) => *statement,
        other => panic!("{sql}: {other:?}"),
    }
}

fn error(sql: &str) -> crate::Error {
    match parse(sql, &ParseLimits::default()) {
        Ok(statements) => panic!("{sql}: {statements:?}"),
        Err(error) => error,
    }
}

fn user(name: &str) -> Grantee {
    Grantee::User(name.to_owned())
}

fn role(name: &str) -> Grantee {
    Grantee::Role(name.to_owned())
}

fn grant(sql: &str) -> Grant {
    match rights(sql) {
        RightsStatement::Grant(grant) => grant,
        other => panic!("{sql}: {other:?}"),
    }
}

/// `SELECT(a,b) INSERT()` of a grant.
fn privileges(sql: &str) -> String {
    let named = grant(sql).privileges;
    let named = named
        .iter()
        .map(|named| format!("{}({})", named.privilege, named.columns.join(",")));
    named.collect::<Vec<_>>().join(" ")
}

#[test]
fn privileges_are_granted_on_every_kind_of_object() {
    let schema = || SchemaReference::Bare { schema: "s".into() };
    for (on, object) in [
        ("t", GrantObject::Table(TableReference::bare("t"))),
        (
            "TABLE S.T",
            GrantObject::Table(TableReference::partial("s", "t")),
        ),
        ("table", GrantObject::Table(TableReference::bare("table"))),
        ("VIEW v", GrantObject::View(TableReference::bare("v"))),
        ("SCHEMA s", GrantObject::Schema(schema())),
        ("ALL TABLES IN SCHEMA s", GrantObject::AllTables(schema())),
        (
            "CATALOG waterbuck",
            GrantObject::Catalog("waterbuck".to_owned()),
        ),
    ] {
        let grant = grant(&format!("GRANT SELECT ON {on} TO USER ann"));
        assert_eq!(grant.object, object, "{on}");
        assert!(!grant.revoke && !grant.grant_option);
    }
    let function = grant("GRANT EXECUTE ON FUNCTION Upper TO ROLE r");
    assert_eq!(function.object, GrantObject::Function("upper".to_owned()));
    let setting = grant("GRANT SET ON SETTING datafusion.execution.batch_size TO ROLE r");
    let name = "datafusion.execution.batch_size".to_owned();
    assert_eq!(setting.object, GrantObject::Setting(name));
}

#[test]
fn all_is_what_the_object_has() {
    for (sql, expected) in [
        ("GRANT ALL PRIVILEGES ON FUNCTION f TO USER u", "EXECUTE()"),
        ("GRANT ALL ON SETTING s TO USER u", "SET()"),
        ("GRANT ALL ON VIEW v TO USER u", "SELECT() ALTER() DROP()"),
        (
            "GRANT ALL ON t TO USER u",
            "SELECT() INSERT() UPDATE() DELETE() ALTER() DROP()",
        ),
        (
            "GRANT ALL ON t (a, b) TO USER u",
            "SELECT(a,b) INSERT(a,b) UPDATE(a,b)",
        ),
        (
            "GRANT SELECT, INSERT ON t (a) TO USER u",
            "SELECT(a) INSERT(a)",
        ),
        (
            "GRANT SELECT (a, \"B\"), DELETE ON t TO USER u",
            "SELECT(a,B) DELETE()",
        ),
    ] {
        assert_eq!(privileges(sql), expected, "{sql}");
    }
}

#[test]
fn grantees_are_users_roles_and_everybody() {
    let given = grant(
        "GRANT SELECT ON t TO ROLE r, USER 'a@b.org', PUBLIC, USER Ann, ROLE r WITH GRANT OPTION",
    );
    assert!(given.grant_option);
    assert_eq!(
        given.grantees,
        [user("a@b.org"), user("ann"), role("public"), role("r")]
    );
    let taken = grant("REVOKE GRANT OPTION FOR SELECT ON t FROM USER ann");
    assert!(taken.revoke && taken.grant_option);
    let taken = grant("REVOKE SELECT ON t FROM USER ann");
    assert!(taken.revoke && !taken.grant_option);
}

#[test]
fn roles_are_made_given_and_taken_up() {
    let given = |sql: &str| match rights(sql) {
        RightsStatement::GrantRole(grant) => grant,
        other => panic!("{sql}: {other:?}"),
    };
    let grant = given("GRANT reader, \"Writer\" TO USER ann, ROLE ops WITH ADMIN OPTION");
    assert_eq!(grant.roles, ["reader", "Writer"]);
    assert_eq!(grant.grantees, [user("ann"), role("ops")]);
    assert!(grant.admin_option && !grant.revoke);
    assert_eq!(given("GRANT ROLE reader TO USER ann").roles, ["reader"]);
    assert_eq!(given("GRANT role TO USER ann").roles, ["role"]);
    assert_eq!(given("GRANT \"select\" TO USER ann").roles, ["select"]);
    let revoke = given("REVOKE ADMIN OPTION FOR reader FROM ROLE ops");
    assert!(revoke.revoke && revoke.admin_option);
    for (sql, kind) in [
        ("CREATE ROLE IF NOT EXISTS r", "CREATE ROLE"),
        ("DROP ROLE IF EXISTS r", "DROP ROLE"),
        ("GRANT r TO USER u", "GRANT"),
        ("REVOKE ALL ON t FROM PUBLIC", "REVOKE"),
        ("ALTER VIEW v OWNER TO USER u", "ALTER VIEW"),
    ] {
        assert_eq!(one(sql).kind_name(), kind);
    }
    for (sql, roles) in [
        ("SET ROLE ALL", ActiveRoles::All),
        ("SET ROLE none", ActiveRoles::None),
        ("SET ROLE Reader", ActiveRoles::One("reader".to_owned())),
        ("SET ROLE \"all\"", ActiveRoles::One("all".to_owned())),
    ] {
        assert_eq!(rights(sql), RightsStatement::SetRole(roles), "{sql}");
    }
    assert!(matches!(one("SET role = 'x'"), Statement::Set { .. }));
}

#[test]
fn owners_change_with_alter() {
    let owner = |sql: &str| match rights(sql) {
        RightsStatement::AlterOwner(alter) => alter,
        other => panic!("{sql}: {other:?}"),
    };
    let table = owner("ALTER TABLE IF EXISTS s.t OWNER TO USER ann");
    assert_eq!(
        table.object,
        OwnedObject::Table(TableReference::partial("s", "t"))
    );
    assert!(table.if_exists && table.to == user("ann"));
    assert!(matches!(
        owner("ALTER SCHEMA s OWNER TO ROLE ops").object,
        OwnedObject::Schema(_)
    ));
}

#[test]
fn policies_keep_their_expression_as_written() {
    let policy = |sql: &str| match rights(sql) {
        RightsStatement::CreatePolicy(policy) => policy,
        other => panic!("{sql}: {other:?}"),
    };
    let filter = policy("CREATE ROW FILTER Own ON s.t USING (owner = 'x' OR  b > (1)) TO ROLE r");
    assert_eq!(filter.name, "own");
    assert_eq!(filter.kind, PolicyKind::RowFilter);
    assert_eq!(filter.expression, "owner = 'x' OR  b > (1)");
    assert_eq!(filter.grantees, [role("r")]);
    let mask = policy("CREATE COLUMN MASK m ON TABLE t (\"Card\") USING (right(\"Card\", 4))");
    let column = "Card".to_owned();
    assert_eq!(mask.kind, PolicyKind::ColumnMask { column });
    assert_eq!(mask.expression, "right(\"Card\", 4)");
    assert_eq!(mask.grantees, [role("public")]);
    for (sql, is_mask) in [
        ("DROP ROW FILTER own ON t", false),
        ("DROP COLUMN MASK IF EXISTS m ON t", true),
    ] {
        let RightsStatement::DropPolicy(drop) = rights(sql) else {
            panic!("{sql}")
        };
        assert_eq!((drop.mask, drop.if_exists), (is_mask, is_mask));
    }
    let subquery = error("CREATE ROW FILTER f ON t USING (a IN (SELECT a FROM u))");
    assert_eq!(subquery.kind(), ErrorKind::Unsupported);
}

#[test]
fn views_say_whose_rights_they_run_with() {
    for (sql, expected) in [
        ("CREATE VIEW v AS SELECT 1", ViewSecurity::Definer),
        (
            "CREATE VIEW v SECURITY DEFINER AS SELECT 1",
            ViewSecurity::Definer,
        ),
        (
            "CREATE OR REPLACE VIEW v (a) SECURITY INVOKER AS SELECT 1",
            ViewSecurity::Invoker,
        ),
    ] {
        let Statement::CreateView(view) = one(sql) else {
            panic!("{sql}")
        };
        assert_eq!(view.security, expected, "{sql}");
    }
}

#[test]
fn grants_are_shown_by_grantee_or_object() {
    let grants = |grantee, object| Show::Grants { grantee, object };
    for (sql, expected) in [
        ("SHOW ROLES", Show::Roles),
        ("SHOW GRANTS", grants(None, None)),
        ("SHOW GRANTS FOR ROLE r", grants(Some(role("r")), None)),
        (
            "SHOW GRANTS ON s.t",
            grants(
                None,
                Some(GrantObject::Table(TableReference::partial("s", "t"))),
            ),
        ),
    ] {
        let Statement::Show(show) = one(sql) else {
            panic!("{sql}")
        };
        assert_eq!(show, expected, "{sql}");
    }
}

#[test]
fn what_does_not_fit_together_is_refused_in_plain_words() {
    for (sql, expected) in [
        (
            "GRANT EXECUTE ON t TO USER u",
            "there is no EXECUTE on a table: on a table there is SELECT",
        ),
        (
            "GRANT INSERT ON VIEW v TO USER u",
            "there is no INSERT on a view",
        ),
        (
            "GRANT SELECT ON FUNCTION f TO USER u",
            "there is no SELECT on a function",
        ),
        (
            "GRANT DELETE ON t (a) TO USER u",
            "DELETE is not given on columns",
        ),
        (
            "GRANT SELECT (a) ON SCHEMA s TO USER u",
            "columns can be named on one table or view",
        ),
        (
            "GRANT SELECT (a) ON t (b) TO USER u",
            "columns are named twice",
        ),
        (
            "GRANT FLY ON t TO USER u",
            "line 1, column 7: expected a privilege: SELECT",
        ),
        (
            "GRANT SELECT TO USER u",
            "expected ON and an object, found \"TO\"",
        ),
        ("GRANT r (a) TO USER u", "expected ON and an object"),
        (
            "GRANT SELECT ON t TO u",
            "expected USER and a name, ROLE and a name, or PUBLIC",
        ),
        (
            "GRANT SELECT ON t FROM USER u",
            "expected TO, found \"FROM\"",
        ),
        (
            "REVOKE SELECT ON t TO USER u",
            "expected FROM, found \"TO\"",
        ),
        (
            "GRANT r TO USER u WITH GRANT OPTION",
            "expected the end of the statement",
        ),
        (
            "REVOKE GRANT OPTION FOR r FROM USER u",
            "expected ON and an object",
        ),
        ("SET ROLE", "expected the name of a role, ALL or NONE"),
        ("ALTER SCHEMA s", "expected RENAME TO or OWNER TO"),
        (
            "CREATE COLUMN MASK m ON t USING (a)",
            "expected (, found \"USING\"",
        ),
        (
            "CREATE ROW FILTER f ON t USING a",
            "expected (, found \"a\"",
        ),
    ] {
        let error = error(sql);
        assert_eq!(error.kind(), ErrorKind::InvalidQuery, "{sql}");
        assert!(error.message().contains(expected), "{sql}: {error}");
    }
}
