//! Writing files in parallel, on the executors that produce the rows.
//!
//! ```text
//! executors                                              coordinator
//! input partition ─► WriteFilesExec ─► files set aside    written_files(rows)
//!                         │                                      │
//!                         └── one row per finished file ────────►├─ publish_append / publish_overwrite
//!                                                                └─ abort
//! ```
//!
//! A write is invisible until it is published: its files lie under `_waterbuck_staging/<write id>/`
//! in the target's directory, and readers skip names that start with `_`. Managed tables set
//! nothing aside, since their catalog transaction decides what can be seen.

mod codec;
mod encode;
mod exec;
mod failure;
mod gate;
mod layout;
mod local;
mod new_directories;
mod open_file;
mod options;
mod partition;
mod partitioned_writer;
mod plain_rows;
mod publish;
mod publish_plan;
mod remove;
mod replaced;
mod sink;
mod sorted_rest;
mod target;
mod upload;
mod write_task;
mod written;

#[cfg(test)]
mod tests;

pub use codec::WriteFilesCodec;
pub use exec::WriteFilesExec;
pub use gate::{GatePass, PublishGate};
pub use new_directories::NewDirectories;
pub use partition::PartitionValues;
pub use publish::{publish_append, publish_overwrite};
pub use remove::{Abandoned, abort, recover};
pub use replaced::{OverwriteScope, TableBase};
pub use sink::write_plan;
pub use target::WriteTarget;
pub use written::{ColumnStats, WrittenFile, written_files};
