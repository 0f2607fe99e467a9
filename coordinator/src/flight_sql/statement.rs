//! GetFlightInfo, GetSchema and DoGet: from a command to its rows.

use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_flight::flight_descriptor::DescriptorType;
use arrow_flight::sql::{Any, Command, ProstMessageExt, TicketStatementQuery};
use arrow_flight::{FlightData, FlightDescriptor, FlightEndpoint, FlightInfo, Ticket};
use bytes::Bytes;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::stream::{self, BoxStream, StreamExt};
use prost::Message;
use tokio::time::Instant;
use tonic::{Response, Status};
use uuid::Uuid;
use waterbuck_engine::ticket::is_ticket;
use waterbuck_engine::{Error, Result};

use super::backend::{Execution, StatementInput};
use super::client::ClientGuard;
use super::delivery::Delivery;
use super::door::Shared;
use super::encode::{ResultContext, encode};
use super::metadata;
use super::results::{PendingResult, Waiting};
use super::status::{QUERY_ID, malformed, status, unsupported};
use super::wire::encode_schema;
use crate::result_parts::{Endpoints, ResultPart};

impl Shared {
    /// Starts a statement, or describes a metadata command, which runs when it is fetched.
    pub(super) async fn flight_info(
        &self,
        client: &ClientGuard,
        descriptor: FlightDescriptor,
        delivery: Delivery,
    ) -> Result<FlightInfo, Status> {
        let command = command_of(&descriptor)?;
        if let Some(schema) = self.metadata_schema(&command) {
            let ticket = Bytes::clone(&descriptor.cmd);
            return describe(
                &schema,
                vec![endpoint_here(ticket)],
                descriptor,
                Bytes::new(),
            );
        }
        // What ListFlights has named.
        if let Command::TicketStatementQuery(ticket) = command {
            let waiting = self.waiting(client, &ticket.statement_handle)?;
            let handle = ticket.statement_handle;
            return describe_result(&waiting.schema, handle, descriptor, waiting.query_id);
        }
        let started = self.start(client, command, delivery).await?;
        self.describe_started(client, started, descriptor)
    }

    /// A result that was started, and where it is fetched.
    pub(super) fn describe_started(
        &self,
        client: &ClientGuard,
        started: StartedResult,
        descriptor: FlightDescriptor,
    ) -> Result<FlightInfo, Status> {
        let StartedResult {
            schema,
            query_id,
            parts,
        } = started;
        let mut endpoints = vec![];
        for part in parts {
            endpoints.push(match part {
                StartedPart::Here(pending) => match self.results.keep(*pending) {
                    Ok(handle) => endpoint_here(ticket_of(handle)),
                    Err(error) => {
                        // Those kept before stop with it.
                        self.results.drop_query(query_id, client.session().user());
                        return Err(status(&error));
                    }
                },
                StartedPart::There(endpoint) => endpoint,
            });
        }
        describe(&schema, endpoints, descriptor, query_id.to_string().into())
    }

    /// A result that waits, and waits on.
    pub(super) fn waiting(&self, client: &ClientGuard, handle: &Bytes) -> Result<Waiting, Status> {
        let user = client.session().user();
        let waiting = self.results.renew(handle, user);
        waiting.map_err(|error| status(&error))
    }

    /// Starts the statement of a command.
    pub(super) async fn start(
        &self,
        client: &ClientGuard,
        command: Command,
        delivery: Delivery,
    ) -> Result<StartedResult, Status> {
        let input = match command {
            Command::CommandStatementQuery(command) => {
                no_transaction(command.transaction_id.as_ref())?;
                StatementInput::Sql(command.query)
            }
            Command::CommandPreparedStatementQuery(command) => client
                .prepared(&command.prepared_statement_handle)
                .map_err(|error| status(&error))?
                .bound(),
            other => return Err(unknown_command(&other)),
        };
        let execution = self.run(client, input, delivery.endpoints()).await?;
        started(client, execution, delivery).await
    }

    /// The columns of a command's answer, as an IPC message; nothing is run.
    pub(super) async fn schema(
        &self,
        client: &ClientGuard,
        descriptor: &FlightDescriptor,
    ) -> Result<Bytes, Status> {
        let command = command_of(descriptor)?;
        let schema = match &command {
            Command::CommandStatementQuery(command) => {
                no_transaction(command.transaction_id.as_ref())?;
                let prepared = client.session().prepare(&command.query).await;
                let prepared = prepared.map_err(|error| status(&error))?;
                dataset_schema(client, prepared.dataset_schema)
            }
            Command::CommandPreparedStatementQuery(command) => {
                let statement = client.prepared(&command.prepared_statement_handle);
                let statement = statement.map_err(|error| status(&error))?;
                let schema = statement.prepared().dataset_schema.as_ref();
                dataset_schema(client, schema.map(Arc::clone))
            }
            Command::TicketStatementQuery(ticket) => {
                self.waiting(client, &ticket.statement_handle)?.schema
            }
            other => self
                .metadata_schema(other)
                .ok_or_else(|| unknown_command(&command))?,
        };
        encode_schema(&schema).map_err(unencodable)
    }

    /// Sends the rows behind a ticket.
    pub(super) async fn get(
        &self,
        client: ClientGuard,
        ticket: &Ticket,
        (delivery, deadline): (Delivery, Option<Instant>),
    ) -> Result<Response<BoxStream<'static, Result<FlightData, Status>>>, Status> {
        let command = decode(&ticket.ticket, "ticket")?;
        let Command::TicketStatementQuery(redeemed) = command else {
            let rows = self.metadata_rows(&client, command).await?;
            return Ok(Response::new(encode_batch(rows)));
        };
        if is_ticket(&redeemed.statement_handle) {
            return Err(malformed(
                "the ticket is for an executor: use it at the location that its endpoint names",
            ));
        }
        let options = delivery.write_options().map_err(|error| {
            status(&Error::internal("the rows cannot be compressed").with_source(error))
        })?;
        let user = client.session().user();
        let result = self.results.take(&redeemed.statement_handle, user);
        let result = result.map_err(|error| status(&error))?;
        let query_id = result.query_id;
        let context = ResultContext {
            query_id,
            schema: result.schema,
            options,
            deadline,
            reader_stall: self.config.reader_stall,
            describe_error: self.config.describe_error,
        };
        let mut response = Response::new(encode(result.rows, context, client));
        if let Ok(value) = query_id.to_string().parse() {
            response.metadata_mut().insert(QUERY_ID, value);
        }
        Ok(response)
    }

    /// Runs a statement after checking that its parameters suit it.
    pub(super) async fn run(
        &self,
        client: &ClientGuard,
        input: StatementInput,
        endpoints: Endpoints,
    ) -> Result<Execution, Status> {
        if let StatementInput::Prepared {
            prepared,
            parameters,
        } = &input
        {
            let rows: usize = parameters.iter().map(RecordBatch::num_rows).sum();
            if prepared.is_update && rows == 0 && !parameters.is_empty() {
                return Ok(Execution::Update {
                    query_id: Uuid::now_v7(),
                    rows: 0,
                });
            }
        }
        client
            .session()
            .execute(input, endpoints)
            .await
            .map_err(|error| status(&error))
    }

    /// The columns of a metadata command; `None` for other commands.
    pub(super) fn metadata_schema(&self, command: &Command) -> Option<SchemaRef> {
        Some(match command {
            Command::CommandGetCatalogs(_) => metadata::catalogs_schema(),
            Command::CommandGetDbSchemas(_) => metadata::schemas_schema(),
            Command::CommandGetTables(command) => metadata::tables_schema(command.include_schema),
            Command::CommandGetTableTypes(_) => metadata::table_types_schema(),
            Command::CommandGetPrimaryKeys(_) => metadata::primary_keys_schema(),
            Command::CommandGetExportedKeys(_)
            | Command::CommandGetImportedKeys(_)
            | Command::CommandGetCrossReference(_) => metadata::foreign_keys_schema(),
            Command::CommandGetSqlInfo(_) => self.server_info.schema(),
            Command::CommandGetXdbcTypeInfo(_) => self.type_info.schema(),
            _ => return None,
        })
    }

    async fn metadata_rows(
        &self,
        client: &ClientGuard,
        command: Command,
    ) -> Result<RecordBatch, Status> {
        let session = client.session().as_ref();
        let rows = match &command {
            Command::CommandGetCatalogs(_) => metadata::catalogs(session).await,
            Command::CommandGetDbSchemas(command) => metadata::schemas(session, command).await,
            Command::CommandGetTables(command) => metadata::tables(session, command).await,
            Command::CommandGetTableTypes(_) => metadata::table_types(),
            Command::CommandGetSqlInfo(command) => self.server_info.rows(&command.info),
            Command::CommandGetXdbcTypeInfo(command) => self.type_info.rows(command.data_type),
            // No table has a declared key.
            other => match self.metadata_schema(other) {
                Some(schema) => Ok(RecordBatch::new_empty(schema)),
                None => return Err(malformed("the ticket was not given out by this server")),
            },
        };
        rows.map_err(|error| status(&error))
    }
}

/// Decodes the command of a DoPut or GetFlightInfo.
pub(super) fn command_of(descriptor: &FlightDescriptor) -> Result<Command, Status> {
    if descriptor.r#type() != DescriptorType::Cmd {
        return Err(malformed(
            "a flight descriptor must hold a Flight SQL command, not a path",
        ));
    }
    decode(&descriptor.cmd, "command")
}

/// Refuses a transaction: none was ever begun.
pub(super) fn no_transaction(id: Option<&Bytes>) -> Result<(), Status> {
    match id {
        Some(id) if !id.is_empty() => Err(malformed(
            "the transaction does not exist: each statement commits by itself",
        )),
        _ => Ok(()),
    }
}

/// The answer to commands that this server does not know or serve.
pub(super) fn unknown_command(command: &Command) -> Status {
    let name = command.type_url().rsplit('.').next().unwrap_or_default();
    unsupported(format!("the command \"{name}\" is not served"))
}

/// The columns of a statement's answer as sent; an update answers with its count.
fn dataset_schema(client: &ClientGuard, schema: Option<SchemaRef>) -> SchemaRef {
    schema.map_or_else(count_schema, |schema| client.delivery().schema(schema))
}

fn decode(bytes: &[u8], what: &str) -> Result<Command, Status> {
    let any = Any::decode(bytes)
        .map_err(|_error| malformed(format!("the {what} is not a Flight SQL message")))?;
    Command::try_from(any)
        .map_err(|_error| malformed(format!("the {what} is a damaged Flight SQL message")))
}

/// The ticket of a result.
pub(super) fn ticket_of(handle: Bytes) -> Bytes {
    TicketStatementQuery {
        statement_handle: handle,
    }
    .as_any()
    .encode_to_vec()
    .into()
}

/// A result and where it is fetched.
pub(super) fn describe_result(
    schema: &SchemaRef,
    handle: Bytes,
    descriptor: FlightDescriptor,
    query_id: Uuid,
) -> Result<FlightInfo, Status> {
    let query_id = query_id.to_string().into();
    let endpoints = vec![endpoint_here(ticket_of(handle))];
    describe(schema, endpoints, descriptor, query_id)
}

/// An endpoint without a location: the rows are where this answer came from.
fn endpoint_here(ticket: Bytes) -> FlightEndpoint {
    FlightEndpoint::new().with_ticket(Ticket { ticket })
}

/// One endpoint has the rows in the order of the result; several have them in none.
fn describe(
    schema: &SchemaRef,
    endpoints: Vec<FlightEndpoint>,
    descriptor: FlightDescriptor,
    app_metadata: Bytes,
) -> Result<FlightInfo, Status> {
    let mut info = FlightInfo::new()
        .with_descriptor(descriptor)
        .with_ordered(endpoints.len() == 1)
        .with_app_metadata(app_metadata);
    info.endpoint = endpoints;
    info.schema = encode_schema(schema).map_err(unencodable)?;
    Ok(info)
}

/// A statement that runs, and whose rows nobody has asked for yet.
pub(super) struct StartedResult {
    /// The columns as sent.
    schema: SchemaRef,
    query_id: Uuid,
    parts: Vec<StartedPart>,
}

enum StartedPart {
    /// Rows that are given out here.
    Here(Box<PendingResult>),
    /// Rows that an executor gives out, and where.
    There(FlightEndpoint),
}

impl StartedResult {
    /// The rows, when they are one part and given out here.
    pub(super) fn whole(self) -> Result<PendingResult, Self> {
        let Self {
            schema,
            query_id,
            mut parts,
        } = self;
        let is_whole = matches!(parts.as_slice(), [StartedPart::Here(_)]);
        if is_whole && let Some(StartedPart::Here(pending)) = parts.pop() {
            return Ok(*pending);
        }
        Err(Self {
            schema,
            query_id,
            parts,
        })
    }
}

async fn started(
    client: &ClientGuard,
    execution: Execution,
    delivery: Delivery,
) -> Result<StartedResult, Status> {
    let session = client.session();
    let here = |query_id: Uuid, schema: &SchemaRef, rows: SendableRecordBatchStream| {
        StartedPart::Here(Box::new(PendingResult {
            user: session.user().to_owned(),
            session: session.id(),
            query_id,
            schema: Arc::clone(schema),
            rows,
            polled: None,
        }))
    };
    let (schema, query_id, parts) = match execution {
        Execution::Rows {
            query_id,
            schema,
            stream,
        } => {
            let schema = delivery.schema(schema);
            let part = here(query_id, &schema, stream);
            (schema, query_id, vec![part])
        }
        Execution::Parts {
            query_id,
            schema,
            parts,
        } => {
            let schema = delivery.schema(schema);
            let columns = encode_schema(&schema).map_err(unencodable)?;
            let mut started = vec![];
            for part in parts {
                started.push(match part {
                    ResultPart::Here(rows) => here(query_id, &schema, rows),
                    ResultPart::There(task) => {
                        let compression = delivery.compression().name();
                        let ticket = session.ticket(query_id, &task, &columns, compression);
                        let ticket = ticket.await.map_err(|error| status(&error))?;
                        let endpoint = endpoint_here(ticket_of(ticket.into()));
                        StartedPart::There(endpoint.with_location(task.location))
                    }
                });
            }
            (schema, query_id, started)
        }
        Execution::Update { query_id, rows } => {
            let schema = count_schema();
            let count = Arc::new(Int64Array::from(vec![(rows >= 0).then_some(rows)]));
            let batch = RecordBatch::try_new(Arc::clone(&schema), vec![count])
                .map_err(|e| status(&Error::internal("no count can be sent").with_source(e)))?;
            let rows = stream::iter([Ok(batch)]);
            let rows = Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&schema), rows));
            let part = here(query_id, &schema, rows);
            (schema, query_id, vec![part])
        }
    };
    Ok(StartedResult {
        schema,
        query_id,
        parts,
    })
}

/// The single row that an update answers with when it is run as a query.
fn count_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new(
        "count",
        DataType::Int64,
        true,
    )]))
}

fn encode_batch(batch: RecordBatch) -> BoxStream<'static, Result<FlightData, Status>> {
    FlightDataEncoderBuilder::new()
        .with_schema(batch.schema())
        .build(stream::iter([Ok(batch)]))
        .map(|message| {
            message.map_err(|error: FlightError| {
                status(&Error::internal("the metadata cannot be encoded").with_source(error))
            })
        })
        .boxed()
}

fn unencodable(error: arrow::error::ArrowError) -> Status {
    status(&Error::internal("the columns of the result cannot be described").with_source(error))
}
