//! Benchmarks of whole clusters, as `waterbuck bench` runs them, and the data and the cluster
//! starter that `waterbuck demo` shares with them.

mod answer;
mod certificates;
mod client;
mod cluster;
mod connection;
mod directory;
mod peer;
mod process;
mod report;
mod statistics;
mod suite;
pub mod tpch;

pub use certificates::Certificates;
pub use client::{Client, Outcome, Rows};
pub use cluster::{Cluster, ClusterOptions, ProcessSettings, USER};
pub use peer::run_peer;
pub use report::ReportFormat;
pub use suite::{
    ClientsOptions, Common, ConnectOptions, FilesOptions, IngestOptions, LatencyOptions, PeerKind,
    Sinks, StreamOptions, TpchOptions, run_clients, run_connect, run_files, run_ingest,
    run_latency, run_stream, run_tpch,
};
