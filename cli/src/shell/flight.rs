//! A session with a server over Arrow Flight SQL.
//!
//! A statement is prepared first: one without a result schema is an update. The id of a query
//! comes in the application metadata of its flight info, progress and cancelling are actions of
//! their own.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::{Action, FlightInfo, HandshakeRequest};
use async_trait::async_trait;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use datafusion::common::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, TryStreamExt, stream};
use parking_lot::RwLock;
use serde::Deserialize;
use tonic::transport::{Channel, Endpoint};
use waterbuck_engine::{Error, ErrorKind, Result};

use super::connection::{Connection, Execution, Outcome, Progress};
use super::flight_error::{from_flight, from_status, from_transport};
use super::names::{NAMES_SQL, text_column};
use super::tls::ShellTls;
use super::url::ServerUrl;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const LOGIN_TIMEOUT: Duration = Duration::from_secs(10);
const KEEP_ALIVE: Duration = Duration::from_secs(10);
const MESSAGE_BYTES_MAX: usize = 1 << 30;
const STREAM_WINDOW_BYTES: u32 = 8 << 20;

type Client = FlightSqlServiceClient<Channel>;

/// A session with a server.
pub(super) struct FlightConnection {
    url: ServerUrl,
    /// Copied for every call, which is cheap; replaced when the session is renewed.
    /// Whether it shows a certificate, which may be a login.
    certified: bool,
    client: RwLock<Client>,
}

impl FlightConnection {
    /// Connects and logs in.
    /// A password that the URL lacks is taken from `WATERBUCK_PASSWORD`.
    pub(super) async fn open(url: &ServerUrl, tls: &ShellTls<'_>) -> Result<Self> {
        let endpoint = endpoint(url, tls)?;
        let channel = match tokio::time::timeout(CONNECT_TIMEOUT, endpoint.connect()).await {
            Ok(connected) => connected.map_err(|error| from_transport(url, &error))?,
            Err(_) => {
                let seconds = CONNECT_TIMEOUT.as_secs();
                let message = format!("\"{url}\" does not answer within {seconds} s");
                return Err(Error::unavailable(message));
            }
        };
        let mut url = url.clone();
        if url.password.is_none() {
            url.password = std::env::var("WATERBUCK_PASSWORD")
                .ok()
                .filter(|text| !text.is_empty());
        }
        let service = FlightServiceClient::new(channel)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX);
        let certified = tls.identity.is_some();
        let client = log_in(&url, certified, service).await?;
        Ok(Self {
            url,
            certified,
            client: RwLock::new(client),
        })
    }

    fn client(&self) -> Client {
        self.client.read().clone()
    }

    /// A session that the server has forgotten is opened again, but the statement is not repeated:
    /// without what `SET` and `USE` had said it might mean something else.
    async fn renewed(&self, error: Error) -> Error {
        if error.kind() != ErrorKind::Unauthenticated {
            return error;
        }
        let service = self.client().into_inner();
        match log_in(&self.url, self.certified, service).await {
            Ok(client) => {
                *self.client.write() = client;
                Error::unavailable(
                    "the session had ended and a new one is open: repeat SET and USE statements, \
                     then this one",
                )
            }
            Err(_) => error,
        }
    }

    async fn query(client: Client, info: FlightInfo) -> Result<Execution> {
        let query_id = std::str::from_utf8(&info.app_metadata)
            .ok()
            .filter(|id| !id.is_empty());
        let query_id = query_id.map(str::to_owned);
        let schema = info.clone().try_decode_schema().map_err(|error| {
            Error::internal("the server sent a schema that cannot be read").with_source(error)
        })?;
        let rows = rows(client, info, Arc::new(schema));
        Ok(Execution {
            query_id,
            outcome: Outcome::Rows(rows),
        })
    }

    async fn action(&self, kind: &str, query_id: &str) -> Option<Vec<u8>> {
        let action = Action {
            r#type: kind.to_owned(),
            body: query_id.as_bytes().to_vec().into(),
        };
        let mut results = self.client().do_action(action).await.ok()?;
        Some(results.message().await.ok()??.body.to_vec())
    }
}

/// The rows a statement changed, when it is one that changes rows: the protocol says 0 for others.
fn changed_rows(sql: &str, rows: i64) -> Option<u64> {
    const WRITES: [&str; 2] = ["insert", "copy"];
    let word = sql.split_whitespace().next().unwrap_or_default();
    let writes = WRITES.iter().any(|write| word.eq_ignore_ascii_case(write));
    u64::try_from(rows).ok().filter(|rows| writes || *rows > 0)
}

#[async_trait]
impl Connection for FlightConnection {
    async fn execute(&self, sql: &str) -> Result<Execution> {
        let mut client = self.client();
        let mut prepared = match client.prepare(sql.to_owned(), None).await {
            Ok(prepared) => prepared,
            Err(error) => return Err(self.renewed(from_flight(error)).await),
        };
        let is_update = prepared
            .dataset_schema()
            .map_err(from_flight)?
            .fields()
            .is_empty();
        let executed = if is_update {
            let changed = prepared.execute_update().await.map_err(from_flight);
            changed.map(|rows| Execution {
                query_id: None,
                outcome: Outcome::Updated(changed_rows(sql, rows)),
            })
        } else {
            match prepared.execute().await {
                Ok(info) => Self::query(client, info).await,
                Err(error) => Err(from_flight(error)),
            }
        };
        // The server drops it with the session in any case.
        prepared.close().await.ok();
        executed
    }

    async fn progress(&self, query_id: &str) -> Option<Progress> {
        let body = self.action("waterbuck.progress", query_id).await?;
        let wire: WireProgress = serde_json::from_slice(&body).ok()?;
        Some(wire.into())
    }

    async fn cancel(&self, query_id: &str) {
        self.action("waterbuck.cancel", query_id).await;
    }

    async fn names(&self) -> Vec<String> {
        let Ok(Execution {
            outcome: Outcome::Rows(rows),
            ..
        }) = self.execute(NAMES_SQL).await
        else {
            return vec![];
        };
        let batches: Vec<RecordBatch> = rows.try_collect().await.unwrap_or_default();
        text_column(&batches)
    }

    fn describe(&self) -> String {
        format!("connected to {}", self.url)
    }
}

fn endpoint(url: &ServerUrl, tls: &ShellTls<'_>) -> Result<Endpoint> {
    let wrong = |error: tonic::transport::Error| from_transport(url, &error);
    let endpoint = Endpoint::from_shared(url.endpoint())
        .map_err(wrong)?
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .tcp_keepalive(Some(KEEP_ALIVE))
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(2 * KEEP_ALIVE)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(2 * STREAM_WINDOW_BYTES);
    if !url.tls {
        return Ok(endpoint);
    }
    endpoint.tls_config(tls.config()?).map_err(wrong)
}

/// Exchanges user and password, or a certificate that is shown, for the token of a session.
async fn log_in(
    url: &ServerUrl,
    certified: bool,
    mut service: FlightServiceClient<Channel>,
) -> Result<Client> {
    let mut request = tonic::Request::new(stream::iter([HandshakeRequest::default()]));
    match (&url.user, &url.password) {
        (user, Some(password)) => {
            let user = user.as_deref().unwrap_or("admin");
            let login = BASE64_STANDARD.encode(format!("{user}:{password}"));
            let basic = format!("Basic {login}").parse().map_err(|error| {
                Error::invalid(format!("the login of \"{url}\" cannot be sent")).with_source(error)
            })?;
            request.metadata_mut().insert("authorization", basic);
        }
        // The server says whose certificate it is.
        (None, None) if certified => {}
        (_, None) => {
            return Err(Error::new(
                ErrorKind::Unauthenticated,
                format!(
                    "\"{url}\" is named without a password, write grpc://user:password@host:port or \
                     set WATERBUCK_PASSWORD; a certificate that is a login is shown with --tls-cert, \
                     and no user named"
                ),
            ));
        }
    }
    let answer = match tokio::time::timeout(LOGIN_TIMEOUT, service.handshake(request)).await {
        Ok(answer) => answer.map_err(|status| from_status(&status))?,
        Err(_) => {
            let seconds = LOGIN_TIMEOUT.as_secs();
            let message = format!("\"{url}\" does not answer a login within {seconds} s");
            return Err(Error::unavailable(message));
        }
    };
    let token = answer
        .metadata()
        .get("authorization")
        .and_then(|value| value.to_str().ok());
    let token = token
        .and_then(|value| value.strip_prefix("Bearer "))
        .map(str::to_owned);
    let token = token.ok_or_else(|| {
        Error::new(
            ErrorKind::Unauthenticated,
            format!("\"{url}\" gave no session at login"),
        )
    })?;
    let mut client = Client::new_from_inner(service);
    client.set_token(token);
    Ok(client)
}

/// The rows of all endpoints, one after another.
fn rows(client: Client, info: FlightInfo, schema: SchemaRef) -> SendableRecordBatchStream {
    let tickets = info
        .endpoint
        .into_iter()
        .filter_map(|endpoint| endpoint.ticket);
    let rows = stream::iter(tickets).then(move |ticket| {
        let mut client = client.clone();
        async move { client.do_get(ticket).await.map_err(stream_error) }
    });
    let rows = rows
        .map_ok(|batches| batches.map_err(stream_error))
        .try_flatten();
    Box::pin(RecordBatchStreamAdapter::new(schema, rows))
}

fn stream_error(error: arrow_flight::error::FlightError) -> DataFusionError {
    from_flight(error).into()
}

/// Progress as the server sends it; what an older one leaves out counts as unknown.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireProgress {
    state: String,
    stages_done: u64,
    stages_total: u64,
    tasks_done: u64,
    tasks_total: u64,
    rows_read: u64,
    rows: u64,
    bytes: u64,
    elapsed_ms: u64,
}

impl From<WireProgress> for Progress {
    fn from(wire: WireProgress) -> Self {
        Self {
            state: wire.state,
            stages_done: wire.stages_done,
            stages_total: wire.stages_total,
            tasks_done: wire.tasks_done,
            tasks_total: wire.tasks_total,
            rows_read: wire.rows_read,
            rows: wire.rows,
            bytes: wire.bytes,
            elapsed: Duration::from_millis(wire.elapsed_ms),
        }
    }
}
