//! Queries: bind, plan, optimise, run.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::metadata::ScalarAndMetadata;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, ParamValues};
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::scalar::ScalarValue;
use datafusion::sql::parser::Statement as DFStatement;
use serde_json::Value;
use waterbuck_connectors::files::Secret;
use waterbuck_engine::{Error, Result};

use super::StatementContext;
use crate::plan::{
    Binder, Bound, is_same_name, plan_error, said_names, under_said_names, with_own_names,
    with_precedence,
};
use crate::query::{Attempt, PlannedQuery, SessionInput, run_query};
use crate::session::{Outcome, PreparedStatement};

/// A statement's logical plan together with what it was planned against.
pub(crate) struct LogicalQuery {
    pub(crate) logical: LogicalPlan,
    /// What was pinned, for the query's record.
    pub(crate) snapshot: Value,
    pub(crate) secrets: Vec<Secret>,
    /// Runs on the coordinator alone.
    pub(crate) local_only: bool,
    pub(crate) state: SessionState,
}

/// Runs a query.
pub(super) async fn execute(context: &StatementContext, query: &DFStatement) -> Result<Outcome> {
    let planned = plan_result(context, query).await?;
    run(context, planned).await
}

/// Runs a logical plan whose parameters are not bound yet.
pub(crate) async fn run(context: &StatementContext, query: LogicalQuery) -> Result<Outcome> {
    let query = optimise(context, query)?;
    let core = Arc::clone(context.core());
    let (stream, _plan) = run_query(core, query).await?;
    Ok(Outcome::Rows {
        query_id: context.record.id,
        stream: under_said_names(stream),
    })
}

/// Binds parameters and optimises.
pub(crate) fn optimise(context: &StatementContext, query: LogicalQuery) -> Result<PlannedQuery> {
    let fail = |error| plan_error(&context.sql, error);
    let logical = bind_parameters(context, query.logical)?;
    let logical = query.state.optimize(&logical).map_err(fail)?;
    context.record.set_snapshot(query.snapshot.to_string());
    let reads_tables = query
        .snapshot
        .as_object()
        .is_some_and(|pinned| !pinned.is_empty());
    Ok(PlannedQuery {
        needs_slot: reads_tables,
        record: Arc::clone(&context.record),
        logical,
        settings: context.settings.clone(),
        state: query.state,
        secrets: query.secrets,
        sql: context.sql.clone(),
        ends_query: true,
        local_only: query.local_only,
    })
}

/// Plans a query without running it.
pub(super) async fn prepare(
    context: &StatementContext,
    query: &DFStatement,
) -> Result<PreparedStatement> {
    let planned = plan_result(context, query).await?;
    let parameters = parameter_schema(&planned.logical)?;
    let schema = said_names(planned.logical.schema().inner());
    Ok(PreparedStatement {
        schema: Some(schema),
        parameters,
    })
}

/// Binds the names of a query and makes its logical plan.
pub(crate) async fn plan(context: &StatementContext, query: &DFStatement) -> Result<LogicalQuery> {
    let bound = Binder::new(context).bind(query).await?;
    plan_bound(context, &bound, query, |_| None).await
}

/// The same, of a query whose result may have columns of the same name.
pub(super) async fn plan_result(
    context: &StatementContext,
    query: &DFStatement,
) -> Result<LogicalQuery> {
    let bound = Binder::new(context).bind(query).await?;
    let otherwise = |error: &_| with_own_names(query).filter(|_| is_same_name(error));
    plan_bound(context, &bound, query, otherwise).await
}

/// Plans a query, or the one that `otherwise` gives for the error of the first.
async fn plan_bound(
    context: &StatementContext,
    bound: &Bound,
    query: &DFStatement,
    otherwise: impl Fn(&DataFusionError) -> Option<DFStatement>,
) -> Result<LogicalQuery> {
    let secrets = crate::tables::secrets(context.core()).await?;
    let mut state = session_for(context, bound, &secrets)?;
    let mut logical = state.statement_to_plan(with_precedence(query)).await;
    if let Err(error) = &logical
        && let Some(query) = otherwise(error)
    {
        logical = state.statement_to_plan(with_precedence(&query)).await;
    }
    let logical = logical.map_err(|error| plan_error(&context.sql, error))?;
    refuse_writes(&logical)?;
    let local_only = crate::plan::needs_row_check(&logical)?;
    if local_only {
        let options = state.config_mut().options_mut();
        options
            .optimizer
            .enable_physical_uncorrelated_scalar_subquery = true;
    }
    Ok(LogicalQuery {
        local_only,
        logical,
        snapshot: bound.snapshot.clone(),
        secrets,
        state,
    })
}

/// The session in which a statement over `bound` is planned, and its slice of this node.
fn session_for(
    context: &StatementContext,
    bound: &Bound,
    secrets: &[Secret],
) -> Result<SessionState> {
    let core = context.core();
    let values = context.settings.values();
    let memory_limit = usize::try_from(values.memory_limit).unwrap_or(usize::MAX);
    let runtime = core
        .runtime
        .for_query(
            &context.record.id.to_string(),
            (memory_limit, values.spill_limit),
            || core.stores.for_query(secrets.to_vec()),
        )
        .map_err(|error| Error::internal("no runtime for the query").with_source(error))?;
    let executors = core.planner.executors(&core.members, &Attempt::default());
    let input = SessionInput {
        record: &context.record,
        settings: &context.settings,
        tables: &bound.tables,
        runtime: &runtime,
    };
    core.planner.state(&input, executors)
}

/// DataFusion would plan a filter it does not understand in DELETE or UPDATE as "all rows".
fn refuse_writes(plan: &LogicalPlan) -> Result<()> {
    let mut refused = None;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::Dml(_) | LogicalPlan::Ddl(_) | LogicalPlan::Copy(_) = node {
            refused = Some(node.display().to_string());
            return Ok(TreeNodeRecursion::Stop);
        }
        Ok(TreeNodeRecursion::Continue)
    })
    .map_err(|error| plan_error("", error))?;
    match refused {
        Some(what) => Err(Error::unsupported(format!(
            "{what} cannot stand inside a query"
        ))),
        None => Ok(()),
    }
}

pub(super) fn parameter_schema(plan: &LogicalPlan) -> Result<SchemaRef> {
    let types = plan
        .get_parameter_types()
        .map_err(|error| plan_error("", error))?;
    let mut fields: Vec<(usize, Field)> = types
        .into_iter()
        .map(|(name, data_type)| {
            let position = name.trim_start_matches('$').parse().unwrap_or(usize::MAX);
            (
                position,
                Field::new(name, data_type.unwrap_or(DataType::Null), true),
            )
        })
        .collect();
    fields.sort_by_key(|(position, _)| *position);
    Ok(Arc::new(Schema::new(
        fields
            .into_iter()
            .map(|(_, field)| field)
            .collect::<Vec<_>>(),
    )))
}

fn bind_parameters(context: &StatementContext, plan: LogicalPlan) -> Result<LogicalPlan> {
    let wanted = plan
        .get_parameter_names()
        .map_err(|error| plan_error("", error))?
        .len();
    if wanted == 0 {
        return Ok(plan);
    }
    let rows: usize = context
        .parameters
        .iter()
        .map(|batch| batch.num_rows())
        .sum();
    let Some(batch) = context.parameters.iter().find(|batch| batch.num_rows() > 0) else {
        return Err(Error::invalid(format!(
            "the statement has {wanted} parameters, none was given"
        )));
    };
    if rows > 1 {
        return Err(Error::invalid("a query takes one row of parameters"));
    }
    if batch.num_columns() < wanted {
        let given = batch.num_columns();
        let message = format!("the statement has {wanted} parameters, {given} were given");
        return Err(Error::invalid(message));
    }
    let types = plan
        .get_parameter_types()
        .map_err(|error| plan_error("", error))?;
    let value = |(index, column): (usize, &ArrayRef)| {
        let value = ScalarValue::try_from_array(column, 0)?;
        // Clients send what they have: text for anything, milliseconds for every timestamp.
        match types.get(&format!("${}", index + 1)) {
            Some(Some(wanted)) => value.cast_to(wanted),
            _ => Ok(value),
        }
        .map(ScalarAndMetadata::from)
    };
    let values = batch
        .columns()
        .iter()
        .enumerate()
        .map(value)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| plan_error("", error))?;
    plan.with_param_values(ParamValues::List(values))
        .map_err(|error| plan_error("", error))
}
