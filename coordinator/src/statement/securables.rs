//! Names in statements about rights, as what the catalog has. What the user may not see does not
//! exist, in the same words as what is not there.

use datafusion::common::{SchemaReference, TableReference};
use waterbuck_catalog::{Rights, Securable};
use waterbuck_engine::sql::{GrantObject, Privilege};
use waterbuck_engine::{Error, Result};

use super::StatementContext;
use crate::names::did_you_mean;
use crate::plan::CATALOG_NAME;
use crate::system;
use crate::visible::Visible;

/// The objects that are meant, each with the privileges that it takes.
pub(super) async fn grant_objects(
    context: &StatementContext,
    rights: &Rights,
    object: &GrantObject,
) -> Result<Vec<(Securable, &'static [Privilege])>> {
    let found = match object {
        GrantObject::AllTables(name) => return all_tables(context, rights, name).await,
        GrantObject::Catalog(name) if name != CATALOG_NAME => {
            return Err(Error::not_found(format!(
                "catalog \"{name}\" does not exist"
            )));
        }
        GrantObject::Catalog(_) => Securable::Catalog,
        GrantObject::Schema(name) => schema(context, rights, name).await?,
        GrantObject::Table(name) => relation(context, rights, name, false).await?,
        GrantObject::View(name) => relation(context, rights, name, true).await?,
        GrantObject::Function(name) => function(context, name)?,
        GrantObject::Setting(name) => {
            context.settings.get(name)?;
            Securable::Setting(name.clone())
        }
    };
    Ok(vec![(found, object.privileges())])
}

async fn all_tables(
    context: &StatementContext,
    rights: &Rights,
    name: &SchemaReference,
) -> Result<Vec<(Securable, &'static [Privilege])>> {
    schema(context, rights, name).await?;
    let name = context.schema_name(name)?;
    let tables = context.core().catalog.tables(Some(&name)).await?;
    let objects = tables.iter().map(Securable::of);
    let objects = objects.filter(|object| rights.sees(object));
    let with_taken = |object: Securable| {
        let takes = taken(&object);
        (object, takes)
    };
    Ok(objects.map(with_taken).collect())
}

/// The privileges that a table or a view takes.
fn taken(object: &Securable) -> &'static [Privilege] {
    let any = TableReference::bare("");
    match object {
        Securable::Relation { view: true, .. } => GrantObject::View(any).privileges(),
        _ => GrantObject::Table(any).privileges(),
    }
}

/// A schema that the user sees.
pub(super) async fn schema(
    context: &StatementContext,
    rights: &Rights,
    reference: &SchemaReference,
) -> Result<Securable> {
    let name = context.schema_name(reference)?;
    refuse_system(&name)?;
    let visible = Visible::new(&context.core().catalog, rights);
    visible.check_schema(&name).await?;
    Ok(Securable::Schema(name))
}

/// A table that the user sees, or a view.
pub(super) async fn relation(
    context: &StatementContext,
    rights: &Rights,
    reference: &TableReference,
    view: bool,
) -> Result<Securable> {
    let name = context.table_name(reference)?;
    refuse_system(&name.schema)?;
    let noun = if view { "view" } else { "table" };
    let visible = Visible::new(&context.core().catalog, rights);
    let object = Securable::of(&visible.relation(noun, &name).await?);
    if object.noun() != noun {
        let is = object.noun();
        let word = is.to_uppercase();
        return Err(Error::invalid(format!(
            "\"{name}\" is a {is}: write {word} in front of its name"
        )));
    }
    Ok(object)
}

fn function(context: &StatementContext, name: &str) -> Result<Securable> {
    let base = context.core().planner.base();
    let names = || {
        let scalar = base.scalar_functions().keys();
        let aggregate = base.aggregate_functions().keys();
        let window = base.window_functions().keys();
        let table = base.table_functions().keys();
        scalar.chain(aggregate).chain(window).chain(table)
    };
    if names().any(|known| known == name) {
        return Ok(Securable::Function(name.to_owned()));
    }
    let hint = did_you_mean(name, names().map(String::as_str));
    Err(Error::not_found(format!(
        "function \"{name}\" does not exist{hint}"
    )))
}

fn refuse_system(schema: &str) -> Result<()> {
    if system::is_system(schema) {
        return Err(Error::unsupported(format!(
            "there are no rights on schema \"{schema}\": everybody reads it and sees their own part"
        )));
    }
    Ok(())
}
