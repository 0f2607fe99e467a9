//! Results read from executors: every row once, by the one they belong to, and an error where a row
//! would be missing.

use std::time::Duration;

use arrow_flight::FlightInfo;
use tonic::Code;
use waterbuck_tests::{Client, ClientError, Cluster, Options, Running, Signal, until, within};

use crate::tables::{create_numbers, run_all};

const PLENTY: Duration = Duration::from_secs(30);
/// Whatever stops a query stops its readers within a second, on a loaded machine a little later.
const PROMISE: Duration = Duration::from_secs(3);

/// Rows of one stage.
const ALL: &str = "SELECT id, label FROM numbers";
/// More rows than anybody reads.
const ENDLESS: &str = "SELECT a.id, b.id AS other, a.label FROM numbers a JOIN numbers b \
     ON a.id % 7 <> b.id % 11";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_comes_once_from_the_executors() {
    let (_cluster, client) = cluster().await;
    let whole = client.run(ALL).await.expect("the query runs").sorted_rows();
    for statement in [ALL, "SELECT id, count(*) AS n FROM numbers GROUP BY id"] {
        let whole = client.run(statement).await.expect("the query runs");
        let info = info(&client, "executors", statement).await;
        assert_eq!((info.endpoint.len(), info.ordered), (2, false));
        let mut rows = vec![];
        for number in 0..info.endpoint.len() {
            assert_eq!(info.endpoint[number].location.len(), 1);
            rows.extend(read(&client, &info, number).await.expect("rows").rows());
        }
        rows.sort();
        assert_eq!(rows, whole.sorted_rows(), "{statement}");
        until_state(&client, &info, "finished").await;
    }
    // The coordinator gives out the same parts where clients do not reach executors.
    let info = info(&client, "coordinator", ALL).await;
    assert_eq!(info.endpoint.len(), 2);
    let mut rows = vec![];
    for number in 0..2 {
        assert!(info.endpoint[number].location.is_empty());
        rows.extend(read(&client, &info, number).await.expect("rows").rows());
    }
    rows.sort();
    assert_eq!(rows, whole);
    until_state(&client, &info, "finished").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sorted_result_has_one_endpoint_and_its_order() {
    let (_cluster, client) = cluster().await;
    let sql = "SELECT id FROM numbers ORDER BY id";
    let info = info(&client, "executors", sql).await;
    assert_eq!((info.endpoint.len(), info.ordered), (1, true));
    let rows = read(&client, &info, 0).await.expect("rows").rows();
    let ids: Vec<i64> = rows
        .iter()
        .map(|row| row[0].parse().expect("a number"))
        .collect();
    assert!(ids.is_sorted() && ids.len() == 20_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn executors_out_of_reach_leave_the_rows_to_the_coordinator() {
    let cluster = Cluster::start(Options {
        executors: 2,
        flags: vec!["--public-url".to_owned(), "none".to_owned()],
        ..Options::default()
    })
    .await;
    create_numbers(&cluster.client().await, &cluster.scratch()).await;
    let client = cluster.splitting_client().await;
    let info = info(&client, "executors", ALL).await;
    assert_eq!(info.endpoint.len(), 2);
    assert!(info.endpoint.iter().all(|part| part.location.is_empty()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_is_good_once_and_for_its_user() {
    let (cluster, client) = cluster().await;
    run_all(&client, &["CREATE USER bob PASSWORD 'bob-password'"]).await;
    let bob = Client::log_in(cluster.address(), "bob", "bob-password").await;
    let bob = bob.expect("bob may log in");
    let info = info(&client, "executors", ALL).await;
    let stranger = read(&bob, &info, 0).await.expect_err("it is not bob's");
    let mut forged = info.clone();
    let ticket = forged.endpoint[0].ticket.as_mut().expect("a ticket");
    let mut bytes = ticket.ticket.to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    ticket.ticket = bytes.into();
    let forged = read(&client, &forged, 0).await.expect_err("it is forged");
    for number in 0..2 {
        assert!(read(&client, &info, number).await.is_ok());
    }
    let replayed = read(&client, &info, 0).await.expect_err("it was used");
    for error in [stranger, forged, replayed] {
        assert_eq!(error.code, Code::NotFound, "{error}");
        assert!(error.message.contains("ticket is unknown"), "{error}");
    }
    // At the coordinator it is no better.
    let error = client
        .open(info)
        .collect()
        .await
        .expect_err("it is for an executor");
    assert_eq!(error.code, Code::InvalidArgument, "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_executor_gives_nothing_without_a_login() {
    let (_cluster, client) = cluster().await;
    let info = info(&client, "executors", ALL).await;
    let location = &info.endpoint[0].location[0].uri;
    let address = location.trim_start_matches("grpc+tcp://");
    let nobody = Client::with_token(address, "").await.expect("a connection");
    let error = nobody
        .open(info.clone())
        .collect()
        .await
        .expect_err("no login");
    assert_eq!(error.code, Code::Unauthenticated, "{error}");
    // A driver that logs in at every location is passed on to the coordinator.
    let wrong = Client::log_in(address, "admin", "wrong").await;
    let error = wrong.expect_err("a wrong password");
    assert_eq!(error.code, Code::Unauthenticated, "{error}");
    let again = Client::log_in(address, "admin", waterbuck_tests::PASSWORD).await;
    let again = again.expect("the coordinator knows the password");
    let rows = read(&again, &info, 0).await.expect("rows");
    assert!(rows.row_count() > 0);
    let error = again.run("SELECT 1").await.expect_err("no statements here");
    assert_eq!(error.code, Code::Unimplemented, "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_query_ends_all_its_readers_with_an_error() {
    for endpoints in ["executors", "coordinator"] {
        let (_cluster, client) = cluster().await;
        let (info, readers) = reading(&client, endpoints).await;
        let kill = format!("KILL QUERY '{}'", id(&info));
        run_all(&client, &[&kill]).await;
        for reader in readers {
            let error = within("the reader's end", PROMISE, to_the_end(reader)).await;
            assert_eq!(error.code, Code::Cancelled, "{endpoints}: {error}");
        }
        until_state(&client, &info, "cancelled").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_who_goes_away_ends_the_others_with_an_error() {
    for endpoints in ["executors", "coordinator"] {
        let (_cluster, client) = cluster().await;
        let (info, mut readers) = reading(&client, endpoints).await;
        drop(readers.pop());
        for reader in readers {
            let error = within("the reader's end", PROMISE, to_the_end(reader)).await;
            assert_eq!(error.code, Code::Cancelled, "{endpoints}: {error}");
        }
        until_state(&client, &info, "cancelled").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_executor_is_an_error_for_every_reader() {
    let (cluster, client) = cluster().await;
    let (info, readers) = reading(&client, "executors").await;
    cluster.signal_executor(1, Signal::Kill);
    for reader in readers {
        let error = within("the reader's end", PLENTY, to_the_end(reader)).await;
        assert_ne!(error.code, Code::Ok, "{error}");
    }
    until_state(&client, &info, "failed").await;
}

async fn cluster() -> (Cluster, Client) {
    let cluster = Cluster::distributed(2).await;
    create_numbers(&cluster.client().await, &cluster.scratch()).await;
    let client = cluster.splitting_client().await;
    (cluster, client)
}

async fn info(client: &Client, endpoints: &str, sql: &str) -> FlightInfo {
    let info = client.at_endpoints(endpoints).info(sql).await;
    info.expect("the query starts")
}

async fn read(
    client: &Client,
    info: &FlightInfo,
    number: usize,
) -> Result<waterbuck_tests::Answer, ClientError> {
    client.part(info, number).await?.collect().await
}

/// Readers of all parts of an endless result, each of which has its first rows.
async fn reading(client: &Client, endpoints: &str) -> (FlightInfo, Vec<Running>) {
    let info = info(client, endpoints, ENDLESS).await;
    let mut readers = vec![];
    for number in 0..info.endpoint.len() {
        let mut reader = client.part(&info, number).await.expect("a connection");
        let first = within("the first rows", PLENTY, reader.next()).await;
        assert!(first.expect("no error").is_some());
        readers.push(reader);
    }
    assert!(readers.len() > 1, "the result has one part");
    (info, readers)
}

/// The error at the end of an endless result.
async fn to_the_end(mut reader: Running) -> ClientError {
    loop {
        match reader.next().await {
            Ok(Some(_)) => {}
            Ok(None) => return no_error(),
            Err(error) => return error,
        }
    }
}

fn no_error() -> ClientError {
    ClientError {
        code: Code::Ok,
        message: "the rows ended as if they were all".to_owned(),
        sqlstate: None,
    }
}

fn id(info: &FlightInfo) -> String {
    String::from_utf8(info.app_metadata.to_vec()).expect("an id")
}

async fn until_state(client: &Client, info: &FlightInfo, wanted: &str) {
    let sql = format!(
        "SELECT state FROM system.queries WHERE query_id = '{}'",
        id(info)
    );
    let what = format!("the query {wanted}");
    until(&what, PLENTY, async || {
        let state = client.run(&sql).await.ok()?.value();
        (state == wanted).then_some(())
    })
    .await;
}
