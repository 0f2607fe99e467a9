//! `information_schema`: DataFusion's own, over everything the catalog names.

use std::sync::Arc;

use datafusion::catalog::information_schema::InformationSchemaProvider;
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList,
    MemorySchemaProvider, SchemaProvider,
};
use waterbuck_engine::{Error, Result};

use crate::plan::{CATALOG_NAME, DescribedTable};
use crate::statement::StatementContext;

/// The schema's name.
pub(crate) const INFORMATION_SCHEMA: &str = "information_schema";

/// Adds `information_schema` to a statement's tables when its text speaks of it.
pub(crate) async fn add_information_schema(
    context: &StatementContext,
    tables: &Arc<dyn CatalogProviderList>,
) -> Result<()> {
    if !context.sql.to_lowercase().contains(INFORMATION_SCHEMA)
        && context.settings.values().schema != INFORMATION_SCHEMA
    {
        return Ok(());
    }
    let described = described(context).await?;
    let provider = Arc::new(InformationSchemaProvider::new(described));
    if let Some(catalog) = tables.catalog(CATALOG_NAME) {
        catalog
            .register_schema(INFORMATION_SCHEMA, provider)
            .map_err(internal)?;
    }
    Ok(())
}

async fn described(context: &StatementContext) -> Result<Arc<dyn CatalogProviderList>> {
    let store = &context.core().catalog;
    let catalog = Arc::new(MemoryCatalogProvider::new());
    for schema in store.schemas().await? {
        let provider = Arc::new(MemorySchemaProvider::new());
        catalog
            .register_schema(&schema.name, provider)
            .map_err(internal)?;
    }
    for table in store.tables(None).await? {
        let Some(schema) = catalog.schema(&table.name.schema) else {
            continue;
        };
        let described = Arc::new(DescribedTable::new(&table));
        schema
            .register_table(table.name.name.clone(), described)
            .map_err(internal)?;
    }
    let system = Arc::new(MemorySchemaProvider::new()) as Arc<dyn SchemaProvider>;
    for (name, table) in super::all(context).await? {
        system
            .register_table(name.to_owned(), table)
            .map_err(internal)?;
    }
    catalog
        .register_schema(super::SCHEMA, system)
        .map_err(internal)?;
    let own = Arc::new(MemorySchemaProvider::new());
    catalog
        .register_schema(INFORMATION_SCHEMA, own)
        .map_err(internal)?;
    let list = MemoryCatalogProviderList::new();
    list.register_catalog(CATALOG_NAME.to_owned(), catalog as Arc<dyn CatalogProvider>);
    Ok(Arc::new(list))
}

fn internal(error: datafusion::common::DataFusionError) -> Error {
    Error::internal("information_schema cannot be built").with_source(error)
}
