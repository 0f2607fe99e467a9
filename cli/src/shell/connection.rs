//! What the shell asks of an engine, be it a server far away or in this process.

use std::time::Duration;

use async_trait::async_trait;
use datafusion::execution::SendableRecordBatchStream;
use waterbuck_engine::Result;

/// A session with an engine.
#[async_trait]
pub(crate) trait Connection: Send + Sync {
    /// Starts a statement; dropping the future or the rows it gives stops it.
    async fn execute(&self, sql: &str) -> Result<Execution>;

    /// How far a query is; `None` if that is not known.
    async fn progress(&self, query_id: &str) -> Option<Progress>;

    /// Stops a query, if it still runs.
    async fn cancel(&self, query_id: &str);

    /// Names to offer for completion: schemas, tables, columns. As many as can be had.
    async fn names(&self) -> Vec<String>;

    /// What the shell is connected to, for its greeting.
    fn describe(&self) -> String;
}

/// A statement under way.
pub(crate) struct Execution {
    pub(crate) query_id: Option<String>,
    pub(crate) outcome: Outcome,
}

/// What a statement gives.
pub(crate) enum Outcome {
    Rows(SendableRecordBatchStream),
    /// The number of rows the statement changed, where that means something.
    Updated(Option<u64>),
}

/// How far a query is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// What it does: planning, queued, running.
    pub(crate) state: String,
    pub(crate) stages_done: u64,
    pub(crate) stages_total: u64,
    pub(crate) tasks_done: u64,
    pub(crate) tasks_total: u64,
    /// Rows that scans have read so far.
    pub(crate) rows_read: u64,
    /// Rows handed over so far.
    pub(crate) rows: u64,
    /// Bytes handed over so far.
    pub(crate) bytes: u64,
    pub(crate) elapsed: Duration,
}
