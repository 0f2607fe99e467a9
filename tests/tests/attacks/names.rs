//! Names and patterns that try to be more than names: in DDL, in metadata calls, of users and roles,
//! in session options.

use prost::Message;
use tonic::Code;
use waterbuck_tests::{Client, ClientError, Cluster, Raw};

use crate::tables::run_all;

/// Names with quotes, wildcards, line ends, ends of statements, a NUL, letters that look like
/// others, and letters that turn the text around.
const HOSTILE: [&str; 22] = [
    "a_b",
    "aXb",
    "a%b",
    "a\\b",
    "a\\_b",
    "a'b",
    "a''b",
    "a\"b",
    "\"",
    "'; DROP TABLE victim; --",
    "\"; DROP TABLE victim; --",
    "x\"); DELETE FROM wb_user; --",
    "${victim}",
    "../../victim",
    "/etc/passwd",
    "a\nb",
    "a\0b",
    "victim ",
    // With a Cyrillic letter, a full-width one, and an invisible one.
    "vict\u{456}m",
    "\u{ff56}ictim",
    "vic\u{200b}tim",
    "\u{202e}mitciv",
];

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The pattern that only `name` is like.
fn escaped(name: &str) -> String {
    let name = name.replace('\\', "\\\\");
    name.replace('_', "\\_").replace('%', "\\%")
}

/// Asserts that something was done or refused in words, and tells which.
fn in_words<T>(what: &str, outcome: Result<T, ClientError>) -> bool {
    if let Err(error) = &outcome {
        let fits = [
            Code::InvalidArgument,
            Code::NotFound,
            Code::PermissionDenied,
            Code::AlreadyExists,
            Code::Unimplemented,
        ];
        assert!(fits.contains(&error.code), "{what:?}: {error}");
        assert!(!error.message.contains("sqlite"), "{what:?}: {error}");
    }
    outcome.is_ok()
}

async fn value(client: &Client, sql: &str) -> String {
    let answer = client.run(sql).await;
    assert!(answer.is_ok(), "{sql:?}: {answer:?}");
    answer.expect("it was answered").value()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_is_a_name_whatever_is_in_it() {
    let cluster = Cluster::server().await;
    let admin = cluster.client().await;
    run_all(&admin, &["CREATE SCHEMA s", "USE s"]).await;
    run_all(&admin, &["CREATE TABLE victim AS SELECT 'unharmed' AS x"]).await;
    let mut made = vec!["victim"];
    for (number, name) in HOSTILE.into_iter().enumerate() {
        let table = quoted(name);
        let create = format!("CREATE TABLE {table} AS SELECT {number} AS {table}");
        if !in_words(name, admin.run(&create).await) {
            continue;
        }
        made.push(name);
        let read = format!("SELECT {table} FROM s.{table}");
        assert_eq!(value(&admin, &read).await, number.to_string(), "{name:?}");
        let comment = format!("COMMENT ON TABLE {table} IS {}", literal(name));
        run_all(&admin, &[&comment]).await;
        // What is shown makes the same table again, and nothing else.
        let shown = value(&admin, &format!("SHOW CREATE TABLE {table}")).await;
        run_all(&admin, &[&format!("DROP TABLE {table}"), &shown]).await;
        assert_eq!(
            value(&admin, &format!("SELECT count(*) FROM {table}")).await,
            "0"
        );
        let view = quoted(&format!("view of {name}"));
        let view_of = format!("CREATE VIEW {view} AS SELECT {table} FROM {table}");
        run_all(&admin, &[&view_of, &format!("DROP VIEW {view}")]).await;
    }
    assert!(made.contains(&"a\"b") && made.contains(&"a'b"), "{made:?}");
    assert_eq!(value(&admin, "SELECT x FROM s.victim").await, "unharmed");
    check_patterns(&admin, &made).await;
    for name in &made[1..] {
        run_all(&admin, &[&format!("DROP TABLE {}", quoted(name))]).await;
    }
    let left = admin.tables_like(Some("s"), None).await.expect("tables");
    assert_eq!(left.column("table_name"), ["victim"]);
}

/// A pattern finds what it is a pattern of, in the schema that is meant.
async fn check_patterns(admin: &Client, made: &[&str]) {
    let found = async |schema: Option<&str>, table: &str| {
        let answer = admin.tables_like(schema, Some(table)).await;
        let mut names = answer.expect("tables").column("table_name");
        names.sort();
        names
    };
    for name in made {
        assert_eq!(found(Some("s"), &escaped(name)).await, [*name], "{name:?}");
    }
    assert_eq!(found(Some("s"), "%").await.len(), made.len());
    assert_eq!(found(None, "VICTIM").await.len(), 0, "letters count");
    for pattern in ["' OR '1'='1", "%' --", "\\", "[a-z]%", "*", ".*", "\0"] {
        let names = found(Some("s"), pattern).await;
        assert!(names.is_empty(), "{pattern:?}: {names:?}");
    }
    for schema in ["s' OR 's'='s", "s\0", "S", "\u{ff53}", "s\\"] {
        let names = found(Some(schema), "%").await;
        assert!(names.is_empty(), "{schema:?}: {names:?}");
    }
    let endless = "%_".repeat(20_000) + "x";
    assert!(found(Some("s"), &endless).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_looks_like_an_administrator_is_none() {
    let cluster = Cluster::server().await;
    let admin = cluster.client().await;
    run_all(&admin, &["CREATE TABLE victim AS SELECT 'unharmed' AS x"]).await;
    run_all(&admin, &["CREATE ROLE reader"]).await;
    let names = [
        "ADMIN",
        "admin ",
        " admin",
        "admin\0",
        "adm\u{131}n",
        "\u{430}dmin",
        "admin\u{200b}",
        "admin' --",
        "x\" ADMIN",
        "o'neil",
        "a\nb",
    ];
    for name in names {
        let create = format!("CREATE USER {} PASSWORD 'pw'", quoted(name));
        if !in_words(name, admin.run(&create).await) {
            continue;
        }
        let user = quoted(name);
        run_all(&admin, &[&format!("GRANT ROLE reader TO USER {user}")]).await;
        // Neither the administrator's password nor the administrator's powers.
        let stolen = Client::log_in(cluster.address(), name, waterbuck_tests::PASSWORD).await;
        assert!(stolen.is_err(), "{name:?}");
        let client = Client::log_in(cluster.address(), name, "pw").await;
        let Ok(client) = client else {
            continue;
        };
        assert_eq!(value(&client, "SELECT current_user").await, name);
        for sql in [
            "SELECT * FROM victim",
            "DROP TABLE victim",
            "CREATE USER mine PASSWORD 'x'",
            "GRANT ROLE admin TO USER mine",
            "SHOW USERS",
        ] {
            let outcome = client.run(sql).await;
            let listed = outcome.as_ref().map(|answer| answer.row_count());
            // Lists may be answered; they show nobody else.
            let harmless = sql == "SHOW USERS" && listed.is_ok_and(|rows| rows <= 1);
            assert!(outcome.is_err() || harmless, "{name:?}: {sql}: {outcome:?}");
        }
        let others = "SELECT count(*) FROM system.audit WHERE user_name = 'admin'";
        assert_eq!(value(&client, others).await, "0", "{name:?}");
        run_all(&admin, &[&format!("DROP USER {user}")]).await;
    }
    for role in ["x'); --", "x\" TO USER ann; --", "PUBLIC", "r\0"] {
        let create = format!("CREATE ROLE {}", quoted(role));
        if in_words(role, admin.run(&create).await) {
            run_all(&admin, &[&format!("DROP ROLE {}", quoted(role))]).await;
        }
    }
    assert_eq!(value(&admin, "SELECT x FROM victim").await, "unharmed");
}

/// `SetSessionOptionsRequest` with one option that is a text, as it is on the wire: a map is made
/// of entries of key and value.
#[derive(Clone, PartialEq, Message)]
struct SetOption {
    #[prost(message, optional, tag = "1")]
    entry: Option<Entry>,
}

#[derive(Clone, PartialEq, Message)]
struct Entry {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    value: Option<Value>,
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, optional, tag = "1")]
    text: Option<String>,
}

/// Whether an option was taken: the answer names those that were not.
async fn set_option(client: &Raw, name: &str, value: &str) -> bool {
    let request = SetOption {
        entry: Some(Entry {
            name: name.to_owned(),
            value: Some(Value {
                text: Some(value.to_owned()),
            }),
        }),
    };
    let answer = client.act("SetSessionOptions", request.encode_to_vec());
    let answer = answer.await;
    assert!(answer.is_ok(), "{name:?} = {value:?}: {answer:?}");
    answer.expect("it was answered").concat().is_empty()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn session_options_open_nothing() {
    let cluster = Cluster::server().await;
    let admin = cluster.client().await;
    let statements = [
        "CREATE USER ann PASSWORD 'x'",
        "ALTER USER ann SET LIMIT max_sql_length = 1KiB",
        "CREATE SCHEMA hidden",
        "CREATE TABLE hidden.victim AS SELECT 1 AS x",
        "REVOKE USAGE ON CATALOG waterbuck FROM PUBLIC",
        "REVOKE SET ON CATALOG waterbuck FROM PUBLIC",
        "GRANT SET ON SETTING max_sql_length TO PUBLIC",
    ];
    run_all(&admin, &statements).await;
    let ann = Client::log_in(cluster.address(), "ann", "x").await;
    let ann = ann.expect("she may come in");
    let raw = Raw::connect(cluster.address()).await.expect("open");
    let raw = raw.bearing(&ann.token().expect("a login gives a token"));
    for (name, value) in [
        ("schema", "hidden"),
        ("schema", "absent"),
        ("schema", "hidden\"; DROP TABLE victim; --"),
        ("schema", "hidden\0"),
        ("catalog", "other"),
        ("catalog", "waterbuck'"),
        ("query_timeout", "1s"),
        ("memory_limit", "1GiB"),
        ("user", "admin"),
        ("role", "admin"),
        ("datafusion.catalog.location", "/etc"),
        ("max_sql_length = 1; SET schema", "hidden"),
        ("", ""),
        ("\0", "\0"),
    ] {
        assert!(!set_option(&raw, name, value).await, "{name:?} = {value:?}");
    }
    // What one may set goes no higher than the limit.
    set_option(&raw, "max_sql_length", "1GiB").await;
    let long = format!("SELECT '{}'", "x".repeat(2000));
    let error = ann.run(&long).await.expect_err("it is too long for her");
    assert_eq!(error.code, Code::ResourceExhausted, "{error}");
    let error = ann.run("SELECT * FROM victim").await;
    assert_eq!(error.expect_err("not hers").code, Code::NotFound);
}
