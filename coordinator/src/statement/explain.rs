//! `EXPLAIN` and `EXPLAIN ANALYZE`.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::format::ExplainFormat;
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, displayable};
use datafusion_distributed::{
    DistributedExec, DistributedMetricsFormat, display_plan_ascii, display_plan_graphviz,
};
use futures::TryStreamExt;
use waterbuck_engine::seal::{conceal_plan, conceal_text, has_seal};
use waterbuck_engine::sql::{Explain, ExplainKind, Statement};
use waterbuck_engine::{Error, Result};

use super::query::{LogicalQuery, optimise};
use super::rows::{text_outcome, text_schema};
use super::{StatementContext, query};
use crate::plan::{plan_error, run_error};
use crate::query::{Attempt, PlannedQuery, measure, plan_query, run_query, summary};
use crate::session::Outcome;

const COLUMNS: &[&str] = &["plan_type", "plan"];

type Rows = Vec<Vec<Option<String>>>;

/// The columns every `EXPLAIN` gives.
pub(super) fn schema(_explain: &Explain) -> SchemaRef {
    text_schema(COLUMNS)
}

/// Explains a statement, running it when it is to be analysed.
pub(super) async fn execute(context: &StatementContext, explain: &Explain) -> Result<Outcome> {
    let planned = plan(context, explain).await?;
    let rows = if explain.analyze {
        analyze(context, planned, explain.verbose).await?
    } else {
        describe(context, planned, explain).await?
    };
    text_outcome(context, COLUMNS, &rows)
}

async fn plan(context: &StatementContext, explain: &Explain) -> Result<LogicalQuery> {
    match explain.statement.as_ref() {
        Statement::Query(inner) => query::plan_result(context, inner).await,
        Statement::Insert(insert) if !explain.analyze => super::insert::plan(context, insert)
            .await
            .map(|planned| planned.source),
        Statement::Copy(copy) if !explain.analyze => {
            context.admin_only("copy to a location")?;
            super::copy::plan(context, copy).await
        }
        Statement::CreateTable(create) if !explain.analyze && create.query.is_some() => {
            let name = context.table_name(&create.name)?;
            super::permitted::making(context, &name, create.or_replace).await?;
            let source = create.query.clone().map(Statement::from_query);
            let Some(Statement::Query(inner)) = source else {
                return Err(Error::internal("the source is no query"));
            };
            query::plan(context, &inner).await
        }
        other => {
            let what = if explain.analyze {
                "EXPLAIN ANALYZE"
            } else {
                "EXPLAIN"
            };
            Err(Error::unsupported(format!(
                "{what} of {} is not supported",
                other.kind_name()
            )))
        }
    }
}

async fn describe(
    context: &StatementContext,
    planned: LogicalQuery,
    explain: &Explain,
) -> Result<Rows> {
    let mut rows = vec![];
    if explain.verbose {
        rows.push(row(
            "initial_logical_plan",
            shown(&planned.logical)?.display_indent_schema().to_string(),
        ));
    }
    let optimised = optimise(context, planned)?;
    match (&explain.format, explain.kind) {
        (None, ExplainKind::Logical) => {
            rows.push(row(
                "logical_plan",
                shown(&optimised.logical)?.display_indent().to_string(),
            ));
        }
        (None, ExplainKind::Physical) => {
            let local = Attempt {
                local_only: true,
                ..Attempt::default()
            };
            let physical = physical(context, &optimised, &local).await?;
            let text = displayable(physical.as_ref())
                .indent(explain.verbose)
                .to_string();
            rows.push(row("physical_plan", conceal_text(&text)));
        }
        (None, ExplainKind::Distributed) => {
            rows.push(row(
                "logical_plan",
                shown(&optimised.logical)?.display_indent().to_string(),
            ));
            let physical = plan_query(context.core(), &optimised).await?;
            rows.push(row(
                "distributed_plan",
                conceal_text(&display_plan_ascii(physical.as_ref(), false)),
            ));
        }
        (Some(format), _) => {
            rows.push(formatted(context, &optimised, format).await?);
        }
    }
    Ok(rows)
}

async fn formatted(
    context: &StatementContext,
    optimised: &PlannedQuery,
    format: &ExplainFormat,
) -> Result<Vec<Option<String>>> {
    if *format == ExplainFormat::PostgresJSON {
        let text = shown(&optimised.logical)?.display_pg_json().to_string();
        return Ok(row("logical_plan", text));
    }
    if *format != ExplainFormat::Indent && is_sealed(&optimised.logical)? {
        return Err(Error::unsupported(
            "a part of this plan is hidden from you, which this FORMAT does not show: leave FORMAT out",
        ));
    }
    let physical = with_state(&optimised.logical, &optimised.state, context).await?;
    let text = match format {
        ExplainFormat::Indent => {
            let text = displayable(physical.as_ref()).indent(false).to_string();
            conceal_text(&text)
        }
        ExplainFormat::Tree => displayable(physical.as_ref()).tree_render().to_string(),
        ExplainFormat::Graphviz if physical.is::<DistributedExec>() => {
            display_plan_graphviz(physical).map_err(run_error)?
        }
        // JSON, which is that of the logical plan, was answered above.
        ExplainFormat::Graphviz | ExplainFormat::PostgresJSON => {
            displayable(physical.as_ref()).graphviz().to_string()
        }
    };
    Ok(row("physical_plan", text))
}

/// A logical plan as its user may see it.
fn shown(plan: &LogicalPlan) -> Result<LogicalPlan> {
    conceal_plan(plan).map_err(|error| plan_error("", error))
}

fn is_sealed(plan: &LogicalPlan) -> Result<bool> {
    has_seal(plan).map_err(|error| plan_error("", error))
}

async fn with_state(
    logical: &LogicalPlan,
    state: &SessionState,
    context: &StatementContext,
) -> Result<Arc<dyn ExecutionPlan>> {
    state
        .query_planner()
        .create_physical_plan(logical, state)
        .await
        .map_err(|error| plan_error(&context.sql, error))
}

async fn physical(
    context: &StatementContext,
    query: &PlannedQuery,
    attempt: &Attempt,
) -> Result<Arc<dyn ExecutionPlan>> {
    let core = context.core();
    let state = core
        .planner
        .attempt_state(&query.state, &query.settings, (vec![], attempt))?;
    with_state(&query.logical, &state, context).await
}

async fn analyze(context: &StatementContext, planned: LogicalQuery, verbose: bool) -> Result<Rows> {
    let mut optimised = optimise(context, planned)?;
    optimised.ends_query = false;
    let (mut stream, first_plan) = run_query(Arc::clone(context.core()), optimised).await?;
    let mut produced = 0_usize;
    while let Some(batch) = stream.try_next().await.map_err(run_error)? {
        produced += batch.num_rows();
    }
    drop(stream);
    let view = context.record.view();
    let executed = context.record.plan().unwrap_or(first_plan);
    let mut timings = view.timings;
    timings.execution = context.record.execution_so_far();
    let format = if verbose {
        DistributedMetricsFormat::PerTask
    } else {
        DistributedMetricsFormat::Aggregated
    };
    let profile = measure(executed, format).await?;
    let own_peak = context
        .core()
        .runtime
        .query_peak_bytes(&context.record.id.to_string());
    context.record.set_peak_memory(own_peak.unwrap_or(0));
    let mut lines = summary(&context.record, &timings, Some(&profile));
    let measured = format!("{}\n{}", lines.join("\n"), profile.plan);
    context.record.profiled(&measured);
    lines.push(format!("rows: {produced}"));
    lines.push(format!("attempts: {}", view.attempts));
    Ok(vec![
        row("plan_with_metrics", profile.plan),
        row("summary", lines.join("\n")),
    ])
}

fn row(kind: &str, text: String) -> Vec<Option<String>> {
    vec![Some(kind.to_owned()), Some(text)]
}
