//! What the functions give, planned with the rules of a session.

use datafusion::prelude::SessionContext;

use super::{aggregate_functions, scalar_functions};
use crate::optimizer::testing::{rows, session_after, try_rows};

async fn session() -> SessionContext {
    let session = session_after(
        "CREATE TABLE t (g INT, v VARCHAR, k INT) AS VALUES \
         (1, 'a', 1), (1, 'b', 3), (1, 'b', NULL), (1, NULL, 2), (2, 'c', NULL), (3, NULL, 5)",
    )
    .await;
    for function in scalar_functions() {
        session.register_udf(function.as_ref().clone());
    }
    for function in aggregate_functions() {
        session.register_udaf(function.as_ref().clone());
    }
    session
}

#[tokio::test]
async fn the_value_of_the_extreme_key_is_found() {
    let session = session().await;
    let sql = "SELECT g, max_by(v, k), min_by(v, k), arg_min(k, v) FROM t GROUP BY g ORDER BY g";
    assert_eq!(
        rows(&session, sql).await,
        ["1 b a 1", "2 NULL NULL NULL", "3 NULL NULL NULL"]
    );
    let none = "SELECT max_by(v, k), min_by(v, k) FILTER (WHERE g = 9) FROM t WHERE k > 4";
    assert_eq!(rows(&session, none).await, ["NULL NULL"]);
}

#[tokio::test]
async fn the_most_frequent_value_is_found() {
    let session = session().await;
    let sql = "SELECT g, mode(v), mode(k) FROM t GROUP BY g ORDER BY g";
    assert_eq!(rows(&session, sql).await, ["1 b 1", "2 c NULL", "3 NULL 5"]);
    assert_eq!(
        rows(&session, "SELECT mode(v) FROM t WHERE g > 9").await,
        ["NULL"]
    );
}

#[tokio::test]
async fn functions_are_written_as_expressions() {
    let session = session().await;
    for (call, value) in [
        ("mod(7, 3)", "1"),
        ("mod(-7, k)", "-1"),
        ("sign(-2)", "-1.0"),
        ("if(k = 3, 'x', 'y')", "x"),
        ("if(NULL, 1, 2.5)", "2.5"),
        ("zeroifnull(nullif(k, 3))", "0"),
        ("nullifzero(k - 3)", "NULL"),
        ("year(DATE '2024-12-30')", "2024"),
        ("dayofyear(TIMESTAMP '2024-12-30 01:02:03')", "365"),
        ("second('2024-12-30 01:02:03')", "3"),
        ("date_add(DATE '2024-02-28', 2)", "2024-03-01"),
        ("date_sub('2024-03-01', k)", "2024-02-27"),
        ("unix_timestamp(TIMESTAMP '1970-01-02 00:00:01')", "86401"),
        ("unix_timestamp() > 1700000000", "true"),
    ] {
        let sql = format!("SELECT {call} FROM t WHERE k = 3");
        assert_eq!(rows(&session, &sql).await, [value], "{call}");
    }
}

#[tokio::test]
async fn a_date_that_does_not_exist_is_an_error() {
    let session = session().await;
    for sql in [
        "SELECT date_add(DATE '2024-01-01', 2147483647)",
        "SELECT date_sub(DATE '2024-01-01', g * 1000000000) FROM t WHERE k = 5",
        "SELECT date_add(DATE '2024-01-01', 'x')",
        "SELECT max_by(v) FROM t",
    ] {
        assert!(try_rows(&session, sql).await.is_err(), "{sql}");
    }
}

#[tokio::test]
async fn what_does_not_fit_a_column_names_it() {
    let session = session().await;
    for sql in [
        "SELECT fit_column(1000, CAST(NULL AS DECIMAL(5, 2)), 'price')",
        "SELECT fit_column(v, CAST(NULL AS INT), 'price') FROM t",
        "SELECT fit_column(k * 1000000000, CAST(NULL AS INT), 'price') FROM t",
    ] {
        let error = try_rows(&session, sql).await.expect_err(sql).to_string();
        assert!(error.contains("column \"price\": "), "{sql}: {error}");
    }
    let fits = "SELECT fit_column(k, CAST(NULL AS DECIMAL(5, 2)), 'price') FROM t WHERE k > 4";
    assert_eq!(rows(&session, fits).await, ["5.00"]);
}
