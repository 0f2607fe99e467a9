//! What a user reads when a query cannot be planned or run.

use std::io;
use std::sync::Arc;

use datafusion::arrow::array::{Int64Array, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::DataFusionError;
use datafusion::datasource::MemTable;
use datafusion::prelude::{SessionConfig, SessionContext};

use super::*;
use crate::{Error, ErrorKind};

fn context() -> SessionContext {
    let mut config = SessionConfig::new();
    config.options_mut().sql_parser.collect_spans = true;
    let context = SessionContext::new_with_config(config);
    let schema = Arc::new(Schema::new(vec![
        Field::new("price", DataType::Int64, true),
        Field::new("Amount", DataType::Int64, true),
        Field::new("name", DataType::Utf8, true),
    ]));
    let batch = RecordBatch::try_new(
        Arc::clone(&schema),
        vec![
            Arc::new(Int64Array::from(vec![1, 0])),
            Arc::new(Int64Array::from(vec![1, 2])),
            Arc::new(StringArray::from(vec!["a", "b"])),
        ],
    )
    .unwrap();
    let table = MemTable::try_new(schema, vec![vec![batch]]).unwrap();
    context.register_table("orders", Arc::new(table)).unwrap();
    context
}

async fn failure(sql: &str) -> Error {
    let parsed = parse(sql, &ParseLimits::default()).unwrap().pop().unwrap();
    let context = context();
    let Statement::Query(query) = &parsed.statement else {
        panic!("{sql}")
    };
    let run = async {
        let plan = context
            .state()
            .statement_to_plan(query.as_ref().clone())
            .await?;
        context.execute_logical_plan(plan).await?.collect().await
    };
    match run.await {
        Ok(_) => panic!("{sql} did not fail"),
        Err(error) => {
            let error = parsed.describe_plan_error(error);
            for word in ["DataFusion", "Error during planning", "bug", "backtrace"] {
                assert!(!error.to_string().contains(word), "{sql}: {error}");
            }
            error
        }
    }
}

#[tokio::test]
async fn an_unknown_column_is_shown_in_place_with_the_nearest_name() {
    let error = failure("SELECT 1;\nSELECT name,\n  pric FROM orders").await;
    assert_eq!(
        error.message(),
        "column \"pric\" does not exist; did you mean \"price\"? (line 3, column 3)\n\
         3 |   pric FROM orders\n  \
           |   ^"
    );
    assert_eq!(error.kind(), ErrorKind::InvalidQuery);
    let error = failure("SELECT o.prise FROM orders o").await;
    assert!(
        error.message().starts_with(
            "column \"prise\" does not exist in \"o\"; did you mean \"price\"? (line 1, column 8)"
        ),
        "{error}"
    );
    let error = failure("SELECT zzzzzz FROM orders").await;
    assert!(
        error
            .message()
            .contains("; there are \"price\", \"Amount\", \"name\""),
        "{error}"
    );
    let error = failure("SELECT amount FROM orders").await;
    assert!(
        error
            .message()
            .contains("did you mean \"Amount\"? names with capitals"),
        "{error}"
    );
    let error = failure("SELECT x.price FROM orders o").await;
    assert!(
        error
            .message()
            .contains("table \"x\" is not part of this query"),
        "{error}"
    );
    let error = failure("SELECT name FROM orders WHERE pricee = 1").await;
    assert!(
        error.message().contains("did you mean \"price\"?"),
        "{error}"
    );
    let error = failure("SELECT count(*) FROM orders GROUP BY pricee").await;
    assert!(
        error.message().contains("did you mean \"price\"?"),
        "{error}"
    );
}

#[tokio::test]
async fn an_unknown_table_is_not_found() {
    let error = failure("SELECT * FROM ordrs").await;
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(
        error.message().contains("\"public.ordrs\" does not exist"),
        "{error}"
    );
    assert!(
        error
            .message()
            .contains("(line 1, column 15)\n1 | SELECT * FROM ordrs"),
        "{error}"
    );
}

#[tokio::test]
async fn functions_are_explained() {
    let error = failure("SELECT summ(price) FROM orders").await;
    assert_eq!(error.kind(), ErrorKind::InvalidQuery);
    assert!(
        error
            .message()
            .starts_with("function \"summ\" does not exist; did you mean \"sum\"?")
    );
    let error = failure("SELECT frobnicate_it(price) FROM orders").await;
    assert!(
        error.message().contains("does not exist; SHOW FUNCTIONS"),
        "{error}"
    );
    for sql in [
        "SELECT substr(price) FROM orders",
        "SELECT sum(name, 1, 2) FROM orders",
        "SELECT round(name) FROM orders",
        "SELECT abs() FROM orders",
        "SELECT date_trunc(1, 2)",
        "SELECT sqrt('a', 'b')",
    ] {
        let error = failure(sql).await;
        assert_eq!(error.kind(), ErrorKind::InvalidQuery, "{sql}: {error}");
        assert!(error.message().starts_with("function \""), "{sql}: {error}");
    }
}

#[tokio::test]
async fn other_planning_errors_are_plain() {
    for (sql, words) in [
        ("SELECT name, sum(price) FROM orders", "GROUP BY"),
        (
            "SELECT name FROM orders a JOIN orders b ON a.name = b.name",
            "ambiguous",
        ),
        ("SELECT 1 UNION SELECT 1, 2", "number of columns"),
        ("SELECT price + name = [1] FROM orders", ""),
        ("SELECT sum(sum(price)) FROM orders", "nested"),
        ("SELECT (SELECT price, name FROM orders)", "one column"),
        ("SELECT NOT name FROM orders", "NOT"),
        ("SELECT * FROM (SELECT 1 AS a, 2 AS a) x", "the same name"),
    ] {
        let error = failure(sql).await;
        assert_eq!(error.kind(), ErrorKind::InvalidQuery, "{sql}: {error}");
        assert!(error.message().contains(words), "{sql}: {error}");
    }
}

#[tokio::test]
async fn errors_while_running_are_the_querys() {
    for (sql, words) in [
        ("SELECT 1 / price FROM orders", "division by zero"),
        ("SELECT CAST(name AS INT) FROM orders", "TRY_CAST"),
        ("SELECT to_timestamp(name) FROM orders", ""),
        ("SELECT DATE 'yesterdayish'", ""),
    ] {
        let error = failure(sql).await;
        assert_eq!(error.kind(), ErrorKind::InvalidQuery, "{sql}: {error}");
        assert!(error.message().contains(words), "{sql}: {error}");
    }
}

#[test]
fn our_own_errors_pass_unchanged_however_they_are_wrapped() {
    let ours = || Error::new(ErrorKind::Data, "file \"x.parquet\" is damaged");
    let store = object_store::Error::Generic {
        store: "S3",
        source: Box::new(ours()),
    };
    for wrapped in [
        DataFusionError::from(ours()),
        DataFusionError::from(ours()).context("reading"),
        DataFusionError::Shared(Arc::new(DataFusionError::from(ours()))),
        DataFusionError::Collection(vec![DataFusionError::from(ours())]),
        DataFusionError::from(ArrowError::ExternalError(Box::new(ours()))),
        DataFusionError::ObjectStore(Box::new(store)),
    ] {
        let described = describe_plan_error("SELECT 1", wrapped);
        assert_eq!(described.kind(), ErrorKind::Data);
        assert_eq!(described.to_string(), "file \"x.parquet\" is damaged");
    }
}

#[test]
fn each_kind_of_failure_has_its_kind() {
    let store = |path: &str| object_store::Error::NotFound {
        path: path.to_string(),
        source: "gone".into(),
    };
    for (error, kind, words) in [
        (
            DataFusionError::ResourcesExhausted(
                "Failed to allocate additional 16.0 MB for HashJoinInput[0] with 2.0 MB already \
                 allocated for this reservation - 1.0 MB remain available"
                    .to_string(),
            ),
            ErrorKind::ResourceExhausted,
            "out of memory: HashJoinInput[0] asked for 16.0 MB more and holds 2.0 MB; raise the \
             setting \"memory_limit\"",
        ),
        (
            DataFusionError::NotImplemented("Unsupported ast node".to_string()),
            ErrorKind::Unsupported,
            "not supported yet: unsupported ast node",
        ),
        (
            DataFusionError::NotImplemented(
                "Physical plan does not support logical expression ScalarSubquery(<subquery>)"
                    .to_string(),
            ),
            ErrorKind::Unsupported,
            "write it as a join",
        ),
        (
            DataFusionError::Internal("a thing that cannot be".to_string()),
            ErrorKind::Internal,
            "internal error: a thing that cannot be",
        ),
        (
            DataFusionError::Internal(
                "Error during planning: No function matches the given name and argument types \
                 'f(Utf8)'. You might need to add explicit type casts.\n\tCandidate functions:\n\t\
                 f(Int64)"
                    .to_string(),
            ),
            ErrorKind::InvalidQuery,
            "function \"f\" does not take (VARCHAR); it takes f(BIGINT)",
        ),
        (
            DataFusionError::ObjectStore(Box::new(store("data/a.parquet"))),
            ErrorKind::NotFound,
            "\"data/a.parquet\" does not exist",
        ),
        (
            DataFusionError::IoError(io::Error::from(io::ErrorKind::StorageFull)),
            ErrorKind::ResourceExhausted,
            "the disk is full",
        ),
        (
            DataFusionError::from(ArrowError::DivideByZero),
            ErrorKind::InvalidQuery,
            "division by zero",
        ),
        (
            DataFusionError::from(ArrowError::CsvError("line 3 is short".to_string())),
            ErrorKind::Data,
            "line 3 is short",
        ),
        (
            DataFusionError::Execution("Execution error: Arrow error: Divide by zero error".into()),
            ErrorKind::InvalidQuery,
            "division by zero",
        ),
    ] {
        let described = describe_plan_error("SELECT 1", error);
        assert_eq!(described.kind(), kind, "{described}");
        assert!(described.message().contains(words), "{described}");
    }
}

#[test]
fn functions_and_operands_of_wrong_types_are_told_in_sqls_words() {
    let plan = |message: &str| DataFusionError::Plan(message.to_owned());
    for (error, words) in [
        (
            plan(
                "Internal error: Function 'sum' failed to match any signature. No function matches \
                 the given name and argument types 'sum(Utf8)'. You might need to add explicit type \
                 casts.\n\tCandidate functions:\n\tsum(Decimal)\n\tsum(Float64)\n\tsum(Duration)\n\t\
                 sum(Interval)",
            ),
            "function \"sum\" does not take (VARCHAR); it takes sum(DECIMAL), sum(DOUBLE), \
             sum(INTERVAL)",
        ),
        (
            plan(
                "Execution error: Function 'if' user-defined coercion failed with: Error during \
                 planning: if takes two values of one type. No function matches the given name",
            ),
            "if takes two values of one type",
        ),
        (
            DataFusionError::from(ArrowError::InvalidArgumentError(
                "1000.00 is too large to store in a Decimal128 of precision 5. Max is 999.99"
                    .to_owned(),
            )),
            "1000.00 does not fit a decimal of 5 digits; TRY_CAST gives NULL where a value does not \
             fit",
        ),
    ] {
        let described = describe_plan_error("SELECT 1", error);
        assert_eq!(described.kind(), ErrorKind::InvalidQuery, "{described}");
        assert_eq!(described.message(), words);
    }
    let node = "Unsupported ast node in sqltorel: IsNormalized { expr: Value(ValueWithSpan";
    let error = DataFusionError::NotImplemented(node.to_owned());
    let described = describe_plan_error("SELECT 1", error);
    assert_eq!(described.kind(), ErrorKind::Unsupported);
    assert!(
        described
            .message()
            .ends_with("an expression of the kind \"IsNormalized\"")
    );
}
