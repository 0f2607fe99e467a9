//! Data plane: runs tasks, serves exchanges, keeps to its memory budget, and drains when asked.
//!
//! An executor holds no truth: a task carries all it needs, and any executor may be killed at any
//! moment. It never opens the catalog.

mod channels;
mod heartbeat;
mod monitor;
mod node;
mod per_partition;
mod result_service;
mod served;
mod server;
mod task_session;
mod tasks;
mod upkeep;

pub use channels::ExchangeChannels;
pub use heartbeat::HeartbeatSender;
pub use node::{ExecutorNode, NodeStores};
pub use server::{ExecutorServer, ServeConfig};
pub use tasks::RunningTasks;
