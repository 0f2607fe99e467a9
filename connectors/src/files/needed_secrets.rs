//! Which secrets the tasks of a plan need: those of the stores that it reads and writes.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::ExecutionPlan;
use datafusion_distributed::DistributedLeafExec;
use url::Url;
use waterbuck_engine::Result;

use super::secret::{Secret, best_secret};
use super::stores::store_base;
use super::write::WriteFilesExec;

/// Those of `secrets` with which the stores of `plan` are opened, in the order they stand in: who
/// knows these alone picks the same one for each of its stores as who knows all.
///
/// # Errors
/// When the plan writes to something that is not the URL of a directory.
pub fn needed_secrets(plan: &Arc<dyn ExecutionPlan>, secrets: &[Secret]) -> Result<Vec<Secret>> {
    if secrets.is_empty() {
        return Ok(vec![]);
    }
    let mut stores = BTreeSet::new();
    add_stores(plan, &mut stores)?;
    let chosen: Vec<&Secret> = stores
        .iter()
        .filter_map(|store| best_secret(secrets, store))
        .collect();
    let is_chosen = |secret: &&Secret| chosen.iter().any(|known| std::ptr::eq(*known, *secret));
    Ok(secrets.iter().filter(is_chosen).cloned().collect())
}

fn add_stores(plan: &Arc<dyn ExecutionPlan>, stores: &mut BTreeSet<Url>) -> Result<()> {
    // A leaf that was split over tasks hides the scan it was made from.
    if let Some(leaf) = plan.downcast_ref::<DistributedLeafExec>() {
        add_stores(leaf.original(), stores)?;
    }
    let scan = plan
        .downcast_ref::<DataSourceExec>()
        .and_then(|scan| scan.data_source().downcast_ref::<FileScanConfig>());
    if let Some(config) = scan {
        stores.insert(store_base(config.object_store_url.as_ref()));
    }
    if let Some(write) = plan.downcast_ref::<WriteFilesExec>() {
        stores.insert(store_base(write.target().store_url()?.as_ref()));
    }
    for child in plan.children() {
        add_stores(child, stores)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use arrow::datatypes::{DataType, Field, Schema};
    use datafusion::datasource::physical_plan::{FileScanConfigBuilder, JsonSource};
    use datafusion::execution::object_store::ObjectStoreUrl;
    use datafusion::physical_plan::empty::EmptyExec;
    use datafusion::physical_plan::union::UnionExec;

    use super::*;
    use crate::files::Format;
    use crate::files::write::WriteTarget;

    fn schema() -> Arc<Schema> {
        Arc::new(Schema::new(vec![Field::new("x", DataType::Int64, true)]))
    }

    fn scan(store: &str) -> Arc<dyn ExecutionPlan> {
        let url = ObjectStoreUrl::parse(store).expect("a store");
        let source = Arc::new(JsonSource::new(schema()));
        DataSourceExec::from_data_source(FileScanConfigBuilder::new(url, source).build())
    }

    fn secret(kind: &str, scope: &str) -> Secret {
        Secret {
            kind: kind.to_owned(),
            scope: (!scope.is_empty()).then(|| scope.to_owned()),
            options: BTreeMap::from([("key_id".to_owned(), "k".to_owned())]),
        }
    }

    fn all() -> [Secret; 5] {
        [
            secret("s3", ""),
            secret("s3", "s3://a/"),
            secret("s3", "s3://b/"),
            secret("gcs", ""),
            secret("azure", "az://a/"),
        ]
    }

    fn needed(plan: &Arc<dyn ExecutionPlan>) -> Vec<Secret> {
        needed_secrets(plan, &all()).expect("a good plan")
    }

    #[test]
    fn files_on_the_local_disk_need_no_secret() {
        assert_eq!(needed(&scan("file://")), []);
        let nothing: Arc<dyn ExecutionPlan> = Arc::new(EmptyExec::new(schema()));
        assert_eq!(needed(&nothing), []);
    }

    #[test]
    fn a_scan_needs_the_secret_of_its_store_alone() {
        assert_eq!(needed(&scan("s3://a")), [secret("s3", "s3://a/")]);
        assert_eq!(needed(&scan("s3://else")), [secret("s3", "")]);
    }

    #[test]
    fn every_scan_and_write_of_a_plan_counts() {
        let both = UnionExec::try_new(vec![scan("s3://b"), scan("gs://lake")]).expect("a union");
        let target = WriteTarget::new("az://a/out/", Format::Parquet, schema());
        let write = WriteFilesExec::try_new(both, Arc::new(target)).expect("a write");
        let plan: Arc<dyn ExecutionPlan> = Arc::new(write);
        let expected = [
            secret("s3", "s3://b/"),
            secret("gcs", ""),
            secret("azure", "az://a/"),
        ];
        assert_eq!(needed(&plan), expected);
    }

    #[test]
    fn a_scan_that_is_split_over_tasks_is_seen() {
        let original = scan("s3://a");
        let leaf = DistributedLeafExec::try_new(Arc::clone(&original), [original]);
        let plan: Arc<dyn ExecutionPlan> = Arc::new(leaf.expect("a leaf"));
        assert_eq!(needed(&plan), [secret("s3", "s3://a/")]);
    }
}
