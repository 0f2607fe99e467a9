//! `waterbuck bench`: from flags to the suites of the benchmarks crate.

use std::io;
use std::path::PathBuf;

use tokio::signal::unix::{SignalKind, signal};
use waterbuck_benchmarks::{
    ClientsOptions, Common, ConnectOptions, FilesOptions, IngestOptions, LatencyOptions, PeerKind,
    ProcessSettings, ReportFormat as Written, Sinks, StreamOptions, TpchOptions, run_clients,
    run_connect, run_files, run_ingest, run_latency, run_stream, run_tpch,
};
use waterbuck_engine::{Error, ErrorKind, Result};

use crate::args::{
    BenchArgs, BenchCommonArgs, BenchPeerArgs, BenchSuite, BenchTpchArgs, Peer, ReportFormat,
};
use crate::config::{self, Config, Role};

const DATA_DIR: &str = "waterbuck-bench";

/// Runs a suite: its report goes to standard output, notes to standard error.
///
/// # Errors
/// When it cannot be run, or an answer is wrong.
pub(crate) async fn run(args: BenchArgs) -> Result<()> {
    let (mut report, mut notes) = (io::stdout(), io::stderr());
    let mut sinks = Sinks {
        report: &mut report,
        notes: &mut notes,
    };
    tokio::select! {
        result = run_suite(args.suite, &mut sinks) => result,
        // What was started is killed when the suite's future is dropped.
        stopped = stop_requested() => {
            stopped.and(Err(Error::new(ErrorKind::Cancelled, "the benchmark was interrupted")))
        }
    }
}

async fn run_suite(suite: BenchSuite, sinks: &mut Sinks<'_>) -> Result<()> {
    match suite {
        BenchSuite::Tpch(args) => run_tpch(&tpch(args)?, sinks).await,
        BenchSuite::Latency(args) => {
            let options = LatencyOptions {
                common: common(args.common)?,
                repeat: args.repeat,
            };
            run_latency(&options, sinks).await
        }
        BenchSuite::Stream(args) => {
            let options = StreamOptions {
                common: common(args.common)?,
                rows: args.rows,
                repeat: args.repeat,
                endpoints: args.endpoints,
            };
            run_stream(&options, sinks).await
        }
        BenchSuite::Files(args) => {
            let options = FilesOptions {
                common: common(args.common)?,
                files: args.files,
            };
            run_files(&options, sinks).await
        }
        BenchSuite::Connect(args) => {
            let options = ConnectOptions {
                common: common(args.common)?,
                connections: args.connections,
                repeat: args.repeat,
            };
            run_connect(&options, sinks).await
        }
        BenchSuite::Clients(args) => {
            let options = ClientsOptions {
                common: common(args.common)?,
                statements: args.statements,
                repeat: args.repeat,
            };
            run_clients(&options, sinks).await
        }
        BenchSuite::Ingest(args) => {
            let options = IngestOptions {
                common: common(args.common)?,
                rows: args.rows,
                batch_rows: args.batch_rows,
                repeat: args.repeat,
            };
            run_ingest(&options, sinks).await
        }
    }
}

/// Serves as the peer `datafusion` until standard input ends.
///
/// # Errors
/// When the tables cannot be opened.
pub(crate) async fn run_peer(args: BenchPeerArgs) -> Result<()> {
    let mut input = io::stdin().lock();
    waterbuck_benchmarks::run_peer(&args.data_dir, &mut input, &mut io::stdout()).await
}

fn tpch(args: BenchTpchArgs) -> Result<TpchOptions> {
    let kind = |peer: &Peer| match peer {
        Peer::DataFusion => PeerKind::DataFusion,
        Peer::DuckDb => PeerKind::DuckDb,
    };
    Ok(TpchOptions {
        common: common(args.common)?,
        scale: args.scale,
        queries: args.queries,
        repeat: args.repeat,
        peers: args.compare.iter().map(kind).collect(),
        python: args.python,
    })
}

fn common(args: BenchCommonArgs) -> Result<Common> {
    let format = match args.format {
        ReportFormat::Table => Written::Table,
        ReportFormat::Json => Written::Json,
    };
    let config = config::load(Role::Starter, &args.config.into())?;
    Ok(Common {
        program: program()?,
        settings: process_settings(&config),
        data_dir: config.data_dir.unwrap_or_else(|| DATA_DIR.into()),
        executors: args.executors,
        format,
    })
}

/// What the processes of a cluster are told of this one's configuration.
pub(crate) fn process_settings(config: &Config) -> ProcessSettings {
    ProcessSettings {
        memory_limit: config.memory_limit.map(|limit| limit.to_string()),
        spill_dir: config.spill_dir.clone(),
        spill_limit: config.spill_limit_bytes.map(|bytes| bytes.to_string()),
        log: Some(config.log.clone()),
    }
}

/// The running program, which is also what clusters are made of.
pub(crate) fn program() -> Result<PathBuf> {
    std::env::current_exe()
        .map_err(|error| Error::internal("the program has no path").with_source(error))
}

/// Waits for Ctrl-C, SIGTERM, or the end of the terminal.
pub(crate) async fn stop_requested() -> Result<()> {
    let unwatched =
        |error: io::Error| Error::internal("signals cannot be watched").with_source(error);
    let mut terminate = signal(SignalKind::terminate()).map_err(unwatched)?;
    let mut hang_up = signal(SignalKind::hangup()).map_err(unwatched)?;
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
        _ = hang_up.recv() => {}
    }
    Ok(())
}
