//! How far the readers of a result's parts are, where the coordinator gives them out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::RecordBatch;
use datafusion::execution::SendableRecordBatchStream;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use waterbuck_engine::{Error, ErrorKind, Result};
use waterbuck_results::reading::{Reading, counted};

use super::record::QueryRecord;
use crate::quota::Quota;

/// The readers of one result's parts.
pub(super) struct ReadHere {
    record: Arc<QueryRecord>,
    quota: Arc<Quota>,
    rows: AtomicU64,
    progress: watch::Sender<Progress>,
    /// Ends all parts with an error.
    pub(super) stop: CancellationToken,
}

#[derive(Default)]
struct Progress {
    /// Parts that are handed out.
    parts: usize,
    /// Those that were read to their end.
    read: usize,
    /// Why one of them will not be.
    failed: Option<(ErrorKind, String)>,
}

impl ReadHere {
    /// Nothing is handed out yet. Rows count in `record` and against `quota`.
    pub(super) fn new(record: Arc<QueryRecord>, quota: Arc<Quota>) -> Arc<Self> {
        Arc::new(Self {
            record,
            quota,
            rows: AtomicU64::new(0),
            progress: watch::Sender::default(),
            stop: CancellationToken::new(),
        })
    }

    /// Whether rows count against a limit, which is kept nowhere else.
    pub(super) fn limits_rows(&self) -> bool {
        self.quota.limits_rows()
    }

    /// Waits until all parts were read. Cancel-safe.
    ///
    /// # Errors
    /// When one of them will not be.
    pub(super) async fn all_read(&self) -> Result<()> {
        let mut progress = self.progress.subscribe();
        let ended = progress.wait_for(|seen| seen.failed.is_some() || seen.read == seen.parts);
        // The sender lives as long as what is asked here.
        match ended.await.ok().and_then(|seen| seen.failed.clone()) {
            Some((kind, text)) => Err(Error::new(kind, text)),
            None => Ok(()),
        }
    }

    fn count(&self, batch: &RecordBatch) -> Result<()> {
        let rows = batch.num_rows();
        let total = self.rows.fetch_add(rows as u64, Ordering::Relaxed) + rows as u64;
        self.quota.check_rows(total)?;
        self.record.handed_over(rows, batch.get_array_memory_size());
        Ok(())
    }

    fn failed(&self, error: &Error) {
        let why = (error.kind(), error.to_string());
        self.progress.send_modify(|seen| {
            seen.failed.get_or_insert(why);
        });
    }
}

/// The reading of one part.
struct PartReading {
    all: Arc<ReadHere>,
    ended: bool,
}

impl Drop for PartReading {
    fn drop(&mut self) {
        if !self.ended {
            let gone = Error::new(ErrorKind::Cancelled, "the result was not read to its end");
            self.all.failed(&gone);
        }
    }
}

impl Reading for PartReading {
    fn stop(&self) -> CancellationToken {
        self.all.stop.clone()
    }

    fn hand_over(&mut self, batch: &RecordBatch) -> Result<()> {
        self.all.count(batch)
    }

    fn end(mut self, failed: Option<&Error>) {
        self.ended = true;
        match failed {
            Some(error) => self.all.failed(error),
            None => self.all.progress.send_modify(|seen| seen.read += 1),
        }
    }
}

/// The rows of a part, of whose end `all` is told.
pub(super) fn read_here(
    rows: SendableRecordBatchStream,
    all: &Arc<ReadHere>,
) -> SendableRecordBatchStream {
    all.progress.send_modify(|seen| seen.parts += 1);
    let reading = PartReading {
        all: Arc::clone(all),
        ended: false,
    };
    counted(rows, reading)
}

#[cfg(test)]
mod tests {
    use arrow::array::Int64Array;
    use datafusion::common::DataFusionError;
    use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
    use futures::{FutureExt, StreamExt, stream};

    use super::*;

    fn batch(rows: i64) -> RecordBatch {
        let column = Arc::new(Int64Array::from_iter_values(0..rows));
        RecordBatch::try_from_iter([("x", column as _)]).unwrap()
    }

    fn rows(batches: Vec<Result<RecordBatch, DataFusionError>>) -> SendableRecordBatchStream {
        let schema = batch(0).schema();
        Box::pin(RecordBatchStreamAdapter::new(schema, stream::iter(batches)))
    }

    fn all() -> Arc<ReadHere> {
        let record = QueryRecord::new(uuid::Uuid::nil(), "ann", "SELECT 1", "SELECT");
        ReadHere::new(Arc::new(record), Arc::new(Quota::new()))
    }

    #[tokio::test]
    async fn a_result_is_read_when_all_its_parts_are() {
        let all = all();
        let mut first = read_here(rows(vec![Ok(batch(2)), Ok(batch(1))]), &all);
        let second = read_here(rows(vec![]), &all);
        assert_eq!(second.count().await, 0);
        assert!(all.all_read().now_or_never().is_none());
        while first.next().await.is_some() {}
        all.all_read().await.unwrap();
        assert_eq!(all.record.view().rows, 3);
    }

    #[tokio::test]
    async fn a_part_that_is_dropped_fails_the_result() {
        let all = all();
        let part = read_here(rows(vec![Ok(batch(2))]), &all);
        drop(part);
        let error = all.all_read().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled);
    }

    #[tokio::test]
    async fn an_error_and_a_stop_are_errors_and_no_ends() {
        let all = all();
        let broken = DataFusionError::Execution("lost".to_owned());
        let mut part = read_here(rows(vec![Ok(batch(2)), Err(broken)]), &all);
        assert!(part.next().await.unwrap().is_ok());
        assert!(part.next().await.unwrap().is_err());
        assert!(all.all_read().await.is_err());
        let mut other = read_here(rows(vec![Ok(batch(2))]), &all);
        all.stop.cancel();
        let error = other.next().await.unwrap().unwrap_err();
        assert!(error.to_string().contains("stopped"), "{error}");
        assert!(other.next().await.is_none());
    }
}
