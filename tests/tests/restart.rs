//! What survives the end of a process, asked for or not.

use std::time::Duration;

use tonic::Code;
use waterbuck_tests::{Client, Cluster, Options, Signal};

use crate::tables::run_all;

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
