//! A cluster of real processes on this machine, started as a user would start it.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::future::try_join_all;
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::{Instant, sleep};
use waterbuck_engine::{Error, Result};

use crate::certificates::Certificates;
use crate::client::Client;
use crate::connection::FlightAddress;
use crate::directory::{absolute, failed};
use crate::process::Process;

/// The first user of every cluster.
pub const USER: &str = "admin";

const JOIN_TIMEOUT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);
/// The share of the machine's memory that a process takes when it is alone.
const MEMORY_PERCENT: usize = 70;

/// What to start.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// The `waterbuck` program.
    pub program: PathBuf,
    /// Where the processes keep their data and logs; it may hold those of an earlier run.
    pub dir: PathBuf,
    /// Executor processes beside a coordinator; `None` is the all-in-one server.
    pub executors: Option<usize>,
    /// The ports of Flight SQL and of the web page to take if they are free; 0 asks for any.
    pub ports: (u16, u16),
    /// What each process is told besides.
    pub settings: ProcessSettings,
    /// What the processes show in TLS; without it everything is plain text.
    pub certificates: Option<Certificates>,
}

/// Settings of every process of a cluster, as its flags take them; `None` leaves one to its default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProcessSettings {
    /// Memory of one process for queries, by default its share of most of the machine.
    pub memory_limit: Option<String>,
    /// Directory of spilled data, by default in the process's own.
    pub spill_dir: Option<PathBuf>,
    /// Bytes that one process may spill.
    pub spill_limit: Option<String>,
    /// What is logged.
    pub log: Option<String>,
}

impl ProcessSettings {
    /// The flags for one of `processes` on this machine.
    fn flags(&self, processes: usize) -> Result<Vec<(&'static str, OsString)>> {
        // A process takes its share of the machine, not all of it.
        let share = || format!("{}%", (MEMORY_PERCENT / processes).max(1));
        let memory = self.memory_limit.clone().unwrap_or_else(share);
        let mut flags = vec![("--memory-limit", memory.into())];
        if let Some(dir) = &self.spill_dir {
            // The processes have working directories of their own.
            flags.push(("--spill-dir", absolute(dir)?.into()));
        }
        let texts = [("--spill-limit", &self.spill_limit), ("--log", &self.log)];
        for (flag, text) in texts {
            flags.extend(text.as_ref().map(|text| (flag, text.into())));
        }
        Ok(flags)
    }
}

/// One server, or a coordinator with its executors. Dropping it kills the processes.
#[derive(Debug)]
pub struct Cluster {
    front: Process,
    executors: Vec<Process>,
    address: FlightAddress,
    web_address: String,
    password: String,
}

impl Cluster {
    /// Starts the processes and waits until every executor takes work.
    ///
    /// # Errors
    /// When a process does not start, or one runs on the same directory already.
    pub async fn start(options: &ClusterOptions) -> Result<Self> {
        let dir = absolute(&options.dir)?;
        fs::create_dir_all(&dir).map_err(|error| failed("made", &dir, error))?;
        let secrets = Secrets::of(&dir)?;
        let role = if options.executors.is_some() {
            "coordinator"
        } else {
            "server"
        };
        let data = dir.join(role);
        not_running(&data).await?;
        let (flight, web) = (free(options.ports.0).await, free(options.ports.1).await);
        let start = Start {
            options,
            dir: &dir,
            secrets: &secrets,
        };
        let mut front = start.process(role, role, &data, (flight, web), &[])?;
        let certificates = options.certificates.as_ref();
        let address = FlightAddress {
            place: front.address(&data.join("flight.addr")).await?,
            tls: certificates.map(Certificates::trusted).transpose()?,
        };
        let web_address = fs::read_to_string(data.join("web.addr")).unwrap_or_default();
        let web_address = web_address.trim().to_owned();
        let password = secrets.password.clone();
        let mut cluster = Self {
            front,
            executors: vec![],
            address,
            web_address,
            password,
        };
        for number in 1..=options.executors.unwrap_or(0) {
            let name = format!("executor-{number}");
            let scheme = if certificates.is_some() {
                "grpc+tls"
            } else {
                "grpc"
            };
            let coordinator = format!("{scheme}://{}", cluster.address());
            let flags = ["--coordinator", &coordinator];
            let process = start.process("executor", &name, &dir.join(&name), (0, 0), &flags)?;
            cluster.executors.push(process);
        }
        cluster.wait_for_executors().await?;
        Ok(cluster)
    }

    /// A new session.
    ///
    /// # Errors
    /// When the cluster does not answer.
    pub async fn client(&self) -> Result<Client> {
        Client::connect(&self.address, USER, &self.password).await
    }

    /// `host:port` of Flight SQL.
    pub fn address(&self) -> &str {
        &self.address.place
    }

    /// Where Flight SQL is, and how it is spoken to.
    pub(crate) fn flight_address(&self) -> &FlightAddress {
        &self.address
    }

    /// `host:port` of the web page; empty when there is none.
    pub fn web_address(&self) -> &str {
        &self.web_address
    }

    /// The password of [`USER`].
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The most memory the processes have had resident, added up, in bytes.
    pub fn peak_memory_bytes(&self) -> u64 {
        let executors = self.executors.iter().map(Process::peak_memory_bytes);
        self.front_peak_memory_bytes() + executors.sum::<u64>()
    }

    /// The most memory the coordinator or server has had resident, in bytes.
    pub fn front_peak_memory_bytes(&self) -> u64 {
        self.front.peak_memory_bytes()
    }

    /// The memory the coordinator or server has resident now, in bytes.
    pub(crate) fn front_memory_bytes(&self) -> u64 {
        self.front.memory_bytes()
    }

    /// Waits until the coordinator or server ends by itself, which is an error.
    pub async fn lost(&mut self) -> Error {
        match self.front.ended().await {
            Ok(_) => match self.front.alive() {
                Err(error) => error,
                Ok(()) => Error::internal("the coordinator ended and runs"),
            },
            Err(error) => error,
        }
    }

    /// Stops everything, executors first so that they can say good-bye.
    ///
    /// # Errors
    /// When a process cannot be stopped.
    pub async fn stop(mut self) -> Result<()> {
        try_join_all(self.executors.iter_mut().map(Process::stop)).await?;
        self.front.stop().await
    }

    async fn wait_for_executors(&mut self) -> Result<()> {
        let wanted = self.executors.len();
        let mut client = self.client().await?;
        let deadline = Instant::now() + JOIN_TIMEOUT;
        if wanted == 0 {
            return Ok(());
        }
        loop {
            let known = client.query("SELECT state FROM system.executors").await?;
            let active = known
                .texts("state")
                .iter()
                .filter(|state| *state == "active")
                .count();
            if active == wanted {
                break;
            }
            self.front.alive()?;
            self.executors.iter_mut().try_for_each(Process::alive)?;
            if Instant::now() > deadline {
                let message = format!("{active} of {wanted} executors have joined the cluster");
                return Err(Error::unavailable(message));
            }
            sleep(POLL).await;
        }
        Ok(())
    }
}

struct Start<'a> {
    options: &'a ClusterOptions,
    dir: &'a Path,
    secrets: &'a Secrets,
}

impl Start<'_> {
    fn process(
        &self,
        role: &str,
        name: &str,
        data: &Path,
        ports: (u16, u16),
        flags: &[&str],
    ) -> Result<Process> {
        fs::create_dir_all(data).map_err(|error| failed("made", data, error))?;
        // Left by a process that was killed, it would name a dead port.
        fs::remove_file(data.join("flight.addr")).ok();
        let mut command = Command::new(&self.options.program);
        command
            .arg(role)
            .arg("--data-dir")
            .arg(data)
            .current_dir(data);
        command.args(["--host", "127.0.0.1"]);
        command.arg("--flight-port").arg(ports.0.to_string());
        command
            .arg("--web-port")
            .arg(ports.1.to_string())
            .args(flags);
        let processes = self.options.executors.map_or(1, |executors| executors + 1);
        for (flag, value) in self.options.settings.flags(processes)? {
            command.arg(flag).arg(value);
        }
        let certificates = self.options.certificates.iter();
        for (flag, file) in certificates.flat_map(Certificates::flags) {
            command.arg(flag).arg(file);
        }
        // A user's settings arrive as flags; here they would name places that are not the cluster's.
        let ours = |key: &OsStr| key.to_string_lossy().starts_with("WATERBUCK_");
        for (key, _) in std::env::vars_os().filter(|(key, _)| ours(key)) {
            command.env_remove(key);
        }
        command.env("WATERBUCK_ADMIN_PASSWORD", &self.secrets.password);
        command.env("WATERBUCK_CLUSTER_TOKEN", &self.secrets.token);
        Process::start(name, command, self.dir.join(format!("{name}.log")))
    }
}

/// The password and the cluster's token, the same for every run on one directory, because the
/// catalog there remembers its first user.
struct Secrets {
    password: String,
    token: String,
}

impl Secrets {
    fn of(dir: &Path) -> Result<Self> {
        Ok(Self {
            password: secret(&dir.join("password"))?,
            token: secret(&dir.join("token"))?,
        })
    }
}

fn secret(path: &Path) -> Result<String> {
    if let Ok(known) = fs::read_to_string(path)
        && !known.trim().is_empty()
    {
        return Ok(known.trim().to_owned());
    }
    let mut random = [0_u8; 12];
    fs::File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut random))
        .map_err(|error| failed("read", Path::new("/dev/urandom"), error))?;
    let text: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut options = fs::OpenOptions::new();
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| failed("written", path, error))?;
    Ok(text)
}

/// The port itself if nobody has it, else 0, which asks for a free one.
async fn free(port: u16) -> u16 {
    match tokio::net::TcpListener::bind(("127.0.0.1", port)).await {
        Ok(_) => port,
        Err(_) => 0,
    }
}

async fn not_running(data: &Path) -> Result<()> {
    let Ok(address) = fs::read_to_string(data.join("flight.addr")) else {
        return Ok(());
    };
    if TcpStream::connect(address.trim()).await.is_err() {
        return Ok(());
    }
    let message = format!(
        "a cluster runs on \"{}\" already, at {}: stop it or name another directory",
        data.display(),
        address.trim()
    );
    Err(Error::already_exists(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_random_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let first = Secrets::of(dir.path()).unwrap();
        assert_ne!(first.password, first.token);
        assert_eq!(Secrets::of(dir.path()).unwrap().password, first.password);
    }

    #[test]
    fn a_process_is_told_what_was_set_and_no_more() {
        let none = ProcessSettings::default().flags(4).unwrap();
        assert_eq!(none, [("--memory-limit", "17%".into())]);
        let settings = ProcessSettings {
            memory_limit: Some("1073741824".to_owned()),
            spill_dir: Some("/spill".into()),
            spill_limit: None,
            log: Some("debug".to_owned()),
        };
        assert_eq!(
            settings.flags(4).unwrap(),
            [
                ("--memory-limit", "1073741824".into()),
                ("--spill-dir", "/spill".into()),
                ("--log", "debug".into())
            ]
        );
    }

    #[tokio::test]
    async fn a_taken_port_is_left_to_its_owner() {
        // A port that was given back may be taken by another test before it is looked at again.
        for _ in 0..20 {
            let taken = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await;
            let taken = taken.unwrap();
            let port = taken.local_addr().unwrap().port();
            assert_eq!(free(port).await, 0);
            drop(taken);
            if free(port).await == port {
                return;
            }
        }
        unreachable!("of twenty ports that were given back none is free");
    }
}
