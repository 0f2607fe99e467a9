//! A query that wants more memory than there is: it spills and is right, or fails alone.

use std::path::Path;

use waterbuck_tests::{Client, Cluster, Options};

use crate::tables::{create_table, run_all, write_files};

const LIMIT: &str = "64MiB";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sort_larger_than_memory_spills_and_is_right() {
    let (_cluster, client) = small_cluster().await;
    run_all(&client, &["SET memory_limit = '24MiB'"]).await;
    let sql = "SELECT count(*), sum(CASE WHEN n = id + 1 THEN 1 ELSE 0 END) FROM \
         (SELECT id, row_number() OVER (ORDER BY id) AS n, concat(label, repeat('x', 100)) FROM big)";
    let answer = client.run(sql).await.expect("a sort can spill");
    assert_eq!(answer.rows(), [["1000000", "1000000"]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_aggregate_larger_than_memory_spills_and_is_right() {
    let (_cluster, client) = small_cluster().await;
    run_all(&client, &["SET memory_limit = '24MiB'"]).await;
    let sql = "SELECT count(*), sum(c) FROM \
         (SELECT concat(label, CAST(id AS VARCHAR), repeat('y', 40)) AS k, count(*) AS c FROM big GROUP BY 1)";
    let answer = client.run(sql).await.expect("an aggregate can spill");
    assert_eq!(answer.rows(), [["1000000", "1000000"]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_join_larger_than_memory_spills_and_is_right() {
    let (_cluster, client) = small_cluster().await;
    run_all(&client, &["SET memory_limit = '24MiB'"]).await;
    let sql = "SELECT count(*), sum(a.bucket), max(length(b.wide)) FROM big a JOIN \
         (SELECT id, concat(label, repeat('z', 90)) AS wide FROM big) b ON a.id = b.id";
    let answer = client
        .run(sql)
        .await
        .expect("a join is planned so that it can spill");
    assert_eq!(answer.rows(), [["1000000", "4500000", "98"]]);
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

/// Two executors of [`LIMIT`] each with a table of a million rows.
async fn small_cluster() -> (Cluster, Client) {
    let flags = ["--memory-limit", LIMIT].map(str::to_owned).to_vec();
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
