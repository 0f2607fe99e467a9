//! Prepared statements: parameters, handles, counts.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::sql::{
    ActionCreatePreparedStatementRequest, Any, CommandPreparedStatementUpdate, DoPutUpdateResult,
};
use futures::{TryStreamExt, stream};
use prost::Message;
use tonic::{Code, Status};

use super::super::messages::PreparedStatementResult;
use super::harness::{Client, TestServer, act, descriptor, fetch, query};

#[tokio::test]
async fn a_query_takes_parameters_and_can_run_again() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let mut statement = client
        .prepare("select $1 + 1 as n".into(), None)
        .await
        .unwrap();
    for value in [41, 1] {
        statement.set_parameters(numbers(&[value])).unwrap();
        let info = statement.execute().await.unwrap();
        let rows = fetch(&mut client, &info).await;
        assert_eq!(
            rows[0].column(0).as_primitive::<Int64Type>().value(0),
            value + 1
        );
    }
    statement.set_parameters(numbers(&[1, 2])).unwrap();
    statement.execute().await.unwrap();
    assert_eq!(server.probe.parameters.lock()[0].num_rows(), 2);
}

#[tokio::test]
async fn what_prepare_tells_is_fit_for_drivers() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    query(
        &mut client,
        "create table t (at timestamp, day date, s varchar, noon time)",
    )
    .await;
    let sql = "select s from t where at = $1 and day = $2 and s = $3 and noon = $4";
    let statement = client.prepare(sql.into(), None).await.unwrap();
    assert_eq!(
        statement.dataset_schema().unwrap().field(0).data_type(),
        &DataType::Utf8
    );
    let parameters = statement.parameter_schema().unwrap();
    let types: Vec<_> = parameters
        .fields()
        .iter()
        .map(|f| f.data_type().clone())
        .collect();
    let millis = DataType::Timestamp(TimeUnit::Millisecond, None);
    let noon = DataType::Time32(TimeUnit::Millisecond);
    assert_eq!(types, [millis, DataType::Date32, DataType::Utf8, noon]);
    let untyped = client.prepare("select $1".into(), None).await.unwrap();
    assert_eq!(
        untyped.parameter_schema().unwrap().field(0).data_type(),
        &DataType::Utf8
    );
}

#[tokio::test]
async fn an_update_is_told_from_a_query() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let update = prepare(&mut client, "create table t (a bigint)").await;
    assert_eq!(
        (update.is_update, update.dataset_schema.len()),
        (Some(true), 0)
    );
    let select = prepare(&mut client, "select 1").await;
    assert_eq!(select.is_update, Some(false));
    assert!(!select.dataset_schema.is_empty());
}

async fn prepare(client: &mut Client, sql: &str) -> PreparedStatementResult {
    let request = ActionCreatePreparedStatementRequest {
        query: sql.into(),
        transaction_id: None,
    };
    let body = Any::pack(&request).unwrap().encode_to_vec();
    let bodies = act(client, "CreatePreparedStatement", body).await.unwrap();
    let any = Any::decode(&*bodies[0]).unwrap();
    assert!(
        any.type_url
            .ends_with("sql.ActionCreatePreparedStatementResult")
    );
    PreparedStatementResult::decode(any.value).unwrap()
}

#[tokio::test]
async fn an_update_runs_for_each_row_of_parameters_and_counts_together() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    query(&mut client, "create table t (a bigint)").await;
    // As arrow-rs and JDBC do: bind first, then run.
    let mut insert = client
        .prepare("insert into t values ($1)".into(), None)
        .await
        .unwrap();
    insert.set_parameters(numbers(&[1, 2, 3])).unwrap();
    assert_eq!(insert.execute_update().await.unwrap(), 3);
    // As ADBC does: the rows come with the command.
    let handle = prepare(&mut client, "insert into t values ($1)")
        .await
        .handle;
    for (values, expected) in [(&[4_i64, 5][..], 2), (&[], 0)] {
        let command = CommandPreparedStatementUpdate {
            prepared_statement_handle: handle.clone(),
        };
        let messages: Vec<_> = FlightDataEncoderBuilder::new()
            .with_flight_descriptor(Some(descriptor(&command)))
            .with_schema(numbers(&[]).schema())
            .build(stream::iter([Ok(numbers(values))]))
            .try_collect()
            .await
            .unwrap();
        let mut results = client.do_put(stream::iter(messages)).await.unwrap();
        let result = results.message().await.unwrap().unwrap();
        let count = DoPutUpdateResult::decode(result.app_metadata)
            .unwrap()
            .record_count;
        assert_eq!(count, expected);
    }
    let rows = query(&mut client, "select sum(a) from t").await;
    assert_eq!(rows[0].column(0).as_primitive::<Int64Type>().value(0), 15);
}

#[tokio::test]
async fn a_handle_works_in_its_session_until_closed() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let statement = client.prepare("select 1".into(), None).await.unwrap();
    let mut kept = statement.clone();
    assert!(kept.execute().await.is_ok());
    statement.close().await.unwrap();
    assert_eq!(
        Status::from(kept.execute().await.unwrap_err()).code(),
        Code::NotFound
    );
}

#[tokio::test]
async fn statements_beyond_the_limit_are_refused() {
    let server = TestServer::with(|c| c.prepared_max = 1).await;
    let mut client = server.client().await;
    let first = client.prepare("select 1".into(), None).await.unwrap();
    let refused = Status::from(client.prepare("select 1".into(), None).await.unwrap_err());
    assert_eq!(refused.code(), Code::ResourceExhausted);
    first.close().await.unwrap();
    assert!(client.prepare("select 1".into(), None).await.is_ok());
}

#[tokio::test]
async fn text_parameters_arrive_as_they_were_sent() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let mut statement = client.prepare("select $1 as s".into(), None).await.unwrap();
    let column = Arc::new(StringArray::from(vec!["it's; --"])) as ArrayRef;
    let batch = RecordBatch::try_from_iter([("$1", column)]).unwrap();
    statement.set_parameters(batch).unwrap();
    let info = statement.execute().await.unwrap();
    assert_eq!(
        fetch(&mut client, &info).await[0]
            .column(0)
            .as_string::<i32>()
            .value(0),
        "it's; --"
    );
    assert_eq!(server.probe.parameters.lock()[0].num_rows(), 1);
}

fn numbers(values: &[i64]) -> RecordBatch {
    let column = Arc::new(Int64Array::from(values.to_vec())) as ArrayRef;
    RecordBatch::try_from_iter_with_nullable([("$1", column, true)]).unwrap()
}
