//! `waterbuck bench stream`: how fast a large result reaches a client, against a server that does
//! nothing but send the same batches.

use std::path::Path;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::json;
use waterbuck_engine::Result;

use super::bare_flight::BareServer;
use super::numbers::{Tally, batches, schema};
use super::{Common, Sinks};
use crate::client::{Client, Layout};
use crate::cluster::Cluster;
use crate::directory::{failed, with_marker};
use crate::report::{ReportFormat, count, mebibytes, ratio, write_columns, write_json, write_line};
use crate::statistics::Samples;
use crate::tpch::create_parquet;

/// As large as the engine's own batches.
const BATCH_ROWS: usize = 8192;
const FILES: u64 = 8;
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
    /// Whether the result is asked for in several pieces, read beside one another.
    pub endpoints: bool,
}

/// Runs the suite and writes its report.
///
/// # Errors
/// When something cannot be started, or rows are lost or wrong.
pub async fn run_stream(options: &StreamOptions, sinks: &mut Sinks<'_>) -> Result<()> {
    let rows = options.rows;
    let marker = Marker { rows, files: FILES };
    let dir = options.common.data_dir.join(format!("stream-{rows}"));
    let root = with_marker(&dir, &marker, |aside| write_files(aside, rows))?;
    let state = options.common.state_dir()?;
    let cluster = options.common.start(&state).await?;
    sinks.note(format_args!(
        "{rows} rows from {}",
        options.common.describe()
    ));
    let mut client = cluster.client().await?;
    let location = root.to_string_lossy().replace('\'', "''");
    let create = format!("CREATE EXTERNAL TABLE numbers STORED AS PARQUET LOCATION '{location}/'");
    client.run(&create).await?;
    if options.endpoints {
        client.ask_for_endpoints();
    }
    let mut bare = BareServer::start(batches(0..rows, BATCH_ROWS)?).await?;
    let mut runs = Runs::new(cluster.front_memory_bytes());
    // One untimed round warms them all up.
    for round in 0..=options.repeat {
        let (ours, layout) = ours(&mut client, rows).await?;
        let whole = bare.time(Layout::WHOLE, rows).await?;
        let alike = match options.endpoints {
            true => Some(bare.time(layout, rows).await?),
            false => None,
        };
        runs.layout = layout;
        if round > 0 {
            runs.ours.add(ours);
            runs.bare.add(whole);
            if let Some(seconds) = alike {
                runs.alike.add(seconds);
            }
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

#[derive(Debug)]
struct Runs {
    ours: Samples,
    bare: Samples,
    /// The bare server's, its batches dealt out as our result is; empty where nobody asks for it.
    alike: Samples,
    layout: Layout,
    /// Resident memory of the coordinator before the first result.
    memory_before_bytes: u64,
    /// The same after every run: a rising series is a leak.
    memory_after_bytes: Vec<u64>,
}

impl Runs {
    fn new(memory_before_bytes: u64) -> Self {
        Self {
            ours: Samples::default(),
            bare: Samples::default(),
            alike: Samples::default(),
            layout: Layout::WHOLE,
            memory_before_bytes,
            memory_after_bytes: vec![],
        }
    }
}

async fn ours(client: &mut Client, rows: u64) -> Result<(f64, Layout)> {
    let start = Instant::now();
    let (sources, layout) = client.sources(SQL).await?;
    Tally::read(sources).await?.check(rows)?;
    Ok((start.elapsed().as_secs_f64(), layout))
}

fn write_files(root: &Path, rows: u64) -> Result<()> {
    for number in 0..FILES {
        let (start, end) = (rows * number / FILES, rows * (number + 1) / FILES);
        let path = root.join(format!("part-{number}.parquet"));
        let mut writer = create_parquet(&path, &schema()?)?;
        for batch in batches(start..end, BATCH_ROWS)? {
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

fn write_report(
    sinks: &mut Sinks<'_>,
    options: &StreamOptions,
    runs: &Runs,
    cluster: &Cluster,
) -> Result<()> {
    let rate = |samples: &Samples| samples.rates(options.rows)[0];
    let (ours, bare, alike) = (rate(&runs.ours), rate(&runs.bare), rate(&runs.alike));
    let share = |theirs: Option<f64>| ours.zip(theirs).map(|(ours, theirs)| ours / theirs);
    let peak = cluster.front_peak_memory_bytes();
    let Layout {
        streams,
        connections,
    } = runs.layout;
    if options.common.format == ReportFormat::Json {
        let report = json!({
            "suite": "stream",
            "executors": options.common.executors.unwrap_or(0),
            "rows": options.rows,
            "streams": streams,
            "connections": connections,
            "rows_per_second": {
                "waterbuck": ours,
                "bare_flight": bare,
                "bare_flight_in_as_many_streams": alike,
            },
            "rate_ratio": share(bare),
            "rate_ratio_to_as_many_streams": share(alike),
            "front_memory_bytes": {
                "before": runs.memory_before_bytes,
                "after_each_run": runs.memory_after_bytes,
                "peak": peak,
            },
        });
        return write_json(sinks.report, &report);
    }
    let line = |name: &str, layout: Layout, samples: &Samples| {
        let pieces = [layout.streams, layout.connections].map(|number| number.to_string());
        let rates = samples.rates(options.rows).map(|rate| count(rate, 1e6));
        [&[name.to_owned()][..], &pieces[..], &rates[..]].concat()
    };
    let header = [
        "server",
        "streams",
        "connections",
        "million rows/s",
        "slowest",
        "fastest",
    ];
    let mut rows = vec![
        line("waterbuck", runs.layout, &runs.ours),
        line("bare Arrow Flight", Layout::WHOLE, &runs.bare),
    ];
    if options.endpoints {
        rows.push(line("bare Arrow Flight", runs.layout, &runs.alike));
    }
    write_columns(sinks.report, &header.map(str::to_owned), &rows)?;
    let mut ratios = format!("ratio of the rates: {}", ratio(share(bare)));
    if options.endpoints {
        let alike = ratio(share(alike));
        ratios = format!("{ratios}, and {alike} to as many streams");
    }
    write_line(sinks.report, ratios)?;
    let after = runs.memory_after_bytes.iter();
    let after: Vec<String> = after.map(|bytes| mebibytes(*bytes)).collect();
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
        let batches = batches(0..rows, BATCH_ROWS).unwrap();
        let mut bare = BareServer::start(batches).await.unwrap();
        let many = Layout {
            streams: 4,
            connections: 2,
        };
        for layout in [Layout::WHOLE, many] {
            assert!(bare.time(layout, rows).await.unwrap() > 0.0);
            assert!(bare.time(layout, rows + 1).await.is_err());
        }
    }
}
