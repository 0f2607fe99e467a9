//! A failed or cancelled write leaves no file.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{DataFusionError, exec_datafusion_err};
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::SessionConfig;
use futures::{FutureExt, StreamExt, stream};
use waterbuck_engine::{Error, ErrorKind};

use super::super::{NewDirectories, WriteFilesExec, abort, publish_append};
use super::setup::{Table, input, many, rows, run};
use crate::files::Format;

/// Yields its batches, then an error, or waits for ever.
#[derive(Debug)]
struct Broken {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    hangs: bool,
}

impl PartitionStream for Broken {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = stream::iter(self.batches.clone().into_iter().map(Ok));
        let end = match self.hangs {
            true => stream::pending().boxed(),
            false => stream::iter([Err(exec_datafusion_err!("the input broke"))]).boxed(),
        };
        Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            rows.chain(end),
        ))
    }
}

fn broken(batches: Vec<RecordBatch>, hangs: bool) -> Arc<dyn ExecutionPlan> {
    let schema = rows(&[]).schema();
    let stream = Broken {
        schema: Arc::clone(&schema),
        batches,
        hangs,
    };
    let plan = StreamingTableExec::try_new(schema, vec![Arc::new(stream)], None, None, false, None);
    Arc::new(plan.unwrap())
}

/// Waits for the condition, for ten seconds at most.
async fn eventually(condition: impl Fn() -> bool) {
    for _ in 0..1000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the condition did not come true");
}

#[tokio::test]
async fn a_failed_write_takes_back_the_directories_it_made_and_no_others() {
    let table = Table::new();
    let mut target = table.target(Format::Parquet);
    target.location = format!("{}new/below/", table.location);
    std::fs::create_dir(&table.directory).unwrap();
    let made = NewDirectories::of(&target).await.unwrap();
    assert!(!made.is_empty());
    run(broken(vec![many(5, "a")], false), &target)
        .await
        .unwrap_err();
    std::fs::create_dir_all(table.directory.join("new/below")).unwrap();
    made.remove_empty().await;
    assert!(table.directory.exists(), "it was there before");
    assert!(table.is_clean());
    let kept = table.directory.join("new/kept");
    std::fs::create_dir_all(&kept).unwrap();
    made.remove_empty().await;
    assert!(kept.exists(), "it is somebody else's");
    let known = NewDirectories::of(&table.target(Format::Parquet)).await;
    assert!(known.unwrap().is_empty());
}

#[tokio::test]
async fn a_failing_input_leaves_nothing() {
    let table = Table::new();
    let mut target = table.partitioned(&["k"]);
    target.target_file_bytes = 1;
    let plan = broken(vec![many(5, "a"), many(5, "b")], false);
    let error = run(plan, &target).await.unwrap_err();
    assert!(error.to_string().contains("the input broke"));
    assert!(table.is_clean(), "{:?}", table.files());
}

#[tokio::test]
async fn a_cancelled_write_leaves_nothing() {
    for staging in [true, false] {
        let table = Table::new();
        let mut target = table.partitioned(&["k"]);
        target.target_file_bytes = 1;
        target.staging = staging;
        let plan = broken(vec![many(5, "a"), many(5, "b")], true);
        let plan = WriteFilesExec::try_new(plan, Arc::new(target)).unwrap();
        let mut stream = plan.execute(0, Arc::new(TaskContext::default())).unwrap();
        assert!(stream.next().now_or_never().is_none());
        eventually(|| table.files().len() == 2).await;
        drop(stream);
        eventually(|| table.is_clean()).await;
    }
}

#[tokio::test]
async fn abort_removes_what_finished_tasks_wrote() {
    for staging in [true, false] {
        let table = Table::new();
        let mut target = table.partitioned(&["k"]);
        target.staging = staging;
        run(input(&[vec![many(5, "a"), many(5, "b")]]), &target)
            .await
            .unwrap();
        assert_eq!(table.files().len(), 2);
        abort(&table.store, &target).await.unwrap();
        assert!(table.is_clean(), "{:?}", table.files());
        abort(&table.store, &target).await.unwrap();
    }
}

#[tokio::test]
async fn abort_spares_the_files_of_other_writes() {
    let table = Table::new();
    let mut kept = table.target(Format::Parquet);
    kept.staging = false;
    run(input(&[vec![many(5, "a")]]), &kept).await.unwrap();
    let mut other = kept.clone();
    other.write_id = uuid::Uuid::now_v7();
    run(input(&[vec![many(5, "a")]]), &other).await.unwrap();
    abort(&table.store, &other).await.unwrap();
    assert_eq!(table.rows().await, 5);
}

#[tokio::test]
async fn an_unwritable_location_is_named() {
    let table = Table::new();
    std::fs::write(&table.directory, "a file where the directory should be").unwrap();
    let error = run(input(&[vec![many(5, "a")]]), &table.target(Format::Parquet)).await;
    let DataFusionError::External(error) = error.unwrap_err() else {
        panic!("our own error")
    };
    let error = error.downcast::<Error>().unwrap();
    assert!(
        error.message().contains(table.directory.to_str().unwrap()),
        "{error}"
    );
    assert!(error.to_string().contains("irectory"), "{error}");
}

#[tokio::test]
async fn a_lost_file_makes_the_publication_fail_as_a_whole() {
    let table = Table::new();
    let target = table.partitioned(&["k"]);
    let plan = input(&[vec![many(5, "a"), many(5, "b"), many(5, "c")]]);
    let files = run(plan, &target).await.unwrap();
    std::fs::remove_file(table.directory.join(&files[1].path)).unwrap();
    let error = publish_append(&table.store, &target, &files)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.message().contains("executors share"), "{error}");
    assert!(table.is_clean(), "{:?}", table.files());
}

#[tokio::test]
async fn rows_that_do_not_fit_the_columns_are_refused() {
    let table = Table::new();
    let mut target = table.target(Format::Parquet);
    let narrow = Field::new("v", DataType::Int8, true);
    let required = Field::new("k", DataType::Utf8, false);
    target.schema = Arc::new(Schema::new(vec![narrow, required]));
    let error = run(input(&[vec![rows(&[(1, None)])]]), &target)
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("column \"k\" does not take NULL"),
        "{error}"
    );
    let error = run(input(&[vec![rows(&[(1000, Some("a"))])]]), &target)
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("does not fit column \"v\" of type TINYINT"),
        "{error}"
    );
    assert!(table.is_clean());
}

#[tokio::test]
async fn short_of_memory_row_groups_get_smaller() {
    let table = Table::new();
    let target = table.target(Format::Parquet);
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(GreedyMemoryPool::new(3 << 20)))
        .build_arc()
        .unwrap();
    let context = TaskContext::default().with_runtime(runtime);
    let context = context.with_session_config(SessionConfig::new());
    let plan = input(&[vec![many(50_000, "a"); 20]]);
    let plan = WriteFilesExec::try_new(plan, Arc::new(target.clone())).unwrap();
    let batches = collect(Arc::new(plan), Arc::new(context)).await.unwrap();
    let files = super::super::written_files(&batches).unwrap();
    publish_append(&table.store, &target, &files).await.unwrap();
    assert_eq!(table.rows().await, 1_000_000);
}
