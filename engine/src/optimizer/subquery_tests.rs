//! What subqueries answer.

use crate::error::{Error, ErrorKind};
use crate::optimizer::testing::{rows, session_after, try_rows};

const TABLES: &str = "
    CREATE TABLE o(x INT, b INT) AS VALUES (1, 1), (NULL, 1), (2, 2), (3, 3), (NULL, 9)
    CREATE TABLE i(y INT, b INT) AS VALUES (1, 1), (NULL, 2), (7, 3)";

#[tokio::test]
async fn in_and_exists_have_three_truth_values() {
    let session = session_after(TABLES).await;
    for (condition, kept) in [
        ("x NOT IN (SELECT y FROM i)", vec![]),
        (
            "x NOT IN (SELECT y FROM i WHERE i.b = o.b)",
            vec!["3 3", "NULL 9"],
        ),
        (
            "x NOT IN (SELECT y FROM i WHERE i.b < o.b)",
            vec!["1 1", "2 2", "NULL 1"],
        ),
        ("x NOT IN (SELECT y FROM i) OR b = 77", vec![]),
        (
            "NOT (x IN (SELECT y FROM i) AND b = 1)",
            vec!["2 2", "3 3", "NULL 9"],
        ),
        (
            "(x IN (SELECT y FROM i)) IS NULL",
            vec!["2 2", "3 3", "NULL 1", "NULL 9"],
        ),
        ("5 NOT IN (SELECT y FROM i)", vec![]),
        (
            "x <> ALL (SELECT y FROM i WHERE y > 5)",
            vec!["1 1", "2 2", "3 3"],
        ),
        ("x = ANY (SELECT y FROM i)", vec!["1 1"]),
    ] {
        let sql = format!("SELECT x, b FROM o WHERE {condition}");
        assert_eq!(rows(&session, &sql).await, kept, "{condition}");
    }
}

#[tokio::test]
async fn an_aggregate_over_no_rows_has_a_row() {
    let session = session_after(TABLES).await;
    for (condition, kept) in [
        ("NOT EXISTS (SELECT max(y) FROM i WHERE i.b = o.b)", 0),
        ("EXISTS (SELECT count(*) FROM i WHERE i.b = o.b)", 5),
        (
            "EXISTS (SELECT count(*) FROM i WHERE i.b = o.b HAVING count(*) = 0)",
            1,
        ),
        ("0 IN (SELECT count(*) FROM i WHERE i.b = o.b)", 1),
        (
            "b IN (SELECT coalesce(max(y), 9) FROM i WHERE i.b = o.b)",
            3,
        ),
        ("x NOT IN (SELECT max(y) FROM i WHERE i.b = o.b)", 1),
    ] {
        let sql = format!("SELECT x FROM o WHERE {condition}");
        assert_eq!(rows(&session, &sql).await.len(), kept, "{condition}");
    }
}

#[tokio::test]
async fn predicates_may_be_selected() {
    let session = session_after(TABLES).await;
    for (expression, values) in [
        (
            "x IN (SELECT y FROM i)",
            ["NULL", "NULL", "NULL", "NULL", "true"],
        ),
        (
            "x NOT IN (SELECT y FROM i WHERE y > 0)",
            ["NULL", "NULL", "false", "true", "true"],
        ),
        (
            "EXISTS (SELECT 1 FROM i WHERE i.b = o.b)",
            ["false", "true", "true", "true", "true"],
        ),
    ] {
        let sql = format!("SELECT {expression} AS z FROM o");
        assert_eq!(rows(&session, &sql).await, values, "{expression}");
    }
}

#[tokio::test]
async fn what_cannot_be_pulled_up_is_refused_in_plain_words() {
    let session = session_after(TABLES).await;
    for condition in [
        "x IN (SELECT rank() OVER (ORDER BY y) FROM i WHERE i.b = o.b)",
        "x IN (SELECT y FROM i WHERE i.b = o.b LIMIT 1)",
        "EXISTS (SELECT 1 FROM i WHERE i.b = o.b OFFSET 1)",
        "EXISTS (SELECT 1 FROM i LEFT JOIN (SELECT y FROM i AS j WHERE j.b = o.b) AS k ON true)",
    ] {
        let sql = format!("SELECT x FROM o WHERE {condition}");
        let error = try_rows(&session, &sql).await.unwrap_err();
        let datafusion::common::DataFusionError::External(cause) = error.find_root() else {
            panic!("{condition}: {error}")
        };
        let refused = cause.downcast_ref::<Error>().unwrap();
        assert_eq!(refused.kind(), ErrorKind::Unsupported, "{condition}");
    }
}
