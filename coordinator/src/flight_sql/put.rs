//! DoPut: updates, uploads, and parameters for prepared statements.

use arrow_flight::sql::{Command, DoPutPreparedStatementResult, DoPutUpdateResult};
use arrow_flight::{FlightData, PutResult};
use prost::Message;
use tonic::{Status, Streaming};
use waterbuck_engine::{Error, Result};

use super::backend::{Execution, StatementInput};
use super::client::ClientGuard;
use super::door::Shared;
use super::ingest::ingest_of;
use super::statement::{command_of, no_transaction, unknown_command};
use super::status::{malformed, query_status, status};
use super::upload::{open_rows, read_rows};
use crate::result_parts::Endpoints;

impl Shared {
    /// Serves one DoPut: the command is in the first message, the rows are in all of them.
    pub(super) async fn put(
        &self,
        client: &ClientGuard,
        mut messages: Streaming<FlightData>,
    ) -> Result<PutResult, Status> {
        let mut first = messages
            .message()
            .await?
            .ok_or_else(|| malformed("the stream ended before a command came"))?;
        let descriptor = first
            .flight_descriptor
            .take()
            .ok_or_else(|| malformed("the first message carries no command"))?;
        let bytes_max = self.config.parameter_bytes_max;
        match command_of(&descriptor)? {
            Command::CommandStatementUpdate(command) => {
                no_transaction(command.transaction_id.as_ref())?;
                self.update(client, StatementInput::Sql(command.query))
                    .await
            }
            Command::CommandPreparedStatementUpdate(command) => {
                let statement = client
                    .prepared(&command.prepared_statement_handle)
                    .map_err(|error| status(&error))?;
                let rows = read_rows(first, messages, bytes_max).await?;
                let input = if rows.is_empty() {
                    statement.bound()
                } else {
                    statement.with(rows)
                };
                self.update(client, input).await
            }
            Command::CommandPreparedStatementQuery(command) => {
                let handle = command.prepared_statement_handle;
                let statement = client.prepared(&handle).map_err(|error| status(&error))?;
                statement.bind(read_rows(first, messages, bytes_max).await?);
                Ok(answer(&DoPutPreparedStatementResult {
                    prepared_statement_handle: Some(handle),
                }))
            }
            Command::CommandStatementIngest(command) => {
                let ingest = ingest_of(command)?;
                let rows = open_rows(first, messages).await?;
                let written = client.session().ingest(ingest, rows).await;
                match written.map_err(|error| status(&error))? {
                    Execution::Update { rows, .. } => Ok(count(rows)),
                    Execution::Rows { query_id, .. } | Execution::Parts { query_id, .. } => {
                        let error = Error::internal("an upload was answered with rows");
                        Err(query_status(&error, query_id))
                    }
                }
            }
            other => Err(unknown_command(&other)),
        }
    }

    async fn update(
        &self,
        client: &ClientGuard,
        input: StatementInput,
    ) -> Result<PutResult, Status> {
        match self.run(client, input, Endpoints::One).await? {
            Execution::Update { rows, .. } => Ok(count(rows)),
            Execution::Rows { query_id, .. } | Execution::Parts { query_id, .. } => {
                Err(query_status(
                    &Error::invalid(
                        "the statement returns rows: run it as a query, not as an update",
                    ),
                    query_id,
                ))
            }
        }
    }
}

fn count(rows: i64) -> PutResult {
    answer(&DoPutUpdateResult { record_count: rows })
}

fn answer(message: &impl Message) -> PutResult {
    PutResult {
        app_metadata: message.encode_to_vec().into(),
    }
}
