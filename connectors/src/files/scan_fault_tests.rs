//! What a query says when its files are damaged, changed, missing or odd.

use std::fs;

use datafusion::physical_plan::collect;
use parquet::file::metadata::ParquetMetaDataReader;

use super::format::Format;
use super::scan_tests::{Lake, ints, texts};

#[tokio::test]
async fn a_file_that_changes_after_planning_is_an_error() {
    let lake = Lake::new();
    lake.parquet("t/a.parquet", vec![("id", ints(0..1000))]);
    lake.parquet("t/b.parquet", vec![("id", ints(0..1000))]);
    lake.create(Format::Parquet, "t", &[]).await;
    let plan = lake.plan("SELECT id FROM t WHERE id >= 0").await;
    lake.parquet("t/b.parquet", vec![("id", ints(0..2000))]);
    let result = collect(plan, lake.ctx.task_ctx()).await;
    let error = result.expect_err("changed").to_string();
    assert!(
        error.contains("b.parquet\" was changed or removed while the query was running"),
        "{error}"
    );

    lake.text("c/a.csv", "x\n1\n");
    lake.ctx.deregister_table("t").expect("deregister");
    lake.create(Format::Csv, "c", &[]).await;
    let plan = lake.plan("SELECT * FROM t").await;
    fs::remove_file(lake.path("c/a.csv")).expect("remove");
    let result = collect(plan, lake.ctx.task_ctx()).await;
    let error = result.expect_err("removed").to_string();
    assert!(
        error.contains("a.csv\" was changed or removed while the query was running"),
        "{error}"
    );
}

#[tokio::test]
async fn a_damaged_file_is_named_with_its_place() {
    let lake = Lake::new();
    lake.parquet(
        "t/a.parquet",
        vec![("id", ints((0..400).map(|i| i * 7919 % 1009)))],
    );
    lake.create(Format::Parquet, "t", &[]).await;
    let path = lake.path("t/a.parquet");
    // Spoil the data pages of the third row group, keeping size and footer.
    let footer = {
        let file = fs::File::open(&path).expect("open");
        ParquetMetaDataReader::new()
            .parse_and_finish(&file)
            .expect("footer")
    };
    let (start, length) = footer.row_group(2).column(0).byte_range();
    let mut bytes = fs::read(&path).expect("read");
    bytes[start as usize..(start + length) as usize].fill(0xfe);
    fs::write(&path, bytes).expect("write");
    lake.ctx.deregister_table("t").expect("deregister");
    lake.create(Format::Parquet, "t", &[]).await;
    let error = lake.failure("SELECT sum(id) FROM t").await;
    assert!(
        error.contains("a.parquet\" cannot be read as PARQUET (row group 2)"),
        "{error}"
    );

    lake.text("n/a.parquet", "no parquet file at all, really");
    let error = lake
        .spec(Format::Parquet, "n", &[])
        .await
        .expect_err("damaged")
        .to_string();
    assert!(
        error.contains("n/a.parquet\" cannot be read as PARQUET"),
        "{error}"
    );

    let bad: String = (0..2000).map(|i| format!("{i}\n")).collect();
    lake.text("c.csv", &format!("x\n{bad}oops\n"));
    lake.ctx.deregister_table("t").expect("deregister");
    lake.create(Format::Csv, "c.csv", &[]).await;
    let error = lake.failure("SELECT sum(x) FROM t").await;
    assert!(
        error.contains("c.csv\" cannot be read as CSV") && error.contains("2002"),
        "{error}"
    );

    let good: String = (0..2000).map(|i| format!("{{\"x\": {i}}}\n")).collect();
    lake.text("j.json", &format!("\n{good}{{\"x\": oops}}\n"));
    lake.ctx.deregister_table("t").expect("deregister");
    lake.create(Format::Json, "j.json", &[]).await;
    let error = lake.failure("SELECT sum(x) FROM t").await;
    assert!(
        error.contains("j.json\" cannot be read as JSON") && error.contains("at line 2002"),
        "{error}"
    );
}

#[tokio::test]
async fn locations_that_are_missing_or_odd_are_named() {
    let lake = Lake::new();
    let gone = |error: waterbuck_engine::Error| error.to_string();
    let error = gone(
        lake.spec(Format::Csv, "nowhere", &[])
            .await
            .expect_err("missing"),
    );
    assert!(error.contains("nowhere\" does not exist"), "{error}");
    fs::create_dir(lake.dir.path().join("empty")).expect("directory");
    let error = gone(
        lake.spec(Format::Csv, "empty", &[])
            .await
            .expect_err("empty"),
    );
    assert!(error.contains("declare the columns"), "{error}");
    lake.text("other/readme.md", "x");
    let error = gone(
        lake.spec(Format::Csv, "other", &[])
            .await
            .expect_err("other"),
    );
    assert!(error.contains("holds no CSV files but others"), "{error}");
    lake.text("bad/y=1/a.csv", "x\n1\n");
    lake.text("bad/y=2/a.csv", "x\n1\n");
    let mut spec = lake.spec(Format::Csv, "bad", &[]).await.expect("spec");
    spec.location = lake.location("bad");
    lake.text("bad/y=abc/a.csv", "x\n1\n");
    let error = gone(lake.register(spec).await.expect_err("unparsable"));
    assert!(error.contains("bad/y=abc\" holds \"abc\""), "{error}");
}

#[tokio::test]
async fn an_empty_directory_is_an_empty_table_when_columns_are_declared() {
    let lake = Lake::new();
    fs::create_dir(lake.dir.path().join("empty")).expect("directory");
    lake.text("t.csv", "a\n1\n");
    let mut spec = lake.spec(Format::Csv, "t.csv", &[]).await.expect("spec");
    spec.location = lake.location("empty");
    lake.register(spec).await.expect("table");
    assert_eq!(lake.value("SELECT count(*) FROM t").await, "0");
}

#[tokio::test]
async fn clashing_files_are_named() {
    let lake = Lake::new();
    lake.parquet("t/a.parquet", vec![("v", ints([1]))]);
    lake.parquet("t/b.parquet", vec![("v", texts(&["x"]))]);
    let error = lake
        .spec(Format::Parquet, "t", &[])
        .await
        .expect_err("clash")
        .to_string();
    assert!(
        error.contains("\"v\" is INT in file") && error.contains("b.parquet"),
        "{error}"
    );
}

#[tokio::test]
async fn a_column_in_a_directory_name_is_not_read_as_null() {
    let lake = Lake::new();
    lake.text("c/y=1/a.csv", "x\n1\n");
    lake.parquet("p/y=1/a.parquet", vec![("x", ints([1]))]);
    for (format, location) in [(Format::Csv, "c"), (Format::Parquet, "p")] {
        let mut spec = lake.spec(format, location, &[]).await.expect("spec");
        spec.partition_columns.clear();
        lake.register(spec).await.expect("table");
        let error = lake.failure("SELECT * FROM t").await;
        assert!(error.contains("PARTITIONED BY (\"y\")"), "{error}");
        lake.ctx.deregister_table("t").expect("deregister");
    }
}
