//! The demo from its data to its last word.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use waterbuck_benchmarks::tpch::{DataSet, Layout, Table, ensure};
use waterbuck_benchmarks::{Cluster, ClusterOptions};
use waterbuck_engine::{Error, Result};

use super::connect::write_connections;
use super::guide::Guide;
use super::tour::steps;
use crate::args::DemoArgs;
use crate::bench::{process_settings, program, stop_requested};
use crate::config::{self, Role};
use crate::output;

const DATA_DIR: &str = "waterbuck-demo";
/// The usual ports, so that the usual URLs work; taken ones are left to their owners.
const PORTS: (u16, u16) = (32_010, 32_080);
/// The sample is small: split all the same, so that there are stages to see.
const SPLIT: &str = "SET task_scan_bytes = 1000000";

/// Runs the demo until Ctrl-C, or with `--exit` until the end of the tour.
///
/// # Errors
/// When the data cannot be made, a process does not start or a query fails.
pub(crate) async fn run(args: DemoArgs) -> Result<()> {
    let config = config::load(Role::Starter, &args.config.into())?;
    let settings = process_settings(&config);
    let dir = config.data_dir.unwrap_or_else(|| DATA_DIR.into());
    let data = tokio::select! {
        data = make_data(dir.join("tpch"), args.scale) => data?,
        stopped = stop_requested() => return stopped,
    };
    let options = ClusterOptions {
        program: program()?,
        dir: dir.join("cluster"),
        executors: Some(args.executors.max(1)),
        ports: PORTS,
        settings,
        certificates: None,
    };
    // What has been started is killed when a future here is dropped.
    let mut cluster = tokio::select! {
        cluster = Cluster::start(&options) => cluster?,
        stopped = stop_requested() => return stopped,
    };
    let shown = tokio::select! {
        shown = show(&cluster, &data, &dir, &options) => shown,
        stopped = stop_requested() => {
            output::notice("stopping");
            stopped?;
            return cluster.stop().await;
        }
    };
    if shown.is_ok() && !args.exit {
        write_connections(&mut io::stdout(), &cluster, &options.program)?;
        tokio::select! {
            lost = cluster.lost() => return Err(lost),
            stopped = stop_requested() => stopped?,
        }
    }
    output::notice("stopping");
    cluster.stop().await?;
    shown
}

async fn make_data(dir: PathBuf, scale: f64) -> Result<DataSet> {
    output::notice(format_args!(
        "TPC-H data at scale {scale} in \"{}\"",
        dir.display()
    ));
    tokio::task::spawn_blocking(move || ensure(&dir, scale, Layout::Partitioned))
        .await
        .map_err(|error| Error::internal("the data generator broke").with_source(error))?
}

async fn show(
    cluster: &Cluster,
    data: &DataSet,
    dir: &Path,
    options: &ClusterOptions,
) -> Result<()> {
    let mut client = cluster.client().await?;
    for table in Table::ALL {
        // Another scale's files have taken the place of those the table was made of.
        client
            .run(&format!("DROP TABLE IF EXISTS {}", table.name()))
            .await?;
        client.run(&data.create_sql(table)).await?;
    }
    client.run(SPLIT).await?;
    let mut out = io::stdout();
    let executors = options.executors.unwrap_or(0);
    let processes = if executors == 1 {
        "1 executor".to_owned()
    } else {
        format!("{executors} executors")
    };
    writeln!(
        out,
        "A coordinator and {processes} run as processes of their own, at {}.\n\
         In this session \"{SPLIT}\" splits even small tables, so that stages can be seen.",
        cluster.address()
    )
    .map_err(unwritten)?;
    let export = std::path::absolute(dir.join("revenue.csv"))
        .map_err(|error| Error::internal("the export has no path").with_source(error))?;
    std::fs::remove_file(&export).ok();
    let mut guide = Guide::new(client, &mut out);
    for (number, step) in steps(&export).iter().enumerate() {
        guide.show(number + 1, step).await?;
    }
    Ok(())
}

pub(super) fn unwritten(error: io::Error) -> Error {
    Error::unavailable("the terminal cannot be written").with_source(error)
}
