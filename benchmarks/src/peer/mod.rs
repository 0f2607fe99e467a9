//! Engines to compare with, each in a process of its own and driven through its standard input, so
//! that its memory is measured apart and its threads rest while another engine is timed.

mod datafusion;
mod duckdb_shell;
mod engine;
mod find_duckdb;
mod json_lines;
mod message;
mod process;

pub use datafusion::run_peer;
pub(crate) use engine::Peer;
pub(crate) use find_duckdb::DuckDb;
