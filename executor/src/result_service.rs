//! Gives the rows of tasks to clients, who come with a ticket of a coordinator's.
//!
//! An executor knows no users: a client shows the bearer token of its login besides the ticket, and
//! both are checked by the coordinators' keys. Nothing else is served here, but that a handshake is
//! passed on to a coordinator, for drivers that log in at every location anew.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::flight_service_server::FlightService;
use arrow_flight::sql::{Any, Command};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo,
    HandshakeRequest, HandshakeResponse, PollInfo, PutResult, SchemaResult, Ticket,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use datafusion::execution::SendableRecordBatchStream;
use datafusion_distributed::{ExecuteTaskRequest, ProducerHead, TaskKey, Worker};
use futures::stream::{self, BoxStream, StreamExt};
use prost::Message;
use tokio::time::timeout;
use tonic::metadata::MetadataMap;
use tonic::transport::Endpoint;
use tonic::{Code, Request, Response, Status, Streaming};
use url::Url;
use uuid::Uuid;
use waterbuck_engine::plain_errors::run_error;
use waterbuck_engine::session::TaskLabel;
use waterbuck_engine::ticket::{TaskTicket, unknown};
use waterbuck_engine::{Error, ErrorKind, Result};
use waterbuck_results::compression::Compression;
use waterbuck_results::deadline::deadline_of;
use waterbuck_results::encode::{ResultContext, encode};
use waterbuck_results::merge::merged;
use waterbuck_results::reading::{Reading as _, counted};
use waterbuck_results::status::{QUERY_ID, status, unsupported};
use waterbuck_results::wire::decode_schema;

use crate::node::ExecutorNode;

/// How long a client may leave a stream unread before it is stopped.
const READER_STALL: Duration = Duration::from_secs(60 * 60);
/// How long a client may take to send its credentials, and a coordinator to answer them.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The Flight service of an executor.
pub(crate) struct ResultService {
    pub(crate) node: Arc<ExecutorNode>,
    pub(crate) worker: Worker,
    pub(crate) coordinators: Vec<Url>,
}

impl ResultService {
    /// The user whose bearer token the call carries.
    fn user(&self, headers: &MetadataMap) -> Result<String> {
        let header = headers.get("authorization");
        let token = header
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "))
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::Unauthenticated,
                    "this call needs the bearer token of a login at a coordinator",
                )
            })?;
        let claims = self.node.logins().verify(token, now())?;
        Ok(claims.user)
    }

    /// What a ticket of `user` says. Somebody else's is answered like an unknown one.
    fn ticket(&self, ticket: &Ticket, user: &str) -> Result<TaskTicket> {
        let any = Any::decode(&*ticket.ticket).map_err(|_damaged| unknown())?;
        let Ok(Command::TicketStatementQuery(named)) = Command::try_from(any) else {
            return Err(unknown());
        };
        let text = str::from_utf8(&named.statement_handle).map_err(|_no_text| unknown())?;
        let ticket = TaskTicket::verify(text, self.node.logins(), now())?;
        match ticket.user == user {
            true => Ok(ticket),
            false => Err(unknown()),
        }
    }

    /// The rows behind a ticket, as they are sent.
    async fn rows(&self, ticket: &TaskTicket) -> Result<SendableRecordBatchStream> {
        let key = TaskKey {
            query_id: Uuid::parse_str(&ticket.attempt).map_err(|_damaged| unknown())?,
            stage_id: number(ticket.stage),
            task_number: number(ticket.task),
        };
        let served = self.node.tasks.served();
        let reading = served.begin(&TaskLabel::of(&key), ticket.task).await?;
        let request = ExecuteTaskRequest {
            task_key: key,
            target_partition_start: 0,
            target_partition_end: number(ticket.partitions),
            producer_head: ProducerHead::None,
        };
        match self.worker.execute_task(request).await {
            Ok((partitions, _context)) => {
                let schema = partitions.first().map(|rows| rows.schema());
                let schema = schema.ok_or_else(unknown)?;
                Ok(counted(merged(schema, partitions), reading))
            }
            Err(error) => {
                let error = run_error(error);
                reading.end(Some(&error));
                Err(error)
            }
        }
    }
}

fn number(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// Seconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |time| i64::try_from(time.as_secs()).unwrap_or(i64::MAX))
}

/// How the rows of a ticket are sent.
fn context_of(ticket: &TaskTicket, headers: &MetadataMap) -> Result<ResultContext> {
    let columns = URL_SAFE_NO_PAD
        .decode(&ticket.schema)
        .map_err(|_damaged| unknown())?;
    let options = Compression::parse(&ticket.compression)?.write_options();
    Ok(ResultContext {
        query_id: Uuid::parse_str(&ticket.query).map_err(|_damaged| unknown())?,
        schema: Arc::new(decode_schema(columns.into()).map_err(|_damaged| unknown())?),
        options: options
            .map_err(|error| Error::internal("the rows cannot be compressed").with_source(error))?,
        deadline: deadline_of(headers),
        reader_stall: READER_STALL,
        describe_error: run_error,
    })
}

#[tonic::async_trait]
impl FlightService for ResultService {
    type HandshakeStream = BoxStream<'static, Result<HandshakeResponse, Status>>;
    type ListFlightsStream = BoxStream<'static, Result<FlightInfo, Status>>;
    type DoGetStream = BoxStream<'static, Result<FlightData, Status>>;
    type DoPutStream = BoxStream<'static, Result<PutResult, Status>>;
    type DoExchangeStream = BoxStream<'static, Result<FlightData, Status>>;
    type DoActionStream = BoxStream<'static, Result<arrow_flight::Result, Status>>;
    type ListActionsStream = BoxStream<'static, Result<ActionType, Status>>;

    async fn handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        let (headers, _, mut messages) = request.into_parts();
        // Clients that put their login into a header may send no message.
        let first = timeout(HANDSHAKE_TIMEOUT, messages.message())
            .await
            .map_err(|_elapsed| Status::deadline_exceeded("the handshake sent no credentials"))??;
        let first = first.unwrap_or_default();
        let mut refused = Status::unavailable("no coordinator can be asked for the login");
        for coordinator in &self.coordinators {
            let timely = |endpoint: Endpoint| {
                endpoint
                    .connect_timeout(HANDSHAKE_TIMEOUT)
                    .timeout(HANDSHAKE_TIMEOUT)
            };
            let dialer = self.node.channels.dialer();
            let Ok(channel) = dialer.connect(coordinator, timely).await else {
                continue;
            };
            let mut passed_on = Request::new(stream::iter([first.clone()]));
            if let Some(login) = headers.get("authorization") {
                passed_on
                    .metadata_mut()
                    .insert("authorization", login.clone());
            }
            match FlightServiceClient::new(channel).handshake(passed_on).await {
                Ok(answer) => {
                    let (headers, answers, _) = answer.into_parts();
                    let token = headers.get("authorization").cloned();
                    let mut response = Response::new(answers.boxed());
                    if let Some(token) = token {
                        response.metadata_mut().insert("authorization", token);
                    }
                    return Ok(response);
                }
                Err(status) if status.code() == Code::Unavailable => refused = status,
                Err(status) => return Err(status),
            }
        }
        Err(refused)
    }

    async fn do_get(
        &self,
        request: Request<Ticket>,
    ) -> Result<Response<Self::DoGetStream>, Status> {
        let read = async {
            let user = self.user(request.metadata())?;
            let ticket = self.ticket(request.get_ref(), &user)?;
            let context = context_of(&ticket, request.metadata())?;
            let rows = self.rows(&ticket).await?;
            Ok::<_, Error>((rows, context))
        };
        let (rows, context) = read.await.map_err(|error| status(&error))?;
        let query_id = context.query_id;
        let mut response = Response::new(encode(rows, context, ()));
        if let Ok(value) = query_id.to_string().parse() {
            response.metadata_mut().insert(QUERY_ID, value);
        }
        Ok(response)
    }

    async fn list_flights(
        &self,
        _: Request<Criteria>,
    ) -> Result<Response<Self::ListFlightsStream>, Status> {
        Err(elsewhere())
    }

    async fn get_flight_info(
        &self,
        _: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        Err(elsewhere())
    }

    async fn poll_flight_info(
        &self,
        _: Request<FlightDescriptor>,
    ) -> Result<Response<PollInfo>, Status> {
        Err(elsewhere())
    }

    async fn get_schema(
        &self,
        _: Request<FlightDescriptor>,
    ) -> Result<Response<SchemaResult>, Status> {
        Err(elsewhere())
    }

    async fn do_put(
        &self,
        _: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoPutStream>, Status> {
        Err(elsewhere())
    }

    async fn do_exchange(
        &self,
        _: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoExchangeStream>, Status> {
        Err(elsewhere())
    }

    async fn do_action(
        &self,
        _: Request<Action>,
    ) -> Result<Response<Self::DoActionStream>, Status> {
        Err(elsewhere())
    }

    async fn list_actions(
        &self,
        _: Request<Empty>,
    ) -> Result<Response<Self::ListActionsStream>, Status> {
        Err(elsewhere())
    }
}

fn elsewhere() -> Status {
    unsupported("an executor gives out the rows of tickets alone: send this call to a coordinator")
}
