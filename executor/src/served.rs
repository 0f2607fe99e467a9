//! How far clients are that read the rows of tasks from this executor.
//!
//! ```text
//!   coordinator's call of a task ── open ─────────────────────────────────── closed
//!   a client's reading of it            └─ begins, once ─► read, or broken     │
//!                                                          ◄───── stopped ─────┘
//! ```
//! What is known of a reading is kept for as long as the task's call is open: until its coordinator
//! has heard of the end, or has stopped the query, or is gone. So no row is given out twice, and none
//! of a query that is over.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use waterbuck_engine::cluster::{ResultReport, ResultState};
use waterbuck_engine::session::TaskLabel;
use waterbuck_engine::ticket;
use waterbuck_engine::{Error, Result};
use waterbuck_results::reading as results;

/// A client may be quicker than the coordinator's own call.
const OPENS_WITHIN: Duration = if cfg!(test) {
    Duration::from_millis(100)
} else {
    Duration::from_secs(5)
};

/// The readings of this executor's tasks.
#[derive(Debug, Default)]
pub(crate) struct ServedResults {
    open: Mutex<HashMap<TaskLabel, OpenStage>>,
    /// Changes when a task's call is opened.
    opened: watch::Sender<u64>,
    /// Changes with every report.
    changes: watch::Sender<u64>,
}

/// The tasks of one stage whose calls are open.
#[derive(Debug, Default)]
struct OpenStage {
    calls: usize,
    /// Cancelled when the last call is closed.
    closed: CancellationToken,
    /// By the number of the task.
    readings: BTreeMap<u64, ResultReport>,
}

/// A task whose call is open until this is dropped.
#[derive(Debug)]
pub(crate) struct OpenTask {
    served: Arc<ServedResults>,
    label: TaskLabel,
}

impl Drop for OpenTask {
    fn drop(&mut self) {
        let mut open = self.served.open.lock();
        let Some(stage) = open.get_mut(&self.label) else {
            return;
        };
        stage.calls -= 1;
        if stage.calls == 0 {
            stage.closed.cancel();
            open.remove(&self.label);
        }
    }
}

impl ServedResults {
    /// Enters a task whose call was opened.
    pub(crate) fn open(self: &Arc<Self>, label: TaskLabel) -> OpenTask {
        let mut open = self.open.lock();
        open.entry(label.clone()).or_default().calls += 1;
        drop(open);
        self.opened.send_modify(|version| *version += 1);
        OpenTask {
            served: Arc::clone(self),
            label,
        }
    }

    /// Begins the one reading of a task, whose call may be about to be opened.
    ///
    /// # Errors
    /// `NotFound` when it was begun before, or the query is over.
    pub(crate) async fn begin(self: &Arc<Self>, label: &TaskLabel, task: u64) -> Result<Reading> {
        let mut opened = self.opened.subscribe();
        let is_open = opened.wait_for(|_| self.open.lock().contains_key(label));
        // Whether it came in time is seen below.
        drop(timeout(OPENS_WITHIN, is_open).await);
        let report = ResultReport {
            attempt: label.attempt.clone(),
            stage: label.stage,
            task,
            state: ResultState::Reading,
            rows: 0,
            bytes: 0,
        };
        let mut open = self.open.lock();
        let stage = open.get_mut(label).ok_or_else(ticket::unknown)?;
        if stage.readings.contains_key(&task) {
            return Err(ticket::unknown());
        }
        stage.readings.insert(task, report.clone());
        let closed = stage.closed.clone();
        drop(open);
        self.changes.send_modify(|version| *version += 1);
        Ok(Reading {
            served: Arc::clone(self),
            report,
            closed,
        })
    }

    /// What is known of all readings.
    pub(crate) fn reports(&self) -> Vec<ResultReport> {
        let open = self.open.lock();
        let readings = open.values().flat_map(|stage| stage.readings.values());
        readings.cloned().collect()
    }

    /// Changes when [`Self::reports`] may have.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

/// A client's reading of a task. Dropping it before its end says that the client has gone.
#[derive(Debug)]
pub(crate) struct Reading {
    served: Arc<ServedResults>,
    report: ResultReport,
    closed: CancellationToken,
}

impl results::Reading for Reading {
    fn stop(&self) -> CancellationToken {
        self.closed.clone()
    }

    fn hand_over(&mut self, batch: &RecordBatch) -> Result<()> {
        self.report.rows += batch.num_rows() as u64;
        self.report.bytes += batch.get_array_memory_size() as u64;
        Ok(())
    }

    fn end(mut self, failed: Option<&Error>) {
        self.report.state = match failed {
            Some(error) => ResultState::Broken(error.to_string()),
            None => ResultState::Read,
        };
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        if self.report.state == ResultState::Reading {
            let why = "the result was not read to its end";
            self.report.state = ResultState::Broken(why.to_owned());
        }
        let label = TaskLabel {
            attempt: self.report.attempt.clone(),
            stage: self.report.stage,
        };
        let mut open = self.served.open.lock();
        if let Some(stage) = open.get_mut(&label) {
            stage.readings.insert(self.report.task, self.report.clone());
        }
        drop(open);
        self.served.changes.send_modify(|version| *version += 1);
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::Int64Array;
    use futures::FutureExt;
    use waterbuck_results::reading::Reading as _;

    use super::*;

    fn batch(rows: i64) -> RecordBatch {
        let column = Arc::new(Int64Array::from_iter_values(0..rows));
        RecordBatch::try_from_iter([("x", column as _)]).unwrap()
    }

    fn label() -> TaskLabel {
        TaskLabel {
            attempt: "a".to_owned(),
            stage: 1,
        }
    }

    fn states(served: &ServedResults) -> Vec<ResultState> {
        let reports = served.reports().into_iter();
        reports.map(|report| report.state).collect()
    }

    #[tokio::test]
    async fn a_task_is_read_once_and_while_its_call_is_open() {
        let served = Arc::new(ServedResults::default());
        let first = served.open(label());
        let second = served.open(label());
        let mut reading = served.begin(&label(), 0).await.unwrap();
        assert_eq!(states(&served), [ResultState::Reading]);
        assert!(served.begin(&label(), 0).await.is_err(), "it is being read");
        reading.hand_over(&batch(3)).unwrap();
        reading.end(None);
        assert_eq!(states(&served), [ResultState::Read]);
        assert_eq!(served.reports()[0].rows, 3);
        assert!(served.begin(&label(), 0).await.is_err(), "it was read");
        let other = served.begin(&label(), 1).await.unwrap();
        drop(first);
        assert!(!other.stop().is_cancelled());
        drop(second);
        assert!(other.stop().is_cancelled());
        drop(other);
        assert!(served.reports().is_empty());
    }

    #[tokio::test]
    async fn a_query_that_is_over_gives_nothing() {
        let served = Arc::new(ServedResults::default());
        drop(served.open(label()));
        assert!(served.begin(&label(), 0).await.is_err());
    }

    #[tokio::test]
    async fn a_client_may_come_before_the_coordinators_call() {
        let served = Arc::new(ServedResults::default());
        let label = label();
        let mut begun = Box::pin(served.begin(&label, 0));
        assert!((&mut begun).now_or_never().is_none());
        let _open = served.open(label.clone());
        assert!(begun.await.is_ok());
    }

    #[tokio::test]
    async fn a_client_that_goes_away_breaks_its_reading() {
        let served = Arc::new(ServedResults::default());
        let _open = served.open(label());
        drop(served.begin(&label(), 0).await.unwrap());
        assert!(matches!(states(&served)[..], [ResultState::Broken(_)]));
    }
}
