//! What names mean: schemas, tables, views, secrets and users, who may do what with them, and the one
//! path on which all this changes.
//!
//! The catalog is a sequence of *snapshots*. Every change of a name or of a managed table's files
//! is one transaction that adds one snapshot, so a reader that has pinned snapshot `S` sees the
//! same files for ever, and two sessions that race get one winner and one clear error.
//!
//! ```text
//!   caller ── CatalogStore (store.rs, plain types of model.rs)
//!                  │
//!             sqlite/  the DuckLake 1.0 tables + our wb_* tables in one file
//! ```
//!
//! Invariant: nothing above [`CatalogStore`] knows which database is below it.

mod bounds;
mod location;
mod missing;
mod model;
mod rights;
mod sqlite;
mod store;
mod type_text;
mod types;

pub use model::{
    ApiToken, ColumnDef, ColumnStatistics, DataFile, DropKind, ExternalTable, FileChange,
    FileColumnStats, ManagedTable, NewDataFile, NewTable, OnExisting, PartitionValues, SchemaDef,
    Secret, TableDef, TableKind, TableName, TableStatistics, User, ViewDef,
};
pub use rights::{
    GrantChange, GrantTarget, Granted, Limit, Membership, Policy, Rights, RightsStore, RoleChange,
    Securable,
};
pub use sqlite::open_sqlite;
pub use store::CatalogStore;

/// The schema every catalog has from its first snapshot on; it cannot be dropped.
pub const DEFAULT_SCHEMA: &str = "main";
