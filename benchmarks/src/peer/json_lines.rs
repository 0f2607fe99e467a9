//! A peer that is asked and answers in lines of JSON.

use std::ffi::OsStr;
use std::path::Path;

use tokio::process::Command;
use waterbuck_engine::{Error, Result};

use super::message::{Reply, Request};
use super::process::PeerProcess;
use crate::answer::Answer;

const DUCKDB_SCRIPT: &str = include_str!("duckdb.py");

/// A running peer that speaks JSON.
#[derive(Debug)]
pub(crate) struct JsonPeer {
    pub(super) process: PeerProcess,
}

impl JsonPeer {
    /// Plain DataFusion, which is the hidden `bench-peer` command of our own program.
    pub(super) fn datafusion(program: &Path, data_dir: &Path) -> Result<Self> {
        let mut command = Command::new(program);
        command.arg("bench-peer").arg("--data-dir").arg(data_dir);
        let process = PeerProcess::start("datafusion", command)?;
        Ok(Self { process })
    }

    /// DuckDB in a Python that can import it.
    pub(super) fn duckdb(python: &OsStr, data_dir: &Path, threads: usize) -> Result<Self> {
        let mut command = Command::new(python);
        command
            .args(["-c", DUCKDB_SCRIPT])
            .arg(data_dir)
            .arg(threads.to_string());
        let process = PeerProcess::start("duckdb", command)?;
        Ok(Self { process })
    }

    /// Runs a query: its time in seconds and, where it was wanted, its answer.
    pub(super) async fn run(&mut self, sql: &str, answer: bool) -> Result<(f64, Answer)> {
        let request = Request {
            sql: sql.to_owned(),
            answer,
        };
        let request = serde_json::to_string(&request)
            .map_err(|error| Error::internal("a request has no text").with_source(error))?;
        self.process.send(request).await?;
        let line = self.process.line().await?;
        let name = self.process.name();
        let reply: Reply = serde_json::from_str(&line).map_err(|error| {
            Error::internal(format!("peer \"{name}\" sent no reply")).with_source(error)
        })?;
        match (reply.seconds, reply.error) {
            (Some(seconds), None) => Ok((seconds, reply.answer.unwrap_or_default())),
            (_, error) => {
                let message = format!("peer \"{name}\" failed: {}", error.unwrap_or_default());
                Err(Error::invalid(message))
            }
        }
    }
}
