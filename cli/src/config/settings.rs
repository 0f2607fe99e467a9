//! The settings of a process after every source has been merged, checked and given its unit.

use std::path::{Path, PathBuf};
use std::time::Duration;

use waterbuck_coordinator::{AdmissionLimits, OidcConfig, PlacesConfig};
use waterbuck_engine::cluster_access::ClusterAccess;
use waterbuck_transport::TlsFiles;

use super::exposure::{has_secret, is_loopback};
use super::units::MemoryLimit;

/// What a process is; it decides the defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Coordinator and executors in one process.
    Server,
    Coordinator,
    Executor,
    /// The engine inside the shell: no ports, and a data directory only if one is named.
    Shell,
    /// A command that starts processes of its own and hands them their settings.
    Starter,
}

impl Role {
    /// An executor's default differs so that it runs beside a coordinator on one machine.
    pub(super) fn flight_port(self) -> u16 {
        if self == Self::Executor {
            32_011
        } else {
            32_010
        }
    }

    pub(super) fn web_port(self) -> u16 {
        if self == Self::Executor {
            32_081
        } else {
            32_080
        }
    }
}

/// How long clients may be silent, where it was said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Timeouts {
    pub(crate) session: Option<Duration>,
    pub(crate) result: Option<Duration>,
    pub(crate) reader: Option<Duration>,
}

/// The configuration of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Config {
    /// The directory of the catalog and of managed tables, if one was named.
    pub(crate) data_dir: Option<PathBuf>,
    /// The address to listen on.
    pub(crate) host: String,
    /// The port of Flight SQL and of the cluster's own traffic; 0 asks for a free one.
    pub(crate) flight_port: u16,
    /// The port of the web page, REST and metrics; 0 asks for a free one.
    pub(crate) web_port: u16,
    /// Where other processes reach this one, `host` or `host:port`; `None` means `host`.
    pub(crate) advertise_address: Option<String>,
    /// Where clients reach an executor to read results; `none` if they do not.
    pub(crate) public_url: Option<String>,
    /// The coordinators an executor registers with, as URLs.
    pub(crate) coordinator: Vec<String>,
    /// The secret of the cluster, if one was given.
    pub(crate) cluster_token: Option<String>,
    /// The certificates of this process.
    pub(crate) tls: TlsFiles,
    /// Whether plain text may be spoken to other machines.
    pub(crate) insecure_plaintext: bool,
    /// The file to which every action is recorded, if one was named.
    pub(crate) audit_log: Option<PathBuf>,
    /// Where users may send the server.
    pub(crate) places: PlacesConfig,
    /// The issuer whose tokens are logins, if one was named.
    pub(crate) oidc: Option<OidcConfig>,
    /// How many queries may run and wait.
    pub(crate) admission: AdmissionLimits,
    /// How long clients may be silent.
    pub(crate) timeouts: Timeouts,
    /// The memory that queries may use, if it was said.
    pub(crate) memory_limit: Option<MemoryLimit>,
    /// The directory for spilled data, if one was named.
    pub(crate) spill_dir: Option<PathBuf>,
    /// The most bytes that queries may spill; `None` leaves it to the disk.
    pub(crate) spill_limit_bytes: Option<u64>,
    /// What to log, in the syntax of `tracing`'s filter.
    pub(crate) log: String,
}

impl Config {
    /// The directory of the catalog: the named one, else `waterbuck-data` where the process
    /// started.
    pub(crate) fn data_dir(&self) -> &Path {
        self.data_dir
            .as_deref()
            .unwrap_or(Path::new("waterbuck-data"))
    }

    /// What other processes must show to be of this one's cluster.
    pub(crate) fn cluster_access(&self) -> ClusterAccess {
        if has_secret(self) || !is_loopback(&self.host) {
            ClusterAccess::new(self.cluster_token.clone(), self.tls.is_mutual())
        } else {
            ClusterAccess::open()
        }
    }

    /// The memory that queries may use: what was said, else most of what there is.
    pub(crate) fn memory_limit(&self) -> MemoryLimit {
        self.memory_limit.unwrap_or(MemoryLimit::Percent(70))
    }

    /// The directory for spilled data: the named one, else `spill` in [`Self::data_dir`].
    pub(crate) fn spill_dir(&self) -> PathBuf {
        self.spill_dir
            .clone()
            .unwrap_or_else(|| self.data_dir().join("spill"))
    }
}
