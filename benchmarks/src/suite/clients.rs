//! `waterbuck bench clients`: the smallest query and a prepared point query, asked by many clients
//! at the same time.

use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use serde_json::{Value, json};
use waterbuck_engine::{Error, Result};

use super::common::{ask_for_one, beside};
use super::{Common, Sinks};
use crate::client::{Client, Prepared, Rows};
use crate::cluster::Cluster;
use crate::report::{
    ReportFormat, count, mebibytes, millis, write_columns, write_json, write_line,
};
use crate::statistics::Samples;

/// How many ask at the same time, each over a connection of its own.
const CLIENTS: [u32; 3] = [1, 16, 64];
/// Rows of the table that the point query reads.
const POINTS: i64 = 100_000;
const POINT: &str = "SELECT * FROM points WHERE id = $1";

/// The options of the suite.
#[derive(Debug, Clone)]
pub struct ClientsOptions {
    /// Those of every suite.
    pub common: Common,
    /// Statements of one timed run, of all clients together.
    pub statements: u32,
    /// Timed runs.
    pub repeat: u32,
}

/// Runs the suite and writes its report.
///
/// # Errors
/// When something cannot be started, or an answer is wrong.
pub async fn run_clients(options: &ClientsOptions, sinks: &mut Sinks<'_>) -> Result<()> {
    let dir = options.common.state_dir()?;
    let cluster = options.common.start(&dir).await?;
    sinks.note(format_args!("clients of {}", options.common.describe()));
    let create = format!(
        "CREATE TABLE points AS SELECT i AS id, i * 2 AS value \
         FROM generate_series(1, {POINTS}) AS t(i)"
    );
    cluster.client().await?.run(&create).await?;
    let mut crowds = vec![];
    for clients in CLIENTS {
        crowds.push(Crowd::connect(&cluster, clients).await?);
    }
    // One untimed round warms everything up.
    for round in 0..=options.repeat {
        for crowd in &mut crowds {
            for statement in Statement::ALL {
                let run = crowd.run(statement, options.statements).await?;
                if round > 0 {
                    crowd.measured[statement as usize].add(run);
                }
            }
        }
    }
    write_report(sinks, options, &crowds, cluster.peak_memory_bytes())?;
    drop(crowds);
    cluster.stop().await
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Statement {
    One,
    Point,
}

impl Statement {
    const ALL: [Self; 2] = [Self::One, Self::Point];

    fn name(self) -> &'static str {
        match self {
            Self::One => "SELECT 1",
            Self::Point => "prepared point query",
        }
    }
}

/// Clients that ask at the same time.
struct Crowd {
    clients: Vec<Asking>,
    /// By statement.
    measured: [Measured; 2],
}

#[derive(Default)]
struct Measured {
    /// Of single statements.
    latencies: Samples,
    /// Of whole runs.
    runs: Samples,
}

/// What one run took, in seconds: each statement, and all of them beside one another.
struct Run {
    latencies: Vec<f64>,
    whole: f64,
}

impl Measured {
    fn add(&mut self, run: Run) {
        let latencies = run.latencies.into_iter();
        latencies.for_each(|seconds| self.latencies.add(seconds));
        self.runs.add(run.whole);
    }
}

impl Crowd {
    async fn connect(cluster: &Cluster, clients: u32) -> Result<Self> {
        let mut connected = vec![];
        for number in 0..clients {
            connected.push(Asking::connect(cluster, number).await?);
        }
        Ok(Self {
            clients: connected,
            measured: Default::default(),
        })
    }

    /// Lets the clients share `statements` statements, at least one each.
    async fn run(&mut self, statement: Statement, statements: u32) -> Result<Run> {
        let times = times(statements, self.clients.len());
        let clients = std::mem::take(&mut self.clients).into_iter();
        let start = Instant::now();
        let asked = beside(clients.map(|client| client.ask(statement, times))).await?;
        let whole = start.elapsed().as_secs_f64();
        let mut latencies = vec![];
        for (client, seconds) in asked {
            self.clients.push(client);
            latencies.extend(seconds);
        }
        Ok(Run { latencies, whole })
    }
}

/// How often each client asks.
fn times(statements: u32, clients: usize) -> usize {
    (statements as usize).div_ceil(clients.max(1))
}

/// One client, the point query it has prepared, and the state of its random numbers.
struct Asking {
    client: Client,
    point: Prepared,
    random: u64,
}

impl Asking {
    async fn connect(cluster: &Cluster, number: u32) -> Result<Self> {
        let mut client = cluster.client().await?;
        let point = client.prepare(POINT).await?;
        Ok(Self {
            client,
            point,
            random: u64::from(number),
        })
    }

    /// Asks one statement after the other; gives itself back and the seconds of each.
    async fn ask(mut self, statement: Statement, times: usize) -> Result<(Self, Vec<f64>)> {
        let mut seconds = Vec::with_capacity(times);
        for _ in 0..times {
            seconds.push(match statement {
                Statement::One => self.one().await?,
                Statement::Point => self.point().await?,
            });
        }
        Ok((self, seconds))
    }

    async fn one(&mut self) -> Result<f64> {
        let start = Instant::now();
        ask_for_one(&mut self.client).await?;
        Ok(start.elapsed().as_secs_f64())
    }

    async fn point(&mut self) -> Result<f64> {
        let id = self.next_id();
        let column: ArrayRef = Arc::new(Int64Array::from(vec![id]));
        let parameters = RecordBatch::try_from_iter([("$1", column)])
            .map_err(|error| Error::internal("a number makes no row").with_source(error))?;
        let start = Instant::now();
        let rows = self.client.query_prepared(&mut self.point, parameters);
        let rows = rows.await?;
        let seconds = start.elapsed().as_secs_f64();
        check(&rows, id * 2)?;
        Ok(seconds)
    }

    /// A row that looks random and is the same one in every run of the suite.
    fn next_id(&mut self) -> i64 {
        // The multiplier and the increment are Knuth's, the upper bits are the random ones.
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) as i64 % POINTS + 1
    }
}

/// Fails unless a result is one row with that value.
fn check(rows: &Rows, wanted: i64) -> Result<()> {
    let found = rows.texts("value");
    if found == [wanted.to_string()] {
        return Ok(());
    }
    let found = found.join(", ");
    Err(Error::data(format!(
        "the point query has found [{found}] instead of [{wanted}]"
    )))
}

fn write_report(
    sinks: &mut Sinks<'_>,
    options: &ClientsOptions,
    crowds: &[Crowd],
    peak_memory_bytes: u64,
) -> Result<()> {
    let of = |statement: Statement| {
        crowds.iter().map(move |crowd| {
            let measured = &crowd.measured[statement as usize];
            (statement, crowd.clients.len(), measured)
        })
    };
    let all = Statement::ALL.into_iter().flat_map(of);
    if options.common.format == ReportFormat::Json {
        let statements = all.map(|(statement, clients, measured)| {
            as_json(statement, clients, measured, options.statements)
        });
        let report = json!({
            "suite": "clients",
            "executors": options.common.executors.unwrap_or(0),
            "statements": options.statements,
            "runs": options.repeat,
            "queries": statements.collect::<Vec<Value>>(),
            "peak_memory_bytes": peak_memory_bytes,
        });
        return write_json(sinks.report, &report);
    }
    let header = [
        "query",
        "clients",
        "p50 ms",
        "p99 ms",
        "statements/s",
        "slowest",
        "fastest",
    ];
    let header = header.map(str::to_owned);
    let rows = all.map(|(statement, clients, measured)| {
        row(statement, clients, measured, options.statements)
    });
    write_columns(sinks.report, &header, &rows.collect::<Vec<_>>())?;
    write_line(
        sinks.report,
        format_args!(
            "{} runs of {} statements each, peak memory {}",
            options.repeat,
            options.statements,
            mebibytes(peak_memory_bytes)
        ),
    )
}

/// Statements a second: the median run, the slowest and the fastest.
fn rates(measured: &Measured, clients: usize, statements: u32) -> [Option<f64>; 3] {
    let asked = times(statements, clients) * clients;
    measured.runs.rates(asked as u64)
}

fn row(statement: Statement, clients: usize, measured: &Measured, statements: u32) -> Vec<String> {
    let latencies = &measured.latencies;
    let latencies = [latencies.median(), latencies.percentile(99)];
    let mut row = vec![statement.name().to_owned(), clients.to_string()];
    row.extend(latencies.map(millis));
    row.extend(rates(measured, clients, statements).map(|rate| count(rate, 1.0)));
    row
}

fn as_json(statement: Statement, clients: usize, measured: &Measured, statements: u32) -> Value {
    let latencies = &measured.latencies;
    let [median, min, max] = rates(measured, clients, statements);
    json!({
        "name": statement.name(),
        "clients": clients,
        "seconds": {
            "p50": latencies.median(),
            "p99": latencies.percentile(99),
            "min": latencies.min(),
            "max": latencies.max(),
        },
        "per_second": {"median": median, "min": min, "max": max},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_client_asks() {
        assert_eq!(times(2000, 1), 2000);
        assert_eq!(times(2000, 64), 32);
        assert_eq!(times(3, 64), 1);
    }
}
