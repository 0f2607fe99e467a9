//! The operator inside a distributed plan.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::common::{DataFusionError, Result, exec_err};
use datafusion::execution::SessionStateBuilder;
use datafusion::physical_plan::collect;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use datafusion_distributed::{
    ChannelResolver, DistributedExt, SessionStateBuilderExt, Worker, WorkerChannel, WorkerResolver,
    display_plan_ascii,
};
use url::Url;

use super::super::{WriteFilesCodec, publish_append, write_plan, written_files};
use super::setup::{Table, input, many, run};
use crate::files::Format;

/// One worker that stands for all of a cluster; everything runs in this process.
struct OneWorker;

impl WorkerResolver for OneWorker {
    fn get_urls(&self) -> Result<Vec<Url>, DataFusionError> {
        Ok(vec![url(); 3])
    }
}

/// The only worker is local, so nothing is ever connected to.
struct NoChannels;

#[async_trait]
impl ChannelResolver for NoChannels {
    async fn get_worker_client_for_url(&self, url: &Url) -> Result<Box<dyn WorkerChannel>> {
        exec_err!("{url} is not this process")
    }
}

fn url() -> Url {
    Url::parse("http://here:1").unwrap()
}

fn cluster() -> SessionContext {
    let worker = Worker::default();
    let config = SessionConfig::new().with_target_partitions(2);
    let state = SessionStateBuilder::new()
        .with_default_features()
        .with_config(config)
        .with_distributed_planner()
        .with_distributed_worker_resolver(OneWorker)
        .with_distributed_channel_resolver(NoChannels)
        .with_distributed_local_worker_context(worker.to_local_worker_context(url()))
        .with_distributed_user_codec(WriteFilesCodec)
        .with_distributed_file_scan_config_bytes_per_partition(1000)
        .unwrap()
        .build();
    SessionContext::new_with_state(state)
}

#[tokio::test]
async fn tasks_write_side_by_side_and_the_coordinator_publishes() {
    let source = Table::new();
    let mut target = source.target(Format::Parquet);
    target.target_file_bytes = 1;
    let files = run(input(&[vec![many(1000, "a"); 12]]), &target)
        .await
        .unwrap();
    publish_append(&source.store, &target, &files)
        .await
        .unwrap();
    let context = cluster();
    let path = format!("{}/", source.directory.display());
    context
        .register_parquet("t", path, ParquetReadOptions::default())
        .await
        .unwrap();

    let table = Table::new();
    let target = Arc::new(table.target(Format::Parquet));
    let rows = context
        .sql("SELECT v, k FROM t WHERE v >= 500")
        .await
        .unwrap();
    let plan = write_plan(rows.logical_plan().clone(), Arc::clone(&target)).unwrap();
    let plan = context.state().create_physical_plan(&plan).await.unwrap();
    let text = display_plan_ascii(plan.as_ref(), false);
    // The write is part of a stage of several tasks, below the boundary to the coordinator.
    let stage = text.find("tasks=3").unwrap();
    assert!(text[stage..].contains("WriteFilesExec"), "{text}");
    let batches = collect(plan, context.task_ctx()).await.unwrap();
    let files = written_files(&batches).unwrap();
    assert!(files.len() > 2, "{text}");
    publish_append(&table.store, &target, &files).await.unwrap();
    assert_eq!(table.rows().await, 6_000);
}
