//! `COPY … TO`.

use std::sync::Arc;

use arrow::datatypes::Schema;
use waterbuck_connectors::files::Format;
use waterbuck_connectors::files::write::WriteTarget;
use waterbuck_engine::sql::{CopySource, CopyTo, ParseLimits, Statement, parse};
use waterbuck_engine::{Error, Result};

use super::StatementContext;
use super::columns::plain_columns;
use super::filled::IfFilled;
use super::query::LogicalQuery;
use super::write::write_aside;
use crate::plan::arrow_schema;
use crate::session::Outcome;
use crate::tables;

/// `COPY query TO 'location'`.
pub(super) async fn execute(context: &StatementContext, copy: &CopyTo) -> Result<Outcome> {
    context.admin_only("copy to a location")?;
    let format = format_of(copy)?;
    let (location, single_file) = tables::copy_location(copy, format)?;
    // The columns are known when the query is planned.
    let mut target = WriteTarget::new(location, format, Arc::new(Schema::empty()));
    target.options.clone_from(&copy.options);
    target.partition_columns.clone_from(&copy.partitioned_by);
    target.single_file = single_file;
    let if_filled = IfFilled::take(&mut target.options)?;
    let replaced = if_filled.replaced(context, &target).await?;
    let source = plan(context, copy).await?;
    target.schema = arrow_schema(&plain_columns(source.logical.schema().as_arrow()));
    let (aside, files) = write_aside(context, source, target).await?;
    let rows = files.iter().map(|file| file.rows).sum();
    aside.publish(files, replaced).await?;
    Ok(context.wrote(rows))
}

/// Plans the query whose rows are copied.
pub(super) async fn plan(context: &StatementContext, copy: &CopyTo) -> Result<LogicalQuery> {
    let statement = match &copy.source {
        CopySource::Query(query) => Statement::from_query(query.clone()),
        CopySource::Table(table) => {
            let sql = format!("SELECT * FROM {}", table.to_quoted_string());
            let mut parsed = parse(&sql, &ParseLimits::from(context.settings.values()))?;
            let parsed = parsed
                .pop()
                .ok_or_else(|| Error::internal("an empty query"))?;
            parsed.statement
        }
    };
    let Statement::Query(query) = statement else {
        return Err(Error::internal("the source is no query"));
    };
    super::query::plan(context, &query).await
}

fn format_of(copy: &CopyTo) -> Result<Format> {
    if let Some(name) = &copy.format {
        return name.parse();
    }
    Format::of_path(&copy.target).ok_or_else(|| {
        Error::invalid(format!(
            "the format of \"{}\" cannot be told from its name: say STORED AS PARQUET, CSV, JSON \
             or ARROW",
            copy.target
        ))
    })
}
