//! Statements about who may do what: roles, grants, owners, row filters and column masks.

use std::fmt;

use datafusion::common::{SchemaReference, TableReference};

/// Something a user may be allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Privilege {
    /// Read rows.
    Select,
    /// Add rows.
    Insert,
    /// Change rows.
    Update,
    /// Remove rows.
    Delete,
    /// Make schemas in a catalog, tables and views in a schema.
    Create,
    /// Rename, comment, analyse.
    Alter,
    /// Drop.
    Drop,
    /// See what a schema holds, and name it in a statement.
    Usage,
    /// Call a function.
    Execute,
    /// Change a setting.
    Set,
}

impl Privilege {
    /// Every privilege, in the order of listings.
    pub const ALL: [Self; 10] = [
        Self::Select,
        Self::Insert,
        Self::Update,
        Self::Delete,
        Self::Create,
        Self::Alter,
        Self::Drop,
        Self::Usage,
        Self::Execute,
        Self::Set,
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Select => "SELECT",
            Self::Insert => "INSERT",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Create => "CREATE",
            Self::Alter => "ALTER",
            Self::Drop => "DROP",
            Self::Usage => "USAGE",
            Self::Execute => "EXECUTE",
            Self::Set => "SET",
        }
    }

    /// The privilege a word stands for, whatever the word's case.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|privilege| privilege.as_str().eq_ignore_ascii_case(word))
    }

    /// Whether it can be given on single columns.
    pub fn takes_columns(self) -> bool {
        matches!(self, Self::Select | Self::Insert | Self::Update)
    }
}

impl fmt::Display for Privilege {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whom a right is given to: users and roles have names of their own kind.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Grantee {
    /// One user.
    User(String),
    /// Everybody who has the role.
    Role(String),
}

impl Grantee {
    /// The word for its kind.
    pub fn noun(&self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Role(_) => "role",
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::User(name) | Self::Role(name) => name,
        }
    }
}

impl fmt::Display for Grantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} \"{}\"", self.noun(), self.name())
    }
}

/// What a privilege is given on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantObject {
    /// A catalog, with everything in it.
    Catalog(String),
    /// A schema, with everything in it, now and later.
    Schema(SchemaReference),
    /// Each table and view that is in the schema now.
    AllTables(SchemaReference),
    /// A table.
    Table(TableReference),
    /// A view.
    View(TableReference),
    /// A function.
    Function(String),
    /// A setting.
    Setting(String),
}

impl GrantObject {
    /// The privileges that can be given on it.
    pub fn privileges(&self) -> &'static [Privilege] {
        use Privilege::{Alter, Create, Delete, Drop, Execute, Insert, Select, Set, Update, Usage};
        match self {
            Self::Catalog(_) => &Privilege::ALL,
            Self::Schema(_) => &[Select, Insert, Update, Delete, Create, Alter, Drop, Usage],
            Self::AllTables(_) | Self::Table(_) => &[Select, Insert, Update, Delete, Alter, Drop],
            Self::View(_) => &[Select, Alter, Drop],
            Self::Function(_) => &[Execute],
            Self::Setting(_) => &[Set],
        }
    }

    /// What it is, for messages.
    pub fn noun(&self) -> &'static str {
        match self {
            Self::Catalog(_) => "catalog",
            Self::Schema(_) => "schema",
            Self::AllTables(_) | Self::Table(_) => "table",
            Self::View(_) => "view",
            Self::Function(_) => "function",
            Self::Setting(_) => "setting",
        }
    }
}

/// A privilege as a grant names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedPrivilege {
    /// The privilege.
    pub privilege: Privilege,
    /// The columns it is on; the whole object when empty.
    pub columns: Vec<String>,
}

/// `GRANT privileges ON object TO grantees`, `REVOKE privileges ON object FROM grantees`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Given when false, taken away when true.
    pub revoke: bool,
    /// The privileges; never empty, `ALL` is written out.
    pub privileges: Vec<NamedPrivilege>,
    /// What they are on.
    pub object: GrantObject,
    /// Who gets or loses them; never empty.
    pub grantees: Vec<Grantee>,
    /// Given: with the right to give it on. Taken away: that right alone.
    pub grant_option: bool,
}

/// `GRANT role TO grantees`, `REVOKE role FROM grantees`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantRole {
    /// Given when false, taken away when true.
    pub revoke: bool,
    /// The roles; never empty.
    pub roles: Vec<String>,
    /// Who gets or loses them; never empty.
    pub grantees: Vec<Grantee>,
    /// Given: with the right to give the role on. Taken away: that right alone.
    pub admin_option: bool,
}

/// `CREATE ROLE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateRole {
    /// The role's name.
    pub name: String,
    /// Do nothing when it exists.
    pub if_not_exists: bool,
}

/// `DROP ROLE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropRole {
    /// The role's name.
    pub name: String,
    /// Do nothing when it does not exist.
    pub if_exists: bool,
}

/// The roles a session makes use of, out of those its user has. The role `public` always counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum ActiveRoles {
    /// Every role of the user.
    #[default]
    All,
    /// None of them.
    None,
    /// This one, with the roles it has itself.
    One(String),
}

/// What can be given to another owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnedObject {
    /// A table.
    Table(TableReference),
    /// A view.
    View(TableReference),
    /// A schema.
    Schema(SchemaReference),
}

/// `ALTER TABLE | VIEW | SCHEMA … OWNER TO …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterOwner {
    /// What gets another owner.
    pub object: OwnedObject,
    /// Do nothing when it does not exist.
    pub if_exists: bool,
    /// The owner to come.
    pub to: Grantee,
}

impl AlterOwner {
    /// The statement's words.
    pub fn kind_name(&self) -> &'static str {
        match self.object {
            OwnedObject::Table(_) => "ALTER TABLE",
            OwnedObject::View(_) => "ALTER VIEW",
            OwnedObject::Schema(_) => "ALTER SCHEMA",
        }
    }
}

/// What a policy does to the rows that are read from a table.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PolicyKind {
    /// Keeps the rows for which the expression is true.
    RowFilter,
    /// Shows the expression in place of the column.
    ColumnMask {
        /// The column.
        column: String,
    },
}

impl PolicyKind {
    /// The word for it.
    pub fn noun(&self) -> &'static str {
        match self {
            Self::RowFilter => "row filter",
            Self::ColumnMask { .. } => "column mask",
        }
    }
}

/// `CREATE ROW FILTER`, `CREATE COLUMN MASK`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatePolicy {
    /// Its name, which no other of its kind on the table has.
    pub name: String,
    /// The table.
    pub table: TableReference,
    /// What it does.
    pub kind: PolicyKind,
    /// The expression exactly as written.
    pub expression: String,
    /// Whom it holds for; without `TO` the role `public`, which everybody has.
    pub grantees: Vec<Grantee>,
}

/// `DROP ROW FILTER`, `DROP COLUMN MASK`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropPolicy {
    /// Its name.
    pub name: String,
    /// The table.
    pub table: TableReference,
    /// A column mask, not a row filter.
    pub mask: bool,
    /// Do nothing when it does not exist.
    pub if_exists: bool,
}

/// Whose rights a view runs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ViewSecurity {
    /// Its owner's.
    #[default]
    Definer,
    /// Those of whoever reads it.
    Invoker,
}

/// The role that everybody has.
pub const PUBLIC_ROLE: &str = "public";

/// The role that may do everything.
pub const ADMIN_ROLE: &str = "admin";

/// A statement about rights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RightsStatement {
    /// `GRANT` and `REVOKE` of privileges.
    Grant(Grant),
    /// `GRANT` and `REVOKE` of roles.
    GrantRole(GrantRole),
    /// `CREATE ROLE`.
    CreateRole(CreateRole),
    /// `DROP ROLE`.
    DropRole(DropRole),
    /// `SET ROLE`.
    SetRole(ActiveRoles),
    /// `ALTER … OWNER TO`.
    AlterOwner(AlterOwner),
    /// `CREATE ROW FILTER`, `CREATE COLUMN MASK`.
    CreatePolicy(CreatePolicy),
    /// `DROP ROW FILTER`, `DROP COLUMN MASK`.
    DropPolicy(DropPolicy),
}

impl RightsStatement {
    /// The statement's words.
    pub fn kind_name(&self) -> &'static str {
        match self {
            Self::Grant(Grant { revoke: false, .. })
            | Self::GrantRole(GrantRole { revoke: false, .. }) => "GRANT",
            Self::Grant(_) | Self::GrantRole(_) => "REVOKE",
            Self::CreateRole(_) => "CREATE ROLE",
            Self::DropRole(_) => "DROP ROLE",
            Self::SetRole(_) => "SET ROLE",
            Self::AlterOwner(alter) => alter.kind_name(),
            Self::CreatePolicy(CreatePolicy {
                kind: PolicyKind::RowFilter,
                ..
            }) => "CREATE ROW FILTER",
            Self::CreatePolicy(_) => "CREATE COLUMN MASK",
            Self::DropPolicy(DropPolicy { mask: false, .. }) => "DROP ROW FILTER",
            Self::DropPolicy(_) => "DROP COLUMN MASK",
        }
    }
}
