//! What users and roles may have of the server.

use std::collections::BTreeMap;

use waterbuck_engine::sql::Grantee;

use super::policy::Closeness;

/// The most that a user, or each who has a role, may have of something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Limit {
    /// Whose limit it is.
    pub of: Grantee,
    pub name: String,
    /// As it was written.
    pub value: String,
}

/// The limits that name a user most closely, by name and grantee: the user's own before those of
/// roles, and those of roles before what holds for everybody. Of several roles' the user has the most
/// generous, which only whoever knows what the values mean can tell.
pub(super) fn closest(binding: impl Iterator<Item = Limit>) -> Vec<Limit> {
    let mut by_name: BTreeMap<String, Vec<Limit>> = BTreeMap::new();
    for limit in binding {
        let known = by_name.entry(limit.name.clone()).or_default();
        let closeness = Closeness::of(&limit.of);
        let before = known.first().map(|limit| Closeness::of(&limit.of));
        if before.is_some_and(|before| before > closeness) {
            continue;
        }
        if before.is_some_and(|before| before < closeness) {
            known.clear();
        }
        known.push(limit);
    }
    for limits in by_name.values_mut() {
        limits.sort();
    }
    by_name.into_values().flatten().collect()
}
