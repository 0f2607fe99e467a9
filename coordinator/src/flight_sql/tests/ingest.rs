//! Bulk ingestion: what is asked for, how rows come, what is refused.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow_flight::FlightData;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::sql::{
    CommandStatementIngest, DoPutUpdateResult, TableDefinitionOptions, TableExistsOption,
    TableNotExistOption,
};
use futures::{StreamExt, TryStreamExt, stream};
use prost::Message;
use tonic::{Code, Status};

use super::harness::{Client, TestServer, descriptor, reaches};
use crate::ingest::IfExists;

#[tokio::test]
async fn several_batches_are_one_upload_with_one_count() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let batches: Vec<_> = (0..5).map(|n| numbers(&[n, n + 10])).collect();
    let count = upload(&mut client, command(), &batches).await.unwrap();
    assert_eq!(count, 10);
    let uploads = server.probe.uploads.lock();
    let [(ingest, rows)] = uploads.as_slice() else {
        unreachable!("{} uploads", uploads.len())
    };
    assert_eq!((ingest.table.as_str(), ingest.create), ("T", true));
    assert_eq!(ingest.if_exists, IfExists::Append);
    assert_eq!(
        (&ingest.catalog, ingest.schema.as_deref()),
        (&None, Some("s"))
    );
    assert_eq!(rows, &batches);
}

#[tokio::test]
async fn an_upload_without_rows_has_columns_all_the_same() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    assert_eq!(upload(&mut client, command(), &[]).await.unwrap(), 0);
    assert_eq!(server.probe.uploads.lock().len(), 1);
}

#[tokio::test]
async fn an_upload_that_breaks_off_is_dropped() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let messages = messages(command(), &[numbers(&[1])]).await;
    {
        let unfinished = stream::iter(messages).chain(stream::pending());
        let call = client.do_put(unfinished);
        let started = reaches(&server.probe.live, 1);
        tokio::select! {
            _ = call => unreachable!("the upload has no end"),
            () = started => {}
        }
    }
    reaches(&server.probe.live, 0).await;
    assert!(server.probe.uploads.lock().is_empty());
}

#[tokio::test]
async fn a_damaged_batch_fails_the_upload() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let mut messages = messages(command(), &[numbers(&[1]), numbers(&[2])]).await;
    let last = messages.last_mut().unwrap();
    last.data_body = last.data_body.slice(..1);
    let refused = put(&mut client, messages).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    assert!(server.probe.uploads.lock().is_empty());
}

#[tokio::test]
async fn what_is_not_served_is_refused_by_name() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let unspecified = TableDefinitionOptions::default();
    for (change, code, word) in [
        (
            CommandStatementIngest {
                temporary: true,
                ..command()
            },
            Code::Unimplemented,
            "temporary",
        ),
        (
            CommandStatementIngest {
                transaction_id: Some("t".into()),
                ..command()
            },
            Code::InvalidArgument,
            "transaction",
        ),
        (
            CommandStatementIngest {
                options: HashMap::from([("shards".to_owned(), "4".to_owned())]),
                ..command()
            },
            Code::Unimplemented,
            "shards",
        ),
        (
            CommandStatementIngest {
                table_definition_options: Some(unspecified),
                ..command()
            },
            Code::InvalidArgument,
            "does not exist",
        ),
        (
            CommandStatementIngest {
                table_definition_options: None,
                ..command()
            },
            Code::InvalidArgument,
            "exists",
        ),
        (
            CommandStatementIngest {
                table: String::new(),
                ..command()
            },
            Code::InvalidArgument,
            "table",
        ),
    ] {
        let refused = upload(&mut client, change, &[numbers(&[1])]).await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.code(), code, "{refused}");
        assert!(refused.message().contains(word), "{refused}");
    }
    assert!(server.probe.uploads.lock().is_empty());
}

fn command() -> CommandStatementIngest {
    CommandStatementIngest {
        table_definition_options: Some(TableDefinitionOptions {
            if_not_exist: TableNotExistOption::Create as i32,
            if_exists: TableExistsOption::Append as i32,
        }),
        table: "T".to_owned(),
        schema: Some("s".to_owned()),
        catalog: None,
        temporary: false,
        transaction_id: None,
        options: HashMap::new(),
    }
}

async fn upload(
    client: &mut Client,
    command: CommandStatementIngest,
    batches: &[RecordBatch],
) -> Result<i64, Status> {
    let messages = messages(command, batches).await;
    put(client, messages).await
}

async fn put(client: &mut Client, messages: Vec<FlightData>) -> Result<i64, Status> {
    let mut results = client
        .do_put(stream::iter(messages))
        .await
        .map_err(Status::from)?;
    let result = results.message().await?.expect("a count");
    let count = DoPutUpdateResult::decode(result.app_metadata).expect("a count");
    Ok(count.record_count)
}

async fn messages(command: CommandStatementIngest, batches: &[RecordBatch]) -> Vec<FlightData> {
    let rows: Vec<_> = batches.iter().cloned().map(Ok).collect();
    FlightDataEncoderBuilder::new()
        .with_flight_descriptor(Some(descriptor(&command)))
        .with_schema(numbers(&[]).schema())
        .build(stream::iter(rows))
        .try_collect()
        .await
        .expect("encodable rows")
}

fn numbers(values: &[i64]) -> RecordBatch {
    let column = Arc::new(Int64Array::from(values.to_vec())) as ArrayRef;
    RecordBatch::try_from_iter_with_nullable([("n", column, true)]).expect("one column")
}
