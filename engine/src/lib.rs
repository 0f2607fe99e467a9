//! One process's query engine: session assembly, SQL statements, optimiser extensions, plan codec.
//!
//! Depends on nothing of ours; opens no sockets and reads no clocks.

pub mod error;

pub use error::{Error, ErrorKind, Result};
