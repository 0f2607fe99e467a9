//! The engines to compare with, whichever way each is spoken to.

use std::path::Path;

use waterbuck_engine::Result;

use super::duckdb_shell::DuckDbShell;
use super::find_duckdb::{DuckDb, Place};
use super::json_lines::JsonPeer;
use super::process::PeerProcess;
use crate::answer::Answer;
use crate::process::peak_memory_bytes;

/// A running peer, killed when dropped.
#[derive(Debug)]
pub(crate) enum Peer {
    Json(JsonPeer),
    DuckDbShell(DuckDbShell),
}

impl Peer {
    /// Plain DataFusion on the tables of `data_dir`.
    pub(crate) fn datafusion(program: &Path, data_dir: &Path) -> Result<Self> {
        JsonPeer::datafusion(program, data_dir).map(Self::Json)
    }

    /// DuckDB on the tables of `data_dir`, with as many threads as there are cores.
    pub(crate) async fn duckdb(found: &DuckDb, data_dir: &Path) -> Result<Self> {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        match &found.place {
            Place::Python(python) => JsonPeer::duckdb(python, data_dir, threads).map(Self::Json),
            Place::Shell(shell) => {
                let shell = DuckDbShell::start(shell, data_dir, threads).await?;
                Ok(Self::DuckDbShell(shell))
            }
        }
    }

    /// The name in reports.
    pub(crate) fn name(&self) -> &'static str {
        self.process().name()
    }

    /// Runs a query: its time in seconds and, where it was wanted, its answer.
    pub(crate) async fn run(&mut self, sql: &str, answer: bool) -> Result<(f64, Answer)> {
        match self {
            Self::Json(peer) => peer.run(sql, answer).await,
            Self::DuckDbShell(shell) => shell.run(sql, answer).await,
        }
    }

    /// The most memory it has had resident, in bytes.
    pub(crate) fn peak_memory_bytes(&self) -> u64 {
        let worker = match self {
            Self::Json(peer) => peer.process.id(),
            Self::DuckDbShell(shell) => shell.worker(),
        };
        worker.map_or(0, peak_memory_bytes)
    }

    fn process(&self) -> &PeerProcess {
        match self {
            Self::Json(peer) => &peer.process,
            Self::DuckDbShell(shell) => &shell.process,
        }
    }
}
