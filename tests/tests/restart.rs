//! What survives the end of a process, asked for or not.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tonic::Code;
use waterbuck_tests::{Client, Cluster, Options, Signal, until};

use crate::tables::{create_table, run_all, write_files};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn definitions_and_rows_survive_kill() {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let options = Options {
        data_dir: Some(dir.path().to_owned()),
        ..Options::default()
    };
    let mut cluster = Cluster::start(options.clone()).await;
    let statements = [
        "CREATE SCHEMA s",
        "CREATE TABLE s.t (x INT, y VARCHAR)",
        "INSERT INTO s.t VALUES (1, 'one'), (2, NULL)",
        "CREATE VIEW s.v AS SELECT x FROM s.t WHERE y IS NULL",
        "CREATE USER ann PASSWORD 'pw-of-ann'",
    ];
    run_all(&cluster.client().await, &statements).await;
    cluster.front().signal(Signal::Kill);
    cluster.front().end(Duration::from_secs(10)).await;
    drop(cluster);
    let cluster = Cluster::start(options).await;
    let client = cluster.client().await;
    let answer = client
        .run("SELECT x, y FROM s.t ORDER BY x")
        .await
        .expect("the table is there");
    assert_eq!(answer.rows(), [["1", "one"], ["2", "NULL"]]);
    assert_eq!(
        client
            .run("SELECT * FROM s.v")
            .await
            .expect("the view is there")
            .value(),
        "2"
    );
    Client::log_in(cluster.address(), "ann", "pw-of-ann")
        .await
        .expect("the user is there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publication_that_was_interrupted_is_completed() {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let options = Options {
        data_dir: Some(dir.path().join("data")),
        ..Options::default()
    };
    let rows = dir.path().join("rows");
    write_files(&rows, 1, 10);
    let cluster = Cluster::start(options.clone()).await;
    create_table(&cluster.client().await, "t", &rows).await;
    drop(cluster);
    interrupt_publication(&rows);
    let cluster = Cluster::start(options).await;
    let client = cluster.client().await;
    let replaced = async || {
        let answer = client.run("SELECT count(*) FROM t").await.ok()?;
        (answer.value() == "20").then_some(())
    };
    until(
        "the end of the publication",
        Duration::from_secs(20),
        replaced,
    )
    .await;
    assert!(!rows.join("_waterbuck_staging").exists());
}

/// As a killed coordinator leaves an overwrite before it moved a file.
fn interrupt_publication(table: &Path) {
    let staging = table.join("_waterbuck_staging/01890000-0000-7000-8000-000000000000");
    write_files(&staging, 1, 20);
    let place = |path: PathBuf| {
        path.display()
            .to_string()
            .trim_start_matches('/')
            .to_owned()
    };
    let journal = serde_json::json!({
        "moves": [[place(staging.join("part-0.parquet")), place(table.join("new.parquet"))]],
        "removals": [place(table.join("part-0.parquet"))],
    });
    fs::write(staging.join("publish.json"), journal.to_string()).expect("the journal is written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_user_must_log_in_again() {
    let cluster = Cluster::server().await;
    let admin = cluster.client().await;
    run_all(&admin, &["CREATE USER eve PASSWORD 'pw-of-eve'"]).await;
    for change in ["ALTER USER eve PASSWORD 'another'", "DROP USER eve"] {
        let password = if change.starts_with("DROP") {
            "another"
        } else {
            "pw-of-eve"
        };
        let eve = Client::log_in(cluster.address(), "eve", password).await;
        let eve = eve.expect("she may come in");
        eve.run("SELECT 1").await.expect("she may ask");
        run_all(&admin, &[change]).await;
        let error = eve.run("SELECT 1").await.expect_err(change);
        assert_eq!(error.code, Code::Unauthenticated, "{change}: {error}");
    }
    admin.run("SELECT 1").await.expect("the others stay");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_told_to_end_leaves_cleanly() {
    let mut cluster = Cluster::server().await;
    run_all(&cluster.client().await, &["CREATE TABLE t (x INT)"]).await;
    cluster.front().signal(Signal::Terminate);
    let status = cluster.front().end(Duration::from_secs(20)).await;
    assert!(status.success(), "{status}\n{}", cluster.logs());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn executors_come_back_to_a_restarted_coordinator() {
    let mut cluster = Cluster::distributed(2).await;
    cluster.restart_front().await;
    cluster.wait_for_executors(2).await;
    let answer = cluster.client().await.run("SELECT 1").await;
    assert_eq!(answer.expect("the coordinator answers").value(), "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_are_not_let_in() {
    let cluster = Cluster::server().await;
    for (user, password) in [("admin", "wrong"), ("nobody", "test"), ("admin", "")] {
        let error = Client::log_in(cluster.address(), user, password)
            .await
            .err();
        let error = error.expect("only the right password opens");
        let refused = error.code == Code::Unauthenticated || error.message.contains("password");
        assert!(refused, "{error}");
    }
}
