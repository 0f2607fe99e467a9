//! What aggregates in subqueries answer that are related to the outer query by any condition.

use crate::error::{Error, ErrorKind};
use crate::optimizer::testing::{
    Cluster, plan_text, register_files, rows, session, session_after, try_rows,
};

const TABLES: &str = "
    CREATE TABLE d (x INT, y INT) AS VALUES (1, 10), (1, 10), (NULL, 10), (3, NULL), (5, 30)
    CREATE TABLE f (v FLOAT) AS VALUES (1.2), (1.4), (3.0)";

#[tokio::test]
async fn each_row_of_the_outer_query_has_its_own_aggregate() {
    let session = session_after(TABLES).await;
    for (value, expected) in [
        (
            "(SELECT count(*) FROM d i WHERE i.x < o.x)",
            ["1 0", "1 0", "3 2", "5 3", "NULL 0"],
        ),
        (
            "(SELECT sum(i.y + o.x) FROM d i WHERE i.x < o.x OR i.x IS NULL)",
            ["1 11", "1 11", "3 39", "5 45", "NULL NULL"],
        ),
        (
            "(SELECT count(DISTINCT i.y) + o.x FROM d i WHERE i.x <> o.x AND i.y = 10)",
            ["1 1", "1 1", "3 4", "5 6", "NULL NULL"],
        ),
        (
            "(SELECT count(*) FROM d i WHERE i.x < o.x HAVING count(*) > 1)",
            ["1 NULL", "1 NULL", "3 2", "5 3", "NULL NULL"],
        ),
        (
            "(SELECT count(*) FROM d i WHERE i.x = o.x HAVING count(*) >= o.x - 2)",
            ["1 2", "1 2", "3 1", "5 NULL", "NULL NULL"],
        ),
        (
            "(SELECT t.n FROM (SELECT max(z) AS n FROM (SELECT x AS z FROM d) i WHERE z < o.x) t)",
            ["1 NULL", "1 NULL", "3 1", "5 3", "NULL NULL"],
        ),
        (
            "EXISTS (SELECT 1 FROM d i WHERE i.x > o.x)",
            ["1 true", "1 true", "3 true", "5 false", "NULL false"],
        ),
        (
            "(SELECT count(*) FROM f WHERE CAST(v AS INT) = o.x)",
            ["1 2", "1 2", "3 1", "5 0", "NULL 0"],
        ),
    ] {
        let sql = format!("SELECT x, {value} AS v FROM d o");
        assert_eq!(rows(&session, &sql).await, expected, "{value}");
    }
}

#[tokio::test]
async fn conditions_and_subqueries_may_hold_them() {
    let session = session_after(TABLES).await;
    for (condition, expected) in [
        (
            "(SELECT count(*) FROM d i WHERE i.x > o.x) = 2 AND y > 5",
            vec!["1", "1"],
        ),
        (
            "(SELECT max(x) FROM d i WHERE i.x < o.x) > (SELECT min(y) - 9 FROM d i WHERE i.y < o.y)",
            vec!["5"],
        ),
        (
            "3 = (SELECT max(x) FROM d i WHERE i.x < o.x AND \
             i.x > (SELECT avg(x) FROM d j WHERE j.x < i.x))",
            vec!["5"],
        ),
        (
            "EXISTS (SELECT 1 FROM d i WHERE i.x = o.x AND \
             i.x > (SELECT count(*) FROM d j WHERE j.x < i.x))",
            vec!["1", "1", "3", "5"],
        ),
        (
            "2 = (SELECT count(*) FROM d i WHERE i.x < o.x AND \
             EXISTS (SELECT 1 FROM d j WHERE j.x = i.x AND j.y > 5))",
            vec!["3", "5"],
        ),
        (
            "x NOT IN (SELECT count(*) FROM d i WHERE i.x > o.x)",
            vec!["1", "1", "3", "5"],
        ),
    ] {
        let sql = format!("SELECT x FROM d o WHERE {condition}");
        assert_eq!(rows(&session, &sql).await, expected, "{condition}");
    }
}

#[tokio::test]
async fn equalities_are_left_to_the_join_of_groups() {
    let session = session_after(TABLES).await;
    for (sql, numbered) in [
        (
            "SELECT x, (SELECT count(*) FROM d i WHERE i.x = o.x) FROM d o",
            false,
        ),
        (
            "SELECT x, (SELECT count(*) FROM d i WHERE i.x = CAST(o.x AS BIGINT)) FROM d o",
            false,
        ),
        (
            "SELECT x FROM d o WHERE (SELECT count(*) FROM d i \
             WHERE (i.x = o.x AND i.y > 5) OR (i.x = o.x AND i.y < 2)) > 1",
            false,
        ),
        (
            "SELECT x, (SELECT count(*) FROM d i WHERE i.x < o.x) FROM d o",
            true,
        ),
    ] {
        let plan = plan_text(&session, sql).await;
        assert_eq!(plan.contains("__correlated"), numbered, "{sql}: {plan}");
    }
}

#[tokio::test]
async fn other_shapes_are_refused_in_plain_words() {
    let session = session_after(TABLES).await;
    for sql in [
        "SELECT x, t.* FROM d o, LATERAL (SELECT max(y) FROM d i WHERE i.x < o.x) t",
        "SELECT x, t.* FROM d o, LATERAL (SELECT DISTINCT y FROM d i WHERE i.x < o.x) t",
        "SELECT x, t.* FROM d o, LATERAL (SELECT y FROM d i WHERE i.x < o.x GROUP BY y) t",
        "SELECT (SELECT sum(o.x) FROM d i WHERE i.x < o.x) FROM d o",
        "SELECT (SELECT count(*) FROM d i WHERE i.x < o.x AND \
         (i.y > 1 OR EXISTS (SELECT 1 FROM d j WHERE j.x = i.x + o.x))) FROM d o",
    ] {
        let error = try_rows(&session, sql).await.expect_err(sql);
        let datafusion::common::DataFusionError::External(cause) = error.find_root() else {
            panic!("{sql}: {error}")
        };
        let refused = cause.downcast_ref::<Error>().expect(sql);
        assert_eq!(refused.kind(), ErrorKind::Unsupported, "{sql}");
    }
}

#[tokio::test]
async fn a_cluster_answers_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(3).await;
    let (alone, distributed) = (session(), cluster.session());
    let files = [1, 21, 41].map(|first| {
        format!(
            "SELECT value % 7 AS x, value % 5 AS y FROM generate_series({first}, {})",
            first + 19
        )
    });
    let files = files.each_ref().map(String::as_str);
    for session in [&alone, &distributed] {
        register_files(session, directory.path(), "t", &files).await;
    }
    let sql = "SELECT x, y, (SELECT sum(i.y) FROM t i WHERE i.x < o.x AND i.y <> o.y) AS s, \
               (SELECT count(*) FROM t i WHERE i.x = o.x AND i.y > o.y) AS n FROM t o \
               WHERE (SELECT max(i.x) FROM t i WHERE i.x < o.y) > 1";
    let expected = rows(&alone, sql).await;
    assert_eq!(expected.len(), 24);
    assert_eq!(rows(&distributed, sql).await, expected);
}
