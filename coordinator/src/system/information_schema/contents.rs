//! What `information_schema` is made from: schemas, and relations with their columns.

use arrow::datatypes::Schema;
use waterbuck_catalog::{ColumnDef, Rights, SchemaDef, Securable, TableDef, TableKind};
use waterbuck_engine::sql::Privilege;

use crate::system::{INFORMATION_SCHEMA, SCHEMA};

/// Everything that has a name.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// The catalog's schemas and those that Waterbuck fills, by name.
    pub(super) schemas: Vec<SchemaDef>,
    /// Tables and views, by schema and name.
    pub(super) relations: Vec<Relation>,
}

impl Contents {
    /// `schemas` are those of the catalog, `relations` those of every schema.
    pub(super) fn new(mut schemas: Vec<SchemaDef>, mut relations: Vec<Relation>) -> Self {
        schemas.extend([INFORMATION_SCHEMA, SCHEMA].map(|name| SchemaDef {
            name: name.to_owned(),
            comment: None,
            owner: None,
        }));
        schemas.sort_by(|a, b| a.name.cmp(&b.name));
        relations.sort_by(|a, b| (&a.schema, &a.name).cmp(&(&b.schema, &b.name)));
        Self { schemas, relations }
    }
}

/// A table or view.
#[derive(Debug)]
pub(super) struct Relation {
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) kind: RelationKind,
    pub(super) columns: Vec<ColumnDef>,
    pub(super) comment: Option<String>,
}

/// What a user may do with a table or view, as far as `information_schema` tells.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowed {
    /// It is the user's own.
    pub(super) everything: bool,
    /// Rows can be added, to some of its columns at least.
    pub(super) insert: bool,
}

impl Allowed {
    /// What `rights` are on a table or view.
    pub(super) fn by(rights: &Rights, table: &TableDef) -> Self {
        let object = Securable::of(table);
        Self {
            everything: rights.owns(&object),
            insert: rights.may_in_part(Privilege::Insert, &object),
        }
    }
}

/// What a relation is, as far as `information_schema` tells.
#[derive(Debug)]
pub(super) enum RelationKind {
    /// A table whose files the catalog names.
    Managed {
        /// Its id in the catalog.
        id: i64,
        /// Whether the user can add rows with INSERT.
        insertable: bool,
    },
    /// A table over files that belong to somebody else.
    File {
        /// Its id in the catalog.
        id: i64,
        /// Whether the user can add rows with INSERT.
        insertable: bool,
    },
    /// A view.
    View {
        /// The text of its query, for those whose it is: it may name what others do not see.
        definition: Option<String>,
    },
    /// A table that Waterbuck fills.
    System,
}

impl Relation {
    /// A table or view of the catalog, for a user who may do this with it.
    pub(super) fn new(table: TableDef, allowed: Allowed) -> Self {
        let id = table.id;
        let insertable = allowed.insert;
        let kind = match table.kind {
            TableKind::View(view) => RelationKind::View {
                definition: allowed.everything.then_some(view.sql),
            },
            TableKind::Managed(_) => RelationKind::Managed { id, insertable },
            TableKind::External(external) => RelationKind::File {
                id,
                insertable: insertable && crate::tables::takes_rows(&external),
            },
        };
        Self {
            schema: table.name.schema,
            name: table.name.name,
            kind,
            columns: table.columns,
            comment: table.comment,
        }
    }

    /// A table that Waterbuck fills.
    pub(super) fn system(schema: &str, name: &str, columns: &Schema) -> Self {
        let column = |field: &arrow::datatypes::FieldRef| {
            ColumnDef::new(
                field.name().as_str(),
                field.data_type().clone(),
                field.is_nullable(),
            )
        };
        Self {
            schema: schema.to_owned(),
            name: name.to_owned(),
            kind: RelationKind::System,
            columns: columns.fields().iter().map(column).collect(),
            comment: None,
        }
    }

    /// `VIEW` for views and `BASE TABLE` for all else: the two words that every client knows.
    pub(super) fn table_type(&self) -> &'static str {
        match self.kind {
            RelationKind::View { .. } => "VIEW",
            RelationKind::Managed { .. } | RelationKind::File { .. } | RelationKind::System => {
                "BASE TABLE"
            }
        }
    }

    /// Whether the user can add rows with INSERT.
    pub(super) fn is_insertable(&self) -> bool {
        match self.kind {
            RelationKind::Managed { insertable, .. } | RelationKind::File { insertable, .. } => {
                insertable
            }
            RelationKind::View { .. } | RelationKind::System => false,
        }
    }
}
