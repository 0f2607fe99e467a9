//! A session with a cluster over Arrow Flight SQL.

use std::collections::{BTreeSet, HashMap};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::client::{FlightSqlServiceClient, PreparedStatement};
use arrow_flight::sql::{
    CommandStatementIngest, TableDefinitionOptions, TableExistsOption, TableNotExistOption,
};
use arrow_flight::{Action, FlightInfo, Ticket};
use futures::{StreamExt, TryStreamExt, stream};
use tonic::Code;
use tonic::transport::Channel;
use waterbuck_engine::{Error, ErrorKind, Result};

use crate::connection::FlightAddress;

/// A session, which is logged in where the server asks for it.
#[derive(Debug)]
pub struct Client {
    inner: FlightSqlServiceClient<Channel>,
    address: FlightAddress,
    /// Connections to other places that results were read at.
    located: HashMap<String, FlightServiceClient<Channel>>,
}

/// A statement that was planned once and runs any number of times.
pub(crate) type Prepared = PreparedStatement<Channel>;

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

/// One stream of a result, not read yet.
#[derive(Debug)]
pub(crate) struct Source {
    client: FlightSqlServiceClient<Channel>,
    ticket: Ticket,
}

/// How a result is dealt out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) streams: usize,
    /// Connections that the streams are read over.
    pub(crate) connections: usize,
}

impl Layout {
    /// A result in one piece.
    pub(crate) const WHOLE: Self = Self {
        streams: 1,
        connections: 1,
    };
}

impl Source {
    /// Reads the stream to its end.
    pub(crate) async fn read(mut self, mut each: impl FnMut(RecordBatch)) -> Result<()> {
        let mut batches = self.client.do_get(self.ticket).await.map_err(refused)?;
        while let Some(batch) = batches.try_next().await.map_err(refused)? {
            each(batch);
        }
        Ok(())
    }
}

impl Client {
    /// Connects to a server that asks for no login.
    pub(crate) async fn anonymous(address: &FlightAddress) -> Result<Self> {
        Ok(Self {
            inner: FlightSqlServiceClient::new_from_inner(address.dial().await?),
            address: address.clone(),
            located: HashMap::new(),
        })
    }

    /// Connects and logs in.
    ///
    /// # Errors
    /// When nobody answers or the password is wrong.
    pub(crate) async fn connect(
        address: &FlightAddress,
        user: &str,
        password: &str,
    ) -> Result<Self> {
        let mut client = Self::anonymous(address).await?;
        let logged_in = client.inner.handshake(user, password).await;
        logged_in.map_err(|error| {
            let message = format!("\"{}\" refused the login of \"{user}\"", address.place);
            Error::new(ErrorKind::Unauthenticated, message).with_source(error)
        })?;
        Ok(client)
    }

    /// Asks for the parts of every result where they are, at the executors.
    pub(crate) fn ask_for_endpoints(&mut self) {
        self.inner.set_header("x-result-endpoints", "executors");
    }

    /// Connects with the token of a login, to go on with its session.
    pub(crate) async fn resume(address: &FlightAddress, token: &str) -> Result<Self> {
        let mut client = Self::anonymous(address).await?;
        client.inner.set_token(token.to_owned());
        Ok(client)
    }

    /// The token of the login; empty where there was none.
    pub(crate) fn token(&self) -> &str {
        self.inner.token().map_or("", String::as_str)
    }

    /// Ends the session, which would else be kept for the next connection with its token.
    pub(crate) async fn close(mut self) -> Result<()> {
        let action = Action::new("CloseSession", "");
        let mut results = self.inner.do_action(action).await.map_err(refused)?;
        while let Some(_answer) = results.message().await.map_err(|e| refused(e.into()))? {}
        Ok(())
    }

    /// Runs a query and gathers its rows.
    ///
    /// # Errors
    /// The server's.
    pub async fn query(&mut self, sql: &str) -> Result<Rows> {
        let info = self.execute(sql).await?;
        self.gather(info).await
    }

    /// Runs any statement.
    ///
    /// # Errors
    /// The server's.
    pub async fn run(&mut self, sql: &str) -> Result<Outcome> {
        let mut prepared = self.prepare(sql).await?;
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

    /// Plans a statement. It stays planned until it is closed or the session ends.
    pub(crate) async fn prepare(&mut self, sql: &str) -> Result<Prepared> {
        let prepared = self.inner.prepare(sql.to_owned(), None).await;
        prepared.map_err(refused)
    }

    /// Runs a prepared query with a row of parameters and gathers its rows.
    pub(crate) async fn query_prepared(
        &mut self,
        prepared: &mut Prepared,
        parameters: RecordBatch,
    ) -> Result<Rows> {
        prepared.set_parameters(parameters).map_err(refused)?;
        let info = prepared.execute().await.map_err(refused)?;
        self.gather(info).await
    }

    /// Uploads rows into a table that exists; gives their number as the server has counted it.
    pub(crate) async fn append(&mut self, table: &str, rows: Vec<RecordBatch>) -> Result<i64> {
        let command = CommandStatementIngest {
            table_definition_options: Some(TableDefinitionOptions {
                if_not_exist: TableNotExistOption::Fail as i32,
                if_exists: TableExistsOption::Append as i32,
            }),
            table: table.to_owned(),
            ..CommandStatementIngest::default()
        };
        let counted = self
            .inner
            .execute_ingest(command, stream::iter(rows).map(Ok))
            .await;
        counted.map_err(refused)
    }

    /// Runs a query and gives the streams of its result, each where it is to be read.
    pub(crate) async fn sources(&mut self, sql: &str) -> Result<(Vec<Source>, Layout)> {
        let info = self.execute(sql).await?;
        self.locate(info).await
    }

    /// The stream of a ticket over this connection.
    pub(crate) fn source(&self, ticket: Ticket) -> Source {
        Source {
            client: self.inner.clone(),
            ticket,
        }
    }

    async fn execute(&mut self, sql: &str) -> Result<FlightInfo> {
        let info = self.inner.execute(sql.to_owned(), None).await;
        info.map_err(refused)
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
        for source in self.locate(info).await?.0 {
            source.read(|batch| batches.push(batch)).await?;
        }
        Ok(Rows {
            query_id,
            schema: SchemaRef::new(schema),
            batches,
        })
    }

    /// The streams of a result, in order. Connections to other places are opened once.
    pub(crate) async fn locate(&mut self, info: FlightInfo) -> Result<(Vec<Source>, Layout)> {
        let (mut sources, mut places) = (vec![], BTreeSet::new());
        for endpoint in info.endpoint {
            let location = endpoint.location.first();
            let location = location.map_or("", |location| location.uri.as_str());
            let address = self.address.at(location)?;
            let Some(ticket) = endpoint.ticket else {
                continue;
            };
            places.insert(address.as_ref().map(|address| address.place.clone()));
            let client = match address {
                Some(address) => self.reach(address).await?,
                None => self.inner.clone(),
            };
            sources.push(Source { client, ticket });
        }
        let layout = Layout {
            streams: sources.len(),
            connections: places.len(),
        };
        Ok((sources, layout))
    }

    /// The same session at another place, which takes the same token.
    async fn reach(&mut self, address: FlightAddress) -> Result<FlightSqlServiceClient<Channel>> {
        let known = self.located.get(&address.place).cloned();
        let connection = match known {
            Some(connection) => connection,
            None => {
                let connection = address.dial().await?;
                self.located.insert(address.place, connection.clone());
                connection
            }
        };
        let mut client = FlightSqlServiceClient::new_from_inner(connection);
        if let Some(token) = self.inner.token() {
            client.set_token(token.clone());
        }
        Ok(client)
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

/// The server's error as ours: its message is all that is shown.
fn refused(error: FlightError) -> Error {
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
