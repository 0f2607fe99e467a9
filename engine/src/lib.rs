//! One process's query engine: session assembly, SQL statements, optimiser extensions, plan codec.
//!
//! Depends on nothing of ours; opens no sockets and reads no clocks.

pub mod bearer;
pub mod client_certificate;
pub mod cluster;
pub mod cluster_access;
mod decimal_sum;
pub mod distinct_sketch;
pub mod error;
pub mod functions;
pub mod monitor;
pub mod names;
pub mod optimizer;
pub mod panics;
pub mod plain_errors;
pub mod seal;
pub mod session;
pub mod settings;
pub mod sql;
pub mod ticket;

pub use error::{Error, ErrorKind, Result};
