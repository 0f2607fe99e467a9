//! [`CatalogStore`] on a SQLite file: which transaction answers which method.

use std::sync::Arc;

use async_trait::async_trait;
use waterbuck_engine::sql::Grantee;
use waterbuck_engine::{Error, Result};

use super::cache::NameCache;
use super::commit::Commit;
use super::database::Database;
use super::fault::{Fault, Outcome};
use super::lookup::missing_schema;
use super::read::{Scope, definition, definitions};
use super::rights::RightsCache;
use super::{alter, comment, create, drop, files, insert_files, limits, lookup, rename};
use super::{schemas, secrets, settings, statistics, tokens, users};
use crate::model::{
    ApiToken, ColumnDef, DataFile, DropKind, FileChange, NewDataFile, NewTable, OnExisting,
    SchemaDef, Secret, TableDef, TableName, TableStatistics, User,
};
use crate::rights::Limit;
use crate::store::CatalogStore;

/// A catalog in one SQLite file.
#[derive(Debug)]
pub(super) struct SqliteCatalog {
    database: Database,
    data_path: Arc<str>,
    names: NameCache,
    rights: RightsCache,
}

impl SqliteCatalog {
    pub(super) async fn new(database: Database) -> Outcome<Self> {
        let names = NameCache::new(&database).await?;
        Ok(Self {
            data_path: database.data_path(),
            database,
            names,
            rights: RightsCache::default(),
        })
    }

    pub(super) fn database(&self) -> &Database {
        &self.database
    }

    pub(super) fn names(&self) -> &NameCache {
        &self.names
    }

    pub(super) fn rights_cache(&self) -> &RightsCache {
        &self.rights
    }

    pub(super) fn error(&self, fault: Fault) -> Error {
        fault.into_error(self.database.path())
    }

    async fn find(&self, name: &TableName) -> Outcome<Option<Arc<TableDef>>> {
        let seen = self.names.observe().await?;
        if let Some(known) = self.names.get(name, seen) {
            return Ok(known);
        }
        let mut read = self.database.read().await?;
        let found = definition(&mut read, &self.data_path, name)
            .await?
            .map(Arc::new);
        self.names.put(name, found.clone(), seen);
        Ok(found)
    }

    async fn list(&self, schema: Option<&str>) -> Outcome<Vec<TableDef>> {
        let mut read = self.database.read().await?;
        let Some(schema) = schema else {
            return definitions(&mut read, &self.data_path, Scope::All).await;
        };
        if lookup::live_schema(&mut read, &self.data_path, schema)
            .await?
            .is_none()
        {
            return Err(missing_schema(&mut read, schema).await?.into());
        }
        definitions(&mut read, &self.data_path, Scope::Schema(schema)).await
    }

    async fn newest_snapshot(&self) -> Outcome<i64> {
        let mut read = self.database.read().await?;
        let newest = sqlx::query_scalar("SELECT max(snapshot_id) FROM ducklake_snapshot");
        Ok(newest.fetch_one(&mut *read).await?)
    }

    pub(super) async fn commit(&self) -> Result<Commit> {
        Commit::begin(&self.database)
            .await
            .map_err(|fault| self.error(fault))
    }
}

#[async_trait]
impl CatalogStore for SqliteCatalog {
    fn data_path(&self) -> &str {
        &self.data_path
    }

    async fn current_snapshot(&self) -> Result<i64> {
        self.newest_snapshot()
            .await
            .map_err(|fault| self.error(fault))
    }

    async fn schemas(&self) -> Result<Vec<SchemaDef>> {
        schemas::all(&self.database)
            .await
            .map_err(|fault| self.error(fault))
    }

    async fn create_schema(
        &self,
        name: &str,
        if_not_exists: bool,
        owner: Option<&Grantee>,
    ) -> Result<bool> {
        let made = schemas::create(self.commit().await?, name, if_not_exists, owner).await;
        made.map_err(|fault| self.error(fault))
    }

    async fn drop_schema(
        &self,
        name: &str,
        only: Option<i64>,
        if_exists: bool,
        cascade: bool,
    ) -> Result<bool> {
        let dropped = drop::schema(self.commit().await?, (name, only), if_exists, cascade).await;
        dropped.map_err(|fault| self.error(fault))
    }

    async fn set_schema_comment(&self, name: &str, comment: Option<&str>) -> Result<()> {
        let set = schemas::set_comment(self.commit().await?, name, comment).await;
        set.map_err(|fault| self.error(fault))
    }

    async fn tables(&self, schema: Option<&str>) -> Result<Vec<TableDef>> {
        self.list(schema).await.map_err(|fault| self.error(fault))
    }

    async fn table(&self, name: &TableName) -> Result<Option<TableDef>> {
        let found = self.find(name).await.map_err(|fault| self.error(fault))?;
        Ok(found.map(Arc::unwrap_or_clone))
    }

    async fn create_table(
        &self,
        table: NewTable,
        on_existing: OnExisting,
    ) -> Result<Option<TableDef>> {
        self.create_table_with_files(table, on_existing, Vec::new())
            .await
    }

    async fn create_table_with_files(
        &self,
        table: NewTable,
        on_existing: OnExisting,
        files: Vec<NewDataFile>,
    ) -> Result<Option<TableDef>> {
        let created = create::table(self.commit().await?, table, on_existing, files).await;
        created.map_err(|fault| self.error(fault))
    }

    async fn drop_table(
        &self,
        name: &TableName,
        only: Option<i64>,
        expected: DropKind,
        if_exists: bool,
    ) -> Result<Option<TableDef>> {
        let dropped = drop::table(self.commit().await?, (name, only), expected, if_exists).await;
        dropped.map_err(|fault| self.error(fault))
    }

    async fn rename_table(
        &self,
        name: &TableName,
        only: Option<i64>,
        to: &TableName,
    ) -> Result<()> {
        let renamed = rename::table(self.commit().await?, (name, only), to).await;
        renamed.map_err(|fault| self.error(fault))
    }

    async fn set_external_columns(&self, id: i64, columns: Vec<ColumnDef>) -> Result<()> {
        let set = alter::external_columns(self.commit().await?, id, columns).await;
        set.map_err(|fault| self.error(fault))
    }

    async fn set_comment(
        &self,
        name: &TableName,
        only: Option<i64>,
        column: Option<&str>,
        comment: Option<&str>,
    ) -> Result<()> {
        let set = comment::set(self.commit().await?, (name, only), column, comment).await;
        set.map_err(|fault| self.error(fault))
    }

    async fn data_files(&self, table_id: i64, snapshot: i64) -> Result<Vec<DataFile>> {
        let files = files::at(&self.database, table_id, snapshot).await;
        files.map_err(|fault| self.error(fault))
    }

    async fn commit_files(
        &self,
        table_id: i64,
        base_snapshot: i64,
        change: FileChange,
        files: Vec<NewDataFile>,
    ) -> Result<i64> {
        let commit = self.commit().await?;
        let snapshot = insert_files::commit(commit, table_id, base_snapshot, change, files).await;
        snapshot.map_err(|fault| self.error(fault))
    }

    async fn statistics(&self, table_id: i64) -> Result<Option<TableStatistics>> {
        let found = statistics::read(&self.database, table_id).await;
        found.map_err(|fault| self.error(fault))
    }

    async fn put_statistics(&self, table_id: i64, statistics: TableStatistics) -> Result<()> {
        let put = statistics::put(&self.database, table_id, statistics).await;
        put.map_err(|fault| self.error(fault))
    }

    async fn drop_statistics(&self, table_id: i64) -> Result<()> {
        let dropped = statistics::forget(&self.database, table_id).await;
        dropped.map_err(|fault| self.error(fault))
    }

    async fn secrets(&self) -> Result<Vec<Secret>> {
        secrets::all(&self.database)
            .await
            .map_err(|fault| self.error(fault))
    }

    async fn secret(&self, name: &str) -> Result<Option<Secret>> {
        secrets::one(&self.database, name)
            .await
            .map_err(|fault| self.error(fault))
    }

    async fn create_secret(&self, secret: Secret, on_existing: OnExisting) -> Result<bool> {
        let created = secrets::create(&self.database, secret, on_existing).await;
        created.map_err(|fault| self.error(fault))
    }

    async fn drop_secret(&self, name: &str, if_exists: bool) -> Result<bool> {
        let dropped = secrets::remove(&self.database, name, if_exists).await;
        dropped.map_err(|fault| self.error(fault))
    }

    async fn users(&self) -> Result<Vec<User>> {
        users::all(&self.database)
            .await
            .map_err(|fault| self.error(fault))
    }

    async fn user(&self, name: &str) -> Result<Option<User>> {
        users::one(&self.database, name)
            .await
            .map_err(|fault| self.error(fault))
    }

    async fn user_of_certificate(&self, names: &[String]) -> Result<Option<User>> {
        let found = users::of_certificate(&self.database, names).await;
        found.map_err(|fault| self.error(fault))
    }

    async fn create_user(&self, user: User) -> Result<()> {
        users::create(&self.database, user)
            .await
            .map_err(|fault| self.error(fault))
    }

    async fn put_user(&self, user: User) -> Result<()> {
        users::put(&self.database, user)
            .await
            .map_err(|fault| self.error(fault))
    }

    async fn drop_user(&self, name: &str, if_exists: bool) -> Result<bool> {
        let dropped = users::remove(&self.database, name, if_exists).await;
        dropped.map_err(|fault| self.error(fault))
    }

    async fn tokens(&self) -> Result<Vec<ApiToken>> {
        tokens::all(&self.database)
            .await
            .map_err(|fault| self.error(fault))
    }

    async fn token(&self, hash: &str) -> Result<Option<ApiToken>> {
        tokens::one(&self.database, hash)
            .await
            .map_err(|fault| self.error(fault))
    }

    async fn create_token(&self, token: ApiToken) -> Result<()> {
        tokens::create(&self.database, token)
            .await
            .map_err(|fault| self.error(fault))
    }

    async fn drop_token(
        &self,
        user: &str,
        name: &str,
        if_exists: bool,
    ) -> Result<Option<ApiToken>> {
        let dropped = tokens::remove(&self.database, user, name, if_exists).await;
        dropped.map_err(|fault| self.error(fault))
    }

    async fn limits(&self) -> Result<Vec<Limit>> {
        let limits = limits::all(&self.database).await;
        limits.map_err(|fault| self.error(fault))
    }

    async fn set_limit(&self, of: &Grantee, name: &str, value: Option<&str>) -> Result<()> {
        let set = limits::set(&self.database, of, name, value).await;
        set.map_err(|fault| self.error(fault))
    }

    async fn setting(&self, key: &str) -> Result<Option<String>> {
        settings::get(&self.database, key)
            .await
            .map_err(|fault| self.error(fault))
    }

    async fn set_setting(&self, key: &str, value: &str) -> Result<()> {
        settings::set(&self.database, key, value)
            .await
            .map_err(|fault| self.error(fault))
    }

    async fn setting_or_insert(&self, key: &str, value: &str) -> Result<String> {
        let stored = settings::get_or_insert(&self.database, key, value).await;
        stored.map_err(|fault| self.error(fault))
    }

    async fn drop_settings(&self, from: &str, to: &str) -> Result<()> {
        settings::remove(&self.database, from, to)
            .await
            .map_err(|fault| self.error(fault))
    }
}
