//! The command line of `waterbuck`: every subcommand and flag, as clap reads them.
//!
//! Flags that are also configuration ([`ConfigFlags`]) are optional here: a flag left out says
//! nothing, and [`crate::config::load`] fills it from the environment, the file or the default.

use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::output::Format;
use crate::shell::ServerUrl;
use crate::tls_args::TlsArgs;

// What some flags of configuration mean to the commands that start processes of their own.
const DEMO_DATA: &str = "Directory for the data and the catalog [default: ./waterbuck-demo]";
const BENCH_DATA: &str =
    "Directory for generated data, kept for the next run [default: ./waterbuck-bench]";
const LOGS: &str = "What the processes log, into files: a level, or levels by module";

/// Distributed SQL over files, tables and live streams.
#[derive(Debug, Parser)]
#[command(name = "waterbuck", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    sql: SqlArgs,
}

impl Cli {
    /// The command line of this process. If it is wrong, the process says so and ends.
    pub(crate) fn read() -> Self {
        Self::try_parse().unwrap_or_else(|error| without_password(error).exit())
    }

    /// The command to run: without a subcommand it is the shell, with the flags given.
    pub(crate) fn into_command(self) -> Command {
        self.command.unwrap_or(Command::Sql(self.sql))
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run everything in one process: coordinator, executors, catalog and web page
    Server(ServeArgs),
    /// Run a coordinator: plans queries and hands their tasks to executors
    Coordinator(ServeArgs),
    /// Run an executor: registers with the coordinators and runs tasks
    Executor(ServeArgs),
    /// Open the SQL shell, on a server or on an engine in this process
    Sql(SqlArgs),
    /// Make sample data, start a small cluster on this machine and show a tour of queries
    Demo(DemoArgs),
    /// Measure a cluster on this machine and compare it with other engines
    Bench(BenchArgs),
    /// One engine under measurement, driven through standard input and output
    #[command(name = "bench-peer", hide = true)]
    BenchPeer(BenchPeerArgs),
}

/// The flags of configuration settings. The same names, with `WATERBUCK_` in front and `_` for
/// `-`, are environment variables; as they stand they are keys of the TOML file.
#[derive(Debug, Default, Clone, Args)]
#[command(next_help_heading = "Configuration")]
pub(crate) struct ConfigFlags {
    /// TOML file of settings [default: ./waterbuck.toml if present]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Directory of the catalog and of managed tables
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,

    /// Memory for queries, as bytes (8GiB) or as a share of the machine or cgroup (70%)
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory_limit: Option<String>,

    /// Directory for data that queries spill [default: spill in the data directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) spill_dir: Option<PathBuf>,

    /// Most bytes that queries may spill, such as 100GiB [default: what the disk has]
    #[arg(long, value_name = "SIZE")]
    pub(crate) spill_limit: Option<String>,

    /// What to log to standard error: a level, or levels by module (info,waterbuck=debug)
    #[arg(long, value_name = "FILTER")]
    pub(crate) log: Option<String>,
}

impl From<ConfigFlags> for ServeArgs {
    /// The flags of a command that does not listen.
    fn from(config: ConfigFlags) -> Self {
        Self {
            config,
            ..Self::default()
        }
    }
}

/// The flags of the three processes that listen.
#[derive(Debug, Default, Clone, Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) config: ConfigFlags,

    /// Address to listen on [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) host: Option<String>,

    /// Port for Arrow Flight SQL and the cluster's own traffic, 0 picks a free one
    /// [default: 32010, an executor's 32011]
    #[arg(long, value_name = "PORT")]
    pub(crate) flight_port: Option<u16>,

    /// Port for the web page, REST and metrics, 0 picks a free one
    /// [default: 32080, an executor's 32081]
    #[arg(long, value_name = "PORT")]
    pub(crate) web_port: Option<u16>,

    /// Address at which other processes reach this one, HOST or HOST:PORT [default: --host]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) advertise_address: Option<String>,

    /// Executor only: where clients reach it to read results, as grpc+tls://HOST:PORT, or `none` if
    /// they do not [default: --advertise-address]
    #[arg(long, value_name = "URL")]
    pub(crate) public_url: Option<String>,

    /// Executor only: the coordinators to register with, several separated by commas
    /// [default: grpc://127.0.0.1:32010]
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    pub(crate) coordinator: Vec<String>,

    /// Coordinator and server only: queries that run at the same time, others wait [default: 256]
    #[arg(long, value_name = "N")]
    pub(crate) max_running_queries: Option<usize>,

    /// Coordinator and server only: queries that may wait, others are refused [default: 10000]
    #[arg(long, value_name = "N")]
    pub(crate) max_queued_queries: Option<usize>,

    /// Coordinator and server only: how long a session outlives its last call [default: 1h]
    #[arg(long, value_name = "TIME")]
    pub(crate) session_timeout: Option<String>,

    /// Coordinator and server only: how long a result waits to be fetched [default: 1m]
    #[arg(long, value_name = "TIME")]
    pub(crate) result_timeout: Option<String>,

    /// Coordinator and server only: how long a client may leave a result unread that it has begun
    /// to read [default: 1h]
    #[arg(long, value_name = "TIME")]
    pub(crate) reader_timeout: Option<String>,

    /// Secret that coordinators and executors of one cluster share
    #[arg(long, value_name = "TOKEN")]
    pub(crate) cluster_token: Option<String>,

    /// Coordinator and server only: paths and URLs below which tables and files may lie, several
    /// separated by commas [default: wherever an administrator says]
    #[arg(long, value_name = "LOCATIONS", value_delimiter = ',')]
    pub(crate) allowed_locations: Vec<String>,

    /// Coordinator and server only: hosts that storage may be at, several separated by commas
    /// [default: all but those of link-local addresses]
    #[arg(long, value_name = "HOSTS", value_delimiter = ',')]
    pub(crate) allowed_hosts: Vec<String>,

    /// Coordinator and server only: file to which every login and statement is recorded
    #[arg(long, value_name = "FILE")]
    pub(crate) audit_log: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) oidc: OidcFlags,

    #[command(flatten)]
    pub(crate) tls: TlsArgs,
}

/// The flags of the issuer whose tokens are logins.
#[derive(Debug, Default, Clone, Args)]
#[command(next_help_heading = "OpenID Connect, coordinator and server only")]
pub(crate) struct OidcFlags {
    /// Take the tokens of this issuer as logins, as their claim "iss" names it
    #[arg(long = "oidc-issuer", value_name = "URL")]
    pub(crate) issuer: Option<String>,

    /// The audience that tokens must be for
    #[arg(long = "oidc-audience", value_name = "NAME")]
    pub(crate) audience: Option<String>,

    /// The issuer's JSON Web Key Set
    #[arg(long = "oidc-keys", value_name = "FILE|URL")]
    pub(crate) keys: Option<String>,

    /// The algorithms that tokens may be signed with, separated by commas [default: RS256]
    #[arg(long = "oidc-algorithms", value_name = "NAMES")]
    pub(crate) algorithms: Option<String>,

    /// The claim that names the user [default: sub]
    #[arg(long = "oidc-user-claim", value_name = "NAME")]
    pub(crate) user_claim: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct SqlArgs {
    /// Server to connect to, grpc://user:password@host:port or grpc+tls://…; without one the
    /// engine runs in this process. A password left out is read from WATERBUCK_PASSWORD
    #[arg(value_name = "URL")]
    pub(crate) url: Option<ServerUrl>,

    /// Run these statements and leave; may be given several times
    #[arg(short = 'e', long = "execute", value_name = "SQL")]
    pub(crate) execute: Vec<String>,

    /// Run the statements of a file and leave, `-` reads standard input; may be given several
    /// times, and runs after every -e
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    pub(crate) file: Vec<PathBuf>,

    /// How results are written [default: table]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) format: Option<Format>,

    /// Go on with the next statement after one has failed
    #[arg(long)]
    pub(crate) continue_on_error: bool,

    /// Certificate authority (PEM) to trust instead of the system's, for grpc+tls
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_ca: Option<PathBuf>,

    /// Certificate to show to a server that asks clients for one (PEM), for grpc+tls
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,

    /// Private key of --tls-cert (PEM, not encrypted)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,

    /// File of the interactive shell's history [default: waterbuck/history in the user's state
    /// directory]
    #[arg(long, value_name = "FILE")]
    pub(crate) history: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) config: ConfigFlags,
}

#[derive(Debug, Clone, Args)]
#[command(mut_arg("data_dir", |flag| flag.help(DEMO_DATA)), mut_arg("log", |flag| flag.help(LOGS)))]
pub(crate) struct DemoArgs {
    /// Scale factor of the data: 1 is about 1 GB as text
    #[arg(long, default_value_t = 0.1, value_parser = positive)]
    pub(crate) scale: f64,

    /// Executor processes to start
    #[arg(long, default_value_t = 2)]
    pub(crate) executors: usize,

    /// Stop the cluster and leave after the tour
    #[arg(long)]
    pub(crate) exit: bool,

    #[command(flatten)]
    pub(crate) config: ConfigFlags,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct BenchArgs {
    #[command(subcommand)]
    pub(crate) suite: BenchSuite,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum BenchSuite {
    /// The 22 queries of TPC-H, their answers checked
    Tpch(BenchTpchArgs),
    /// Round trips of the smallest queries, and planning of a two-stage query
    Latency(BenchLatencyArgs),
    /// Rows per second of a large result, against a bare Arrow Flight server
    Stream(BenchStreamArgs),
    /// Planning over very many small files
    Files(BenchFilesArgs),
    /// New connections a second, by a login and with a token, in plain text and in TLS
    Connect(BenchConnectArgs),
    /// Round trips and rate of small queries with 1, 16 and 64 clients
    Clients(BenchClientsArgs),
    /// Rows per second of an upload, against a bare Arrow Flight server
    Ingest(BenchIngestArgs),
}

/// The flags that every benchmark suite has.
#[derive(Debug, Clone, Args)]
#[command(mut_arg("data_dir", |flag| flag.help(BENCH_DATA)), mut_arg("log", |flag| flag.help(LOGS)))]
pub(crate) struct BenchCommonArgs {
    /// Executor processes beside a coordinator [default: one all-in-one server]
    #[arg(long, value_name = "N")]
    pub(crate) executors: Option<usize>,

    /// How the report is written
    #[arg(long, value_enum, default_value_t = ReportFormat::Table)]
    pub(crate) format: ReportFormat,

    #[command(flatten)]
    pub(crate) config: ConfigFlags,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct BenchTpchArgs {
    /// Scale factor of the data: 1 is about 1 GB as text
    #[arg(long, default_value_t = 1.0, value_parser = positive)]
    pub(crate) scale: f64,

    /// Numbers of the queries to run, such as 1,3,18 [default: all]
    #[arg(long, value_delimiter = ',', value_name = "NUMBERS",
          value_parser = clap::value_parser!(u8).range(1..=22))]
    pub(crate) queries: Vec<u8>,

    /// Timed runs of every query; the median counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) repeat: u32,

    /// Engines to run on the same files in the same run, interleaved
    #[arg(long, value_delimiter = ',', value_enum, value_name = "ENGINES")]
    pub(crate) compare: Vec<Peer>,

    /// Python that can import duckdb, else the program `duckdb` is used
    /// [default: WATERBUCK_BENCH_PYTHON, else python3]
    #[arg(long, value_name = "FILE")]
    pub(crate) python: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) common: BenchCommonArgs,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct BenchLatencyArgs {
    /// Timed runs of every query
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) repeat: u32,

    #[command(flatten)]
    pub(crate) common: BenchCommonArgs,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct BenchStreamArgs {
    /// Rows of the result
    #[arg(long, default_value_t = 10_000_000)]
    pub(crate) rows: u64,

    /// Timed runs; the median counts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) repeat: u32,

    /// Read the result from all endpoints that the cluster names for it at once, each where it is
    #[arg(long)]
    pub(crate) endpoints: bool,

    #[command(flatten)]
    pub(crate) common: BenchCommonArgs,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct BenchFilesArgs {
    /// Files of the table
    #[arg(long, default_value_t = 100_000)]
    pub(crate) files: u32,

    #[command(flatten)]
    pub(crate) common: BenchCommonArgs,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct BenchConnectArgs {
    /// Connections of one timed run
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=5000))]
    pub(crate) connections: u32,

    /// Timed runs; the median counts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) repeat: u32,

    #[command(flatten)]
    pub(crate) common: BenchCommonArgs,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct BenchClientsArgs {
    /// Statements of one timed run, of all clients together
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) statements: u32,

    /// Timed runs; the median counts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) repeat: u32,

    #[command(flatten)]
    pub(crate) common: BenchCommonArgs,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct BenchIngestArgs {
    /// Rows of one upload
    #[arg(long, default_value_t = 10_000_000)]
    pub(crate) rows: u64,

    /// Rows of a batch; several sizes are measured in turns
    #[arg(long, value_delimiter = ',', value_name = "NUMBERS", default_values_t = [8192_u32, 65536],
          value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub(crate) batch_rows: Vec<u32>,

    /// Timed uploads; the median counts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) repeat: u32,

    #[command(flatten)]
    pub(crate) common: BenchCommonArgs,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct BenchPeerArgs {
    /// Directory with one subdirectory of Parquet files for every table
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: PathBuf,
}

/// How a benchmark's report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    Table,
    Json,
}

/// An engine to compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Peer {
    /// Plain DataFusion in one process
    #[value(name = "datafusion")]
    DataFusion,
    /// DuckDB through its Python package or the program `duckdb`
    #[value(name = "duckdb")]
    DuckDb,
}

/// An error about the command line, which repeats what was given: of an address only what may be
/// shown.
fn without_password(mut error: clap::Error) -> clap::Error {
    let text_of = |error: &clap::Error, kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    };
    let name = text_of(&error, ContextKind::InvalidArg).unwrap_or_default();
    for kind in [ContextKind::InvalidArg, ContextKind::InvalidValue] {
        let given = text_of(&error, kind);
        if let Some(text) = given.filter(|text| name.contains("URL") || text.contains("://")) {
            error.insert(kind, ContextValue::String(ServerUrl::shown(&text)));
        }
    }
    error
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
        _ => Err("give a number above 0, such as 0.1".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &[&str]) -> Result<Command, clap::Error> {
        Cli::try_parse_from([&["waterbuck"], line].concat()).map(Cli::into_command)
    }

    #[test]
    fn the_definition_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn no_subcommand_is_the_shell() {
        assert!(matches!(parse(&[]), Ok(Command::Sql(args)) if args.url.is_none()));
        let Ok(Command::Sql(args)) = parse(&["grpc://ann:x@db:1", "-e", "SELECT 1"]) else {
            panic!("the shell's flags work without its name");
        };
        assert_eq!(
            args.url.map(|url| url.to_string()).as_deref(),
            Some("grpc://ann@db:1")
        );
        assert_eq!(args.execute, ["SELECT 1"]);
    }

    #[test]
    fn a_misspelt_subcommand_is_refused() {
        let error = parse(&["sever"]).expect_err("not a URL").to_string();
        assert!(error.contains("grpc://"), "{error}");
    }

    #[test]
    fn a_wrong_command_line_is_not_told_with_its_password() {
        for line in [
            &["http://ann:hush@db:1"][..],
            &["ann:hush@db:1"],
            &["grpc://ann:hush"],
            &["server", "grpc://ann:hush@db:1"],
        ] {
            let error = parse(line).expect_err("no such command line");
            let shown = without_password(error).to_string();
            assert!(!shown.contains("hush"), "{shown}");
        }
    }

    #[test]
    fn commands_that_start_processes_take_configuration() {
        let line = ["demo", "--config", "w.toml", "--memory-limit", "1GiB"];
        let Ok(Command::Demo(args)) = parse(&line) else {
            panic!("the demo");
        };
        assert_eq!(args.config.config.as_deref(), Some("w.toml".as_ref()));
        assert_eq!(args.config.memory_limit.as_deref(), Some("1GiB"));
        assert!(parse(&["bench", "files", "--config", "w.toml", "--data-dir", "d"]).is_ok());
    }

    #[test]
    fn lists_are_separated_by_commas() {
        let line = [
            "bench",
            "tpch",
            "--queries",
            "1,3,18",
            "--compare",
            "datafusion,duckdb",
        ];
        let Ok(Command::Bench(BenchArgs {
            suite: BenchSuite::Tpch(args),
        })) = parse(&line)
        else {
            panic!("a suite");
        };
        assert_eq!(args.queries, [1, 3, 18]);
        assert_eq!(args.compare, [Peer::DataFusion, Peer::DuckDb]);
        assert!(parse(&["bench", "tpch", "--queries", "23"]).is_err());
    }

    #[test]
    fn uploads_come_in_two_sizes_of_batches_unless_others_are_named() {
        fn sizes(line: &[&str]) -> Vec<u32> {
            match parse(line) {
                Ok(Command::Bench(BenchArgs {
                    suite: BenchSuite::Ingest(args),
                })) => args.batch_rows,
                _ => panic!("a suite"),
            }
        }
        assert_eq!(sizes(&["bench", "ingest"]), [8192, 65_536]);
        let line = ["bench", "ingest", "--batch-rows", "100,200"];
        assert_eq!(sizes(&line), [100, 200]);
        assert!(parse(&["bench", "ingest", "--batch-rows", "70000"]).is_err());
    }
}
