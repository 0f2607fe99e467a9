//! A cluster of real processes on this machine, gone when its value is dropped.

use std::{
    cell::RefCell,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use tempfile::TempDir;

use crate::{Client, Process, Signal, until, waterbuck_binary};

/// The password of the first administrator in every test cluster.
pub const PASSWORD: &str = "test";

/// A start takes well under a second; a loaded machine gets plenty.
const START_DEADLINE: Duration = Duration::from_secs(60);

/// What a test wants other than the defaults.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Executor processes; 0 is the all-in-one server.
    pub executors: usize,
    /// Flags for every process, such as `--memory-limit`.
    pub flags: Vec<String>,
    /// The largest file any process may write, in KiB: beyond it the system refuses to write, as
    /// on a full disk.
    pub file_kibibytes_max: Option<u64>,
    /// An existing data directory, to start again where another cluster stopped.
    pub data_dir: Option<PathBuf>,
}

/// One server, or a coordinator with its executors.
#[derive(Debug)]
pub struct Cluster {
    front: Process,
    executors: Vec<Process>,
    address: String,
    executor_addresses: Vec<String>,
    options: Options,
    dir: TempDir,
}

impl Cluster {
    /// The all-in-one server.
    pub async fn server() -> Self {
        Self::start(Options::default()).await
    }

    /// A coordinator with `executors` processes.
    pub async fn distributed(executors: usize) -> Self {
        Self::start(Options {
            executors,
            ..Options::default()
        })
        .await
    }

    /// A cluster as asked, ready to be queried: every executor is known to the coordinator.
    pub async fn start(options: Options) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        let role = if options.executors == 0 {
            "server"
        } else {
            "coordinator"
        };
        let data = options
            .data_dir
            .clone()
            .unwrap_or_else(|| dir.path().join("data"));
        let start = Start {
            role,
            name: role,
            data: &data,
            logs: dir.path(),
            port: "0",
            options: &options,
        };
        let (front, address) = start.run(&[]).await;
        let executor_addresses = Vec::new();
        let executors = Vec::new();
        let wanted = options.executors;
        let mut cluster = Self {
            front,
            executors,
            address,
            executor_addresses,
            options,
            dir,
        };
        for _ in 0..wanted {
            cluster.add_executor().await;
        }
        cluster.wait_for_executors(wanted).await;
        cluster
    }

    /// Starts one more executor; gives its index.
    pub async fn add_executor(&mut self) -> usize {
        let index = self.executors.len();
        let name = format!("executor-{index}");
        let data = self.dir.path().join(&name);
        let (logs, options) = (self.dir.path(), &self.options);
        let start = Start {
            role: "executor",
            name: &name,
            data: &data,
            logs,
            port: "0",
            options,
        };
        let coordinator = format!("grpc://{}", self.address);
        let (process, address) = start.run(&["--coordinator", &coordinator]).await;
        self.executors.push(process);
        self.executor_addresses.push(address);
        index
    }

    /// Kills the server or coordinator and starts it again on the same directory and port.
    pub async fn restart_front(&mut self) {
        self.front.signal(Signal::Kill);
        self.front.end(START_DEADLINE).await;
        let role = if self.options.executors == 0 {
            "server"
        } else {
            "coordinator"
        };
        let data = self.options.data_dir.clone();
        let data = data.unwrap_or_else(|| self.dir.path().join("data"));
        let port = self
            .address
            .rsplit(':')
            .next()
            .unwrap_or_default()
            .to_owned();
        let (logs, options) = (self.dir.path(), &self.options);
        let start = Start {
            role,
            name: "restarted",
            data: &data,
            logs,
            port: &port,
            options,
        };
        let (front, address) = start.run(&[]).await;
        self.front = front;
        self.address = address;
    }

    /// Waits until the coordinator counts `wanted` executors that take work. The all-in-one
    /// server (`wanted` 0) is ready when it answers.
    pub async fn wait_for_executors(&self, wanted: usize) {
        let client = self.client().await;
        let what = format!("{wanted} executors");
        until(&what, START_DEADLINE, || async {
            let answer = client.run("SHOW EXECUTORS").await.ok()?;
            let active = answer
                .column("state")
                .iter()
                .filter(|state| *state == "active")
                .count();
            (wanted == 0 || active == wanted).then_some(())
        })
        .await;
    }

    /// Waits until the coordinator has no executor to give work to.
    pub async fn wait_for_no_executor(&self) {
        let client = self.client().await;
        let sql = "SELECT count(*) FROM system.executors WHERE state = 'active'";
        until("the loss of every executor", START_DEADLINE, || async {
            let active = client.run(sql).await.ok()?.value();
            (active == "0").then_some(())
        })
        .await;
    }

    /// `host:port` of the coordinator or server.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// `host:port` of an executor.
    pub fn executor_address(&self, index: usize) -> &str {
        &self.executor_addresses[index]
    }

    /// A new connection, which is a new session.
    pub async fn client(&self) -> Client {
        let client = Client::connect(&self.address).await;
        client.expect("the server takes the administrator's password")
    }

    /// A new session in which everything that can be split is split, into tiny batches.
    pub async fn splitting_client(&self) -> Client {
        let client = self.client().await;
        for statement in [
            "SET batch_size = 16",
            "SET task_scan_bytes = 1",
            "SET stage_min_rows = 0",
        ] {
            client.run(statement).await.expect("the setting exists");
        }
        client
    }

    /// The server or coordinator.
    pub fn front(&mut self) -> &mut Process {
        &mut self.front
    }

    /// An executor.
    pub fn executor(&mut self, index: usize) -> &mut Process {
        &mut self.executors[index]
    }

    /// Sends an executor a signal.
    pub fn signal_executor(&self, index: usize, signal: Signal) {
        self.executors[index].signal(signal);
    }

    /// A directory for the test's own files.
    pub fn scratch(&self) -> PathBuf {
        let path = self.dir.path().join("scratch");
        fs::create_dir_all(&path).expect("the temporary directory is writable");
        path
    }

    /// What every process has logged, to be shown with a failure.
    pub fn logs(&self) -> String {
        let executors = self.executors.iter().map(Process::log);
        std::iter::once(self.front.log())
            .chain(executors)
            .collect::<Vec<_>>()
            .join("\n----\n")
    }
}

/// One process to be started.
struct Start<'a> {
    role: &'a str,
    name: &'a str,
    data: &'a Path,
    logs: &'a Path,
    port: &'a str,
    options: &'a Options,
}

impl Start<'_> {
    /// Starts the process and waits until it says where it listens.
    async fn run(&self, flags: &[&str]) -> (Process, String) {
        fs::create_dir_all(self.data).expect("the temporary directory is writable");
        let log = self.logs.join(format!("{}.log", self.name));
        let process = Process::start(self.name, self.command().args(flags), log);
        let process = RefCell::new(process.expect("the program can be started"));
        let what = format!("the address of {}", self.name);
        let address = until(&what, START_DEADLINE, || async {
            let mut process = process.borrow_mut();
            let ended = process.ended();
            assert!(
                ended.is_none(),
                "{} ended: {ended:?}\n{}",
                self.name,
                process.log()
            );
            let said = process.log();
            let (_, rest) = said.split_once("flight listening on ")?;
            rest.split_once('\n').map(|(address, _)| address.to_owned())
        })
        .await;
        (process.into_inner(), address)
    }

    fn command(&self) -> Command {
        let mut command = match self.options.file_kibibytes_max {
            Some(kibibytes) => limited(kibibytes),
            None => Command::new(waterbuck_binary()),
        };
        command.arg(self.role).arg("--data-dir").arg(self.data);
        command
            .args(["--flight-port", self.port, "--web-port", "0"])
            .args(&self.options.flags);
        command
            .env("WATERBUCK_ADMIN_PASSWORD", PASSWORD)
            .env("WATERBUCK_CLUSTER_TOKEN", "test");
        command.current_dir(self.data);
        command
    }
}

/// The program under a limit on the size of files; the signal that would end it is ignored, so
/// that it sees the error of the write instead.
fn limited(kibibytes: u64) -> Command {
    let mut command = Command::new("bash");
    let script = format!("trap '' XFSZ; ulimit -f {kibibytes}; exec \"$0\" \"$@\"");
    command.arg("-c").arg(script).arg(waterbuck_binary());
    command
}
