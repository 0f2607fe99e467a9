//! Who is let in, for how long, and how many.

use std::sync::atomic::Ordering;
use std::time::Duration;

use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::CommandGetCatalogs;
use arrow_flight::{Empty, Ticket};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tonic::{Code, Request, Status};

use super::harness::{TestServer, act, descriptor, query, reaches};

#[tokio::test]
async fn a_handshake_opens_the_door_and_a_wrong_password_does_not() {
    let server = TestServer::start().await;
    let mut client = server.stranger().await;
    assert!(client.handshake("ada", "wrong").await.is_err());
    assert!(client.handshake("ada", "secret").await.is_ok());
    assert_eq!(query(&mut client, "select 1").await[0].num_rows(), 1);
}

#[tokio::test]
async fn every_call_without_login_is_refused() {
    let server = TestServer::start().await;
    let mut client = FlightServiceClient::new(server.channel().await);
    let codes = [
        client
            .get_flight_info(descriptor(&CommandGetCatalogs {}))
            .await
            .unwrap_err()
            .code(),
        client
            .get_schema(descriptor(&CommandGetCatalogs {}))
            .await
            .unwrap_err()
            .code(),
        client
            .poll_flight_info(descriptor(&CommandGetCatalogs {}))
            .await
            .unwrap_err()
            .code(),
        client
            .do_get(Ticket::default())
            .await
            .map(drop)
            .unwrap_err()
            .code(),
        client
            .list_actions(Empty {})
            .await
            .map(drop)
            .unwrap_err()
            .code(),
        client
            .do_put(tokio_stream::empty())
            .await
            .map(drop)
            .unwrap_err()
            .code(),
        client
            .do_exchange(tokio_stream::empty())
            .await
            .map(drop)
            .unwrap_err()
            .code(),
    ];
    assert_eq!(codes, [Code::Unauthenticated; 7]);
    for token in [
        "",
        "x",
        "Bearer",
        "Bearer x",
        "Basic eA==",
        "Basic ?",
        "Negotiate x",
    ] {
        let mut request = Request::new(descriptor(&CommandGetCatalogs {}));
        request
            .metadata_mut()
            .insert("authorization", token.parse().unwrap());
        let refused = client.get_flight_info(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated, "{token}");
    }
}

#[tokio::test]
async fn user_and_password_on_every_call_share_one_session_per_connection() {
    let server = TestServer::start().await;
    for connection in 1..=2 {
        let mut client = server.stranger().await;
        let basic = format!("Basic {}", STANDARD.encode("ada:secret"));
        client.set_header("authorization", basic);
        query(&mut client, "select 1").await;
        query(&mut client, "select 2").await;
        assert_eq!(*server.probe.logins.borrow(), connection);
    }
}

#[tokio::test]
async fn an_api_token_on_every_call_has_one_session_per_connection() {
    let server = TestServer::start().await;
    for connection in 1..=2 {
        let mut client = server.stranger().await;
        client.set_token("api token".to_owned());
        query(&mut client, "select 1").await;
        query(&mut client, "select 2").await;
        assert_eq!(*server.probe.logins.borrow(), connection);
    }
}

#[tokio::test]
async fn a_token_of_another_coordinator_names_one_session_on_all_connections() {
    let server = TestServer::start().await;
    for _ in 0..2 {
        let mut client = server.stranger().await;
        client.set_token("another coordinator's".to_owned());
        query(&mut client, "select 1").await;
        query(&mut client, "select 2").await;
        assert_eq!(*server.probe.logins.borrow(), 1);
    }
}

#[tokio::test]
async fn a_token_that_has_expired_is_refused() {
    let server = TestServer::start().await;
    server.probe.token_life_s.store(0, Ordering::Relaxed);
    let mut client = server.client().await;
    let refused = Status::from(client.execute("select 1".into(), None).await.unwrap_err());
    assert_eq!(refused.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn idle_sessions_end_and_their_tokens_with_them() {
    let server = TestServer::with(|c| c.session_idle = Duration::from_millis(100)).await;
    let mut client = server.client().await;
    reaches(&server.probe.closed, 1).await;
    let refused = Status::from(client.execute("select 1".into(), None).await.unwrap_err());
    assert_eq!(refused.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn a_session_that_the_backend_ends_is_over() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    server.probe.open.store(false, Ordering::Relaxed);
    let refused = Status::from(client.execute("select 1".into(), None).await.unwrap_err());
    assert_eq!(refused.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn closing_a_session_ends_it_and_drops_its_results() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    client.execute("endless".into(), None).await.unwrap();
    act(&mut client, "CloseSession", "").await.unwrap();
    reaches(&server.probe.live, 0).await;
    reaches(&server.probe.closed, 1).await;
    let refused = act(&mut client, "GetSessionOptions", "").await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn logins_beyond_the_limit_are_refused() {
    let server = TestServer::with(|c| c.sessions_max = 1).await;
    let _first = server.client().await;
    let refused = server
        .stranger()
        .await
        .handshake("ada", "secret")
        .await
        .unwrap_err();
    assert!(
        refused.to_string().contains("1 sessions are open"),
        "{refused}"
    );
}
