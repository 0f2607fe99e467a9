//! Stores without directories and renames.

use std::sync::Arc;

use datafusion::execution::TaskContext;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_plan::collect;
use futures::TryStreamExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use super::super::{
    Abandoned, WriteFilesExec, WriteTarget, WrittenFile, abort, publish_append, recover,
    written_files,
};
use super::setup::{input, many, schema};
use crate::files::Format;

async fn write(store: &Arc<dyn ObjectStore>, target: &WriteTarget) -> Vec<WrittenFile> {
    let runtime = Arc::new(RuntimeEnv::default());
    let url = url::Url::parse("memory://").unwrap();
    runtime.register_object_store(&url, Arc::clone(store));
    let context = Arc::new(TaskContext::default().with_runtime(runtime));
    let plan = input(&[vec![many(5, "a"), many(5, "x y/z")]]);
    let plan = WriteFilesExec::try_new(plan, Arc::new(target.clone())).unwrap();
    written_files(&collect(Arc::new(plan), context).await.unwrap()).unwrap()
}

async fn paths(store: &Arc<dyn ObjectStore>) -> Vec<String> {
    let mut paths: Vec<_> = store
        .list(None)
        .map_ok(|meta| meta.location.to_string())
        .try_collect()
        .await
        .unwrap();
    paths.sort();
    paths
}

fn target() -> WriteTarget {
    let mut target = WriteTarget::new("memory:///a%20table/", Format::Json, schema());
    target.partition_columns = vec!["k".to_owned()];
    target
}

#[tokio::test]
async fn files_are_published_and_aborted() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    store
        .put(&Path::from("a table/other.json"), "{}".into())
        .await
        .unwrap();
    let (kept, dropped) = (target(), target());
    let files = write(&store, &kept).await;
    write(&store, &dropped).await;
    abort(&store, &dropped).await.unwrap();
    let places = publish_append(&store, &kept, &files).await.unwrap();
    let found = paths(&store).await;
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(
        places
            .iter()
            .all(|place| found.contains(&place.to_string())),
        "{found:?}"
    );
    assert!(
        found
            .iter()
            .any(|path| path.starts_with("a table/k=x y%2Fz/part-")),
        "{found:?}"
    );
    let now = std::time::SystemTime::now();
    let abandoned = Abandoned {
        published_before: now,
        began_before: now,
    };
    assert_eq!(
        recover(&store, "memory:///a%20table/", abandoned, |_| false)
            .await
            .unwrap(),
        0
    );
}

#[tokio::test]
async fn abort_without_staging_finds_its_files_by_name() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let (mut kept, mut dropped) = (target(), target());
    (kept.staging, dropped.staging) = (false, false);
    write(&store, &kept).await;
    write(&store, &dropped).await;
    abort(&store, &dropped).await.unwrap();
    let found = paths(&store).await;
    let id = kept.write_id.simple().to_string();
    assert!(
        found.len() == 2 && found.iter().all(|path| path.contains(&id)),
        "{found:?}"
    );
}
