//! `SHOW …` and `DESCRIBE`: most are queries over `system` and `information_schema`.

use datafusion::common::{SchemaReference, TableReference};
use datafusion::sql::parser::Statement as DFStatement;
use waterbuck_catalog::{Securable, TableKind};
use waterbuck_engine::sql::{Describe, ParseLimits, Show, Statement, parse};
use waterbuck_engine::{Error, Result};

use super::StatementContext;
use super::dispatch::rows_of;
use super::rights::denied;
use super::rows::{named_like, text_outcome, text_schema};
use super::{
    found_files, limits, permitted, query, set, show_create, show_rights, table_details, tokens,
};
use crate::session::{Outcome, PreparedStatement};

/// A `SHOW` either is a query or gives rows of text.
enum Answer {
    Query(String),
    Text(&'static [&'static str]),
}

/// Runs a `SHOW`.
pub(super) async fn execute(context: &StatementContext, show: &Show) -> Result<Outcome> {
    match answer(context, show).await? {
        Answer::Query(sql) => run(context, &sql).await,
        Answer::Text(columns) => {
            let rows = text_rows(context, show).await?;
            text_outcome(context, columns, &rows)
        }
    }
}

/// Plans a `SHOW`.
pub(super) async fn prepare(context: &StatementContext, show: &Show) -> Result<PreparedStatement> {
    match answer(context, show).await? {
        Answer::Query(sql) => {
            let context = context.with_sql(&sql);
            query::prepare(&context, &parse_query(&context, &sql)?).await
        }
        Answer::Text(columns) => Ok(rows_of(text_schema(columns))),
    }
}

/// Runs a `DESCRIBE`.
pub(super) async fn describe(context: &StatementContext, describe: &Describe) -> Result<Outcome> {
    if describe.formatted {
        let rows = table_details::formatted(context, &describe.table).await?;
        return text_outcome(context, table_details::FORMATTED, &rows);
    }
    let rows = table_details::columns(context, &describe.table).await?;
    text_outcome(context, table_details::COLUMNS, &rows)
}

/// Plans a `DESCRIBE`.
pub(super) async fn prepare_describe(
    context: &StatementContext,
    describe: &Describe,
) -> Result<PreparedStatement> {
    table_details::find(context, &describe.table).await?;
    let columns = if describe.formatted {
        table_details::FORMATTED
    } else {
        table_details::COLUMNS
    };
    Ok(rows_of(text_schema(columns)))
}

/// Runs a `DESCRIBE` of a query: it is planned and not run.
pub(super) async fn describe_query(
    context: &StatementContext,
    described: &DFStatement,
) -> Result<Outcome> {
    let planned = query::plan(context, described).await?;
    let rows = table_details::field_rows(planned.logical.schema().fields());
    text_outcome(context, table_details::COLUMNS, &rows)
}

/// Plans a `DESCRIBE` of a query.
pub(super) async fn prepare_describe_query(
    context: &StatementContext,
    described: &DFStatement,
) -> Result<PreparedStatement> {
    query::plan(context, described).await?;
    Ok(rows_of(text_schema(table_details::COLUMNS)))
}

async fn answer(context: &StatementContext, show: &Show) -> Result<Answer> {
    Ok(match show {
        Show::Tables { schema, like } => {
            let schema = listed_schema(context, schema.as_ref()).await?;
            Answer::Query(format!(
                "SELECT table_schema, table_name, table_type FROM information_schema.tables \
                 WHERE table_schema = {}{} ORDER BY table_name",
                literal(&schema),
                like_clause("table_name", like.as_deref()),
            ))
        }
        Show::Views { schema, like } => {
            let schema = listed_schema(context, schema.as_ref()).await?;
            Answer::Query(format!(
                "SELECT table_schema, table_name FROM information_schema.tables \
                 WHERE table_type = 'VIEW' AND table_schema = {}{} ORDER BY table_name",
                literal(&schema),
                like_clause("table_name", like.as_deref()),
            ))
        }
        Show::Schemas { like } => Answer::Query(format!(
            "SELECT schema_name FROM information_schema.schemata WHERE true{} ORDER BY schema_name",
            like_clause("schema_name", like.as_deref()),
        )),
        Show::Functions { like } => Answer::Query(format!(
            "SELECT DISTINCT routine_name AS function_name, function_type, description, \
             syntax_example FROM information_schema.routines WHERE true{} ORDER BY function_name",
            like_clause("routine_name", like.as_deref()),
        )),
        Show::Queries => Answer::Query(
            "SELECT query_id, state, user_name, kind, elapsed_ms, rows, stages, tasks, sql, error \
             FROM system.queries ORDER BY query_id"
                .to_owned(),
        ),
        Show::Executors => {
            Answer::Query("SELECT * FROM system.executors ORDER BY executor_id".to_owned())
        }
        Show::Settings { like } => Answer::Query(format!(
            "SELECT name, value, default_value, description FROM system.settings WHERE true{} \
             ORDER BY name",
            like_clause("name", like.as_deref()),
        )),
        Show::Secrets => {
            Answer::Query("SELECT name, kind, scope FROM system.secrets ORDER BY name".to_owned())
        }
        Show::Setting(_) => Answer::Text(&["name", "value"]),
        Show::Users => Answer::Text(&["name", "admin", "certificate"]),
        Show::Roles => Answer::Text(show_rights::ROLES),
        Show::Grants { .. } => Answer::Text(show_rights::GRANTS),
        Show::Tokens => Answer::Text(tokens::LISTED),
        Show::Limits => Answer::Text(limits::LISTED),
        Show::Columns { .. } => Answer::Text(table_details::COLUMNS),
        Show::Partitions { .. } => Answer::Text(table_details::PARTITIONS),
        Show::Files { .. } | Show::FilesAt { .. } => Answer::Text(table_details::FILES),
        Show::Stats { .. } => Answer::Text(table_details::STATS),
        Show::CreateTable { .. } => Answer::Text(&["statement"]),
    })
}

/// The schema whose tables are listed.
async fn listed_schema(
    context: &StatementContext,
    schema: Option<&SchemaReference>,
) -> Result<String> {
    let schema = match schema {
        Some(schema) => context.schema_name(schema)?,
        None => context.settings.values().schema.clone(),
    };
    set::check_schema(context, &schema).await?;
    Ok(schema)
}

async fn text_rows(context: &StatementContext, show: &Show) -> Result<Vec<Vec<Option<String>>>> {
    match show {
        Show::Setting(name) => {
            let value = context.settings.get(name)?;
            Ok(vec![vec![Some(name.clone()), Some(value)]])
        }
        Show::Users => {
            context.admin_only("list users")?;
            let users = context.core().catalog.users().await?;
            let row = |user: waterbuck_catalog::User| {
                let admin = user.admin.to_string();
                vec![Some(user.name), Some(admin), user.certificate]
            };
            Ok(users.into_iter().map(row).collect())
        }
        Show::Roles => show_rights::roles(context).await,
        Show::Grants { grantee, object } => {
            show_rights::grants(context, grantee.as_ref(), object.as_ref()).await
        }
        Show::Tokens => tokens::rows(context).await,
        Show::Limits => limits::rows(context).await,
        Show::Columns { table, like } => {
            let rows = table_details::columns(context, table).await?;
            named_like(rows, like.as_deref())
        }
        Show::Partitions { table } => table_details::partitions(context, table).await,
        Show::Files { table } => table_details::files(context, table).await,
        Show::FilesAt { location } => found_files::rows(context, location).await,
        Show::Stats { table } => table_details::stats(context, table).await,
        Show::CreateTable { table } => create_text(context, table).await,
        _ => Err(Error::internal("this SHOW is a query")),
    }
}

async fn create_text(
    context: &StatementContext,
    table: &TableReference,
) -> Result<Vec<Vec<Option<String>>>> {
    let table = table_details::find(context, table).await?;
    let rights = context.rights();
    let object = Securable::of(&table);
    // What a view is made of is its owner's business; it may name what others do not see.
    if matches!(table.kind, TableKind::View(_)) && !rights.owns(&object) {
        return Err(denied(format!(
            "you may not see how {object} is made: it is not yours"
        )));
    }
    Ok(vec![vec![Some(show_create::statement(
        &table,
        permitted::knows_place(&rights, &table),
    ))]])
}

async fn run(context: &StatementContext, sql: &str) -> Result<Outcome> {
    let inner = context.with_sql(sql);
    query::execute(&inner, &parse_query(&inner, sql)?).await
}

fn parse_query(context: &StatementContext, sql: &str) -> Result<DFStatement> {
    let mut parsed = parse(sql, &ParseLimits::from(context.settings.values()))?;
    match parsed.pop().map(|parsed| parsed.statement) {
        Some(Statement::Query(query)) => Ok(*query),
        _ => Err(Error::internal("a SHOW is no query")),
    }
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn like_clause(column: &str, like: Option<&str>) -> String {
    like.map_or_else(String::new, |pattern| {
        format!(" AND {column} LIKE {}", literal(pattern))
    })
}
