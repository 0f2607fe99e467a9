//! Damaged messages: refused in words, never by a panic, and the connection lives on.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::sql::{
    ActionCreatePreparedStatementRequest, Any, CommandGetTables, CommandPreparedStatementQuery,
    CommandStatementQuery, ProstMessageExt,
};
use arrow_flight::{FlightData, FlightDescriptor, Ticket};
use arrow_ipc::CompressionType;
use arrow_ipc::writer::IpcWriteOptions;
use bytes::Bytes;
use futures::{TryStreamExt, stream};
use prost::Message;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tonic::{Code, Request, Status};

use super::super::messages::PreparedStatementResult;
use super::harness::{Client, TestServer, act, descriptor, query};

const ROUNDS: usize = 300;

#[tokio::test]
async fn damaged_commands_tickets_and_actions_are_refused() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let mut random = StdRng::seed_from_u64(7);
    let whole = [
        packed(&CommandStatementQuery {
            query: "select 1".into(),
            transaction_id: None,
        }),
        packed(&CommandGetTables {
            catalog: Some("datafusion".into()),
            ..Default::default()
        }),
    ];
    for round in 0..ROUNDS {
        let bytes = damage(&whole[round % 2], &mut random);
        let mut request = Request::new(FlightDescriptor::new_cmd(bytes.clone()));
        let bearer = format!("Bearer {}", client.token().unwrap());
        request
            .metadata_mut()
            .insert("authorization", bearer.parse().unwrap());
        expect_words(client.inner_mut().get_flight_info(request).await.map(drop));
        let ticket = Ticket {
            ticket: bytes.clone(),
        };
        expect_words(client.do_get(ticket).await.map(drop).map_err(Status::from));
        for kind in ["CancelFlightInfo", "CancelQuery", "SetSessionOptions"] {
            expect_words(act(&mut client, kind, bytes.clone()).await.map(drop));
        }
    }
    assert_eq!(query(&mut client, "select 1").await.len(), 1);
}

#[tokio::test]
async fn damaged_rows_of_parameters_are_refused() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let mut random = StdRng::seed_from_u64(11);
    let messages = parameters(&mut client, IpcWriteOptions::default()).await;
    for round in 0..ROUNDS {
        let mut messages = messages.clone();
        let at = round % messages.len();
        let message = &mut messages[at];
        if random.random_bool(0.5) {
            message.data_header = damage(&message.data_header, &mut random);
        } else {
            message.data_body = damage(&message.data_body, &mut random);
        }
        let outcome = async {
            client
                .do_put(stream::iter(messages))
                .await?
                .message()
                .await?;
            Ok::<_, arrow_flight::error::FlightError>(())
        };
        expect_words(outcome.await.map_err(Status::from));
    }
    assert_eq!(query(&mut client, "select 1").await.len(), 1);
}

#[tokio::test]
async fn compressed_rows_are_refused_before_they_are_unpacked() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let compression = Some(CompressionType::LZ4_FRAME);
    let options = IpcWriteOptions::default()
        .try_with_compression(compression)
        .unwrap();
    let messages = parameters(&mut client, options).await;
    let outcome = client.do_put(stream::iter(messages)).await.map(drop);
    assert_eq!(
        Status::from(outcome.unwrap_err()).code(),
        Code::Unimplemented
    );
}

#[tokio::test]
async fn a_message_that_is_too_long_is_refused_with_the_limit_and_the_way_out() {
    let server = TestServer::with(|config| config.message_bytes_max = 10_000).await;
    let mut client = server.client().await;
    let sql = format!("select '{}'", "x".repeat(10_000));
    let refused = client.execute(sql, None).await.map(drop).unwrap_err();
    let status = Status::from(refused);
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    for word in ["at most 10000", "max_sql_length", "smaller batches"] {
        assert!(status.message().contains(word), "{status}");
    }
    assert_eq!(query(&mut client, "select 1").await.len(), 1);
}

/// The messages that bind two parameters.
async fn parameters(client: &mut Client, options: IpcWriteOptions) -> Vec<FlightData> {
    let sql = "select $1 + 1, $2".to_owned();
    let request = ActionCreatePreparedStatementRequest {
        query: sql,
        transaction_id: None,
    };
    let bodies = act(client, "CreatePreparedStatement", packed(&request))
        .await
        .unwrap();
    let any = Any::decode(&*bodies[0]).unwrap();
    let handle = PreparedStatementResult::decode(any.value).unwrap().handle;
    let command = CommandPreparedStatementQuery {
        prepared_statement_handle: handle,
    };
    let numbers = Arc::new(Int64Array::from(vec![Some(1), None])) as ArrayRef;
    let texts = Arc::new(StringArray::from(vec![None, Some("text")])) as ArrayRef;
    let batch = RecordBatch::try_from_iter([("$1", numbers), ("$2", texts)]).unwrap();
    FlightDataEncoderBuilder::new()
        .with_flight_descriptor(Some(descriptor(&command)))
        .with_options(options)
        .build(stream::iter([Ok(batch)]))
        .try_collect()
        .await
        .unwrap()
}

fn packed(message: &impl ProstMessageExt) -> Bytes {
    message.as_any().encode_to_vec().into()
}

/// Changes, cuts or lengthens a few bytes.
fn damage(bytes: &Bytes, random: &mut StdRng) -> Bytes {
    let mut bytes = bytes.to_vec();
    for _ in 0..random.random_range(1..4) {
        let at = random.random_range(0..=bytes.len());
        match random.random_range(0..8) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, random.random()),
            _ if at < bytes.len() => bytes[at] = random.random(),
            _ => {}
        }
    }
    bytes.into()
}

fn expect_words(outcome: Result<(), Status>) {
    if let Err(status) = outcome {
        assert!(
            !status.message().contains("failed unexpectedly"),
            "{status}"
        );
        assert!(!status.message().contains("panicked"), "{status}");
    }
}
