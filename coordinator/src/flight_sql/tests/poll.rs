//! PollFlightInfo, ListFlights and RenewFlightEndpoint: results that wait.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use arrow_flight::sql::{CommandGetCatalogs, CommandStatementQuery};
use arrow_flight::{
    Criteria, FlightDescriptor, FlightEndpoint, FlightInfo, PollInfo, RenewFlightEndpointRequest,
};
use futures::TryStreamExt;
use prost::Message;
use tonic::{Code, Request, Status};

use super::harness::{Client, TestServer, act, descriptor, fetch, reaches};

#[tokio::test]
async fn a_quick_query_is_whole_at_the_first_poll() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let answer = poll(&mut client, statement("select 7")).await.unwrap();
    assert_eq!(
        (answer.progress, answer.flight_descriptor),
        (Some(1.0), None)
    );
    let rows = fetch(&mut client, &answer.info.unwrap()).await;
    assert_eq!(rows[0].column(0).as_primitive::<Int64Type>().value(0), 7);
}

#[tokio::test]
async fn progress_is_told_until_the_first_rows_are_there() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let first = poll(&mut client, statement("waits")).await.unwrap();
    assert_eq!(first.progress, Some(0.5));
    assert!(first.expiration_time.is_some());
    let info = first.info.unwrap();
    assert_eq!((info.endpoint.len(), info.schema.is_empty()), (0, false));
    // A poll answers when there is more to tell, which is long before it gives up waiting.
    server.probe.percent.store(75, Ordering::Relaxed);
    let second = poll(&mut client, first.flight_descriptor.unwrap())
        .await
        .unwrap();
    assert_eq!(second.progress, Some(0.75));
    server.probe.go.send_replace(1);
    let last = poll(&mut client, second.flight_descriptor.unwrap())
        .await
        .unwrap();
    assert_eq!((last.progress, last.flight_descriptor), (Some(1.0), None));
    let whole = last.info.unwrap();
    assert_eq!(
        (&whole.schema, &whole.app_metadata),
        (&info.schema, &info.app_metadata)
    );
    let rows = fetch(&mut client, &whole).await;
    assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), 8192);
}

#[tokio::test]
async fn a_polled_query_is_its_users_and_stops_when_it_is_forgotten() {
    let server = TestServer::with(|c| c.result_expiry = Duration::from_millis(400)).await;
    let mut client = server.client().await;
    let mut other = server.user("eve").await;
    let first = poll(&mut client, statement("waits")).await.unwrap();
    let next = first.flight_descriptor.unwrap();
    let foreign = poll(&mut other, next.clone()).await.unwrap_err();
    assert_eq!(foreign.code(), Code::NotFound);
    reaches(&server.probe.live, 0).await;
    let late = poll(&mut client, next).await.unwrap_err();
    assert_eq!(late.code(), Code::NotFound);
}

#[tokio::test]
async fn metadata_is_whole_at_once_and_nonsense_is_refused() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let catalogs = poll(&mut client, descriptor(&CommandGetCatalogs {})).await;
    let catalogs = catalogs.unwrap();
    assert_eq!(
        (catalogs.progress, catalogs.flight_descriptor),
        (Some(1.0), None)
    );
    let path = FlightDescriptor::new_path(vec!["t".into()]);
    assert_eq!(
        poll(&mut client, path).await.unwrap_err().code(),
        Code::InvalidArgument
    );
}

#[tokio::test]
async fn the_results_that_wait_are_listed_to_their_user() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let mut other = server.user("eve").await;
    let info = client.execute("select 1".into(), None).await.unwrap();
    let listed = flights(&mut client, "").await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].app_metadata, info.app_metadata);
    assert!(flights(&mut other, "").await.unwrap().is_empty());
    let named = listed[0].flight_descriptor.clone().unwrap();
    let request = authorized(&client, named);
    let again = client.inner_mut().get_flight_info(request).await;
    assert_eq!(again.unwrap().into_inner(), listed[0]);
    assert_eq!(fetch(&mut client, &listed[0]).await.len(), 1);
    assert!(flights(&mut client, "").await.unwrap().is_empty());
    let filtered = flights(&mut client, "x").await.unwrap_err();
    assert_eq!(filtered.code(), Code::Unimplemented);
}

#[tokio::test]
async fn a_renewed_result_waits_longer_and_promises_no_second_reading() {
    let server = TestServer::with(|c| c.result_expiry = Duration::from_millis(800)).await;
    let mut client = server.client().await;
    let info = client.execute("endless".into(), None).await.unwrap();
    let request = RenewFlightEndpointRequest {
        endpoint: info.endpoint.first().cloned(),
    };
    // Longer than it would have waited unrenewed.
    let renewing = Instant::now() + Duration::from_millis(1200);
    while Instant::now() < renewing {
        let bodies = act(&mut client, "RenewFlightEndpoint", request.encode_to_vec())
            .await
            .unwrap();
        let endpoint = FlightEndpoint::decode(&*bodies[0]).unwrap();
        assert_eq!(
            (endpoint.ticket, endpoint.expiration_time),
            (info.endpoint[0].ticket.clone(), None)
        );
    }
    assert_eq!(*server.probe.live.borrow(), 1);
    reaches(&server.probe.live, 0).await;
    let gone = act(&mut client, "RenewFlightEndpoint", request.encode_to_vec()).await;
    assert_eq!(gone.unwrap_err().code(), Code::NotFound);
}

fn statement(sql: &str) -> FlightDescriptor {
    descriptor(&CommandStatementQuery {
        query: sql.into(),
        transaction_id: None,
    })
}

async fn poll(client: &mut Client, descriptor: FlightDescriptor) -> Result<PollInfo, Status> {
    let request = authorized(client, descriptor);
    let answer = client.inner_mut().poll_flight_info(request).await?;
    Ok(answer.into_inner())
}

async fn flights(client: &mut Client, expression: &str) -> Result<Vec<FlightInfo>, Status> {
    let criteria = Criteria {
        expression: expression.to_owned().into(),
    };
    let request = authorized(client, criteria);
    let listed = client.inner_mut().list_flights(request).await?.into_inner();
    listed.try_collect().await
}

fn authorized<T>(client: &Client, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let bearer = format!("Bearer {}", client.token().expect("a login"));
    let bearer = bearer.parse().expect("a header");
    request.metadata_mut().insert("authorization", bearer);
    request
}
