//! The contract of a store of rights.
//!
//! As in the rest of the catalog, every change is one transaction. Whether somebody may make a
//! change is for the caller to decide, with [`Rights`]; the store keeps what must hold whoever asks:
//! grantees and objects exist, roles go in no circle, somebody is an administrator.

use async_trait::async_trait;
use waterbuck_engine::Result;
use waterbuck_engine::sql::{ActiveRoles, Grantee};

use super::{GrantChange, Granted, Membership, Policy, Rights, RoleChange, Securable};

/// Where roles, grants, owners and policies are kept.
#[async_trait]
pub trait RightsStore: Send + Sync {
    /// All roles by name, with `public` and `admin`.
    async fn roles(&self) -> Result<Vec<String>>;

    /// Who was given which role, by role and member.
    async fn memberships(&self) -> Result<Vec<Membership>>;

    /// Makes a role; false when it is there already and `if_not_exists` is set.
    async fn create_role(&self, name: &str, if_not_exists: bool) -> Result<bool>;

    /// Removes a role with what it was given; false when it is absent and `if_exists` is set. Refused
    /// while the role owns something.
    async fn drop_role(&self, name: &str, if_exists: bool) -> Result<bool>;

    /// Gives roles. Refused where a role would have itself.
    async fn grant_roles(&self, change: &RoleChange) -> Result<()>;

    /// Takes roles away; those that were not given are passed over. The last administrator stays.
    async fn revoke_roles(&self, change: &RoleChange) -> Result<()>;

    /// All grants, by object, grantee and privilege.
    async fn grants(&self) -> Result<Vec<Granted>>;

    /// Gives privileges. `Conflict` when a table or view was dropped meanwhile, or a schema replaced.
    async fn grant(&self, change: &GrantChange) -> Result<()>;

    /// Takes privileges away; those that were not given are passed over. What was given on stays. A
    /// whole object's privilege goes with that on its columns; a column's leaves the object's.
    async fn revoke(&self, change: &GrantChange) -> Result<()>;

    /// Gives a schema, table or view to another owner. `Conflict` when a schema has not the id `only`.
    async fn set_owner(&self, object: &Securable, only: Option<i64>, owner: &Grantee)
    -> Result<()>;

    /// The row filters and column masks of a table, by kind and name.
    async fn policies(&self, table_id: i64) -> Result<Vec<Policy>>;

    /// Adds a row filter or column mask. `AlreadyExists` when the table has one of that kind and name;
    /// refused when a mask would tie with another.
    async fn create_policy(&self, policy: &Policy) -> Result<()>;

    /// Removes a row filter, or a column mask; false when it is absent and `if_exists` is set.
    async fn drop_policy(
        &self,
        table_id: i64,
        name: &str,
        mask: bool,
        if_exists: bool,
    ) -> Result<bool>;

    /// What a user may do now. A user the catalog does not know has what everybody has.
    async fn rights(&self, user: &str, active: &ActiveRoles) -> Result<Rights>;

    /// What the owner of something may do, with all roles; administrators own what nobody does.
    async fn owner_rights(&self, owner: Option<&Grantee>) -> Result<Rights>;
}
