//! DoPut: updates, and parameters for prepared statements.

use arrow_flight::sql::{Command, DoPutPreparedStatementResult, DoPutUpdateResult};
use arrow_flight::{FlightData, PutResult};
use prost::Message;
use tonic::{Status, Streaming};
use waterbuck_engine::{Error, Result};

use super::backend::{Execution, StatementInput};
use super::client::ClientGuard;
use super::door::Shared;
use super::statement::{command_of, no_transaction, unknown_command};
use super::status::{malformed, query_status, status, unsupported};
use super::upload::read_rows;

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
            Command::CommandStatementIngest(_) => Err(unsupported(
                "bulk ingestion is not served: use INSERT with parameters",
            )),
            other => Err(unknown_command(&other)),
        }
    }

    async fn update(
        &self,
        client: &ClientGuard,
        input: StatementInput,
    ) -> Result<PutResult, Status> {
        match self.run(client, input).await? {
            Execution::Update { rows, .. } => Ok(answer(&DoPutUpdateResult { record_count: rows })),
            Execution::Rows { query_id, .. } => Err(query_status(
                &Error::invalid("the statement returns rows: run it as a query, not as an update"),
                query_id,
            )),
        }
    }
}

fn answer(message: &impl Message) -> PutResult {
    PutResult {
        app_metadata: message.encode_to_vec().into(),
    }
}
