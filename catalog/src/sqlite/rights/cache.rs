//! Rights, remembered until anybody commits anything: every statement asks for its user's.
//!
//! An entry is loaded after the count of commits with which it is kept was read, and given out only
//! while that count is still the newest: it is never older than the moment it was asked for.

use std::collections::HashMap;

use parking_lot::Mutex;
use waterbuck_engine::sql::ActiveRoles;

use crate::rights::Rights;

/// Users and their choices of roles that are remembered at once.
const ENTRIES_MAX: usize = 1000;

/// Whose rights are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Whose {
    /// A user's, with these roles.
    User(String, ActiveRoles),
    /// Those of whoever has the role.
    Role(String),
}

/// The rights that are remembered.
#[derive(Debug, Default)]
pub(in crate::sqlite) struct RightsCache(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    commits: u64,
    known: HashMap<Whose, Rights>,
}

impl RightsCache {
    /// What is remembered, as of the commit counted `commits`.
    pub(super) fn get(&self, whose: &Whose, commits: u64) -> Option<Rights> {
        let entries = self.0.lock();
        let known = entries.known.get(whose);
        known.filter(|_| entries.commits == commits).cloned()
    }

    /// Remembers what was loaded after the commit counted `commits`.
    pub(super) fn put(&self, whose: Whose, rights: Rights, commits: u64) {
        let mut entries = self.0.lock();
        if commits < entries.commits {
            return;
        }
        if commits > entries.commits || entries.known.len() >= ENTRIES_MAX {
            entries.known.clear();
        }
        entries.commits = commits;
        entries.known.insert(whose, rights);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rights::Facts;

    #[test]
    fn rights_are_given_out_for_the_commit_they_were_loaded_after() {
        let cache = RightsCache::default();
        let ann = Whose::User("ann".to_owned(), ActiveRoles::All);
        let rights = || Rights::new("ann", &ActiveRoles::All, Facts::default());
        cache.put(ann.clone(), rights(), 2);
        assert!(cache.get(&ann, 2).is_some());
        assert!(cache.get(&ann, 1).is_none() && cache.get(&ann, 3).is_none());
        let none = Whose::User("ann".to_owned(), ActiveRoles::None);
        assert!(cache.get(&none, 2).is_none());
        // Whoever was slow to load brings nothing old back.
        cache.put(none.clone(), rights(), 3);
        cache.put(ann.clone(), rights(), 2);
        assert!(cache.get(&ann, 3).is_none() && cache.get(&none, 3).is_some());
    }
}
