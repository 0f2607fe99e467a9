//! Scans of CSV, JSON, Avro and Arrow files.

use std::fs;
use std::io::Write;
use std::path::Path as FsPath;
use std::sync::Arc;

use arrow_ipc::writer::{FileWriter, StreamWriter};
use datafusion::arrow::array::{ArrayRef, Float64Array, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::arrow_avro::writer::AvroWriter;
use datafusion::common::parsers::CompressionTypeVariant;
use datafusion::datasource::file_format::file_compression_type::FileCompressionType;
use datafusion::physical_plan::displayable;
use datafusion::prelude::SessionConfig;
use futures::{StreamExt, TryStreamExt, stream};

use super::format::Format;
use super::scan_tests::{Lake, ints, texts};

fn compress(text: &str, kind: &str) -> Vec<u8> {
    let kind: CompressionTypeVariant = kind.parse().expect("kind");
    let bytes = bytes::Bytes::from(text.to_string());
    let stream = stream::iter([Ok(bytes)]).boxed();
    let packed = FileCompressionType::from(kind)
        .convert_to_compress_stream(stream)
        .expect("stream");
    let packed: Vec<bytes::Bytes> =
        futures::executor::block_on(packed.try_collect()).expect("compress");
    packed.concat()
}

#[tokio::test]
async fn csv_columns_are_matched_by_name_and_compression_by_suffix() {
    let lake = Lake::new();
    lake.text(
        "t/a.csv",
        "id,name,price\n1,apple,1.5\n2,\"pear, \"\"ripe\"\"\",2\n",
    );
    fs::write(
        lake.path("t/b.csv.gz"),
        compress("price,id\n9.25,3\n", "gzip"),
    )
    .expect("write");
    fs::write(
        lake.path("t/c.csv.zst"),
        compress("name,id\nfig,4\n", "zstd"),
    )
    .expect("write");
    lake.text("t/_SUCCESS", "");
    lake.text("t/.hidden.csv", "nonsense");
    lake.create(Format::Csv, "t", &[]).await;
    let rows = lake
        .rows("SELECT * FROM t ORDER BY id")
        .await
        .expect("rows");
    let expected = "\
+----+--------------+-------+
| id | name         | price |
+----+--------------+-------+
| 1  | apple        | 1.5   |
| 2  | pear, \"ripe\" | 2.0   |
| 3  |              | 9.25  |
| 4  | fig          |       |
+----+--------------+-------+";
    assert_eq!(rows, expected);
    assert_eq!(lake.value("SELECT count(*) FROM t").await, "4");
}

#[tokio::test]
async fn csv_options_are_honoured() {
    let lake = Lake::new();
    lake.text("t.txt", "# comment\n1;'a;b';NA\n2;;x\n");
    let options = [
        ("header", "false"),
        ("delimiter", ";"),
        ("quote", "'"),
        ("null", "NA"),
        ("comment", "#"),
    ];
    lake.create(Format::Csv, "t.txt", &options).await;
    let rows = lake.rows("SELECT * FROM t").await.expect("rows");
    let expected = "\
+----------+----------+----------+
| column_1 | column_2 | column_3 |
+----------+----------+----------+
| 1        | a;b      |          |
| 2        |          | x        |
+----------+----------+----------+";
    assert_eq!(rows, expected);
}

#[tokio::test]
async fn large_text_files_are_read_in_ranges() {
    let mut config = SessionConfig::new()
        .with_target_partitions(4)
        .with_batch_size(100);
    config.options_mut().optimizer.repartition_file_min_size = 1;
    let lake = Lake::with_config(config);
    let mut csv = String::from("b,a\n");
    let mut json = String::new();
    for i in 0..5000 {
        csv += &format!("\"text {i}\",{i}\n");
        json += &format!("{{\"b\": \"text {i}\", \"a\": {i}}}\n");
    }
    lake.text("t.csv", &csv);
    lake.text("t.json", &json);
    let expected = 5000 * 4999 / 2;
    for (format, file) in [(Format::Csv, "t.csv"), (Format::Json, "t.json")] {
        lake.create(format, file, &[]).await;
        let sql = "SELECT sum(a) FROM t WHERE b LIKE 'text%'";
        let plan = displayable(lake.plan(sql).await.as_ref())
            .indent(true)
            .to_string();
        assert!(plan.contains("4 groups"), "{plan}");
        assert_eq!(lake.value(sql).await, expected.to_string());
        assert_eq!(lake.value("SELECT count(*) FROM t").await, "5000");
        lake.ctx.deregister_table("t").expect("deregister");
    }
    // A line break inside quotes cannot be cut at: an error, never half a value.
    let torn: String = (0..2000)
        .map(|i| format!("{i},\"line\nbreak\"\n"))
        .collect();
    lake.text("t.csv", &format!("a,b\n{torn}"));
    lake.create(Format::Csv, "t.csv", &[]).await;
    let error = lake.failure("SELECT count(b) FROM t").await;
    assert!(error.contains("t.csv\""), "{error}");
    lake.ctx.deregister_table("t").expect("deregister");
    lake.create(Format::Csv, "t.csv", &[("newlines_in_values", "true")])
        .await;
    assert_eq!(lake.value("SELECT count(b) FROM t").await, "2000");
}

#[tokio::test]
async fn a_byte_order_mark_is_no_text() {
    let lake = Lake::new();
    lake.text("t/a.csv", "\u{feff}\"id\",b\n1,x\n");
    lake.text("t/b.csv", "b,id\ny,2\n");
    lake.create(Format::Csv, "t", &[]).await;
    assert_eq!(lake.value("SELECT sum(id) FROM t").await, "3");
    lake.ctx.deregister_table("t").expect("deregister");
    lake.text("j.json", "\u{feff}{\"id\": 7}\n");
    lake.create(Format::Json, "j.json", &[]).await;
    assert_eq!(lake.value("SELECT id FROM t").await, "7");
}

#[tokio::test]
async fn every_compression_is_read() {
    let lake = Lake::new();
    let kinds = [
        ("gz", "gzip"),
        ("zst", "zstd"),
        ("bz2", "bzip2"),
        ("xz", "xz"),
    ];
    for (suffix, kind) in kinds {
        let path = lake.path(&format!("t/{kind}.json.{suffix}"));
        fs::write(path, compress("{\"a\": 1}\n{\"a\": 2}\n", kind)).expect("write");
    }
    lake.create(Format::Json, "t", &[]).await;
    assert_eq!(lake.value("SELECT sum(a) FROM t").await, "12");
    // A name that tells nothing is overruled by the option.
    fs::write(lake.path("odd"), compress("a\n5\n", "gzip")).expect("write");
    lake.ctx.deregister_table("t").expect("deregister");
    lake.create(Format::Csv, "odd", &[("compression", "gzip")])
        .await;
    assert_eq!(lake.value("SELECT sum(a) FROM t").await, "5");
}

#[tokio::test]
async fn avro_files_are_matched_by_name() {
    let lake = Lake::new();
    let write = |name: &str, columns: Vec<(&str, ArrayRef)>| {
        let batch = RecordBatch::try_from_iter(columns).expect("batch");
        let file = fs::File::create(lake.path(name)).expect("create");
        let mut writer = AvroWriter::new(file, batch.schema().as_ref().clone()).expect("writer");
        writer.write(&batch).expect("write");
        writer.finish().expect("finish");
    };
    write(
        "t/a.avro",
        vec![("a", ints([1, 2])), ("s", texts(&["x", "y"]))],
    );
    write("t/b.avro", vec![("s", texts(&["z"])), ("a", ints([3]))]);
    lake.create(Format::Avro, "t", &[]).await;
    assert_eq!(
        lake.value("SELECT string_agg(s, '' ORDER BY a) FROM t")
            .await,
        "xyz"
    );
    assert_eq!(lake.value("SELECT sum(a) FROM t").await, "6");
    assert_eq!(lake.value("SELECT count(*) FROM t").await, "3");
    write("t/b.avro", vec![("a", ints([300]))]);
    let mut spec = lake.spec(Format::Avro, "t", &[]).await.expect("spec");
    spec.columns = Arc::new(Schema::new(vec![Field::new("a", DataType::Int8, true)]));
    lake.ctx.deregister_table("t").expect("deregister");
    lake.register(spec).await.expect("table");
    let error = lake.failure("SELECT sum(a) FROM t").await;
    assert!(error.contains("b.avro\" cannot be read as AVRO"), "{error}");
    assert!(error.contains("type TINYINT"), "{error}");
    lake.text("t/c.avro", "Obj no more");
    let error = lake
        .spec(Format::Avro, "t", &[])
        .await
        .expect_err("damaged")
        .to_string();
    assert!(error.contains("c.avro\" cannot be read as AVRO"), "{error}");
}

#[tokio::test]
async fn json_and_arrow_are_read() {
    let lake = Lake::new();
    lake.text(
        "j/a.json",
        "{\"a\": 1, \"n\": {\"x\": [1, 2]}}\n{\"b\": \"y\", \"a\": 2.5}\n",
    );
    lake.create(Format::Json, "j", &[]).await;
    assert_eq!(lake.value("SELECT sum(a) FROM t").await, "3.5");
    assert_eq!(lake.value("SELECT n['x'][2] FROM t WHERE a = 1").await, "2");
    lake.ctx.deregister_table("t").expect("deregister");

    let batch =
        |columns: Vec<(&str, ArrayRef)>| RecordBatch::try_from_iter(columns).expect("batch");
    let first = batch(vec![("a", ints([1, 2])), ("s", texts(&["x", "y"]))]);
    let file = fs::File::create(lake.path("i/a.arrow")).expect("create");
    let mut writer = FileWriter::try_new(file, &first.schema()).expect("writer");
    writer.write(&first).expect("write");
    writer.finish().expect("finish");
    let second = batch(vec![
        ("s", texts(&["z"])),
        ("f", Arc::new(Float64Array::from(vec![0.5])) as _),
        ("a", ints([3])),
    ]);
    let file = fs::File::create(lake.path("i/b.arrows")).expect("create");
    let mut writer = StreamWriter::try_new(file, &second.schema()).expect("writer");
    writer.write(&second).expect("write");
    writer.finish().expect("finish");
    lake.create(Format::Arrow, "i", &[]).await;
    let rows = lake
        .rows("SELECT s, a, f FROM t ORDER BY a")
        .await
        .expect("rows");
    let expected = "\
+---+---+-----+
| s | a | f   |
+---+---+-----+
| x | 1 |     |
| y | 2 |     |
| z | 3 | 0.5 |
+---+---+-----+";
    assert_eq!(rows, expected);
    assert_eq!(lake.value("SELECT count(*) FROM t").await, "3");
}

#[test]
fn paths_with_odd_characters_are_read() {
    let runtime = tokio::runtime::Runtime::new().expect("runtime");
    runtime.block_on(async {
        let lake = Lake::new();
        for city in ["S%C3%A3o Paulo", "a#b?c", "x%2Fy", "ä=ö"] {
            let mut file =
                fs::File::create(lake.path(&format!("t/city={city}/a b%.csv"))).expect("create");
            file.write_all(b"v\n1\n").expect("write");
        }
        lake.create(Format::Csv, "t", &[]).await;
        let rows = lake
            .rows("SELECT city FROM t ORDER BY city")
            .await
            .expect("rows");
        for city in ["São Paulo", "a#b?c", "x/y", "ä=ö"] {
            assert!(rows.contains(city), "{rows}");
        }
        let all = FsPath::new("t").join("*").join("*.csv");
        let all = lake.location(all.to_str().expect("utf-8"));
        assert!(all.targets()[0].pattern.is_some());
    });
}
