//! Runs a query whose result is read in parts.
//!
//! ```text
//!   plan ─► start ─► parts handed out ─► read here, or on the executors ─► all read: over
//!                                              │ a part fails, its reader goes away, nobody
//!                                              │ asks for it in time, an executor is lost
//!                                              └──────► everything is stopped
//! ```

use std::sync::Arc;
use std::time::Duration;

use datafusion::common::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;
use tokio::time::{Instant, timeout_at};
use waterbuck_engine::cluster::{ResultReport, ResultState};
use waterbuck_engine::plain_errors::run_error;
use waterbuck_engine::{Error, ErrorKind, Result};

use super::parts::{Handing, Place, hand_out};
use super::parts_read::ReadHere;
use super::record::QueryState;
use super::result::{end_query, state_after};
use super::row_end::RowEnd;
use super::run::{
    PlannedQuery, Started, Turn, admit, begin, begin_whole, cancelled, count, deliver, elapsed,
    first_attempt, plan_to_start, timed_out,
};
use crate::coordinator::Core;
use crate::plan::plan_error;
use crate::result_parts::{Endpoints, ResultPart};

/// How soon the rows of a part must be asked for.
pub(crate) const FETCH_WITHIN: Duration = Duration::from_secs(60);
/// How much later an executor's report of that may come.
const REPORTED_WITHIN: Duration = Duration::from_secs(3);

/// A query that runs.
pub(crate) enum Begun {
    /// To be read in one stream.
    Whole(SendableRecordBatchStream),
    /// To be read in parts, of which there is at least one.
    Parts(Vec<ResultPart>),
}

/// Plans and starts `query`, whose parts are to be read at `endpoints`. Plans that do more than to
/// put their tasks' rows together are read whole.
///
/// # Errors
/// Everything that is found while planning. Later errors come to those who read.
pub(crate) async fn run_query_in_parts(
    core: Arc<Core>,
    query: PlannedQuery,
    endpoints: Endpoints,
) -> Result<Begun> {
    let query = Arc::new(query);
    let counted = count(&core, &query)?;
    let turn = admit(&core, &query, counted).await?;
    let planned = plan_to_start(&core, &query, first_attempt(&query)).await?;
    let here = ReadHere::new(
        Arc::clone(&query.record),
        core.quotas.of(&query.record.user),
    );
    let locations = match endpoints {
        Endpoints::Executors if !here.limits_rows() => core.members.locations(&planned.executors),
        _ => None,
    };
    let place = match locations {
        Some(locations) if !locations.is_empty() => Place::There(locations),
        _ => Place::Here(Arc::clone(&here)),
    };
    let is_here = matches!(place, Place::Here(_));
    let (handing, handed) = Handing::new(place);
    let plan = hand_out(&planned.plan, &handing)
        .map_err(|error| plan_error(&query.sql, error))?
        .filter(|_| endpoints != Endpoints::One);
    let Some(plan) = plan else {
        let started = begin_whole(&query, planned)?;
        let schema = started.plan.schema();
        let begun = std::future::ready(Ok((turn, started)));
        return Ok(Begun::Whole(deliver(core, query, schema, begun)));
    };
    let mut started = begin(&query, planned, plan, Arc::new(RowEnd::default()))?;
    let parts = tokio::select! {
        biased;
        Ok(parts) = handed => parts,
        error = failure(&mut started.stream) => return Err(run_error(error)),
    };
    let readers = match is_here {
        true => Readers::Here(here),
        false => Readers::There(tasks_of(&parts)),
    };
    let parts_core = Arc::clone(&core);
    core.in_background(async move {
        let running = Running {
            query,
            started,
            readers,
            handing,
        };
        running.follow(&parts_core, turn).await;
    });
    Ok(Begun::Parts(parts))
}

/// The first error of a stream that gives no rows, and does not end before it is told to.
async fn failure(stream: &mut SendableRecordBatchStream) -> DataFusionError {
    loop {
        match stream.next().await {
            Some(Ok(_)) => {}
            Some(Err(error)) => return error,
            None => return Error::internal("the tasks ended before they were read").into(),
        }
    }
}

/// Whose progress decides when a result was read.
enum Readers {
    Here(Arc<ReadHere>),
    /// The run of the query, and how many tasks it has.
    There((String, usize)),
}

fn tasks_of(parts: &[ResultPart]) -> (String, usize) {
    let attempt = parts.iter().find_map(|part| match part {
        ResultPart::There(task) => Some(task.attempt.to_string()),
        ResultPart::Here(_) => None,
    });
    (attempt.unwrap_or_default(), parts.len())
}

/// A query whose parts were handed out.
struct Running {
    query: Arc<PlannedQuery>,
    started: Started,
    readers: Readers,
    handing: Arc<Handing>,
}

impl Running {
    /// Waits for the end and records it. Dropping this stops the query everywhere.
    async fn follow(mut self, core: &Arc<Core>, turn: Option<Turn>) {
        let record = Arc::clone(&self.query.record);
        let ended = self.ended(core).await;
        drop(turn);
        match ended {
            Ok(reports) => {
                for report in reports {
                    let size = |bytes| usize::try_from(bytes).unwrap_or(usize::MAX);
                    record.handed_over(size(report.rows), size(report.bytes));
                }
                end_query(core, &record, QueryState::Finished, None);
                self.handing.read.cancel();
                // What the tasks report of themselves comes in behind the answer.
                while self.started.stream.next().await.is_some() {}
            }
            Err(error) => {
                if let Readers::Here(here) = &self.readers {
                    here.stop.cancel();
                }
                end_query(core, &record, state_after(&error), Some(error.to_string()));
            }
        }
    }

    /// Waits until all parts were read; gives what executors say of them.
    async fn ended(&mut self, core: &Arc<Core>) -> Result<Vec<ResultReport>> {
        let record = &self.query.record;
        let settings = &self.query.settings;
        let timeout = settings.values().query_timeout;
        let executors = &self.started.executors;
        let is_local = executors.is_empty() || core.planner.is_local(executors);
        let readers = &self.readers;
        let all_read = async {
            match readers {
                Readers::Here(here) => here.all_read().await.map(|()| vec![]),
                Readers::There((attempt, tasks)) => all_reported(core, attempt, *tasks).await,
            }
        };
        tokio::select! {
            biased;
            () = record.cancel.cancelled() => Err(cancelled(record, "the query was cancelled")),
            () = elapsed(timeout) => Err(timed_out(core, record, settings)),
            ended = all_read => ended,
            error = failure(&mut self.started.stream) => Err(run_error(error)),
            url = core.members.any_lost(executors), if !is_local => {
                let message = format!(
                    "executor {url} was lost in the middle of the query; run the query again"
                );
                Err(Error::unavailable(message))
            }
        }
    }
}

/// Waits until executors have reported of all `tasks` that they were read.
async fn all_reported(core: &Core, attempt: &str, tasks: usize) -> Result<Vec<ResultReport>> {
    let latest = Instant::now() + FETCH_WITHIN + REPORTED_WITHIN;
    let mut told = core.members.reports();
    loop {
        told.mark_unchanged();
        let reports = core.members.results_of(attempt);
        for report in &reports {
            if let ResultState::Broken(why) = &report.state {
                return Err(Error::new(ErrorKind::Cancelled, why.clone()));
            }
        }
        let is_read = |report: &&ResultReport| report.state == ResultState::Read;
        if reports.iter().filter(is_read).count() == tasks {
            return Ok(reports);
        }
        let changed = told.changed();
        if reports.len() == tasks {
            // All are being read: that may take as long as their readers like.
            drop(changed.await);
        } else if timeout_at(latest, changed).await.is_err() {
            return Err(Error::new(
                ErrorKind::Cancelled,
                format!(
                    "the query was stopped: its result was not fetched within {} s",
                    FETCH_WITHIN.as_secs()
                ),
            ));
        }
    }
}
