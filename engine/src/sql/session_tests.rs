//! Statements about the session, its users and what can be shown, in every spelling.

use std::time::Duration;

use datafusion::common::format::ExplainFormat;
use datafusion::common::{SchemaReference, TableReference};

use super::*;
use crate::ErrorKind;

fn one(sql: &str) -> Statement {
    match parse_one(sql, &ParseLimits::default()) {
        Ok(parsed) => parsed.statement,
        Err(error) => panic!("{sql}: {error}"),
    }
}

fn error(sql: &str) -> crate::Error {
    match parse(sql, &ParseLimits::default()) {
        Ok(statements) => panic!("{sql}: {statements:?}"),
        Err(error) => error,
    }
}

fn bare(name: &str) -> TableReference {
    TableReference::bare(name)
}

fn kind(sql: &str) -> &'static str {
    one(sql).kind_name()
}

#[test]
fn a_star_in_a_pattern_is_any_text() {
    let Statement::Show(show) = one("SHOW VIEWS IN s LIKE 'c*'") else {
        panic!("a SHOW");
    };
    let expected = Show::Views {
        schema: Some(SchemaReference::Bare { schema: "s".into() }),
        like: Some("c%".to_owned()),
    };
    assert_eq!(show, expected);
}

#[test]
fn everything_can_be_shown() {
    let table = || bare("t");
    for (sql, expected) in [
        (
            "SHOW TABLES",
            Show::Tables {
                schema: None,
                like: None,
            },
        ),
        (
            "SHOW SCHEMAS LIKE 'a%'",
            Show::Schemas {
                like: Some("a%".into()),
            },
        ),
        ("show databases", Show::Schemas { like: None }),
        (
            "SHOW COLUMNS FROM t",
            Show::Columns {
                table: table(),
                like: None,
            },
        ),
        (
            "SHOW COLUMNS IN t LIKE 'a%'",
            Show::Columns {
                table: table(),
                like: Some("a%".into()),
            },
        ),
        ("SHOW PARTITIONS t", Show::Partitions { table: table() }),
        ("SHOW FILES IN t", Show::Files { table: table() }),
        (
            "SHOW FILES 'a/*.csv'",
            Show::FilesAt {
                location: "a/*.csv".into(),
            },
        ),
        ("SHOW CREATE TABLE t", Show::CreateTable { table: table() }),
        ("SHOW CREATE VIEW t", Show::CreateTable { table: table() }),
        (
            "SHOW FUNCTIONS LIKE 'a'",
            Show::Functions {
                like: Some("a".into()),
            },
        ),
        ("SHOW STATS FOR t", Show::Stats { table: table() }),
        ("SHOW TABLE STATS t", Show::Stats { table: table() }),
        ("SHOW QUERIES", Show::Queries),
        ("SHOW EXECUTORS", Show::Executors),
        (
            "SHOW SETTINGS LIKE 'q%'",
            Show::Settings {
                like: Some("q%".into()),
            },
        ),
        ("SHOW ALL", Show::Settings { like: None }),
        ("SHOW query_timeout", Show::Setting("query_timeout".into())),
        (
            "SHOW DataFusion.execution.batch_size",
            Show::Setting("datafusion.execution.batch_size".into()),
        ),
        ("SHOW TIME ZONE", Show::Setting("timezone".into())),
        ("SHOW SECRETS", Show::Secrets),
        ("SHOW USERS", Show::Users),
        ("SHOW TOKENS", Show::Tokens),
        ("SHOW LIMITS", Show::Limits),
    ] {
        let Statement::Show(show) = one(sql) else {
            panic!("{sql}")
        };
        assert_eq!(show, expected, "{sql}");
    }
    let Statement::Show(Show::Tables { schema, like }) = one("SHOW TABLES IN \"S\" '%x'") else {
        panic!()
    };
    assert_eq!(schema.unwrap().schema_name(), "S");
    assert_eq!(like.as_deref(), Some("%x"));
    assert!(error("SHOW").message().contains("expected TABLES"));
    let Statement::Describe(describe) = one("DESC FORMATTED s.t") else {
        panic!()
    };
    assert!(describe.formatted);
    let Statement::Describe(describe) = one("DESCRIBE formatted") else {
        panic!()
    };
    assert_eq!(
        describe,
        Describe {
            table: bare("formatted"),
            formatted: false
        }
    );
}

#[test]
fn queries_are_described_like_tables() {
    for sql in [
        "DESCRIBE SELECT a FROM t",
        "DESC WITH u AS (SELECT a FROM t) SELECT a FROM u",
        "DESCRIBE (SELECT a FROM t)",
    ] {
        let statement = one(sql);
        assert!(matches!(statement, Statement::DescribeQuery(_)), "{sql}");
        assert_eq!(statement.kind_name(), "DESCRIBE");
        let tables = statement.table_references().unwrap().tables;
        assert!(tables.contains(&bare("t")), "{sql}");
    }
    assert!(matches!(one("DESCRIBE TABLE t"), Statement::Describe(_)));
    let nested = error("EXPLAIN DESCRIBE SELECT 1");
    assert!(nested.message().contains("DESCRIBE has no plan"));
}

#[test]
fn settings_are_set_with_whatever_value() {
    for (sql, name, value) in [
        ("SET query_timeout = '30s'", "query_timeout", "30s"),
        ("SET Memory_Limit TO 64 MiB;", "memory_limit", "64 MiB"),
        ("SET SESSION memory_limit = 64MiB", "memory_limit", "64MiB"),
        ("SET x = -1", "x", "-1"),
        ("SET retry_lost_executor = on", "retry_lost_executor", "on"),
        (
            "SET datafusion.execution.batch_size = 10",
            "datafusion.execution.batch_size",
            "10",
        ),
        ("SET TIME ZONE '+02:00'", "timezone", "+02:00"),
        ("SET schema = \"My Schema\"", "schema", "My Schema"),
    ] {
        let Statement::Set {
            name: found,
            value: to,
        } = one(sql)
        else {
            panic!("{sql}")
        };
        assert_eq!((found.as_str(), to.as_str()), (name, value), "{sql}");
    }
    assert!(matches!(one("SET x = DEFAULT"), Statement::Reset(Some(name)) if name == "x"));
    assert!(matches!(one("RESET A.b"), Statement::Reset(Some(name)) if name == "a.b"));
    assert!(matches!(one("RESET ALL"), Statement::Reset(None)));
    assert!(matches!(
        one("USE s"),
        Statement::Use(SchemaReference::Bare { .. })
    ));
    assert!(matches!(
        one("USE cat.s"),
        Statement::Use(SchemaReference::Full { .. })
    ));
    for sql in [
        "SET x",
        "SET x =",
        "SET",
        "RESET",
        "RESET x y",
        "USE",
        "SET x 'a'",
    ] {
        assert_eq!(error(sql).kind(), ErrorKind::InvalidQuery, "{sql}");
    }
}

#[test]
fn statistics_are_asked_for_in_three_dialects() {
    let all = Analyze {
        table: TableReference::partial("s", "t"),
        columns: None,
    };
    for sql in [
        "ANALYZE s.t",
        "ANALYZE TABLE s.t",
        "ANALYZE TABLE s.t COMPUTE STATISTICS",
        "ANALYZE TABLE s.t COMPUTE STATISTICS FOR ALL COLUMNS",
        "ANALYZE TABLE s.t COMPUTE STATISTICS FOR COLUMNS",
        "COMPUTE STATS s.t",
    ] {
        assert!(
            matches!(one(sql), Statement::Analyze(found) if found == all),
            "{sql}"
        );
    }
    for sql in [
        "ANALYZE TABLE t COMPUTE STATISTICS FOR COLUMNS a, \"B\"",
        "ANALYZE t (a, \"B\")",
        "COMPUTE STATS t (a, \"B\")",
    ] {
        let Statement::Analyze(analyze) = one(sql) else {
            panic!()
        };
        assert_eq!(analyze.columns.unwrap(), ["a", "B"], "{sql}");
    }
    for sql in ["KILL QUERY 'ab-12'", "KILL QUERY ab-12", "KILL 'ab-12'"] {
        assert!(
            matches!(one(sql), Statement::Kill { query_id } if query_id == "ab-12"),
            "{sql}"
        );
    }
}

#[test]
fn secrets_and_users_are_never_shown() {
    let sql = "CREATE OR REPLACE SECRET Prod (TYPE S3, KEY_ID 'AK', SECRET 'topsecret', \
               REGION 'eu', SCOPE 's3://b/')";
    let statement = one(sql);
    assert!(statement.holds_secret());
    let Statement::CreateSecret(secret) = &statement else {
        panic!()
    };
    assert_eq!((secret.name.as_str(), secret.kind.as_str()), ("prod", "s3"));
    assert_eq!(secret.scope.as_deref(), Some("s3://b/"));
    assert_eq!(secret.options["secret"].reveal(), "topsecret");
    assert_eq!(secret.options.len(), 3);
    assert!(!format!("{statement:?}").contains("topsecret"));
    assert!(
        error("CREATE SECRET x (KEY_ID 'a')")
            .message()
            .contains("TYPE")
    );
    assert!(
        error("CREATE SECRET x (TYPE ftp)")
            .message()
            .contains("ftp")
    );
    assert_eq!(kind("DROP SECRET IF EXISTS x"), "DROP SECRET");
    let statement = one("CREATE USER IF NOT EXISTS Anna WITH PASSWORD 'hush' ADMIN");
    assert!(!format!("{statement:?}").contains("hush"));
    let Statement::CreateUser(user) = statement else {
        panic!()
    };
    assert_eq!(
        (user.name.as_str(), user.password.reveal()),
        ("anna", "hush")
    );
    assert!(user.admin && user.if_not_exists);
    let Statement::AlterUser(user) = one("ALTER USER 'a@b.org' NOT ADMIN") else {
        panic!()
    };
    assert_eq!((user.name.as_str(), user.admin), ("a@b.org", Some(false)));
    assert!(user.password.is_none());
    assert!(
        error("CREATE USER x")
            .message()
            .contains("expected PASSWORD")
    );
    assert_eq!(kind("DROP USER x"), "DROP USER");
}

#[test]
fn explain_has_words_and_lists() {
    let explain = |sql: &str| match one(sql) {
        Statement::Explain(explain) => explain,
        other => panic!("{sql}: {other:?}"),
    };
    let plain = explain("EXPLAIN SELECT 1");
    assert!(!plain.analyze && !plain.verbose && plain.kind == ExplainKind::Distributed);
    let full = explain("EXPLAIN ANALYZE VERBOSE LOGICAL FORMAT tree SELECT 1");
    assert!(full.analyze && full.verbose && full.kind == ExplainKind::Logical);
    assert_eq!(full.format, Some(ExplainFormat::Tree));
    let listed = explain("EXPLAIN (ANALYZE, VERBOSE false, TYPE PHYSICAL, COSTS on) SELECT 1");
    assert!(listed.analyze && !listed.verbose && listed.kind == ExplainKind::Physical);
    assert_eq!(listed.show_statistics, Some(true));
    assert_eq!(
        explain("EXPLAIN FORMAT LOGICAL SELECT 1").kind,
        ExplainKind::Logical
    );
    assert!(matches!(
        *explain("EXPLAIN (SELECT 1)").statement,
        Statement::Query(_)
    ));
    assert!(matches!(
        *explain("EXPLAIN INSERT INTO t SELECT 1").statement,
        Statement::Insert(_)
    ));
    assert!(matches!(
        one("EXPLAIN DELETE FROM t"),
        Statement::Refused(_)
    ));
    for sql in [
        "EXPLAIN SHOW TABLES",
        "EXPLAIN EXPLAIN SELECT 1",
        "EXPLAIN FORMAT poem SELECT 1",
        "EXPLAIN (TYPE nothing) SELECT 1",
        "EXPLAIN (NONSENSE) SELECT 1",
    ] {
        assert_eq!(error(sql).kind(), ErrorKind::InvalidQuery, "{sql}");
    }
}

#[test]
fn prepared_statements_are_recognised() {
    for (sql, kind_name, name) in [
        ("PREPARE P (INT, TEXT) AS SELECT $1", "PREPARE", Some("p")),
        ("EXECUTE p (1, 'a')", "EXECUTE", Some("p")),
        ("EXECUTE p", "EXECUTE", Some("p")),
        ("DEALLOCATE PREPARE p", "DEALLOCATE", Some("p")),
        ("DEALLOCATE \"ALL\"", "DEALLOCATE", Some("ALL")),
        ("DEALLOCATE ALL", "DEALLOCATE", None),
    ] {
        let statement = one(sql);
        assert_eq!(statement.kind_name(), kind_name, "{sql}");
        let Statement::Prepared(prepared) = statement else {
            panic!("{sql}")
        };
        let found = match &prepared {
            Prepared::Prepare { name, .. } | Prepared::Execute { name, .. } => Some(name),
            Prepared::Deallocate { name } => name.as_ref(),
        };
        assert_eq!(found.map(String::as_str), name, "{sql}");
    }
    assert_eq!(
        error("PREPARE p AS DELETE FROM t").kind(),
        ErrorKind::Unsupported
    );
}

#[test]
fn transactions_are_recognised() {
    for (sql, kind_name) in [
        ("BEGIN", "BEGIN"),
        ("start transaction", "BEGIN"),
        ("COMMIT WORK", "COMMIT"),
        ("ROLLBACK TRANSACTION", "ROLLBACK"),
    ] {
        assert_eq!(kind(sql), kind_name);
    }
}

#[test]
fn passwords_are_in_no_message_and_no_public_text() {
    for sql in [
        "CREATE USER anna PASSWORD 'hush' NONSENSE",
        "CREATE USER anna PASSWORD hush",
        "CREATE USER anna PASSWORD 'hush",
        "CREATE OR REPLACE SECRET s (TYPE s3, SECRET 'hush' 'hush')",
        "SELEC 1; ALTER USER anna PASSWORD 'hush'",
    ] {
        let error = error(sql);
        assert!(
            error.message().starts_with("syntax error at line 1"),
            "{error}"
        );
        assert!(!error.to_string().contains("hush"), "{error}");
    }
    let public = |sql: &str| {
        parse_one(sql, &ParseLimits::default())
            .unwrap()
            .public_text()
            .into_owned()
    };
    assert_eq!(
        public("CREATE USER Anna PASSWORD 'hush'"),
        "CREATE USER anna …"
    );
    assert_eq!(
        public("CREATE SECRET s (TYPE s3, SECRET 'hush')"),
        "CREATE SECRET s …"
    );
    assert_eq!(
        public("COPY t TO 's3://b' OPTIONS (aws.secret_access_key 'hush')"),
        "COPY …"
    );
    assert_eq!(public("SELECT 'x'"), "SELECT 'x'");
}

#[test]
fn tokens_are_made_for_a_time() {
    let created = |sql| match one(sql) {
        Statement::CreateToken(create) => create,
        other => panic!("{other:?}"),
    };
    let plain = created("CREATE TOKEN Etl");
    assert_eq!((plain.name.as_str(), plain.user), ("etl", None));
    assert_eq!(plain.life, TokenLife::Default);
    let full = created("CREATE TOKEN etl FOR USER 'anna@example.org' EXPIRES '90d'");
    assert_eq!(full.user.as_deref(), Some("anna@example.org"));
    assert_eq!(full.life, TokenLife::For(Duration::from_secs(90 * 86_400)));
    let endless = created("CREATE TOKEN etl EXPIRES 'never'");
    assert_eq!(endless.life, TokenLife::Endless);
    for wrong in ["0s", "soon", "90", ""] {
        let text = error(&format!("CREATE TOKEN etl EXPIRES '{wrong}'"));
        assert!(text.to_string().contains("write it as '90d'"), "{text}");
    }
    let Statement::DropToken(drop) = one("DROP TOKEN IF EXISTS etl FOR USER anna") else {
        panic!("a DROP TOKEN");
    };
    assert!(drop.if_exists);
    assert_eq!(drop.user.as_deref(), Some("anna"));
}

#[test]
fn limits_are_set_and_taken_away() {
    let altered = |sql| match one(sql) {
        Statement::AlterLimit(alter) => (alter.of, alter.name, alter.value),
        other => panic!("{other:?}"),
    };
    let own = str::to_owned;
    for sql in [
        "ALTER USER anna SET LIMIT Memory_Limit = 64MiB",
        "ALTER USER anna SET LIMIT memory_limit TO '64MiB'",
    ] {
        let value = Some(own("64MiB"));
        let expected = (Grantee::User(own("anna")), own("memory_limit"), value);
        assert_eq!(altered(sql), expected, "{sql}");
    }
    assert_eq!(
        altered("ALTER USER anna RESET LIMIT memory_limit"),
        (Grantee::User(own("anna")), own("memory_limit"), None)
    );
    assert_eq!(
        altered("ALTER ROLE public SET LIMIT max_result_rows = 10"),
        (
            Grantee::Role(own("public")),
            own("max_result_rows"),
            Some(own("10"))
        )
    );
    assert_eq!(
        altered("ALTER ROLE r RESET LIMIT max_result_rows"),
        (Grantee::Role(own("r")), own("max_result_rows"), None)
    );
    assert_eq!(
        one("ALTER ROLE r RESET LIMIT max_result_rows").kind_name(),
        "ALTER ROLE"
    );
    error("ALTER ROLE r");
    error("ALTER ROLE r SET max_result_rows = 1");
    error("ALTER USER anna SET LIMIT memory_limit");
    error("ALTER USER anna SET LIMIT memory_limit =");
}

#[test]
fn certificates_are_given_to_users_by_a_name_after_its_kind() {
    let altered = |sql| match one(sql) {
        Statement::AlterUser(alter) => (alter.password, alter.admin, alter.certificate),
        other => panic!("{other:?}"),
    };
    let set = CertificateChange::Set("CN=Ann".to_owned());
    let sql = "ALTER USER ann SET CERTIFICATE 'CN=Ann'";
    assert_eq!(altered(sql), (None, None, Some(set)));
    let sql = "ALTER USER ann RESET CERTIFICATE";
    assert_eq!(altered(sql), (None, None, Some(CertificateChange::Reset)));
    for wrong in ["ann", "CN=", "cn=ann", "IP:127.0.0.1", ""] {
        let text = error(&format!("ALTER USER ann SET CERTIFICATE '{wrong}'"));
        assert!(text.to_string().contains("'CN=ann'"), "{text}");
    }
    error("ALTER USER ann SET CERTIFICATE");
    error("ALTER USER ann SET CERTIFICATE 'CN=ann' ADMIN");
}
