//! Distributed answer = single-process answer, for random queries, batch sizes and task sizes.

use waterbuck_tests::{Client, Cluster, Dice, seed};

use crate::tables::{create_table, run_all, write_files};

const QUERIES: u64 = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_distributed_answer_equals_the_answer_of_one_process() {
    let seed = seed();
    let (one, many) = (Cluster::server().await, Cluster::distributed(3).await);
    let (one_client, many_client) = (one.client().await, many.client().await);
    for (cluster, client) in [(&one, &one_client), (&many, &many_client)] {
        let folder = cluster.scratch().join("facts");
        write_files(&folder, 4, 700);
        create_table(client, "facts", &folder).await;
        let folder = cluster.scratch().join("names");
        write_files(&folder, 2, 40);
        create_table(client, "names", &folder).await;
    }
    for number in 0..QUERIES {
        let mut dice = Dice::new(seed.wrapping_add(number));
        set_sizes(&many_client, &mut dice).await;
        let sql = query(&mut dice);
        let (left, right) = tokio::join!(one_client.run(&sql), many_client.run(&sql));
        let context = format!("WATERBUCK_SEED={} gives {sql}", seed.wrapping_add(number));
        let left = left.unwrap_or_else(|error| failed(&context, &error));
        let right = right.unwrap_or_else(|error| failed(&context, &error));
        assert_eq!(left.sorted_rows(), right.sorted_rows(), "{context}");
    }
}

#[expect(clippy::panic, reason = "a query that fails fails the test")]
fn failed(context: &str, error: &waterbuck_tests::ClientError) -> ! {
    panic!("{context}: {error}")
}

async fn set_sizes(client: &Client, dice: &mut Dice) {
    let batch = dice.pick(&["1", "7", "64", "8192"]);
    let scan = dice.pick(&["1", "1000", "16MiB"]);
    let partitions = dice.pick(&["1", "2", "5"]);
    let settings = [
        format!("SET batch_size = {batch}"),
        format!("SET task_scan_bytes = '{scan}'"),
        format!("SET stage_min_rows = {}", dice.pick(&["0", "100000"])),
        format!("SET target_partitions = {partitions}"),
        format!("SET broadcast_joins = {}", dice.pick(&["on", "off"])),
    ];
    run_all(client, &settings.each_ref().map(String::as_str)).await;
}

/// A query whose answer does not depend on the order of rows: sums are of whole numbers.
fn query(dice: &mut Dice) -> String {
    let from = source(dice);
    let filter = filter(dice);
    match dice.roll(6) {
        0 => format!("SELECT f.id, f.label, f.amount FROM {from} WHERE {filter}"),
        1 => format!(
            "SELECT count(*), sum(f.id), max(f.label), count(DISTINCT f.bucket) FROM {from} WHERE {filter}"
        ),
        2 => format!(
            "SELECT f.bucket, count(*), min(f.id), sum(f.id) FROM {from} WHERE {filter} GROUP BY f.bucket"
        ),
        3 => format!(
            "SELECT f.label, f.bucket, count(*) FROM {from} WHERE {filter} GROUP BY ROLLUP (f.label, f.bucket)"
        ),
        4 => format!(
            "SELECT f.id, f.label FROM {from} WHERE {filter} ORDER BY f.amount DESC, f.id, f.label LIMIT 20"
        ),
        _ => format!(
            "SELECT f.id, rank() OVER (PARTITION BY f.bucket ORDER BY f.id), \
             sum(f.id) OVER (PARTITION BY f.label) FROM {from} WHERE {filter}"
        ),
    }
}

fn source(dice: &mut Dice) -> String {
    let on = dice.pick(&[
        "f.id = n.id",
        "f.bucket = n.bucket AND f.id > n.id",
        "f.label = n.label",
    ]);
    match dice.roll(7) {
        0 | 1 => "facts f".to_owned(),
        2 => format!("facts f JOIN names n ON {on}"),
        3 => format!("facts f LEFT JOIN names n ON {on}"),
        4 => format!("names n RIGHT JOIN facts f ON {on}"),
        5 => "(SELECT * FROM facts UNION ALL SELECT * FROM names) f".to_owned(),
        _ => "(SELECT DISTINCT bucket, label, id, amount FROM facts WHERE id % 3 = 0) f".to_owned(),
    }
}

fn filter(dice: &mut Dice) -> String {
    let bound = dice.roll(3000);
    let simple = match dice.roll(5) {
        0 => "true".to_owned(),
        1 => format!("f.id > {bound}"),
        2 => format!("f.id % 7 <> {} AND f.amount < {bound}", bound % 7),
        3 => format!(
            "f.label IN ('label-{}', 'label-7', 'label-77')",
            bound % 100
        ),
        _ => format!("f.bucket = {} OR f.id < {bound}", bound % 10),
    };
    match dice.roll(4) {
        0 => format!("{simple} AND f.id IN (SELECT id FROM names WHERE bucket < 5)"),
        1 => format!("{simple} AND NOT EXISTS (SELECT 1 FROM names x WHERE x.id = f.id)"),
        _ => simple,
    }
}
