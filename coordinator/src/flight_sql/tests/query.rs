//! Results: types, tickets, sizes, errors.

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type, Schema};
use arrow::util::display::array_value_to_string;
use arrow_flight::sql::{CommandStatementQuery, CommandStatementSubstraitPlan};
use arrow_flight::{FlightDescriptor, IpcMessage, Ticket};
use futures::TryStreamExt;
use tonic::{Code, Status};

use super::harness::{Client, TestServer, descriptor, fetch, query};

#[tokio::test]
async fn rows_arrive_as_they_are_in_plain_types_and_with_double_names() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let sql = "select arrow_cast(v, 'Utf8View') as x, arrow_cast(v, 'Dictionary(Int32, Utf8)') as d
               from (values ('a'), (null), ('c')) t(v)";
    let info = client.execute(sql.to_owned(), None).await.unwrap();
    let rows = fetch(&mut client, &info).await;
    let described = info.try_decode_schema().unwrap();
    assert_eq!(&described, rows[0].schema().as_ref());
    assert!(
        described
            .fields()
            .iter()
            .all(|f| f.data_type() == &DataType::Utf8)
    );
    for column in rows[0].columns() {
        let values: Vec<_> = column.as_string::<i32>().iter().collect();
        assert_eq!(values, [Some("a"), None, Some("c")]);
    }
}

#[tokio::test]
async fn every_kind_of_value_arrives_as_it_was() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let digits = "1234567890123456789012345678901234567890.12";
    for (expr, kind, text) in [
        (
            format!("cast('{digits}' as decimal(60, 2))"),
            "Decimal256(60, 2)",
            digits,
        ),
        (
            "cast('1.50' as decimal(5, 2))".into(),
            "Decimal128(5, 2)",
            "1.50",
        ),
        ("time '01:02:03.5'".into(), "Time64(ns)", "01:02:03.500"),
        (
            "timestamp '2024-02-29 01:02:03'".into(),
            "Timestamp(ns)",
            "2024-02-29T01:02:03",
        ),
        (
            "arrow_cast('2024-02-29T01:02:03Z', 'Timestamp(Microsecond, Some(\"+00:00\"))')".into(),
            "Timestamp(µs, \"+00:00\")",
            "2024-02-29T01:02:03Z",
        ),
        ("date '2024-02-29'".into(), "Date32", "2024-02-29"),
        ("X'00ff'".into(), "Binary", "00ff"),
        (
            "interval '14 months 3 days'".into(),
            "Interval(MonthDayNano)",
            "14 mons 3 days",
        ),
        ("cast(null as int)".into(), "Int32", ""),
        ("arrow_cast('a', 'LargeUtf8')".into(), "LargeUtf8", "a"),
        ("[1, null, 2]".into(), "List(Int64)", "[1, , 2]"),
        (
            "named_struct('a', 1, 'b', 'x')".into(),
            "Struct(\"a\": Int64, \"b\": Utf8)",
            "{a: 1, b: x}",
        ),
        ("map(['k'], [1])".into(), "Map", "{k: 1}"),
    ] {
        let sql = format!("select {expr} as v");
        let info = client.execute(sql.clone(), None).await.unwrap();
        let rows = fetch(&mut client, &info).await;
        let schema = info.try_decode_schema().unwrap();
        assert_eq!(&schema, rows[0].schema().as_ref(), "{sql}");
        let data_type = schema.field(0).data_type().to_string();
        let plain = data_type.replace("non-null ", "");
        assert!(plain.starts_with(kind), "{sql} is {data_type}");
        let shown = array_value_to_string(rows[0].column(0), 0).unwrap();
        assert_eq!(shown, text, "{sql}");
    }
}

#[tokio::test]
async fn a_flight_info_comes_before_the_first_row() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let info = client.execute("waits".into(), None).await.unwrap();
    assert_eq!(*server.probe.live.borrow(), 1);
    server.probe.go.send_replace(1);
    assert_eq!(fetch(&mut client, &info).await[0].num_rows(), 8192);
}

#[tokio::test]
async fn a_result_without_rows_has_its_columns() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let info = client
        .execute("select 1 as one where false".into(), None)
        .await
        .unwrap();
    let mut stream = client
        .do_get(info.endpoint[0].ticket.clone().unwrap())
        .await
        .unwrap();
    assert!(stream.try_next().await.unwrap().is_none());
    assert_eq!(stream.schema().unwrap().field(0).name(), "one");
}

#[tokio::test]
async fn the_schema_call_agrees_with_the_flight_info_and_runs_nothing() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let command = CommandStatementQuery {
        query: "select 'a' as s".into(),
        transaction_id: None,
    };
    let info = client.execute(command.query.clone(), None).await.unwrap();
    let token = client.token().unwrap().clone();
    let mut request = tonic::Request::new(descriptor(&command));
    request
        .metadata_mut()
        .insert("authorization", format!("Bearer {token}").parse().unwrap());
    let schema = client
        .inner_mut()
        .get_schema(request)
        .await
        .unwrap()
        .into_inner();
    let schema = Schema::try_from(IpcMessage(schema.schema)).unwrap();
    assert_eq!(schema, info.try_decode_schema().unwrap());
}

#[tokio::test]
async fn a_ticket_is_redeemed_once_and_by_its_owner_only() {
    let server = TestServer::start().await;
    let mut owner = server.user("ada").await;
    let mut other = server.user("eve").await;
    let mut second_session = server.user("ada").await;
    let info = owner.execute("select 1".into(), None).await.unwrap();
    assert_eq!(
        refusal(&mut other, &info.endpoint[0].ticket).await,
        Code::NotFound
    );
    assert_eq!(fetch(&mut second_session, &info).await.len(), 1);
    assert_eq!(
        refusal(&mut owner, &info.endpoint[0].ticket).await,
        Code::NotFound
    );
}

async fn refusal(client: &mut Client, ticket: &Option<Ticket>) -> Code {
    Status::from(
        client
            .do_get(ticket.clone().unwrap())
            .await
            .map(drop)
            .unwrap_err(),
    )
    .code()
}

#[tokio::test]
async fn an_update_run_as_a_query_runs_once_and_tells_its_count() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    query(&mut client, "create table t (a int)").await;
    let count = query(&mut client, "insert into t values (1), (2)").await;
    assert_eq!(count[0].column(0).as_primitive::<Int64Type>().value(0), 2);
    assert_eq!(
        client
            .execute_update("insert into t values (3)".into(), None)
            .await
            .unwrap(),
        1
    );
    let rows = query(&mut client, "select count(*) from t").await;
    assert_eq!(rows[0].column(0).as_primitive::<Int64Type>().value(0), 3);
    let refused = client
        .execute_update("select 1".into(), None)
        .await
        .unwrap_err();
    assert_eq!(Status::from(refused).code(), Code::InvalidArgument);
}

#[tokio::test]
async fn an_error_late_in_a_stream_is_an_error_with_its_code() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    for (sql, code, text) in [
        ("fails late", Code::InvalidArgument, "row 24577 is broken"),
        ("panics", Code::Internal, "failed unexpectedly"),
    ] {
        let info = client.execute(sql.into(), None).await.unwrap();
        let ticket = info.endpoint[0].ticket.clone().unwrap();
        let stream = client.do_get(ticket).await.unwrap();
        let outcome: Result<Vec<RecordBatch>, _> = stream.try_collect().await;
        let status = Status::from(outcome.unwrap_err());
        assert_eq!(status.code(), code);
        assert!(status.message().contains(text), "{status}");
        assert_eq!(
            status.metadata().get("x-query-id").unwrap().as_bytes(),
            &*info.app_metadata
        );
        assert!(status.metadata().contains_key("x-sqlstate"));
    }
}

#[tokio::test]
async fn a_wrong_statement_is_an_invalid_argument_with_a_sqlstate() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let status = Status::from(client.execute("selec 1".into(), None).await.unwrap_err());
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(status.metadata().get("x-sqlstate").unwrap(), "42000");
    assert!(!status.details().is_empty());
}

#[tokio::test]
async fn small_batches_are_joined_and_slices_do_not_fall_apart() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    for (sql, rows, batches_max) in [("small", 10_000, 3), ("wide slices", 1536, 1)] {
        let batches = query(&mut client, sql).await;
        assert_eq!(
            batches.iter().map(RecordBatch::num_rows).sum::<usize>(),
            rows
        );
        assert!(batches.len() <= batches_max, "{} batches", batches.len());
    }
}

#[tokio::test]
async fn large_rows_are_cut_into_messages_that_clients_take() {
    let server = TestServer::start().await;
    // The client refuses messages over 4 MiB.
    let mut client = server.client().await;
    let sql = "select repeat('x', 100000) as s from range(200)";
    let batches = query(&mut client, sql).await;
    assert_eq!(
        batches.iter().map(RecordBatch::num_rows).sum::<usize>(),
        200
    );
    assert!(batches.len() >= 10, "{} batches", batches.len());
}

#[tokio::test]
async fn nonsense_is_refused_in_plain_words() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let token = client.token().unwrap().clone();
    let mut descriptors = vec![
        FlightDescriptor::new_path(vec!["t".into()]),
        FlightDescriptor::new_cmd("nonsense"),
        FlightDescriptor::default(),
        descriptor(&CommandStatementSubstraitPlan::default()),
    ];
    let transaction = Some(bytes::Bytes::from_static(b"t"));
    let command = CommandStatementQuery {
        query: "select 1".into(),
        transaction_id: transaction,
    };
    descriptors.push(descriptor(&command));
    for descriptor in descriptors {
        let mut request = tonic::Request::new(descriptor);
        request
            .metadata_mut()
            .insert("authorization", format!("Bearer {token}").parse().unwrap());
        let status = client
            .inner_mut()
            .get_flight_info(request)
            .await
            .unwrap_err();
        assert!(
            matches!(status.code(), Code::InvalidArgument | Code::Unimplemented),
            "{status}"
        );
        assert!(!status.message().contains("Error"), "{status}");
    }
    let tickets = [Ticket::default(), Ticket { ticket: "x".into() }];
    for ticket in tickets {
        let status = Status::from(client.do_get(ticket).await.map(drop).unwrap_err());
        assert!(matches!(status.code(), Code::InvalidArgument), "{status}");
    }
    assert_eq!(query(&mut client, "select 1").await.len(), 1);
}
