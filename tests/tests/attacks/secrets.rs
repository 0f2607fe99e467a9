//! Secrets of every kind, each a word of its own, looked for wherever the system writes or answers.

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use waterbuck_tests::{Client, ClientError, Page, Pages, Raw, until};

use crate::attacks::connections::DEADLINE;
use crate::tls::Node;

/// All secrets begin with this.
const CANARY: &str = "canary-8f1e";

/// A secret word of this name.
fn canary(name: &str) -> String {
    format!("{CANARY}-{name}")
}

/// A coordinator with an executor, both of which tell all they can, and a web server that is not
/// theirs.
struct Stage {
    coordinator: Node,
    executor: Node,
    admin: Client,
    pages: Pages,
    audit: TempDir,
}

impl Stage {
    async fn set() -> Self {
        let audit = tempfile::tempdir().expect("a temporary directory can be made");
        let pages = Pages::serve(vec![
            ("/open.csv", Page::Text("x\n1\n".to_owned())),
            (
                "/closed.csv",
                Page::Refused("403 Forbidden", "not for you".to_owned()),
            ),
        ])
        .await;
        let told = |more: &[String]| {
            let common = [
                "--log=info,waterbuck=trace".to_owned(),
                format!("--cluster-token={}", canary("cluster")),
            ];
            [&common[..], more].concat()
        };
        let log = format!("--audit-log={}", audit.path().join("audit.log").display());
        let coordinator = Node::start("coordinator", &told(&[log])).await;
        let url = format!("--coordinator=grpc://{}", coordinator.address);
        let executor = Node::start("executor", &told(&[url])).await;
        let admin = Client::connect(&coordinator.address).await.expect("login");
        until("the executor", DEADLINE, || async {
            let known = admin.run("SHOW EXECUTORS").await.ok()?;
            (known.row_count() == 1).then_some(())
        })
        .await;
        Self {
            coordinator,
            executor,
            admin,
            pages,
            audit,
        }
    }

    /// Statements with secrets in them, right and wrong ones.
    fn statements(&self) -> Vec<String> {
        let open = self.pages.url("127.0.0.1", "/open.csv");
        let closed = self.pages.url("127.0.0.1", "/closed.csv");
        let place = self.coordinator.directory().join("x");
        let place = format!("{}/", place.display());
        let [password, key, token, sas] = ["password", "key", "token", "sas"].map(canary);
        vec![
            format!("CREATE USER ann PASSWORD '{password}'"),
            format!("CREATE USER ann PASSWORD '{password}'"),
            format!("CREATE USER IF NOT EXISTS ann PASSWORD '{password}'"),
            format!("ALTER USER ann PASSWORD '{password}'"),
            format!("ALTER USER nobody PASSWORD '{password}'"),
            format!("CREATE USER bob PASWORD '{password}'"),
            format!("CREATE USER bob PASSWORD {password}"),
            format!("CREATE USER bob PASSWORD '{password}' NONSENSE"),
            format!("EXPLAIN CREATE USER bob PASSWORD '{password}'"),
            format!("PREPARE p AS CREATE USER bob PASSWORD '{password}'"),
            format!("CREATE SECRET lake (TYPE s3, KEY_ID '{key}', SECRET '{key}', REGION 'x')"),
            format!("CREATE SECRET lake (TYPE s3, KEY_ID '{key}', SECRET '{key}')"),
            format!("CREATE OR REPLACE SECRET lake (TYPE s3, KEY_ID '{key}', SECRET '{key}')"),
            format!("CREATE SECRET other (TYPE s3, COLOUR '{key}')"),
            format!("CREATE SECRET other (TYPE s4, SECRET '{key}')"),
            format!("CREATE SECRET other (TYPE s3, SECRET '{key}', ENDPOINT 'http://{key}@[')"),
            format!("CREATE SECRET other (TYPE s3, SECRET '{key}', USE_SSL '{key}')"),
            format!("CREATE SECRET other (TYPE s3, SECRET '{key}' '{key}')"),
            format!("CREATE SECRET blobs (TYPE azure, ACCOUNT 'a', KEY '{key}')"),
            format!("CREATE SECRET buckets (TYPE gcs, service_account_key '{{\"{key}\": 1}}')"),
            format!("CREATE SECRET web (TYPE http, TOKEN '{token}', SCOPE '{open}')"),
            "SHOW CREATE TABLE lake".to_owned(),
            format!("SELECT * FROM '{open}'"),
            format!("CREATE EXTERNAL TABLE visible STORED AS CSV LOCATION '{open}'"),
            "SELECT sum(x) FROM visible".to_owned(),
            format!("CREATE EXTERNAL TABLE closed (x INT) STORED AS CSV LOCATION '{closed}'"),
            format!("SELECT * FROM '{closed}'"),
            format!("COPY (SELECT 1 AS x) TO '{closed}' STORED AS CSV"),
            // What belongs into a secret, in the places where others keep it.
            format!("COPY (SELECT 1 AS x) TO '{place}' STORED AS CSV OPTIONS (secret '{key}')"),
            format!(
                "COPY visible TO '{place}' STORED AS CSV OPTIONS ('connection_string' '{key}')"
            ),
            format!("COPY visible TO '{place}' STORED AS CSV OPTIONS ('credentials' '{key}')"),
            format!("COPY visible TO '{place}' STORED AS CSV OPTIONS ('passwd' '{key}')"),
            format!(
                "COPY visible TO '{place}' STORED AS CSV OPTIONS ('aws.account' '{key}', 'key' '{key}')"
            ),
            format!("EXPLAIN COPY visible TO '{place}' STORED AS CSV OPTIONS (secret '{key}')"),
            format!(
                "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '{place}' \
                 OPTIONS ('secret_access_key' '{key}')"
            ),
            format!("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION 's3://me:{key}@b/x/'"),
            format!("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION 'http://me:{key}@127.0.0.1/x'"),
            format!("SELECT * FROM 'https://me:{key}@127.0.0.1/x.csv'"),
            format!("SELECT * FROM 'https://127.0.0.1/x.csv?sv=1&sig={sas}'"),
            format!("SELECT * FROM 'https://127.0.0.1/x.csv?X-Amz-Signature={sas}&x=1'"),
            format!("COPY visible TO 'http://me:{key}@127.0.0.1/x.csv' STORED AS CSV"),
        ]
    }

    /// Everything that can be looked at, as text.
    async fn shown(&self) -> Vec<(String, String)> {
        let mut shown = Vec::new();
        for sql in [
            "SHOW QUERIES",
            "SHOW SECRETS",
            "SHOW USERS",
            "SHOW TOKENS",
            "SHOW SETTINGS",
            "SHOW GRANTS",
            "SHOW LIMITS",
            "SHOW EXECUTORS",
            "SHOW TABLES",
            "SHOW CREATE TABLE visible",
            "DESCRIBE FORMATTED visible",
            "SHOW FILES visible",
            "EXPLAIN VERBOSE SELECT * FROM visible",
            "EXPLAIN ANALYZE VERBOSE SELECT sum(x) FROM visible",
            "SELECT * FROM system.queries",
            "SELECT * FROM system.audit",
            "SELECT * FROM system.secrets",
            "SELECT * FROM system.settings",
            "SELECT * FROM system.executors",
            "SELECT * FROM information_schema.tables",
            "SELECT * FROM information_schema.columns",
        ] {
            shown.push((sql.to_owned(), reply(&self.admin, sql).await));
        }
        for process in [&self.coordinator.process, &self.executor.process] {
            for page in ["/status", "/metrics"] {
                let answer = process.page(page).await.unwrap_or_default();
                shown.push((page.to_owned(), answer));
            }
            shown.push(("the log".to_owned(), process.log()));
        }
        shown
    }
}

/// What a statement is answered with, whatever it is.
async fn reply(client: &Client, sql: &str) -> String {
    match client.run(sql).await {
        Ok(answer) => format!("{:?} {:?}", answer.schema, answer.rows()),
        Err(error) => told(&error),
    }
}

fn told(error: &ClientError) -> String {
    format!("{error} {:?}", error.sqlstate)
}

/// Asserts that no file below a directory holds a secret.
fn check_files(directory: &Path) {
    let paths = glob::glob(&format!("{}/**/*", directory.display())).expect("a good pattern");
    let files = paths.filter_map(Result::ok).filter(|path| path.is_file());
    let mut count = 0;
    for path in files {
        let bytes = fs::read(&path).unwrap_or_default();
        let found = bytes
            .windows(CANARY.len())
            .position(|window| window == CANARY.as_bytes());
        let around = found.map(|at| {
            let from = at.saturating_sub(60);
            String::from_utf8_lossy(&bytes[from..(at + 60).min(bytes.len())]).into_owned()
        });
        assert!(around.is_none(), "{}: {around:?}", path.display());
        count += 1;
    }
    assert!(count > 0, "nothing is in {}", directory.display());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_written_or_shown_anywhere() {
    let stage = Stage::set().await;
    for sql in stage.statements() {
        let reply = reply(&stage.admin, &sql).await;
        assert!(!reply.contains(CANARY), "{sql}: {reply}");
    }
    // Secrets that are used: a login, a wrong one, a token, and a call to the web server.
    let address = stage.coordinator.address.as_str();
    let ann = Client::log_in(address, "ann", &canary("password")).await;
    let ann = ann.expect("her password");
    let wrong = Client::log_in(address, "ann", &canary("guess")).await;
    let error = wrong.expect_err("not her password");
    assert!(!told(&error).contains(CANARY), "{error}");
    let raw = Raw::connect(address).await.expect("open");
    let bearer = raw.bearing(&canary("bearer"));
    let error = bearer.act("GetSessionOptions", "").await;
    let error = error.expect_err("no token at all");
    assert!(!told(&error).contains(CANARY), "{error}");
    let used = stage.pages.asked().concat();
    assert!(used.contains(&canary("token")), "the secret is used");

    let bearers = [ann.token(), stage.admin.token()].map(Option::unwrap_or_default);
    let created = ann.run("CREATE TOKEN mine").await.expect("her own");
    let api = created.rows()[0][2].clone();
    let program = Client::with_token(address, &api).await.expect("open");
    assert_eq!(
        reply(&program, "SELECT 1").await,
        reply(&ann, "SELECT 1").await
    );
    for (place, text) in stage.shown().await {
        assert!(
            !text.contains(CANARY),
            "{place}: {}",
            line_of(&text, CANARY)
        );
        for token in bearers.iter().chain([&api]) {
            let secret = token.rsplit('.').next().unwrap_or_default();
            assert!(!text.contains(secret), "{place} has a token");
        }
    }
    check_files(stage.audit.path());
    check_files(stage.coordinator.directory());
    check_files(stage.executor.directory());
}

/// The line in which a word stands.
fn line_of<'a>(text: &'a str, word: &str) -> &'a str {
    let line = text.lines().find(|line| line.contains(word));
    line.unwrap_or_default()
}
