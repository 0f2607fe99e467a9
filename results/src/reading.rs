//! Rows on their way to a reader, of which somebody keeps count.

use arrow::array::RecordBatch;
use datafusion::common::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, stream};
use tokio_util::sync::CancellationToken;
use waterbuck_engine::plain_errors::run_error;
use waterbuck_engine::{Error, ErrorKind, Result};

/// Who keeps count of one reader's rows. Dropping it before its end says that the reader has gone.
pub trait Reading: Send + 'static {
    /// Cancelled when no more rows are to be handed over.
    fn stop(&self) -> CancellationToken;

    /// Counts rows that are about to be handed over.
    ///
    /// # Errors
    /// When they may not be.
    fn hand_over(&mut self, batch: &RecordBatch) -> Result<()>;

    /// Says how it ended.
    fn end(self, failed: Option<&Error>);
}

/// The same rows, of which `reading` keeps count; when it is stopped before their end, an error.
pub fn counted(
    rows: SendableRecordBatchStream,
    reading: impl Reading,
) -> SendableRecordBatchStream {
    let schema = rows.schema();
    let stop = reading.stop();
    let rows = stream::unfold(Some((rows, reading, stop)), |state| async move {
        let (mut rows, mut reading, stop) = state?;
        let next = tokio::select! {
            biased;
            () = stop.cancelled() => Some(Err(stopped())),
            next = rows.next() => next.map(|item| item.map_err(run_error)),
        };
        let handed_over = match next {
            None => {
                reading.end(None);
                return None;
            }
            Some(item) => item.and_then(|batch| reading.hand_over(&batch).map(|()| batch)),
        };
        match handed_over {
            Ok(batch) => Some((Ok(batch), Some((rows, reading, stop)))),
            Err(error) => {
                reading.end(Some(&error));
                Some((Err(DataFusionError::from(error)), None))
            }
        }
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, rows))
}

fn stopped() -> Error {
    Error::new(
        ErrorKind::Cancelled,
        "the query was stopped before all its rows were read",
    )
}
