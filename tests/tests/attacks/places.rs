//! Locations that lead somewhere else than they say, and hosts by other names.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use tonic::Code;
use waterbuck_tests::{Client, ClientError, Cluster, Options, Page, Pages, within};

use crate::tables::run_all;

/// What stands in the file that nobody may read.
const CANARY: &str = "canary-in-a-file";
const DEADLINE: Duration = Duration::from_secs(30);

/// A directory that may be read, one that may not, and links from the first to the second.
struct Places {
    _dir: TempDir,
    inside: PathBuf,
    outside: PathBuf,
}

impl Places {
    fn make() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        let root = dir.path().canonicalize().expect("it is there");
        let (inside, outside) = (root.join("in"), root.join("out"));
        let text = format!("{CANARY}\n{CANARY}\n");
        for folder in [&inside, &outside] {
            fs::create_dir(folder).expect("the directory is writable");
        }
        fs::write(inside.join("a.csv"), "x\n1\n").expect("writable");
        fs::write(outside.join("secret.csv"), &text).expect("writable");
        // Beside the allowed one, with its name at the beginning.
        fs::create_dir(root.join("in2")).expect("the directory is writable");
        fs::write(root.join("in2/secret.csv"), text).expect("writable");
        symlink(&outside, inside.join("folder")).expect("writable");
        symlink(outside.join("secret.csv"), inside.join("link.csv")).expect("writable");
        Self {
            _dir: dir,
            inside,
            outside,
        }
    }

    /// Ways to the file outside.
    fn detours(&self) -> Vec<String> {
        let (inside, outside) = (self.inside.display(), self.outside.display());
        vec![
            format!("{outside}/secret.csv"),
            format!("{outside}/"),
            format!("{inside}2/secret.csv"),
            format!("{inside}/../out/secret.csv"),
            format!("{inside}/./../out/./secret.csv"),
            format!("{inside}//..//out//secret.csv"),
            format!("/{outside}/secret.csv"),
            format!("/..{outside}/secret.csv"),
            format!("{inside}/%2e%2e/out/secret.csv"),
            format!("file://{outside}/secret.csv"),
            format!("file://{inside}/../out/secret.csv"),
            format!("file://{inside}/%2e%2e/out/secret.csv"),
            format!("file://{inside}/%2E%2E%2Fout/secret.csv"),
            format!("file://{inside}/..%2fout%2fsecret.csv"),
            format!("file://localhost{outside}/secret.csv"),
            format!("file://example.org{inside}/a.csv"),
            format!("FILE://{outside}/secret.csv"),
            format!("file:/{outside}/secret.csv"),
            format!("{inside}/{{a,../out/secret}}.csv"),
            format!("{inside}/{{.,}}./out/secret.csv"),
            format!("{inside}/../*/secret.csv"),
            format!("{inside}/[.][.]/out/secret.csv"),
            format!("{inside}/folder/secret.csv"),
            format!("{inside}/folder/"),
            format!("{inside}/folder/*.csv"),
            format!("{inside}/f*/secret.csv"),
            format!("{inside}/**/secret.csv"),
            format!("{inside}/link.csv"),
            format!("{inside}/l*.csv"),
            format!("{inside}/{{a,link}}.csv"),
            format!("{inside}/"),
            "../out/secret.csv".to_owned(),
            "/proc/self/environ".to_owned(),
            "/proc/self/root/etc/passwd".to_owned(),
            "/etc/passwd".to_owned(),
            "file:///etc/passwd".to_owned(),
            "memory:///etc/passwd".to_owned(),
        ]
    }
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Asserts that a statement is refused at once, and tells nothing of what it was not to see.
async fn assert_denied(client: &Client, sql: &str) -> ClientError {
    let outcome = within(sql, DEADLINE, client.run(sql)).await;
    assert!(outcome.is_err(), "{sql}: {outcome:?}");
    let error = outcome.expect_err("it was refused");
    assert_words(sql, &error);
    error
}

/// Asserts that a statement is refused or finds nothing; tells whether it was answered.
async fn assert_blind(client: &Client, sql: &str) -> bool {
    match within(sql, DEADLINE, client.run(sql)).await {
        Ok(answer) => {
            let shown = format!("{:?} {:?}", answer.schema, answer.rows());
            let silent = !shown.contains(CANARY) && !shown.contains("secret.csv");
            assert!(silent, "{sql}: {shown}");
            true
        }
        Err(error) => {
            assert_words(sql, &error);
            false
        }
    }
}

fn assert_words(sql: &str, error: &ClientError) {
    let fits = [
        Code::PermissionDenied,
        Code::InvalidArgument,
        Code::NotFound,
    ];
    assert!(fits.contains(&error.code), "{sql}: {error}");
    assert!(!error.message.contains(CANARY), "{sql}: {error}");
}

async fn confined(flags: Vec<String>) -> (Cluster, Client) {
    let cluster = Cluster::start(Options {
        flags,
        ..Options::default()
    })
    .await;
    let client = cluster.client().await;
    (cluster, client)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_leads_out_of_the_allowed_locations() {
    let places = Places::make();
    let inside = places.inside.display();
    let (_cluster, admin) = confined(vec![format!("--allowed-locations={inside}")]).await;
    let allowed = format!("SELECT x FROM '{inside}/a.csv'");
    let answer = admin.run(&allowed).await.expect("it is allowed");
    assert_eq!(answer.value(), "1");
    for detour in places.detours() {
        let place = literal(&detour);
        let declared = format!(
            "CREATE EXTERNAL TABLE way (line VARCHAR) STORED AS CSV LOCATION {place} \
             OPTIONS ('header' 'false')"
        );
        let inferred = format!("CREATE EXTERNAL TABLE way STORED AS CSV LOCATION {place}");
        for create in [&declared, &inferred] {
            // A table may be declared over what cannot be read, as long as it cannot be read.
            if assert_blind(&admin, create).await {
                for sql in ["SELECT * FROM way", "DESCRIBE way", "SHOW FILES way"] {
                    assert_blind(&admin, sql).await;
                }
                run_all(&admin, &["DROP TABLE way"]).await;
            }
        }
        assert_blind(&admin, &format!("SELECT * FROM {place}")).await;
        assert_blind(&admin, &format!("SHOW FILES {place}")).await;
    }
    for target in [
        format!("{}/new/", places.outside.display()),
        format!("{inside}/../out/new.csv"),
        format!("{inside}/folder/new/"),
        format!("{inside}/folder/new.csv"),
        format!("file://{inside}/%2e%2e/out/new.csv"),
    ] {
        let place = literal(&target);
        assert_denied(
            &admin,
            &format!("COPY (SELECT 1 AS x) TO {place} STORED AS CSV"),
        )
        .await;
    }
    let left = fs::read_dir(&places.outside).expect("it is there").count();
    assert_eq!(left, 1, "nothing was written outside");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_with_credentials_are_called_by_no_name() {
    let (cluster, admin) = confined(vec![]).await;
    let hosts = [
        "169.254.169.254",
        "169.254.170.2",
        "2852039166",
        "0xa9fea9fe",
        "0xA9.0xFE.0xA9.0xFE",
        "0251.0376.0251.0376",
        "169.254.43518",
        "169.254.169.254.",
        "[::ffff:169.254.169.254]",
        "[::ffff:a9fe:a9fe]",
        "[0:0:0:0:0:ffff:a9fe:a9fe]",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "0.0.0.0",
        "[::]",
        "metadata.google.internal",
        "METADATA.google.internal.",
        "\u{ff11}69.254.169.254",
        "169\u{3002}254\u{3002}169\u{3002}254",
    ];
    for host in hosts {
        for scheme in ["http", "https"] {
            let place = format!("'{scheme}://{host}/latest/meta-data/x.csv'");
            assert_denied(&admin, &format!("SELECT * FROM {place}")).await;
            assert_denied(&admin, &format!("SHOW FILES {place}")).await;
            let table = format!("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION {place}");
            assert_denied(&admin, &table).await;
        }
        let secret = format!(
            "CREATE SECRET s (TYPE s3, KEY_ID 'k', SECRET 's', ENDPOINT 'http://{host}:80')"
        );
        assert_denied(&admin, &secret).await;
    }
    let disguised = "SELECT * FROM 'http://example.org@169.254.169.254/x.csv'";
    assert_denied(&admin, disguised).await;
    // Others name no place at all.
    run_all(&admin, &["CREATE USER ann PASSWORD 'x'"]).await;
    let ann = Client::log_in(cluster.address(), "ann", "x").await;
    let ann = ann.expect("she may come in");
    for place in ["http://example.org/x.csv", "s3://bucket/x/", "/tmp/x.csv"] {
        let error = assert_denied(&ann, &format!("SELECT * FROM '{place}'")).await;
        assert_eq!(error.code, Code::PermissionDenied, "{error}");
        let table = format!("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '{place}'");
        let error = assert_denied(&ann, &table).await;
        assert_eq!(error.code, Code::PermissionDenied, "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_web_server_cannot_send_the_server_on() {
    let hidden = Pages::serve(vec![("/x.csv", Page::Text(format!("x\n{CANARY}\n")))]).await;
    let elsewhere = hidden.url("localhost", "/x.csv");
    let shown = Pages::serve(vec![
        ("/x.csv", Page::Text("x\n1\n".to_owned())),
        ("/near.csv", Page::MovedTo("/x.csv".to_owned())),
        ("/far.csv", Page::MovedTo(elsewhere.clone())),
        (
            "/cloud.csv",
            Page::MovedTo("http://169.254.169.254/latest/x.csv".to_owned()),
        ),
        ("/loop.csv", Page::MovedTo("/loop.csv".to_owned())),
    ])
    .await;
    let (_cluster, admin) = confined(vec!["--allowed-hosts=127.0.0.1".to_owned()]).await;
    for path in ["/x.csv", "/near.csv"] {
        let url = shown.url("127.0.0.1", path);
        let answer = admin.run(&format!("SELECT x FROM '{url}'")).await;
        assert_eq!(answer.expect(path).value(), "1");
    }
    // A name that leads to an allowed address is not the address.
    assert_denied(&admin, &format!("SELECT x FROM '{elsewhere}'")).await;
    for path in ["/far.csv", "/cloud.csv", "/loop.csv"] {
        let url = shown.url("127.0.0.1", path);
        let sql = format!("SELECT x FROM '{url}'");
        let outcome = within(path, DEADLINE, admin.run(&sql)).await;
        let error = outcome.expect_err(path);
        assert!(!error.message.contains(CANARY), "{path}: {error}");
    }
    assert_eq!(hidden.asked(), Vec::<String>::new(), "it was never called");
}
