//! What the processes of a cluster say to one another besides plans and batches.

use serde::{Deserialize, Serialize};

/// The Flight action that carries a [`Heartbeat`].
pub const HEARTBEAT_ACTION: &str = "waterbuck.heartbeat";

/// The gRPC header by which the processes of a cluster know each other.
pub const CLUSTER_TOKEN_HEADER: &str = "x-waterbuck-cluster-token";

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
    /// The cluster's shared token, when it has one.
    pub cluster_token: Option<String>,
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
}
