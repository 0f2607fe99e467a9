//! What every suite has: where it runs and where it writes.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use tempfile::TempDir;
use tokio::task::JoinSet;
use waterbuck_engine::{Error, Result};

use crate::certificates::Certificates;
use crate::client::Client;
use crate::cluster::{Cluster, ClusterOptions, ProcessSettings};
use crate::directory::{absolute, failed};
use crate::report::ReportFormat;

/// The options of every suite.
#[derive(Debug, Clone)]
pub struct Common {
    /// The `waterbuck` program.
    pub program: PathBuf,
    /// Where generated data is kept for the next run.
    pub data_dir: PathBuf,
    /// Executor processes beside a coordinator; `None` is the all-in-one server.
    pub executors: Option<usize>,
    /// How the report is written.
    pub format: ReportFormat,
    /// What each process is told besides.
    pub settings: ProcessSettings,
}

/// Where a suite writes.
pub struct Sinks<'a> {
    /// The report and nothing else.
    pub report: &'a mut dyn Write,
    /// Lines for the one who waits.
    pub notes: &'a mut dyn Write,
}

impl Sinks<'_> {
    /// Writes a note; if nobody can read it, it is lost.
    pub(super) fn note(&mut self, text: impl std::fmt::Display) {
        writeln!(self.notes, "{text}").ok();
    }
}

impl Common {
    /// An empty directory for a cluster, gone with its value.
    pub(super) fn state_dir(&self) -> Result<TempDir> {
        let dir = absolute(&self.data_dir)?;
        fs::create_dir_all(&dir).map_err(|error| failed("made", &dir, error))?;
        tempfile::Builder::new()
            .prefix("cluster-")
            .tempdir_in(&dir)
            .map_err(|error| failed("written", &dir, error))
    }

    /// Starts a cluster that keeps its state in `dir`.
    pub(super) async fn start(&self, dir: &TempDir) -> Result<Cluster> {
        self.start_with(dir, None).await
    }

    /// Starts a cluster that keeps its state in `dir`, in TLS where it has certificates.
    pub(super) async fn start_with(
        &self,
        dir: &TempDir,
        certificates: Option<Certificates>,
    ) -> Result<Cluster> {
        let options = ClusterOptions {
            program: self.program.clone(),
            dir: dir.path().to_owned(),
            executors: self.executors,
            ports: (0, 0),
            settings: self.settings.clone(),
            certificates,
        };
        Cluster::start(&options).await
    }

    /// `server`, or `coordinator + 2 executors`.
    pub(super) fn describe(&self) -> String {
        match self.executors {
            None => "one server process".to_owned(),
            Some(1) => "a coordinator and 1 executor".to_owned(),
            Some(executors) => format!("a coordinator and {executors} executors"),
        }
    }
}

/// Runs futures beside one another, each as a task, and gives what they gave in the order in which
/// they ended. The first error stops the others.
pub(super) async fn beside<T, F>(futures: impl IntoIterator<Item = F>) -> Result<Vec<T>>
where
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    let mut tasks: JoinSet<Result<T>> = futures.into_iter().collect();
    let mut given = vec![];
    while let Some(ended) = tasks.join_next().await {
        let ended = ended.map_err(|error| Error::internal("a client broke").with_source(error));
        given.push(ended??);
    }
    Ok(given)
}

/// Fails unless a table has as many rows.
pub(super) async fn check_count(client: &mut Client, table: &str, wanted: u64) -> Result<()> {
    let sql = format!("SELECT CAST(count(*) AS VARCHAR) AS n FROM {table}");
    let found = client.query(&sql).await?.texts("n").concat();
    if found != wanted.to_string() {
        return Err(Error::data(format!("{found} of {wanted} rows were found")));
    }
    Ok(())
}

/// The smallest query.
pub(super) async fn ask_for_one(client: &mut Client) -> Result<()> {
    let rows = client.query("SELECT 1").await?.count();
    if rows != 1 {
        return Err(Error::data(format!("\"SELECT 1\" has given {rows} rows")));
    }
    Ok(())
}
