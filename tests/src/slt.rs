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

use crate::{Answer, Client, ClientError, Printed, Shell};

/// No statement of a file takes more than a moment.
const DEADLINE: Duration = Duration::from_secs(30);

type Output = DBOutput<DefaultColumnType>;

/// A session that statements go to.
#[async_trait]
pub trait Connection: Send {
    /// Runs one statement.
    async fn run(&mut self, sql: &str) -> Result<Output, ClientError>;
}

#[async_trait]
impl Connection for Client {
    async fn run(&mut self, sql: &str) -> Result<Output, ClientError> {
        Ok(answer_output(&Client::run(self, sql).await?))
    }
}

#[async_trait]
impl Connection for Shell {
    async fn run(&mut self, sql: &str) -> Result<Output, ClientError> {
        Ok(printed_output(Shell::run(self, sql).await?))
    }
}

/// One way of running the product.
#[async_trait]
pub trait Mode: Sync {
    /// The name that `onlyif` and `skipif` lines use.
    fn name(&self) -> &'static str;

    /// A new session.
    async fn session(&self) -> Result<Box<dyn Connection>, ClientError>;

    /// Whether the types of columns are known; the shell gives only text.
    fn has_types(&self) -> bool {
        true
    }

    /// Whether two sessions share a catalog.
    fn shares_catalog(&self) -> bool {
        true
    }
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

/// Runs one file in a schema of its own, to its end; gives what was not as expected.
pub async fn run_sql_file(mode: &dyn Mode, file: &Path) -> Vec<TestError> {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let schema = format!("slt_{}", stem.replace('-', "_"));
    let scratch = tempfile::tempdir().expect("a temporary directory can be made");
    let folder = scratch.path().join("files");
    fs::create_dir(&folder).expect("the temporary directory is writable");
    let mut runner = Runner::new(|| Session::open(mode, &schema, &folder));
    runner.add_label(mode.name());
    if mode.has_types() {
        runner.with_column_validator(sqllogictest::strict_column_validator);
    } else {
        runner.with_normalizer(without_types);
    }
    let mut failures = Vec::new();
    let records = sqllogictest::parse_file::<DefaultColumnType>(file);
    for record in records.expect("the file can be parsed") {
        failures.extend(runner.run_async(record).await.err());
    }
    runner.shutdown_async().await;
    if mode.shares_catalog() {
        let mut admin = mode.session().await.expect("the server takes a session");
        let dropped = admin.run(&format!("DROP SCHEMA {schema} CASCADE")).await;
        dropped
            .map(drop)
            .expect("the schema of the file can be dropped");
    }
    failures
}

/// Text without what only the type can tell: a whole float is written with `.0` by the shell.
#[expect(clippy::ptr_arg, reason = "the runner wants this type")]
fn without_types(text: &String) -> String {
    let words = text
        .split_whitespace()
        .map(|word| word.strip_suffix(".0").unwrap_or(word));
    words.collect::<Vec<_>>().join(" ")
}

/// One session as the runner sees it.
struct Session {
    mode: &'static str,
    connection: Box<dyn Connection>,
    folder: String,
}

impl Session {
    async fn open(mode: &dyn Mode, schema: &str, folder: &Path) -> Result<Self, ClientError> {
        let mut connection = mode.session().await?;
        connection
            .run(&format!("CREATE SCHEMA IF NOT EXISTS {schema}"))
            .await?;
        connection.run(&format!("USE {schema}")).await?;
        Ok(Self {
            mode: mode.name(),
            connection,
            folder: folder.display().to_string(),
        })
    }
}

#[async_trait]
impl AsyncDB for Session {
    type Error = ClientError;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<Output, ClientError> {
        let sql = sql.replace("${TMP}", &self.folder);
        let outcome = tokio::time::timeout(DEADLINE, self.connection.run(&sql)).await;
        outcome.unwrap_or_else(|_| Err(ClientError::too_late(DEADLINE)))
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

fn answer_output(answer: &Answer) -> Output {
    if answer.schema.fields().is_empty() {
        return DBOutput::StatementComplete(answer.updated.unwrap_or(0));
    }
    let fields = answer.schema.fields().iter();
    let types = fields.map(|field| column_type(field.data_type())).collect();
    DBOutput::Rows {
        types,
        rows: answer.rows(),
    }
}

fn printed_output(printed: Printed) -> Output {
    if printed.columns.is_empty() {
        return DBOutput::StatementComplete(printed.updated.unwrap_or(0));
    }
    let types = vec![DefaultColumnType::Any; printed.columns.len()];
    DBOutput::Rows {
        types,
        rows: printed.rows,
    }
}

fn column_type(data_type: &DataType) -> DefaultColumnType {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DefaultColumnType::Text,
        number if number.is_integer() => DefaultColumnType::Integer,
        number if number.is_floating() => DefaultColumnType::FloatingPoint,
        _ => DefaultColumnType::Any,
    }
}
