//! Grants of privileges as values.

use waterbuck_engine::sql::{Grantee, Privilege};

use super::securable::Securable;

/// One privilege on one object or one of its columns.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GrantTarget {
    pub privilege: Privilege,
    pub object: Securable,
    /// The only column it is on; the whole object when absent.
    pub column: Option<String>,
}

/// Privileges to give or to take away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantChange {
    pub targets: Vec<GrantTarget>,
    /// The id of the schema that a target is on, where it was checked: another one of that name is a
    /// `Conflict`.
    pub schema_id: Option<i64>,
    pub grantees: Vec<Grantee>,
    /// Given: with the right to give it on. Taken away: that right alone.
    pub option: bool,
    /// The user who does it.
    pub by: String,
}

/// A privilege that somebody was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    pub grantee: Grantee,
    pub target: GrantTarget,
    /// It may be given on.
    pub grantable: bool,
    /// The user who gave it last.
    pub granted_by: String,
}
