//! Whole scans over files on the local disk: what a query sees.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::array::{
    ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::common::stats::Precision;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::physical_plan::{ExecutionPlan, displayable};
use datafusion::prelude::{SessionConfig, SessionContext};
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use super::format::Format;
use super::location::Location;
use super::metadata::{FileMetadata, FileTableSpec};
use super::statistics::TableSummary;
use super::stores::Stores;
use super::table::FileTable;

/// A directory of files, and the session that reads them.
pub(super) struct Lake {
    pub(super) dir: tempfile::TempDir,
    pub(super) ctx: SessionContext,
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) metadata: Arc<FileMetadata>,
}

impl Lake {
    pub(super) fn new() -> Self {
        Self::with_config(SessionConfig::new().with_target_partitions(3))
    }

    pub(super) fn with_config(config: SessionConfig) -> Self {
        let runtime = RuntimeEnvBuilder::new()
            .with_object_store_registry(Stores::new())
            .build_arc()
            .expect("runtime");
        Self {
            dir: tempfile::tempdir().expect("dir"),
            ctx: SessionContext::new_with_config_rt(config, runtime),
            store: Arc::new(LocalFileSystem::new()),
            metadata: FileMetadata::new(64 << 20),
        }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::create_dir_all(path.parent().expect("parent")).expect("directory");
        path
    }

    pub(super) fn text(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("write");
    }

    pub(super) fn parquet(&self, name: &str, columns: Vec<(&str, ArrayRef)>) {
        let batch = RecordBatch::try_from_iter(columns).expect("batch");
        let file = fs::File::create(self.path(name)).expect("create");
        let properties = WriterProperties::builder()
            .set_max_row_group_row_count(Some(100))
            .build();
        let mut writer =
            ArrowWriter::try_new(file, batch.schema(), Some(properties)).expect("writer");
        writer.write(&batch).expect("write");
        writer.close().expect("close");
    }

    pub(super) fn location(&self, name: &str) -> Location {
        Location::parse(name, self.dir.path()).expect("location")
    }

    /// Infers a table; the location is relative to the directory.
    pub(super) async fn spec(
        &self,
        format: Format,
        location: &str,
        options: &[(&str, &str)],
    ) -> waterbuck_engine::Result<FileTableSpec> {
        let options: BTreeMap<String, String> = options
            .iter()
            .map(|(k, v)| (k.to_string(), v.to_string()))
            .collect();
        let location = self.location(location);
        let found = self
            .metadata
            .infer(&self.store, format, &location, &options, None)
            .await?;
        Ok(FileTableSpec {
            name: "t".into(),
            format,
            location,
            columns: found.columns,
            partition_columns: found.partition_columns,
            options,
        })
    }

    /// Lists and registers a table as `t`.
    pub(super) async fn register(&self, spec: FileTableSpec) -> waterbuck_engine::Result<()> {
        let table = self.table(spec).await?;
        self.ctx
            .register_table("t", Arc::new(table))
            .expect("register");
        Ok(())
    }

    pub(super) async fn table(&self, spec: FileTableSpec) -> waterbuck_engine::Result<FileTable> {
        let listing = self
            .metadata
            .list(&self.store, &spec, Duration::ZERO)
            .await?;
        FileTable::new(spec, listing, Arc::clone(&self.metadata))
    }

    pub(super) async fn create(&self, format: Format, location: &str, options: &[(&str, &str)]) {
        let spec = self.spec(format, location, options).await.expect("spec");
        self.register(spec).await.expect("table");
    }

    pub(super) async fn rows(&self, sql: &str) -> datafusion::common::Result<String> {
        let batches = self.ctx.sql(sql).await?.collect().await?;
        Ok(pretty_format_batches(&batches)?.to_string())
    }

    pub(super) async fn plan(&self, sql: &str) -> Arc<dyn ExecutionPlan> {
        let frame = self.ctx.sql(sql).await.expect("sql");
        frame.create_physical_plan().await.expect("plan")
    }

    pub(super) async fn failure(&self, sql: &str) -> String {
        self.rows(sql).await.expect_err("an error").to_string()
    }

    /// The only value of a query with one row and one column.
    pub(super) async fn value(&self, sql: &str) -> String {
        let text = self.rows(sql).await.expect("rows");
        let line = text.lines().nth(3).expect("a row");
        line.trim_matches(['|', ' ']).to_string()
    }
}

pub(super) fn ints(values: impl IntoIterator<Item = i32>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<Int32Array>())
}

pub(super) fn longs(values: impl IntoIterator<Item = i64>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<Int64Array>())
}

pub(super) fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

#[tokio::test]
async fn parquet_files_merge_by_name_with_partitions() {
    let lake = Lake::new();
    lake.parquet(
        "t/year=2023/a.parquet",
        vec![("id", ints([1, 2])), ("name", texts(&["a", "b"]))],
    );
    lake.parquet(
        "t/year=2024/b.parquet",
        vec![("name", texts(&["c"])), ("id", longs([3]))],
    );
    lake.parquet(
        "t/year=__HIVE_DEFAULT_PARTITION__/c.parquet",
        vec![("id", ints([4])), ("extra", ints([7]))],
    );
    lake.create(Format::Parquet, "t", &[]).await;
    let rows = lake
        .rows("SELECT * FROM t ORDER BY id")
        .await
        .expect("rows");
    let expected = "\
+----+------+-------+------+
| id | name | extra | year |
+----+------+-------+------+
| 1  | a    |       | 2023 |
| 2  | b    |       | 2023 |
| 3  | c    |       | 2024 |
| 4  |      | 7     |      |
+----+------+-------+------+";
    assert_eq!(rows, expected);
    assert_eq!(lake.value("SELECT count(*) FROM t").await, "4");
    assert_eq!(lake.value("SELECT count(year) FROM t").await, "3");
    assert_eq!(lake.value("SELECT max(year) FROM t").await, "2024");
    assert_eq!(lake.value("SELECT min(extra) FROM t").await, "7");
    assert_eq!(lake.value("SELECT count(name) FROM t").await, "3");
    assert_eq!(lake.value("SELECT id FROM t WHERE year IS NULL").await, "4");
    assert_eq!(
        lake.value("SELECT sum(id) FROM t WHERE year > 2000 AND id > 1")
            .await,
        "5"
    );
}

#[tokio::test]
async fn a_partition_filter_leaves_files_out_of_the_plan() {
    let lake = Lake::new();
    for day in 1..=9 {
        let name = format!("t/day=2024-01-0{day}/a.parquet");
        lake.parquet(&name, vec![("id", ints([day]))]);
    }
    lake.create(Format::Parquet, "t", &[]).await;
    let sql = "SELECT id FROM t WHERE day >= DATE '2024-01-08'";
    let pins = super::collect_pins(&lake.plan(sql).await);
    assert_eq!(pins.len(), 2);
    let plan = displayable(lake.plan(sql).await.as_ref())
        .indent(true)
        .to_string();
    assert!(!plan.contains("FilterExec"), "{plan}");
    // Statistics leave files out too, but the filter stays.
    let pins = super::collect_pins(&lake.plan("SELECT * FROM t WHERE id = 4").await);
    assert_eq!(pins.len(), 1);
    assert_eq!(lake.value("SELECT count(*) FROM t WHERE id = 4").await, "1");
}

#[tokio::test]
async fn a_table_declared_wider_or_with_more_columns_reads_old_files() {
    let lake = Lake::new();
    lake.parquet("t/a.parquet", vec![("id", ints([1, 2]))]);
    let mut spec = lake.spec(Format::Parquet, "t", &[]).await.expect("spec");
    spec.columns = Arc::new(Schema::new(vec![
        Field::new("note", DataType::Utf8, true),
        Field::new("id", DataType::Int64, true),
    ]));
    lake.register(spec.clone()).await.expect("table");
    assert_eq!(lake.value("SELECT count(note) FROM t").await, "0");
    assert_eq!(
        lake.value("SELECT arrow_typeof(max(id)) || ' ' || max(id) FROM t")
            .await,
        "Int64 2"
    );

    spec.columns = Arc::new(Schema::new(vec![Field::new("id", DataType::Boolean, true)]));
    lake.ctx.deregister_table("t").expect("deregister");
    lake.register(spec.clone()).await.expect("table");
    let error = lake.failure("SELECT * FROM t").await;
    assert!(
        error.contains("a.parquet\" has the column \"id\" as INT, which"),
        "{error}"
    );

    spec.columns = Arc::new(Schema::new(vec![Field::new("ID", DataType::Int32, true)]));
    lake.ctx.deregister_table("t").expect("deregister");
    lake.register(spec).await.expect("table");
    let error = lake.failure("SELECT * FROM t").await;
    assert!(
        error.contains("has no column \"ID\" but one called \"id\""),
        "{error}"
    );
}

#[tokio::test]
async fn listings_are_kept_for_their_age_and_no_longer() {
    let lake = Lake::new();
    lake.text("t/a.csv", "a\n1\n");
    let spec = lake.spec(Format::Csv, "t", &[]).await.expect("spec");
    let age = Duration::from_secs(3600);
    let first = lake
        .metadata
        .list(&lake.store, &spec, age)
        .await
        .expect("list");
    lake.text("t/b.csv", "a\n2\n");
    let second = lake
        .metadata
        .list(&lake.store, &spec, age)
        .await
        .expect("list");
    assert!(Arc::ptr_eq(&first, &second));
    let third = lake
        .metadata
        .list(&lake.store, &spec, Duration::ZERO)
        .await
        .expect("list");
    assert_eq!(third.files.len(), 2);
    lake.text("t/c.csv", "a\n3\n");
    lake.metadata.forget(&spec.location);
    let fourth = lake
        .metadata
        .list(&lake.store, &spec, age)
        .await
        .expect("list");
    assert_eq!(fourth.files.len(), 3);
}

#[tokio::test]
async fn floats_are_never_answered_from_bounds() {
    let lake = Lake::new();
    let values: ArrayRef = Arc::new(Float64Array::from(vec![1.0, f64::NAN, 1.0]));
    lake.parquet("t/a.parquet", vec![("f", values)]);
    lake.create(Format::Parquet, "t", &[]).await;
    assert_eq!(lake.value("SELECT max(f) FROM t").await, "NaN");
    assert_eq!(lake.value("SELECT count(*) FROM t WHERE f > 2").await, "1");
}

#[tokio::test]
async fn a_summary_fills_in_what_files_do_not_tell() {
    let lake = Lake::new();
    lake.text("t/a.csv", "a\n1\n");
    let spec = lake.spec(Format::Csv, "t", &[]).await.expect("spec");
    let table = lake.table(spec).await.expect("table");
    let summary = TableSummary {
        row_count: 1000,
        ..Default::default()
    };
    let table = table.with_summary(Some(Arc::new(summary)));
    lake.ctx
        .register_table("t", Arc::new(table))
        .expect("register");
    let plan = lake.plan("SELECT * FROM t").await;
    let scan = super::scan_codec::our_scan(plan.as_ref()).expect("a scan");
    assert_eq!(scan.statistics().num_rows, Precision::Inexact(1000));
}

#[tokio::test]
async fn beyond_two_thousand_files_statistics_are_estimates() {
    let lake = Lake::new();
    lake.parquet("seed.parquet", vec![("id", ints(0..10))]);
    let seed = fs::read(lake.path("seed.parquet")).expect("read");
    for i in 0..2100 {
        let name = format!("t/part={}/{i}.parquet", i % 7);
        fs::write(lake.path(&name), &seed).expect("write");
    }
    lake.create(Format::Parquet, "t", &[]).await;
    let plan = lake.plan("SELECT * FROM t").await;
    let statistics = super::scan_codec::our_scan(plan.as_ref())
        .expect("a scan")
        .statistics();
    assert_eq!(statistics.num_rows, Precision::Inexact(21_000));
    assert_eq!(
        statistics.column_statistics[1].distinct_count,
        Precision::Inexact(7)
    );
    assert_eq!(
        lake.value("SELECT count(*) FROM t WHERE part < 3").await,
        "9000"
    );
}
