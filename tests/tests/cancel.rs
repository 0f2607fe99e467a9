//! Whatever stops a query stops every task of it, on every executor, within a second.

use std::time::{Duration, Instant};

use tonic::Code;
use waterbuck_tests::{Client, Cluster, until, within};

use crate::tables::{SLOW, create_numbers};

/// Executors report their tasks with a heartbeat, so what is seen is this much older.
const HEARTBEAT: Duration = Duration::from_secs(1);
const PROMISE: Duration = Duration::from_secs(3);
const PLENTY: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_query_stops_all_tasks() {
    let cluster = busy_cluster().await;
    let (victim, admin) = (cluster.splitting_client().await, cluster.client().await);
    let running = victim.start(SLOW).await.expect("the query starts");
    let id = running.query_id.clone().expect("a query has an id");
    let rows = tokio::join!(running.collect(), async {
        until_tasks_run(&admin).await;
        admin
            .run(&format!("KILL QUERY '{id}'"))
            .await
            .expect("the query is known");
        until_tasks_are_gone(&admin).await;
    });
    let error = rows.0.expect_err("a killed query has no answer");
    assert_eq!(error.code, Code::Cancelled, "{error}");
    assert_eq!(state(&admin, &id).await, "cancelled");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropping_the_result_stream_stops_all_tasks() {
    let cluster = busy_cluster().await;
    let (victim, admin) = (cluster.splitting_client().await, cluster.client().await);
    let mut running = victim.start(SLOW).await.expect("the query starts");
    tokio::select! {
        row = running.next() => assert!(row.is_err(), "the query was too quick for this test"),
        () = until_tasks_run(&admin) => {}
    }
    drop(running);
    until_tasks_are_gone(&admin).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadline_stops_all_tasks() {
    let cluster = busy_cluster().await;
    let (victim, admin) = (cluster.splitting_client().await, cluster.client().await);
    victim
        .run("SET query_timeout = '1500ms'")
        .await
        .expect("the setting exists");
    let start = Instant::now();
    let error = victim
        .run(SLOW)
        .await
        .expect_err("the query takes longer than it may");
    assert!(
        start.elapsed() < Duration::from_secs(4),
        "stopped after {:?}",
        start.elapsed()
    );
    assert!(error.message.contains("query_timeout"), "{error}");
    until_tasks_are_gone(&admin).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cancel_action_stops_all_tasks() {
    let cluster = busy_cluster().await;
    let (victim, admin) = (cluster.splitting_client().await, cluster.client().await);
    let running = victim.start(SLOW).await.expect("the query starts");
    let id = running.query_id.clone().expect("a query has an id");
    let (rows, ()) = tokio::join!(running.collect(), async {
        until_tasks_run(&admin).await;
        victim
            .action("waterbuck.cancel", id.into_bytes())
            .await
            .expect("the action exists");
        until_tasks_are_gone(&admin).await;
    });
    assert_eq!(
        rows.expect_err("a cancelled query has no answer").code,
        Code::Cancelled
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_a_query_that_is_not_there_names_it() {
    let cluster = Cluster::server().await;
    let client = cluster.client().await;
    let id = "0190a3a0-0000-7000-8000-000000000000";
    let error = client
        .run(&format!("KILL QUERY '{id}'"))
        .await
        .expect_err("nothing runs");
    assert_eq!(error.code, Code::NotFound, "{error}");
    assert!(error.message.contains(id), "{error}");
}

async fn busy_cluster() -> Cluster {
    let cluster = Cluster::distributed(2).await;
    create_numbers(&cluster.client().await, &cluster.scratch()).await;
    cluster
}

async fn running_tasks(client: &Client) -> u64 {
    let sql = "SELECT CAST(sum(running_tasks) AS BIGINT) FROM system.executors";
    let answer = client.run(sql).await.expect("the table is there");
    answer.value().parse().expect("a number")
}

async fn until_tasks_run(client: &Client) {
    let tasks = async || (running_tasks(client).await > 0).then_some(());
    until("tasks on executors", PLENTY, tasks).await;
}

async fn until_tasks_are_gone(client: &Client) {
    let gone = async || (running_tasks(client).await == 0).then_some(());
    let all = until("the end of all tasks", PROMISE + HEARTBEAT, gone);
    within("looking for tasks", PLENTY, all).await;
}

async fn state(client: &Client, id: &str) -> String {
    let sql = format!("SELECT state FROM system.queries WHERE query_id = '{id}'");
    client.run(&sql).await.expect("the table is there").value()
}
