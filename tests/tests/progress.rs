//! What a user sees of a query while it runs, while it waits, and when it has ended.

use std::time::Duration;

use serde_json::Value;
use tonic::Code;
use waterbuck_tests::{Client, Cluster, Options, until};

use crate::tables::{SLOW, create_numbers};

const PLENTY: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_query_shows_how_far_its_stages_are() {
    let cluster = Cluster::distributed(2).await;
    create_numbers(&cluster.client().await, &cluster.scratch()).await;
    let (user, other) = (cluster.splitting_client().await, cluster.client().await);
    let running = user.start(SLOW).await.expect("the query starts");
    let id = running.query_id.clone().expect("a query has an id");
    let seen = async || {
        let progress = progress(&other, &id).await;
        let has_read = progress["rows_read"].as_u64() > Some(0);
        has_read.then_some(progress)
    };
    let progress = tokio::select! {
        answer = running.collect() => {
            answer.expect("the query has an answer");
            unreachable!("the query was too quick for this test")
        }
        progress = until("rows read by executors", PLENTY, seen) => progress,
    };
    assert_eq!(progress["state"], "running");
    let stages = progress["stages"].as_array().expect("a list");
    assert_eq!(progress["stages_total"], stages.len());
    assert!(progress["tasks_total"].as_u64() >= Some(2), "{progress}");
    assert!(progress["tasks_done"].as_u64() < progress["tasks_total"].as_u64());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ended_query_has_a_profile_and_all_its_stages_are_done() {
    let cluster = Cluster::distributed(2).await;
    create_numbers(&cluster.client().await, &cluster.scratch()).await;
    let client = cluster.splitting_client().await;
    let sql = "SELECT id % 7 AS rest, count(*) FROM numbers GROUP BY rest";
    let answer = client.run(sql).await.expect("the query has an answer");
    let id = answer.query_id.expect("a query has an id");
    let progress = progress(&client, &id).await;
    assert_eq!(progress["state"], "finished");
    assert_eq!(progress["stages_done"], progress["stages_total"]);
    assert!(progress["stages_total"].as_u64() > Some(0), "{progress}");
    let sql = format!(
        "SELECT profile, peak_memory_bytes, stages_done FROM system.queries WHERE query_id = '{id}'"
    );
    let row = client.run(&sql).await.expect("the table is there");
    let profile = &row.column("profile")[0];
    for part in [
        "planning: ",
        "queueing: ",
        "stage 1: ",
        "AggregateExec",
        "output_rows=",
    ] {
        assert!(profile.contains(part), "no \"{part}\" in:\n{profile}");
    }
    assert_ne!(row.column("peak_memory_bytes")[0], "0");
    assert_eq!(
        progress["stages_done"].to_string(),
        row.column("stages_done")[0]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_parts_of_an_analysed_querys_time_add_up() {
    let cluster = Cluster::distributed(2).await;
    create_numbers(&cluster.client().await, &cluster.scratch()).await;
    let client = cluster.splitting_client().await;
    let sql = "EXPLAIN ANALYZE SELECT id % 7 AS rest, count(*) FROM numbers GROUP BY rest";
    let answer = client.run(sql).await.expect("the query has an answer");
    let summary = answer.column("plan")[1].clone();
    let time = |name: &str| {
        let line = summary.lines().find_map(|line| line.strip_prefix(name));
        let text = line.and_then(|time| time.strip_suffix(" ms"));
        text.expect(name).parse::<f64>().expect("a number")
    };
    let parts = ["planning: ", "queueing: ", "dispatch: ", "execution: "].map(&time);
    let sum: f64 = parts.iter().sum();
    // Each of them is rounded.
    assert!((sum - time("total: ")).abs() < 0.03, "{sum} of:\n{summary}");
    let sql = "SELECT profile FROM system.queries WHERE sql LIKE 'EXPLAIN ANALYZE%'";
    let row = client.run(sql).await.expect("the table is there");
    let profile = &row.column("profile")[0];
    for line in summary.lines().filter(|line| line.ends_with(" ms")) {
        assert!(profile.contains(line), "no \"{line}\" in:\n{profile}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queries_wait_for_their_turn_and_too_many_are_refused() {
    let flags = ["--max-running-queries", "1", "--max-queued-queries", "1"];
    let cluster = Cluster::start(Options {
        flags: flags.map(str::to_owned).to_vec(),
        ..Options::default()
    })
    .await;
    let admin = cluster.client().await;
    create_numbers(&admin, &cluster.scratch()).await;
    let (first, second) = (cluster.client().await, cluster.client().await);
    let running = first.start(SLOW).await.expect("the query starts");
    let id = running.query_id.clone().expect("a query has an id");
    let waits = second.run("SELECT count(*) FROM numbers");
    let queued = async || {
        let sql = "SELECT count(*) FROM system.queries WHERE state = 'queued'";
        let count = admin.run(sql).await.expect("the table is there").value();
        (count == "1").then_some(())
    };
    let seen_and_killed = async {
        until("a query that waits", PLENTY, queued).await;
        let third = admin.run("SELECT max(id) FROM numbers").await;
        let error = third.expect_err("the queue is full");
        assert_eq!(error.code, Code::ResourceExhausted, "{error}");
        assert!(error.message.contains("--max-running-queries"), "{error}");
        let kill = format!("KILL QUERY '{id}'");
        admin.run(&kill).await.expect("the query is known");
    };
    let (slow, waited, ()) = tokio::join!(running.collect(), waits, seen_and_killed);
    slow.expect_err("a killed query has no answer");
    assert_eq!(waited.expect("its turn has come").value(), "20000");
    let sql = "SELECT queued_ms > 0 FROM system.queries WHERE sql = 'SELECT count(*) FROM numbers'";
    let waited = admin.run(sql).await.expect("the table is there");
    assert_eq!(waited.value(), "true");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_that_waits_for_its_turn_is_described_at_once() {
    let flags = ["--max-running-queries", "1"];
    let cluster = Cluster::start(Options {
        flags: flags.map(str::to_owned).to_vec(),
        ..Options::default()
    })
    .await;
    let admin = cluster.client().await;
    create_numbers(&admin, &cluster.scratch()).await;
    let (first, second) = (cluster.client().await, cluster.client().await);
    let running = first.start(SLOW).await.expect("the query starts");
    let id = running.query_id.clone().expect("a query has an id");
    let waiting = second.start("SELECT count(*) FROM numbers").await;
    let waiting = waiting.expect("the query is described");
    let waiting_id = waiting.query_id.clone().expect("a query has an id");
    let queued = async || (progress(&admin, &waiting_id).await["state"] == "queued").then_some(());
    until("a query that waits", PLENTY, queued).await;
    let kill = format!("KILL QUERY '{id}'");
    admin.run(&kill).await.expect("the query is known");
    let answer = waiting.collect().await.expect("its turn has come");
    assert_eq!(answer.value(), "20000");
}

async fn progress(client: &Client, id: &str) -> Value {
    let body = id.as_bytes().to_vec();
    let bodies = client.action("waterbuck.progress", body).await;
    let bodies = bodies.expect("the query is known");
    serde_json::from_slice(&bodies[0]).expect("JSON")
}
