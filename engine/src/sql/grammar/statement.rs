//! Tells statements apart by their first words.

use crate::sql::cursor::Cursor;
use crate::sql::fault::Parsed;
use crate::sql::refused::{REFUSED_STATEMENTS, Refused};
use crate::sql::statement::Statement;

use super::{
    admin, alter, copy, create, drop, explain, grants, insert, prepared, session, show, truncate,
};

/// Parses one statement; what follows it is left to the caller.
pub(in crate::sql) fn statement(cursor: &mut Cursor<'_>) -> Parsed<Statement> {
    if let Some(what) = refused(cursor) {
        cursor.rest();
        return Ok(Statement::Refused(Refused::new(what)));
    }
    if cursor.at_query() {
        return Ok(Statement::from_query(cursor.query()?));
    }
    for (words, rule) in RULES {
        if cursor.eat(words) {
            return rule(cursor);
        }
    }
    cursor.expected("a statement")
}

type Rule = fn(&mut Cursor<'_>) -> Parsed<Statement>;

const RULES: &[(&[&str], Rule)] = &[
    (&["EXPLAIN"], explain::explain),
    (&["CREATE"], create::create),
    (&["DROP"], drop::drop),
    (&["ALTER"], alter::alter),
    (&["COMMENT", "ON"], alter::comment_on),
    (&["INSERT"], insert::insert),
    (&["COPY"], copy::copy),
    (&["TRUNCATE"], truncate::truncate),
    (&["SHOW"], show::show),
    (&["DESCRIBE"], show::describe),
    (&["DESC"], show::describe),
    (&["USE"], session::use_schema),
    (&["SET"], session::set),
    (&["RESET"], session::reset),
    (&["ANALYZE"], admin::analyze),
    (&["COMPUTE", "INCREMENTAL", "STATS"], admin::compute_stats),
    (&["COMPUTE", "STATS"], admin::compute_stats),
    (&["KILL"], admin::kill),
    (&["GRANT"], grants::grant),
    (&["REVOKE"], grants::revoke),
    (&["PREPARE"], prepared::prepare),
    (&["EXECUTE"], prepared::execute),
    (&["DEALLOCATE"], prepared::deallocate),
    (&["BEGIN"], session::begin),
    (&["START", "TRANSACTION"], session::begin),
    (&["COMMIT"], session::commit),
    (&["END"], session::commit),
    (&["ROLLBACK"], session::rollback),
    (&["ABORT"], session::rollback),
];

fn refused(cursor: &Cursor<'_>) -> Option<&'static str> {
    REFUSED_STATEMENTS
        .iter()
        .find(|(words, _)| cursor.at(words))
        .map(|(_, what)| *what)
}
