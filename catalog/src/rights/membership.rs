//! Who has which roles.

use std::collections::BTreeSet;

use waterbuck_engine::sql::{Grantee, PUBLIC_ROLE};

/// A role that somebody was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    pub role: String,
    pub member: Grantee,
    /// The role may be given on.
    pub admin_option: bool,
    /// The user who gave it last.
    pub granted_by: String,
}

/// Roles to give or to take away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleChange {
    pub roles: Vec<String>,
    pub members: Vec<Grantee>,
    /// Given: with the right to give the role on. Taken away: that right alone.
    pub option: bool,
    /// The user who does it.
    pub by: String,
}

/// All roles that somebody has: `public`, those given to them, and those that these roles have.
pub(crate) fn roles_of(memberships: &[Membership], member: &Grantee) -> BTreeSet<String> {
    let mut roles = BTreeSet::new();
    let mut open = vec![member.clone(), Grantee::Role(PUBLIC_ROLE.to_owned())];
    while let Some(next) = open.pop() {
        if let Grantee::Role(role) = &next
            && !roles.insert(role.clone())
        {
            continue;
        }
        let given = memberships.iter().filter(|given| given.member == next);
        open.extend(given.map(|given| Grantee::Role(given.role.clone())));
    }
    roles
}

/// All users and roles that have `role`, directly or through other roles.
pub(crate) fn members_of(memberships: &[Membership], role: &str) -> BTreeSet<Grantee> {
    let mut members = BTreeSet::new();
    let mut open = vec![role.to_owned()];
    while let Some(next) = open.pop() {
        for given in memberships.iter().filter(|given| given.role == next) {
            if members.insert(given.member.clone())
                && let Grantee::Role(role) = &given.member
            {
                open.push(role.clone());
            }
        }
    }
    members
}
