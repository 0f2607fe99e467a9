//! A Flight SQL client that behaves as the drivers do: log in, prepare, then query or update.

use std::{fmt, sync::Arc, time::Duration};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use arrow_flight::{
    Action, FlightInfo,
    decode::FlightRecordBatchStream,
    error::FlightError,
    sql::client::{FlightSqlServiceClient, PreparedStatement},
    sql::{CommandGetDbSchemas, CommandGetTables},
};
use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use tonic::{
    Code, Status,
    transport::{Channel, ClientTlsConfig, Endpoint},
};

use crate::{Answer, PASSWORD};

/// Frames up to this size are taken; a single wide row may exceed the usual 4 MiB.
const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// A refused or failed statement, as a client sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientError {
    /// The gRPC code.
    pub code: Code,
    /// The text that a driver shows.
    pub message: String,
    /// The SQLSTATE beside it, if the server sent one.
    pub sqlstate: Option<String>,
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.code, self.message)
    }
}

impl std::error::Error for ClientError {}

impl From<Status> for ClientError {
    fn from(status: Status) -> Self {
        let sqlstate = status.metadata().get("x-sqlstate");
        Self {
            code: status.code(),
            message: status.message().to_owned(),
            sqlstate: sqlstate
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned),
        }
    }
}

impl From<FlightError> for ClientError {
    fn from(error: FlightError) -> Self {
        match error {
            FlightError::Tonic(status) => Self::from(*status),
            other => Self::unknown(other),
        }
    }
}

impl From<std::io::Error> for ClientError {
    fn from(error: std::io::Error) -> Self {
        Self::unknown(error)
    }
}

impl ClientError {
    /// A statement that has not ended in time.
    pub(crate) fn too_late(deadline: Duration) -> Self {
        let message = format!("not finished after {deadline:?}");
        Self {
            code: Code::DeadlineExceeded,
            message,
            sqlstate: None,
        }
    }

    /// The client library tells a refused login in words alone, the code by its description.
    pub(crate) fn unknown(error: impl fmt::Display) -> Self {
        let message = error.to_string();
        let said = |code: &Code| message.contains(&format!("code: '{}'", code.description()));
        let code = (0..=16).map(Code::from_i32).find(said);
        Self {
            code: code.unwrap_or(Code::Unknown),
            message,
            sqlstate: None,
        }
    }
}

type Result<T> = std::result::Result<T, ClientError>;

/// One connection, which is one session on the server. A clone shares both.
#[derive(Debug, Clone)]
pub struct Client {
    inner: FlightSqlServiceClient<Channel>,
}

impl Client {
    /// Logs in as the first administrator to `address`, a `host:port`.
    pub async fn connect(address: &str) -> Result<Self> {
        Self::log_in(address, "admin", PASSWORD).await
    }

    /// Logs in as anybody.
    pub async fn log_in(address: &str, user: &str, password: &str) -> Result<Self> {
        let endpoint = endpoint(format!("http://{address}"))?;
        Self::over(&endpoint, user, password).await
    }

    /// Logs in as the first administrator over TLS.
    pub async fn connect_tls(address: &str, tls: ClientTlsConfig) -> Result<Self> {
        let endpoint = endpoint(format!("https://{address}"))?;
        let endpoint = endpoint.tls_config(tls).map_err(ClientError::unknown)?;
        Self::over(&endpoint, "admin", PASSWORD).await
    }

    /// Comes over TLS with what `tls` shows, and without a login.
    pub async fn with_certificate(address: &str, tls: ClientTlsConfig) -> Result<Self> {
        let endpoint = endpoint(format!("https://{address}"))?;
        let endpoint = endpoint.tls_config(tls).map_err(ClientError::unknown)?;
        let inner = Self::dial(&endpoint).await?;
        Ok(Self { inner })
    }

    /// Comes with a bearer token and without a handshake.
    pub async fn with_token(address: &str, token: &str) -> Result<Self> {
        let endpoint = endpoint(format!("http://{address}"))?;
        let mut inner = Self::dial(&endpoint).await?;
        inner.set_token(token.to_owned());
        Ok(Self { inner })
    }

    /// The same connection, saying where results are to be given out.
    #[must_use]
    pub fn at_endpoints(&self, endpoints: &str) -> Self {
        let mut inner = self.inner.clone();
        inner.set_header("x-result-endpoints", endpoints);
        Self { inner }
    }

    /// The bearer token it goes on with.
    pub fn token(&self) -> Option<String> {
        self.inner.token().cloned()
    }

    async fn over(endpoint: &Endpoint, user: &str, password: &str) -> Result<Self> {
        let mut inner = Self::dial(endpoint).await?;
        inner.handshake(user, password).await?;
        Ok(Self { inner })
    }

    async fn dial(endpoint: &Endpoint) -> Result<FlightSqlServiceClient<Channel>> {
        let channel = endpoint.connect().await.map_err(ClientError::unknown)?;
        let service = arrow_flight::flight_service_client::FlightServiceClient::new(channel)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(2 * MESSAGE_BYTES_MAX);
        Ok(FlightSqlServiceClient::new_from_inner(service))
    }

    /// Runs a statement to its end.
    pub async fn run(&self, sql: &str) -> Result<Answer> {
        let mut statement = self.prepare(sql).await?;
        if is_update(&statement)? {
            let updated = statement.execute_update().await?;
            let schema = Arc::new(arrow::datatypes::Schema::empty());
            let updated = u64::try_from(updated).ok();
            return Ok(Answer {
                schema,
                batches: Vec::new(),
                updated,
                query_id: None,
            });
        }
        let info = statement.execute().await?;
        let answer = self.open(info).collect().await;
        // Closed late: the server may drop what belongs to the statement.
        let _closed = statement.close().await;
        answer
    }

    /// Starts a query and leaves its rows unread.
    pub async fn start(&self, sql: &str) -> Result<Running> {
        let mut statement = self.prepare(sql).await?;
        let info = statement.execute().await?;
        Ok(self.open(info))
    }

    /// Starts a query and tells where its rows are.
    pub async fn info(&self, sql: &str) -> Result<FlightInfo> {
        Ok(self.inner.clone().execute(sql.to_owned(), None).await?)
    }

    /// Reads one endpoint of a [`FlightInfo`] at the location it names, if it names one, with this
    /// client's token.
    pub async fn part(&self, info: &FlightInfo, number: usize) -> Result<Running> {
        let endpoint = &info.endpoint[number];
        let part = FlightInfo {
            endpoint: vec![endpoint.clone()],
            ..info.clone()
        };
        let Some(location) = endpoint.location.first() else {
            return Ok(self.open(part));
        };
        let address = location.uri.trim_start_matches("grpc+tcp://");
        let token = self.token().unwrap_or_default();
        Ok(Self::with_token(address, &token).await?.open(part))
    }

    /// Prepares a statement, for tests of parameters and schemas.
    pub async fn prepare(&self, sql: &str) -> Result<PreparedStatement<Channel>> {
        Ok(self.inner.clone().prepare(sql.to_owned(), None).await?)
    }

    /// The schemas that the metadata call tells of.
    pub async fn schemas(&self) -> Result<Answer> {
        let request = CommandGetDbSchemas {
            catalog: None,
            db_schema_filter_pattern: None,
        };
        let info = self.inner.clone().get_db_schemas(request).await?;
        self.open(info).collect().await
    }

    /// The tables that the metadata call tells of, each with its columns.
    pub async fn tables(&self) -> Result<Answer> {
        self.tables_like(None, None).await
    }

    /// The same, of those whose schemas and names are like patterns.
    pub async fn tables_like(&self, schema: Option<&str>, table: Option<&str>) -> Result<Answer> {
        let request = CommandGetTables {
            catalog: None,
            db_schema_filter_pattern: schema.map(str::to_owned),
            table_name_filter_pattern: table.map(str::to_owned),
            table_types: vec![],
            include_schema: true,
        };
        let info = self.inner.clone().get_tables(request).await?;
        self.open(info).collect().await
    }

    /// Reads every endpoint of a [`FlightInfo`] one after the other.
    pub fn open(&self, info: FlightInfo) -> Running {
        let query_id = String::from_utf8(info.app_metadata.to_vec()).ok();
        let schema = info
            .clone()
            .try_decode_schema()
            .unwrap_or(arrow::datatypes::Schema::empty());
        let client = self.inner.clone();
        let rows = futures::stream::iter(info.endpoint)
            .then(move |endpoint| read_endpoint(client.clone(), endpoint.ticket))
            .try_flatten();
        let query_id = query_id.filter(|id| !id.is_empty());
        Running {
            query_id,
            schema: Arc::new(schema),
            rows: rows.boxed(),
        }
    }

    /// Calls one of the server's own actions and gives the bodies of its answers.
    pub async fn action(&self, kind: &str, body: Vec<u8>) -> Result<Vec<bytes::Bytes>> {
        let mut request = tonic::Request::new(Action {
            r#type: kind.to_owned(),
            body: body.into(),
        });
        if let Some(token) = self.inner.token() {
            let bearer = format!("Bearer {token}")
                .parse()
                .map_err(ClientError::unknown)?;
            request.metadata_mut().insert("authorization", bearer);
        }
        let mut client = self.inner.clone();
        let answers = client.inner_mut().do_action(request).await?.into_inner();
        Ok(answers.map_ok(|answer| answer.body).try_collect().await?)
    }
}

fn endpoint(url: String) -> Result<Endpoint> {
    let endpoint = Endpoint::from_shared(url).map_err(ClientError::unknown)?;
    Ok(endpoint.connect_timeout(Duration::from_secs(5)))
}

fn is_update(statement: &PreparedStatement<Channel>) -> Result<bool> {
    let schema = statement.dataset_schema().map_err(ClientError::unknown)?;
    Ok(schema.fields().is_empty())
}

async fn read_endpoint(
    mut client: FlightSqlServiceClient<Channel>,
    ticket: Option<arrow_flight::Ticket>,
) -> Result<impl futures::Stream<Item = Result<RecordBatch>>> {
    let ticket = ticket.ok_or_else(|| ClientError::unknown("an endpoint without a ticket"))?;
    let stream: FlightRecordBatchStream = client.do_get(ticket).await?;
    Ok(stream.map_err(ClientError::from))
}

/// A query whose rows are read as they come. Dropping it drops the gRPC stream, which is how the
/// drivers cancel.
pub struct Running {
    /// The id the server gave the query.
    pub query_id: Option<String>,
    /// The columns of the result.
    pub schema: SchemaRef,
    rows: BoxStream<'static, Result<RecordBatch>>,
}

impl Running {
    /// The next batch, `None` at the end.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>> {
        self.rows.try_next().await
    }

    /// Reads to the end.
    pub async fn collect(self) -> Result<Answer> {
        let batches = self.rows.try_collect().await?;
        Ok(Answer {
            schema: self.schema,
            batches,
            updated: None,
            query_id: self.query_id,
        })
    }
}
