//! A temporary table directory, inputs, and what is in the directory afterwards.

use std::fs;
use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringViewArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::Result;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::{ParquetReadOptions, SessionContext};
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use tempfile::TempDir;

use super::super::{WriteFilesExec, WriteTarget, WrittenFile, written_files};
use crate::files::{Format, Location};

/// A directory to write into, named with a space and a percent sign.
pub(super) struct Table {
    _guard: TempDir,
    pub(super) directory: PathBuf,
    pub(super) location: String,
    pub(super) store: Arc<dyn ObjectStore>,
}

impl Table {
    pub(super) fn new() -> Self {
        let guard = tempfile::tempdir().unwrap();
        let directory = guard.path().join("a table 100%");
        let location = Location::parse(&format!("{}/", directory.display()), FsPath::new("/"));
        let location = location.unwrap().to_string();
        Self {
            _guard: guard,
            directory,
            location,
            store: Arc::new(LocalFileSystem::new()),
        }
    }

    pub(super) fn target(&self, format: Format) -> WriteTarget {
        WriteTarget::new(&self.location, format, schema())
    }

    pub(super) fn partitioned(&self, columns: &[&str]) -> WriteTarget {
        let mut target = self.target(Format::Parquet);
        target.partition_columns = columns.iter().map(ToString::to_string).collect();
        target
    }

    /// All files below the directory, relative to it, in order.
    pub(super) fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        walk(&self.directory, &mut |path| {
            if path.is_file() {
                let relative = path.strip_prefix(&self.directory).unwrap();
                files.push(relative.display().to_string());
            }
        });
        files.sort();
        files
    }

    /// Whether nothing is left, not even a directory.
    pub(super) fn is_clean(&self) -> bool {
        let mut entries = 0;
        walk(&self.directory, &mut |_| entries += 1);
        entries == 0
    }

    /// The rows of a query over the Parquet files in the directory, which is the table `t`.
    pub(super) async fn query(&self, sql: &str) -> Vec<RecordBatch> {
        let context = SessionContext::new();
        let path = format!("{}/", self.directory.display());
        let partitions = vec![("k".to_owned(), DataType::Utf8)];
        let mut options = ParquetReadOptions::default();
        if sql.contains('k') {
            options = options.table_partition_cols(partitions);
        }
        context.register_parquet("t", path, options).await.unwrap();
        context.sql(sql).await.unwrap().collect().await.unwrap()
    }

    pub(super) async fn rows(&self) -> i64 {
        let batches = self.query("SELECT count(*) FROM t").await;
        let counts = batches[0]
            .column(0)
            .as_any()
            .downcast_ref::<Int64Array>()
            .unwrap()
            .clone();
        counts.value(0)
    }
}

fn walk(directory: &FsPath, visit: &mut impl FnMut(&FsPath)) {
    for entry in fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        visit(&path);
        if path.is_dir() {
            walk(&path, visit);
        }
    }
}

/// `v: Int64, k: Utf8`
pub(super) fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("v", DataType::Int64, true),
        Field::new("k", DataType::Utf8, true),
    ]))
}

/// Rows as the engine holds them: text in views.
pub(super) fn rows(values: &[(i64, Option<&str>)]) -> RecordBatch {
    let v: ArrayRef = Arc::new(Int64Array::from_iter_values(values.iter().map(|r| r.0)));
    let k: ArrayRef = Arc::new(StringViewArray::from_iter(values.iter().map(|r| r.1)));
    let fields = vec![
        Field::new("v", DataType::Int64, true),
        Field::new("k", DataType::Utf8View, true),
    ];
    RecordBatch::try_new(Arc::new(Schema::new(fields)), vec![v, k]).unwrap()
}

/// `count` rows with the values `0..count` and one key.
pub(super) fn many(count: i64, key: &str) -> RecordBatch {
    rows(&(0..count).map(|v| (v, Some(key))).collect::<Vec<_>>())
}

/// An input of the given partitions.
pub(super) fn input(partitions: &[Vec<RecordBatch>]) -> Arc<dyn ExecutionPlan> {
    MemorySourceConfig::try_new_exec(partitions, rows(&[]).schema(), None).unwrap()
}

pub(super) async fn run(
    plan: Arc<dyn ExecutionPlan>,
    target: &WriteTarget,
) -> Result<Vec<WrittenFile>> {
    let plan = WriteFilesExec::try_new(plan, Arc::new(target.clone()))?;
    let batches = collect(Arc::new(plan), Arc::new(TaskContext::default())).await?;
    Ok(written_files(&batches)?)
}
