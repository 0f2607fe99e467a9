//! The catalog as one user sees it: what the user may not see is told from what is not there by no
//! word and no hint.

use std::collections::HashSet;
use std::sync::Arc;

use waterbuck_catalog::{
    CatalogStore, Rights, SchemaDef, Securable, TableDef, TableKind, TableName,
};
use waterbuck_engine::sql::Privilege;
use waterbuck_engine::{Error, ErrorKind, Result};

use crate::names::did_you_mean;

/// The part of the catalog that a user may know of.
#[derive(Clone, Copy)]
pub(crate) struct Visible<'a> {
    catalog: &'a Arc<dyn CatalogStore>,
    rights: &'a Rights,
}

impl<'a> Visible<'a> {
    pub(crate) fn new(catalog: &'a Arc<dyn CatalogStore>, rights: &'a Rights) -> Self {
        Self { catalog, rights }
    }

    /// The table or view of that name, with all its columns.
    ///
    /// # Errors
    /// `NotFound` when the user sees none, with the nearest name that the user sees; `noun` is what
    /// was asked for.
    pub(crate) async fn relation(&self, noun: &str, name: &TableName) -> Result<TableDef> {
        match self.catalog.table(name).await? {
            Some(table) if self.sees(&table) => Ok(table),
            _ => Err(self.missing(noun, name).await),
        }
    }

    /// All tables and views that the user sees, each with the columns that the user sees.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub(crate) async fn relations(&self) -> Result<Vec<TableDef>> {
        let all = self.catalog.tables(None).await?.into_iter();
        let seen = all.filter(|table| self.sees(table));
        Ok(seen.map(|table| self.narrowed(table)).collect())
    }

    /// A table or view with the columns that the user sees.
    pub(crate) fn narrowed(&self, mut table: TableDef) -> TableDef {
        let object = Securable::of(&table);
        let seen = |column: &str| self.rights.sees_column(&object, column);
        table.columns.retain(|column| seen(&column.name));
        match &mut table.kind {
            TableKind::External(files) => files.partition_columns.retain(|name| seen(name)),
            TableKind::Managed(files) => files.partition_columns.retain(|name| seen(name)),
            TableKind::View(view) => view.column_aliases.retain(|name| seen(name)),
        }
        table
    }

    /// All schemas that the user sees: those on which the user has a privilege and those which hold
    /// something that the user sees.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub(crate) async fn schemas(&self) -> Result<Vec<SchemaDef>> {
        let all = self.catalog.schemas().await?;
        if all.iter().all(|schema| self.sees_schema(&schema.name)) {
            return Ok(all);
        }
        let tables = self.catalog.tables(None).await?.into_iter();
        let seen = tables.filter(|table| self.sees(table));
        let holding: HashSet<String> = seen.map(|table| table.name.schema).collect();
        let known =
            |schema: &SchemaDef| self.sees_schema(&schema.name) || holding.contains(&schema.name);
        Ok(all.into_iter().filter(known).collect())
    }

    /// Fails unless the user sees the schema.
    ///
    /// # Errors
    /// `NotFound`, with the nearest name that the user sees.
    pub(crate) async fn check_schema(&self, name: &str) -> Result<()> {
        let schemas = self.schemas().await?;
        if schemas.iter().any(|schema| schema.name == name) {
            return Ok(());
        }
        let hint = did_you_mean(name, schemas.iter().map(|schema| schema.name.as_str()));
        Err(Error::not_found(format!(
            "schema \"{name}\" does not exist{hint}"
        )))
    }

    /// The error for a table or view that is not there or that the user does not see.
    pub(crate) async fn missing(&self, noun: &str, name: &TableName) -> Error {
        match self.why_missing(noun, name).await {
            Ok(error) | Err(error) => error,
        }
    }

    async fn why_missing(&self, noun: &str, name: &TableName) -> Result<Error> {
        self.check_schema(&name.schema).await?;
        let tables = self.catalog.tables(Some(&name.schema)).await?;
        let seen = tables.iter().filter(|table| self.sees(table));
        let hint = did_you_mean(&name.name, seen.map(|table| table.name.name.as_str()));
        Ok(Error::not_found(format!(
            "{noun} \"{}\" does not exist in schema \"{}\"{hint}",
            name.name, name.schema
        )))
    }

    fn sees(&self, table: &TableDef) -> bool {
        self.rights.sees(&Securable::of(table))
    }

    fn sees_schema(&self, name: &str) -> bool {
        self.rights.sees(&Securable::Schema(name.to_owned()))
    }
}

/// The error of a user who sees something and lacks a right to it.
pub(crate) fn lacking(privilege: Privilege, object: &Securable) -> Error {
    let who = match object {
        Securable::Relation { .. } | Securable::Schema(_) => "its owner",
        Securable::Catalog | Securable::Function(_) | Securable::Setting(_) => "an administrator",
    };
    Error::new(
        ErrorKind::PermissionDenied,
        format!("you have no {privilege} on {object}: {who} can grant it"),
    )
}
