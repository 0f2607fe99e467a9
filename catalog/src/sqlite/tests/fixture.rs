//! A catalog in a temporary directory, and short ways to fill it.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::datatypes::DataType;
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tempfile::TempDir;
use waterbuck_engine::sql::ViewSecurity;

use crate::model::{
    ColumnDef, ExternalTable, FileColumnStats, ManagedTable, NewDataFile, NewTable, OnExisting,
    TableDef, TableKind, TableName, ViewDef,
};
use crate::store::CatalogStore;

pub(super) struct Fixture {
    pub(super) directory: TempDir,
    pub(super) store: Arc<dyn CatalogStore>,
}

impl Fixture {
    pub(super) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = open(&directory).await;
        Self { directory, store }
    }

    /// Another store on the same file, as another process has it.
    pub(super) async fn other(&self) -> Arc<dyn CatalogStore> {
        open(&self.directory).await
    }

    /// A plain connection to the file.
    pub(super) async fn raw(&self) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(path(&self.directory));
        SqliteConnection::connect_with(&options).await.unwrap()
    }

    /// Creates a table and expects it to be made.
    pub(super) async fn create(&self, table: NewTable) -> TableDef {
        self.store
            .create_table(table, OnExisting::Fail)
            .await
            .unwrap()
            .unwrap()
    }

    /// The directory for a managed table `name` in `main`.
    pub(super) fn table_path(&self, name: &str) -> String {
        format!("{}main/{name}/", self.store.data_path())
    }

    /// A managed table `name` (a INT, b VARCHAR) partitioned by `partition_columns`.
    pub(super) fn managed(&self, name: &str, partition_columns: &[&str]) -> NewTable {
        let partition_columns = partition_columns.iter().map(|&c| c.to_owned()).collect();
        let kind = TableKind::Managed(ManagedTable {
            path: self.table_path(name),
            partition_columns,
        });
        let columns = vec![
            ColumnDef::new("a", DataType::Int32, false),
            ColumnDef::new("b", DataType::Utf8, true),
        ];
        NewTable {
            name: main(name),
            kind,
            columns,
            comment: None,
            owner: None,
        }
    }
}

pub(super) fn path(directory: &TempDir) -> PathBuf {
    directory.path().join("catalog.db")
}

async fn open(directory: &TempDir) -> Arc<dyn CatalogStore> {
    let data = directory.path().join("data");
    crate::open_sqlite(&path(directory), data.to_str().unwrap())
        .await
        .unwrap()
}

pub(super) fn main(name: &str) -> TableName {
    TableName::new("main", name)
}

pub(super) fn external(name: &str) -> NewTable {
    let kind = TableKind::External(ExternalTable {
        format: "CSV".to_owned(),
        location: "s3://bucket/events/".to_owned(),
        partition_columns: vec!["day".to_owned()],
        options: [("delimiter".to_owned(), "|".to_owned())].into(),
        secret: Some("lake".to_owned()),
        explicit_columns: true,
    });
    let mut columns = vec![
        ColumnDef::new("id", DataType::Int64, false),
        ColumnDef::new("text", DataType::Utf8View, true),
    ];
    columns[1].comment = Some("what was said".to_owned());
    columns[0].default = Some("nextval('ids')".to_owned());
    NewTable {
        name: main(name),
        kind,
        columns,
        comment: Some("events".to_owned()),
        owner: None,
    }
}

pub(super) fn view(name: &str) -> NewTable {
    let kind = TableKind::View(ViewDef {
        sql: "SELECT 1".to_owned(),
        column_aliases: vec!["o\"ne".to_owned()],
        security: ViewSecurity::Definer,
    });
    let columns = vec![ColumnDef::new("o\"ne", DataType::Int64, false)];
    NewTable {
        name: main(name),
        kind,
        columns,
        comment: None,
        owner: None,
    }
}

/// A file of ten rows without statistics, in a partition of column `b` when one is given.
pub(super) fn file(name: &str, partition: Option<Option<&str>>) -> NewDataFile {
    NewDataFile {
        path: format!("{name}.parquet"),
        row_count: 10,
        bytes: 1000,
        footer_bytes: 100,
        partition_values: partition
            .map(|value| ("b".to_owned(), value.map(str::to_owned)))
            .into_iter()
            .collect(),
        column_stats: Vec::new(),
    }
}

/// Bounds of a column without NULL in a file of ten rows.
pub(super) fn bounds(column: &str, min: &str, max: &str) -> FileColumnStats {
    FileColumnStats {
        column: column.to_owned(),
        value_count: 10,
        null_count: 0,
        min: Some(min.to_owned()),
        max: Some(max.to_owned()),
        contains_nan: None,
        bytes: 50,
    }
}
