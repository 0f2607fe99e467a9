//! Metrics of scans of very many files.
//!
//! DataFusion keeps some forty metrics of every file until the scan ends, and they travel to the
//! coordinator: for a hundred thousand files, gigabytes on every node. Here such a scan reads its
//! files in batches, each with metrics of its own, and what is kept of a batch that was read are the
//! sums.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricsSet};
use datafusion_datasource::morsel::{MorselPlanner, Morselizer};
use parking_lot::Mutex;

/// A partition of a scan with fewer files keeps the metrics of each.
pub(super) const FILES_MIN: usize = 256;
const BATCH_FILES: usize = 64;
/// Batches whose files may still be read: they are read in order, and few at a time.
const OPEN_BATCHES: usize = 3;

/// Makes the morselizer of a batch, and the metrics that it fills.
type Make = dyn Fn() -> Result<(Box<dyn Morselizer>, ExecutionPlanMetricsSet)> + Send + Sync;

/// Reads the files of one partition of a scan in batches.
pub(super) struct BatchedMetrics {
    make: Box<Make>,
    state: Mutex<State>,
    /// Where the sums go.
    metrics: ExecutionPlanMetricsSet,
}

#[derive(Default)]
struct State {
    current: Option<Box<dyn Morselizer>>,
    /// Files that the current batch still takes.
    left: usize,
    open: VecDeque<ExecutionPlanMetricsSet>,
    sums: MetricsSet,
}

impl State {
    fn close(&mut self, batch: &ExecutionPlanMetricsSet) {
        for metric in batch.clone_inner().iter() {
            self.sums.push(Arc::clone(metric));
        }
        self.sums = self.sums.aggregate_by_name();
    }
}

impl BatchedMetrics {
    pub(super) fn new(make: Box<Make>, metrics: ExecutionPlanMetricsSet) -> Self {
        Self {
            make,
            state: Mutex::default(),
            metrics,
        }
    }
}

impl Morselizer for BatchedMetrics {
    fn plan_file(&self, file: PartitionedFile) -> Result<Box<dyn MorselPlanner>> {
        let mut state = self.state.lock();
        if state.left == 0 {
            let (morselizer, metrics) = (self.make)()?;
            state.current = Some(morselizer);
            state.left = BATCH_FILES;
            state.open.push_back(metrics);
            if state.open.len() > OPEN_BATCHES
                && let Some(read) = state.open.pop_front()
            {
                state.close(&read);
            }
        }
        state.left -= 1;
        match &state.current {
            Some(morselizer) => morselizer.plan_file(file),
            None => datafusion::common::internal_err!("a batch of files has no reader"),
        }
    }
}

impl fmt::Debug for BatchedMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchedMetrics").finish_non_exhaustive()
    }
}

impl Drop for BatchedMetrics {
    fn drop(&mut self) {
        let mut state = std::mem::take(self.state.get_mut());
        for batch in std::mem::take(&mut state.open) {
            state.close(&batch);
        }
        for sum in state.sums.iter() {
            self.metrics.register(Arc::clone(sum));
        }
    }
}

#[cfg(test)]
mod tests {
    use datafusion::common::internal_err;
    use datafusion::physical_plan::metrics::MetricBuilder;

    use super::*;

    /// Counts each file once and opens none.
    #[derive(Debug)]
    struct Counting(ExecutionPlanMetricsSet);

    impl Morselizer for Counting {
        fn plan_file(&self, file: PartitionedFile) -> Result<Box<dyn MorselPlanner>> {
            let name = file.object_meta.location.to_string();
            let builder = MetricBuilder::new(&self.0).with_new_label("filename", name);
            builder.counter("files_seen", 0).add(1);
            internal_err!("nothing is opened")
        }
    }

    #[test]
    fn the_sums_of_all_batches_are_kept_and_not_their_parts() {
        let metrics = ExecutionPlanMetricsSet::new();
        let make = || {
            let batch = ExecutionPlanMetricsSet::new();
            Ok((Box::new(Counting(batch.clone())) as _, batch))
        };
        let files = BatchedMetrics::new(Box::new(make), metrics.clone());
        for number in 0..1000 {
            let file = PartitionedFile::new(format!("{number}.parquet"), 1);
            assert!(files.plan_file(file).is_err());
        }
        assert!(files.state.lock().open.len() <= OPEN_BATCHES);
        drop(files);
        let kept = metrics.clone_inner();
        assert_eq!(kept.iter().count(), 1);
        assert_eq!(
            kept.sum_by_name("files_seen").map(|sum| sum.as_usize()),
            Some(1000)
        );
    }
}
