//! The side that starts a peer and asks it.

use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;
use waterbuck_engine::{Error, Result};

use super::message::{Reply, Request};
use crate::answer::Answer;
use crate::process::peak_memory_bytes;

const DUCKDB_SCRIPT: &str = include_str!("duckdb.py");
/// A peer that computes for longer is stuck.
const REPLY_TIMEOUT: Duration = Duration::from_secs(3600);

/// A running peer, killed when dropped.
#[derive(Debug)]
pub(crate) struct Peer {
    name: &'static str,
    child: Child,
    requests: ChildStdin,
    replies: BufReader<ChildStdout>,
}

impl Peer {
    /// Plain DataFusion, which is the hidden `bench-peer` command of our own program.
    pub(crate) fn datafusion(program: &Path, data_dir: &Path) -> Result<Self> {
        let mut command = Command::new(program);
        command.arg("bench-peer").arg("--data-dir").arg(data_dir);
        Self::start("datafusion", command)
    }

    /// DuckDB in a Python that can import it.
    pub(crate) async fn duckdb(python: Option<&Path>, data_dir: &Path) -> Result<Self> {
        let python = python.map(|path| path.as_os_str().to_owned());
        let python = python
            .or_else(|| std::env::var_os("WATERBUCK_BENCH_PYTHON"))
            .unwrap_or_else(|| OsString::from("python3"));
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let mut command = Command::new(&python);
        command
            .args(["-c", DUCKDB_SCRIPT])
            .arg(data_dir)
            .arg(threads.to_string());
        let mut peer = Self::start("duckdb", command)?;
        match peer.run("SELECT 1", true).await {
            Ok(_) => Ok(peer),
            Err(error) => {
                let message = format!(
                    "DuckDB does not answer: install its Python package and name that Python \
                     with --python or WATERBUCK_BENCH_PYTHON (now \"{}\")",
                    python.to_string_lossy()
                );
                Err(Error::unavailable(message).with_source(error))
            }
        }
    }

    /// The name in reports.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Runs a query: its time in seconds and, where it was wanted, its answer.
    pub(crate) async fn run(&mut self, sql: &str, answer: bool) -> Result<(f64, Answer)> {
        let request = Request {
            sql: sql.to_owned(),
            answer,
        };
        let mut line = serde_json::to_string(&request)
            .map_err(|error| Error::internal("a request has no text").with_source(error))?;
        line.push('\n');
        let name = self.name;
        let lost = |error: std::io::Error| {
            Error::unavailable(format!("peer \"{name}\" is gone")).with_source(error)
        };
        self.requests
            .write_all(line.as_bytes())
            .await
            .map_err(lost)?;
        self.requests.flush().await.map_err(lost)?;
        line.clear();
        let read = timeout(REPLY_TIMEOUT, self.replies.read_line(&mut line)).await;
        let read = read
            .map_err(|_elapsed| Error::unavailable(format!("peer \"{name}\" does not answer")))?;
        if read.map_err(lost)? == 0 {
            return Err(Error::unavailable(format!("peer \"{name}\" has ended")));
        }
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

    /// The most memory it has had resident, in bytes.
    pub(crate) fn peak_memory_bytes(&self) -> u64 {
        self.child.id().map_or(0, peak_memory_bytes)
    }

    fn start(name: &'static str, mut command: Command) -> Result<Self> {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let missing = || Error::internal(format!("peer \"{name}\" has no pipes"));
        let mut child = command.spawn().map_err(|error| {
            Error::unavailable(format!("peer \"{name}\" cannot be started")).with_source(error)
        })?;
        let requests = child.stdin.take().ok_or_else(missing)?;
        let replies = BufReader::new(child.stdout.take().ok_or_else(missing)?);
        Ok(Self {
            name,
            child,
            requests,
            replies,
        })
    }
}
