//! What the processes of a cluster say to one another besides plans and batches.

use serde::{Deserialize, Serialize};

use crate::bearer::PublicKey;

/// The Flight action that carries a [`Heartbeat`].
pub const HEARTBEAT_ACTION: &str = "waterbuck.heartbeat";

/// The gRPC header by which the processes of a cluster know each other.
pub const CLUSTER_TOKEN_HEADER: &str = "x-waterbuck-cluster-token";

/// The most bytes of headers that an executor takes with a task. Besides what every call has they
/// hold the options and secrets of the task's query.
pub const TASK_HEADERS_BYTES_MAX: u32 = 256 << 10;

/// The version every process of a cluster must share.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What an executor says of itself, once or twice a second.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Unique to one run of the executor process.
    pub executor_id: String,
    /// Where it serves exchanges: `http://host:port`.
    pub url: String,
    /// The version of its binary; only equals of the coordinator's are taken in.
    pub version: String,
    /// Whether it takes new tasks.
    pub state: NodeState,
    /// Tasks alive on it.
    pub running_tasks: u64,
    /// Queries with work on it.
    pub running_queries: u64,
    /// Bytes reserved by operators.
    pub memory_used_bytes: u64,
    /// The most bytes ever reserved at once.
    pub memory_peak_bytes: u64,
    /// Bytes operators may reserve.
    pub memory_limit_bytes: u64,
    /// Bytes in spill files.
    pub spilled_bytes: u64,
    /// Processors it may use.
    pub cores: u64,
    /// What it has done so far for the queries that run on it.
    #[serde(default)]
    pub queries: Vec<QueryWork>,
    /// The cluster's shared token, when it has one.
    pub cluster_token: Option<String>,
    /// Where clients reach it to read results, as Flight writes locations: `grpc+tls://host:port`.
    /// Without one they do not.
    #[serde(default)]
    pub public_url: Option<String>,
    /// The results that clients read or have read from it, of queries that are not over.
    #[serde(default)]
    pub results: Vec<ResultReport>,
}

/// How far the client is who reads the rows of one task from its executor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultReport {
    /// The run of a query: the id of its distributed plan.
    pub attempt: String,
    /// The task's stage.
    pub stage: u64,
    /// The task's number within the stage.
    pub task: u64,
    /// How far the client is.
    pub state: ResultState,
    /// Rows handed over so far; told at the end.
    pub rows: u64,
    /// Their bytes, as Arrow holds them.
    pub bytes: u64,
}

/// How far a client is that reads a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResultState {
    /// It reads.
    Reading,
    /// It has all rows.
    Read,
    /// It has not and will not, for the reason said here.
    Broken(String),
}

/// What one executor has done so far for one query.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueryWork {
    /// The query.
    pub query_id: String,
    /// The most bytes its operators have held at once on this executor.
    pub memory_peak_bytes: u64,
    /// The stages that have tasks on this executor.
    pub stages: Vec<StageWork>,
}

/// What the tasks of one stage have done so far on one executor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageWork {
    /// The stage's number in the distributed plan.
    pub stage: u64,
    /// Tasks of the stage on this executor.
    pub tasks: u64,
    /// Those that have handed out all their rows.
    pub tasks_done: u64,
    /// Rows that scans have read.
    pub rows_read: u64,
    /// Rows that were handed to the next stage.
    pub rows: u64,
}

/// Whether an executor takes new tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeState {
    /// Takes new tasks.
    Active,
    /// Finishes its tasks and leaves.
    Draining,
    /// Leaves now.
    Leaving,
}

/// A coordinator's answer to a heartbeat.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HeartbeatReply {
    /// When the next heartbeat is wanted, in milliseconds.
    pub interval_ms: u64,
    /// The keys by which the tokens of logged-in clients are checked.
    #[serde(default)]
    pub login_keys: Vec<PublicKey>,
}
