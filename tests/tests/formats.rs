//! Files that other programs wrote, in formats and compressions that COPY does not write.

use std::{fs, path::Path, process::Command};

use waterbuck_tests::{Client, Cluster, lineorder_batch, write_avro, write_csv};

use crate::tables::run_all;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn avro_files_are_read() {
    let (cluster, client) = cluster().await;
    let folder = cluster.scratch().join("avro");
    write_avro(
        &folder.join("a.avro"),
        &[(1, Some("one")), (2, None), (-3, Some(""))],
    );
    write_avro(&folder.join("b.avro"), &[(1 << 40, Some("ü"))]);
    external(&client, "a", "AVRO", &folder, "").await;
    let answer = client
        .run("SELECT id, name FROM a ORDER BY id")
        .await
        .expect("Avro is read");
    let right = [
        ["-3", "(empty)"],
        ["1", "one"],
        ["2", "NULL"],
        ["1099511627776", "ü"],
    ];
    assert_eq!(answer.rows(), right);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_compression_of_text_is_read() {
    let (cluster, client) = cluster().await;
    for (program, ending, name) in [
        ("gzip", "gz", "gzip"),
        ("bzip2", "bz2", "bzip2"),
        ("xz", "xz", "xz"),
    ] {
        let folder = cluster.scratch().join(name);
        write_csv(&folder.join("a.csv"), &lineorder_batch(0, 1000));
        write_csv(&folder.join("b.csv"), &lineorder_batch(1000, 1500));
        for file in ["a.csv", "b.csv"] {
            compress(program, &folder.join(file));
            assert!(folder.join(format!("{file}.{ending}")).is_file());
        }
        // The option says it once, the names of the files again.
        let table = format!("{name}_said");
        external(
            &client,
            &table,
            "CSV",
            &folder,
            &format!("OPTIONS ('compression' '{name}')"),
        )
        .await;
        external(&client, name, "CSV", &folder, "").await;
        for table in [table.as_str(), name] {
            let sql = format!("SELECT count(*), sum(id), max(label) FROM {table}");
            let answer = client.run(&sql).await.expect("compressed text is read");
            assert_eq!(answer.rows(), [["1500", "1124250", "label-99"]], "{table}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hidden_and_empty_files_are_not_read() {
    let (cluster, client) = cluster().await;
    let folder = cluster.scratch().join("mixed");
    write_csv(
        &folder.join("deep").join("er").join("a.csv"),
        &lineorder_batch(0, 5),
    );
    for name in ["_SUCCESS", ".hidden.csv", "empty.csv", "_staging/x.csv"] {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a file is in a directory")).expect("writable");
        let text = if name == "empty.csv" {
            ""
        } else {
            "not,a,table\n"
        };
        fs::write(path, text).expect("the file can be written");
    }
    external(&client, "mixed", "CSV", &folder, "").await;
    let answer = client
        .run("SELECT count(*), sum(id) FROM mixed")
        .await
        .expect("one file counts");
    assert_eq!(answer.rows(), [["5", "10"]]);
}

async fn cluster() -> (Cluster, Client) {
    let cluster = Cluster::distributed(2).await;
    let client = cluster.splitting_client().await;
    (cluster, client)
}

async fn external(client: &Client, name: &str, format: &str, folder: &Path, options: &str) {
    let folder = folder.display();
    let sql =
        format!("CREATE EXTERNAL TABLE {name} STORED AS {format} LOCATION '{folder}/' {options}");
    run_all(client, &[&sql]).await;
}

fn compress(program: &str, file: &Path) {
    let status = Command::new(program).arg(file).status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "{program} is missing or failed"
    );
}
