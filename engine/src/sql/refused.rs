//! Statements that are SQL, are recognised, and are refused with a reason.

use crate::Error;

/// A statement that is recognised and not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// Its words: `DELETE`, `CREATE INDEX`.
    pub what: &'static str,
}

impl Refused {
    pub(super) fn new(what: &'static str) -> Self {
        Self { what }
    }

    /// The error the statement ends in: what is not supported, and what to do in its place.
    pub fn error(&self) -> Error {
        Error::unsupported(format!(
            "{} is not supported yet: {}",
            self.what,
            self.advice()
        ))
    }

    fn advice(&self) -> &'static str {
        match self.what {
            "DELETE" | "UPDATE" | "MERGE" | "REPLACE" => {
                "rows of tables cannot be changed in place; \
                 write the rows that remain with INSERT OVERWRITE"
            }
            "INSERT in a query" => "write INSERT INTO table WITH … SELECT …",
            "SELECT INTO" => "write CREATE TABLE name AS SELECT …",
            "COPY FROM" => "make the files an external table and use INSERT INTO … SELECT",
            "ALTER TABLE" => {
                "tables can be renamed with RENAME TO, given away with OWNER TO, and nothing else"
            }
            "CREATE TEMPORARY TABLE" | "CREATE TEMPORARY VIEW" => {
                "make it in a schema of your own and drop it afterwards"
            }
            "CREATE MATERIALIZED VIEW" => "write CREATE TABLE name AS SELECT …",
            "CREATE INDEX" => "partition the table by the column instead",
            "SAVEPOINT" | "RELEASE" => "transactions have no parts",
            "REFRESH" | "INVALIDATE METADATA" | "MSCK" => {
                "it is not needed: new files are seen within the setting \"max_metadata_age\""
            }
            _ => "it is not part of Waterbuck's SQL",
        }
    }
}

/// First words of refused statements. Longer ones stand before shorter ones.
pub(super) const REFUSED_STATEMENTS: &[(&[&str], &str)] = &[
    (&["DELETE"], "DELETE"),
    (&["UPDATE"], "UPDATE"),
    (&["MERGE"], "MERGE"),
    (&["REPLACE"], "REPLACE"),
    (&["DENY"], "DENY"),
    (&["SAVEPOINT"], "SAVEPOINT"),
    (&["RELEASE"], "RELEASE"),
    (&["VACUUM"], "VACUUM"),
    (&["OPTIMIZE"], "OPTIMIZE"),
    (&["REFRESH"], "REFRESH"),
    (&["INVALIDATE", "METADATA"], "INVALIDATE METADATA"),
    (&["MSCK"], "MSCK"),
    (&["CALL"], "CALL"),
    (&["DECLARE"], "DECLARE"),
    (&["FETCH"], "FETCH"),
    (&["CLOSE"], "CLOSE"),
    (&["LOCK"], "LOCK"),
    (&["ATTACH"], "ATTACH"),
    (&["DETACH"], "DETACH"),
    (&["INSTALL"], "INSTALL"),
    (&["LOAD"], "LOAD"),
    (&["UNLOAD"], "UNLOAD"),
    (&["PRAGMA"], "PRAGMA"),
    (&["LISTEN"], "LISTEN"),
    (&["NOTIFY"], "NOTIFY"),
    (&["CACHE"], "CACHE"),
    (&["UNCACHE"], "UNCACHE"),
];

/// What may follow CREATE, DROP or ALTER and is refused.
pub(super) const REFUSED_OBJECTS: &[(&[&str], [&str; 3])] = &[
    (
        &["MATERIALIZED", "VIEW"],
        [
            "CREATE MATERIALIZED VIEW",
            "DROP MATERIALIZED VIEW",
            "ALTER MATERIALIZED VIEW",
        ],
    ),
    (
        &["TEMPORARY", "VIEW"],
        ["CREATE TEMPORARY VIEW", "DROP VIEW", "ALTER VIEW"],
    ),
    (
        &["TEMP", "VIEW"],
        ["CREATE TEMPORARY VIEW", "DROP VIEW", "ALTER VIEW"],
    ),
    (
        &["TEMPORARY"],
        ["CREATE TEMPORARY TABLE", "DROP TABLE", "ALTER TABLE"],
    ),
    (
        &["TEMP"],
        ["CREATE TEMPORARY TABLE", "DROP TABLE", "ALTER TABLE"],
    ),
    (
        &["UNBOUNDED"],
        [
            "CREATE UNBOUNDED EXTERNAL TABLE",
            "DROP TABLE",
            "ALTER TABLE",
        ],
    ),
    (
        &["FUNCTION"],
        ["CREATE FUNCTION", "DROP FUNCTION", "ALTER FUNCTION"],
    ),
    (&["MACRO"], ["CREATE MACRO", "DROP MACRO", "ALTER MACRO"]),
    (
        &["PROCEDURE"],
        ["CREATE PROCEDURE", "DROP PROCEDURE", "ALTER PROCEDURE"],
    ),
    (&["INDEX"], ["CREATE INDEX", "DROP INDEX", "ALTER INDEX"]),
    (
        &["UNIQUE", "INDEX"],
        ["CREATE INDEX", "DROP INDEX", "ALTER INDEX"],
    ),
    (
        &["SEQUENCE"],
        ["CREATE SEQUENCE", "DROP SEQUENCE", "ALTER SEQUENCE"],
    ),
    (
        &["TRIGGER"],
        ["CREATE TRIGGER", "DROP TRIGGER", "ALTER TRIGGER"],
    ),
    (&["TYPE"], ["CREATE TYPE", "DROP TYPE", "ALTER TYPE"]),
    (
        &["STREAM"],
        ["CREATE STREAM", "DROP STREAM", "ALTER STREAM"],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn the_error_says_what_to_do_instead() {
        let error = Refused::new("DELETE").error();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.message().starts_with("DELETE is not supported yet: "));
        assert!(error.message().contains("INSERT OVERWRITE"));
    }
}
