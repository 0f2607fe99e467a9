//! Other file groups for a scan, without copies of the ones it has.
//!
//! A scan owns a path, partition values and much else for each of its files, and cloning it clones
//! them all: on a table of a hundred thousand files every clone takes some fifty megabytes.

use std::sync::Arc;

use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{
    FileGroup, FileGroupPartitioner, FileScanConfig, FileScanConfigBuilder,
};

/// With so many files in every group, ranges of files would hardly make the groups more even.
const MANY_FILES: usize = 128;

/// Everything of a scan but its files.
pub(super) fn without_files(config: &FileScanConfig) -> FileScanConfigBuilder {
    let url = config.object_store_url.clone();
    FileScanConfigBuilder::new(url, Arc::clone(&config.file_source))
        .with_constraints(config.constraints.clone())
        .with_limit(config.limit)
        .with_preserve_order(config.preserve_order)
        .with_output_ordering(config.output_ordering.clone())
        .with_output_partitioning(config.output_partitioning.clone())
        .with_file_compression_type(config.file_compression_type)
        .with_batch_size(config.batch_size)
        .with_expr_adapter(config.expr_adapter_factory.clone())
        .with_statistics(config.statistics())
}

/// The scan with its bytes spread over `count` groups; none when it had better stay as it is.
pub(super) fn spread(
    config: &FileScanConfig,
    (count, bytes_min): (usize, usize),
    ordered: bool,
) -> Option<FileScanConfig> {
    if is_spread(&config.file_groups, count) {
        return None;
    }
    let groups = even_groups(&config.file_groups, (count, bytes_min), ordered)?;
    Some(without_files(config).with_file_groups(groups).build())
}

/// Copies of the files in up to `count` groups of about equal bytes: whole where there are many,
/// else in ranges. None when there are less than `bytes_min` bytes, or an order is in the way.
pub(super) fn even_groups(
    groups: &[FileGroup],
    (count, bytes_min): (usize, usize),
    ordered: bool,
) -> Option<Vec<FileGroup>> {
    let whole = || whole_files(groups, count);
    let whole = (!ordered).then(whole).flatten();
    whole.or_else(|| {
        FileGroupPartitioner::new()
            .with_target_partitions(count)
            .with_repartition_file_min_size(bytes_min)
            .with_preserve_order_within_groups(ordered)
            .repartition_file_groups(groups)
    })
}

/// Cuts the files into runs of about equal bytes; none when a file is too large a part of a run.
fn whole_files(groups: &[FileGroup], count: usize) -> Option<Vec<FileGroup>> {
    let files: Vec<&PartitionedFile> = groups.iter().flat_map(FileGroup::files).collect();
    let total: u64 = files.iter().map(|file| file.effective_size()).sum();
    let share = total.div_ceil(count.max(1) as u64);
    let is_large = |file: &&PartitionedFile| file.effective_size() > share / 10;
    if files.len() < count.saturating_mul(MANY_FILES) || files.iter().any(is_large) {
        return None;
    }
    let run = |files: &[&PartitionedFile]| FileGroup::new(files.iter().copied().cloned().collect());
    let (mut runs, mut first, mut bytes, mut limit) = (Vec::with_capacity(count), 0, 0, share);
    for (index, file) in files.iter().enumerate() {
        if bytes >= limit {
            runs.push(run(&files[first..index]));
            first = index;
            limit += share;
        }
        bytes += file.effective_size();
    }
    runs.push(run(&files[first..]));
    Some(runs)
}

/// Whether `count` groups of many files each differ by less than a tenth of what is in them.
fn is_spread(groups: &[FileGroup], count: usize) -> bool {
    if groups.len() != count || groups.iter().any(|group| group.len() < MANY_FILES) {
        return false;
    }
    let bytes = |group: &FileGroup| -> u64 {
        let files = group.files().iter();
        files.map(PartitionedFile::effective_size).sum()
    };
    let bytes: Vec<u64> = groups.iter().map(bytes).collect();
    let (most, least) = (bytes.iter().max(), bytes.iter().min());
    most.zip(least)
        .is_some_and(|(most, least)| most - least <= most / 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(files: usize, bytes: u64) -> FileGroup {
        let file = |number| PartitionedFile::new(format!("{number}.parquet"), bytes);
        FileGroup::new((0..files).map(file).collect())
    }

    #[test]
    fn only_even_groups_of_many_files_stay() {
        let even = [group(1000, 100), group(950, 100)];
        assert!(is_spread(&even, 2));
        assert!(!is_spread(&even, 3));
        assert!(!is_spread(&[group(1000, 100), group(800, 100)], 2));
        assert!(!is_spread(&[group(10, 100), group(10, 100)], 2));
        assert!(!is_spread(&[], 0));
    }

    #[test]
    fn many_files_are_dealt_out_whole_and_each_once() {
        let groups = [group(700, 100), group(300, 300), group(1, 10_000)];
        assert!(whole_files(&groups, 7).is_none(), "a large file");
        assert!(whole_files(&groups[..2], 8).is_none(), "few files");
        let runs = even_groups(&groups[..2], (3, 0), false).expect("runs");
        assert_eq!(runs.len(), 3);
        assert!(is_spread(&runs, 3));
        let files = runs.iter().flat_map(FileGroup::files);
        let before = groups[..2].iter().flat_map(FileGroup::files);
        assert!(files.clone().all(|file| file.range.is_none()));
        assert!(
            files
                .map(PartitionedFile::path)
                .eq(before.map(PartitionedFile::path))
        );
        assert!(even_groups(&[], (3, 0), false).is_none());
    }
}
