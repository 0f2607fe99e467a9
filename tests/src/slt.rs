//! Runs files of SQL and expected answers (`tests/slt/**/*.slt`) against one way of running the
//! product. Every file has a schema and a scratch directory of its own, and `${TMP}` in a
//! statement is that directory.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use arrow::datatypes::DataType;
use async_trait::async_trait;
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType, Runner, TestError};

use crate::{Answer, Client, ClientError};

/// Where the statements go.
#[async_trait]
pub trait Mode: Sync {
    /// The name that `onlyif` and `skipif` lines use.
    fn name(&self) -> &'static str;

    /// A new session.
    async fn session(&self) -> Result<Client, ClientError>;
}

/// Every `.slt` file below `folder`, in order of name. `WATERBUCK_SLT` names a part of the path
/// of those to keep.
pub fn sql_files(folder: &Path) -> Vec<PathBuf> {
    let pattern = format!("{}/**/*.slt", folder.display());
    let paths = glob::glob(&pattern).expect("the pattern is well formed");
    let wanted = std::env::var("WATERBUCK_SLT").unwrap_or_default();
    let kept = |path: &PathBuf| path.to_string_lossy().contains(&wanted);
    paths.filter_map(Result::ok).filter(kept).collect()
}

/// Runs one file in a schema of its own.
pub async fn run_sql_file(mode: &dyn Mode, file: &Path) -> Result<(), TestError> {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let schema = format!("slt_{}", stem.replace('-', "_"));
    let scratch = tempfile::tempdir().expect("a temporary directory can be made");
    let folder = scratch.path().join("files");
    fs::create_dir(&folder).expect("the temporary directory is writable");
    let admin = mode.session().await.expect("the server takes a session");
    let made = admin.run(&format!("CREATE SCHEMA {schema}")).await;
    made.expect("the schema of the file can be made");
    let mut runner = Runner::new(|| Session::open(mode, &schema, &folder));
    runner.add_label(mode.name());
    runner.with_column_validator(sqllogictest::strict_column_validator);
    let outcome = runner.run_file_async(file).await;
    runner.shutdown_async().await;
    let dropped = admin.run(&format!("DROP SCHEMA {schema} CASCADE")).await;
    dropped.expect("the schema of the file can be dropped");
    outcome
}

/// One session as the runner sees it.
struct Session {
    mode: &'static str,
    client: Client,
    folder: String,
}

impl Session {
    async fn open(mode: &dyn Mode, schema: &str, folder: &Path) -> Result<Self, ClientError> {
        let client = mode.session().await?;
        client.run(&format!("USE {schema}")).await?;
        Ok(Self { mode: mode.name(), client, folder: folder.display().to_string() })
    }
}

#[async_trait]
impl AsyncDB for Session {
    type Error = ClientError;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, ClientError> {
        let answer = self.client.run(&sql.replace("${TMP}", &self.folder)).await?;
        Ok(output(&answer))
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &str {
        self.mode
    }

    async fn sleep(duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    fn error_sql_state(error: &ClientError) -> Option<String> {
        error.sqlstate.clone()
    }
}

fn output(answer: &Answer) -> DBOutput<DefaultColumnType> {
    if answer.schema.fields().is_empty() {
        return DBOutput::StatementComplete(answer.updated.unwrap_or(0));
    }
    let fields = answer.schema.fields().iter();
    let types = fields.map(|field| column_type(field.data_type())).collect();
    DBOutput::Rows { types, rows: answer.rows() }
}

fn column_type(data_type: &DataType) -> DefaultColumnType {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DefaultColumnType::Text,
        number if number.is_integer() => DefaultColumnType::Integer,
        number if number.is_floating() => DefaultColumnType::FloatingPoint,
        _ => DefaultColumnType::Any,
    }
}
