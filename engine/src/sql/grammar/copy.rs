//! `COPY … TO …`.

use datafusion::sql::sqlparser::tokenizer::Token;

use super::clauses::Clauses;
use crate::sql::cursor::Cursor;
use crate::sql::ddl::PartitionColumn;
use crate::sql::fault::Parsed;
use crate::sql::refused::Refused;
use crate::sql::statement::Statement;
use crate::sql::write::{CopySource, CopyTo};

pub(super) fn copy(cursor: &mut Cursor<'_>) -> Parsed<Statement> {
    if cursor.at(&["INTO"]) {
        return refused(cursor);
    }
    let source = if cursor.at_token(&Token::LParen) {
        cursor.expect_token(&Token::LParen)?;
        let query = cursor.query()?;
        cursor.expect_token(&Token::RParen)?;
        CopySource::Query(query)
    } else {
        CopySource::Table(cursor.table()?)
    };
    if cursor.at(&["FROM"]) {
        return refused(cursor);
    }
    let clauses = Clauses::read(cursor)?;
    if !cursor.at_end() {
        return cursor
            .expected("TO, STORED AS, PARTITIONED BY, OPTIONS or the end of the statement");
    }
    let Some(target) = clauses.location.and_then(|mut locations| locations.pop()) else {
        return cursor.expected("TO with a path or URL");
    };
    Ok(Statement::Copy(Box::new(CopyTo {
        source,
        target,
        format: clauses.format,
        partitioned_by: partition_names(cursor, clauses.partitioned_by)?,
        options: clauses.options.unwrap_or_default(),
    })))
}

fn refused(cursor: &mut Cursor<'_>) -> Parsed<Statement> {
    cursor.rest();
    Ok(Statement::Refused(Refused::new("COPY FROM")))
}

fn partition_names(
    cursor: &Cursor<'_>,
    columns: Option<Vec<PartitionColumn>>,
) -> Parsed<Vec<String>> {
    columns
        .unwrap_or_default()
        .into_iter()
        .map(|column| match column {
            PartitionColumn::Name(name) => Ok(name),
            PartitionColumn::Spec(_) => {
                cursor.expected("column names without types in PARTITIONED BY")
            }
        })
        .collect()
}
