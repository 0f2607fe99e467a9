//! Runs a planned query: attempts on one snapshot until one succeeds or a row has left.
//!
//! ```text
//! plan ─► attempt 1 ─► rows held back ─► released ─► client
//!            │ executor lost, or out of memory; nothing released yet
//!            └──────► attempt 2 (other executors, or joins that spill) on the same snapshot
//! ```
//! A short answer is never passed off as whole: after the first released row every failure is the
//! client's error.

use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use datafusion::common::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, SessionState};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::StreamExt;
use url::Url;
use waterbuck_connectors::files::{Secret, scan_bytes};
use waterbuck_engine::session::prepare_plan;
use waterbuck_engine::settings::Settings;
use waterbuck_engine::{Error, ErrorKind, Result};

use super::admission::Slot;
use super::hold::{Failed, Hold, Pumped, pump};
use super::record::QueryRecord;
use super::result::ResultStream;
use super::row_end::{RowEnd, tell_row_end};
use super::session_state::{Attempt, Thrift};
use super::tasks::equip_tasks;
use crate::apart::apart;
use crate::coordinator::Core;
use crate::plan::{StageShape, is_changed_file, plan_error, plan_shape};
use crate::quota::Counted;

const ATTEMPTS_MAX: usize = 4;

/// A query whose snapshot is pinned and whose logical plan is optimised.
pub(crate) struct PlannedQuery {
    pub(crate) record: Arc<QueryRecord>,
    pub(crate) logical: LogicalPlan,
    pub(crate) settings: Settings,
    /// The session it was planned in: its tables and its slice of this node.
    pub(crate) state: SessionState,
    /// All there are.
    pub(crate) secrets: Vec<Secret>,
    pub(crate) sql: String,
    /// Whether the query is over when its last row was read; a write is published after that.
    pub(crate) ends_query: bool,
    /// Runs on the coordinator alone.
    pub(crate) local_only: bool,
    /// Whether it waits for its turn when many queries run.
    pub(crate) needs_slot: bool,
}

/// A query's turn, and its place among those its user may have.
pub(super) type Turn = (Slot, Counted);

/// One attempt that is planned and not started.
pub(super) struct Planned {
    pub(super) plan: Arc<dyn ExecutionPlan>,
    stages: Vec<StageShape>,
    pub(super) executors: Vec<Url>,
    state: SessionState,
    attempt: Attempt,
}

/// One started attempt.
pub(super) struct Started {
    pub(super) stream: SendableRecordBatchStream,
    pub(super) plan: Arc<dyn ExecutionPlan>,
    /// Tells of the last row, for queries that are over with it.
    row_end: Arc<RowEnd>,
    pub(super) executors: Vec<Url>,
    attempt: Attempt,
}

/// Plans and starts `query`; the rows come from the stream, and dropping it stops everything.
///
/// # Errors
/// Everything that is found while planning. Later errors come through the stream.
pub(crate) async fn run_query(
    core: Arc<Core>,
    query: PlannedQuery,
) -> Result<(SendableRecordBatchStream, Arc<dyn ExecutionPlan>)> {
    let query = Arc::new(query);
    let counted = count(&core, &query)?;
    let slot = admit(&core, &query, counted).await?;
    let started = start(&core, &query, first_attempt(&query)).await?;
    let plan = Arc::clone(&started.plan);
    let begun = std::future::ready(Ok((slot, started)));
    Ok((deliver(core, query, plan.schema(), begun), plan))
}

/// As [`run_query`], but does not wait for the query's turn: where it has to, it is started behind
/// the stream, and what is found while planning comes through that.
///
/// # Errors
/// As [`run_query`].
pub(crate) async fn run_query_behind(
    core: Arc<Core>,
    query: PlannedQuery,
) -> Result<SendableRecordBatchStream> {
    if !query.needs_slot || core.admission.has_room() {
        return Ok(run_query(core, query).await?.0);
    }
    let counted = count(&core, &query)?;
    let query = Arc::new(query);
    let schema = Arc::clone(query.logical.schema().inner());
    let (begin_core, begin_query) = (Arc::clone(&core), Arc::clone(&query));
    let begin = async move {
        let slot = admit(&begin_core, &begin_query, counted).await?;
        let attempt = first_attempt(&begin_query);
        let started = start(&begin_core, &begin_query, attempt).await?;
        Ok::<_, Error>((slot, started))
    };
    Ok(deliver(core, query, schema, begin))
}

/// The rows of a query that `begin` starts; they are fetched before anybody asks, up to a bound.
pub(super) fn deliver(
    core: Arc<Core>,
    query: Arc<PlannedQuery>,
    schema: SchemaRef,
    begin: impl Future<Output = Result<(Option<Turn>, Started)>> + Send + 'static,
) -> SendableRecordBatchStream {
    let mut builder = RecordBatchReceiverStreamBuilder::new(schema, 2);
    let tx = builder.tx();
    let record = Arc::clone(&query.record);
    let (settings, ends_query) = (query.settings.clone(), query.ends_query);
    let driver_core = Arc::clone(&core);
    builder.spawn(async move {
        let timeout = query.settings.values().query_timeout;
        let cancel = query.record.cancel.clone();
        let run = async {
            let (_slot, started) = begin.await?;
            drive(&driver_core, &query, started, &tx).await
        };
        tokio::select! {
            biased;
            () = cancel.cancelled() => {
                Err(cancelled(&query.record, "the query was cancelled").into())
            }
            () = elapsed(timeout) => {
                Err(timed_out(&driver_core, &query.record, &query.settings).into())
            }
            result = run => result,
        }
    });
    let rows = builder.build();
    Box::pin(ResultStream::new(rows, record, core, settings, ends_query))
}

/// Counts a query that needs a turn against its user's limit.
pub(super) fn count(core: &Core, query: &PlannedQuery) -> Result<Option<Counted>> {
    if !query.needs_slot {
        return Ok(None);
    }
    core.quotas.of(&query.record.user).query().map(Some)
}

/// Waits for the turn of a query that was counted.
pub(super) async fn admit(
    core: &Core,
    query: &PlannedQuery,
    counted: Option<Counted>,
) -> Result<Option<Turn>> {
    let Some(counted) = counted else {
        return Ok(None);
    };
    let timeout = query.settings.values().query_timeout;
    tokio::select! {
        biased;
        slot = core.admission.enter(&query.record) => slot.map(|slot| Some((slot, counted))),
        () = query.record.cancel.cancelled() => {
            Err(cancelled(&query.record, "the query was cancelled"))
        }
        () = elapsed(timeout) => Err(timed_out(core, &query.record, &query.settings)),
    }
}

pub(super) fn cancelled(record: &QueryRecord, why: &str) -> Error {
    Error::new(ErrorKind::Cancelled, format!("{why} (query {})", record.id))
}

/// The error of a query that took longer than its settings say.
pub(crate) fn timed_out(core: &Core, record: &QueryRecord, settings: &Settings) -> Error {
    let timeout = settings.values().query_timeout;
    let why = format!("the query ran longer than query_timeout ({timeout:?})");
    let quota = core.quotas.of(&record.user);
    quota.explained(cancelled(record, &why), settings)
}

/// Waits for the end of `timeout`; of zero, which stands for none, for ever.
pub(crate) async fn elapsed(timeout: Duration) {
    if timeout.is_zero() {
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(timeout).await;
}

pub(super) fn first_attempt(query: &PlannedQuery) -> Attempt {
    Attempt {
        local_only: query.local_only,
        ..Attempt::default()
    }
}

/// The plan with which `query` would start now.
///
/// # Errors
/// Everything that is found while planning.
pub(crate) async fn plan_query(
    core: &Arc<Core>,
    query: &PlannedQuery,
) -> Result<Arc<dyn ExecutionPlan>> {
    let mut attempt = first_attempt(query);
    let executors = core.planner.executors(&core.members, &attempt);
    let (_, plan) = plan_to_fit(core, query, &executors, &mut attempt).await?;
    Ok(plan)
}

/// Plans with joins that spill from the start where a build side is not expected to fit.
async fn plan_to_fit(
    core: &Arc<Core>,
    query: &PlannedQuery,
    executors: &[Url],
    attempt: &mut Attempt,
) -> Result<(SessionState, Arc<dyn ExecutionPlan>)> {
    let planned = match plan_attempt(core, query, executors, attempt).await {
        Err(error) if attempt.thrift == Thrift::None && is_out_of_memory(&error) => {
            attempt.thrift = Thrift::Spilling;
            plan_attempt(core, query, executors, attempt).await
        }
        planned => planned,
    };
    planned.map_err(|error| plan_error(&query.sql, error))
}

fn is_out_of_memory(error: &DataFusionError) -> bool {
    matches!(error.find_root(), DataFusionError::ResourcesExhausted(_))
}

async fn start(core: &Arc<Core>, query: &PlannedQuery, attempt: Attempt) -> Result<Started> {
    let planned = plan_to_start(core, query, attempt).await?;
    begin_whole(query, planned)
}

/// Plans an attempt and looks whether it may be started.
///
/// # Errors
/// Everything that is found while planning.
pub(super) async fn plan_to_start(
    core: &Arc<Core>,
    query: &PlannedQuery,
    mut attempt: Attempt,
) -> Result<Planned> {
    let executors = core.planner.executors(&core.members, &attempt);
    let planning = plan_to_fit(core, query, &executors, &mut attempt);
    let (mut state, plan) = apart(&query.sql, planning).await?;
    core.quotas
        .of(&query.record.user)
        .check_scan(scan_bytes(&plan))?;
    equip_tasks(query, &mut state, &plan)?;
    let stages = plan_shape(&plan);
    let executors = if stages.is_empty() { vec![] } else { executors };
    Ok(Planned {
        plan,
        stages,
        executors,
        state,
        attempt,
    })
}

/// Starts an attempt whose rows are read in one stream.
///
/// # Errors
/// When the plan cannot be started.
pub(super) fn begin_whole(query: &PlannedQuery, planned: Planned) -> Result<Started> {
    let row_end = Arc::new(RowEnd::default());
    // Who goes on with the query after its rows may want to know what its tasks report.
    let plan = if query.ends_query && !planned.stages.is_empty() {
        let plan = Arc::clone(&planned.plan);
        tell_row_end(plan, &row_end).map_err(|error| plan_error(&query.sql, error))?
    } else {
        Arc::clone(&planned.plan)
    };
    begin(query, planned, plan, row_end)
}

/// Starts a planned attempt with `plan`, which was made of its own.
///
/// # Errors
/// When the plan cannot be started.
pub(super) fn begin(
    query: &PlannedQuery,
    planned: Planned,
    plan: Arc<dyn ExecutionPlan>,
    row_end: Arc<RowEnd>,
) -> Result<Started> {
    query.record.attempt_started(&plan, planned.stages);
    let stream = execute_stream(Arc::clone(&plan), planned.state.task_ctx())
        .map_err(|error| plan_error(&query.sql, error))?;
    Ok(Started {
        stream,
        plan,
        row_end,
        executors: planned.executors,
        attempt: planned.attempt,
    })
}

async fn plan_attempt(
    core: &Arc<Core>,
    query: &PlannedQuery,
    executors: &[Url],
    attempt: &Attempt,
) -> Result<(SessionState, Arc<dyn ExecutionPlan>), DataFusionError> {
    let state =
        core.planner
            .attempt_state(&query.state, &query.settings, (executors.to_vec(), attempt))?;
    let plan = state
        .query_planner()
        .create_physical_plan(&query.logical, &state)
        .await
        .and_then(|plan| prepare_plan(plan, state.config_options()))?;
    Ok((state, plan))
}

async fn drive(
    core: &Arc<Core>,
    query: &PlannedQuery,
    mut started: Started,
    tx: &tokio::sync::mpsc::Sender<Result<arrow::array::RecordBatch, DataFusionError>>,
) -> Result<(), DataFusionError> {
    for _ in 1..ATTEMPTS_MAX {
        let failed = match attempt(core, query, &mut started, tx).await {
            Pumped::Done => {
                end_tasks(core, started);
                return Ok(());
            }
            Pumped::Failed(failed) => failed,
        };
        let next = recover(core, query, (&started.attempt, &started.executors), failed).await?;
        drop(started);
        query.record.release_plan();
        if next.thrift != Thrift::None {
            let id = query.record.id.to_string();
            core.runtime.memory_freed(&id).await;
        }
        started = start(core, query, next).await?;
    }
    match attempt(core, query, &mut started, tx).await {
        Pumped::Done => {
            end_tasks(core, started);
            Ok(())
        }
        Pumped::Failed(failed) => Err(failed.error),
    }
}

/// Stops what is left of an attempt that nobody reads any more. Tasks that have given all rows are
/// let go: each call that is broken off while it ends brings its connection nearer to the number of
/// such calls that HTTP/2 bears with.
fn end_tasks(core: &Core, started: Started) {
    if started.row_end.is_known() {
        let mut rest = started.stream;
        core.in_background(async move { while rest.next().await.is_some() {} });
    }
}

async fn attempt(
    core: &Arc<Core>,
    query: &PlannedQuery,
    started: &mut Started,
    tx: &tokio::sync::mpsc::Sender<Result<arrow::array::RecordBatch, DataFusionError>>,
) -> Pumped {
    let hold = Hold::new(&query.settings, &query.state.runtime_env().memory_pool);
    let lost = core.members.any_lost(&started.executors);
    if started.executors.is_empty() || core.planner.is_local(&started.executors) {
        let never = std::future::pending();
        return pump(&mut started.stream, tx, hold, (&started.row_end, never)).await;
    }
    pump(&mut started.stream, tx, hold, (&started.row_end, lost)).await
}

/// Decides how to go on after a failure, or gives the error the client sees.
async fn recover(
    core: &Arc<Core>,
    query: &PlannedQuery,
    (attempt, executors): (&Attempt, &[Url]),
    Failed {
        error,
        released,
        lost: missed,
    }: Failed,
) -> Result<Attempt, DataFusionError> {
    if is_changed_file(&error) {
        // It may have changed before: whoever runs the query again is to find what is there now.
        core.files.forget_all();
        return Err(error);
    }
    let mut next = attempt.clone();
    if is_out_of_memory(&error) {
        let Some(more) = next.thrift.more().filter(|_| !released) else {
            return Err(error);
        };
        next.thrift = more;
        tracing::info!(query_id = %query.record.id, ?more, "out of memory: planning again");
        return Ok(next);
    }
    let mut lost = core.find_lost(executors).await;
    lost.extend(missed.filter(|url| !lost.contains(url)));
    if lost.is_empty() && !is_broken_connection(&error) {
        return Err(error);
    }
    let what = describe_loss(&lost);
    if released || !query.settings.values().retry_lost_executor {
        let message = format!("{what} in the middle of the query; run the query again");
        return Err(Error::unavailable(message).with_source(error).into());
    }
    tracing::info!(query_id = %query.record.id, %error, "{what}: running the query again");
    next.excluded.extend(lost);
    Ok(next)
}

fn describe_loss(lost: &[Url]) -> String {
    if lost.is_empty() {
        return "the connection to an executor broke".to_owned();
    }
    let names: Vec<_> = lost.iter().map(Url::as_str).collect();
    format!("executor {} was lost", names.join(", "))
}

/// Whether a task failed because it could not talk to another: an executor that dies takes some
/// connections with it before anybody can tell that it is dead. The words are those of the gRPC
/// library; what an executor passes on of another's failure is text alone.
fn is_broken_connection(error: &DataFusionError) -> bool {
    const WORDS: [&str; 8] = [
        "cannot be reached",
        "transport error",
        "http2 error",
        "h2 protocol error",
        "service is currently unavailable",
        "broken pipe",
        "connection reset",
        "timed-out while waiting for the plan",
    ];
    let text = error.to_string().to_lowercase();
    WORDS.iter().any(|words| text.contains(words))
}
