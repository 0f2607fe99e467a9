//! How results travel: compressed, or as views, for clients that ask for it.

use std::collections::HashMap;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::DataType;
use arrow_flight::FlightInfo;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_ipc::{CompressionType, root_as_message};
use futures::{TryStreamExt, stream};
use prost::Message;
use tonic::{Code, Request};

use super::super::OptionValue;
use super::super::messages::{
    OptionErrorKind, SessionOptionValue, SetSessionOptionsRequest, SetSessionOptionsResult,
};
use super::harness::{Client, TestServer, act, fetch, query};

const TEXTS: &str = "select arrow_cast(repeat('water', 100), 'Utf8View') as s, value as n
                     from range(1000)";

#[tokio::test]
async fn rows_are_compressed_when_the_session_or_the_call_says_so() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let plain = query(&mut client, TEXTS).await;
    for (option, header, expected) in [
        ("none", None, None),
        ("lz4", None, Some(CompressionType::LZ4_FRAME)),
        ("lz4", Some("zstd"), Some(CompressionType::ZSTD)),
        ("zstd", Some("none"), None),
    ] {
        assert_eq!(set(&mut client, "result_compression", option).await, None);
        let info = client.execute(TEXTS.into(), None).await.unwrap();
        let (compression, rows) = raw(&mut client, &info, header).await;
        assert_eq!(compression, expected, "{option}, {header:?}");
        assert_eq!(rows, plain);
    }
}

#[tokio::test]
async fn unknown_compressions_are_refused() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let refused = set(&mut client, "result_compression", "snappy").await;
    assert_eq!(refused, Some(OptionErrorKind::InvalidValue));
    let info = client.execute("select 1".into(), None).await.unwrap();
    let mut request = request(&client, &info);
    let header = "snappy".parse().unwrap();
    request
        .metadata_mut()
        .insert("x-result-compression", header);
    let status = client.inner_mut().do_get(request).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    // The refusal has not used up the ticket.
    assert_eq!(fetch(&mut client, &info).await.len(), 1);
}

#[tokio::test]
async fn views_travel_to_clients_that_ask_for_them() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    for (views, expected) in [("true", DataType::Utf8View), ("false", DataType::Utf8)] {
        assert_eq!(set(&mut client, "result_views", views).await, None);
        let prepared = client.prepare(TEXTS.into(), None).await.unwrap();
        let told = prepared.dataset_schema().unwrap().clone();
        assert_eq!(told.field(0).data_type(), &expected);
        let info = client.execute(TEXTS.into(), None).await.unwrap();
        let sent = info.clone().try_decode_schema().unwrap();
        assert_eq!(sent.field(0).data_type(), &expected);
        let rows = fetch(&mut client, &info).await;
        assert_eq!(rows[0].column(0).data_type(), &expected);
        let texts = arrow::compute::cast(rows[0].column(0), &DataType::Utf8).unwrap();
        assert_eq!(texts.as_string::<i32>().value(0), "water".repeat(100));
    }
}

#[tokio::test]
async fn a_result_is_read_in_parts_by_clients_that_ask_for_them() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let whole = query(&mut client, TEXTS).await;
    let whole: usize = whole.iter().map(RecordBatch::num_rows).sum();
    assert_eq!(
        set(&mut client, "result_endpoints", "coordinator").await,
        None
    );
    let info = client.execute(TEXTS.into(), None).await.unwrap();
    assert_eq!((info.endpoint.len(), info.ordered), (2, false));
    let mut read = vec![];
    for endpoint in &info.endpoint {
        assert!(endpoint.location.is_empty());
        let part = FlightInfo {
            endpoint: vec![endpoint.clone()],
            ..info.clone()
        };
        let rows = fetch(&mut client, &part).await;
        read.push(rows.iter().map(RecordBatch::num_rows).sum::<usize>());
    }
    assert_eq!(read, [1, whole - 1]);
}

#[tokio::test]
async fn tickets_for_executors_are_used_there() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    assert_eq!(
        set(&mut client, "result_endpoints", "executors").await,
        None
    );
    assert_eq!(set(&mut client, "result_compression", "zstd").await, None);
    let info = client.execute(TEXTS.into(), None).await.unwrap();
    let locations = info.endpoint.iter().map(|endpoint| &endpoint.location[..]);
    for (task, location) in locations.enumerate() {
        assert_eq!(location[0].uri, format!("grpc+tcp://executor{task}:1"));
    }
    let ticket = info.endpoint[1].ticket.clone().unwrap();
    assert!(String::from_utf8_lossy(&ticket.ticket).contains("/1/zstd"));
    let error = client.do_get(ticket).await.map(drop).unwrap_err();
    assert!(error.to_string().contains("location"), "{error}");
    let refused = set(&mut client, "result_endpoints", "everywhere").await;
    assert_eq!(refused, Some(OptionErrorKind::InvalidValue));
}

async fn set(client: &mut Client, name: &str, value: &str) -> Option<OptionErrorKind> {
    let value = SessionOptionValue::from(OptionValue::Text(value.to_owned()));
    let session_options = HashMap::from([(name.to_owned(), value)]);
    let request = SetSessionOptionsRequest { session_options };
    let bodies = act(client, "SetSessionOptions", request.encode_to_vec()).await;
    let result = SetSessionOptionsResult::decode(&*bodies.expect("an answer")[0]);
    let errors = result.expect("an answer").errors;
    errors
        .get(name)
        .map(super::super::messages::OptionError::value)
}

fn request(client: &Client, info: &FlightInfo) -> Request<arrow_flight::Ticket> {
    let ticket = info.endpoint[0].ticket.clone();
    let mut request = Request::new(ticket.expect("a ticket"));
    let bearer = format!("Bearer {}", client.token().expect("a login"));
    let bearer = bearer.parse().expect("a header");
    request.metadata_mut().insert("authorization", bearer);
    request
}

/// The rows of a result, and how its first rows were compressed.
async fn raw(
    client: &mut Client,
    info: &FlightInfo,
    header: Option<&'static str>,
) -> (Option<CompressionType>, Vec<RecordBatch>) {
    let mut request = request(client, info);
    if let Some(header) = header {
        let value = header.parse().expect("a header");
        request.metadata_mut().insert("x-result-compression", value);
    }
    let messages = client.inner_mut().do_get(request).await.expect("rows");
    let messages: Vec<_> = messages.into_inner().try_collect().await.expect("rows");
    let compression = messages.iter().find_map(|message| {
        let header = root_as_message(&message.data_header).ok()?;
        Some(header.header_as_record_batch()?.compression()?.codec())
    });
    let messages = stream::iter(messages.into_iter().map(Ok::<_, FlightError>));
    let rows = FlightRecordBatchStream::new_from_flight_data(messages);
    (compression, rows.try_collect().await.expect("rows"))
}
