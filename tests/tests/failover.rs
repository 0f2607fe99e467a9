//! A lost, frozen, leaving or joining executor: the answer is right, or there is an error.

use std::time::Duration;

use waterbuck_tests::{Client, Cluster, Process, Running, Signal, until, within};

use crate::tables::{create_numbers, slow, slow_answer};

const DEADLINE: Duration = Duration::from_secs(120);
const ROWS: i64 = 4000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_executor_is_not_noticed() {
    let (cluster, running) = cluster_in_mid_query().await;
    cluster.signal_executor(1, Signal::Kill);
    expect_right_answer(running).await;
    cluster.wait_for_executors(2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_executor_is_not_noticed() {
    let (cluster, running) = cluster_in_mid_query().await;
    cluster.signal_executor(1, Signal::Stop);
    expect_right_answer(running).await;
    cluster.wait_for_executors(2).await;
    cluster.signal_executor(1, Signal::Continue);
    cluster.wait_for_executors(3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drained_executor_finishes_its_tasks_and_leaves() {
    let (mut cluster, running) = cluster_in_mid_query().await;
    let executor = cluster.executor(0);
    until_page(executor, "/readyz", "HTTP/1.1 200 ").await;
    executor.signal(Signal::Terminate);
    until_page(executor, "/readyz", "HTTP/1.1 503 ").await;
    until_page(executor, "/healthz", "HTTP/1.1 200 ").await;
    let id = running.query_id.clone().expect("a query has an id");
    expect_right_answer(running).await;
    let status = cluster.executor(0).end(DEADLINE).await;
    assert!(status.success(), "{status}\n{}", cluster.logs());
    cluster.wait_for_executors(2).await;
    let sql = format!("SELECT attempts FROM system.queries WHERE query_id = '{id}'");
    let attempts = cluster
        .client()
        .await
        .run(&sql)
        .await
        .expect("the table is there");
    assert_eq!(
        attempts.value(),
        "1",
        "draining is no reason to run a query again"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_retries_a_lost_executor_is_a_clear_error() {
    let cluster = Cluster::distributed(2).await;
    let client = prepared_client(&cluster).await;
    client
        .run("SET retry_lost_executor = off")
        .await
        .expect("the setting exists");
    let running = client.start(&slow(ROWS)).await.expect("the query starts");
    until_tasks_run(&cluster).await;
    cluster.signal_executor(1, Signal::Kill);
    let outcome = within("the query", DEADLINE, running.collect()).await;
    let error = outcome.expect_err("half of the tasks are lost");
    assert_eq!(error.code, tonic::Code::Unavailable, "{error}");
    assert!(error.message.contains("executor"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_already_sent_are_never_sent_again() {
    let cluster = Cluster::distributed(2).await;
    let client = prepared_client(&cluster).await;
    // Nothing is held back, so the first row goes out at once.
    client
        .run("SET result_hold_bytes = 0")
        .await
        .expect("the setting exists");
    let sql = "SELECT a.id, b.id AS other FROM numbers a JOIN numbers b ON a.id % 7 <> b.id % 11";
    let mut running = client.start(sql).await.expect("the query starts");
    let first = running.next().await.expect("no error yet");
    assert!(first.is_some_and(|batch| batch.num_rows() > 0));
    cluster.signal_executor(0, Signal::Kill);
    cluster.signal_executor(1, Signal::Kill);
    let end = within("the end of the stream", DEADLINE, drain(running)).await;
    let error = end.expect_err("a short answer must not pass for a whole one");
    assert_eq!(error.code, tonic::Code::Unavailable, "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_executor_takes_part() {
    let mut cluster = Cluster::distributed(1).await;
    cluster.add_executor().await;
    cluster.wait_for_executors(2).await;
    let client = prepared_client(&cluster).await;
    let answer = client.run(&slow(100)).await.expect("the query runs");
    assert_eq!(answer.value(), slow_answer(100));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_any_executor_the_coordinator_answers() {
    let cluster = Cluster::distributed(1).await;
    let client = prepared_client(&cluster).await;
    cluster.signal_executor(0, Signal::Kill);
    cluster.wait_for_no_executor().await;
    let outcome = within("the query", DEADLINE, client.run(&slow(100))).await;
    let answer = outcome.expect("the coordinator runs it");
    assert_eq!(answer.value(), slow_answer(100));
}

async fn prepared_client(cluster: &Cluster) -> Client {
    let client = cluster.splitting_client().await;
    create_numbers(&client, &cluster.scratch()).await;
    client
}

/// Three executors, all of them at work on [`slow`].
async fn cluster_in_mid_query() -> (Cluster, Running) {
    let cluster = Cluster::distributed(3).await;
    let client = prepared_client(&cluster).await;
    let running = client.start(&slow(ROWS)).await.expect("the query starts");
    until_tasks_run(&cluster).await;
    (cluster, running)
}

async fn until_tasks_run(cluster: &Cluster) {
    let client = cluster.client().await;
    let sql = "SELECT count(*) FROM system.executors WHERE running_tasks > 0";
    let all = async || {
        let busy: usize = client.run(sql).await.ok()?.value().parse().ok()?;
        (busy > 0).then_some(())
    };
    until("tasks on executors", DEADLINE, all).await;
}

async fn until_page(process: &Process, path: &str, beginning: &str) {
    let begun = async || {
        process
            .page(path)
            .await?
            .starts_with(beginning)
            .then_some(())
    };
    until(&format!("{path}: {beginning}"), DEADLINE, begun).await;
}

async fn expect_right_answer(running: Running) {
    let answer = within("the query", DEADLINE, running.collect()).await;
    let answer = answer.expect("the loss is made good");
    assert_eq!(answer.value(), slow_answer(ROWS));
}

async fn drain(mut running: Running) -> Result<(), waterbuck_tests::ClientError> {
    while running.next().await?.is_some() {}
    Ok(())
}
