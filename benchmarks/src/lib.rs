//! Benchmarks of whole clusters, as `waterbuck bench` runs them, and the data and the cluster
//! starter that `waterbuck demo` shares with them.

mod answer;
mod client;
mod cluster;
mod directory;
mod peer;
mod process;
mod report;
mod statistics;
mod suite;
pub mod tpch;

pub use client::{Client, Outcome, Rows};
pub use cluster::{Cluster, ClusterOptions, ProcessSettings, USER};
pub use peer::run_peer;
pub use report::ReportFormat;
pub use suite::{
    Common, FilesOptions, LatencyOptions, PeerKind, Sinks, StreamOptions, TpchOptions, run_files,
    run_latency, run_stream, run_tpch,
};
