//! Actions: session options, refusals, the backend's own.

use std::collections::HashMap;

use arrow_flight::Empty;
use arrow_flight::sql::{ActionBeginTransactionRequest, Any};
use futures::TryStreamExt;
use prost::Message;
use tonic::{Code, Request};

use super::super::OptionValue;
use super::super::messages::{
    GetSessionOptionsResult, OptionErrorKind, SessionOptionValue, SetSessionOptionsRequest,
    SetSessionOptionsResult,
};
use super::harness::{TestServer, act};

#[tokio::test]
async fn session_options_are_set_read_and_refused_one_by_one() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let text = |text: &str| SessionOptionValue::from(OptionValue::Text(text.to_owned()));
    let session_options = HashMap::from([
        ("schema".to_owned(), text("sales")),
        ("catalog".to_owned(), text("bad")),
        ("nothing".to_owned(), text("x")),
    ]);
    let request = SetSessionOptionsRequest { session_options };
    let bodies = act(&mut client, "SetSessionOptions", request.encode_to_vec())
        .await
        .unwrap();
    let errors = SetSessionOptionsResult::decode(&*bodies[0]).unwrap().errors;
    assert_eq!(errors.len(), 2);
    assert_eq!(errors["catalog"].value(), OptionErrorKind::InvalidValue);
    assert_eq!(errors["nothing"].value(), OptionErrorKind::InvalidName);
    let bodies = act(&mut client, "GetSessionOptions", "").await.unwrap();
    let options = GetSessionOptionsResult::decode(&*bodies[0])
        .unwrap()
        .session_options;
    assert_eq!(options["schema"], text("sales"));
    assert_eq!(options["batch_size"], OptionValue::Int(8192).into());
}

#[tokio::test]
async fn what_is_not_served_is_unimplemented() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let begin = Any::pack(&ActionBeginTransactionRequest {})
        .unwrap()
        .encode_to_vec();
    for kind in ["BeginTransaction", "EndTransaction", "Nonsense", ""] {
        let refused = act(&mut client, kind, begin.clone()).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unimplemented, "{kind}");
    }
    for kind in ["CancelFlightInfo", "RenewFlightEndpoint"] {
        let damaged = act(&mut client, kind, "damaged").await.unwrap_err();
        assert_eq!(damaged.code(), Code::InvalidArgument, "{kind}");
    }
}

#[tokio::test]
async fn the_backends_own_actions_need_no_login() {
    let server = TestServer::start().await;
    let mut stranger = server.stranger().await;
    let bodies = act(&mut stranger, "waterbuck.heartbeat", "beat")
        .await
        .unwrap();
    assert_eq!(bodies, ["beat"]);
    let refused = act(&mut stranger, "waterbuck.progress", "")
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn progress_is_told_by_query_id() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let id = uuid::Uuid::now_v7().to_string();
    let bodies = act(&mut client, "waterbuck.progress", id.clone())
        .await
        .unwrap();
    assert_eq!(bodies, ["{\"fraction\":0.5}"]);
    let nil = uuid::Uuid::nil().to_string();
    let unknown = act(&mut client, "waterbuck.progress", nil)
        .await
        .unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    let bodies = act(&mut client, "waterbuck.cancel", id).await.unwrap();
    assert_eq!(bodies, ["{\"cancelled\":false}"]);
}

#[tokio::test]
async fn the_served_actions_are_listed() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let mut request = Request::new(Empty {});
    let bearer = format!("Bearer {}", client.token().unwrap());
    request
        .metadata_mut()
        .insert("authorization", bearer.parse().unwrap());
    let actions = client
        .inner_mut()
        .list_actions(request)
        .await
        .unwrap()
        .into_inner();
    let actions: Vec<_> = actions
        .map_ok(|action| action.r#type)
        .try_collect()
        .await
        .unwrap();
    assert!(actions.contains(&"CancelFlightInfo".to_owned()));
    assert!(actions.contains(&"SetSessionOptions".to_owned()));
}
