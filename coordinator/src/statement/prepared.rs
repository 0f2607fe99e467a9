//! `PREPARE`, `EXECUTE`, `DEALLOCATE`.

use datafusion::sql::parser::Statement as DFStatement;
use datafusion::sql::sqlparser::ast::Expr;
use waterbuck_engine::Result;
use waterbuck_engine::sql::Prepared;

use super::{StatementContext, query};
use crate::session::{KeptQuery, Outcome, PreparedStatement};

/// Runs a statement about a named query.
pub(super) async fn execute(context: &StatementContext, prepared: &Prepared) -> Result<Outcome> {
    match prepared {
        Prepared::Prepare { name, query } => {
            query::prepare(context, query.statement()).await?;
            let kept = KeptQuery {
                text: context.sql.clone(),
                query: query.as_ref().clone(),
            };
            context.session.keep(name, kept)?;
            Ok(context.done())
        }
        Prepared::Execute { name, arguments } => {
            let (text, statement) = bound(context, name, arguments)?;
            query::execute(&context.with_sql(&text), &statement).await
        }
        Prepared::Deallocate { name } => {
            context.session.drop_kept(name.as_deref())?;
            Ok(context.done())
        }
    }
}

/// Plans the query that `EXECUTE` names.
pub(super) async fn prepare(
    context: &StatementContext,
    name: &str,
    arguments: &[Expr],
) -> Result<PreparedStatement> {
    let (text, statement) = bound(context, name, arguments)?;
    query::prepare(&context.with_sql(&text), &statement).await
}

/// The query with its arguments, and the text in which it stands.
fn bound(
    context: &StatementContext,
    name: &str,
    arguments: &[Expr],
) -> Result<(String, DFStatement)> {
    let kept = context.session.kept(name)?;
    let statement = kept.query.with_arguments(arguments)?;
    Ok((kept.text, statement))
}
