//! How queries are cut into stages: the plans of `plans/`, compared word for word.
//!
//! A plan that changed on purpose is written anew by `WATERBUCK_BLESS=1 scripts/test cluster` and
//! reviewed like code.

use std::fs;
use std::path::Path;

use waterbuck_tests::{Client, Cluster};

use crate::tables::{create_table, run_all, write_files};

/// Name, settings and query of each plan.
const PLANS: [(&str, &[&str], &str); 9] = [
    (
        "aggregate",
        &[],
        "SELECT bucket, count(*), sum(amount) FROM facts WHERE id > 10 GROUP BY bucket",
    ),
    (
        "small_aggregate",
        &["SET stage_min_rows = 10000"],
        "SELECT bucket, count(*) FROM facts GROUP BY bucket",
    ),
    (
        "top_rows",
        &[],
        "SELECT id, amount FROM facts ORDER BY amount DESC, id LIMIT 5",
    ),
    (
        "broadcast_join",
        &[],
        "SELECT n.label, count(*) FROM facts f JOIN names n ON f.bucket = n.id GROUP BY n.label",
    ),
    (
        "partitioned_join",
        &["SET broadcast_limit = 0"],
        "SELECT count(*) FROM facts f JOIN facts g ON f.id = g.id WHERE f.amount > 3",
    ),
    (
        "join_that_will_not_fit",
        &["SET memory_limit = '32KiB'"],
        "SELECT f.label, g.amount FROM facts f JOIN facts g ON f.id = g.id",
    ),
    (
        "window",
        &[],
        "SELECT id, sum(amount) OVER (PARTITION BY bucket ORDER BY id) AS running FROM facts",
    ),
    (
        "union",
        &[],
        "SELECT id FROM facts WHERE bucket = 1 UNION ALL SELECT id FROM names WHERE id < 5",
    ),
    (
        "not_in",
        &[],
        "SELECT count(*) FROM facts WHERE id NOT IN (SELECT id FROM names WHERE amount > 2)",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plans_are_what_they_were() {
    let cluster = Cluster::distributed(3).await;
    let client = cluster.splitting_client().await;
    let scratch = cluster.scratch();
    write_files(&scratch.join("facts"), 4, 700);
    write_files(&scratch.join("names"), 2, 40);
    create_table(&client, "facts", &scratch.join("facts")).await;
    create_table(&client, "names", &scratch.join("names")).await;
    run_all(&client, &["SET target_partitions = 2"]).await;
    let mut changed = vec![];
    for (name, settings, sql) in PLANS {
        run_all(&client, settings).await;
        let plan = explain(&client, sql).await;
        let reset = [
            "RESET broadcast_limit",
            "RESET memory_limit",
            "SET stage_min_rows = 0",
        ];
        run_all(&client, &reset).await;
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("plans/{name}.txt"));
        let text = format!("{sql}\n\n{plan}\n");
        if std::env::var_os("WATERBUCK_BLESS").is_some() {
            fs::write(&file, &text).expect("the plan can be written");
        }
        let known = fs::read_to_string(&file).unwrap_or_default();
        if known != text {
            changed.push(format!("{}\n{text}", file.display()));
        }
    }
    assert!(changed.is_empty(), "{}", changed.join("\n"));
}

async fn explain(client: &Client, sql: &str) -> String {
    let answer = client.run(&format!("EXPLAIN {sql}")).await;
    let answer = answer.expect("the query is planned");
    let rows = answer.rows();
    let plan = rows.iter().find(|row| row[0] == "distributed_plan");
    let lines = plan.expect("there is a plan")[1].lines().map(without_files);
    lines.collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

/// Which files a scan reads differs from machine to machine.
fn without_files(line: &str) -> String {
    match line.split_once("file_groups={") {
        Some((before, after)) => {
            let rest = after.split_once("]]}").map_or("", |(_, rest)| rest);
            format!("{before}…{rest}").trim_end().to_owned()
        }
        None => line.trim_end().to_owned(),
    }
}
