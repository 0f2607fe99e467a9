//! `waterbuck bench tpch`: the 22 queries, timed against other engines and checked.

use std::path::PathBuf;
use std::time::Instant;

use waterbuck_engine::{Error, Result};

use super::tpch_report::{Measured, Report, write_report};
use super::{Common, Sinks};
use crate::answer::Answer;
use crate::client::Client;
use crate::peer::{DuckDb, Peer};
use crate::tpch::{DataSet, Layout, QUERIES, Query, Table, ensure};

/// The name of the engine under test in reports.
pub(super) const OURS: &str = "waterbuck";

/// An engine to compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerKind {
    /// Plain DataFusion in one process.
    DataFusion,
    /// DuckDB, through its Python package or its own shell.
    DuckDb,
}

/// The options of the suite.
#[derive(Debug, Clone)]
pub struct TpchOptions {
    /// Those of every suite.
    pub common: Common,
    /// The scale factor.
    pub scale: f64,
    /// Numbers of the queries; empty is all.
    pub queries: Vec<u8>,
    /// Timed runs of every query.
    pub repeat: u32,
    /// Engines to run beside ours.
    pub peers: Vec<PeerKind>,
    /// The Python that can import DuckDB.
    pub python: Option<PathBuf>,
}

/// Runs the suite and writes its report.
///
/// One untimed round warms every engine up and compares the answers; the timed rounds go query by
/// query through all engines, each round beginning with another one. Without a peer to compare
/// with, DataFusion answers the untimed round, so that answers are always checked.
///
/// # Errors
/// When something cannot be started, or after the report when an answer is wrong.
pub async fn run_tpch(options: &TpchOptions, sinks: &mut Sinks<'_>) -> Result<()> {
    let duckdb = if options.peers.contains(&PeerKind::DuckDb) {
        Some(DuckDb::find(options.python.as_deref()).await?)
    } else {
        None
    };
    if let Some(found) = &duckdb {
        sinks.note(found);
    }
    let data = make_data(options).await?;
    let dir = options.common.state_dir()?;
    let cluster = options.common.start(&dir).await?;
    sinks.note(format_args!(
        "TPC-H at scale {} on {}",
        data.scale,
        options.common.describe()
    ));
    let mut client = cluster.client().await?;
    for table in Table::ALL {
        client.run(&data.create_sql(table)).await?;
    }
    let peers = start_peers(options, &data, duckdb.as_ref()).await?;
    let timed = peers.len();
    let mut engines = Engines {
        client,
        peers,
        timed,
    };
    if engines.peers.is_empty() {
        engines
            .peers
            .push(Peer::datafusion(&options.common.program, &data.root)?);
    }
    let chosen =
        |query: &Query| options.queries.is_empty() || options.queries.contains(&query.number);
    let mut measured: Vec<Measured> = QUERIES
        .into_iter()
        .filter(chosen)
        .map(Measured::new)
        .collect();
    for query in &mut measured {
        engines.check(query, data.scale).await;
        note_problems(query, sinks);
    }
    for round in 0..options.repeat as usize {
        for query in &mut measured {
            engines.time(query, data.scale, round).await;
        }
        sinks.note(format_args!("round {} of {}", round + 1, options.repeat));
    }
    let mut peak_memory_bytes = vec![(OURS, cluster.peak_memory_bytes())];
    let peers = &engines.peers[..engines.timed];
    peak_memory_bytes.extend(
        peers
            .iter()
            .map(|peer| (peer.name(), peer.peak_memory_bytes())),
    );
    let peers = peers.iter().map(Peer::name).collect();
    let executors = options.common.executors.unwrap_or(0);
    let scale = data.scale;
    let report = Report {
        scale,
        executors,
        peers,
        queries: measured,
        peak_memory_bytes,
    };
    write_report(sinks.report, &report, options.common.format)?;
    drop(engines);
    cluster.stop().await?;
    report.verdict()
}

async fn make_data(options: &TpchOptions) -> Result<DataSet> {
    let (scale, dir) = (
        options.scale,
        options
            .common
            .data_dir
            .join(format!("tpch-{}", options.scale)),
    );
    tokio::task::spawn_blocking(move || ensure(&dir, scale, Layout::Plain))
        .await
        .map_err(|error| Error::internal("the data generator broke").with_source(error))?
}

/// The engines asked for, in that order.
async fn start_peers(
    options: &TpchOptions,
    data: &DataSet,
    duckdb: Option<&DuckDb>,
) -> Result<Vec<Peer>> {
    let mut peers = vec![];
    for kind in &options.peers {
        match (kind, duckdb) {
            (PeerKind::DataFusion, _) => {
                peers.push(Peer::datafusion(&options.common.program, &data.root)?);
            }
            (PeerKind::DuckDb, Some(found)) => peers.push(Peer::duckdb(found, &data.root).await?),
            // It is looked for whenever it was asked for.
            (PeerKind::DuckDb, None) => {}
        }
    }
    Ok(peers)
}

fn note_problems(query: &Measured, sinks: &mut Sinks<'_>) {
    for problem in &query.problems {
        sinks.note(format_args!("{}: {problem}", query.query.name()));
    }
}

/// Our session and the peers, of which the first `timed` are measured.
struct Engines {
    client: Client,
    peers: Vec<Peer>,
    timed: usize,
}

impl Engines {
    /// Runs a query once on every engine and compares the answers with ours.
    async fn check(&mut self, measured: &mut Measured, scale: f64) {
        let sql = measured.query.sql(scale);
        let ours = match self.client.query(&sql).await {
            Ok(rows) => Answer::of(&rows.batches),
            Err(error) => Err(error),
        };
        let ours = ours
            .map_err(|error| measured.problems.push(format!("{OURS}: {error}")))
            .ok();
        for peer in &mut self.peers {
            let theirs = match peer.run(&sql, true).await {
                Ok((_, answer)) => answer,
                Err(error) => {
                    measured.problems.push(error.to_string());
                    continue;
                }
            };
            if let Some(ours) = &ours
                && let Some(difference) = ours.difference(&theirs, measured.query.ordered)
            {
                let name = peer.name();
                measured
                    .problems
                    .push(format!("{OURS} differs from {name}: {difference}"));
            }
        }
    }

    /// Times a query on every engine; the first one is another in every round.
    async fn time(&mut self, measured: &mut Measured, scale: f64, round: usize) {
        let sql = measured.query.sql(scale);
        let engines = self.timed + 1;
        for turn in 0..engines {
            let (name, seconds) = match (turn + round) % engines {
                0 => (OURS, self.time_ours(&sql).await),
                other => {
                    let peer = &mut self.peers[other - 1];
                    (
                        peer.name(),
                        peer.run(&sql, false).await.map(|(seconds, _)| seconds),
                    )
                }
            };
            match seconds {
                Ok(seconds) => measured.samples.entry(name).or_default().add(seconds),
                Err(error) => measured.problems.push(format!("{name}: {error}")),
            }
        }
    }

    async fn time_ours(&mut self, sql: &str) -> Result<f64> {
        let start = Instant::now();
        self.client.query(sql).await?;
        Ok(start.elapsed().as_secs_f64())
    }
}
