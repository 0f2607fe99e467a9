//! Resolves the names of one statement and pins what they mean: the statement's snapshot.
//!
//! Every table is looked up and its files are listed once, here. What comes out is a small catalog
//! of just these tables; planning, retries and views see nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::catalog::view::ViewTable;
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList,
    MemorySchemaProvider, SchemaProvider, TableProvider,
};
use datafusion::common::TableReference;
use datafusion::execution::SessionStateBuilder;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::parser::Statement as DFStatement;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use waterbuck_catalog::{TableDef, TableKind, TableName};
use waterbuck_engine::sql::{ParseLimits, Statement, parse};
use waterbuck_engine::{Error, Result};

use super::errors::plan_error;
use super::precedence::with_precedence;
use super::refused_clauses::refuse_forgotten_clauses;
use crate::statement::StatementContext;
use crate::system::{self, InformationSchema};

/// The one catalog.
pub(crate) const CATALOG_NAME: &str = "waterbuck";

const VIEW_DEPTH_MAX: usize = 32;

/// The tables of one statement.
pub(crate) struct Bound {
    /// A catalog that holds them and nothing else.
    pub(crate) tables: Arc<dyn CatalogProviderList>,
    /// What was pinned, for the query's record.
    pub(crate) snapshot: Value,
}

/// Binds the names of one statement.
pub(crate) struct Binder<'a> {
    context: &'a StatementContext,
    found: BTreeMap<(String, String), Arc<dyn TableProvider>>,
    pinned: serde_json::Map<String, Value>,
    /// Read when a name asks for it.
    information: Option<Arc<InformationSchema>>,
    depth: usize,
}

impl<'a> Binder<'a> {
    pub(crate) fn new(context: &'a StatementContext) -> Self {
        Self {
            context,
            found: BTreeMap::new(),
            pinned: serde_json::Map::new(),
            information: None,
            depth: 0,
        }
    }

    /// Binds every table a statement names.
    ///
    /// # Errors
    /// Unknown tables, with the nearest name; locations that cannot be read.
    pub(crate) async fn bind(mut self, statement: &DFStatement) -> Result<Bound> {
        let schema = self.context.settings.values().schema.clone();
        self.bind_statement(statement, &schema).await?;
        self.finish()
    }

    /// Binds exactly these tables.
    ///
    /// # Errors
    /// As [`Self::bind`].
    pub(crate) async fn bind_tables(mut self, tables: &[TableReference]) -> Result<Bound> {
        let schema = self.context.settings.values().schema.clone();
        for table in tables {
            self.bind_reference(table, &schema).await?;
        }
        self.finish()
    }

    async fn bind_statement(&mut self, statement: &DFStatement, schema: &str) -> Result<()> {
        refuse_forgotten_clauses(statement)?;
        let base = self.context.core().planner.base();
        let references = base
            .resolve_table_references(statement)
            .map_err(|error| plan_error(&self.context.sql, error))?;
        for reference in references {
            self.bind_reference(&reference, schema).await?;
        }
        Ok(())
    }

    async fn bind_reference(&mut self, reference: &TableReference, schema: &str) -> Result<()> {
        if let Some(catalog) = reference.catalog()
            && catalog != CATALOG_NAME
        {
            return Err(Error::not_found(format!(
                "catalog \"{catalog}\" does not exist"
            )));
        }
        let name = TableName {
            schema: reference.schema().unwrap_or(schema).to_owned(),
            name: reference.table().to_owned(),
        };
        let key = (name.schema.clone(), name.name.clone());
        if self.found.contains_key(&key) {
            return Ok(());
        }
        let elsewhere = self.is_function_or_path(reference);
        if name.schema == system::SCHEMA && !elsewhere {
            let provider = system::table(self.context, &name.name).boxed().await?;
            self.found.insert(key, provider);
        } else if name.schema == system::INFORMATION_SCHEMA && !elsewhere {
            let provider = self.information_table(&name.name).boxed().await?;
            self.found.insert(key, provider);
        } else if let Some(provider) = self.catalog_table(reference, &name).await? {
            self.found.insert(key, provider);
        }
        Ok(())
    }

    /// Whether a name may mean something that lies in no schema.
    fn is_function_or_path(&self, reference: &TableReference) -> bool {
        let name = reference.table();
        let functions = self.context.core().planner.base().table_functions();
        reference.schema().is_none() && (functions.contains_key(name) || looks_like_path(name))
    }

    async fn information_table(&mut self, name: &str) -> Result<Arc<dyn TableProvider>> {
        let information = match &self.information {
            Some(information) => Arc::clone(information),
            None => {
                let read = Arc::new(InformationSchema::read(self.context).await?);
                Arc::clone(self.information.insert(read))
            }
        };
        information.table(name).await
    }

    /// A table of the catalog; `None` for a name that only a table function has.
    async fn catalog_table(
        &mut self,
        reference: &TableReference,
        name: &TableName,
    ) -> Result<Option<Arc<dyn TableProvider>>> {
        let core = self.context.core();
        let Some(table) = core.catalog.table(name).await? else {
            let bare = reference.schema().is_none();
            if bare
                && core
                    .planner
                    .base()
                    .table_functions()
                    .contains_key(&name.name)
            {
                return Ok(None);
            }
            if bare && looks_like_path(&name.name) {
                return self.path_table(&name.name).await.map(Some);
            }
            return Err(core.catalog.missing(name).await);
        };
        match &table.kind {
            TableKind::View(_) => self.view(&table).await.map(Some),
            TableKind::External(_) | TableKind::Managed(_) => {
                let (provider, pinned) = crate::tables::open(self.context, &table).boxed().await?;
                self.pinned
                    .insert(format!("{}.{}", name.schema, name.name), pinned);
                Ok(Some(provider))
            }
        }
    }

    async fn path_table(&mut self, path: &str) -> Result<Arc<dyn TableProvider>> {
        self.context.admin_only("read a path that is not a table")?;
        let (provider, pinned) = crate::tables::open_path(self.context, path).boxed().await?;
        self.pinned.insert(path.to_owned(), pinned);
        Ok(provider)
    }

    /// A view is planned with the tables its text names, in its own schema.
    fn view<'b>(
        &'b mut self,
        table: &'b TableDef,
    ) -> BoxFuture<'b, Result<Arc<dyn TableProvider>>> {
        Box::pin(async move {
            let TableKind::View(view) = &table.kind else {
                return Err(Error::internal("not a view"));
            };
            let name = format!("{}.{}", table.name.schema, table.name.name);
            if self.depth >= VIEW_DEPTH_MAX {
                let message = format!("view \"{name}\" is nested more than {VIEW_DEPTH_MAX} deep");
                return Err(Error::invalid(message));
            }
            let mut parsed = parse(
                &view.sql,
                &ParseLimits::from(self.context.settings.values()),
            )?;
            let Some(Statement::Query(query)) = parsed.pop().map(|parsed| parsed.statement) else {
                return Err(Error::data(format!(
                    "the text of view \"{name}\" is no query"
                )));
            };
            self.depth += 1;
            self.bind_statement(&query, &table.name.schema).await?;
            self.depth -= 1;
            let plan = self
                .plan_view(&query, &table.name.schema)
                .boxed()
                .await
                .map_err(|error| {
                    Error::new(error.kind(), format!("view \"{name}\"")).with_source(error)
                })?;
            let plan = rename_columns(plan, &view.column_aliases)?;
            Ok(Arc::new(ViewTable::new(plan, Some(view.sql.clone()))) as Arc<dyn TableProvider>)
        })
    }

    async fn plan_view(&self, query: &DFStatement, schema: &str) -> Result<LogicalPlan> {
        let base = self.context.core().planner.base().clone();
        let mut config = base.config().clone();
        self.context.settings.apply(config.options_mut());
        schema.clone_into(&mut config.options_mut().catalog.default_schema);
        let state = SessionStateBuilder::new_from_existing(base)
            .with_config(config)
            .with_catalog_list(self.catalog_list()?)
            .build();
        state
            .statement_to_plan(with_precedence(query))
            .await
            .map_err(|error| plan_error("", error))
    }

    fn catalog_list(&self) -> Result<Arc<dyn CatalogProviderList>> {
        let catalog = Arc::new(MemoryCatalogProvider::new());
        for ((schema, name), table) in &self.found {
            let provider = match catalog.schema(schema) {
                Some(provider) => provider,
                None => {
                    let provider = Arc::new(MemorySchemaProvider::new()) as Arc<dyn SchemaProvider>;
                    catalog
                        .register_schema(schema, Arc::clone(&provider))
                        .map_err(internal)?;
                    provider
                }
            };
            provider
                .register_table(name.clone(), Arc::clone(table))
                .map_err(internal)?;
        }
        let list = MemoryCatalogProviderList::new();
        list.register_catalog(CATALOG_NAME.to_owned(), catalog as Arc<dyn CatalogProvider>);
        Ok(Arc::new(list))
    }

    fn finish(self) -> Result<Bound> {
        Ok(Bound {
            tables: self.catalog_list()?,
            snapshot: json!(self.pinned),
        })
    }
}

fn internal(error: datafusion::common::DataFusionError) -> Error {
    Error::internal("a table cannot be bound").with_source(error)
}

fn looks_like_path(name: &str) -> bool {
    name.contains('/') || name.contains("://") || (name.contains('.') && !name.ends_with('.'))
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
