//! What bad input gets: an error that names the place, and nothing lost or half done.

use std::{fs, path::Path, sync::Arc, time::Duration};

use tonic::Code;
use waterbuck_tests::{
    Client, ClientError, Cluster, Options, lineorder_batch, until, within, write_csv, write_parquet,
};

use crate::tables::{create_table, run_all, write_files};

const DEADLINE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_syntax_error_has_line_column_and_caret() {
    let (_cluster, client) = server().await;
    let error = failure(&client, "SELECT 1,\n  2\nFROM t t t").await;
    assert_eq!(error.code, Code::InvalidArgument);
    expect_words(&error, &["line 3", "column 10", "FROM t", "^"]);
    assert_eq!(error.sqlstate.as_deref(), Some("42601"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_name_comes_with_the_nearest_one() {
    let (_cluster, client) = server().await;
    run_all(&client, &["CREATE TABLE orders (customer INT, amount INT)"]).await;
    let error = failure(&client, "SELECT * FROM ordrs").await;
    assert_eq!(error.code, Code::NotFound);
    expect_words(&error, &["ordrs", "\"orders\""]);
    expect_words(
        &failure(&client, "SELECT custmer FROM orders").await,
        &["custmer", "customer"],
    );
    let error = failure(&client, "SELECT lenght('x')").await;
    assert_eq!(error.code, Code::InvalidArgument, "{error}");
    expect_words(&error, &["lenght", "length"]);
    expect_words(
        &failure(&client, "SET batchsize = 3").await,
        &["batchsize", "batch_size"],
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_corrupt_parquet_file_is_named() {
    let (cluster, client) = server().await;
    let folder = cluster.scratch().join("corrupt");
    write_files(&folder, 2, 3000);
    create_table(&client, "corrupt", &folder).await;
    let path = folder.join("part-1.parquet");
    let mut bytes = fs::read(&path).expect("the file is there");
    // The first data page: the footer stays whole, so only a scan can find out.
    bytes[8..400].fill(0xAA);
    fs::write(&path, bytes).expect("the file can be written");
    run_all(&client, &["SET max_metadata_age = '0s'"]).await;
    let error = failure(&client, "SELECT sum(id), max(label) FROM corrupt").await;
    expect_words(&error, &["part-1.parquet"]);
    assert!(!error.message.contains("Parquet error"), "{error}");
    assert!(!error.message.contains("Arrow error"), "{error}");
    assert_eq!(
        client
            .run("SELECT 1")
            .await
            .expect("the server lives")
            .value(),
        "1"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parquet_file_without_its_end_is_named() {
    let (cluster, client) = server().await;
    let folder = cluster.scratch().join("cut");
    write_files(&folder, 2, 3000);
    let path = folder.join("part-1.parquet");
    let bytes = fs::read(&path).expect("the file is there");
    fs::write(&path, &bytes[..bytes.len() / 2]).expect("the file can be written");
    let sql = external("cut", "PARQUET", &folder);
    expect_words(&failure(&client, &sql).await, &["part-1.parquet"]);
    expect_words(
        &failure(&client, "SELECT * FROM cut").await,
        &["cut", "does not exist"],
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_corrupt_csv_file_is_named_with_its_line() {
    let (cluster, client) = server().await;
    let folder = cluster.scratch().join("csv");
    write_csv(&folder.join("a.csv"), &lineorder_batch(0, 10));
    run_all(&client, &[&external("rows", "CSV", &folder)]).await;
    let mut text = fs::read_to_string(folder.join("a.csv")).expect("the file is there");
    text.push_str("11,1,not a number,label\n");
    fs::write(folder.join("b.csv"), &text).expect("the file can be written");
    run_all(&client, &["SET max_metadata_age = '0s'"]).await;
    let error = failure(&client, "SELECT sum(amount) FROM rows").await;
    expect_words(&error, &["b.csv", "12", "not a number"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn corrupt_json_and_avro_files_are_named() {
    let (cluster, client) = server().await;
    let folder = cluster.scratch().join("json");
    write(
        &folder.join("a.json"),
        b"{\"x\": 1}\n{\"x\": 2}\n{\"x\": \n",
    );
    let error = failure(&client, &external("j", "JSON", &folder)).await;
    expect_words(&error, &["a.json"]);
    let folder = cluster.scratch().join("avro");
    write(&folder.join("a.avro"), b"Obj\x01 and then nothing sensible");
    let error = failure(&client, &external("a", "AVRO", &folder)).await;
    expect_words(&error, &["a.avro"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_location_that_is_not_there_is_named() {
    let (cluster, client) = server().await;
    let folder = cluster.scratch().join("nowhere");
    let error = failure(&client, &external("t", "PARQUET", &folder)).await;
    assert_eq!(error.code, Code::NotFound, "{error}");
    expect_words(&error, &["nowhere"]);
    let file = cluster.scratch().join("file");
    write(&file, b"x");
    let error = failure(&client, &external("t", "PARQUET", &file.join("below"))).await;
    expect_words(&error, &["below"]);
    let error = failure(
        &client,
        "CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION 'ftp://x/y'",
    );
    expect_words(&error.await, &["ftp"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_directory_with_an_impossible_value_is_named() {
    let (cluster, client) = server().await;
    let folder = cluster.scratch().join("parts");
    for value in ["2023", "2024", "soon"] {
        let path = folder.join(format!("year={value}")).join("part.parquet");
        write_parquet(&path, &lineorder_batch(0, 10), 10);
    }
    let create = format!(
        "CREATE EXTERNAL TABLE parts (id BIGINT, year INT) STORED AS PARQUET \
         PARTITIONED BY (year) LOCATION '{}/'",
        folder.display()
    );
    let error = match client.run(&create).await {
        Ok(_) => failure(&client, "SELECT count(*) FROM parts").await,
        Err(error) => error,
    };
    expect_words(&error, &["year=soon"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clash_of_schemas_names_file_and_column() {
    let (cluster, client) = server().await;
    let folder = cluster.scratch().join("clash");
    write_parquet(&folder.join("a.parquet"), &lineorder_batch(0, 10), 10);
    write_parquet(
        &folder.join("b.parquet"),
        &renamed(&lineorder_batch(0, 10)),
        10,
    );
    let error = failure(&client, &external("clash", "PARQUET", &folder)).await;
    expect_words(&error, &["id", ".parquet"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_names_the_place_and_leaves_nothing() {
    let options = Options {
        file_kibibytes_max: Some(2048),
        ..Options::default()
    };
    let cluster = Cluster::start(options).await;
    let client = cluster.client().await;
    let folder = cluster.scratch().join("out");
    let rows =
        "SELECT i, md5(CAST(i AS VARCHAR)) AS digest FROM generate_series(1, 400000) AS t(i)";
    let copy = format!("COPY ({rows}) TO '{}/' STORED AS PARQUET", folder.display());
    expect_words(&failure(&client, &copy).await, &["out", "too large"]);
    // A file that was just being closed is removed behind the answer.
    let gone = async || (!folder.exists()).then_some(());
    until(
        "the removal of what was written",
        Duration::from_secs(20),
        gone,
    )
    .await;
    let error = failure(&client, &format!("CREATE TABLE big AS {rows}")).await;
    expect_words(&error, &["too large"]);
    expect_words(
        &failure(&client, "SELECT * FROM big").await,
        &["does not exist"],
    );
    let small = "CREATE TABLE small AS SELECT 1 AS x";
    run_all(&client, &[small]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_executor_of_another_version_is_refused() {
    let (cluster, client) = server().await;
    let heartbeat = serde_json::json!({
        "executor_id": "old", "url": "http://127.0.0.1:1", "version": "0.0.1", "state": "active",
        "running_tasks": 0, "running_queries": 0, "memory_used_bytes": 0, "memory_peak_bytes": 0,
        "memory_limit_bytes": 1, "spilled_bytes": 0, "cores": 1, "cluster_token": "test",
    });
    let sent = client
        .action("waterbuck.heartbeat", heartbeat.to_string().into_bytes())
        .await;
    let error = sent.expect_err("versions must be equal");
    expect_words(&error, &["version", "0.0.1"]);
    drop(cluster);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn oversized_statements_meet_limits() {
    let (_cluster, client) = server().await;
    let text = format!("SELECT '{}'", "x".repeat(20 << 20));
    let error = failure(&client, &text).await;
    assert_eq!(error.code, Code::ResourceExhausted, "{error}");
    expect_words(&error, &["max_sql_length"]);
    assert!(error.message.len() < 2000, "the text is not sent back");
    let huge = format!("SELECT '{}'", "x".repeat(100_000_000));
    let error = failure(&client, &huge).await;
    assert_eq!(error.code, Code::ResourceExhausted, "{error}");
    expect_words(&error, &["max_sql_length", "at most"]);
    let nested = format!("SELECT {}1{}", "(".repeat(5000), ")".repeat(5000));
    let error = failure(&client, &nested).await;
    assert_eq!(error.code, Code::ResourceExhausted, "{error}");
    expect_words(&error, &["max_expression_depth"]);
    assert_eq!(
        client
            .run("SELECT 1")
            .await
            .expect("the server lives")
            .value(),
        "1"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_lists_and_long_chains_are_answered() {
    let (_cluster, client) = server().await;
    run_all(
        &client,
        &["CREATE TABLE t AS SELECT i FROM generate_series(1, 10) AS s(i)"],
    )
    .await;
    let list = (5..100_005)
        .map(|n| n.to_string())
        .collect::<Vec<_>>()
        .join(", ");
    let sql = format!("SELECT count(*) FROM t WHERE i IN ({list})");
    let answer = within("the list", DEADLINE, client.run(&sql)).await;
    assert_eq!(answer.expect("the list is within its limit").value(), "6");
    let chain = (0..2000)
        .map(|n| format!("i = {}", n * 5))
        .collect::<Vec<_>>()
        .join(" OR ");
    let sql = format!("SELECT count(*) FROM t WHERE {chain}");
    let answer = within("the chain", DEADLINE, client.run(&sql)).await;
    assert_eq!(answer.expect("a chain is not nesting").value(), "2");
}

async fn server() -> (Cluster, Client) {
    let cluster = Cluster::server().await;
    let client = cluster.client().await;
    (cluster, client)
}

async fn failure(client: &Client, sql: &str) -> ClientError {
    let outcome = within("the statement", DEADLINE, client.run(sql)).await;
    let start: String = sql.chars().take(200).collect();
    let error = outcome.err();
    error.unwrap_or_else(|| taken(&start))
}

#[expect(clippy::panic, reason = "bad input that is taken fails the test")]
fn taken(sql: &str) -> ! {
    panic!("it was taken: {sql}")
}

fn expect_words(error: &ClientError, words: &[&str]) {
    for word in words {
        assert!(error.message.contains(word), "no {word:?} in: {error}");
    }
    assert_ne!(error.code, Code::Internal, "{error}");
}

fn external(name: &str, format: &str, folder: &Path) -> String {
    format!(
        "CREATE EXTERNAL TABLE {name} STORED AS {format} LOCATION '{}/'",
        folder.display()
    )
}

/// The same columns with `id` as text that is no number.
fn renamed(batch: &arrow::array::RecordBatch) -> arrow::array::RecordBatch {
    let label = batch.column_by_name("label").expect("a fixture column");
    let columns = [
        ("id", Arc::clone(label)),
        ("bucket", Arc::clone(batch.column(1))),
    ];
    arrow::array::RecordBatch::try_from_iter(columns).expect("columns of one length")
}

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().expect("a file is in a directory")).expect("writable");
    fs::write(path, bytes).expect("the file can be written");
}
