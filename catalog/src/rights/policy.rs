//! Row filters and column masks as values.

use waterbuck_engine::sql::{Grantee, PUBLIC_ROLE, PolicyKind};

/// A row filter or column mask of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    pub table_id: i64,
    /// Unique among those of its kind on the table.
    pub name: String,
    pub kind: PolicyKind,
    /// SQL over the table's columns.
    pub expression: String,
    /// Whom it binds; never empty.
    pub grantees: Vec<Grantee>,
}

/// How closely a policy names whom it binds. The closest mask of a column wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Closeness {
    Everybody,
    Role,
    User,
}

impl Closeness {
    pub(super) fn of(grantee: &Grantee) -> Self {
        match grantee {
            Grantee::User(_) => Self::User,
            Grantee::Role(role) if role == PUBLIC_ROLE => Self::Everybody,
            Grantee::Role(_) => Self::Role,
        }
    }
}

/// A mask that might bind a user as closely as `new` on the same column, so that neither would win.
/// Two roles always might: whoever has one can be given the other.
pub(crate) fn rival_mask<'a>(existing: &'a [Policy], new: &Policy) -> Option<&'a Policy> {
    if new.kind == PolicyKind::RowFilter {
        return None;
    }
    let ties = |one: &Grantee, other: &Grantee| match Closeness::of(one) {
        Closeness::User => one == other,
        closeness => closeness == Closeness::of(other),
    };
    existing.iter().find(|mask| {
        let meets = |grantee: &Grantee| new.grantees.iter().any(|other| ties(grantee, other));
        mask.table_id == new.table_id
            && mask.kind == new.kind
            && mask.name != new.name
            && mask.grantees.iter().any(meets)
    })
}
