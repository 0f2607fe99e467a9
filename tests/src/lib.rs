//! The harness of the tests that cross a crate boundary: real `waterbuck` processes on free ports
//! with directories of their own, a Flight SQL client, and signals to freeze or kill a process.
//!
//! Nothing here waits for time to pass: every wait is for a condition and has a deadline, so a
//! slow machine makes a test slower, not wrong. Everything started is stopped when its value is
//! dropped, a failed test included.

mod answer;
mod certificates;
mod client;
mod cluster;
mod dice;
mod fixtures;
mod pages;
mod process;
mod raw;
mod shell;
mod slt;
mod wait;
mod web;

pub use answer::Answer;
pub use certificates::{Authority, CertificateFiles};
pub use client::{Client, ClientError, Running};
pub use cluster::{Cluster, Options, PASSWORD};
pub use dice::{Dice, seed};
pub use fixtures::{lineorder_batch, write_avro, write_csv, write_parquet};
pub use pages::{Page, Pages};
pub use process::{Process, Signal, allow_open_files, waterbuck_binary};
pub use raw::{Raw, descriptor, packed};
pub use shell::{Printed, Shell};
pub use slt::{Connection, Mode, run_sql_file, sql_files};
pub use wait::{until, within};
