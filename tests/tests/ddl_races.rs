//! Concurrent definitions and copies: exactly one wins, the others hear why, nothing is half made.

use std::{fs, time::Duration};

use futures::future::join_all;
use tonic::Code;
use waterbuck_tests::{Client, ClientError, Cluster, Options, until};

const SESSIONS: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_many_creates_of_one_name_wins() {
    let data = tempfile::tempdir().expect("a temporary directory can be made");
    let options = Options {
        data_dir: Some(data.path().to_owned()),
        ..Options::default()
    };
    let cluster = Cluster::start(options).await;
    let outcomes = at_once(&cluster, |_| "CREATE TABLE t AS SELECT 1 AS x".to_owned()).await;
    expect_one_winner(&outcomes);
    let client = cluster.client().await;
    assert_eq!(value(&client, "SELECT count(*) FROM t").await, "1");
    // What the others wrote is removed behind their answers, and its directories with it.
    let tables = data.path().join("tables");
    let one_left = async || {
        let entries = fs::read_dir(&tables).expect("the winner's directory is there");
        (entries.count() == 1).then_some(())
    };
    let what = "the removal of what the losers wrote";
    until(what, Duration::from_secs(20), one_left).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn create_if_not_exists_never_fails() {
    let cluster = Cluster::server().await;
    let create = |_| "CREATE TABLE IF NOT EXISTS t (x INT)".to_owned();
    for outcome in at_once(&cluster, create).await {
        assert!(outcome.is_ok(), "{outcome:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_and_a_view_of_one_name_do_not_both_exist() {
    let cluster = Cluster::server().await;
    let create = |session| match session % 2 {
        0 => "CREATE TABLE t (x INT)".to_owned(),
        _ => "CREATE VIEW t AS SELECT 1 AS x".to_owned(),
    };
    expect_one_winner(&at_once(&cluster, create).await);
    let client = cluster.client().await;
    let sql = "SELECT count(*) FROM information_schema.tables WHERE table_name = 't'";
    assert_eq!(value(&client, sql).await, "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_inserts_are_all_kept() {
    let cluster = Cluster::server().await;
    let client = cluster.client().await;
    client
        .run("CREATE TABLE t (x INT)")
        .await
        .expect("the name is free");
    let insert = |session| format!("INSERT INTO t VALUES ({session})");
    for outcome in at_once(&cluster, insert).await {
        assert!(outcome.is_ok(), "{outcome:?}");
    }
    assert_eq!(
        value(&client, "SELECT count(DISTINCT x) FROM t").await,
        SESSIONS.to_string()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_many_copies_to_a_directory_wins() {
    let cluster = Cluster::server().await;
    let out = cluster.scratch().join("out");
    let copy = |options: &'static str| {
        let place = out.display().to_string();
        move |_: usize| format!("COPY (SELECT 1 AS x) TO '{place}/' STORED AS PARQUET{options}")
    };
    let outcomes = at_once(&cluster, copy("")).await;
    let (done, refused): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    assert_eq!(done.len(), 1, "{refused:?}");
    for error in refused.into_iter().filter_map(Result::err) {
        // Before the rows are read, or when they were to be published.
        let clear = matches!(error.code, Code::AlreadyExists | Code::Unavailable);
        assert!(clear && error.message.contains("/out"), "{error}");
    }
    for outcome in at_once(&cluster, copy(" OPTIONS (append true)")).await {
        assert!(outcome.is_ok(), "{outcome:?}");
    }
    let client = cluster.client().await;
    let sql = format!("SELECT count(*) FROM '{}/'", out.display());
    assert_eq!(value(&client, &sql).await, (SESSIONS + 1).to_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_many_drops_wins() {
    let cluster = Cluster::server().await;
    cluster
        .client()
        .await
        .run("CREATE TABLE t (x INT)")
        .await
        .expect("the name is free");
    let outcomes = at_once(&cluster, |_| "DROP TABLE t".to_owned()).await;
    assert_eq!(
        outcomes.iter().filter(|outcome| outcome.is_ok()).count(),
        1,
        "{outcomes:?}"
    );
}

async fn at_once(cluster: &Cluster, sql: impl Fn(usize) -> String) -> Vec<Result<(), ClientError>> {
    let clients = join_all((0..SESSIONS).map(|_| cluster.client())).await;
    let statements = clients.iter().enumerate().map(|(session, client)| {
        let sql = sql(session);
        async move { client.run(&sql).await.map(|_| ()) }
    });
    join_all(statements).await
}

fn expect_one_winner(outcomes: &[Result<(), ClientError>]) {
    assert_eq!(
        outcomes.iter().filter(|outcome| outcome.is_ok()).count(),
        1,
        "{outcomes:?}"
    );
    for error in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
        let clear = matches!(
            error.code,
            Code::AlreadyExists | Code::Aborted | Code::Unavailable
        );
        assert!(clear && error.message.contains("\"t\""), "{error}");
    }
}

async fn value(client: &Client, sql: &str) -> String {
    client.run(sql).await.expect("the query runs").value()
}
