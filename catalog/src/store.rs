//! The contract of a catalog store.
//!
//! Every method that changes something is one transaction: when it returns an error, or its future
//! is dropped, or the process is killed, either the whole change is there or nothing of it. After a
//! dropped future or a crash the caller must read to know which.
//!
//! A name may mean something else by the time of a change than when the caller looked it up. Changes by
//! name take the id of what the caller has checked, in `only`, and are made to that alone.
//!
//! Errors: `NotFound` carries the nearest existing name, `AlreadyExists` is the loser of a race for
//! a name, `Conflict` means read again and retry, `Unavailable` means the database was busy too long
//! or cannot be reached.

use std::fmt;

use async_trait::async_trait;
use waterbuck_engine::Result;
use waterbuck_engine::sql::Grantee;

use crate::model::{
    ApiToken, ColumnDef, DataFile, DropKind, FileChange, NewDataFile, NewTable, OnExisting,
    SchemaDef, Secret, TableDef, TableName, TableStatistics, User,
};
use crate::rights::{Limit, RightsStore};

/// Where names, files, statistics, secrets and users are kept.
#[async_trait]
pub trait CatalogStore: RightsStore + fmt::Debug + Send + Sync {
    /// The directory or URL, ending in a slash, under which managed tables keep their data by
    /// default. Tables under it move with it.
    fn data_path(&self) -> &str;

    /// The newest snapshot. Pin it once per statement and read files at it.
    async fn current_snapshot(&self) -> Result<i64>;

    /// All schemas by name.
    async fn schemas(&self) -> Result<Vec<SchemaDef>>;

    /// Makes a schema; false when it is there already and `if_not_exists` is set. It belongs to
    /// `owner`, or to the administrators without one or when the catalog does not know them.
    async fn create_schema(
        &self,
        name: &str,
        if_not_exists: bool,
        owner: Option<&Grantee>,
    ) -> Result<bool>;

    /// Drops a schema; false when it is absent and `if_exists` is set. With objects in it, needs
    /// `cascade`. `Conflict` when it has not the id `only`.
    async fn drop_schema(
        &self,
        name: &str,
        only: Option<i64>,
        if_exists: bool,
        cascade: bool,
    ) -> Result<bool>;

    /// Sets or removes the comment on a schema.
    async fn set_schema_comment(&self, name: &str, comment: Option<&str>) -> Result<()>;

    /// Whole definitions of all tables, views and external tables, by schema and name; all schemas
    /// when none is given.
    async fn tables(&self, schema: Option<&str>) -> Result<Vec<TableDef>>;

    /// The definition behind a name, as of the last commit of any process.
    async fn table(&self, name: &TableName) -> Result<Option<TableDef>>;

    /// Creates a table, view or external table; `None` means that the name is taken and
    /// `on_existing` is `Skip`.
    async fn create_table(
        &self,
        table: NewTable,
        on_existing: OnExisting,
    ) -> Result<Option<TableDef>>;

    /// Creates a managed table together with its first files in one snapshot, so that nobody sees
    /// it empty. When `None` or an error comes back, the files belong to nobody: remove them.
    async fn create_table_with_files(
        &self,
        table: NewTable,
        on_existing: OnExisting,
        files: Vec<NewDataFile>,
    ) -> Result<Option<TableDef>>;

    /// Drops what stands behind a name and returns what it was; `None` when it is absent and
    /// `if_exists` is set. The catalog leaves a managed table's files alone: older snapshots show them.
    /// `Conflict` when what is there has not the id `only`.
    async fn drop_table(
        &self,
        name: &TableName,
        only: Option<i64>,
        expected: DropKind,
        if_exists: bool,
    ) -> Result<Option<TableDef>>;

    /// Renames, also into another schema; id, files and statistics stay. `Conflict` when what is there
    /// has not the id `only`.
    async fn rename_table(&self, name: &TableName, only: Option<i64>, to: &TableName)
    -> Result<()>;

    /// Replaces the columns of an external table, after they have been inferred again.
    async fn set_external_columns(&self, id: i64, columns: Vec<ColumnDef>) -> Result<()>;

    /// Sets or removes the comment on a table or view, or on one of its columns. `Conflict` when what
    /// is there has not the id `only`.
    async fn set_comment(
        &self,
        name: &TableName,
        only: Option<i64>,
        column: Option<&str>,
        comment: Option<&str>,
    ) -> Result<()>;

    /// The files of a managed table at a snapshot, by id. `Conflict` when the table did not exist at
    /// it, which happens when another session replaced the table after the snapshot was pinned.
    async fn data_files(&self, table_id: i64, snapshot: i64) -> Result<Vec<DataFile>>;

    /// Adds files to a managed table, and ends files as `change` says; returns the snapshot in which
    /// that is visible (the newest one when there is nothing to do).
    ///
    /// `base_snapshot` is what the statement has read. `Conflict` when since then the table was
    /// dropped or its columns changed, when files of a touched partition were ended, or, for an
    /// overwrite, when files were added that it has not seen. Appends never conflict with appends.
    async fn commit_files(
        &self,
        table_id: i64,
        base_snapshot: i64,
        change: FileChange,
        files: Vec<NewDataFile>,
    ) -> Result<i64>;

    /// What `ANALYZE` stored for a table or external table.
    async fn statistics(&self, table_id: i64) -> Result<Option<TableStatistics>>;

    /// Stores the row count and the given columns; columns of an earlier run that are not given
    /// stay.
    async fn put_statistics(&self, table_id: i64, statistics: TableStatistics) -> Result<()>;

    /// Forgets a table's statistics.
    async fn drop_statistics(&self, table_id: i64) -> Result<()>;

    /// All secrets by name.
    async fn secrets(&self) -> Result<Vec<Secret>>;

    async fn secret(&self, name: &str) -> Result<Option<Secret>>;

    /// Stores a secret; false when the name is taken and `on_existing` is `Skip`.
    async fn create_secret(&self, secret: Secret, on_existing: OnExisting) -> Result<bool>;

    /// Forgets a secret; false when it is absent and `if_exists` is set.
    async fn drop_secret(&self, name: &str, if_exists: bool) -> Result<bool>;

    /// All users by name.
    async fn users(&self) -> Result<Vec<User>>;

    async fn user(&self, name: &str) -> Result<Option<User>>;

    /// The user whose certificate one of these names is; `None` when there is none, or more than one.
    async fn user_of_certificate(&self, names: &[String]) -> Result<Option<User>>;

    /// Adds a user; `AlreadyExists` when the name is taken.
    async fn create_user(&self, user: User) -> Result<()>;

    /// Adds or changes a user. The last admin stays one; `AlreadyExists` when the certificate is another
    /// user's.
    async fn put_user(&self, user: User) -> Result<()>;

    /// Removes a user with their tokens, their limits and what they were given; false when absent and
    /// `if_exists` is set. The last admin stays, and whoever owns something.
    async fn drop_user(&self, name: &str, if_exists: bool) -> Result<bool>;

    /// All API tokens, by user and name.
    async fn tokens(&self) -> Result<Vec<ApiToken>>;

    /// The API token with this hash.
    async fn token(&self, hash: &str) -> Result<Option<ApiToken>>;

    /// Adds an API token; `AlreadyExists` when its user has one of that name, `NotFound` when there
    /// is no such user.
    async fn create_token(&self, token: ApiToken) -> Result<()>;

    /// Removes an API token and returns what it was; `None` when absent and `if_exists` is set.
    async fn drop_token(&self, user: &str, name: &str, if_exists: bool)
    -> Result<Option<ApiToken>>;

    /// All limits of roles and users. Those that bind a user are in the user's
    /// [`Rights`](crate::Rights::limits).
    async fn limits(&self) -> Result<Vec<Limit>>;

    /// Sets a limit of a user or role, or takes it away; `NotFound` when there is no such one.
    async fn set_limit(&self, of: &Grantee, name: &str, value: Option<&str>) -> Result<()>;

    /// A small value kept for the cluster, such as its id or its token.
    async fn setting(&self, key: &str) -> Result<Option<String>>;

    async fn set_setting(&self, key: &str, value: &str) -> Result<()>;

    /// Stores `value` unless there is one, and returns what is stored: of several processes that
    /// start together all get the same.
    async fn setting_or_insert(&self, key: &str, value: &str) -> Result<String>;

    /// Forgets the values of all keys from `from` up to but without `to`, as texts are ordered.
    async fn drop_settings(&self, from: &str, to: &str) -> Result<()>;
}
