//! Queries: bind, plan, optimise, run.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::DataFusionError;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::provider_as_source;
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::parser::Statement as DFStatement;
use serde_json::Value;
use waterbuck_connectors::files::Secret;
use waterbuck_engine::seal::has_seal;
use waterbuck_engine::session::current_user;
use waterbuck_engine::{Error, Result};

use super::StatementContext;
use super::parameters::{bind_parameters, parameter_schema, type_limits};
use crate::plan::{
    Binder, Bound, is_same_name, plan_error, said_names, under_said_names, with_own_names,
    with_precedence,
};
use crate::query::{
    Attempt, Begun, PlannedQuery, SessionInput, run_query_behind, run_query_in_parts,
};
use crate::result_parts::{Endpoints, ResultPart};
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
    let query_id = context.record.id;
    let stream = match context.endpoints() {
        Endpoints::One => run_query_behind(core, query).await?,
        endpoints => {
            let schema = said_names(query.logical.schema().inner());
            match run_query_in_parts(core, query, endpoints).await? {
                Begun::Whole(stream) => stream,
                Begun::Parts(parts) => {
                    let parts = parts.into_iter().map(under_said_names_of);
                    return Ok(Outcome::Parts {
                        query_id,
                        schema,
                        parts: parts.collect(),
                    });
                }
            }
        }
    };
    Ok(Outcome::Rows {
        query_id,
        stream: under_said_names(stream),
    })
}

fn under_said_names_of(part: ResultPart) -> ResultPart {
    match part {
        ResultPart::Here(rows) => ResultPart::Here(under_said_names(rows)),
        // Its ticket says the names.
        there @ ResultPart::There(_) => there,
    }
}

/// Binds parameters and optimises.
pub(crate) fn optimise(
    context: &StatementContext,
    mut query: LogicalQuery,
) -> Result<PlannedQuery> {
    query.logical = bind_parameters(&context.sql, query.logical, &context.parameters)?;
    optimise_bound(context, query)
}

/// Optimises a plan whose parameters are bound.
pub(super) fn optimise_bound(
    context: &StatementContext,
    query: LogicalQuery,
) -> Result<PlannedQuery> {
    let fail = |error| plan_error(&context.sql, error);
    let logical = query.state.optimize(&query.logical).map_err(fail)?;
    if has_seal(&logical).map_err(fail)? {
        context.record.conceal_reads();
    }
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
    let logical = type_limits(logical).map_err(|error| plan_error(&context.sql, error))?;
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

/// A plan that reads `table`, which lies in this process, and so runs here alone.
pub(super) async fn plan_table(
    context: &StatementContext,
    name: &str,
    table: Arc<dyn TableProvider>,
) -> Result<LogicalQuery> {
    let bound = Binder::new(context).bind_tables(&[]).await?;
    let secrets = crate::tables::secrets(context.core()).await?;
    let state = session_for(context, &bound, &secrets)?;
    let logical = LogicalPlanBuilder::scan(name, provider_as_source(table), None)
        .and_then(LogicalPlanBuilder::build)
        .map_err(|error| plan_error(&context.sql, error))?;
    Ok(LogicalQuery {
        local_only: true,
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
    let mut state = core.planner.state(&input, executors)?;
    let user = context.session.user().name.as_str();
    state
        .register_udf(current_user(Some(user)))
        .map_err(|error| plan_error(&context.sql, error))?;
    Ok(state)
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
