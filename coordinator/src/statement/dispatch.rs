//! Sends each statement to the file that knows what to do.

use std::sync::Arc;

use arrow::datatypes::Schema;
use waterbuck_engine::sql::{ParsedStatement, Prepared, Statement};
use waterbuck_engine::{Error, Result};

use super::rows::text_schema;
use super::{
    StatementContext, analyze, copy, ddl, explain, insert, limits, prepared, query, rights,
    secrets, set, show, tokens, truncate, users,
};
use crate::session::{Outcome, PreparedStatement};

/// Runs a statement.
pub(crate) async fn execute(
    context: &StatementContext,
    parsed: &ParsedStatement,
) -> Result<Outcome> {
    match &parsed.statement {
        Statement::Query(query) => query::execute(context, query).await,
        Statement::Explain(explain) => explain::execute(context, explain).await,
        Statement::Prepared(statement) => prepared::execute(context, statement).await,
        Statement::CreateExternalTable(create) => ddl::create_external(context, create).await,
        Statement::CreateTable(create) => insert::create_table(context, create).await,
        Statement::CreateView(create) => ddl::create_view(context, create).await,
        Statement::CreateSchema(create) => ddl::create_schema(context, create).await,
        Statement::Drop(drop) => ddl::drop_objects(context, drop).await,
        Statement::AlterTableRename(alter) => ddl::rename(context, alter).await,
        Statement::CommentOn(comment) => ddl::comment(context, comment).await,
        Statement::Insert(insert) => insert::execute(context, insert).await,
        Statement::Copy(copy) => copy::execute(context, copy).await,
        Statement::Truncate(truncate) => truncate::execute(context, truncate).await,
        Statement::Show(what) => show::execute(context, what).await,
        Statement::Describe(describe) => show::describe(context, describe).await,
        Statement::DescribeQuery(query) => show::describe_query(context, query).await,
        Statement::Use(schema) => set::use_schema(context, schema).await,
        Statement::Set { name, value } => set::set(context, name, value).await,
        Statement::Reset(name) => set::reset(context, name.as_deref()).await,
        Statement::Analyze(analyze) => analyze::execute(context, analyze).await,
        Statement::Kill { query_id } => set::kill(context, query_id),
        Statement::CreateSecret(create) => secrets::create(context, create).await,
        Statement::DropSecret(drop) => secrets::remove(context, drop).await,
        Statement::CreateUser(create) => users::create(context, create).await,
        Statement::AlterUser(alter) => users::alter(context, alter).await,
        Statement::DropUser(drop) => users::remove(context, drop).await,
        Statement::AlterLimit(alter) => limits::alter(context, alter).await,
        Statement::CreateToken(create) => tokens::create(context, create).await,
        Statement::DropToken(drop) => tokens::remove(context, drop).await,
        Statement::Rights(statement) => rights::execute(context, statement).await,
        Statement::Refused(refused) => Err(refused.error()),
        Statement::AlterSchemaRename(_)
        | Statement::Begin
        | Statement::Commit
        | Statement::Rollback => {
            let what = parsed.statement.kind_name();
            Err(Error::unsupported(format!("{what} is not supported")))
        }
    }
}

/// Plans a statement without running it.
pub(crate) async fn prepare(
    context: &StatementContext,
    parsed: &ParsedStatement,
) -> Result<PreparedStatement> {
    match &parsed.statement {
        Statement::Query(query) => query::prepare(context, query).await,
        Statement::Insert(insert) => insert::prepare(context, insert).await,
        Statement::Explain(explain) => Ok(rows_of(explain::schema(explain))),
        Statement::Prepared(Prepared::Execute { name, arguments }) => {
            prepared::prepare(context, name, arguments).await
        }
        Statement::Show(what) => show::prepare(context, what).await,
        Statement::Describe(describe) => show::prepare_describe(context, describe).await,
        Statement::DescribeQuery(query) => show::prepare_describe_query(context, query).await,
        Statement::CreateToken(_) => Ok(rows_of(text_schema(tokens::CREATED))),
        Statement::Refused(refused) => Err(refused.error()),
        _ => Ok(PreparedStatement {
            schema: None,
            parameters: Arc::new(Schema::empty()),
        }),
    }
}

pub(super) fn rows_of(schema: arrow::datatypes::SchemaRef) -> PreparedStatement {
    PreparedStatement {
        schema: Some(schema),
        parameters: Arc::new(Schema::empty()),
    }
}
