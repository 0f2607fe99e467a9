//! `waterbuck bench ingest`: how fast rows are taken in, against a server that throws them away.

use std::time::Instant;

use arrow::array::RecordBatch;
use serde_json::{Value, json};
use waterbuck_engine::{Error, Result};

use super::bare_flight::BareServer;
use super::common::check_count;
use super::numbers::{ROW_BYTES, batches};
use super::{Common, Sinks};
use crate::client::Client;
use crate::cluster::Cluster;
use crate::report::{ReportFormat, count, mebibytes, ratio, write_columns, write_json, write_line};
use crate::statistics::Samples;

const TABLE: &str = "uploaded";
const EMPTY_TABLE: [&str; 2] = [
    "DROP TABLE IF EXISTS uploaded",
    "CREATE TABLE uploaded (a BIGINT, b BIGINT, c BIGINT, d BIGINT)",
];

/// The options of the suite.
#[derive(Debug, Clone)]
pub struct IngestOptions {
    /// Those of every suite.
    pub common: Common,
    /// Rows of one upload.
    pub rows: u64,
    /// Rows of a batch; each size is measured by itself.
    pub batch_rows: Vec<u32>,
    /// Timed uploads of every size.
    pub repeat: u32,
}

/// Runs the suite and writes its report.
///
/// # Errors
/// When something cannot be started, or rows are lost.
pub async fn run_ingest(options: &IngestOptions, sinks: &mut Sinks<'_>) -> Result<()> {
    let state = options.common.state_dir()?;
    let cluster = options.common.start(&state).await?;
    let rows = options.rows;
    sinks.note(format_args!(
        "{rows} rows into {}",
        options.common.describe()
    ));
    let mut client = cluster.client().await?;
    let bare = BareServer::start(vec![]).await?;
    let mut bare_client = bare.client().await?;
    let mut measured = options
        .batch_rows
        .iter()
        .map(|batch_rows| Measured::new(rows, *batch_rows))
        .collect::<Result<Vec<_>>>()?;
    // One untimed round warms both up.
    for round in 0..=options.repeat {
        for measured in &mut measured {
            for statement in EMPTY_TABLE {
                client.run(statement).await?;
            }
            let ours = upload(&mut client, &measured.batches, rows).await?;
            check_count(&mut client, TABLE, rows).await?;
            let theirs = upload(&mut bare_client, &measured.batches, rows).await?;
            if round > 0 {
                measured.ours.add(ours);
                measured.bare.add(theirs);
            }
        }
    }
    write_report(sinks, options, &measured, &cluster)?;
    drop((bare_client, bare, client));
    cluster.stop().await
}

/// Uploads of one size of batches.
struct Measured {
    batch_rows: u32,
    batches: Vec<RecordBatch>,
    ours: Samples,
    bare: Samples,
}

impl Measured {
    fn new(rows: u64, batch_rows: u32) -> Result<Self> {
        Ok(Self {
            batch_rows,
            batches: batches(0..rows, batch_rows as usize)?,
            ours: Samples::default(),
            bare: Samples::default(),
        })
    }

    fn rate_ratio(&self) -> Option<f64> {
        let medians = self.bare.median().zip(self.ours.median());
        medians.map(|(bare, ours)| bare / ours)
    }
}

/// Seconds until the server has said that it has all rows.
async fn upload(client: &mut Client, batches: &[RecordBatch], rows: u64) -> Result<f64> {
    // A copied batch shares its buffers.
    let batches = batches.to_vec();
    let start = Instant::now();
    let counted = client.append(TABLE, batches).await?;
    let seconds = start.elapsed().as_secs_f64();
    if u64::try_from(counted).ok() != Some(rows) {
        let message = format!("the server has counted {counted} of {rows} uploaded rows");
        return Err(Error::data(message));
    }
    Ok(seconds)
}

fn write_report(
    sinks: &mut Sinks<'_>,
    options: &IngestOptions,
    measured: &[Measured],
    cluster: &Cluster,
) -> Result<()> {
    let front = cluster.front_peak_memory_bytes();
    let peak = cluster.peak_memory_bytes();
    if options.common.format == ReportFormat::Json {
        let sizes: Vec<Value> = measured
            .iter()
            .map(|measured| as_json(measured, options.rows))
            .collect();
        let report = json!({
            "suite": "ingest",
            "executors": options.common.executors.unwrap_or(0),
            "rows": options.rows,
            "row_bytes": ROW_BYTES,
            "runs": options.repeat,
            "batches": sizes,
            "front_peak_memory_bytes": front,
            "peak_memory_bytes": peak,
        });
        return write_json(sinks.report, &report);
    }
    let header = [
        "server",
        "rows of a batch",
        "million rows/s",
        "slowest",
        "fastest",
        "MB/s",
        "ratio",
    ];
    let header = header.map(str::to_owned);
    let rows: Vec<Vec<String>> = measured
        .iter()
        .flat_map(|measured| rows(measured, options.rows))
        .collect();
    write_columns(sinks.report, &header, &rows)?;
    let (front, peak) = (mebibytes(front), mebibytes(peak));
    write_line(
        sinks.report,
        format_args!(
            "{} uploads each of {} rows, peak memory {front} of the front process, {peak} of all",
            options.repeat, options.rows
        ),
    )
}

fn rows(measured: &Measured, uploaded: u64) -> [Vec<String>; 2] {
    let row = |name: &str, samples: &Samples, share: String| {
        let rates = samples.rates(uploaded);
        let bytes = rates[0].map(|rate| rate * ROW_BYTES as f64);
        let mut row = vec![name.to_owned(), measured.batch_rows.to_string()];
        row.extend(rates.map(|rate| count(rate, 1e6)));
        row.extend([count(bytes, 1e6), share]);
        row
    };
    let share = ratio(measured.rate_ratio());
    [
        row("waterbuck", &measured.ours, share),
        row("bare Arrow Flight", &measured.bare, String::new()),
    ]
}

fn as_json(measured: &Measured, uploaded: u64) -> Value {
    let rate = |samples: &Samples| {
        let [median, min, max] = samples.rates(uploaded);
        json!({"median": median, "min": min, "max": max})
    };
    json!({
        "batch_rows": measured.batch_rows,
        "rows_per_second": {
            "waterbuck": rate(&measured.ours),
            "bare_flight": rate(&measured.bare),
        },
        "rate_ratio": measured.rate_ratio(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_bare_server_counts_what_it_throws_away() {
        let rows = 20_000;
        let bare = BareServer::start(vec![]).await.unwrap();
        let mut client = bare.client().await.unwrap();
        let sent = batches(0..rows, 8192).unwrap();
        assert!(upload(&mut client, &sent, rows).await.unwrap() > 0.0);
        assert!(upload(&mut client, &sent, rows + 1).await.is_err());
    }
}
