//! Too much of anything ends in an error that names the limit, and never in a stack overflow.
//!
//! All of it runs on a stack of 2 MiB, which is what the threads of a server have.

use std::sync::Arc;
use std::time::Instant;

use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::datasource::MemTable;
use datafusion::prelude::{SessionConfig, SessionContext};

use super::*;
use crate::{Error, ErrorKind};

const STACK: usize = 2 << 20;

fn on_small_stack<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::Builder::new()
        .stack_size(STACK)
        .spawn(work)
        .unwrap()
        .join()
        .unwrap()
}

fn parse_small(sql: String) -> Result<usize, Error> {
    on_small_stack(move || parse(&sql, &ParseLimits::default()).map(|statements| statements.len()))
}

fn context() -> SessionContext {
    let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(2));
    let fields: Vec<Field> = ["a", "b", "c"]
        .iter()
        .map(|name| Field::new(*name, DataType::Int64, true))
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::new_empty(Arc::clone(&schema));
    let table = MemTable::try_new(schema, vec![vec![batch]]).unwrap();
    context.register_table("t", Arc::new(table)).unwrap();
    context
}

/// Parses, plans, copies, prints and runs a query on a small stack.
fn run_small(sql: String) -> Result<usize, Error> {
    on_small_stack(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let parsed = parse_one(&sql, &ParseLimits::default())?;
        let copy = parsed.clone();
        assert!(!format!("{:?}", copy.statement).is_empty());
        let Statement::Query(query) = parsed.statement else {
            panic!("not a query")
        };
        let rows = runtime.block_on(async {
            let context = context();
            let plan = context.state().statement_to_plan(*query).await?;
            let shown = plan.display_indent().to_string();
            assert!(!shown.is_empty());
            let frame = context.execute_logical_plan(plan.clone()).await?;
            let batches = frame.collect().await?;
            Ok(batches.iter().map(|batch| batch.num_rows()).sum())
        });
        rows.map_err(|error| describe_plan_error(&sql, error))
    })
}

fn assert_exhausted<T: std::fmt::Debug>(result: Result<T, Error>, words: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourceExhausted, "{error}");
    assert!(error.message().contains(words), "{error}");
}

fn nested(open: &str, inner: &str, close: &str, levels: usize) -> String {
    format!("{}{inner}{}", open.repeat(levels), close.repeat(levels))
}

fn repeated(term: &str, separator: &str, count: usize) -> String {
    vec![term; count].join(separator)
}

/// Ways to nest, each with the text before, around, inside and after.
const NESTINGS: &[(&str, &str, &str, &str, &str)] = &[
    ("SELECT ", "(", "1", ")", ""),
    ("SELECT ", "abs(", "a", ")", " FROM t"),
    (
        "SELECT ",
        "CASE WHEN a > 1 THEN ",
        "1",
        " ELSE 2 END",
        " FROM t",
    ),
    ("SELECT ", "NOT ", "true", "", ""),
    ("SELECT ", "- ", "a", "", " FROM t"),
    ("SELECT ", "(SELECT ", "1", ")", ""),
    ("", "SELECT * FROM (", "SELECT 1 AS x", ") y", ""),
    ("SELECT ", "[", "1", "]", ""),
    (
        "SELECT * FROM t WHERE ",
        "a IN (SELECT a FROM t WHERE ",
        "a = 1",
        ")",
        "",
    ),
    ("SELECT ", "CAST(", "a", " AS BIGINT)", " FROM t"),
];

#[test]
fn nesting_up_to_the_limit_runs_and_beyond_it_is_refused() {
    for (before, open, inner, close, after) in NESTINGS {
        let deepest = match open {
            _ if !open.contains("SELECT") => 99,
            _ if open.contains("FROM (") => 31,
            // Planning time doubles with each: 12 are allowed.
            _ => 8,
        };
        let sql = format!("{before}{}{after}", nested(open, inner, close, deepest));
        if let Err(error) = run_small(sql) {
            // DataFusion may not know what to do with it; it must say so.
            assert_ne!(error.kind(), ErrorKind::Internal, "{open}: {error}");
            assert_ne!(
                error.kind(),
                ErrorKind::ResourceExhausted,
                "{open}: {error}"
            );
        }
        let sql = format!("{before}{}{after}", nested(open, inner, close, 5000));
        assert_exhausted(parse_small(sql), "\"max_expression_depth\"");
    }
}

#[test]
fn subqueries_and_chains_have_limits_of_their_own() {
    let ctes = |count: usize, body: &dyn Fn(usize) -> String| {
        let ctes: Vec<String> = (1..count)
            .map(|n| format!("c{n} AS ({})", body(n - 1)))
            .collect();
        format!(
            "WITH c0 AS (SELECT a FROM t), {} SELECT * FROM c{}",
            ctes.join(", "),
            count - 1
        )
    };
    for (sql, words) in [
        (
            format!("SELECT {}", nested("(SELECT ", "1", ")", 13)),
            "12 levels of subqueries",
        ),
        (
            nested("SELECT * FROM (", "SELECT 1", ") x", 33),
            "32 levels of queries",
        ),
        (
            format!("SELECT a{} FROM t", " + a".repeat(500)),
            "400 operators",
        ),
        (
            format!("SELECT 1 FROM t {}", "CROSS JOIN t ".repeat(200)),
            "150 joins",
        ),
        (
            format!("SELECT 1 {}", "EXCEPT SELECT 1 ".repeat(49)),
            "48 levels of EXCEPT",
        ),
        (
            format!("SELECT 1 {}", "UNION SELECT 1 ".repeat(2001)),
            "2000 queries in one UNION",
        ),
        (
            format!("SELECT a{} FROM t", "[1]".repeat(500)),
            "400 operators",
        ),
        (
            format!("SELECT a{} FROM t", ".a".repeat(500)),
            "400 operators",
        ),
        (
            format!(
                "SELECT 1 FROM t WHERE {}",
                repeated("a <> 1", " AND ", 1001)
            ),
            "joined by AND",
        ),
        (
            format!(
                "SELECT 1 FROM t WHERE NOT ({})",
                repeated("a <> b", " OR ", 1001)
            ),
            "by AND",
        ),
        (
            format!(
                "SELECT 1 FROM t x JOIN t y ON ({})",
                repeated("x.a < y.b", " AND ", 1001)
            ),
            "by AND",
        ),
        (
            format!("SELECT 1 FROM t GROUP BY CUBE ({})", repeated("a", ",", 13)),
            "4096 groupings",
        ),
        (
            ctes(201, &|n| format!("SELECT a FROM c{n}")),
            "200 expressions in one WITH",
        ),
        (
            ctes(30, &|n| format!("SELECT x.a FROM c{n} x, c{n} y")),
            "expands to more than 5000",
        ),
    ] {
        assert_exhausted(parse_small(sql), words);
    }
}

#[test]
fn the_longest_chains_allowed_run() {
    for sql in [
        format!("SELECT a{} FROM t", " + a".repeat(390)),
        format!("SELECT a{} FROM t", "::BIGINT".repeat(390)),
        format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(1500)),
        format!("SELECT a FROM t {}", "EXCEPT SELECT b FROM t ".repeat(48)),
        format!(
            "SELECT 1 FROM t WHERE {}",
            repeated("a + 1 <> b", " AND ", 1000)
        ),
        format!(
            "SELECT 1 FROM t WHERE a IN (SELECT a FROM t WHERE {})",
            repeated("a + 1 <> b", " AND ", 1000)
        ),
    ] {
        let head: String = sql.chars().take(40).collect();
        if let Err(error) = run_small(sql) {
            panic!("{head}: {error}");
        }
    }
}

#[test]
fn five_thousand_parentheses_get_a_clear_error() {
    let sql = format!("SELECT {}", nested("(", "1", ")", 5000));
    assert_exhausted(parse_small(sql), "nested more than 100 levels deep");
}

#[test]
fn unclosed_and_endless_text_is_no_danger() {
    for sql in [
        "(".repeat(100_000),
        "SELECT ".repeat(100_000),
        "CASE ".repeat(100_000),
        "EXPLAIN ".repeat(100_000),
        "PREPARE p AS ".repeat(100_000),
        format!("SELECT CAST(1 AS {}", "ARRAY<".repeat(100_000)),
        format!("SELECT CAST(1 AS INT{})", "[]".repeat(100_000)),
        format!("SELECT {} '1'", "INTERVAL ".repeat(50_000)),
        format!("SELECT 1 {}", "UNION SELECT 1 ".repeat(20_000)),
        format!("SELECT a{} FROM t", "::INT".repeat(50_000)),
        format!("SELECT a{} FROM t", " IS NULL".repeat(50_000)),
        format!("SELECT a{} FROM t", " || a".repeat(50_000)),
        format!("SELECT a{} FROM t", " COLLATE x".repeat(50_000)),
        format!("SELECT a{} FROM t", "[1]".repeat(40_000)),
        format!("SELECT 1 FROM t {}", "CROSS JOIN t ".repeat(30_000)),
        format!("SELECT 1 FROM t {}", "JOIN t ".repeat(30_000)),
        format!("SELECT a{}", " + (1".repeat(30_000)),
    ] {
        let head: String = sql.chars().take(40).collect();
        assert!(parse_small(sql).is_err(), "{head}");
    }
}

#[test]
fn conditions_of_ten_thousand_terms_run() {
    let terms: Vec<String> = (0..10_000).map(|n| format!("a = {n}")).collect();
    let sql = format!("SELECT * FROM t WHERE {}", terms.join(" OR "));
    assert_eq!(run_small(sql).unwrap(), 0);
    let terms: Vec<String> = (0..10_000)
        .map(|n| format!("WHEN a = {n} THEN b"))
        .collect();
    let sql = format!("SELECT CASE {} END FROM t", terms.join(" "));
    assert_eq!(run_small(sql).unwrap(), 0);
}

#[test]
fn a_list_of_a_hundred_thousand_elements_runs() {
    let elements: Vec<String> = (0..100_000).map(|n| n.to_string()).collect();
    let started = Instant::now();
    let sql = format!("SELECT * FROM t WHERE a IN ({})", elements.join(", "));
    assert_eq!(run_small(sql).unwrap(), 0);
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
    let sql = format!(
        "SELECT * FROM t WHERE a IN ({})",
        repeated("1", ",", 200_001)
    );
    assert_exhausted(parse_small(sql), "\"max_in_list\"");
}

#[test]
fn too_long_a_text_is_refused_unread() {
    let sql = format!("SELECT '{}'", "x".repeat(17 << 20));
    assert_exhausted(parse_small(sql), "\"max_sql_length\"");
}

#[test]
fn too_many_statements_are_refused() {
    assert_eq!(parse_small("SELECT 1;".repeat(10_000)).unwrap(), 10_000);
    assert_exhausted(parse_small("SELECT 1;".repeat(10_001)), "10000 statements");
}

#[test]
fn a_text_of_too_many_words_is_refused_before_it_fills_the_memory() {
    let sql = format!("SELECT {}", repeated("1", ",", 1_000_000));
    assert_exhausted(parse_small(sql), "1000000 words");
    // One long literal is one word.
    let sql = format!("SELECT '{}'", "a b, ".repeat(2_000_000));
    assert_eq!(parse_small(sql).unwrap(), 1);
}
