//! `waterbuck bench latency`: round trips of the smallest queries on an open connection.

use std::path::Path;
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde_json::{Value, json};
use waterbuck_engine::Result;

use super::{Common, Sinks};
use crate::client::Client;
use crate::directory::failed;
use crate::report::{ReportFormat, mebibytes, millis, write_columns, write_json, write_line};
use crate::statistics::Samples;
use crate::tpch::create_parquet;

const WARM_UP_RUNS: u32 = 20;
const EMPTY_FILES: usize = 6;

const GROUPS: &str = "SELECT k, count(*) FROM nothing GROUP BY k";

/// What is measured: a name, a setting and a query.
const QUERIES: [(&str, &str, &str); 4] = [
    ("SELECT 1", "RESET stage_min_rows", "SELECT 1"),
    (
        "count(*) of a small table",
        "RESET stage_min_rows",
        "SELECT count(*) FROM small",
    ),
    ("groups of an empty table", "RESET stage_min_rows", GROUPS),
    (
        "two stages over an empty table",
        "SET stage_min_rows = 0",
        GROUPS,
    ),
];

/// The options of the suite.
#[derive(Debug, Clone)]
pub struct LatencyOptions {
    /// Those of every suite.
    pub common: Common,
    /// Timed runs of every query.
    pub repeat: u32,
}

/// Runs the suite and writes its report.
///
/// # Errors
/// When something cannot be started or a query fails.
pub async fn run_latency(options: &LatencyOptions, sinks: &mut Sinks<'_>) -> Result<()> {
    let dir = options.common.state_dir()?;
    let cluster = options.common.start(&dir).await?;
    sinks.note(format_args!("latency on {}", options.common.describe()));
    let mut client = cluster.client().await?;
    prepare(&mut client, dir.path()).await?;
    let mut measured = vec![];
    for (name, setting, sql) in QUERIES {
        client.run(setting).await?;
        measured.push(measure(&mut client, name, sql, options.repeat).await?);
    }
    let memory = cluster.peak_memory_bytes();
    write_report(sinks, options, &measured, memory)?;
    drop(client);
    cluster.stop().await
}

struct Measured {
    name: &'static str,
    samples: Samples,
    /// Stages and tasks as the server counted them; empty when it does not say.
    plan: String,
}

/// A small table, and one of several files without a row, so that there is something to share
/// among executors and nothing to do.
async fn prepare(client: &mut Client, dir: &Path) -> Result<()> {
    client
        .run(
            "CREATE TABLE small AS SELECT i AS k, i * 2 AS v FROM generate_series(1, 1000) AS t(i)",
        )
        .await?;
    let fields = vec![
        Field::new("k", DataType::Int64, true),
        Field::new("v", DataType::Int64, true),
    ];
    let schema = SchemaRef::new(Schema::new(fields));
    let nothing = dir.join("nothing");
    for number in 0..EMPTY_FILES {
        let path = nothing.join(format!("part-{number}.parquet"));
        let mut writer = create_parquet(&path, &schema)?;
        let written = writer.write(&RecordBatch::new_empty(SchemaRef::clone(&schema)));
        let written = written.and_then(|()| writer.close());
        written.map_err(|error| failed("written", &path, error))?;
    }
    let location = nothing.to_string_lossy().replace('\'', "''");
    let create = format!("CREATE EXTERNAL TABLE nothing STORED AS PARQUET LOCATION '{location}/'");
    client.run(&create).await?;
    client.run("SET task_scan_bytes = 1").await?;
    Ok(())
}

async fn measure(
    client: &mut Client,
    name: &'static str,
    sql: &str,
    repeat: u32,
) -> Result<Measured> {
    let mut query_id = None;
    for _ in 0..WARM_UP_RUNS {
        query_id = client.query(sql).await?.query_id;
    }
    let plan = match query_id {
        Some(id) => plan_of(client, &id).await?,
        None => String::new(),
    };
    let mut samples = Samples::default();
    for _ in 0..repeat {
        let start = Instant::now();
        client.query(sql).await?;
        samples.add(start.elapsed().as_secs_f64());
    }
    Ok(Measured {
        name,
        samples,
        plan,
    })
}

async fn plan_of(client: &mut Client, query_id: &str) -> Result<String> {
    let sql = format!(
        "SELECT concat(stages, ' / ', tasks) AS plan FROM system.queries \
         WHERE query_id = '{query_id}'"
    );
    Ok(client
        .query(&sql)
        .await?
        .texts("plan")
        .pop()
        .unwrap_or_default())
}

fn write_report(
    sinks: &mut Sinks<'_>,
    options: &LatencyOptions,
    measured: &[Measured],
    peak_memory_bytes: u64,
) -> Result<()> {
    if options.common.format == ReportFormat::Json {
        let queries: Vec<Value> = measured.iter().map(as_json).collect();
        let report = json!({
            "suite": "latency",
            "executors": options.common.executors.unwrap_or(0),
            "runs": options.repeat,
            "queries": queries,
            "peak_memory_bytes": peak_memory_bytes,
        });
        return write_json(sinks.report, &report);
    }
    let header = [
        "query",
        "stages / tasks",
        "p50 ms",
        "p99 ms",
        "min ms",
        "max ms",
    ];
    let header = header.map(str::to_owned);
    let rows: Vec<Vec<String>> = measured.iter().map(row).collect();
    write_columns(sinks.report, &header, &rows)?;
    write_line(
        sinks.report,
        format_args!(
            "{} runs each, peak memory {}",
            options.repeat,
            mebibytes(peak_memory_bytes)
        ),
    )
}

fn row(measured: &Measured) -> Vec<String> {
    let samples = &measured.samples;
    let times = [
        samples.median(),
        samples.percentile(99),
        samples.min(),
        samples.max(),
    ];
    let mut row = vec![measured.name.to_owned(), measured.plan.clone()];
    row.extend(times.map(millis));
    row
}

fn as_json(measured: &Measured) -> Value {
    let samples = &measured.samples;
    json!({
        "name": measured.name,
        "stages_and_tasks": measured.plan,
        "seconds": {
            "p50": samples.median(),
            "p99": samples.percentile(99),
            "min": samples.min(),
            "max": samples.max(),
        },
    })
}
