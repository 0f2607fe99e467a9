//! What several users see of the same server: a right that one lacks hides what it is on, in every
//! answer there is.

use tonic::Code;
use waterbuck_tests::{Answer, Client, ClientError, Cluster};

use crate::tables::run_all;

/// A server with people in it, and the sessions of an administrator, of Ann and of Bob.
struct People {
    cluster: Cluster,
    admin: Client,
    ann: Client,
    bob: Client,
}

const SET_UP: [&str; 12] = [
    "CREATE USER ann PASSWORD 'pw-of-ann'",
    "CREATE USER bob PASSWORD 'pw-of-bob'",
    "CREATE SCHEMA s",
    "CREATE SCHEMA secret_schema",
    "CREATE TABLE secret_schema.secret_inside AS SELECT 1 AS x",
    "CREATE TABLE s.secret_table AS SELECT 1 AS secret_column",
    "CREATE TABLE s.orders AS SELECT i AS id, i % 2 AS region, 'card ' || i AS card, \
     i * 3 AS secret_margin FROM generate_series(1, 100) AS g(i)",
    "CREATE VIEW s.totals AS SELECT o.region, sum(o.secret_margin) AS total FROM s.orders o \
     JOIN s.secret_table t ON t.secret_column = 1 WHERE o.secret_margin <> 4711 GROUP BY o.region",
    "ANALYZE TABLE s.orders COMPUTE STATISTICS",
    "GRANT SELECT ON s.orders (id, region, card) TO USER ann",
    "GRANT SELECT ON VIEW s.totals TO USER ann",
    "GRANT SELECT ON s.orders TO USER bob",
];

impl People {
    async fn meet() -> Self {
        Self::on(Cluster::server().await).await
    }

    async fn on(cluster: Cluster) -> Self {
        let admin = cluster.client().await;
        run_all(&admin, &SET_UP).await;
        run_all(&admin, &["REVOKE USAGE ON CATALOG waterbuck FROM PUBLIC"]).await;
        run_all(&admin, &["GRANT USAGE ON SCHEMA s TO PUBLIC"]).await;
        let session = async |name: &str| {
            Client::log_in(cluster.address(), name, &format!("pw-of-{name}"))
                .await
                .expect("they may come in")
        };
        let (ann, bob) = (session("ann").await, session("bob").await);
        Self {
            cluster,
            admin,
            ann,
            bob,
        }
    }
}

async fn refused(client: &Client, sql: &str) -> ClientError {
    let outcome = client.run(sql).await;
    assert!(outcome.is_err(), "{sql} was not refused");
    outcome.expect_err("it was refused")
}

async fn answer(client: &Client, sql: &str) -> Answer {
    let outcome = client.run(sql).await;
    assert!(outcome.is_ok(), "{sql}: {outcome:?}");
    outcome.expect("it was answered")
}

async fn value(client: &Client, sql: &str) -> String {
    answer(client, sql).await.value()
}

async fn text(client: &Client, sql: &str) -> String {
    format!("{:?}", answer(client, sql).await.rows())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_tells_of_nothing_that_is_not_granted() {
    let people = People::meet().await;
    let schemas = people.ann.schemas().await.expect("schemas");
    let names = schemas.column("db_schema_name");
    assert!(names.contains(&"s".to_owned()), "{names:?}");
    assert!(!names.contains(&"secret_schema".to_owned()), "{names:?}");
    let tables = people.ann.tables().await.expect("tables");
    let mut names = tables.column("table_name");
    names.sort();
    assert_eq!(names, ["orders", "totals"]);
    // The columns are in there as a schema's bytes.
    let bytes = tables.column("table_schema").concat();
    let secret: String = b"secret".iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(!bytes.contains(&secret), "{bytes}");
    let all = people.admin.tables().await.expect("tables");
    assert!(all.column("table_schema").concat().contains(&secret));
    for sql in [
        "SELECT * FROM information_schema.schemata",
        "SELECT * FROM information_schema.tables",
        "SELECT * FROM information_schema.columns",
        "SELECT * FROM information_schema.views",
        "SELECT * FROM information_schema.table_constraints",
        "SHOW SCHEMAS",
        "SHOW TABLES FROM s",
        "SHOW GRANTS",
        "SHOW STATS s.orders",
        "SHOW CREATE TABLE s.orders",
        "DESCRIBE s.orders",
        "DESCRIBE FORMATTED s.orders",
        "DESCRIBE FORMATTED s.totals",
        "SELECT sql, snapshot, profile FROM system.queries",
        "SELECT * FROM s.totals",
        "EXPLAIN SELECT * FROM s.totals",
        "EXPLAIN VERBOSE SELECT * FROM s.totals",
        "EXPLAIN PHYSICAL SELECT * FROM s.totals",
        "EXPLAIN ANALYZE VERBOSE SELECT * FROM s.totals",
        "EXPLAIN FORMAT PGJSON SELECT * FROM s.totals",
        "SELECT snapshot, profile FROM system.queries",
    ] {
        let shown = text(&people.ann, sql).await;
        // Her own statements, which are shown to her, have no such words.
        assert!(
            !shown.contains("secret_") && !shown.contains("4711"),
            "{sql}: {shown}"
        );
    }
    // The same words are there for those who may see them.
    let plan = text(&people.admin, "EXPLAIN SELECT * FROM s.totals").await;
    assert!(plan.contains("secret_margin"), "{plan}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_hidden_is_missing_in_the_same_words_as_what_is_not_there() {
    let people = People::meet().await;
    for (hidden, absent) in [
        ("s.secret_table", "s.absent_table"),
        ("secret_schema.secret_inside", "absent_schema.secret_inside"),
    ] {
        for form in [
            "SELECT * FROM {}",
            "INSERT INTO {} VALUES (1)",
            "DROP TABLE {}",
            "ALTER TABLE {} RENAME TO other",
            "COMMENT ON TABLE {} IS 'x'",
            "DESCRIBE {}",
            "SHOW CREATE TABLE {}",
            "SHOW STATS {}",
            "SHOW FILES {}",
            "ANALYZE TABLE {} COMPUTE STATISTICS",
            "EXPLAIN SELECT * FROM {}",
            "CREATE TABLE s.copy AS SELECT * FROM {}",
            "GRANT SELECT ON {} TO PUBLIC",
        ] {
            let one = refused(&people.ann, &form.replace("{}", hidden)).await;
            let other = refused(&people.ann, &form.replace("{}", absent)).await;
            let told = |error: &ClientError| {
                let message = error.message.replace("secret_", "").replace("absent_", "");
                (error.code, error.sqlstate.clone(), message)
            };
            if form.starts_with("CREATE") {
                // She may make nothing there, whatever it is made of.
                assert_eq!(one.code, Code::PermissionDenied, "{form}: {one}");
            }
            assert_eq!(told(&one), told(&other), "{form}");
        }
    }
    let hinted = refused(&people.ann, "SELECT * FROM s.order").await;
    assert!(
        hinted.message.contains("did you mean \"orders\""),
        "{hinted}"
    );
    let silent = refused(&people.ann, "SELECT * FROM s.secret_tabl").await;
    assert!(!silent.message.contains("did you mean"), "{silent}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_view_is_read_with_its_owners_rights() {
    let people = People::meet().await;
    let total = "SELECT total FROM s.totals WHERE region = 1";
    // Three times the odd numbers below 100.
    assert_eq!(value(&people.ann, total).await, "7500");
    let error = refused(&people.bob, total).await;
    assert!(
        error.message.contains("\"totals\" does not exist"),
        "{error}"
    );
    // A user's own view reads what the user may read, for whoever reads it.
    let statements = [
        "GRANT CREATE ON SCHEMA s TO USER bob",
        "CREATE ROW FILTER odd ON s.orders USING (region = 1) TO USER bob",
    ];
    run_all(&people.admin, &statements).await;
    let view = "CREATE VIEW s.of_bob AS SELECT count(*) AS n FROM s.orders";
    run_all(&people.bob, &[view]).await;
    run_all(&people.bob, &["GRANT SELECT ON VIEW s.of_bob TO USER ann"]).await;
    for client in [&people.ann, &people.bob, &people.admin] {
        assert_eq!(value(client, "SELECT n FROM s.of_bob").await, "50");
    }
    assert_eq!(
        value(&people.ann, "SELECT count(*) FROM s.orders").await,
        "100"
    );
    // What the view reads is its owner's business, and so is why it cannot.
    run_all(&people.admin, &["REVOKE SELECT ON s.orders FROM USER bob"]).await;
    let error = refused(&people.ann, "SELECT n FROM s.of_bob").await;
    assert!(error.message.contains("its owner is told why"), "{error}");
    let error = refused(&people.bob, "SELECT n FROM s.of_bob").await;
    assert!(error.message.contains("orders"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filter_shows_in_no_plan_and_no_figure() {
    for cluster in [Cluster::server().await, Cluster::distributed(2).await] {
        let people = People::on(cluster).await;
        let statements = [
            "CREATE ROW FILTER own ON s.orders USING (region = 1 AND secret_margin <> 4711) \
             TO USER bob",
            "CREATE COLUMN MASK hidden ON s.orders (card) USING ('masked as ' || current_user) \
             TO USER bob",
        ];
        run_all(&people.admin, &statements).await;
        let bob = &people.bob;
        assert_eq!(value(bob, "SELECT count(*) FROM s.orders").await, "50");
        assert_eq!(
            value(bob, "SELECT DISTINCT card FROM s.orders").await,
            "masked as bob"
        );
        // The id of every row that is hidden is even.
        let attack = "SELECT count(*) FROM s.orders WHERE 1 / (id % 2) > 0";
        assert_eq!(value(bob, attack).await, "50");
        for form in [
            "EXPLAIN",
            "EXPLAIN VERBOSE",
            "EXPLAIN ANALYZE",
            "EXPLAIN ANALYZE VERBOSE",
        ] {
            let plan = text(bob, &format!("{form} {attack}")).await;
            for word in ["4711", "masked", "DataSource", "TableScan"] {
                assert!(!plan.contains(word), "{form}: {plan}");
            }
        }
        let shown = text(bob, "SELECT profile, snapshot FROM system.queries").await;
        assert!(
            !shown.contains("4711") && !shown.contains("DataSource"),
            "{shown}"
        );
        assert_eq!(text(bob, "SHOW STATS s.orders").await, "[]");
        let error = refused(bob, "SHOW FILES s.orders").await;
        assert_eq!(error.code, Code::PermissionDenied, "{error}");
        // Others are not bound.
        assert_eq!(
            value(&people.admin, "SELECT count(*) FROM s.orders").await,
            "100"
        );
        let plan = text(&people.admin, "EXPLAIN SELECT * FROM s.orders").await;
        assert!(plan.contains("TableScan"), "{plan}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_a_table_is_kept_is_told_to_those_who_may_change_it() {
    let people = People::meet().await;
    let folder = people.cluster.scratch().join("hidden_place");
    std::fs::create_dir_all(&folder).expect("the scratch directory is writable");
    std::fs::write(folder.join("part.csv"), "x\n1\n").expect("it is writable");
    let create = format!(
        "CREATE EXTERNAL TABLE s.files STORED AS CSV LOCATION '{}'",
        folder.display()
    );
    run_all(
        &people.admin,
        &[create.as_str(), "GRANT SELECT ON s.files TO USER bob"],
    )
    .await;
    let asked = [
        "SHOW CREATE TABLE s.files",
        "DESCRIBE FORMATTED s.files",
        "SHOW FILES s.files",
    ];
    for sql in asked {
        let told = text(&people.admin, sql).await;
        assert!(told.contains("hidden_place"), "{sql}: {told}");
        let told = text(&people.bob, sql).await;
        assert!(!told.contains("hidden_place"), "{sql}: {told}");
    }
    let files = text(&people.bob, "SHOW FILES s.files").await;
    assert!(files.contains("part.csv"), "{files}");
    run_all(&people.admin, &["GRANT INSERT ON s.files TO USER bob"]).await;
    for sql in asked {
        let told = text(&people.bob, sql).await;
        assert!(told.contains("hidden_place"), "{sql}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_revoked_is_gone_with_the_next_statement() {
    let people = People::meet().await;
    let read = "SELECT count(*) FROM s.orders";
    let mut kept = people.bob.prepare(read).await.expect("prepared");
    assert_eq!(value(&people.bob, read).await, "100");
    run_all(&people.admin, &["REVOKE SELECT ON s.orders FROM USER bob"]).await;
    let error = refused(&people.bob, read).await;
    assert!(
        error.message.contains("\"orders\" does not exist"),
        "{error}"
    );
    let outcome = match kept.execute().await {
        Ok(info) => people.bob.open(info).collect().await.map(drop),
        Err(error) => Err(error.into()),
    };
    outcome.expect_err("a prepared statement keeps no rights");
    run_all(
        &people.admin,
        &["GRANT SELECT ON s.orders (id) TO USER bob"],
    )
    .await;
    assert_eq!(value(&people.bob, read).await, "100");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn functions_and_settings_are_guarded() {
    let people = People::meet().await;
    let statements = [
        "REVOKE EXECUTE, SET ON CATALOG waterbuck FROM PUBLIC",
        "GRANT EXECUTE ON FUNCTION length TO PUBLIC",
        "GRANT SET ON SETTING stage_min_rows TO PUBLIC",
        "CREATE VIEW s.large AS SELECT upper('x') AS u",
        "GRANT SELECT ON VIEW s.large TO PUBLIC",
    ];
    run_all(&people.admin, &statements).await;
    let ann = &people.ann;
    assert_eq!(value(ann, "SELECT length('four')").await, "4");
    // Another name of the same function.
    assert_eq!(value(ann, "SELECT character_length('four')").await, "4");
    assert_eq!(value(ann, "SELECT u FROM s.large").await, "X");
    for sql in [
        "SELECT upper('x')",
        "SELECT id FROM s.orders WHERE upper(card) = 'X'",
        "SELECT count(*) FROM s.orders",
        "SELECT substring(card FROM 2) FROM s.orders",
        "SELECT * FROM generate_series(1, 3)",
        "SET query_timeout = '1s'",
        "RESET query_timeout",
    ] {
        let error = refused(ann, sql).await;
        assert_eq!(error.code, Code::PermissionDenied, "{sql}: {error}");
    }
    run_all(ann, &["SET stage_min_rows = 1", "USE s"]).await;
    let error = refused(ann, "USE secret_schema").await;
    assert_eq!(error.code, Code::NotFound, "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_users_queries_are_the_users_own() {
    let people = People::meet().await;
    run_all(&people.bob, &["SELECT 'of bob'"]).await;
    let count = "SELECT count(*) FROM system.queries WHERE user_name = 'bob'";
    assert_eq!(value(&people.ann, count).await, "0");
    let by_user = "SELECT user_name, count(*) FROM system.queries GROUP BY user_name";
    let users = answer(&people.admin, by_user).await.column("user_name");
    assert!(
        users.contains(&"bob".to_owned()) && users.contains(&"admin".to_owned()),
        "{users:?}"
    );
}
