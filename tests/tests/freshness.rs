//! Files that come, change and go under the hands of other programs.

use std::{fs, path::PathBuf, time::Duration};

use waterbuck_tests::{Client, Cluster, lineorder_batch, until, write_parquet};

use crate::tables::{create_numbers, create_table, run_all, slow, write_files};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_file_is_seen_within_the_stated_age() {
    let (_cluster, client, folder) = growing_table().await;
    run_all(&client, &["SET max_metadata_age = '2s'"]).await;
    assert_eq!(count(&client).await, "200");
    write_parquet(
        &folder.join("late.parquet"),
        &lineorder_batch(200, 250),
        100,
    );
    until("the new file", Duration::from_secs(3), async || {
        (count(&client).await == "250").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_age_every_query_looks() {
    let (_cluster, client, folder) = growing_table().await;
    run_all(&client, &["SET max_metadata_age = '0s'"]).await;
    assert_eq!(count(&client).await, "200");
    for late in 0..3_i64 {
        let rows = lineorder_batch(late * 10, late * 10 + 10);
        write_parquet(&folder.join(format!("late-{late}.parquet")), &rows, 100);
        assert_eq!(count(&client).await, (210 + late * 10).to_string());
    }
    fs::remove_file(folder.join("late-0.parquet")).expect("the file is there");
    assert_eq!(count(&client).await, "220");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replaced_file_is_read_anew() {
    let (_cluster, client, folder) = growing_table().await;
    run_all(&client, &["SET max_metadata_age = '0s'"]).await;
    assert_eq!(sum(&client).await, "19900");
    write_parquet(
        &folder.join("part-0.parquet"),
        &lineorder_batch(1000, 1100),
        50,
    );
    assert_eq!(sum(&client).await, (19900 - 4950 + 104_950).to_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_partition_directory_is_seen() {
    let cluster = Cluster::server().await;
    let client = cluster.client().await;
    let folder = cluster.scratch().join("days");
    let file = |day: &str| folder.join(format!("day={day}")).join("part.parquet");
    write_parquet(&file("2024-01-01"), &lineorder_batch(0, 10), 100);
    create_table(&client, "days", &folder).await;
    run_all(&client, &["SET max_metadata_age = '0s'"]).await;
    write_parquet(&file("2024-01-02"), &lineorder_batch(10, 30), 100);
    let sql = "SELECT count(*) FROM days WHERE day = DATE '2024-01-02'";
    assert_eq!(client.run(sql).await.expect("the query runs").value(), "20");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_replaced_under_a_running_query_is_an_error_that_names_it() {
    change_under_a_query(|path| write_parquet(&path, &lineorder_batch(0, 2500), 500)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_removed_under_a_running_query_is_an_error_that_names_it() {
    change_under_a_query(|path| fs::remove_file(path).expect("the file is there")).await;
}

/// The result is cut into small batches and read no further than the first one, so the scan of the
/// last files has not begun when they change.
async fn change_under_a_query(change: impl Fn(PathBuf)) {
    let cluster = Cluster::server().await;
    let client = cluster.client().await;
    let wide = cluster.scratch().join("wide");
    write_files(&wide, 60, 20_000);
    create_table(&client, "wide", &wide).await;
    run_all(
        &client,
        &["SET target_partitions = 1", "SET result_hold_bytes = 0"],
    )
    .await;
    let sql = "SELECT id, label, repeat(label, 50) AS long FROM wide";
    let mut running = client.start(sql).await.expect("the query starts");
    assert!(
        running
            .next()
            .await
            .expect("the first files are there")
            .is_some()
    );
    for file in 50..60 {
        change(wide.join(format!("part-{file}.parquet")));
    }
    let error = running
        .collect()
        .await
        .expect_err("the snapshot cannot be read any more");
    assert!(
        error.message.contains("part-5") && error.message.contains("changed"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_added_under_an_overwrite_is_a_conflict_and_stays() {
    let (cluster, client, folder) = growing_table().await;
    create_numbers(&client, &cluster.scratch()).await;
    let sql = format!(
        "INSERT OVERWRITE growing SELECT * FROM growing WHERE id < ({})",
        slow(5000)
    );
    let add = async {
        until("the overwrite", Duration::from_secs(30), async || {
            is_running(&cluster).await.then_some(())
        })
        .await;
        write_parquet(&folder.join("late.parquet"), &lineorder_batch(200, 250), 50);
    };
    let (outcome, ()) = tokio::join!(client.run(&sql), add);
    let error = outcome.expect_err("somebody else has added a file");
    assert_eq!(error.sqlstate.as_deref(), Some("40001"), "{error}");
    assert!(
        error.message.contains("late.parquet\" was added"),
        "{error}"
    );
    run_all(&client, &["SET max_metadata_age = '0s'"]).await;
    assert_eq!(count(&client).await, "250");
}

/// Whether the overwrite is being run, rather than planned.
async fn is_running(cluster: &Cluster) -> bool {
    let sql = "SELECT count(*) FROM system.queries \
               WHERE state = 'running' AND sql LIKE 'INSERT OVERWRITE%'";
    let admin = cluster.client().await;
    admin.run(sql).await.expect("the table is there").value() == "1"
}

async fn growing_table() -> (Cluster, Client, PathBuf) {
    let cluster = Cluster::server().await;
    let client = cluster.client().await;
    let folder = cluster.scratch().join("growing");
    write_files(&folder, 2, 100);
    create_table(&client, "growing", &folder).await;
    (cluster, client, folder)
}

async fn count(client: &Client) -> String {
    client
        .run("SELECT count(*) FROM growing")
        .await
        .expect("the query runs")
        .value()
}

async fn sum(client: &Client) -> String {
    client
        .run("SELECT sum(id) FROM growing")
        .await
        .expect("the query runs")
        .value()
}
