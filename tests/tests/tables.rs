//! Tables that several tests share.

use std::path::Path;

use waterbuck_tests::{Client, lineorder_batch, write_parquet};

/// Runs statements that must work.
pub(crate) async fn run_all(client: &Client, statements: &[&str]) {
    for statement in statements {
        let outcome = client.run(statement).await;
        assert!(
            outcome.is_ok(),
            "{statement}: {}",
            outcome.expect_err("it failed")
        );
    }
}

/// Writes `files` Parquet files of `rows` rows each, with ids counted from 0 over all of them.
pub(crate) fn write_files(folder: &Path, files: i64, rows: i64) {
    for file in 0..files {
        let batch = lineorder_batch(file * rows, (file + 1) * rows);
        write_parquet(&folder.join(format!("part-{file}.parquet")), &batch, 1000);
    }
}

/// An external table `name` over the Parquet files of a directory.
pub(crate) async fn create_table(client: &Client, name: &str, folder: &Path) {
    let location = folder.display();
    let sql = format!("CREATE EXTERNAL TABLE {name} STORED AS PARQUET LOCATION '{location}/'");
    run_all(client, &[&sql]).await;
}

/// A table `numbers` of 20,000 rows in 8 files.
pub(crate) async fn create_numbers(client: &Client, scratch: &Path) {
    let folder = scratch.join("numbers");
    write_files(&folder, 8, 2500);
    create_table(client, "numbers", &folder).await;
}

/// A query over `numbers` that runs for seconds even on a quick machine, on every executor, and
/// gives its only row at the end: 400 million pairs.
pub(crate) const SLOW: &str = "SELECT count(*) FROM numbers a JOIN numbers b \
     ON a.id % 7 <> b.id % 11 AND a.amount + b.amount > 10.5";

/// The same over a part of the rows: a few seconds, with an answer that is checked.
pub(crate) fn slow(rows: i64) -> String {
    format!("{SLOW} WHERE a.id < {rows}")
}

/// The right answer of [`slow`].
pub(crate) fn slow_answer(rows: i64) -> String {
    let mut count = 0_u64;
    for a in 0..rows {
        for b in 0..20_000 {
            // The halves: `a / 2 + b / 2 > 10.5`.
            if a % 7 != b % 11 && a + b > 21 {
                count += 1;
            }
        }
    }
    count.to_string()
}
