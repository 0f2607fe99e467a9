//! Metadata: filters, schemas, descriptions of columns.

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Schema};
use arrow_flight::sql::{
    CommandGetCatalogs, CommandGetCrossReference, CommandGetDbSchemas, CommandGetExportedKeys,
    CommandGetImportedKeys, CommandGetPrimaryKeys, CommandGetSqlInfo, CommandGetTableTypes,
    CommandGetTables, CommandGetXdbcTypeInfo, ProstMessageExt,
};
use arrow_flight::{FlightDescriptor, FlightInfo, IpcMessage};
use tonic::Request;

use super::harness::{Client, TestServer, descriptor, fetch, query};

fn authorised(client: &Client, descriptor: FlightDescriptor) -> Request<FlightDescriptor> {
    let mut request = Request::new(descriptor);
    let bearer = format!("Bearer {}", client.token().unwrap());
    request
        .metadata_mut()
        .insert("authorization", bearer.parse().unwrap());
    request
}

/// The rows of a command, after checking that schema, FlightInfo and rows agree.
async fn rows(client: &mut Client, command: impl ProstMessageExt) -> RecordBatch {
    let request = authorised(client, descriptor(&command));
    let info: FlightInfo = client
        .inner_mut()
        .get_flight_info(request)
        .await
        .unwrap()
        .into_inner();
    let request = authorised(client, descriptor(&command));
    let schema = client
        .inner_mut()
        .get_schema(request)
        .await
        .unwrap()
        .into_inner()
        .schema;
    let schema = Schema::try_from(IpcMessage(schema)).unwrap();
    assert_eq!(info.clone().try_decode_schema().unwrap(), schema);
    let batches = fetch(client, &info).await;
    match batches.into_iter().next() {
        Some(batch) => {
            assert_eq!(batch.schema().as_ref(), &schema);
            batch
        }
        None => RecordBatch::new_empty(schema.into()),
    }
}

fn texts(batch: &RecordBatch, column: usize) -> Vec<&str> {
    batch
        .column(column)
        .as_string::<i32>()
        .iter()
        .flatten()
        .collect()
}

#[tokio::test]
async fn catalogs_and_schemas_are_filtered_by_name_and_pattern() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let catalogs = rows(&mut client, CommandGetCatalogs {}).await;
    assert_eq!(texts(&catalogs, 0), ["datafusion", "other"]);
    for (catalog, pattern, expected) in [
        (None, None, &["a_b", "axb", "public"][..]),
        (Some("datafusion"), Some("a_b"), &["a_b", "axb"]),
        (Some("datafusion"), Some("a\\_b"), &["a_b"]),
        (Some(""), None, &[]),
        (Some("other"), Some("%"), &[]),
    ] {
        let command = CommandGetDbSchemas {
            catalog: catalog.map(str::to_owned),
            db_schema_filter_pattern: pattern.map(str::to_owned),
        };
        let schemas = rows(&mut client, command).await;
        assert_eq!(texts(&schemas, 1), expected, "{catalog:?} {pattern:?}");
    }
}

#[tokio::test]
async fn tables_come_with_their_columns_described_for_drivers() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    query(
        &mut client,
        "create table price (amount decimal(10, 2) not null, name varchar)",
    )
    .await;
    query(&mut client, "create table pr1ce (n int)").await;
    let mut command = CommandGetTables {
        table_name_filter_pattern: Some("pr_ce".to_owned()),
        include_schema: false,
        ..CommandGetTables::default()
    };
    let tables = rows(&mut client, command.clone()).await;
    assert_eq!(texts(&tables, 2), ["pr1ce", "price"]);
    assert_eq!(tables.num_columns(), 4);
    command.table_name_filter_pattern = Some("price".to_owned());
    command.include_schema = true;
    let tables = rows(&mut client, command.clone()).await;
    let bytes = tables.column(4).as_binary::<i32>().value(0).to_vec();
    let schema = Schema::try_from(IpcMessage(bytes.into())).unwrap();
    let (amount, name) = (schema.field(0), schema.field(1));
    assert_eq!(name.data_type(), &DataType::Utf8);
    assert_eq!(amount.metadata()["ARROW:FLIGHT:SQL:TYPE_NAME"], "DECIMAL");
    assert_eq!(amount.metadata()["ARROW:FLIGHT:SQL:PRECISION"], "10");
    assert_eq!(amount.metadata()["ARROW:FLIGHT:SQL:SCALE"], "2");
    command.table_types = vec!["VIEW".to_owned()];
    assert_eq!(rows(&mut client, command).await.num_rows(), 0);
}

#[tokio::test]
async fn every_other_metadata_command_answers_in_its_schema() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let types = rows(&mut client, CommandGetTableTypes {}).await;
    assert_eq!(texts(&types, 0), ["SYSTEM TABLE", "TABLE", "VIEW"]);
    assert_eq!(
        rows(&mut client, CommandGetPrimaryKeys::default())
            .await
            .num_columns(),
        6
    );
    assert_eq!(
        rows(&mut client, CommandGetExportedKeys::default())
            .await
            .num_columns(),
        13
    );
    assert_eq!(
        rows(&mut client, CommandGetImportedKeys::default())
            .await
            .num_columns(),
        13
    );
    assert_eq!(
        rows(&mut client, CommandGetCrossReference::default())
            .await
            .num_columns(),
        13
    );
    let some = rows(
        &mut client,
        CommandGetSqlInfo {
            info: vec![8, 504, 9999],
        },
    )
    .await;
    assert_eq!(some.num_rows(), 2);
    let all = rows(&mut client, CommandGetXdbcTypeInfo { data_type: None }).await;
    assert!(texts(&all, 0).contains(&"DECIMAL"));
    let one = rows(
        &mut client,
        CommandGetXdbcTypeInfo {
            data_type: Some(93),
        },
    )
    .await;
    assert_eq!(texts(&one, 0), ["TIMESTAMP", "TIMESTAMP WITH TIME ZONE"]);
}
