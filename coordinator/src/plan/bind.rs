//! Resolves the names of one statement and pins what they mean: the statement's snapshot.
//!
//! Every table is looked up and its files are listed once, here. What comes out is a small catalog
//! of just these tables, each as the user may see it; planning, retries and views see nothing else.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList,
    MemorySchemaProvider, SchemaProvider, TableProvider,
};
use datafusion::common::TableReference;
use datafusion::sql::parser::Statement as DFStatement;
use futures::FutureExt;
use serde_json::{Value, json};
use waterbuck_catalog::{Rights, Securable, TableDef, TableKind, TableName};
use waterbuck_engine::plain_errors::plan_error;
use waterbuck_engine::sql::{Grantee, Privilege};
use waterbuck_engine::{Error, ErrorKind, Result};

use super::calls::{called_functions, check_calls};
use super::refused_clauses::refuse_forgotten_clauses;
use super::secured::{Extent, secured};
use crate::statement::StatementContext;
use crate::system::{self, InformationSchema};
use crate::visible::{Visible, lacking};

/// The one catalog.
pub(crate) const CATALOG_NAME: &str = "waterbuck";

/// The tables of one statement.
pub(crate) struct Bound {
    /// A catalog that holds them and nothing else.
    pub(crate) tables: Arc<dyn CatalogProviderList>,
    /// What was pinned, for the query's record.
    pub(crate) snapshot: Value,
}

/// Binds the names of one statement.
pub(crate) struct Binder<'a> {
    pub(super) context: &'a StatementContext,
    /// What is being bound with one user's rights: the statement, or the body of a view.
    pub(super) scope: Scope,
    /// Tables by id, opened once for all scopes, and what was pinned of each.
    opened: HashMap<i64, (Arc<dyn TableProvider>, Value)>,
    /// The rights of views' owners.
    pub(super) owners: BTreeMap<Option<Grantee>, Arc<Rights>>,
    /// Read when a name asks for it.
    information: Option<Arc<InformationSchema>>,
    pub(super) depth: usize,
}

/// A part of a statement that is bound with the same rights.
#[derive(Default)]
pub(super) struct Scope {
    /// Whose they are; without any, those of the statement's user.
    pub(super) rights: Option<Arc<Rights>>,
    /// Tables and views by schema and name, as these rights let them be seen.
    pub(super) found: BTreeMap<(String, String), Arc<dyn TableProvider>>,
    /// Files by table, as far as the rights of all scopes around allow to tell.
    pub(super) pinned: serde_json::Map<String, Value>,
    /// Every table and view that was read, also in views.
    pub(super) read: Vec<Securable>,
    /// Whether files were read that are no table.
    pub(super) reads_paths: bool,
}

impl<'a> Binder<'a> {
    pub(crate) fn new(context: &'a StatementContext) -> Self {
        Self {
            context,
            scope: Scope::default(),
            opened: HashMap::new(),
            owners: BTreeMap::new(),
            information: None,
            depth: 0,
        }
    }

    /// Binds every table a statement names.
    ///
    /// # Errors
    /// Tables that do not exist for the user, with the nearest name that does; rights that are
    /// missing; locations that cannot be read.
    pub(crate) async fn bind(mut self, statement: &DFStatement) -> Result<Bound> {
        let schema = self.context.settings.values().schema.clone();
        self.bind_statement(statement, &schema).await?;
        self.finish().await
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
        self.finish().await
    }

    pub(super) async fn bind_statement(
        &mut self,
        statement: &DFStatement,
        schema: &str,
    ) -> Result<()> {
        refuse_forgotten_clauses(statement)?;
        let base = self.context.core().planner.base();
        let called = called_functions(statement);
        // Figures for the planner are not computed by the user.
        if !called.is_empty() && self.context.whole_table().is_none() {
            let rights = self.rights();
            check_calls(base, &rights, called)?;
        }
        let references = base
            .resolve_table_references(statement)
            .map_err(|error| plan_error(&self.context.sql, error))?;
        for reference in references {
            self.bind_reference(&reference, schema).await?;
        }
        Ok(())
    }

    /// The rights with which the scope is bound.
    pub(super) fn rights(&self) -> Arc<Rights> {
        match &self.scope.rights {
            Some(rights) => Arc::clone(rights),
            None => self.context.rights(),
        }
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
        if self.scope.found.contains_key(&key) {
            return Ok(());
        }
        let elsewhere = self.is_function_or_path(reference);
        if name.schema == system::SCHEMA && !elsewhere {
            let provider = system::table(self.context, &name.name).boxed().await?;
            self.scope.found.insert(key, provider);
        } else if name.schema == system::INFORMATION_SCHEMA && !elsewhere {
            let provider = self.information_table(&name.name).boxed().await?;
            self.scope.found.insert(key, provider);
        } else if let Some(provider) = self.catalog_table(reference, &name).await? {
            self.scope.found.insert(key, provider);
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
        let rights = self.rights();
        let core = self.context.core();
        let found = core.catalog.table(name).await?;
        let seen = found.filter(|table| rights.sees(&Securable::of(table)));
        let Some(table) = seen else {
            let bare = reference.schema().is_none();
            let functions = core.planner.base().table_functions();
            if bare && functions.contains_key(&name.name) {
                return Ok(None);
            }
            if bare && looks_like_path(&name.name) {
                return self.path_table(&name.name).await.map(Some);
            }
            let visible = Visible::new(&core.catalog, &rights);
            return Err(visible.missing("table", name).await);
        };
        let object = Securable::of(&table);
        let extent = match self.context.whole_table() {
            None => Extent::Granted,
            Some(id) if id == table.id => Extent::Whole,
            Some(_) => {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    format!("\"{name}\" was replaced by another session; try again"),
                ));
            }
        };
        if extent == Extent::Granted && !rights.may_in_part(Privilege::Select, &object) {
            return Err(lacking(Privilege::Select, &object));
        }
        self.scope.read.push(object);
        let provider = match &table.kind {
            TableKind::View(view) => self.view(&table, view).await?,
            TableKind::External(_) | TableKind::Managed(_) => self.open(&table, &rights).await?,
        };
        let base = core.planner.base();
        secured(base, &rights, (&table, provider), extent).map(Some)
    }

    /// All of a table, its files pinned.
    async fn open(&mut self, table: &TableDef, rights: &Rights) -> Result<Arc<dyn TableProvider>> {
        let (provider, pinned) = match self.opened.get(&table.id) {
            Some((provider, pinned)) => (Arc::clone(provider), pinned.clone()),
            None => {
                let opened = crate::tables::open(self.context, table).boxed().await?;
                let known = (Arc::clone(&opened.0), opened.1.clone());
                self.opened.insert(table.id, known);
                opened
            }
        };
        // How much there is tells of rows that are filtered out.
        let told = if rights.is_bound(table.id) {
            json!({})
        } else {
            pinned
        };
        self.scope.pinned.insert(table.name.to_string(), told);
        Ok(provider)
    }

    async fn path_table(&mut self, path: &str) -> Result<Arc<dyn TableProvider>> {
        if !self.rights().is_admin() {
            return Err(Error::new(
                ErrorKind::PermissionDenied,
                "only administrators may read a path that is not a table",
            ));
        }
        let (provider, pinned) = crate::tables::open_path(self.context, path).boxed().await?;
        self.scope.reads_paths = true;
        self.scope.pinned.insert(path.to_owned(), pinned);
        Ok(provider)
    }

    pub(super) fn catalog_list(&self) -> Result<Arc<dyn CatalogProviderList>> {
        let catalog = Arc::new(MemoryCatalogProvider::new());
        for ((schema, name), table) in &self.scope.found {
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

    /// Fails when other policies bind than did before files were listed: rows that were added meanwhile
    /// may be such as a new filter hides.
    async fn check_policies(&self) -> Result<()> {
        if self.opened.is_empty() {
            return Ok(());
        }
        let now = self.context.session.rights().await?;
        if !self.rights().is_bound_as(&now) {
            return Err(policies_changed());
        }
        let catalog = &self.context.core().catalog;
        for (owner, rights) in &self.owners {
            let now = catalog.owner_rights(owner.as_ref()).await?;
            if !rights.is_bound_as(&now) {
                return Err(policies_changed());
            }
        }
        Ok(())
    }

    async fn finish(self) -> Result<Bound> {
        self.check_policies().await?;
        Ok(Bound {
            tables: self.catalog_list()?,
            snapshot: json!(self.scope.pinned),
        })
    }
}

fn policies_changed() -> Error {
    Error::new(
        ErrorKind::Conflict,
        "what you may see was changed while the statement began; run it again",
    )
}

fn internal(error: datafusion::common::DataFusionError) -> Error {
    Error::internal("a table cannot be bound").with_source(error)
}

/// Whether a name may be that of files.
pub(crate) fn looks_like_path(name: &str) -> bool {
    name.contains('/') || name.contains("://") || (name.contains('.') && !name.ends_with('.'))
}
