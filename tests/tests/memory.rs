//! A query that wants more memory than there is: it spills and is right, or fails alone.

use std::path::Path;
use std::time::Duration;

use tokio::time::timeout;
use waterbuck_tests::{Client, Cluster, Options};

use crate::tables::{create_table, run_all, write_files};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queries_are_right_with_a_tenth_of_the_memory_they_want() {
    let (_cluster, client) = cluster_with("2GiB").await;
    let sort = "SELECT count(*), sum(CASE WHEN n = id + 1 THEN 1 ELSE 0 END) FROM \
         (SELECT id, row_number() OVER (ORDER BY id) AS n, concat(label, repeat('x', 100)) FROM big)";
    check_at_a_tenth(&client, sort, ["1000000", "1000000"]).await;
    let aggregate = "SELECT count(*), sum(c) FROM \
         (SELECT concat(label, CAST(id AS VARCHAR), repeat('y', 40)) AS k, count(*) AS c FROM big GROUP BY 1)";
    check_at_a_tenth(&client, aggregate, ["1000000", "1000000"]).await;
    let join = "SELECT count(*), sum(a.bucket), max(length(b.wide)) FROM big a JOIN \
         (SELECT id, concat(label, repeat('z', 90)) AS wide FROM big) b ON a.id = b.id";
    check_at_a_tenth(&client, join, ["1000000", "4500000", "98"]).await;
    let all = "SELECT count(*), sum(c), max(n) FROM (SELECT b.id, count(*) AS c, \
         row_number() OVER (ORDER BY max(b.wide), b.id) AS n FROM big a JOIN \
         (SELECT id, concat(label, repeat('z', 90)) AS wide FROM big) b ON a.id = b.id GROUP BY b.id)";
    check_at_a_tenth(&client, all, ["1000000", "1000000", "1000000"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merge_of_files_that_are_in_order_does_not_wait_for_itself() {
    let (_cluster, client) = cluster_with("2GiB").await;
    // The merge takes all rows of a partition before any of the next, and little may wait in memory.
    run_all(&client, &["SET memory_limit = '128MiB'"]).await;
    let sql = "SELECT count(*), max(n), max(length(c)) FROM (SELECT c, row_number() OVER (ORDER BY id) AS n \
         FROM (SELECT id, encode(sha512(concat(label, id)), 'hex') AS c FROM big))";
    let answer = timeout(Duration::from_secs(60), client.run(sql)).await;
    let answer = answer.expect("it goes on").expect("it can spill");
    assert_eq!(answer.rows(), [["1000000", "1000000", "128"]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_offset_takes_no_longer_than_a_sort_and_can_spill() {
    let (_cluster, client) = cluster_with("2GiB").await;
    run_all(&client, &["SET memory_limit = '32MiB'"]).await;
    let sql =
        "SELECT id FROM big ORDER BY concat(label, repeat('x', 100)), id LIMIT 1 OFFSET 900000";
    let answer = timeout(Duration::from_secs(60), client.run(sql)).await;
    let answer = answer.expect("it goes on").expect("it can spill");
    assert_eq!(answer.rows().len(), 1);
    let sql = "SELECT id FROM big ORDER BY id LIMIT 2 OFFSET 999999";
    assert_eq!(
        client.run(sql).await.expect("one is left").value(),
        "999999"
    );
}

/// Runs `sql` with all the memory it likes, and then with a tenth of what it took.
async fn check_at_a_tenth<const N: usize>(client: &Client, sql: &str, expected: [&str; N]) {
    let answer = client.run(sql).await.expect("there is memory enough");
    assert_eq!(answer.rows(), [expected], "{sql}");
    let peak = format!(
        "SELECT max(peak_memory_bytes) FROM system.queries WHERE sql = '{}'",
        sql.replace('\'', "''")
    );
    let peak = client.run(&peak).await.expect("the queries are listed");
    let peak: u64 = peak.value().parse().expect("a number of bytes");
    run_all(client, &[&format!("SET memory_limit = '{}'", peak / 10)]).await;
    let answer = client.run(sql).await.map(|answer| answer.rows());
    assert!(
        answer.as_ref().is_ok_and(|rows| *rows == [expected]),
        "a tenth of {peak} bytes is enough for {sql}: {answer:?}"
    );
    run_all(client, &["RESET memory_limit"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_that_cannot_spill_fails_alone_and_says_why() {
    let (mut cluster, client) = small_cluster().await;
    let small = cluster.client().await;
    run_all(&client, &["SET memory_limit = '4MiB'"]).await;
    let sql = "SELECT length(CAST(array_agg(concat(label, repeat('w', 100))) AS VARCHAR)) FROM big";
    let (failed, other) = tokio::join!(client.run(sql), small.run("SELECT sum(id) FROM big"));
    let error = failed.expect_err("100 MB do not fit");
    assert_eq!(error.code, tonic::Code::ResourceExhausted, "{error}");
    assert!(
        error.message.contains("memory_limit"),
        "the setting is named: {error}"
    );
    assert!(
        error.message.contains("Aggregate"),
        "the operator is named: {error}"
    );
    assert_eq!(
        other.expect("it has nothing to do with the other").value(),
        "499999500000"
    );
    assert!(cluster.front().ended().is_none());
    assert!(cluster.executor(0).ended().is_none() && cluster.executor(1).ended().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spill_over_its_quota_is_an_error_that_leaves_nothing() {
    let (cluster, client) = small_cluster().await;
    run_all(
        &client,
        &["SET memory_limit = '24MiB'", "SET spill_limit = '1MiB'"],
    )
    .await;
    let sql = "SELECT max(n) FROM (SELECT row_number() OVER \
         (ORDER BY concat(label, repeat('x', 100)), id) AS n FROM big)";
    let error = client
        .run(sql)
        .await
        .expect_err("it must spill more than that");
    assert_eq!(error.code, tonic::Code::ResourceExhausted, "{error}");
    assert!(error.message.contains("spill"), "{error}");
    let left = client
        .run("SELECT sum(spilled_bytes) FROM system.executors")
        .await;
    drop(left.expect("the table is there"));
    assert_eq!(spill_files(&cluster.scratch().join("spill")), 0);
}

async fn small_cluster() -> (Cluster, Client) {
    cluster_with("64MiB").await
}

/// Two executors with so much memory each, and a table of a million rows.
async fn cluster_with(memory: &str) -> (Cluster, Client) {
    let flags = ["--memory-limit", memory].map(str::to_owned).to_vec();
    let cluster = Cluster::start(Options {
        executors: 2,
        flags,
        ..Options::default()
    })
    .await;
    let client = cluster.client().await;
    let folder = cluster.scratch().join("big");
    write_files(&folder, 4, 250_000);
    create_table(&client, "big", &folder).await;
    run_all(&client, &["SET task_scan_bytes = '256KiB'"]).await;
    (cluster, client)
}

fn spill_files(folder: &Path) -> usize {
    glob::glob(&format!("{}/**/*", folder.display()))
        .map(|paths| {
            paths
                .filter_map(Result::ok)
                .filter(|path| path.is_file())
                .count()
        })
        .unwrap_or(0)
}
