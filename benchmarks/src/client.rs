//! A session with a cluster over Arrow Flight SQL.

use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::{FlightInfo, Ticket};
use futures::TryStreamExt;
use tonic::Code;
use tonic::transport::{Channel, Endpoint};
use waterbuck_engine::{Error, ErrorKind, Result};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const MESSAGE_BYTES_MAX: usize = 1 << 30;
const STREAM_WINDOW_BYTES: u32 = 8 << 20;

/// A logged-in session.
#[derive(Debug)]
pub struct Client {
    inner: FlightSqlServiceClient<Channel>,
}

/// The whole result of a query.
#[derive(Debug)]
pub struct Rows {
    /// The id the server gave the query, if it has one.
    pub query_id: Option<String>,
    /// The columns.
    pub schema: SchemaRef,
    /// The rows.
    pub batches: Vec<RecordBatch>,
}

/// What a statement gave.
#[derive(Debug)]
pub enum Outcome {
    /// A query's rows.
    Rows(Rows),
    /// The number of rows changed, if that has a meaning.
    Updated(Option<u64>),
}

/// What is left of a result that was counted and dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Drained {
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
}

impl Client {
    /// Connects to `host:port` and logs in.
    ///
    /// # Errors
    /// When nobody answers or the password is wrong.
    pub async fn connect(address: &str, user: &str, password: &str) -> Result<Self> {
        let mut inner = FlightSqlServiceClient::new_from_inner(dial(address).await?);
        inner.handshake(user, password).await.map_err(|error| {
            let message = format!("\"{address}\" refused the login of \"{user}\"");
            Error::new(ErrorKind::Unauthenticated, message).with_source(error)
        })?;
        Ok(Self { inner })
    }

    /// Runs a query and gathers its rows.
    ///
    /// # Errors
    /// The server's.
    pub async fn query(&mut self, sql: &str) -> Result<Rows> {
        let info = self
            .inner
            .execute(sql.to_owned(), None)
            .await
            .map_err(refused)?;
        self.gather(info).await
    }

    /// Runs any statement.
    ///
    /// # Errors
    /// The server's.
    pub async fn run(&mut self, sql: &str) -> Result<Outcome> {
        let mut prepared = self
            .inner
            .prepare(sql.to_owned(), None)
            .await
            .map_err(refused)?;
        let is_update = prepared
            .dataset_schema()
            .map_err(refused)?
            .fields()
            .is_empty();
        let outcome = if is_update {
            let changed = prepared.execute_update().await.map_err(refused);
            changed.map(|rows| Outcome::Updated(u64::try_from(rows).ok()))
        } else {
            match prepared.execute().await.map_err(refused) {
                Ok(info) => self.gather(info).await.map(Outcome::Rows),
                Err(error) => Err(error),
            }
        };
        // The server drops it with the session in any case.
        prepared.close().await.ok();
        outcome
    }

    /// Runs a query, counts its rows and keeps none.
    pub(crate) async fn drain(&mut self, sql: &str) -> Result<Drained> {
        let info = self
            .inner
            .execute(sql.to_owned(), None)
            .await
            .map_err(refused)?;
        let mut drained = Drained { rows: 0, bytes: 0 };
        for ticket in tickets(info) {
            let mut stream = self.inner.do_get(ticket).await.map_err(refused)?;
            while let Some(batch) = stream.try_next().await.map_err(refused)? {
                drained.rows += batch.num_rows() as u64;
                drained.bytes += batch.get_array_memory_size() as u64;
            }
        }
        Ok(drained)
    }

    async fn gather(&mut self, info: FlightInfo) -> Result<Rows> {
        let query_id = std::str::from_utf8(&info.app_metadata)
            .ok()
            .filter(|id| !id.is_empty());
        let query_id = query_id.map(str::to_owned);
        let schema = info.clone().try_decode_schema().map_err(|error| {
            Error::internal("the server sent a schema that cannot be read").with_source(error)
        })?;
        let mut batches = vec![];
        for ticket in tickets(info) {
            let stream = self.inner.do_get(ticket).await.map_err(refused)?;
            batches.extend(stream.try_collect::<Vec<_>>().await.map_err(refused)?);
        }
        Ok(Rows {
            query_id,
            schema: SchemaRef::new(schema),
            batches,
        })
    }
}

impl Rows {
    /// The number of rows.
    pub fn count(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// Every value of a text column, in order; empty when there is no such column.
    pub fn texts(&self, column: &str) -> Vec<String> {
        let cells = self.batches.iter().filter_map(|batch| {
            let array = arrow::compute::cast(
                batch.column_by_name(column)?,
                &arrow::datatypes::DataType::Utf8,
            );
            let array = array.ok()?;
            let texts = array.as_any().downcast_ref::<arrow::array::StringArray>()?;
            Some(
                texts
                    .iter()
                    .map(|text| text.unwrap_or_default().to_owned())
                    .collect::<Vec<_>>(),
            )
        });
        cells.flatten().collect()
    }
}

/// Opens a connection with windows that suit large results.
pub(crate) async fn dial(address: &str) -> Result<FlightServiceClient<Channel>> {
    let unreachable = |error: tonic::transport::Error| {
        Error::unavailable(format!("\"{address}\" cannot be reached")).with_source(error)
    };
    let endpoint = Endpoint::from_shared(format!("http://{address}"))
        .map_err(unreachable)?
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(2 * STREAM_WINDOW_BYTES);
    let channel = endpoint.connect().await.map_err(unreachable)?;
    Ok(FlightServiceClient::new(channel)
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX))
}

fn tickets(info: FlightInfo) -> impl Iterator<Item = Ticket> {
    info.endpoint
        .into_iter()
        .filter_map(|endpoint| endpoint.ticket)
}

/// The server's error as ours: its message is all that is shown.
pub(crate) fn refused(error: FlightError) -> Error {
    let FlightError::Tonic(status) = error else {
        return Error::unavailable("the connection broke").with_source(error);
    };
    let kind = match status.code() {
        Code::InvalidArgument => ErrorKind::InvalidQuery,
        Code::NotFound => ErrorKind::NotFound,
        Code::AlreadyExists => ErrorKind::AlreadyExists,
        Code::Aborted => ErrorKind::Conflict,
        Code::PermissionDenied => ErrorKind::PermissionDenied,
        Code::Unauthenticated => ErrorKind::Unauthenticated,
        Code::ResourceExhausted => ErrorKind::ResourceExhausted,
        Code::Unavailable | Code::DeadlineExceeded => ErrorKind::Unavailable,
        Code::Cancelled => ErrorKind::Cancelled,
        Code::DataLoss | Code::OutOfRange => ErrorKind::Data,
        Code::Unimplemented => ErrorKind::Unsupported,
        _ => ErrorKind::Internal,
    };
    Error::new(kind, status.message())
}
