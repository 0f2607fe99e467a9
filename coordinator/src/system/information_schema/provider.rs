//! The tables of `information_schema` by name: ours over the catalog, DataFusion's over functions
//! and options.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::catalog::information_schema::InformationSchemaProvider;
use datafusion::catalog::{MemoryCatalogProviderList, SchemaProvider, TableProvider};
use waterbuck_engine::{Error, Result};

use super::contents::{Allowed, Contents, Relation};
use super::{columns, constraints, tables};
use crate::names::did_you_mean;
use crate::statement::StatementContext;
use crate::system::{self, INFORMATION_SCHEMA, in_memory};
use crate::visible::Visible;

type Fill = fn(&Contents) -> Result<RecordBatch>;

const OWN: [(&str, Fill); 8] = [
    ("check_constraints", constraints::check_constraints),
    ("columns", columns::columns),
    ("key_column_usage", constraints::key_column_usage),
    (
        "referential_constraints",
        constraints::referential_constraints,
    ),
    ("schemata", tables::schemata),
    ("table_constraints", constraints::table_constraints),
    ("tables", tables::tables),
    ("views", tables::views),
];

/// What DataFusion knows best: its functions and its options.
const BORROWED: [&str; 3] = ["df_settings", "parameters", "routines"];

/// The schema as it was when a statement first named it; all its tables agree with one another.
pub(crate) struct InformationSchema {
    contents: Contents,
    borrowed: InformationSchemaProvider,
}

impl InformationSchema {
    /// Reads what the user sees of the catalog. No location is listed and no file is opened, so that a table whose files
    /// are gone is described like any other.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub(crate) async fn read(context: &StatementContext) -> Result<Self> {
        let core = context.core();
        let functions = core.planner.base().table_functions().clone();
        let nothing = Arc::new(MemoryCatalogProviderList::new());
        let mut read = Self {
            contents: Contents::default(),
            borrowed: InformationSchemaProvider::new(nothing).with_table_functions(functions),
        };
        let mut relations = vec![];
        for name in OWN.map(|(name, _)| name).into_iter().chain(BORROWED) {
            let schema = read.table(name).await?.schema();
            relations.push(Relation::system(INFORMATION_SCHEMA, name, &schema));
        }
        for (name, table) in system::all(context).await? {
            relations.push(Relation::system(system::SCHEMA, name, &table.schema()));
        }
        let rights = context.rights();
        let visible = Visible::new(&core.catalog, &rights);
        let tables = visible.relations().await?.into_iter();
        relations.extend(tables.map(|table| {
            let allowed = Allowed::by(&rights, &table);
            Relation::new(table, allowed)
        }));
        read.contents = Contents::new(visible.schemas().await?, relations);
        Ok(read)
    }

    /// One table of the schema.
    ///
    /// # Errors
    /// When there is no such table, with the nearest name.
    pub(crate) async fn table(&self, name: &str) -> Result<Arc<dyn TableProvider>> {
        if let Some((_, fill)) = OWN.iter().find(|(own, _)| *own == name) {
            return in_memory(fill(&self.contents)?);
        }
        if BORROWED.contains(&name) {
            let found = self.borrowed.table(name).await.map_err(|error| {
                Error::internal(format!("{INFORMATION_SCHEMA}.{name} cannot be built"))
                    .with_source(error)
            })?;
            if let Some(table) = found {
                return Ok(table);
            }
        }
        let names = OWN.iter().map(|(name, _)| *name).chain(BORROWED);
        let hint = did_you_mean(name, names);
        Err(Error::not_found(format!(
            "table \"{name}\" does not exist in schema \"{INFORMATION_SCHEMA}\"{hint}"
        )))
    }
}
