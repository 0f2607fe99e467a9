//! `waterbuck bench files`: planning over very many small files, first and again.

use std::time::Instant;

use serde_json::json;
use waterbuck_engine::{Error, Result};

use super::common::check_count;
use super::small_files::{FILES_PER_DIRECTORY, Marker, ROWS, write_files};
use super::{Common, Sinks};
use crate::client::Client;
use crate::directory::with_marker;
use crate::report::{ReportFormat, mebibytes, millis, write_columns, write_json, write_line};
use crate::statistics::Samples;

const QUERY: &str = "SELECT bucket, count(*), max(value) FROM many GROUP BY bucket";
const CACHED_RUNS: u32 = 5;

/// The options of the suite.
#[derive(Debug, Clone)]
pub struct FilesOptions {
    /// Those of every suite.
    pub common: Common,
    /// Files of the table.
    pub files: u32,
}

/// Runs the suite and writes its report.
///
/// The table is made in one process and planned in another, which has read nothing yet.
///
/// # Errors
/// When something cannot be started, or the table's rows are not all found.
pub async fn run_files(options: &FilesOptions, sinks: &mut Sinks<'_>) -> Result<()> {
    let files = options.files;
    let marker = Marker {
        files,
        rows_per_file: ROWS,
        files_per_directory: FILES_PER_DIRECTORY,
    };
    let dir = options.common.data_dir.join(format!("files-{files}"));
    let root = with_marker(&dir, &marker, |aside| write_files(aside, files))?;
    let root = root.to_string_lossy().replace('\'', "''");
    let state = options.common.state_dir()?;
    sinks.note(format_args!(
        "{files} files on {}",
        options.common.describe()
    ));

    let cluster = options.common.start(&state).await?;
    let mut client = cluster.client().await?;
    let create = format!("CREATE EXTERNAL TABLE many STORED AS PARQUET LOCATION '{root}/'");
    let start = Instant::now();
    client.run(&create).await?;
    let create_seconds = start.elapsed().as_secs_f64();
    drop(client);
    cluster.stop().await?;

    let cluster = options.common.start(&state).await?;
    let mut client = cluster.client().await?;
    let first_seconds = explain(&mut client).await?;
    let mut cached = Samples::default();
    for _ in 0..CACHED_RUNS {
        cached.add(explain(&mut client).await?);
    }
    let planning_memory_bytes = cluster.front_peak_memory_bytes();
    let run_seconds = count(&mut client, files).await?;
    let peak_memory_bytes = cluster.peak_memory_bytes();
    let measured = Measured {
        create_seconds,
        first_seconds,
        cached,
        run_seconds,
        planning_memory_bytes,
        peak_memory_bytes,
    };
    write_report(sinks, options, &measured)?;
    drop(client);
    cluster.stop().await
}

struct Measured {
    create_seconds: f64,
    first_seconds: f64,
    cached: Samples,
    run_seconds: f64,
    /// The most the coordinator or server had resident while it planned.
    planning_memory_bytes: u64,
    /// The most all processes had resident, after the query has run too.
    peak_memory_bytes: u64,
}

async fn explain(client: &mut Client) -> Result<f64> {
    let start = Instant::now();
    client.query(&format!("EXPLAIN {QUERY}")).await?;
    Ok(start.elapsed().as_secs_f64())
}

/// Runs the query for real, since a plan that loses files would be quick too.
async fn count(client: &mut Client, files: u32) -> Result<f64> {
    let start = Instant::now();
    let rows = client.query(QUERY).await?.count();
    let seconds = start.elapsed().as_secs_f64();
    let buckets = files.div_ceil(FILES_PER_DIRECTORY) as usize;
    if rows != buckets {
        return Err(Error::data(format!(
            "{rows} of {buckets} directories were found"
        )));
    }
    let wanted = u64::from(files) * u64::from(ROWS);
    check_count(client, "many", wanted).await?;
    Ok(seconds)
}

fn write_report(sinks: &mut Sinks<'_>, options: &FilesOptions, measured: &Measured) -> Result<()> {
    if options.common.format == ReportFormat::Json {
        let report = json!({
            "suite": "files",
            "executors": options.common.executors.unwrap_or(0),
            "files": options.files,
            "seconds": {
                "create_table": measured.create_seconds,
                "plan_first": measured.first_seconds,
                "plan_cached": measured.cached.median(),
                "run": measured.run_seconds,
            },
            "front_peak_memory_bytes_after_planning": measured.planning_memory_bytes,
            "peak_memory_bytes": measured.peak_memory_bytes,
        });
        return write_json(sinks.report, &report);
    }
    let spread = format!(
        "{}–{}",
        millis(measured.cached.min()),
        millis(measured.cached.max())
    );
    let row = |name: &str, seconds: Option<f64>, spread: &str| {
        vec![name.to_owned(), millis(seconds), spread.to_owned()]
    };
    let rows = [
        row("create the table", Some(measured.create_seconds), ""),
        row("plan, first", Some(measured.first_seconds), ""),
        row("plan, cached", measured.cached.median(), &spread),
        row("run", Some(measured.run_seconds), ""),
    ];
    write_columns(
        sinks.report,
        &["step", "ms", "min–max"].map(str::to_owned),
        &rows,
    )?;
    let planning = mebibytes(measured.planning_memory_bytes);
    let peak = mebibytes(measured.peak_memory_bytes);
    write_line(
        sinks.report,
        format_args!(
            "peak memory: {planning} of the front process planning, {peak} of all in the end"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_spread_over_directories() {
        let dir = tempfile::tempdir().unwrap();
        write_files(dir.path(), 101).unwrap();
        assert!(dir.path().join("bucket=0/part-99.parquet").is_file());
        assert!(dir.path().join("bucket=1/part-100.parquet").is_file());
        assert!(!dir.path().join("bucket=1/part-101.parquet").exists());
    }
}
