//! A peer's process and the pipes to it.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;
use waterbuck_engine::{Error, Result};

/// A peer that computes for longer is stuck.
const REPLY_TIMEOUT: Duration = Duration::from_secs(3600);

/// A running peer, killed when dropped.
#[derive(Debug)]
pub(super) struct PeerProcess {
    name: &'static str,
    child: Child,
    requests: ChildStdin,
    replies: BufReader<ChildStdout>,
}

impl PeerProcess {
    /// Starts `command` with pipes to its standard input and output.
    pub(super) fn start(name: &'static str, mut command: Command) -> Result<Self> {
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

    /// The name in reports.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// The id of the process while it runs.
    pub(super) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Writes `text` and a line break.
    pub(super) async fn send(&mut self, mut text: String) -> Result<()> {
        text.push('\n');
        let written = self.requests.write_all(text.as_bytes()).await;
        written.map_err(|error| self.lost(error))?;
        let flushed = self.requests.flush().await;
        flushed.map_err(|error| self.lost(error))
    }

    /// Reads the next line, with its line break.
    pub(super) async fn line(&mut self) -> Result<String> {
        let name = self.name;
        let mut line = String::new();
        let read = timeout(REPLY_TIMEOUT, self.replies.read_line(&mut line)).await;
        let read = read
            .map_err(|_elapsed| Error::unavailable(format!("peer \"{name}\" does not answer")))?;
        match read.map_err(|error| self.lost(error))? {
            0 => Err(Error::unavailable(format!("peer \"{name}\" has ended"))),
            _ => Ok(line),
        }
    }

    fn lost(&self, error: std::io::Error) -> Error {
        Error::unavailable(format!("peer \"{}\" is gone", self.name)).with_source(error)
    }
}
