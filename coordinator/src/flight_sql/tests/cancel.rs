//! Everything that stops a query: drops, deadlines, stalls, cancels.

use std::time::Duration;

use arrow_flight::sql::{ActionCancelQueryRequest, ActionCancelQueryResult, Any};
use arrow_flight::{CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus};
use futures::TryStreamExt;
use prost::Message;
use tonic::{Code, Request, Status};

use super::harness::{TestServer, act, reaches};

#[tokio::test]
async fn dropping_the_stream_stops_the_query() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let info = client.execute("endless".into(), None).await.unwrap();
    let mut stream = client
        .do_get(info.endpoint[0].ticket.clone().unwrap())
        .await
        .unwrap();
    assert!(stream.try_next().await.unwrap().is_some());
    assert_eq!(*server.probe.live.borrow(), 1);
    drop(stream);
    reaches(&server.probe.live, 0).await;
}

#[tokio::test]
async fn dropping_the_connection_stops_the_query() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let info = client.execute("endless".into(), None).await.unwrap();
    let stream = client
        .do_get(info.endpoint[0].ticket.clone().unwrap())
        .await
        .unwrap();
    drop((client, stream));
    reaches(&server.probe.live, 0).await;
}

#[tokio::test]
async fn giving_up_while_planning_stops_the_planning() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let mut waiting = client.clone();
    {
        let call = waiting.execute("hangs".into(), None);
        let started = reaches(&server.probe.live, 1);
        tokio::select! {
            _ = call => unreachable!("it hangs"),
            () = started => {}
        }
    }
    reaches(&server.probe.live, 0).await;
    assert!(client.execute("select 1".into(), None).await.is_ok());
}

#[tokio::test]
async fn a_result_that_nobody_fetches_expires() {
    let server = TestServer::with(|c| c.result_expiry = Duration::from_millis(100)).await;
    let mut client = server.client().await;
    let info = client.execute("endless".into(), None).await.unwrap();
    reaches(&server.probe.live, 0).await;
    let gone = client
        .do_get(info.endpoint[0].ticket.clone().unwrap())
        .await
        .map(drop);
    assert_eq!(Status::from(gone.unwrap_err()).code(), Code::NotFound);
}

#[tokio::test]
async fn a_lapsed_deadline_stops_the_query_in_mid_stream() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let info = client.execute("endless".into(), None).await.unwrap();
    let mut request = Request::new(info.endpoint[0].ticket.clone().unwrap());
    request.set_timeout(Duration::from_millis(200));
    let stream = client.do_get(request).await.unwrap();
    let outcome = stream.try_for_each(|_| std::future::ready(Ok(()))).await;
    let status = Status::from(outcome.unwrap_err());
    assert!(
        matches!(status.code(), Code::DeadlineExceeded | Code::Cancelled),
        "{status}"
    );
    reaches(&server.probe.live, 0).await;
}

#[tokio::test]
async fn a_reader_that_stalls_too_long_gets_an_error_not_an_end() {
    let server = TestServer::with(|c| c.reader_stall = Duration::from_millis(100)).await;
    let mut client = server.client().await;
    let info = client.execute("endless".into(), None).await.unwrap();
    let stream = client
        .do_get(info.endpoint[0].ticket.clone().unwrap())
        .await
        .unwrap();
    reaches(&server.probe.live, 0).await;
    let outcome = stream.try_for_each(|_| std::future::ready(Ok(()))).await;
    assert_eq!(Status::from(outcome.unwrap_err()).code(), Code::Cancelled);
}

#[tokio::test]
async fn a_waiting_result_can_be_cancelled_by_its_owner_only() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let mut other = server.user("eve").await;
    let info = client.execute("endless".into(), None).await.unwrap();
    let request = CancelFlightInfoRequest {
        info: Some(info.clone()),
    }
    .encode_to_vec();
    let refused = act(&mut other, "CancelFlightInfo", request.clone())
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    let bodies = act(&mut client, "CancelFlightInfo", request).await.unwrap();
    let result = CancelFlightInfoResult::decode(&*bodies[0]).unwrap();
    assert_eq!(result.status(), CancelStatus::Cancelled);
    reaches(&server.probe.live, 0).await;
}

#[tokio::test]
async fn the_older_cancel_works_too_and_by_the_ticket_alone() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let mut info = client.execute("endless".into(), None).await.unwrap();
    info.app_metadata.clear();
    let request = ActionCancelQueryRequest {
        info: info.encode_to_vec().into(),
    };
    let body = Any::pack(&request).unwrap().encode_to_vec();
    let bodies = act(&mut client, "CancelQuery", body).await.unwrap();
    let any = Any::decode(&*bodies[0]).unwrap();
    let result: ActionCancelQueryResult = any.unpack().unwrap().unwrap();
    assert_eq!(result.result, CancelStatus::Cancelled as i32);
    reaches(&server.probe.live, 0).await;
}
