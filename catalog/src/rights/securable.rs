//! What privileges are on.

use std::fmt;

use waterbuck_engine::sql::Privilege;

use crate::model::{TableDef, TableKind, TableName};

/// Something that privileges can be on, as the catalog knows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Securable {
    /// The catalog with everything in it.
    Catalog,
    /// A schema with everything in it.
    Schema(String),
    /// A table or view. Its id is what counts: the name is where it is found now.
    Relation {
        id: i64,
        name: TableName,
        view: bool,
    },
    /// A function, by its name.
    Function(String),
    /// A setting, by its name.
    Setting(String),
}

impl Securable {
    /// A table or view.
    pub fn of(table: &TableDef) -> Self {
        Self::Relation {
            id: table.id,
            name: table.name.clone(),
            view: matches!(table.kind, TableKind::View(_)),
        }
    }

    /// The word for its kind.
    pub fn noun(&self) -> &'static str {
        match self {
            Self::Catalog => "catalog",
            Self::Schema(_) => "schema",
            Self::Relation { view: false, .. } => "table",
            Self::Relation { view: true, .. } => "view",
            Self::Function(_) => "function",
            Self::Setting(_) => "setting",
        }
    }

    /// The privileges that say something about it, whether given on it or on what holds it.
    pub(super) fn privileges(&self) -> &'static [Privilege] {
        use Privilege::{Alter, Create, Delete, Drop, Execute, Insert, Select, Set, Update, Usage};
        match self {
            Self::Catalog => &Privilege::ALL,
            Self::Schema(_) => &[Create, Alter, Drop, Usage],
            Self::Relation { .. } => &[Select, Insert, Update, Delete, Alter, Drop],
            Self::Function(_) => &[Execute],
            Self::Setting(_) => &[Set],
        }
    }
}

impl fmt::Display for Securable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = self.noun();
        match self {
            Self::Catalog => f.write_str("the catalog"),
            Self::Relation { name, .. } => write!(f, "{noun} \"{name}\""),
            Self::Schema(name) | Self::Function(name) | Self::Setting(name) => {
                write!(f, "{noun} \"{name}\"")
            }
        }
    }
}
