//! Queries, definitions and writes in every spelling, and what is refused.

use datafusion::common::{SchemaReference, TableReference};

use super::*;
use crate::ErrorKind;

fn one(sql: &str) -> Statement {
    match parse_one(sql, &ParseLimits::default()) {
        Ok(parsed) => parsed.statement,
        Err(error) => panic!("{sql}: {error}"),
    }
}

fn error(sql: &str) -> crate::Error {
    match parse(sql, &ParseLimits::default()) {
        Ok(statements) => panic!("{sql}: {statements:?}"),
        Err(error) => error,
    }
}

fn bare(name: &str) -> TableReference {
    TableReference::bare(name)
}

fn kind(sql: &str) -> &'static str {
    one(sql).kind_name()
}

#[test]
fn queries_are_left_to_datafusion() {
    for sql in [
        "SELECT 1",
        "(SELECT 1) UNION ALL (SELECT 2)",
        "WITH t AS (SELECT 1) SELECT * FROM t",
        "VALUES (1), (2)",
        "SELECT * FROM 'data/*.parquet' WHERE \"Name\" LIKE 'a%' -- a comment",
        "SELECT a FROM t ORDER BY a LIMIT 3 OFFSET 2",
    ] {
        assert!(matches!(one(sql), Statement::Query(_)), "{sql}");
    }
}

#[test]
fn several_statements_keep_their_text_and_place() {
    let sql = "/* head */ SELECT 1; ;\n  SHOW TABLES ;\n\n-- tail\nselect\n 2";
    let statements = parse(sql, &ParseLimits::default()).unwrap();
    let texts: Vec<&str> = statements.iter().map(|s| s.text.as_str()).collect();
    assert_eq!(texts, ["SELECT 1", "SHOW TABLES", "select\n 2"]);
    for statement in &statements {
        assert!(sql[statement.offset..].starts_with(&statement.text));
    }
    assert_eq!((statements[1].line, statements[1].column), (2, 3));
    assert_eq!((statements[2].line, statements[2].column), (5, 1));
    assert!(
        parse(" -- nothing\n;;", &ParseLimits::default())
            .unwrap()
            .is_empty()
    );
    assert!(parse_one("", &ParseLimits::default()).is_err());
    assert!(parse_one("SELECT 1; SELECT 2", &ParseLimits::default()).is_err());
}

#[test]
fn external_tables_have_all_their_clauses() {
    let Statement::CreateExternalTable(table) = one(
        "CREATE EXTERNAL TABLE IF NOT EXISTS Sales.Orders (id BIGINT NOT NULL COMMENT 'key', \
         \"Price\" DECIMAL(12, 2) DEFAULT 1.5) STORED AS parquet \
         PARTITIONED BY (year INT, month) LOCATION 's3://b/orders/' \
         OPTIONS ('Format.Compression' 'zstd', has_header true, skip = 3, format.delimiter '|') \
         COMMENT 'all orders' SECRET prod WITH ORDER (id, \"Price\" DESC NULLS LAST)",
    ) else {
        panic!()
    };
    assert_eq!(table.name, TableReference::partial("sales", "orders"));
    assert!(table.if_not_exists && !table.or_replace);
    assert_eq!(table.format, "PARQUET");
    assert_eq!(table.location, ["s3://b/orders/"]);
    assert_eq!(table.columns[0].name, "id");
    assert!(!table.columns[0].nullable && table.columns[1].nullable);
    assert_eq!(table.columns[0].comment.as_deref(), Some("key"));
    assert_eq!(table.columns[1].name, "Price");
    assert_eq!(
        table.columns[1].default.as_ref().unwrap().to_string(),
        "1.5"
    );
    assert!(matches!(&table.partitioned_by[0], PartitionColumn::Spec(c) if c.name == "year"));
    assert_eq!(
        table.partitioned_by[1],
        PartitionColumn::Name("month".to_string())
    );
    let options: Vec<_> = table
        .options
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    assert_eq!(
        options,
        [
            ("format.compression", "zstd"),
            ("format.delimiter", "|"),
            ("has_header", "true"),
            ("skip", "3"),
        ]
    );
    assert_eq!(table.comment.as_deref(), Some("all orders"));
    assert_eq!(table.secret.as_deref(), Some("prod"));
    assert!(!table.order[0][0].descending && !table.order[0][0].nulls_first);
    assert!(table.order[0][1].descending && !table.order[0][1].nulls_first);
}

#[test]
fn external_tables_may_be_short() {
    let sql = "CREATE OR REPLACE EXTERNAL TABLE t LOCATION ('/a', '/b') STORED AS CSV";
    let Statement::CreateExternalTable(table) = one(sql) else {
        panic!()
    };
    assert!(table.or_replace && table.columns.is_empty());
    assert_eq!(table.location, ["/a", "/b"]);
    for (sql, expected) in [
        (
            "CREATE EXTERNAL TABLE t LOCATION '/a'",
            "expected STORED AS",
        ),
        ("CREATE EXTERNAL TABLE t STORED AS CSV", "expected LOCATION"),
        (
            "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION ''",
            "may not be empty",
        ),
        (
            "CREATE EXTERNAL TABLE t STORED AS CSV STORED AS CSV LOCATION 'x'",
            "written twice",
        ),
        (
            "CREATE EXTERNAL TABLE t (a INT, a INT) STORED AS CSV LOCATION 'x'",
            "declared twice",
        ),
        (
            "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION 'x' OPTIONS (a 1, A 2)",
            "given twice",
        ),
        (
            "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION 'x' NONSENSE",
            "found \"NONSENSE\"",
        ),
        (
            "CREATE OR REPLACE TABLE IF NOT EXISTS t (a INT)",
            "exclude each other",
        ),
    ] {
        assert!(
            error(sql).message().contains(expected),
            "{sql}: {}",
            error(sql)
        );
    }
}

#[test]
fn tables_are_declared_or_filled_from_a_query() {
    let Statement::CreateTable(table) =
        one("CREATE TABLE t (a INT, b VARCHAR(10) NOT NULL) PARTITIONED BY (a) COMMENT 'x'")
    else {
        panic!()
    };
    assert_eq!((table.name, table.columns.len()), (bare("t"), 2));
    assert_eq!(
        table.partitioned_by,
        [PartitionColumn::Name("a".to_string())]
    );
    assert!(table.query.is_none());
    let sql = "CREATE TABLE IF NOT EXISTS s.t PARTITIONED BY (d) AS WITH x AS (SELECT 1) SELECT 1";
    let Statement::CreateTable(table) = one(sql) else {
        panic!()
    };
    assert!(table.query.is_some() && table.columns.is_empty() && table.if_not_exists);
    assert_eq!(kind(sql), "CREATE TABLE AS");
    assert!(
        error("CREATE TABLE t")
            .message()
            .contains("columns in parentheses")
    );
    for sql in [
        "CREATE TABLE t (a INT) LOCATION '/x'",
        "CREATE TABLE t (a INT) STORED AS CSV",
        "CREATE TABLE t (a INT PRIMARY KEY)",
        "CREATE TABLE t (a INT, PRIMARY KEY (a))",
    ] {
        assert_eq!(error(sql).kind(), ErrorKind::Unsupported, "{sql}");
    }
    assert!(matches!(
        one("CREATE TABLE t (a INT) STORED AS PARQUET"),
        Statement::CreateTable(_)
    ));
}

#[test]
fn views_keep_the_exact_text_of_their_query() {
    let sql =
        "CREATE OR REPLACE VIEW s.V (a, \"B\") COMMENT 'c' AS\n SELECT 1, /* é */ 'x;y' -- end";
    let Statement::CreateView(view) = one(sql) else {
        panic!()
    };
    assert_eq!(view.query_sql, "SELECT 1, /* é */ 'x;y'");
    assert_eq!(view.columns, ["a", "B"]);
    assert_eq!(view.name, TableReference::partial("s", "v"));
    assert!(view.or_replace);
    let second = "SELECT 'ü'; CREATE VIEW v AS (SELECT 2)";
    let statements = parse(second, &ParseLimits::default()).unwrap();
    let Statement::CreateView(view) = &statements[1].statement else {
        panic!()
    };
    assert_eq!(view.query_sql, "(SELECT 2)");
}

#[test]
fn things_are_dropped_renamed_and_commented_on() {
    let Statement::Drop(drop) = one("DROP TABLE IF EXISTS a, s.b CASCADE") else {
        panic!()
    };
    assert_eq!(
        drop.targets,
        [
            DropTarget::Table(bare("a")),
            DropTarget::Table(TableReference::partial("s", "b"))
        ]
    );
    assert!(drop.if_exists && drop.cascade);
    assert_eq!(kind("DROP VIEW v RESTRICT"), "DROP VIEW");
    assert_eq!(kind("DROP SCHEMA s"), "DROP SCHEMA");
    let Statement::AlterTableRename(rename) = one("ALTER VIEW IF EXISTS a RENAME TO s.B") else {
        panic!()
    };
    assert!(rename.view && rename.if_exists);
    assert_eq!(rename.to, TableReference::partial("s", "b"));
    assert_eq!(kind("ALTER SCHEMA a RENAME TO b"), "ALTER SCHEMA");
    let Statement::CommentOn(comment) = one("COMMENT ON COLUMN s.t.C IS 'x'") else {
        panic!()
    };
    let table = TableReference::partial("s", "t");
    assert_eq!(
        comment.target,
        CommentTarget::Column {
            table,
            column: "c".to_string()
        }
    );
    let Statement::CommentOn(comment) = one("COMMENT ON TABLE t IS NULL") else {
        panic!()
    };
    assert_eq!(comment.comment, None);
    let Statement::CreateSchema(schema) = one("CREATE SCHEMA IF NOT EXISTS \"S\" COMMENT 'c'")
    else {
        panic!()
    };
    assert_eq!(schema.name, SchemaReference::Bare { schema: "S".into() });
    assert!(
        error("COMMENT ON COLUMN c IS 'x'")
            .message()
            .contains("table.column")
    );
}

#[test]
fn rows_are_inserted_and_overwritten() {
    let Statement::Insert(insert) = one("INSERT INTO s.t (a, \"B\") SELECT 1, 2") else {
        panic!()
    };
    assert_eq!(insert.columns, ["a", "B"]);
    assert!(!insert.overwrite && insert.partition.is_empty());
    let sql = "INSERT OVERWRITE TABLE t PARTITION (year = 2024, month) VALUES (1, 2)";
    let Statement::Insert(insert) = one(sql) else {
        panic!()
    };
    assert!(insert.overwrite && insert.columns.is_empty());
    assert_eq!(insert.partition[0].column, "year");
    assert_eq!(
        insert.partition[0].value.as_ref().unwrap().to_string(),
        "2024"
    );
    assert_eq!(
        insert.partition[1],
        PartitionValue {
            column: "month".to_string(),
            value: None
        }
    );
    assert_eq!(kind(sql), "INSERT OVERWRITE");
    for sql in [
        "INSERT INTO t (SELECT 1)",
        "INSERT INTO t ((SELECT 1) UNION ALL SELECT 2)",
        "INSERT INTO t WITH x AS (SELECT 1) SELECT * FROM x",
        "INSERT INTO t (VALUES (1))",
    ] {
        let Statement::Insert(insert) = one(sql) else {
            panic!()
        };
        assert!(insert.columns.is_empty(), "{sql}");
    }
    for sql in [
        "INSERT INTO t DEFAULT VALUES",
        "INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING",
        "INSERT INTO t VALUES (1) RETURNING a",
        "INSERT OVERWRITE DIRECTORY '/x' SELECT 1",
    ] {
        assert_eq!(error(sql).kind(), ErrorKind::Unsupported, "{sql}");
    }
    assert!(
        error("INSERT INTO t (a, A) SELECT 1, 2")
            .message()
            .contains("named twice")
    );
}

#[test]
fn rows_are_copied_out() {
    let sql =
        "COPY (SELECT 1 AS a) TO 's3://b/x' STORED AS csv PARTITIONED BY (a) OPTIONS (h true)";
    let Statement::Copy(copy) = one(sql) else {
        panic!()
    };
    assert!(matches!(copy.source, CopySource::Query(_)));
    assert_eq!(
        (copy.target.as_str(), copy.format.as_deref()),
        ("s3://b/x", Some("CSV"))
    );
    assert_eq!(copy.partitioned_by, ["a"]);
    let Statement::Copy(copy) = one("COPY s.t TO '/tmp/t.parquet'") else {
        panic!()
    };
    assert_eq!(
        copy.source,
        CopySource::Table(TableReference::partial("s", "t"))
    );
    assert_eq!(copy.format, None);
    assert!(
        error("COPY t STORED AS CSV")
            .message()
            .contains("expected TO")
    );
    assert!(matches!(one("COPY t FROM '/x'"), Statement::Refused(_)));
}

#[test]
fn a_table_is_emptied_by_name() {
    for (sql, if_exists) in [
        ("TRUNCATE TABLE t", false),
        ("truncate t", false),
        ("TRUNCATE TABLE IF EXISTS t", true),
    ] {
        let Statement::Truncate(truncate) = one(sql) else {
            panic!("{sql} empties a table");
        };
        assert_eq!(truncate.table, bare("t"), "{sql}");
        assert_eq!(truncate.if_exists, if_exists, "{sql}");
    }
    assert_eq!(one("TRUNCATE t").written_table(), Some(&bare("t")));
}

#[test]
fn what_changes_rows_in_place_is_refused_wherever_it_hides() {
    for (sql, what) in [
        ("DELETE FROM t WHERE a = 1", "DELETE"),
        ("UPDATE t SET a = 1", "UPDATE"),
        (
            "MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE",
            "MERGE",
        ),
        ("CREATE INDEX i ON t (a)", "CREATE INDEX"),
        ("CREATE TEMPORARY TABLE t (a INT)", "CREATE TEMPORARY TABLE"),
        (
            "CREATE MATERIALIZED VIEW v AS SELECT 1",
            "CREATE MATERIALIZED VIEW",
        ),
        ("DROP FUNCTION f", "DROP FUNCTION"),
        ("ALTER TABLE t ADD COLUMN a INT", "ALTER TABLE"),
        ("REFRESH TABLE t", "REFRESH"),
    ] {
        let Statement::Refused(refused) = one(sql) else {
            panic!("{sql}")
        };
        assert_eq!(refused.what, what);
        assert_eq!(refused.error().kind(), ErrorKind::Unsupported);
    }
    for sql in [
        "WITH x AS (SELECT 1) DELETE FROM t",
        "WITH x AS (SELECT 1) UPDATE t SET a = 1",
        "WITH x AS (SELECT 1) INSERT INTO t SELECT 1",
        "SELECT a INTO u FROM t",
        "SELECT * FROM (SELECT a INTO u FROM t) x",
    ] {
        assert_eq!(error(sql).kind(), ErrorKind::Unsupported, "{sql}");
    }
}

#[test]
fn syntax_errors_show_the_place() {
    assert_eq!(
        error("SELECT 1;\nSELECT a,, b\nFROM t").message(),
        "syntax error at line 2, column 10: expected an expression, found \",\"\n\
         2 | SELECT a,, b\n  \
           |          ^"
    );
    assert_eq!(
        error("SELECT a FROM").message(),
        "syntax error at line 1, column 14: expected identifier, found the end of the statement\n\
         1 | SELECT a FROM\n  \
           |              ^"
    );
    assert_eq!(
        error("SELECT 'abc").message(),
        "syntax error at line 1, column 8: unterminated string literal\n\
         1 | SELECT 'abc\n  \
           |        ^"
    );
    assert_eq!(
        error("FROBNICATE t").message(),
        "syntax error at line 1, column 1: expected a statement, found \"FROBNICATE\"\n\
         1 | FROBNICATE t\n  \
           | ^"
    );
    assert!(
        error("SELECT 1 SELECT 2")
            .message()
            .contains("expected the end of the statement")
    );
    assert!(error("SELECT 1)").message().contains("line 1, column 9"));
}
