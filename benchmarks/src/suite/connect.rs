//! `waterbuck bench connect`: how many new connections a second come in, by a login or with the
//! token of an earlier one.

use std::fmt;
use std::time::Instant;

use serde_json::{Value, json};
use waterbuck_engine::Result;

use super::common::{ask_for_one, beside};
use super::{Common, Sinks};
use crate::certificates::Certificates;
use crate::client::Client;
use crate::cluster::{Cluster, USER};
use crate::connection::FlightAddress;
use crate::report::{ReportFormat, count, mebibytes, write_columns, write_json, write_line};
use crate::statistics::Samples;

/// How many connect at the same time.
const CLIENTS: [u32; 2] = [1, 16];

/// The options of the suite.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// Those of every suite.
    pub common: Common,
    /// Connections of one timed run.
    pub connections: u32,
    /// Timed runs.
    pub repeat: u32,
}

/// Runs the suite and writes its report.
///
/// A cluster in plain text and one in TLS take turns.
///
/// # Errors
/// When something cannot be started, or a connection is refused.
pub async fn run_connect(options: &ConnectOptions, sinks: &mut Sinks<'_>) -> Result<()> {
    let (plain_dir, secure_dir) = (options.common.state_dir()?, options.common.state_dir()?);
    sinks.note(format_args!("connecting to {}", options.common.describe()));
    let mut clusters = vec![("plain", options.common.start(&plain_dir).await?)];
    match Certificates::make(&secure_dir.path().join("certificates")).await? {
        Some(certificates) => {
            let secure = options.common.start_with(&secure_dir, Some(certificates));
            clusters.push(("TLS", secure.await?));
        }
        None => sinks.note("TLS is not measured: its certificates are made by openssl, install it"),
    }
    let mut measured: Vec<Measured> = (0..clusters.len()).flat_map(Measured::of).collect();
    // One untimed round warms everything up.
    for round in 0..=options.repeat {
        for measured in &mut measured {
            let (_, cluster) = &clusters[measured.cluster];
            let seconds = measured.run(cluster, options.connections).await?;
            if round > 0 {
                measured.samples.add(seconds);
            }
        }
    }
    write_report(sinks, options, &measured, &clusters)?;
    for (_, cluster) in clusters {
        cluster.stop().await?;
    }
    Ok(())
}

/// What a new connection is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    /// A login by user and password, whose end is a token.
    Password,
    /// A query in the session of a token.
    Token,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password => "login with password",
            Self::Token => "SELECT 1 with token",
        })
    }
}

struct Measured {
    /// Of the clusters that run.
    cluster: usize,
    entry: Entry,
    clients: u32,
    samples: Samples,
}

impl Measured {
    /// All that is measured on one cluster.
    fn of(cluster: usize) -> Vec<Self> {
        let of = |entry| {
            CLIENTS.map(|clients| Self {
                cluster,
                entry,
                clients,
                samples: Samples::default(),
            })
        };
        [Entry::Password, Entry::Token]
            .into_iter()
            .flat_map(of)
            .collect()
    }

    /// Seconds until as many connections have been opened, used and dropped.
    async fn run(&self, cluster: &Cluster, connections: u32) -> Result<f64> {
        let shares = shares(connections, self.clients);
        let address = cluster.flight_address();
        match self.entry {
            Entry::Password => {
                let start = Instant::now();
                let clients = shares
                    .map(|times| log_in(address.clone(), cluster.password().to_owned(), times));
                let tokens = beside(clients).await?.concat();
                let seconds = start.elapsed().as_secs_f64();
                end_sessions(address, &tokens).await?;
                Ok(seconds)
            }
            Entry::Token => {
                let mut tokens = vec![];
                for _ in 0..self.clients {
                    tokens.push(cluster.client().await?.token().to_owned());
                }
                let start = Instant::now();
                let clients = shares
                    .zip(&tokens)
                    .map(|(times, token)| ask(address.clone(), token.clone(), times));
                beside(clients).await?;
                let seconds = start.elapsed().as_secs_f64();
                end_sessions(address, &tokens).await?;
                Ok(seconds)
            }
        }
    }
}

/// What each of the clients does of the whole.
fn shares(whole: u32, clients: u32) -> impl Iterator<Item = u32> {
    (0..clients).map(move |number| whole / clients + u32::from(number < whole % clients))
}

/// Logs in over connections of which each is new; gives the tokens.
async fn log_in(address: FlightAddress, password: String, times: u32) -> Result<Vec<String>> {
    let mut tokens = vec![];
    for _ in 0..times {
        let client = Client::connect(&address, USER, &password).await?;
        tokens.push(client.token().to_owned());
    }
    Ok(tokens)
}

/// Asks for 1 over connections of which each is new.
async fn ask(address: FlightAddress, token: String, times: u32) -> Result<()> {
    for _ in 0..times {
        let mut client = Client::resume(&address, &token).await?;
        ask_for_one(&mut client).await?;
    }
    Ok(())
}

/// Sessions outlive their connections, and a server has room for so many of them only.
async fn end_sessions(address: &FlightAddress, tokens: &[String]) -> Result<()> {
    for token in tokens {
        Client::resume(address, token).await?.close().await?;
    }
    Ok(())
}

fn write_report(
    sinks: &mut Sinks<'_>,
    options: &ConnectOptions,
    measured: &[Measured],
    clusters: &[(&str, Cluster)],
) -> Result<()> {
    let connections = u64::from(options.connections);
    if options.common.format == ReportFormat::Json {
        let entries = measured.iter().map(|measured| {
            let [median, min, max] = measured.samples.rates(connections);
            json!({
                "transport": clusters[measured.cluster].0,
                "entry": measured.entry.to_string(),
                "clients": measured.clients,
                "per_second": {"median": median, "min": min, "max": max},
            })
        });
        let memory = clusters.iter().map(|(name, cluster)| {
            json!({"transport": name, "peak_memory_bytes": cluster.peak_memory_bytes()})
        });
        let report = json!({
            "suite": "connect",
            "executors": options.common.executors.unwrap_or(0),
            "connections": options.connections,
            "runs": options.repeat,
            "entries": entries.collect::<Vec<Value>>(),
            "memory": memory.collect::<Vec<Value>>(),
        });
        return write_json(sinks.report, &report);
    }
    let header = [
        "new connection",
        "transport",
        "clients",
        "per second",
        "slowest",
        "fastest",
    ];
    let header = header.map(str::to_owned);
    let rows = measured.iter().map(|measured| {
        let transport = clusters[measured.cluster].0;
        let clients = measured.clients.to_string();
        let mut row = vec![measured.entry.to_string(), transport.to_owned(), clients];
        let rates = measured.samples.rates(connections);
        row.extend(rates.map(|rate| count(rate, 1.0)));
        row
    });
    write_columns(sinks.report, &header, &rows.collect::<Vec<_>>())?;
    let memory: Vec<String> = clusters
        .iter()
        .map(|(name, cluster)| format!("{} ({name})", mebibytes(cluster.peak_memory_bytes())))
        .collect();
    write_line(
        sinks.report,
        format_args!(
            "{} runs of {connections} connections each, peak memory {}",
            options.repeat,
            memory.join(", ")
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_make_up_the_whole() {
        assert_eq!(shares(10, 4).collect::<Vec<_>>(), [3, 3, 2, 2]);
        assert_eq!(shares(3, 4).sum::<u32>(), 3);
    }
}
