//! What the Flight SQL door asks of the rest of the coordinator.
//!
//! The door knows the protocol and nothing of planning; the coordinator knows queries and nothing
//! of the protocol. These two traits are all that passes between them.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use bytes::Bytes;
use datafusion::execution::SendableRecordBatchStream;
use uuid::Uuid;
use waterbuck_engine::Result;

use crate::ingest::Ingest;
use crate::result_parts::{Endpoints, ResultPart, TaskResult};

/// Who may come in, and what may be asked without a session.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// Opens a session for `user`, or fails with `ErrorKind::Unauthenticated`. `peer` is the
    /// client's address, for logs and `SHOW QUERIES`.
    async fn login(&self, user: &str, password: &str, peer: &str)
    -> Result<Arc<dyn FlightSession>>;

    /// Opens a session for whoever holds `token`, which the door does not know: one that another
    /// coordinator has made, or one that is sent with every call. Fails with
    /// `ErrorKind::Unauthenticated`.
    async fn login_with_token(&self, token: &str, peer: &str) -> Result<TokenLogin>;

    /// Opens a session for the user whom one of these names of a client's certificate is mapped to, or
    /// fails with `ErrorKind::Unauthenticated`. The certificate has been verified.
    async fn login_with_certificate(
        &self,
        names: &[String],
        peer: &str,
    ) -> Result<Arc<dyn FlightSession>>;

    /// Serves an action that carries its own credentials, as executors' registration does;
    /// `is_member` says whether its connection has shown a certificate of the cluster. `None` means
    /// that `kind` is not such an action, and the door goes on to demand a login.
    async fn handle_action(
        &self,
        kind: &str,
        body: Bytes,
        is_member: bool,
    ) -> Option<Result<Vec<Bytes>>>;
}

/// A session that a token opened.
pub struct TokenLogin {
    /// The session.
    pub session: Arc<dyn FlightSession>,
    /// Whether the token names this one session, whatever connection it comes over; otherwise each
    /// connection gets a session of its own.
    pub names_session: bool,
}

/// A bearer token that was made for a session.
pub struct IssuedToken {
    /// What the client sends.
    pub text: String,
    /// When it ends, in seconds since 1970.
    pub expires: i64,
}

/// One logged-in client. Calls may come at the same time from several connections.
#[async_trait]
pub trait FlightSession: Send + Sync + 'static {
    /// The session's id.
    fn id(&self) -> Uuid;

    /// The user who logged in.
    fn user(&self) -> &str;

    /// When the proof that opened it ends, in seconds since 1970: no call is served after that, and
    /// what runs may run on.
    fn expires(&self) -> Option<i64> {
        None
    }

    /// A bearer token with which the client goes on, here and at every process of the cluster.
    async fn token(&self) -> Result<IssuedToken>;

    /// Parses and plans `sql` without running it.
    async fn prepare(&self, sql: &str) -> Result<Prepared>;

    /// Starts a statement. A query returns once it is planned and admitted, its rows are pulled
    /// from the stream; an update returns once it is complete. Dropping this future, or the
    /// stream it gave, stops the work on every executor.
    /// `endpoints` says whether the client takes a result in parts; it may get it whole all the same.
    async fn execute(&self, statement: StatementInput, endpoints: Endpoints) -> Result<Execution>;

    /// A ticket with which the client reads the rows of a task at its executor: with `schema`, an
    /// IPC message, as their columns, in messages compressed as `compression` names it.
    async fn ticket(
        &self,
        query_id: Uuid,
        task: &TaskResult,
        schema: &[u8],
        compression: &str,
    ) -> Result<String>;

    /// Writes the rows of an upload into a table, all of them or none: an error in `rows`, or
    /// dropping this future before they have ended, leaves nothing behind. Gives an
    /// [`Execution::Update`] with the number of rows.
    async fn ingest(&self, ingest: Ingest, rows: SendableRecordBatchStream) -> Result<Execution>;

    /// The catalogs the user may see.
    async fn list_catalogs(&self) -> Result<Vec<String>>;

    /// The schemas the user may see, in any order.
    async fn list_schemas(&self) -> Result<Vec<SchemaInfo>>;

    /// The tables and views the user may see, in any order. Table schemas are only read (and may
    /// only be costly) with `include_schema`; a table whose schema cannot be had is left with
    /// `table_schema: None` rather than failing the listing.
    async fn list_tables(&self, include_schema: bool) -> Result<Vec<TableInfo>>;

    /// Whether the session may still be used: `false` once the user was dropped or locked, or the
    /// session was killed; the door then forgets it and asks for a new login.
    fn is_open(&self) -> bool {
        true
    }

    /// Stops a query of this session's user (an administrator: of anybody). `false` means that no
    /// such query is running.
    async fn cancel(&self, query_id: Uuid) -> Result<bool>;

    /// How far a query of this session is, or `None` when it is not known (any more). `fraction`,
    /// a number from 0 to 1, is what polling clients are told.
    fn progress(&self, query_id: Uuid) -> Option<serde_json::Value>;

    /// Every session option that can be read, `catalog` and `schema` among them.
    fn options(&self) -> Vec<(String, OptionValue)>;

    /// Sets one option by its name, `catalog` and `schema` included; `None` restores the default.
    /// An unknown name is `ErrorKind::NotFound`, an unfit value `ErrorKind::InvalidQuery`.
    async fn set_option(&self, name: &str, value: Option<OptionValue>) -> Result<()>;

    /// Ends the session and stops its queries. Called once: at the client's wish or when idle.
    async fn close(&self);
}

/// A statement that was planned but not run.
#[derive(Clone)]
pub struct Prepared {
    /// The statement as the client sent it.
    pub sql: String,
    /// The columns of the result; `None` for updates, which have none.
    pub dataset_schema: Option<SchemaRef>,
    /// One field for each parameter, in order, named `$1`, `$2`, …; a parameter whose type could
    /// not be inferred has type `Null` and is offered to clients as text.
    pub parameter_schema: SchemaRef,
    /// Whether running it changes something and yields a count instead of rows.
    pub is_update: bool,
    /// The backend's own remembrance, a plan for instance; the door never looks inside.
    pub plan: Option<Arc<dyn Any + Send + Sync>>,
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared")
            .field("sql", &self.sql)
            .field("is_update", &self.is_update)
            .finish_non_exhaustive()
    }
}

/// What to run.
#[derive(Debug, Clone)]
pub enum StatementInput {
    /// A statement without parameters.
    Sql(String),
    /// A prepared statement. Each row of `parameters` holds one set of parameters, by position.
    /// Several rows are one plan: a query gives the rows of the first set, then those of the
    /// second, an update changes what all of them say, or nothing. Types are those the client sent,
    /// not always those of `parameter_schema`.
    Prepared {
        /// What [`FlightSession::prepare`] gave.
        prepared: Arc<Prepared>,
        /// No batches at all when nothing was bound.
        parameters: Vec<RecordBatch>,
    },
}

/// A started statement.
pub enum Execution {
    /// Rows to be pulled.
    Rows {
        /// The id under which the query can be watched and stopped.
        query_id: Uuid,
        /// The columns, before they are fitted to the wire.
        schema: SchemaRef,
        /// The rows; dropping it stops the query.
        stream: SendableRecordBatchStream,
    },
    /// Rows to be pulled in parts.
    Parts {
        /// The id under which the query can be watched and stopped.
        query_id: Uuid,
        /// The columns, before they are fitted to the wire.
        schema: SchemaRef,
        /// The parts; dropping one that is given out here stops the query.
        parts: Vec<ResultPart>,
    },
    /// A finished update.
    Update {
        /// The id under which the statement was recorded.
        query_id: Uuid,
        /// Rows inserted, updated or deleted; 0 for statements that change none.
        rows: i64,
    },
}

/// The metadata of a table's column that holds what its owner wrote about it.
pub const COLUMN_COMMENT: &str = "comment";

/// A schema as metadata calls show it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SchemaInfo {
    /// The catalog it lies in.
    pub catalog: String,
    /// Its name.
    pub schema: String,
}

/// A table or view as metadata calls show it.
#[derive(Debug, Clone)]
pub struct TableInfo {
    /// The catalog it lies in.
    pub catalog: String,
    /// The schema it lies in.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// `TABLE`, `VIEW` or `SYSTEM TABLE`.
    pub table_type: String,
    /// The user's comment on it.
    pub comment: Option<String>,
    /// Its columns, when they were asked for, with their comments as [`COLUMN_COMMENT`].
    pub table_schema: Option<SchemaRef>,
}

/// The value of a session option.
#[derive(Debug, Clone, PartialEq)]
pub enum OptionValue {
    /// Text; every other kind may be given as text, too.
    Text(String),
    /// A switch.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A fractional number.
    Double(f64),
    /// A list of texts.
    List(Vec<String>),
}

impl fmt::Display for OptionValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Double(value) => write!(f, "{value}"),
            Self::List(items) => f.write_str(&items.join(",")),
        }
    }
}
