//! The suites of `waterbuck bench`, each a run and a report.

mod bare_flight;
mod common;
mod files;
mod latency;
mod small_files;
mod stream;
mod tpch;
mod tpch_report;

pub use common::{Common, Sinks};
pub use files::{FilesOptions, run_files};
pub use latency::{LatencyOptions, run_latency};
pub use stream::{StreamOptions, run_stream};
pub use tpch::{PeerKind, TpchOptions, run_tpch};
