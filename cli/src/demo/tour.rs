//! The queries of the tour.

use std::path::Path;

/// One stop of the tour.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) title: &'static str,
    pub(super) sql: String,
    pub(super) shown: Shown,
}

/// What is shown of a statement besides its plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// Its result.
    Result,
    /// Of its result only the row `summary`: `EXPLAIN ANALYZE` is long.
    Summary,
}

impl Step {
    /// The query whose plan is shown; `SHOW` is none.
    pub(super) fn query(&self) -> Option<&str> {
        let analyzed = self.sql.strip_prefix("EXPLAIN ANALYZE");
        let query = analyzed.unwrap_or(&self.sql).trim_start();
        (!query.starts_with("SHOW ")).then_some(query)
    }
}

/// The tour, in order. `export` is the file that `COPY` writes.
pub(super) fn steps(export: &Path) -> Vec<Step> {
    let export = export.to_string_lossy().replace('\'', "''");
    let step = |title, shown, sql: &str| Step {
        title,
        sql: sql.to_owned(),
        shown,
    };
    vec![
        step(
            "Who is in the cluster (SHOW EXECUTORS says more)",
            Shown::Result,
            EXECUTORS,
        ),
        step(
            "The directories of a partitioned table",
            Shown::Result,
            "SHOW PARTITIONS orders",
        ),
        step(
            "Partition pruning: one year is read, the rest is not",
            Shown::Result,
            PRUNING,
        ),
        step("A join of three tables", Shown::Result, JOIN),
        step("An aggregation of everything", Shown::Result, AGGREGATION),
        step("A window function", Shown::Result, WINDOW),
        step("A table made from a query", Shown::Result, CREATE),
        step(
            "The same rows as one CSV file",
            Shown::Result,
            &format!("{COPY} '{export}'"),
        ),
        step("Where the time of a query goes", Shown::Summary, ANALYZE),
        step(
            "What the cluster remembers of this tour",
            Shown::Result,
            HISTORY,
        ),
    ]
}

const EXECUTORS: &str = "\
SELECT url, state, version, cores, CAST(memory_limit_bytes / 1048576 AS BIGINT) AS memory_mib
FROM system.executors ORDER BY url";

const PRUNING: &str = "\
SELECT l_shipmode, count(*) AS lines, sum(l_extendedprice * l_discount) AS given_away
FROM lineitem
WHERE l_shipyear = 1994 AND l_discount BETWEEN 0.05 AND 0.07 AND l_quantity < 24
GROUP BY l_shipmode
ORDER BY given_away DESC";

const JOIN: &str = "\
SELECT l_orderkey, o_orderdate, sum(l_extendedprice * (1 - l_discount)) AS revenue
FROM customer
JOIN orders ON c_custkey = o_custkey
JOIN lineitem ON l_orderkey = o_orderkey
WHERE c_mktsegment = 'BUILDING' AND o_orderdate < DATE '1995-03-15' AND l_shipdate > DATE '1995-03-15'
GROUP BY l_orderkey, o_orderdate
ORDER BY revenue DESC, o_orderdate
LIMIT 5";

const AGGREGATION: &str = "\
SELECT l_returnflag, l_linestatus, count(*) AS lines, sum(l_quantity) AS quantity,
       avg(l_extendedprice) AS average_price
FROM lineitem
GROUP BY l_returnflag, l_linestatus
ORDER BY l_returnflag, l_linestatus";

const WINDOW: &str = "\
SELECT o_orderyear, month, total,
       sum(total) OVER (PARTITION BY o_orderyear ORDER BY month) AS so_far
FROM (
    SELECT o_orderyear, extract(MONTH FROM o_orderdate) AS month, sum(o_totalprice) AS total
    FROM orders
    WHERE o_orderyear IN (1996, 1997) AND extract(MONTH FROM o_orderdate) <= 4
    GROUP BY o_orderyear, extract(MONTH FROM o_orderdate)
) AS months
ORDER BY o_orderyear, month";

/// Dropped before it is made, should an earlier tour have left it.
pub(super) const DROP: &str = "DROP TABLE IF EXISTS revenue_by_nation";

const CREATE: &str = "\
CREATE TABLE revenue_by_nation AS
SELECT n_name AS nation, o_orderyear AS year, sum(l_extendedprice * (1 - l_discount)) AS revenue
FROM nation
JOIN customer ON c_nationkey = n_nationkey
JOIN orders ON o_custkey = c_custkey
JOIN lineitem ON l_orderkey = o_orderkey
GROUP BY n_name, o_orderyear";

const COPY: &str = "COPY (SELECT * FROM revenue_by_nation ORDER BY nation, year) TO";

const ANALYZE: &str = "\
EXPLAIN ANALYZE
SELECT c_mktsegment, count(*) AS orders, sum(o_totalprice) AS total
FROM orders JOIN customer ON o_custkey = c_custkey
GROUP BY c_mktsegment";

const HISTORY: &str = "\
SELECT state, rows, stages, tasks, round(elapsed_ms) AS elapsed_ms, left(replace(sql, '\n', ' '), 48) AS sql
FROM system.queries
WHERE sql NOT LIKE 'EXPLAIN%'
ORDER BY started_at DESC
LIMIT 6";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_query_has_a_plan_to_show() {
        let steps = steps(Path::new("/tmp/revenue.csv"));
        let without: Vec<&str> = steps
            .iter()
            .filter(|step| step.query().is_none())
            .map(|step| step.sql.as_str())
            .collect();
        assert_eq!(without, ["SHOW PARTITIONS orders"]);
        let mut queries = steps.iter().filter_map(Step::query);
        assert!(queries.all(|query| !query.starts_with("EXPLAIN")));
    }
}
