//! The suites of `waterbuck bench`, each a run and a report.

mod bare_flight;
mod clients;
mod common;
mod connect;
mod files;
mod ingest;
mod latency;
mod numbers;
mod small_files;
mod stream;
mod tpch;
mod tpch_report;

pub use clients::{ClientsOptions, run_clients};
pub use common::{Common, Sinks};
pub use connect::{ConnectOptions, run_connect};
pub use files::{FilesOptions, run_files};
pub use ingest::{IngestOptions, run_ingest};
pub use latency::{LatencyOptions, run_latency};
pub use stream::{StreamOptions, run_stream};
pub use tpch::{PeerKind, TpchOptions, run_tpch};
