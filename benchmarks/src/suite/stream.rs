//! `waterbuck bench stream`: how fast a large result reaches a client, against a server that does
//! nothing but send the same batches.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use serde::{Deserialize, Serialize};
use serde_json::json;
use waterbuck_engine::{Error, Result};

use super::bare_flight::BareServer;
use super::{Common, Sinks};
use crate::client::Client;
use crate::cluster::Cluster;
use crate::directory::{failed, with_marker};
use crate::report::{ReportFormat, mebibytes, ratio, write_columns, write_json, write_line};
use crate::statistics::Samples;
use crate::tpch::create_parquet;

/// As large as the engine's own batches.
const BATCH_ROWS: u64 = 8192;
const FILES: u64 = 8;
const COLUMNS: [&str; 4] = ["a", "b", "c", "d"];
const SQL: &str = "SELECT a, b, c, d FROM numbers";

/// The options of the suite.
#[derive(Debug, Clone)]
pub struct StreamOptions {
    /// Those of every suite.
    pub common: Common,
    /// Rows of the result.
    pub rows: u64,
    /// Timed runs.
    pub repeat: u32,
}

/// Runs the suite and writes its report.
///
/// # Errors
/// When something cannot be started, or rows are lost.
pub async fn run_stream(options: &StreamOptions, sinks: &mut Sinks<'_>) -> Result<()> {
    let marker = Marker {
        rows: options.rows,
        files: FILES,
    };
    let dir = options
        .common
        .data_dir
        .join(format!("stream-{}", options.rows));
    let root = with_marker(&dir, &marker, |aside| write_files(aside, options.rows))?;
    let state = options.common.state_dir()?;
    let cluster = options.common.start(&state).await?;
    sinks.note(format_args!(
        "{} rows from {}",
        options.rows,
        options.common.describe()
    ));
    let mut client = cluster.client().await?;
    let location = root.to_string_lossy().replace('\'', "''");
    let create = format!("CREATE EXTERNAL TABLE numbers STORED AS PARQUET LOCATION '{location}/'");
    client.run(&create).await?;
    let batches = batches(0, options.rows)?;
    let bare = BareServer::start(batches).await?;
    let mut runs = Runs {
        memory_before_bytes: cluster.front_memory_bytes(),
        ..Runs::default()
    };
    // One untimed round warms both up.
    for round in 0..=options.repeat {
        let (ours, theirs) = (
            ours(&mut client, options.rows).await?,
            bare.time(options.rows).await?,
        );
        if round > 0 {
            runs.ours.add(ours);
            runs.bare.add(theirs);
        }
        runs.memory_after_bytes.push(cluster.front_memory_bytes());
    }
    write_report(sinks, options, &runs, &cluster)?;
    drop((bare, client));
    cluster.stop().await
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Marker {
    rows: u64,
    files: u64,
}

#[derive(Debug, Default)]
struct Runs {
    ours: Samples,
    bare: Samples,
    /// Resident memory of the coordinator before the first result.
    memory_before_bytes: u64,
    /// The same after every run: a rising series is a leak.
    memory_after_bytes: Vec<u64>,
}

async fn ours(client: &mut Client, rows: u64) -> Result<f64> {
    let start = Instant::now();
    let drained = client.drain(SQL).await?;
    let seconds = start.elapsed().as_secs_f64();
    if drained.rows != rows {
        let message = format!("the result has {} rows of {rows}", drained.rows);
        return Err(Error::data(message));
    }
    Ok(seconds)
}

fn write_files(root: &Path, rows: u64) -> Result<()> {
    for number in 0..FILES {
        let (start, end) = (rows * number / FILES, rows * (number + 1) / FILES);
        let path = root.join(format!("part-{number}.parquet"));
        let mut writer = create_parquet(&path, &schema()?)?;
        for batch in batches(start, end)? {
            writer
                .write(&batch)
                .map_err(|error| failed("written", &path, error))?;
        }
        writer
            .close()
            .map_err(|error| failed("written", &path, error))?;
    }
    Ok(())
}

fn schema() -> Result<SchemaRef> {
    Ok(batch(0, 0)?.schema())
}

fn batches(start: u64, end: u64) -> Result<Vec<RecordBatch>> {
    let starts = (start..end).step_by(BATCH_ROWS as usize);
    starts
        .map(|from| batch(from, end.min(from + BATCH_ROWS)))
        .collect()
}

fn batch(start: u64, end: u64) -> Result<RecordBatch> {
    let column = |factor: u64| -> ArrayRef {
        let values = (start..end).map(|row| row.wrapping_mul(factor) as i64);
        Arc::new(Int64Array::from_iter_values(values))
    };
    // Odd multipliers spread the bits, so that compression does not decide the result.
    let factors = [
        1,
        0x9E37_79B9_7F4A_7C15,
        0xC2B2_AE3D_27D4_EB4F,
        0x1656_67B1_9E37_79F9,
    ];
    RecordBatch::try_from_iter(COLUMNS.into_iter().zip(factors.map(column)))
        .map_err(|error| Error::internal("numbers make no batch").with_source(error))
}

fn write_report(
    sinks: &mut Sinks<'_>,
    options: &StreamOptions,
    runs: &Runs,
    cluster: &Cluster,
) -> Result<()> {
    let rate = |samples: &Samples| {
        samples
            .median()
            .map(|seconds| options.rows as f64 / seconds)
    };
    let (ours, bare) = (rate(&runs.ours), rate(&runs.bare));
    let share = ours.zip(bare).map(|(ours, bare)| ours / bare);
    let peak = cluster.front_peak_memory_bytes();
    if options.common.format == ReportFormat::Json {
        let report = json!({
            "suite": "stream",
            "executors": options.common.executors.unwrap_or(0),
            "rows": options.rows,
            "rows_per_second": {"waterbuck": ours, "bare_flight": bare},
            "rate_ratio": share,
            "front_memory_bytes": {
                "before": runs.memory_before_bytes,
                "after_each_run": runs.memory_after_bytes,
                "peak": peak,
            },
        });
        return write_json(sinks.report, &report);
    }
    let line = |name: &str, samples: &Samples| {
        let millions = |seconds: Option<f64>| {
            seconds.map_or_else(String::new, |s| {
                format!("{:.1}", options.rows as f64 / s / 1e6)
            })
        };
        let times = [samples.median(), samples.max(), samples.min()];
        [vec![name.to_owned()], times.map(millions).to_vec()].concat()
    };
    let header = ["server", "million rows/s", "slowest", "fastest"].map(str::to_owned);
    let rows = [
        line("waterbuck", &runs.ours),
        line("bare Arrow Flight", &runs.bare),
    ];
    write_columns(sinks.report, &header, &rows)?;
    write_line(
        sinks.report,
        format_args!("ratio of the rates: {}", ratio(share)),
    )?;
    let after: Vec<String> = runs
        .memory_after_bytes
        .iter()
        .map(|b| mebibytes(*b))
        .collect();
    let (before, peak) = (mebibytes(runs.memory_before_bytes), mebibytes(peak));
    let after = after.join(", ");
    write_line(
        sinks.report,
        format_args!(
            "memory of the front process: {before} before, {after} after each run, {peak} at most"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_bare_server_sends_every_row() {
        let rows = 20_000;
        let bare = BareServer::start(batches(0, rows).unwrap()).await.unwrap();
        assert!(bare.time(rows).await.unwrap() > 0.0);
        assert!(bare.time(rows + 1).await.is_err());
    }
}
