//! The stream a client reads: counts rows, and ends the query's record with the right state.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::DataFusionError;
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream};
use futures::{Stream, StreamExt};
use waterbuck_engine::settings::Settings;
use waterbuck_engine::{Error, ErrorKind};

use super::record::{QueryRecord, QueryState};
use crate::coordinator::Core;
use crate::plan::run_error;
use crate::quota::Quota;

/// A query's rows on their way to the client.
pub(super) struct ResultStream {
    rows: SendableRecordBatchStream,
    record: Arc<QueryRecord>,
    core: Arc<Core>,
    ended: bool,
    /// What its user may have, and the rows that count against it.
    quota: Arc<Quota>,
    given: u64,
    /// What the query ran with.
    settings: Settings,
}

impl ResultStream {
    pub(super) fn new(
        rows: SendableRecordBatchStream,
        record: Arc<QueryRecord>,
        core: Arc<Core>,
        settings: Settings,
        ends_query: bool,
    ) -> Self {
        Self {
            quota: core.quotas.of(&record.user),
            given: 0,
            settings,
            rows,
            record,
            core,
            ended: !ends_query,
        }
    }

    fn end(&mut self, state: QueryState, error: Option<String>) {
        if self.ended {
            return;
        }
        self.ended = true;
        end_query(&self.core, &self.record, state, error);
    }
}

/// Ends a query, whose operators are still there.
pub(super) fn end_query(
    core: &Core,
    record: &Arc<QueryRecord>,
    state: QueryState,
    error: Option<String>,
) {
    if let Some(peak) = core.runtime.query_peak_bytes(&record.id.to_string()) {
        record.set_peak_memory(peak);
    }
    core.queries.finish(record, state, error);
}

/// The state of a query that ends in `error`.
pub(super) fn state_after(error: &Error) -> QueryState {
    match error.kind() {
        ErrorKind::Cancelled => QueryState::Cancelled,
        _ => QueryState::Failed,
    }
}

impl Stream for ResultStream {
    type Item = Result<RecordBatch, DataFusionError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut polled = self.rows.poll_next_unpin(context);
        if let Poll::Ready(Some(Ok(batch))) = &polled
            && !self.ended
        {
            self.given += batch.num_rows() as u64;
            if let Err(error) = self.quota.check_rows(self.given) {
                self.record.cancel.cancel();
                polled = Poll::Ready(Some(Err(error.into())));
            }
        }
        match &polled {
            Poll::Ready(Some(Ok(batch))) => {
                if !self.ended {
                    self.record
                        .handed_over(batch.num_rows(), batch.get_array_memory_size());
                }
            }
            Poll::Ready(Some(Err(_))) => {}
            Poll::Ready(None) => self.end(QueryState::Finished, None),
            Poll::Pending => {}
        }
        match polled {
            Poll::Ready(Some(Err(error))) => {
                let mut error = run_error(error);
                if error.kind() == ErrorKind::ResourceExhausted {
                    error = self.quota.explained(error, &self.settings);
                }
                self.end(state_after(&error), Some(error.to_string()));
                Poll::Ready(Some(Err(error.into())))
            }
            other => other,
        }
    }
}

impl RecordBatchStream for ResultStream {
    fn schema(&self) -> SchemaRef {
        self.rows.schema()
    }
}

impl Drop for ResultStream {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        self.record.cancel.cancel();
        self.end(
            QueryState::Cancelled,
            Some("the result was not read to its end".to_owned()),
        );
    }
}
