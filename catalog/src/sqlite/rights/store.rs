//! [`RightsStore`] on a SQLite file: which transaction answers which method.

use async_trait::async_trait;
use waterbuck_engine::Result;
use waterbuck_engine::sql::{ADMIN_ROLE, ActiveRoles, Grantee};

use super::cache::Whose;
use super::{grants, load, owners, policies, roles};
use crate::rights::{
    GrantChange, Granted, Membership, Policy, Rights, RightsStore, RoleChange, Securable,
};
use crate::sqlite::fault::Outcome;
use crate::sqlite::store::SqliteCatalog;

impl SqliteCatalog {
    async fn read_roles(&self) -> Outcome<Vec<String>> {
        let mut read = self.database().read().await?;
        roles::all(&mut read).await
    }

    async fn read_memberships(&self) -> Outcome<Vec<Membership>> {
        let mut read = self.database().read().await?;
        roles::memberships(&mut read).await
    }

    async fn read_grants(&self) -> Outcome<Vec<Granted>> {
        let mut read = self.database().read().await?;
        grants::all(&mut read).await
    }

    async fn known_rights(&self, whose: Whose) -> Outcome<Rights> {
        let commits = self.names().commits().await?;
        if let Some(known) = self.rights_cache().get(&whose, commits) {
            return Ok(known);
        }
        let rights = match &whose {
            Whose::User(user, active) => load::rights(self.database(), user, active).await?,
            Whose::Role(role) => load::role_rights(self.database(), role).await?,
        };
        self.rights_cache().put(whose, rights.clone(), commits);
        Ok(rights)
    }

    async fn read_policies(&self, table_id: i64) -> Outcome<Vec<Policy>> {
        let mut read = self.database().read().await?;
        policies::of_table(&mut read, table_id).await
    }
}

#[async_trait]
impl RightsStore for SqliteCatalog {
    async fn roles(&self) -> Result<Vec<String>> {
        self.read_roles().await.map_err(|fault| self.error(fault))
    }

    async fn memberships(&self) -> Result<Vec<Membership>> {
        let read = self.read_memberships().await;
        read.map_err(|fault| self.error(fault))
    }

    async fn create_role(&self, name: &str, if_not_exists: bool) -> Result<bool> {
        let created = roles::create(self.database(), name, if_not_exists).await;
        created.map_err(|fault| self.error(fault))
    }

    async fn drop_role(&self, name: &str, if_exists: bool) -> Result<bool> {
        let dropped = roles::remove(self.database(), name, if_exists).await;
        dropped.map_err(|fault| self.error(fault))
    }

    async fn grant_roles(&self, change: &RoleChange) -> Result<()> {
        let granted = roles::grant(self.database(), change).await;
        granted.map_err(|fault| self.error(fault))
    }

    async fn revoke_roles(&self, change: &RoleChange) -> Result<()> {
        let revoked = roles::revoke(self.database(), change).await;
        revoked.map_err(|fault| self.error(fault))
    }

    async fn grants(&self) -> Result<Vec<Granted>> {
        self.read_grants().await.map_err(|fault| self.error(fault))
    }

    async fn grant(&self, change: &GrantChange) -> Result<()> {
        let granted = grants::grant(self.database(), change).await;
        granted.map_err(|fault| self.error(fault))
    }

    async fn revoke(&self, change: &GrantChange) -> Result<()> {
        let revoked = grants::revoke(self.database(), change).await;
        revoked.map_err(|fault| self.error(fault))
    }

    async fn set_owner(
        &self,
        object: &Securable,
        only: Option<i64>,
        owner: &Grantee,
    ) -> Result<()> {
        let set = owners::set(self.commit().await?, object, only, owner).await;
        set.map_err(|fault| self.error(fault))
    }

    async fn policies(&self, table_id: i64) -> Result<Vec<Policy>> {
        let read = self.read_policies(table_id).await;
        read.map_err(|fault| self.error(fault))
    }

    async fn create_policy(&self, policy: &Policy) -> Result<()> {
        let created = policies::create(self.database(), policy).await;
        created.map_err(|fault| self.error(fault))
    }

    async fn drop_policy(
        &self,
        table_id: i64,
        name: &str,
        mask: bool,
        if_exists: bool,
    ) -> Result<bool> {
        let dropped = policies::remove(self.database(), table_id, name, mask, if_exists).await;
        dropped.map_err(|fault| self.error(fault))
    }

    async fn rights(&self, user: &str, active: &ActiveRoles) -> Result<Rights> {
        let whose = Whose::User(user.to_owned(), active.clone());
        let rights = self.known_rights(whose).await;
        rights.map_err(|fault| self.error(fault))
    }

    async fn owner_rights(&self, owner: Option<&Grantee>) -> Result<Rights> {
        let whose = match owner {
            Some(Grantee::User(user)) => Whose::User(user.clone(), ActiveRoles::All),
            Some(Grantee::Role(role)) => Whose::Role(role.clone()),
            None => Whose::Role(ADMIN_ROLE.to_owned()),
        };
        let rights = self.known_rights(whose).await;
        rights.map_err(|fault| self.error(fault))
    }
}
