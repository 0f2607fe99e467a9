//! How much a plan reads: the bytes of the files, and parts of files, that its scans open.

use std::sync::Arc;

use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::ExecutionPlan;
use datafusion_distributed::DistributedLeafExec;

/// The bytes as they are stored, of all columns: what is read is that or less.
pub fn scan_bytes(plan: &Arc<dyn ExecutionPlan>) -> u64 {
    // A leaf that was split over tasks hides the scan it was made from.
    if let Some(leaf) = plan.downcast_ref::<DistributedLeafExec>() {
        return scan_bytes(leaf.original());
    }
    let scan = plan
        .downcast_ref::<DataSourceExec>()
        .and_then(|scan| scan.data_source().downcast_ref::<FileScanConfig>());
    let own: u64 = scan.map_or(0, |config| {
        let files = config.file_groups.iter().flat_map(|group| group.files());
        files.map(|file| file.effective_size()).sum()
    });
    own + plan.children().into_iter().map(scan_bytes).sum::<u64>()
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field, Schema};
    use datafusion::datasource::listing::PartitionedFile;
    use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, JsonSource};
    use datafusion::execution::object_store::ObjectStoreUrl;
    use datafusion::physical_plan::union::UnionExec;

    use super::*;

    fn scan(sizes: &[u64]) -> Arc<dyn ExecutionPlan> {
        let schema = Arc::new(Schema::new(vec![Field::new("x", DataType::Int64, true)]));
        let url = ObjectStoreUrl::parse("s3://lake").expect("a store");
        let files = sizes
            .iter()
            .map(|size| PartitionedFile::new("x.json", *size));
        let groups = vec![FileGroup::new(files.collect())];
        let config = FileScanConfigBuilder::new(url, Arc::new(JsonSource::new(schema)))
            .with_file_groups(groups)
            .build();
        DataSourceExec::from_data_source(config)
    }

    #[test]
    fn all_files_of_all_scans_count() {
        assert_eq!(scan_bytes(&scan(&[])), 0);
        assert_eq!(scan_bytes(&scan(&[3, 4])), 7);
        let both = UnionExec::try_new(vec![scan(&[3, 4]), scan(&[5])]).expect("a union");
        assert_eq!(scan_bytes(&both), 12);
    }
}
