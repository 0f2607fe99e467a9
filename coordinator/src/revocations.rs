//! Ends the sessions of users who were changed or dropped.

use dashmap::DashMap;

/// How often each user was changed since the process started.
#[derive(Debug, Default)]
pub(crate) struct Revocations(DashMap<String, u64>);

impl Revocations {
    /// The number that a session of `user` opened now is good for.
    pub(crate) fn current(&self, user: &str) -> u64 {
        self.0.get(user).map_or(0, |count| *count)
    }

    /// Ends every session of `user`; gives the number of the next ones.
    pub(crate) fn revoke(&self, user: &str) -> u64 {
        let mut count = self.0.entry(user.to_owned()).or_insert(0);
        *count += 1;
        *count
    }
}
