//! Many connections, silent ones, and readers that do not read: they keep nobody else out, take a
//! bounded part of the memory, and end.

use std::time::{Duration, Instant};

use arrow_flight::sql::CommandStatementQuery;
use arrow_flight::{FlightData, FlightInfo, Ticket};
use futures::{StreamExt, future, stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::{Code, Streaming};
use waterbuck_tests::{
    Authority, Client, ClientError, Cluster, Options, Raw, allow_open_files, descriptor, until,
    within,
};

use crate::tables::run_all;
use crate::tls::Node;

/// What somebody else waits at most while the server is under attack.
const PATIENCE: Duration = Duration::from_secs(15);
pub(super) const DEADLINE: Duration = Duration::from_secs(60);
/// How long a peer may take to say what it is, as the guide has it, and the time of a slow machine.
const SILENCE_MAX: Duration = Duration::from_secs(10 + 15);

const CONNECTIONS: usize = 2_000;
/// Of the connections that do something, as many may have a session.
const SESSIONS_MAX: usize = 900;
/// Calls under way at the same time.
const ABREAST: usize = 50;

const READERS: usize = 500;
/// A server takes at most so many streams on one connection.
const READERS_PER_CONNECTION: usize = 50;
/// A result that goes on until somebody stops it.
const ENDLESS: &str = "SELECT * FROM generate_series(1, 1000000000000)";

async fn start(client: &Raw, sql: &str) -> Result<FlightInfo, ClientError> {
    let command = CommandStatementQuery {
        query: sql.to_owned(),
        transaction_id: None,
    };
    client.info(descriptor(&command)).await
}

fn ticket_of(info: FlightInfo) -> Ticket {
    let endpoint = info.endpoint.into_iter().next();
    let ticket = endpoint.and_then(|endpoint| endpoint.ticket);
    ticket.expect("a result has a ticket")
}

/// Asserts that somebody who comes now is served.
async fn assert_served(cluster: &Cluster) {
    let query = async {
        let client = cluster.client().await;
        let sql = "SELECT count(*) FROM generate_series(1, 1000)";
        client.run(sql).await.expect("it is served").value()
    };
    assert_eq!(within("another client", PATIENCE, query).await, "1000");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_connections_are_served_up_to_the_limit_that_is_named() {
    allow_open_files(8 * 1024);
    let mut cluster = Cluster::server().await;
    let admin = cluster.client().await;
    let limit = format!("ALTER USER ann SET LIMIT max_connections = {SESSIONS_MAX}");
    run_all(&admin, &["CREATE USER ann PASSWORD 'x'", &limit]).await;
    let answer = admin.run("CREATE TOKEN t FOR USER ann").await;
    let token = answer.expect("an administrator may").rows()[0][2].clone();
    assert_served(&cluster).await;
    let before = cluster.front().peak_memory_bytes().unwrap_or_default();
    let address = cluster.address().to_owned();
    let connect = |number: usize| {
        let (address, token) = (&address, &token);
        async move {
            let connection = Raw::connect(address).await.expect("it is taken in");
            if number.is_multiple_of(2) {
                return (connection, None);
            }
            let client = connection.bearing(token);
            let outcome = async {
                let info = start(&client, "SELECT 41 + 1").await?;
                client.read(ticket_of(info)).await
            };
            let outcome = outcome.await;
            (connection, Some(outcome))
        }
    };
    let connections: Vec<_> = stream::iter(0..CONNECTIONS)
        .map(connect)
        .buffer_unordered(ABREAST)
        .collect()
        .await;
    let outcomes = || {
        connections
            .iter()
            .filter_map(|(_, outcome)| outcome.as_ref())
    };
    let refused: Vec<&ClientError> = outcomes()
        .filter_map(|outcome| outcome.as_ref().err())
        .collect();
    for error in &refused {
        assert_eq!(error.code, Code::ResourceExhausted, "{error}");
        assert!(error.message.contains("max_connections"), "{error}");
    }
    assert_eq!(outcomes().count() - refused.len(), SESSIONS_MAX);
    assert_served(&cluster).await;
    let after = cluster.front().peak_memory_bytes().unwrap_or_default();
    let grown = after.saturating_sub(before);
    assert!(grown < 1 << 30, "{CONNECTIONS} took {grown} bytes");
    drop(connections);
    assert_served(&cluster).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_that_stall_keep_nobody_out_and_expire() {
    let memory_limit: u64 = 512 << 20;
    let mut cluster = Cluster::start(Options {
        flags: vec![
            format!("--memory-limit={memory_limit}"),
            "--reader-timeout=8s".to_owned(),
        ],
        ..Options::default()
    })
    .await;
    let admin = cluster.client().await;
    run_all(&admin, &["CREATE USER ann PASSWORD 'x'"]).await;
    let ann = Client::log_in(cluster.address(), "ann", "x").await;
    let token = ann.expect("she may come in").token().unwrap_or_default();
    assert_served(&cluster).await;
    let before = cluster.front().peak_memory_bytes().unwrap_or_default();
    let mut stalled: Vec<(Raw, Vec<Streaming<FlightData>>)> = Vec::new();
    for _ in 0..READERS / READERS_PER_CONNECTION {
        let connection = Raw::connect(cluster.address()).await.expect("open");
        let client = connection.bearing(&token);
        // All are started before one is read: what is not read fills the connection, and nothing
        // else would come through.
        let started = (0..READERS_PER_CONNECTION).map(|_| start(&client, ENDLESS));
        let started = future::try_join_all(started)
            .await
            .expect("each of them starts");
        let readers = started.into_iter().map(|info| client.get(ticket_of(info)));
        let readers = future::try_join_all(readers).await;
        stalled.push((connection, readers.expect("each of them starts")));
    }
    assert_served(&cluster).await;
    let running = "SELECT count(*) FROM system.queries WHERE user_name = 'ann' \
                   AND state IN ('planning', 'queued', 'running')";
    until("the end of the stalled queries", DEADLINE, || async {
        let left = admin.run(running).await.expect("others are served").value();
        (left == "0").then_some(())
    })
    .await;
    // What the queries may use, and for each reader the messages on their way.
    let allowed = memory_limit + READERS as u64 * (2 << 20);
    let after = cluster.front().peak_memory_bytes().unwrap_or_default();
    let grown = after.saturating_sub(before);
    assert!(grown < allowed, "{READERS} readers took {grown} bytes");
    // Who reads on is told, and not that this was all.
    let (_, readers) = stalled.pop().expect("there are some");
    let mut reader = readers.into_iter().next().expect("there are some");
    let told = within("the end of a stalled result", DEADLINE, async {
        loop {
            match reader.message().await {
                Ok(Some(_)) => {}
                Ok(None) => return None,
                Err(status) => return Some(status),
            }
        }
    })
    .await;
    let told = told.expect("an error is no end");
    assert_eq!(told.code(), Code::Cancelled, "{told}");
    assert!(told.message().contains("not read"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_that_never_say_what_they_are_are_dropped() {
    let ours = Authority::new();
    let secure = Node::start("server", &ours.sign("server").flags("tls")).await;
    let plain = Node::start("server", &[]).await;
    // The beginning of a TLS handshake, and of an HTTP/2 connection.
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    let preface = b"PRI * HTTP/2.0\r\n";
    let beginnings: [(&str, &[u8]); 4] = [
        (&secure.address, b""),
        (&secure.address, hello),
        (&plain.address, b""),
        (&plain.address, preface),
    ];
    let began = Instant::now();
    let mut silent = Vec::new();
    for (address, beginning) in beginnings {
        for _ in 0..20 {
            let mut stream = TcpStream::connect(address).await.expect("open");
            stream.write_all(beginning).await.expect("it is taken in");
            silent.push(stream);
        }
    }
    // Nobody waits for them.
    let client = Client::connect_tls(&secure.address, ours.client(None));
    let client = within("a client over TLS", PATIENCE, client).await;
    let answer = client.expect("login").run("SELECT 1").await;
    assert_eq!(answer.expect("it is served").value(), "1");
    let client = within("a client", PATIENCE, Client::connect(&plain.address)).await;
    let client = client.expect("login");
    for stream in &mut silent {
        let left = SILENCE_MAX.saturating_sub(began.elapsed());
        let mut rest = Vec::new();
        let closed = within(
            "the end of a silent connection",
            left,
            stream.read_to_end(&mut rest),
        );
        // Closed or reset, whatever was said before.
        let _closed = closed.await;
    }
    // A session in use is none of them.
    let answer = client.run("SELECT 1").await;
    assert_eq!(answer.expect("it is served").value(), "1");
}
