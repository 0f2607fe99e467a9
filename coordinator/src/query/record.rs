//! What is known of one query, from the moment its text arrives until it is forgotten.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use datafusion::physical_plan::ExecutionPlan;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::plan::StageShape;

/// Where a query is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryState {
    /// Names are resolved, files listed, the plan made.
    Planning,
    /// Waits until others have ended.
    Queued,
    /// Tasks run.
    Running,
    /// All rows were handed over.
    Finished,
    /// It ended in an error.
    Failed,
    /// The user, a deadline or a lost client stopped it.
    Cancelled,
}

impl QueryState {
    /// The state's name as users see it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Planning => "planning",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing more will happen.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Finished | Self::Failed | Self::Cancelled)
    }
}

/// How long each part of a query took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Timings {
    /// Parsing, resolving names, listing files, planning.
    pub planning: Duration,
    /// Waiting to be admitted.
    pub queued: Duration,
    /// From the start of execution to the first row.
    pub first_row: Option<Duration>,
    /// From the start of execution to the end.
    pub execution: Duration,
}

#[derive(Debug)]
struct Changing {
    state: QueryState,
    timings: Timings,
    execution_started: Option<Instant>,
    finished_at: Option<DateTime<Utc>>,
    rows: u64,
    bytes: u64,
    stages: Vec<StageShape>,
    attempts: u32,
    peak_memory_bytes: u64,
    error: Option<String>,
    snapshot: Option<String>,
    profile: Option<Arc<str>>,
    plan: Option<Arc<dyn ExecutionPlan>>,
}

/// A copy of everything that changes about a query.
#[derive(Debug, Clone)]
pub struct QueryView {
    /// Where it is.
    pub state: QueryState,
    /// What took how long.
    pub timings: Timings,
    /// From arrival to the end, or to now.
    pub elapsed: Duration,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// Rows handed over.
    pub rows: u64,
    /// Bytes handed over, as Arrow holds them.
    pub bytes: u64,
    /// Stages of the distributed plan; none when it runs on the coordinator alone.
    pub stages: Vec<StageShape>,
    /// How often it was started.
    pub attempts: u32,
    /// The most memory its operators held at once on one node.
    pub peak_memory_bytes: u64,
    /// Why it failed.
    pub error: Option<String>,
    /// What it read: files by table.
    pub snapshot: Option<String>,
    /// What its operators and stages did, once it has ended.
    pub profile: Option<Arc<str>>,
}

/// One query.
#[derive(Debug)]
pub struct QueryRecord {
    /// Its id, which sorts by time.
    pub id: Uuid,
    /// The session it came in.
    pub session_id: Uuid,
    /// The user who asked.
    pub user: String,
    /// The address they logged in from.
    pub peer: String,
    /// Its text, or the statement's kind where the text holds a secret.
    pub sql: String,
    /// Whether the text held a secret, which errors may quote.
    pub holds_secret: bool,
    /// The kind of statement.
    pub kind: &'static str,
    /// When it arrived.
    pub started_at: DateTime<Utc>,
    started: Instant,
    /// Stops it, wherever it runs.
    pub cancel: CancellationToken,
    /// It reads rows that its user may not count.
    conceals_reads: AtomicBool,
    changing: Mutex<Changing>,
}

/// The longest text of a statement, an error and a profile that a record keeps, in bytes.
const SQL_KEPT: usize = 64 << 10;
const ERROR_KEPT: usize = 8 << 10;
const PROFILE_KEPT: usize = 32 << 10;

fn shortened(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let kept = &text[..text.floor_char_boundary(bytes)];
    format!("{kept} … ({} bytes)", text.len())
}

impl QueryRecord {
    /// A query that has just arrived.
    pub fn new(session_id: Uuid, user: &str, sql: &str, kind: &'static str) -> Self {
        let changing = Changing {
            state: QueryState::Planning,
            timings: Timings::default(),
            execution_started: None,
            finished_at: None,
            rows: 0,
            bytes: 0,
            stages: vec![],
            attempts: 0,
            peak_memory_bytes: 0,
            error: None,
            snapshot: None,
            profile: None,
            plan: None,
        };
        Self {
            id: Uuid::now_v7(),
            session_id,
            user: user.to_owned(),
            peer: String::new(),
            sql: shortened(sql, SQL_KEPT),
            holds_secret: false,
            kind,
            started_at: Utc::now(),
            started: Instant::now(),
            cancel: CancellationToken::new(),
            conceals_reads: AtomicBool::new(false),
            changing: Mutex::new(changing),
        }
    }

    /// The query as one from `peer`.
    #[must_use]
    pub fn with_peer(mut self, peer: &str) -> Self {
        peer.clone_into(&mut self.peer);
        self
    }

    /// The query as one whose text held a secret, or did not.
    #[must_use]
    pub fn holding_secret(mut self, holds_secret: bool) -> Self {
        self.holds_secret = holds_secret;
        self
    }

    /// Everything that changes, as it is now.
    pub fn view(&self) -> QueryView {
        let changing = self.changing.lock();
        let elapsed = match (changing.state.is_final(), changing.execution_started) {
            (true, _) => {
                changing.timings.planning + changing.timings.queued + changing.timings.execution
            }
            (false, _) => self.started.elapsed(),
        };
        QueryView {
            state: changing.state,
            timings: changing.timings,
            elapsed,
            finished_at: changing.finished_at,
            rows: changing.rows,
            bytes: changing.bytes,
            stages: changing.stages.clone(),
            attempts: changing.attempts,
            peak_memory_bytes: changing.peak_memory_bytes,
            error: changing.error.clone(),
            snapshot: changing.snapshot.clone(),
            profile: changing.profile.clone(),
        }
    }

    /// Records what the query reads.
    pub fn set_snapshot(&self, snapshot: String) {
        self.changing.lock().snapshot = Some(snapshot);
    }

    /// Records that the query waits until others have ended.
    pub(super) fn queues(&self) {
        let mut changing = self.changing.lock();
        if !changing.state.is_final() {
            changing.state = QueryState::Queued;
        }
    }

    /// Records that the query has waited for `queued` and goes on.
    pub(super) fn admitted(&self, queued: Duration) {
        let mut changing = self.changing.lock();
        if !changing.state.is_final() {
            changing.state = QueryState::Planning;
        }
        changing.timings.queued = queued;
    }

    /// Records that the query reads rows that its user may not count.
    pub(crate) fn conceal_reads(&self) {
        self.conceals_reads.store(true, Ordering::Relaxed);
    }

    /// Whether the query reads rows that its user may not count.
    pub(crate) fn conceals_reads(&self) -> bool {
        self.conceals_reads.load(Ordering::Relaxed)
    }

    /// Records the plan of an attempt that starts now.
    pub fn attempt_started(&self, plan: &Arc<dyn ExecutionPlan>, stages: Vec<StageShape>) {
        let mut changing = self.changing.lock();
        changing.state = QueryState::Running;
        changing.attempts += 1;
        changing.stages = stages;
        changing.plan = Some(Arc::clone(plan));
        if changing.execution_started.is_none() {
            changing.timings.planning = self.planning_so_far(&changing);
            changing.execution_started = Some(Instant::now());
        }
    }

    fn planning_so_far(&self, changing: &Changing) -> Duration {
        self.started
            .elapsed()
            .saturating_sub(changing.timings.queued)
    }

    /// Lets go of the plan of an attempt that is over, and of what its operators hold.
    pub fn release_plan(&self) {
        let plan = self.changing.lock().plan.take();
        drop(plan);
    }

    /// The plan of the last attempt, while the query runs.
    pub fn plan(&self) -> Option<Arc<dyn ExecutionPlan>> {
        self.changing.lock().plan.clone()
    }

    /// How long it has been executing.
    pub fn execution_so_far(&self) -> Duration {
        self.changing
            .lock()
            .execution_started
            .map_or(Duration::ZERO, |start| start.elapsed())
    }

    /// Counts rows that were handed over.
    pub fn handed_over(&self, rows: usize, bytes: usize) {
        let mut changing = self.changing.lock();
        if changing.timings.first_row.is_none() {
            changing.timings.first_row = changing.execution_started.map(|start| start.elapsed());
        }
        changing.rows += rows as u64;
        changing.bytes += bytes as u64;
    }

    /// Records the most memory held on a node.
    pub fn set_peak_memory(&self, bytes: usize) {
        let mut changing = self.changing.lock();
        changing.peak_memory_bytes = changing.peak_memory_bytes.max(bytes as u64);
    }

    /// Records what the query's operators and stages did.
    pub(super) fn set_profile(&self, text: &str) {
        self.changing.lock().profile = Some(shortened(text, PROFILE_KEPT).into());
    }

    /// Records what the query's operators and stages did, and lets go of its plan: nothing is left
    /// to be measured when it ends.
    pub(crate) fn profiled(&self, text: &str) {
        self.set_profile(text);
        self.release_plan();
    }

    /// Ends the query once and gives the plan that was run last; later calls change nothing and
    /// give `None`.
    pub(super) fn finish(
        &self,
        state: QueryState,
        error: Option<String>,
    ) -> Option<Option<Arc<dyn ExecutionPlan>>> {
        let mut changing = self.changing.lock();
        if changing.state.is_final() {
            return None;
        }
        match changing.execution_started {
            Some(start) => changing.timings.execution = start.elapsed(),
            None => changing.timings.planning = self.planning_so_far(&changing),
        }
        changing.state = state;
        changing.finished_at = Some(Utc::now());
        changing.error = error.map(|text| shortened(&text, ERROR_KEPT));
        Some(changing.plan.take())
    }
}
