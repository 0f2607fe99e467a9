//! One process of a cluster: its start, its log, its memory and its end.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use sysinfo::{Pid, ProcessesToUpdate, Signal, System};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};
use waterbuck_engine::{Error, Result};

use crate::directory::failed;

const START_TIMEOUT: Duration = Duration::from_secs(60);
const STOP_TIMEOUT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(10);
/// Of a log, what is shown when its process ended too early.
const LOG_LINES_SHOWN: usize = 20;

/// A started process, killed when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`; what it writes goes to the file `log`. The terminal's Ctrl-C does not
    /// reach it: whoever started it decides when it stops.
    pub(crate) fn start(name: &str, mut command: Command, log: PathBuf) -> Result<Self> {
        let out = File::create(&log).map_err(|error| failed("made", &log, error))?;
        let errors = out
            .try_clone()
            .map_err(|error| failed("opened", &log, error))?;
        command.stdin(Stdio::null()).stdout(out).stderr(errors);
        command.process_group(0).kill_on_drop(true);
        let child = command.spawn().map_err(|error| {
            Error::unavailable(format!("process \"{name}\" cannot be started")).with_source(error)
        })?;
        Ok(Self {
            name: name.to_owned(),
            child,
            log,
        })
    }

    /// Waits until the process has written its address into `file`.
    pub(crate) async fn address(&mut self, file: &Path) -> Result<String> {
        let deadline = Instant::now() + START_TIMEOUT;
        while Instant::now() < deadline {
            if let Ok(text) = fs::read_to_string(file)
                && !text.trim().is_empty()
            {
                return Ok(text.trim().to_owned());
            }
            self.alive()?;
            sleep(POLL).await;
        }
        let seconds = START_TIMEOUT.as_secs();
        Err(self.fault(&format!("is not ready after {seconds} s")))
    }

    /// Fails when the process has ended.
    pub(crate) fn alive(&mut self) -> Result<()> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(self.fault(&format!("ended with {status}"))),
            Err(error) => Err(self.fault("cannot be watched").with_source(error)),
        }
    }

    /// The end of the process, whenever that is.
    pub(crate) async fn ended(&mut self) -> Result<ExitStatus> {
        let ended = self.child.wait().await;
        ended.map_err(|error| self.fault("cannot be watched").with_source(error))
    }

    /// The most memory it has had resident so far, in bytes; 0 when the system does not say.
    pub(crate) fn peak_memory_bytes(&self) -> u64 {
        self.child.id().map_or(0, peak_memory_bytes)
    }

    /// The memory it has resident now, in bytes; 0 when the system does not say.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.child.id().map_or(0, memory_bytes)
    }

    /// Asks the process to finish, waits, and kills it if it takes too long.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        if let Some(id) = self.child.id() {
            terminate(id);
        }
        if timeout(STOP_TIMEOUT, self.child.wait()).await.is_ok() {
            return Ok(());
        }
        tracing::warn!(process = self.name, "does not stop and is killed");
        let killed = self.child.kill().await;
        killed.map_err(|error| self.fault("cannot be stopped").with_source(error))
    }

    /// What went wrong, with the end of the log.
    fn fault(&self, what: &str) -> Error {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.trim_end().lines().collect();
        let shown = &lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..];
        let log = if shown.is_empty() {
            String::new()
        } else {
            format!(":\n{}", shown.join("\n"))
        };
        Error::unavailable(format!("process \"{}\" {what}{log}", self.name))
    }
}

/// The most memory a process has had resident, in bytes; 0 when the system does not say.
pub(crate) fn peak_memory_bytes(id: u32) -> u64 {
    status_bytes(id, "VmHWM:")
}

fn memory_bytes(id: u32) -> u64 {
    status_bytes(id, "VmRSS:")
}

fn status_bytes(id: u32, key: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let value = status.lines().find_map(|line| line.strip_prefix(key));
    let kibibytes = value.and_then(|text| text.trim().strip_suffix("kB")?.trim().parse().ok());
    kibibytes.unwrap_or(0_u64) * 1024
}

fn terminate(id: u32) {
    let pid = Pid::from_u32(id);
    let mut system = System::new();
    system.refresh_processes(ProcessesToUpdate::Some(&[pid]), false);
    if let Some(process) = system.process(pid) {
        process.kill_with(Signal::Term);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_this_process_is_known() {
        let id = std::process::id();
        assert!(memory_bytes(id) > 0);
        assert!(peak_memory_bytes(id) >= 1 << 20);
    }

    #[tokio::test]
    async fn an_early_end_shows_the_log() {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo no port; exit 3"]);
        let mut process = Process::start("front", command, dir.path().join("log")).unwrap();
        let error = process
            .address(&dir.path().join("none"))
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("front") && error.contains("no port"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn stopping_asks_first() {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args([
            "-c",
            "trap 'echo asked; exit 0' TERM; echo up; while :; do sleep 0.05; done",
        ]);
        let log = dir.path().join("log");
        let mut process = Process::start("front", command, log.clone()).unwrap();
        process.address(&log).await.unwrap();
        process.stop().await.unwrap();
        assert!(fs::read_to_string(log).unwrap().contains("asked"));
    }
}
