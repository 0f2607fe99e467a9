//! Views: each is planned with the tables that its text names, in its own schema and with the rights
//! of its owner, or of whoever reads it.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::execution::{FunctionRegistry, SessionStateBuilder};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::parser::Statement as DFStatement;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::json;
use waterbuck_catalog::{Rights, Securable, TableDef, ViewDef};
use waterbuck_engine::plain_errors::plan_error;
use waterbuck_engine::seal::seal;
use waterbuck_engine::session::current_user;
use waterbuck_engine::sql::{Grantee, ParseLimits, Statement, ViewSecurity, parse};
use waterbuck_engine::{Error, ErrorKind, Result};

use super::bind::{Binder, Scope};
use super::precedence::with_precedence;
use super::secured::as_table;

const VIEW_DEPTH_MAX: usize = 32;

impl Binder<'_> {
    /// The rows of a view, all its columns.
    pub(super) fn view<'b>(
        &'b mut self,
        table: &'b TableDef,
        view: &'b ViewDef,
    ) -> BoxFuture<'b, Result<Arc<dyn TableProvider>>> {
        Box::pin(async move {
            if self.depth >= VIEW_DEPTH_MAX {
                return Err(Error::invalid(format!(
                    "view \"{}\" is nested more than {VIEW_DEPTH_MAX} deep",
                    table.name
                )));
            }
            self.depth += 1;
            let plan = match view.security {
                ViewSecurity::Invoker => self.body(table, view).await?,
                ViewSecurity::Definer => self.body_of_owner(table, view).await?,
            };
            self.depth -= 1;
            Ok(as_table(plan))
        })
    }

    /// The body of a view, bound with its owner's rights in a scope of its own.
    ///
    /// Where these show more than whoever reads the view may see, the body is sealed: a condition of
    /// the reader that moved into it would be computed for rows that the view leaves out.
    async fn body_of_owner(&mut self, table: &TableDef, view: &ViewDef) -> Result<LogicalPlan> {
        let reader = self.rights();
        let owner = self.owner(table.owner.as_ref()).await?;
        let scope = Scope {
            rights: Some(owner),
            ..Scope::default()
        };
        let outer = std::mem::replace(&mut self.scope, scope);
        let body = self.body(table, view).await;
        let inner = std::mem::replace(&mut self.scope, outer);
        let object = Securable::of(table);
        let plan = body.map_err(|error| told_to(&reader, &object, error))?;
        let lends = inner.read.iter().any(|read| !reader.reads_whole(read))
            || (inner.reads_paths && !reader.is_admin());
        self.scope.read.extend(inner.read);
        self.scope.reads_paths |= inner.reads_paths;
        if !lends {
            self.scope.pinned.extend(inner.pinned);
            return Ok(plan);
        }
        if !inner.pinned.is_empty() {
            self.scope.pinned.insert(table.name.to_string(), json!({}));
        }
        Ok(seal(table.name.to_string(), plan))
    }

    async fn owner(&mut self, owner: Option<&Grantee>) -> Result<Arc<Rights>> {
        let key = owner.cloned();
        if let Some(known) = self.owners.get(&key) {
            return Ok(Arc::clone(known));
        }
        let read = self.context.core().catalog.owner_rights(owner).await?;
        let rights = Arc::new(read);
        self.owners.insert(key, Arc::clone(&rights));
        Ok(rights)
    }

    /// The body of a view, bound with the rights of the scope.
    async fn body(&mut self, table: &TableDef, view: &ViewDef) -> Result<LogicalPlan> {
        let name = &table.name;
        let mut parsed = parse(
            &view.sql,
            &ParseLimits::from(self.context.settings.values()),
        )?;
        let Some(Statement::Query(query)) = parsed.pop().map(|parsed| parsed.statement) else {
            return Err(Error::data(format!(
                "the text of view \"{name}\" is no query"
            )));
        };
        self.bind_statement(&query, &name.schema).await?;
        let plan = self
            .plan_body(&query, &name.schema)
            .boxed()
            .await
            .map_err(|error| {
                Error::new(error.kind(), format!("view \"{name}\"")).with_source(error)
            })?;
        rename_columns(plan, &view.column_aliases)
    }

    async fn plan_body(&self, query: &DFStatement, schema: &str) -> Result<LogicalPlan> {
        let base = self.context.core().planner.base().clone();
        let mut config = base.config().clone();
        self.context.settings.apply(config.options_mut());
        schema.clone_into(&mut config.options_mut().catalog.default_schema);
        let mut state = SessionStateBuilder::new_from_existing(base)
            .with_config(config)
            .with_catalog_list(self.catalog_list()?)
            .build();
        let user = &self.context.session.user().name;
        state
            .register_udf(current_user(Some(user.as_str())))
            .map_err(|error| plan_error("", error))?;
        state
            .statement_to_plan(with_precedence(query))
            .await
            .map_err(|error| plan_error("", error))
    }
}

/// An error in the body of a view, in words for `reader`: what the body reads is its owner's business.
fn told_to(reader: &Rights, view: &Securable, error: Error) -> Error {
    if reader.owns(view) {
        return error;
    }
    let kind = match error.kind() {
        ErrorKind::NotFound | ErrorKind::PermissionDenied => ErrorKind::InvalidQuery,
        kind => kind,
    };
    Error::new(
        kind,
        format!("{view} cannot be read: its owner is told why"),
    )
}

fn rename_columns(plan: LogicalPlan, aliases: &[String]) -> Result<LogicalPlan> {
    if aliases.is_empty() {
        return Ok(plan);
    }
    if aliases.len() != plan.schema().fields().len() {
        return Err(Error::invalid(format!(
            "the view names {} columns, its query gives {}",
            aliases.len(),
            plan.schema().fields().len()
        )));
    }
    let columns = plan.schema().columns();
    let renamed = columns
        .into_iter()
        .zip(aliases)
        .map(|(column, alias)| Expr::Column(column).alias(alias))
        .collect::<Vec<_>>();
    LogicalPlanBuilder::from(plan)
        .project(renamed)
        .and_then(LogicalPlanBuilder::build)
        .map_err(|error| plan_error("", error))
}
