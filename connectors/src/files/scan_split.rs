//! Splits the scan of a file table into the scans of its tasks.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfig};
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use datafusion_distributed::{
    DistributedLeafExec, ScaleUpLeafNodeEvent, ScaleUpLeafNodeEventResponse,
};

use super::regroup::{even_groups, without_files};
use super::row_source::RowSource;
use super::scan_codec::our_scan;

/// Handles `ScaleUpLeafNodeEvent` for scans of file tables and declines all other leaves.
///
/// Every task gets as many partitions as the scan has, with about equal bytes: large files are cut
/// into ranges where their format allows it, and dealt out whole where it does not.
pub fn scale_up_file_scan(
    event: ScaleUpLeafNodeEvent,
) -> Option<Result<ScaleUpLeafNodeEventResponse>> {
    let config = our_scan(event.plan.as_ref())?;
    let partitions = event.plan.output_partitioning().partition_count();
    Some(split(event.plan, config, partitions, event.task_count))
}

fn split(
    plan: &Arc<dyn ExecutionPlan>,
    config: &FileScanConfig,
    partitions: usize,
    tasks: usize,
) -> Result<ScaleUpLeafNodeEventResponse> {
    let groups = groups(config, partitions * tasks);
    let template = without_files(config);
    let mut shares = vec![Vec::new(); tasks];
    for (index, group) in groups.into_iter().enumerate() {
        shares[index % tasks].push(group);
    }
    // The tasks of a stage must agree on the number of partitions.
    let most = shares.iter().map(Vec::len).max().unwrap_or_default().max(1);
    let variants = shares.into_iter().map(|mut file_groups| {
        file_groups.resize_with(most, || FileGroup::new(Vec::new()));
        let scan = template.clone().with_file_groups(file_groups).build();
        DataSourceExec::from_data_source(scan) as Arc<dyn ExecutionPlan>
    });
    let leaf = DistributedLeafExec::try_new(Arc::clone(plan), variants)?;
    Ok(ScaleUpLeafNodeEventResponse::new(Arc::new(leaf)))
}

fn groups(config: &FileScanConfig, count: usize) -> Vec<FileGroup> {
    let ordered = !config.output_ordering.is_empty() || config.preserve_order;
    let rows = config.file_source().downcast_ref::<RowSource>();
    let mut files = config.file_groups.iter().flat_map(|group| group.files());
    let splittable = rows.is_none_or(|rows| files.all(|file| rows.can_split(file)));
    if splittable {
        let split = even_groups(&config.file_groups, (count, 0), ordered);
        return split.unwrap_or_else(|| config.file_groups.clone());
    }
    if ordered {
        return config.file_groups.clone();
    }
    deal_out(
        config.file_groups.iter().flat_map(|group| group.files()),
        count,
    )
}

/// Gives every file, the largest first, to the group that has the fewest bytes.
fn deal_out<'a>(files: impl Iterator<Item = &'a PartitionedFile>, count: usize) -> Vec<FileGroup> {
    let mut files: Vec<&PartitionedFile> = files.collect();
    files.sort_by(|a, b| {
        b.effective_size()
            .cmp(&a.effective_size())
            .then_with(|| a.path().cmp(b.path()))
    });
    let mut groups = vec![Vec::new(); count];
    let mut lightest: BinaryHeap<Reverse<(u64, usize)>> =
        (0..count).map(|index| Reverse((0, index))).collect();
    for file in files {
        let Some(Reverse((bytes, index))) = lightest.pop() else {
            break;
        };
        groups[index].push(file.clone());
        lightest.push(Reverse((bytes + file.effective_size(), index)));
    }
    groups.into_iter().map(FileGroup::new).collect()
}
